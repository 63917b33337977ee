"""Pictures of edits: contact sheets, captions, before and after, animations, and the faces that alignment found."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from ..atomic import require_target, write_bytes
from ..fields.base import FlowField
from ..geometry.crop import Crop
from ..warping.warp import warp
from .ink import ACCENT, fit, font_of, paint, require_size, text_strip, to_image, to_tensor, write
from .picture import encoded

if TYPE_CHECKING:
    from ..faces.detect import Detection

ANIMATIONS = (".webp", ".gif", ".png")
MOST_DRAWN = 128_000_000  # pixels of a sheet
MOST_FRAMES = 1000  # of an animation
LOOKED_AT = 2048  # pixels, longest side of a picture that is only for looking


def caption(image: Tensor, text: str) -> Tensor:
    """Add a white strip with a text, wrapped to the width: ``[B,3,H,W]`` -> ``[B,3,H+h,W]``."""
    strip = text_strip(text, image.shape[3], 8 + round(0.015 * image.shape[3]))
    return torch.cat([strip.expand(len(image), -1, -1, -1), image.detach().cpu().float()], 2)


def require_sheet(rows: int, columns: int, cell: int) -> None:
    """ValueError for cells of less than 16 pixels, and for a sheet of more than :data:`MOST_DRAWN` pixels."""
    if cell < 16:
        raise ValueError(f"The cells of a sheet need at least 16 pixels a side, got {cell}.")
    if rows * columns * cell**2 > MOST_DRAWN:
        raise ValueError(
            f"A sheet of {rows} x {columns} cells of {cell} pixels would have {rows * columns * cell**2 / 1e6:.0f} megapixels, "
            f"at most {MOST_DRAWN / 1e6:.0f}; make the cells smaller, or fewer."
        )


def sheet(rows: list[list[tuple[str, Tensor]]], cell: int = 256) -> Tensor:
    """A contact sheet ``[1,3,H,W]`` on white: rows of (label, picture ``[1,3,h,w]``), every picture fitted
    into ``cell x cell`` pixels, aspect kept, label above. ValueError without a picture, and as :func:`require_sheet`."""
    if not any(rows):
        raise ValueError("A sheet needs a picture, got none.")
    require_sheet(len(rows), max(map(len, rows)), cell)
    margin, bands = max(2, round(0.03 * cell)), []
    width = max(map(len, rows)) * (cell + margin) + margin
    for row in filter(None, rows):
        strips = [text_strip(label, cell, max(9, round(0.062 * cell))) for label, _ in row]
        sizes = [[max(1, round(n * cell / max(p.shape[2:]))) for n in p.shape[2:]] for _, p in row]
        above, height = margin + max(s.shape[2] for s in strips), max(h for h, _ in sizes)
        band = torch.ones(1, 3, above + height, width)
        for i, ((_, picture), strip, (h, w)) in enumerate(zip(row, strips, sizes, strict=True)):
            x, y = margin + i * (cell + margin), above + (height - h) // 2
            band[..., above - strip.shape[2] : above, x : x + cell] = strip
            x += (cell - w) // 2
            band[..., y : y + h, x : x + w] = fit(picture, h, w)
        bands.append(band)
    return torch.cat([*bands, torch.ones(1, 3, margin, width)], 2)


def inscribe(picture: Tensor, text: str) -> Tensor:
    """The pictures ``[B,3,H,W]`` with lines of text on a dark ground across the top; long lines are wrapped."""
    height = max(9, round(0.032 * picture.shape[2]))
    margin = round(0.03 * picture.shape[3])
    lines = text.split("\n")
    for letters in range(max(map(len, lines)), 3, -1):
        lines = [line for part in text.split("\n") for line in textwrap.wrap(part, letters)]
        if max(map(font_of(4 * height).getlength, lines)) <= 4 * (picture.shape[3] - 2 * margin):
            break
    page = picture.detach().cpu().float().clone()
    page[..., : margin + round(1.45 * height * len(lines)), :] *= 0.25
    for i, line in enumerate(lines):
        page = write(page, line, (margin, margin / 2 + 1.45 * height * (i + 0.5)), (0, 0.5), (1.0,) * 3, 0.0)
    return page


def compare(
    image: Tensor, crop: Crop, field: FlowField, size: int = 512, strength: float = 1, at: float = 0.5
) -> Tensor:
    """Before, left of a line, and after, right of it: ``[1,3,size,size]``, in view of the whole head.

    Args:
        image: ``[B,3,H,W]``, of which the first counts, as of ``crop`` and ``field``.
        at: place of the line, 0 (all after) .. 1 (all before).
    """
    require_size(size)
    if not 0 <= at <= 1:
        raise ValueError(f"The divider must lie in 0..1, got {at}.")
    before, after = (_head(image[:1], crop.select(0), field.select(0), size, s) for s in (0.0, strength))
    x, width = round(at * size), max(2, round(size / 200))
    picture = after.clone()
    picture[..., :x] = before[..., :x]
    line = torch.zeros(1, 1, size, size)
    line[..., max(0, x - width // 2) : max(0, x - width // 2) + width] = 1
    if 0 < x < size:
        picture = paint(picture, line, (1.0,) * 3, halo=max(1, round(size / 400)))
    for word, side in (("before", 0), ("after", 1)):
        if (x, size - x)[side] > 0.25 * size:
            place = x + (2 * side - 1) * (width + 0.02 * size), 0.97 * size
            picture = write(picture, word, place, (1 - side, 1), (1.0,) * 3, 0.0)
    return picture


def _head(image: Tensor, crop: Crop, field: FlowField, size: int, strength: float) -> Tensor:
    with torch.no_grad():
        edited = warp(image, crop, field, strength, strength)[0] if strength else image
        return crop.widen(1.25).aligned(edited, size).detach().cpu().float()


def morph(
    image: Tensor,
    crop: Crop,
    field: FlowField,
    frames: int = 24,
    size: int = 384,
    loop: bool = True,
    strength: float = 1,
) -> Iterator[Tensor]:
    """``frames`` pictures ``[1,3,size,size]``, one after another: the edit of the first of ``image`` ``[B,3,H,W]``
    growing from nothing to ``strength``, slow at both ends, in view of the whole head. With ``loop`` there and back, so
    that the end joins the beginning. ValueError: not 2..:data:`MOST_FRAMES` frames, or a crop of another picture."""
    if not 2 <= frames <= MOST_FRAMES:
        raise ValueError(f"An animation needs 2..{MOST_FRAMES} frames, got {frames}.")
    there = frames // 2 if loop else frames - 1
    times = [i / there if i <= there else (frames - i) / (frames - there) for i in range(frames)]
    done: dict[float, Tensor] = {}  # the way back shows the same pictures
    for t in times:
        if t not in done:
            done[t] = _head(image[:1], crop.select(0), field.select(0), size, strength * t * t * (3 - 2 * t))
        yield done[t]


def animate(
    image: Tensor,
    crop: Crop,
    field: FlowField,
    frames: int = 24,
    size: int = 384,
    loop: bool = True,
    strength: float = 1,
) -> list[Image.Image]:
    """:func:`morph` for :func:`save_animation`."""
    return [to_image(p) for p in morph(image, crop, field, frames, size, loop, strength)]


def save_animation(frames: list[Image.Image], path: str | Path, fps: float = 20) -> Path:
    """Write an endless animation: ``.webp`` (lossy), ``.gif`` (256 colours) or ``.png`` (APNG, lossless).
    Equal neighbours may become one longer frame. ValueError: other suffix, no frames, fps outside 1..100."""
    path = require_target(path, ANIMATIONS, "An animation")
    suffix = path.suffix.lower()
    if not frames or not 1 <= fps <= 100:
        raise ValueError(f"An animation needs frames, 1..100 a second; got {len(frames)} frames, fps {fps}.")
    options = {"duration": round(1000 / fps), "loop": 0} | ({"quality": 85} if suffix == ".webp" else {})
    if suffix == ".gif":  # one palette for all, or still areas would flicker
        palette = frames[len(frames) // 2].convert("RGB").quantize(256)
        frames = [f.convert("RGB").quantize(palette=palette) for f in frames]
    write_bytes(path, encoded(frames[0], suffix, save_all=True, append_images=frames[1:], **options))
    return path


def faces(image: Tensor, crop: Crop, found: list[list[Detection]]) -> Tensor:
    """Pictures ``[B,3,h,w]`` with every face that :func:`flow_core.faces.align.align` found numbered, and the squares and the
    five points of the chosen ones; large pictures are reduced to :data:`LOOKED_AT` pixels."""
    pictures, longest = [], max(image.shape[2:])
    scale = min(1.0, LOOKED_AT / longest)
    for i, picture in enumerate(image):
        if scale < 1:
            picture = F.avg_pool2d(picture[None].float(), longest // LOOKED_AT)  # quick
            size = [max(1, round(n * scale)) for n in image.shape[2:]]
            picture = F.interpolate(picture, size, mode="bilinear", antialias=True, align_corners=False)
        page = to_image(picture)
        pen, unit = ImageDraw.Draw(page), max(page.size)
        ink, width = tuple(round(255 * c) for c in ACCENT), max(1, round(unit / 300))
        for one in map(crop.select, crop.faces_of(i)):
            corners = one.to_image(torch.tensor([[[[0.0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]]))[0, 0] * scale
            pen.line([tuple(p) for p in corners.tolist()], fill=ink, width=width, joint="curve")
            for x, y in (one.points[0] * scale).tolist():
                pen.ellipse([x - 1.5 * width, y - 1.5 * width, x + 1.5 * width, y + 1.5 * width], fill=ink)
        for number, face in enumerate(found[i]):
            x0, y0, x1, y1 = (face.box * scale).tolist()
            pen.rectangle([x0, y0, max(x0, x1), max(y0, y1)], outline=(255, 255, 255), width=width)
            font = font_of(max(10, round(unit / 28)))
            pen.text(
                (x0 + 2 * width, y0),
                str(number),
                fill=(255, 255, 255),
                font=font,
                stroke_width=width,
                stroke_fill=(0, 0, 0),
            )
        pictures.append(to_tensor(page))
    return torch.cat(pictures)
