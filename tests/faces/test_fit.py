"""The fit: what the rig projects is found again, and the corrected mesh meets the landmarks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flow_core.faces.fit import FittedFace, fit_faces
from flow_core.faces.landmarks import AT, EYES, IRISES, LIPS_INNER, OVAL, POINTS
from flow_core.faces.rig import Rig, load_rig
from flow_core.geometry.crop import Crop

INNER = [AT[i] for i in POINTS if i not in OVAL and i not in {j for side in IRISES for j in side}]


@pytest.fixture(scope="module")
def rig() -> Rig:
    return load_rig()


def face(rig: Rig, yaw: float, roll: float, units: dict[str, float], seed: int) -> FittedFace:
    """A made-up face."""
    turn = torch.tensor(yaw).deg2rad()
    lean = torch.tensor(roll).deg2rad()
    about_y = torch.tensor([[turn.cos(), 0, turn.sin()], [0, 1, 0], [-turn.sin(), 0, turn.cos()]])
    about_z = torch.tensor([[lean.cos(), -lean.sin(), 0], [lean.sin(), lean.cos(), 0], [0, 0, 1]])
    shape = 0.7 * torch.randn(1, len(rig.shape), generator=torch.Generator().manual_seed(seed))
    nothing = torch.zeros(1, len(rig.neutral), 2)
    where = torch.tensor([[0.49, 0.47]])
    amounts = rig.unit_vector(units)[None]
    return FittedFace(
        (about_z @ about_y)[None], torch.tensor([0.04]), where, shape, amounts, nothing, torch.zeros(1), rig
    )


def seen(fitted: FittedFace) -> Tensor:
    points, _ = fitted.project(fitted.vertices())
    return fitted.rig.landmarks(points)


FACES = [
    (0.0, 0.0, {}, 0),
    (15.0, 8.0, {"mouthSmile": 0.7, "eyeSquint": 0.3}, 1),
    (-30.0, -5.0, {"jawOpen": 0.5, "browInnerUp": 0.4, "browOuterUp": 0.3}, 2),
    (42.0, 0.0, {"eyeBlink": 0.8}, 3),
]


@pytest.mark.parametrize(("yaw", "roll", "units", "seed"), FACES)
def test_a_projected_rig_is_found_again(rig: Rig, yaw: float, roll: float, units: dict[str, float], seed: int) -> None:
    truth = face(rig, yaw, roll, units, seed)
    found = fit_faces(seen(truth))
    cosine = ((truth.rotation.mT @ found.rotation).diagonal(dim1=1, dim2=2).sum(-1) - 1) / 2
    assert cosine.clamp(-1, 1).acos().rad2deg().item() < 5
    assert abs(found.scale.item() / 0.04 - 1) < 0.04
    assert found.error.item() < 0.06  # centimetres
    for name, amount in units.items():
        sides = rig.unit_vector({name: 1.0}) > 0
        assert found.units[0, sides].mean().item() > 0.3 * amount  # the prior holds back
    if not units:
        assert found.units.max() < 0.2


@pytest.mark.parametrize(("yaw", "roll", "units", "seed"), FACES)
def test_units_that_a_reader_gives_are_kept(
    rig: Rig, yaw: float, roll: float, units: dict[str, float], seed: int
) -> None:
    truth = face(rig, yaw, roll, units, seed)
    found = fit_faces(seen(truth), units=truth.units)
    assert (found.units - truth.units).abs().max() < 0.06


def test_the_corrected_mesh_meets_the_landmarks(crops: dict[str, Crop]) -> None:
    for crop in crops.values():
        places = crop.places
        found = fit_faces(places)
        points, _ = found.project(found.vertices())
        miss = (found.rig.landmarks(points) - places).norm(dim=-1)
        assert miss[:, INNER].max() < 0.005
        assert miss[:, [AT[side[0]] for side in IRISES]].max() < 0.002
        assert miss[:, [AT[i] for i in OVAL]].mean() < 0.005


def _area(points: Tensor) -> Tensor:
    x, y = points.unbind(-1)
    return (x * y.roll(-1, -1) - y * x.roll(-1, -1)).sum(-1).abs() / 2


def test_rings_open_as_far_as_the_landmarks(crops: dict[str, Crop]) -> None:
    """The astronaut smiles with open mouth: between the rings lies what lies between the landmarks."""
    places = crops["astronaut"].places
    found = fit_faces(places)
    points, _ = found.project(found.vertices())
    for name, contour in (("lips_inner", LIPS_INNER), ("lids_right", EYES[0]), ("lids_left", EYES[1])):
        ring, landmarks = _area(points[0, found.rig.ring(name)]), _area(places[0, [AT[i] for i in contour]])
        assert abs(ring / landmarks - 1) < 0.12, name


def test_the_correction_folds_nothing(crops: dict[str, Crop]) -> None:
    for crop in crops.values():
        found = fit_faces(crop.places)
        corrected, _ = found.project(found.vertices())
        corners = found.rig.triangles_of("skin", "lips")

        def area(points: Tensor, corners: Tensor = corners) -> Tensor:
            a, b, c = (points[0, corners[:, i]] for i in range(3))
            first, second = b - a, c - a
            return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]

        before = area(corrected - found.correction)
        folded = (before < 0) & (area(corrected) > 0)
        assert before[folded].sum() / before[before < 0].sum() < 0.005


def test_a_batch_is_its_faces_one_by_one(rig: Rig) -> None:
    points = torch.cat([seen(face(rig, *one)) for one in FACES])
    together = fit_faces(points)
    assert together.batch == len(FACES)
    for i in range(len(FACES)):
        alone = fit_faces(points[i : i + 1])
        for name in ("rotation", "scale", "translation", "shape", "units", "correction"):
            torch.testing.assert_close(getattr(together.select(i), name), getattr(alone, name), atol=1e-4, rtol=1e-4)


def test_a_warm_start_keeps_the_shape_and_follows_the_face(rig: Rig) -> None:
    before = fit_faces(seen(face(rig, 5.0, 0.0, {"mouthSmile": 0.3}, 4)))
    after = fit_faces(seen(face(rig, 9.0, 2.0, {"mouthSmile": 0.6}, 4)), warm=before)
    fresh = fit_faces(seen(face(rig, 9.0, 2.0, {"mouthSmile": 0.6}, 4)))
    assert (after.shape - before.shape).norm() < (fresh.shape - before.shape).norm()
    smile = rig.unit_names.index("mouthSmileLeft")
    assert after.units[0, smile] > before.units[0, smile] + 0.1
    assert after.error.item() < 0.06


def test_works_in_inference_mode(rig: Rig) -> None:
    with torch.inference_mode():
        found = fit_faces(seen(face(rig, *FACES[1])))
        points, depth = found.project(
            found.vertices(rig.unit_vector({"jawOpen": 1.0})[None], rig.control_vector({"noseWider": 1.0})[None])
        )
    assert points.shape == (1, len(rig.neutral), 2)
    assert depth.shape == (1, len(rig.neutral))
    again = fit_faces(seen(face(rig, *FACES[1])))  # nothing cached there may be of use there only
    assert again.units.requires_grad is False


def test_landmarks_in_one_place_give_numbers() -> None:
    found = fit_faces(torch.full((1, len(POINTS), 2), 0.5))
    points, _ = found.project(found.vertices())
    assert torch.isfinite(points).all()


def test_bad_landmarks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"161"):
        fit_faces(torch.zeros(1, 68, 2))
    with pytest.raises(ValueError, match="finite"):
        fit_faces(torch.full((1, len(POINTS), 2), torch.nan))
