"""Driving a portrait by a clip: the expressions of all frames, relative to one of them, put on another face.

The face of the driving clip is followed as in :mod:`flow_core.video.editor`, each frame is read as a photograph is, and the result is
smoothed over time. Only muscles are carried over: eyes and gaze, brows, cheeks, mouth and jaw. The head keeps its pose, so that hair
and background stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..faces.align import FaceNotFound
from ..faces.detect import Detector
from ..faces.fit import FittedFace
from ..faces.landmarks import WIDEN
from ..faces.rig import load_rig
from ..faces.shown import VIEW
from ..fields.base import FEATHER, FieldError
from ..fields.expressions import expression_of
from ..fields.gaze import SIDEWAYS, camera_aside
from ..fields.moved import SMALL
from ..fields.muscles import MusclesField
from ..fields.named_units import units_named
from ..fields.raster import Field
from ..fields.units import fit_shown
from ..geometry.crop import Crop
from ..threads import suited
from ..warping.frames import warp_frame
from .clips import Frame
from .editor import BETA, Edited, Editor
from .settings import VideoSettings
from .smoothing import OneEuro, cutoff
from .tracking import square

FROWNS = ("browTogether", "browDown")  # units of a frown
FROWNING = 0.1  # seconds before and after a frame over which these are averaged
REFERENCES = ("neutral", "first")
# Factors for changes of units that arrive weakened: in portraits driven by six real clips, MediaPipe reads 0.71 to 0.74 of the standard
# deviation over time that it reads in the clips, for eyes that look up and down. Of a mouth that is drawn aside our reader sees a
# tenth (correlation 0.92), of a funnel half.
GAINS = {"eyeLookUp": 1.3, "eyeLookDown": 1.3, "mouthLeft": 6.0, "mouthRight": 6.0, "mouthFunnel": 1.6}


@dataclass(frozen=True)
class Reading:
    """What a face shows over time.

    Attributes:
        units: ``[T,U]`` of each frame, in the order of the rig, as of :func:`flow_core.fields.expressions.expression_of`; while the
            face is lost, those that it showed last.
        times: time of each frame, seconds.
        stamps: time stamp of each frame, in units of the clip.
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
        settings: of the tracking; its ``smooth`` also smooths what is read.
        crop: where the face is in the first frame; None = the largest face.

    Raises:
        FaceNotFound: no frame shows a face.
    """
    settings = replace(settings or VideoSettings(), strength=0.0, faces="one")
    editor = Editor(Field.zeros(2), detector, settings, crop)
    seen: list[Tensor | None] = []
    times, stamps, fitted = [], [], None
    for frame in frames:
        face = next((f for f in editor.edit(frame.pixels, frame.time).faces if f.visible), None)
        if face is None:
            seen.append(None)
        else:  # from unsmoothed landmarks: the filter of positions would blunt a blink
            fitted = fit_shown(face.observed.places, fitted)
            seen.append(_shown(frame.pixels, face.observed, fitted))
        times.append(frame.time)
        stamps.append(frame.pts)
    last = next((row for row in seen if row is not None), None)
    if last is None:
        raise FaceNotFound("No frame of the driving clip shows a face; try a lower threshold, or another clip.")
    rows = []
    for row in seen:
        last = last if row is None else row
        rows.append(last)
    units = torch.stack(rows)
    units = smoothed(slow_frowns(units, times) if settings.smooth else units, times, settings.smooth)
    return Reading(units, tuple(times), tuple(stamps), tuple(row is not None for row in seen))


def slow_frowns(units: Tensor, times: Sequence[float]) -> Tensor:
    """Units ``[T,U]`` at ``times`` (seconds) with frowns averaged over time: the reader of frowns changes its mind faster than brows move."""
    at = torch.tensor(times).double()
    before, after = torch.searchsorted(at, at - FROWNING), torch.searchsorted(at, at + FROWNING, right=True)
    sums = torch.cat([units[:1] * 0, units.cumsum(0)])
    mean = (sums[after] - sums[before]) / (after - before)[:, None]
    return torch.where(units_named(load_rig(), *FROWNS), mean, units)


def _shown(frame: Tensor, crop: Crop, fitted: FittedFace) -> Tensor:
    """Units ``[U]``, in the order of the rig, that a face shows in a frame ``[H,W,3]``.

    Gaze aside is measured relative to the camera: if the head turns while the eyes stay on the camera, the eyes turn the other way
    in the head, and the driven head does not turn.
    """
    units = expression_of(replace(crop, view=square(frame, crop.widen(WIDEN), VIEW))).units[0]
    camera = camera_aside(fitted)[0] / 2
    units[[load_rig().unit_names.index(n) for n in SIDEWAYS]] -= camera * units.new_tensor([1.0, -1.0, 1.0, -1.0])
    return units


def smoothed(units: Tensor, times: Iterable[float], smooth: float = 0.5) -> Tensor:
    """Units ``[T,U]`` at ``times`` (seconds) without jitter; quick movements, such as a blink, pass."""
    one = OneEuro(cutoff(smooth), BETA)
    rows, before = [], None
    for row, time in zip(units, times, strict=True):
        rows.append(one(row[:, None], 0.0 if before is None else time - before)[:, 0])
        before = time
    return torch.stack(rows)


def relative(units: Tensor, reference: str = "neutral") -> Tensor:
    """Units relative to those of one of the frames, ``[T,U]``.

    Args:
        units: ``[T,U]``, in the order of the rig.
        reference: ``first``: the first frame. ``neutral``: the frame with the weakest expression; gaze is then relative to where the
            eyes look most of the time, which is at the camera, since that frame may look aside.

    Raises:
        FieldError: unknown reference.
    """
    if reference not in REFERENCES:
        raise FieldError(f"A clip is read relative to one of {', '.join(REFERENCES)}, not {reference!r}.")
    if reference == "first":
        return units - units[0]
    rest = units[units.norm(dim=1).argmin()].clone()
    gaze, lids = ([i for i, n in enumerate(load_rig().unit_names) if n.startswith(b)] for b in ("eyeLook", "eyeBlink"))
    shut = units[:, lids].mean(1)
    rest[gaze] = (
        units[shut <= shut.median()][:, gaze].median(0).values
    )  # frames with open eyes only: shut lids are read as a look down
    return units - rest


def driving_fields(units: Tensor, strength: float = 1.0) -> MusclesField:
    """A batch of T fields, one for each frame, of :func:`relative` units ``[T,U]``, times ``strength``."""
    gains = [next((g for name, g in GAINS.items() if n.startswith(name)), 1.0) for n in load_rig().unit_names]
    units = (units * units.new_tensor(gains)).clamp(-1.0, 1.2) * strength
    controls = units.new_zeros(len(units), len(load_rig().control_names))
    return MusclesField(units, torch.zeros_like(units), controls, None, {"prompt": "driven"})


def drive(portrait: Tensor, crop: Crop, fields: MusclesField, feather: float = FEATHER) -> Iterator[Edited]:
    """Apply each field of a batch to a portrait.

    The face is fitted once. Pixels that a field does not reach are bit-identical to the portrait.

    Args:
        portrait: ``[H,W,3]``, uint8 or float 0..1.
        crop: its face, with landmarks; batch 1.
        fields: a batch, such as :func:`driving_fields`.

    Yields:
        the frames, with pixels ``[H,W,3]`` of the same type.

    Raises:
        FieldError: the crop has more than one face.
    """
    if crop.batch != 1:
        raise FieldError(f"A portrait is driven by its one face, got {crop.batch}; choose one in Align.")
    crop = crop.to("cpu")  # one object for all frames: what is found out about the face is cached by it
    for i in range(fields.batch):
        out = portrait.clone()
        with torch.inference_mode(), suited(crop.side.item() <= SMALL):
            box = warp_frame(portrait, out, crop, fields.select(i).flow(feather, crop), feather, "bicubic")
        yield Edited(out, (), () if box is None else (box,), i == 0)
