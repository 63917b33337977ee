"""The ``faceflow`` command: which commands there are, and what becomes of their errors."""

from __future__ import annotations

import argparse

import torch

from ..editing.predict import PredictorError
from ..guides.guide import GuideError
from . import fields, muscles, pictures, video
from .common import warn
from .options import edit_options, face_options

COMMANDS = {
    "edit": pictures.edit, "sheet": pictures.sheet, "apply": pictures.apply,
    "video": video.video, "live": video.live,
    "muscles": muscles.muscles, "read": muscles.read, "copy": muscles.copy, "drive": muscles.drive,
    "view": fields.view, "export": fields.export, "import": fields.read_in, "guides": fields.guides,
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    ap = argparse.ArgumentParser(
        prog="faceflow", description="Edit faces from text by moving pixels along a flow field."
    )
    commands = ap.add_subparsers(dest="command", required=True)
    one, faces, how = face_options(), face_options(several=True), edit_options()
    pictures.add(commands, one, faces, how)
    video.add(commands, how)
    muscles.add(commands, one, faces)
    fields.add(commands, one)
    return ap


def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Returns:
        the exit code: 0 when it worked, 2 when the input was at fault, 130 after an interrupt.
    """
    commands = parser()
    o, rest = commands.parse_known_args(argv)
    if o.command in ("video", "live") and not o.prompt and len(rest) == 1 and not rest[0].startswith("-"):
        o.prompt = rest.pop()  # argparse does not look for an optional prompt behind an option
    if rest:
        commands.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        with torch.inference_mode():  # small operations take a fifth less time; what optimises leaves it for that
            COMMANDS[o.command](o)
    except (ValueError, GuideError, PredictorError, OSError) as e:
        warn(str(e))
        return 2
    except (MemoryError, RuntimeError) as e:
        if not out_of_memory(e):
            raise
        warn("there is not enough memory for this; choose a smaller picture, size, cell or resolution")
        return 2
    except KeyboardInterrupt:
        warn("stopped")
        return 130
    return 0


def out_of_memory(e: BaseException) -> bool:
    """Whether an error says that there was not enough memory; torch has no class of its own for that on a CPU."""
    words = ("not enough memory", "can't allocate memory", "out of memory", "Storage size calculation overflowed")
    return isinstance(e, MemoryError) or any(w in str(e) for w in words)
