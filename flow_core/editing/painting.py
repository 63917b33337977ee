"""Colours of the face's regions: where a colour may go, what it costs, and the raster that it makes."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..faces.hair import FAR, WINDOW, goes_on, how_far, resized
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..geometry.lab import lab_to_rgb, rgb_to_lab
from ..geometry.ramp import ramp
from ..once import kept_with
from .dye import Hair, dyed, look
from .gates import Gates
from .tints import Tint, goal, shift
from .visible import Seen, seen_in

COLOR_RASTER = 128  # a side, of the raster in which colours are kept: outlines are finer than movements
HAIR_RASTER = 256  # and of hair, whose strands are finer still
# sides of the face square in which hair may be dyed; multiples of 1/8 keep the rasters even
SPANS = 1.0, 1.125, 1.25, 1.5, 2.0, 2.5
MARGIN = 0.09  # of the face square, by which these go beyond a picture, whose hair fades over the last of them
COLOR_LIMIT = 1.0  # largest colour offset, of sRGB, where nothing else is asked for
DIM = 0.02  # sRGB, below which light and shade are noise
LEAST_MASK = 1 / 512  # of a mask, below which nothing is painted: less than any format keeps
REFERENCE_AREA = 0.012  # share of the face square that lips cover, on which a colour costs no more than what it is
BARE = 0.0, 10.0  # L by which skin is lighter than a brow with its hairs, on the mean: none of it, and all
MISSING_NOTES = {  # region -> what is wrong where there is none of it
    "hair": "no hair was found (a bald or shaven head, a hat or a scarf), so that none is dyed",
    "irises": "the eyes are closed or covered, so that their colour stays",
    "eyelids": "the eyelids are covered, so that nothing is painted there",
    "under-eyes": "what lies under the eyes is covered, so that nothing is painted there",
    "lips": "the lips are covered, so that nothing is painted there",
    "brows": "the brows are covered, so that nothing is painted there",
    "cheeks": "the cheeks are covered, so that nothing is painted there",
    "skin": "no skin is seen, so that nothing is painted there",
}


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


class Patch(NamedTuple):
    """The pixels of a region of a face, as they were.

    Attributes:
        face, region: whose.
        at: ``[N]`` which pixels, row by row.
        rgb: ``[3,N]``.
        lab: ``[3,N]``.
        mask: ``[N]``.
        hair: more of them where they are hair, else None.
    """

    face: int
    region: int
    at: Tensor
    rgb: Tensor
    lab: Tensor
    mask: Tensor
    hair: Hair | None


def patches(
    picture: Tensor, mean: Tensor, masks: Tensor, regions: Sequence[str], square: int, skin: Tensor | None = None
) -> list[Patch]:
    """What :func:`repaint` needs to know, whatever the colours; ``skin [B,2,k,k]`` as in :func:`flow_core.editing.dye.look`."""
    made = []
    for i, r in itertools.product(range(len(masks)), range(len(regions))):
        mask = masks[i, r].flatten()
        at = (mask > LEAST_MASK).nonzero()[:, 0]
        if not len(at):
            continue
        one = slice(i, i + 1)
        rgb, hair = picture[i].flatten(1).index_select(1, at), None
        if regions[r] == "hair":
            face = None if skin is None else skin[one]
            hair = look(picture[one], masks[one, r : r + 1], at, mean[i, r], square, face)
        made.append(Patch(i, r, at, rgb, rgb_to_lab(rgb) if hair is None else hair.lab, mask[at], hair))
    return made


def repaint(
    parts: Sequence[Patch], mean: Tensor, shifts: Tensor, size: tuple[int, int], limit: float, regions: Sequence[str]
) -> Tensor:
    """Colour raster that shifts the colours of regions and keeps light and shade within them.

    How light is told by :func:`relit`, and of hair by :func:`flow_core.editing.dye.dyed`; where it is dark there is less colour.

    Args:
        parts: from :func:`patches`.
        mean: of the regions, ``[B,R,3]``.
        shifts: of the means, ``[B,R,3]``, all CIE Lab.
        size: (h, w) of the raster.
        limit: largest value of the raster, sRGB 0..1.
        regions: their names.

    Returns:
        ``[B,3,h,w]`` sRGB.
    """
    painted = [mean.new_zeros(3, size[0] * size[1]) for _ in mean]
    for part in parts:
        by = shifts[part.face, part.region]
        if part.hair is not None:
            shifted = lab_to_rgb(dyed(part.hair, by))
            # what is darker than the hair it is taken for lies in shade, and changes by as much less; or red in shade turns green
            light, of_hair = (x.mean(0) + DIM for x in (part.rgb, part.hair.rgb))
            around = torch.lerp(part.hair.beyond, part.hair.rgb, part.mask).mean(0) + DIM
            mask = part.mask * (light / torch.minimum(of_hair, around)).clamp(max=1)
            # what is taken for partly hair becomes no more than hair or what lies beyond, or else skin beside it would glow
            low, high = (torch.stack([shifted, part.hair.beyond]) - part.rgb).aminmax(dim=0)
            change = mask * (shifted - part.hair.rgb)
            within = torch.minimum(torch.maximum(change, low.clamp(max=0)), high.clamp(min=0))
            # all channels alike, or else skin beside blue hair turns pink
            change = change * (within.abs().sum(0) / change.abs().sum(0).clamp(min=1e-6))
        else:
            change = part.mask * (
                lab_to_rgb(
                    _recolored(regions[part.region], part.lab, mean[part.face, part.region][:, None], by[:, None])
                )
                - part.rgb
            )
        painted[part.face] = painted[part.face].index_add(1, part.at, change)
    raster = torch.stack(painted).unflatten(2, size)
    most = raster.abs().amax(1, keepdim=True)  # all channels alike, or else what goes far would be of another hue
    return (raster * (limit / most.clamp(min=limit + 1e-9))).clamp(-limit, limit)


def _recolored(region: str, lab: Tensor, at: Tensor, by: Tensor) -> Tensor:
    """Lab ``[3,N]`` of pixels of a region whose mean ``at [3,1]`` goes by ``by [3,1]``."""
    light = relit(region, lab[:1], at[:1], by[:1]).clamp(0, 100)
    there = at + by
    full = ((light + 4) / (there[:1] + 4).clamp(min=4)).clamp(0, 1)
    # a dark coat, or a pale one, leaves less of how colours differ below
    darker = (there[:1] + 16) / (at[:1] + 16)
    paler = (there[1:].norm(dim=0) + 1) / (at[1:].norm(dim=0) + 1)
    kept = torch.minimum(darker, paler.clamp(min=0.3)).clamp(max=1)
    new = torch.cat([light, there[1:] * full + (lab[1:] - at[1:] * full) * kept])
    if region == "brows":  # bleach leaves the skin between hairs as it is, or else it would glow
        new = torch.where(by[:1] > 0, torch.lerp(new, lab, ramp(lab[:1] - at[:1], *BARE)), new)
    return new


def relit(region: str, light: Tensor, at: Tensor, by: Tensor) -> Tensor:
    """L of pixels of a region whose mean ``at`` goes by ``by``.

    What gets darker does so by a factor, as under paint, but gloss on skin stays; what gets lighter does so least where it is dark or bright
    already.
    """
    shade = light / at.clamp(min=1)
    left = (100 - light) / (100 - at).clamp(min=1)
    darker = (
        torch.where(shade > 1, 0.5 + 0.5 * left, shade.clamp(min=0.3)) if region == "skin" else shade.clamp(0.3, 1.6)
    )
    least = 0.8 if region == "brows" else 0.2  # bleach takes the darkest hairs, too
    return light + by * torch.where(by < 0, darker, torch.minimum(shade, left).clamp(least, 1))


def raster_side(regions: Collection[str]) -> int:
    """Side of the raster for the colours of some regions, and of the face squares that they are found in."""
    return HAIR_RASTER if "hair" in regions else COLOR_RASTER


def color_span(regions: Collection[str], crop: Crop, image: Tensor) -> float:
    """Sides of the face square of the square in which ``image [pictures or 1,3,H,W]`` is painted, one of :data:`SPANS`: for skin how far the pictures
    go beyond that, and for hair by more than :data:`FAR` only where it hangs as low; 1 for what no face has but within."""
    if not {"skin", "hair"} & set(regions):
        return 1.0
    h, w = crop.image_size
    corners = crop.to_crop(crop.matrix.new_tensor([[[0.0, 0], [w, 0], [w, h], [0, h]]])[:, None])
    reach = 2 * (corners - 0.5).abs().max().item() if crop.batch else 1.0
    widest = next((span for span in SPANS if span >= reach + MARGIN), SPANS[-1])
    if widest <= FAR or "skin" in regions:
        return widest
    if crop.view is None:
        return _hanging_span(image, crop, widest)
    return kept_with(_HANGING, crop.view, crop.landmarks, lambda: _hanging_span(image, crop, widest))


def seen_part(wide: Crop, side: int, span: float, regions: Collection[str]) -> Tensor | None:
    """Where squares ``wide``, of ``span`` sides of the face square and ``side`` pixels, are seen, as :class:`RegionColors` takes it; None where all
    that is painted lies on the face, so that it does not matter."""
    return wide.within(side) if span > 1 or "hair" in regions else None


_HANGING = WeakIdKeyDictionary()  # view -> landmarks, and :func:`_hanging_span`: each colour asks for it


def _hanging_span(image: Tensor, crop: Crop, widest: float) -> float:
    """What :func:`color_span` finds for hair in pictures that go on as far as ``widest``."""

    def seen(span: float) -> tuple[Tensor, Tensor, float]:
        wide, side = crop.widen(span), round(COLOR_RASTER * span)
        return wide.aligned(image, side), wide.within(side), span

    if not goes_on(*seen(WINDOW)):
        return FAR
    far = how_far(*seen(widest))
    return next((span for span in SPANS if span >= FAR and span / 2 >= far + MARGIN), widest)


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
        span: side of the squares in sides of the face squares; hair and skin alone are painted beyond these.
        within: ``[B,1,S,S]`` 1 where the squares are seen, and not the border of the picture repeated; None = everywhere.

    Attributes:
        shifts: ``[B,R,3]`` in hundredths of Lab, zero at the start; what is optimised where :attr:`free`.
        free: ``[B,R,1]`` 1 where a colour is sought, 0 where it is named.
        note: a sentence about what could not be painted; empty where all was.
    """

    def __init__(
        self, gates: Sequence[Gates], tints: Sequence[Mapping[str, Tint]], landmarks: Tensor, picture: Tensor,
        size: tuple[int, int], limit: float, amount: float = 1.0, span: float = 1.0, within: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.regions, self.span = colored(gates), span
        coarse, side = max(COLOR_RASTER, *size), max(raster_side(self.regions), *size)
        seen = seen_in(landmarks, picture, coarse, span, side, within)
        regions = tuple(self.regions)
        masks, mean, cost = seen.once(("masks", regions), lambda: _masks(seen, regions, round(side * span)))
        self.mean, self.limit = mean.to(picture), limit
        # what is named goes as far as its tint says; what is sought, as far as its gate is open
        self.free = masks.new_tensor([[name not in t for name in self.regions] for t in tints])[..., None]
        share = masks.new_tensor([[g.regions[name] for name in self.regions] for g in gates])
        self.masks = masks * torch.where(self.free[..., 0] > 0, share, (share > 0).to(share))[..., None, None]
        self.cost = cost[..., None]
        self.named = self._named(tints, seen, amount)
        self.shifts = torch.zeros_like(self.named)
        painted = self.named.any(-1) | (self.free[..., 0] > 0)
        key = (
            "parts",
            regions,
            tuple(self.free.flatten().tolist()),
            tuple(share.flatten().tolist()),
            tuple(painted.flatten().tolist()),
        )
        self.parts = seen.once(
            key,
            lambda: patches(
                resized(seen.picture, round(side * span)),
                self.mean,
                self.masks * painted[..., None, None],
                self.regions,
                side,
                torch.cat([seen.face, seen.rooted], 1) if "hair" in regions else None,
            ),
        )
        self.points = pixel_centers(*masks.shape[2:], masks.device)
        self.note = missing_note(self.regions, share * (1 - seen.there(self.regions)))

    def _named(self, tints: Sequence[Mapping[str, Tint]], seen: Seen, amount: float) -> Tensor:
        """The shifts ``[B,R,3]`` of what is named, in Lab."""
        skin, brightest = seen.light
        out = torch.zeros_like(self.mean)
        for i, mine in enumerate(tints):
            for r, name in enumerate(self.regions):
                if (tint := mine.get(name)) is not None:
                    light = brightest
                    if name == "irises":
                        light = torch.maximum(seen.eye_white, 0.7 * brightest)
                    elif name == "hair":
                        # dark skin in bright light is told by white eyes, and by hair that is light itself
                        light = torch.stack([brightest, 0.9 * seen.eye_white, self.mean[:, r, 0] + 10]).amax(0)
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
        return repaint(self.parts, self.mean, shifts, tuple(self.masks.shape[2:]), self.limit, self.regions)


def _masks(seen: Seen, regions: Sequence[str], side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where regions are seen, ``[B,R,side,side]``, their mean Lab ``[B,R,3]``, and :func:`region_cost` of them. The skin of the face alone tells of the
    latter two: it is painted alike however much is seen of the body."""
    masks = [seen.mask(name) for name in regions]
    telling = [
        resized(m if name != "skin" else seen.face_skin, seen.whole.shape[-1])
        for name, m in zip(regions, masks, strict=True)
    ]
    telling = torch.cat(telling, 1)
    mean, cost = means(seen.whole_lab, telling), region_cost(telling * seen.span**2)
    return torch.cat([resized(m, side) for m in masks], 1), mean, cost


def means(picture: Tensor, masks: Tensor) -> Tensor:
    """Mean values ``[B,R,C]`` of pictures ``[B,C,h,w]`` in masks ``[B,R,h,w]``."""
    return torch.einsum("bchw,brhw->brc", picture, masks) / masks.sum((2, 3)).clamp(min=1e-3)[..., None]


def missing_note(regions: Sequence[str], missing: Tensor) -> str:
    """A sentence about regions that are asked for and not seen, ``missing [B,R]`` 0..1; empty where there is none."""
    lacking = (missing > 0.5).cpu()
    parts = []
    for r, name in enumerate(regions):
        if lacking[:, r].any():
            which = [str(i + 1) for i in lacking[:, r].nonzero()[:, 0].tolist()]
            where = f" on face {', '.join(which)}" if len(lacking) > 1 else ""
            parts.append(f"{MISSING_NOTES[name]}{where}")
    return "; ".join(parts).capitalize() + "." if parts else ""
