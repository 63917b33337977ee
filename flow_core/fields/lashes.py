"""What an eye that shuts leaves behind: lashes, paint and the skin without them.

The upper lashes of an open eye stand over its lid, and beyond its outer corner over the temple. They hang down when the lids meet, so the skin
that they hid has to be shown: a small picture of the eye without them, in which what is hidden is filled in from the skin around.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.landmarks import WIDEN
from ..faces.lids import light, terms
from ..geometry.neighbours import filled, largest
from ..geometry.sampling import interpolate, sample_image
from .curves import SAMPLES, Frame
from .smooth import smoothstep

ROWS, COLUMNS = 32, 64  # pixels of that picture,
ACROSS, DOWN = (-0.5, 1.5), (-0.65, 0.45)  # and the part of the face in it, in widths of the eye from its left corner
# How far lashes reach, surely and at most, in widths of the eye: over the upper lid, beyond the outer and the inner corner; and under the lower lid,
# whose lashes stay. Under glasses there are their rims.
OVER, OUTER, INNER, UNDER = (0.16, 0.30), (0.25, 0.42), (0.02, 0.10), (0.01, 0.05)
OVER_RIM, OUTER_RIM = (0.04, 0.10), (0.02, 0.08)
BESIDE = 0.15  # by which lashes reach farther down beside the outer corner
BROW = 0.02, 0.08  # distance from a brow in which hairs are its own, and beyond which they are none of it
LASHES = 0.06, 0.18  # of the light of skin: what is darker by less is none, and by more is a lash or paint
NEAR = 0.10, 0.25  # by which skin is darker, and lighter, than the surface through it, one standard deviation
ROUNDS = 4
LEVEL = 0.001  # of all places, by which that surface is held level
DARKER = 1.5  # power of the light of lashes that are thinner than a pixel of the view
EDGE = 0.02  # of the edge of an eye, in its widths, that is known to a pixel only
ALONG, LINED = 0.10, (0.25, 0.05)  # how far over the lid its lashes are rooted, and from which distance of the inner and the outer corner on


class Bare(NamedTuple):
    """An eye without its upper lashes."""

    skin: Tensor  # [1,4,ROWS,COLUMNS] sRGB, and how far a place was covered with lashes, or the eye itself, 0..1
    tone: Tensor  # [3] sRGB of the line of lashes
    hair: float  # 0..1 how dark lashes are against the lid
    left: bool  # whether its outer corner is the left one


def bare_eye(view: Tensor, frame: Frame, seen: np.ndarray, brow: np.ndarray, outline: np.ndarray, left: bool, glasses: bool) -> Bare:
    """An eye without its upper lashes.

    Args:
        view: ``[1,3,n,n]`` the face, as of :func:`flow_core.faces.shown.view`.
        frame: of the eye, crop points.
        seen: ``[2,TABLE]`` its upper and lower lid.
        brow: ``[N,2]`` lower edge of its brow, crop points.
        outline: ``[N,2]`` of the face, crop points.
        left: whether it is the eye on the viewer's left, whose outer corner is the left one.
        glasses: whether it is seen through some.
    """
    share, height = (
        low + (high - low) * (np.arange(count) + 0.5) / count
        for (low, high), count in ((ACROSS, COLUMNS), (DOWN, ROWS))
    )
    length, here = frame.length, height[:, None]
    points = np.stack(frame.back(*np.meshgrid(share * length, height * length)), -1)
    colors = sample_image(view, torch.from_numpy(((points - 0.5) / WIDEN + 0.5) * view.shape[-1]).to(view)[None])
    top, bottom = (np.interp(share, SAMPLES, row) / length for row in seen)
    a, b = frame.to(*brow.T)
    hairs = here - np.interp(share, np.maximum.accumulate(a) / length, b / length)
    above, under = top - here, here - bottom
    outer, inner = (-share, share - 1) if left else (share - 1, -share)
    over, beyond = (OVER_RIM, OUTER_RIM) if glasses else (OVER, OUTER)
    # A head that is turned away ends beside the far eye.
    room = np.linalg.norm(outline - frame.back(0.0 if left else length, 0.0), axis=1).min() / length
    beyond = [min(v, share_ * room) for v, share_ in zip(beyond, (0.4, 0.8), strict=True)]
    near = brow_off = smoothstep(hairs, *BROW)
    for distance, bounds in ((above, over), (under - BESIDE * smoothstep(outer, -0.35, 0.0), UNDER), (outer, beyond), (inner, INNER)):
        near = near * (1 - smoothstep(distance, *bounds))
    eye = np.maximum(np.maximum(above, under), np.maximum(outer, inner)) < EDGE
    eye, near, skin = (torch.from_numpy(v.astype(np.float32)).to(view) for v in (eye, near * brow_off, (1 - eye) * brow_off))
    known = terms(*(torch.from_numpy(v.astype(np.float32)).to(view) for v in np.meshgrid(share, height + 0.5)))
    bright = light(colors[0].movedim(0, -1))
    ratio, sure = _surface(bright, known, skin)
    dark = smoothstep(1 - ratio, *LASHES) * near
    hidden = F.avg_pool2d(largest(torch.maximum(dark, eye)[None, None], 7), 5, 1, 2, count_include_pad=False)
    hidden *= torch.from_numpy(brow_off.astype(np.float32)).to(view)  # its hairs stay
    hidden[..., [0, -1], :] = hidden[..., [0, -1]] = 0
    shown = (1 - largest(hidden, 3)) * (sure + 1e-3 * skin)  # where hair hangs down no skin is seen
    bare = filled(colors, shown)
    # The line of lashes is the darkest along the edge of the lid.
    edge = torch.from_numpy((above > -EDGE) & (above < ALONG) & (inner < -LINED[0]) & (outer < -LINED[1])).to(view.device)
    line = torch.where(edge, ratio, 9.0).amin(0)
    line = line[line < 9].median()
    skin_tone = bare[0, :, ROWS // 2, COLUMNS // 2]
    return Bare(torch.cat([bare, hidden], 1), skin_tone * line**DARKER, 1 - line.item(), left)


def _surface(values: Tensor, known: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """``values [H,W]``, of a smooth surface through most of them where ``weight [H,W]`` says, of polynomials ``known [H,W,6]`` (iteratively
    reweighted least squares); and how far they belong to it, 0..1."""
    known, flat, weight = known.flatten(0, 1), values.flatten(), weight.flatten()
    level = LEVEL * len(flat) * torch.eye(known.shape[1]).to(known)
    level[0, 0] = 0
    sure = weight
    for _ in range(ROUNDS):
        weighted = (known * sure[:, None]).T
        found = known @ torch.linalg.solve(weighted @ known + level, weighted @ flat)
        off = flat / found.clamp(min=0.02) - 1
        sure = weight * (-(off / torch.where(off < 0, *off.new_tensor(NEAR))).square()).exp()
    return (1 + off).view_as(values), sure.view_as(values)


def skin_at(eye: Bare, share: Tensor, down: Tensor) -> Tensor:
    """``[4,N]`` of :attr:`Bare.skin` at shares of the way from the left to the right corner, and heights in widths of the eye."""
    (left, right), (top, bottom) = ACROSS, DOWN
    places = torch.stack([(share - left) / (right - left), (down - top) / (bottom - top)], -1)
    return interpolate(eye.skin, places[None, None], "bilinear")[0, :, 0]


__all__ = ["Bare", "bare_eye", "skin_at"]
