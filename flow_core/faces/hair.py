"""Where a face has hair: a small network that looks at the aligned face square, and from a little further away.

It has learnt that a bald head, a hat and a scarf are no hair, and that dark hair ends where a dark wall begins. Beards and brows are
not hair to it. The card is ``weights/hair.md``.
"""

from __future__ import annotations

import functools
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import filled
from ..guides.nano import fused
from ..once import once
from .creases import largest

BUILTIN = Path(__file__).parents[1] / "weights" / "hair.safetensors"
SIZE = 96  # pixels a side of the face square that the network looks at
CHANNELS = (12, 28, 44, 52)
LEAST = 0.03  # share of the square above which a face has hair that can be dyed; a shaven head shows a rim of some
BAND = 0.03  # of the square, by which the border of what the network finds may be off
COARSE = 128  # pixels a side at most, at which the border is looked for; how far each pixel belongs to hair is finer
WINDOW = 1.25  # sides of the face square that the network may look at: it knows faces of this size
NEAR = 1.125  # sides of the face square up to which hair goes on as it ends there: too little to look at again
JOINED = 0.1  # of the face square, over which what it finds there goes over into what it finds in the square
TEXTURE = 0.15, 0.4  # of the texture that most of the hair has: none, and enough
BLURRED = (
    0.006  # mean difference of the logarithm of light from that of its neighbours, below which a picture has no texture
)
SURE = 1.5  # mean logit where hair is found, below which it may well be a hat or a bald head


class _Step(nn.Sequential):
    def __init__(self, c_in: int, c_out: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(c_out), nn.SiLU()
        )


class HairNet(nn.Module):
    """The network: an encoder and a decoder with connections across (Ronneberger, U-Net, 2015), and one look at the whole."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = CHANNELS
        self.down = nn.ModuleList(
            [
                _Step(3, a, 2, 5),
                nn.Sequential(_Step(a, b, 2), _Step(b, b)),
                nn.Sequential(_Step(b, c, 2), _Step(c, c)),
                nn.Sequential(_Step(c, d, 2), _Step(d, d)),
            ]
        )
        self.whole = nn.Linear(d, d)
        self.up = nn.ModuleList([_Step(d + c, c), _Step(c + b, 20), _Step(20 + a, a)])
        self.last = nn.Conv2d(a, 1, 3, padding=1)

    def forward(self, aligned: Tensor) -> Tensor:
        """Face squares ``[B,3,96,96]`` RGB 0..1 -> logits ``[B,1,48,48]`` of hair."""
        x, maps = 4 * (aligned - 0.5), []
        for step in self.down:
            x = step(x)
            maps.append(x)
        x = x + self.whole(x.mean((2, 3)))[:, :, None, None]
        for step, across in zip(self.up, maps[-2::-1], strict=True):
            x = step(torch.cat([F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False), across], 1))
        return self.last(x)


@once(2)
def load_hair(path: Path = BUILTIN, device: torch.device | str = "cpu") -> HairNet:
    """Load the network trained by :mod:`flow_core.train.hair`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    with torch.inference_mode(False):  # weights made in inference mode would be of no use outside of it
        return fused(filled(HairNet, path, "hair")).to(device, memory_format=torch.channels_last)


@torch.no_grad()
def find_hair(picture: Tensor, size: int, span: float = 1.0) -> tuple[Tensor, Tensor]:
    """Hair of the head, without beard and brows.

    Args:
        picture: squares ``[B,3,S,S]`` RGB 0..1 around the middle of the face square.
        size: pixels of the mask along a side of the face square.
        span: side of the squares in sides of the face square.

    Returns:
        A mask ``[B,1,n,n]`` 0..1 of the squares, n = ``size * span``, whose border follows the edges of the picture; and whether each
        face has hair and the network is sure of it, ``[B]`` bool.
    """
    picture = picture.detach().float()
    logits = _look(middle(picture, span))
    coarse, side = min(size, COARSE), round(size * span)
    mask = F.interpolate(logits.sigmoid(), (coarse, coarse), mode="bilinear", align_corners=False)
    if span > NEAR:
        mask = _beyond(picture, mask, span)
    elif span > 1:
        mask = F.pad(mask, (round(coarse * (span - 1) / 2),) * 4, mode="replicate")
    picture = resized(picture, side)
    small = resized(picture, mask.shape[-1])
    mask = mask * textured(small, mask, max(1, round(0.025 * coarse)))
    mask = guided(small, mask, max(1, round(0.03 * coarse)))
    mask = ((mask - 0.3) / 0.5).clamp(0, 1)
    return matted(picture, mask, max(1, round(BAND * coarse)), small=small), trusted(logits)


