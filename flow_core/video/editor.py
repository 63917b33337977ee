"""The frame editor: faces are followed, fields smoothed over time, and only the pixels around the faces change.

Frames go in and out one by one, so memory does not grow with the length of a clip. Crops and fields pass a One Euro filter
(:mod:`flow_core.video.smoothing`). An edit fades in and out on a face that is found or lost (:mod:`flow_core.video.tracking`).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ..editing.painting import raster_side, seen_part
from ..editing.tinted import painted_in, regions_of
from ..faces.detect import Detector
from ..faces.fit import FittedFace
from ..faces.landmarks import Landmarks
from ..fields.base import FlowField
from ..fields.muscles import MusclesField
from ..fields.units import fit_shown
from ..geometry.crop import Crop
from ..threads import alone, suited
from ..warping.frames import warp_frame
from .ahead import ahead
from .clips import Frame
from .settings import VideoSettings
from .talking import talking
from .tracking import Track, Tracker, square

BETA = 6.0  # Hz for each full contraction a second, of the One Euro filter of units: a blink passes, jitter does not
SMALL = 640  # pixels a side; face squares up to this size one core draws as quickly as several
STEADY = 16.0  # the shape of a face is filtered as if it changed so many times as slowly as anything else

FieldSource: TypeAlias = Callable[[Tensor, Tensor], FlowField]
"""Makes the field of a face in each frame: called with the aligned face ``[1,3,S,S]`` and its landmarks ``[1,161,2]`` in crop points.
A one-shot predictor that is bound to a prompt (:class:`flow_core.editing.predict.Bound`) is one.

