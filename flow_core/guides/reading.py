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
_ENDINGS = (
    ("iest", "y"),
    ("est", ""),
    ("est", "e"),
)  # others are mended into what the tower knows: "angrier" into "angry"
_NO_FORMS = frozenset(("earnest", "forest", "harvest", "honest", "interest", "modest", "priest", "request"))


def mended(text: str, vocabulary: frozenset[str], others: frozenset[str] = frozenset()) -> str:
    """``text`` with each misspelt word replaced by the word of ``vocabulary`` that was probably meant, if one is near.

    A word is left alone that the vocabulary, CLIP's, or ``others`` has.
    """
    return re.sub(
        r"[a-zA-Z]+", lambda m: m[0] if m[0].lower() in others else meant(m[0].lower(), vocabulary) or m[0], text
    )


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
                before[j - 1] + (a != b) * (1.0 if a in _VOWELS and b in _VOWELS else 1.2),
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
        "smiling": ":) :-) =) ^^ 🙂 😊 😀 😃 😄 😁 ☺ ☺️ 😇 🥰 😍 🤗",
        "laughing": ":D :-D =D xD XD 😆 😂 🤣 😹",
        "sad": ":( :-( =( :'( :,( T_T TT_TT ;_; 😢 😭 ☹ ☹️ 🙁 😞 😔 😿 🥺",
        "angry": ">:( >:-( D:< 😠 😡 🤬 😤 💢 👿",
        "surprised": ":o :O :-o :-O =O o_o O_O o_O O_o 😮 😯 😲 🤯 😳",
        "frightened": "😨 😱 🙀",
        "worried": "😰 😟 😥 😓",
        "disgusted": "🤢 🤮",
        "neutral": ":| :-| -_- 😐 😑 😶",
        "smirking": ":-> >:) 😏 😼 😈",
        "a wink": ";) ;-) 😉",
        "a kiss": ":* :-* 😘 😗 😙 😚 💋",
        "tongue out": ":p :P :-p :-P =P xP 😛 😝",
        "a wink, tongue out": ";p ;P 😜 🤪",
        "sleepy": "😴 😪 🥱",
        "eyes closed": "😌",
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

# An edit starts from the face that is there, so what is to be "happier than before" is to be happier.
_BEYOND = r"(?: than| then(?= (?:before|now|usual|ever)\b))"
_NOT_TO = r"\b(?:trying|tries|struggling|fighting) (?:hard |so hard |desperately )?not to"
_COMPARED = [
    (re.compile(pattern, re.IGNORECASE), said)
    for pattern, said in (
        (
            r"\b(?:fake|forced|false|insincere|phony|artificial|strained) (smile|grin|laugh)\b",
            r"\1, less squinting, less raised cheeks",
        ),
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
    )
]


def compared(text: str) -> str:
    """``text`` without what it compares the face with: "happier than before" is "happier", "twice as sad" is "very sad"; smileys in words."""
    text = _SIGN.sub(lambda m: f" {_SIGNS[m[0]]} ", text)
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
NEARLY = 0.2  # what the tower reads within this of what is known by heart stays as it is
LONGEST = 3  # joints that a phrase which is known has at most
NOT, LESS = -1.0, -0.5  # what a wish is worth that is turned down, or of which there shall be less

