"""Reading video files: frames upright and in order, with their time stamps, and what of a file is damaged.

PyAV does the work (``pip install av``); it is imported only when a file is opened.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

MOST_PIXELS = 8192 * 8192  # of a picture
ATTACHED = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: a cover


class ClipError(ValueError):
    """A video file cannot be read or written; the message says what to do."""


class DamagedClip(ClipError):
    """Frames of a clip are missing, as it is cut off or damaged. Raised after the last frame that can be read."""


def require_av() -> ModuleType:
    """The module ``av``; :class:`ClipError` if it is not installed."""
    try:
        import av
    except ImportError as e:
        raise ClipError("Reading and writing video needs PyAV: pip install av") from e
    return av


@dataclass(frozen=True)
class Frame:
    """One frame of a clip, upright.

    Attributes:
        pixels: ``[H,W,3]`` uint8 RGB.
        pts: time stamp in units of the clip's ``time_base``.
        time: the same in seconds.
    """

    pixels: Tensor
    pts: int
    time: float

    def with_pixels(self, pixels: Tensor) -> Frame:
        return replace(self, pixels=pixels)


@dataclass(frozen=True)
class Clip:
    """What is known of a video file before its frames are read; iterate over it to read them.

    Attributes:
        path: the file, or the address of a camera.
        fps: mean frames a second.
        frames: number of frames that the file states; 0 if it states none.
        time_base: unit of time stamps, seconds.
        colors: matrix, range, primaries and transfer function, as FFmpeg numbers them.
        aspect: aspect ratio of a pixel (width over height) as it is shown.
        format: FFmpeg's name of the input format, for cameras.
        options: of FFmpeg's input, name and value.
        stream: index of the video stream; cover pictures do not count.
        start: time stamp at which the clip begins, seconds; not 0 in a broadcast. Times of frames and sound are relative to it.
        notes: what an 8-bit, opaque copy of the clip loses, one sentence each.
    """

    path: str
    fps: Fraction
    frames: int
    time_base: Fraction
    colors: tuple[int, int, int, int]
    aspect: Fraction
    format: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    stream: int = 0
    start: Fraction = Fraction(0)
    notes: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: str | Path, format: str | None = None, **options: str) -> Clip:
        """Open a file or camera, and look at its first frame.

        Args:
            path: the file, or the address of a camera.
            format: FFmpeg's name of the input format, for cameras.
            options: of FFmpeg's input.

        Raises:
            ClipError: PyAV is missing, or this is no video that can be read; the message says what to do.
        """
        av = require_av()
        if format is None and not Path(path).is_file():
            raise ClipError(f"There is no video at {path}.")
        with opened(av, str(path), format, options) as file:
            if file.format.name == "image2" or file.format.name.endswith("_pipe"):
                raise ClipError(
                    f"{path} is a picture: faceflow edit changes it, and faceflow copy takes its expression. Save an animation as .mp4."
                )
            stream = _film(file)
            if stream is None:
                raise ClipError(f"{path} holds no video stream; give a video file such as .mp4, .mov or .webm.")
            c = stream.codec_context
            if c.width * c.height > MOST_PIXELS:
                raise ClipError(
                    f"The pictures of {path} have {c.width}x{c.height} pixels, more than {MOST_PIXELS / 1e6:.0f} million; make them "
                    "smaller first."
                )
            fps = stream.average_rate or stream.guessed_rate or Fraction(30)
            count = stream.frames or (int(file.duration / 1e6 * fps) if file.duration else 0)
            colors = (int(c.colorspace), int(c.color_range), int(c.color_primaries), int(c.color_trc))
            aspect = stream.sample_aspect_ratio or Fraction(1)
            start, notes = Fraction(0), []
            if format is None:
                start = max(start, Fraction(file.start_time or 0, 1_000_000))
                first = next(_decoded(av, file, stream, _Losses()), None)
                if first is None:
                    raise ClipError(f"{path} holds no frame that can be read; convert it with another program first.")
                if _turn(first)[0]:
                    aspect = 1 / aspect
                notes = _not_kept(first, stream)
            return cls(
                str(path), fps, count, stream.time_base, colors, aspect, format, tuple(options.items()), stream.index,
                start, tuple(f"{Path(path).name} {note}" for note in notes),
            )  # fmt: skip

    def __iter__(self) -> Iterator[Frame]:
        """Decode the frames, upright and in order; memory does not grow with the length.

        Raises:
            DamagedClip: after all frames that can be read, where some could not.
        """
        av = require_av()
        losses = _Losses()
        with opened(av, self.path, self.format, dict(self.options)) as file:
            stream = file.streams[self.stream]
            stream.thread_type = "AUTO"
            step = max(1, round(1 / (self.fps * self.time_base)))
            last, turn, start = None, None, round(self.start / self.time_base)
            for frame in _decoded(av, file, stream, losses):
                pts = frame.pts - start if frame.pts is not None else 0 if last is None else last + step
                last = pts if last is None else max(pts, last + 1)  # encoders need rising time stamps
                turn = _turn(frame) if turn is None or _matrix(frame) else turn
                array = _turned(frame.to_ndarray(format="rgb24"), turn)
                yield Frame(torch.from_numpy(array), last, float(last * self.time_base))
            if self.format is None and (lost := losses.count(file, stream, self.fps)):
                end = (
                    f"it ends after {losses.end:.1f} of {losses.promised:.1f} seconds" if losses.promised else "damaged"
                )
                raise DamagedClip(
                    f"At least {lost} frame{'s' * (lost > 1)} of {self.path} cannot be read ({end}); copy the file anew, or "
                    "convert it with another program first."
                )


class _Losses:
    """Counts how much of a clip is missing while it is read.

    Attributes:
        packets: number of video packets that were read.
        failed: number of packets that could not be decoded, and of frames marked as damaged.
        shown: end of the last frame, seconds.
        reached: end of the last packet of any stream, seconds.
        end: where a clip that is cut off ends, seconds; else 0.
        promised: where it should have ended, seconds; else 0.
    """

    def __init__(self) -> None:
        self.packets = self.failed = 0
        self.shown = self.reached = self.end = self.promised = 0.0

    def count(self, file, stream, fps: Fraction) -> int:
        """How many frames are missing, once all packets were read.

        A file that is cut off often gives no error, so its stated length is compared with what was read. Formats state their length
        in different ways; a recorded broadcast has none.
        """
        frame = 1 / float(fps)
        slack, at, end = 1.5 * frame, self.shown, 0.0
        if "mp4" in file.format.name:  # an edit list may leave frames out, so their number alone says nothing
            if stream.duration is not None and self.packets < stream.frames:
                end = float((stream.duration + (stream.start_time or 0)) * stream.time_base)
        elif file.format.name == "avi":  # its duration is guessed where the end is missing, the number of frames is not
            end = stream.frames * frame
        else:
            end = ((file.duration or 0) + max(file.start_time or 0, 0)) / 1e6
            at, slack = self.reached, 0.25 + slack
        missing = 0
        if end - at > slack:
            self.end, self.promised = at, end
            missing = round((end - at) / frame)
        return max(missing, self.failed)


def _film(file):
    """The video stream that players show, which is no cover picture; None if there is none."""

    def is_cover(stream) -> bool:
        flags = stream.disposition
        return bool(int(getattr(flags, "value", flags)) & ATTACHED)  # an enum that is no number in older PyAV

    films = [s for s in file.streams.video if s.codec_context is not None and not is_cover(s)]
    best = file.streams.best("video")
    return best if any(best is s or best.index == s.index for s in films) else next(iter(films), None)


def _decoded(av: ModuleType, file, stream, losses: _Losses) -> Iterator:
    """The frames of a stream; packets that cannot be decoded are counted and skipped."""
    packets = file.demux()  # of all streams, as some formats only state the length of the whole file
    while True:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError):
            losses.failed += 1
            return
        if packet is None:
            return
        if packet.pts is not None:
            losses.reached = max(losses.reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream.index != stream.index:
            continue
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, OSError):
            losses.failed += 1
            continue
        losses.packets += packet.dts is not None or packet.size > 0
        for frame in frames:
            losses.failed += bool(frame.is_corrupt)
            if frame.pts is not None:
                length = getattr(frame, "duration", 0) or 1 / (stream.average_rate or 30) / stream.time_base
                losses.shown = max(losses.shown, float((frame.pts + length) * stream.time_base))
            yield frame


def _not_kept(frame, stream) -> list[str]:
    """What an 8-bit, opaque, progressive copy of a clip loses."""
    notes = []
    parts = frame.format.components
    opaque = 250  # and not 255, as older versions of FFmpeg round
    alpha = any(c.is_alpha for c in parts) and int(frame.to_ndarray(format="rgba")[..., 3].min()) < opaque
    # FFmpeg's own decoders of VP8 and VP9 drop the alpha channel
    if alpha or "1" in [v for k, v in stream.metadata.items() if k.lower() == "alpha_mode"]:
        notes.append("is transparent in places; the copy is not.")
    if max(c.bits for c in parts) > 8:
        notes.append(f"has {max(c.bits for c in parts)} bits a colour, the copy 8.")
    if frame.interlaced_frame:
        notes.append("is interlaced, and edits shift its half pictures against each other; deinterlace it first.")
    return notes


def _matrix(frame) -> tuple[int, ...] | None:
    """The display matrix of a frame as 9 fixed-point numbers; None if it has none, or if PyAV cannot list the frame's side data
    (it raises an error over kinds that are newer than itself)."""
    try:
        beside = list(frame.side_data)
    except ValueError:
        return None
    for data in beside:
        if data.type.name == "DISPLAYMATRIX":
            return struct.unpack("=9i", bytes(data)[:36])
    return None


def _turn(frame) -> tuple[bool, bool, bool]:
    """How a frame is to be shown: whether rows and columns are exchanged, then mirrored left to right, then turned upside down.
    Other angles than multiples of 90 degrees are rounded, as players do."""
    found = _matrix(frame)
    if found is None:
        return False, False, False
    a, b, _, c, d = found[:5]  # x' = a x + c y, y' = b x + d y
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def _turned(array: np.ndarray, turn: tuple[bool, bool, bool]) -> np.ndarray:
    """Pixels ``[H,W,3]``, turned as :func:`_turn` says."""
    exchanged, mirrored, upside_down = turn
    array = array.swapaxes(0, 1) if exchanged else array
    array = array[:, ::-1] if mirrored else array
    return np.ascontiguousarray(array[::-1] if upside_down else array)


def opened(av: ModuleType, path: str, format: str | None = None, options: dict[str, str] | None = None):
    """An open container of PyAV; :class:`ClipError` if it cannot be opened."""
    try:
        return av.open(path, format=format, options=options or {})
    except (av.error.FFmpegError, OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or e
        raise ClipError(f"{path} cannot be opened as a video ({why}); give a file such as .mp4, .mov or .webm.") from e
