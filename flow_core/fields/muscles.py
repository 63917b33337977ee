"""Muscles fields: an edit as changes of face units and of the face's shape, which any fitted face makes its own.

What is stored are names and numbers. On a face, the anatomical rig (:mod:`flow_core.faces.rig`) is fitted to its landmarks,
its muscles move in 3D, and the picture follows in layers (:mod:`flow_core.fields.anatomy`). So half a strength is half the
contraction, another face smiles its own smile, and no resolution is stored.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..faces.fit import FittedFace, fit_faces, going_along
from ..faces.landmarks import AT, LIPS_INNER, WIDEN
from ..faces.read import UNITS, read_units
from ..faces.rig import Rig, load_rig
from ..faces.shading import Shading, shading
from ..faces.shown import mended
from ..geometry.grid import pixel_centers
from ..geometry.mesh import rasterise, vertex_normals
from ..geometry.sampling import sample_image
from ..threads import alone, suited
from . import container
from .anatomy import RASTER, Box, MovedFace
from .base import FEATHER, FieldError, Flow, FlowField, Sample, taper
from .face import Face, front, front_triangles
from .frown import frown_light
from .look import Look
from .opening import rounded
from .raster import Field
from .reach import (
    NARROW,
    bared,
    braked,
    camera_aside,
    eyelids_and_gaze,
    irises_seen,
    landmarks_after,
    lips_apart,
    lips_settled,
    lips_wanted,
    looking_together,
    meeting,
    of_mesh,
    own_eyes,
    reached,
    reaches,
    shutting,
    unsquinted,
)
from .smooth import smoothstep
from .teeth import BARED, Skull

if TYPE_CHECKING:
    from ..geometry.crop import Crop

MOST = 1.35  # of a unit after the edit; a face can overdo a little
RELAX = "relax"  # in named amounts: "relax mouthSmile" takes a share of what a face shows away, "relax" of all units
DID = "did"  # in metadata: what an edit does, by name
CONTROL_RANGE = 2.0
HAIRS = 192  # pixels of a raster along the face square, from which on its colours are those of hair
# A face square of up to so many pixels, as in video, needs no finer raster of its skin. Half of the usual one, so that what lies beyond the
# face is continued alike.
SMALL, COARSE = 450, RASTER // 2
# A mean of many faces smears their folds, so that a little more is given back; and no fold is darker than that.
LIGHT, LIGHTEST = 1.5, 0.28
GONE = 0.8  # of a unit that relaxes, from which on its folds are gone,
FADED = 0.92  # but for a trace, which a face at rest has too;
TRACE = 0.005  # and up to which nobody sees that they fade
# Controls that add years and take them away; how much of what years do to the light a whole one of them does; and by how much one
# deepens the lines that a face has, or lets them fade; in either direction. And the most that years do to the light
YEARS = {"faceOlder": 1.0, "older": 1.0, "younger": -1.0}
YEARS_LIGHT, YEARS_LINES, DARKEST = (1.3, 0.4), (0.6, 0.75), 0.6
FACING = 0.2, 0.7  # cosines between skin and view, from where on years are seen, and where they are seen as they are
FULLER = 0.4  # of the control "lipsLowerFuller", that a broad smile takes from the lower lip, and gives back
# Centimetres from the middle of a mouth, and below the nose, between which skin is drawn from lips that were a grin's to nose or chin as evenly as skin is
BETWEEN, BELOW_NOSE = (3.6, 6.0), (-1.0, 1.0)
PURSED = 0.6  # how far lips that are drawn together cover the lower teeth that would be seen otherwise
# How far units go to show in the picture what they should show by landmarks: a reader of pictures errs, too
TRUST = 0.5
LOOKS = 1  # at the picture, after each of which what it does not show as asked is mended
# Rig units for one unit as the reader reads it (MediaPipe's), so that an expression lands on another face as it was read
READ_SCALE = {
    "browDown": 1.6, "browInnerUp": 1.7, "browOuterUp": 1.7, "eyeBlink": 2.0, "eyeSquint": 2.0, "eyeLookIn": 1.8, "eyeLookOut": 1.8,
    "eyeLookUp": 1.8, "eyeLookDown": 1.8, "jawOpen": 1.4, "mouthPucker": 1.6, "mouthLowerDown": 1.4, "mouthUpperUp": 1.4,
    "mouthPress": 1.5, "mouthRollLower": 1.5, "mouthRollUpper": 1.5, "mouthStretch": 1.4, "mouthFrown": 1.5,
}  # fmt: skip


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
        places = crop.places
        faces = fit_shown(places) if fitted is None else fitted
        moved = []
        for i in range(count):
            at = i if crop.batch > 1 else 0
            size = RASTER if crop.side[at] > SMALL else COARSE
            face, one = Face.of(crop, at, faces), self.select(i % self.batch)
            looks = face.view is not None and fitted is None and one.relax.min() > 0
            moved.append(moved_face(face, one, size, looked_at(face, one) if looks else None))
        rest = None if self.rest is None else self.rest.flow(feather, crop)
        covered = None if crop.covered is None else crop.covered.to(self.device)
        dyed = self.rest is not None and self.rest.size[0] >= HAIRS * self.rest.span
        return MuscleFlow(moved, rest, feather, self.device, covered, dyed)

    def raster(self, size: int | tuple[int, int] | None = None, crop: Crop | None = None) -> Field:
        """The offsets and colours as they are on one face. What the raster cannot hold is what was uncovered: the inside of a
        mouth that opens is drawn from the lips around it."""
        height, width = (size, size) if isinstance(size, int) else size or self.size
        points = pixel_centers(height, width, self.device)
        sample = self.flow(0.0, crop)(points)
        return Field(sample.offset, sample.color.expand(-1, -1, height, width).clone(), self.meta)

    def scale(self, shape: float = 1.0, color: float = 1.0) -> MusclesField:
        """Muscles and shapes times ``shape``: half a smile is half the contraction. Below 0 the muscles that pull the other way
        do it."""
        rest = None if self.rest is None else self.rest.scale(shape, color)
        units, relax, controls = (v * shape for v in (self.units, self.relax, self.controls))
        meta = self.meta if shape == color == 1 else _untold(self.meta)
        return replace(self, units=units, relax=relax, controls=controls, rest=rest, meta=meta)

    def select(self, index: int) -> MusclesField:
        one = slice(index, index + 1)
        rest = None if self.rest is None else self.rest.select(index)
        return replace(self, units=self.units[one], relax=self.relax[one], controls=self.controls[one], rest=rest)

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
        faces, kind = meta.pop("muscles", None), meta.pop("rest", None)
        span = {"span": meta.pop("span")} if "span" in meta else {}
        if not (isinstance(faces, list) and faces and all(isinstance(f, dict) for f in faces)):
            raise FieldError(f"{name} says that it holds muscles, but names none; save it again.")
        try:
            made = cls.of(*({str(k): float(v) for k, v in face.items()} for face in faces), **meta)
        except (ValueError, TypeError, OverflowError, AttributeError) as e:
            raise FieldError(f"{name} holds muscles that this FaceFlow does not know: {e} Update FaceFlow.") from e
        return replace(made, rest=Field.reader(str(kind))(tensors, span, name)) if kind else made


def _untold(meta: Mapping[str, object]) -> dict[str, object]:
    """Metadata without what the field did, for one that does something else."""
    return {k: v for k, v in meta.items() if k != DID}


class MuscleFlow:
    """A muscles field on its faces; see :class:`flow_core.fields.base.Flow`."""

    def __init__(
        self, faces: Sequence[MovedFace | None], rest: Flow | None, feather: float, device: torch.device,
        covered: Tensor | None = None, dyed: bool = False,
    ) -> None:  # fmt: skip
        self.faces, self.rest, self.feather, self.device, self.covered = faces, rest, feather, device, covered
        self.matrix: Tensor | None = None
        self.colored = rest is not None and rest.colored
        self.dyed = dyed  # hair: a fringe covers the face as well, and is told from a hand when its colours are made
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
        offset = torch.cat(offsets) * weight
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

    def max_offset(self) -> tuple[float, float]:
        """The largest offset on a lattice, and a quarter more: between its points a layer may reach farther than on them."""
        one = copy(self)
        one.faces, one.covered = self.faces[:1], None if self.covered is None else self.covered[:1]
        longest = one(pixel_centers(128, 128, self.device))[0][0].abs().amax((1, 2)) * 1.25
        return tuple(
            (longest + 0.005 * (longest > 0) * (1 if self.matrix is None else self.matrix.norm() / 2**0.5)).tolist()
        )

    def sharp_boxes(self) -> list[Box]:
        return [box for face in self.faces if face is not None for box in face.boxes()]


ANTAGONISTS = {  # unit -> which muscles pull the other way, and how much of them for 1 of it
    "mouthSmile": {"mouthFrown": 0.8}, "mouthFrown": {"mouthSmile": 0.6}, "mouthPucker": {"mouthStretch": 0.6},
    "mouthStretch": {"mouthPucker": 0.6}, "mouthFunnel": {"mouthPress": 0.5}, "mouthPress": {"mouthFunnel": 0.3},
    "browDown": {"browOuterUp": 0.6, "browInnerUp": 0.4}, "browInnerUp": {"browDown": 0.5}, "browOuterUp": {"browDown": 0.5},
    "eyeWide": {"eyeSquint": 0.7}, "eyeSquint": {"eyeWide": 0.4}, "eyeBlink": {"eyeWide": 0.4},
    "eyeLookUp": {"eyeLookDown": 1.0}, "eyeLookDown": {"eyeLookUp": 1.0}, "eyeLookIn": {"eyeLookOut": 1.0},
    "eyeLookOut": {"eyeLookIn": 1.0}, "jawLeft": {"jawRight": 1.0}, "jawRight": {"jawLeft": 1.0}, "mouthLeft": {"mouthRight": 1.0},
    "mouthRight": {"mouthLeft": 1.0},
}  # fmt: skip


@functools.lru_cache(maxsize=1)
def _opposite() -> Tensor:
    """:data:`ANTAGONISTS` as a matrix ``[U,U]``: row of a unit, columns of those that pull the other way."""
    names = load_rig().unit_names
    with torch.inference_mode(False):
        matrix = torch.zeros(len(names), len(names))
        for one, others in ANTAGONISTS.items():
            for side in ("", "Left", "Right"):
                if one + side not in names:
                    continue
                for other, share in others.items():
                    for name in (other + side,) if other + side in names else (other, other + "Left", other + "Right"):
                        if name in names:
                            matrix[names.index(one + side), names.index(name)] = share
        return matrix


def _weighted(planes: Sequence[Tensor | None], weight: Tensor) -> Tensor | None:
    """Planes ``[1,n,H,W]`` of some faces times ``weight``, zero where a face has none; None where no face has any."""
    there = next((p for p in planes if p is not None), None)
    if there is None:
        return None
    return torch.cat([torch.zeros_like(there) if p is None else p for p in planes]) * weight


def _covered(color: Tensor, dark: Tensor | None) -> Tensor:
    return color if dark is None else color * (1 - dark)


def fit_shown(landmarks: Tensor, warm: FittedFace | None = None) -> FittedFace:
    """The rig fitted to faces, with the units that they show as the reader of units sees them, less what faces at rest show,
    times :data:`READ_SCALE`. Below 0 a face shows less than that, such as lids wide open.

    Args:
        landmarks: ``[B,161,2]`` crop points.
        warm: the fit of the same faces a frame earlier.
    """
    with suited(len(landmarks) == 1):
        return fit_faces(landmarks, warm, read_shown(landmarks).clamp(max=1))


def read_shown(landmarks: Tensor, read: Tensor | None = None) -> Tensor:
    """Units ``[B,U]`` of the rig that the reader sees in ``landmarks [B,161,2]``, or that were ``read [B,52]`` otherwise, beyond those of
    faces at rest; above 1 where more is read than one contraction of the rig makes."""
    rig = load_rig()
    read = read_units(landmarks) if read is None else read
    units = read.new_zeros(len(read), len(rig.unit_names))
    units[:, _read_at()] = _read_scale().to(read) * (read - _resting().to(read))
    return units


@functools.lru_cache(maxsize=1)
def _read_at() -> list[int]:
    """Where each of ``UNITS`` stands among the units of the rig."""
    return [load_rig().unit_names.index(n) for n in UNITS]


@functools.lru_cache(maxsize=1)
def _read_scale() -> Tensor:
    """:data:`READ_SCALE` in the order of ``UNITS``."""
    with torch.inference_mode(False):
        return torch.tensor([READ_SCALE.get(n.removesuffix("Left").removesuffix("Right"), 1.0) for n in UNITS])


@functools.lru_cache(maxsize=1)
def _floor() -> Tensor:
    """``[U]`` how far each unit goes below that of a face at rest: to where the muscle is slack, and the reader reads 0."""
    rig = load_rig()
    with torch.inference_mode(False):
        floor = torch.zeros(len(rig.unit_names))
        floor[[rig.unit_names.index(n) for n in UNITS]] = -_read_scale() * _resting()
        return floor


@functools.lru_cache(maxsize=1)
def _resting() -> Tensor:
    """What the reader sees in faces at rest, ``[52]``: eyes are read as squinting a little, lids as a little shut."""
    rig = load_rig()
    with torch.inference_mode(False):
        neutral = rig.means[rig.emotions.index("neutral")]
        return neutral[[rig.unit_names.index(n) for n in UNITS]].clamp(0, 0.6)


def target_units(shown: Tensor, relax: Tensor, change: Tensor) -> Tensor:
    """Units ``[U]`` after an edit, within what a face can do; what it shows already is never a reason to change it."""
    # Single muscles that relax lose tension; only with the whole face do they also come back up to what is usual at rest.
    whole = relax.min().clamp(0, 1)
    kept = torch.where(
        shown < 0, shown * (1 - whole * _comes_back(bool(change.any())).to(shown)), shown * (1 - relax).clamp(0, 2)
    )
    # A full contraction is one, however slack the muscle was.
    wanted = kept + change + (-kept).clamp(min=0) * change.clamp(0, 1)
    floor = torch.minimum(_floor().to(wanted), shown)
    wanted = torch.maximum(wanted, floor) + (floor - wanted).clamp(min=0) @ _opposite().to(wanted)
    return torch.minimum(wanted, shown.clamp(min=MOST))


@functools.lru_cache(maxsize=2)
def _comes_back(copied: bool) -> Tensor:
    """``[U]``: 1 for units that come up to what is usual at rest where the whole face relaxes; 0 for those that narrow the eyes.

    Eyes of children and of many others are wider at rest than the mean is, and nobody asks for sleepy ones. Nor for a sterner face, where an
    expression is only taken away; an expression that is ``copied`` may be a sterner one.
    """
    stays = NARROW if copied else (*NARROW, "browDown")
    with torch.inference_mode(False):
        return torch.tensor([float(not n.startswith(stays)) for n in load_rig().unit_names])


def units_after(face: FittedFace, landmarks: Tensor, relax: Tensor, change: Tensor, look: Look | None = None) -> Tensor:
    """Units ``[U]`` of a face after an edit.

    Where the whole face relaxes, an expression is asked for as it was read, that of somebody else or none: then the units are
    found with which this face is read so. Other edits move muscles by what they say.

    Args:
        face: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        relax: ``[U]`` and
        change: ``[U]`` of the field.
        look: at the face's picture, in which what is asked is to be read; None: in its landmarks alone.
    """
    shown = face.units[0]
    start = braked(face, landmarks, target_units(shown, relax, change))
    whole = relax.min().clamp(0, 1)
    if whole == 0:
        return meeting(face, landmarks, shutting(face, landmarks, start, relax, change))
    at = _read_at()
    read = read_units(landmarks[None])[0] if look is None else look.before
    rest = _resting().to(landmarks) - read
    rest = torch.minimum(rest, rest * _comes_back(bool(change.any())).to(rest)[at])
    asked = (whole * rest + change[at] / _read_scale().to(landmarks)) / reaches().to(landmarks)
    now = lips_apart(landmarks)[0]
    parted = lips_wanted(face.rig, change, now) + (1 - whole) * now
    low, high = torch.minimum(_floor().to(shown), shown).minimum(start), shown.clamp(min=MOST)
    low, high, shares = own_eyes(face.rig, shown, start, low, high)
    low = unsquinted(face, landmarks, start, change, low)
    asked, start = asked * torch.where(asked > 0, *shares[:, at]), start.clamp(low, high)
    high = torch.maximum(bared(face, start, high), low)

    camera, seen = camera_aside(face)[0], irises_seen(landmarks)

    def found(missing: Tensor, since: Tensor, start: Tensor, low: Tensor, high: Tensor) -> Tensor:
        units = reached(face, landmarks, missing, parted, start, low, high, since)
        return braked(face, landmarks, looking_together(shown, units, change, face.rig.unit_names, camera, seen))

    first = after = found(asked, landmarks, start, low, high)
    low, high = torch.maximum(low, first - TRUST), torch.minimum(high, first + TRUST)
    for _ in range(LOOKS if look is not None else 0):
        missing = mended(read + asked - look.after(after))
        after = found(missing, landmarks_after(face, landmarks, after[None])[0], first, low, high)
    return after


@alone()  # hundreds of small operations
def moved_face(face: Face, field: MusclesField, size: int = RASTER, after: Tensor | None = None) -> MovedFace | None:
    """A face with its muscles and its shape changed; None where nothing changes.

    Args:
        face: the face.
        field: batch 1.
        size: of the raster of the skin's offsets, pixels a side.
        after: ``[U]`` units; None: those of :func:`units_after`.
    """
    if not field.coefficients().any():
        return None
    fitted, landmarks = face.front, face.landmarks
    part, shown = fitted.rig, fitted.units[0]
    names = part.unit_names
    units, relax, controls = (v[0].to(part.device) for v in (field.units, field.relax, field.controls))
    controls = controls.clamp(-CONTROL_RANGE, CONTROL_RANGE)
    after = units_after(fitted, landmarks, relax, units) if after is None else after
    controls = controls + _fuller(part) * (shown - after)[
        [names.index("mouthSmile" + side) for side in ("Left", "Right")]
    ].mean().clamp(0, 1)
    shaping = bool(controls.any())
    mesh = fitted.vertices(  # before and after, read from the rig at once
        torch.stack([shown, shown + (after - shown) * of_mesh(part)]),
        torch.stack([torch.zeros_like(controls), controls]) if shaping else None,
    )
    points, depth = fitted.project(mesh[:1])
    change = fitted.turned(mesh[1:] - mesh[:1])[0]
    moved = landmarks + part.landmarks(change[:, :2])
    rounds = rounded(landmarks, moved, points[0] + change[:, :2])
    if rounds is not None:
        change[:, :2] += rounds
        moved = landmarks + part.landmarks(change[:, :2])
    grinned = lips_settled(fitted, landmarks, moved[None], after[None])
    if grinned is not None:
        share, missed = grinned
        along, between = _lips_take_along(face.fitted.rig)
        missed = share * missed
        beside, between = (torch.stack([missed, moved + missed - landmarks]).mT @ along).mT, share * between
        change[:, :2] = torch.lerp(change[:, :2] + beside[0], beside[1], between)
        moved = landmarks + part.landmarks(change[:, :2])
    seen = rasterise(points[0] + change[:, :2], depth[0] + change[:, 2], part.triangles, size)
    teeth = 0.0, 0.0
    if shaping:  # teeth go where the shape takes the mouth
        corners = torch.cat([part.rings["lips_inner_upper"][[0, -1]], part.rings["lips_outer_upper"][[0, -1]]])
        shaped = fitted.turned(part.moved(torch.zeros_like(shown), controls)[None])[0]
        teeth = tuple(shaped[corners, :2].mean(0).tolist())
    lids, gaze = eyelids_and_gaze(shown, after, names)
    skull, shift, folds = None, -change[:, :2], None
    if face.colors is not None:
        shift = torch.cat([shift, _lit(face, after, controls)], 1)
        drawn = (after - shown)[[names.index("browTogether" + side) for side in ("Left", "Right")]]
        folds = frown_light(drawn, part.neutral, part.triangles, seen)
        skull = _skull(face, after)
    return MovedFace(face, moved, shift, part.triangles, seen, lids, gaze, teeth, skull, folds)


def _lit(face: Face, after: Tensor, controls: Tensor) -> Tensor:
    """How the light changes at the vertices of a face with units ``after [U]`` and ``controls [C]``, ``[n,1]``; ``[n,2]`` with how far creases fade
    where any do, or deepen, see :class:`flow_core.fields.anatomy.MovedFace`."""
    fitted, lit = face.front, _shading(load_rig())
    shown, part = fitted.units[0], fitted.rig
    change = (after - shown) @ lit.light.to(shown)
    years = sum(share * controls[part.control_names.index(n)].item() for n, share in YEARS.items())
    way = int(years < 0)
    gone = (shown.clamp(min=0) - after.clamp(min=0)).clamp(min=0)
    fading = None
    if gone.any():
        fading = ((gone / GONE).clamp(max=1) @ lit.creases.to(shown)).clamp(max=FADED)
        if (
            face.creases is not None
        ):  # what the picture shows of an expression goes; a mean of many would go with it a second time
            change = change + fading * (gone @ lit.light.to(shown))
    light = LIGHTEST * torch.tanh(change * (LIGHT / LIGHTEST))
    if years:  # less of them where a cheek that turns away from us is all in a few pixels
        seen = years * smoothstep(_normals(part) @ fitted.rotation[0, 2], *FACING)
        light = light + DARKEST * torch.tanh(YEARS_LIGHT[way] * seen * lit.years.to(shown) / DARKEST)
        fading = ((0.0 if fading is None else fading) - YEARS_LINES[way] * seen * lit.skin.to(shown)).clamp(-1, FADED)
    fades = fading is not None and face.creases is not None and fading.abs().max() > TRACE
    return torch.stack([light, fading] if fades else [light], 1)


@functools.lru_cache(maxsize=2)
def _lips_take_along(rig: Rig) -> tuple[Tensor, Tensor]:
    """How the vertices of the front go along with landmarks ``[161,n]``, see :func:`flow_core.faces.fit.going_along`, and which of them lie
    between lips and nose or chin ``[n,1]``, 0..1."""
    with torch.inference_mode(False):
        part, vertices = front(rig)
        x, y, _ = part.neutral.T
        nose = rig.landmarks(rig.neutral)[AT[2], 1]
        between = (1 - smoothstep(x.abs(), *BETWEEN)) * smoothstep(y - nose, *BELOW_NOSE)
        return going_along(rig)[:, vertices].contiguous(), between[:, None]


@functools.lru_cache(maxsize=2)
def _fuller(rig: Rig) -> Tensor:
    """``[C]``: how the shape of lips changes where a smile goes: it drew the lower one out by a sixth of its height."""
    with torch.inference_mode(False):
        return rig.split({"lipsLowerFuller": FULLER})[1].to(rig.device)


def _skull(face: Face, after: Tensor) -> Skull:
    """What of a face with colours stays where it is where it has units ``after [U]``."""
    shown, names = face.fitted.units[0], face.fitted.rig.unit_names
    at = [AT[LIPS_INNER[15]], AT[LIPS_INNER[5]]]  # the middles of the upper and of the lower lip
    lips, jaw, tilts = (v.to(shown) for v in _lips_and_jaw(load_rig()))
    # Where lips are at rest, how the jaw has moved, how it moves, and a centimetre along each axis.
    moves = (*(shown @ lips), after @ jaw, (after - shown) @ jaw, *torch.eye(3).to(shown))
    turned = face.fitted.turned(torch.stack(moves)[None])[0, :, :2].double().cpu().numpy()
    lip, low = face.landmarks[at].double().cpu().numpy() - turned[:2]
    pursed = sum(after[names.index(n)].clamp(0, 1).item() for n in ("mouthPucker", "mouthFunnel"))
    return Skull(
        lip, turned[4:], face.colors, low + turned[2], float(after @ tilts), tuple(turned[3].tolist()),
        BARED * (1 - PURSED * min(pursed, 1.0)), face.landmarks,
    )  # fmt: skip


def looked_at(face: Face, field: MusclesField) -> Tensor:
    """:func:`units_after` of a field, batch 1, with which the picture of a face, its view, shows what is asked."""
    muscles = replace(field, controls=torch.zeros_like(field.controls), rest=None)
    small = replace(face, pixel=WIDEN / face.view.shape[-1])

    def drawn(units: Tensor) -> MuscleFlow:
        return MuscleFlow([moved_face(small, muscles, COARSE, units)], None, FEATHER, face.view.device)

    relax, change = (v[0].to(face.landmarks) for v in (field.relax, field.units))
    return units_after(face.front, face.landmarks, relax, change, Look(face.view, drawn))


@functools.lru_cache(maxsize=1)
def _lips_and_jaw(rig: Rig) -> tuple[Tensor, Tensor, Tensor]:
    """How each unit moves the middles of the upper and of the lower lip ``[2,U,3]`` and the lower front teeth ``[U,3]``, centimetres, and
    by how much less it lowers teeth a centimetre behind those ``[U]``."""
    with torch.inference_mode(False):
        gain = rig.gain[:, None] * of_mesh(rig)[:, None]
        at = [AT[LIPS_INNER[15]], AT[LIPS_INNER[5]]]
        lips = (rig.units[:, rig.landmark_index[at]] * rig.landmark_weight[at][..., None]).sum(2) * gain[:, None]
        edge = rig.vertices_of("teeth_lower")
        edge = edge[rig.neutral[edge, 1] < rig.neutral[edge, 1].min() + 0.7]
        depth = rig.neutral[edge, 2]
        front, back = edge[depth > depth.max() - 0.2], edge[depth < depth.min() + 0.5]
        first, last = (rig.units[:, v].mean(1) * gain for v in (front, back))
        behind = rig.neutral[front, 2].mean() - rig.neutral[back, 2].mean()
        return lips.movedim(1, 0).contiguous(), first, (first - last)[:, 1] / behind


@functools.lru_cache(maxsize=2)
def _normals(part: Rig) -> Tensor:
    with torch.inference_mode(False):
        return vertex_normals(part.neutral, part.triangles)


@functools.lru_cache(maxsize=1)
def _shading(rig: Rig) -> Shading:
    """How units change the light at the vertices of the front, see :func:`flow_core.fields.face.front`."""
    return shading(rig, front(rig)[1])


def other_side(name: str, names: Sequence[str]) -> int:
    """Index of the unit or control of the other side of the face; its own where it has none."""
    swapped = re.sub(r"(Left|Right)$", lambda m: "Right" if m[0] == "Left" else "Left", name)
    # jawLeft and mouthLeft go to a side instead of being on one, and that is exchanged by a mirror too
    return names.index(swapped) if swapped in names else names.index(name)


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


ALIKE = 0.06  # by which two sides may differ that are told as one: nobody sees it


def what_it_does(field: MusclesField, most: int = 8) -> str:
    """The strongest muscles of a field by name, ``"mouthSmile 0.62, cheekSquintLeft 0.40"``; faces apart by a bar. Left and right
    are one where they are alike. A face that is recoloured too is said to have ``colours``."""
    rows = [_said(amounts, most) for amounts in field.amounts]
    if field.rest is not None:
        painted = field.rest.color.abs().amax((1, 2, 3)) > 0.005
        rows = [
            ("colours" if said == "nothing" else f"{said}, colours") if p else said
            for said, p in zip(rows, painted.tolist(), strict=True)
        ]
    return " | ".join(rows)


def telling(field: FlowField) -> FlowField:
    """The field with what it does by name in its metadata, as :data:`DID`; fields of pixels stay as they are."""
    return field.with_meta(**{DID: what_it_does(field)}) if isinstance(field, MusclesField) else field


def told(field: FlowField) -> str:
    """What :func:`telling` wrote into a field; of fields that have no muscles that they move pixels."""
    return str(field.meta.get(DID, "")) or ("" if isinstance(field, MusclesField) else "moves pixels, no muscles")


def _said(amounts: Mapping[str, float], most: int) -> str:
    named: dict[str, float] = {}
    moves = {n: v for n, v in amounts.items() if not n.startswith(RELAX)}
    relaxed = {amounts.get(f"{RELAX} {n}", 0.0) for n in load_rig().unit_names}
    if not moves and len(relaxed) == 1 and any(relaxed):
        return f"{RELAX} {relaxed.pop():.2f}"  # all alike: one word for all
    amounts = moves or amounts  # what is only relaxed is of interest where nothing else is done
    for name, value in amounts.items():
        both = name.removesuffix("Left").removesuffix("Right")
        if name.endswith("Right") and abs(amounts.get(both + "Left", 9.0) - value) < ALIKE:
            continue
        alike = name.endswith("Left") and abs(amounts.get(both + "Right", 9.0) - value) < ALIKE
        named[both if alike else name] = value
    strongest = sorted(named.items(), key=lambda item: -abs(item[1]))[:most]
    return ", ".join(f"{name} {value:.2f}" for name, value in strongest if abs(value) >= 0.005) or "nothing"


def _sided(amounts: Mapping[str, float]) -> dict[str, float]:
    """Names without Left or Right written out as both, so that they replace what stands for all units."""
    rig = load_rig()
    return {n: v for name, v in amounts.items() for n in (rig.sides(name) or [name])}
