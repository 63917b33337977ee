"""What of an edit a face has room for: a unit that it shows already, or a shape that it has, is added less.

The predictor answers within these bounds (:mod:`flow_core.editing.predict`).
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ..faces.fit import FittedFace
from ..faces.rig import load_rig
from ..fields.moved import CONTROL_RANGE
from ..fields.units import other_side
from .named import covariance

FULL = 1.1  # of a unit after the edit, unless the face shows more already
# A control is taken less by this share for each standard deviation that a face has of it; least and most share
ROOM = 0.25, 0.55, 1.2
TOLD = "eye", "nose", "mouth", "lips", "chin"  # first words of controls of which landmarks tell how much a face has
# Controls that move only if they are named
WHOLE = "older", "younger", "masculine", "heavier", "faceOlder", "faceHeavier"
LEAST_SHOWN = 0.05  # of a unit; below it there is nothing to relax


def features(fitted: FittedFace) -> Tensor:
    """What the predictor sees of faces, ``[B,U+C+3]``: the units that they show, how much of each shape control they have, in
    standard deviations, and the turn of the head."""
    turn = (fitted.rotation - fitted.rotation.mT)[:, (0, 0, 1), (1, 2, 2)]
    return torch.cat([fitted.units, fitted.shape @ _carrying().to(fitted.shape), turn], 1)


def bounded(start: Tensor, kinds: Tensor, shown: Tensor, carried: Tensor, free: Tensor, relaxing: Tensor) -> Tensor:
    """What a prompt names, as far as a face has room for it, and a correction, within what faces can do.

    The correction is the same on both sides of the face, unless the prompt names more of one side: then that side takes it.

    Args:
        start: ``[B,2U+C]`` what is named, as coefficients of a muscles field (units, relaxed shares, controls).
        kinds: ``[B,2]`` 0..1, whether an expression is asked for, and whether a shape is.
        shown: ``[B,U]`` units that the face shows.
        carried: ``[B,C]`` how much of each control it has, in standard deviations over people.
        free: ``[B,U+C]`` the correction, in standard deviations of real faces (:func:`metric`).
        relaxing: ``[B,U]`` 0..1, share of each unit to relax besides.

    Returns:
        coefficients ``[B,2U+C]``.
    """
    u, c = sizes()
    units, relax, controls = start.split((u, u, c), 1)
    expression, shape = kinds.split(1, 1)
    root, spread, unit_swap, control_swap, seen, whole = (t.to(free.device) for t in metric())
    relaxing = (relaxing + relaxing[:, unit_swap]) / 2 * expression * (shown > LEAST_SHOWN)
    relax = relax.clamp(0, 1)
    relax = relax + (1 - relax) * relaxing  # what is named to relax does so
    kept = torch.where(shown < 0, shown, shown * (1 - relax))
    # What a face shows already it need not do again. Units that the reader cannot see get the share of those named with them.
    room = 1 - kept.clamp(0, FULL) / FULL
    named_seen = units.clamp(min=0) * seen
    # where a unit relaxes first, only what goes beyond its former amount counts
    fresh = (named_seen * room - (shown.clamp(min=0) - kept.clamp(min=0))).clamp(min=0)
    together = fresh.sum(1, keepdim=True) / named_seen.sum(1, keepdim=True).clamp(min=1e-6)
    together = torch.where(named_seen.sum(1, keepdim=True) > 0.1, together, 1.0)
    named_units = torch.where(units > 0, units * torch.where(seen > 0, room, torch.minimum(room, together)), units)
    change = expression * (free[:, :u] @ root) * _shares(units, unit_swap)
    low, high = torch.minimum(named_units, -kept.clamp(min=0)), (FULL - kept).clamp(min=0)
    after = torch.minimum(torch.maximum(named_units + change, low), high)
    slope, least, most = ROOM
    room = (1 - slope * carried * controls.sign()).clamp(least, most)
    change = shape * (free[:, u:] @ spread) * _shares(controls, control_swap)
    change = torch.where((whole > 0) & (controls == 0), 0.0, change)
    return torch.cat([after, relax, (controls * room + change).clamp(-CONTROL_RANGE, CONTROL_RANGE)], 1)


def _shares(start: Tensor, swap: Tensor) -> Tensor:
    """The share 0..1 of a correction that each side takes; 1 if a prompt names no side.

    Args:
        start: ``[B,N]`` what is named.
        swap: ``[N]`` index of the other side of each.
    """
    size = start.abs()
    most = torch.maximum(size, size[:, swap])
    return torch.where(most > 0.02, size / most.clamp(min=0.02), 1.0)


def sizes() -> tuple[int, int]:
    """Numbers of units and of controls of the rig."""
    rig = load_rig()
    return len(rig.unit_names), len(rig.control_names)


@functools.lru_cache(maxsize=1)
def metric() -> tuple[Tensor, ...]:
    """What :func:`bounded` knows of the rig.

    Returns:
        symmetric square roots of the covariance of units ``[U,U]`` and of controls ``[C,C]`` over real faces; the index of the
        other side of each unit ``[U]`` and control ``[C]``; ``[U]`` 1 for units that are read in faces; ``[C]`` 1 for controls of
        the whole face.
    """
    rig = load_rig()
    with torch.inference_mode(False):
        joint, (u, _), roots = covariance(1, 1).double(), sizes(), []
        for part in (joint[:u, :u], joint[u:, u:]):
            values, vectors = torch.linalg.eigh(part)
            roots.append(((vectors * values.clamp(min=0).sqrt()) @ vectors.T).float())
        swaps = [torch.tensor([other_side(n, names) for n in names]) for names in (rig.unit_names, rig.control_names)]
        seen = (rig.covariance.diag() > 1e-4).float()
        whole_face = torch.tensor([float(n.startswith(WHOLE)) for n in rig.control_names])
        return *roots, *swaps, seen, whole_face


@functools.lru_cache(maxsize=1)
def _carrying() -> Tensor:
    """Matrix ``[S,C]`` from the shape of a fitted face to how much of each control it has, in standard deviations over people.

    A ridge regression of the displacements of the shapes on those of all controls; 0 for controls of which landmarks tell
    nothing."""
    rig = load_rig()
    with torch.inference_mode(False):
        shapes, controls = rig.shape.flatten(1).double(), rig.controls.flatten(1).double()
        square = controls @ controls.T
        square = square + 0.1 * square.diag().mean() * torch.eye(len(square)).to(square)
        found = shapes @ controls.T @ torch.linalg.inv(square)
        told = torch.tensor([n.startswith(TOLD) for n in rig.control_names])
        return (found / found.norm(dim=0, keepdim=True).clamp(min=1e-6) * told).float()


__all__ = ["bounded", "features", "metric", "sizes"]
