"""A linear step."""

from __future__ import annotations

from torch import Tensor


def ramp(value: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """0 up to ``low``, 1 from ``high`` on, linear between them; falling if ``low`` is the larger one."""
    return ((value - low) / (high - low)).clamp(0, 1)


__all__ = ["ramp"]
