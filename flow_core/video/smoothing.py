"""Smoothing over time, without jitter at rest and without lag in motion."""

from __future__ import annotations

import math

from torch import Tensor


class OneEuro:
    """The One Euro filter (Casiez, Roussel, Vogel, CHI 2012): a low-pass whose cutoff frequency rises with the speed.

    The speed is the norm over the last axis.

    Args:
        min_cutoff: cutoff at rest, Hz; 0 switches the filter off.
        beta: increase of the cutoff, Hz for each unit per second.
        d_cutoff: cutoff of the low-pass on the speed, Hz.
        shared: use the mean speed for all points, so that they move as one.
    """

    def __init__(self, min_cutoff: float, beta: float, d_cutoff: float = 1.0, shared: bool = False) -> None:
        self.min_cutoff, self.beta, self.d_cutoff, self.shared = min_cutoff, beta, d_cutoff, shared
        self.reset()

    def reset(self) -> None:
        """Forget the past; the next value is returned as it is."""
        self.value: Tensor | None = None
        self.speed: Tensor | None = None

    def __call__(self, value: Tensor, dt: float, unit: float = 1.0) -> Tensor:
        """The filtered value, ``dt`` seconds after the last one; ``unit`` is the length that counts as one unit for ``beta``."""
        if self.value is None or self.value.shape != value.shape or self.min_cutoff <= 0 or dt <= 0:
            self.value, self.speed = value, None
            return value
        speed = (value - self.value) / dt / unit
        # not smoothed at first, or what moves from the beginning would lag
        self.speed = speed if self.speed is None else self.speed + _alpha(self.d_cutoff, dt) * (speed - self.speed)
        speed = self.speed.norm(dim=-1, keepdim=True)
        if self.shared:
            speed = speed.mean()
        self.value = self.value + _alpha(self.min_cutoff + self.beta * speed, dt) * (value - self.value)
        return self.value


def _alpha(cutoff: Tensor | float, dt: float) -> Tensor | float:
    """Weight of the new value in exponential smoothing (equation 4 of the paper)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * dt))


def cutoff(smooth: float) -> float:
    """Cutoff at rest in Hz for a dial 0..1: 0 = off, 0.5 = 1 Hz, 1 = 0.25 Hz."""
    return 4 ** (1 - 2 * smooth) if smooth > 0 else 0.0
