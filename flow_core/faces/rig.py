"""The anatomical rig: a 3D head with muscles, its shapes, and the points on it that belong to our landmarks.

Axes, in centimetres: x to the viewer's right (the person's left), y down, z towards the viewer; the origin lies in the
middle of the head, between the ears. So an unturned head projects by leaving z out, as pictures have it. Triangles that
face the viewer run the way in which ``cross(b - a, c - a)`` of projected points is negative. In names Left and Right are
the person's, as in ARKit.

Made by :mod:`flow_core.train.rig` from MakeHuman's base mesh and targets and the Face Units pack by Mika Suominen, all CC0.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor

from ..once import once

BUILTIN = Path(__file__).parents[1] / "weights" / "rig.safetensors"
PARTS = (
    "skin", "lips", "ear", "mouth", "eyeball_left", "eyeball_right", "teeth_upper", "teeth_lower", "tongue",
)  # fmt: skip
SKIN = ("skin", "lips", "ear")
RINGS = ("lips_inner", "lips_outer", "lids_left", "lids_right")


class UnknownMuscle(ValueError):
    """No unit or control has that name; the message says the nearest ones."""


@dataclass(frozen=True, eq=False)  # tensors have no one answer to ==; as keys of caches rigs are themselves
class Rig:
    """A head.

    Attributes:
        neutral: ``[V,3]`` the mean head, centimetres; axes above.
        triangles: ``[T,3]`` long. Front faces: cross product of the projected edges negative (y down).
        part: ``[T]`` long, of what each triangle is, index into :data:`PARTS`. "mouth" is the wall of its cavity; an eye's
            cavity is left out. Lips and skin go on a little behind the rings.
        mirror: ``[V]`` long, the vertex on the other side of the face.
        units: ``[U,V,3]`` displacements in centimetres at 1: the 52 face units of ARKit and this project's own.
        unit_names: their names. gain: ``[U]`` that multiplies each unit (calibration).
        controls: ``[C,V,3]`` named shape controls: 1 is clearly visible and plausible, -1 its opposite.
        control_names: their names.
        shape: ``[S,V,3]`` how heads differ: principal components, each one standard deviation long, the longest first.
        landmark_index: ``[161,3]`` long and landmark_weight ``[161,3]``: the mesh point of each landmark of
            :data:`flow_core.faces.landmarks.POINTS`, as a weighted mean of three vertices.
        rings: for each of :data:`RINGS` and "_upper" or "_lower": vertices (long) of that half of the border from the viewer's
            left to the right, corners in both. :meth:`ring` makes a polygon of two halves.
        covariance: ``[U,U]`` of the units on real faces (0..1 as MediaPipe reads them, left and right made equal); 0 for
            units that it does not know.
        means: ``[E,U]`` of the faces with each label in ``emotions``, the first of which is "neutral".
    """

    neutral: Tensor
    triangles: Tensor
    part: Tensor
    mirror: Tensor
    units: Tensor
    gain: Tensor
    controls: Tensor
    shape: Tensor
    landmark_index: Tensor
    landmark_weight: Tensor
    covariance: Tensor
    means: Tensor
    rings: dict[str, Tensor]
    unit_names: tuple[str, ...]
    control_names: tuple[str, ...]
    emotions: tuple[str, ...]

    def to(self, device: torch.device | str) -> Rig:
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        moved = {k: v.to(device) for k, v in moved.items() if isinstance(v, Tensor)}
        return replace(self, **moved, rings={k: v.to(device) for k, v in self.rings.items()})

    def part_of(self, vertices: Tensor, triangles: Tensor) -> Rig:
        """The rig of some vertices ``[n]`` alone, in that order, and of some triangles ``[m,3]`` between them.

        The vertices must hold those of all landmarks and rings. A vertex whose mirror is not among them has -1 for it.
        """
        to = torch.full((len(self.neutral),), -1, device=self.device)
        to[vertices] = torch.arange(len(vertices), device=self.device)
        which = {tuple(t): p for t, p in zip(self.triangles.tolist(), self.part.tolist(), strict=True)}
        part = torch.tensor([which[tuple(t)] for t in triangles.tolist()], device=self.device)
        moves = {name: getattr(self, name)[:, vertices].contiguous() for name in ("units", "controls", "shape")}
        # of triangles the first corners lie together, then the second ones: so they are asked for
        return replace(
            self, **moves, neutral=self.neutral[vertices], triangles=to[triangles.T.contiguous()].T, part=part, mirror=to[self.mirror[vertices]],
            landmark_index=to[self.landmark_index], rings={name: to[ring] for name, ring in self.rings.items()},
        )  # fmt: skip

    def moved(self, units: Tensor, controls: Tensor) -> Tensor:
        """By how much units ``[U]`` and shape controls ``[C]`` move the vertices: ``[V,3]``, centimetres."""
        found = (units * self.gain) @ self.units.flatten(1)
        if controls.any():
            found = found + controls @ self.controls.flatten(1)
        return found.view(-1, 3)

    @property
    def device(self) -> torch.device:
        return self.neutral.device

    def triangles_of(self, *parts: str) -> Tensor:
        """The triangles ``[n,3]`` of those of :data:`PARTS`."""
        wanted = torch.tensor([PARTS.index(p) for p in parts], device=self.device)
        return self.triangles[torch.isin(self.part, wanted)]

    def vertices_of(self, *parts: str) -> Tensor:
        """The vertices ``[n]`` of those of :data:`PARTS`."""
        return self.triangles_of(*parts).unique()

    def ring(self, name: str) -> Tensor:
        """A closed ring of vertices, one of :data:`RINGS`: the upper half from the viewer's left to the right, then the lower one
        back."""
        return torch.cat([self.rings[f"{name}_upper"], self.rings[f"{name}_lower"].flip(0)[1:-1]])

    def unit_vector(self, amounts: Mapping[str, float]) -> Tensor:
        """``[U]`` with the named units' amounts; a name without Left or Right means both sides.

        Raises:
            UnknownMuscle: no unit has such a name.
        """
        return _vector(amounts, self.unit_names, "face unit").to(self.device)

    def control_vector(self, amounts: Mapping[str, float]) -> Tensor:
        """``[C]`` with the named shape controls' amounts; a name without Left or Right means both sides.

        Raises:
            UnknownMuscle: no control has such a name.
        """
        return _vector(amounts, self.control_names, "shape control").to(self.device)

    def split(self, amounts: Mapping[str, float]) -> tuple[Tensor, Tensor]:
        """Named amounts as units ``[U]`` and controls ``[C]``.

        Raises:
            UnknownMuscle: neither a unit nor a control has such a name.
        """
        units = {n: a for n, a in amounts.items() if _sides(n, self.unit_names)}
        rest = {n: a for n, a in amounts.items() if n not in units}
        unknown = [n for n in rest if not _sides(n, self.control_names)]
        if unknown:
            _vector({unknown[0]: 0.0}, (*self.unit_names, *self.control_names), "face unit or shape control")
        return self.unit_vector(units), self.control_vector(rest)

    def sides(self, name: str) -> list[str]:
        """The units or controls that a name with or without Left or Right stands for; none where it is unknown."""
        return _sides(name, (*self.unit_names, *self.control_names))

    def landmarks(self, vertices: Tensor) -> Tensor:
        """The landmarks' mesh points ``[...,161,k]`` among ``vertices [...,V,k]``."""
        corners = vertices.mT.index_select(
            -1, self.landmark_index.flatten()
        )  # in half the time of an index of two axes
        return (corners.unflatten(-1, self.landmark_index.shape) * self.landmark_weight).sum(-1).mT


