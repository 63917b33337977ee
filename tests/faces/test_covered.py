"""What covers a face is found, said, and left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers import Remembering
from torch import Tensor

from flow_core.faces.align import align
from flow_core.faces.covered import RASTER, covered, within, without_islands
from flow_core.faces.doubts import doubts
from flow_core.faces.landmarks import AT, EYES, LIPS
from flow_core.fields.expressions import preset
from flow_core.fields.muscles import MusclesField
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.mesh import polygon_distance
from flow_core.warping.warp import warp


def microphone(photo: Tensor, crop: Crop) -> tuple[Tensor, Tensor]:
    """A dark ball on a stick before the mouth, and where it is ``[H,W]``."""
    mouth = crop.points[0, 3:].mean(0)
    size = photo.new_tensor([photo.shape[3], photo.shape[2]])
    at = pixel_centers(photo.shape[2], photo.shape[3])[0] * size - mouth
    radius = 0.11 * crop.side[0]
    ball = at.norm(dim=-1) < radius
    stick = (at[..., 0].abs() < radius / 2) & (at[..., 1] > 0)
    there = ball | stick
    shade = 0.12 + 0.1 * (1 - (at / radius).square().sum(-1)).clamp(0, 1)
    return torch.where(there, shade, photo), there


def test_a_microphone_stays_as_it_is(astronaut: Tensor, crop: Crop, finder: Remembering) -> None:
    photo, there = microphone(astronaut, crop)
    found, _ = align(photo, finder)
    assert found.covered is not None
    said = " ".join(doubts(found))
    assert "covers" in said
    assert "mouth" in said
    smiling, _ = warp(photo, found, preset("smile"))
    change = (smiling - photo).abs().amax(1)[0]
    # the free edge of the ball may be off by a cell of the network's answer
    assert change[there].mean() < 0.25 * change[~there & (change > 0)].mean()
    bare, _ = warp(photo, found.select(0).widen(1.0), preset("smile"))
    assert (bare - photo).abs().amax(1)[0][there].mean() > 4 * change[there].mean()  # without it the microphone bends


@pytest.mark.parametrize(("side", "painted"), [(128, 0.0), (256, 0.2)])
def test_hair_before_a_face_is_dyed_and_a_hand_is_not(crop: Crop, side: int, painted: float) -> None:
    """Colours on a raster as fine as that of hair spare what covers the face themselves, if it is no fringe."""
    under = replace(crop, covered=torch.ones(1, 1, 48, 48))
    color = Field(torch.zeros(1, 2, side, side), torch.full((1, 3, side, side), 0.2))
    found = replace(MusclesField.zeros(), rest=color).flow(crop=under)(torch.full((1, 1, 1, 2), 0.5))
    assert found.color.flatten().tolist() == pytest.approx([painted] * 3)


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper"])
def test_a_bare_face_has_nothing_on_it(portraits: dict[str, Tensor], finder: Remembering, name: str) -> None:
    found, _ = align(portraits[name], finder)
    assert found.covered is None
    assert not doubts(found)


def test_a_painted_eye_is_no_cover_but_a_strand_and_dark_glasses_are(crop: Crop) -> None:
    inside, cells = within(crop.places)[0], pixel_centers(RASTER, RASTER)[0]
    left, right = (
        ((cells - crop.places[0, [AT[i] for i in eye]].mean(0)).norm(dim=-1) < 0.06).float()[None] for eye in EYES
    )
    height = (cells[..., 1] - crop.places[0, [AT[i] for i in EYES[0]], 1].mean()).abs()
    strand = ((height < 0.03) & (cells[..., 0] < 0.4)).float()[None] * inside
    assert not without_islands(left, inside, crop.places[0]).any()
    for cover in ((left + strand).clamp(max=1), (left + right).clamp(max=1)):
        assert torch.equal(without_islands(cover, inside, crop.places[0]), cover)


@pytest.mark.parametrize(("beside", "left"), [(0.04, 0.0), (-0.06, 1.0)])
def test_a_mouth_is_covered_as_a_whole_or_not_at_all(
    crop: Crop, astronaut: Tensor, monkeypatch: pytest.MonkeyPatch, beside: float, left: float
) -> None:
    """What lies beside it spares some of the skin around, and half of a mouth that moves would be half transparent teeth."""
    lips = crop.places[0, [AT[i] for i in LIPS]]
    cells = pixel_centers(RASTER, RASTER)[0]
    found = (cells[..., 0] > lips[:, 0].max() + beside).float() * within(crop.places)[0, 0]
    monkeypatch.setattr("flow_core.faces.covered.likely_covered", lambda *_: (found[None, None], torch.ones(1)))
    kept = covered(astronaut, crop)
    there = polygon_distance(lips, cells) > 0
    assert kept[0, 0][there].tolist() == pytest.approx([left] * int(there.sum()))
    assert kept[0, 0][cells[..., 1] < lips[:, 1].min() - 0.12].max() == 1


def test_what_nothing_is_sure_of_is_no_cover(crop: Crop) -> None:
    inside, cells = within(crop.places)[0], pixel_centers(RASTER, RASTER)[0]
    shade = (cells[..., 1] > crop.places[0, AT[2], 1]).float()[None] * inside
    assert not without_islands(0.45 * shade, inside, crop.places[0]).any()
    assert without_islands(0.55 * shade, inside, crop.places[0]).any()
