"""Ages that a prompt names, in figures or in words ("ninety-year-old", "in her late thirties", "十五岁"), as what they ask for: youth or age. How far a
face is from that age nobody knows here, so an age in between asks for a little of it."""

from __future__ import annotations

import re

YOUNG, OLDER = 35, 50  # years below which a face shall be young, and from which on it shall be old
# fmt: off
_UNITS = {word: n for n, word in enumerate((
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen",
    "seventeen", "eighteen", "nineteen",
))}
_TENS = {word: 10 * n for n, word in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2)}
# fmt: on
_DECADES = {"teens": 15, **{f"{word[:-1]}ies": n for word, n in _TENS.items()}, "hundreds": 100}
_DIGITS = {sign: n for n, sign in enumerate("零一二三四五六七八九")} | {"两": 2}
_WORD = rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_UNITS)}))?|{'|'.join(sorted(_UNITS, key=len, reverse=True))}|a hundred|hundred)"
_NUMBER = rf"\d{{1,3}}|{_WORD}"
_ENGLISH = re.compile(
    rf"\b(?:(?:aged?|at) )?(?:about |around |almost |nearly |over |like )?(?P<years>{_NUMBER})[- ]?(?:years?|yrs?)[- ]olds?\b|\baged (?P<aged>{_NUMBER})\b"
    rf"|\b(?:in )?(?:(?:his|her|their|the|my) )?(?:(?P<when>early|mid|late)[- ])?(?P<decade>{'|'.join(_DECADES)})\b(?! (?:style|fashion|look|makeup|make-up|hair\w*|movie|film|photo\w*|vibes?))",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?<![老轻小大了龄减增加\d一二两三四五六七八九十])(?P<years>\d{1,3}|[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二三四五六七八九]百?)(?:多|几|来)?岁(?!月)"
)


def _count(text: str) -> int:
    """A number of years in figures, or in English or Chinese words."""
    if text.isdigit():
        return int(text)
    if not text.isascii():
        tens, ten, units = text.rpartition("十")
        if not ten:
            return 100 * _DIGITS[text[0]] if text.endswith("百") else _DIGITS[text]
        return 10 * (_DIGITS[tens] if tens else 1) + (_DIGITS[units] if units else 0)
    return 100 if "hundred" in text else sum(_TENS.get(w, 0) + _UNITS.get(w, 0) for w in re.split("[- ]", text.lower()))


def _english(match: re.Match[str]) -> str:
    said = match["years"] or match["aged"]
    if not said:
        years = _DECADES[match["decade"].lower()] + {"early": 0, "late": 8}.get((match["when"] or "").lower(), 4)
    else:
        years = _count(said)
    return "young" if years < YOUNG else "slightly old" if years < OLDER else "old"


def _chinese(match: re.Match[str]) -> str:
    years = _count(match["years"])
    return "年轻" if years < YOUNG else "稍微老" if years < OLDER else "老"


def in_words(text: str) -> str:
    """A text with "young", "slightly old" or "old" in the place of an age."""
    text = _ENGLISH.sub(_english, text)
    return text if text.isascii() else _CHINESE.sub(_chinese, text)
