"""How far lips are apart, how far they are to be, and the units with which they meet."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ..faces.fit import FittedFace
from ..faces.landmarks import AT, EYES
from ..faces.rig import Rig
from ..geometry.directions import down_of
from .following import skin_after
from .named_units import landmark_moves, units_at, units_named

FACING = (13, 14), (82, 87), (312, 317), (81, 178), (311, 402)  # points of the upper and the lower lip that meet
# What units of the rig, as the reader sees them, add to the opening of lips: least squares over 172 faces (r = 0.96)
PARTING = {"jawOpen": 0.33, "mouthLowerDown": 0.21, "mouthUpperUp": 0.05}
BESIDE = 0.05  # and beside those units, once lips are apart
UNSEEN = 0.5  # share of what people part their lips more, where nothing is known of what lies behind
NEARLY, MEET = 0.04, 0.006  # opening up to which lips are to meet, and how far they then lie over one another


def lips_apart(landmarks: Tensor) -> Tensor:
    """How far the lips are apart ``[...,5]``, first in the middle and then towards the corners, of landmarks ``[...,161,2]``, in
    distances of the outer corners of the eyes; below 0 where one lies over the other."""
    left, right, upper, lower = landmarks.index_select(-2, _lips(landmarks.device)).split((1, 1, 5, 5), -2)
    across = right - left
    return ((lower - upper) * down_of(across)).sum(-1) / across.square().sum(-1).clamp(min=1e-9)


@functools.lru_cache(maxsize=2)
def _lips(device: torch.device) -> Tensor:
    """Which landmarks are the outer corners of the eyes, and which the points of :data:`FACING` of the upper and of the lower lip."""
    with torch.inference_mode(False):
        upper, lower = zip(*FACING, strict=True)
        return torch.tensor([AT[i] for i in (EYES[0][0], EYES[1][0], *upper, *lower)], device=device)


def lips_wanted(rig: Rig, change: Tensor, now: Tensor) -> Tensor:
    """How far lips are to be apart in the middle where the units ``change [U]`` are asked of a face whose lips are ``now`` apart.

    As far as those of people who show that. But nothing is known of the teeth behind closed lips: those part less, by
    little more than the rig's own muscles part them.
    """
    people, own = _parted_by(rig) @ change
    people = people.clamp(min=0)
    people = people + people.clamp(max=BESIDE)
    open_ = ((now - NEARLY) / NEARLY).clamp(0, 1)
    return (own + (people - own) * (UNSEEN + (1 - UNSEEN) * open_)).clamp(min=0)


def meeting(face: FittedFace, landmarks: Tensor, units: Tensor) -> Tensor:
    """Units ``[U]`` with no more of ``mouthClose`` than takes the lips together: it undoes an open jaw, and would push closed lips
    through each other."""
    close = face.rig.unit_names.index("mouthClose")
    least = face.units[0, close]
    if units[close] <= least:
        return units
    without = torch.cat([units[:close], least[None], units[close + 1 :]])
    apart = lips_apart(skin_after(face, landmarks, torch.stack([without, units])))[:, 0]
    share = ((apart[0] + MEET) / (apart[0] - apart[1]).clamp(min=1e-6)).clamp(0, 1)
    return without + (units - without) * share


def shutting(face: FittedFace, landmarks: Tensor, units: Tensor, relax: Tensor, change: Tensor) -> Tensor:
    """Units ``[U]`` with as much more of ``mouthClose`` as shuts a mouth that is asked to relax.

    What the reader sees of a grin does not explain all of its opening, so relaxed units alone leave teeth between the lips.

    Args:
        face: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        units: ``[U]`` after an edit.
        relax: ``[U]`` of the edit: a mouth shuts as far as all that parts lips relaxes, and to where what is asked beside parts them.
        change: ``[U]`` of the edit.
    """
    names = face.rig.unit_names
    share = relax.index_select(0, units_at(face.rig, *PARTING)).min().clamp(0, 1)
    if share == 0:
        return units
    close = names.index("mouthClose")
    more = units.clone()
    more[close] += 1
    after = skin_after(face, landmarks, torch.stack([units, more]))
    now, apart, nearer = lips_apart(torch.cat([landmarks[None], after]))[:, 0]
    too_far = apart - lips_wanted(face.rig, change, now)
    return units + (more - units) * share * (too_far / (apart - nearer).clamp(min=1e-6)).clamp(0, 1)


@functools.lru_cache(maxsize=2)
def _parted_by(rig: Rig) -> Tensor:
    """What each unit at 1 adds to the opening in the middle, of people (:data:`PARTING`) and on the rig's own face: ``[2,U]``."""
    with torch.inference_mode(False):
        rest = rig.landmarks(rig.neutral)[:, :2]
        own = (lips_apart(rest + landmark_moves(rig)[..., :2]) - lips_apart(rest))[:, 0]
        people = sum(share * units_named(rig, n) / units_named(rig, n).sum() for n, share in PARTING.items())
        return torch.stack([people, own])


__all__ = ["lips_apart", "lips_wanted", "meeting", "shutting"]
