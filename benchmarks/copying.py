"""Expressions put on other faces, and taken away: how well what a judge reads afterwards is what was asked for.

``python benchmarks/copying.py [--data DIR] [--pairs N] [--judge MODEL] [--out DIR]``

The faces are those of docs/people, or with ``--data DIR`` held-out ones of ``expressions.zip`` there (192 px squares, enlarged to
320 px with a border of 64), in pairs with different labels, the same for the same seed. The judge is this project's own
reader of units on landmarks found anew, or with ``--judge face_landmarker.task`` MediaPipe's blendshapes, where the package
mediapipe can be imported. The target gets the source's expression, and each source's own is taken away. Printed:

- for each unit that varies among the sources, and for brows, eyes and mouth: the correlation of result and source over pairs
  ("over pairs"; the mean of a group's units), that of the target as it was, and the slope of the change that was made over the
  change that was asked;
- "all values": the correlation of a group's units of all pairs in one, that of the target as it was in brackets;
- "within pairs": for each pair the correlation of result and source over a group's units, less each unit's mean over all
  sources; the mean of pairs;
- neutral: the mean of all units above 0.3 before, and after; and what faces that are labelled neutral show of the same units, for
  those are read as squinting, and look aside, too. The last row leaves those faces out, which have no expression to be taken away.
"""

from __future__ import annotations

import argparse
import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from flow_core.faces.align import FaceNotFound, align
from flow_core.faces.detect import load_detector
from flow_core.faces.read import UNITS, read_units
from flow_core.faces.rig import load_rig
from flow_core.fields.expressions import expression_of, neutral
from flow_core.geometry.crop import Crop
from flow_core.io import picture
from flow_core.train import data
from flow_core.train.reader import correlation
from flow_core.train.shown import mediapipe_teacher
from flow_core.warping.warp import warp

PEOPLE = Path(__file__).parents[1] / "docs" / "people"
GROUPS = {"brows": ("brow",), "eyes": ("eye",), "mouth": ("mouth", "jaw")}
VARIES, ACTIVE = 0.03, 0.3  # least deviation over sources, and what counts as shown
Judge = Callable[[Tensor], "Tensor | None"]


def enlarged(face: Image.Image, side: int = 320, border: int = 64) -> Tensor:
    """A face square as a picture ``[1,3,H,W]`` with room around it."""
    array = np.asarray(face.convert("RGB").resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
    return F.pad(torch.from_numpy(array).permute(2, 0, 1)[None], [border] * 4, mode="replicate")


def held_out_faces(folder: Path, count: int, seed: int) -> tuple[list[Tensor], list[str]]:
    """Held-out faces of ``expressions.zip`` in random order, and their labels."""
    with open(folder / "expressions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = [
        row for row, out in zip(rows, data.held_out("expressions", len(rows)), strict=True) if out and row["emotion"]
    ]
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:count].tolist()
    with zipfile.ZipFile(folder / "expressions.zip") as archive:
        names = {Path(n).name: n for n in archive.namelist()}
        pictures = [enlarged(Image.open(io.BytesIO(archive.read(names[rows[i]["file"]])))) for i in order]
    return pictures, [rows[i]["emotion"] for i in order]


def pairs_of(labels: list[str], count: int) -> list[tuple[int, int]]:
    """Source and target of each pair, with different labels: each face with the next such one, then with the one after that."""
    pairs, step = [], 1
    while len(pairs) < count and step < len(labels):
        for i, label in enumerate(labels):
            j = (i + step) % len(labels)
            if labels[j] != label and len(pairs) < count:
                pairs.append((i, j))
        step += 1
    return pairs


def own_judge() -> Judge:
    """The project's own reader of units, on landmarks that are found anew in each picture."""
    detector = load_detector()

    def judge(image: Tensor) -> Tensor | None:
        try:
            return read_units(align(image, detector)[0].places)[0]
        except FaceNotFound:
            return None

    return judge


def mediapipe_judge(model: Path) -> Judge:
    """MediaPipe's blendshapes."""
    teacher = mediapipe_teacher(model)

    def judge(image: Tensor) -> Tensor | None:
        read = teacher(image)
        return None if read is None else read[0]

    return judge


