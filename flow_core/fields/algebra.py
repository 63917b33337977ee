"""Arithmetic of edits: mix, compose, invert, mirror, mask, and carry over to another face.

Fields of all kinds may be mixed. What combines several is a velocity field as soon as one of them is, so that it cannot fold;
neural fields count as velocities. All hold with the default feather, and with other ones nearly.

Muscles fields stay muscles, good for any face, wherever the operation means something for muscles; what other fields add to
them is kept as their :attr:`~flow_core.fields.muscles.MusclesField.rest`. Where it does not they become rasters for the face of
``crop``, which cannot hold what an edit uncovers:

============  ==========================================================================================================
mix           the sum of the contractions; another field goes into the rest
compose       two muscles fields: the second works on the face that the first has made; else a raster
invert        a raster: a face that has been changed does not say what it was
opposite      the muscles that pull the other way; what was relaxed is exaggerated instead
mirror        left and right change places
mask          by region: the muscles of that region alone; by a painted mask: a raster
transfer      the field itself: on another face it is that face's own expression
============  ==========================================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..faces.regions import region_mask
from ..geometry.grid import nodes, pixel_centers
from ..geometry.sampling import between_nodes
from .base import FEATHER, FieldError, FlowField, color_taper
from .exponential import blur
from .muscles import MusclesField, only_of, times_tints, untinted
from .raster import Field
from .velocity import to_velocity, without_taper

if TYPE_CHECKING:
    from ..geometry.crop import Crop

_LATTICE = 256  # cells of the raster on which maps are composed and inverted
_MASK = 96  # control points that a mask's outline needs
_STIFF = 0.02  # how far landmarks may be missed when one face is laid over another, against bending


def mix(
    fields: Sequence[FlowField],
    weights: Sequence[float],
    color_weights: Sequence[float] | None = None,
) -> FlowField:
    """Weighted sum of edits; of velocities, with weights that add up to 1, the log-Euclidean mean.

    With a muscles field among them the sum is one: contractions, relaxed shares and shapes add up, and all other fields
    are its rest.

    Args:
        fields: one or more; batches 1 or B; different rasters meet at the finest.
        weights: of the movement.
        color_weights: of the colour; None = the same.

    Raises:
        FieldError: numbers of fields and weights differ, or batches do not fit.
    """
    color_weights = weights if color_weights is None else color_weights
    if not fields or not len(fields) == len(weights) == len(color_weights):
        raise FieldError(f"{len(fields)} fields need as many weights, got {len(weights)} and {len(color_weights)}.")
    if any(isinstance(f, MusclesField) for f in fields):
        return _mix_muscles(fields, weights, color_weights)
    parts = _alike(fields, None)
    offset = sum(w * f.offset for f, w in zip(parts, weights, strict=True))
    color = sum(w * f.color for f, w in zip(parts, color_weights, strict=True))
    return Field(offset, color, _said(parts, weights), parts[0].kind, parts[0].span)


def _mix_muscles(fields: Sequence[FlowField], weights: Sequence[float], color_weights: Sequence[float]) -> MusclesField:
    batch = _common_batch(fields)
    device = fields[0].device
    parts = [(f, w, c) for f, w, c in zip(fields, weights, color_weights, strict=True) if isinstance(f, MusclesField)]
    total = sum(f.to(device).scale(w).coefficients() for f, w, _ in parts).expand(batch, -1)
    rests = [
        (f.rest if isinstance(f, MusclesField) else f, w, c)
        for f, w, c in zip(fields, weights, color_weights, strict=True)
    ]
    rests = [r for r in rests if r[0] is not None]
    rest = _repeated(mix(*zip(*rests, strict=True)), batch).to(device) if rests else None
    made = MusclesField.zeros(batch).to(device).with_coefficients(total)
    return replace(made, rest=rest, meta=_said(fields, weights) | _tinted(fields, color_weights))


def _said(parts: Sequence[FlowField], weights: Sequence[float]) -> dict[str, object]:
    prompts = [f"{f.meta['prompt']} x {w:g}" for f, w in zip(parts, weights, strict=True) if f.meta.get("prompt")]
    return {"prompt": " + ".join(prompts)} if len(parts) > 1 else untinted(parts[0].meta)


def _tinted(parts: Sequence[FlowField], weights: Sequence[float]) -> dict[str, object]:
    """The names of colours for a sum of fields; where more than one has colours or moves freely, the sum of their rasters alone remains."""
    having = [
        (f, w) for f, w in zip(parts, weights, strict=True) if not isinstance(f, MusclesField) or f.rest is not None
    ]
    if len(having) != 1 or not isinstance(having[0][0], MusclesField):
        return {}
    return times_tints(having[0][0].meta, having[0][1])


def compose(first: FlowField, second: FlowField, crop: Crop | None = None) -> FlowField:
    """The edit that does ``first`` and then ``second``: ``I(p + o2 + o1(p + o2)) + c1(p + o2) + c2`` for backward warps.

    Of velocities it is the velocity nearest to it. Of two muscles fields it is the one that contracts and relaxes in this
    order: what ``second`` relaxes it takes from ``first`` too. A muscles field and another one become a raster on ``crop``.
    """
    if isinstance(first, MusclesField) and isinstance(second, MusclesField):
        return _compose_muscles(first, second)
    a, b = _alike([first, second], crop)
    points = nodes(_LATTICE, a.device)
    offset, color, *_ = b.flow()(points)
    between = points + offset.movedim(1, -1)
    moved, tint, *_ = a.flow()(between)
    made = _from_nodes(offset + moved, color + tint, replace(a, meta=_said([a, b], [1, 1])))
    return to_velocity(made) if a.kind == "velocity" else made


def _compose_muscles(first: MusclesField, second: MusclesField) -> MusclesField:
    batch, second = _common_batch([first, second]), second.to(first.device)
    kept = (1 - second.relax).clamp(0, 2)
    rests = [r for r in (first.rest, second.rest) if r is not None]
    if len(rests) == 2 and not any(r.offset.any() for r in rests):
        rest = mix(rests, [1.0, 1.0])  # colours alone add up, those of hair beyond the face square too
    else:
        rest = compose(*rests) if len(rests) == 2 else rests[0] if rests else None
    total = [
        first.units * kept + second.units,
        1 - (1 - first.relax).clamp(0, 2) * kept,
        first.controls + second.controls,
    ]
    units, relax, controls = (v.expand(batch, -1) for v in total)
    both = [first, second]
    return MusclesField(units, relax, controls, _repeated(rest, batch), _said(both, [1, 1]) | _tinted(both, [1, 1]))


def invert(field: FlowField, crop: Crop | None = None) -> Field:
    """The edit that undoes another: ``I(q) = E(q + u) - c(q + u)`` with ``u`` the inverse displacement.

    The inverse of a velocity field is that of the opposite velocity. Offsets are inverted by the fixed point
    ``u <- -o(p + u)`` (Chen et al., A simple fixed-point approach to invert a deformation field, Medical Physics 2008),
    as well as they can be where they fold.
    """
    if field.needs_face and crop is None:
        raise FieldError(
            "Only the face itself says what undoes a muscles field on it: give its crop. The other way without a face is "
            "the opposite."
        )
    field = field.raster(crop=crop)
    points = nodes(_LATTICE, field.device)
    if field.kind == "velocity":
        back = field.scale(-1.0, 0.0).flow()(points).offset
    else:
        there = field.flow()(points).offset
        back = -there
        for _ in range(30):
            back = (back - between_nodes(there, points + back.movedim(1, -1))) / 2  # half steps converge up to folds
    color = -field.flow()(points + back.movedim(1, -1)).color
    made = _from_nodes(back, color, field)
    return replace(made, offset=-field.offset, kind="velocity") if field.kind == "velocity" else made


def opposite(field: FlowField) -> FlowField:
    """The movement and the colour the other way: a frown for a smile. Not the same as to undo it. Of muscles, those that pull the
    other way contract, and what was relaxed is exaggerated."""
    return field.scale(-1.0, -1.0)


def mirror(field: FlowField) -> FlowField:
    """Left and right exchanged."""
    if isinstance(field, MusclesField):
        return field.mirrored()
    field = field.raster()
    sign = field.offset.new_tensor([-1.0, 1.0])[:, None, None]
    return replace(field, offset=field.offset.flip(-1) * sign, color=field.color.flip(-1))


def mask(field: FlowField, mask: Tensor, feather: float = 0.0, crop: Crop | None = None) -> Field:
    """The edit within a part of the face alone; a velocity is masked before it is integrated and still cannot fold.

    Args:
        mask: ``[B or 1,1,h,w]`` in 0..1 over the crop frame, for instance from
            :func:`flow_core.faces.regions.region_mask`.
        feather: width of a soft border in fractions of the crop side.
        crop: the face, for fields that need it.

    Raises:
        FieldError: the mask has another shape, or does not fit the batch.
    """
    field = field.raster(crop=crop)
    if mask.ndim != 4 or mask.shape[1] != 1 or (len(mask) != 1 and field.batch not in (1, len(mask))):
        raise FieldError(f"A mask of shape [{field.batch} or 1,1,h,w] is needed, got {tuple(mask.shape)}.")
    mask = mask.to(field.device).float()
    if feather > 0:
        mask = blur(mask, feather * mask.shape[-1] / 2)
    if (mask == mask[:1, :, :1, :1]).all():  # the same everywhere: nothing needs a finer raster
        weight = mask[:1, :, :1, :1]
    else:
        field = field.spanning(
            1.0, tuple(max(n, min(m, _MASK)) for n, m in zip(field.size, mask.shape[2:], strict=True))
        )
        weight = torch.nn.functional.interpolate(
            mask, field.size, mode="bilinear", antialias=True, align_corners=False
        ).clamp(0, 1)
    return replace(field, offset=field.offset * weight, color=field.color * weight)


def mask_region(
    field: FlowField,
    crop: Crop,
    region: str | None = None,
    picture_mask: Tensor | None = None,
    feather: float = 0.0,
    outside: bool = False,
) -> FlowField:
    """The edit within a region of a face, where a mask of the picture lets it be: :func:`mask` with :func:`crop_mask`.

    Of a muscles field that is masked by a region alone, the muscles and shapes of this region remain
    (:data:`flow_core.fields.muscles.REGIONS`): the result is a muscles field, nothing is cut, ``feather`` concerns its rest
    alone, and it holds for every face. A mask of the picture makes a raster for this face, without what the edit uncovers;
    the mask of :func:`flow_core.warping.warp.warp` keeps that.

    Args:
        region: one of :data:`flow_core.faces.regions.REGIONS`; None = everywhere.
        picture_mask: ``[B or 1,H,W]`` of the picture's size.
        feather: as in :func:`mask`.
        outside: everything but the region or mask.
    """
    where = crop_mask(crop, region, picture_mask)
    where = 1 - where if outside else where
    if not isinstance(field, MusclesField) or picture_mask is not None:
        return mask(field, where, feather, crop)
    made = only_of(field, region or "all", outside)
    return made if made.rest is None else _with_rest(made, mask(made.rest, where, feather))


def crop_mask(crop: Crop, region: str | None = None, picture_mask: Tensor | None = None, size: int = 256) -> Tensor:
    """Mask ``[B,1,size,size]`` over the crop frame: a region of the face, where a mask of the picture lets it be.

    Args:
        region: one of :data:`flow_core.faces.regions.REGIONS`; None = everywhere.
        picture_mask: ``[B or 1,H,W]`` of the picture's size.
    """
    where = torch.ones(crop.batch, 1, size, size) if region is None else region_mask(crop.places, region, size).cpu()
    if picture_mask is not None:
        if picture_mask.ndim != 3 or len(picture_mask) not in (1, crop.batch):
            raise FieldError(f"A mask [{crop.batch} or 1,H,W] is needed, got {tuple(picture_mask.shape)}.")
        where = where * crop.to("cpu").aligned(picture_mask[:, None].cpu().float(), size)
    return where


def transfer(field: FlowField, source: Tensor, target: Tensor) -> FlowField:
    """The edit of one face on another: what moved the mouth moves the mouth, wherever it is and however wide.

    A smoothing thin-plate spline (Bookstein, Principal warps, 1989; Wahba, Spline models, 1990) takes points of the target's
    crop frame to the source's. Vectors are turned and scaled by the similarity next to its Jacobian.

    Args:
        field: made for the source.
        source: its landmarks ``[B or 1,N,2]`` in crop points.
        target: those of the other face, likewise.

    Returns:
        A field of the same kind, whose raster has at least 48 control points along each side; a field that needs a face is
        another movement on each face by itself, and is returned as it is.
    """
    if field.needs_face:
        return field
    if source.shape[1:] != target.shape[1:] or source.ndim != 3 or source.shape[-1] != 2:
        raise FieldError(
            f"The landmarks of both faces must be [B,N,2], got {tuple(source.shape)} and {tuple(target.shape)}."
        )
    field = field.raster()
    field = field.spanning(1.0, field.size)
    size = tuple(max(n, 48) for n in field.size)
    points = pixel_centers(*size, field.device)
    step = 0.5 / max(size)
    shifts = points.new_tensor([[0, 0], [-step, 0], [step, 0], [0, -step], [0, step]])
    where = thin_plate(target.to(points), source.to(points), torch.cat([points + s for s in shifts], 1))
    middle, left, right, up, down = where.chunk(5, 1)
    dx, dy = (right - left) / (2 * step), (down - up) / (2 * step)
    # a + ib, the similarity nearest to the Jacobian; vectors go the other way, from the source to the target
    a, b = (dx[..., 0] + dy[..., 1]) / 2, (dx[..., 1] - dy[..., 0]) / 2
    square = (a * a + b * b).clamp(min=0.16, max=6.25)
    offset, color = field.sample(middle)
    x, y = offset.unbind(1)
    offset = torch.stack([(a * x + b * y) / square, (a * y - b * x) / square], 1)
    return replace(field, offset=offset, color=color.expand(len(offset), -1, -1, -1))


def thin_plate(landmarks: Tensor, values: Tensor, points: Tensor) -> Tensor:
    """Smoothing thin-plate spline ``[B,H,W,2]`` at ``points [1,H,W,2]`` with ``values [B,N,2]`` at ``landmarks [B,N,2]``."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        square = torch.cdist(a, b).square()
        return torch.where(square > 0, square * square.clamp(min=1e-20).log() / 2, 0.0)

    batch = max(len(landmarks), len(values))
    landmarks, values = landmarks.double().expand(batch, -1, -1), values.double().expand(batch, -1, -1)
    count = landmarks.shape[1]
    affine = torch.cat([torch.ones_like(landmarks[..., :1]), landmarks], -1)
    stiff = kernel(landmarks, landmarks) + _STIFF * torch.eye(count, dtype=torch.double, device=landmarks.device)
    top = torch.cat([stiff, affine], -1)
    bottom = torch.cat([affine.mT, affine.new_zeros(batch, 3, 3)], -1)
    known = torch.cat([values, values.new_zeros(batch, 3, 2)], 1)
    solution = torch.linalg.solve(torch.cat([top, bottom], 1), known)
    at = points.double().flatten(1, 2).expand(batch, -1, -1)
    bent = kernel(at, landmarks) @ solution[:, :count]
    flat = torch.cat([torch.ones_like(at[..., :1]), at], -1) @ solution[:, count:]
    return (bent + flat).unflatten(1, points.shape[1:3]).float()


