"""What people and scripts hand to the shell: sentences instead of tracebacks, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import Remembering, constant_field, smooth_field
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from flow_core.cli import common
from flow_core.cli import main as cli
from flow_core.device import pick_device
from flow_core.faces import detect
from flow_core.fields.base import FieldError
from flow_core.fields.files import load_field
from flow_core.fields.neural import Implicit
from flow_core.fields.new import new_field
from flow_core.fields.raster import Field
from flow_core.fields.velocity import to_velocity
from flow_core.guides.guide import GuideError, load_guide
from flow_core.io import picture, sheets
from flow_core.warping.jacobian import fold_note, fold_share
from flow_core.warping.measure import measure


@pytest.fixture
def photo(tmp_path: Path, astronaut: Tensor) -> Path:
    picture.write(picture.Picture(astronaut[..., :180, 125:325]), tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture(autouse=True)
def _detector(monkeypatch: pytest.MonkeyPatch, finder: Remembering) -> None:
    monkeypatch.setattr(common, "load_detector", lambda *a, **k: finder)


def test_deep_pictures_stay_deep(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """16 bits in, 16 bits out, also through the warp; a format of 8 bits says so."""
    cv2 = pytest.importorskip("cv2")
    values = cv2.imread(str(photo)).astype(np.uint16) * 257
    values += np.random.default_rng(0).integers(0, 200, values.shape, dtype=np.uint16)
    values[values < 300] = 300
    cv2.imwrite(str(tmp_path / "deep.png"), values)
    field = smooth_field(0.03, 0).save(tmp_path / "f.safetensors")
    assert cli.main(["apply", str(tmp_path / "deep.png"), str(field), "-o", str(tmp_path / "out.tif")]) == 0
    out = cv2.imread(str(tmp_path / "out.tif"), cv2.IMREAD_UNCHANGED)
    assert out.dtype == np.uint16
    assert (out[0] == values[0]).all()
    assert len(np.unique(out & 255)) > 200
    assert not (out == values).all()
    assert cli.main(["apply", str(tmp_path / "deep.png"), str(field), "-o", str(tmp_path / "out.jpg")]) == 0
    assert "8 bits a channel" in capsys.readouterr().err


@pytest.mark.parametrize(("color", "channels"), [((0.2, -0.1, -0.1), 3), ((0.1, 0.1, 0.1), 1), ((0.0, 0.0, 0.0), 1)])
def test_colors_make_a_grey_picture_rgb(
    photo: Path, tmp_path: Path, color: tuple, channels: int, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.open(photo).convert("L").save(tmp_path / "grey.png")
    field = constant_field(0.01, 0, color).save(tmp_path / "f.safetensors")
    assert cli.main(["apply", str(tmp_path / "grey.png"), str(field), "-o", str(tmp_path / "out.png")]) == 0
    assert picture.read(tmp_path / "out.png").pixels.shape[1] == channels
    assert ("is grey and the edit has colours" in capsys.readouterr().err) == (channels == 3)


def test_one_bad_picture_does_not_cost_the_sheet(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.avif").write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"\xff" * 200)
    Image.new("RGB", (90, 90)).save(tmp_path / "empty.png")
    found = common.find_face

    def find(seen: picture.Picture, *rest: object) -> object:
        if seen.pixels.shape[3] == 90:
            raise PermissionError("no face here")
        return found(seen, *rest)

    monkeypatch.setattr(common, "find_face", find)
    pictures = [str(tmp_path / n) for n in ("broken.avif", "gone.png", "empty.png")]
    out = tmp_path / "sheet.png"
    assert cli.main(["sheet", *pictures, str(photo), "--expression", "smile", "--cell", "64", "-o", str(out)]) == 0
    said = capsys.readouterr().err
    assert all(f"{name} is left out" in said for name in ("broken.avif", "gone.png", "empty.png"))
    assert picture.read(out).pixels.shape[3] > 128


@pytest.mark.parametrize("cell", ["0", "-5", "100000", "1" + "0" * 26])
def test_cells_that_cannot_be(photo: Path, tmp_path: Path, cell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sheet", str(photo), "--expression", "smile", "--cell", cell, "-o", str(tmp_path / "s.png")]) == 2
    assert "cells" in capsys.readouterr().err
    assert not (tmp_path / "s.png").exists()


def test_numbers_beyond_all_measure() -> None:
    for resolution in (1, 0, -4, 10**26):
        with pytest.raises(FieldError, match=r"2\.\.1024 control points"):
            new_field("raster", resolution=resolution)
    for device in ("meta", "warp-drive", "cuda:99"):
        with pytest.raises(ValueError, match="try --device cpu"):
            pick_device(device)
    with pytest.raises(ValueError, match="megapixels"):
        sheets.require_sheet(1000, 9, 256)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_too_little_memory_is_a_sentence(
    photo: Path, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setitem(cli.COMMANDS, "apply", fail)
    assert cli.main(["apply", str(photo), "x", "-o", "y.png"]) == 2
    assert "not enough memory" in capsys.readouterr().err


@pytest.mark.slow
def test_letters_that_the_console_lacks(photo: Path, tmp_path: Path) -> None:
    """The picture is written; that its name cannot be printed is no failure."""
    field, out = smooth_field(0.03, 0).save(tmp_path / "f.safetensors"), tmp_path / "結果.png"
    done = subprocess.run(
        [sys.executable, "-m", "flow_core.cli", "apply", str(photo), str(field), "-o", str(out)],
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}, capture_output=True, timeout=300, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert out.is_file()
    assert b"\\u7d50\\u679c.png" in done.stdout


def rewritten(path: Path, old: bytes, new: bytes) -> Path:
    """A saved field with other metadata."""
    data = path.read_bytes()
    assert old in data
    data = data.replace(old, new)
    length = int.from_bytes(data[:8], "little") + len(new) - len(old)
    path.write_bytes(length.to_bytes(8, "little") + data[8:])
    return path


@pytest.mark.parametrize(
    "value", [b"1e400", b"NaN", b"-Infinity", b"1" + b"0" * 400, b"-3.0", b"0", b"null", b'\\"8\\"']
)
def test_bandwidth_and_gain_that_are_no_numbers(tmp_path: Path, value: bytes) -> None:
    path = Implicit.zeros("siren", 16, 8.0).save(tmp_path / "n.safetensors")
    with pytest.raises(FieldError, match="bandwidth"):
        load_field(rewritten(path, b'\\"bandwidth\\": 8.0', b'\\"bandwidth\\": ' + value))
    path = Field.zeros(8).with_meta(gain=8.125).save(tmp_path / "g.safetensors")
    measured = measure(load_field(rewritten(path, b'\\"gain\\": 8.125', b'\\"gain\\": ' + value)))
    assert ("guide gain" in str(measured[0])) == (value in (b"-3.0", b"0"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [(b'\\"gain\\": 1', b'\\"gain\\": ' + b"[" * 200_000, "nested too deeply"), (b'\\"raster\\"', b"{}", "does not know"),
     (b'\\"raster\\"', b"[1]", "does not know")],
)  # fmt: skip
def test_nested_json_and_odd_kinds(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    path = Field.zeros(8).with_meta(gain=1).save(tmp_path / "a.safetensors")
    with pytest.raises(FieldError, match=message):
        load_field(rewritten(path, old, new))


@pytest.mark.slow  # open_clip is imported
def test_nested_config_of_a_guide(tmp_path: Path) -> None:
    (tmp_path / "g.json").write_text("[" * 200_000)
    save_file({"x": torch.zeros(1)}, tmp_path / "g.safetensors")
    with pytest.raises(GuideError, match=r"g\.json is damaged .*nested too deeply"):
        load_guide(str(tmp_path / "g.safetensors"))


def test_folds_beyond_the_range_are_said(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    field = to_velocity(Field.noise(28, 0.05 / 3, 2))
    for strength in (-1.0, 1.0, 1.5):
        assert fold_share(field, strength=strength) == 0
        assert fold_note(field, strength) == ""
    assert fold_share(field, strength=5) > 0
    assert "At strength 5 the edit folds 0." in fold_note(field, 5)
    assert fold_note(field.scale(0.01, 1), 5) == ""
    saved, out = str(field.save(tmp_path / "f.safetensors")), str(tmp_path / "o.png")
    assert cli.main(["apply", str(photo), saved, "-o", out, "--strength", "5"]) == 0
    assert "-1 to 1.5 is the range without folds" in capsys.readouterr().err
    assert cli.main(["apply", str(photo), saved, "-o", out, "--strength", "1.5"]) == 0
    assert capsys.readouterr().err == ""


def test_faces_of_a_crowd_are_all_found(astronaut: Tensor, detector: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than are looked at closely at a time."""
    monkeypatch.setattr(detect, "CANDIDATES", 8)
    face = torch.nn.functional.interpolate(astronaut[..., 60:180, 160:290], (100, 100), mode="area")
    crowd = face.repeat(1, 1, 4, 6)[0]
    found = detector(crowd, 0.5)
    assert len(found) == 24
