"""A mouth that opens is round at its corners, and its skin goes along."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flow_core.faces.landmarks import AT, LIPS, LIPS_INNER
from flow_core.fields.expressions import preset
from flow_core.fields.face import Face
from flow_core.fields.moved import moved_face
from flow_core.fields.opening import rounded
from flow_core.fields.units import fit_shown
from flow_core.geometry.crop import Crop


def almond(places: Tensor, opening: float) -> Tensor:
    """Landmarks with lips drawn straight from the corners to the middle, which is so many widths of the mouth wide."""
    made, inner = places.clone(), [AT[i] for i in LIPS_INNER]
    left, right = places[inner[0]], places[inner[10]]
    for k, i in enumerate(inner):
        along = k if k <= 10 else 20 - k
        made[i] = left + (right - left) * along / 10
        made[i, 1] += (1 if k < 10 else -1) * opening / 2 * (right - left)[0] * (1 - abs(along - 5) / 5)
    return made


@pytest.mark.parametrize("name", ["surprise", "scream"])
def test_an_open_mouth_is_no_lozenge(crop: Crop, name: str) -> None:
    """A tenth of the way across, the opening is half as high as in the middle; as in photographs of open mouths."""
    mouth = moved_face(Face(fit_shown(crop.places), crop.places[0]), preset(name)).mouth
    top, bottom = mouth.lips
    opening = (bottom - top) / (bottom - top).max()
    assert 0.42 < opening[25] < 0.75
    assert 0.42 < opening[-26] < 0.75


def test_lips_part_beyond_where_they_meet_at_rest(crop: Crop) -> None:
    """The line between them would go on as a crack beside the opening. Where nothing parts nothing of this is seen."""
    places = almond(crop.places[0], 0.0)
    face = Face(fit_shown(places[None]), places)
    fear, shut = (moved_face(face, preset(name)).mouth for name in ("fear", "wink"))
    inner, outer = ([places[AT[ring[k]]] for k in (0, 10)] for ring in (LIPS_INNER, LIPS))
    width = (inner[1] - inner[0]).norm().item()
    assert width * 1.02 < fear.source.length < (outer[1] - outer[0]).norm().item()
    assert shut.source.length == pytest.approx(width, rel=1e-4)


def test_lips_go_apart_beside_the_middle_and_nowhere_else(crop: Crop) -> None:
    shut, open_ = almond(crop.places[0], 0.0), almond(crop.places[0], 0.6)
    left, right = open_[AT[78]], open_[AT[308]]
    width = (right - left).norm()
    near = left + 0.15 * (right - left)
    above, below, far = (
        near - width * torch.tensor([0.0, 0.15]),
        near + width * torch.tensor([0.0, 0.15]),
        near + 2 * width,
    )
    moved = rounded(shut, open_, torch.stack([left, above, below, far, right]))
    assert moved is not None
    assert moved[1, 1] < -0.01 * width < 0.01 * width < moved[2, 1]
    assert moved[[0, 3, 4]].abs().max() < 1e-4


def test_corners_go_down_half_of_a_jaws_way_but_not_in_a_smile(crop: Crop) -> None:
    shut, dropped = almond(crop.places[0], 0.0), almond(crop.places[0], 0.8)
    upper = [AT[i] for i in LIPS_INNER[11:]]
    dropped[upper] = shut[upper]  # only the lower lip has moved
    left, right, middle = dropped[AT[78]], dropped[AT[308]], (dropped[AT[13]] + dropped[AT[14]]) / 2
    height = (dropped[AT[14]] - dropped[AT[13]])[1]
    moved = rounded(shut, dropped, torch.stack([left, right, middle]))
    assert ((moved[:2, 1] / height - 0.45).abs() < 0.05).all()
    assert moved[2].abs().max() < 1e-3
    smiling = rounded(shut, dropped, torch.stack([left, right]), smile=0.8)
    assert smiling.abs().max() < 1e-4


def test_a_mouth_that_opens_no_farther_stays(crop: Crop) -> None:
    open_ = almond(crop.places[0], 0.5)
    assert rounded(open_, open_, crop.places[0]) is None
