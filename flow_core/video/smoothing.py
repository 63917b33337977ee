"""Smoothing over time: what rests does not jitter, and what moves does not lag."""

from __future__ import annotations

import math

from torch import Tensor


class OneEuro:
    """The One Euro filter (Casiez, Roussel, Vogel, CHI 2012): a low-pass whose cutoff rises with the speed, so that
    what rests does not jitter and what moves does not lag.

    The speed is the norm over the last axis; with ``shared`` the mean over all points, so that they move as one.

    Args:
        min_cutoff: Hz at rest; 0 switches the filter off.
        beta: Hz more for each unit per second.
        d_cutoff: Hz of the low-pass on the speed.
    """

    def __init__(self, min_cutoff: float, beta: float, d_cutoff: float = 1.0, shared: bool = False) -> None:
        self.min_cutoff, self.beta, self.d_cutoff, self.shared = min_cutoff, beta, d_cutoff, shared
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next value passes as it is."""
        self.value: Tensor | None = None
        self.speed: Tensor | None = None

    def __call__(self, value: Tensor, dt: float, unit: float = 1.0) -> Tensor:
        """The filtered value, ``dt`` seconds after the last one; ``unit`` is the length of which ``beta`` speaks."""
        if self.value is None or self.value.shape != value.shape or self.min_cutoff <= 0 or dt <= 0:
            self.value, self.speed = value, None
            return value
        speed = (value - self.value) / dt / unit
        # the first speed is taken as it is, else what moves from the beginning would lag at first
        self.speed = speed if self.speed is None else self.speed + _alpha(self.d_cutoff, dt) * (speed - self.speed)
        speed = self.speed.norm(dim=-1, keepdim=True)
        if self.shared:
            speed = speed.mean()
        self.value = self.value + _alpha(self.min_cutoff + self.beta * speed, dt) * (value - self.value)
        return self.value


def _alpha(cutoff: Tensor | float, dt: float) -> Tensor | float:
    """Share of the new value in an exponential smoothing (equation 4 there)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * dt))


def cutoff(smooth: float) -> float:
    """Hz at rest for a dial 0..1: 0 = off, 0.5 = 1 Hz, 1 = a quarter of that."""
    return 4 ** (1 - 2 * smooth) if smooth > 0 else 0.0
