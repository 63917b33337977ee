"""Which colour the skin of closed eyelids has in the light of a picture.

An open eye hides most of its upper lid, and what is seen above its lashes is a strip between crease and brow: drawn out over a lid that shuts, it
would show both again, and streaks. So a smooth surface is fitted to the colours of that strip, from which hairs, creases and paint, which are
darker, are left out (iteratively reweighted least squares).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.sampling import sample_image
from .landmarks import AT, BROW_EDGES, CHEEKS, UPPER_LIDS, WIDEN

COLUMNS, ROWS = 15, 12  # where it is looked: from corner to corner, and from the lashes to the brow
BETWEEN = 0.12, 0.85  # shares of the way from lid to brow without lashes and without hairs
LIGHT = 0.6  # quantile of the lightness there that is skin
DARKER, SOFT = 0.7, 0.06  # of that, which is half believed to be skin at first, and how gradually
REDDEST = 3.0  # red to blue, up to which skin is believed to be redder for want of light
NEAR = 0.12, 0.25  # by which skin is darker, and lighter, than the surface, one standard deviation
ROUNDS = 3
LEVEL = 0.0, 0.01, 0.01, 0.04, 0.04, 0.04  # of all places, by which the surface is held level, of each of :func:`terms`
MOST = 0.95  # lightness of lids, of that of cheeks, at the most,
HUE = 0.6  # of the way to the hue of cheeks, where that is redder,
SKIN = 0.9  # and where nothing else is known,
KNOWN = 0.02  # which weighs as much as this share of the places


def terms(across: Tensor, up: Tensor) -> Tensor:
    """``[...,6]`` by which :func:`lid_colors` are to be multiplied, at shares of the way from the left to the right corner of the eye, and from the
    lashes to the brow."""
    x, y = across - 0.5, up - 0.5
    return torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], -1)


@torch.no_grad()
def lid_colors(view: Tensor, places: Tensor) -> Tensor:
    """Colours of the upper lids of the eyes on the viewer's left and right, sRGB in the last axis of ``[B,2,6,3]`` on the CPU: see :func:`terms`.

    Args:
        view: faces ``[B,3,n,n]`` as of :func:`flow_core.faces.shown.view`.
        places: ``[B,161,2]`` their landmarks, crop points.
    """
    view, places = view.float().cpu(), places.float().cpu()

    def seen(points: Tensor) -> Tensor:
        return seen_at(view, points).movedim(1, -1)

    # Of a turned head one cheek is seen well; before the other there may be hair.
    cheeks = seen(places[:, [[AT[i] for i in side] for side in CHEEKS]]).median(2).values  # [B,2,3]
    lighter = cheeks.mean(-1).argmax(1)[:, None, None].expand(-1, -1, 3)
    cheeks = cheeks.gather(1, lighter)  # [B,1,3]
    up = torch.linspace(*BETWEEN, ROWS).to(view)
    across = (torch.arange(COLUMNS).to(view) + 0.5) / COLUMNS
    known = terms(*(v.flatten() for v in torch.meshgrid(across, up, indexing="xy")))  # [N,6]
    level = torch.diag(known.new_tensor(LEVEL)) * len(known)
    level[0, 0] = KNOWN * len(known)
    expected = F.pad(SKIN * cheeks, (0, 0, 0, 5))
    found = []
    for lid, brow in zip(UPPER_LIDS, BROW_EDGES, strict=True):
        low, high = (_along(places[:, [AT[i] for i in row]]) for row in (lid, brow))
        colors = seen(torch.lerp(low[:, None], high[:, None], up[:, None, None])).flatten(1, 2)  # [B,N,3]
        bright = light(colors)
        first = bright / bright.quantile(LIGHT, 1, keepdim=True).clamp(min=1e-3)
        first = ((first - DARKER) / SOFT).sigmoid()
        surface, _, _ = through_most(known, colors, first, level, level @ expected, bright, light, NEAR)
        # The light of a bulge under the brow, or of a grey brow, is not that of a lid, which is hardly lighter than cheeks.
        middle = surface[:, :1].clamp(min=0.02)
        lighter = (MOST * cheeks.mean(-1, keepdim=True) / middle.mean(-1, keepdim=True)).clamp(max=1)
        # Nor is a lid as grey as the hairs of a brow, or the rims of glasses.
        hue = cheeks / cheeks.mean(-1, keepdim=True) / middle * middle.mean(-1, keepdim=True)
        redder = HUE * (hue[..., :1] > hue[..., 2:])
        found.append(surface * lighter * (1 + redder * (hue - 1)))
    return torch.stack(found, 1)


def seen_at(view: Tensor, points: Tensor) -> Tensor:
    """What faces show at crop points.

    Args:
        view: ``[B,C,n,n]``, as of :func:`flow_core.faces.shown.view`.
        points: ``[B,h,w,2]``.

    Returns:
        ``[B,C,h,w]``
    """
    return sample_image(view, (((points - 0.5) / WIDEN + 0.5) * view.shape[-1]).to(view))


def through_most(
    known: Tensor, values: Tensor, first: Tensor, level: Tensor, pull: Tensor | float, bright: Tensor,
    lightness: Callable[[Tensor], Tensor], near: tuple[float, float],
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """A smooth surface through most values (iteratively reweighted least squares).

    Args:
        known: ``[N,K]`` polynomials at places.
        values: ``[...,N,C]`` there.
        first: ``[...,N]`` their weights to begin with.
        level: ``[K,K]`` by which the surface is held level, and
        pull: ``[...,K,C]`` by which it is drawn to what is expected, of the normal equations.
        bright: ``[...,N]`` lightness of the values.
        lightness: gives that of the surface.
        near: by which values are darker, and lighter, than it, one standard deviation.

    Returns:
        Coefficients ``[...,K,C]``; how much lighter values are than the surface ``[...,N]``, shares of it; and their last weights.
    """
    sure = first
    for _ in range(ROUNDS):
        weighted = (known * sure[..., None]).mT
        found = torch.linalg.solve(weighted @ known + level, weighted @ values + pull)
        off = bright / lightness(known @ found) - 1
        sure = first * (-(off / torch.where(off < 0, *off.new_tensor(near))).square()).exp()
    return found, off, sure


def light(colors: Tensor) -> Tensor:
    """How light colours ``[...,3]`` are, for skin: redder in the shade, in which hairs and paint are not."""
    red, _, blue = colors.clamp(min=0.02).unbind(-1)
    return colors.mean(-1).clamp(min=0.02) * (red / blue).clamp(max=REDDEST)


def _along(row: Tensor) -> Tensor:
    """``[B,N,2]`` points along a row, as :data:`COLUMNS` points."""
    return F.interpolate(row.mT, COLUMNS, mode="linear", align_corners=False).mT


__all__ = ["lid_colors", "light", "seen_at", "terms", "through_most"]
