"""Eyes look together, and straight ahead or into the camera where nobody asks for more."""

from __future__ import annotations

import pytest
import torch
from helpers import landmarks_with

from flow_core.faces.landmarks import AT, EYES, IRISES
from flow_core.faces.rig import load_rig
from flow_core.fields.expressions import neutral
from flow_core.fields.gaze import looking_together
from flow_core.geometry.crop import Crop

RIG = load_rig()


def test_between_narrow_lids_no_gaze_is_guessed(crop: Crop) -> None:
    irises = [AT[i] for side in IRISES for i in side]
    shift = []
    for narrow in (1.0, 0.35):
        places = crop.places[0].clone()
        for ring in EYES:
            upper, lower = ([AT[ring[i]] for i in half] for half in (range(15, 8, -1), range(1, 8)))
            less = (places[lower] - places[upper]) * (1 - narrow) / 2
            places[upper], places[lower] = places[upper] + less, places[lower] - less
        places[irises, 0] += 0.02
        shift.append((landmarks_with(places, neutral()) - places)[irises, 0].mean().item())
    assert shift[0] < -0.003
    assert abs(shift[1]) < 0.3 * abs(shift[0])


def test_eyes_turn_together(crop: Crop) -> None:
    names = RIG.unit_names
    shown = RIG.unit_vector({"eyeLookOutLeft": 0.5, "eyeLookOutRight": 0.3, "eyeLookUp": 0.4})
    found = looking_together(shown, torch.zeros_like(shown), torch.zeros_like(shown), names)

    def aside(left: str, right: str) -> float:
        return sum((found - shown)[names.index(n)].item() * sign for n, sign in ((left, 1), (right, -1)))

    to_left, to_left_too = aside("eyeLookOutLeft", "eyeLookInLeft"), aside("eyeLookInRight", "eyeLookOutRight")
    assert to_left == pytest.approx(to_left_too) == pytest.approx(-0.1)
    up = names.index("eyeLookUpLeft")
    assert 0.1 < found[up] < 0.3  # how high they look is hardly known
    asked = RIG.unit_vector({"eyeLookDown": 0.5})
    assert looking_together(shown, torch.zeros_like(shown), asked, names)[up] == pytest.approx(0.0)


@pytest.mark.parametrize(("camera", "left"), [(0.0, 0.0), (0.2, 0.2), (0.5, 0.5), (0.8, 0.5), (-0.3, 0.0)])
def test_who_looks_into_the_camera_still_does(camera: float, left: float) -> None:
    names = RIG.unit_names
    rest = RIG.unit_vector({})
    shown = RIG.unit_vector({"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5})
    found = looking_together(shown, rest, rest, names, camera)
    aside = [
        found[names.index(a)] - found[names.index(b)]
        for a, b in (("eyeLookOutLeft", "eyeLookInLeft"), ("eyeLookInRight", "eyeLookOutRight"))
    ]
    assert [v.item() for v in aside] == pytest.approx([left, left])
    asked = RIG.unit_vector({"eyeLookOutLeft": -0.5, "eyeLookInRight": -0.5})
    assert looking_together(shown, rest, asked, names, camera)[names.index("eyeLookOutLeft")] == pytest.approx(0.0)


def test_eyes_go_ahead_from_where_they_are_seen_to_look(crop: Crop) -> None:
    """Whatever is read of them."""
    names, rest = RIG.unit_names, torch.zeros(len(RIG.unit_names))
    found = looking_together(rest, rest, rest, names, torch.tensor(-0.2), 1.0, (torch.tensor(0.6), 1.0))
    out, back = (found[names.index(n + "Left")] for n in ("eyeLookOut", "eyeLookIn"))
    assert (out - back).item() == pytest.approx(-0.6)
