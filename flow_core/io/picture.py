"""Reading and writing picture files, keeping their depth, alpha channel and metadata."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFile, JpegImagePlugin, UnidentifiedImageError
from torch import Tensor

from ..atomic import require_target, write_bytes
from . import metadata, sixteen

# Formats that are read. Others are refused: Pillow would hand PostScript, even in a file named .jpg, to Ghostscript, which runs
# it as a program, and would parse formats that hardly anybody uses or maintains.
RASTER = ("PNG", "JPEG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "TGA", "JPEG2000") + (
    ("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()
)
WRITTEN = (
    ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".tga", ".jp2", ".ppm", ".pgm", ".avif"
)  # fmt: skip
MOST_PIXELS = 128_000_000  # of a picture that is read; with all copies these take some gigabytes of memory

_ALPHA = (".png", ".tif", ".tiff", ".webp", ".tga", ".jp2", ".avif", ".gif")
_SIXTEEN = {".png": (1, 3, 4), ".tif": (1, 3, 4), ".tiff": (1, 3, 4), ".ppm": (1, 3), ".pgm": (1,)}  # suffix: channels
# Options of Pillow's save: lossless, or as near to it as the format comes. A JPEG of a JPEG is compressed as that was (Picture.jpeg).
_QUALITY = {
    ".png": {"compress_level": 3},  # a third of the time of Pillow's own 6, for a twentieth more bytes
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"lossless": True, "exact": True},
    ".avif": {"quality": 100, "subsampling": "4:4:4"},
}


@dataclass(frozen=True)
class Picture:
    """A picture, and what its file held besides the pixels.

    Attributes:
        pixels: ``[1,C,H,W]`` float 0..1; C = 1 (grey), 3 (RGB) or 4 (RGBA).
        depth: largest integer value of a channel, 255 or 65535.
        extra: metadata of the file (keys of :data:`flow_core.io.metadata.NAMES`), which :func:`write` keeps.
        notes: sentences about what could not be read as it was.
        jpeg: how a JPEG was compressed, as options of Pillow's ``save``; empty for other formats. Compressed in the same way, what is
            not edited comes out nearly unchanged.
    """

    pixels: Tensor
    depth: int = 255
    extra: dict = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    jpeg: dict = field(default_factory=dict)

    @property
    def rgb(self) -> Tensor:
        """``[1,3,H,W]``, as guides and detectors take it: grey repeated, alpha left out."""
        return self.pixels.expand(-1, 3, -1, -1) if self.pixels.shape[1] == 1 else self.pixels[:, :3]


def read(path: str | Path) -> Picture:
    """Open a picture upright (EXIF orientation applied), in its own depth, with its alpha and its metadata.

    Raises:
        ValueError: the file is missing, no picture, of a format that is not read, larger than :data:`MOST_PIXELS`, an animation, or
            has several pages, or numbers of which white is not known (floats, 32-bit integers). The message says what to do.
    """
    path, notes = Path(path), []
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a picture in it.")
    try:
        with Image.open(path, formats=RASTER) as image:
            _require_one_picture(path, image)
            array, depth, profile = _decoded(image, path, notes)
            extra, orientation, damage = metadata.found(image)
            jpeg = _compression(image, orientation)
    except FileNotFoundError as e:
        raise ValueError(f"There is no picture at {path}.") from e
    except _Refused:
        raise
    except Image.DecompressionBombError as e:  # Pillow's own limit, which comes first
        raise _Refused(
            f"{path} has more than {2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} megapixels; pictures of up to {MOST_PIXELS / 1e6:.0f} are "
            "read. Make it smaller, or cut it."
        ) from e
    except MemoryError as e:
        raise ValueError(f"There is not enough memory for {path}; make it smaller.") from e
    except Exception as e:  # Pillow's readers raise errors of many kinds over damage
        kind = metadata.kind_of(path) if isinstance(e, UnidentifiedImageError) else ""
        reason = kind or " ".join(str(e).split()) or type(e).__name__
        if isinstance(e, UnidentifiedImageError) and not kind:
            reason = "it is damaged, or no picture"
        raise ValueError(
            f"{path} cannot be read as a picture: {reason}." + ("" if kind else " Save it as PNG or JPEG.")
        ) from e
    if not profile:
        extra.pop("icc_profile", None)  # it describes the colours before the conversion
    notes += [damage] if damage else []
    pixels = torch.from_numpy(_upright(array, orientation)).permute(2, 0, 1)[None]
    return Picture(pixels, depth, extra, tuple(f"{path.name}: {note}." for note in notes), jpeg)


class _Refused(ValueError):
    """A picture that is not damaged, but is not read all the same."""


def _require_one_picture(path: Path, image: ImageFile.ImageFile) -> None:
    """Raise :class:`_Refused` for what is too large, an animation, or has several pages; before any memory is used for pixels."""
    w, h = image.size
    if w * h > MOST_PIXELS:
        raise _Refused(
            f"{path} has {w}x{h} pixels ({w * h / 1e6:.0f} megapixels); pictures of up to {MOST_PIXELS / 1e6:.0f} are read. "
            "Make it smaller, or cut it."
        )
    if image.format == "MPO":
        return  # a photo, followed by what a camera adds to it, see _decoded
    if image.format == "TIFF":
        if _pages(image) > 1:
            raise _Refused(f"{path} has several pages; save the one that you mean as PNG or TIFF of its own.")
    elif getattr(image, "is_animated", False):
        raise _Refused(
            f"{path} is an animation, of which a picture would keep one frame; edit it with faceflow video (saved as .mp4, "
            "where it is not read as it is), or save the frame that you mean as PNG."
        )


def _pages(image: ImageFile.ImageFile) -> int:
    """Number of pages of a TIFF, counted up to 2; thumbnails and masks of a page do not count."""
    pages = 0
    try:
        for i in range(64):
            image.seek(i)
            pages += not int(image.tag_v2.get(254, 0)) & 5
            if pages == 2:
                break
    except EOFError:
        pass
    image.seek(0)
    return max(1, pages)


def _decoded(image: ImageFile.ImageFile, path: Path, notes: list[str]) -> tuple[np.ndarray, int, bool]:
    """Pixels ``[H,W,C]`` float32 0..1, the depth of the file, and whether its colour profile still applies to them."""
    if image.format == "MPO":
        notes.append("a second picture in it (another view, a depth or gain map) is left out")
    if (values := sixteen.read_ppm(image, path)) is not None:
        return values, 65535, True
    if raw := sixteen.raw_mode(image):
        array = sixteen.read(image, path, raw).astype(np.float32)
        array /= 65535
        return _keyed(array, image.info.get("transparency"), 65535), 65535, True
    twelve = image.format == "TIFF" and image.tag_v2.get(258, (1,))[0] == 12
    image.load()
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        array = np.asarray(image).astype(np.float32)[..., None]
        array /= 4095 if twelve else 65535
        if image.format == "TIFF" and image.tag_v2.get(262) == 0:  # white is zero
            array = 1 - array
        return _keyed(array, image.info.get("transparency"), 65535), 65535, True
    if image.mode in ("I", "F"):
        kind = "integers of 32 bits or with signs" if image.mode == "I" else "floating-point numbers"
        raise _Refused(f"{path} holds {kind}, and says not which of them is white; save it as 16-bit PNG or TIFF.")
    if image.mode == "CMYK" or image.mode == "LAB":
        image, profile = _from_profile(image, notes), False
    else:
        profile = image.mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
        if "transparency" in image.info or image.mode in ("LA", "PA"):
            image = image.convert("RGBA")
        elif image.mode == "1":
            image = image.convert("L")
        elif image.mode not in ("L", "RGB", "RGBA"):
            image = image.convert("RGB")
    if _deeper(path, image.mode):
        notes.append(
            "it has more than 8 bits a channel, of which 8 are read; save it as 16-bit PNG or TIFF to keep them"
        )
    array = np.atleast_3d(np.asarray(image).astype(np.float32))
    array /= 255
    return array, 255, profile


def _keyed(array: np.ndarray, key: object, white: int) -> np.ndarray:
    """The picture with an alpha channel, if a PNG declares one colour transparent (``key``)."""
    if key is None:
        return array
    key = np.array(key if isinstance(key, tuple) else [key], np.float32) / white
    alpha = (array != key.astype(np.float32)).any(-1, keepdims=True).astype(np.float32)
    return np.concatenate([np.broadcast_to(array[..., :3], (*array.shape[:2], 3)), alpha], 2)


def _from_profile(image: Image.Image, notes: list[str]) -> Image.Image:
    """CMYK or Lab, converted to sRGB by the picture's own colour profile."""
    mode, profile = image.mode, image.info.get("icc_profile")
    notes.append(f"its {mode} colours are converted to sRGB, and written as such")
    try:
        from PIL import ImageCms

        if mode == "LAB":
            source = ImageCms.createProfile("LAB")
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImportError, OSError, ImageCms.PyCMSError) as e:
        if mode == "LAB":
            raise ValueError("Lab colours need Pillow with LittleCMS") from e
        notes.append("it has no usable profile of its inks, so these colours are approximate")
        return image.convert("RGB")


