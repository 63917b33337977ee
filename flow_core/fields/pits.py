"""The dark corners of a mouth, where a grin goes, or where lips part without one.

A grin draws the corners of a mouth out until lips part there before nothing but the dark of a cheek's inside. Of a mouth that comes together
again this dark is beside it: a spot on the skin. And the shade at the ends of lips that met would be a spike beside an opening, where
skin is drawn smooth. So a small picture of each corner without it lies over what was seen there, in which what
was dark, or between the lips, is filled in from the lips and the skin around.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.creases import DARK
from ..faces.landmarks import AT, LIPS, LIPS_INNER
from ..faces.lids import seen_at
from ..geometry.directions import down_of
from ..geometry.mesh import polygon_distance
from ..geometry.neighbours import closing, filled, largest
from ..geometry.sampling import interpolate
from ..once import kept_with
from .layers import Box
from .opening import HELD
from .patch import Patch
from .smooth import smoothstep

if TYPE_CHECKING:
    from .face import Face

SIDE = 48  # pixels of such a picture
# How far along a mouth and across what is filled reaches, in its widths, from so far within its corners; and share of that from which on less and less is
REACH, WITHIN, ENDS = (0.24, 0.11), 0.09, 0.5
DRAWN = 1.1, 2.2  # by how much they are drawn out across and downwards, at most
WIDE = 0.045  # crop fractions: what is wider is no pit
DEPTH = 0.12, 0.4  # how much darker than around a pit is, as a logarithm, at least and surely
# Crop fractions within the edges of the lips from where on what is seen may be no lip, and is none
BETWEEN = -0.004, 0.003
# Opening of a mouth, crop fractions, with which its corners are mere lines of shade, of which much goes with the smile, and with which they are pits
GRIN, LINE = (0.008, 0.02), 0.6
GONE = 0.05, 0.6  # of a smile, that goes: from where on the pits go too, and are gone
# By which part of its width a mouth opens more, without a smile, until its corners are drawn smooth, and how far they are then
OPENS, SMOOTH = (0.05, 0.2), 0.9
# By which part of an opening a grin that stays a smile shuts until its pits go, and how far they do then: a trace is natural
SHUTS, STAYS = (0.4, 0.9), 0.7
# Part of what was seen that is covered: a trace of shade stays, as at all corners; and of pits that are darker so much that they have that share
# of the light around
MOST, TRACE = 0.6, 0.85
# Where a smile turns into a frown the line that ran up from its corner is a hook beside the one that runs down. By how much less the face smiles, and how
# much more it frowns, until all of that is filled in: how much then, from where on it is dark, how far from the corners in widths of the mouth, how
# far from the lips in crop fractions, by how much farther what is filled reaches, and share of that from which on less and less is
TURNS, SINKS = (0.05, 0.25), (0.15, 0.5)
HOOK, HOOK_DEPTH, HOOK_REACH, HOOK_OFF = 0.95, (0.1, 0.28), (0.12, 0.2), (-0.005, -0.001)
HIGHER, HOOK_ENDS = 0.4, 0.6
LINED = 1.3  # times as dark as all of the skin there is what may be a hook


class Pit(NamedTuple):
    """One corner of a mouth.

    Attributes:
        reach: least x and y and largest x and y of the crop points that show it after the edit.
        paint: what is painted where these come from, ``[7]``: sRGB times how far it covers, that, and what creases of the skin around are there.
    """

    reach: tuple[float, float, float, float]
    paint: Patch

    def at(self, source: Tensor, light: Tensor | None, fading: Tensor) -> Tensor:
        """What is painted ``[4,N]`` on skin from crop points ``source [2,N]``, sRGB times how far it covers, and that: as light as the skin around.

        Args:
            light: ``[1 or 3,N]`` change of light there without creases, see :attr:`flow_core.fields.base.Sample.light`.
            fading: ``[0 or 1,N]`` how far creases fade.
        """
        paint, creases = self.paint.at(source).split((4, 3))
        if light is not None:
            factor = (light + fading * creases if len(fading) else light).exp()
            dark = DARK * paint[3]
            paint[:3] = ((paint[:3] + dark) * factor - dark).clamp(min=0)
        return paint


def pits(face: Face, moved: Tensor, smiles: tuple[float, float], frowns: float = 0.0) -> list[Pit]:
    """What is painted at the corners of a mouth; nothing where it goes on smiling, or stays shut.

    Args:
        face: whose view is known.
        moved: ``[161,2]`` its landmarks after, crop points.
        smiles: how much the face smiles before and after.
        frowns: how much more the corners of the mouth are drawn down after.
    """
    ends, middles = [AT[LIPS[0]], AT[LIPS[10]]], [AT[LIPS_INNER[15]], AT[LIPS_INNER[5]]]
    before, after = ((at[middles[1], 1] - at[middles[0], 1]).item() for at in (face.landmarks, moved))
    grins = smoothstep(before, *GRIN)
    gone = smoothstep(smiles[0] - smiles[1], *GONE) * (LINE + (1 - LINE) * grins)
    gone = max(gone, STAYS * grins * smoothstep(1 - after / max(before, 1e-3), *SHUTS))
    opens = smoothstep((after - before) / (moved[ends[1]] - moved[ends[0]]).norm().item(), *OPENS)
    gone = max(gone, SMOOTH * opens * (1 - smoothstep(smiles[1], *HELD)))
    hooked = smoothstep(smiles[0] - smiles[1], *TURNS) * smoothstep(frowns, *SINKS)
    if not max(gone, hooked):
        return []

    def made() -> tuple[list[Box], Tensor, Tensor, Tensor]:
        with torch.inference_mode(False):  # what is kept may be asked for outside of it
            return _without(face.view, face.creases, face.landmarks, hooked)

    boxes, half, bare, (near, dark, hook) = made() if hooked else kept_with(_BARE, face, None, made)
    cover = torch.maximum(gone * near * dark, hook)
    cover[..., [0, -1], :] = cover[..., [0, -1]] = 0
    paint = torch.cat([bare[:, :3] * cover, cover, bare[:, 3:]], 1)
    reach, found = half * half.new_tensor(DRAWN), []
    for i, (end, box) in enumerate(zip(ends, boxes, strict=True)):
        (x0, y0), (x1, y1) = (moved[end] - reach).tolist(), (moved[end] + reach).tolist()
        found.append(Pit((x0, y0, x1, y1), Patch(box, paint[i : i + 1])))
    return found


_BARE = WeakKeyDictionary()  # face -> :func:`_without` no hook: an edit asks many times


def _without(
    view: Tensor, creases: Tensor | None, landmarks: Tensor, hooked: float
) -> tuple[list[Box], Tensor, Tensor, Tensor]:
    """The corners of a mouth without what is dark there: their boxes; half the sides of these ``[2]``, crop fractions; ``[2,6,SIDE,SIDE]`` sRGB, and
    what creases of the skin around are there; and how near the middle places are, how far they are to be covered, and how far that is sure because of a
    hook, ``[3,2,1,SIDE,SIDE]`` 0..1.

    Args:
        view: ``[1,3,n,n]`` the face, as of :func:`flow_core.faces.shown.view`.
        creases: ``[1,3,n,n]`` of the skin, as of :func:`flow_core.faces.creases.creases`.
        landmarks: ``[161,2]`` crop points.
        hooked: how far a line that runs up from a corner is filled in, 0..1.
    """
    ends = [AT[LIPS[0]], AT[LIPS[10]]]
    across = landmarks[ends[1]] - landmarks[ends[0]]
    width = across.norm()
    axis = across / width
    grow = 1 + HIGHER * hooked
    half = grow * width * (REACH[0] * axis.abs() + REACH[1] * axis.abs().flip(0))
    step = (torch.arange(SIDE, device=view.device) + 0.5) / SIDE * 2 - 1
    away = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1) * half  # [SIDE,SIDE,2]
    middles = landmarks[ends] + WITHIN * torch.stack([across, -across])
    along, beside = away @ axis, away @ down_of(axis)
    far = torch.hypot(along / REACH[0], beside / REACH[1]) / width
    near = 1 - smoothstep(far, ENDS, 1.0)
    points = (middles[:, None, None] + away).flatten(0, 1)[None]  # [1,2 SIDE,SIDE,2]
    colors = seen_at(view, points).unflatten(2, (2, SIDE))[0].movedim(1, 0)  # [2,3,SIDE,SIDE]
    light = (colors.mean(1, keepdim=True) + DARK).log()
    wide = 2 * round(WIDE / (2 * half.max().item()) * SIDE) + 1
    depth = (closing(light, wide) - light).clamp(min=0)
    dark = smoothstep(depth, *DEPTH)
    inner = landmarks[[AT[i] for i in reversed(LIPS_INNER)]]
    within = smoothstep(polygon_distance(inner, points).view(2, 1, SIDE, SIDE), *BETWEEN)
    hidden = torch.maximum(dark, within)
    if creases is None:
        evened = torch.zeros_like(colors)
    else:
        evened = interpolate(creases, points, "bilinear")[0].unflatten(1, (2, SIDE)).movedim(1, 0)
    if hooked:
        outer = landmarks[[AT[i] for i in reversed(LIPS)]]
        off = 1 - smoothstep(polygon_distance(outer, points).view(2, 1, SIDE, SIDE), *HOOK_OFF)
        corners = (points.view(2, SIDE, SIDE, 2) - landmarks[ends][:, None, None]).norm(dim=-1)[:, None]
        off = off * (1 - smoothstep(corners / width, *HOOK_REACH)) * (1 - smoothstep(far / grow, HOOK_ENDS, 1.0))
        # Skin that is full of lines, and a beard, keep theirs.
        usual = (off * depth).sum((2, 3), keepdim=True) / off.sum((2, 3), keepdim=True).clamp(min=1e-3)
        hook = hooked * off * smoothstep(depth - LINED * usual, *HOOK_DEPTH)
        hidden = torch.maximum(hidden, hook)
    known = 1 - largest(hidden, 5)
    bare = filled(torch.cat([colors, evened], 1), known.clamp(min=1e-4))
    black = 1 - (1 - TRACE) / (1 - (-depth).exp()).clamp(min=1e-3)
    cover = torch.maximum(MOST * largest(hidden, 7), largest(black.clamp(min=0), 5))
    cover = F.avg_pool2d(cover, 5, 1, 2)
    sure = HOOK * F.avg_pool2d(off * largest(hook, 5), 5, 1, 2) if hooked else torch.zeros_like(cover)
    boxes = [(*(middle - half).tolist(), *(middle + half).tolist()) for middle in middles]
    return boxes, half, bare, torch.stack([near.expand_as(cover), cover, sure])


__all__ = ["Pit", "pits"]
