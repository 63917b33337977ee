"""Colours of the face's regions: where a colour may go, what it costs, and the raster that it makes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..needs import need
from .dye import dyed
from .gates import Gates
from .tints import Tint, goal, shift
from .visible import Seen

COLOR_RASTER = 128  # a side, of the raster in which colours are kept: outlines are finer than movements
HAIR_RASTER = 256  # and of hair, whose strands are finer still
SPANS = 1.0, 1.125, 1.5  # sides of the face square in which hair may be dyed; multiples of 1/8 keep the rasters even
REFERENCE_AREA = 0.012  # share of the face square that lips cover, on which a colour costs no more than what it is
SAID = {  # region -> what is wrong where there is none of it
    "hair": "no hair was found (a bald or shaven head, a hat or a scarf), so that none is dyed",
    "irises": "the eyes are closed or covered, so that their colour stays",
    "eyelids": "the eyelids are covered, so that nothing is painted there",
    "under-eyes": "what lies under the eyes is covered, so that nothing is painted there",
    "lips": "the lips are covered, so that nothing is painted there",
    "brows": "the brows are covered, so that nothing is painted there",
    "cheeks": "the cheeks are covered, so that nothing is painted there",
    "skin": "no skin is seen, so that nothing is painted there",
}


def paint_masks(gates: Gates, landmarks: Tensor, aligned: Tensor, size: int) -> Tensor:
    """Where colour may go, for each region with an open gate.

    Args:
        gates: of the prompt.
        landmarks: ``[B,161,2]`` in crop points.
        aligned: the face squares ``[B,3,S,S]``: what covers a region is spared.
        size: side of the mask.

    Returns:
        ``[B,R,size,size]`` 0..1.
    """
    seen = Seen(landmarks, aligned, size)
    masks = [gate * seen.region(name) for name, gate in gates.regions.items() if gate > 0]
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


def repaint(
    lab: Tensor, mean: Tensor, shifts: Tensor, masks: Tensor, limit: float, regions: Sequence[str],
    square: int | None = None,
) -> Tensor:  # fmt: skip
    """Colour raster that shifts the colours of regions and keeps light and shade within them.

    How light is told by :func:`relit`; where it is dark there is less colour.

    Args:
        lab: the pictures ``[B,3,h,w]``.
        mean: of the regions, ``[B,R,3]``.
        shifts: of the means, ``[B,R,3]``, all CIE Lab.
        masks: ``[B,R,h,w]``.
        limit: largest value of the raster, sRGB 0..1.
        regions: their names.
        square: side of the face square in pixels; None = all of the pictures.

    Returns:
        ``[B,3,h,w]`` sRGB.
    """
    lab_to_rgb = need("kornia.color").lab_to_rgb

    whole, (rows, columns) = lab, _box(masks)
    lab, masks = lab[..., rows, columns], masks[..., rows, columns]
    before, painted, square = lab_to_rgb(lab), torch.zeros_like(lab), square or whole.shape[-1]
    for r in range(masks.shape[1]):
        at, by = mean[:, r, :, None, None], shifts[:, r, :, None, None]
        mask = masks[:, r : r + 1]
        if regions[r] == "hair":
            own, there, share = dyed(lab, mask, at, by, square)
            shifted = lab_to_rgb(there)
            # what is taken for partly hair becomes no more than hair, or else skin beside it would glow
            whole_way = shifted - before
            change = share * (shifted - lab_to_rgb(own))
            change = torch.minimum(torch.maximum(change, whole_way.clamp(max=0)), whole_way.clamp(min=0))
            painted = painted + change
            continue
        light = relit(regions[r], lab[:, :1], at[:, :1], by[:, :1]).clamp(0, 100)
        there = at + by
        full = ((light + 4) / (there[:, :1] + 4).clamp(min=4)).clamp(0, 1)
        # a dark coat, or a pale one, leaves less of how colours differ below
        darker = (there[:, :1] + 16) / (at[:, :1] + 16)
        paler = (there[:, 1:].norm(dim=1, keepdim=True) + 1) / (at[:, 1:].norm(dim=1, keepdim=True) + 1)
        kept = torch.minimum(darker, paler.clamp(min=0.3)).clamp(max=1)
        hue = there[:, 1:] * full + (lab[:, 1:] - at[:, 1:] * full) * kept
        shifted = lab_to_rgb(torch.cat([light, hue], 1))
        change = mask * (shifted - before)
        painted = painted + change
    most = painted.abs().amax(1, keepdim=True)  # all channels alike, or else what goes far would be of another hue
    painted = (painted * (limit / most.clamp(min=limit + 1e-9))).clamp(-limit, limit)
    (height, width), (bottom, right) = whole.shape[2:], (rows.stop, columns.stop)
    return F.pad(painted, (columns.start, width - right, rows.start, height - bottom))


def relit(region: str, light: Tensor, at: Tensor, by: Tensor) -> Tensor:
    """L ``[B,1,h,w]`` of a region whose mean ``at [B,1,1,1]`` goes by ``by``.

    What gets darker does so by a factor, as under paint, but gloss on skin stays; what gets lighter does so least where it is dark or bright
    already. Dyed hair has the contrasts that hair of its colour has: more than black hair, or white hair.
    """
    shade = light / at.clamp(min=1)
    left = (100 - light) / (100 - at).clamp(min=1)
    if region != "hair":
        darker = (
            torch.where(shade > 1, 0.5 + 0.5 * left, shade.clamp(min=0.3))
            if region == "skin"
            else shade.clamp(0.3, 1.6)
        )
        return light + by * torch.where(by < 0, darker, torch.minimum(shade, left).clamp(0.2, 1))
    there = (at + by).clamp(min=1)
    off = (light - at) * (1 + by / (at + 30)).clamp(max=2.5)
    room = torch.where(off > 0, 95 - there, there).clamp(min=1)
    off = off / (1 + (by / 20).clamp(0, 1) * off.abs() / (2 * room))  # not beyond white or black
    return torch.where(by < 0, there * shade ** (1 - by.clamp(max=0) / 50), there + off)


def _box(masks: Tensor) -> tuple[slice, slice]:
    """Rows and columns of ``[B,R,h,w]`` where any mask has something; the first of either where none has."""
    spans = []
    for along in ((0, 1, 3), (0, 1, 2)):
        at = (masks.detach().amax(along) > 0).nonzero()[:, 0].tolist() or [0]
        spans.append(slice(at[0], at[-1] + 1))
    return spans[0], spans[1]


def raster_side(regions: Collection[str]) -> int:
    """Side of the raster for the colours of some regions, and of the face squares that they are found in."""
    return HAIR_RASTER if "hair" in regions else COLOR_RASTER


def hair_span(crop: Crop) -> float:
    """Sides of the face square of the square in which hair is dyed: how far the pictures go beyond that, one of :data:`SPANS`."""
    h, w = crop.image_size
    corners = crop.to_crop(crop.matrix.new_tensor([[[0.0, 0], [w, 0], [w, h], [0, h]]])[:, None])
    reach = 2 * (corners - 0.5).abs().max().item() if crop.batch else 1.0
    return next((span for span in SPANS if span >= reach), SPANS[-1])


def colored(gates: Sequence[Gates]) -> list[str]:
    """The regions that any of the gates opens."""
    return [name for name in gates[0].regions if max(g.regions[name] for g in gates) > 0]


class RegionColors:
    """One colour for each region of each face: those that the prompts name, and the others as an optimiser changes them.

    They are shifts of the region's mean colour in CIE Lab, where equal steps look equal. What is named is known from the start, in the
    light of the picture; what is sought goes the less far the larger the region is.

    Args:
        gates: one for each face.
        tints: what is named, one for each face.
        landmarks: ``[B,161,2]`` in crop points.
        picture: squares ``[B,3,S,S]`` around the middle of the face squares.
        size: (height, width) at least of the raster of a face square.
        limit: largest value of the raster.
        amount: how far what is named goes, 1 as usual.
        span: side of the squares in sides of the face squares; hair alone is dyed beyond these.

    Attributes:
        shifts: ``[B,R,3]`` in hundredths of Lab, zero at the start; what is optimised where :attr:`free`.
        free: ``[B,R,1]`` 1 where a colour is sought, 0 where it is named.
        note: a sentence about what could not be painted; empty where all was.
    """

    def __init__(
        self, gates: Sequence[Gates], tints: Sequence[Mapping[str, Tint]], landmarks: Tensor, picture: Tensor,
        size: tuple[int, int], limit: float, amount: float = 1.0, span: float = 1.0,
    ) -> None:  # fmt: skip
        self.regions, self.span = colored(gates), span
        side = max(raster_side(self.regions), *size)
        seen = Seen(landmarks, picture, side, span)
        masks = torch.cat([seen.mask(name) for name in self.regions], 1)
        self.lab, self.limit, self.side = seen.whole_lab.to(picture), limit, side
        self.mean = means(self.lab, masks)
        # what is named goes as far as its tint says; what is sought, as far as its gate is open
        self.free = masks.new_tensor([[name not in t for name in self.regions] for t in tints])[..., None]
        share = masks.new_tensor([[g.regions[name] for name in self.regions] for g in gates])
        self.masks = masks * torch.where(self.free[..., 0] > 0, share, (share > 0).to(share))[..., None, None]
        self.cost = region_cost(masks * span**2)[..., None]
        self.named = self._named(tints, seen, amount)
        self.shifts = torch.zeros_like(self.named)
        self.points = pixel_centers(*masks.shape[2:], masks.device)
        self.note = said(self.regions, share * (1 - seen.there(self.regions)))

    def _named(self, tints: Sequence[Mapping[str, Tint]], seen: Seen, amount: float) -> Tensor:
        """The shifts ``[B,R,3]`` of what is named, in Lab."""
        face = seen.outline("skin", 0.0).to(self.lab)
        skin = means(seen.lab, face)[:, 0]
        brightest = torch.stack(
            [
                one[0][m[0] > 0.5].quantile(0.98) if (m > 0.5).any() else one[0].mean()
                for one, m in zip(seen.lab, face, strict=True)
            ]
        )
        out = torch.zeros_like(self.mean)
        for i, mine in enumerate(tints):
            for r, name in enumerate(self.regions):
                if (tint := mine.get(name)) is not None:
                    light = torch.maximum(seen.eye_white, 0.7 * brightest) if name == "irises" else brightest
                    there = goal(name, tint.lab, skin[i : i + 1], light[i : i + 1])[0]
                    out[i, r] = shift(name, self.mean[i, r], there, amount * tint.amount)
        return out

    @property
    def sought(self) -> bool:
        """Whether there is a colour for an optimiser to seek."""
        return bool(self.free.any())

    def raster(self) -> Tensor:
        """The colours ``[B,3,h,w]`` at :attr:`points`, sRGB."""
        shifts = self.named + self.free * 100 * self.shifts / self.cost
        return repaint(self.lab, self.mean, shifts, self.masks, self.limit, self.regions, self.side)


def means(picture: Tensor, masks: Tensor) -> Tensor:
    """Mean values ``[B,R,C]`` of pictures ``[B,C,h,w]`` in masks ``[B,R,h,w]``."""
    return torch.einsum("bchw,brhw->brc", picture, masks) / masks.sum((2, 3)).clamp(min=1e-3)[..., None]


def said(regions: Sequence[str], missing: Tensor) -> str:
    """A sentence about regions that are asked for and not seen, ``missing [B,R]`` 0..1; empty where there is none."""
    lacking = (missing > 0.5).cpu()
    parts = []
    for r, name in enumerate(regions):
        if lacking[:, r].any():
            which = [str(i + 1) for i in lacking[:, r].nonzero()[:, 0].tolist()]
            where = f" on face {', '.join(which)}" if len(lacking) > 1 else ""
            parts.append(f"{SAID[name]}{where}")
    return "; ".join(parts).capitalize() + "." if parts else ""
