"""The layers of a moved face: lids that meet, teeth that stay as long as they are, a mouth that is dark where nothing was seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from flow_core.faces.landmarks import AT, EYES, IRISES, LIPS, LIPS_INNER
from flow_core.faces.rig import load_rig
from flow_core.fields.curves import SAMPLES
from flow_core.fields.expressions import PRESETS, preset
from flow_core.fields.face import Face
from flow_core.fields.moved import moved_face
from flow_core.fields.muscles import MusclesField
from flow_core.fields.units import fit_shown, target_units
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.warping.warp import warp

UPPER, LOWER = (AT[LIPS_INNER[i]] for i in (15, 5))


def sample(field: MusclesField, crop: Crop, *points: Tensor) -> tuple[Tensor, Tensor]:
    """Offsets ``[N,2]`` and uncovered ``[N]`` at crop points ``[2]``."""
    found = field.flow(0.0, crop)(torch.stack(points)[None, None])
    dark = torch.zeros(len(points)) if found.uncovered is None else found.uncovered[0, 0, 0]
    return found.offset[0, :, 0].T, dark


def place(crop: Crop, *mesh: int) -> Tensor:
    return crop.places[0][[AT[i] for i in mesh]].mean(0)


@pytest.mark.parametrize("name", list(PRESETS))
def test_no_strength_changes_nothing_to_the_bit(name: str, astronaut: Tensor, crop: Crop) -> None:
    out, changed = warp(astronaut, crop, preset(name), 0.0, 0.0)
    assert torch.equal(out, astronaut)
    assert not changed.any()


@pytest.mark.parametrize("name", ["smile", "surprise", "anger"])
def test_outside_the_face_square_nothing_changes_to_the_bit(name: str, astronaut: Tensor, crop: Crop) -> None:
    out, changed = warp(astronaut, crop, preset(name))
    x0, y0, x1, y1 = crop.bounds()
    outside = torch.ones_like(changed)
    outside[:, y0:y1, x0:x1] = 0
    assert not changed[outside > 0].any()
    assert torch.equal(out[..., :y0, :], astronaut[..., :y0, :])
    assert changed.any()


def test_a_little_strength_changes_little(astronaut: Tensor, crop: Crop) -> None:
    """No layer may jump in when an edit begins."""
    for name in ("surprise", "smile", "wink"):
        little, _ = warp(astronaut, crop, preset(name), 0.002)
        assert (little - astronaut).abs().max() < 0.05
        assert (little - astronaut).abs().mean() < 2e-4


def test_a_smile_takes_the_corners_up_and_out(crop: Crop) -> None:
    fitted = fit_shown(crop.places)
    face = moved_face(Face(fitted, crop.places[0]), preset("smile"))
    left, right = face.mouth.target.origin, face.mouth.target.back(face.mouth.target.length, 0.0)
    before = crop.places[0][[AT[LIPS_INNER[0]], AT[LIPS_INNER[10]]]]
    assert left[0] < before[0, 0] - 0.004
    assert right[0] > before[1, 0] + 0.004
    assert left[1] < before[0, 1] - 0.004
    assert right[1] < before[1, 1] - 0.004


def test_shut_lids_hide_the_eyeballs(crop: Crop) -> None:
    face = moved_face(Face(fit_shown(crop.places), crop.places[0]), MusclesField.of({"eyeBlink": 1.0}))
    points = pixel_centers(400, 400)
    for side in (0, 1):
        iris = crop.places[0][AT[IRISES[side][0]]]
        near = (points - iris).norm(dim=-1) < 0.04
        assert face.opening(points)[near].mean() < 0.02
        open_ = moved_face(Face(fit_shown(crop.places), crop.places[0]), MusclesField.of({"browDown": 0.3}))
        assert open_.opening(points)[near].mean() > 0.1


def test_a_wink_is_the_persons_left_eye(crop: Crop) -> None:
    face = moved_face(Face(fit_shown(crop.places), crop.places[0]), MusclesField.of({"eyeBlinkLeft": 1.0}))
    shut, open_ = face.eyes[1], face.eyes[0]  # the person's left eye is the viewer's right one
    assert (shut.lids[3] - shut.lids[2]).max() < 0.002
    assert open_.still


def test_gaze_moves_irises_and_not_lids(crop: Crop) -> None:
    aside = MusclesField.of({"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0})  # to the viewer's right
    for side in (0, 1):
        iris = crop.places[0][AT[IRISES[side][0]]]
        corner = crop.places[0][AT[EYES[side][0]]]
        (there, still), _ = sample(aside, crop, iris, corner)
        assert there[0] < -0.008  # what is seen there comes from the left
        assert still.norm() < 0.002


def test_an_opened_mouth_is_dark_inside_and_nowhere_else(astronaut: Tensor, crop: Crop) -> None:
    field = MusclesField.of({"jawOpen": 0.7})
    face = moved_face(Face(fit_shown(crop.places), crop.places[0]), field)
    middle = torch.tensor(face.mouth.target.back(face.mouth.target.length / 2, face.mouth.lips[:, 128].mean().item()))
    (_, cheek), dark = sample(field, crop, middle, place(crop, 50, 205))
    assert dark[1] == 0
    shown = face.mouth.gap
    assert dark[0] > (0.5 if shown < 0.02 else 0.0)
    out, _ = warp(astronaut, crop, field)
    assert (out >= 0).all()
    assert cheek.norm() < 0.03


def test_teeth_keep_their_size(crop: Crop) -> None:
    """Where teeth were seen they come from where they are in the skull: two points of a tooth keep their distance."""
    opened = fit_shown(crop.places)
    face = moved_face(Face(opened, crop.places[0]), MusclesField.of({"jawOpen": 0.3}))
    if face.mouth.gap < 0.012:
        pytest.skip("this face shows no teeth")
    top = face.mouth.lips[0, 128].item()
    a, b = (torch.tensor(face.mouth.target.back(face.mouth.target.length / 2, top + d)) for d in (0.004, 0.010))
    (first, second), _ = sample(MusclesField.of({"jawOpen": 0.3}), crop, a, b)
    assert (first - second).norm() < 0.003


def test_muscles_pull_and_never_push() -> None:
    names = load_rig().unit_names
    opposite = MusclesField.of({"mouthSmile": -1.0}).units[0]
    after = target_units(torch.zeros_like(opposite), torch.zeros_like(opposite), opposite)
    assert after[names.index("mouthSmileLeft")] > -0.2  # slack, and no more than that
    assert after[names.index("mouthFrownLeft")] > 0.5


def test_relaxing_takes_away_what_is_shown() -> None:
    field = MusclesField.of({"relax": 1.0})
    shown = torch.rand_like(field.units[0])
    assert not target_units(shown, field.relax[0], field.units[0]).any()
    half = target_units(shown, field.relax[0] / 2, field.units[0])
    assert torch.allclose(half, shown / 2)


@pytest.mark.parametrize("name", ["smile", "surprise", "sadness", "anger"])
@pytest.mark.parametrize("strength", [-1.0, 0.5, 1.0])
def test_visible_skin_does_not_fold(name: str, strength: float, crops: dict[str, Crop]) -> None:
    from flow_core.faces.landmarks import OVAL
    from flow_core.geometry.mesh import polygon_distance

    for crop in crops.values():
        places = crop.places[0]
        face = moved_face(Face(fit_shown(crop.places), places), preset(name).scale(strength, strength))
        size = face.skin.shape[-1]
        dx, dy = face.skin.diff(dim=3)[:, :, :-1] * size, face.skin.diff(dim=2)[..., :-1] * size
        determinant = (1 + dx[:, 0]) * (1 + dy[:, 1]) - dx[:, 1] * dy[:, 0]
        points = pixel_centers(size, size)[:, :-1, :-1]
        shifts = torch.tensor([[0, 0], [0, 0.02], [0, -0.02]])
        layers = torch.stack([face.opening(points + s) for s in shifts]).amax(0)
        skin = (polygon_distance(places[[AT[i] for i in OVAL]], points) > 0.015) & (layers < 0.01)
        assert (determinant[skin] > 0).float().mean() > 0.9999


def test_lips_go_where_the_mesh_takes_them(crop: Crop) -> None:
    """The skin just outside of a lip's edge comes from just outside of that edge."""
    field = MusclesField.of({"jawOpen": 0.5})
    face = moved_face(Face(fit_shown(crop.places), crop.places[0]), field)
    below = torch.tensor(face.mouth.target.back(face.mouth.target.length / 2, face.mouth.lips[1, 128].item() + 0.006))
    (offset,), _ = sample(field, crop, below)
    source = below + offset
    lip, chin = crop.places[0][LOWER], crop.places[0][AT[LIPS[5]]]
    assert lip[1] - 0.004 < source[1] < chin[1] + 0.004


