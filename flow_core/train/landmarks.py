"""Train the landmark network: ``python -m flow_core.train landmarks --data DIR``.

The truth is MediaPipe's Face Mesh, measured once on the training faces; random warps and alignments that are as far off
as a detector's show the network more faces and more crops than there are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..faces.landmarks import AT, BUILTIN, WIDEN, Landmarks, five_points, load_landmarks
from ..geometry.crop import Crop
from . import data, loop
from .views import Views

JITTER = 2.2  # of the alignment, in those of the guide


class _Objective(nn.Module):
    def __init__(self, net: Landmarks) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor, seen: Tensor) -> dict[str, Tensor]:
        return {"points": F.smooth_l1_loss(self.net(picture) * 30, seen * 30, beta=0.1)}


def error(found: Tensor, truth: Tensor) -> Tensor:
    """Normalised mean error ``[B]`` of points ``[B,K,2]``: mean distance in distances of the outer eye corners."""
    return (found - truth).norm(dim=-1).mean(1) / (truth[:, AT[33]] - truth[:, AT[263]]).norm(dim=-1)


@torch.no_grad()
def validate(net: Landmarks, faces: data.Faces, seed: int = 1) -> list[str]:
    """Errors on held-out faces whose alignment is off at random, after one look and after the two of a run."""
    views = Views(faces, seed)
    g = views.generator.manual_seed(seed)
    rows = [
        "| faces | number | look | NME % | 5 points % of eye distance | failures (NME > 8 %) |",
        "|---|---|---|---|---|---|",
    ]
    for kind in ("expressions", "portraits"):
        index = [i for i in views.usable.tolist() if faces.kind[i] == kind]
        truth = faces.landmarks[index]
        five = five_points(truth)
        eyes = (five[:, 0] - five[:, 1]).norm(dim=-1)[:, None, None]
        off = torch.randn(len(index), 5, 2, generator=g) * 0.12 * eyes  # about a detector's errors
        image = faces.images[index].float() / 255
        crop = Crop.from_points(five + off, (data.STORED, data.STORED))
        for look in (1, 2):
            found = torch.cat([net.find(image[i : i + 1], crop.select(i)) for i in range(len(index))])
            crop = Crop.from_points(five_points(found), crop.image_size)
            nme, points = error(found, truth), (five_points(found) - five).norm(dim=-1).mean(1) / eyes[:, 0, 0]
            rows.append(
                f"| {kind} | {len(index)} | {look} | {100 * nme.mean():.2f} | {100 * points.mean():.2f} | "
                f"{(nme > 0.08).float().mean():.2%} |"
            )
    return rows


def main(argv: list[str] | None = None) -> None:
    o = loop.arguments("landmarks", __doc__.split("\n")[0], BUILTIN, 3000, 64, 2e-3).parse_args(argv)
    torch.manual_seed(o.seed)
    train, test = data.load(o.data)
    if not o.validate:
        views = Views(train, o.seed)
        weights = torch.where(train.color, 6.0, 1.0)[views.usable]

        def batch(seed: int) -> tuple[Tensor, Tensor]:
            g = views.generator.manual_seed(seed)
            index = views.usable[torch.multinomial(weights, o.batch, generator=g)]
            picture, _, seen = views.view(index, True, JITTER, WIDEN)
            return views.light(picture).to(o.device), seen.to(o.device)

        net = Landmarks().to(o.device, memory_format=torch.channels_last)
        seconds = loop.fit(_Objective(net), batch, o)
        if loop.rank():
            return
        loop.save(net, o.out, {"steps": str(o.steps), "seed": str(o.seed)})
        print(f"trained in {seconds:.0f} s")
    print("\n".join(validate(load_landmarks(o.out), test)))
