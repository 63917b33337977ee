"""Video files: frames in and out in threads of their own, with sound, time stamps and orientation kept.

PyAV does the work (``pip install av``); it is imported only when a file is opened. A synthetic clip is here too.
"""

from __future__ import annotations

import math
import os
import queue
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..atomic import replacing, require_target
from ..geometry.grid import pixel_centers
from ..geometry.sampling import sample_image

QUEUE = 4  # frames that wait between two threads
COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "flac", "opus")  # sound that an mp4 file holds; other sound becomes AAC
NOT_IN_MOV = ("flac", "opus")
MOST_PIXELS = 8192 * 8192  # of a picture
ATTACHED = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: a cover
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"
)  # fmt: skip
T = TypeVar("T")


class ClipError(ValueError):
    """A video file cannot be read or written; the message says what to do."""


class DamagedClip(ClipError):
    """Frames of a clip are missing: it is cut off, or damaged. Raised after the last one that can be read."""


def require_av() -> ModuleType:
    """The module ``av``; :class:`ClipError` where it is not installed."""
    try:
        import av
    except ImportError as e:
        raise ClipError("Reading and writing video needs PyAV: pip install av") from e
    return av


@dataclass(frozen=True)
class Frame:
    """One picture of a clip, upright.

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
    """What a video file is, before its frames are read.

    Attributes:
        path: the file, or the address of a camera.
        fps: mean frames a second.
        frames: how many there are, as far as the file tells; 0 where it does not.
        time_base: unit of time stamps, seconds.
        colors: matrix, range, primaries and transfer function, as FFmpeg numbers them.
        aspect: width of a pixel, in its heights, as it is shown.
        format: FFmpeg's name of the input format, for cameras.
        stream: index of the video stream; cover pictures are none.
        start: time stamp of the beginning, seconds; that of a broadcast is not 0. Frames and sound are told from there.
        notes: what of the clip is not kept by an 8-bit, opaque copy, one sentence each.
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
        """Look into a file.

        Raises:
            ClipError: PyAV is missing, or this is no video.
        """
        av = require_av()
        if format is None and not Path(path).is_file():
            raise ClipError(f"There is no video at {path}.")
        with _opened(av, str(path), format, options) as file:
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
        """Decode, upright and in order; the memory used does not depend on the length.

        Raises:
            DamagedClip: after all frames that can be read, where some could not.
        """
        av = require_av()
        losses = _Losses()
        with _opened(av, self.path, self.format, dict(self.options)) as file:
            stream = file.streams[self.stream]
            stream.thread_type = "AUTO"
            step = max(1, round(1 / (self.fps * self.time_base)))
            last, turn, start = None, None, round(self.start / self.time_base)
            for frame in _decoded(av, file, stream, losses):
                pts = frame.pts - start if frame.pts is not None else 0 if last is None else last + step
                last = pts if last is None else max(pts, last + 1)  # an encoder takes rising stamps only
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
    """Counts what of a clip arrives.

    Attributes:
        packets: of the video, that came.
        failed: those that could not be decoded, and frames that are known to be damaged.
        shown: end of the last frame, seconds.
        reached: end of the last packet of any stream, seconds.
        promised: where the clip should have ended, seconds, if it does before; else 0.
    """

    def __init__(self) -> None:
        self.packets = self.failed = 0
        self.shown = self.reached = self.end = self.promised = 0.0

    def count(self, file, stream, fps: Fraction) -> int:
        """How many frames are missing. Formats tell their length in different ways, and a file that ends early often gives no
        error; a copy of a broadcast has no length of its own."""
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
    """The video stream that players show: no cover picture."""

    def is_cover(stream) -> bool:
        flags = stream.disposition
        return bool(int(getattr(flags, "value", flags)) & ATTACHED)  # an enum that is no number in older PyAV

    films = [s for s in file.streams.video if s.codec_context is not None and not is_cover(s)]
    best = file.streams.best("video")
    return best if any(best is s or best.index == s.index for s in films) else next(iter(films), None)


