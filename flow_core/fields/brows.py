"""The skin between upper lids and brows that rise.

A lid keeps its lashes and a brow its hairs, so all of the stretch is in the skin between the two. In a picture of a low brow most of that skin
lies in a fold, or in its shade, and hairs of the brow hang over it: drawn out it would show streaks, and a fold as wide as a cave. A fold that
opens shows skin, and light falls in. So as much of what is seen there as was drawn out is the colour that lids have in the light of the picture
(:mod:`flow_core.faces.lids`): of a place that is twice as long half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.landmarks import AT, BROW_EDGES, CHEEKS, FOREHEAD, UPPER_LIDS
from ..faces.lids import seen_at, terms
from ..faces.texture import EYE_ACROSS, EYE_DOWN
from ..geometry.neighbours import largest
from ..geometry.sampling import interpolate
from ..once import kept_with
from .curves import Frame
from .patch import Patch
from .smooth import smoothstep

if TYPE_CHECKING:
    from .face import Face

LASHES = 0.010  # height of the strip along a lid that moves as a whole, with its lashes
# Of the skin between an upper lid and its brow: what stays with the lid when the brow rises, and what goes with the brow, whose hairs
# begin below its edge, but no lower than above most of the eye; and half the width of the soft borders of what is painted between them, and of the lower
# one beside the eye, where there are no lashes
STAYS, BROW_HAIR, SOFT, SOFTER = 0.30, 0.40, 0.15, 0.5
# The most that stays, where lashes are long; how much darker than a lid these are, and how far their tips reach beyond; and where they are looked
# for: shares of the way from corner to corner, and from lid to brow
MOST_STAYS, LASH, TIPS = 0.56, (0.2, 0.4), 0.16
LASHED, LOOKED, COLUMNS, HEIGHTS = (0.05, 0.95), (0.04, 0.6), 9, 15
BESIDE = 0.5  # widths of an eye beside its corners in which all this runs out
# Widths of the eye beside its inner corner between which what is painted ends, so that the shade of the socket goes over into it
SOCKET = -0.4, 0.3
PORES = 0.05  # by which texture is lighter or darker than the skin around, at most, as a logarithm: lines below an eye are none above it
LEAST = 1e-3  # by which a brow rises at least, so that anything is done about it
ROWS = 48  # pixels a side of what is painted
# Of skin that is drawn out: shares of new skin in it from where on it is evened, and wholly. Rows from lid to brow in which it is seen for that; columns
# on either side of one, of which there are twice as many as of rows painted, that count; and how much more light ones do than dark ones (a power)
EVENED, EVEN_ROWS, EVEN_ALONG, LIGHT_COUNTS = (0.1, 0.35), 20, 5, 4

# Light of what comes out of a fold, of that of the skin around; how many times lighter it becomes at most; and the share of the way there, as a logarithm
LIT, BRIGHTER, COMES = 0.97, 2.2, 0.5

Stays: TypeAlias = Callable[[int], np.ndarray]

_CHEEKS, _MIDDLE = [[AT[i] for i in side] for side in CHEEKS], [AT[i] for i in FOREHEAD]
_UPPER, _BROWS = ([np.array([AT[i] for i in row]) for row in sides] for sides in (UPPER_LIDS, BROW_EDGES))


class Between(NamedTuple):
    """The skin between a lid and its brow, either before or after that has risen."""

    frame: Frame
    down: np.ndarray  # [2] unit
    # along and height in the frame, and how far up they have gone, of the lid's points and of the brow's
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    hairs: float  # how far below the edge of the brow its hairs begin, at the most

    @classmethod
    def of(cls, side: int, places: np.ndarray, landmarks: np.ndarray, moved: np.ndarray) -> Between | None:
        """Where lid and brow are in ``places [161,2]``, either the ``landmarks [161,2]`` or where they have ``moved [161,2]``; None where the brow does not
        rise."""
        lid, brow = _UPPER[side], _BROWS[side]
        frame, rise = Frame.between(places[lid[0]], places[lid[-1]]), landmarks - moved
        down = np.array([-frame.axis[1], frame.axis[0]])
        stays, goes = rise[lid] @ down, rise[brow] @ down
        if goes.mean() - stays.mean() <= LEAST:
            return None
        (across, low), (along, high) = (frame.to(*landmarks[at].T) for at in (lid, brow))
        room = float(np.median(low - np.interp(across, np.maximum.accumulate(along), high)))
        return cls(
            frame,
            down,
            [(*frame.to(*places[at].T), by) for at, by in ((lid, stays), (brow, goes))],
            BROW_HAIR * max(room, 0.0),
        )

    def corners(self) -> np.ndarray:
        """``[4,2]`` crop points around it."""
        beside, top = BESIDE * self.frame.length, min(row[1].min() for row in self.rows)
        return np.array([self.frame.back(a, b) for a in (-beside, self.frame.length + beside) for b in (top, LASHES)])

    def at(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
        """At crop points: how far along the eye they lie, in its widths; how high above the lid; how high the brow is; how far the lid and how
        far the brow rise; and 1 over the eye, falling to 0 beside it."""
        a, b = self.frame.to(x, y)
        (edge, stays), (end, goes) = (
            [np.interp(a, np.maximum.accumulate(along), v) for v in values] for along, *values in self.rows
        )
        here = 1 - np.maximum(-a, a - self.frame.length).clip(0) / (BESIDE * self.frame.length)
        return a / self.frame.length, edge - b, np.maximum(edge - end, 1e-3), stays, goes, here.clip(0)


def staying(side: int, landmarks: np.ndarray, view: Tensor, lids: Tensor) -> np.ndarray:
    """How much of the skin between a lid and its brow stays with the lid, ``[COLUMNS]`` from the left corner of the eye to the right one: more where
    long lashes, or paint, make it dark.

    Args:
        side: 0 for the eye on the viewer's left, 1 for the other.
        landmarks: ``[161,2]`` crop points.
        view: ``[1,3,n,n]`` the face, as of :func:`flow_core.faces.shown.view`.
        lids: ``[2,6,3]`` colours of the lids, as of :func:`flow_core.faces.lids.lid_colors`.
    """
    along, up = (torch.linspace(*bounds, count) for bounds, count in ((LASHED, COLUMNS), (LOOKED, HEIGHTS)))
    across, lid, brow = along.numpy(), landmarks[_UPPER[side]], landmarks[_BROWS[side]]
    frame = Frame.between(lid[0], lid[-1])
    edge, end = (
        np.interp(across * frame.length, np.maximum.accumulate(a), b)
        for a, b in (frame.to(*row.T) for row in (lid, brow))
    )
    high = edge + up.numpy()[:, None] * (end - edge)
    points = np.stack(frame.back(across * frame.length, high), -1)
    seen = seen_at(view, torch.from_numpy(points)[None])[0].mean(0).cpu()
    skin = (terms(*torch.meshgrid(along, up, indexing="xy")) @ lids[side].cpu()).mean(-1)
    dark = smoothstep(1 - seen / skin.clamp(min=0.05), *LASH).cummin(0).values
    reach = np.convolve(np.pad(dark.mean(0).numpy() * LOOKED[1], 1, "edge"), np.full(3, 1 / 3), "valid")
    return (reach + TIPS).clip(STAYS, MOST_STAYS)


# Face -> what is seen of it on the viewer's left and right
_STAYING, _EVENED = ((WeakKeyDictionary(), WeakKeyDictionary()) for _ in range(2))


def stays_on(face: Face, landmarks: np.ndarray) -> Stays:
    """What :func:`staying` says of a face, with its ``landmarks [161,2]``: looked at when it is asked for the first time."""

    def stays(side: int) -> np.ndarray:
        if face.lids is None or face.view is None:
            return np.full(COLUMNS, STAYS)
        return kept_with(_STAYING[side], face, None, lambda: staying(side, landmarks, face.view, face.lids[0]))

    return stays


def keep_lashes(skin: Tensor, landmarks: np.ndarray, moved: np.ndarray, stays: Stays) -> None:
    """Where brows rise, the skin next to the upper lids stays, with lashes and their shadow, and what lies above it is drawn out instead.

    Args:
        skin: ``[1,2 or more,n,n]`` from :func:`flow_core.fields.skin.skin_offsets`, changed in place.
        landmarks: ``[161,2]`` before, and
        moved: after.
        stays: gives for either side what :func:`staying` does; asked where a brow rises.
    """
    size = skin.shape[-1]
    for side in (0, 1):
        between = Between.of(side, moved, landmarks, moved)
        if between is None:
            continue
        corners = between.corners() * size
        (x0, y0), (x1, y1) = (
            corners.min(0).clip(0, size - 1).astype(int),
            corners.max(0).clip(0, size - 1).astype(int) + 1,
        )
        x, y = np.meshgrid((np.arange(x0, x1) + 0.5) / size, (np.arange(y0, y1) + 0.5) / size)
        along, above, room, rises, goes, here = between.at(x, y)  # after the brow has moved
        drawn = np.maximum(goes - rises, 0)
        skin_before = np.maximum(room - drawn, 0)
        held, hairs = _held(stays, side, along) * skin_before, room - (BROW_HAIR * skin_before).clip(max=between.hairs)
        share = ((above - held) / np.maximum(hairs - held, 1e-3)).clip(0, 1)
        share = 0.75 * share + 0.25 * share * share * (3 - 2 * share)
        here = here * (1 + above / LASHES).clip(0, 1) * (above < room)
        part = skin[0, :2, y0:y1, x0:x1]
        # Skin that something else moves, such as a cheek, is held back by no more than the brow draws it.
        axis, limit, most = (part.new_tensor(v) for v in (between.down, rises + drawn * share, here * drawn))
        lower = (part * axis[:, None, None]).sum(0)
        part -= axis[:, None, None] * (lower - limit).clamp(min=0).minimum(most)


class DrawnOut(NamedTuple):
    """What is painted on skin that is drawn out above one eye."""

    reach: tuple[float, float, float, float]  # least x and y and largest x and y of the crop points that it reaches
    paint: Patch  # at the crop points that skin comes from: sRGB times how far it covers, and that
    frame: Frame  # of the eye, crop points
    texture: Tensor | None  # [1,1,H,W] of skin, see :func:`flow_core.faces.texture.lid_texture`

    def at(self, here: Tensor, source: Tensor) -> Tensor:
        """Painted ``[4,N]`` at crop points ``here [2,N]``, whose skin comes from ``source [2,N]``: texture is not drawn out."""
        paint = self.paint.at(source)
        if self.texture is not None:
            asked = torch.stack([v / self.frame.length for v in self.frame.to(*here)], -1)
            low, high = (asked.new_tensor(ends) for ends in zip(EYE_ACROSS, EYE_DOWN, strict=True))
            paint[:3] *= interpolate(self.texture, ((asked - low) / (high - low))[None, None], "bilinear")[
                0, :, 0
            ].exp()
        return paint


def _held(stays: Stays, side: int, along: np.ndarray) -> np.ndarray:
    """What :func:`staying` says at shares of the way along the eye."""
    return np.interp(along, np.linspace(*LASHED, COLUMNS), stays(side))


def drawn_out(face: Face, landmarks: np.ndarray, moved: np.ndarray, stays: Stays) -> list[DrawnOut]:
    """What is painted on the skin below brows that rise.

    Args:
        face: whose lids are known; without a view of it streaks stay.
        landmarks: ``[161,2]`` before, and
        moved: after.
        stays: gives for either side what :func:`staying` does; asked where a brow rises.
    """
    found, lids = [], face.lids[0]
    for side in (0, 1):
        between = Between.of(side, landmarks, landmarks, moved)
        if between is None:
            continue
        corners, most = between.corners(), float((between.rows[1][2] - between.rows[0][2].min()).max())
        (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
        step = (np.arange(ROWS) + 0.5) / ROWS
        along, above, room, rises, goes, here = between.at(*np.meshgrid(x0 + step * (x1 - x0), y0 + step * (y1 - y0)))
        up, drawn = above / room, np.maximum(goes - rises - LEAST, 0)
        held, hairs = _held(stays, side, along), 1 - (between.hairs / room).clip(max=BROW_HAIR)
        soft = SOFT + SOFTER * (1 - here)
        there = here * smoothstep(up, (held - soft).clip(min=0), held + soft)
        there = there * (1 - smoothstep(up, hairs - SOFT, hairs + SOFT))
        there = there * (1 - smoothstep(-along if side else along - 1, *SOCKET))
        there[[0, -1]] = there[:, [0, -1]] = 0
        share = drawn / (drawn + room * (hairs - held))
        planes = along.clip(0, 1), up.clip(0, 1), there * share, there * smoothstep(share, *EVENED)
        on_lid, height, cover, evened = (torch.from_numpy(v).to(lids) for v in planes)
        colors = (terms(on_lid, height) @ lids[side]).clamp(0, 1).movedim(-1, 0)
        if face.view is None:
            paint = torch.cat([colors * cover, cover[None]])
        else:
            skin, light = _even_skin(face, side, between, landmarks)
            places = np.stack([(along + BESIDE) / (1 + 2 * BESIDE), up.clip(0, 1)], -1)
            even = interpolate(skin, torch.from_numpy(places)[None].to(skin), "bilinear")[0]
            evened = evened * (1 - cover)
            colors = _risen(colors, light)
            paint = torch.cat([colors * cover + even * evened, (cover + evened)[None]])
        texture = None if face.lid_texture is None else face.lid_texture[:, side : side + 1].clamp(-PORES, PORES)
        reach = *(corners.min(0) - most).tolist(), *(corners.max(0) + most).tolist()
        found.append(DrawnOut(reach, Patch((x0, y0, x1, y1), paint[None]), between.frame, texture))
    return found


def _risen(colors: Tensor, skin: Tensor) -> Tensor:
    """Colours ``[...,3,H,W]`` of what was in a fold, or under a brow, when it comes into the light that ``skin [3,1,1]`` has: in each channel, for what is
    in the shade is of another hue."""
    return colors * (LIT * skin / colors.clamp(min=0.02)).clamp(1, BRIGHTER) ** COMES


def _even_skin(face: Face, side: int, between: Between, landmarks: np.ndarray) -> tuple[Tensor, Tensor]:
    """:func:`_even` of a face in the light of the skin around, and that skin ``[3,1,1]``: an edit asks many times."""

    def made() -> tuple[Tensor, Tensor]:
        with torch.inference_mode(False):  # what is kept may be asked for outside of it
            # Cheeks are redder than lids, so the skin between the brows counts as much.
            cheek, middle = (
                seen_at(face.view, torch.from_numpy(landmarks[at])[None, None])[0].median(2).values[..., None]
                for at in (_CHEEKS[side], _MIDDLE)
            )
            light = (cheek + middle) / 2
            return _risen(_even(face.view, between), light), light

    return kept_with(_EVENED[side], face, None, made)


def _even(view: Tensor, between: Between) -> Tensor:
    """``[1,3,EVEN_ROWS,2 ROWS]`` of the skin between a lid and its brow, evened along the eye: what of it is dark, such as the tips of lashes,
    counts little. Drawn out they would be streaks."""
    length, across = between.frame.length, np.linspace(-BESIDE, 1 + BESIDE, 2 * ROWS)
    low, high = (np.interp(across * length, np.maximum.accumulate(a), b) for a, b, _ in between.rows)
    share = (np.arange(EVEN_ROWS) + 0.5)[:, None] / EVEN_ROWS
    points = np.stack(between.frame.back(across * length, low + share * (high - low)), -1)
    seen = seen_at(view, torch.from_numpy(points)[None])
    bright = seen.mean(1, keepdim=True)
    weight = (bright / largest(bright, 2 * EVEN_ALONG + 1).clamp(min=1e-3)) ** LIGHT_COUNTS + 1e-3
    means = torch.cat([seen * weight, weight], 1)
    for radius in (EVEN_ALONG, EVEN_ALONG // 2):
        means = F.avg_pool2d(means, (1, 2 * radius + 1), 1, (0, radius), count_include_pad=False)
    return means[:, :3] / means[:, 3:]


__all__ = ["DrawnOut", "drawn_out", "keep_lashes", "staying", "stays_on"]
