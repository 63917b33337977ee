"""Muscles fields: ``python benchmarks/muscles.py [--only folds|speed|photo|video|devices]``.

folds: the least Jacobian determinant of the visible skin, and the share of it that folds, over the faces of docs/people and the
presets at four strengths; the border of the layers (lids, lips, teeth) and what lies beyond the face is left out.
speed: milliseconds to fit a face, to move it, and to ask its field at 256 px; the least of many, one face.
photo: a warp of 6000x4000 pixels beside one bare bicubic ``grid_sample`` of the face square, medians of nine in turn.
devices: how far the pictures of CPU and CUDA lie apart.
video: frames a second of a 1280x720 clip that is edited with a smile, beside the same without an edit.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from flow_core.faces.align import FaceNotFound, align
from flow_core.faces.detect import load_detector
from flow_core.faces.landmarks import AT, OVAL
from flow_core.fields.expressions import PRESETS, preset
from flow_core.fields.face import Face
from flow_core.fields.moved import COARSE, moved_face
from flow_core.fields.units import fit_shown
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.mesh import polygon_distance
from flow_core.io import picture
from flow_core.video.editor import Editor
from flow_core.video.synthetic import synthetic
from flow_core.warping.warp import warp

PEOPLE = Path(__file__).parents[1] / "docs" / "people"
STRENGTHS = (-1.0, 0.5, 1.0, 1.5)
PHOTO, SIDE = (4000, 6000), 3000  # (height, width) of the large photo, side of its face square
INSIDE = 0.015  # fractions of the crop side from the outline, and
LAYER = 0.02  # of the skin from an opening, that are no skin


def folds() -> None:
    detector = load_detector()
    crops = []
    for path in sorted(PEOPLE.glob("*.jpg")):
        try:
            crops.append(align(picture.read(path).rgb, detector)[0])
        except FaceNotFound:
            print(f"{path.name}: no face")
    print(f"least determinant of the visible skin of {len(crops)} faces (share that folds, the worst face)\n")
    print("| preset | " + " | ".join(f"strength {s:g}" for s in STRENGTHS) + " |")
    print("|---" * (1 + len(STRENGTHS)) + "|")
    for name in PRESETS:
        cells = []
        for strength in STRENGTHS:
            found = [_determinant(crop, name, strength) for crop in crops]
            least = min(d.min().item() for d in found)
            worst = max((d <= 0).float().mean().item() for d in found)
            cells.append(f"{least:.2f} ({worst:.3%})")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def _determinant(crop: Crop, name: str, strength: float) -> Tensor:
    """Determinants ``[n]`` at the points of the visible skin."""
    places = crop.places[0]
    face = moved_face(Face(fit_shown(places[None]), places), preset(name).scale(strength, strength))
    if face is None:
        return torch.ones(1)
    size = face.skin.shape[-1]
    dx, dy = face.skin.diff(dim=3)[:, :, :-1] * size, face.skin.diff(dim=2)[..., :-1] * size
    determinant = (1 + dx[:, 0]) * (1 + dy[:, 1]) - dx[:, 1] * dy[:, 0]
    points = pixel_centers(size, size)[:, :-1, :-1]
    layers = torch.stack(
        [face.opening(points + torch.tensor(shift)) for shift in ((0, 0), (0, LAYER), (0, -LAYER))]
    ).amax(0)
    skin = (polygon_distance(places[[AT[i] for i in OVAL]], points) > INSIDE) & (layers < 0.01)
    return determinant[skin]


@torch.inference_mode()  # as the nodes and the command do
def speed() -> None:
    from flow_core.cli.demo import portraits

    photo = portraits()["astronaut"]
    places = align(photo, load_detector())[0].places
    smile, fitted, points = preset("smile"), fit_shown(places), pixel_centers(256, 256)
    moved = moved_face(Face(fitted, places[0]), smile, COARSE)
    for name, run in (
        ("fit a face", lambda: fit_shown(places)),
        ("move it", lambda: moved_face(Face(fitted, places[0]), smile, COARSE)),
        ("move it, on a large picture", lambda: moved_face(Face(fitted, places[0]), smile)),
        ("ask its field at 256 px", lambda: moved(points)),
    ):
        print(f"{name}: {_least(run):.1f} ms")


def _least(run: Callable[[], object], times: int = 40) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return 1e3 * min(taken)


def photo() -> None:
    from flow_core.cli.demo import portraits

    small = portraits()["astronaut"]
    found, _ = align(small, load_detector())
    big = F.interpolate(small, PHOTO, mode="bilinear")
    # the same face, upright in the middle of the large photo
    points = found.to_crop(found.points[:, None])[:, 0] * SIDE + torch.tensor(
        [PHOTO[1] / 2 - SIDE / 2, PHOTO[0] / 2 - SIDE / 2]
    )
    crop = Crop.from_points(points, PHOTO)
    crop = replace(crop, landmarks=crop.to_image(found.places[:, None])[:, 0])
    smile = preset("smile")
    grid = crop.to_image(pixel_centers(SIDE, SIDE)) / torch.tensor([PHOTO[1], PHOTO[0]]) * 2 - 1
    ours, bare = [], []
    for _ in range(9):
        start = time.perf_counter()
        warp(big, crop, smile)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        F.grid_sample(big, grid, "bicubic", "border", align_corners=False)
        bare.append(time.perf_counter() - start)
    a, b = statistics.median(ours), statistics.median(bare)
    print(
        f"warp of {PHOTO[1]}x{PHOTO[0]} with a face square of {SIDE}: {a:.2f} s, bare grid_sample of the square {b:.2f} s: {a / b:.2f}"
    )


def video(count: int = 300) -> None:
    from flow_core.cli.demo import portraits

    frames = list(islice(synthetic(portraits()["grace_hopper"], (720, 1280), 30, noise=1.0), count))
    detector = load_detector()
    for name, field in (("nothing", preset("smile").scale(0.0, 0.0)), ("a smile", preset("smile"))):
        editor = Editor(field, detector)
        edits = editor.edits(frames)
        start = time.perf_counter()
        next(edits)  # for which the face is looked for in full size
        begun = time.perf_counter()
        for _ in edits:
            pass
        seconds = time.perf_counter() - begun
        stages = ", ".join(f"{k} {1e3 * v / count:.1f}" for k, v in editor.seconds.items())
        print(
            f"1280x720 edited with {name}: the first frame after {begun - start:.2f} s, then {(count - 1) / seconds:.1f} frames a second "
            f"(ms of processor time a frame: {stages})"
        )


def devices() -> None:
    """The same picture on the processor and on CUDA, where there is one."""
    if not torch.cuda.is_available():
        print("no CUDA device here")
        return
    detector, worst = load_detector(), 0.0
    for path in sorted(PEOPLE.glob("*.jpg"))[:6]:
        image = picture.read(path).rgb
        crop, _ = align(image, detector)
        for name in ("smile", "surprise", "anger", "wink", "neutral"):
            here, there = (warp(image.to(d), crop, preset(name))[0].cpu() for d in ("cpu", "cuda"))
            worst = max(worst, (here - there).abs().max().item())
    print(f"largest difference between CPU and {torch.cuda.get_device_name()}: {255 * worst:.2f} of 255")
    moved = crop.to("cuda")
    flow = _least(
        lambda: (preset("smile").to("cuda").flow(crop=moved)(pixel_centers(256, 256, "cuda")), torch.cuda.synchronize())
    )
    print(f"fit, move and ask at 256 px on it: {flow:.1f} ms")


if __name__ == "__main__":
    parts = {"folds": folds, "speed": speed, "photo": photo, "video": video, "devices": devices}
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--only", choices=parts)
    o = ap.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads\n"
    )
    for name, part in parts.items():
        if o.only in (None, name):
            part()
            print()
