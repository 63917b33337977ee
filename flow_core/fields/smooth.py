"""What goes smoothly from 0 to 1: of one value, or of many at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def smoothstep(x: Any, low: float | Tensor, high: float | Tensor) -> Any:
    """0 below ``low``, 1 above ``high``, cubic between; of a tensor, an array or a number."""
    t = (x - low) / (high - low)
    if not isinstance(t, Tensor):
        t = t.clip(0, 1) if isinstance(t, np.ndarray) else min(max(t, 0.0), 1.0)
        return t * t * (3 - 2 * t)
    t = t.clamp_(0, 1)
    square = t * t
    return (3 * square).addcmul_(square, t, value=-2)


def smoothsteps(*steps: tuple[Tensor, float, float]) -> tuple[Tensor, ...]:
    """:func:`smoothstep` of many tensors ``[N]``, each with its bounds: of some thousand points all at once take little longer than one."""
    values, lows, highs = zip(*steps, strict=True)
    t = torch.stack(values)
    bounds = t.new_tensor([lows, [high - low for low, high in zip(lows, highs, strict=True)]])[..., None]
    t = t.sub_(bounds[0]).div_(bounds[1]).clamp_(0, 1)
    square = t * t
    return t.mul_(-2).add_(3).mul_(square).unbind()
