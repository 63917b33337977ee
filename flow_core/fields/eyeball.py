"""What an eyeball shows that its lids hid.

An iris is round, and so is everything around its centre: pupil, iris, rim and white. So what comes to light above or below what was seen is taken from
the same distance of that centre, but nearer to the level of the iris, where lids do not reach. The angles that were seen there are spread over those that
are to be seen: hardly where the eye was open, and more and more towards the lids. Drawn out upwards instead, irises would be columns.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..faces.lids import seen_at
from .curves import SAMPLES, Frame
from .smooth import smoothstep

RADII, ANGLES = 40, 49  # samples of distances from the centre, and of angles from straight down to straight up
LIDS = 0.08  # height of what lies in the shade of a lid or behind lashes, of that of the eye
MIDDLE = 0.3  # how near to either end of what was seen its middle lies at most, as a share of it
# Of the colours around an iris: up to how many radii they are known; height along the lids of what does not count, of that of the eye, and the ends of the
# eye, of its length; and which of those on an iris, and of those beside it, ordered by lightness
FAR, PLAIN, CORNER, USUAL = 2.2, 0.15, 0.12, (0.4, 0.6)
# Angles beyond what was seen at which they begin to be painted, and are; how far at least; and the angles between which they are wholly, for what
# is spread from the left and from the right meets straight above and below
HIDDEN, GUESSED, SEAM = (0.05, 0.5), 0.4, (0.7, 1.45)
LEAST = 1e-3  # by which lids show more than they did, in widths of the eye, so that anything is done about it


def arcs_of(
    seen: np.ndarray, after: np.ndarray, iris: tuple[float, float], length: float
) -> np.ndarray | None:
    """Which angles around the centre of an iris were seen, and are to be seen, at each distance; None where nothing hidden comes to light.

    Args:
        seen: ``[2,TABLE]`` heights of the upper and lower lid as they were, on the eyeball as it was, and
        after: ``[2,TABLE]`` what of it they show after.
        iris: place of its centre along the eye and down.
        length: from corner to corner.

    Returns:
        ``[6,2,RADII]`` on its left and right: the distance at which something was seen, an angle in the middle of what was, and, from there on, how far
        up it was seen and is to be seen, and how far down; angles are 0 beside the centre and pi / 2 above it.
    """
    (center, middle), along, (upper, lower) = iris, SAMPLES * length, seen
    top, bottom = after
    beyond = np.maximum(upper - top, bottom - lower)
    if beyond.max() < LEAST * length:
        return None
    shade = LIDS * (lower - upper).clip(min=0)
    upper, lower = upper + np.minimum(shade, 2 * (upper - top).clip(min=0)), lower - np.minimum(shade, 2 * (bottom - lower).clip(min=0))
    found = []
    for side in (-1, 1):
        farthest = center if side < 0 else length - center
        radius = (np.arange(RADII) / (RADII - 1) * farthest).clip(min=1e-6)[:, None]
        angle = np.linspace(-math.pi / 2, math.pi / 2, ANGLES)
        a, b = center + side * radius * np.cos(angle), middle - radius * np.sin(angle)
        before, now = (
            _ends(np.minimum(b - np.interp(a, along, low), np.interp(a, along, high) - b), angle)
            for low, high in ((upper, lower), (top, bottom))
        )
        known = before[1] > before[0]
        if not known.any():
            return None
        at = np.arange(RADII)
        nearest = np.abs(at[:, None] - at[known]).argmin(1)
        nearest = at[known][nearest]
        low, high = before[:, nearest]
        margin = MIDDLE * (high - low)
        level = np.clip(0.0, low + margin, high - margin)
        found.append([radius[nearest, 0], level, high - level, np.maximum(now[1], high) - level, level - low, level - np.minimum(now[0], low)])
    return np.stack(found, 1)


def _ends(inside: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """First and last angle ``[2,R]`` at which ``inside [R,A]`` is above 0, between samples; the last one below the first where it nowhere is."""
    here = inside > 0
    rows, last = np.arange(len(inside)), len(angle) - 1
    ends = []
    for first, way in ((here.argmax(1), -1), (last - here[:, ::-1].argmax(1), 1)):
        beyond = (first + way).clip(0, last)
        within, without = inside[rows, first], inside[rows, beyond]
        share = np.where(beyond == first, 0.0, within / np.maximum(within - without, 1e-9)).clip(0, 1)
        ends.append(angle[first] + share * (angle[beyond] - angle[first]))
    low, high = ends
    return np.stack([np.where(here.any(1), low, 1.0), np.where(here.any(1), high, 0.0)])



def profile_of(
    view: Tensor, frame: Frame, seen: np.ndarray, iris: tuple[float, float, float]
) -> Tensor:
    """Colours ``[3,RADII]`` of an eye at distances of up to :data:`FAR` radii from the centre of its iris: what is usual at each among what was seen, so
    without highlights on the iris and lashes over the white.

    Args:
        view: ``[1,3,n,n]`` the face, as of :func:`flow_core.faces.shown.view`.
        frame: of the eye, crop points.
        seen: ``[2,TABLE]`` its upper and lower lid.
        iris: its place along the eye and down, and its radius.
    """
    (center, middle, radius), length = iris, frame.length
    distance = np.linspace(0, FAR * radius, RADII)[:, None]
    angle = np.linspace(-math.pi, math.pi, 2 * ANGLES)
    a, b = center + distance * np.cos(angle), middle - distance * np.sin(angle)
    upper, lower = (np.interp(a, SAMPLES * length, lid) for lid in seen)
    shade = PLAIN * (lower - upper)
    here = (b > upper + shade) & (b < lower - shade) & (np.minimum(a, length - a) > CORNER * length)
    colors = seen_at(view, torch.from_numpy(np.stack(frame.back(a, b), -1))[None])[0].cpu().numpy()
    light = np.where(here, colors.mean(0), np.inf)
    order, count = light.argsort(1), here.sum(1)
    usual = np.where(distance[:, 0] < radius, *USUAL)
    at = (usual * (count - 1).clip(min=0)).round().astype(np.int64)
    found = np.take_along_axis(colors, order[None, np.arange(RADII)[:, None], at[:, None]].reshape(1, RADII, 1), 2)[..., 0]
    known = count > 0
    if not known.any():
        return None
    rows = [np.interp(np.arange(RADII), np.flatnonzero(known), row[known]) for row in found]
    return torch.from_numpy(np.stack(rows).astype(np.float32))


def unhidden(
    arcs: Tensor, iris: Tensor, length: Tensor, along: Tensor, down: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Where on eyeballs is seen what lies at some places of them, along the eye and down, and how far what was seen does not tell it, 0..1: ``[E,N]``.

    Args:
        arcs: ``[E,6,2,RADII]`` as of :func:`arcs_of`.
        iris: ``[2,E,1]`` place of its centre along the eye and down.
        length: ``[E,1]`` from corner to corner.
        along, down: ``[E,N]`` the places.
    """
    aside, up = along - iris[0], iris[1] - down
    right = aside > 0
    distance, angle = torch.hypot(aside, up), torch.atan2(up, aside.abs())
    step = distance / torch.where(right, length - iris[0], iris[0]).clamp(min=1e-6) * (RADII - 1)
    low = step.long().clamp_(max=RADII - 2)
    share = (step - low).clamp_(max=1)
    row = 2 * torch.arange(len(arcs), device=low.device)[:, None] + right
    rows, at = arcs.movedim(1, 0).flatten(1), (low + RADII * row).flatten()
    first, last = (rows.index_select(1, i).unflatten(1, low.shape) for i in (at, at + 1))
    radius, level, *ends = torch.lerp(first, last, share)
    off = angle - level
    seen, wanted = (torch.where(off > 0, *pair) for pair in ((ends[0], ends[2]), (ends[1], ends[3])))
    hidden = smoothstep(off.abs() - seen, *HIDDEN)
    hidden = hidden * (GUESSED + (1 - GUESSED) * smoothstep(angle.abs(), *SEAM))
    angle = level + off.sign() * gather(off.abs(), wanted, seen)
    return iris[0] + torch.where(right, radius, -radius) * angle.cos(), iris[1] - radius * angle.sin(), hidden


def profile_at(profile: Tensor, distance: Tensor) -> Tensor:
    """Colours ``[3,N]`` of a ``profile [3,RADII]`` at distances ``[N]``, in radii of the iris."""
    step = (distance / FAR).clamp(max=1) * (RADII - 1)
    low = step.long().clamp_(max=RADII - 2)
    first, last = (profile.index_select(1, i) for i in (low, low + 1))
    return torch.lerp(first, last, step - low)


def gather(distance: Tensor, wanted: Tensor, seen: Tensor) -> Tensor:
    """Distances ``0..wanted`` from the middle of what was seen taken into ``0..seen`` where that is less: nearly as they are in the middle,
    and closer and closer together towards the lid."""
    more = (wanted / seen.clamp(min=1e-5) - 1).clamp(1e-3, 9)
    share = (distance / wanted.clamp(min=1e-5)).clamp(0, 1)
    return distance / (1 + more * share ** (1 + 0.9 / more).clamp(max=3))


__all__ = ["arcs_of", "unhidden"]
