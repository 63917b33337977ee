"""One-shot prediction: a small network answers a fitted face and a text with muscles, shapes and colours at once (paper, the
learning-based framework).

An answer is what the prompt names (:mod:`flow_core.editing.named`), as far as the face has room for it, and a learnt correction: a
mixture of muscles within what real faces do, what to relax, and the colours of regions. So a network that has learnt nothing
answers what is named, one that has learnt answers what :mod:`flow_core.editing.optimize` would find. Strength is a factor of the
answer: half of it is half the contraction.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..checkpoint import read_weights
from ..faces.fit import FittedFace
from ..faces.landmarks import located
from ..faces.rig import load_rig
from ..fields.moved import CONTROL_RANGE
from ..fields.muscles import TINTS, MusclesField, untinted
from ..fields.raster import Field
from ..fields.told import telling
from ..fields.units import fit_shown, other_side
from ..geometry.crop import Crop
from ..guides.guide import Guide
from ..guides.nano import IMAGE_SIZE
from ..guides.prompts import Prompt, directions, embed
from ..randomness import OwnRandom
from ..threads import suited, yielding
from .gates import COLOR_REGIONS, Gates, open_gates
from .named import covariance, named
from .painting import COLOR_LIMIT, RegionColors, color_span, colored, raster_side, seen_part
from .tinted import with_tints
from .tints import Tint, named_tints

BUILTIN = Path(__file__).parents[1] / "weights" / "predictor.safetensors"
KEYS = ("a smiling face", "an angry face", "a face with a wide nose", "red lips", "an old man", "blond hair")
LEAST_SIMILARITY = 0.99  # least cosine between KEYS in the guide's text space and in that of the training
REACH = 0.5  # standard deviations of real faces that a correction goes at most
FULL = 1.1  # of a unit after the edit, unless the face shows more already
# A shape is taken less by so much for each standard deviation that a face has of it; least, most
ROOM = 0.25, 0.55, 1.2
SHIFT = 1.0  # largest shift of a region's colour, hundredths of CIE Lab
TOLD = (
    "eye",
    "nose",
    "mouth",
    "lips",
    "chin",
)  # controls of which the shape fitted to landmarks tells how much a face has
WHOLE = (
    "older",
    "younger",
    "masculine",
    "heavier",
    "faceOlder",
    "faceHeavier",
)  # controls that move only where they are named
RELAXING = 0.5  # share of what a face shows that the network itself may relax
LEAST_SHOWN = 0.05  # of a unit, below which there is nothing to relax


class PredictorError(RuntimeError):
    """A predictor cannot be loaded, or not be used with this guide; the message names the remedy."""


class Wish(NamedTuple):
    """What is asked of B faces, of full strength.

    Attributes:
        text: ``[B,D]`` sum of the weighted text directions of a prompt, the largest weight 1.
        start: ``[B,2U+C]`` what it names, as coefficients of a muscles field.
        kinds: ``[B,2]`` 0..1, whether it asks for an expression, and for a shape.
    """

    text: Tensor
    start: Tensor
    kinds: Tensor


class Answer(NamedTuple):
    """What :class:`Predictor` answers for B faces.

    Attributes:
        coefficients: ``[B,2U+C]`` of a muscles field: units, which share of those shown to relax, controls.
        free: ``[B,U+C]`` the learnt correction, standard deviations of real faces.
        shifts: ``[B,8,3]`` of the colours of :data:`flow_core.editing.gates.COLOR_REGIONS`, hundredths of CIE Lab.
    """

    coefficients: Tensor
    free: Tensor
    shifts: Tensor


class Predictor(nn.Module):
    """The network.

    Attributes:
        guide: name of the guide that trained it.
        keys: ``[6,D]`` how that guide embeds :data:`KEYS`; it tells other guides apart.
        unit: root mean square length of that guide's text directions.
        usual: ``[2,C]`` mean and standard deviation over faces of how much of each control the fit finds.
        steer: what is the same for all faces, ``[D]`` of the text to deviations of units, controls and colours.
    """

    def __init__(self, guide: str, keys: Tensor, unit: float = 1.0, width: int = 320) -> None:
        super().__init__()
        self.guide = guide
        self.register_buffer("keys", keys.clone().float())
        self.register_buffer("unit", torch.tensor(float(unit)))
        (u, c), r = sizes(), len(COLOR_REGIONS)
        self.register_buffer("usual", torch.stack([torch.zeros(c), torch.ones(c)]))
        self.first = nn.Linear(keys.shape[1] + (2 * u + c) + 2 + (u + c + 3) + 4 * r, width)
        self.steps = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(2)
        )
        self.last = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, u + c + 3 * r + u))
        self.steer = nn.Linear(keys.shape[1], u + c + 3 * r, bias=False)
        for part in (self.last[1].weight, self.last[1].bias, self.steer.weight):
            nn.init.zeros_(part)  # what has learnt nothing answers what is named

    def forward(self, wish: Wish, face: Tensor, tones: Tensor) -> Answer:
        """The edit in numbers.

        Args:
            wish: what is asked of B faces.
            face: ``[B,U+C+3]`` from :func:`features`.
            tones: ``[B,8,4]`` for each region whose colour is asked for its mean colour, L, a and b over 100, and 1; else zeros.
        """
        u, c = sizes()
        text = wish.text / self.unit * wish.text.shape[1] ** 0.5
        shown, carried, turn = face.split((u, c, 3), 1)
        carried = ((carried - self.usual[0]) / self.usual[1]).clamp(-3, 3)
        face = torch.cat([shown, carried, turn], 1)
        h = self.first(torch.cat([text, 2 * wish.start, wish.kinds, face, tones.flatten(1)], 1))
        for step in self.steps:
            h = h + step(h)
        free, color, relax = self.last(h).float().split((u + c, 3 * len(COLOR_REGIONS), u), 1)
        steered, tinted = self.steer(text).float().split((u + c, 3 * len(COLOR_REGIONS)), 1)
        free, color = free + steered, color + tinted
        free = REACH * free / (1 + free.square().sum(1, keepdim=True)).sqrt()
        shifts = SHIFT * color.tanh().unflatten(1, (-1, 3)) * tones[..., 3:]
        return Answer(_within(wish, shown, carried, free, RELAXING * relax.tanh().clamp(min=0)), free, shifts)

    @classmethod
    def load(cls, path: str | Path = BUILTIN, device: torch.device | str = "cpu") -> Predictor:
        """Read weights that ``python -m flow_core.train predictor`` wrote.

        Raises:
            PredictorError: there is no such file, it holds something else, or it is a predictor of before muscles.
        """
        path = Path(path)
        train = f"python -m flow_core.train predictor --guide nano --images DIR --out {path}"
        try:
            state, about = read_weights(
                path, "predictor", f"give another file, or train one on a folder of faces: {train}"
            )
        except (OSError, ValueError) as e:
            raise PredictorError(str(e)) from e
        state = {k: v.float() for k, v in state.items()}
        if about.get("kind") != "faceflow.predictor" or "keys" not in state:
            raise PredictorError(
                f"{path.name} is a safetensors file, but no predictor; pick one written by python -m flow_core.train predictor."
            )
        guide = about.get("guide", "?")
        if "motion.weight" in state:
            raise PredictorError(
                f"{path.name} moves landmarks, as predictors did before FaceFlow moved muscles, and cannot be used any more; train "
                f"it again for guide {guide}: python -m flow_core.train predictor --guide {guide} --images DIR --out {path}"
            )
        # weights made in inference mode would be of no use outside of it
        with torch.inference_mode(False):
            with OwnRandom():
                made = cls(guide, state["keys"], width=len(state["first.bias"]) if "first.bias" in state else 1)
            try:
                made.load_state_dict(state)
            except RuntimeError as e:
                raise PredictorError(
                    f"{path.name} was made by another version of FaceFlow ({' '.join(str(e).split())[:200]}); train it again."
                ) from e
            return made.eval().to(device).requires_grad_(False)

    def require(self, guide: Guide) -> None:
        """Raise :class:`PredictorError` where a guide's text space is not that of the training."""
        keys = key_texts(guide)
        if keys.shape == self.keys.shape:
            similarity = torch.cosine_similarity(keys, self.keys.to(keys)).min().item()
            if similarity >= LEAST_SIMILARITY:
                return
            why = f"it places texts elsewhere (similarity {similarity:.2f}, at least {LEAST_SIMILARITY} is needed)"
        else:
            why = f"its embeddings have {keys.shape[1]} numbers instead of {self.keys.shape[1]}"
        raise PredictorError(
            f"This predictor was trained with guide {self.guide} and does not understand guide {guide.name}: {why}. Load guide "
            f"{self.guide}, or train a predictor: python -m flow_core.train predictor --guide {guide.name} --images DIR"
        )

    @yielding()
    def bind(self, guide: Guide, prompt: Prompt, strength: float = 1.0) -> Bound:
        """The predictor with its text read: what remains is one pass for each face or frame.

        Args:
            guide: the one of the training; only its text tower is used.
            prompt: what to aim for.
            strength: times the weights of the prompt; 0 gives a zero field, negative moves away.

        Raises:
            PredictorError: another guide.
            PromptError: a part means the same as the neutral prompt.
        """
        self.require(guide)
        prompt = prompt.heard(guide)
        with torch.inference_mode(False), torch.no_grad():
            way, weight = directions(guide, prompt)
            most = weight.abs().max().item()
            weight = weight / (most if strength >= 0 else -most)
            asked = named(
                guide, Prompt(tuple(zip((t for t, _ in prompt.parts), weight.tolist(), strict=True)), prompt.neutral)
            )
            wish = Wish(
                (way * weight[:, None]).sum(0, keepdim=True),
                asked.field.coefficients(),
                way.new_tensor([[asked.expression, asked.shape]]),
            )
            meta = {"prompt": str(prompt), "neutral": prompt.neutral, "guide": guide.name, "method": "predict",
                    "strength": float(strength)}  # fmt: skip
            device = self.unit.device
            wish = Wish(*(t.to(device) for t in wish))
            gates = open_gates(guide, prompt)
            sign = 1.0 if strength >= 0 else -1.0
            tints = {r: replace(t, amount=t.amount * sign / most) for r, t in named_tints(guide, prompt, gates).items()}
            return Bound(self, wish, abs(strength) * most, gates, meta, tints)

    @yielding()
    def predict(
        self, image: Tensor, crop: Crop, guide: Guide, prompt: Prompt | Sequence[Prompt], strength: float = 1.0
    ) -> MusclesField:
        """The edits of the faces in pictures.

        Args:
            image: ``[P,3,H,W]``.
            crop: B faces in them; one picture serves any crop.
            guide: the one of the training.
            prompt: what to aim for: one for all faces, or one for each.
            strength: as in :meth:`bind`.

        Returns:
            A field of batch B, with the prompts, the guide, the strength and what it does in its metadata.

        Raises:
            ValueError: batches do not fit.
        """
        if image.shape[1] != 3:
            raise ValueError(f"A predictor looks at RGB pictures, got {image.shape[1]} channels.")
        crop = crop.for_pictures(len(image)) if len(image) > 1 else crop
        prompts = [prompt] * crop.batch if isinstance(prompt, Prompt) else list(prompt)
        if len(prompts) != crop.batch:
            raise ValueError(f"{len(prompts)} prompts do not fit {crop.batch} faces: one for all, or one for each.")
        bound = {one: self.bind(guide, one, strength) for one in dict.fromkeys(prompts)}
        painted = [b.gates for b in bound.values() if b.gates.color > 0]
        regions = colored(painted) if painted else []
        span = color_span(regions, crop, image)
        side = round(span * (raster_side(regions) if painted else IMAGE_SIZE))
        wide = crop.widen(span) if span > 1 else crop
        aligned, within = wide.aligned(image, side), seen_part(wide, side, span, regions)
        places = located(image, crop).places
        if len(bound) == 1:
            field = bound[prompts[0]].field_for(aligned, places, span=span, within=within)
        else:
            one = [slice(i, i + 1) for i in range(len(prompts))]
            field = _joined(
                [
                    bound[p].field_for(aligned[i], places[i], span=span, within=None if within is None else within[i])
                    for i, p in zip(one, prompts, strict=True)
                ]
            )
            field = field.with_meta(prompt=" / ".join(map(str, bound)))
        return telling(field)


