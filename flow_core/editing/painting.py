"""Colours of the face's regions: where a colour may go, what it costs, and the raster that it makes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.regions import region_mask
from ..geometry.grid import pixel_centers
from ..needs import need
from .gates import Gates
from .hair import hair_and_skin

COLOR_RASTER = 96  # a side, of the raster in which colours are kept: outlines are finer than movements
# Soft borders of the regions, in fractions of the crop side: make-up on cheeks fades over centimetres, a brow has an edge.
EDGE = {"cheeks": 0.09, "under-eyes": 0.04, "eyelids": 0.03, "brows": 0.008}
SHARP = 0.015  # the border of the others
SPARED = {  # what a soft border must not tint
    "cheeks": ("lips", "under-eyes", "irises"),
    "under-eyes": ("irises",),
    "eyelids": ("brows", "irises"),
    "skin": ("lips", "brows"),
}
REFERENCE_AREA = 0.012  # share of the face square that lips cover, on which a colour costs no more than what it is


def paint_masks(gates: Gates, landmarks: Tensor, aligned: Tensor, size: int) -> Tensor:
    """Where colour may go, for each region with an open gate.

    Args:
        gates: of the prompt.
        landmarks: ``[B,161,2]`` in crop points.
        aligned: the face squares ``[B,3,S,S]``, in which hair is found by its colour.
        size: side of the mask.

    Returns:
        ``[B,R,size,size]`` 0..1.
    """
    masks = []
    for name, gate in gates.regions.items():
        if gate > 0:
            if name in ("hair", "skin"):
                region = hair_and_skin(landmarks, aligned, size)[name]
            else:
                region = region_mask(landmarks, name, size, EDGE.get(name, SHARP)).to(aligned)
            for other in SPARED.get(name, ()):
                region = region * (1 - region_mask(landmarks, other, size, SHARP).to(aligned))
            masks.append(gate * region)
    return torch.cat(masks, 1) if masks else aligned.new_zeros(len(landmarks), 0, size, size)


def region_cost(masks: Tensor) -> Tensor:
    """How many times a colour in masks ``[B,R,h,w]`` costs what it costs on lips, ``[B,R]``, at least 1.

    Lips may turn red and nobody is another person; a face that turns as much is a mask. The visible change is the root mean
    square over the picture, which grows with the root of the area.
    """
    return (masks.mean((2, 3)) / REFERENCE_AREA).clamp(min=1).sqrt()


def paint(color: Tensor, masks: Tensor, limit: float) -> Tensor:
    """Colour raster ``[B,3,h,w]`` of colours ``[B,R,3]`` in masks ``[B,R,h,w]``, within ``limit`` of sRGB 0..1."""
    painted = torch.einsum("brc,brhw->bchw", limit * torch.tanh(color / limit), masks)
    return painted.clamp(-limit, limit)


class RegionColors:
    """One colour for each region of each face, as an optimiser changes it.

    It is sought in CIE Lab, where equal steps look equal, as a shift of the region's mean colour, and the less the larger the
    region is.

    Attributes:
        shifts: ``[B,R,3]`` in hundredths of Lab, zero at the start; what is optimised.
    """

    def __init__(
        self, gates: list[Gates], landmarks: Tensor, aligned: Tensor, size: tuple[int, int], limit: float
    ) -> None:
        rgb_to_lab = need("kornia.color").rgb_to_lab

        wanted = {name: max(g.regions[name] for g in gates) for name in gates[0].regions}
        share = [[g.regions[name] / most for name, most in wanted.items() if most > 0] for g in gates]
        masks = paint_masks(Gates({}, wanted), landmarks, aligned, max(COLOR_RASTER, *size))
        self.limit, self.masks = limit, masks * masks.new_tensor(share)[:, :, None, None]
        self.cost = region_cost(masks)[:, None, :, None]
        self.shifts = torch.zeros(*masks.shape[:2], 3, device=masks.device)
        small = F.interpolate(aligned, masks.shape[2:], mode="bilinear", antialias=True, align_corners=False)
        mean = torch.einsum("bchw,brhw->bcr", small, masks) / masks.sum((2, 3)).clamp(min=1e-3)[:, None]
        self.rgb, self.lab = mean[..., None], rgb_to_lab(mean[..., None])  # [B,3,R,1]
        self.points = pixel_centers(*masks.shape[2:], masks.device)

    def raster(self) -> Tensor:
        """The colours ``[B,3,h,w]`` at :attr:`points`, sRGB."""
        lab_to_rgb = need("kornia.color").lab_to_rgb

        shifted = lab_to_rgb(self.lab + 100 * self.shifts.mT[..., None] / self.cost)
        return paint((shifted - self.rgb)[..., 0].mT, self.masks, self.limit)
