"""The parameters that an optimiser changes, with the rule by which a step changes them.

There is one class for each way of making an edit, all with the interface :class:`Parameters`: for rasters and networks here, for
muscles in :mod:`flow_core.editing.muscles`. :data:`flow_core.editing.optimize.PARAMETERS` maps kinds of fields to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from ..descent import Adam, Group, Momentum
from ..fields.base import FlowField
from ..fields.neural import Implicit
from ..fields.raster import Field
from ..fields.velocity import to_offset, to_velocity
from ..geometry.grid import pixel_centers
from ..geometry.sampling import interpolate
from ..guides.guide import Guide
from ..guides.prompts import Prompt
from . import losses
from .gates import open_gates
from .motion import basis, load_modes, load_parts, part_mask
from .objective import Edit
from .painting import RegionColors, colored, raster_side
from .tints import named_tints
from .views import Faces

MODE_RATE = 100.0  # rms_change by one step of the modes of motion at step length 1
CONTROL_RATE = 0.06  # offset (crop sides) by one step of the control points at step length 1, if those of a third of the square may move
COLOR_RATE = 5.0  # shift of colours by one step at step length 1
NAMED_AT = 5.0  # margin at which an optimisation starts from the full amount of what a prompt names


class Parameters(Protocol):
    """The interface of the parameters of an edit, for a batch of B faces.

    Attributes:
        fineness: points a side at which the field has to be sampled in a view.
        most_steps: steps that suffice, whatever the settings allow; None = no such limit.
        note: a sentence about what the prompt asks for and the faces do not show; may be empty.
    """

    fineness: int
    most_steps: int | None
    note: str

    def edit(self) -> Edit:
        """The edit so far, differentiable in the parameters."""
        ...

    def unit_gain(self, gain: Tensor) -> Tensor:
        """Gain ``[B,K]`` for one unit of :func:`flow_core.editing.losses.rms_change` along the steepest direction of each part of the
        prompt. Guides differ in it a hundredfold, and so do prompts: wide eyes are few pixels.

        Args:
            gain: ``[B,K]`` of :meth:`edit`, with its graph.
        """
        ...

    def step(self, loss: Tensor, rate: float, pace: Tensor) -> None:
        """Change the parameters so that ``loss`` falls.

        Args:
            loss: scalar that depends on :meth:`edit`.
            rate: 1 at the start of an optimisation, falling to 0.
            pace: ``[B]`` share of the step that each face takes, 0..1.
        """
        ...

    def snapshot(self) -> tuple[FlowField, Callable[[FlowField], FlowField]]:
        """The edit so far, detached; and the function that turns it into the field that an optimisation returns."""
        ...


class RasterParameters:
    """Modes of facial motion, control points or a network beside them, and one colour for each region.

    Most of an edit is a mixture of the modes in which faces move; control points add the rest. These are optimised by Adam.
    Colours follow their normalised gradient, since Adam would go as far along L as along a and b.

    Args:
        field: where to start, batch B or 1; its size is the resolution of the control points.
        faces: B of them.
        guide: opens the gates of each prompt.
        prompts: one for each face.
        lr: step length.
        color_limit: largest colour offset; 0 = no colours.
        margin: how far an edit goes, see :class:`flow_core.editing.optimize.Settings`.
    """

    def __init__(
        self, field: FlowField, faces: Faces, guide: Guide, prompts: Sequence[Prompt], lr: float, color_limit: float,
        margin: float = 0.0,
    ) -> None:  # fmt: skip
        opened = {p: open_gates(guide, p) for p in dict.fromkeys(prompts)}
        gates = [opened[p] for p in prompts]
        device, batch, landmarks = faces.aligned.device, faces.batch, faces.landmarks
        start = to_offset(field, crop=faces.crop).to(device)
        start = start.spanning(1.0, start.size)
        if start.batch != batch:
            start = replace(
                start, offset=start.offset.expand(batch, -1, -1, -1), color=start.color.expand(batch, -1, -1, -1)
            )
        self.start = start
        self.colors = None
        if color_limit > 0 and any(g.color > 0 for g in gates):
            tints = {p: named_tints(guide, p, opened[p]) for p in opened}
            picture, within = faces.closer(raster_side(colored(gates)))
            self.colors = RegionColors(
                gates, [tints[p] for p in prompts], landmarks, picture, start.size, color_limit, margin / NAMED_AT, within=within
            )  # fmt: skip
        self.note = "" if self.colors is None else self.colors.note
        movable = torch.tensor([list(g.parts.values()) for g in gates]).to(faces.aligned)  # [B,5]
        if self.colors is None:  # a prompt for colour alone, which may not paint, may move everything
            movable = torch.where(movable.any(1, keepdim=True), movable, 1.0)
        self.basis = basis(landmarks, start.size, load_modes().to(device))
        self.basis = self.basis * (movable @ load_parts().to(movable).T)[:, :, None, None, None]
        self.modes = torch.zeros(batch, self.basis.shape[1], device=device)
        self.region = part_mask(landmarks, movable, start.size)
        self.control = torch.zeros_like(start.offset)
        self.network = NetworkOffsets(field, start.size, batch, device) if isinstance(field, Implicit) else None
        # Steps are scaled so that they move every part equally far, although a mouth has more and longer modes than a brow, and
        # more control points. A gate that is hardly open makes them shorter.
        most = movable.amax(1)
        rms_mode = losses.rms_change(self.basis.flatten(1, 2))
        rms_region = 3 * self.region.square().mean((1, 2, 3)).sqrt()
        self.step_scale = {  # by tensor: [B]
            id(self.modes): most / rms_mode.clamp(min=1e-3),
            id(self.control): most / rms_region.clamp(min=1e-3),
        }
        self.fineness = (2 if self.colors is None else 3) * max(start.size)  # outlines of colours need more
        groups: list[Group] = []
        if movable.any():
            groups.append(Group([self.modes.requires_grad_()], lr * MODE_RATE))
            if self.network is None:
                groups.append(Group([self.control.requires_grad_()], lr * CONTROL_RATE))
            else:
                groups += self.network.groups(lr * CONTROL_RATE)
        self.optimizers = [Adam(groups, betas=(0.9, 0.95))] if groups else []
        if self.sought is not None:
            self.optimizers.append(Momentum([Group([self.sought.requires_grad_()], lr * COLOR_RATE)], keep=0.8))
        self.most_steps = None if self.optimizers else 1  # named colours are there from the start

    @property
    def sought(self) -> Tensor | None:
        """Colour shifts that are optimised; None if there are none."""
        return self.colors.shifts if self.colors is not None and self.colors.sought else None

    def edit(self) -> Edit:
        free = self.control if self.network is None else self.network()
        offset = self.start.offset + self.region * free + torch.einsum("bm,bmchw->bchw", self.modes, self.basis)
        if self.colors is None:
            return Edit(Field(offset, self.start.color, self.start.meta), offset, self.modes)
        planes = interpolate(torch.cat([offset, self.start.color], 1), self.colors.points)
        field = Field(planes[:, :2], planes[:, 2:] + self.colors.raster(), self.start.meta)
        return Edit(field, offset, self.modes, self.sought)

    def unit_gain(self, gain: Tensor) -> Tensor:
        found = []
        shifts = self.sought
        free = [p for p in (self.modes, shifts) if p is not None and p.requires_grad]
        if not free:
            return torch.ones_like(gain)
        for k in range(gain.shape[1]):
            slopes = torch.autograd.grad(gain[:, k].sum(), free, retain_graph=k + 1 < gain.shape[1])
            way = {id(p): g * (1 if p is self.modes else losses.COLOR_UNIT) for p, g in zip(free, slopes, strict=True)}
            steepest = sum(w.flatten(1).square().sum(1) for w in way.values())
            moved = torch.einsum("bm,bmchw->bchw", way.get(id(self.modes), 0 * self.modes), self.basis)
            tinted = None if shifts is None else way[id(shifts)] * losses.COLOR_UNIT
            found.append(steepest / losses.rms_change(moved, tinted).clamp(min=1e-9))
        return torch.stack(found, 1)

    def step(self, loss: Tensor, rate: float, pace: Tensor) -> None:
        for one in self.optimizers:
            one.zero_grad()
        if not self.optimizers:
            return
        loss.backward()
        if self.sought is not None:
            gradient = self.sought.grad
            gradient /= gradient.norm(dim=2, keepdim=True).clamp(min=1e-9)
        free = [p for one in self.optimizers for group in one.groups for p in group.params]
        before = [p.detach().clone() for p in free]
        for one in self.optimizers:
            one.step(rate)
        with torch.no_grad():
            for p, was in zip(free, before, strict=True):
                share = pace.to(p) * self.step_scale.get(id(p), 1)
                p.copy_(torch.lerp(was, p, share.view(-1, *[1] * (p.ndim - 1))))

    @torch.no_grad()
    def snapshot(self) -> tuple[FlowField, Callable[[FlowField], FlowField]]:
        field = self.edit().field
        raw = Field(field.offset.clone(), field.color.clone(), field.meta)
        if self.network is None:
            return raw, to_velocity
        network = self.network.snapshot()
        return raw, network.nearest


class NetworkOffsets:
    """The offsets of a neural field while it is optimised, relative to its start.

    Args:
        network: where to start.
        size: (height, width) of the raster.
        batch: faces.
    """

    def __init__(self, network: Implicit, size: tuple[int, int], batch: int, device: torch.device) -> None:
        weights = {k: v.to(device).expand(batch, *v.shape[1:]).clone() for k, v in network.weights.items()}
        self.network = replace(network, weights=weights)
        self.points = pixel_centers(*size, device)
        self.before = self.network.sample(self.points)[0]

    def groups(self, rate: float) -> list[Group]:
        """Parameter groups for Adam. ``rate`` is the step length that raster offsets would have; the network then gains about as much."""
        weights = self.network.weights
        last = [weights[k].requires_grad_() for k in ("w2", "b2")]
        fixed = ("w0",) if self.network.architecture == "fourier" else ()
        inner = [weights[k].requires_grad_() for k in ("w0", "b0", "w1", "b1") if k not in fixed]
        return [Group(last, 16 * rate / self.network.width), Group(inner, 10 * rate)]

    def __call__(self) -> Tensor:
        """Offsets ``[B,2,h,w]``. They are small enough to take the network's velocity for its offset."""
        return self.network.values(self.points)[:, :2] - self.before

    def snapshot(self) -> Implicit:
        return replace(self.network, weights={k: v.detach().clone() for k, v in self.network.weights.items()})
