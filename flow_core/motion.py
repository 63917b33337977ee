"""How faces differ in shape and move: the modes in which landmarks vary over many faces, as fields on one face.

An edit that is a mixture of these modes moves the brow with the eyelid and the left half with the right one, as muscles
and bones do. It is the point distribution model of Cootes et al. (Active Shape Models, 1995), carried from the landmarks
into the plane by Gaussian radial basis functions.
"""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import Tensor

from .field import pixel_centers

BUILTIN = Path(__file__).parent / "weights" / "motion.safetensors"
REACH = 0.07  # radius of a landmark's influence, fractions of the crop side


@functools.lru_cache(maxsize=1)
def load_modes(path: Path = BUILTIN) -> Tensor:
    """Modes ``[M,161,2]`` from :mod:`flow_core.train.motion`: displacements of the landmarks in fractions of the crop side
    for one standard deviation, the commonest first.

    Raises:
        FileNotFoundError: there is no such file.
    """
    from safetensors.torch import load_file

    if not path.is_file():
        raise FileNotFoundError(f"No modes of motion at {path}; install FaceFlow again, they come with it.")
    with torch.inference_mode(False):
        return load_file(path)["modes"].float()


def basis(landmarks: Tensor, size: tuple[int, int], modes: Tensor) -> Tensor:
    """Offset rasters that move a face along the modes.

    Args:
        landmarks: ``[B,161,2]`` in crop points.
        size: (height, width) of the rasters.
        modes: from :func:`load_modes`.

    Returns:
        ``[B,M,2,h,w]`` offsets of a backward warp, fading out away from the landmarks.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(a, b).square() / (2 * REACH**2))

    landmarks = landmarks.double()
    near = kernel(landmarks, landmarks)
    # exact at single landmarks would mean wild in between: neighbours differ by more than they move apart
    stiff = near + 0.3 * torch.eye(near.shape[-1], dtype=near.dtype, device=near.device)
    points = pixel_centers(*size, landmarks.device).double().flatten(1, 2).expand(len(landmarks), -1, -1)
    moved = torch.linalg.solve(stiff, modes.to(landmarks).permute(1, 0, 2).flatten(1).expand(len(landmarks), -1, -1))
    fields = (kernel(points, landmarks) @ moved).unflatten(1, size).unflatten(3, (-1, 2))  # [B,h,w,M,2]
    return -fields.permute(0, 3, 4, 1, 2).float()  # a backward warp looks where a point came from
