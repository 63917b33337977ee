"""Which mouth a surprised face opens: who has a small mouth with full lips a round one, who has a wide one with thin lips a wider and lower one.

Of 267 photographs of surprise the openings are from 0.22 to 0.72 times as high as wide (the tenth and the ninetieth of 100), and as wide as mouths at
rest are. One mixture of muscles gives all faces the same round hole.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ..faces.fit import FittedFace
from ..faces.landmarks import AT, EYES, LIPS, LIPS_INNER
from ..faces.rig import Rig
from .smooth import smoothstep

# Amounts of raised inner brows, of a jaw that drops and of lips that are pursed, from where on they are surprise together, and surely are
BROWS, JAW, PURSED = (0.2, 0.6), (0.1, 0.3), (0.1, 0.3)
# Width of mouths and height of both lips at rest, in distances of the outer corners of the eyes: in the middle, and by how much more or less one is unlike
# others
WIDTH, LIPS_HIGH = (0.56, 0.025), (0.198, 0.02)
# How far it is pursed, of what is asked, if it is like most, and by how much more or less if not; and by which part its jaw drops more or less
PURSES, DROPS = (0.9, 0.6), 0.2

_POINTS = EYES[0][0], EYES[1][0], LIPS[0], LIPS[10], LIPS[15], LIPS_INNER[15], LIPS[5], LIPS_INNER[5]


def gasping(face: FittedFace, change: Tensor) -> Tensor:
    """Units ``[U]`` that an edit adds, with the mouth that suits the face where they are those of surprise.

    Args:
        face: batch 1.
        change: ``[U]`` of the edit.
    """
    names = face.rig.unit_names
    brows, jaw, pursed = (change[names.index(name)].item() for name in ("browInnerUp", "jawOpen", "mouthPucker"))
    much = smoothstep(brows, *BROWS) * smoothstep(jaw, *JAW) * smoothstep(pursed, *PURSED)
    if not much:
        return change
    wide, high = roundness(face)
    rounder = much * max(-1.0, min((high - wide) / 2, 1.0))
    change = change.clone()
    change[names.index("mouthPucker")] *= 1 + much * (PURSES[0] - 1) + PURSES[1] * rounder
    change[names.index("jawOpen")] *= 1 + DROPS * rounder
    return change


def roundness(face: FittedFace) -> tuple[float, float]:
    """How much wider the mouth of a face is at rest than most, and how much higher its lips are, about -1..1: of its shape, so that what it says
    or shows does not matter."""
    eyes, width, lips = (at + face.shape[0] @ by for at, by in _measures(face.rig))
    return tuple(((of / eyes).item() - middle) / unlike for of, (middle, unlike) in ((width, WIDTH), (lips, LIPS_HIGH)))


@functools.lru_cache(maxsize=2)
def _measures(rig: Rig) -> list[tuple[Tensor, Tensor]]:
    """Of the distance of the outer corners of the eyes, the width of the mouth and the height of both lips, centimetres: what it is, and by how much
    it grows with each shape ``[S]``."""
    with torch.inference_mode(False):
        places = rig.landmarks(torch.cat([rig.neutral[None], rig.shape]))
        x, y = ({i: places[:, AT[i], axis] for i in _POINTS} for axis in (0, 1))
        eyes, width = x[EYES[1][0]] - x[EYES[0][0]], x[LIPS[10]] - x[LIPS[0]]
        lips = y[LIPS_INNER[15]] - y[LIPS[15]] + y[LIPS[5]] - y[LIPS_INNER[5]]
        return [(of[0], of[1:]) for of in (eyes, width, lips)]
