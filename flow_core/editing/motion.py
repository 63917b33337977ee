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

from ..checkpoint import read_weights
from ..geometry.grid import pixel_centers

BUILTIN = Path(__file__).parents[1] / "weights" / "motion.safetensors"
RADIUS = 0.05  # radius of a landmark's influence, fractions of the crop side
STIFFNESS = 0.08  # added to the diagonal of the interpolation: how far single landmarks may be missed
PARTS = ("brows", "eyes", "nose", "mouth", "outline")  # of the face, which move by themselves


@functools.lru_cache(maxsize=1)
def load_modes(path: Path = BUILTIN) -> Tensor:
    """Modes ``[M,161,2]`` from :mod:`flow_core.train.motion`: displacements of the landmarks in fractions of the crop side,
    each of one part of the face, the longest first. Going 1 along a part's first mode is one standard deviation of it.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return _read(path)["modes"].float()


@functools.lru_cache(maxsize=1)
def load_parts(path: Path = BUILTIN) -> Tensor:
    """``[M,5]``: 1 where a mode of :func:`load_modes` moves one of :data:`PARTS`."""
    return torch.nn.functional.one_hot(_read(path)["part"], len(PARTS)).float()


def part_landmarks() -> Tensor:
    """``[5,161]``: 1 for the landmarks of each of :data:`PARTS`."""
    return (load_parts().T @ load_modes().abs().sum(2) > 0).float()


def part_mask(landmarks: Tensor, parts: Tensor, size: tuple[int, int]) -> Tensor:
    """Where parts of the face lie, softly.

    Args:
        landmarks: ``[B,161,2]`` in crop points.
        parts: ``[B,5]`` how much of each of :data:`PARTS`, 0..1.
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
    """Carry movements of the landmarks into the plane.

    Args:
        landmarks: ``[B,161,2]`` in crop points.
        moved: where to each of them goes, ``[B or 1,161,2*M]``: M movements, x and y in fractions of the crop side.
        size: (height, width) of the rasters.

    Returns:
        ``[B,2*M,h,w]`` offsets of a backward warp, fading out away from the landmarks; differentiable in ``moved``.
    """

    at = landmarks.float().mT  # [B,2,161]
    apart = (at[..., :, None] - at[..., None, :]).square().sum(1)
    near = torch.exp(-apart / (2 * RADIUS**2))
    # exact at single landmarks would mean wild in between: neighbours differ by more than they move apart
    stiff = near + STIFFNESS * torch.eye(near.shape[-1], device=near.device)
    # Cholesky, for the LU of batches fails in some builds of MKL with several threads
    weights = torch.cholesky_solve(moved.to(near).expand(len(near), -1, -1), torch.linalg.cholesky(stiff))
    # a Gaussian of the plane is the product of those of its axes
    x, y = pixel_centers(*size, landmarks.device)[0, 0, :, 0], pixel_centers(*size, landmarks.device)[0, :, 0, 1]
    across, down = (
        torch.exp(-(p[:, None] - c[:, None]).square() / (2 * RADIUS**2)) for p, c in ((x, at[:, 0]), (y, at[:, 1]))
    )  # [B,w,161], [B,h,161]
    # a backward warp looks where a point came from
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
