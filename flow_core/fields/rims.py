"""What lies behind glasses, whose rims do not bend.

Skin, lenses and rims are one picture. So behind glasses and their temples the skin stays where it is. Brows above the upper rims move as far as the
skin below them can be drawn out, or pressed together: through a lens they would be seen to come down behind it, which nothing here can show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..faces.landmarks import AT, BROW_EDGES, EYES
from ..geometry.grid import pixel_centers
from .curves import Frame
from .smooth import smoothstep

if TYPE_CHECKING:
    from ..geometry.worn import Worn

# All in distances of the outer corners of the eyes
MARGIN = 0.025  # of skin above the rims that stays, as the network sees no finer
LEAST = 0.3  # by which the skin above the rims is pressed together at most, and drawn out by its inverse
OF_BROWS = 0.02  # height of a brow that may be drawn out with it
ASIDE = 0.62, 0.80  # from the middle of the face: where lenses end
_BROWS = [AT[i] for edge in BROW_EDGES for i in edge]


class Rims:
    """Where glasses are on a face with landmarks ``[161,2]`` in crop points."""

    def __init__(self, glasses: Worn, landmarks: np.ndarray) -> None:
        self.top, self.landmarks = glasses.top + MARGIN, landmarks
        self.frame = Frame.between(landmarks[AT[EYES[0][0]]], landmarks[AT[EYES[1][0]]])

    def _places(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """How far points ``[...,2]`` lie from the middle of the face, and below the eyes."""
        a, b = self.frame.to(*points.unbind(-1))
        return (a - self.frame.length / 2).abs() / self.frame.length, b / self.frame.length

    def behind(self, points: Tensor) -> Tensor:
        """How far points ``[...,2]`` lie behind glasses or their temples, 0..1, with soft borders below and beside."""
        return self._behind(*self._places(points))

    def _behind(self, aside: Tensor, below: Tensor) -> Tensor:
        lens = (below > -self.top) * (1 - smoothstep(below, 0.42, 0.60)) * (1 - smoothstep(aside, *ASIDE))
        temple = smoothstep(below, -0.22, -0.12) * (1 - smoothstep(below, 0.06, 0.16)) * smoothstep(aside, 0.55, 0.70)
        return torch.maximum(lens, temple)

    def hold(self, offsets: Tensor, moved: np.ndarray) -> tuple[Tensor, Tensor]:
        """Backward offsets ``[1,2,H,W]`` of a face whose landmarks have ``moved [161,2]``, with which rims stay; and how far their pixels are free of
        glasses, ``[1,1,H,W]`` 0..1."""
        points = pixel_centers(*offsets.shape[2:], offsets.device)
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
        free = (1 - self._behind(aside, below))[:, None]
        return torch.stack([c * along - s * down, s * along + c * down], 1) * free, free

    def shares(self, moved: np.ndarray) -> tuple[float, float]:
        """The shares of what brows rise and of what they fall, 0..1, for which there is room below them."""
        _, below = self.frame.to(*self.landmarks[_BROWS].T)
        _, after = self.frame.to(*moved[_BROWS].T)
        room = (OF_BROWS - self.top) * self.frame.length - below
        return tuple(
            float(np.minimum(way, room.clip(min=0) * most).sum() / max(way.sum(), 1e-6))
            for way, most in (((below - after).clip(min=0), 1 / LEAST - 1), ((after - below).clip(min=0), 1 - LEAST))
        )
