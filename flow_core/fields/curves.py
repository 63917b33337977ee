"""Curves across an eye or a mouth, from corner to corner: tables of heights in a frame of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

TABLE = 256  # samples of a curve
SAMPLES = np.arange(TABLE) / (TABLE - 1)
UPPER_SHUTS = 0.82  # the upper lid's share of the way on which lids meet
DEEPEST = 1.3  # power of shares of the way outwards that makes the line deepest beyond the middle
# Least and most depth of the line where they do, in widths of the eye: 0.085 in the mean of 75 photographs
SAG = 0.03, 0.13
# Height of eyes that are opened as wide as may be, in their widths; and the share of their own height by which larger ones open at most
WIDEST, OPENS = 0.50, 0.12


class Frame(NamedTuple):
    """Axes of an eye or a mouth: ``a`` runs from its left corner (0) to its right one (``length``), ``b`` downwards."""

    origin: tuple[float, float]
    axis: tuple[float, float]  # unit
    length: float

    @classmethod
    def between(cls, left: np.ndarray, right: np.ndarray) -> Frame:
        across = (right - left).tolist()
        length = max(math.hypot(*across), 1e-4)
        return cls(tuple(left.tolist()), (across[0] / length, across[1] / length), length)

    def to(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Crop coordinates (tensors, arrays or numbers) in the axes of the frame."""
        (c, s), dx, dy = self.axis, x - self.origin[0], y - self.origin[1]
        return c * dx + s * dy, c * dy - s * dx

    def back(self, a: Any, b: Any) -> tuple[Any, Any]:
        """The inverse of :meth:`to`."""
        c, s = self.axis
        return c * a - s * b + self.origin[0], s * a + c * b + self.origin[1]


def curves_of(edges: Sequence[tuple[Frame, np.ndarray]]) -> np.ndarray:
    """Heights ``b`` of arcs ``[N,2]`` (N may differ) from corner to corner in their frames, as tables over ``a`` in 0..length: ``[K,TABLE]``.

    Cubic Hermite interpolation with slopes of finite differences, limited so that it hardly overshoots (Fritsch and
    Carlson, Monotone piecewise cubic interpolation, 1980). A few hundred numbers: NumPy takes them several times as quickly.
    """
    frames, arcs = zip(*edges, strict=True)
    origins, axes, lengths = (np.array(v, np.float64) for v in zip(*frames, strict=True))
    most = max(map(len, arcs))
    on = np.arange(1, most)[:, None]
    # the shorter ones go straight on
    arcs = [p if len(p) == most else np.concatenate([p, p[-1] + (p[-1] - p[-2]) * on[: most - len(p)]]) for p in arcs]
    (dx, dy), (c, s) = (np.stack(arcs) - origins[:, None]).transpose(2, 0, 1), axes.T[..., None]
    a, b = (c * dx + s * dy) / lengths[:, None], c * dy - s * dx
    a = np.maximum.accumulate(a, 1) + np.arange(a.shape[1]) * 1e-5
    step, rise = np.diff(a), np.diff(b)
    # Where an arc turns back, as the far end of a turned mouth does, points share a place: no slope can be told there.
    slope = rise / step.clip(1 / TABLE)
    inner = (slope[:, 1:] * step[:, :-1] + slope[:, :-1] * step[:, 1:]) / (step[:, 1:] + step[:, :-1])
    least = 3 * np.minimum(np.abs(slope[:, 1:]), np.abs(slope[:, :-1]))
    inner = np.where(slope[:, 1:] * slope[:, :-1] > 0, inner.clip(-least, least), 0.5 * inner)
    m = np.concatenate([slope[:, :1], inner, slope[:, -1:]], 1)
    # the number of the last point that is not beyond each sample
    begins = np.ceil(a * (TABLE - 1)).clip(0, TABLE).astype(np.int64) + np.arange(len(a))[:, None] * (TABLE + 1)
    count = np.bincount(begins.ravel(), minlength=len(a) * (TABLE + 1)).reshape(len(a), -1)[:, :TABLE]
    i = (count.cumsum(1) - 1).clip(0, step.shape[1] - 1) + np.arange(len(a))[:, None] * step.shape[1]
    # of each piece the cubic polynomial of the share of the way along it
    out, into = m[:, :-1] * step, m[:, 1:] * step
    pieces = a[:, :-1], step, b[:, :-1], out, 3 * rise - 2 * out - into, out + into - 2 * rise
    begin, length, c0, c1, c2, c3 = np.stack(pieces).reshape(len(pieces), -1).take(i, 1)
    t = ((SAMPLES - begin) / length).clip(0, 1)
    return ((c3 * t + c2) * t + c1) * t + c0


def read(tables: Tensor, share: Tensor) -> Tensor:
    """Tables ``[K,R,TABLE]`` at ``share [R or K,N]`` of the way across, linear between samples, each row in its own: ``[K,R,N]``."""
    rows = tables.shape[1]
    x = share.clamp(0, 1).mul_(TABLE - 1)
    i = x.long().clamp_(max=TABLE - 2)
    t = x.sub_(i)
    if rows > 1:
        i += torch.arange(0, rows * TABLE, TABLE, device=i.device)[:, None]
    flat, at = tables.flatten(1), i.flatten()
    low, high = flat.index_select(1, at), flat.index_select(1, at.add_(1))
    return torch.lerp(low, high, t.flatten()).view(len(flat), rows, -1)


def looked_up(tables: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Tables ``[K,TABLE]`` at shares ``[...]`` of the way across, linear between samples: ``[K,...]``."""
    x = share.clip(0, 1) * (TABLE - 1)
    i = x.astype(np.int64).clip(max=TABLE - 2)
    low = tables.take(i, 1)
    return low + (tables.take(i + 1, 1) - low) * (x - i)


def opens(share: Any, height: Any) -> Any:
    """By which share of its ``height``, in its widths, an eye opens that is asked to open by ``share``, numbers or tensors: as asked at first, and
    hardly beyond :data:`WIDEST`.

    Of 211 photographs of surprise 99 of 100 have eyes lower than 0.46.
    """
    room = (WIDEST / height - 1).clip(min=OPENS)
    return share * room / (share**4 + room**4) ** 0.25


def shut_line(top: Any, bottom: Any, outwards: Any, width: Any) -> Any:
    """Height at which the lids of an eye meet: an arc that sags between its corners, however wavy the lids themselves are.

    Args:
        top: heights of the upper lid ``[...,N]``, arrays or tensors, below the line through the corners, and
        bottom: of the lower one, at
        outwards: ``[N]`` shares of the way from the inner corner to the outer one.
        width: of the eye, a number or ``[...,1]``.
    """
    outwards = outwards**DEEPEST
    sag = 4 * outwards * (1 - outwards)
    lids = top + UPPER_SHUTS * (bottom - top)
    depth = (lids * sag).sum(-1, keepdims=True) / (sag * sag).sum(-1, keepdims=True)
    return depth.clip(SAG[0] * width, SAG[1] * width) * sag
