"""Lips that shut: each point of one is shown from the same place of the lip as it was.

A raster of the skin is as coarse as a lip is high, so it would blur its border, and show what lay behind it. Here places are shares: of the way
along the mouth, and of the way from the outer edge of a lip to where lips meet. So lips taper into their corners as they are asked to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..faces.landmarks import AT, LIPS, LIPS_INNER
from .curves import SAMPLES, Frame, curves_of, read
from .smooth import smoothstep

BESIDE = 0.02  # how far beyond the lips, crop fractions, the skin goes along
MOST = 0.5  # of the height of a lip, at whose edge what may be teeth or the dark is left out

_OUTER, _INNER = ([AT[i] for i in ring] for ring in (LIPS, LIPS_INNER))
# Rows of the landmarks from the viewer's left corner to the right one: outer and inner edge of the upper lip, outer and inner one of the lower
EDGES = np.array([[_OUTER[0], *_OUTER[:9:-1]], [_INNER[0], *_INNER[:9:-1]], _OUTER[:11], _INNER[:11]])
# Shares of a mouth from either corner to its middle, at which the heights of people's lips were measured
SHARES = 0.0, 0.04, 0.08, 0.12, 0.18, 0.25, 0.35, 0.5


class Rims(NamedTuple):
    """The edges of both lips, after and before.

    Attributes:
        target: axes between the corners of the lips after, and
        source: before.
        after: ``[5,TABLE]`` heights in ``target``: outer and inner edge of the upper lip, inner and outer one of the lower lip; and at which share of
            the way between the corners a place was before.
        seen: ``[4,TABLE]`` heights in ``source``, of the inner edges those of what is surely lip.
        strength: 0..1, how far lips are shown so.
    """

    target: Frame
    source: Frame
    after: Tensor
    seen: Tensor
    strength: float


def rims(
    before: np.ndarray,
    after: np.ndarray,
    strength: float,
    unsure: Callable[[np.ndarray, np.ndarray], np.ndarray],
    device: torch.device,
) -> Rims:
    """The lips of a face.

    Args:
        before: ``[161,2]`` landmarks, and
        after: where they go.
        strength: see :class:`Rims`.
        unsure: how far beyond its inner edge a lip before may be something else, of shares of the way between the corners and the opening there.
    """
    frames, arcs, along = [], [], []
    for at in (after, before):
        frame = Frame.between(*at[[_OUTER[0], _OUTER[10]]])
        frames.append(frame)
        upper, top, lower, bottom = (at[edge] for edge in EDGES)
        top, bottom = (np.concatenate([upper[:1], inner, upper[-1:]]) for inner in (top, bottom))
        arcs += [(frame, arc) for arc in (upper, top, bottom, lower)]
        along.append(np.maximum.accumulate(frame.to(*((upper + lower) / 2).T)[0]) / frame.length)
    upper, top, bottom, lower, *seen = curves_of(arcs)
    middle = (top + bottom) / 2
    tables = [upper, np.minimum(top, middle), np.maximum(bottom, middle), lower, np.interp(SAMPLES, *along)]
    upper, top, bottom, lower = seen
    left_out = unsure(SAMPLES, (bottom - top).clip(0))
    # An edge is known across itself; where it is steep, as beside a round opening, that is more downwards.
    steep = (np.hypot(1, np.gradient(edge, frames[1].length * SAMPLES)) for edge in (top, bottom))
    top = top - np.minimum(left_out * next(steep), MOST * (top - upper).clip(0))
    bottom = bottom + np.minimum(left_out * next(steep), MOST * (lower - bottom).clip(0))
    tables = torch.from_numpy(np.stack([*tables, upper, top, bottom, lower]).astype(np.float32)).to(device)
    return Rims(*frames, tables[:5], tables[5:], strength)


def shown(lips: Rims, here: Tensor, moves: Tensor, skin: Callable[[Tensor], Tensor], otherwise: Tensor) -> Tensor:
    """Where crop points ``here [2,N]`` of lips and of the skin beside them come from, ``[2,N]``.

    Args:
        moves: ``[2,N]`` offsets of the skin there.
        skin: the same at other points.
        otherwise: ``[2,N]`` where the points come from without this.
    """
    length = lips.target.length
    a, b = lips.target.to(*here)
    along = a.clamp(0, length)
    upper, top, bottom, lower, share = read(lips.after[:, None], (along / length)[None])[:, 0]
    within = torch.minimum(torch.maximum(b, upper), torch.maximum(upper, lower))
    first, end, begin, last = read(lips.seen[:, None], share[None])[:, 0]
    part, rest = ((within - upper) / (top - upper).clamp(min=1e-5)), (lower - within) / (lower - bottom).clamp(min=1e-5)
    height = torch.where(
        within < (top + bottom) / 2, torch.lerp(first, end, part.clamp(0, 1)), torch.lerp(last, begin, rest.clamp(0, 1))
    )
    edge = torch.stack(lips.target.back(along, within))
    found = torch.stack(lips.source.back(share * lips.source.length, height))
    # Beyond the lips the skin goes along with their edge, and farther off less and less.
    near = 1 - smoothstep(torch.hypot(a - along, b - within), 0.0, BESIDE)
    return torch.lerp(otherwise, here + moves + near * (found - edge - skin(edge)), lips.strength * near)


def lips_box(landmarks: np.ndarray) -> tuple[float, float, float, float]:
    """Least x and y and largest x and y of lips and of the skin beside them."""
    low, high = landmarks[_OUTER].min(0) - BESIDE, landmarks[_OUTER].max(0) + BESIDE
    return (*low.tolist(), *high.tolist())
