"""Muscles fields do what all other fields do: mix, turn around, mask, leave for other programs, work on several faces and in clips."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from helpers import same_bits, smooth_field
from torch import Tensor

from flow_core.faces.rig import UnknownMuscle, load_rig
from flow_core.fields import algebra
from flow_core.fields.base import FieldError
from flow_core.fields.expressions import PRESETS, expression, expression_of, neutral, parse_amounts, preset, table
from flow_core.fields.files import load_field
from flow_core.fields.motion import motion_on
from flow_core.fields.muscles import MusclesField
from flow_core.fields.told import what_it_does
from flow_core.fields.velocity import to_velocity
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.io import draw, interchange
from flow_core.video.clips import Frame
from flow_core.video.drive import drive, driving_fields, read_frames, relative, slow_frowns, smoothed
from flow_core.video.editor import Editor
from flow_core.video.settings import VideoSettings
from flow_core.warping.frames import warp_frame
from flow_core.warping.measure import measure
from flow_core.warping.stretch import repair_mask
from flow_core.warping.warp import warp


def amount(field: MusclesField, name: str) -> float:
    rig = load_rig()
    names = (*rig.unit_names, *rig.control_names)
    return torch.cat([field.units, field.controls], 1)[0, names.index(name)].item()


def at(field: MusclesField, crop: Crop, size: int = 96) -> Tensor:
    return field.flow(crop=crop)(pixel_centers(size, size)).offset


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mouthSmile 0.7, eyeBlinkLeft 1", {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7, "eyeBlinkLeft": 1.0}),
        ("MOUTHSMILELEFT=.5; relax browDownLeft 0.5", {"mouthSmileLeft": 0.5, "relax browDownLeft": 0.5}),
        ("mouthSmile 0.5, mouthSmileLeft 0.2", {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.5}),
        ("eyes closed 0.5", {"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5}),
        ("jawOpen", {"jawOpen": 1.0}),
    ],
)
def test_expressions_and_muscles_by_name(text: str, said: dict[str, float]) -> None:
    assert parse_amounts(text) == pytest.approx(said)


def test_amounts_in_per_cent_are_said_to_be_too_much() -> None:
    with pytest.raises(FieldError, match="'smile 70' is more than a face can do"):
        parse_amounts("browDown 0.5, smile 70")


def test_presets_by_name() -> None:
    assert torch.equal(expression("smile").coefficients(), preset("smile").coefficients())
    half = expression("smile 0.5, relax")
    assert torch.allclose(half.units, preset("smile").units / 2)
    assert torch.allclose(half.relax, 1 + preset("smile").relax / 2)


@pytest.mark.parametrize(
    ("text", "near"),
    [("mouthSmlie 1", "mouthSmile"), ("smlie", "smile"), ("relax noseWider 1", "noseSneer"), ("zzz 1", "--names")],
)
def test_unknown_names_are_told_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UnknownMuscle, match=near):
        expression(text)


@pytest.mark.parametrize("text", ["", " , ", "mouthSmile 1 2", "12"])
def test_text_that_names_nothing(text: str) -> None:
    with pytest.raises(FieldError, match="write for instance"):
        expression(text)


def test_mix_of_muscles_adds_contractions() -> None:
    smile = preset("smile")
    mixed = algebra.mix([smile, MusclesField.of({"jawOpen": 0.5, "noseWider": 1})], [0.5, 2.0])
    assert isinstance(mixed, MusclesField)
    assert amount(mixed, "mouthSmileLeft") == pytest.approx(amount(smile, "mouthSmileLeft") / 2)
    assert amount(mixed, "jawOpen") == pytest.approx(amount(smile, "jawOpen") / 2 + 1)
    assert amount(mixed, "noseWider") == 2.0
    assert mixed.rest is None


def test_mix_keeps_other_fields_as_the_rest(crop: Crop, tmp_path) -> None:
    smile, raster = preset("smile"), smooth_field(0.02, 0.05)
    mixed = algebra.mix([raster, smile, raster], [1.0, 1.0, 0.5])
    assert torch.allclose(mixed.rest.offset, 1.5 * raster.offset)
    points = pixel_centers(48, 48)
    wanted, found = [f.flow(crop=crop)(points) for f in (smile, raster)], mixed.flow(crop=crop)(points)
    # The rest belongs to the face as it was, so it is asked where the muscles say that a point comes from.
    source = points + wanted[0].offset.movedim(1, -1)
    rest = raster.flow(crop=crop)(source)
    assert torch.allclose(found.offset, wanted[0].offset + 1.5 * rest.offset, atol=1e-6)
    assert torch.allclose(found.color, 1.5 * rest.color * (1 - wanted[0].uncovered), atol=1e-6)
    again = load_field(mixed.save(tmp_path / "mixed.safetensors"))
    assert torch.equal(again.coefficients(), mixed.coefficients())
    assert torch.equal(again.rest.offset, mixed.rest.offset)
    with pytest.raises(FieldError, match="do not fit"):
        algebra.mix([MusclesField.zeros(2), MusclesField.zeros(3)], [1, 1])


def test_compose_lets_the_second_relax_the_first() -> None:
    composed = algebra.compose(preset("smile"), MusclesField.of({"relax mouthSmile": 0.8, "noseSneer": 0.3}))
    assert amount(composed, "mouthSmileLeft") == pytest.approx(0.2 * amount(preset("smile"), "mouthSmileLeft"))
    assert amount(composed, "noseSneerLeft") == pytest.approx(0.3)
    assert amount(composed, "cheekSquintLeft") == pytest.approx(amount(preset("smile"), "cheekSquintLeft"))


def test_compose_with_a_raster_needs_the_face(crop: Crop) -> None:
    with pytest.raises(FieldError, match="crop"):
        algebra.compose(preset("smile"), smooth_field())
    assert algebra.compose(preset("smile"), smooth_field(), crop).kind == "raster"


def test_opposite_pulls_the_other_way(crop: Crop) -> None:
    corner = crop.to_crop(crop.points[:, None, 3:4])  # the viewer's left mouth corner
    ways = preset("smile"), algebra.opposite(preset("smile"))
    there, back = (f.flow(crop=crop)(corner).offset[0, 1].item() for f in ways)
    assert there > 0.005  # content comes from below: the corner goes up
    assert back < -0.002


def test_mirror_swaps_the_sides(crop: Crop) -> None:
    field = replace(MusclesField.of({"mouthSmileLeft": 0.6, "noseWider": 1.0, "jawLeft": 0.2}), rest=smooth_field())
    there = algebra.mirror(field)
    assert (amount(there, "mouthSmileRight"), amount(there, "mouthSmileLeft")) == (pytest.approx(0.6), 0.0)
    assert (amount(there, "noseWider"), amount(there, "jawRight")) == (1.0, pytest.approx(0.2))
    back = algebra.mirror(there)
    assert torch.equal(back.coefficients(), field.coefficients())
    assert torch.equal(back.rest.offset, field.rest.offset)
    # the person's left is the viewer's right
    one = at(MusclesField.of({"mouthSmileLeft": 0.6}), crop).norm(dim=1)[0]
    assert one[:, 48:].mean() > 3 * one[:, :48].mean()


def test_inverse_needs_the_face_and_undoes_on_it(crop: Crop, astronaut: Tensor) -> None:
    smile = MusclesField.of({"mouthSmile": 0.5, "browInnerUp": 0.5})
    with pytest.raises(FieldError, match="crop"):
        algebra.invert(smile)
    undone = warp(warp(astronaut, crop, smile)[0], crop, algebra.invert(smile, crop))[0]
    edited = warp(astronaut, crop, smile)[0]
    assert (undone - astronaut).abs().mean() < 0.35 * (edited - astronaut).abs().mean()


def test_mask_by_region_keeps_muscles_of_the_region(crop: Crop) -> None:
    field = replace(
        MusclesField.of({"mouthSmile": 0.7, "browInnerUp": 0.5, "eyeBlink": 0.4, "noseWider": 1}), rest=smooth_field()
    )
    mouth = algebra.mask_region(field, crop, "mouth")
    assert what_it_does(mouth) == "mouthSmile 0.70, colours"
    assert 0 < mouth.rest.offset.abs().mean() < 0.5 * field.rest.offset.abs().mean()
    others = algebra.mask_region(field, crop, "mouth", outside=True)
    assert amount(others, "mouthSmileLeft") == 0.0
    assert amount(others, "browInnerUp") == 0.5
    assert torch.equal(algebra.mask_region(field, crop).coefficients(), field.coefficients())
    assert not algebra.mask_region(field, crop, outside=True).coefficients().any()
    assert not algebra.mask_region(field, crop, "hair").coefficients().any()


def test_painted_mask_makes_a_raster(crop: Crop) -> None:
    picture_mask = torch.zeros(1, *crop.image_size)
    left = int(crop.points[0, :, 0].mean())
    picture_mask[..., :left] = 1
    masked = algebra.mask_region(preset("smile"), crop, None, picture_mask)
    assert masked.kind == "raster"
    far = masked.offset[0].norm(dim=0)
    half = far.shape[1] // 2
    assert far[:, half + 8 :].max() < 0.1 * far[:, :half].max()


def test_every_region_is_known(crop: Crop) -> None:
    from flow_core.faces.regions import REGIONS

    rig = load_rig()
    everything = MusclesField.of(dict.fromkeys((*rig.unit_names, *rig.control_names), 1.0))
    for region in set(REGIONS) - {"hair"}:
        kept, others = (algebra.mask_region(everything, crop, region, outside=o) for o in (False, True))
        assert kept.coefficients().any(), region
        assert torch.equal(kept.coefficients() + others.coefficients(), everything.coefficients())


def test_transfer_gives_it_back(crops: dict[str, Crop]) -> None:
    smile = preset("smile")
    assert algebra.transfer(smile, crops["astronaut"].places, crops["grace_hopper"].places) is smile


def test_raster_and_velocity_on_one_face(crop: Crop) -> None:
    smile = preset("smile")
    points = pixel_centers(64, 64)
    here = smile.flow(crop=crop)(points).offset
    raster = smile.raster(crop=crop)
    assert (raster.flow()(points).offset - here).norm(dim=1).mean() < 0.05 * here.norm(dim=1).mean()
    velocity = to_velocity(smile, crop=crop)
    assert velocity.kind == "velocity"
    assert (velocity.flow()(points).offset - here).norm(dim=1).mean() < 0.3 * here.norm(dim=1).mean()  # it cannot tear
    with pytest.raises(FieldError, match="crop"):
        smile.raster()


@pytest.mark.parametrize("suffix", [".flo", ".exr", ".npy", ".png"])
def test_export_holds_what_is_applied(crop: Crop, tmp_path, suffix: str) -> None:
    smile = preset("smile")
    back = interchange.read(interchange.write(smile, tmp_path / f"smile{suffix}", 128, crop=crop, feather=0.0))
    assert torch.allclose(back.offset, smile.flow(0.0, crop)(pixel_centers(128, 128)).offset, atol=1e-3)


def test_st_map_of_the_photo(crop: Crop, tmp_path) -> None:
    from flow_core.io.rasters import read_exr

    file = interchange.write(preset("smile"), tmp_path / "smile.exr", st=True, crop=crop)
    assert read_exr(file)["R"].shape == tuple(crop.image_size)


def test_what_an_opened_mouth_uncovers_is_repaired(crops: dict[str, Crop]) -> None:
    crop = crops["grace_hopper"]
    mask = repair_mask(MusclesField.of({"jawOpen": 0.8}), crop, threshold=9.9, grow=0.0)
    x, y = crop.points[0, 3:].mean(0).round().long().tolist()
    assert mask[0, y : y + int(0.1 * crop.side)].amax(0)[x] > 0.5
    assert mask[0, : int(crop.points[0, 0, 1])].max() == 0


def test_measured_and_drawn(crop: Crop, astronaut: Tensor) -> None:
    smile = preset("smile")
    [numbers] = measure(smile, crop)
    assert numbers.unit == "px"
    assert numbers.longest > 1
    face = crop.aligned(astronaut, 96)
    for style in (*draw.STYLES, draw.MUSCLES):
        view = draw.view(smile, style, 96, face, 1.0, crop.side.item(), crop)
        assert view.shape == (1, 3, 96, 96)
        nothing = draw.view(MusclesField.zeros(), style, 96, face, 1.0, crop.side.item(), crop)
        assert style == "color" or not torch.equal(view, nothing), style
    with pytest.raises(ValueError, match="muscles fields"):
        draw.view(smooth_field(), draw.MUSCLES, 96, face)


def test_motion_says_what_moves_what(crop: Crop) -> None:
    motion = motion_on(MusclesField.of({"jawOpen": 0.6, "browInnerUp": 0.5}), crop)
    assert [n for n, _ in motion.amounts] == ["jawOpen", "browInnerUp"]
    far = (motion.after - motion.before).norm(dim=1) > 0.005
    eyes = crop.to_crop(crop.points[:, None, :2])[0, 0, :, 1].mean()
    by_brows = motion.by == 1
    assert (motion.before[far & by_brows, 1] < eyes + 0.05).all()
    assert motion_on(MusclesField.zeros(), crop).amounts == ()


def test_several_faces_each_smile_their_own(crops: dict[str, Crop], portraits: dict[str, Tensor]) -> None:
    a, b = crops["astronaut"], crops["grace_hopper"]
    size = [max(p.shape[i] for p in portraits.values()) for i in (2, 3)]
    pages, grown = [], []
    for crop, picture in ((a, portraits["astronaut"]), (b, portraits["grace_hopper"])):
        page = torch.zeros(1, 3, *size)
        page[..., : picture.shape[2], : picture.shape[3]] = picture
        pages.append(page)
        grown.append(replace(crop, image_size=tuple(size)))
    both = replace(
        grown[0],
        **{k: torch.cat([getattr(c, k) for c in grown]) for k in ("points", "matrix", "landmarks", "mouth", "creases", "lids", "view", "blur")},
        score=(1.0, 1.0), of_picture=(0, 1), pictures=2, glasses=tuple(c.glasses[0] for c in grown),
    )  # fmt: skip
    fields = algebra.mix([preset("smile"), MusclesField.zeros(2)], [1, 1])
    edited, _ = warp(torch.cat(pages), both, preset("smile"))
    for i, crop in enumerate(grown):
        alone, _ = warp(pages[i], crop, preset("smile"))
        assert torch.allclose(edited[i], alone[0], atol=1e-4)
    again, _ = warp(torch.cat(pages), both, fields)
    assert torch.allclose(again, edited)


def test_a_crop_is_fitted_once(crop: Crop, astronaut: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    import flow_core.fields.muscles as muscles

    calls, fit, points = [], muscles.fit_shown, pixel_centers(32, 32)
    monkeypatch.setattr(muscles, "fit_shown", lambda *a: calls.append(a) or fit(*a))
    crop = replace(crop)
    smiles, blinks = (preset(name).flow(0.0, crop)(points).offset for name in ("smile", "wink"))
    assert len(calls) == 1
    assert not torch.equal(smiles, blinks)
    other = replace(crop, landmarks=crop.landmarks + 2.0)  # pixels
    assert not torch.equal(preset("smile").flow(0.0, other)(points).offset, smiles)
    assert len(calls) == 2
    for strength in (0.3, 0.6):  # an edit that is dragged
        warp(astronaut, crop, preset("smile"), strength)
    assert len(calls) == 2


def test_strength_zero_and_outside_are_bit_identical(crop: Crop, astronaut: Tensor) -> None:
    for field in (expression("laugh, jawWider 1"), expression_of(crop)):
        assert same_bits(warp(astronaut, crop, field, 0.0, 0.0)[0], astronaut)
    edited, changed = warp(astronaut, crop, preset("surprise"))
    assert same_bits(edited * (1 - changed[:, None]), astronaut * (1 - changed[:, None]))
    assert changed.mean() < 0.25


def test_copied_expression_moves_the_asked_way(crops: dict[str, Crop]) -> None:
    source, target = crops["astronaut"], crops["grace_hopper"]
    shown, own = expression_of(source), expression_of(target)
    smiles = shown.units[0, load_rig().unit_names.index("mouthSmileLeft")]
    assert smiles > own.units[0, load_rig().unit_names.index("mouthSmileLeft")]
    corners = target.to_crop(target.points[:, None, 3:])
    assert (shown.flow(crop=target)(corners).offset[0, 1] > 0.003).all()  # the corners of the mouth rise
    assert (neutral().flow(crop=source)(source.to_crop(source.points[:, None, 3:])).offset[0, 1] < -0.003).all()
    assert "mouthSmile" in table(shown).splitlines()[0] + table(shown)
    assert table(MusclesField.zeros()) == "a neutral face"


def frames_of(portrait: Tensor, count: int) -> list[Tensor]:
    return [(portrait[0].permute(1, 2, 0) * 255).round().byte()] * count


def test_video_fits_once_a_frame(crop: Crop, astronaut: Tensor, finder, monkeypatch: pytest.MonkeyPatch) -> None:
    import flow_core.fields.muscles as muscles
    import flow_core.video.editor as editing

    calls = []
    fit = editing.fit_shown
    monkeypatch.setattr(editing, "fit_shown", lambda *a: calls.append(a) or fit(*a))
    monkeypatch.setattr(muscles, "fit_shown", lambda *a: pytest.fail("fitted a second time"))
    editor = Editor(preset("smile"), finder, VideoSettings(), crop)
    for frame in frames_of(astronaut, 3):
        edited = editor.edit(frame)
        assert edited.changed
        mask = edited.mask()[..., None].bool()
        assert torch.equal(edited.pixels.where(~mask, frame), frame)
    assert len(calls) == 3
    assert calls[0][1] is None
    assert calls[2][1] is not None, "no warm start"


def test_video_is_what_a_still_is(crop: Crop, astronaut: Tensor) -> None:
    field = expression("surprise, eyeLookOutLeft 0.5")
    wanted, _ = warp(astronaut, crop, field)
    frame = astronaut[0].permute(1, 2, 0).contiguous()
    out = frame.clone()
    warp_frame(frame, out, crop, field, interpolation="bicubic")
    x0, y0, x1, y1 = crop.bounds()
    difference = (out - wanted[0].permute(1, 2, 0))[y0:y1, x0:x1].abs()
    assert difference.mean() < 0.5 / 255
    assert difference.amax() < 0.13  # also where layers meet, as in the corner of an eye


def test_drive(crop: Crop, astronaut: Tensor, crops: dict[str, Crop], portraits: dict[str, Tensor], finder) -> None:
    """A clip whose face opens its mouth opens that of a portrait, and what it starts with leaves the portrait alone."""
    portrait, place = portraits["grace_hopper"], crops["grace_hopper"]
    still = (astronaut[0].permute(1, 2, 0) * 255).round().byte()
    opened = MusclesField.of({"jawOpen": 0.7})
    steps = [0.0, 0.0, 0.5, 1.0]
    fields = algebra.mix([opened.with_coefficients(opened.coefficients() * torch.tensor(steps)[:, None])], [1.0])
    clip = [e.pixels for e in drive(still, crop, fields)]
    assert torch.equal(clip[0], still)
    reading = read_frames((Frame(p, i, i / 30) for i, p in enumerate(clip)), finder, VideoSettings(smooth=0.0))
    assert reading.found == (True,) * 4
    jaw = reading.units[:, load_rig().unit_names.index("jawOpen")]
    assert jaw[3] > jaw[0] + 0.08
    driven = driving_fields(relative(reading.units, "first"))
    pixels = (portrait[0].permute(1, 2, 0) * 255).round().byte()
    frames = [e.pixels for e in drive(pixels, place, driven)]
    assert torch.equal(frames[0], pixels)
    x0, y0, x1, y1 = place.bounds()
    outside = torch.ones(pixels.shape[:2], dtype=torch.bool)
    outside[y0:y1, x0:x1] = False
    for frame in frames:
        assert torch.equal(frame[outside], pixels[outside])
    down = driven.select(3).flow(crop=place)(
        place.to_crop(place.points[:, None, 3:].mean(2, keepdim=True) + 0.12 * place.side)
    )
    assert down.offset[0, 1].item() < -0.004  # the chin goes down
    with pytest.raises(ValueError, match="one of neutral, first"):
        relative(reading.units, "last")


def test_the_most_neutral_frame_is_left_alone() -> None:
    """But for its gaze: most of the time the eyes look at somebody."""
    names = load_rig().unit_names
    units = torch.zeros(3, len(names))
    units[:, names.index("mouthSmileLeft")] = torch.tensor([0.5, 0.1, 0.3])
    units[:, names.index("eyeLookInLeft")] = torch.tensor([0.4, 0.0, 0.4])
    moved = relative(units)
    assert moved[1, names.index("mouthSmileLeft")] == 0
    assert moved[0, names.index("eyeLookInLeft")] == 0
    assert torch.equal(relative(units, "first")[0], torch.zeros(len(names)))


def test_smoothing_keeps_a_blink_and_loses_jitter() -> None:
    times = [i / 30 for i in range(60)]
    noise = 0.03 * torch.randn(60, 1, generator=torch.Generator().manual_seed(1))
    calm = smoothed(noise, times)
    assert calm[10:].std() < 0.6 * noise[10:].std()
    blink = torch.zeros(60, 1)
    blink[30:34] = 1.0
    assert smoothed(blink, times).max() > 0.85
    assert torch.equal(smoothed(noise, times, 0.0), noise)


def test_frowns_come_slowly_and_smiles_as_they_do() -> None:
    names, times = load_rig().unit_names, [i / 25 for i in range(20)]
    units = torch.zeros(20, len(names))
    units[10:] = 1.0
    slow = slow_frowns(units, times)
    frown, smile = (slow[:, names.index(n)] for n in ("browTogetherLeft", "mouthSmileLeft"))
    assert torch.equal(smile, units[:, 0])
    assert frown.diff().max() < 0.3
    assert frown.diff().min() > -1e-6
    assert frown[[0, -1]].tolist() == [0, 1]


def test_presets_are_all_known() -> None:
    assert all(isinstance(preset(name), MusclesField) for name in PRESETS)
    assert len({tuple(preset(n).coefficients()[0].tolist()) for n in PRESETS}) == len(PRESETS)
    for a, b in itertools.combinations(("smile", "anger", "surprise", "sadness"), 2):
        assert not torch.equal(preset(a).units, preset(b).units)
