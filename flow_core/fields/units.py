"""What a face shows, and what it shows after an edit: units are read, relaxed, added to, and reached."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from ..faces.fit import FittedFace, fit_faces
from ..faces.read import UNITS, read_units
from ..faces.rig import load_rig
from ..faces.shown import mended
from ..threads import suited
from .bounds import NARROW, bared, braked, own_eyes, unsquinted
from .following import landmarks_after
from .gasp import gasping
from .gaze import camera_aside, gaze_seen, irises_seen, looking_together
from .look import Look
from .named_units import units_named
from .parting import lips_apart, lips_wanted, meeting, shutting
from .reach import reached, reaches

MOST = 1.35  # of a unit after the edit; a face can overdo a little
# How far units go to show in the picture what they should show by landmarks: a reader of pictures errs, too
TRUST = 0.5
FROWN_DOWN = 0.8  # of a full contraction, by which brows come down that are drawn together wholly
LOOKS = 1  # at the picture, after each of which what it does not show as asked is mended
# Rig units for one unit as the reader reads it (MediaPipe's), so that an expression lands on another face as it was read
READ_SCALE = {
    "browDown": 1.6, "browInnerUp": 1.7, "browOuterUp": 1.7, "eyeBlink": 2.0, "eyeSquint": 2.0, "eyeLookIn": 1.8, "eyeLookOut": 1.8,
    "eyeLookUp": 1.8, "eyeLookDown": 1.8, "jawOpen": 1.4, "mouthPucker": 1.6, "mouthLowerDown": 1.4, "mouthUpperUp": 1.4,
    "mouthPress": 1.5, "mouthRollLower": 1.5, "mouthRollUpper": 1.5, "mouthStretch": 1.4, "mouthFrown": 1.5,
}  # fmt: skip
ANTAGONISTS = {  # unit -> which muscles pull the other way, and how much of them for 1 of it
    "mouthSmile": {"mouthFrown": 0.8}, "mouthFrown": {"mouthSmile": 0.6}, "mouthPucker": {"mouthStretch": 0.6},
    "mouthStretch": {"mouthPucker": 0.6}, "mouthFunnel": {"mouthPress": 0.5}, "mouthPress": {"mouthFunnel": 0.3},
    "browDown": {"browOuterUp": 0.6, "browInnerUp": 0.4}, "browInnerUp": {"browDown": 0.5}, "browOuterUp": {"browDown": 0.5},
    "eyeWide": {"eyeSquint": 0.7}, "eyeSquint": {"eyeWide": 0.4}, "eyeBlink": {"eyeWide": 0.4},
    "eyeLookUp": {"eyeLookDown": 1.0}, "eyeLookDown": {"eyeLookUp": 1.0}, "eyeLookIn": {"eyeLookOut": 1.0},
    "eyeLookOut": {"eyeLookIn": 1.0}, "jawLeft": {"jawRight": 1.0}, "jawRight": {"jawLeft": 1.0}, "mouthLeft": {"mouthRight": 1.0},
    "mouthRight": {"mouthLeft": 1.0},
}  # fmt: skip


@functools.lru_cache(maxsize=1)
def _opposite() -> Tensor:
    """:data:`ANTAGONISTS` as a matrix ``[U,U]``: row of a unit, columns of those that pull the other way."""
    names = load_rig().unit_names
    with torch.inference_mode(False):
        matrix = torch.zeros(len(names), len(names))
        for one, others in ANTAGONISTS.items():
            for side in ("", "Left", "Right"):
                if one + side not in names:
                    continue
                for other, share in others.items():
                    for name in (other + side,) if other + side in names else (other, other + "Left", other + "Right"):
                        if name in names:
                            matrix[names.index(one + side), names.index(name)] = share
        return matrix


def frowning(units: Tensor, together: Tensor) -> Tensor:
    """What faces show, ``units [B,U]`` as of :func:`read_shown`, with brows that are drawn ``together [B]`` 0..1, of which that reader
    knows nothing. They come down, too, but where their inner ends are up, as those of the sad are."""
    names, units = load_rig().unit_names, units.clone()
    comes_down = together * (1 - units[:, names.index("browInnerUp")].clamp(0, 1))
    for side in ("Left", "Right"):
        units[:, names.index(f"browTogether{side}")] = together
        down = units[:, names.index(f"browDown{side}")]
        down += (FROWN_DOWN - down).clamp(min=0) * comes_down
    return units


def fit_shown(landmarks: Tensor, warm: FittedFace | None = None, together: Tensor | None = None) -> FittedFace:
    """The rig fitted to faces, with the units that they show as the reader of units sees them, less what faces at rest show,
    times :data:`READ_SCALE`. Below 0 a face shows less than that, such as lids wide open.

    Args:
        landmarks: ``[B,161,2]`` crop points.
        warm: the fit of the same faces a frame earlier.
        together: ``[B]`` how far their brows are drawn together, as of :func:`flow_core.faces.frowning.drawn_together`; None: not at all, for
            landmarks do not tell.
    """
    with suited(len(landmarks) == 1):
        shown = read_shown(landmarks)
        shown = shown if together is None else frowning(shown, together.to(shown))
        return fit_faces(landmarks, warm, shown.clamp(max=1))


def read_shown(landmarks: Tensor, read: Tensor | None = None) -> Tensor:
    """Units ``[B,U]`` of the rig that the reader sees in ``landmarks [B,161,2]``, or that were ``read [B,52]`` otherwise, beyond those of
    faces at rest; above 1 where more is read than one contraction of the rig makes."""
    rig = load_rig()
    read = read_units(landmarks) if read is None else read
    units = read.new_zeros(len(read), len(rig.unit_names))
    units[:, _read_at()] = _read_scale().to(read) * (read - _resting().to(read))
    return units


@functools.lru_cache(maxsize=1)
def _read_at() -> list[int]:
    """Where each of ``UNITS`` stands among the units of the rig."""
    return [load_rig().unit_names.index(n) for n in UNITS]


@functools.lru_cache(maxsize=1)
def _read_scale() -> Tensor:
    """:data:`READ_SCALE` in the order of ``UNITS``."""
    with torch.inference_mode(False):
        return torch.tensor([READ_SCALE.get(n.removesuffix("Left").removesuffix("Right"), 1.0) for n in UNITS])


@functools.lru_cache(maxsize=1)
def _floor() -> Tensor:
    """``[U]`` how far each unit goes below that of a face at rest: to where the muscle is slack, and the reader reads 0."""
    rig = load_rig()
    with torch.inference_mode(False):
        floor = torch.zeros(len(rig.unit_names))
        floor[[rig.unit_names.index(n) for n in UNITS]] = -_read_scale() * _resting()
        return floor


@functools.lru_cache(maxsize=1)
def _resting() -> Tensor:
    """What the reader sees in faces at rest, ``[52]``: eyes are read as squinting a little, lids as a little shut."""
    rig = load_rig()
    with torch.inference_mode(False):
        neutral = rig.means[rig.emotions.index("neutral")]
        return neutral[[rig.unit_names.index(n) for n in UNITS]].clamp(0, 0.6)


def target_units(shown: Tensor, relax: Tensor, change: Tensor) -> Tensor:
    """Units ``[U]`` after an edit, within what a face can do; what it shows already is never a reason to change it."""
    # Single muscles that relax lose tension; only with the whole face do they also come back up to what is usual at rest.
    whole = relax.min().clamp(0, 1)
    kept = torch.where(
        shown < 0, shown * (1 - whole * _comes_back(bool(change.any())).to(shown)), shown * (1 - relax).clamp(0, 2)
    )
    # A full contraction is one, however slack the muscle was.
    wanted = kept + change + (-kept).clamp(min=0) * change.clamp(0, 1)
    floor = torch.minimum(_floor().to(wanted), shown)
    wanted = torch.maximum(wanted, floor) + (floor - wanted).clamp(min=0) @ _opposite().to(wanted)
    return torch.minimum(wanted, shown.clamp(min=MOST))


@functools.lru_cache(maxsize=2)
def _comes_back(copied: bool) -> Tensor:
    """``[U]``: 1 for units that come up to what is usual at rest where the whole face relaxes; 0 for those that narrow the eyes.

    Eyes of children and of many others are wider at rest than the mean is, and nobody asks for sleepy ones. Nor for a sterner face, where an
    expression is only taken away; an expression that is ``copied`` may be a sterner one.
    """
    stays = NARROW if copied else (*NARROW, "browDown")
    with torch.inference_mode(False):
        return torch.tensor([float(not n.startswith(stays)) for n in load_rig().unit_names])


def units_after(face: FittedFace, landmarks: Tensor, relax: Tensor, change: Tensor, look: Look | None = None) -> Tensor:
    """Units ``[U]`` of a face after an edit.

    Where the whole face relaxes, an expression is asked for as it was read, that of somebody else or none: then the units are
    found with which this face is read so. Other edits move muscles by what they say.

    Args:
        face: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        relax: ``[U]`` and
        change: ``[U]`` of the field.
        look: at the face's picture, in which what is asked is to be read; None: in its landmarks alone.
    """
    shown = face.units[0]
    whole = relax.min().clamp(0, 1)
    if whole == 0:
        change = gasping(face, change)
    start = braked(face, landmarks, target_units(shown, relax, change))
    if whole == 0:
        return meeting(face, landmarks, shutting(face, landmarks, start, relax, change))
    at = _read_at()
    read = read_units(landmarks[None])[0] if look is None else look.before
    rest = _resting().to(landmarks) - read
    rest = torch.minimum(rest, rest * _comes_back(bool(change.any())).to(rest)[at])
    asked = (whole * rest + change[at] / _read_scale().to(landmarks)) / reaches().to(landmarks)
    now = lips_apart(landmarks)[0]
    parted = lips_wanted(face.rig, change, now) + (1 - whole) * now
    low, high = torch.minimum(_floor().to(shown), shown).minimum(start), shown.clamp(min=MOST)
    low, high, shares = own_eyes(face.rig, shown, start, low, high)
    low = unsquinted(face, landmarks, start, change, low)
    said = start
    asked, start = asked * torch.where(asked > 0, *shares[:, at]), start.clamp(low, high)
    high = torch.maximum(bared(face, start, high), low)

    names, camera, seen = face.rig.unit_names, camera_aside(face)[0], irises_seen(landmarks)
    aside = (camera, 0.0) if look is None else gaze_seen(face, landmarks, look.view)

    def found(missing: Tensor, since: Tensor, start: Tensor, low: Tensor, high: Tensor) -> Tensor:
        units = reached(face, landmarks, missing, parted, start, low, high, since)
        units = looking_together(shown, units, change, names, camera, seen, aside, whole)
        return braked(face, landmarks, units)

    first = after = found(asked, landmarks, start, low, high)
    low, high = torch.maximum(low, first - TRUST), torch.minimum(high, first + TRUST)
    for _ in range(LOOKS if look is not None else 0):
        missing = mended(read + asked - look.after(after))
        after = found(missing, landmarks_after(face, landmarks, after[None])[0], first, low, high)
    # Readers hardly see brows that are drawn together: who surely frowns does so by what was said.
    frowned, frowns = (units[names.index("browTogetherLeft")].clamp(0, 1) for units in (shown, change))
    frowns = torch.maximum(frowns, whole * frowned)
    return torch.where(units_named(face.rig, "brow"), after + (said - after) * frowns, after)


def other_side(name: str, names: Sequence[str]) -> int:
    """Index of the unit or control of the other side of the face; its own where it has none."""
    swapped = re.sub(r"(Left|Right)$", lambda m: "Right" if m[0] == "Left" else "Left", name)
    # jawLeft and mouthLeft go to a side instead of being on one, and that is exchanged by a mirror too
    return names.index(swapped) if swapped in names else names.index(name)