def _deeper(path: Path, mode: str) -> bool:
    """Whether a JPEG 2000 or AVIF file has more than the 8 bits a channel that Pillow reads."""
    if mode not in ("L", "RGB", "RGBA"):
        return False
    with path.open("rb") as file:
        head = file.read(1 << 14)
    if (at := head.find(b"\xff\x4f\xff\x51")) >= 0 and len(head) > at + 42:  # SIZ of a code stream: bits - 1
        return head[:12].endswith((b"jP  \r\n\x87\n", b"\xff\x51")) and (head[at + 42] & 127) + 1 > 8
    at = head.find(b"av1C")
    return head[4:8] == b"ftyp" and at >= 0 and len(head) > at + 6 and bool(head[at + 6] & 0x40)


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels ``[H,W,C]``, turned upright according to the EXIF orientation."""
    if orientation in (2, 4, 5, 7):  # mirrored; 4, 5 and 7 are turned as well
        array = array[:, ::-1]
    quarters = {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(orientation, 0)
    return np.ascontiguousarray(np.rot90(array, quarters))


def _compression(image: ImageFile.ImageFile, orientation: int) -> dict[str, object]:
    """Quantisation tables and subsampling of a grey or RGB JPEG, for the upright picture; empty if Pillow could not write them."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode not in ("L", "RGB"):
        return {}
    numbers = [layer[3] for layer in image.layer][:2]  # of luminance, and of colours
    tables = [image.quantization.get(n, ()) for n in numbers]
    if not tables or any(len(table) != 64 or not 1 <= min(table) <= max(table) <= 255 for table in tables):
        return {}
    sampling = JpegImagePlugin.get_sampling(image)
    if orientation > 4:  # rows become columns
        tables = [[table[8 * (i % 8) + i // 8] for i in range(64)] for table in tables]
        sampling = 0 if sampling == 1 else sampling
    return {"qtables": tables, "subsampling": max(0, sampling)}


def require_picture_target(path: str | Path) -> Path:
    """The path, if a picture may be written there; errors as of :func:`flow_core.atomic.require_target`."""
    return require_target(path, WRITTEN, "A picture")


def encoded(image: Image.Image, suffix: str, **options: object) -> bytes:
    """The content of a picture file. It is not written by Pillow, which does not notice if a full disk takes only half of it."""
    Image.preinit()
    if suffix.lower() not in Image.EXTENSION:
        Image.init()
    buffer = io.BytesIO()
    image.save(buffer, Image.EXTENSION[suffix.lower()], **options)
    return buffer.getvalue()


def write(picture: Picture, path: str | Path) -> list[str]:
    """Save a picture atomically (:func:`flow_core.atomic.replacing`); the suffix decides the format.

    Returns:
        sentences about what this format cannot keep: 16 bits, metadata, more than 256 colours.

    Raises:
        ValueError: the format cannot hold the channels (colours in ``.pgm``, transparency), or the file cannot be written.
    """
    path = require_picture_target(path)
    suffix, pixels, notes = path.suffix.lower(), picture.pixels[0], []
    if pixels.shape[0] == 4 and suffix not in _ALPHA:
        if (pixels[3] * 255).round().min() < 255:
            raise ValueError(
                f"{path} cannot be written: {suffix} holds no transparency; name a file that ends in .png."
            )
        pixels = pixels[:3]
    if pixels.shape[0] == 3 and suffix == ".pgm":
        raise ValueError(f"{path} cannot be written: .pgm holds no colours; name a file that ends in .png.")
    if (
        pixels.shape[0] == 4
        and suffix == ".gif"
        and not torch.isin((pixels[3] * 255).round(), torch.tensor([0.0, 255.0])).all()
    ):
        raise ValueError(f"{path} cannot be written: .gif holds no half transparency; name a file that ends in .png.")
    channels = pixels.shape[0]
    depth = picture.depth
    if depth > 255 and channels not in _SIXTEEN.get(suffix, ()):
        depth = 255
        notes.append(f"{path.name}: {suffix} holds 8 bits a channel, to which the picture's 16 are rounded.")
    if suffix == ".gif" and channels > 1:
        notes.append(f"{path.name}: .gif holds 256 colours; .png keeps all.")
    array = (pixels.permute(1, 2, 0) * depth).round_().clamp_(0, depth).cpu().numpy()
    array = array.astype(np.uint16 if depth > 255 else np.uint8)
    extra, lost = metadata.options(picture.extra, suffix, channels)
    if lost:
        notes.append(f"{path.name}: {suffix} keeps no {', '.join(lost)} of this picture.")
    try:
        # a table for luminance, and one for chrominance if there are colours
        same = suffix in (".jpg", ".jpeg") and len(picture.jpeg.get("qtables", ())) == min(2, channels)
        write_bytes(path, _encoded(array, suffix, extra | (picture.jpeg if same else _QUALITY.get(suffix, {}))))
    except (OSError, ValueError, KeyError) as e:
        # errors of the operating system come from the folder or the disk, others from the format
        remedy = "a file that ends in .png" if not isinstance(e, OSError) or e.errno is None else "another place"
        raise ValueError(f"{path} cannot be written ({e}); name {remedy}.") from e
    return notes


def _encoded(array: np.ndarray, suffix: str, extra: dict[str, object]) -> bytes:
    """The content of a file for pixels ``[H,W,C]`` uint8 or uint16, with options of Pillow's ``save``."""
    if array.dtype == np.uint8:
        image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else np.ascontiguousarray(array))
        return encoded(image, suffix, **extra)
    if suffix == ".png":
        small = Image.new({1: "L", 3: "RGB", 4: "RGBA"}[array.shape[2]], (1, 1))
        return sixteen.png(array, encoded(small, suffix, **extra))
    return sixteen.tiff(array, **extra) if suffix in (".tif", ".tiff") else sixteen.ppm(array)
