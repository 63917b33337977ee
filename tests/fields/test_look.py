"""Expressions that are copied, and taken away, are looked for in the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from flow_core.faces.align import align
from flow_core.faces.detect import Detector
from flow_core.faces.read import UNITS
from flow_core.faces.shown import mended, read_picture, view
from flow_core.fields.expressions import expression_of, neutral, preset
from flow_core.fields.face import Face
from flow_core.fields.following import landmarks_after
from flow_core.fields.gaze import eyelids_and_gaze
from flow_core.fields.look import Look
from flow_core.fields.moved import COARSE, moved_face
from flow_core.fields.muscles import MuscleFlow, MusclesField, looked_at
from flow_core.fields.units import fit_shown, units_after
from flow_core.geometry.crop import Crop
from flow_core.io import picture
from flow_core.warping.warp import warp

PEOPLE = Path(__file__).parents[2] / "docs" / "people"


def test_a_look_sees_what_the_warp_shows(crop: Crop, astronaut: Tensor) -> None:
    """Drawn small, a face is read as it is read in the picture at its own size."""
    face, place, field = fit_shown(crop.places), crop.places[0], preset("surprise")
    after = units_after(face, place, field.relax[0], field.units[0])

    def drawn(units: Tensor) -> MuscleFlow:
        return MuscleFlow(
            [moved_face(replace(Face.of(crop, 0, face), pixel=0.004), field, COARSE, units)], None, 0.12, place.device
        )

    look = Look(crop.view, drawn)
    assert torch.allclose(look.before, read_picture(crop.view)[0])
    whole = read_picture(view(warp(astronaut, crop, field)[0], crop))[0]
    assert (look.after(after) - whole).abs().max() < 0.12
    assert (whole - look.before).abs().max() > 0.4


def test_a_face_that_is_edited_again_is_read_once(crop: Crop, monkeypatch: pytest.MonkeyPatch) -> None:
    crop, pictures = replace(crop, view=crop.view.clone()), []

    def reading(seen: Tensor) -> Tensor:
        pictures.append(seen)
        return read_picture(seen)

    monkeypatch.setattr("flow_core.fields.look.read_picture", reading)
    for strength in (1.0, 0.5):
        neutral().scale(strength).flow(crop=crop)
    assert len(pictures) == 3  # as it is, and as either edit leaves it
    assert sum(torch.equal(seen, crop.view) for seen in pictures) == 1


def test_a_face_at_rest_shows_less_than_its_landmarks_do(finder: Detector) -> None:
    """Of squints and frowns that are to go, less is left in the picture where it is looked at."""
    image = picture.read(PEOPLE / "20.jpg").rgb
    target, _ = align(image, finder)
    chosen = [i for i, n in enumerate(UNITS) if n.startswith(("browDown", "eyeSquint"))]
    left = []
    for crop in (replace(target, view=None), target):
        result = warp(image, crop, neutral())[0]
        left.append(read_picture(view(result, crop))[0][chosen].sum())
    assert left[1] < 0.97 * left[0]


@pytest.mark.parametrize("shut", [0.0, 0.3, 0.9])
def test_a_face_at_rest_has_its_own_eyes(crop: Crop, shut: float) -> None:
    """Lids that are read as half shut part a little, those that are shut stay so: nobody knows the eye behind."""
    face = Face.of(crop, 0, fit_shown(crop.places))
    names = face.fitted.rig.unit_names
    units = face.fitted.units.clone()
    units[0, [names.index("eyeBlink" + side) for side in ("Left", "Right")]] = shut
    face = replace(face, fitted=replace(face.fitted, units=units))
    rest = looked_at(face, neutral())
    for factor in eyelids_and_gaze(units[0].tolist(), rest.tolist(), names)[0]:
        assert factor < {0.0: 1.15, 0.3: 1.31, 0.9: 1.001}[shut]


@pytest.mark.parametrize(("blink", "least", "most"), [(0.3, 0.4, 0.97), (0.8, 0.0, 0.1)])
def test_copied_lids_go_as_far_as_those_of_the_other(crop: Crop, blink: float, least: float, most: float) -> None:
    """MediaPipe believes half of what lids do, so that a search for the same reading would shut every eye that is to narrow."""
    face = Face.of(crop, 0, fit_shown(crop.places))
    after = looked_at(face, MusclesField.of({"relax": 1.0, "eyeBlink": blink}))
    for factor in eyelids_and_gaze(face.fitted.units[0].tolist(), after.tolist(), face.fitted.rig.unit_names)[0]:
        assert least <= factor <= most


def test_only_whole_expressions_are_looked_for(crop: Crop) -> None:
    """Muscles by name do as they say; strength 0 stays nothing."""
    for field in (preset("smile"), MusclesField.of({"eyeBlinkLeft": 1.0})):
        points = crop.to_crop(crop.landmarks[:, None])
        assert torch.equal(
            field.flow(crop=crop)(points).offset, field.flow(crop=replace(crop, view=None))(points).offset
        )
    assert not neutral(0.0).flow(crop=crop)(crop.to_crop(crop.landmarks[:, None])).offset.any()


def test_strength_is_steady(crops: dict[str, Crop]) -> None:
    """A little more strength moves a face a little."""
    crop = crops["grace_hopper"]
    face, field = fit_shown(crop.places), expression_of(crops["astronaut"])
    face = replace(Face.of(crop, 0, face), glasses=None)
    units = torch.stack([looked_at(face, field.scale(s)) for s in (0.4, 0.45, 0.95, 1.0)])
    places = landmarks_after(face.front, face.landmarks, units)
    for one, other in (places[:2], places[2:]):
        assert (one - other).norm(dim=-1).max() < 0.015


def test_a_copied_laugh_bares_teeth_and_no_gums(crops: dict[str, Crop]) -> None:
    """On lips that are closed, a search for what a laugh is read as would lift the upper lip to the nose."""
    target = crops["grace_hopper"]
    face, laugh = fit_shown(target.places), expression_of(crops["astronaut"])
    names = face.rig.unit_names
    after = units_after(face, target.places[0], laugh.relax[0], laugh.units[0])
    assert after[names.index("mouthSmileLeft")] > 0.5
    assert 0.1 < after[names.index("mouthUpperUpLeft")] < 0.65


def test_what_is_missing_is_mended_on_both_sides() -> None:
    missing = torch.zeros(52)
    for name in ("eyeBlinkLeft", "eyeLookUpLeft", "jawOpen"):
        missing[UNITS.index(name)] = 0.4
    change = dict(zip(UNITS, mended(missing).tolist(), strict=True))
    assert change["eyeBlinkLeft"] == change["eyeBlinkRight"] == pytest.approx(0.2)
    assert change["eyeLookUpLeft"] == pytest.approx(0.4)
    assert change["jawOpen"] == 0
