"""The mouth of a moved face: what lies between lips that part, fixed to the skull above and to the jaw below, and what lips that meet hide.

Lengths are crop fractions where nothing else is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..faces.landmarks import AT, LIPS, LIPS_INNER
from ..faces.mouth import PARTED
from ..faces.mouth import columns as along
from .curves import SAMPLES, TABLE, Frame, read
from .layers import EDGE, Box, around, box_of
from .lips import EDGES as LIP_EDGES
from .lips import Rims, lips_box
from .lips import rims as rims_of
from .smooth import smoothstep, smoothsteps
from .teeth import Own, Row, Skull, edges_at, paint, row, shows_teeth

# Width of lips that turn inwards, and how much light the upper and the lower one lose there
ROLL, ROLLED = 0.016, (0.4, 0.3)
MOUTH_SHADE = 0.018  # width of the soft shadow inside lips
DARK, TONGUE = 0.9, 0.08  # how much of the light is lost in the depth of a mouth, and how much less on the tongue
FOLLOW = 0.8  # share of the upper lip's way that teeth go along where it rises;
COVER = 0.45  # and where it comes down: it covers the rest of them
LIP_EDGE = 0.012  # of a lip, which gathers at its edge where lips close
STEEPEST = 0.8  # cosine of the steepest slope of lips whose border reaches as far beyond them as it is wide across it
SEAM = 0.025  # how far from lips their seam is felt: some pixels of the raster
CHINKS = 0.004, 0.014  # openings of a grin that shuts which shut altogether, and which stay
CHINK = 0.8  # light that is lost between lips that nearly do
# Light that is lost in the seam of lips that have met, and the share of the mouth's width within which it runs out
SEAMED, SEAM_ENDS = 0.35, 0.03
SEAM_WIDE = 0.4  # its half width, of that of a border in small pictures
# Width of mouths, and half height, of the dark at their corners; opening with which it is there
PIT, GRIN = (0.14, 0.0055), (0.01, 0.03)
# The same where teeth are seen in the opening, and how light it is then, of what teeth are expected to be
SLIT, LIT = (0.003, 0.008), (0.4, 0.5)
# Corners of a mouth that opens: the opening, in widths of the mouth, with which they come; how far lips part beyond the last landmarks where they
# meet, of the way to the outer corners; from which opening on they are blunt, and how much less far they reach then; and the share of
# the mouth's width within which its border grows soft, and by how much wider it is there
OPENING = 0.03, 0.2
TIP = 0.6
BLUNT = (0.25, 0.45), 0.8
SOFT, SOFTER = 0.16, 2.5
SHUT = 0.2, 0.7  # of an opening, by which lips come together: not at all as lips that shut, and fully
# The edge of a lip is known to a pixel or two only, so a little of it is left out with what lies behind: always, and of the opening
UNSURE = 2.2 * EDGE, 0.12
TORN = 0.01  # by which a jaw drops from the upper teeth, from where on what it carries has a border of its own
BEYOND = 9.0  # below all that is seen
# Largest opening up to which what it shows says nothing, and from which on it is high enough to be looked at
TELLS = 0.012, 0.020
# How far below teeth that are seen what hung there has faded, and the most, of the opening: of a low one that is the lip
FADES = 3 * EDGE, 0.15
TOUCHED = -0.5 * EDGE  # the same where a lip touches them
UNKNOWN = (0.015, 0.035)  # how far above what an opening showed nothing is known of what is seen there
WIDENS = 0.0, 0.010  # by which a mouth opens more than it did, until what is painted there is there
# By which it does so anywhere, or its upper lip rises from a mouth that stays parted, until upper teeth are painted before what it showed behind them
GROWS, RISES = (0.002, 0.008), (0.004, 0.012)
# Centimetres of a tooth that are seen at most, and how many times as long as it was seen it is then
CROWN, LONGER = 0.95, 2.2
# How many times as long they would be, in the mean, up to which they stay as they are seen, and from where on painted ones may take their place;
# and the part of the mouth that they span up to which those do, and from where on none does
SHORT, NARROW = (1.05, 1.2), (0.5, 0.7)
EITHER = 0.05, 0.3  # of both, until painted ones do all of it: a mixture of two rows is neither
FIRM = 0.5, 0.8  # how light, of the lightest, a column of teeth is that is surely none of the dark beside them
TEETH_SEEN = (0.004, 0.012)  # opening of a mouth below which nothing inside is seen, and above which it is
MEETING = LIP_EDGES[1::2]  # where they meet


@dataclass(frozen=True)
class Mouth:
    """The opening of a mouth before and after."""

    target: Frame
    source: Frame
    after: Tensor  # [4,TABLE] target: edge of the upper and of the lower lip, and the cosines of their slopes
    seen: Tensor  # [2,TABLE] source: the same; [6,TABLE] with what :func:`_looked` says, where somebody did
    gap: float  # largest opening before
    pit: float  # half height of the dark at the corners of a grin that shuts
    parts: float  # 0..1, how far it opens more than it was, so that its corners are soft
    widens: float  # 0..1, how far it opens more than it was anywhere, or its upper lip rises
    lift: float  # how far the teeth go down with the upper lip
    box: Box
    edge: float  # width of its border
    row: Row | None  # the teeth that are painted where the picture shows none
    replaced: float  # 0..1, how far that takes the place of upper teeth that it shows, of which too little is seen
    shows: float  # how far what it shows between the lips may be teeth
    jaw: tuple[float, float] | None  # by which what goes with the jaw moves; None where nothing is seen of that
    rims: Rims | None  # the lips, where they shut

    @property
    def lips(self) -> Tensor:
        """``[2,TABLE]`` target: edge of the upper and of the lower lip."""
        return self.after[:2]


def lip_edges(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges of the upper and of the lower lip where the two meet, ``[11,2]`` from the viewer's left corner to the right one."""
    return landmarks[MEETING[0]], landmarks[MEETING[1]]


