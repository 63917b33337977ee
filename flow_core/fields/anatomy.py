"""How a fitted face looks when its muscles have moved: skin, eyeballs and the inside of the mouth as layers.

The skin follows the mesh. Eyelids, gaze and the opening of the mouth are described by curves of the face itself, its lids
and lips, so that lids meet wherever a face has them, and teeth stay with the skull. Everything is a function of crop points:
nothing here knows a resolution but the smooth offsets of the skin, which are kept on a raster and interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.landmarks import AT, BROWS, EYES, IRISES, LIPS, LIPS_INNER, OVAL
from ..geometry.grid import pixel_centers
from ..geometry.mesh import barycentric, polygon_distance, rasterise
from ..geometry.sampling import interpolate

RASTER = 192  # pixels a side of the raster of the skin's offsets, six times a power of two; 384 gives the same picture
_COARSE = 28  # pixels a side of the raster on which the distance to the outline is computed
TABLE = 256  # samples of a curve across an eye or a mouth
FADE = 0.16  # fractions of the crop side beyond the face's outline at which its motion has faded
LASHES = 0.010  # height of the strip along a lid that moves as a whole, with its lashes
LID = 0.085  # how far above an upper lid the skin gives way when the lid closes
LOWER_LID = 0.05
UPPER_SHUTS, UPPER_OPENS = 0.82, 0.8  # the upper lid's share of a change of an eye's opening
IRIS, MARGIN = 0.2, 0.06  # radius of an iris, and how near it comes to a corner, in widths of the eye
LINE = 0.003  # how far above its edge an upper lid is asked when it is shut: at the edge itself the eye shines through
RIM = 0.008  # height of the wet rim of a lower lid
EDGE = 0.0026  # half width of the border between two layers
MOUTH_SHADE = 0.018  # width of the soft shadow inside lips
DARK, TONGUE = 0.9, 0.08  # how much of the light is lost in the depth of a mouth, and how much less on the tongue
FOLLOW = 0.8  # share of the upper lip's way that teeth go along
TEETH_SEEN = (0.004, 0.012)  # opening of a mouth below which nothing inside is seen, and above which it is


def smoothstep(x: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """0 below ``low``, 1 above ``high``, cubic between."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


class Frame(NamedTuple):
    """Axes of an eye or a mouth: ``a`` runs from its left corner (0) to its right one (``length``), ``b`` downwards."""

    origin: Tensor  # [2]
    axis: Tensor  # [2], unit
    length: Tensor

    @classmethod
    def between(cls, left: Tensor, right: Tensor) -> Frame:
        across = right - left
        length = across.norm().clamp(min=1e-4)
        return cls(left, across / length, length)

    def to(self, points: Tensor) -> tuple[Tensor, Tensor]:
        d = points - self.origin
        x, y = d.unbind(-1)
        c, s = self.axis
        return c * x + s * y, c * y - s * x

    def back(self, a: Tensor, b: Tensor) -> Tensor:
        c, s = self.axis
        return torch.stack([c * a - s * b, s * a + c * b], -1) + self.origin


def _curves(frames: Sequence[Frame], arcs: Tensor) -> Tensor:
    """Heights ``b`` of arcs ``[K,N,2]`` from corner to corner in their frames, as tables over ``a`` in 0..length: ``[K,TABLE]``.

    Cubic Hermite interpolation with slopes of finite differences, limited so that it hardly overshoots (Fritsch and
    Carlson, Monotone piecewise cubic interpolation, 1980).
    """
    a, b = (torch.stack(v) for v in zip(*(f.to(arc) for f, arc in zip(frames, arcs, strict=True)), strict=True))
    a = torch.cummax(a / torch.stack([f.length for f in frames])[:, None], 1).values
    a = a + torch.arange(a.shape[1], device=a.device) * 1e-5
    step, rise = a.diff(dim=1), b.diff(dim=1)
    slope = rise / step
    inner = (slope[:, 1:] * step[:, :-1] + slope[:, :-1] * step[:, 1:]) / (step[:, 1:] + step[:, :-1])
    least = 3 * torch.minimum(slope[:, 1:].abs(), slope[:, :-1].abs())
    inner = torch.where(slope[:, 1:] * slope[:, :-1] > 0, inner.clamp(-least, least), 0.5 * inner)
    m = torch.cat([slope[:, :1], inner, slope[:, -1:]], 1)
    x = torch.linspace(0, 1, TABLE, device=a.device).expand(len(a), -1).contiguous()
    i = (torch.searchsorted(a.contiguous(), x, right=True) - 1).clamp(0, a.shape[1] - 2)
    h, a0, b0, b1, m0, m1 = (v.gather(1, j) for v, j in ((step, i), (a, i), (b, i), (b, i + 1), (m, i), (m, i + 1)))
    t = ((x - a0) / h).clamp(0, 1)
    t2, t3 = t * t, t * t * t
    return (2 * t3 - 3 * t2 + 1) * b0 + (t3 - 2 * t2 + t) * h * m0 + (3 * t2 - 2 * t3) * b1 + (t3 - t2) * h * m1


