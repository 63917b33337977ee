"""How lips come to rest where a grin shuts.

A grin draws lips out and rolls them over teeth. The muscles of a rig that let go give back neither their heights nor their taper: what
fits a grin badly stays, and a lower lip whose ends were drawn up beside the teeth would end like a box. What lips do then is known from
people: heights in 1,121 grins and in 1,019 mouths at rest, of 12,186 photographs of faces, seen from the front.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from ..faces.landmarks import AT
from .curves import Frame
from .lips import EDGES, SHARES
from .mouth import GRIN
from .smooth import smoothstep

# Height of the upper and of the lower lip at rest, at SHARES of a mouth, of that in a grin
UPPER = 0.5, 0.64, 0.91, 1.06, 1.20, 1.25, 1.25, 1.25
LOWER = 0.3, 0.36, 0.51, 0.63, 0.81, 0.93, 1.02, 1.05
NARROWS = 0.27  # of its width, by which a mouth with a full smile narrows
RAISES = 0.028  # crop fractions by which such a smile raises the edge of the upper lip
# Share of an opening by which a chin goes up where that shuts, of what is more than a grin alone opens, crop fractions: jaws hardly drop in grins
CHIN, SHOWS = 0.4, 0.046
# Of a smile with teeth, or of what draws lips out as far, from where on it is a grin, and where it is one
SMILE = 0.2, 0.8

_JAW = [AT[i] for i in (172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397)]  # the contour below the mouth
_MIDDLES = EDGES[1::2, 5].tolist()


class Grin(NamedTuple):
    """How far a face grins."""

    share: float  # 0..1; 0 where it does not
    smile: float  # how much it smiles
    drawn: float  # how much its lips are drawn out, by that or otherwise
    opening: float  # between its lips, crop fractions

    @classmethod
    def of(cls, landmarks: Tensor, smile: float, drawn: float) -> Grin:
        """Of a face with landmarks ``[161,2]``."""
        opening = (landmarks[_MIDDLES[1], 1] - landmarks[_MIDDLES[0], 1]).item()
        return cls(smoothstep(drawn, *SMILE) * smoothstep(opening, *GRIN), smile, drawn, opening)


def gone(grin: Grin, moved: Tensor, drawn: Tensor) -> Tensor | None:
    """How far the grin of a face is gone, and its mouth shut, after edits: ``[N]``, 0..1; None where it goes on.

    Args:
        grin: of the face; its share is not 0.
        moved: ``[N,161,2]`` where muscles move its landmarks.
        drawn: ``[N]`` how much its lips are drawn out then.
    """
    less = (1 - drawn / grin.drawn).clamp(0, 1)
    if not less.any():
        return None
    apart = moved[:, _MIDDLES[1], 1] - moved[:, _MIDDLES[0], 1]
    share = grin.share * less * (1 - apart / grin.opening).clamp(0, 1)
    return share if share.any() else None


def at_rest(before: np.ndarray, relaxed: np.ndarray, smile: float) -> np.ndarray:
    """By how much muscles that let go miss the lips at rest: ``[161,2]`` crop fractions, 0 but for lips and the jaw.

    Args:
        before: ``[161,2]`` landmarks of a grin, and
        relaxed: where they are when all muscles have let go.
        smile: how much of one the grin is, or how much it bares teeth as one does.
    """
    edges, widths = [], []
    for at in (before, relaxed):
        frame = Frame.between(*at[EDGES[0]][[0, -1]])
        widths.append(frame.length)
        rows = (frame.to(*at[edge].T) for edge in EDGES)
        edges.append([(np.maximum.accumulate(a) / frame.length, b) for a, b in rows])
    was, now = edges
    # Where lips meet is a parabola, in the middle as far below the edge of the upper lip as that was raised, however far a jaw was open.
    (share, top), (_, bottom) = now[1], now[3]
    line = np.poly1d(_parabola(share) @ np.concatenate([[0], (top + bottom) / 2, [0]]))
    raised = frame.to(*before[_MIDDLES[0]])[1] + RAISES * smile - line(share[5])
    narrows = (1 - NARROWS * smile) * widths[0] - widths[1]
    across, down = np.zeros((2, len(before)))
    for rows, (outer, inner), ratios in ((EDGES[:2], (0, 1), UPPER), (EDGES[2:], (2, 3), LOWER)):
        share, height = now[inner]
        across[rows[1]] = narrows * (share - 0.5)
        middle = (height + np.interp(share, *now[4 - inner])) / 2
        down[rows[1]] = line(share) + raised - middle
        share, height = now[outer]
        across[rows[0]] = narrows * (share - 0.5)
        ends = [
            np.interp(share, *at[outer]) - np.interp(share, [0, *at[inner][0], 1], [0, *at[inner][1], 0])
            for at in (was, now)
        ]
        wanted = ends[0] * np.interp(np.minimum(share, 1 - share), SHARES, ratios)
        down[rows[0]] = np.interp(share, now[inner][0], down[rows[1]]) + wanted - ends[1]
    c, s = frame.axis
    # A reader of landmarks takes some of a grin for a jaw that drops.
    rises = (before[_JAW] - relaxed[_JAW]) @ [-s, c]
    chin, opening = rises[len(_JAW) // 2], was[3][1][5] - was[1][1][5]
    if chin > 0:
        down[_JAW] = rises * (1 - min(CHIN * max(opening - SHOWS, 0.0) / chin, 1.0))
    return across[:, None] * [c, s] + down[:, None] * [-s, c]


def _parabola(share: np.ndarray) -> np.ndarray:
    """``[3,N+2]``: takes heights at shares ``[N]`` of a mouth, and at its corners, to the parabola nearest to them."""
    return np.linalg.pinv(np.vander(np.concatenate([[0], share, [1]]), 3))
