"""Train the landmark network: ``python -m flow_core.train landmarks --data DIR``.

The truth is MediaPipe's Face Mesh, measured once on the training faces; random warps and alignments that are as far off
as a detector's show the network more faces and more crops than there are. Distances that open and close (lips, lids)
count for themselves, and rare faces are seen more often: else an open mouth is drawn towards the closed ones. Everything
happens on ``--device``, pictures included.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from ..faces.landmarks import (
    AT,
    BROWS,
    BUILTIN,
    EYES,
    IRISES,
    LIPS,
    LIPS_INNER,
    SIZE,
    WIDEN,
    Landmarks,
    five_points,
    load_landmarks,
    pose,
)
from ..geometry.crop import Crop
from . import data, loop
from .views import Views

JITTER = (2.2, 0.8)  # of the alignment before the first look and the later ones, in those of the guide
RAREST = 20.0  # how much more often than a usual face the rarest ones are seen

# pairs of Face Mesh points whose distance is what a face does
GAPS = (
    *((lips[i], lips[-i]) for lips in (LIPS, LIPS_INNER) for i in range(1, 10)),
    *((eye[i], eye[-i]) for eye in EYES for i in range(1, 8)),
    *((LIPS[i], LIPS_INNER[i]) for i in (5, 15)),  # thickness of the lips
    *((iris[0], eye[i]) for iris, eye in zip(IRISES, EYES, strict=True) for i in (0, 4, 8, 12)),
    *((brow[i], eye[12]) for brow, eye in zip(BROWS, EYES, strict=True) for i in range(5)),
    *((brow[i], 168) for brow in BROWS for i in (4, 5)),
    (LIPS[0], LIPS[10]),
)


def gaps(points: Tensor) -> Tensor:
    """The vectors ``[B,len(GAPS),2]`` between the pairs of landmarks ``[B,161,2]``."""
    one, other = ([AT[pair[k]] for pair in GAPS] for k in (0, 1))
    return points[:, one] - points[:, other]


class _Objective(nn.Module):
    def __init__(self, net: Landmarks, tower: bool = True) -> None:
        super().__init__()
        self.net, self.tower = net, tower
        net.tower.requires_grad_(tower)

    def train(self, mode: bool = True) -> _Objective:
        super().train(mode)
        self.net.tower.train(mode and self.tower)
        return self

    def forward(self, picture: Tensor, seen: Tensor) -> dict[str, Tensor]:
        def off(found: Tensor, truth: Tensor) -> Tensor:
            return F.smooth_l1_loss(found * 30, truth * 30, beta=0.1)

        first, points = self.net.looks(picture)
        clear = len(seen) // 4 * 2  # only of faces that :func:`spoil` left alone can all be known
        mine, real = openings(points[clear:]), openings(seen[clear:])
        return {
            "points": off(points, seen),
            "gaps": 2 * off(gaps(points), gaps(seen)),
            "first": 0.5 * off(first, seen),
            "bias": sum(2 * bias(mine[name], real[name]) for name in real),
        }


def openings(points: Tensor) -> dict[str, Tensor]:
    """How far mouth and eyes are open, ``[B]`` each: the inner lips' distance in distances of the outer eye corners; the
    lids' in lengths of their eye, both eyes' mean."""

    def apart(a: int, b: int) -> Tensor:
        return (points[:, AT[a]] - points[:, AT[b]]).norm(dim=-1)

    eyes = [apart(eye[4], eye[12]) / apart(eye[0], eye[8]).clamp(min=1e-6) for eye in EYES]
    return {"mouth": apart(13, 14) / apart(33, 263).clamp(min=1e-6), "eyes": (eyes[0] + eyes[1]) / 2}


def bias(found: Tensor, truth: Tensor) -> Tensor:
    """How found openings ``[N]`` depart from the true ones in their mean and their slope, 0 for neither.

    Least errors alone pull what is uncertain to what is usual: mouths would be found less open than they are.
    """
    spread = truth - truth.mean()
    off, variance = found - truth, spread.square().mean().clamp(min=1e-6)
    return ((off * spread).mean() / variance).square() + off.mean().square() / variance


def rarity(points: Tensor) -> Tensor:
    """How much more often than the most usual face each of landmarks ``[N,161,2]`` is to be seen, 1 .. :data:`RAREST`:
    the root of how rare its openings and its pose are."""
    weight = torch.ones(len(points), device=points.device)
    for value in (*openings(points).values(), *pose(points).mT):
        low, high = value.quantile(0.005), value.quantile(0.995)
        bins = ((value - low) / (high - low) * 12).long().clamp(0, 11)
        count = torch.bincount(bins, minlength=12).float()
        weight = weight * (count.max() / count[bins]).sqrt()
    return (weight / weight.median()).clamp(1, RAREST)


def spoil(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Cover a part of a quarter of pictures ``[B,3,S,S]``, and make another quarter small, as faces in photos of groups are."""
    n, _, _, side = picture.shape
    part = n // 4
    if not part:
        return picture

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator, device=picture.device)

    place = (torch.arange(side, device=picture.device) + 0.5) / side
    middle, half = uniform(0.1, 0.9, part, 2, 1), uniform(0.03, 0.17, part, 2, 1)
    x, y = ((place - middle).abs() < half).unbind(1)
    covered = torch.where((y[:, :, None] & x[:, None])[:, None], uniform(0, 1, part, 3, 1, 1), picture[:part])
    small = max(24, int(side * uniform(0.2, 0.8, 1).item()))
    coarse = F.interpolate(picture[part : 2 * part], (small, small), mode="bilinear", antialias=True)
    coarse = F.interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
    return torch.cat([covered, coarse, picture[2 * part :]])


