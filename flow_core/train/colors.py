"""Colours that captions can name: regions of the face, recoloured so that the truth is known.

Nearly all training faces are grey photographs and hardly any has green eye shadow. So regions of the face, found by the
landmarks, are painted in CIE Lab, and what a caption may say of a colour follows from the mean of the painted region.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..editing.tints import COLORS, REGIONS
from ..faces.regions import region_mask

_NEAR = 18.0  # a colour that most faces nearly have: brown hair
_LIGHTNESS = 0.6  # weight of L beside a and b: light changes it, paint changes all three


def to_lab(picture: Tensor) -> Tensor:
    """sRGB 0..1 ``[N,3,H,W]`` -> CIE Lab, L 0..100."""
    from kornia.color import rgb_to_lab

    return rgb_to_lab(picture)


def to_rgb(lab: Tensor) -> Tensor:
    """CIE Lab -> sRGB, clipped to 0..1."""
    from kornia.color import lab_to_rgb

    return lab_to_rgb(lab).clamp(0, 1)


def masks(seen: Tensor, lab: Tensor) -> dict[str, Tensor]:
    """Masks ``[N,1,S,S]`` of all :data:`REGIONS` for pictures ``lab [N,3,S,S]`` with landmarks ``seen [N,161,2]``, 0..1.

    Hair is found by its colour within the place where hair is expected.
    """
    out = {name: region_mask(seen, name, lab.shape[-1]) for name in REGIONS}
    out["hair"] = out["hair"] * hair_likeness(lab, out["hair"], seen, 22.0)
    return out


def hair_likeness(picture: Tensor, region: Tensor, landmarks: Tensor, spread: float) -> Tensor:
    """How much pixels look like the hair above the forehead, ``[B,1,S,S]`` 0..1.

    Args:
        picture: ``[B,3,S,S]`` in any colour space.
        region: ``[B,1,S,S]``, where hair is expected.
        landmarks: ``[B,161,2]`` in fractions of the picture.
        spread: standard deviation of hair, in units of the colour space.
    """
    y = torch.linspace(0, 1, picture.shape[-1], device=picture.device)[None, None, :, None]
    top = landmarks[:, :, 1].amin(1)[:, None, None, None].to(picture)
    strip = region * (y < top) + 1e-4 * region + 1e-6
    mean = (picture * strip).sum((2, 3), keepdim=True) / strip.sum((2, 3), keepdim=True)
    return torch.exp(-(picture - mean).square().sum(1, keepdim=True) / (2 * spread**2))


def mean_color(lab: Tensor, mask: Tensor) -> Tensor:
    """Mean Lab ``[N,3]`` in a mask ``[N,1,H,W]``."""
    return (lab * mask).sum((2, 3)) / mask.sum((2, 3)).clamp(min=1e-3)


def measure(lab: Tensor, masks: dict[str, Tensor]) -> Tensor:
    """How much each of :data:`COLORS` is shown, ``[N,C]``: 2.8 for its own Lab, the less the farther from it, about 0.3
    for most faces."""
    weight = lab.new_tensor([_LIGHTNESS, 1.0, 1.0])
    means = {name: mean_color(lab, mask) for name, mask in masks.items()}
    columns = []
    for region, ideal in COLORS.values():
        usual, seen = lab.new_tensor(REGIONS[region].usual), means[region]
        if REGIONS[region].relative:
            seen = seen - means["skin"]
        way = ((lab.new_tensor(ideal) - usual) * weight).norm().clamp(min=_NEAR)
        left = ((lab.new_tensor(ideal) - seen) * weight).norm(dim=-1)
        columns.append(2.8 - 2.5 * left / way)
    return torch.stack(columns, 1)


def colorize(lab: Tensor, masks: dict[str, Tensor], chosen: Tensor, g: torch.Generator) -> Tensor:
    """Give grey pictures ``chosen [N]`` (bool) the colours of people: skin, hair, lips and irises of all kinds."""
    n = len(lab)

    def between(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(n, 1, 1, 1, generator=g)).expand(-1, 1, *lab.shape[2:])

    head = F.avg_pool2d(F.pad(masks["skin"], (4,) * 4, mode="replicate"), 9, 1).mul(2.5).clamp(max=1)
    a, b = between(-4, 4), between(-10, 12)  # background
    tone = between(0.75, 1.1)
    for mask, (a0, a1), (b0, b1) in (
        (masks["hair"], (-1, 12), (0, 24)),
        (head, (8, 18), (10, 26)),
        (masks["lips"], (16, 30), (4, 18)),
        (masks["irises"], (-8, 12), (-20, 24)),
        (masks["brows"], (0, 8), (0, 14)),
    ):
        a, b = torch.lerp(a, between(a0, a1), mask), torch.lerp(b, between(b0, b1), mask)
    light = lab[:, :1] * (1 + (tone - 1) * head)
    chroma = (light / 40).clamp(max=1)  # there is no colour in the dark
    painted = torch.cat([light, a * chroma, b * chroma], 1)
    return torch.where(chosen[:, None, None, None], painted, lab)


def paint(lab: Tensor, masks: dict[str, Tensor], g: torch.Generator) -> Tensor:
    """Paint random regions: towards one of :data:`COLORS` by a random amount, past it, or in some other colour."""
    n = len(lab)
    names = list(COLORS)
    skin = mean_color(lab, masks["skin"])
    for region, about in REGIONS.items():
        often = 0.4 if region in ("lips", "skin", "hair", "irises", "eyelids") else 0.25
        on = torch.rand(n, generator=g) < often
        own = torch.tensor([i for i, name in enumerate(names) if COLORS[name][0] == region])
        pick = own[torch.randint(len(own), (n,), generator=g)]
        ideal = lab.new_tensor([COLORS[name][1] for name in names])[pick]
        ideal = ideal + torch.randn(n, 3, generator=g) * 6
        other = torch.rand(n, generator=g) < 0.25
        random = lab.new_tensor(about.usual) + torch.randn(n, 3, generator=g) * lab.new_tensor([14.0, 18.0, 18.0])
        ideal = torch.where(other[:, None], random, ideal)
        if about.relative:
            ideal = ideal + skin
        amount = 1.25 * torch.rand(n, 1, generator=g) * on[:, None]
        shift = (ideal - mean_color(lab, masks[region])) * amount
        lab = lab + masks[region] * shift[:, :, None, None]
        if region == "skin":  # the rest is told apart from the new skin
            skin = mean_color(lab, masks["skin"])
    return torch.cat([lab[:, :1].clamp(0, 100), lab[:, 1:]], 1)
