"""The exponential of a stationary velocity: the mathematics of fields that cannot fold, on plain tensors.

A point that flows along a smooth velocity ``v`` for one unit of time ends where no other point ends: the map ``exp(v)`` is a
diffeomorphism, its inverse is ``exp(-v)``, and ``exp(s v)`` is its strength ``s`` (Arsigny et al., A Log-Euclidean Framework
for Statistics on Diffeomorphisms, MICCAI 2006; Ashburner, A fast diffeomorphic image registration algorithm, 2007).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.grid import nodes
from ..geometry.sampling import between_nodes, interpolate
from .base import LEAST_FEATHER, taper

CELLS = 256  # a side at most, of the raster on which a velocity is integrated
_FINER = 4  # cells for each control point


def cells(size: tuple[int, int]) -> int:
    """Cells a side of the raster on which a velocity of ``size`` control points is integrated."""
    return min(CELLS, _FINER * max(size))


def tapered_velocity(velocity: Tensor, feather: float, count: int) -> Tensor:
    """A velocity ``[B,2,h,w]`` at control points on :func:`nodes` ``[B,2,count+1,count+1]``, exactly 0 along the border."""
    points = nodes(count, velocity.device)
    return interpolate(velocity, points) * taper(points, max(feather, LEAST_FEATHER))[:, None]


def exponential(velocity: Tensor) -> Tensor:
    """Displacement ``exp(v) - id`` by scaling and squaring (Arsigny et al., 2006, algorithm 2).

    ``v / 2^k`` moves no point by more than a quarter of a cell; a midpoint step takes the place of the first Euler
    step, and ``k`` compositions of the map with itself do the rest.

    Args:
        velocity: ``[B,2,n+1,n+1]`` on :func:`nodes`, 0 along the border.

    Returns:
        the same shape and raster, to be read with :func:`between_nodes`; differentiable.
    """
    cells = velocity.shape[-1] - 1
    longest = velocity.detach().abs().max().item() * cells * 4
    squarings = min(24, max(0, math.ceil(math.log2(longest)))) if longest > 0 else 0
    points = nodes(cells, velocity.device)
    small = velocity / 2**squarings
    moved = between_nodes(small, points + small.movedim(1, -1) / 2)
    for _ in range(squarings):
        moved = moved + between_nodes(moved, points + moved.movedim(1, -1))
    return moved


def least_determinant(moved: Tensor) -> Tensor:
    """Least Jacobian determinant ``[B]`` of ``id + moved``, ``moved [B,2,n+1,n+1]`` on :func:`nodes`.

    Exact: within a cell the determinant of a bilinear map is linear, so that its least value is at a corner.
    """
    cells = moved.shape[-1] - 1
    dx, dy = moved.diff(dim=3) * cells, moved.diff(dim=2) * cells
    least = []
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            a, b = dx[:, :, rows], dy[..., columns]
            least.append(((1 + a[:, 0]) * (1 + b[:, 1]) - a[:, 1] * b[:, 0]).amin((1, 2)))
    return torch.stack(least).amin(0)


def blur(values: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of a raster ``[B,C,h,w]``; ``sigma`` in pixels, border values repeat."""
    for axis, size in ((2, values.shape[2]), (3, values.shape[3])):
        reach = min(max(1, math.ceil(3 * sigma)), size - 1)
        x = torch.arange(-reach, reach + 1, device=values.device)
        kernel = torch.exp(-x.square() / (2 * max(sigma, 1e-6) ** 2))
        shape = (1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1)
        padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        kernel = (kernel / kernel.sum()).view(shape).expand(values.shape[1], -1, -1, -1)
        values = F.conv2d(F.pad(values, padding, mode="replicate"), kernel, groups=values.shape[1])
    return values
