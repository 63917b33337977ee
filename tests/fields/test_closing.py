"""Grins that shut: lips that taper into their corners, with a border as crisp as it was, and a chin that stays."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from helpers import landmarks_with
from torch import Tensor

from flow_core.faces.landmarks import AT, EYES
from flow_core.fields.expressions import preset
from flow_core.fields.face import Face
from flow_core.fields.following import landmarks_after, lips_settled
from flow_core.fields.lips import EDGES
from flow_core.fields.moved import moved_face
from flow_core.fields.muscles import MusclesField
from flow_core.fields.units import fit_shown
from flow_core.geometry.crop import Crop


def heights(places: Tensor, share: float) -> Tensor:
    """Of the upper and the lower lip at a share of the way from either corner to the other, the mean of the two, in widths of the mouth."""
    left, right = places[EDGES[0][0]], places[EDGES[0][-1]]
    across = right - left
    axes = torch.stack([across, torch.stack([-across[1], across[0]])]) / across.square().sum()
    rows = []
    for outer, edge in zip((True, False, True, False), EDGES, strict=True):
        ring = places[edge] if outer else torch.cat([left[None], places[edge], right[None]])
        a, b = axes @ (ring - left).T
        at = torch.searchsorted(a.contiguous(), torch.tensor([share, 1 - share])).clamp(1, len(a) - 1)
        part = (torch.tensor([share, 1 - share]) - a[at - 1]) / (a[at] - a[at - 1])
        rows.append(torch.lerp(b[at - 1], b[at], part).mean())
    upper, top, lower, bottom = rows
    return torch.stack([top - upper, lower - bottom])


@pytest.mark.parametrize(("name", "most"), [("neutral", 0.5), ("sadness", 0.45), ("kiss", 0.6)])
def test_lips_of_a_grin_that_shuts_taper(crop: Crop, name: str, most: float) -> None:
    """Of people at rest the lower lip is half as high as in the middle an eighth from its corners; in a grin it is nearly as high."""
    places = crop.places[0]
    shut = landmarks_with(places, preset(name))
    ends, middle = heights(shut, 0.12), heights(shut, 0.5)
    assert heights(places, 0.12)[1] / heights(places, 0.5)[1] > 0.7
    assert 0.3 < ends[1] / middle[1] < most
    assert 0.3 < ends[0] / middle[0] < 0.75
    # along their line corners lie where lips meet
    assert heights(shut, 0.02).max() < 0.022


def test_a_mouth_at_rest_is_as_wide_and_a_chin_as_low_as_with_people(crop: Crop) -> None:
    places = crop.places[0]
    shut = landmarks_with(places, preset("neutral"))
    eyes = (places[AT[EYES[1][0]]] - places[AT[EYES[0][0]]]).norm()
    width = (shut[EDGES[0][0]] - shut[EDGES[0][-1]]).norm() / eyes
    assert 0.47 < width < 0.56
    assert (shut - places)[AT[152]].norm() < 0.004


@pytest.mark.parametrize("name", ["neutral", "sadness", "kiss"])
def test_skin_beside_lips_that_shut_has_no_streaks(crop: Crop, name: str) -> None:
    """Between nose and lips, and between lips and chin, it is drawn out nearly as much at one place as at another."""
    face = moved_face(Face(fit_shown(crop.places), crop.places[0]), preset(name))
    places = landmarks_with(crop.places[0], preset(name))
    for first, last, most in ((2, 0, 2.5), (17, 152, 1.45)):
        way = torch.linspace(0.0, 1.0, 13)[:, None]
        line = torch.lerp(places[AT[first]], places[AT[last]], way)
        source = line[:, 1] + face(line[None, None])[0][0, 1, 0]
        stretch = line[:, 1].diff() / source.diff()
        assert stretch.min() > 0.5
        assert stretch.max() < most


@pytest.mark.parametrize("name", ["neutral", "sadness"])
def test_the_border_of_lips_that_shut_stays_crisp(crop: Crop, name: str) -> None:
    """A little inside of it lip is seen, and a little outside skin, all along the mouth."""
    face = moved_face(Face(fit_shown(crop.places), crop.places[0]), preset(name))
    rims, length = face.mouth.rims, face.mouth.rims.target.length
    index = torch.arange(26, 230, 4)
    a, little = index / 255 * length, 0.002
    for edge, out in ((0, -1), (3, 1)):
        for way in (-1, 1):  # into the lip, and out of it
            x, y = rims.target.back(a, rims.after[edge, index] + way * out * little)
            offset = face(torch.stack([x, y], -1)[None, None])[0][0, :, 0]
            along, height = rims.source.to(x + offset[0], y + offset[1])
            before = rims.seen[edge, (along / rims.source.length * 255).round().long()]
            beyond = (height - before) * out
            assert (beyond * way > 0).float().mean() > 0.95
            assert beyond.abs().max() < 0.006


def test_the_seam_of_lips_that_meet_is_a_line_in_small_pictures_too(crop: Crop) -> None:
    """And no bar as high as lips."""
    pixel = 0.013
    face = moved_face(replace(Face(fit_shown(crop.places), crop.places[0]), pixel=pixel), preset("neutral"))
    mouth = face.mouth
    middle = mouth.lips[:, 128].mean().item()
    heights = middle + torch.linspace(-0.05, 0.05, 101)
    x, y = mouth.target.back(torch.full_like(heights, mouth.target.length / 2), heights)
    dark = face(torch.stack([x, y], -1)[None, None])[1].flatten()
    assert 0.1 < dark.max() < 0.25
    assert (dark > dark.max() / 2).float().sum() * 0.001 < 2 * pixel


def test_what_shuts_no_grin_changes_nothing(crop: Crop) -> None:
    """To the bit: a smile that grows, a jaw that drops, a mouth that was shut; and a grin that is going goes little by little."""
    places = crop.places[0]
    face = fit_shown(crop.places)
    names, shown = face.rig.unit_names, face.units[0]

    def missed(places: Tensor, units: Tensor) -> float:
        face = fit_shown(places[None])
        found = lips_settled(face, places, landmarks_after(face, places, units[None]), units[None])
        return 0.0 if found is None else found[0].item()

    drops = shown.clone()
    drops[names.index("jawOpen")] += 0.5
    assert missed(places, shown) == 0
    assert missed(places, drops) == 0
    shut = landmarks_with(places, preset("neutral"))
    assert missed(shut, torch.zeros_like(shown)) == 0
    some = [missed(places, shown * (1 - share)) for share in (0.02, 0.25, 0.5, 1.0)]
    assert some[0] < 0.01
    assert some == sorted(some)
    assert some[3] > 0.5
    face = moved_face(Face(face, places), MusclesField.of({"mouthSmile": 0.3, "jawOpen": 0.4}))
    assert face.mouth.rims is None


def test_what_is_kept_of_a_grin_is_of_its_landmarks_and_goes_with_the_face(crop: Crop) -> None:
    places = crop.places[0]
    lower = places + places.new_tensor([0.0, 0.01]) * (torch.arange(len(places)) == AT[17])[:, None]
    face, units = fit_shown(crop.places), torch.zeros(1, len(fit_shown(crop.places).units[0]))
    first, other, again = (
        lips_settled(face, at, landmarks_after(face, at, units), units)[1] for at in (places, lower, places)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    gone = weakref.ref(face)
    del face
    gc.collect()
    assert gone() is None
