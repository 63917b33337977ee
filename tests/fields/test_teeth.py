"""What is painted into a mouth that was closed: teeth above, the dark and the tongue below, and nothing anywhere else."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from flow_core.editing.concepts import MEANINGS
from flow_core.faces import mouth
from flow_core.faces.landmarks import AT, EYES, LIPS_INNER
from flow_core.faces.mouth import COLUMNS, mouth_colors
from flow_core.fields.anatomy import MovedFace
from flow_core.fields.base import Sample
from flow_core.fields.curves import Frame
from flow_core.fields.expressions import PRESETS, preset
from flow_core.fields.face import Face
from flow_core.fields.muscles import MusclesField
from flow_core.fields.reach import landmarks_after
from flow_core.fields.teeth import Skull, row
from flow_core.fields.units import fit_shown
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.sampling import sample_image
from flow_core.warping.frames import warp_frame
from flow_core.warping.latent import warp_mask
from flow_core.warping.stretch import repair_mask
from flow_core.warping.warp import warp

SIZE = 300
LOWER, UPPER = LIPS_INNER[:11], [LIPS_INNER[0], *LIPS_INNER[:9:-1]]


@pytest.fixture
def closed(crop: Crop) -> Crop:
    """The face with its lips together, in white light."""
    landmarks = crop.landmarks.clone()
    lower, upper = ([AT[i] for i in side] for side in (LOWER, UPPER))
    landmarks[:, lower] = landmarks[:, upper] = (landmarks[:, lower] + landmarks[:, upper]) / 2
    colors = torch.tensor([[0.75, 0.72, 0.68], [0.55, 0.35, 0.33], [0.1, 0.1, 0.1]])[None]
    return replace(crop, landmarks=landmarks, mouth=colors)


def asked(field: MusclesField, crop: Crop) -> tuple[MovedFace, Sample, Tensor]:
    """The moved face, what it does on a raster, and the raster's points ``[1,SIZE,SIZE,2]``."""
    flow, points = field.flow(0.0, crop), pixel_centers(SIZE, SIZE)
    return flow.faces[0], flow(points), points


def column(face: MovedFace, crop: Crop, field: MusclesField, depths: list[float]) -> tuple[Tensor, Tensor]:
    """Colours ``[n,3]`` and cover ``[n]`` a little beside the middle of the opening, on a front tooth, at shares of its height."""
    top, bottom = face.mouth.lips[:, 118].tolist()
    beside = face.mouth.target.length * 118 / 255
    points = torch.tensor([face.mouth.target.back(beside, top + d * (bottom - top)) for d in depths])
    painted = field.flow(0.0, crop)(points[None, None]).painted[0, :, 0]
    return (painted[:3] / painted[3:].clamp(min=1e-3)).T, painted[3]


def test_a_babys_mouth_shows_gums_and_no_teeth(closed: Crop, monkeypatch: pytest.MonkeyPatch) -> None:
    field = MusclesField.of({"mouthSmile": 0.6, "jawOpen": 0.5, "mouthUpperUp": 0.25})

    def palest(young: float) -> float:
        """Green over red."""
        monkeypatch.setattr(Face, "child", property(lambda face: young))
        color, _ = column(asked(field, closed)[0], closed, field, [i / 30 for i in range(2, 29)])
        return (color[:, 1] / color[:, 0].clamp(min=0.02)).max().item()

    assert palest(0.0) > 0.85
    assert palest(1.0) < 0.75


