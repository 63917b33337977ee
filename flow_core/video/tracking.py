"""Tracking faces through a clip: where each face is in every frame, and which face is which."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..editing.painting import color_span
from ..faces.align import sort_faces
from ..faces.blur import blur
from ..faces.covered import LEAST, likely_covered, spared
from ..faces.creases import creases
from ..faces.detect import Detection, Detector
from ..faces.fit import FittedFace
from ..faces.glasses import glasses_worn
from ..faces.hair import FAR
from ..faces.landmarks import SIZE, WIDEN, Landmarks, five_points, load_landmarks, pose
from ..faces.lids import lid_colors
from ..faces.mouth import between_lips, mouth_colors
from ..faces.shown import VIEW
from ..geometry.crop import Crop
from ..geometry.sampling import downscaled
from ..geometry.worn import Worn
from .clips import DamagedClip
from .settings import VideoSettings
from .smoothing import OneEuro, cutoff
from .talking import Speech

DETECT_SIDE = 320  # longest side of the reduced frame that the detector sees, pixels
ENLARGED = 1.2  # largest enlargement at which the detector looks at it; takes half the time of 2
CLOSE_SIDE = 1920  # longest side in the first frame of a scene, and now and then while there is no face
LOCAL_SIDE = 96  # side of the square around a doubtful face that the detector sees, pixels
LOCAL_THRESHOLD = 0.5  # least score of a doubtful face
TEMPLATE = 20  # pixels a side of the small grey picture by which faces are told apart
LEAST_CORRELATION = 0.5  # of the templates of consecutive frames; a lower one makes the face doubtful
SAME_FACE = 0.75  # least correlation of templates for a face to be recognised after a while or a cut
MOST_TURNED = 0.6  # turn of the head (see landmarks.pose) beyond which landmarks are not to be trusted
LOOK_AGAIN = (
    0.02  # crop sides; if the landmarks are farther from the expected place, they are found once more from there
)
LEAST_SIDE = 32  # pixels; a face whose square is smaller is not followed, as an edit on it could not be seen
MEMORY = 300  # frames after which a lost face is forgotten
LOOKS, LOOK_EVERY = 15, 4  # number of looks for glasses on each face, and frames between them
CREASES = 128  # pixels a side of the face square in which creases are looked for
LIGHT_EVERY, LIGHT_SHARE = 32, 0.25  # frames between looks at the light on a face, and weight of each new look
MOUTH_EVERY = 2  # frames between looks at what open lips show
MOUTH_BETA = 1.5  # of the filter of what they show (:class:`flow_core.video.smoothing.OneEuro`)
COVER_EVERY = 4  # frames between looks for what covers a face; 2 while something does
COVER_SECONDS = (0.06, 0.2)  # time constants of the low-pass on covers that appear, and that go
COVER_FADE = 0.2  # seconds in which covers fade in and out


@dataclass
class Track:
    """A face that is followed.

    Attributes:
        id: stays with the face, also when it leaves and comes back.
        observed: where the landmark network saw it last, not smoothed.
        template: what it looks like, see :func:`_template`.
        presence: 0..1, how far the edit has faded in.
        visible: whether the last frame showed it.
        crop: where it is, smoothed, with landmarks; None before the first frame is done.
        lost_for: frames since it was last seen.
        filters: name -> filter of one of its values, see :meth:`filter`.
        fitted: the rig as fitted in the last frame, for fields that need a face.
        glasses: as in :class:`flow_core.geometry.crop.Crop`.
        looks: results of the looks for glasses so far; empty if the answer was given with the crop.
        colors: teeth and tongue (the first rows of ``Crop.mouth``), ``Crop.lids`` and ``Crop.blur``; empty = not looked for yet.
        between: what open lips show, the other rows of ``Crop.mouth``; None = not looked for yet.
        cover: what covers it.
        spans: largest span so far, with skin (True) and without, see :meth:`span_of`.
        speech: tells how far it talks.
    """

    id: int
    observed: Crop
    template: Tensor
    presence: float = 0.0
    visible: bool = True
    crop: Crop | None = None
    lost_for: int = 0
    filters: dict[str, OneEuro] = field(default_factory=dict)
    fitted: FittedFace | None = None
    glasses: tuple[Worn | None, ...] = ()
    looks: list[Worn | None] = field(default_factory=list)
    colors: tuple[Tensor, ...] = ()
    between: Tensor | None = None
    cover: Cover = field(default_factory=lambda: Cover())
    spans: dict[bool, float] = field(default_factory=dict)
    speech: Speech = field(default_factory=Speech)

    def span_of(self, regions: Collection[str], frame: Tensor) -> float:
        """Side of the square in which regions are painted in a frame ``[H,W,3]``, in sides of the face square.

        It never shrinks. Hair beyond :data:`flow_core.faces.hair.FAR`, which a network looks for, is looked for only once.
        """
        skin = "skin" in regions
        known = self.spans.get(skin, 0.0)
        if not skin and ("hair" not in regions or known >= FAR):
            return max(known, 1.0) if "hair" in regions else 1.0
        found = color_span(regions, replace(self.crop, view=None), frame.permute(2, 0, 1)[None])
        self.spans[skin] = max(known, found)
        return self.spans[skin]

    def filter(self, name: str, smooth: float, beta: float, shared: bool = False) -> OneEuro:
        """The filter of one of the track's values, created when needed; ``smooth`` is that of the settings."""
        one = self.filters.setdefault(name, OneEuro(cutoff(smooth), beta, shared=shared))
        one.min_cutoff = cutoff(smooth)
        return one

    def expected(self, dt: float) -> Tensor:
        """The five points ``[1,5,2]`` expected in ``dt`` seconds, extrapolated from the smoothed ones, so that the jitter of the last
        frame does not shake the network's next view."""
        one = self.filters.get("points")
        if one is None or one.speed is None:
            return self.observed.points
        return one.value + one.speed.mean(-2, keepdim=True) * dt * self.observed.side.item()

    def vote(self, worn: Worn | None) -> None:
        """Count one more look for glasses. The answer changes only if two thirds of at least five looks speak against it."""
        self.looks.append(worn)
        wearing = self.glasses[0] is not None if self.glasses else worn is not None
        against = sum((look is not None) != wearing for look in self.looks)
        if len(self.looks) >= 5 and 3 * against >= 2 * len(self.looks):
            wearing = not wearing
        self.glasses = (Worn.usual([look for look in self.looks if look is not None]) if wearing else None,)


