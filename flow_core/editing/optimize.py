"""Optimise a field under a guide, one face or a batch, step by step."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..descent import Adam, Group, Momentum
from ..faces.landmarks import located, outline
from ..fields.base import FlowField
from ..fields.neural import Implicit, Trainable, finish
from ..fields.raster import Field
from ..fields.velocity import to_offset
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers, turned_centers
from ..geometry.sampling import interpolate, sample_image
from ..guides.guide import Guide
from ..guides.prompts import Prompt, directions
from ..threads import yielding
from ..warping.jacobian import jacobian_determinant
from ..warping.measure import measure
from ..warping.warp import warp
from . import losses
from .gates import Gates, dearness, open_gates, paint, paint_masks
from .motion import basis, load_modes, load_parts, near

PACE = 100.0  # how far one step takes the modes of motion, as :func:`losses.travel`, for a step length 1 of the control points
TINT = 5.0  # step length of colours
OUTLINE = 96  # a side, of the raster in which colours are kept
FINE = 0.06  # step length of the single control points beside the modes, where those of a third of the square may move
SETTLE = 8  # steps that an optimisation takes to come to rest once it need not go on
LEAST_REACH = 0.01  # of the logits that lie between two texts; what a guide sees less of is noise


@dataclass(frozen=True)
class Priors:
    """Weights of what keeps the edit natural; each is scaled by :attr:`Settings.preserve`."""

    modes: float = 0.02
    bending: float = 0.002
    magnitude: float = 2000.0
    fold: float = 20.0
    symmetry: float = 1000.0
    drift: float = 1.0
    color: float = 2.0

    def scaled(self, preserve: float) -> Priors:
        """``preserve`` 0..1: 0.5 leaves the weights, 0 divides them by 8, 1 multiplies them by 8. The fold prior stays."""
        factor = 64 ** (preserve - 0.5)
        return replace(self, **{n: v * factor for n, v in vars(self).items() if n != "fold"})


@dataclass(frozen=True)
class Settings:
    """How to optimise.

    Attributes:
        steps: Adam steps at most; an edit that goes no farther comes to rest before.
        views: augmented views per step and face.
        lr: step length at the start; it falls to zero along a cosine.
        margin: how far to go, in thousandths of the side of the face square, root mean square over it: each part of the prompt
            pulls until it has moved the face so far, whatever that gains. So one margin suits every prompt, face and guide.
        preserve: 0..1, the dial from bold to careful; drives all priors together.
        color_limit: largest colour offset, 0..1 of sRGB, where the prompt asks for colour; 0 leaves colours alone.
        priors: single weights.
        seed: of views and noise.
    """

    steps: int = 50
    views: int = 4
    lr: float = 6e-3
    margin: float = 5.0
    preserve: float = 0.5
    color_limit: float = 0.22
    priors: Priors = Priors()
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("steps", 1, 10_000), ("views", 1, 64), ("lr", 1e-6, 1.0), ("margin", 0.0, 100.0), ("preserve", 0.0, 1.0),
            ("color_limit", 0.0, 1.0),
        ):  # fmt: skip
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"{name} must lie in {low}..{high}, got {value}.")


@dataclass(frozen=True)
class Step:
    """One step of an optimisation.

    Attributes:
        index: from 1.
        total: how many there will be, as far as is known; falls when the edit settles early.
        losses: name -> weighted value; ``total`` is their sum.
        gain: mean change of logit along the prompt, so far.
        raw: the edit as it stands, as offsets.
        aligned: the face it is made for, ``[B,3,S,S]``.
        network: of a neural field, as it stands; it lacks the modes and the colours.
    """

    index: int
    total: int
    losses: dict[str, float]
    gain: float
    raw: Field
    aligned: Tensor
    network: Implicit | None = None

    @functools.cached_property
    def field(self) -> FlowField:
        """The edit as it stands, as a velocity field or the neural field nearest to it, which fold at no strength; made
        when it is asked for."""
        with torch.inference_mode(False):
            return finish(self.network, self.raw)

    def preview(self) -> Tensor:
        """The edited face square ``[B,3,S,S]``."""
        return warp(self.aligned, Crop.whole(self.aligned), self.raw)[0]


def optimize(
    image: Tensor,
    crop: Crop,
    field: FlowField,
    guide: Guide,
    prompt: Prompt | Sequence[Prompt],
    settings: Settings | None = None,
) -> Iterator[Step]:
    """Optimise ``field`` so that the faces follow ``prompt`` (paper, section 3.2).

    Args:
        image: pictures ``[B,3,H,W]``.
        crop: the faces in them; one picture serves any crop.
        field: where to start, batch 1 or B; its raster is the resolution of the control points.
        guide: any guide.
        prompt: texts to follow, one for all faces or one for each.
        settings: see :class:`Settings`.

    Yields:
        A :class:`Step` after every step; stop iterating to cancel. The same inputs, seed and device give the same field.

    Raises:
        ValueError: batches do not fit, or the guide gives NaN.
    """
    # The generator holds no autograd context across a yield: its consumer keeps its own mode.
    crop = crop.for_pictures(len(image)) if len(image) > 1 else crop
    prompts = [prompt] * crop.batch if isinstance(prompt, Prompt) else list(prompt)
    with yielding():
        run = _Run(image, crop, field, guide, prompts, settings or Settings())
        while run.index < run.end:
            yield run.step()


class _Run:
    def __init__(
        self,
        image: Tensor,
        crop: Crop,
        field: FlowField,
        guide: Guide,
        prompts: list[Prompt],
        settings: Settings,
    ) -> None:
        if image.shape[1] != 3:
            raise ValueError(f"A guide looks at RGB pictures, got {image.shape[1]} channels.")
        if field.batch not in (1, crop.batch):
            raise ValueError(f"{field.batch} fields do not fit {crop.batch} faces: one for all, or one for each.")
        if len(prompts) != crop.batch:
            raise ValueError(f"{len(prompts)} prompts do not fit {crop.batch} faces: one for all, or one for each.")
        self.settings, self.guide, self.prompts = settings, guide, prompts
        self.priors = settings.priors.scaled(settings.preserve)
        self.index, self.trend = 0, []
        self.ends = torch.full((crop.batch,), float(settings.steps))
        # Under ComfyUI's inference mode every tensor from outside has to be cloned before it may carry a gradient.
        with torch.inference_mode(False), torch.no_grad():
            device = guide.device
            # A little denser than the guide sees, because views zoom in.
            self.aligned = crop.aligned(image, round(guide.image_size * 1.25)).to(device)
            self.frontality = crop.frontality.clone().to(device)
            start = to_offset(field.require_finite()).to(device)
            start = (
                start
                if start.batch == crop.batch
                else replace(
                    start,
                    offset=start.offset.expand(crop.batch, -1, -1, -1),
                    color=start.color.expand(crop.batch, -1, -1, -1),
                )
            )
            self.start = start
            self.rest = torch.zeros_like(start.offset)
            self.neural = Trainable(field, start.size, crop.batch, device) if isinstance(field, Implicit) else None
            landmarks = located(image, crop).places.clone().to(device)
            self.importance = losses.face_importance(pixel_centers(*start.size, device), outline(landmarks))
            # Most of an edit is a mixture of the ways in which faces move; single control points add the rest.
            self.basis = basis(landmarks, start.size, load_modes().to(device))
            self.modes = torch.zeros(crop.batch, self.basis.shape[1], device=device)
            self._open(landmarks)
            self.colored = self.paints or bool(start.color.any())
            self.generator = torch.Generator().manual_seed(settings.seed)
            parts = {prompt: directions(guide, prompt) for prompt in set(prompts)}
            most = max(len(weight) for _, weight in parts.values())
            parts = {
                p: (F.pad(d, (0, 0, 0, most - len(d))), F.pad(w, (0, most - len(w)))) for p, (d, w) in parts.items()
            }
            self.directions, weight = (torch.stack([parts[p][i] for p in prompts]) for i in (0, 1))
            self.weight = weight[:, None]  # [B,1,K]
            self.inverse = torch.linalg.pinv(self.directions)
            self._make_views()
        groups = []
        if self.moves:
            groups.append(Group([self.modes.requires_grad_()], settings.lr * PACE))
            fine = settings.lr * FINE
            groups += self.neural.groups(fine) if self.neural else [Group([self.rest.requires_grad_()], fine)]
        self.optimizers = [Adam(groups, betas=(0.9, 0.95))] if groups else []
        if self.paints:  # Adam would go as far along L as along a and b
            self.optimizers.append(Momentum([Group([self.color.requires_grad_()], settings.lr * TINT)], keep=0.8))
        self.reach = self._measure_reach()

    def _open(self, landmarks: Tensor) -> None:
        """Let parts of each face move, or be painted, as its prompt asks."""
        opened = {prompt: open_gates(self.guide, prompt) for prompt in set(self.prompts)}
        gates = [opened[prompt] for prompt in self.prompts]
        self.paints = self.settings.color_limit > 0 and any(g.color > 0 for g in gates)
        open_ = torch.tensor([list(g.parts.values()) for g in gates]).to(self.aligned)  # [B,5]
        if not self.paints:  # what asks for colour alone, and may not paint, moves what it can
            open_ = torch.where(open_.any(1, keepdim=True), open_, 1.0)
        self.moves = bool(open_.any())
        self.basis = self.basis * (open_ @ load_parts().to(open_).T)[:, :, None, None, None]
        self.place = near(landmarks, open_, self.start.size)
        # a step of all modes, which point anywhere, takes a brow as far as a mouth, whose modes are more and longer
        # (and a gate that is hardly open stays so)
        self.gait = open_.amax(1) / losses.travel(self.basis.flatten(1, 2)).clamp(min=1e-3)
        # and so does a step of all single control points, of which brows have fewer
        self.stride = open_.amax(1) / (3 * self.place.square().mean((1, 2, 3)).sqrt()).clamp(min=1e-3)
        if not self.paints:
            return
        from kornia.color import lab_to_rgb, rgb_to_lab  # here, because that takes a while

        wanted = {name: max(g.regions[name] for g in gates) for name in gates[0].regions}
        share = [[g.regions[name] / most for name, most in wanted.items() if most > 0] for g in gates]
        # one colour for each region, whose outline is finer than the control points
        masks = paint_masks(Gates({}, wanted), landmarks, self.aligned, max(OUTLINE, *self.start.size))
        self.masks = masks * masks.new_tensor(share)[:, :, None, None]
        # sought in CIE Lab, where equal steps look equal, as a shift of the region's mean colour, the smaller the larger it is
        dear = dearness(masks)[:, None, :, None]
        self.color = torch.zeros(*masks.shape[:2], 3, device=masks.device)
        small = F.interpolate(self.aligned, masks.shape[2:], mode="bilinear", antialias=True, align_corners=False)
        mean = torch.einsum("bchw,brhw->bcr", small, masks) / masks.sum((2, 3)).clamp(min=1e-3)[:, None]
        rgb, lab = mean[..., None], rgb_to_lab(mean[..., None])  # [B,3,R,1]
        self.tint = lambda: (lab_to_rgb(lab + 100 * self.color.mT[..., None] / dear) - rgb)[..., 0].mT
        self.fine = pixel_centers(*masks.shape[2:], masks.device)

    def _make_views(self, count: int = 12) -> None:
        """A pool of views of the crop; their unedited embeddings are known beforehand."""
        g = self.generator
        angle = (torch.rand(count, generator=g) - 0.5) * 0.3
        zoom = 0.86 + 0.16 * torch.rand(count, generator=g)
        shift = (torch.rand(count, 1, 1, 2, generator=g) - 0.5) * 0.06
        flip = torch.tensor([1.0, -1.0]).repeat(count)[:count, None, None]

        def points(size: int) -> Tensor:
            return turned_centers(size, angle, zoom, shift, flip).to(self.aligned)

        self.views = points(self.guide.image_size)
        # A smooth field need not be asked at every pixel: two points per control point tell it all, but for outlines.
        self.coarse = points(min(self.guide.image_size, (3 if self.paints else 2) * max(self.start.size)))
        self.noise = 0.02 * torch.randn(count, 3, *[self.guide.image_size] * 2, generator=g).to(self.aligned)
        batches = [self._look(torch.arange(i, min(i + 4, count)), None) for i in range(0, count, 4)]
        self.before = torch.cat([e.unflatten(0, (len(self.aligned), -1)) for e in batches], 1)

    def _measure_reach(self, views: int = 4) -> Tensor:
        """Logits ``[B,K]`` for a unit of :func:`flow_core.editing.losses.travel` along the steepest way of each part of the prompt.
        Guides differ in it a hundredfold, and so do prompts: wide eyes are few pixels."""
        found = []
        with torch.inference_mode(False), torch.enable_grad():
            chosen = torch.arange(min(views, len(self.views)), device=self.views.device)
            gain = self._gain(self._look(chosen, self._field(self._offset())), chosen)[0].mean(1)
            free = [p for p in (self.modes, self.color if self.paints else None) if p is not None and p.requires_grad]
            for k in range(gain.shape[1]):
                slopes = torch.autograd.grad(gain[:, k].sum(), free, retain_graph=k + 1 < gain.shape[1])
                way = {p: g * (1 if p is self.modes else losses.PALETTE) for p, g in zip(free, slopes, strict=True)}
                steep = sum(w.flatten(1).square().sum(1) for w in way.values())
                moved = torch.einsum("bm,bmchw->bchw", way.get(self.modes, 0 * self.modes), self.basis)
                tinted = way[self.color] * losses.PALETTE if self.paints else None
                found.append(steep / losses.travel(moved, tinted).clamp(min=1e-9))
            least = LEAST_REACH * self.guide.scale * self.directions.norm(dim=-1)
            return torch.maximum(torch.stack(found, 1), least).clamp(min=1e-6).detach()

    def _gain(self, after: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Change of logit ``[B,V,K]`` along the parts of the prompt, and of the embedding ``[B,V,D]``, by views."""
        change = after.unflatten(0, (len(self.aligned), -1)) - self.before[:, chosen]
        return self.guide.scale * change @ self.directions.mT, change

    def _offset(self) -> Tensor:
        moved = self.place * (self.neural.offset() if self.neural else self.rest)
        return self.start.offset + moved + torch.einsum("bm,bmchw->bchw", self.modes, self.basis)

    def _field(self, offset: Tensor) -> Field:
        if not self.paints:
            return Field(offset, self.start.color, self.start.meta)
        offset, before = interpolate(torch.cat([offset, self.start.color], 1), self.fine).split((2, 3), 1)
        return Field(offset, before + paint(self.tint(), self.masks, self.settings.color_limit), self.start.meta)

    def _look(self, views: Tensor, field: Field | None) -> Tensor:
        """Embeddings ``[B*V,D]`` of some views; flow and view are composed, so pixels are sampled once."""
        b, v, size = len(self.aligned), len(views), self.guide.image_size
        points = self.views[views].repeat(b, 1, 1, 1)  # [B*V,S,S,2]
        color = 0.0
        if field is not None:
            rows = self.coarse[views].flatten(0, 1)[None]  # all views as one tall picture
            flow = torch.cat(field.flow()(rows)[: 1 + self.colored], 1)
            flow = flow.unflatten(2, (v, -1)).transpose(1, 2).flatten(0, 1)
            flow = F.interpolate(flow, (size, size), mode="bilinear", align_corners=False)
            points = points + flow[:, :2].permute(0, 2, 3, 1)
            # a little noise keeps the guide from reading meaning into single pixels
            which = torch.randint(len(self.noise), (v,), generator=self.generator)
            color = self.noise[which].repeat(b, 1, 1, 1)  # a face's edit must not depend on the batch
            if self.colored:
                color = color + flow[:, 2:]
        source = self.aligned.repeat_interleave(v, 0)
        return self.guide.encode_image((sample_image(source, points * source.shape[-1]) + color).clamp(0, 1))

    def step(self) -> Step:
        with torch.inference_mode(False), torch.enable_grad():
            return self._step()

    def _step(self) -> Step:
        s, p = self.settings, self.priors
        offset = self._offset()
        field = self._field(offset)
        chosen = torch.randperm(len(self.views), generator=self.generator)[: s.views]
        gain, change = self._gain(self._look(chosen, field), chosen)
        reach = losses.secant_reach(
            self.reach, gain, losses.travel(offset, self.color if self.paints else None), self.weight[:, 0]
        )
        parts = {"guide": losses.guidance(gain / reach, self.weight, s.margin)}
        parts["modes"] = p.modes * self.modes.square().sum(1).mean()
        parts["bending"] = p.bending * losses.bending_energy(offset)
        parts["magnitude"] = p.magnitude * losses.magnitude(offset, self.importance)
        parts["fold"] = p.fold * losses.fold_hinge(jacobian_determinant(field, min(max(self.start.size), 128)))
        parts["symmetry"] = p.symmetry * losses.asymmetry(offset, self.frontality)
        if p.drift:
            parts["drift"] = p.drift * losses.drift(change, self.directions, self.inverse)
        if self.paints:
            parts["color"] = p.color * self.color.square().sum(2).mean()
        total = sum(parts.values())
        if not torch.isfinite(total):
            raise ValueError(
                f"Guide {self.guide.name} returned NaN at step {self.index + 1}; load it with precision fp32 (half "
                "precision overflows on some GPUs), or check the picture."
            )
        for one in self.optimizers:
            one.zero_grad()
        total.backward()
        if self.paints:  # what counts is the direction in which a region's colour should go
            self.color.grad /= self.color.grad.norm(dim=2, keepdim=True).clamp(min=1e-9)
        self._move(((gain / reach) * self.weight).detach().mean((1, 2)).cpu())
        mean_gain = ((gain * self.weight).sum(2) / self.weight.abs().sum(2)).mean().item()
        return Step(
            self.index, self.end, {**{k: v.item() for k, v in parts.items()}, "total": total.item()}, mean_gain,
            self._result(mean_gain), self.aligned, self.neural.snapshot() if self.neural else None,
        )  # fmt: skip

    def _move(self, gain: Tensor) -> None:
        """Take the step; faces whose ``gain [B]`` rises no more come to rest, whatever others in the batch do."""
        before = self.trend[-1] if self.trend else gain
        self.trend.append(0.8 * before + 0.2 * gain)  # single values jump from view to view
        if self.index >= 24:
            settled = self.trend[-1] < 1.01 * self.trend[-12]
            self.ends = torch.where(settled, self.ends.clamp(max=self.index + SETTLE), self.ends)
        free = [p for one in self.optimizers for group in one.groups for p in group.params]
        old = [p.detach().clone() for p in free]
        for one in self.optimizers:
            one.step(0.5 + 0.5 * math.cos(math.pi * min(1.0, self.index / self.settings.steps)))
        pace = ((self.ends - self.index) / SETTLE).clamp(0, 1)
        with torch.no_grad():
            for p, was in zip(free, old, strict=True):
                share = pace.to(p) * (self.gait if p is self.modes else self.stride if p is self.rest else 1)
                p.copy_(torch.lerp(was, p, share.view(-1, *[1] * (p.ndim - 1))))
        self.index += 1

    @property
    def end(self) -> int:
        """The last step, as far as is known."""
        return int(self.ends.max())

    def _result(self, gain: float) -> Field:
        s = self.settings
        with torch.no_grad():
            field = self._field(self._offset())
            return Field(field.offset.clone(), field.color.clone(), field.meta).with_meta(
                prompt=" / ".join(dict.fromkeys(map(str, self.prompts))), neutral=self.prompts[0].neutral,
                guide=self.guide.name, seed=s.seed,
                steps=self.index, preserve=s.preserve, gain=round(gain, 3),
            )  # fmt: skip


def report(field: FlowField, crop: Crop) -> dict[str, float]:
    """Numbers for a table: guide gain in logits, share of folds, least Jacobian determinant (above 0: no
    fold), largest offset in pixels of the photo; the worst of a batch, of folds the mean."""
    found = measure(field, crop)
    return {
        "gain": found[0].gain,
        "folds": sum(m.folds for m in found) / len(found),
        "min_det": min(m.determinant for m in found),
        "max_px": max(m.longest for m in found),
    }


__all__ = ["Priors", "Settings", "Step", "optimize", "report"]
