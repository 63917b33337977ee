"""Optimising a muscles field: the amounts of face units and shape controls on fitted faces.

An edit starts from what the prompt names (:mod:`flow_core.editing.named`). From there each step follows the natural gradient
(Amari, Natural gradient works efficiently in learning, 1998), whose metric is the covariance of units over real faces. So it
goes along mixtures of muscles that faces make, and no muscle needs a step length of its own.

The mesh is rasterised without a gradient. The gradient enters by ``offset - sum(w (q - q_0))`` with ``w`` the barycentric
weights, ``q`` the moved vertices and ``q_0`` those that were rasterised. This is exact to first order, and muscles move little
in a step, so one raster serves for many steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from ..faces.fit import FittedFace
from ..faces.hair import middle
from ..fields.algebra import mix
from ..fields.base import FEATHER, FlowField, Sample, color_taper, taper
from ..fields.face import Face, front, front_triangles
from ..fields.moved import moved_face
from ..fields.muscles import MusclesField, untinted
from ..fields.raster import Field
from ..fields.units import MOST, fit_shown
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..geometry.mesh import rasterise
from ..geometry.sampling import grid_of, interpolate, sample_grid
from ..guides.guide import Guide
from ..guides.prompts import Prompt
from . import losses
from .gates import open_gates
from .named import covariance, named
from .objective import Edit
from .painting import COLOR_LIMIT, RegionColors, color_span, colored, raster_side
from .parameters import COLOR_RATE, NAMED_AT
from .tinted import with_tints
from .tints import named_tints
from .views import Faces

LATTICE = 128  # pixels a side of the raster in which the mesh is rasterised: a little finer than a guide's views
KEPT = 0.05  # a raster is made anew once a unit or control has changed by more
STEPS = 6  # steps of the natural gradient, at most
LENGTH = 0.73  # length of all steps together at full pull, in standard deviations of real faces


class MuscleParameters:
    """Units, shapes and colours of B faces; see :class:`flow_core.editing.parameters.Parameters`.

    Args:
        field: where to start, batch 1 or B.
        faces: B of them.
        guide: tells what each prompt names.
        prompts: one for each face.
        lr: step length of colours.
        color_limit: largest colour offset; 0 = no colours.
        margin: how far an edit goes, see :class:`flow_core.editing.optimize.Settings`, with ``preserve`` taken into account.
    """

    def __init__(
        self, field: MusclesField, faces: Faces, guide: Guide, prompts: Sequence[Prompt], lr: float, color_limit: float,
        margin: float,
    ) -> None:  # fmt: skip
        device, batch = faces.aligned.device, faces.batch
        self.places, self.fitted = faces.landmarks, fit_shown(faces.landmarks)
        self.lattice = pixel_centers(LATTICE, LATTICE, device)
        self.weight = taper(self.lattice, FEATHER)[:, None]
        asked = {p: named(guide, p) for p in dict.fromkeys(prompts)}
        self.colors: RegionColors | None = None
        if color_limit > 0:
            self._find_colors(faces, guide, prompts, color_limit, margin)
        self.note = "" if self.colors is None else self.colors.note
        self.sought = self.colors.shifts.requires_grad_() if self.colors is not None and self.colors.sought else None
        start = torch.cat([asked[p].field.coefficients() for p in prompts]).to(device)
        if field.meta.get("prompt") == " / ".join(dict.fromkeys(map(str, prompts))):
            start = torch.zeros_like(start)  # the field was made for this prompt, so it has what that names already
        self.field = _started(field, margin / NAMED_AT * start)
        self.change = torch.zeros(  # of units and controls, since the raster was made
            batch, self.field.units.shape[1] + self.field.controls.shape[1], device=device, requires_grad=True
        )
        self.metric = torch.stack([covariance(asked[p].expression, asked[p].shape) for p in prompts]).to(device)
        self.moves = bool(self.metric.any() or start.any())
        self.chosen = self.metric.any(0).any(0).nonzero()[:, 0]  # [K] units and controls that may change
        self.ways = [ways(self.fitted.select(i), self.chosen) for i in range(batch)]
        self.full: Tensor | None = None  # [B] length of the gradient at full pull
        self.lr = lr
        self.momentum = None
        self.fineness = LATTICE
        # colours that are sought take more and smaller steps; named ones are there from the start
        self.most_steps = None if self.sought is not None else STEPS if self.moves else 1
        self.at: list[Rasterised | None] = [None] * batch

    def _find_colors(
        self, faces: Faces, guide: Guide, prompts: Sequence[Prompt], color_limit: float, margin: float
    ) -> None:
        """Find the regions that the prompts want to be painted, if there are any."""
        gates = {p: open_gates(guide, p) for p in dict.fromkeys(prompts)}
        if not any(g.color > 0 for g in gates.values()):
            return
        tints = {p: named_tints(guide, p, gates[p]) for p in gates}
        regions = colored(list(gates.values()))
        span = 1.0 if faces.photo is None else color_span(regions, faces.photo[1], faces.photo[0])
        picture, within = faces.closer(raster_side(regions), span)
        self.tints = [tints[p] for p in prompts], margin / NAMED_AT
        self.colors = RegionColors(
            [gates[p] for p in prompts], self.tints[0], faces.landmarks, picture, (2, 2), color_limit, self.tints[1], span, within
        )  # fmt: skip

    def edit(self) -> Edit:
        for i, kept in enumerate(self.at):
            if kept is None:
                self.at[i] = rasterised(
                    self.fitted.select(i), self.places[i], self.field.select(i), self.lattice, self.weight
                )
        moved = torch.cat([self._skin(i, self.change[i]) for i in range(len(self.places))])
        offset = torch.cat([at.offset for at in self.at]) + moved
        dark = torch.cat([at.dark for at in self.at])
        color = None
        if self.colors is not None:  # of the middle, as views see little beyond the face square
            color = middle(self.colors.raster(), self.colors.span)
        return Edit(Lattice(offset, dark, color, self.field.rest), colors=self.sought)

    def _skin(self, i: int, change: Tensor) -> Tensor:
        """Offsets ``[1,2,n,n]`` that a change ``[U+C]`` of face ``i`` adds to its raster, to first order."""
        shift = change[self.chosen] @ self.ways[i]
        return carried(shift.view(-1, 2), self.at[i])

    def unit_gain(self, gain: Tensor) -> Tensor:
        found, full = [], []
        free = self.change if self.moves else self.sought
        if free is None:  # nothing may change, so nothing pulls
            return gain.detach().new_full(gain.shape, torch.inf).clamp(max=1e6)
        for k in range(gain.shape[1]):
            (slope,) = torch.autograd.grad(gain[:, k].sum(), free, retain_graph=k + 1 < gain.shape[1])
            if not self.moves:
                way = slope * losses.COLOR_UNIT
                steepest = way.flatten(1).square().sum(1)
                found.append(
                    steepest
                    / losses.rms_change(slope.new_zeros(len(slope), 2, 2, 2), way * losses.COLOR_UNIT).clamp(min=1e-9)
                )
                continue
            way = (self.metric @ slope[..., None])[..., 0]
            with torch.no_grad():
                moved = torch.cat([self._skin(i, w) for i, w in enumerate(way)])
            unit = ((slope * way).sum(1) / losses.rms_change(moved).clamp(min=1e-9)).clamp(min=1e-9)
            found.append(unit)
            full.append((slope * way).sum(1).clamp(min=0).sqrt() / unit)
        if full:
            self.full = torch.stack(full, 1).amax(1).detach()
        return torch.stack(found, 1)

    def step(self, loss: Tensor, rate: float, pace: Tensor) -> None:
        free = [p for p in (self.change, self.sought) if p is not None]
        slopes = torch.autograd.grad(loss, free, allow_unused=True)
        with torch.no_grad():
            if self.moves and slopes[0] is not None:
                way = -(self.metric @ slopes[0][..., None])[..., 0]
                length = (slopes[0] * -way).sum(1).clamp(min=0).sqrt() * len(way)  # the loss is a mean over faces
                pull = (length / self.full.clamp(min=1e-9)).clamp(max=1)
                delta = way * (LENGTH / STEPS * pull * pace.to(way) / (length / len(way)).clamp(min=1e-9))[:, None]
                self._move(self._within(delta))
            if self.sought is not None and slopes[1] is not None:
                way = slopes[1] / slopes[1].norm(dim=2, keepdim=True).clamp(min=1e-9)
                self.momentum = 0.2 * way if self.momentum is None else 0.8 * self.momentum + 0.2 * way
                self.sought -= self.lr * COLOR_RATE * rate * pace.to(way)[:, None, None] * self.momentum

    def _move(self, after: Tensor) -> None:
        """Set the coefficients, and drop the rasters of faces that have moved far since theirs was made."""
        moved = after - self.field.coefficients()
        self.field = self.field.with_coefficients(after)
        count = self.field.units.shape[1]
        self.change += torch.cat([moved[:, :count], moved[:, 2 * count :]], 1)
        far = self.change.abs().amax(1) > KEPT
        self.change.masked_fill_(far[:, None], 0.0)
        self.at = [None if gone else kept for kept, gone in zip(self.at, far.tolist(), strict=True)]

    def _within(self, delta: Tensor) -> Tensor:
        """The coefficients after a step ``delta [B,U+C]``, within what faces can do."""
        f, count = self.field, self.field.units.shape[1]
        shown = self.fitted.units * (1 - f.relax).clamp(0, 2)
        change = delta[:, :count]
        after = torch.maximum((shown + f.units + change).clamp(max=MOST), shown.clamp(max=0))
        units = torch.where(change == 0, f.units, after - shown)
        return torch.cat([units, f.relax, f.controls + delta[:, count:]], 1)

    @torch.no_grad()
    def snapshot(self) -> tuple[FlowField, Callable[[FlowField], FlowField]]:
        field = self.field
        if self.colors is not None:
            color = self.colors.raster()
            rest = Field(color.new_zeros(len(color), 2, *color.shape[2:]), color, span=self.colors.span)
            if field.rest is not None:
                rest = mix([field.rest, rest], [1.0, 1.0])
            named = field.rest is None and not self.colors.sought and self.colors.limit == COLOR_LIMIT
            field = replace(field, rest=rest, meta=untinted(field.meta))
            field = with_tints(field, *self.tints) if named else field
        return field, lambda same: same


def _started(field: MusclesField, start: Tensor) -> MusclesField:
    """``field`` (batch 1 or B) with ``start [B,2U+C]`` added to its coefficients."""
    batch, device = len(start), start.device
    begin = field.coefficients().to(device).expand(batch, -1)
    made = MusclesField.of(*[{}] * batch).to(device).with_coefficients(begin + start)
    rest = None if field.rest is None else field.rest.to(device)
    if rest is not None and rest.batch != batch:
        rest = replace(rest, offset=rest.offset.expand(batch, -1, -1, -1), color=rest.color.expand(batch, -1, -1, -1))
    return replace(made, rest=rest, meta=field.meta)


class Rasterised(NamedTuple):
    """A face on a lattice, without gradient.

    Attributes:
        offset: ``[1,2,n,n]``.
        dark: ``[1,1,n,n]`` how far it is uncovered.
        pixels: ``[N]`` flat indices of the lattice points at which a triangle is seen.
        corners: ``[3,N]`` the vertices of that triangle.
        weights: ``[3,N]`` how much a shift of each corner adds to the offset.
    """

    offset: Tensor
    dark: Tensor
    pixels: Tensor
    corners: Tensor
    weights: Tensor


@torch.no_grad()
def rasterised(face: FittedFace, place: Tensor, one: MusclesField, lattice: Tensor, weight: Tensor) -> Rasterised:
    """A face as an edit moves it, on a lattice.

    Args:
        face: batch 1.
        place: ``[161,2]`` its landmarks.
        one: the edit, batch 1.
        lattice: ``[1,n,n,2]`` crop points.
        weight: ``[1,1,n,n]`` of the edit, see :func:`flow_core.fields.base.taper`.
    """
    size = lattice.shape[1]
    moved = moved_face(Face(face, place), one, size)
    if moved is None:
        points, depth = face.project(face.vertices())
        seen = rasterise(points[0], depth[0], front_triangles(face.rig), size)  # triangle indices as in the front mesh
        offset, dark = lattice.new_zeros(1, 2, size, size), None
    else:
        seen, (offset, dark, *_) = moved.seen, moved(lattice)
    dark = offset.new_zeros(1, 1, size, size) if dark is None else dark
    index, weights = (v.flatten(0, 1) for v in seen)
    pixels = (index >= 0).nonzero()[:, 0]
    corners = front(face.rig)[0].triangles[index[pixels]].T.contiguous()
    taken = (weights[pixels] * -weight.flatten()[pixels, None]).T.contiguous()
    return Rasterised(offset * weight, dark * weight, pixels, corners, taken)


def ways(face: FittedFace, chosen: Tensor) -> Tensor:
    """``[K,2V]``: shifts of the vertices of the front of a face, crop fractions, by units and controls at 1.

    Args:
        chosen: ``[K]`` indices of units, and of controls after them.
    """
    rig = front(face.rig)[0]
    moves = torch.cat([rig.units * rig.gain[:, None, None], rig.controls]).index_select(0, chosen)
    return ((moves @ face.rotation[0].T)[..., :2] * face.scale[0]).flatten(1)


def skin(face: FittedFace, at: Rasterised, change: Tensor) -> Tensor:
    """Offsets ``[1,2,n,n]`` that a change ``[U+C]`` of units and controls adds to :func:`rasterised`, to first order."""
    rig = front(face.rig)[0]
    count = len(rig.unit_names)
    solid = (change[:count] * rig.gain) @ rig.units.flatten(1) + change[count:] @ rig.controls.flatten(1)
    shift = (solid.view(-1, 3) @ face.rotation[0].T)[:, :2] * face.scale[0]
    return carried(shift, at)


def carried(shift: Tensor, at: Rasterised) -> Tensor:
    """Offsets ``[1,2,n,n]`` where the vertices of the front move by ``shift [V,2]``."""
    found = shift.T.index_select(1, at.corners.flatten()).view(2, *at.corners.shape)
    found = (found * at.weights).sum(1)
    size = at.offset.shape[2:]
    return found.new_zeros(2, size.numel()).index_copy(1, at.pixels, found).view(1, 2, *size)


class Lattice:
    """An edit during optimisation: offsets on a lattice. Of a field it only has the flow, which views sample."""

    def __init__(self, offset: Tensor, dark: Tensor, color: Tensor | None, rest: Field | None) -> None:
        self.planes, self.color, self.rest = (offset, dark), color, rest

    def flow(self, feather: float = FEATHER, crop: Crop | None = None) -> Callable[[Tensor], Sample]:
        rest = None if self.rest is None else self.rest.flow(feather)
        return _LatticeFlow(self.planes, self.color, rest, feather)


class _LatticeFlow:
    def __init__(self, planes: tuple[Tensor, Tensor], color: Tensor | None, rest: object, feather: float) -> None:
        self.planes, self.color, self.rest, self.feather = planes, color, rest, feather
        self.colored = color is not None or bool(rest is not None and rest.colored)

    def __call__(self, points: Tensor) -> Sample:
        # bilinear, since the lattice is as fine as the views, and the gradient of bicubic sampling takes as long as the guide;
        # one plane at a time, since only the offsets have a gradient
        grid = grid_of(points).expand(len(self.planes[0]), -1, -1, -1)
        offset, dark = (sample_grid(plane, grid, "bilinear") for plane in self.planes)
        color = offset.new_zeros(()).expand(len(offset), 3, *offset.shape[2:])
        if not self.colored and self.rest is None:
            return Sample(offset, color, dark)
        source = points + offset.movedim(1, -1)  # colours belong to the face as it was
        if self.color is not None:
            color = interpolate(self.color, source) * color_taper(source, self.feather)[:, None] * (1 - dark)
        if self.rest is not None:
            more = self.rest(source)
            offset, color = offset + more.offset, color + more.color * (1 - dark)
        return Sample(offset, color, dark)