class Cover:
    """What covers a face, over time.

    A single look is uncertain, and would flicker. So probabilities pass a low-pass, and whether enough of the face is covered to
    be heeded has two thresholds (hysteresis) and fades in and out.
    """

    def __init__(self) -> None:
        self.last: Tensor | None = None  # probabilities of the last look
        self.probable: Tensor | None = None  # the same, smoothed
        self.heeded, self.weight = False, 0.0

    def see(self, probable: Tensor, share: float) -> None:
        """Take in a new look: probabilities ``[1,1,n,n]``, and the share of the face that is covered."""
        self.last = probable
        self.heeded = share > (LEAST / 2 if self.heeded else LEAST)

    def after(self, dt: float) -> Tensor | None:
        """How far each place is to be left unedited ``dt`` seconds later, ``[1,1,n,n]`` 0..1; None = nowhere."""
        if self.probable is None:  # the first look is believed as it is
            self.probable, self.weight = self.last, float(self.heeded)
        step = self.last - self.probable
        come, go = (1 - math.exp(-dt / seconds) for seconds in COVER_SECONDS)
        self.probable = self.probable + step * torch.where(step > 0, come, go)
        change = dt / COVER_FADE
        self.weight = min(1.0, self.weight + change) if self.heeded else max(0.0, self.weight - change)
        found = spared(self.probable) * self.weight if self.weight else None
        return found if found is not None and found.any() else None


