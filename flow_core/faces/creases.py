"""Where skin is creased: thin dark lines on it, such as the folds beside a mouth that smiles.

An edit that takes an expression away moves its creases, but a line stays a line. So each crop knows how much lighter the skin
beside a crease is, and what relaxes gives that light back (:mod:`flow_core.fields.muscles`); the texture of the skin stays.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.sampling import enlarged

SIZE = 384  # pixels a side of the face square that is looked at
WIDE = 0.05  # of it: what is wider is no crease
AROUND = 0.16  # of it: what lies within is compared, so that beards have none
DARK = 0.05  # added to sRGB values before their logarithm is taken, so that black is not infinitely far away


@torch.no_grad()
def creases(image: Tensor, crop: Crop, size: int = SIZE) -> Tensor:
    """``[B,3,size,size]`` on the CPU: by how much, as a logarithm, the sRGB values of a place, and :data:`DARK`, are below those of the skin beside it.

    A closing (dilation, then erosion; Serra, Image Analysis and Mathematical Morphology, 1982) fills lines that are thin. Where all
    around is full of them, as in a beard, they are none.

    Args:
        image: pictures ``[pictures,3,H,W]``, floats 0..1 or uint8.
        crop: B faces.
        size: pixels a side of the face square that is looked at.
    """
    light = crop.aligned(image, size).cpu().add_(DARK).log_()
    wide, around = (2 * round(share * size / 2) + 1 for share in (WIDE, AROUND))
    closed = -largest(-largest(light, wide), wide)
    depth = (closed - light).clamp_(min=0)
    coarse = F.avg_pool2d(depth, 4)
    coarse = F.avg_pool2d(coarse, around // 4, 1, around // 8, count_include_pad=False)
    return (depth - enlarged(coarse, (size, size))).clamp_(min=0)


def largest(values: Tensor, count: int) -> Tensor:
    """The largest of ``count`` (odd) values around each along both axes; windows of twice the length are made of two."""
    values = F.pad(values, [count // 2] * 4, mode="replicate")
    for axis in (2, 3):
        length = 1
        while length < count:
            more = min(length, count - length)
            kept = values.shape[axis] - more
            values = torch.maximum(values.narrow(axis, 0, kept), values.narrow(axis, more, kept))
            length += more
    return values