@dataclass(frozen=True)
class Bound:
    """A predictor with a prompt, from :meth:`Predictor.bind`; call it with faces.

    Attributes:
        predictor: the network.
        wish: what is asked, batch 1.
        amount: times the answer.
        gates: which regions may be painted.
        meta: of the fields.
        tints: the colours that the prompt names.
    """

    predictor: Predictor
    wish: Wish
    amount: float
    gates: Gates
    meta: Mapping[str, object]
    tints: Mapping[str, Tint] = field(default_factory=dict)

    needs_fit = True

    @property
    def paints(self) -> tuple[str, ...]:
        """The regions that it dyes, where all of their colours are named; none where it seeks one."""
        regions = colored([self.gates]) if self.gates.color > 0 else []
        return tuple(regions) if all(name in self.tints for name in regions) else ()

    @torch.no_grad()
    def field_for(
        self, aligned: Tensor, landmarks: Tensor, fitted: FittedFace | None = None, span: float = 1.0,
        within: Tensor | None = None,
    ) -> MusclesField:  # fmt: skip
        """The field of aligned faces.

        Args:
            aligned: face squares ``[B,3,S,S]`` RGB 0..1; colours alone are looked up in them.
            landmarks: ``[B,161,2]`` in crop points.
            fitted: the faces, where they have been fitted already, as from frame to frame of a clip.
            span: side of ``aligned`` in sides of the face squares, around whose middle it lies: hair and skin are painted beyond them.
            within: ``[B,1,S,S]`` 1 where ``aligned`` is seen, and not the border of the picture repeated; None = everywhere.
        """
        with suited(len(aligned) == 1):  # what is done for one face are small operations
            return self._field_for(aligned, landmarks, fitted, span, within)

    __call__ = field_for

    def _field_for(
        self, aligned: Tensor, landmarks: Tensor, fitted: FittedFace | None, span: float, within: Tensor | None
    ) -> MusclesField:
        device, count = self.predictor.unit.device, len(aligned)
        aligned, landmarks = aligned.to(device), landmarks.to(device)
        fitted = fit_shown(landmarks) if fitted is None else fitted
        colors = None
        if self.gates.color > 0:
            colors = RegionColors(
                [self.gates] * count,
                [self.tints] * count,
                landmarks,
                aligned,
                (2, 2),
                COLOR_LIMIT,
                span=span,
                within=within,
            )
        wish = Wish(*(t.expand(count, -1) for t in self.wish))
        answer = self.predictor(wish, features(fitted).to(device), tones(colors, self.gates, aligned))
        made = MusclesField.zeros(count).to(device).with_coefficients(answer.coefficients)
        meta = dict(self.meta)
        if colors is not None:
            painted = paint_with(colors, self.gates, answer.shifts)
            made = replace(made, rest=Field(painted.new_zeros(count, 2, *painted.shape[2:]), painted, span=span))
            if not colors.sought:
                made = with_tints(made, [self.tints])
            meta |= {"note": colors.note} if colors.note else {}
        return made.scale(self.amount, self.amount).with_meta(**meta)


