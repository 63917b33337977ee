"""One-shot prediction: a small network looks at a face and a text and gives the field at once (paper, the learning-based
framework).

It answers in the few numbers in which :mod:`flow_core.editing.optimize` edits: how far to go along each way of moving, and one
colour for each region. The text enters as a sum of weighted directions in the guide's text space, so that parts add up,
negative weights move away, and strength is the length of that sum: no text, no strength, no edit, by construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import read_weights
from ..faces.landmarks import POINTS, located
from ..fields.new import RESOLUTION
from ..fields.raster import Field
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..geometry.sampling import interpolate
from ..guides.guide import Guide
from ..guides.nano import IMAGE_SIZE, _down, _Residual, fused
from ..guides.prompts import Prompt, directions, embed
from ..randomness import OwnRandom
from ..threads import yielding
from .gates import COLOR_REGIONS, Gates, open_gates
from .motion import load_movements, spread
from .optimize import Settings
from .painting import COLOR_RASTER, RegionColors, paint
from .tints import Tint, named_tints

BUILTIN = Path(__file__).parents[1] / "weights" / "predictor.safetensors"
COLOR_LIMIT = 0.22  # largest colour offset of colours that the network answers
FARTHEST = 1.5  # largest weight times strength that the training shows; beyond it an edit is extrapolated
KEYS = ("a smiling face", "an angry face", "a face with a wide nose", "red lips", "an old man", "blond hair")
LEAST_SIMILARITY = 0.99  # least cosine between KEYS in the guide's text space and in that of the training


class PredictorError(RuntimeError):
    """A predictor cannot be loaded, or not be used with this guide; the message names the remedy."""


class _Modulated(nn.Module):
    """A residual step of the text, gated by the face; without bias, so that no text stays no text."""

    def __init__(self, width: int, face: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, 2 * width, bias=False), nn.Linear(2 * width, width, bias=False)
        self.gate = nn.Linear(face, 2 * width)
        nn.init.zeros_(self.gate.weight)  # training starts with an edit that all faces share
        nn.init.zeros_(self.gate.bias)

    def forward(self, text: Tensor, face: Tensor) -> Tensor:
        return text + self.down(F.silu(self.up(text)) * (1 + self.gate(face)))


class Predictor(nn.Module):
    """The network.

    Attributes:
        guide: name of the guide that trained it.
        keys: ``[6,D]`` how that guide embeds :data:`KEYS`; it tells other guides apart.
        unit: root mean square length of that guide's text directions.
    """

    def __init__(self, guide: str, keys: Tensor, unit: float = 1.0, width: int = 256) -> None:
        super().__init__()
        self.guide = guide
        self.register_buffer("keys", keys.clone().float())
        self.register_buffer("unit", torch.tensor(float(unit)))
        self.eye = nn.Sequential(
            _down(3, 16, 5), _down(16, 32), _down(32, 64), _Residual(64), _down(64, 96), _Residual(96),
            nn.Conv2d(96, 24, 1), nn.SiLU(), nn.Flatten(),
        )  # fmt: skip
        self.face = nn.Sequential(
            nn.Linear(24 * (IMAGE_SIZE // 16) ** 2 + 2 * len(POINTS), width),
            nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
        )  # fmt: skip
        self.text = nn.Linear(keys.shape[1], width, bias=False)
        self.steps = nn.ModuleList(_Modulated(width, width) for _ in range(2))
        self.motion = nn.Linear(width, len(load_movements()[0]), bias=False)
        self.color = nn.Linear(width, 3 * len(COLOR_REGIONS), bias=False)
        for head, size in ((self.motion, 0.02), (self.color, 0.002)):
            nn.init.normal_(head.weight, std=size)

    def forward(self, aligned: Tensor, landmarks: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """The edit in numbers.

        Args:
            aligned: face squares ``[B,3,112,112]`` RGB 0..1.
            landmarks: ``[B,161,2]`` in crop points.
            text: ``[B,D]`` sums of weighted text directions.

        Returns:
            How far to go along each of :func:`flow_core.editing.motion.load_movements` ``[B,W]`` and colours ``[B,8,3]`` of the
            regions :data:`flow_core.editing.gates.COLOR_REGIONS` before their limit, sRGB 0..1.
        """
        features = torch.cat([self.eye(4 * (aligned - 0.5)), 8 * (landmarks.flatten(1) - 0.5)], 1)
        face = self.face(features)
        text = self.text(text / self.unit * text.shape[1] ** 0.5)
        for step in self.steps:
            text = step(text, face)
        return self.motion(text).float(), self.color(text).float().unflatten(1, (-1, 3))

    @classmethod
    def load(cls, path: str | Path = BUILTIN, device: torch.device | str = "cpu") -> Predictor:
        """Read weights that ``python -m flow_core.train predictor`` wrote.

        Raises:
            PredictorError: there is no such file, or it holds something else.
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
        # weights made in inference mode would be of no use outside of it
        with torch.inference_mode(False):
            with OwnRandom():
                made = cls(about.get("guide", "?"), state["keys"], width=state["text.weight"].shape[0])
            try:
                made.load_state_dict(
                    {k: v.long() if k.endswith("num_batches_tracked") else v for k, v in state.items()}
                )
            except RuntimeError as e:
                raise PredictorError(
                    f"{path.name} was made by another version of FaceFlow ({' '.join(str(e).split())[:200]}); train it again."
                ) from e
            return fused(made).to(device, memory_format=torch.channels_last).requires_grad_(False)

    def require(self, guide: Guide) -> None:
        """Raise :class:`PredictorError` where a guide's text space is not that of the training."""
        keys = key_texts(guide)
        if keys.shape == self.keys.shape:
            similarity = F.cosine_similarity(keys, self.keys.to(keys)).min().item()
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
        with torch.inference_mode(False), torch.no_grad():
            way, weight = directions(guide, prompt)
            text = (way * (weight * strength)[:, None]).sum(0, keepdim=True).to(self.unit.device)
            extra = max(1.0, abs(strength) * weight.abs().max().item() / FARTHEST)
            meta = {"prompt": str(prompt), "neutral": prompt.neutral, "guide": guide.name, "method": "predict",
                    "strength": float(strength)}  # fmt: skip
            gates = open_gates(guide, prompt)
            tints = {r: replace(t, amount=t.amount * strength) for r, t in named_tints(guide, prompt, gates).items()}
            return Bound(self, text / extra, extra, gates, meta, tints)

    @yielding()
    def predict(
        self, image: Tensor, crop: Crop, guide: Guide, prompt: Prompt | Sequence[Prompt], strength: float = 1.0
    ) -> Field:
        """The edits of the faces in pictures.

        Args:
            image: ``[P,3,H,W]``.
            crop: B faces in them; one picture serves any crop.
            guide: the one of the training.
            prompt: what to aim for: one for all faces, or one for each.
            strength: as in :meth:`bind`.

        Returns:
            A field of batch B, with the prompts, the guide and the strength in its metadata.

        Raises:
            ValueError: batches do not fit.
        """
        if image.shape[1] != 3:
            raise ValueError(f"A predictor looks at RGB pictures, got {image.shape[1]} channels.")
        crop = crop.for_pictures(len(image)) if len(image) > 1 else crop
        prompts = [prompt] * crop.batch if isinstance(prompt, Prompt) else list(prompt)
        if len(prompts) != crop.batch:
            raise ValueError(f"{len(prompts)} prompts do not fit {crop.batch} faces: one for all, or one for each.")
        aligned, places = crop.aligned(image, IMAGE_SIZE), located(image, crop).places
        bound = {one: self.bind(guide, one, strength) for one in dict.fromkeys(prompts)}
        if len(bound) == 1:
            return bound[prompts[0]].field_for(aligned, places)
        fields = [bound[p].field_for(aligned[i : i + 1], places[i : i + 1]) for i, p in enumerate(prompts)]
        size = max(f.size for f in fields)  # a colour has a finer outline than a movement
        fields = [f if f.size == size else f.resample(size) for f in fields]
        meta = {**fields[0].meta, "prompt": " / ".join(map(str, bound))}
        return make(torch.cat([f.offset for f in fields]), torch.cat([f.color for f in fields]), meta)


