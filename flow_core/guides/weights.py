"""Weights as artists write them: ``smile:0.5``, and in brackets as ComfyUI and A1111 read them, ``(red lips:1.3)``, ``((smile))``,
``[frown]``."""

from __future__ import annotations

import math
import re

EMPHASIS = 1.1  # what a pair of round brackets is worth
MAX_WEIGHT = 4.0
# Words that alone ask for nothing; what stands between brackets is often no more than these.
_JOINTS = frozenset(
    ["a", "also", "an", "and", "are", "boy", "but", "face", "girl", "guy", "has", "have", "having", "he", "her", "him", "his", "in", "is", "it",
     "lady", "make", "man", "now", "of", "on", "person", "photo", "picture", "please", "plus", "portrait", "she", "someone", "the", "their",
     "them", "they", "this", "who", "with", "woman"]
)  # fmt: skip
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\.\d+|nan|inf)"
_SEVERAL = re.compile(rf"[^\W\d]:\s*{_NUMBER}\s*[,，;；].*\w", re.IGNORECASE)  # a weight that is not at the end
_CLOSING = {"(": ")", "[": "]"}


class PromptError(ValueError):
    """A prompt cannot be understood; the message shows how to write it."""


def split(text: str) -> list[str]:
    """The parts of a prompt, between the bars that are not escaped."""
    return re.split(r"(?<!\\)\|", text)


def escaped(text: str) -> str:
    """A text so written that its brackets and bars are read as text."""
    return re.sub(r"[()\[\]|]", lambda m: "\\" + m[0], text)


def weighted(piece: str) -> list[tuple[str, float]]:
    """Texts and weights of one part of a prompt: of what stands in brackets, and of what stands outside.

    Raises:
        PromptError: brackets that do not match, a weight that is no number or beyond -4..4, or one without a text.
    """
    segments, tail, _ = _read(piece, 0, "")
    if not segments and _SEVERAL.search(tail):  # as sliders are written: "smile: 0.7, blink: 0.3"
        return [one for part in re.split("[,，;；]", piece) if part.strip() for one in weighted(part)]
    if not segments:
        words, weight = _own(tail)
        if not words and piece.strip():
            raise PromptError(
                f"The part {piece.strip()!r} has a weight but no text; write for instance 'open mouth:0.5'."
            )
        return [(words, _bounded(words, 1.0 if weight is None else weight))]
    words, weight = _own(tail)
    if weight is not None and words:
        raise PromptError(
            f"The weight at the end of {piece.strip()!r} may be meant for all of it or for its last words; separate the parts with |."
        )
    if weight is None:
        segments, weight = [*segments, (words, 1.0)], 1.0
    kept = [(" ".join(t.strip(" ,;.").split()), w * weight) for t, w in segments]
    kept = [(t, _bounded(t, w)) for t, w in kept if asks(t)]
    if not kept:
        raise PromptError(
            f"The part {piece.strip()!r} has brackets but no text that asks for anything; write for instance '(open mouth:1.3)'."
        )
    return kept


def asks(text: str) -> bool:
    """Whether a text has other words than such as alone ask for nothing ("a woman with")."""
    return not set(re.findall(r"\w+", text.lower())) <= _JOINTS


def _read(text: str, at: int, closing: str) -> tuple[list[tuple[str, float]], str, int]:
    """What stands before ``closing``: groups in brackets and the texts before each, then the text after the last, and where it ends."""
    segments: list[tuple[str, float]] = []
    plain = ""
    while at < len(text):
        sign = text[at]
        at += 1
        if sign == "\\" and at < len(text) and text[at] in "()[]|":
            plain += text[at]
            at += 1
        elif sign in "()" and sign != closing and re.search(r"(^|\s)>?[:;=][-',]?$", plain):
            plain += sign  # a smiley
        elif sign in _CLOSING:
            inner, last, at = _read(text, at, _CLOSING[sign])
            if plain.strip():
                segments.append((plain, 1.0))
            plain = ""
            words, weight = _own(last)
            if sign == "[":
                if weight is not None or ":" in last:
                    raise PromptError(
                        f"'[{last}]' changes a text while a picture is made, which an edit cannot do; write (text:0.8) for a weight."
                    )
                weight = 1 / EMPHASIS
            weight = EMPHASIS if weight is None else weight
            segments += [(t, w * weight) for t, w in (*inner, (words, 1.0)) if t.strip()]
            if not inner and not words:
                raise PromptError(f"The brackets in {text.strip()!r} have no text in them.")
        elif sign in ")]":
            if sign != closing:
                break
            return segments, plain, at
        else:
            plain += sign
    else:
        if not closing:
            return segments, plain, at
    raise PromptError(
        f"The brackets of {text.strip()!r} do not match; write '(red lips:1.3)', or \\( for a bracket that belongs to the text."
    )


def _own(text: str) -> tuple[str, float | None]:
    """A text, and the weight after its last colon if there is one."""
    words, colon, number = text.rpartition(":")
    if colon and re.fullmatch(rf"\s*{_NUMBER}\s*", number, re.IGNORECASE):
        words = " ".join(words.split())
        return words, _bounded(words, float(number), number.strip())
    if re.search(r"\w:\S*$", text.rstrip()) and not re.search(r"https?:", text):
        raise PromptError(
            f"{number.strip()!r} in {text.strip()!r} is no weight; write a number after the colon, as in 'smile:0.5', or a blank if the "
            "colon belongs to the text."
        )
    return " ".join(text.split()), None


def _bounded(words: str, weight: float, written: str = "") -> float:
    if not math.isfinite(weight) or abs(weight) > MAX_WEIGHT:
        raise PromptError(
            f"The weight {written or f'{weight:g}'} of {words!r} is outside -{MAX_WEIGHT:g}..{MAX_WEIGHT:g}."
        )
    return round(weight, 12)
