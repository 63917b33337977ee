"""``faceflow muscles``, ``read``, ``copy`` and ``drive``: what faces do, by the names of their muscles."""

from __future__ import annotations

import argparse
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import torch.nn.functional as F

from ..faces.align import align
from ..fields.container import require_field_target
from ..fields.expressions import PRESETS, expression, expression_of, table
from ..fields.muscles import MusclesField
from ..fields.told import what_it_does
from ..geometry.crop import Crop
from ..io import picture
from ..video.drive import REFERENCES
from . import common
from .common import warn
from .options import add_encoding, add_strengths


def add(commands: argparse._SubParsersAction, one: argparse.ArgumentParser, faces: argparse.ArgumentParser) -> None:
    """Add the commands; ``one`` holds the options that choose a face, ``faces`` those that choose one face or all."""
    p = commands.add_parser("muscles", parents=[faces], help="move the muscles and the shape of a face by name")
    p.add_argument("portrait", type=Path, help="a photo with a face")
    p.add_argument("amounts", help="for instance 'smile', 'smile 0.6, relax browDown 1' or 'mouthSmile 0.7, eyeBlinkLeft 1'; "
                   "--names lists all")  # fmt: skip
    p.add_argument("-o", "--output", type=Path, required=True, help="the picture to write")
    p.add_argument("--save-field", type=Path, metavar="FILE", help="also save the field (.safetensors)")
    p.add_argument("--names", action=_Names, help="list the names of expressions, muscles and shapes, and end")
    add_strengths(p)

    p = commands.add_parser("read", parents=[one], help="say what a face shows, as a table of muscles")
    p.add_argument("portrait", type=Path, help="a photo with a face")
    p.add_argument("--save-field", type=Path, metavar="FILE", help="save it as a field that copies the expression")

    p = commands.add_parser("copy", parents=[faces], help="put the expression of one face on another")
    p.add_argument("portrait", type=Path, help="a photo with a face")
    p.add_argument("other", type=Path, help="the photo whose expression is copied")
    p.add_argument(
        "--other-face", type=int, default=0, metavar="N", help="which face of it, counted from 0 (default 0)"
    )
    p.add_argument("-o", "--output", type=Path, required=True, help="the picture to write")
    p.add_argument("--save-field", type=Path, metavar="FILE", help="also save the field (.safetensors)")
    add_strengths(p)

    p = commands.add_parser("drive", parents=[one], help="move a portrait by the expressions of a clip")
    p.add_argument("portrait", type=Path, help="a photo with a face")
    p.add_argument("clip", type=Path, help="a video of a face, which may be another person's; its sound comes along")
    p.add_argument("-o", "--output", type=Path, required=True, help=".mp4, .mov or .mkv")
    p.add_argument("--reference", choices=REFERENCES, default="neutral",
                   help="the frame of the clip that leaves the portrait as it is: its most neutral one (its gaze counts from where eyes look most of the time), or its first")  # fmt: skip
    p.add_argument(
        "--strength", type=float, default=1.0, metavar="S", help="1 = as in the clip (default), 2 = twice that"
    )
    p.add_argument("--smooth", type=float, default=0.5, help="0 = off, 0.5 = usual, 1 = very steady")
    p.add_argument("--size", type=int, default=1280, metavar="N",
                   help="longest side of the video in pixels, at most that of the portrait (default 1280)")  # fmt: skip
    add_encoding(p)


class _Names(argparse.Action):
    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from ..faces.rig import load_rig

        rig = load_rig()
        print("expressions:", ", ".join(PRESETS))
        print("muscles, 0..1, also with Left or Right:", ", ".join(_both(rig.unit_names)))
        print("shapes, -2..2, also with Left or Right:", ", ".join(_both(rig.control_names)))
        print("relax MUSCLE, 0..1: takes a share of what the face shows already away; relax alone: of all")
        parser.exit()


