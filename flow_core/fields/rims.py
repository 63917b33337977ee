"""What lies behind glasses, whose rims do not bend.

Where rims are told from skin (:mod:`flow_core.faces.behind`) they are a layer before it: brows go up and down behind them, and what comes out from
behind a rim is painted. Else skin, lenses and rims are one picture. Then the skin behind glasses stays where it is, and brows above the upper rims move
as far as the skin below them can be drawn out, or pressed together. The skin below the eyes, and behind temples, stays in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.landmarks import AT, BROW_EDGES, EYES
from ..faces.lids import seen_at
from ..geometry.grid import pixel_centers
from .curves import Frame
from .layers import EDGE, Box
from .smooth import smoothstep

if TYPE_CHECKING:
    from ..faces.behind import Behind
    from ..faces.glasses import Worn
    from .face import Face

# All in distances of the outer corners of the eyes
MARGIN = 0.025  # of skin above the rims that stays, as the network sees no finer
LEAST = 0.3  # by which the skin above the rims is pressed together at most, and drawn out by its inverse
OF_BROWS = 0.02  # height of a brow that may be drawn out with it
ASIDE = 0.62, 0.80  # from the middle of the face: where lenses end
MOVES = 0.0015  # crop fractions by which skin moves where rims are wholly painted over it
BROWS_BEHIND = 0.3, 0.6  # share of brows below upper rims, from which on they begin to move there, and do
LENS = (0.10, 0.20), (0.44, 0.54)  # from the middle of the face: where it begins, and ends, to move
EYES_UP = -0.10, -0.03  # below the eyes: above the first the skin behind lenses moves, below the second it stays
_BROWS = [AT[i] for edge in BROW_EDGES for i in edge]


class Rims:
    """Where glasses are on a face with landmarks ``[161,2]`` in crop points; above its eyes the skin behind them moves, too, where
    it is known what is ``free`` of rims."""

    def __init__(self, glasses: Worn, landmarks: np.ndarray, free: Behind | None = None) -> None:
        self.top, self.landmarks, self.free = glasses.top + MARGIN, landmarks, free
        self.frame = Frame.between(landmarks[AT[EYES[0][0]]], landmarks[AT[EYES[1][0]]])
        # Who has no brows behind the lenses may have lamps mirrored in them.
        brows = 0.0 if free is None else free.below(torch.from_numpy(landmarks[_BROWS]))[1].float().mean().item()
        self.brows_behind = smoothstep(brows, *BROWS_BEHIND)

    def _places(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """How far points ``[...,2]`` lie from the middle of the face, and below the eyes."""
        a, b = self.frame.to(*points.unbind(-1))
        return (a - self.frame.length / 2).abs() / self.frame.length, b / self.frame.length

    def behind(self, points: Tensor) -> Tensor:
        """How far points ``[...,2]`` lie behind glasses or their temples and stay there, 0..1, with soft borders."""
        aside, below = self._places(points)
        upper = below > -self.top
        if self.free is not None:
            lens = smoothstep(aside, *LENS[0]) * (1 - smoothstep(aside, *LENS[1])) * self.brows_behind
            upper = (1 - (1 - smoothstep(below, *EYES_UP)) * lens) * self.free.below(points)[0]
        lens = upper * (1 - smoothstep(below, 0.42, 0.60)) * (1 - smoothstep(aside, *ASIDE))
        temple = smoothstep(below, -0.22, -0.12) * (1 - smoothstep(below, 0.06, 0.16)) * smoothstep(aside, 0.55, 0.70)
        return torch.maximum(lens, temple)

    def hold(self, offsets: Tensor, moved: np.ndarray) -> Tensor:
        """Backward offsets ``[1,2,H,W]`` of a face whose landmarks have ``moved [161,2]``, with which rims stay."""
        points = pixel_centers(*offsets.shape[2:], offsets.device)
        still = 1 - self.behind(points)[:, None]
        if self.free is not None:
            return offsets * still
        aside, below = self._places(points)
        (c, s), length = self.frame.axis, self.frame.length
        along, down = c * offsets[:, 0] + s * offsets[:, 1], c * offsets[:, 1] - s * offsets[:, 0]
        high = (-below - self.top).clamp(min=0)
        rises, falls = self.shares(moved)
        share = torch.where(down > 0, rises, falls)
        room = length * high
        held_along, held_down = along * share, (down * share).clamp((1 - 1 / LEAST) * room, (1 - LEAST) * room)
        here = (below < 0) * (1 - smoothstep(aside, *ASIDE))
        along, down = torch.lerp(along, held_along, here), torch.lerp(down, held_down, here)
        return torch.stack([c * along - s * down, s * along + c * down], 1) * still

    def shares(self, moved: np.ndarray) -> tuple[float, float]:
        """The shares of what brows rise and of what they fall, 0..1, for which there is room below them."""
        _, below = self.frame.to(*self.landmarks[_BROWS].T)
        _, after = self.frame.to(*moved[_BROWS].T)
        room = (OF_BROWS - self.top) * self.frame.length - below
        return tuple(
            float(np.minimum(way, room.clip(min=0) * most).sum() / max(way.sum(), 1e-6))
            for way, most in (((below - after).clip(min=0), 1 / LEAST - 1), ((after - below).clip(min=0), 1 - LEAST))
        )


class RimLayer(NamedTuple):
    """Upper rims before the skin of a face.

    Attributes:
        behind: what is known of them.
        view: ``[1,3,n,n]`` the face, where it shows all that the picture does; else None.
        edge: half width of their border.
        box: of the points that are rims, or come from behind them.
    """

    behind: Behind
    view: Tensor | None
    edge: float
    box: Box

    @classmethod
    def of(cls, face: Face, farthest: float) -> RimLayer:
        """Of a face whose rims are told from skin, where that moves by ``farthest``, crop fractions, at most."""
        low, high = face.behind.bounds()
        box = *(low - farthest).tolist(), *(high + farthest).tolist()
        return cls(face.behind, face.whole_view, max(EDGE, 0.5 * face.pixel), box)

    def at(self, here: Tensor, moves: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """At crop points ``here [2,N]``, whose skin ``moves [2,N]``: how far they are rims ``[N]``, and the moves that they make; and what is painted where
        the skin comes from behind a rim, and over the border of one, ``[4,N]``, sRGB times how far that covers, and that."""
        origin = (here + moves).T
        moving = smoothstep(moves.square().sum(0).sqrt(), 0.0, MOVES)
        skin = F.pad(seen_at(self.behind.skin, origin[None, None])[0, :, 0], (0, 0, 0, 1), value=1.0)
        rim, under = self.behind.at(here.T, self.edge), skin * self.behind.hide(origin) * moving
        if self.view is None:
            return rim, moves * (1 - rim), under, torch.zeros_like(under)
        # A mean of places would show what lies between them.
        seen = F.pad(seen_at(self.view, here.T[None, None])[0, :, 0], (0, 0, 0, 1), value=1.0)
        first = rim > 0.5
        return rim, moves * ~first, under, torch.where(first, skin * (1 - rim), seen * rim) * moving
