"""Damage of any kind ends in a file that is read, or in a sentence; ``python -m benchmarks.fuzz`` does the same for longer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from helpers import smooth_field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flow_core.fields.expressions import preset
from flow_core.fields.files import load_field
from flow_core.fields.neural import Implicit
from flow_core.fields.velocity import to_velocity
from flow_core.io import interchange, picture

FIELDS = {
    "raster.safetensors": lambda: smooth_field(size=6), "velocity.safetensors": lambda: to_velocity(smooth_field(size=6)),
    "siren.safetensors": lambda: Implicit.zeros("siren", 8, 2.0), "muscles.safetensors": lambda: preset("smile"),
}  # fmt: skip
PICTURES = ("a.png", "b.png", "a.jpg", "a.webp", "a.gif", "a.tif", "b.tif", "a.bmp", "a.tga", "a.ppm", "a.jp2")
RASTERS = ("a.flo", "a.exr", "a.npy", "flow.png", "map.exr")


def made(folder: Path, name: str) -> tuple[bytes, Callable[[Path], object]]:
    """A good file, and what reads it."""
    path = folder / name
    if name in FIELDS:
        FIELDS[name]().save(path)
        return path.read_bytes(), load_field
    if name in RASTERS:
        interchange.write(smooth_field(size=6), path, 6, name == "map.exr", feather=0)
        return path.read_bytes(), lambda p: interchange.read(p, name == "map.exr")
    picture.write(picture.Picture(torch.rand(1, 3, 9, 11), 65535 if name.startswith("b") else 255), path)
    return path.read_bytes(), picture.read


class Sentence(Exception):
    """An error that names the file; all others are tracebacks."""


@contextlib.contextmanager
def sentences(name: str) -> Iterator[None]:
    try:
        yield
    except ValueError as e:
        if isinstance(e, UnicodeError) or name not in str(e):
            raise
        raise Sentence from e


edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=12)), min_size=1, max_size=5
)  # where, how much is taken out, what is put in


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about the damage
@pytest.mark.parametrize("name", [*FIELDS, *RASTERS, *PICTURES])
def test_damage_ends_in_a_sentence(tmp_path: Path, name: str) -> None:
    whole, read = made(tmp_path, name)

    @settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(changes=edits, near=st.booleans())
    def run(changes: list[tuple[float, int, bytes]], near: bool) -> None:
        data = bytearray(whole)
        for where, gone, new in changes:
            at = round(where * (min(len(data), 160) if near else len(data)))
            data[at : at + gone] = new
        path = tmp_path / f"bad{Path(name).suffix}"
        path.write_bytes(data)
        with contextlib.suppress(Sentence), sentences(path.name):
            read(path)

    run()
