"""Where a lid closes over another, or teeth come to light, a pixel is part of both: its centre alone would make the border a staircase."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

ACROSS = 3  # points along each axis whose mean such a pixel is
TORN = 2.0  # pixels by which the offsets of neighbours differ where they belong to different layers; skin hardly moves like that


def torn(offset: Tensor) -> Tensor:
    """Pixels on either side of a border ``[h,w]``, of offsets ``[2,h,w]`` in pixels."""
    found = torch.zeros_like(offset[0], dtype=torch.bool)
    for axis in (0, 1):
        jumps = (offset.diff(dim=axis + 1).abs_() > TORN).any(0)
        found.narrow(axis, 0, jumps.shape[axis]).logical_or_(jumps)
        found.narrow(axis, 1, jumps.shape[axis]).logical_or_(jumps)
    return found


def blended(asked: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Colours ``[1,C,N]`` of pixels with their centres at ``x [N]`` and ``y [N]``: the mean of what is ``asked`` at points ``[M]`` all over each."""
    steps = [(i + 0.5) / ACROSS - 0.5 for i in range(ACROSS)]
    inside = x.new_tensor(list(itertools.product(steps, steps)))
    points = (torch.stack([x, y], -1) + inside[:, None]).flatten(0, 1)
    return asked(*points.unbind(-1)).unflatten(-1, (len(inside), len(x))).mean(-2)


__all__ = ["blended", "torn"]