def _read(tables: Tensor, share: Tensor) -> Tensor:
    """Tables ``[K,TABLE]`` at ``share [...]`` of the way across, linear between samples: ``[K,...]``."""
    x = share.clamp(0, 1) * (TABLE - 1)
    i = x.long().clamp(max=TABLE - 2)
    t = x - i
    return tables[:, i] * (1 - t) + tables[:, i + 1] * t


@dataclass(frozen=True)
class Eye:
    """One eye before and after. Curves are tables in the frame after (target) or before (source)."""

    target: Frame
    source: Frame
    lids: Tensor  # [4,TABLE] target: upper, lower before the lids move; upper, lower after
    seen: Tensor  # [2,TABLE] source: upper and lower lid
    iris: Tensor  # [3] source: a, b of the centre, and radius
    gaze: Tensor  # [2] shift of the iris along a and b
    still: bool  # nothing but the skin moves
    reach: float  # how far above the upper lid the skin gives way: up to the brow, or to the rim of glasses

    def box(self) -> Tensor:
        top, bottom = self.lids[[0, 2]].min() - self.reach - 0.01, self.lids[[1, 3]].max() + LOWER_LID + 0.01
        return _box(self.target, top, bottom)


@dataclass(frozen=True)
class Mouth:
    """The opening of a mouth before and after."""

    target: Frame
    source: Frame
    lips: Tensor  # [2,TABLE] target: edge of the upper and of the lower lip
    seen: Tensor  # [3,TABLE] source: upper, lower, and the middle of the lower lip
    gap: Tensor  # largest opening before
    lift: Tensor  # [2] shift of the teeth that goes with the upper lip

    def box(self) -> Tensor:
        return _box(self.target, self.lips[0].min() - 0.01, self.lips[1].max() + 0.01)


def _box(frame: Frame, top: Tensor, bottom: Tensor) -> Tensor:
    zero = torch.zeros_like(top)
    corners = frame.back(torch.stack([zero, frame.length, frame.length, zero]), torch.stack([top, top, bottom, bottom]))
    return torch.stack([corners.amin(0), corners.amax(0)])


def _under_glasses(landmarks: Tensor, points: Tensor) -> Tensor:
    """How far points ``[...,2]`` lie under glasses or their temples, 0..1: a band across the eyes with soft borders."""
    left, right = landmarks[AT[EYES[0][0]]], landmarks[AT[EYES[1][0]]]  # the outer corners
    frame = Frame.between(left, right)
    a, b = frame.to(points)
    a, b = (a - frame.length / 2).abs() / frame.length, b / frame.length
    lens = smoothstep(b, -0.30, -0.20) * (1 - smoothstep(b, 0.42, 0.60)) * (1 - smoothstep(a, 0.62, 0.80))
    temple = smoothstep(b, -0.22, -0.12) * (1 - smoothstep(b, 0.06, 0.16)) * smoothstep(a, 0.55, 0.70)
    return torch.maximum(lens, temple)


