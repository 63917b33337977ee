"""Colours that a field names are found anew on each face that it is put on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from flow_core.editing.edit import make_field
from flow_core.editing.tinted import painted_on, regions_of
from flow_core.faces.detect import load_detector
from flow_core.faces.landmarks import AT, EYES
from flow_core.faces.regions import region_mask
from flow_core.fields.algebra import compose, mask_region, mirror, mix
from flow_core.fields.base import FieldError
from flow_core.fields.expressions import preset
from flow_core.fields.files import load_field
from flow_core.fields.muscles import TINTS, MusclesField
from flow_core.geometry.crop import Crop
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt
from flow_core.video.editor import Editor
from flow_core.video.settings import VideoSettings


@pytest.fixture(scope="module")
def red(portraits: dict[str, Tensor], crops: dict[str, Crop], guide: Guide) -> MusclesField:
    return make_field(portraits["astronaut"], crops["astronaut"], guide, Prompt.parse("red lips"), "predict")


def test_on_the_face_it_was_made_for_it_is_the_same(red: MusclesField, portraits: dict, crops: dict) -> None:
    again = painted_on(red, portraits["astronaut"], crops["astronaut"])
    assert torch.equal(again.rest.color, red.rest.color)


def test_on_another_face_it_is_on_the_lips_of_that_one(red: MusclesField, portraits: dict, crops: dict) -> None:
    """Wherever they are: here an eighth of the face square lower than those that it was made for."""
    photo, crop = portraits["grace_hopper"], crops["grace_hopper"]
    crop = replace(crop, points=crop.points - torch.tensor([0.0, crop.side.item() / 8]))
    crop = replace(Crop.from_points(crop.points, crop.image_size), landmarks=crop.landmarks)
    color = painted_on(red, photo, crop).rest.color
    lips, near = (region_mask(crop.places, "lips", color.shape[-1], edge) for edge in (0.015, 0.05))
    assert (color.abs() * (near == 0)).amax() < 0.02
    redder = (color[:, :1] - color[:, 1:2]) * lips
    assert redder.sum() / lips.sum() > 0.1
    assert (red.rest.color.abs() * (region_mask(crop.places, "lips", red.rest.size[0], 0.05) == 0)).amax() > 0.2


def test_it_is_saved_scaled_and_summed(red: MusclesField, portraits: dict, crops: dict, tmp_path: Path) -> None:
    photo, crop = portraits["grace_hopper"], crops["grace_hopper"]
    whole = painted_on(red, photo, crop).rest.color
    loaded = load_field(red.save(tmp_path / "red.safetensors"))
    half = mix([loaded, preset("smile")], [0.5, 1.0])
    for field, times in ((loaded, 1.0), (half, 0.5), (compose(preset("smile"), red), 1.0), (mirror(red), 1.0)):
        torch.testing.assert_close(painted_on(field, photo, crop).rest.color, times * whole)


def test_what_is_not_as_named_any_more_stays_a_raster(red: MusclesField, portraits: dict, crops: dict) -> None:
    crop = crops["astronaut"]
    masked = mask_region(red, crop, "eyes")
    for field in (mix([red, red], [0.5, 0.5]), masked, red.raster(crop=crop)):
        assert not regions_of(field)
        assert painted_on(field, portraits["grace_hopper"], crops["grace_hopper"]) is field


def test_each_of_several_faces_has_its_colours(portraits: dict, crops: dict, guide: Guide) -> None:
    photo, crop = portraits["astronaut"], crops["astronaut"]
    both = replace(
        Crop.from_points(crop.points.expand(2, -1, -1), crop.image_size, of_picture=(0, 0), pictures=1),
        landmarks=crop.landmarks.expand(2, -1, -1),
    )
    field = make_field(photo, both, guide, [Prompt.parse("red lips"), Prompt.parse("a smiling face")], "predict")
    assert field.select(0).meta[TINTS]["faces"][0]
    assert not field.select(1).meta[TINTS]["faces"][0]
    torch.testing.assert_close(painted_on(field, photo, both).rest.color, field.rest.color)


@pytest.mark.parametrize(
    "faces", [[], "lips", [{"lips": [1, 2]}], [{"ears": [1, 2, 3, 4]}], [{"lips": [1, 2, 3, "x"]}]]
)
def test_nonsense_is_refused(red: MusclesField, portraits: dict, crops: dict, faces: object, tmp_path: Path) -> None:
    field = red.with_meta(**{TINTS: {"times": 1.0, "faces": faces}})
    with pytest.raises(FieldError, match="colours"):
        painted_on(load_field(field.save(tmp_path / "bad.safetensors")), portraits["astronaut"], crops["astronaut"])


def test_in_a_clip_eyes_that_shut_hide_their_colour(portraits: dict, crops: dict, guide: Guide) -> None:
    photo, crop = portraits["astronaut"], crops["astronaut"]
    blue = make_field(photo, crop, guide, Prompt.parse("blue eyes"), "predict")
    places = crop.places.clone()
    for ring in EYES:
        for up, down in zip(ring[9:], ring[7:0:-1], strict=True):
            places[:, AT[up]] = places[:, AT[down]]
    shut = replace(crop, landmarks=crop.to_image(places[:, None])[:, 0])
    assert blue.rest.color.any()
    assert not painted_on(blue, photo, shut).rest.color.any()
    editor = Editor(blue, load_detector(), VideoSettings(fade=1))
    asked = editor.look((photo[0].movedim(0, -1) * 255).round().byte()).asked
    assert asked[0][0].rest is not blue.rest  # found in this frame
