"""What a prompt says, put plainly: sides as the person has them, and nothing that it only compares a face with."""

from __future__ import annotations

import re

from .ages import in_words
from .around import wishes_alone
from .clauses import PARTS

_QUOTES = {0x2018: "'", 0x2019: "'"}  # as phones type them

# An edit starts from the face that is there, so what is to be "happier than before" is to be happier.
_BEYOND = r"(?: than| then(?= (?:before|now|usual|ever)\b))"
_NOT_TO = r"\b(?:trying|tries|struggling|fighting) (?:hard |so hard |desperately )?not to"
_RELATIVE = r"(?:(?:my|our|the|his|her|this|that) )?(?:old )?(?:grand(?:pa|ma|father|mother|dad|mom|son|daughter)|granny|nana|mom|mum|mommy|dad|daddy|mother|father|baby|toddler|kid|child|son|daughter|uncle|aunt)"
_ZH_RELATIVE = r"(?:爷爷|奶奶|外公|外婆|姥姥|姥爷|老人家?|老奶奶|老爷爷|妈妈?|爸爸?|宝宝|婴儿|孩子|小孩|儿子|女儿)"
_WHOM_SHORT = r"(?:him|her|them|me|it|this (?:man|woman|person|face|guy|girl))"
_MANY = r"(?:\d+|an?|a few|a couple of|several|two|three|four|five|six|seven|eight|nine|ten|fifteen|twenty|thirty|forty|fifty)"
_PIECE = r"(?:(?:the|his|her|their|my|its|both) )?(?:(?:eye)?brows?|eyes|(?:eye)?lids|nose|bridge|nostrils|cheeks|cheekbones|mouth|lips|chin|jaw(?:line)?|forehead|hair|skin)"
_OTHER_SIDE = {"left": "right", "right": "left", "左": "右", "右": "左"}
_SEEN = r"viewer'?s|camera(?:'s)?|picture(?:'s)?|image(?:'s)?|photo(?:'s)?|screen|frame"
# sides as one who looks at the picture has them; all others are those of the person
_VIEWED = re.compile(
    rf"\b(?:the )?(?:{_SEEN})[ -](?P<a>left|right)\b|\b(?P<b>left|right)(?:[ -](?:hand[ -])?(?:side|half))? of the (?:picture|image|photo|screen|frame)\b"
    r"|(?:画面|图片|图像|图|照片|镜头|屏幕|观众|观看者)(?:的|中的?|里的?|上的?)?(?P<c>[左右])",
    re.IGNORECASE,
)
_DOING = r"(?:smil|laugh|grin|cry|pout|sulk|giggl|frown|sob|yawn|scream|beam|sleep|weep|chuckl|glar|stare|star)\w*"

_SMILE = r"(?:(?:an?|the|his|her|their) )?(?:\w+ )?(?:smil\w+|grin\w*)\b[^,.;]{0,20}?"
_IN_EYES = (
    r"\b(?:crinkl|reach|touch|fill|warm|wrinkl|narrow|extend|spread|go|get|come|make it|makes it|travel|light)(?:e|s|es|ed|ing)?(?: up)?(?: (?:all the way|right|in|to|into|up to|around|at))*"
    r" (?:(?:the )?corners of )?(?:(?:his|her|their|the|my|both|its) )?(?:very )?eyes\b"
)
_HIS_FACE = r"(?:his|her|their|the|my|your)(?: \w+)? (?:face|features|lips|mouth|eyes|expression|brow)(?=$|[,;.!])"
_SEEN_ON = (
    r"(?<=\w)(?: that| which| is| was| are)* (?:cross(?:es|ed|ing)|(?:pass|spread|flash|flicker|flit|play|wash|creep|dawn|sweep|break|written|etch|paint|plaster|carv|burn|glow|gleam|shin|glitter|blaz|show|visible|tug"
    r"|hover|linger|settl|bloom|appear)(?:e|s|es|ed|ing|ged|ging)?(?: (?:all|clearly|slowly|suddenly|plainly|right))* (?:on|over|across|about|around|upon|up on|out on|into|in|through|at|behind)(?: the corners of)?)"
    rf" {_HIS_FACE}"
)

_ANY_LOOK = r"(?:(?:facial|current|existing) )?(?:expressions?|emotions?|moods?|looks?|face|it|this|that)"


def _corner(match: re.Match[str]) -> str:
    upward = "up" if match[3].lower() in ("upper", "top") else "down"
    return f"looking {upward}, looking {match[4]}"


