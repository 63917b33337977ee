"""Where the frames of ``faceflow live`` come from: a camera, a file, or a synthetic face."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import torch

from ..video.ahead import ahead
from ..video.clips import Clip, ClipError, DamagedClip, Frame
from ..video.synthetic import synthetic


def open_source(name: str, size: tuple[int, int] = (720, 1280)) -> Iterator[Frame]:
    """Frames without end: a camera by its number, a file (again and again, at its own pace), or ``synthetic``.

    Raises:
        ClipError: there is no such source, or what reads it is not installed.
    """
    if name == "synthetic":
        try:
            from .demo import portraits
        except ImportError as e:
            raise ClipError(f"The synthetic face needs {e.name}: pip install scikit-image matplotlib tqdm") from e
        return _paced(ahead(synthetic(portraits()["grace_hopper"], size)))
    if name.isdigit():
        return ahead(_camera(int(name), size), 1)
    clip = Clip.open(name)
    return _paced(ahead(_again(clip)))


def _again(clip: Clip) -> Iterator[Frame]:
    """The frames of a clip without end, with rising times."""
    start = 0.0
    while True:
        last = None
        with suppress(DamagedClip):  # show what can be read, again and again
            for frame in clip:
                last = frame
                yield replace(frame, time=start + frame.time)
        if last is None:
            raise ClipError(f"{clip.path} has no frames.")
        start += last.time + 1 / float(clip.fps)


def _paced(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames, not faster than their time stamps; a source that falls behind does not catch up."""
    start = time.monotonic()
    for frame in frames:
        wait = start + frame.time - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        else:
            start -= wait
        yield frame


def _camera(number: int, size: tuple[int, int]) -> Iterator[Frame]:
    """The frames of a camera, by OpenCV if it is installed, else by PyAV."""
    try:
        import cv2
    except ImportError:
        yield from _camera_av(number, size)
        return
    camera = cv2.VideoCapture(number)
    try:
        camera.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
        camera.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])
        start = time.monotonic()
        for index in itertools.count():
            good, array = camera.read()
            if not good:
                raise ClipError(f"Camera {number} gives no picture; try another number, or 'synthetic'.")
            pixels = torch.from_numpy(array[..., ::-1].copy())
            yield Frame(pixels, index, time.monotonic() - start)
    finally:
        camera.release()


def _camera_av(number: int, size: tuple[int, int]) -> Iterator[Frame]:
    options = {"video_size": f"{size[1]}x{size[0]}", "framerate": "30"}
    if sys.platform.startswith("linux"):
        path, format = f"/dev/video{number}", "v4l2"
    elif sys.platform == "darwin":
        path, format = str(number), "avfoundation"
    else:  # dshow knows cameras by name only
        raise ClipError("Cameras on this system need OpenCV: pip install opencv-python")
    try:
        clip = Clip.open(path, format, **options)
    except ClipError as e:
        raise ClipError(f"Camera {number} cannot be opened ({e}); try another number, or 'synthetic'.") from e
    yield from clip