def blunt_tips(landmarks: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks before and after whose inner corners of the mouth lie nearer to the outer ones, the more lips part: the line in which
    they met would go on as a crack beside the opening."""
    before, after = (np.hypot(*(lower - upper).T).max() for upper, lower in map(lip_edges, (landmarks, moved)))
    width = np.hypot(*(moved[AT[LIPS_INNER[10]]] - moved[AT[LIPS_INNER[0]]]))
    parts = TIP * smoothstep((after - before) / width, *OPENING) * (1 - BLUNT[1] * smoothstep(after / width, *BLUNT[0]))
    if not parts:
        return landmarks, moved
    found = []
    for at in (landmarks, moved):
        at = at.copy()
        for k in (0, 10):
            at[AT[LIPS_INNER[k]]] += parts * (at[AT[LIPS[k]]] - at[AT[LIPS_INNER[k]]])
        found.append(at)
    return tuple(found)


def mouth_of(
    landmarks: np.ndarray,
    moved: np.ndarray,
    edges: Sequence[tuple[Frame, np.ndarray]],
    curves: np.ndarray,
    teeth: tuple[float, float],
    pixel: float,
    skull: Skull | None,
    device: torch.device,
) -> Mouth:
    (target, _), _, (source, upper_seen), (_, lower_seen) = edges
    gap = max((curves[3] - curves[2]).max().item(), 0.0)
    # Teeth belong to the skull; but nobody knows what lies above and below what an opening showed, so they go along with most of
    # what its upper edge does.
    middle = [AT[i] for i in (82, 13, 312)]
    lift = (moved[middle] - landmarks[middle]).mean(0)[1].item()
    lift *= FOLLOW if lift < 0 else COVER
    opening = (curves[1] - curves[0]).clip(0)
    rises = (landmarks[MEETING[0]] - moved[MEETING[0]])[:, 1].max().item()
    widens = max(
        smoothstep((opening - (curves[3] - curves[2]).clip(0)).max().item(), *GROWS),
        smoothstep(rises, *RISES) * smoothstep(opening.max().item(), *PARTED),
    )
    shut = smoothstep(gap, *GRIN)
    if skull is not None and len(skull.colors) > 3 and shut < 1:
        # Of a mere slit teeth would stay as chinks; the dark in it is as good a seam as any.
        teeth_like, _, lightest = skull.colors[:3, 1].tolist()
        lit = smoothstep(lightest / max(teeth_like, 1e-3), *LIT) * smoothstep(skull.colors[3:, 1].max().item(), *FIRM)
        shut = max(shut, lit * smoothstep(gap, *SLIT))
    shut *= smoothstep(1 - opening.max().item() / max(gap, EDGE), *SHUT)
    if shut:  # lips that are soft leave no chinks
        meets = 0.5 * shut * (1 - smoothstep(opening, *CHINKS)) * opening
        curves = np.concatenate([[curves[0] + meets, curves[1] - meets], curves[2:]])
    # Across a steep border the way is shorter than downwards.
    step, slopes = target.length / (TABLE - 1), np.empty_like(curves[:2])
    slopes[:, 1:-1] = (curves[:2, 2:] - curves[:2, :-2]) / (2 * step)
    slopes[:, [0, -1]] = (curves[:2, [1, -1]] - curves[:2, [0, -2]]) / step
    curves = np.concatenate([curves[:2], 1 / np.hypot(1, slopes), curves[2:]])
    tables = torch.from_numpy(curves.astype(np.float32)).to(device)
    after = (curves[1] - curves[0]).max().item()
    pit = PIT[1] * smoothstep(gap, *GRIN) * (1 - smoothstep(after, *TEETH_SEEN))
    parts = smoothstep((after - gap) / target.length, *OPENING)
    edge = max(EDGE, min(2 * pixel, SEAM))  # in small pictures a narrower border would be a staircase
    beside = PIT[0] * target.length if pit else (edge - EDGE) / 2
    box = box_of(target, curves[0].min() - SEAM, curves[1].max() + SEAM, beside)
    opens = after > 0.2 * EDGE
    shows, own, jaw, replaced = 1.0, None, None, 0.0
    if skull is not None and opens:
        shows = shows_teeth(skull)
        if gap > PARTED[0] and len(skull.colors) > 3:
            columns = skull.colors[3:].double().cpu().numpy() * [1, shows * smoothstep(gap, *TELLS), 1]
            own, below = _looked(columns, upper_seen, lower_seen, source, np.array([teeth[0], teeth[1] + lift]))
            tables = torch.cat([tables, torch.from_numpy(below.astype(np.float32)).to(device)])
            if below[0].min() < BEYOND:
                # What is seen goes along with a lower lip that goes farther down than the jaw: nobody knows what lies below.
                at = [AT[i] for i in (87, 14, 317)]
                (x, y), beyond = skull.dropped, (moved[at] - landmarks[at]).mean(0)[1] - skull.dropped[1]
                jaw = x, float(y + beyond * (1.0 if beyond > 0 else COVER))
    made = (
        row(skull, target, curves[0][TABLE // 2], curves[1].max(), after, teeth, pixel, device, own)
        if skull is not None and opens
        else None
    )
    if own is not None and made is not None and made.known:
        replaced = made.known * _patched(own, target, source, curves[0], CROWN * made.centimetre)
    rims = None
    if shut:

        def unsure(share: np.ndarray, opening: np.ndarray) -> np.ndarray:
            return UNSURE[0] + UNSURE[1] * opening + pit * _corners(share)

        rims = rims_of(landmarks, moved, shut, unsure, device)
        box = around(box, lips_box(moved))
    return Mouth(
        target,
        source,
        tables[:4],
        tables[4:],
        gap,
        pit,
        parts,
        widens,
        lift,
        box,
        edge,
        made,
        replaced,
        shows,
        jaw,
        rims,
    )


def _looked(
    columns: np.ndarray, upper: np.ndarray, lower: np.ndarray, source: Frame, shift: np.ndarray
) -> tuple[Own, np.ndarray]:
    """What was seen between lips: the upper teeth, where they are after; and tables ``[4,TABLE]`` in the frame of the mouth before: of the
    height below which all goes with the jaw, of how far teeth are seen, of the height at which those end, and of how far they are surely nothing else.

    Args:
        columns: ``[K,3]`` of :func:`flow_core.faces.mouth.mouth_colors`.
        upper: ``[11,2]`` edges of the lips, and
        lower: the same.
        shift: x and y by which teeth move.
    """
    reach, light, split = columns.T
    first, last = (along(torch.from_numpy(edge)).numpy() for edge in (upper, lower))
    edges, borders = (first + (last - first) * part[:, None] for part in (reach, split))
    a, b = source.to(*borders.T)
    at = np.maximum.accumulate(a / source.length)
    below = np.interp(SAMPLES, at, np.where(split < 1, b, BEYOND))
    # Where no row is found all but a trace of lip above a tongue may belong to one.
    row = light.max() > 0.1
    teeth = np.interp(SAMPLES, at, (2 * light if row else 6 * split - 0.8).clip(0, 1), *((0, 0) if row else ()))
    cut = np.hypot(*(last - first).T) * (reach > 0.95)
    a, b = source.to(*edges.T)
    ends = np.interp(SAMPLES, np.maximum.accumulate(a / source.length), b if row else 0 * b + BEYOND)
    firm = np.interp(SAMPLES, at, smoothstep(light, *FIRM), 0, 0)
    return Own((edges + shift).T, light, cut, reach * np.hypot(*(last - first).T)), np.stack([below, teeth, ends, firm])


def _patched(own: Own, target: Frame, source: Frame, top: np.ndarray, crown: float) -> float:
    """How far what is seen of upper teeth is too little for what a mouth shows of them after, 0..1: as a patch in a painted row it is a smear
    between teeth.

    Args:
        target: of the mouth after, and
        source: before.
        top: ``[TABLE]`` the edge of the upper lip after.
        crown: length of a tooth that is seen at most.
    """
    a, b = target.to(*own.edges)
    shown = np.maximum(own.height, 1e-4)
    longer = ((b - np.interp(a / target.length, SAMPLES, top)).clip(0, crown) / shown).clip(1, LONGER)
    grown = (own.light * longer).sum() / max(own.light.sum(), 1e-6)
    part = (2 * own.light).clip(0, 1).mean() * min(source.length / target.length, 1.0)
    little = smoothstep(float(grown), *SHORT) * (1 - smoothstep(float(part), *NARROW))
    return smoothstep(little, *EITHER)


class Lips(NamedTuple):
    """Points ``[N]`` of each in the frame of a mouth after: where they lie, in its axes, the edges of the upper and of the lower lip at
    their ``a``, and the cosines of the slopes of these."""

    a: Tensor
    b: Tensor
    top: Tensor
    bottom: Tensor
    across: tuple[Tensor, Tensor]


def lips_at(mouth: Mouth, x: Tensor, y: Tensor) -> Lips:
    a, b = mouth.target.to(x, y)
    top, bottom, *across = read(mouth.after[:, None], (a / mouth.target.length)[None])[:, 0]
    return Lips(a, b, top, bottom, tuple(across))


def _corners(share: Any) -> Any:
    """1 at the corners of a mouth, falling to 0 :data:`PIT` of its width to either side, at shares (tensors or arrays) of the way between them."""
    beside = abs(0.5 - abs(share - 0.5)) / PIT[0]
    return (1 - beside.clip(max=1) ** 2) ** 2


def off_teeth(mouth: Mouth, lips: Lips, source: Tensor) -> Tensor:
    """Where skin at points comes from, ``source [2,N]``, but never from between lips that close: a smooth raster would show
    what lay there, squeezed into the seam."""
    if mouth.gap <= TEETH_SEEN[0]:
        return source
    _, b, top, bottom, _ = lips
    sa, sb = mouth.source.to(*source)
    upper, lower = read(mouth.seen[:2, None], (sa / mouth.source.length)[None])[:, 0]
    if mouth.pit:  # the corners of an open mouth are a dark pit that goes on beyond those of the lips
        pit = mouth.pit * _corners(sa / mouth.source.length)
        upper, lower = upper - pit, lower + pit
    gap = (lower - upper).clamp_(min=0)
    closing = 1 - (bottom - top).clamp_(min=0) / gap.clamp(min=1e-4)
    share = torch.maximum(smoothstep(closing, *SHUT), smoothstep(bottom - top - gap, 0.0, 0.008))
    share = share * smoothstep(gap, *TEETH_SEEN)
    # lips come nearer and nearer to there
    edge = UNSURE[0] + UNSURE[1] * gap
    over = torch.where(b < (top + bottom) / 2, sb - (upper - edge), (lower + edge) - sb) + LIP_EDGE
    back = (over - LIP_EDGE * (1 - (-over.clamp(min=0) / LIP_EDGE).exp())).clamp_(min=0)
    off = torch.where(b < (top + bottom) / 2, sb - back, sb + back)
    return torch.stack(mouth.source.back(sa, torch.lerp(sb, off, share)))


def _longer(row: Row, sb: Tensor, top: Tensor, first: Tensor, ends: Tensor, teeth: Tensor) -> tuple[Tensor, Tensor]:
    """Heights at which teeth are seen that a rising lip uncovers, and how many times as long they are: their crowns grow longer towards the gum, for
    nothing painted beside them has their light.

    Args:
        row: the teeth of that mouth.
        sb: ``[N]`` heights in the frame of the mouth before, as the skull has them.
        top: of the edge of the upper lip after,
        first: where what is seen begins, and
        ends: where the teeth end, in that frame.
        teeth: 0..1, how far there are some.
    """
    shown = (ends - first).clamp(min=1e-4)
    whole = torch.minimum((ends - top).clamp(max=CROWN * row.centimetre), LONGER * shown)
    longer = torch.lerp(torch.ones_like(sb), (whole / shown).clamp(min=1), row.known * teeth)
    longer = torch.where(sb < ends, longer, 1.0)
    return torch.where(sb < ends, ends - (ends - sb) / longer, sb), longer


def ask_mouth(
    mouth: Mouth, lips: Lips, x: Tensor, y: Tensor, teeth: tuple[float, float]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
    """How much of the inside of the mouth is seen ``[N]``, how much of it the picture shows ``[N]``, where ``[2,N]``, how dark it is
    ``[N]``, and what is painted there ``[4,N]``, if anything."""
    a, b, top, bottom, across = lips
    share = a / mouth.target.length
    below, above, opening = b - top, bottom - b, bottom - top
    # Of a turned head the far lips end one above the other.
    inside = torch.minimum(
        torch.minimum(below * across[0], above * across[1]), torch.minimum(a, mouth.target.length - a)
    )
    # Beyond a steep edge, as at its corners, a wide border would be a spike.
    covered = torch.minimum(below, above)
    covered = torch.where(covered < 0, torch.minimum(inside, STEEPEST * covered), inside)
    sa, sb = mouth.source.to(x - teeth[0], y - (teeth[1] + mouth.lift))
    length = mouth.source.length
    upper, lower, *looked = read(mouth.seen[:, None], (sa / length)[None])[:, 0]
    apart, fades = None, min(FADES[0], FADES[1] * mouth.gap)
    if mouth.jaw is not None:
        # Lower teeth and a tongue go with the jaw. Between them and the upper teeth it is dark; where a mouth shuts one row hides the other.
        ja, jb = mouth.source.to(x - teeth[0] - mouth.jaw[0], y - teeth[1] - mouth.jaw[1])
        jaw = read(mouth.seen[:, None], (ja / length)[None])[:, 0]
        over, under = looked[0] - sb, jb - jaw[2]
        farther = mouth.jaw[1] - mouth.lift
        lower_part = under > over if farther > 0 else over < 0
        apart = 1 - torch.maximum(smoothstep(over, -EDGE, EDGE), smoothstep(under, -EDGE, ROLL))
        torn = smoothstep(farther, 0.0, TORN)
        apart = apart * torn
        # The dark that hung between two rows is no part of either.
        # The sooner it ends the nearer that is: there a lip touches teeth, and is known to a pixel only.
        last = TOUCHED + (fades - TOUCHED) * smoothstep(looked[0] - looked[2], 0.0, EDGE)
        looked[1] = looked[1] * (1 - torn * smoothstep(sb - looked[2] - last, -2.5 * EDGE, 0.0))
        split = torch.where(lower_part, jaw[2], looked[0])
        sa, sb = torch.where(lower_part, ja, sa), torch.where(lower_part, jb, sb)
        upper, lower, looked[1] = (
            torch.where(lower_part, v, w) for v, w in ((jaw[0], upper), (jaw[1], lower), (1.0, looked[1]))
        )
    gap = (lower - upper).clamp_(min=0)
    if apart is None and looked:
        # What lies below the upper teeth stays where it was only where lips do.
        looked[1] = looked[1] * (
            1 - smoothstep(opening - gap, 0.0, TORN) * smoothstep(sb - looked[2] - fades, -2.5 * EDGE, 0.0)
        )
    shift = sb - b
    higher, deeper = (upper - (top + shift)).clamp_(min=0), (bottom + shift - lower).clamp_(min=0)
    # How far the lips show more than they did, at this place: where they do not, everything stays as it was seen.
    wider, last = opening - gap, torch.minimum(0.15 * gap, 2 * deeper)
    height = opening.clamp(min=1e-4)
    shown = smoothstep(mouth.gap, *PARTED)
    # Towards its corners the border grows soft.
    soft = 1 + SOFTER * mouth.parts * (1 - smoothstep(torch.minimum(share, 1 - share), 0.0, SOFT)) if mouth.parts else 1
    blur = torch.minimum(0.15 * gap + (mouth.edge - EDGE), 0.35 * gap)
    first = upper + torch.minimum(blur, 2 * higher)  # what is seen begins there
    if mouth.row is not None and mouth.row.known and looked:
        upper_teeth = looked[1] if apart is None else looked[1] * ~lower_part
        sb, longer = _longer(mouth.row, sb, top + shift, first, looked[2], upper_teeth)
        # Where little of a row was seen it is a smear when it is much longer; painted ones with its edges and its light are better.
        if mouth.replaced:
            looked[1] = looked[1] * (1 - mouth.replaced * (upper_teeth > 0) * (sb < looked[2] + EDGE))
        # Half a tooth beside the dark is no better for being longer.
        looked[1] = looked[1] * (1 - (longer - 1).clamp(max=1) * (1 - looked[3]))
    # The shadow begins before what is seen changes, so that no light shows between.
    border = (EDGE - mouth.edge) / 2, (EDGE + mouth.edge) / 2
    (alpha, opened, parted, more, was_seen, from_corner, was_open, too_high, beyond, goes_on,
     tongue, off_upper, off_lower, seam, closed, fell, drawn_out, chink) = smoothsteps(
        ((covered - EDGE / 2) / soft + EDGE / 2, *border), (opening, 0.0, mouth.edge), (wider, 0.3 * ROLL, 4 * ROLL), (wider, *WIDENS),
        ((lower - sb) / (3 * deeper).clamp_(max=0.13 * mouth.gap).add_(1e-4), 0.0, 1.0),
        (torch.minimum(sa, length - sa), 0.0, 0.08 * length), (gap, 0.002, 0.007), (upper - sb, *UNKNOWN),
        (sb - lower + last, 0.0, 0.006), (deeper, 0.0, 0.006), (below / height, 0.4, 1.0), (below, 0.0, MOUTH_SHADE),
        (above, 0.0, MOUTH_SHADE), (opening, mouth.edge, mouth.edge - EDGE), (wider, -TEETH_SEEN[0], -TEETH_SEEN[1]),
        (top + shift - upper, 0.0, TORN), (first - sb, 0.0, TORN), (opening, TEETH_SEEN[1], TEETH_SEEN[0]),
    )  # fmt: skip
    # What opens by less than its border is wide is no more than a trace.
    alpha = alpha * opened
    seen = was_seen * from_corner * was_open * (1 - too_high) * shown
    if apart is not None:
        seen, more = seen * (1 - apart), torch.maximum(more, apart)
    # What lies beyond what the picture showed is not to be its last row, drawn out.
    more = torch.maximum(more, beyond * goes_on)
    if mouth.row is not None and mouth.row.known:  # but gums, above teeth that it shows
        gums = mouth.row.known * drawn_out
        seen, more = seen * (1 - gums), torch.maximum(more, gums)
    hidden = (1 - seen) * more
    sb_seen = torch.maximum(sb, first)
    sb_seen = torch.minimum(sb_seen, lower - last)
    if apart is not None:  # neither row is seen a second time beyond what parts them
        sb_seen = torch.where(lower_part, torch.maximum(sb_seen, split), torch.minimum(sb_seen, split))
    # What nobody saw, as between lips that met, stays with the lips, and is dark: on the way from there to teeth a border would show all that lies between.
    follows = alpha * (1 - hidden * hidden) * shown
    tongue = tongue * (1 - (2 * share - 1).square()).clamp_(min=0)
    # Lips throw their shadow from their very edge on, the upper one a darker one.
    depth = (0.75 + 0.25 * off_upper) * (0.5 + 0.5 * off_lower)
    shade = alpha * depth * hidden.clamp(min=1e-6).sqrt() * (DARK - TONGUE * tongue)
    # Parted lips are round, and turn away from the light towards the dark.
    turned = (1 + inside / ROLL).clamp_(0, 1) * (1 - alpha)
    # Lips that have met show a seam, where teeth were; it runs out towards the corners.
    # Where pixels are larger it is wider, and fainter.
    wide = max(EDGE, SEAM_WIDE * mouth.edge)
    line = ((below - above) / (2 * wide)).square().neg_().exp_()
    line = line * smoothstep(torch.minimum(share, 1 - share), 0.0, max(SEAM_ENDS, mouth.edge / mouth.target.length))
    shade = shade + SEAMED * math.sqrt(EDGE / wide) * line * seam * closed
    # Through a chink that is left of a grin nothing light is seen.
    shade = torch.maximum(shade, alpha * (CHINK * chink * closed))
    shade = shade + torch.where(below < above, ROLLED[0], ROLLED[1]) * turned * turned * parted
    made = None
    if mouth.row is not None:
        # Between lips that the picture parts it may show teeth, which stay, or the dark.
        own = shown * mouth.shows
        narrowed = smoothstep(1 - mouth.target.length / length, 0.05, 0.20)
        if looked:
            seen = seen * looked[1]
        # Teeth stand in the dark that was seen, too, and not only beside it.
        dark = (1 - own) * mouth.widens
        covers = more.clamp(min=dark)
        hangs, ends = edges_at(mouth.row, share) - b, 2 * mouth.row.pixel + EDGE
        if apart is not None:  # upper teeth hide what goes with the jaw, and nothing else of theirs does
            covers = torch.maximum(more, dark * torch.where(lower_part, smoothstep(hangs, 0.0, ends), 1.0))
        if mouth.replaced:
            covers = torch.maximum(covers, mouth.replaced * smoothstep(hangs, -EDGE, ends))
        visible = 1 - covers * (1 - seen * own)
        low = 1.0 if mouth.jaw is None else mouth.row.gritted  # what is seen of them is no more than a part
        closed = 1 - own * smoothstep(mouth.gap, *TELLS)  # a slit says nothing of the row that is painted
        made = paint(mouth.row, share, b, top, bottom, alpha, visible, fell, closed, own * narrowed, low)
    return alpha, follows, torch.stack(mouth.source.back(sa, sb_seen)), shade, made
