"""How a mouth rounds its corners where it opens.

A jaw that drops draws the lips of a rig into an almond: from pointed corners nearly straight to the middle. Lips of people
are thick, and a ring of muscle runs around them, so an opening is rounder the wider it is. The profile is a
superellipse fitted to the inner lips of 95 real faces with open mouths and no smile, of which the opening is half as high as wide, or more.
And a jaw takes the corners along, half of its way: in 1,557 mouths that are open and do not smile they lie in the middle of the
opening, however far it is open, while those of the rig stay up at a straight upper lip.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .curves import Frame
from .mouth import lip_edges
from .smooth import smoothstep

SAMPLES = 65  # across a mouth
ROUND, FLAT = 0.63, 2.2  # height of an edge at x in -1..1: (1 - |x| ** FLAT) ** ROUND, of that in the middle
OPENS = (0.06, 0.40)  # by which part of its width a mouth opens more than before: not rounded, and fully
# Which share of an opening lies above its corners, by which part of its width it opens more until they do, and smiles up to which they do, and from
# which on muscles hold them up
ABOVE, FALLS, HELD = 0.45, (0.03, 0.15), (0.1, 0.45)
FADES = 0.30  # widths of the mouth beyond its edges within which the skin goes along

_SHARE = np.linspace(0, 1, SAMPLES)
_ASIDE = np.abs(2 * _SHARE - 1) ** FLAT
_PROFILE = (1 - _ASIDE) ** ROUND


def rounded(before: Tensor, after: Tensor, points: Tensor, smile: float = 0.0) -> Tensor | None:
    """How the skin goes along with the rounding of an opening: ``[N,2]`` crop fractions at points after the muscles have moved, None
    where the mouth opens no farther than it was.

    Args:
        before: ``[161,2]`` landmarks as the picture shows them and
        after: as muscles leave them.
        points: ``[N,2]``.
        smile: how far the face smiles after.
    """
    # All of it in numpy: these are many small steps.
    edges = [lip_edges(at) for at in torch.stack([before, after]).double().cpu().numpy()]
    opened = [np.hypot(*(lower - upper).T).max() for upper, lower in edges]
    upper, lower = edges[1]
    frame = Frame.between(*lower[[0, -1]])
    width = frame.length
    wider = (opened[1] - opened[0]) / width
    t = smoothstep(wider, *OPENS)
    fall = smoothstep(wider, *FALLS) * (1 - smoothstep(smile, *HELD))
    if t == 0 and fall == 0:
        return None
    (a, top), (c, bottom) = (frame.to(*edge.T) for edge in (upper, lower))
    top, bottom = (np.interp(_SHARE, np.maximum.accumulate(x / width), y) for x, y in ((a, top), (c, bottom)))
    high, low = top[SAMPLES // 2], bottom[SAMPLES // 2]
    corner = fall * max(ABOVE * (low - high) + high, 0.0)
    sinks = corner * _ASIDE
    # An edge goes away from the other one, never towards it.
    rises = (min(high - corner, 0.0) * _PROFILE + corner - top - sinks).clip(max=0)
    falls = (max(low - corner, 0.0) * _PROFILE + corner - bottom - sinks).clip(min=0)
    tables = np.stack([top, bottom, t * rises + sinks, t * falls + sinks]).astype(np.float32)
    a, b = frame.to(*points.cpu().numpy().T)
    x = (a / width).clip(0, 1) * (SAMPLES - 1)
    i = x.astype(np.int64).clip(max=SAMPLES - 2)
    first = tables.take(i, 1)
    top, bottom, rises, falls = first + (tables.take(i + 1, 1) - first) * (x - i).astype(np.float32)
    above = b < (top + bottom) / 2
    far = np.where(above, top - b, b - bottom).clip(0) / (FADES * width)
    beside = (a - a.clip(0, width)) / (FADES * width)
    down = np.where(above, rises, falls) * np.exp(-(far * far) - beside * beside)
    c, s = frame.axis
    return torch.from_numpy(np.stack([-s * down, c * down])).to(points).mT
