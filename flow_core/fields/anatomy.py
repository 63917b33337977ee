"""How a fitted face looks when its muscles have moved: skin, eyeballs and the inside of the mouth as layers.

The skin follows the mesh. Eyelids, gaze and the opening of the mouth are described by curves of the face itself, its lids
and lips, so that lids meet wherever a face has them, and teeth stay with the skull. Everything is a function of crop points:
nothing here knows a resolution but the smooth offsets of the skin, which are kept on a raster and interpolated.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.irises import iris_radius, irises_off
from ..faces.landmarks import AT, BROW_EDGES, EYES, IRISES, LIPS, LIPS_INNER, OVAL, UPPER_LIDS
from ..faces.mouth import columns as along
from ..faces.shading import GAMMA, TINT
from ..geometry.grid import pixel_centers
from ..geometry.mesh import barycentric, polygon_distance
from ..geometry.neighbours import filled, of_three
from ..geometry.sampling import enlarged, interpolate
from .brows import COLUMNS, LASHES, STAYS, DrawnOut, drawn_out, keep_lashes, staying
from .curves import SAMPLES, TABLE, UPPER_SHUTS, Frame, curves_of, opens, read, shut_line
from .grain import grain
from .lashes import Bare, bare_eye
from .lips import EDGES as LIP_EDGES
from .lips import Rims, lips_box
from .lips import rims as rims_of
from .lips import shown as shown_lips
from .pits import Pit
from .smooth import smoothstep, smoothsteps
from .teeth import Own, Row, Skull, paint, row, shows_teeth
from .whites import White, white_beside

if TYPE_CHECKING:
    from .face import Face
    from .patch import Patch

RASTER = 192  # pixels a side of the raster of the skin's offsets, six times a power of two; 384 gives the same picture
_COARSE = 28  # pixels a side of the raster on which the distance to the outline is computed
FADE = 0.16  # fractions of the crop side beyond the face's outline at which its motion has faded
BEHIND = 1.12  # by which factor eyes behind glasses open at most
BELOW_RIM = 0.014  # height of the skin above their upper lid that gives way: less than there is up to most rims
RIM_LASHES = 0.007  # height of the strip of it that moves as a whole
LID = 0.085  # how far above an upper lid the skin gives way when the lid closes
LOWER_LID = 0.05
UPPER_OPENS = 0.8  # the upper lid's share of what an eye opens
IRIS, MARGIN = 0.2, 0.06  # radius of an iris, and how near it comes to a corner, in widths of the eye
LINE = 0.003  # how far above its edge an upper lid is asked when it is shut: at the edge itself the eye shines through
SHUTS, LASHED = (
    0.2,
    0.35,
)  # of its opening below which an eye is all but shut, and how much light the line of its lashes takes
# How far that skin covers what was seen, between which shares of its height it ends, how soon above the lid's edge it begins, in widths of the eye,
# and of the eye at its corners
LID_BARE, LID_TOP, LID_EDGE, LID_ENDS, DOME = 0.8, (0.4, 1.0), 0.03, 0.12, 0.92
# How much lighter a lid is where it is round, and darker in its crease; how far above where its edge was that lies, its softness above and below,
# in widths of the eye, and shares of the eye in which it runs out
BULGE, CREASE, CREASE_OVER, CREASE_SOFT, CREASE_ENDS = 0.06, 0.12, 0.03, (0.08, 0.03), (0.02, 0.3)
# By how much skin above a lid is drawn out that still looks like skin, and that needs to be covered
DRAWN_OUT = 0.22, 0.42
# Of the line of the lashes of a lid that shuts: how far it covers what was there, and which share of that it does at the inner corner; between which
# shares of the way outwards it becomes as thick as it is; how thick it is above and below, there and then, in half widths of the line between lids
LASH_COVER, LASH_FAINT, LASHES_THICKEN, LASH_THICK = 0.86, 0.62, (0.05, 0.6), ((0.55, 1.0), (0.8, 1.9))
LASH_PIXEL, LASH_WIDE = (
    0.85,
    0.0055,
)  # half the width of that line in pixels at least, and from which width on it is fainter
LASH_LENGTH, LASH_HANGS = 0.085, 0.55  # how far they hang down, in widths of the eye, and how far they cover
# Sides of pixels, in widths of the eye, with which single ones are seen, and which are too large; how they spread; and their number and phase
HAIRS_SEEN, LASH_SPREAD, LASH_WAVES = (0.008, 0.02), 2.2, ((31.0, 0.0), (13.3, 0.2), (71.0, 0.6))
LINE_BEGINS = -0.02, 0.14  # from the inner corner on, in widths of the eye
LINE_ENDS, LINE_DROPS = (
    1.16,
    0.045,
)  # share of the way outwards at which the line ends, and how far it hangs there, in widths of the eye
# Shares of an eye's opening between which its lashes leave the skin above the lid, and their line is drawn anew
LASHES_TURN, LINE_TURNS = (0.1, 0.6), (0.35, 0.6)
UNDER_LID = 0.5  # of the shadow of a lid, that one that comes down casts
SLIT = 0.165, 0.205  # height of eyes, in their widths, that are all but shut, and that are open
TO_OUTLINE = (
    0.4,
    0.9,
)  # shares of the way from the outer corner to the outline of the face between which skin stops going along
BESIDE = 0.6  # widths of the eye beside its corners in which lashes are
# Half the width of the skin above a lid that goes along with its middle, in widths of the eye, and how far above the lid all of that does
EVEN_ACROSS, EVEN_FROM = 0.85, (0.02, 0.16)
LEAST_SKIN, PAINTED_ALONE = (
    0.02,
    (0.9, 1.0),
)  # height of the skin that gives way at least, and how far shut a lid is that is all painted
RIM = 0.008  # height of the wet rim of a lower lid
SHADE = 0.45  # how much of the light on an eyeball its lids take at their edge
NARROW = (
    0.22,
    0.32,
)  # height of eyes, in their widths, of which hardly anything is seen that would stay as it is, and of which enough is
EDGE = 0.0026  # half width of the border between two layers
ROLL, ROLLED = (
    0.016,
    (0.4, 0.3),
)  # width of lips that turn inwards, and how much light the upper and the lower one lose there
MOUTH_SHADE = 0.018  # width of the soft shadow inside lips
DARK, TONGUE = 0.9, 0.08  # how much of the light is lost in the depth of a mouth, and how much less on the tongue
FOLLOW = 0.8  # share of the upper lip's way that teeth go along where it rises;
COVER = 0.45  # and where it comes down: it covers the rest of them
LIP_EDGE = 0.012  # of a lip, which gathers at its edge where lips close
FOLD = 0.2  # by which a fold is darker than the skin around, as a logarithm: what is darker deepens by no more
SEAM = 0.025  # how far from lips their seam is felt: some pixels of the raster
CHINKS = 0.004, 0.014  # openings of a grin that shuts which shut altogether, and which stay
CHINK = 0.8  # light that is lost between lips that nearly do
# Light that is lost in the seam of lips that have met, and the share of the mouth's width within which it runs out
SEAMED, SEAM_ENDS = 0.35, 0.07
PIT, GRIN = (
    (0.14, 0.0055),
    (0.01, 0.03),
)  # width of mouths, and half height, of the dark at their corners; opening with which it is there
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
PARTED = (0.008, 0.018)  # largest opening below which lips may as well be shut, and above which they are known to part
UNKNOWN = (0.015, 0.035)  # how far above what an opening showed nothing is known of what is seen there
TEETH_SEEN = (0.004, 0.012)  # opening of a mouth below which nothing inside is seen, and above which it is

# Rows of the landmarks, from the viewer's left to the right: of the upper and the lower lid of either eye, and of the edges of the lips
_LEFT, _RIGHT = ([AT[i] for i in ring] for ring in EYES)
_LIPS = LIP_EDGES[1::2]  # where they meet
_OVAL = [AT[i] for i in OVAL]
_UPPER = [[AT[i] for i in lid] for lid in UPPER_LIDS]
_EDGES = (_UPPER[0], _LEFT[:9]), (_UPPER[1], _RIGHT[8::-1]), _LIPS

Box: TypeAlias = tuple[float, float, float, float]
"""Least x and y and largest x and y of some crop points."""


@dataclass(frozen=True)
class Eye:
    """One eye before and after. Curves are tables in the frame after (target) or before (source)."""

    target: Frame
    source: Frame
    lids: Tensor  # [4,TABLE] target: upper, lower before the lids move; upper, lower after
    seen: Tensor  # [2,TABLE] source: upper and lower lid
    iris: tuple[float, float, float]  # source: a, b of the centre, and radius
    gaze: tuple[float, float]  # shift of the iris along a and b
    still: bool  # nothing but the skin moves
    shaded: bool  # it looks elsewhere, opens wider, or shuts
    line: float  # half width of the line between lids that meet
    edge: float  # and of the border between lids and eyeball
    reach: float  # how far above the upper lid the skin gives way, up to the brow
    narrow: float  # 0..1: how far what is seen of the eyeball is stretched with its lids
    left: bool  # whether it is the one on the viewer's left
    glasses: bool  # whether it gives way only up to the rim of glasses
    box: Box
    bare: Bare | None  # how it looks without the lashes that lids that shut take along
    shut: float  # 0..1 how far it is shut of what was open
    lined: float  # 0..1 how far the line of its lashes, which its lid has come to hide, is drawn anew
    taken: float  # 0..1 how much less of its way the skin above the lid goes along
    fine: float  # 0..1 whether pixels are so small that single lashes are seen
    lashes: float  # half width of their line
    room: float  # from the outer corner to the outline of the face, in widths of the eye
    lids_move: bool  # otherwise than the skin
    white: White | None  # beside an iris that leaves a corner


@dataclass(frozen=True)
class Mouth:
    """The opening of a mouth before and after."""

    target: Frame
    source: Frame
    after: Tensor  # [4,TABLE] target: edge of the upper and of the lower lip, and the cosines of their slopes
    seen: Tensor  # [2,TABLE] source: the same; [5,TABLE] with what :func:`_looked` says, where somebody did
    gap: float  # largest opening before
    pit: float  # half height of the dark at the corners of a grin that shuts
    parts: float  # 0..1, how far it opens more than it was, so that its corners are soft
    lift: float  # how far the teeth go down with the upper lip
    box: Box
    edge: float  # width of its border
    row: Row | None  # the teeth that are painted where the picture shows none
    shows: float  # how far what it shows between the lips may be teeth
    jaw: tuple[float, float] | None  # by which what goes with the jaw moves; None where nothing is seen of that
    rims: Rims | None  # the lips, where they shut

    @property
    def lips(self) -> Tensor:
        """``[2,TABLE]`` target: edge of the upper and of the lower lip."""
        return self.after[:2]


def _around(*boxes: Box) -> Box:
    """The least box around some."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _box(frame: Frame, top: float, bottom: float, beside: float = 0.0) -> Box:
    corners = [frame.back(a, b) for a in (-beside, frame.length + beside) for b in (top, bottom)]
    x, y = zip(*corners, strict=True)
    return min(x), min(y), max(x), max(y)


