"""Rasters of other programs that are cut, damaged, or ask for more than there is."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flow_core.fields.base import FieldError
from flow_core.geometry.grid import pixel_centers
from flow_core.io import interchange, rasters

SIDE = 24


def rewritten(path: Path, change: Callable[[bytearray], None]) -> Path:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def set_window(data: bytearray, name: bytes, *values: int) -> None:
    struct.pack_into("<iiii", data, data.index(name + b"\0box2i\0") + len(name) + 11, *values)


def table(data: bytes) -> int:
    """Where the table of offsets begins: behind the last attribute that is written, and the header's end."""
    return data.index(b"screenWindowWidth\0") + len("screenWindowWidth\0float\0") + 9


def windowed(path: Path, values: np.ndarray, left: int, top: int, display: tuple[int, int, int, int]) -> Path:
    """An EXR whose data window begins at ``left, top``."""
    h, w = values.shape[:2]
    rasters.write_exr(path, {"R": values[..., 0], "G": values[..., 1]})

    def change(data: bytearray) -> None:
        first = table(data)
        for (at,) in struct.iter_unpack("<Q", bytes(data[first : first + 8 * h])):
            struct.pack_into("<i", data, at, struct.unpack_from("<i", data, at)[0] + top)
        set_window(data, b"dataWindow", left, top, left + w - 1, top + h - 1)
        set_window(data, b"displayWindow", *display)

    return rewritten(path, change)


@pytest.mark.parametrize(("left", "top"), [(5, 3), (-4, -2), (20, 0), (40, 40)])
def test_windows_of_an_exr_are_honoured(tmp_path: Path, left: int, top: int) -> None:
    """The same flow, of which only a part, or more than the frame, is stored."""
    values = np.random.default_rng(0).normal(size=(12, 10, 2)).astype(np.float32)
    expected = np.zeros((SIDE + 120, SIDE + 120, 2), np.float32)
    expected[60 + top : 72 + top, 60 + left : 70 + left] = values
    expected = expected[60 : 60 + SIDE, 60 : 60 + SIDE]
    field = interchange.read(windowed(tmp_path / "a.exr", values, left, top, (0, 0, SIDE - 1, SIDE - 1)))
    np.testing.assert_allclose(field.offset[0].permute(1, 2, 0) * SIDE, expected, atol=1e-6)
    # the corner of the frame may lie anywhere
    field = interchange.read(windowed(tmp_path / "b.exr", values, left + 100, top - 7, (100, -7, SIDE + 99, SIDE - 8)))
    np.testing.assert_allclose(field.offset[0].permute(1, 2, 0) * SIDE, expected, atol=1e-6)


def test_an_st_map_without_data_is_the_identity(tmp_path: Path) -> None:
    u, v = pixel_centers(SIDE, SIDE)[0].numpy().transpose(2, 0, 1)
    whole = np.stack([u + 0.05, 1 - v], -1)
    path = windowed(tmp_path / "a.exr", whole[4:9, 6:20], 6, 4, (0, 0, SIDE - 1, SIDE - 1))
    offset = interchange.read(path, st=True).offset[0]
    expected = np.zeros((2, SIDE, SIDE), np.float32)
    expected[0, 4:9, 6:20] = 0.05
    np.testing.assert_allclose(offset, expected, atol=1e-6)


def exr(path: Path) -> Path:
    rasters.write_exr(path, {n: np.ones((SIDE, SIDE), np.float32) for n in "RG"})
    return path


@pytest.mark.parametrize("other", [0, 7, None])
def test_lines_of_an_exr_that_are_repeated_or_missing(tmp_path: Path, other: int | None) -> None:
    """The values of the missing line would be whatever was in memory."""

    def change(data: bytearray) -> None:
        first = table(data)
        given = 0 if other is None else struct.unpack_from("<Q", data, first + 8 * other)[0]
        struct.pack_into("<Q", data, first + 8 * 11, given)

    with pytest.raises(FieldError, match=r"scan line 11 is missing|damaged"):
        interchange.read(rewritten(exr(tmp_path / "a.exr"), change))


