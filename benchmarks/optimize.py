"""One optimisation step beside the bare guide: ``python benchmarks/optimize.py [--guide NAME]``.

Prints milliseconds of a step, of a forward and backward pass of the guide on as many views, and their ratio, measured in
turn in one run; and the seconds of a whole edit.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time

import torch

from flow_core.align import align
from flow_core.demo import portraits
from flow_core.detect import load_detector
from flow_core.device import pick_device
from flow_core.field import Field
from flow_core.guide import load_guide
from flow_core.optimize import Settings, optimize
from flow_core.prompts import Prompt, directions
from flow_core.warp import warp


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--guide", default="nano")
    ap.add_argument("--device", default="auto")
    ap.add_argument("--rounds", type=int, default=40)
    o = ap.parse_args()
    device = pick_device(o.device)
    guide = load_guide(o.guide, device)
    photo = portraits()["astronaut"]
    prompt, settings = Prompt.parse("a smiling face"), Settings(steps=o.rounds)

    start = time.perf_counter()
    crop, _ = align(photo, load_detector())
    found = time.perf_counter() - start

    text, _ = directions(guide, prompt)
    views = torch.rand(settings.views, 3, guide.image_size, guide.image_size, device=device, requires_grad=True)
    steps = optimize(photo, crop, Field.zeros(28), guide, prompt, settings)
    next(steps)
    ours, bare = [], []
    for _ in range(o.rounds - 1):
        start = time.perf_counter()
        step = next(steps)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        (guide.encode_image(views) @ text.T).sum().backward()
        bare.append(time.perf_counter() - start)
    start = time.perf_counter()
    warp(photo, crop, step.field.to("cpu"))
    moved = time.perf_counter() - start
    a, b = statistics.median(ours) * 1e3, statistics.median(bare) * 1e3
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, {device}, guide {guide.name}, {settings.views} views"
    )
    print(f"step {a:.1f} ms, bare guide {b:.1f} ms, ratio {a / b:.2f}")
    print(f"find the face {found:.2f} s, {Settings.steps} steps {Settings.steps * a / 1e3:.2f} s, warp {moved:.2f} s")


if __name__ == "__main__":
    main()
