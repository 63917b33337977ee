"""Whatever happens while a file is written, the older one is kept whole, and nothing else is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import smooth_field
from PIL import Image

from flow_core import atomic
from flow_core.fields.base import FieldError
from flow_core.fields.files import load_field
from flow_core.fields.neural import Implicit
from flow_core.fields.raster import Field
from flow_core.io import interchange, picture, sheets

POSIX = pytest.mark.skipif(os.name != "posix", reason="a matter of POSIX")


def animation(path: Path) -> None:
    sheets.save_animation([Image.new("RGB", (40, 40), c) for c in ("red", "blue")], path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.safetensors": lambda p: smooth_field(seed=3).save(p),
    "n.safetensors": lambda p: Implicit.zeros(width=8).save(p),
    "a.png": lambda p: picture.write(picture.Picture(torch.rand(1, 3, 40, 40)), p),
    "a.jpg": lambda p: picture.write(picture.Picture(torch.rand(1, 3, 40, 40)), p),
    "b.webp": lambda p: picture.write(picture.Picture(torch.rand(1, 3, 40, 40)), p),
    "a.webp": animation,
    "a.gif": animation,
    "m.png": animation,
    "a.flo": lambda p: interchange.write(smooth_field(), p, 16),
    "a.npy": lambda p: interchange.write(smooth_field(), p, 16),
    "a.exr": lambda p: interchange.write(smooth_field(), p, 16),
    "f.png": lambda p: interchange.write(smooth_field(), p, 16),
    "st.exr": lambda p: interchange.write(smooth_field(), p, 16, st=True),
}


@pytest.fixture(params=WRITERS)
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Callable[[Path], object]]:
    return tmp_path / request.param, WRITERS[request.param]


def older(path: Path) -> bytes:
    """Something to lose, of the kind that the writer may replace."""
    if path.suffix == ".safetensors":
        smooth_field(seed=9).save(path)
    else:
        path.write_bytes(b"the older file")
    return path.read_bytes()


@POSIX
def test_every_writer_keeps_the_older_file_on_a_full_disk(
    writer: tuple[Path, Callable[[Path], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = writer
    before = older(path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises((OSError, ValueError), match="No space"):
        write(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    monkeypatch.undo()
    write(path)
    assert path.read_bytes() != before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.slow
@POSIX
def test_every_writer_keeps_the_older_file_when_the_disk_fills_while_it_writes(tmp_path: Path) -> None:
    """A real limit, in a process of its own: no file may grow beyond 64 bytes."""
    before = {name: older(tmp_path / name) for name in WRITERS}
    code = f"""
        import resource, signal, sys
        sys.path += {sys.path!r}
        from pathlib import Path
        from test_atomic import WRITERS
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
        for name, write in WRITERS.items():
            try:
                write(Path({str(tmp_path)!r}) / name)
            except (OSError, ValueError) as e:
                print(name)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.stdout.split() == list(WRITERS), done.stderr
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_writer_that_is_stopped(tmp_path: Path, how: signal.Signals) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"the older file")
    code = f"""
        import signal, sys, time
        sys.path += {sys.path!r}
        signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests run in the background
        from flow_core.atomic import replacing
        with replacing({str(path)!r}) as partial:
            partial.write_bytes(b"half of")
            print("now", flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout.readline() == b"now\n"
    process.send_signal(how)
    process.wait(30)
    assert path.read_bytes() == b"the older file"
    if how == signal.SIGINT:
        assert os.listdir(tmp_path) == ["a.png"]
    else:  # the next process to write there removes it
        [left] = [p for p in tmp_path.iterdir() if p.name != "a.png"]
        os.utime(left, (0, 0))
        atomic.write_bytes(tmp_path / "b.png", b"more")
        assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]


@POSIX
def test_only_what_was_left_behind_is_removed(tmp_path: Path) -> None:
    """Neither what is being written, here by this process, nor what is young, nor what has another name or is a link."""
    name = f".faceflow-{os.getpid()}-{16 * '0'}.png"
    (tmp_path / "precious.txt").write_text("precious")
    kept = ["precious.txt", ".faceflow-notes.png", f"{name}.bak.gz", ".faceflow-1-fedcba9876543210.png"]
    for one in kept[1:3]:
        (tmp_path / one).write_text("")
    (tmp_path / kept[3]).symlink_to(tmp_path / "precious.txt")
    (tmp_path / name).write_text("old")
    young = tmp_path / name.replace("0.png", "1.png")
    with atomic.replacing(tmp_path / "a.png") as partial:
        for path in tmp_path.iterdir():
            os.utime(path, (0, 0), follow_symlinks=False)
        young.write_text("new")
        atomic.remove_left_behind(tmp_path)
        assert {p.name for p in tmp_path.iterdir()} == {*kept, partial.name, young.name}
    assert (tmp_path / "a.png").exists()


def test_two_writers_of_one_name(tmp_path: Path) -> None:
    path, errors = tmp_path / "a.safetensors", []
    fields = [smooth_field(seed=i, size=64) for i in range(2)]

    def work(field: Field) -> None:
        try:
            for _ in range(20):
                field.save(path)
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=[f]) for f in fields]
    for t in threads:
        t.start()
    until = time.monotonic() + 60
    while any(t.is_alive() for t in threads) and time.monotonic() < until:
        if path.exists():  # at no time is half a file to be seen
            seen = load_field(path).offset
            assert any(torch.equal(seen, f.offset) for f in fields)
    for t in threads:
        t.join()
    assert not errors
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


@POSIX
def test_the_mode_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    atomic.write_bytes(path, b"1")
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o640)
    atomic.write_bytes(path, b"2")
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_bytes() == b"2"


@POSIX
def test_links_are_not_followed(writer: tuple[Path, Callable[[Path], object]]) -> None:
    path, write = writer
    goal = path.parent / "precious.txt"
    goal.write_text("precious")
    path.symlink_to(goal)
    with pytest.raises(ValueError, match="symbolic link"):
        write(path)
    assert goal.read_text() == "precious"
    goal.unlink()  # now it points nowhere
    with pytest.raises(ValueError, match="symbolic link"):
        write(path)
    assert not goal.exists()


@POSIX
def test_the_unfinished_file_has_a_name_that_nobody_knows(tmp_path: Path) -> None:
    names = set()
    for _ in range(3):
        with atomic.replacing(tmp_path / "a.png") as partial:
            names.add(partial.name)
            assert partial.parent == tmp_path
            assert partial.suffix == ".png"
            assert len(partial.stem) >= 16
    assert len(names) == 3


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is no folder"):
        atomic.write_bytes(tmp_path / "file" / "a.png", b"")
    with pytest.raises(ValueError, match="is a folder"):
        atomic.write_bytes(tmp_path, b"")
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(ValueError, match="device or a pipe"):
            atomic.write_bytes(tmp_path / "pipe.png", b"")
    atomic.write_bytes(tmp_path / "new" / "er" / "a.png", b"x")
    assert (tmp_path / "new" / "er" / "a.png").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["photo.png", "weights.safetensors", "notes.txt"])
def test_a_field_replaces_fields_only(tmp_path: Path, name: str) -> None:
    from safetensors.torch import save_file

    path = tmp_path / name
    if name == "photo.png":
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    elif name == "notes.txt":
        path.write_text("a smiling face")
    else:
        save_file({"a": torch.zeros(3)}, str(path), metadata={"format": "pt"})
    before = path.read_bytes()
    for field in (smooth_field(), Implicit.zeros(width=8)):
        with pytest.raises(FieldError, match="no FaceFlow field"):
            field.save(path)
    assert path.read_bytes() == before


def test_a_field_replaces_newer_and_broken_fields(tmp_path: Path) -> None:
    path = smooth_field().save(tmp_path / "a.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    assert load_field(smooth_field().save(path)).batch == 1
    path.write_bytes(b"")
    assert load_field(smooth_field().save(path)).batch == 1