def _decoded(av: ModuleType, file, stream, losses: _Losses) -> Iterator:
    """The frames of a stream; what cannot be decoded is counted and left out."""
    packets = file.demux()  # of all streams, as some files tell their length as a whole only
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
    alpha = (
        any(c.is_alpha for c in parts) and int(frame.to_ndarray(format="rgba")[..., 3].min()) < 250
    )  # older FFmpeg rounds
    # of VP8 and VP9 FFmpeg's own decoders leave it out
    if alpha or "1" in [v for k, v in stream.metadata.items() if k.lower() == "alpha_mode"]:
        notes.append("is transparent in places; the copy is not.")
    if max(c.bits for c in parts) > 8:
        notes.append(f"has {max(c.bits for c in parts)} bits a colour, the copy 8.")
    if frame.interlaced_frame:
        notes.append("is interlaced, and edits shift its half pictures against each other; deinterlace it first.")
    return notes


def _matrix(frame) -> tuple[int, ...] | None:
    """The display matrix of a frame as 9 fixed point numbers; None where it has none, or where PyAV does not know what else lies beside the frame
    (in pictures, and in files of programs that are newer than it)."""
    try:
        beside = list(frame.side_data)
    except ValueError:
        return None
    for data in beside:
        if data.type.name == "DISPLAYMATRIX":
            return struct.unpack("=9i", bytes(data)[:36])
    return None


def _turn(frame) -> tuple[bool, bool, bool]:
    """How a frame is shown: rows and columns exchanged, then mirrored left to right, then upside down. A turn by another angle than
    quarters is rounded, as players do."""
    found = _matrix(frame)
    if found is None:
        return False, False, False
    a, b, _, c, d = found[:5]  # x' = a x + c y, y' = b x + d y
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def _turned(array: np.ndarray, turn: tuple[bool, bool, bool]) -> np.ndarray:
    exchanged, mirrored, upside_down = turn
    array = array.swapaxes(0, 1) if exchanged else array
    array = array[:, ::-1] if mirrored else array
    return np.ascontiguousarray(array[::-1] if upside_down else array)


