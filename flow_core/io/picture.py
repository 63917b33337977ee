"""Reading and writing picture files without losing what they hold."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..atomic import require_target, write_bytes

# What is read. Pillow would also hand PostScript to Ghostscript, that is run a program in a file that calls itself .jpg,
# and parse formats that hardly anybody uses or looks after.
RASTER = ("PNG", "JPEG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "TGA", "JPEG2000") + (
    ("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()
)
WRITTEN = (
    ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".tga", ".jp2", ".ppm", ".pgm", ".avif"
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A picture and what its file carried beside the pixels.

    Attributes:
        pixels: ``[1,C,H,W]`` float 0..1; C = 1 (grey), 3 (RGB) or 4 (RGBA).
        depth: largest integer value of a channel, 255 or 65535.
        extra: arguments that keep colour profile and metadata when saved.
    """

    pixels: Tensor
    depth: int = 255
    extra: dict = field(default_factory=dict)

    @property
    def rgb(self) -> Tensor:
        """``[1,3,H,W]``, what a guide or a detector looks at: grey repeated, alpha left out."""
        return self.pixels.expand(-1, 3, -1, -1) if self.pixels.shape[1] == 1 else self.pixels[:, :3]


def read(path: str | Path) -> Picture:
    """Open a picture upright (EXIF orientation applied).

    Raises:
        ValueError: the file is missing or no picture, or a kind of picture that is a program.
    """
    try:
        with Image.open(path, formats=RASTER) as file:
            image = ImageOps.exif_transpose(file)
            extra = {k: v for k in ("icc_profile", "exif") if (v := image.info.get(k))}
            if image.mode in ("I;16", "I;16L", "I;16B", "I"):
                array, depth = np.asarray(image).astype(np.float32)[..., None], 65535
            else:
                if image.mode not in ("L", "RGB", "RGBA"):
                    extra.pop("icc_profile", None)  # it describes the colours before the conversion
                    alpha = image.mode in ("LA", "PA") or "transparency" in image.info
                    image = image.convert("RGBA" if alpha else "RGB")
                array, depth = np.atleast_3d(np.asarray(image).astype(np.float32)), 255
    except FileNotFoundError as e:
        raise ValueError(f"There is no picture at {path}.") from e
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as e:
        raise ValueError(f"{path} cannot be read as a picture ({e}); save it as PNG or JPEG.") from e
    return Picture(torch.from_numpy(array / depth).permute(2, 0, 1)[None], depth, extra)


def require_picture_target(path: str | Path) -> Path:
    """The path, if a picture may be written there; ValueError or PermissionError, before any work, if not."""
    return require_target(path, WRITTEN, "A picture")


def encoded(image: Image.Image, suffix: str, **options: object) -> bytes:
    """A picture file's content. Pillow's own way to a file does not notice when a disk that fills takes only half of it."""
    Image.preinit()
    if suffix.lower() not in Image.EXTENSION:
        Image.init()
    buffer = io.BytesIO()
    image.save(buffer, Image.EXTENSION[suffix.lower()], **options)
    return buffer.getvalue()


def write(picture: Picture, path: str | Path) -> None:
    """Save a picture, as :func:`flow_core.atomic.replacing` says; the suffix decides the format. Formats that cannot
    hold its channels raise ValueError."""
    path = require_picture_target(path)
    array = (picture.pixels[0].permute(1, 2, 0) * picture.depth).round().clamp(0, picture.depth).cpu().numpy()
    array = array.astype(np.uint16 if picture.depth > 255 else np.uint8)
    image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    quality = {"quality": 95, "subsampling": 0} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    try:
        write_bytes(path, encoded(image, path.suffix, **quality, **picture.extra))
    except (OSError, ValueError, KeyError) as e:
        raise ValueError(f"{path} cannot be written ({e}); name a file that ends in .png.") from e
