"""Edits on moving pictures: find faces, follow them, smooth what jitters, move only the pixels around them.

Frames go in and out one by one, so memory does not grow with the length of a clip. A face is looked for in a reduced
frame and followed by the landmark network; crop and field pass a One Euro filter; a face that is lost or found fades.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.align import sort_faces
from ..faces.detect import Detection, Detector
from ..faces.fit import FittedFace
from ..faces.landmarks import SIZE, WIDEN, Landmarks, five_points, load_landmarks, pose
from ..fields.base import FEATHER, FlowField
from ..fields.muscles import fit_shown
from ..fields.raster import Field
from ..geometry.crop import Crop
from ..geometry.sampling import downscaled
from ..guides.nano import IMAGE_SIZE
from ..threads import yielding
from ..warping.frames import warp_frame

DETECT_SIDE = 320  # longest side of the frame that the detector sees
LOCAL_SIDE = 96  # side of the square around a doubtful face that the detector sees
LOCAL_THRESHOLD = 0.5  # a doubtful face is believed at this score
TEMPLATE = 20  # side of the small grey picture by which a face is told from another
ALIKE = 0.5  # correlation of such pictures from one frame to the next: below, the face is doubtful
SAME = 0.75  # the same after a while or a cut: below, it is another face
TURNED = 0.6  # pose proxy (see landmarks.pose) beyond which nobody can say where the face is
SURPRISE = 0.02  # sides of a crop; a face that is farther off than this is looked at once more
SMALLEST = 32  # pixels of a crop's side; there is nothing to see of an edit on a smaller face
MEMORY = 300  # frames after which a lost face is forgotten

FieldSource: TypeAlias = Callable[[Tensor, Tensor], FlowField]
"""Yields the field of a face: called with the aligned face ``[1,3,S,S]`` and its landmarks ``[1,161,2]`` in the crop
frame. A one-shot predictor with its prompt bound in is one."""

Strength: TypeAlias = "float | Sequence[float] | Callable[[float], float]"


class OneEuro:
    """The One Euro filter (Casiez, Roussel, Vogel, CHI 2012): a low-pass whose cutoff rises with the speed, so that
    what rests does not jitter and what moves does not lag.

    The speed is the norm over the last axis; with ``shared`` the mean over all points, so that they move as one.

    Args:
        min_cutoff: Hz at rest; 0 switches the filter off.
        beta: Hz more for each unit per second.
        d_cutoff: Hz of the low-pass on the speed.
    """

    def __init__(self, min_cutoff: float, beta: float, d_cutoff: float = 1.0, shared: bool = False) -> None:
        self.min_cutoff, self.beta, self.d_cutoff, self.shared = min_cutoff, beta, d_cutoff, shared
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next value passes as it is."""
        self.value: Tensor | None = None
        self.speed: Tensor | None = None

    def __call__(self, value: Tensor, dt: float, unit: float = 1.0) -> Tensor:
        """The filtered value, ``dt`` seconds after the last one; ``unit`` is the length of which ``beta`` speaks."""
        if self.value is None or self.value.shape != value.shape or self.min_cutoff <= 0 or dt <= 0:
            self.value, self.speed = value, None
            return value
        speed = (value - self.value) / dt / unit
        # the first speed is taken as it is, else what moves from the beginning would lag at first
        self.speed = speed if self.speed is None else self.speed + _alpha(self.d_cutoff, dt) * (speed - self.speed)
        pace = self.speed.norm(dim=-1, keepdim=True)
        if self.shared:
            pace = pace.mean()
        self.value = self.value + _alpha(self.min_cutoff + self.beta * pace, dt) * (value - self.value)
        return self.value


