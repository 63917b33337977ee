"""The warp: pixels move exactly as promised, and those that should not move stay bit-identical."""

from __future__ import annotations

import math
import subprocess
import sys
import threading

import pytest
import torch
import torch.nn.functional as F
from helpers import (
    constant_field,
    crop_coordinates,
    linear_field,
    same_bits,
    smooth_field,
    square_crop,
    turn,
)
from torch import Tensor

from flow_core.fields.base import FEATHER
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.sampling import sample_image
from flow_core.threads import _openmp
from flow_core.warping import warp as warp_module
from flow_core.warping.jacobian import fold_share, jacobian_determinant
from flow_core.warping.warp import taper_mask, warp

SIZE = (96, 120)
PLACES = {
    "inside": ((60.0, 48.0), 70.0, 0.0),
    "turned": ((57.3, 44.9), 61.7, 30.0),
    "upside down": ((60.0, 48.0), 70.0, 180.0),
    "over the corner": ((8.0, 90.0), 66.6, -17.0),
    "larger than the picture": ((60.0, 48.0), 400.0, 5.0),
    "outside": ((500.0, 48.0), 70.0, 0.0),
}


def values(kind: str, channels: int) -> Tensor:
    x = torch.rand(1, channels, *SIZE, generator=torch.Generator().manual_seed(3))
    return {
        "8 bit": (x * 255).round() / 255,
        "odd": x,
        "beyond 0..1": x * 5 - 2,
        "signed zeros": torch.where(x > 0.5, 0.0, -0.0),
    }[kind]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", ["8 bit", "odd", "beyond 0..1", "signed zeros"])
def test_nothing_to_do_gives_the_input_back(place: str, channels: int, kind: str) -> None:
    image, crop = values(kind, channels), square_crop(SIZE, *PLACES[place])
    for field, shape, color in ((Field.zeros(12), 1, 1), (Field.zeros(12), -3, 50), (smooth_field(0.3, 0.3), 0, 0)):
        out, changed = warp(image, crop, field, shape, color)
        assert same_bits(out, image)
        assert not changed.any()
        assert out.data_ptr() != image.data_ptr()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("strength", [1.0, -40.0])
def test_outside_the_crop_nothing_changes(place: str, strength: float, noise_picture: Tensor) -> None:
    crop = square_crop(SIZE, *PLACES[place])
    out, changed = warp(noise_picture, crop, smooth_field(0.4, 0.4), strength, strength)
    where = crop_coordinates(SIZE, *PLACES[place])
    outside = ((where < 1e-6) | (where > 1 - 1e-6)).any(-1)
    assert same_bits(out[..., outside], noise_picture[..., outside])
    assert not changed[0][outside].any()
    assert same_bits(out[..., changed[0] == 0], noise_picture[..., changed[0] == 0])
    assert out.isfinite().all()
    assert 0 <= out.min() <= out.max() <= 1
    if (~outside).any():
        assert changed[0][~outside].float().mean() > 0.9


@pytest.mark.parametrize(("dx", "dy"), [(10, 0), (0, -7), (-3, 5)])
def test_upright_shift_by_whole_pixels(dx: int, dy: int, noise_picture: Tensor) -> None:
    crop = square_crop(SIZE, (60, 48), 80)
    out, _ = warp(noise_picture, crop, constant_field(dx / 80, dy / 80))
    middle = crop_coordinates(SIZE, (60, 48), 80, 0)
    middle = ((middle > FEATHER) & (middle < 1 - FEATHER)).all(-1)
    expected = noise_picture.roll((-dy, -dx), (2, 3))  # backward: out(p) = in(p + offset)
    assert middle.sum() == 60**2 or middle.sum() == 61**2
    torch.testing.assert_close(out[..., middle], expected[..., middle], atol=1e-4, rtol=0)


