"""Prompts as they are pasted from image generators: what is about the picture and not about a face is left out, and what other programs
write for weights is written as ours."""

from __future__ import annotations

import re

from .around import changes
from .degrees import lone_degree
from .smileys import enclosed_in_words
from .traditional import simplified
from .weights import EMPHASIS

_WIDE = str.maketrans("（）［］｜", "()[]|")
_END = r"(?=[,，|\n()\[\]]|$)"
# Calls of files and settings of programs, which are no words.
_CALLS = re.compile(
    rf"<[^<>]*:[^<>]*>|\b(?:embedding|ti|lora|lyco):[\w.:-]+|(?<!\S)--\w+(?:\s+(?!--)[\w.:]+)?|(?<![^\W\d_])(?:rating|source)[:_ ]+\w+{_END}|\bSteps: \d+,.*",
    re.DOTALL,
)
_BREAKS = re.compile(r"\s+(?:BREAK|AND)\s+")  # in capitals only: "happy and old" is one wish
_UNDERSCORE = re.compile(r"(?<=[^\W\d_]{2})_(?=[^\W\d_])|(?<=[^\W\d_])_(?=[^\W\d_]{2})")
_PLUSES = re.compile(r"(?:\b([\w' -]*\w)|\(([^()]*)\))(\+|\s?\+{2,6})(?=\s*(?:[,，.|]|$))")
_NEGATIVE = re.compile(
    r"\s*(?:\bnegative(?: prompts?)?|(?:负面|反向|负向|逆向)(?:提示词?|词)?)\s*[:：]\s*", re.IGNORECASE
)
# What sets words off and says nothing: bullets, headings, quotes, stars.
_SET_OFF = (
    (re.compile(r"(?:^|[ \t]*\n)\s*(?:[-*•·>]+|#+|\d{1,2}[.)、])\s+(?=\S)"), ", "),
    (re.compile(r"(?<![^\s,，])#(?=[^\W\d_])"), ""),
    (re.compile(r"(?<=\w)[\"“”„«»「」『』【】《》`](?=\w)"), " "),
    (re.compile(r"[\"“”„«»「」『』【】《》`]"), ""),
    (re.compile(r"(?<![\w'])['‘’]([^'‘’|]+)['‘’](?!\w)"), r"\1"),
    (re.compile(r"<([^\W\d_][\w\s-]*)>"), r"\1"),
    (re.compile(r"(?<![^\s,])([*_~]{1,3})(?=[^\W_])([^*~|]+?)(?<=[^\W_])\1(?![^\s,.!?])"), r"\2"),
    (re.compile(r"\\+(?=\s*(?:[,|\n]|$))"), ""),
)
_NUMBERED = re.compile(r"(?:^|\s)\s*\(?(?:[1-9]|[a-hA-H])[.)]\s+(?=\D)")  # "1) smile 2) blue eyes"
_LIKENESS = r"photo(?:graph)?s?|pictures?|images?|portraits?|close[- ]?ups?(?: (?:shot|photo|portrait))?|head[- ]?shots?|snapshots?|selfies?|shots?|renders?|drawings?|illustrations?|paintings?|photography|artworks?|art"
_MANNER = (
    r"(?:raw|cinematic|studio|professional|realistic|photo-?realistic|hyper-?realistic|hyper-?real|ultra-?realistic|beautiful|stunning|gorgeous|amazing|perfect"
    r"|high[- ]quality|best[- ]quality|highly[- ]detailed|ultra[- ]detailed|detailed|award[- ]winning|dramatic|candid|analog|film|fashion|street|digital|concept|oil|3d|anime|fantasy|editorial|macro|polaroid|vintage)"
)
_KIND = r"(?:soft|studio|natural|dramatic|cinematic|rim|volumetric|warm|cold|ambient|neon|hard|moody|window|perfect|beautiful|global|harsh|even|vibrant|muted|street|fashion|portrait|professional|film|analog)"
_WHO = r"(?:an? |the |one |\d )?(?:(?:beautiful|gorgeous|stunning|handsome|attractive) )?(?:man|woman|girl|boy|person|guy|lady|male|female|human|model|subject)"
_TAG = re.compile(
    "|".join(
        (
            r"masterpiece|(?:best|high|highest|top|good|amazing|great|worst|low) ?quality|(?:ultra|extremely|highly|super|insanely|very|hyper|intricate(?:ly)?)[- ]*(?:detail(?:s|ed)?|realistic|fine|sharp|hd|high[- ]res(?:olution)?)?(?: (?:face|skin|eyes|hair|features|texture|skin texture|background))?",
            r"(?:detailed|realistic|perfect|symmetrical|natural)(?: (?:face|skin|eyes|hair|features|textures?|skin textures?|background|anatomy|details?|proportions|composition))?|(?:intricate|fine|sharp) details?",
            r"absurd ?res|high ?-?res(?:olution)?|\d+k(?: (?:uhd|hdr|hd|resolution|wallpaper))*|u?hdr?|full hd|\d+ ?x ?\d+|\d+ ?mm(?: lens| f/?[\d.]+)?|f/?\d+(?:\.\d+)?|iso ?\d+|dslr|bokeh|depth of field|shallow depth of field|(?:sharp|soft|tack sharp|in) focus|film grain|grainy|lens flare",
            r"(?:shot (?:on|with) )?(?:a )?(?:kodak|fuji(?:film)?|canon|nikon|leica|sony|hasselblad|arri|polaroid|cinestill)\b[\w .-]*",
            rf"(?:{_KIND}[ -])*(?:lights?|lighting|shadows|atmosphere|composition|colou?rs|photography|photo ?shoot)|(?:[\w-]+ ){{0,2}}(?:lighting|backlighting|backlit|bokeh|background|backdrop|colou?r grading|colou?r palette)",
            r"golden hour|blue hour|chiaroscuro|vignette|photo-?realis(?:m|tic)|hyper-?realis(?:m|tic)|realism|cinematic|cgi|vray|v-ray|blender|unreal engine(?: \d+)?|octane(?: render)?|ray tracing|sdxl|flux|3d",
            r"(?:trending on |featured on )?(?:artstation|deviantart|pixiv|cgsociety|behance|civitai)(?: hq)?|trending|award[- ]winning|vogue|magazine cover|vsco|wallpaper",
            rf"(?:(?:(?:[\w-]+ )?(?:in )?the )?style of|(?:{_LIKENESS}) by|art by|by) [\w .&-]+|(?:anime|comic|cartoon|manga|ghibli|pixar|disney|realistic|cinematic) style",
            rf"(?:an? |the )?(?:{_MANNER}[ -])*(?:{_LIKENESS})(?: (?:photo|portrait|shot|art))?(?: of (?:{_WHO}|(?:a|the) face))?|(?!(?:man|male|female)$){_WHO}",
            r"\d+ ?(?:girls?|boys?|man|men|woman|women)|solo|upper body|full body|half body|cowboy shot|bust|(?:front|side|from (?:above|below|side|front|behind)) ?view|looking (?:straight )?(?:at|into) (?:the )?(?:viewer|camera|lens)|facing (?:the )?(?:viewer|camera)|centered|symmetrical|score \d\w*(?: up)?|score_\d\w*|n?sfw|rating \w+|source \w+",
            # what a face shall not be, of negative prompts
            r"no (?:(?:worst|low|bad|poor) \w+|bad \w+(?: \w+)?|extra \w+|missing \w+|mutat\w+(?: \w+)?|deformed(?: \w+)?|blurry|blur|jpeg artifacts|watermarks?|text|signature|username|logo|cropped|lowres|ugly|disfigured|duplicate|cartoon|3d|anime|drawing|painting|nsfw|out of frame|malformed \w+|poorly drawn \w+|grain|error|(?:\w+ )?(?:artifacts?|distortions?|noise))",
            r"(?:杰作|大师级?(?:作品|杰作)?|(?:最佳|最高|高|超高|顶级)(?:质量|画质|品质|清|分辨率|细节)|超?高清|超清|超?写实|逼真|真实感?|照片级(?:真实)?|电影(?:感|质感|级|光效)?(?:照片|灯光|光线)?|(?:一张)?(?:照片|肖像|写真|特写|半身像|头像|近景|正面照?)|景深|虚化|胶片(?:颗粒|质感|感)?|颗粒感?|柔光|逆光|(?:影棚|摄影棚|自然|戏剧性?|电影|侧|柔和)的?(?:灯光|光线|光|布光|打光)|细节丰富|超精细|超?精细|精致的(?:脸|五官|细节|皮肤)|(?:[^\s换改变把加去]{0,3})背景(?:虚化)?|看(?:着|向)镜头|独奏|单人|虚幻引擎|辛烷渲染)",
            r"(?:一个|1个|一位|一名)?(?:美丽的?|漂亮的?|帅气的?)?(?:女孩|男孩|女人|男人|女性|男性|女生|男生|美女|帅哥|人)的?(?:的?(?:肖像|照片|特写|写真|脸|头像|半身像))?",
        )
    )
)  # of small letters
_SHOWN = re.compile(r"(?:a |the )?(?:man|male|female)|男|女|男性|女性", re.IGNORECASE)  # who is shown, among other tags
_WEIGHT = r"(?:\s*:\s*[-+]?[\d.]+\s*)?"
_PIECE = re.compile(r"(?:[^,，、;；|\n()\[\]。.]|\.(?!\s|$))+")


