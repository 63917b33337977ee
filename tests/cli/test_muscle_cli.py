# ruff: noqa: F811 (fixtures of another file)
"""``faceflow muscles``, ``read``, ``copy`` and ``drive``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_cli import _models, face, failure, photo, pixels  # noqa: F401

from flow_core.cli import main as cli
from flow_core.cli.demo import portraits
from flow_core.fields.files import load_field
from flow_core.io import picture


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.png"
    picture.write(picture.Picture(portraits()["grace_hopper"]), path)
    return path


def test_muscles(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, saved, again = tmp_path / "out.png", tmp_path / "wink.safetensors", tmp_path / "again.png"
    assert (
        cli.main(["muscles", str(photo), "mouthSmile 0.7, eyeBlinkLeft 1", "-o", str(out), "--save-field", str(saved)])
        == 0
    )
    assert "eyeBlinkLeft 1.00, mouthSmile 0.70" in capsys.readouterr().out
    was, now = (pixels(p).astype(int) for p in (photo, out))
    assert now.shape == was.shape
    assert (np.abs(now - was).max(-1) > 8).mean() > 0.002
    assert (now[:5] == was[:5]).all()
    assert load_field(saved).kind == "muscles"
    assert cli.main(["apply", str(photo), str(saved), "-o", str(again)]) == 0
    np.testing.assert_array_equal(pixels(again), pixels(out))
    assert cli.main(["muscles", str(photo), "smile", "-o", str(again), "--strength", "0"]) == 0
    np.testing.assert_array_equal(pixels(again), pixels(photo))


def test_names_are_told(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = failure(capsys, "muscles", photo, "mouthSmlie 0.7", "-o", tmp_path / "out.png")
    assert "mouthSmlie" in said
    assert "mouthSmile" in said
    with pytest.raises(SystemExit) as end:
        cli.main(["muscles", "--names"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("surprise", "browInnerUp", "jawLeft", "noseTipUp"))


def test_each_photo_of_a_copy_has_its_own_face(photo: Path, other: Path, tmp_path: Path) -> None:
    """The second of two faces takes the expression of the only one of another photo, and the other way round."""
    two, out = tmp_path / "two.png", tmp_path / "out.png"
    Image.fromarray(np.hstack([pixels(photo)] * 2)).save(two)
    argv = ["copy", str(two), str(other), "-o", str(out), "--order", "left-right"]
    assert cli.main([*argv, "--face", "1"]) == 0
    moved = (pixels(out) != pixels(two)).any((0, 2))
    assert not moved[:200].any()
    assert moved[200:].any()
    assert cli.main(["copy", str(other), str(two), "-o", str(out), "--other-face", "1"]) == 0


def test_read_and_copy(photo: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["read", str(photo)]) == 0
    assert "mouthSmile" in capsys.readouterr().out
    out = tmp_path / "out.png"
    assert cli.main(["copy", str(other), str(photo), "-o", str(out)]) == 0
    assert not np.array_equal(pixels(out), pixels(other))
    capsys.readouterr()
    smiles = []
    for path in (other, out):
        assert cli.main(["read", str(path)]) == 0
        rows = [line.split() for line in capsys.readouterr().out.splitlines()]
        smiles.append(sum(float(r[1]) for r in rows if r[0].startswith("mouthSmile")))
    assert smiles[1] > smiles[0] + 0.1


def test_view_and_export_ask_for_the_face(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "smile.safetensors"
    assert cli.main(["muscles", str(photo), "smile", "-o", str(tmp_path / "out.png"), "--save-field", str(saved)]) == 0
    capsys.readouterr()
    assert "--portrait" in failure(capsys, "view", saved, "-o", tmp_path / "view.png")
    assert "--portrait" in failure(capsys, "export", saved, tmp_path / "flow.flo")
    for style in ("muscles", "grid"):
        view = tmp_path / f"{style}.png"
        assert (
            cli.main(["view", str(saved), "-o", str(view), "--style", style, "--portrait", str(photo), "--size", "96"])
            == 0
        )
        assert pixels(view).shape == (96, 96, 3)
    assert cli.main(["export", str(saved), str(tmp_path / "flow.flo"), "--portrait", str(photo)]) == 0
    assert (tmp_path / "flow.flo").stat().st_size > 512 * 512 * 8


def test_drive(photo: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    av = pytest.importorskip("av")
    clip, out = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    still = (portraits()["grace_hopper"][0].permute(1, 2, 0) * 255).round().byte().numpy()
    still = np.ascontiguousarray(still[: still.shape[0] // 2 * 2, : still.shape[1] // 2 * 2])
    with av.open(str(clip), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = *still.shape[:2], "yuv420p"
        for _ in range(4):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(still, format="rgb24")))
        file.mux(stream.encode())
    assert cli.main(["drive", str(photo), str(clip), "-o", str(out), "--reference", "first"]) == 0
    assert "4 frames" in capsys.readouterr().out
    with av.open(str(out)) as file:
        frames = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
    assert len(frames) == 4
    assert frames[0].shape == pixels(photo).shape
    # nothing happens in the clip, so nothing happens to the portrait
    assert np.abs(frames[3].astype(int) - frames[0]).mean() < 1
    empty = tmp_path / "empty.mp4"
    with av.open(str(empty), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 128, 128, "yuv420p"
        file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((128, 128, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode())
    assert "shows a face" in failure(capsys, "drive", photo, empty, "-o", tmp_path / "no.mp4")
    assert "png" in failure(capsys, "drive", photo, clip, "-o", tmp_path / "no.png")
