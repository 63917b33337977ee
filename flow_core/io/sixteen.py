"""Colours of 16 bits a channel, of which Pillow reads and writes only 8.

They are read through Pillow in two passes, upper and lower bytes. Files are written by hand, with metadata as Pillow writes it.
"""

from __future__ import annotations

import io
import re
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

PNG = b"\x89PNG\r\n\x1a\n"
_RAW = re.compile(r"(RGBA|RGBa|RGBX|RGB|LA);16([BLN])")
_NATIVE = "L" if sys.byteorder == "little" else "B"


def raw_mode(image: ImageFile.ImageFile) -> str | None:
    """Pillow's name for the layout of 16-bit colours in a file that is opened but not loaded yet; None for other files.

    Raises:
        ValueError: Pillow would read the layout wrongly.
    """
    modes = {_args(tile)[0] for tile in image.tile}
    if image.format == "TIFF" and image.tag_v2.get(284) == 2 and max(image.tag_v2.get(258, (1,))) > 8:
        raise ValueError("its channels of 16 bits lie one behind the other; save it with the channels interleaved")
    mode = modes.pop() if len(modes) == 1 else ""
    return mode if isinstance(mode, str) and _RAW.fullmatch(mode) else None


def read(image: ImageFile.ImageFile, path: Path, raw: str) -> np.ndarray:
    """``[H,W,3 or 4]`` uint16 of a file with the layout ``raw`` (:func:`raw_mode`); grey with alpha becomes RGBA."""
    kind, order = _RAW.fullmatch(raw).groups()
    if kind == "LA":  # as many bytes a pixel as RGBA of 8 bits
        whole = np.asarray(_with(image, "RGBA")).view(">u2").astype(np.uint16)
        return whole[..., [0, 0, 0, 1]]
    order = _NATIVE if order == "N" else order
    kind = kind.upper()  # premultiplied alpha (RGBa) Pillow would divide out at 8 bits
    high = np.asarray(_with(image, f"{kind};16{order}")).astype(np.uint16)
    with Image.open(path, formats=[image.format]) as again:
        low = np.asarray(_with(again, f"{kind};16{'L' if order == 'B' else 'B'}"))
    values = (high << 8) | low
    if raw.startswith("RGBa"):
        alpha = np.maximum(values[..., 3:], 1).astype(np.float64)
        values[..., :3] = np.minimum(np.round(values[..., :3] / alpha * 65535), 65535)
    return values


def _args(tile: tuple) -> tuple:
    return tile[3] if isinstance(tile[3], tuple) else (tile[3],)


def _with(image: ImageFile.ImageFile, raw: str) -> Image.Image:
    """The picture, loaded as if its layout were ``raw``."""
    tiles = []
    for tile in image.tile:
        args = (raw, *_args(tile)[1:]) if isinstance(tile[3], tuple) else raw
        tiles.append(tile._replace(args=args) if hasattr(tile, "_replace") else (*tile[:3], args))
    image.tile = tiles
    image.load()
    return image


def png(values: np.ndarray, like: bytes = b"") -> bytes:
    """A PNG of 16 bits.

    Args:
        values: ``[H,W,C]`` uint16, C = 1 (grey), 3 (RGB) or 4 (RGBA).
        like: another PNG, whose metadata is copied.
    """
    h, w, channels = values.shape
    rows = np.frombuffer(values.astype(">u2").tobytes(), np.uint8).reshape(h, 2 * channels * w)
    up = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # filter 2: the difference from the row above
    packed = zlib.compress(np.concatenate([np.full((h, 1), 2, np.uint8), up], 1).tobytes())
    before, after = _metadata(like)
    header = struct.pack(">IIBBBBB", w, h, 16, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"".join([PNG, _chunk(b"IHDR", header), *before, _chunk(b"IDAT", packed), *after, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _metadata(png: bytes) -> tuple[list[bytes], list[bytes]]:
    """The metadata chunks of a PNG, before and after its pixels."""
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    at, seen = len(PNG), 0
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, whole = png[at + 4 : at + 8], png[at : at + 12 + length]
        if kind == b"IDAT":
            seen = 1
        elif kind not in (b"IHDR", b"IEND"):
            parts[seen].append(whole)
        at += 12 + length
    return parts


def tiff(values: np.ndarray, **options: object) -> bytes:
    """An uncompressed TIFF of 16 bits from ``[H,W,C]`` uint16; the options are those of Pillow for TIFF.

    Pillow writes rows of twice as many bytes; then the tags for width and bits per sample are corrected.
    """
    h, w, channels = values.shape
    halves = np.frombuffer(values.astype("<u2").tobytes(), np.uint8).reshape(h, 2 * w, channels)
    buffer = io.BytesIO()
    image = Image.fromarray(halves[..., 0] if channels == 1 else halves)
    image.save(buffer, "TIFF", **{**options, "compression": None})
    data = bytearray(buffer.getvalue())
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, n = struct.unpack_from("<HHI", data, entry)
        if tag == 256:  # ImageWidth
            struct.pack_into("<I" if kind == 4 else "<H", data, entry + 8, w)
        elif tag == 258:  # BitsPerSample, beside the entry where more than two shorts
            place = entry + 8 if n <= 2 else struct.unpack_from("<I", data, entry + 8)[0]
            struct.pack_into(f"<{n}H", data, place, *[16] * n)
    return bytes(data)


def ppm(values: np.ndarray) -> bytes:
    """A binary PGM or PPM of 16 bits, of ``[H,W,1 or 3]`` uint16."""
    h, w, channels = values.shape
    return b"P%d\n%d %d\n65535\n" % (5 if channels == 1 else 6, w, h) + values.astype(">u2").tobytes()


def read_ppm(image: ImageFile.ImageFile, path: Path) -> np.ndarray | None:
    """``[H,W,3]`` float32 0..1 of a PPM of more than 8 bits; None of others."""
    if image.format != "PPM":
        return None
    decoder, args = image.tile[0][0], _args(image.tile[0])
    if decoder not in ("ppm", "ppm_plain") or args[0] != "RGB" or args[1] <= 255:
        return None
    if decoder == "ppm_plain":
        raise ValueError(
            "it is a PPM of more than 8 bits in letters (P3); save it as a binary one (P6), or as 16-bit PNG"
        )
    (width, height), start = image.size, image.tile[0][2]
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(6 * width * height)
    if len(data) < 6 * width * height:
        raise ValueError("the file ends before its last pixel")
    values = np.frombuffer(data, ">u2").reshape(height, width, 3).astype(np.float32)
    return np.minimum(values / args[1], 1)
