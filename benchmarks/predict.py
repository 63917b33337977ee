"""How long a predicted edit takes, with the face found: ``python benchmarks/predict.py [FILE]`` (weights; random without)."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable

import torch

from flow_core.cli.demo import portraits
from flow_core.editing.predict import Predictor, key_texts
from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.geometry.crop import Crop
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
    net = Predictor.load(sys.argv[1]) if sys.argv[1:] else Predictor("nano", key_texts(guide)).eval()
    crop, _ = align(photo, load_detector())
    face = crop.aligned(photo, SIDE)
    small, places = crop.aligned(photo, IMAGE_SIZE), crop.places
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, {sum(p.numel() for p in net.parameters()) / 1e6:.1f} M"
    )
    with torch.inference_mode():
        for text in ("a smiling face", "red lips"):
            prompt = Prompt.parse(text)
            bound = net.bind(guide, prompt)
            field = bound(small, places)
            print(f"{text}: bind {clock(lambda p=prompt: net.bind(guide, p))}")
            print(f"{text}: field {clock(lambda b=bound: b(small, places))}")
            print(f"{text}: warp at {SIDE} px {clock(lambda f=field: warp(face, Crop.whole(face), f))}")
        passes = clock(lambda: net(small, places, bound.text))
        print(f"network alone {passes}")


if __name__ == "__main__":
    main()
