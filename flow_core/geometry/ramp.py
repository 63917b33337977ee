"""From not at all to fully, in a straight line."""

from __future__ import annotations

from torch import Tensor


def ramp(value: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """0 at ``low``, 1 at ``high``, and beyond as there; ``low`` may be the larger one."""
    return ((value - low) / (high - low)).clamp(0, 1)


__all__ = ["ramp"]
