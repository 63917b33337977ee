"""What covers a face: a hand, a microphone, a strand of hair, dark glasses, a mask.

A small network, trained on faces that things were laid over (:mod:`flow_core.train.covered`), tells for each place of the face
square how surely it is no face. A beard and clear glasses are parts of a face here.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import filled
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..geometry.mesh import polygon_distance
from ..geometry.ramp import ramp
from ..geometry.sampling import sample_image
from ..guides.nano import fused
from ..once import once
from ..threads import yielding
from .landmarks import AT, BROWS, CHEEKS, EYES, LIPS, NOSE, NOSTRILS, outline, pose

SIZE = 96  # pixels a side of what the network sees
RASTER = SIZE // 2  # and of its answer
BUILTIN = Path(__file__).parents[1] / "weights" / "covered.safetensors"
CHANNELS = (16, 32, 48, 64)
SURE = 0.5  # probability above which a place counts as covered
MARGIN = 3  # cells around it in which skin moves less
PERHAPS, WHOLLY = 0.35, 0.65  # probabilities at which a place begins to be spared, and is wholly
BORDER = 1  # cells along the outline of a face
BAG = 0.04  # crop sides below the eyes that belong to them
TURNED = 0.46  # yaw beyond which the network, which saw hardly such faces, takes a cheek for a hand
JAW = 0.0, 0.05, 0.1  # below lips, crop sides: where they are when a jaw drops
BESIDE_LIPS = 0.03, 0.11  # crop sides from there, within which all is as at the lips, and from where on nothing is
HIDDEN = 0.08  # share of a mouth that is covered, from which on it stays as it is
LEAST = 0.05  # share of a face that has to be; less is a shadow or a mole
PARTS = {"brows": BROWS, "eyes": EYES, "nose": (NOSE, *NOSTRILS), "cheeks": CHEEKS, "mouth": (LIPS,)}


def convolution(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    """3x3, with batch normalisation."""
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


def upwards(seen: Tensor, *steps: tuple[Tensor, nn.Module]) -> Tensor:
    """The second half of a U-Net (Ronneberger et al., 2015): each step enlarges what is seen to the size of what was skipped, and joins both."""
    for skipped, up in steps:
        seen = up(torch.cat([F.interpolate(seen, scale_factor=2.0, mode="nearest"), skipped], 1))
    return seen


class Covered(nn.Module):
    """Aligned faces ``[B,3,96,96]`` RGB 0..1 -> logits ``[B,1,48,48]`` that a place is covered."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = CHANNELS
        self.down1, self.down2 = convolution(3, a, 2), nn.Sequential(convolution(a, b, 2), convolution(b, b))
        self.down3 = nn.Sequential(convolution(b, c, 2), convolution(c, c))
        self.down4 = nn.Sequential(convolution(c, d, 2), convolution(d, d), convolution(d, c))
        self.up3, self.up2, self.up1 = convolution(2 * c, b), convolution(2 * b, a), convolution(2 * a, a)
        self.out = nn.Conv2d(a, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.down1(x - 0.5)
        two = self.down2(one)
        three = self.down3(two)
        seen = self.down4(three)
        return self.out(upwards(seen, (three, self.up3), (two, self.up2), (one, self.up1)))


@once()
def load_covered() -> Covered:
    """The built-in network, on the CPU."""
    with torch.inference_mode(False):
        return fused(filled(Covered, BUILTIN, "cover")).to(memory_format=torch.channels_last)


def covered(image: Tensor, crop: Crop) -> Tensor | None:
    """How much of each place of the face squares is covered, ``[B,1,48,48]`` 0..1 on the CPU: 0 beyond the outline of a face, and
    everywhere on a face of which hardly anything is. None where no face is covered.

    Args:
        image: pictures ``[pictures,3,H,W]``.
        crop: B faces with landmarks.
    """
    found, share = likely_covered(image, crop)
    kept = spared(found) * (share > LEAST)[:, None, None, None]
    if not kept.any():
        return None
    return torch.stack([_whole_mouth(k, f, p) for k, f, p in zip(kept, found, crop.places.float().cpu(), strict=True)])


@yielding()
@torch.no_grad()
def likely_covered(image: Tensor, crop: Crop) -> tuple[Tensor, Tensor]:
    """How probably something covers each place of the face squares, ``[B,1,48,48]`` 0..1 on the CPU, 0 beyond the outline of the
    face; and the share of each face ``[B]`` where that is more likely than not. Arguments as of :func:`covered`."""
    places = crop.places.float().cpu()
    aligned = crop.aligned(image, SIZE).float().clamp(0, 1).cpu()
    inside = within(places)
    found = load_covered()(aligned).sigmoid() * inside
    found = found * (pose(places)[:, 0].abs() < TURNED)[:, None, None, None]
    found = torch.stack(
        [_without_beard(without_islands(f, i, p), p) for f, i, p in zip(found, inside, places, strict=True)]
    )
    return found, (found > SURE).float().sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp(min=1)


def spared(probable: Tensor) -> Tensor:
    """How much is left as it is, ``[B,1,48,48]`` 0..1, of places that are probably covered: what is sure does not move at all, and skin moves
    the less the nearer it is, for it must not take its colour from the cover."""
    found = F.max_pool2d(ramp(probable, PERHAPS, WHOLLY), 3, 1, 1)
    wide = F.max_pool2d(found, 2 * MARGIN + 1, 1, MARGIN)
    return torch.maximum(found, F.avg_pool2d(wide, MARGIN + 2, 1, (MARGIN + 1) // 2, count_include_pad=False))


def without_islands(found: Tensor, inside: Tensor, places: Tensor) -> Tensor:
    """``[1,48,48]`` without islands over an eye or a brow, of a face within ``inside [1,48,48]`` with landmarks ``[161,2]``: what lies there comes
    from beside the face, but for dark glasses, which hide both eyes. A painted eye alone is none."""
    eyes = [places[[AT[i] for i in eye]] for eye in EYES]
    if all((_at(found, eye) > SURE).float().mean() > 0.5 for eye in eyes):
        return found
    below = pixel_centers(RASTER, RASTER)[0, ..., 1] > torch.cat(eyes)[:, 1].max() + BAG
    border = inside * F.max_pool2d(1 - inside, 2 * BORDER + 1, 1, BORDER)
    there = _reached((found > SURE).float(), (found > PERHAPS).float())  # a shade of which no place is sure is none
    return found * _reached(there * torch.maximum(border, below.float()), there)


def _reached(start: Tensor, there: Tensor) -> Tensor:
    """Of places ``there [1,48,48]``, 0 or 1, those that hang together with such as are in ``start`` as well."""
    reached = start * there
    while (grown := F.max_pool2d(reached, 3, 1, 1) * there).sum() > reached.sum():
        reached = grown
    return reached


def _whole_mouth(kept: Tensor, found: Tensor, places: Tensor) -> Tensor:
    """What is left as it is, ``kept [1,48,48]``, where a mouth is either all of it or nothing: lips that part in one half alone have teeth through
    which one sees.

    Args:
        kept: as of :func:`spared`.
        found: ``[1,48,48]`` how probably something covers a place.
        places: ``[161,2]`` landmarks.
    """
    lips = places[[AT[i] for i in LIPS]]
    points = pixel_centers(RASTER, RASTER)[0]
    far = torch.stack([-polygon_distance(lips + lips.new_tensor([0.0, down]), points) for down in JAW]).amin(0)
    near = 1 - ramp(far, *BESIDE_LIPS)
    within_lips = far <= 1 / RASTER
    hidden = ((found[0] > SURE) & within_lips).float().sum() / within_lips.float().sum().clamp(min=1)
    return torch.lerp(kept, (hidden > HIDDEN).float().expand_as(kept), near)


def _without_beard(found: Tensor, places: Tensor) -> Tensor:
    """``[1,48,48]`` without what lies on the chin alone, of a face with landmarks ``[161,2]``: a thick dark beard looks like a cover."""
    lips = places[[AT[i] for i in LIPS]]
    if (_at(found, lips) > SURE).float().mean() > 0.25:
        return found
    below = pixel_centers(RASTER, RASTER)[0, ..., 1] > lips[:, 1].mean()
    return found * ~below


def _at(found: Tensor, points: Tensor) -> Tensor:
    """Values ``[N]`` of ``[1,48,48]`` at crop points ``[N,2]``."""
    return sample_image(found[None].to(points), (points * RASTER)[None, None])[0, 0, 0]


def places_covered(found: Tensor, places: Tensor) -> str:
    """What lies under the cover ``[1,48,48]`` of a face with landmarks ``[161,2]`` in crop points, in words."""
    named = []
    for name, parts in PARTS.items():
        if (_at(found, places[[AT[i] for ring in parts for i in ring]]) > SURE).float().mean() > 0.3:
            named.append(name)
    return (
        " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named) or "beside eyes, nose and mouth"
    )


def within(places: Tensor) -> Tensor:
    """``[B,1,48,48]`` 1 within the outline of faces with landmarks ``[B,161,2]`` in crop points."""
    points = pixel_centers(RASTER, RASTER, places.device)[0]
    return torch.stack([(polygon_distance(border, points) > 0).float() for border in outline(places)])[:, None]
