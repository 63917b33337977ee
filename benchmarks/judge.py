"""Edits of many faces by many prompts, judged from outside: ``make judge``, or ``python -m benchmarks.judge --judge COMMAND``.

Every face of ``--faces DIR`` (the twenty of docs/people, which do not exist) gets every prompt by every method at defaults. Then the
judge is run: any command that reads the list of pairs and writes a table, with ``{pairs}`` and ``{csv}`` in their places; the
columns are told in ``benchmarks/face_judge.py``, the judge that ``make judge`` installs into ``.venv-judge`` and runs. Printed in
Markdown: the table of the README, a row for each prompt of shape, how evenly strength acts (R² of a line through ``hit`` at strengths 0,
0.25, 0.5, 0.75 and 1, the mean over the emotions on the first faces), and the seconds an edit takes. With
``--resume`` edits that are in ``--out DIR`` already are not made again; they may be those of another version.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from flow_core.editing.edit import make_field
from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.guides.guide import load_guide
from flow_core.guides.prompts import Prompt
from flow_core.io import picture
from flow_core.warping.warp import warp

ROOT = Path(__file__).parents[1]
EMOTIONS = ("a smiling face", "an angry face", "a surprised face", "a sad face")
SHAPES = (
    "a face with wide eyes", "a face with narrow eyes", "a face with an open mouth", "a face with a wide nose", "a face with a long nose",
    "a round face", "a face with full lips", "a face with raised eyebrows",
)  # fmt: skip
STRENGTHS, STEADY = (0.25, 0.5, 0.75), 5  # further strengths, and on how many faces
METHODS = {"optimize": "optimised", "predict": "one shot"}


def pictures(folder: Path, count: int | None) -> list[Path]:
    """The pictures of a folder by their names.

    Raises:
        SystemExit: there are none.
    """
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))[:count]
    if not found:
        sys.exit(f"There are no pictures in {folder}; name a folder of portraits with --faces.")
    return found


def save(image: Tensor, path: Path) -> None:
    picture.write(picture.Picture(image), path)


def make(
    faces: list[Path], methods: list[str], out: Path, resume: bool = False
) -> tuple[list[dict[str, str]], dict[str, float]]:
    """Edit all, and return the pairs and the mean seconds of each method's edits that were made now."""
    guide, detector, pairs, seconds = load_guide(), load_detector(), [], {m: [] for m in methods}
    for number, path in enumerate(faces):
        photo = picture.read(path).rgb
        crop, _ = align(photo, detector)
        before = out / f"{path.stem}.png"
        save(photo, before)
        for method in methods:
            for prompt in EMOTIONS + SHAPES:
                more = STRENGTHS if number < STEADY and prompt in EMOTIONS else ()
                names = {s: f"{path.stem} {method} {prompt} {s:g}" for s in (1.0, *more)}
                pairs += [
                    {"name": n, "before": before.name, "after": f"{n}.png", "prompt": prompt} for n in names.values()
                ]
                if resume and all((out / f"{n}.png").exists() for n in names.values()):
                    continue
                start = time.perf_counter()
                field = make_field(photo, crop, guide, Prompt.parse(prompt), method)
                seconds[method].append(time.perf_counter() - start)
                for strength, name in names.items():
                    save(warp(photo, crop, field, strength, strength)[0], out / f"{name}.png")
        print(f"{number + 1} of {len(faces)} faces", file=sys.stderr)
    return pairs, {m: sum(s) / len(s) for m, s in seconds.items() if s}


def evenness(rows: dict[str, float]) -> float:
    """R² of a line through hits at strengths, from nothing at 0."""
    x = torch.tensor([0.0, *rows])
    y = torch.tensor([0.0, *rows.values()])
    line = torch.stack([x, torch.ones_like(x)], 1)
    rest = y - line @ torch.linalg.lstsq(line, y[:, None]).solution[:, 0]
    return 1 - (rest.square().sum() / (y - y.mean()).square().sum().clamp(min=1e-9)).item()


def table(judged: list[dict[str, str]], methods: list[str]) -> str:
    """What the README shows."""

    def mean(rows: list[dict[str, str]], column: str) -> float:
        values = [float(r[column]) for r in rows if r.get(column)]
        return sum(values) / len(values) if values else float("nan")

    def cell(rows: list[list[dict[str, str]]], column: str, form: str) -> str:
        values = [mean(r, column) for r in rows]
        return "" if any(v != v for v in values) else "/".join(format(v, form) for v in values)

    full = [r for r in judged if r["name"].endswith(" 1")]
    names = " and ".join(METHODS[m] for m in methods)
    lines = [f"| {names} | hit | id | wrong way | reads |", "|---|---|---|---|---|"]
    groups = [(p, (p,)) for p in EMOTIONS] + [("eight shapes", SHAPES), ("all", EMOTIONS + SHAPES)]
    groups += [(p, (p,)) for p in SHAPES]
    for name, prompts in groups:
        rows = [[r for r in full if r["prompt"] in prompts and f" {method} " in r["name"]] for method in methods]
        wrong = "/".join(format(sum(float(r["hit"]) < 0.3 for r in part) / max(1, len(part)), ".0%") for part in rows)
        lines.append(
            f"| {name} | {cell(rows, 'hit', '.2f')} | {cell(rows, 'id', '.2f')} | {wrong} | {cell(rows, 'reads', '.0%')} |"
        )
    lost = sum(int(float(r["lost"])) for r in full)
    lines.append(f"\n{len(full)} edits, {lost} faces lost, drift {mean(full, 'drift'):.2f} of 255")
    for method in methods:
        series: dict[str, dict[float, float]] = {}
        for r in judged:
            name, _, strength = r["name"].rpartition(" ")
            if f" {method} " in r["name"]:
                series.setdefault(name, {})[float(strength)] = float(r["hit"])
        values = [evenness(dict(sorted(s.items()))) for s in series.values() if len(s) > 1]
        if values:
            lines.append(f"\n{METHODS[method]}: R² of hit against strength {sum(values) / len(values):.2f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=ROOT / "docs" / "people")
    parser.add_argument("--count", type=int, help="only so many faces")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "judge")
    parser.add_argument("--resume", action="store_true", help="keep the edits that are there")
    parser.add_argument("--judge", metavar="COMMAND", help="command of the judge; without it only the edits are made")
    o = parser.parse_args()
    o.out.mkdir(parents=True, exist_ok=True)
    pairs, seconds = make(pictures(o.faces, o.count), o.methods, o.out, o.resume)
    listed, judged = o.out / "pairs.json", o.out / "judged.csv"
    listed.write_text(json.dumps(pairs, indent=1))
    print("".join(f"{METHODS[m]}: {s:.2f} s an edit\n" for m, s in seconds.items()))
    if not o.judge:
        print(f"{len(pairs)} pairs are listed in {listed}; name a judge with --judge, or run: make judge")
        return
    judged.unlink(missing_ok=True)
    # split first, so that a path with spaces stays one word
    words = [w.format(pairs=listed, csv=judged) for w in shlex.split(o.judge)]
    ran = subprocess.run(words, check=False)
    if not judged.exists():
        sys.exit(f"The judge ({words[0]}) ended with {ran.returncode} and wrote no {judged}.")
    with open(judged, newline="") as file:
        print(table(list(csv.DictReader(file)), o.methods))


if __name__ == "__main__":
    main()
