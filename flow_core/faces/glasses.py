"""Does a face wear glasses? Told by lines that bare skin does not have: a bridge across the nose, and rims below both eyes.

No network: for each line the strongest is sought where it may lie, and compared with what bare faces show there. The logarithm of
brightness tells a line's share of the light, which is larger on dark skin, whose shine lies beside deep shade: by that alone dark
bare faces were taken for worn ones. So a line counts the less the darker the skin is.

The figures of bare faces are medians and spreads (84 % less 16 % quantile) over 435 synthetic portraits of the SFHQ dataset; the power of
the skin's brightness and the least score that counts were chosen on these. Of 11 others, which wear glasses, 8 are found (the least
scores 5.8); three with thin rims are not. None of the 435 is taken for one: the strongest scores 3.1 of light, 4.4 of medium
and 3.9 of dark skin.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.crop import Crop
from .landmarks import AT, CHEEKS, FOREHEAD

SIZE = 128  # pixels a side of the face square that is looked at
DARK = 0.05  # added to brightness before its logarithm is taken, so that black is not infinitely far away
LIT = 0.6  # brightness of skin above which a line counts no more, and
SHARE = 0.75  # the power of that brightness by which it counts
BRIDGE_USUAL, RIM_USUAL = (0.376, 0.582), (0.0084, 0.0120)  # median and spread on bare faces
LEAST, MOST = 5.1, 4.0  # score above which glasses are worn; how much one line may count


def wears_glasses(image: Tensor, crop: Crop) -> tuple[bool, ...]:
    """For each face of a crop, which has its landmarks, whether it wears glasses; pictures ``[pictures,3,H,W]``."""
    with torch.no_grad():
        grey = torch.log(crop.aligned(image, SIZE).float().mean(1, keepdim=True) + DARK)
        return tuple(_score(g[None], p) >= LEAST for g, p in zip(grey, crop.places.to(grey), strict=True))


def _score(grey: Tensor, places: Tensor) -> float:
    skin = places[[AT[i] for i in (*CHEEKS[0][1:], *CHEEKS[1][1:], *FOREHEAD[:2])]]  # away from any rim
    light = (_ask(grey, skin[None]).exp() - DARK).mean().clamp(0.0, LIT).item() ** SHARE
    parts = zip(lines(grey, places), (BRIDGE_USUAL, RIM_USUAL), strict=True)
    return sum(min((light * value - usual) / spread, MOST) for value, (usual, spread) in parts)


def _ask(grey: Tensor, points: Tensor) -> Tensor:
    """``grey [1,1,S,S]`` at crop points ``[H,W,2]``, ``[H,W]``."""
    return F.grid_sample(grey, (points * 2 - 1)[None], align_corners=False)[0, 0]


def lines(grey: Tensor, places: Tensor) -> tuple[float, float]:
    """How strong a bridge and the weaker of two rims are.

    Args:
        grey: ``[1,1,S,S]`` logarithm of the brightness of the face square.
        places: ``[161,2]`` crop points.
    """
    inner = places[[AT[133], AT[362]]]
    left, right = torch.lerp(inner[0], inner[1], 0.25), torch.lerp(inner[0], inner[1], 0.75)
    along = (right - left) / (right - left).norm().clamp(min=1e-6)
    down = torch.stack([-along[1], along[0]])
    across, height = (
        torch.linspace(0, 1, 24)[None, :, None].to(grey),
        torch.linspace(-0.045, 0.045, 24)[:, None, None].to(grey),
    )
    bridge = _ask(grey, left + across * (right - left) + height * down).diff(dim=0).mean(1).abs().max() * 24
    rims = []
    for outer, inside in ((33, 133), (263, 362)):
        t = torch.linspace(0.15, 0.85, 24)[:, None].to(grey)
        depth = torch.linspace(0.05, 0.13, 17)[:, None, None].to(grey)
        base = torch.lerp(places[AT[outer]], places[AT[inside]], t)
        curve = depth * (1 - (2 * t - 1).square() * 0.35)
        points = base + torch.cat([torch.zeros_like(curve), curve], -1)
        step = points.new_tensor([0.0, 0.008])
        rims.append(
            (_ask(grey, points) - (_ask(grey, points - step) + _ask(grey, points + step)) / 2).mean(1).abs().max()
        )
    return bridge.item(), min(rims).item()
