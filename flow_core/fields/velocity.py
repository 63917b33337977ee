"""Fields that cannot fold: the exponential of a stationary velocity, and the way there and back.

A point that flows along a smooth velocity ``v`` for one unit of time ends where no other point ends: the map ``exp(v)`` is a
diffeomorphism, its inverse is ``exp(-v)``, and ``exp(s v)`` is its strength ``s`` (Arsigny et al., A Log-Euclidean Framework
for Statistics on Diffeomorphisms, MICCAI 2006; Ashburner, A fast diffeomorphic image registration algorithm, 2007).
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.grid import nodes, pixel_centers
from ..geometry.sampling import between_nodes, interpolate
from .raster import Field

if TYPE_CHECKING:
    from .neural import Implicit

FEATHER = 0.12  # share of the crop side over which an edit fades out towards the crop's border
LEAST_FEATHER = 0.02  # a velocity that stopped more suddenly would crush the picture at the border
CELLS = 256  # a side at most, of the raster on which a velocity is integrated
_FINER = 4  # cells for each control point
_DRAFT = 128  # the same while a logarithm is sought
_ROUNDS = 4
_STRENGTHS = (-1.0, 1.5)  # the range for which a projection is checked; weaker ones fold less
_LEAST = 0.02  # determinant there


def taper(points: Tensor, feather: float = FEATHER) -> Tensor:
    """Weight ``[B,H,W]`` of an edit at crop points ``[B,H,W,2]``: 1 inside, smoothly to exactly 0 at the border
    of the crop and beyond, over ``feather`` of its side."""
    edge = torch.minimum(*torch.minimum(points, 1 - points).unbind(-1))  # amin over two values would be slow
    t = (edge / max(feather, 1e-6)).clamp(0, 1)
    return t * t * (3 - 2 * t)


class Flow:
    """A field made ready to be asked at any number of points: what has to be done once is done here.

    Args:
        field: a raster, velocity or neural field.
        feather: see :func:`taper`. An offset is tapered; a velocity is tapered before it is integrated, and over at
            least 0.02, so that the map stays a diffeomorphism and is the identity at the crop's border and beyond.

    Attributes:
        colored: whether there is any colour.
    """

    def __init__(self, field: Field | Implicit, feather: float = FEATHER) -> None:
        self.field, self.feather = field.raster(), feather
        self.offset = None
        color = self.field.color
        self.colored = color.requires_grad or bool(color.any())
        if self.field.kind == "velocity" and not (self.field.offset.any() or self.field.offset.requires_grad):
            self.offset = self.field.offset.new_zeros(self.field.batch, 2, 2, 2)
        elif self.field.kind == "velocity":
            self.offset = exponential(tapered_velocity(self.field, feather, cells(self.field)))

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Offset ``[B,2,H,W]`` and colour ``[B,3,H,W]`` at crop points ``[B or 1,H,W,2]``."""
        weight = taper(points, self.feather)[:, None] if self.offset is None or self.colored else None
        if self.offset is None:
            offset = interpolate(self.field.offset, points) * weight
        else:
            offset = between_nodes(self.offset, points)
        if not self.colored:
            return offset, offset.new_zeros(()).expand(len(offset), 3, *offset.shape[2:])
        return offset, interpolate(self.field.color, points) * weight

    def times(self, matrix: Tensor) -> Flow:
        """The same with all offsets multiplied by a matrix ``[2,2]``, as from the crop's frame into that of the photo."""
        made = copy(self)
        if self.offset is None:
            made.field = replace(self.field, offset=torch.einsum("ij,bjhw->bihw", matrix, self.field.offset))
        else:
            made.offset = torch.einsum("ij,bjhw->bihw", matrix, self.offset)
        return made

    def reach(self) -> tuple[float, float]:
        """No offset of the first field is longer along x, along y. The weights of bicubic interpolation, without their signs,
        add up to at most 1.375 along each axis."""
        values = 1.375**2 * self.field.offset if self.offset is None else self.offset
        return tuple(values[0].abs().amax((1, 2)).tolist())


def displacement(field: Field | Implicit, points: Tensor, feather: float = FEATHER) -> tuple[Tensor, Tensor]:
    """What the field does at crop points ``[B or 1,H,W,2]``: tapered offset ``[B,2,H,W]``, colour ``[B,3,H,W]``."""
    return Flow(field, feather)(points)


def cells(field: Field) -> int:
    """Cells a side of the raster on which a velocity is integrated: a few for each control point."""
    return min(CELLS, _FINER * max(field.size))


