"""Options that several commands of ``faceflow`` have in common."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from ..editing.edit import METHODS
from ..editing.optimize import Settings
from ..editing.predict import BUILTIN as PREDICTOR
from ..faces.align import ORDERS
from ..fields.new import REPRESENTATIONS, RESOLUTION
from ..guides.guide import BUILTIN, PRECISIONS
from ..guides.prompts import NEUTRAL


def face_options(several: bool = False) -> argparse.ArgumentParser:
    """A parent parser with the options that choose a face; ``several``: all faces may be taken at once."""
    found = argparse.ArgumentParser(add_help=False)
    group = found.add_argument_group("which face")
    group.add_argument("--face", type=_face_number if several else int, default=0, metavar="N",
                       help="which face, counted from 0 (default 0)" + ("; or all, from left to right" if several else ""))  # fmt: skip
    group.add_argument("--order", choices=ORDERS, default="largest", help="how faces are counted (default largest)")
    add_detector(group)
    add_models(group)
    found.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    return found


def _face_number(text: str) -> int | None:
    """A number; None for ``all``."""
    return None if text == "all" else int(text)


_face_number.__name__ = "face number"  # argparse puts the name into its error message


def add_detector(p: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the options of the face detector."""
    p.add_argument("--detector", default="builtin", help="builtin, yunet, or a .safetensors file")
    p.add_argument("--threshold", type=float, help="least confidence of a face, 0..1")


def add_models(p: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the option that names folders with weights."""
    p.add_argument("--models", type=Path, action="append", default=[], metavar="DIR", help="folder with more weights")


def edit_options() -> argparse.ArgumentParser:
    """A parent parser with the options of an edit that is made from a prompt."""
    p = argparse.ArgumentParser(add_help=False)
    p.add_argument("--guide", default=BUILTIN, help=f"{BUILTIN}, ARCH:TAG, or a .safetensors file (see `faceflow guides`)")  # fmt: skip
    p.add_argument("--precision", choices=PRECISIONS, default="auto", help="of the guide (default auto)")
    p.add_argument("--neutral", default=NEUTRAL, help=f"the face as it is (default {NEUTRAL!r})")
    p.add_argument("--method", choices=METHODS, default="optimize",
                   help="optimize: seconds a face; predict: one pass of a network; refine: predict, then optimise for a quarter "
                   "of the steps")  # fmt: skip
    p.add_argument("--predictor", type=Path, default=PREDICTOR, metavar="FILE", help="weights trained for the guide")
    p.add_argument("--representation", choices=REPRESENTATIONS, default=REPRESENTATIONS[0],
                   help="what is optimised: muscles, a raster, or a small network: siren or fourier (default %(default)s)")  # fmt: skip
    p.add_argument("--resolution", type=int, default=RESOLUTION, help=f"control points a side (default {RESOLUTION})")
    p.add_argument("--steps", type=int, default=Settings.steps, help="of the optimisation, at most (default %(default)s)")  # fmt: skip
    p.add_argument("--seed", type=int, default=0, help="of random choices (default 0)")
    p.add_argument("--margin", type=float, default=Settings.margin,
                   help="how far to go, root mean square, in thousandths of the side of the face square (default %(default)s)")  # fmt: skip
    p.add_argument("--preserve", type=float, default=Settings.preserve, help="0 = bold, 1 = careful (default 0.5)")
    return p


def add_strengths(p: argparse.ArgumentParser) -> None:
    """Add the options that say how far an edit goes."""
    p.add_argument("--strength", type=float, default=1.0, metavar="S",
                   help="0 = untouched, 1 = as made, negative = reversed")  # fmt: skip
    p.add_argument("--color-strength", type=float, metavar="S", help="of the colour part alone (default: --strength)")


def add_encoding(p: argparse.ArgumentParser) -> None:
    """Add the options of x264."""
    p.add_argument("--crf", type=float, default=18, help="quality of x264, 0..51, lower is better (default 18)")
    p.add_argument("--preset", default="veryfast", help="of x264; slower ones make smaller files (default veryfast)")


def finite(text: str) -> float:
    """The number that an option gives; ValueError for NaN and infinity."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no finite number")
    return number
