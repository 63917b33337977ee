"""What lids that shut show: the skin that the eye hid, with the crease above it, and the line of their lashes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .smooth import smoothstep

if TYPE_CHECKING:
    from .eyes import Eye

# How far the skin of a lid covers what was seen, between which shares of its height it ends, how soon above the lid's edge it begins, in widths of
# the eye, and of the eye at its corners
LID_BARE, LID_TOP, LID_EDGE, LID_ENDS, DOME = (0.45, 0.85), (0.4, 1.0), 0.03, 0.12, 0.92
# How much lighter a lid is where it is round, and darker in its crease; how far above where its edge was that lies, its softness above and below,
# in widths of the eye, and shares of the eye in which it runs out
BULGE, CREASE, CREASE_OVER, CREASE_SOFT, CREASE_ENDS = 0.04, 0.09, 0.03, (0.09, 0.07), (0.02, 0.4)
# By how much skin above a lid is drawn out that still looks like skin, and that needs to be covered
DRAWN_OUT = 0.22, 0.42
STREAKS = 0.45, 0.7  # and that shows streaks of lashes
# Of the line of the lashes of a lid that shuts: how far it covers what was there, and which share of that it does at the inner corner; between which
# shares of the way outwards it becomes as thick as it is; how thick it is above and below, there and then, in half widths of the line between lids
LASH_COVER, LASH_FAINT, LASHES_THICKEN, LASH_THICK = 0.9, 0.7, (0.0, 0.5), ((0.6, 1.0), (0.9, 2.0))
# Half the width of that line in pixels at least; from which half width on that is the blur of the picture; and which part of that the line is drawn with
LASH_PIXEL, LASH_WIDE, LASH_BLUR = 0.85, 0.0055, 0.6
LINE_BEGINS = -0.02, 0.14  # from the inner corner on, in widths of the eye
# Share of the way outwards at which the line ends, and how far it hangs there, in widths of the eye
LINE_ENDS, LINE_DROPS = 1.2, 0.045
# Of the shade in which lids lie along that line: how much light it takes, and how far it reaches above and below, in widths of the eye
LINE_SHADE, SHADE_SOFT = 0.28, (0.13, 0.10)
# And how far what is painted on lids does
PAINT_SOFT, PAINT_BEGINS = (0.24, 0.09), (-0.05, 0.35)
# How far short and long lashes hang down, in widths of the eye, and how far they cover
LASH_LENGTH, LASH_HANGS = (0.06, 0.12), 0.65
# Shares of single ones, and of the strands in which they stick together, that pixels may be as large as, and are too large; how they spread; and
# their number and phase
HAIRS_SEEN, LASH_SPREAD, LASH_WAVES = (0.25, 0.62), 2.2, ((31.0, 0.0), (13.3, 0.2), (71.0, 0.6))
SINGLE = 0.5  # by how much darker a single one is than all that is seen of them from afar


def lash_line(eyes: Sequence[Eye], share: Tensor, high: Tensor, width: Tensor) -> Tensor:
    """The lashes of lids that shut, painted ``[4,E,N]`` at points ``[E,N]`` of eyes: a soft line, sharper above than below, where they hang down, and
    which goes on a little beyond the outer corner.

    Args:
        share: of the way from the left corner to the right one.
        high: how far above the edge of the upper lid, in widths of the eye.
        width: of the eyes ``[E,1]``.
    """
    none = torch.zeros(3, 3).to(share)
    tone, dim, hue = torch.stack([none if eye.bare is None else eye.bare.tones for eye in eyes], 2)[..., None]
    rows = [
        (0.0,) * 8
        if eye.bare is None
        else (eye.shut, eye.lined, eye.bare.hair, eye.bare.paint, float(eye.left), *eye.fine, eye.lashes)
        for eye in eyes
    ]
    shut, lined, hair, paint, left, fine, strands, line = share.new_tensor(rows).T[..., None]
    blurred = LASH_BLUR * (line.square() - LASH_WIDE**2).clamp(min=1e-12).sqrt() / width
    line = line.clamp(max=LASH_WIDE) / width
    tone = tone * (1 - SINGLE * fine)
    outwards = torch.where(left > 0, 1 - share, share)
    full = smoothstep(outwards, *LASHES_THICKEN)
    high = high + LINE_DROPS * shut * smoothstep(outwards, 0.5, 1.05)
    ends = smoothstep(LINE_ENDS - outwards, 0.0, 0.45) * smoothstep(outwards, *LINE_BEGINS)
    own = [1e-4 + line * ends * (low + (most - low) * full) for low, most in LASH_THICK]
    above, below = (torch.hypot(thick, blurred) for thick in own)
    faint = sum(own) / (above + below)  # where it is blurred
    core = LASH_COVER * faint * ends.sqrt() * (LASH_FAINT + (1 - LASH_FAINT) * full)
    core = core * (-(high / torch.where(high > 0, above, below)).square()).exp()
    # Lashes spread outwards, and are not as long as one another.
    root = (outwards + LASH_SPREAD * (outwards - 0.45) * high).clamp(0, 2)
    waves = [(2 * math.pi * (count * root + phase)).sin() for count, phase in LASH_WAVES]
    single = 1 + fine * (waves[0] * (0.6 + 0.4 * waves[1]) * 1.2 + 0.3 * waves[2]) + (strands - fine) * 0.7 * waves[1]
    long = [eye.bare.long for eye in eyes if eye.bare is not None]  # of both eyes alike
    length = LASH_LENGTH[0] + (LASH_LENGTH[1] - LASH_LENGTH[0]) * sum(long) / len(long)
    length = length * (1 + 0.25 * strands * waves[1])
    hang = LASH_HANGS * hair * full * ends * single.clamp(0, 1.6) * _fading(high, length, length, blurred)
    hang = (hang * smoothstep(-high, -blurred, blurred)).clamp(max=1)
    shade = LINE_SHADE * ends.sqrt() * _fading(high, *SHADE_SOFT, blurred)
    paint = paint * ends.sqrt() * smoothstep(outwards, *PAINT_BEGINS) * _fading(high, *PAINT_SOFT, blurred)
    painted = torch.zeros_like(share).expand(4, -1, -1)
    for color, cover in (
        (tone, 1 - (1 - lined * core) * (1 - shut * hang)),
        (dim, shut * shade),
        (hue, shut * paint),
    ):
        cover = cover * (1 - painted[3])
        painted = painted + torch.cat([color * cover, cover[None]])
    return painted


def _fading(high: Tensor, above: Tensor | float, below: Tensor | float, blurred: Tensor) -> Tensor:
    """What falls from 1 at a height of 0 within so far above and below, in a picture that is ``blurred`` by so much: lower, and farther."""
    over, under = ((blurred.square() + soft**2).sqrt() for soft in (above, below))
    return (above + below) / (over + under) * (-(high / torch.where(high > 0, over, under)).square()).exp()


def bare_lids(
    eyes: Sequence[Eye], share: Tensor, skin: Tensor, up: Tensor, came: Tensor, above: Tensor, stretched: Tensor
) -> Tensor:
    """The skin of lids that shut, painted ``[4,E,N]`` at points ``[E,N]`` of eyes.

    Args:
        share: of the way from the left corner to the right one.
        skin: where the skin there comes from if no lid moves ``[2,E,N]``, crop points.
        up: of the way from the upper lid's edge to where the skin is as it was.
        came: how far down that edge came, in widths of the eye.
        above: how far above it, in the same.
        stretched: how far each lid went down, of the height of the skin above it ``[E,1]``.
    """
    skins = torch.stack([_bare_at(eye, *skin[:, i]) for i, eye in enumerate(eyes)], 1)
    colors, off_brow = skins[:3], skins[7]
    # A lid is round, and its crease lies where its edge was, or a little higher.
    corner, high = torch.minimum(share, 1 - share), above - came - CREASE_OVER
    round_ = (-((above - 0.5 * came) / (0.4 * came).clamp(min=0.03)).square()).exp()
    crease = (-(high / torch.where(high > 0, *CREASE_SOFT)).square()).exp() * smoothstep(corner, *CREASE_ENDS)
    dome = up / (1 - (DOME * (2 * share - 1)).abs() ** 2.5).clamp(min=1e-3)
    shut = share.new_tensor([[eye.shut] for eye in eyes])
    cover = LID_BARE[0] + (LID_BARE[1] - LID_BARE[0]) * smoothstep(stretched, *STREAKS)
    bare = cover * off_brow * shut * (1 - smoothstep(dome, *LID_TOP))
    bare = (
        bare * smoothstep(above, 0.0, LID_EDGE) * smoothstep(corner, 0.0, LID_ENDS) * smoothstep(stretched, *DRAWN_OUT)
    )
    return torch.cat([colors * (1 + BULGE * round_ - CREASE * crease) * bare, bare[None]])


def _bare_at(eye: Eye, x: Tensor, y: Tensor) -> Tensor:
    """:meth:`flow_core.fields.lashes.Bare.at` of an eye, 0 where it is not known."""
    return x.new_zeros(8, len(x)) if eye.bare is None else eye.bare.at(x, y)


__all__ = ["bare_lids", "lash_line"]
