"""What a change of muscles and shape must do to the guide's logits, and pairs of faces, moved and not, that show it.

The guide steers an optimiser by how its logits change, so it learns that change itself: of the same face before and after the
rig moved it by a known amount, in the same or in another light and a slightly other view. Concepts that the
movement has nothing to do with must not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..editing.concepts import EXPRESSION, MEANINGS
from ..faces.landmarks import MIRROR
from ..faces.read import UNITS, read_units
from ..faces.rig import load_rig
from ..fields.muscles import RELAX, MusclesField
from ..fields.units import READ_SCALE, other_side
from ..geometry.grid import turned_centers
from ..geometry.sampling import sample_image
from ..guides.nano import IMAGE_SIZE
from . import attributes as A
from . import colors, data
from .captions import SLOPE
from .guide_objective import Objective, Shown, logits, normalise
from .moved import WIDEN, Moved, unmoved
from .reader import blendshapes

NAMES = tuple(c.name for c in A.CONCEPTS)
FULL = 4.0  # logits of a concept at its full amount
FARTHEST = 8.0  # logits
ASIDE = {
    "brow up": 0.6,
    "brow down": 0.6,
}  # how much the other side counts against a one-sided concept; 1 for those not named
EITHER = {"smirk": "smirk left", "wink": "wink left", "contempt": "contempt"}  # of whichever side
APART = {"cross-eyed": {"eyeLookOut": -0.8}, "look up": {"eyeLookDown": -0.8}, "look down": {"eyeLookUp": -0.8},
         "cheeks full": {}, "brows outer up": {"browInnerUp": -0.4}}  # fmt: skip
SEEN_WELL = 0.05  # standard deviation on real faces of units that MediaPipe sees


def prototypes() -> Tensor:
    """``[K,U+C]`` whose product with a change of units and controls says how much of each concept that is."""
    rig = load_rig()
    names = (*rig.unit_names, *rig.control_names)
    swap = [other_side(n, names) for n in names]
    rows = []
    for name in NAMES:
        amounts = dict(MEANINGS[name].amounts)
        relaxed = {
            n.removeprefix(RELAX).strip(): v for n, v in amounts.items() if n.split(" ")[0] == RELAX and " " in n
        }
        field = MusclesField.of({**{n: v for n, v in amounts.items() if n.split(" ")[0] != RELAX}})
        row = meant = torch.cat([field.units[0], field.controls[0]])
        if relaxed:
            taken = torch.cat([rig.unit_vector(relaxed), torch.zeros(len(rig.control_names))])
            row = torch.where(row == 0, -0.4 * taken, row)
        units, controls = rig.split(APART.get(name, {}))
        row = row + torch.cat([units, controls])
        side = name.rsplit(" ", 1)
        if (len(side) == 2 and side[1] in ("left", "right")) or name in EITHER:
            row = row - ASIDE.get(side[0], 1.0) * row[swap]
        rows.append(row / (row @ meant).clamp(min=1e-6))
    return torch.stack(rows)


def shown_units(folder: Path, faces: data.Faces, held_out: bool, points: Tensor) -> Tensor:
    """``[N,U]`` what faces show, in units of the rig: as MediaPipe says, or the reader where it says nothing."""
    rig = load_rig()
    read = read_units(points)
    known = blendshapes(folder)
    out = data.held_out("expressions", len(known))
    known = known[out if held_out else ~out]
    first = torch.tensor([kind == "expressions" for kind in faces.kind]).nonzero()[:, 0]
    read[first] = torch.where(known.isnan(), read[first], known)
    neutral = rig.means[rig.emotions.index("neutral")]
    at = [rig.unit_names.index(n) for n in UNITS]
    scale = torch.tensor([READ_SCALE.get(n.removesuffix("Left").removesuffix("Right"), 1.0) for n in UNITS])
    units = torch.zeros(len(read), len(rig.unit_names))
    units[:, at] = ((read - neutral[at]) * scale).clamp(-1, 1.3)
    return units


class Truth:
    """How logits change with what the rig did.

    Attributes:
        expressions: ``[K]`` bool, concepts of muscles that MediaPipe sees on real faces, too.
    """

    def __init__(self) -> None:
        rig = load_rig()
        self.prototypes = prototypes()
        names = (*rig.unit_names, *rig.control_names)
        self.swap = [other_side(n, names) for n in names]
        seen = torch.cat(
            [rig.covariance.diagonal().sqrt() > SEEN_WELL, torch.zeros(len(rig.control_names), dtype=torch.bool)]
        )
        share = (self.prototypes.square() * seen).sum(1) / self.prototypes.square().sum(1).clamp(min=1e-9)
        of_muscles = torch.tensor([MEANINGS[n].kind == EXPRESSION for n in NAMES])
        self.expressions = of_muscles & (share > 0.7) & ~A.MEASURED
        self.of_age = torch.tensor([bool(c.age) for c in A.CONCEPTS])
        self.near = torch.tensor([c.near for c in A.CONCEPTS])

    def amounts(self, change: Tensor) -> Tensor:
        """How much of each concept ``[N,K]`` a change of units and controls ``[N,U+C]`` is; 1 is its full amount."""
        found = change @ self.prototypes.T
        for name, left in EITHER.items():
            row = self.prototypes[NAMES.index(left)]
            found[:, NAMES.index(name)] = torch.maximum(change @ row, change[:, self.swap] @ row)
        return found.clamp(-1.6, 1.6)

    def change(self, moved: Tensor, measured: Tensor) -> Tensor:
        """Change of logits ``[N,K]``, of a change of units and controls ``[N,U+C]`` that changed the measured concepts by
        ``measured [N,K]`` standard deviations."""
        amounts = FULL * self.amounts(moved)
        both = 0.5 * SLOPE * measured.clamp(-3, 3) + 0.55 * amounts
        found = torch.where(A.MEASURED & ~self.of_age, both, amounts)
        found = torch.where(self.near, SLOPE * measured.clamp(-3, 3), found)
        return torch.where(A.IS_COLOR, 0.0, found).clamp(-FARTHEST, FARTHEST)


@dataclass(frozen=True)
class Batch:
    """Pictures ``before`` and ``after [n,3,S,S]``; the change of logits ``[n,K]`` and what it counts; and for concepts of muscles
    how far the logits themselves are known: ``level [2n,K]``, before and after, and what they count ``[K]``."""

    before: Tensor
    after: Tensor
    change: Tensor
    counts: Tensor
    level: Tensor
    known: Tensor


class Pairs:
    """Faces before and after the rig moved them, as the guide sees them in training."""

    def __init__(self, shown: Shown, moved: Moved, units: Tensor, size: int = IMAGE_SIZE) -> None:
        self.shown, self.moved, self.units, self.size = shown, moved, units, size
        self.truth = Truth()
        views = shown.views
        before = views.points[moved.face]
        measured = []
        for i in torch.arange(len(moved)).split(1000):
            design = shown.pose[moved.face[i]]
            standard = [shown.scale.moved(before[i], p, design) for p in (before[i], moved.places[i])]
            now, then = (shown.scale.scores(s) for s in reversed(standard))
            measured.append(now - then)
        self.change = self.truth.change(torch.cat([moved.units, moved.controls], 1), torch.cat(measured))
        mirrored = torch.cat([moved.units, moved.controls], 1)[:, self.truth.swap]
        self.mirrored = self.truth.change(mirrored, torch.cat(measured))  # measures do not tell left from right

    def look(self, index: Tensor, jitter: float = 1.0, alter: bool = True) -> Batch:
        """Pairs ``index [n]`` of the moved faces.

        Args:
            jitter: how far views stray from the crop.
            alter: show half of the pairs in two lights and slightly different views, one in ten of them unmoved.
        """
        g, m, views, n = self.shown.generator, self.moved, self.shown.views, len(index)
        face = m.face[index]
        after = m.pictures[index].float() / 255
        before = unmoved(views, face)
        before = (before * 255).round() / 255
        places = [views.points[face], m.places[index]]
        change, moved = self.change[index], torch.cat([m.units[index], m.controls[index]], 1)
        flip = torch.rand(n, generator=g) < 0.5 * bool(jitter)
        change = torch.where(flip[:, None], self.mirrored[index], change)
        shown = F.pad(self.units[face], (0, m.controls.shape[1]))
        shown, moved = (torch.where(flip[:, None], v[:, self.truth.swap], v) for v in (shown, moved))
        same = torch.arange(n) < (n + 1) // 2 if alter else torch.ones(n, dtype=torch.bool)
        still = ~same & (torch.rand(n, generator=g) < 0.2)
        after = torch.where(still[:, None, None, None], before, after)
        places[1] = torch.where(still[:, None, None], places[0], places[1])
        change, moved = (torch.where(still[:, None], 0.0, v) for v in (change, moved))
        view = self._view(n, flip, jitter)
        stray = [v.clone() for v in view]
        for v, by in zip(stray, (0.03, 0.02, 0.008), strict=False):
            v += by * jitter * torch.randn(v.shape, generator=g) * (~same).view(-1, *[1] * (v.ndim - 1))
        grey = ~self.shown.faces.color[face] & (torch.rand(n, generator=g) < 0.8)
        paint = torch.rand(n, generator=g) < (0.4 if jitter else 0.0)
        seed = int(torch.randint(2**31, (1,), generator=g))
        seen = []
        for picture, at, (angle, zoom, shift), light in (
            (before, places[0], view, seed), (after, places[1], stray, seed),
        ):  # fmt: skip
            picture = self._seen(picture, angle, zoom, shift, flip)
            where = _in_view(at, angle, zoom, shift, flip)
            seen.append(self._colored(picture, where, grey, paint, light))
        if jitter:
            alike = int(same.sum())
            seen = [
                torch.cat([self._light(p[:alike], seed + 1, 0.08), self._light(p[alike:], seed + 2 + i, 0.18)])
                for i, p in enumerate(seen)
            ]
        counts = torch.where(A.IS_COLOR, 0.5 * same[:, None].float(), 1.0)
        level = FULL * torch.cat([self.truth.amounts(shown), self.truth.amounts(shown + moved)]) - 2.0
        return Batch(*seen, change, counts, level, self.truth.expressions.float())

    def _view(self, n: int, flip: Tensor, jitter: float) -> tuple[Tensor, ...]:
        g = self.shown.generator
        return (
            torch.randn(n, generator=g) * 0.07 * jitter,
            1 + 0.2 * jitter * (torch.rand(n, generator=g) - 0.6),
            torch.randn(n, 1, 1, 2, generator=g) * 0.018 * jitter,
        )

    def _seen(self, picture: Tensor, angle: Tensor, zoom: Tensor, shift: Tensor, flip: Tensor) -> Tensor:
        crop = turned_centers(self.size, angle, zoom, shift, 1 - 2.0 * flip[:, None, None])
        source = ((crop - 0.5) / WIDEN + 0.5) * picture.shape[-1]
        source = picture.shape[-1] - (picture.shape[-1] - source.abs()).abs()
        return sample_image(picture, source)

    def _light(self, picture: Tensor, seed: int, tint: float) -> Tensor:
        views = self.shown.views
        kept, views.generator = views.generator, torch.Generator().manual_seed(seed)
        try:
            return views.light(picture, tint, 0.08)
        finally:
            views.generator = kept

    @staticmethod
    def _colored(picture: Tensor, where: Tensor, grey: Tensor, paint: Tensor, seed: int) -> Tensor:
        """The same colours for both pictures of a pair."""
        g = torch.Generator().manual_seed(seed)
        lab = colors.to_lab(picture)
        small = before = F.avg_pool2d(lab, 2)
        masks = colors.masks(where, small)
        small = colors.colorize(small, masks, grey, g)
        small = torch.where(paint[:, None, None, None], colors.paint(small, masks, g), small)
        coat = F.interpolate(small - before, picture.shape[2:], mode="bilinear", align_corners=False)
        return colors.to_rgb(lab + coat)


def _in_view(points: Tensor, angle: Tensor, zoom: Tensor, shift: Tensor, flip: Tensor) -> Tensor:
    """Landmarks ``[n,161,2]`` in the picture, left and right as they are seen; as :meth:`Views.view` has them."""
    px, py = (points - 0.5 - shift[:, 0]).unbind(-1)
    cos, sin = (angle.cos() * zoom)[:, None], (angle.sin() * zoom)[:, None]
    squared = zoom[:, None].square()
    x = (cos * px + sin * py) / squared
    seen = torch.stack([torch.where(flip[:, None], -x, x), (cos * py - sin * px) / squared], -1) + 0.5
    return torch.where(flip[:, None, None], seen[:, list(MIRROR)], seen)


class PairsObjective(nn.Module):
    """The losses of :class:`flow_core.train.guide_objective.Objective` for single faces, and of pairs how their logits change.

    Args:
        objective: of single faces.
        directions: ``[K,D]`` from the neutral text to that of each concept, which stay as they are.
        neutral: ``[D]`` the neutral text's embedding.

    Attributes:
        bf16: whether the image tower computes in bfloat16.
    """

    def __init__(self, objective: Objective, directions: Tensor, neutral: Tensor) -> None:
        super().__init__()
        self.objective, self.bf16 = objective, False
        self.register_buffer("directions", directions)
        self.register_buffer("neutral", neutral)

    def forward(self, picture: Tensor, before: Tensor, after: Tensor, change: Tensor, counts: Tensor, level: Tensor, known: Tensor,
                *of_faces: Tensor) -> dict[str, Tensor]:  # fmt: skip
        """``picture`` and ``of_faces`` as for the single faces, the others a :class:`Batch`."""
        model, parts = self.objective.model, (len(picture), len(before), len(after))
        with torch.autocast(picture.device.type, torch.bfloat16, self.bf16):
            features, found = self.objective.see(torch.cat([picture, before, after]))
        features, found = features.float(), None if found is None else found.float()
        single, *pair = features.split(parts)
        losses = self.objective.losses(single, None if found is None else found[: parts[0]], *of_faces)
        before, after = (F.normalize(model.visual.head(f), dim=-1) for f in pair)
        scale = model.logit_scale.exp()
        gained = scale * (after - before) @ self.directions.mT
        # most concepts have nothing to do with a movement: what changes counts more
        miss = F.smooth_l1_loss(gained, change, reduction="none", beta=0.7) * counts * (1 + change.abs())
        logit = logits(model, torch.cat([before, after]), self.neutral + self.directions)
        levels = F.binary_cross_entropy_with_logits(logit, level.sigmoid(), reduction="none")
        resting = (scale * (after - before) @ self.neutral).square().mean()
        return losses | {"change": 2 * miss.mean(), "level": 0.5 * (levels * known).mean(), "resting": 0.02 * resting}


@torch.no_grad()
def responses(model: nn.Module, directions: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Changes of logits ``[M,K]`` of held-out pairs as they should be, and as the guide sees them."""
    model.eval()
    asked, seen = [], []
    for index in torch.arange(len(pairs.moved)).split(64):
        batch = pairs.look(index, 0.0, alter=False)
        one, two = (model.encode_image(normalise(model, p), normalize=True) for p in (batch.before, batch.after))
        asked.append(batch.change)
        seen.append(model.logit_scale.exp() * (two - one) @ directions.mT)
    return torch.cat(asked), torch.cat(seen)
