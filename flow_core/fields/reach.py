"""Which units make a face show what is asked: where its landmarks go with its muscles, and the way back.

A unit of the rig is not a unit as it is read: how much of a smile is read depends on the mouth, and what one muscle does is
partly read as another. Where an edit asks for what was read on a face (a copied expression, or a face at rest), units are
found in a closed loop: the face's own landmarks are moved as the rig moves them, and read again, and bounded, regularised
least squares take what is read to what was asked (Gauss-Newton steps; Nocedal and Wright, Numerical Optimization, 2006,
chapter 10).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from ..faces.fit import FittedFace
from ..faces.read import UNITS, read_units
from ..faces.rig import Rig
from .following import landmarks_after
from .parting import MEET, NEARLY, lips_apart

# What MediaPipe reads in warped pictures for 1 that is read in landmarks moved as the rig moves them: slopes on 110 copies, left and
# right as one. It knows faces, and believes half of what lids and irises do alone.
SEEN = {
    "browDown": 0.7, "browInnerUp": 0.65, "browOuterUp": 0.65, "eyeBlink": 0.5, "eyeSquint": 0.55, "eyeWide": 0.5, "eyeLookIn": 0.65,
    "eyeLookOut": 0.65, "eyeLookUp": 0.6, "eyeLookDown": 0.5, "mouthPucker": 0.7, "mouthStretch": 0.75, "mouthShrugLower": 0.7,
    "mouthUpperUp": 0.8,
}  # fmt: skip
# How well the two agree: correlations on the same copies. What is hardly foreseen is hardly sought.
AGREE = {
    "brow": 0.85, "eyeBlink": 0.75, "eyeLookDown": 0.5, "eyeLookUp": 0.5, "eyeLook": 0.77, "eyeSquint": 0.77, "eyeWide": 0.4,
    "jawOpen": 0.9, "jaw": 0.6, "mouthSmile": 0.95, "mouthLowerDown": 0.86, "mouthUpperUp": 0.86, "mouthFrown": 0.7,
    "mouthPress": 0.6, "mouthPucker": 0.45, "mouthRoll": 0.65, "mouthShrug": 0.35, "mouthStretch": 0.65, "mouthDimple": 0.3,
    "mouthLeft": 0.4, "mouthRight": 0.4,
}  # fmt: skip
NOISE = 0.05  # of what is read
# Share of a goal that the search reaches, which is bounded and stays near where it starts: slopes on 100 copies. Mouths reach theirs.
REACHES = {"brow": 0.8, "eye": 0.8}
AWAY = 0.35  # how far units may go from where the search starts, one standard deviation; less for those that
STEADY = {"mouthClose": 0.2, "mouthPucker": 0.12, "mouthFrown": 0.12, "mouthFunnel": 0.12, "mouthDimple": 0.12, "mouthLeft": 0.12, "mouthRight": 0.12,
          "mouthRoll": 0.12, "mouthShrug": 0.15, "noseSneer": 0.12,
          "cheekSquint": 0.12, "tongueOut": 0.01, "jawForward": 0.01, "cheekPuff": 0.01, "browTogether": 0.01}  # fmt: skip
OVER = 0.08  # of an opening that shuts: nobody knows the edge of a lip to the pixel, and teeth would be seen between
APART = 0.012  # how exactly lips meet, or part as far as asked, distances of the outer corners of the eyes
STEPS = 3
_DIFFERENCE = 0.02  # of a unit, by which derivatives are taken


def reached(
    face: FittedFace,
    landmarks: Tensor,
    change: Tensor,
    parted: Tensor,
    start: Tensor,
    low: Tensor,
    high: Tensor,
    since: Tensor | None = None,
) -> Tensor:
    """Units with which a face is read as asked.

    Args:
        face: batch 1, with the units that it shows.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        change: ``[52]`` of what MediaPipe reads, in the order of :data:`flow_core.faces.read.UNITS`.
        parted: how far the lips are to be apart, in the middle, as of :func:`lips_apart`: a reader hardly tells lips that meet from lips that
            nearly do, and people tell at once.
        start: ``[U]`` units near which the answer lies.
        low: ``[U]`` least units and
        high: ``[U]`` most.
        since: ``[161,2]`` where the landmarks are from which ``change`` counts; None: ``landmarks``.

    Returns:
        ``[U]``.
    """
    weight, seen, away = (t.to(landmarks) for t in _weights(face.rig))
    goal = read_units((landmarks if since is None else since)[None])[0] + change / seen
    shut = 1 - (parted / NEARLY).clamp(0, 1)
    over = MEET + OVER * lips_apart(landmarks)[0].clamp(0, 0.3)
    parted = parted - shut * over

    def missed(units: Tensor) -> Tensor:
        after = landmarks_after(face, landmarks, units)
        apart = lips_apart(after)
        # Lips that are to meet meet all along.
        apart = torch.cat([(parted - apart[:, :1]) / APART, shut * (-over - apart) / APART], 1)
        return torch.cat([(goal - read_units(after)) * weight, apart], 1)

    return nearest(missed, start, away, low, high)


@torch.no_grad()
def nearest(
    missed: Callable[[Tensor], Tensor], start: Tensor, away: Tensor, low: Tensor, high: Tensor, steps: int = STEPS
) -> Tensor:
    """Units ``[U]`` within bounds that miss a goal least in the squares, and stay near where the search starts.

    Args:
        missed: ``[N,U]`` units -> ``[N,K]`` by how much each misses the goal, in standard deviations.
        start: ``[U]``.
        away: ``[U]`` standard deviations from ``start``.
        low: ``[U]`` and
        high: ``[U]`` bounds.
        steps: Gauss-Newton steps.
    """
    found = torch.minimum(torch.maximum(start, low), high)
    differ = _DIFFERENCE * torch.eye(len(start)).to(start)
    for _ in range(steps):
        misses = missed(torch.cat([found[None], found + differ]))
        jacobian = (misses[:1] - misses[1:]) / _DIFFERENCE  # [U,K]
        normal = jacobian @ jacobian.T + torch.diag(away**-2)
        right = jacobian @ misses[0] + (start - found) / away**2
        step = torch.linalg.solve(normal, right)
        # What would leave its bounds goes as far as they, and the others make up for it.
        goal = found + step
        within = torch.minimum(torch.maximum(goal, low), high) - found
        free = ((goal >= low) & (goal <= high)).to(step)  # differences of floats would say so by chance
        matrix = normal * free[:, None] * free + torch.diag(1 - free)
        step = torch.linalg.solve(matrix, (right - normal @ (within * (1 - free))) * free) + within * (1 - free)
        found = torch.minimum(torch.maximum(found + step, low), high)
    return found


@functools.lru_cache(maxsize=2)
def _weights(rig: Rig) -> tuple[Tensor, Tensor, Tensor]:
    """Weight ``[52]`` of what is read, how much of what is asked is seen ``[52]``, and how far units may go ``[U]``."""

    with torch.inference_mode(False):
        seen = torch.tensor([_of(SEEN, n, 1.0) for n in UNITS])
        weight = torch.tensor([_of(AGREE, n, 0.3) for n in UNITS]) * seen / NOISE
        return weight, seen, torch.tensor([_of(STEADY, n, AWAY) for n in rig.unit_names])


@functools.lru_cache(maxsize=1)
def reaches() -> Tensor:
    """:data:`REACHES` in the order of ``UNITS``."""
    with torch.inference_mode(False):
        return torch.tensor([_of(REACHES, n, 1.0) for n in UNITS])


def _of(table: dict[str, float], name: str, otherwise: float) -> float:
    """The value of the first entry with which a unit's name begins."""
    return next((v for n, v in table.items() if name.startswith(n)), otherwise)


__all__ = ["nearest", "reached", "reaches"]
