"""File formats for numbers per pixel: Middlebury .flo, 16-bit PNG, NumPy, OpenEXR."""

from __future__ import annotations

import struct
import tokenize
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ..atomic import write_bytes
from . import sixteen

_FLO, _EXR = b"PIEH", struct.pack("<I", 20000630)
_MOST = 16384  # pixels a side; a header with larger numbers is damaged
MOST_VALUES = 1 << 28  # numbers in a file, of four bytes each
_MOST_CHANNELS = 256
_DEFLATED = 1040  # largest compression ratio of zlib (1032 according to its technical notes)


class RasterError(ValueError):
    """A file is damaged, or of a variant that is not read; the message says which, and what to do."""


def write_flo(path: Path, flow: np.ndarray) -> None:
    """``[h,w,2]`` as float32 (Baker et al., 2011): the tag 202021.25, width, height, then u and v of each pixel."""
    h, w = flow.shape[:2]
    write_bytes(path, _FLO + struct.pack("<ii", w, h) + flow.astype("<f4").tobytes())


def read_flo(path: Path) -> np.ndarray:
    data = path.read_bytes()
    if data[:4] != _FLO:
        raise RasterError(
            f"{path.name} is no .flo file: it begins with {data[:4]!r} instead of {_FLO!r}; export it again as Middlebury .flo."
        )
    if len(data) < 12:
        raise RasterError(f"{path.name} ends within its header; copy it again.")
    w, h = struct.unpack_from("<ii", data, 4)
    _require_sane(path, w, h, 2)
    if len(data) != 12 + 8 * w * h:
        raise RasterError(
            f"{path.name} should have {12 + 8 * w * h} bytes for {w}x{h} pixels, it has {len(data)}; copy it again."
        )
    return np.frombuffer(data, "<f4", offset=12).reshape(h, w, 2).astype(np.float32)


def write_png16(path: Path, values: np.ndarray) -> None:
    """``[h,w,3]`` uint16 as an RGB PNG of 16 bits."""
    write_bytes(path, sixteen.png(values))


def read_png16(path: Path) -> np.ndarray:
    """``[h,w,3]`` uint16 of an RGB PNG of 16 bits."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            _require_sane(path, *image.size, 3)
            if (raw := sixteen.raw_mode(image)) != "RGB;16B":
                kind = image.mode if raw is None else raw.split(";")[0]
                raise RasterError(
                    f"{path.name} is a PNG of {'8' if raw is None and image.mode != 'I;16' else '16'} bits a channel ({kind}); "
                    "expected RGB of 16 bits. Export it again as KITTI flow, or as a 16-bit ST-map."
                )
            return sixteen.read(image, path, raw)
    except RasterError:
        raise
    except Image.DecompressionBombError as e:  # Pillow's own limit, which comes first
        raise RasterError(f"{path.name} is too large; up to {MOST_VALUES / 1e6:.0f} million numbers are read.") from e
    except Exception as e:  # Pillow's readers raise errors of many kinds over damage
        with path.open("rb") as file:
            damaged = file.read(8) == sixteen.PNG
        reason = " ".join(str(e).split())
        raise RasterError(
            f"{path.name} is damaged ({reason}); copy it again." if damaged else f"{path.name} is no PNG file."
        ) from e


def read_npy(path: Path) -> np.ndarray:
    """An array of floats from a NumPy file, version 1 to 3, in C or Fortran order."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, kind = read(file)
            if kind.kind != "f":
                raise RasterError(f"{path.name} holds {kind}, not floating-point numbers; save it as float32.")
            if any(n < 0 for n in shape):
                raise RasterError(f"{path.name} claims an array {shape}; it is damaged, copy it again.")
            count = 1
            for n in shape:  # whole numbers of Python, which do not overflow
                count *= n
            _require_few(path, count, f"an array {shape}")
            if count * kind.itemsize != size - file.tell():
                raise RasterError(
                    f"{path.name} should hold {count * kind.itemsize} bytes of numbers for an array {shape}, it holds "
                    f"{size - file.tell()}; copy it again."
                )
            values = np.frombuffer(file.read(), kind)
    except RasterError:
        raise
    except (ValueError, SyntaxError, TypeError, EOFError, RecursionError, MemoryError, tokenize.TokenError) as e:
        raise RasterError(f"{path.name} is no NumPy file (.npy), or its header is damaged; save it by np.save.") from e
    return values.reshape(shape, order="F" if fortran else "C")


