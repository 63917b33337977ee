"""Fit the modes of motion: ``python -m flow_core.train motion --data DIR``. It takes seconds."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from ..atomic import write_bytes
from ..editing.motion import BUILTIN
from ..faces.landmarks import (
    AT,
    BROWS,
    CHEEKS,
    EYES,
    FOREHEAD,
    IRISES,
    LIPS,
    LIPS_INNER,
    MIRROR,
    NOSE,
    NOSTRILS,
    OVAL,
    five_points,
)
from ..geometry.crop import ffhq_matrix
from ..geometry.directions import down_of
from . import data
from .attributes import pose

# Face Mesh points that move together, and how many modes they have: what a brow does tells nothing of the nose. The chin goes
# with the mouth, which opens by it.
PARTS = {
    "brows": ((*BROWS[0], *BROWS[1], *FOREHEAD), 8),
    "eyes": ((*EYES[0], *EYES[1], *IRISES[0], *IRISES[1]), 8),
    "nose": ((*NOSE, *NOSTRILS[0], *NOSTRILS[1]), 6),
    "mouth": ((*LIPS, *LIPS_INNER, *CHEEKS[0], *CHEEKS[1], *OVAL[12:25]), 12),
    "outline": ((*OVAL, *CHEEKS[0], *CHEEKS[1]), 6),
}
# 0: every mode is as long as its standard deviation; 1: all are as long as that of the part's commonest one
LEVEL = 0.3


def shapes(landmarks: Tensor) -> Tensor:
    """Landmarks ``[N,161,2]`` turned and scaled so that the eyes lie where they lie in the crop frame: a mouth that opens
    must not move the eyes, as it would by the crop's own alignment."""
    five = five_points(landmarks)
    eyes = five[:, :2]
    across = eyes[:, 1] - eyes[:, 0]
    down = down_of(across)
    middle = eyes.mean(1)
    frozen = five.clone()
    frozen[:, 3:] = (middle + down)[:, None] + 0.4 * across[:, None] * torch.tensor([-1.0, 1.0])[:, None]
    matrix = ffhq_matrix(frozen)
    return landmarks @ matrix[:, :2, :2].mT + matrix[:, None, :2, 2]


def fit(landmarks: Tensor, parts: dict[str, tuple[tuple[int, ...], int]] = PARTS) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components ``[M,161,2]`` of each part of the face times their lengths, the longest first; the number of the part of
    each ``[M]``; and the share of the variance of all landmarks that they explain.

    The pose is regressed out, and every face counts with its mirror image. A length is a mean of the mode's own standard
    deviation and that of the part's commonest one: a landmark network, which has to guess at small and rare movements, reports
    less of them than there is."""
    points = shapes(landmarks)
    points = points[((points - points.median(0).values).abs().amax((1, 2)) < 0.2)]
    mirrored = torch.stack([1 - points[:, list(MIRROR), 0], points[:, list(MIRROR), 1]], -1)
    points = torch.cat([points, mirrored])
    design = pose(points)
    flat = points.flatten(1)
    rest = (flat - design @ torch.linalg.lstsq(design, flat).solution).unflatten(1, (-1, 2))
    modes, lengths = [], []
    for members, count in parts.values():
        at = sorted(AT[i] for i in set(members))
        _, values, vectors = torch.linalg.svd(rest[:, at].flatten(1), full_matrices=False)
        whole = rest.new_zeros(count, *rest.shape[1:])
        whole[:, at] = vectors[:count].unflatten(1, (-1, 2))
        modes.append(whole)
        values = values[:count] / len(rest) ** 0.5
        lengths.append(values ** (1 - LEVEL) * values[0] ** LEVEL)
    part = torch.arange(len(parts)).repeat_interleave(torch.tensor([len(m) for m in modes]))
    modes, length = torch.cat(modes), torch.cat(lengths)
    span = torch.linalg.qr(modes.flatten(1).T).Q
    share = (rest.flatten(1) @ span).square().sum() / rest.square().sum()
    order = length.argsort(descending=True)
    return (modes * length[:, None, None])[order], part[order], share


def main(argv: list[str] | None = None) -> None:
    from safetensors.torch import save

    ap = argparse.ArgumentParser("python -m flow_core.train motion", description=__doc__)
    ap.add_argument("--data", type=Path, required=True, help="folder of the training faces")
    ap.add_argument("--out", type=Path, default=BUILTIN)
    o = ap.parse_args(argv)
    kinds = [k for k in ("expressions", "portraits") if (o.data / f"{k}.zip").is_file()]
    known = [data.meshes(o.data, kind) for kind in kinds]
    train = torch.cat([mesh[~data.held_out(kind, len(mesh))] for kind, mesh in zip(kinds, known, strict=True)])
    modes, part, share = fit(train)
    write_bytes(o.out, save({"modes": modes.half().contiguous(), "part": part}, {"licence": "Apache-2.0"}))
    print(f"{len(modes)} modes hold {share:.1%} of the variance of {len(train)} faces; saved {o.out}")
