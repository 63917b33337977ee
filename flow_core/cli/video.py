"""``faceflow video`` and ``faceflow live``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..device import pick_device
from ..editing.predict import Predictor
from ..faces.align import FaceNotFound
from ..faces.landmarks import load_landmarks
from ..fields.base import FlowField
from ..fields.container import require_field_target
from ..fields.files import load_field
from ..fields.raster import Field
from ..guides.prompts import Prompt
from ..video.ahead import ahead
from ..video.clips import MOST_PIXELS, Clip
from ..video.editor import Editor, FieldSource
from ..video.remarks import Remarks
from ..video.settings import Strength, VideoSettings, parse_keyframes
from ..video.tracking import best_view
from ..video.writer import Writer
from . import common
from .common import warn
from .options import add_detector, add_encoding, add_models, finite

SCANNED = 60  # seconds at the start of a clip in which the best view of a face is looked for


def add(commands: argparse._SubParsersAction, how: argparse.ArgumentParser) -> None:
    """Add both commands; ``how`` holds the options of an edit from a prompt."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--field", type=Path, help="a saved field (.safetensors) instead of a prompt")
    shared.add_argument("--smooth", type=float, default=0.5, help="0 = off, 0.5 = usual, 1 = very steady")
    shared.add_argument("--faces", choices=("all", "one"), default="all", help="one: the largest (default all)")
    shared.add_argument(
        "--detect-every", type=int, default=30, metavar="N", help="frames between searches (default 30)"
    )
    shared.add_argument("--sharp", action="store_true", help="bicubic sampling: a little sharper, a little slower")
    add_detector(shared)
    add_models(shared)
    shared.add_argument("--device", default="auto", help="auto, cuda, mps or cpu; of the models that make the edit")

    p = commands.add_parser("video", parents=[shared, how], help="edit the faces of a video")
    p.add_argument("clip", type=Path, help="a video")
    p.add_argument("prompt", nargs="?", help="for instance 'a smiling face'; or give --field")
    p.add_argument("-o", "--output", type=Path, required=True, help=".mp4, .mov or .mkv")
    p.add_argument("--strength", type=_strength, default=1.0, metavar="S",
                   help="a number, or SECONDS:STRENGTH,SECONDS:STRENGTH,... with straight lines between")  # fmt: skip
    p.add_argument("--ramp", type=float, default=0.0, metavar="SECONDS", help="rise from 0 at the start of the clip")
    add_encoding(p)
    p.add_argument("--save-field", type=Path, metavar="FILE", help="also save the optimised field")

    p = commands.add_parser("live", parents=[shared, how], help="edit a camera's picture and show it in the browser")
    p.add_argument(
        "source", nargs="?", default="0", help="camera number, video file, or 'synthetic' (default camera 0)"
    )
    p.add_argument("prompt", nargs="?", default="", help="may be changed on the page while it runs")
    p.add_argument("--strength", type=float, default=1.0, metavar="S", help="0 = untouched, 1 = as made (default 1)")
    p.add_argument("--size", type=_size, default=(720, 1280), metavar="WxH", help="of camera and synthetic picture")
    p.add_argument("--port", type=_port, default=8190, help="of the page on 127.0.0.1; 0 = any free one (default 8190)")
    p.add_argument("--window", action="store_true", help="show a window instead of a page (needs cv2 or tkinter)")


def _strength(text: str) -> float | Callable[[float], float]:
    try:
        return parse_keyframes(text) if ":" in text else finite(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number, or SECONDS:STRENGTH,... with rising times") from e


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(n) for n in text.lower().split("x"))
        if min(width, height) < 64 or width * height > MOST_PIXELS:
            raise ValueError
        return height, width
    except ValueError as e:
        raise argparse.ArgumentTypeError(
            f"{text!r}: give WIDTHxHEIGHT from 64x64 to 8192x8192, for instance 1280x720"
        ) from e


def _port(text: str) -> int:
    try:
        if not 0 <= int(text) <= 65535:
            raise ValueError
        return int(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"{text!r}: give a port from 0 (any free one) to 65535") from e


def with_ramp(strength: Strength, seconds: float) -> Strength:
    """The strength, rising linearly from 0 in the first ``seconds``."""
    if not 0 <= seconds < math.inf:
        raise ValueError(f"--ramp is a number of seconds, 0 or more; got {seconds}.")
    if seconds == 0:
        return strength
    return lambda t: min(1.0, t / seconds) * (strength(t) if callable(strength) else strength)


def settings(o: argparse.Namespace, **more: object) -> VideoSettings:
    """The settings that the options of both commands give."""
    return VideoSettings(
        smooth=o.smooth, faces=o.faces, detect_every=o.detect_every, threshold=o.threshold,
        interpolation="bicubic" if o.sharp else "bilinear", **more,
    )  # fmt: skip


