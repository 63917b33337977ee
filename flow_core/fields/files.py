"""Fields from files: which class reads which kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from . import container
from .base import FieldError, FlowField
from .muscles import MusclesField
from .neural import Implicit
from .raster import Field

Reader = Callable[[Mapping[str, Tensor], dict[str, object], str], FlowField]
"""Makes a field of the tensors and the metadata in a file of its kind; the last argument names the file in errors."""

KINDS: dict[str, Reader] = {
    "raster": Field.reader("raster"),
    "velocity": Field.reader("velocity"),
    "implicit": Implicit.from_file,
    "muscles": MusclesField.from_file,
}


def load_field(path: str | Path) -> FlowField:
    """Read a field of any kind, and of this or any older version.

    Raises:
        FieldError: the file is missing, damaged, not a field, or newer than this FaceFlow.
    """
    kind, meta, tensors = container.read(path)
    name = Path(path).name
    if not isinstance(kind, str) or kind not in KINDS:
        raise FieldError(
            f"{name} holds a {str(kind)[:40]!r} field, which this FaceFlow does not know. Update FaceFlow."
        )
    return KINDS[kind](tensors, meta, name).require_finite()
