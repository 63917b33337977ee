"""The file format of fields: a safetensors file with its metadata as JSON under the key ``faceflow``.

Every kind of field writes through :func:`write`; :mod:`flow_core.fields.files` knows which class reads which kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from .. import jsons
from ..atomic import require_target, write_bytes
from .base import FieldError

FORMAT = "faceflow.field"
VERSION = 1
_LONGEST_HEADER = 1 << 24  # bytes

# version n -> n+1; grows when the format does, so that no saved edit is ever lost
_UPGRADES: dict[int, Callable[[dict, dict], tuple[dict, dict]]] = {}


def write(path: str | Path, meta: Mapping[str, object], kind: str, tensors: Mapping[str, Tensor]) -> Path:
    """Write a field's file; of the format's own keys in ``meta`` none survives."""
    from safetensors.torch import save

    path = require_field_target(path)
    header = {**meta, "format": FORMAT, "version": VERSION, "kind": kind}
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    write_bytes(path, save(plain, metadata={"faceflow": json.dumps(header)}))
    return path


def require_field_target(path: str | Path, suffixes: tuple[str, ...] = ()) -> Path:
    """The path, if a field may be saved there: a field replaces fields, never a picture or anybody's weights.

    Raises:
        FieldError: something else is there.
        ValueError, PermissionError: as :func:`flow_core.atomic.require_target`.
    """
    path = require_target(path, suffixes, "A field")
    if path.exists() and path.stat().st_size and not is_field(path):
        raise FieldError(f"{path} is there already and is no FaceFlow field, so it is kept; choose another name.")
    return path


def is_field(path: str | Path) -> bool:
    """Whether a file says in its header that it is a FaceFlow field; of any version, and complete or not."""
    try:
        with Path(path).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = jsons.loads(file.read(length)) if length < _LONGEST_HEADER else {}
        return jsons.loads(header["__metadata__"]["faceflow"])["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read(path: str | Path) -> tuple[object, dict[str, object], dict[str, Tensor]]:
    """Read a field's file of this or any older version: its kind, its metadata and its tensors.

    Raises:
        FieldError: the file is missing, damaged, not a field, or newer than this FaceFlow.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FieldError(
            f"There is no field at {path}. Save one with FaceFlow Save Field or `faceflow edit --save-field`."
        )
    try:
        with safe_open(str(path), "pt") as f:
            header = jsons.loads((f.metadata() or {}).get("faceflow", "null"))
            tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, ValueError, OSError) as e:
        raise FieldError(f"{path.name} is damaged or not a safetensors file ({e}); save or copy it again.") from e
    if not isinstance(header, dict) or header.pop("format", None) != FORMAT:
        raise FieldError(f"{path.name} is a safetensors file, but not a FaceFlow field; pick one saved by FaceFlow.")
    version = header.pop("version", 0)
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise FieldError(
            f"{path.name} has field version {version}; this FaceFlow reads 1 to {VERSION}. Update FaceFlow."
        )
    for v in range(version, VERSION):
        header, tensors = _UPGRADES[v](header, tensors)
    return header.pop("kind", None), header, tensors
