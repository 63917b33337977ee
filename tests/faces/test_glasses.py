"""Glasses are told from bare faces, and do not bend."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from flow_core.faces.align import align
from flow_core.faces.detect import Detector
from flow_core.faces.landmarks import AT, NOSE
from flow_core.fields.expressions import preset
from flow_core.geometry.crop import Crop
from flow_core.io import picture

PEOPLE = Path(__file__).parents[2] / "docs" / "people"


def face(name: str, detector: Detector) -> Crop:
    return align(picture.read(PEOPLE / name).rgb, detector)[0]


@pytest.mark.parametrize(("name", "worn"), [("14.jpg", True), ("09.jpg", False), ("13.jpg", False), ("17.jpg", False)])
def test_who_wears_glasses(name: str, worn: bool, detector: Detector) -> None:
    assert face(name, detector).glasses == (worn,)


def test_glasses_stay_while_the_mouth_moves(detector: Detector) -> None:
    crop = face("14.jpg", detector)
    places = crop.places[0]
    bridge, lip = places[AT[NOSE[0]]], places[AT[61]]
    rims = [places[AT[i]] + torch.tensor([0.0, 0.05]) for i in (145, 374)]
    at = torch.stack([bridge, *rims, lip])[None, None]
    for name in ("surprise", "smile", "anger"):
        moved = preset(name).flow(crop=crop)(at).offset[0, :, 0].norm(dim=0)
        assert moved[:3].max() < 1e-3
        assert moved[3] > 0.005


def test_a_selected_face_keeps_its_glasses(detector: Detector) -> None:
    crop = face("14.jpg", detector)
    assert crop.select(0).glasses == (True,)
    assert crop.for_pictures(3).glasses == (True,) * 3
