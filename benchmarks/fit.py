"""The fit of the rig: milliseconds a face, and how well it meets the landmarks.

``python benchmarks/fit.py [PICTURE ...]`` prints milliseconds on two threads, over the faces of the pictures (default: docs/people).
``--data DIR`` adds the table of the card: 500 held-out faces of DIR (``expressions.csv`` and ``expressions_landmarks.npz``), with
landmarks measured by MediaPipe, by pose and expression.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.faces.fit import FittedFace, fit_faces
from flow_core.faces.landmarks import AT, EYES, IRISES, LIPS_INNER, OVAL, POINTS, five_points
from flow_core.faces.rig import load_rig
from flow_core.geometry.crop import Crop
from flow_core.io import picture

PEOPLE = Path(__file__).parents[1] / "docs" / "people"
INNER = [AT[i] for i in POINTS if i not in OVAL and i not in {j for side in IRISES for j in side[1:]}]


def median_ms(job, repeats: int = 30) -> float:
    job()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times)[repeats // 2]


def speed(pictures: list[Path]) -> None:
    detector = load_detector()
    places = []
    for path in pictures:
        crop, _ = align(picture.read(path).rgb, detector)
        places.append(crop.places)
    faces = torch.cat(places)
    one = faces[:1]
    fitted = fit_faces(one)
    print(f"{len(faces)} faces, {torch.get_num_threads()} threads")
    print(f"one face        {median_ms(lambda: fit_faces(one)):.1f} ms")
    print(f"one face, warm  {median_ms(lambda: fit_faces(one, warm=fitted)):.1f} ms")
    print(f"all at once     {median_ms(lambda: fit_faces(faces), 8) / len(faces):.1f} ms a face")
    print(f"vertices and projection  {median_ms(lambda: fitted.project(fitted.vertices())):.1f} ms")


def misses(fitted: FittedFace, places: Tensor) -> tuple[Tensor, Tensor]:
    """How far the mesh misses the landmarks ``[B]``, in % of the distance of the outer eye corners: without the correction
    and with it."""
    eyes = (places[:, AT[EYES[0][0]]] - places[:, AT[EYES[1][0]]]).norm(dim=-1)
    points, _ = fitted.project(fitted.vertices())
    out = []
    for at in (points - fitted.correction, points):
        miss = (fitted.rig.landmarks(at) - places).norm(dim=-1)[:, INNER].mean(1)
        out.append(100 * miss / eyes)
    return out[0], out[1]


def quality(folder: Path) -> None:
    with open(folder / "expressions.csv", newline="") as file:
        label = np.array([row["emotion"] or "none" for row in csv.DictReader(file)])
    landmarks = np.load(folder / "expressions_landmarks.npz")["landmarks"][:, list(POINTS)].astype(np.float32)
    held_out = np.arange(19, len(label), 20)[:500]  # those that nothing in train/ looks at
    points, label = torch.from_numpy(landmarks[held_out]), label[held_out]
    places = Crop.from_points(five_points(points), (192, 192)).to_crop(points[:, None])[:, 0]
    raw, corrected, yaw = [], [], []
    for part in places.split(50):
        fitted = fit_faces(part)
        for values, found in zip((raw, corrected), misses(fitted, part), strict=True):
            values.append(found)
        yaw.append(fitted.rotation[:, 0, 2].asin().rad2deg().abs())
    raw, corrected, yaw = (torch.cat(v).numpy() for v in (raw, corrected, yaw))

    def height(contour: tuple[int, ...]) -> np.ndarray:
        half = len(contour) // 4
        p = places[:, [AT[i] for i in contour]]
        up, across = (p[:, half] - p[:, 3 * half]).norm(dim=-1), (p[:, 0] - p[:, 2 * half]).norm(dim=-1)
        return (up / across).numpy()

    mouth, eyes = height(LIPS_INNER), (height(EYES[0]) + height(EYES[1])) / 2
    groups = {
        "all": yaw >= 0, "yaw below 10 degrees": yaw < 10, "10 to 25": (yaw >= 10) & (yaw < 25), "above 25": yaw >= 25,
        "mouth open": mouth > 0.25, "eyes shut": eyes < 0.15, **{e: label == e for e in sorted(set(label))},
    }  # fmt: skip
    print("| faces | number | mesh, % | worst tenth above, % | corrected, % |\n|---|---|---|---|---|")
    for name, chosen in groups.items():
        if chosen.sum() >= 5:
            tenth = np.quantile(raw[chosen], 0.9)
            print(
                f"| {name} | {chosen.sum()} | {raw[chosen].mean():.2f} | {tenth:.2f} | {corrected[chosen].mean():.2f} |"
            )


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("pictures", type=Path, nargs="*", help="default: docs/people")
    ap.add_argument("--data", type=Path)
    o = ap.parse_args()
    torch.set_num_threads(2)
    load_rig()
    speed(o.pictures or sorted(PEOPLE.glob("*.jpg")))
    if o.data:
        quality(o.data)


if __name__ == "__main__":
    main()
