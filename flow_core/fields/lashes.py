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

from ..faces.creases import DARK
from ..faces.lids import light, seen_at, terms, through_most
from ..faces.texture import EYE_ACROSS as ACROSS
from ..faces.texture import EYE_DOWN as DOWN
from ..faces.texture import below, finest
from ..geometry.neighbours import filled, largest
from ..geometry.sampling import enlarged, interpolate
from .curves import SAMPLES, Frame
from .smooth import smoothstep

ROWS, COLUMNS = 32, 64  # pixels of that picture; which part of the face it shows, :mod:`flow_core.faces.texture` says
# Lengths below are in widths of the eye, too. How far lashes reach, surely and at most: over the upper lid, beyond the outer and the inner corner; and
# under the lower lid, whose lashes stay. Under glasses there are their rims.
OVER, OUTER, INNER, UNDER = (0.14, 0.28), (0.44, 0.58), (0.02, 0.12), (0.01, 0.05)
OVER_RIM, OUTER_RIM = (0.04, 0.10), (0.02, 0.08)
BESIDE, AROUND_OUTER = 0.15, (-0.35, 0.0)  # by which they reach farther down beside the outer corner, and from where on
# Shares of the way from the outer corner to the outline of the face that lashes reach at most; up to which there is skin, and from which on none;
# and up to which that is painted
ROOM, FACE, PAINTED_FACE = (0.8, 1.1), (0.7, 0.95), (0.85, 1.1)
ENDS = 0.48, 0.6  # and the most
BROW, THICK = (0.05, 0.12), (0.04, 0.16)  # from its edge on how far a brow reaches, and a thick one
# How much darker than skin what is no lash is at most, and what surely is one: of what the darkest are; but no less than this
LASHES = (0.25, 0.06), (0.55, 0.16)
# By how much more what is dark beyond the outer corner, between which places, and no farther, is one: lashes, paint and the fold there end faintly
TAIL = 1.2, (-0.1, 0.05), 0.4
# How far a lash what is painted over is; least and most light that skin beside gets
PAINTED, LIGHTER = (0.3, 0.9), (-0.3, 0.8)
LEVEL, NEAR = 0.001, (0.10, 0.25)  # of the surface through skin, as in :mod:`flow_core.faces.lids`
# How much the skin below an eye says of that above, of the light that skin has, and of the colours; what skin of another light says of the
# colours beside it; and the colour of a lid of what is not seen
BELOW, BELOW_COLORS, OTHERS, LID = 0.05, 0.25, 0.3, 0.5
# Texture of skin: on how many times finer a raster; pixels of that in which it is even; and how much darker and lighter it is at most, as a logarithm
FINER, EVEN, ROUGH = 2, 8, (-0.2, 0.12)
GRAINIER = 0.7  # by how much more texture there is where half of what is painted is seen
WING = 0.12, 0.3  # beyond the outer corner, within which what is dark are lashes, be there hair beside them
EDGE = 0.02  # of the edge of an eye that is known to a pixel only
CARUNCLE = 0.10  # radius of what belongs to an eye around its inner corner
# How far over the lid lashes are rooted, and from which distance of the inner and the outer corner on
ALONG, LINED = 0.10, (0.25, 0.05)
# Light of the line of lashes, of that of skin, at the most: three of four in 75 photographs of shut eyes are darker; and more than any light is
FAINTEST, BRIGHT = 0.5, 9.0
# How high above the lid long lashes still are, and no lash is; and by how much darker it is there on eyes with short and with long ones
TIPS, LONG = ((0.05, 0.10), (0.13, 0.21)), (0.06, 0.24)
# How high above the lid it is looked whether it is painted; how much more paint than there is over the skin along the line, and the most
PAINT_AT, PAINT_MORE, PAINT_MOST = (0.06, 0.17), 0.6, 0.4
DARKER = 1.5  # power of the light of lashes that are thinner than a pixel of the view
# Light of skin in the deep shade along them, and how much more of its hue that has, as a power
DEEP, DEEP_HUE = 0.3, 0.8


