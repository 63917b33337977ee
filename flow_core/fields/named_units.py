"""Units of the rig by their names, and what they do to landmarks, as tensors that are kept."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ..faces.fit import FittedFace
from ..faces.rig import Rig

LID_UNITS = ("eyeBlink", "eyeWide", "eyeLook")  # what these do is described by the curves of the lids, not by the mesh


@functools.lru_cache(maxsize=32)
def units_named(rig: Rig, *begins: str) -> Tensor:
    """``[U]``: whether the names of units begin so."""
    with torch.inference_mode(False):
        return torch.tensor([n.startswith(begins) for n in rig.unit_names], device=rig.device)


@functools.lru_cache(maxsize=32)
def units_at(rig: Rig, *begins: str) -> Tensor:
    """``[n]``: which units have names that begin so."""
    with torch.inference_mode(False):
        return units_named(rig, *begins).nonzero()[:, 0]


def mean_of(rig: Rig, units: Tensor, name: str) -> Tensor:
    """The mean ``[...]`` of units ``[...,U]`` whose names begin so: of both sides, of one that has two."""
    return units @ share_of(rig, name)


@functools.lru_cache(maxsize=32)
def share_of(rig: Rig, name: str) -> Tensor:
    """``[U]``: the share of each unit in :func:`mean_of`."""
    with torch.inference_mode(False):
        named = units_named(rig, name).float()
        return named / named.sum()


@functools.lru_cache(maxsize=2)
def of_mesh(rig: Rig) -> Tensor:
    """``[U]``: whether units move the mesh, and not the lids' curves."""
    with torch.inference_mode(False):
        return ~units_named(rig, *LID_UNITS)


@functools.lru_cache(maxsize=2)
def landmark_moves(rig: Rig) -> Tensor:
    """``[U,161,3]`` centimetres by which each unit at 1 moves the landmarks."""
    with torch.inference_mode(False):
        return rig.landmarks(rig.units * rig.gain[:, None, None])


def moved_by(face: FittedFace, units: Tensor) -> Tensor:
    """By how much units ``[N,U]`` of a face, batch 1, move its landmarks as they are seen: ``[N,161,2]`` crop fractions."""
    moves = (units @ landmark_moves(face.rig).flatten(1)).unflatten(1, (-1, 3))
    return (moves @ face.rotation[0].mT)[..., :2] * face.scale[0]


__all__ = ["landmark_moves", "mean_of", "moved_by", "of_mesh", "share_of", "units_at", "units_named"]
