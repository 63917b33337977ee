"""Edits of any number of faces in each picture, in one warp of the original pixels."""

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
    """:func:`flow_core.warping.warp.warp` for pictures with any number of faces.

    Each face has its field, or all share one; a crop of one picture serves for every picture. Where squares overlap, what the
    fields do adds up: the original is sampled once, the order of faces does not matter, and each field fades out towards the
    border of its own square. A picture without a face stays as it is.

    Args:
        image: ``[B,C,H,W]``.
        crop: of B pictures, or of one.
        field: one, or one for each face.

    Raises:
        ValueError: as :func:`flow_core.warping.warp.warp`, or the number of pictures or fields does not fit.
    """
    every = crop.for_pictures(len(image))
    if field.batch not in (1, crop.batch, every.batch):
        raise ValueError(f"{field.batch} fields do not fit {crop.batch} faces: give one for all, or one for each.")
    if every.of_picture == tuple(range(len(image))):
        return warp(image, crop if crop.batch == 1 else every, field, shape, color, mask, feather)
    crop.require_size(image)
    if mask is not None and len(mask) not in (1, len(image)):
        raise ValueError(f"{len(mask)} masks do not fit {len(image)} pictures: give one for all, or one for each.")
    out, changed = [], []
    for i in range(len(image)):
        faces = [(every.select(k), field.select(k % field.batch)) for k in every.faces_of(i)]
        limit = None if mask is None else mask[i if len(mask) > 1 else 0][None]
        edited, touched = _warp_picture(image[i : i + 1], faces, shape, color, limit, feather)
        out.append(edited)
        changed.append(touched)
    return torch.cat(out), torch.cat(changed)


def _warp_picture(
    image: Tensor, faces: list[tuple[Crop, FlowField]], shape: float, color: float, mask: Tensor | None, feather: float
) -> tuple[Tensor, Tensor]:
    """One picture ``[1,C,H,W]``, all of its faces."""
    out, times = image, image.new_zeros(1, *image.shape[2:])
    faces = [(crop.to(image.device), field) for crop, field in faces]
    for crop, field in faces:
        edited, touched = warp(image, crop, field, shape, color, mask, feather)
        out = torch.where(touched[:, None] > 0, edited, out)
        times += touched
    faces = [(crop, field.scale(shape, color).to(image.device)) for crop, field in faces]
    limit = None if mask is None else mask[0].to(image)
    for y, x in zip(*(v.split(_CHUNK) for v in (times[0] > 1).nonzero(as_tuple=True)), strict=True):
        out[0, :, y, x] = _sum(image, faces, x, y, 1.0 if limit is None else limit[y, x], feather)
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
