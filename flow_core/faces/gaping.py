"""Lower lip and chin of a mouth that gapes.

The network of the landmarks learnt from few mouths that are wide open, and takes the farthest ones for less: its lower lip lies on the tongue, and
its chin on the lip. So it looks at such a face once more, with what lies below the nose pressed together as if the jaw had dropped less.
Where the outer edge of the lower lip then lies farther down, that is true of jaw and chin, too; where the network saw it rightly it hardly moves.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.ramp import ramp
from ..geometry.sampling import sample_image
from .landmarks import AT, LIPS, LIPS_INNER, NOSE, OVAL, SIZE, WIDEN, Landmarks

PRESSED = 1.4  # how many times as high what lies below the nose is than what the network sees of it
WIDE, FINE = 1.7, 2  # sides of the crop that are looked at, and pixels for each of those that the network sees
# Opening, crop fractions, below which mouths are known well enough, and from which on they may gape; and by how much farther down a lower lip lies then,
# until it is believed
GAPES, LOWER = (0.07, 0.085), (0.006, 0.016)

_LIP = [AT[i] for i in LIPS[1:10]]
_INNER = [AT[i] for i in LIPS_INNER[1:10]]
_JAW = [AT[i] for i in OVAL[12:25]]  # the contour below the corners of the mouth


@torch.no_grad()
def jaw_dropped(image: Tensor, crop: Crop, network: Landmarks) -> Tensor:
    """The landmarks ``[B,161,2]`` of faces, pixels of their pictures, with the lower lip, the jaw and the chin of those that gape.

    Args:
        image: ``[pictures,3,H,W]``.
        crop: B faces with landmarks.
        network: that found them.
    """
    places = crop.places
    gapes = ramp(places[:, _INNER[4], 1] - places[:, AT[LIPS_INNER[15]], 1], *GAPES)
    if not gapes.any():
        return crop.landmarks
    nose = places[:, AT[NOSE[-1]], 1, None].float()
    found = _seen_pressed(image, crop, network, nose).to(places)
    lower = found - places
    # A lip is as high as it was seen.
    lip = lower[:, _LIP]
    share = gapes * ramp(lip[:, 4, 1], *LOWER)
    moves = torch.zeros_like(places)
    moves[:, _LIP], moves[:, _INNER], moves[:, _JAW] = lip, lip, lower[:, _JAW]
    places = places + share[:, None, None] * moves
    return crop.to_image(places[:, None].to(crop.matrix))[:, 0]


def _seen_pressed(image: Tensor, crop: Crop, network: Landmarks, nose: Tensor) -> Tensor:
    """Landmarks ``[B,161,2]``, crop points, that the network finds where faces are pressed together below ``nose [B,1]``."""
    n = FINE * SIZE
    across = 0.5 + ((torch.arange(n) + 0.5) / n - 0.5).to(nose) * WIDEN
    down = across + (PRESSED - 1) * (across - nose).clamp(min=0)  # [B,n]
    points = torch.stack(torch.broadcast_tensors(across, down[:, :, None]), -1)
    wide = crop.widen(WIDE).aligned(image, n).to(nose)
    seen = F.avg_pool2d(sample_image(wide, ((points - 0.5) / WIDE + 0.5) * n), FINE)
    x, y = network.both_ways(seen).to(nose).unbind(-1)
    x, y = (0.5 + (v - 0.5) * WIDEN for v in (x, y))
    return torch.stack([x, y + (PRESSED - 1) * (y - nose).clamp(min=0)], -1)


__all__ = ["jaw_dropped"]
