"""Edits of several faces in one picture, in one warp of the original pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .align import Crop
from .field import Field
from .warp import FEATHER, displacement, warp


def warp_faces(
    image: Tensor,
    crop: Crop,
    field: Field,
    shape: float = 1.0,
    color: float = 1.0,
    mask: Tensor | None = None,
    feather: float = FEATHER,
) -> tuple[Tensor, Tensor]:
    """:func:`flow_core.warp.warp`, also for a crop whose faces are all in one picture (:attr:`Crop.together`).

    Each face has its field, or all share one. Where squares overlap, what the fields do adds up: the original is sampled
    once, the order of faces does not matter, and each field fades out towards the border of its own square.

    Raises:
        ValueError: as :func:`flow_core.warp.warp`, or the number of fields is neither 1 nor that of the faces.
    """
    if not crop.together:
        return warp(image, crop, field, shape, color, mask, feather)
    if field.batch not in (1, crop.batch):
        raise ValueError(
            f"{field.batch} fields do not fit {crop.batch} faces of one picture: give one for all, or one each."
        )
    if crop.batch == 1:
        return warp(image, crop, field, shape, color, mask, feather)
    frame = _around(crop)
    return warp(image, frame, _Faces(crop, frame, field.require_finite(), feather), shape, color, mask, 0.0)


def _around(crop: Crop) -> Crop:
    """An upright square around all faces of a picture, with a margin where nothing happens."""
    corners = crop.matrix.new_tensor([[0, 0], [1, 0], [1, 1], [0, 1]])[None, None]
    corners = crop.to_image(corners).flatten(0, 2)
    low, high = corners.amin(0), corners.amax(0)
    side, center = 1.1 * (high - low).max(), (low + high) / 2
    matrix = torch.eye(3).to(crop.matrix)
    matrix[:2] /= side
    matrix[:2, 2] = 0.5 - center / side
    return Crop(crop.image_size, crop.points[:1], matrix[None])


@dataclass(frozen=True)
class _Faces:
    """The fields of all faces as one field over the square ``frame``; what :func:`flow_core.warp.warp` asks of a field."""

    crop: Crop
    frame: Crop
    field: Field
    feather: float
    batch: int = 1

    def require_finite(self) -> _Faces:
        return self

    def scale(self, shape: float, color: float) -> _Faces:
        return replace(self, field=self.field.scale(shape, color))

    def to(self, device: torch.device | str) -> _Faces:
        return replace(self, crop=self.crop.to(device), frame=self.frame.to(device), field=self.field.to(device))

    def select(self, _: int) -> _Faces:
        return self

    def sample(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Offset ``[1,2,H,W]`` in fractions of the frame and colour ``[1,3,H,W]`` at its points ``[1,H,W,2]``."""
        offset, color = points.new_zeros(1, 2, *points.shape[1:3]), points.new_zeros(1, 3, *points.shape[1:3])
        pixels = self.frame.to_image(points)
        for i in range(self.crop.batch):
            crop = self.crop.select(i)
            inside = crop.to_crop(pixels)
            if not ((inside > 0) & (inside < 1)).all(-1).any():
                continue
            field = self.field.select(i if self.field.batch > 1 else 0)
            moved, tint = displacement(field, inside, self.feather)
            shift = crop.vectors_to_image(moved.permute(0, 2, 3, 1)) @ self.frame.matrix[:, None, :2, :2].mT
            offset, color = offset + shift.permute(0, 3, 1, 2), color + tint
        return offset, color
