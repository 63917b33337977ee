"""Words and numbers that say how much of a wish is meant: "slightly", "50%", "20 years"."""

from __future__ import annotations

import re

from torch import Tensor

from .meaning import UNDERSTOOD

DOUBTED = (0.5, 0.85)  # amounts between these are read of wishes without a degree where the tower is in doubt
# what is asked for in a weak degree is at most the first; of what the tower reads beyond that the second is meant
WEAK, WEAKER = 0.6, 0.5
STRONG, STRONGER = 1.3, 1.5  # likewise of a strong degree, which is at least the first

DEGREE = re.compile(
    r"\b(?:slight\w*|bit|little|tad|touch|hint|trace|ghost|faint\w*|subtl\w*|half\w*|almost|nearly|barely|hardly|mild\w*|moderate\w*|gentl\w*|soft\w*|(?:small|weak|thin|light) (?:smile|grin|laugh|smirk|frown|pout|kiss)"
    r"|somewhat|kind of|kinda|sort of|sorta|partly|vaguely|lightly|just|only|some|fraction|smidge|suggestion|suppress\w*|stifl\w*|hold\w*|bit\w* back|trying|about to"
    r"|verge|start\w*|beginning|less|not)\b|[稍略轻淡浅丝些忍]|微(?!笑)|一点|有点|快要|差点|几乎"
)
_PLAIN_LITTLE = r"(?! (?:nose|mouth|chin|face|forehead|lips|jaw|ears|eyes|brows|eyebrows|boy|girl|child|kid)\b)"
_LITTLE = "(?:mere(?:st)? |faint |tiny |small |slight )?(?:hint|trace|suggestion|whisper|flicker|glimmer|glint|ghost|shadow|suspicion|dash|pinch|drop|spark|speck|sprinkle|twitch|whiff|fraction|third|fifth|tenth)"
_WEAK = re.compile(
    r"\b(?:(?:ever so |only |just )?slight(?:ly)?|(?:just )?(?:a|one) (?:(?:tiny|wee|little|small) bit|bit|tad|touch|notch|smidge|smidgen|trifle|fraction)(?: of(?: an?)?)?"
    rf"|(?:an?|one|the) (?:{_LITTLE}) of(?: an?| the)?|a quarter(?: of an?)?(?= smile| grin)|hardly(?! any)|an? (?:few|couple of) years(?= (?:older|younger))|the (?:tiniest|faintest|slightest)(?: bit)?(?: of)?"
    r"|(?:a )?(?:small|tiny|little) amounts? of|(?:light|minor|small)(?= (?:smile|grin|laugh|smirk|frown|pout|blush|squint|scowl|grimace|wince)\b)|minor(?!ity)|(?<!eyes )(?<!lids )(?<!lid )half(?=[ -]open(?! (?:eye|lid)))|(?<=\w)-ish|lite$"
    r"|just a crack|quiet(?:ly)?(?= \w)|faint(?:ly)?|subt(?:le|ly)|mild(?:ly)?|somewhat|barely|minimally|marginally|(?:almost |nearly |barely )?imperceptibl[ey]|barely[- ](?:there|visible|perceptible|noticeable)|merest|microscopic|low[- ]?key|restrained|with restraint|(?:at )?(?:half|quarter|low)[- ](?:strength|intensity|power)|(?:intensity|strength|level)[ :=]+(?:low|weak|light|minimal|subtle)|kind of|sort of|kinda|sorta|lightly|fractionally"
    rf"|a little{_PLAIN_LITTLE})(?!\w)"
    r"|稍稍|稍微有?些?|稍(?!后|等)|略微|略显|略(?!略)|微微|有点儿?(?!子)|有一点儿?|有些(?!人)|些许|微(?=[张开睁闭眯翘皱抬抿红胖挑嘟上下])|一点点(?=.)|淡淡地?的?(?!定)|浅浅地?的?|轻轻地?(?=[^地的])|轻微地?的?|小幅度?地?的?|小小地?的(?!.*[眼睛鼻嘴唇脸眉耳额头发牙])|半(?=张[开着嘴])|(?<=[轻老大小])几岁|(?<=.)(?:一?点点|一点儿?|一些)$",
    re.IGNORECASE,
)
# of a part of the face they say how it looks: "a strong jaw", "intense blue eyes"
_PLAIN_STRONG = r"(?! (?:.*\b)?(?:nose|mouth|chin|face|foreheads?|lips?|jaw(?:line)?|ears?|eyes?|(?:eye)?brows?|cheeks?|cheekbones|features|teeth|hair|skin|man|woman|look|stare|gaze|expression|contrast|light\w*|lines?)\b)"
_STRONG = re.compile(
    r"\b(?:very,? very|very|extremely|incredibly|insanely|terribly,? terribly|terribly|awfully|dreadfully|absolutely|utterly|totally|completely|super(?: duper)?"
    r"|massively|hugely|enormously|tremendously|intensely|deeply|profoundly|exceedingly|immensely|wildly|ridiculously|violently|uncontrollably|hysterically|high[- ]?key|(?:at )?(?:full|maximum|max|high) (?:strength|intensity|power|blast)|(?:intensity|strength|level)[ :=]+(?:high|strong|max(?:imum)?|full|extreme)|off[- ]the[- ]charts|hella|mega|ultra|overwhelmingly"
    r"|exceptionally|unbelievably|remarkably|really really|really|so(?= \w+(?: |$))|(?:much|way|far|a lot|considerably|significantly) (?=\w+er\b|more )"
    r"|(?:tons|loads|heaps|lots|a lot|a double dose|plenty) of|maximum|max"
    rf"|(?:massive|intense|strong|extreme|exaggerated|huge|big[- ]time|over[- ]the[- ]top){_PLAIN_STRONG})\b"
    r"|,? (?:big[- ]time|overload|turned (?:all the way )?up(?: to (?:eleven|11))?|on steroids|\+{2,}|as hell|as fuck|af|(?:a lot|lots|much|way) more|beyond (?:words|belief|measure)|to the (?:core|bone)|through the roof|off the charts|with every fib(?:re|er)(?: of (?:his|her|their) being)?|like never before|a lot|to the max|to the extreme|out of (?:his|her|their|my|your) (?:mind|wits)|to death|as much as (?:possible|you can|\w+ can)|as (?:high|wide|far|low|much|big|hard) as \w+ (?:go|goes|can|will go)"
    r"|(?:dial|turn|crank)(?:ed)? (?:it )?up(?: to (?:eleven|11|the max))?|(?:cranked |turned )?to (?:eleven|11)|like crazy|very much)$"
    r"|特别|非常|超级|超{2,}|极其|极度|极为|十分|相当|格外|异常|无比|万分|超(?!人|模|市|好看)|巨(?![大人乳型额匠头])|贼(?![眉头鼠笑人亮溜])|强烈地?的?|夸张地?的|大大地?的(?!.*[眼睛鼻嘴唇脸眉耳额头发牙])|极(?=[^了端])|(?<=.)(?:极了|死了|坏了|得多|得要命|得要死|得不行|得很|得不得了|透了|到爆炸?|到飞起|到极点|很多|多了|至极|到极致)$",
    re.IGNORECASE,
)
# wishes that are a degree alone, which then is one of what stands before
_HOW = r"(?:but |though |just |only |and |very |ever so |really |make it |keep it |maybe )*"
_ALONE = (
    (
        rf"{_HOW}(?:an? (?:tiny |wee |little )?(?:bit|little|tad|touch|smidge|hint)|slight(?:ly)?|subt(?:le|ly)|faint(?:ly)?|mild(?:ly)?|gent(?:le|ly)|soft(?:ly)?|weak(?:ly)?|somewhat|barely"
        r"|not (?:too|so|that|very) (?:much|strong(?:ly)?|hard|wide|big|intense|obvious|extreme)|not much|nothing (?:too )?(?:extreme|crazy|over the top|dramatic|big|wild)|not overdone|low intensity|(?:(?:is |are )?(?:trying|tries|try|attempting|struggling) (?:hard )?)?(?:to )?(?:hid(?:e|es|ing)|conceal(?:ing)?|mask(?:ing)?) it|(?:trying |tries )?not (?:to )?show(?:ing)? it|keep(?:s|ing)? it in(?:side)?|hold(?:s|ing)? it (?:in|back)|bottled up|(?:do not|don'?t|without) (?:overdo(?:ing)?(?: it)?|go(?:ing)? overboard|exaggerat\w+(?: it)?)|keep it (?:natural|subtle|real|light|small|low-?key))"
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
_SCALE = r"(?:(?:at|to|by|of|is|with|strength|intensity|level|weight|value|amount|scale)\b[ :=]*)*"
_NOT_AFTER = r"(?<![a-zA-Z\d.])"
NUMBERS = re.compile(
    rf"(?:\b(?:at|by|to|about|around|only|just|with) )*{_NOT_AFTER}(?P<percent>\d+(?:\.\d+)?) ?(?:%|percent\b|per cent\b)(?: of (?:an? |the )?)?(?: (?:strength|intensity))?的?"
    rf"|{_NOT_AFTER}(?P<times>\d+(?:\.\d+)?) ?(?:x|times)(?!\w)(?: as much(?: of)?(?: an?)?)?|(?<!\w)x ?(?P<by>\d+(?:\.\d+)?)(?!\w)|\b(?P<twice>twice|double|triple)(?: as much)? (?=the |an? |his |her |\w+er\b|more )"
    # as of sliders: "smile 0.7", "smile = 1", "0.3 smile", "smile level 7/10"
    rf"|^(?P<share>[01]?\.\d+)(?= [a-z]|[\u4e00-\u9fff])|[\s=@:]*{_SCALE}(?<![\d.])(?P<ending_share>[0-3]?\.\d+)$|\s*=\s*(?P<equal_share>[0-3](?:\.\d+)?)$"
    rf"|\s*{_SCALE}(?<![\d.])(?P<part>\d+(?:\.\d+)?) ?(?:/|out of) ?(?P<whole>100?|5)(?![\w.])"
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
NEGATED = re.compile(r"\b(?:not|no|never|without|less)\b|n't\b|不要|没有|(?<!特)别", re.IGNORECASE)


def numbered(text: str, bare: str) -> float:
    """What a number in a text makes of what stands beside it, ``bare``: "50% smile", "twice the smile", "20 years younger"; -1 where there shall be none
    of it ("smile = 0"), 0 where there is no number, or something else beside it. Of what is compared a number does not say how much there shall be, so it
    is a degree as words are, unless it is that of a slider."""
    match = NUMBERS.search(text)
    if not match or " ".join(NUMBERS.sub(" ", text).split()) != bare:
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
    share = _count(value) / (100 if "percent" in kind else float(said.get("whole", 1)))
    if _MORE.search(bare) and "share" not in kind:
        share = WEAKER if share <= 0.35 else STRONGER if share >= 0.8 else 1.0
    return max(FAINTEST, min(STRONGER, share)) if share else -1.0


def _count(text: str) -> float:
    """A number in digits, or in Chinese up to some hundreds."""
    if text[0] in ".0123456789":
        return float(text)
    total, last = 0.0, 0.0
    for sign in text:
        value = _COUNTS[sign]
        if value < 10:
            last = value
        else:
            total, last = total + (last or 1) * value, 0.0
    return total + last


def lone_degree(text: str) -> float:
    """What a text that is a degree alone ("only a little", "50%") makes of what stands before it; 0 of others."""
    return next((much for pattern, much in _ALONE if pattern.fullmatch(text)), 0.0) or numbered(text, "")


def without_degree(text: str) -> tuple[str, float]:
    """A wish without the words that say how much, and what these are worth; an empty text where there are none, or contrary ones."""
    found = [(m, much) for pattern, much in ((_WEAK, WEAKER), (_STRONG, STRONGER)) for m in pattern.finditer(text)]
    if not 1 <= len(found) <= 2 or len({much for _, much in found}) > 1 or NEGATED.search(text):
        return "", 1.0
    bare = text
    for match, _ in sorted(found, key=lambda f: -f[0].start()):
        bare = bare[: match.start()] + " " * text.isascii() + bare[match.end() :]
    return " ".join(bare.split()).strip(" ,，"), found[0][1]


def by_degree(row: Tensor, bare: Tensor, text: str, much: float, sure: bool) -> Tensor:
    """Amounts ``[C]`` of a text that names a degree, read with it as ``row`` and without it as ``bare``, of which one may be ``sure``."""
    most, k = bare.abs().max(dim=0)
    named, as_well = row.abs().max() >= UNDERSTOOD, row.abs().argmax() == k and row[k] * bare[k] > 0
    if most < DOUBTED[0] or (named and not as_well and not sure):  # the degree is a part of what is meant
        return certain(row, text)
    if much > 1:
        return row if as_well and row[k].abs() >= STRONG else bare * (max(STRONGER, float(most)) / most)
    if as_well and UNDERSTOOD <= row[k].abs() <= WEAK:
        return row
    two = bare.abs().topk(2).values[1] >= UNDERSTOOD and not sure  # of which one alone may be meant to be weak
    return certain(row, text) if two else bare * (WEAKER / most)


def certain(amounts: Tensor, text: str) -> Tensor:
    """Amounts ``[C]`` of a text; where it names no degree, that little is read of it is the tower's doubt, and all is meant. The tower knows
    weak degrees of some wishes only: of others no more is meant either."""
    second, most = amounts.abs().topk(2).values.flip(0).tolist()
    if most > WEAK and second < UNDERSTOOD and _WEAK.search(text):  # of two things one alone may be meant to be weak
        return amounts * (WEAKER / most)
    return amounts / most if DOUBTED[0] <= most < DOUBTED[1] and not DEGREE.search(text) else amounts
