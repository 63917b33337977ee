"""Pictures of a field: what they must show, and that files open again."""

from __future__ import annotations

import pytest
import torch
from helpers import linear_field, smooth_field, square_crop
from PIL import Image, ImageFont

from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.io import draw, ink, sheets
from flow_core.warping.measure import measure
from flow_core.warping.warp import warp


def bump(x: float, y: float, dx: float, dy: float, width: float = 0.06, control: int = 64) -> Field:
    """Content moves by (dx, dy) around a crop point, and nowhere else."""
    distance = (pixel_centers(control, control) - torch.tensor([x, y])).norm(dim=-1)[:, None]
    weight = (1 - distance / (3 * width)).clamp(min=0) ** 2
    offset = -weight * torch.tensor([dx, dy])[None, :, None, None]
    return Field(offset, torch.zeros(1, 3, control, control))


def uniform(dx: float, dy: float) -> Field:
    offset = -torch.tensor([dx, dy])[None, :, None, None].expand(1, 2, 8, 8)
    return Field(offset, torch.zeros(1, 3, 8, 8))


def hue(rgb: torch.Tensor) -> torch.Tensor:
    """Colour without its saturation: the direction from white."""
    away = 1 - rgb
    return away / away.norm()


@pytest.fixture
def face() -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 12, 12, generator=g)
    return torch.nn.functional.interpolate(coarse, (96, 96), mode="bilinear") * 0.9


@pytest.mark.parametrize("style", draw.STYLES)
@pytest.mark.parametrize("size", [64, 101])
def test_every_style_at_every_size(style: str, size: int, face: torch.Tensor) -> None:
    picture = draw.view(bump(0.4, 0.6, 0.03, -0.02), style, size, face)
    assert picture.shape == (1, 3, size, size)
    assert picture.dtype == torch.float32
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert picture.std() > 0.003


def test_zero_field_is_a_white_wheel() -> None:
    picture = draw.view(Field.zeros(8), "wheel", 256)
    assert (picture[..., :200, :] == 1).all()
    assert picture[..., 200:, :].min() < 0.5  # the legend


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (0, 1), (-1, 0), (0, -1), (0.7, -0.7)])
def test_wheel_has_the_hue_that_the_legend_has_in_the_direction_of_movement(dx: float, dy: float) -> None:
    size = 512
    picture = draw.view(uniform(0.03 * dx, 0.03 * dy), "wheel", size)
    radius = 0.065 * size
    center = size - 1.35 * radius
    legend = picture[0, :, int(center + 0.8 * radius * dy), int(center + 0.8 * radius * dx)]
    assert torch.dot(hue(picture[0, :, 200, 200]), hue(legend)) > 0.99
    opposite = picture[0, :, int(center - 0.8 * radius * dy), int(center - 0.8 * radius * dx)]
    assert torch.dot(hue(picture[0, :, 200, 200]), hue(opposite)) < 0.95


def test_wheel_saturation_follows_length_and_right_is_red() -> None:
    picture = draw.view(bump(0.5, 0.5, 0.05, 0.0), "wheel", 256)[0]
    red = picture[:, 128, 128]
    assert red[0] > 0.98
    assert red[1:].max() < 0.1
    cyan_part = 1 - picture[1, 128]
    assert (cyan_part[128:170].diff() <= 1e-4).all()  # fades away from the centre
    assert cyan_part[100] > 0.05


def test_negative_strength_turns_the_direction_round() -> None:
    there = draw.view(uniform(0.03, 0), "wheel", 128, strength=-1.0)
    back = draw.view(uniform(-0.03, 0), "wheel", 128)
    assert torch.equal(there, back)


def test_heat_is_brightest_at_the_largest_offset_and_grows_lighter_with_it() -> None:
    size = 256
    picture = draw.view(bump(0.3, 0.4, 0.02, 0.03), "heat", size)[0, :, :210].mean(0)
    y, x = divmod(picture.argmax().item(), size)
    assert abs(x - 0.3 * size) < 5
    assert abs(y - 0.4 * size) < 5
    bar = draw.view(Field.zeros(8), "heat", 512)[0, :, 484, 42:470]
    luma = (bar * torch.tensor([0.2126, 0.7152, 0.0722])[:, None]).sum(0)
    assert luma[-1] - luma[0] > 0.8
    assert (luma.diff() > -1e-4).all()