def features(fitted: FittedFace) -> Tensor:
    """What the predictor sees of faces, ``[B,U+C+3]``: the units that they show, how much of each shape control they have
    in standard deviations, and the turn of the head."""
    turn = (fitted.rotation - fitted.rotation.mT)[:, (0, 0, 1), (1, 2, 2)]
    return torch.cat([fitted.units, fitted.shape @ _carrying().to(fitted.shape), turn], 1)


def tones(colors: RegionColors | None, gates: Gates, like: Tensor) -> Tensor:
    """Mean colours of the regions of :data:`flow_core.editing.gates.COLOR_REGIONS` that gates open, ``[B,8,4]``, as
    :class:`Predictor` wants them; zeros where nothing is painted."""
    made = like.new_zeros(len(like), len(COLOR_REGIONS), 4)
    if colors is not None:
        made[:, _asked(gates), :3] = colors.mean / 100
        made[:, _asked(gates), 3] = 1
    return made


def paint_with(colors: RegionColors, gates: Gates, shifts: Tensor) -> Tensor:
    """Colour raster ``[B,3,h,w]`` of the shifts ``[B,8,3]`` of an answer; differentiable in them."""
    colors.shifts = shifts[:, _asked(gates)]
    return colors.raster()


def _asked(gates: Gates) -> list[int]:
    return [i for i, name in enumerate(COLOR_REGIONS) if gates.regions[name] > 0]


