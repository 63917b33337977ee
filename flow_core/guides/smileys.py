"""Smileys, pictures of faces and faces of signs, in words: ":)", "😀", "(T_T)"; and laughs and sobs as long as one likes: "hahahaha"."""

from __future__ import annotations

import re

from .weights import asks

_SIGNS = {
    sign: word
    for word, signs in {
        "smiling": ":) :-) =) :> :3 ^^ 🙂 😊 😀 😃 😄 😁 ☺ ☺️ 😇 🥰 😍 🤗 🤠 😺 😸 😻 🙃 🥳 🤩 🤓 🫶",
        "laughing": ":D :d :-D =D =d xD xd XD 😆 😂 🤣 😹 💀",
        "sad": ":( :-( =( :'( :,( :< :-< TT_TT 😢 😭 ☹ ☹️ 🙁 😞 😔 😿 🥺",
        "angry": ">:( >:-( D:< 😠 😡 🤬 😤 💢 👿",
        "surprised": ":o :O :-o :-O =O 😮 😯 😲 🤯 😳 🫢 😵",
        "frightened": "D: d: D= 😨 😱 🙀 😧",
        "worried": "😰 😟 😥 😓 😩 😫 😵‍💫 🫨",
        "disgusted": "🤢 🤮 🤧",
        "neutral": ":| :-| 😐 😑 😶 🫥 🫡",
        "frowning": "😦 😾",
        "smiling, sad": "🥲",
        "smiling, tongue out": "😋",
        "raised left eyebrow": "🤨",
        "closed mouth": "🤐",
        "red skin, tired": "🥵",
        "blue skin": "🥶",
        "an old person": "👴 👵 🧓",
        "a baby": "👶",
        "smirking": ":-> >:) >:3 😏 😼 😈 😎",
        "smirking, laughing": ">:D >:d",
        "a wink": ";) ;-) ;d ;D ;3 😉",
        "a kiss": ":* :-* 😘 😗 😙 😚 💋 😽",
        "tongue out": ":q :Q :p :P :-p :-P =P xP 😛 😝",
        "a wink, tongue out": ";p ;P 😜 🤪",
        "sleepy": "😴 😪 🥱",
        "eyes closed, slight smile": "😌",
        "a wink, open mouth": ";o ;O",
        "smiling, worried": "😅 🫠",
        "mouth corners down": ":c :C =c :/ :-/ =/ 🫤",
        "pouting": ":t :T",
        "lips pressed": ":x :X :-x 🤫",
        "eyes closed, blushing": ">///< >//< >////<",
        "blushing, smile": "^///^ ^//^",
        "blushing": "o///o .///. O///O o//o",
        "wide eyes": "👀",
        "thinking": "🤔 🧐",
        "a grimace": "😬 😖 😣",
        "looking up": "🙄",
    }.items()
    for sign in signs.split()
}
_BEFORE, _AFTER = r"(?<![^\s,，(（|])", r"(?=[\s,，.!|)）]|$)"  # a smiley stands alone; a picture may stand anywhere
_TYPED, _DRAWN = (
    "|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True) if sign.isascii() == typed)
    for typed in (True, False)
)
_SIGN = re.compile(f"{_BEFORE}(?:{_TYPED}){_AFTER}|{_DRAWN}")
# One at the end of an order is for whoever reads that: "make her sad please :)".
_TO_READER = re.compile(
    r"(?P<order>(?=.*\b(?:please|pls|plz|thanks|thank you|thx|can (?:you|we|u|i)|could|would|i want|i'd like|i need|make|let|give|change)\b|.*[请谢帮]|.*[把让给]).*?[^\W_].*?)[\s,!.。！，]*"
    r"(?:(?:[:=]-?(?:\)+|D)|\^_?\^|[🙂😊😀😁😄😃🙏👍❤😅😉♥✨]\ufe0f?|<3)\s*)+$",
    re.IGNORECASE | re.DOTALL,
)
_ORDERING = re.compile(
    r"\b(?:please|pls|plz|thanks|thank you|thx|can|could|would|you|we|i|i'd|want|like|need|make|let|give|change|turn|look|be|more|into|to|expression|emotion|so much)\b|[请谢帮我你他她它把让给的]+",
    re.IGNORECASE,
)
_PICTURES = re.compile("[\u2600-\u27bf\ufe0f\u200d\U0001f000-\U0001faff]")  # that say nothing of a face

