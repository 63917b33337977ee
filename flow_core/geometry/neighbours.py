"""Pixels and those around them: the largest and the mean of squares, and what continues them."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from .sampling import enlarged

_WHOLE, _PART = (
    96,
    32,
)  # pixels a side of planes that are blurred as quickly at once, and that are else blurred together


def largest(values: Tensor, count: int) -> Tensor:
    """The largest of ``count`` (odd) values around each along both axes; windows of twice the length are made of two."""
    values = F.pad(values, [count // 2] * 4, mode="replicate")
    for axis in (2, 3):
        length = 1
        while length < count:
            more = min(length, count - length)
            kept = values.shape[axis] - more
            values = torch.maximum(values.narrow(axis, 0, kept), values.narrow(axis, more, kept))
            length += more
    return values


def closing(values: Tensor, count: int) -> Tensor:
    """Values in which nothing narrower than ``count`` (odd) is darker than what is around it (dilation, then erosion)."""
    return -largest(-largest(values, count), count)


def blurred(planes: Tensor, radius: int, times: int = 2, every: int = 1) -> Tensor:
    """``[B,C,S,S]``, ``times`` the mean of a square of ``2 radius + 1`` pixels a side, of what of it lies in the picture; and of that the means of
    squares of ``every`` pixels a side, ``[B,C,n,n]``."""
    # products of matrices: pooling takes longer the wider it is
    bands = [(first, last, part.to(planes)) for first, last, part in _bands(planes.shape[-1], radius, times, every)]
    planes = torch.cat([part @ planes[..., first:last, :] for first, last, part in bands], -2)
    return torch.cat([planes[..., first:last] @ part.T for first, last, part in bands], -1)


@functools.lru_cache(maxsize=64)
def _bands(size: int, radius: int, times: int, every: int) -> list[tuple[int, int, Tensor]]:
    """The matrix that blurs a row, in parts of a few of its rows, each with the first and last column in which it is not 0: most of a large one is."""
    with torch.inference_mode(False):
        at = torch.arange(size)
        band = ((at - at[:, None]).abs() <= radius).float()
        band = torch.linalg.matrix_power(band / band.sum(1, keepdim=True), times)
        band = torch.stack([rows.mean(0) for rows in band.split(every)])
        if size <= _WHOLE:
            return [(0, size, band)]
        parts = []
        for rows in band.split(max(1, _PART // every)):
            there = rows.any(0).nonzero()[:, 0].tolist()
            parts.append((there[0], there[-1] + 1, rows[:, there[0] : there[-1] + 1].contiguous()))
        return parts


def of_three(values: Tensor) -> Tensor:
    """Means over squares of three pixels, of what of them lies in the raster: ``avg_pool2d``, several times as quickly."""
    parts = values.new_full((values.shape[-1],), 3.0)
    parts[0] = parts[-1] = 2.0
    for axis in (2, 3):
        first, last = slice(None, -1), slice(1, None)
        total = values.clone()
        for to, of in ((last, first), (first, last)):
            here, there = ((slice(None),) * axis + (part,) for part in (to, of))
            total[here] += values[there]
        values = total
    return values.div_(parts[:, None] * parts)


def filled(values: Tensor, known: Tensor) -> Tensor:
    """Values continued where they are not known (0..1), from a pyramid of means (push and pull)."""
    levels = [torch.cat([values * known, known], 1)]
    while levels[-1].shape[-1] > 4:
        levels.append(F.avg_pool2d(levels[-1], 2))
    *levels, last = ((level[:, :-1], level[:, -1:]) for level in levels)
    out = last[0] / last[1].clamp(min=1e-6)
    for v, k in reversed(levels):
        out = v + (1 - k) * enlarged(out, v.shape[2:])
    return out
