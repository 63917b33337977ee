"""The skin of a moved face: its offsets on a raster, which fade beside the outline of the face."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.grid import pixel_centers
from ..geometry.mesh import barycentric, polygon_distance
from ..geometry.neighbours import filled, of_three
from ..geometry.sampling import enlarged
from .smooth import smoothstep

RASTER = 192  # pixels a side of the raster of the skin's offsets, six times a power of two; 384 gives the same picture
_COARSE = 28  # pixels a side of the raster on which the distance to the outline is computed
RIM = 0.01  # fractions of the crop side beyond the outline, that a face goes on at most: the outline is a polygon
FADE = 0.16  # fractions of the crop side beyond the face's outline at which its motion has faded


def skin_offsets(shift: Tensor, triangles: Tensor, seen: tuple[Tensor, Tensor], outline: Tensor) -> Tensor:
    """Backward offsets of the skin on a raster, fading out beyond the outline of the face; and how its light changes, if asked.

    Args:
        shift: ``[V,2]`` where the mesh's vertices were before, less where they are after, crop fractions; or ``[V,3]`` with the
            logarithm of the factor of their luminance.
        triangles: ``[T,3]`` of the face.
        seen: triangles and weights of the pixels of the raster, from :func:`flow_core.geometry.mesh.rasterise`.
        outline: ``[N,2]`` crop points of the face's outline after, clockwise.

    Returns:
        ``[1,2 or 3,size,size]``, continued smoothly where no skin is seen. It is linear between pixels: curves that go through all of them
        would overshoot beside steep places, and fold the skin.
    """
    index, weights = seen
    size = len(index)
    offset = barycentric(shift, triangles, index, weights).permute(2, 0, 1)[None]
    # A distance is smooth enough to be asked on a coarse raster.
    coarse = polygon_distance(outline, _coarse(outline.device))[None]
    distance = enlarged(coarse, (size, size))
    # what is seen beyond it, where a face gets narrower, is the neck behind it
    (x, y), (middle_x, middle_y) = _places(size, outline.device), outline.mean(0)
    narrower = offset[:, :1] * (x - middle_x) + offset[:, 1:2] * (y - middle_y) > 0
    known = (index >= 0)[None, None] & (distance > torch.where(narrower, 0.0, -RIM))
    # What is not known is smooth, so half the resolution does for it. It joins what is known without a step.
    share = F.avg_pool2d(known.float(), 2)
    half = F.avg_pool2d(offset * known, 2) / share.clamp(min=0.25)
    around, means = filled(half, share), _means(size // 2, 2, half.device)
    for _ in range(2):
        around = torch.where(share > 0, half, means @ around @ means.T)
    around = enlarged(around, (size, size))
    offset = of_three(torch.where(known, offset, around))  # facets of the mesh are not to be seen
    return offset * smoothstep(distance, -FADE, 0.0)


@functools.lru_cache(maxsize=2)
def _coarse(device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return pixel_centers(_COARSE, _COARSE, device)


@functools.lru_cache(maxsize=4)
def _places(size: int, device: torch.device) -> Tensor:
    """``[2,size,size]``: x and y of the pixels, crop points."""
    with torch.inference_mode(False):
        return pixel_centers(size, size, device)[0].movedim(-1, 0).contiguous()


@functools.lru_cache(maxsize=8)
def _means(count: int, radius: int, device: torch.device) -> Tensor:
    """``[count,count]``: takes pixels of a row to the means of those up to ``radius`` away."""
    with torch.inference_mode(False):
        i = torch.arange(count, device=device)
        near = ((i[:, None] - i).abs() <= radius).float()
        return near / near.sum(1, keepdim=True)
