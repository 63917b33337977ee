"""A first edit, whole, as somebody makes it who has just installed the pack: run by .ci/floors with the oldest versions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from flow_core.fields.files import load_field
from flow_core.io import picture


def faceflow(*argv: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flow_core.cli", *map(str, argv)], capture_output=True, text=True, timeout=300,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_first_edit(astronaut: Tensor, tmp_path: Path) -> None:
    picture.write(picture.Picture(astronaut[..., :256, 96:352]), tmp_path / "in.png")
    field, out = tmp_path / "smile.safetensors", tmp_path / "out.png"
    faceflow("edit", tmp_path / "in.png", "a smiling face", "-o", out, "--save-field", field, "--steps", "4")
    changed = (picture.read(out).pixels - picture.read(tmp_path / "in.png").pixels).abs().amax(1)[0] > 0.02
    assert 0.001 < changed.float().mean() < 0.4
    assert load_field(field).meta["prompt"] == "a smiling face"
    # the same guide by open_clip
    from flow_core.guides.guide import WEIGHTS

    faceflow(
        "edit", tmp_path / "in.png", "a sad face", "-o", out, "--guide", WEIGHTS / "nano.safetensors", "--steps", "2"
    )


@pytest.mark.slow
def test_a_first_clip(astronaut: Tensor, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    frame = (astronaut[0, :, :256, 96:352].permute(1, 2, 0) * 255).round().byte().numpy()
    with av.open(str(tmp_path / "in.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        for shift in range(4):
            one = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(frame, shift, 1)), format="rgb24")
            file.mux(stream.encode(one))
        file.mux(stream.encode())
    out = tmp_path / "out.mp4"
    faceflow("video", tmp_path / "in.mp4", "a smiling face", "-o", out, "--method", "predict")
    with av.open(str(out)) as file:
        assert sum(1 for _ in file.decode(video=0)) == 4
