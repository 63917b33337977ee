"""Texts as the numbers that CLIP's text towers read: byte pair encoding (Sennrich, Haddow, Birch, Neural Machine Translation of
Rare Words with Subword Units, 2016) with CLIP's vocabulary, which open_clip brings along.

open_clip does the same, but its import takes as long as an edit.
"""

from __future__ import annotations

import functools
import gzip
import re
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

BYTES = 256
MERGES = 48894
START, END = 2 * BYTES + MERGES, 2 * BYTES + MERGES + 1
# what is the same before and after open_clip's cleaning of texts, but for case and white space
_PLAIN = re.compile(r"[\t\n\r -%'-;=?-~]*")
_PIECE = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")


class Words:
    """Texts -> ``[N,length]`` of token numbers: start, the text cut to fit, end, zeros."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, texts: Sequence[str]) -> Tensor:
        if not all(
            _PLAIN.fullmatch(text) for text in texts
        ):  # accents, entities and the like: seldom, and open_clip's affair
            from .guide import open_clip

            return open_clip().tokenizer.SimpleTokenizer(context_length=self.length)(list(texts))
        out = torch.zeros(len(texts), self.length, dtype=torch.long)
        for row, text in zip(out, texts, strict=True):
            numbers = [n for piece in _PIECE.findall(text.lower()) for n in _encode(piece)][: self.length - 2]
            row[: len(numbers) + 2] = torch.tensor([START, *numbers, END])
        return out


@functools.cache
def _vocabulary() -> tuple[dict[str, int], dict[str, int]]:
    """Ranks of the merges, as two parts with a space between, and numbers of what they give; the file is not imported, only read."""
    spec = find_spec("open_clip")
    if spec is None or not spec.submodule_search_locations:
        from .guide import GuideError

        raise GuideError(
            "open_clip, which brings CLIP's vocabulary, is not installed. Run: pip install open_clip_torch"
        )
    path = Path(spec.submodule_search_locations[0]) / "bpe_simple_vocab_16e6.txt.gz"
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")[1 : MERGES + 1]
    return {m: i for i, m in enumerate(lines)}, {m.replace(" ", ""): 2 * BYTES + i for i, m in enumerate(lines)}


@functools.lru_cache(maxsize=4096)
def _encode(piece: str) -> tuple[int, ...]:
    """Numbers of a word of printable ASCII."""
    ranks, numbers = _vocabulary()
    parts = [*piece[:-1], piece[-1] + "</w>"]
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
    # the first 256 numbers are single bytes, in the order of printable ASCII, the next those that end a word
    return tuple(numbers.get(p, ord(p[0]) - ord("!") + (BYTES if len(p) > 1 else 0)) for p in parts)
