"""People who talk in a clip go on talking, whatever else an edit makes them show.

Expressions relax the jaw: a sad face in a photograph closes its mouth. In a clip a jaw that comes and goes speaks, and one that stays where it
is belongs to an expression; only that is relaxed. An edit that does nothing to a mouth but to close it does so in clips, too.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import torch
from torch import Tensor

from ..faces.rig import load_rig
from ..fields.muscles import MusclesField
from ..fields.smooth import smoothstep

SETTLES = (
    0.15  # of the jaw's whole way, in a second, by which its highest and its lowest place of late come near where it is
)
SPEAKS = 0.05, 0.15  # how far those lie apart in faces that surely do not talk, and in those that do; of that way


class Speech:
    """How far a face talks, by where its jaw has been of late."""

    def __init__(self) -> None:
        self.range: tuple[float, float] | None = None

    def follow(self, units: Tensor, dt: float) -> float:
        """How far it talks in this frame, 0..1.

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
    """The field, of one face, which leaves the jaw to speech.

    Args:
        much: how far the face talks, 0..1, see :meth:`Speech.follow`.
    """
    jaw, mouth = _at(field.units.device)
    # What relaxes the whole face asks for an expression as it was read, or for none.
    if not much or field.relax.min() > 0 or field.relax[0, jaw] <= 0 or not bool((field.units[0, mouth] > 0).any()):
        return field
    relax = field.relax.clone()
    relax[:, jaw] *= 1 - much
    return replace(field, relax=relax)


@functools.lru_cache(maxsize=2)
def _at(device: torch.device) -> tuple[int, Tensor]:
    """Index of the jaw that opens, and those of all that moves mouths."""
    names = load_rig().unit_names
    mouth = [i for i, n in enumerate(names) if n.startswith(("mouth", "jaw"))]
    with torch.inference_mode(False):
        return names.index("jawOpen"), torch.tensor(mouth, device=device)
