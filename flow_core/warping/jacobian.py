"""The Jacobian determinant of a warp: how it changes areas, and where it folds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..fields.base import FEATHER, FlowField
from ..geometry.grid import pixel_centers

if TYPE_CHECKING:
    from ..geometry.crop import Crop


def jacobian_determinant(
    field: FlowField,
    size: int = 128,
    strength: float = 1.0,
    feather: float = FEATHER,
    crop: Crop | None = None,
) -> Tensor:
    """Determinant of the Jacobian of the warp ``p -> p + offset(p)`` of ``field.scale(strength)`` on a ``size x size`` grid of the crop.

    1 keeps areas, above 1 the picture shrinks there, at 0 and below the warp folds (Modersitzki, Numerical Methods for
    Image Registration, 2004). Central differences over one grid step, differentiable in the field. Fields that need a face
    take it from ``crop``.

    Returns:
        ``[B,size,size]``.
    """
    step = 0.5 / size
    centers = pixel_centers(size, size, field.device)
    # four half-step neighbours in one call: x-, x+, y-, y+
    shifts = centers.new_tensor([[-step, 0], [step, 0], [0, -step], [0, step]])
    points = torch.cat([centers + s for s in shifts], 1)
    offset = field.scale(strength).flow(feather, crop)(points).offset
    left, right, up, down = (points.permute(0, 3, 1, 2) + offset).chunk(4, 2)
    dx, dy = (right - left) * size, (down - up) * size
    return dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0]


SAFE = -1.0, 1.5  # range of strengths in which velocity fields do not fold (flow_core.fields.velocity)


def fold_note(field: FlowField, strength: float, crop: Crop | None = None) -> str:
    """A sentence for people if a strength beyond :data:`SAFE` makes an edit fold much more than strength 1 (or -1) does; else empty.

    Of a batch the worst field counts.
    """
    if SAFE[0] <= strength <= SAFE[1]:
        return ""
    folds = before = 0.0
    with torch.no_grad():
        for i in range(max(field.batch, crop.batch) if field.needs_face and crop is not None else field.batch):
            one = field.select(i % field.batch).to("cpu")
            face = None if crop is None else crop.select(i % crop.batch).to("cpu")
            shares = (fold_share(one, strength=s, crop=face) for s in (strength, math.copysign(1.0, strength)))
            folds, before = max((folds, before), tuple(shares))
    if folds <= 2 * before + 1e-5:
        return ""
    return (
        f"At strength {strength:g} the edit folds {folds:.2%} of the face square, which tears or smears the picture there; "
        f"{SAFE[0]:g} to {SAFE[1]:g} is the range without folds."
    )


def fold_share(field: FlowField, size: int = 256, strength: float = 1.0, crop: Crop | None = None) -> float:
    """Share 0..1 of the crop where the warp folds (determinant <= 0)."""
    return (jacobian_determinant(field, size, strength, crop=crop) <= 0).float().mean().item()
