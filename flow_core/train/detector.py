"""Train the built-in face detector: kornia's YuNet from random weights, taught by kornia's own weights.

The pictures are composed: faces of known place on backgrounds without faces. The teacher says how sure to be at
every anchor and how to box a face; the truth says where no face is, which faces the teacher missed, and the points.
"""

from __future__ import annotations

import argparse
import io
import itertools
import math
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps
from torch import Tensor, nn

from ..faces.detect import BUILTIN, Detector, anchors, decode, load_detector
from ..faces.landmarks import MIRROR, five_points
from ..faces.yunet import YuNet
from ..io.picture import RASTER
from . import data, loop

SIDE = 256  # of a composed picture, pixels
SIZES = (14, 240)  # of the faces in it
MOST = 6  # faces in it
BATCH = 8
KINDS = ("portraits", "expressions")
# scikit-image's pictures without people
PHOTOS = (
    "cell", "chelsea", "clock", "coins", "colorwheel", "grass", "horse", "immunohistochemistry", "logo", "moon", "page",
    "retina", "stereo_motorcycle", "text",
)  # fmt: skip
PHOTOS_HELD_OUT = ("brick", "coffee", "gravel", "hubble_deep_field", "rocket")
ABOUT = {
    "format": "faceflow-detector-1",
    "architecture": "kornia YuNet (BGR 0..255)",
    "data": "muxspace/facial_expressions (Apache-2.0), SelfishGene/SFHQ-dataset (MIT), scikit-image's pictures",
    "teacher": "kornia's yunet_final (MIT)",
}
Random = np.random.Generator


def _five_points(mesh: np.ndarray) -> np.ndarray:
    return five_points(torch.from_numpy(mesh)).numpy()


class Faces:
    """The pictures and meshes of the data folder: all but the held-out ones, or only those; kept as files."""

    def __init__(self, folder: Path, held_out: bool) -> None:
        self.items: dict[str, list[tuple[bytes, np.ndarray]]] = {}
        for kind in KINDS:
            meshes = data.meshes(folder, kind).numpy()
            chosen = np.flatnonzero(data.held_out(kind, len(meshes)).numpy() == held_out)
            with zipfile.ZipFile(folder / f"{kind}.zip") as archive:
                names = sorted(archive.namelist())
                files = [archive.read(names[index]) for index in chosen]
            self.items[kind] = list(zip(files, meshes[chosen], strict=True))

    def get(self, kind: str, index: int) -> tuple[Image.Image, np.ndarray]:
        """Return an RGB picture and its landmarks [161,2] in pixels."""
        data, mesh = self.items[kind][index]
        image = Image.open(io.BytesIO(data), formats=RASTER)
        width = image.width
        image.draft("RGB", (400, 400))  # a large one is decoded at a fraction of its size
        return image.convert("RGB"), mesh * (image.width / width)

    def pick(self, rng: Random) -> tuple[Image.Image, np.ndarray, bool]:
        """Return a random picture, its mesh, and whether its surroundings are real (not mirrored half faces)."""
        kind = "portraits" if rng.random() < 0.55 else "expressions"
        return *self.get(kind, rng.integers(len(self.items[kind]))), kind == "portraits"