def _opened(av: ModuleType, path: str, format: str | None = None, options: dict[str, str] | None = None):
    try:
        return av.open(path, format=format, options=options or {})
    except (av.error.FFmpegError, OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or e
        raise ClipError(f"{path} cannot be opened as a video ({why}); give a file such as .mp4, .mov or .webm.") from e


def ahead(items: Iterator[T], size: int = QUEUE) -> Iterator[T]:
    """The same items, made in a thread of their own, at most ``size`` ahead of their use."""
    waiting: queue.Queue = queue.Queue(size)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((None, StopIteration()))
        except BaseException as e:
            put((None, e))

    thread = threading.Thread(target=work, name="faceflow-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stopped.set()
        thread.join()


class Writer:
    """Encodes frames into an mp4 file (H.264) in a thread of its own, with the sound of another clip.

    A context manager. The file appears under its name when it is complete, and only then. What was written until an interrupt, or
    until the clip proved to be damaged, is kept beside it as ``NAME.partial.mp4``, so that it never takes the place of a
    whole one; after any other error nothing is left behind.

    Args:
        path: ends in .mp4, .mov or .mkv.
        like: the clip whose time base, colours and sound are kept.
        crf: x264's quality, 0 (lossless) to 51; 18 is hard to tell from the source.
        preset: x264's preset; slower ones make smaller files.
        sound: whether to take the sound of ``like`` along.

    Attributes:
        count: frames written.
        kept: where they lie in the end; None before it, or where nothing was kept.
        notes: what could not be taken along, one sentence each.
    """

    def __init__(
        self, path: str | Path, like: Clip, crf: float = 18, preset: str = "veryfast", sound: bool = True
    ) -> None:
        self.path, self.like, self.crf, self.preset, self.sound = Path(path), like, crf, preset, sound
        try:
            for target in (self.path, self.unfinished):
                require_target(target, (".mp4", ".mov", ".mkv"), "A video")
        except (ValueError, OSError) as e:
            raise ClipError(str(e)) from e
        if preset not in PRESETS:
            raise ClipError(f"x264 has no preset {preset!r}; use one of {', '.join(PRESETS)}.")
        if not 0 <= crf <= 51:
            raise ClipError(f"The quality crf lies between 0 (best) and 51, got {crf}.")
        self._waiting: queue.Queue = queue.Queue(QUEUE)
        self._error: BaseException | None = None
        self._cut = False  # leave out the sound after the last frame
        self._given_up = False
        self.count = 0
        self.kept: Path | None = None
        self.notes: list[str] = []
        self.seconds = 0.0  # processor time of the encoding thread

    @property
    def unfinished(self) -> Path:
        """Where frames are kept when there are not all of them."""
        return self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")

    def __enter__(self) -> Writer:
        self._av = require_av()
        self._file = replacing(self.path)
        self.partial = self._file.__enter__()
        self._thread = threading.Thread(target=self._work, name="faceflow-encode", daemon=True)
        self._thread.start()
        return self

    def write(self, frame: Frame) -> None:
        """Queue one frame; waits while the encoder is behind."""
        while self._error is None:
            try:
                self._waiting.put(frame, timeout=0.1)
                self.count += 1
                return
            except queue.Full:
                continue
        raise self._failure()

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cut = kind is not None
        try:
            self._finish()
            # an interrupt, or the end of what can be read: no failure of ours
            part = kind is not None and (not issubclass(kind, Exception) or issubclass(kind, DamagedClip))
            if self._error is None and self.count and part:
                with replacing(self.unfinished) as target:
                    os.replace(self.partial, target)
                self.kept = self.unfinished
        except BaseException as e:  # interrupted once more: do not wait any longer
            self._given_up = True
            self._finish()
            self._file.__exit__(type(e), e, None)
            raise
        if kind is None and self._error is None and self.count:
            self._file.__exit__(None, None, None)
            self.kept = self.path
            return
        failure = error
        if kind is None:
            failure = self._failure() if self._error else ClipError("The video has no frames, so nothing was written.")
        self._file.__exit__(type(failure), failure, None)  # the unfinished file goes
        if kind is None:
            raise failure

    def _finish(self) -> None:
        """Let the encoder come to its end."""
        while self._thread.is_alive():
            try:
                self._waiting.put(None, timeout=0.1)
                break
            except queue.Full:
                continue
        self._thread.join()

    def _failure(self) -> Exception:
        e = self._error
        return e if isinstance(e, ClipError) else ClipError(f"{self.path} cannot be written ({type(e).__name__}: {e}).")

    def _work(self) -> None:
        import time

        try:
            with self._av.open(str(self.partial), "w") as out:
                self._encode(out)
        except BaseException as e:
            self._error = e
        self.seconds = time.thread_time()

    def _encode(self, out) -> None:
        first = self._waiting.get()
        if first is None:
            return
        height, width = first.pixels.shape[:2]
        stream = self._stream(out, height, width)
        sound = _Sound(self._av, self.like, out, self.notes) if self.sound else None
        frame = first
        while frame is not None and not self._given_up:
            if frame.pixels.shape[:2] != (height, width):
                raise ClipError(
                    f"The picture changes its size within the clip, from {width}x{height} to "
                    f"{frame.pixels.shape[1]}x{frame.pixels.shape[0]}; convert it to one size first."
                )
            out.mux(stream.encode(self._picture(frame, height, width)))
            if sound is not None:
                sound.copy_until(frame.time)
            frame = self._waiting.get()
        out.mux(stream.encode())
        if sound is not None:
            sound.close(not self._cut)

    def _stream(self, out, height: int, width: int):
        stream = out.add_stream("libx264", rate=self.like.fps)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(self.crf), "preset": self.preset}
        c = stream.codec_context
        stream.time_base = c.time_base = self.like.time_base
        c.colorspace, c.color_range, c.color_primaries, c.color_trc = self.like.colors
        c.sample_aspect_ratio = self.like.aspect
        return stream

    def _picture(self, frame: Frame, height: int, width: int):
        array = frame.pixels.numpy()
        if height % 2 or width % 2:  # 4:2:0 needs even sides: the last row or column once more
            array = np.pad(array, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = self._av.VideoFrame.from_ndarray(array, format="rgb24")
        picture = picture.reformat(
            format="yuv420p", dst_colorspace=self.like.colors[0], dst_color_range=self.like.colors[1] or 1
        )
        picture.pts, picture.time_base = frame.pts, self.like.time_base
        return picture


class _Sound:
    """Carries the sound of a file over, packet by packet."""

    def __init__(self, av: ModuleType, clip: Clip, out, notes: list[str]) -> None:
        self.av, self.out, self.notes, self.name = av, out, notes, Path(clip.path).name
        self.file = _opened(av, clip.path) if clip.format is None else None
        self.streams: dict[int, tuple] = {}
        self.damaged, self.start = 0, clip.start
        copied = [n for n in COPIED if not (out.format.name == "mov" and n in NOT_IN_MOV)]
        for number, stream in enumerate(self.file.streams.audio if self.file else (), 1):
            if stream.codec_context is None:  # FFmpeg has no decoder; its packets mean nothing to players either
                notes.append(f"Sound track {number} of {self.name} is left out: FFmpeg does not know its kind.")
            elif stream.codec_context.name in copied:
                self.streams[stream.index] = out.add_stream_from_template(stream), None
            else:
                new = out.add_stream("aac", rate=stream.rate)
                new.layout = "mono" if stream.channels == 1 else "stereo"
                self.streams[stream.index] = new, av.AudioResampler("fltp", new.layout, new.rate)
        self.packets = iter(())
        if self.streams:
            self.packets = self.file.demux([s for s in self.file.streams.audio if s.index in self.streams])
        self._step()

    def _step(self) -> None:
        try:
            self.next = next(self.packets, None)
            if self.next is not None and self.start:
                shift = round(self.start / self.next.time_base)
                for stamp in ("pts", "dts"):
                    if (value := getattr(self.next, stamp)) is not None:
                        setattr(self.next, stamp, value - shift)
        except (self.av.error.FFmpegError, OSError):
            self.next = None
            self.damaged += 1

    def copy_until(self, time: float) -> None:
        while self.next is not None:
            packet = self.next
            if packet.pts is not None and float(packet.pts * packet.time_base) > time:
                return
            self._copy(packet)
            self._step()

    def _copy(self, packet) -> None:
        target, resampler = self.streams[packet.stream.index]
        if resampler is not None:
            try:
                frames = packet.decode()
            except (self.av.error.FFmpegError, OSError):
                self.damaged += 1
                return
            for frame in frames:
                for part in resampler.resample(frame):
                    self.out.mux(target.encode(part))
        elif packet.dts is not None:
            packet.stream = target
            self.out.mux(packet)

    def close(self, complete: bool) -> None:
        if complete:
            self.copy_until(math.inf)
        for target, resampler in self.streams.values():
            if resampler is not None:
                self.out.mux(target.encode(None))
        if self.damaged:
            self.notes.append(f"The sound of {self.name} is damaged; {self.damaged} parts of it are left out.")
        if self.file is not None:
            self.file.close()


def motion(time: float, size: tuple[int, int], amount: float = 1.0) -> Tensor:
    """How a synthetic face lies at ``time`` seconds: ``[3,3]``, pixels of the frame -> pixels of the portrait's middle
    (0, 0), at half the portrait's scale for a 720 px high frame. Smooth: sums of sines of 0.1 to 0.5 Hz."""
    height, width = size
    turn = 0.16 * amount * math.sin(2 * math.pi * 0.21 * time)
    zoom = 1.0 + 0.12 * amount * math.sin(2 * math.pi * 0.13 * time + 1)
    x = width * (0.5 + 0.12 * amount * math.sin(2 * math.pi * 0.17 * time))
    y = height * (0.5 + 0.05 * amount * math.sin(2 * math.pi * 0.41 * time))
    cos, sin = zoom * math.cos(turn), zoom * math.sin(turn)
    linear = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[:2, :2] = linear
    matrix[:2, 2] = -linear @ torch.tensor([x, y], dtype=torch.float64)
    return matrix


def synthetic(
    portrait: Tensor,
    size: tuple[int, int] = (720, 1280),
    fps: float = 30.0,
    amount: float = 1.0,
    noise: float = 0.0,
    seed: int = 0,
) -> Iterator[Frame]:
    """An endless clip of a portrait that moves, turns and zooms smoothly, as :func:`motion` says.

    Args:
        portrait: ``[1,3,h,w]`` 0..1; its height fills that of the frame.
        size: (height, width) of the frames.
        amount: of motion; 0 = a static picture.
        noise: standard deviation of sensor noise, 8-bit steps.
    """
    height, width = size
    scale = portrait.shape[2] / height
    middle = torch.tensor([portrait.shape[3] / 2, portrait.shape[2] / 2])
    pixels = pixel_centers(height, width) * torch.tensor([width, height]).float()
    generator = torch.Generator().manual_seed(seed)
    index = 0
    while True:
        m = motion(index / fps, size, amount).float()
        points = (pixels @ m[:2, :2].T + m[:2, 2]) * scale + middle
        picture = sample_image(portrait, points)[0].permute(1, 2, 0) * 255
        if noise:
            picture = picture + noise * torch.randn(picture.shape, generator=generator)
        yield Frame(picture.round().clamp(0, 255).byte(), index, index / fps)
        index += 1