def _common_batch(fields: Sequence[FlowField]) -> int:
    batch = max(f.batch for f in fields)
    if any(f.batch not in (1, batch) for f in fields):
        raise FieldError(
            f"Fields for {' and '.join(str(f.batch) for f in fields)} faces do not fit; give 1 or {batch} each."
        )
    return batch


def _repeated(field: Field | None, batch: int) -> Field | None:
    """For as many faces; one field may stand for all."""
    if field is None or field.batch == batch:
        return field
    return replace(field, offset=field.offset.expand(batch, -1, -1, -1), color=field.color.expand(batch, -1, -1, -1))


def _with_rest(field: MusclesField, rest: Field) -> MusclesField:
    """With another rest, which may hold for more faces."""
    values = field.coefficients().expand(rest.batch, -1)
    return replace(replace(field, rest=None).with_coefficients(values), rest=rest, meta=untinted(field.meta))


def _alike(fields: Sequence[FlowField], crop: Crop | None) -> list[Field]:
    """Fields of one kind and batch, on the finest of their rasters, on the device of the first."""
    parts = [f.raster(crop=crop).to(fields[0].device) for f in fields]
    batch = _common_batch(parts)
    if any(f.kind == "velocity" for f in parts):
        parts = [to_velocity(f) for f in parts]
    span = max(f.span for f in parts)
    size = tuple(max(math.ceil(f.size[i] * span / f.span) for f in parts) for i in (0, 1))
    parts = [f.spanning(span, size) for f in parts]
    return [_repeated(f, batch) for f in parts]


def _from_nodes(moved: Tensor, color: Tensor, like: Field) -> Field:
    """The offset field whose tapered rasters are ``moved`` and ``color`` on :func:`nodes`."""
    points = pixel_centers(*like.size, like.device)
    weight = color_taper(points)[:, None]
    offset, tint = between_nodes(torch.cat([moved, color], 1), points).split((2, 3), 1)
    tint = torch.where(weight > 1e-3, tint / weight.clamp(min=1e-3), 0.0)
    return Field(without_taper(offset, points, offset, FEATHER), tint, like.meta)


__all__ = [
    "compose",
    "crop_mask",
    "invert",
    "mask",
    "mask_region",
    "mirror",
    "mix",
    "opposite",
    "thin_plate",
    "transfer",
]
