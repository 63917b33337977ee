"""Fit the modes of motion: ``python -m flow_core.train motion --data DIR``. It takes seconds."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from ..align import ffhq_matrix
from ..landmarks import MIRROR, five_points
from ..motion import BUILTIN
from . import data
from .attributes import pose

MODES = 40
LEVEL = 0.6  # 0: every mode is as long as its standard deviation; 1: all are as long as that of the commonest one


def shapes(landmarks: Tensor) -> Tensor:
    """Landmarks ``[N,161,2]`` turned and scaled so that the eyes lie where they lie in the crop frame: a mouth that opens
    must not move the eyes, as it would by the crop's own alignment."""
    five = five_points(landmarks)
    eyes = five[:, :2]
    across = eyes[:, 1] - eyes[:, 0]
    down = torch.stack([-across[:, 1], across[:, 0]], -1)
    middle = eyes.mean(1)
    frozen = five.clone()
    frozen[:, 3:] = (middle + down)[:, None] + 0.4 * across[:, None] * torch.tensor([-1.0, 1.0])[:, None]
    matrix = ffhq_matrix(frozen)
    return landmarks @ matrix[:, :2, :2].mT + matrix[:, None, :2, 2]


def fit(landmarks: Tensor, count: int = MODES) -> tuple[Tensor, Tensor]:
    """Principal components ``[count,161,2]`` times their lengths, and the share of variance of each.

    The pose is regressed out, and every face counts with its mirror image. A length is a mean of the mode's own standard
    deviation and that of the commonest one: what brows do is rare and small beside what mouths do, and a landmark
    network, which has to guess at it, reports less of it than there is."""
    points = shapes(landmarks)
    points = points[((points - points.median(0).values).abs().amax((1, 2)) < 0.2)]
    mirrored = torch.stack([1 - points[:, list(MIRROR), 0], points[:, list(MIRROR), 1]], -1)
    points = torch.cat([points, mirrored])
    design = pose(points)
    flat = points.flatten(1)
    rest = flat - design @ torch.linalg.lstsq(design, flat).solution
    _, values, vectors = torch.linalg.svd(rest, full_matrices=False)
    spread = values / len(rest) ** 0.5
    length = spread ** (1 - LEVEL) * spread[0] ** LEVEL
    return (vectors[:count] * length[:count, None]).unflatten(1, (-1, 2)), spread.square() / spread.square().sum()


def main(argv: list[str] | None = None) -> None:
    from safetensors.torch import save_file

    ap = argparse.ArgumentParser("python -m flow_core.train motion", description=__doc__)
    ap.add_argument("--data", type=Path, required=True, help="folder of the training faces")
    ap.add_argument("--out", type=Path, default=BUILTIN)
    o = ap.parse_args(argv)
    kinds = [k for k in ("expressions", "portraits") if (o.data / f"{k}.zip").is_file()]
    known = [data.meshes(o.data, kind) for kind in kinds]
    train = torch.cat([mesh[~data.held_out(kind, len(mesh))] for kind, mesh in zip(kinds, known, strict=True)])
    modes, share = fit(train)
    save_file({"modes": modes.half().contiguous()}, o.out, {"licence": "Apache-2.0"})
    print(
        f"{len(modes)} modes hold {share[: len(modes)].sum():.1%} of the variance of {len(train)} faces; saved {o.out}"
    )
