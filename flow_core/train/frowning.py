"""Train the reader of frowns: ``python -m flow_core.train frowning --data DIR --brows FILE``.

MediaPipe, which teaches the readers of units, hardly sees brows that are drawn together. So this one learns from what people called the
expressions of photographs, of which it sees the brows alone, and from faces whose brows were drawn together, raised or left alone by this
project's own warp. The pictures around brows are made first, and kept: ``--make FACES``, so many of either kind.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..atomic import replacing
from ..faces.align import studied
from ..faces.frowning import BUILTIN, HIGH, WIDE, Frowning, around_brows, load_frowning
from ..faces.landmarks import load_landmarks
from ..faces.shown import view
from ..fields.muscles import MusclesField
from ..geometry.crop import Crop
from ..warping.warp import warp
from . import data, loop

WIDER = 1.25  # of the stored pictures, so that moved views stay inside
FROWNS = {
    "anger": 0.95,
    "neutral": 0.04,
    "happiness": 0.04,
    "surprise": 0.02,
}  # what an expression teaches; others may frown or not
SHARES = {"neutral": 1.0, "happiness": 0.5, "surprise": 0.33}  # of the number asked for, of these, and all others
MOVED, ANGRY = 0.4, 0.25  # share of moved faces in a step, and of angry ones
DRAWN = 2  # edits of each face
# what also changes between eyes and brows
OTHERS = ("eyeSquint", "eyeBlink", "eyeWide", "cheekSquint", "mouthSmile", "eyeLookDown")


def look(faces: data.Faces, i: int, side: int) -> tuple[Tensor, Crop]:
    """A training face, ``side`` pixels wide, and where the built-in network finds its landmarks."""
    image, crop = data.enlarged(faces, i, side)
    return image, load_landmarks().refine(image, crop)


def random_brows(g: torch.Generator) -> tuple[dict[str, float], float]:
    """What moves between eyes and brows, as named amounts, and how far brows are drawn together, 0..1."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=g).item()

    amounts = {name: uniform(0, 0.9) for name in OTHERS if uniform(0, 1) < 0.3}
    much = (0.0, 0.0, uniform(0.3, 0.7), uniform(0.8, 1.1), uniform(0.8, 1.1))[int(uniform(0, 5))]
    if much:
        amounts |= {"relax browInnerUp": 1.0, "relax browOuterUp": 1.0}
        amounts |= {"browTogether": much * uniform(0.8, 1.2), "browDown": much * uniform(0.4, 1.0)}
        amounts |= {"noseSneer": uniform(0, 0.9)} if uniform(0, 1) < 0.3 else {}
    else:
        amounts |= {name: uniform(0, 1) for name in ("browInnerUp", "browOuterUp") if uniform(0, 1) < 0.5}
        amounts |= {"browTogether": -uniform(0, 0.8)} if uniform(0, 1) < 0.2 else {}
    return amounts, min(much, 1.0)


