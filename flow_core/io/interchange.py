"""Exchanging fields with other programs.

What is written is the result of :meth:`flow_core.fields.base.FlowField.flow`, sampled at the pixel centres of a square raster over
the face square. So any kind of field is exported as plain numbers, and imported as a raster field.

============  =======================================================================================================
``.flo``      Middlebury: float32 u, v in pixels of the raster, u to the right, v down.
``.png``      KITTI 2015: 16-bit RGB, red = 64 u + 32768, green = 64 v + 32768, blue = 1; +-512 px in steps of 1/64 px.
``.exr``      OpenEXR, float32: R = u, G = v in pixels as above; color.R, color.G, color.B = colour shift.
``.npy``      float32 ``[B,5,N,N]``: offset x, y in fractions of the face square's side, then the shift of R, G, B.
ST-map        ``.exr`` (float32) or ``.png`` (16 bit, steps of 1/65535): red = u from left to right, green = v from bottom
              to top, 0..1 over the picture, at pixel centres; where each pixel takes its colour from (Nuke's STMap).
============  =======================================================================================================

**Direction.** FaceFlow warps backward: edited(p) = original(p + offset(p)). The offset is written as it is. As an optical flow,
which tells where the content of one frame is found in another, such a file is the flow *from the edited picture to the
original*; it is not the flow from the original to the edited picture, nor its negative.

Colour shifts are kept by ``.npy`` and ``.exr`` flows only.

**Windows.** The display window of an ``.exr`` is the face square. Where its data window does not cover it, nothing moves: a flow
is 0 there, an ST-map the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..atomic import replacing, require_target
from ..fields.base import FEATHER, FieldError, FlowField
from ..fields.raster import Field
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from .rasters import read_exr, read_flo, read_npy, read_png16, write_exr, write_flo, write_png16

FLOWS = (".flo", ".png", ".exr", ".npy")
ST_MAPS = (".exr", ".png")
LONGEST = 64.0  # sides of the face square; a file with longer offsets was meant for something else
_ROWS = 256  # rows of a large photo that are computed at once


def st_map(field: FlowField, size: int, feather: float = FEATHER, crop: Crop | None = None) -> Tensor:
    """ST-map of the face square: ``[size,size,2]``, u then v, conventions as above. The first of a batch."""
    points = pixel_centers(size, size)
    offset = _sample(field, points, feather, crop)[0]
    return _up(points[0] + offset.permute(0, 2, 3, 1)[0])


def st_map_of_photo(field: FlowField, crop: Crop, feather: float = FEATHER) -> Tensor:
    """ST-map of the whole photo of which ``crop`` is a part: ``[H,W,2]``; outside the face it is the identity. Both of
    batch 1."""
    if crop.batch != 1:
        raise ValueError(f"An ST-map of a photo is made for one face, got {crop.batch}; choose one in Align.")
    crop, (h, w) = crop.to("cpu"), crop.image_size
    size, identity = torch.tensor([w, h]), pixel_centers(h, w)
    out = identity[0].clone()
    for top in range(0, h, _ROWS):
        target = identity[:, top : top + _ROWS]
        offset = _sample(field, crop.to_crop(target * size), feather, crop)[0]
        out[top : top + _ROWS] += crop.vectors_to_image(offset.permute(0, 2, 3, 1))[0] / size
    return _up(out)


def _up(points: Tensor) -> Tensor:
    u, v = points.unbind(-1)
    return torch.stack([u, 1 - v], -1)


def _sample(field: FlowField, points: Tensor, feather: float, crop: Crop | None) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return field.to("cpu").require_finite().flow(feather, crop)(points)[:2]


def require_writable(path: str | Path, st: bool = False) -> Path:
    """The path, if a flow or, with ``st``, an ST-map may be written there; errors as of
    :func:`flow_core.atomic.require_target`."""
    return require_target(path, ST_MAPS if st else FLOWS, "An ST-map" if st else "A flow")


def write(
    field: FlowField,
    path: str | Path,
    size: int = 512,
    st: bool = False,
    crop: Crop | None = None,
    feather: float = FEATHER,
) -> Path:
    """Write a field for other programs; the suffix decides the format (see the table above).

    Args:
        field: of batch 1; ``.npy`` holds a whole batch.
        size: side of the raster in pixels, 2..8192.
        st: an ST-map instead of a flow.
        crop: the face, for fields that need it; with ``st``, the map covers its whole photo, at the photo's size.
        feather: as in :func:`flow_core.warping.warp.warp`, since the file holds the field as it is applied. Use 0, no fading, for a
            field that is to be imported again: FaceFlow fades it out when it is applied.

    Raises:
        ValueError: a suffix, size or batch that does not fit, or offsets too long for the format.
    """
    path = require_writable(path, st)
    suffix = path.suffix.lower()
    if not 2 <= size <= 8192:
        raise ValueError(f"The raster must have 2..8192 pixels a side, got {size}.")
    if field.batch != 1 and suffix != ".npy":
        raise ValueError(f"A {suffix} file holds one field, got {field.batch}; write them one by one, or as .npy.")
    if st:
        values = (st_map(field, size, feather) if crop is None else st_map_of_photo(field, crop, feather)).numpy()
        zero = np.zeros_like(values[..., :1])
        if suffix == ".png":
            write_png16(path, np.round(np.concatenate([values, zero], 2).clip(0, 1) * 65535).astype(np.uint16))
        else:
            write_exr(path, {"R": values[..., 0], "G": values[..., 1], "B": zero[..., 0]})
        return path
    offset, color = _sample(field, pixel_centers(size, size), feather, crop)
    if suffix == ".npy":
        with replacing(path) as partial, partial.open("wb") as file:
            np.save(file, torch.cat([offset, color], 1).numpy())
        return path
    flow, tint = offset[0].permute(1, 2, 0).numpy() * size, color[0].numpy()
    if suffix == ".flo":
        write_flo(path, flow)
    elif suffix == ".exr":
        write_exr(path, {"R": flow[..., 0], "G": flow[..., 1], **{f"color.{c}": tint[i] for i, c in enumerate("RGB")}})
    else:
        if (longest := np.abs(flow).max()) >= 511.9:
            raise ValueError(
                f"Offsets of {longest:.0f} px do not fit into a 16-bit PNG (512 px); choose a smaller raster or .flo."
            )
        write_png16(
            path, np.concatenate([np.round(flow * 64 + 32768), np.ones_like(flow[..., :1])], 2).astype(np.uint16)
        )
    return path


def read(path: str | Path, st: bool = False) -> Field:
    """Read what :func:`write` or another program wrote, over a face square.

    Args:
        st: the file is an ST-map.

    Returns:
        A raster field with as many control points as the file has pixels.

    Raises:
        FieldError: the file is missing, damaged, not square, has unknown pixels, NaN, offsets of more than
            :data:`LONGEST` sides, or another format.
    """
    path, suffix = Path(path), Path(path).suffix.lower()
    if suffix not in (known := ST_MAPS if st else FLOWS):
        raise FieldError(f"Cannot read {'an ST-map' if st else 'a flow'} from {path.name!r}; use {', '.join(known)}.")
    if not path.is_file():
        raise FieldError(f"There is no file at {path}.")
    try:
        values = (_READ_ST if st else _READ)[suffix](path)  # [B,2 or 5,h,w], offsets in fractions
    except MemoryError as e:
        raise FieldError(f"There is not enough memory for {path.name}; make it smaller.") from e
    except (ValueError, OSError) as e:
        raise FieldError(str(e)) from e
    if not np.isfinite(values).all():
        raise FieldError(f"{path.name} holds NaN or infinite values; export it again.")
    h, w = values.shape[2:]
    if h != w or h < 2:
        raise FieldError(f"{path.name} has {w}x{h} pixels; a field lives in the face square, so both must be equal.")
    if (longest := np.abs(values[:, :2]).max()) > LONGEST:
        raise FieldError(
            f"{path.name} moves pixels by up to {longest:.3g} sides of the face square; a field moves by {LONGEST} at most. "
            "Is it a flow in another unit, or an ST-map?"
        )
    values = torch.from_numpy(values.astype(np.float32))
    color = values[:, 2:] if values.shape[1] == 5 else torch.zeros(len(values), 3, h, w)
    return Field(values[:, :2], color, {"source": path.name})


def _read_flo(path: Path) -> np.ndarray:
    flow = read_flo(path)
    if (np.abs(flow) > 1e9).any():  # the format's mark
        raise FieldError(f"{path.name} has pixels of unknown flow; a field needs a value everywhere.")
    return _fractions(flow)


def _read_png(path: Path) -> np.ndarray:
    values = read_png16(path).astype(np.float32)
    if not values[..., 2].all():
        raise FieldError(f"{path.name} has pixels that are marked as invalid; a field needs a value everywhere.")
    return _fractions((values[..., :2] - 32768) / 64)


def _read_exr(path: Path) -> np.ndarray:
    channels = read_exr(path)
    flow = _fractions(np.stack(_pick(path, channels, "R", "G"), -1))
    tint = [channels.get(f"color.{c}") for c in "RGB"]
    return flow if any(t is None for t in tint) else np.concatenate([flow, np.stack(tint)[None]], 1)


def _read_npy(path: Path) -> np.ndarray:
    values = read_npy(path)
    values = values[None] if values.ndim == 3 else values
    if values.ndim != 4 or values.shape[1] != 5 or values.dtype.kind != "f" or 0 in values.shape:
        raise FieldError(
            f"{path.name} holds {values.dtype} {values.shape}; expected floats [B,5,N,N] or [5,N,N]: offset x, y in "
            "fractions of the face square, shift of R, G, B."
        )
    return values


def _st_offset(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    points = np.stack([u, 1 - v])
    return (points - pixel_centers(*u.shape)[0].permute(2, 0, 1).numpy())[None]


def _identity(h: int, w: int) -> dict[str, np.ndarray]:
    """An ST-map ``[h,w]`` that moves nothing."""
    u, v = pixel_centers(h, w)[0].numpy().transpose(2, 0, 1)
    return {"R": u.copy(), "G": 1 - v}


def _fractions(flow: np.ndarray) -> np.ndarray:
    """Pixels ``[h,w,2]`` -> fractions ``[1,2,h,w]``."""
    h, w = flow.shape[:2]
    return (flow / np.array([w, h], np.float32)).transpose(2, 0, 1)[None]


def _pick(path: Path, channels: dict[str, np.ndarray], *names: str) -> list[np.ndarray]:
    if not set(names) <= channels.keys():
        raise FieldError(f"{path.name} lacks the channels {' and '.join(names)}; it has {', '.join(channels)}.")
    return [channels[n] for n in names]


_READ: dict[str, Callable[[Path], np.ndarray]] = {
    ".flo": _read_flo, ".png": _read_png, ".exr": _read_exr, ".npy": _read_npy,
}  # fmt: skip
_READ_ST: dict[str, Callable[[Path], np.ndarray]] = {
    ".exr": lambda path: _st_offset(*_pick(path, read_exr(path, _identity), "R", "G")),
    ".png": lambda path: _st_offset(*np.moveaxis(read_png16(path)[..., :2].astype(np.float32) / 65535, 2, 0)),
}
