"""The eyes of a moved face: lids as curves that meet, eyeballs behind them that turn, and what lids that shut show.

Lengths are crop fractions where nothing else is said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from ..faces.irises import iris_radius, irises_off
from ..faces.landmarks import AT, BROW_EDGES, EYES, IRISES, OVAL
from ..once import kept_with
from .brows import LASHES
from .curves import SAMPLES, TABLE, UPPER_SHUTS, Frame, opens, read, shut_line
from .eyeball import (
    GUESSED,
    LEAST,
    RADII,
    Eyeball,
    Seen,
    arcs_of,
    drawn_out,
    eyeballs_of,
    uncovered,
    unhidden,
    usual_at,
)
from .lashes import Bare, bare_eye
from .layers import EDGE, Box, box_of
from .shut_lids import HAIRS_SEEN, LASH_PIXEL, LASH_WAVES, bare_lids, lash_line
from .smooth import smoothstep
from .whites import White, white_beside

if TYPE_CHECKING:
    from .face import Face

BEHIND = 1.12  # by which factor eyes behind glasses open at most
BELOW_RIM = 0.014  # height of the skin above their upper lid that gives way: less than there is up to most rims
RIM_LASHES = 0.007  # height of the strip of it that moves as a whole
LID = 0.085  # how far above an upper lid the skin gives way when the lid closes
LOWER_LID = 0.05
UPPER_OPENS = 0.8  # the upper lid's share of what an eye opens
# White that the upper and the lower lid of eyes that open show beyond the iris before they go on more slowly, in its radii, and which part of
# their way they then go on: irises that are ringed by white are a doll's
WHITE_SHOWS, SLOWER = (0.12, 0.0), 0.25
IRIS, MARGIN = 0.2, 0.06  # radius of an iris, and how near it comes to a corner, in widths of the eye
LINE = 0.003  # how far above its edge an upper lid is asked when it is shut: at the edge itself the eye shines through
# Of its opening below which an eye is all but shut, and how much light the line of its lashes takes
SHUTS, LASHED = 0.2, 0.35
# Shares of an eye's opening between which its lashes leave the skin above the lid, and their line is drawn anew
LASHES_TURN, LINE_TURNS = (0.1, 0.6), (0.35, 0.6)
# How much narrower the border of an eyeball is that turns, by how many widths of the eye
STEEPER, TURNS = 0.75, (0.0, 0.04)
UNDER_LID = 0.5  # of the shadow of a lid, that one that comes down casts
SLIT = 0.165, 0.205  # height of eyes, in their widths, that are all but shut, and that are open
# Shares of the way from the outer corner to the outline of the face between which skin stops going along
TO_OUTLINE = 0.4, 0.9
BESIDE = 0.6  # widths of the eye beside its corners in which lashes are
PRESSED = 0.9  # share of the skin between a lid and its brow up to which that folds
# Half the width of the skin above a lid that goes along with its middle, in widths of the eye, and how far above the lid all of that does
EVEN_ACROSS, EVEN_FROM = 0.85, (0.02, 0.16)
# Share of the way from the edge of a brow to an open lid in which there are hairs, and
HAIRS = 0.2
STEEP = 1.4  # by which factor skin gives way over more than the way of its lid, so that it does not fold
# Height of the skin that gives way at least, and how far shut a lid is that is all painted
LEAST_SKIN, PAINTED_ALONE = 0.02, (0.9, 1.0)
RIM = 0.008  # height of the wet rim of a lower lid
# How much of the light on an eyeball its lids take at their edge, and on which share of its opening
SHADE, SHADED = 0.45, 0.12
# How far below the upper lid the centre of an iris stays, in its radii, but for this share of what is asked
CLEAR, LEAST_UP = 0.4, 0.35
# Height of eyes, in their widths, of which hardly anything is seen that would stay as it is, and of which enough is
NARROW = 0.22, 0.32
# Rows of the landmarks, from the viewer's left to the right: of the upper and the lower lid of either eye, and of the edges of the lips
LEFT, RIGHT = ([AT[i] for i in ring] for ring in EYES)
_OVAL = np.array([AT[i] for i in OVAL])
_BROWS = [np.array([AT[i] for i in edge]) for edge in BROW_EDGES]
_EVEN = (1 - ((SAMPLES - 0.5) / EVEN_ACROSS) ** 2) ** 2
_NONE = np.zeros((6, 2, RADII))  # arcs of an eye whose lids show nothing new


@dataclass(frozen=True)
class Eye:
    """One eye before and after. Curves are tables in the frame after (target) or before (source)."""

    target: Frame
    source: Frame
    # [6,TABLE] target: upper, lower before the lids move; upper, lower after; how far above the upper lid the skin gives way, up to the brow; and
    # how much of that lid's way it goes along, 0..1
    lids: Tensor
    seen: Tensor  # [2,TABLE] source: upper and lower lid
    iris: tuple[float, float, float]  # source: a, b of the centre, and radius
    gaze: tuple[float, float]  # shift of the iris along a and b
    still: bool  # nothing but the skin moves
    shaded: bool  # it looks elsewhere, opens wider, or shuts
    line: float  # half width of the line between lids that meet
    edge: float  # and of the border between lids and eyeball
    narrow: float  # 0..1: how little is seen of the eyeball
    left: bool  # whether it is the one on the viewer's left
    glasses: bool  # whether it gives way only up to the rim of glasses
    box: Box
    bare: Bare | None  # how it looks without the lashes that lids that shut take along
    shut: float  # 0..1 how far it is shut of what was open
    lined: float  # 0..1 how far the line of its lashes, which its lid has come to hide, is drawn anew
    fine: tuple[float, float]  # 0..1 whether pixels are so small that single lashes, and strands of them, are seen
    lashes: float  # half width of their line
    room: float  # from the outer corner to the outline of the face, in widths of the eye
    lids_move: bool  # otherwise than the skin
    white: White | None  # beside an iris that leaves a corner
    ball: Eyeball | None  # what is known of it where what lids hid comes to light, and
    arcs: np.ndarray | None  # which angles around its iris do, see :func:`flow_core.fields.eyeball.arcs_of`


def eyes_of(
    landmarks: np.ndarray,
    moved: np.ndarray,
    edges: Sequence[tuple[Frame, np.ndarray]],
    curves: np.ndarray,
    lids: Sequence[float],
    gaze: Sequence[tuple[float, float]],
    face: Face,
    device: torch.device,
) -> list[Eye]:
    """The eyes on the viewer's left and right.

    Args:
        landmarks: ``[161,2]`` crop points, and
        moved: where muscles move them.
        edges: for each eye the frames and edges of its lids as of :func:`flow_core.fields.anatomy._edges`: upper and lower after, and before.
        curves: of these, ``[8,TABLE]``.
        lids: factors by which they open, and
        gaze: shifts of their irises, as of :func:`flow_core.fields.gaze.eyelids_and_gaze`.
        face: whose eyes these are.
        device: of the result.
    """

    def seen() -> list[Seen]:
        sources = [edges[4 * side + 2][0] for side in (0, 1)]
        return [
            _seen_of(side, source, curves[4 * side + 2 : 4 * side + 4], landmarks, face)
            for side, source in enumerate(sources)
        ]

    tables, eyes = [], []
    for side in (0, 1):
        target, source = edges[4 * side][0], edges[4 * side + 2][0]
        table, eye = _eye_of(
            side, target, source, curves[4 * side : 4 * side + 4], lids[side], gaze[side], landmarks, moved, face, seen
        )
        tables.append(table)
        eyes.append(eye)
    on_device = torch.from_numpy(np.array(tables, np.float32)).to(device)
    return [Eye(lids=table[:6], seen=table[6:], **eye) for table, eye in zip(on_device, eyes, strict=True)]


def _eye_of(
    side: int,
    target: Frame,
    source: Frame,
    curves: np.ndarray,
    factor: float,
    gaze: tuple[float, float],
    landmarks: np.ndarray,
    moved: np.ndarray,
    face: Face,
    both: Callable[[], Sequence[Seen]],
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The tables of an eye, ``lids`` and ``seen``, and all else of :class:`Eye`; ``both`` gives both eyes as they were."""
    contour, glasses, pixel, length = (LEFT, RIGHT)[side], face.glasses is not None, face.pixel, source.length
    if glasses:  # whose upper rim is close above many lids
        factor = min(factor, BEHIND)
    top, bottom, *seen = curves
    seen = np.stack(seen)
    was_open = smoothstep(float((bottom - top).clip(min=0).max()) / target.length, *SLIT)
    after = _lids_after(top, bottom, factor, was_open, side, target.length)
    a, b = source.to(*landmarks[AT[IRISES[side][0]]].tolist())
    radius, room = IRIS * length, MARGIN * length
    right, below = (v * length for v in gaze)
    still = np.abs(landmarks[contour] - moved[contour]).max() < 1e-5 and abs(factor - 1) < 1e-4
    still = bool(still and max(abs(right), abs(below)) < 1e-5)
    shows = np.stack(after) * (length / target.length) - below
    ball = arcs = None
    if face.view is not None and not still and (right or uncovered(seen, shows) > LEAST * length):
        ball = eyeballs_of(face, both)[side]
        a, b, radius = ball.iris
        if factor > 1:
            scale = target.length / length
            after = _near_iris((top, bottom), after, (a + right) / length, (b + below) * scale, radius * scale)
            shows = np.stack(after) / scale - below
    # an iris goes no farther than to the corner
    right = min(max(right, min(room - a + radius, 0.0)), max(length - room - a - radius, 0.0))
    if ball is not None:
        if below < 0:  # nor up behind a lid
            lid = float(np.interp(a + right, SAMPLES * length, after[0])) * length / target.length
            up = min(-below, max(b - lid - CLEAR * radius, -LEAST_UP * below))
            shows, below = shows + below + up, -up
        aside = SAMPLES * length
        first, last = (max(v, 1e-6) for v in (a - radius + right, length - a - radius - right))
        aside = aside - right * np.minimum((aside / first).clip(max=1), (length - aside) / last)
        shows = np.stack([np.interp(SAMPLES * length, aside, lid) for lid in shows])
        arcs = arcs_of(seen, shows, ball.shade, (a, b), length)
    bare = None
    if face.lids is not None and face.view is not None and factor < LASHES_TURN[1]:
        bare = _bare_of(face, side, source, seen, landmarks)
    shut, lined = (
        was_open * (1 - smoothstep(factor, *turn)) if bare is not None else 0.0 for turn in (LASHES_TURN, LINE_TURNS)
    )
    painted = smoothstep(shut, *PAINTED_ALONE) if bare is not None and not glasses else 0.0
    reach, along = _skin_above(top, after[0], _across(target, moved[_BROWS[side]]), painted)
    edge = max(EDGE, min(pixel, 4 * EDGE))  # in small pictures a narrower border would be a staircase
    if face.whole_view is None:
        # Between skin and an eyeball that has turned a border of places would show all that lies between them.
        edge *= 1 - STEEPER * smoothstep(math.hypot(right, below) / length, *TURNS)
    shaded = bool(max(abs(right), abs(below)) > 1e-5 or factor > 1 or factor < SHUTS)
    # Lids that only go along with the skin leave all beyond their edges to it; but below a brow that presses it together it folds.
    above, under = reach.max(), LOWER_LID
    if factor == 1:
        before, now = (
            lid.mean() - frame.to(*places[_BROWS[side]].T)[1].mean()
            for lid, frame, places in ((seen[0], source, landmarks), (after[0], target, moved))
        )
        if now * length > PRESSED * before * target.length:
            above = under = edge
    above, under = min(top.min(), after[0].min()) - above, max(bottom.max(), after[1].max()) + under
    return [top, bottom, *after, reach, along, *seen], {
        "target": target,
        "source": source,
        "iris": (a, b, radius),
        "gaze": (right, below),
        "still": still,
        "shaded": shaded or bare is not None or arcs is not None,
        "line": max(LINE, min(1.4 * pixel, 4 * LINE)),
        "edge": edge,
        "narrow": 1 - smoothstep(float((seen[1] - seen[0]).max()) / length, *NARROW),
        "left": side == 0,
        "glasses": glasses,
        "box": box_of(target, above - 0.01, under + 0.01, BESIDE * target.length if factor < 1 else 0.0),
        "bare": bare,
        "shut": shut,
        "lined": lined,
        "fine": tuple(1 - smoothstep(count * pixel / length, *HAIRS_SEEN) for count, _ in LASH_WAVES[:2]),
        "lashes": math.hypot(LINE, LASH_PIXEL * pixel),
        "room": float(np.hypot(*(moved[_OVAL] - moved[contour[0]]).T).min()) / target.length + 1e-3,
        "lids_move": factor != 1,
        "white": white_beside(face.view, source, seen, (a, b, radius), (right, below)),
        "ball": None if arcs is None else ball,
        "arcs": arcs,
    }