def cleaned(text: str) -> str:
    """``text`` without calls of files, settings of programs, and tags about the picture ("masterpiece", "8k", "by greg rutkowski"); as it is
    where nothing else stands in it. "smile++" becomes "(smile:1.21)", "closed_eyes" "closed eyes", and a negative prompt wishes without what stands
    there."""
    found = _CALLS.sub(",", simplified(enclosed_in_words(text)).translate(_WIDE))
    found = _NUMBERED.sub(", ", found) if _NUMBERED.match(found) else found
    for pattern, said in _SET_OFF:
        found = pattern.sub(said, found)
    found = re.sub(r"：(?=\s*[-+]?\d)", ":", changes(re.sub(r"^[\s,]+", "", found).rstrip()))
    found = re.sub(
        r"\s*\(([^():]+)\)", lambda m: f", {m[1]}" if lone_degree(m[1].strip()) else m[0], found
    )  # "smile (a little)"
    found = _BREAKS.sub(", ", re.sub(r"\{([^{}|]*)\}", r"(\1)", re.sub(r"\{([^{}|]*)\}", r"(\1)", found)))
    found = _PLUSES.sub(lambda m: f"({(m[1] or m[2]).strip()}:{EMPHASIS ** len(m[3].strip()):.3g})", found)
    found = re.sub(r"::(?=\s*[-+]?\d)", ":", found)
    found = _UNDERSCORE.sub(" ", found)
    found, *negative = _NEGATIVE.split(found, maxsplit=1)
    for tag in _PIECE.findall(re.sub(rf"{_WEIGHT}[)\]]", ",", negative[0])) if negative else []:
        found += f", no {tag.strip()}" if tag.strip() else ""
    left = _PIECE.sub(lambda m: "" if _noise(m[0]) else m[0], found)
    others = _PIECE.sub(lambda m: "" if _SHOWN.fullmatch(m[0].strip()) else m[0], left)
    left = others if re.search(r"[^\W\d_]", others) and "," in left else left
    if left == text:
        return text
    if left != found or negative or found.count(",") != text.count(","):
        before = ""
        while before != left:  # brackets and commas around what was left out
            before = left
            left = re.sub(rf"[(\[][\s,，、;；]*{_WEIGHT}[)\]]", "", left)
            left = re.sub(r"([,，、;；])(?:\s*[,，、;；])+", r"\1", left)
            left = re.sub(r"(^|[(\[|\n])[\s,，、;；]+", r"\1", left)
            left = re.sub(r"[\s,，、;；]+($|[)\]|\n])", r"\1", left)
    return left if re.search(r"[^\W\d_]", left) or not re.search(r"[^\W\d_]", found) else text


def _noise(piece: str) -> bool:
    return bool(_TAG.fullmatch(re.sub(rf"{_WEIGHT}$", "", piece).replace("_", " ").strip(" .!").lower()))
