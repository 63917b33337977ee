"""Whose proportions are a baby's."""

from __future__ import annotations

import torch

from flow_core.faces.age import childlike
from flow_core.faces.landmarks import AT, IRISES
from flow_core.geometry.crop import Crop


def test_adults_are_no_babies(crops: dict[str, Crop]) -> None:
    for crop in crops.values():
        assert childlike(crop.places) == 0


def test_large_irises_in_a_short_face_are_a_babys_whatever_its_size(crops: dict[str, Crop]) -> None:
    places = crops["grace_hopper"].places.clone()
    eyes = places[:, [AT[33], AT[263]]].mean(1, keepdim=True)
    baby = eyes + (places - eyes) * torch.tensor([1.0, 0.8])
    for center, *ends in IRISES:
        at = [AT[i] for i in ends]
        middle = baby[:, [AT[center]]]
        baby[:, at] = middle + (baby[:, at] - middle) * 1.45
    assert childlike(baby) > 0.5
    torch.testing.assert_close(childlike(baby * 0.3), childlike(baby), atol=1e-3, rtol=0)
