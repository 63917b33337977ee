"""Texts that are read as the phrases that are most like them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from flow_core.editing.named import named
from flow_core.guides.guide import Guide
from flow_core.guides.likeness import Likeness
from flow_core.guides.phrasebook import Phrasebook
from flow_core.guides.prompts import Prompt
from flow_core.guides.words import is_word

NEAR = {"worm": 0, "slug": 0, "apple": 1, "salad": 1, "party": 2, "gift": 2, "lamp": 3, "car": 4}
BOOK = Phrasebook.of([("a worm in an apple", ((1, 1.0),)), ("a gift at a party", ((0, 1.0),)), ("lamp", ())])


def embedded(tokens: Sequence[int]) -> Tensor:
    """Words of one kind are alike, and others not."""
    kinds = {is_word(word): kind for word, kind in NEAR.items()}
    rows = [torch.eye(6)[kinds.get(token, 5)] + 0.1 * torch.sin(token * torch.arange(6.0)) for token in tokens]
    return torch.stack(rows) if rows else torch.zeros(0, 6)


def test_words_of_like_meaning_are_alike() -> None:
    likeness = Likeness(BOOK.known, frozenset(("worm", "apple", "party", "gift", "lamp", "in", "at")), 2, embedded)
    for text in ("a worm in an apple", "slug in her salad", "an apple, a worm"):
        found = likeness.read(text)
        assert found is not None, text
        assert found.tolist() == [0, 1], text
    for text in ("lamp", "a car", "你好", ""):
        assert likeness.read(text) is None, text


def test_a_situation_that_nobody_listed(guide: Guide) -> None:
    text = "the elevator cable snaps"
    assert guide.meanings is not None
    assert guide.meanings.phrases.find(text) is None
    assert named(guide, Prompt.parse(text)).concepts == {"fear": 1.0}