def test_every_length_of_an_exr_and_npy(tmp_path: Path) -> None:
    exr(tmp_path / "a.exr")
    np.save(tmp_path / "a.npy", np.zeros((5, 8, 8), np.float32))
    for name in ("a.exr", "a.npy"):
        data = (tmp_path / name).read_bytes()
        for length in [*range(140), *range(140, len(data), 97)]:
            (tmp_path / f"cut{name[1:]}").write_bytes(data[:length])
            with pytest.raises(FieldError, match="cut"):
                interchange.read(tmp_path / f"cut{name[1:]}")


def test_memory_is_asked_for_after_the_limits(tmp_path: Path) -> None:
    def huge(data: bytearray) -> None:
        for name in (b"dataWindow", b"displayWindow"):
            set_window(data, name, 0, 0, 16383, 16383)

    np.lib.format.write_array_header_1_0(
        (tmp_path / "a.npy").open("wb"), {"descr": "<f4", "fortran_order": False, "shape": (1, 5, 60000, 60000)}
    )
    (tmp_path / "a.flo").write_bytes(struct.pack("<4sii", b"PIEH", 16384, 16384))
    head = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">IIBBBBB", 13000, 13000, 16, 2, 0, 0, 0)
    )
    (tmp_path / "a.png").write_bytes(
        head + struct.pack(">I", zlib.crc32(head[12:])) + struct.pack(">I", 9) + b"IDAT" + b"\0" * 13
    )
    rewritten(exr(tmp_path / "a.exr"), huge)
    tracemalloc.start()
    for suffix in (".npy", ".flo", ".png", ".exr"):
        with pytest.raises(FieldError, match=r"million numbers; up to 268 million"):
            interchange.read(tmp_path / f"a{suffix}")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_small_exr_does_not_ask_for_gigabytes(tmp_path: Path) -> None:
    def large(data: bytearray) -> None:
        for name in (b"dataWindow", b"displayWindow"):
            set_window(data, name, 0, 0, 8191, 8191)
        data[data.index(b"compression\0compression\0") + 28] = 3

    tracemalloc.start()
    with pytest.raises(FieldError, match="bytes are too few for 8192x8192 pixels"):
        interchange.read(rewritten(exr(tmp_path / "a.exr"), large))
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_png_of_many_chunks_is_read_at_once(tmp_path: Path) -> None:
    """Joined one by one, as many as these took minutes."""
    path = tmp_path / "a.png"
    values = np.random.default_rng(0).integers(1, 65536, (256, 256, 3), np.uint16)
    rasters.write_png16(path, values)
    data = path.read_bytes()
    at = data.index(b"IDAT")
    (length,) = struct.unpack_from(">I", data, at - 4)
    body, parts = data[at + 4 : at + 4 + length], []
    for i in range(0, length, 8):
        part = b"IDAT" + body[i : i + 8]
        parts.append(struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)))
    path.write_bytes(data[: at - 4] + b"".join(parts) + data[at + 8 + length :])
    start = time.perf_counter()
    assert (rasters.read_png16(path) == values).all()
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no NumPy"), (b"\x93NUMPY", "no NumPy"), (b"PK\x03\x04" + b"\0" * 99, "no NumPy"), (b"\x93NUMPY\x01\0\x04\0(((\n", "no NumPy"),
     (b"\x80\x04cos\nsystem\n", "no NumPy")],
)  # fmt: skip
def test_npy_that_is_none(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FieldError, match=message):
        interchange.read(tmp_path / "a.npy")


def test_npy_in_fortran_order_and_other_floats(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(5, 6, 6)) * 0.01
    for kind in ("<f8", ">f4", "<f2"):
        for order in "CF":
            np.save(tmp_path / "a.npy", np.asarray(values, kind, order=order))
            np.testing.assert_allclose(interchange.read(tmp_path / "a.npy").offset[0], values[:2], atol=1e-4)


def test_offsets_that_mean_something_else_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((5, 6, 6), 100, np.float32))
    with pytest.raises(FieldError, match="another unit"):
        interchange.read(tmp_path / "a.npy")
