"""What people ask of a face, or of its picture, that no edit can do, and what is told them instead of silence.

Some of it stands beside what can be done ("crying, with tears": the face is sad); the rest asks for nothing at all, and a wish that is about it
alone is worth nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cannot:
    """Something that cannot be done.

    Attributes:
        told: what to tell who asks for it.
        english: patterns of what it is called, in English, and
        chinese: in Chinese.
        beside: whether a wish that names it asks for something that can be done as well.
    """

    told: str
    english: tuple[str, ...]
    chinese: tuple[str, ...]
    beside: bool = False

    @functools.cached_property
    def called(self) -> re.Pattern[str]:
        """What it is called, in either language."""
        return re.compile(rf"\b(?:{'|'.join(self.english)})\b|{'|'.join(self.chinese)}", re.IGNORECASE)


_HIS = r"(?:(?:his|her|the|their|my|your|its) )?"
_AWAY = r"(?:to (?:the |his |her |one )?(?:left|right|side)|left|right|sideways|around|away|up|down|back|aside|forward|(?:in)?to (?:an? |the )?(?:profile|side|front|three-quarter)(?: view)?)"
ALL = (
    Cannot(
        "Beards cannot be grown or shaved.",
        (r"(?:full |long |short |thick )?beards?", r"bearded", r"mou?stach(?:e|es|ioed)", r"goatee", r"stubble", r"side-?burns", r"facial hair", r"clean[- ]shaven"),
        ("胡子", "胡须", "胡茬", "络腮", "山羊胡", "八字胡"),
    ),
    Cannot(
        "Glasses cannot be put on or taken off.",
        (r"(?:sun|eye)?glasses", r"spectacles", r"shades on", r"goggles", r"monocle"),
        ("眼镜", "墨镜", "太阳镜", "护目镜"),
    ),
    Cannot(
        "Clothes, hats, jewellery and what else is worn stay as they are.",
        (
            r"hats?", r"caps?", r"crowns?", r"tiaras?", r"helmets?", r"beanies?", r"headbands?", r"hoods?", r"(?:face |medical )?masks?", r"bandages?", r"ear ?rings?",
            r"necklaces?", r"piercings?", r"pierc(?:e|es|ed|ing) (?:(?:his|her|the|my|their) )?(?:\w+ )?\w+", r"jewell?e?ry", r"scar(?:f|ves)", r"neckties?", r"shirts?", r"dress(?:es)?", r"suits?", r"clothes", r"clothing", r"outfits?", r"hair ?clips?",
        ),
        ("帽子", "皇冠", "头盔", "耳环", "耳钉", "项链", "首饰", "口罩", "面具", "围巾", "衣服", "裙子", "衬衫", "西装", "领带", "发卡"),
    ),
    Cannot(
        "Hair keeps its cut and its length; its colour can be changed, as in 'blond hair'.",
        (
            r"(?:much )?(?:longer|shorter|long|short|curly|curlier|straight|wavy|thicker|thinner|messy|spiky|shaved) hair", r"hair (?:longer|shorter|curly|straight|wavy)",
            r"(?:braided|plaited|permed|layered|slicked[- ]back|tied[- ](?:up|back)|loose|flowing) hair", r"hair (?:up|down|tied(?: up| back)?|back|pinned up)", r"bald(?:ing|ness)?", r"bangs", r"pony ?tails?", r"pig ?tails?", r"braids?", r"dreadlocks", r"afro", r"mohawk", r"buzz ?cut", r"bob cut", r"hair ?cut", r"hair ?styles?", r"hair ?do",
        ),
        ("(?:长|短|卷|直|波浪)头?发", "头发[^，。]{0,2}(?:长|短|卷|直|多|少)", "刘海", "发型", "秃头", "光头", "秃顶", "马尾", "辫子", "双马尾", "剪头发?", "理发"),
    ),
    Cannot(
        "A head cannot be turned or tilted; the eyes can look elsewhere, as in 'looking left'.",
        (
            rf"(?:turn|tilt|rotat|nod|shak|mov|bow|lower|rais|lift|cock|lean|drop)(?:e|s|es|ed|ing|ting|ding)? {_HIS}head(?: (?:slightly |a bit |a little )?{_AWAY})?",
            rf"(?:turn|tilt|rotat|mov)(?:e|s|es|ed|ing)? {_HIS}face (?:slightly |a bit |a little )?{_AWAY}",
            rf"head (?:slightly |is |was )*(?:tilt(?:ed)?|turn(?:ed|ing)?|bowed|lowered|raised|nod(?:ding)?|shake|leaning)(?: {_AWAY})?",
            rf"face (?:slightly |is |was )*(?:tilted|turned|turning|facing) {_AWAY}",
            r"head (?:up|down|back|high|held high|thrown back)", r"(?:throw|thrown|throwing) (?:(?:his|her|the) )?head back", r"nodding", r"(?:over|across) (?:his|her|their|the|my|your) shoulder", r"looking back(?!wards?)", r"chin (?:up|down)",
            r"(?:raised|lifted) chin", r"(?:raise|lift) (?:his|her|the|their|my|your) chin", r"(?:in |side )profile(?: view)?", r"side view",
        ),
        ("(?:转|歪|低|抬|扭|点|摇|仰|侧|回|偏|垂)(?:着|过|下|起|一下)?头(?!丧气)", "头[^，。发]{0,2}(?:转|歪|低|抬|扭|偏|仰)(?:起来?|下去?|过来|过去)?(?:向|到|往|朝)?(?:[左右上下前后]|一)?(?:边|侧|面|方)?", "脸(?:转|扭|侧|偏)(?:过来|过去|向|到|往|朝)?(?:[左右上下]|一)?(?:边|侧|面|方)?", "侧脸", "(?:抬|仰)起?下巴", "正脸"),
    ),
    Cannot(
        "Eyes cannot be sent to the camera; to have them look straight ahead take away where they look now: 'looking left:-1 | looking right:-1 | looking up:-1 | "
        "looking down:-1'.",
        (
            r"(?:look|gaz|glanc|peer|star)(?:e|es|s|ing)?(?: (?:straight|directly|right|back))? (?:at|in|into|to|towards?) (?:the |my |your )?(?:camera|viewers?|lens|me|us|you|audience|photographer)",
            r"(?:look|gaz|star)(?:e|es|s|ing)?(?: (?:straight|directly|right))? (?:ahead|forwards?)", r"eye contact(?: with (?:me|us|the (?:camera|viewer)))?", r"eyes (?:on|at|to|towards?) (?:the )?(?:camera|viewer|lens|me)",
        ),
        ("(?:眼睛|目光|双眼)?(?:直视|直盯|注视|凝视|正视|看|望|盯|面)(?:着|向)?(?:镜头|我们?|观众|相机|前方|正前方)", "目视前方", "眼神(?:交流|接触)", "对视"),
    ),
    Cannot(
        "Beauty is no one look: ask for what makes it, as in 'bigger eyes', 'full lips' or 'a slim face'.",
        (r"(?:more |most |less |very |really |so |too )*(?:beautiful|pretty|prettier|gorgeous|handsome|handsomer|attractive|good[- ]looking|better[- ]looking|ugly|uglier|hideous|photogenic)(?: (?:face|woman|man|girl|boy|person|guy|lady))?",),
        ("(?:更|很|非常|再|变得?|越来越)*(?:漂亮|好看|美丽|帅气|英俊|丑陋|迷人|上镜)", "(?:更|变得?|越来越|很)(?:美|帅|丑)", "美颜", "磨皮", "颜值(?:更高|提升)?"),
    ),
    Cannot(
        "A face is made neither more nor less symmetrical.",
        (r"(?:more |less )?(?:a)?symmetr(?:ic|ical|y)(?: (?:face|eyes|features|eyebrows|mouth|lips|nose|jaw))?", r"uneven (?:eyes|face|features|lips|jaw)", r"(?:face|eyes|features) (?:more |less )?(?:a)?symmetrical"),
        ("(?:更|不|左右|脸部?|五官)*对称", "大小眼", "高低眉", "大小脸"),
    ),
    Cannot(
        "Creases of the lids are not drawn; eyes can be larger, as in 'big eyes'.",
        (r"double[- ](?:eye ?)?lids?(?: surgery)?", r"(?:eye)?lid creases?"),
        ("(?:割|开)?双眼皮",),
    ),
    Cannot(
        "Freckles, moles, scars and other marks are neither painted nor taken away.",
        (r"freckl(?:es?|ed)", r"moles?", r"pimples?", r"acne", r"zits?", r"blemish(?:es)?", r"scars?", r"scarred", r"birthmarks?", r"tattoos?", r"warts?", r"pores", r"beauty (?:mark|spot)s?"),
        ("雀斑", "斑点", "痣", "痘(?:痘|印)?", "粉刺", "疤痕?", "胎记", "纹身", "毛孔", "伤口", "伤疤"),
    ),
    Cannot(
        "Teeth keep their colour and their places; a mouth can show them or not, as in 'a toothy smile'.",
        (
            r"(?:buck|straight(?:er)?|crooked|missing|gapp?ed|gap|golden?|rotten|yellow|whiter?|broken|perfect|sharp|vampire|pointy|pointed|rabbit) (?:teeth|tooth)", r"teeth (?:whiten(?:ing|ed)?|whiter|straighter|gap|gem)", r"tooth gap", r"gap between (?:the |his |her )?teeth",
            r"(?:whiten|straighten|fix|brush) (?:his |her |the |my )?teeth", r"(?:dental )?braces(?: on (?:the |his |her )?teeth)?", r"dentures", r"(?:vampire |skin |long |sharp )*fangs?(?: out)?",
        ),
        ("牙套", "虎牙", "龅牙", "牙齿[^，。]{0,3}(?:白|齐|黄)", "(?:美白|洁白的?|白|整)牙齿?", "缺牙", "獠牙"),
    ),
    Cannot(
        "Irises can be blue, green, brown or grey; lids take eye shadow of other colours, as in 'purple eye shadow'.",
        (
            r"(?:(?:bright|dark|light|deep|pale|glowing|big|beautiful) )*(?:purple|violet|lavender|lilac|pink|magenta|red|crimson|scarlet|ruby|yellow|gold|golden|orange|rainbow|multi-?colou?red) (?:eyes|irises|iris|pupils|eye colou?r)",
            r"heterochromia", r"(?:slit|cat|snake|heart-shaped|heart) pupils",
        ),
        ("(?:紫|粉|红|黄|金|橙)色?的?(?:眼睛|瞳孔|虹膜|眼瞳|眸子|眸|瞳)", "异色瞳", "竖瞳"),
    ),
    Cannot(
        "Lips can be red, pink, orange, purple, dark or pale, and lids take blue, purple, green, pink, golden or dark eye shadow.",
        (r"(?:(?:bright|dark|light|deep|neon) )*(?:green|blue|turquoise|teal|yellow|gold|golden|silver|white|rainbow|glitter|metallic) (?:lips|lipstick|lip ?gloss)", r"(?:(?:bright|dark|light|neon) )*(?:white|orange|rainbow|neon) (?:eye ?shadow|eyelids|lids)"),
        ("(?:绿|蓝|黄|金|银|白|彩虹)色?的?(?:嘴唇|口红|唇膏|唇彩)", "(?:白|橙|橘|彩虹)色?的?眼影"),
    ),
    Cannot(
        "Skin can be pale, tanned, dark, red, green or blue, and hair takes one colour.",
        (r"(?:purple|violet|rainbow|silver|striped) skin", r"(?:rainbow|two[- ]tone|multi-?colou?red|gradient|ombr[eé]|streaked|split[- ]dyed|half and half) hair"),
        ("(?:紫|银)色?的?皮肤", "(?:彩虹|渐变|双色|挑染)色?的?头?发"),
    ),
    Cannot(
        "Only the face is edited: ears, neck, hands and body stay as they are.",
        (
            r"(?:(?:smaller|bigger|pointy|pointed|large|small|big|elf|cat|bunny|long) )*ears?", r"(?:\w+ )?neck", r"(?:\w+ )?shoulders?", r"(?:hands?|fingers?|palms?)(?: (?:on|over|at|near|in) (?:his |her |the |their )?\w+)?", r"(?:\w+ )?(?:arms|legs|biceps|abs|chest|belly|waist|hips|boobs|breasts)(?: crossed| folded)?",
            r"muscular body", r"standing", r"sitting", r"kneeling", r"crouching", r"squatting", r"lying(?: down)?", r"running", r"jumping", r"dancing", r"waving", r"arms? (?:crossed|up|down|raised|spread|folded)",
            r"(?:crossed|folded|raised|spread|outstretched) arms?", r"lean(?:s|ing)? (?:forwards?|backwards?|back|in|sideways|to the (?:left|right|side))", r"full[- ]?body(?: shot| portrait| view)?", r"(?:action |fighting |power |sitting )?poses?",
        ),
        ("全身", "姿势", "叉腰", "托腮", "耳朵", "脖子", "肩膀", "胳膊", "双手[^，。]{0,4}", "手指", "手势", "身材", "比心", "比耶", "站着", "坐着"),
    ),
    Cannot(
        "Lashes are not painted; eye shadow can be, as in 'dark eye shadow'.",
        (r"(?:(?:longer|thicker|long|thick|fake|false|more) )*(?:eye ?)?lashes", r"lash extensions", r"mascara(?! (?:run|tears|tracks))", r"glitter"),
        ("睫毛", "双眼皮贴", "亮片"),
    ),
    Cannot(
        "Style, light, camera and background stay as they are, and faces are not swapped.",
        (
            r"(?:(?:anime|cartoon|manga|comic|pixar|disney|ghibli|painting|oil painting|watercolou?r|sketch|3d|lego|pixel art) (?:style|version|character|drawing|filter|look))", r"oil painting", r"watercolou?r", r"pencil sketch",
            r"cartoon(?:ify|ish)?", r"(?:(?:convert|turn|change|make)(?: it| the (?:photo|image|picture))? )?(?:(?:to|in|into|high contrast) )?(?:black and white|gr[ae]yscale|sepia|monochrome)", r"upscale(?:d)?(?: \w+)?", r"(?:swap|replace|exchange)(?:ping|d)? (?:his |her |the |this |my )?faces?(?: with .*)?", r"face ?swap",
            r"(?:brighter|darker|better|warmer|softer) light(?:ing)?", r"(?:more|less|increase|add) contrast", r"(?:blur(?:red|ry)?|remove|change|replace|new|different) (?:the )?background", r"(?:crop|rotat|flip|mirror|resiz|rescal|zoom|sharpen|denois|colori[sz]|outpaint|inpaint|restor|enhanc)(?:p?ed|p?ing|es?|s)?(?: (?:in|out|it|to|by|closer|horizontally|vertically|left|right|clockwise|(?:the |this |my )?(?:old )?(?:image|picture|photo|mouth|face|eyes))(?:\b.*)?)?",
            r"(?:more|less|increase|decrease|reduce|lower|higher|add)(?: the)? (?:contrast|saturation|exposure|brightness|sharpness|vibrance|noise|grain)", r"(?:warm|cool|cold)(?:er)? (?:tones?|colou?rs?|filter)",
            r"(?:\w+ ){0,2}(?:background|backdrop)", r"(?:low|high|dutch|wide|camera|canted)[- ]angle(?: shot| view| lens)?", r"(?:wide|long|medium|full|overhead|aerial|drone|tracking|dolly)[- ]shot", r"(?:dramatic|hard|soft|deep|harsh|long|cast) shadows?",
            r"(?:[\w-]+ ){0,2}(?:lighting|back-?light|rim[- ]light|god rays|lens flare)", r"golden hour", r"blue hour", r"bokeh", r"depth of field", r"(?:\w+ )?(?:sunset|sunrise)", r"zoom(?:ed)? (?:in|out)", r"(?:camera|lens) (?:\w+ )?(?:angle|position|movement)",
        ),
        ("[^，。]{0,4}背景(?:变[^，。]{1,3})?", "(?:灯光|光线|打光|布光|光影)[^，。]{0,3}", "(?:低|高)角度(?:镜头|拍摄)?", "镜头", "构图", "景深", "[俯仰]拍", "画风", "(?:动漫|卡通|漫画|油画|水彩|素描|吉卜力|迪士尼|皮克斯)(?:风格?|化|效果)", "换背景", "背景(?:换成|虚化)", "换脸", "变清晰", "(?:裁剪|裁切|旋转|翻转|镜像|缩放|上色|锐化|去噪|扩图|修复照片)[^，。]{0,6}", "(?:提高|降低|增加|减少)?(?:饱和度|对比度|曝光|亮度|锐度)", "去水印", "黑白照片?", "(?:更亮|调亮|提亮)(?!眼)"),
    ),
    Cannot(
        "Tears cannot be drawn; the face around them can be sad, as in 'a sad expression'.",
        (r"tears(?! (?:up|apart))", r"teardrops?", r"(?:a|one|single) tear", r"tear[- ]?(?:stained|streaked|stains?)"),
        ("眼泪", "泪(?!沟|眼)",),
        beside=True,
    ),
    Cannot(
        "Sweat cannot be drawn.",
        (r"sweat(?:ing|y|s)?", r"sweat ?drops?", r"perspiration"),
        ("流汗", "汗珠", "汗水", "冒汗", "出汗", "大汗", "满头汗"),
        beside=True,
    ),
    Cannot(
        "Blood, drool and the like cannot be drawn.",
        (r"drool(?:ing|s)?", r"saliva", r"nose ?bleed(?:ing)?", r"blood(?:y)?", r"bleeding", r"snot", r"runny nose"),
        ("口水", "鼻血", "流血", "鼻涕", "血迹"),
        beside=True,
    ),
)  # fmt: skip

# What may stand around it in a wish that is about it alone: orders, articles, and where it is.
_LEAST = r"(?:(?:please|can you|could you|and|now|just|also) )*"
_ORDER = (
    r"(?:(?:add|give|put|make|draw|remove|delete|erase|take|get|let|have|grow|shave|trim|groom|want|show|fix|hide|wear|change|with|wearing|having|has|without|no)(?: off| on| away| out| rid of)?"
    r"(?: (?:him|her|them|me|it|he|she))?(?: (?:have|wear|grow|to))? )?"
)
_WHOSE = r"(?:(?:a|an|the|some|more|any|his|her|their|my|your|new|different|another|pair of|lots of|few|many) )*"
_WHERE = r"(?: (?:on|off|in|at|across|around|to|from|over|under|running down|down)(?: (?:the|his|her|their|my|your|both))?(?: (?:face|cheeks?|forehead|nose|chin|head|eyes?|lips?|upper lip|neck|him|her|skin|style))?)?"
_HOW = r"(?: (?:to be |look |be )?(?:a bit |a little |much |slightly |even )?(?:\w+er|more \w+|less \w+|away|off|out|gone|visible))?(?: please| now)?"
_ZH_ORDER = r"(?:请|帮我|给我|给她|给他|把|让她?他?|加上?一?[个些点]?|添加|戴上?一?[个副顶]?|去掉|去除|换[个成]?|留|长出?|有|变成?|改成?|穿上?|一?[个些点副顶]|的|她|他|脸上|额头上|脸颊上|不要|没有)*"
_ZH_END = r"(?:的?(?:样子|人|脸|照片|图片|图)?|一点|一些|长出来|去掉|拿掉|摘掉|变[^，。]{1,3}|[长短白大小多少]一?[点些])?[了吧]?"
# words that ask for something of a face, and of these things say only how they are
_LOOKS = re.compile(
    "long|short|big|small|large|little|huge|tiny|wide|narrow|thick|thin|full|heavy|tall|round|square|old|new|young|fancy|dark|light|black|white|red|blue|green"
    "|pink|brown|gr[ea]y|blond|golden|purple|yellow|orange",
    re.IGNORECASE,
)
# what is asked of whoever reads it, and nothing of a face
_QUESTION = re.compile(
    r"what(?:'s| is| are| was) (?:the|your|my|an?)\b.*|how (?:old|much|many|tall|far|long) (?:is|are|do|does)\b.*|(?:who|where|when) (?:is|are|was|can|do|will)\b.*"
    r"|what (?:can|could|do|does|will) (?:you|it|this|we|i) (?:do|edit|change|know)\b.*|[你您](?:都|还)?(?:能|会|可以)(?:做|干|画|帮我做)?(?:些|点)?什么.*|[你您]叫什么.*|.*(?:多少钱|几点了?|在哪里?|怎么(?:用|下载|安装))",
    re.IGNORECASE,
)
# what a face is compared with is not asked for
_LIKE = re.compile(r"\b(?:like|as if|as though|as)\b|[像似]")


@functools.cache
def _alone(chinese: bool) -> re.Pattern[str]:
    """A wish in small letters that is about something of :data:`ALL` and nothing else; a pattern for each language, and none that ignores case, for
    the first prompt waits for it to be compiled."""
    names = "|".join(name for one in ALL if not one.beside for name in (one.chinese if chinese else one.english))
    english = rf"{_LEAST}{_ORDER}{_WHOSE}(?P<any>\w+ )??(?:{names}){_WHERE}{_HOW}"
    return re.compile(rf"{_ZH_ORDER}(?:{names}){_ZH_END}(?P<any>)" if chinese else english)


def asks_for_nothing(wish: str, asks: Callable[[str], object]) -> bool:
    """Whether a wish is about something that cannot be done, and about nothing else.

    Args:
        asks: whether a word is known to ask for something, as "smiling" in "smiling beard" is.
    """
    wish = wish.strip(" .!?。！？")
    if _QUESTION.fullmatch(wish):
        return True
    wish = wish.lower()
    found = _alone(False).fullmatch(wish) or (None if wish.isascii() else _alone(True).fullmatch(wish))
    said = (found["any"] or "").strip() if found else ""
    return bool(found) and (bool(_LOOKS.fullmatch(said)) or not (said and asks(said)))


def told(wishes: Iterable[str], asks: Callable[[str], object], everything: bool = False) -> list[str]:
    """What to tell of all that wishes ask for and that cannot be done: of what they are about alone, and of what they bring along.

    Args:
        asks: as of :func:`asks_for_nothing`.
        everything: whether also what they only mention is told, as where nothing in them is understood.
    """
    asked = [(w, everything or asks_for_nothing(w, asks)) for w in wishes if not _LIKE.search(w)]
    return [one.told for one in ALL if any((one.beside or about) and one.called.search(w) for w, about in asked)]


def names(word: str) -> bool:
    """Whether a word is what something of :data:`ALL` is called."""
    return any(one.called.fullmatch(word) for one in ALL)
