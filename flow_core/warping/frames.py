"""The backward warp of video frames, optimised for speed."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from ..faces.noise import Noise, noise_of
from ..fields.base import FEATHER, Flow, FlowField, Sample
from ..geometry.crop import Crop
from ..geometry.sampling import enlarged, normalized
from ..memory import hold_memory
from .borders import Box, blended, shared
from .pixels import edited_pixels

LATTICE = 128  # points along a crop's side at which the field is sampled; it is interpolated between them
STILL = 0.02  # pixels; a shorter offset counts as none
STILL_COLOR = 0.25 / 255  # a quarter of a step of 8 bits; a smaller change of colour counts as none


def warp_frame(
    frame: Tensor,
    out: Tensor,
    crop: Crop,
    field: FlowField | Flow,
    feather: float = FEATHER,
    interpolation: str = "bilinear",
) -> tuple[Box, Tensor] | None:
    """:func:`flow_core.warping.warp.warp` for one face of a video frame: quick, and only around the face.

    The field is sampled on a lattice (:data:`LATTICE` points along the crop) and interpolated between its points; where layers
    with sharp borders meet, at every pixel. Only the part of the frame that moves by more than :data:`STILL` pixels is
    converted to float.

    Args:
        frame: ``[H,W,3]`` to sample from, uint8 or float 0..1.
        out: the same size; the pixels that change are written to it.
        crop: where the face is.
        field: the field, or its flow on this crop (with its own ``feather``).
        feather: share of the crop side over which the edit fades out.
        interpolation: ``bilinear`` or ``bicubic``.

    Returns:
        The box (x0, y0, x1, y1) that was worked on and in it the pixels ``[h,w]`` that changed, or None.
    """
    flow = field.flow(feather, crop) if hasattr(field, "flow") else field
    hold_memory()
    edit = _edit_of(flow, crop)
    if edit is None:
        return None
    white = 255.0 if frame.dtype == torch.uint8 else 1.0
    paints = any(sample.painted is not None and bool(sample.painted[:, 3].any()) for _, sample in edit.sharp)
    noise = noise_of(frame.permute(2, 0, 1)[None], crop, white) if paints else None
    source = _Source(frame, edit, interpolation, white, noise)

    def asked(x: Tensor, y: Tensor) -> Tensor:
        (sample,) = _asked(flow, crop, [(x, y[None])], edit.margin)
        return source.pixels(sample, x, y[None])[:, :, 0]

    x0, y0, x1, y1 = edit.box
    rows, columns = shared(edit.values[0, :2], edit.box, [box for box, _ in edit.sharp])
    new = source.pixels(edit.sample(), *_centers(edit.box))
    _paint(new, edit.box, [(box, sample.painted) for box, sample in edit.sharp], white, noise)
    if len(rows):
        new[..., rows, columns] = blended(asked, x0 + columns + 0.5, y0 + rows + 0.5)
    target = out[y0:y1, x0:x1]
    if frame.dtype == torch.uint8:
        # where nothing moves, sampling gives the pixel itself back
        target.copy_(new[0].add_(0.5).byte().permute(1, 2, 0))
    else:
        target.copy_(torch.where(edit.moved[..., None], new[0].to(frame.dtype).permute(1, 2, 0), target))
    return edit.box, edit.moved


class _Edit(NamedTuple):
    """What a flow does to the pixels of a frame.

    Attributes:
        box: the pixels (x0, y0, x1, y1) that it may change.
        values: ``[1,C,h,w]`` in it, see :func:`_planes`; 0 where nothing changes.
        moved: ``[h,w]`` the pixels that change.
        sharp: boxes of the frame in which layers meet, and the flow at every pixel of them.
        tinted: whether ``values`` holds colours.
        lit: whether it holds light.
        opened: whether it holds what is uncovered.
        margin: crop sides at the border of the crop in which nothing happens.
    """

    box: Box
    values: Tensor
    moved: Tensor
    sharp: list[tuple[Box, Sample]]
    tinted: bool
    lit: bool
    opened: bool
    margin: float

    def sample(self) -> Sample:
        """The values by name; without colours, what stands in their place means nothing."""
        light = self.values[:, (5 if self.tinted else 2) :][:, :3] if self.lit else None
        return Sample(
            self.values[:, :2], self.values[:, 2:5], self.values[:, -1:] if self.opened else None, light=light
        )


def _edit_of(flow: Flow, crop: Crop) -> _Edit | None:
    """What a flow does to a frame; None where it does nothing that can be seen."""
    x0, y0, x1, y1 = crop.widen(flow.span).bounds() if flow.span != 1 else crop.bounds()
    if x1 <= x0 or y1 <= y0:
        return None
    side = crop.side.item()
    cell = max(1, round(side / LATTICE))
    margin = 1.5 * cell / side
    rows, columns = -(-(y1 - y0) // cell), -(-(x1 - x0) // cell)
    places = x0 + (torch.arange(columns) + 0.5) * cell, (y0 + (torch.arange(rows) + 0.5) * cell)[:, None]
    boxes = crop.boxes_in_image(flow.sharp_boxes())
    coarse, *sharp = _asked(flow, crop, [places, *map(_centers, boxes)], margin)
    tinted = flow.colored and bool(coarse.color.abs().amax() > STILL_COLOR)
    strong = coarse.offset.abs().amax(1)[0] > STILL
    if tinted:
        strong = strong | (coarse.color.abs().amax(1)[0] > STILL_COLOR)
    if coarse.uncovered is not None:
        strong = strong | (coarse.uncovered[0, 0] > STILL_COLOR)
    if coarse.light is not None:
        strong = strong | (coarse.light[0].abs().amax(0) > STILL_COLOR)
    if not strong.any():
        return None
    i0, i1 = _span(strong.any(1), rows)
    j0, j1 = _span(strong.any(0), columns)
    values = _planes(coarse, tinted) * strong  # elsewhere pixels are kept
    values = values[:, :, i0:i1, j0:j1]
    moved = _around(strong[i0:i1, j0:j1])  # between a point that moves and one that does not, pixels move a little
    box = x0, y0, x1, y1 = x0 + j0 * cell, y0 + i0 * cell, min(x1, x0 + j1 * cell), min(y1, y0 + i1 * cell)
    width, height = x1 - x0, y1 - y0
    moved = moved.repeat_interleave(cell, 0).repeat_interleave(cell, 1)[:height, :width]
    values = enlarged(values, ((i1 - i0) * cell, (j1 - j0) * cell))[:, :, :height, :width]
    layers = list(zip(boxes, sharp, strict=True))
    if layers:
        moved = moved.contiguous()
    for where, sample in layers:
        _write(values, moved, box, where, _planes(sample, tinted))
    return _Edit(box, values, moved, layers, tinted, coarse.light is not None, coarse.uncovered is not None, margin)


class _Source:
    """The part of a frame ``[H,W,3]`` from which an edit samples, as floats up to ``white``, and the frame's noise."""

    def __init__(self, frame: Tensor, edit: _Edit, interpolation: str, white: float, noise: Noise | None) -> None:
        (x0, y0, x1, y1), (h, w) = edit.box, frame.shape[:2]
        offset = edit.values[0, :2]
        low, high = offset.amin((1, 2)).floor().int().tolist(), offset.amax((1, 2)).ceil().int().tolist()
        self.left, right = min(max(x0 + low[0] - 2, 0), w - 1), max(min(x1 + high[0] + 2, w), 1)
        self.top, bottom = min(max(y0 + low[1] - 2, 0), h - 1), max(min(y1 + high[1] + 2, h), 1)
        self.part = frame[self.top : bottom, self.left : right].float().permute(2, 0, 1)[None]
        self.tinted, self.interpolation, self.white, self.noise = edit.tinted, interpolation, white, noise

    def pixels(self, sample: Sample, x: Tensor, y: Tensor) -> Tensor:
        """New pixels ``[1,3,h,w]`` with centres at ``x`` and ``y`` of the frame; changes the sample in place."""
        source, color, uncovered, painted, light = sample
        source[:, 0] += x - self.left
        source[:, 1] += y - self.top
        if painted is not None:
            painted[:, :3] *= self.white
        overshoots = self.tinted or light is not None or painted is not None or self.interpolation == "bicubic"
        return edited_pixels(
            self.part,
            normalized(self.part, source.movedim(1, -1), self.interpolation),
            color * self.white if self.tinted else None,
            uncovered,
            (0.0, self.white) if overshoots else None,
            self.interpolation,
            painted=painted,
            light=light,
            white=self.white,
            noise=self.noise and functools.partial(self.noise.lay, x.long(), y.long()),
        )


