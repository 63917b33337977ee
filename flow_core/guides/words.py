"""Texts as the numbers that CLIP's text towers read: byte pair encoding (Sennrich, Haddow, Birch, Neural Machine Translation of
Rare Words with Subword Units, 2016) with CLIP's vocabulary, which open_clip brings along.

open_clip does the same, but its import takes as long as an edit. It also mends texts whose characters were read in a wrong encoding
(by ftfy), which is not done here.
"""

from __future__ import annotations

import functools
import gzip
import html
import unicodedata
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from .errors import GuideError

BYTES = 256
MERGES = 48894
START, END = 2 * BYTES + MERGES, 2 * BYTES + MERGES + 1
_SPECIAL = {"<start_of_text>": START, "<end_of_text>": END}
_CONTRACTIONS = ("'re", "'ve", "'ll", "'s", "'t", "'m", "'d")
# Characters that say the same as plain ones; full-width ones, which Chinese and Japanese keyboards type, are computed.
_PLAIN = {0x2018: "'", 0x2019: "'", 0x201A: "'", 0x201B: "'", 0x201C: '"', 0x201D: '"', 0x201E: '"', 0x201F: '"', 0x3000: " ",
          **{0xFF01 + i: chr(0x21 + i) for i in range(94)}}  # fmt: skip


class Words:
    """Texts -> ``[N,length]`` of token numbers: start, the text cut to fit, end, zeros."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, texts: Sequence[str]) -> Tensor:
        out = torch.zeros(len(texts), self.length, dtype=torch.long)
        for row, text in zip(out, texts, strict=True):
            numbers = _numbers(text)[: self.length - 2]
            row[: len(numbers) + 2] = torch.tensor([START, *numbers, END])
        return out

    def count(self, text: str) -> int:
        """How many tokens a text has, with start and end; beyond :attr:`length` it would be cut."""
        return len(_numbers(text)) + 2


def word_tokens() -> dict[int, str]:
    """The tokens that are whole words of plain letters, and their words."""
    _, numbers = _vocabulary()
    whole = {n: w.removesuffix("</w>") for w, n in numbers.items() if w.endswith("</w>")}
    return {n: w for n, w in whole.items() if w.isascii() and w.isalpha()}


def is_word(word: str) -> int:
    """The number of a word's token in CLIP's vocabulary, smaller for frequent ones; 0 where it has no token of its own."""
    return _vocabulary()[1].get(f"{word}</w>", 0)


def _numbers(text: str) -> list[int]:
    clean = html.unescape(html.unescape(unicodedata.normalize("NFC", text).translate(_PLAIN)))
    found: list[int] = []
    for piece in _pieces(" ".join(clean.split()).lower()):
        found += (_SPECIAL[piece],) if piece in _SPECIAL else _encode(piece)
    return found


def _pieces(text: str) -> Iterator[str]:
    """Contractions, runs of letters, single digits, runs of anything else but white space."""
    i = 0
    while i < len(text):
        special = next((s for s in (*_SPECIAL, *_CONTRACTIONS) if text.startswith(s, i)), None)
        if special:
            yield special
            i += len(special)
            continue
        kind, end = _kind(text[i]), i + 1
        while kind in "LO" and end < len(text) and _kind(text[end]) == kind:
            end += 1
        if kind != " ":
            yield text[i:end]
        i = end


def _kind(character: str) -> str:
    """L for letters, N for digits, blank for white space, O for others."""
    if character.isspace():
        return " "
    first = unicodedata.category(character)[0]
    return first if first in "LN" else "O"


@functools.cache
def _vocabulary() -> tuple[dict[str, int], dict[str, int]]:
    """Ranks of the merges, as two parts with a space between, and numbers of what they give; the file is not imported, only read."""
    spec = find_spec("open_clip")
    if spec is None or not spec.submodule_search_locations:
        raise GuideError(
            "open_clip, which brings CLIP's vocabulary, is not installed. Run: pip install open_clip_torch"
        )
    path = Path(spec.submodule_search_locations[0]) / "bpe_simple_vocab_16e6.txt.gz"
    # after the heading; what follows are merges that CLIP does not use
    merges = gzip.decompress(path.read_bytes()).decode().split("\n", MERGES + 1)[1:-1]
    words = "\n".join(merges).replace(" ", "").split("\n")
    return dict(zip(merges, range(MERGES), strict=True)), dict(zip(words, range(2 * BYTES, START), strict=True))


@functools.cache
def _bytes() -> list[tuple[str, int]]:
    """For each byte the character that stands for it in the merges, and its number: printable ones first."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(BYTES) if b not in printable]
    sign = {b: chr(b) for b in printable} | {b: chr(BYTES + i) for i, b in enumerate(others)}
    number = {b: i for i, b in enumerate([*printable, *others])}
    return [(sign[b], number[b]) for b in range(BYTES)]


@functools.lru_cache(maxsize=4096)
def _encode(piece: str) -> tuple[int, ...]:
    """Numbers of a piece of text."""
    ranks, numbers = _vocabulary()
    signs = [_bytes()[b] for b in piece.encode()]
    single = dict(signs) | {f"{s}</w>": n + BYTES for s, n in signs}
    parts = [s for s, _ in signs]
    parts[-1] += "</w>"
    while len(parts) > 1:
        best = min(pairwise(parts), key=lambda pair: ranks.get(" ".join(pair), MERGES))
        if " ".join(best) not in ranks:
            break
        merged: list[str] = []
        for part in parts:
            if merged and (merged[-1], part) == best:
                merged[-1] += part
            else:
                merged.append(part)
        parts = merged
    return tuple(numbers[p] if p in numbers else single[p] for p in parts)
