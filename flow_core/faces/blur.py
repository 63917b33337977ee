"""How blurred a picture is at its faces: out of focus, enlarged, pressed or painted softly. What is drawn anew is to be no sharper.

A picture that is blurred once more loses much of its sharp edges and little of soft ones (Zhuo and Sim, Defocus map estimation from a single
image, 2011). The sharpest edges of a face are those of lids, lashes, irises and brows, whoever it is and whatever it shows. What noise and grain add
to them is told by the skin between, which has next to no edges of its own. Eyes in the shade of a hat have few edges: then the whole face tells whether
anything in it is sharper.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.sampling import reduced
from .landmarks import AT, BROW_EDGES, EYES

MOST = 768  # pixels a side of the face square, more or less, up to which it is looked at
AROUND = 0.02  # of that side: how far around eyes and brows
SMALL = 256  # pixels of that side up to which eyes and brows are too narrow to have edges of their own: the whole face is looked at
LEAST = 16  # pixels a side, of fewer of which nothing is told
EDGES, FEW = 0.05, 20  # share of pixels that are edges, and how many of them at least
# Share of pixels with the least change from one to the next, which is noise; of how many one is looked at for it
CALM, EVERY = 0.2, 4
# Variances in pixels: that the second blur adds; of the first one and of differences between pixels, which are none of the picture's; and of
# the edges of a sharp picture
SECOND, FIRST, SHARP = 4 / 3, 1.0, 1.0
BLURRIEST = 0.98  # share of the squares of its steepness that the most blurred edge keeps
# Share of noise in what changes at edges, and deviation of these in pixels of twice the size, from which on such pixels tell it better, and alone
NOISY, COARSE = (0.1, 0.2), (1.0, 1.5)
# Of changes whose squares are as of noise: the mean of the least :data:`CALM`, of that of all
OF_CALM = 1 + (1 - CALM) * math.log(1 - CALM) / CALM
_ROWS = [AT[i] for ring in (*EYES, *BROW_EDGES) for i in ring]


@torch.no_grad()
def blur(image: Tensor, crop: Crop) -> Tensor:
    """Standard deviation of the blur of edges beyond that of a sharp picture, fractions of the crop side, ``[B]`` on the CPU.

    Args:
        image: pictures ``[pictures,3,H,W]``, floats 0..1 or uint8.
        crop: B faces, with landmarks.
    """
    found = []
    for i, (points, side) in enumerate(zip(crop.landmarks, crop.side.tolist(), strict=True)):
        of, around, times = crop.of_picture[i] if len(image) > 1 else 0, AROUND * side, max(1, round(side / MOST))
        deviation = math.inf
        for rows in (_ROWS, slice(None)) if side > SMALL else (slice(None),):
            if deviation**2 <= SHARP:
                break
            (x0, y0), (x1, y1) = (points[rows].amin(0) - around).tolist(), (points[rows].amax(0) + around).tolist()
            part = image[of : of + 1, :, max(int(y0), 0) : max(int(y1), 0), max(int(x0), 0) : max(int(x1), 0)]
            light = reduced(part, times) if times > 1 or part.dtype == torch.uint8 else part
            deviation = min(deviation, _deviation(light[0].mean(0).float().cpu().numpy()))
        found.append(times / side * math.sqrt(max(deviation**2 - SHARP, 0.0)))
    return torch.tensor(found)


def _deviation(light: np.ndarray) -> float:
    """Standard deviation of the blur of the sharpest edges in ``light [h,w]``, pixels; 0 where it is too small to tell."""
    fine, noise = _of_edges(light)
    noisy = float(np.interp(noise, NOISY, (0, 1)))
    if not noisy:
        return fine
    rows, columns = (2 * (n // 2) for n in light.shape)
    pairs = light[:rows:2, :columns] + light[1:rows:2, :columns]
    coarse, less = _of_edges((pairs[:, ::2] + pairs[:, 1::2]) / 4)
    if less > noise:  # then it is none, but what a small face shows
        return fine
    return max(fine, fine + (2 * coarse - fine) * noisy * float(np.interp(coarse, COARSE, (0, 1))))


def _of_edges(light: np.ndarray) -> tuple[float, float]:
    """The same, as these pixels alone tell it, and the share of noise in what changes at edges."""
    if min(light.shape) < LEAST:
        return 0.0, 0.0
    once = _of_three(light)
    before, after = _steepness(once[2:-2, 2:-2]), _steepness(_of_three(_of_three(once)))
    count, calm = max(FEW, round(EDGES * len(after))), round(CALM * len(after) / EVERY)
    edges = np.argpartition(after, -count)[-count:]
    noise = [float(np.partition(v[::EVERY], calm)[:calm].mean()) / OF_CALM for v in (before, after)]
    steep = [max(float(v[edges].mean()), 1e-9) for v in (before, after)]
    kept = max(steep[1] - noise[1], 0.0) / max(steep[0] - noise[0], 1e-9)
    kept = min(kept, BLURRIEST)
    return math.sqrt(max(SECOND * kept / (1 - kept) - FIRST, 0.0)), noise[0] / steep[0]


def _of_three(light: np.ndarray) -> np.ndarray:
    """Means over squares of three pixels, within the border."""
    rows = light[:-2] + light[1:-1] + light[2:]
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9


def _steepness(light: np.ndarray) -> np.ndarray:
    """Squares of the change from pixel to pixel ``[N]``, within the border."""
    across, down = light[1:-1, 2:] - light[1:-1, :-2], light[2:, 1:-1] - light[:-2, 1:-1]
    return (across * across + down * down).ravel()


__all__ = ["blur"]