def report_copies(source: Tensor, target: Tensor, result: Tensor) -> None:
    """The table of copies, ``[pairs,52]`` each."""
    over, before = correlation(result, source), correlation(target, source)
    asked, done = source - target, result - target
    slope = (asked * done).sum(0) / asked.square().sum(0).clamp(min=1e-9)
    varies = source.std(0) >= VARIES
    usual = source.mean(0)
    print("| unit | over pairs | as it was | slope |\n|---|---|---|---|")
    rows, within, whole = {}, {}, {}
    for group, begins in GROUPS.items():
        chosen = [i for i, n in enumerate(UNITS) if n.startswith(begins) and varies[i]]
        for i in chosen:
            print(f"| {UNITS[i]} | {over[i]:.2f} | {before[i]:.2f} | {slope[i]:.2f} |")
        rows[group] = torch.stack([v[chosen].mean() for v in (over, before, slope)])
        whole[group] = torch.stack(
            [correlation(v[:, chosen].flatten(), source[:, chosen].flatten()) for v in (result, target)]
        )
        within[group] = correlation((result - usual)[:, chosen].T, (source - usual)[:, chosen].T).mean()
    rows["mean of the three"] = torch.stack(list(rows.values())).mean(0)
    within["mean of the three"] = torch.stack(list(within.values())).mean()
    whole["mean of the three"] = torch.stack(list(whole.values())).mean(0)
    print("\n| group | over pairs | as it was | slope | all values | within pairs |\n|---|---|---|---|---|---|")
    for group, values in rows.items():
        after, before = whole[group]
        print(
            f"| {group} | {' | '.join(f'{v:.2f}' for v in values)} | {after:.2f} ({before:.2f}) | {within[group]:.2f} |"
        )


def report_neutral(before: Tensor, after: Tensor, expressive: Tensor) -> None:
    """What is left of active units, ``[faces,52]`` each, of all faces and of those that are ``expressive [faces]``."""
    active, rig = before > ACTIVE, load_rig()
    labelled = rig.means[rig.emotions.index("neutral")][[rig.unit_names.index(n) for n in UNITS]].expand_as(before)
    print("\n| made neutral | faces | before | after | fall | labelled neutral |\n|---|---|---|---|---|---|")
    groups = {"all units": ("",), "without gaze": None, **GROUPS, "all units, not labelled neutral": ("",)}
    for group, begins in groups.items():
        of = [not n.startswith("eyeLook") if begins is None else n.startswith(begins) for n in UNITS]
        chosen = active & torch.tensor(of)
        if group.endswith("neutral"):
            chosen = chosen & expressive[:, None]
        a, b, c = (units[chosen].mean() for units in (before, after, labelled))
        print(f"| {group} | {int(chosen.any(1).sum())} | {a:.2f} | {b:.2f} | {100 * (1 - b / a):.0f} % | {c:.2f} |")


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, help="folder of expressions.zip and expressions.csv; default: docs/people")
    ap.add_argument("--pairs", type=int, default=100)
    ap.add_argument("--judge", type=Path, metavar="MODEL", help="MediaPipe's face_landmarker.task")
    ap.add_argument("--seed", type=int, default=24)
    ap.add_argument(
        "--out", type=Path, metavar="DIR", help="write source, target, result and neutral source side by side"
    )
    o = ap.parse_args()
    judge = mediapipe_judge(o.judge) if o.judge else own_judge()
    if o.data:
        pictures, labels = held_out_faces(o.data, o.pairs + o.pairs // 10, o.seed)
    else:
        files = sorted(PEOPLE.glob("*.jpg"))
        pictures, labels = [picture.read(f).rgb for f in files], [f.stem for f in files]
    detector, crops, read = load_detector(), {}, {}
    for i, image in enumerate(pictures):
        try:
            crop: Crop = align(image, detector)[0]
        except FaceNotFound:
            continue
        if (units := judge(image)) is not None:
            crops[i], read[i] = crop, units
    known = sorted(crops)
    pairs = [(known[a], known[b]) for a, b in pairs_of([labels[i] for i in known], o.pairs)]
    results, neutrals, lost = {}, {}, 0
    for a, b in pairs:
        copied = warp(pictures[b], crops[b], expression_of(crops[a]))[0]
        rested = warp(pictures[a], crops[a], neutral())[0]
        for kept, key, image in ((results, (a, b), copied), (neutrals, a, rested)):
            units = judge(image)
            lost += units is None
            if units is not None:
                kept[key] = units
        if o.out:
            o.out.mkdir(parents=True, exist_ok=True)
            row = [F.interpolate(p, (448, 448)) for p in (pictures[a], pictures[b], copied, rested)]
            array = (torch.cat(row, 3)[0].permute(1, 2, 0) * 255).round().byte().numpy()
            Image.fromarray(array).save(o.out / f"{a:03d}_{b:03d}.jpg", quality=92)
    done = list(results)
    print(
        f"{len(pictures)} faces, {len(known)} found; {len(done)} pairs; {lost} results in which the judge finds no face"
    )
    print(f"judge: {'MediaPipe' if o.judge else 'the reader of this project'}\n")
    report_copies(*(torch.stack(v) for v in zip(*((read[a], read[b], results[a, b]) for a, b in done), strict=True)))
    rested = list(neutrals)
    expressive = torch.tensor([labels[i] != "neutral" for i in rested])
    report_neutral(torch.stack([read[i] for i in rested]), torch.stack([neutrals[i] for i in rested]), expressive)


if __name__ == "__main__":
    main()
