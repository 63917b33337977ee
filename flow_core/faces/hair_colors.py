"""What a picture's own colours say of its hair.

The network that finds hair has doubts about curls, about hair in unusual light, and about hair that is painted or drawn. What it is sure of tells the
colours that this hair has, and those that the face, the clothes and the wall have. Where these differ, a place in doubt is more likely
that which has its colour (Rother, GrabCut, 2004), and that of what lies nearby above all. What is dark may be anything, shade on a wall above all, and becomes hair by its colour
the less the darker it is.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.lab import rgb_to_lab
from ..geometry.neighbours import blurred
from ..geometry.ramp import ramp
from ..geometry.sampling import enlarged

BINS = 16  # a side, of the cube of colours
LEAST, MOST = (0.0, -40.0, -40.0), (100.0, 60.0, 70.0)  # CIE Lab, between which it reaches
MORE, LESS = 2.5, 3.0  # by which colours raise and lower the logit of hair, at most
DARK = 18.0, 46.0  # L up to which they do not raise it, and from where on they do so by all
# probability of hair: where the network has no doubt that it is none, and from where on colours count; and from where on they count less, since hair
# that shines has the colour of the light, as walls have, up to where it is surely hair
SOME, SURE = (0.02, 0.1), (0.6, 0.9)
TONE = 30.0  # L for a logarithm of light
# Standard deviations of that, a and b, at least: of colours nearby, and of all the hair
NOISE, NARROW = (6.0, 4.0, 4.0), (6.0, 2.5, 2.5)
NEARBY = 0.12  # of the face square, within which colours are near
ENOUGH = 12.0  # times that the share of hair nearby counts, and of what is none
# By which colours nearby raise and lower the logit of hair, at most; probabilities from where on they raise it, and up to where they lower it
RAISED, LOWERED, DOUBTED, CERTAIN = 2.5, 2.0, (0.05, 0.2), (0.8, 0.95)
ALIKE = 1.5, 2.5  # standard deviations of the colours of hair, within which they raise it, and beyond which they do not
FEW = 2.0  # pixels of a colour that tell half


@torch.no_grad()
def by_color(likely: Tensor, picture: Tensor, within: Tensor) -> Tensor:
    """How likely places are hair if their colours count too.

    Args:
        likely: how likely they are to the network, ``[B,1,h,w]`` 0..1.
        picture: ``[B,3,h,w]`` RGB 0..1.
        within: ``[B,1,h,w]`` 1 where it is seen, and not its border repeated.

    Returns:
        ``[B,1,h,w]`` 0..1.
    """
    told = []
    for one, rgb, seen in zip(likely, picture, within, strict=True):
        lab = rgb_to_lab(rgb.flatten(1))
        least, most = (lab.new_tensor(end)[:, None] for end in (LEAST, MOST))
        at = ((lab - least) / (most - least)).clamp(0, 1)
        logit = one.flatten().clamp(1e-4, 1 - 1e-4).logit()
        raised = MORE * ramp(lab[0], *DARK) * ramp(one.flatten(), *SOME)
        lowered = LESS * (1 - ramp(one.flatten(), *SURE))
        cell = (BINS * at).long().clamp(max=BINS - 1)
        cell = (cell[2] * BINS + cell[1]) * BINS + cell[0]  # the order of `grid_sample`: b, a, L
        seen, new = seen.flatten(), logit
        for last in (False, True):  # what is found by colours tells colours again
            ratio = _ratio(new.sigmoid(), seen, cell)
            told_by = _between(ratio, at) if last else ratio[cell]
            new = logit + torch.minimum(torch.maximum(told_by, -lowered), raised)
        told.append(new.sigmoid().reshape(one.shape))
    return torch.stack(told)


@torch.no_grad()
def by_colors_near(likely: Tensor, picture: Tensor, within: Tensor, square: int) -> Tensor:
    """How likely places are hair if it counts, too, whether their colours are those of the hair nearby, or of what is none there.

    That tells black hair from a dark wall. It makes likely what has a colour of most of the hair alone: gold in the shade beside a lock is none.

    Args:
        likely, picture, within: as of :func:`by_color`.
        square: pixels of a side of the face square.

    Returns:
        ``[B,1,h,w]`` 0..1.
    """
    first = likely.clamp(1e-4, 1 - 1e-4).logit()
    small, logit, seen = (F.avg_pool2d(x, 2) for x in (picture, first, within))
    lab = torch.stack([rgb_to_lab(one.flatten(1)).unflatten(1, one.shape[1:]) for one in small])
    values = torch.cat([toned(small.mean(1, keepdim=True)), lab[:, 1:]], 1)
    sums, hair = torch.cat([values, values.square(), torch.ones_like(seen)], 1), logit.sigmoid()
    told = []
    for part in (hair**3, (1 - hair) ** 3):
        near = blurred(sums * (part * seen + 1e-6), max(1, round(NEARBY * square / 4)))
        off, vary = _off(values, near, NOISE)
        told.append((-0.5 * (off + vary.log().sum(1, keepdim=True)), near[:, -1:]))
    (of_hair, some), (of_other, other) = told
    known = (ENOUGH * torch.minimum(some, other)).clamp(max=1)  # where either is far it tells nothing
    most = (sums * (hair**8 * seen + 1e-6)).sum((2, 3), keepdim=True)
    raised = RAISED * ramp(hair, *DOUBTED) * ramp(_off(values, most, NARROW)[0].sqrt(), ALIKE[1], ALIKE[0])
    lowered = LOWERED * (1 - ramp(hair, *CERTAIN))
    more = torch.minimum(torch.maximum((of_hair - of_other) * known, -lowered), raised)
    return (first + enlarged(more, first.shape[2:])).sigmoid()


def toned(light: Tensor) -> Tensor:
    """Light 0..1 as its logarithm, in L: hair is as varied in shade as in light, and shades of black would be all alike."""
    return TONE * (light.clamp(min=0) + 0.05).log()


def _off(values: Tensor, sums: Tensor, noise: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
    """The squared distance of values ``[B,3,h,w]`` from a mean, in standard deviations, ``[B,1,h,w]``, and the variances; ``sums [B,7,...]`` of
    values, their squares and ones tell both; ``noise``: standard deviations at least."""
    mean, square, some = sums.split((3, 3, 1), 1)
    mean, square = mean / some, square / some
    vary = (square - mean.square()).clamp(min=0) + values.new_tensor(noise)[:, None, None] ** 2
    return ((values - mean).square() / vary).sum(1, keepdim=True), vary


def _ratio(hair: Tensor, seen: Tensor, cell: Tensor) -> Tensor:
    """For each colour of the cube, ``[n**3]``, the logarithm of how many times as frequent it is in hair as in all else, of pixels that are hair by
    ``hair [N]``, and seen; ``cell [N]`` of the cube are their colours."""
    counts = hair.new_zeros(2, BINS**3).index_add(1, cell, seen * torch.stack([hair**2, (1 - hair) ** 2]))
    total = counts.sum(1, keepdim=True).clamp(min=1e-6)
    shares = (_smooth(counts) + FEW * total / total.sum()) / total
    return (shares[0] / shares[1]).log()


def _smooth(counts: Tensor) -> Tensor:
    """Counts ``[2,n**3]`` blurred over neighbours: twice as much of each as of the one on either side."""
    cube = counts.unflatten(1, (BINS,) * 3)
    for axis in (1, 2, 3):
        rim = torch.zeros_like(cube.narrow(axis, 0, 1))
        wide = torch.cat([rim, cube, rim], axis)
        cube = 0.25 * (wide.narrow(axis, 0, BINS) + wide.narrow(axis, 2, BINS)) + 0.5 * cube
    return cube.flatten(1)


def _between(cube: Tensor, at: Tensor) -> Tensor:
    """Values of a cube ``[n**3]`` at colours ``[3,N]``, 0..1 of its sides, ``[N]``."""
    points = (2 * at - 1).T[None, None, None]
    cube = cube.reshape(1, 1, BINS, BINS, BINS)
    return F.grid_sample(cube, points, padding_mode="border", align_corners=False).flatten()


__all__ = ["by_color", "by_colors_near", "toned"]
