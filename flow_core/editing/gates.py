"""Does a prompt ask for movement or for colour, and where? The guide's own text directions tell.

A shape prompt must not recolour a face, nor a colour prompt deform it, nor an angry brow come with another nose; but an
optimiser takes whatever raises a guide's score a little. So what an edit may use is decided before: the direction of the prompt
is compared, in the guide's text space, with examples of each kind. That reads meanings, not words, as far as the guide does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..guides.guide import Guide
from ..guides.prompts import UNDERSTOOD, Prompt, embed
from .concepts import COLOR, MEANINGS
from .motion import PARTS

WHOLE = ("an old face", "a young face", "a neutral face")
MOVEMENT_EXAMPLES = {  # the parts of the face whose muscles or bones a text is about
    "brows": (
        "an angry face", "a frowning face", "a sad face", "a surprised face", "a worried face", "a frightened face", "a stern face",
        "a face with raised eyebrows", "a face with lowered eyebrows", "a face with arched eyebrows",
        "a face with eyebrows close together", *WHOLE,
    ),
    "eyes": (
        "a surprised face", "a frightened face", "a sleepy face", "a laughing face", "a face with big eyes", "a face with narrow eyes",
        "a face with close-set eyes", "a face with upturned eyes", "a face with droopy eyes", *WHOLE,
    ),
    "nose": (
        "a disgusted face", "a face with a wide nose", "a face with a narrow nose", "a face with a long nose", "a face with a short nose",
        "a face with an upturned nose", *WHOLE,
    ),
    "mouth": (
        "a smiling face", "a laughing face", "a sad face", "a surprised face", "a disgusted face", "a screaming face", "a pouting face",
        "a kissing face", "a smirking face", "a face with an open mouth", "a face with a small mouth", "a face with a wide mouth",
        "a face with full lips", "a face with thin lips", "a face with a full lower lip", "a face with a long philtrum", *WHOLE,
    ),
    "outline": (
        "a round face", "a slim face", "a square face", "a heart-shaped face", "a face with a strong jaw", "a face with a long chin",
        "a face with a short chin", "a face with a pointed chin", "a face with high cheekbones", "a face with a high forehead", *WHOLE,
    ),
}  # fmt: skip
COLOR_EXAMPLES = {
    "lips": ("a face with red lips", "a face with pink lips", "a face with black lips", "purple lipstick", "pale lips"),
    "cheeks": ("a face with rosy cheeks", "a blushing face", "a face with red cheeks", "pink cheeks"),
    "brows": ("a face with dark eyebrows", "a face with blond eyebrows", "a face with black eyebrows", "light eyebrows"),
    "eyelids": ("a face with blue eye shadow", "a face with dark eye shadow", "green eyelids", "pink eye shadow"),
    "under-eyes": ("a face with dark circles under the eyes", "tired dark eyes", "shadows under the eyes"),
    "irises": ("a face with blue eyes", "a face with green eyes", "a face with brown eyes", "grey irises"),
    "skin": ("a face with pale skin", "a face with dark skin", "a tanned face", "a face with green skin", "red skin"),
    "hair": ("a face with blond hair", "a face with black hair", "a face with red hair", "blue hair", "grey hair"),
}  # fmt: skip
EXAMPLES = (*(MOVEMENT_EXAMPLES[part] for part in PARTS), *COLOR_EXAMPLES.values())
COLOR_REGIONS = tuple(COLOR_EXAMPLES)  # the regions of the face that a colour can be for
# A gate compares a prompt with the examples of its kind: its similarity is the largest cosine to one of them, divided by the
# largest of all kinds. Up to CLOSED the gate is shut, from OPEN on it is open; the first number holds for movement, the second
# for colour. Both were tuned by hand on the built-in guide: lower ones let an angry brow come with another nose.
CLOSED, OPEN = (0.6, 0.45), (0.9, 0.7)


@dataclass(frozen=True)
class Gates:
    """What an edit may use, each 0..1.

    Attributes:
        parts: part of :data:`flow_core.editing.motion.PARTS` -> movement there.
        regions: region of :data:`COLOR_REGIONS` -> colour there.
    """

    parts: dict[str, float]
    regions: dict[str, float]

    @property
    def shape(self) -> float:
        """Movement anywhere."""
        return max(self.parts.values(), default=0.0)

    @classmethod
    def of(cls, values: Sequence[float]) -> Gates:
        """From 13 numbers in the order of :data:`EXAMPLES`."""
        return cls(
            dict(zip(PARTS, values[: len(PARTS)], strict=True)),
            dict(zip(COLOR_REGIONS, values[len(PARTS) :], strict=True)),
        )

    @property
    def color(self) -> float:
        """Colour anywhere."""
        return max(self.regions.values(), default=0.0)


def open_gates(guide: Guide, prompt: Prompt) -> Gates:
    """What all parts of a prompt together ask for, as the guide understands it."""
    kinds = torch.tensor([kind for kind, group in enumerate(EXAMPLES) for _ in group])
    neutral = guide.encode_text([prompt.neutral])
    known = F.normalize(guide.encode_group([t for group in EXAMPLES for t in group]) - neutral, dim=-1)
    asked = F.normalize(guide.encode_text([text for text, _ in prompt.parts]) - neutral, dim=-1)
    # what all have in common only says that something is asked for
    common = torch.stack([known[kinds == kind].mean(0) for kind in range(len(EXAMPLES))]).mean(0)
    similarity = F.normalize(asked - common, dim=-1) @ F.normalize(known - common, dim=-1).T  # [K,examples]
    nearest = torch.stack([similarity[:, kinds == kind].amax(1) for kind in range(len(EXAMPLES))], 1)
    nearest = nearest / nearest.amax(1, keepdim=True).clamp(min=1e-6)
    low, high = (nearest.new_tensor([a] * len(PARTS) + [b] * len(COLOR_REGIONS)) for a, b in (CLOSED, OPEN))
    opened = ((nearest - low) / (high - low)).clamp(0, 1)
    if guide.meanings is not None:  # which kind a text is of need not be guessed from what it is near to
        opened = opened * _kinds(guide, prompt).to(opened)
    gates = opened.amax(0).tolist()
    return Gates.of(gates)


def _kinds(guide: Guide, prompt: Prompt) -> Tensor:
    """``[K,13]`` 1 where a part of a prompt can be of the kind: movement where it means anything but colours, a region's colour where it
    means a colour. Of what cannot be read anything can be."""
    amounts, _ = guide.meanings.read(torch.stack([embed(guide, text) for text, _ in prompt.parts]).cpu())
    is_color = torch.tensor([MEANINGS[name].kind == COLOR for name in guide.meanings.names])
    meant = amounts.abs() >= UNDERSTOOD
    unread = ~meant.any(1)
    moves, paints = (unread | (meant & kind).any(1) for kind in (~is_color, is_color))
    columns = torch.tensor([i < len(PARTS) for i in range(len(EXAMPLES))])
    return torch.where(columns, moves[:, None], paints[:, None]).float()