def _asked(flow: Flow, crop: Crop, places: list[tuple[Tensor, Tensor]], margin: float) -> list[Sample]:
    """Sample a flow at several rasters of pixels at once.

    Args:
        places: for each raster x and y of its pixels, of shapes that broadcast to ``[h,w]``.
        margin: crop sides; nothing happens so near to the border, since interpolation must not reach beyond it.

    Returns:
        A sample of each raster, offsets in pixels of the frame, light as :func:`flow_core.warping.pixels.recolored` takes it.
    """
    # coordinates are kept as planes, which is several times as quick as pairs
    (a, b, u), (c, d, v), _ = crop.matrix[0].tolist()
    parts = [torch.stack([a * x + (b * y + u), c * x + (d * y + v)]) for x, y in places]
    together = parts[0] if len(parts) == 1 else torch.cat([p.flatten(1) for p in parts], 1)[:, None]
    offset, color, *others = flow.times(crop.inverse[0, :2, :2])(together[None].movedim(1, -1))
    if others[-1] is not None:
        others[-1] = others[-1].expm1()
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
    """``[1,C,h,w]``: offset (2 planes), colour (3) if ``tinted``, light (3) and uncovered (1) if the sample has them."""
    planes = [sample.offset, sample.color if tinted else None, sample.light, sample.uncovered]
    return torch.cat([p for p in planes if p is not None], 1)