def skin_offsets(
    before: Tensor, after: Tensor, depth: Tensor, triangles: Tensor, outline: Tensor, size: int = RASTER
) -> Tensor:
    """Backward offsets of the skin on a raster, fading out beyond the outline of the face.

    Args:
        before: ``[V,2]`` crop points of the vertices.
        after: the same when the face has moved.
        depth: ``[V]`` after.
        triangles: ``[T,3]`` of the face.
        outline: ``[N,2]`` crop points of the face's outline after, clockwise.

    Returns:
        ``[1,2,size,size]``, continued smoothly where no skin is seen.
    """
    index, weights = rasterise(after, depth, triangles, size)
    offset = barycentric(before - after, triangles, index, weights).permute(2, 0, 1)[None]
    # A distance is smooth enough to be asked on a coarse raster.
    coarse = polygon_distance(outline, pixel_centers(_COARSE, _COARSE, outline.device))[None]
    distance = F.interpolate(coarse, (size, size), mode="bilinear", align_corners=False)
    known = (index >= 0)[None, None] & (distance > -0.01)
    # What is not known is smooth, so half the resolution does for it. It joins what is known without a step.
    share = F.avg_pool2d(known.float(), 2)
    half = F.avg_pool2d(offset * known, 2) / share.clamp(min=0.25)
    around = _filled(half, share)
    for _ in range(2):
        around = torch.where(share > 0, half, F.avg_pool2d(around, 5, 1, 2, count_include_pad=False))
    around = F.interpolate(around, (size, size), mode="bilinear", align_corners=False)
    offset = torch.where(known, offset, around)
    offset = F.avg_pool2d(offset, 3, 1, 1, count_include_pad=False)  # facets of the mesh are not to be seen
    return offset * smoothstep(distance, -FADE, 0.0)


def _filled(values: Tensor, known: Tensor) -> Tensor:
    """Values continued where they are not known, from a pyramid of means (push and pull)."""
    levels = [(values * known, known)]
    while levels[-1][0].shape[-1] > 4:
        v, k = levels[-1]
        levels.append((F.avg_pool2d(v, 2), F.avg_pool2d(k, 2)))
    v, k = levels[-1]
    out = v / k.clamp(min=1e-6)
    for v, k in reversed(levels[:-1]):
        out = F.interpolate(out, scale_factor=2.0, mode="bilinear", align_corners=False)
        sure = k.clamp(max=1)
        out = torch.where(k > 0, sure * v / k.clamp(min=1e-6) + (1 - sure) * out, out)
    return out


