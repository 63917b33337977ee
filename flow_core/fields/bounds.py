"""How far units may go on a face: brows over their lids, eyes that stay their owner's, lips over teeth, and corners of mouths."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from ..faces.fit import FittedFace
from ..faces.landmarks import AT, EYES, MIRROR
from ..faces.rig import Rig
from ..geometry.directions import down_of
from .following import landmarks_after, skin_after
from .gaze import ASKED, eye_to_show, eyes_heights
from .named_units import landmark_moves, moved_by, of_mesh, units_at, units_named
from .parting import FACING

NARROW = ("eyeBlink", "eyeSquint", "eyeLookDown")  # units that take the lids together
SHUTS = 0.5, 0.75  # of a blink that is copied: from where on lids begin to shut whatever is read of them, and do
# Height of an eye in its widths up to which a squint that relaxes opens it, and by which share at most: with the broadest smiles eyes of 12,000
# photographs are a sixth narrower than with none, and at rest about so high.
RELAXED, REOPENED = 0.34, 0.3
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
        share = eye_to_show(*(shown[names.index(n + side)].item() for n in ("eyeBlink", "eyeLookDown")))
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
    before, squinting, wide = eyes_heights(torch.cat([landmarks[None], landmarks_after(face, landmarks, rows)]))
    most = torch.maximum(before, (before * (1 + REOPENED)).clamp(max=RELAXED))
    share = ((most - squinting) / (wide - squinting).clamp(min=1e-6)).clamp(0, 1)
    left = torch.tensor([n.endswith("Left") for n in face.rig.unit_names], device=low.device)
    bound = shown + torch.where(left, share[1], share[0]) * (low - shown)
    bound = torch.lerp(bound, torch.minimum(bound, change), (-change / ASKED).clamp(0, 1))
    return torch.where(squints, bound.maximum(low), low)


def bared(face: FittedFace, start: Tensor, high: Tensor) -> Tensor:
    """Most units ``[U]``: no more of those that lift the upper lip than bares the teeth behind it, with what else of ``start [U]`` lifts it.

    A smile on lips that hardly part is read as a smaller one, so that a search for the same reading would lift the lip to the nose,
    and then draw the corners of the mouth out.
    """
    shown = face.units[0]
    up = -landmark_moves(face.rig)[:, AT[FACING[0][0]], 1].to(start)  # the middle of the upper lip
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
    at = units_at(face.rig, *BROW_UNITS)
    if not (units - face.units[0]).index_select(0, at).any():
        return units
    across = landmarks[AT[EYES[1][0]]] - landmarks[AT[EYES[0][0]]]
    down = down_of(across / across.norm().clamp(min=1e-6))
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
    moves = (landmark_moves(face.rig)[:, ends] @ face.rotation[0].mT)[..., :2] @ (across * face.scale[0])
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
    down = down_of(across / width)
    drop = (moved[corners].mean(0) - moved[middle].mean(0)) @ down / width
    free, most = SAGS
    if drop <= free:
        return units
    moves = moved_by(face, (change.clamp(min=0) * frown)[None])[0]
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
        return _over_lids(landmark_moves(rig)) * of_mesh(rig)[:, None, None, None]


__all__ = ["SkinBelow", "bared", "braked", "own_eyes", "unsquinted"]
