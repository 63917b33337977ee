"""The folds that stand between brows which are drawn together.

The light that photographs of many people give (:mod:`flow_core.faces.shading`) is a mean, in which these folds are smeared: everybody has
them elsewhere. So they are drawn: an upright furrow at the inner end of either brow, and the skin that bulges between the two.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.mesh import barycentric

# On the rig's face at rest, centimetres: how far the furrows lie from the middle, how far they lean apart upwards for each centimetre,
# how wide they and the bulge beside them are; and the height of their middle, and by how much they reach beyond it.
AT, LEAN, WIDE, MIDDLE, REACH = 0.95, 0.14, 0.26, -3.45, 1.15
BULGE, BULGES = 0.5, 0.24
# Logarithms of the factors of luminance, for a full contraction; and of both sides, for no face frowns evenly.
DARK, LIGHT, SIDES = 0.34, 0.12, (1.0, 0.8)


def frown_light(drawn: Tensor, neutral: Tensor, triangles: Tensor, seen: tuple[Tensor, Tensor]) -> Tensor | None:
    """By how much the logarithm of luminance changes, ``[1,1,n,n]`` on a raster; None where nothing is drawn together.

    Args:
        drawn: ``[2]`` how far the person's left and right brow are drawn to the middle, 1 = a full contraction.
        neutral: ``[V,3]`` vertices of the rig at rest, centimetres.
        triangles: ``[T,3]``.
        seen: triangles and weights of the pixels, from :func:`flow_core.geometry.mesh.rasterise`.
    """
    drawn = drawn.clamp(0, 1.2)
    if drawn.max() < 0.05:
        return None
    x, y = barycentric(neutral[:, :2].contiguous(), triangles, *seen).unbind(-1)
    side = torch.where(x > 0, drawn[0] * SIDES[0], drawn[1] * SIDES[1])
    high = y - MIDDLE
    away = x.abs() + LEAN * high
    line = (-((away - AT) / WIDE).square()).exp() * -DARK + (-((away - BULGE) / BULGES).square()).exp() * LIGHT
    along = (1 - (high / REACH).square()).clamp(min=0).square()
    return (side * line * along * (seen[0] >= 0))[None, None]
