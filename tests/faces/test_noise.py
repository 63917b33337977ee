"""The noise of a picture, and that what is painted has it."""

from __future__ import annotations

import pytest
import torch
from helpers import same_bits
from torch import Tensor

from flow_core.faces.landmarks import AT
from flow_core.faces.noise import noise_of
from flow_core.fields.expressions import expression
from flow_core.geometry.crop import Crop
from flow_core.warping.frames import warp_frame
from flow_core.warping.warp import warp

DEVIATION = 8 / 255


def noisy(picture: Tensor) -> Tensor:
    return (picture + DEVIATION * torch.randn(picture.shape, generator=torch.Generator().manual_seed(3))).clamp(0, 1)


def test_noise_is_told_from_what_a_picture_shows(astronaut: Tensor, crop: Crop) -> None:
    """Of a picture that has little of its own."""
    own = noise_of(astronaut, crop)
    assert own is None or own.tile.std().item() < 0.25 * DEVIATION
    found = noise_of(noisy(astronaut), crop)
    assert found.tile.std().item() == pytest.approx(DEVIATION, rel=0.25)


def test_skin_before_a_calm_wall_has_no_noise(astronaut: Tensor, crop: Crop) -> None:
    """But pores, or a mole."""
    wall = torch.full_like(astronaut, 0.5)
    side = int(crop.side.item())
    x, y = (crop.points[0, 2] - 0.4 * side).int().tolist()
    inside = (..., slice(y, y + int(0.7 * side)), slice(x, x + int(0.8 * side)))
    wall[inside] = noisy(astronaut)[inside]
    assert noise_of(wall, crop) is None


def test_what_is_painted_has_the_noise_of_the_picture(astronaut: Tensor, crop: Crop) -> None:
    """Half of it in the dark between lips that part, of which nothing was seen; the same each time."""
    picture, field = noisy(astronaut), expression("jawOpen 0.8")
    plain, out = warp(astronaut, crop, field)[0], warp(picture, crop, field)[0]
    x, y = crop.landmarks[0, [AT[i] for i in (13, 14)]].mean(0).int().tolist()
    moved = (..., slice(y + 8, y + 14), slice(x - 8, x + 8))
    assert (out - plain)[moved].std().item() == pytest.approx(0.4 * DEVIATION, rel=0.4)
    assert same_bits(out, warp(picture, crop, field)[0])


def test_frames_have_it_as_stills_do(astronaut: Tensor, crop: Crop) -> None:
    picture, field = noisy(astronaut), expression("jawOpen 0.8")
    frame = (picture[0].permute(1, 2, 0) * 255).round().byte()
    drawn = frame.clone()
    warp_frame(frame, drawn, crop, field, interpolation="bicubic")
    still = warp(frame.permute(2, 0, 1)[None] / 255, crop, field)[0]
    x, y = crop.landmarks[0, [AT[i] for i in (13, 14)]].mean(0).int().tolist()
    moved = (slice(y - 10, y + 20), slice(x - 20, x + 20))
    assert (drawn / 255 - still[0].permute(1, 2, 0))[moved].abs().mean() < 0.01
