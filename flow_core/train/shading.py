"""Learn how muscles change the light on skin: ``python -m flow_core.train shading --data DIR``, two minutes.

The rig is fitted to the frontal faces of ``expressions.zip``, and the logarithm of their luminance is read at its vertices. What a
light that comes from somewhere explains (nine spherical harmonics of the normals; Ramamoorthi and Hanrahan, 2001) is taken off, and
what is wider than a fold. The rest is explained by a ridge regression from what MediaPipe's blendshape network says that the faces
show; brows drawn together and a sneer, which it hardly sees, by the labels anger and disgust. The light itself is among the
causes, so that athletes who shout in the sun do not make its shadows part of anger. Left and right are made equal.

What years do is told by the portraits: the mean of the old less that of grown-ups and teenagers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.landmarks import AT, BROWS, EYES, LIPS, NOSTRILS, OVAL, pose
from ..faces.read import UNITS
from ..faces.rig import Rig, load_rig
from ..faces.shading import BUILTIN, GAMMA
from ..fields.face import front
from ..fields.smooth import smoothstep
from ..fields.units import READ_SCALE, fit_shown
from ..geometry.mesh import polygon_distance, vertex_normals
from ..geometry.sampling import sample_image
from . import data
from .reader import blendshapes

FRONTAL = 0.12  # yaw as of :func:`flow_core.faces.landmarks.pose` up to which both halves are seen alike
WIDEST = 0.9  # centimetres: standard deviation of the mean that is taken off
LARGEST = 1.0  # of a logarithm; more is hair, or a hand
RIDGE = {"unit": 12.0, "label": 4.0, "light": 10.0}
# Units of the teacher that explain a face, and of which only those in UPPER and LOWER are kept
CAUSES = (
    "mouthSmile", "mouthFrown", "mouthPress", "mouthPucker", "mouthFunnel", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "mouthStretch", "mouthUpperUp", "mouthLowerDown", "jawOpen", "browInnerUp", "browOuterUp", "browDown", "eyeSquint",
    "eyeBlink", "eyeWide", "mouthDimple",
)  # fmt: skip
LOWER = (
    "mouthSmile", "mouthFrown", "mouthPucker", "mouthShrugLower", "mouthStretch", "mouthUpperUp", "mouthLowerDown", "jawOpen",
)  # fmt: skip
UPPER = ("browInnerUp", "browOuterUp", "browDown")
LABELS = {
    "anger": "browTogether",
    "disgust": "noseSneer",
    "surprise": "",
    "sadness": "",
    "fear": "",
}  # label -> unit of the rig
OLD, NOT_OLD = ("70 year old",), ("adult", "teenager")  # in labels of portraits
TURNED = 0.2  # yaw up to which portraits, which are few, count
BLUR = 2  # pixels of the stored squares around which a luminance is the mean
REACH = 0.7  # centimetres around a change of light in which a unit's creases lie, where its light changes by
CREASES = 0.06  # or more
BESIDE = 0.5  # of the distances from lids, lips and nostrils up to which a crease is one
MIDDLE = 0.8  # centimetres beside the middle within which a unit of one side goes over into the other


def luminance(faces: data.Faces, vertices: Tensor, batch: int = 64) -> Tensor:
    """The logarithm of the light's luminance ``[N,n]`` at vertices of the rig fitted to faces."""
    weights = torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]
    out = []
    for index in torch.arange(len(faces)).split(batch):
        fitted = fit_shown(faces.landmarks[index] / data.STORED)
        at = fitted.project(fitted.vertices())[0][:, vertices]
        light = (faces.images[index].float() / 255).pow(GAMMA).mul(weights).sum(1, keepdim=True)
        light = F.avg_pool2d(F.pad(light, [BLUR // 2] * 4, mode="replicate"), BLUR + 1, 1)
        out.append(sample_image(light, at[:, None] * data.STORED)[:, 0, 0].clamp(min=1e-3).log())
    return torch.cat(out)


def harmonics(rig: Rig, vertices: Tensor) -> Tensor:
    """The first nine spherical harmonics ``[n,9]``, up to factors, of the mean head's normals."""
    x, y, z = vertex_normals(rig.neutral, rig.triangles)[vertices].unbind(-1)
    return torch.stack([torch.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], -1)


def skin(rig: Rig, vertices: Tensor, near: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Weights ``[n]`` of vertices: of plain skin, away from what has borders of its own (lids, brows, lips, nostrils, the outline), all
    distances times ``near``; and of the upper and the lower face."""
    places = rig.neutral[vertices, :2]
    marks = rig.landmarks(rig.neutral)[:, :2]

    def beyond(contour: tuple[int, ...], low: float, high: float, sign: float = 1.0) -> Tensor:
        corners = marks[[AT[i] for i in contour]]
        distance = torch.maximum(*(polygon_distance(c, places) for c in (corners, corners.flip(0))))  # positive inside
        return smoothstep(-sign * distance, near * low, near * high)

    plain = beyond(OVAL, 0.2, 1.4, -1.0) * beyond(LIPS, 0.2, 0.8)
    for eye, brow in zip(EYES, BROWS, strict=True):
        # from the brow's upper edge over the inner corner to the lower lid
        socket = *brow[:5], eye[8], eye[4], eye[0]
        plain = plain * beyond(eye, 0.4, 1.1) * beyond(brow, 0.3, 1.0) * beyond(socket, 0.1, 0.7)
    wings = marks[[AT[i] for i in (NOSTRILS[0][0], NOSTRILS[1][0])]]
    middle, half = wings.mean(0), (wings[1, 0] - wings[0, 0]) / 2
    nose = ((places - middle) / torch.stack([half * 1.4, half * 0.65])).norm(dim=-1)
    plain = plain * smoothstep(nose, 0.7 + 0.1 * near, 0.95 + 0.3 * near)
    upper = 1 - smoothstep(places[:, 1], -0.5, 1.2)
    return plain, upper, smoothstep(places[:, 1], -1.0, 0.5)


def causes(units: Tensor, labels: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """What may explain a face: units ``[N,len(CAUSES)]``, left and right together, and labels ``[N,len(LABELS)]``."""
    sides = [[UNITS.index(n + s) for s in ("", "Left", "Right") if n + s in UNITS] for n in CAUSES]
    return torch.stack([units[:, s].mean(1) for s in sides], 1), torch.tensor(
        [[float(label == name) for name in LABELS] for label in labels]
    )


class Surface:
    """The front of the rig, on which light is compared.

    Attributes:
        vertices: ``[n]`` of the rig.
        places: ``[n,3]`` of the mean head, centimetres.
        apart: ``[n,n]`` distances of these.
        facing: ``[n]`` whether they face the viewer.
    """

    def __init__(self, rig: Rig) -> None:
        self.vertices = front(rig)[1]
        self.places = rig.neutral[self.vertices]
        self.apart = torch.cdist(self.places, self.places)
        self._harmonics = harmonics(rig, self.vertices)
        self.facing = self._harmonics[:, 3] > 0.15
        at = torch.full((len(rig.neutral),), -1)
        at[self.vertices] = torch.arange(len(self.vertices))
        self._mirror = at[rig.mirror[self.vertices]]

    def folds(self, light: Tensor) -> tuple[Tensor, Tensor]:
        """Of the logarithm of luminance ``[N,n]`` what is neither the light's nor wider than a fold; and the light ``[N,9]``."""
        from_light = light[:, self.facing] @ torch.linalg.pinv(self._harmonics[self.facing]).T
        near = torch.exp(-((self.apart / WIDEST) ** 2) / 2) * self.facing
        folds = light - from_light @ self._harmonics.T
        return (folds - folds @ (near / near.sum(1, keepdim=True)).T).clamp_(-LARGEST, LARGEST), from_light

    def even(self, values: Tensor) -> Tensor:
        """Values ``[...,n]`` with left and right made equal; 0 at what faces aside, or has no other side."""
        values = values.masked_fill(self._mirror < 0, 0.0)
        return (values + values[..., self._mirror.clamp(min=0)]) / 2 * self.facing


def of_years(folder: Path, surface: Surface, plain: Tensor) -> Tensor:
    """``[n]`` by how much the light on old faces differs, on ``plain [n]`` skin; prints how well held-out faces are told by it."""
    faces = data.READERS["portraits"](folder)
    chosen = (pose(faces.landmarks)[:, 0].abs() < TURNED).nonzero()[:, 0]
    out_of, faces = data.held_out("portraits", len(faces))[chosen], faces.select(chosen)
    old, not_old = (torch.tensor([any(n in label for n in of) for label in faces.label]) for of in (OLD, NOT_OLD))
    folds = surface.folds(luminance(faces, surface.vertices))[0]

    def learnt(old: Tensor, not_old: Tensor) -> Tensor:
        return surface.even(folds[old].mean(0) - folds[not_old].mean(0)) * plain

    told = folds @ learnt(old & ~out_of, not_old & ~out_of)
    a, b = told[old & out_of], told[not_old & out_of]
    print(
        f"{int(old.sum())} old and {int(not_old.sum())} other portraits; held out {len(a)} and {len(b)}: {(a[:, None] > b).float().mean():.0%} of pairs told apart"
    )
    return learnt(old, not_old)


def learn(folder: Path, out: Path) -> None:
    """Write the file of :mod:`flow_core.faces.shading`, and print how much of held-out faces it explains."""
    from safetensors.torch import save_file

    rig = load_rig()
    surface = Surface(rig)
    vertices, neutral, apart = surface.vertices, surface.places, surface.apart
    faces, units = data.READERS["expressions"](folder), blendshapes(folder)
    chosen = ((pose(faces.landmarks)[:, 0].abs() < FRONTAL) & units.isfinite().all(1)).nonzero()[:, 0]
    out_of = data.held_out("expressions", len(faces))[chosen]
    faces, units = faces.select(chosen), units[chosen]
    folds, from_light = surface.folds(luminance(faces, vertices))
    by_unit, by_label = causes(units, faces.label)
    turned = (from_light - from_light.mean(0)) / from_light.std(0)
    by_light = torch.cat([turned, turned.square() - 1, turned[:, 2:3] * turned[:, 1:4:2]], 1)
    table = torch.cat([by_unit, by_label, by_light, torch.ones(len(units), 1)], 1)
    ridge = (
        [RIDGE["unit"]] * by_unit.shape[1]
        + [RIDGE["label"]] * by_label.shape[1]
        + [RIDGE["light"]] * by_light.shape[1]
        + [0.0]
    )
    train, test = ~out_of, out_of
    effect = torch.linalg.solve(
        table[train].T @ table[train] + torch.tensor(ridge).diag(), table[train].T @ folds[train]
    )
    plain, upper, lower = skin(rig, vertices)
    effect = surface.even(effect) * plain
    print(f"{int(train.sum())} faces, {len(vertices)} vertices; held out: {int(test.sum())} faces")
    counted = plain > 0.5
    rest = table.clone()
    rest[:, : len(CAUSES) + len(LABELS)] = rest[train, : len(CAUSES) + len(LABELS)].mean(0)
    before, after = (folds[test] - t[test] @ effect for t in (rest, table))
    print("share of the variance that the face's muscles explain, of what light and person leave, plain skin:")
    print(f"held out {1 - (after[:, counted].square().sum() / before[:, counted].square().sum()).item():.1%}")
    names, rows, lines = [], [], []
    close, beside = apart < REACH, skin(rig, vertices, BESIDE)[0]
    left = smoothstep(neutral[:, 0], -MIDDLE, MIDDLE)  # the person's left is the viewer's right
    found = {n: (effect[CAUSES.index(n)], lower if n in LOWER else upper) for n in (*LOWER, *UPPER)}
    for k, unit in enumerate(LABELS.values()):
        if unit:
            found[unit] = effect[len(CAUSES) + k], upper if unit.startswith("brow") else torch.ones_like(upper)
    for name, (values, where) in found.items():
        values = values * where / READ_SCALE.get(name, 1.0)
        for side, share in (("", 1.0), ("Left", left), ("Right", 1 - left)):
            if name + side in rig.unit_names:
                names.append(name + side)
                rows.append(values * share)
                here = (values.abs() * share * close).amax(1)  # of lines that lie a little elsewhere in another face
                lines.append((here / CREASES).clamp(max=1) * beside)
        print(f"| {name} | {values.min():+.2f} | {values.max():+.2f} |")
    save_file(
        {
            "light": torch.stack(rows).half().contiguous(),
            "creases": torch.stack(lines).half().contiguous(),
            "years": of_years(folder, surface, plain).half(),
            "skin": beside.half(),
            "vertices": vertices.short().contiguous(),
        },
        out,
        {"faceflow": json.dumps({"units": names})},
    )
    print(f"{out}: {out.stat().st_size / 1e3:.0f} kB")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m flow_core.train shading", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of expressions.* and expressions_blendshapes.npz"
    )
    parser.add_argument("-o", "--out", type=Path, default=BUILTIN)
    args = parser.parse_args(argv)
    learn(args.data, args.out)
