"""Filters over neighbouring pixels: maxima and means over squares, and filling in unknown pixels."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from .sampling import enlarged

_WHOLE = 96  # pixels a side; smaller planes are blurred by one product of matrices
_PART = 32  # pixels: rows of larger planes that are blurred by one product


def largest(values: Tensor, count: int) -> Tensor:
    """Maximum of a square of ``count`` (odd) pixels a side around each pixel (grey dilation), by doubling the window."""
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
    """Grey closing (dilation, then erosion): dark details narrower than ``count`` (odd) pixels disappear."""
    return -largest(-largest(values, count), count)


def blurred(planes: Tensor, radius: int, times: int = 2, every: int = 1) -> Tensor:
    """Box blur of planes ``[B,C,S,S]``, applied ``times`` times, then averaged over squares of ``every`` pixels: ``[B,C,S/every,S/every]``.

    Args:
        radius: the box has ``2 radius + 1`` pixels a side; at the border only those inside the picture count.
    """
    # as products of matrices, since pooling takes longer the wider it is
    bands = [(first, last, part.to(planes)) for first, last, part in _bands(planes.shape[-1], radius, times, every)]
    planes = torch.cat([part @ planes[..., first:last, :] for first, last, part in bands], -2)
    return torch.cat([planes[..., first:last] @ part.T for first, last, part in bands], -1)


@functools.lru_cache(maxsize=64)
def _bands(size: int, radius: int, times: int, every: int) -> list[tuple[int, int, Tensor]]:
    """The matrix that blurs a row, in blocks of rows, each with the range of columns in which it is not 0: a large one is mostly 0."""
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
    """Mean of a square of three pixels a side, at the border only of those inside: as ``avg_pool2d``, several times as quick."""
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
    """Fill in values where ``known`` (0..1) is low, from a pyramid of means (push-pull interpolation; Gortler et al., The Lumigraph, 1996).

    Args:
        values: ``[B,C,S,S]``.
        known: ``[B,1,S,S]``.
    """
    levels = [torch.cat([values * known, known], 1)]
    while levels[-1].shape[-1] > 4:
        levels.append(F.avg_pool2d(levels[-1], 2))
    *levels, last = ((level[:, :-1], level[:, -1:]) for level in levels)
    out = last[0] / last[1].clamp(min=1e-6)
    for v, k in reversed(levels):
        out = v + (1 - k) * enlarged(out, v.shape[2:])
    return out
