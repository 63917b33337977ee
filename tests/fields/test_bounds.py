"""Brows, eyes, and the corners of mouths go no farther than people's."""

from __future__ import annotations

import pytest
import torch
from helpers import landmarks_with, posed
from torch import Tensor

from flow_core.faces.landmarks import AT, BROWS, EYES
from flow_core.faces.rig import load_rig
from flow_core.fields.bounds import SAGS, SKIN_BELOW
from flow_core.fields.expressions import neutral, preset
from flow_core.fields.following import landmarks_after
from flow_core.fields.muscles import MusclesField
from flow_core.fields.units import fit_shown, units_after
from flow_core.geometry.crop import Crop

RIG = load_rig()


def over_lids(places: Tensor) -> Tensor:
    """How high the middle of either brow lies over its lid."""
    return torch.stack([places[AT[lid], 1] - places[AT[brow], 1] for brow, lid in ((52, 159), (282, 386))])


@pytest.mark.parametrize("lower", [0.0, 0.35])
@pytest.mark.parametrize("names", [("browDown",), ("browInnerUp", "browOuterUp")])
def test_brows_go_as_far_as_the_skin_over_the_eyes_allows(crop: Crop, names: tuple[str, ...], lower: float) -> None:
    """Low brows too; a slight frown or raise is what was asked, and the more is asked the more is done."""
    places = posed(crop, browDownLeft=lower, browDownRight=lower)
    face, at = fit_shown(places[None]), [i for i, n in enumerate(RIG.unit_names) if n.startswith(names)]
    before, done = over_lids(places), []
    for asked in (0.0, 0.15, 0.6, 1.2):
        field = MusclesField.of(dict.fromkeys(names, asked))
        done.append((units_after(face, places, field.relax[0], field.units[0]) - face.units[0])[at])
        left = over_lids(landmarks_with(places, field)) / before
        assert ((left > 0.15) & (left < 1.7)).all(), asked
    assert not done[0].any()
    assert (done[1] > 0.75 * 0.15).all()
    assert (done[1] < done[2]).all()
    assert (done[2] < done[3] + 1e-6).all()


@pytest.mark.parametrize("room", [0.02, 0.06])
@pytest.mark.parametrize("name", ["surprise", "neutral"])
def test_brows_rise_no_farther_than_their_lids_have_skin(crop: Crop, room: float, name: str) -> None:
    """Deep-set ones hardly; high ones as far as before."""
    places, brows = crop.places[0].clone(), [[AT[i] for i in side] for side in BROWS]
    lids = [[AT[i] for i in side[11:14]] for side in EYES]
    for brow, lid in zip(brows, lids, strict=True):
        places[brow, 1] += places[lid, 1].mean() - room - places[brow[6:9], 1].mean()
    moved = landmarks_with(places, preset(name))
    for brow, lid in zip(brows, lids, strict=True):
        edge = brow[6:9]
        before, now = ((at[lid, 1] - at[edge, 1]).mean() for at in (places, moved))
        assert now - before < SKIN_BELOW[0].rise * before + 0.004
        assert name == "neutral" or now - before > 0.1 * before


def test_brows_never_meet(crop: Crop) -> None:
    """However much is asked for: some 10 mm of skin stay between them, and where little is asked nothing is held back."""
    marks = crop.places[0]

    def gap(amount: float) -> float:
        points = landmarks_with(marks, MusclesField.of({"browTogether": amount}))
        return ((points[AT[285]] - points[AT[55]]).norm() / (marks[AT[362]] - marks[AT[133]]).norm()).item()

    wide, some, most = gap(0.0), gap(0.3), gap(1.35)
    assert 0.3 < most < some < wide
    assert wide - some == pytest.approx(3 * (wide - gap(0.1)), rel=0.05)


@pytest.mark.parametrize("smile", [0.0, 0.5])
def test_corners_of_a_mouth_go_down_no_farther_than_peoples(crop: Crop, smile: float) -> None:
    """And the more the farther, from wherever they are; a little frown is as large as asked."""
    place = posed(crop, mouthSmile=smile)
    face = fit_shown(place[None])
    rest = torch.zeros_like(face.units[0])
    index = RIG.unit_names.index("mouthFrownLeft")
    drops, amounts = [], []
    for amount in (0.0, 0.2, 0.6, 1.3):
        units = units_after(face, place, rest, RIG.unit_vector({"mouthFrown": amount}))
        moved = landmarks_after(face, place, units[None])[0]
        left, right, top, bottom = (moved[AT[i]] for i in (61, 291, 13, 14))
        drops.append(((left + right - top - bottom)[1] / 2 / (right - left).norm()).item())
        amounts.append((units - face.units[0])[index].item())
    assert drops == sorted(drops)
    assert drops[-1] < SAGS[1] + 0.005
    assert amounts[1] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("wider", [1.0, 1.25])
def test_a_neutral_face_keeps_its_eyes_open(crop: Crop, wider: float) -> None:
    """Wide ones, as children have them, too: they are not made as narrow as the mean of faces at rest."""
    places = crop.places[0].clone()
    for ring in EYES:
        upper, lower = ([AT[ring[i]] for i in half] for half in (range(15, 8, -1), range(1, 8)))
        more = (places[lower] - places[upper]) * (wider - 1) / 2
        places[upper], places[lower] = places[upper] - more, places[lower] + more
    opening = [
        torch.stack([(p[AT[ring[4]]] - p[AT[ring[12]]]).norm() for ring in EYES])
        for p in (places, landmarks_with(places, neutral()))
    ]
    assert (opening[1] > 0.85 * opening[0]).all()


def heights(places: Tensor) -> Tensor:
    """How far the lids of both eyes are apart in the middle, in widths of the eye."""
    rings = [places[[AT[i] for i in ring]] for ring in EYES]
    return torch.stack([(r[4] - r[12]).norm() / (r[0] - r[8]).norm() for r in rings])


@pytest.mark.parametrize("squint", [0.0, 0.5, 1.0])
def test_a_squint_relaxes_and_opens_nobody_elses_eyes(crop: Crop, squint: float) -> None:
    """Narrow eyes are read as squinting whatever they do; they part a little, and not until nothing of that is read."""
    places = posed(crop, eyeSquintLeft=squint, eyeSquintRight=squint)
    before, now = heights(places), heights(landmarks_with(places, neutral()))
    assert (now > 0.95 * before).all()
    assert (now < 1.35 * before).all()
