"""Arithmetic of edits: its laws, and that what a field says is what a warp does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import same_bits, smooth_field, square_crop
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flow_core.faces.landmarks import AT, BROWS, LIPS
from flow_core.fields import algebra
from flow_core.fields.base import FieldError
from flow_core.fields.files import load_field
from flow_core.fields.neural import Implicit
from flow_core.fields.raster import Field
from flow_core.fields.velocity import to_velocity
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.warping.jacobian import jacobian_determinant
from flow_core.warping.warp import warp

GRID = pixel_centers(96, 96)
KINDS = ("raster", "velocity")


def edit(seed: int = 0, kind: str = "raster", size: int = 20, amplitude: float = 0.03) -> Field:
    """An edit that fades towards the border."""
    bump = (pixel_centers(size, size) * torch.pi).sin().prod(-1)[:, None]
    field = smooth_field(amplitude, 0.06, size, seed)
    return replace(field, offset=field.offset * bump, color=field.color * bump, kind=kind)


def apart(a: Field, b: Field) -> tuple[float, float]:
    """Mean distance of what two fields do: pixels of a 512 px face, and colour."""
    (o, c), (p, d) = a.flow()(GRID)[:2], b.flow()(GRID)[:2]
    return (o - p).norm(dim=1).mean().item() * 512, (c - d).abs().mean().item()


def near(a: Field, b: Field, pixels: float = 0.05, color: float = 5e-4) -> bool:
    distance = apart(a, b)
    return distance[0] < pixels and distance[1] < color


seeds = st.integers(0, 50)
kinds = st.sampled_from(KINDS)
quick = settings(max_examples=4, deadline=None)


@quick
@given(seed=seeds, kind=kinds, w=st.floats(-1.5, 1.5))
def test_mixing_is_linear(seed: int, kind: str, w: float) -> None:
    a, b = edit(seed, kind), edit(seed + 1, kind)
    made = algebra.mix([a, b], [w, 0.5], [0.25, w])
    torch.testing.assert_close(made.offset, w * a.offset + 0.5 * b.offset)
    torch.testing.assert_close(made.color, 0.25 * a.color + w * b.color)
    assert made.kind == kind
    assert same_bits(algebra.mix([a], [1]).offset, a.offset)
    torch.testing.assert_close(algebra.mix([a, a], [w, 1 - w]).offset, a.offset, atol=1e-6, rtol=0)
    assert not algebra.mix([a, a], [1, -1]).offset.any()


def test_mixed_kinds_and_rasters_meet() -> None:
    made = algebra.mix([edit(0), edit(1, "velocity", 28)], [1, 1])
    assert made.kind == "velocity"
    assert min(made.size) >= 28
    assert jacobian_determinant(made, 256).min() > 0
    assert near(algebra.mix([edit(0), edit(1, "velocity", 28)], [1, 0]), edit(0), 0.1)
    assert made.meta["prompt"] == "a test x 1 + a test x 1"
    batch = algebra.mix([edit(0), smooth_field(batch=3)], [1, 1])
    assert batch.batch == 3


@pytest.mark.parametrize(
    ("fields", "weights"), [([], []), ([edit()], [1, 2]), ([smooth_field(batch=2), smooth_field(batch=3)], [1, 1])]
)
def test_what_cannot_be_mixed(fields: list[Field], weights: list[float]) -> None:
    with pytest.raises(FieldError, match=r"fields need|do not fit"):
        algebra.mix(fields, weights)


@quick
@given(seed=seeds, kind=kinds)
def test_nothing_is_neutral(seed: int, kind: str) -> None:
    a, zero = edit(seed, kind), replace(Field.zeros(20), kind=kind)
    assert near(algebra.compose(a, zero), a, 0.1, 2e-3)
    assert near(algebra.compose(zero, a), a, 0.1, 2e-3)


@quick
@given(seed=seeds, kind=kinds)
def test_composition_is_associative(seed: int, kind: str) -> None:
    a, b, c = (edit(seed + i, kind, 40, 0.02) for i in range(3))
    left = algebra.compose(algebra.compose(a, b), c)
    right = algebra.compose(a, algebra.compose(b, c))
    assert near(left, right, 0.15, 2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_composition_is_one_warp_after_the_other(kind: str) -> None:
    x = (torch.arange(256) + 0.5) / 256
    wave = ((x * 11).sin()[None] * (x * 9).cos()[:, None] * 0.3 + 0.5).expand(1, 3, -1, -1)
    crop = Crop.whole(wave)
    a, b = edit(1, kind, 40), edit(2, kind, 40)
    twice = warp(warp(wave, crop, a)[0], crop, b)[0]
    once = warp(wave, crop, algebra.compose(a, b))[0]
    assert (once - twice).abs().mean() < 2e-3
    assert (twice - warp(wave, crop, algebra.compose(b, a))[0]).abs().mean() > 2 * (once - twice).abs().mean()


@quick
@given(seed=seeds, kind=kinds)
def test_the_inverse_undoes(seed: int, kind: str) -> None:
    a = edit(seed, kind, 40)
    back = algebra.invert(a)
    assert back.kind == kind
    zero = Field.zeros(20)
    for made in (algebra.compose(a, back), algebra.compose(back, a)):
        assert near(made, zero, 0.15, 2e-3)
    assert near(algebra.invert(back), a, 0.15, 2e-3)


def test_the_inverse_gives_the_picture_back() -> None:
    x = (torch.arange(256) + 0.5) / 256
    wave = ((x * 11).sin()[None] * (x * 9).cos()[:, None] * 0.3 + 0.5).expand(1, 3, -1, -1)
    crop, field = Crop.whole(wave), to_velocity(edit(3, size=40))
    back = warp(warp(wave, crop, field)[0], crop, algebra.invert(field))[0]
    assert (back - wave).abs().mean() < 1.5e-3
    assert (warp(wave, crop, field)[0] - wave).abs().mean() > 0.005


@quick
@given(seed=seeds, kind=kinds)
def test_mirrored_twice_is_the_same(seed: int, kind: str) -> None:
    a = edit(seed, kind)
    twice = algebra.mirror(algebra.mirror(a))
    assert torch.equal(twice.offset, a.offset)
    assert same_bits(twice.color, a.color)


def test_a_mirrored_edit_edits_the_mirrored_picture(noise_picture: Tensor) -> None:
    square = noise_picture[..., :96]
    crop = Crop.whole(square)
    for kind in KINDS:
        a = edit(4, kind)
        mirrored = warp(square.flip(-1), crop, algebra.mirror(a))[0].flip(-1)
        torch.testing.assert_close(mirrored, warp(square, crop, a)[0], atol=2e-3, rtol=0)


def test_opposite() -> None:
    a = edit(1)
    assert torch.equal(algebra.opposite(a).offset, -a.offset)
    assert torch.equal(algebra.opposite(a).color, -a.color)


@pytest.mark.parametrize("kind", KINDS)
def test_masks(kind: str) -> None:
    a = edit(2, kind)
    whole = algebra.mask(a, torch.ones(1, 1, 64, 64), 0.1)
    torch.testing.assert_close(whole.offset, a.offset, atol=1e-7, rtol=1e-5)
    assert not algebra.mask(a, torch.zeros(1, 1, 64, 64)).offset.any()
    half = torch.zeros(1, 1, 64, 64)
    half[..., :32] = 1
    left, right = algebra.mask(a, half, 0.06), algebra.mask(a, 1 - half, 0.06)
    assert not left.offset[..., left.size[1] * 2 // 3 :].any()
    assert left.offset[..., : left.size[1] // 3].any()
    assert near(algebra.mix([left, right], [1, 1]), a, 0.1)
    if kind == "velocity":
        assert jacobian_determinant(algebra.mask(edit(2, kind, amplitude=0.15), half), 512).min() > 0


def test_masks_that_do_not_fit() -> None:
    for wrong in (torch.ones(64, 64), torch.ones(1, 3, 8, 8), torch.ones(2, 1, 8, 8)):
        with pytest.raises(FieldError, match="mask of shape"):
            algebra.mask(smooth_field(batch=3), wrong)


def test_a_region_of_a_face(crop: Crop) -> None:
    points = crop.places[0]
    mouth = algebra.crop_mask(crop, "mouth")[0, 0]
    x, y = (points[[AT[i] for i in LIPS]].mean(0) * 256).long().tolist()
    assert mouth[y, x] == 1
    x, y = (points[[AT[i] for i in BROWS[0]]].mean(0) * 256).long().tolist()
    assert mouth[y, x] == 0
    painted = torch.zeros(1, *crop.image_size)
    px, py = crop.to_image(points[AT[LIPS[0]]][None, None, None])[0, 0, 0].long().tolist()
    painted[:, py - 6 : py + 6, px - 6 : px + 6] = 1  # a corner of the mouth, in the photo
    both = algebra.crop_mask(crop, "mouth", painted)[0, 0]
    x, y = (points[AT[LIPS[0]]] * 256).long().tolist()
    assert both[y, x] > 0.9
    assert both.sum() < mouth.sum() / 2
    with pytest.raises(ValueError, match="no landmarks"):
        algebra.crop_mask(square_crop((96, 120), (60, 48), 80), "mouth")


def test_to_the_same_face_nothing_changes(crop: Crop) -> None:
    points = crop.places
    for kind in KINDS:
        assert near(algebra.transfer(edit(5, kind, 48), points, points), edit(5, kind, 48), 0.01, 1e-4)


def test_a_mouth_goes_to_the_mouth(crops: dict[str, Crop]) -> None:
    source, target = (crops[n].places for n in ("astronaut", "grace_hopper"))
    lips = [AT[i] for i in LIPS]
    middle = source[:, lips].mean(1)
    points = pixel_centers(48, 48)
    bump = torch.exp(-(points - middle[:, None, None]).square().sum(-1) / (2 * 0.05**2))[:, None]
    field = Field(0.02 * bump * torch.tensor([1.0, 0.0])[:, None, None], 0.1 * bump.expand(-1, 3, -1, -1))
    made = algebra.transfer(field, source, target)
    weight = made.color[:, :1]
    place = (points * weight[0, 0, ..., None]).sum((1, 2)) / weight.sum()
    there = target[:, lips].mean(1)
    assert (place - there).norm() < 0.015
    assert (place - there).norm() < (middle - there).norm() or (middle - there).norm() < 0.01
    assert algebra.transfer(made, target, source).offset.sub(field.resample(made.size).offset).abs().mean() < 5e-4


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_vectors_turn_and_grow_with_the_face(degrees: float) -> None:
    a = torch.tensor(degrees).deg2rad()
    turn = 1.3 * torch.tensor([[a.cos(), -a.sin()], [a.sin(), a.cos()]])
    source = torch.rand(1, 161, 2, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.3
    target = (source - 0.5) @ turn.T + 0.5
    field = Field(torch.tensor([0.01, 0.02])[None, :, None, None].expand(1, 2, 48, 48), torch.zeros(1, 3, 48, 48))
    made = algebra.transfer(field, source, target)
    torch.testing.assert_close(made.offset[0, :, 24, 24], turn @ torch.tensor([0.01, 0.02]), atol=1e-4, rtol=0)


def test_landmarks_that_do_not_fit() -> None:
    with pytest.raises(FieldError, match="landmarks of both"):
        algebra.transfer(edit(), torch.rand(1, 161, 2), torch.rand(1, 5, 2))


@pytest.mark.parametrize("kind", [*KINDS, "siren", "fourier"])
def test_every_kind_of_file_comes_back(kind: str, tmp_path: Path) -> None:
    field = edit(1, kind) if kind in KINDS else Implicit.zeros(kind, 16, noise=0.02, seed=2)
    loaded = load_field(field.with_meta(prompt="x").save(tmp_path / "f.safetensors"))
    assert loaded.kind == field.kind
    assert loaded.meta["prompt"] == "x"
    for a, b in zip(loaded.sample(GRID), field.sample(GRID), strict=True):
        assert same_bits(a, b)
    for made in (algebra.mirror(loaded), algebra.invert(loaded), algebra.mix([loaded, edit(2)], [1, 1])):
        assert made.save(tmp_path / "g.safetensors").stat().st_size > 0
        assert load_field(tmp_path / "g.safetensors").kind == made.kind