# Faces of signs: two eyes and a mouth between them. Eyes: what the left one and the right one look like, by what they say.
_EYES = {
    "glad": ("^＾nN◕≧ᵔ◠ᵕ´", "^＾nN◕≦ᵔ◠ᵕ`｀"),
    "crying": ("TtQq;ಥ╥〒", "TtQq;ಥ╥〒"),
    "tight": (">＞", "<＜"),
    "sly": ("¬￢", "¬￢"),
    "stern": ("ಠ눈≖", "ಠ눈≖"),
    "angry": ("òÒ`｀", "óÓ´"),
    "wide": ("oO0°⊙◎", "oO0°⊙◎"),
    "tired": ("-=ー―", "-=ー―"),
    "shut": ("xX×uUvV˘", "xX×uUvV˘"),
    "dazed": ("@+", "@+"),
    "plain": (".•・･·●╹'", ".•・･·●╹'"),
}
_MOUTHS = {
    "smile": "wWω‿◡▽∀ᴗヮᗜ∇v",
    "flat": "_.-ー",
    "open": "oO□ДдロA〇",
    "sad": "︿へ~﹏",
    "kiss": "ε3з*",
    "gritted": "益皿",
}
# What they say, with any mouth, or with a mouth of one kind.
_SAID = {
    "glad": "smiling", "glad open": "laughing", "glad kiss": "a kiss", "crying": "sad", "tight": "eyes squeezed shut",
    "tight smile": "laughing, eyes closed", "sly": "contempt", "sly smile": "smirking", "stern": "stern look", "stern smile": "smirking", "angry": "angry",
    "wide": "surprised", "wide smile": "wide eyes, smiling", "tired": "sleepy", "tired flat": "neutral", "tired smile": "smiling, eyes closed",
    "shut": "eyes closed", "shut smile": "smiling, eyes closed", "dazed": "worried", "dazed smile": "smiling", "plain": "neutral", "plain smile": "smiling",
    "plain sad": "sad", "plain open": "surprised", "plain kiss": "a kiss", "gritted": "angry",
}  # fmt: skip
_ANY_EYE, _ANY_MOUTH = (
    f"[{re.escape(''.join(dict.fromkeys(signs)))}]"
    for signs in ("".join(a + b for a, b in _EYES.values()), "".join(_MOUTHS.values()))
)
_CHEEK = r"[^\w\s()（）]{0,3}"
_ENCLOSED = re.compile(  # faces in brackets, and others that would be taken for brackets and weights
    r"(?P<flip>[(（]╯°□°[)）]╯\S*(?: ?┻━┻)?)|(?P<lenny>[(（] ?͡° ?͜ʖ ?͡°[)）])|(?P<shrug>¯\\_[(（]ツ[)）]_/¯)"
    rf"|{_BEFORE}(?P<cat>>?[:;]3|:-?\|){_AFTER}"
    rf"|[(（]{_CHEEK}\s?(?P<left>{_ANY_EYE})\s?(?P<mouth>{_ANY_MOUTH})\s?(?P<right>{_ANY_EYE})\s?{_CHEEK}[)）][^\w\s,，()（）]{{0,3}}"
)
_OPEN = re.compile(rf"{_BEFORE}(?P<left>{_ANY_EYE})(?P<mouth>{_ANY_MOUTH})(?P<right>{_ANY_EYE}){_AFTER}")
_OF_LETTERS = re.compile(r"([OoUu])[wW]\1|[QqTt][wW][QqTt]|[QT]A[QT]")  # "vow" and "tot" are words
_NAMED = {"flip": "angry", "lenny": "smirking", "shrug": "lips pressed, raised eyebrows"}

_DRAWN_OUT = (
    (re.compile(r"\b((?:ha|he|hi|ho){2})(?:ha|he|hi|ho)+h?\b", re.IGNORECASE), r"\1"),
    (re.compile(r"([哈呵嘿嘻呜嘤啊])\1{2,}"), r"\1\1"),
)


def in_words(text: str) -> str:
    """A text with its smileys in words, and without pictures that say nothing of a face."""
    order = _TO_READER.fullmatch(text)
    text = order["order"] if order and asks(_ORDERING.sub(" ", order["order"])) else text
    text = _OPEN.sub(_face, enclosed_in_words(text))
    text = _SIGN.sub(_sign, text)
    for pattern, said in _DRAWN_OUT:
        text = pattern.sub(said, text)
    return _PICTURES.sub("", text) if re.search(r"[^\W_]", text) else text


def _sign(match: re.Match[str]) -> str:
    """A smiley in words, which are a wish of their own where they end another ("open mouth :)")."""
    before = re.split(r"[,，|]", match.string[: match.start()])[-1]
    last = match.end() == len(match.string.rstrip()) and before.endswith(" ")
    joint = "," if last and asks(_ORDERING.sub(" ", before)) and not before.rstrip().endswith((":", "：", "=")) else ""
    return f"{joint} {_SIGNS[match[0]]} "


def enclosed_in_words(text: str) -> str:
    """A text with those smileys in words whose signs mean something else in a prompt: brackets and weights."""
    return _ENCLOSED.sub(_face, text)


def _face(match: re.Match[str]) -> str:
    said = match.groupdict()
    if said.get("cat"):
        return f" {_SIGNS[said['cat']]} "
    for name, words in _NAMED.items():
        if said.get(name):
            return f" {words} "
    left, mouth, right = (said[name] for name in ("left", "mouth", "right"))
    if left == mouth == right:  # dots, or a dash
        return match[0]
    if match.re is _OPEN and (
        (match[0].isalpha() and not _OF_LETTERS.fullmatch(match[0])) or re.search(r"\d[^_]", match[0])
    ):
        return match[0]
    eyes = next((name for name, (one, other) in _EYES.items() if left in one and right in other), "")
    kind = next(name for name, signs in _MOUTHS.items() if mouth in signs)
    words = _SAID.get(kind) or _SAID.get(f"{eyes} {kind}") or _SAID.get(eyes)
    return f" {words} " if words else match[0]
