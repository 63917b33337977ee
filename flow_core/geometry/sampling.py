"""Sampling and resampling of rasters: every moved pixel and every value of a field passes through here."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Box: TypeAlias = tuple[int, int, int, int]  # rows from, to (exclusive), columns from, to
_FEW = 1 << 13  # points; fewer are sampled by one core
_ROWS = 64  # of a reduced picture that are computed at once, so that they stay in the processor's cache


def grid_sample(values: Tensor, grid: Tensor, mode: str, padding: str, align_corners: bool = False) -> Tensor:
    """:func:`torch.nn.functional.grid_sample` that uses all cores for a single picture.

    PyTorch's CPU kernel shares out only the pictures of a batch, so here bands of rows of the one picture are passed as a batch.

    Args:
        values: ``[B,C,h,w]``.
        grid: ``[B,H,W,2]`` in -1..1.

    Returns:
        ``[B,C,H,W]``, equal to PyTorch's to the bit.
    """
    count = torch.get_num_threads()
    height, width = grid.shape[1:3]
    if len(values) > 1 or values.device.type != "cpu" or count == 1 or height * width < _FEW or height < count:
        return F.grid_sample(values, grid, mode, padding, align_corners)
    rows = height // count
    parts = grid[0, : count * rows].unflatten(0, (count, rows))
    found = F.grid_sample(values.expand(count, -1, -1, -1), parts, mode, padding, align_corners)
    found = found.transpose(0, 1).flatten(1, 2)[None]
    if count * rows == height:
        return found
    return torch.cat([found, F.grid_sample(values, grid[:, count * rows :], mode, padding, align_corners)], 2)


def between_nodes(values: Tensor, points: Tensor) -> Tensor:
    """Bilinear value ``[B,C,H,W]`` of a raster ``[B,C,n,n]`` on :func:`nodes` at crop points ``[B or 1,H,W,2]``.

    Unlike bicubic interpolation it keeps a map that does not fold between its nodes from folding.
    """
    if values.device.type == "mps":  # no padding_mode="border" on MPS
        return between_nodes(values.cpu(), points.cpu()).to(values.device)
    points = points.expand(len(values), -1, -1, -1)
    return grid_sample(values, grid_of(points), "bilinear", "border", align_corners=True)


def interpolate(values: Tensor, points: Tensor, mode: str = "bicubic") -> Tensor:
    """Value of a raster at any crop point; outside 0..1 the border value holds.

    The only place that turns control points into a continuous field, so that a preview, the optimiser and the final warp
    of a large photo all see the same field.

    Args:
        values: ``[B,C,h,w]`` at pixel centres.
        points: ``[B or 1,H,W,2]`` crop points.
        mode: ``bicubic``, or ``bilinear``, which cannot fold between pixels (see :func:`between_nodes`).

    Returns:
        ``[B,C,H,W]``, differentiable in ``values``.
    """
    if values.device.type == "mps":  # grid_sample has neither a bicubic kernel there nor padding_mode="border"
        return interpolate(values.cpu(), points.cpu(), mode).to(values.device)
    batch = max(values.shape[0], points.shape[0])
    values = values.expand(batch, -1, -1, -1)
    points = points.expand(batch, -1, -1, -1)
    return grid_sample(values, grid_of(points), mode, "border")


def grid_of(points: Tensor) -> Tensor:
    """Crop points in the -1..1 of :func:`sample_grid`, in one pass, since they may be millions."""
    return torch.add(points.new_tensor(-1.0), points, alpha=2)


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
    return sample_grid(image, normalized(image, points, mode), mode)


def normalized(image: Tensor, points: Tensor, mode: str = "bilinear") -> Tensor:
    """Image points ``[B,h,w,2]`` in the -1..1 of :func:`sample_grid`. For bicubic sampling, points beyond the border are moved onto it."""
    size = points.new_tensor([image.shape[3], image.shape[2]])
    if mode != "bilinear":  # at the border bicubic grid_sample mixes in other pixels
        points = torch.minimum(points.clamp(min=0.5), size - 0.5)
    return points * (2 / size) - 1


def sample_grid(image: Tensor, grid: Tensor, mode: str, padding: str = "border") -> Tensor:
    """``grid_sample`` of a picture, on every device.

    Args:
        image: ``[B,C,H,W]``.
        grid: ``[B,h,w,2]`` in -1..1, for bicubic sampling between the middles of the border's pixels.
        mode: ``bilinear`` or ``bicubic``.
        padding: ``border``; or ``zeros``, which is quicker and the same if ``grid`` keeps to its range.

    Returns:
        ``[B,C,h,w]``.
    """
    if image.device.type != "mps":
        return grid_sample(image, grid, mode, padding)
    size = grid.new_tensor([image.shape[3], image.shape[2]])  # neither padding_mode="border" nor bicubic there
    most = 1 - 1 / size
    image, grid = F.pad(image, (2,) * 4, mode="replicate"), grid.clamp(-most, most) * (size / (size + 4))
    if mode == "bicubic":
        return grid_sample(image.cpu(), grid.cpu(), mode, "zeros").to(image.device)
    return grid_sample(image, grid, mode, "zeros")


def enlarged(planes: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Planes ``[B,C,h,w]`` enlarged to ``size``, bilinear.

    They are passed as single-channel pictures: three channels torch would convert to channels-last and back, which takes
    twice as long.
    """
    single = planes.flatten(0, 1)[:, None]
    found = F.interpolate(single, size, mode="bilinear", align_corners=align_corners)
    return found.view(*planes.shape[:2], *size)


