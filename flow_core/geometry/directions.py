"""Directions in the plane of a picture."""

from __future__ import annotations

import torch
from torch import Tensor


def down_of(along: Tensor) -> Tensor:
    """What lies a right angle clockwise, as pictures are seen, of directions ``[...,2]``: down, of one that goes to the right."""
    return torch.stack([-along[..., 1], along[..., 0]], -1)


__all__ = ["down_of"]