Optional attributes: if ``needs_fit`` is true, it is also given ``fitted``, the :class:`flow_core.faces.fit.FittedFace`, so that a
face is fitted only once in each frame. If ``paints`` names regions, the aligned face is replaced by a square wide enough to dye
them, with ``span`` and ``within`` as :func:`flow_core.editing.tinted.painted_in` takes them, and the editor does not dye them again.
"""


@dataclass(frozen=True)
class Edited:
    """One frame, edited.

    Attributes:
        pixels: ``[H,W,3]``, of the type of the input.
        faces: the faces in it, including those that are fading out.
        changed: boxes (x0, y0, x1, y1), and in each the pixels ``[h,w]`` that were changed.
        cut: whether a new scene begins here.
    """

    pixels: Tensor
    faces: tuple[Track, ...]
    changed: tuple[tuple[tuple[int, int, int, int], Tensor], ...]
    cut: bool

    def mask(self) -> Tensor:
        """``[H,W]``: 1 where a pixel was changed."""
        mask = torch.zeros(self.pixels.shape[:2])
        for (x0, y0, x1, y1), moved in self.changed:
            mask[y0:y1, x0:x1] = torch.maximum(mask[y0:y1, x0:x1], moved.float())
        return mask


class Look(NamedTuple):
    """What was found in a frame, before it is drawn.

    Attributes:
        frame: ``[H,W,3]``.
        faces: see :class:`Edited`.
        asked: for each face to be edited: the field, the crop, and the fitted rig if the field needs one.
        cut: see :class:`Edited`.
    """

    frame: Tensor
    faces: tuple[Track, ...]
    asked: tuple[tuple[FlowField, Crop, FittedFace | None], ...]
    cut: bool


def edit_frames(
    frames: Iterable[Tensor],
    fields: FlowField | FieldSource,
    detector: Detector,
    settings: VideoSettings | None = None,
    **options: object,
) -> Iterator[Tensor]:
    """Edit a stream of frames.

    Args:
        frames: ``[H,W,3]`` RGB, uint8 or float 0..1, all of one size; up to three are taken ahead of their use.
        fields: one field for the whole clip, or a source that makes one for each face and frame.
        detector: from :func:`flow_core.faces.detect.load_detector`.
        settings: see :class:`VideoSettings`.
        options: of :class:`Editor`.

    Yields:
        the frames, of the same type; pixels that no edit reaches are bit-identical to the input.
    """
    editor = Editor(fields, detector, settings, **options)
    timed = (Frame(frame, i, i / editor.settings.fps) for i, frame in enumerate(frames))
    for _, edited in editor.edits(timed):
        yield edited.pixels


class Editor:
    """Edits frame after frame; see :func:`edit_frames`. ``fields`` and ``settings`` may be changed between frames.

    Args:
        fields: as in :func:`edit_frames`.
        detector: finds faces.
        settings: None = the defaults.
        first: where the face is in the first frame; then only this face is edited.
        landmarks: the network that follows faces; None = the built-in one.

    Attributes:
        seconds: processor time of each stage so far (track, detect, fit, field, warp).
    """

    def __init__(
        self,
        fields: FlowField | FieldSource,
        detector: Detector,
        settings: VideoSettings | None = None,
        first: Crop | None = None,
        landmarks: Landmarks | None = None,
    ) -> None:
        self.fields, self.settings = fields, settings or VideoSettings()
        self.tracker = Tracker(detector, first, landmarks)
        self.seconds: dict[str, float] = defaultdict(float)
        self._shape: torch.Size | None = None
        self._time: float | None = None

    @property
    def index(self) -> int:
        """Frames done."""
        return self.tracker.index

    @property
    def tracks(self) -> list[Track]:
        """The faces that are followed."""
        return self.tracker.tracks

    def edit(self, frame: Tensor, seconds: float | None = None) -> Edited:
        """Edit the next frame.

        Args:
            frame: ``[H,W,3]`` RGB, uint8 or float 0..1; it is not changed.
            seconds: its time; None = the number of the frame over the frame rate of the settings.

        Raises:
            ValueError: the frame is of another kind or size, or a field does not fit.
        """
        return self.draw(self.look(frame, seconds))

    def edits(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Edited]]:
        """Each frame with the result of :meth:`edit`; while one is drawn, another thread looks at the next.

        Close the iterator if it is not used up.
        """
        looks = ahead(((frame, self.look(frame.pixels, frame.time)) for frame in frames), 1)
        with closing(looks):
            for frame, look in looks:
                yield frame, self.draw(look)

    @alone()
    @torch.inference_mode()
    def look(self, frame: Tensor, seconds: float | None = None) -> Look:
        """The first half of :meth:`edit`: follow the faces, and find the field of each.

        Call it for frame after frame. Meanwhile another thread may do the second half, :meth:`draw`, of earlier frames.
        """
        self._check(frame)
        s = self.settings
        now = self.index / s.fps if seconds is None else seconds
        dt = 1 / s.fps if self._time is None or now <= self._time else min(now - self._time, 1.0)
        strength = s.strength_at(self.index, now)
        cut = self.tracker.is_cut(frame)
        with self._stage("track"):
            self.tracker.follow(frame, cut, dt, s)
        with self._stage("detect"):
            self.tracker.search(frame, cut, s)
        asked = []
        for track in self.tracks:
            step = 1 / s.fade
            track.presence = min(1.0, track.presence + step) if track.visible else max(0.0, track.presence - step)
            if track.visible:
                self.tracker.smooth(track, dt, s.smooth)
            amount = strength * track.presence
            if not amount or track.crop is None:
                continue
            with self._stage("fit"):
                fitted = self._fit(track, dt) if getattr(self.fields, "needs_fit", False) else None
                wanted = self._field(frame, track, dt, fitted).scale(amount, amount)
                if wanted.needs_face:
                    self.tracker.look_for_glasses(frame, track)
                    self.tracker.look_for_colors(frame, track, dt, s.smooth)
                    self.tracker.look_for_covers(frame, track, dt)
                    track.fitted = self._fit(track, dt) if fitted is None else fitted
                    wanted = talking(wanted, track.speech.follow(track.fitted.units, dt))
                    if wanted.changes_lines(track.fitted.units):
                        self.tracker.look_for_creases(frame, track)
                    if wanted.shuts_eyes():
                        self.tracker.look_at(frame, track)
                asked.append((wanted, track.crop, track.fitted))
        self._time = now
        self.tracker.index += 1
        shown = tuple(
            replace(t) for t in self.tracks if t.visible or t.presence > 0
        )  # copies, since tracks go on changing
        return Look(frame, shown, tuple(asked), cut)

    @torch.inference_mode()
    def draw(self, look: Look) -> Edited:
        """The second half of :meth:`edit`: the edited frame."""
        s, out, changed = self.settings, look.frame, []
        with suited(all(crop.side.item() <= SMALL for _, crop, _ in look.asked)):
            for wanted, crop, fitted in look.asked:
                with self._stage("field"):
                    flow = wanted.flow(s.feather, crop, *([fitted] if wanted.needs_face else []))
                with self._stage("warp"):
                    if out is look.frame:
                        with torch.inference_mode(False):  # so that whoever gets the frame may use it in autograd
                            out = out.clone()
                    if box := warp_frame(look.frame, out, crop, flow, s.feather, s.interpolation):
                        changed.append(box)
        return Edited(out, look.faces, tuple(changed), look.cut)

    def _check(self, frame: Tensor) -> None:
        if frame.ndim != 3 or frame.shape[2] != 3 or not (frame.dtype == torch.uint8 or frame.is_floating_point()):
            raise ValueError(
                f"A frame is an RGB tensor [H,W,3], uint8 or float 0..1, got {frame.dtype} {tuple(frame.shape)}."
            )
        if frame.is_floating_point() and not frame.sum().isfinite() and not bool(frame.isfinite().all()):
            raise ValueError(f"Frame {self.index} holds NaN or infinite values, frames have 0..1; replace them first.")
        if self._shape is None:
            self._shape = frame.shape
            if self.tracker.first is not None:
                self.tracker.first.require_size(frame.permute(2, 0, 1)[None])
        elif frame.shape != self._shape:
            (h, w), (h0, w0) = frame.shape[:2], self._shape[:2]
            raise ValueError(f"Frame {self.index} has {w}x{h} pixels, those before had {w0}x{h0}; use one size.")

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = time.thread_time()
        yield
        self.seconds[name] += time.thread_time() - start

    def _fit(self, track: Track, dt: float) -> FittedFace:
        """The rig fitted to the face in this frame, smoothed: shape hardly changes over time, units change slowly."""
        fitted, smooth = fit_shown(track.crop.places, track.fitted), self.settings.smooth
        shape = track.filter("shape", smooth, 0.0)(fitted.shape, dt / STEADY)
        units = track.filter("units", smooth, BETA)(fitted.units[..., None], dt)[..., 0]
        return replace(fitted, shape=shape, units=units)

    def _field(self, frame: Tensor, track: Track, dt: float, fitted: FittedFace | None) -> FlowField:
        each_frame, wanted, places = callable(self.fields), self.fields, track.crop.places
        paints = getattr(self.fields, "paints", ()) if each_frame else ()
        if each_frame:
            more = {} if fitted is None else {"fitted": fitted}
            if paints:
                aligned, more["span"], more["within"] = _dyed_square(frame, track, paints)
            else:
                aligned = square(frame, track.crop, self.settings.aligned_size)
            wanted = self.fields(aligned, places, **more)
        if wanted.batch != 1:
            raise ValueError(f"A clip takes one field for a face, got a batch of {wanted.batch}; select one of them.")
        wanted.require_finite()
        # colours are painted where lips, hair and eyes are in this frame, so their rasters are not smoothed
        if (regions := regions_of(wanted)) and not paints:
            aligned, span, within = _dyed_square(frame, track, regions)
            wanted = painted_in(wanted, aligned, places, span, within)
        if not each_frame:
            return wanted
        wanted = self._smoothed(wanted, "field", track, dt)
        if isinstance(wanted, MusclesField) and wanted.rest is not None and not regions:
            wanted = replace(wanted, rest=self._smoothed(wanted.rest, "rest", track, dt))
        return wanted

    def _smoothed(self, field: FlowField, name: str, track: Track, dt: float) -> FlowField:
        values = field.coefficients()[..., None]
        return field.with_coefficients(track.filter(name, self.settings.smooth, 20.0)(values, dt)[..., 0])


def _dyed_square(frame: Tensor, track: Track, regions: Sequence[str]) -> tuple[Tensor, float, Tensor | None]:
    """The square of a frame in which regions are dyed.

    Returns:
        the square ``[1,3,S,S]``; its side in sides of the face square; and where it shows the frame, if that matters, as of
        :func:`flow_core.editing.painting.seen_part`.
    """
    span = track.span_of(regions, frame)
    wide, side = track.crop.widen(span), round(span * raster_side(regions))
    return square(frame, wide, side), span, seen_part(wide, side, span, regions)
