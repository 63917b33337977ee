"""How much of a movement the teacher of the landmarks sees: ``python -m flow_core.train seen --data DIR``.

Faces are warped at random and measured by MediaPipe, which has to be installed, before and after. A landmark network guesses at
what is small or rare, by what is usual; so brows that a warp brings together stay apart in its eyes. Prints
:data:`flow_core.train.attributes.SEEN`: for each measure the slope of what is seen over what was done.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from . import attributes, data, faces
from .guide_objective import sampling_weights
from .views import Views

WIDEN = 1.15  # MediaPipe wants some room around a face
SIDE = 256  # pixels of the views
FARTHEST = 6.0  # standard deviations; who sees more has lost the face


def main(argv: list[str] | None = None) -> None:
    ap = argparse.ArgumentParser("python -m flow_core.train seen", description=__doc__.split("\n")[0])
    ap.add_argument("--data", type=Path, required=True, help="folder of the training faces")
    ap.add_argument("--faces", type=int, default=700, help="how many to look at")
    ap.add_argument("--seed", type=int, default=5)
    o = ap.parse_args(argv)
    try:
        find = faces.mediapipe()
    except ImportError as e:
        raise SystemExit(f"MediaPipe is the teacher that is asked here, and cannot be imported ({e}).") from e
    train, _ = data.load(o.data)
    views = Views(train, o.seed, SIDE)
    usable = views.usable
    scale = attributes.Scale.fit(views.points[usable], [train.label[i] for i in usable.tolist()])
    chosen = torch.multinomial(sampling_weights(train)[usable], o.faces, generator=views.generator)
    done, seen = [], []
    for index in usable[chosen].split(50):
        looks = [views.view(index, warp, 0.0, WIDEN) for warp in (False, True)]
        found = [[find(face) for face in picture] for picture, _, _ in looks]
        both = [i for i, pair in enumerate(zip(*found, strict=True)) if None not in pair]
        done.append(torch.stack([attributes.raw(points[both]) for _, points, _ in looks]))
        seen.append(torch.stack([attributes.raw(torch.stack([f[i] for i in both])) for f in found]))
    x, y = (torch.cat(m, 1).diff(dim=0)[0] / scale.spread for m in (done, seen))
    kept = (y.abs() < FARTHEST).float()
    share = (x * y * kept).sum(0) / (x * x * kept).sum(0)
    print(f"{len(x)} faces")
    print({name: round(value, 2) for name, value in zip(attributes.SEEN, share.tolist(), strict=True)})
