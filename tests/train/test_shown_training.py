"""What the reader of pictures learns from."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flow_core.faces.read import OTHER_SIDE, UNITS
from flow_core.faces.shown import load_picture_reader
from flow_core.fields.expressions import neutral
from flow_core.geometry.crop import Crop
from flow_core.train import data, shown


@pytest.fixture(scope="module")
def faces(crop: Crop, astronaut: Tensor) -> data.Faces:
    image, points = data.square(astronaut, crop.landmarks[0])
    return data.Faces(image[None], points[None], ("",), ("portraits",), torch.ones(1, dtype=torch.bool))


def test_stored_faces_are_read_as_what_they_show(faces: data.Faces) -> None:
    """Mirrored views with the sides exchanged, others as they are."""
    truth = torch.zeros(1, 52)
    truth[0, UNITS.index("eyeBlinkLeft")] = 1.0
    features, laid, units = shown.seen(shown.stored(faces), truth, 6, 0)
    with torch.no_grad():
        read = load_picture_reader()(features, laid)
    assert read[:, UNITS.index("mouthSmileLeft")].min() > 0.5
    assert torch.equal(units[0], truth[0])
    sides = {int(u.argmax()) for u in units}
    assert sides == {UNITS.index("eyeBlinkLeft"), OTHER_SIDE[UNITS.index("eyeBlinkLeft")]}


def test_pictures_are_made_with_other_expressions(faces: data.Faces) -> None:
    asked = []

    def teacher(image: Tensor) -> Tensor | None:
        asked.append(image)
        return None if len(asked) == 2 else torch.full((52,), float(len(asked)))

    pictures, units = shown.make(faces, 1, teacher, 0)
    assert len(asked) == shown.EACH
    assert len(pictures) == len(units) == shown.EACH - 1  # in one the teacher found no face
    assert all((image - asked[0]).abs().max() > 0.1 for image in asked[1:])


def test_an_expression_strays(faces: data.Faces) -> None:
    change = shown.shaken(neutral(), torch.Generator().manual_seed(1)).units[0]
    assert 0.1 < change.abs().max() < 1.0
