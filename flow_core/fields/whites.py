"""The white of an eye that an iris covered.

Where an iris leaves a corner there is next to nothing between the two to be drawn out: its own rim, the shadow of the lids. What such an eye would show
there is known from the other side of the iris, as in a mirror.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..faces.lids import seen_at
from .curves import Frame, read
from .smooth import smoothstep

# In widths of the eye: ways of an iris from where on white is painted, and all of it; and how much of what is seen beside an iris may be its rim, or the
# corner
WAY, RIM = (0.015, 0.06), 0.05
STRETCHED = 1.4, 2.2  # by how much white is drawn out that looks like white, and that does not
# Times as much as on that side is to be seen on the other one, so that a little and all of it is believed
MORE = 1.2, 1.9
ROUND = 1.0, 1.22  # radii of an iris between which its border lies: it is soft
BESIDE = 0.1, 0.6  # and beside its middle, on the side where it was
CORNER = 0.02, 0.10  # how far from the corner, which is red, white begins, in widths of the eye
# Shares of the way from the upper to the lower lid between which it is looked for: beyond are shadows and lashes
BETWEEN = 0.22, 0.78


class White(NamedTuple):
    """The white beside an iris that goes away from a corner. Lengths and places are those of the eye as it was."""

    view: Tensor  # [1,3,n,n] as of :func:`flow_core.faces.shown.view`
    frame: Frame
    seen: Tensor  # [2,1,TABLE] its upper and lower lid
    center: float  # of the iris along the eye, before
    after: tuple[float, float]  # along the eye and down, after
    radius: float
    side: float  # of the iris on which the corner lies: 1 right, -1 left
    nearer: float  # the part of a distance from the iris at which that white is seen on the other side
    cover: float  # 0..1 how far it covers what was drawn out

    def at(self, along: Tensor, down: Tensor, height: Tensor) -> Tensor:
        """Painted ``[4,N]``, see :class:`flow_core.fields.base.Sample`.

        Args:
            along: ``[N]`` places along the eye and
            down: ``[N]`` below the line between its corners, after the edit.
            height: ``[N]`` shares of the way from its upper to its lower lid, after.
        """
        beside = (along - self.after[0]) * self.side
        away = torch.hypot(beside, down - self.after[1]) / self.radius
        length = self.frame.length
        corner = (length - along if self.side > 0 else along) / length
        cover = self.cover * smoothstep(away, *ROUND) * smoothstep(corner, *CORNER)
        cover = cover * smoothstep(beside / self.radius, *BESIDE)
        beyond = (beside - self.radius).clamp(min=0)
        place = self.center - self.side * (torch.minimum(beside, beside.new_tensor(self.radius)) + beyond * self.nearer)
        top, bottom = read(self.seen, (place / length)[None])[:, 0]
        low = top + height.clamp(*BETWEEN) * (bottom - top)
        points = torch.stack(self.frame.back(place, low), -1)[None, None]
        return torch.cat([seen_at(self.view, points)[0, :, 0] * cover, cover[None]])


def white_beside(
    view: Tensor | None, frame: Frame, seen: np.ndarray, iris: tuple[float, float, float], gaze: tuple[float, float]
) -> White | None:
    """What an eye shows where its iris was; None where that is no more than what was seen there, or nothing is known of it.

    Args:
        view: ``[1,3,n,n]`` the face, as of :func:`flow_core.faces.shown.view`.
        frame: of the eye as it was, crop points.
        seen: ``[2,TABLE]`` its upper and lower lid.
        iris: its place along the eye and down, and its radius.
        gaze: by which it moves, in the same.
    """
    (center, middle, radius), length, way = iris, frame.length, abs(gaze[0])
    if view is None or not way:
        return None
    side = -1.0 if gaze[0] > 0 else 1.0
    left, right = center - radius, length - center - radius
    own, other = (right, left) if side > 0 else (left, right)
    own, room = max(own / length - RIM, RIM), other / length - RIM
    way /= length
    cover = smoothstep(way, *WAY) * smoothstep(1 + way / own, *STRETCHED) * smoothstep(room / own, *MORE)
    if not cover:
        return None
    nearer = min(room / (own + way), 1.0)
    after = center + gaze[0], middle + gaze[1]
    table = torch.from_numpy(np.asarray(seen, np.float32))[:, None].to(view)
    return White(view, frame, table, center, after, radius, side, nearer, cover)


__all__ = ["White", "white_beside"]