@pytest.mark.parametrize("degrees", [30, -30, 135])
@pytest.mark.parametrize("strength", [1.0, -0.5])
def test_turned_shift(degrees: float, strength: float) -> None:
    def wave(x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([(x / 9).sin(), (y / 8).cos(), ((x + 2 * y) / 19).sin()])[None] * 0.4 + 0.5

    size, center, side = (200, 220), (108.0, 101.0), 130.0
    y, x = torch.meshgrid(torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij")
    image = wave(x, y).float()
    sx, sy = strength * side * (turn(degrees) @ torch.tensor([0.06, 0.02]))
    out, _ = warp(image, square_crop(size, center, side, degrees), constant_field(0.06, 0.02), strength)
    where = crop_coordinates(size, center, side, degrees)
    middle = ((where > FEATHER) & (where < 1 - FEATHER)).all(-1)
    assert middle.sum() > 9000
    torch.testing.assert_close(out[..., middle], wave(x + sx, y + sy).float()[..., middle], atol=3e-3, rtol=0)
    assert (image - out)[..., middle].abs().mean() > 0.05


def test_content_moves_against_the_offset() -> None:
    image = torch.zeros(1, 1, *SIZE)
    image[0, 0, 48, 60] = 1
    out, _ = warp(image, square_crop(SIZE, (60, 48), 80), constant_field(0.1, 0))
    assert out[0, 0].argmax().item() == 48 * SIZE[1] + 60 - 8


def test_fine_details_stay_sharp() -> None:
    columns = torch.arange(120) + 0.5
    image = (0.5 + 0.4 * (columns * torch.pi / 2).sin()).expand(1, 3, 96, 120)  # a period of four pixels
    out, _ = warp(image, square_crop(SIZE, (60, 48), 80), constant_field(0.5 / 80, 0))
    contrast = out[0, 0, 48, 40:80].std() / (0.4 / 2**0.5)
    assert contrast > 0.85  # bilinear sampling would leave 0.71


def test_color_is_added_after_sampling() -> None:
    image = torch.full((1, 4, *SIZE), 0.5)
    crop = square_crop(SIZE, (60, 48), 80)
    field = constant_field(0, 0, (0.1, -0.05, 0.2))
    out, changed = warp(image, crop, field, color=2)
    torch.testing.assert_close(out[0, :, 48, 60], torch.tensor([0.7, 0.4, 0.9, 0.5]))
    assert changed.min() == 0
    assert changed.max() == 1
    grey, _ = warp(image[:, :1], crop, field)
    torch.testing.assert_close(grey[0, :, 48, 60], torch.tensor([0.5 + 0.25 / 3]))
    bright, _ = warp(image, crop, field, color=10)
    assert bright[0, 2, 48, 60] == 1


def test_shape_and_color_strengths_are_independent(noise_picture: Tensor) -> None:
    crop, field = square_crop(SIZE, (60, 48), 80), smooth_field(0.05, 0.1)
    for shape, color, part in ((1, 0, field.scale(1, 0)), (0, 1, field.scale(0, 1)), (1.5, -1, field.scale(1.5, -1))):
        assert same_bits(warp(noise_picture, crop, field, shape, color)[0], warp(noise_picture, crop, part)[0])


def test_alpha_moves_along(noise_picture: Tensor) -> None:
    image = torch.cat([noise_picture, noise_picture[:, :1]], 1)
    field = smooth_field(0.05, 0.0)
    out, _ = warp(image, square_crop(SIZE, (60, 48), 80), field)
    assert same_bits(out[:, 3], out[:, 0])
    assert not torch.equal(out[:, 3], image[:, 3])


def test_values_beyond_0_to_1_are_kept() -> None:
    image = values("beyond 0..1", 3)
    out, changed = warp(image, square_crop(SIZE, (60, 48), 80), constant_field(10 / 80, 0))
    middle = torch.zeros(SIZE, dtype=torch.bool)
    middle[30:66, 45:75] = True
    expected = image.roll(-10, 3)[..., middle]
    assert expected.min() < -1.5
    assert expected.max() > 2.5
    torch.testing.assert_close(out[..., middle], expected, atol=1e-3, rtol=0)
    assert image.min() <= out[:, :, changed[0] > 0].min()
    assert out[:, :, changed[0] > 0].max() <= image.max()


def test_masks(noise_picture: Tensor) -> None:
    crop, field = square_crop(SIZE, (60, 48), 80), smooth_field(0.05, 0.1)
    full, _ = warp(noise_picture, crop, field)
    none, changed = warp(noise_picture, crop, field, mask=torch.zeros(1, *SIZE))
    assert same_bits(none, noise_picture)
    assert not changed.any()
    half = torch.zeros(1, *SIZE)
    half[:, :, 60:] = 1
    out, changed = warp(noise_picture, crop, field, mask=half)
    assert same_bits(out[..., :60], noise_picture[..., :60])
    assert same_bits(out[..., 60:], full[..., 60:])
    assert not changed[..., :60].any()
    assert changed[..., 60:].any()
    assert same_bits(warp(noise_picture, crop, field, mask=torch.ones(1, *SIZE))[0], full)


def test_soft_mask_fades_the_edit_and_not_the_picture() -> None:
    image = torch.full((1, 3, *SIZE), 0.5)
    out, _ = warp(
        image, square_crop(SIZE, (60, 48), 80), constant_field(0, 0, (0.2,) * 3), mask=torch.full((1, *SIZE), 0.25)
    )
    assert out[0, 0, 48, 60].item() == pytest.approx(0.55, abs=1e-6)
    moved, _ = warp(
        values("odd", 3), square_crop(SIZE, (60, 48), 80), constant_field(0.2, 0), mask=torch.full((1, *SIZE), 0.5)
    )
    torch.testing.assert_close(moved[..., 48, 60], values("odd", 3)[..., 48, 68], atol=1e-4, rtol=0)


def test_batches_are_independent_pictures() -> None:
    images = torch.rand(3, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    crops = [square_crop(SIZE, (60 + 5 * i, 48 - 3 * i), 60, 20 * i) for i in range(3)]
    crop = Crop.from_points(torch.cat([c.points for c in crops]), SIZE)
    fields = smooth_field(0.06, 0.05, batch=3)
    mask = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(2)).round()
    out, changed = warp(images, crop, fields, mask=mask)
    assert out.shape == images.shape
    assert changed.shape == (3, *SIZE)
    for i in range(3):
        alone, one = warp(images[i : i + 1], crops[i], fields.select(i), mask=mask[i : i + 1])
        assert same_bits(out[i : i + 1], alone)
        assert torch.equal(changed[i : i + 1], one)
    shared, _ = warp(images, crops[0], fields.select(0), mask=mask[:1])
    assert same_bits(shared[2:], warp(images[2:], crops[0], fields.select(0), mask=mask[:1])[0])


def test_same_field_on_a_larger_copy_gives_the_same_edit(astronaut: Tensor) -> None:
    small = F.interpolate(astronaut[:, :, :256, 96:352], (128, 128), mode="bicubic", antialias=True)
    small = F.interpolate(small, (256, 256), mode="bicubic").clamp(0, 1)  # nothing finer than both sizes can hold
    large = F.interpolate(small, (1024, 1024), mode="bicubic", align_corners=False).clamp(0, 1)
    field = smooth_field(0.06, 0.05)
    near, _ = warp(small, square_crop((256, 256), (128, 107), 170, 8), field)
    far, _ = warp(large, square_crop((1024, 1024), (512, 428), 680, 8), field)
    far = F.interpolate(far, (256, 256), mode="bicubic", antialias=True)
    face = taper_mask(square_crop((256, 256), (128, 107), 170, 8)) > 0.5
    edit = (near - small).abs()[0][:, face[0]].mean()
    difference = (near - far).abs()[0][:, face[0]].mean()
    assert edit > 0.04
    assert difference < edit / 12


@pytest.mark.parametrize("feather", [0.0, 0.02, 0.5])
def test_feather(feather: float) -> None:
    image = torch.full((1, 1, 200, 200), 0.25)
    out, _ = warp(image, square_crop((200, 200), (100, 100), 100), constant_field(0, 0, (0.5,) * 3), feather=feather)
    row = out[0, 0, 100, 50:100] - 0.25
    assert not (out[0, 0, 100, :50] - 0.25).any()
    assert row[-1] == pytest.approx(0.5, abs=1e-3)
    assert (row.diff() >= -1e-6).all()
    full = (row > 0.49).nonzero()[0].item() / 100
    fades = feather / 2  # of colours
    assert fades * 0.8 - 0.01 < full <= fades + 0.01


def test_taper_mask_is_where_edits_act(noise_picture: Tensor) -> None:
    crop = square_crop(SIZE, (60, 48), 70, 20)
    mask = taper_mask(crop)
    _, changed = warp(noise_picture, crop, constant_field(0.1, 0.1))
    assert mask.shape == (1, *SIZE)
    assert changed[mask > 0.02].all()
    assert not changed[mask == 0].any()
    assert mask[0, 48, 60] == 1


def test_works_in_inference_mode(noise_picture: Tensor) -> None:
    crop, field = square_crop(SIZE, (60, 48), 80, 12), smooth_field()
    outside = warp(noise_picture, crop, field)[0]
    with torch.inference_mode():
        inside, _ = warp(noise_picture.clone(), square_crop(SIZE, (60, 48), 80, 12), smooth_field())
        assert same_bits(inside, outside)
        assert fold_share(smooth_field()) == 0


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 2, 8, 8), (1, 5, 8, 8)])
def test_not_a_picture(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="1, 3 or 4 channels"):
        warp(torch.zeros(shape), square_crop((8, 8), (4, 4), 4), smooth_field())


