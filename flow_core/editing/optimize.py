"""Optimising a field under a guide, for one face or a batch: parameters -> field -> views -> objective -> step."""

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

EXTENT = 4.0  # how many times as far muscles go with preserve 0 as with preserve 1
SETTLING = 8  # steps in which a face slows down once its progress has stopped
PATIENCE = 24  # steps before progress is looked at
PROBES = 4  # views in which the gain for one unit of change is measured


@dataclass(frozen=True)
class Settings:
    """How to optimise.

    Attributes:
        steps: steps at most, 1..10000; an edit whose progress stops ends earlier.
        views: augmented views per step and face, 1..64.
        lr: step length at the start, 1e-6..1; it falls to zero along a cosine.
        margin: how far to go, 0..100: root mean square of the movement over the face square, in thousandths of its side. Each
            part of the prompt pulls until it has moved the face so far, however large its gain is. So one margin suits every
            prompt, face and guide.
        preserve: 0 (bold) .. 1 (careful); scales all priors together.
        color_limit: largest colour offset, 0..1 of sRGB, if the prompt asks for colour; 0 = no colours.
        priors: weights of single priors.
        seed: of views and noise.

    Raises:
        ValueError: a number is out of range.
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
"""Kind of field -> class that optimises it; all have the arguments of :class:`RasterParameters`."""


@dataclass(frozen=True)
class Step:
    """One step of an optimisation.

    Attributes:
        index: from 1.
        total: how many there will be, as far as is known; falls when progress stops.
        losses: name -> weighted value; ``total`` is their sum.
        gain: change of the guide's logits along the prompt so far, mean over faces and views.
        raw: the edit so far, in the form in which it is optimised.
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
        """The edit so far, in a form that does not fold at usual strengths: a velocity field, the neural field nearest to it, or a
        muscles field. Made on first access."""
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
        field: where to start, batch 1 or B; its kind is what is optimised, its size the resolution of control points.
        guide: any guide.
        prompt: one for all faces, or one for each.
        settings: see :class:`Settings`.

    Yields:
        a :class:`Step` after every step; stop iterating to cancel. The same inputs, seed and device give the same field.

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
    """Set up the parameters, the views and the objective of an optimisation."""
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
    """Text directions ``[B,K,D]`` of the parts of each prompt and their weights ``[B,K]``, padded with zeros."""
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
    """How long each step is, and when an optimisation ends: after ``steps``, or when no face makes progress.

    Args:
        steps: at most.
        batch: number of faces.

    Attributes:
        index: steps done.
    """

    def __init__(self, steps: int, batch: int) -> None:
        self.steps, self.index = steps, 0
        self.ends = torch.full((batch,), float(steps))
        self.trend: list[Tensor] = []

    @property
    def end(self) -> int:
        """Number of the last step, as far as is known."""
        return int(self.ends.max())

    def advance(self, progress: Tensor) -> tuple[float, Tensor]:
        """Count a step.

        Faces whose ``progress [B]`` no longer rises come to rest, independently of the others in the batch.

        Returns:
            length of the step 0..1, along a cosine; and the share ``[B]`` of it that each face takes.
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
    """Numbers for a table: ``gain`` of the guide in logits, ``folds`` (share 0..1, mean over the batch), ``min_det`` (least Jacobian
    determinant; above 0 nothing folds) and ``max_px`` (largest offset in pixels of the photo), the worst of the batch."""
    measures = measure(field, crop)
    return {
        "gain": measures[0].gain,
        "folds": sum(m.folds for m in measures) / len(measures),
        "min_det": min(m.determinant for m in measures),
        "max_px": max(m.longest for m in measures),
    }


__all__ = ["Priors", "Settings", "Step", "optimize", "report"]
