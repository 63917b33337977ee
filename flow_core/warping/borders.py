"""Antialiasing where two layers of an edit meet, such as lid and eye, or lip and teeth: such pixels are sampled at several points."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TypeAlias

import torch
from torch import Tensor

Box: TypeAlias = tuple[int, int, int, int]
"""Pixels x0, y0, x1, y1."""

ACROSS = 3  # sample points along each axis of such a pixel
TORN = (
    2.0  # pixels; neighbours whose offsets differ by more belong to different layers, since skin hardly moves like that
)


def shared(offset: Tensor, at: Box, boxes: Iterable[Box]) -> tuple[Tensor, Tensor]:
    """Find the pixels that two layers share.

    Args:
        offset: ``[2,h,w]`` offsets in pixels, over the box ``at`` of the picture.
        at: that box.
        boxes: boxes of the picture in which layers meet.

    Returns:
        rows ``[N]`` and columns ``[N]`` in ``offset``.
    """
    found = torch.zeros_like(offset[0], dtype=torch.bool)
    for x0, y0, x1, y1 in boxes:
        rows, columns = slice(max(y0 - at[1], 0), max(y1 - at[1], 0)), slice(max(x0 - at[0], 0), max(x1 - at[0], 0))
        if found[rows, columns].numel():
            found[rows, columns] |= _torn(offset[:, rows, columns])
    return found.nonzero(as_tuple=True)


def _torn(offset: Tensor) -> Tensor:
    """``[h,w]`` True on both sides of a jump of the offsets ``[2,h,w]``."""
    found = torch.zeros_like(offset[0], dtype=torch.bool)
    for axis in (0, 1):
        jumps = (offset.diff(dim=axis + 1).abs_() > TORN).any(0)
        found.narrow(axis, 0, jumps.shape[axis]).logical_or_(jumps)
        found.narrow(axis, 1, jumps.shape[axis]).logical_or_(jumps)
    return found


def blended(asked: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Colours ``[1,C,N]`` of pixels with centres ``x [N]`` and ``y [N]``: the mean of :data:`ACROSS` squared points in each.

    Args:
        asked: colours ``[1,C,M]`` at points ``x [M]`` and ``y [M]``.
    """
    steps = [(i + 0.5) / ACROSS - 0.5 for i in range(ACROSS)]
    inside = x.new_tensor(list(itertools.product(steps, steps)))
    points = (torch.stack([x, y], -1) + inside[:, None]).flatten(0, 1)
    return asked(*points.unbind(-1)).unflatten(-1, (len(inside), len(x))).mean(-2)


__all__ = ["blended", "shared"]
