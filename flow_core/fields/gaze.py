"""Lids and gaze: what units ask of both eyes, how well it is seen where they look, and how they look together."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..faces.fit import FittedFace
from ..faces.irises import irises_off
from ..faces.landmarks import AT, EYES, IRISES
from .smooth import smoothstep

WIDE, LOOK_UP, LOOK_DOWN = 0.32, 0.10, 0.40  # shares of an eye's opening
REOPEN = 0.3  # share by which the lids may part farther than they are: a picture shows no more of the eye
# Of a blink: up to where that is so, and from where on there is no eye to be shown; and what eyes that are cast down add to it
SHUT, LOWERED = (0.35, 0.6), 0.25
LOOK_ASIDE, LOOK_HIGH = 0.23, 0.15  # widths of the eye by which an iris goes: 35 and 25 degrees of an eyeball of 24 mm
LOOKS_ASIDE = math.radians(35)
# The units that turn eyes to the viewer's right, and back: of the person's left eye, and of the right one
SIDEWAYS = ("eyeLookOutLeft", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutRight")
FARTHER = 1.2  # times as far as they are found irises lie off the middle: of eyes turned by known amounts
TURNED = 0.12  # widths of the eye by which irises of eyes that look straight ahead lie off its middle where a head is turned by such an angle
SLITS = 0.12, 0.24  # height of eyes, in their widths, between whose lids nothing is seen of an iris, and enough
LEVEL, ASKED = 0.6, 0.3  # share by which a gaze up or down relaxes, and from which amount on it is what was asked for


def eyelids_and_gaze(
    before: Sequence[float], after: Sequence[float], names: tuple[str, ...]
) -> tuple[list[float], list[tuple[float, float]]]:
    """What the units of eyelids and gaze ask of the eyes on the viewer's left and right.

    Args:
        before: U units, numbers, and
        after: U.
        names: of the units.

    Returns:
        Factors of both eyes' openings, and shifts of both irises in widths of the eye, x and y.
    """
    at = _places_of(names)
    factors, shifts = [], []
    for side, out in (("Right", -1), ("Left", 1)):  # the person's right eye is the viewer's left one
        wide, up, down, outwards, inwards = (
            after[at[name + side]] - before[at[name + side]]
            for name in ("eyeWide", "eyeLookUp", "eyeLookDown", "eyeLookOut", "eyeLookIn")
        )
        shut, shuts = (min(units[at["eyeBlink" + side]], 1.0) for units in (before, after))
        factor = (1 - shuts) / max(1 - shut, 0.1) * (1 + LOOK_UP * up - LOOK_DOWN * down)
        factor = min(factor, 1 + REOPEN * eye_to_show(shut, before[at["eyeLookDown" + side]])) * (1 + WIDE * wide)
        factors.append(min(max(factor, 0.0), 1.6))
        shifts.append((LOOK_ASIDE * out * (outwards - inwards), LOOK_HIGH * (down - up)))
    return factors, shifts


@functools.lru_cache(maxsize=2)
def _places_of(names: tuple[str, ...]) -> dict[str, int]:
    return {n: i for i, n in enumerate(names)}


def eye_to_show(shut: float, cast_down: float) -> float:
    """0..1: whether there is an eye to be shown between lids that are ``shut`` and look ``cast_down`` by so much of these units."""
    return min(max((SHUT[1] - shut - LOWERED * max(cast_down, 0.0)) / (SHUT[1] - SHUT[0]), 0.0), 1.0)


def eyes_heights(landmarks: Tensor) -> Tensor:
    """How far the lids of the eyes on the viewer's left and right are apart in the middle, ``[...,2]`` in widths of the eye; of ``[...,161,2]``."""
    rings = landmarks[..., [[AT[i] for i in ring] for ring in EYES], :]
    across, up = rings[..., 8, :] - rings[..., 0, :], rings[..., 12, :] - rings[..., 4, :]
    return up.norm(dim=-1) / across.norm(dim=-1).clamp(min=1e-6)