class Scenes(torch.utils.data.Dataset):
    """Composed pictures; what the n-th one shows follows from the seed and n alone.

    An item: the picture and two spoilt copies, uint8 [3,3,S,S]; its faces [MOST,14] (box, points; pixels or NaN).
    """

    def __init__(self, faces: Faces, photos: tuple[str, ...], seed: int, start: int, stop: int) -> None:
        from skimage import data as samples

        self.faces, self.seed, self.start, self.stop = faces, seed, start, stop
        arrays = [getattr(samples, name)() for name in photos]
        arrays = [array[0] if isinstance(array, tuple) else array for array in arrays]  # one of a stereo pair
        arrays = [array if array.dtype == np.uint8 else array.astype(np.uint8) * 255 for array in arrays]
        self.photos = [Image.fromarray(array).convert("RGB") for array in arrays]

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, self.start + index])
        scene = self._background(rng)
        for _ in range(rng.integers(0, 4)):
            self._distract(rng, scene)
        truth = np.full((MOST, 14), np.nan, np.float32)
        faces = self._add_faces(rng, scene)
        truth[: len(faces)] = faces
        smallest = min(faces[:, 2] - faces[:, 0], default=SIDE)
        pictures = np.stack([scene, *(_spoil(rng, scene, smallest) for _ in range(2))])
        return torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(truth)

    def _background(self, rng: Random) -> Image.Image:
        """A piece of a photograph, noise of several octaves, or both mixed."""
        kind = rng.random()
        noise = Image.new("RGB", (SIDE, SIDE), tuple(rng.integers(0, 256, 3).tolist()))
        for octave in rng.permutation((2, 4, 8, 16, 32, 64, 128))[: rng.integers(1, 5)] if kind < 0.5 else ():
            grain = Image.fromarray(rng.integers(0, 256, (octave, octave, 3), dtype=np.uint8))
            grain = grain.resize((SIDE, SIDE), int(rng.choice((Image.NEAREST, Image.BICUBIC))))
            noise = Image.blend(noise, grain, rng.uniform(0.2, 0.7))
        if kind < 0.3:
            return noise
        photo = self.photos[rng.integers(len(self.photos))]
        side = int(min(photo.size) * rng.uniform(0.15, 1))
        x, y = (int(rng.integers(0, length - side + 1)) for length in photo.size)
        photo = photo.resize((SIDE, SIDE), Image.BILINEAR, (x, y, x + side, y + side))
        photo = photo.transpose(Image.Transpose(rng.integers(0, 7)))
        photo = Image.merge("RGB", [photo.getchannel(int(c)) for c in rng.permutation(3)])
        return Image.blend(photo, noise, rng.uniform(0.1, 0.6)) if kind < 0.5 else photo

    def _distract(self, rng: Random, scene: Image.Image) -> None:
        """Draw in place what is no face: shuffled, part of a face, upside down, or a head whose face is covered."""
        image, mesh, real = self.faces.pick(rng)
        kind = rng.integers(4)
        low, size = mesh.min(0).clip(0), np.ptp(mesh, 0)
        if kind == 0:
            tiles = int(rng.integers(2, 5))
            face = image.resize((tiles * 24,) * 2, box=(*low, *np.minimum(low + size, image.size)))
            face = np.asarray(face).reshape(tiles, 24, tiles, 24, 3).swapaxes(1, 2).reshape(-1, 24, 24, 3)
            face = rng.permutation(face).reshape(tiles, tiles, 24, 24, 3).swapaxes(1, 2)
            image = Image.fromarray(face.reshape(tiles * 24, tiles * 24, 3))
        elif kind == 1:
            low = low + size * rng.uniform(0, (0.5, 0.67))
            image = image.crop((*low.astype(int).tolist(), *(low + size / (2, 3)).astype(int).tolist()))
        if kind < 2:
            mesh = np.array(((0, 0), image.size), np.float32)
        elif kind == 3:
            cover = self._background(rng).resize(image.size)
            image.paste(cover, (0, 0), _oval(image, mesh, rng.uniform(0.9, 1.2)))
        oval = kind == 2 or (kind == 3 and not real)
        image, _, at = _place(rng, image, mesh, oval, turn=180 if kind == 2 else 0)
        scene.paste(image, at, image)

    def _add_faces(self, rng: Random, scene: Image.Image) -> np.ndarray:
        """Draw faces in place and return them [m,14]."""
        faces: list[np.ndarray] = []
        for _ in range(rng.choice((0, 1, 2, 4, 8), p=(0.1, 0.3, 0.2, 0.2, 0.2))):
            image, mesh, real = self.faces.pick(rng)
            image, mesh, at = _place(rng, image, mesh, oval=rng.random() > (0.7 if real else 0.05))
            olds = [np.round(old[:4] - (*at, *at)).astype(int).tolist() for old in faces]
            if len(faces) < MOST and not any(image.getchannel("A").crop(old).getbbox() for old in olds):
                scene.paste(image, at, image)
                faces.append(np.concatenate([mesh.min(0), mesh.max(0), _five_points(mesh).ravel()]))
        return np.array(faces, np.float32).reshape(-1, 14)