def _look(aligned: Tensor) -> Tensor:
    small = resized(aligned, SIZE)
    with torch.inference_mode(False):
        return load_hair(device=aligned.device)(small.clone())


def _beyond(picture: Tensor, inside: Tensor, span: float) -> Tensor:
    """Hair of the face square ``inside [B,1,c,c]``, and around it what a look from further away finds: ``[B,1,n,n]``, n = c span.

    From still further away the network knows no face; there hair goes on as it is, and fades."""
    coarse, window = inside.shape[-1], min(span, WINDOW)
    seen = _look(middle(picture, span / window)).sigmoid()
    found = F.interpolate(seen, (round(coarse * window),) * 2, mode="bilinear", align_corners=False)
    rim = (round(coarse * span) - found.shape[-1]) // 2
    if rim:
        ramp = torch.linspace(0, 1, rim + 2, device=found.device)[1:-1]
        ramp = torch.cat([ramp, ramp.new_ones(found.shape[-1]), ramp.flip(0)])
        found = F.pad(found, (rim,) * 4, mode="replicate") * torch.minimum(ramp, ramp[:, None])
    edge = ((torch.arange(coarse, device=found.device) + 0.5) / coarse - 0.5).abs()
    share = ((0.5 - torch.maximum(edge, edge[:, None])) / JOINED).clamp(0, 1)
    rim = (found.shape[-1] - coarse) // 2
    at = (..., slice(rim, rim + coarse), slice(rim, rim + coarse))
    found[at] = torch.lerp(found[at], inside, share)
    return found


def textured(picture: Tensor, mask: Tensor, radius: int) -> Tensor:
    """Whether places have some of the texture that hair has, ``[B,1,h,w]`` 0..1, or are surely hair all the same: a wall that is out of
    focus has none. All are taken for hair where hair is out of focus itself."""
    tone = (picture.mean(1, keepdim=True).clamp(min=0) + 0.03).log()
    fine = blurred((tone - blurred(tone, 1, 1)).abs(), radius)
    usual = [one[m > 0.9].median() if (m > 0.9).any() else one.sum() * 0 for one, m in zip(fine, mask, strict=True)]
    usual = torch.stack(usual)[:, None, None, None]
    some = ((fine / usual.clamp(min=1e-4) - TEXTURE[0]) / (TEXTURE[1] - TEXTURE[0])).clamp(0, 1)
    some = torch.where(usual < BLURRED, 1.0, some)
    return torch.lerp(some, torch.ones_like(some), ((mask - 0.9) / 0.08).clamp(0, 1))


def blurred(planes: Tensor, radius: int, times: int = 2) -> Tensor:
    """``[B,C,S,S]``, ``times`` the mean of a square of ``2 radius + 1`` pixels a side, of what of it lies in the picture."""
    # two products of matrices: pooling takes longer the wider it is
    band = _band(planes.shape[-1], radius, times).to(planes)
    return band @ planes @ band.T


@functools.lru_cache(maxsize=64)
def _band(size: int, radius: int, times: int) -> Tensor:
    with torch.inference_mode(False):
        at = torch.arange(size)
        band = ((at - at[:, None]).abs() <= radius).float()
        return torch.linalg.matrix_power(band / band.sum(1, keepdim=True), times)


def middle(picture: Tensor, span: float) -> Tensor:
    """The square in the middle of ``[B,C,S,S]`` whose side is 1 of ``span``."""
    rim = round(picture.shape[-1] * (1 - 1 / span) / 2)
    return picture if rim == 0 else picture[..., rim:-rim, rim:-rim]


