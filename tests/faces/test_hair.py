"""The border of hair."""

from __future__ import annotations

import torch
from torch import Tensor

from flow_core.faces.hair import matted
from flow_core.geometry.grid import pixel_centers

SIZE, RADIUS = 64, 0.3


def disc(radius: float) -> Tensor:
    off = (pixel_centers(SIZE, SIZE)[0] - 0.5).norm(dim=-1)
    return ((radius - off) * SIZE + 0.5).clamp(0, 1)[None, None]


def test_what_lies_beside_dark_hair_is_not_dyed() -> None:
    hair = disc(RADIUS)
    picture = 0.8 - hair.expand(-1, 3, -1, -1) * torch.tensor([0.7, 0.65, 0.6])[None, :, None, None]
    wide = disc(RADIUS + 2.5 / SIZE)  # what a network found, a little too wide
    found = matted(picture, wide, 3)
    beside = (hair == 0) & (wide > 0)
    assert found[beside].mean() < 0.2 * wide[beside].mean()
    inside = disc(RADIUS - 5 / SIZE) == 1
    assert found[inside].min() > 0.95
    assert (found <= wide).all()


def test_hair_of_the_colour_of_the_wall_stays_as_it_was_found() -> None:
    wide = disc(RADIUS)
    assert torch.allclose(matted(torch.full((1, 3, SIZE, SIZE), 0.4), wide, 3), wide, atol=0.01)
