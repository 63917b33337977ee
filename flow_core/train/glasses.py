"""Train the network that finds glasses: ``python -m flow_core.train glasses --data DIR``.

Where rims and lenses are nobody labelled: glasses are drawn over faces that wear none, so that every mask is exact. Whether real glasses
are worn was looked at, for the faces that ``glasses.csv`` lists; photographs of wearers train that answer alone. What is no pair of
glasses and looks like it is drawn too: dark rings and folds under eyes, made-up lids and brows, strands of hair, brims of hats.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from torch import Tensor, nn

from ..faces.glasses import BAND, BUILTIN, CELL, KINDS, SIDE, SURE, Glasses
from ..faces.landmarks import AT, BROWS, EYES, five_points, pose
from ..geometry.crop import Crop
from . import data, loop

LABELS = Path(__file__).with_suffix(".csv")
FINE = 3  # pixels of drawings along one of the band
ROOM = 8  # pixels of the face square around the band, for shifted views
LEFT, TOP, WIDTH, HEIGHT = BAND[0] - ROOM, BAND[1] - ROOM, BAND[2] + 2 * ROOM, BAND[3] + 2 * ROOM
CANVAS = WIDTH * FINE, HEIGHT * FINE
SHAPES = ("round", "oval", "square", "aviator", "cat's eye")
RIMS = ("full", "upper", "none")
LENSES = ("clear", "tinted", "dark", "mirror")


class Faces:
    """The bands ``[N,1,HEIGHT,WIDTH]`` uint8 of aligned faces and their landmarks ``[N,161,2]`` in crop points."""

    def __init__(self, faces: data.Faces) -> None:
        pictures, places = [], []
        for part in torch.arange(len(faces)).split(256):
            crop = Crop.from_points(five_points(faces.landmarks[part]), tuple(faces.images.shape[2:]))
            square = crop.aligned(faces.images[part].float() / 255, SIDE).mean(1, keepdim=True)
            pictures.append((square[..., TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH] * 255).round().byte())
            places.append(crop.to_crop(faces.landmarks[part][:, None])[:, 0])
        self.images, self.places = torch.cat(pictures), torch.cat(places)

    @classmethod
    def of(cls, parts: list[Faces]) -> Faces:
        """Those of several kinds of pictures."""
        joined = cls.__new__(cls)
        joined.images = torch.cat([part.images for part in parts])
        joined.places = torch.cat([part.places for part in parts])
        return joined


def _pen(line: np.ndarray, width: float, closed: bool = False) -> Image.Image:
    """A line through points ``[N,2]`` of the canvas, drawn with a round pen."""
    layer = Image.new("L", CANVAS)
    draw = ImageDraw.Draw(layer)
    points = [tuple(p) for p in (np.concatenate([line, line[:2]]) if closed else line)]
    draw.line(points, fill=255, width=max(1, round(width)), joint="curve")
    return layer


def _curve(*points: np.ndarray, count: int = 16) -> np.ndarray:
    """The quadratic curve ``[count,2]`` from the first to the third point, drawn to the second."""
    a, b, c = points
    t = np.linspace(0, 1, count)[:, None]
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c


def _field(rng: np.random.Generator, cells: tuple[int, int]) -> np.ndarray:
    """Smooth noise of the canvas ``[H,W]``, about -1..1."""
    noise = torch.from_numpy(rng.normal(0, 0.6, (1, 1, *cells)).astype(np.float32))
    return F.interpolate(noise, CANVAS[::-1], mode="bilinear", align_corners=False)[0, 0].numpy()


def _share(layer: Image.Image, blur: float = 0.0) -> np.ndarray:
    """A drawing as ``[H,W]`` 0..1."""
    if blur:
        layer = layer.filter(ImageFilter.GaussianBlur(blur))
    return np.asarray(layer, np.float32) / 255


def _fits(places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """How glasses sit: the middle between the eyes and the way to the right and down in canvas pixels ``[2]`` a crop side, and how
    wide either eye is seen, of their mean ``[2]``."""

    def at(*mesh: int) -> np.ndarray:
        return (places[[AT[i] for i in mesh]].mean(0) * SIDE - [LEFT, TOP]) * FINE

    corners = [(at(eye[0]), at(eye[8])) for eye in EYES]
    left, right = (sum(pair) / 2 for pair in corners)
    along = (right - left) / max(float(np.hypot(*(right - left))), 1.0)
    down = np.array([-along[1], along[0]])
    root, middle = at(168), (left + right) / 2
    wide = np.array([np.hypot(*(a - b)) for a, b in corners])
    return middle + along * ((root - middle) @ along), along * SIDE * FINE, down * SIDE * FINE, wide / wide.mean()


def _lens(rng: np.random.Generator, shape: str) -> np.ndarray:
    """An outline ``[64,2]`` within -1..1; x grows towards the temple, y down. It starts at the temple and goes down."""
    power = {"round": 2.0, "oval": 2.3, "square": rng.uniform(3, 6), "aviator": 2.4, "cat's eye": 2.8}[shape]
    angle = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    x, y = (np.sign(f) * np.abs(f) ** (2 / power) for f in (np.cos(angle), np.sin(angle)))
    if shape == "aviator":
        x, y = x * (1 - 0.2 * y) + 0.1 * y, np.where(y < 0, y * 0.75, y * (1 + 0.15 * x))
    elif shape == "cat's eye":
        y = y - rng.uniform(0.1, 0.35) * np.maximum(x, -0.3) * (1 - y) / 2
    elif shape != "round":
        x, y = x * (1 - rng.uniform(0, 0.15) * y), np.where(y < 0, y * rng.uniform(0.7, 1), y)
    return np.stack([x, y], 1)


def _frame(
    rng: np.random.Generator, places: np.ndarray, rim: str
) -> tuple[Image.Image, Image.Image, Image.Image, np.ndarray]:
    """Rims, the edges of lenses that have none, lenses, and the middles of the two lenses ``[2,2]``, for landmarks ``[161,2]``."""
    middle, along, down, wide = _fits(places)
    turn = rng.normal(0, 0.03)
    along, down = along + turn * down, down - turn * along
    shape = str(rng.choice(SHAPES))
    height = rng.uniform(0.045, 0.1)
    width = height * rng.uniform(0.95, 1.15) if shape == "round" else max(rng.uniform(0.075, 0.12), height * 1.05)
    gap = rng.uniform(0.02, 0.045)
    low = rng.uniform(-0.005, 0.035) + (rng.uniform(0, 0.06) if rng.random() < 0.2 else 0.0)
    middle = middle + down * low + along * (float(pose(torch.from_numpy(places))[0]) * rng.uniform(0, 0.12))
    thick = (
        SIDE
        * FINE
        * {0: rng.uniform(0.003, 0.007), 1: rng.uniform(0.006, 0.012), 2: rng.uniform(0.012, 0.024)}[
            0 if rim == "none" else int(rng.choice(3, p=(0.55, 0.28, 0.17)))
        ]
    )
    brow = thick * rng.uniform(1, 2.5) if rng.random() < 0.3 else thick
    outline = _lens(rng, shape)
    hinge, hung = rng.uniform(-0.75, -0.05), rng.uniform(-0.7, 0.1)
    rims, edges, lenses = (Image.new("L", CANVAS) for _ in range(3))
    inner, middles = [], []
    for side, sign, seen in zip((0, 1), (-1.0, 1.0), np.clip(wide, 0.4, 1.5), strict=True):
        out = along * sign
        centre = middle + out * (gap * min(seen, 1.1) + width * seen)
        points = centre + outline[:, :1] * out * width * seen + outline[:, 1:] * down * height
        middles.append(centre)
        ImageDraw.Draw(lenses).polygon([tuple(p) for p in points], fill=255)
        upper = points[30:] if outline[40, 1] < 0 else points[:34]
        if rim == "full":
            rims = ImageChops.lighter(rims, _pen(points, thick, closed=True))
            rims = ImageChops.lighter(rims, _pen(upper, brow))
        elif rim == "upper":
            rims = ImageChops.lighter(rims, _pen(upper, brow))
        if rim != "full":
            edges = ImageChops.lighter(edges, _pen(points, max(2, thick * 0.6), closed=True))
        inner.append(centre - out * width * seen * 0.93 + down * height * hung)
        # The temple, to the ear where that is seen beside the lens
        start = centre + out * width * seen * 0.95 + down * height * hinge
        ear = (places[[AT[i] for i in ((127, 234), (356, 454))[side]]] * SIDE - [LEFT, TOP]) * FINE
        ear = ear[0] + rng.uniform(0, 0.6) * (ear[1] - ear[0]) + out * rng.uniform(-0.02, 0.05)
        if (ear - start) @ out < 0.02 * (along @ along):
            ear = start + out * rng.uniform(0.005, 0.03) + down * rng.uniform(-0.01, 0.01)
        piece = start + (ear - start) * (1.0 if rng.random() < 0.6 else rng.uniform(0.1, 1))
        rims = ImageChops.lighter(rims, _pen(np.stack([start, piece]), max(thick, 2) * rng.uniform(0.8, 1.6)))
        if thick < 0.012 * SIDE * FINE and rng.random() < 0.5:  # a pad on the nose
            pad = centre - out * width * seen * 0.9 + down * height * 0.2
            rims = ImageChops.lighter(
                rims, _pen(np.stack([pad, pad - out * gap * 0.3, pad - out * gap * 0.4 + down * 0.03]), thick * 0.7)
            )
    bow = sum(inner) / 2 - down * rng.uniform(0, 0.02)
    rims = ImageChops.lighter(rims, _pen(_curve(inner[0], bow, inner[1]), thick * rng.uniform(0.8, 1.5)))
    if rng.random() < 0.12:  # a second bridge
        high = down * height * (hung + 0.75)
        rims = ImageChops.lighter(rims, _pen(np.stack([p - high for p in inner]), thick * rng.uniform(0.7, 1.2)))
    return rims, edges, lenses, np.stack(middles)


def _glazing(rng: np.random.Generator, lens: str, middles: np.ndarray, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """How much lenses hide ``[H,W]`` 0..1, and their tone ``[H,W]`` 0..255, reflections included."""
    y = np.mgrid[0 : CANVAS[1], 0 : CANVAS[0]][0].astype(np.float32)
    down = (y - middles[:, 1].mean()) / (0.1 * SIDE * FINE)
    tone = np.full(CANVAS[::-1], rng.uniform(0, 255), np.float32)
    if lens == "clear":
        alpha = np.full_like(tone, rng.uniform(0, 0.1) if rng.random() < 0.5 else 0.0)
    elif lens == "tinted":
        tone[:] = rng.uniform(5, 110)
        alpha = rng.uniform(0.12, 0.5) - down * rng.uniform(0, 0.2)
    else:
        tone[:] = rng.uniform(0, 60)
        alpha = rng.uniform(0.75, 1.0) - np.maximum(down, -1) * (rng.uniform(0, 0.25) if rng.random() < 0.5 else 0.0)
        if lens == "mirror":
            other = Image.fromarray(faces.images[rng.integers(len(faces.images)), 0].numpy()).resize(CANVAS)
            mirrored = _share(other.filter(ImageFilter.GaussianBlur(rng.uniform(2, 30)))) * 255
            tone += rng.uniform(0.2, 0.9) * mirrored if rng.random() < 0.5 else 90 * np.abs(_field(rng, (4, 7)))
        tone = tone + rng.uniform(0, 60) * (down + 1) * (rng.random() < 0.4)
    alpha = alpha.clip(0, 1)
    if rng.random() < (0.35 if lens == "clear" else 0.5):  # windows and lamps, mirrored
        glint = Image.new("L", CANVAS)
        draw = ImageDraw.Draw(glint)
        for centre in middles if rng.random() < 0.7 else middles[: int(rng.integers(1, 3))]:
            at = centre + rng.normal(0, 0.03, 2) * SIDE * FINE
            size = rng.uniform(0.008, 0.06, 2) * SIDE * FINE
            skew = rng.normal(0, 0.02) * SIDE * FINE
            corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
            draw.polygon([(at[0] + i * size[0] + j * skew, at[1] + j * size[1]) for i, j in corners], fill=255)
        glare = _share(glint, rng.uniform(0.5, 12)) * rng.uniform(0.1, 0.9)
        shine = rng.uniform(170, 255)
        tone = (tone * alpha * (1 - glare) + shine * glare) / (alpha * (1 - glare) + glare).clip(1e-4)
        alpha = alpha + glare - alpha * glare
    return alpha.astype(np.float32), tone


def worn_by(
    rng: np.random.Generator, image: Tensor, places: Tensor, faces: Faces, rim: str, lens: str
) -> tuple[Tensor, Tensor]:
    """A band ``[1,HEIGHT,WIDTH]`` uint8 with glasses drawn over it, and what share of its pixels each of KINDS covers
    ``[3,HEIGHT,WIDTH]``."""
    rims, edges, lenses, middles = _frame(rng, places.numpy(), rim)
    rim_share, edge, lens_share = _share(rims, rng.uniform(0, 1.5)), _share(edges), _share(lenses)
    hides, glass = _glazing(rng, lens, middles, faces)
    base = rng.choice([rng.uniform(0, 60), rng.uniform(60, 150), rng.uniform(150, 250)], p=(0.6, 0.25, 0.15))
    metal = rng.uniform(20, 120) * _field(rng, (6, 12)) if rng.random() < 0.45 else 0.0
    tone = np.clip(base + metal + rng.uniform(-40, 40) * _field(rng, (2, 3)), 0, 255)
    seen = rim_share * (rng.uniform(0.35, 0.8) if rng.random() < 0.12 else rng.uniform(0.85, 1.0))
    if rng.random() < 0.4:  # light from above on the rims
        shifted = np.roll(rim_share, int(rng.integers(1, 5)), 0)
        bright = (rim_share - shifted).clip(0, 1) * (_field(rng, (3, 8)) > 0)
        tone = tone + bright * rng.uniform(40, 200)
    photo = np.asarray(Image.fromarray(image[0].numpy()).resize(CANVAS, Image.Resampling.BICUBIC), np.float32)
    way = (rng.uniform(-0.012, 0.012), rng.uniform(0.002, 0.03))
    shift = tuple(int(f * SIDE * FINE) for f in way)
    thrown = rims if lens in ("clear", "tinted") else ImageChops.lighter(rims, lenses)
    shadow = _share(ImageChops.offset(thrown, *shift), rng.uniform(2, 14)) * rng.uniform(0, 0.45)
    photo = photo * (1 - shadow)
    photo += (glass - photo) * (lens_share * hides)
    line = edge * lens_share.clip(0.5, 1) * (rng.uniform(0.05, 0.45) if rim == "none" else rng.uniform(0, 0.35))
    photo += (rng.choice([rng.uniform(0, 70), rng.uniform(170, 255)]) - photo) * line
    photo += (tone - photo) * seen
    dark = lens_share * ((hides - 0.45) / 0.2).clip(0, 1)
    masks = np.stack([np.maximum(rim_share, edge * 0.5 * (rim != "full")), lens_share, dark])
    small = F.avg_pool2d(torch.from_numpy(np.concatenate([photo[None], masks])), FINE)
    return small[:1].clamp(0, 255).round().byte(), small[1:]


def disguised(rng: np.random.Generator, image: Tensor, places: Tensor) -> Tensor:
    """A band ``[1,HEIGHT,WIDTH]`` uint8 with something on it that looks like glasses and is none."""

    def at(mesh: tuple[int, ...]) -> np.ndarray:
        return (places.numpy()[[AT[i] for i in mesh]] * SIDE - [LEFT, TOP]) * FINE

    unit = SIDE * FINE
    middle, along, down, _ = _fits(places.numpy())
    layer, dark, soft = Image.new("L", CANVAS), rng.uniform(0.1, 0.5), rng.uniform(1, 6)
    kind = rng.choice(["rings", "folds", "brows", "lids", "hair", "brim", "root", "feet", "shade"])
    if kind in ("rings", "folds"):
        for eye in EYES:
            a, b = at(eye)[0], at(eye)[8]
            for _ in range(1 if kind == "rings" else int(rng.integers(1, 4))):
                deep = down * rng.uniform(0.05, 0.16)
                line = _curve(
                    a + (b - a) * rng.uniform(-0.1, 0.3), (a + b) / 2 + deep, b + (a - b) * rng.uniform(-0.1, 0.3)
                )
                pen = unit * (rng.uniform(0.01, 0.03) if kind == "rings" else rng.uniform(0.003, 0.008))
                layer = ImageChops.lighter(layer, _pen(line, pen))
        soft = rng.uniform(4, 14) if kind == "rings" else rng.uniform(1, 4)
    elif kind == "brows":
        for brow in BROWS:
            layer = ImageChops.lighter(layer, _pen(at(brow)[:5], unit * rng.uniform(0.008, 0.025)))
        dark = rng.uniform(0.4, 0.95)
    elif kind == "lids":
        wing = rng.uniform(0, 0.05)
        for sign, eye in zip((-1, 1), EYES, strict=True):
            line = np.concatenate([at(eye)[8:], at(eye)[:1], at(eye)[:1] + sign * along * wing - down * wing / 2])
            layer = ImageChops.lighter(layer, _pen(line, unit * rng.uniform(0.004, 0.018)))
            if rng.random() < 0.4:
                layer = ImageChops.lighter(layer, _pen(at(eye)[:9], unit * rng.uniform(0.003, 0.01)))
        dark, soft = rng.uniform(0.4, 1), rng.uniform(0.5, 3)
    elif kind == "hair":
        for _ in range(int(rng.integers(1, 7))):
            start = np.array([rng.uniform(0, CANVAS[0]), -10.0])
            end = np.array([rng.uniform(0, CANVAS[0]), rng.uniform(0.3, 1.2) * CANVAS[1]])
            bow = (start + end) / 2 + rng.normal(0, 0.1 * unit, 2)
            layer = ImageChops.lighter(layer, _pen(_curve(start, bow, end), unit * rng.uniform(0.002, 0.014)))
        dark, soft = rng.uniform(0.4, 1), rng.uniform(0.5, 2)
    elif kind == "brim":
        brow = at(BROWS[0] + BROWS[1])[:, 1].min() + rng.uniform(-0.02, 0.04) * unit
        bow = np.array([CANVAS[0] / 2, brow + rng.normal(0, 0.05) * unit])
        edge = _curve(
            np.array([0, brow + rng.normal(0, 0.02) * unit]),
            bow,
            np.array([CANVAS[0], brow + rng.normal(0, 0.02) * unit]),
        )
        ImageDraw.Draw(layer).polygon([(CANVAS[0], 0), (0, 0), *(tuple(p) for p in edge)], fill=255)
        dark, soft = rng.uniform(0.2, 1), rng.uniform(0.5, 10)
    elif kind == "root":  # folds across the root of the nose, and a shine on it
        for _ in range(int(rng.integers(1, 3))):
            at_root = middle + down * rng.uniform(-0.05, 0.03)
            half = along * rng.uniform(0.015, 0.05)
            layer = ImageChops.lighter(
                layer,
                _pen(
                    _curve(at_root - half, at_root + down * rng.normal(0, 0.01), at_root + half),
                    unit * rng.uniform(0.003, 0.01),
                ),
            )
    elif kind == "feet":  # of crows, and hair combed back
        for sign, eye in zip((-1, 1), EYES, strict=True):
            for _ in range(int(rng.integers(1, 4))):
                start = at(eye)[0] + sign * along * rng.uniform(0.01, 0.04) + down * rng.normal(0, 0.02)
                end = start + sign * along * rng.uniform(0.03, 0.15) + down * rng.normal(0, 0.02)
                layer = ImageChops.lighter(layer, _pen(np.stack([start, end]), unit * rng.uniform(0.003, 0.008)))
    else:  # sockets in the shade
        for eye in EYES:
            (x, y), r = at(eye).mean(0), unit * rng.uniform(0.05, 0.11, 2)
            ImageDraw.Draw(layer).ellipse([x - r[0], y - r[1], x + r[0], y + r[1] * 0.8], fill=255)
        soft = rng.uniform(8, 24)
    share = _share(layer, soft) * dark
    tone = rng.uniform(0, 50) if rng.random() < 0.85 else rng.uniform(170, 250)
    small = F.avg_pool2d(torch.from_numpy(share)[None], FINE)
    return (image.float() + (tone - image.float()) * small).round().byte()


class Training(nn.Module):
    """Binary cross entropy: of glasses being worn, and of what lies where, which counts where it is known; what is covered counts more,
    as it is less."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Glasses()

    def forward(self, images: Tensor, worn: Tensor, truth: Tensor, known: Tensor) -> dict[str, Tensor]:
        found, masks = self.net(images)
        loss = F.binary_cross_entropy_with_logits(masks, truth, reduction="none")
        weight = known[:, None, None, None] * (1 + truth * truth.new_tensor([4.0, 1.0, 2.0])[:, None, None])
        return {
            "worn": F.binary_cross_entropy_with_logits(found, worn * 0.98 + 0.01),
            "where": 3 * (loss * weight).sum() / weight.sum(),
        }