def enlarged_part(planes: Tensor, size: int, box: Box) -> tuple[Tensor, Box]:
    """The part of ``enlarged(planes, (size, size))`` around a box, for square planes ``[B,C,k,k]``.

    Returns:
        the part ``[B,C,h,w]`` and its own box, which contains ``box`` and begins and ends where pixels of both sizes do.
    """
    cells = planes.shape[-1] // math.gcd(planes.shape[-1], size)  # these are exactly `pixels` pixels
    pixels = size * cells // planes.shape[-1]
    rim = -(-2 // cells)  # neighbours that interpolation needs
    y0, x0 = (max(0, first // pixels - rim) for first in box[::2])
    y1, x1 = (min(size // pixels, -(-last // pixels) + rim) for last in box[1::2])
    part = planes[:, :, y0 * cells : y1 * cells, x0 * cells : x1 * cells].contiguous()
    y0, y1, x0, x1 = (v * pixels for v in (y0, y1, x0, x1))
    return enlarged(part, (y1 - y0, x1 - x0)), (y0, y1, x0, x1)


def downscaled(image: Tensor, scale: float) -> Tensor:
    """Pictures ``[B,C,H,W]``, floats 0..1 or uint8, as float32 0..1, reduced by ``scale`` with antialiasing; a scale of 1 or more
    keeps their size."""
    whole = 255 if image.dtype == torch.uint8 else 1
    image = image if whole == 255 else image.float()
    if scale < 1:
        size = [max(1, round(n * scale)) for n in image.shape[2:]]
        image = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
    return image.float() / whole if whole == 255 else image


def reduced(image: Tensor, times: int) -> Tensor:
    """Pictures ``[B,C,H,W]``, floats 0..1 or uint8, as float32 0..1, averaged over squares of ``times`` pixels a side.

    Pixels left over at the right and bottom are dropped. As ``avg_pool2d``, several times as quick.
    """
    height, width = (side // times for side in image.shape[2:])
    out = torch.empty(*image.shape[:2], height, width, device=image.device)
    share = (1 / 255 if image.dtype == torch.uint8 else 1) / times**2
    for part, of in zip(out.split(_ROWS, 2), image[..., : times * width].split(times * _ROWS, 2), strict=False):
        of = of[:, :, : times * part.shape[2]].float()
        rows = sum(of[:, :, i::times] for i in range(times))
        torch.mul(sum(rows[..., i::times] for i in range(times)), share, out=part)
    return out


def require_finite(image: Tensor) -> None:
    """Raise ValueError if an image holds NaN or infinity, which a warp would spread."""
    # A sum is several times quicker than a test of each pixel; only if it is not finite, each pixel is tested.
    if not image.sum().isfinite() and not torch.isfinite(image).all():
        raise ValueError(
            "The picture holds NaN or infinite pixels (often a half-precision VAE decode); "
            "repair it before FaceFlow, for example by decoding in fp32."
        )
