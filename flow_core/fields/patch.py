"""A small raster on a part of the crop frame: what is asked there, finely, and nowhere else."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..geometry.sampling import enlarged, interpolate
from .layers import Box


class Patch(NamedTuple):
    """Values on a box of crop points."""

    box: Box  # least x and y and largest x and y
    values: Tensor  # [1,C,h,w], 0 along its border

    def at(self, points: Tensor) -> Tensor:
        """``[C,N]`` at crop points ``[2,N]``; 0 outside."""
        x0, y0, x1, y1 = self.box
        low, size = points.new_tensor([[x0], [y0]]), points.new_tensor([[x1 - x0], [y1 - y0]])
        return interpolate(self.values, ((points - low) / size).T[None, None], "bilinear")[0, :, 0]


def finely(values: Tensor, near: Tensor, finer: int) -> tuple[Box, Tensor, Tensor] | None:
    """The part of a raster that a patch is to cover, so many times as fine; None where it has no area.

    Args:
        values: ``[n,n,C]`` on a square raster of the crop frame, and
        near: ``[n,n]`` which of its places are to be covered.
        finer: by how many times.

    Returns:
        Its box, its values ``[C,h,w]``, and which of its places it covers ``[h,w]``.
    """
    rows, columns = near.any(1).nonzero()[:, 0], near.any(0).nonzero()[:, 0]
    if len(rows) < 2 or len(columns) < 2:
        return None
    (y0, y1), (x0, x1) = ((at[0].item(), at[-1].item() + 1) for at in (rows, columns))
    planes = torch.cat([values.movedim(-1, 0), near[None]])[None, :, y0:y1, x0:x1]
    *found, near = enlarged(planes, (finer * (y1 - y0), finer * (x1 - x0)))[0]
    return tuple(v / len(values) for v in (x0, y0, x1, y1)), torch.stack(found), near > 0.99


__all__ = ["Patch", "finely"]