class MovedFace:
    """One face whose muscles have moved, ready to be asked at any crop point.

    Args:
        landmarks: ``[161,2]`` crop points before.
        before: ``[V,2]`` crop points of the mesh before, and
        after: after, without what eyelids and eyeballs do, with their
        depth: ``[V]``.
        triangles: ``[T,3]`` of the face.
        moved: ``[161,2]`` the landmarks after.
        lids: ``[2]`` by which factor the opening of the viewer's left and right eye changes.
        gaze: ``[2,2]`` shift of either iris, x and y, in widths of the eye.
        teeth: ``[2]`` crop fractions by which the skull's teeth move.
        size: pixels a side of the raster of the skin's offsets.
        glasses: whether the face wears some; what lies under them stays, but for lids and gaze.
    """

    def __init__(
        self, landmarks: Tensor, before: Tensor, after: Tensor, depth: Tensor, triangles: Tensor, moved: Tensor,
        lids: Tensor, gaze: Tensor, teeth: Tensor, size: int = RASTER, glasses: bool = False,
    ) -> None:  # fmt: skip
        self.skin = skin_offsets(before, after, depth, triangles, moved[[AT[i] for i in OVAL]], size)
        if glasses:
            self.skin = (
                self.skin * (1 - _under_glasses(landmarks, pixel_centers(size, size, landmarks.device)))[:, None]
            )
            moved = moved + (landmarks - moved) * _under_glasses(landmarks, landmarks)[:, None]
        self.eyes = [_eye(landmarks, moved, side, lids[side], gaze[side], glasses) for side in (0, 1)]
        self.mouth = _mouth(landmarks, moved)
        self.teeth = teeth

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor | None]:
        """Offset ``[1,2,H,W]`` and how much is uncovered ``[1,1,H,W]``, None for nothing, at crop points ``[1,H,W,2]``."""
        flat = points.reshape(-1, 2)
        first, last = flat.amin(0), flat.amax(0)
        eyes = [(eye, box) for eye in self.eyes if not eye.still and _meet(box := eye.box(), first, last)]
        mouth = self.mouth.box()
        mouths = [mouth] if _meet(mouth, first, last) else []
        if not (eyes or mouths):  # most of a large picture
            return interpolate(self.skin, points), None
        shift = torch.zeros_like(flat)  # what lids add before the skin is asked
        inner = torch.zeros(len(flat), 2, device=flat.device)
        cover = torch.zeros(len(flat), device=flat.device)
        dark = torch.zeros(len(flat), device=flat.device)
        for eye, box in eyes:
            at = _within(flat, box)
            extra, alpha, source = _ask_eye(eye, flat[at])
            shift[at] += extra
            inner[at], cover[at] = source - flat[at], alpha
        skin = interpolate(self.skin, points + shift.view_as(points))[0].flatten(1).T + shift
        for box in mouths:
            at = _within(flat, box)
            alpha, source, shade = _ask_mouth(self.mouth, flat[at], self.teeth)
            inner[at], cover[at], dark[at] = source - flat[at], alpha, shade
        offset = skin + (inner - skin) * cover[:, None]
        return offset.T.reshape(1, 2, *points.shape[1:3]), dark.reshape(1, 1, *points.shape[1:3]) if mouths else None

    def opening(self, points: Tensor) -> Tensor:
        """How much of an eyeball or of the inside of the mouth is seen instead of skin, 0..1, at crop points ``[1,H,W,2]``."""
        flat = points.reshape(-1, 2)
        cover = _ask_mouth(self.mouth, flat, self.teeth)[0]
        for eye in self.eyes:
            cover = torch.maximum(cover, _ask_eye(eye, flat)[1])
        return cover.reshape(1, *points.shape[1:3])


def _meet(box: Tensor, first: Tensor, last: Tensor) -> bool:
    """Whether a box reaches into the range of some points."""
    return bool(((box[0] <= last) & (box[1] >= first)).all())


