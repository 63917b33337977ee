"""Where irises are, seen in the picture.

A network that finds landmarks keeps irises near the middle of the eye: where eyes were turned by known amounts, landmarks tell a third of it. The dark
disc between the lids is plain to see, and both eyes turn together.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..once import kept_with
from .creases import DARK
from .landmarks import AT, EYES, IRISES
from .lids import seen_at

ROWS, COLUMNS = 8, 32  # samples of an eye
# Shares of the way from lid to lid, and from corner to corner, within which they lie
BETWEEN, ALONG = (0.12, 0.88), (0.02, 0.98)
RADIUS = 0.17, 0.28  # of an iris, in widths of the eye: children have large ones
DISC, RING = (0.85, 1.0), (1.05, 1.2, 1.8, 2.2)  # in radii: the border of the disc, and those of what lies around it
# Widths of the eye by which irises lie off their landmarks at most, and how many places are tried
FARTHEST, PLACES = 0.24, 25
CORNER = 0.12  # and how near they come to a corner
USUAL, PULL = 0.15, 0.08  # what is usual of that, and the contrast that it has to be worth
TONES = 0.3, 0.85  # shares of an eye that are as dark as an iris, and not as light as its white
CONTRAST = 0.1, 0.25  # of white and iris, as a logarithm, from where on one is seen, and seen well


_FOUND = WeakIdKeyDictionary()  # view -> landmarks, and :func:`irises_off` of both: an edit asks several times


def irises_off(view: Tensor, landmarks: Tensor) -> tuple[float, float]:
    """How far to the viewer's right of their landmarks the irises of a face lie, in widths of the eye, and how surely, 0..1.

    Args:
        view: ``[1,3,n,n]`` as of :func:`flow_core.faces.shown.view`.
        landmarks: ``[161,2]`` crop points.
    """
    return kept_with(_FOUND, view, landmarks, lambda: _found(view, landmarks))


@torch.no_grad()
def _found(view: Tensor, landmarks: Tensor) -> tuple[float, float]:
    places, off = landmarks.double().cpu().numpy(), np.linspace(-FARTHEST, FARTHEST, PLACES)
    points, away = zip(*(_samples(places, side, off) for side in (0, 1)), strict=True)
    light = seen_at(view, torch.from_numpy(np.stack(points))[None].flatten(1, 2)).mean(1).double().cpu().numpy()
    light = np.log(light.reshape(2, 1, -1) + DARK)
    # Corners in shade and lashes are no darker than an iris, and a highlight no lighter than white.
    light = light.clip(*np.quantile(light, TONES, 2, keepdims=True))
    away = np.stack(away)  # [2,PLACES,N]
    inside = 1 - _ramp(away, *DISC)
    around = _ramp(away, *RING[:2]) - _ramp(away, *RING[2:])
    contrast = [(light * weight).sum(2) / weight.sum(2).clip(1e-6) for weight in (around, inside)]
    contrast = (contrast[0] - contrast[1]).mean(0)
    best = int((contrast - PULL * (off / USUAL) ** 2).argmax())
    return float(off[best]), float(_ramp(contrast[best], *CONTRAST))


def iris_radius(places: np.ndarray, side: int) -> float:
    """Of the iris on the viewer's left or right, in widths of its eye, of landmarks ``[161,2]``."""
    _, top, bottom = places[[AT[i] for i in IRISES[side]]]
    first, *_, last = places[[AT[i] for i in EYES[side][:9]]]
    return float(np.clip(np.hypot(*(bottom - top)) / 2 / max(np.hypot(*(last - first)), 1e-6), *RADIUS))


def _samples(places: np.ndarray, side: int, off: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples of the eye on the viewer's left or right: crop points ``[ROWS,COLUMNS,2]``, and their distances ``[PLACES,ROWS COLUMNS]`` from an iris that
    lies ``off [PLACES]`` its landmark, in radii."""
    share, height = np.meshgrid(np.linspace(*ALONG, COLUMNS), np.linspace(*BETWEEN, ROWS))
    ring = places[[AT[i] for i in (*EYES[side], EYES[side][0])]]
    lids = (ring[:7:-1], ring[:9]) if side == 0 else (ring[8:], ring[8::-1])  # upper and lower one, from the left
    corner, across = lids[1][0], lids[1][-1] - lids[1][0]
    width = max(float(np.hypot(*across)), 1e-6)
    axis = across / width
    down = np.array([-axis[1], axis[0]])
    top, bottom = (
        np.interp(share, np.maximum.accumulate((lid - corner) @ axis) / width, (lid - corner) @ down) for lid in lids
    )
    low = top + height * (bottom - top)
    iris = places[AT[IRISES[side][0]]] - corner
    center = (iris @ axis / width + off).clip(CORNER, 1 - CORNER)
    away = np.hypot(share.ravel() - center[:, None], ((low - iris @ down) / width).ravel()) / iris_radius(places, side)
    return corner + share[..., None] * across + low[..., None] * down, away


def _ramp(x: np.ndarray, low: float, high: float) -> np.ndarray:
    return ((x - low) / (high - low)).clip(0, 1)


__all__ = ["iris_radius", "irises_off"]
