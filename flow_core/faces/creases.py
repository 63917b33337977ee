"""How skin would look without its folds: what an expression that goes takes along.

An edit that takes an expression away moves its folds, but a line stays a line, and a cheek that was drawn up stays lighter than the skin
below. So each crop knows by how much the skin of a face is darker or lighter than an even surface through it, and what relaxes gives
that back (:mod:`flow_core.fields.lit`); the texture of the skin stays.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.neighbours import blurred, closing, of_three
from ..geometry.sampling import enlarged
from .landmarks import AT
from .regions import polygon_mask, region_mask

SIZE = 384  # pixels a side of the face square that is looked at
# Pixels a side of face squares from which on hairs' breadths are looked for, at twice that size; of it: what is wider is none; and how strong all of
# them around are, from where on these may be the wrinkles of old skin, and are
LARGE, HAIR, LINED = 560, 0.012, (0.035, 0.065)
DEEPER = 1.3  # by which a line as fine as a pixel or two is darker than it is seen here
WIDE = 0.05  # of it: what is wider is no line
AROUND = 0.16  # of it: what lies within is compared, so that beards have no lines
DARK = 0.05  # added to sRGB values before their logarithm is taken, so that black is not infinitely far away
TIMES = 4  # by which an even surface is coarser
EVEN = 0.035  # of the face square: what of skin is narrower is no part of an even surface
# By how much the logarithm of what counts little for it differs from it; and how often it is found
ODD, ROUNDS = 0.2, 3
BRIGHT = 0.5  # share of what is lighter than that surface which counts: a highlight may be the lamp's
GRAIN = (
    0.04  # by how much texture of skin is lighter or darker than the skin around; what is more is the edge of a fold
)
HAIRY = 0.05, 0.12  # spread of the finest texture of skin, and of a beard, which has no surface
SOFT = 0.01  # of the face square: half the border of skin
# Of it: how far from lids, lips and the nose the shade of skin is as even as elsewhere; and how many times nearer to them lines are
FADES, NEARER = 0.05, 2.0
CORNER = 0.65  # share of skin around the corners of a nose
NOSE = (168, 279, 358, 327, 2, 98, 129, 49)  # its outline: a nose has the same shape whatever a face shows


@torch.no_grad()
def creases(image: Tensor, crop: Crop, size: int | None = None) -> Tensor:
    """``[B,3,size,size]`` on the CPU, of large faces ``[B,3,2 SIZE,2 SIZE]``: what is to be added to the logarithm of sRGB values, and :data:`DARK`, so that skin has no folds; 0 elsewhere.

    Lines that are thin are filled by a closing (dilation, then erosion; Serra, Image Analysis and Mathematical Morphology, 1982). Where all
    around is full of them, as in a beard, they are none. What is left is compared with means of skin around, of which what differs much
    counts little (normalised convolution; Knutsson and Westin, 1993).

    Args:
        image: pictures ``[pictures,3,H,W]``, floats 0..1 or uint8.
        crop: B faces, with landmarks.
        size: pixels a side of the face square that is looked at; None: :data:`SIZE`, and at large faces closer.
    """
    closer, size = size is None and crop.side.max().item() >= LARGE, size or SIZE
    light = crop.aligned(image, size).cpu().add_(DARK).log_()
    wide, around = (2 * round(share * size / 2) + 1 for share in (WIDE, AROUND))
    lines = (closing(light, wide) - light).clamp_(min=0)
    coarse = F.avg_pool2d(lines, 4)
    coarse = F.avg_pool2d(coarse, around // 4, 1, around // 8, count_include_pad=False)
    lines = (lines - enlarged(coarse, (size, size))).clamp_(min=0)

    light += lines
    smooth = of_three(of_three(light))
    small, count = F.avg_pool2d(smooth, TIMES), size // TIMES
    fine = light - smooth
    rough = blurred(F.avg_pool2d(fine.mean(1, keepdim=True).square_(), TIMES), max(1, round(0.02 * count)))
    hairy = ((rough.sqrt() - HAIRY[0]) / (HAIRY[1] - HAIRY[0])).clamp_(0, 1)
    places = crop.places.cpu()
    skin = region_mask(places, "skin", size, SOFT) * (1 - polygon_mask(places[:, [AT[i] for i in NOSE]], size))
    known = F.avg_pool2d(skin, TIMES)
    weight, radius = known, max(1, round(EVEN * count))
    for _ in range(ROUNDS):
        means = blurred(torch.cat([small * weight, weight], 1), radius, 3)
        even = means[:, :3] / means[:, 3:].clamp(min=1e-5)
        weight = known * (1e-3 + (-((small - even).mean(1, keepdim=True) / ODD).square_()).exp())
    off = enlarged(even, (size, size)) - smooth
    off = torch.where(off < 0, BRIGHT * off, off)
    # Shade that goes up to a border of skin would end there in an edge, so it goes by degrees; lines do nearer to it.
    away = (blurred(known, max(1, round(FADES / 2 * count))) - CORNER).clamp_(min=0) / (1 - CORNER)
    away = enlarged(away, (size, size))
    off = off * away + lines * (NEARER * away).clamp_(max=1) - (fine - fine.clamp(-GRAIN, GRAIN))
    inner = (2 * of_three(of_three(skin)) - 1).clamp_(min=0)  # what borders on lips, lids or hair stays
    shows = inner * (1 - enlarged(hairy, (size, size)))
    return _finest(image, crop, off * shows, shows) if closer else off * shows


def _finest(image: Tensor, crop: Crop, off: Tensor, shows: Tensor) -> Tensor:
    """What :func:`creases` finds, with the finest lines that its pixels are too large for: twice as large."""
    size = 2 * off.shape[-1]
    off = enlarged(off, (size, size))
    light = crop.aligned(image, size).cpu().add_(DARK).log_().add_(off)
    wide = 2 * round(HAIR * size / 2) + 1
    line = closing(light, wide).sub_(light)
    line *= (line / GRAIN - 1).clamp_(0, 1)  # what is less is the texture of skin
    full = blurred(F.avg_pool2d(line.mean(1, keepdim=True), 2 * TIMES), round(AROUND / 16 * size), 1)
    alone = enlarged(((full - LINED[0]) / (LINED[1] - LINED[0])).clamp_(0, 1), (size, size)).neg_().add_(1)
    return off.add_(line.mul_(enlarged(shows, (size, size))).mul_(alone), alpha=DEEPER)