def make_source(o: argparse.Namespace) -> FlowField | FieldSource:
    """The field of ``--field``; or that of the prompt: with ``--method predict`` made for each frame, else made once, on the best view of
    a face in the clip."""
    if o.field is not None:
        if o.prompt:
            raise ValueError("Give a prompt or --field, not both.")
        if o.save_field:
            raise ValueError("--save-field is for a field made from a prompt; --field names one that is saved already.")
        return load_field(o.field)
    if not o.prompt:
        raise ValueError("Say what the face should be: a prompt such as 'a smiling face', or --field FILE.")
    prompt = Prompt.parse(o.prompt, o.neutral)
    if o.save_field:
        require_field_target(o.save_field, (".safetensors",))
    device = pick_device(o.device)
    guide = common.guide_of(o, device)
    common.warn_unknown([prompt], guide)
    if o.method == "predict":
        if o.save_field:
            raise ValueError("--method predict makes a field for each frame, so none is saved; leave out --save-field.")
        return Predictor.load(o.predictor, device).bind(guide, prompt)
    detector = common.detector_of(o, "cpu")
    best = best_view(Clip.open(o.clip), detector, SCANNED, o.threshold)
    if best is None:
        raise FaceNotFound(f"No face found in the first {SCANNED} seconds of {o.clip}; try a lower --threshold.")
    frame, crop, seconds = best
    photo = frame.permute(2, 0, 1)[None].float() / 255
    crop = load_landmarks().refine(photo, crop)
    field = common.make(photo, crop, guide, prompt, o, f"{prompt} (on the frame at {seconds:.1f} s)")
    if o.save_field:
        field.save(o.save_field)
    return field


def video(o: argparse.Namespace) -> None:
    """Edit a clip, from file to file."""
    from tqdm import tqdm

    clip = Clip.open(o.clip)
    if o.output.resolve() == o.clip.resolve():
        raise ValueError("The output would overwrite the clip; give another name.")
    writer = Writer(o.output, clip, o.crf, o.preset)  # complains about a bad name before the work begins
    how = settings(o, strength=with_ramp(o.strength, o.ramp), fps=float(clip.fps))
    editor = Editor(make_source(o), common.detector_of(o, "cpu"), how)
    ids: set[int] = set()
    remarks = Remarks()
    with written(writer, clip) as out:
        bar = tqdm(total=clip.frames or None, desc=o.output.name, unit="frame", leave=False, disable=None)
        frames = ahead(iter(clip))
        done = editor.edits(frames)
        try:
            for frame, edited in done:
                ids.update(face.id for face in edited.faces)
                remarks.see(edited)
                out.write(frame.with_pixels(edited.pixels))
                bar.update()
        finally:
            done.close()
            frames.close()
            bar.close()
    print(f"{o.output}: {out.count} frames, {len(ids)} face{'' if len(ids) == 1 else 's'}")
    for line in remarks.lines():
        warn(line)
    if not ids:
        warn("no face was found, so the pictures are unchanged; try a lower --threshold")


@contextmanager
def written(writer: Writer, clip: Clip) -> Iterator[Writer]:
    """A context manager: the writer, for the block to fill. Afterwards it warns of what was not kept of the clip, and says where the
    frames are if the block failed."""
    try:
        with writer as out:
            yield out
    finally:
        for note in (*clip.notes, *writer.notes):
            warn(note)
        if writer.kept == writer.unfinished:
            warn(f"{writer.kept} holds the {writer.count} frames that were done; {writer.path} is untouched")


def live(o: argparse.Namespace) -> None:
    """Edit a camera, a file or a synthetic face until interrupted."""
    from .live import Live
    from .page import serve
    from .sources import open_source
    from .window import show_window

    if o.field is not None and o.prompt:
        raise ValueError("Give a prompt or --field, not both.")
    frames = open_source(o.source, o.size)
    device = pick_device(o.device)
    guide = common.guide_of(o, device)
    predictor = Predictor.load(o.predictor, device) if o.method == "predict" else None
    how = common.settings_of(o)
    editor = Editor(Field.zeros(2), common.detector_of(o, "cpu"), settings(o, strength=o.strength))
    show = Live(frames, editor, guide, how, o.neutral, o.resolution, predictor)
    if o.field is not None:
        show.set_field(load_field(o.field))
    elif o.prompt:
        show.change(prompt=o.prompt)
    with show:
        if o.window:
            show_window(show)
        else:
            with serve(show, o.port) as address:
                print(f"{address}  (Ctrl-C stops)", flush=True)
                show.wait()
