"""Work that several commands of ``faceflow`` share: opening photos, finding faces, making edits and saving them.

``o`` is what argparse made of a command's options (:mod:`flow_core.cli.options`).
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..device import pick_device
from ..editing.edit import Watch, make_field
from ..editing.optimize import Settings, Step
from ..editing.predict import Predictor
from ..faces.align import align
from ..faces.detect import Detector, load_detector
from ..faces.doubts import doubts
from ..fields.base import FlowField
from ..fields.new import new_field
from ..geometry.crop import Crop
from ..guides.guide import Guide, load_guide
from ..guides.prompts import Prompt, unknown_note
from ..io import picture
from ..warping.jacobian import fold_note
from ..warping.measure import colors
from ..warping.warp import warp


def warn(line: str) -> None:
    """Print a line that is no result, to stderr."""
    print(f"faceflow: {line}", file=sys.stderr)


def warn_unknown(prompts: list[Prompt], guide: Guide) -> None:
    """Warn of words that a small guide never learnt."""
    if note := unknown_note(prompts, guide):
        never = any(prompt.unknown_words(guide) for prompt in prompts)
        warn(note + (" For instance: --guide ViT-B-32:laion2b_s34b_b79k" if never else ""))


def detector_of(o: argparse.Namespace, device: str | torch.device | None = None) -> Detector:
    """The detector that the options name, on ``--device`` or another one."""
    return load_detector(o.detector, o.models, pick_device(o.device) if device is None else device)


def guide_of(o: argparse.Namespace, device: torch.device) -> Guide:
    """The guide that the options name."""
    return load_guide(o.guide, device, o.precision, o.models)


def settings_of(o: argparse.Namespace) -> Settings:
    """How the options say that an edit is optimised; ValueError for numbers out of range."""
    return Settings(steps=o.steps, seed=o.seed, preserve=o.preserve, margin=o.margin)


def open_photo(path: Path) -> picture.Picture:
    """Read a picture, and warn of what in it could not be read as it is."""
    photo = picture.read(path)
    for note in photo.notes:
        warn(note)
    return photo


def find_face(photo: picture.Picture, detector: Detector, o: argparse.Namespace, option: str = "face") -> Crop:
    """The face whose number stands under ``option``, or all of them; warns where an edit of it is doubtful."""
    number = getattr(o, option)
    crop, [faces] = align(photo.rgb, detector, number, "left-right" if number is None else o.order, o.threshold)
    if number is not None and len(faces) > 1:
        name = option.replace("_", "-")
        warn(f"{len(faces)} faces found, taking number {number} ({o.order}); --{name} and --order choose another")
    for doubt in doubts(crop):
        warn(doubt)
    return crop


_predictor = functools.lru_cache(maxsize=1)(Predictor.load)  # a sheet asks for it in every cell


def make(
    photo: Tensor, crop: Crop, guide: Guide, prompt: Prompt | list[Prompt], o: argparse.Namespace, label: str
) -> FlowField:
    """Make an edit of faces as the options say, with a progress bar called ``label``."""
    predictor = None if o.method == "optimize" else _predictor(o.predictor, guide.device)
    start = new_field(o.representation, crop.batch, o.resolution)
    with watched(label, o.steps) as watch:
        return make_field(photo, crop, guide, prompt, o.method, settings_of(o), start, predictor, watch)


@contextmanager
def watched(label: str, total: int = Settings.steps) -> Iterator[Watch]:
    """A progress bar for an optimisation, on a terminal only."""
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit="step", leave=False, disable=None) as bar:

        def watch(step: Step) -> None:
            bar.total = step.total
            bar.set_postfix(gain=f"{step.gain:+.2f}", refresh=False)
            bar.update()

        yield watch


def write_edited(photo: picture.Picture, crop: Crop, field: FlowField, o: argparse.Namespace) -> None:
    """Apply a field to a photo at the strengths of the options, and save the result."""
    color = o.strength if o.color_strength is None else o.color_strength
    if photo.pixels.shape[1] == 1 and colors(field, crop, color):
        warn(f"{o.portrait.name} is grey and the edit has colours, so {o.output.name} is RGB.")
        photo = replace(photo, pixels=photo.rgb.contiguous())
    pixels, _ = warp(photo.pixels, crop, field, o.strength, color)
    if note := fold_note(field, o.strength, crop):
        warn(note)
    for note in picture.write(replace(photo, pixels=pixels), o.output):
        warn(note)