def _centers(box: Box) -> tuple[Tensor, Tensor]:
    """Columns ``[w]`` and rows ``[h,1]`` of the pixel centres of a box."""
    x0, y0, x1, y1 = box
    return torch.arange(x0, x1) + 0.5, (torch.arange(y0, y1) + 0.5)[:, None]


def _write(
    values: Tensor,
    moved: Tensor,
    whole: Box,
    box: Box,
    planes: Tensor,
) -> None:
    """Write planes ``[1,C,h,w]`` of ``box`` into ``values [1,C,H,W]`` and ``moved [H,W]``, which lie over the box ``whole``."""
    x0, y0, x1, y1 = max(box[0], whole[0]), max(box[1], whole[1]), min(box[2], whole[2]), min(box[3], whole[3])
    if x0 >= x1 or y0 >= y1:
        return
    found = planes[..., y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
    strong = (found[0, :2].abs().amax(0) > STILL) | (found[0, 2:].abs().sum(0) > STILL_COLOR)
    here = (..., slice(y0 - whole[1], y1 - whole[1]), slice(x0 - whole[0], x1 - whole[0]))
    values[here], moved[here] = found * strong, strong


def _paint(
    new: Tensor,
    at: Box,
    boxes: list[tuple[Box, Tensor | None]],
    white: float,
    noise: Noise | None,
) -> None:
    """Paint over pixels ``new [1,3,H,W]`` of the box ``at``; ``boxes`` have what is painted ``[1,4,h,w]`` in each, ``white`` is 1 or 255.
    What is painted gets the ``noise`` of the frame."""
    laid = []
    for box, painted in boxes:
        x0, y0, x1, y1 = max(box[0], at[0]), max(box[1], at[1]), min(box[2], at[2]), min(box[3], at[3])
        if painted is None or x0 >= x1 or y0 >= y1:
            continue
        over = painted[..., y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
        here = new[:, :3, y0 - at[1] : y1 - at[1], x0 - at[0] : x1 - at[0]]
        made = (here * (1 - over[:, 3:])).add_(over[:, :3], alpha=white)
        if noise is not None:
            noise.lay(torch.arange(x0, x1), torch.arange(y0, y1)[:, None], made, over[:, 3:])
        laid.append((here, made.clamp_(0, white)))
    for here, pixels in laid:  # afterwards, so that nothing is painted twice where boxes overlap
        here.copy_(pixels)


def _around(places: Tensor) -> Tensor:
    """Places ``[h,w]`` and their neighbours (binary dilation by one)."""
    for axis in (0, 1):
        wider, count = places.clone(), places.shape[axis] - 1
        wider.narrow(axis, 1, count).logical_or_(places.narrow(axis, 0, count))
        wider.narrow(axis, 0, count).logical_or_(places.narrow(axis, 1, count))
        places = wider
    return places


def _span(there: Tensor, n: int) -> tuple[int, int]:
    """The range of indices below ``n`` that holds all places that are ``there``, and one more at each end."""
    at = there.nonzero()[:, 0]
    return max(0, int(at[0]) - 1), min(n, int(at[-1]) + 2)