def matted(picture: Tensor, mask: Tensor, band: int, noise: float = 0.15, small: Tensor | None = None) -> Tensor:
    """A mask ``[B,1,h,w]`` whose border is a matte: near it, how far a pixel's colour is on the way from what lies beyond to the hair.

    Where hair and what lies beyond have much the same colour, the mask stays what it is.

    Args:
        picture: ``[B,3,S,S]``, as fine as the mask or finer.
        mask: ``[B,1,h,w]``.
        band: how far the border may be off, in pixels of the mask.
        noise: difference of colours that tells little.
        small: the picture as coarse as the mask, where it has been made already.

    Returns:
        ``[B,1,S,S]``.
    """
    coarse = resized(picture, mask.shape[-1]) if small is None else small
    inner, outer = largest(torch.cat([-mask, mask], 1), 2 * band + 1).split(
        1, 1
    )  # less the least of what is near, and the most of it
    hair, beyond = ((-inner - 0.5) * 2).clamp(min=0), ((0.5 - outer) * 2).clamp(min=0)
    nearby = blurred(torch.cat([coarse * hair, hair, coarse * beyond, beyond], 1), 2 * band)

    def near(sums: Tensor) -> tuple[Tensor, Tensor]:
        """The mean colour of a part nearby, and whether there is any."""
        return sums[:, :3] / sums[:, 3:].clamp(min=1e-4), (20 * sums[:, 3:]).clamp(max=1)

    (of_hair, some), (of_beyond, more) = map(near, nearby.split(4, 1))
    way = of_hair - of_beyond
    far = way.square().sum(1, keepdim=True)
    unsure = (1 - hair - beyond).clamp(0, 1) * some * more * far / (far + noise**2)
    way = way / far.clamp(min=1e-6)
    planes = resized(torch.cat([mask, unsure, way, (way * of_beyond).sum(1, keepdim=True)], 1), picture.shape[-1])
    mask, unsure, way, begin = planes.split((1, 1, 3, 1), 1)
    alpha = ((picture * way).sum(1, keepdim=True) - begin).clamp(0, 1)
    # more than the mask had only where it had some
    return torch.lerp(mask, torch.minimum(((alpha - 0.15) / 0.85).clamp(0, 1), 2.5 * mask), unsure)


def trusted(logits: Tensor) -> Tensor:
    """Whether the hair of logits ``[B,1,h,w]`` is enough and sure, ``[B]`` bool."""
    found = (logits > 0).float()
    sure = (logits * found).sum((1, 2, 3)) / found.sum((1, 2, 3)).clamp(min=1)
    return (found.mean((1, 2, 3)) >= LEAST) & (sure >= SURE)


def resized(picture: Tensor, size: int) -> Tensor:
    """Pictures ``[B,C,S,S]`` with ``size`` pixels a side."""
    if picture.shape[2:] == (size, size):
        return picture
    smaller = size < picture.shape[-1]
    return F.interpolate(picture, (size, size), mode="bilinear", antialias=smaller, align_corners=False)


def guided(picture: Tensor, mask: Tensor, radius: int, softness: float = 0.05) -> Tensor:
    """A mask ``[B,1,h,w]`` whose borders follow the edges of a picture ``[B,3,h,w]`` (He, Guided Image Filtering, 2010; on the
    brightness alone).

    Args:
        radius: of the window, in pixels.
        softness: difference of brightness that counts as an edge.
    """

    grey = picture.mean(1, keepdim=True)
    means = blurred(torch.cat([grey, mask, grey * mask, grey * grey], 1), radius, 1)
    at, of, both, square = means.split(1, 1)
    slope = (both - at * of) / (square - at * at + softness**2)
    slope, base = blurred(torch.cat([slope, of - slope * at], 1), radius, 1).split(1, 1)
    return (slope * grey + base).clamp(0, 1)


__all__ = ["HairNet", "find_hair", "load_hair"]