@pytest.mark.parametrize("name", ["wink", "eyes closed", "surprise", "laugh"])
def test_skin_does_not_step_at_the_corners_of_an_eye(crop: Crop, name: str) -> None:
    """Skin below a lid that shuts goes up with it, and goes out to nothing where the lid ends."""
    outer, inner = (crop.places[0][AT[i]] for i in (EYES[1][0], EYES[1][8]))
    across, down = inner - outer, torch.tensor([0.0, 0.006])
    near = [outer + across * t + down for t in torch.linspace(-0.03, 0.03, 31)]
    offset, _ = sample(preset(name), crop, *near)
    assert offset.diff(dim=0).norm(dim=-1).max() < 0.002


def test_a_grin_that_shuts_leaves_no_teeth_and_has_a_seam(crop: Crop) -> None:
    """The astronaut smiles with her teeth; a seam is darker than the lips above and below."""
    field = preset("neutral")
    face = moved_face(Face(fit_shown(crop.places), crop.places[0]), field)
    at = torch.tensor(face.mouth.target.back(face.mouth.target.length / 2, 0.0))
    height = (face.mouth.lips[:, 128].mean() * torch.tensor([0.0, 1.0])).float()
    down = torch.tensor([0.0, 0.02])
    _, dark = sample(field, crop, *(at.float() + height + k * down for k in (-1, 0, 1)))
    assert dark[1] > max(0.15, max(dark[0], dark[2]) + 0.1)


