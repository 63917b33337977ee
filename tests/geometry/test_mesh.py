"""The rasteriser: what is nearer hides what is behind, and nothing shows through between neighbours."""

from __future__ import annotations

import pytest
import torch

from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.mesh import barycentric, polygon_distance, rasterise

SQUARE = torch.tensor([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]])
FRONT = torch.tensor([[0, 3, 2], [0, 2, 1]])  # counter-clockwise on the screen


@pytest.mark.parametrize("size", [16, 61, 200])
def test_a_square_is_covered_without_a_gap(size: int) -> None:
    index, weights = rasterise(SQUARE, torch.zeros(4), FRONT, size)
    inside = ((pixel_centers(size, size)[0] - 0.5).abs() < 0.4 - 1e-4).all(-1)
    assert (index[inside] >= 0).all()
    outside = ((pixel_centers(size, size)[0] - 0.5).abs() > 0.4 + 1e-3).any(-1)
    assert (index[outside] < 0).all()
    assert torch.allclose(weights[index >= 0].sum(-1), torch.ones(1), atol=1e-4)


def test_weights_give_back_the_place() -> None:
    index, weights = rasterise(SQUARE, torch.zeros(4), FRONT, 40)
    found = barycentric(SQUARE, FRONT, index, weights)
    seen = index >= 0
    assert torch.allclose(found[seen], pixel_centers(40, 40)[0][seen], atol=1e-4)
    assert not found[~seen].any()


def test_the_nearer_triangle_is_seen_and_the_back_is_not() -> None:
    points, triangles = torch.cat([SQUARE, SQUARE]), torch.cat([FRONT, FRONT + 4])
    for nearer in (0, 1):
        depth = torch.tensor([1.0 - nearer] * 4 + [float(nearer)] * 4)
        index, _ = rasterise(points, depth, triangles, 32)
        assert ((index[index >= 0] >= 2) == bool(nearer)).all()
    assert (rasterise(SQUARE, torch.zeros(4), FRONT.flip(1), 32)[0] < 0).all()


def test_many_small_triangles_are_as_one_large() -> None:
    """Boxes of all sizes: a grid of triangles shows the same linear values as the square that it covers."""
    n = 40
    x = torch.linspace(0.1, 0.9, n)
    points = torch.stack(torch.meshgrid(x, x, indexing="xy"), -1).reshape(-1, 2)
    i = (torch.arange(n - 1)[:, None] * n + torch.arange(n - 1)).flatten()
    triangles = torch.cat([torch.stack([i, i + n, i + n + 1], 1), torch.stack([i, i + n + 1, i + 1], 1)])
    value = points @ torch.tensor([[2.0], [-1.0]])
    index, weights = rasterise(points, torch.zeros(n * n), triangles, 100)
    coarse, coarse_weights = rasterise(SQUARE, torch.zeros(4), FRONT, 100)
    both = (index >= 0) & (coarse >= 0)
    assert both.float().mean() > 0.6
    wanted = barycentric(SQUARE @ torch.tensor([[2.0], [-1.0]]), FRONT, coarse, coarse_weights)
    assert torch.allclose(barycentric(value, triangles, index, weights)[both], wanted[both], atol=1e-3)


def test_many_pixels_are_taken_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    points, depth, triangles = torch.rand(90, 2), torch.rand(90), torch.randint(0, 90, (200, 3))
    whole = rasterise(points, depth, triangles, 48)
    monkeypatch.setattr("flow_core.geometry.mesh._MOST", 500)
    for a, b in zip(whole, rasterise(points, depth, triangles, 48), strict=True):
        assert torch.equal(a, b)
    assert (whole[0] >= 0).any()


def test_nothing_in_sight() -> None:
    index, weights = rasterise(SQUARE + 3, torch.zeros(4), FRONT, 16)
    assert (index < 0).all()
    assert not weights.any()


def test_values_have_a_gradient() -> None:
    index, weights = rasterise(SQUARE, torch.zeros(4), FRONT, 16)
    values = torch.zeros(4, 1, requires_grad=True)
    barycentric(values, FRONT, index, weights).sum().backward()
    assert values.grad.sum().item() == pytest.approx((index >= 0).sum().item(), rel=1e-4)


def test_distance_to_a_polygon() -> None:
    points = torch.tensor([[0.5, 0.5], [0.5, 0.15], [0.0, 0.5], [1.0, 1.0]])
    wanted = torch.tensor([0.4, 0.05, -0.1, -((2 * 0.1**2) ** 0.5)])
    assert torch.allclose(polygon_distance(SQUARE, points), wanted, atol=1e-5)
    # An opening whose sides have crossed winds the other way and is no opening.
    assert (polygon_distance(SQUARE.flip(0), points) < 0).all()
