"""Reading the training faces: aligned squares with Face Mesh landmarks and labels."""

from __future__ import annotations

import csv
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..faces.landmarks import POINTS, five_points
from ..geometry.crop import Crop
from ..io.picture import RASTER

STORED = 192  # pixels of a stored face square
WIDE = 1.12  # portraits are stored a little wider than the crop, so that jittered views stay inside
HELD_OUT_EVERY = {"expressions": 20, "portraits": 4}  # of the sorted files, the last of each such run


@dataclass(frozen=True)
class Faces:
    """Training faces.

    Attributes:
        images: ``[N,3,192,192]`` uint8.
        landmarks: ``[N,161,2]`` pixels of ``images``, the points of :mod:`flow_core.faces.landmarks`.
        label: what the data's authors say of each face (emotion, age or hair), empty where nothing.
        kind: ``expressions`` or ``portraits``, for each face.
        color: ``[N]`` bool, False for grey photographs.
    """

    images: Tensor
    landmarks: Tensor
    label: tuple[str, ...]
    kind: tuple[str, ...]
    color: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str) -> Faces:
        return replace(
            self,
            images=self.images.to(device),
            landmarks=self.landmarks.to(device),
            color=self.color.to(device),
        )

    def select(self, index: Tensor) -> Faces:
        chosen = index.tolist()
        return Faces(
            self.images[index],
            self.landmarks[index],
            tuple(self.label[i] for i in chosen),
            tuple(self.kind[i] for i in chosen),
            self.color[index],
        )


def load(folder: str | Path) -> tuple[Faces, Faces]:
    """Faces for training and held-out faces, from ``expressions.*`` and ``portraits.*`` in ``folder``."""
    folder = Path(folder)
    kinds = [kind for kind in READERS if (folder / f"{kind}.zip").is_file()]
    if not kinds:
        raise SystemExit(
            f"{folder} holds neither expressions.zip nor portraits.zip; give the folder of the training faces with --data, "
            "or make one from photographs with: python -m flow_core.train faces PHOTOS -o DATA"
        )
    train, test = [], []
    for kind in kinds:
        faces = READERS[kind](folder)
        out = held_out(kind, len(faces))
        train.append(faces.select((~out).nonzero()[:, 0]))
        test.append(faces.select(out.nonzero()[:, 0]))
    return _join(train), _join(test)


def held_out(kind: str, count: int) -> Tensor:
    """``[count]`` bool: which files of ``expressions`` or ``portraits`` no training sees."""
    every = HELD_OUT_EVERY[kind]
    return torch.arange(count) % every == every - 1


def _join(parts: list[Faces]) -> Faces:
    return Faces(
        torch.cat([p.images for p in parts]),
        torch.cat([p.landmarks for p in parts]),
        sum((p.label for p in parts), ()),
        sum((p.kind for p in parts), ()),
        torch.cat([p.color for p in parts]),
    )


def meshes(folder: Path, kind: str) -> Tensor:
    """``[N,161,2]`` landmarks of ``expressions`` or ``portraits``, pixels of the files."""
    mesh = np.load(folder / f"{kind}_landmarks.npz")["landmarks"].astype(np.float32)
    return torch.from_numpy(mesh if mesh.shape[1] == len(POINTS) else mesh[:, POINTS])  # a whole Face Mesh has 478


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as f:
        return list(csv.DictReader(f))


def _pictures(archive: Path, files: list[str]) -> list[Tensor]:
    """Files of an archive as ``[3,H,W]`` uint8, decoded by as many threads as there are processors."""
    with zipfile.ZipFile(archive) as z, ThreadPoolExecutor() as pool:
        names = {Path(n).name: n for n in z.namelist()}
        return list(pool.map(_decode, (z.read(names[file]) for file in files)))


def _decode(data: bytes) -> Tensor:
    return (
        torch.from_numpy(np.array(Image.open(io.BytesIO(data), formats=RASTER).convert("RGB")))
        .permute(2, 0, 1)
        .contiguous()
    )


def _expressions(folder: Path) -> Faces:
    rows = _rows(folder / "expressions.csv")
    landmarks = meshes(folder, "expressions")
    images = torch.stack(_pictures(folder / "expressions.zip", [r["file"] for r in rows]))
    color = torch.tensor([r["mode"] == "color" for r in rows])
    return Faces(images, landmarks, tuple(r["emotion"] for r in rows), ("expressions",) * len(rows), color)


def _portraits(folder: Path) -> Faces:
    rows = _rows(folder / "portraits.csv")
    landmarks = meshes(folder, "portraits")
    images, moved = [], []
    pictures = _pictures(folder / "portraits.zip", [r["file"] for r in rows])
    for picture, points in zip(pictures, landmarks, strict=True):
        image, place = square(picture[None].float() / 255, points)
        images.append(image)
        moved.append(place)
    label = tuple(r["label"] for r in rows)
    color = torch.ones(len(rows), dtype=torch.bool)
    return Faces(torch.stack(images), torch.stack(moved), label, ("portraits",) * len(rows), color)


READERS = {"expressions": _expressions, "portraits": _portraits}  # kind -> what reads all of its files


def square(picture: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The stored square ``[3,192,192]`` uint8 of a face in a picture ``[1,3,H,W]`` 0..1, and its landmarks ``[161,2]`` in it."""
    crop = Crop.from_points(five_points(points[None]), tuple(picture.shape[2:])).widen(WIDE)
    image = (crop.aligned(picture, STORED)[0] * 255).round().byte()
    return image, crop.to_crop(points[None, None])[0, 0] * STORED


def enlarged(faces: Faces, i: int, side: int) -> tuple[Tensor, Crop]:
    """A training face as a picture ``[1,3,H,W]`` 0..1 with the face ``side`` pixels wide and a border, and its crop by the landmarks of the data."""
    border = side // 5
    image = F.interpolate(faces.images[i : i + 1].float() / 255, (side, side), mode="bicubic").clamp(0, 1)
    image = F.pad(image, [border] * 4, mode="replicate")
    points = five_points(faces.landmarks[i : i + 1]) * (side / STORED) + border
    return image, Crop.from_points(points, tuple(image.shape[2:]))