def _seen_of(side: int, source: Frame, seen: np.ndarray, landmarks: np.ndarray, face: Face) -> Seen:
    """The eye on the viewer's left or right of a face of which a view is kept, with its lids ``seen [2,TABLE]``."""
    off, sure = irises_off(face.view, face.landmarks)
    a, b = source.to(*landmarks[AT[IRISES[side][0]]].tolist())
    return Seen(source, seen, (a + off * sure * source.length, b, iris_radius(landmarks, side) * source.length))


def _lids_after(
    top: np.ndarray, bottom: np.ndarray, factor: float, was_open: float, side: int, length: float
) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the lids ``[TABLE]`` of an eye of that width whose opening changes by a factor, and which ``was_open``, 0..1."""
    wide = (bottom - top).clip(min=0)
    if factor < 1:
        meets = top + UPPER_SHUTS * wide
        meets += was_open * (shut_line(top, top + wide, SAMPLES if side else 1 - SAMPLES, length) - meets)
        return top + (1 - factor) * (meets - top), bottom + (1 - factor) * (meets - top - wide)
    change = opens(factor - 1, wide.max().clip(min=1e-4) / length) * wide
    return top - UPPER_OPENS * change, bottom + (1 - UPPER_OPENS) * change


def _skin_above(
    before: np.ndarray, after: np.ndarray, brow: np.ndarray, painted: float
) -> tuple[np.ndarray, np.ndarray]:
    """How far above an upper lid the skin gives way to it, and how much of the lid's way it goes along, 0..1; all ``[TABLE]``.

    The skin stretches at most so much that it does not fold. Where a lid that is shut is ``painted``, 0..1, none is taken from a low brow.
    """
    way = np.abs(after - before)
    way = np.maximum(way, way[TABLE // 2] * _EVEN)
    near = (after - brow - HAIRS * (before - brow)).clip(LASHES + LEAST_SKIN, LID)
    taken = 1 - np.minimum((near - LASHES) / (STEEP * way.clip(min=1e-6)), 1.0)
    taken *= painted
    return np.maximum(near, STEEP * way * (1 - taken) + LASHES), 1 - taken


def _near_iris(
    lids: tuple[np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray],
    share: float,
    middle: float,
    radius: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the upper and the lower lid ``[TABLE]`` of an eye that opens from ``lids`` to ``after``, which go on more slowly where they have
    left its iris, at ``share`` of the way between the corners, with its ``middle`` and its ``radius``."""
    found = []
    for lid, goes, sign, white in zip(lids, after, (-1, 1), WHITE_SHOWS, strict=True):
        at, to = (float(np.interp(share, SAMPLES, edge)) for edge in (lid, goes))
        way = sign * (to - at)
        room = min(max(sign * (middle - at) + (1 + white) * radius, 0.0), way)
        part = 1.0 if way < 1e-6 else (room + SLOWER * (way - room)) / way
        found.append(lid + part * (goes - lid))
    return found[0], found[1]


