"""The lines that years draw into skin.

What old faces have in common (:mod:`flow_core.faces.shading`) is a mean, in which lines are smeared: everybody has them a little elsewhere. So they
are drawn: across the forehead, at the outer corners of the eyes and under them, from the nose to the mouth, and below its corners.
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.grid import pixel_centers
from ..geometry.mesh import barycentric
from ..geometry.sampling import interpolate
from .exponential import blur
from .smooth import smoothstep

# Each on the rig's face at rest, centimetres: where it begins and ends, and where its curve is drawn to (a quadratic Bezier curve), of the
# person's left side; half its width, and its depth. Those of the forehead cross the middle.
FOREHEAD = (
    ((-3.3, -5.95), (3.5, -6.05), (0.0, -6.55), 0.14, 0.55),
    ((-3.9, -5.25), (3.7, -5.2), (0.1, -5.85), 0.15, 0.8),
    ((-2.6, -4.75), (2.9, -4.7), (0.0, -5.1), 0.13, 0.6),
)
SIDE = (
    ((4.75, -1.55), (6.3, -2.35), (5.5, -1.75), 0.11, 1.1),  # outer corner of the eye
    ((4.8, -1.2), (6.6, -1.25), (5.7, -1.1), 0.11, 1.4),
    ((4.7, -0.85), (6.4, -0.2), (5.6, -0.65), 0.11, 1.3),
    ((4.4, -0.5), (5.9, 0.7), (5.3, -0.15), 0.11, 1.0),
    ((1.9, -0.75), (4.3, -0.35), (2.9, 0.25), 0.11, 0.8),  # under the eye
    ((1.75, -0.6), (3.9, 0.75), (2.2, 0.45), 0.2, 0.5),
    ((1.95, 2.35), (3.15, 5.6), (2.75, 3.4), 0.2, 1.0),  # from the nose to the mouth
    ((2.75, 5.85), (3.0, 7.4), (3.15, 6.4), 0.15, 0.5),  # below its corner
)
# By which lines are wavy, and how much their depth differs along them; shares of a line in which it runs out
WAVY, UNEVEN, ENDS = 0.05, 0.25, 0.3
# Logarithms of the factor of luminance, in a line and on the skin that bulges beside it, half widths away
DARK, LIGHT, BESIDE = 0.36, 0.12, 1.7
LEFT, TOP, RIGHT, BOTTOM, FINE = -7.0, -8.0, 7.0, 9.5, 16  # the part of the face with lines, and pixels a centimetre
STEPS, AROUND = 96, 0.7  # points of a line, and how far around it it is seen
# Side of a pixel, centimetres, up to which they are seen as they are; and the deviation of blur of what is larger
SEEN, SPREAD = 0.15, 0.45
MOST = 1.6  # years, from where on lines grow no deeper


def wrinkle_light(
    years: float, neutral: Tensor, triangles: Tensor, seen: tuple[Tensor, Tensor], pixel: float = 0.0
) -> Tensor:
    """By how much the logarithm of luminance changes, ``[1,1,n,n]`` on a raster.

    Args:
        years: how much older, 1 = old.
        neutral, triangles, seen, pixel: as of :func:`flow_core.fields.frown.frown_light`.
    """
    at = barycentric(neutral[:, :2].contiguous(), triangles, *seen)
    low, high = at.new_tensor([LEFT, TOP]), at.new_tensor([RIGHT, BOTTOM])
    spread = round(SPREAD * FINE * math.sqrt(max(pixel**2 - SEEN**2, 0.0)))
    lines = _lines(at.device) if spread < 1 else _blurred(at.device, spread)
    return min(years, MOST) * interpolate(lines, ((at - low) / (high - low))[None], "bilinear") * (seen[0] >= 0)


@functools.lru_cache(maxsize=4)
def _blurred(device: torch.device, spread: int) -> Tensor:
    """The same, blurred by so many of its pixels."""
    with torch.inference_mode(False):
        return blur(_lines(device), spread)


@functools.lru_cache(maxsize=2)
def _lines(device: torch.device) -> Tensor:
    """``[1,1,H,W]`` of a face whose years are 1."""
    with torch.inference_mode(False):
        light = torch.zeros(round((BOTTOM - TOP) * FINE), round((RIGHT - LEFT) * FINE))
        mirrored = tuple(tuple((-x, y) for x, y in line[:3]) + line[3:] for line in SIDE)
        corner, t = torch.tensor([LEFT, TOP]), torch.linspace(0, 1, STEPS)[:, None]
        for k, (start, end, pull, width, depth) in enumerate((*FOREHEAD, *SIDE, *mirrored)):
            curve = (1 - t) ** 2 * torch.tensor(start) + 2 * t * (1 - t) * torch.tensor(pull) + t**2 * torch.tensor(end)
            curve[:, 1] += WAVY * (7 * t[:, 0] + 2.4 * k).sin()
            (x0, y0), (x1, y1) = (
                ((v - corner) * FINE).int().tolist() for v in (curve.amin(0) - AROUND, curve.amax(0) + AROUND)
            )
            part = light[max(y0, 0) : y1, max(x0, 0) : x1]
            places = pixel_centers(*part.shape, light.device)[0]
            places = (
                places * torch.tensor(part.shape[::-1]) / FINE + torch.tensor([max(x0, 0), max(y0, 0)]) / FINE + corner
            )
            away = places[:, :, None] - curve  # [H,W,STEPS,2]
            distance, nearest = away.square().sum(-1).min(-1)
            across = away.gather(2, nearest[..., None, None].expand(-1, -1, 1, 2))[:, :, 0]
            along = F.normalize(torch.gradient(curve, dim=0)[0], dim=-1)[nearest]
            signed = along[..., 0] * across[..., 1] - along[..., 1] * across[..., 0]
            beyond = (distance - signed.square()).clamp(min=0)  # the ends
            at = nearest / (STEPS - 1)
            deep = depth * smoothstep(torch.minimum(at, 1 - at), 0.0, ENDS) * (1 + UNEVEN * (11 * at + 5 * k).sin())
            line, *bulges = ((-((signed - side * BESIDE * width) / width).square()).exp() for side in (0, -1, 1))
            part += deep * (LIGHT * sum(bulges) - DARK * line) * (-beyond / width**2).exp()
        return light[None, None].to(device)


__all__ = ["wrinkle_light"]