def write_exr(path: Path, channels: dict[str, np.ndarray]) -> None:
    """Write channels ``[h,w]`` as float32 scan lines from the top, uncompressed (OpenEXR file layout, version 2)."""
    names = sorted(channels)
    h, w = channels[names[0]].shape

    def attribute(name: str, kind: str, data: bytes) -> bytes:
        return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<I", len(data)) + data

    listed = b"".join(n.encode() + b"\0" + struct.pack("<iIii", 2, 0, 1, 1) for n in names) + b"\0"
    window = struct.pack("<iiii", 0, 0, w - 1, h - 1)
    head = _EXR + struct.pack("<I", 2) + attribute("channels", "chlist", listed)
    head += attribute("compression", "compression", b"\0") + attribute("dataWindow", "box2i", window)
    head += attribute("displayWindow", "box2i", window) + attribute("lineOrder", "lineOrder", b"\0")
    head += attribute("pixelAspectRatio", "float", struct.pack("<f", 1))
    head += attribute("screenWindowCenter", "v2f", struct.pack("<ff", 0, 0))
    head += attribute("screenWindowWidth", "float", struct.pack("<f", 1)) + b"\0"
    lines = np.stack([channels[n] for n in names], 1).astype("<f4")  # [h,channels,w]
    length = 4 * w * len(names)
    table = struct.pack(f"<{h}Q", *(len(head) + 8 * h + y * (8 + length) for y in range(h)))
    body = b"".join(struct.pack("<ii", y, length) + lines[y].tobytes() for y in range(h))
    write_bytes(path, head + table + body)


def read_exr(path: Path, outside: Callable[[int, int], dict[str, np.ndarray]] | None = None) -> dict[str, np.ndarray]:
    """Read channels ``[h,w]`` as float32 from a single-part scan-line file of half or float, uncompressed or ZIP.

    The result covers the display window. Pixels of the data window beyond it are cut off. Where there are no data, values are 0, or
    those of ``outside(h, w)`` for the channels that it names.

    Raises:
        RasterError: the file is damaged, or of another variant.
    """
    data = path.read_bytes()
    if data[:4] != _EXR:
        raise RasterError(f"{path.name} is no OpenEXR file; export it again as .exr.")
    try:
        if data[5] & 0b11010:
            raise RasterError(
                f"{path.name} has tiles, deep data or several parts; save it as one part with scan lines."
            )
        head, table = _exr_head(data)
        x0, y0, x1, y1 = struct.unpack("<iiii", head[b"dataWindow"])
        left, top, right, bottom = struct.unpack("<iiii", head[b"displayWindow"])
        w, h, width, height = x1 - x0 + 1, y1 - y0 + 1, right - left + 1, bottom - top + 1
        kinds = _exr_channels(path, head[b"channels"])
        _require_sane(path, w, h, len(kinds))
        _require_sane(path, width, height, len(kinds))
        compression = head[b"compression"][0]
        if compression not in (0, 2, 3):
            raise RasterError(f"{path.name} is compressed by method {compression}; save it with ZIP or uncompressed.")
        rows, line = 16 if compression == 3 else 1, w * sum(int(kind[2]) for _, kind in kinds)
        if h * line > len(data) * (_DEFLATED if compression else 1):  # before memory is asked for
            raise ValueError(f"{len(data)} bytes are too few for {w}x{h} pixels")
        given = {} if outside is None else outside(height, width)
        out = {n: given[n] if n in given else np.zeros((height, width), np.float32) for n, _ in kinds}
        seen_x = slice(max(x0, left) - left, max(0, min(x1, right) - left + 1))
        from_x = slice(seen_x.start + left - x0, max(0, seen_x.stop + left - x0))
        for i, offset in enumerate(struct.unpack_from(f"<{-(-h // rows)}Q", data, table)):
            y, size = struct.unpack_from("<ii", data, offset)
            count = min(rows, h - i * rows)
            if y != y0 + i * rows:
                raise ValueError(f"scan line {y0 + i * rows} is missing")
            chunk = data[offset + 8 : offset + 8 + max(0, size)]
            if len(chunk) != size or size > count * line:
                raise ValueError(f"scan line {y} is incomplete")
            if size < count * line:
                chunk = _unzip(chunk, count * line) if compression else b""
            if len(chunk) != count * line:
                raise ValueError(f"scan line {y} is incomplete")
            at = 0
            for row in range(y - top, y - top + count):
                for name, kind in kinds:
                    values = np.frombuffer(chunk, kind, w, at)
                    at += values.nbytes
                    if 0 <= row < height and seen_x.stop > seen_x.start:
                        out[name][row, seen_x] = values[from_x]
    except (struct.error, zlib.error, ValueError, KeyError, IndexError, OverflowError) as e:
        if isinstance(e, RasterError):
            raise
        raise RasterError(f"{path.name} is damaged ({e}); copy it again.") from e
    return out


