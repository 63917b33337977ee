"""Where the landmarks of a face go with its muscles: those of the skin with the mesh, those of the eyes with their lids and irises."""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..faces.fit import FittedFace
from ..faces.landmarks import AT, EYES, IRISES
from ..faces.rig import Rig
from ..geometry.directions import down_of
from ..once import kept_with
from .closing import Grin, at_rest, gone
from .curves import UPPER_SHUTS, opens
from .eyes import IRIS, MARGIN, UPPER_OPENS
from .gaze import eyelids_and_gaze
from .named_units import mean_of, moved_by, of_mesh, share_of
from .smooth import smoothstep

# Shares of what draws lips out besides a smile, and the smile up to which that counts, and from which on the smile says all
BARED = {"mouthUpperUp": 0.5, "mouthLowerDown": 0.5, "mouthStretch": 0.5, "jawOpen": -0.5}
SMILES = 0.35, 0.6


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
    before = shown.tolist()
    rows = [eyelids_and_gaze(before, row, rig.unit_names) for row in of_lids.tolist()]
    lids, gaze = (moved.new_tensor(v)[which] for v in zip(*rows, strict=True))
    for side in (0, 1):
        ring = [AT[i] for i in EYES[side]]
        corners = (ring[0], ring[8]) if side == 0 else (ring[8], ring[0])  # on the viewer's left and right
        axis = moved[:, corners[1]] - moved[:, corners[0]]
        down = down_of(axis / axis.norm(dim=-1, keepdim=True).clamp(min=1e-6))[:, None]
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
        shift = aside * across + gaze[:, side, 1:] * down_of(across)
        moved[:, [AT[i] for i in IRISES[side]]] += shift[:, None]
    return moved


def skin_after(face: FittedFace, landmarks: Tensor, units: Tensor) -> Tensor:
    """:func:`landmarks_after` without what lids and irises do of themselves: that moves neither a lip nor a brow nor a corner of an eye."""
    moved = landmarks + moved_by(face, (units - face.units[0]) * of_mesh(face.rig))
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
        relaxed = landmarks - moved_by(face, face.units * of_mesh(face.rig))[0]
        missed = at_rest(*torch.stack([landmarks, relaxed]).double().cpu().numpy(), smile)
        with torch.inference_mode(False):  # what is kept may be asked for outside of it
            return torch.from_numpy(missed).to(landmarks)

    return kept_with(_AT_REST, face, landmarks, made)


def smiling(rig: Rig, units: Tensor) -> Tensor:
    """How much faces with units ``[N,U]`` smile, ``[N]``."""
    return mean_of(rig, units, "mouthSmile")


def drawn_out(rig: Rig, units: Tensor, smile: float) -> Tensor:
    """How much the lips of faces with units ``[N,U]`` are drawn out over their teeth, ``[N]``: by a smile, and where ``smile``, that of the face as it was, is
    none by what bares teeth otherwise, of which a jaw that drops is none."""
    smiles, *means = (units @ _drawing(rig)).unbind(-1)
    bared = sum(share * mean for share, mean in zip(BARED.values(), means, strict=True))
    return smiles + bared.clamp(min=0) * (1 - smoothstep(smile, *SMILES))


@functools.lru_cache(maxsize=2)
def _drawing(rig: Rig) -> Tensor:
    """``[U,1+n]``: the shares of each unit in the mean of those that smile, and in those of :data:`BARED`."""
    with torch.inference_mode(False):
        return torch.stack([share_of(rig, name) for name in ("mouthSmile", *BARED)], 1)


__all__ = ["drawn_out", "landmarks_after", "lips_settled", "skin_after", "smiling"]
