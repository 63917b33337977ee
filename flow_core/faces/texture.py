"""The finest light and shade of lips and of the skin around them, in which pores, lines and hairs are: what skin that is drawn out loses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..geometry.sampling import enlarged
from .creases import DARK, LARGE
from .landmarks import AT, LIPS
from .mouth import sampled

WIDE, HIGH = 512, 360  # pixels of the raster,
ACROSS, DOWN = (-0.35, 1.35), (-0.6, 0.6)  # and the part of the face in it, in widths of the mouth from its left corner
FINE = 8  # pixels: what is even over about twice as many is no texture
MOST = 0.4  # by which texture is lighter or darker than the skin around, at most


@torch.no_grad()
def mouth_texture(image: Tensor, crop: Crop) -> Tensor | None:
    """By how much places around the mouths are lighter than the skin around, logarithms ``[B,1,HIGH,WIDE]`` on the CPU; None for small faces, of which
    so much is not seen.

    Args:
        image: pictures ``[pictures,3,H,W]``, floats 0..1 or uint8.
        crop: B faces, with landmarks.
    """
    if crop.side.max().item() < LARGE:
        return None
    places = crop.places.cpu()
    left, right = places[:, AT[LIPS[0]], None, None], places[:, AT[LIPS[10]], None, None]
    axis = right - left
    down = torch.stack([-axis[..., 1], axis[..., 0]], -1)
    share, height = pixel_centers(HIGH, WIDE).unbind(-1)
    share, height = (low + (high - low) * v for v, (low, high) in ((share, ACROSS), (height, DOWN)))
    points = left + share[..., None] * axis + height[..., None] * down
    light = sampled(image, crop, points).mean(-1).add_(DARK).log_()[:, None]
    around = enlarged(F.avg_pool2d(light, FINE), (HIGH, WIDE))
    return (light - around).clamp_(-MOST, MOST)


__all__ = ["mouth_texture"]
