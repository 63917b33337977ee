"""Dyed hair: what a head of hair looks like in another colour, with its strands, its shades and its roots.

Paint that shifts a mean colour makes black hair a flat cap of straw. Hair of a lighter colour has deeper contrasts in light, paler
gloss, and roots that stay darker towards the skin, where a border is least sure as well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..faces.hair import blurred

MOST_LIGHTER, MOST_DARKER = 48.0, 58.0  # L by which a head of hair changes at most: nothing bleaches black to white
CONTRAST = 0.6  # exponent by which contrasts grow with the light of the new colour
STRANDS = 13.0  # L of the standard deviation that dyed hair has at most
DARK = 4.0  # L below which shades tell little
ROOTS = 0.5  # share of the way that hair goes at its border, where it gets lighter by ROOTED or more
GREY_ROOTS = 0.75  # the same where it gets darker
ROOTED = 40.0
FINE = 0.016  # of the square, up to which light changes within strands
SMOOTH = (
    22.0,
    13.0,
)  # L by which hair without any strands may get darker, or else it is a cap, and more for each L of these
WARM = 0.25  # shift along a for each L that hair cannot be bleached
EDGE = 0.035  # of the square, by which roots reach into the hair


def dyed(lab: Tensor, mask: Tensor, at: Tensor, by: Tensor, square: float) -> tuple[Tensor, Tensor, Tensor]:
    """Hair whose mean colour goes by ``by``.

    Args:
        lab: pictures ``[B,3,h,w]``, CIE Lab.
        mask: how far each pixel is hair, ``[B,1,h,w]``.
        at: mean of the hair, ``[B,3,1,1]``.
        by: how far it goes, ``[B,3,1,1]``.
        square: side of the face square in pixels.

    Returns:
        What hair is taken to be at each pixel, ``[B,3,h,w]``; what becomes of it; and what share of the way it goes, ``[B,1,h,w]``.
    """
    surely = mask**4 + 1e-6
    variance = ((lab - at).square() * surely).sum((2, 3), keepdim=True) / surely.sum((2, 3), keepdim=True)
    spread = variance.sqrt()
    own = at + mask * torch.minimum(torch.maximum(lab - at, -2.5 * spread), 2.5 * spread)
    fine = (lab[:, :1] - blurred(lab[:, :1], max(1, round(FINE * square)))).abs()
    fine = (fine * surely).sum((2, 3), keepdim=True) / surely.sum((2, 3), keepdim=True)
    darkest = -(SMOOTH[0] + SMOOTH[1] * fine).clamp(max=MOST_DARKER)
    lift = torch.minimum(torch.maximum(by[:, :1], darkest), by.new_tensor(MOST_LIGHTER))
    warm = (
        WARM * (by[:, :1] - lift).clamp(0, 20) * (by[:, 2:] / 30).clamp(0, 1)
    )  # what is bleached is first of all orange
    there = torch.cat([at[:, :1] + lift, at[:, 1:2] + by[:, 1:2] + warm, at[:, 2:] + by[:, 2:]], 1)
    new = there[:, :1]
    # in logarithms, since gloss on black hair is all that tells its strands in light itself
    tone = (own[:, :1].clamp(min=0) + DARK).log()
    middle = (tone * surely).sum((2, 3), keepdim=True) / surely.sum((2, 3), keepdim=True)
    width = ((tone - middle).square() * surely).sum((2, 3), keepdim=True) / surely.sum((2, 3), keepdim=True)
    width = width.sqrt().clamp(min=1e-3)
    strands = width * (at[:, :1] + DARK) * ((new + 10).clamp(min=1) / (at[:, :1] + 10)).clamp(min=0.05) ** CONTRAST
    strands = strands.clamp(max=STRANDS)
    off = (tone - middle) / width
    light = (new + strands * off / (1 + off.abs() / 5)).clamp(0, 100)
    # in shade there is less colour, and gloss is as white as the light is
    full = ((light + 6) / (new + 6).clamp(min=6)).clamp(0, 1) ** 0.8
    gloss = ((light - new) / (100 - new).clamp(min=10)).clamp(0, 1)
    darker = (new + 16) / (at[:, :1] + 16)
    paler = (there[:, 1:].norm(dim=1, keepdim=True) + 1) / (at[:, 1:].norm(dim=1, keepdim=True) + 1)
    kept = torch.minimum(darker, paler.clamp(min=0.3)).clamp(max=1)
    hue = there[:, 1:] * full * (1 - 0.6 * gloss) + (own[:, 1:] - at[:, 1:] * full) * kept
    rooted = (lift / ROOTED).clamp(0, 1) * (1 - ROOTS) + (-lift / ROOTED).clamp(0, 1) * (1 - GREY_ROOTS)
    inner = blurred(mask, max(1, round(EDGE * square)))
    inner = ((inner - 0.45) / 0.5).clamp(0, 1)
    inner = inner * inner * (3 - 2 * inner)
    return own, torch.cat([light, hue], 1), mask * (1 - rooted * (1 - inner))
