"""Keeping speech: people who talk in a clip go on talking under an edited expression.

Expressions relax the jaw: a sad face in a photograph closes its mouth. In a clip a jaw that keeps moving is taken for speech and left
alone; one that stays where it is belongs to an expression and is relaxed. An edit that only closes the mouth still does so.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import torch
from torch import Tensor

from ..faces.rig import load_rig
from ..fields.muscles import MusclesField
from ..fields.smooth import smoothstep

SETTLES = 0.15  # a second: rate at which the recent range of the jaw shrinks towards its place, in units of jawOpen
SPEAKS = 0.05, 0.15  # width of that range up to which a face surely does not talk, and from which on it does


class Speech:
    """Tells how far a face talks, from the recent range of its jaw."""

    def __init__(self) -> None:
        self.range: tuple[float, float] | None = None

    def follow(self, units: Tensor, dt: float) -> float:
        """How far the face talks in this frame, 0..1.

        Args:
            units: ``[1,U]`` that the face shows.
            dt: seconds after the last frame.
        """
        jaw, _ = _at(units.device)
        at = max(units[0, jaw].item(), 0.0)
        low, high = self.range or (at, at)
        self.range = low, high = min(at, low + SETTLES * dt), max(at, high - SETTLES * dt)
        return smoothstep(high - low, *SPEAKS)


def talking(field: MusclesField, much: float) -> MusclesField:
    """A field of one face, changed so that it leaves the jaw to speech.

    Args:
        much: how far the face talks, 0..1, see :meth:`Speech.follow`.
    """
    jaw, mouth = _at(field.units.device)
    # a field that relaxes the whole face copies an expression, or makes the face neutral
    if not much or field.relax.min() > 0 or field.relax[0, jaw] <= 0 or not bool((field.units[0, mouth] > 0).any()):
        return field
    relax = field.relax.clone()
    relax[:, jaw] *= 1 - much
    return replace(field, relax=relax)


@functools.lru_cache(maxsize=2)
def _at(device: torch.device) -> tuple[int, Tensor]:
    """Index of jawOpen, and indices of all units of mouth and jaw."""
    names = load_rig().unit_names
    mouth = [i for i, n in enumerate(names) if n.startswith(("mouth", "jaw"))]
    with torch.inference_mode(False):
        return names.index("jawOpen"), torch.tensor(mouth, device=device)
