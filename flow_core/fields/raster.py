"""Fields as rasters: coordinate and colour offsets at control points, with bicubic interpolation between them.

Two kinds share the class. In a ``raster`` field the rasters are the offsets. In a ``velocity`` field the coordinate raster
is a stationary velocity, and the offsets are those of its exponential (:mod:`flow_core.fields.exponential`), which never
folds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.grid import pixel_centers
from ..geometry.sampling import between_nodes, interpolate
from .base import FEATHER, FieldError, Sample, color_taper, taper
from .container import write
from .exponential import cells, exponential, tapered_velocity

if TYPE_CHECKING:
    from ..geometry.crop import Crop

KINDS = ("raster", "velocity")
MOST_SPAN = 4.0


@dataclass(frozen=True)
class Field:
    """A flow field in the crop frame.

    Attributes:
        offset: ``[B,2,h,w]`` float32, x then y, in fractions of the crop side: output point ``p`` takes its
            colour from ``p + offset(p)`` (paper, section 3.1). Of a velocity field, the velocity along which ``p``
            flows for one unit of time to where its colour comes from.
        color: ``[B,3,h,w]`` float32, added to sRGB 0..1 after sampling.
        meta: what made it (prompt, neutral, guide, seed, steps ...); strings and numbers, read-only.
        kind: ``raster`` or ``velocity``.
        span: side of the square around the middle of the crop that ``color`` covers, in sides of the crop, 1 or more: hair goes on
            beyond the face square. ``offset`` covers the crop alone.

    See :class:`flow_core.fields.base.FlowField` for what all fields can do.
    """

    offset: Tensor
    color: Tensor
    meta: Mapping[str, object] = field(default_factory=dict)
    kind: str = "raster"
    span: float = 1.0

    needs_face = False

    def __post_init__(self) -> None:
        o, c = self.offset, self.color
        if self.kind not in KINDS:
            raise FieldError(f"A field is of kind {' or '.join(KINDS)}, not {self.kind!r}.")
        if o.ndim != 4 or o.shape[1] != 2 or c.ndim != 4 or c.shape[1] != 3:
            raise FieldError(
                f"A field needs offset [B,2,h,w] and color [B,3,h,w], got {tuple(o.shape)} and {tuple(c.shape)}."
            )
        if o.shape[0] != c.shape[0] or o.shape[2:] != c.shape[2:] or 0 in o.shape:
            raise FieldError(
                "Offset and color of a field must have the same, non-empty batch and size, "
                f"got {tuple(o.shape)} and {tuple(c.shape)}; resample one of them first."
            )
        if not 1 <= self.span <= MOST_SPAN:
            raise FieldError(f"The colours of a field span 1 to {MOST_SPAN:g} sides of the crop, not {self.span!r}.")
        object.__setattr__(self, "offset", o.float())
        object.__setattr__(self, "color", c.float())
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    @classmethod
    def zeros(cls, size: int | tuple[int, int], batch: int = 1, **meta: object) -> Field:
        """The edit that changes nothing."""
        h, w = (size, size) if isinstance(size, int) else size
        if h < 2 or w < 2:
            raise FieldError(f"A field needs at least 2x2 control points, got {h}x{w}.")
        return cls(torch.zeros(batch, 2, h, w), torch.zeros(batch, 3, h, w), meta)

    @classmethod
    def noise(cls, size: int, amplitude: float, seed: int, batch: int = 1) -> Field:
        """Zero, or normal offsets with standard deviation ``amplitude`` (fractions of the crop)."""
        zero = cls.zeros(size, batch)
        if not amplitude:
            return zero
        generator = torch.Generator().manual_seed(seed)
        return cls(torch.randn(zero.offset.shape, generator=generator) * amplitude, zero.color)

    @property
    def batch(self) -> int:
        return self.offset.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Control points as (height, width)."""
        return self.offset.shape[2], self.offset.shape[3]

    @property
    def device(self) -> torch.device:
        return self.offset.device

    def sample(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Offset (or velocity) ``[B,2,H,W]`` and colour ``[B,3,H,W]`` at crop points ``[B or 1,H,W,2]``."""
        if self.span != 1:
            return interpolate(self.offset, points), interpolate(self.color, self.in_span(points))
        values = interpolate(torch.cat([self.offset, self.color], 1), points)
        return values[:, :2], values[:, 2:]

    def in_span(self, points: Tensor) -> Tensor:
        """Crop points ``[B,H,W,2]`` in fractions of the square that the colours cover."""
        return points if self.span == 1 else (points - 0.5) / self.span + 0.5

    def spanning(self, span: float, size: tuple[int, int]) -> Field:
        """The same edit with colours on a raster of another span and size, without those that lie beyond it."""
        if span == self.span:
            return self if size == self.size else self.resample(size)
        grid = pixel_centers(*size, self.device)
        wide = (grid - 0.5) * span + 0.5
        beyond = ((wide - 0.5).abs().amax(-1) > self.span / 2)[:, None]
        color = interpolate(self.color, self.in_span(wide)).masked_fill(beyond, 0.0)
        return replace(self, offset=interpolate(self.offset, grid), color=color, span=span)

    def resample(self, size: int | tuple[int, int]) -> Field:
        """The same edit on another raster; antialiased when it gets smaller. Offsets are in fractions of the
        crop, so their values do not change with the size."""
        h, w = (size, size) if isinstance(size, int) else size
        values = torch.cat([self.offset, self.color], 1)
        if h >= self.size[0] and w >= self.size[1]:
            values = interpolate(values, pixel_centers(h, w, self.device))
        else:
            values = F.interpolate(values, (h, w), mode="bicubic", antialias=True, align_corners=False)
        return replace(self, offset=values[:, :2], color=values[:, 2:])

    def flow(self, feather: float = FEATHER, crop: Crop | None = None) -> OffsetFlow | VelocityFlow:
        """The edit, ready to be sampled; the crop does not matter."""
        return OffsetFlow(self, feather) if self.kind == "raster" else VelocityFlow(self, feather)

    def raster(self, size: int | tuple[int, int] | None = None, crop: Crop | None = None) -> Field:
        """Itself, or resampled to ``size``; the crop does not matter."""
        return self if size is None else self.resample(size)

    def scale(self, shape: float = 1.0, color: float = 1.0) -> Field:
        """Offsets times ``shape``, colours times ``color``; 0 switches one off, negative values reverse it.

        A velocity times ``shape`` flows that much further, so that -1 undoes the movement exactly."""
        return replace(self, offset=self.offset * shape, color=self.color * color)

    def select(self, index: int) -> Field:
        """One field of a batch, still with a batch axis."""
        return replace(self, offset=self.offset[index : index + 1], color=self.color[index : index + 1])

    def to(self, device: torch.device | str) -> Field:
        return replace(self, offset=self.offset.to(device), color=self.color.to(device))

    def with_meta(self, **meta: object) -> Field:
        return replace(self, meta={**self.meta, **meta})

    def coefficients(self) -> Tensor:
        """The control points ``[B,5,h,w]``."""
        return torch.cat([self.offset, self.color], 1)

    def with_coefficients(self, values: Tensor) -> Field:
        return replace(self, offset=values[:, :2], color=values[:, 2:])

    def require_finite(self) -> Field:
        """Itself, or :class:`FieldError` where a value is NaN or infinite."""
        if not (self.offset.isfinite().all() and self.color.isfinite().all()):
            raise FieldError("The field holds NaN or infinite values; optimise it again or load another file.")
        return self

    def save(self, path: str | Path) -> Path:
        """Write a safetensors file; the metadata are JSON under the key ``faceflow``."""
        meta = {k: v for k, v in self.require_finite().meta.items() if k != "span"}
        meta |= {} if self.span == 1 else {"span": self.span}
        return write(path, meta, self.kind, {"offset": self.offset, "color": self.color})

    @classmethod
    def reader(cls, kind: str) -> Callable[[Mapping[str, Tensor], dict[str, object], str], Field]:
        """What makes a field of this kind of the contents of a file (:mod:`flow_core.fields.files`)."""

        def read(tensors: Mapping[str, Tensor], meta: dict[str, object], name: str) -> Field:
            if not {"offset", "color"} <= tensors.keys():
                raise FieldError(f"{name} lacks the tensors 'offset' and 'color'; it holds {sorted(tensors)}.")
            try:
                span = float(meta.pop("span", 1.0))
            except (TypeError, ValueError) as e:
                raise FieldError(f"{name} says no number for what its colours span; save it again.") from e
            return cls(tensors["offset"], tensors["color"], meta, kind, span)

        return read


class _RasterFlow:
    """What the flows of both kinds share: colours, which are interpolated and tapered."""

    def __init__(self, field: Field, feather: float) -> None:
        self.field, self.feather, self.span = field, feather, field.span
        self.colored = field.color.requires_grad or bool(field.color.any())

    def sharp_boxes(self) -> list[tuple[float, float, float, float]]:
        return []

    def _sample(self, offset: Tensor, points: Tensor) -> Sample:
        if not self.colored:
            return Sample(offset, offset.new_zeros(()).expand(len(offset), 3, *offset.shape[2:]))
        points = self.field.in_span(points)
        weight = color_taper(points, self.feather / self.span)[:, None]
        return Sample(offset, interpolate(self.field.color, points) * weight)


class OffsetFlow(_RasterFlow):
    """The flow of a raster field: offsets are interpolated and tapered."""

    def __call__(self, points: Tensor) -> Sample:
        weight = taper(points, self.feather)[:, None]
        return self._sample(interpolate(self.field.offset, points) * weight, points)

    def times(self, matrix: Tensor) -> OffsetFlow:
        made = copy(self)
        made.field = replace(self.field, offset=torch.einsum("ij,bjhw->bihw", matrix, self.field.offset))
        return made


class VelocityFlow(_RasterFlow):
    """The flow of a velocity field, integrated once.

    The velocity is tapered before it is integrated, and over at least 0.02, so that the map stays a diffeomorphism and is
    the identity at the crop's border and beyond.
    """

    def __init__(self, field: Field, feather: float) -> None:
        super().__init__(field, feather)
        if field.offset.any() or field.offset.requires_grad:
            self.offset = exponential(tapered_velocity(field.offset, feather, cells(field.size)))
        else:
            self.offset = field.offset.new_zeros(field.batch, 2, 2, 2)

    def __call__(self, points: Tensor) -> Sample:
        return self._sample(between_nodes(self.offset, points), points)

    def times(self, matrix: Tensor) -> VelocityFlow:
        made = copy(self)
        made.offset = torch.einsum("ij,bjhw->bihw", matrix, self.offset)
        return made
