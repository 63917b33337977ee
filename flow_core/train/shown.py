"""Train the reader of pictures: ``python -m flow_core.train shown --data DIR --copies FILE``.

It learns what MediaPipe's face landmarker says of the training faces, and of the same faces with other people's expressions, so
that it sees in a warped picture what MediaPipe sees there. Those pictures are made first, where the package mediapipe can be
imported: ``python -m flow_core.train shown --data DIR --copies FILE --make 2000 --teacher face_landmarker.task``. The landmark
network, whose features are read, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..atomic import replacing
from ..faces.align import FaceNotFound, align
from ..faces.detect import load_detector
from ..faces.landmarks import SIZE, WIDEN, five_points
from ..faces.read import OTHER_SIDE, READ, UNITS, load_reader
from ..faces.rig import load_rig
from ..faces.shown import BUILTIN, PictureReader, load_picture_reader, studied
from ..fields.expressions import copied, neutral
from ..fields.muscles import MOST, MusclesField, other_side, read_shown
from ..geometry.crop import Crop
from ..warping.warp import warp
from . import data, loop
from .reader import blendshapes, correlation

Teacher = Callable[[Tensor], "Tensor | None"]
SIDE, WIDE = (
    160,
    1.25,
)  # pixels a side of a stored picture, and that side in those of the crop: jittered views stay inside
EACH = 7  # pictures of a face: as it is, and moved
VIEWS = 2  # of each picture: as it is, and jittered
DROPPED = 0.3  # share of features and points that a step of the training does without
SHAKE = 0.2  # of a unit, by which an expression strays from the one that was copied


def mediapipe_teacher(model: Path) -> Teacher:
    """What MediaPipe reads in a picture ``[1,3,H,W]``: blendshapes ``[52]`` in the order of ``UNITS``, None where it finds no face."""
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as e:
        raise SystemExit(
            f"MediaPipe is asked, which cannot be imported ({e}); install the package mediapipe, or leave it out."
        ) from e
    options = vision.FaceLandmarkerOptions(BaseOptions(str(model)), output_face_blendshapes=True)
    landmarker = vision.FaceLandmarker.create_from_options(options)

    def teacher(image: Tensor) -> Tensor | None:
        array = (image[0].permute(1, 2, 0) * 255).round().byte().contiguous().numpy()
        found = landmarker.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, array)).face_blendshapes
        if not found:
            return None
        units = {c.category_name: c.score for c in found[0]}
        return torch.tensor([units.get(n, 0.0) for n in UNITS])

    return teacher


def shaken(field: MusclesField, g: torch.Generator) -> MusclesField:
    """A copied expression, or a face at rest, with half of its units a little more or less, mostly of both sides at once."""
    names = load_rig().unit_names
    swap = [other_side(n, names) for n in names]
    noise = SHAKE * torch.randn(len(names), generator=g) * (torch.rand(len(names), generator=g) < 0.5)
    if torch.rand((), generator=g) < 0.8:
        noise = (noise + noise[swap]) / 2
    return MusclesField(field.units + noise, field.relax, field.controls, None, field.meta)


def make(faces: data.Faces, count: int, teacher: Teacher, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures ``[M,3,160,160]`` uint8 of ``count`` faces as they are and with expressions of others, and what the teacher reads
    in them ``[M,52]``."""
    g, detector = torch.Generator().manual_seed(seed), load_detector()
    pictures, units = [], []

    def keep(image: Tensor, crop: Crop) -> None:
        read = teacher(image)
        if read is not None:
            pictures.append((crop.widen(WIDE).aligned(image, SIDE)[0] * 255).round().byte())
            units.append(read)

    weight = torch.where(faces.color, 6.0, 1.0)  # most are grey
    for i in torch.multinomial(weight, count, True, generator=g).tolist():
        image = F.interpolate(faces.images[i : i + 1].float() / 255, (320, 320), mode="bicubic").clamp(0, 1)
        image = F.pad(image, [64] * 4, mode="replicate")
        try:
            crop = align(image, detector)[0]
        except FaceNotFound:
            continue
        keep(image, crop)
        for _ in range(EACH - 1):
            other = faces.landmarks[int(torch.randint(len(faces), (1,), generator=g))]
            far = 0.6 + 0.7 * torch.rand((), generator=g).item()
            theirs = copied(far * read_shown(other[None]).clamp(max=MOST))
            field = neutral() if torch.rand((), generator=g) < 0.2 else theirs
            keep(warp(image, crop, shaken(field, g))[0], crop)
        print(f"{len(pictures)} pictures", end="\r", flush=True)
    return torch.stack(pictures), torch.stack(units)