def _exr_head(data: bytes) -> tuple[dict[bytes, bytes], int]:
    """The attributes of a header, and where the table of offsets begins."""
    at, head = 8, {}
    while data[at]:
        name = data.index(b"\0", at)
        kind = data.index(b"\0", name + 1)
        (size,) = struct.unpack_from("<I", data, kind + 1)
        head[data[at:name]] = data[kind + 5 : kind + 5 + size]
        at = kind + 5 + size
    return head, at + 1


def _exr_channels(path: Path, listed: bytes) -> list[tuple[str, str]]:
    """Names and types of the channels, in the order of the file."""
    kinds, at = [], 0
    while listed[at]:
        end = listed.index(b"\0", at)
        kind, _, across, down = struct.unpack_from("<iIii", listed, end + 1)
        if kind not in (1, 2) or (across, down) != (1, 1):
            raise RasterError(f"{path.name} has integers or subsampled channels; save it as half or float.")
        kinds.append((listed[at:end].decode("latin-1"), "<f2" if kind == 1 else "<f4"))
        at = end + 17
        if len(kinds) > _MOST_CHANNELS:
            raise RasterError(f"{path.name} has more than {_MOST_CHANNELS} channels; save those of the flow alone.")
    return kinds


def _unzip(chunk: bytes, most: int) -> bytes:
    """OpenEXR's ZIP compression: deflated differences of bytes, all even ones before all odd ones."""
    packed = np.frombuffer(zlib.decompressobj().decompress(chunk, most + 1), np.uint8)
    if not len(packed):
        return b""
    steps = packed.astype(np.int64) - 128
    steps[0] += 128
    values = (np.cumsum(steps) & 255).astype(np.uint8)
    out = np.empty_like(values)
    half = (len(values) + 1) // 2
    out[0::2], out[1::2] = values[:half], values[half:]
    return out.tobytes()


def _require_sane(path: Path, w: int, h: int, channels: int) -> None:
    """RasterError for sizes that cannot be right; called before memory is allocated."""
    if not (1 <= w <= _MOST and 1 <= h <= _MOST):
        raise RasterError(f"{path.name} claims {w}x{h} pixels; expected 1 to {_MOST} a side. Is it damaged?")
    _require_few(path, w * h * channels, f"{w}x{h} pixels of {channels} channels")


def _require_few(path: Path, count: int, what: str) -> None:
    if count > MOST_VALUES:
        raise RasterError(
            f"{path.name} has {what}, {count / 1e6:.0f} million numbers; up to {MOST_VALUES / 1e6:.0f} million are read. Make it "
            "smaller."
        )