def _oval(image: Image.Image, mesh: np.ndarray, reach: float) -> Image.Image:
    mask = Image.new("L", image.size)
    middle, half = (mesh.min(0) + mesh.max(0)) / 2, np.ptp(mesh, 0) / 2 * reach
    ImageDraw.Draw(mask).ellipse((*(middle - half), *(middle + half)), 255)
    return mask


def _place(
    rng: Random, image: Image.Image, mesh: np.ndarray, oval: bool, turn: float = 0
) -> tuple[Image.Image, np.ndarray, tuple[int, int]]:
    """Bring a picture to a random place, size and angle (around `turn`, degrees) in a scene, with soft edges.

    Returns the visible piece as RGBA, its mesh in the scene, and the place of the piece's upper left corner.
    """
    size = SIZES[0] * (SIZES[1] / SIZES[0]) ** rng.random()
    scale = size / math.sqrt(np.ptp(mesh, 0).prod())
    shape = [max(1, round(length * scale)) for length in image.size]
    mesh = mesh * np.divide(shape, image.size)
    image = image.resize(shape, Image.BILINEAR)
    mask = _oval(image, mesh, rng.uniform(1, 1.3)) if oval else Image.new("L", shape, 255)
    edge = int(rng.uniform(0, 0.08) * size)
    mask = ImageOps.expand(mask.crop((edge, edge, *(max(edge, length - edge) for length in shape))), edge)
    image.putalpha(mask.filter(ImageFilter.BoxBlur(edge)).resize(shape))
    if len(mesh) == len(MIRROR) and rng.random() < 0.5:
        image, mesh = ImageOps.mirror(image), mesh[list(MIRROR)] * (-1, 1) + (shape[0], 0)
    angle = math.radians(turn + np.clip(rng.normal(0, 22), -48, 48))
    matrix = np.array(((math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))))
    middle, at = (mesh.min(0) + mesh.max(0)) / 2, rng.uniform(0.4 * size, SIDE - 0.4 * size, 2)
    ends = (np.array(((0, 0), (shape[0], 0), (0, shape[1]), shape)) - middle) @ matrix + at
    low = ends.min(0).clip(0, SIDE - 1).astype(int)
    seen = (np.ceil(ends.max(0)).clip(1, SIDE).astype(int) - low).clip(1)
    back = np.column_stack([matrix, middle + matrix @ (low - at)]).ravel().tolist()
    image = image.transform(tuple(seen.tolist()), Image.AFFINE, back, Image.BILINEAR)
    return image, ((mesh - middle) @ matrix + at).astype(np.float32), tuple(low.tolist())


def _spoil(rng: Random, scene: Image.Image, smallest: float) -> Image.Image:
    """Change light and colours, lower the resolution (so that the smallest face keeps 12 px), blur, add noise."""
    if rng.random() < 0.6:
        light = Image.fromarray(rng.integers(60, 256, (2, 2), dtype=np.uint8)).resize(scene.size, Image.BICUBIC)
        scene = ImageChops.multiply(scene, light.convert("RGB"))
    level = np.arange(256) / 255
    gains, gamma = rng.uniform(0.6, 1.25) * rng.uniform(0.88, 1.12, 3), math.exp(rng.normal(0, 0.3))
    lift = rng.uniform(-0.08, 0.15)
    curves = np.concatenate([np.clip(255 * (lift + gain * level**gamma), 0, 255) for gain in gains])
    scene = scene.point(curves.astype(int).tolist())
    if rng.random() < 0.25:
        scene = scene.convert("L").convert("RGB")
    if rng.random() < 0.3:
        small = int(SIDE / rng.uniform(1, max(1.01, min(5.0, smallest / 12))))
        scene = scene.resize((small, small), Image.BILINEAR).resize((SIDE, SIDE), Image.BILINEAR)
    if rng.random() < 0.3:
        scene = scene.filter(ImageFilter.GaussianBlur(rng.uniform(0, min(2.0, smallest / 16))))
    if rng.random() < 0.5:
        noise = rng.standard_normal((SIDE, SIDE, 3), np.float32) * rng.uniform(1, 14)
        scene = Image.fromarray((np.asarray(scene) + noise).clip(0, 255).astype(np.uint8))
    if rng.random() < 0.3:
        buffer = io.BytesIO()
        scene.save(buffer, "JPEG", quality=int(rng.integers(35, 95)))
        scene = Image.open(buffer, formats=["JPEG"]).convert("RGB")
    return scene