def test_noise_below_sight_is_not_blown_up() -> None:
    tiny = uniform(1e-8, 0)
    assert (draw.view(tiny, "wheel", 128)[..., :90, :] > 0.99).all()
    assert draw.view(tiny, "heat", 128)[..., :90, :].max() < 0.2


def test_arrows_are_where_flow_is_and_nowhere_else(face: torch.Tensor) -> None:
    plain = draw.view(Field.zeros(8), "arrows", 256, face)
    drawn = draw.view(bump(0.5, 0.6, 0.04, 0.0), "arrows", 256, face)
    changed = (drawn != plain).any(1)[0]
    assert changed[140:168, 115:141].any()
    assert not changed[:80].any()
    assert not changed[:, :60].any()
    # the face itself is there, darker
    small = torch.nn.functional.interpolate(face, (256, 256), mode="bicubic", antialias=True).mean(1)
    assert torch.corrcoef(torch.stack([plain.mean(1).flatten(), small.flatten()]))[0, 1] > 0.99
    assert plain.mean() < 0.9 * face.mean()


def test_arrows_start_where_content_was_and_point_where_it_goes() -> None:
    size, count = 1024, 35
    # one lattice point moves content to the right by 8 % of the crop
    offset = torch.zeros(1, 2, count, count)
    offset[:, 0, 17, 17] = -0.08
    picture = draw.view(Field(offset, torch.zeros(1, 3, count, count)), "arrows", size)
    yellow = picture[0, 0] - picture[0, 2] > 0.3
    ys, xs = yellow.nonzero().unbind(1)
    assert abs(xs.max().item() - 512) < 4  # the tip is on the lattice point
    assert abs(xs.min().item() - (512 - 0.08 * size)) < 4  # true to scale
    heights = yellow.sum(0)
    assert heights[496:510].max() > 2 * heights[440:480].max()  # the head is at the right end
    assert abs(ys.float().mean() - 511.5) < 1


def test_grid_of_a_zero_field_is_straight_and_regular() -> None:
    for size in (64, 250, 1024):
        picture = draw.view(Field.zeros(8), "grid", size)[0].mean(0)
        row = picture.amin(0)  # between lines a column reaches the dark ground, on a line it never does
        assert torch.allclose(row, picture.amin(1), atol=1e-5)
        lines = (row > 0.3).nonzero().flatten()
        starts = lines[torch.cat([torch.tensor([True]), lines.diff() > 1])]
        assert len(starts) >= 6
        assert starts.diff().unique().numel() == 1
        last = size - 1 - lines[-1]
        assert abs(starts[0] - last) <= starts.diff()[0]  # as far from the left as from the right
        step = row[starts] - row[starts - 1]
        assert step.min() > 0.3  # crisp: from ground to line in one pixel, at every line
        assert step.max() - step.min() < 0.05


def test_grid_moves_with_the_picture() -> None:
    still = draw.view(Field.zeros(8), "grid", 512)[0].mean(0)
    moved = draw.view(uniform(0.0, 0.01), "grid", 512)[0].mean(0)  # down by 5.12 px
    a, b = still[150:350, 256 - 12], moved[150:350, 256 - 12]  # a column between two lines
    scores = [torch.dot(a[20:180], b[20 + s : 180 + s]).item() for s in range(-8, 9)]
    assert range(-8, 9)[scores.index(max(scores))] == 5


def test_grid_shows_the_edited_face(face: torch.Tensor) -> None:
    field = Field(torch.zeros(1, 2, 8, 8), torch.zeros(1, 3, 8, 8) + torch.tensor([0.1, 0, 0])[:, None, None])
    plain, red = (draw.view(f, "grid", 128, face) for f in (Field.zeros(8), field))
    assert (red - plain)[0, 0, 40:90, 40:90].mean() > 0.03
    assert (red - plain)[..., 0, 0].abs().max() < 0.005  # tapered


