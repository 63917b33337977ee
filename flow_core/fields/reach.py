"""Which units make a face show what is asked: where its landmarks go with its muscles, and the way back.

A unit of the rig is not a unit as it is read: how much of a smile is read depends on the mouth, and what one muscle does is
partly read as another. Where an edit asks for what was read on a face (a copied expression, or a face at rest), units are
found in a closed loop: the face's own landmarks are moved as the rig moves them, and read again, and bounded, regularised
least squares take what is read to what was asked (Gauss-Newton steps; Nocedal and Wright, Numerical Optimization, 2006,
chapter 10).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..faces.fit import FittedFace
from ..faces.irises import irises_off
from ..faces.landmarks import AT, EYES, IRISES, MIRROR
from ..faces.read import UNITS, read_units
from ..faces.rig import Rig
from ..once import kept_with
from .closing import Grin, at_rest, gone
from .curves import UPPER_SHUTS, opens
from .eyes import IRIS, MARGIN, UPPER_OPENS
from .smooth import smoothstep

LID_UNITS = ("eyeBlink", "eyeWide", "eyeLook")  # what these do is described by the curves of the lids, not by the mesh
NARROW = ("eyeBlink", "eyeSquint", "eyeLookDown")  # units that take the lids together
SHUTS = 0.5, 0.75  # of a blink that is copied: from where on lids begin to shut whatever is read of them, and do
WIDE, LOOK_UP, LOOK_DOWN = 0.32, 0.10, 0.40  # shares of an eye's opening
REOPEN = 0.3  # share by which the lids may part farther than they are: a picture shows no more of the eye
# Of a blink: up to where that is so, and from where on there is no eye to be shown; and what eyes that are cast down add to it
SHUT, LOWERED = (0.35, 0.6), 0.25
# Height of an eye in its widths up to which a squint that relaxes opens it, and by which share at most: with the broadest smiles eyes of 12,000
# photographs are a sixth narrower than with none, and at rest about so high.
RELAXED, REOPENED = 0.34, 0.3
LOOK_ASIDE, LOOK_HIGH = 0.23, 0.15  # widths of the eye by which an iris goes: 35 and 25 degrees of an eyeball of 24 mm
LOOKS_ASIDE = math.radians(35)
# The units that turn eyes to the viewer's right, and back: of the person's left eye, and of the right one
SIDEWAYS = ("eyeLookOutLeft", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutRight")
FARTHER = 1.2  # times as far as they are found irises lie off the middle: of eyes turned by known amounts
TURNED = 0.12  # widths of the eye by which irises of eyes that look straight ahead lie off its middle where a head is turned by such an angle

# What MediaPipe reads in warped pictures for 1 that is read in landmarks moved as the rig moves them: slopes on 110 copies, left and
# right as one. It knows faces, and believes half of what lids and irises do alone.
SEEN = {
    "browDown": 0.7, "browInnerUp": 0.65, "browOuterUp": 0.65, "eyeBlink": 0.5, "eyeSquint": 0.55, "eyeWide": 0.5, "eyeLookIn": 0.65,
    "eyeLookOut": 0.65, "eyeLookUp": 0.6, "eyeLookDown": 0.5, "mouthPucker": 0.7, "mouthStretch": 0.75, "mouthShrugLower": 0.7,
    "mouthUpperUp": 0.8,
}  # fmt: skip
# How well the two agree: correlations on the same copies. What is hardly foreseen is hardly sought.
AGREE = {
    "brow": 0.85, "eyeBlink": 0.75, "eyeLookDown": 0.5, "eyeLookUp": 0.5, "eyeLook": 0.77, "eyeSquint": 0.77, "eyeWide": 0.4,
    "jawOpen": 0.9, "jaw": 0.6, "mouthSmile": 0.95, "mouthLowerDown": 0.86, "mouthUpperUp": 0.86, "mouthFrown": 0.7,
    "mouthPress": 0.6, "mouthPucker": 0.45, "mouthRoll": 0.65, "mouthShrug": 0.35, "mouthStretch": 0.65, "mouthDimple": 0.3,
    "mouthLeft": 0.4, "mouthRight": 0.4,
}  # fmt: skip
NOISE = 0.05  # of what is read
# Share of a goal that the search reaches, which is bounded and stays near where it starts: slopes on 100 copies. Mouths reach theirs.
REACHES = {"brow": 0.8, "eye": 0.8}
AWAY = 0.35  # how far units may go from where the search starts, one standard deviation; less for those that
STEADY = {"mouthClose": 0.2, "mouthPucker": 0.12, "mouthFrown": 0.12, "mouthFunnel": 0.12, "mouthDimple": 0.12, "mouthLeft": 0.12, "mouthRight": 0.12,
          "mouthRoll": 0.12, "mouthShrug": 0.15, "noseSneer": 0.12,
          "cheekSquint": 0.12, "tongueOut": 0.01, "jawForward": 0.01, "cheekPuff": 0.01, "browTogether": 0.01}  # fmt: skip
FACING = (13, 14), (82, 87), (312, 317), (81, 178), (311, 402)  # points of the upper and the lower lip that meet
# What units of the rig, as the reader sees them, add to the opening of lips: least squares over 172 faces (r = 0.96)
PARTING = {"jawOpen": 0.33, "mouthLowerDown": 0.21, "mouthUpperUp": 0.05}
BESIDE = 0.05  # and beside those units, once lips are apart
UNSEEN = 0.5  # share of what people part their lips more, where nothing is known of what lies behind
NEARLY, MEET = 0.04, 0.006  # opening up to which lips are to meet, and how far they then lie over one another
OVER = 0.08  # of an opening that shuts: nobody knows the edge of a lip to the pixel, and teeth would be seen between
SLITS = 0.12, 0.24  # height of eyes, in their widths, between whose lids nothing is seen of an iris, and enough
LEVEL, ASKED = 0.6, 0.3  # share by which a gaze up or down relaxes, and from which amount on it is what was asked for
# How near the inner ends of brows come, in distances of the inner corners of the eyes: some 10 mm; and the share of the way there that they go freely
NEAREST, ROOMY = 0.30, 0.7
CORNERS = 61, 291  # of the mouth, on the viewer's left and right
INNER_BROWS, INNER_CORNERS = (55, 285), (133, 362)  # on the viewer's left and right
BROW_UNITS = ("browDown", "browInnerUp", "browOuterUp")
# How far the corners of a mouth are drawn below the middle of where lips meet, widths of the mouth: freely, and at most. Of 879 mouths that are shut
# in photographs from the front one in ten lies beyond the first, and one in two hundred beyond 0.14; half of the sad ones lie within 0.02
SAGS = 0.06, 0.17
LIFT = 0.6  # centimetres by which an upper lip rises at most: teeth are bared by then, and gums would be next
GRIN = 1.0  # of a smile that was asked for as a smaller one: corners that go farther are a clown's
APART = 0.012  # how exactly lips meet, or part as far as asked, distances of the outer corners of the eyes
# Shares of what draws lips out besides a smile, and the smile up to which that counts, and from which on the smile says all
BARED = {"mouthUpperUp": 0.5, "mouthLowerDown": 0.5, "mouthStretch": 0.5, "jawOpen": -0.5}
SMILES = 0.35, 0.6
STEPS = 3
_DIFFERENCE = 0.02  # of a unit, by which derivatives are taken


class SkinBelow(NamedTuple):
    """The skin between a brow and its lid: how far a brow may go over it."""

    pairs: tuple[tuple[int, int], ...]  # landmarks of the brow's lower edge, and of the upper lid below it
    frown: float  # share of that skin that a frown may take,
    rise: float  # by which a brow that rises may stretch it,
    free: float  # and up to where both are free


# Inner ends have less skin below them and rise farther than middles; they come down as far as they like.
SKIN_BELOW = (
    SkinBelow(((65, 158), (52, 159), (53, 160)), 0.75, 0.7, 0.4),
    SkinBelow(((55, 173),), 9.0, 0.78, 0.42),
)


def eyelids_and_gaze(
    before: Tensor, after: Tensor, names: Sequence[str]
) -> tuple[list[float], list[tuple[float, float]]]:
    """What the units of eyelids and gaze ask of the eyes on the viewer's left and right.

    Args:
        before: ``[U]`` units and
        after: ``[U]``.
        names: of the units.

    Returns:
        Factors of both eyes' openings, and shifts of both irises in widths of the eye, x and y.
    """
    at = {n: i for i, n in enumerate(names)}
    before, after = before.tolist(), after.tolist()
    factors, shifts = [], []
    for side, out in (("Right", -1), ("Left", 1)):  # the person's right eye is the viewer's left one
        wide, up, down, outwards, inwards = (
            after[at[name + side]] - before[at[name + side]]
            for name in ("eyeWide", "eyeLookUp", "eyeLookDown", "eyeLookOut", "eyeLookIn")
        )
        shut, shuts = (min(units[at["eyeBlink" + side]], 1.0) for units in (before, after))
        factor = (1 - shuts) / max(1 - shut, 0.1) * (1 + LOOK_UP * up - LOOK_DOWN * down)
        factor = min(factor, 1 + REOPEN * _open(shut, before[at["eyeLookDown" + side]])) * (1 + WIDE * wide)
        factors.append(min(max(factor, 0.0), 1.6))
        shifts.append((LOOK_ASIDE * out * (outwards - inwards), LOOK_HIGH * (down - up)))
    return factors, shifts


def _open(shut: float, cast_down: float) -> float:
    """0..1: whether there is an eye to be shown between lids that are ``shut`` and look ``cast_down`` by so much of these units."""
    return min(max((SHUT[1] - shut - LOWERED * max(cast_down, 0.0)) / (SHUT[1] - SHUT[0]), 0.0), 1.0)


def own_eyes(rig: Rig, shown: Tensor, start: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Least and most units ``[U]`` with which a face that shows something else keeps its eyes.

    Eyes go where they are asked to and no farther, whatever is read of them: narrow ones are read as half shut, and opened until they are not
    they would be somebody else's. Lids that are asked to shut do. What is shut stays so, for nobody knows the eye behind, but may be shut more.

    Args:
        rig: whose units these are.
        shown: ``[U]`` units of the face, and
        start: what an edit asks for.
        low: ``[U]`` the bounds for other reasons, and
        high: ``[U]``.

    Returns:
        The bounds, and ``[2,U]``: which share of what is asked can be shown, where it is more and where it is less of a unit.
    """
    names, shares = rig.unit_names, torch.ones_like(shown)
    for side in ("Left", "Right"):
        share = _open(*(shown[names.index(n + side)].item() for n in ("eyeBlink", "eyeLookDown")))
        shares[[i for i, n in enumerate(names) if n.startswith("eye") and n.endswith(side)]] = share
    eyes, blinks, squints = (units_named(rig, n) for n in ("eye", "eyeBlink", "eyeSquint"))
    low = torch.where(eyes & ~squints, torch.minimum(shown, start), low)
    low = torch.lerp(low, start.clamp(min=1), blinks * ((start - SHUTS[0]) / (SHUTS[1] - SHUTS[0])).clamp(0, 1))
    high = torch.where(eyes, torch.maximum(shown, start), high).maximum(low)
    shares = torch.stack([shares.masked_fill(units_named(rig, *NARROW), 1.0), shares])
    return shown + shares[1] * (low - shown), shown + shares[0] * (high - shown), shares