def error(found: Tensor, truth: Tensor) -> Tensor:
    """Normalised mean error ``[B]`` of points ``[B,K,2]``: mean distance in distances of the outer eye corners."""
    return (found - truth).norm(dim=-1).mean(1) / (truth[:, AT[33]] - truth[:, AT[263]]).norm(dim=-1)


def slope(found: Tensor, truth: Tensor) -> float:
    """Of the straight line, by least squares, that tells found openings ``[N]`` from the true ones."""
    off = truth - truth.mean()
    return ((found - found.mean()) * off).sum().item() / max(off.square().sum().item(), 1e-9)


@torch.no_grad()
def validate(net: Landmarks, faces: data.Faces, seed: int = 1) -> list[str]:
    """Errors on held-out faces whose alignment is off at random, after one look and after the two of a run, and after
    these by what the faces do."""
    views = Views(faces, seed)
    g = views.generator.manual_seed(seed)
    rows = [
        "| faces | number | look | NME % | 5 points % of eye distance | failures (NME > 8 %) |",
        "|---|---|---|---|---|---|",
    ]
    last: list[tuple[Tensor, Tensor]] = []
    for kind in ("expressions", "portraits"):
        index = [i for i in views.usable.tolist() if faces.kind[i] == kind]
        if not index:
            continue
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
        last.append((found, truth))
    found, truth = (torch.cat(part) for part in zip(*last, strict=True))
    return [*rows, "", *by_kind(found, truth)]


def by_kind(found: Tensor, truth: Tensor) -> list[str]:
    """Errors of found points ``[N,161,2]`` by what the true ones show: how far mouth and eyes are open, and where the head
    turns."""
    opened, seen = openings(truth), openings(found)
    yaw = pose(truth)[:, 0].abs()
    groups = {
        "all": torch.ones(len(truth), dtype=torch.bool),
        "mouth open (> 0.07)": opened["mouth"] > 0.07,
        "mouth wide open (> 0.14)": opened["mouth"] > 0.14,
        "mouth shut (< 0.02)": opened["mouth"] < 0.02,
        "eyes closed (< 0.18)": opened["eyes"] < 0.18,
        "eyes wide (> 0.38)": opened["eyes"] > 0.38,
        "half profile (yaw > 0.25)": yaw > 0.25,
    }
    rows = [
        "| faces | number | NME % | mouth: true | found | slope | eyes: true | found | slope |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, which in groups.items():
        if which.sum() < 3:
            continue
        parts = [
            f"{opened[k][which].mean():.3f} | {seen[k][which].mean():.3f} | {slope(seen[k][which], opened[k][which]):.2f}"
            for k in ("mouth", "eyes")
        ]
        rows.append(
            f"| {name} | {int(which.sum())} | {100 * error(found, truth)[which].mean():.2f} | {' | '.join(parts)} |"
        )
    return rows


def main(argv: list[str] | None = None) -> None:
    ap = loop.arguments("landmarks", __doc__.split("\n")[0], BUILTIN, 2600, 1024, 2.5e-3)
    ap.add_argument("--start", type=Path, help="weights to start from, instead of random ones")
    ap.add_argument("--heads", action="store_true", help="train what follows the tower; a processor can do that")
    o = ap.parse_args(argv)
    torch.manual_seed(o.seed)
    train, test = data.load(o.data)
    if not o.validate:
        views = Views(train.to(o.device), o.seed, 2 * SIZE)
        weights = torch.where(views.faces.color, 6.0, 1.0)[views.usable] * rarity(views.points[views.usable])
        held = Views(test.to(o.device), o.seed, 2 * SIZE)

        def batch(seed: int) -> tuple[Tensor, Tensor]:
            g = views.generator.manual_seed(seed)
            index = views.usable[torch.multinomial(weights, o.batch, True, generator=g)]
            # first looks at faces far from aligned, moved or not, and second looks; half of the faces with other lids
            quarter, rest = o.batch // 4, o.batch - 3 * (o.batch // 4)
            looks = [
                views.view(part, i == 0, JITTER[i // 2], WIDEN, blink=i % 2 == 1)
                for i, part in enumerate(index.split([quarter, quarter, quarter, rest]))
            ]
            picture, seen = torch.cat([v[0] for v in looks]), torch.cat([v[2] for v in looks])
            order = torch.randperm(len(seen), generator=g, device=seen.device)
            # as antialiased as the network's pictures at run time
            picture = views.light(F.avg_pool2d(picture[order], 2))
            return spoil(picture, g).contiguous(memory_format=torch.channels_last), seen[order]

        def check(done: int) -> None:
            with torch.no_grad():
                parts = [held.view(i, False, 0.0, WIDEN) for i in held.usable.split(256)]
                found = torch.cat([net(F.avg_pool2d(p[0], 2)) for p in parts])
            truth = torch.cat([p[2] for p in parts])
            mine, real = openings(found), openings(truth)
            parts = "  ".join(f"{k} {slope(mine[k], real[k]):.3f}" for k in mine)
            print(f"held out at {done}: NME {100 * error(found, truth).mean():.2f} %, slopes {parts}", flush=True)

        net = Landmarks()
        if o.start:
            net.load_state_dict(load_file(o.start))
        net.to(o.device, memory_format=torch.channels_last)
        seconds = loop.fit(_Objective(net, not o.heads), batch, o, check)
        if loop.rank():
            return
        loop.save(net, o.out, {"steps": str(o.steps), "seed": str(o.seed)})
        print(f"trained in {seconds:.0f} s")
    print("\n".join(validate(load_landmarks(o.out), test)))