def make(faces: data.Faces, count: int, seed: int, note: str = "") -> dict[str, Tensor]:
    """Brows of ``count`` faces and of the angry ones as they are, and of ``count`` moved ones.

    Returns:
        ``brows [M,1,50,80]`` uint8; ``frown [M]`` 0..1, how far they are drawn together as far as that is known, NaN where it is not;
        ``moved [M]`` bool; ``label [M]`` place of the face's expression in :data:`LABELS`, -1 where it has none.
    """
    g = torch.Generator().manual_seed(seed)
    kept: dict[str, list[Tensor]] = {"brows": [], "frown": [], "moved": [], "label": []}

    def keep(image: Tensor, crop: Crop, frown: float, moved: bool, label: str) -> None:
        brows = around_brows(view(image, crop), crop.places, WIDER)[0]
        kept["brows"].append((brows * 255).round().byte())
        kept["frown"].append(torch.tensor(frown))
        kept["moved"].append(torch.tensor(moved))
        kept["label"].append(torch.tensor(LABELS.index(label) if label in LABELS else -1))
        if len(kept["brows"]) % 200 == 0:
            print(f"{note}{len(kept['brows'])} pictures", flush=True)

    for label in LABELS:
        those = torch.tensor(
            [i for i, said in enumerate(faces.label) if said == label and faces.kind[i] == "expressions"]
        )
        share = SHARES.get(label)
        for i in those[torch.randperm(len(those), generator=g)][
            : None if share is None else round(share * count)
        ].tolist():
            keep(*look(faces, i, 256), FROWNS.get(label, float("nan")), False, label)
    weight = torch.tensor(
        [
            20.0 if kind == "portraits" else float(said in SHARES)
            for kind, said in zip(faces.kind, faces.label, strict=True)
        ]
    )
    for i in torch.multinomial(weight, count // (1 + DRAWN), True, generator=g).tolist():
        image, crop = look(faces, i, int(torch.randint(220, 361, (), generator=g)))
        crop = studied(image, crop)
        keep(image, crop, 0.0, True, "")
        for _ in range(DRAWN):
            amounts, much = random_brows(g)
            keep(warp(image, crop, MusclesField.of(amounts), 1.0, 1.0)[0], crop, much, True, "")
    return {name: torch.stack(column) for name, column in kept.items()}


LABELS = ("anger", "disgust", "fear", "sadness", *SHARES)


def jittered(brows: Tensor, g: torch.Generator) -> Tensor:
    """Views ``[B,1,40,64]`` of stored pictures ``[B,1,50,80]`` 0..1: half of them mirrored, a little off, in other light, some
    blurred or noisy."""
    n = len(brows)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g)

    def chance(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=g)

    angle, size, aspect = 0.05 * normal(n), 1 + 0.05 * normal(n), WIDE / HIGH
    c, s, sign = angle.cos() * size / WIDER, angle.sin() * size / WIDER, 1 - 2.0 * (chance(n) < 0.5)
    turn = torch.stack([torch.stack([c * sign, -s / aspect], -1), torch.stack([s * sign * aspect, c], -1)], 1)
    grid = F.affine_grid(torch.cat([turn, 0.04 * normal(n, 2, 1)], 2), [n, 1, HIGH, WIDE], align_corners=False)
    view = F.grid_sample(brows, grid, padding_mode="border", align_corners=False)
    x, y = torch.meshgrid(torch.linspace(-1, 1, WIDE), torch.linspace(-1, 1, HIGH), indexing="xy")
    light = 0.25 * (normal(n, 1, 1, 1) * x + normal(n, 1, 1, 1) * y)  # from a side or above
    view = view.clamp(1e-3, 1) ** (0.3 * normal(n, 1, 1, 1)).exp() * light.exp()
    few = slice(0, n // 3)  # rows are in random order
    share = 0.35 + 0.6 * chance(1).item()
    coarse = F.interpolate(view[few], scale_factor=share, mode="bilinear", antialias=True)
    view = torch.cat([F.interpolate(coarse, (HIGH, WIDE), mode="bilinear"), view[n // 3 :]])
    return view + 0.03 * chance(n, 1, 1, 1) * normal(*view.shape)


def inner(brows: Tensor) -> Tensor:
    """Stored pictures ``[B,1,50,80]`` uint8 as the network sees them, ``[B,1,40,64]`` 0..1."""
    place = torch.tensor([[1 / WIDER, 0, 0], [0, 1 / WIDER, 0]]).expand(len(brows), 2, 3)
    grid = F.affine_grid(place, [len(brows), 1, HIGH, WIDE], align_corners=False)
    return F.grid_sample(brows.float() / 255, grid, align_corners=False)


class _Objective(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = Frowning()

    def forward(self, brows: Tensor, frown: Tensor) -> dict[str, Tensor]:
        return {"cross entropy": F.binary_cross_entropy_with_logits(self.net(brows), frown)}


@torch.no_grad()
def validate(path: Path, made: dict[str, Tensor]) -> list[str]:
    """The card's table for weights, on what :func:`make` made of held-out faces."""
    net = load_frowning(path)
    read = torch.cat([net.both_ways(part).sigmoid() for part in inner(made["brows"]).split(256)])
    rows = ["| faces | number | read, mean | 10 % quantile | 90 % quantile |", "|---|---|---|---|---|"]
    kinds = {name: made["label"] == i for i, name in enumerate(LABELS)}
    for low, high in ((0.0, 0.01), (0.01, 0.75), (0.75, 1.01)):
        kinds[f"moved, {low:.2f} to {min(high, 1):.2f}"] = (
            made["moved"] & (made["frown"] >= low) & (made["frown"] < high)
        )
    for kind, those in kinds.items():
        if those.any():
            r = read[those]
            rows.append(f"| {kind} | {len(r)} | {r.mean():.2f} | {r.quantile(0.1):.2f} | {r.quantile(0.9):.2f} |")
    angry = read[kinds["anger"]]
    for other in SHARES:
        calm = read[kinds[other]]
        higher = (angry[:, None] > calm).float().mean()
        rows.append(f"\nOf an angry and a face of {other}, the angry one is read higher in {higher:.1%}.")
    return rows


def main(argv: list[str] | None = None) -> None:
    ap = loop.arguments("frowning", __doc__.split("\n")[0], BUILTIN, 1500, 96, 3e-3)
    ap.add_argument("--brows", type=Path, required=True, help="the file of the pictures around brows")
    ap.add_argument(
        "--make", type=int, metavar="FACES", help="make that file first, and stop: so many faces as they are, and moved"
    )
    o = ap.parse_args(argv)
    torch.manual_seed(o.seed)
    if o.make:
        parts = zip(("train", "test"), data.load(o.data), (o.make, o.make // 8), strict=True)
        made = {part: make(faces, count, 2 * o.seed + (part == "test"), f"{part}: ") for part, faces, count in parts}
        with replacing(o.brows) as partial:
            torch.save(made, partial)
        return
    made = torch.load(o.brows, weights_only=True)
    if not o.validate:
        brows, frown, moved = (made["train"][name] for name in ("brows", "frown", "moved"))
        angry = made["train"]["label"] == LABELS.index("anger")
        kinds = [(moved, MOVED), (angry, ANGRY), (~moved & ~angry & frown.isfinite(), 1 - MOVED - ANGRY)]

        def batch(seed: int) -> tuple[Tensor, ...]:
            g = torch.Generator().manual_seed(seed)
            index = torch.cat(
                [torch.multinomial(w.float(), round(share * o.batch), True, generator=g) for w, share in kinds]
            )
            index = index[torch.randperm(len(index), generator=g)]
            return jittered(brows[index].float() / 255, g), frown[index]

        objective = _Objective()
        seconds = loop.fit(objective, batch, o)
        loop.save(objective.net, o.out, {"steps": str(o.steps), "seed": str(o.seed)})
        print(f"trained in {seconds:.0f} s")
    print("\n".join(validate(o.out, made["test"])))


if __name__ == "__main__":
    main()