def looking_together(
    before: Tensor,
    after: Tensor,
    asked: Tensor,
    names: Sequence[str],
    camera: Tensor | float = 0.0,
    seen: Tensor | float = 1.0,
    aside: tuple[float, float] = (0.0, 0.0),
    whole: Tensor | float = 1.0,
) -> Tensor:
    """Units ``[U]`` with which both eyes turn aside by as much: what is read of one iris is too uncertain to turn eyes apart.

    A gaze that nobody asks for relaxes until the eyes look straight ahead or into the camera: who turns the head away and looks at us still
    does. Less is known of how high eyes look, so that relaxes only a little.

    Args:
        before: ``[U]`` units and
        after: ``[U]``.
        asked: ``[U]`` what an edit asks for beside relaxing.
        names: of the units.
        camera: how far aside, to the viewer's right, eyes look that look into the camera; see :func:`camera_aside`.
        seen: share by which a gaze relaxes that nobody asks for; see :func:`irises_seen`.
        aside: how far to the viewer's right eyes are seen to look, and how surely; see :func:`gaze_seen`.
        whole: share by which the whole face relaxes.
    """
    sideways = [names.index(n) for n in SIDEWAYS]
    change, after = after - before, after.clone()
    left, back_left, right, back_right = change[sideways]
    apart = (left - back_left - right + back_right) / 4
    after[sideways] += apart * apart.new_tensor([-1.0, 1, 1, -1])
    was, now, wish = (((v[0] - v[1]) + (v[2] - v[3])) / 2 for v in (before[sideways], after[sideways], asked[sideways]))
    camera = torch.as_tensor(camera).to(was)
    kept = was.clamp(camera.clamp(max=0), camera.clamp(min=0))
    relaxed = now.clamp(torch.minimum(was, kept), torch.maximum(was, kept))
    relaxed = was + (relaxed - was) * seen
    at, sure = torch.as_tensor(aside[0]).to(was), aside[1] * seen
    ahead = was + whole * (at.clamp(camera.clamp(max=0), camera.clamp(min=0)) - at)
    relaxed = relaxed + (ahead - relaxed) * sure
    back = (relaxed - now) * (1 - (wish.abs() / ASKED).clamp(max=1))
    after[sideways] += back * back.new_tensor([0.5, -0.5, 0.5, -0.5])
    for side in ("Left", "Right"):
        up, down = names.index("eyeLookUp" + side), names.index("eyeLookDown" + side)
        level = LEVEL * seen
        share = level + (1 - level) * ((asked[up] - asked[down]).abs() / ASKED).clamp(max=1)
        for unit in (up, down):
            after[unit] = before[unit] + share * (after[unit] - before[unit])
    return after


def irises_seen(landmarks: Tensor) -> Tensor:
    """0..1: how well it is seen where the eyes of a face look, of ``[161,2]``: between narrow lids an iris is a guess."""
    return smoothstep(eyes_heights(landmarks).mean(-1), *SLITS)


def gaze_seen(face: FittedFace, landmarks: Tensor, view: Tensor) -> tuple[Tensor, float]:
    """How far to the viewer's right eyes look, in units of gaze and away from straight ahead, and how surely that is seen, 0..1.

    Args:
        face: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        view: ``[1,3,n,n]`` as of :func:`flow_core.faces.shown.view`.
    """
    off, sure = irises_off(view, landmarks)
    shares = []
    for side in (0, 1):
        ring = [AT[i] for i in EYES[side]]
        left, right = landmarks[[ring[0], ring[8]][:: 1 if side == 0 else -1]]
        across = right - left
        iris = landmarks[AT[IRISES[side][0]]] - left
        shares.append((iris @ across) / across.square().sum().clamp(min=1e-9))
    share = (shares[0] + shares[1]) / 2 - 0.5 + off
    return (FARTHER * share + TURNED * camera_aside(face)[0]) / LOOK_ASIDE, sure


def camera_aside(face: FittedFace) -> Tensor:
    """How far aside, to the viewer's right and in units of gaze, the eyes of a face ``[B]`` look into the camera: against the turn of its head."""
    return -face.rotation[:, 0, 2].clamp(-1, 1).asin() / LOOKS_ASIDE


__all__ = [
    "camera_aside",
    "eye_to_show",
    "eyelids_and_gaze",
    "eyes_heights",
    "gaze_seen",
    "irises_seen",
    "looking_together",
]
