"""The noise and grain of a picture, which what is painted into it has to have as well.

Sensors, films and codecs lay it over all that a picture shows, skin, walls and sky, while pores, hair and cloth are in some places only: so it is no
stronger than in the calmest of a few places. It is taken from the calmest skin as it is there, whatever its kind, and hence is another one in each
frame of a clip, and goes with the face.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.neighbours import blurred

# Places, crop points, that are often calm: of the face, and around it
SKIN = (0.5, 0.22), (0.42, 0.24), (0.58, 0.24), (0.33, 0.58), (0.67, 0.58), (0.36, 0.65), (0.64, 0.65), (0.5, 0.87)
AROUND = (0.06, 0.06), (0.94, 0.06), (0.5, 0.03), (0.06, 0.5), (0.94, 0.5), (0.06, 0.95), (0.94, 0.95)
SIZE, LEAST, MOST = 0.08, 12, 40  # side of a place in sides of the crop; and pixels of it
# Sides of a crop in pixels to one of the square over which noise is even, twice over, and the most: what is wider are the shapes of a face
EVEN, LEAST_EVEN, WIDEST = 80, 3, 9
LIGHT = 0.1, 0.92  # lightness between which noise is not cut off by black or white
SEEN = 0.8 / 255, 1.6 / 255  # deviation from which on noise is seen, and is given to what is painted as it is
OF_MEDIAN = 1.48  # deviations to the median of what deviates, which a few moles and hairs do not change
MOLE = 3.0  # deviations beyond which what deviates is no noise
DARKEST = 0.5  # share of it that is left in what is darker than that skin, at least


class Noise(NamedTuple):
    """Noise of a picture.

    Attributes:
        tile: ``[C,n,n]`` what it adds to pixels; to and fro it covers all of the picture.
        corner: x and y of the pixel where it was found.
        light: mean lightness there.
    """

    tile: Tensor
    corner: tuple[int, int]
    light: float

    def lay(self, x: Tensor, y: Tensor, pixels: Tensor, cover: Tensor) -> None:
        """Add it to what is painted, in place: as much as that covers.

        Args:
            x, y: integers, of shapes that broadcast to ``[h,w]``: which pixels of the picture these are.
            pixels: ``[1,C,h,w]``, painted on what has noise.
            cover: ``[1,1,h,w]`` how far, 0..1.
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
        lost = (cover * (2 - cover)).clamp_(min=0).sqrt_() * tone.clamp_(DARKEST, 1)
        pixels[0, :, row, column] += self.tile[:, y, x] * lost

    def _fold(self, place: Tensor) -> Tensor:
        """Integers taken to and fro into the tile."""
        size = self.tile.shape[-1]
        place = place % (2 * size)
        return torch.minimum(place, 2 * size - 1 - place)


@torch.no_grad()
def noise_of(image: Tensor, crop: Crop, white: float = 1.0) -> Noise | None:
    """The noise of a picture around the first face of a crop; None where nobody would see it.

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
    """The same of a picture with many faces, each a crop: as weak as around any of them."""
    found = [noise_of(image, crop, white) for crop in crops]
    return None if None in found or not found else min(found, key=lambda noise: noise.tile.square().mean().item())


__all__ = ["Noise", "calmest", "noise_of"]
