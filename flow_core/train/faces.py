"""Prepare photographs for training: ``python -m flow_core.train faces DIR -o DATA``.

Writes ``portraits.zip``, ``portraits.csv`` and ``portraits_landmarks.npz``, which every training here reads from
``--data DATA``. The name of a picture's folder becomes its label (see :mod:`flow_core.train.attributes`). Landmarks come from
MediaPipe where it is installed, else from the built-in network; a network can hardly become better than its teacher.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..faces.align import FaceNotFound, align
from ..faces.detect import load_detector
from ..faces.landmarks import POINTS, load_landmarks
from ..geometry.crop import Crop
from ..io import picture

ROOM = 1.7  # side of a stored picture, in sides of the crop
LARGEST = 480  # pixels
KINDS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def mediapipe() -> Callable[[Tensor], Tensor | None]:
    """MediaPipe's Face Mesh as a function from a picture ``[3,H,W]`` to :data:`POINTS` ``[161,2]`` in its pixels.

    Raises:
        ImportError: there is no MediaPipe, or one without its Face Mesh.
    """
    import mediapipe as module

    if not hasattr(module, "solutions"):
        raise ImportError("MediaPipe of this version has no Face Mesh; 0.10.21 has")
    mesh = module.solutions.face_mesh.FaceMesh(
        static_image_mode=True, max_num_faces=1, refine_landmarks=True, min_detection_confidence=0.3
    )

    def find(face: Tensor) -> Tensor | None:
        array = (face.permute(1, 2, 0) * 255).round().byte().numpy()
        found = mesh.process(np.ascontiguousarray(array)).multi_face_landmarks
        if not found:
            return None
        points = torch.tensor([(p.x, p.y) for p in found[0].landmark])[list(POINTS)]
        return points * torch.tensor([face.shape[2], face.shape[1]])

    return find


def prepare(files: list[Path], root: Path, out: Path, landmarks: str) -> tuple[int, list[str]]:
    """Write the three files of :mod:`flow_core.train.data` for pictures below ``root``.

    Returns:
        how many faces were written, and a line for each picture that was left out.
    """
    detector, net = load_detector(), load_landmarks()
    find = mediapipe() if landmarks == "mediapipe" else None
    rows, meshes, left_out = [], [], []
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out / "portraits.zip", "w") as archive:
        for file in files:
            try:
                photo = picture.read(file).rgb
                crop, _ = align(photo, detector, landmarks=net)
            except (FaceNotFound, ValueError, OSError) as e:
                left_out.append(f"{file}: {e}")
                continue
            face, points = _cut(photo, crop)
            if find is not None and (points := find(face[0])) is None:
                left_out.append(f"{file}: MediaPipe finds no face")
                continue
            name = f"{len(rows):05d}.jpg"
            data = io.BytesIO()
            array = (face[0].permute(1, 2, 0) * 255).round().byte().numpy()
            Image.fromarray(array).save(data, "JPEG", quality=95)
            archive.writestr(name, data.getvalue())
            label = file.parent.name if file.parent != root else ""
            rows.append((name, file.name, label, face.shape[3], face.shape[2]))
            meshes.append(points.numpy())
    with (out / "portraits.csv").open("w", newline="") as f:
        csv.writer(f).writerows([("file", "source", "label", "width", "height"), *rows])
    np.savez_compressed(
        out / "portraits_landmarks.npz", landmarks=np.array(meshes, np.float32).reshape(-1, len(POINTS), 2)
    )
    return len(rows), left_out


def _cut(photo: Tensor, crop: Crop) -> tuple[Tensor, Tensor]:
    """A square ``[1,3,S,S]`` with the whole head, and the landmarks ``[161,2]`` in it."""
    wide = crop.widen(ROOM)
    size = min(LARGEST, max(64, round(wide.side.item())))
    assert crop.landmarks is not None
    return wide.aligned(photo, size), wide.to_crop(crop.landmarks[:, None])[0, 0] * size


def main(argv: list[str] | None = None) -> None:
    ap = argparse.ArgumentParser("python -m flow_core.train faces", description=__doc__.split("\n")[0])
    ap.add_argument(
        "folder", type=Path, help="photographs, with any folders below; a folder's name labels its pictures"
    )
    ap.add_argument("-o", "--out", type=Path, required=True)
    ap.add_argument("--landmarks", choices=("auto", "builtin", "mediapipe"), default="auto")
    o = ap.parse_args(argv)
    files = sorted(p for p in o.folder.rglob("*") if p.suffix.lower() in KINDS)
    if not files:
        raise SystemExit(f"{o.folder} holds no pictures ({', '.join(KINDS)}).")
    kind = o.landmarks
    if kind == "auto":
        kind = "mediapipe" if importlib.util.find_spec("mediapipe") else "builtin"
    try:
        count, left_out = prepare(files, o.folder, o.out, kind)
    except ImportError as e:
        raise SystemExit(f"{e}. Install it, or use the built-in network: --landmarks builtin") from e
    print("\n".join(left_out))
    print(f"{count} faces of {len(files)} pictures are in {o.out}, landmarks: {kind}")
    if not count:
        raise SystemExit("No face was found, so there is nothing to train on.")
