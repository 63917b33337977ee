"""A face after its muscles and its shape have changed: the mesh of the rig moves, and layers are made of it."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..faces.fit import going_along
from ..faces.landmarks import AT, LIPS_INNER
from ..faces.rig import Rig, load_rig
from ..geometry.mesh import rasterise
from ..threads import alone
from .anatomy import MovedFace
from .face import Face, front
from .following import lips_settled, smiling
from .frown import frown_light
from .gaze import eyelids_and_gaze
from .lit import lit, years_of
from .named_units import mean_of, of_mesh
from .opening import rounded
from .pits import pits
from .skin import RASTER
from .smiling import spread
from .smooth import smoothstep
from .teeth import BARED, Skull
from .units import units_after
from .wrinkles import depths, wrinkle_light

if TYPE_CHECKING:
    from .muscles import MusclesField


CONTROL_RANGE = 2.0
# A face square of up to so many pixels, as in video, needs no finer raster of its skin. Half of the usual one, so that what lies beyond the
# face is continued alike.
SMALL, COARSE = 450, RASTER // 2
FULLER = 0.4  # of the control "lipsLowerFuller", that a broad smile takes from the lower lip, and gives back
# Centimetres from the middle of a mouth, and below the nose, between which skin is drawn from lips that were a grin's to nose or chin as evenly as skin is
BETWEEN, BELOW_NOSE = (3.6, 6.0), (-1.0, 1.0)
# Of both lips, by which they are drawn from teeth that are gritted, and the smile up to which that is no smile, and from which on it is
GRITS, SMILES = (0.25, 0.5), (0.4, 0.7)
PURSED = 0.6  # how far lips that are drawn together cover the lower teeth that would be seen otherwise


@alone()  # hundreds of small operations
def moved_face(face: Face, field: MusclesField, size: int = RASTER, after: Tensor | None = None) -> MovedFace | None:
    """A face with its muscles and its shape changed; None where nothing changes.

    Args:
        face: the face.
        field: batch 1.
        size: of the raster of the skin's offsets, pixels a side.
        after: ``[U]`` units; None: those of :func:`units_after`.
    """
    if not field.coefficients().any():
        return None
    fitted, landmarks = face.front, face.landmarks
    part, shown = fitted.rig, fitted.units[0]
    units, relax, controls = (v[0].to(part.device) for v in (field.units, field.relax, field.controls))
    controls = controls.clamp(-CONTROL_RANGE, CONTROL_RANGE)
    after = units_after(fitted, landmarks, relax, units) if after is None else after
    smiles = smiling(part, torch.stack([shown, after]))
    controls = controls + _fuller(part) * (smiles[0] - smiles[1]).clamp(0, 1)
    shaping = bool(controls.any())
    points, depth = face.mesh
    contracted = after - shown
    change = fitted.turned(part.moved(contracted * of_mesh(part), controls)[None])[0]
    moved = landmarks + part.landmarks(change[:, :2])
    rounds = rounded(landmarks, moved, points + change[:, :2], smiles[1].item())
    if rounds is not None:
        change[:, :2] += rounds
        moved = landmarks + part.landmarks(change[:, :2])
    spreads = spread(landmarks, moved, points + change[:, :2], (smiles[1] - smiles[0].clamp(min=0)).item())
    if spreads is not None:
        change[:, :2] += spreads
        moved = landmarks + part.landmarks(change[:, :2])
    grinned = lips_settled(fitted, landmarks, moved[None], after[None])
    if grinned is not None:
        share, missed = grinned
        along, between = _lips_take_along(face.fitted.rig)
        missed = share * missed
        beside, between = (torch.stack([missed, moved + missed - landmarks]).mT @ along).mT, share * between
        change[:, :2] = torch.lerp(change[:, :2] + beside[0], beside[1], between)
        moved = landmarks + part.landmarks(change[:, :2])
    seen = rasterise(points + change[:, :2], depth + change[:, 2], part.triangles, size)
    teeth = 0.0, 0.0
    if shaping:  # teeth go where the shape takes the mouth
        corners = torch.cat([part.rings["lips_inner_upper"][[0, -1]], part.rings["lips_outer_upper"][[0, -1]]])
        shaped = fitted.turned(part.moved(torch.zeros_like(shown), controls)[None])[0]
        teeth = tuple(shaped[corners, :2].mean(0).tolist())
    lids, gaze = eyelids_and_gaze(shown.tolist(), after.tolist(), part.unit_names)
    if face.glasses is not None and face.glasses.dark:
        lids, gaze = [1.0, 1.0], [(0.0, 0.0), (0.0, 0.0)]
    skull, shift, folds, lines, corners = None, -change[:, :2], [], [], []
    if face.colors is not None:
        years = years_of(part, controls)
        shift = torch.cat([shift, lit(face, after, years)], 1)
        drawn = torch.stack([contracted[part.unit_names.index("browTogether" + side)] for side in ("Left", "Right")])
        # Brows stay under glasses, and lines beside brows that have not moved would be scratches.
        pixel = face.pixel / fitted.scale[0].item()
        finest = math.inf if face.glasses is not None else pixel
        frown = frown_light(drawn, part.neutral, part.triangles, seen, finest, face.smooth if drawn.max() > 0 else 0.0)
        folds, lines = ([], []) if frown is None else ([frown.furrows], [frown.lines])
        # Frames of clips are asked on a raster on which thin lines would flicker; and muscles draw hardly more than these.
        finest = math.inf if face.view is None else pixel
        deep = depths(face, years, contracted) if years > 0 or finest < math.inf else None
        if deep is not None:
            wrinkles = wrinkle_light(deep, part.neutral, part.triangles, seen, pixel, finest)
            folds.append(wrinkles.folds)
            lines.append(wrinkles.lines)
        skull = _skull(face, after)
        if face.view is not None:
            frowns = mean_of(part, contracted, "mouthFrown").item()
            corners = pits(face, moved, tuple(smiles.tolist()), frowns)
    return MovedFace(face, moved, shift, part.triangles, seen, lids, gaze, teeth, skull,
                     sum(folds) if folds else None, [patch for patch in lines if patch is not None], corners)  # fmt: skip


@functools.lru_cache(maxsize=2)
def _lips_take_along(rig: Rig) -> tuple[Tensor, Tensor]:
    """How the vertices of the front go along with landmarks ``[161,n]``, see :func:`flow_core.faces.fit.going_along`, and which of them lie
    between lips and nose or chin ``[n,1]``, 0..1."""
    with torch.inference_mode(False):
        part, vertices = front(rig)
        x, y, _ = part.neutral.T
        nose = rig.landmarks(rig.neutral)[AT[2], 1]
        between = (1 - smoothstep(x.abs(), *BETWEEN)) * smoothstep(y - nose, *BELOW_NOSE)
        return going_along(rig)[:, vertices].contiguous(), between[:, None]


@functools.lru_cache(maxsize=2)
def _fuller(rig: Rig) -> Tensor:
    """``[C]``: how the shape of lips changes where a smile goes: it drew the lower one out by a sixth of its height."""
    with torch.inference_mode(False):
        return rig.split({"lipsLowerFuller": FULLER})[1].to(rig.device)


def _skull(face: Face, after: Tensor) -> Skull:
    """What of a face with colours stays where it is where it has units ``after [U]``."""
    shown, names = face.fitted.units[0], face.fitted.rig.unit_names
    at = [AT[LIPS_INNER[15]], AT[LIPS_INNER[5]]]  # the middles of the upper and of the lower lip
    lips, jaw, tilts = (v.to(shown) for v in _lips_and_jaw(load_rig()))
    # Where lips are at rest, how the jaw has moved, how it moves, and a centimetre along each axis.
    moves = (*(shown @ lips), after @ jaw, (after - shown) @ jaw, *torch.eye(3).to(shown))
    turned = face.fitted.turned(torch.stack(moves)[None])[0, :, :2].double().cpu().numpy()
    lip, low = face.landmarks[at].double().cpu().numpy() - turned[:2]
    pursed = sum(after[names.index(n)].clamp(0, 1).item() for n in ("mouthPucker", "mouthFunnel"))
    raised, lowered, smile = (
        mean_of(face.fitted.rig, after, n).item() for n in ("mouthUpperUp", "mouthLowerDown", "mouthSmile")
    )
    return Skull(
        lip, turned[4:], face.colors, low + turned[2], float(after @ tilts), tuple(turned[3].tolist()),
        BARED * (1 - PURSED * min(pursed, 1.0)), face.child, face.fitted.shape[0],
        smoothstep(min(raised, lowered), *GRITS) * (1 - smoothstep(smile, *SMILES)),
    )  # fmt: skip


@functools.lru_cache(maxsize=1)
def _lips_and_jaw(rig: Rig) -> tuple[Tensor, Tensor, Tensor]:
    """How each unit moves the middles of the upper and of the lower lip ``[2,U,3]`` and the lower front teeth ``[U,3]``, centimetres, and
    by how much less it lowers teeth a centimetre behind those ``[U]``."""
    with torch.inference_mode(False):
        gain = rig.gain[:, None] * of_mesh(rig)[:, None]
        at = [AT[LIPS_INNER[15]], AT[LIPS_INNER[5]]]
        lips = (rig.units[:, rig.landmark_index[at]] * rig.landmark_weight[at][..., None]).sum(2) * gain[:, None]
        edge = rig.vertices_of("teeth_lower")
        edge = edge[rig.neutral[edge, 1] < rig.neutral[edge, 1].min() + 0.7]
        depth = rig.neutral[edge, 2]
        front, back = edge[depth > depth.max() - 0.2], edge[depth < depth.min() + 0.5]
        first, last = (rig.units[:, v].mean(1) * gain for v in (front, back))
        behind = rig.neutral[front, 2].mean() - rig.neutral[back, 2].mean()
        return lips.movedim(1, 0).contiguous(), first, (first - last)[:, 1] / behind
