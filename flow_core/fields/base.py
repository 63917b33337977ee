"""The one interface of all flow fields, and what they have in common.

A field is an edit in the crop frame. It says for every point how far away its colour comes from, and how that colour changes.
Four kinds answer to the same interface, :class:`FlowField`:

========  ==================================  ============================================================================
kind      module                              what is stored
========  ==================================  ============================================================================
raster    :mod:`flow_core.fields.raster`      offsets at control points
velocity  :mod:`flow_core.fields.raster`      a velocity at control points, whose exponential never folds
implicit  :mod:`flow_core.fields.neural`      the weights of a small network that yields a velocity
muscles   :mod:`flow_core.fields.muscles`     changes of face units and shapes, which mean something on a fitted face only
========  ==================================  ============================================================================

A further kind is a class with this interface, in a module of its own, and a line in the table of
:mod:`flow_core.fields.files`. Nothing else in the library asks of what kind a field is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..geometry.crop import Crop
    from .raster import Field

FEATHER = 0.12  # share of the crop side over which an edit fades out towards the crop's border
LEAST_FEATHER = 0.02  # a velocity that stopped more suddenly would crush the picture at the border


class FieldError(ValueError):
    """A field, or a file that should hold one, is not usable; the message names the remedy."""


class Sample(NamedTuple):
    """What a field does at some points of the crop frame.

    Attributes:
        offset: ``[B,2,H,W]``, x then y, in fractions of the crop side: point ``p`` takes its colour from ``p + offset(p)``.
        color: ``[B,3,H,W]``, added to sRGB 0..1 after sampling.
        uncovered: ``[B,1,H,W]`` 0..1, how far a point shows what the picture hides, such as the inside of a mouth that was
            closed; the result there is ``sampled * (1 - uncovered) + color``. None where nothing can be uncovered.
        painted: ``[B,4,H,W]`` what is laid over it where something is uncovered: sRGB 0..1 times how much it covers, and how much it
            covers, 0..1. It is only for the eye: no part of what an edit does to a picture. None where nothing is painted.
        light: ``[B,3,H,W]`` the logarithm of the factor by which the sRGB values of what was sampled, and
            :data:`flow_core.faces.creases.DARK`, change, as in folds of the skin; like ``painted`` only for the eye. None where no
            light changes.
    """

    offset: Tensor
    color: Tensor
    uncovered: Tensor | None = None
    painted: Tensor | None = None
    light: Tensor | None = None


class Flow(Protocol):
    """A field made ready to be asked at any number of points: what has to be done once has been done.

    Attributes:
        colored: whether it changes any colour. Where it does not, the colours of a :class:`Sample` are zero.
        span: side of the square around the middle of the crop beyond which it does nothing, in sides of the crop; above 1 where
            hair goes on beyond the face square.
    """

    colored: bool
    span: float

    def __call__(self, points: Tensor) -> Sample:
        """The edit at crop points ``[B or 1,H,W,2]``, faded out towards the border of the crop."""
        ...

    def times(self, matrix: Tensor) -> Flow:
        """The same with all offsets multiplied by a matrix ``[2,2]``, as from the crop's frame into that of the photo."""
        ...

    def sharp_boxes(self) -> list[tuple[float, float, float, float]]:
        """Boxes (low x, low y, high x, high y) of crop points in which the edit is not smooth: where layers meet."""
        ...


class FlowField(Protocol):
    """An edit of one face or of a batch of faces; immutable, float32.

    Treat its tensors as read-only: fields are shared between the nodes of a graph.

    Attributes:
        kind: name of the representation, as in a file.
        needs_face: whether the field means something on a known face only. Then :meth:`flow` and :meth:`raster` need the crop,
            with its landmarks; a field that does not need it ignores it.
        meta: what made it (prompt, neutral, guide, seed, steps ...); strings and numbers, read-only.
        batch: number of fields.
        size: (height, width) of a raster that can follow the field.
        device: where its tensors are.
    """

    kind: str
    needs_face: bool
    meta: Mapping[str, object]

    @property
    def batch(self) -> int: ...

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def device(self) -> torch.device: ...

    def flow(self, feather: float = FEATHER, crop: Crop | None = None) -> Flow:
        """The edit, ready to be sampled: the one way in which a field is asked what it does.

        Args:
            feather: share of the crop side over which the edit fades out; see :func:`taper`.
            crop: the faces that are edited, batch B or 1.

        Raises:
            FieldError: the field needs a face, and no crop with landmarks was given.
        """
        ...

    def raster(self, size: int | tuple[int, int] | None = None, crop: Crop | None = None) -> Field:
        """The same edit at control points, as a raster or velocity field.

        Args:
            size: of the raster; None = one that can follow the field.
            crop: as in :meth:`flow`; the raster then holds for this face alone.

        Raises:
            FieldError: as :meth:`flow`.
        """
        ...

    def scale(self, shape: float = 1.0, color: float = 1.0) -> Self:
        """Movement times ``shape``, colours times ``color``; 0 switches one off, negative values reverse it."""
        ...

    def select(self, index: int) -> Self:
        """One field of a batch, still with a batch axis."""
        ...

    def to(self, device: torch.device | str) -> Self: ...

    def with_meta(self, **meta: object) -> Self:
        """The same with more metadata, or other ones."""
        ...

    def coefficients(self) -> Tensor:
        """The numbers ``[B,...]`` that make the edit, which may be averaged, as over the frames of a clip."""
        ...

    def with_coefficients(self, values: Tensor) -> FlowField:
        """The same with other :meth:`coefficients`."""
        ...

    def require_finite(self) -> Self:
        """Itself, or :class:`FieldError` where a value is NaN or infinite."""
        ...

    def save(self, path: str | Path) -> Path:
        """Write a file that :func:`flow_core.fields.files.load_field` reads."""
        ...


def taper(points: Tensor, feather: float = FEATHER) -> Tensor:
    """Weight ``[B,H,W]`` of an edit at crop points ``[B,H,W,2]``: 1 inside, smoothly to exactly 0 at the border
    of the crop and beyond, over ``feather`` of its side."""
    edge = torch.minimum(*torch.minimum(points, 1 - points).unbind(-1))  # amin over two values would be slow
    t = (edge / max(feather, 1e-6)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def color_taper(points: Tensor, feather: float = FEATHER) -> Tensor:
    """The same of its colours, over half of ``feather``: hair often reaches the border, and a crown that is not dyed looks grown out."""
    return taper(points, feather / 2)
