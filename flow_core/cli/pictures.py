"""``faceflow edit``, ``sheet`` and ``apply``: edits of pictures."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from ..device import pick_device
from ..editing.optimize import report
from ..editing.tinted import painted_on
from ..fields.base import FlowField
from ..fields.container import require_field_target
from ..fields.expressions import PRESETS, preset
from ..fields.files import load_field
from ..fields.muscles import MusclesField
from ..fields.told import told
from ..geometry.crop import Crop
from ..guides.prompts import Prompt, lines_note
from ..io import picture, sheets
from ..warping.warp import warp
from . import common
from .common import warn
from .options import add_strengths

PROMPTS = ("a smiling face", "an angry face", "a surprised face", "a sad face", "a round face", "red lips", "tanned skin",
           "blond hair")  # fmt: skip


def add(
    commands: argparse._SubParsersAction,
    one: argparse.ArgumentParser,
    faces: argparse.ArgumentParser,
    how: argparse.ArgumentParser,
) -> None:
    """Add the commands.

    Args:
        one: the options that choose a face.
        faces: the options that choose one face or all.
        how: the options of an edit from a prompt.
    """
    p = commands.add_parser("edit", parents=[faces, how], help="edit a face from a prompt")
    p.add_argument("portrait", type=Path, help="a photo with a face")
    p.add_argument("prompt", help="for instance 'a smiling face' or 'a smiling face | open mouth:0.5 | angry:-0.3'; with --face all "
                   "a line for all, or one for each; a dash alone leaves a face as it is")  # fmt: skip
    p.add_argument("-o", "--output", type=Path, required=True, help="the picture to write")
    p.add_argument("--save-field", type=Path, metavar="FILE", help="also save the field (.safetensors)")
    p.add_argument("--field", type=Path, metavar="FILE", help=argparse.SUPPRESS)  # the name of --save-field until 0.2
    add_strengths(p)

    p = commands.add_parser("sheet", parents=[one, how], help="many faces and prompts in one contact sheet")
    p.add_argument("portraits", type=Path, nargs="+", help="photos with a face each")
    p.add_argument("-o", "--output", type=Path, required=True, help="the picture to write")
    p.add_argument("-p", "--prompt", action="append", help="may be repeated (default: eight of shape and colour)")
    p.add_argument("--expression", action="append", metavar="NAME", choices=tuple(PRESETS),
                   help="instead of prompts: one of the expressions of muscles, for instance smile; may be repeated")  # fmt: skip
    p.add_argument("--cell", type=int, default=256, help="side of each picture in pixels (default 256)")

    p = commands.add_parser("apply", parents=[faces], help="apply a saved field to a face")
    p.add_argument("portrait", type=Path, help="a photo with a face")
    p.add_argument("field", type=Path, help="an edit that was saved (.safetensors)")
    p.add_argument("-o", "--output", type=Path, required=True, help="the picture to write")
    add_strengths(p)


def edit(o: argparse.Namespace) -> None:
    """Edit the faces of a photo from a prompt."""
    Prompt.parse(o.prompt, o.neutral)
    common.settings_of(o)  # mistakes are told before the work begins
    picture.require_picture_target(o.output)
    save_field = _field_target(o)
    photo = common.open_photo(o.portrait)
    crop = common.find_face(photo, common.detector_of(o), o)
    guide = common.guide_of(o, pick_device(o.device))
    if note := lines_note(o.prompt, crop.batch):
        warn(note)
    lines, meant = Prompt.lines_for(o.prompt, crop.batch)
    crop = crop.only(meant)
    prompts = Prompt.parse_lines(lines, crop.batch, o.neutral)
    common.warn_unknown(prompts, guide)
    different = list(dict.fromkeys(prompts))
    start = time.perf_counter()
    field = common.make(
        photo.rgb, crop, guide, prompts if len(different) > 1 else different[0], o, " / ".join(map(str, different))
    )
    seconds = time.perf_counter() - start
    if save_field:
        field.save(save_field)
    common.write_edited(photo, crop, field, o)
    if note := field.meta.get("note"):
        warn(note)
    numbers = report(field, crop)
    # the gain of several prompts together is not known
    gain = f"guide gain {numbers['gain']:+.2f}, " if math.isfinite(numbers["gain"]) else ""
    print(f"{o.output}: {gain}folds {numbers['folds']:.2%}, largest offset {numbers['max_px']:.1f} px, {seconds:.1f} s")
    if isinstance(field, MusclesField):
        print(told(field))


def _field_target(o: argparse.Namespace) -> Path | None:
    """Where ``edit`` saves its field.

    In all other commands ``--field`` names a field that is read, so here it never replaces a file.
    """
    if o.field is None:
        return o.save_field and require_field_target(o.save_field, (".safetensors",))
    if o.save_field:
        raise ValueError("--field is the old name of --save-field; give one of the two.")
    if o.field.exists():
        raise ValueError(
            f"{o.field} is there already. To put this field on the picture: faceflow apply {o.portrait} {o.field} -o "
            f"{o.output}. To replace it by the new one: --save-field {o.field}."
        )
    return require_field_target(o.field, (".safetensors",))


def sheet(o: argparse.Namespace) -> None:
    """Draw a contact sheet of photos and prompts, or expressions."""

    picture.require_picture_target(o.output)
    if o.prompt and o.expression:
        raise ValueError("A sheet shows prompts or expressions; give --prompt or --expression.")
    columns = 1 + len(o.expression or o.prompt or PROMPTS)
    sheets.require_sheet(len(o.portraits), columns, o.cell)
    edits = _columns(o)
    detector = common.detector_of(o)
    rows = []
    for path in o.portraits:
        try:
            photo = common.open_photo(path).rgb
            crop = common.find_face(picture.Picture(photo), detector, o)
            wide = crop.widen(1.1)
            row = [("" if rows else "before", wide.aligned(photo, o.cell))]
            for name, made in edits.items():
                edited = warp(photo, crop, made(photo, crop, f"{path.name}: {name}"))[0]
                row.append(("" if rows else name, wide.aligned(edited, o.cell)))
        except (ValueError, OSError) as e:  # one bad picture must not cost the whole sheet
            warn(f"{path.name} is left out: {e}")
            continue
        rows.append(row)
    if not rows:
        raise ValueError("No face was found in any of the pictures; look at the messages above.")
    picture.write(picture.Picture(sheets.sheet(rows, o.cell)), o.output)
    print(o.output)


def _columns(o: argparse.Namespace) -> dict[str, Callable[[Tensor, Crop, str], FlowField]]:
    """The columns of a sheet: name -> what makes the field of a photo and its crop, under a label."""
    if o.expression:
        return {name: lambda *_, name=name: preset(name) for name in o.expression}
    prompts = [Prompt.parse(text, o.neutral) for text in o.prompt or PROMPTS]
    guide = common.guide_of(o, pick_device(o.device))
    return {str(p): lambda rgb, crop, label, p=p: common.make(rgb, crop, guide, p, o, label) for p in prompts}


def apply(o: argparse.Namespace) -> None:
    """Apply a saved field to a photo."""
    picture.require_picture_target(o.output)
    photo, field = common.open_photo(o.portrait), load_field(o.field)
    crop = common.find_face(photo, common.detector_of(o), o)
    if field.batch not in (1, crop.batch):
        raise ValueError(
            f"{o.field.name} is an edit of {field.batch} faces, and {crop.batch} of {o.portrait.name} taken; with --face all it fits a picture of "
            f"{field.batch} faces."
        )
    common.write_edited(photo, crop, painted_on(field, photo.pixels, crop), o)
    print(o.output)
