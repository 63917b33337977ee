"""Numbers that describe an edit: lengths, folds, moved area, and how far a guide sees it go."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..faces.landmarks import located, outline
from ..fields.base import FlowField
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..guides.guide import Guide
from ..guides.prompts import Prompt, gain
from ..jsons import finite
from .jacobian import jacobian_determinant
from .warp import warp

MOVED_AREA = 2.5e-3  # sides of the face square; a longer offset counts as movement: half a pixel of a square of 200
_GRID = 256  # points a side at which a field is measured
_TINT = 4 / 255  # difference between the channels of a shift from which on it is a colour, and not light or shade


@dataclass(frozen=True)
class Measures:
    """Numbers of one field as it is applied: faded out at the border, at its strength.

    Attributes:
        longest: largest offset, in ``unit``.
        mean: mean offset over the face square, in ``unit``.
        unit: ``px`` of the photo if its crop is known, else ``%`` of the side of the face square.
        determinant: least Jacobian determinant; at 0 and below the warp folds.
        folds: share 0..1 of the face square that folds.
        moved: share 0..1 of the face square that moves by more than :data:`MOVED_AREA`.
        gain: guide gain in logits that the optimiser noted in the field (at strength 1), NaN if it noted none.
    """

    longest: float
    mean: float
    unit: str
    determinant: float
    folds: float
    moved: float
    gain: float

    def __str__(self) -> str:
        numbers = [
            f"max {self.longest:.1f} {self.unit}",
            f"mean {self.mean:.2f} {self.unit}",
            f"moved area {self.moved:.1%}",
            f"min det J {self.determinant:.2f}",
            f"folds {self.folds:.2%}",
        ]
        if math.isfinite(self.gain):
            numbers.append(f"guide gain {self.gain:+.2f}")
        return ", ".join(numbers)


def measure(field: FlowField, crop: Crop | None = None, strength: float = 1.0) -> list[Measures]:
    """Measure every field of a batch.

    Args:
        field: batch B or 1.
        crop: batch B or 1. It gives the scale, and the face to fields that need one; these are measured on every face.
        strength: times the field.

    Raises:
        ValueError: batches do not fit, or the field holds NaN.
    """
    if crop is not None and field.batch != crop.batch and 1 not in (field.batch, crop.batch):
        raise ValueError(f"{crop.batch} crops do not fit {field.batch} fields: give one for all, or one for each.")
    noted, measures = finite(field.meta.get("gain")), []
    with torch.no_grad():
        for i in range(max(field.batch, crop.batch) if field.needs_face and crop is not None else field.batch):
            one = field.select(i if field.batch > 1 else 0).to("cpu").scale(strength, strength).require_finite()
            face = None if crop is None else crop.select(i if crop.batch > 1 else 0).to("cpu")
            length = one.flow(crop=face)(pixel_centers(_GRID, _GRID)).offset.norm(dim=1)
            det = jacobian_determinant(one, _GRID, crop=face)
            side = 100.0 if face is None else face.side.item()
            measures.append(
                Measures(
                    length.max().item() * side, length.mean().item() * side, "%" if crop is None else "px",
                    det.min().item(), (det <= 0).float().mean().item(), (length > MOVED_AREA).float().mean().item(),
                    math.nan if noted is None else noted,
                )
            )  # fmt: skip
    return measures


@torch.no_grad()
def colors(field: FlowField, crop: Crop, strength: float = 1.0) -> bool:
    """Whether a field changes colours, and not only light and shade."""
    flow = field.flow(crop=crop)
    if not (strength and flow.colored):
        return False
    shift = flow(pixel_centers(_GRID, _GRID, field.device)).color * strength
    return bool((shift.amax(1) - shift.amin(1)).amax() > _TINT)


def score(before: Tensor, after: Tensor, crop: Crop, guide: Guide, prompt: Prompt) -> tuple[float, float]:
    """How far an edit went according to a guide, and how much it changed around the face.

    Args:
        before: pictures ``[B,3,H,W]``.
        after: the same pictures, edited.
        crop: the faces in ``before``.

    Returns:
        the gain in logits of the guide along the prompt, the mean over its weighted parts, the faces and their mirror images;
        and the mean absolute change of colour (0..1) of the pixels outside the outlines of the faces.

    Raises:
        ValueError: the pictures differ in size or number.
    """
    if before.shape != after.shape:
        raise ValueError(
            f"Before {tuple(before.shape)} and after {tuple(after.shape)} must have the same size and number of pictures."
        )
    crop = crop.for_pictures(len(before))
    with torch.inference_mode(False), torch.no_grad():
        faces = [crop.aligned(p, guide.image_size) for p in (before, after)]
        gains = [gain(guide, prompt, *seen) for seen in (faces, [f.flip(-1) for f in faces])]
        outside = 1 - _outlines(before, crop)
        change = (after - before).abs().mean(1).float().cpu() * outside
        return torch.stack(gains).mean().item(), (change.sum() / outside.expand_as(change).sum().clamp(min=1)).item()


@torch.no_grad()
def edit_gain(image: Tensor, crop: Crop, field: FlowField, guide: Guide, prompt: Prompt) -> Tensor:
    """Gain ``[B]`` in logits of the guide by which a field takes the faces of ``image [B,3,H,W]`` towards a prompt."""
    edited, _ = warp(image, crop, field)
    return gain(guide, prompt, *(crop.aligned(x, guide.image_size) for x in (image, edited)))


def _outlines(image: Tensor, crop: Crop) -> Tensor:
    """``[pictures,H,W]``: 1 inside the outlines of the faces."""
    pages = [Image.new("L", crop.image_size[::-1]) for _ in range(crop.pictures)]
    for of, contour in zip(crop.of_picture, outline(located(image, crop).landmarks).tolist(), strict=True):
        ImageDraw.Draw(pages[of]).polygon([tuple(p) for p in contour], fill=1)
    return torch.stack([torch.from_numpy(np.array(page)).float() for page in pages])
