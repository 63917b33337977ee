"""What colour a prompt names, and for which region: the nearest of a table of colours in the guide's own text space.

The table holds colours in CIE Lab, in the light of a usual portrait. On a face they are taken into the light of its picture: a dim face gets
dim red lips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..guides.guide import Guide
from ..guides.prompts import Prompt
from .gates import COLOR_REGIONS, Gates


@dataclass(frozen=True)
class Region:
    """A region that has a colour.

    Attributes:
        usual: Lab of most faces; where ``relative``, as the difference from the skin.
        relative: lips, brows and make-up are told by how they differ from the skin around, in any light.
    """

    usual: tuple[float, float, float]
    relative: bool


REGIONS = {
    "skin": Region((56.0, 14.0, 15.0), False),
    "lips": Region((-9.0, 9.0, -3.0), True),
    "cheeks": Region((4.0, 1.0, 0.0), True),
    "brows": Region((-11.0, -2.0, -2.0), True),
    "eyelids": Region((-13.0, -1.0, -3.0), True),
    "under-eyes": Region((-3.0, -1.0, -2.0), True),
    "irises": Region((28.0, 6.0, 5.0), False),
    "hair": Region((38.0, 6.0, 9.0), False),
}

# name -> region and Lab of what deserves the name; relative to the skin where the region is
COLORS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "lips red": ("lips", (-20, 38, 14)),
    "lips pink": ("lips", (-3, 28, -8)),
    "lips orange": ("lips", (-6, 24, 24)),
    "lips purple": ("lips", (-28, 20, -22)),
    "lips dark": ("lips", (-46, 2, -5)),
    "lips pale": ("lips", (6, -2, -1)),
    "cheeks rosy": ("cheeks", (-4, 17, 2)),
    "brows dark": ("brows", (-36, -7, -8)),
    "brows light": ("brows", (8, 0, 10)),
    "eyelids blue": ("eyelids", (-14, -8, -36)),
    "eyelids purple": ("eyelids", (-20, 18, -28)),
    "eyelids green": ("eyelids", (-14, -26, 6)),
    "eyelids pink": ("eyelids", (-6, 22, -8)),
    "eyelids golden": ("eyelids", (-4, 4, 26)),
    "eyelids dark": ("eyelids", (-36, -2, -8)),
    "under-eyes dark": ("under-eyes", (-22, 3, -12)),
    "skin pale": ("skin", (83, 7, 12)),
    "skin tanned": ("skin", (53, 18, 28)),
    "skin dark": ("skin", (32, 11, 15)),
    "skin red": ("skin", (56, 34, 22)),
    "skin green": ("skin", (56, -26, 24)),
    "skin blue": ("skin", (54, -4, -32)),
    "eyes blue": ("irises", (48, -6, -26)),
    "eyes green": ("irises", (46, -16, 14)),
    "eyes brown": ("irises", (22, 14, 20)),
    "eyes grey": ("irises", (54, -2, -4)),
    "hair black": ("hair", (10, 0, 0)),
    "hair brown": ("hair", (30, 10, 18)),
    "hair blond": ("hair", (68, 8, 27)),
    "hair red": ("hair", (41, 28, 32)),
    "hair grey": ("hair", (80, 0, 2)),
    "hair blue": ("hair", (39, 0, -35)),
    "hair green": ("hair", (50, -30, 22)),
    "hair pink": ("hair", (62, 34, -4)),
    "hair purple": ("hair", (40, 28, -32)),
}
TEXTS: dict[str, tuple[str, ...]] = {  # colour -> texts that ask for it
    "lips red": ("a face with red lips", "red lipstick"),
    "lips pink": ("a face with pink lips", "pink lipstick"),
    "lips orange": ("a face with orange lips", "coral lipstick"),
    "lips purple": ("a face with purple lips", "purple lipstick"),
    "lips dark": ("a face with dark lips", "a face with black lips", "black lipstick"),
    "lips pale": ("a face with pale lips", "colourless lips"),
    "cheeks rosy": ("a face with rosy cheeks", "a blushing face", "red cheeks", "pink cheeks"),
    "brows dark": ("a face with dark eyebrows", "a face with black eyebrows"),
    "brows light": ("a face with blond eyebrows", "a face with light eyebrows"),
    "eyelids blue": ("a face with blue eye shadow", "blue eyelids"),
    "eyelids purple": ("a face with purple eye shadow", "purple eyelids"),
    "eyelids green": ("a face with green eye shadow", "green eyelids"),
    "eyelids pink": ("a face with pink eye shadow", "pink eyelids"),
    "eyelids golden": ("a face with golden eye shadow", "gold eyelids"),
    "eyelids dark": ("a face with dark eye shadow", "smoky eye makeup"),
    "under-eyes dark": ("a face with dark circles under the eyes", "shadows under the eyes"),
    "skin pale": ("a face with pale skin", "a pale face", "white skin"),
    "skin tanned": ("a face with tanned skin", "a tanned face"),
    "skin dark": ("a face with dark skin",),
    "skin red": ("a face with red skin", "a sunburnt face"),
    "skin green": ("a face with green skin",),
    "skin blue": ("a face with blue skin",),
    "eyes blue": ("a face with blue eyes", "blue irises"),
    "eyes green": ("a face with green eyes", "green irises"),
    "eyes brown": ("a face with brown eyes", "brown irises"),
    "eyes grey": ("a face with grey eyes", "grey irises"),
    "hair black": ("a face with black hair", "dark hair"),
    "hair brown": ("a face with brown hair",),
    "hair blond": ("a face with blond hair", "golden hair"),
    "hair red": ("a face with red hair", "ginger hair"),
    "hair grey": ("a face with grey hair", "white hair"),
    "hair blue": ("a face with blue hair",),
    "hair green": ("a face with green hair",),
    "hair pink": ("a face with pink hair",),
    "hair purple": ("a face with purple hair",),
}
LEAST = 0.45  # likeness to the nearest text below which none of these colours is meant
WITHIN = 0.1  # colours less alike than the nearest one by this share count no more
# how much of the way a colour goes: a face all of another colour is another face
REACH = {"skin": 0.6, "cheeks": 0.8, "under-eyes": 0.8, "irises": 0.7, "eyelids": 0.95}
MOST = 0.95  # of the others
# L of the skin, and of the brightest part of a face, in the light in which the table holds
SKIN, BRIGHTEST = 56.0, 80.0
OWN_HUE = 9.0  # distance in a and b from usual skin up to which it is the skin itself, and not coloured light
FARTHEST = 18.0  # L by which skin changes at most: a face that is lighter or darker by more is another face
# share of usual skin's colour in a face's, up to which its picture has no colours, and from where on it has them: a tan is grey in the former
COLORED = 0.1, 0.35
# Cosine of the hues of usual skin and of a colour, at least, and its chroma, at most, that skin has without paint
FLESH = 0.9, 36.0
OWN_LIGHT = 0.9  # exponent: nearly all of what makes a face dark is taken for the light, and a part for its skin


@dataclass(frozen=True)
class Tint:
    """A colour that a prompt names for a region.

    Attributes:
        lab: as in :data:`COLORS`, with its weight: several parts of a prompt, or colours between two of the table, are a mean.
        amount: how far to go there, 1 as usual; negative goes the other way.
    """

    lab: tuple[float, float, float]
    amount: float


def named_tints(guide: Guide, prompt: Prompt, gates: Gates) -> Mapping[str, Tint]:
    """Which colours a prompt names: region -> :class:`Tint`, for regions whose gate is open and for which it names one."""
    open_ = [name for name in COLOR_REGIONS if gates.regions.get(name, 0) > 0]
    if not open_:
        return {}
    rows = [(name, text) for name, texts in TEXTS.items() for text in texts]
    neutral = guide.encode_text([prompt.neutral])
    known = F.normalize(guide.encode_text([text for _, text in rows]) - neutral, dim=-1)
    common = known.mean(0)  # what all have in common only says that a colour is asked for
    known = F.normalize(known - common, dim=-1)
    likeness = torch.zeros(len(prompt.parts), len(rows))
    for near, (text, _) in zip(likeness, prompt.parts, strict=True):
        asked = F.normalize(guide.encode_text(guide.wishes(text)) - neutral, dim=-1)
        near.copy_((F.normalize(asked - common, dim=-1) @ known.T).amax(0))
    found: dict[str, list[tuple[float, Tensor]]] = {}
    for (_, weight), row in zip(prompt.parts, likeness, strict=True):
        for region in open_:
            mine = torch.tensor([COLORS[name][0] == region for name, _ in rows])
            best = row[mine].max()
            if best < LEAST or best < 0.6 * row.max():
                continue
            share = ((row / best - (1 - WITHIN)) / WITHIN).clamp(0, 1) * mine
            lab = torch.tensor([COLORS[name][1] for name, _ in rows], dtype=torch.float)
            found.setdefault(region, []).append((weight, (share / share.sum()) @ lab))
    out = {}
    for region, parts in found.items():
        total = sum(abs(w) for w, _ in parts)
        if total:
            lab = sum(abs(w) / total * color for w, color in parts)
            amount = sum(w * abs(w) for w, _ in parts) / total * gates.regions[region]
            out[region] = Tint(tuple(lab.tolist()), amount)
    return out


def goal(region: str, lab: tuple[float, float, float], skin: Tensor, brightest: Tensor) -> Tensor:
    """The Lab ``[B,3]`` that a colour of :data:`COLORS` has in the light of a picture.

    Light that is ``k**3`` times as strong takes L + 16, a and b to ``k`` times as much.

    Args:
        region: of :data:`REGIONS`.
        lab: the colour, as in :data:`COLORS`.
        skin: Lab ``[B,3]`` of the skin.
        brightest: L ``[B]`` of the brightest part of the face; of irises, of the white of the eyes, or what there is like it.
    """
    color, usual = skin.new_tensor(lab), skin.new_tensor(REGIONS["skin"].usual)
    dark, hue = skin.new_tensor([16.0, 0.0, 0.0]), skin.new_tensor([0.0, 1.0, 1.0])
    if REGIONS[region].relative:
        color = color + usual
        light = ((skin[:, 0] + 16) / (SKIN + 16)).clamp(0.2, 1.3) ** OWN_LIGHT
        cast = 0.9 * (skin - light[:, None] * usual) * hue  # of coloured light
    else:
        light = ((brightest + 16) / (BRIGHTEST + 16)).clamp(0.3, 1)
        # nobody's skin is far from the usual in white light, or from grey in a picture without colours
        own = light[:, None] * usual * hue
        share = (skin * own).sum(1) / own.square().sum(1)
        off = skin * hue - own * share.clamp(0, 1)[:, None]
        if region == "skin" and _of_flesh(color[1:], usual[1:]):
            colored = ((share - COLORED[0]) / (COLORED[1] - COLORED[0])).clamp(0, 1)[:, None]
            color = color * (1 + hue * (colored - 1))
        cast = off * (1 - OWN_HUE / off.norm(dim=1, keepdim=True).clamp(min=OWN_HUE))
    cast = cast * (color[..., :1] + 16) / (SKIN + 16)  # what is dark takes less of it
    return (light[:, None] * (color + dark) - dark + cast).clamp(min=light.new_tensor([1.0, -110, -110]))


def _of_flesh(color: Tensor, usual: Tensor) -> bool:
    """Whether skin has a and b ``[2]`` without paint."""
    chroma = color.norm().item()
    return (color @ usual).item() > FLESH[0] * chroma * usual.norm().item() and chroma < FLESH[1]


def shift(region: str, mean: Tensor, there: Tensor, amount: float) -> Tensor:
    """How far a region of mean colour ``mean [3]`` goes to ``there [3]``, Lab, for an amount of which 1 is usual."""
    by = REACH.get(region, MOST) * amount * (there - mean)
    if region != "skin" or by[0].abs() <= FARTHEST:
        return by
    short = FARTHEST / by[0].abs()
    if by[0] < 0:  # skin is browner the darker it is, and less so where it is dark for its light alone
        at = mean[0] - FARTHEST
        tone = there[1:] * ((at + 16) / (there[0] + 16)).clamp(min=1).sqrt()
        return torch.cat([-by.new_tensor([FARTHEST]), REACH[region] * amount * (tone - mean[1:])])
    by = short * by
    # what light does to the skin for the rest of the way: it keeps its colour
    return by + (1 - short) * mean * by[0] / (mean[0] + 16) * by.new_tensor([0.0, 1.0, 1.0])


__all__ = ["COLORS", "REGIONS", "Region", "Tint", "goal", "named_tints", "shift"]
