"""Train the network that finds what covers a face: ``python -m flow_core.train covered --data DIR``.

No picture is labelled. Things are drawn over the training faces, so that every mask is exact: blobs and boxes cut out of other
pictures, hands of the colour of another face's skin, microphones, strands of hair, dark glasses, masks before the mouth.
Half of the faces stay as they are, so that beards, clear glasses and deep shadows are learnt to be no cover.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor, nn

from ..faces.covered import BUILTIN, RASTER, SIZE, SURE, Covered, within
from ..faces.landmarks import AT, MIRROR, five_points
from ..geometry.crop import Crop
from . import data, loop

FINE = 2 * SIZE  # pixels a side in which things are drawn
MOST = 6000  # faces that are read
KINDS = ("blob", "box", "hand", "microphone", "hair", "dark glasses", "mask")


class Faces:
    """Aligned faces ``[N,3,96,96]`` uint8 and their landmarks ``[N,161,2]`` in crop points."""

    def __init__(self, faces: data.Faces) -> None:
        # portraits in colour are few, so each counts; of the others a part is enough
        kinds = torch.tensor([k == "portraits" for k in faces.kind])
        others = (~kinds).nonzero()[:, 0]
        index = torch.cat([kinds.nonzero()[:, 0], others[:: max(1, len(others) // MOST)]])
        pictures, places = [], []
        for part in index.split(256):
            crop = Crop.from_points(five_points(faces.landmarks[part]), tuple(faces.images.shape[2:]))
            pictures.append((crop.aligned(faces.images[part].float() / 255, SIZE) * 255).round().byte())
            places.append(crop.to_crop(faces.landmarks[part][:, None])[:, 0])
        self.images, self.places = torch.cat(pictures), torch.cat(places)
        self.chance = torch.where(kinds[index], 4.0, 1.0)
        self.colored = self.images[:, 0].ne(self.images[:, 2]).flatten(1).any(1).nonzero()[:, 0].tolist()


def _texture(rng: np.random.Generator, faces: Faces) -> np.ndarray:
    """Colours ``[FINE,FINE,3]`` 0..255: a part of another picture, enlarged, or one colour with light and grain."""
    if rng.random() < 0.5:
        other = faces.images[rng.integers(len(faces.images))].permute(1, 2, 0).numpy()
        side = int(rng.integers(16, 60))
        x = int(rng.choice([0, SIZE - side]))
        y = int(rng.integers(0, SIZE - side))
        part = other[y : y + side, x : x + side]
        return np.asarray(Image.fromarray(part).resize((FINE, FINE), Image.Resampling.BICUBIC), np.float32)
    plain = np.full((FINE, FINE, 3), rng.uniform(0, 255, 3) if rng.random() < 0.5 else rng.uniform(0, 255), np.float32)
    return _lit(rng, plain) + rng.normal(0, rng.uniform(0, 14), (FINE, FINE, 1)).astype(np.float32)


def _lit(rng: np.random.Generator, colors: np.ndarray) -> np.ndarray:
    """With a light that falls off across the picture."""
    y, x = np.mgrid[0:FINE, 0:FINE] / FINE - 0.5
    way = rng.uniform(0, 2 * math.pi)
    return colors * (1 + rng.uniform(0, 0.9) * (x * math.cos(way) + y * math.sin(way)))[..., None].astype(np.float32)


def _skin(rng: np.random.Generator, faces: Faces) -> np.ndarray:
    """The colour of the cheek of another face."""
    i = int(rng.choice(faces.colored)) if faces.colored else int(rng.integers(len(faces.images)))
    x, y = (faces.places[i, AT[int(rng.choice([50, 205, 117]))]] * SIZE).long().clamp(2, SIZE - 3).tolist()
    mean = faces.images[i, :, y - 2 : y + 3, x - 2 : x + 3].float().mean((1, 2)).numpy()
    return _lit(rng, np.broadcast_to(mean, (FINE, FINE, 3))) + rng.normal(0, 3, (FINE, FINE, 1)).astype(np.float32)


def _at(rng: np.random.Generator, places: np.ndarray) -> np.ndarray:
    """A point of the face."""
    return places[rng.integers(len(places))] * FINE


def _rounded(draw: ImageDraw.ImageDraw, line: np.ndarray, width: float) -> None:
    """A line with round ends and joints."""
    points = [tuple(p) for p in line]
    draw.line(points, fill=255, width=max(1, round(width)))
    for x, y in points:
        draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=255)


def _drawn(rng: np.random.Generator, kind: str, places: np.ndarray) -> np.ndarray:
    """The shape ``[FINE,FINE]`` 0..1 of a thing before a face with landmarks ``[161,2]`` in crop points."""
    mask = Image.new("L", (FINE, FINE))
    draw = ImageDraw.Draw(mask)
    if kind == "blob":
        noise = torch.from_numpy(rng.normal(size=(1, 1, 7, 7)).astype(np.float32))
        field = F.interpolate(noise, (FINE, FINE), mode="bicubic")[0, 0].numpy()
        y, x = np.mgrid[0:FINE, 0:FINE]
        centre, reach = _at(rng, places), FINE * rng.uniform(0.1, 0.3)
        inside = 1 - np.hypot(x - centre[0], y - centre[1]) / reach + 0.35 * field > 0
        mask = Image.fromarray((inside * 255).astype(np.uint8))
    elif kind == "box":
        centre, way = _at(rng, places), rng.uniform(0, math.pi)
        half = FINE * np.array([rng.uniform(0.06, 0.25), rng.uniform(0.1, 0.35)])
        turn = np.array([[math.cos(way), -math.sin(way)], [math.sin(way), math.cos(way)]])
        draw.polygon([tuple(centre + turn @ (half * s)) for s in ((-1, -1), (1, -1), (1, 1), (-1, 1))], fill=255)
    elif kind == "hand":
        tip, way, wide = _at(rng, places), rng.uniform(0, 2 * math.pi), FINE * rng.uniform(0.035, 0.06)
        along, across = np.array([math.cos(way), math.sin(way)]), np.array([-math.sin(way), math.cos(way)])
        for k in range(int(rng.integers(2, 5))):
            start = tip + across * wide * (1.1 * k - 1.5) - along * wide * rng.uniform(0, 1.5)
            bend = start + along * wide * rng.uniform(2, 4)
            _rounded(draw, np.array([start, bend, bend + along * wide * 3 + across * wide * rng.uniform(-1, 1)]), wide)
        palm = tip + along * wide * 7
        r = wide * 2.4
        draw.ellipse([palm[0] - r, palm[1] - r, palm[0] + r, palm[1] + r], fill=255)
        if rng.random() < 0.7:
            _rounded(draw, np.array([palm, palm + along * FINE]), wide * 3)
    elif kind == "microphone":
        mouth = places[AT[14]] * FINE + rng.normal(0, 0.06 * FINE, 2) + [0, 0.07 * FINE]
        r = FINE * rng.uniform(0.05, 0.12)
        draw.ellipse([mouth[0] - r, mouth[1] - r, mouth[0] + r, mouth[1] + r * rng.uniform(1, 1.4)], fill=255)
        way = rng.uniform(0.2, 0.8) * math.pi
        _rounded(
            draw, np.array([mouth, mouth + FINE * np.array([math.cos(way), math.sin(way)])]), r * rng.uniform(0.5, 1.2)
        )
    elif kind == "hair":
        for _ in range(int(rng.integers(1, 9))):
            start = np.array([rng.uniform(0.1, 0.9), rng.uniform(-0.05, 0.2)]) * FINE
            end = _at(rng, places)
            bow = (start + end) / 2 + rng.normal(0, 0.08 * FINE, 2)
            t = np.linspace(0, 1, 12)[:, None]
            _rounded(draw, (1 - t) ** 2 * start + 2 * t * (1 - t) * bow + t**2 * end, FINE * rng.uniform(0.006, 0.04))
    elif kind == "dark glasses":
        eyes = [places[[AT[a], AT[b]]].mean(0) * FINE for a, b in ((33, 133), (362, 263))]
        size = np.array([rng.uniform(0.09, 0.13), rng.uniform(0.06, 0.1)]) * FINE
        for x, y in eyes:
            shape = [x - size[0], y - size[1] * 0.8, x + size[0], y + size[1] * 1.2]
            if rng.random() < 0.5:
                draw.ellipse(shape, fill=255)
            else:
                draw.rounded_rectangle(shape, size[1] * rng.uniform(0.3, 0.9), fill=255)
        _rounded(draw, np.array(eyes), FINE * 0.018)
    else:  # mask
        left, right, nose, chin = (places[i] * FINE for i in (AT[132], MIRROR[AT[132]], AT[4], AT[152]))
        high, corner = nose + FINE * np.array([0, rng.uniform(-0.05, 0.04)]), FINE * np.array([0.12, 0.05])
        draw.polygon(
            [tuple(p) for p in (left, high, right, chin + corner, chin + corner * [-1, 1])],
            fill=255,
        )
    soft = mask.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 4)))
    return np.asarray(soft, np.float32) / 255


def covered_by(
    rng: np.random.Generator, kind: str, image: Tensor, places: Tensor, faces: Faces
) -> tuple[Tensor, Tensor]:
    """A face ``[3,96,96]`` uint8 with a thing of a kind before it, and the share ``[1,48,48]`` of each place that it covers."""
    shape = _drawn(rng, kind, places.numpy())
    if kind == "hand":
        colors = _skin(rng, faces)
        # fingers are darker at their sides
        inner = np.asarray(
            Image.fromarray((shape * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(7)), np.float32
        )
        colors = colors * (0.5 + 0.5 * inner[..., None] / 255)
    elif kind == "dark glasses":
        colors = _lit(rng, np.full((FINE, FINE, 3), rng.uniform(5, 60), np.float32))
    elif kind in ("hair", "microphone") and rng.random() < 0.7:
        tone = rng.choice([[25, 20, 18], [60, 42, 30], [140, 105, 70], [90, 90, 92]]) * rng.uniform(0.5, 1.4)
        colors = _lit(rng, np.broadcast_to(tone, (FINE, FINE, 3))) + rng.normal(0, 9, (FINE, FINE, 1))
    else:
        colors = _texture(rng, faces)
    if bool(image[0].eq(image[2]).all()):  # grey pictures get grey things
        colors = np.broadcast_to(colors.mean(2, keepdims=True), colors.shape)
    alpha = torch.from_numpy(shape)[None, None]
    layer = torch.from_numpy(np.ascontiguousarray(colors, np.float32)).permute(2, 0, 1)[None].clamp(0, 255)
    alpha_small = F.avg_pool2d(alpha, FINE // SIZE)
    mixed = F.avg_pool2d(alpha * layer, FINE // SIZE)[0] + image.float() * (1 - alpha_small[0])
    return mixed.round().byte(), F.avg_pool2d(alpha, FINE // RASTER)[0]


class Training(nn.Module):
    """Binary cross entropy within the outline of the face; what is covered counts more, as it is less."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Covered()

    def forward(self, images: Tensor, truth: Tensor, inside: Tensor) -> dict[str, Tensor]:
        loss = F.binary_cross_entropy_with_logits(self.net(images), truth, reduction="none")
        weight = inside * (1 + 2 * truth)
        return {"cross entropy": (loss * weight).sum() / weight.sum()}


