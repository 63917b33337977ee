"""Masks of the regions of a face, drawn from its landmarks."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from torch import Tensor

from .landmarks import AT, BROWS, CHEEKS, EYES, IRISES, LIPS, LIPS_INNER, NOSTRILS, OVAL

REGIONS = (
    "all", "skin", "eyes", "brows", "nose", "mouth", "lips", "cheeks", "jaw", "irises", "eyelids", "under-eyes", "hair",
)  # fmt: skip


def region_mask(points: Tensor, region: str, size: int, feather: float = 0.0) -> Tensor:
    """Mask of a region of the face.

    Args:
        points: ``[B,161,2]`` landmarks in fractions of the square that the mask covers.
        region: one of :data:`REGIONS`. Eyes, nose and mouth come with the skin around them that moves along; lips are
            the lips alone; skin is the face without eyes, brows and lips; eyelids reach from the upper lash line to
            the brow; hair is where hair is expected around the forehead, whether there is any or not.
        size: side in pixels.
        feather: width of the soft border, fractions of the square.

    Returns:
        ``[B,1,size,size]`` 0..1.

    Raises:
        ValueError: unknown region.
    """
    if region not in REGIONS:
        raise ValueError(f"Unknown region {region!r}; use one of {', '.join(REGIONS)}.")
    masks = [_draw(p, region, size, feather) for p in points.detach().cpu().numpy()]
    return torch.from_numpy(np.stack(masks))[:, None].to(points.device)


def polygon_mask(contours: Tensor, size: int) -> Tensor:
    """Masks ``[B,1,size,size]`` 0..1 of closed contours ``[B,K,2]`` in fractions of the square."""
    side, masks = size * _OVERSAMPLE, []
    for contour in contours.detach().cpu().tolist():
        mask = Image.new("L", (side, side))
        ImageDraw.Draw(mask).polygon([(x * side, y * side) for x, y in contour], fill=255)
        masks.append(np.asarray(mask.resize((size, size), Image.Resampling.BOX), np.float32) / 255)
    return torch.from_numpy(np.stack(masks))[:, None].to(contours.device)


_OVERSAMPLE = 2
_WIDE = 3.0  # pixels of the drawn mask


def _draw(points: np.ndarray, region: str, size: int, feather: float) -> np.ndarray:
    side = size * _OVERSAMPLE
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)

    def fill(contour: tuple[int, ...], grow: float = 0.0, value: int = 255) -> None:
        p = points[_rows(contour)]
        if grow:
            out = p - p.mean(0)
            p = p + grow * out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
        draw.polygon([tuple(q) for q in (p * side).tolist()], fill=value)

    # margins are in fractions of the square, in which the eyes of a face lie about a quarter apart
    if region in ("all", "skin"):
        fill(OVAL)
    if region == "skin":
        for contour in (*EYES, *BROWS):
            fill(contour, 0.012, 0)
        fill(LIPS, 0.004, 0)
    elif region == "eyes":
        for contour in EYES:
            fill(contour, 0.035)
    elif region == "brows":
        for contour in BROWS:
            fill(contour, 0.006)
    elif region == "nose":
        fill((6, *NOSTRILS[1][::-1], *NOSTRILS[0]), 0.02)
    elif region == "mouth":
        fill(LIPS, 0.04)
    elif region == "lips":
        fill(LIPS)
        fill(LIPS_INNER, 0.0, 0)
    elif region == "cheeks":
        radius = float(np.linalg.norm(points[AT[33]] - points[AT[263]])) * 0.2 * side
        for side_points in CHEEKS:
            x, y = points[[AT[i] for i in side_points]].mean(0) * side
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    elif region == "irises":
        eyes = Image.new("L", (side, side))
        for contour, (middle, top, bottom) in zip(EYES, IRISES, strict=True):
            x, y = points[AT[middle]] * side
            radius = float(np.linalg.norm(points[AT[top]] - points[AT[bottom]])) / 2 * side
            ImageDraw.Draw(eyes).polygon(
                [tuple(q) for q in (points[[AT[i] for i in contour]] * side).tolist()], fill=255
            )
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        mask = ImageChops.multiply(mask, eyes)
    elif region == "eyelids":
        for eye, brow in zip(EYES, BROWS, strict=True):
            fill((eye[0], *eye[:7:-1], *brow[5:]))
            fill(eye, 0.0, 0)
    elif region == "under-eyes":
        for eye, cheek in zip(EYES, CHEEKS, strict=True):
            lid, drop = points[[AT[i] for i in eye[1:8]]], points[AT[cheek[0]]] - points[AT[eye[4]]]
            band = np.concatenate([lid + 0.12 * drop, lid[::-1] + 0.62 * drop])
            draw.polygon([tuple(q) for q in (band * side).tolist()], fill=255)
    elif region == "hair":
        brow = points[[AT[105], AT[334]]].mean(0)
        head = (points[[AT[i] for i in OVAL]] - brow) * (1.45, 1.75) + brow
        low = float(points[[AT[61], AT[291]], 1].mean())
        draw.polygon([(x * side, min(y, low) * side) for x, y in head.tolist()], fill=255)
        fill(OVAL, 0.015, 0)
    elif region == "jaw":
        fill((*OVAL[8:29], 98, 327))
        fill(LIPS, 0.01, 0)
    return _softened(mask, size, feather * side / 2)


@functools.lru_cache(maxsize=64)
def _rows(contour: tuple[int, ...]) -> list[int]:
    """Where the points of a contour are among the landmarks."""
    return [AT[i] for i in contour]


def _softened(mask: Image.Image, size: int, radius: float) -> np.ndarray:
    """A drawn mask, blurred and reduced to ``size``; only where there is something, for most regions are small."""
    out = np.zeros((size, size), np.float32)
    if (box := mask.getbbox()) is None:
        return out
    reach = math.ceil(3 * radius) + 4  # the blur is three boxes, each hardly wider than its radius
    x0, y0 = (max(0, v - reach) // _OVERSAMPLE for v in box[:2])
    x1, y1 = (min(size, -(-(v + reach) // _OVERSAMPLE)) for v in box[2:])
    part, reduced = mask.crop(tuple(_OVERSAMPLE * v for v in (x0, y0, x1, y1))), (x1 - x0, y1 - y0)
    if radius >= _WIDE:  # what is blurred widely may be coarse
        part = part.resize(reduced, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(radius / _OVERSAMPLE))
    else:
        part = part.filter(ImageFilter.GaussianBlur(radius)).resize(reduced, Image.Resampling.BOX)
    np.divide(np.asarray(part), 255, out=out[y0:y1, x0:x1], dtype=np.float32)
    return out
