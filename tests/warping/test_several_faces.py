"""Several faces of one picture in one warp, and what moves along with a picture: latents and masks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers import Remembering, constant_field, same_bits, smooth_field, square_crop
from torch import Tensor

from flow_core.faces.align import FaceNotFound, align
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.warping.latent import reduced, warp_latent, warp_mask
from flow_core.warping.stretch import repair_mask
from flow_core.warping.warp import taper_mask, warp

SIZE = (160, 240)


def together(*crops: Crop, of: tuple[int, ...] = (), pictures: int = 1) -> Crop:
    """All faces in one picture, or in those that ``of`` says."""
    return replace(
        crops[0],
        points=torch.cat([c.points for c in crops]),
        matrix=torch.cat([c.matrix for c in crops]),
        of_picture=of or (0,) * len(crops),
        pictures=pictures,
    )


def stack(*fields: Field) -> Field:
    return Field(torch.cat([f.offset for f in fields]), torch.cat([f.color for f in fields]))


@pytest.fixture
def photo() -> Tensor:
    coarse = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.interpolate(coarse, SIZE, mode="bicubic").clamp(0, 1)


LEFT, RIGHT = square_crop(SIZE, (65, 80), 90, 12.0), square_crop(SIZE, (182, 70), 84, -20.0)
SMILE, FROWN = smooth_field(0.05, 0.1, seed=1), smooth_field(0.04, 0.1, seed=2)


def test_faces_far_apart_are_edited_as_each_alone(photo: Tensor) -> None:
    out, changed = warp(photo, together(LEFT, RIGHT), stack(SMILE, FROWN), 0.8, 1.2)
    one, touched = warp(photo, LEFT, SMILE, 0.8, 1.2)
    two, too = warp(photo, RIGHT, FROWN, 0.8, 1.2)
    expected = torch.where(touched[:, None] > 0, one, two)
    assert same_bits(out, expected)
    assert (out - photo).abs().max() > 0.1
    assert torch.equal(changed, torch.maximum(touched, too))
    still = (changed == 0).expand_as(photo[0])
    assert same_bits(out[0][still], photo[0][still])


def test_one_field_serves_all_faces_and_masks_hold(photo: Tensor) -> None:
    crop = together(LEFT, RIGHT)
    assert torch.equal(warp(photo, crop, SMILE)[0], warp(photo, crop, stack(SMILE, SMILE))[0])
    for channels in (photo[:, :1], torch.cat([photo, photo[:, :1]], 1)):
        both = together(LEFT, square_crop(SIZE, (95, 85), 100, 5.0))
        rgb = warp(photo, both, SMILE, color=0.0)[0]
        assert torch.allclose(warp(channels, both, SMILE, color=0.0)[0][:, 0], rgb[:, 0], atol=1e-6)
    mask = torch.zeros(1, *SIZE)
    mask[..., :120] = 1
    out, changed = warp(photo, crop, SMILE, mask=mask)
    assert same_bits(out[..., 120:], photo[..., 120:])
    assert changed[..., :120].any()


def test_where_faces_overlap_movements_add_up_in_any_order(photo: Tensor) -> None:
    near = square_crop(SIZE, (95, 85), 100, 5.0)
    a = warp(photo, together(LEFT, near), stack(SMILE, FROWN))[0]
    assert (a - warp(photo, together(near, LEFT), stack(FROWN, SMILE))[0]).abs().max() < 1e-5
    # two halves of a movement are the whole movement, sampled once: two warps would blur
    twice, once = warp(photo, together(LEFT, LEFT), SMILE, 0.5, 0.5)[0], warp(photo, LEFT, SMILE)[0]
    assert (twice - once).abs().max() < 3e-4  # movements below a thousandth of a pixel are left away
    again = warp(warp(photo, LEFT, SMILE, 0.5, 0.5)[0], LEFT, SMILE, 0.5, 0.5)[0]
    assert (again - once).abs().max() > 0.01


def test_faces_without_an_edit_leave_every_bit(photo: Tensor, noise_picture: Tensor) -> None:
    crop = together(LEFT, RIGHT)
    assert same_bits(warp(photo, crop, stack(SMILE, FROWN), 0.0, 0.0)[0], photo)
    assert same_bits(warp(photo, crop, Field.zeros(8))[0], photo)
    alone = together(LEFT)
    assert torch.equal(warp(photo, alone, SMILE)[0], warp(photo, LEFT, SMILE)[0])
    with pytest.raises(ValueError, match="3 fields do not fit 2 faces"):
        warp(photo, crop, smooth_field(batch=3))


def test_a_batch_with_any_number_of_faces_in_each_picture(photo: Tensor) -> None:
    pictures = torch.cat([photo, photo.flip(-1), photo * 0.5])
    crop = together(LEFT, RIGHT, LEFT, of=(0, 0, 2), pictures=3)
    fields = stack(SMILE, FROWN, FROWN)
    mask = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(3))
    out, changed = warp(pictures, crop, fields, mask=mask)
    assert same_bits(out[:1], warp(pictures[:1], together(LEFT, RIGHT), stack(SMILE, FROWN), mask=mask[:1])[0])
    assert same_bits(out[1], pictures[1])
    assert not changed[1].any()
    assert same_bits(out[2:], warp(pictures[2:], LEFT, FROWN, mask=mask[2:])[0])
    assert crop.aligned(pictures, 32).shape[0] == 3
    assert torch.equal(crop.aligned(pictures, 32)[2], LEFT.aligned(pictures[2:], 32)[0])
    acts, repair, latent = taper_mask(crop), repair_mask(fields, crop), torch.rand(3, 4, 20, 30)
    assert acts.shape == repair.shape == (3, *SIZE)
    assert not acts[1].any()
    moved = warp_latent(latent, crop, fields)
    assert torch.equal(moved[1], latent[1])
    assert torch.equal(moved[2:], warp_latent(latent[2:], LEFT, FROWN))


def test_a_crop_of_one_picture_serves_many(photo: Tensor) -> None:
    pictures = torch.cat([photo, photo * 0.5])
    both = warp(pictures, together(LEFT, RIGHT), stack(SMILE, FROWN))[0]
    for i in range(2):
        one = warp(pictures[i : i + 1], together(LEFT, RIGHT), stack(SMILE, FROWN))[0]
        assert same_bits(both[i : i + 1], one)
    with pytest.raises(ValueError, match="crop of 3 pictures does not fit 2"):
        warp(pictures, together(LEFT, of=(1,), pictures=3), SMILE)
    with pytest.raises(ValueError, match="cannot be in the pictures"):
        together(LEFT, RIGHT, of=(1, 0), pictures=2)


def test_align_takes_all_faces(portraits: dict[str, Tensor], finder: Remembering) -> None:
    astronaut = portraits["astronaut"][:, :, :300, 100:350]
    hopper = torch.nn.functional.interpolate(
        portraits["grace_hopper"], scale_factor=0.6, mode="bilinear", antialias=True
    )[:, :, :300, 30:290]
    picture = torch.cat([astronaut, hopper], 3)
    crop, [found] = align(picture, finder, None, "left-right")
    assert (crop.batch, crop.of_picture, crop.pictures, len(found), len(crop.score)) == (2, (0, 0), 1, 2, 2)
    for i in range(2):
        one, _ = align(picture, finder, i, "left-right")
        assert (one.matrix - crop.select(i).matrix).abs().max() < 1e-5
    batch = torch.cat([torch.full_like(picture, 0.5), picture, picture.flip(-1)])
    every, found = align(batch, finder, None, "left-right")
    assert (every.of_picture, every.pictures, [len(f) for f in found]) == ((1, 1, 2, 2), 3, [0, 2, 2])
    assert (every.select(1).matrix - crop.select(1).matrix).abs().max() < 1e-5
    first, _ = align(batch, finder, 0)
    assert (first.of_picture, first.pictures) == ((1, 2), 3)
    with pytest.raises(FaceNotFound, match="No face"):
        align(torch.full((1, 3, 64, 64), 0.5), finder, None)


@pytest.mark.parametrize(("size", "ratio"), [((160, 240), 8), ((165, 247), 8), ((320, 480), 16), ((330, 247), 8)])
def test_a_latent_moves_as_its_picture(size: tuple[int, int], ratio: int) -> None:
    """A VAE whose latent pixels are means of what ComfyUI's crop leaves of the picture."""
    crop, field = square_crop(size, (0.5 * size[1], 0.5 * size[0]), 0.55 * size[1], 15.0), smooth_field(0.08, 0.3)
    coarse = torch.rand(
        1, 3, size[0] // (5 * ratio), size[1] // (5 * ratio), generator=torch.Generator().manual_seed(2)
    )
    picture = torch.nn.functional.interpolate(coarse, size, mode="bicubic", align_corners=False).clamp(0, 1)

    def encode(image: Tensor) -> Tensor:
        h, w = size[0] // ratio, size[1] // ratio
        top, left = size[0] % ratio // 2, size[1] % ratio // 2
        mean = torch.nn.functional.avg_pool2d(image[..., top : top + h * ratio, left : left + w * ratio], ratio)
        return torch.cat([10 * mean - 5, mean[:, :1]], 1)  # 4 channels, beyond 0..1

    moved = warp_latent(encode(picture), crop, field)
    expected = encode(warp(picture, crop, field, color=0.0)[0])
    still = encode(picture)
    assert moved.shape == still.shape
    assert (moved - expected).abs().mean() < 0.12 * (still - expected).abs().mean() + 2e-3
    assert same_bits(warp_latent(still, crop, field, 0.0), still)
    assert same_bits(
        warp_latent(still[:, :, None], crop, field)[:, :, 0], moved
    )  # as Qwen-Image's VAE encodes a picture
    small, found, _ = reduced(crop, tuple(still.shape[2:]))
    assert found == ratio
    outside = (taper_mask(small) == 0).expand_as(still[0])
    assert same_bits(moved[0][outside], still[0][outside])


