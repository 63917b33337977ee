"""How the light on a face changes when its muscles move, or years come and go: folds that come, and folds that go."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ..faces.rig import Rig, load_rig
from ..faces.shading import Shading, shading
from ..geometry.mesh import vertex_normals
from .face import Face, front
from .smooth import smoothstep

# A mean of many faces smears their folds, so that a little more is given back; and no fold is darker than that.
LIGHT, LIGHTEST = 1.5, 0.28
# Lightness of cheeks from where on they gain less, and at which they gain least; and how much less
WHITE, GLARE = (0.68, 0.88), 0.75
GONE = 0.8  # of a unit that relaxes, from which on its folds are gone,
FADED = 0.97  # but for a trace, which a face at rest has too;
TRACE = 0.005  # and up to which nobody sees that they fade
# Controls that add years and take them away; how much of what years do to the light a whole one of them does; and by how much one
# deepens the lines that a face has, or lets them fade; in either direction. And the most that years do to the light
YEARS = {"faceOlder": 1.0, "older": 1.0, "younger": -1.0}
YEARS_LIGHT, YEARS_LINES, DARKEST = (0.75, 0.4), (0.6, 0.75), 0.6
FACING = 0.2, 0.7  # cosines between skin and view, from where on years are seen, and where they are seen as they are


def lit(face: Face, after: Tensor, years: float) -> Tensor:
    """How the light changes at the vertices of a face with units ``after [U]`` and so many ``years`` more (:func:`years_of`), ``[n,1]``; ``[n,2]`` with how far creases fade
    where any do, or deepen, see :class:`flow_core.fields.anatomy.MovedFace`."""
    fitted, table = face.front, _shading(load_rig())
    shown, part = fitted.units[0], fitted.rig
    change = (after - shown) @ table.light.to(shown)
    way = int(years < 0)
    gone = (shown.clamp(min=0) - after.clamp(min=0)).clamp(min=0)
    fading = None
    if face.creases is not None and gone.any():
        fading = ((gone / GONE).clamp(max=1) @ table.creases.to(shown)).clamp(max=FADED)
        # What the picture shows of an expression goes; what a mean of many says of it would go a second time.
        change = change + fading * (gone @ table.light.to(shown))
    light = LIGHTEST * torch.tanh(change * (LIGHT / LIGHTEST))
    if bright := smoothstep(face.lightness, *WHITE):  # skin that is nearly white would glow
        light = torch.where(light > 0, light * (1 - GLARE * bright), light)
    if years:  # less of them where a cheek that turns away from us is all in a few pixels
        seen = years * smoothstep(_normals(part) @ fitted.rotation[0, 2], *FACING)
        light = light + DARKEST * torch.tanh(YEARS_LIGHT[way] * seen * table.years.to(shown) / DARKEST)
        fading = ((0.0 if fading is None else fading) - YEARS_LINES[way] * seen * table.skin.to(shown)).clamp(-1, FADED)
    fades = fading is not None and face.creases is not None and fading.abs().max() > TRACE
    return torch.stack([light, fading] if fades else [light], 1)


def years_of(rig: Rig, controls: Tensor) -> float:
    """How many years controls ``[C]`` add, 1 = old; below 0 they take them away."""
    return sum(share * controls[rig.control_names.index(name)].item() for name, share in YEARS.items())


@functools.lru_cache(maxsize=2)
def _normals(part: Rig) -> Tensor:
    with torch.inference_mode(False):
        return vertex_normals(part.neutral, part.triangles)


@functools.lru_cache(maxsize=1)
def _shading(rig: Rig) -> Shading:
    """How units change the light at the vertices of the front, see :func:`flow_core.fields.face.front`."""
    return shading(rig, front(rig)[1])
