"""Edits of several faces in one picture, in one warp of the original pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from ..fields.base import FEATHER, FlowField
from ..geometry.crop import Crop
from ..geometry.sampling import sample_image
from .warp import warp

_CHUNK = 1 << 18  # pixels computed at once where squares overlap


def warp_faces(
    image: Tensor,
    crop: Crop,
    field: FlowField,
    shape: float = 1.0,
    color: float = 1.0,
    mask: Tensor | None = None,
    feather: float = FEATHER,
) -> tuple[Tensor, Tensor]:
    """:func:`flow_core.warping.warp.warp`, also for a crop whose faces are all in one picture (:attr:`Crop.together`).

    Each face has its field, or all share one. Where squares overlap, what the fields do adds up: the original is sampled
    once, the order of faces does not matter, and each field fades out towards the border of its own square.

    Raises:
        ValueError: as :func:`flow_core.warping.warp.warp`, or the number of fields is neither 1 nor that of the faces.
    """
    if not crop.together:
        return warp(image, crop, field, shape, color, mask, feather)
    if field.batch not in (1, crop.batch):
        raise ValueError(
            f"{field.batch} fields do not fit {crop.batch} faces of one picture: give one for all, or one each."
        )
    out, times = image.clone(), image.new_zeros(len(image), *image.shape[2:])
    faces = [(crop.select(i).to(image.device), field.select(i if field.batch > 1 else 0)) for i in range(crop.batch)]
    for one, edit in faces:
        edited, touched = warp(image, one, edit, shape, color, mask, feather)
        out = torch.where(touched[:, None] > 0, edited, out)
        times += touched
    faces = [(one, edit.scale(shape, color).to(image.device)) for one, edit in faces]
    for i, twice in enumerate(times > 1):
        limit = None if mask is None else mask[i if len(mask) > 1 else 0].to(image)
        for y, x in zip(*(v.split(_CHUNK) for v in twice.nonzero(as_tuple=True)), strict=True):
            weight = 1.0 if limit is None else limit[y, x]
            out[i, :, y, x] = _sum(image[i : i + 1], faces, x, y, weight, feather)
    return out, times.clamp(max=1)


def _sum(
    image: Tensor, faces: list[tuple[Crop, FlowField]], x: Tensor, y: Tensor, weight: Tensor | float, feather: float
) -> Tensor:
    """Colours ``[C,K]`` of the pixels ``x, y`` ``[K]`` of ``image`` ``[1,C,H,W]`` under all edits at once."""
    target = torch.stack([x, y], -1)[None, None].to(image) + 0.5
    shift, tint = torch.zeros_like(target), image.new_zeros(1, 3, 1, len(x))
    for crop, field in faces:
        offset, color, _ = field.flow(feather, crop)(crop.to_crop(target))
        shift, tint = shift + crop.vectors_to_image(offset.permute(0, 2, 3, 1)), tint + color
    source = target + shift * (weight if isinstance(weight, float) else weight[:, None])
    new, tint = sample_image(image, source, "bicubic")[0, :, 0], (tint * weight)[0, :, 0]
    new[:3] += tint.mean(0) if len(new) == 1 else tint  # alpha moves, and has no colour
    return new.clamp(min(0.0, image.min().item()), max(1.0, image.max().item()))
