"""How thick lips are along a smile that comes.

The muscles of a rig draw lips out by their corners alone: a lower lip tapers as it did at rest, and runs to a V, and the middle of an upper
lip loses two fifths of its height. Lips of people are drawn over their teeth like a band: they keep most of their height, and the lower one
nearly all of it up to the corners. Medians of 1,100 smiles that show teeth and of 600 mouths at rest, in photographs from the front.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .curves import Frame
from .lips import EDGES, SHARES
from .smooth import smoothstep

SAMPLES = 65  # across a mouth
# Height of the upper and of the lower lip in a smile, at SHARES of a mouth, of that in the middle
UPPER = 0.0, 0.49, 0.59, 0.68, 0.80, 0.93, 1.10, 1.0
LOWER = 0.0, 0.49, 0.65, 0.74, 0.83, 0.93, 1.0, 1.0
KEPT = 0.85, 0.93  # how much of their height in the middle they keep
# By how much more a face smiles, and its lips part, of their width, until lips are so
SMILES, PARTS = (0.1, 0.6), (0.03, 0.12)
# Share of what an upper and a lower lip are too thin by, by which they hang over the teeth; the rest goes outwards
INWARDS = 0.6, 0.4
SHUTS = 0.4  # of an opening, which that takes at most
FADES = 0.15  # widths of the mouth above and below lips within which the skin goes along

_SHARE = np.linspace(0, 1, SAMPLES)
_PROFILES = [np.interp(np.minimum(_SHARE, 1 - _SHARE), SHARES, profile) for profile in (UPPER, LOWER)]
_MIDDLES = EDGES[:, 5]
_EDGES = EDGES[[0, 1, 3, 2]]  # from the highest to the lowest


def spread(before: Tensor, after: Tensor, points: Tensor, smiles: float) -> Tensor | None:
    """How lips and the skin beside them go along where a smile is to lie as people's: ``[N,2]`` crop fractions at points after the muscles
    have moved, None where none comes.

    Args:
        before: ``[161,2]`` landmarks as the picture shows them and
        after: as muscles leave them.
        points: ``[N,2]``.
        smiles: by how much more the face smiles.
    """
    if smiles <= SMILES[0]:
        return None
    # All of it in numpy: these are many small steps.
    places = points.cpu().numpy()
    before, after = torch.stack([before, after]).double().cpu().numpy()
    frame, (outer_top, top, bottom, outer_bottom) = _heights(after)
    width, opening = frame.length, (bottom - top).clip(0)
    much = smoothstep(smiles, *SMILES) * smoothstep(opening.max() / width, *PARTS)
    if not much:
        return None
    was = np.hypot(*(before[_MIDDLES[1::2]] - before[_MIDDLES[::2]]).T)
    moves = []
    for now, at_rest, profile, kept, inwards in zip(
        (top - outer_top, outer_bottom - bottom), was, _PROFILES, KEPT, INWARDS, strict=True
    ):
        thicker = much * (max(kept * at_rest, now[SAMPLES // 2]) * profile - now)
        moves += [thicker - inwards * thicker, np.minimum(inwards * thicker, SHUTS / 2 * opening)]
    tables = np.stack([outer_top, top, bottom, outer_bottom, -moves[0], moves[1], -moves[3], moves[2]]).astype(
        np.float32
    )
    a, b = frame.to(*places.T)
    reach = 2.5 * FADES * width
    near = np.flatnonzero((a > 0) & (a < width) & (b > outer_top.min() - reach) & (b < outer_bottom.max() + reach))
    a, b = a[near], b[near]
    x = a * ((SAMPLES - 1) / width)
    i = x.astype(np.int64).clip(max=SAMPLES - 2)
    first = tables[:, i]
    outer_top, top, bottom, outer_bottom, up, over, under, down = first + (tables[:, i + 1] - first) * (x - i)
    upper = ((b - outer_top) / (top - outer_top).clip(1e-5)).clip(0, 1)
    lower = ((outer_bottom - b) / (outer_bottom - bottom).clip(1e-5)).clip(0, 1)
    moved = np.where(b < (top + bottom) / 2, up + (over - up) * upper, down + (under - down) * lower)
    far = np.maximum(outer_top - b, b - outer_bottom).clip(0) / (FADES * width)
    moved = moved * np.exp(-(far**2))
    c, s = frame.axis
    found = np.zeros(places.shape, np.float32)
    found[near] = np.stack([-s * moved, c * moved], -1)
    return torch.from_numpy(found).to(points)


def _heights(landmarks: np.ndarray) -> tuple[Frame, list[np.ndarray]]:
    """The frame of a mouth, and in it the heights ``[SAMPLES]`` of the edges of its lips from corner to corner, from the highest to the lowest."""
    edges = landmarks[_EDGES]
    frame = Frame.between(*edges[0, [0, -1]])
    a, b = np.zeros((2, 4, len(_EDGES[0]) + 2))
    a[:, 1:-1], b[:, 1:-1] = frame.to(*edges.transpose(2, 0, 1))
    a[:, 1:-1] = np.maximum.accumulate(a[:, 1:-1], 1) / frame.length
    a[:, -1] = 1.0
    return frame, [np.interp(_SHARE, *edge) for edge in zip(a, b, strict=True)]
