"""The upper rims of glasses, and a face as it would look without them.

Rims are a layer before the face, behind which the skin moves. A network tells roughly where they are (:mod:`flow_core.faces.glasses`). Exactly, they
lie along the path from temple to temple that looks most like rims, which dynamic programming finds; along it their thickness is measured. The skin
that they hide is interpolated from the skin above and below them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.grid import pixel_centers
from ..geometry.neighbours import largest
from ..geometry.ramp import ramp
from .glasses import Worn
from .landmarks import AT, BROW_EDGES, CHEEKS, EYES, FOREHEAD, WIDEN
from .lids import seen_at

# The unit of length is the distance between the outer corners of the eyes. Where upper rims are looked for: how far to either side of the middle of
# the face, and between which heights above the eyes
ACROSS, HIGH = 0.72, (0.04, 0.36)
COLUMNS, ROWS = 145, 81
STEP, STEEP = 2, 0.04  # rows by which a path may rise or fall from one column to the next, and the cost of each
THIN = 0.035  # greatest thickness of a line
# How much darker than its surroundings, as a share of the skin's lightness, a line may be by chance, and certainly is one
RIDGE = 0.03, 0.15
NEAR, NEARLY = (
    9,
    0.3,
)  # lines count within so many rows and columns of places that the network takes for rims with this probability
# How much darker than skin, as a share of its lightness, rims are, and how far the network is believed where it is as light as skin
TONE, LIT = 0.35, 0.4
THICK = 0.035  # greatest distance of either edge of the rims from the path
EVEN = 25  # columns of the median that smooths their thickness
MARGINS = 0.008, 0.014  # added to their thickness above and below
EYE = 0.14, 0.48  # distances from the middle of the face between which there is a lens
# Least mean probability of rims along the path above either eye, and where it may be a brow
SURE = 0.38, 0.6
# Heights above the lower edge of a brow: between the first and the last, dark lines may be its hairs; between the last two, the path may be the brow
BROWS = -0.03, -0.01, 0.05
TILTED = 0.13  # slope against the line of the eyes from which on one of the two rims is thought to be a brow
BLURRED = 0.045  # side of a pixel from which on rims cannot be told from brows
LIKE = 0.3  # standard deviation of the skin's colour, as a share of that of cheeks and forehead
LEAST = (
    0.5,
    0.01,
)  # least weight of other colours above rims, where they are hairs of a brow that goes on behind them, and below
# Height of the strips of skin above and below rims that give the colours, and columns over which these are smoothed
SEEN, EVEN_COLORS = (0.02, 0.05), 9
# Distance from rims at which skin is free of them and of their shade (it fades in over the outer half), and how many sides of a pixel are added
HIDES, HIDES_BLURRED = 0.02, 3


@dataclass(frozen=True, eq=False)
class Behind:
    """Upper rims, and what lies behind them.

    Attributes:
        edges: ``[2,COLUMNS]`` how high above the eyes they begin and end, the upper edge first, at places from :data:`ACROSS` on the viewer's left of the
            middle of the face to as far on the right.
        hides: how far beyond them nothing that is seen is skin, from half of that on less and less.
        places: the middle between the eyes and the way from one to the other, see :func:`axes`.
        skin: ``[1,3,n,n]`` the view of the face, see :func:`flow_core.faces.shown.view`, without them.
    """

    edges: Tensor
    hides: float
    places: tuple[Tensor, Tensor]
    skin: Tensor

    def at(self, points: Tensor, edge: float) -> Tensor:
        """How far crop points ``[...,2]`` are rims, 0..1, with borders of which half is so wide, crop fractions."""
        edge = edge / self.places[1].norm()
        return ramp(self._outside(points), edge, -edge)

    def hide(self, points: Tensor) -> Tensor:
        """How far what is seen at crop points ``[...,2]`` is no skin for rims, 0..1."""
        return ramp(self._outside(points), self.hides, 0.5 * self.hides)

    def _outside(self, points: Tensor) -> Tensor:
        aside, high = placed(points, *self.places)
        upper, lower = _read(self.edges, aside)
        return torch.maximum(high - upper, lower - high).maximum(aside.abs() - ACROSS)

    def continued(self, points: Tensor, like: Tensor) -> Tensor:
        """The skin above rims goes over into that below them: ``[1,3,h,w]`` at crop points ``[1,h,w,2]``; what is unlike the colour ``like [3]`` counts
        less."""
        middle, across = self.places
        up = torch.stack([across[1], -across[0]])
        aside = torch.linspace(-ACROSS, ACROSS, COLUMNS).to(middle)[:, None]
        sides = []
        for edge, way, far, least in zip(self.edges, (1, -1), SEEN, LEAST, strict=True):
            high = edge + way * (self.hides + far * torch.linspace(0, 1, 9).to(edge)[:, None])
            rows = seen_at(self.skin, (middle + aside * across + high[..., None] * up)[None])
            unlike = (rows - like[:, None, None]).square().sum(1, keepdim=True) / like.square().sum().clamp(min=0.01)
            weight = (-unlike / LIKE**2).exp() + least
            rows = F.pad(torch.cat([rows * weight, weight], 1).mean(2), [EVEN_COLORS // 2] * 2, mode="replicate")
            rows = F.avg_pool1d(
                F.avg_pool1d(rows, EVEN_COLORS, 1), EVEN_COLORS, 1, EVEN_COLORS // 2, count_include_pad=False
            )
            sides.append(rows[:, :3] / rows[:, 3:])
        aside, high = placed(points, middle, across)
        *colors, upper, lower = _read(torch.cat([*(s[0] for s in sides), self.edges]), aside)
        share = ramp(high, lower - self.hides, upper + self.hides)
        return torch.lerp(torch.stack(colors[3:], 1), torch.stack(colors[:3], 1), share[:, None])

    def below(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Whether crop points ``[...,2]`` lie below the upper edge of rims, and below the lower one."""
        aside, high = placed(points.to(self.edges), *self.places)
        upper, lower = _read(self.edges, aside)
        return high < upper, high < lower

    def bounds(self) -> Tensor:
        """``[2,2]`` least and largest crop coordinates of rims."""
        middle, across = self.places
        up = torch.stack([across[1], -across[0]])
        aside = torch.linspace(-ACROSS, ACROSS, COLUMNS).to(middle)[:, None]
        points = middle + aside * across + self.edges[..., None] * up
        return torch.stack(torch.aminmax(points.flatten(0, 1), dim=0))