class Tracker:
    """Follows faces from frame to frame, finds new ones, loses them, and recognises them when they come back.

    The detector finds faces in a reduced frame; the landmark network follows them. That network draws a face anywhere, so its
    answer is believed only if it has the shape of a face, lies near the expected place, and looks as the face did before.

    Args:
        detector: finds faces.
        first: where the face is in the first frame; then only this face is followed.
        landmarks: the network that follows faces; None = the built-in one.

    Attributes:
        tracks: the faces, including those lost less than :data:`MEMORY` frames ago.
        index: frames done.

    Raises:
        ValueError: ``first`` has more than one face.
    """

    def __init__(self, detector: Detector, first: Crop | None = None, landmarks: Landmarks | None = None) -> None:
        if first is not None and first.batch != 1:
            raise ValueError(f"The crop of the first frame holds {first.batch} faces; give the crop of one picture.")
        self.detector, self.first, self.landmarks = detector, first, landmarks or load_landmarks()
        self.tracks: list[Track] = []
        self.index = 0
        self._next_id = 0
        self._thumb: Tensor | None = None
        self._searched = self._searched_closely = -(10**9)

    def is_cut(self, frame: Tensor) -> bool:
        """Whether a new scene begins: pixels and histogram both change abruptly, or pixels change very much."""
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

    def follow(self, frame: Tensor, cut: bool, dt: float, settings: VideoSettings) -> None:
        """Find the known faces in a frame, ``dt`` seconds after the last one."""
        for track in self.tracks:
            if cut:
                track.visible, track.presence = False, 0.0
                track.filters, track.fitted, track.speech = {}, None, Speech()
            if not track.visible:
                track.lost_for += 1
                continue
            guess = Crop.from_points(track.expected(dt), track.observed.image_size, track.observed.score)
            look = self._look(frame, guess)
            if _distance(look[0], guess) > LOOK_AGAIN:
                look = self._look(frame, look[0])
            due = self.index % settings.detect_every == settings.detect_every // 2
            if due or not self._plausible(guess, *look, track.template):
                look = self._look_closer(frame, guess)
            if look is None:
                track.visible, track.lost_for = False, 0
                continue
            crop, template = look
            track.observed, track.template = crop, template
        self._drop_duplicates()
        self.tracks = [t for t in self.tracks if t.visible or t.lost_for < MEMORY]

    def _look(self, frame: Tensor, guess: Crop) -> tuple[Crop, Tensor]:
        """One pass of the landmark network around a guess: the new crop, and the template of the face."""
        wide = guess.widen(WIDEN)
        view = square(frame, wide, SIZE)
        points = wide.to_image(self.landmarks(view)[:, None])[:, 0]
        crop = replace(Crop.from_points(five_points(points), guess.image_size, guess.score), landmarks=points)
        return crop, _template(view)

    def _plausible(self, guess: Crop, crop: Crop, template: Tensor, before: Tensor) -> bool:
        """Whether what the network saw is the face that was expected."""
        return _is_face(crop, guess) and (template * before).sum().item() > LEAST_CORRELATION

    def _look_closer(self, frame: Tensor, guess: Crop) -> tuple[Crop, Tensor] | None:
        """Ask the detector about a doubtful face: its crop and template, or None if there is no face."""
        wide = guess.widen(1.4)
        view = square(frame, wide, LOCAL_SIDE)
        faces = self.detector(view[0], LOCAL_THRESHOLD)
        middle = view.new_tensor([LOCAL_SIDE / 2] * 2)
        faces = [f for f in faces if (f.points.mean(0) - middle).norm() < LOCAL_SIDE / 4]
        if not faces:
            return None
        points = wide.to_image(faces[0].points[None, None] / LOCAL_SIDE)[:, 0]
        crop, template = self._look(frame, Crop.from_points(points, guess.image_size, (faces[0].score,)))
        # prefer what the network sees from the guess alone, if it agrees, so that the check causes no jump
        undisturbed, its_template = self._look(frame, guess)
        return (undisturbed, its_template) if _distance(undisturbed, crop) < 0.1 else (crop, template)

    def _drop_duplicates(self) -> None:
        """Of two tracks on one face keep the older one."""
        kept: list[Track] = []
        for track in self.tracks:
            if not (track.visible and any(t.visible and _distance(track.observed, t.observed) < 0.25 for t in kept)):
                kept.append(track)
        self.tracks = kept

    def search(self, frame: Tensor, cut: bool, settings: VideoSettings) -> None:
        """Look for new and lost faces, if that is due; call it after :meth:`follow`."""
        s = settings
        if self.first is not None and self.index == 0:
            self._begin(frame, self.first, presence=1.0)
            return
        one = s.faces == "one" or self.first is not None
        if one and any(t.visible for t in self.tracks):
            return
        nobody = not any(t.visible for t in self.tracks)
        missing = nobody or any(not t.visible and t.lost_for < 2 * s.detect_every for t in self.tracks)
        wait = max(1, s.detect_every // 6) if missing else s.detect_every
        if not cut and self.index - self._searched < wait:
            return
        self._searched = self.index
        # A close look, for small faces in large frames, costs as much as four others; not while a face is being followed.
        closely = cut or (nobody and self.index - self._searched_closely >= s.detect_every)
        if closely:
            self._searched_closely = self.index
        crops = [
            c
            for c in self.detect(frame, s.threshold, closely)
            if not any(t.visible and _distance(c, t.observed) < 0.5 for t in self.tracks)
        ]
        newcomers = []
        for detected in crops:
            crop, template = self.settle(frame, detected)
            if not _is_face(crop, detected):
                continue
            lost = [t for t in self.tracks if not t.visible]
            similarity = {t.id: _similarity(t, crop, template, cut) for t in lost}
            best = max(lost, key=lambda t: similarity[t.id], default=None)
            if best is not None and similarity[best.id] > SAME_FACE:
                self._resume(best, crop, template, 1.0 if cut else best.presence)
                if one:
                    return
            else:
                newcomers.append((crop, template))
        for crop, template in newcomers[:1] if one else newcomers:
            self._add(crop, template, 1.0 if cut else 0.0)

    def detect(self, frame: Tensor, threshold: float | None = None, closely: bool = True) -> list[Crop]:
        """All faces of a frame, the largest first; ``closely``: including faces as small as in still pictures."""
        h, w = frame.shape[:2]
        scale = min(1.0, (CLOSE_SIDE if closely else DETECT_SIDE) / max(h, w))
        small = downscaled(frame.permute(2, 0, 1)[None], scale)
        options = {} if threshold is None else {"threshold": threshold}
        faces: list[Detection] = self.detector(small[0], enlarged=2.0 if closely else ENLARGED, **options)
        grow = torch.tensor([w / small.shape[3], h / small.shape[2]])
        return [Crop.from_points((f.points.cpu() * grow)[None], (h, w), (f.score,)) for f in sort_faces(faces)]

    def settle(self, frame: Tensor, crop: Crop) -> tuple[Crop, Tensor]:
        """The crop and the template of a detected face, after some passes of the landmark network."""
        for _ in range(3):
            crop, template = self._look(frame, crop)
        return crop, template

    def _begin(self, frame: Tensor, crop: Crop, presence: float) -> None:
        self._add(*self.settle(frame, crop.to("cpu")), presence)
        self.tracks[-1].glasses = crop.glasses

    def look_for_glasses(self, frame: Tensor, track: Track) -> None:
        """Set the glasses of a track's crop, by a vote over some of its first frames."""
        known = bool(track.glasses) and not track.looks
        if (
            not known
            and len(track.looks) < LOOKS
            and track.visible
            and (not track.looks or self.index % LOOK_EVERY == 0)
        ):
            track.vote(glasses_worn(frame.permute(2, 0, 1)[None], track.observed)[0])
        if track.glasses:
            track.crop = replace(track.crop, glasses=track.glasses)

    def look_for_colors(self, frame: Tensor, track: Track, dt: float, smooth: float) -> None:
        """Set ``mouth``, ``lids`` and ``blur`` of a track's crop.

        Colours and blur change slowly and are averaged over time. What open lips show changes as people speak; it is looked for in
        every second frame and filtered, since it would flicker otherwise.
        """
        light = not track.colors or self.index % LIGHT_EVERY == 0
        if track.visible and (light or self.index % MOUTH_EVERY == 0):
            crop = track.observed
            mouth = mouth_colors(frame.permute(2, 0, 1)[None], crop)
            if light:
                lids = lid_colors(square(frame, crop.widen(WIDEN), VIEW), crop.places)
                seen = mouth[:, :2], lids, blur(frame.permute(2, 0, 1)[None], crop)
                track.colors = tuple(
                    new if old is None else torch.lerp(old, new, LIGHT_SHARE)
                    for old, new in zip(track.colors or [None] * len(seen), seen, strict=True)
                )
            between = between_lips(mouth, crop.places.to(mouth))
            track.between = track.filter("mouth", smooth, MOUTH_BETA)(between, MOUTH_EVERY * dt)
        if track.colors:
            inside, lids, blurred = track.colors
            track.crop = replace(track.crop, mouth=torch.cat([inside, track.between], 1), lids=lids, blur=blurred)

    def look_for_covers(self, frame: Tensor, track: Track, dt: float) -> None:
        """Set ``covered`` of a track's crop, looked for now and then and smoothed over time."""
        cover = track.cover
        every = 2 if cover.heeded else COVER_EVERY
        if cover.last is None or self.index % every == 0:
            probable, share = likely_covered(frame.permute(2, 0, 1)[None], track.crop)
            cover.see(probable, share.item())
        track.crop = replace(track.crop, covered=cover.after(dt))

    def look_for_creases(self, frame: Tensor, track: Track) -> None:
        """Set ``creases`` of a track's crop, which differ from frame to frame."""
        track.crop = replace(track.crop, creases=creases(frame.permute(2, 0, 1)[None], track.crop, CREASES))

    def look_at(self, frame: Tensor, track: Track) -> None:
        """Set ``view`` of a track's crop to the face in this frame."""
        track.crop = replace(track.crop, view=square(frame, track.crop.widen(WIDEN), VIEW))

    def _add(self, crop: Crop, template: Tensor, presence: float) -> None:
        self.tracks.append(Track(self._next_id, crop, template, presence))
        self._next_id += 1

    def _resume(self, track: Track, crop: Crop, template: Tensor, presence: float) -> None:
        track.observed, track.template, track.presence = crop, template, presence
        track.visible, track.lost_for, track.filters, track.fitted = True, 0, {}, None
        track.cover = Cover()

    def smooth(self, track: Track, dt: float, smooth: float) -> None:
        """Set :attr:`Track.crop`: the smoothed points and landmarks."""
        side = track.observed.side.item()
        points = track.filter("points", smooth, 40.0, shared=True)(track.observed.points, dt, side)
        landmarks = track.filter("landmarks", smooth, 40.0)(track.observed.landmarks, dt, side)
        track.crop = replace(
            Crop.from_points(points, track.observed.image_size, track.observed.score), landmarks=landmarks
        )


def square(frame: Tensor, crop: Crop, size: int) -> Tensor:
    """The face square ``[1,3,size,size]`` of a frame ``[H,W,3]``."""
    return crop.aligned(frame.permute(2, 0, 1)[None], size)


def _template(view: Tensor) -> Tensor:
    """The middle of a face as a small grey picture ``[n]`` of mean 0 and norm 1, so that the dot product of two is their correlation."""
    grey = view.mean(1, keepdim=True)
    m = view.shape[-1] // 5
    grey = F.interpolate(grey[..., m:-m, m:-m], (TEMPLATE, TEMPLATE), mode="bilinear", antialias=True).flatten()
    grey = grey - grey.mean()
    return grey / grey.norm().clamp(min=1e-3)


def _distance(a: Crop, b: Crop) -> float:
    """Distance of the middles of two crops, in sides of the larger one."""
    gap = (a.points[0].mean(0) - b.points[0].mean(0)).norm()
    return (gap / torch.maximum(a.side, b.side)).item()


def _is_face(crop: Crop, expected: Crop) -> bool:
    """Whether the landmarks of a crop have the shape of a face, near where one was expected."""
    growth = (crop.side / expected.side).item()
    turned = pose(crop.places).abs().max().item()
    h, w = crop.image_size
    x, y = crop.points[0].mean(0).tolist()
    return (
        0.7 < growth < 1.4
        and crop.side.item() > LEAST_SIDE
        and _distance(crop, expected) < 0.3
        and turned < MOST_TURNED
        and 0 <= x < w
        and 0 <= y < h
    )


def _similarity(track: Track, crop: Crop, template: Tensor, cut: bool) -> float:
    """How similar a lost face is to this one: correlation of their templates, plus a bonus if it was lost close by a moment ago."""
    close_by = 0.0 if cut or track.lost_for > 30 else 0.5 * max(0.0, 1 - 2 * _distance(track.observed, crop))
    return (track.template * template).sum().item() + close_by


def best_view(
    frames: Iterable, detector: Detector, seconds: float = 60.0, threshold: float | None = None
) -> tuple[Tensor, Crop, float] | None:
    """The best view of a face in a clip: large and frontal.

    Args:
        frames: of a :class:`flow_core.video.clips.Clip`; two a second are looked at.
        seconds: how much of the clip is looked at.
        threshold: least score of a face; None = that of the detector.

    Returns:
        the frame ``[H,W,3]``, the crop in it, and its time in seconds; None if no face was found.
    """
    tracker = Tracker(detector)
    best, view, due = 0.0, None, 0.0
    with torch.no_grad(), suppress(DamagedClip):  # whoever reads the whole clip will report it
        for frame in frames:
            if frame.time > seconds:
                break
            if frame.time < due:
                continue
            due = frame.time + 0.5
            for crop in tracker.detect(frame.pixels, threshold):
                crop, _ = tracker.settle(frame.pixels, crop)
                quality = crop.side.item() * crop.frontality.item()
                if quality > best:
                    best, view = quality, (frame.pixels, crop, frame.time)
    return view