def _both(names: tuple[str, ...]) -> list[str]:
    """Names without Left and Right where there are both."""
    short = [n.removesuffix("Left").removesuffix("Right") for n in names]
    return list(
        dict.fromkeys(
            s if {s + "Left", s + "Right"} <= set(names) and s not in ("jaw", "mouth") else n  # those go to a side
            for s, n in zip(short, names, strict=True)
        )
    )


def muscles(o: argparse.Namespace) -> None:
    """Move the muscles of one face."""
    _targets(o)  # mistakes are told before the work begins
    field = expression(o.amounts)
    photo, crop = _face(o.portrait, o)
    _finish(photo, crop, field, o)


def read(o: argparse.Namespace) -> None:
    """Print what a face shows."""
    _targets(o)
    _, crop = _face(o.portrait, o)
    field = expression_of(crop)
    if o.save_field:
        field.with_meta(prompt=f"expression of {o.portrait.name}").save(o.save_field)
    print(table(field))


def copy(o: argparse.Namespace) -> None:
    """Put the expression of one photo on another."""
    _targets(o)
    photo, crop = _face(o.portrait, o)
    _, other = _face(o.other, o, "other_face")
    _finish(photo, crop, expression_of(other).with_meta(prompt=f"expression of {o.other.name}"), o)


def drive(o: argparse.Namespace) -> None:
    """Move a portrait by a clip, from file to file."""
    from tqdm import tqdm

    from ..video.ahead import ahead
    from ..video.clips import Clip, Frame
    from ..video.drive import drive as driven
    from ..video.drive import driving_fields, read_frames, relative
    from ..video.settings import VideoSettings
    from ..video.writer import Writer
    from .video import written

    if o.size < 64:
        raise ValueError(f"The longest side of the video must be at least 64 pixels, got {o.size}.")
    clip = Clip.open(o.clip)
    if o.output.resolve() in (o.clip.resolve(), o.portrait.resolve()):
        raise ValueError("The output would overwrite the clip or the portrait; give another name.")
    writer = Writer(o.output, replace(clip, aspect=Fraction(1)), o.crf, o.preset)  # complains about a bad name at once
    how = VideoSettings(smooth=o.smooth, threshold=o.threshold, fps=float(clip.fps))
    photo = common.open_photo(o.portrait).rgb
    if (shrink := o.size / max(photo.shape[2:])) < 1:
        size = [max(1, round(n * shrink)) for n in photo.shape[2:]]
        photo = F.interpolate(photo, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    detector = common.detector_of(o)
    crop, _ = align(photo, detector, o.face, o.order, o.threshold)
    frames = ahead(iter(clip))
    try:
        bar = tqdm(frames, total=clip.frames or None, desc=o.clip.name, unit="frame", leave=False, disable=None)
        reading = read_frames(bar, detector, how)
    finally:
        frames.close()
    fields = driving_fields(relative(reading.units, o.reference), o.strength)
    still = (photo[0].permute(1, 2, 0) * 255).round().byte().contiguous()
    with written(writer, clip) as out:
        pictures = tqdm(
            driven(still, crop, fields), total=fields.batch, desc=o.output.name, unit="frame", leave=False, disable=None
        )
        for edited, stamp, time in zip(pictures, reading.stamps, reading.times, strict=True):
            out.write(Frame(edited.pixels, stamp, time))
    print(f"{o.output}: {out.count} frames")
    if lost := reading.found.count(False):
        warn(f"{lost} frames of {o.clip.name} show no face; they keep the expression before")


def _targets(o: argparse.Namespace) -> None:
    if getattr(o, "output", None):
        picture.require_picture_target(o.output)
    if o.save_field:
        require_field_target(o.save_field, (".safetensors",))


def _face(path: Path, o: argparse.Namespace, option: str = "face") -> tuple[picture.Picture, Crop]:
    photo = common.open_photo(path)
    return photo, common.find_face(photo, common.detector_of(o), o, option)


def _finish(photo: picture.Picture, crop: Crop, field: MusclesField, o: argparse.Namespace) -> None:
    if o.save_field:
        field.save(o.save_field)
    common.write_edited(photo, crop, field, o)
    print(f"{o.output}: {what_it_does(field)}")
