"""Gates: which parts of the face a prompt may move, and which regions it may recolour.

A prompt about shape must not recolour a face, one about colour must not deform it, and an angry brow must not come with another
nose; but an optimiser uses whatever raises a guide's score a little. So it is decided beforehand what an edit may use: the
direction of the prompt is compared, in the guide's text space, with examples of each kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..guides.guide import Guide
from ..guides.meaning import UNDERSTOOD
from ..guides.prompts import Prompt, embed
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
# The similarity of a prompt to a kind is its largest cosine to one of the examples, divided by the largest of all kinds. Up to
# CLOSED the gate is shut, from OPEN on it is open; the first number is for movement, the second for colour. Both were tuned by
# hand on the built-in guide: lower ones let an angry brow come with another nose.
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
        """Gates from 13 numbers, in the order of :data:`EXAMPLES`."""
        return cls(
            dict(zip(PARTS, values[: len(PARTS)], strict=True)),
            dict(zip(COLOR_REGIONS, values[len(PARTS) :], strict=True)),
        )

    @property
    def color(self) -> float:
        """Colour anywhere."""
        return max(self.regions.values(), default=0.0)


def open_gates(guide: Guide, prompt: Prompt) -> Gates:
    """The gates that the parts of a prompt open together, as the guide understands them."""
    if guide.meanings is not None:
        read = _read(guide, prompt)
        if read is not None:
            return read
    kinds = torch.tensor([kind for kind, group in enumerate(EXAMPLES) for _ in group])
    neutral = guide.encode_text([prompt.neutral])
    known = F.normalize(guide.encode_group([t for group in EXAMPLES for t in group]) - neutral, dim=-1)
    asked = F.normalize(guide.encode_text([text for text, _ in prompt.parts]) - neutral, dim=-1)
    # what all examples have in common only says that something is asked for
    common = torch.stack([known[kinds == kind].mean(0) for kind in range(len(EXAMPLES))]).mean(0)
    similarity = F.normalize(asked - common, dim=-1) @ F.normalize(known - common, dim=-1).T  # [K,examples]
    nearest = torch.stack([similarity[:, kinds == kind].amax(1) for kind in range(len(EXAMPLES))], 1)
    nearest = nearest / nearest.amax(1, keepdim=True).clamp(min=1e-6)
    low, high = (nearest.new_tensor([a] * len(PARTS) + [b] * len(COLOR_REGIONS)) for a, b in (CLOSED, OPEN))
    gates = ((nearest - low) / (high - low)).clamp(0, 1).amax(0).tolist()
    return Gates.of(gates)


# The parts that an expression is recognised by. Its units move more than those: an angry face also moves the nose a little.
_TOLD_BY = {
    "anger": ("brows",), "frown": ("brows",), "sadness": ("brows", "mouth"), "surprise": ("brows", "eyes", "mouth"), "worry": ("brows",),
    "fear": ("brows", "eyes"), "stern": ("brows",), "sleepy": ("eyes",), "laugh": ("eyes", "mouth"), "disgust": ("nose", "mouth"),
    "smile": ("mouth",), "scream": ("mouth",), "pout": ("mouth",), "kiss": ("mouth",), "smirk": ("mouth",), "contempt": ("mouth",),
    "smirk left": ("mouth",), "smirk right": ("mouth",), "duck face": ("mouth",), "grimace": ("mouth",), "eyes wide": ("eyes",),
    "neutral": PARTS, "old": PARTS, "young": PARTS,
}  # fmt: skip
_PART_OF = {
    "brow": "brows",
    "eye": "eyes",
    "nose": "nose",
    "mouth": "mouth",
    "lips": "mouth",
    "tongue": "mouth",
    "jawOpen": "mouth",
}
_REGION_OF = {"eyes": "irises"}  # other regions are the first word of their concepts


def _read(guide: Guide, prompt: Prompt) -> Gates | None:
    """Gates from the concepts that a guide with :attr:`~flow_core.guides.guide.Guide.meanings` reads; None if a part means none."""
    amounts, _ = guide.meanings.read(torch.stack([embed(guide, text) for text, _ in prompt.parts]).cpu())
    sizes = amounts.abs()
    if bool((sizes.amax(1) < UNDERSTOOD).any()):
        return None
    parts, regions = dict.fromkeys(PARTS, 0.0), dict.fromkeys(COLOR_REGIONS, 0.0)
    for row in sizes / sizes.amax(1, keepdim=True):
        for k in row.nonzero()[:, 0].tolist():
            name = guide.meanings.names[k]
            if name not in MEANINGS:
                continue
            if MEANINGS[name].kind == COLOR:
                region = name.split()[0]
                gates, opened = regions, (_REGION_OF.get(region, region),)
            else:
                gates, opened = parts, _TOLD_BY.get(name) or _parts(MEANINGS[name].amounts)
            for gate in opened:
                gates[gate] = max(gates[gate], min(1.0, max(0.0, (float(row[k]) - 0.5) / 0.35)))
    return Gates(parts, regions)


def _parts(amounts: dict[str, float]) -> tuple[str, ...]:
    """The parts of the face that named units and controls belong to."""
    names = [name.removeprefix("relax ") for name in amounts]
    return tuple({next((p for start, p in _PART_OF.items() if n.startswith(start)), "outline") for n in names})