def test_what_does_not_fit_is_an_error(noise_picture: Tensor) -> None:
    crop, field = square_crop(SIZE, (60, 48), 80), smooth_field()
    with pytest.raises(ValueError, match=r"120x96.*121x96.*run Align"):
        warp(torch.zeros(1, 3, 96, 121), crop, field)
    with pytest.raises(ValueError, match=r"2 fields do not fit 1 faces"):
        warp(noise_picture, crop, smooth_field(batch=2))
    with pytest.raises(ValueError, match=r"crop of 2 pictures does not fit 3"):
        warp(torch.zeros(3, 3, *SIZE), square_crop(SIZE, (60, 48), 80, batch=2), field)
    with pytest.raises(ValueError, match=r"4 masks do not fit"):
        warp(noise_picture, crop, field, mask=torch.ones(4, *SIZE))
    with pytest.raises(ValueError, match=r"mask has 64x64 pixels, the picture 120x96"):
        warp(noise_picture, crop, field, mask=torch.ones(1, 64, 64))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_picture_that_is_not_finite(noise_picture: Tensor, bad: float) -> None:
    broken = noise_picture.clone()
    broken[0, 0, 0, 0] = bad
    with pytest.raises(ValueError, match="fp32"):
        warp(broken, square_crop(SIZE, (60, 48), 80), smooth_field())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_strength_that_is_not_finite(noise_picture: Tensor, bad: float) -> None:
    crop, field = square_crop(SIZE, (60, 48), 80), smooth_field()
    with pytest.raises(ValueError, match=r"(?i)nan|infinite|finite"):
        warp(noise_picture, crop, field, shape=bad)
    with pytest.raises(ValueError, match=r"(?i)nan|infinite|finite"):
        warp(noise_picture, crop, field, color=bad)


