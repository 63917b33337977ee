"""What a picture's own colours say of its hair.

The network that finds hair has doubts about curls, about hair in unusual light, and about hair that is painted or drawn. What it is sure of tells the
colours that this hair has, and those that the face, the clothes and the wall have. Where these differ, a place in doubt is more likely
that which has its colour (Rother, GrabCut, 2004). What is dark may be anything, shade on a wall above all, and becomes hair by its colour
the less the darker it is.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.lab import rgb_to_lab

BINS = 16  # a side, of the cube of colours
LEAST, MOST = (0.0, -40.0, -40.0), (100.0, 60.0, 70.0)  # CIE Lab, between which it reaches
MORE, LESS = 2.5, 3.0  # by which colours raise and lower the logit of hair, at most
DARK = 18.0, 46.0  # L up to which they do not raise it, and from where on they do so by all
SOME = 0.02, 0.1  # probability of hair: where the network has no doubt that it is none, and where colours count
FEW = 2.0  # pixels of a colour that tell half
ROUNDS = 2  # what is found by colours tells colours again


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
        raised = MORE * _ramp(lab[0], *DARK) * _ramp(one.flatten(), *SOME)
        cell = (BINS * at).long().clamp(max=BINS - 1)
        cell = (cell[2] * BINS + cell[1]) * BINS + cell[0]  # the order of `grid_sample`: depth, height, width
        points = (2 * at - 1).T[None, None, None]
        new = logit
        for _ in range(ROUNDS):
            hair = new.sigmoid()
            new = logit + torch.minimum(_ratio(hair, seen.flatten(), cell, points).clamp(min=-LESS), raised)
        told.append(new.sigmoid().reshape(one.shape))
    return torch.stack(told)


def _ratio(hair: Tensor, seen: Tensor, cell: Tensor, points: Tensor) -> Tensor:
    """The logarithm ``[N]`` of how many times as frequent a pixel's colour is in hair as in all else, of pixels that are hair by ``hair [N]``, and
    seen; ``cell [N]`` of the cube of colours, and ``points [1,1,1,N,3]`` in it, -1..1."""
    counts = hair.new_zeros(2, BINS**3).index_add(1, cell, seen * torch.stack([hair**2, (1 - hair) ** 2]))
    total = counts.sum(1, keepdim=True)
    counts = _smooth(counts.reshape(2, 1, BINS, BINS, BINS)).reshape(2, -1)
    shares = (counts + FEW * total / total.sum().clamp(min=1e-6)) / total.clamp(min=1e-6)
    ratio = (shares[:1] / shares[1:].clamp(min=1e-9)).clamp(min=1e-6).log()
    return F.grid_sample(
        ratio.reshape(1, 1, BINS, BINS, BINS), points, padding_mode="border", align_corners=False
    ).flatten()


def _ramp(value: Tensor, low: float, high: float) -> Tensor:
    return ((value - low) / (high - low)).clamp(0, 1)


def _smooth(counts: Tensor) -> Tensor:
    """Counts ``[2,1,n,n,n]`` blurred over neighbours: twice as much of each as of the one on either side."""
    kernel = counts.new_tensor([0.25, 0.5, 0.25])
    for axis in range(3):
        shape, padding = [1, 1, 1], [0, 0, 0]
        shape[axis], padding[axis] = 3, 1
        counts = F.conv3d(counts, kernel.reshape(1, 1, *shape), padding=padding)
    return counts


__all__ = ["by_color"]
