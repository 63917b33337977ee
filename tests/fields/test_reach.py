"""Units are found with which a face is read as asked."""

from __future__ import annotations

import pytest
import torch
from helpers import landmarks_with

from flow_core.faces.read import UNITS, read_units
from flow_core.fields.expressions import copied, neutral
from flow_core.fields.following import landmarks_after
from flow_core.fields.reach import nearest
from flow_core.fields.units import fit_shown, read_shown, target_units, units_after
from flow_core.geometry.crop import Crop


def test_a_face_that_keeps_its_units_keeps_its_landmarks(crop: Crop) -> None:
    face = fit_shown(crop.places)
    assert torch.allclose(landmarks_after(face, crop.places[0], face.units)[0], crop.places[0], atol=1e-6)


def test_a_copied_expression_is_read_as_it_was(crop: Crop, crops: dict[str, Crop]) -> None:
    """Nearer to what was read on the source than units that are only scaled; brows are asked for more, as less of them is seen."""
    source, place = crops["grace_hopper"].places, crop.places[0]
    field, wanted = copied(read_shown(source)), read_units(source)[0]
    face = fit_shown(crop.places)
    scaled = target_units(face.units[0], field.relax[0], field.units[0])
    chosen = [i for i, n in enumerate(UNITS) if n.startswith(("mouthSmile", "jawOpen", "mouthPress", "mouthLower"))]
    missed = [
        (read_units(places[None])[0] - wanted)[chosen].norm()
        for places in (place, landmarks_after(face, place, scaled[None])[0], landmarks_with(place, field))
    ]
    assert missed[2] < 0.8 * missed[0]
    assert missed[2] < missed[1]


def test_strength_of_a_copied_expression_is_steady(crop: Crop, crops: dict[str, Crop]) -> None:
    """Nothing jumps between no strength and all."""
    field, face = copied(read_shown(crops["grace_hopper"].places)), fit_shown(crop.places)
    units = [
        units_after(face, crop.places[0], field.relax[0] * s, field.units[0] * s) for s in (0.0, 0.02, 0.5, 0.52, 1.0)
    ]
    assert torch.equal(units[0], face.units[0])
    assert (units[1] - units[0]).abs().max() < 0.15
    assert (units[3] - units[2]).abs().max() < 0.15


def test_a_search_does_not_hang_on_the_last_bit(crop: Crop) -> None:
    """Other threads and devices round otherwise; what is found must not depend on that."""
    field, found = neutral(), []
    for way in (0.0, 1e-7, -1e-7):
        places = crop.places + way * torch.randn(crop.places.shape, generator=torch.Generator().manual_seed(1))
        found.append(units_after(fit_shown(places), places[0], field.relax[0], field.units[0]))
    assert max((other - found[0]).abs().max() for other in found[1:]) < 2e-3


def test_units_beside_one_at_its_bound_make_up_for_it() -> None:
    """Two units do the same; what the one may not, the other does, however the numbers are rounded."""
    for much in torch.linspace(0.3, 0.9, 7):
        found = nearest(
            lambda units, much=much: (much - units.sum(1, keepdim=True)) / 1e-3,
            torch.tensor([0.0, 0.01]), torch.tensor([1.0, 1.0]), torch.tensor([0.0, 0.0]), torch.tensor([0.1, 1.0]), 1,
        )  # fmt: skip
        assert found[0] == pytest.approx(0.1, abs=1e-4)
        assert found.sum() == pytest.approx(much.item(), abs=1e-3)