def unsquinted(face: FittedFace, landmarks: Tensor, start: Tensor, change: Tensor, low: Tensor) -> Tensor:
    """Least units ``[U]``: squints relax no farther than until eyes are as high as at rest, whatever is read of them: who has narrow eyes is read as
    squinting all the time, and lids that part until he is not show an eye that nobody has seen.

    Args:
        face: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        start: ``[U]`` what an edit asks for,
        change: ``[U]`` the part of it that is not only relaxed: eyes that are wide are copied as such, and
        low: ``[U]`` the bounds for other reasons.
    """
    squints = units_named(face.rig, "eyeSquint")
    shown = face.units[0]
    rows = torch.stack([torch.where(squints, shown, start), torch.where(squints, low, start)])
    before, squinting, wide = _heights(torch.cat([landmarks[None], landmarks_after(face, landmarks, rows)]))
    most = torch.maximum(before, (before * (1 + REOPENED)).clamp(max=RELAXED))
    share = ((most - squinting) / (wide - squinting).clamp(min=1e-6)).clamp(0, 1)
    left = torch.tensor([n.endswith("Left") for n in face.rig.unit_names], device=low.device)
    bound = shown + torch.where(left, share[1], share[0]) * (low - shown)
    bound = torch.lerp(bound, torch.minimum(bound, change), (-change / ASKED).clamp(0, 1))
    return torch.where(squints, bound.maximum(low), low)


