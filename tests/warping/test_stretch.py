"""Regions to repair are found where the Jacobian says so, and masks lie where the pixels are."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import constant_field, crop_coordinates, linear_field, smooth_field, square_crop
from torch import Tensor

from flow_core.fields.raster import Field
from flow_core.geometry.grid import pixel_centers
from flow_core.warping.stretch import changed_mask, repair_mask, stretching
from flow_core.warping.warp import warp

SIZE = (240, 300)
CROP = square_crop(SIZE, (160, 110), 180, 20.0)


def opened(x: float = 0.5, y: float = 0.7, width: float = 0.06, least: float = 0.4) -> Field:
    """Content is stretched by 1 / ``least`` downwards around one crop point: an opened mouth."""
    p = pixel_centers(96, 96) - torch.tensor([x, y])
    weight = torch.exp(-(p / width).square().sum(-1))
    offset = torch.stack([torch.zeros_like(weight), (least - 1) * p[..., 1] * weight], 1)
    return Field(offset, torch.zeros(1, 3, 96, 96))


@pytest.mark.parametrize(
    ("matrix", "stretch"),
    [([[0, 0], [0, 0]], 1.0), ([[-0.5, 0], [0, 0]], 2.0), ([[0, 0], [0, -0.75]], 4.0), ([[1, 0], [0, 0]], 1.0),
     ([[-0.5, 0], [0, 1]], 2.0), ([[0, 0.6], [0, 0]], 1 / (math.hypot(2, 0.6) / 2 - 0.3)), ([[-1.5, 0], [0, 0]], math.inf)],
)  # fmt: skip
def test_stretch_is_the_inverse_of_the_smaller_singular_value(matrix: list[list[float]], stretch: float) -> None:
    assert stretching(linear_field(matrix, 192), 64)[0, 32, 32].item() == pytest.approx(stretch, rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_stretch_is_that_of_torch_linalg(seed: int) -> None:
    matrix = torch.randn(2, 2, generator=torch.Generator().manual_seed(seed)) * 0.3
    expected = 1 / torch.linalg.svdvals(matrix + torch.eye(2)).min().item()
    assert torch.linalg.det(matrix + torch.eye(2)) > 0
    assert stretching(linear_field(matrix.tolist(), 192), 64)[0, 30, 34].item() == pytest.approx(expected, rel=1e-3)


def at(mask: Tensor, x: float, y: float) -> float:
    """A mask's value at a crop point of CROP."""
    px, py = CROP.to_image(torch.tensor([[[[x, y]]]]))[0, 0, 0].tolist()
    return mask[0, int(py), int(px)].item()


def test_an_opened_mouth_is_found_where_it_is() -> None:
    mask = repair_mask(opened(), CROP, 1.5)
    assert mask.shape == (1, *SIZE)
    assert at(mask, 0.5, 0.7) > 0.95
    assert [at(mask, x, y) for x, y in ((0.5, 0.4), (0.2, 0.7), (0.8, 0.7), (0.5, 0.95))] == [0] * 4
    middle = (mask[0, ..., None] * crop_coordinates(SIZE, (160, 110), 180, 20.0)).sum((0, 1)) / mask.sum()
    assert (middle - torch.tensor([0.5, 0.7])).abs().max() < 0.01
    assert not repair_mask(opened(), CROP, 4.0).any()
    assert repair_mask(opened(least=-0.2), CROP, 9.0).any()  # a fold, at any threshold
    assert not repair_mask(opened(), CROP, 1.5, strength=0.0).any()
    assert not repair_mask(constant_field(0, 0), CROP).any()


def test_grow_and_feather_are_fractions_of_the_face_square() -> None:
    def radius(**options: float) -> float:
        mask = repair_mask(opened(width=0.08), CROP, 1.5, **options)
        return (mask.sum().item() / math.pi) ** 0.5 / 180

    plain = radius(grow=0, soften=0)
    assert radius(grow=0.05, soften=0) - plain == pytest.approx(0.05, abs=0.012)
    soft, hard = (repair_mask(opened(width=0.08), CROP, 1.5, grow=0.04, soften=s) for s in (0.04, 0.0))
    assert hard.unique().tolist() == [0, 1]
    assert ((soft > 0.02) & (soft < 0.98)).sum() > 400
    assert (soft.sum() / hard.sum()).item() == pytest.approx(1, abs=0.15)


def test_changed_covers_what_the_warp_changes_to_the_eye() -> None:
    photo = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    field = smooth_field(0.05, 0.1)
    edited, _ = warp(photo, CROP, field)
    mask = changed_mask(field, CROP)
    far = (edited - photo).abs().amax(1) > 0.2
    assert (mask[far] == 1).float().mean() > 0.99
    assert not mask[(edited == photo).all(1)].any()
    assert not changed_mask(field, CROP, 0.0, 0.0).any()
    assert changed_mask(field, CROP, 0.0, 1.0).any()


def test_batches_and_mistakes() -> None:
    two = square_crop(SIZE, (160, 110), 180, 0, batch=2)
    assert repair_mask(opened(), two, 1.5).shape == (2, *SIZE)
    both = Field(torch.cat([opened().offset, -opened().offset]), torch.zeros(2, 3, 96, 96))
    assert repair_mask(both, CROP, 1.5).shape == (2, *SIZE)
    with pytest.raises(ValueError, match="2 crops do not fit 3 fields"):
        repair_mask(smooth_field(batch=3), two)
    with pytest.raises(ValueError, match="above 1"):
        repair_mask(opened(), CROP, 1.0)
    with pytest.raises(ValueError, match=r"0\.\.0\.25"):
        repair_mask(opened(), CROP, grow=0.5)
