"""From offsets to the velocity whose exponential they are, and back (:mod:`flow_core.fields.exponential`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..geometry.grid import nodes, pixel_centers
from ..geometry.sampling import between_nodes
from .base import FEATHER, LEAST_FEATHER, FlowField, taper
from .exponential import blur, cells, exponential, least_determinant, tapered_velocity
from .raster import Field

if TYPE_CHECKING:
    from ..geometry.crop import Crop

_DRAFT = 128  # cells a side of the raster on which a logarithm is sought
_ROUNDS = 4  # of its fixed point
_STRENGTHS = (-1.0, 1.5)  # the range for which a projection is checked; weaker ones fold less, stronger ones may fold
_LEAST = 0.02  # determinant there


@torch.no_grad()
def to_velocity(field: FlowField, feather: float = FEATHER, crop: Crop | None = None) -> Field:
    """The velocity field whose exponential comes as near to an offset field as possible.

    Its logarithm is sought by a fixed point: what is missing before and after the flow, averaged, is added to the velocity,
    ``v <- v + (exp(-v) o m - id + m o exp(-v) - id) / 2``, right to the second order of the Baker-Campbell-Hausdorff
    series (Bossa, Hernandez and Olmos, Contributions to 3D diffeomorphic atlas estimation, MICCAI 2007, section 2). What
    then leaves the determinant below 0.02 at a strength of -1 or 1.5 is smoothed until it does not.

    Args:
        field: offsets; of a velocity field itself is returned.
        feather: with which both shall agree.
        crop: the face, for fields that need it.

    Returns:
        A velocity field of up to twice as many control points a side, but no more than 64 for that reason; between few
        control points, the same interpolation of offsets and of a velocity would differ.
    """
    field = field.raster(crop=crop)
    if field.kind == "velocity":
        return field
    if not field.offset.any():
        return replace(field, kind="velocity")
    points = nodes(_DRAFT, field.device)
    goal = field.flow(max(feather, LEAST_FEATHER))(points).offset
    trial = best = replace(field.resample(tuple(max(n, min(2 * n, 64)) for n in field.size)), kind="velocity")
    centers = pixel_centers(*best.size, field.device)
    nearest = torch.full((field.batch,), torch.inf, device=field.device)
    for _ in range(_ROUNDS):
        velocity = tapered_velocity(trial.offset, feather, _DRAFT)
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
        v = tapered_velocity(field.offset, feather, cells(field.size))
        least = torch.stack([least_determinant(exponential(s * v)) for s in _STRENGTHS]).amin(0)
        if (least > _LEAST).all():
            return field
        calm = blur(field.offset, sigma) * (0.98 if sigma < 2 else 0.8)
        field = replace(field, offset=torch.where((least > _LEAST)[:, None, None, None], field.offset, calm))
        sigma = min(2 * sigma, 4.0)
    return field.scale(0.0)


@torch.no_grad()
def to_offset(
    field: FlowField,
    size: int | tuple[int, int] | None = None,
    feather: float = FEATHER,
    crop: Crop | None = None,
) -> Field:
    """The offset field that moves pixels like a velocity field does at strength 1.

    Args:
        field: a velocity; an offset field is resampled only.
        size: of the raster; None = that of the field.
        feather: with which both agree.
        crop: the face, for fields that need it.
    """
    height, width = field.size if size is None else (size, size) if isinstance(size, int) else size
    field = field.raster(crop=crop)
    if field.kind == "velocity":
        points = pixel_centers(height, width, field.device)
        small = field.resample((height, width)) if (height, width) != field.size else field
        return replace(
            small,
            offset=without_taper(field.flow(feather)(points).offset, points, small.offset, feather),
            kind="raster",
        )
    return field if size is None else field.resample(size)


def without_taper(moved: Tensor, points: Tensor, border: Tensor, feather: float = FEATHER) -> Tensor:
    """Offsets ``[B,2,h,w]`` that become ``moved`` when they are tapered; ``border`` where the taper leaves nothing."""
    weight = taper(points, max(feather, LEAST_FEATHER))[:, None]
    return torch.where(weight > 1e-3, moved / weight.clamp(min=1e-3), border)
