"""sRGB to CIE Lab (D65) and back for lists of pixels; as :mod:`kornia.color`, in fewer passes over them."""

from __future__ import annotations

import torch
from torch import Tensor

_TO_XYZ = (  # linear sRGB -> XYZ, divided by that of white
    (0.412453 / 0.95047, 0.357580 / 0.95047, 0.180423 / 0.95047),
    (0.212671, 0.715160, 0.072169),
    (0.019334 / 1.08883, 0.119193 / 1.08883, 0.950227 / 1.08883),
)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Lab ``[3,N]`` of sRGB ``[3,N]`` in 0..1."""
    linear = torch.where(rgb > 0.04045, _power((rgb.clamp(min=0.04) + 0.055) / 1.055, 2.4), rgb / 12.92)
    xyz = rgb.new_tensor(_TO_XYZ) @ linear
    f = torch.where(xyz > 0.008856, _power(xyz.clamp(min=0.008), 1 / 3), 7.787 * xyz + 4 / 29)
    return torch.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def hues(lab: Tensor, dim: int = 0) -> Tensor:
    """a and b of colours whose channels lie along ``dim``, as they would be in one light: the same in light and shade."""
    light, hue = lab.split((1, 2), dim)
    return hue * (56 / (light + 16)).clamp(max=1.2)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """sRGB ``[3,N]`` in 0..1 of Lab ``[3,N]``; colours out of gamut are clipped."""
    y = (lab[0] + 16) / 116
    f = torch.stack([y + lab[1] / 500, y, (y - lab[2] / 200).clamp(min=0)])
    xyz = torch.where(f > 0.2068966, f * f * f, (f - 4 / 29) / 7.787)
    linear = torch.linalg.inv(torch.tensor(_TO_XYZ, dtype=torch.double)).to(lab) @ xyz
    rgb = torch.where(linear > 0.0031308, 1.055 * _power(linear.clamp(min=0.003), 1 / 2.4) - 0.055, 12.92 * linear)
    return rgb.clamp(0, 1)


def _power(base: Tensor, exponent: float) -> Tensor:
    """``base ** exponent`` for bases above 0, in half the time."""
    return base.log().mul_(exponent).exp_()


__all__ = ["hues", "lab_to_rgb", "rgb_to_lab"]