def _within(wish: Wish, shown: Tensor, carried: Tensor, free: Tensor, relaxing: Tensor) -> Tensor:
    """Coefficients ``[B,2U+C]``: what is named, as far as there is room for it, and the correction, within what faces can do.

    Left and right of the correction are alike; but where a prompt names more of one side, that side takes it.
    """
    u, c = sizes()
    units, relax, controls = wish.start.split((u, u, c), 1)
    expression, shape = wish.kinds.split(1, 1)
    root, spread, unit_swap, control_swap, seen, whole = (t.to(free.device) for t in metric())
    relaxing = (relaxing + relaxing[:, unit_swap]) / 2 * expression * (shown > LEAST_SHOWN)
    relax = relax.clamp(0, 1)
    relax = relax + (1 - relax) * relaxing  # what is named to relax does so
    kept = torch.where(shown < 0, shown, shown * (1 - relax))
    # What a face does already it need not do again; units that nobody reads go by those named with them.
    room = 1 - kept.clamp(0, FULL) / FULL
    named_seen = units.clamp(min=0) * seen
    # of what relaxes first, only what goes farther than it was is more
    fresh = (named_seen * room - (shown.clamp(min=0) - kept.clamp(min=0))).clamp(min=0)
    together = fresh.sum(1, keepdim=True) / named_seen.sum(1, keepdim=True).clamp(min=1e-6)
    together = torch.where(named_seen.sum(1, keepdim=True) > 0.1, together, 1.0)
    named_units = torch.where(units > 0, units * torch.where(seen > 0, room, torch.minimum(room, together)), units)
    change = expression * (free[:, :u] @ root) * _sides(units, unit_swap)
    low, high = torch.minimum(named_units, -kept.clamp(min=0)), (FULL - kept).clamp(min=0)
    after = torch.minimum(torch.maximum(named_units + change, low), high)
    slope, least, most = ROOM
    room = (1 - slope * carried * controls.sign()).clamp(least, most)
    change = shape * (free[:, u:] @ spread) * _sides(controls, control_swap)
    change = torch.where((whole > 0) & (controls == 0), 0.0, change)
    return torch.cat([after, relax, (controls * room + change).clamp(-CONTROL_RANGE, CONTROL_RANGE)], 1)


