"""Orders to change a picture: "remove the trumpet", "put a lighthouse behind her", "换成沙漠". What such a one names is a thing more often than a look,
and a guide that knows faces alone hears a look in any thing. So an order counts where what it names is known to ask for something, or lies
on a face."""

from __future__ import annotations

import re
from collections.abc import Callable

from .subjects import is_role

_WHOM = r"(?:it|this|that|them|him|her|me|(?:the|this|that|my|his|her|your) (?:\w+ )?(?:photo|picture|image|portrait|scene|background|man|woman|person|girl|boy|guy|subject))"
_ENGLISH = re.compile(
    r"(?:please |now |then |and |also |just )*(?:"
    r"(?:add|put|place|insert|include|paste|draw|paint|remove|delete|erase|take (?:away|out)|edit out|photoshop out|get rid of|generate|create) (?P<a>.+)"
    rf"|(?:turn|transform|convert|change|morph|make) {_WHOM} (?:in)?to (?P<b>.+)"
    r"|(?:turn|transform|convert|change|morph) into (?P<c>.+))",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    r"\s+(?:behind|beside|next to|in front of|above|below|around|near|between|outside|to the (?:left|right) of) (?:the |this |that |his |their |my )?\w+(?: \w+)?$",
    re.IGNORECASE,
)
_TO_IT = re.compile(rf"\s+(?:in|to|for|from) {_WHOM}$", re.IGNORECASE)
_CHINESE = re.compile(
    r"(?:请|帮我|给我|麻烦)*(?:(?:把|将)(?:它|图|图片|照片|画面|背景|这张图)?)?(?:去掉|去除|删掉|删除|移除|抹掉|加上?一?[个只条头匹辆座张幅件朵把]|添加一?[个只条头匹辆座张幅件朵把]?|放上?一?[个只条头匹辆座张幅件朵把]|画一?[个只条头匹辆座张幅件朵把]|换成|替换成|变成(?!熟)|变为|变身)(?P<a>.+?)[了吧]?"
    r"|(?:请|帮我|给我|麻烦)*(?:把|将)(?P<b>[^，。]{1,8}?)(?:去掉|去除|删掉|删除|移除|抹掉)[了吧]?"
)
_PEOPLE = r"faces?|heads?|expressions?|looks?|moods?|emotions?|feelings?|smil\w+|grins?|frowns?|pouts?|laugh\w*|tears?|age|years?|wrinkl\w+|lines?|folds?|bags?|circles?|shadows?|make-?up|lipstick|blush\w*|rouge|eye ?shadow|eye ?liner|lip ?gloss|tan|foundation|contour\w*|highlighter|weight|pounds|fat|chub|jowls?|dimples?|freckles?|redness"
_OF_FACES = re.compile(
    rf"\b(?:{_PEOPLE}|skin|complexion|hair\w*|foreheads?|(?:eye)?brows?|eye\w*|lids?|nos(?:e|es|trils?)|cheek\w*|mouth\w*|lip\w*|teeth|tongue|chins?|jaw\w*|philtrum|temples?|bridge)\b|[眼鼻嘴唇眉脸额颊腮牙舌发皮肤纹妆笑哭泪]|下巴|颧骨|表情|神情|情绪|年龄|口红|腮红|酒窝",
    re.IGNORECASE,
)
_LEAST = 2  # characters of a Chinese word


def about_no_face(wish: str, asks: Callable[[str], object]) -> bool:
    """Whether a wish is an order to change what a picture shows, and names nothing that can be asked of a face.

    Args:
        asks: whether a phrase is known to ask for something.
    """
    wish = wish.strip(" .!?。！？")
    found = _ENGLISH.fullmatch(wish) or (None if wish.isascii() else _CHINESE.fullmatch(wish))
    if not found:
        return False
    thing = _TO_IT.sub("", next(filter(None, found.groups())))
    bare = _BESIDE.sub("", thing)
    if bare != thing:
        return not _OF_FACES.search(bare)
    return not (_OF_FACES.search(thing) or _asks(thing, asks))


def _asks(thing: str, asks: Callable[[str], object]) -> bool:
    """Whether what a thing is called, its last words, or somebody's quality is known to ask for something."""
    if not thing.isascii():
        spans = (thing[a:b] for a in range(len(thing)) for b in range(a + _LEAST, len(thing) + 1))
        return any(map(asks, spans))
    words = thing.split()
    ends = (" ".join(words[at:]) for at in range(len(words)))
    return any(map(asks, ends)) or (is_role(words[-1]) and any(map(asks, words)))