_BARE = WeakKeyDictionary(), WeakKeyDictionary()  # face -> :func:`bare_eye` on the viewer's left and right


def _bare_of(face: Face, side: int, source: Frame, seen: np.ndarray, landmarks: np.ndarray) -> Bare:
    def made() -> Bare:
        brow, outline = (landmarks[[AT[i] for i in row]] for row in (BROW_EDGES[side], OVAL))
        with torch.inference_mode(False):  # what is kept may be asked for outside of it
            texture = None if face.lid_texture is None else face.lid_texture[:, side : side + 1]
            return bare_eye(
                face.view, face.lids[0, side], source, seen, brow, outline, side == 0, face.glasses is not None, texture
            )

    return kept_with(_BARE[side], face, None, made)


def ask_eyes(
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
             center, middle, radius, *eye.gaze, first, last, eye.line, eye.edge, eye.narrow, eye.shut, eye.room, 1.0 if eye.left else 0.0)
        )  # fmt: skip
    columns = x.new_tensor(columns).T[..., None]  # each [E,1]
    x0, y0, c, s, width, u0, v0, sc, ss, *rest = columns
    (length, center, middle, radius, right, below, first, last, line, edge, narrow, painted_over, room, left) = rest  # fmt: skip
    dx, dy = x - x0, y - y0
    a, b = c * dx + s * dy, c * dy - s * dx
    share = a / width
    top0, bottom0, top, bottom, reach, along_with = read(torch.stack([e.lids for e in eyes], 1), share)
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
    known = x.new_tensor([[eye.ball is not None] for eye in eyes])
    place, hidden = (sa, sb), None
    if any(eye.ball is None for eye in eyes):
        shown = read(torch.stack([e.seen for e in eyes], 1), sa / length)
        sb = drawn_out(sb, middle, *shown, top * ratio - below, bottom * ratio - below, narrow)
    if any(eye.ball is not None for eye in eyes):
        arcs = x.new_tensor(np.stack([_NONE if eye.arcs is None else eye.arcs for eye in eyes]))
        least = GUESSED + (1 - GUESSED) * narrow
        *round_, hidden = unhidden(arcs, torch.stack([center, middle, radius]), least, length, *place)
        sa, sb = (torch.where(known > 0, v, w) for v, w in zip(round_, (sa, sb), strict=True))
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
    dark = SHADED * opening
    dark = dark / torch.hypot(dark, (edge - EDGE).clamp(min=0))  # fainter where it is blurred
    shade = SHADE * dark * alpha * went * (1 - lit) * (1 - narrow * (1 - known))
    # Lids that meet are joined by a dark line, unless lashes are painted there.
    met = (1 - opening / (2 * line)).clamp_(0, 1) * smoothstep(opening0, 2 * LINE, 5 * LINE)
    met = met * smoothstep(1 - opening / opening0, 0.7, 0.95) * (1 - painted_over)
    shade = shade + LASHED * met * (-((above - under) / (2 * line)).square()).exp() * smoothstep(beside, 0.0, 0.7)
    painted = torch.cat([torch.zeros_like(shade).expand(3, -1, -1), shade[None]])
    for i, eye in enumerate(eyes):
        free = alpha[i] * (1 - shade[i])
        if eye.ball is not None:
            away = torch.hypot(at[i] - center[i] - right[i], place[1][i] - middle[i]) / radius[i]
            usual = torch.cat([usual_at(eye.ball.usual, away), torch.ones_like(away)[None]])
            painted[:, i] += usual * (hidden[i] * free)
            free = free * (1 - hidden[i])
        if eye.white is not None:
            height = (b[i] - top[i]) / opening[i]
            painted[:, i] += eye.white.at(at[i], b[i] * ratio[i], height) * free
    if all(eye.bare is None for eye in eyes):
        return shift, alpha, source, painted
    room = BELOW_RIM + top - top0 if eyes[0].glasses else reach
    stretched = torch.stack([(e.lids[2] - e.lids[0]).amax() / e.lids[4].mean() for e in eyes])[:, None]
    lids = bare_lids(eyes, share, skin, above / room, (top - top0) / width, above / width, stretched)
    lashes = lash_line(eyes, share, above / width, width)
    for layer in (lashes, lids):
        painted = painted + layer * (1 - painted[3])
    return shift, alpha, source, painted


def _across(frame: Frame, edge: np.ndarray) -> np.ndarray:
    """Heights ``[TABLE]`` of an edge ``[N,2]`` from corner to corner, level beyond its ends."""
    a, b = frame.to(*edge.T)
    return np.interp(SAMPLES * frame.length, np.maximum.accumulate(a), b)


def _give(distance: Tensor, reach: Tensor) -> Tensor:
    """1 within the lashes and on the eye's own side, falling to 0 at ``reach``; half linear, so that it is steep nowhere."""
    t = ((distance - LASHES) / (reach - LASHES)).clamp_(0, 1)
    return (t - 1.5).mul_(t).sub_(0.5).mul_(t).add_(1)  # 1 less the mean of t and its smoothstep


def _give_below_rim(distance: Tensor, way: Tensor) -> Tensor:
    """The same where glasses are worn, of a lid that went a ``way`` down: what little skin lies between it and the rim is drawn out evenly,
    which never folds, and the rim stays."""
    return 1 - ((distance - RIM_LASHES) / (BELOW_RIM - RIM_LASHES + way)).clamp(0, 1)
