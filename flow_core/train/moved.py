"""Training faces whose muscles and shape the rig has moved: ``python -m flow_core.train moved --data DIR --out FILE``.

A real face moved by known muscles is a picture with a perfect label. Each face is rendered once or more, by
the very warp that edits use, opened mouths and closed eyes included; what is kept is the picture, which face it was, the
change of each unit and of each control, and where the landmarks went. It takes minutes; training reads the file in place.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..atomic import replacing
from ..editing.named import covariance
from ..faces.landmarks import AT, EYES, IRISES
from ..faces.rig import load_rig
from ..fields.anatomy import MovedFace
from ..fields.curves import TABLE
from ..fields.expressions import PRESETS
from ..fields.face import Face
from ..fields.moved import COARSE, CONTROL_RANGE, moved_face
from ..fields.muscles import MusclesField
from ..fields.named_units import of_mesh
from ..fields.units import fit_shown, units_after
from ..geometry.grid import pixel_centers
from ..geometry.sampling import sample_image
from . import data
from .guide_objective import sampling_weights
from .views import Views

SIDE = 128  # pixels of a picture
WIDEN = data.WIDE  # sides of a picture in sides of the crop, so that views of it may stray
HIDDEN = ("tongueOut", "mouthClose")  # units that move nothing that a guide could see
GAZE = {"look left": ["eyeLookOutLeft", "eyeLookInRight"], "look right": ["eyeLookInLeft", "eyeLookOutRight"]}
OFTEN = ("browDown", "browTogether", "browInnerUp", "browOuterUp", "jawOpen", "mouthSmile", "mouthFrown", "noseSneer")


@dataclass(frozen=True)
class Moved:
    """Moved faces.

    Attributes:
        pictures: ``[M,3,128,128]`` uint8, views of :data:`WIDEN` crop sides.
        face: ``[M]`` long, which face of the training (or of the held-out) ones each is.
        units: ``[M,U]`` how much each unit of the rig has changed, and
        controls: ``[M,C]`` each shape control.
        places: ``[M,161,2]`` landmarks in crop points, as they were moved.
    """

    pictures: Tensor
    face: Tensor
    units: Tensor
    controls: Tensor
    places: Tensor

    def __len__(self) -> int:
        return len(self.face)


def read(path: Path) -> dict[str, Moved]:
    """The ``train`` and ``test`` faces of a file that :func:`main` wrote. Pictures stay on the disk until they are asked for.

    Raises:
        SystemExit: it was made for another rig.
    """
    from safetensors import safe_open

    rig = load_rig()
    with safe_open(path, "pt") as file:
        names = json.loads((file.metadata() or {}).get("faceflow", "{}"))
        if names != {"units": list(rig.unit_names), "controls": list(rig.control_names)}:
            raise SystemExit(
                f"{path} holds no faces moved by this rig; make it anew with: python -m flow_core.train moved"
            )
        return {
            part: Moved(
                *(file.get_tensor(f"{part}_{name}") for name in ("pictures", "face")),
                *(file.get_tensor(f"{part}_{name}").float() for name in ("units", "controls", "places")),
            )
            for part in ("train", "test")
        }


def random_field(count: int, g: torch.Generator) -> MusclesField:
    """Random edits of ``count`` faces: single muscles, a few shape controls, expressions, and mixtures that faces make."""
    rig = load_rig()
    units, relax = torch.zeros(count, len(rig.unit_names)), torch.zeros(count, len(rig.unit_names))
    controls = torch.zeros(count, len(rig.control_names))
    single = {n: sides for n, sides in _together(rig.unit_names).items() if n not in HIDDEN} | GAZE
    shapes = _together(rig.control_names)
    often = torch.tensor([3.0 if n in OFTEN else 1.0 for n in single])
    presets = [MusclesField.of(p) for p in PRESETS.values()]
    root = torch.linalg.cholesky(covariance(1.0, 1.0) + 1e-6 * torch.eye(units.shape[1] + controls.shape[1]))

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=g).item()

    def one_of(names: dict[str, list[str]], weight: Tensor | None = None) -> list[str]:
        weight = torch.ones(len(names)) if weight is None else weight
        return list(names.values())[int(torch.multinomial(weight, 1, generator=g))]

    def some_sides(sides: list[str], share: float) -> list[str]:
        return [sides[int(uniform(0, 2))]] if len(sides) == 2 and uniform(0, 1) < share else sides

    for i in range(count):
        kind = uniform(0, 1)
        if kind < 0.40:
            for _ in range(1 if uniform(0, 1) < 0.65 else 2):
                amount = uniform(0.25, 1.2) * (1 if uniform(0, 1) < 0.85 else -0.7)
                for name in some_sides(one_of(single, often), 0.4):
                    units[i, rig.unit_names.index(name)] += amount
        elif kind < 0.55:
            preset, amount = presets[int(uniform(0, len(presets)))], uniform(0.25, 1.2)
            units[i], relax[i] = preset.units[0] * amount, preset.relax[0] * min(amount, 1.0)
            if uniform(0, 1) < 0.2:
                single_side = some_sides(one_of(single), 0.4)
                units[i, [rig.unit_names.index(n) for n in single_side]] += uniform(-0.5, 0.8)
        elif kind < 0.72:
            units[i] = (root @ torch.randn(len(root), generator=g))[: units.shape[1]] * uniform(0.6, 2.2)
        if kind >= 0.72 or uniform(0, 1) < 0.12:
            for _ in range(1 + int(uniform(0, 2.5))):
                amount = torch.randn((), generator=g).item() * 0.9
                for name in some_sides(one_of(shapes), 0.08):
                    controls[i, rig.control_names.index(name)] += amount
    return MusclesField(units, relax, controls.clamp(-CONTROL_RANGE, CONTROL_RANGE))


def _together(names: tuple[str, ...]) -> dict[str, list[str]]:
    """Left and right as one, but for those that go to a side instead of being on one."""
    groups: dict[str, list[str]] = {}
    for name in names:
        both = name.removesuffix("Left").removesuffix("Right")
        groups.setdefault(name if both in ("jaw", "mouth") else both, []).append(name)
    return groups


@torch.no_grad()
def render(views: Views, index: Tensor, field: MusclesField) -> Moved:
    """Faces ``index [n]`` moved by a field of batch n."""
    places = views.points[index]
    faces, rig = fit_shown(places), load_rig()
    center = 0.5 + WIDEN * (pixel_centers(SIDE, SIDE) - 0.5)
    near = (1.04 - 2 * (center - 0.5).abs().amax(-1)).div(0.16).clamp(0, 1)  # edits fade out towards the crop's border
    offset, dark = torch.zeros(len(index), 2, SIDE, SIDE), torch.zeros(len(index), 1, SIDE, SIDE)
    after = torch.stack(
        [units_after(faces.select(i), places[i], field.relax[i], field.units[i]) for i in range(len(index))]
    )
    mesh = torch.where(of_mesh(rig), after, faces.units)
    landmarks = [rig.landmarks(faces.project(faces.vertices(*muscles))[0]) for muscles in ((), (mesh, field.controls))]
    moved = places + landmarks[1] - landmarks[0]
    for i in range(len(index)):
        one = moved_face(Face(faces.select(i), places[i]), field.select(i), COARSE)
        if one is not None:
            found, shade, *_ = one(center)
            offset[i] = found[0] * near
            dark[i] = 0 if shade is None else shade[0] * near
            moved[i] = _with_eyes(one, moved[i])
    inverse = views.inverse[index]
    source = center + offset.movedim(1, -1)
    source = source @ inverse[:, None, :2, :2].mT + inverse[:, None, None, :2, 2]
    source = data.STORED - (data.STORED - source.abs()).abs()
    pictures = sample_image(views.faces.images[index].float() / 255, source) * (1 - dark)
    pictures = (pictures.clamp(0, 1) * 255).round().byte()
    return Moved(pictures, index, after - faces.units, field.controls, moved)


def _with_eyes(face: MovedFace, moved: Tensor) -> Tensor:
    """Moved landmarks ``[161,2]`` with what lids and gaze do, which the mesh does not show."""
    moved = moved.clone()
    for eye, contour, iris in zip(face.eyes, EYES, IRISES, strict=True):
        at = [AT[i] for i in contour]
        a, b = eye.target.to(*moved[at].unbind(-1))
        column = (a / eye.target.length).clamp(0, 1).mul(TABLE - 1).round().long()
        top, bottom = (eye.lids[i + 2] - eye.lids[i] for i in (0, 1))
        upper = b < (eye.lids[0] + eye.lids[1])[column] / 2
        moved[at] = torch.stack(eye.target.back(a, b + torch.where(upper, top[column], bottom[column])), -1)
        at = [AT[i] for i in iris]
        a, b = eye.target.to(*moved[at].unbind(-1))
        moved[at] = torch.stack(eye.target.back(a + eye.gaze[0], b + eye.gaze[1]), -1)
    return moved


def unmoved(views: Views, index: Tensor) -> Tensor:
    """Pictures ``[n,3,128,128]`` 0..1 of faces as they are, sampled like those of :class:`Moved`."""
    center = 0.5 + WIDEN * (pixel_centers(SIDE, SIDE) - 0.5)
    inverse = views.inverse[index]
    source = center @ inverse[:, None, :2, :2].mT + inverse[:, None, None, :2, 2]
    source = data.STORED - (data.STORED - source.abs()).abs()
    return sample_image(views.faces.images[index].float() / 255, source)


def main(argv: list[str] | None = None) -> None:
    from safetensors.torch import save_file

    ap = argparse.ArgumentParser("python -m flow_core.train moved", description=__doc__.split("\n")[0])
    ap.add_argument("--data", type=Path, required=True, help="folder of the training faces")
    ap.add_argument("--out", type=Path, required=True, help="the .safetensors file to write, 50 kB a picture")
    ap.add_argument("--count", type=int, default=16000, help="pictures for training; a tenth of that of held-out faces")
    ap.add_argument("--seed", type=int, default=0)
    o = ap.parse_args(argv)
    tensors: dict[str, Tensor] = {}
    for part, faces, count in zip(("train", "test"), data.load(o.data), (o.count, o.count // 10), strict=True):
        views = Views(faces, o.seed)
        g = torch.Generator().manual_seed(o.seed + (part == "test"))
        # portraits and rare expressions come oftener, but all faces come
        weight = sampling_weights(faces)[views.usable].sqrt()
        chosen = views.usable[torch.multinomial(weight, count, replacement=True, generator=g)]
        parts = []
        for step in chosen.split(50):
            parts.append(render(views, step, random_field(len(step), g)))
            if len(parts) % 20 == 0:
                print(f"{part}: {50 * len(parts)} of {count}", flush=True)
        for name in ("pictures", "face", "units", "controls", "places"):
            value = torch.cat([getattr(p, name) for p in parts])
            tensors[f"{part}_{name}"] = value if name in ("pictures", "face") else value.half()
    rig = load_rig()
    names = {"units": list(rig.unit_names), "controls": list(rig.control_names)}
    with replacing(o.out, ".safetensors") as partial:
        save_file(tensors, partial, {"faceflow": json.dumps(names)})
    print(f"saved {o.out} ({o.out.stat().st_size / 1e6:.0f} MB)")
