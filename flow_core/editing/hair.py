"""Hair and bare skin, which no landmark outlines: told apart from the background by their colours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.landmarks import five_points
from ..faces.regions import region_mask
from ..geometry.grid import pixel_centers

EDGE = 0.015  # soft border of the outline of the landmarks, fractions of the crop side
HAIR_MARGIN = 0.08  # how far hair may lie beyond where it is expected, less and less; fractions of the crop side
HAIR_FADE = 0.08  # over which hair fades out at the height of the mouth, below which it is clothes
SKIN_MARGIN = 0.1  # how far skin (brow, ears, neck) may lie beyond the landmarks
COLOR_SPREAD = 0.09  # standard deviation of the colours of one thing, hair or skin, in RGB 0..1


def hair_and_skin(landmarks: Tensor, aligned: Tensor, size: int) -> dict[str, Tensor]:
    """Hair and skin, ``[B,1,size,size]`` each. Landmarks end below the hairline: around them hair, bare skin and background are
    told apart by their colours. Both fade in the shadows, where there is no colour."""
    small = F.interpolate(aligned, (size, size), mode="bilinear", antialias=True, align_corners=False)
    face = region_mask(landmarks, "skin", size, EDGE).to(small)
    x, y = pixel_centers(size, size, small.device).movedim(-1, 0)[:, :, None]
    low = five_points(landmarks)[:, 3:, 1].mean(1)[:, None, None, None].to(small)  # below the mouth it is clothes
    ring = region_mask(landmarks, "hair", size).to(small)
    wide = round(HAIR_MARGIN * size)
    ring = F.avg_pool2d(F.max_pool2d(ring, 2 * wide + 1, 1, wide), 2 * wide + 1, 1, wide, count_include_pad=False)
    ring = ring * (1 - region_mask(landmarks, "all", size, EDGE).to(small)) * ((low - y) / HAIR_FADE).clamp(0, 1)
    far = (y < 0.5) & ((x - 0.5).abs() > 0.38)  # beside the head; left and right of it may differ
    skin, left, right = (_log_likelihood(small, m) for m in (face, far & (x < 0.5), far & (x > 0.5)))
    near = region_mask(landmarks, "all", size, SKIN_MARGIN).to(
        small
    )  # bare skin around the landmarks is brow, ears and neck
    known = torch.cat([skin + (near + 1e-3).log(), *((1 - near).clamp(min=1e-3).log() + k for k in (left, right))], 1)
    likeness = ring * (1 - known.exp().amax(1, keepdim=True)) + 1e-4 * ring
    for _ in range(4):  # hair is what else there is around the face
        like = torch.cat([_log_likelihood(small, likeness), known], 1).softmax(1)
        like = F.avg_pool2d(like, 5, 1, 2, count_include_pad=False)  # hair has highlights
        likeness = ring * like[:, :1] + 1e-4 * ring
    hair, skin = ((like[:, i : i + 1] - 0.35).clamp(0, 0.3) / 0.3 for i in (0, 1))
    out = {"hair": ring * hair, "skin": torch.maximum(face, ring * skin)}
    light = small.mean(1, keepdim=True)
    return {
        name: m
        * (light / ((light * m).sum((2, 3), keepdim=True) / m.sum((2, 3), keepdim=True).clamp(min=1e-3))).clamp(max=1)
        for name, m in out.items()
    }


def _log_likelihood(picture: Tensor, seed: Tensor) -> Tensor:
    """Log-likelihood ``[B,1,h,w]`` that a pixel is of what lies in ``seed``, by its mean colour."""
    seed = seed.to(picture) + 1e-6
    mean = (picture * seed).sum((2, 3), keepdim=True) / seed.sum((2, 3), keepdim=True)
    return (picture - mean).square().sum(1, keepdim=True) / (-2 * COLOR_SPREAD**2)


def hair_likeness(picture: Tensor, region: Tensor, landmarks: Tensor, spread: float) -> Tensor:
    """How much pixels look like the hair above the forehead, ``[B,1,S,S]`` 0..1.

    Args:
        picture: ``[B,3,S,S]`` in any colour space.
        region: ``[B,1,S,S]``, where hair is expected.
        landmarks: ``[B,161,2]`` in fractions of the picture.
        spread: standard deviation of hair, in units of the colour space.
    """
    y = torch.linspace(0, 1, picture.shape[-1], device=picture.device)[None, None, :, None]
    top = landmarks[:, :, 1].amin(1)[:, None, None, None].to(picture)
    strip = region * (y < top) + 1e-4 * region + 1e-6
    mean = (picture * strip).sum((2, 3), keepdim=True) / strip.sum((2, 3), keepdim=True)
    return torch.exp(-(picture - mean).square().sum(1, keepdim=True) / (2 * spread**2))
