"""The rig: its data is whole, symmetric, and moves as a face does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flow_core.faces.landmarks import AT, IRISES, LIPS, LIPS_INNER, MIRROR, NOSE
from flow_core.faces.rig import BUILTIN, PARTS, RINGS, Rig, UnknownMuscle, load_rig

NAMES = """browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft cheekSquintRight
eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight
eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight
mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft
mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower
mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight
noseSneerLeft noseSneerRight tongueOut"""
ARKIT = NAMES.split()


@pytest.fixture(scope="module")
def rig() -> Rig:
    return load_rig()


def unit(rig: Rig, name: str) -> Tensor:
    return rig.units[rig.unit_names.index(name)]


def mirrored(rig: Rig, field: Tensor) -> Tensor:
    return field[..., rig.mirror, :] * torch.tensor([-1.0, 1.0, 1.0])


def other_side(name: str) -> str:
    return name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")


def test_the_file_is_small_and_knows_all_units(rig: Rig) -> None:
    assert BUILTIN.stat().st_size <= 4e6
    assert len(ARKIT) == 52
    assert set(ARKIT) <= set(rig.unit_names)
    assert len(rig.control_names) == len(set(rig.control_names)) >= 60
    assert not set(rig.control_names) & set(rig.unit_names)
    for fields, least in ((rig.units, 0.1), (rig.controls, 0.1), (rig.shape, 0.02)):
        assert torch.isfinite(fields).all()
        assert (fields.norm(dim=-1).amax(1) > least).all(), "a unit that moves nothing"
    assert rig.emotions[0] == "neutral"
    assert rig.covariance.shape == 2 * (len(rig.unit_names),)
    assert rig.means.shape == (len(rig.emotions), len(rig.unit_names))


def test_triangles_are_of_known_parts_and_use_every_vertex(rig: Rig) -> None:
    assert len(rig.triangles) == len(rig.part)
    assert rig.part.unique().tolist() == list(range(len(PARTS)))
    assert rig.triangles.unique().tolist() == list(range(len(rig.neutral)))


def test_skin_in_front_faces_the_viewer(rig: Rig) -> None:
    """The winding that the docstring promises: what it says is what a rasteriser culls by."""
    corners = rig.neutral[rig.triangles_of("skin", "lips")]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    facing = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] < 0
    front = (corners[..., 2].amin(1) > 12) & (corners[..., 1].abs().amax(1) < 4)  # between forehead and mouth
    assert facing[front].float().mean() > 0.9  # all but nostrils


def test_left_is_the_mirror_image_of_right(rig: Rig) -> None:
    torch.testing.assert_close(mirrored(rig, rig.neutral), rig.neutral, atol=1e-4, rtol=0)
    for names, fields in ((rig.unit_names, rig.units), (rig.control_names, rig.controls)):
        swapped = fields[[names.index(other_side(n)) for n in names]]
        torch.testing.assert_close(mirrored(rig, swapped), fields, atol=0.01, rtol=0)
    at = rig.landmarks(rig.neutral)
    torch.testing.assert_close(at[list(MIRROR)] * torch.tensor([-1.0, 1.0, 1.0]), at, atol=1e-4, rtol=0)


def test_left_is_the_persons(rig: Rig) -> None:
    moved = unit(rig, "mouthSmileLeft").norm(dim=-1)
    assert (moved * rig.neutral[:, 0]).sum() > 0.5 * (moved * rig.neutral[:, 0].abs()).sum()  # x is the viewer's right
    assert rig.neutral[rig.vertices_of("eyeball_left"), 0].min() > 0


def test_the_jaw_takes_lower_lip_and_lower_teeth_along(rig: Rig) -> None:
    down = unit(rig, "jawOpen")[:, 1]
    lower, upper = (rig.rings[f"lips_inner_{half}"][1:-1] for half in ("lower", "upper"))
    middle = rig.neutral[lower, 0].abs().argmin()
    assert down[lower[middle]] > 2
    assert down[rig.vertices_of("teeth_lower")].min() > 0.7  # the molars: a jaw is hinged behind
    assert down[rig.vertices_of("tongue")].mean() > 1
    assert down[rig.vertices_of("teeth_upper")].abs().max() == 0
    assert down[upper[rig.neutral[upper, 0].abs().argmin()]].abs() < 0.3
    assert unit(rig, "mouthClose")[rig.vertices_of("teeth_lower")].abs().max() == 0


@pytest.mark.parametrize(
    ("name", "axis", "sign"), [("eyeLookOutLeft", 0, 1), ("eyeLookInLeft", 0, -1), ("eyeLookDownLeft", 1, 1)]
)
def test_a_look_turns_the_eyeball(rig: Rig, name: str, axis: int, sign: int) -> None:
    ball = rig.vertices_of("eyeball_left")
    before, after = rig.neutral[ball], (rig.neutral + unit(rig, name))[ball]
    middle = before.mean(0)
    iris = (before[:, 2]).argmax()
    assert sign * (after - before)[iris, axis] > 0.3
    assert (after.mean(0) - middle).norm() < 0.25
    radius, now = (before - middle).norm(dim=1), (after - after.mean(0)).norm(dim=1)
    assert ((now - radius) / radius).abs().max() < 0.1
    assert unit(rig, name)[rig.vertices_of("eyeball_right")].abs().max() == 0


def test_rings_are_closed_and_open_where_the_face_opens(rig: Rig) -> None:
    edges = {frozenset(e) for t in rig.triangles.tolist() for e in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))}

    def opening(name: str, at: Tensor) -> Tensor:
        x, y = at[rig.ring(name), :2].unbind(-1)
        return (x * y.roll(-1) - y * x.roll(-1)).sum() / 2  # positive: clockwise on the screen

    for name in RINGS:
        ring = rig.ring(name).tolist()
        assert len(set(ring)) == len(ring)
        if name.startswith(
            "lips"
        ):  # the cavities of the eyes are left out, and with them some edges between lid vertices
            assert all(frozenset(pair) in edges for pair in zip(ring, ring[1:] + ring[:1], strict=True))
    shut = opening("lips_inner", rig.neutral)
    assert opening("lips_inner", rig.neutral + 0.5 * unit(rig, "jawOpen")) > 3 + shut
    assert abs(shut) < 0.5  # square centimetres
    for name in ("lids_left", "lids_right"):
        wide = opening(name, rig.neutral)
        assert wide > 1.5
        assert opening(name, rig.neutral + unit(rig, "eyeBlinkLeft") + unit(rig, "eyeBlinkRight")) < 0.25 * wide


def test_shapes_keep_the_lips_in_touch(rig: Rig) -> None:
    upper, lower = (rig.rings[f"lips_inner_{half}"] for half in ("upper", "lower"))
    middle = [half[rig.neutral[half, 0].abs().argmin()] for half in (upper, lower)]
    for fields in (rig.shape, rig.controls):
        assert (fields[:, middle[0], 1] - fields[:, middle[1], 1]).abs().max() < 0.02


@pytest.mark.parametrize("name", ["chinPointed", "chinLonger", "chinWider", "chinForward"])
def test_shapes_of_the_chin_leave_the_lips_alone(rig: Rig, name: str) -> None:
    moves = rig.landmarks(rig.controls[rig.control_names.index(name)])
    assert moves[[AT[i] for i in (*LIPS, *LIPS_INNER)]].abs().max() < 0.02
    assert moves[AT[148]].norm() > 0.25


def test_wings_of_a_wider_nose_stay_round(rig: Rig) -> None:
    moves, places = rig.controls[rig.control_names.index("noseNostrilsWider")][:, 0], rig.neutral
    wing = rig.vertices_of("skin")
    wing = wing[(places[wing, 2] > 6) & (places[wing, 0] > 0)]
    widest = wing[moves[wing].argmax()]
    above = wing[(places[wing, 1] - places[widest, 1] + 1).abs() < 0.25]  # one centimetre
    assert moves[above].max() > 0.6 * moves[widest]


def test_shape_controls_leave_the_crown_and_the_collar(rig: Rig) -> None:
    far = (rig.neutral[:, 1] < -12) | (rig.neutral[:, 1] > 16)
    assert far.any()
    assert rig.controls[:, far].norm(dim=-1).max() < 0.1


def test_landmarks_lie_on_what_they_are_of(rig: Rig) -> None:
    index = rig.landmark_index
    assert set(index[[AT[i] for i in LIPS_INNER]].flatten().tolist()) <= set(rig.ring("lips_inner").tolist())
    for (center, *_), side in zip(IRISES, ("right", "left"), strict=True):  # viewer's left first
        assert set(index[AT[center]].tolist()) <= set(rig.vertices_of(f"eyeball_{side}").tolist())
    torch.testing.assert_close(rig.landmark_weight.sum(1), torch.ones(len(index)))
    along = rig.landmarks(rig.neutral)[[AT[i] for i in NOSE]]
    assert (along[1:, 1] > along[:-1, 1]).all()
    assert along[:, 0].abs().max() < 1e-4


def test_a_name_without_side_means_both(rig: Rig) -> None:
    smile = rig.unit_vector({"mouthSmile": 0.5, "jawOpen": 0.25})
    at = {n: smile[rig.unit_names.index(n)].item() for n in ("mouthSmileLeft", "mouthSmileRight", "jawOpen", "jawLeft")}
    assert at == {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5, "jawOpen": 0.25, "jawLeft": 0.0}
    units, controls = rig.split({"mouthSmileLeft": 1.0, "noseWider": -0.5})
    assert units.sum() == 1
    assert controls.sum() == -0.5


def test_an_unknown_name_names_the_nearest(rig: Rig) -> None:
    with pytest.raises(UnknownMuscle, match=r"'mouthSmileRigth'.*mouthSmileRight"):
        rig.unit_vector({"mouthSmileRigth": 1.0})
    with pytest.raises(UnknownMuscle, match=r"'nosewidr'.*noseWider"):
        rig.split({"nosewidr": 1.0})


def test_a_file_that_is_no_rig_is_refused(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="install FaceFlow again"):
        load_rig(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match="holds no rig"):
        load_rig(tmp_path / "bad.safetensors")
