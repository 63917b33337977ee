"""Meanings read back from a text space that is laid out for it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from flow_core.guides.guide import Guide
from flow_core.guides.meaning import Meanings
from flow_core.train import targets
from flow_core.train.attributes import CONCEPTS

NAMES = [c.name for c in CONCEPTS]


@pytest.fixture(scope="module")
def meanings() -> Meanings:
    """Ways of the first concepts drawn at random, and the others as they follow from these.

    Drawn from another seed than the axes of further concepts in ``targets.directions``, which would be the same numbers.
    """
    g = torch.Generator().manual_seed(1)
    neutral = F.normalize(torch.randn(160, generator=g), dim=0)
    points = F.normalize(
        neutral + 0.1 * torch.randn(160, generator=g) + 0.08 * torch.randn(targets.OLD, 160, generator=g), dim=-1
    )
    return Meanings(tuple(NAMES), neutral, *targets.directions(points, neutral))


def test_amounts_come_back(meanings: Meanings) -> None:
    amounts = torch.zeros(4, len(NAMES))
    for row, said in zip(
        amounts, ({"smile": 1.0}, {"anger": -1.0}, {"wink left": 0.5, "nose big": 0.5}, {"old": 1.5}), strict=True
    ):
        for name, much in said.items():
            row[NAMES.index(name)] = much
    points = meanings.point(amounts)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(4), atol=1e-3, rtol=0)
    read, fit = meanings.read(points)
    torch.testing.assert_close(read, amounts, atol=0.03, rtol=0)
    assert fit.min() > 0.9


def test_what_is_neutral_means_nothing(meanings: Meanings) -> None:
    read, _ = meanings.read(meanings.neutral[None])
    assert read.abs().max() < 1e-3


def test_sides_are_opposed_and_share(meanings: Meanings) -> None:
    left, right, both = (meanings.ways[NAMES.index(n)] for n in ("brow up left", "brow up right", "brows raised"))
    assert F.cosine_similarity(left - right, both, dim=0).abs() < 0.3
    assert F.cosine_similarity(left + right, both, dim=0) > 0.9


def test_written_and_read_again(meanings: Meanings) -> None:
    again = Meanings.loads(meanings.dumps())
    assert again.names == meanings.names
    torch.testing.assert_close(again.ways, meanings.ways, atol=1e-3, rtol=0)
    for text in ("{}", '{"names": ["a"], "directions": "AA"}', "nonsense"):
        with pytest.raises(ValueError, match="no directions"):
            Meanings.loads(text)


def test_the_built_in_guide_tells_its_layout(guide: Guide) -> None:
    assert guide.meanings is not None
    assert list(guide.meanings.names) == NAMES
    read, fit = guide.meanings.read(guide.encode_text([c.text for c in CONCEPTS]))
    right = read.abs().argmax(1) == torch.arange(len(NAMES))
    assert right.float().mean() > 0.97, [n for n, ok in zip(NAMES, right, strict=True) if not ok]
    assert fit.median() > 0.6
