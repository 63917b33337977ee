"""Train the reader of pictures: ``python -m flow_core.train shown --data DIR --copies FOLDER``.

It learns what MediaPipe's face landmarker says of the training faces, and of the same faces with other people's expressions, so
that it sees in a warped picture what MediaPipe sees there. Those pictures are made first, where the package mediapipe can be
imported: ``python -m flow_core.train shown --data DIR --copies FOLDER --make 7000 --teacher face_landmarker.task``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, multiprocessing, nn

from ..atomic import replacing
from ..faces.align import studied
from ..faces.landmarks import SIZE, WIDEN, load_landmarks
from ..faces.read import OTHER_SIDE, READ, UNITS, read_units
from ..faces.rig import load_rig
from ..faces.shown import BUILTIN, KNOWN, SEEN, PictureReader, load_picture_reader
from ..fields.expressions import copied, neutral
from ..fields.muscles import MusclesField
from ..fields.units import MOST, fit_shown, other_side, read_shown, units_after
from ..geometry.crop import Crop
from ..warping.warp import warp
from . import data, loop
from .reader import correlation

MESH = 478  # points of MediaPipe's Face Mesh
Teacher = Callable[[Tensor], "tuple[Tensor, Tensor] | None"]
# Pixels a side of a stored picture, and that side in those of the crop: jittered views stay inside
SIDE, WIDE = 208, 1.25
FIELDS, EACH = 3, 3  # expressions that a face is given, and pictures with more or less of each
UNMOVED = 0.3  # share of pictures as they are in a step of the training
DROPPED = 0.2  # share of what the network knows of a face that a step does without
SHAKE = 0.22  # of a unit, by which an expression strays from the one that was copied


def mediapipe_teacher(model: Path) -> Teacher:
    """What MediaPipe reads in a picture ``[1,3,H,W]``: blendshapes ``[52]`` in the order of ``UNITS`` and its mesh ``[478,2]`` in
    pixels; None where it finds no face."""
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as e:
        raise SystemExit(
            f"MediaPipe is asked, which cannot be imported ({e}); install the package mediapipe, or leave it out."
        ) from e
    options = vision.FaceLandmarkerOptions(BaseOptions(str(model)), output_face_blendshapes=True)
    landmarker = vision.FaceLandmarker.create_from_options(options)

    def teacher(image: Tensor) -> tuple[Tensor, Tensor] | None:
        array = (image[0].permute(1, 2, 0) * 255).round().byte().contiguous().numpy()
        found = landmarker.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, array))
        if not found.face_blendshapes:
            return None
        units = {c.category_name: c.score for c in found.face_blendshapes[0]}
        mesh = torch.tensor([[p.x * image.shape[3], p.y * image.shape[2]] for p in found.face_landmarks[0]])
        return torch.tensor([units.get(n, 0.0) for n in UNITS]), mesh

    return teacher


def shaken(units: Tensor, g: torch.Generator) -> Tensor:
    """Units ``[U]`` of which half are a little more or less, mostly of both sides at once."""
    names = load_rig().unit_names
    swap = [other_side(n, names) for n in names]
    noise = SHAKE * torch.randn(len(names), generator=g) * (torch.rand(len(names), generator=g) < 0.5)
    if torch.rand((), generator=g) < 0.8:
        noise = (noise + noise[swap]) / 2
    return (units + noise).clamp(max=MOST)


def make(faces: data.Faces, count: int, teacher: Teacher, seed: int, note: str = "") -> dict[str, Tensor]:
    """Pictures of ``count`` faces as they are and with expressions of others, and what the teacher reads in them.

    Returns:
        ``pictures [M,3,208,208]`` uint8; ``units [M,52]``; ``mesh [M,478,2]`` in fractions of the pictures; ``moved [M]``, bool.
    """
    g = torch.Generator().manual_seed(seed)
    kept: dict[str, list[Tensor]] = {"pictures": [], "units": [], "mesh": [], "moved": []}

    def keep(image: Tensor, crop: Crop, moved: bool) -> None:
        read = teacher(image)
        if read is not None:
            wide = crop.widen(WIDE)
            kept["pictures"].append((wide.aligned(image, SIDE)[0] * 255).round().byte())
            kept["units"].append(read[0].half())
            kept["mesh"].append(wide.to_crop(read[1][None, None])[0, 0].half())
            kept["moved"].append(torch.tensor(moved))

    weight = torch.where(faces.color, 6.0, 1.0)  # most are grey
    for number, i in enumerate(torch.multinomial(weight, count, count > len(faces), generator=g).tolist()):
        side = int(torch.randint(240, 361, (), generator=g))
        image, crop = data.enlarged(faces, i, side)
        crop = studied(image, crop)
        keep(image, crop, False)
        face = fit_shown(crop.places)
        shown = face.units[0]
        for _ in range(FIELDS):
            other = faces.landmarks[int(torch.randint(len(faces), (1,), generator=g))]
            far = 0.6 + 0.7 * torch.rand((), generator=g).item()
            theirs = copied(far * read_shown(other[None]).clamp(max=MOST))
            field = neutral() if torch.rand((), generator=g) < 0.2 else theirs
            units = units_after(face, crop.places[0], field.relax[0], field.units[0])
            for step in range(EACH):
                change = (shaken(units, g) if step else units) - shown
                change = MusclesField(change[None], 0 * field.relax, field.controls, None, {})
                keep(warp(image, crop, change)[0], crop, True)
        if number % 50 == 0:
            print(f"{note}{number} of {count} faces, {len(kept['units'])} pictures", flush=True)
    return {name: torch.stack(column) for name, column in kept.items()}


def _make_part(part: int, o: object, faces: data.Faces, held_out: data.Faces) -> None:
    """One process's share of the pictures, in a file of its own."""
    torch.set_num_threads(1)
    teacher = mediapipe_teacher(o.teacher)
    for name, of, count in (("train", faces, o.make), ("test", held_out, o.make // 12)):
        made = make(
            of, max(1, count // o.workers), teacher, 2 * (o.seed * 1000 + part) + (name == "test"), f"{part} {name}: "
        )
        with replacing(o.copies / f"{name}_{part:02d}.pt") as partial:
            torch.save(made, partial)


def load_made(folder: Path, name: str) -> dict[str, Tensor]:
    """What :func:`make` made, of all files ``name_*.pt`` of a folder.

    Raises:
        SystemExit: there are none.
    """
    parts = [torch.load(p, weights_only=True) for p in sorted(folder.glob(f"{name}_*.pt"))]
    if not parts:
        raise SystemExit(f"{folder} holds no {name}_*.pt: make them with --make and --teacher.")
    return {key: torch.cat([p[key] for p in parts]) for key in parts[0]}


def jittered(pictures: Tensor, mesh: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Views ``[B,3,192,192]`` 0..1 of stored pictures ``[B,3,208,208]`` 0..1: half of them mirrored, a little off, in other light,
    some grey, small, or noisy. And the mesh ``[B,478,2]`` in them (of mirrored ones, too), and which are mirrored."""
    n, device = len(pictures), pictures.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g, device=device)

    def chance(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=g, device=device)

    flip = chance(n) < 0.5
    angle, side, shift = 0.03 * normal(n), WIDEN / WIDE * (1 + 0.025 * normal(n)), 0.012 * normal(n, 2)
    c, s, sign = angle.cos() * side, angle.sin() * side, 1 - 2.0 * flip
    turn = torch.stack([torch.stack([c * sign, -s], -1), torch.stack([s * sign, c], -1)], 1)
    grid = F.affine_grid(torch.cat([turn, shift[..., None]], 2), [n, 3, SEEN, SEEN], align_corners=False)
    view = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    there = torch.linalg.solve(turn, (2 * mesh - 1 - shift[:, None]).mT).mT / 2 + 0.5
    grey = chance(n, 1, 1, 1) < 0.3
    view = torch.where(grey, view.mean(1, keepdim=True), view)
    mean = view.mean((1, 2, 3), keepdim=True)
    view = (view - mean) * (1 + 0.2 * normal(n, 1, 1, 1)) + mean + 0.06 * normal(n, 1, 1, 1)
    view = (view * (1 + 0.04 * normal(n, 3, 1, 1))).clamp(1e-3, 1) ** (0.2 * normal(n, 1, 1, 1)).exp()
    share = 0.4 + 0.5 * torch.rand((), generator=g, device=device).item()
    few = slice(0, n // 4)  # rows are in random order
    coarse = F.interpolate(view[few], scale_factor=share, mode="bilinear", antialias=True)
    view = torch.cat([F.interpolate(coarse, (SEEN, SEEN), mode="bilinear"), view[n // 4 :]])
    noise = 0.02 * chance(n, 1, 1, 1) * normal(*view.shape)
    return (view + noise).clamp(0, 1), there, flip


def inner(pictures: Tensor) -> Tensor:
    """Stored pictures ``[B,3,208,208]`` uint8 as the network sees them, ``[B,3,192,192]`` 0..1."""
    half = WIDEN / WIDE
    place = torch.tensor([[half, 0, 0], [0, half, 0]], device=pictures.device).expand(len(pictures), 2, 3)
    grid = F.affine_grid(place, [len(pictures), 3, SEEN, SEEN], align_corners=False)
    return F.grid_sample(pictures.float() / 255, grid, align_corners=False)


class _Objective(nn.Module):
    """Units, and the mesh that the teacher found, from which it reads them: that tells where to look."""

    def __init__(self, net: PictureReader, deviation: Tensor, mesh: Tensor) -> None:
        super().__init__()
        self.net = net
        self.place = nn.Linear(KNOWN, 2 * MESH)
        nn.init.zeros_(self.place.weight)
        self.place.bias.data.copy_(30 * (mesh - 0.5).flatten())
        self.register_buffer("weight", 0.3 / deviation.clamp(min=0.03))

    def forward(self, view: Tensor, mesh: Tensor, units: Tensor, flip: Tensor) -> dict[str, Tensor]:
        with torch.autocast(view.device.type, torch.bfloat16, enabled=view.is_cuda):
            known = self.net.study(view.contiguous(memory_format=torch.channels_last))
        known = known.float()
        off = (self.net.layers(F.dropout(known, DROPPED)).sigmoid() - units[:, :READ]) * self.weight
        # Points of mirrored faces have others' places in the mesh: those faces teach units alone.
        away = (self.place(known).unflatten(1, (-1, 2)) - 30 * (mesh - 0.5)) * ~flip[:, None, None]
        return {
            "units": F.smooth_l1_loss(off, torch.zeros_like(off), beta=0.3),
            "mesh": F.smooth_l1_loss(away, torch.zeros_like(away), beta=0.3),
        }


def table(kinds: dict[str, tuple[Tensor, Tensor]]) -> list[str]:
    """How what is read ``[N,51]`` agrees with the truth ``[N,52]``, for brows, eyes and mouth of each kind of pictures."""
    rows = ["| pictures | number | brows | lids | gaze | mouth |", "|---|---|---|---|---|---|"]
    parts = (("brow",), ("eyeBlink", "eyeSquint", "eyeWide"), ("eyeLook",), ("mouth", "jaw"))
    for kind, (read, truth) in kinds.items():
        r, varies = correlation(read, truth[:, :READ]), truth[:, :READ].std(0) >= 0.03
        cells = [torch.stack([r[i] for i in range(READ) if varies[i] and UNITS[i].startswith(p)]).mean() for p in parts]
        rows.append(f"| {kind} | {len(read)} | {' | '.join(f'{c:.3f}' for c in cells)} |")
    return rows


@torch.no_grad()
def validate(path: Path, made: dict[str, Tensor]) -> list[str]:
    """The table for weights, on what :func:`load_made` loaded."""
    net, marks, read, points = load_picture_reader(path), load_landmarks(), [], []
    for part in made["pictures"].split(64):
        view = inner(part).contiguous(memory_format=torch.channels_last)
        read.append(net(view))
        points.append(read_units(marks(F.interpolate(view, (SIZE, SIZE), mode="bilinear", antialias=True))))
    read, points, truth = torch.cat(read), torch.cat(points)[:, :READ], made["units"].float()
    kinds = {"as they are": ~made["moved"], "copies": made["moved"]}
    return table(
        {f"{k}{w}": (r[m], truth[m]) for k, m in kinds.items() for w, r in (("", read), (", landmarks alone", points))}
    )


def main(argv: list[str] | None = None) -> None:
    ap = loop.arguments("shown", __doc__.split("\n")[0], BUILTIN, 4000, 512, 3e-3)
    ap.add_argument(
        "--copies", type=Path, required=True, help="the folder of the pictures with copied expressions, and where they are made"
    )  # fmt: skip
    ap.add_argument("--make", type=int, metavar="FACES", help="make the pictures of so many faces, and stop")
    ap.add_argument("--workers", type=int, default=2, help="processes that make pictures")
    ap.add_argument("--teacher", type=Path, metavar="MODEL", help="MediaPipe's face_landmarker.task, for --make")
    o = ap.parse_args(argv)
    torch.manual_seed(o.seed)
    if o.make:
        if o.teacher is None:
            raise SystemExit("--make asks MediaPipe: name its face_landmarker.task with --teacher.")
        o.copies.mkdir(parents=True, exist_ok=True)
        multiprocessing.spawn(_make_part, (o, *data.load(o.data)), o.workers)
        return
    if not o.validate:
        made = load_made(o.copies, "train")
        pictures, mesh, units = (made[k].to(o.device) for k in ("pictures", "mesh", "units"))
        deviation = made["units"][~made["moved"], :READ].float().std(0)
        # what is seldom shown is seen more often
        shown = (made["units"][:, :READ].float() / deviation.clamp(min=0.03)).clamp(max=6).square().mean(1).sqrt()
        kinds = [shown * made["moved"], shown * ~made["moved"]]
        counts = [o.batch - round(UNMOVED * o.batch), round(UNMOVED * o.batch)]
        net = PictureReader().to(o.device, memory_format=torch.channels_last)

        def batch(seed: int) -> tuple[Tensor, ...]:
            g = torch.Generator().manual_seed(seed)
            index = torch.cat([torch.multinomial(w, n, True, generator=g) for w, n in zip(kinds, counts, strict=True)])
            index = index[torch.randperm(o.batch, generator=g)].to(o.device)
            on_device = torch.Generator(o.device).manual_seed(seed)
            view, there, flip = jittered(pictures[index].float() / 255, mesh[index].float(), on_device)
            truth = units[index].float()
            return view, there, torch.where(flip[:, None], truth[:, list(OTHER_SIDE)], truth), flip

        objective = _Objective(net, deviation, made["mesh"].float().mean(0)).to(o.device)
        seconds = loop.fit(objective, batch, o)
        if loop.rank():
            return
        loop.save(net, o.out, {"steps": str(o.steps), "seed": str(o.seed)})
        print(f"trained in {seconds:.0f} s")
    print("\n".join(validate(o.out, load_made(o.copies, "test"))))


if __name__ == "__main__":
    main()