def _of_both(match: re.Match[str]) -> str:
    says, then = match["says"], match["then"]
    return f"{says}{match['a']}{then}, {says}{match['b']}{then}" if (says + then).strip() else match[0]


_COMPARED = [
    (re.compile(pattern, re.IGNORECASE), said)
    for pattern, said in (
        (r"\b(much|way|far|so|very|really|super|too|a lot|more)(?:,? \1)+\b", r"\1"),
        (
            r"\b(look\w*|glar\w+|star(?:e|es|ing)|gaz\w+|glanc\w+|peer\w*|squint\w*) (\w+ly) ((?:off )?(?:to the |to |over )?(?:left|right|up|down|upwards?|downwards?|sideways|away))\b",
            r"looking \3, \1 \2",
        ),
        (
            r"\b(?:look\w*|gaz\w+|glanc\w+|peer\w*) ((?:off )?(?:to the |to |over )?(?:left|right|up|down|upwards?|downwards?|sideways|away)) (?!slightly|mildly|faintly|subtly|barely|only)(\w+ly)\b",
            r"looking \1, looking \2",
        ),
        (
            r"\b(?:fake|forced|false|insincere|phony|artificial|strained) (smile|grin|laugh)\b",
            r"\1, less squinting, less raised cheeks",
        ),
        (
            r"\b(?:(?:closed|shut)[- ](?:mouth|lip|lips)|(?:close|closed|tight)[- ](?:mouthed|lipped)) (smil\w+|grin\w*|laugh\w*)\b",
            r"\1 with closed lips",
        ),
        # a smile that is in the eyes as well: "a warm smile that crinkles her eyes"
        (
            rf"\b{_SMILE}(?:\bnot|n't|\bnever|\bhardly|\bbarely|\bfail\w*|\bwithout)\b[^,.;]{{0,9}}?{_IN_EYES}",
            "smile, less squinting, less raised cheeks",
        ),
        (r"笑[^，。]{0,3}[不没未][能有]?[^，。]{0,2}[到达进入染][^，。]{0,2}眼[睛底角里]?", "假笑"),
        (rf"\b{_SMILE}{_IN_EYES}", "a genuine smile"),
        (r"^(?!.*[不没未无]).*笑[^，。]{0,6}(?:到|进|达|漫|染)[^，。]{0,3}眼[睛底角里]?[^，。]{0,2}$", "真诚的笑"),
        (
            r"^(?=.*笑)(?!.*[不没未别])[^，。]*眼睛?[^，。]{0,3}(?:弯成|笑成|眯成|弯弯|弯起|眯起)[^，。]{0,4}$",
            "真诚的笑",
        ),
        (r"真诚的?笑容?[，,]?眼角(?:有|带着?|现出)?(?:笑纹|细纹|鱼尾纹|皱纹)", "真诚的笑"),
        # where a feeling is seen: "a flicker of doubt crosses her face", "rage burning in his eyes"
        (_SEEN_ON, ""),
        (
            r"\b(?:(?:his|her|their|the|a) )?(?:(?:lower|bottom) )?(?:lips?|chin|mouth) (?:is |are |starts to |begins to )?(?:trembl|quiver|wobbl)\w*",
            "about to cry",
        ),
        # who looks bad, and what shall be done about it
        (
            r"^(?:he|she|they|it|i)(?:'s|'re|'m| is| are| am| looks?| seems?) (?:a bit |a little |too |so |very |really |kinda )*(?P<fault>(?:tired|exhausted|sleepy|old|sick|ill|sad|angry|grumpy|mad|tense|stressed|worried|drunk|unhappy|annoyed|scared)(?: here| in this(?: \w+)?)?)[,;.] (?:so |please |can you |could you |just )*(?=(?:get rid of|remove|erase|reduce|lose|take away|hide|fade|conceal|soften)\b)",
            r"no longer \g<fault>, ",
        ),
        (
            r"\b(smile|grin|laugh) (?:looks?|seems?|is|feels?) (?:a bit |so |too |very |kinda |really )*(?:forced|fake|stiff|unnatural|insincere)\b",
            r"genuine \1",
        ),
        # who is shown is no wish where something is asked of him
        (
            rf"\b(make|let|have|get|help) {_RELATIVE}(?= (?:to |look|seem|appear|feel|smile|laugh|less |more |a bit |\w+er\b))",
            r"\1 them",
        ),
        (rf"^{_RELATIVE}(?= (?:should|must|needs? to|has to|ought to)\b)", "they"),
        (
            rf"\b({_DOING}(?: \w+ly)?) like an? (?:little |old |happy |small )?{_RELATIVE}\b(?! (?:who|that|with|in|on)\b)",
            r"\1",
        ),
        (
            r"\b(man|woman|guy|girl|boy|person|lady|face|dude|kid|one) (?:on|to) (?:the |my |your )?(?:far )?(?:left|right)\b",
            r"\1",
        ),
        (r"[左右][边侧面](?:的|那个)(?=[男女]?[人孩生士])", ""),
        (rf"像(?:一个|个|一位)?(?:{_ZH_RELATIVE}|老太太|老头|老人|小孩子)(?:一样|似的|那样|般)地?(?=.{{2}})", ""),
        (
            rf"({_DOING}|look(?:s|ing)?|eyes|gaze|gazing|glanc\w+)((?: \w+){{0,3}}?) (upper|top|lower|bottom)[ -](left|right)(?: corner)?\b",
            _corner,
        ),
        (
            r"\b(?:make|turn) (her|him|them|me|it) (?:look )?(?:about |around )?([1-9]\d)\b(?! ?(?:%|percent|x\b|times|years?|lbs?|kg|pounds))",
            r"make \1 \2 years old",
        ),
        (r"\blike (?:he|she|they|it)(?:'s|'re| is| was| are| were) ([1-9]\d)\b(?! ?(?:%|years?))", r"\1 years old"),
        (r"((?:左|右)眼(?:闭|眨)[上着]?)[，,]?(?:左|右|另一只|另外一只)眼(?:保持)?睁(?:开|着)", r"\1"),
        # "replace the frown with a smile", "change it to sad"
        (
            r"\b(?:replace|swap|exchange|trade) (?:(?:the|his|her|their|my|this|that|current|existing|facial|old) )*(?!faces?\b)(?P<was>[^,;.]{2,30}?) (?:with|for|by) (?=\w)",
            lambda m: "" if re.fullmatch(rf"(?:{_ANY_LOOK})", m["was"]) else f"no {m['was']}, ",
        ),
        (
            rf"^(?:and |then )?(?:change|convert|switch|set|alter)(?: (?:it|this|that|them|him|her|me|(?:(?:the|his|her|their|my|this) )?(?:{_ANY_LOOK})))? (?:in)?to(?: be| look| have)?(?! (?:left|right|the (?:left|right|side))\b) (?=\w)",
            "",
        ),
        (
            rf"\b(?:turn|change|transform|convert) (?:the|his|her|their|my|this|that) (?!face\b|head\b|eyes\b|gaze\b)(?P<was>(?!{_ANY_LOOK}\b)[^,;.]{{2,30}}?) into (?=\w)",
            r"no \g<was>, ",
        ),
        # what is said of two parts: "narrow the bridge and the nose", "eyes and mouth wide open"
        (
            rf"(?:^|(?<=[,;.] ))(?P<says>(?:(?!(?:and|with|no|not|without)\b)[\w'-]+ ){{0,4}}?)(?P<a>{_PIECE}) and (?P<b>{_PIECE})(?P<then>(?: (?!(?:and|with|but|no|not|without)\b)[\w'-]+){{0,3}})(?=$|[,;.])",
            _of_both,
        ),
        # of a change what comes last is asked for; "from ear to ear" and "from left to right" are none
        (
            r"^(?:(?:change|go|turn|switch|move|transition|shift)(?:s|es|ing)? )?from (?!(?:ear|head|side|left|right|top|face) )(?!.*\bfrom\b)([^,;.]{2,30}?) (?:in)?to (?=\w)",
            "",
        ),
        (r"[从由]([^，,。]{1,6}?)(?:变成|变为|转为|转成|改成|切换到|变|转)(?=[^，,。]{1,8}$)", ""),
        (
            rf"\b({PARTS}) (?:(?:must|should|shall|ought to|ha(?:s|ve) to|needs? to) (?:be|look|stay|get)|needs? (?:be|look)) ",
            r"\1 ",
        ),
        (r"\b(expression|emotion|mood|face|look) ?= ?", r"\1: "),
        (rf"([让把给叫])(?:我|我的|这个?|那个?)?{_ZH_RELATIVE}(?=.{{2}})", r"\1他"),
        (r"\b(\d+) ?(?:y\.?o\b\.?|yrs? old\b)", r"\1 year old"),
        (r"\b(an?|the|with|his|her) (\w+), (?=(?:\w+ )?(?:smile|grin|laugh|frown|look|expression)\b)", r"\1 \2 "),
        (r"\bnot (?:at all |really |too |very )?(impressed|amused|moved|bothered|concerned|fazed)\b", r"un\1"),
        (r"\bnot so much (\w+) as (\w+)", r"\2, not \1"),
        (
            r"\b(?:crank|turn|dial|ramp|push|bring)(?:s|ed|ing)? (?:up )?(?:the |his |her |their |that )?(\w+)(?: up)?(?: all the way)? to (?:eleven|11|the max|maximum)\b",
            r"extremely \1",
        ),
        (
            r"\b(?:beside (?:him|her|my|your|it)self|beside themselves|consumed|overwhelmed|bursting|racked|wracked|out of (?:his|her|their) mind) (?:with|by) (?=\w)",
            "extremely ",
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
        (
            r"\b(?:(?P<lose>lose|drop|shed|take off)|gain|put on|add) (?:about |around |some |a few |a couple of |at least )*(?:\d+|ten|twenty|thirty|some|few)? ?(?:pounds?|lbs?|kilos?|kgs?|stones?|weight)\b"
            r"(?: (?:of|off|in|from|on) (?:(?:the|his|her|my|their) )?(?:face|weight|cheeks))?",
            lambda m: "slimmer face" if m["lose"] else "fatter face",
        ),
        (r"^.*被[^，。]{0,4}(?:抓到|抓住|发现|逮到|逮住|抓包|撞见|识破|拆穿|当场抓获)了?$", "被抓到"),
        (r"\b(more|less) (?!or )([^,;.]+?) (?=(?:more|less) \w)", r"\1 \2, "),
        (
            rf"\b(?:add|put on|put|give|tack on|gain) (?:{_WHOM_SHORT} )?(?:on )?(?:about |around |another |some |at least )*({_MANY} (?:years|decades?))(?: (?:on)?to | on | in )?(?:{_WHOM_SHORT}|(?:the|his|her|their|my) (?:age|face))?(?=$|[,;.])",
            r"make them \1 older",
        ),
        (
            rf"\b(?:take|shave|knock|drop|subtract|lose|remove|shed|erase|wipe|cut) (?:about |around |some |at least )*({_MANY} (?:years|decades?))(?: (?:off|from|away)(?: of)?)?(?: (?:{_WHOM_SHORT}|(?:the|his|her|their|my) (?:age|face)))?(?=$|[,;.])",
            r"make them \1 younger",
        ),
        (
            r"\bage (him|her|them|me|it|this (?:man|woman|person|face)) (up |down )?(?:by )?(?:about )?((?:\d+|\w+) (?:years|decades))\b",
            lambda m: f"make {m[1]} {m[3]} {'younger' if m[2] == 'down ' else 'older'}",
        ),
        (r"\bage (him|her|them|me|it|this (?:man|woman|person|face)) (?:down|back|backwards)\b", r"make \1 younger"),
        # at what somebody was caught makes no difference, unless it is on the face
        (
            rf"\b(?:(?:gets?|got|getting|being|was|is|were|just) )+(?:caught|busted)(?: red[- ]handed| in the act)?(?: (?:while |for )?(?!{_DOING})\w+ing\b[^,;.]*)?(?=$|[,;.])",
            "caught in the act",
        ),
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
        (
            r"(?<!not )\bas (\w+) as (?:can be|(?:human(?:ly)? )?possible|ever|you can|it gets|hell|anything)\b",
            r"very \1",
        ),
        (
            r"比(?:现在|目前|之前|以前|原来|原先|原图|照片|图片|刚才|本来|平时)(?:里|中|上)?的?(?:更加|更|还要|还|再)?",
            "",
        ),
        (r"一点儿?(.{1,4}?)[都也]没有?$", r"没有\1"),
        (r"(?<![大缩变放])小(?=(?:了|个)?(?:\d+|[一两二三四五六七八九十几]+)岁)", "年轻"),
        (r"再(?=[^，,。]{1,3}(?:一点|一些|点|些))", ""),
        (r"微([张睁])(?!开)", r"稍微\1开"),
        (r"(?:就好|就行|即可|就可以)了?(?=$|[，,。])", ""),
    )
]


def compared(text: str) -> str:
    """``text`` without what it compares the face with: "happier than before" is "happier", "twice as sad" is "very sad"."""
    text = _VIEWED.sub(lambda m: _OTHER_SIDE[(m["a"] or m["b"] or m["c"]).lower()], text)
    text = wishes_alone(" ".join(text.translate(_QUOTES).split()))
    for pattern, said in _COMPARED:
        text = pattern.sub(said, text)
    text = in_words(text)
    return " ".join(text.split())
