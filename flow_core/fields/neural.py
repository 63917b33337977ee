"""Neural fields: an edit as a small network from coordinates to velocity and colour, with no raster of its own.

Two architectures: ``siren`` with sines throughout (Sitzmann et al., Implicit Neural Representations with Periodic Activation
Functions, NeurIPS 2020), and ``fourier`` with random Fourier features before a plain network (Tancik et al., Fourier Features
Let Networks Learn High Frequency Functions in Low Dimensional Domains, NeurIPS 2020). What a network yields is a velocity, so
that a neural field folds no more than a velocity field does (:mod:`flow_core.fields.exponential`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..descent import Adam, Group
from ..geometry.grid import pixel_centers
from ..jsons import finite
from .base import FEATHER, FieldError, FlowField
from .container import write
from .exponential import exponential, least_determinant, tapered_velocity
from .raster import Field, VelocityFlow
from .velocity import to_velocity

if TYPE_CHECKING:
    from ..geometry.crop import Crop

ARCHITECTURES = ("siren", "fourier")
WIDTH, BANDWIDTH = 128, 8.0
_LAYERS = ("w0", "b0", "w1", "b1", "w2", "b2")
_CHUNK = 1 << 14  # points that go through the network at a time
_RIDGE = 1e-7
_FINEST = 256  # bandwidth in a file
_STEPS, _SIDE, _RATE = 150, 40, 1e-2  # of a fit: Adam steps, points along a side in each, step length


@dataclass(frozen=True)
class Implicit:
    """A batch of networks ``(x, y) -> (velocity, colour)`` over the crop frame, one for each face.

    Attributes:
        architecture: ``siren`` or ``fourier``.
        weights: ``w0 [B,n,2]``, ``b0 [B,n]`` of the first layer, whose rows are wave numbers in radians per crop side;
            ``w1 [B,n,m]``, ``b1 [B,n]``; ``w2 [B,5,n]``, ``b2 [B,5]`` of the last one, linear. ``m`` is n of a siren and
            2n of Fourier features.
        bandwidth: finest waves of the first layer, in periods per crop side.
        meta: see :class:`flow_core.fields.base.FlowField`, which says what all fields can do.
    """

    architecture: str
    weights: Mapping[str, Tensor]
    bandwidth: float = BANDWIDTH
    meta: Mapping[str, object] = field(default_factory=dict)

    kind = "implicit"
    needs_face = False

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise FieldError(f"Unknown network {self.architecture!r}; use one of {', '.join(ARCHITECTURES)}.")
        if missing := set(_LAYERS) - self.weights.keys():
            raise FieldError(f"A neural field lacks the weights {sorted(missing)}.")
        b, n = self.weights["w0"].shape[:2]
        wide = n if self.architecture == "siren" else 2 * n
        shapes = {"w0": (b, n, 2), "b0": (b, n), "w1": (b, n, wide), "b1": (b, n), "w2": (b, 5, n), "b2": (b, 5)}
        for name, shape in shapes.items():
            if tuple(self.weights[name].shape) != shape or 0 in shape:
                raise FieldError(
                    f"Weights {name!r} of a neural field need shape {shape}, got {tuple(self.weights[name].shape)}."
                )
        object.__setattr__(self, "weights", MappingProxyType({k: self.weights[k].float() for k in _LAYERS}))
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    @classmethod
    def zeros(
        cls, architecture: str = "siren", width: int = WIDTH, bandwidth: float = BANDWIDTH, batch: int = 1,
        seed: int = 0, noise: float = 0.0,
    ) -> Implicit:  # fmt: skip
        """A network that moves nothing: its last layer is zero, or random where ``noise``, the standard deviation of the
        velocity in fractions of the crop, is not. All else is drawn as the two papers advise.

        Args:
            width: neurons in each layer, 8..1024.
            bandwidth: 0.5..64 periods per crop side.
        """
        if not (8 <= width <= 1024 and 0.5 <= bandwidth <= 64):
            raise FieldError(
                f"A neural field needs a width of 8..1024 and a bandwidth of 0.5..64, got {width}, {bandwidth}."
            )
        g = torch.Generator().manual_seed(seed)

        def uniform(*shape: int, limit: float) -> Tensor:
            return (2 * torch.rand(batch, *shape, generator=g) - 1) * limit

        wide = width if architecture == "siren" else 2 * width
        limit = math.sqrt(6 / wide) if architecture == "siren" else math.sqrt(3 / wide)
        w0 = (
            uniform(width, 2, limit=bandwidth)
            if architecture == "siren"
            else torch.randn(batch, width, 2, generator=g)
            * (bandwidth / 2)  # most of a normal distribution lies within two deviations
        )
        weights = {
            "w0": 2 * math.pi * w0, "b0": uniform(width, limit=math.pi), "w1": uniform(width, wide, limit=limit),
            "b1": uniform(width, limit=limit), "w2": torch.zeros(batch, 5, width), "b2": torch.zeros(batch, 5),
        }  # fmt: skip
        made = cls(architecture, weights, float(bandwidth))
        if noise:
            hidden = made._hidden(pixel_centers(32, 32)).square().mean((1, 2)).sum(-1, keepdim=True).sqrt()
            weights["w2"][:, :2] = torch.randn(batch, 2, width, generator=g) * (
                noise * math.sqrt(width) / hidden[..., None]
            )
            weights["w2"] /= math.sqrt(width)
        return replace(made, weights=weights)

    @property
    def batch(self) -> int:
        return len(self.weights["w0"])

    @property
    def width(self) -> int:
        return self.weights["w0"].shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """Points (height, width) of a raster that can follow the network: three for each of its finest waves."""
        n = max(28, round(3 * self.bandwidth))
        return n, n

    @property
    def device(self) -> torch.device:
        return self.weights["w0"].device

    def _hidden(self, points: Tensor) -> Tensor:
        """Last hidden layer ``[B,H,W,n]`` at crop points ``[B or 1,H,W,2]``."""
        w = self.weights
        wave = torch.einsum("bhwi,bni->bhwn", points.expand(self.batch, -1, -1, -1) - 0.5, w["w0"])
        if self.architecture == "siren":
            inner = (wave + w["b0"][:, None, None]).sin()
            return (torch.einsum("bhwm,bnm->bhwn", inner, w["w1"]) + w["b1"][:, None, None]).sin()
        wave = wave + w["b0"][:, None, None]
        inner = math.sqrt(2) * torch.cat([wave.cos(), wave.sin()], -1)
        return F.silu(torch.einsum("bhwm,bnm->bhwn", inner, w["w1"]) + w["b1"][:, None, None])

    def values(self, points: Tensor) -> Tensor:
        """Velocity and colour ``[B,5,H,W]`` at crop points ``[B or 1,H,W,2]``, differentiable in weights and points."""
        out = torch.einsum("bhwn,bcn->bchw", self._hidden(points), self.weights["w2"])
        return out + self.weights["b2"][:, :, None, None]

    def sample(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Velocity ``[B,2,H,W]`` and colour ``[B,3,H,W]``, exact at every point, in chunks of bounded memory."""
        flat = points.flatten(1, 2)[:, None]
        parts = [self.values(flat[:, :, i : i + _CHUNK]) for i in range(0, max(1, flat.shape[2]), _CHUNK)]
        values = torch.cat(parts, 3).unflatten(3, points.shape[1:3])[:, :, 0]
        return values[:, :2], values[:, 2:]

    def jacobian(self, points: Tensor) -> Tensor:
        """Derivatives ``[B,5,2,H,W]`` of velocity and colour by x and y, by forward-mode differentiation."""
        points = points.expand(self.batch, -1, -1, -1).contiguous()

        def along(axis: int) -> Tensor:
            direction = torch.zeros_like(points)
            direction[..., axis] = 1
            return torch.func.jvp(self.values, (points,), (direction,))[1]

        return torch.stack([along(0), along(1)], 2)

    def flow(self, feather: float = FEATHER, crop: Crop | None = None) -> VelocityFlow:
        """The edit, ready to be sampled, by way of a velocity field; the crop does not matter."""
        return VelocityFlow(self.raster(), feather)

    @torch.no_grad()
    def raster(self, size: int | tuple[int, int] | None = None, crop: Crop | None = None) -> Field:
        """The same edit as a velocity field, which everything else works with.

        Its metadata ``raster_error`` is the largest difference from the network, measured between its control points: for
        each of the five values in their units.

        Args:
            size: control points; None = eight for each of the finest waves of the first layer, 96..256.
            crop: does not matter.
        """
        if size is None:
            size = min(256, max(96, round(8 * self.bandwidth)))
        h, w = (size, size) if isinstance(size, int) else size
        velocity, color = self.sample(pixel_centers(h, w, self.device))
        made = Field(velocity, color, self.meta, "velocity")
        between = pixel_centers(31, 31, self.device) * 0.96 + 0.02
        errors = [(a - b).abs().max().item() for a, b in zip(made.sample(between), self.sample(between), strict=True)]
        return made.with_meta(raster_error=float(f"{max(errors):.2g}"))

    def scale(self, shape: float = 1.0, color: float = 1.0) -> Implicit:
        """Velocity times ``shape``, colours times ``color``; the last layer is linear."""
        factor = torch.tensor([shape] * 2 + [color] * 3, device=self.device)
        w2, b2 = self.weights["w2"] * factor[:, None], self.weights["b2"] * factor
        return replace(self, weights={**self.weights, "w2": w2, "b2": b2})

    def select(self, index: int) -> Implicit:
        """One network of a batch, still with a batch axis."""
        return replace(self, weights={k: v[index : index + 1] for k, v in self.weights.items()})

    def to(self, device: torch.device | str) -> Implicit:
        return replace(self, weights={k: v.to(device) for k, v in self.weights.items()})

    def with_meta(self, **meta: object) -> Implicit:
        return replace(self, meta={**self.meta, **meta})

    def nearest(self, field: FlowField) -> Implicit:
        """The network that comes nearest to another field, found from this one by training (:func:`fit`). Should its velocity
        come too near to a fold, it is weakened."""
        made = fit(self, to_velocity(field))
        for _ in range(20):
            v = tapered_velocity(made.raster().offset, FEATHER, 256)
            if all((least_determinant(exponential(s * v)) > 0.02).all() for s in (-1.0, 1.5)):
                break
            made = made.scale(0.9)
        return made

    def coefficients(self) -> Tensor:
        """Those of :meth:`raster`: the weights of networks may not be averaged."""
        return self.raster().coefficients()

    def with_coefficients(self, values: Tensor) -> Field:
        return self.raster().with_coefficients(values)

    def require_finite(self) -> Implicit:
        """Itself, or :class:`FieldError` where a weight is NaN or infinite."""
        if not all(v.isfinite().all() for v in self.weights.values()):
            raise FieldError("The neural field holds NaN or infinite values; optimise it again or load another file.")
        return self

    def save(self, path: str | Path) -> Path:
        """Write a safetensors file, which :func:`flow_core.fields.files.load_field` reads."""
        meta = {**self.require_finite().meta, "architecture": self.architecture, "bandwidth": self.bandwidth}
        return write(path, meta, "implicit", self.weights)

    @classmethod
    def from_file(cls, tensors: Mapping[str, Tensor], header: dict, name: str) -> Implicit:
        """The network of a file that :func:`flow_core.fields.container.read` has read."""
        architecture, given = header.pop("architecture", None), header.pop("bandwidth", None)
        if architecture not in ARCHITECTURES:
            raise FieldError(
                f"{name} holds a {architecture!r} network, which this FaceFlow does not know. Update FaceFlow."
            )
        bandwidth = finite(given)
        if bandwidth is None or not 0 < bandwidth <= _FINEST:
            raise FieldError(
                f"{name} holds a network of bandwidth {str(given)[:40]}; expected a number above 0 and up to {_FINEST}. Save it again."
            )
        try:
            return cls(architecture, tensors, bandwidth, header).require_finite()
        except FieldError as e:
            raise FieldError(f"{name}: {e}") from e