def _sides(name: str, names: tuple[str, ...]) -> list[str]:
    return [n for n in (name, name + "Left", name + "Right") if n in names]


def _vector(amounts: Mapping[str, float], names: tuple[str, ...], what: str) -> Tensor:
    vector = torch.zeros(len(names))
    for name, amount in amounts.items():
        sides = _sides(name, names)
        if not sides:
            short = {n.removesuffix("Left").removesuffix("Right") for n in names}
            lower = {n.lower(): n for n in sorted({*names, *short})}
            near = [lower[n] for n in difflib.get_close_matches(name.lower(), lower, 3, 0.4)]
            hint = f"the nearest: {', '.join(near)}" if near else f"for example {', '.join(names[:3])}"
            raise UnknownMuscle(f"There is no {what} named {name!r}; {hint}.")
        if not abs(amount) <= 1e6:  # nor NaN
            raise ValueError(f"{amount:g} is no amount of {name}; muscles take 0 to 1, shapes -2 to 2.")
        for side in sides:
            vector[names.index(side)] = amount
    return vector


@once()
def load_rig(path: Path = BUILTIN) -> Rig:
    """The built-in rig, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise FileNotFoundError(f"No rig at {path}; install FaceFlow again, it comes with it.")
    with torch.inference_mode(False):  # tensors made in inference mode would be of no use outside of it
        try:
            with safe_open(path, "pt") as file:
                meta = json.loads((file.metadata() or {})["faceflow"])
                raw = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
            count = len(raw["neutral"])
            return Rig(
                **{k: raw[k].float() for k in ("neutral", "gain", "shape", "landmark_weight")},
                **{k: raw[k].long() for k in ("triangles", "part", "mirror", "landmark_index")},
                units=_dense(raw, "unit", count),
                controls=_dense(raw, "control", count),
                covariance=raw["prior_covariance"].float(),
                means=raw["prior_means"].float(),
                rings={f"{r}_{s}": raw[f"{r}_{s}"].long() for r in RINGS for s in ("upper", "lower")},
                unit_names=tuple(meta["units"]),
                control_names=tuple(meta["controls"]),
                emotions=tuple(meta["emotions"]),
            )
        except Exception as e:
            raise ValueError(f"{path} holds no rig ({e}); install FaceFlow again.") from e


def _dense(raw: dict[str, Tensor], kind: str, count: int) -> Tensor:
    start = raw[f"{kind}_start"].long()
    field = torch.arange(len(start) - 1).repeat_interleave(start.diff())
    dense = torch.zeros(len(start) - 1, count, 3)
    dense[field, raw[f"{kind}_index"].long()] = raw[f"{kind}_move"].float()
    return dense


__all__ = ["PARTS", "RINGS", "SKIN", "Rig", "UnknownMuscle", "load_rig"]
