"""Pictures of a field, for people: colour wheel, arrows, grid, heat map, colour shift, folds, before and after, sheets and
animations.

All are drawn on the CPU and show what is really applied: the tapered field (:meth:`flow_core.fields.base.FlowField.flow`), in
the crop frame. Of a batch the first is drawn.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..atomic import require_target, write_bytes
from ..fields.base import FlowField
from ..fields.motion import motion_on
from ..fields.muscles import MusclesField
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..warping.jacobian import jacobian_determinant
from ..warping.warp import warp
from .picture import encoded

if TYPE_CHECKING:
    from ..faces.detect import Detection

ANIMATIONS = (".webp", ".gif", ".png")
MUSCLES = "muscles"  # the style of muscles fields alone
MOST_DRAWN = 128_000_000  # pixels of a sheet
MOST_FRAMES = 1000  # of an animation
_STILL = 1e-4  # shorter offsets (0.1 px of a 1024 px face) count as no movement
_INK, _ACCENT = (0.12, 0.13, 0.16), (1.0, 0.76, 0.18)
# The colour wheel of Baker et al., uneven because the eye is: red, yellow, green, cyan, blue, magenta, red.
_WHEEL = (0, 15, 21, 25, 36, 49, 55), "ff0000 ffff00 00ff00 00ffff 0000ff ff00ff ff0000"
# Dark to bright in equal steps of OKLab (Ottosson, A perceptual color space for image processing, 2020).
_HEAT = range(11), "09081e 200c48 41156a 6c1e71 97266a b93c59 da5238 f17621 f7a124 fdca5d fdf0a0"
# Eight hues that differ in lightness too, for muscles
_HUES = "ffcf33 4fc3f7 ff7043 aed581 ba68c8 f06292 4db6ac e0e0e0"
# Squeezed to stretched, blue over grey to orange, which also colour-blind eyes tell apart.
_AREA, _FOLD = (range(5), "1f5fa8 86b4dc ededea f0a35e b4480b"), (0.85, 0.0, 0.55)


def view(
    field: FlowField,
    style: str = "wheel",
    size: int = 512,
    background: Tensor | None = None,
    strength: float = 1,
    side: float | None = None,
    crop: Crop | None = None,
) -> Tensor:
    """A picture ``[1,3,size,size]`` of a field, RGB 0..1.

    Offsets are backward (where a colour comes from); ``wheel`` and ``arrows`` show the direction in which the
    content of the picture moves, which is minus the offset.

    - ``wheel``: hue is the direction, as on the disc in the corner, saturation the length relative to the
      largest (Baker et al., A Database and Evaluation Methodology for Optical Flow, IJCV 2011).
    - ``arrows``: from where content was to where it goes, true to scale; a dot where it hardly moves.
    - ``grid``: a regular grid that the edit carries along; lines turn yellow where they move.
    - ``heat``: length of the offset, with a scale.
    - ``color``: colour shift around mid grey, amplified by the printed factor.
    - ``folds``: how the warp changes areas, 1 / det J: orange where content is stretched, blue where it is squeezed,
      magenta where the warp folds (det J <= 0).
    - ``muscles``: of a muscles field, how points of the face move, each in the colour of the muscle that moves it most, and bars
      of what changes on this face.

    Args:
        size: side of the picture, 64..4096 pixels.
        background: aligned face ``[B,3,S,S]``, dimmed beneath ``arrows`` and, edited, beneath ``grid``.
        strength: multiplies offsets and colours.
        side: side of the face square in pixels of the photo (:attr:`Crop.side`); lengths are then printed in these
            pixels, else in percent of the side.
        crop: the face, for fields that need it; of a batch the first.

    Raises:
        ValueError: unknown style, a size or background that does not fit, or NaN in the field.
    """
    if style not in _DRAWN_BY:
        raise ValueError(f"Unknown style {style!r}; use one of {', '.join(_DRAWN_BY)}.")
    if style == MUSCLES and not isinstance(field, MusclesField):
        raise ValueError(f"The style {MUSCLES} shows muscles fields, and this is a {field.kind} field.")
    _require_size(size)
    if background is not None and (background.ndim != 4 or background.shape[1] != 3):
        raise ValueError(f"Expected a background [B,3,S,S], got {tuple(background.shape)}.")
    with torch.no_grad():
        field = field.select(0).to("cpu").scale(strength, strength).require_finite()
        crop = None if crop is None else crop.select(0).to("cpu")
        background = None if background is None else _fit(background, size, size)
        return _DRAWN_BY[style](_Drawn(field, crop, side), pixel_centers(size, size), background)


class _Drawn:
    """The field that is drawn, with the face that it may need, and the side of its square in pixels of the photo."""

    def __init__(self, field: FlowField, crop: Crop | None, side: float | None) -> None:
        self.field, self.crop, self.side, self.flow = field, crop, side, field.flow(crop=crop)

    def offset(self, points: Tensor) -> Tensor:
        return self.flow(points).offset

    def color(self, points: Tensor) -> Tensor:
        return self.flow(points).color

    def length(self, share: float) -> str:
        """A length in fractions of the crop side, in words."""
        return _length(share, self.side)


def _require_size(size: int) -> None:
    if not 64 <= size <= 4096:
        raise ValueError(f"The size of a picture must lie in 64..4096 pixels, got {size}.")


def _wheel(drawn: _Drawn, points: Tensor, _: Tensor | None) -> Tensor:
    size = points.shape[1]
    flow = -drawn.offset(points)
    longest = torch.hypot(*flow.unbind(1)).max().item()
    picture = _wheel_colors(flow / max(longest, _STILL))
    radius = max(7.0, 0.065 * size)
    center = size - 1.35 * radius
    corner = slice(int(center - 1.3 * radius), size)
    around = points[:, corner, corner].permute(0, 3, 1, 2) * size - center
    disc = (radius + 0.5 - torch.hypot(*around.split(1, 1))).clamp(0, 1)
    part = picture[..., corner, corner]
    part[:] = _paint(part, disc, _wheel_colors(around / radius), halo=max(1, round(size / 600)))
    text = ("max " if size >= 128 else "") + drawn.length(longest)
    return _write(picture, text, (center - 1.4 * radius, center), (1, 0.5), _INK, 1.0)


def _arrows(drawn: _Drawn, points: Tensor, background: Tensor | None) -> Tensor:
    size = points.shape[1]
    count = round(min(max(8.0, 1.1 * size**0.5), 36.0))
    lattice = pixel_centers(count, count)
    offset = drawn.offset(lattice).permute(0, 2, 3, 1).reshape(-1, 2).numpy()
    tips, lengths = lattice.reshape(-1, 2).numpy(), np.linalg.norm(offset, axis=1)
    scale = max(2, min(4, 4096 // size))  # PIL draws without antialiasing
    unit, cell = size * scale, size * scale / count
    thick = max(1.1 * scale, 0.09 * cell)
    pen = ImageDraw.Draw(layer := Image.new("RGBA", (unit, unit)))
    for i in lengths.argsort()[(lengths < _STILL).sum() :]:  # long arrows on top
        tip, back, long = tips[i] * unit, offset[i] / lengths[i], lengths[i] * unit
        share = min(1.0, long / (0.6 * cell))
        ink = tuple(round(255 * (0.93 + share * (c - 0.93))) for c in _ACCENT)
        if long < 2.4 * thick:
            pen.ellipse([*(tip - 0.7 * thick), *(tip + 0.7 * thick)], fill=(*ink, 190))
        else:
            head = min(0.55 * long, 0.38 * cell)
            side, neck, tail = np.array([-back[1], back[0]]), tip + back * head, tip + back * long
            shaft, wide = side * min(thick, head * 0.5) / 2, side * max(head * 0.55, 0.75 * thick)
            corners = tail + shaft, neck + shaft, neck + wide, tip, neck - wide, neck - shaft, tail - shaft
            pen.polygon([tuple(p) for p in corners], fill=ink)
    arrows = _tensor(layer.reduce(scale))
    return _paint(_dim(background, size, 0.68), arrows[:, 3:], arrows[:, :3], halo=max(1, round(size / 500)))


def _grid(drawn: _Drawn, points: Tensor, background: Tensor | None) -> Tensor:
    size = points.shape[1]
    edited = None
    if background is not None:
        whole = Crop.whole(background)
        if drawn.crop is not None and drawn.crop.landmarks is not None:
            whole = replace(whole, landmarks=drawn.crop.places * background.shape[-1])
        edited = warp(background, whole, drawn.field)[0]
    offset = drawn.offset(points)
    # Cells of whole pixels and lines on pixel centres (or edges, if even) make all lines equally sharp.
    cell, width = round(size / max(8.0, 0.75 * size**0.5)), max(1, round(size / 360))
    first = (size - (size // cell - 1) * cell) // 2 + 0.5 * (width % 2)
    phase = ((points.permute(0, 3, 1, 2) + offset) * size - first) / cell
    slope = torch.hypot(*torch.gradient(phase, dim=(2, 3))).clamp(min=1e-3)
    distance = (phase - phase.round()).abs() / slope  # in pixels, so lines keep their width where they bend
    share = (torch.hypot(*offset.split(1, 1)) / 0.02).clamp(0, 1)
    mask = (width * (0.5 + 0.25 * share) + 0.5 - distance).clamp(0, 1).amax(1, keepdim=True)
    ink = 0.93 + share * (torch.tensor(_ACCENT)[None, :, None, None] - 0.93)
    return _paint(_dim(edited, size, 0.8), mask * (0.5 + 0.5 * share), ink, halo=max(1, round(size / 600)))


def _muscles(drawn: _Drawn, points: Tensor, background: Tensor | None) -> Tensor:
    size = points.shape[1]
    motion = motion_on(drawn.field, drawn.crop)
    inks = [tuple(int(h[i : i + 2], 16) for i in (0, 2, 4)) for h in _HUES.split()]
    scale = max(2, min(4, 4096 // size))
    pen = ImageDraw.Draw(layer := Image.new("RGBA", (size * scale,) * 2))
    # One stroke in each cell of a lattice, the longest of it; who moves it most gives its colour.
    cells, lengths = (motion.after * 40).floor().long(), (motion.after - motion.before).norm(dim=1)
    seen: set[tuple[int, int]] = set()
    width = max(1, round(scale * size / 340))
    for i in lengths.argsort(descending=True).tolist():
        cell = tuple(cells[i].tolist())
        if lengths[i] < _STILL or cell in seen:
            continue
        seen.add(cell)
        a, b = (tuple((p[i] * size * scale).tolist()) for p in (motion.before, motion.after))
        ink = inks[min(int(motion.by[i]), len(inks) - 1)]
        pen.line([a, b], fill=ink, width=width)
        pen.ellipse([b[0] - width, b[1] - width, b[0] + width, b[1] + width], fill=ink)
    strokes = _tensor(layer.reduce(scale))
    picture = _paint(_dim(background, size, 0.6), strokes[:, 3:], strokes[:, :3], halo=max(1, round(size / 500)))
    row, left, long = max(11.0, 0.042 * size), 0.03 * size, 0.16 * size
    for i, (name, amount) in enumerate(motion.amounts[: len(inks) - 1]):
        y = 0.03 * size + row * i
        ink = tuple(c / 255 for c in inks[i])
        x0, x1 = round(left), round(left + long * min(1.0, abs(amount))) + 1
        picture[..., round(y) : round(y + 0.55 * row), x0:x1] = torch.tensor(ink)[None, :, None, None]
        picture = _write(
            picture, f"{name} {amount:+.2f}", (left + long + 0.02 * size, y + 0.28 * row), (0, 0.5), ink, 0.0
        )
    if not motion.amounts:
        picture = _write(picture, "nothing moves", (left, 0.05 * size), (0, 0.5), (1.0,) * 3, 0.0)
    return picture


def _heat(drawn: _Drawn, points: Tensor, _: Tensor | None) -> Tensor:
    size = points.shape[1]
    far = torch.hypot(*drawn.offset(points).unbind(1))
    longest = max(far.max().item(), _STILL)
    labels = [drawn.length(share * longest) for share in ((0, 0.5, 1) if size >= 160 else (0, 1))]
    return _scale(_ramp(far / longest * 10, *_HEAT), (_HEAT[0], _HEAT[1]), labels, (0.95,) * 3, 0.05)


def _scale(picture: Tensor, ramp: tuple, labels: list[str], ink: tuple, rim: float) -> Tensor:
    """A bar of the colours of a ramp at the foot of the picture, with labels from its left to its right end."""
    size = picture.shape[3]
    left, right, top, edge = *(round(v * size) for v in (0.08, 0.92, 0.935)), max(1, round(size / 500))
    bottom = top + max(3, round(0.02 * size))
    picture[..., top - edge : bottom + edge, left - edge : right + edge] = 0.85 if rim < 0.5 else 0.3
    picture[..., top:bottom, left:right] = _ramp(torch.linspace(0, ramp[0][-1], right - left)[None, None], *ramp)
    for i, label in enumerate(labels):
        share = i / (len(labels) - 1)
        at = left + share * (right - left), top - 2 * edge - 0.012 * size
        picture = _write(picture, label, at, (share, 1), ink, rim)
    return picture


def _folds(drawn: _Drawn, points: Tensor, _: Tensor | None) -> Tensor:
    size = points.shape[1]
    # Differences over steps much finer than the control points would show rounding errors.
    det = jacobian_determinant(drawn.field, min(size, 512), crop=drawn.crop)
    worst, share = det.min().item(), (det <= 0).float().mean().item()
    det = F.interpolate(det[:, None], (size, size), mode="bilinear", align_corners=False)
    picture = _ramp(2 - 2 * det[:, 0].clamp(min=0.25).log2().clamp(-1, 1), *_AREA)
    if share:
        slope = torch.hypot(*torch.gradient(det, dim=(2, 3))).clamp(min=1e-6)
        picture = _paint(picture, (0.5 - det / slope).clamp(0, 1), _FOLD, halo=max(1, round(size / 400)))
    labels = ["area x 0.5", "x 1", "x 2"] if size >= 160 else ["x 0.5", "x 2"]
    picture = _scale(picture, _AREA, labels, _INK, 1.0)
    text = f"folds {share:.2%}" + (f", min det J {worst:.2f}" if size >= 160 else "")
    return _write(picture, text, (0.08 * size, 0.87 * size), (0, 1), _FOLD if share else _INK, 1.0)


def _color(drawn: _Drawn, points: Tensor, _: Tensor | None) -> Tensor:
    shift = drawn.color(points)
    largest, at = shift.abs().max().item(), 0.96 * points.shape[1]
    factor = next(f for f in (64, 32, 16, 8, 4, 2, 1) if largest * f <= 0.5 or f == 1)
    text = f"x {factor}" if largest >= 1e-4 else "no shift"
    return _write((0.5 + factor * shift).clamp(0, 1), text, (at, at), (1, 1), (1.0,) * 3, 0.1)


_DRAWN_BY: dict[str, Callable[[_Drawn, Tensor, Tensor | None], Tensor]] = {
    "wheel": _wheel, "arrows": _arrows, "grid": _grid, "heat": _heat, "color": _color, "folds": _folds, MUSCLES: _muscles,
}  # fmt: skip
STYLES = tuple(style for style in _DRAWN_BY if style != MUSCLES)  # of all fields


def caption(image: Tensor, text: str) -> Tensor:
    """Add a white strip with a text, wrapped to the width: ``[B,3,H,W]`` -> ``[B,3,H+h,W]``."""
    strip = _strip(text, image.shape[3], 8 + round(0.015 * image.shape[3]))
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
        strips = [_strip(label, cell, max(9, round(0.062 * cell))) for label, _ in row]
        sizes = [[max(1, round(n * cell / max(p.shape[2:]))) for n in p.shape[2:]] for _, p in row]
        above, height = margin + max(s.shape[2] for s in strips), max(h for h, _ in sizes)
        band = torch.ones(1, 3, above + height, width)
        for i, ((_, picture), strip, (h, w)) in enumerate(zip(row, strips, sizes, strict=True)):
            x, y = margin + i * (cell + margin), above + (height - h) // 2
            band[..., above - strip.shape[2] : above, x : x + cell] = strip
            x += (cell - w) // 2
            band[..., y : y + h, x : x + w] = _fit(picture, h, w)
        bands.append(band)
    return torch.cat([*bands, torch.ones(1, 3, margin, width)], 2)


def inscribe(picture: Tensor, text: str) -> Tensor:
    """The pictures ``[B,3,H,W]`` with lines of text on a dark ground across the top; long lines are wrapped."""
    height = max(9, round(0.032 * picture.shape[2]))
    margin = round(0.03 * picture.shape[3])
    lines = text.split("\n")
    for letters in range(max(map(len, lines)), 3, -1):
        lines = [line for part in text.split("\n") for line in textwrap.wrap(part, letters)]
        if max(map(_font(4 * height).getlength, lines)) <= 4 * (picture.shape[3] - 2 * margin):
            break
    page = picture.detach().cpu().float().clone()
    page[..., : margin + round(1.45 * height * len(lines)), :] *= 0.25
    for i, line in enumerate(lines):
        page = _write(page, line, (margin, margin / 2 + 1.45 * height * (i + 0.5)), (0, 0.5), (1.0,) * 3, 0.0)
    return page


def compare(
    image: Tensor, crop: Crop, field: FlowField, size: int = 512, strength: float = 1, at: float = 0.5
) -> Tensor:
    """Before, left of a line, and after, right of it: ``[1,3,size,size]``, in view of the whole head.

    Args:
        image: ``[B,3,H,W]``, of which the first counts, as of ``crop`` and ``field``.
        at: place of the line, 0 (all after) .. 1 (all before).
    """
    _require_size(size)
    if not 0 <= at <= 1:
        raise ValueError(f"The divider must lie in 0..1, got {at}.")
    before, after = (_head(image[:1], crop.select(0), field.select(0), size, s) for s in (0.0, strength))
    x, width = round(at * size), max(2, round(size / 200))
    picture = after.clone()
    picture[..., :x] = before[..., :x]
    line = torch.zeros(1, 1, size, size)
    line[..., max(0, x - width // 2) : max(0, x - width // 2) + width] = 1
    if 0 < x < size:
        picture = _paint(picture, line, (1.0,) * 3, halo=max(1, round(size / 400)))
    for word, side in (("before", 0), ("after", 1)):
        if (x, size - x)[side] > 0.25 * size:
            place = x + (2 * side - 1) * (width + 0.02 * size), 0.97 * size
            picture = _write(picture, word, place, (1 - side, 1), (1.0,) * 3, 0.0)
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
        ink, width = tuple(round(255 * c) for c in _ACCENT), max(1, round(unit / 300))
        for one in map(crop.select, crop.faces_of(i)):
            corners = one.to_image(torch.tensor([[[[0.0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]]))[0, 0] * scale
            pen.line([tuple(p) for p in corners.tolist()], fill=ink, width=width, joint="curve")
            for x, y in (one.points[0] * scale).tolist():
                pen.ellipse([x - 1.5 * width, y - 1.5 * width, x + 1.5 * width, y + 1.5 * width], fill=ink)
        for number, face in enumerate(found[i]):
            x0, y0, x1, y1 = (face.box * scale).tolist()
            pen.rectangle([x0, y0, max(x0, x1), max(y0, y1)], outline=(255, 255, 255), width=width)
            font = _font(max(10, round(unit / 28)))
            pen.text(
                (x0 + 2 * width, y0),
                str(number),
                fill=(255, 255, 255),
                font=font,
                stroke_width=width,
                stroke_fill=(0, 0, 0),
            )
        pictures.append(_tensor(page))
    return torch.cat(pictures)


def to_image(t: Tensor) -> Image.Image:
    """``[B,C,H,W]`` (the first) or ``[C,H,W]`` with 1, 3 or 4 channels, floats 0..1 -> 8 bit, rounded."""
    t = t[0] if t.ndim == 4 else t
    if t.ndim != 3 or t.shape[0] not in (1, 3, 4):
        raise ValueError(f"Expected a picture [C,H,W] with 1, 3 or 4 channels, got {tuple(t.shape)}.")
    data = (t.detach().cpu().float().nan_to_num().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(data[..., 0] if data.shape[2] == 1 else data))


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.atleast_3d(np.array(image))).permute(2, 0, 1)[None].float() / 255


def _fit(image: Tensor, height: int, width: int) -> Tensor:
    """The first of a batch, resized, on the CPU, within 0..1."""
    image = image[:1].detach().cpu().float()
    if image.shape[2:] != (height, width):
        image = F.interpolate(image, (height, width), mode="bicubic", antialias=True, align_corners=False)
    return image.clamp(0, 1)


def _dim(background: Tensor | None, size: int, light: float) -> Tensor:
    """The face half greyed and darkened, so that drawings on it stand out; slate where there is none."""
    if background is None:
        return torch.tensor([0.16, 0.17, 0.2])[None, :, None, None].repeat(1, 1, size, size)
    return light * (0.55 * background.mean(1, keepdim=True) + 0.45 * background) + 0.03


def _ramp(value: Tensor, knots: range | tuple[int, ...], colors: str) -> Tensor:
    """Colours ``[B,3,H,W]`` of values ``[B,H,W]``, linear between ``knots``."""
    channels = np.frombuffer(bytes.fromhex(colors), np.uint8).reshape(-1, 3).T / 255
    return torch.from_numpy(np.stack([np.interp(value.numpy(), knots, c) for c in channels], 1)).float()


def _wheel_colors(flow: Tensor) -> Tensor:
    """Colours of vectors ``[B,2,H,W]``: length 0 is white, 1 saturated; right red, down yellow, left cyan."""
    angle = torch.atan2(flow[:, 1], flow[:, 0]) / (2 * torch.pi) % 1.0
    return 1 - torch.hypot(*flow.split(1, 1)).clamp(max=1) * (1 - _ramp(angle * 55, *_WHEEL))


def _paint(picture: Tensor, mask: Tensor, color: Tensor | tuple, halo: int = 0, rim: float = 0) -> Tensor:
    """Lay a colour over a picture where ``mask`` ``[1,1,H,W]`` is, above a soft halo of the grey ``rim``."""
    if halo:
        near = mask
        for kernel, pad in (((2 * halo + 1, 1), (halo, 0)), ((1, 2 * halo + 1), (0, halo))) * 2:
            near = F.avg_pool2d(near, kernel, 1, pad)
        picture = _paint(picture, (3 * near).clamp(max=1) * 0.6, (rim,) * 3)
    color = color if isinstance(color, Tensor) else torch.tensor(color)[None, :, None, None]
    return picture + mask * (color - picture)


def _write(picture: Tensor, text: str, at: tuple, anchor: tuple, color: tuple, rim: float) -> Tensor:
    """Write a word into the picture; its box has its point ``anchor`` (0 left/top .. 1) at pixel ``at``."""
    height = max(9, round(0.032 * picture.shape[2]))
    fine = 4 if height < 24 else 1  # small letters on whole pixels would stand unevenly
    x0, y0, x1, y1 = (v / fine for v in _pen(1, 1)[1].textbbox((0, 0), text, font=_font(height * fine)))
    x, y = round(at[0] - x0 - anchor[0] * (x1 - x0)), round(at[1] - y0 - anchor[1] * (y1 - y0))
    band = picture[..., max(0, y - height) : y + 3 * height, :]
    mask, pen = _pen(band.shape[3] * fine, band.shape[2] * fine)
    pen.text((x * fine, min(y, height) * fine), text, fill=255, font=_font(height * fine))
    band[:] = _paint(band, _tensor(mask.reduce(fine)), color, halo=max(1, height // 10), rim=rim)
    return picture


def _pen(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    page = Image.new("L", (width, height))
    return page, ImageDraw.Draw(page)


def _strip(text: str, width: int, height: int) -> Tensor:
    """Lines of dark text, centred on white, ``[1,3,h,width]``."""
    font = _font(height)
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
    return _paint(torch.ones(1, 3, page.height, width), _tensor(page), _INK)


def _length(share: float, side: float | None) -> str:
    """A length in fractions of the crop side, in pixels of the photo or in percent."""
    if side is not None:
        return f"{share * side:.{1 if 0 < share * side < 99.95 else 0}f} px"
    return f"{100 * share:.2g} %" if 1e-5 <= share < 0.0995 else f"{100 * share:.0f} %"


@lru_cache(maxsize=32)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.load_default(height)
    except (ImportError, OSError, TypeError):  # Pillow without FreeType, or before 10.1
        return ImageFont.load_default()


LOOKED_AT = 2048  # longest side of a picture that is only for looking
