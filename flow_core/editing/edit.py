"""The whole task: a picture and a prompt in, an edited picture and its field out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor

from ..faces.align import align
from ..faces.detect import Detector, load_detector
from ..fields.base import FlowField
from ..fields.new import new_field
from ..fields.told import telling
from ..geometry.crop import Crop
from ..guides.guide import Guide, load_guide
from ..guides.prompts import Prompt
from ..once import once
from ..warping.measure import edit_gain
from ..warping.warp import warp
from .optimize import Settings, Step, optimize
from .predict import Predictor

METHODS = ("optimize", "predict", "refine")
REFINING = 4  # a predicted field is refined by one in so many of the optimiser's steps

Watch: TypeAlias = Callable[[Step], None]
"""Called after every step of an optimisation: to show progress, or to cancel by raising an exception."""


@dataclass(frozen=True)
class Edited:
    """The result of :func:`edit`.

    Attributes:
        image: ``[B,3,H,W]`` the edited pictures.
        field: the edit, one for each face; it can be saved, scaled, and put on other pictures.
        crop: where the faces are.
        changed: ``[B,H,W]`` 1 where a pixel was changed.
    """

    image: Tensor
    field: FlowField
    crop: Crop
    changed: Tensor


def edit(
    image: Tensor,
    prompt: str | Prompt | Sequence[Prompt],
    method: str = "optimize",
    strength: float = 1.0,
    crop: Crop | None = None,
    guide: Guide | None = None,
    detector: Detector | None = None,
    **options: object,
) -> Edited:
    """Edit the largest face of each picture so that it follows a prompt.

    Args:
        image: ``[B,3,H,W]`` RGB 0..1.
        prompt: what the face should be, for instance ``"a smiling face"`` or ``"a smiling face | open mouth:0.5"``.
        method: see :func:`make_field`.
        strength: 0 = untouched, 1 = as made, negative = the opposite.
        crop: the faces to edit; None = the largest of each picture.
        guide: any guide; None = the built-in one.
        detector: finds the faces; None = the built-in one.
        options: of :func:`make_field`.

    Raises:
        FaceNotFound: no face was found.
        PromptError: the prompt cannot be parsed.
    """
    prompt = Prompt.parse(prompt) if isinstance(prompt, str) else prompt
    if crop is None:
        crop, _ = align(image, detector or load_detector())
    field = make_field(image, crop, guide or load_guide(), prompt, method, **options)
    edited, changed = warp(image, crop, field, strength, strength)
    return Edited(edited, field, crop, changed)


def make_field(
    image: Tensor,
    crop: Crop,
    guide: Guide,
    prompt: Prompt | Sequence[Prompt],
    method: str = "optimize",
    settings: Settings | None = None,
    start: FlowField | None = None,
    predictor: Predictor | None = None,
    watch: Watch | None = None,
) -> FlowField:
    """Make the edit that a prompt asks for; the shell, the nodes, the live page and the benchmarks all call this.

    Args:
        image: pictures ``[B,3,H,W]``.
        crop: the faces in them.
        guide: reads the prompt, and looks at faces where the edit is optimised.
        prompt: one for all faces, or one for each.
        method: ``optimize``: takes seconds a face, and is truest to the prompt. ``predict``: one pass of a network. ``refine``:
            predict, then optimise for a quarter of the steps.
        settings: of the optimisation.
        start: what ``optimize`` starts from; None = a new muscles field.
        predictor: the network, trained with the same guide; None = the built-in one.
        watch: called after every step of an optimisation.

    Returns:
        a field for each face, on the CPU.

    Raises:
        ValueError: an unknown method, or inputs that do not fit together.
        PredictorError: the predictor was trained with another guide.
    """
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}; use one of {', '.join(METHODS)}.")
    settings = settings or Settings()
    if method == "optimize":
        return _optimized(image, crop, guide, prompt, settings, start or new_field(batch=crop.batch), watch)
    predictor = predictor or builtin_predictor(guide.device)
    field = predictor.predict(image, crop, guide, prompt).to("cpu")
    if method == "refine":
        settings = replace(settings, steps=-(-settings.steps // REFINING))
        return _optimized(image, crop, guide, prompt, settings, field.with_meta(method="refine"), watch)
    if isinstance(prompt, Prompt):
        field = field.with_meta(gain=round(edit_gain(image, crop, field, guide, prompt).mean().item(), 3))
    return field


def _optimized(
    image: Tensor, crop: Crop, guide: Guide, prompt: Prompt | Sequence[Prompt], settings: Settings, start: FlowField,
    watch: Watch | None,
) -> FlowField:  # fmt: skip
    for step in optimize(image, crop, start, guide, prompt, settings):
        if watch is not None:
            watch(step)
    return telling(step.field.to("cpu"))


@once()
def builtin_predictor(device: torch.device | str = "cpu") -> Predictor:
    """The predictor that comes with FaceFlow, loaded once."""
    return Predictor.load(device=device)