class Bare(NamedTuple):
    """An eye without its upper lashes."""

    # [1,8,FINER ROWS,FINER COLUMNS] sRGB of bare skin; how far a place is to be painted with it, 0..1; the light that skin beside lashes gets, as of
    # :attr:`flow_core.fields.base.Sample.light`; and how far it lies off the brow, 0..1
    skin: Tensor
    texture: Tensor | None  # [1,1,H,W] of bare skin, logarithm of light
    tones: Tensor  # [3,3] sRGB of the line of lashes, of skin in the deep shade along it, and of what is painted on the lid,
    paint: float  # which covers so much of it, 0..1
    hair: float  # 0..1 how dark lashes are against the lid,
    long: float  # and how long they are, 0..1
    frame: Frame

    def at(self, x: Tensor, y: Tensor) -> Tensor:
        """``[8,N]`` of :attr:`skin` at crop points ``[N]`` of the face before an edit."""
        (left, right), (top, bottom), (a, b) = ACROSS, DOWN, self.frame.to(x, y)
        a, b = (a / self.frame.length - left) / (right - left), (b / self.frame.length - top) / (bottom - top)
        asked = torch.stack([a, b], -1)[None, None]
        found = interpolate(self.skin, asked, "bilinear")[0, :, 0]
        if self.texture is not None:
            more = 1 + GRAINIER * (1 - found[3])  # over skin that is drawn out, which has little
            found[:3] *= (interpolate(self.texture, asked, "bilinear")[0, :, 0] * more).exp()
        return found


