"""How long a predicted edit takes, with the face found: ``python benchmarks/predict.py [FILE]`` (weights; the built-in without)."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable

import torch

from flow_core.cli.demo import portraits
from flow_core.editing.predict import Predictor
from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.fields.units import fit_shown
from flow_core.guides.guide import load_guide
from flow_core.guides.nano import IMAGE_SIZE
from flow_core.guides.prompts import Prompt
from flow_core.warping.warp import warp

SIDE = 256


def clock(work: Callable[[], object], rounds: int = 60) -> str:
    """Median wall time, and mean time of all cores, of one call."""
    for _ in range(5):
        work()
    wall, cpu = [], time.process_time()
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        wall.append(time.perf_counter() - start)
    return (
        f"{1000 * sorted(wall)[rounds // 2]:.1f} ms, {1000 * (time.process_time() - cpu) / rounds:.1f} ms of all cores"
    )


def main() -> None:
    guide, photo = load_guide(), portraits()["astronaut"]
    net = Predictor.load(sys.argv[1]) if sys.argv[1:] else Predictor.load()
    crop, _ = align(photo, load_detector())
    face = crop.aligned(photo, SIDE)
    small_crop, _ = align(face, load_detector())
    fitted = fit_shown(crop.places)
    small, places = crop.aligned(photo, IMAGE_SIZE), crop.places
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, {sum(p.numel() for p in net.parameters()) / 1e6:.1f} M"
    )
    with torch.inference_mode():
        for text in ("a smiling face", "red lips", "tanned skin", "blond hair"):
            prompt = Prompt.parse(text)
            bound = net.bind(guide, prompt)
            field = bound(small, places)
            print(f"{text}: bind {clock(lambda p=prompt: net.bind(guide, p))}")
            another = iter(small + 1e-5 * k for k in range(1, 10_000))
            print(f"{text}: field {clock(lambda b=bound: b(small, places, fitted))}")
            print(f"{text}: field of another face {clock(lambda b=bound, o=another: b(next(o), places, fitted))}")
            print(f"{text}: warp at {SIDE} px {clock(lambda f=field: warp(face, small_crop, f))}")
        print(f"fit of the face {clock(lambda: fit_shown(places))}")


if __name__ == "__main__":
    main()
