"""Light on skin whose muscles move: folds darken, cheeks catch the light, and nothing else changes its colour."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers import Remembering
from torch import Tensor

from flow_core.faces.align import align
from flow_core.faces.creases import creases
from flow_core.faces.landmarks import AT
from flow_core.faces.rig import load_rig
from flow_core.faces.shading import load_shading, shading
from flow_core.fields.expressions import expression, preset
from flow_core.fields.muscles import MusclesField
from flow_core.geometry.crop import Crop
from flow_core.geometry.worn import Worn
from flow_core.warping.frames import warp_frame
from flow_core.warping.latent import warp_latent, warp_mask
from flow_core.warping.warp import warp

GREY = 0.5
FOLD = ((205, 61), (425, 291))  # between the cheek and the corner of the mouth
CHEEK = (50, 280)


@pytest.fixture
def crop(crops: dict[str, Crop]) -> Crop:
    """A face that hardly smiles, with its lips together; without glasses, and of no picture, so that nothing is known of creases."""
    return replace(crops["grace_hopper"], creases=None, glasses=())


@pytest.fixture
def grey(crop: Crop) -> Tensor:
    """A picture of one colour: what an edit shows of it is light alone."""
    return torch.full((1, 3, *crop.image_size), GREY)


def at(crop: Crop, image: Tensor, place: Tensor) -> Tensor:
    """Colours of a picture at crop points ``[2]``."""
    x, y = (crop.inverse[0, :2, :2] @ place + crop.inverse[0, :2, 2]).round().long().tolist()
    return image[0, :, y, x]


def test_brows_drawn_together_stand_upright_folds_between_them(crop: Crop, grey: Tensor) -> None:
    lit = warp(grey, crop, MusclesField.of({"browTogether": 1.0}))[0][0].mean(0)
    marks = crop.places[0]
    ends = marks[AT[55]], marks[AT[285]]
    row = torch.stack([at(crop, lit[None, None], torch.lerp(*ends, t)) for t in torch.linspace(0.1, 0.9, 41)])[:, 0]
    middle, sides = row[15:26].max(), (row[:15].min(), row[26:].min())
    assert max(sides) < GREY - 0.01 < GREY < middle
    relaxed = warp(grey, crop, MusclesField.of({"browTogether": -1.0}))[0]
    assert (relaxed - GREY).abs().max() < 0.02


def sized(crop: Crop, factor: float) -> Crop:
    """The face in a picture that is larger by a factor."""
    shrink = torch.diag(torch.tensor([1 / factor, 1 / factor, 1.0]))
    height, width = crop.image_size
    size = round(height * factor), round(width * factor)
    return replace(
        crop,
        image_size=size,
        points=crop.points * factor,
        matrix=crop.matrix @ shrink,
        landmarks=crop.landmarks * factor,
    )


def test_large_pictures_show_the_lines_in_those_folds(crop: Crop) -> None:
    """As fine as lines are, fewer the less brows are drawn together, broad ones on smooth skin, and none where a pixel is wider."""
    ends = crop.places[0, [AT[55], AT[285]]]

    def sharpest(factor: float, amount: float, glasses: Worn | None = None, creased: float = 0.05) -> float:
        """By how much the darkest place is darker than those a millimetre beside it."""
        row = torch.lerp(*ends, torch.linspace(0, 1, 401)[:, None]) - torch.tensor([0, 0.01])
        face = replace(sized(crop, factor), glasses=(glasses,), creases=torch.full((1, 3, 64, 64), creased))
        flow = MusclesField.of({"browTogether": amount}).flow(0.0, face)
        light, beside = flow(row[None, None]).light[0, 0, 0], 20
        return ((light[2 * beside :] + light[: -2 * beside]) / 2 - light[beside:-beside]).max().item()

    large, half, small = sharpest(4, 1.0), sharpest(4, 0.5), sharpest(0.2, 1.0)
    assert large > 0.1
    assert half < 0.45 * large
    assert small < 0.5 * large
    assert sharpest(4, 1.0, Worn()) < 0.5 * large  # brows stay under glasses
    assert 0.3 * large < sharpest(4, 1.0, creased=0.0) < 0.8 * large


def test_a_smile_darkens_folds_and_lights_cheeks(crop: Crop, grey: Tensor) -> None:
    only = MusclesField.of({"mouthSmile": 0.6})
    marks = crop.places[0]
    lit = warp(grey, crop, only)[0]
    for cheek, (beside, corner) in zip(CHEEK, FOLD, strict=True):
        fold = at(crop, lit, (marks[AT[beside]] + marks[AT[corner]]) / 2)
        assert at(crop, lit, marks[AT[cheek]] - torch.tensor([0, 0.02])).mean() > GREY * 1.01
        assert fold.mean() < GREY * 0.98
        assert fold[0] > fold[2]  # skin lights its own folds red


def test_folds_of_marble_and_of_toned_photographs_are_not_red(crop: Crop, grey: Tensor) -> None:
    marble = crop.view.mean(1, keepdim=True) * torch.tensor([1.0, 0.97, 0.9])[:, None, None]
    beside, corner = FOLD[0]
    lit = warp(grey, replace(crop, view=marble), MusclesField.of({"mouthSmile": 0.6}))[0]
    fold = at(crop, lit, (crop.places[0, AT[beside]] + crop.places[0, AT[corner]]) / 2)
    assert fold.mean() < GREY * 0.98
    assert fold.max() - fold.min() < 1e-4


def test_a_smile_that_goes_takes_its_folds_along(crops: dict[str, Crop]) -> None:
    crop = replace(crops["astronaut"], creases=None)  # she smiles
    marks, grey = crop.places[0], torch.full((1, 3, *crop.image_size), GREY)
    taken = warp(grey, crop, MusclesField.of({"relax mouthSmile": 1.0}))[0]
    assert at(crop, taken, (marks[AT[205]] + marks[AT[61]]) / 2).mean() > GREY * 1.01


def test_lines_go_with_the_smile_that_made_them(crops: dict[str, Crop]) -> None:
    """A dark line drawn beside the mouth of somebody who smiles is hardly seen any more when she does not; one on the forehead is."""
    face = crops["astronaut"]
    picture = torch.full((1, 3, *face.image_size), GREY)
    fold, brow = (face.places[0, AT[205]] + face.places[0, AT[61]]) / 2, face.places[0, AT[151]]
    for place in (fold, brow):
        x, y = (face.inverse[0, :2, :2] @ place + face.inverse[0, :2, 2]).round().long().tolist()
        picture[..., y - 6 : y + 7, x] = 0.25
    crop = replace(face, creases=creases(picture, face))
    assert crop.creases[0].amax() > 0.3
    relaxed = MusclesField.of({"relax mouthSmile": 1.0})
    kept, gone = (warp(picture, c, relaxed)[0] for c in (replace(crop, creases=None), crop))
    middle = round(crop.points[0, 2, 1].item())
    plain = warp(torch.full_like(picture, GREY), replace(crop, creases=None), relaxed)[0]
    line, left = ((plain - edited)[..., middle:, :].max() for edited in (kept, gone))
    assert line > 0.1
    assert left < 0.6 * line
    assert (kept - gone)[..., : middle - 40, :].abs().max() < 1.5e-3  # a third of a step of 255
    assert torch.equal(warp(picture, crop, relaxed, shape=0.0)[0], picture)


def test_in_large_pictures_lines_as_fine_as_a_hair_go_as_well(crops: dict[str, Crop]) -> None:
    small = crops["astronaut"]
    face = Crop.from_points(4 * small.points, tuple(4 * n for n in small.image_size))
    face = replace(face, landmarks=4 * small.landmarks, mouth=small.mouth)
    fold = 4 * (small.landmarks[0, AT[205]] + small.landmarks[0, AT[61]]) / 2
    (x, y), seen = fold.round().long().tolist(), []
    picture = torch.full((1, 3, *face.image_size), GREY)
    picture[..., y - 24 : y + 25, x : x + 2] = 0.25
    relaxed = MusclesField.of({"relax mouthSmile": 1.0})
    plain = warp(torch.full_like(picture, GREY), face, relaxed)[0]
    for size in (384, None):
        new = warp(picture, replace(face, creases=creases(picture, face, size)), relaxed)[0]
        seen.append((plain - new)[0, 0, y - 20 : y + 21, x - 60 : x + 61].amax(1).median())
    assert seen[1] < 0.3 * seen[0]


def test_the_step_beside_a_smile_goes_with_it(crops: dict[str, Crop]) -> None:
    """A cheek that was drawn up is lighter than the skin below it; at rest it goes over into that."""
    face = crops["astronaut"]
    picture = torch.full((1, 3, *face.image_size), GREY)
    fold = (face.places[0, AT[205]] + face.places[0, AT[61]]) / 2
    x, y = (face.inverse[0, :2, :2] @ fold + face.inverse[0, :2, 2]).round().long().tolist()
    reach = round(0.06 * face.side.item())
    picture[..., y - reach : y + reach, x - reach : x] *= 1.3
    relaxed = MusclesField.of({"relax mouthSmile": 1.0})
    steepest = [
        warp(picture, replace(face, creases=seen), relaxed)[0][0, 0, y - 8 : y + 9, x - 30 : x + 30]
        .diff(dim=1)
        .abs()
        .amax()
        for seen in (None, creases(picture, face))
    ]
    assert steepest[1] < 0.7 * steepest[0]


def test_shade_beside_a_nose_gets_no_edge(crops: dict[str, Crop]) -> None:
    """The shade of a nose goes over from the nose, which keeps it, to a cheek that is made even."""
    face = crops["astronaut"]
    wing = face.inverse[0, :2, :2] @ face.places[0, AT[129]] + face.inverse[0, :2, 2]
    y, x = (torch.arange(n) + 0.5 - at for n, at in zip(face.image_size, wing.flip(0), strict=True))
    away = (x.square() + y[:, None].square()).sqrt() / face.side
    picture = (GREY * (1 - 0.6 * (-(away / 0.08).square()).exp())).expand(1, 3, -1, -1)
    seen = creases(picture, face)
    assert seen.amax() > 0.1
    assert seen.diff(dim=-1).abs().amax() < 0.35 * seen.amax()


def test_one_side_leaves_the_other_alone(crop: Crop, grey: Tensor) -> None:
    lit = warp(grey, crop, MusclesField.of({"mouthSmileLeft": 0.6}))[0]
    width = crop.side.item()
    middle = crop.points[0, 2, 0].item()  # the nose of an upright face
    right, left = lit[..., round(middle + 0.06 * width) :].min(), lit[..., : round(middle - 0.06 * width)].min()
    assert right < GREY * 0.98  # the person's left
    assert left > GREY * 0.995


def test_only_skin_is_lit(crop: Crop, grey: Tensor) -> None:
    lit = warp(grey, crop, expression("mouthSmile 0.9"), shape=1.5)[0]
    marks = crop.places[0]
    for i in (13, 468, 473):  # the upper lip's edge, irises
        assert at(crop, lit, marks[AT[i]]) == pytest.approx(
            torch.full((3,), GREY), abs=5e-3
        )  # a step of 8 bits is 4e-3
    x0, y0, x1, y1 = crop.bounds()
    outside = torch.ones(crop.image_size, dtype=torch.bool)
    outside[max(y0, 0) : y1, max(x0, 0) : x1] = False
    assert (lit[0, :, outside] == GREY).all()
    assert torch.equal(warp(grey, crop, preset("smile"), shape=0.0)[0], grey)


def test_light_follows_strength(crop: Crop, grey: Tensor) -> None:
    field = MusclesField.of({"cheekSquint": 0.5, "noseSneer": 0.8})  # lips stay together
    quarter, half, whole = (warp(grey, crop, field, s)[0].min() for s in (0.25, 0.5, 1.0))
    assert GREY * 0.995 > quarter > half > whole > GREY * 0.8


def test_what_is_no_picture_has_no_light(crop: Crop) -> None:
    field, one = (
        MusclesField.of({"cheekSquint": 1.0, "mouthSmile": 0.3, "noseSneer": 1.0}),
        torch.ones(1, *crop.image_size),
    )
    assert (warp(one[:, None] * GREY, crop, field)[0] - GREY).abs().max() > 0.01
    assert (warp_mask(one, crop, field) - 1).abs().max() < 1e-3
    assert (warp_latent(torch.ones(1, 4, *(n // 8 for n in crop.image_size)), crop, field) - 1).abs().max() < 1e-3


def test_video_has_the_same_light(crop: Crop, grey: Tensor) -> None:
    """But for thin lines, which clips do not have."""
    frame = grey[0].permute(1, 2, 0).contiguous()
    out, crop = frame.clone(), replace(crop, view=None)
    warp_frame(frame, out, crop, preset("smile"))
    still = warp(grey, crop, preset("smile"))[0][0].permute(1, 2, 0)
    assert (out - still).abs().max() < 3 / 255


def test_a_grey_picture_gets_the_luminance(crop: Crop, grey: Tensor) -> None:
    lit, one = (
        warp(grey, crop, expression("mouthSmile 0.9"))[0],
        warp(grey[:, :1], crop, expression("mouthSmile 0.9"))[0],
    )
    weights = torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]
    luminance = (lit[0].pow(2.2) * weights).sum(0).pow(1 / 2.2)
    assert (luminance - one[0, 0]).abs().max() < 0.015


@pytest.mark.parametrize("name", ["laugh", "surprise", "anger", "neutral"])
def test_a_photograph_without_colours_gets_none(name: str, astronaut: Tensor, finder: Remembering) -> None:
    grey = astronaut.mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()
    edited = warp(grey, align(grey, finder)[0], preset(name))[0]
    assert (edited - grey).abs().max() > 0.1
    assert (edited.amax(1) - edited.amin(1)).max() < 1e-3


def test_sides_mirror_each_other() -> None:
    rig = load_rig()
    names = [n.removesuffix("Left") for n in load_shading()[0] if n.endswith("Left")]
    assert len(names) >= 8
    found = shading(rig, torch.arange(len(rig.neutral)))
    assert torch.allclose(found.years, found.years[rig.mirror], atol=0.01)
    for table in found[:2]:
        known = table.abs().sum(0) > 0
        for name in names:
            left, right = (table[rig.unit_names.index(name + s)] for s in ("Left", "Right"))
            assert torch.allclose(left[known], right[rig.mirror][known], atol=0.01)


def test_without_a_look_into_the_picture_nothing_is_lit(crop: Crop, grey: Tensor) -> None:
    field, cheek = MusclesField.of({"mouthSmile": 0.6}), crop.places[0, AT[50]]
    blind, lit = (at(crop, warp(grey, c, field)[0], cheek) for c in (replace(crop, mouth=None), crop))
    assert torch.allclose(blind, torch.full((3,), GREY), atol=1e-4)
    assert (lit - GREY).abs().max() > 0.005


def test_years_deepen_folds_and_youth_does_not(crop: Crop, grey: Tensor) -> None:
    marks = crop.places[0]
    older, younger = (warp(grey, crop, MusclesField.of({name: 1.0}))[0] for name in ("faceOlder", "younger"))
    for a, b in FOLD:
        place = torch.lerp(marks[AT[a]], marks[AT[b]], 0.5)
        assert at(crop, older, place).mean() < GREY - 0.03
        assert at(crop, younger, place).mean() > GREY
    assert (older - GREY).abs().max() < 0.2  # soft shades


def test_years_draw_lines_across_the_forehead(crop: Crop, grey: Tensor) -> None:
    """From brow to hair light falls and rises three times; youth draws no line."""
    middle, top = crop.places[0, AT[9]], crop.places[0, AT[10]]
    row = torch.stack([torch.lerp(middle, top, t.item()) for t in torch.linspace(0.1, 0.9, 60)])

    def dips(field: MusclesField) -> int:
        light = crop.aligned(warp(grey, crop, field)[0], 512)[0].mean(0)
        x, y = (row * 512).long().T
        seen = light[y, x]
        seen = seen - torch.nn.functional.avg_pool1d(seen[None], 21, 1, 10, count_include_pad=False)[0]
        low = seen < -0.003
        return int((low[1:] & ~low[:-1]).sum())

    assert dips(MusclesField.of({"older": 1.0})) >= 3
    assert dips(MusclesField.of({"younger": 1.0})) == dips(MusclesField.of({"older": -1.0})) == 0


def test_lines_deepen_with_years_and_fade_with_youth(crop: Crop, grey: Tensor) -> None:
    """A line on the forehead, which an edit without years leaves as it is."""
    photo, forehead = grey.clone(), crop.places[0, AT[151]]
    x, y = (crop.inverse[0, :2, :2] @ forehead + crop.inverse[0, :2, 2]).round().long().tolist()
    photo[:, :, y - 1 : y + 2, x - 60 : x + 60] *= 0.8
    lined = replace(crop, creases=creases(photo, crop))

    def depth(name: str, amount: float) -> float:
        new = warp(photo, lined, MusclesField.of({name: amount}))[0][0].mean(0)
        near = new[y - 15 : y + 16, x - 5 : x + 6].mean(1)  # a shape moves the line a little
        return (near.median() - near.min()).item()

    before = depth("chinLonger", 0.5)
    assert before > 0.05
    assert depth("younger", 1.0) < 0.6 * before
    assert depth("older", 1.0) > 1.2 * before


def test_white_cheeks_do_not_glow(crops: dict[str, Crop]) -> None:
    """What a smile adds to the light of a cheek is less on skin that is nearly white."""
    crop, gains = replace(crops["grace_hopper"], creases=None), []
    place = crop.places[0, AT[50]] - torch.tensor([0, 0.02])
    for tone in (0.5, 0.8):
        picture = torch.full((1, 3, *crop.image_size), tone)
        seen = replace(crop, view=torch.full_like(crop.view, tone))
        gains.append(at(crop, warp(picture, seen, preset("smile"))[0], place).mean() / tone - 1)
    assert gains[0] > 0.02
    assert gains[1] < 0.7 * gains[0]
