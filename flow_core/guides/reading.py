"""How a prompt for a small guide is read: slips of the keys are mended, and wishes that stand side by side or are turned down are read one by one.

A small text tower reads a single wish well and several at once less well, and it learns what "not" means for each wish anew. A text whose
space is laid out (:mod:`flow_core.guides.meaning`) lets the amounts of several clauses be added up, or turned around, and be put back into
an embedding that says just that.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .meaning import SECOND, UNDERSTOOD, Meanings
from .phrasebook import plain
from .sentences import Sentences
from .subjects import subject
from .words import is_word

# ---------------------------------------------------------------------------------------------------------------- slips of the keys

SHORTEST = 4  # letters of a word that may be mended
FAR = 7  # letters from which two slips are mended
_VOWELS = frozenset("aeiouy")
_SOUNDS = frozenset(("sz", "zs"))  # letters that are taken for each other by ear
_ENDINGS = (
    ("iest", "y"),
    ("est", ""),
    ("est", "e"),
)  # others are mended into what the tower knows: "angrier" into "angry"
_NO_FORMS = frozenset(("earnest", "forest", "harvest", "honest", "interest", "modest", "priest", "request"))


_INFORMAL = {"teensy": "tiny", "teeny": "tiny", "yrs": "years", "pls": "please", "plz": "please", "rly": "really"}


def mended(text: str, vocabulary: frozenset[str], others: frozenset[str] = frozenset()) -> str:
    """``text`` with each misspelt word replaced by the word of ``vocabulary`` that was probably meant, if one is near.

    A word is left alone that the vocabulary, CLIP's, or ``others`` has. Of drawn out words ("soooo") letters are left out first.
    """

    def read(word: str) -> str:
        word = _INFORMAL.get(word.lower()) or _short(word, vocabulary)
        return word if word.lower() in others else meant(word.lower(), vocabulary) or word

    return re.sub(r"[a-zA-Z]+", lambda m: read(m[0]), text)


def _short(word: str, vocabulary: frozenset[str]) -> str:
    """A word with at most two of a letter side by side, or one where that alone is a word."""
    if not re.search(r"([a-z])\1\1", word, re.IGNORECASE) or word.lower() in vocabulary:
        return word
    twice, once = (re.sub(r"([a-z])\1{2,}", said, word, flags=re.IGNORECASE) for said in (r"\1\1", r"\1"))
    return twice if twice.lower() in vocabulary and once.lower() not in vocabulary else once


@functools.lru_cache(maxsize=4096)
def meant(word: str, vocabulary: frozenset[str]) -> str:
    """The word of ``vocabulary`` that a misspelt one stands for; empty where it is a word, or none is near."""
    if len(word) < SHORTEST or word in vocabulary or is_word(word) or _form(word, vocabulary):
        return ""
    most = 2 if len(word) >= FAR else 1
    letters = set(word)
    near = [
        (slips(word, w), is_word(w) or 1 << 20, w)
        for w in {*_by_letter(vocabulary)[word[0]], *_by_letter(vocabulary)[word[1]]}
        if abs(len(w) - len(word)) <= most
        and len(letters ^ set(w)) <= 2 * most
        and (w[0] == word[0] or w[1] == word[0])
    ]
    slip, _, found = min(near, default=(9.0, 0, ""))
    # in four letters another letter is another word
    return found if slip <= (1.1 if len(word) == SHORTEST else 1.25 * most) else ""


def _form(word: str, vocabulary: frozenset[str]) -> str:
    """The word of the vocabulary of which a word is the superlative, if it is one."""
    if word in _NO_FORMS:
        return ""
    stems = [(word.removesuffix(ending), stem) for ending, stem in _ENDINGS if word.endswith(ending)]
    stems += [(word[:-4], "")] if word.endswith("est") and word[-4:-3] == word[-5:-4] else []
    return next((b + stem for b, stem in stems if len(b) >= SHORTEST - 1 and b + stem in vocabulary), "")


def superlatives(text: str, vocabulary: frozenset[str]) -> str:
    """``text`` with "very sad" for "saddest"."""
    return re.sub(
        r"[a-zA-Z]{4,}est\b", lambda m: f"very {base}" if (base := _form(m[0].lower(), vocabulary)) else m[0], text
    )


@functools.lru_cache(maxsize=4)
def _by_letter(vocabulary: frozenset[str]) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for word in vocabulary:
        if len(word) >= SHORTEST - 1 and word.isascii():
            found[word[0]].append(word)
    return found


def slips(one: str, other: str) -> float:
    """How many slips of the keys make ``one`` of ``other`` (Damerau, 1964): letters left out, too many, replaced, or exchanged with the next.
    Such as happen often count a little less."""
    before: list[float] = []
    row = [float(j) for j in range(len(other) + 1)]
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [float(i)]
        for j, b in enumerate(other, 1):
            twice = 0.8 if (i > 1 and one[i - 2] == a) else 1.1
            missed = 0.8 if (j > 1 and other[j - 2] == b) else 1.0
            least = min(
                before[j] + twice,
                row[-1] + missed,
                before[j - 1] + (a != b) * (1.0 if (a in _VOWELS and b in _VOWELS) or a + b in _SOUNDS else 1.2),
            )
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                least = min(least, older[j - 2] + 0.85)
            row.append(least)
    return row[-1]


# -------------------------------------------------------------------------------------------------------------------------- comparisons

# What smileys and pictures of faces say.
_SIGNS = {
    sign: word
    for word, signs in {
        "smiling": ":) :-) =) ^^ ^_^ 🙂 😊 😀 😃 😄 😁 ☺ ☺️ 😇 🥰 😍 🤗 🤠 😺 😸 😻",
        "laughing": ":D :-D =D xD XD 😆 😂 🤣 😹",
        "sad": ":( :-( =( :'( :,( T_T TT_TT ;_; 😢 😭 ☹ ☹️ 🙁 😞 😔 😿 🥺",
        "angry": ">:( >:-( D:< 😠 😡 🤬 😤 💢 👿",
        "surprised": ":o :O :-o :-O =O o_o O_O o_O O_o 😮 😯 😲 🤯 😳",
        "frightened": "😨 😱 🙀 😧",
        "worried": "😰 😟 😥 😓 😩 😫",
        "disgusted": "🤢 🤮 🤧",
        "neutral": ":| :-| -_- 😐 😑 😶 🫥",
        "frowning": "😦 😾",
        "smiling, sad": "🥲",
        "smiling, tongue out": "😋",
        "raised left eyebrow": "🤨",
        "closed mouth": "🤐",
        "red skin, tired": "🥵",
        "blue skin": "🥶",
        "an old person": "👴 👵 🧓",
        "a baby": "👶",
        "smirking": ":-> >:) 😏 😼 😈",
        "a wink": ";) ;-) 😉",
        "a kiss": ":* :-* 😘 😗 😙 😚 💋 😽",
        "tongue out": ":p :P :-p :-P =P xP 😛 😝",
        "a wink, tongue out": ";p ;P 😜 🤪",
        "sleepy": "😴 😪 🥱",
        "eyes closed, slight smile": "😌",
        "a grimace": "😬 😖 😣",
        "looking up": "🙄",
    }.items()
    for sign in signs.split()
}
_SIGN = re.compile(
    "|".join(
        # a smiley stands alone; a picture may stand anywhere
        rf"(?<!\S){re.escape(sign)}(?=[\s,.!]|$)" if sign.isascii() else re.escape(sign)
        for sign in sorted(_SIGNS, key=len, reverse=True)
    )
)

_PICTURES = re.compile("[\u2600-\u27bf\ufe0f\u200d\U0001f000-\U0001faff]")  # that say nothing of a face

# An edit starts from the face that is there, so what is to be "happier than before" is to be happier.
_BEYOND = r"(?: than| then(?= (?:before|now|usual|ever)\b))"
_NOT_TO = r"\b(?:trying|tries|struggling|fighting) (?:hard |so hard |desperately )?not to"
_OTHER_SIDE = {"left": "right", "right": "left", "左": "右", "右": "左"}
_SEEN = r"viewer'?s|camera(?:'s)?|picture(?:'s)?|image(?:'s)?|photo(?:'s)?|screen|frame"
# sides as one who looks at the picture has them; all others are those of the person
_VIEWED = re.compile(
    rf"\b(?:the )?(?:{_SEEN})[ -](?P<a>left|right)\b|\b(?P<b>left|right)(?:[ -](?:hand[ -])?(?:side|half))? of the (?:picture|image|photo|screen|frame)\b"
    r"|(?:画面|图片|图像|图|照片|镜头|屏幕|观众|观看者)(?:的|中的?|里的?|上的?)?(?P<c>[左右])",
    re.IGNORECASE,
)
_COMPARED = [
    (re.compile(pattern, re.IGNORECASE), said)
    for pattern, said in (
        (r"\b(much|way|far|so|very|really|super|too|a lot|more)(?:,? \1)+\b", r"\1"),
        (
            r"\b(look\w*|glar\w+|star(?:e|es|ing)|gaz\w+|glanc\w+|peer\w*|squint\w*) (\w+ly) ((?:off )?(?:to the |to |over )?(?:left|right|up|down|upwards?|downwards?|sideways|away))\b",
            r"looking \3, \1 \2",
        ),
        (
            r"\b(?:fake|forced|false|insincere|phony|artificial|strained) (smile|grin|laugh)\b",
            r"\1, less squinting, less raised cheeks",
        ),
        (r"\bnot so much (\w+) as (\w+)", r"\2, not \1"),
        (r"\bno more than\b|\bnothing but\b", "only"),
        (
            rf"{_NOT_TO} (?:smile|smiling|grin|smirk)\b",
            "suppressing a smile",
        ),
        (
            rf"{_NOT_TO} (?:burst out |break out |crack up |lose it )?(?:laugh\w*|giggl\w*|chuckl\w*|crack up)\b",
            "suppressing a laugh",
        ),
        (rf"{_NOT_TO}\b", "about to"),
        # who does anything with laughter laughs, and does not scream or cry
        (r"\b(?:\w+ing|(?:bent|doubled) \w+) (?:with|from|of|in) laughter\b", "laughing out loud"),
        (r"\b(?:can'?t|can ?not|couldn'?t|could not) (?:be|get|look|feel) (?:any )?(\w+er|more \w+)\b", r"much \1"),
        (
            r"\b(?:can'?t|can ?not|couldn'?t|could not) (?:stop|help|resist|hide|contain|conceal|hold back|suppress|quit)(?: but)? ",
            "",
        ),
        (r"\b(?:never|won'?t|will not|doesn'?t|does not) stops? (?=\w+ing\b)", ""),
        (r"\bmore than (?=\w)(?!(?:before|now|usual|ever|that|this|it|he|she|they|in|on|the|an?)\b)", "very "),
        (rf"(?<!rather)(?<!other)(?<!less){_BEYOND} [^,;.]*?(?= and | but | with |[,;.]|$)", ""),
        (r"\b(?:twice|thrice|double|(?:two|three|four|five|ten|\d+) times) as (\w+)(?: as [^,;.]*)?", r"very \1"),
        (r"\bhalf as (\w+)(?: as [^,;.]*)?", r"slightly \1"),
        (r"(?<!not )\bas (\w+) as (?:can be|possible|ever|you can|it gets|hell|anything)\b", r"very \1"),
        (
            r"比(?:现在|目前|之前|以前|原来|原先|原图|照片|图片|刚才|本来|平时)(?:里|中|上)?的?(?:更加|更|还要|还|再)?",
            "",
        ),
        (r"一点儿?(.{1,4}?)[都也]没有?$", r"没有\1"),
        (r"再(?=[^，,。]{1,3}(?:一点|一些|点|些))", ""),
        (r"微([张睁])(?!开)", r"稍微\1开"),
        (r"(?:就好|就行|即可|就可以)了?(?=$|[，,。])", ""),
    )
]


def compared(text: str) -> str:
    """``text`` without what it compares the face with: "happier than before" is "happier", "twice as sad" is "very sad"; smileys in words."""
    text = _SIGN.sub(lambda m: f" {_SIGNS[m[0]]} ", text)
    text = _PICTURES.sub("", text) if re.search(r"[^\W_]", text) else text
    text = _VIEWED.sub(lambda m: _OTHER_SIDE[(m["a"] or m["b"] or m["c"]).lower()], text)
    for pattern, said in _COMPARED:
        text = pattern.sub(said, text)
    return " ".join(text.split())


# ------------------------------------------------------------------------------------------------------------------ several wishes, and not

CLEARER = 0.1  # by how much better clauses have to be explained than their whole,
SURELY = 0.3  # and where the whole seems to ask for what they turn down
UNHEARD, UNSURE = (
    0.2,
    0.7,
)  # amounts below which the tower hears nothing in a wish, and below which it may be wrong about a shape
QUALITY = 4  # words that somebody with a quality has fewer than, articles left out
SENTENCE = 3.0  # words that a sentence about a situation has at least
# chances of what a sentence is likely to be about from which it is believed
LIKELY, LIKELIER, LIKELIEST, CERTAIN = 0.45, 0.7, 0.9, 0.97
DOUBTED = (0.5, 0.85)  # amounts between these are read of wishes without a degree where the tower is in doubt
# what is asked for in a weak degree is at most the first; of what the tower reads beyond that the second is meant
WEAK, WEAKER = 0.6, 0.5
HEARD = 1.1 * SECOND  # share of the largest amount that another wish has at least
STRONG, STRONGER = 1.3, 1.5  # likewise of a strong degree, which is at least the first
BESIDE = 0.5  # share of the largest amount below which what else one of several wishes seems to ask for is noise
NEARLY = 0.2  # what the tower reads within this of what is known by heart stays as it is
LONGEST = 3  # joints that a phrase which is known has at most
NOT, LESS = -1.0, -0.5  # what a wish is worth that is turned down, or of which there shall be less

_ZH_PARTS = "眼|鼻|嘴|唇|眉|脸|下巴|额|头发|皮肤"
_JOINTS = re.compile(
    r"\s*(?:[,;.!+&/、，；。！]|并且|而且|同时|还有|加上|但是却|但是|但却|但|可是|不过|却|而是|而不是|而非|一边|一面|既|又|也(?=[不没别无]))\s*(?:(?:and|but|with|plus|also|then|和|又|也)\b\s*)?"
    r"|\s+(?:and also|and then|as well as|in addition to|rather than|instead of|nor|even though|although|(?<!\bas )though|and|(?<!anything\s)(?<!nothing\s)but|(?<!enough\s)with|plus|while|yet|then|&)\s+"
    r"|\s+(?=(?:without|but not|w/o) )|(?<=[^，。\s]{2})地(?=[^，。\s])|(?:(?<=着眼睛)|(?<=着嘴巴)|(?<=着眉头)|(?<=着眼)(?!睛|神)|(?<=着嘴)(?!巴|唇|角)|(?<=着头)(?!发)|(?<=着脸)(?!颊|蛋))(?=[^，。\s的])"
    rf"|(?<=[睛子巴唇毛额发肤眼鼻嘴眉脸])(?=[大小高低厚薄红粉尖圆方长短宽窄蓝绿黑金白细粗翘挺](?:{_ZH_PARTS}|[发肤]))",
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
_PARTS = r"face|skin|complexion|hair|foreheads?|(?:eye)?brows?|eyes?|(?:eye)?lids?|nose|nostrils?|cheeks?|cheekbones|mouth|lips?|teeth|tongue|chin|jaw(?:line)?|smile|grin|frown|pout"
# "reduce the nose" wants a smaller one, and "drop the jaw" an open mouth
_SHAPED = r"face|foreheads?|hairline|(?:eye)?brows?|eyes?|(?:eye)?lids?|nose|nostrils?|cheeks?|cheekbones|mouth|(?:mouth |lip )?corners?(?: of the (?:mouth|lips))?|lips?|chin|jaw(?:line)?|features|shoulders"
_LESS_OF = rf"(?!{_ITS}(?:(?:upper|lower|left|right|top|bottom) )?(?:{_SHAPED})$)"
_SURE: tuple[tuple[str, float], ...] = (  # patterns of a turned-down wish that can mean nothing else, what it is worth
    (
        rf"(?:tone down|dial (?:down|back)|ease (?:off|up on)|reduce|soften(?! to\b| into\b|.* into\b)|lessen|decrease|diminish|weaken|minimi[sz]e) {_LESS_OF}{_ITS}(?P<a>.+)",
        LESS,
    ),
    (
        rf"(?:tone|dial|turn|bring|take) {_ITS}(?P<a>(?!jaw|chin|brows?|eyebrows?|corners?|lids?|mouth|eyes)\w+(?: \w+)?) down(?: a (?:bit|little|notch|touch|lot))?",
        LESS,
    ),
    (
        rf"(?:make (?:him|her|it|them) )?(?:enough (?:of|with)|refrain from|the opposite of|far from|anything but|free (?:of|from)) {_ITS}(?P<a>.+)",
        NOT,
    ),
    (
        rf"(?:remove|delete|erase|take off|lose|drop|get rid of|take away|wipe away|wipe off|eliminate|hide|conceal|cover up|smooth (?:out|away)) {_LESS_OF}{_ITS}(?P<a>.+)",
        NOT,
    ),
    (r"(?:his|her|the|their|these|those|my|your|all) (?P<a>.+?) (?:is|are|be|has|have) gone", NOT),
    # who says that something is too big wants it smaller; "too happy" alone may ask for much of it
    (rf"{_HE} (?:{_SEEMS}) {_FAR}too (?P<a>.+?)(?: here| now)?", LESS),
    (
        rf"(?P<a>(?:(?:his|her|the|their|my|your|this|that) )?(?:\w+ )?(?:{_PARTS})) (?:(?:{_SEEMS}) )?{_FAR}too (?P<b>.+?)(?: here| now)?",
        LESS,
    ),
)
_ENGLISH: tuple[tuple[str, float], ...] = (  # patterns of a turned-down wish
    (rf"(?:make (?:him|her|it|them) )?(?:look )?{_FAR}(?:a )?less (?:of )?(?P<a>.+)", LESS),
    (rf"(?P<a>.+?) (?:(?:that )?(?:is|are) )?{_FAR}less (?P<b>.+)", LESS),
    (rf"(?P<a>(?!more or ).+?) {_FAR}less", LESS),
    (
        rf"(?:please )?(?:{_HE} )?(?:do not|don'?t|does not|doesn'?t|should not|shouldn'?t|must not|won'?t|never|quit|stop|no longer|cease|avoid|no need to)(?: {_FORMS})? (?P<a>.+)",
        NOT,
    ),
    (rf"(?:{_HE} )?(?:is|are|'s)? ?(?:not|n't|isn'?t|aren'?t)(?: {_FORMS})? (?P<a>.+)", NOT),
    (
        rf"(?P<a>.+?) (?:that (?:is|are) |is |are |should be |must be |should |must )?(?:not|isn'?t|aren'?t|shouldn'?t|mustn'?t)(?: {_FORMS})? (?P<b>.+)",
        NOT,
    ),
    (rf"(?:{_HE} |someone |somebody )?(?:who )?used to(?: {_FORMS})? (?P<a>.+)", NOT),
    (rf"(?:{_HE} has |have |with )?(?:without|no|no more|neither|w/o)(?: any| the| an?)? (?:{_FORMS} )?(?P<a>.+)", NOT),
    (r"(?:wipe|take|get) (?:the |that |this |his |her )?(?P<a>.+?) (?:off|away)(?: (?:his|her|the|your) face)?", NOT),
)
_ZH_WHO = r"(?:请|[他她它你我]们?|这个?人|人物|[男女](?:人|孩|生)|看起来|看上去|似乎|好像|脸上|表情)"
_CHINESE_SURE: tuple[tuple[str, float], ...] = (
    (rf"{_ZH_WHO}*(?P<a>.+?)得?再?(?:稍微|稍|略)?少(?:一点|一些|点|些)儿?", LESS),
    (rf"{_ZH_WHO}*(?:稍微|稍|略)?少(?P<a>[^年女男许有见数]+?)(?:一点|一些|点|些)儿?", LESS),
    (
        r"(?P<a>[^，。]*(?:[眼睛鼻嘴唇脸眉额颊腮牙肤]|下巴|头发|皱纹).{0,2}?)(?:有点|有些|实在|未免)?(?<![不别要没])(?:太|过于)(?P<b>.+?)(?:了|啦)?",
        LESS,
    ),
)
_CHINESE: tuple[tuple[str, float], ...] = (
    (
        rf"{_ZH_WHO}*(?:不想|不希望|不愿意?|不用|不需要|无需|不必|不许|不准)(?:让|要|看到|看见|再)*[他她它]?(?P<a>.+?)(?:了)?",
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
    (r"(?P<a>.+?)(?:不要|(?<![特送告离分道临性个区级辨])别|没有(?!.?表情)|并不|不再)(?P<b>.+)", NOT),
)
_DEGREE = re.compile(
    r"\b(?:slight\w*|bit|little|tad|touch|hint|trace|ghost|faint\w*|subtl\w*|half\w*|almost|nearly|barely|hardly|mild\w*|moderate\w*|gentl\w*|soft\w*|(?:small|weak|thin|light) (?:smile|grin|laugh|smirk|frown|pout|kiss)"
    r"|somewhat|kind of|kinda|sort of|sorta|partly|vaguely|lightly|just|only|some|fraction|smidge|suggestion|suppress\w*|stifl\w*|hold\w*|bit\w* back|trying|about to"
    r"|verge|start\w*|beginning|less|not)\b|[稍略轻淡浅丝些忍]|微(?!笑)|一点|有点|快要|差点|几乎"
)
_PLAIN_LITTLE = r"(?! (?:nose|mouth|chin|face|forehead|lips|jaw|ears|eyes|brows|eyebrows|boy|girl|child|kid)\b)"
_WEAK = re.compile(
    r"\b(?:(?:ever so |only |just )?slight(?:ly)?|(?:just )?(?:a|one) (?:(?:tiny|wee|little|small) bit|bit|tad|touch|notch|smidge|smidgen|trifle|fraction)(?: of(?: an?)?)?"
    r"|an? (?:hint|trace|suggestion) of(?: an?)?|a quarter(?: of an?)?(?= smile| grin)|hardly(?! any)|an? (?:few|couple of) years(?= (?:older|younger))|the (?:tiniest|faintest|slightest)(?: bit)?(?: of)?"
    r"|just a crack|faint(?:ly)?|subt(?:le|ly)|mild(?:ly)?|somewhat|barely|minimally|marginally|kind of|sort of|kinda|sorta|lightly|fractionally"
    rf"|a little{_PLAIN_LITTLE})(?!\w)"
    r"|稍稍|稍微有?些?|稍(?!后|等)|略微|略显|略(?!略)|微微|有点儿?(?!子)|有一点儿?|有些(?!人)|些许|微(?=[张开睁闭眯翘皱抬抿红胖挑嘟上下])|一点点(?=.)|(?<=[轻老大小])几岁|(?<=.)(?:一?点点|一点儿?|一些)$",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"\b(?:very,? very|very|extremely|incredibly|insanely|terribly,? terribly|terribly|awfully|dreadfully|absolutely|utterly|totally|completely|super(?: duper)?"
    r"|massively|hugely|enormously|tremendously|intensely|deeply|profoundly|exceedingly|immensely|wildly|ridiculously|hella|mega|ultra|overwhelmingly"
    r"|exceptionally|unbelievably|remarkably|really really|really|so(?= \w+(?: |$))|(?:much|way|far|a lot|considerably|significantly) (?=\w+er\b|more )"
    r"|(?:tons|loads|heaps|lots|a lot|a double dose|plenty) of|maximum|max)\b"
    r"|,? (?:as hell|as fuck|af|(?:a lot|lots|much|way) more|beyond (?:words|belief)|a lot|to the max|to the extreme|out of (?:his|her|their|my|your) (?:mind|wits)|to death|as much as (?:possible|you can|\w+ can)|as (?:high|wide|far|low|much|big|hard) as \w+ (?:go|goes|can|will go)"
    r"|(?:dial|turn|crank) it up(?: to eleven)?|like crazy|very much)$"
    r"|特别|非常|超级|极其|极度|极为|十分|相当|格外|异常|无比|万分|超(?!人|模|市|好看)|极(?=[^了端])|(?<=.)(?:极了|死了|坏了|得多|得要命|得要死|得不行|得很|得不得了|透了|到爆|到极点|很多|多了|至极)$",
    re.IGNORECASE,
)
# wishes that are a degree alone, which then is one of what stands before
_HOW = r"(?:but |though |just |only |and |very |ever so |really |make it |keep it |maybe )*"
_ALONE = (
    (
        rf"{_HOW}(?:an? (?:tiny |wee |little )?(?:bit|little|tad|touch|smidge|hint)|slight(?:ly)?|subt(?:le|ly)|faint(?:ly)?|mild(?:ly)?|gent(?:le|ly)|soft(?:ly)?|weak(?:ly)?|somewhat|barely"
        r"|not (?:too|so|that|very) (?:much|strong(?:ly)?|hard|wide|big|intense|obvious|extreme)|not much|nothing extreme|not overdone|low intensity)"
        r"|(?:但是?|不过)?(?:只|只是|只要|就|仅)?(?:有|要)?(?:那么)?(?:一点点?儿?|一丢丢|稍微一?点?|轻微|轻轻|淡淡|微微|少许)(?:就好|就行|即可|的)?|(?:但是?|不过)?(?:不要|别|不)(?:太|那么)(?:明显|夸张|强烈?|多|过)",
        WEAKER,
    ),
    (
        rf"{_HOW}(?:strong(?:ly)?|a lot|lots|very much|intense(?:ly)?|extreme(?:ly)?|max(?:imum)?(?: intensity)?|to the max|high intensity|as much as possible)"
        r"|(?:非常|很|特别|十分)?(?:强烈|明显|夸张)(?:一点|一些)?|越.越好",
        STRONGER,
    ),
)
_ALONE = tuple((re.compile(pattern, re.IGNORECASE), much) for pattern, much in _ALONE)
FAINTEST = UNDERSTOOD + 0.05  # what less than that is asked for in numbers is worth, for it would not be heard
_COUNTS = {
    "半": 0.5,
    "一": 1,
    "两": 2,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
    "百": 100,
}
_ZH_NUMBER = r"\d+(?:\.\d+)?|[一两二三四五六七八九十百半]+"
_NUMBERS = re.compile(
    r"(?:\b(?:at|by|to|about|around|only|just|with) )*(?<![\w.])(?P<percent>\d+(?:\.\d+)?) ?(?:%|percent\b|per cent\b)(?: of (?:an? |the )?)?(?: (?:strength|intensity))?的?"
    r"|(?<![\w.])(?P<times>\d+(?:\.\d+)?) ?(?:x|times)(?!\w)(?: as much(?: of)?(?: an?)?)?|(?<!\w)x ?(?P<by>\d+(?:\.\d+)?)(?!\w)|\b(?P<twice>twice|double|triple)(?: as much)? (?=the |an? |his |her |\w+er\b|more )"
    rf"|\b(?P<years>(?:\d+|an?|two|three|four|five|six|seven|eight|ten|fifteen|twenty|thirty|forty|fifty|sixty) (?:year|decade)s?) (?=older|younger)"
    rf"|百分之(?P<zh_percent>{_ZH_NUMBER})的?|(?P<zh_times>\d+(?:\.\d+)?|[两二三四五六七八九十])倍大?的?|(?P<zh_twice>加倍|翻倍)地?的?|(?<=[老轻大小])(?:了|个)?(?P<zh_years>{_ZH_NUMBER})岁",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:\w{2,}er|more|up|down|increas\w+|enlarg\w+)\b(?<!her)(?<!other)|[更增变加]|放大|缩小", re.IGNORECASE
)
_YEARS = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "ten": 10, "fifteen": 15,
          "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60}  # fmt: skip
FEW, MANY = 4, 15  # years that are a weak degree at most, and a strong one at least
_SOMEBODY = re.compile(
    r"\b(?:he|she|they|we|i|you|him|her|them|us|me|his|their|our|my|your|hers|herself|himself|who|whose|somebody|someone|nobody|everyone|everybody|man|woman"
    r"|girl|boy|guy|lady|kid|child|baby|mother|father|mom|dad|person|people|friend)\b|[他她我你您咱谁]|人|孩|妈|爸|爷|奶",
    re.IGNORECASE,
)
_OF_FACES = re.compile(rf"\b(?:{_PARTS})\b|{_ZH_PARTS}")
_NEGATED = re.compile(r"\b(?:not|no|never|without|less)\b|n't\b|不要|没有|(?<!特)别", re.IGNORECASE)
_FILL = re.compile(
    r"\b(?:so|too|that|as|such an?|quite|very|anymore|any more|any longer|at all|please|longer)\b ?|那么|这么|(?<=.)太(?!阳)",
    re.IGNORECASE,
)
# "laughing so much that ...": what comes before it is felt
_SO_THAT = re.compile(r"(?P<felt>[^，。]{1,4}?)得(?!意|很|了|到|分|体|知|出).+")


_PATTERNS = [
    (re.compile(pattern, re.IGNORECASE), worth, sure)
    for patterns, sure in ((_SURE, True), (_ENGLISH, False), (_CHINESE_SURE, True), (_CHINESE, False))
    for pattern, worth in patterns
]


@dataclass(frozen=True)
class Clause:
    """A wish of a text: what it speaks of, what that is worth: 1, :data:`NOT` or :data:`LESS`, and whether a turned-down one can mean
    nothing else."""

    text: str
    worth: float
    sure: bool = False


def clauses(text: str, meanings: Meanings | None = None) -> list[Clause]:
    """The wishes of a text that stand side by side, as far as its joints tell them; what is known by heart is not cut ("red with anger"). What
    speaks of an animal or a thing, or of what such a one has ("a cat with blue eyes"), is worth nothing."""
    known, things = (meanings.phrases.find, meanings.things) if meanings else (lambda _: None, frozenset())
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
        n = next((m for m in range(min(n + LONGEST, len(joints)), n, -1) if known(text[at : ends[m]].strip())), n)
        joint = joints[n] if n < len(joints) else None
        piece = text[at : ends[n]].strip()
        alone = lone_degree(piece)
        if piece and alone and found and found[-1].worth == 1.0:
            found[-1] = Clause(found[-1].text, alone)
        elif piece:
            belongs = joint is not None and _BELONGS.match(joint[0])
            other = other or bool(not known(piece) and subject(f"{piece} with" if belongs else piece, things))
            wish = Clause(piece, 0.0 if other else NOT) if other or turned else _clause(piece)
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
    """The wishes of a Chinese text that is nothing but phrases known by heart, without a sign between them ("闭眼微笑"); nothing where it is not.
    English words too often mean something else beside others."""
    if text.isascii() or not 5 <= len(text) <= 14:  # four are often a proverb
        return []

    @functools.cache
    def cut(at: int) -> tuple[str, ...] | None:
        for end in range(min(len(text), at + 6), at + 1, -1):
            rest = () if end == len(text) else cut(end)
            if rest is not None and known(text[at:end]):
                return (text[at:end], *rest)
        return None

    found = cut(0)
    return list(found) if found and len(found) > 1 else []


def _number(text: str, bare: str) -> float:
    """What a number in a text makes of what stands beside it, ``bare``: "50% smile", "twice the smile", "20 years younger"; 0 where there is
    none, or something else beside it. Of what is compared a number does not say how much there shall be, so it is a degree as words are."""
    match = _NUMBERS.search(text)
    if not match or " ".join(_NUMBERS.sub(" ", text).split()) != bare:
        return 0.0
    said = {name: value for name, value in match.groupdict().items() if value}
    kind, value = next(iter(said.items()))
    if "years" in kind:
        count, _, unit = value.lower().partition(" ")
        number = _YEARS.get(count) or _count(count)
        number *= 10 if unit.startswith("decade") else 1
        return WEAKER if number <= FEW else STRONGER if number >= MANY else 1.0
    if "twice" in kind:
        return STRONGER
    share = _count(value) / (100 if "percent" in kind else 1)
    if _MORE.search(bare):
        share = WEAKER if share <= 0.35 else STRONGER if share >= 0.8 else 1.0
    return max(FAINTEST, min(STRONGER, share))


def _count(text: str) -> float:
    """A number in digits, or in Chinese up to some hundreds."""
    if text[0].isdigit():
        return float(text)
    total, last = 0.0, 0.0
    for sign in text:
        value = _COUNTS[sign]
        if value < 10:
            last = value
        else:
            total, last = total + (last or 1) * value, 0.0
    return total + last


def _clause(text: str) -> Clause:
    bare = " ".join(_NUMBERS.sub(" ", text).split())
    much = _number(text, bare) if bare and bare != text else 0.0
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


def lone_degree(text: str) -> float:
    """What a text that is a degree alone ("only a little", "50%") makes of what stands before it; 0 of others."""
    return next((much for pattern, much in _ALONE if pattern.fullmatch(text)), 0.0) or _number(text, "")


def unheard(
    encode: Callable[[Sequence[str]], Tensor],
    meanings: Meanings,
    text: str,
    asked: Tensor,
    sentences: Callable[[], Sentences | None] = lambda: None,
) -> list[str]:
    """The wishes of a text of which nothing came into the amounts ``asked [C]`` that were read from it; arguments as of :func:`composed`."""
    wishes = [w for w in clauses(text, meanings) if w.worth]
    if len(wishes) < 2 or meanings.known(text) is not None:
        return []
    read = meanings.read(encode([w.text for w in wishes]))[0]
    rows = [
        known if (known := meanings.known(w.text)) is not None else _likely(row, w.text, meanings, sentences)
        for w, row in zip(wishes, read, strict=True)
    ]
    heard = [bool(row.abs().max() >= UNDERSTOOD) for row in rows]
    named = torch.stack(rows).abs().amax(0) >= UNDERSTOOD
    if (asked.abs() >= UNDERSTOOD).logical_and(~named).any():  # it was read as a whole
        return []
    return [w.text for w, one in zip(wishes, heard, strict=True) if not one]


def composed(
    encode: Callable[[Sequence[str]], Tensor],
    meanings: Meanings,
    text: str,
    whole: Tensor,
    sentences: Callable[[], Sentences | None] = lambda: None,
) -> Tensor:
    """Unit embedding ``[D]`` of what a text asks for, its wishes read one by one where that is clearer.

    The whole is better where what is read from it explains its embedding about as well as the embeddings of the clauses are explained:
    so "raise one eyebrow, the left one" is what the tower learnt that it is.

    Args:
        encode: unit embeddings ``[N,D]`` of texts.
        whole: ``[D]`` unit embedding of the text as the tower reads it.
        sentences: gives what knows sentences about situations; asked for texts that it may know better than the tower.
    """
    wishes = clauses(text, meanings)
    found = _clausewise(encode, meanings, text, wishes, whole, sentences)
    told = _situation(text, wishes, meanings, sentences)
    if told is None:
        return found
    [row], _ = meanings.read(found[None])
    return found if _heard(row, told, meanings, sentences) else meanings.point(told * without_degree(text)[1])


def _situation(
    text: str, wishes: list[Clause], meanings: Meanings, sentences: Callable[[], Sentences | None]
) -> Tensor | None:
    """Amounts ``[C]`` of a text that is a sentence about a situation as a whole, be it of several clauses or about an animal: "the lights went
    out and somebody screamed", "her dog ran away"; None where it is not, or wishes of it are known."""
    if (
        (wishes == [Clause(text, 1.0)] and not without_degree(text)[0])  # is read as a wish like others
        or _length(text) < SENTENCE + 1
        or any(meanings.known(t) is not None for t in (text, *(w.text for w in wishes if w.worth != NOT)))
        or any(w.sure or w.worth not in (0.0, 1.0, NOT) for w in wishes)
        or (len(wishes) > 1 and _OF_FACES.search(text))
    ):
        return None
    reader = sentences()
    told = reader and reader.read(text)
    doubtful = any(w.worth == 0 or meanings.known(w.text) is not None for w in wishes)
    least = CERTAIN if not _SOMEBODY.search(text) else LIKELIEST if doubtful else LIKELIER
    if not told or told.nothing or not told.known or told.chance < least:
        return None
    # who is "not happy about the gift" is read as happy: that something is turned down was not heard
    if any(w.worth == NOT and _alike(reader.read(w.text).amounts, told.amounts) for w in wishes):
        return None
    return told.amounts


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether amounts ``[C]`` name the same above all."""
    k = one.abs().argmax()
    return bool(one.abs().max() >= UNDERSTOOD and k == other.abs().argmax() and one[k] * other[k] > 0)


def _heard(row: Tensor, told: Tensor, meanings: Meanings, sentences: Callable[[], Sentences | None]) -> bool:
    """Whether what ``told [C]`` names above all is what the amounts ``row [C]`` name, or is named there beside a shape or a colour."""
    most, top = row.abs().max(dim=0)
    reader = sentences()
    beside = (
        reader is not None
        and meanings.names[int(top)] not in reader.brought
        and bool(row[told.argmax()] >= SECOND * most)
    )
    return _alike(row, told) or (float(most) >= UNDERSTOOD and beside)


def _length(text: str) -> float:
    """Words of a text; a Chinese one has somewhat more than a character."""
    return len(text.split()) if text.isascii() else len(re.findall("[\u4e00-\u9fff]", text)) / 1.3


def _clausewise(
    encode: Callable[[Sequence[str]], Tensor],
    meanings: Meanings,
    text: str,
    wishes: list[Clause],
    whole: Tensor,
    sentences: Callable[[], Sentences | None],
) -> Tensor:
    """:func:`composed` of the ``wishes`` that are the clauses of a text."""
    sure = (
        meanings.known(text) if all(w.worth in (0.0, 1.0, NOT, LESS) for w in wishes) else None
    )  # numbers say how much
    if sure is not None:
        bare, much = without_degree(text)
        plain = meanings.known(bare) if bare else None
        meant = sure if plain is None else _graded(sure, plain, text, much, True)
        [alone], _ = meanings.read(whole[None])
        read = _certain(alone, text)
        meant = read if (read - meant).abs().max() <= NEARLY else meant
        return whole if torch.equal(meant, alone) else meanings.point(meant)
    felt = None if any(w.worth == LESS for w in wishes) else _SO_THAT.fullmatch(text)
    sure = meanings.known(felt["felt"]) if felt else None
    if sure is not None and sure.any():
        return meanings.point(sure * without_degree(text)[1])
    others = any(w.worth == 0 for w in wishes)  # of these the whole speaks too
    wishes = [w for w in wishes if w.worth]
    if others and not wishes:
        return meanings.neutral
    if not others and wishes == [Clause(text, 1.0)]:
        bare, much = without_degree(text)
        [alone, *without], _ = _read(encode, meanings, [bare] if bare else [], whole)
        read, alone = alone, _likely(alone, text, meanings, sentences)
        meant = (
            _graded(alone, *without, text, much, meanings.known(bare) is not None) if bare else _certain(alone, text)
        )
        return whole if torch.equal(meant, read) else meanings.point(meant)
    texts = [w.text for w in wishes]
    bares = [without_degree(w.text) if w.worth > 0 else ("", 1.0) for w in wishes]
    read, fit = _read(encode, meanings, [*texts, *(b for b, _ in bares if b)], whole)
    alone, rows, without = read[0], read[1 : len(wishes) + 1], iter(read[len(wishes) + 1 :])
    amounts, contrary, wrong, fits = torch.zeros_like(alone), False, False, []
    plainly = torch.zeros_like(alone)
    for n, (wish, row, (bare, much)) in enumerate(zip(wishes, rows, bares, strict=True), 1):
        sure = meanings.known(wish.text) is not None
        known_bare = bool(bare) and meanings.known(bare) is not None
        plain = next(without) if bare else row
        row = row if sure else _likely(row, wish.text, meanings, sentences)
        row = row * (row.abs() >= BESIDE * row.abs().max())
        meant = row if sure else _graded(row, plain, wish.text, much, known_bare) if bare else _certain(row, wish.text)
        if meant.abs().max() < UNDERSTOOD:
            continue
        fits.append(fit[n])
        most = row.abs().argmax()
        opposed = wish.worth < 0 and float(alone[most] * row[most].sign()) >= UNDERSTOOD
        contrary, wrong = contrary or opposed, wrong or (opposed and wish.sure)
        meant = _turned(meant, wish.worth, meanings.names)
        amounts = torch.where(meant.abs() > amounts.abs(), meant, amounts)
        if sure and wish.worth > 0:  # in its own words, which others do not turn down: "not toothy, smile"
            plainly = plainly.maximum(meant * (meant >= UNDERSTOOD))
    amounts = torch.where(plainly > 0, plainly, amounts)
    clearer = sum(fits) / len(fits) - fit[0] if fits else 0.0
    # how much of each is meant the clauses tell better, where they leave out nothing of what the whole names
    graded = (any(b for b, _ in bares) or any(w.worth not in (1.0, NOT, LESS) for w in wishes)) and not (
        (alone.abs() >= UNDERSTOOD) & (amounts.abs() < UNDERSTOOD)
    ).any()
    heart = all(meanings.known(t) is not None for t in texts)
    if others or wrong or graded or heart or clearer > (SURELY if contrary else CLEARER):
        return meanings.point(_side_by_side(amounts))
    meant = _certain(alone, text)
    return whole if torch.equal(meant, alone) else meanings.point(meant)


def _side_by_side(amounts: Tensor) -> Tensor:
    """Amounts ``[C]`` of several wishes, none so small beside another that it would be taken for noise."""
    large = amounts.abs().max()
    if not ((amounts.abs() > UNDERSTOOD / 2) & (amounts.abs() < HEARD * large)).any():
        return amounts
    large = large.clamp(max=STRONG)
    least = torch.where(amounts.abs() > UNDERSTOOD / 2, HEARD * large, 0.0)
    return amounts.sign() * amounts.abs().clamp(max=large).maximum(least)


def _read(
    encode: Callable[[Sequence[str]], Tensor], meanings: Meanings, texts: list[str], whole: Tensor
) -> tuple[list[Tensor], list[float]]:
    """Amounts ``[C]`` that a whole and further texts mean, and how well these explain them; what is known by heart is that."""
    read, fit = meanings.read(torch.cat([whole[None], encode(texts)]) if texts else whole[None])
    rows, fits = list(read), fit.tolist()
    for n, text in enumerate(texts, 1):
        known = meanings.known(text)
        if known is not None:
            rows[n] = known
    return rows, fits


def _likely(row: Tensor, text: str, meanings: Meanings, sentences: Callable[[], Sentences | None]) -> Tensor:
    """Amounts ``[C]`` of a wish that the tower reads as ``row``, or, of a sentence, what it is likely to be about. What is likely to be about
    nothing on a face asks for nothing. Of somebody with a quality that is known by heart ("an angry plumber") that quality counts."""
    said = plain(text).split()
    qualities = [q for q in map(meanings.known, said) if q is not None and q.any()] if len(said) < QUALITY else []
    if any(_alike(row, q) for q in qualities):
        alone = row.abs().topk(2).values[1] < UNDERSTOOD and not _DEGREE.search(text)
        return next(q for q in qualities if _alike(row, q)) if alone else row
    deaf, unsure = (float(row.abs().max()) < most for most in (UNDERSTOOD, UNSURE))
    short = _length(text) < SENTENCE
    reader = None if short and (deaf or not unsure) else sentences()
    if reader is None:
        return row
    told = reader.read(text)
    if told.nothing and qualities:
        return row
    least = LIKELIER if short or told.nothing or not told.known or _NEGATED.search(text) else LIKELY
    least = CERTAIN if deaf and not _SOMEBODY.search(text) else least  # other topics are often as near
    sure = told.chance >= least
    return (
        told.amounts if sure and (told.known or unsure) and not _heard(row, told.amounts, meanings, sentences) else row
    )


def without_degree(text: str) -> tuple[str, float]:
    """A wish without the words that say how much, and what these are worth; an empty text where there are none, or contrary ones."""
    found = [(m, much) for pattern, much in ((_WEAK, WEAKER), (_STRONG, STRONGER)) for m in pattern.finditer(text)]
    if not 1 <= len(found) <= 2 or len({much for _, much in found}) > 1 or _NEGATED.search(text):
        return "", 1.0
    bare = text
    for match, _ in sorted(found, key=lambda f: -f[0].start()):
        bare = bare[: match.start()] + " " * text.isascii() + bare[match.end() :]
    return " ".join(bare.split()).strip(" ,，"), found[0][1]


def _graded(row: Tensor, bare: Tensor, text: str, much: float, sure: bool) -> Tensor:
    """Amounts ``[C]`` of a text that names a degree, read with it as ``row`` and without it as ``bare``, of which one may be ``sure``."""
    most, k = bare.abs().max(dim=0)
    named, as_well = row.abs().max() >= UNDERSTOOD, row.abs().argmax() == k and row[k] * bare[k] > 0
    if most < DOUBTED[0] or (named and not as_well and not sure):  # the degree is a part of what is meant
        return _certain(row, text)
    if much > 1:
        return row if as_well and row[k].abs() >= STRONG else bare * (max(STRONGER, float(most)) / most)
    if as_well and UNDERSTOOD <= row[k].abs() <= WEAK:
        return row
    two = bare.abs().topk(2).values[1] >= UNDERSTOOD and not sure  # of which one alone may be meant to be weak
    return _certain(row, text) if two else bare * (WEAKER / most)


def _turned(amounts: Tensor, worth: float, names: Sequence[str]) -> Tensor:
    """What is meant where a wish with ``amounts [C]`` is worth this much: without wrinkles a face is young, which for others is no opposite."""
    amounts = amounts * worth
    if {"old", "young"} <= {*names}:
        old, young = names.index("old"), names.index("young")
        if amounts[old] < 0:
            amounts[young], amounts[old] = amounts[young] - amounts[old], 0
    return amounts


def _certain(amounts: Tensor, text: str) -> Tensor:
    """Amounts ``[C]`` of a text; where it names no degree, that little is read of it is the tower's doubt, and all is meant. The tower knows
    weak degrees of some wishes only: of others no more is meant either."""
    second, most = amounts.abs().topk(2).values.flip(0).tolist()
    if most > WEAK and second < UNDERSTOOD and _WEAK.search(text):  # of two things one alone may be meant to be weak
        return amounts * (WEAKER / most)
    return amounts / most if DOUBTED[0] <= most < DOUBTED[1] and not _DEGREE.search(text) else amounts
