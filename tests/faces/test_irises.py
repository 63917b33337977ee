"""Irises, seen in a picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flow_core.faces.irises import irises_off
from flow_core.faces.landmarks import AT, EYES, IRISES, WIDEN
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers


def looking(crop: Crop, off: float, white: float = 0.8, iris: float = 0.3) -> Tensor:
    """A view of white with two irises so many widths of the eye to the right of their landmarks."""
    points = 0.5 + (pixel_centers(256, 256)[0] - 0.5) * WIDEN
    view, places = torch.full((256, 256), white), crop.places[0]
    for side in (0, 1):
        left, right = (places[AT[EYES[side][i]]] for i in ((0, 8) if side == 0 else (8, 0)))
        center = places[AT[IRISES[side][0]]] + off * (right - left)
        view[(points - center).norm(dim=-1) < 0.2 * (right - left).norm()] = iris
    return view.expand(1, 3, -1, -1)


@pytest.mark.parametrize("off", [-0.12, 0.0, 0.1])
def test_a_dark_disc_between_lids_is_an_iris(crop: Crop, off: float) -> None:
    found, sure = irises_off(looking(crop, off), crop.places[0])
    assert found == pytest.approx(off, abs=0.03)
    assert sure > 0.9


def test_where_no_iris_is_seen_none_is_sure(crop: Crop) -> None:
    assert irises_off(looking(crop, 0.1, 0.5, 0.47), crop.places[0])[1] < 0.1


def test_a_corner_in_shade_is_none(crop: Crop) -> None:
    view = looking(crop, -0.1).clone()
    places = crop.places[0]
    points = 0.5 + (pixel_centers(256, 256)[0] - 0.5) * WIDEN
    for side, corner in ((0, 8), (1, 0)):
        at, width = places[AT[EYES[side][corner]]], (places[AT[EYES[side][0]]] - places[AT[EYES[side][8]]]).norm()
        view[:, :, (points - at).norm(dim=-1) < 0.15 * width] = 0.05
    assert irises_off(view, places)[0] == pytest.approx(-0.1, abs=0.04)