def axes(places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The middle between the outer corners of the eyes ``[2]``, the way from one to the other ``[2]`` and the same way upwards ``[2]``, of
    ``[161,2]``."""
    left, right = places[AT[EYES[0][0]]], places[AT[EYES[1][0]]]
    across = right - left
    return (left + right) / 2, across, torch.stack([across[1], -across[0]])


@torch.no_grad()
def behind_rims(view: Tensor, worn: Worn, places: Tensor, pixel: float) -> Behind | None:
    """What lies behind the rims of the glasses that a face wears; None where they are not surely told from skin.

    Args:
        view: ``[1,3,n,n]`` of the face.
        worn: its glasses.
        places: ``[161,2]`` its landmarks, crop points.
        pixel: side of a pixel of the picture, or of one that would be as blurred, crop fractions: borders are no sharper.
    """
    # A path is found in steps, which an accelerator is slow at
    device, view, places = view.device, view.cpu(), places.cpu()
    middle, across, up = axes(places)
    blur = pixel / across.norm().clamp(min=1e-4).item()
    if worn.rims is None or worn.dark or blur > BLURRED:
        return None
    aside, high = torch.linspace(-ACROSS, ACROSS, COLUMNS).to(places), torch.linspace(*HIGH[::-1], ROWS).to(places)
    grid = middle + aside[:, None] * across + high[:, None, None] * up
    step = (high[0] - high[1]).item()
    believed, seen = worn.rims_at(grid[None])[0, 0], seen_at(view, grid[None])[0]
    skin = (
        seen_at(view, places[[AT[i] for row in (*CHEEKS, FOREHEAD) for i in row]][None, None])[0, :, 0].median(1).values
    )
    near = (largest(believed[None, None], NEAR)[0, 0] / NEARLY).clamp(max=1)
    darker = 1 - seen.mean(0) / skin.mean().clamp(min=0.05)
    believable = LIT + (1 - LIT) * (darker / TONE).clamp(0, 1)
    brows = torch.stack([_along(*placed(places[[AT[i] for i in edge]], middle, across), aside) for edge in BROW_EDGES])
    over = high[:, None] - torch.where(aside < 0, *brows)
    hairs = (over > BROWS[0]) & (over < BROWS[2])
    lines = near * _lines(darker, round(THIN / step)) * ~hairs
    path = torch.from_numpy(_path((believed * believable + lines).double().cpu().numpy()))
    # Temples begin below the tops of rims; what goes on higher is the end of a brow.
    outer = torch.nonzero(aside.abs() < EYE[1])[[0, -1], 0]
    path = torch.where(aside.abs() < EYE[1], path, path.maximum(path[outer][(aside > 0).long()]))
    sure, over = (plane[path, torch.arange(COLUMNS)] for plane in (believed, over))
    for side in (-1, 1):
        eye = (side * aside > EYE[0]) & (side * aside < EYE[1])
        if sure[eye].mean() < SURE[int(BROWS[1] < over[eye].median() < BROWS[2])]:
            return None
    eye = (aside > EYE[0]) & (aside < EYE[1])
    tilt = ((high[path] - high[path].flip(0)) * aside)[eye].sum() / aside[eye].square().sum()
    if tilt.abs() > TILTED:
        return None
    edges, hides = _edges(seen, skin, path, high, blur), HIDES + HIDES_BLURRED * blur
    n = view.shape[-1]
    points = 0.5 + (pixel_centers(n, n) - 0.5) * WIDEN
    behind = Behind(edges, hides, (middle, across), view)
    skin = torch.lerp(view, behind.continued(points, skin), behind.hide(points)[:, None])
    return Behind(edges.to(device), hides, (middle.to(device), across.to(device)), skin.to(device))


def placed(points: Tensor, middle: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
    """How far points ``[...,2]`` lie to the right of the middle of a face, and above its eyes; see :func:`axes`."""
    x, y = (points - middle).unbind(-1)
    (c, s), length = across, across.square().sum()
    return (c * x + s * y) / length, (s * x - c * y) / length


def _read(table: Tensor, aside: Tensor) -> Tensor:
    """Rows ``[K,COLUMNS]`` as of :attr:`Behind.edges` so far to the right of the middle of the face: ``[K,...]``."""
    at = ((aside + ACROSS) * ((COLUMNS - 1) / (2 * ACROSS))).clamp(0, COLUMNS - 1)
    first = at.long().clamp(max=COLUMNS - 2)
    return torch.lerp(table[:, first], table[:, first + 1], at - first)


def _along(at: Tensor, values: Tensor, places: Tensor) -> Tensor:
    """Values ``[n]`` that are known at some places, at others, on straight lines between those."""
    order = at.argsort()
    found = np.interp(places.cpu().numpy(), at[order].cpu().numpy(), values[order].cpu().numpy())
    return torch.from_numpy(found).to(values)


def _lines(darker: Tensor, reach: int) -> Tensor:
    """How surely places ``[ROWS,COLUMNS]`` lie on lines, 0..1: those that are ``darker`` than skin by more than what is so many rows above and below."""
    padded = torch.cat([darker[:1].expand(reach, -1), darker, darker[-1:].expand(reach, -1)])
    differ = darker - torch.maximum(padded[: -2 * reach], padded[2 * reach :])
    return ramp(differ, *RIDGE)


def _path(likely: np.ndarray) -> np.ndarray:
    """The row in each column ``[COLUMNS]`` of the path along the most ``likely [ROWS,COLUMNS]``."""
    steps = np.arange(-STEP, STEP + 1)
    best, came = likely[:, 0], np.zeros(likely.shape, int)
    for k in range(1, likely.shape[1]):
        padded = np.pad(best, STEP, constant_values=-np.inf)
        ways = np.stack([padded[STEP + d : STEP + d + len(best)] - STEEP * abs(d) for d in steps])
        came[:, k] = ways.argmax(0)
        best = ways.max(0) + likely[:, k]
    path = np.zeros(likely.shape[1], int)
    path[-1] = best.argmax()
    for k in range(likely.shape[1] - 1, 0, -1):
        path[k - 1] = path[k] + steps[came[path[k], k]]
    return path


def _edges(seen: Tensor, skin: Tensor, path: Tensor, high: Tensor, blur: float) -> Tensor:
    """See :attr:`Behind.edges`, of what is ``seen [3,ROWS,COLUMNS]`` around a path."""
    columns, middle = torch.arange(len(path)), path
    color = seen[:, middle, columns].median(1).values
    way = (color - skin)[:, None, None]
    share = ((seen - skin[:, None, None]) * way).sum(0) / way.square().sum().clamp(min=1e-3)
    rows, step = torch.arange(len(high))[:, None], (high[0] - high[1]).item()
    most, on_path = round(THICK / step), share[middle, columns]
    edges = []
    for sign, margin in zip((-1, 1), MARGINS, strict=True):
        away = sign * (rows - middle)
        near = (away > 0) & (away <= most)
        least = torch.where(near, share, 9.0).amin(0).minimum(on_path)
        # half of the way to what is least like a rim, be that skin, hairs of a brow, or a lens
        other = near & (share <= (on_path + least) / 2)
        far = torch.where(other, away, most).amin(0).float()
        even = F.pad(far[None, None], [EVEN // 2] * 2, mode="replicate")[0, 0].unfold(0, EVEN, 1).median(1).values
        edges.append(high[middle] - sign * (even * step + margin + blur / 2))
    smooth = F.pad(torch.stack(edges)[None], [3, 3], mode="replicate")
    return F.avg_pool1d(smooth, 7, 1)[0]


__all__ = ["Behind", "axes", "behind_rims", "placed"]