def _heights(landmarks: Tensor) -> Tensor:
    """How far the lids of the eyes on the viewer's left and right are apart in the middle, ``[...,2]`` in widths of the eye; of ``[...,161,2]``."""
    rings = landmarks[..., [[AT[i] for i in ring] for ring in EYES], :]
    across, up = rings[..., 8, :] - rings[..., 0, :], rings[..., 12, :] - rings[..., 4, :]
    return up.norm(dim=-1) / across.norm(dim=-1).clamp(min=1e-6)


def looking_together(
    before: Tensor,
    after: Tensor,
    asked: Tensor,
    names: Sequence[str],
    camera: Tensor | float = 0.0,
    seen: Tensor | float = 1.0,
    aside: tuple[float, float] = (0.0, 0.0),
    whole: Tensor | float = 1.0,
) -> Tensor:
    """Units ``[U]`` with which both eyes turn aside by as much: what is read of one iris is too uncertain to turn eyes apart.

    A gaze that nobody asks for relaxes until the eyes look straight ahead or into the camera: who turns the head away and looks at us still
    does. Less is known of how high eyes look, so that relaxes only a little.

    Args:
        before: ``[U]`` units and
        after: ``[U]``.
        asked: ``[U]`` what an edit asks for beside relaxing.
        names: of the units.
        camera: how far aside, to the viewer's right, eyes look that look into the camera; see :func:`camera_aside`.
        seen: share by which a gaze relaxes that nobody asks for; see :func:`irises_seen`.
        aside: how far to the viewer's right eyes are seen to look, and how surely; see :func:`gaze_seen`.
        whole: share by which the whole face relaxes.
    """
    sideways = [names.index(n) for n in SIDEWAYS]
    change, after = after - before, after.clone()
    left, back_left, right, back_right = change[sideways]
    apart = (left - back_left - right + back_right) / 4
    after[sideways] += apart * apart.new_tensor([-1.0, 1, 1, -1])
    was, now, wish = (((v[0] - v[1]) + (v[2] - v[3])) / 2 for v in (before[sideways], after[sideways], asked[sideways]))
    camera = torch.as_tensor(camera).to(was)
    kept = was.clamp(camera.clamp(max=0), camera.clamp(min=0))
    relaxed = now.clamp(torch.minimum(was, kept), torch.maximum(was, kept))
    relaxed = was + (relaxed - was) * seen
    at, sure = torch.as_tensor(aside[0]).to(was), aside[1] * seen
    ahead = was + whole * (at.clamp(camera.clamp(max=0), camera.clamp(min=0)) - at)
    relaxed = relaxed + (ahead - relaxed) * sure
    back = (relaxed - now) * (1 - (wish.abs() / ASKED).clamp(max=1))
    after[sideways] += back * back.new_tensor([0.5, -0.5, 0.5, -0.5])
    for side in ("Left", "Right"):
        up, down = names.index("eyeLookUp" + side), names.index("eyeLookDown" + side)
        level = LEVEL * seen
        share = level + (1 - level) * ((asked[up] - asked[down]).abs() / ASKED).clamp(max=1)
        for unit in (up, down):
            after[unit] = before[unit] + share * (after[unit] - before[unit])
    return after


