"""What a prompt says, put plainly: smileys in words, sides as the person has them, and nothing that it only compares a face with."""

from __future__ import annotations

import re

from .around import wishes_alone

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

_QUOTES = {0x2018: "'", 0x2019: "'"}  # as phones type them

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
        (r"\b(\d+) ?(?:y\.?o\b\.?|yrs? old\b)", r"\1 year old"),
        (r"\b(an?|the|with|his|her) (\w+), (?=(?:\w+ )?(?:smile|grin|laugh|frown|look|expression)\b)", r"\1 \2 "),
        (r"\bnot (?:at all |really |too |very )?(impressed|amused|moved|bothered|concerned|fazed)\b", r"un\1"),
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
    """``text`` without what it compares the face with: "happier than before" is "happier", "twice as sad" is "very sad"; smileys in words."""
    text = _SIGN.sub(lambda m: f" {_SIGNS[m[0]]} ", text)
    text = _PICTURES.sub("", text) if re.search(r"[^\W_]", text) else text
    text = _VIEWED.sub(lambda m: _OTHER_SIDE[(m["a"] or m["b"] or m["c"]).lower()], text)
    text = wishes_alone(" ".join(text.translate(_QUOTES).split()))
    for pattern, said in _COMPARED:
        text = pattern.sub(said, text)
    return " ".join(text.split())
