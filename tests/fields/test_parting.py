"""Lips meet without crossing, and show no teeth where nobody asks for them."""

from __future__ import annotations

import pytest
import torch
from helpers import landmarks_with, posed

from flow_core.faces.rig import load_rig
from flow_core.fields.expressions import neutral, preset
from flow_core.fields.muscles import MusclesField
from flow_core.fields.parting import lips_apart
from flow_core.geometry.crop import Crop

RIG = load_rig()


@pytest.mark.parametrize("jaw", [0.0, 0.25, 0.7])
def test_a_neutral_mouth_is_shut(crop: Crop, jaw: float) -> None:
    """An open one too; and a shut one does not open."""
    apart = lips_apart(landmarks_with(posed(crop, jawOpen=jaw), neutral()))
    assert apart.min() > -0.05
    assert apart.max() < 0.02


@pytest.mark.parametrize("jaw", [0.0, 0.3])
def test_a_grin_that_turns_sad_shows_no_teeth(crop: Crop, jaw: float) -> None:
    grin = posed(crop, jawOpen=jaw, mouthUpperUpLeft=0.8, mouthUpperUpRight=0.8)
    assert lips_apart(grin)[0] > 0.04
    middle = lips_apart(landmarks_with(grin, preset("sadness")))[0]
    assert -0.05 < middle < 0.025
    parted = lips_apart(landmarks_with(grin, preset("anger")))[0]  # its lips bare teeth, and no farther than that
    assert middle < parted < lips_apart(grin)[0]


@pytest.mark.parametrize("jaw", [0.0, 0.3])
def test_lips_that_close_never_cross(crop: Crop, jaw: float) -> None:
    places = posed(crop, jawOpen=jaw)
    before, closed = lips_apart(places)[0], lips_apart(landmarks_with(places, MusclesField.of({"mouthClose": 1.0})))[0]
    assert closed >= min(before, torch.tensor(-0.01))
    if jaw:
        assert closed < 0.3 * before