def jittered(pictures: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Views ``[B,3,128,128]`` 0..1 of stored pictures ``[B,3,160,160]`` 0..1: half of them mirrored, a little off, in other light,
    some grey, small, or noisy. And which are mirrored."""
    n = len(pictures)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g)

    flip = torch.rand(n, generator=g) < 0.5
    angle, side, shift = 0.03 * normal(n), WIDEN / WIDE * (1 + 0.025 * normal(n)), 0.012 * normal(n, 2)
    c, s, sign = angle.cos() * side, angle.sin() * side, 1 - 2.0 * flip
    place = torch.stack([torch.stack([c * sign, -s, shift[:, 0]], -1), torch.stack([s * sign, c, shift[:, 1]], -1)], 1)
    grid = F.affine_grid(place, [n, 3, SIZE, SIZE], align_corners=False)
    view = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    grey = torch.rand(n, 1, 1, 1, generator=g) < 0.3
    view = torch.where(grey, view.mean(1, keepdim=True), view)
    mean = view.mean((1, 2, 3), keepdim=True)
    view = (view - mean) * (1 + 0.2 * normal(n, 1, 1, 1)) + mean + 0.06 * normal(n, 1, 1, 1)
    view = (view * (1 + 0.04 * normal(n, 3, 1, 1))).clamp(1e-3, 1) ** (0.2 * normal(n, 1, 1, 1)).exp()
    small = torch.rand(n, generator=g) < 0.3
    if small.any():
        share = 0.45 + 0.45 * torch.rand((), generator=g).item()
        coarse = F.interpolate(view[small], scale_factor=share, mode="bilinear", antialias=True)
        view[small] = F.interpolate(coarse, (SIZE, SIZE), mode="bilinear")
    noise = 0.02 * torch.rand(n, 1, 1, 1, generator=g) * normal(*view.shape)
    return (view + noise).clamp(0, 1), flip


@torch.no_grad()
def seen(pictures: Tensor, units: Tensor, views: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """What the network is given of views of pictures ``[N,3,160,160]`` uint8, the first of each as it is; and their units."""
    g, rows = torch.Generator().manual_seed(seed), []
    for number in range(views):
        for index in torch.arange(len(pictures)).split(64):
            part, truth = pictures[index].float() / 255, units[index]
            if number:
                view, flip = jittered(part, g)
                truth = torch.where(flip[:, None], truth[:, list(OTHER_SIDE)], truth)
            else:
                border = round(SIDE * (1 - WIDEN / WIDE) / 2)
                inner = part[..., border : SIDE - border, border : SIDE - border]
                view = F.interpolate(inner, (SIZE, SIZE), mode="bilinear", antialias=True)
            rows.append((*studied(view.contiguous(memory_format=torch.channels_last)), truth))
    features, laid, truth = (torch.cat(column) for column in zip(*rows, strict=True))
    return features, laid, truth


class _Objective(nn.Module):
    def __init__(self, net: PictureReader, deviation: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("weight", 0.3 / deviation.clamp(min=0.03))

    def forward(self, features: Tensor, laid: Tensor, units: Tensor) -> dict[str, Tensor]:
        # what single features and points tell is not to be relied upon
        features = self.net.usual + F.dropout(features - self.net.usual, DROPPED)
        off = (self.net(features, F.dropout(laid, DROPPED)) - units[:, :READ]) * self.weight
        return {"units": F.smooth_l1_loss(off, torch.zeros_like(off), beta=0.3)}


def stored(faces: data.Faces) -> Tensor:
    """Training faces as stored pictures ``[N,3,160,160]`` uint8."""
    parts = []
    for i in range(len(faces)):
        crop = Crop.from_points(five_points(faces.landmarks[i : i + 1]), (data.STORED, data.STORED))
        square = crop.widen(WIDE).aligned(faces.images[i : i + 1].float() / 255, SIDE)[0]
        parts.append((square * 255).round().byte())
    return torch.stack(parts)


def table(kinds: dict[str, tuple[Tensor, Tensor]]) -> list[str]:
    """How what is read ``[N,51]`` agrees with the truth ``[N,52]``, for brows, eyes and mouth of each kind of pictures."""
    rows = ["| pictures | number | brows | eyes | mouth |", "|---|---|---|---|---|"]
    for kind, (read, truth) in kinds.items():
        r, varies = correlation(read, truth[:, :READ]), truth[:, :READ].std(0) >= 0.03
        cells = [
            torch.stack([r[i] for i in range(READ) if varies[i] and UNITS[i].startswith(part)]).mean()
            for part in (("brow",), ("eye",), ("mouth", "jaw"))
        ]
        rows.append(f"| {kind} | {len(read)} | {' | '.join(f'{c:.3f}' for c in cells)} |")
    return rows


def main(argv: list[str] | None = None) -> None:
    ap = loop.arguments("shown", __doc__.split("\n")[0], BUILTIN, 2500, 512, 2e-3)
    ap.add_argument("--copies", type=Path, required=True, help="the .pt file of pictures with copied expressions")
    ap.add_argument("--make", type=int, metavar="FACES", help="make that file of so many faces, and stop")
    ap.add_argument("--teacher", type=Path, metavar="MODEL", help="MediaPipe's face_landmarker.task, for --make")
    o = ap.parse_args(argv)
    torch.manual_seed(o.seed)
    train, test = data.load(o.data)
    if o.make:
        if o.teacher is None:
            raise SystemExit("--make asks MediaPipe: name its face_landmarker.task with --teacher.")
        teacher = mediapipe_teacher(o.teacher)
        made = {}
        for part, faces, count in (("train", train, o.make), ("test", test, max(1, o.make // 10))):
            made[part] = dict(
                zip(("pictures", "units"), make(faces, count, teacher, o.seed + (part == "test")), strict=True)
            )
        with replacing(o.copies) as partial:
            torch.save(made, partial)
        return
    copies = torch.load(o.copies, weights_only=True)
    truth = blendshapes(o.data)
    out = data.held_out("expressions", len(truth))

    def faces_of(faces: data.Faces, units: Tensor) -> tuple[Tensor, Tensor]:
        index = torch.tensor([k == "expressions" for k in faces.kind]).nonzero()[:, 0]
        known = ~units.isnan().any(1)
        return stored(faces.select(index[known])), units[known]

    if not o.validate:
        sets = [
            seen(*faces_of(train, truth[~out]), VIEWS, o.seed),
            seen(copies["train"]["pictures"], copies["train"]["units"], VIEWS, o.seed),
        ]
        net = PictureReader()
        features = torch.cat([s[0] for s in sets])
        net.usual.copy_(features.mean(0))
        net.spread.copy_(features.std(0).clamp(min=1e-3))
        deviation = sets[0][2][:, :READ].std(0)
        # what is seldom shown is seen more often
        shown = [(s[2][:, :READ] / deviation.clamp(min=0.03)).clamp(max=6).square().mean(1).sqrt() for s in sets]

        def batch(seed: int) -> tuple[Tensor, ...]:
            g = torch.Generator().manual_seed(seed)
            chosen = [torch.multinomial(weight, o.batch // 2, True, generator=g) for weight in shown]
            return tuple(torch.cat([s[k][i] for s, i in zip(sets, chosen, strict=True)]).to(o.device) for k in range(3))

        seconds = loop.fit(_Objective(net, deviation).to(o.device), batch, o)
        if loop.rank():
            return
        loop.save(net, o.out, {"steps": str(o.steps), "seed": str(o.seed)})
        print(f"trained in {seconds:.0f} s")
    net, kinds = load_picture_reader(o.out), {}
    for kind, (pictures, units) in {
        "as they are": faces_of(test, truth[out]),
        "copies": (copies["test"]["pictures"], copies["test"]["units"]),
    }.items():
        features, laid, units = seen(pictures, units, 1, o.seed)
        with torch.no_grad():
            kinds[kind] = net(features, laid), units
            kinds[f"{kind}, landmarks alone"] = load_reader().layers(laid.flatten(1)).sigmoid(), units
    print("\n".join(table(kinds)))


if __name__ == "__main__":
    main()
