"""Reading and writing picture files without losing what they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor


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
        ValueError: the file is missing or no picture.
    """
    try:
        with Image.open(path) as file:
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


def write(picture: Picture, path: str | Path) -> None:
    """Save a picture; the suffix decides the format. Formats that cannot hold its channels raise ValueError."""
    path = Path(path)
    array = (picture.pixels[0].permute(1, 2, 0) * picture.depth).round().clamp(0, picture.depth).cpu().numpy()
    array = array.astype(np.uint16 if picture.depth > 255 else np.uint8)
    image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    path.parent.mkdir(parents=True, exist_ok=True)
    quality = {"quality": 95, "subsampling": 0} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    partial = path.with_name(f".{path.stem}.part{path.suffix}")  # a failure must not destroy an older picture
    try:
        image.save(partial, **quality, **picture.extra)
        partial.replace(path)
    except (OSError, ValueError, KeyError) as e:
        partial.unlink(missing_ok=True)
        raise ValueError(f"{path} cannot be written ({e}); name a file that ends in .png.") from e
