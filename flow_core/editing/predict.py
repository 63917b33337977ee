"""One-shot prediction: a small network maps a fitted face and a text to muscles, shapes and colours (paper, the learning-based
framework).

An answer consists of what the prompt names (:mod:`flow_core.editing.named`), as far as the face has room for it
(:mod:`flow_core.editing.bounds`), and a learnt correction: a mixture of muscles as real faces have it, what to relax, and the
colours of regions. An untrained network answers just what is named; a trained one approximates what
:mod:`flow_core.editing.optimize` would find. Strength multiplies the answer: half of it is half the contraction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..checkpoint import read_weights
from ..faces.fit import FittedFace
from ..faces.landmarks import located
from ..fields.muscles import TINTS, MusclesField, untinted
from ..fields.raster import Field
from ..fields.told import telling
from ..fields.units import fit_shown
from ..geometry.crop import Crop
from ..guides.guide import Guide
from ..guides.nano import IMAGE_SIZE
from ..guides.prompts import Prompt, directions, embed
from ..randomness import OwnRandom
from ..threads import suited, yielding
from .bounds import bounded, features, sizes
from .gates import COLOR_REGIONS, Gates, open_gates
from .named import named
from .painting import COLOR_LIMIT, RegionColors, color_span, colored, raster_side, seen_part
from .tinted import with_tints
from .tints import Tint, named_tints

BUILTIN = Path(__file__).parents[1] / "weights" / "predictor.safetensors"
# Texts by whose embeddings guides are told apart
KEYS = ("a smiling face", "an angry face", "a face with a wide nose", "red lips", "an old man", "blond hair")
LEAST_SIMILARITY = 0.99  # least cosine between embeddings of KEYS by a guide and by the guide of the training
REACH = 0.5  # length of a correction at most, in standard deviations of real faces
SHIFT = 1.0  # largest shift of a region's colour, hundredths of CIE Lab
RELAXING = 0.5  # share of what a face shows that the network itself may relax


class PredictorError(RuntimeError):
    """A predictor cannot be loaded, or cannot be used with this guide; the message names the remedy."""


class Wish(NamedTuple):
    """What is asked of B faces, at full strength.

    Attributes:
        text: ``[B,D]`` weighted sum of the text directions of a prompt, whose largest weight is 1.
        start: ``[B,2U+C]`` what it names, as coefficients of a muscles field.
        kinds: ``[B,2]`` 0..1, whether it asks for an expression, and for a shape.
    """

    text: Tensor
    start: Tensor
    kinds: Tensor


class Answer(NamedTuple):
    """What :class:`Predictor` answers for B faces.

    Attributes:
        coefficients: ``[B,2U+C]`` of a muscles field: units, share of each shown unit to relax, controls.
        free: ``[B,U+C]`` the learnt correction, in standard deviations of real faces.
        shifts: ``[B,8,3]`` of the colours of :data:`flow_core.editing.gates.COLOR_REGIONS`, hundredths of CIE Lab.
    """

    coefficients: Tensor
    free: Tensor
    shifts: Tensor


class Predictor(nn.Module):
    """The network.

    Attributes:
        guide: name of the guide that trained it.
        keys: ``[6,D]`` embeddings of :data:`KEYS` by that guide.
        unit: root mean square length of the guide's text directions.
        usual: ``[2,C]`` mean and standard deviation over faces of the amounts of controls that the fit finds.
        steer: the part of the answer that is the same for all faces: text ``[D]`` -> deviations of units, controls and colours.
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
            nn.init.zeros_(part)  # an untrained network answers what is named

    def forward(self, wish: Wish, face: Tensor, tones: Tensor) -> Answer:
        """The edit in numbers.

        Args:
            wish: what is asked of B faces.
            face: ``[B,U+C+3]`` from :func:`features`.
            tones: ``[B,8,4]`` from :func:`tones`.
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
        return Answer(
            bounded(wish.start, wish.kinds, shown, carried, free, RELAXING * relax.tanh().clamp(min=0)), free, shifts
        )

    @classmethod
    def load(cls, path: str | Path = BUILTIN, device: torch.device | str = "cpu") -> Predictor:
        """Read weights that ``python -m flow_core.train predictor`` wrote.

        Raises:
            PredictorError: there is no such file, it holds something else, or it is from a version before muscles.
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
        """Raise :class:`PredictorError` unless the guide has the text space of the training."""
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
        """Read a prompt once; the result makes the field of a face, or of a frame, in one pass.

        Args:
            guide: the one of the training; only its text tower is used.
            prompt: what to aim for.
            strength: multiplies the weights of the prompt; 0 gives a zero field, negative values the opposite.

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
        """Make the edits of the faces in pictures.

        Args:
            image: ``[P,3,H,W]``.
            crop: B faces in them; a single picture may go with any crop.
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
        amount: multiplies the answer.
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
        """The regions that it dyes, if all of their colours are named; none if it has to predict one."""
        regions = colored([self.gates]) if self.gates.color > 0 else []
        return tuple(regions) if all(name in self.tints for name in regions) else ()

    @torch.no_grad()
    def field_for(
        self, aligned: Tensor, landmarks: Tensor, fitted: FittedFace | None = None, span: float = 1.0,
        within: Tensor | None = None,
    ) -> MusclesField:  # fmt: skip
        """The field of aligned faces.

        Args:
            aligned: face squares ``[B,3,S,S]`` RGB 0..1; used for colours only.
            landmarks: ``[B,161,2]`` in crop points.
            fitted: the faces, if they have been fitted already, as in a clip.
            span: side of ``aligned`` in sides of the face squares, with the same middle; hair and skin are painted beyond the face.
            within: ``[B,1,S,S]`` 1 where ``aligned`` shows the picture, and not its border repeated; None = everywhere.
        """
        with suited(len(aligned) == 1):  # for one face, operations are small
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


def tones(colors: RegionColors | None, gates: Gates, like: Tensor) -> Tensor:
    """Colours that the network sees, ``[B,8,4]``: for each region of :data:`flow_core.editing.gates.COLOR_REGIONS` that the gates open
    its mean L, a and b over 100, and 1; for others zeros."""
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


def _joined(fields: Sequence[MusclesField]) -> MusclesField:
    """Several fields as one batch; if any has a rest, those without get an empty one."""
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
    """Embeddings ``[6,D]`` of :data:`KEYS`."""
    return torch.stack([embed(guide, text) for text in KEYS])


__all__ = ["Bound", "Predictor", "PredictorError"]