def test_color_is_amplified_around_grey() -> None:
    color = torch.zeros(1, 3, 8, 8)
    color[:, 0], color[:, 2] = 0.05, -0.05
    picture = draw.view(Field(torch.zeros(1, 2, 8, 8), color), "color", 128)[0, :, 64, 64]
    assert torch.allclose(picture, torch.tensor([0.9, 0.5, 0.1]), atol=1e-4)  # x 8
    flat = draw.view(Field.zeros(8), "color", 128)[..., :100, :]
    assert (flat == 0.5).all()


@pytest.mark.parametrize("style", draw.STYLES)
def test_first_of_a_batch_is_drawn_and_inputs_stay(style: str, face: torch.Tensor) -> None:
    one, two = bump(0.4, 0.5, 0.04, 0.0), bump(0.6, 0.6, 0.0, 0.06)
    both = Field(torch.cat([one.offset, two.offset]), torch.cat([one.color, two.color]))
    before = face.clone()
    assert torch.equal(draw.view(both, style, 96, face), draw.view(one, style, 96, face))
    assert torch.equal(face, before)


def test_fields_under_optimisation_and_inference_mode_can_be_drawn(face: torch.Tensor) -> None:
    field = Field(torch.zeros(1, 2, 8, 8, requires_grad=True), torch.zeros(1, 3, 8, 8, requires_grad=True))
    with torch.inference_mode():
        inside = [draw.view(field, s, 64, face) for s in draw.STYLES]
    outside = [draw.view(field, s, 64, face) for s in draw.STYLES]
    for a, b in zip(inside, outside, strict=True):
        assert torch.equal(a, b)
        assert not b.requires_grad


def test_errors_name_the_choices(face: torch.Tensor) -> None:
    field = Field.zeros(8)
    with pytest.raises(ValueError, match=r"wheel, arrows, grid, heat, color, folds"):
        draw.view(field, "rainbow")
    for size in (63, 4097):
        with pytest.raises(ValueError, match=r"64\.\.4096"):
            draw.view(field, size=size)
    with pytest.raises(ValueError, match="background"):
        draw.view(field, background=face[0])
    with pytest.raises(ValueError, match="NaN"):
        draw.view(field, strength=float("nan"))


def test_folds_are_marked_where_the_determinant_says(face: torch.Tensor) -> None:
    # det J of p -> p + A (p - 0.5) is constant: stretched by 2 across, squeezed by 2, and folded over
    pictures = [
        draw.view(linear_field(a), "folds", 256)[0, :, 128, 128]
        for a in ([[0, 0], [0, 0]], [[-0.5, 0], [0, 0]], [[1, 0], [0, 0]], [[-1.5, 0], [0, 0]])
    ]
    still, stretched, squeezed, folded = pictures
    assert still.max() - still.min() < 0.02  # grey
    assert stretched[0] > stretched[2] + 0.5  # orange
    assert squeezed[2] > squeezed[0] + 0.3  # blue
    assert torch.allclose(folded, torch.tensor(draw._FOLD), atol=1e-3)


def test_lengths_are_in_pixels_where_the_side_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    write = ink.write
    monkeypatch.setattr(draw, "write", lambda picture, text, *rest: said.append(text) or write(picture, text, *rest))
    draw.view(uniform(0.03, 0), "heat", 256, side=500)
    draw.view(uniform(0.03, 0), "wheel", 256, side=500)
    draw.view(uniform(0.03, 0), "heat", 256)
    assert said == ["0 px", "7.5 px", "15.0 px", "max 15.0 px", "0 %", "1.5 %", "3 %"]


@pytest.mark.parametrize("size", [256, 512, 1200])
def test_lines_and_letters_are_crisp_and_scale_with_the_picture(size: int) -> None:
    picture = draw.view(Field.zeros(8), "grid", size)[0].mean(0)
    rows = picture.amin(0)
    assert (rows.diff().abs().max() > 0.3).item()  # from ground to line within one pixel
    written = draw.view(Field.zeros(8), "color", size)[0, 0]
    ink = (written - 0.5).abs() > 0.2
    ys = ink.any(1).nonzero().flatten()
    assert 0.02 < (ys.max() - ys.min() + 1).item() / size < 0.06
    assert (written[ink].max() > 0.9).item()


