"""How an edit changes pixels: the image formation model, the same for photos, latents and video frames."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from ..faces.creases import DARK
from ..geometry.sampling import sample_grid


def edited_pixels(
    image: Tensor,
    grid: Tensor,
    color: Tensor | None = None,
    uncovered: Tensor | None = None,
    limits: tuple[float, float] | None = None,
    mode: str = "bicubic",
    padding: str = "border",
    painted: Tensor | None = None,
    light: Tensor | None = None,
    white: float = 1.0,
    noise: Callable[[Tensor, Tensor], None] | None = None,
) -> Tensor:
    """New pixels (paper, equation 1): sampled from ``image`` at ``grid``, relit, darkened where uncovered, recoloured, painted over.

    In this order: ``new += light * (new + DARK)``, ``new *= 1 - uncovered``, ``new += color``, ``painted`` over it.

    Args:
        image: ``[1,C,H,W]``, or the part of it that ``grid`` reaches.
        grid: ``[1,h,w,2]`` in -1..1 over ``image``, as :func:`torch.nn.functional.grid_sample` takes it.
        color: ``[1,3,h,w]`` in the range of the image's values; a grey picture takes its mean. None = no change of colour.
        uncovered: ``[1,1,h,w]`` 0..1, see :class:`flow_core.fields.base.Sample`. None = nowhere.
        limits: least and largest value of the result; None = as it comes.
        mode: ``bilinear`` or ``bicubic``.
        padding: see :func:`flow_core.geometry.sampling.sample_grid`.
        painted: ``[1,4,h,w]``, see :class:`flow_core.fields.base.Sample`, with colours in the range of the image's values. None = nothing.
        light: ``[1,3,h,w]`` change of light: the factor less 1, where :class:`flow_core.fields.base.Sample` has its logarithm.
            Because of :data:`flow_core.faces.creases.DARK` it changes black, too. None = no change.
        white: value of white, 1 or 255.
        noise: adds the picture's noise, in place, to pixels ``[1,C,h,w]`` as far as ``[1,1,h,w]`` says that they are painted, 0..1. None = no noise.

    Returns:
        ``[1,C,h,w]``. A fourth channel (alpha) moves along and keeps its values.
    """
    return recolored(sample_grid(image, grid, mode, padding), color, uncovered, limits, painted, light, white, noise)


def recolored(
    new: Tensor,
    color: Tensor | None,
    uncovered: Tensor | None,
    limits: tuple[float, float] | None,
    painted: Tensor | None = None,
    light: Tensor | None = None,
    white: float = 1.0,
    noise: Callable[[Tensor, Tensor], None] | None = None,
) -> Tensor:
    """The second half of :func:`edited_pixels`, for pixels ``new`` that have been sampled already; changes them in place."""
    rgb = new if new.shape[1] <= 3 else new[:, :3]  # only then a slice: its gradient would copy the whole tensor
    if light is not None:
        change = light.mean(1, keepdim=True) if new.shape[1] == 1 else light
        rgb.addcmul_(rgb, change).add_(change, alpha=DARK * white)
    if uncovered is not None:
        rgb *= 1 - uncovered
    if color is not None:
        rgb += color.mean(1, keepdim=True) if new.shape[1] == 1 else color
    if painted is not None:
        over, cover = painted.split((3, 1), 1)
        rgb *= 1 - cover
        rgb += over.mean(1, keepdim=True) if new.shape[1] == 1 else over
        if noise is not None:
            noise(rgb, cover)
    return new if limits is None else F.hardtanh_(new, *limits)  # a clamp whose gradient is quicker