def test_a_row_of_teeth_rises_and_darkens_to_its_sides(closed: Crop) -> None:
    """As in people who laugh: it is no straight bar, and the corners of the mouth are neither teeth nor black."""
    field = preset("laugh")
    face, _, _ = asked(field, closed)
    mouth, row = face.mouth, face.mouth.row
    count, cm = row.columns.shape[1], row.centimetre
    edge = row.columns[0]
    assert (edge[count // 4] + edge[-count // 4]) / 2 < edge[count // 2] - 0.1 * cm

    def light(share: float) -> float:
        """The lightest in a column."""
        top, bottom = mouth.lips[:, round(share * 255)].tolist()
        a = share * mouth.target.length
        points = torch.tensor([mouth.target.back(a, top + i / 20 * (bottom - top)) for i in range(4, 17)])
        painted = field.flow(0.0, closed)(points[None, None]).painted[0, :, 0]
        return (painted[:3].mean(0) / painted[3].clamp(min=1e-3)).max().item()

    for side in (1, -1):
        middle, canine, corner = (light(0.5 - side * far) for far in (0.05, 0.25, 0.44))
        assert 0.5 * middle < canine < 0.95 * middle
        assert 0.1 * middle < corner < 0.7 * canine


def test_a_row_is_straighter_where_nobody_smiles(closed: Crop) -> None:
    """Or of angry mouths four teeth would be seen, between black wedges."""

    def rises(name: str) -> float:
        """By how many centimetres edges rise up to 1.2 centimetres beside the middle."""
        mouth = asked(preset(name), closed)[0].mouth
        edge, beside = mouth.row.columns[0], 1.2 * mouth.row.centimetre / mouth.target.length
        count = len(edge)
        sides = edge[round((0.5 - beside) * count)] + edge[round((0.5 + beside) * count)]
        return (edge[count // 2] - sides / 2).item() / mouth.row.centimetre

    assert rises("anger") < 0.75 * rises("laugh")


@pytest.mark.parametrize("name", ["anger", "disgust"])
def test_beside_bared_teeth_it_is_not_black(name: str, closed: Crop) -> None:
    field = preset(name)
    mouth = asked(field, closed)[0].mouth
    middles = mouth.lips.mean(0)
    points = torch.tensor([mouth.target.back(k / 255 * mouth.target.length, middles[k].item()) for k in (20, 235)])
    painted = field.flow(0.0, closed)(points[None, None]).painted[0, :, 0]
    assert (painted[:3].mean(0) / painted[3].clamp(min=1e-3)).min() > 0.15


def test_teeth_that_are_gritted_meet_and_both_rows_are_seen(closed: Crop) -> None:
    def rows(amounts: dict[str, float]) -> tuple[float, Tensor]:
        """By how many centimetres lower edges lie below upper ones in the middle half of the mouth, and the colour of what is seen there."""
        field = MusclesField.of(amounts)
        face, _, _ = asked(field, closed)
        upper, lower = face.mouth.row.columns[[0, 4], 128:384]
        apart = (lower - upper).abs().max().item() / face.mouth.row.centimetre
        return apart, column(face, closed, field, [0.85])[0][0]

    apart, below = rows({**MEANINGS["bared teeth"].amounts, "relax mouthSmile": 1.0})
    assert apart < 0.05
    assert below.mean() > 0.35
    assert below[1] > 0.75 * below[0]  # no lip, and no tongue
    assert rows(PRESETS["smile"])[0] > 0.15  # a smile hides them


def test_teeth_in_a_slit_lie_in_the_shade_of_lips(closed: Crop) -> None:
    def light(up: float) -> float:
        field = MusclesField.of({"mouthUpperUp": up, "relax mouthSmile": 1.0})
        face, _, _ = asked(field, closed)
        return column(face, closed, field, [0.5])[0].mean().item() / face.mouth.row.colors[0].mean().item()

    assert light(0.4) < 0.7 * light(1.0)


def test_a_jaw_that_hangs_shuts_where_teeth_are_gritted(closed: Crop) -> None:
    fitted = fit_shown(closed.places)
    units = fitted.units.clone()
    units[0, fitted.rig.unit_names.index("jawOpen")] += 0.7
    opened = replace(closed, landmarks=closed.to_image(landmarks_after(fitted, closed.places[0], units)[None])[0])
    mouth = asked(MusclesField.of(MEANINGS["bared teeth"].amounts), opened)[0].mouth
    assert (mouth.lips[1] - mouth.lips[0]).max() < 0.7 * mouth.gap


@pytest.mark.parametrize(("depth", "gap"), [(0.02, 0.15), (0.03, 0.3)])
def test_a_row_of_a_turned_head_reaches_its_far_end_on_either_side(depth: float, gap: float, closed: Crop) -> None:
    frame, lip = Frame((0.42, 0.6), (1.0, 0.0), 0.16), np.array([0.5, 0.6])

    def light(turn: float) -> Tensor:
        axes = np.array([[0.035, 0.0], [0.0, 0.04], [turn, 0.0]])
        skull = Skull(lip, axes, closed.mouth[0], lip, 0.0, (0.0, 0.0), 0.45, 0.0, torch.zeros(50))
        return row(skull, frame, 0.0, 0.03, 0.03, (0.0, 0.0), 0.002, torch.device("cpu")).columns[2]

    assert (light(depth) - light(-depth).flip(0)).abs().mean() < 0.05
    assert (light(depth) == 0).float().mean() < gap  # before the corner


def test_a_tongue_comes_out_of_the_dark_of_a_wide_mouth(closed: Crop) -> None:
    field = MusclesField.of({"jawOpen": 0.9})
    color, _ = column(asked(field, closed)[0], closed, field, [0.4, 0.75])
    dark, tongue = color.mean(1)
    assert tongue > 2 * dark


def test_a_laugh_from_closed_lips_shows_teeth_above_the_dark(closed: Crop) -> None:
    field = MusclesField.of({"mouthSmile": 0.6, "jawOpen": 0.5, "mouthUpperUp": 0.25})
    face, _, _ = asked(field, closed)
    color, cover = column(face, closed, field, [0.2, 0.7])
    assert (cover > 0.9).all()
    teeth, depth = color.mean(1)
    assert 0.3 < teeth < 0.8  # no whiter than the light
    assert teeth > 1.5 * depth
    assert color[1, 0] > 1.2 * color[1, 2]  # and the depth is red


def test_nothing_is_painted_but_on_what_opens(closed: Crop) -> None:
    closed = replace(
        closed, lids=None, view=None
    )  # and on the skin below brows that rise, and at corners of a grin that goes
    for field in (preset("laugh"), preset("surprise"), MusclesField.of({"eyeLookUp": 1.0})):
        face, found, points = asked(field, closed)
        assert not found.painted[0, :, face.opening(points)[0] == 0].any()
        assert (found.painted >= 0).all()
        assert (found.painted <= 1).all()
    _, found, _ = asked(MusclesField.of({"browInnerUp": 1.0}), closed)
    assert found.painted is None or not found.painted.any()


def test_painting_is_for_the_eye_only(closed: Crop, astronaut: Tensor) -> None:
    """Offsets, what is uncovered, masks to paint anew and warped masks are the same without it."""
    blind = replace(closed, mouth=None)
    _, with_, _ = asked(preset("laugh"), closed)
    _, without, _ = asked(preset("laugh"), blind)
    assert without.painted is None
    assert (with_.offset - without.offset).abs().max() < 1e-6  # three planes are blurred at once, not two
    assert torch.equal(with_.uncovered, without.uncovered)
    assert torch.equal(repair_mask(preset("laugh"), closed), repair_mask(preset("laugh"), blind))
    mask = torch.rand(1, *closed.image_size)
    assert torch.equal(warp_mask(mask, closed, preset("laugh")), warp_mask(mask, blind, preset("laugh")))
    edited, plain = (warp(astronaut, crop, preset("laugh"))[0] for crop in (closed, blind))
    x0, y0, x1, y1 = closed.boxes_in_image([asked(preset("laugh"), closed)[0].mouth.box])[0]
    assert (edited != plain).any(1)[0, y0:y1, x0:x1].any()


def test_teeth_stay_with_the_skull(closed: Crop) -> None:
    """Edges of the front teeth are where they are, however far the jaw opens; and as far below the lip as it has risen."""
    edges, lips = [], []
    for jaw in (0.2, 0.5, 0.9):
        mouth = asked(MusclesField.of({"jawOpen": jaw, "mouthUpperUp": jaw / 2}), closed)[0].mouth
        count = mouth.row.columns.shape[1]
        a = mouth.target.length * (count / 2 + 0.5) / count
        edges.append(mouth.target.back(a, mouth.row.columns[0, count // 2].item()))
        lips.append(mouth.target.back(mouth.target.length / 2, mouth.lips[0, 128].item()))
    assert np.ptp(edges, 0).max() < 0.003
    assert lips[-1][1] < edges[-1][1]


def test_strength_is_continuous(closed: Crop) -> None:
    strengths = np.arange(0.02, 1.0, 0.04).tolist()
    shown = [asked(preset("laugh").scale(s, s), closed)[1].painted for s in strengths]
    shown = [torch.zeros(1, 4, SIZE, SIZE) if p is None else p for p in shown]
    steps = torch.stack([(b - a).abs().mean() for a, b in itertools.pairwise(shown)])
    assert shown[0].amax() < 0.1
    assert steps.max() < 4 * steps.mean()


def test_a_pictures_own_teeth_stay(closed: Crop, crop: Crop) -> None:
    """Between parted lips that show something as light as teeth none are made; in the dark between them they are."""
    landmarks = closed.landmarks.clone()
    lower = [AT[i] for i in LOWER[2:9]]
    landmarks[:, lower] += 0.05 * closed.side[0] * torch.tensor([0.0, 1.0])
    field = MusclesField.of({"jawOpen": 0.3})
    lightness = []
    for lightest in (0.1, 0.7):
        colors = closed.mouth.clone()
        colors[:, 2] = lightest
        parted = replace(closed, landmarks=landmarks, mouth=colors)
        face, _, _ = asked(field, parted)
        lightness.append(column(face, parted, field, [0.1, 0.2])[1].amax())
    assert lightness[0] > 0.8
    assert lightness[1] < 0.05


def shows_teeth_and_tongue(crop: Crop, astronaut: Tensor) -> tuple[Tensor, Crop]:
    """The picture with parted lips between which there are teeth, the dark and a tongue; and its crop, which has looked there."""
    landmarks = crop.landmarks.clone()
    lower, upper = (landmarks[0, [AT[i] for i in side]] for side in (LOWER, UPPER))
    lower[2:9] += 0.05 * crop.side[0] * torch.tensor([0.0, 1.0])
    landmarks[0, [AT[i] for i in LOWER]] = lower
    image = Image.fromarray((astronaut[0].permute(1, 2, 0) * 255).round().byte().numpy())
    for first, last, color in ((0.0, 0.5, (225, 215, 200)), (0.5, 0.7, (40, 15, 15)), (0.7, 1.0, (190, 90, 95))):
        edges = torch.cat([torch.lerp(upper, lower, first), torch.lerp(upper, lower, last).flip(0)])
        ImageDraw.Draw(image).polygon([tuple(p) for p in edges.tolist()], fill=color)
    picture = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    crop = replace(crop, landmarks=landmarks)
    return picture, replace(crop, mouth=mouth_colors(picture, crop))


def test_a_row_of_teeth_and_what_lies_below_is_found(closed: Crop, astronaut: Tensor) -> None:
    _, crop = shows_teeth_and_tongue(closed, astronaut)
    reach, light, split = crop.mouth[0, 3:].T[:, 5:-5]
    assert (reach - 0.5).abs().max() < 0.1
    assert light.min() > 0.8
    assert ((split > 0.45) & (split < 0.75)).all()


def test_the_line_between_two_rows_is_found_however_thin() -> None:
    light = torch.full((1, 16, COLUMNS), 0.9)
    light[:, :, [0, 1, -2, -1]] = 0.1
    rows = torch.linspace(7, 9, COLUMNS).round().long()
    light[:, rows, torch.arange(COLUMNS)] -= 0.12
    found, there = mouth._bite(light, (light > 0.4).float())
    assert there.all()
    assert (found[0, 2:-2] - 0.5 - rows[2:-2]).abs().max() <= 1
    light[:, 8:] = 0.2  # one row alone, above the dark or a lip
    assert not mouth._bite(light, (light > 0.4).float())[1].any()


def test_upper_lips_that_rise_far_show_teeth_and_hardly_any_gum(closed: Crop) -> None:
    face, _, _ = asked(MusclesField.of({"mouthSmile": 0.6, "mouthUpperUp": 1.3, "noseSneer": 1.0}), closed)
    row, top = face.mouth.row, face.mouth.lips[0, 128]
    assert row.columns[1, 200:312].min() < top + 0.1 * row.centimetre
    assert row.columns[0, 200:312].max() > top + 0.3 * row.centimetre


def test_a_row_goes_on_beside_a_pictures_own_teeth(closed: Crop, astronaut: Tensor) -> None:
    """In their light and at the height of their edges, which is elsewhere than that of teeth nobody sees."""
    _, crop = shows_teeth_and_tongue(closed, astronaut)
    field = MusclesField.of({"mouthSmile": 0.8, "jawOpen": 0.3})
    face, _, _ = asked(field, crop)
    row, mouth = face.mouth.row, face.mouth
    assert row.known > 0.9
    own = torch.tensor([225, 215, 200]) / 255
    assert ((row.colors[0] - own) > -0.03).all()
    assert (row.colors[0] / row.colors[0].mean() - own / own.mean()).abs().max() < 0.03
    # where the picture shows them nothing is painted, and their edges are the row's
    seen = mouth.seen[:2, 128].tolist()
    edge = seen[0] + 0.5 * (seen[1] - seen[0])
    x, y = mouth.source.back(mouth.source.length / 2, edge)
    a, b = mouth.target.to(x, y + mouth.lift)
    middle = row.columns[0, round(a / mouth.target.length * row.columns.shape[1])]
    assert abs(middle - b) < 0.006
    blind, _, _ = asked(field, replace(crop, mouth=crop.mouth[:, :3]))
    assert abs(blind.mouth.row.columns[0, 256] - b) > 0.006
    _, cover = column(face, crop, field, [0.15])
    assert cover[0] < 0.1
    beside = mouth.target.back(0.08 * mouth.target.length, (mouth.lips[:, 20].mean()).item())
    painted = field.flow(0.0, crop)(torch.tensor(beside)[None, None, None]).painted[0, :, 0, 0]
    assert painted[3] > 0.5


def test_the_lower_teeth_and_the_tongue_go_with_the_jaw(closed: Crop, astronaut: Tensor) -> None:
    lowered = []
    for jaw in (0.3, 0.6):
        face, _, _ = asked(MusclesField.of({"jawOpen": jaw}), closed)
        lowered.append(face.mouth.target.back(0.0, face.mouth.row.columns[4, 256].item())[1])
    assert lowered[1] - lowered[0] > 0.02
    picture, crop = shows_teeth_and_tongue(closed, astronaut)
    field = MusclesField.of({"jawOpen": 0.4})
    face, _, _ = asked(field, crop)
    top, bottom = face.mouth.lips[:, 128].tolist()
    heights = torch.linspace(top + 0.006, bottom - 0.006, 40)
    middle = [face.mouth.target.back(face.mouth.target.length / 2, b.item()) for b in heights]
    points = torch.tensor(middle)[None, None]
    sample = field.flow(0.0, crop)(points)
    source = crop.aligned(picture, 256)
    seen = sample_image(source, (points + sample.offset.movedim(1, -1)) * 256)[0, :, 0]
    cover = sample.painted[0, 3, 0]
    teeth, tongue = (seen[2] > 0.7) & (cover < 0.1), (seen[0] > 0.6) & (seen[1] < 0.45) & (cover < 0.1)
    assert teeth[:8].any()
    assert not teeth[20:].any()  # they stay with the skull,
    assert tongue[-8:].any()
    assert not tongue[:20].any()  # the tongue does not
    assert (cover[(heights > heights[teeth].max() + 0.01) & (heights < heights[tongue].min() - 0.01)] > 0.5).all()


def test_fine_lines_are_not_drawn_into_small_pictures(closed: Crop) -> None:
    """A face of a few pixels gets the mean of its teeth, not a comb."""

    def spread(shrink: float) -> float:
        grow = torch.diag(torch.tensor([shrink, shrink, 1.0]))
        small = replace(
            closed, matrix=closed.matrix @ grow, landmarks=closed.landmarks / shrink, points=closed.points / shrink
        )
        crowns = asked(preset("laugh"), small)[0].mouth.row.crowns[0, 0]
        count = crowns.shape[1]
        return crowns[len(crowns) // 2, count // 4 : -count // 4].std().item()

    assert spread(closed.side[0].item() / 24) < 0.4 * spread(1.0)


def test_teeth_have_the_light_of_the_picture(astronaut: Tensor, crop: Crop) -> None:
    seen, dim = mouth_colors(astronaut, crop), mouth_colors(astronaut / 8, crop)
    assert seen.shape == (1, 3 + COLUMNS, 3)
    assert 0.3 < seen[0, 0].mean() < 0.95
    assert dim[0, 0].mean() < 0.2
    grey = mouth_colors(astronaut.mean(1, keepdim=True).expand(-1, 3, -1, -1), crop)
    assert (grey.amax(2) - grey.amin(2))[:, :3].max() < 0.01
    assert grey[0, 3:, 1].max() > 0.8  # and its teeth are found all the same
    assert seen[0, 1, 0] > seen[0, 1, 2]  # the tongue is red


def test_teeth_in_orange_light_are_not_pink(astronaut: Tensor, crop: Crop) -> None:
    """As lids are, which hide the white of narrow eyes."""
    orange = astronaut * astronaut.new_tensor([1.0, 0.85, 0.6])[:, None, None]
    pink = astronaut.new_tensor([1.0, 0.7, 0.75])[:, None, None]
    narrow = orange.clone()
    for eye in EYES:
        (x0, y0), (x1, y1) = crop.landmarks[0, [AT[i] for i in eye]].aminmax(dim=0)
        narrow[..., int(y0) : int(y1) + 1, int(x0) : int(x1) + 1] *= pink
    red, green, blue = mouth_colors(narrow, crop)[0, 0].log().tolist()
    assert green > (red + blue) / 2 - 0.05
    assert red > green > blue


@pytest.mark.parametrize("grow", [1, 3])  # a frame is asked at every pixel, or between layers at every few
def test_frames_of_a_video_are_painted_as_photos_are(grow: int, closed: Crop, astronaut: Tensor) -> None:
    large = F.interpolate(astronaut, scale_factor=grow, mode="bilinear").clamp(0, 1)
    scale = torch.diag(torch.tensor([1 / grow, 1 / grow, 1.0]))
    crop = replace(
        closed,
        image_size=tuple(large.shape[2:]),
        matrix=closed.matrix @ scale,
        landmarks=closed.landmarks * grow,
        points=closed.points * grow,
    )
    photo, _ = warp(large, crop, preset("laugh"))
    x0, y0, x1, y1 = crop.boxes_in_image([asked(preset("laugh"), crop)[0].mouth.box])[0]
    for whole, kind in ((1.0, torch.float32), (255.0, torch.uint8)):
        frame = (large[0].permute(1, 2, 0) * whole).round(decimals=0 if whole > 1 else 6).to(kind).contiguous()
        out = frame.clone()
        warp_frame(frame, out, crop, preset("laugh"), interpolation="bicubic")
        mouth = out[y0:y1, x0:x1].permute(2, 0, 1).float() / whole
        assert (mouth - photo[0, :, y0:y1, x0:x1]).abs().mean() < 0.004


def test_teeth_stand_in_the_dark_that_was_seen(closed: Crop) -> None:
    """Where a round mouth smiles it opens at its sides alone, and there is no gap between the teeth that come there."""
    landmarks = closed.landmarks.clone()
    round_mouth = torch.tensor([0.0, 0.0, 0.3, 0.7, 0.9, 1.0, 0.9, 0.7, 0.3, 0.0, 0.0])[:, None]
    landmarks[:, [AT[i] for i in LOWER]] += 0.06 * closed.side[0] * round_mouth * torch.tensor([0.0, 1.0])
    parted = replace(closed, landmarks=landmarks)
    field = MusclesField.of({"mouthSmile": 0.8, "jawOpen": -0.1})
    face, _, _ = asked(field, parted)
    before, after = face.mouth.seen[:2, 128].diff(dim=0), face.mouth.lips[:, 128].diff(dim=0)
    assert after < before
    color, cover = column(face, parted, field, [0.25])
    assert cover[0] > 0.8
    assert color[0, 1] > 0.4


def test_teeth_that_a_lip_cuts_end_where_those_beside_them_do(closed: Crop, astronaut: Tensor) -> None:
    """Of a row whose edges are seen in its left half alone; where none are seen it goes on behind the lip."""
    _, crop = shows_teeth_and_tongue(closed, astronaut)
    crop.landmarks[:, [AT[i] for i in LOWER[2:9]]] -= 0.025 * crop.side[0] * torch.tensor([0.0, 1.0])
    field = MusclesField.of({"mouthSmile": 0.8, "jawOpen": 0.3})
    whole = crop.mouth.clone()
    whole[0, 3:, 2] = 1.0  # nothing is seen below
    half, none = whole.clone(), whole.clone()
    half[0, 3 + COLUMNS // 2 :, 0] = none[0, 3:, 0] = 1.0
    right = slice(280, 360)
    edges = [
        asked(field, replace(crop, mouth=seen))[0].mouth.row.columns[0, right].mean() for seen in (whole, half, none)
    ]
    assert edges[1] - edges[0] < 0.4 * (edges[2] - edges[0])


def test_a_parted_mouth_gets_no_teeth_where_others_move(closed: Crop) -> None:
    """What it shows is dark, and stays so where eyes shut; where its upper lip rises there are teeth before the dark."""
    landmarks = closed.landmarks.clone()
    landmarks[:, [AT[i] for i in LOWER[2:9]]] += 0.05 * closed.side[0] * torch.tensor([0.0, 1.0])
    parted = replace(closed, landmarks=landmarks)
    covers = []
    for units in ({"eyeBlink": 1.0}, {"mouthUpperUp": 0.8}):
        field = MusclesField.of(units)
        face, _, _ = asked(field, parted)
        covers.append(column(face, parted, field, [0.1, 0.2])[1].amax().item())
    assert covers[0] < 0.05
    assert covers[1] > 0.8


def test_a_lip_that_rises_uncovers_more_of_the_same_teeth(closed: Crop, astronaut: Tensor) -> None:
    picture, crop = shows_teeth_and_tongue(closed, astronaut)
    field = MusclesField.of({"mouthUpperUp": 1.0})
    face, _, _ = asked(field, crop)
    top = face.mouth.lips[0, 128].item()
    down = torch.tensor([0.012, 0.016, 0.02])
    points = [face.mouth.target.back(face.mouth.target.length / 2, top + d.item()) for d in down]
    points = torch.tensor(points)[None, None]
    sample = field.flow(0.0, crop)(points)
    assert sample.painted[0, 3].max() < 0.1
    seen = sample_image(crop.aligned(picture, 512), (points + sample.offset.movedim(1, -1)) * 512)[0, :, 0].T
    assert (seen - torch.tensor([225, 215, 200]) / 255).abs().max() < 0.1


def test_a_few_teeth_that_are_seen_are_no_patch_in_a_row(closed: Crop, astronaut: Tensor) -> None:
    """Of a mouth that shows its front teeth alone, a smile paints all of the row, where theirs is; but other edits leave them as they are."""
    _, crop = shows_teeth_and_tongue(closed, astronaut)
    few = crop.mouth.clone()
    few[0, 3 : 3 + COLUMNS // 3, 1] = few[0, -(COLUMNS // 3) :, 1] = 0.0
    covers, heights = [], []
    for seen, units in ((crop.mouth, "mouthUpperUp"), (few, "mouthUpperUp"), (few, "eyeBlink")):
        field, looked = MusclesField.of({units: 1.0}), replace(crop, mouth=seen)
        face, _, _ = asked(field, looked)
        covers.append(column(face, looked, field, [0.1, 0.2])[1].mean().item())
        heights.append(face.mouth.row.columns[0, 256].item())
    assert covers[1] > 0.7
    assert max(covers[0], covers[2]) < 0.1
    assert abs(heights[1] - heights[0]) < 0.004


def test_a_slit_that_rises_with_its_lips_stays_dark(closed: Crop) -> None:
    landmarks = closed.landmarks.clone()
    landmarks[:, [AT[i] for i in LOWER[2:9]]] += 0.01 * closed.side[0] * torch.tensor([0.0, 1.0])
    field = MusclesField.of({"mouthUpperUp": 0.4, "jawOpen": -0.2, "mouthClose": 0.15})
    face, _, _ = asked(field, replace(closed, landmarks=landmarks))
    assert face.mouth.after[1].sub(face.mouth.after[0]).max() < 0.012
    assert face.mouth.widens < 0.3