def irises_seen(landmarks: Tensor) -> Tensor:
    """0..1: how well it is seen where the eyes of a face look, of ``[161,2]``: between narrow lids an iris is a guess."""
    return smoothstep(_heights(landmarks).mean(-1), *SLITS)


def gaze_seen(face: FittedFace, landmarks: Tensor, view: Tensor) -> tuple[Tensor, float]:
    """How far to the viewer's right eyes look, in units of gaze and away from straight ahead, and how surely that is seen, 0..1.

    Args:
        face: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        view: ``[1,3,n,n]`` as of :func:`flow_core.faces.shown.view`.
    """
    off, sure = irises_off(view, landmarks)
    shares = []
    for side in (0, 1):
        ring = [AT[i] for i in EYES[side]]
        left, right = landmarks[[ring[0], ring[8]][:: 1 if side == 0 else -1]]
        across = right - left
        iris = landmarks[AT[IRISES[side][0]]] - left
        shares.append((iris @ across) / across.square().sum().clamp(min=1e-9))
    share = (shares[0] + shares[1]) / 2 - 0.5 + off
    return (FARTHER * share + TURNED * camera_aside(face)[0]) / LOOK_ASIDE, sure


def camera_aside(face: FittedFace) -> Tensor:
    """How far aside, to the viewer's right and in units of gaze, the eyes of a face ``[B]`` look into the camera: against the turn of its head."""
    return -face.rotation[:, 0, 2].clamp(-1, 1).asin() / LOOKS_ASIDE


def landmarks_after(face: FittedFace, landmarks: Tensor, units: Tensor) -> Tensor:
    """Where the landmarks of a face go.

    Args:
        face: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        units: ``[N,U]`` after an edit.

    Returns:
        ``[N,161,2]``. Lids and irises go with their curves, as in :mod:`flow_core.fields.eyes`, but that lids which meet keep their own line, of the
        same height, and not an arc.
    """
    rig, shown = face.rig, face.units[0]
    moved = skin_after(face, landmarks, units)
    # Few of many rows differ in the units of lids and gaze.
    of_lids, which = torch.where(of_mesh(rig), shown, units).unique(dim=0, return_inverse=True)
    rows = [eyelids_and_gaze(shown, row, rig.unit_names) for row in of_lids]
    lids, gaze = (moved.new_tensor(v)[which] for v in zip(*rows, strict=True))
    for side in (0, 1):
        ring = [AT[i] for i in EYES[side]]
        corners = (ring[0], ring[8]) if side == 0 else (ring[8], ring[0])  # on the viewer's left and right
        axis = moved[:, corners[1]] - moved[:, corners[0]]
        down = _down(axis / axis.norm(dim=-1, keepdim=True).clamp(min=1e-6))[:, None]
        lower, upper = ring[1:8], ring[:8:-1]
        opening = ((moved[:, lower] - moved[:, upper]) * down).sum(-1, keepdim=True).clamp(min=0)
        height = (opening.amax(1, keepdim=True) / axis.norm(dim=-1)[:, None, None].clamp(min=1e-6)).clamp(min=1e-6)
        factor = lids[:, side, None, None] - 1
        change = torch.where(factor > 0, opens(factor.clamp(min=0), height), factor) * opening
        share = torch.where(change < 0, UPPER_SHUTS, UPPER_OPENS)
        moved[:, upper], moved[:, lower] = (
            moved[:, upper] - share * change * down,
            moved[:, lower] + (1 - share) * change * down,
        )
        across = landmarks[corners[1]] - landmarks[corners[0]]
        center = (
            (landmarks[AT[IRISES[side][0]]] - landmarks[corners[0]]) @ across / across.square().sum().clamp(min=1e-9)
        )
        room = MARGIN + IRIS
        aside = gaze[:, side, :1].clamp((room - center).clamp(max=0), (1 - room - center).clamp(min=0))
        shift = aside * across + gaze[:, side, 1:] * _down(across)
        moved[:, [AT[i] for i in IRISES[side]]] += shift[:, None]
    return moved