_ZH_PARTS = "眼|鼻|嘴|唇|眉|脸|下巴|额|头发|皮肤"
_JOINTS = re.compile(
    r"\s*(?:[,;.!+&/、，；。！]|并且|而且|同时|还有|加上|但是|但|一边|一面|既|又|也(?=[不没别无]))\s*(?:(?:and|but|with|plus|also|then|和|又|也)\b\s*)?"
    r"|\s+(?:and also|and then|as well as|in addition to|rather than|instead of|even though|although|(?<!\bas )though|and|(?<!anything\s)(?<!nothing\s)but|(?<!enough\s)with|plus|while|yet|then|&)\s+"
    r"|\s+(?=(?:without|but not) )"
    rf"|(?<=[睛子巴唇毛额发肤])(?=[大小高低厚薄红粉尖圆方长短宽窄蓝绿黑金白细粗翘挺](?:{_ZH_PARTS}))",
    re.IGNORECASE,
)
_BELONGS = re.compile(r"\s+(?:with|without|while)\b", re.IGNORECASE)
_NEXT = re.compile(r"\s*[,;.!，。；！、]")
_TURNED = re.compile(r"\s+(?:instead of|rather than)\s+", re.IGNORECASE)
_HE = r"(?:he|she|it|they|you|we|i|(?:the|this|a) (?:man|woman|person|face|girl|boy|guy|subject|model))"
_FORMS = r"(?:look(?! (?:left|right|up|down|away|aside|to|at|into)\b)|looking(?! (?:left|right|up|down|away|aside|to|at|into)\b)|be|being|feel|feeling|seem|appear|show|showing|have|having|get|make (?:him|her|it|them|me)(?: look)?|let (?:him|her|it|them))"
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
    (r"(?P<a>.+?) (?:that (?:is|are) |is |are |should be |must be )?(?:not|isn'?t|aren'?t)(?: be)? (?P<b>.+)", NOT),
    (rf"(?:{_HE} has |have |with )?(?:without|no|no more|neither|w/o)(?: any| the| an?)? (?:{_FORMS} )?(?P<a>.+)", NOT),
    (r"(?:wipe|take|get) (?:the |that |this |his |her )?(?P<a>.+?) (?:off|away)(?: (?:his|her|the|your) face)?", NOT),
)
_CHINESE_SURE: tuple[tuple[str, float], ...] = (
    (
        r"(?P<a>[^，。]*(?:[眼睛鼻嘴唇脸眉额颊腮牙肤]|下巴|头发|皱纹).{0,2}?)(?:有点|有些|实在|未免)?(?<![不别要没])(?:太|过于)(?P<b>.+?)(?:了|啦)?",
        LESS,
    ),
)
_CHINESE: tuple[tuple[str, float], ...] = (
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
    r"\b(?:(?:ever so |only |just )?slight(?:ly)?|(?:just )?(?:a|one) (?:(?:tiny|wee|little) bit|bit|tad|touch|notch|smidge|smidgen|trifle|fraction)(?: of(?: an?)?)?"
    r"|an? (?:hint|trace|suggestion) of(?: an?)?|an? (?:few|couple of) years(?= (?:older|younger))|the (?:tiniest|faintest|slightest)(?: bit)?(?: of)?"
    r"|just a crack|faint(?:ly)?|subt(?:le|ly)|mild(?:ly)?|somewhat|barely|minimally|marginally|kind of|sort of|kinda|sorta|lightly|fractionally"
    rf"|a little{_PLAIN_LITTLE})(?!\w)"
    r"|稍稍|稍微有?些?|稍(?!后|等)|略微|略显|略(?!略)|微微|有点儿?(?!子)|有一点儿?|有些(?!人)|些许|一点点(?=.)|(?<=[轻老大小])几岁|(?<=.)(?:一?点点|一点儿?|一些)$",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"\b(?:very,? very|very|extremely|incredibly|insanely|terribly,? terribly|terribly|awfully|dreadfully|absolutely|utterly|totally|completely|super(?: duper)?"
    r"|massively|hugely|enormously|tremendously|intensely|deeply|profoundly|exceedingly|immensely|wildly|ridiculously|hella|mega|ultra|overwhelmingly"
    r"|exceptionally|unbelievably|remarkably|really really|really|so(?= \w+(?: |$))|(?:much|way|far|a lot|considerably|significantly) (?=\w+er\b|more )"
    r"|(?:tons|loads|heaps|lots|a lot|a double dose|plenty) of|maximum|max)\b"
    r"|,? (?:as hell|as fuck|af|beyond (?:words|belief)|a lot|to the max|to the extreme|as much as (?:possible|you can|\w+ can)|as (?:high|wide|far|low|much|big|hard) as \w+ (?:go|goes|can|will go)"
    r"|(?:dial|turn|crank) it up(?: to eleven)?|like crazy|very much)$"
    r"|特别|非常|超级|极其|极度|极为|十分|相当|格外|异常|无比|万分|超(?!人|模|市|好看)|极(?=[^了端])|(?<=.)(?:极了|死了|坏了|得要命|得要死|得不行|得很|得不得了|透了|到爆|到极点|很多|多了|至极)$",
    re.IGNORECASE,
)
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
    joints = [*_JOINTS.finditer(text)]
    ends = [*(joint.start() for joint in joints), len(text)]
    n = 0
    while n < len(ends):
        n = next((m for m in range(min(n + LONGEST, len(joints)), n, -1) if known(text[at : ends[m]].strip())), n)
        joint = joints[n] if n < len(joints) else None
        piece = text[at : ends[n]].strip()
        if piece:
            belongs = joint is not None and _BELONGS.match(joint[0])
            other = other or bool(not known(piece) and subject(f"{piece} with" if belongs else piece, things))
            found.append(Clause(piece, 0.0 if other else NOT) if other or turned else _clause(piece))
        if joint:
            at, turned = joint.end(), bool(_TURNED.fullmatch(joint[0]))
            # what began with it goes on about it until a new sentence or the next tag
            goes_on = _BELONGS.match(joint[0]) or not any(w.worth for w in found)
            other = other and bool(goes_on) and not _NEXT.match(joint[0])
        n += 1
    return found


