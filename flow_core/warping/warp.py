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

_TILE = 256, 512  # rows and columns that are warped at once: they stay in the processor's cache
# Pixels of a face square from which on tiles are larger, as the field is then sampled at few of their pixels
_LARGE = 1 << 22
_LARGE_TILE = 512, 768
_SMALL = 640 * 640  # pixels; pictures up to this size one core warps as quickly as several
_LINES = 256  # rows that one thread copies
_CACHED = 1 << 17  # floats that are copied before they are searched for extremes, while they are in the cache
_MANY = 6  # least number of parts that are shared out among threads
_NODES = 1000  # points along the side of a face at least, at which a field is sampled; between them it is interpolated
# Between the sampled points of a tile, offsets may be this many times as long as the longest one, and this much longer (crop sides).
_BEYOND = 1.25, 0.005
_STILL = 1e-3, 1e-5  # offset in pixels, and colour; pixels that change by no more are copied: no file format keeps less


def taper_mask(crop: Crop, feather: float = FEATHER) -> Tensor:
    """``[pictures,H,W]``: weight of an edit at each pixel, 1 in the middle of each face square, 0 at its border and beyond."""
    masks = torch.zeros(crop.pictures, *crop.image_size)
    crop = crop.to("cpu")
    for i, of in enumerate(crop.of_picture):
        one = crop.select(i)
        x0, y0, x1, y1 = one.bounds()
        for top in range(y0, y1, _TILE[0]):  # in bands, since the points of a large photo need much memory
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

    The crop's matrix carries the field from the crop frame into the image. Pixels that the field does not change, or moves
    by less than a thousandth of a pixel, are copied and not resampled: outside the crop, with strength 0 or a zero field, the
    result is bit-identical. Where the squares of several faces overlap, their offsets and colours add up, so that the original
    is sampled once and the order of faces does not matter. A picture without a face is returned as it is.

    Args:
        image: ``[B,C,H,W]`` with C = 1 (grey), 3 (RGB) or 4 (RGB and alpha, which moves along).
        crop: the faces, any number in each of B pictures; or those of one picture, which then serve for all.
        field: one, or one for each face.
        shape: strength of the coordinate offsets; 0 = off, negative = the opposite movement. A velocity field is made
            not to fold from -1 to 1.5 (:func:`flow_core.warping.jacobian.fold_note`).
        color: strength of the colour offsets.
        mask: ``[B or 1,H,W]`` in 0..1, multiplies the edit. It multiplies offsets, not velocities, so a steep mask may make a
            velocity field fold; :func:`flow_core.fields.algebra.mask` masks the velocity.
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
    """:func:`warp`, of checked arguments; ``every`` has the faces of all B pictures."""
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
        # bicubic weights and colours may overshoot; pictures with values beyond 0..1 (HDR) keep their own range
        limit = min(0.0, *limits[i]), max(1.0, *limits[i])
        m = None if mask is None else mask[i if len(mask) > 1 else 0].to(image)
        here = [faces[k] for k in every.faces_of(i)]
        noise = calmest(image[i : i + 1], [face.crop for face in here if face.sharp])
        work = functools.partial(_warp_tile, image[i : i + 1], out[i : i + 1], changed[i], m, limit, noise)
        _each(image, work, list(_tiles(here)))
    return out, changed


def _each(image: Tensor, work: Callable[[Any], None], items: Sequence[Any]) -> None:
    """Call ``work`` for all items (parts of an image), in several threads if there are many."""
    if image.device.type == "cpu" and len(items) >= _MANY:
        share_out(work, items)
        return
    for item in items:
        work(item)


def _rows(*pictures: Tensor) -> list[Tensor]:
    """Pictures ``[C,H,W]`` of one shape, viewed so that the first axis is contiguous blocks of memory, if all are laid out alike."""
    if all(p.is_contiguous() for p in pictures):
        return [p.flatten(0, 1) for p in pictures]
    pixels = [p.movedim(0, -1) for p in pictures]
    return pixels if all(p.is_contiguous() for p in pixels) else list(pictures)


