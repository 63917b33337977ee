"""Geodesic distance: the cost of the cheapest path between pixels of a raster."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def geodesic(begin: Tensor, across: Tensor, down: Tensor, rounds: int = 4) -> Tensor:
    """Cost of the cheapest path that ends at each pixel, by steps along rows and columns (Dijkstra, 1959), approximated by sweeps.

    One sweep finds the best straight path along all rows or columns at once: a path from i to j costs the sum of the steps
    up to j less the sum up to i, so a running minimum does. A few rounds of sweeps in all four directions are exact for paths
    with few turns, and too dear for others.

    Args:
        begin: ``[B,1,h,w]`` cost of starting at each pixel.
        across: ``[B,1,h,w-1]`` cost of a step between neighbours of a row, 0 or more.
        down: ``[B,1,h-1,w]`` the same for columns.
        rounds: number of rounds of sweeps.

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