def pair_iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the overlap over the union [...,N,M] of boxes [...,N,4] and [...,M,4]; 0 where a box is NaN."""
    a, b = a[..., :, None, :], b[..., None, :, :]
    shared = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    shared = shared.clamp(min=0).prod(-1)
    areas = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
    return (shared / (areas - shared)).nan_to_num(0)


def targets(out: dict[str, Tensor], truth: Tensor, grid: Tensor) -> dict[str, Tensor]:
    """Correct the teacher's raw answers at the anchors [N,3] by the truth [B,MOST,14].

    Its confidence counts where its box meets a true face; faces it misses go to the anchors that overlap them.
    Returns sure, logit, iou [B,N] and loc [B,N,14].
    """
    iou, best = pair_iou(decode(out["loc"], grid)[..., :2, :].flatten(-2), truth[..., :4]).max(2)
    raw = out["conf"][..., 1] - out["conf"][..., 0]
    logit = torch.where(iou > 0.4, raw, raw.clamp(max=-5)).clamp(-9, 9)
    found = torch.zeros(truth.shape[:2]).scatter_reduce(1, best, logit.sigmoid(), "amax") > 0.5
    squares = torch.cat([grid[:, :2] - grid[:, 2:] / 2, grid[:, :2] + grid[:, 2:] / 2], 1)
    missed, which = (pair_iou(squares[None], truth[..., :4]) * ~found[:, None]).max(2)
    missed = missed > 0.35
    best = torch.where(missed, which, best)
    face = truth.gather(1, best[..., None].expand(-1, -1, 14)).nan_to_num(0)
    centre, size = grid[:, :2], grid[:, 2:]
    box = torch.cat(
        [
            ((face[..., :2] + face[..., 2:4]) / 2 - centre) / size / 0.1,
            ((face[..., 2:4] - face[..., :2]) / size).clamp(min=1e-3).log() / 0.2,
        ],
        -1,
    )
    box = torch.where(missed[..., None], box, out["loc"][..., :4])
    points = (face[..., 4:].unflatten(-1, (5, 2)) - centre[:, None]) / size[:, None] / 0.1
    logit = torch.where(missed, 4.0, logit)
    iou = torch.where(missed, 0.85, out["iou"][..., 0].clamp(0, 1)) * (logit > -3)
    return {"sure": logit.sigmoid(), "logit": logit, "iou": iou, "loc": torch.cat([box, points.flatten(-2)], -1)}


def loss_of(out: dict[str, Tensor], aim: dict[str, Tensor], points: float) -> Tensor:
    """How far raw answers are from `aim`; at sure anchors everything counts, at all of them that there is no face.

    Logits are compared, too: they tell how little a background resembles a face, which probabilities do not.
    """
    logit, sure = out["conf"][..., 1] - out["conf"][..., 0], aim["sure"]
    entropy = F.binary_cross_entropy_with_logits(logit, sure, reduction="none")
    apart = F.smooth_l1_loss(logit, aim["logit"], reduction="none")
    overlap = (out["iou"][..., 0] - aim["iou"]).square()
    place = F.smooth_l1_loss(out["loc"], aim["loc"], reduction="none", beta=0.2)
    place = place[..., :4].mean(-1) + points * place[..., 4:].mean(-1)
    face = sure * (sure > 0.05)
    faces = (0.5 * entropy + face * (0.25 * apart + overlap + place)).sum() / face.sum().clamp(min=1)
    return faces + 4 * apart.mean() + 20 * overlap.mean()


def train(args: argparse.Namespace, faces: Faces, teacher: nn.Module) -> nn.Module:
    """Train a network of random weights and return it; a checkpoint is kept beside `args.out`."""
    torch.manual_seed(args.seed)
    net = YuNet().train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), args.rate, weight_decay=1e-4)
    checkpoint, step, began = args.out.with_suffix(".pt"), 0, time.time()
    if args.resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    scenes = Scenes(faces, PHOTOS, args.seed, step // 2 * BATCH, args.steps // 2 * BATCH)
    loader = torch.utils.data.DataLoader(scenes, BATCH, num_workers=args.workers)
    grid, losses = torch.cat(anchors(SIDE, SIDE)), []
    for pictures, truth in loader:
        with torch.no_grad():
            aim = targets(teacher(pictures[:, 0] / 255), truth, grid)
        for spoilt in pictures[:, 1:].unbind(1):
            for group in optimizer.param_groups:
                warm, fade = (step + 1) / 200, 0.5 + 0.5 * math.cos(math.pi * step / args.steps)
                group["lr"] = args.rate * min(warm, fade)
            loss = loss_of(net(spoilt / 255), aim, args.points)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5)
            optimizer.step()
            losses.append(float(loss.detach()))
            step += 1
        if step % 100 == 0:
            print(
                f"step {step}/{args.steps}  loss {np.mean(losses[-100:]):.3f}  {time.time() - began:.0f} s", flush=True
            )
        if step % 200 == 0:
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            torch.save(state, checkpoint)
    return net.eval()


def _error(points: Tensor, truth: Tensor) -> float:
    """Return the mean distance of five points [5,2] from the true ones, in eye distances."""
    return float((points - truth).norm(dim=1).mean() / (truth[0] - truth[1]).norm())


def validate(detectors: list[Detector], faces: Faces, count: int = 100) -> list[str]:
    """Compare detectors (the last one is the teacher) on held-out faces and photographs; returns lines of text."""
    from skimage import data as samples

    lines = _on_scenes(detectors, Scenes(faces, PHOTOS_HELD_OUT, 10_000, 0, count))
    lines += _alone(detectors, faces, count // 2)
    for kind, detector in itertools.product(KINDS, detectors):
        counts, errors = [], []
        for image, mesh in (faces.get(kind, index) for index in range(min(count, len(faces.items[kind])))):
            found = detector(_tensor(image))
            counts.append(len(found))
            errors += [_error(face.points, torch.from_numpy(_five_points(mesh))) for face in found[:1]]
        lines.append(
            f"{kind}, {detector.name}: exactly one {counts.count(1)}, none {counts.count(0)} of {count}; "
            f"points off by {np.mean(errors):.4f}, at most {np.max(errors):.4f} eye distances"
        )
    for name, detector in itertools.product((*PHOTOS_HELD_OUT, "astronaut"), detectors):
        found = detector(_tensor(Image.fromarray(getattr(samples, name)()).convert("RGB")))
        lines.append(f"{name}, {detector.name}: {len(found)} faces {[round(face.score, 2) for face in found]}")
    return lines


def _on_scenes(detectors: list[Detector], scenes: Scenes) -> list[str]:
    told: list[list[tuple[Tensor, Tensor | None]]] = [[] for _ in detectors]  # each true face, the points found
    wrong = [0 for _ in detectors]
    for pictures, truth in (scenes[index] for index in range(len(scenes))):
        rows = truth[~truth[:, 0].isnan()]
        for index, detector in enumerate(detectors):
            found = detector(pictures[1] / 255)
            iou = pair_iou(rows[:, :4], torch.stack([face.box for face in found])) if found else rows[:, :0]
            met = [int(row.argmax()) if len(row) and row.max() > 0.4 else None for row in iou]
            told[index] += [(row, None if at is None else found[at].points) for row, at in zip(rows, met, strict=True)]
            wrong[index] += len(found) - len(set(met) - {None})
    lines = []
    for detector, log, extra in zip(detectors, told, wrong, strict=True):
        recall = []
        for low, high in itertools.pairwise((SIZES[0], 24, 48, 96, SIZES[1])):
            part = [at is not None for row, at in log if low <= (row[2:4] - row[:2]).prod().sqrt() < high]
            recall.append(f"{low}-{high} px {np.mean(part):.3f} ({len(part)})")
        hits = [(at, row[4:].view(5, 2)) for row, at in log if at is not None]
        both = [
            (at, other)
            for (_, at), (_, other) in zip(log, told[-1], strict=True)
            if at is not None and other is not None
        ]
        lines.append(
            f"scenes, {detector.name}: recall {', '.join(recall)}; precision "
            f"{len(hits) / max(1, len(hits) + extra):.3f}; points off by "
            f"{np.mean([_error(*pair) for pair in hits]):.4f} from the truth, "
            f"{np.mean([_error(*pair) for pair in both]):.4f} eye distances from the teacher"
        )
    return lines


def _alone(detectors: list[Detector], faces: Faces, count: int) -> list[str]:
    """Portraits on a plain ground, large and turned."""
    lines = []
    for side, turn in itertools.product((300, 600, 1200), (0, 22, 45)):
        shown = [_turned(*faces.get("portraits", index), side, turn) for index in range(count)]
        for detector in detectors:
            off = []
            for image, truth in shown:
                found = detector(_tensor(image))
                off.append(min((_error(face.points, truth) for face in found), default=math.inf))
            met = [error for error in off if error < 0.35]
            lines.append(
                f"portraits of {side} px turned by {turn} degrees, {detector.name}: recall {len(met) / count:.3f} ({count}), "
                f"points off by {np.mean(met):.4f} eye distances"
            )
    return lines


def _turned(image: Image.Image, mesh: np.ndarray, side: int, turn: float) -> tuple[Image.Image, Tensor]:
    """A picture whose face is `side` pixels large and turned, and the face's five points in it."""
    middle, scale = (mesh.min(0) + mesh.max(0))[:2] / 2, side / np.sqrt(np.prod(np.ptp(mesh[:, :2], axis=0)))
    angle, size = math.radians(turn), round(1.6 * side)
    matrix = np.array(((math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle)))) * scale
    back = np.linalg.inv(matrix)
    shift = middle - back @ (size / 2, size / 2)
    ground = tuple(int(v) for v in np.asarray(image).mean((0, 1)))
    moved = image.transform(
        (size, size), Image.Transform.AFFINE, (*back[0], shift[0], *back[1], shift[1]), Image.Resampling.BICUBIC,
        fillcolor=ground,
    )  # fmt: skip
    return moved, torch.from_numpy((_five_points(mesh) - middle) @ matrix.T + size / 2)


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255


