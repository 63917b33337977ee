"""Files of numbers per pixel that other programs read and write: Middlebury .flo, 16-bit PNG, OpenEXR."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from ..atomic import write_bytes

_FLO, _PNG, _EXR = b"PIEH", b"\x89PNG\r\n\x1a\n", struct.pack("<I", 20000630)
_MOST = 16384  # pixels a side; larger numbers in a header are damage


class RasterError(ValueError):
    """A file is damaged or of a variety that is not read; the message says which and what to do."""


def write_flo(path: Path, flow: np.ndarray) -> None:
    """``[h,w,2]`` as float32 (Baker et al., 2011): the tag 202021.25, width, height, then u and v of each pixel."""
    h, w = flow.shape[:2]
    write_bytes(path, _FLO + struct.pack("<ii", w, h) + flow.astype("<f4").tobytes())


def read_flo(path: Path) -> np.ndarray:
    data = path.read_bytes()
    if data[:4] != _FLO:
        raise RasterError(f"{path.name} is no .flo file: it begins with {data[:4]!r} instead of {_FLO!r}.")
    if len(data) < 12:
        raise RasterError(f"{path.name} ends within its header; copy it again.")
    w, h = struct.unpack_from("<ii", data, 4)
    _require_sane(path, w, h)
    if len(data) != 12 + 8 * w * h:
        raise RasterError(
            f"{path.name} should have {12 + 8 * w * h} bytes for {w}x{h} pixels, it has {len(data)}; copy it again."
        )
    return np.frombuffer(data, "<f4", offset=12).reshape(h, w, 2).astype(np.float32)


def write_png16(path: Path, values: np.ndarray) -> None:
    """``[h,w,3]`` uint16 as an RGB PNG of 16 bits, which Pillow cannot write."""
    h, w = values.shape[:2]
    rows = np.frombuffer(values.astype(">u2").tobytes(), np.uint8).reshape(h, 6 * w)
    up = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # filter 2: the difference from the row above
    packed = zlib.compress(np.concatenate([np.full((h, 1), 2, np.uint8), up], 1).tobytes())

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", w, h, 16, 2, 0, 0, 0)
    write_bytes(path, _PNG + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))


def read_png16(path: Path) -> np.ndarray:
    """``[h,w,3]`` uint16 of an RGB PNG of 16 bits, not interlaced, with any of the five row filters."""
    data = path.read_bytes()
    if data[:8] != _PNG or data[12:16] != b"IHDR":
        raise RasterError(f"{path.name} is no PNG file.")
    try:
        w, h, depth, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
        if (depth, kind, interlaced) != (16, 2, 0):
            raise RasterError(
                f"{path.name} has {depth} bits a channel (colour type {kind}{', interlaced' if interlaced else ''}); "
                "expected an RGB PNG of 16 bits, not interlaced."
            )
        _require_sane(path, w, h)
        at, packed = 8, b""
        while at < len(data):
            (length,) = struct.unpack_from(">I", data, at)
            if data[at + 4 : at + 8] == b"IDAT":
                packed += data[at + 8 : at + 8 + length]
            at += 12 + length
        rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(h, 1 + 6 * w)
    except (struct.error, zlib.error, ValueError) as e:
        if isinstance(e, RasterError):
            raise
        raise RasterError(f"{path.name} is damaged ({e}); copy it again.") from e
    out, above = np.empty((h, 6 * w), np.uint8), np.zeros(6 * w, np.uint8)
    for y, row in enumerate(rows):
        above = out[y] = _unfilter(path, row[0], row[1:], above)
    return np.frombuffer(out.tobytes(), ">u2").reshape(h, w, 3).astype(np.uint16)


def _unfilter(path: Path, kind: int, row: np.ndarray, above: np.ndarray) -> np.ndarray:
    """One row of a PNG (specification, section 9) of six bytes a pixel."""
    if kind == 0:
        return row
    if kind == 1:
        return np.cumsum(row.reshape(-1, 6), 0, dtype=np.uint8).reshape(-1)
    if kind == 2:
        return row + above
    if kind not in (3, 4):
        raise RasterError(f"{path.name} is damaged (row filter {kind}); copy it again.")
    done, up = bytearray(len(row)), above.tolist()
    for i, value in enumerate(row.tolist()):
        left, corner = (done[i - 6], up[i - 6]) if i >= 6 else (0, 0)
        if kind == 3:
            guess = (left + up[i]) // 2
        else:
            a, b, c = abs(up[i] - corner), abs(left - corner), abs(left + up[i] - 2 * corner)
            guess = left if a <= b and a <= c else up[i] if b <= c else corner
        done[i] = (value + guess) & 255
    return np.frombuffer(bytes(done), np.uint8)


def write_exr(path: Path, channels: dict[str, np.ndarray]) -> None:
    """Channels ``[h,w]`` as float32, scan lines from the top, not compressed (OpenEXR file layout, version 2)."""
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


def read_exr(path: Path) -> dict[str, np.ndarray]:
    """Channels ``[h,w]`` float32 of a scan-line file with one part, of half or float, not compressed or ZIP."""
    data = path.read_bytes()
    if data[:4] != _EXR:
        raise RasterError(f"{path.name} is no OpenEXR file.")
    if data[5] & 0b11010:
        raise RasterError(f"{path.name} has tiles, deep data or several parts; save it as one part with scan lines.")
    try:
        at, head = 8, {}
        while data[at]:
            name = data.index(b"\0", at)
            kind = data.index(b"\0", name + 1)
            (size,) = struct.unpack_from("<I", data, kind + 1)
            head[data[at:name]] = data[kind + 5 : kind + 5 + size]
            at = kind + 5 + size
        x0, y0, x1, y1 = struct.unpack("<iiii", head[b"dataWindow"])
        w, h, listed, kinds = x1 - x0 + 1, y1 - y0 + 1, head[b"channels"], []
        _require_sane(path, w, h)
        while listed[0]:
            end = listed.index(b"\0")
            kind, _, across, down = struct.unpack_from("<iIii", listed, end + 1)
            if kind not in (1, 2) or (across, down) != (1, 1):
                raise RasterError(f"{path.name} has integers or subsampled channels; save it as half or float.")
            kinds.append((listed[:end].decode("latin-1"), "<f2" if kind == 1 else "<f4"))
            listed = listed[end + 17 :]
        compression = head[b"compression"][0]
        if compression not in (0, 2, 3):
            raise RasterError(f"{path.name} is compressed by method {compression}; save it with ZIP or uncompressed.")
        out = {name: np.empty((h, w), np.float32) for name, _ in kinds}
        rows = 16 if compression == 3 else 1
        for offset in struct.unpack_from(f"<{-(-h // rows)}Q", data, at + 1):
            y, size = struct.unpack_from("<ii", data, offset)
            y, chunk = y - y0, data[offset + 8 : offset + 8 + size]
            count = min(rows, h - y)
            full = count * w * sum(int(kind[2]) for _, kind in kinds)
            if len(chunk) < full:
                chunk = _unzip(chunk)
            if not 0 <= y < h or len(chunk) != full:
                raise ValueError(f"scan line {y} is incomplete")
            for line in range(y, y + count):
                for name, kind in kinds:
                    out[name][line] = np.frombuffer(chunk, kind, w)
                    chunk = chunk[int(kind[2]) * w :]
    except (struct.error, zlib.error, ValueError, KeyError, IndexError) as e:
        if isinstance(e, RasterError):
            raise
        raise RasterError(f"{path.name} is damaged ({e}); copy it again.") from e
    return out


def _unzip(chunk: bytes) -> bytes:
    """OpenEXR's ZIP: deflate over differences of bytes, of which the even ones come before the odd ones."""
    packed = np.frombuffer(zlib.decompress(chunk), np.uint8)
    steps = packed.astype(np.int64) - 128
    steps[0] += 128
    values = (np.cumsum(steps) & 255).astype(np.uint8)
    out = np.empty_like(values)
    half = (len(values) + 1) // 2
    out[0::2], out[1::2] = values[:half], values[half:]
    return out.tobytes()


def _require_sane(path: Path, w: int, h: int) -> None:
    if not (1 <= w <= _MOST and 1 <= h <= _MOST):
        raise RasterError(f"{path.name} claims {w}x{h} pixels; expected 1 to {_MOST} a side. Is it damaged?")
