"""What a face does in a clip, put on another face: the expressions of all frames, relative to one of them.

A driving clip is followed as in :mod:`flow_core.video.editor`, read frame by frame, and smoothed. Only muscles are carried over: eyes
and gaze, brows, cheeks, mouth and jaw. The head keeps its pose, so that hair and background stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..faces.align import FaceNotFound
from ..faces.detect import Detector
from ..fields.base import FEATHER, FieldError
from ..fields.muscles import MusclesField, fit_shown
from ..fields.raster import Field
from ..geometry.crop import Crop
from ..warping.frames import warp_frame
from .clips import Frame
from .editor import Edited, Editor
from .settings import VideoSettings
from .smoothing import OneEuro, cutoff

REFERENCES = ("neutral", "first")
BETA = 6.0  # Hz of the One Euro filter for each full contraction a second: a blink passes, jitter does not


@dataclass(frozen=True)
class Reading:
    """What a face shows over time.

    Attributes:
        units: ``[T,U]`` in each frame, as :attr:`flow_core.faces.fit.FittedFace.units`; where the face is lost, what it showed last.
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
    rows: list[Tensor | None] = []
    times, stamps, fitted, of = [], [], None, None
    for frame in frames:
        face = next((f for f in editor.edit(frame.pixels, frame.time).faces if f.visible and f.crop is not None), None)
        if face is not None:
            fitted = fit_shown(face.crop.places, fitted if face.id == of else None)
            of = face.id
        rows.append(None if face is None else fitted.units[0])
        times.append(frame.time)
        stamps.append(frame.pts)
    first = next((r for r in rows if r is not None), None)
    if first is None:
        raise FaceNotFound("No frame of the driving clip shows a face; try a lower threshold, or another clip.")
    units, last = [], first
    for row in rows:
        last = last if row is None else row
        units.append(last)
    found = tuple(r is not None for r in rows)
    return Reading(smoothed(torch.stack(units), times, settings.smooth), tuple(times), tuple(stamps), found)


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
    zeros = MusclesField.zeros()
    units = units * strength
    return MusclesField(
        units, torch.zeros_like(units), zeros.controls.expand(len(units), -1), None, {"prompt": "driven"}
    )


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
