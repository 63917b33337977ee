"""Optimise a field under a guide, one face or a batch, step by step: parameters -> field -> views -> objective -> step."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.landmarks import located, outline
from ..fields.base import FlowField
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..guides.guide import Guide
from ..guides.prompts import Prompt, directions
from ..threads import yielding
from ..warping.measure import measure
from ..warping.warp import warp
from .losses import face_importance
from .muscles import MuscleParameters
from .objective import Objective, Priors, least_unit_gain
from .painting import COLOR_LIMIT
from .parameters import Parameters, RasterParameters
from .views import DENSITY, Faces, ViewPool

EXTENT = 4.0  # how many times as far muscles go with preserve 0 as with 1
SETTLING = 8  # steps that an optimisation takes to come to rest once it need not go on
PATIENCE = 24  # steps before it is asked whether it need go on
PROBES = 4  # views in which the gain for one unit of change is measured


@dataclass(frozen=True)
class Settings:
    """How to optimise.

    Attributes:
        steps: Adam steps at most; an edit that goes no farther comes to rest before.
        views: augmented views per step and face.
        lr: step length at the start; it falls to zero along a cosine.
        margin: how far to go, in thousandths of the side of the face square, root mean square over it: each part of the prompt
            pulls until it has moved the face so far, whatever that gains. So one margin suits every prompt, face and guide.
        preserve: 0..1, the dial from bold to careful; drives all priors together.
        color_limit: largest colour offset, 0..1 of sRGB, where the prompt asks for colour; 0 leaves colours alone.
        priors: single weights.
        seed: of views and noise.
    """

    steps: int = 50
    views: int = 4
    lr: float = 6e-3
    margin: float = 5.0
    preserve: float = 0.5
    color_limit: float = COLOR_LIMIT
    priors: Priors = field(default_factory=Priors)
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("steps", 1, 10_000), ("views", 1, 64), ("lr", 1e-6, 1.0), ("margin", 0.0, 100.0), ("preserve", 0.0, 1.0),
            ("color_limit", 0.0, 1.0),
        ):  # fmt: skip
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"{name} must lie in {low}..{high}, got {value}.")


PARAMETERS: dict[str, Callable[..., Parameters]] = {
    **dict.fromkeys(("raster", "velocity", "implicit"), RasterParameters),
    "muscles": MuscleParameters,
}
"""Kind of field -> what optimises it; all are called like :class:`RasterParameters`."""


@dataclass(frozen=True)
class Step:
    """One step of an optimisation.

    Attributes:
        index: from 1.
        total: how many there will be, as far as is known; falls when the edit settles early.
        losses: name -> weighted value; ``total`` is their sum.
        gain: mean change of logit along the prompt, so far.
        raw: the edit as it stands, as it is optimised.
        faces: the faces that it is made for.
        finish: makes :attr:`field` of ``raw``.
    """

    index: int
    total: int
    losses: dict[str, float]
    gain: float
    raw: FlowField
    faces: Faces
    finish: Callable[[FlowField], FlowField]

    @functools.cached_property
    def field(self) -> FlowField:
        """The edit as it stands, in a form that does not fold at usual strengths: a velocity field, the neural field nearest to it, or
        muscles; made when it is asked for."""
        with torch.inference_mode(False):
            return self.finish(self.raw)

    @property
    def aligned(self) -> Tensor:
        """The unedited face squares ``[B,3,S,S]``."""
        return self.faces.aligned

    def preview(self) -> Tensor:
        """The edited face squares ``[B,3,S,S]``."""
        return warp(self.aligned, self.faces.crop, self.raw)[0]


def optimize(
    image: Tensor,
    crop: Crop,
    field: FlowField,
    guide: Guide,
    prompt: Prompt | Sequence[Prompt],
    settings: Settings | None = None,
) -> Iterator[Step]:
    """Optimise ``field`` so that the faces follow ``prompt`` (paper, section 3.2).

    Args:
        image: pictures ``[B,3,H,W]``.
        crop: the faces in them; one picture serves any crop.
        field: where to start, batch 1 or B; its raster is the resolution of the control points.
        guide: any guide.
        prompt: texts to follow, one for all faces or one for each.
        settings: see :class:`Settings`.

    Yields:
        A :class:`Step` after every step; stop iterating to cancel. The same inputs, seed and device give the same field.

    Raises:
        ValueError: batches do not fit, or the guide gives NaN.
    """
    settings = settings or Settings()
    crop = crop.for_pictures(len(image)) if len(image) > 1 else crop
    prompts = [prompt] * crop.batch if isinstance(prompt, Prompt) else list(prompt)
    told = " / ".join(dict.fromkeys(map(str, prompts)))
    prompts = [one.heard(guide) for one in prompts]
    _require(image, crop, field, prompts)
    with yielding():
        parameters, views, objective = _prepare(image, crop, field, guide, prompts, settings)
        about = {"prompt": told, "neutral": prompts[0].neutral, "guide": guide.name,
                 "seed": settings.seed, "preserve": settings.preserve,
                 **({"note": parameters.note} if parameters.note else {})}  # fmt: skip
        schedule = Schedule(min(settings.steps, parameters.most_steps or settings.steps), crop.batch)
        while schedule.index < schedule.end:
            # No autograd context is held across a yield: the consumer of the generator keeps its own mode.
            with torch.inference_mode(False), torch.enable_grad():
                edit = parameters.edit()
                verdict = objective(edit, views.change(edit.field, views.draw(settings.views)))
                loss = _finite(verdict.total, guide, schedule.index + 1)
                rate, pace = schedule.advance(verdict.progress)
                parameters.step(loss, rate, pace)
                raw, finish = parameters.snapshot()
                gain = verdict.gain.mean().item()
            losses = {**{name: term.item() for name, term in verdict.losses.items()}, "total": loss.item()}
            raw = raw.with_meta(**about, steps=schedule.index, gain=round(gain, 3))
            yield Step(schedule.index, schedule.end, losses, gain, raw, views.faces, finish)


def _require(image: Tensor, crop: Crop, field: FlowField, prompts: list[Prompt]) -> None:
    if image.shape[1] != 3:
        raise ValueError(f"A guide looks at RGB pictures, got {image.shape[1]} channels.")
    if field.batch not in (1, crop.batch):
        raise ValueError(f"{field.batch} fields do not fit {crop.batch} faces: one for all, or one for each.")
    if len(prompts) != crop.batch:
        raise ValueError(f"{len(prompts)} prompts do not fit {crop.batch} faces: one for all, or one for each.")


def _prepare(
    image: Tensor, crop: Crop, field: FlowField, guide: Guide, prompts: list[Prompt], settings: Settings
) -> tuple[Parameters, ViewPool, Objective]:
    """What an optimisation needs, from what it is given."""
    generator = torch.Generator().manual_seed(settings.seed)
    # Under ComfyUI's inference mode every tensor from outside has to be cloned before it may carry a gradient.
    with torch.inference_mode(False), torch.no_grad():
        device = guide.device
        aligned = crop.aligned(image, round(guide.image_size * DENSITY)).to(device)
        landmarks = located(image, crop).places.clone().to(device)
        faces = Faces(aligned, landmarks, crop.frontality.clone().to(device), (image, crop))
        parameters = PARAMETERS[field.kind](
            field.require_finite(),
            faces,
            guide,
            prompts,
            settings.lr,
            settings.color_limit,
            settings.margin * EXTENT ** (0.5 - settings.preserve),
        )
        ways, weight = _directions(guide, prompts)
        views = ViewPool(guide, faces, generator, parameters.fineness)
        importance = face_importance(pixel_centers(*field.size, device), outline(landmarks))
        priors = settings.priors.scaled(settings.preserve)
        objective = Objective(
            guide.scale, ways, weight, torch.ones_like(weight), settings.margin, priors, importance, faces.frontality,
            torch.linalg.pinv(ways),
        )  # fmt: skip
    with torch.inference_mode(False), torch.enable_grad():
        change = views.change(parameters.edit().field, torch.arange(PROBES, device=device))
        unit_gain = parameters.unit_gain(objective.gain(change).mean(1))
        unit_gain = torch.maximum(unit_gain, least_unit_gain(guide.scale, ways)).clamp(min=1e-6).detach()
    return parameters, views, replace(objective, unit_gain=unit_gain)


def _directions(guide: Guide, prompts: list[Prompt]) -> tuple[Tensor, Tensor]:
    """Text directions ``[B,K,D]`` of the parts of each prompt and their weights ``[B,K]``, filled up with zeros."""
    parts = {prompt: directions(guide, prompt) for prompt in set(prompts)}
    most = max(len(weight) for _, weight in parts.values())
    ways = {p: F.pad(d, (0, 0, 0, most - len(d))) for p, (d, _) in parts.items()}
    weights = {p: F.pad(w, (0, most - len(w))) for p, (_, w) in parts.items()}
    return torch.stack([ways[p] for p in prompts]), torch.stack([weights[p] for p in prompts])


def _finite(loss: Tensor, guide: Guide, index: int) -> Tensor:
    if torch.isfinite(loss):
        return loss
    raise ValueError(
        f"Guide {guide.name} returned NaN at step {index}; load it with precision fp32 (half precision overflows on some "
        "GPUs), or check the picture."
    )


class Schedule:
    """How large each step is, and when an optimisation ends: after ``steps``, or when no face goes on.

    Attributes:
        index: steps done.
    """

    def __init__(self, steps: int, batch: int) -> None:
        self.steps, self.index = steps, 0
        self.ends = torch.full((batch,), float(steps))
        self.trend: list[Tensor] = []

    @property
    def end(self) -> int:
        """The last step, as far as is known."""
        return int(self.ends.max())

    def advance(self, progress: Tensor) -> tuple[float, Tensor]:
        """Count a step: its length 0..1, along a cosine, and the share ``[B]`` of it that each face takes.

        Faces whose ``progress [B]`` rises no more come to rest, whatever others in the batch do.
        """
        progress = progress.cpu()
        before = self.trend[-1] if self.trend else progress
        self.trend.append(0.8 * before + 0.2 * progress)  # single values jump from view to view
        if self.index >= PATIENCE:
            settled = self.trend[-1] < 1.01 * self.trend[-12]
            self.ends = torch.where(settled, self.ends.clamp(max=self.index + SETTLING), self.ends)
        rate = 0.5 + 0.5 * math.cos(math.pi * min(1.0, self.index / self.steps))
        pace = ((self.ends - self.index) / SETTLING).clamp(0, 1)
        self.index += 1
        return rate, pace


def report(field: FlowField, crop: Crop) -> dict[str, float]:
    """Numbers for a table: guide gain in logits, share of folds, least Jacobian determinant (above 0: no
    fold), largest offset in pixels of the photo; the worst of a batch, of folds the mean."""
    measures = measure(field, crop)
    return {
        "gain": measures[0].gain,
        "folds": sum(m.folds for m in measures) / len(measures),
        "min_det": min(m.determinant for m in measures),
        "max_px": max(m.longest for m in measures),
    }


__all__ = ["Priors", "Settings", "Step", "optimize", "report"]