def test_compare_shows_before_left_and_after_right() -> None:
    image, crop, field = scene()
    head = crop.widen(1.25)
    before, after = head.aligned(image, 128), head.aligned(warp(image, crop, field)[0], 128)
    assert not torch.equal(before[..., 64:], after[..., 64:])
    seen = sheets.compare(image, crop, field, 128)
    assert torch.equal(seen[..., :100, :55], before[..., :100, :55])  # above the labels, beside the line
    assert torch.equal(seen[..., :100, 73:], after[..., :100, 73:])
    line = seen[..., :100, 62:66].amin((0, 1, 2))
    assert (line == 1).any()
    assert torch.equal(sheets.compare(image, crop, field, 128, at=1.0)[..., :100, :], before[..., :100, :])
    assert torch.equal(sheets.compare(image, crop, field, 128, at=0.0)[..., :100, :], after[..., :100, :])
    with pytest.raises(ValueError, match="divider"):
        sheets.compare(image, crop, field, 128, at=1.5)


def test_inscribed_text_stays_within_the_picture_and_leaves_the_rest(face: torch.Tensor) -> None:
    seen = sheets.inscribe(
        face.repeat(2, 1, 1, 1), "max 7.4 px, mean 0.8 px, moved area 17.0%, min det J 0.43\nfolds 0.00%"
    )
    assert seen.shape == (2, 3, 96, 96)
    assert torch.equal(seen[..., 72:, :], face.repeat(2, 1, 1, 1)[..., 72:, :])
    letters = (seen[0].amin(0)[:60] > 0.9).any(0).nonzero().flatten()
    assert letters.min() >= 1
    assert letters.max() <= 94


def test_measures_of_known_fields(crop: Crop) -> None:
    [still] = measure(Field.zeros(8))
    assert (still.longest, still.moved, still.folds) == (0, 0, 0)
    assert still.determinant == pytest.approx(1, abs=1e-3)
    assert str(still).startswith("max 0.0 %")
    assert "gain" not in str(still)
    field = uniform(0.03, 0.04).with_meta(gain=2.5)
    [moved] = measure(field, crop)
    assert moved.unit == "px"
    assert moved.longest == pytest.approx(0.05 * crop.side.item(), rel=1e-3)
    assert 0.8 < moved.moved < 1
    assert "guide gain +2.50" in str(moved)
    assert measure(field, crop, 0.5)[0].longest == pytest.approx(moved.longest / 2, rel=1e-3)
    [folded] = measure(linear_field([[-1.5, 0], [0, 0]]))
    assert folded.determinant < -0.4
    assert folded.folds > 0.5
    with pytest.raises(ValueError, match="2 crops do not fit 3 fields"):
        measure(smooth_field(batch=3), square_crop((90, 90), (45, 45), 60, batch=2))


def test_caption_adds_a_strip_and_wraps(face: torch.Tensor) -> None:
    short = sheets.caption(face, "a smile")
    assert torch.equal(short[..., -96:, :], face)
    strip = short[..., :-96, :]
    assert strip.min() < 0.4
    assert strip.max() == 1
    long = sheets.caption(face, "a face with a very broad smile and raised brows " + "W" * 40)
    assert long.shape[2] > short.shape[2] + 20
    ink = (long[0, 0, :-96] < 0.6).any(0).nonzero().flatten()
    assert ink.min() >= 2  # nothing is cut off at the sides
    assert ink.max() <= 93
    assert sheets.caption(face.repeat(2, 1, 1, 1), "").shape[:2] == (2, 3)


def test_text_without_freetype(monkeypatch: pytest.MonkeyPatch, face: torch.Tensor) -> None:
    if not hasattr(ImageFont, "load_default_imagefont"):
        pytest.skip("this Pillow cannot show its bitmap font beside FreeType")
    monkeypatch.setattr(ink, "font_of", lambda height: ImageFont.load_default_imagefont())
    assert sheets.caption(face, "a smile, 笑 ©")[..., :-96, :].min() < 0.4
    assert draw.view(Field.zeros(8), "wheel", 128).shape == (1, 3, 128, 128)


