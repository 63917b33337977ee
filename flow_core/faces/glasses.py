"""Glasses: whether a face wears some, and whether its eyes are seen behind them.

A small network, trained on glasses that were drawn over faces and on photographs of people who wear some
(:mod:`flow_core.train.glasses`), looks at a band across the eyes. It sees no colours, only light and shade: rims have any colour.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoint import filled
from ..geometry.crop import Crop
from ..geometry.sampling import sample_image
from ..geometry.worn import Worn
from ..guides.nano import fused
from ..once import once
from ..threads import yielding
from .covered import convolution, upwards
from .landmarks import AT, EYES

SIDE = 176  # pixels a side of the face square, of which
BAND = (24, 52, 128, 64)  # left, top, width and height of the band that the network sees
CELL = 2  # pixels a side of a cell of its answer
BUILTIN = Path(__file__).parents[1] / "weights" / "glasses.safetensors"
CHANNELS = (12, 24, 40, 56)
# What it finds: rims with bridge and temples, and lenses, of which some hide the eyes
KINDS = ("rims", "lenses", "dark lenses")
SURE = 2.7  # logit above which glasses are worn: edits of brows that wear none would be held back
COLUMNS, ROWS = 9, 36  # places at which each eye is asked how far up glasses reach, and steps up, to
LOWEST, HIGHEST = 0.05, 0.4  # the most, in distances of the eyes' outer corners; what ends lower is no upper rim
UNSEEN = 0.12  # how high clear glasses may reach whose upper rims are not seen: what is not seen would hardly be seen to bend
HIDING = 0.5  # probability of a dark lens, over both eyes, above which they are not seen


class Glasses(nn.Module):
    """Grey bands ``[B,1,64,128]`` 0..1 -> logits ``[B]`` that glasses are worn, and ``[B,3,32,64]`` of :data:`KINDS`."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = CHANNELS
        self.down1, self.down2 = convolution(1, a, 2), nn.Sequential(convolution(a, b, 2), convolution(b, b))
        self.down3 = nn.Sequential(convolution(b, c, 2), convolution(c, c))
        self.down4 = nn.Sequential(convolution(c, d, 2), convolution(d, d))
        self.worn = nn.Sequential(nn.Linear(2 * d, 32), nn.ReLU(), nn.Linear(32, 1))
        self.up4, self.up3 = convolution(d, c), convolution(2 * c, b)
        self.up2, self.up1 = convolution(2 * b, a), convolution(2 * a, a)
        self.out = nn.Conv2d(a, len(KINDS), 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x - x.mean((2, 3), keepdim=True)
        one = self.down1(x / (x.square().mean((2, 3), keepdim=True).sqrt() + 0.05))
        two = self.down2(one)
        three = self.down3(two)
        seen = self.down4(three)
        worn = self.worn(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1))[:, 0]
        seen = upwards(self.up4(seen), (three, self.up3), (two, self.up2), (one, self.up1))
        return worn, self.out(seen)


@once()
def load_glasses() -> Glasses:
    """The built-in network, on the CPU."""
    with torch.inference_mode(False):
        return fused(filled(Glasses, BUILTIN, "glasses")).to(memory_format=torch.channels_last)


@yielding()
@torch.no_grad()
def glasses_worn(image: Tensor, crop: Crop) -> tuple[Worn | None, ...]:
    """Which glasses each face of a crop wears, which has its landmarks, if any; pictures ``[pictures,3,H,W]``."""
    left, top, width, height = BAND
    grey = crop.aligned(image, SIDE)[..., top : top + height, left : left + width].mean(1, keepdim=True).clamp(0, 1)
    logits, masks = load_glasses()(grey.cpu())
    at = (crop.places.cpu() * SIDE - torch.tensor([left, top])) / CELL
    return tuple(
        _worn(mask[None].sigmoid(), points) if logit > SURE else None
        for logit, mask, points in zip(logits.tolist(), masks, at, strict=True)
    )


def _worn(masks: Tensor, places: Tensor) -> Worn:
    """What the masks ``[1,3,h,w]`` of a face with landmarks ``[161,2]``, in their cells, say of its glasses."""
    eyes = places[[AT[i] for eye in EYES for i in eye]]
    dark = sample_image(masks[:, 2:], eyes[None, None]).mean().item() > HIDING
    # Above places along either eye, upwards from it: how far up there are rims or lenses
    corners = places[[AT[eye[i]] for eye in EYES for i in (0, 8)]].view(2, 2, 2)
    wide = corners[1, 0] - corners[0, 0]
    up = torch.stack([wide[1], -wide[0]])
    share, high = torch.linspace(0.1, 0.9, COLUMNS)[:, None], torch.linspace(0, HIGHEST, ROWS)
    along = torch.cat([torch.lerp(*eye, share) for eye in corners])
    covers = sample_image(masks[:, :2], (along[:, None] + high[:, None] * up)[None]).amax(1)[0] > 0.5
    tops = torch.where(covers, high, 0.0).amax(1)
    seen = tops > LOWEST
    if seen.float().mean() > 0.5:
        return Worn(dark, tops[seen].quantile(0.8).item())
    return Worn(dark, Worn.top if dark else UNSEEN)
