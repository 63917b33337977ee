"""Units are found with which a face is read as asked, its lips meet without crossing, and a clip's face is followed."""

from __future__ import annotations

import pytest
import torch
from helpers import landmarks_with
from torch import Tensor

from flow_core.faces.landmarks import AT, BROWS, EYES, IRISES
from flow_core.faces.read import UNITS, read_units
from flow_core.faces.rig import load_rig
from flow_core.fields.expressions import copied, neutral, preset
from flow_core.fields.muscles import MusclesField
from flow_core.fields.reach import SAGS, SKIN_BELOW, landmarks_after, lips_apart, looking_together, nearest
from flow_core.fields.units import fit_shown, read_shown, target_units, units_after
from flow_core.geometry.crop import Crop

RIG = load_rig()


def posed(crop: Crop, **amounts: float) -> Tensor:
    """Landmarks ``[161,2]`` of a face as the rig moves them."""
    face = fit_shown(crop.places)
    return landmarks_after(face, crop.places[0], (face.units[0] + RIG.unit_vector(amounts))[None])[0]


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


@pytest.mark.parametrize("jaw", [0.0, 0.3])
def test_lips_that_close_never_cross(crop: Crop, jaw: float) -> None:
    places = posed(crop, jawOpen=jaw)
    before, closed = lips_apart(places)[0], lips_apart(landmarks_with(places, MusclesField.of({"mouthClose": 1.0})))[0]
    assert closed >= min(before, torch.tensor(-0.01))
    if jaw:
        assert closed < 0.3 * before


def test_strength_of_a_copied_expression_is_steady(crop: Crop, crops: dict[str, Crop]) -> None:
    """Nothing jumps between no strength and all."""
    field, face = copied(read_shown(crops["grace_hopper"].places)), fit_shown(crop.places)
    units = [
        units_after(face, crop.places[0], field.relax[0] * s, field.units[0] * s) for s in (0.0, 0.02, 0.5, 0.52, 1.0)
    ]
    assert torch.equal(units[0], face.units[0])
    assert (units[1] - units[0]).abs().max() < 0.15
    assert (units[3] - units[2]).abs().max() < 0.15


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


def test_brows_never_meet(crop: Crop) -> None:
    """However much is asked for: some 10 mm of skin stay between them, and where little is asked nothing is held back."""
    marks = crop.places[0]

    def gap(amount: float) -> float:
        points = landmarks_with(marks, MusclesField.of({"browTogether": amount}))
        return ((points[AT[285]] - points[AT[55]]).norm() / (marks[AT[362]] - marks[AT[133]]).norm()).item()

    wide, some, most = gap(0.0), gap(0.3), gap(1.35)
    assert 0.3 < most < some < wide
    assert wide - some == pytest.approx(3 * (wide - gap(0.1)), rel=0.05)