def tapered_velocity(field: Field, feather: float, count: int) -> Tensor:
    """The velocity on :func:`nodes` ``[B,2,count+1,count+1]``, exactly 0 along the border."""
    points = nodes(count, field.device)
    return interpolate(field.offset, points) * taper(points, max(feather, LEAST_FEATHER))[:, None]


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


@torch.no_grad()
def to_velocity(field: Field | Implicit, feather: float = FEATHER) -> Field:
    """The velocity field whose exponential comes as near to an offset field as possible.

    Its logarithm is sought by a fixed point: what is missing before and after the flow, averaged, is added to the velocity,
    ``v <- v + (exp(-v) o m - id + m o exp(-v) - id) / 2``, right to the second order of the Baker-Campbell-Hausdorff
    series (Bossa, Hernandez and Olmos, Contributions to 3D diffeomorphic atlas estimation, MICCAI 2007, section 2). What
    then leaves the determinant below 0.02 at a strength of -1 or 1.5 is smoothed until it does not.

    Args:
        field: offsets; of a velocity field itself is returned.
        feather: with which both shall agree.

    Returns:
        A velocity field of up to twice as many control points a side, but no more than 64 for that reason; between few
        control points, the same interpolation of offsets and of a velocity would differ.
    """
    field = field.raster()
    if field.kind == "velocity":
        return field
    if not field.offset.any():
        return replace(field, kind="velocity")
    points = nodes(_DRAFT, field.device)
    goal = Flow(field, max(feather, LEAST_FEATHER))(points)[0]
    trial = best = replace(field.resample(tuple(max(n, min(2 * n, 64)) for n in field.size)), kind="velocity")
    centers = pixel_centers(*best.size, field.device)
    nearest = torch.full((field.batch,), torch.inf, device=field.device)
    for _ in range(_ROUNDS):
        velocity = tapered_velocity(trial, feather, _DRAFT)
        error = (goal - exponential(velocity)).square().sum(1).mean((1, 2))
        better = error < nearest
        if not better.any():
            break
        nearest = torch.minimum(error, nearest)
        best = replace(best, offset=torch.where(better[:, None, None, None], trial.offset, best.offset))
        back = exponential(-velocity)
        after = goal + between_nodes(back, points + goal.movedim(1, -1))
        before = back + between_nodes(goal, points + back.movedim(1, -1))
        trial = replace(best, offset=best.offset + between_nodes((after + before) / 2, centers))
    return unfolded(best, feather)


def unfolded(field: Field, feather: float = FEATHER) -> Field:
    """A velocity field, smoothed, and in the end weakened, where it would come too near to a fold for the raster on
    which it is integrated."""
    sigma = 0.5
    for _ in range(24):
        v = tapered_velocity(field, feather, cells(field))
        least = torch.stack([least_determinant(exponential(s * v)) for s in _STRENGTHS]).amin(0)
        if (least > _LEAST).all():
            return field
        calm = blur(field.offset, sigma) * (0.98 if sigma < 2 else 0.8)
        field = replace(field, offset=torch.where((least > _LEAST)[:, None, None, None], field.offset, calm))
        sigma = min(2 * sigma, 4.0)
    return field.scale(0.0)


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


@torch.no_grad()
def to_offset(field: Field | Implicit, size: int | tuple[int, int] | None = None, feather: float = FEATHER) -> Field:
    """The offset field that moves pixels like a velocity field does at strength 1.

    Args:
        field: a velocity; an offset field is resampled only.
        size: of the raster; None = that of the field.
        feather: with which both agree.
    """
    height, width = field.size if size is None else (size, size) if isinstance(size, int) else size
    field = field.raster()
    if field.kind == "velocity":
        points = pixel_centers(height, width, field.device)
        small = field.resample((height, width)) if (height, width) != field.size else field
        return replace(
            small, offset=without_taper(Flow(field, feather)(points)[0], points, small.offset, feather), kind="raster"
        )
    return field if size is None else field.resample(size)


def without_taper(moved: Tensor, points: Tensor, border: Tensor, feather: float = FEATHER) -> Tensor:
    """Offsets ``[B,2,h,w]`` that become ``moved`` when they are tapered; ``border`` where the taper leaves nothing."""
    weight = taper(points, max(feather, LEAST_FEATHER))[:, None]
    return torch.where(weight > 1e-3, moved / weight.clamp(min=1e-3), border)
