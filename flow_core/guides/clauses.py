"""The wishes of a prompt that stand side by side, and which of them are turned down."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from .cannot import asks_for_nothing
from .degrees import NUMBERS, WEAKER, lone_degree, numbered, without_degree
from .meaning import Meanings
from .orders import about_no_face
from .subjects import subject

LONGEST = 3  # joints that a phrase which is known has at most
NOT, LESS = -1.0, -0.5  # what a wish is worth that is turned down, or of which there shall be less

PARTS = r"face|skin|complexion|hair|foreheads?|(?:eye)?brows?|eyes?|(?:eye)?lids?|nose|nostrils?|cheeks?|cheekbones|mouth|lips?|teeth|tongue|chin|jaw(?:line)?|smile|grin|frown|pout"
ZH_PARTS = "眼|鼻|嘴|唇|眉|脸|下巴|额|头发|皮肤"
_JOINTS = re.compile(
    r"\s*(?:[,;!?+&、，；。！？]|(?<!\d)[./]|[./](?!\d)|并且|而且|同时|还有|加上|但是却|但是|但却|但|可是|不过|却|而是|而不是|而非|一边|一面|既|又|也(?=[不没别无]))\s*(?:(?:and|but|with|plus|also|then|和|又|也)\b\s*)?"
    rf"|\s+(?=no (?:\w+ ){{0,2}}(?:{PARTS}|wrinkles|make-?up|lipstick|blush|squint(?:ing)?|smiling|frowning|wink(?:ing)?)\b)"
    r"|\s+(?:and also|and then|as well as|in addition to|rather than|instead of|nor|even though|although|(?<!\bas )though|and|(?<!anything\s)(?<!nothing\s)but|(?<!enough\s)with(?!\s(?:everything|everyone|everybody|it|this|that|you|me|him|them|us|life|people|all)\b)|plus|while|yet|then|&)\s+"
    r"|\s+(?=(?:without(?! (?:(?:any|a|an|the|good|apparent) )*(?:reason|warning|permission|notice|cause|explanation|doubt|saying|asking|thinking|knowing|looking))|but not|w/o) )|(?<=[^，。\s]{2})地(?=[^，。\s])|(?<=着)(?=心里|心中|内心)|(?:(?<=着眼睛)|(?<=着嘴巴)|(?<=着眉头)|(?<=着眼)(?!睛|神)|(?<=着嘴)(?!巴|唇|角)|(?<=着头)(?!发)|(?<=着脸)(?!颊|蛋))(?=[^，。\s的])"
    rf"|(?<=[睛子巴唇毛额发肤眼鼻嘴眉脸])(?=[大小高低厚薄红粉尖圆方长短宽窄蓝绿黑金白细粗翘挺](?:{ZH_PARTS}|[发肤]))",
    re.IGNORECASE,
)
_OR = re.compile(r"\s+or\s+|或者?")  # "no smile or frown": neither
_BELONGS = re.compile(r"\s+(?:with|without|while)\b", re.IGNORECASE)
_NEXT = re.compile(r"\s*[,;.!，。；！、]")
_TURNED = re.compile(r"\s+(?:instead of|rather than|nor)\s+|而不是|而非", re.IGNORECASE)
_HE = r"(?:he|she|it|they|you|we|i|(?:the|this|a) (?:man|woman|person|face|girl|boy|guy|subject|model))"
_FORMS = r"(?:look(?! (?:left|right|up|down|away|aside|to|at|into)\b)|looking(?! (?:left|right|up|down|away|aside|to|at|into)\b)|be|being|feel|feeling|seem|appear|show(?:ing)?(?! (?:the |his |her |your |their |my |any )?(?:teeth|tongue|gums))|have|having|get|make (?:him|her|it|them|me)(?: look)?|let (?:him|her|it|them))"
_ITS = r"(?:(?:all |any )?(?:of )?(?:the |that |those |these |this |his |her |their |your )?)"
_SEEMS, _FAR = (
    r"is|are|'s|looks?|seems?|appears?",
    r"(?:way |far |much |a bit |a little |a touch |a tad |slightly |somewhat |just )?",
)
_MANNER = r"(?:much|hard|wide(?:ly)?|broad(?:ly)?|strong(?:ly)?|big|loud(?:ly)?|intense(?:ly)?|bright(?:ly)?|obvious(?:ly)?|forced)"
# "reduce the nose" wants a smaller one, and "drop the jaw" an open mouth
_SHAPED = r"face|foreheads?|hairline|(?:eye)?brows?|eyes?|(?:eye)?lids?|nose|nostrils?|cheeks?|cheekbones|mouth|(?:mouth |lip )?corners?(?: of the (?:mouth|lips))?|lips?|chin|jaw(?:line)?|features|shoulders"
_LESS_OF = rf"(?!{_ITS}(?:(?:upper|lower|left|right|top|bottom) )?(?:{_SHAPED})$)"
# of these nobody wants any: smaller ones are less of them
_MARKS = r"(?:eye ?bags|bags under (?:the |his |her )?eyes|(?:dark )?circles(?: under (?:the |his |her )?eyes)?|wrinkles|crow'?s feet|(?:\w+ )?lines|nasolabial folds|creases|jowls|double chin)"
_FAULTS = r"frown(?:ing)?|squint(?:ing)?|scowl|sneer|cross(?:ed|-eyed)? eyes|closed eyes|puffy eyes|(?:droopy|drooping|saggy|sagging|tired) (?:eyes|(?:eye)?lids|skin|cheeks|mouth)|red (?:skin|nose|face)|redness|sunburn|sagging|tiredness"
_FELT = r"ang(?:er|ry)|sad(?:ness)?|fear|worr(?:y|ied)|joy|happ(?:y|iness)|surprise|disgust|tension|stress|tired(?:ness)?|fatigue|expression"
_MISSED = r"husband|wife|boyfriend|girlfriend|lover|mother|father|mom|mum|dad|parents|son|daughter|brother|sister|friends?|baby|child|children|kids?|grand\w+|dog|cat|puppy|pet|hamster|horse"
_ZH_MARKS = "(?:黑眼圈|眼袋|皱纹|法令纹|抬头纹|鱼尾纹|川字纹|细纹|眼纹|双下巴|泪沟)"
_SURE: tuple[tuple[str, float], ...] = (  # patterns of a turned-down wish that can mean nothing else, what it is worth
    (
        rf"(?:tone down|dial (?:down|back)|ease (?:off|up on)|reduce|soften(?! to\b| into\b|.* into\b)|lessen|mute|tame|subdue|curb|decrease|diminish|weaken|minimi[sz]e) {_LESS_OF}{_ITS}(?P<a>.+)",
        LESS,
    ),
    (
        rf"(?:tone|dial|turn|bring|take|pull|scale|ratchet) {_ITS}(?P<a>(?!jaw|chin|brows?|eyebrows?|corners?|lids?|mouth|eyes)\w+(?: \w+)?) (?:down|back)(?: (?:just )?a (?:bit|little|notch|touch|lot|tad))?",
        LESS,
    ),
    (
        rf"(?:make (?:him|her|it|them) )?(?:enough (?:of|with)|refrain from|the opposite of|far from|anything but|free (?:of|from)) {_ITS}(?P<a>.+)",
        NOT,
    ),
    (
        rf"(?:remove|delete|erase|take off|lose|drop|get rid of|take away|wipe away|wipe off|eliminate|hide|conceal|cover up|undo|disable|turn off|switch off|neutrali[sz]e|cancel|edit out|photoshop out|clear away|kill|smooth (?:out|away)) {_LESS_OF}{_ITS}(?P<a>.+)",
        NOT,
    ),
    (
        rf"(?:i|we) (?:do not|don'?t|never) (?:want|need|like)(?: to (?:see|have))?(?: (?:him|her|it|them|me))?(?: to)?(?: {_FORMS})? (?P<a>.+)",
        NOT,
    ),
    # but who is gone is missed
    (
        rf"(?:his|her|the|their|these|those|my|your|all) (?P<a>(?!(?:best |old |little )*(?:{_MISSED})\b).+?) (?:is|are|be|has|have) gone",
        NOT,
    ),
    (
        rf"(?P<a>.*\b(?:{PARTS}|{_MARKS}|{_FAULTS}|{_FELT}|smirk|blush|make-?up|lipstick)) (?:(?:is |are |has |have |be )?gone|(?:must|should|has to|have to|needs to) (?:go(?: away)?|disappear|vanish))",
        NOT,
    ),
    (r"(?P<a>.+?) (?:is |are )?(?:removed|deleted|erased)", NOT),
    (rf"too much (?:of )?{_ITS}(?P<a>.+)", LESS),
    # what is wrong with a face is mended by its going away
    (
        rf"(?:fix|correct|treat|heal|retouch|clean(?: up)?|touch up|airbrush(?: out| away)?|mask|cover|improve|repair|blend(?: out)?|work on|deal with|sort out) {_ITS}(?P<a>(?:\w+ )?(?:{_MARKS}|{_FAULTS}))",
        NOT,
    ),
    (
        rf"relax {_ITS}(?P<a>(?:\w+ )?(?:frown|squint|scowl|grimace|sneer|pout|furrow(?:ed)? brows?|clenched jaw|pursed lips|raised (?:eye)?brows?)\w*)",
        NOT,
    ),
    (rf"(?:make )?{_ITS}{_FAR}(?:smaller|lighter|softer|fewer|fainter|subtler|shallower) (?P<a>{_MARKS})", LESS),
    (rf"(?:make )?{_ITS}(?P<a>{_MARKS}) {_FAR}(?:smaller|lighter|softer|fewer|fainter|subtler|shallower)", LESS),
    (rf"(?:fade|lighten|brighten|smooth|shrink|depuff) {_ITS}(?P<a>{_MARKS})", LESS),
    (rf"(?:{_HE} )?(?:is |are )?(?:no longer|used to|not any ?more)(?: {_FORMS})? (?P<a>.+)", NOT),
    (rf"{_HE}(?:'s| (?:{_SEEMS})) (?P<a>\w+ing) {_FAR}too {_MANNER}(?: here| now)?", LESS),
    # who says that something is too big wants it smaller; "too happy" alone may ask for much of it
    (
        rf"(?:{_HE}|(?:my|our) (?!(?:{PARTS})\b)\w+)(?:'s| (?:{_SEEMS})) {_FAR}too (?P<a>.+?)(?: (?:here|now|in this (?:one|photo|picture|shot)))?",
        LESS,
    ),
    (
        rf"(?P<a>(?:(?:his|her|the|their|my|your|this|that) )?(?:\w+ )?(?:{PARTS})) (?:(?:{_SEEMS}) )?{_FAR}too (?P<b>.+?)(?: here| now)?",
        LESS,
    ),
)
_TOO = r"(?:too|overly|super|extremely|terribly|excessively|insanely|crazy)"
_DO_NOT = r"(?:do not|don'?t|does not|doesn'?t|should not|shouldn'?t|is not|isn'?t|not|without|never|stop)"
_SHOWS = r"(?P<a>(?:smil|laugh|grin|giggl|frown|cry|scowl|pout|squint|smirk|blush|wink|glar)\w*)"
_ZH_MANNER = "(?:夸张|过分|过头|过|用力|厉害|明显|多|大|开|灿烂|强烈|猛|狠)了?"
_ZH_SHOWS = "笑|哭|皱眉|瞪眼|噘嘴|嘟嘴|眯眼"
_MEASURED: tuple[tuple[str, float], ...] = (  # of these there shall be some; who is "not too pleased" is not pleased
    (
        rf"(?!.*\b(?:{_SHAPED})\b)(?:{_HE} )?(?:is |are |be |but )?not {_TOO} (?!happy|pleased|thrilled|impressed|amused|bothered|keen|fond|sure)(?P<a>.+?)",
        WEAKER,
    ),
    (
        rf"(?:{_HE} )?{_DO_NOT} {_SHOWS} (?:too|overly|very) {_MANNER}",
        WEAKER,
    ),
    # "so much" is what the face does already
    (rf"(?:{_HE} )?{_DO_NOT} {_SHOWS} (?:so|that|this|as) {_MANNER}", LESS),
    (rf"(?!.*(?:{ZH_PARTS}))(?P<a>.{{1,5}}?)得?(?:不要|别|不能|不用)(?:太|过于|过分){_ZH_MANNER}", WEAKER),
    (rf"(?:不要|别|不用|不能)(?P<a>{_ZH_SHOWS})得?(?:太|过于){_ZH_MANNER}", WEAKER),
    (rf"(?:不要|别|不用|不能)(?P<a>{_ZH_SHOWS})得?(?:那么|这么){_ZH_MANNER}", LESS),
)
_ENGLISH: tuple[tuple[str, float], ...] = (  # patterns of a turned-down wish
    (rf"(?:make (?:him|her|it|them) )?(?:look )?{_FAR}(?:a )?less (?:of )?(?P<a>.+)", LESS),
    (rf"(?P<a>.+?) (?:(?:that )?(?:is|are) )?{_FAR}less (?P<b>.+)", LESS),
    (rf"(?P<a>(?!more or ).+?) {_FAR}less", LESS),
    (
        rf"(?:please )?(?:{_HE} )?(?:do not|don'?t|does not|doesn'?t|should not|shouldn'?t|must not|won'?t|never|quit|stop|cease|avoid|no need to)(?: {_FORMS})? (?P<a>.+)",
        NOT,
    ),
    (rf"(?:{_HE} )?(?:is|are|'s)? ?(?:not|n't|isn'?t|aren'?t|ain'?t)(?: {_FORMS})? (?P<a>.+)", NOT),
    (
        rf"(?P<a>.+?) (?:that (?:is|are) |is |are |should be |must be |should |must )?(?:not|isn'?t|aren'?t|shouldn'?t|mustn'?t)(?: {_FORMS})? (?P<b>.+)",
        NOT,
    ),
    (rf"(?:{_HE} )?(?:(?:should |must |to )?(?:be|look|looks|is|are) )?neither (?P<a>.+)", NOT),
    (
        rf"(?:{_HE} has |have |with )?(?:without|no|no more|neither|minus|w/o)(?: any| the| an?)? (?:{_FORMS} )?(?P<a>.+)",
        NOT,
    ),
    (r"(?:wipe|take|get) (?:the |that |this |his |her )?(?P<a>.+?) (?:off|away)(?: (?:his|her|the|your) face)?", NOT),
    (r"(?:turn|switch) (?:the |that |this |his |her )?(?P<a>.+?) off", NOT),
)
_ZH_WHO = r"(?:请|[他她它你我]们?|这个?人|人物|[男女](?:人|孩|生)|看起来|看上去|似乎|好像|脸上|表情)"
_CHINESE_SURE: tuple[tuple[str, float], ...] = (
    (rf"{_ZH_WHO}*(?P<a>.+?)得?再?(?:稍微|稍|略)?少(?:一点|一些|点|些)儿?", LESS),
    (rf"(?:{_ZH_WHO}|[把的])*(?P<a>{_ZH_MARKS})(?:再|变|修|调)?[淡浅小少轻弱](?:化|一点|一些|点|些|掉|了)*", LESS),
    (rf"(?:淡化|减轻|减淡|减少|弱化|缩小)(?:一下|一点)?(?:[他她我]的)?(?P<a>{_ZH_MARKS})", LESS),
    (
        r"(?:减轻|减淡|淡化|弱化|减弱|减少|降低|收敛|缓和|缓解|压低)(?:一下|一点)?(?:[他她它我]的?)?(?P<a>(?!.*(?:眉毛|眉头|眼睛|眼角|鼻|发际线|嘴角|颧骨|下巴|脸|额)).+?)(?:的?(?:程度|强度|幅度|感))?",
        LESS,
    ),
    (rf"(?:{_ZH_WHO}|显得)*(?:过于|过分|太过)(?P<a>.+?)(?:了|啦)?", LESS),
    (
        r"(?:移除|拿掉|抹掉|抹去|抹平|抚平|熨平|填平|磨平|磨掉|擦掉|擦去|洗掉|消掉|取消|除去|祛除|避免|杜绝|关掉|删掉|删除)(?:[他她它我]的)?(?P<a>.+?)(?:了)?",
        NOT,
    ),
    (rf"(?:遮住|遮盖|遮掉|隐藏|修复|改善)(?:[他她它我]的)?(?P<a>{_ZH_MARKS})(?:了)?", NOT),
    (rf"{_ZH_WHO}*(?:稍微|稍|略)?少(?:一点儿?|一些|点儿?|些)(?P<a>.+)", LESS),
    (rf"{_ZH_WHO}*(?:稍微|稍|略)?少(?P<a>[^年女男许有见数]+?)(?:一点|一些|点|些)儿?", LESS),
    (
        r"(?P<a>[^，。]*(?:[眼睛鼻嘴唇脸眉额颊腮牙肤]|下巴|头发|皱纹).{0,2}?)(?:有点|有些|实在|未免)?(?<![不别要没])(?:太|过于)(?P<b>.+?)(?:了|啦)?",
        LESS,
    ),
    (r".{0,8}?(?:看起来|看上去|显得|看着)(?:有点|有些|实在|未免)?(?:太|过于|过分)(?P<a>.+?)(?:了|啦)?", LESS),
)
_CHINESE: tuple[tuple[str, float], ...] = (
    (
        rf"{_ZH_WHO}*(?:不想|不希望|不愿意?|不用|不需要|无需|不必|不许|不准|禁止|严禁)(?:让|要|看到|看见|再)*[他她它]?(?P<a>.+?)(?:了)?",
        NOT,
    ),
    (
        rf"{_ZH_WHO}*(?:并没有?|没有?在|没有?再|不在|不再|没(?![有精劲事完睡错头心脸好想人法用什见关血大小老受意那这多])|没(?=睡[着觉]))(?P<a>.+?)(?:了)?",
        NOT,
    ),
    (r"(?P<a>.*?)一点儿?[都也]不(?P<b>.+)", NOT),
    (r"(?P<a>.*?)(?:没那么|不那么|没有那么|别那么|不要那么|别这么|不要这么|别太|不要太)(?P<b>.+)", LESS),
    (
        r"(?:请)?(?:不要|别|不再|停止|没有|去掉|去除|消除|收起|不是|并不|毫无|毫不|无(?![比辜聊精神所])|不(?![会敢过能可屑满安爽耐悦错已好起同知禁惯]|小心))(?:有|再)?(?P<a>.+?)(?:了)?",
        NOT,
    ),
    (r"(?P<a>.{1,8}?)(?:给?(?:我|他|她)?(?:去掉|去除|消除|弄掉|[pP]掉|修掉)|不要了|去一下)(?:吧|了)?", NOT),
    (r"(?:去|祛|修|[pP])(?:一下|掉)(?P<a>.{1,5})", NOT),
    (r"(?P<a>.+?)(?:不要|(?<![特送告离分道临性个区级辨])别|没有(?!.?表情)|并不|不再)(?P<b>.+)", NOT),
)
_ZH_BETWEEN = re.compile("(?:以及|[和与跟着又])?")
_FILL = re.compile(
    r"\b(?:so|too|that|as|such an?|quite|very|anymore|any more|any longer|at all|please|longer)\b ?|那么|这么|(?<=.)太(?!阳)",
    re.IGNORECASE,
)
_PATTERNS = [
    (re.compile(pattern, re.IGNORECASE), worth, sure)
    for patterns, sure in (
        (_MEASURED, True),
        (_SURE, True),
        (_ENGLISH, False),
        (_CHINESE_SURE, True),
        (_CHINESE, False),
    )
    for pattern, worth in patterns
]


@dataclass(frozen=True)
class Clause:
    """A wish of a text: what it speaks of, what that is worth: 1, a share of it, :data:`NOT` or :data:`LESS`, and whether a turned-down one can mean
    nothing else."""

    text: str
    worth: float
    sure: bool = False


def clauses(text: str, meanings: Meanings | None = None) -> list[Clause]:
    """The wishes of a text that stand side by side, as far as its joints tell them; what is known by heart is not cut ("red with anger"). What
    speaks of an animal or a thing, or of what such a one has ("a cat with blue eyes"), is worth nothing."""
    known, things = (meanings.phrases.find, meanings.things) if meanings else (lambda _: None, frozenset())

    def whole(wish: str) -> bool:  # is not cut, and asks for what is known, or for nothing that can be done
        return bool(known(wish)) or asks_for_nothing(wish, known)

    found: list[Clause] = []
    at, turned, other = 0, False, False
    joints = []
    for joint in _JOINTS.finditer(
        text
    ):  # "happily looking up": in Chinese one sign follows what somebody feels, and ends other words too
        start = joints[-1].end() if joints else 0
        if joint[0] != "地" or known(text[start : joint.start()]):
            joints.append(joint)
    ends = [*(joint.start() for joint in joints), len(text)]
    n = 0
    while n < len(ends):
        n = next((m for m in range(min(n + LONGEST, len(joints)), n, -1) if whole(text[at : ends[m]].strip())), n)
        joint = joints[n] if n < len(joints) else None
        piece = text[at : ends[n]].strip()
        alone = lone_degree(piece)
        if piece and alone and found and found[-1].worth == 1.0:
            said = found[-1].text
            # "kinda sad, not too much" says it twice
            found[-1] = Clause(said, 1.0 if (without_degree(said)[1] - 1) * (alone - 1) > 0 else alone)
        elif piece:
            belongs = joint is not None and _BELONGS.match(joint[0])
            other = other or bool(not known(piece) and subject(f"{piece} with" if belongs else piece, things))
            nothing = other or (
                not known(piece) and (asks_for_nothing(piece, known) or (meanings and about_no_face(piece, known)))
            )
            wish = Clause(piece, 0.0 if nothing else NOT) if nothing or turned else _clause(piece)
            said = _FILL.sub("", piece).strip()  # "no expression at all"
            wish = Clause(said, 1.0) if wish.worth == NOT and not turned and known(said) else wish
            each = [wish.text]
            if wish.worth == NOT and not known(wish.text):
                each = _OR.split(wish.text)
            elif wish == Clause(piece, 1.0) and meanings and not known(piece):
                each = _unjoined(piece, known) or each
            found += [Clause(one, wish.worth, wish.sure) for one in each]
        if joint:
            at, turned = joint.end(), bool(_TURNED.fullmatch(joint[0]))
            # what began with it goes on about it until a new sentence or the next tag
            goes_on = _BELONGS.match(joint[0]) or not any(w.worth for w in found)
            other = other and bool(goes_on) and not _NEXT.match(joint[0])
        n += 1
    return found


def _unjoined(text: str, known: Callable[[str], object]) -> list[str]:
    """The wishes of a Chinese text that is nothing but phrases known by heart, with no sign between them but "and" ("闭眼微笑", "兴奋和恐惧"); nothing where it is not.
    English words too often mean something else beside others."""
    if text.isascii() or not 4 <= len(text) <= 16:  # proverbs of four are known as a whole
        return []

    @functools.cache
    def cut(at: int) -> tuple[str, ...] | None:
        for end in range(min(len(text), at + 6), at + 1, -1):
            if not known(text[at:end]):
                continue
            for start in {end, _ZH_BETWEEN.match(text, end).end()}:
                rest = () if end == len(text) else cut(start)
                if rest is not None:
                    return (text[at:end], *rest)
        return None

    found = cut(0)
    return list(found) if found and len(found) > 1 else []


def _clause(text: str) -> Clause:
    bare = " ".join(NUMBERS.sub(" ", text).split())
    much = numbered(text, bare) if bare and bare != text else 0.0
    if much:
        told = _clause(bare)
        return Clause(told.text, much) if told.worth == 1.0 else told
    for pattern, worth, sure in _PATTERNS:
        match = pattern.fullmatch(text)
        if match:
            said = (" " if text.isascii() else "").join(part for part in match.groups() if part)
            said = " ".join(_FILL.sub("", said).split())
            if said:
                return Clause(said, worth, sure)
    return Clause(text, 1.0)
