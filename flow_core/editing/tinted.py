"""Colours that a prompt names stay named in the field: where lips, hair or irises are is found anew on each face, and in each frame of a clip, that an
edit is put on. What is kept beside the names is the raster of the face that it was made for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..faces.landmarks import located
from ..fields.base import FieldError, FlowField
from ..fields.muscles import TINTS, MusclesField
from ..fields.raster import Field
from ..geometry.crop import Crop
from .gates import COLOR_REGIONS, Gates
from .painting import COLOR_LIMIT, RegionColors, color_span, raster_side, seen_part
from .tints import Tint


def with_tints(field: MusclesField, tints: Sequence[Mapping[str, Tint]], amount: float = 1.0) -> MusclesField:
    """A field whose rest is nothing but the raster of the colours ``tints`` of its faces, ``amount`` times as far; it says so in its metadata."""
    faces = [
        {name: [round(v, 4) for v in (*tint.lab, amount * tint.amount)] for name, tint in mine.items()}
        for mine in tints
    ]
    return field.with_meta(**{TINTS: {"times": 1.0, "faces": faces}})


def tints_of(field: FlowField) -> tuple[list[dict[str, Tint]], float]:
    """The colours that a field names, for each of its faces or one for all, and what their raster is multiplied by; an empty list where there are none.

    Raises:
        FieldError: its metadata are no such colours.
    """
    said = field.meta.get(TINTS)
    if said is None or not isinstance(field, MusclesField) or field.rest is None:
        return [], 1.0
    try:
        times, faces = float(said["times"]), []
        for named in said["faces"]:
            rows = {str(name): [float(v) for v in row] for name, row in named.items()}
            if not all(name in COLOR_REGIONS and len(row) == 4 for name, row in rows.items()):
                raise ValueError
            faces.append({name: Tint((row[0], row[1], row[2]), row[3]) for name, row in rows.items()})
        numbers = [times, *(v for mine in faces for tint in mine.values() for v in (*tint.lab, tint.amount))]
        if len(faces) not in (1, field.batch) or not all(map(math.isfinite, numbers)):
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise FieldError(
            "The field names colours that this FaceFlow does not know; make it again, or update."
        ) from None
    return faces, times


def regions_of(field: FlowField) -> list[str]:
    """The regions whose colours a field names."""
    named = {name for mine in tints_of(field)[0] for name in mine}
    return [name for name in COLOR_REGIONS if name in named]


def painted_on(field: FlowField, image: Tensor, crop: Crop) -> FlowField:
    """A field with the colours that it names where they belong on the faces of a crop; others as they are.

    Args:
        field: of one face, or as many as the crop has.
        image: pictures ``[P,C,H,W]`` with 1, 3 or 4 channels.
        crop: B faces in them; those of one picture are looked for in all, as in :func:`flow_core.warping.warp.warp`.

    Returns:
        A field for each face, if there are colours to be found.
    """
    (tints, _), regions = tints_of(field), regions_of(field)
    if not regions or not crop.batch:
        return field
    rgb = image[:, :3].expand(-1, 3, -1, -1)
    every = located(rgb, crop.for_pictures(len(rgb)) if len(rgb) > 1 else crop)
    if field.batch not in (1, crop.batch, every.batch):
        return field  # which does not fit, as is said when it is applied
    span = color_span(regions, every, rgb)
    wide, side = every.widen(span), round(span * raster_side(regions))
    made = []
    for i, of in enumerate(every.of_picture):  # one by one: in large squares many faces at once would take much memory
        one, picture = wide.select(i), rgb[of : of + 1] if len(rgb) > 1 else rgb
        place = every.places[i : i + 1]
        within = seen_part(one, side, span, regions)
        made.append(painted_in(field.select(i % field.batch), one.aligned(picture, side), place, span, within))
    if len(made) == 1:
        return made[0]
    size = max(m.rest.size for m in made)  # hair takes a finer one
    values = torch.cat([m.coefficients() for m in made])
    color = torch.cat([m.rest.spanning(span, size).color for m in made])
    faces = [field.meta[TINTS]["faces"][i % len(tints)] for i in range(len(made))]
    rest = Field(color.new_zeros(len(color), 2, *size), color, span=span)
    joined = replace(field, rest=None, meta={**field.meta, TINTS: {**field.meta[TINTS], "faces": faces}})
    return replace(joined.with_coefficients(values), rest=rest, meta=joined.meta)


@torch.no_grad()
def painted_in(
    field: MusclesField, aligned: Tensor, landmarks: Tensor, span: float, within: Tensor | None
) -> MusclesField:
    """:func:`painted_on` one face, for a field of batch 1, in a square ``aligned [1,3,S,S]`` that is ``span`` times as wide as the face square, with
    ``landmarks [1,161,2]`` and ``within`` as in :class:`flow_core.editing.painting.RegionColors`."""
    (tints, times), regions = tints_of(field), regions_of(field)
    if not regions:
        return field
    gates = Gates({}, {name: float(name in regions) for name in COLOR_REGIONS})
    colors = RegionColors([gates], tints, landmarks, aligned, (2, 2), COLOR_LIMIT, 1.0, span, within)
    raster = times * colors.raster().to(field.device)
    return replace(field, rest=Field(raster.new_zeros(1, 2, *raster.shape[2:]), raster, span=span))