def spoilt(images: Tensor, g: torch.Generator) -> Tensor:
    """Faces 0..1 in other light, mirrored by half, some less sharp, some grey."""
    n = len(images)

    def one(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, 1, generator=g)

    images = (images * one(0.5, 1.35) * (0.9 + 0.2 * torch.rand(n, 3, 1, 1, generator=g))).clamp(1e-4, 1) ** one(
        0.7, 1.4
    )
    images = torch.where(one(0, 1) < 0.15, images.mean(1, keepdim=True).expand_as(images), images)
    small = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
    images = torch.where(one(0, 1) < 0.2, small, images)
    return (images + 0.015 * torch.randn(images.shape, generator=g)).clamp(0, 1)


def main(argv: list[str] | None = None) -> None:
    from safetensors.torch import load_file

    ap = loop.arguments("covered", "Train the network that finds what covers a face.", BUILTIN, 1600, 16, 3e-3)
    ap.add_argument("--sheet", metavar="FILE", help="a picture of covered held-out faces, the truth and what is found")
    o = ap.parse_args(argv)
    torch.manual_seed(o.seed)
    train, test = (Faces(part) for part in data.load(o.data))

    def batch(seed: int) -> tuple[Tensor, ...]:
        rng, g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        index = torch.multinomial(train.chance, o.batch, generator=g)
        images, truths = [], []
        for i in index.tolist():
            image, truth = train.images[i], torch.zeros(1, RASTER, RASTER)
            if rng.random() < 0.6:
                image, truth = covered_by(rng, str(rng.choice(KINDS)), image, train.places[i], train)
            images.append(image)
            truths.append(truth)
        inside, pictures, truth = within(train.places[index]), torch.stack(images), torch.stack(truths)
        if rng.random() < 0.5:
            pictures, truth, inside = pictures.flip(-1), truth.flip(-1), inside.flip(-1)
        return spoilt(pictures.float() / 255, g), truth, inside

    if not o.validate:
        training = Training()
        seconds = loop.fit(training, batch, o)
        loop.save(training.net, o.out, {"steps": str(o.steps), "seed": str(o.seed)})
        print(f"trained in {seconds:.0f} s")
    net = Covered()
    net.load_state_dict(load_file(o.out))
    print(table(net.eval(), test, o.sheet))


