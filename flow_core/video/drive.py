"""What a face does in a clip, put on another face: the expressions of all frames, relative to one of them.

A driving clip is followed as in :mod:`flow_core.video.editor`, its muscles are found by :func:`flow_core.fields.reach.followed`, and smoothed. Only muscles are carried over: eyes
and gaze, brows, cheeks, mouth and jaw. The head keeps its pose, so that hair and background stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..faces.align import FaceNotFound
from ..faces.detect import Detector
from ..faces.fit import landmark_weights
from ..faces.landmarks import AT, EYES
from ..faces.rig import load_rig
from ..fields.base import FEATHER, FieldError
from ..fields.muscles import MusclesField
from ..fields.raster import Field
from ..fields.reach import followed
from ..fields.units import MOST, fit_shown, read_shown
from ..geometry.crop import Crop
from ..warping.frames import warp_frame
from .clips import Frame
from .editor import BETA, Edited, Editor
from .settings import VideoSettings
from .smoothing import OneEuro, cutoff

REFERENCES = ("neutral", "first")
# By how much a change is multiplied, since the landmark network sees less than there is: between one over what it sees of the rig's own
# clips (irises 0.4 aside and 0.15 up and down, brows 0.7, mouth 0.75 to 0.9) and of real faces (0.74, 0.57, 0.85, 0.8 to 1.0).
GAINS = {
    "eyeLookUp": 2.6,
    "eyeLookDown": 2.6,
    "eyeLook": 1.8,
    "brow": 1.35,
    "jawOpen": 1.4,
    "mouthSmile": 1.25,
    "mouthFrown": 1.25,
}
OPEN = 0.75  # quantile of the openings of an eye over a clip at which it is open
SHUT = 0.45  # what share of that opening landmarks leave of a shut eye
WIDE = 1.05, 1.25  # openings at which an open eye begins to be wide, and is


@dataclass(frozen=True)
class Reading:
    """What a face shows over time.

    Attributes:
        units: ``[T,U]`` in each frame, 0..1, in the order of the rig's; where the face is lost, what it showed last.
        times: seconds of each frame.
        stamps: the frames' own time stamps, in units of their clip.
        found: whether each frame shows the face.
    """

    units: Tensor
    times: tuple[float, ...]
    stamps: tuple[int, ...]
    found: tuple[bool, ...]


def read_frames(
    frames: Iterable[Frame], detector: Detector, settings: VideoSettings | None = None, crop: Crop | None = None
) -> Reading:
    """Follow the largest face of a clip, and read what it shows in each frame.

    Args:
        frames: of one size, such as a :class:`flow_core.video.clips.Clip`.
        detector: from :func:`flow_core.faces.detect.load_detector`.
        settings: of the following; its ``smooth`` steadies what is read too.
        crop: where the face is in the first frame; None: the largest.

    Raises:
        FaceNotFound: no frame shows a face.
    """
    settings = replace(settings or VideoSettings(), strength=0.0, faces="one")
    editor = Editor(Field.zeros(2), detector, settings, crop)
    seen: list[Tensor | None] = []
    times, stamps = [], []
    for frame in frames:
        face = next((f for f in editor.edit(frame.pixels, frame.time).faces if f.visible), None)
        # as they are: the filter of the editor, which is for places, would blunt a blink
        seen.append(None if face is None else face.observed.places[0])
        times.append(frame.time)
        stamps.append(frame.pts)
    last = next((p for p in seen if p is not None), None)
    if last is None:
        raise FaceNotFound("No frame of the driving clip shows a face; try a lower threshold, or another clip.")
    places = []
    for place in seen:
        last = last if place is None else place
        places.append(last)
    units = smoothed(shown(torch.stack(places)), times, settings.smooth)
    return Reading(units, tuple(times), tuple(stamps), tuple(p is not None for p in seen))


def shown(landmarks: Tensor) -> Tensor:
    """Units ``[T,U]``, in the order of the rig's, of one face in the frames of a clip; landmarks ``[T,161,2]``.

    The rig is fitted to the frame that shows least, and its muscles follow the landmarks of all others. What a reader makes of
    each frame is where the search starts. Lids are measured against the face's own open eyes.
    """
    rig = load_rig()
    names = rig.unit_names
    read = read_shown(landmarks)
    at = int(read.norm(dim=1).argmin())
    face, place = fit_shown(landmarks[at : at + 1]), landmarks[at]
    rest = face.units[0]
    begin, low, high = rest + read - read[at], rest.clamp(max=0) - 0.5, rest.clamp(min=MOST)
    weight = landmark_weights(rig)
    units = torch.stack(
        [followed(face, place, _onto(p, place, weight), s, low, high) for p, s in zip(landmarks, begin, strict=True)]
    )
    for contour, side in zip(EYES, ("Right", "Left"), strict=True):  # the person's right eye is the viewer's left one
        ring = landmarks[:, [AT[i] for i in contour]]
        opening = (ring[:, 1:8].mean(1) - ring[:, 9:].mean(1)).norm(dim=-1) / (ring[:, 0] - ring[:, 8]).norm(dim=-1)
        share = opening / opening.quantile(OPEN).clamp(min=1e-3)
        blink, wide = (names.index(n + side) for n in ("eyeBlink", "eyeWide"))
        units[:, blink] = torch.maximum(units[:, blink], ((1 - share) / (1 - SHUT)).clamp(0, 1))
        units[:, wide] = torch.maximum(units[:, wide], ((share - WIDE[0]) / (WIDE[1] - WIDE[0])).clamp(0, 1))
    return units


def _onto(points: Tensor, place: Tensor, weight: Tensor) -> Tensor:
    """Landmarks ``[161,2]`` of a frame turned, shifted and scaled onto those of another."""
    weight = weight / weight.sum()
    a, b = (torch.view_as_complex(p.contiguous()) for p in (points, place))
    a, b = a - (weight * a).sum(), b - (weight * b).sum()
    turn = (weight * a.conj() * b).sum() / (weight * a.abs().square()).sum().clamp(min=1e-9)
    return torch.view_as_real(a * turn) + (weight[:, None] * place).sum(0)


def smoothed(units: Tensor, times: Iterable[float], smooth: float = 0.5) -> Tensor:
    """Units ``[T,U]`` at ``times`` in seconds without their jitter: what moves quickly, such as a blink, passes."""
    one = OneEuro(cutoff(smooth), BETA)
    rows, before = [], None
    for row, time in zip(units, times, strict=True):
        rows.append(one(row[:, None], 0.0 if before is None else time - before)[:, 0])
        before = time
    return torch.stack(rows)


def relative(units: Tensor, reference: str = "neutral") -> Tensor:
    """What a face does beyond one of its own frames ``[T,U]``: the first, or the one that shows least.

    Raises:
        FieldError: unknown reference.
    """
    if reference not in REFERENCES:
        raise FieldError(f"A clip is read relative to one of {', '.join(REFERENCES)}, not {reference!r}.")
    at = units.norm(dim=1).argmin() if reference == "neutral" else 0
    return units - units[at]


def driving_fields(units: Tensor, strength: float = 1.0) -> MusclesField:
    """One field for each frame, as a batch, of :func:`relative` units ``[T,U]``."""
    gains = [next((g for name, g in GAINS.items() if n.startswith(name)), 1.0) for n in load_rig().unit_names]
    units = (units * units.new_tensor(gains)).clamp(-1.0, 1.2) * strength
    controls = units.new_zeros(len(units), len(load_rig().control_names))
    return MusclesField(units, torch.zeros_like(units), controls, None, {"prompt": "driven"})


def drive(portrait: Tensor, crop: Crop, fields: MusclesField, feather: float = FEATHER) -> Iterator[Edited]:
    """A portrait, once for each field.

    The face is fitted once. What no field moves is the portrait's, bit for bit, in every frame.

    Args:
        portrait: ``[H,W,3]``, uint8 or float 0..1.
        crop: its face, with landmarks; batch 1.
        fields: a batch, such as :func:`driving_fields`.

    Yields:
        the frames, whose pixels ``[H,W,3]`` are of the same type.
    """
    if crop.batch != 1:
        raise FieldError(f"A portrait is driven by its one face, got {crop.batch}; choose one in Align.")
    crop = crop.to("cpu")
    fitted = fit_shown(crop.places)
    for i in range(fields.batch):
        out = portrait.clone()
        with torch.no_grad():
            box = warp_frame(portrait, out, crop, fields.select(i).flow(feather, crop, fitted), feather, "bicubic")
        yield Edited(out, (), () if box is None else (box,), i == 0)
