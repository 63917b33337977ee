"""Dyed hair: what a head of hair looks like in another colour, with its strands, its shades and its roots.

Paint that shifts a mean colour makes black hair a flat cap of straw. Hair of a lighter colour has deeper contrasts in light, paler
gloss, and roots that stay darker towards the skin, where its border is least sure as well.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..faces.hair import blurred, resized
from ..geometry.lab import lab_to_rgb, rgb_to_lab

MOST_LIGHTER, MOST_DARKER = 48.0, 58.0  # L by which a head of hair changes at most: nothing bleaches black to white
CONTRAST = 0.6  # exponent by which contrasts grow with the light of the new colour
STRANDS = 13.0  # L of the standard deviation that dyed hair has at most
DARK = 4.0  # L below which shades tell little
ROOTS = 0.5  # share of the way that hair goes at its border, where it gets lighter by ROOTED or more
GREY_ROOTS = 0.75  # the same where it gets darker
ROOTED = 40.0
EDGE, FINE = 0.035, 0.016  # of the square: how far roots reach into the hair, and light changes from strand to strand
SMOOTH = (
    22.0,
    13.0,
)  # L by which hair without strands may get darker, or else it is a cap, and more for each L that these differ
WARM = 0.25  # shift along a for each L that hair cannot be bleached
WHOLLY = 15.0  # shift, CIE Lab, from where on hair is another colour, and not its own a little changed
COARSE = 96  # pixels a side of the face square, at which what is smooth is computed


class Hair(NamedTuple):
    """The N pixels of a head of hair, and what does not depend on its new colour.

    Attributes:
        mean: Lab ``[3,1]``.
        rgb: what hair is taken to be at each pixel, ``[3,N]``.
        lab: the same.
        tone: how light each pixel is, ``[N]`` standard deviations of its logarithm, :attr:`width`.
        fine: L by which light changes from strand to strand.
        mask: how far each pixel is hair, ``[N]``.
        inner: 0 at the border of the hair, 1 within, ``[N]``.
    """

    mean: Tensor
    rgb: Tensor
    lab: Tensor
    tone: Tensor
    width: Tensor
    fine: Tensor
    mask: Tensor
    inner: Tensor


def look(picture: Tensor, mask: Tensor, at: Tensor, mean: Tensor, square: int) -> Hair:
    """A head of hair.

    Args:
        picture: ``[1,3,n,n]`` RGB 0..1.
        mask: ``[1,1,n,n]`` 0..1.
        at: ``[N]`` which of its pixels, row by row, are hair at all.
        mean: Lab ``[3]`` of the hair.
        square: side of the face square in pixels.
    """
    side = round(COARSE * picture.shape[-1] / square)
    small, part = resized(picture, side), resized(mask, side)
    grey = 116 * (small.mean(1, keepdim=True).clamp(min=0) ** (2.2 / 3)) - 16
    fine = (grey - blurred(grey, max(1, round(FINE * COARSE)))).abs()
    fine = (fine * part**4).sum() / (part**4).sum().clamp(min=1e-6)
    inner = ((blurred(part, max(1, round(EDGE * COARSE))) - 0.45) / 0.5).clamp(0, 1)
    inner = resized(inner * inner * (3 - 2 * inner), picture.shape[-1]).flatten()[at]
    pixels, mask, mean = picture.flatten(2)[0][:, at], mask.flatten()[at], mean[:, None]
    weight = mask**4 + 1e-6
    weight = weight / weight.sum()
    middle = lab_to_rgb(mean)
    spread = 2.5 * ((pixels - middle).square() * weight).sum(1, keepdim=True).sqrt()
    # at its border a pixel is partly what lies beyond
    rgb = middle + mask * torch.minimum(torch.maximum(pixels - middle, -spread), spread)
    lab = rgb_to_lab(rgb)
    # in logarithms, since gloss on black hair is all that tells its strands in light itself
    tone = (lab[0].clamp(min=0) + DARK).log()
    tone = tone - (tone * weight).sum()
    width = (tone.square() * weight).sum().sqrt().clamp(min=1e-3)
    return Hair(mean, rgb, lab, tone / width, width, fine, mask, inner)


def dyed(hair: Hair, by: Tensor) -> tuple[Tensor, Tensor]:
    """Hair whose mean colour goes by ``by``, Lab ``[3]``: the new Lab ``[3,N]``, and what share of the way each pixel goes, ``[N]``."""
    mean, own, by = hair.mean, hair.lab, by[:, None]
    wholly = (by.square().sum() / WHOLLY**2).clamp(max=1)
    darkest = -(SMOOTH[0] + SMOOTH[1] * hair.fine).clamp(max=MOST_DARKER)
    lift = torch.maximum(by[0], darkest).clamp(max=MOST_LIGHTER)
    # what is bleached is first of all orange
    warm = WARM * (by[0] - lift).clamp(0, 20) * (by[2] / 30).clamp(0, 1)
    there = torch.stack([mean[0] + lift, mean[1] + by[1] + warm, mean[2] + by[2]])
    new = there[0]
    strands = hair.width * (mean[0] + DARK) * ((new + 10).clamp(min=1) / (mean[0] + 10)).clamp(min=0.05) ** CONTRAST
    light = new + strands.clamp(max=STRANDS) * hair.tone / (1 + hair.tone.abs() / 5)
    light = torch.lerp(own[0] + lift, light, wholly).clamp(0, 100)
    # in shade there is less colour, and gloss is as white as the light is
    full = ((light + 6) / (new + 6).clamp(min=6)).clamp(0, 1) ** 0.8
    gloss = 0.6 * wholly * ((light - new) / (100 - new).clamp(min=10)).clamp(0, 1)
    darker = (new + 16) / (mean[0] + 16)
    paler = (there[1:].norm(dim=0) + 1) / (mean[1:].norm(dim=0) + 1)
    kept = torch.minimum(darker, paler.clamp(min=0.3)).clamp(max=1)
    hue = there[1:] * full * (1 - gloss) + (own[1:] - mean[1:] * full) * kept
    rooted = (lift / ROOTED).clamp(0, 1) * (1 - ROOTS) + (-lift / ROOTED).clamp(0, 1) * (1 - GREY_ROOTS)
    return torch.cat([light[None], hue]), hair.mask * (1 - rooted * (1 - hair.inner))