def skin_after(face: FittedFace, landmarks: Tensor, units: Tensor) -> Tensor:
    """:func:`landmarks_after` without what lids and irises do of themselves: that moves neither a lip nor a brow nor a corner of an eye."""
    moved = landmarks + _moved_by(face, (units - face.units[0]) * of_mesh(face.rig))
    grinned = lips_settled(face, landmarks, moved, units)
    if grinned is None:
        return moved
    share, missed = grinned
    return moved + share[:, None, None] * missed


def lips_settled(face: FittedFace, landmarks: Tensor, moved: Tensor, units: Tensor) -> tuple[Tensor, Tensor] | None:
    """How far a grin is gone ``[N]``, see :func:`flow_core.fields.closing.gone`, and by how much muscles that let go of it miss the mouth at rest,
    ``[161,2]`` crop fractions; None where no grin goes.

    Args:
        face: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        moved: ``[N,161,2]`` where muscles move them, with
        units: ``[N,U]``.
    """

    def seen() -> Grin:
        smile = smiling(face.rig, face.units).item()
        return Grin.of(landmarks, smile, drawn_out(face.rig, face.units, smile).item())

    grin = kept_with(_GRINS, face, landmarks, seen)
    share = gone(grin, moved, drawn_out(face.rig, units, grin.smile)) if grin.share else None
    if share is None:
        return None
    return share, _missed_at_rest(face, landmarks, max(grin.smile, grin.drawn - grin.smile))


# Face -> its landmarks, and of it its grin, and :func:`at_rest`: a search asks for them at every step
_GRINS, _AT_REST = (WeakIdKeyDictionary() for _ in range(2))


def _missed_at_rest(face: FittedFace, landmarks: Tensor, smile: float) -> Tensor:
    def made() -> Tensor:
        relaxed = landmarks - _moved_by(face, face.units * of_mesh(face.rig))[0]
        missed = at_rest(*torch.stack([landmarks, relaxed]).double().cpu().numpy(), smile)
        with torch.inference_mode(False):  # what is kept may be asked for outside of it
            return torch.from_numpy(missed).to(landmarks)

    return kept_with(_AT_REST, face, landmarks, made)


def smiling(rig: Rig, units: Tensor) -> Tensor:
    """How much faces with units ``[N,U]`` smile, ``[N]``."""
    return units.index_select(1, _at(rig, "mouthSmile")).mean(1)


def drawn_out(rig: Rig, units: Tensor, smile: float) -> Tensor:
    """How much the lips of faces with units ``[N,U]`` are drawn out over their teeth, ``[N]``: by a smile, and where ``smile``, that of the face as it was, is
    none by what bares teeth otherwise, of which a jaw that drops is none."""
    bared = sum(share * units.index_select(1, _at(rig, name)).mean(1) for name, share in BARED.items())
    return smiling(rig, units) + bared.clamp(min=0) * (1 - smoothstep(smile, *SMILES))


def _down(axis: Tensor) -> Tensor:
    return torch.stack([-axis[..., 1], axis[..., 0]], -1)


def lips_apart(landmarks: Tensor) -> Tensor:
    """How far the lips are apart ``[...,5]``, first in the middle and then towards the corners, of landmarks ``[...,161,2]``, in
    distances of the outer corners of the eyes; below 0 where one lies over the other."""
    left, right, upper, lower = landmarks.index_select(-2, _lips(landmarks.device)).split((1, 1, 5, 5), -2)
    across = right - left
    return ((lower - upper) * _down(across)).sum(-1) / across.square().sum(-1).clamp(min=1e-9)


@functools.lru_cache(maxsize=2)
def _lips(device: torch.device) -> Tensor:
    """Which landmarks are the outer corners of the eyes, and which the points of :data:`FACING` of the upper and of the lower lip."""
    with torch.inference_mode(False):
        upper, lower = zip(*FACING, strict=True)
        return torch.tensor([AT[i] for i in (EYES[0][0], EYES[1][0], *upper, *lower)], device=device)


def lips_wanted(rig: Rig, change: Tensor, now: Tensor) -> Tensor:
    """How far lips are to be apart in the middle where the units ``change [U]`` are asked of a face whose lips are ``now`` apart.

    As far as those of people who show that. But nothing is known of the teeth behind closed lips: those part less, by
    little more than the rig's own muscles part them.
    """
    people, own = _parted_by(rig) @ change
    people = people.clamp(min=0)
    people = people + people.clamp(max=BESIDE)
    open_ = ((now - NEARLY) / NEARLY).clamp(0, 1)
    return (own + (people - own) * (UNSEEN + (1 - UNSEEN) * open_)).clamp(min=0)


def meeting(face: FittedFace, landmarks: Tensor, units: Tensor) -> Tensor:
    """Units ``[U]`` with no more of ``mouthClose`` than takes the lips together: it undoes an open jaw, and would push closed lips
    through each other."""
    close = face.rig.unit_names.index("mouthClose")
    least = face.units[0, close]
    if units[close] <= least:
        return units
    without = torch.cat([units[:close], least[None], units[close + 1 :]])
    apart = lips_apart(skin_after(face, landmarks, torch.stack([without, units])))[:, 0]
    share = ((apart[0] + MEET) / (apart[0] - apart[1]).clamp(min=1e-6)).clamp(0, 1)
    return without + (units - without) * share


