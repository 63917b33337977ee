"""Warping what belongs to a picture but has no colours: latents of a VAE, and masks."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..fields.base import FEATHER, FlowField
from ..geometry.crop import Crop
from .warp import warp

RATIOS = (8, 16, 32, 4)  # pixels of the picture to one of the latent, along each axis; 8 for Stable Diffusion


def reduced(crop: Crop, size: tuple[int, int]) -> tuple[Crop, int, tuple[int, int]]:
    """The crop in a latent of ``size`` (height, width) that a VAE made from the picture.

    ComfyUI's VAE first cuts the picture to a multiple of the ratio, evenly on both sides.

    Returns:
        the crop, the ratio, and how many pixels were cut off at the top and at the left.

    Raises:
        ValueError: no ratio of :data:`RATIOS` fits, so the latent belongs to a picture of another size.
    """
    h, w = crop.image_size
    ratio = next((r for r in RATIOS if (h // r, w // r) == tuple(size)), None)
    if ratio is None:
        raise ValueError(
            f"A latent of {size[1]}x{size[0]} does not belong to a picture of {w}x{h}; one with 8 pixels to each of its own "
            f"has {w // 8}x{h // 8}. Encode the same picture that went into Align."
        )
    cut = h % ratio // 2, w % ratio // 2
    grow = crop.matrix.new_tensor([[ratio, 0, cut[1]], [0, ratio, cut[0]], [0, 0, 1]])
    corner = crop.points.new_tensor([cut[1], cut[0]])
    small = replace(
        crop,
        image_size=tuple(size),
        points=(crop.points - corner) / ratio,
        matrix=crop.matrix @ grow,
        landmarks=None if crop.landmarks is None else (crop.landmarks - corner) / ratio,
    )
    return small, ratio, cut


def warp_latent(
    latent: Tensor,
    crop: Crop,
    field: FlowField,
    shape: float = 1.0,
    mask: Tensor | None = None,
    feather: float = FEATHER,
) -> Tensor:
    """Warp a latent ``[B,C,h,w]`` as :func:`flow_core.warping.warp.warp` warps its picture; colours do not apply.

    Args:
        latent: of the picture that the crop was made for, at one eighth of its size (or another of :data:`RATIOS`); models of
            pictures that are built on those of clips (Qwen-Image, Wan) have ``[B,C,1,h,w]``.
        mask: ``[B or 1,H,W]`` of the size of the picture, multiplies the edit.

    Raises:
        ValueError: the latent has several frames, no rows and columns, or belongs to a picture of another size, or batches do not fit.
    """
    if latent.ndim == 5 and latent.shape[2] == 1:
        return warp_latent(latent[:, :, 0], crop, field, shape, mask, feather)[:, :, None]
    if latent.ndim != 4:
        kind = "video latents" if latent.ndim == 5 else "such latents"
        raise ValueError(
            f"Expected the latent of a picture [B,C,h,w], got {tuple(latent.shape)}; FaceFlow does not warp {kind}. Decode it "
            "and apply the field to the frames."
        )
    crop, ratio, (top, left) = reduced(crop, tuple(latent.shape[2:]))
    if mask is not None:
        h, w = (n * ratio for n in latent.shape[2:])
        mask = F.avg_pool2d(mask[:, None, top : top + h, left : left + w].float(), ratio)[:, 0]
    return _warp_channels(latent, crop, field, shape, mask, feather)


def warp_mask(
    values: Tensor,
    crop: Crop,
    field: FlowField,
    shape: float = 1.0,
    mask: Tensor | None = None,
    feather: float = FEATHER,
) -> Tensor:
    """Warp a mask ``[B,H,W]`` of the picture's size along with the picture; ``mask`` multiplies the edit. ValueError: sizes do not fit."""
    if values.ndim != 3 or tuple(values.shape[1:]) != tuple(crop.image_size):
        h, w = crop.image_size
        raise ValueError(
            f"The mask to warp must have the picture's {w}x{h} pixels, got {tuple(values.shape)}; resize it."
        )
    return _warp_channels(values[:, None], crop, field, shape, mask, feather)[:, 0]


def _warp_channels(
    values: Tensor, crop: Crop, field: FlowField, shape: float, mask: Tensor | None, feather: float
) -> Tensor:
    """Warp each channel as a grey picture."""
    for name, n, fit in (
        ("crops", crop.pictures, (1, len(values))),
        ("fields", field.batch, (1, crop.batch, len(values))),
        ("masks", 1 if mask is None else len(mask), (1, len(values))),
    ):
        if n not in fit:
            raise ValueError(f"{n} {name} do not fit a batch of {len(values)}: give one for all, or one for each.")
    crop = replace(crop, mouth=None)  # no teeth are painted into latents and masks
    channels = [
        warp(values[:, c : c + 1].float(), crop, field, shape, 0.0, mask, feather)[0] for c in range(values.shape[1])
    ]
    return torch.cat(channels, 1).to(values.dtype)
