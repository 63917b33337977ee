"""Tiaras, flowers, pearls and pins in hair, which the network that finds hair takes for some.

They are lighter than the hair, or of another hue, as its gloss is. But gloss lies along strands, and is smooth beside the edges and sparks of an
ornament, which go all ways (the structure tensor tells; Förstner, A fast operator for detection of distinct points, 1987).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.lab import hues
from ..geometry.neighbours import blurred, largest
from ..geometry.ramp import ramp
from .hair_colors import toned

WITHIN = 0.8  # of a pixel, from where on it tells what hair looks like
# Of :func:`toned`, by which the light of a head of hair varies at least, over all and from pixel to pixel
LEAST_TONE, LEAST_ROUGH = 6.0, 1.5
LIGHT = 25.0, 45.0  # L of what may be one: drops in black hair are darker
# Times that the light of the hair varies, by which ornaments are lighter; what is next to one; and what shows between them: hair, and their border
LIGHTER, ALSO_LIGHTER, AMONG = (1.0, 2.2), (0.7, 1.5), (-0.5, 0.5)
HUE = 14.0, 26.0  # CIE Lab in one light, by which they may differ in hue
COLORED = 1.5  # for how many times in light that counts
ROUGHER = 1.6, 2.4  # times as rough as most of the hair
AGREED = 0.5, 0.3  # of how far edges go one way: strands, and ornaments
FEW = 0.04, 0.14  # share of places nearby that look like ornaments: too few to be any, and enough
NEAR, FINE = 0.024, 0.008  # of the face square, what is near, and over which light is rough
STEPS = 3  # pixels that ornaments go on from where they look like some


def ornaments(lab: Tensor, hair: Tensor, square: int) -> Tensor:
    """Where ornaments are in what is taken for hair.

    Args:
        lab: pictures ``[B,3,n,n]``, CIE Lab.
        hair: ``[B,1,n,n]`` 0..1.
        square: pixels of a side of the face square.

    Returns:
        ``[B,1,n,n]`` 0..1.
    """
    near, fine = (max(1, round(share * square)) for share in (NEAR, FINE))
    tone = toned(lab[:, :1] / 100)
    across, down = torch.gradient(tone, dim=(3, 2))
    planes = [(tone - blurred(tone, fine, 1)).abs(), across**2, down**2, across * down]
    rough, *edges = blurred(torch.cat(planes, 1), near).split(1, 1)
    hue = hues(lab, 1)
    more = torch.zeros_like(tone)
    usual = torch.full_like(tone[..., :1, :1], torch.inf)
    for i, sure in enumerate(hair[:, 0] > WITHIN):
        if sure.any():
            # ornaments make the light half vary, and not the dark one
            light = tone[i, 0][sure].sort().values
            dark, middle = light[len(light) // 6], light[len(light) // 2]
            off = hue[i] - hue[i][:, sure].median(1).values[:, None, None]
            more[i, 0] = (tone[i, 0] - middle) / (middle - dark).clamp(min=LEAST_TONE)
            more[i, 0] += COLORED * ramp(torch.hypot(*off), *HUE)
            usual[i] = rough[i, 0][sure].median().clamp(min=LEAST_ROUGH)
    looks = ramp(more, *LIGHTER) * ramp(rough / usual, *ROUGHER) * ramp(one_way(*edges), *AGREED) * ramp(hair, 0.3, 0.6)
    looks = looks * ramp(lab[:, :1], *LIGHT)
    found = ramp(blurred(looks, max(1, near - 1)), *FEW)
    if not found.any():
        return found
    alike = ramp(more, *ALSO_LIGHTER)
    found = found * torch.maximum(alike, looks)
    for _ in range(STEPS):
        found = torch.maximum(found, largest(found, 3) * alike)
    return blurred(largest(found, 3) * ramp(more, *AMONG), 1, 1)


def one_way(across: Tensor, down: Tensor, both: Tensor) -> Tensor:
    """How far edges go one way around each place, 0..1; of the mean squares of gradients ``across`` and ``down``, and of their products."""
    return ((across - down) ** 2 + 4 * both**2).sqrt() / (across + down + 5)


__all__ = ["ornaments"]