def _clause(text: str) -> Clause:
    for pattern, worth, sure in _PATTERNS:
        match = pattern.fullmatch(text)
        if match:
            said = (" " if text.isascii() else "").join(part for part in match.groups() if part)
            said = " ".join(_FILL.sub("", said).split())
            if said:
                return Clause(said, worth, sure)
    return Clause(text, 1.0)


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
        or any(w.sure or w.worth == LESS for w in wishes)
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
    sure = meanings.known(text)
    if sure is not None:
        bare, much = without_degree(text)
        plain = meanings.known(bare) if bare else None
        meant = sure if plain is None else _graded(sure, plain, text, much, True)
        [alone], _ = meanings.read(whole[None])
        read = _certain(alone, text)
        meant = read if (read - meant).abs().max() <= NEARLY else meant
        return whole if torch.equal(meant, alone) else meanings.point(meant)
    felt = _SO_THAT.fullmatch(text)
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
    for n, (wish, row, (bare, much)) in enumerate(zip(wishes, rows, bares, strict=True), 1):
        sure = meanings.known(wish.text) is not None
        known_bare = bool(bare) and meanings.known(bare) is not None
        plain = next(without) if bare else row
        row = row if sure else _likely(row, wish.text, meanings, sentences)
        meant = row if sure else _graded(row, plain, wish.text, much, known_bare) if bare else _certain(row, wish.text)
        if meant.abs().max() < UNDERSTOOD:
            continue
        fits.append(fit[n])
        most = row.abs().argmax()
        opposed = wish.worth < 0 and float(alone[most] * row[most].sign()) >= UNDERSTOOD
        contrary, wrong = contrary or opposed, wrong or (opposed and wish.sure)
        meant = _turned(meant, wish.worth, meanings.names)
        amounts = torch.where(meant.abs() > amounts.abs(), meant, amounts)
    clearer = sum(fits) / len(fits) - fit[0] if fits else 0.0
    # how much of each is meant the clauses tell better, where they leave out nothing of what the whole names
    graded = any(b for b, _ in bares) and not ((alone.abs() >= UNDERSTOOD) & (amounts.abs() < UNDERSTOOD)).any()
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