def _under_glasses(landmarks: np.ndarray, points: Tensor) -> Tensor:
    """How far points ``[...,2]`` lie under glasses or their temples, 0..1: a band across the eyes with soft borders."""
    left, right = landmarks[AT[EYES[0][0]]], landmarks[AT[EYES[1][0]]]  # the outer corners
    frame = Frame.between(left, right)
    a, b = frame.to(*points.unbind(-1))
    a, b = (a - frame.length / 2).abs() / frame.length, b / frame.length
    lens = smoothstep(b, -0.46, -0.20) * (1 - smoothstep(b, 0.42, 0.60)) * (1 - smoothstep(a, 0.62, 0.80))
    temple = smoothstep(b, -0.22, -0.12) * (1 - smoothstep(b, 0.06, 0.16)) * smoothstep(a, 0.55, 0.70)
    return torch.maximum(lens, temple)


def skin_offsets(shift: Tensor, triangles: Tensor, seen: tuple[Tensor, Tensor], outline: Tensor) -> Tensor:
    """Backward offsets of the skin on a raster, fading out beyond the outline of the face; and how its light changes, if asked.

    Args:
        shift: ``[V,2]`` where the mesh's vertices were before, less where they are after, crop fractions; or ``[V,3]`` with the
            logarithm of the factor of their luminance.
        triangles: ``[T,3]`` of the face.
        seen: triangles and weights of the pixels of the raster, from :func:`flow_core.geometry.mesh.rasterise`.
        outline: ``[N,2]`` crop points of the face's outline after, clockwise.

    Returns:
        ``[1,2 or 3,size,size]``, continued smoothly where no skin is seen. It is linear between pixels: curves that go through all of them
        would overshoot beside steep places, and fold the skin.
    """
    index, weights = seen
    size = len(index)
    offset = barycentric(shift, triangles, index, weights).permute(2, 0, 1)[None]
    # A distance is smooth enough to be asked on a coarse raster.
    coarse = polygon_distance(outline, _coarse(outline.device))[None]
    distance = enlarged(coarse, (size, size))
    known = (index >= 0)[None, None] & (distance > -0.01)
    # What is not known is smooth, so half the resolution does for it. It joins what is known without a step.
    share = F.avg_pool2d(known.float(), 2)
    half = F.avg_pool2d(offset * known, 2) / share.clamp(min=0.25)
    around, means = filled(half, share), _means(size // 2, 2, half.device)
    for _ in range(2):
        around = torch.where(share > 0, half, means @ around @ means.T)
    around = enlarged(around, (size, size))
    offset = of_three(torch.where(known, offset, around))  # facets of the mesh are not to be seen
    return offset * smoothstep(distance, -FADE, 0.0)


@functools.lru_cache(maxsize=2)
def _coarse(device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return pixel_centers(_COARSE, _COARSE, device)


@functools.lru_cache(maxsize=8)
def _means(count: int, radius: int, device: torch.device) -> Tensor:
    """``[count,count]``: takes pixels of a row to the means of those up to ``radius`` away."""
    with torch.inference_mode(False):
        i = torch.arange(count, device=device)
        near = ((i[:, None] - i).abs() <= radius).float()
        return near / near.sum(1, keepdim=True)


class MovedFace:
    """One face whose muscles have moved, ready to be asked at any crop point.

    Args:
        face: as it was.
        moved: ``[161,2]`` its landmarks after, crop points.
        shift: ``[V,2]`` where the mesh's vertices were before, less where they are after, crop fractions, without what eyelids and
            eyeballs do; or ``[V,3]`` with how their light changes, see :func:`skin_offsets`; or ``[V,4]`` with how far their
            creases fade, 0..1, or deepen, to -1.
        triangles: ``[T,3]`` of the face.
        seen: triangles and weights on the raster of the skin's offsets; see :func:`skin_offsets`.
        lids: by which factor the opening of the viewer's left and right eye changes.
        gaze: shift of either iris, x and y, in widths of the eye.
        teeth: x and y by which the skull's teeth move, crop fractions.
        skull: where teeth may be painted, and in which colours; None: the inside of a mouth is only dark.
        folds: ``[1,1,size,size]`` on the raster of the skin, added to how its light changes.
        lines: of one channel, added to that as well.
        pits: what is painted at the corners of the mouth.
    """

    def __init__(
        self, face: Face, moved: Tensor, shift: Tensor, triangles: Tensor, seen: tuple[Tensor, Tensor],
        lids: Sequence[float], gaze: Sequence[tuple[float, float]], teeth: tuple[float, float] = (0.0, 0.0),
        skull: Skull | None = None, folds: Tensor | None = None, lines: Patch | None = None, pits: Sequence[Pit] = (),
    ) -> None:  # fmt: skip
        self.seen, self.teeth, self.creases, self.lines = seen, teeth, face.creases, lines
        self.pits, self.grain = pits, None
        self.tint = [1.0] * 3 if face.grey else TINT
        self.paints, device = skull is not None, moved.device
        self.drawn_out: list[DrawnOut] = []
        self.skin = skin_offsets(shift, triangles, seen, moved[[AT[i] for i in OVAL]])
        if folds is not None:
            self.skin[:, 2:3] += of_three(folds)
        self.deepens = bool((self.skin[:, 3:] < 0).any())
        before, after = torch.stack([face.landmarks, moved]).double().cpu().numpy()
        if face.glasses:
            points = pixel_centers(*self.skin.shape[2:], device)
            still = (1 - _under_glasses(before, points))[:, None]
            self.skin[:, :2] *= still  # light passes,
            self.skin[:, 3:] *= still  # but a rim is no crease
            after += (before - after) * _under_glasses(before, torch.from_numpy(before)).numpy()[:, None]
        else:

            @functools.cache
            def stays(side: int) -> np.ndarray:
                known = face.lids is not None and face.view is not None
                return staying(side, before, face.view, face.lids[0]) if known else np.full(COLUMNS, STAYS)

            keep_lashes(self.skin, before, after, stays)
            if self.paints and face.lids is not None:
                self.drawn_out = drawn_out(before, after, face.lids[0], face.view, stays)
        if self.paints and face.texture is not None:
            self.grain = grain(face.texture, before, after)
        edges = _edges(*_tips(before, after))
        curves = curves_of(edges)
        self.eyes = _eyes(before, after, edges[:8], curves[:8], lids, gaze, face, device)
        self.mouth = _mouth(before, after, edges[8:], curves[8:], teeth, face.pixel, skull, device)
        if pits:
            self.mouth = replace(self.mouth, box=_around(self.mouth.box, *(pit.reach for pit in pits)))

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        """Offset ``[1,2,H,W]``, how much is uncovered ``[1,1,H,W]``, what is painted there ``[1,4,H,W]`` and the light ``[1,3,H,W]``, None
        for nothing, at crop points ``[1,H,W,2]``; see :class:`flow_core.fields.base.Sample`."""
        skin = interpolate(self.skin, points, "bilinear")
        skin, light, fading = skin[:, :2], skin[:, 2:3] if skin.shape[1] > 2 else None, skin[:, 3:]
        if light is not None:
            tint = light.new_tensor(self.tint)[:, None, None] / GAMMA
            light = light * tint
        planes = points[0].movedim(-1, 0).contiguous()  # of pairs all would take several times as long
        parts = self._parts()
        found = _within(planes, self.boxes())
        flat, moves, dark, painted, inside = planes.flatten(1), skin.view(2, -1), None, None, None
        eyes = [(part, at) for part, at in zip(parts, found, strict=True) if isinstance(part, Eye) and len(at)]
        if eyes:
            most = max(len(at) for _, at in eyes)
            # both eyes at once; of the smaller one the last point is asked again
            at = torch.stack([torch.cat([at, at[-1:].expand(most - len(at))]) for _, at in eyes])
            here = flat.index_select(1, at.flatten()).unflatten(1, at.shape)
            asked = [eye for eye, _ in eyes]
            rise, cover, source, shade = _ask_eyes(
                asked, *here, here + moves.index_select(1, at.flatten()).view_as(here) if self.paints else None
            )
            if rise is None:
                under = moves.index_select(1, at.flatten()).view_as(here)
            else:
                under = interpolate(self.skin[:, :2], (here + rise).movedim(0, -1)[None], "bilinear")[0] + rise
            moves.index_copy_(1, at.flatten(), torch.lerp(under, source - here, cover).flatten(1))
            if shade is not None:
                lighter = torch.zeros_like(shade[:3])
                for i, eye in enumerate(asked):
                    if eye.bare is not None:
                        bare = eye.bare.at(*(here + under)[:, i])
                        weight = eye.shut * (1 - cover[i])
                        lighter[:, i] = bare[4:7] * weight
                        hidden = bare[3] * weight * (1 - shade[3, i])
                        shade[:, i] += torch.cat([bare[:3] * hidden, hidden[None]])
                painted = skin.new_zeros(1, 4, *skin.shape[2:])
                painted.view(4, -1)[:, at] = shade
                if light is not None:
                    light = light.clone() if light.shape[1] == 3 else light.expand(-1, 3, -1, -1).clone()
                    light.view(3, -1)[:, at] += lighter
        if light is not None and self.lines is not None:
            (at,) = _within(planes, [self.lines.box])
            if len(at):
                light.view(3, -1)[:, at] += self.lines.at(flat.index_select(1, at)) * tint[:, 0]
        for part in self.drawn_out:
            (at,) = _within(planes, [part.reach])
            if len(at):
                paint = part.paint.at(flat.index_select(1, at) + moves.index_select(1, at))
                painted = skin.new_zeros(1, 4, *skin.shape[2:]) if painted is None else painted
                rows = painted.view(4, -1)
                over = rows.index_select(1, at)  # lashes and lids that shut
                rows.index_copy_(1, at, over + paint * (1 - over[3]))
        at = found[-1]
        if len(at):
            here = flat.index_select(1, at)
            lips = _lips(self.mouth, *here)
            _, cover, source, shade, paints = _ask_mouth(self.mouth, lips, *here, self.teeth)
            moved = moves.index_select(1, at)
            skin_here = _off_teeth(self.mouth, lips, here + moved)
            if self.mouth.rims is not None:
                skin_here = shown_lips(self.mouth.rims, here, moved, self._skin_at, skin_here)
            skin_here = skin_here - here
            moves.index_copy_(1, at, torch.lerp(skin_here, source - here, cover))
            dark = skin.new_zeros(1, 1, *skin.shape[2:])
            dark.view(-1).index_copy_(0, at, shade)
            if paints is not None:
                painted = skin.new_zeros(1, 4, *skin.shape[2:]) if painted is None else painted
                painted.view(4, -1)[:, at] = paints
            if self.pits or self.grain is not None:
                inside = skin.new_zeros(skin.shape[2:]).flatten().index_copy_(0, at, cover)
        if light is not None and self.grain is not None:
            (at,) = _within(planes, [self.grain.box])
            if len(at):
                here = flat.index_select(1, at)
                finest = self.grain.at(here, here + moves.index_select(1, at))
                if inside is not None:
                    finest = finest * (1 - inside.index_select(0, at))
                light.view(light.shape[1], -1)[:, at] += finest
        for pit in self.pits:
            (at,) = _within(planes, [pit.reach])
            if len(at):
                lit = None if light is None else light.view(light.shape[1], -1).index_select(1, at)
                faded = fading.view(fading.shape[1], -1).index_select(1, at) if fading.shape[1] else flat[:0]
                paint = pit.at(flat.index_select(1, at) + moves.index_select(1, at), lit, faded)
                if inside is not None:
                    paint = paint * (1 - inside.index_select(0, at))
                    paint[:3] *= 1 - dark.view(-1).index_select(0, at)
                painted = skin.new_zeros(1, 4, *skin.shape[2:]) if painted is None else painted
                rows = painted.view(4, -1)
                over = rows.index_select(1, at)
                rows.index_copy_(1, at, over + paint * (1 - over[3]))
        if light is not None and self.creases is not None and fading.shape[1]:
            folds = interpolate(self.creases, points + skin.movedim(1, -1), "bilinear")
            if self.deepens:  # what deepens are folds, and no highlights, stubble or paint
                folds = torch.where(fading < 0, folds.clamp(0, FOLD), folds)
            light = torch.addcmul(light, fading, folds)
        return skin, dark, painted, light

    def _skin_at(self, points: Tensor) -> Tensor:
        """Offsets ``[2,N]`` of the skin at crop points ``[2,N]``."""
        return interpolate(self.skin[:, :2], points.T[None, None], "bilinear")[0, :, 0]

    def _parts(self) -> list[Eye | Mouth]:
        """What has sharp borders: eyes in which more than the skin moves, and, last, the mouth."""
        return [*(eye for eye in self.eyes if not eye.still), self.mouth]

    def boxes(self) -> list[Box]:
        """Where layers meet."""
        return [part.box for part in self._parts()]

    def opening(self, points: Tensor) -> Tensor:
        """How much of an eyeball or of the inside of the mouth is seen instead of skin, 0..1, at crop points ``[1,H,W,2]``."""
        x, y = points.movedim(-1, 0).flatten(1)
        cover = _ask_mouth(self.mouth, _lips(self.mouth, x, y), x, y, self.teeth)[0]
        eyes = _ask_eyes(self.eyes, x.expand(2, -1), y.expand(2, -1))[1]
        return torch.maximum(cover, eyes.amax(0)).reshape(1, *points.shape[1:3])


def _within(points: Tensor, boxes: Sequence[Box]) -> list[Tensor]:
    """Which points ``[2,H,W]``, row by row, lie in each box."""
    flat, (height, width) = points.flatten(1), points.shape[1:]
    if height == 1:  # a list
        near = _inside(flat, _around(*boxes))
        some = flat.index_select(1, near)
        return [near.index_select(0, _inside(some, box)) for box in boxes]
    (x, y), found = points, []
    ranges = torch.cat([x.amin(0), x.amax(0), y.amin(1), y.amax(1)]).cpu().numpy()
    left, right, top, bottom = np.split(ranges, [width, 2 * width, 2 * width + height])
    for x0, y0, x1, y1 in boxes:
        # Few rows and columns reach into a box, and none in most of a large picture. Of pixels of an upright face all of these do.
        columns, rows = ((right >= x0) & (left <= x1)).nonzero()[0], ((bottom >= y0) & (top <= y1)).nonzero()[0]
        at = torch.from_numpy((rows[:, None] * width + columns).ravel()).to(points.device)
        whole = (left[columns] >= x0) & (right[columns] <= x1), (top[rows] >= y0) & (bottom[rows] <= y1)
        within = all(map(np.all, whole))
        found.append(at if within else at[_inside(flat.index_select(1, at), (x0, y0, x1, y1))])
    return found


def _inside(points: Tensor, box: Box) -> Tensor:
    """Which points ``[2,N]`` lie in a box."""
    (x0, y0, x1, y1), (x, y) = box, points
    # the farther of two distances beyond the middle, in sides of the box: fewer passes than four comparisons
    across = (x - (x0 + x1) / 2).mul_(2 / max(x1 - x0, 1e-9)).abs_()
    down = (y - (y0 + y1) / 2).mul_(2 / max(y1 - y0, 1e-9)).abs_()
    return (torch.maximum(across, down) <= 1).nonzero()[:, 0]


def _edges(landmarks: np.ndarray, moved: np.ndarray) -> list[tuple[Frame, np.ndarray]]:
    """Of the viewer's left and right eye, and of the mouth, the edges of lids and lips ``[N,2]`` and their frames: upper and lower one after,
    and before."""
    found = []
    for rows in _EDGES:
        for at in (moved, landmarks):
            upper, lower = at[rows[0]], at[rows[1]]
            frame = Frame.between(lower[0], lower[-1])
            found += [(frame, upper), (frame, lower)]
    return found


def _eyes(
    landmarks: np.ndarray,
    moved: np.ndarray,
    edges: Sequence[tuple[Frame, np.ndarray]],
    curves: np.ndarray,
    lids: Sequence[float],
    gaze: Sequence[tuple[float, float]],
    face: Face,
    device: torch.device,
) -> list[Eye]:
    """The eyes on the viewer's left and right, with ``edges`` as of :func:`_edges`, and their curves."""
    tables, eyes, glasses, pixel = [], [], face.glasses, face.pixel
    for side in (0, 1):
        target, source, contour, factor = edges[4 * side][0], edges[4 * side + 2][0], (_LEFT, _RIGHT)[side], lids[side]
        if glasses:  # whose upper rim is close above many lids
            factor = min(factor, BEHIND)
        top, bottom, *seen = curves[4 * side : 4 * side + 4]
        wide = (bottom - top).clip(min=0)
        was_open = smoothstep(float(wide.max()) / target.length, *SLIT)
        if factor < 1:
            meets = top + UPPER_SHUTS * wide
            meets += was_open * (shut_line(top, top + wide, SAMPLES if side else 1 - SAMPLES, target.length) - meets)
            after = top + (1 - factor) * (meets - top), bottom + (1 - factor) * (meets - top - wide)
        else:
            change = opens(factor - 1, wide.max().clip(min=1e-4) / target.length) * wide
            after = top - UPPER_OPENS * change, bottom + (1 - UPPER_OPENS) * change
        tables.append([top, bottom, *after, *seen])
        a, b = source.to(*landmarks[AT[IRISES[side][0]]].tolist())
        length, radius, room = source.length, IRIS * source.length, MARGIN * source.length
        right, below = (v * length for v in gaze[side])
        if right and face.view is not None:
            off, sure = irises_off(face.view, face.landmarks)
            a, radius = a + off * sure * length, iris_radius(landmarks, side) * length
        still = np.abs(landmarks[contour] - moved[contour]).max() < 1e-5 and abs(factor - 1) < 1e-4
        still = bool(still and max(abs(right), abs(below)) < 1e-5)
        # an iris goes no farther than to the corner
        right = min(max(right, min(room - a + radius, 0.0)), max(length - room - a - radius, 0.0))
        white = white_beside(face.view, source, np.stack(seen), (a, b, radius), (right, below))
        brow = target.to(*moved[[AT[i] for i in BROW_EDGES[side]]].T)[1].mean()
        free = after[0].mean() - brow + 0.005
        outer = moved[contour[0]]
        room_beside = float(np.linalg.norm(moved[_OVAL] - outer, axis=1).min()) / target.length + 1e-3
        bare = None
        if face.lids is not None and face.view is not None and factor < LASHES_TURN[1]:
            brow, outline = (landmarks[[AT[i] for i in row]] for row in (BROW_EDGES[side], OVAL))
            bare = bare_eye(face.view, face.lids[0, side], source, seen, brow, outline, side == 0, glasses)
        shut, lined = (
            was_open * (1 - smoothstep(factor, *turn)) if bare is not None else 0.0
            for turn in (LASHES_TURN, LINE_TURNS)
        )
        # The skin stretches at most so much that it does not fold. Where a lid that is shut is painted none is taken from a low brow.
        way, near = float(np.abs(after[0] - top).max()), max(min(LID, free), LASHES + LEAST_SKIN)
        taken = 1 - min((near - LASHES) / (1.4 * max(way, 1e-6)), 1.0)
        taken *= smoothstep(shut, *PAINTED_ALONE) if bare is not None and not glasses else 0.0
        reach = max(near, 1.4 * way * (1 - taken) + LASHES)
        narrow = 1 - smoothstep(float((seen[1] - seen[0]).max()) / length, *NARROW)
        above, under = min(top.min(), after[0].min()) - reach, max(bottom.max(), after[1].max()) + LOWER_LID
        line = max(LINE, min(1.4 * pixel, 4 * LINE))
        edge = max(EDGE, min(pixel, 4 * EDGE))  # in small pictures a narrower border would be a staircase
        shaded = bool(max(abs(right), abs(below)) > 1e-5 or factor > 1 or factor < SHUTS) or bare is not None
        box = _box(target, above - 0.01, under + 0.01, BESIDE * target.length if factor < 1 else 0.0)
        eyes.append(
            (
                target,
                source,
                (a, b, radius),
                (right, below),
                still,
                shaded,
                line,
                edge,
                reach,
                narrow,
                side == 0,
                glasses,
                box,
                bare,
                shut,
                lined,
                taken,
                1 - smoothstep(pixel / length, *HAIRS_SEEN),
                math.hypot(LINE, LASH_PIXEL * pixel),
                room_beside,
                factor != 1,
                white,
            )
        )
    on_device = torch.from_numpy(np.array(tables, np.float32)).to(device)
    return [
        Eye(target, source, table[:4], table[4:], *rest)
        for table, (target, source, *rest) in zip(on_device, eyes, strict=True)
    ]


def _ask_eyes(
    eyes: Sequence[Eye], x: Tensor, y: Tensor, skin: Tensor | None = None
) -> tuple[Tensor | None, Tensor, Tensor, Tensor | None]:
    """What eyes show at points ``[E,N]`` of each: the shift of the skin ``[2,E,N]``, None where lids only go along with it, how much of the eyeball is seen
    ``[E,N]``, where that comes from ``[2,E,N]``, and what is painted there ``[4,E,N]``: the shade of lids
    and corners, and the skin and lashes of lids that shut; where it is told where the ``skin`` there comes from if no lid moves ``[2,E,N]``."""
    columns = []
    for eye in eyes:
        (center, middle, radius), (right, _), length = eye.iris, eye.gaze, eye.source.length
        first, last = max(center - radius + right, 1e-6), max(length - center - radius - right, 1e-6)
        columns.append(
            (*eye.target.origin, *eye.target.axis, eye.target.length, *eye.source.origin, *eye.source.axis, length,
             middle, *eye.gaze, first, last, eye.reach, eye.line, eye.edge, eye.narrow, 1 - eye.taken,
             eye.shut, eye.room, 1.0 if eye.left else 0.0)
        )  # fmt: skip
    columns = x.new_tensor(columns).T[..., None]  # each [E,1]
    x0, y0, c, s, width, u0, v0, sc, ss, *rest = columns
    length, middle, right, below, first, last, reach, line, edge, narrow, along_with, painted_over, room, left = rest
    dx, dy = x - x0, y - y0
    a, b = c * dx + s * dy, c * dy - s * dx
    share = a / width
    top0, bottom0, top, bottom = read(torch.stack([e.lids for e in eyes], 1), share)
    along = (share - 0.5).abs_().le_(0.5)  # 1 between the corners, 0 beyond; as floats, which take less time
    # Skin above and below gives way to a lid: all of it along the lashes, less and less farther off.
    above, under = top - b, b - bottom
    opening0 = (bottom0 - top0).clamp_(min=0)
    shut = (1 - (bottom - top) / opening0.clamp(min=1e-4)).clamp_(0, 1)
    shift = None
    if any(eye.lids_move for eye in eyes):
        # The wet rim of a lower lid is not seen when the lids meet; there is none where the lids end.
        lower = (bottom0 - bottom + shut * (0.5 * opening0).clamp(max=RIM)) * _give(under, LOWER_LID)
        give = _give_below_rim(above, top - top0) if eyes[0].glasses else _give(above, reach)
        upper = (top0 - top - shut * (0.5 * opening0).clamp(max=LINE)) * along
        if not eyes[0].glasses:
            # Farther up skin goes along evenly, and beside the corners as well.
            came = torch.stack([(e.lids[2] - e.lids[0])[TABLE // 2] for e in eyes])[:, None]
            even = (1 - ((share - 0.5) / EVEN_ACROSS).square()).clamp_(min=0).square()
            beyond = torch.where(left > 0, -share, share - 1)
            # What lies behind a face that is turned away stays.
            even = even * (1 - smoothstep(beyond / room, *TO_OUTLINE))
            upper = torch.lerp(upper, -came * even, smoothstep(above / width, *EVEN_FROM) * (came > 0))
        rise = torch.where(above > under, upper * give * along_with, lower * along)
        shift = torch.stack([-s * rise, c * rise])
    inside = -torch.maximum(above, under) - edge * (shut > 0.97)
    alpha = smoothstep(inside, -edge, edge).mul_(along)
    # The eyeball: the similarity of the corners, then the gaze, then never beyond what the lids showed. Along the eye the iris
    # moves as a whole, and what lies beside it is stretched.
    ratio = length / width
    at = a * ratio
    sa = at - right * torch.minimum((at / first).clamp(max=1), (length - at) / last)
    sb = b * ratio - below
    upper, lower = read(torch.stack([e.seen for e in eyes], 1), sa / length)
    t_top, t_bottom = top * ratio - below, bottom * ratio - below
    height = lower - upper
    room = 0.06 * height.clamp(min=0) * (1 - narrow)
    margins = [torch.minimum(room, 2 * beyond.clamp(min=0)) for beyond in (upper - t_top, t_bottom - lower)]
    # Where a lid shows more than was seen, what was seen is stretched between the lid and the middle of the eye.
    half = torch.minimum(torch.maximum(middle, upper + 0.3 * height), lower - 0.3 * height)
    above_half = sb < half
    shown = torch.where(above_half, half - upper - margins[0], lower - margins[1] - half)
    wanted = torch.where(above_half, half - t_top, t_bottom - half)
    distance = (sb - half).abs()
    drawn_out = distance * (shown / wanted.clamp(min=1e-5)).clamp(0, 1)
    distance = torch.lerp(_gather(distance, wanted, shown), drawn_out, narrow)
    sb = half + torch.where(above_half, -distance, distance)
    source = torch.stack([sc * sa - ss * sb + u0, ss * sa + sc * sb + v0])
    if skin is None or not any(eye.shaded for eye in eyes):
        return shift, alpha, source, None
    # The shadow along the lids went with the eyeball, or was never there: where the white comes to lie beside skin it would shine.
    opening, opening0 = (bottom - top).clamp_(min=1e-4), opening0.clamp_(min=1e-4)
    went = smoothstep(torch.hypot(right, below) / length, 0.0, 0.10)
    went = torch.maximum(went, smoothstep(opening / opening0 - 1, 0.0, 0.6))
    went = torch.maximum(went, UNDER_LID * smoothstep(1 - opening / opening0, 0.0, 0.5))
    beside = torch.minimum(share, 1 - share) / 0.12
    lit = torch.minimum(torch.minimum(-above / (0.30 * opening), 0.5 - under / (0.30 * opening)), beside).clamp_(0, 1)
    lit = lit * lit * (3 - 2 * lit)
    shade = SHADE * alpha * went * (1 - lit) * (1 - narrow)
    # Lids that meet are joined by a dark line, unless lashes are painted there.
    met = (1 - opening / (2 * line)).clamp_(0, 1) * smoothstep(opening0, 2 * LINE, 5 * LINE)
    met = met * smoothstep(1 - opening / opening0, 0.7, 0.95) * (1 - painted_over)
    shade = shade + LASHED * met * (-((above - under) / (2 * line)).square()).exp() * smoothstep(beside, 0.0, 0.7)
    painted = torch.cat([torch.zeros_like(shade).expand(3, -1, -1), shade[None]])
    for i, eye in enumerate(eyes):
        if eye.white is not None:
            height = (b[i] - top[i]) / opening[i]
            painted[:, i] += eye.white.at(at[i], b[i] * ratio[i], height) * (alpha[i] * (1 - shade[i]))
    if all(eye.bare is None for eye in eyes):
        return shift, alpha, source, painted
    room = BELOW_RIM + top - top0 if eyes[0].glasses else reach
    stretched = torch.stack([(e.lids[2] - e.lids[0]).amax() for e in eyes])[:, None] / reach
    lids = _bare_lids(eyes, share, skin, above / room, (top - top0) / width, above / width, stretched)
    lashes = _lash_line(eyes, share, above / width, width)
    for layer in (lashes, lids):
        painted = painted + layer * (1 - painted[3])
    return shift, alpha, source, painted


def _lash_line(eyes: Sequence[Eye], share: Tensor, high: Tensor, width: Tensor) -> Tensor:
    """The lashes of lids that shut, painted ``[4,E,N]`` at points ``[E,N]`` of eyes: a soft line, sharper above than below, where they hang down, and
    which goes on a little beyond the outer corner.

    Args:
        share: of the way from the left corner to the right one.
        high: how far above the edge of the upper lid, in widths of the eye.
        width: of the eyes ``[E,1]``.
    """
    tones = torch.stack([torch.zeros(3).to(share) if eye.bare is None else eye.bare.tone for eye in eyes]).T[..., None]
    rows = [
        (0.0,) * 6 if eye.bare is None else (eye.shut, eye.lined, eye.bare.hair, float(eye.left), eye.fine, eye.lashes)
        for eye in eyes
    ]
    shut, lined, hair, left, fine, line = share.new_tensor(rows).T[..., None]
    # In small pictures a line that is as wide as a pixel takes less light.
    faint, line = (LASH_WIDE / line.clamp(min=1e-6)).clamp(max=1).sqrt(), line / width
    outwards = torch.where(left > 0, 1 - share, share)
    full = smoothstep(outwards, *LASHES_THICKEN)
    high = high + LINE_DROPS * shut * smoothstep(outwards, 0.5, 1.05)
    ends = smoothstep(LINE_ENDS - outwards, 0.0, 0.34) * smoothstep(outwards, *LINE_BEGINS)
    thick = 1e-4 + line * ends * torch.where(high > 0, *(low + (most - low) * full for low, most in LASH_THICK))
    core = LASH_COVER * faint * ends.sqrt() * (LASH_FAINT + (1 - LASH_FAINT) * full) * (-(high / thick).square()).exp()
    # Lashes spread outwards, and are not as long as one another.
    root = (outwards + LASH_SPREAD * (outwards - 0.45) * high).clamp(0, 2)
    waves = [(2 * math.pi * (count * root + phase)).sin() for count, phase in LASH_WAVES]
    single = 1 + fine * (waves[0] * (0.6 + 0.4 * waves[1]) * 1.2 + 0.3 * waves[2])
    length = LASH_LENGTH * (1 + 0.25 * fine * waves[1])
    hang = LASH_HANGS * hair * full * ends * single.clamp(0, 1.6) * (-(high / length).square()).exp() * (high < 0)
    hang = hang.clamp(max=1)
    cover = 1 - (1 - lined * core) * (1 - shut * hang)
    return torch.cat([tones * cover, cover[None]])


def _bare_lids(
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
    bare = LID_BARE * off_brow * shut * (1 - smoothstep(dome, *LID_TOP))
    bare = (
        bare * smoothstep(above, 0.0, LID_EDGE) * smoothstep(corner, 0.0, LID_ENDS) * smoothstep(stretched, *DRAWN_OUT)
    )
    return torch.cat([colors * (1 + BULGE * round_ - CREASE * crease) * bare, bare[None]])


def _bare_at(eye: Eye, x: Tensor, y: Tensor) -> Tensor:
    """:meth:`flow_core.fields.lashes.Bare.at` of an eye, 0 where it is not known."""
    return x.new_zeros(8, len(x)) if eye.bare is None else eye.bare.at(x, y)


def _gather(distance: Tensor, wanted: Tensor, shown: Tensor) -> Tensor:
    """Distances ``0..wanted`` from the middle of an eye taken into ``0..shown`` where that is less: nearly as they are in the
    middle, so that an iris stays round, and closer and closer together towards the lid."""
    more = (wanted / shown.clamp(min=1e-5) - 1).clamp(1e-3, 9)
    share = (distance / wanted.clamp(min=1e-5)).clamp(0, 1)
    return distance / (1 + more * share ** (1 + 0.9 / more).clamp(max=3))


def _give(distance: Tensor, reach: float | Tensor) -> Tensor:
    """1 within the lashes and on the eye's own side, falling to 0 at ``reach``; half linear, so that it is steep nowhere."""
    t = ((distance - LASHES) / (reach - LASHES)).clamp_(0, 1)
    return (t - 1.5).mul_(t).sub_(0.5).mul_(t).add_(1)  # 1 less the mean of t and its smoothstep


def _give_below_rim(distance: Tensor, way: Tensor) -> Tensor:
    """The same where glasses are worn, of a lid that went a ``way`` down: what little skin lies between it and the rim is drawn out evenly,
    which never folds, and the rim stays."""
    return 1 - ((distance - RIM_LASHES) / (BELOW_RIM - RIM_LASHES + way)).clamp(0, 1)


def lip_edges(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges of the upper and of the lower lip where the two meet, ``[11,2]`` from the viewer's left corner to the right one."""
    return landmarks[_LIPS[0]], landmarks[_LIPS[1]]


def _tips(landmarks: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _mouth(
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
    shut = smoothstep(gap, *GRIN) * smoothstep(1 - opening.max().item() / max(gap, EDGE), *SHUT)
    if shut:  # lips that are soft leave no chinks
        meets = 0.5 * shut * (1 - smoothstep(opening, *CHINKS)) * opening
        curves = np.concatenate([[curves[0] + meets, curves[1] - meets], curves[2:]])
    # Across a steep border the way is shorter than downwards.
    slopes = np.gradient(curves[:2], target.length / (TABLE - 1), axis=1)
    curves = np.concatenate([curves[:2], 1 / np.hypot(1, slopes), curves[2:]])
    tables = torch.from_numpy(curves.astype(np.float32)).to(device)
    after = (curves[1] - curves[0]).max().item()
    pit = PIT[1] * smoothstep(gap, *GRIN) * (1 - smoothstep(after, *TEETH_SEEN))
    parts = smoothstep((after - gap) / target.length, *OPENING)
    box = _box(target, curves[0].min() - SEAM, curves[1].max() + SEAM, PIT[0] * target.length if pit else 0.0)
    opens = after > 0.2 * EDGE
    shows, own, jaw = 1.0, None, None
    if skull is not None and opens:
        shows = shows_teeth(skull)
        if gap > PARTED[0] and len(skull.colors) > 3:
            columns = skull.colors[3:].double().cpu().numpy() * [1, shows * smoothstep(gap, *PARTED), 1]
            own, below = _looked(columns, upper_seen, lower_seen, source, np.array([teeth[0], teeth[1] + lift]))
            tables = torch.cat([tables, torch.from_numpy(below.astype(np.float32)).to(device)])
            if below[0].min() < BEYOND:
                # What is seen goes along with a lower lip that goes farther down than the jaw: nobody knows what lies below.
                at = [AT[i] for i in (87, 14, 317)]
                (x, y), beyond = skull.dropped, (moved[at] - landmarks[at]).mean(0)[1] - skull.dropped[1]
                jaw = x, float(y + beyond * (1.0 if beyond > 0 else COVER))
    made = (
        row(skull, target, curves[0][TABLE // 2], curves[1].max(), teeth, pixel, device, own)
        if skull is not None and opens
        else None
    )
    edge = max(EDGE, min(2 * pixel, SEAM))  # in small pictures a narrower border would be a staircase
    rims = None
    if shut:

        def unsure(share: np.ndarray, opening: np.ndarray) -> np.ndarray:
            return UNSURE[0] + UNSURE[1] * opening + pit * _corners(share)

        rims = rims_of(landmarks, moved, shut, unsure, device)
        box = _around(box, lips_box(moved))
    return Mouth(target, source, tables[:4], tables[4:], gap, pit, parts, lift, box, edge, made, shows, jaw, rims)


def _looked(
    columns: np.ndarray, upper: np.ndarray, lower: np.ndarray, source: Frame, shift: np.ndarray
) -> tuple[Own, np.ndarray]:
    """What was seen between lips: the upper teeth, where they are after; and tables ``[3,TABLE]`` in the frame of the mouth before: of the
    height below which all goes with the jaw, of how far teeth are seen, and of the height at which those end.

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
    cut = np.hypot(*(last - first).T) * (reach > 0.85)
    a, b = source.to(*edges.T)
    ends = np.interp(SAMPLES, np.maximum.accumulate(a / source.length), b if row else 0 * b + BEYOND)
    return Own((edges + shift).T, light, cut), np.stack([below, teeth, ends])


class Lips(NamedTuple):
    """Points ``[N]`` of each in the frame of a mouth after: where they lie, in its axes, the edges of the upper and of the lower lip at
    their ``a``, and the cosines of the slopes of these."""

    a: Tensor
    b: Tensor
    top: Tensor
    bottom: Tensor
    across: tuple[Tensor, Tensor]


def _lips(mouth: Mouth, x: Tensor, y: Tensor) -> Lips:
    a, b = mouth.target.to(x, y)
    top, bottom, *across = read(mouth.after[:, None], (a / mouth.target.length)[None])[:, 0]
    return Lips(a, b, top, bottom, tuple(across))


def _corners(share: Any) -> Any:
    """1 at the corners of a mouth, falling to 0 :data:`PIT` of its width to either side, at shares (tensors or arrays) of the way between them."""
    beside = abs(0.5 - abs(share - 0.5)) / PIT[0]
    return (1 - beside.clip(max=1) ** 2) ** 2


def _off_teeth(mouth: Mouth, lips: Lips, source: Tensor) -> Tensor:
    """Where skin at points comes from, ``source [2,N]``, but never from between lips that close: a smooth raster would show
    what lay there, squeezed into the seam."""
    if mouth.gap <= TEETH_SEEN[0]:
        return source
    _, b, top, bottom, _ = lips
    sa, sb = mouth.source.to(*source)
    upper, lower = read(mouth.seen[:2, None], (sa / mouth.source.length)[None])[:, 0]
    # The corners of an open mouth are a dark pit that goes on beyond those of the lips.
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


def _ask_mouth(
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
    sa, sb = mouth.source.to(x - teeth[0], y - (teeth[1] + mouth.lift))
    length = mouth.source.length
    upper, lower, *looked = read(mouth.seen[:, None], (sa / length)[None])[:, 0]
    apart = None
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
        looked[1] = looked[1] * (1 - torn * smoothstep(sb - looked[2], 0.5 * EDGE, 3 * EDGE))
        split = torch.where(lower_part, jaw[2], looked[0])
        sa, sb = torch.where(lower_part, ja, sa), torch.where(lower_part, jb, sb)
        upper, lower, looked[1] = (
            torch.where(lower_part, v, w) for v, w in ((jaw[0], upper), (jaw[1], lower), (1.0, looked[1]))
        )
    gap = (lower - upper).clamp_(min=0)
    if apart is None and looked:
        # What lies below the upper teeth stays where it was only where lips do.
        looked[1] = looked[1] * (
            1 - smoothstep(opening - gap, 0.0, TORN) * smoothstep(sb - looked[2], 0.5 * EDGE, 3 * EDGE)
        )
    shift = sb - b
    higher, deeper = (upper - (top + shift)).clamp_(min=0), (bottom + shift - lower).clamp_(min=0)
    # How far the lips show more than they did, at this place: where they do not, everything stays as it was seen.
    wider, last = opening - gap, torch.minimum(0.15 * gap, 2 * deeper)
    height = opening.clamp(min=1e-4)
    shown = smoothstep(mouth.gap, *PARTED)
    # Towards its corners the border grows soft.
    soft = 1 + SOFTER * mouth.parts * (1 - smoothstep(torch.minimum(share, 1 - share), 0.0, SOFT)) if mouth.parts else 1
    first = upper + torch.minimum(0.15 * gap, 2 * higher)  # what is seen begins there
    # The shadow begins before what is seen changes, so that no light shows between.
    border = (EDGE - mouth.edge) / 2, (EDGE + mouth.edge) / 2
    (alpha, opened, parted, more, was_seen, from_corner, was_open, too_high, beyond, goes_on,
     tongue, off_upper, off_lower, seam, closed, fell, drawn_out, chink) = smoothsteps(
        ((inside - EDGE / 2) / soft + EDGE / 2, *border), (opening, 0.0, mouth.edge), (wider, 0.3 * ROLL, 4 * ROLL), (wider, 0.0, 0.010),
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
    line = ((below - above) / (2 * mouth.edge)).square().neg_().exp_()
    line = line * smoothstep(torch.minimum(share, 1 - share), 0.0, SEAM_ENDS)
    shade = shade + SEAMED * line * seam * closed
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
        visible, low = 1 - more * (1 - seen * own), mouth.jaw is None
        made = paint(mouth.row, share, b, top, bottom, alpha, visible, fell, 1 - own, own * narrowed, low)
    return alpha, follows, torch.stack(mouth.source.back(sa, sb_seen)), shade, made
