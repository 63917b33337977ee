"""Where lips that part end, as the picture shows it.

The network of the landmarks sees a mouth in some forty pixels, and mouths that talk are rare among those it learnt from: it takes lower teeth
for the lip, or the edge of a lip for what lies behind it. Teeth are lighter than lips and not as red, and the depth of a mouth is darker. So the edge
of each lip goes, by hundredths of the face square at most, to where one of these ends and the other begins: the path from corner to corner
that parts them best (dynamic programming), not far from the landmarks, and without steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.directions import down_of
from ..geometry.ramp import ramp
from .landmarks import AT, LIPS, LIPS_INNER
from .mouth import around, sampled, teeth_color

PATHS = 21  # places from corner to corner
# How far an edge goes into the opening, and into the lip, in steps; and one of those, crop fractions
REACH, STEP = (-12, 15), 0.002
ROOM = 0.5, 0.7  # of the opening, and of the height of the lip, beyond which no edge goes
# Opening, crop fractions, below which lips are left as they are, and from which on they are looked at
PARTED = 0.004, 0.008
# How far what is no lip has the tint of teeth, and how much lighter than the lip it is; and how much in grey pictures, where that alone tells
WHITE, LIGHT, LIGHTER = (0.35, 0.65), (1.0, 1.25), (1.15, 1.45)
DARK = 0.75, 0.45  # how much of the lightness of a lip is left where it is none, perhaps and surely
LIP = (0.6, 0.75), (1.15, 1.3)  # lightness of what may be lip, of what is mostly
SURE = 0.6, 0.7  # what the dark, and what a lip counts, of what teeth do
# What going far costs, of its square, in hundredths; and how much more into the opening, from the upper lip and from the lower one: tongues are as red
FAR, INTO = 0.08, (2.0, 9.0)
FIRST = 0.05, 0.1  # and what it costs to go there at all, for each hundredth
BENT = 0.3  # what steps from place to place cost, of their squares, in hundredths
ENDS = 0.15  # share of the mouth from its corners within which an edge moves less
# Opening, of the width between the corners, from which on a mouth is so round that its edges move across themselves, not up and down, and right to its
# corners; and the share of the mouth from its corners that is left then
ROUND, ROUND_ENDS = (0.4, 0.6), 0.03

UPPER = [AT[i] for i in (LIPS[0], *LIPS[:9:-1])], [AT[i] for i in (LIPS_INNER[0], *LIPS_INNER[:9:-1])]
LOWER = [AT[i] for i in LIPS[:11]], [AT[i] for i in LIPS_INNER[:11]]


@torch.no_grad()
def to_the_lips(image: Tensor, crop: Crop) -> Tensor:
    """The landmarks ``[B,161,2]`` of faces, pixels of their pictures, with the inner edges of parted lips where these are seen.

    Args:
        image: ``[pictures,3,H,W]``.
        crop: B faces with landmarks.
    """
    places = crop.places.float().cpu()
    middles = places[:, [UPPER[1][5], LOWER[1][5]], 1]
    parts = ramp(middles[:, 1] - middles[:, 0], *PARTED)
    if not parts.any():
        return crop.landmarks
    corners = places[:, UPPER[1][0]], places[:, UPPER[1][10]]
    across = torch.nn.functional.normalize(corners[1] - corners[0], dim=-1)
    down = down_of(across)[:, None]
    edges = [_along(places[:, rows]) for rows in (*UPPER, *LOWER)]
    outer, inner = torch.stack([edges[0], edges[2]], 1), torch.stack([edges[1], edges[3]], 1)  # [B,2,PATHS,2]
    width = (corners[1] - corners[0]).norm(dim=-1).clamp(min=1e-6)
    round_ = ramp((middles[:, 1] - middles[:, 0]) / width, *ROUND)[:, None, None]
    ways = torch.stack([-down, down], 1)  # out of the opening
    ways = torch.nn.functional.normalize(torch.lerp(ways.expand_as(inner), _across(inner), round_[..., None]), dim=-1)
    far = torch.arange(REACH[0], REACH[1] + 1) * STEP
    points = inner[..., None, :] + far[:, None] * ways[..., None, :]
    of_lips = torch.lerp(outer[..., None, :], inner[..., None, :], torch.tensor([0.25, 0.4, 0.55])[:, None])
    seen = sampled(image, crop, torch.cat([points, of_lips], 3).flatten(1, 2)).unflatten(1, (2, PATHS))
    seen, lips = seen[..., : len(far), :], seen[:, :, 3:-3, len(far) :].flatten(2, 3).median(2).values
    outwards = _outwards(seen, lips, teeth_color(image, crop), far)
    opening = ((inner[:, 1] - inner[:, 0]) * down).sum(-1).clamp(min=0)[:, None, :, None]
    height = ((outer - inner) * ways).sum(-1)[..., None]
    hundredths = 100 * far
    more = torch.where(far < 0, torch.tensor(INTO)[:, None], 1.0)[:, None]  # [2,1,F]
    cost = FAR * hundredths.square() * more - torch.tensor(FIRST)[:, None, None] * hundredths.clamp(max=0)
    worth = torch.where((-far > ROOM[0] * opening) | (far > ROOM[1] * height), -9.0, outwards - cost)
    goes = far[_path(worth.flatten(0, 1), BENT * (hundredths[:, None] - hundredths).square())].unflatten(0, (-1, 2))
    goes = around(goes.flatten(0, 1), 3).mean(-1).unflatten(0, (-1, 2))
    share = torch.linspace(0, 1, PATHS)
    ends = ENDS + (ROUND_ENDS - ENDS) * round_
    goes = goes * (torch.minimum(share, 1 - share) / ends).clamp(max=1) * parts[:, None, None]
    at = torch.linspace(0, PATHS - 1, 11).round().long()[1:-1]
    for i, (_, rows) in enumerate((UPPER, LOWER)):
        places[:, rows[1:-1]] += goes[:, i, at, None] * ways[:, i, at]
    return crop.to_image(places[:, None].to(crop.matrix))[:, 0]


def _along(edge: Tensor) -> Tensor:
    """Points ``[...,PATHS,2]`` along the edge of a lip ``[...,11,2]``."""
    at = torch.linspace(0, 10, PATHS)
    i = at.long().clamp(max=9)
    return torch.lerp(edge[..., i, :], edge[..., i + 1, :], (at - i)[:, None])


def _across(edges: Tensor) -> Tensor:
    """Directions ``[B,2,PATHS,2]`` across the edges of the upper and of the lower lip, out of the opening."""
    along = torch.cat(
        [edges[:, :, 1:2] - edges[:, :, :1], edges[:, :, 2:] - edges[:, :, :-2], edges[:, :, -1:] - edges[:, :, -2:-1]],
        2,
    )
    down = torch.nn.functional.normalize(down_of(along), dim=-1)
    return torch.stack([-down[:, 0], down[:, 1]], 1)


def _outwards(seen: Tensor, lips: Tensor, teeth: Tensor, far: Tensor) -> Tensor:
    """How well an edge at each place would part lips from what is none: ``[B,2,PATHS,F]``.

    Args:
        seen: colours ``[B,2,PATHS,F,3]`` on the way out of the opening.
        lips: ``[B,2,3]`` and
        teeth: ``[B,3]``, as they are expected.
        far: ``[F]``.
    """

    lips = lips[:, :, None, None]
    light = seen.mean(-1) / lips.mean(-1).clamp(min=0.02)
    green, of_lips, of_teeth = (v[..., 1] / v[..., 0].clamp(min=0.02) for v in (seen, lips, teeth[:, None, None, None]))
    tells = ramp(of_teeth - of_lips, 0.0, 0.1)  # not in grey pictures
    white = ramp((green - of_lips) / (of_teeth - of_lips).clamp(min=0.05), *WHITE)
    bright = ramp(teeth.mean(-1)[:, None, None, None] / lips.mean(-1).clamp(min=0.02), 1.2, 1.4)
    tooth = torch.lerp(ramp(light, *LIGHTER) * bright, white * ramp(light, *LIGHT), tells)
    dark = ramp(light, *DARK)
    # The dark above the edge of an upper lip may be its own shade.
    own_shade = light.new_ones(2, 1, len(far))
    own_shade[0, :, far > 0] = 0.0
    none = torch.maximum(tooth, SURE[0] * dark * own_shade)
    lip = (1 - white) * tells * ramp(light, *LIP[0]) * (1 - ramp(light, *LIP[1])) * (1 - dark)
    return (none - SURE[1] * lip * (1 - tooth)).cumsum(-1) * (STEP / 0.03)


def _path(worth: Tensor, bent: Tensor) -> Tensor:
    """The best path ``[N,K]`` of places along ``worth [N,K,F]``, where each step costs ``bent [F,F]``."""
    best, back = worth[:, 0], []
    for k in range(1, worth.shape[1]):
        best, came = (best[:, None] - bent).max(-1)
        back.append(came)
        best = best + worth[:, k]
    path = [best.argmax(-1, keepdim=True)]
    for came in reversed(back):
        path.append(came.gather(1, path[-1]))
    return torch.cat(path[::-1], 1)


__all__ = ["to_the_lips"]
