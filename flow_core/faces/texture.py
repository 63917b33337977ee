"""The finest light and shade of skin, in which pores, lines and hairs are: of lips and around them, which skin that is drawn out loses; and of
the lids that an open eye hides, for which the skin below it stands.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.directions import down_of
from ..geometry.grid import pixel_centers
from ..geometry.sampling import enlarged
from .creases import DARK, LARGE
from .landmarks import AT, EYES, LIPS
from .mouth import sampled

WIDE, HIGH = 512, 360  # pixels of the raster,
ACROSS, DOWN = (-0.35, 1.35), (-0.6, 0.6)  # and the part of the face in it, in widths of the mouth from its left corner
FINE = 8  # pixels: what is even over about twice as many is no texture
MOST = 0.4  # by which texture is lighter or darker than the skin around, at most
# The same of an eye and the skin around, in its widths; folds are to be no texture
EYE_WIDE, EYE_HIGH, EYE_FINE, EYE_MOST = 448, 224, 10, (-0.14, 0.10)
EYE_ACROSS, EYE_DOWN = (-0.6, 1.6), (-0.65, 0.45)
# How far below the lower lid, in widths of the eye, the skin begins that is shown on the upper one, as in a mirror; and how high it is, beyond which that
# goes back and forth
MIRROR, BAND = 0.22, 0.35


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
    left, right = places[:, AT[LIPS[0]]], places[:, AT[LIPS[10]]]
    share, height = _raster(HIGH, WIDE, ACROSS, DOWN)
    return finest(sampled(image, crop, _points(left, right, share, height)), FINE).clamp_(-MOST, MOST)


@torch.no_grad()
def lid_texture(image: Tensor, crop: Crop) -> Tensor | None:
    """The same of the skin below both eyes, ``[B,2,EYE_HIGH,EYE_WIDE]``, at the places where lids that shut are to show it, see :func:`below`."""
    if crop.side.max().item() < LARGE:
        return None
    places, made = crop.places.cpu(), []
    share, height = _raster(EYE_HIGH, EYE_WIDE, EYE_ACROSS, EYE_DOWN)
    for side in (0, 1):
        lower = places[:, [AT[i] for i in EYES[side][:9]]]
        left, right = (lower[:, 0], lower[:, -1]) if side == 0 else (lower[:, -1], lower[:, 0])
        axis = right - left
        down = down_of(axis)[:, None]
        lowest = ((lower - left[:, None]) * down).sum(-1).amax(1) / axis.square().sum(-1).clamp(min=1e-9)
        seen = sampled(image, crop, _points(left, right, share, below(lowest[:, None, None], height)))
        made.append(finest(seen, EYE_FINE))
    return torch.cat(made, 1).clamp_(*EYE_MOST)


def below(lowest: Tensor | float, height: Tensor) -> Tensor:
    """Heights at which there is the skin that is shown at ``height``, where the lower lid reaches down to ``lowest``; in widths of the eye, downwards."""
    first = lowest + MIRROR
    return first + BAND - (((height - first).abs() % (2 * BAND)) - BAND).abs()


def finest(seen: Tensor, even: int) -> Tensor:
    """By how much colours ``[B,h,w,3]`` are lighter than those around, over ``even`` pixels: logarithms ``[B,1,h,w]``."""
    light = seen.mean(-1).add_(DARK).log_()[:, None]
    return light - enlarged(F.avg_pool2d(light, even), light.shape[2:])


def _raster(high: int, wide: int, across: tuple[float, float], down: tuple[float, float]) -> tuple[Tensor, Tensor]:
    share, height = pixel_centers(high, wide).unbind(-1)
    return tuple(low + (high - low) * v for v, (low, high) in ((share, across), (height, down)))


def _points(left: Tensor, right: Tensor, share: Tensor, height: Tensor) -> Tensor:
    """``[B,h,w,2]`` at shares of the way between points ``[B,2]``, and heights below, in distances of these."""
    left, axis = left[:, None, None], (right - left)[:, None, None]
    down = down_of(axis)
    return left + share[..., None] * axis + height[..., None] * down


__all__ = ["below", "finest", "lid_texture", "mouth_texture"]
