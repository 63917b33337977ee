"""The edit itself: an immutable raster field of coordinate and colour offsets, and its file format.

Two kinds share the class. In a ``raster`` field the rasters are the offsets. In a ``velocity`` field the coordinate raster
is a stationary velocity, and the offsets are those of its exponential (:mod:`flow_core.fields.velocity`), which never folds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.grid import pixel_centers
from ..geometry.sampling import interpolate

if TYPE_CHECKING:
    from .neural import Implicit

FORMAT = "faceflow.field"
VERSION = 1
KINDS = ("raster", "velocity")


class FieldError(ValueError):
    """A field, or a file that should hold one, is not usable; the message names the remedy."""


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

    Treat the tensors as read-only: fields are shared between the nodes of a graph.
    """

    offset: Tensor
    color: Tensor
    meta: Mapping[str, object] = field(default_factory=dict)
    kind: str = "raster"

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
        values = interpolate(torch.cat([self.offset, self.color], 1), points)
        return values[:, :2], values[:, 2:]

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

    def raster(self, size: int | tuple[int, int] | None = None) -> Field:
        """The field as a raster: itself, or resampled to ``size``. Neural fields have the same method."""
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

    def require_finite(self) -> Field:
        """Itself, or :class:`FieldError` where a value is NaN or infinite."""
        if not (self.offset.isfinite().all() and self.color.isfinite().all()):
            raise FieldError("The field holds NaN or infinite values; optimise it again or load another file.")
        return self

    def save(self, path: str | Path) -> Path:
        """Write a safetensors file; the metadata are JSON under the key ``faceflow``."""
        return write(path, self.require_finite().meta, self.kind, {"offset": self.offset, "color": self.color})

    @classmethod
    def load(cls, path: str | Path) -> Field | Implicit:
        """Read a field of any kind, and of this or any older version.

        Raises:
            FieldError: the file is missing, damaged, not a field, or newer than this FaceFlow.
        """
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        if not path.is_file():
            raise FieldError(
                f"There is no field at {path}. Save one with FaceFlow Save Field or `faceflow edit --field`."
            )
        try:
            with safe_open(str(path), "pt") as f:
                header = json.loads((f.metadata() or {}).get("faceflow", "null"))
                tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, ValueError, OSError) as e:
            raise FieldError(f"{path.name} is damaged or not a safetensors file ({e}); save or copy it again.") from e
        if not isinstance(header, dict) or header.pop("format", None) != FORMAT:
            raise FieldError(
                f"{path.name} is a safetensors file, but not a FaceFlow field; pick one saved by FaceFlow."
            )
        version = header.pop("version", 0)
        if not isinstance(version, int) or not 1 <= version <= VERSION:
            raise FieldError(
                f"{path.name} has field version {version}; this FaceFlow reads 1 to {VERSION}. Update FaceFlow."
            )
        for v in range(version, VERSION):
            header, tensors = _UPGRADES[v](header, tensors)
        kind = header.pop("kind", None)
        if kind == "implicit":
            from .neural import Implicit

            return Implicit.from_file(tensors, header, path.name)
        if kind not in KINDS:
            raise FieldError(f"{path.name} holds a {kind!r} field, which this FaceFlow does not know. Update FaceFlow.")
        if not {"offset", "color"} <= tensors.keys():
            raise FieldError(f"{path.name} lacks the tensors 'offset' and 'color'; it holds {sorted(tensors)}.")
        return cls(tensors["offset"], tensors["color"], header, kind).require_finite()


def write(path: str | Path, meta: Mapping[str, object], kind: str, tensors: Mapping[str, Tensor]) -> Path:
    """Write a field's file; of the format's own keys in ``meta`` none survives."""
    from safetensors.torch import save

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {**meta, "format": FORMAT, "version": VERSION, "kind": kind}
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    partial = path.with_name(path.name + ".part")  # a full disk must not destroy an older field
    partial.write_bytes(save(plain, metadata={"faceflow": json.dumps(header)}))
    partial.replace(path)
    return path


# version n -> n+1; grows when the format does, so that no saved edit is ever lost
_UPGRADES: dict[int, Callable[[dict, dict], tuple[dict, dict]]] = {}
