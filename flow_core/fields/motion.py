"""How the points of a face move, and by which muscles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .base import FieldError
from .face import front_triangles
from .moved import CONTROL_RANGE
from .muscles import MusclesField
from .units import fit_shown, other_side, units_after

if TYPE_CHECKING:
    from ..geometry.crop import Crop


@dataclass(frozen=True)
class Motion:
    """How the points of one face move, and by which muscles.

    Attributes:
        before: ``[N,2]`` crop points of the face's mesh, and
        after: where they go.
        by: ``[N]`` index into ``amounts`` of what moves each point most.
        amounts: names of muscles and shapes, left and right as one where they are alike, and by how much they change on this
            face; what moves most first.
    """

    before: Tensor
    after: Tensor
    by: Tensor
    amounts: tuple[tuple[str, float], ...]


def motion_on(field: MusclesField, crop: Crop, least: float = 0.02) -> Motion:
    """What a field does to the mesh of one face; both of batch 1. Changes of less than ``least`` are left out.

    Raises:
        FieldError: the crop has no landmarks.
    """
    if crop.landmarks is None:
        raise FieldError("The muscles of a face are found by its landmarks: give the crop of FaceFlow Align Face.")
    face = fit_shown(crop.places)
    rig, shown = face.rig, face.units[0]
    units, relax, controls = (v[0].to(rig.device) for v in (field.units, field.relax, field.controls))
    change = units_after(face, crop.places[0], relax, units) - shown
    controls = controls.clamp(-CONTROL_RANGE, CONTROL_RANGE)
    points = front_triangles(rig).unique()
    before = face.project(face.vertices())[0][0, points]
    after = face.project(face.vertices((shown + change)[None], controls[None]))[0][0, points]
    names, values = (*rig.unit_names, *rig.control_names), torch.cat([change, controls])
    moves = torch.cat([rig.units * rig.gain[:, None, None], rig.controls])[:, points]
    groups: dict[str, list[int]] = {}
    for i in (values.abs() >= least).nonzero()[:, 0].tolist():
        both = names[i].removesuffix("Left").removesuffix("Right")
        other = other_side(names[i], names)
        alike = both + "Left" in names and both != names[i] and abs(values[other] - values[i]) < 0.03
        groups.setdefault(both if alike else names[i], []).append(i)
    if not groups:
        return Motion(before, after, torch.zeros(len(points), dtype=torch.long), ())
    far = torch.stack([(values[g][:, None, None] * moves[g]).sum(0).norm(dim=-1) for g in groups.values()])
    order = far.square().mean(1).argsort(descending=True)
    found = [(list(groups)[i], values[list(groups.values())[i][0]].item()) for i in order.tolist()]
    return Motion(before, after, far[order].argmax(0), tuple(found))
