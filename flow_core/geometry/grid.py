"""Grids of points in the crop frame: pixel centres, corners of cells, and pixel centres of turned and shifted views."""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_centers(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Crop points of the pixel centres of a ``height x width`` raster.

    Returns:
        ``[1,height,width,2]``, fractions 0..1, x then y.
    """
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]


def nodes(cells: int, device: torch.device | str = "cpu") -> Tensor:
    """Crop points ``[1,cells+1,cells+1,2]`` of the corners of ``cells x cells`` cells, which include the border of the crop."""
    x = torch.arange(cells + 1, device=device, dtype=torch.float32) / cells
    return torch.stack(torch.meshgrid(x, x, indexing="xy"), -1)[None]


def turned_centers(size: int, angle: Tensor, zoom: Tensor, shift: Tensor, flip: Tensor) -> Tensor:
    """Crop points of the pixel centres of views that are turned, zoomed, shifted and mirrored.

    Args:
        size: side of the views, in pixels.
        angle: ``[n]`` radians.
        zoom: ``[n]`` sides of the view, in sides of the crop.
        shift: ``[n,1,1,2]`` of the view's centre, in fractions of the crop side.
        flip: ``[n,1,1]``, -1 for mirrored views, else 1.

    Returns:
        ``[n,size,size,2]``.
    """
    cos, sin = (angle.cos() * zoom)[:, None, None], (angle.sin() * zoom)[:, None, None]
    x, y = (pixel_centers(size, size, angle.device) - 0.5).unbind(-1)
    x = x * flip
    return torch.stack([cos * x - sin * y, sin * x + cos * y], -1) + shift + 0.5