def main(argv: list[str] | None = None) -> None:
    """Train, save and validate; see --help."""
    parser = argparse.ArgumentParser("flow_core.train detector", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with expressions.zip and portraits.zip")
    parser.add_argument("--teacher", type=Path, help="kornia's yunet_final.pth (default: DATA/../models)")
    parser.add_argument("--out", type=Path, default=BUILTIN)
    parser.add_argument("--steps", type=int, default=6000, help=f"of {BATCH} pictures")
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--points", type=float, default=2.0, help="weight of the points in the loss")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that compose pictures")
    parser.add_argument("--count", type=int, default=100, help="scenes, and faces of each kind, in the table")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint beside --out")
    parser.add_argument("--validate", action="store_true", help="only print the table for the weights at --out")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    path = args.teacher or args.data.parent / "models" / "yunet_final.pth"
    teacher = load_detector(str(path))
    teacher.name = "teacher"
    if not args.validate:
        began = time.time()
        net = train(args, Faces(args.data, held_out=False), teacher.net)
        about = ABOUT | {
            "command": f"python -m flow_core.train detector --data DIR --steps {args.steps} "
            f"--rate {args.rate} --seed {args.seed}",
            "minutes": f"{(time.time() - began) / 60:.0f}",
        }
        loop.save(net, args.out, about)
    student = load_detector(str(args.out))
    student.name = "student"
    print("\n".join(validate([student, teacher], Faces(args.data, held_out=True), args.count)))
