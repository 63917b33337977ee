"""An edit beside other busy processes: ``python benchmarks/busy.py [--busy 0 2 4] [--rounds 3] [--process]``.

Prints seconds of an edit at the defaults (the built-in guide, a portrait) within a process, for each number of busy
processes beside it, and how many times the quiet one that is; with ``--process`` those of ``faceflow edit`` as a process too.
The least of several rounds counts, taken in turn, so that what else runs on the machine touches all alike.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from flow_core.cli.demo import portraits
from flow_core.editing.edit import make_field
from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.guides.guide import load_guide
from flow_core.guides.prompts import Prompt
from flow_core.io import picture
from flow_core.warping.warp import warp

KINDS = {
    "loop": "while True: pass",  # one core, no memory
    "torch": "import torch\na = torch.rand(2000, 2000)\nwhile True: a @ a",  # what another edit or a training does
}


@contextmanager
def busy(count: int, kind: str) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", KINDS[kind]]) for _ in range(count)]
    try:
        time.sleep(3 if count and kind == "torch" else 0.5)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--busy", type=int, nargs="+", default=[0, 2, 4])
    ap.add_argument("--kind", choices=KINDS, default="loop")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--process", action="store_true", help="also time the command as a process of its own")
    o = ap.parse_args()
    photo, prompt = portraits()["astronaut"], Prompt.parse("a smiling face")
    detector, guide = load_detector(), load_guide()

    def edit() -> None:
        crop, _ = align(photo, detector)
        warp(photo, crop, make_field(photo, crop, guide, prompt))

    def process() -> None:
        argv = [sys.executable, "-m", "flow_core.cli", "edit", source, "a smiling face", "-o", f"{folder}/out.png"]
        subprocess.run(argv, check=True, capture_output=True)

    with tempfile.TemporaryDirectory() as folder:
        source = str(Path(folder) / "in.png")
        picture.write(picture.Picture(photo), source)
        jobs = {"edit in a process": edit} | ({"faceflow edit": process} if o.process else {})
        edit()
        found = defaultdict(list)
        for _ in range(o.rounds):
            for count in o.busy:
                with busy(count, o.kind):
                    for name, job in jobs.items():
                        start = time.perf_counter()
                        job()
                        found[name, count].append(time.perf_counter() - start)
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, busy with {o.kind}")
    for (name, count), seconds in found.items():
        best = min(seconds)
        print(f"{name:<18} {count} busy: {best:6.2f} s, {best / min(found[name, o.busy[0]]):5.2f} x the first")


if __name__ == "__main__":
    main()
