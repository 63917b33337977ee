"""Settings of the video editor, and strengths that change over time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from ..fields.base import FEATHER
from ..guides.nano import IMAGE_SIZE

Strength: TypeAlias = "float | Sequence[float] | Callable[[float], float]"


@dataclass(frozen=True)
class VideoSettings:
    """How a clip is edited.

    Attributes:
        strength: of the edit: a number, a list with one number for each frame, or a function of the time in seconds.
        smooth: 0 = no smoothing over time, 0.5 = usual, 1 = very steady.
        faces: ``all``, or ``one``: the largest face is followed until it is lost.
        detect_every: frames between searches for new faces.
        fade: frames over which an edit fades in on a new face, and out on a lost one.
        feather: as in :func:`flow_core.warping.warp.warp`.
        aligned_size: pixels a side of the aligned face that a field source gets.
        interpolation: ``bilinear``, or ``bicubic``: a little sharper, a little slower.
        threshold: least score of a new face; None = that of the detector.
        fps: frames a second, for frames that come without a time.

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
            ("fps", 0 < self.fps < math.inf, "above 0"),
        ):
            if not good:
                raise ValueError(f"{name} must be {wanted}, got {getattr(self, name)!r}.")
        if not callable(self.strength):  # check now, and not when half of the clip is done
            numbers = [self.strength] if isinstance(self.strength, int | float) else self.strength
            for index, number in enumerate(numbers):
                if not math.isfinite(number):
                    raise ValueError(f"The strength of frame {index} is {number}; give finite numbers.")

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


def parse_keyframes(text: str) -> Callable[[float], float]:
    """Strength over time from ``"0:0, 1.5:1, 3:0"``, seconds and strengths, as :func:`keyframes`.

    Raises:
        ValueError: it cannot be read, or times do not rise.
    """
    pairs = [point.split(":") for point in re.split(r"[,;\n]+", text.strip(" ,;\n"))]
    try:
        points = [(float(seconds), float(strength)) for seconds, strength in pairs]
    except ValueError:
        points = []
    if not points or not all(map(math.isfinite, (n for point in points for n in point))):
        raise ValueError(f"{text[:60]!r} is no schedule; write SECONDS:STRENGTH, for instance 0:0, 1.5:1, 3:0.")
    return keyframes(points)


def keyframes(points: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """A strength over time: linear between ``(seconds, strength)`` points, constant outside. ValueError unless the times rise."""
    if not points or not all(a[0] < b[0] for a, b in pairwise(points)):
        raise ValueError(f"Keyframes need rising times, got {[t for t, _ in points]}.")

    def at(seconds: float) -> float:
        if seconds <= points[0][0]:
            return points[0][1]
        for (t0, s0), (t1, s1) in pairwise(points):
            if seconds < t1:
                return s0 + (s1 - s0) * (seconds - t0) / (t1 - t0)
        return points[-1][1]

    return at