def bare_eye(
    view: Tensor,
    lid: Tensor,
    frame: Frame,
    seen: np.ndarray,
    brow: np.ndarray,
    outline: np.ndarray,
    left: bool,
    glasses: bool,
    texture: Tensor | None = None,
) -> Bare:
    """An eye without its upper lashes.

    Args:
        view: ``[1,3,n,n]`` the face, as of :func:`flow_core.faces.shown.view`.
        lid: ``[6,3]`` colours of the upper lid, as of :func:`flow_core.faces.lids.lid_colors`.
        frame: of the eye, crop points.
        seen: ``[2,TABLE]`` its upper and lower lid.
        brow: ``[N,2]`` lower edge of its brow, crop points.
        outline: ``[N,2]`` of the face, crop points.
        left: whether it is the eye on the viewer's left, whose outer corner is the left one.
        glasses: whether it is seen through some.
        texture: ``[1,1,h,w]`` of its upper lid, see :func:`flow_core.faces.texture.lid_texture`; None: as far as the view shows it.
    """
    width = frame.length
    share, height = _raster(1)
    places = np.meshgrid(share, height)
    colors = _seen(view, frame, *places)
    # How far places lie above the upper lid and below the lower one, beyond the corners, and below the brow
    top, bottom = (np.interp(share, SAMPLES, row) / width for row in seen)
    a, b = frame.to(*brow.T)
    above, under = top - height[:, None], height[:, None] - bottom
    outer, inner = (-share, share - 1) if left else (share - 1, -share)
    hairs = height[:, None] - np.interp(share, np.maximum.accumulate(a) / width, b / width)
    over, beyond = (OVER_RIM, OUTER_RIM) if glasses else (OVER, OUTER)
    # A head that is turned away ends beside the far eye.
    room = _room(outline, frame, left, height)[:, None]
    beyond = tuple(np.minimum(v, part * room) for v, part in zip(beyond, ROOM, strict=True))
    lower = under - BESIDE * smoothstep(outer, *AROUND_OUTER)
    off_brow = near = smoothstep(hairs, *BROW)
    for distance, bounds in ((above, over), (lower, UNDER), (outer, beyond), (inner, INNER)):
        near = near * (1 - smoothstep(distance, *bounds))
    eye = np.maximum(np.maximum(above, under), np.maximum(outer, inner)) < EDGE
    eye |= np.hypot(np.maximum(inner, -CARUNCLE), height[:, None]) < CARUNCLE
    of_face = 1 - smoothstep(outer, *(part * room for part in FACE))
    of_skin = (1 - eye) * off_brow * of_face
    on_lid = (1 - eye) * smoothstep(-np.maximum(outer, inner), 0.0, 0.3) * (above > 0) * off_brow
    rooted = (above > -EDGE) & (above < ALONG) & (inner < -LINED[0]) & (outer < -LINED[1])
    up = (above / np.maximum(above + hairs, EDGE)).clip(0, 1)
    aside = np.broadcast_to(outer, up.shape)
    planes = [*places, hairs - BROW[0], up, eye, near, off_brow, of_skin, under > 0, on_lid, rooted, aside, above]
    planes = torch.from_numpy(np.stack(planes)).to(view)
    share, height, under_brow, up, eye, near, off_brow, of_skin, below, on_lid, rooted, aside, above = planes
    skin = of_skin * (1 - (1 - BELOW) * below)

    bright, known = light(colors[0].movedim(0, -1)).flatten(), terms(share, height + 0.5).flatten(0, 1)
    level = LEVEL * len(bright) * torch.eye(known.shape[1]).to(known)
    level[0, 0] = 0
    _, off, sure = through_most(
        known, bright[:, None], skin.flatten(), level, 0.0, bright, lambda v: v[..., 0].clamp(min=0.02), NEAR
    )
    ratio, sure = (1 + off).view_as(skin), sure.view_as(skin) / skin.clamp(min=1e-6)
    # The line of lashes is the darkest along the edge of the lid.
    line = torch.where(rooted > 0, ratio, BRIGHT).amin(0)
    line = line[line < BRIGHT].median().clamp(0, FAINTEST)
    hair = 1 - line.item()
    tips, over = (
        ratio[(on_lid > 0.5) & (above > low) & (above < high)].clamp(max=1).mean().nan_to_num(1) for low, high in TIPS
    )
    long = float(smoothstep((1 - tips / over.clamp(min=0.1)).item(), *LONG))
    dark = 1 - ratio
    dark = dark * (1 + TAIL[0] * smoothstep(aside, *TAIL[1]) * (aside < TAIL[2]))
    dark = smoothstep(dark, *(max(part * hair, least) for part, least in LASHES))
    off_brow = off_brow * (1 - _hair(dark, aside, under_brow, left))
    dark = dark * near
    ends = (
        torch.from_numpy(np.minimum(part * room, end)).to(view) for part, end in zip(PAINTED_FACE, ENDS, strict=True)
    )
    off_brow = off_brow * (1 - smoothstep(aside, *ends))
    off_brow[[0, -1]] = off_brow[:, [0, -1]] = 0
    hidden = _soft(torch.maximum(dark, eye), 7, 5) * off_brow
    painted = _soft(torch.maximum(smoothstep(dark, *PAINTED), eye), 5, 3) * off_brow
    # Where hair hangs down no skin is seen; nor is much of a lid below a low brow, whose colour is known otherwise.
    # What is painted joins what is seen around it, be that darker or lighter; but no rim of glasses.
    sure = sure + (1 - sure) * (0.0 if glasses else OTHERS)
    shown = (1 - largest(hidden, 3)) * (of_skin * (1 - (1 - BELOW_COLORS) * below) * sure + 1e-3)
    lids = (terms(share.clamp(0, 1), up) @ lid).movedim(-1, 0).clamp(0, 1)
    guessed = LID * on_lid * (1 - shown)
    known = shown + guessed
    bare = filled((colors * shown + lids * guessed) / known.clamp(min=1e-6), known)
    middle = bare[0, :, ROWS // 2, COLUMNS // 2]
    # What is hardly covered keeps its own texture.
    lighter = ((bare + DARK).log() - (colors + DARK).log()).clamp(*LIGHTER) * hidden * (1 - _soft(eye, 5, 3))
    planes = enlarged(torch.cat([bare, painted, lighter, off_brow[None, None]], 1), (FINER * ROWS, FINER * COLUMNS))
    if not glasses:
        texture = _texture(view, frame, seen[1]) if texture is None else texture
    deep = DEEP * middle * (middle / middle.mean()) ** DEEP_HUE
    # What of paint and of the shade of a socket went with the lashes comes back over all of the lid.
    kept = torch.lerp(colors * lighter.exp(), bare, painted).clamp(min=0.02)
    strip = (on_lid > 0.5) & (above > PAINT_AT[0]) & (above < PAINT_AT[1])
    tint = (colors / kept)[0, :, strip].clamp(max=1)
    tint = tint.median(1).values if tint.shape[1] else torch.ones_like(middle)
    paint = min(PAINT_MORE * (1 - tint.min().item()), PAINT_MOST)
    hue = middle * (1 - (1 - tint) / max(paint, 1e-3)).clamp(min=0)
    return Bare(
        planes, None if glasses else texture, torch.stack([middle * line**DARKER, deep, hue]), paint, hair, long, frame
    )


def _raster(finer: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the columns and of the rows of the picture, or of one that is so many times finer, in widths of the eye."""
    bounds = (ACROSS, finer * COLUMNS), (DOWN, finer * ROWS)
    return tuple(low + (high - low) * (np.arange(count) + 0.5) / count for (low, high), count in bounds)


def _room(outline: np.ndarray, frame: Frame, left: bool, height: np.ndarray) -> np.ndarray:
    """How far beyond the outer corner a face ends at each ``height [N]``, in widths of the eye; ``outline [N,2]`` are crop points."""
    a, b = (v / frame.length for v in frame.to(*outline.T))
    away = -a if left else a - 1
    order = np.argsort(np.where(away > 0, b, np.inf))[: (away > 0).sum()]
    nearest = float(np.hypot(away, b).min())  # landmarks of an outline are not sure to a pixel
    return np.maximum(np.interp(height, b[order], away[order]) if len(order) else 0.0, np.full_like(height, nearest))


def _seen(view: Tensor, frame: Frame, along: np.ndarray, down: np.ndarray) -> Tensor:
    """``[1,C,H,W]`` of a face ``view`` at places ``[H,W]`` in widths of the eye."""
    points = np.stack(frame.back(along * frame.length, down * frame.length), -1)
    return seen_at(view, torch.from_numpy(points)[None])


def _texture(view: Tensor, frame: Frame, lower: np.ndarray) -> Tensor:
    """Texture of skin ``[1,1,FINER ROWS,FINER COLUMNS]``, as of :func:`flow_core.faces.texture.lid_texture`, as far as the view shows it.

    Args:
        view, frame: as of :func:`bare_eye`.
        lower: ``[TABLE]`` the lower lid.
    """
    share, height = np.meshgrid(*_raster(FINER))
    height = below(float(lower.max()) / frame.length, torch.from_numpy(height)).numpy()
    return finest(_seen(view, frame, share, height).movedim(1, -1), EVEN).clamp(*ROUGH)


def _hair(dark: Tensor, aside: Tensor, under_brow: Tensor, left: bool) -> Tensor:
    """How far what is ``dark [H,W]`` is no lash, 0..1.

    Args:
        dark: 0..1.
        aside: how far beyond the outer corner.
        under_brow: how far below the edge of the brow.
        left: whether the outer corner is the left one.
    """
    # What is dark all the way from far beside the eye is hair that hangs down.
    strand = dark.cummin(1).values if left else dark.flip(1).cummin(1).values.flip(1)
    # Thick brows reach below their edge: what is dark from there on, for a little, is theirs.
    brow = torch.where(under_brow > 0, dark, 1.0).cummin(0).values * (1 - smoothstep(under_brow, *THICK))
    return _soft(torch.maximum(strand * smoothstep(aside, *WING), brow), 1, 3)[0, 0]


def _soft(mask: Tensor, wider: int, even: int) -> Tensor:
    """``[1,1,H,W]`` of a mask ``[H,W]``, wider and with a soft border."""
    return F.avg_pool2d(largest(mask[None, None], wider), even, 1, even // 2, count_include_pad=False)


__all__ = ["Bare", "bare_eye"]