@torch.no_grad()
def table(net: Covered, test: Faces, sheet: str | None = None, each: int = 40) -> str:
    """The model card's table: how much of each kind of thing is found on held-out faces, and how much of bare ones is mistaken."""
    lines = ["| what covers the face | overlap (intersection over union) | found (half of it) |", "|---|---|---|"]
    shown = []
    for kind in KINDS:
        rng = np.random.default_rng(7)
        overlaps, found = [], 0
        for i in rng.permutation(len(test.images))[:each]:
            image, truth = covered_by(rng, kind, test.images[i], test.places[i], test)
            inside = within(test.places[i : i + 1])[0]
            hit = (net(image[None].float() / 255)[0].sigmoid() * inside) > SURE
            there = (truth * inside) > SURE
            if there.sum() < 12:  # it lies beside the face
                continue
            both = (hit & there).sum()
            overlaps.append((both / (hit | there).sum()).item())
            found += int(both > 0.5 * there.sum())
            shown.append((image, there, hit))
        lines.append(f"| {kind} | {sum(overlaps) / len(overlaps):.2f} | {found} of {len(overlaps)} |")
    bare = [
        ((net(x[None].float() / 255)[0].sigmoid() * within(p[None])[0]) > SURE).float().sum() / within(p[None]).sum()
        for x, p in zip(test.images, test.places, strict=True)
    ]
    share = torch.stack(bare)
    lines.append(
        f"\nOf {len(share)} held-out faces as they are {(share > 0.05).float().mean():.1%} are said to be covered by more than a twentieth."
    )
    if sheet:
        rows = [
            torch.cat(
                [
                    x.float() / 255,
                    *(F.interpolate(m[None].float(), scale_factor=2.0)[0].expand(3, -1, -1) for m in (t, h)),
                ],
                2,
            )
            for x, t, h in shown[:: max(1, len(shown) // 48)]
        ]
        columns = [torch.cat(rows[k::4][: len(rows) // 4], 1) for k in range(4)]
        Image.fromarray((torch.cat(columns, 2) * 255).byte().permute(1, 2, 0).numpy()).save(sheet)
    return "\n".join(lines)
