"""The texture of lips, and of the skin between them and the nose, where these are drawn out.

Pores, lines and hairs that a warp draws out are streaks, for it draws them all one way. So the finest light and shade that comes with what is drawn
out is taken away, and given back as it is at the same distance from the edge of the lip, at its own scale, to and fro between the edges.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..faces.landmarks import AT, LIPS
from ..faces.texture import ACROSS, DOWN
from ..geometry.sampling import interpolate
from .curves import TABLE, read
from .lips import Rims, rims
from .smooth import smoothstep

DRAWN = 1.15, 1.6  # by how much lips and skin are drawn out from where on that is seen, and all is given back
# Crop fractions from an edge of the lips, within which it is that edge that is seen, and beyond which not
EDGE = 0.002, 0.008
INSET = 0.35  # of the height of a lip, which is near its edges at most
LEAST = 0.012  # height of lips or skin, crop fractions, of which nothing is known
NOSE = 0.25  # of the way between lips and nose, next to that, in which shade is the nose's
BESIDE = 0.12  # of the width of a mouth, beside its corners, in which texture fades

_UNDER_NOSE = AT[2]
_CORNERS = [AT[LIPS[0]], AT[LIPS[10]]]


class Grain(NamedTuple):
    """What is needed to give texture back.

    Attributes:
        box: least x and y and largest x and y of the crop points in which something is drawn out.
        lips: their edges before and after.
        room: heights of the skin between lips and nose before and after.
        texture: ``[1,1,h,w]``, see :attr:`flow_core.geometry.crop.Crop.texture`.
    """

    box: tuple[float, float, float, float]
    lips: Rims
    room: tuple[float, float]
    texture: Tensor

    def at(self, here: Tensor, source: Tensor) -> Tensor:
        """By how much the logarithm of the light changes ``[N]`` at crop points ``[2,N]`` that come from ``source [2,N]``."""
        lips, (was, now) = self.lips, self.room
        target, before = lips.target, lips.source
        a, b = target.to(*here)
        upper, top, bottom, lower, _ = read(lips.after[:, None], (a / target.length)[None])[:, 0]
        # Across, texture lies as in the middle of the mouth.
        qa = before.length / 2 + (a - target.length / 2)
        sa, sb = before.to(*source)
        edges = read(lips.seen[:, None], torch.cat([sa, qa])[None] / before.length)[:, 0]
        (first, end, begin, last), (q_first, q_end, q_begin, q_last) = edges.unflatten(1, (2, -1)).unbind(1)
        on_skin, on_upper = b < upper, b < (top + bottom) / 2
        after = torch.where(on_upper, top - upper, lower - bottom)
        seen = torch.where(on_upper, end - first, last - begin)
        height = torch.where(on_upper, q_end - q_first, q_last - q_begin)
        drawn = torch.where(on_skin, now / max(was, LEAST), after / seen.clamp(min=LEAST))
        lip = torch.where(on_upper, q_first + _fold(b - upper, height), q_last - _fold(lower - b, height))
        qb = torch.where(on_skin, q_first - _fold(upper - b, height.new_tensor(was * (1 - NOSE))), lip)
        near = torch.minimum(
            (sb - first).abs(),
            torch.where(on_upper, (sb - end).abs(), torch.minimum((sb - begin).abs(), (sb - last).abs())),
        )
        weight = smoothstep(drawn, *DRAWN) * smoothstep(near, *EDGE) * (b < lower)
        weight = weight * torch.where(on_skin, 1.0, smoothstep(torch.minimum(seen, height), 0.3 * LEAST, LEAST))
        weight = weight * (1 - smoothstep(upper - b, now * (1 - NOSE), now))
        beside = torch.maximum(-a, a - target.length) / target.length
        weight = weight * (1 - smoothstep(beside, -BESIDE, 0.5 * BESIDE))
        both = torch.stack([torch.stack([qa, sa]), torch.stack([qb, sb])], -1) / before.length
        low, size = (both.new_tensor([v[k] for v in (ACROSS, DOWN)]) for k in (0, 1))
        asked = (both - low) / (size - low)
        given, taken = interpolate(self.texture, asked[None], "bilinear")[0, 0]
        return weight * (given - taken)


def _fold(distance: Tensor, height: Tensor) -> Tensor:
    """Distances to and fro within 0..height, but for its ends, where there are edges."""
    inset = (INSET * height).clamp(max=EDGE[1])
    height = (height - 2 * inset).clamp(min=1e-4)
    return inset + height - (((distance - inset) % (2 * height)) - height).abs()


def grain(texture: Tensor, landmarks: np.ndarray, moved: np.ndarray) -> Grain | None:
    """What gives texture back; None where nothing is drawn out.

    Args:
        texture: see :class:`Grain`.
        landmarks: ``[161,2]`` before, crop points, and
        moved: after.
    """
    lips = rims(landmarks, moved, 0.0, lambda share, opening: 0 * share, texture.device)
    room = tuple(float(upper.to(*at[_UNDER_NOSE])[1]) for upper, at in ((lips.source, landmarks), (lips.target, moved)))
    middle = TABLE // 2
    was, now = lips.seen[0, middle].item() - room[0], lips.after[0, middle].item() - room[1]
    before, after = (
        (edges[1] - edges[0], edges[3] - edges[2]) for edges in (lips.seen[:, middle], lips.after[:4, middle])
    )
    drawn = [now / max(was, LEAST), *(float(y) / max(float(x), LEAST) for x, y in zip(before, after, strict=True))]
    if max(drawn) <= DRAWN[0]:
        return None
    corners = moved[_CORNERS]
    low = np.minimum(corners.min(0), moved[_UNDER_NOSE])
    high = np.maximum(corners.max(0), moved[[AT[i] for i in LIPS]].max(0))
    beside = BESIDE * lips.target.length
    return Grain((low[0] - beside, low[1] - beside, high[0] + beside, high[1] + beside), lips, (was, now), texture)


__all__ = ["Grain", "grain"]
