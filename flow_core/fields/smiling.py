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
from .lips import EDGES
from .smooth import smoothstep

SAMPLES = 65  # across a mouth
# Shares of a mouth from either corner to its middle, and there the height of the upper and of the lower lip in a smile, of that in the middle
SHARES = 0.0, 0.04, 0.08, 0.12, 0.18, 0.25, 0.35, 0.5
UPPER = 0.0, 0.49, 0.59, 0.68, 0.80, 0.93, 1.10, 1.0
LOWER = 0.0, 0.49, 0.65, 0.74, 0.83, 0.93, 1.0, 1.0
KEPT = 0.85, 0.93  # how much of their height in the middle they keep
SMILES, PARTS = (
    (0.1, 0.6),
    (0.03, 0.12),
)  # by how much more a face smiles, and its lips part, of their width, until lips are so
INWARDS = (
    0.6,
    0.4,
)  # share of what an upper and a lower lip are too thin by, by which they hang over the teeth; the rest goes outwards
SHUTS = 0.4  # of an opening, which that takes at most
FADES = 0.15  # widths of the mouth beyond its edges within which the skin goes along


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
    (_, was), (frame, now) = (_heights(at) for at in torch.stack([before, after]).double().cpu().numpy())
    outer_top, top, bottom, outer_bottom = now
    width, opening = frame.length, (bottom - top).clip(0)
    much = smoothstep(smiles, *SMILES) * smoothstep(opening.max() / width, *PARTS)
    if not much:
        return None
    share = np.linspace(0, 1, SAMPLES)
    middle, least = SAMPLES // 2, np.minimum(share, 1 - share)
    moves = []
    for (a, b), (c, d), profile, kept, inwards in (
        ((was[0], was[1]), (outer_top, top), UPPER, KEPT[0], INWARDS[0]),
        ((was[2], was[3]), (bottom, outer_bottom), LOWER, KEPT[1], INWARDS[1]),
    ):
        wanted = max(kept * (b - a)[middle], (d - c)[middle]) * np.interp(least, SHARES, profile)
        thicker = much * (wanted - (d - c))
        inner = np.minimum(inwards * thicker, SHUTS / 2 * opening)
        moves += [thicker - inwards * thicker, inner]
    tables = np.stack([*now, -moves[0], moves[1], -moves[3], moves[2]])
    tables = torch.from_numpy(tables.astype(np.float32)).to(points)
    a, b = frame.to(*points.unbind(-1))
    x = (a / width).clamp(0, 1) * (SAMPLES - 1)
    i = x.long().clamp(max=SAMPLES - 2)
    outer_top, top, bottom, outer_bottom, up, over, under, down = torch.lerp(tables[:, i], tables[:, i + 1], x - i)
    upper = ((b - outer_top) / (top - outer_top).clamp(min=1e-5)).clamp(0, 1)
    lower = ((outer_bottom - b) / (outer_bottom - bottom).clamp(min=1e-5)).clamp(0, 1)
    moved = torch.where(b < (top + bottom) / 2, torch.lerp(up, over, upper), torch.lerp(down, under, lower))
    far = torch.maximum(outer_top - b, b - outer_bottom).clamp(min=0) / (FADES * width)
    beside = (a - a.clamp(0, width)) / (FADES * width)
    moved = moved * (-far.square() - beside.square()).exp()
    c, s = frame.axis
    return torch.stack([-s * moved, c * moved], -1)


def _heights(landmarks: np.ndarray) -> tuple[Frame, np.ndarray]:
    """Heights ``[4,SAMPLES]`` of :data:`EDGES` from corner to corner, in the frame of the mouth."""
    frame = Frame.between(*landmarks[EDGES[0]][[0, -1]])
    rows = []
    for edge in EDGES:
        a, b = frame.to(*landmarks[edge].T)
        a, b = np.concatenate([[0.0], a, [frame.length]]), np.concatenate([[0.0], b, [0.0]])
        rows.append(np.interp(np.linspace(0, 1, SAMPLES), np.maximum.accumulate(a) / frame.length, b))
    return frame, np.stack([rows[0], rows[1], rows[3], rows[2]])