def test_narrow_eyes_that_open_have_no_ring(crop: Crop) -> None:
    """What was seen between narrow lids is stretched up to their edges, and no shadow is drawn along these."""
    ring, points = EYES[0], pixel_centers(256, 256, crop.places.device)
    shade = []
    for narrow in (1.0, 0.5):
        places = crop.places[0].clone()
        upper, lower = ([AT[ring[i]] for i in half] for half in (range(15, 8, -1), range(1, 8)))
        less = (places[lower] - places[upper]) * (1 - narrow) / 2
        places[upper], places[lower] = places[upper] + less, places[lower] - less
        face = Face(fit_shown(places[None]), places, colors=torch.full((3, 3), 0.5))
        painted = moved_face(face, MusclesField.of({"eyeWideRight": 1.0, "eyeLookUpRight": 0.5}))(points)[2]
        shade.append(0.0 if painted is None else painted[0, 3].max().item())
    assert shade[0] > 0.2
    assert shade[1] < 0.05


def test_eyes_that_open_wide_are_not_ringed_by_white(crop: Crop) -> None:
    """The upper lid leaves the iris, as in photographs of surprise; the lower one hardly shows more below it than it did."""
    face = Face.of(crop, 0, fit_shown(crop.places))
    for eye in moved_face(face, MusclesField.of({"eyeWide": 1.0, "eyeTaller": 1.0})).eyes:
        a, b, radius = (v / eye.source.length for v in eye.iris)
        lids = [np.interp(a, SAMPLES, lid) / eye.target.length for lid in eye.lids.numpy()[:4]]
        before, after = (
            ((b - radius - top) / radius, (bottom - b - radius) / radius) for top, bottom in (lids[:2], lids[2:])
        )
        assert before[0] + 0.05 < after[0] < 0.2
        assert after[1] < max(before[1], 0.0) + 0.05


def test_a_lip_that_smiled_gets_its_height_back(crop: Crop) -> None:
    """A grin draws the lower lip thin."""
    places = crop.places[0]
    face = moved_face(Face(fit_shown(crop.places), places), preset("neutral"))
    down = torch.linspace(-0.05, 0.05, 401)
    line = places[AT[LIPS[5]]] + torch.stack([torch.zeros_like(down), down], -1)
    source = line[:, 1] + face(line[None, None])[0][0, 1, 0]
    bottom = line[(source - places[AT[LIPS[5]], 1]).abs().argmin(), 1]
    seam = face.mouth.target.back(face.mouth.target.length / 2, face.mouth.lips[:, 128].mean().item())[1]
    assert bottom - seam > 1.03 * (places[AT[LIPS[5]], 1] - places[LOWER, 1])


def test_a_brow_that_hardly_rises_hardly_moves_anything(crop: Crop) -> None:
    """Least of all the skin that a cheek lifts beside the eye."""
    cheeks = {"cheekSquint": 1.0, "mouthSmile": 0.8}
    still, raised = (
        moved_face(Face(fit_shown(crop.places), crop.places[0]), MusclesField.of(named)).skin
        for named in (cheeks, {**cheeks, "browOuterUp": 0.1})
    )
    assert 0 < (raised - still).abs().max() < 0.006


def test_lids_that_meet_have_no_staircase_between_them(astronaut: Tensor, crop: Crop) -> None:
    """Pixels in which both lids lie are a mixture of the two, however small the picture is."""
    lids = crop.places[0][[AT[i] for i in EYES[0]]]
    ((x0, y0, x1, y1),) = crop.boxes_in_image([(*lids.amin(0).tolist(), *lids.amax(0).tolist())])
    picture, middle = torch.ones_like(astronaut), (y0 + y1) // 2
    picture[..., :middle, :] = 0
    plain = replace(crop, lids=None)  # nothing is painted over them
    seam = warp(picture, plain, preset("eyes closed"))[0][0, 0, y0:y1, x0:x1]
    mixed = ((seam > 0.12) & (seam < 0.5)).any(0)
    assert mixed.float().mean() > 0.5
