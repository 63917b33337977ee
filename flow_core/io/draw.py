"""Pictures of a field, for people: colour wheel, arrows, grid, heat map, colour shift, folds, muscles.

All are drawn on the CPU and show the field as it is applied, faded out at the border (:meth:`flow_core.fields.base.FlowField.flow`),
in the crop frame. Of a batch the first field is drawn. Before and after, sheets and animations are in :mod:`flow_core.io.sheets`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from ..fields.base import FlowField
from ..fields.motion import motion_on
from ..fields.muscles import MusclesField
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..warping.jacobian import jacobian_determinant
from ..warping.warp import warp
from .ink import ACCENT, INK, fit, paint, require_size, to_tensor, write

MUSCLES = "muscles"  # the style of muscles fields alone
_STILL = 1e-4  # shorter offsets (0.1 px of a 1024 px face) count as no movement
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
    require_size(size)
    if background is not None and (background.ndim != 4 or background.shape[1] != 3):
        raise ValueError(f"Expected a background [B,3,S,S], got {tuple(background.shape)}.")
    with torch.no_grad():
        field = field.select(0).to("cpu").scale(strength, strength).require_finite()
        crop = None if crop is None else crop.select(0).to("cpu")
        background = None if background is None else fit(background, size, size)
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
    part[:] = paint(part, disc, _wheel_colors(around / radius), halo=max(1, round(size / 600)))
    text = ("max " if size >= 128 else "") + drawn.length(longest)
    return write(picture, text, (center - 1.4 * radius, center), (1, 0.5), INK, 1.0)


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
        ink = tuple(round(255 * (0.93 + share * (c - 0.93))) for c in ACCENT)
        if long < 2.4 * thick:
            pen.ellipse([*(tip - 0.7 * thick), *(tip + 0.7 * thick)], fill=(*ink, 190))
        else:
            head = min(0.55 * long, 0.38 * cell)
            side, neck, tail = np.array([-back[1], back[0]]), tip + back * head, tip + back * long
            shaft, wide = side * min(thick, head * 0.5) / 2, side * max(head * 0.55, 0.75 * thick)
            corners = tail + shaft, neck + shaft, neck + wide, tip, neck - wide, neck - shaft, tail - shaft
            pen.polygon([tuple(p) for p in corners], fill=ink)
    arrows = to_tensor(layer.reduce(scale))
    return paint(_dim(background, size, 0.68), arrows[:, 3:], arrows[:, :3], halo=max(1, round(size / 500)))


def _grid(drawn: _Drawn, points: Tensor, background: Tensor | None) -> Tensor:
    size = points.shape[1]
    edited = None
    if background is not None:
        crop = Crop.whole(background) if drawn.crop is None else drawn.crop.on_squares(background)
        edited = warp(background, crop, drawn.field)[0]
    offset = drawn.offset(points)
    # Cells of whole pixels and lines on pixel centres (or edges, if even) make all lines equally sharp.
    cell, width = round(size / max(8.0, 0.75 * size**0.5)), max(1, round(size / 360))
    first = (size - (size // cell - 1) * cell) // 2 + 0.5 * (width % 2)
    phase = ((points.permute(0, 3, 1, 2) + offset) * size - first) / cell
    slope = torch.hypot(*torch.gradient(phase, dim=(2, 3))).clamp(min=1e-3)
    distance = (phase - phase.round()).abs() / slope  # in pixels, so lines keep their width where they bend
    share = (torch.hypot(*offset.split(1, 1)) / 0.02).clamp(0, 1)
    mask = (width * (0.5 + 0.25 * share) + 0.5 - distance).clamp(0, 1).amax(1, keepdim=True)
    ink = 0.93 + share * (torch.tensor(ACCENT)[None, :, None, None] - 0.93)
    return paint(_dim(edited, size, 0.8), mask * (0.5 + 0.5 * share), ink, halo=max(1, round(size / 600)))


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
    strokes = to_tensor(layer.reduce(scale))
    picture = paint(_dim(background, size, 0.6), strokes[:, 3:], strokes[:, :3], halo=max(1, round(size / 500)))
    row, left, long = max(11.0, 0.042 * size), 0.03 * size, 0.16 * size
    for i, (name, amount) in enumerate(motion.amounts[: len(inks) - 1]):
        y = 0.03 * size + row * i
        ink = tuple(c / 255 for c in inks[i])
        x0, x1 = round(left), round(left + long * min(1.0, abs(amount))) + 1
        picture[..., round(y) : round(y + 0.55 * row), x0:x1] = torch.tensor(ink)[None, :, None, None]
        picture = write(
            picture, f"{name} {amount:+.2f}", (left + long + 0.02 * size, y + 0.28 * row), (0, 0.5), ink, 0.0
        )
    if not motion.amounts:
        picture = write(picture, "nothing moves", (left, 0.05 * size), (0, 0.5), (1.0,) * 3, 0.0)
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
        picture = write(picture, label, at, (share, 1), ink, rim)
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
        picture = paint(picture, (0.5 - det / slope).clamp(0, 1), _FOLD, halo=max(1, round(size / 400)))
    labels = ["area x 0.5", "x 1", "x 2"] if size >= 160 else ["x 0.5", "x 2"]
    picture = _scale(picture, _AREA, labels, INK, 1.0)
    text = f"folds {share:.2%}" + (f", min det J {worst:.2f}" if size >= 160 else "")
    return write(picture, text, (0.08 * size, 0.87 * size), (0, 1), _FOLD if share else INK, 1.0)


def _color(drawn: _Drawn, points: Tensor, _: Tensor | None) -> Tensor:
    shift = drawn.color(points)
    largest, at = shift.abs().max().item(), 0.96 * points.shape[1]
    factor = next(f for f in (64, 32, 16, 8, 4, 2, 1) if largest * f <= 0.5 or f == 1)
    text = f"x {factor}" if largest >= 1e-4 else "no shift"
    return write((0.5 + factor * shift).clamp(0, 1), text, (at, at), (1, 1), (1.0,) * 3, 0.1)


_DRAWN_BY: dict[str, Callable[[_Drawn, Tensor, Tensor | None], Tensor]] = {
    "wheel": _wheel, "arrows": _arrows, "grid": _grid, "heat": _heat, "color": _color, "folds": _folds, MUSCLES: _muscles,
}  # fmt: skip
STYLES = tuple(style for style in _DRAWN_BY if style != MUSCLES)  # of all fields


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


def _length(share: float, side: float | None) -> str:
    """A length in fractions of the crop side, in pixels of the photo or in percent."""
    if side is not None:
        return f"{share * side:.{1 if 0 < share * side < 99.95 else 0}f} px"
    return f"{100 * share:.2g} %" if 1e-5 <= share < 0.0995 else f"{100 * share:.0f} %"
