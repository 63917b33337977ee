"""Rims that are told from skin are a layer before it: brows go up and down behind them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from flow_core.faces.align import align
from flow_core.faces.behind import Behind, axes, behind_rims, placed
from flow_core.faces.detect import Detector
from flow_core.faces.glasses import Worn
from flow_core.faces.landmarks import AT, WIDEN
from flow_core.fields.expressions import preset
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.io import picture
from flow_core.warping.warp import warp

PEOPLE = Path(__file__).parents[2] / "docs" / "people"
ABOVE, THICK, PIXEL = 0.16, 0.05, 1 / 512


@pytest.fixture(scope="module")
def worn(detector: Detector) -> tuple[Tensor, Crop]:
    """A photo of somebody who wears glasses, and the crop of the face."""
    photo = picture.read(PEOPLE / "14.jpg").rgb
    return photo, align(photo, detector)[0]


def behind(view: Tensor, crop: Crop, believed: float) -> Behind | None:
    """What is found behind an upper rim of that height, of which a network would be so sure."""
    middle, across, _ = axes(crop.places[0])
    rims = torch.full((1, 1, 32, 64), believed)
    cells = (pixel_centers(32, 64) * torch.tensor([128, 64]) + torch.tensor([24, 52])) / 176
    _, high = placed(cells, middle, across)
    return behind_rims(view, Worn(rims=rims * ((high - ABOVE).abs() < THICK)), crop.places[0], PIXEL)


def drawn(crop: Crop, grey: float) -> Tensor:
    """The view of a face with a rim of that grey from temple to temple."""
    points = 0.5 + (pixel_centers(256, 256) - 0.5) * WIDEN
    aside, high = placed(points, *axes(crop.places[0])[:2])
    return torch.where(((high - ABOVE).abs() < THICK / 2) & (aside.abs() < 0.7), grey, crop.view)


def test_a_rim_is_where_it_is_drawn_and_gone_from_the_skin(detector: Detector) -> None:
    grey = 0.03
    photo = picture.read(PEOPLE / "06.jpg").rgb
    crop = align(photo, detector)[0]
    found = behind(drawn(crop, grey), crop, 0.9)
    of_eye = np.abs(np.linspace(-0.72, 0.72, found.edges.shape[1])) < 0.45
    upper, lower = found.edges[:, of_eye].median(1).values.tolist()
    assert upper == pytest.approx(ABOVE + THICK / 2, abs=0.02)
    assert lower == pytest.approx(ABOVE - THICK / 2, abs=0.03)
    # nearer to the skin that was there than to the rim, on the whole
    rim = drawn(crop, grey) != crop.view
    off = (found.skin - crop.view).abs()[rim]
    assert off.mean() < 0.4 * (grey - crop.view).abs()[rim].mean()


def test_what_the_network_doubts_is_no_rim(worn: tuple[Tensor, Crop]) -> None:
    _, crop = worn
    assert behind(drawn(crop, 0.03), crop, 0.3) is None
    assert behind_rims(crop.view, replace(crop.glasses[0], dark=True), crop.places[0], PIXEL) is None
    assert behind_rims(crop.view, Worn(), crop.places[0], PIXEL) is None


@pytest.mark.parametrize("name", ["surprise", "anger"])
def test_brows_move_and_rims_do_not(name: str, worn: tuple[Tensor, Crop]) -> None:
    photo, crop = worn
    found = behind_rims(crop.view, crop.glasses[0], crop.places[0], PIXEL)
    brows = crop.places[0, [AT[i] for i in (105, 334)]]  # upper edges: above the rims

    def moves(crop: Crop) -> float:
        return preset(name).flow(crop=crop)(brows[None, None]).offset[0, 1].abs().mean().item()

    assert moves(crop) > 0.6 * moves(replace(crop, glasses=()))
    held = replace(crop, glasses=(replace(crop.glasses[0], rims=None),))
    assert moves(crop) > 1.5 * moves(held)

    middle, across, up = axes(crop.places[0])
    aside = torch.linspace(-0.5, 0.5, 60)[:, None]
    on_rims = middle + aside * across + found.edges.mean(0)[torch.linspace(22, 122, 60).long(), None] * up
    x, y = crop.to_image(on_rims[None]).long().view(-1, 2).T
    edited = warp(photo, crop, preset(name))[0]
    assert torch.equal(edited[0, :, y, x], photo[0, :, y, x])