def viewed(pictures: Tensor, g: torch.Generator) -> Tensor:
    """Layers ``[B,C,HEIGHT,WIDTH]`` of bands seen a little turned, shifted and nearer or farther, and mirrored by half: ``[B,C,64,128]``."""
    n = len(pictures)

    def some(spread: float) -> Tensor:
        return spread * (2 * torch.rand(n, generator=g) - 1)

    turn, grow = some(0.06), 1 + some(0.06)
    cos, sin = grow * turn.cos(), grow * turn.sin()
    wide, high = BAND[2] / WIDTH, BAND[3] / HEIGHT
    mirror = torch.where(torch.rand(n, generator=g) < 0.5, -1.0, 1.0)
    rows = [
        torch.stack([cos * wide * mirror, -sin * high * HEIGHT / WIDTH, some(0.05)], 1),
        torch.stack([sin * wide * mirror * WIDTH / HEIGHT, cos * high, some(0.08)], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), [n, 1, BAND[3], BAND[2]], align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def spoilt(images: Tensor, g: torch.Generator) -> Tensor:
    """Bands 0..1 in other light, some less sharp."""
    n = len(images)

    def one(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, 1, generator=g)

    images = (images * one(0.5, 1.3)).clamp(1e-4, 1) ** one(0.6, 1.6)
    small = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
    images = torch.lerp(images, small, one(-0.5, 1).clamp(min=0))
    return (images + one(0, 0.02) * torch.randn(images.shape, generator=g)).clamp(0, 1)


def labels(path: Path = LABELS) -> dict[str, dict[str, bool]]:
    """For ``train`` and ``test``: who wears glasses, by the file of the picture; at others nobody looked."""
    found: dict[str, dict[str, bool]] = {"train": {}, "test": {}}
    with path.open(newline="") as f:
        for row in csv.DictReader(f):
            found[row["part"]][row["file"]] = row["worn"] == "1"
    return found


def labelled(folder: Path, worn: dict[str, bool]) -> tuple[Faces, Tensor, Tensor]:
    """The faces of the data ``folder`` that are labelled, whether they wear glasses ``[N]``, and which are portraits ``[N]``."""
    parts, answers, portraits = [], [], []
    for kind, read in data.READERS.items():
        with (folder / f"{kind}.csv").open(newline="") as f:
            files = [row["file"] for row in csv.DictReader(f)]
        index = [i for i, file in enumerate(files) if file in worn]
        parts.append(Faces(read(folder).select(torch.tensor(index))))
        answers += [worn[files[i]] for i in index]
        portraits += [kind == "portraits"] * len(index)
    return Faces.of(parts), torch.tensor(answers), torch.tensor(portraits)


def main(argv: list[str] | None = None) -> None:
    from safetensors.torch import load_file

    ap = loop.arguments("glasses", "Train the network that finds glasses.", BUILTIN, 3000, 16, 3e-3)
    ap.add_argument("--sheet", metavar="FILE", help="a picture of drawn and real glasses and of what is found")
    o = ap.parse_args(argv)
    torch.manual_seed(o.seed)
    known = labels()
    train, worn, portraits = labelled(o.data, known["train"])
    wearers, bare = worn.nonzero()[:, 0].numpy(), (~worn).nonzero()[:, 0].numpy()
    # portraits are few, and sharper than the photographs
    chance = np.where(portraits.numpy()[bare], 2.0, 1.0)
    chance /= chance.sum()

    def batch(seed: int) -> tuple[Tensor, ...]:
        rng, g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        pictures, truths, sure = [], [], []
        for k in range(o.batch):
            real = k % 16 >= 13
            i = int(rng.choice(wearers) if real else rng.choice(bare, p=chance))
            image, where, wears = train.images[i], torch.zeros(3, HEIGHT, WIDTH), real
            if rng.random() < (0.15 if real else 0.4):
                image = disguised(rng, image, train.places[i])
            if not real and rng.random() < 0.5:
                rim = str(rng.choice(RIMS, p=(0.66, 0.19, 0.15)))
                lens = str(rng.choice(LENSES, p=(0.62, 0.13, 0.15, 0.1)))
                image, where = worn_by(rng, image, train.places[i], train, rim, lens)
                wears = True
            pictures.append(torch.cat([image.float() / 255, where]))
            truths.append(float(wears))
            sure.append(0.0 if real else 1.0)
        layers = viewed(torch.stack(pictures), g)
        answers = F.avg_pool2d(layers[:, 1:], CELL)
        return spoilt(layers[:, :1], g), torch.tensor(truths), answers, torch.tensor(sure)

    if not o.validate:
        training = Training()
        seconds = loop.fit(training, batch, o)
        loop.save(training.net, o.out, {"steps": str(o.steps), "seed": str(o.seed)})
        print(f"trained in {seconds:.0f} s")
    net = Glasses()
    net.load_state_dict(load_file(o.out))
    print(table(net.eval(), *labelled(o.data, known["test"]), o.sheet))


@torch.no_grad()
def table(net: Glasses, test: Faces, worn: Tensor, portraits: Tensor, sheet: str | None = None, each: int = 60) -> str:
    """The model card's table: who is found of those who wear glasses and who do not, and how much of drawn ones is found where."""

    def seen(bands: Tensor) -> tuple[Tensor, Tensor]:
        found, where = net(bands[..., ROOM:-ROOM, ROOM:-ROOM].float() / 255)
        return found > SURE, where.sigmoid() > 0.5

    said = torch.cat([seen(part)[0] for part in test.images.split(128)])
    lines = ["| held-out faces | glasses found | bare ones mistaken |", "|---|---|---|"]
    for name, of in (("photographs", ~portraits), ("portraits", portraits)):
        counts = [f"{int((said & w & of).sum())} of {int((w & of).sum())}" for w in (worn, ~worn)]
        lines.append(f"| {name} | {counts[0]} | {counts[1]} |")
    lines += [
        "",
        f"| drawn glasses | found | {' | '.join(f'overlap of {kind}' for kind in KINDS)} |",
        "|---|---|---|---|---|",
    ]
    bare = (~worn).nonzero()[:, 0].numpy()
    shown = []
    for rim, lens in [(rim, "clear") for rim in RIMS] + [("full", lens) for lens in LENSES[1:]]:
        rng = np.random.default_rng(7)
        drawn = [worn_by(rng, test.images[i], test.places[i], test, rim, lens) for i in rng.choice(bare, each)]
        found, where = seen(torch.stack([image for image, _ in drawn]))
        truth = F.avg_pool2d(torch.stack([m for _, m in drawn])[..., ROOM:-ROOM, ROOM:-ROOM], CELL) > 0.5
        both, either = (truth & where).sum((0, 2, 3)), (truth | where).sum((0, 2, 3))
        overlaps = [
            f"{b / e:.2f}" if t > 50 else "" for b, e, t in zip(both, either, truth.sum((0, 2, 3)), strict=True)
        ]
        lines.append(f"| rims {rim}, lenses {lens} | {int(found.sum())} of {each} | {' | '.join(overlaps)} |")
        shown += [(image, t, w) for (image, _), t, w in list(zip(drawn, truth, where, strict=True))[:8]]
    if sheet:
        real = worn.nonzero()[:, 0][::4][:24]
        shown += [(test.images[i], torch.zeros(3, 1, 1), seen(test.images[i][None])[1][0]) for i in real]
        rows = [
            torch.cat([
                image[:, ROOM:-ROOM, ROOM:-ROOM].expand(3, -1, -1).float() / 255,
                *(F.interpolate(m[None].float(), BAND[:1:-1])[0] for m in (t, w)),
            ], 2)
            for image, t, w in shown
        ]  # fmt: skip
        columns = [torch.cat(rows[k::3], 1) for k in range(3)]
        Image.fromarray((torch.cat(columns, 2) * 255).byte().permute(1, 2, 0).numpy()).save(sheet)
    return "\n".join(lines)