def _alpha(cutoff: Tensor | float, dt: float) -> Tensor | float:
    """Share of the new value in an exponential smoothing (equation 4 there)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * dt))


@dataclass(frozen=True)
class VideoSettings:
    """How a clip is edited.

    Attributes:
        strength: of the edit: a number; a list with one for each frame; or a function of the time in seconds.
        smooth: 0 = each frame for itself, 0.5 = usual, 1 = very steady.
        faces: ``all``, or ``one``: the largest one when none is being followed, until it is lost.
        detect_every: frames from one search for new faces to the next.
        fade: frames in which an edit fades in on a face that appears and out on one that is lost.
        feather: as in :func:`flow_core.warping.warp.warp`.
        aligned_size: side of the aligned face that a field source gets.
        interpolation: ``bilinear``, or ``bicubic``: a little sharper, a little slower.
        threshold: least score of a new face; None takes the detector's own.
        fps: frames a second where frames come without a time.

    Raises:
        ValueError: a value is out of its range.
    """

    strength: Strength = 1.0
    smooth: float = 0.5
    faces: str = "all"
    detect_every: int = 30
    fade: int = 6
    feather: float = FEATHER
    aligned_size: int = IMAGE_SIZE
    interpolation: str = "bilinear"
    threshold: float | None = None
    fps: float = 30.0

    def __post_init__(self) -> None:
        for name, good, wanted in (
            ("smooth", 0 <= self.smooth <= 1, "0..1"),
            ("faces", self.faces in ("all", "one"), "'all' or 'one'"),
            ("detect_every", self.detect_every >= 1, "at least 1 frame"),
            ("fade", self.fade >= 1, "at least 1 frame"),
            ("interpolation", self.interpolation in ("bilinear", "bicubic"), "'bilinear' or 'bicubic'"),
            ("fps", self.fps > 0, "above 0"),
        ):
            if not good:
                raise ValueError(f"{name} must be {wanted}, got {getattr(self, name)!r}.")

    def strength_at(self, index: int, seconds: float) -> float:
        """The strength of frame ``index``."""
        s = self.strength
        if callable(s):
            s = s(seconds)
        elif not isinstance(s, int | float):
            if index >= len(s):
                raise ValueError(f"There are {len(s)} strengths, but the clip has more frames; give one for each.")
            s = s[index]
        if not math.isfinite(s):
            raise ValueError(f"The strength of frame {index} is {s}; give finite numbers.")
        return float(s)


def keyframes(points: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """Strength over time through ``(seconds, strength)`` points, straight between them and constant outside."""
    if not points or any(a[0] >= b[0] for a, b in pairwise(points)):
        raise ValueError(f"Keyframes need rising times, got {[t for t, _ in points]}.")

    def at(seconds: float) -> float:
        if seconds <= points[0][0]:
            return points[0][1]
        for (t0, s0), (t1, s1) in pairwise(points):
            if seconds < t1:
                return s0 + (s1 - s0) * (seconds - t0) / (t1 - t0)
        return points[-1][1]

    return at


@dataclass
class Track:
    """A face that is followed.

    Attributes:
        id: stays with the face, also when it leaves and comes back.
        crop: where it is, smoothed; with landmarks. None before the first frame is done.
        presence: 0..1, how far the edit has faded in.
        found: whether the last frame showed it.
    """

    id: int
    seen: Crop  # as the network saw it, not smoothed
    template: Tensor
    presence: float = 0.0
    found: bool = True
    crop: Crop | None = None
    lost_for: int = 0
    filters: dict[str, OneEuro] = field(default_factory=dict)
    fitted: FittedFace | None = None  # in the last frame, for fields that need a face

    def expected(self, dt: float) -> Tensor:
        """The five points ``[1,5,2]`` in ``dt`` seconds. From the smoothed ones: what the network sees should not shake
        with what it said before."""
        one = self.filters.get("points")
        if one is None or one.speed is None:
            return self.seen.points
        return one.value + one.speed.mean(-2, keepdim=True) * dt * self.seen.side.item()


@dataclass(frozen=True)
class Edited:
    """One frame, edited.

    Attributes:
        pixels: ``[H,W,3]``, of the type of the input.
        faces: the faces in it; those that fade out are still listed.
        changed: boxes (x0, y0, x1, y1) and in each the pixels ``[h,w]`` that were touched.
        cut: whether a new scene begins here.
    """

    pixels: Tensor
    faces: tuple[Track, ...]
    changed: tuple[tuple[tuple[int, int, int, int], Tensor], ...]
    cut: bool

    def mask(self) -> Tensor:
        """``[H,W]``: 1 where a pixel was touched."""
        mask = torch.zeros(self.pixels.shape[:2])
        for (x0, y0, x1, y1), moved in self.changed:
            mask[y0:y1, x0:x1] = torch.maximum(mask[y0:y1, x0:x1], moved.float())
        return mask


def edit_frames(
    frames: Iterable[Tensor],
    fields: FlowField | FieldSource,
    detector: Detector,
    settings: VideoSettings | None = None,
    **options: object,
) -> Iterator[Tensor]:
    """Edit a stream of frames.

    Args:
        frames: ``[H,W,3]`` RGB, uint8 or float 0..1, all of one size.
        fields: one field for the whole clip, or what yields one for each frame.
        detector: from :func:`flow_core.faces.detect.load_detector`.
        settings: see :class:`VideoSettings`.
        options: of :class:`Editor`.

    Yields:
        The frames, of the same type; pixels that no edit reaches are the input's, bit for bit.
    """
    editor = Editor(fields, detector, settings, **options)
    for frame in frames:
        yield editor.edit(frame).pixels


class Editor:
    """Edits frame after frame; see :func:`edit_frames`. ``fields`` and ``settings`` may be changed between frames.

    Args:
        first: where the face is in the first frame; only this face is edited then.
        landmarks: the network that follows faces; None takes the built-in one.

    Attributes:
        seconds: processor time of each stage so far (detect, track, field, warp).
        index: frames done.
    """

    def __init__(
        self,
        fields: FlowField | FieldSource,
        detector: Detector,
        settings: VideoSettings | None = None,
        first: Crop | None = None,
        landmarks: Landmarks | None = None,
    ) -> None:
        if first is not None and first.batch != 1:
            raise ValueError(f"The crop of the first frame holds {first.batch} faces; give the crop of one picture.")
        self.fields, self.detector, self.settings = fields, detector, settings or VideoSettings()
        self.landmarks = landmarks or load_landmarks()
        self.first = first
        self.tracks: list[Track] = []
        self.index = 0
        self.seconds: dict[str, float] = defaultdict(float)
        self._next_id = 0
        self._shape: torch.Size | None = None
        self._thumb: Tensor | None = None
        self._time: float | None = None
        self._searched = -(10**9)

    @yielding()
    @torch.no_grad()
    def edit(self, frame: Tensor, seconds: float | None = None) -> Edited:
        """Edit the next frame.

        Args:
            frame: ``[H,W,3]`` RGB, uint8 or float 0..1; it is not changed.
            seconds: its time; None counts on with the frame rate of the settings.

        Raises:
            ValueError: the frame is of another kind or size, or a field does not fit.
        """
        self._check(frame)
        s = self.settings
        now = self.index / s.fps if seconds is None else seconds
        dt = 1 / s.fps if self._time is None or now <= self._time else min(now - self._time, 1.0)
        strength = s.strength_at(self.index, now)
        cut = self._is_cut(frame)
        with self._stage("track"):
            self._follow(frame, cut, dt)
        with self._stage("detect"):
            self._search(frame, cut)
        out, changed = frame, []
        for track in self.tracks:
            step = 1 / s.fade
            track.presence = min(1.0, track.presence + step) if track.found else max(0.0, track.presence - step)
            if track.found:
                self._smooth(track, dt)
            amount = strength * track.presence
            if not amount or track.crop is None:
                continue
            with self._stage("field"):
                wanted = self._field(frame, track, dt).scale(amount, amount)
                if wanted.needs_face:
                    track.fitted = fit_shown(track.crop.places, track.fitted)
                    wanted = wanted.flow(s.feather, track.crop, track.fitted)
            with self._stage("warp"):
                out = out.clone() if out is frame else out
                if box := warp_frame(frame, out, track.crop, wanted, s.feather, s.interpolation):
                    changed.append(box)
        self._time = now
        self.index += 1
        seen = tuple(replace(t) for t in self.tracks if t.found or t.presence > 0)  # as they are now
        return Edited(out, seen, tuple(changed), cut)

    def _check(self, frame: Tensor) -> None:
        if frame.ndim != 3 or frame.shape[2] != 3 or not (frame.dtype == torch.uint8 or frame.is_floating_point()):
            raise ValueError(
                f"A frame is an RGB tensor [H,W,3], uint8 or float 0..1, got {frame.dtype} {tuple(frame.shape)}."
            )
        if self._shape is None:
            self._shape = frame.shape
            if self.first is not None:
                self.first.require_size(frame.permute(2, 0, 1)[None])
        elif frame.shape != self._shape:
            (h, w), (h0, w0) = frame.shape[:2], self._shape[:2]
            raise ValueError(f"Frame {self.index} has {w}x{h} pixels, those before had {w0}x{h0}; use one size.")

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = time.thread_time()
        yield
        self.seconds[name] += time.thread_time() - start

    def _is_cut(self, frame: Tensor) -> bool:
        """Whether a new scene begins: pixels and histogram both jump, or the pixels do so a lot."""
        step = max(1, max(frame.shape[:2]) // 64)
        thumb = frame[::step, ::step].float().mean(-1) / (255 if frame.dtype == torch.uint8 else 1)
        before, self._thumb = self._thumb, thumb
        if before is None:
            return True
        differ = (thumb - before).abs().mean().item()
        if differ < 0.06:
            return False
        a, b = (t.histc(32, 0, 1) / t.numel() for t in (thumb, before))
        return differ > 0.2 or (a - b).abs().sum().item() / 2 > 0.25

    # --- following -------------------------------------------------------------------------------------------------

    def _follow(self, frame: Tensor, cut: bool, dt: float) -> None:
        for track in self.tracks:
            if cut:
                track.found, track.presence = False, 0.0
                track.filters, track.fitted = {}, None
            if not track.found:
                track.lost_for += 1
                continue
            guess = Crop.from_points(track.expected(dt), track.seen.image_size, track.seen.score)
            look = self._look(frame, guess)
            if _distance(look[0], guess) > SURPRISE:
                look = self._look(frame, look[0])
            due = self.index % self.settings.detect_every == self.settings.detect_every // 2
            if due or not self._plausible(guess, *look, track.template):
                look = self._look_closer(frame, guess)
            if look is None:
                track.found, track.lost_for = False, 0
                continue
            crop, template = look
            track.seen, track.template = crop, template
        self._forget_twins()
        self.tracks = [t for t in self.tracks if t.found or t.lost_for < MEMORY]

    def _look(self, frame: Tensor, guess: Crop) -> tuple[Crop, Tensor]:
        """The crop anew by one pass of the landmark network, and the face's template."""
        wide = guess.widen(WIDEN)
        view = _square(frame, wide, SIZE)
        points = wide.to_image(self.landmarks(view)[:, None])[:, 0]
        crop = replace(Crop.from_points(five_points(points), guess.image_size, guess.score), landmarks=points)
        return crop, _template(view)

    def _plausible(self, guess: Crop, crop: Crop, template: Tensor, before: Tensor) -> bool:
        """Whether the network saw a face where one was expected; it draws one everywhere."""
        return _is_face(crop, guess) and (template * before).sum().item() > ALIKE

    def _look_closer(self, frame: Tensor, guess: Crop) -> tuple[Crop, Tensor] | None:
        """What the detector says to a doubtful face; None where there is none."""
        wide = guess.widen(1.4)
        view = _square(frame, wide, LOCAL_SIDE)
        faces = self.detector(view[0], LOCAL_THRESHOLD)
        middle = view.new_tensor([LOCAL_SIDE / 2] * 2)
        faces = [f for f in faces if (f.points.mean(0) - middle).norm() < LOCAL_SIDE / 4]
        if not faces:
            return None
        points = wide.to_image(faces[0].points[None, None] / LOCAL_SIDE)[:, 0]
        crop, template = self._look(frame, Crop.from_points(points, guess.image_size, (faces[0].score,)))
        # where the network would have gone by itself, so that a check leaves no step in the motion
        near, close = self._look(frame, guess)
        return (near, close) if _distance(near, crop) < 0.1 else (crop, template)

    def _forget_twins(self) -> None:
        """Of two tracks on one face the older stays."""
        kept: list[Track] = []
        for track in self.tracks:
            if not (track.found and any(t.found and _distance(track.seen, t.seen) < 0.25 for t in kept)):
                kept.append(track)
        self.tracks = kept

    # --- finding ---------------------------------------------------------------------------------------------------

    def _search(self, frame: Tensor, cut: bool) -> None:
        s = self.settings
        if self.first is not None and self.index == 0:
            self._begin(frame, self.first, presence=1.0)
            return
        one = s.faces == "one" or self.first is not None
        if one and any(t.found for t in self.tracks):
            return
        missing = not any(t.found for t in self.tracks) or any(
            not t.found and t.lost_for < 2 * s.detect_every for t in self.tracks
        )
        wait = max(1, s.detect_every // 6) if missing else s.detect_every
        if not cut and self.index - self._searched < wait:
            return
        self._searched = self.index
        crops = [c for c in self._detect(frame) if not any(t.found and _distance(c, t.seen) < 0.5 for t in self.tracks)]
        newcomers = []
        for detected in crops:
            crop, template = self._settle(frame, detected)
            if not _is_face(crop, detected):
                continue
            lost = [t for t in self.tracks if not t.found]
            likeness = {t.id: _likeness(t, crop, template, cut) for t in lost}
            best = max(lost, key=lambda t: likeness[t.id], default=None)
            if best is not None and likeness[best.id] > SAME:
                self._resume(best, crop, template, 1.0 if cut else best.presence)
                if one:
                    return
            else:
                newcomers.append((crop, template))
        for crop, template in newcomers[:1] if one else newcomers:
            self._add(crop, template, 1.0 if cut else 0.0)

    def _detect(self, frame: Tensor) -> list[Crop]:
        """All faces of the frame, the largest first."""
        h, w = frame.shape[:2]
        scale = min(1.0, DETECT_SIDE / max(h, w))
        small = downscaled(frame.permute(2, 0, 1)[None], scale)
        threshold = self.settings.threshold
        faces: list[Detection] = self.detector(small[0]) if threshold is None else self.detector(small[0], threshold)
        grow = torch.tensor([w / small.shape[3], h / small.shape[2]])
        return [Crop.from_points((f.points.cpu() * grow)[None], (h, w), (f.score,)) for f in sort_faces(faces)]

    def _settle(self, frame: Tensor, crop: Crop) -> tuple[Crop, Tensor]:
        for _ in range(3):
            crop, template = self._look(frame, crop)
        return crop, template

    def _begin(self, frame: Tensor, crop: Crop, presence: float) -> None:
        self._add(*self._settle(frame, crop.to("cpu")), presence)

    def _add(self, crop: Crop, template: Tensor, presence: float) -> None:
        self.tracks.append(Track(self._next_id, crop, template, presence))
        self._next_id += 1

    def _resume(self, track: Track, crop: Crop, template: Tensor, presence: float) -> None:
        track.seen, track.template, track.presence = crop, template, presence
        track.found, track.lost_for, track.filters, track.fitted = True, 0, {}, None

    # --- smoothing and the field -----------------------------------------------------------------------------------

    def _filter(self, track: Track, name: str, beta: float, shared: bool = False) -> OneEuro:
        smooth = self.settings.smooth
        cutoff = 4 ** (1 - 2 * smooth) if smooth > 0 else 0.0
        one = track.filters.setdefault(name, OneEuro(cutoff, beta, shared=shared))
        one.min_cutoff = cutoff
        return one

    def _smooth(self, track: Track, dt: float) -> None:
        side = track.seen.side.item()
        points = self._filter(track, "points", 40.0, shared=True)(track.seen.points, dt, side)
        landmarks = self._filter(track, "landmarks", 40.0)(track.seen.landmarks, dt, side)
        track.crop = replace(Crop.from_points(points, track.seen.image_size, track.seen.score), landmarks=landmarks)

    def _field(self, frame: Tensor, track: Track, dt: float) -> FlowField:
        each_frame = callable(self.fields)
        if each_frame:
            aligned = _square(frame, track.crop, self.settings.aligned_size)
            wanted = self.fields(aligned, track.crop.places)
        else:
            wanted = self.fields
        if wanted.batch != 1:
            raise ValueError(f"A clip takes one field for a face, got a batch of {wanted.batch}; select one of them.")
        wanted.require_finite()
        if not each_frame:
            return wanted
        values = wanted.coefficients()[..., None]
        return wanted.with_coefficients(self._filter(track, "field", 20.0)(values, dt)[..., 0])


# --- faces ----------------------------------------------------------------------------------------------------------


def _square(frame: Tensor, crop: Crop, size: int) -> Tensor:
    """The face square ``[1,3,size,size]`` of a frame ``[H,W,3]``."""
    return crop.aligned(frame.permute(2, 0, 1)[None], size)


def _template(view: Tensor) -> Tensor:
    """The middle of a face as ``[n]``, mean 0 and norm 1, so that a product of two is their correlation."""
    grey = view.mean(1, keepdim=True)
    m = view.shape[-1] // 5
    grey = F.interpolate(grey[..., m:-m, m:-m], (TEMPLATE, TEMPLATE), mode="bilinear", antialias=True).flatten()
    grey = grey - grey.mean()
    return grey / grey.norm().clamp(min=1e-3)


def _distance(a: Crop, b: Crop) -> float:
    """Between the middles of two crops, in sides of the larger one."""
    gap = (a.points[0].mean(0) - b.points[0].mean(0)).norm()
    return (gap / torch.maximum(a.side, b.side)).item()


def _is_face(crop: Crop, expected: Crop) -> bool:
    """Whether landmarks look like a face near where one was expected."""
    growth = (crop.side / expected.side).item()
    turned = pose(crop.places).abs().max().item()
    h, w = crop.image_size
    x, y = crop.points[0].mean(0).tolist()
    return (
        0.7 < growth < 1.4
        and crop.side.item() > SMALLEST
        and _distance(crop, expected) < 0.3
        and turned < TURNED
        and 0 <= x < w
        and 0 <= y < h
    )


def _likeness(track: Track, crop: Crop, template: Tensor, cut: bool) -> float:
    """Whether a lost face is this one: how alike they look; where it was lost a moment ago also counts."""
    near = 0.0 if cut or track.lost_for > 30 else 0.5 * max(0.0, 1 - 2 * _distance(track.seen, crop))
    return (track.template * template).sum().item() + near


def best_view(
    frames: Iterable, detector: Detector, seconds: float = 60.0, threshold: float | None = None
) -> tuple[Tensor, Crop, float] | None:
    """The best view of a face in a clip: large and from the front.

    Args:
        frames: of a :class:`flow_core.video.clips.Clip`; two a second are looked at.
        seconds: how much of the clip.

    Returns:
        The frame ``[H,W,3]``, the crop in it and its time; None where no face was seen.
    """
    editor = Editor(Field.zeros(2), detector, VideoSettings(threshold=threshold))
    best, found, due = 0.0, None, 0.0
    with torch.no_grad():
        for frame in frames:
            if frame.time > seconds:
                break
            if frame.time < due:
                continue
            due = frame.time + 0.5
            for crop in editor._detect(frame.pixels):
                crop, _ = editor._settle(frame.pixels, crop)
                worth = crop.side.item() * crop.frontality.item()
                if worth > best:
                    best, found = worth, (frame.pixels, crop, frame.time)
    return found