def test_mask_that_is_not_finite(noise_picture: Tensor) -> None:
    with pytest.raises(ValueError, match=r"(?i)nan|infinite|finite"):
        warp(noise_picture, square_crop(SIZE, (60, 48), 80), smooth_field(), mask=torch.full((1, *SIZE), torch.nan))


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[0, 0], [0, 0]], 1.0),
        ([[0.2, 0], [0, -0.3]], 1.2 * 0.7),
        ([[0, 0.4], [0, 0]], 1.0),
        ([[0, -0.5], [0.5, 0]], 1.25),
        ([[0.1, 0.2], [0.3, 0.4]], 1.1 * 1.4 - 0.06),
        ([[-2.5, 0], [0, 0]], -1.5),
    ],
)
def test_jacobian_of_linear_fields(matrix: list[list[float]], expected: float) -> None:
    determinant = jacobian_determinant(linear_field(matrix), 64)
    assert determinant.shape == (1, 64, 64)
    middle = determinant[..., 16:48, 16:48]
    torch.testing.assert_close(middle, torch.full_like(middle, expected), atol=2e-3, rtol=0)
    flat = jacobian_determinant(linear_field(matrix), 64, strength=0)
    torch.testing.assert_close(flat, torch.ones_like(flat), atol=1e-4, rtol=0)


