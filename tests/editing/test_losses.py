"""Losses: zero where they should be, positive where not, and the same on every raster."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from helpers import linear_field, smooth_field
from torch import Tensor

from flow_core.editing.losses import (
    COLOR_UNIT,
    asymmetry,
    bending_energy,
    color_energy,
    drift,
    face_importance,
    fold_hinge,
    guidance,
    magnitude,
    rms_change,
    secant_gain,
)
from flow_core.geometry.grid import pixel_centers
from flow_core.warping.jacobian import jacobian_determinant


def wave(size: int) -> Tensor:
    """A smooth function on a raster of any size, ``[1,2,size,size]``."""
    x, y = pixel_centers(size, size).unbind(-1)
    return torch.stack([(3 * x + y).sin() * 0.02, (2 * y).cos() * x * 0.03], 1)


@pytest.mark.parametrize(
    "loss",
    [
        bending_energy,
        lambda v: magnitude(v, face_importance(pixel_centers(*v.shape[2:]))),
        lambda v: asymmetry(v, torch.ones(1)),
    ],
    ids=["bending", "magnitude", "asymmetry"],
)
def test_priors_hold_for_every_raster(loss: Callable[[Tensor], Tensor]) -> None:
    coarse, fine = loss(wave(20)), loss(wave(40))
    assert coarse > 0
    assert fine.item() == pytest.approx(coarse.item(), rel=0.1)


def test_bending_energy_of_a_known_function() -> None:
    x, y = pixel_centers(50, 50).unbind(-1)
    values = torch.stack([1.5 * x * x + 2 * x * y - 0.5 * y * y], 1)  # xx = 3, yy = -1, xy = 2
    assert bending_energy(values).item() == pytest.approx(9 + 1 + 2 * 4, rel=0.01)


def test_bending_energy_leaves_affine_fields_alone() -> None:
    assert bending_energy(linear_field([[0.3, -0.2], [0.1, 0.4]]).offset) < 1e-6
    assert bending_energy(torch.full((1, 2, 9, 9), 0.3)) == 0
    assert bending_energy(smooth_field().offset) > 0.1


def test_bending_energy_of_an_oblong_raster() -> None:
    x, y = pixel_centers(30, 60).unbind(-1)
    values = torch.stack([x * x + 2 * y * y + x * y], 1)
    assert bending_energy(values).item() == pytest.approx(4 + 16 + 2, rel=0.01)


def test_magnitude() -> None:
    ones = torch.ones(1, 1, 8, 8)
    assert magnitude(torch.zeros(1, 2, 8, 8), ones) == 0
    vectors = torch.tensor([3.0, 4.0])[None, :, None, None].expand(1, 2, 8, 8)
    assert magnitude(vectors, ones).item() == pytest.approx(25)
    left = ones.clone()
    left[..., 4:] = 0
    assert magnitude(vectors, left).item() == pytest.approx(12.5)


def test_face_importance() -> None:
    weight = face_importance(pixel_centers(64, 64), outside=30)
    assert weight.shape == (1, 1, 64, 64)
    assert weight.min() == 1
    assert weight[0, 0, 30:46, 26:38].max() == 1  # nose and mouth
    assert weight[0, 0, 0, 0] == pytest.approx(30)
    middle = weight[0, 0, 36]
    assert (middle[32:].diff() >= 0).all()
    torch.testing.assert_close(weight, weight.flip(-1))


def test_importance_follows_the_outline_of_the_face() -> None:
    angle = torch.linspace(0, 2 * torch.pi, 40)
    contour = torch.stack([0.3 + 0.1 * angle.cos(), 0.5 + 0.2 * angle.sin()], -1)[None]
    places = torch.tensor([[[0.3, 0.5], [0.3, 0.66], [0.3, 0.9], [0.55, 0.5]]])[None]
    inside, within, below, beside = face_importance(places, contour)[0, 0, 0].tolist()
    assert inside == within == 1
    assert below == beside == 30
    usual = torch.tensor([[[0.5, 0.56], [0.5, 0.85], [0.5, 0.99], [0.95, 0.56]]])[None]
    inside, within, below, beside = face_importance(usual)[0, 0, 0].tolist()
    assert inside == within == 1
    assert below > 4
    assert beside > 20


def test_colours_cost_in_the_regions_that_are_used() -> None:
    shifts = torch.tensor([[[1.0, 2.0, 2.0], [4.0, 0.0, 0.0]]])
    assert color_energy(shifts) == 12.5
    assert color_energy(shifts, torch.tensor([[1.0, 0.0]])) == 9
    assert color_energy(shifts, torch.zeros(1, 2)) == 0


def test_change_is_a_length_to_which_colours_add() -> None:
    offset = torch.tensor([3e-3, 4e-3]).view(1, 2, 1, 1).expand(2, 2, 5, 5)
    color = torch.tensor([[[12 * COLOR_UNIT, 0.0, 0.0]], [[0.0, 0.0, 0.0]]])
    torch.testing.assert_close(rms_change(offset), torch.tensor([5.0, 5.0]))
    torch.testing.assert_close(rms_change(offset, color), torch.tensor([13.0, 5.0]))


def test_what_a_unit_of_change_gains_is_its_mean_so_far() -> None:
    one, weight = torch.tensor([[2.0]]), torch.ones(1, 1)
    views = torch.tensor([[[12.0], [20.0]]])
    assert secant_gain(one, views, torch.tensor([4.0]), weight) == 4
    assert secant_gain(one, -views, torch.tensor([4.0]), -weight) == 4  # away from the text
    assert secant_gain(one, views / 16, torch.tensor([4.0]), weight) == 2  # never less than at the start


def test_fold_hinge() -> None:
    assert fold_hinge(torch.ones(1, 8, 8)) == 0
    assert fold_hinge(torch.full((1, 8, 8), 0.35)) == 0
    assert fold_hinge(torch.full((1, 8, 8), -0.15)).item() == pytest.approx(0.25)
    assert fold_hinge(jacobian_determinant(linear_field([[-1.5, 0], [0, 0]]))) > 0.05
    assert fold_hinge(jacobian_determinant(smooth_field(0.02))) == 0


def test_asymmetry() -> None:
    half = smooth_field(size=12).offset
    mirrored = half.flip(-1) * torch.tensor([-1.0, 1.0])[:, None, None]
    assert asymmetry(half + mirrored, torch.ones(1)) < 1e-12
    assert asymmetry(half - mirrored, torch.ones(1)) > 1e-6
    assert asymmetry(half, torch.zeros(1)) == 0
    assert asymmetry(half, torch.full((1,), 0.5)).item() == pytest.approx(asymmetry(half, torch.ones(1)).item() / 2)
    shift = torch.zeros(1, 2, 8, 8)
    shift[:, 0] = 0.1  # to one side
    assert asymmetry(shift, torch.ones(1)).item() == pytest.approx(0.02)
    shift = shift.flip(1)  # up or down
    assert asymmetry(shift, torch.ones(1)) == 0


def test_asymmetry_counts_each_face_of_a_batch_by_its_frontality() -> None:
    offset = torch.cat([smooth_field(seed=1).offset, smooth_field(seed=2).offset])
    one = asymmetry(offset[1:], torch.ones(1))
    assert asymmetry(offset, torch.tensor([0.0, 1.0])).item() == pytest.approx(one.item() / 2)


def test_guidance_stops_pulling_beyond_the_margin() -> None:
    weight = torch.tensor([1.0])
    gain = torch.tensor([[-2.0], [2.5], [3.0], [3.5], [9.0]]).requires_grad_()
    loss = guidance(gain, weight, 3.0)
    assert loss > 0
    [pull] = torch.autograd.grad(loss, gain)
    pull = -len(gain) * pull[:, 0]
    assert (pull.diff() < 0).all()
    assert pull[0] > 0.99
    assert pull[2] == pytest.approx(0.5)
    assert pull[4] < 0.01
    assert guidance(torch.full((1, 1), 60.0), weight, 3.0) < 1e-6
    assert guidance(torch.zeros(1, 1), weight, 3.0).item() == pytest.approx(3, abs=0.1)


def test_guidance_follows_sign_and_size_of_the_weights() -> None:
    gain = torch.tensor([[0.0, 0.0, 0.0]]).requires_grad_()
    [pull] = torch.autograd.grad(guidance(gain, torch.tensor([1.0, -1.0, 0.5]), 3.0), gain)
    assert pull[0, 0] < 0 < pull[0, 1]
    assert pull[0, 0] < pull[0, 2] < 0
    assert guidance(torch.tensor([[-60.0]]), torch.tensor([-1.0]), 3.0) < 1e-6
    assert guidance(torch.tensor([[2.0]]), torch.tensor([0.5]), 3.0) < guidance(
        torch.tensor([[1.0]]), torch.tensor([0.5]), 3.0
    )


def test_drift_is_what_no_direction_asked_for() -> None:
    directions = torch.tensor([[2.0, 0, 0, 0], [1.0, 1.0, 0, 0]])
    assert drift(torch.tensor([[5.0, -3.0, 0, 0]]), directions) < 1e-9
    assert drift(torch.zeros(3, 4), directions) == 0
    assert drift(torch.tensor([[7.0, 0, 3.0, 0]]), directions).item() == pytest.approx(9 / 3)
    inverse = torch.linalg.pinv(directions)
    assert drift(torch.tensor([[7.0, 0, 3.0, 0]]), directions, inverse).item() == pytest.approx(9 / 3)


@pytest.mark.parametrize("loss", [bending_energy])
def test_losses_pass_gradients(loss: Callable[[Tensor], Tensor]) -> None:
    values = wave(8).requires_grad_()
    loss(values).backward()
    assert values.grad.isfinite().all()
    assert values.grad.any()