class _Face:
    """One face of a picture with its field.

    Attributes:
        crop: where the face is.
        flow: the field, with offsets in pixels of the picture.
        box: pixels (x0, y0, x1, y1) outside of which the flow does nothing.
        step: the flow is sampled at every ``step``-th pixel, and interpolated between them.
        sharp: boxes of pixels in which the flow has sharp borders. If there are any, the step may be doubled outside of them.
    """

    def __init__(self, crop: Crop, field: FlowField, feather: float) -> None:
        self.crop = crop
        self.flow = field.flow(feather, crop).times(crop.inverse[0, :2, :2])
        self.box = crop.widen(self.flow.span).bounds() if self.flow.span != 1 else crop.bounds()
        self.step = max(1, int(crop.side[0] / max(_NODES, 4 * max(field.size))))
        self.sharp = crop.boxes_in_image(self.flow.sharp_boxes())

    def step_in(self, x0: int, y0: int, x1: int, y1: int) -> int:
        """The step in a box."""
        far = all(x1 < a or c < x0 or y1 < b or d < y0 for a, b, c, d in self.sharp)
        return 2 * self.step if self.step > 1 and self.sharp and far else self.step

    def sample(self, x: Tensor, y: Tensor) -> Sample:
        """The flow at pixels ``x`` and ``y``, of shapes that broadcast to ``[h,w]``."""
        # coordinates are kept as planes: one matrix product per pixel would take longer than grid_sample
        (a, b, u), (c, d, v), _ = self.crop.matrix[0].tolist()
        points = torch.empty(1, 2, *np.broadcast_shapes(x.shape, y.shape), device=x.device)
        torch.add(a * x, b * y + u, out=points[0, 0])
        torch.add(c * x, d * y + v, out=points[0, 1])
        return self.flow(points.movedim(1, -1))


def _tiles(faces: list[_Face]) -> Iterator[tuple[tuple[int, int, int, int], list[_Face]]]:
    """Boxes (x0, y0, x1, y1) that together cover all faces, each with the faces that reach into it."""
    for k, (x0, y0, x1, y1) in enumerate(face.box for face in faces):
        height, width = _LARGE_TILE if (y1 - y0) * (x1 - x0) >= _LARGE else _TILE
        for top, left in itertools.product(range(y0, y1, height), range(x0, x1, width)):
            right, bottom = min(x1, left + width), min(y1, top + height)
            if any(a <= left and b <= top and right <= c and bottom <= d for a, b, c, d in (f.box for f in faces[:k])):
                continue  # done with an earlier face
            here = [f for f in faces if f.box[0] < right and left < f.box[2] and f.box[1] < bottom and top < f.box[3]]
            yield (left, top, right, bottom), here


def _empty(image: Tensor, shape: torch.Size) -> Tensor:
    """Uninitialised floats, laid out in memory as ``image``. From NumPy, which asks for large pages, several times as quick to get."""
    if image.device.type != "cpu" or image.dtype != torch.float32:
        return torch.empty_like(image) if shape == image.shape else image.new_empty(shape)
    strides = torch.empty_like(image, device="meta").stride() if shape == image.shape else None
    room = torch.from_numpy(np.empty(math.prod(shape), np.float32))
    return room.view(shape) if strides is None else room.as_strided(shape, strides)


def _zeros(image: Tensor, shape: torch.Size) -> Tensor:
    """Zeros. NumPy takes zeroed pages from the system, which cost nothing until they are written to."""
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
    """Warp one tile from ``image`` into ``out``.

    Args:
        image: ``[1,C,H,W]``.
        out: the same shape, a copy of ``image`` in this tile.
        changed: ``[H,W]``; set to 1 where a pixel changes.
        mask: ``[H,W]``, or None.
        limits: least and largest value of the result.
        noise: of the picture, for what is painted; or None.
        job: the tile (x0, y0, x1, y1), and the faces that reach into it.
    """
    box, faces = job
    x0, y0, x1, y1 = box
    step = min(face.step_in(*box) for face in faces)
    x, y = (_every(first, last, step, image.device) for first, last in ((x0, x1), (y0, y1)))
    edit, counts = _together(faces, x, y[:, None])
    if counts[-1] and edit[:, -3:].abs().max() < _STILL[1]:  # mostly no light changes
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
    # shrink the tile to what changes
    (top, bottom), (left, right) = ((at[0], at[-1] + 1) for at in (rows, columns))
    more = step > 1
    moved, edit = moved[top:bottom, left:right], edit[..., top : bottom + more, left : right + more]
    x, y = x[left : right + more], y[top : bottom + more]
    # pixels that two layers share are sampled between the pixel centres, too, where offsets may be longer
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
    torch.lerp(
        image[tile], new, moved.to(new), out=out[tile]
    )  # with weights 0 or 1 this is torch.where, in less than half the time
    changed[tile] = moved