def fit(network: Implicit, goal: Field, steps: int = _STEPS) -> Implicit:
    """The network whose output is as near as possible to a velocity field.

    The last layer is found by ridge regression on dense points, before and after all layers have been trained by Adam on
    jittered ones.

    Args:
        network: its last layer does not matter.
        goal: a velocity field, batch that of the network, or 1.
        steps: of Adam; 0 = the last layer alone.

    Returns:
        The network; its metadata are those of ``goal`` and ``fit_error``, the largest difference of velocities in fractions
        of the crop side.
    """
    # the same random points for the same goal, whatever the caller's generator
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode(False), torch.enable_grad():
        goal = goal.to("cpu") if goal.offset.is_inference() else goal
        network = _regress(network, goal)
        dense = torch.cat(goal.sample(pixel_centers(96, 96, goal.device)), 1)
        if not dense.any():
            return network.with_meta(fit_error=0.0)
        size = dense.square().mean((0, 2, 3)).sqrt()
        size = torch.cat([size[:2].mean().expand(2), size[2:].mean().expand(3)]).clamp(min=1e-6)
        w = {k: v.clone() for k, v in network.weights.items()}
        w["w2"], w["b2"] = w["w2"] / size[:, None], w["b2"] / size
        for name in ("b0", "w1", "b1", "w2", "b2") + (("w0",) if network.architecture == "siren" else ()):
            w[name].requires_grad_()
        moving = [v for k, v in w.items() if v.requires_grad and k != "w0"]
        waves = [w["w0"]] if w["w0"].requires_grad else [w["b0"].new_zeros(1).requires_grad_()]
        adam = Adam([Group(moving, _RATE), Group(waves, 3 * _RATE)], betas=(0.9, 0.99))
        lattice = pixel_centers(_SIDE, _SIDE, goal.device)
        used = (goal.offset.any(), goal.color.any())
        used = torch.tensor([bool(used[0])] * 2 + [bool(used[1])] * 3, device=goal.device)[None, :, None, None]
        for i in range(steps):
            jitter = (torch.rand(lattice.shape, generator=generator).to(goal.device) - 0.5) / _SIDE
            wanted = torch.cat(goal.sample(lattice + jitter), 1) / size[:, None, None]
            missed = (replace(network, weights=w).values(lattice + jitter) - wanted) * used
            adam.zero_grad()
            missed.square().sum().div(missed.numel()).backward()
            adam.step(max(0.02, 1 - i / max(steps, 1)))
        return _regress(replace(network, weights={k: v.detach() for k, v in w.items()}), goal)


@torch.no_grad()
def _regress(network: Implicit, goal: Field) -> Implicit:
    at = pixel_centers(96, 96, goal.device)
    batch = max(network.batch, goal.batch)
    network = replace(network, weights={k: v.expand(batch, *v.shape[1:]) for k, v in network.weights.items()})
    hidden = network._hidden(at).flatten(1, 2)
    hidden = torch.cat([hidden, torch.ones_like(hidden[..., :1])], -1)
    wanted = torch.cat(goal.sample(at), 1).flatten(2).mT.expand(batch, -1, -1)
    gram = (hidden.mT @ hidden).double() / hidden.shape[1]
    ridge = (
        _RIDGE * gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * torch.eye(gram.shape[-1], device=goal.device)
    )
    last = torch.linalg.solve(gram + ridge, (hidden.mT @ wanted).double() / hidden.shape[1]).float()
    made = replace(network, weights={**network.weights, "w2": last[:, :-1].mT, "b2": last[:, -1]}, meta=goal.meta)
    error = (made.sample(at)[0] - goal.sample(at)[0]).norm(dim=1).max().item()
    return made.with_meta(fit_error=float(f"{error:.2g}"))
