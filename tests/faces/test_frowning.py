"""Reading off pictures how far brows are drawn together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from flow_core.faces.align import align
from flow_core.faces.detect import Detector
from flow_core.faces.frowning import ACROSS, HIGH, UP, WIDE, drawn_together, grid_around
from flow_core.faces.landmarks import AT, EYES
from flow_core.faces.rig import load_rig
from flow_core.fields.expressions import expression, expression_of
from flow_core.fields.units import frowning
from flow_core.geometry.crop import Crop
from flow_core.io import picture
from flow_core.warping.warp import warp

PEOPLE = Path(__file__).parents[2] / "docs" / "people"


@pytest.mark.parametrize("name", ["01", "04", "13"])
def test_a_frown_is_seen_and_nothing_else_is_one(name: str, detector: Detector) -> None:
    photo = picture.read(PEOPLE / f"{name}.jpg").rgb
    crop = align(photo, detector)[0]

    def seen(amounts: str) -> float:
        edited = warp(photo, crop, expression(amounts), 1.0, 1.0)[0]
        return drawn_together(align(edited, detector)[0]).item()

    calm = drawn_together(crop).item()
    assert seen("anger") > max(calm + 0.4, 0.5)
    for other in ("smile", "surprise", "eyes closed", "jawOpen 0.6, mouthLowerDown 0.5"):
        assert seen(other) < 0.3, other


def test_without_a_picture_nobody_frowns(crop: Crop) -> None:
    assert drawn_together(replace(crop, view=None)).tolist() == [0.0]


def test_inference_mode_changes_nothing(crop: Crop) -> None:
    with torch.inference_mode():
        inside = drawn_together(replace(crop, view=crop.view.clone()))
    assert torch.equal(inside, drawn_together(crop))


def test_what_is_seen_hangs_on_the_eyes(crop: Crop) -> None:
    """However a face lies in its crop, its eyes are at the same pixels."""
    turn = torch.tensor([[0.98, -0.2], [0.2, 0.98]])
    for places in (crop.places, 0.3 + 0.5 * (crop.places - 0.5) @ turn.T):
        grid = grid_around(places)[0]
        for eye, sign in zip(EYES, (-0.5, 0.5), strict=True):
            at = places[0, [AT[i] for i in eye]].mean(0)
            row, column = divmod((grid - at).norm(dim=-1).argmin().item(), WIDE)
            assert abs(row + 0.5 - HIGH / 2 - UP * WIDE / ACROSS) <= 1
            assert abs(column + 0.5 - WIDE / 2 - sign * WIDE / ACROSS) <= 1


def test_who_frowns_is_copied_with_a_frown() -> None:
    """Brows of the angry come down and together; those of the sad come together, and their inner ends stay up."""
    names = load_rig().unit_names
    at = {n: i for i, n in enumerate(names)}
    units = torch.zeros(2, len(names))
    units[1, at["browInnerUp"]] = 1.0
    angry, sad = frowning(units, torch.ones(2))
    for side in ("Left", "Right"):
        assert angry[at["browTogether" + side]] == sad[at["browTogether" + side]] == 1
        assert angry[at["browDown" + side]] > 0.5 > sad[at["browDown" + side]] == 0
    assert sad[at["browInnerUp"]] == 1
    units[:, at["browDownLeft"]] = -0.3  # as of those who smile
    assert torch.equal(frowning(units, torch.zeros(2)), units)


def test_a_copied_frown_is_one(detector: Detector) -> None:
    """An angry face, copied to others, draws their brows together and down."""
    source, target = (picture.read(PEOPLE / f"{n}.jpg").rgb for n in ("01", "13"))
    crop, theirs = (align(photo, detector)[0] for photo in (source, target))
    angry = warp(source, crop, expression("anger"), 1.0, 1.0)[0]
    made = warp(target, theirs, expression_of(align(angry, detector)[0]), 1.0, 1.0)[0]
    assert drawn_together(align(made, detector)[0]) > drawn_together(theirs) + 0.4
