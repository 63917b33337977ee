"""Layers of a moved face: the boxes in which there is something of one, and how soft the border between two of them is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from .curves import Frame

EDGE = 0.0026  # half width of the border between two layers
Box: TypeAlias = tuple[float, float, float, float]


def around(*boxes: Box) -> Box:
    """The least box around some."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def box_of(frame: Frame, top: float, bottom: float, beside: float = 0.0) -> Box:
    """The box of what lies between two heights of a frame, from one of its ends to the other and so far beside them, crop points."""
    corners = [frame.back(a, b) for a in (-beside, frame.length + beside) for b in (top, bottom)]
    x, y = zip(*corners, strict=True)
    return min(x), min(y), max(x), max(y)


def within(points: Tensor, boxes: Sequence[Box]) -> list[Tensor]:
    """Which points ``[2,H,W]``, row by row, lie in each box."""
    flat, (height, width) = points.flatten(1), points.shape[1:]
    if height == 1:  # a list
        return [inside(flat, box) for box in boxes]
    (x, y), found = points, []
    ranges = torch.cat([x.amin(0), x.amax(0), y.amin(1), y.amax(1)]).cpu().numpy()
    left, right, top, bottom = np.split(ranges, [width, 2 * width, 2 * width + height])
    for x0, y0, x1, y1 in boxes:
        # Few rows and columns reach into a box, and none in most of a large picture. Of pixels of an upright face all of these do.
        columns, rows = ((right >= x0) & (left <= x1)).nonzero()[0], ((bottom >= y0) & (top <= y1)).nonzero()[0]
        at = torch.from_numpy((rows[:, None] * width + columns).ravel()).to(points.device)
        whole = (left[columns] >= x0) & (right[columns] <= x1), (top[rows] >= y0) & (bottom[rows] <= y1)
        all_of_it = all(map(np.all, whole))
        found.append(at if all_of_it else at[inside(flat.index_select(1, at), (x0, y0, x1, y1))])
    return found


def inside(points: Tensor, box: Box) -> Tensor:
    """Which points ``[2,N]`` lie in a box."""
    # Looking for the few that do takes NumPy a fifth of the time.
    (x0, y0, x1, y1), (x, y) = box, points.cpu().numpy()
    return torch.from_numpy(np.flatnonzero((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))).to(points.device)
