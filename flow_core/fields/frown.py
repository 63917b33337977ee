"""The folds that stand between brows which are drawn together.

The light that photographs of many people give (:mod:`flow_core.faces.shading`) is a mean, in which these folds are smeared: everybody has
them elsewhere. So they are drawn: an upright furrow at the inner end of either brow, the skin that bulges between the two, and, finer than the
raster of the skin, the line in the depth of each furrow.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..geometry.mesh import barycentric
from .patch import Patch, finely
from .smooth import smoothstep

# On the rig's face at rest, centimetres: how far the furrows lie from the middle, how far they lean apart upwards for each centimetre,
# how wide they and the bulge beside them are; and the height of their middle, and by how much they reach beyond it.
AT, LEAN, WIDE, MIDDLE, REACH = 0.95, 0.14, 0.26, -3.45, 1.15
BULGE, BULGES = 0.5, 0.24
# Logarithms of the factors of luminance, for a full contraction; and of both sides, for no face frowns evenly.
DARK, LIGHT, SIDES = 0.34, 0.12, (1.0, 0.8)
# Of the lines in them, in the same units: their width, how far they reach and how dark they are; how far beside them their lips lie, how wide those
# are, and how light. A brow that is half drawn together makes a quarter of a line
LINE, LINE_REACH, LINE_DARK = 0.055, 0.95, 0.30
LIP, LIPS, LIP_LIGHT = 0.16, 0.12, 0.05
# By which they sway: how far, how often, where; the other side's are OTHER farther on
WAVES = (0.035, 2.1, 0.3), (0.02, 5.3, 1.1)
OTHER = 2.4
# Skin that has no lines yet folds broadly: how much broader and fainter lines are there, and how much less they sway
BROADER, FAINTER, STRAIGHTER = 0.9, 0.4, 0.5
FINER = 4  # pixels of their raster for one of that of the skin
AROUND = 2.2, 1.6  # half the width and height of what that shows
SEEN = 0.15, 0.25  # of a pixel of the picture, up to which lines are seen, and from which on they are not


class Frown(NamedTuple):
    """How the logarithm of luminance changes."""

    furrows: Tensor  # [1,1,n,n] on the raster of the skin
    lines: Patch | None  # of one channel; None where the picture shows nothing so fine


def frown_light(
    drawn: Tensor,
    neutral: Tensor,
    triangles: Tensor,
    seen: tuple[Tensor, Tensor],
    pixel: float = 0.0,
    smooth: float = 0.0,
) -> Frown | None:
    """By how much the logarithm of luminance changes; None where nothing is drawn together.

    Args:
        drawn: ``[2]`` how far the person's left and right brow are drawn to the middle, 1 = a full contraction.
        neutral: ``[V,3]`` vertices of the rig at rest, centimetres.
        triangles: ``[T,3]``.
        seen: triangles and weights of the pixels, from :func:`flow_core.geometry.mesh.rasterise`.
        pixel: side of a pixel of the picture, centimetres.
        smooth: 0..1, how far the skin there has no lines at rest.
    """
    drawn = drawn.clamp(0, 1.2)
    if drawn.max() < 0.05:
        return None
    places = barycentric(neutral[:, :2].contiguous(), triangles, *seen)
    here = seen[0] >= 0
    side, high, away = _furrows(drawn, *places.unbind(-1))
    line = _ridge(away - AT, WIDE) * -DARK + _ridge(away - BULGE, BULGES) * LIGHT
    along = (1 - (high / REACH).square()).clamp(min=0).square()
    lines = _lines(drawn, places, here, pixel, smooth) if pixel < SEEN[1] else None
    return Frown((side * line * along * here)[None, None], lines)


def _lines(drawn: Tensor, places: Tensor, here: Tensor, pixel: float, smooth: float) -> Patch | None:
    """The lines in the furrows, of places ``[n,n,2]`` of the rig at rest and where they are known ``[n,n]``."""
    near = here & ((places - places.new_tensor([0, MIDDLE])).abs() < places.new_tensor(AROUND)).all(-1)
    part = finely(places, near, FINER)
    if part is None:
        return None
    box, (x, y), near = part
    side, high, away = _furrows(drawn, x, y)
    sway = 1 - STRAIGHTER * smooth
    away = away - AT + sum(sway * far * (count * high + start + OTHER * (x > 0)).sin() for far, count, start in WAVES)
    line, dark = LINE * (1 + BROADER * smooth), LINE_DARK * (1 - FAINTER * smooth)
    width = (line**2 + pixel**2 / 4) ** 0.5  # as wide as pixels at least, and fainter then
    light = _ridge(away, width) * (-dark * line / width) + _ridge(away.abs() - LIP, LIPS) * LIP_LIGHT
    light = (1 - smoothstep(pixel, *SEEN)) * side.square() * light
    light = light * (1 - (high / LINE_REACH).square()).clamp(min=0) * near
    light[[0, -1]] = light[:, [0, -1]] = 0
    return Patch(box, light[None, None])


def _furrows(drawn: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """At places of the rig at rest: how far the brow of that side is drawn to the middle, how high they lie above the middle of the furrows, and how
    far aside, where these lean."""
    high = y - MIDDLE
    return torch.where(x > 0, drawn[0] * SIDES[0], drawn[1] * SIDES[1]), high, x.abs() + LEAN * high


def _ridge(away: Tensor, width: float) -> Tensor:
    return (-(away / width).square()).exp()