def shutting(face: FittedFace, landmarks: Tensor, units: Tensor, relax: Tensor, change: Tensor) -> Tensor:
    """Units ``[U]`` with as much more of ``mouthClose`` as shuts a mouth that is asked to relax.

    What the reader sees of a grin does not explain all of its opening, so relaxed units alone leave teeth between the lips.

    Args:
        face: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        units: ``[U]`` after an edit.
        relax: ``[U]`` of the edit: a mouth shuts as far as all that parts lips relaxes, and to where what is asked beside parts them.
        change: ``[U]`` of the edit.
    """
    names = face.rig.unit_names
    share = relax.index_select(0, _at(face.rig, *PARTING)).min().clamp(0, 1)
    if share == 0:
        return units
    close = names.index("mouthClose")
    more = units.clone()
    more[close] += 1
    after = skin_after(face, landmarks, torch.stack([units, more]))
    now, apart, nearer = lips_apart(torch.cat([landmarks[None], after]))[:, 0]
    too_far = apart - lips_wanted(face.rig, change, now)
    return units + (more - units) * share * (too_far / (apart - nearer).clamp(min=1e-6)).clamp(0, 1)


def bared(face: FittedFace, start: Tensor, high: Tensor) -> Tensor:
    """Most units ``[U]``: no more of those that lift the upper lip than bares the teeth behind it, with what else of ``start [U]`` lifts it.

    A smile on lips that hardly part is read as a smaller one, so that a search for the same reading would lift the lip to the nose,
    and then draw the corners of the mouth out.
    """
    shown = face.units[0]
    up = -_moves(face.rig)[:, AT[FACING[0][0]], 1].to(start)  # the middle of the upper lip
    both, lifting, smiling = (
        units_named(face.rig, *n) for n in (("mouthUpperUp",), ("mouthUpperUp", "mouthShrugUpper"), ("mouthSmile",))
    )
    room = (LIFT - (start * up * ~lifting).sum().clamp(min=0)).clamp(min=0)
    of_both = (up * both).sum()
    high = torch.where(smiling, torch.minimum(high, torch.maximum(start, shown).clamp(min=GRIN)), high)
    return torch.where(lifting, torch.minimum(high, torch.maximum(room / of_both, shown)), high)


def braked(face: FittedFace, landmarks: Tensor, units: Tensor) -> Tensor:
    """Units ``[U]`` whose brows go no farther than the skin around them allows: low brows have less room for a frown, and less skin that
    a raise could stretch; and what is between brows is not drawn together to nothing. Nor do corners of mouths go down farther than people's.

    Args:
        face: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        units: ``[U]`` after an edit.
    """
    units = _corners_down(face, landmarks, _brows_apart(face, landmarks, units))
    at = _at(face.rig, *BROW_UNITS)
    if not (units - face.units[0]).index_select(0, at).any():
        return units
    across = landmarks[AT[EYES[1][0]]] - landmarks[AT[EYES[0][0]]]
    down = _down(across / across.norm().clamp(min=1e-6))
    room = (-_over_lids(landmarks) @ down).clamp(min=1e-3)
    moves = (_brows_over_lids(face.rig) @ face.rotation[0].mT)[..., :2] @ (down * face.scale[0])
    shares = (moves / room).unbind(1)  # of the room of the brows on the viewer's left and right, that each unit takes
    for (_, frown, rise, free), by in zip(SKIN_BELOW, shares, strict=True):
        change = units - face.units[0]
        by = change[:, None] * by  # [U,2]
        lowered, by, change = by.sum(0), by.index_select(0, at), change.index_select(0, at)
        soft = torch.where(lowered > 0, frown, rise) - free
        beyond = (lowered.abs() - free).clamp(min=0)
        along = by * lowered.sign() > 0  # those that pull the way the brow goes, also by relaxing
        share = 1 - _held_back(beyond, soft) / (by * along).sum(0).abs().clamp(min=1e-6)
        share = torch.where(along, share.clamp(0, 1), 1.0)
        weight = by.abs() + 1e-9  # a muscle of one side is that side's matter
        units = units.index_add(0, at, change * ((share * weight).sum(1) / weight.sum(1) - 1))
    return units


def _brows_apart(face: FittedFace, landmarks: Tensor, units: Tensor) -> Tensor:
    """Units ``[U]`` that draw the inner ends of brows together no farther than people can."""
    together, change = units_named(face.rig, "browTogether"), units - face.units[0]
    if not (change * together > 0).any():
        return units
    ends, corners = ([AT[i] for i in row] for row in (INNER_BROWS, INNER_CORNERS))
    across = landmarks[corners[1]] - landmarks[corners[0]]
    apart = across.norm().clamp(min=1e-6)
    across = across / apart
    moves = (_moves(face.rig)[:, ends] @ face.rotation[0].mT)[..., :2] @ (across * face.scale[0])
    nearer = moves[:, 0] - moves[:, 1]  # [U]
    by = (change * nearer).sum()
    room = ((landmarks[ends[1]] - landmarks[ends[0]]) @ across - NEAREST * apart).clamp(min=1e-6)
    beyond, soft = by - ROOMY * room, (1 - ROOMY) * room
    if beyond <= 0:
        return units
    excess = _held_back(beyond, soft) / (change * nearer * together).sum().clamp(min=1e-6)
    return units - change * together * excess.clamp(max=1)


