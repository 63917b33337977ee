"""Where a lid closes over another, or teeth come to light, a pixel is part of both: its centre alone would make the border a staircase."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TypeAlias

import torch
from torch import Tensor

Box: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 of pixels."""

ACROSS = 3  # points along each axis whose mean such a pixel is
TORN = 2.0  # pixels by which the offsets of neighbours differ where they belong to different layers; skin hardly moves like that


def shared(offset: Tensor, at: Box, boxes: Iterable[Box]) -> tuple[Tensor, Tensor]:
    """Rows ``[N]`` and columns ``[N]``, in a box of pixels, of those that two layers share.

    Args:
        offset: ``[2,h,w]`` in pixels, of the box ``at``.
        at: where it lies in the picture.
        boxes: where layers meet in the picture.
    """
    found = torch.zeros_like(offset[0], dtype=torch.bool)
    for x0, y0, x1, y1 in boxes:
        rows, columns = slice(max(y0 - at[1], 0), max(y1 - at[1], 0)), slice(max(x0 - at[0], 0), max(x1 - at[0], 0))
        if found[rows, columns].numel():
            found[rows, columns] |= _torn(offset[:, rows, columns])
    return found.nonzero(as_tuple=True)


def _torn(offset: Tensor) -> Tensor:
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


__all__ = ["blended", "shared"]