def test_jacobian_scales_with_strength() -> None:
    middle = jacobian_determinant(linear_field([[0.2, 0], [0, 0.1]]), 64, strength=-2)[..., 32, 32]
    assert middle.item() == pytest.approx(0.6 * 0.8, abs=2e-3)


def test_fold_share() -> None:
    assert fold_share(smooth_field(0.02)) == 0
    assert fold_share(Field.zeros(8)) == 0
    folded = linear_field([[-1.5, 0], [0, 0]])
    assert 0.3 < fold_share(folded) < 1
    assert fold_share(folded, strength=0.1) == 0


def test_the_taper_may_not_hide_a_fold() -> None:
    assert fold_share(constant_field(0.3, 0)) > 0.02  # a stiff shift folds where it fades out


def test_jacobian_has_the_right_gradient() -> None:
    field = smooth_field(0.05, size=8)
    direction = smooth_field(0.05, size=8, seed=1).offset
    offset = field.offset.clone().requires_grad_()
    weight = torch.randn(1, 32, 32, generator=torch.Generator().manual_seed(0))

    def value(o: Tensor) -> Tensor:
        return (jacobian_determinant(Field(o, field.color), 32) * weight).sum()

    [gradient] = torch.autograd.grad(value(offset), offset)
    numeric = (value(field.offset + direction) - value(field.offset - direction)) / 2  # exact: it is a quadratic
    assert abs(numeric) > 1
    torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_sampling_at_pixel_centres_gives_the_pixels(mode: str, noise_picture: Tensor) -> None:
    points = pixel_centers(*SIZE) * torch.tensor([SIZE[1], SIZE[0]])
    torch.testing.assert_close(sample_image(noise_picture, points, mode), noise_picture, atol=2e-4, rtol=0)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_border_colors_hold_outside(mode: str, noise_picture: Tensor) -> None:
    far = sample_image(noise_picture, torch.tensor([[[[-50.0, 10.5], [400.0, 20.5], [7.5, 1e6], [0.0, 0.0]]]]), mode)
    expected = torch.stack([noise_picture[0, :, y, x] for y, x in ((10, 0), (20, 119), (95, 7), (0, 0))], 1)
    torch.testing.assert_close(far[0, :, 0], expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_sampling_has_the_right_gradient(mode: str) -> None:
    generator = torch.Generator().manual_seed(4)
    image = torch.rand(2, 3, 9, 11, generator=generator, dtype=torch.double).requires_grad_()
    # away from pixel centres, where bilinear sampling has its kinks
    cells = torch.randint(1, 7, (2, 3, 4, 2), generator=generator) + 0.5
    points = (cells + 0.1 + 0.8 * torch.rand(cells.shape, generator=generator)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda p, i: sample_image(i, p, mode), (points, image))


def test_displacement_is_the_tapered_field() -> None:
    field = constant_field(0.1, -0.2, (0.3, 0, 0))
    points = torch.tensor([[[[0.5, 0.5], [0.0, 0.5], [0.5, 1.0], [FEATHER / 2, 0.5], [1.5, 0.5]]]])
    offset, color = field.flow()(points)[:2]
    weights = torch.tensor([1, 0, 0, 0.5, 0])
    torch.testing.assert_close(offset[0, :, 0], torch.tensor([[0.1], [-0.2]]) * weights)
    torch.testing.assert_close(color[0, 0, 0], 0.3 * torch.tensor([1.0, 0, 0, 1, 0]))  # over half the way


@pytest.mark.parametrize(
    ("side", "off", "degrees", "kind"),
    [
        (1500, 0.02, 0, "raster"),
        (1500, 0.02, 20, "velocity"),
        pytest.param(3000, 0.08, 0, "velocity", marks=pytest.mark.slow),
        pytest.param(3000, 0.08, 20, "raster", marks=pytest.mark.slow),
    ],
)
def test_a_large_face_moves_to_a_fraction_of_a_pixel(side: int, off: float, degrees: float, kind: str) -> None:
    """A ramp along each axis says where every pixel came from, across tiles and beside the crop's turned border.
    The larger face asks its field at every third pixel."""
    size = side + 100, side + 120
    crop, coarse = square_crop(size, (size[1] / 2, size[0] / 2), side, degrees), smooth_field(0.03, 0.0)
    bump = (pixel_centers(16, 16) * torch.pi).sin().prod(-1)[:, None]
    field = Field(coarse.offset * bump, coarse.color, kind=kind)
    pixels = pixel_centers(*size) * torch.tensor([size[1], size[0]])
    ramp = torch.cat([pixels.movedim(-1, 1) / 4096, torch.zeros(1, 1, *size)], 1)
    out, changed = warp(ramp, crop, field)
    offset = field.flow()(crop.to_crop(pixels)).offset.movedim(1, -1)
    goal = pixels + crop.vectors_to_image(offset)
    assert (crop.vectors_to_image(offset).norm(dim=-1)).max() > 20
    exact = sample_image(ramp, goal, "bicubic")
    assert (out - exact)[0].norm(dim=0).max() * 4096 < off
    assert changed.mean() == pytest.approx(side**2 / (size[0] * size[1]), rel=0.01) or degrees
    assert same_bits(out[..., changed[0] == 0], ramp[..., changed[0] == 0])


@pytest.mark.parametrize("kind", ["raster", "velocity"])
def test_what_only_colours_leaves_each_pixel_in_its_place(kind: str, noise_picture: Tensor) -> None:
    field = Field(torch.zeros(1, 2, 8, 8), torch.full((1, 3, 8, 8), 0.125), kind=kind)
    out, _ = warp(noise_picture * 0.5, square_crop(SIZE, (60, 48), 80), field)
    assert torch.equal(out[..., 48, 60], noise_picture[..., 48, 60] * 0.5 + 0.125)


LARGE = """
import resource, sys
import torch
sys.path[:0] = sys.argv[1:]
from helpers import constant_field, square_crop, smooth_field
from flow_core.warping.warp import warp
h, w = 4000, 6000
row = torch.linspace(0, 1, w)[None, None, None]
image = row.expand(1, 3, h, w).contiguous()
crop = square_crop((h, w), (3000, 2000), 3200)
field = constant_field(100 / 3200, 0)
warp(image[:, :, :64, :64], square_crop((64, 64), (32, 32), 40), field)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
out, changed = warp(image, crop, field)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
error = (out[0, :, 2000, 2500:3500] - image[0, :, 2000, 2600:3600]).abs().max().item()
same = torch.equal(out[:, :, :390], image[:, :, :390]) and torch.equal(out[..., :1390], image[..., :1390])
unit = 1 if sys.platform == "darwin" else 1024
print((after - before) * unit / 2**20, error, same, changed.mean().item())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs the resource module")
def test_large_photo_needs_little_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LARGE, *sys.path], capture_output=True, text=True, check=True, timeout=300
    )
    megabytes, error, same, share = done.stdout.split()
    assert float(error) < 2e-4
    assert same == "True"
    assert float(share) == pytest.approx(3200**2 / 24e6, rel=0.01)
    result = 24e6 * 4 * (3 + 1) / 2**20  # the picture and the mask that are returned
    assert float(megabytes) < result + 300


def test_tiles_that_are_shared_out_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, and in inference mode, in which nodes run, too."""
    image = torch.rand(1, 3, 1100, 1300, generator=torch.Generator().manual_seed(1))
    crop, field = square_crop((1100, 1300), (650, 550), 1000), smooth_field()
    workers, work = set(), warp_module._warp_tile
    monkeypatch.setattr(
        warp_module, "_warp_tile", lambda *job: (workers.add(threading.current_thread().name), work(*job))[1]
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        shared = warp(image, crop, field)
        with torch.inference_mode():
            inferred = warp(image, crop, field)
    finally:
        torch.set_num_threads(before)
    assert len(workers) > 1 or _openmp() is None
    monkeypatch.setattr(warp_module, "_MANY", 1000)
    one_by_one = warp(image, crop, field)
    for a, b, c in zip(one_by_one, shared, inferred, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)