def _corners_down(face: FittedFace, landmarks: Tensor, units: Tensor) -> Tensor:
    """Units ``[U]`` that draw the corners of a mouth down no farther than those of people go (:data:`SAGS`): narrow mouths, and those that
    are arched already, have less room."""
    frown, change = units_named(face.rig, "mouthFrown"), units - face.units[0]
    if not (change * frown > 0).any():
        return units
    moved = skin_after(face, landmarks, units[None])[0]
    corners, middle = ([AT[i] for i in row] for row in (CORNERS, FACING[0]))
    across = moved[corners[1]] - moved[corners[0]]
    width = across.norm().clamp(min=1e-6)
    down = _down(across / width)
    drop = (moved[corners].mean(0) - moved[middle].mean(0)) @ down / width
    free, most = SAGS
    if drop <= free:
        return units
    moves = _moved_by(face, (change.clamp(min=0) * frown)[None])[0]
    drawn = (moves[corners].mean(0) - moves[middle].mean(0)) @ down / width
    excess = _held_back(drop - free, drop.new_tensor(most - free)) / drawn.clamp(min=1e-6)
    return units - change.clamp(min=0) * frown * excess.clamp(max=1)


def _held_back(beyond: Tensor, soft: Tensor) -> Tensor:
    """How much of what goes ``beyond`` a bound is taken away, so that it never goes ``soft`` farther."""
    return beyond - soft * (beyond / soft).tanh()


def _over_lids(points: Tensor) -> Tensor:
    """Where the lower edges of both brows lie as seen from their lids, the viewer's left one first, by the pairs of each of :data:`SKIN_BELOW`:
    ``[...,2,2,n]`` of points ``[...,161,n]``."""
    return (_lids_to_brows(points.device) @ points).unflatten(-2, (len(SKIN_BELOW), 2))


@functools.lru_cache(maxsize=2)
def _lids_to_brows(device: torch.device) -> Tensor:
    """``[4,161]``: the means of brows, less those of lids, of landmarks, a row for each of :data:`SKIN_BELOW` and side."""
    with torch.inference_mode(False):
        rows = torch.zeros(len(SKIN_BELOW), 2, len(AT), device=device)
        for below, (left, right) in zip(SKIN_BELOW, rows, strict=True):
            for brow, lid in ((AT[i], AT[j]) for i, j in below.pairs):
                for row, plus, minus in ((left, brow, lid), (right, MIRROR[brow], MIRROR[lid])):
                    row[plus] += 1 / len(below.pairs)
                    row[minus] -= 1 / len(below.pairs)
        return rows.flatten(0, 1)


@functools.lru_cache(maxsize=2)
def _brows_over_lids(rig: Rig) -> Tensor:
    """``[U,2,2,3]`` centimetres by which each unit at 1 moves both brows against the lids as they are, see :func:`_over_lids`."""
    with torch.inference_mode(False):
        return _over_lids(_moves(rig)) * of_mesh(rig)[:, None, None, None]


@functools.lru_cache(maxsize=2)
def _parted_by(rig: Rig) -> Tensor:
    """What each unit at 1 adds to the opening in the middle, of people (:data:`PARTING`) and on the rig's own face: ``[2,U]``."""
    with torch.inference_mode(False):
        rest = rig.landmarks(rig.neutral)[:, :2]
        own = (lips_apart(rest + _moves(rig)[..., :2]) - lips_apart(rest))[:, 0]
        people = sum(share * units_named(rig, n) / units_named(rig, n).sum() for n, share in PARTING.items())
        return torch.stack([people, own])


def reached(
    face: FittedFace,
    landmarks: Tensor,
    change: Tensor,
    parted: Tensor,
    start: Tensor,
    low: Tensor,
    high: Tensor,
    since: Tensor | None = None,
) -> Tensor:
    """Units with which a face is read as asked.

    Args:
        face: batch 1, with the units that it shows.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        change: ``[52]`` of what MediaPipe reads, in the order of :data:`flow_core.faces.read.UNITS`.
        parted: how far the lips are to be apart, in the middle, as of :func:`lips_apart`: a reader hardly tells lips that meet from lips that
            nearly do, and people tell at once.
        start: ``[U]`` units near which the answer lies.
        low: ``[U]`` least units and
        high: ``[U]`` most.
        since: ``[161,2]`` where the landmarks are from which ``change`` counts; None: ``landmarks``.

    Returns:
        ``[U]``.
    """
    weight, seen, away = (t.to(landmarks) for t in _weights(face.rig))
    goal = read_units((landmarks if since is None else since)[None])[0] + change / seen
    shut = 1 - (parted / NEARLY).clamp(0, 1)
    over = MEET + OVER * lips_apart(landmarks)[0].clamp(0, 0.3)
    parted = parted - shut * over

    def missed(units: Tensor) -> Tensor:
        after = landmarks_after(face, landmarks, units)
        apart = lips_apart(after)
        # Lips that are to meet meet all along.
        apart = torch.cat([(parted - apart[:, :1]) / APART, shut * (-over - apart) / APART], 1)
        return torch.cat([(goal - read_units(after)) * weight, apart], 1)

    return nearest(missed, start, away, low, high)


