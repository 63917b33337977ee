"""Modes of motion: how landmarks vary over many faces, spread into offset rasters on one face.

An edit that is a mixture of these modes moves the brow with the eyelid and the left half of the face with the right one, as
muscles and bones do. This is the point distribution model of Cootes et al. (Active Shape Models, 1995), interpolated from the
landmarks into the plane by Gaussian radial basis functions.
"""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoint import read_weights
from ..geometry.grid import pixel_centers

BUILTIN = Path(__file__).parents[1] / "weights" / "motion.safetensors"
RADIUS = 0.05  # radius of a landmark's influence, fractions of the crop side
STIFFNESS = 0.08  # added to the diagonal of the interpolation: smoother, at the price of missing single landmarks
PARTS = ("brows", "eyes", "nose", "mouth", "outline")  # parts of the face that have modes of their own


@functools.lru_cache(maxsize=1)
def load_modes(path: Path = BUILTIN) -> Tensor:
    """Modes ``[M,161,2]`` from :mod:`flow_core.train.motion`: displacements of the landmarks in fractions of the crop side, each of
    one part of the face, the longest first. A coefficient of 1 of a part's first mode is one standard deviation over faces.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return _read(path)["modes"].float()


@functools.lru_cache(maxsize=1)
def load_parts(path: Path = BUILTIN) -> Tensor:
    """``[M,5]``: 1 at the one of :data:`PARTS` that each mode of :func:`load_modes` moves."""
    return torch.nn.functional.one_hot(_read(path)["part"], len(PARTS)).float()


def part_landmarks() -> Tensor:
    """``[5,161]``: 1 for the landmarks of each of :data:`PARTS`."""
    return (load_parts().T @ load_modes().abs().sum(2) > 0).float()


def part_mask(landmarks: Tensor, parts: Tensor, size: tuple[int, int]) -> Tensor:
    """Soft masks of parts of the face.

    Args:
        landmarks: ``[B,161,2]`` in crop points.
        parts: ``[B,5]`` weight 0..1 of each of :data:`PARTS`.
        size: (height, width) of the raster.

    Returns:
        ``[B,1,h,w]`` 0..1.
    """
    weight = (parts[:, :, None] * part_landmarks().to(landmarks)).amax(1)  # [B,161]
    apart = (pixel_centers(*size, landmarks.device)[:, :, :, None] - landmarks[:, None, None]).square().sum(-1)
    return (torch.exp(-apart / (2 * RADIUS**2)) * weight[:, None, None]).amax(-1)[:, None]


def _read(path: Path) -> dict[str, Tensor]:
    return read_weights(path, "motion")[0]


def spread(landmarks: Tensor, moved: Tensor, size: tuple[int, int]) -> Tensor:
    """Spread movements of the landmarks over the plane.

    Args:
        landmarks: ``[B,161,2]`` in crop points.
        moved: ``[B or 1,161,2*M]``: M movements of each landmark, x and y in fractions of the crop side.
        size: (height, width) of the rasters.

    Returns:
        ``[B,2*M,h,w]`` offsets of a backward warp, fading out away from the landmarks; differentiable in ``moved``.
    """
    at = landmarks.float().mT  # [B,2,161]
    apart = (at[..., :, None] - at[..., None, :]).square().sum(1)
    near = torch.exp(-apart / (2 * RADIUS**2))
    # not exact at single landmarks: neighbours may move differently, and an exact interpolation would overshoot between them
    stiff = near + STIFFNESS * torch.eye(near.shape[-1], device=near.device)
    # Cholesky, since the batched LU of some builds of MKL fails with several threads
    weights = torch.cholesky_solve(moved.to(near).expand(len(near), -1, -1), torch.linalg.cholesky(stiff))
    # a Gaussian in the plane is separable
    x, y = pixel_centers(*size, landmarks.device)[0, 0, :, 0], pixel_centers(*size, landmarks.device)[0, :, 0, 1]
    across, down = (
        torch.exp(-(p[:, None] - c[:, None]).square() / (2 * RADIUS**2)) for p, c in ((x, at[:, 0]), (y, at[:, 1]))
    )  # [B,w,161], [B,h,161]
    # a backward warp points to where content comes from
    return -(weights.mT[:, :, None] * down[:, None]) @ across.mT[:, None]


def basis(landmarks: Tensor, size: tuple[int, int], modes: Tensor) -> Tensor:
    """Offset rasters that move a face along the modes.

    Args:
        landmarks: ``[B,161,2]`` in crop points.
        size: (height, width) of the rasters.
        modes: from :func:`load_modes`.

    Returns:
        ``[B,M,2,h,w]`` offsets of a backward warp, fading out away from the landmarks.
    """
    return spread(landmarks, modes.permute(1, 0, 2).flatten(1)[None], size).unflatten(1, (-1, 2))
