"""Lips of a smile keep their height, up to the corners of the mouth."""

from __future__ import annotations

import pytest
import torch

from flow_core.faces.landmarks import AT, LIPS, LIPS_INNER
from flow_core.fields.smiling import spread
from flow_core.geometry.crop import Crop


@pytest.fixture
def places(crop: Crop) -> tuple[torch.Tensor, torch.Tensor]:
    """Landmarks before a smile, and those after muscles have drawn the mouth out: lips that part are thin, and taper to its corners."""
    after = crop.places[0].clone()
    for ring, low, high in ((LIPS, 0.045, 0.03), (LIPS_INNER, 0.025, 0.018)):
        x = torch.linspace(-1, 1, 11) * (1.0 if ring is LIPS else 0.92)
        lower, upper = (torch.stack([0.5 + 0.13 * x, 0.72 + h * (1 - x.abs())], -1) for h in (low, -high))
        after[[AT[i] for i in ring]] = torch.cat([lower, upper[1:-1].flip(0)])
    before = after.clone()
    before[[AT[14], AT[13]], 1] += torch.tensor([0.0, 0.006])  # the upper lip was half as high again
    return before, after


def test_a_lower_lip_that_smiles_is_a_band_and_no_wedge(places: tuple[torch.Tensor, torch.Tensor]) -> None:
    before, after = places
    moved = after + spread(before, after, after, 0.8)

    def height(at: torch.Tensor, outer: int, inner: int) -> float:
        return (at[AT[outer], 1] - at[AT[inner], 1]).abs().item()

    beside, middle = (91, 88), (17, 14)
    assert height(after, *beside) / height(after, *middle) < 0.7
    assert height(moved, *beside) / height(moved, *middle) > 0.75
    assert height(moved, 0, 13) > 1.15 * height(after, 0, 13)
    assert (moved[AT[14], 1] - moved[AT[13], 1]) > 0.5 * (after[AT[14], 1] - after[AT[13], 1])
    far = [AT[i] for i in (10, 33, 152)]
    assert (moved - after)[far].abs().max() < 1e-3


def test_lips_spread_with_a_smile_that_comes_and_parts_them_alone(places: tuple[torch.Tensor, torch.Tensor]) -> None:
    before, after = places
    assert spread(before, after, after, 0.0) is None
    assert spread(before, after, after, -0.5) is None
    shut = after.clone()
    lower, upper = ([AT[i] for i in ring] for ring in (LIPS_INNER[1:10], LIPS_INNER[:10:-1]))
    shut[lower] = shut[upper]
    assert spread(before, shut, shut, 0.8) is None
    little, much = (spread(before, after, after, v).abs().max() for v in (0.15, 0.8))
    assert little < 0.1 * much