def test_sheet_sizes_and_places() -> None:
    red, wide = torch.zeros(1, 3, 50, 50), torch.zeros(1, 3, 20, 40)
    red[:, 0] = 1
    wide[:, 2] = 1
    out = sheets.sheet([[("red", red), ("wide", wide)], [("", red)]], cell=100)
    assert out.shape[:2] == (1, 3)
    assert out.shape[3] == 2 * 100 + 3 * 3
    is_red = (out[0, 0] > 0.9) & (out[0, 1:] < 0.1).all(0)
    is_blue = (out[0, 2] > 0.9) & (out[0, :2] < 0.1).all(0)
    assert is_red.sum() == 2 * 100 * 100
    assert is_blue.sum() == 100 * 50  # aspect kept
    assert (out[0, :, :, :3] == 1).all()
    assert (out[0, :, -3:] == 1).all()
    with pytest.raises(ValueError, match="picture"):
        sheets.sheet([[]])


def scene() -> tuple[torch.Tensor, Crop, Field]:
    g = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 20, 24, generator=g)
    image = torch.nn.functional.interpolate(coarse, (160, 192), mode="bilinear")
    points = torch.tensor([[[80.0, 70], [112, 70], [96, 86], [84, 100], [108, 100]]])
    return image, Crop.from_points(points, (160, 192)), bump(0.5, 0.6, 0.06, -0.03)


def test_animation_starts_unedited_and_comes_back() -> None:
    image, crop, field = scene()
    unedited = ink.to_image(crop.widen(1.25).aligned(image, 96)).tobytes()
    for count in (12, 13):
        frames = sheets.animate(image, crop, field, count, 96)
        assert len(frames) == count
        assert {f.size for f in frames} == {(96, 96)}
        assert frames[0].tobytes() == unedited
        assert frames[-1].tobytes() != unedited  # the loop does not show its beginning twice
    frames = sheets.animate(image, crop, field, 12, 96)
    assert frames[1].tobytes() == frames[-1].tobytes()
    once = sheets.animate(image, crop, field, 5, 96, loop=False)
    assert once[-1].tobytes() == frames[6].tobytes()  # both are at full strength
    assert len({f.tobytes() for f in once}) == 5
    with pytest.raises(ValueError, match=r"2\.\.1000 frames"):
        sheets.animate(image, crop, field, 1)


@pytest.mark.parametrize("suffix", ["webp", "gif", "png", "GIF"])
def test_saved_animations_open_again(tmp_path, suffix: str) -> None:
    frames = sheets.animate(*scene(), frames=8, size=64)
    path = sheets.save_animation(frames, tmp_path / "new" / f"edit.{suffix}", fps=20)
    with Image.open(path) as file:
        assert file.n_frames == 8
        assert file.size == (64, 64)
        file.seek(4)
        seen = torch.tensor(list(file.convert("RGB").tobytes())).float()
        if suffix != "webp":  # Pillow tells the duration of WebP frames only after decoding
            assert file.info["duration"] == 50
    full = torch.tensor(list(frames[4].tobytes())).float()
    assert (seen - full).abs().mean() < (0.01 if suffix == "png" else 12)


def test_save_animation_errors(tmp_path) -> None:
    frame = Image.new("RGB", (8, 8))
    with pytest.raises(ValueError, match=r"\.webp, \.gif, \.png"):
        sheets.save_animation([frame], tmp_path / "edit.mp4")
    with pytest.raises(ValueError, match="frames"):
        sheets.save_animation([], tmp_path / "edit.gif")
    assert not list(tmp_path.iterdir())


def test_to_image_rounds_and_knows_channels() -> None:
    steps = torch.arange(256).float()[None, None, :] / 255
    assert list(ink.to_image(steps).tobytes()) == list(range(256))
    assert list(ink.to_image(torch.tensor([[[-1.0, 0.4999, 2.0]]])).tobytes()) == [0, 127, 255]
    assert [ink.to_image(torch.rand(1, c, 2, 3)).mode for c in (1, 3, 4)] == ["L", "RGB", "RGBA"]
    assert ink.to_image(torch.rand(3, 2, 5)).size == (5, 2)
    with pytest.raises(ValueError, match="channels"):
        ink.to_image(torch.rand(2, 4, 4))
