"""The backward warp of video frames: as quick as a frame's time allows."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ..faces.noise import Noise, noise_of
from ..fields.base import FEATHER, Flow, FlowField, Sample
from ..geometry.crop import Crop
from ..geometry.sampling import enlarged, normalized
from ..memory import hold_memory
from .borders import blended, shared
from .pixels import edited_pixels

LATTICE = 128  # points along a crop's side at which the field is asked; linear between them
STILL = 0.02  # pixels up to which a point counts as not moved
STILL_COLOR = 0.25 / 255  # the same of a colour: a quarter of a step of 8 bits


def warp_frame(
    frame: Tensor,
    out: Tensor,
    crop: Crop,
    field: FlowField | Flow,
    feather: float = FEATHER,
    interpolation: str = "bilinear",
) -> tuple[tuple[int, int, int, int], Tensor] | None:
    """:func:`flow_core.warping.warp.warp` for one face of a video frame: quick, and only around the face.

    The field is asked at every few pixels (:data:`LATTICE` points along the crop) and linear between them; where it has layers
    with sharp borders, at every pixel. Only the part of the frame that moves by more than :data:`STILL` pixels becomes float.

    Args:
        frame: ``[H,W,3]`` to sample from, uint8 or float 0..1.
        out: the same size, the pixels that move are written to it.
        field: the field, or its flow on this crop, where that has been made already; ``feather`` is then that of the flow.

    Returns:
        The box (x0, y0, x1, y1) that was worked on and in it the pixels ``[h,w]`` that moved, or None.
    """
    flow = field.flow(feather, crop) if hasattr(field, "flow") else field
    whole_box = crop.widen(flow.span).bounds() if flow.span != 1 else crop.bounds()
    x0, y0, x1, y1 = whole_box
    if x1 <= x0 or y1 <= y0:
        return None
    hold_memory()
    side = crop.side.item()
    cell = max(1, round(side / LATTICE))
    rows, columns = -(-(y1 - y0) // cell), -(-(x1 - x0) // cell)
    places = x0 + (torch.arange(columns) + 0.5) * cell, (y0 + (torch.arange(rows) + 0.5) * cell)[:, None]
    boxes = crop.boxes_in_image(flow.sharp_boxes())
    (shift, color, uncovered, _, light), *sharp = _asked(flow, crop, [places, *map(_centers, boxes)], 1.5 * cell / side)
    tinted = flow.colored and bool(color.abs().amax() > STILL_COLOR)
    strong = shift.abs().amax(1)[0] > STILL
    if tinted:
        strong = strong | (color.abs().amax(1)[0] > STILL_COLOR)
    if uncovered is not None:
        strong = strong | (uncovered[0, 0] > STILL_COLOR)
    if light is not None:
        strong = strong | (light[0].abs().amax(0) > STILL_COLOR)
    if not strong.any():
        return None
    i0, i1 = _span(strong.any(1), rows)
    j0, j1 = _span(strong.any(0), columns)
    # What is not moved keeps its pixels.
    values = _planes(Sample(shift, color, uncovered, light=light), tinted) * strong
    values = values[:, :, i0:i1, j0:j1]
    moved = _around(strong[i0:i1, j0:j1])  # a weak place beside a strong one moves halfway
    x0, y0, x1, y1 = x0 + j0 * cell, y0 + i0 * cell, min(x1, x0 + j1 * cell), min(y1, y0 + i1 * cell)
    width, height = x1 - x0, y1 - y0
    moved = moved.repeat_interleave(cell, 0).repeat_interleave(cell, 1)[:height, :width]
    values = enlarged(values, ((i1 - i0) * cell, (j1 - j0) * cell))[:, :, :height, :width]
    if boxes:
        moved = moved.contiguous()
        for box, sample in zip(boxes, sharp, strict=True):
            _write(values, moved, (x0, y0, x1, y1), box, _planes(sample, tinted))
    low, high = values[0, :2].amin((1, 2)).floor().int().tolist(), values[0, :2].amax((1, 2)).ceil().int().tolist()

    h, w = crop.image_size
    left, right = min(max(x0 + low[0] - 2, 0), w - 1), max(min(x1 + high[0] + 2, w), 1)
    top, bottom = min(max(y0 + low[1] - 2, 0), h - 1), max(min(y1 + high[1] + 2, h), 1)
    part = frame[top:bottom, left:right].float().permute(2, 0, 1)[None]
    whole = 255.0 if frame.dtype == torch.uint8 else 1.0
    paints = any(sample.painted is not None and bool(sample.painted[:, 3].any()) for sample in sharp)
    noise = noise_of(frame.permute(2, 0, 1)[None], crop, whole) if paints else None

    def pixels(sample: Sample, x: Tensor, y: Tensor) -> Tensor:
        source, color, uncovered, painted, light = sample
        source[:, 0] += x - left
        source[:, 1] += y - top
        if painted is not None:
            painted[:, :3] *= whole
        return edited_pixels(
            part,
            normalized(part, source.movedim(1, -1), interpolation),
            color * whole if tinted else None,
            uncovered,
            (0.0, whole) if tinted or light is not None or painted is not None or interpolation == "bicubic" else None,
            interpolation,
            painted=painted,
            light=light,
            white=whole,
            noise=noise and functools.partial(noise.lay, x.long(), y.long()),
        )

    def asked(x: Tensor, y: Tensor) -> Tensor:
        return pixels(*_asked(flow, crop, [(x, y[None])], 1.5 * cell / side), x, y[None])[:, :, 0]

    rows, columns = shared(values[0, :2], (x0, y0, x1, y1), boxes)
    color, values_light = values[:, 2:5], None if light is None else values[:, (5 if tinted else 2) :][:, :3]
    all_at = Sample(values[:, :2], color, None if uncovered is None else values[:, -1:], light=values_light)
    new = pixels(all_at, *_centers((x0, y0, x1, y1)))
    _paint(
        new, (x0, y0, x1, y1), [(box, sample.painted) for box, sample in zip(boxes, sharp, strict=True)], whole, noise
    )
    if len(rows):
        new[..., rows, columns] = blended(asked, x0 + columns + 0.5, y0 + rows + 0.5)
    target = out[y0:y1, x0:x1]
    if frame.dtype == torch.uint8:
        for channel, plane in zip(target.unbind(2), new[0].add_(0.5), strict=True):
            channel.copy_(plane)  # where nothing moves, sampling gives the pixel itself back
    else:
        target.copy_(torch.where(moved[..., None], new[0].to(frame.dtype).permute(1, 2, 0), target))
    return (x0, y0, x1, y1), moved


def _asked(flow: Flow, crop: Crop, places: list[tuple[Tensor, Tensor]], margin: float) -> list[Sample]:
    """What a flow does at pixels ``x`` and ``y`` of several rasters, of shapes that broadcast to ``[h,w]``, asked at once; offsets in pixels, and nothing
    at the border of the crop: between points nothing may reach beyond it."""
    # Coordinates are kept as planes: of pairs everything would take several times as long.
    (a, b, u), (c, d, v), _ = crop.matrix[0].tolist()
    parts = [torch.stack([a * x + (b * y + u), c * x + (d * y + v)]) for x, y in places]
    together = parts[0] if len(parts) == 1 else torch.cat([p.flatten(1) for p in parts], 1)[:, None]
    offset, color, *others = flow.times(crop.inverse[0, :2, :2])(together[None].movedim(1, -1))
    if others[-1] is not None:
        others[-1] = others[-1].expm1()  # as :func:`flow_core.warping.pixels.recolored` takes the light
    x, y = (together - 0.5).abs_()
    inside = torch.maximum(x, y) < 0.5 * flow.span - margin
    planes = (
        offset * inside,
        color * inside if flow.colored else color,
        *(None if p is None else p * inside for p in others),
    )
    if len(parts) == 1:
        return [Sample(*planes)]
    shapes = [p.shape[1:] for p in parts]
    counts = [h * w for h, w in shapes]
    split = [[None] * len(parts) if p is None else p.split(counts, 3) for p in planes]
    return [
        Sample(*(None if p is None else p.unflatten(3, shape)[:, :, 0] for p in sample))
        for sample, shape in zip(zip(*split, strict=True), shapes, strict=True)
    ]


def _planes(sample: Sample, tinted: bool) -> Tensor:
    """Offset, colour where there is any, light where any changes, and what is uncovered where anything can be: ``[1,C,h,w]``."""
    planes = [sample.offset, sample.color if tinted else None, sample.light, sample.uncovered]
    return torch.cat([p for p in planes if p is not None], 1)


def _centers(box: tuple[int, int, int, int]) -> tuple[Tensor, Tensor]:
    """Columns ``[w]`` and rows ``[h,1]`` of the pixel centres of a box."""
    x0, y0, x1, y1 = box
    return torch.arange(x0, x1) + 0.5, (torch.arange(y0, y1) + 0.5)[:, None]


def _write(
    values: Tensor,
    moved: Tensor,
    whole: tuple[int, int, int, int],
    box: tuple[int, int, int, int],
    planes: Tensor,
) -> None:
    """Write planes ``[1,c,h,w]`` of a box into ``values [1,C,h,w]`` and ``moved [h,w]`` of ``whole``."""
    x0, y0, x1, y1 = max(box[0], whole[0]), max(box[1], whole[1]), min(box[2], whole[2]), min(box[3], whole[3])
    if x0 >= x1 or y0 >= y1:
        return
    found = planes[..., y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
    strong = (found[0, :2].abs().amax(0) > STILL) | (found[0, 2:].abs().sum(0) > STILL_COLOR)
    here = (..., slice(y0 - whole[1], y1 - whole[1]), slice(x0 - whole[0], x1 - whole[0]))
    values[here], moved[here] = found * strong, strong


def _paint(
    new: Tensor,
    at: tuple[int, int, int, int],
    boxes: list[tuple[tuple[int, int, int, int], Tensor | None]],
    whole: float,
    noise: Noise | None,
) -> None:
    """Lay what is painted ``[1,4,h,w]`` in boxes over pixels ``[1,3,H,W]`` of the box ``at``, whose white is ``whole``, and ``noise`` on it."""
    laid = []
    for box, painted in boxes:
        x0, y0, x1, y1 = max(box[0], at[0]), max(box[1], at[1]), min(box[2], at[2]), min(box[3], at[3])
        if painted is None or x0 >= x1 or y0 >= y1:
            continue
        over = painted[..., y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
        here = new[:, :3, y0 - at[1] : y1 - at[1], x0 - at[0] : x1 - at[0]]
        made = (here * (1 - over[:, 3:])).add_(over[:, :3], alpha=whole)
        if noise is not None:
            noise.lay(torch.arange(x0, x1), torch.arange(y0, y1)[:, None], made, over[:, 3:])
        laid.append((here, made.clamp_(0, whole)))
    for here, pixels in laid:  # once, where boxes overlap
        here.copy_(pixels)


def _around(places: Tensor) -> Tensor:
    """Places ``[h,w]`` and those beside them."""
    for axis in (0, 1):
        wider, count = places.clone(), places.shape[axis] - 1
        wider.narrow(axis, 1, count).logical_or_(places.narrow(axis, 0, count))
        wider.narrow(axis, 0, count).logical_or_(places.narrow(axis, 1, count))
        places = wider
    return places


def _span(any_: Tensor, n: int) -> tuple[int, int]:
    """First and last of ``n`` where ``any_`` holds, and one more at each end."""
    at = any_.nonzero()[:, 0]
    return max(0, int(at[0]) - 1), min(n, int(at[-1]) + 2)