@dataclass(frozen=True)
class Bound:
    """A predictor with a prompt, from :meth:`Predictor.bind`; call it with faces.

    Attributes:
        predictor: the network.
        text: ``[1,D]`` sum of weighted directions, within what the training showed.
        extra: by how much to extrapolate, 1 and above.
        gates: what the prompt may use.
        meta: of the fields.
        tints: the colours that the prompt names.
    """

    predictor: Predictor
    text: Tensor
    extra: float
    gates: Gates
    meta: Mapping[str, object]
    tints: Mapping[str, Tint] = field(default_factory=dict)

    @torch.no_grad()
    def field_for(self, aligned: Tensor, landmarks: Tensor) -> Field:
        """The field of aligned faces.

        Args:
            aligned: face squares ``[B,3,S,S]`` RGB 0..1; 112 is what the network looks at.
            landmarks: ``[B,161,2]`` in crop points.
        """
        device = self.predictor.unit.device
        aligned, landmarks = aligned.to(device), landmarks.to(device)
        small = aligned
        if aligned.shape[2:] != (IMAGE_SIZE, IMAGE_SIZE):
            small = F.interpolate(aligned, (IMAGE_SIZE,) * 2, mode="bilinear", antialias=True, align_corners=False)
        motion, color = self.predictor(small, landmarks, self.text.expand(len(small), -1))
        colored = self.gates.color > 0
        if colored and not self.gates.shape > 0:  # a colour prompt does not deform
            offset = torch.zeros(len(small), 2, COLOR_RASTER, COLOR_RASTER, device=device)
        else:
            open_ = motion.new_tensor(list(self.gates.parts.values()))
            offset = offsets(motion * self.extra, open_.expand(len(small), -1), landmarks)
        if not colored:
            return make(offset, torch.zeros_like(offset[:, :1]).expand(-1, 3, -1, -1), self.meta)
        count = len(small)
        colors = RegionColors(
            [self.gates] * count, [self.tints] * count, landmarks, aligned, (2, 2), Settings.color_limit
        )
        asked = [i for i, name in enumerate(COLOR_REGIONS) if self.gates.regions[name] > 0]
        if offset.shape[-1] != COLOR_RASTER:
            offset = interpolate(offset, pixel_centers(COLOR_RASTER, COLOR_RASTER, device))
        # colours that the prompt names are known; the others are the network's
        color = color[:, asked] * colors.free * self.extra / colors.cost
        color = colors.raster() + paint(color, colors.masks, COLOR_LIMIT)
        meta = {**self.meta, "note": colors.note} if colors.note else self.meta
        return make(offset, color, meta)

    __call__ = field_for


def make(offset: Tensor, color: Tensor, meta: Mapping[str, object] | None = None) -> Field:
    """The field of rasters that the network answered: the one place that decides of what kind it is."""
    return Field(offset, color, meta or {}, "velocity")


def offsets(motion: Tensor, parts: Tensor, landmarks: Tensor) -> Tensor:
    """The offset raster ``[B,2,28,28]`` of faces with ``landmarks [B,161,2]`` that go as far as ``motion [B,W]`` along
    :func:`flow_core.editing.motion.load_movements`, where ``parts [B,5]`` of them may move."""
    ways, of_parts = (t.to(motion) for t in load_movements())
    moved = torch.einsum("bw,wkc->bkc", motion * (parts @ of_parts.T), ways)
    return spread(landmarks, moved, (RESOLUTION, RESOLUTION))


def key_texts(guide: Guide) -> Tensor:
    """Embeddings ``[6,D]`` of :data:`KEYS`, by which guides are told apart."""
    return torch.stack([embed(guide, text) for text in KEYS])


__all__ = ["Bound", "Predictor", "PredictorError"]
