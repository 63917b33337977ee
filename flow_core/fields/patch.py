"""A small raster on a part of the crop frame: what is asked there, finely, and nowhere else."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ..geometry.sampling import interpolate


class Patch(NamedTuple):
    """Values on a box of crop points."""

    box: tuple[float, float, float, float]  # least x and y and largest x and y
    values: Tensor  # [1,C,h,w], 0 along its border

    def at(self, points: Tensor) -> Tensor:
        """``[C,N]`` at crop points ``[2,N]``; 0 outside."""
        x0, y0, x1, y1 = self.box
        low, size = points.new_tensor([[x0], [y0]]), points.new_tensor([[x1 - x0], [y1 - y0]])
        return interpolate(self.values, ((points - low) / size).T[None, None], "bilinear")[0, :, 0]


__all__ = ["Patch"]