def _within(points: Tensor, box: Tensor) -> Tensor:
    (x0, y0), (x1, y1) = box.tolist()
    x, y = points.unbind(-1)
    return ((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).nonzero()[:, 0]


def _eye(landmarks: Tensor, moved: Tensor, side: int, factor: Tensor, gaze: Tensor, glasses: bool = False) -> Eye:
    contour = [AT[i] for i in EYES[side]]
    lower, upper = contour[:9], [*contour[8:], contour[0]]
    if side == 0:
        upper = upper[::-1]
    else:
        lower = lower[::-1]
    target = Frame.between(moved[lower[0]], moved[lower[-1]])
    source = Frame.between(landmarks[lower[0]], landmarks[lower[-1]])
    arcs = torch.stack([moved[upper], moved[lower], landmarks[upper], landmarks[lower]])
    top, bottom, *seen = _curves([target, target, source, source], arcs)
    gap = (bottom - top).clamp(min=0)
    change = (factor - 1) * gap
    up = UPPER_SHUTS if factor < 1 else UPPER_OPENS
    down = 1 - up
    lids = torch.stack([top, bottom, top - up * change, bottom + down * change])
    a, b = source.to(landmarks[AT[IRISES[side][0]]])
    iris = torch.stack([a, b, IRIS * source.length])
    shift = gaze * source.length
    still = bool(
        (landmarks[contour] - moved[contour]).abs().max() < 1e-5 and abs(factor - 1) < 1e-4 and shift.abs().max() < 1e-5
    )
    brow = target.to(moved[[AT[i] for i in BROWS[side][5:]]])[1].mean()
    room = 0.03 if glasses else (lids[2].mean() - brow).item() + 0.005
    # The skin stretches at most so much that it does not fold.
    reach = max(min(LID, room), 1.4 * (up * change).abs().max().item() + LASHES)
    return Eye(target, source, lids, torch.stack(seen), iris, shift, still, reach)


def _ask_eye(eye: Eye, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shift of the skin ``[N,2]``, how much of the eyeball is seen ``[N]``, and where it comes from ``[N,2]``."""
    a, b = eye.target.to(points)
    share = a / eye.target.length
    top0, bottom0, top, bottom = _read(eye.lids, share)
    beyond = (share < 0) | (share > 1)
    # Skin above and below gives way to a lid: all of it along the lashes, less and less farther off.
    above, below = top - b, b - bottom
    shut = ((top - top0) / (bottom0 - top0).clamp(min=1e-4)).clamp(0, 1)
    # The wet rim of a lower lid is not seen when the lids meet.
    lower = (bottom0 - bottom + RIM * shut) * _give(below, LOWER_LID)
    upper = (top0 - top - LINE * shut) * _give(above, eye.reach)
    rise = torch.where(above > below, upper, lower)
    rise = torch.where(beyond, 0.0, rise)
    c, s = eye.target.axis
    extra = torch.stack([-s * rise, c * rise], -1)
    inside = torch.minimum(-above, -below) - EDGE * ((top0 - top).abs() > (bottom0 - top0) * 0.8)
    alpha = torch.where(beyond, 0.0, smoothstep(inside, -EDGE, EDGE))
    # The eyeball: the similarity of the corners, then the gaze, then never beyond what the lids showed.
    ratio = eye.source.length / eye.target.length
    sa, sb = a * ratio, b * ratio
    length, (center, middle, radius) = eye.source.length, eye.iris
    room = MARGIN * length
    gaze = eye.gaze[0].clamp(
        min=(room - center + radius).clamp(max=0), max=(length - room - center - radius).clamp(min=0)
    )
    knots = torch.stack([torch.zeros_like(center), center - radius, center + radius, length])
    goals = torch.stack([knots[0], knots[1] + gaze, knots[2] + gaze, knots[3]])
    sa = _through(sa, goals, knots)
    sb = sb - eye.gaze[1]
    upper, lower = _read(eye.seen, sa / length)
    t_top, t_bottom = top * ratio - eye.gaze[1], bottom * ratio - eye.gaze[1]
    room = 0.06 * (lower - upper).clamp(min=0)
    margins = [torch.minimum(room, 2 * beyond_seen.clamp(min=0)) for beyond_seen in (upper - t_top, t_bottom - lower)]
    # Where a lid shows more than was seen, what was seen is stretched between the lid and the middle of the eye.
    half = torch.minimum(torch.maximum(middle, upper + 0.3 * (lower - upper)), lower - 0.3 * (lower - upper))
    above_half = sb < half
    shown = torch.where(above_half, half - upper - margins[0], lower - margins[1] - half)
    wanted = torch.where(above_half, half - t_top, t_bottom - half)
    sb = half + torch.where(above_half, -1.0, 1.0) * _gather((sb - half).abs(), wanted, shown)
    return extra, alpha, eye.source.back(sa, sb)


def _gather(distance: Tensor, wanted: Tensor, shown: Tensor) -> Tensor:
    """Distances ``0..wanted`` from the middle of an eye taken into ``0..shown`` where that is less: nearly as they are in the
    middle, so that an iris stays round, and closer and closer together towards the lid."""
    excess = (wanted - shown).clamp(min=0).minimum(wanted.clamp(min=0) / 3.5)
    share = (distance / wanted.clamp(min=1e-5)).clamp(0, 1)
    return distance - excess * share**3


def _give(distance: Tensor, reach: float) -> Tensor:
    """1 within the lashes and on the eye's own side, falling to 0 at ``reach``; half linear, so that it is steep nowhere."""
    t = ((distance - LASHES) / (reach - LASHES)).clamp(0, 1)
    return 1 - 0.5 * (t + t * t * (3 - 2 * t))


def _through(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Piecewise linear map that takes ``knots`` to ``values``."""
    i = (torch.searchsorted(knots.contiguous(), x.contiguous(), right=True) - 1).clamp(0, len(knots) - 2)
    t = (x - knots[i]) / (knots[i + 1] - knots[i]).clamp(min=1e-6)
    return values[i] + t * (values[i + 1] - values[i])


def _mouth(landmarks: Tensor, moved: Tensor) -> Mouth:
    inner, outer = [AT[i] for i in LIPS_INNER], [AT[i] for i in LIPS]
    lower, upper = inner[:11], [*inner[10:], inner[0]][::-1]
    target = Frame.between(moved[lower[0]], moved[lower[-1]])
    source = Frame.between(landmarks[lower[0]], landmarks[lower[-1]])
    rim = (landmarks[lower] + landmarks[outer[:11]]) / 2
    arcs = torch.stack([moved[upper], moved[lower], landmarks[upper], landmarks[lower], rim])
    *lips, top, bottom, rim = _curves([target, target, source, source, source], arcs)
    gap = (bottom - top).max().clamp(min=0)
    # Teeth belong to the skull; but nobody knows what lies above and below what an opening showed, so they go along with most of
    # what its upper edge does.
    middle = [AT[i] for i in (82, 13, 312)]
    rise = (moved[middle] - landmarks[middle]).mean(0)[1] * FOLLOW
    lift = torch.stack([torch.zeros_like(rise), rise])
    return Mouth(target, source, torch.stack(lips), torch.stack([top, bottom, rim]), gap, lift)


def _ask_mouth(mouth: Mouth, points: Tensor, teeth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How much of the inside of the mouth is seen ``[N]``, where it comes from ``[N,2]``, and how dark it is ``[N]``."""
    a, b = mouth.target.to(points)
    share = a / mouth.target.length
    top, bottom = _read(mouth.lips, share)
    beyond = (share <= 0) | (share >= 1)
    inside = torch.where(beyond, -1.0, torch.minimum(b - top, bottom - b))
    # The shadow begins before what is seen changes, so that no light shows between.
    alpha = smoothstep(inside, 0.0, EDGE)
    sa, sb = mouth.source.to(points - teeth - mouth.lift)
    length = mouth.source.length
    upper, lower, rim = _read(mouth.seen, sa / length)
    gap = (lower - upper).clamp(min=0)
    # How far the lips show more than they did, at this place: where they do not, everything stays as it was seen.
    shift = sb - b
    higher, deeper = (upper - (top + shift)).clamp(min=0), (bottom + shift - lower).clamp(min=0)
    more = smoothstep(bottom - top - gap, 0.0, 0.010)
    seen = smoothstep(lower - sb, 0.0, 1e-4 + torch.minimum(0.25 * mouth.gap, 3 * deeper))
    seen = seen * smoothstep(torch.minimum(sa, length - sa), 0.0, 0.08 * length) * smoothstep(gap, 0.002, 0.007)
    seen = seen * (1 - smoothstep(upper - sb, 0.015, 0.035)) * smoothstep(mouth.gap, *TEETH_SEEN)
    hidden = (1 - seen) * more
    sb_seen = torch.maximum(sb, upper + torch.minimum(0.15 * gap, 2 * higher))
    sb_seen = torch.minimum(sb_seen, lower - torch.minimum(0.15 * gap, 2 * deeper))
    # What was never seen is as dark as the lower lip would be in the depth of the mouth, without its texture.
    # Lips that hardly part show the seam between them, not the middle of the lip; and so does the edge of the opening.
    within = smoothstep(inside, 0.25 * MOUTH_SHADE, 2.5 * MOUTH_SHADE)
    far = hidden * hidden * within
    sb = (1 - far) * sb_seen + far * rim
    sa = (1 - far) * sa + far * (0.5 * length + 0.3 * (sa - 0.5 * length))
    height = (bottom - top).clamp(min=1e-4)
    tongue = smoothstep((b - top) / height, 0.4, 1.0) * (1 - (2 * share - 1).square()).clamp(min=0)
    # Lips throw their shadow from their very edge on, the upper one a darker one.
    depth = (0.75 + 0.25 * smoothstep(b - top, 0.0, MOUTH_SHADE)) * (
        0.5 + 0.5 * smoothstep(bottom - b, 0.0, MOUTH_SHADE)
    )
    shade = alpha * depth * hidden.clamp(min=1e-6).sqrt() * (DARK - TONGUE * tongue)
    return alpha, mouth.source.back(sa, sb), shade
