"""Writing video files: frames are encoded in a thread of their own, with the sound of another clip.

PyAV does the work (``pip install av``); it is imported only when a file is opened.
"""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from pathlib import Path
from types import ModuleType, TracebackType

import numpy as np

from ..atomic import replacing, require_target
from .ahead import QUEUE
from .clips import Clip, ClipError, DamagedClip, Frame, opened, require_av

COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "flac", "opus")  # sound that an mp4 file holds; other sound becomes AAC
NOT_IN_MOV = ("flac", "opus")
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"
)  # fmt: skip


class Writer:
    """Encodes frames as H.264 in a thread of its own, with the sound of another clip. A context manager.

    The file takes its name only when it is complete. After an interrupt, or if the clip turns out to be damaged, what was written
    so far is kept as ``NAME.partial.mp4``, so that it never replaces a complete file. After any other error nothing is left behind.

    Args:
        path: ends in .mp4, .mov or .mkv.
        like: the clip whose time base, colour tags, pixel aspect and sound are kept.
        crf: x264's quality, 0 (lossless) to 51; 18 is hard to tell from the source.
        preset: x264's preset; slower ones make smaller files.
        sound: whether to copy the sound of ``like``.

    Attributes:
        count: frames written.
        kept: the file that was kept in the end; None before that, or if nothing was kept.
        notes: what of the sound could not be copied, one sentence each.
        seconds: processor time of the encoding thread.

    Raises:
        ClipError: the path, preset or quality is not possible.
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
        self.seconds = 0.0

    @property
    def unfinished(self) -> Path:
        """Where frames are kept if the clip is not complete."""
        return self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")

    def __enter__(self) -> Writer:
        self._av = require_av()
        self._file = replacing(self.path)
        self.partial = self._file.__enter__()
        self._thread = threading.Thread(target=self._work, name="faceflow-encode", daemon=True)
        self._thread.start()
        return self

    def write(self, frame: Frame) -> None:
        """Queue one frame; waits while the encoder is behind. :class:`ClipError` if encoding failed."""
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
            # after an interrupt, or at the end of what can be read, the frames so far are good
            part = kind is not None and (not issubclass(kind, Exception) or issubclass(kind, DamagedClip))
            if self._error is None and self.count and part:
                with replacing(self.unfinished) as target:
                    os.replace(self.partial, target)
                self.kept = self.unfinished
        except BaseException as e:  # interrupted once more: stop encoding
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
        """Tell the encoder that there are no more frames, and wait for it."""
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
    """Copies the sound of a clip, packet by packet; sound that the output cannot hold is encoded as AAC.

    Args:
        av: the module.
        clip: whose sound it is.
        out: the container to write to.
        notes: sentences about what is left out are added to it.
    """

    def __init__(self, av: ModuleType, clip: Clip, out, notes: list[str]) -> None:
        self.av, self.out, self.notes, self.name = av, out, notes, Path(clip.path).name
        self.file = opened(av, clip.path) if clip.format is None else None
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
        """Read the next packet, with time stamps relative to the start of the clip."""
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
        """Copy all packets up to a time in seconds."""
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
        """End the sound; ``complete``: copy the rest of it first."""
        if complete:
            self.copy_until(math.inf)
        for target, resampler in self.streams.values():
            if resampler is not None:
                self.out.mux(target.encode(None))
        if self.damaged:
            self.notes.append(f"The sound of {self.name} is damaged; {self.damaged} parts of it are left out.")
        if self.file is not None:
            self.file.close()
