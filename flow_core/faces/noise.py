"""The noise and grain of a picture, which has to lie on what is painted into it, too.

Sensors, films and codecs put noise on everything that a picture shows, while pores, hair and cloth have texture in some places only. So the noise is
no stronger than in the calmest of a few places in and around the face. A patch of the calmest skin gives its pattern, so that its kind does not
matter, it differs from frame to frame of a clip as real noise does, and a still gets the same noise every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.neighbours import blurred

# Crop points that are often calm: on the skin, and around the face
SKIN = (0.5, 0.22), (0.42, 0.24), (0.58, 0.24), (0.33, 0.58), (0.67, 0.58), (0.36, 0.65), (0.64, 0.65), (0.5, 0.87)
AROUND = (0.06, 0.06), (0.94, 0.06), (0.5, 0.03), (0.06, 0.5), (0.94, 0.5), (0.06, 0.95), (0.94, 0.95)
SIZE, LEAST, MOST = 0.08, 12, 40  # side of the patch at each: in sides of the crop; at least and at most, in pixels
# What is wider than noise is the shape of a face, and is taken away by a box blur: pixels of the crop's side for each pixel of the box's side,
# and the least and the greatest side
EVEN, LEAST_EVEN, WIDEST = 80, 3, 9
LIGHT = 0.1, 0.92  # lightness between which black and white do not cut off noise
SEEN = 0.8 / 255, 1.6 / 255  # standard deviation below which noise is left out, and above which all of it is laid on
OF_MEDIAN = (
    1.48  # standard deviation of normal noise over its median absolute deviation, which moles and hairs do not change
)
MOLE = 3.0  # standard deviations at which noise is clipped: beyond are moles and hairs
DARKEST = 0.5  # share of the noise that is left, at least, on what is darker than that skin


class Noise(NamedTuple):
    """Noise of a picture.

    Attributes:
        tile: ``[C,n,n]`` what it adds to pixels; mirrored again and again it covers the picture.
        corner: x and y of the pixel where the tile was taken.
        light: mean lightness there.
    """

    tile: Tensor
    corner: tuple[int, int]
    light: float

    def lay(self, x: Tensor, y: Tensor, pixels: Tensor, cover: Tensor) -> None:
        """Add it, in place, to pixels as far as they are painted.

        Args:
            x, y: integers of shapes that broadcast to ``[h,w]``: columns and rows of these pixels in the picture.
            pixels: ``[1,C,h,w]``, after painting.
            cover: ``[1,1,h,w]`` how far they are painted, 0..1.
        """
        row, column = cover[0, 0].nonzero(as_tuple=True)
        if not len(row):
            return
        x, y = (
            self._fold(v.expand(cover.shape[2:])[row, column] - start)
            for v, start in zip((x, y), self.corner, strict=True)
        )
        cover = cover[0, 0, row, column]
        tone = pixels[0, :, row, column].mean(0) / self.light
        # Of noise that was there, 1 - cover is left; variances add up.
        lost = (cover * (2 - cover)).clamp_(min=0).sqrt_() * tone.clamp_(DARKEST, 1)
        pixels[0, :, row, column] += self.tile[:, y, x] * lost

    def _fold(self, place: Tensor) -> Tensor:
        """Places in the tile, mirrored at its ends, of integers."""
        size = self.tile.shape[-1]
        place = place % (2 * size)
        return torch.minimum(place, 2 * size - 1 - place)


@torch.no_grad()
def noise_of(image: Tensor, crop: Crop, white: float = 1.0) -> Noise | None:
    """The noise of a picture around the first face of a crop; None where nobody would see any.

    Args:
        image: ``[1,C,H,W]``, with colours of up to ``white`` in its first three channels, or in its only one.
        crop: with one face at least.
    """
    side, (height, width), colors = crop.side[0].item(), image.shape[2:], image[:, :3]
    size = int(min(max(SIZE * side, LEAST), MOST))
    places = crop.to_image(crop.matrix.new_tensor([[SKIN + AROUND]]))[0, 0].sub(size / 2).long().tolist()
    inside = [0 <= x <= width - size and 0 <= y <= height - size for x, y in places]
    of_skin = sum(inside[: len(SKIN)])
    if not of_skin:
        return None
    places = [at for at, seen in zip(places, inside, strict=True) if seen]
    seen = torch.cat([colors[..., y : y + size, x : x + size] for x, y in places]).float() / white
    grey = seen.mean(1, keepdim=True)
    even = int(min(max(side / EVEN, LEAST_EVEN), WIDEST)) // 2
    light = grey.mean((1, 2, 3))
    strength = OF_MEDIAN * (grey - blurred(grey, even)).abs_().flatten(1).median(1).values
    strength = strength.where((light > LIGHT[0]) & (light < LIGHT[1]), 1.0)
    strength, light = strength.tolist(), light.tolist()
    level, best = min(strength), min(range(of_skin), key=strength.__getitem__)
    if level <= SEEN[0] or strength[best] == 1:
        return None
    share = level / strength[best] * float(np.interp(level, SEEN, (0, 1)))
    fine = (seen[best] - blurred(seen[best][None], even)[0]).clamp_(-MOLE * strength[best], MOLE * strength[best])
    return Noise(share * white * fine, tuple(places[best]), white * light[best])


def calmest(image: Tensor, crops: Sequence[Crop], white: float = 1.0) -> Noise | None:
    """The weakest of the noises around several faces of a picture; None where one of them has none."""
    found = [noise_of(image, crop, white) for crop in crops]
    return None if None in found or not found else min(found, key=lambda noise: noise.tile.square().mean().item())


__all__ = ["Noise", "calmest", "noise_of"]
