"""Which colours teeth and the tongue have in the light of a picture, and what it shows between parted lips.

How light teeth are was fitted to 47 portraits that show some, among 446 of the SFHQ dataset: least squares on the lightness of cheeks and of
the white of the eyes misses by 0.11 of 1, root mean square. Their tint is a third of that of the skin: light and enamel.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.sampling import sample_image
from .landmarks import AT, CHEEKS, EYES, LIPS, LIPS_INNER

SIZE = 128  # pixels a side of the face square that is looked at
TEETH = (
    0.43,
    0.21,
    0.30,
)  # lightness of teeth: a constant, and the parts of the cheeks and of the white of the eyes in it
TINT = 0.36  # exponent of the skin's tint, for teeth
TONGUE = 0.4  # lightness of the tongue, of that of the teeth
FACING = (81, 178), (82, 87), (13, 14), (312, 317), (311, 402)  # points of the upper and the lower lip that meet
MIDDLE = slice(SIZE // 4, 3 * SIZE // 4)  # of the face square: nothing there is lighter than the light allows


@torch.no_grad()
def mouth_colors(image: Tensor, crop: Crop) -> Tensor:
    """sRGB 0..1 ``[B,3,3]`` on the CPU: of teeth and of the tongue in the light of the picture, and the lightest seen between the lips.

    Args:
        image: pictures ``[pictures,3,H,W]``.
        crop: B faces with landmarks.
    """
    aligned, places = crop.aligned(image, SIZE).float().clamp(0, 1).cpu(), crop.places.float().cpu()

    def at(*numbers: int) -> Tensor:
        return places[:, [AT[i] for i in numbers]]

    def seen(points: Tensor) -> Tensor:
        return sample_image(aligned, points[:, None] * SIZE)[:, :, 0].mT  # [B,N,3]

    skin = seen(at(*(i for side in CHEEKS for i in side))).median(1).values
    lips = seen((at(*LIPS[2:9]) + at(*LIPS_INNER[2:9])) / 2).median(1).values
    white = torch.cat([torch.lerp(at(*eye).mean(1, True), at(*eye), t) for eye in EYES for t in (0.3, 0.55)], 1)
    upper, lower = (at(*(pair[k] for pair in FACING)) for k in (0, 1))
    between = torch.cat([torch.lerp(upper, lower, t) for t in (0.15, 0.25, 0.4, 0.55)], 1)
    white, between = _lightest(seen(white), 6), _lightest(seen(between), 5)
    grey, of_white, of_lips = (v.mean(-1, keepdim=True).clamp(min=0.01) for v in (skin, white, lips))
    brightest = aligned[..., MIDDLE, MIDDLE].mean(1).flatten(1).quantile(0.99, 1, keepdim=True)
    light = (TEETH[0] + TEETH[1] * grey + TEETH[2] * of_white).minimum(brightest)
    teeth = light * (skin / grey) ** TINT
    tongue = TONGUE * light * (skin / grey) ** 0.6 * (lips / of_lips) ** 0.8
    return torch.stack([teeth, tongue, between], 1).clamp(0, 1)


def _lightest(colors: Tensor, count: int) -> Tensor:
    """Mean ``[B,3]`` of the lightest of colours ``[B,N,3]``."""
    which = colors.amin(-1).topk(count, 1).indices
    return colors.gather(1, which[..., None].expand(-1, -1, 3)).mean(1)
