"""Neural fields: zero at first, continuous, differentiable, as good as their raster, and fitted to what is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import same_bits, smooth_field, square_crop
from torch import Tensor

from flow_core.descent import Adam
from flow_core.editing.optimize import Settings, optimize
from flow_core.editing.parameters import NetworkOffsets
from flow_core.fields.base import FieldError
from flow_core.fields.files import load_field
from flow_core.fields.neural import ARCHITECTURES, Implicit, fit
from flow_core.fields.raster import Field
from flow_core.fields.velocity import to_velocity
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt
from flow_core.warping.jacobian import jacobian_determinant
from flow_core.warping.warp import warp

POINTS = pixel_centers(17, 23)
both = pytest.mark.parametrize("architecture", ARCHITECTURES)


def noisy(architecture: str = "siren", batch: int = 1) -> Implicit:
    made = Implicit.zeros(architecture, 24, 4.0, batch, seed=1, noise=0.01)
    return replace(made, weights={**made.weights, "b2": torch.linspace(-0.01, 0.02, 5).expand(batch, -1)})


@both
def test_starts_at_exactly_zero(architecture: str, noise_picture: Tensor) -> None:
    field = Implicit.zeros(architecture, 16, batch=2)
    assert not any(v.any() for v in field.sample(POINTS))
    crop = square_crop((96, 120), (60, 48), 80)
    out, changed = warp(noise_picture, crop, field.select(0))
    assert same_bits(out, noise_picture)
    assert not changed.any()


@both
def test_noise_has_its_amplitude(architecture: str) -> None:
    velocity, color = Implicit.zeros(architecture, 64, noise=0.01).sample(pixel_centers(40, 40))
    assert 0.004 < velocity.std() < 0.02
    assert not color.any()


@both
def test_jacobian_is_that_of_finite_differences(architecture: str) -> None:
    field, step = noisy(architecture, 2), 1e-3
    slope = field.jacobian(POINTS)
    assert slope.shape == (2, 5, 2, 17, 23)
    for axis in (0, 1):
        shift = torch.eye(2)[axis] * step
        numeric = (field.values(POINTS + shift) - field.values(POINTS - shift)) / (2 * step)
        torch.testing.assert_close(slope[:, :, axis], numeric, atol=2e-3, rtol=2e-2)


@both
def test_samples_in_chunks_are_those_of_the_network(architecture: str) -> None:
    field = noisy(architecture, 2)
    points = pixel_centers(150, 140)
    torch.testing.assert_close(torch.cat(field.sample(points), 1), field.values(points), atol=1e-6, rtol=0)


@both
def test_the_raster_states_its_error(architecture: str) -> None:
    field = noisy(architecture)
    coarse, fine = field.raster(24), field.raster()
    assert fine.kind == "velocity"
    assert 0 < fine.meta["raster_error"] < coarse.meta["raster_error"] < 0.02
    between = pixel_centers(50, 50) * 0.9 + 0.05
    worst = (fine.sample(between)[0] - field.sample(between)[0]).abs().max().item()
    assert worst < 2 * fine.meta["raster_error"]


@both
def test_scale_select_and_device(architecture: str) -> None:
    field = noisy(architecture, 3)
    velocity, color = field.sample(POINTS)
    scaled = field.scale(-2, 0.5).sample(POINTS)
    torch.testing.assert_close(scaled[0], -2 * velocity)
    torch.testing.assert_close(scaled[1], 0.5 * color)
    torch.testing.assert_close(field.select(1).sample(POINTS)[0], velocity[1:2])
    assert field.to("cpu").with_meta(seed=3).meta["seed"] == 3


@both
def test_files(architecture: str, tmp_path: Path) -> None:
    field = noisy(architecture, 2).with_meta(prompt="a smiling face", steps=50)
    loaded = load_field(field.save(tmp_path / "n.safetensors"))
    assert isinstance(loaded, Implicit)
    assert (loaded.architecture, loaded.bandwidth, dict(loaded.meta)) == (architecture, 4.0, dict(field.meta))
    assert all(same_bits(loaded.weights[k], v) for k, v in field.weights.items())


def test_what_is_no_network() -> None:
    with pytest.raises(FieldError, match="Unknown network"):
        Implicit.zeros("mlp")
    with pytest.raises(FieldError, match="width of 8"):
        Implicit.zeros("siren", 2)
    field = noisy()
    with pytest.raises(FieldError, match="need shape"):
        replace(field, weights={**field.weights, "w1": torch.zeros(1, 3, 3)})
    with pytest.raises(FieldError, match="lacks the weights"):
        replace(field, weights={})
    with pytest.raises(FieldError, match="NaN"):
        replace(field, weights={**field.weights, "b2": torch.full((1, 5), torch.nan)}).require_finite()


@both
def test_fit(architecture: str) -> None:
    goal = to_velocity(smooth_field(0.03)).with_meta(prompt="x")
    made = fit(Implicit.zeros(architecture, 64, 4.0), goal, 60)
    grid = pixel_centers(60, 60)
    distance = (made.flow()(grid).offset - goal.flow()(grid).offset).norm(dim=1)
    assert distance.mean() * 512 < 0.5
    assert made.meta["prompt"] == "x"
    assert made.meta["fit_error"] < 0.02
    assert (made.sample(grid)[1] - goal.sample(grid)[1]).abs().mean() < 4e-3
    again = fit(Implicit.zeros(architecture, 64, 4.0), goal, 60)
    assert torch.equal(again.weights["w1"], made.weights["w1"])  # no matter what the caller's generator did


def test_what_is_finished_folds_nowhere() -> None:
    with torch.inference_mode():
        raw = smooth_field(0.15)
        made = Implicit.zeros("siren", 32, 4.0).nearest(raw)
    for strength in (-1.0, 0.5, 1.0, 1.5):
        assert jacobian_determinant(made, 512, strength).min() > 0


def test_a_network_that_is_trained_begins_where_it_was() -> None:
    start = noisy()
    trained = NetworkOffsets(start, (12, 12), 2, torch.device("cpu"))
    groups = trained.groups(1e-3)
    assert trained().shape == (2, 2, 12, 12)
    assert not trained().any()
    adam = Adam(groups)
    trained().sum().backward()
    adam.step()
    assert trained().any()
    assert not any(v.requires_grad for v in trained.snapshot().weights.values())
    assert not any(v.requires_grad for v in start.weights.values())


@pytest.mark.slow
def test_optimised_like_a_raster(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    quick, smile = Settings(steps=20, views=2), Prompt.parse("a smiling face")
    *_, raster = optimize(astronaut, crop, Field.zeros(28), guide, smile, quick)
    with torch.inference_mode():
        *_, neural = optimize(astronaut, crop, Implicit.zeros("siren"), guide, smile, quick)
        field = neural.field
    assert isinstance(field, Implicit)
    assert field.meta["prompt"] == "a smiling face"
    assert neural.gain > 0.8 * raster.gain > 0.2
    grid = pixel_centers(64, 64)
    lost = (field.flow()(grid).offset - neural.raw.flow()(grid).offset).norm(dim=1)
    assert lost.mean() * 512 < 0.5  # modes and all
    [on] = optimize(astronaut, crop, field, guide, smile, replace(quick, steps=1, lr=1e-6))
    lost = (on.raw.flow()(grid).offset - field.flow()(grid).offset).norm(dim=1)
    assert lost.mean() * 512 < 0.5
