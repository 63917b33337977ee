"""The terms of the objective: guidance towards the text, and priors that keep the edit natural.

Offsets and distances are in fractions of the crop side, so that the weights of the priors hold for every raster.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Shift of colour (hundredths of CIE Lab, or sRGB 0..1) that counts like a movement by a thousandth of the crop side.
COLOR_UNIT = 0.06


def guidance(gain: Tensor, weight: Tensor, margin: float) -> Tensor:
    """How much is missing until every part of the prompt has gained ``margin`` times its weight (a soft hinge).

    The paper maximises the directional similarity itself (section 3.3). Here a part stops pulling beyond its margin, so that
    the face does not become a caricature.

    Args:
        gain: ``[...,V,K]`` of each view along each direction.
        weight: ``[K]`` or ``[...,1,K]``; negative = away from the text; the size says how far, and how much it counts.
        margin: in the unit of ``gain``.

    Returns:
        scalar.
    """
    missing = margin * weight.abs() - gain * weight.sign()
    return (F.softplus(missing, beta=3) * weight.abs()).sum(-1).mean()


def rms_change(offset: Tensor, color: Tensor | None = None) -> Tensor:
    """How much faces have changed, ``[B]``; the likeness of a person before and after an edit falls with this number.

    The root mean square of an offset raster ``[B,2,h,w]`` in thousandths of the crop side; squared colour shifts ``[B,R,3]`` of
    regions are added in units of :data:`COLOR_UNIT`.
    """
    squared = offset.square().sum(1).mean((1, 2)) * 1e6
    return (squared if color is None else squared + (color / COLOR_UNIT).square().sum((1, 2))).sqrt()


def secant_gain(unit_gain: Tensor, gain: Tensor, change: Tensor, weight: Tensor) -> Tensor:
    """Gain for one unit of :func:`rms_change`, averaged over the way that an edit has gone.

    The gain of a guide often grows faster than the movement, for some prompts more than for others; measured by its value at
    the start, an edit would end before the face has changed enough.

    Args:
        unit_gain: ``[B,K]`` gain for one unit of change at the start.
        gain: ``[B,V,K]`` of each view along each part of the prompt so far.
        change: ``[B]`` :func:`rms_change` so far. The parts share it, as if their directions were orthogonal.
        weight: ``[B,K]`` of the parts.

    Returns:
        ``[B,1,K]``, without gradient, never below ``unit_gain``.
    """
    share = change.clamp(min=1.5)[:, None] * weight.abs() / weight.norm(dim=1, keepdim=True).clamp(min=1e-6)
    so_far = gain.mean(1) * weight.sign() / share.clamp(min=1e-3)
    return torch.maximum(unit_gain, so_far).detach()[:, None]


def drift(change: Tensor, directions: Tensor, inverse: Tensor | None = None) -> Tensor:
    """Squared length of the part of embedding changes that is orthogonal to all text directions, relative to their mean squared length.

    Args:
        change: ``[...,V,D]`` of each view.
        directions: ``[...,K,D]``; those of length 0 are padding.
        inverse: ``[...,D,K]`` pseudo-inverse of the directions, if it is known already.

    Returns:
        scalar.
    """
    inverse = torch.linalg.pinv(directions) if inverse is None else inverse
    rest = change - change @ inverse @ directions
    squared = directions.square().sum(-1)
    usual = squared.sum(-1) / (squared > 0).sum(-1)
    return (rest.square().sum(-1).mean(-1) / usual).mean()


def bending_energy(values: Tensor) -> Tensor:
    """Thin-plate bending energy of a raster ``[B,C,h,w]``: mean squared second derivatives (Rueckert et al., 1999, equation 9)."""
    h, w = values.shape[2:]
    xx = values.diff(n=2, dim=3) * w * w
    yy = values.diff(n=2, dim=2) * h * h
    xy = values.diff(dim=3).diff(dim=2) * w * h
    return xx.square().mean() + yy.square().mean() + 2 * xy.square().mean()


def magnitude(values: Tensor, importance: Tensor) -> Tensor:
    """Mean squared length of a raster ``[B,C,h,w]``, weighted by ``importance [1 or B,1,h,w]``."""
    return (values.square().sum(1, keepdim=True) * importance).mean()


def fold_hinge(determinant: Tensor, least: float = 0.35) -> Tensor:
    """Squared hinge on the Jacobian determinant: 0 above ``least``; at determinant 0 the warp folds."""
    return F.relu(least - determinant).square().mean()


def asymmetry(offset: Tensor, frontality: Tensor) -> Tensor:
    """Mean squared difference of an offset raster ``[B,2,h,w]`` from its mirror image, weighted by how frontal each
    face is, ``[B]`` in 0..1."""
    mirrored = offset.flip(-1) * offset.new_tensor([-1.0, 1.0])[:, None, None]
    return ((offset - mirrored).square().mean((1, 2, 3)) * frontality).mean()


def color_energy(shifts: Tensor, used: Tensor | None = None) -> Tensor:
    """Mean squared colour shift of regions ``[B,R,3]``, over those ``used [B,R]`` (0 or 1) by each face; None = over all."""
    squared = shifts.square().sum(2)
    if used is None:
        return squared.mean()
    return ((squared * used).sum(1) / used.sum(1).clamp(min=1)).mean()


def face_importance(points: Tensor, contour: Tensor | None = None, outside: float = 30.0) -> Tensor:
    """Cost of movement: 1 within the face, growing smoothly to ``outside`` over hair, neck and background.

    Args:
        points: crop points ``[1,h,w,2]``.
        contour: ``[B,K,2]`` outline of each face in crop points, of which the bounding ellipse is taken; None = the usual place
            of a face in the FFHQ crop.
        outside: the cost far from the face.

    Returns:
        ``[B,1,h,w]``.
    """
    if contour is None:
        center, radii = points.new_tensor([[0.5, 0.56]]), points.new_tensor([[0.27, 0.34]])
    else:
        low, high = contour.amin(1), contour.amax(1)
        center, radii = (low + high) / 2, (high - low) / 2 * 1.05
    oval = (points - center[:, None, None]) / radii[:, None, None]
    beyond = (oval.norm(dim=-1) - 0.9).clamp(min=0)
    return (1 + (outside - 1) * (beyond / 0.6).clamp(max=1).square())[:, None]
