"""The backward warp of photos, with any number of faces in each."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..faces.noise import Noise, calmest
from ..fields.base import FEATHER, FlowField, Sample, taper
from ..geometry.grid import pixel_centers
from ..geometry.sampling import enlarged, require_finite
from ..memory import hold_memory
from ..threads import share_out, suited
from .borders import blended, shared
from .pixels import edited_pixels, recolored

if TYPE_CHECKING:
    from ..geometry.crop import Crop

_TILE = 256, 512  # rows and columns; a tile stays in the processor's cache, and the memory of a warp small
_LARGE, _LARGE_TILE = (
    1 << 22,
    (512, 768),
)  # pixels of a face from which on tiles are larger: they are asked at few of their pixels
_SMALL = 640 * 640  # pixels of pictures up to which one core warps them as quickly as more would
_LINES = 256  # rows that are copied by one thread, and
_CACHED = 1 << 17  # floats that still lie in the processor's cache when they are looked at after that
_MANY = 6  # parts of a picture from which on they are shared out
_NODES = 1000  # a side of a face, at least, at which a field is asked; between them it is interpolated
_BEYOND = (
    1.25,
    0.005,
)  # times the longest offset in a tile, and sides of a face more, that offsets may be long between its pixels
_STILL = 1e-3, 1e-5  # offsets in pixels and of colour up to which a pixel is left alone; a change that no format keeps


def taper_mask(crop: Crop, feather: float = FEATHER) -> Tensor:
    """Where an edit can act, in each picture: ``[pictures,H,W]``, 1 in the middle of each crop, 0 at its border and beyond."""
    masks = torch.zeros(crop.pictures, *crop.image_size)
    crop = crop.to("cpu")
    for i, of in enumerate(crop.of_picture):
        one = crop.select(i)
        x0, y0, x1, y1 = one.bounds()
        for top in range(y0, y1, _TILE[0]):  # the points of a large photo would need much memory
            bottom = min(y1, top + _TILE[0])
            pixels = pixel_centers(bottom - top, x1 - x0) * torch.tensor([x1 - x0, bottom - top])
            part = masks[of, top:bottom, x0:x1]
            acts = taper(one.to_crop(pixels + torch.tensor([x0, top])), feather)[0]
            torch.maximum(part, acts, out=part)
    return masks


def warp(
    image: Tensor,
    crop: Crop,
    field: FlowField,
    shape: float = 1.0,
    color: float = 1.0,
    mask: Tensor | None = None,
    feather: float = FEATHER,
) -> tuple[Tensor, Tensor]:
    """Apply fields to the original pixels, at their own resolution (paper, equation 1).

    The crop-frame field is carried into the image by the crop's matrix. Pixels that the field leaves alone, or moves by less
    than a thousandth of a pixel, are copied, not resampled: with strength 0, a zero field, or outside the crop they are
    bit-identical. Where the squares of several faces overlap, what their fields do adds up: the original is sampled once, and
    the order of faces does not matter. A picture without a face stays as it is.

    Args:
        image: ``[B,C,H,W]`` with C = 1 (grey), 3 (RGB) or 4 (RGB and alpha, which moves along).
        crop: the faces, any number in each of B pictures; or those of one picture, which then serve for all.
        field: one, or one for each face.
        shape: strength of the coordinate offsets; 0 = off, negative = the opposite movement. A velocity field is made
            not to fold from -1 to 1.5 (:func:`flow_core.warping.jacobian.fold_note`).
        color: strength of the colour offsets.
        mask: ``[B or 1,H,W]`` in 0..1, multiplies the edit. The offsets of a velocity field are integrated before, so
            a steep mask may fold what the field alone does not; :func:`flow_core.fields.algebra.mask` masks the velocity.
        feather: share of the crop side over which the edit fades out; colours do so over half of it.

    Returns:
        The edited image ``[B,C,H,W]`` and the mask ``[B,H,W]`` of changed pixels (0 or 1).

    Raises:
        ValueError: shapes do not fit together, or the image holds NaN.
    """
    if image.ndim != 4 or image.shape[1] not in (1, 3, 4):
        raise ValueError(f"Expected an image [B,C,H,W] with 1, 3 or 4 channels, got {tuple(image.shape)}.")
    b, _, h, w = image.shape
    crop.require_size(image)
    every = crop.for_pictures(b)
    if field.batch not in (1, crop.batch, every.batch):
        raise ValueError(f"{field.batch} fields do not fit {crop.batch} faces: give one for all, or one for each.")
    if mask is not None and len(mask) not in (1, b):
        raise ValueError(f"{len(mask)} masks do not fit {b} pictures: give one for all, or one for each.")
    if mask is not None and mask.shape[1:] != (h, w):
        raise ValueError(f"The mask has {mask.shape[2]}x{mask.shape[1]} pixels, the picture {w}x{h}; resize the mask.")
    if not (math.isfinite(shape) and math.isfinite(color)) or (mask is not None and not mask.isfinite().all()):
        raise ValueError("A strength or the mask is NaN or infinite; give finite numbers.")

    field = field.require_finite().scale(shape, color).to(image.device)
    with suited(b * h * w <= _SMALL):
        return _warped(image, every, field, mask, feather)


def _warped(image: Tensor, every: Crop, field: FlowField, mask: Tensor | None, feather: float) -> tuple[Tensor, Tensor]:
    """:func:`warp` of faces in as many pictures as there are."""
    b, _, h, w = image.shape
    hold_memory()
    out, changed, limits, faces = _empty(image, image.shape), _zeros(image, (b, h, w)), [[] for _ in range(b)], []

    def find_faces() -> None:
        for k in range(every.batch):
            faces.append(_Face(every.select(k).to(image.device), field.select(k % field.batch), feather))

    def copy(i: int, source: Tensor, target: Tensor) -> None:
        count, found = max(1, _CACHED // source[0].numel()) if source.device.type == "cpu" else len(source), []
        for to, few in zip(target.split(count), source.split(count), strict=True):
            to.copy_(few)
            found += few.aminmax()
        limits[i].extend(v.item() for v in torch.stack(found).aminmax())

    parts = [
        functools.partial(copy, i, *part)
        for i in range(b)
        for part in zip(*(rows.split(_LINES) for rows in _rows(image[i], out[i])), strict=True)
    ]
    _each(image, lambda part: part(), [find_faces, *parts])
    if not all(map(math.isfinite, itertools.chain(*limits))):
        require_finite(image)
    for i in range(b):
        # Bicubic weights and colour offsets may overshoot; pictures beyond 0..1 (HDR) keep their own range.
        limit = min(0.0, *limits[i]), max(1.0, *limits[i])
        m = None if mask is None else mask[i if len(mask) > 1 else 0].to(image)
        here = [faces[k] for k in every.faces_of(i)]
        noise = calmest(image[i : i + 1], [face.crop for face in here if face.sharp])
        work = functools.partial(_warp_tile, image[i : i + 1], out[i : i + 1], changed[i], m, limit, noise)
        _each(image, work, list(_tiles(here)))
    return out, changed


def _each(image: Tensor, work: Callable[[Any], None], items: Sequence[Any]) -> None:
    """Do ``work`` for all items, parts of an image; of a large one in several threads."""
    if image.device.type == "cpu" and len(items) >= _MANY:
        share_out(work, items)
        return
    for item in items:
        work(item)


def _rows(*pictures: Tensor) -> list[Tensor]:
    """Pictures ``[C,H,W]`` of one shape as rows that lie in memory as a whole, if all have such."""
    if all(p.is_contiguous() for p in pictures):
        return [p.flatten(0, 1) for p in pictures]
    pixels = [p.movedim(0, -1) for p in pictures]
    return pixels if all(p.is_contiguous() for p in pixels) else list(pictures)


class _Face:
    """One face of a picture, and what its field does there.

    Attributes:
        crop: where it is.
        flow: the field, with offsets in pixels of the picture.
        box: the pixels (x0, y0, x1, y1) in which the flow does anything.
        step: the flow is asked at every ``step``-th pixel where it has sharp borders, or has none anywhere.
        sharp: boxes of pixels in which it has sharp borders. Beyond them it is smooth enough for twice the step.
    """

    def __init__(self, crop: Crop, field: FlowField, feather: float) -> None:
        self.crop = crop
        self.flow = field.flow(feather, crop).times(crop.inverse[0, :2, :2])
        self.box = crop.widen(self.flow.span).bounds() if self.flow.span != 1 else crop.bounds()
        self.step = max(1, int(crop.side[0] / max(_NODES, 4 * max(field.size))))
        self.sharp = crop.boxes_in_image(self.flow.sharp_boxes())

    def step_in(self, x0: int, y0: int, x1: int, y1: int) -> int:
        """At which pixels of a box the flow is asked."""
        far = all(x1 < a or c < x0 or y1 < b or d < y0 for a, b, c, d in self.sharp)
        return 2 * self.step if self.step > 1 and self.sharp and far else self.step

    def sample(self, x: Tensor, y: Tensor) -> Sample:
        """The flow at pixels ``x`` and ``y``, of shapes that broadcast to ``[h,w]``."""
        # Coordinates are kept as planes, as grid_sample likes them; matrix products for each pixel would cost more than it.
        (a, b, u), (c, d, v), _ = self.crop.matrix[0].tolist()
        points = torch.empty(1, 2, *np.broadcast_shapes(x.shape, y.shape), device=x.device)
        torch.add(a * x, b * y + u, out=points[0, 0])
        torch.add(c * x, d * y + v, out=points[0, 1])
        return self.flow(points.movedim(1, -1))


def _tiles(faces: list[_Face]) -> Iterator[tuple[tuple[int, int, int, int], list[_Face]]]:
    """Boxes (x0, y0, x1, y1) that together cover all faces, and the faces that each may show."""
    for k, (x0, y0, x1, y1) in enumerate(face.box for face in faces):
        height, width = _LARGE_TILE if (y1 - y0) * (x1 - x0) >= _LARGE else _TILE
        for top, left in itertools.product(range(y0, y1, height), range(x0, x1, width)):
            right, bottom = min(x1, left + width), min(y1, top + height)
            if any(a <= left and b <= top and right <= c and bottom <= d for a, b, c, d in (f.box for f in faces[:k])):
                continue  # done with an earlier face
            here = [f for f in faces if f.box[0] < right and left < f.box[2] and f.box[1] < bottom and top < f.box[3]]
            yield (left, top, right, bottom), here


def _empty(image: Tensor, shape: torch.Size) -> Tensor:
    """Room for floats, laid out as ``image`` is. NumPy asks for large pages of memory, which are had several times as quickly."""
    if image.device.type != "cpu" or image.dtype != torch.float32:
        return torch.empty_like(image) if shape == image.shape else image.new_empty(shape)
    strides = torch.empty_like(image, device="meta").stride() if shape == image.shape else None
    room = torch.from_numpy(np.empty(math.prod(shape), np.float32))
    return room.view(shape) if strides is None else room.as_strided(shape, strides)


def _zeros(image: Tensor, shape: torch.Size) -> Tensor:
    """Zeros, which NumPy takes from the system as they are: memory that nobody writes to costs nothing."""
    if image.device.type != "cpu" or image.dtype != torch.float32:
        return image.new_zeros(shape)
    return torch.from_numpy(np.zeros(shape, np.float32))


def _warp_tile(
    image: Tensor,
    out: Tensor,
    changed: Tensor,
    mask: Tensor | None,
    limits: tuple[float, float],
    noise: Noise | None,
    job: tuple[tuple[int, int, int, int], list[_Face]],
) -> None:
    """Warp the pixels of a box (x0, y0, x1, y1) from ``image`` into ``out``, as the fields of its faces together say. What they
    paint gets the ``noise`` of the picture."""
    box, faces = job
    x0, y0, x1, y1 = box
    step = min(face.step_in(*box) for face in faces)
    x, y = (_every(first, last, step, image.device) for first, last in ((x0, x1), (y0, y1)))
    edit, counts = _together(faces, x, y[:, None])
    if counts[-1] and edit[:, -3:].abs().max() < _STILL[1]:  # most of a picture keeps its light
        edit, counts[-1] = edit[:, :-3], 0
    if mask is not None:
        edit = _between(edit, step, box) * mask[y0:y1, x0:x1]
        x, y, step = _every(x0, x1, 1, image.device), _every(y0, y1, 1, image.device), 1
    far = edit[0, :2].abs()
    moved, longest = far.sum(0) > _STILL[0], far.amax((1, 2)).tolist()
    if any(counts):
        moved |= edit[0, 2:].abs().amax(0) > _STILL[1]
    if step > 1:  # pixels between four that move
        moved = moved[:-1] & moved[1:]
        moved = moved[:, :-1] & moved[:, 1:]
    rows, columns = moved.any(1).nonzero()[:, 0].tolist(), moved.any(0).nonzero()[:, 0].tolist()
    if not rows:
        return
    # What lies around that needs no work.
    (top, bottom), (left, right) = ((at[0], at[-1] + 1) for at in (rows, columns))
    more = step > 1
    moved, edit = moved[top:bottom, left:right], edit[..., top : bottom + more, left : right + more]
    x, y = x[left : right + more], y[top : bottom + more]
    # Where two layers share a pixel it is asked at points between the pixels' centres, and there one may reach farther.
    beyond = max(_BEYOND[1] * face.crop.side.item() for face in faces)
    source = _Source(image, box, [_BEYOND[0] * v + beyond for v in longest], limits)
    x0, x1, y0, y1 = x0 + left * step, min(x1, x0 + right * step), y0 + top * step, min(y1, y0 + bottom * step)
    box, tile, all_moved = (x0, y0, x1, y1), (..., slice(y0, y1), slice(x0, x1)), moved.all()
    at = [torch.arange(*ends, device=image.device) for ends in ((x0, x1), (y0, y1))]
    grain = noise and functools.partial(noise.lay, at[0], at[1][:, None])
    if any(longest):
        sharp = itertools.chain(*(face.sharp for face in faces))
        rows, columns = shared(edit[0, :2], box, sharp) if step == 1 else ((), ())
        new = source.pixels(_between(source.places(edit, x, y[:, None]), step, box), counts, grain)
        if len(rows):

            def asked(x: Tensor, y: Tensor) -> Tensor:
                edit, counts = _together(faces, x, y[None])
                if mask is not None:
                    edit *= mask[y.long(), x.long()]
                grain = noise and functools.partial(noise.lay, x.long(), y.long()[None])
                return source.pixels(source.places(edit, x, y), counts, grain)[:, :, 0]

            new[..., rows, columns] = blended(asked, x[columns], y[rows])
    else:
        color, uncovered, painted, light = _named(_between(edit, step, box), counts)
        new = recolored(image[tile].clone(), color, uncovered, limits, painted, light, noise=grain)
    if all_moved:
        out[tile], changed[tile] = new, 1
        return
    moved = moved.to(changed)
    if step > 1:
        moved = moved.repeat_interleave(step, 0).repeat_interleave(step, 1)[: y1 - y0, : x1 - x0]
    torch.lerp(image[tile], new, moved.to(new), out=out[tile])  # of 0 or 1: a choice, in less than half of its time
    changed[tile] = moved


class _Source:
    """The part of a photo that the pixels of a box (x0, y0, x1, y1) come from, which move by up to ``reach`` along x and y. Sampling from no
    more than what is needed keeps coordinates exact."""

    def __init__(
        self, image: Tensor, box: tuple[int, int, int, int], reach: Sequence[float], limits: tuple[float, float]
    ) -> None:
        (x0, x1), (y0, y1) = (
            _span(box[0], box[2], reach[0], image.shape[3]),
            _span(box[1], box[3], reach[1], image.shape[2]),
        )
        self.start, self.scale, self.limits = (x0, y0), (2 / (x1 - x0), 2 / (y1 - y0)), limits
        self.part, self.inner = (
            image[:, :, y0:y1, x0:x1],
            x0 > 0 and x1 < image.shape[3] and y0 > 0 and y1 < image.shape[2],
        )

    def places(self, edit: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """An edit, its offsets in pixels turned, in place, into where in the part they lead from ``x`` and ``y``, -1..1."""
        for plane, at, start, k in zip(edit[0, :2], (x, y), self.start, self.scale, strict=True):
            torch.add((at - start) * k - 1, plane, alpha=k, out=plane)
        return edit

    def pixels(self, edit: Tensor, counts: list[int], noise: Callable[[Tensor, Tensor], None] | None) -> Tensor:
        """New pixels, of an edit with :meth:`places`; ``noise`` as for :func:`edited_pixels`."""
        grid, (color, uncovered, painted, light) = edit[:, :2], _named(edit, counts)
        if not self.inner:
            for plane, k in zip(grid[0], self.scale, strict=True):
                plane.clamp_(k / 2 - 1, 1 - k / 2)
        padding = "zeros" if self.inner else "border"
        return edited_pixels(
            self.part,
            grid.movedim(1, -1),
            color,
            uncovered,
            self.limits,
            padding=padding,
            painted=painted,
            light=light,
            noise=noise,
        )


def _named(edit: Tensor, counts: list[int]) -> list[Tensor | None]:
    """Of the planes of an edit: its colours, what is uncovered, what is painted, and the light; None for what there is none of."""
    return [p if p.shape[1] else None for p in edit[:, 2:].split(counts, 1)]


def _together(faces: list[_Face], x: Tensor, y: Tensor) -> tuple[Tensor, list[int]]:
    """What all faces do at pixels, see :meth:`_Face.sample`, as planes ``[1,n,h,w]``: the sum of the offsets, and what there is of the sum of
    the colours, what is uncovered, what is painted, and the light as :func:`edited_pixels` takes it. And how many planes there are of these four."""
    samples = [face.sample(x, y) for face in faces]
    colors = [sample.color for face, sample in zip(faces, samples, strict=True) if face.flow.colored]
    uncovered = [sample.uncovered for sample in samples if sample.uncovered is not None]
    painted = [sample.painted for sample in samples if sample.painted is not None]
    planes, counts = [functools.reduce(torch.add, [sample.offset for sample in samples])], []
    light = [sample.light for sample in samples if sample.light is not None]
    for found, joined in ((colors, torch.add), (uncovered, torch.maximum), (painted, _over), (light, torch.add)):
        planes += [functools.reduce(joined, found)] if found else []
        counts.append(planes[-1].shape[1] if found else 0)
    if light:
        planes[-1] = planes[-1].expm1()  # here, where there are fewer points than pixels
    return torch.cat(planes, 1), counts


def _over(below: Tensor, above: Tensor) -> Tensor:
    """Two paintings, colours times cover and cover, one over the other."""
    return below * (1 - above[:, 3:]) + above


def _every(first: int, last: int, step: int, device: torch.device) -> Tensor:
    """Centres of every ``step``-th pixel, up to the first one that is not before the last."""
    count = last - first if step == 1 else (last - first - 1) // step + 2
    return first + 0.5 + step * torch.arange(count, device=device, dtype=torch.float32)


def _between(planes: Tensor, step: int, box: tuple[int, int, int, int]) -> Tensor:
    """Values at all pixels of a box, between those ``[B,C,n,m]`` at every ``step``-th."""
    if step == 1:
        return planes
    height, width = ((n - 1) * step + 1 for n in planes.shape[2:])
    planes = enlarged(planes, (height, width), align_corners=True)
    return planes[..., : box[3] - box[1], : box[2] - box[0]]


def _span(first: int, last: int, reach: float, size: int) -> tuple[int, int]:
    """Which pixels of a photo, along an axis of ``size``, bicubic sampling needs where the pixels from ``first`` to ``last``
    move by up to ``reach``."""
    far = math.ceil(min(reach, size)) + 3
    return max(first - far, 0), min(last + far, size)