@torch.no_grad()
def nearest(
    missed: Callable[[Tensor], Tensor], start: Tensor, away: Tensor, low: Tensor, high: Tensor, steps: int = STEPS
) -> Tensor:
    """Units ``[U]`` within bounds that miss a goal least in the squares, and stay near where the search starts.

    Args:
        missed: ``[N,U]`` units -> ``[N,K]`` by how much each misses the goal, in standard deviations.
        start: ``[U]``.
        away: ``[U]`` standard deviations from ``start``.
        low: ``[U]`` and
        high: ``[U]`` bounds.
        steps: Gauss-Newton steps.
    """
    found = torch.minimum(torch.maximum(start, low), high)
    differ = _DIFFERENCE * torch.eye(len(start)).to(start)
    for _ in range(steps):
        misses = missed(torch.cat([found[None], found + differ]))
        jacobian = (misses[:1] - misses[1:]) / _DIFFERENCE  # [U,K]
        normal = jacobian @ jacobian.T + torch.diag(away**-2)
        right = jacobian @ misses[0] + (start - found) / away**2
        step = torch.linalg.solve(normal, right)
        # What would leave its bounds goes as far as they, and the others make up for it.
        goal = found + step
        within = torch.minimum(torch.maximum(goal, low), high) - found
        free = ((goal >= low) & (goal <= high)).to(step)  # differences of floats would say so by chance
        matrix = normal * free[:, None] * free + torch.diag(1 - free)
        step = torch.linalg.solve(matrix, (right - normal @ (within * (1 - free))) * free) + within * (1 - free)
        found = torch.minimum(torch.maximum(found + step, low), high)
    return found


@functools.lru_cache(maxsize=2)
def _moves(rig: Rig) -> Tensor:
    """``[U,161,3]`` centimetres by which each unit at 1 moves the landmarks."""
    with torch.inference_mode(False):
        return rig.landmarks(rig.units * rig.gain[:, None, None])


def _moved_by(face: FittedFace, units: Tensor) -> Tensor:
    """By how much units ``[N,U]`` of a face, batch 1, move its landmarks as they are seen: ``[N,161,2]`` crop fractions."""
    moves = (units @ _moves(face.rig).flatten(1)).unflatten(1, (-1, 3))
    return (moves @ face.rotation[0].mT)[..., :2] * face.scale[0]


@functools.lru_cache(maxsize=32)
def units_named(rig: Rig, *begins: str) -> Tensor:
    """``[U]``: whether the names of units begin so."""
    with torch.inference_mode(False):
        return torch.tensor([n.startswith(begins) for n in rig.unit_names], device=rig.device)


@functools.lru_cache(maxsize=32)
def _at(rig: Rig, *begins: str) -> Tensor:
    """``[n]``: which units have names that begin so."""
    with torch.inference_mode(False):
        return units_named(rig, *begins).nonzero()[:, 0]


@functools.lru_cache(maxsize=2)
def of_mesh(rig: Rig) -> Tensor:
    """``[U]``: whether units move the mesh, and not the lids' curves."""
    with torch.inference_mode(False):
        return ~units_named(rig, *LID_UNITS)


@functools.lru_cache(maxsize=2)
def _weights(rig: Rig) -> tuple[Tensor, Tensor, Tensor]:
    """Weight ``[52]`` of what is read, how much of what is asked is seen ``[52]``, and how far units may go ``[U]``."""

    with torch.inference_mode(False):
        seen = torch.tensor([_of(SEEN, n, 1.0) for n in UNITS])
        weight = torch.tensor([_of(AGREE, n, 0.3) for n in UNITS]) * seen / NOISE
        return weight, seen, torch.tensor([_of(STEADY, n, AWAY) for n in rig.unit_names])


@functools.lru_cache(maxsize=1)
def reaches() -> Tensor:
    """:data:`REACHES` in the order of ``UNITS``."""
    with torch.inference_mode(False):
        return torch.tensor([_of(REACHES, n, 1.0) for n in UNITS])


def _of(table: dict[str, float], name: str, otherwise: float) -> float:
    """The value of the first entry with which a unit's name begins."""
    return next((v for n, v in table.items() if name.startswith(n)), otherwise)


__all__ = [
    "bared",
    "braked",
    "camera_aside",
    "eyelids_and_gaze",
    "gaze_seen",
    "irises_seen",
    "landmarks_after",
    "lips_apart",
    "lips_settled",
    "lips_wanted",
    "looking_together",
    "meeting",
    "nearest",
    "of_mesh",
    "own_eyes",
    "reached",
    "reaches",
    "shutting",
    "skin_after",
    "smiling",
    "unsquinted",
]
