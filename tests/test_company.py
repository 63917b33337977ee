"""Good company: whatever is loaded and run, in however many threads, the process around it stays as it was."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from flow_core.editing.predict import Predictor
from flow_core.faces.covered import load_covered
from flow_core.faces.detect import load_detector
from flow_core.faces.hair import load_hair
from flow_core.faces.landmarks import load_landmarks
from flow_core.faces.read import load_reader
from flow_core.guides.guide import load_guide, open_clip
from flow_core.once import once
from flow_core.randomness import OwnRandom

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def state() -> dict[str, object]:
    """What a library must not change in somebody else's process."""
    import gc
    import signal
    import socket
    import urllib.request

    root = logging.getLogger()
    return {
        "torch random": torch.get_rng_state().tolist(),
        "numpy random": [str(x) for x in np.random.get_state()],
        "python random": random.getstate(),
        "threads of torch": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "dtype and device": (torch.get_default_dtype(), torch.get_default_device()),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled()),
        "determinism": (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark),
        "precision": torch.get_float32_matmul_precision(),
        "numpy errors": np.geterr(),
        "warnings": list(warnings.filters),
        "logging": (root.level, list(root.handlers), list(root.filters), logging.root.manager.disable),
        "signals": [signal.getsignal(s) for s in signal.valid_signals()],
        "environment": dict(os.environ),
        "path": list(sys.path),
        "folder": Path.cwd(),
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.gettrace()),
        "recursion": sys.getrecursionlimit(),
        "collector": (gc.isenabled(), gc.get_threshold()),
        "sockets": (socket.getdefaulttimeout(), urllib.request._opener),
        "threads": sorted(t.name for t in threading.enumerate() if not t.name.startswith("pytest")),
    }


def assert_unchanged(before: dict[str, object]) -> None:
    after = state()
    changed = {name: (before[name], after[name]) for name in before if after[name] != before[name]}
    assert not changed, changed


@pytest.fixture(scope="module")
def own_guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A guide of somebody's own, which open_clip loads."""
    from importlib import import_module

    path = tmp_path_factory.mktemp("guide") / "tiny.safetensors"
    open_clip()
    with OwnRandom():
        save_file(import_module("open_clip.model").CLIP(**TINY).state_dict(), str(path))
    path.with_suffix(".json").write_text(json.dumps(TINY))
    return path


def test_networks_are_built_without_a_draw() -> None:
    before = state()
    with OwnRandom():
        one = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Embedding(5, 6), torch.nn.MultiheadAttention(8, 2))
        drawn = torch.randn(3), torch.rand(3), torch.empty(3).uniform_(), torch.randperm(9)
    assert_unchanged(before)
    assert all(p.isfinite().all() for p in one.parameters())
    assert all(len(x.unique()) > 1 for x in drawn)


def test_sixty_threads_load_at_once(own_guide: Path) -> None:
    """While the host draws random numbers, which must come as if nobody else were there, and logs."""
    clip = open_clip()
    before, models = state(), clip.list_models()
    torch.manual_seed(3)
    expected = torch.rand(400)
    torch.manual_seed(3)
    loaders: list[Callable[[], object]] = [
        lambda: load_guide(str(own_guide)),
        load_guide,
        load_detector,
        load_landmarks.__wrapped__,
        load_reader.__wrapped__,
        load_covered.__wrapped__,
        load_hair.__wrapped__,
        Predictor.load,
    ]
    drawn = []
    with ThreadPoolExecutor(60) as pool:
        jobs = [pool.submit(loaders[i % 12 if i % 12 < len(loaders) else 0]) for i in range(60)]
        while not all(job.done() for job in jobs):
            if len(drawn) < len(expected):
                drawn.append(torch.rand(1))
            assert logging.getLogger().level == before["logging"][0]
            time.sleep(0.005)  # the draws are spread over all of the loading
        guides = [job.result() for job in jobs]
    assert len({type(g) for g in guides}) == 7
    assert drawn
    assert torch.equal(torch.cat(drawn), expected[: len(drawn)])
    torch.set_rng_state(torch.tensor(before["torch random"], dtype=torch.uint8))
    assert clip.list_models() == models
    assert_unchanged(before)


def test_what_is_loaded_once_is_loaded_once() -> None:
    calls, together = [], threading.Barrier(8)

    @once()
    def load(name: str) -> object:
        calls.append(name)
        threading.Event().wait(0.05)
        return object()

    def ask() -> object:
        together.wait()
        return load("a")

    with ThreadPoolExecutor(8) as pool:
        answers = [job.result() for job in [pool.submit(ask) for _ in range(8)]]
    assert calls == ["a"]
    assert len(set(map(id, answers))) == 1


WHOLE = """
import json, random, sys, threading, warnings
from pathlib import Path
sys.path.insert(0, "tests")
import numpy as np, torch, PIL.Image
import sympy  # torch imports it late, and it adds a filter of warnings
from test_company import state, assert_unchanged
from flow_core.cli.demo import portraits
photo = portraits()["astronaut"][..., :256, 96:352].contiguous()
torch.rand(4), np.random.rand(2), random.random()
before = state()

from flow_core import load_guide, load_detector
from flow_core.editing.edit import make_field
from flow_core.editing.optimize import Settings
from flow_core.editing.predict import Predictor
from flow_core.faces.align import align
from flow_core.fields.expressions import preset
from flow_core.fields.new import new_field
from flow_core.guides.prompts import Prompt
from flow_core.io import picture, sheets
from flow_core.video.editor import Editor
from flow_core.warping.measure import measure
from flow_core.warping.warp import warp
folder, own = Path(sys.argv[1]), sys.argv[2]
wrong = []

def edit(i):
    try:
        guide, detector = load_guide(own if i % 2 else "nano"), load_detector()
        crop, _ = align(photo, detector)
        prompt = Prompt.parse("a smiling face")
        kind = ("muscles", "raster", "siren", "fourier")[i % 4]
        field = make_field(photo, crop, guide, prompt, settings=Settings(steps=2), start=new_field(kind, width=16))
        if not i % 2:
            make_field(photo, crop, guide, prompt, "predict", predictor=Predictor.load())
        edited, _ = warp(photo, crop, field)
        measure(field, crop)
        field.save(folder / f"{i}.safetensors")
        picture.write(picture.Picture(edited), folder / f"{i}.png")
        picture.read(folder / f"{i}.png")
        sheets.compare(photo, crop, preset("smile"), 64)
        editor = Editor(preset("smile"), detector)
        for _ in range(2):
            editor.edit((photo[0].permute(1, 2, 0) * 255).byte())
        clip = folder / f"{i}.mp4"
        from flow_core.video.clips import Clip, Frame
        from flow_core.video.writer import Writer
        from fractions import Fraction
        like = Clip("", Fraction(10), 2, Fraction(1, 1000), (1, 1, 1, 1), Fraction(1))
        with Writer(clip, like, sound=False) as out:
            for t in range(2):
                out.write(Frame((photo[0].permute(1, 2, 0) * 255).byte(), 100 * t, t / 10))
        assert sum(1 for _ in Clip.open(clip)) == 2
    except BaseException as e:
        wrong.append(repr(e))

threads = [threading.Thread(target=edit, args=(i,)) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
assert not wrong, wrong
assert_unchanged(before)
print("unchanged")
"""


@pytest.mark.slow
def test_everything_runs_in_threads_and_the_process_stays(own_guide: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    done = subprocess.run(
        [sys.executable, "-c", WHOLE, str(tmp_path), str(own_guide)], capture_output=True, text=True, timeout=600,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["unchanged"]), done.stderr[-3000:]
