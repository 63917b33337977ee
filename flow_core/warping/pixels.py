"""The one place where an edit changes pixels: of photos, of channels of a latent, and of video frames."""

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
    """New pixels: ``image`` where ``grid`` says, in its new light, times what is not uncovered, plus the colour (paper, equation 1).

    Args:
        image: ``[1,C,H,W]``, or the part of it that ``grid`` reaches.
        grid: ``[1,h,w,2]`` in -1..1 over ``image``, as :func:`torch.nn.functional.grid_sample` takes it.
        color: ``[1,3,h,w]`` in the range of the image's values; a grey picture takes its mean. None = no change of colour.
        uncovered: ``[1,1,h,w]`` 0..1, see :class:`flow_core.fields.base.Sample`. None = nowhere.
        limits: least and largest value of the result; None = as it comes.
        mode: ``bilinear`` or ``bicubic``.
        padding: see :func:`flow_core.geometry.sampling.sample_grid`.
        painted: ``[1,4,h,w]``, see :class:`flow_core.fields.base.Sample`, with colours in the range of the image's values. None = nothing.
        light: ``[1,3,h,w]`` the factor of which that has the logarithm, less 1. None = as it is.
        white: the image's white, 1 or 255.
        noise: adds the picture's own to pixels ``[1,C,h,w]``, in place, where ``[1,1,h,w]`` tells how far they are new, 0..1. None = there is none.

    Returns:
        ``[1,C,h,w]``. Channels after the third (alpha) move along and have no colour.
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
    """The second half of :func:`edited_pixels`: what becomes of pixels ``new`` that have been sampled, in place."""
    rgb = new if new.shape[1] <= 3 else new[:, :3]  # a gradient through a part of a tensor copies all of it
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
    return new if limits is None else F.hardtanh_(new, *limits)  # a clamp, whose slope is quick
