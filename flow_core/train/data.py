"""Reading the training faces: aligned squares with Face Mesh landmarks and labels."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..align import Crop

STORED = 192  # pixels of a stored face square
WIDE = 1.12  # portraits are stored a little wider than the crop, so that jittered views stay inside
HELD_OUT_EVERY = {"expressions": 20, "portraits": 4}  # of the sorted files, the last of each such run

# Face Mesh landmarks that stand for the five points, viewer's left first
_EYES = ((33, 133, 159, 145), (263, 362, 386, 374))
_NOSE, _MOUTH = 1, (61, 291)


@dataclass(frozen=True)
class Faces:
    """Training faces.

    Attributes:
        images: ``[N,3,192,192]`` uint8.
        landmarks: ``[N,478,2]`` pixels of ``images``, MediaPipe Face Mesh order.
        emotion: a word for each face, empty where unknown.
        color: ``[N]`` bool, False for grey photographs.
    """

    images: Tensor
    landmarks: Tensor
    emotion: tuple[str, ...]
    color: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def select(self, index: Tensor) -> Faces:
        return Faces(
            self.images[index], self.landmarks[index], tuple(self.emotion[i] for i in index.tolist()), self.color[index]
        )


def five_points(landmarks: Tensor) -> Tensor:
    """``[N,478,2]`` Face Mesh -> ``[N,5,2]``, in the order of :func:`flow_core.align.ffhq_matrix`."""
    eyes = [landmarks[:, list(e)].mean(1) for e in _EYES]
    return torch.stack([*eyes, landmarks[:, _NOSE], landmarks[:, _MOUTH[0]], landmarks[:, _MOUTH[1]]], 1)


def load(folder: str | Path) -> tuple[Faces, Faces]:
    """Faces for training and held-out faces, from ``expressions.*`` and ``portraits.*`` in ``folder``."""
    folder = Path(folder)
    if not (folder / "expressions.zip").is_file():
        raise SystemExit(f"{folder} holds no expressions.zip; give the folder of the training faces with --data.")
    train, test = [], []
    for kind, faces in (("expressions", _expressions(folder)), ("portraits", _portraits(folder))):
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
        sum((p.emotion for p in parts), ()),
        torch.cat([p.color for p in parts]),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as f:
        return list(csv.DictReader(f))


def _read(archive: zipfile.ZipFile, names: dict[str, str], file: str) -> Image.Image:
    return Image.open(io.BytesIO(archive.read(names[file]))).convert("RGB")


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


def _expressions(folder: Path) -> Faces:
    rows = _rows(folder / "expressions.csv")
    landmarks = torch.from_numpy(np.load(folder / "expressions_landmarks.npz")["landmarks"].astype(np.float32))
    with zipfile.ZipFile(folder / "expressions.zip") as z:
        names = {Path(n).name: n for n in z.namelist()}
        images = torch.stack([_to_tensor(_read(z, names, r["file"])) for r in rows])
    color = torch.tensor([r["mode"] == "color" for r in rows])
    return Faces(images, landmarks, tuple(r["emotion"] for r in rows), color)


def _portraits(folder: Path) -> Faces:
    emotions = {
        "smiling": "happiness",
        "surprised": "surprise",
        "sad or depressed": "sadness",
        "angry or enraged": "anger",
    }
    rows = _rows(folder / "portraits.csv")
    landmarks = torch.from_numpy(np.load(folder / "portraits_landmarks.npz")["landmarks"].astype(np.float32))
    images, moved = [], []
    with zipfile.ZipFile(folder / "portraits.zip") as z:
        names = {Path(n).name: n for n in z.namelist()}
        for row, points in zip(rows, landmarks, strict=True):
            picture = _to_tensor(_read(z, names, row["file"]))[None].float() / 255
            crop = Crop.from_points(five_points(points[None]), tuple(picture.shape[2:])).widen(WIDE)
            images.append((crop.aligned(picture, STORED)[0] * 255).round().byte())
            moved.append(crop.to_crop(points[None, None])[0, 0] * STORED)
    emotion = tuple(emotions.get(r["label"], "") for r in rows)
    return Faces(torch.stack(images), torch.stack(moved), emotion, torch.ones(len(rows), dtype=torch.bool))