def test_latents_that_do_not_fit() -> None:
    crop, field = LEFT, SMILE
    with pytest.raises(ValueError, match=r"does not belong to a picture of 240x160.*has 30x20"):
        warp_latent(torch.zeros(1, 4, 20, 31), crop, field)
    with pytest.raises(ValueError, match="video latents"):
        warp_latent(torch.zeros(1, 16, 3, 20, 30), crop, field)
    with pytest.raises(ValueError, match="2 fields do not fit a batch of 3"):
        warp_latent(torch.zeros(3, 4, 20, 30), crop, stack(SMILE, FROWN))


def test_latents_keep_type_and_batch_and_heed_the_mask() -> None:
    latent = torch.randn(2, 16, 20, 30, generator=torch.Generator().manual_seed(0)).half()
    mask = torch.zeros(1, *SIZE)
    mask[..., :64] = 1
    moved = warp_latent(latent, LEFT, stack(SMILE, FROWN), mask=mask)
    assert moved.dtype == torch.float16
    assert torch.equal(moved[..., 8:], latent[..., 8:])
    assert (moved[0, :, 8:12, 5:7] != latent[0, :, 8:12, 5:7]).any()
    alone = warp_latent(latent[1:], LEFT, FROWN, mask=mask)
    assert torch.equal(moved[1:], alone)
    both = warp_latent(latent, together(LEFT, RIGHT), stack(SMILE, FROWN))
    assert (both[..., 20:] != latent[..., 20:]).any()


def test_masks_move_as_grey_pictures(photo: Tensor) -> None:
    mask = photo[:, 0]
    moved = warp_mask(mask, LEFT, constant_field(0.05, 0.02, (0.3, 0.3, 0.3)))
    expected = warp(photo[:, :1], LEFT, constant_field(0.05, 0.02), color=0.0)[0][:, 0]
    assert torch.equal(moved, expected)
    assert (moved - mask).abs().max() > 0.05
    with pytest.raises(ValueError, match=r"240x160 pixels, got \(1, 64, 64\)"):
        warp_mask(torch.zeros(1, 64, 64), LEFT, SMILE)
