"""How far brows are drawn together, read off the picture around them.

Landmarks hardly tell: brows that frown move by a few hundredths of the eye distance, and differ more than that between people. What
tells is the skin between them, and how near they come to the eyes. So a small network looks at these alone, of photographs that people called
angry or not, and of faces whose brows were moved (:mod:`flow_core.train.frowning`); of the mouth, which may shout or smile, it sees nothing.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoint import filled
from ..geometry.crop import Crop
from ..geometry.directions import down_of
from ..geometry.ramp import ramp
from ..geometry.sampling import sample_grid
from ..guides.nano import fused
from ..once import once
from ..threads import yielding
from .covered import convolution
from .landmarks import AT, EYES, WIDEN

BUILTIN = Path(__file__).parents[1] / "weights" / "frowning.safetensors"
HIGH, WIDE = 40, 64  # pixels of what the network sees
ACROSS = 1.75  # its width in distances between the middles of the eyes
UP = 0.36  # how far its middle lies above the eyes, in the same distances
CHANNELS = (16, 32, 48, 64)
# Logits of nine of ten faces at rest at most, and of those that surely frown
USUAL, FULL = -0.2, 1.9


class Frowning(nn.Module):
    """Brows ``[B,1,40,64]``, grey 0..1, as of :func:`around_brows` -> logits ``[B]`` that they are drawn together."""

    def __init__(self) -> None:
        super().__init__()
        layers, before = [], 1
        for i, after in enumerate(CHANNELS):
            layers += convolution(before, after, 2 if i else 1)
            before = after
        self.tower = nn.Sequential(*layers)
        self.answer = nn.Sequential(
            nn.Linear(CHANNELS[-1] * (HIGH // 8) * (WIDE // 8), 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 1)
        )

    def forward(self, brows: Tensor) -> Tensor:
        x = brows - brows.mean((2, 3), keepdim=True)
        x = x / x.square().mean((2, 3), keepdim=True).sqrt().clamp(min=0.02)
        return self.answer(self.tower(x).flatten(1))[:, 0]

    def both_ways(self, brows: Tensor) -> Tensor:
        """The mean of what it answers for brows and for their mirror image."""
        return (self(brows) + self(brows.flip(-1))) / 2


def grid_around(places: Tensor, wider: float = 1.0) -> Tensor:
    """Crop points ``[B,H,W,2]`` around the brows of faces with landmarks ``[B,161,2]`` in crop points; ``wider`` times as far, in as many
    pixels more."""
    eyes = torch.stack([places[:, [AT[i] for i in eye]].mean(1) for eye in EYES], 1)
    along = eyes[:, 1] - eyes[:, 0]
    down = down_of(along)
    w, h = round(WIDE * wider), round(HIGH * wider)
    x = (torch.arange(w, device=places.device) + 0.5 - w / 2) * (ACROSS / WIDE)
    y = (torch.arange(h, device=places.device) + 0.5 - h / 2) * (ACROSS / WIDE) - UP
    middle = eyes.mean(1)[:, None, None]
    return middle + x[None, None, :, None] * along[:, None, None] + y[None, :, None, None] * down[:, None, None]


def around_brows(view: Tensor, places: Tensor, wider: float = 1.0) -> Tensor:
    """What the network sees, ``[B,1,40,64]``, of faces ``view [B,3,n,n]`` as of :func:`flow_core.faces.shown.view` with landmarks
    ``places [B,161,2]`` in crop points."""
    points = (grid_around(places, wider) - 0.5) * (2 / WIDEN)
    return sample_grid(view.mean(1, keepdim=True), points, "bilinear", "border")


@once()
def load_frowning(path: Path = BUILTIN) -> Frowning:
    """Load the network trained by :mod:`flow_core.train.frowning`, on the CPU."""
    with torch.inference_mode(False):
        return fused(filled(Frowning, path, "frown")).to(memory_format=torch.channels_last)


@yielding()
@torch.no_grad()
def drawn_together(crop: Crop) -> Tensor:
    """How far the brows of the faces of a crop are drawn together, ``[B]`` 0..1; 0 of crops without pictures."""
    places = crop.places.float().cpu()
    if crop.view is None:
        return places.new_zeros(len(places))
    with torch.inference_mode(False):
        seen = around_brows(crop.view.float().cpu(), places)
        logits = load_frowning().both_ways(seen)
    return ramp(logits, USUAL, FULL)


__all__ = ["Frowning", "around_brows", "drawn_together", "load_frowning"]
