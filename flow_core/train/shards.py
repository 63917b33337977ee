"""Training faces in tar shards, to be read in one stream from disks or networks that dislike many files.

``python -m flow_core.train shards --data DIR -o OUT`` writes them. A shard is a tar file of pairs ``NAME.jpg`` and
``NAME.json``, the layout of WebDataset: ``{"landmarks": [[x, y], ...], "label": "", "kind": "", "color": true}``, with the 161
landmarks of :mod:`flow_core.faces.landmarks` (or all 478 of a Face Mesh) in pixels of the picture. Only the landmarks are needed.
"""

from __future__ import annotations

import argparse
import glob
import io
import json
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ..faces.landmarks import POINTS
from ..io.picture import RASTER
from . import data, loop

HELD_OUT_EVERY = 50  # of the faces of each shard, the last of each such run is kept from training
Face = tuple[Tensor, Tensor, bool]  # a stored square, landmarks in it, and whether it has colours


def find(pattern: str) -> list[str]:
    """The shards of a pattern such as ``faces/*.tar``.

    Raises:
        SystemExit: there are none.
    """
    found = sorted(glob.glob(pattern, recursive=True))
    if not found:
        raise SystemExit(
            f"No shard is called {pattern}; write some with: python -m flow_core.train shards --data DIR -o OUT"
        )
    return found


def write(faces: data.Faces, out: Path, size: int = 1000) -> list[Path]:
    """Write ``faces`` into shards of ``size`` faces each."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for first in range(0, len(faces), size):
        paths.append(out / f"faces-{first // size:05d}.tar")
        with tarfile.open(paths[-1], "w") as tar:
            for i in range(first, min(first + size, len(faces))):
                picture = io.BytesIO()
                Image.fromarray(faces.images[i].permute(1, 2, 0).numpy()).save(picture, "JPEG", quality=95)
                about = {"landmarks": [[round(v, 2) for v in p] for p in faces.landmarks[i].tolist()],
                         "label": faces.label[i], "kind": faces.kind[i], "color": bool(faces.color[i])}  # fmt: skip
                for ending, content in (("jpg", picture.getvalue()), ("json", json.dumps(about).encode())):
                    entry = tarfile.TarInfo(f"{i:08d}.{ending}")
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
    return paths


def read(path: str | Path) -> Iterator[Face]:
    """The faces of one shard, in one pass.

    Raises:
        ValueError: a picture has no landmarks, or not as many as are needed.
    """
    waiting: dict[str, dict[str, bytes]] = {}
    with tarfile.open(path, "r|*") as tar:
        for entry in tar:
            name, _, ending = entry.name.rpartition(".")
            if not entry.isfile() or ending.lower() not in ("jpg", "jpeg", "png", "webp", "json"):
                continue
            content = tar.extractfile(entry)
            assert content is not None
            pair = waiting.setdefault(name, {})
            pair["json" if ending.lower() == "json" else "picture"] = content.read()
            if len(pair) == 2:
                yield _face(f"{path}: {name}", **waiting.pop(name))
    if waiting:
        raise ValueError(
            f"{path}: {next(iter(waiting))} is alone; each picture needs NAME.jpg and NAME.json with its landmarks."
        )


def _face(name: str, picture: bytes, json: bytes) -> Face:
    from json import loads

    about = loads(json)
    points = torch.tensor(about.get("landmarks", []), dtype=torch.float32)
    if len(points) > len(POINTS):
        points = points[list(POINTS)]
    if points.shape != (len(POINTS), 2):
        raise ValueError(f"{name} needs {len(POINTS)} landmarks [x, y] in its JSON, it has {tuple(points.shape)}.")
    array = np.asarray(Image.open(io.BytesIO(picture), formats=RASTER).convert("RGB")).copy()
    image = torch.from_numpy(array).permute(2, 0, 1)
    color = about.get("color")
    if color is None:
        color = bool((array.max(2).astype(int) - array.min(2)).mean() > 5)
    if tuple(image.shape[1:]) != (data.STORED, data.STORED):
        image, points = data.square(image[None].float() / 255, points)
    return image, points, bool(color)


class Stream(IterableDataset):
    """Endless faces from shards, shuffled.

    Each process and each worker reads shards of its own in random order, and draws from a buffer of faces. With fewer shards
    than readers, all readers share all shards and differ by their order alone.
    """

    def __init__(self, paths: list[str], seed: int, buffer: int = 1000) -> None:
        self.paths, self.seed, self.buffer = paths, seed, buffer
        self.rank, self.processes = loop.rank(), loop.processes()  # a worker could not ask

    def __iter__(self) -> Iterator[Face]:
        worker = get_worker_info()
        workers, number = (worker.num_workers, worker.id) if worker else (1, 0)
        reader, readers = self.rank * workers + number, self.processes * workers
        rng = random.Random(self.seed * 1_000_003 + reader)
        own = self.paths[reader::readers] if len(self.paths) >= readers else list(self.paths)
        kept: list[Face] = []
        while True:
            rng.shuffle(own)
            seen = 0
            for path in own:
                for i, face in enumerate(read(path)):
                    if i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1:
                        continue
                    seen += 1
                    if len(kept) < self.buffer:
                        kept.append(face)
                        continue
                    at = rng.randrange(self.buffer)
                    kept[at], face = face, kept[at]
                    yield face
            if not seen:
                raise ValueError(f"The shards {', '.join(own)} hold no faces.")
            if len(kept) < self.buffer:  # all faces fit: hand them out until the next pass
                rng.shuffle(kept)
                yield from kept
                kept.clear()


def batches(paths: list[str], batch: int, seed: int, workers: int = 2) -> Iterator[list[Tensor]]:
    """Endless ``[images [n,3,192,192] uint8, landmarks [n,161,2], color [n]]``, read by ``workers`` processes ahead of time."""
    return iter(DataLoader(Stream(paths, seed), batch, num_workers=workers, persistent_workers=False))


def held_out(paths: list[str], most: int = 64) -> data.Faces:
    """The first faces that no :class:`Stream` hands out."""
    found = []
    for path in paths:
        found += [face for i, face in enumerate(read(path)) if i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1]
        if len(found) >= most:
            break
    if not found:
        return data.Faces(torch.zeros(0, 3, data.STORED, data.STORED, dtype=torch.uint8), torch.zeros(0, len(POINTS), 2),
                          (), (), torch.zeros(0, dtype=torch.bool))  # fmt: skip
    images, landmarks, color = zip(*found[:most], strict=True)
    n = len(images)
    return data.Faces(torch.stack(images), torch.stack(landmarks), ("",) * n, ("portraits",) * n, torch.tensor(color))


def main(argv: list[str] | None = None) -> None:
    ap = argparse.ArgumentParser("python -m flow_core.train shards", description=__doc__.split("\n")[0])
    ap.add_argument("--data", type=Path, required=True, help="folder of the training faces")
    ap.add_argument("-o", "--out", type=Path, required=True)
    ap.add_argument("--size", type=int, default=1000, help="faces in each shard (default 1000)")
    o = ap.parse_args(argv)
    train, test = data.load(o.data)
    paths = write(train, o.out, o.size)
    print(
        f"{len(train)} faces in {len(paths)} shards in {o.out}; the {len(test)} held-out faces of the data are not among them"
    )
