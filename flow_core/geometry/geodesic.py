"""How far places of a raster are from others along the cheapest way."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def geodesic(begin: Tensor, across: Tensor, down: Tensor, rounds: int = 4) -> Tensor:
    """What the cheapest way from any place to each one costs, along rows and columns (Dijkstra, 1959).

    A sweep along a row at once is a running minimum: the way from i to j costs the sum of the steps to j less that to i. Few rounds of sweeps in
    all four directions do for ways with few turns; others are found dearer than they are.

    Args:
        begin: what it costs to begin at each place, ``[B,1,h,w]``.
        across: what steps between neighbours of a row cost, ``[B,1,h,w-1]``, 0 or more.
        down: the same for columns, ``[B,1,h-1,w]``.
        rounds: of sweeps.

    Returns:
        ``[B,1,h,w]``.
    """
    found, across, down = begin.cpu(), across.cpu(), down.cpu()  # not every device has running minima
    sums = (-1, F.pad(across.cumsum(-1), (1, 0))), (-2, F.pad(down.cumsum(-2), (0, 0, 1, 0)))
    for _ in range(rounds):
        for axis, total in sums:
            forward = total + (found - total).cummin(axis).values
            backward = (found + total).flip(axis).cummin(axis).values.flip(axis) - total
            found = forward.minimum(backward)
    return found.to(begin)


__all__ = ["geodesic"]
