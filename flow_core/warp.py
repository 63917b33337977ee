"""The backward warp: the one place where pixels move, and the measures of how they moved."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from .diffeo import FEATHER, Flow, displacement, taper
from .field import Field, pixel_centers

if TYPE_CHECKING:
    from .align import Crop
    from .implicit import Implicit

_TILE_PIXELS = 1 << 17  # a tile stays in the processor's cache, and the memory of a warp small, whatever the photo
_DENSE = 1024  # cells of the raster that stands in for the control points of a larger face


def sample_image(image: Tensor, points: Tensor, mode: str = "bilinear") -> Tensor:
    """Colours of an image at any image points; beyond the border the border's colour holds.

    Every moved pixel of the project passes through here.

    Args:
        image: ``[B,C,H,W]``.
        points: ``[B,h,w,2]`` in pixels, x then y, pixel centres at ``+0.5``.
        mode: ``bilinear``, or ``bicubic`` where the sharpness of a photo counts.

    Returns:
        ``[B,C,h,w]``, differentiable in ``points`` and ``image``.
    """
    h, w = image.shape[2:]
    # Clamped points in an image grown by its border stand in for padding_mode="border", which MPS lacks.
    pad = 2 if mode == "bicubic" else 1
    size = points.new_tensor([w, h])
    points = torch.minimum(points.clamp(min=0.5), size - 0.5) + pad
    grid = points / (size + 2 * pad) * 2 - 1
    image = F.pad(image, (pad,) * 4, mode="replicate")
    if mode == "bicubic" and image.device.type == "mps":
        return F.grid_sample(image.cpu(), grid.cpu(), mode, "zeros", False).to(image.device)
    return F.grid_sample(image, grid, mode=mode, padding_mode="zeros", align_corners=False)


def taper_mask(crop: Crop, feather: float = FEATHER) -> Tensor:
    """Where an edit can act, in the photo: ``[B,H,W]``, 1 in the middle of each crop, 0 at its border and beyond."""
    h, w = crop.image_size
    pixels = pixel_centers(h, w) * torch.tensor([w, h])
    return torch.cat([taper(crop.select(i).to("cpu").to_crop(pixels), feather) for i in range(crop.batch)])


def warp(
    image: Tensor,
    crop: Crop,
    field: Field | Implicit,
    shape: float = 1.0,
    color: float = 1.0,
    mask: Tensor | None = None,
    feather: float = FEATHER,
) -> tuple[Tensor, Tensor]:
    """Apply a field to the original pixels, at their own resolution (paper, equation 1).

    The crop-frame field is carried into the image by the crop's matrix. Pixels that the field leaves alone are
    copied, not resampled: with strength 0, a zero field, or outside the crop they are bit-identical.

    Args:
        image: ``[B,C,H,W]`` with C = 1 (grey), 3 (RGB) or 4 (RGB and alpha, which moves along).
        crop: where the face is; its batch is B or 1.
        field: its batch is B or 1.
        shape: strength of the coordinate offsets; 0 = off, negative = the opposite movement. A velocity field folds at
            no strength.
        color: strength of the colour offsets.
        mask: ``[B or 1,H,W]`` in 0..1, multiplies the edit. The offsets of a velocity field are integrated before, so
            a steep mask may fold what the field alone does not; :func:`flow_core.algebra.mask` masks the velocity.
        feather: share of the crop side over which the edit fades out.

    Returns:
        The edited image ``[B,C,H,W]`` and the mask ``[B,H,W]`` of changed pixels (0 or 1).

    Raises:
        ValueError: shapes do not fit together, or the image holds NaN.
    """
    if image.ndim != 4 or image.shape[1] not in (1, 3, 4):
        raise ValueError(f"Expected an image [B,C,H,W] with 1, 3 or 4 channels, got {tuple(image.shape)}.")
    b, _, h, w = image.shape
    crop.require_size(image)
    for name, n in (("crop", crop.batch), ("field", field.batch), *([("mask", len(mask))] if mask is not None else [])):
        if n not in (1, b):
            raise ValueError(f"{n} {name}s do not fit {b} pictures: give one for all, or one for each.")
    if mask is not None and mask.shape[1:] != (h, w):
        raise ValueError(f"The mask has {mask.shape[2]}x{mask.shape[1]} pixels, the picture {w}x{h}; resize the mask.")
    require_finite(image)
    if not (math.isfinite(shape) and math.isfinite(color)) or (mask is not None and not mask.isfinite().all()):
        raise ValueError("A strength or the mask is NaN or infinite; give finite numbers.")

    field = field.require_finite().scale(shape, color).to(image.device)
    out = image.clone()
    changed = image.new_zeros(b, h, w)
    for i in range(b):
        one = crop.select(i if crop.batch > 1 else 0).to(image.device)
        f = field.select(i if field.batch > 1 else 0)
        m = None if mask is None else mask[i if len(mask) > 1 else 0].to(image)
        x0, y0, x1, y1 = one.bounds()
        flow = Flow(f, feather, _DENSE if (x1 - x0) * (y1 - y0) > 2 * _DENSE**2 else None)
        rows = max(1, _TILE_PIXELS // max(1, x1 - x0))
        for top in range(y0, y1, rows):
            box = (x0, top, x1, min(y1, top + rows))
            _warp_tile(image[i : i + 1], out[i : i + 1], changed[i], one, flow, m, box)
    return out, changed


def _warp_tile(
    image: Tensor,
    out: Tensor,
    changed: Tensor,
    crop: Crop,
    flow: Flow,
    mask: Tensor | None,
    box: tuple[int, int, int, int],
) -> None:
    """Warp the pixels of ``box`` (x0, y0, x1, y1) from ``image`` into ``out``."""
    x0, y0, x1, y1 = box
    tile = (slice(y0, y1), slice(x0, x1))
    # Coordinates are kept as planes: a product with a matrix for each pixel would cost more than the sampling.
    x = torch.arange(x0, x1, device=image.device, dtype=torch.float32) + 0.5
    y = (torch.arange(y0, y1, device=image.device, dtype=torch.float32) + 0.5)[:, None]
    (a, b, u), (c, d, v), _ = crop.matrix[0].tolist()
    offset, color = flow(torch.stack([a * x + (b * y + u), c * x + (d * y + v)], -1)[None])
    if mask is not None:
        offset, color = offset * mask[tile], color * mask[tile]
    (a, b, _), (c, d, _), _ = crop.inverse[0].tolist()
    shift_x, shift_y = a * offset[0, 0] + b * offset[0, 1], c * offset[0, 0] + d * offset[0, 1]
    moved = (shift_x != 0) | (shift_y != 0)
    if color.shape[-1] > 1 or color.any():
        moved = moved | (color != 0).any(1)[0]
    if not moved.any():
        return
    source_x, source_y = shift_x.add_(x), shift_y.add_(y)
    # Sampling from the part of the photo that is needed keeps coordinates exact and memory small.
    lo = [math.floor(p.min().item()) - 3 for p in (source_x, source_y)]
    hi = [math.ceil(p.max().item()) + 3 for p in (source_x, source_y)]
    sx0, sy0 = (min(max(v, 0), n - 1) for v, n in zip(lo, (image.shape[3], image.shape[2]), strict=True))
    sx1, sy1 = max(hi[0], sx0 + 1), max(hi[1], sy0 + 1)
    part = image[:, :, sy0:sy1, sx0:sx1]
    source = torch.stack([source_x.sub_(sx0), source_y.sub_(sy0)], -1)[None]
    new = sample_image(part, source, "bicubic")
    channels = image.shape[1]
    if channels == 1:
        new = new + color.mean(1, keepdim=True)
    else:
        new[:, :3] += color
    # Bicubic weights and colour offsets may overshoot; pictures beyond 0..1 (HDR) keep their own range.
    least, most = (v.item() for v in part.aminmax())
    new = new.clamp_(min(0.0, least), max(1.0, most))
    if not moved.all():
        new = torch.where(moved, new, image[(slice(None), slice(None), *tile)])
    out[(slice(None), slice(None), *tile)] = new
    changed[tile] = moved


def require_finite(image: Tensor) -> None:
    """Raise ValueError where an image holds NaN or infinity, which a warp would spread."""
    # a sum is several times quicker than a look at each pixel, and finite unless very large numbers add up
    if not image.sum().isfinite() and not torch.isfinite(image).all():
        raise ValueError(
            "The picture holds NaN or infinite pixels (often a half-precision VAE decode); "
            "repair it before FaceFlow, for example by decoding in fp32."
        )


def jacobian_determinant(
    field: Field | Implicit, size: int = 128, strength: float = 1.0, feather: float = FEATHER
) -> Tensor:
    """Determinant of the Jacobian of the warp ``p -> p + offset(p)`` of ``field.scale(strength)`` on a ``size x size`` grid of the crop.

    1 keeps areas, above 1 the picture shrinks there, 0 and below the warp folds (Modersitzki, Numerical Methods
    for Image Registration, 2004). Central differences over one grid step, differentiable in the field.

    Returns:
        ``[B,size,size]``.
    """
    step = 0.5 / size
    centers = pixel_centers(size, size, field.device)
    # four half-step neighbours in one call: x-, x+, y-, y+
    shifts = centers.new_tensor([[-step, 0], [step, 0], [0, -step], [0, step]])
    points = torch.cat([centers + s for s in shifts], 1)
    offset = displacement(field.scale(strength), points, feather)[0]
    left, right, up, down = (points.permute(0, 3, 1, 2) + offset).chunk(4, 2)
    dx, dy = (right - left) * size, (down - up) * size
    return dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0]


def fold_share(field: Field | Implicit, size: int = 256, strength: float = 1.0) -> float:
    """Share 0..1 of the crop where the warp folds (determinant <= 0)."""
    return (jacobian_determinant(field, size, strength) <= 0).float().mean().item()
