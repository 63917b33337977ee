"""Optimise in muscles: a guide chooses how far each muscle and each shape of a fitted face goes.

An edit starts from what the prompt names (:mod:`flow_core.editing.named`) and takes a few steps of the natural gradient (Amari,
Natural gradient works efficiently in learning, 1998) whose metric is how units vary together on real faces: a step goes
along mixtures that faces make, as far as the guide gains by it, and no step length has to be tuned for any muscle.

The mesh is rasterised without a gradient; the gradient enters by ``offset - sum(w (q - q.detach()))`` with ``w`` the
barycentric weights and ``q`` the moved vertices, which is exact in value and of first order in slope.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..faces.fit import FittedFace, fit_faces
from ..faces.landmarks import located
from ..fields.base import FEATHER, taper
from ..fields.muscles import MOST, MusclesField, front_triangles, moved_face, target_units
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers, turned_centers
from ..geometry.mesh import barycentric, rasterise
from ..geometry.sampling import interpolate, sample_image
from ..guides.guide import Guide
from ..guides.prompts import Prompt, directions
from ..threads import yielding
from .named import covariance, named

LATTICE = 96  # pixels a side of the raster on which a step sees the offsets
VIEWS = 6
STEPS = 12
LENGTH = 0.09  # of one step, in standard deviations of real faces, for a margin of 1
OPENS = 0.12  # of jawOpen, by which a step looks whether the guide gains when the mouth opens further


@dataclass(frozen=True)
class MuscleStep:
    """One step; see :class:`flow_core.editing.optimize.Step`, whose interface it has."""

    index: int
    total: int
    losses: dict[str, float]
    gain: float
    field: MusclesField
    aligned: Tensor
    square: Crop

    def preview(self) -> Tensor:
        """The edited face square ``[B,3,S,S]``."""
        from ..warping.warp import warp

        return warp(self.aligned, self.square, self.field)[0]


def optimize_muscles(
    image: Tensor,
    crop: Crop,
    field: MusclesField,
    guide: Guide,
    prompts: Sequence[Prompt],
    margin: float = 5.0,
    preserve: float = 0.5,
    steps: int = STEPS,
    seed: int = 0,
) -> Iterator[MuscleStep]:
    """Optimise a muscles field so that faces follow prompts.

    Args:
        image: pictures ``[B,3,H,W]``.
        crop: the faces in them.
        field: where to start, batch 1 or that of the crop; its colours are kept.
        guide: any guide.
        prompts: one for each face.
        margin: how far to go: 5 is plain to see, and what a preset says at 1.
        preserve: 0..1, from bold to careful: shortens what the guide adds.
        steps: of the natural gradient.
        seed: of the views.

    Yields:
        A :class:`MuscleStep` after every step. The same inputs, seed and device give the same field.
    """
    with yielding():
        with torch.inference_mode(False), torch.no_grad():
            run = _Run(image, crop, field, guide, prompts, margin, preserve, steps, seed)
        for index in range(1, steps + 1):
            with torch.inference_mode(False):
                step = run.step(index)
            yield step


class _Run:
    def __init__(
        self, image: Tensor, crop: Crop, field: MusclesField, guide: Guide, prompts: Sequence[Prompt], margin: float,
        preserve: float, steps: int, seed: int,
    ) -> None:  # fmt: skip
        self.guide, self.prompts, self.steps = guide, prompts, steps
        device = guide.device
        size = round(guide.image_size * 1.25)
        self.aligned = crop.aligned(image, size).to(device)
        places = located(image, crop).places.clone()
        self.places = places.to(device)
        self.square = replace(Crop.whole(self.aligned), landmarks=self.places * size)
        self.faces = fit_faces(self.places)
        asked = {p: named(guide, p) for p in dict.fromkeys(prompts)}
        starts = [asked[p].field for p in prompts]
        scale = margin / 5.0
        begin = field.coefficients().to(device).expand(len(places), -1)
        begin = begin + scale * torch.cat([s.coefficients() for s in starts]).to(device)
        self.field = MusclesField.of(*[{}] * len(places)).to(device).with_coefficients(begin)
        if field.rest is not None:
            rest = field.rest.to(device)
            self.field = replace(self.field, rest=rest if rest.batch == len(places) else rest.select(0))
        self.metric = torch.stack([covariance(asked[p].expression, asked[p].shape) for p in prompts]).to(device)
        self.length = LENGTH * margin * 64 ** (0.25 - 0.5 * preserve)
        generator = torch.Generator().manual_seed(seed)
        count = VIEWS
        angle = (torch.rand(count, generator=generator) - 0.5) * 0.3
        zoom = 0.86 + 0.16 * torch.rand(count, generator=generator)
        shift = (torch.rand(count, 1, 1, 2, generator=generator) - 0.5) * 0.06
        flip = torch.tensor([1.0, -1.0]).repeat(count)[:count, None, None]
        self.views = turned_centers(guide.image_size, angle, zoom, shift, flip).to(device)
        self.lattice = pixel_centers(LATTICE, LATTICE, device)
        pairs = [directions(guide, p) for p in prompts]
        self.ways = [(d.to(device), w.to(device)) for d, w in pairs]
        self.before = [self._look(i, None) for i in range(len(places))]

    def _look(self, i: int, edit: tuple[Tensor, Tensor] | None) -> Tensor:
        """Embeddings ``[V,D]`` of the views of face ``i`` under offsets ``[1,2,n,n]`` and uncovered ``[1,1,n,n]``."""
        points, light = self.views, 1.0
        if edit is not None:
            flow = interpolate(torch.cat(edit, 1), self.views.flatten(0, 1)[None])
            flow = flow.unflatten(2, (len(self.views), -1)).transpose(1, 2).flatten(0, 1)
            points, light = points + flow[:, :2].movedim(1, -1), 1 - flow[:, 2:3]
        source = self.aligned[i : i + 1].expand(len(self.views), -1, -1, -1)
        seen = sample_image(source, points * source.shape[-1]) * light
        return self.guide.encode_image(seen.clamp(0, 1))

    def _gain(self, i: int, edit: tuple[Tensor, Tensor]) -> Tensor:
        way, weight = self.ways[i]
        change = self._look(i, edit) - self.before[i]
        return ((self.guide.scale * change @ way.T) * weight).sum(1).mean() / weight.abs().sum()

    def step(self, index: int) -> MuscleStep:
        rows, gains = [], []
        for i in range(len(self.places)):
            face, one = self.faces.select(i), self.field.select(i)
            gain, slope = self._slope(i, face, one)
            metric = self.metric[i]
            way = metric @ slope
            reach = (slope @ way).clamp(min=1e-12).sqrt()
            delta = self.length / self.steps * way / reach
            rows.append(self._moved(face, one, delta))
            gains.append(gain)
        self.field = self.field.with_coefficients(torch.stack(rows))
        gain = float(torch.stack(gains).mean())
        meta = {
            "prompt": " / ".join(dict.fromkeys(map(str, self.prompts))), "neutral": self.prompts[0].neutral,
            "guide": self.guide.name, "steps": index, "gain": round(gain, 3),
        }  # fmt: skip
        return MuscleStep(
            index, self.steps, {"total": -gain}, gain, self.field.with_meta(**meta), self.aligned, self.square
        )

    def _slope(self, i: int, face: FittedFace, one: MusclesField) -> tuple[Tensor, Tensor]:
        """The guide's gain, and its gradient ``[U+C]`` in units and controls."""
        rig = face.rig
        place = self.places[i]
        moved = moved_face(face, place, one)
        after = target_units(face.units[0], one.relax[0], one.units[0])
        points, depth = face.project(face.vertices(after[None], one.controls))
        triangles = front_triangles(rig)
        index, weights = rasterise(points[0], depth[0], triangles, LATTICE)
        weight = taper(self.lattice, FEATHER)[:, None]
        if moved is None:
            found = self.lattice.new_zeros(1, 3, LATTICE, LATTICE)
        else:
            found = torch.cat(moved(self.lattice), 1) * weight
        free = torch.zeros(len(rig.unit_names) + len(rig.control_names), device=place.device, requires_grad=True)
        with torch.enable_grad():
            count = len(rig.unit_names)
            solid = (free[:count] * rig.gain) @ rig.units.flatten(1) + free[count:] @ rig.controls.flatten(1)
            shift = solid.view(-1, 3) @ face.rotation[0].T * face.scale[0]
            skin = -barycentric(shift[:, :2], triangles, index, weights).movedim(-1, 0)[None]
            offset = found[:, :2] + skin * weight
            gain = self._gain(i, (offset, found[:, 2:]))
            (slope,) = torch.autograd.grad(gain, free)
        jaw = rig.unit_names.index("jawOpen")
        wider = one.units.clone()
        wider[0, jaw] += OPENS
        opened = moved_face(face, place, replace(one, units=wider))
        if opened is not None:
            with torch.no_grad():
                slope[jaw] = (
                    self._gain(i, tuple((torch.cat(opened(self.lattice), 1) * weight).split((2, 1), 1))) - gain
                ) / OPENS
        return gain.detach(), slope

    def _moved(self, face: FittedFace, one: MusclesField, delta: Tensor) -> Tensor:
        """The coefficients after a step, within what a face can do."""
        count = one.units.shape[1]
        shown = face.units[0] * (1 - one.relax[0]).clamp(0, 2)
        units = (shown + one.units[0] + delta[:count]).clamp(0, MOST) - shown
        keep = delta[:count] == 0
        units = torch.where(keep, one.units[0], units)
        return torch.cat([units, one.relax[0], one.controls[0] + delta[count:]])