class _Source:
    """The part of a photo from which the pixels of a box are sampled. A small part keeps float32 coordinates exact.

    Args:
        image: ``[1,C,H,W]``.
        box: pixels x0, y0, x1, y1.
        reach: longest offset in pixels, along x and y.
        limits: least and largest value of new pixels.

    Attributes:
        start: x and y of the part's first pixel.
        scale: sampling coordinates (-1..1) for one pixel, along x and y.
        inner: whether no side of the part is a border of the photo, so that sampling needs no padding.
    """

    def __init__(
        self, image: Tensor, box: tuple[int, int, int, int], reach: Sequence[float], limits: tuple[float, float]
    ) -> None:
        height, width = image.shape[2:]
        x0, x1 = _span(box[0], box[2], reach[0], width)
        y0, y1 = _span(box[1], box[3], reach[1], height)
        self.part, self.limits = image[:, :, y0:y1, x0:x1], limits
        self.start, self.scale = (x0, y0), (2 / (x1 - x0), 2 / (y1 - y0))
        self.inner = x0 > 0 and x1 < width and y0 > 0 and y1 < height

    def places(self, edit: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Turn the offsets of an edit at pixels ``x`` and ``y``, in place, into sampling coordinates -1..1 of the part."""
        for plane, at, start, k in zip(edit[0, :2], (x, y), self.start, self.scale, strict=True):
            torch.add((at - start) * k - 1, plane, alpha=k, out=plane)
        return edit

    def pixels(self, edit: Tensor, counts: list[int], noise: Callable[[Tensor, Tensor], None] | None) -> Tensor:
        """New pixels of an edit that went through :meth:`places`; ``noise`` as for :func:`edited_pixels`."""
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
    """Colour, uncovered, painted and light planes of an edit with these ``counts`` (:func:`_together`); None for a count of 0."""
    return [p if p.shape[1] else None for p in edit[:, 2:].split(counts, 1)]


def _together(faces: list[_Face], x: Tensor, y: Tensor) -> tuple[Tensor, list[int]]:
    """The edits of all faces together, at pixels as in :meth:`_Face.sample`.

    Returns:
        planes ``[1,n,h,w]``: the sum of the offsets, then colours, uncovered, painted, and light as :func:`edited_pixels` takes it,
        as far as any face has them; and how many planes each of these four has.
    """
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
        planes[-1] = planes[-1].expm1()  # before interpolation, where there are fewer points than pixels
    return torch.cat(planes, 1), counts


def _over(below: Tensor, above: Tensor) -> Tensor:
    """One painting over another; both are colours times cover, and cover."""
    return below * (1 - above[:, 3:]) + above


def _every(first: int, last: int, step: int, device: torch.device) -> Tensor:
    """Centres of every ``step``-th pixel from ``first`` on; with a step above 1 up to the first one at or beyond ``last``."""
    count = last - first if step == 1 else (last - first - 1) // step + 2
    return first + 0.5 + step * torch.arange(count, device=device, dtype=torch.float32)


def _between(planes: Tensor, step: int, box: tuple[int, int, int, int]) -> Tensor:
    """Values at all pixels of a box, interpolated between those ``[B,C,n,m]`` at every ``step``-th pixel."""
    if step == 1:
        return planes
    height, width = ((n - 1) * step + 1 for n in planes.shape[2:])
    planes = enlarged(planes, (height, width), align_corners=True)
    return planes[..., : box[3] - box[1], : box[2] - box[0]]


def _span(first: int, last: int, reach: float, size: int) -> tuple[int, int]:
    """The range of pixels, along an axis of ``size``, that bicubic sampling needs for pixels ``first`` to ``last`` that move by up to
    ``reach``."""
    far = math.ceil(min(reach, size)) + 3
    return max(first - far, 0), min(last + far, size)