def _sides(start: Tensor, swap: Tensor) -> Tensor:
    """Which share of a correction each side takes, 0..1: all where a prompt names no side."""
    size = start.abs()
    most = torch.maximum(size, size[:, swap])
    return torch.where(most > 0.02, size / most.clamp(min=0.02), 1.0)


def sizes() -> tuple[int, int]:
    """How many units and controls there are."""
    rig = load_rig()
    return len(rig.unit_names), len(rig.control_names)


@functools.lru_cache(maxsize=1)
def metric() -> tuple[Tensor, ...]:
    """Symmetric roots of how units ``[U,U]`` and controls ``[C,C]`` vary on real faces, where the other side of each is, 1 for
    units that somebody reads in faces, and 1 for controls of the whole face."""
    rig = load_rig()
    with torch.inference_mode(False):
        joint, (u, _), roots = covariance(1, 1).double(), sizes(), []
        for part in (joint[:u, :u], joint[u:, u:]):
            values, vectors = torch.linalg.eigh(part)
            roots.append(((vectors * values.clamp(min=0).sqrt()) @ vectors.T).float())
        swaps = [torch.tensor([other_side(n, names) for n in names]) for names in (rig.unit_names, rig.control_names)]
        seen = (rig.covariance.diag() > 1e-4).float()
        whole_face = torch.tensor([float(n.startswith(WHOLE)) for n in rig.control_names])
        return *roots, *swaps, seen, whole_face


@functools.lru_cache(maxsize=1)
def _carrying() -> Tensor:
    """Matrix ``[S,C]`` that takes the shape of a fitted face to how much of each control it has: a ridge regression of the
    shapes' displacements on those of all controls, in standard deviations over people. 0 for those of which landmarks tell nothing."""
    rig = load_rig()
    with torch.inference_mode(False):
        shapes, controls = rig.shape.flatten(1).double(), rig.controls.flatten(1).double()
        square = controls @ controls.T
        square = square + 0.1 * square.diag().mean() * torch.eye(len(square)).to(square)
        found = shapes @ controls.T @ torch.linalg.inv(square)
        told = torch.tensor([n.startswith(TOLD) for n in rig.control_names])
        return (found / found.norm(dim=0, keepdim=True).clamp(min=1e-6) * told).float()


def _joined(fields: Sequence[MusclesField]) -> MusclesField:
    """One field of the faces of several; those without a rest get an empty one where others have one."""
    made = replace(fields[0], rest=None).with_coefficients(torch.cat([f.coefficients() for f in fields]))
    rests = [f.rest for f in fields]
    made = replace(made, meta=untinted(made.meta))
    if not any(r is not None for r in rests):
        return made
    if all(f.rest is None or TINTS in f.meta for f in fields):
        faces = [f.meta[TINTS]["faces"][0] if TINTS in f.meta else {} for f in fields]
        made = made.with_meta(**{TINTS: {"times": 1.0, "faces": faces}})
    like = max((r for r in rests if r is not None), key=lambda r: r.size)
    rests = [None if r is None else r.spanning(like.span, like.size) for r in rests]
    offset, color = (
        torch.cat([torch.zeros_like(getattr(like, name)) if r is None else getattr(r, name) for r in rests])
        for name in ("offset", "color")
    )
    return replace(made, rest=replace(like, offset=offset, color=color))


def key_texts(guide: Guide) -> Tensor:
    """Embeddings ``[6,D]`` of :data:`KEYS`, by which guides are told apart."""
    return torch.stack([embed(guide, text) for text in KEYS])


__all__ = ["Bound", "Predictor", "PredictorError"]
