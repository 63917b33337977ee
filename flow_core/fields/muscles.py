"""Muscles fields: an edit as changes of face units and of the face's shape, which any fitted face makes its own.

What is stored are names and numbers. On a face, the anatomical rig (:mod:`flow_core.faces.rig`) is fitted to its landmarks,
its muscles move in 3D, and the picture follows in layers (:mod:`flow_core.fields.anatomy`). So half a strength is half the
contraction, another face smiles its own smile, and no resolution is stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..faces.fit import FittedFace
from ..faces.frowning import drawn_together
from ..faces.rig import load_rig
from ..geometry.grid import pixel_centers
from ..geometry.sampling import sample_image
from ..once import kept_with
from . import container
from .anatomy import MovedFace
from .base import FEATHER, FieldError, Flow, Sample, taper
from .face import Face
from .layers import Box
from .lit import YEARS, years_of
from .look import Look
from .moved import COARSE, SMALL, moved_face
from .raster import Field
from .skin import RASTER
from .units import fit_shown, other_side, units_after

if TYPE_CHECKING:
    from ..geometry.crop import Crop

RELAX = "relax"  # in named amounts: "relax mouthSmile" takes a share of what a face shows away, "relax" of all units
DID = "did"  # in metadata: what an edit does, by name
TINTS = "tints"  # in metadata: the colours that are all of its rest, by name; see :mod:`flow_core.editing.tinted`
HAIRS = 192  # pixels of a raster of the face square, from which on its colours are those of hair


@dataclass(frozen=True)
class MusclesField:
    """Changes of units and shape controls, for each face of a batch.

    Attributes:
        units: ``[B,U]`` added to what a face shows, 1 = a full contraction; the order is that of ``load_rig().unit_names``. No
            muscle pushes: what goes below 0 is done by the muscles that pull the other way, :data:`ANTAGONISTS`.
        relax: ``[B,U]`` which share of what the face shows already is taken away before; negative shares exaggerate it. What it
            shows less of than faces at rest comes back by the smallest of a face's shares.
        controls: ``[B,C]`` of the shape, in the order of ``load_rig().control_names``.
        rest: a raster or velocity field for what no muscle does: colours, and free movement. None where there is nothing.
        meta: see :class:`flow_core.fields.base.FlowField`.
    """

    units: Tensor
    relax: Tensor
    controls: Tensor
    rest: Field | None = None
    meta: Mapping[str, object] = field(default_factory=dict)

    kind = "muscles"
    needs_face = True

    def __post_init__(self) -> None:
        rig = load_rig()
        for name, value, names in (
            ("units", self.units, rig.unit_names),
            ("controls", self.controls, rig.control_names),
        ):
            if value.ndim != 2 or value.shape[1] != len(names) or not len(value):
                raise FieldError(f"A muscles field needs {name} [B,{len(names)}], got {tuple(value.shape)}.")
            object.__setattr__(self, name, value.float())
        if not len(self.units) == len(self.relax) == len(self.controls) or (
            self.rest is not None and self.rest.batch != len(self.units)
        ):
            raise FieldError("Units, relaxed units, controls and rest of a muscles field must be of as many faces.")
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    @classmethod
    def of(cls, *amounts: Mapping[str, float], **meta: object) -> MusclesField:
        """From named amounts, one mapping for each face: ``MusclesField.of({"mouthSmile": 0.7, "eyeBlinkLeft": 1})``.

        Raises:
            UnknownMuscle: a name is unknown; the message says the nearest ones.
            FieldError: an amount is NaN or infinite.
        """
        rig = load_rig()
        rows = []
        for named in amounts or ({},):
            for name, value in named.items():
                if not math.isfinite(value):
                    raise FieldError(f"The amount of {name} is {value}; give a number, such as 0.5.")
            relaxed = {n.removeprefix(RELAX).strip(): v for n, v in named.items() if n.split(" ")[0] == RELAX}
            everything = relaxed.pop("", 0.0)
            units, controls = rig.split({n: v for n, v in named.items() if n.split(" ")[0] != RELAX})
            rows.append(
                (units, rig.unit_vector({**dict.fromkeys(rig.unit_names, everything), **_sided(relaxed)}), controls)
            )
        units, relax, controls = (torch.stack(column) for column in zip(*rows, strict=True))
        return cls(units, relax, controls, None, meta)

    @classmethod
    def zeros(cls, batch: int = 1, **meta: object) -> MusclesField:
        """The edit that changes nothing."""
        rig = load_rig()
        units, controls = (torch.zeros(batch, len(names)) for names in (rig.unit_names, rig.control_names))
        return cls(units, units.clone(), controls, None, meta)

    @property
    def amounts(self) -> list[dict[str, float]]:
        """The named amounts of each face that are not zero: units, controls, and what is relaxed. :meth:`of` reads them."""
        rig = load_rig()
        names = (*rig.unit_names, *rig.control_names, *(f"{RELAX} {n}" for n in rig.unit_names))
        rows = torch.cat([self.units, self.controls, self.relax], 1).cpu().numpy()
        # The shortest decimal that is the same float32, so that files are readable and load to the bit.
        return [{n: float(str(v)) for n, v in zip(names, row, strict=True) if v} for row in rows]

    def changes_lines(self, shown: Tensor, least: float = 0.1) -> bool:
        """Whether more than a little of what faces show, ``[B,U]``, may be taken away, or of their years; creases go with it."""
        years = [load_rig().control_names.index(n) for n in YEARS]
        gone = self.relax.clamp(min=0) * shown.clamp(min=0) + (-self.units).clamp(min=0).minimum(shown.clamp(min=0))
        return bool((gone > least).any() or self.controls[:, years].any())

    def shuts_eyes(self, least: float = 0.1) -> bool:
        """Whether it may shut eyes by more than a little; what then lies beside them is seen in the picture alone."""
        blinks = [i for i, name in enumerate(load_rig().unit_names) if name.startswith("eyeBlink")]
        return bool((self.units[:, blinks] > least).any())

    @property
    def batch(self) -> int:
        return len(self.units)

    @property
    def size(self) -> tuple[int, int]:
        return RASTER, RASTER

    @property
    def device(self) -> torch.device:
        return self.units.device

    def flow(self, feather: float = FEATHER, crop: Crop | None = None, fitted: FittedFace | None = None) -> MuscleFlow:
        """See :meth:`flow_core.fields.base.FlowField.flow`; the crop's landmarks are what the rig is fitted to.

        Args:
            fitted: the faces of the crop, where they have been fitted already, as from frame to frame of a clip.
        """
        if crop is None or crop.landmarks is None:
            raise FieldError(
                "A muscles field moves a fitted face, so it has to know the face: give the crop of FaceFlow Align Face with "
                "its landmarks, or convert the field to a raster on one face first."
            )
        count = max(self.batch, crop.batch)
        if {self.batch, crop.batch} - {1, count}:
            raise FieldError(f"{self.batch} fields do not fit {crop.batch} faces: give one for all, or one for each.")
        faces = _faces_of(crop) if fitted is None else [Face.of(crop, i, fitted) for i in range(crop.batch)]
        moved = []
        for i in range(count):
            at = i if crop.batch > 1 else 0
            face, one = faces[at], self.select(i % self.batch)
            looks = face.view is not None and fitted is None and one.relax.min() > 0
            face = _frowning_faces_of(crop)[at] if looks else face
            fine = crop.side[at] > SMALL or years_of(face.fitted.rig, one.controls[0]) > 0  # lines of the old are thin
            size = RASTER if fine else COARSE
            moved.append(moved_face(face, one, size, looked_at(face, one) if looks else None))
        rest = None if self.rest is None else self.rest.flow(feather, crop)
        covered = None if crop.covered is None else crop.covered.to(self.device)
        dyed = self.rest is not None and (self.rest.span > 1 or self.rest.size[0] >= HAIRS)
        return MuscleFlow(moved, rest, feather, self.device, covered, dyed)

    def raster(self, size: int | tuple[int, int] | None = None, crop: Crop | None = None) -> Field:
        """The offsets and colours as they are on one face. What the raster cannot hold is what was uncovered: the inside of a
        mouth that opens is drawn from the lips around it."""
        height, width = (size, size) if isinstance(size, int) else size or self.size
        points = pixel_centers(height, width, self.device)
        sample = self.flow(0.0, crop)(points)
        return Field(sample.offset, sample.color.expand(-1, -1, height, width).clone(), untinted(self.meta))

    def scale(self, shape: float = 1.0, color: float = 1.0) -> MusclesField:
        """Muscles and shapes times ``shape``: half a smile is half the contraction. Below 0 the muscles that pull the other way
        do it."""
        rest = None if self.rest is None else self.rest.scale(shape, color)
        units, relax, controls = (v * shape for v in (self.units, self.relax, self.controls))
        meta = self.meta if shape == color == 1 else {**_untold(self.meta), **times_tints(self.meta, color)}
        return replace(self, units=units, relax=relax, controls=controls, rest=rest, meta=meta)

    def select(self, index: int) -> MusclesField:
        one = slice(index, index + 1)
        rest, meta = None if self.rest is None else self.rest.select(index), self.meta
        if TINTS in meta and len(faces := meta[TINTS]["faces"]) > 1:
            meta = {**meta, TINTS: {**meta[TINTS], "faces": faces[one]}}
        units, relax, controls = self.units[one], self.relax[one], self.controls[one]
        return replace(self, units=units, relax=relax, controls=controls, rest=rest, meta=meta)

    def to(self, device: torch.device | str) -> MusclesField:
        rest = None if self.rest is None else self.rest.to(device)
        units, relax, controls = (v.to(device) for v in (self.units, self.relax, self.controls))
        return replace(self, units=units, relax=relax, controls=controls, rest=rest)

    def with_meta(self, **meta: object) -> MusclesField:
        return replace(self, meta={**self.meta, **meta})

    def mirrored(self) -> MusclesField:
        """Left and right exchanged."""
        rig = load_rig()
        swap, swap_controls = ([other_side(n, names) for n in names] for names in (rig.unit_names, rig.control_names))
        units, relax, controls = self.units[:, swap], self.relax[:, swap], self.controls[:, swap_controls]
        rest = self.rest
        if rest is not None:
            sign = rest.offset.new_tensor([-1.0, 1.0])[:, None, None]
            rest = replace(rest, offset=rest.offset.flip(-1) * sign, color=rest.color.flip(-1))
        return replace(self, units=units, relax=relax, controls=controls, rest=rest, meta=_untold(self.meta))

    def coefficients(self) -> Tensor:
        return torch.cat([self.units, self.relax, self.controls], 1)

    def with_coefficients(self, values: Tensor) -> MusclesField:
        count = self.units.shape[1]
        units, relax, controls = values[:, :count], values[:, count : 2 * count], values[:, 2 * count :]
        return replace(self, units=units, relax=relax, controls=controls, meta=_untold(self.meta))

    def require_finite(self) -> MusclesField:
        if not self.coefficients().isfinite().all():
            raise FieldError("The field holds NaN or infinite amounts; make it again or load another file.")
        if self.rest is not None:
            self.rest.require_finite()
        return self

    def save(self, path: str | Path) -> Path:
        """Write a safetensors file; names and amounts stand readably in its JSON, only the rest is in tensors."""
        tensors = {"faces": torch.tensor([self.batch])}  # safetensors before 0.5 reads no file without a tensor
        if self.rest is not None:
            tensors |= {"offset": self.rest.offset, "color": self.rest.color}
        kind = {} if self.rest is None else {"rest": self.rest.kind}
        if self.rest is not None and self.rest.span != 1:
            kind["span"] = self.rest.span
        return container.write(
            path, {**self.require_finite().meta, "muscles": self.amounts, **kind}, self.kind, tensors
        )

    @classmethod
    def from_file(cls, tensors: Mapping[str, Tensor], meta: dict[str, object], name: str) -> MusclesField:
        """From a file's tensors and metadata.

        Raises:
            FieldError: it holds no muscles, or names that this FaceFlow does not know.
        """
        faces, kind, tints = meta.pop("muscles", None), meta.pop("rest", None), meta.get(TINTS)
        span = {"span": meta.pop("span")} if "span" in meta else {}
        if not (isinstance(faces, list) and faces and all(isinstance(f, dict) for f in faces)):
            raise FieldError(f"{name} says that it holds muscles, but names none; save it again.")
        if tints is not None and not (
            isinstance(tints, dict)
            and isinstance(tints.get("times"), int | float)
            and isinstance(tints.get("faces"), list)
            and len(tints["faces"]) in (1, len(faces))
        ):
            raise FieldError(f"{name} says that it names colours, but none can be read; save it again.")
        try:
            made = cls.of(*({str(k): float(v) for k, v in face.items()} for face in faces), **meta)
        except (ValueError, TypeError, OverflowError, AttributeError) as e:
            raise FieldError(f"{name} holds muscles that this FaceFlow does not know: {e} Update FaceFlow.") from e
        return replace(made, rest=Field.reader(str(kind))(tensors, span, name)) if kind else made


# Crop -> its faces: an edit that is dragged asks again and again
_FACES, _FROWNING = (WeakIdKeyDictionary() for _ in range(2))


def _faces_of(crop: Crop) -> list[Face]:
    """The faces of a crop with landmarks, to which the rig was fitted."""

    def made() -> list[Face]:
        with torch.inference_mode(False):  # what is kept may be asked for outside of it
            fitted = fit_shown(crop.places)
            return [Face.of(crop, i, fitted) for i in range(crop.batch)]

    return kept_with(_FACES, crop, None, made)


def _frowning_faces_of(crop: Crop) -> list[Face]:
    """The same, whose brows are seen to be drawn together where they are, so that a frown goes with what else they show. An edit that adds to what
    they show does not ask: who squints a little may as well be taken for frowning, and would frown less."""

    def made() -> list[Face]:
        faces, together = _faces_of(crop), drawn_together(crop)
        if not together.any():
            return faces
        with torch.inference_mode(False):
            fitted = fit_shown(crop.places, together=together)
            return [replace(f, fitted=fitted.select(i)) if together[i] else f for i, f in enumerate(faces)]

    return kept_with(_FROWNING, crop, None, made)


def _untold(meta: Mapping[str, object]) -> dict[str, object]:
    """Metadata without what the field did, for one that does something else."""
    return {k: v for k, v in meta.items() if k != DID}


def untinted(meta: Mapping[str, object]) -> dict[str, object]:
    """Metadata without the names of colours, for a field whose raster is no longer theirs."""
    return {k: v for k, v in meta.items() if k != TINTS}


def times_tints(meta: Mapping[str, object], factor: float) -> dict[str, object]:
    """The names of colours in metadata, of a raster that is ``factor`` times as strong."""
    said = meta.get(TINTS)
    return {} if said is None else {TINTS: {**said, "times": said["times"] * factor}}


class MuscleFlow:
    """A muscles field on its faces; see :class:`flow_core.fields.base.Flow`."""

    def __init__(
        self, faces: Sequence[MovedFace | None], rest: Flow | None, feather: float, device: torch.device,
        covered: Tensor | None = None, dyed: bool = False,
    ) -> None:  # fmt: skip
        self.faces, self.rest, self.feather, self.device, self.covered = faces, rest, feather, device, covered
        self.matrix: Tensor | None = None
        self.colored = rest is not None and rest.colored
        self.dyed = dyed  # hair or all skin: a fringe or a hand covers the face as well, and is told from others when its colours are made
        self.span = 1.0 if rest is None else rest.span

    def __call__(self, points: Tensor) -> Sample:
        height, width = points.shape[1:3]
        weight = taper(points, self.feather)[:, None]
        if self.covered is not None:  # a hand before the face neither moves nor takes its colour
            count = self.covered.shape[-1]
            clear = 1 - sample_image(self.covered, points.expand(len(self.covered), -1, -1, -1) * count)
            weight = weight * clear
        nothing = points.new_zeros(1, 2, height, width), None, None, None  # to the bit
        asked = (
            nothing if face is None else face(points[i if len(points) > 1 else 0][None])
            for i, face in enumerate(self.faces)
        )
        offsets, *others = zip(*asked, strict=True)
        offset = _joined(offsets) * weight
        dark, painted, light = (_weighted(planes, weight) for planes in others)
        color = offset.new_zeros(()).expand(len(offset), 3, height, width)
        if self.rest is not None:
            # It belongs to the face as it was: red lips go where the lips go, and nothing is painted into an open mouth.
            more = self.rest(points + offset.movedim(1, -1))
            if self.colored:
                color = _covered(more.color, dark)
                color = color if self.covered is None or self.dyed else color * clear
                if painted is not None:  # make-up is on the skin of a lid that comes to light, too
                    painted = torch.cat([painted[:, :3] + color * painted[:, 3:], painted[:, 3:]], 1)
            offset = offset + more.offset
        if self.matrix is not None:
            offset = (self.matrix @ offset.flatten(2)).view_as(offset)
        return Sample(offset, color, dark, painted, light)

    def times(self, matrix: Tensor) -> MuscleFlow:
        made = copy(self)
        made.matrix = matrix if self.matrix is None else matrix @ self.matrix
        return made

    def sharp_boxes(self) -> list[Box]:
        return [box for face in self.faces if face is not None for box in face.boxes()]


def _weighted(planes: Sequence[Tensor | None], weight: Tensor) -> Tensor | None:
    """Planes ``[1,n,H,W]`` of some faces times ``weight``, zero where a face has none; None where no face has any."""
    there = next((p for p in planes if p is not None), None)
    if there is None:
        return None
    return _joined([torch.zeros_like(there) if p is None else p for p in planes]) * weight


def _joined(planes: Sequence[Tensor]) -> Tensor:
    """Planes ``[1,n,H,W]`` of some faces as ``[B,n,H,W]``, without a copy of a single one."""
    return planes[0] if len(planes) == 1 else torch.cat(planes)


def _covered(color: Tensor, dark: Tensor | None) -> Tensor:
    return color if dark is None else color * (1 - dark)


def looked_at(face: Face, field: MusclesField) -> Tensor:
    """:func:`units_after` of a field, batch 1, with which the picture of a face, its view, shows what is asked."""
    muscles = replace(field, controls=torch.zeros_like(field.controls), rest=None)

    def drawn(units: Tensor) -> MuscleFlow:
        return MuscleFlow([moved_face(face.small, muscles, COARSE, units)], None, FEATHER, face.view.device)

    relax, change = (v[0].to(face.landmarks) for v in (field.relax, field.units))
    return units_after(face.front, face.landmarks, relax, change, Look(face.view, drawn))


# Which units and controls belong to a region of :data:`flow_core.faces.regions.REGIONS`, by the beginning of their names
REGIONS: dict[str, tuple[str, ...]] = {
    "all": ("",),
    "mouth": ("mouth", "jaw", "tongue", "lips"),
    "lips": ("mouth", "lips"),
    "eyes": ("eye",),
    "eyelids": ("eyeBlink", "eyeWide", "eyeSquint", "eyelid"),
    "irises": ("eyeLook",),
    "under-eyes": ("eyeSquint", "eyeBag", "cheekSquint"),
    "brows": ("brow",),
    "nose": ("nose",),
    "cheeks": ("cheek"),
    "jaw": ("jaw", "chin", "tongue"),
    "skin": ("cheek", "nose", "chin", "forehead", "temple"),
}


def only_of(field: MusclesField, region: str, outside: bool = False) -> MusclesField:
    """The muscles and shapes of a region of the face, or all others. The rest stays as it is.

    A region of :data:`flow_core.faces.regions.REGIONS` without muscles of its own keeps none: nothing moves the hair.
    """
    rig, begins = load_rig(), REGIONS.get(region, ())
    units, controls = (
        torch.tensor([n.startswith(begins) != outside for n in names], device=field.device)
        for names in (rig.unit_names, rig.control_names)
    )
    return replace(field, units=field.units * units, relax=field.relax * units, controls=field.controls * controls)


def _sided(amounts: Mapping[str, float]) -> dict[str, float]:
    """Names without Left or Right written out as both, so that they replace what stands for all units."""
    rig = load_rig()
    return {n: v for name, v in amounts.items() for n in (rig.sides(name) or [name])}
