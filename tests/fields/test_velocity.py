"""Velocity fields: they do not fold at usual strengths, undo themselves, and stay what the optimiser made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import constant_field, linear_field, same_bits, smooth_field, square_crop
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flow_core.fields.base import FEATHER
from flow_core.fields.exponential import blur, exponential, least_determinant
from flow_core.fields.files import load_field
from flow_core.fields.raster import Field
from flow_core.fields.velocity import to_offset, to_velocity
from flow_core.geometry.grid import nodes, pixel_centers
from flow_core.warping.jacobian import fold_share, jacobian_determinant
from flow_core.warping.warp import warp

STRENGTHS = (-1.0, 0.5, 1.0, 1.5)
GRID = pixel_centers(512, 512)


def calm(amplitude: float, seed: int = 0, size: int = 28, batch: int = 1) -> Field:
    """A smooth field that fades towards the border, as edits do."""
    field = smooth_field(amplitude, size=size, seed=seed, batch=batch)
    bump = (pixel_centers(size, size) * torch.pi).sin().prod(-1)[:, None]
    return replace(field, offset=field.offset * bump)


def pixels(a: Tensor, b: Tensor) -> Tensor:
    """Distance in pixels of a 512 px face."""
    return (a - b).norm(dim=1) * 512


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 99), amplitude=st.sampled_from([0.01, 0.05, 0.15, 0.3]), size=st.sampled_from([12, 28]))
def test_no_strength_folds(seed: int, amplitude: float, size: int) -> None:
    for made in (to_velocity(Field.noise(size, amplitude, seed)), to_velocity(smooth_field(amplitude, seed=seed))):
        for strength in STRENGTHS:
            assert least_determinant(exponential_of(made, strength)).item() > 0  # everywhere, not on a grid


@pytest.mark.parametrize("strength", STRENGTHS)
def test_no_strength_folds_between_pixels(strength: float) -> None:
    assert jacobian_determinant(to_velocity(smooth_field(0.1)), 1024, strength).min() > 0


def exponential_of(field: Field, strength: float) -> Tensor:
    return field.scale(strength).flow()(nodes(256)).offset


def test_where_offsets_fold_a_velocity_does_not() -> None:
    shift = constant_field(0.3, 0)
    assert fold_share(shift) > 0.02
    assert fold_share(replace(shift, kind="velocity")) == 0
    assert jacobian_determinant(to_velocity(linear_field([[-1.5, 0], [0, 0.4]])), 1024).min() > 0


def test_the_exponential_of_a_turn_is_a_turn() -> None:
    angle = 0.5
    turning = replace(linear_field([[0, -angle], [angle, 0]], 64), kind="velocity")
    middle = pixel_centers(32, 32) * 0.3 + 0.35  # away from the taper
    x, y = (middle - 0.5).unbind(-1)
    a = torch.tensor(angle)
    expected = torch.stack([x * a.cos() - y * a.sin() - x, x * a.sin() + y * a.cos() - y], 1)
    assert pixels(turning.flow()(middle).offset, expected).max() < 0.2


def test_the_exponential_has_a_gradient() -> None:
    velocity = torch.zeros(1, 2, 17, 17).double()
    velocity[..., 4:13, 4:13] = 0.01 * torch.randn(1, 2, 9, 9, generator=torch.Generator().manual_seed(0))
    direction = torch.randn(velocity.shape, generator=torch.Generator().manual_seed(1)).double() * 1e-3
    moving = velocity.float().requires_grad_()
    [gradient] = torch.autograd.grad(exponential(moving).square().sum(), moving)
    numeric = (exponential((velocity + direction).float()) ** 2).sum() - (
        exponential((velocity - direction).float()) ** 2
    ).sum()
    torch.testing.assert_close((gradient * direction).sum().double(), numeric.double() / 2, rtol=0.02, atol=1e-6)


@pytest.mark.parametrize("amplitude", [0.01, 0.04])
def test_projection_keeps_the_edit(amplitude: float) -> None:
    field = calm(amplitude)
    made = to_velocity(field)
    assert made.kind == "velocity"
    assert same_bits(made.color, field.resample(56).color)
    distance = pixels(made.flow()(GRID).offset, field.flow()(GRID).offset)
    assert distance.max() < 0.4
    assert distance.mean() < 0.05
    again = pixels(to_offset(made).flow()(GRID).offset, made.flow()(GRID).offset)
    assert again.max() < 0.4
    assert to_velocity(made) is made


def test_projection_of_nothing_is_nothing() -> None:
    made = to_velocity(Field.zeros(12))
    assert made.kind == "velocity"
    assert made.size == (12, 12)
    assert not made.offset.any()


def test_projection_of_a_batch_is_that_of_each() -> None:
    field = calm(0.05, batch=3)
    both = to_velocity(field)
    torch.testing.assert_close(both.select(1).offset, to_velocity(field.select(1)).offset, atol=1e-5, rtol=0)


@pytest.mark.parametrize("strength", [0.5, 1.0, 1.5])
def test_the_opposite_undoes(strength: float) -> None:
    field = to_velocity(calm(0.05)).scale(strength)
    there = field.flow()(GRID).offset
    back = field.scale(-1).flow()(GRID + there.movedim(1, -1)).offset
    assert pixels(there, -back).mean() < 0.05
    assert there.norm(dim=1).max() * 512 > 5


def test_strengths_add_up() -> None:
    field = to_velocity(calm(0.05))
    part = field.scale(0.4).flow()(GRID).offset
    rest = field.scale(0.6).flow()(GRID + part.movedim(1, -1)).offset
    assert pixels(part + rest, field.flow()(GRID).offset).mean() < 0.05


def test_identity_at_the_border_and_beyond() -> None:
    made = replace(smooth_field(0.2), kind="velocity")
    edge = torch.linspace(0, 1, 50)
    zero, one, far = torch.zeros(50), torch.ones(50), torch.full((50,), 1.7)
    points = torch.stack([torch.stack(p, -1) for p in ((edge, zero), (one, edge), (far, edge), (edge, -far))])[None]
    for feather in (0.0, FEATHER, 0.5):
        offset, color = made.flow(feather)(points)[:2]
        assert not offset.any()
        assert not color.any()
        if feather:  # a velocity as large as this one, cut off sharply, would take a finer raster to integrate
            assert jacobian_determinant(made, 256, 1.0, feather).min() > 0


def test_strength_zero_gives_the_input_back(noise_picture: Tensor) -> None:
    crop = square_crop((96, 120), (60, 48), 80, 10)
    made = to_velocity(calm(0.05))
    assert same_bits(warp(noise_picture, crop, made, 0, 0)[0], noise_picture)
    out, changed = warp(noise_picture, crop, made)
    assert changed.any()
    assert same_bits(out[..., changed[0] == 0], noise_picture[..., changed[0] == 0])


def test_a_file_remembers_the_kind(tmp_path: Path) -> None:
    made = to_velocity(calm(0.03)).with_meta(prompt="x")
    loaded = load_field(made.save(tmp_path / "v.safetensors"))
    assert (loaded.kind, loaded.meta) == ("velocity", made.meta)
    assert same_bits(loaded.offset, made.offset)
    assert b'"velocity"' in (tmp_path / "v.safetensors").read_bytes().replace(b"\\", b"")


def test_blur_keeps_constants_and_means() -> None:
    torch.testing.assert_close(blur(torch.full((1, 2, 9, 7), 0.3), 1.5), torch.full((1, 2, 9, 7), 0.3))
    spike = torch.zeros(1, 1, 21, 21)
    spike[..., 10, 10] = 1
    soft = blur(spike, 2.0)
    assert soft.sum().item() == pytest.approx(1, abs=1e-5)
    assert soft[0, 0, 10, 10].item() == pytest.approx(1 / (2 * torch.pi * 4), rel=0.05)
