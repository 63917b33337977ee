"""Drawing primitives: soft shapes, halos and text on pictures ``[B,3,H,W]`` of floats, on the CPU."""

from __future__ import annotations

import textwrap
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

INK, ACCENT = (0.12, 0.13, 0.16), (1.0, 0.76, 0.18)


def to_image(t: Tensor) -> Image.Image:
    """``[B,C,H,W]`` (the first) or ``[C,H,W]`` with 1, 3 or 4 channels, floats 0..1 -> 8 bit, rounded."""
    t = t[0] if t.ndim == 4 else t
    if t.ndim != 3 or t.shape[0] not in (1, 3, 4):
        raise ValueError(f"Expected a picture [C,H,W] with 1, 3 or 4 channels, got {tuple(t.shape)}.")
    data = (t.detach().cpu().float().nan_to_num().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(data[..., 0] if data.shape[2] == 1 else data))


def to_tensor(image: Image.Image) -> Tensor:
    """``[1,C,H,W]`` floats 0..1 of an 8-bit picture."""
    return torch.from_numpy(np.atleast_3d(np.array(image))).permute(2, 0, 1)[None].float() / 255


def fit(image: Tensor, height: int, width: int) -> Tensor:
    """The first of a batch, resized, on the CPU, within 0..1."""
    image = image[:1].detach().cpu().float()
    if image.shape[2:] != (height, width):
        image = F.interpolate(image, (height, width), mode="bicubic", antialias=True, align_corners=False)
    return image.clamp(0, 1)


def require_size(size: int) -> None:
    """ValueError unless a picture may have ``size`` pixels a side."""
    if not 64 <= size <= 4096:
        raise ValueError(f"The size of a picture must lie in 64..4096 pixels, got {size}.")


def paint(picture: Tensor, mask: Tensor, color: Tensor | tuple, halo: int = 0, rim: float = 0) -> Tensor:
    """Lay a colour over a picture where ``mask`` ``[1,1,H,W]`` is, above a soft halo of the grey ``rim``."""
    if halo:
        near = mask
        for kernel, pad in (((2 * halo + 1, 1), (halo, 0)), ((1, 2 * halo + 1), (0, halo))) * 2:
            near = F.avg_pool2d(near, kernel, 1, pad)
        picture = paint(picture, (3 * near).clamp(max=1) * 0.6, (rim,) * 3)
    color = color if isinstance(color, Tensor) else torch.tensor(color)[None, :, None, None]
    return picture + mask * (color - picture)


def write(picture: Tensor, text: str, at: tuple, anchor: tuple, color: tuple, rim: float) -> Tensor:
    """Write a word into the picture; its box has its point ``anchor`` (0 left/top .. 1) at pixel ``at``."""
    height = max(9, round(0.032 * picture.shape[2]))
    fine = 4 if height < 24 else 1  # small letters on whole pixels would stand unevenly
    x0, y0, x1, y1 = (v / fine for v in blank_page(1, 1)[1].textbbox((0, 0), text, font=font_of(height * fine)))
    x, y = round(at[0] - x0 - anchor[0] * (x1 - x0)), round(at[1] - y0 - anchor[1] * (y1 - y0))
    band = picture[..., max(0, y - height) : y + 3 * height, :]
    mask, pen = blank_page(band.shape[3] * fine, band.shape[2] * fine)
    pen.text((x * fine, min(y, height) * fine), text, fill=255, font=font_of(height * fine))
    band[:] = paint(band, to_tensor(mask.reduce(fine)), color, halo=max(1, height // 10), rim=rim)
    return picture


def blank_page(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A black grey-scale page, and what draws on it."""
    page = Image.new("L", (width, height))
    return page, ImageDraw.Draw(page)


def text_strip(text: str, width: int, height: int) -> Tensor:
    """Lines of dark text, centred on white, ``[1,3,h,width]``."""
    font = font_of(height)
    if not isinstance(font, ImageFont.FreeTypeFont):  # the bitmap font knows Latin-1 only
        text = text.encode("latin-1", "replace").decode("latin-1")
    for letters in range(max(1, min(len(text), 4 * width // height)), 0, -1):
        lines = [line for part in text.split("\n") for line in textwrap.wrap(part, letters) or [""]]
        if max(map(font.getlength, lines)) <= width - height // 2:
            break
    page = Image.new("L", (width, round(1.3 * height) * len(lines) + height // 2))
    for i, line in enumerate(lines):
        at = (width - font.getlength(line)) / 2, height // 4 + i * round(1.3 * height)
        ImageDraw.Draw(page).text(at, line, fill=255, font=font)
    return paint(torch.ones(1, 3, page.height, width), to_tensor(page), INK)


@lru_cache(maxsize=32)
def font_of(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font with letters of ``height`` pixels."""
    try:
        return ImageFont.load_default(height)
    except (ImportError, OSError, TypeError):  # Pillow without FreeType, or before 10.1
        return ImageFont.load_default()
