"""Metadata of picture files: reading it, and keeping it in the formats that can hold it."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from PIL import Image, PngImagePlugin

_ORIENTATION = 0x0112
_XMP_PNG = "XML:com.adobe.xmp"
_XMP_ORIENTATION = re.compile(r'(tiff:Orientation(?:="|>))[0-9]')
# Tags of a TIFF that are kept; others describe its pixels. Description, camera, program, date, artist, copyright; Exif and GPS.
_TIFF_TAGS = (270, 271, 272, 305, 306, 315, 33432, 34665, 34853)
NAMES = {
    "icc_profile": "colour profile", "exif": "EXIF", "dpi": "resolution in dpi", "text": "texts (such as a workflow)",
    "xmp": "XMP", "comment": "comment", "gamma": "gamma",
}  # fmt: skip
KEPT = {
    ".png": ("icc_profile", "exif", "dpi", "text", "xmp", "gamma"),
    ".jpg": ("icc_profile", "exif", "dpi", "xmp", "comment"),
    ".jpeg": ("icc_profile", "exif", "dpi", "xmp", "comment"),
    ".webp": ("icc_profile", "exif", "xmp"),
    ".avif": ("icc_profile", "exif", "xmp"),
    ".tif": ("icc_profile", "exif", "dpi", "xmp"),
    ".tiff": ("icc_profile", "exif", "dpi", "xmp"),
    ".bmp": ("dpi",),
    ".gif": ("comment",),
}


def found(image: Image.Image) -> tuple[dict[str, object], int, str]:
    """Metadata of a picture that has been loaded.

    Returns:
        the metadata, by the keys of :data:`NAMES`, without the orientation; the EXIF orientation 1..8, by which the pixels are to be
        turned; and a sentence about damage, or an empty one.
    """
    info, carried, note = image.info, {}, ""
    for key in ("icc_profile", "comment"):
        if isinstance(info.get(key), bytes) and info[key]:
            carried[key] = info[key]
    dpi = info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(0 < float(v) < 1e6 for v in dpi):
        carried["dpi"] = tuple(map(float, dpi))
    text = dict(getattr(image, "text", {}))
    xmp = text.pop(_XMP_PNG, info.get("xmp"))
    if xmp:
        carried["xmp"] = _XMP_ORIENTATION.sub(
            r"\g<1>1", xmp if isinstance(xmp, str) else xmp.decode("utf-8", "replace")
        )
    if text:
        carried["text"] = text
    gamma = {key: info[key] for key in ("gamma", "chromaticity", "srgb") if key in info}
    if image.format == "PNG" and gamma:
        carried["gamma"] = gamma
    orientation = 1
    try:
        exif = image.getexif()
        orientation = exif.get(_ORIENTATION, 1)
        if image.format == "TIFF":
            tags, exif = exif, Image.Exif()
            for tag in _TIFF_TAGS:
                if tag in tags:
                    exif[tag] = tags.get_ifd(tag) if tag in _TIFF_TAGS[-2:] else tags[tag]
        exif.pop(_ORIENTATION, None)
        if len(exif) and (packed := exif.tobytes()):
            carried["exif"] = packed
    except Exception as e:  # Pillow's reader of EXIF raises errors of many kinds over damage
        note = f"its EXIF is damaged ({type(e).__name__}) and left out"
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    return carried, orientation, note


def options(carried: dict[str, object], suffix: str, channels: int) -> tuple[dict[str, object], list[str]]:
    """Options of Pillow's ``save`` that keep the metadata, and the names of what the format cannot keep.

    Args:
        carried: metadata, as of :func:`found`.
        suffix: of the file, lower case.
        channels: of the picture; a profile for grey does not fit colours, nor the reverse.
    """
    given, kept, lost = {}, KEPT.get(suffix, ()), []
    for key, value in carried.items():
        if (key == "icc_profile" and (value[16:20] == b"GRAY") != (channels == 1)) or key not in kept:
            lost.append(NAMES[key])
        elif key == "text" or (key in ("xmp", "gamma") and suffix == ".png"):
            given.setdefault("pnginfo", PngImagePlugin.PngInfo())
            _into_png(given["pnginfo"], key, value)
        elif key == "xmp":
            given["xmp"] = value.encode()
        else:
            given[key] = value
    if suffix in (".tif", ".tiff"):
        exif = Image.Exif()
        exif.load(given.pop("exif", b""))
        if "xmp" in given:
            exif[700] = given.pop("xmp")
        given["exif"] = exif
    # a lost resolution or comment is not reported, since many programs write one that nobody chose
    return given, [name for name in lost if name not in (NAMES["dpi"], NAMES["comment"])]


def _into_png(chunks: PngImagePlugin.PngInfo, key: str, value: object) -> None:
    if key == "xmp":
        chunks.add_itxt(_XMP_PNG, value)
    elif key == "text":
        for name, words in value.items():
            chunks.add_text(name, words)
    else:
        if "gamma" in value:
            chunks.add(b"gAMA", struct.pack(">I", round(value["gamma"] * 100000)))
        if "chromaticity" in value:
            chunks.add(b"cHRM", struct.pack(">8I", *(round(v * 100000) for v in value["chromaticity"])))
        if "srgb" in value:
            chunks.add(b"sRGB", bytes([value["srgb"]]))


def kind_of(path: str | Path) -> str:
    """What a file that cannot be read as a picture is instead, by its first bytes, and what to do; empty if they do not tell."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(32)
    except OSError:
        return ""
    for test, words in _OTHERS:
        if test(head):
            return words
    return ""


_OTHERS = (
    (lambda b: b[4:8] == b"ftyp" and b[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1"),
     "it is a HEIC picture of a phone; convert it to JPEG or PNG, or set the phone to its most compatible format"),
    (lambda b: (b[4:8] == b"ftyp" and b[8:11] != b"avi") or b[:4] == b"\x1aE\xdf\xa3" or b[8:12] == b"AVI ",
     "it is a video; use faceflow video"),
    (lambda b: b[:2] == b"\xff\x0a" or b[4:8] == b"JXL ", "it is a JPEG XL picture; convert it to PNG"),
    (lambda b: b[:4] == b"DDS ", "it is a texture of a game (DDS); convert it to PNG or TGA"),
    (lambda b: b[:4] == b"8BPS", "it is a Photoshop document; save it as PNG or TIFF"),
    (lambda b: b[:4] == b"%PDF", "it is a PDF; export the page as PNG"),
    (lambda b: b[8:10] == b'{"' and not any(b[4:8]), "it is a safetensors file, perhaps a saved field; name the picture first"),
    (lambda b: b[:4] == b"\x76\x2f\x31\x01", "it is an OpenEXR picture, whose light has no white; grade it and save 16-bit PNG or TIFF"),
    (lambda b: b[:2] == b"#?", "it is a Radiance picture, whose light has no white; grade it and save 16-bit PNG or TIFF"),
    (lambda b: b[:4] in (b"II*\0", b"MM\0*"),
     "it is damaged, or a TIFF of floating-point colours or a rare compression; save it as 16-bit TIFF or PNG"),
    (lambda b: b[:4] == b"\0\0\1\0", "it is an icon; save it as PNG"),
)  # fmt: skip
