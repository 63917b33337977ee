"""One optimisation step beside the bare guide: ``python benchmarks/optimize.py [--guide NAME] [--representation KIND]``.

Prints milliseconds of a step, of a forward and backward pass of the guide on as many views, and their ratio, measured in
turn in one run, processor time of all threads: medians, for other work on the machine counts in wall time; the seconds of a whole edit, and of ``faceflow edit`` as a process beside the imports alone; and with
``--faces N`` the time of a batch beside that of single runs, and how far the fields differ.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

import torch

from flow_core.cli.demo import portraits
from flow_core.device import pick_device
from flow_core.editing.optimize import Settings, optimize
from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.fields.new import REPRESENTATIONS, new_field
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.guides.guide import Guide, load_guide
from flow_core.guides.prompts import Prompt, directions
from flow_core.io import picture
from flow_core.warping.warp import warp


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--guide", default="nano")
    ap.add_argument("--device", default="auto")
    ap.add_argument("--representation", default=REPRESENTATIONS[0], choices=REPRESENTATIONS)
    ap.add_argument("--rounds", type=int, default=60)
    ap.add_argument("--faces", type=int, default=0, help="also compare a batch of so many faces with single runs")
    o = ap.parse_args()
    device = pick_device(o.device)
    guide = load_guide(o.guide, device)
    photo = portraits()["astronaut"]
    prompt, settings = Prompt.parse("a smiling face"), Settings()

    start = time.perf_counter()
    crop, _ = align(photo, load_detector())
    found = time.perf_counter() - start

    text, _ = directions(guide, prompt)
    views = torch.rand(settings.views, 3, guide.image_size, guide.image_size, device=device, requires_grad=True)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    ours, bare = [], []
    while len(ours) < o.rounds:
        steps = optimize(photo, crop, new_field(o.representation), guide, prompt, settings)
        last = next(steps)
        while True:
            start = clock()
            if (step := next(steps, None)) is None:
                break
            ours.append(clock() - start)
            last, start = step, clock()
            (guide.encode_image(views) @ text.T).sum().backward()
            bare.append(clock() - start)
    start = time.perf_counter()
    warp(photo, crop, last.field.to("cpu"))
    moved = time.perf_counter() - start
    a, b = statistics.median(ours) * 1e3, statistics.median(bare) * 1e3
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, {device}, guide {guide.name}, {settings.views} views, {o.representation}"
    )
    print(f"step {a:.1f} ms, bare guide {b:.1f} ms, ratio {a / b:.2f}")
    print(f"find the face {found:.2f} s, {last.total} steps {last.total * a / 1e3:.2f} s, warp {moved:.2f} s")
    process(photo, o.guide)
    if o.faces:
        together(o.faces, photo, crop, guide, prompt)


def process(photo: torch.Tensor, guide: str, rounds: int = 3) -> None:
    """Time ``faceflow edit`` from start to end, in turn with a process that only imports what it needs."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.png"), Path(folder, "after.png")
        picture.write(picture.Picture(photo), before)
        edit = ["-m", "flow_core.cli", "edit", before, "a smiling face", "-o", after, "--guide", guide]
        imports = ["-c", "import flow_core.cli.main"]
        taken: dict[str, list[float]] = {"edit": [], "imports": []}
        for name, command in (("edit", edit), ("imports", imports)) * rounds:
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            taken[name].append(time.perf_counter() - start)
    whole, bare = (statistics.median(taken[name]) for name in ("edit", "imports"))
    print(
        f"faceflow edit, {photo.shape[3]}x{photo.shape[2]} pixels: {whole:.1f} s; python that only imports: {bare:.1f} s"
    )


def together(count: int, photo: torch.Tensor, crop: Crop, guide: Guide, prompt: Prompt) -> None:
    """Time a batch of views of one face beside single runs, all steps of each, and compare the fields."""
    photos = torch.cat([(photo * (0.8 + 0.4 * i / count)).clamp(0, 1) for i in range(count)])
    crops = [align(photos[i : i + 1], load_detector())[0] for i in range(count)]
    both = replace(
        crop, points=torch.cat([c.points for c in crops]), matrix=torch.cat([c.matrix for c in crops]),
        landmarks=torch.cat([c.landmarks for c in crops]), score=crop.score * count,
    )  # fmt: skip
    start = time.perf_counter()
    alone = [deque(optimize(photos[i : i + 1], crops[i], Field.zeros(28), guide, prompt), 1)[0] for i in range(count)]
    singly = time.perf_counter() - start
    start = time.perf_counter()
    [last] = deque(optimize(photos, both, Field.zeros(28), guide, prompt), 1)
    batch = time.perf_counter() - start
    off = max((last.field.offset[i] - alone[i].field.offset[0]).abs().max().item() for i in range(count))
    print(
        f"{count} faces: singly {singly:.1f} s, together {batch:.1f} s ({batch / singly:.0%}), fields differ by {off:.1e}"
    )


if __name__ == "__main__":
    main()
