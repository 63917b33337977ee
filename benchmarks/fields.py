"""Kinds of fields side by side, and the warp of a large photo: ``python benchmarks/fields.py [--only fields|photo]``.

Prints, for the demo's portraits and prompts, the guide gain of the finished field, its least Jacobian determinant at four
strengths, how far a point is from where it was after the field and its inverse, the bending energy of its displacement,
seconds and bytes; means over the edits, and the least determinant of all. Then seconds and additional memory (resident, of a
process of its own) of a warp of 6000x4000 pixels beside one bare bicubic ``grid_sample`` of the face square, medians of nine
in turn.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from flow_core.cli.demo import PROMPTS, portraits
from flow_core.editing import losses
from flow_core.editing.edit import make_field
from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.fields.neural import ARCHITECTURES, Implicit
from flow_core.fields.new import new_field
from flow_core.fields.raster import Field
from flow_core.fields.velocity import to_velocity
from flow_core.geometry.crop import Crop, ffhq_matrix
from flow_core.geometry.grid import pixel_centers
from flow_core.guides.guide import load_guide
from flow_core.guides.prompts import Prompt
from flow_core.warping.jacobian import jacobian_determinant
from flow_core.warping.measure import edit_gain
from flow_core.warping.warp import warp

STRENGTHS = (-1.0, 0.5, 1.0, 1.5)
PHOTO, SIDE = (4000, 6000), 3000  # (height, width) of the large photo, side of its face square


def fields() -> None:
    detector, guide = load_detector(), load_guide()
    grid = pixel_centers(512, 512)
    print("| kind | gain | " + " | ".join(f"det {s:g}" for s in STRENGTHS) + " | inverse px | bending | s | bytes |")
    print("|---" * 10 + "|")
    for kind in ("raster", *ARCHITECTURES):
        rows, least = [], []
        for photo in portraits().values():
            crop, _ = align(photo, detector)
            for text in PROMPTS:
                prompt = Prompt.parse(text)
                start = time.perf_counter()
                field = make_field(photo, crop, guide, prompt, start=new_field(kind))
                seconds = time.perf_counter() - start
                moved = field.flow()(grid).offset
                back = field.scale(-1).flow()(grid + moved.movedim(1, -1)).offset
                with tempfile.TemporaryDirectory() as folder:
                    size = field.save(Path(folder) / "f.safetensors").stat().st_size
                rows.append([
                    edit_gain(photo, crop, field, guide, prompt).item(), (moved + back).norm(dim=1).mean().item() * 512,
                    losses.bending_energy(moved).item(), seconds, size,
                ])  # fmt: skip
                least.append([jacobian_determinant(field, 1024, s).min().item() for s in STRENGTHS])
        mean, low = torch.tensor(rows).mean(0).tolist(), torch.tensor(least).amin(0).tolist()
        dets = " | ".join(f"{d:.2f}" for d in low)
        print(
            f"| {kind} | {mean[0]:+.2f} | {dets} | {mean[1]:.4f} | {mean[2]:.2f} | {mean[3]:.1f} | {mean[4]:.0f} |",
            flush=True,
        )


def photo(kind: str) -> None:
    """Time and memory of one warp; what is printed is a row of the table."""
    x = [(torch.arange(n) + 0.5) / n for n in PHOTO]
    image = (x[0][:, None] * 40).sin() * (x[1][None] * 50).cos() * 0.3 + 0.5
    image = image.expand(1, 3, -1, -1).contiguous()
    face = torch.tensor([[[0.375, 0.475], [0.625, 0.475], [0.5, 0.6], [0.4, 0.725], [0.6, 0.725]]])
    points = (face - 0.5) * SIDE + torch.tensor([3000.0, 2000.0])
    crop = Crop(PHOTO, points, ffhq_matrix(points.double()).float())
    g = torch.Generator().manual_seed(0)
    rough = F.interpolate(torch.randn(1, 5, 5, 5, generator=g), (28, 28), mode="bicubic")
    field = Field(0.01 * rough[:, :2], 0.03 * rough[:, 2:])
    if kind != "raster":
        field = to_velocity(field)
    if kind == "siren":
        field = Implicit.zeros(noise=0.01)
    small = Crop((64, 64), points / 100, ffhq_matrix(points / 100))
    warp(image[..., :64, :64].clone(), small, field)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out, _ = warp(image, crop, field)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    del out
    part = image[..., 500:3500, 1500:4500]
    where = pixel_centers(SIDE, SIDE) * 2 - 1 + 1e-4
    ours, bare = [], []
    for _ in range(9):
        start = time.perf_counter()
        F.grid_sample(part, where, mode="bicubic", padding_mode="border", align_corners=False)
        bare.append(time.perf_counter() - start)
        start = time.perf_counter()
        warp(image, crop, field)
        ours.append(time.perf_counter() - start)
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    times = f"{statistics.median(ours):.2f} | {statistics.median(bare):.2f} | {ratio:.2f}"
    print(f"| {kind} | {times} | {memory:.2f} |", flush=True)


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--only", choices=("fields", "photo", "raster", "velocity", "siren"), help="a part of it")
    o = ap.parse_args()
    if o.only in ("raster", "velocity", "siren"):
        return photo(o.only)
    if o.only != "photo":
        fields()
    if o.only != "fields":
        print(
            "\n| 6000x4000, face 3000 | warp s | bare grid_sample s | ratio | extra GiB |\n|---|---|---|---|---|",
            flush=True,
        )
        for kind in ("raster", "velocity", "siren"):
            subprocess.run([sys.executable, __file__, "--only", kind], check=True)


if __name__ == "__main__":
    main()
