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

from .guide import Guide
from .landmarks import region_mask
from .motion import PARTS
from .prompts import Prompt

WHOLE = ("an old face", "a young face", "a neutral face")
MOVED = {  # the parts of the face whose muscles or bones a text is about
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
TINTED = {
    "lips": ("a face with red lips", "a face with pink lips", "a face with black lips", "purple lipstick", "pale lips"),
    "cheeks": ("a face with rosy cheeks", "a blushing face", "a face with red cheeks", "pink cheeks"),
    "brows": ("a face with dark eyebrows", "a face with blond eyebrows", "a face with black eyebrows", "light eyebrows"),
    "eyelids": ("a face with blue eye shadow", "a face with dark eye shadow", "green eyelids", "pink eye shadow"),
    "under-eyes": ("a face with dark circles under the eyes", "tired dark eyes", "shadows under the eyes"),
    "irises": ("a face with blue eyes", "a face with green eyes", "a face with brown eyes", "grey irises"),
    "skin": ("a face with pale skin", "a face with dark skin", "a tanned face", "a face with green skin", "red skin"),
    "hair": ("a face with blond hair", "a face with black hair", "a face with red hair", "blue hair", "grey hair"),
}  # fmt: skip
EXAMPLES = (*(MOVED[part] for part in PARTS), *TINTED.values())
PAINTED = tuple(TINTED)  # the regions that colour can be for
LOW, HIGH = (0.6, 0.45), (0.9, 0.7)  # likeness in that to the likest between which a gate opens: of movement, of colour
EDGE = {
    "cheeks": 0.09,
    "under-eyes": 0.04,
    "eyelids": 0.03,
    "hair": 0.04,
}  # soft border, fractions of the crop side
SHARP = 0.015  # the border of the others
SPARED = {  # what a soft border must not tint
    "cheeks": ("lips", "under-eyes", "irises"),
    "under-eyes": ("irises",),
    "eyelids": ("brows", "irises"),
    "skin": ("lips", "brows"),
}
OUTER = 0.06  # the border of the face's skin to the outside
HAIR = 0.22  # how far a colour may be from that of the hair above the forehead, in the range of RGB


@dataclass(frozen=True)
class Gates:
    """What an edit may use, each 0..1.

    Attributes:
        parts: part of :data:`flow_core.motion.PARTS` -> movement there.
        regions: region of :data:`PAINTED` -> colour there.
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
            dict(zip(PARTS, values[: len(PARTS)], strict=True)), dict(zip(PAINTED, values[len(PARTS) :], strict=True))
        )

    @property
    def color(self) -> float:
        """Colour anywhere."""
        return max(self.regions.values(), default=0.0)


def open_gates(guide: Guide, prompt: Prompt) -> Gates:
    """What all parts of a prompt together ask for, as the guide understands it."""
    kinds = torch.tensor([kind for kind, group in enumerate(EXAMPLES) for _ in group])
    neutral = guide.encode_text([prompt.neutral])
    known = F.normalize(guide.encode_text([t for group in EXAMPLES for t in group]) - neutral, dim=-1)
    asked = F.normalize(guide.encode_text([text for text, _ in prompt.parts]) - neutral, dim=-1)
    # what all have in common only says that something is asked for
    common = torch.stack([known[kinds == kind].mean(0) for kind in range(len(EXAMPLES))]).mean(0)
    alike = F.normalize(asked - common, dim=-1) @ F.normalize(known - common, dim=-1).T  # [K,examples]
    likest = torch.stack([alike[:, kinds == kind].amax(1) for kind in range(len(EXAMPLES))], 1)
    likest = likest / likest.amax(1, keepdim=True).clamp(min=1e-6)
    low, high = (likest.new_tensor([a] * len(PARTS) + [b] * len(PAINTED)) for a, b in (LOW, HIGH))
    gates = ((likest - low) / (high - low)).clamp(0, 1).amax(0).tolist()
    return Gates.of(gates)


def paint_masks(gates: Gates, landmarks: Tensor, aligned: Tensor, size: int) -> Tensor:
    """Where colour may go, for each region with an open gate.

    Args:
        gates: of the prompt.
        landmarks: ``[B,161,2]`` in crop points.
        aligned: the face squares ``[B,3,S,S]``, in which hair is found by its colour.
        size: side of the mask.

    Returns:
        ``[B,R,size,size]`` 0..1.
    """
    masks = []
    for name, gate in gates.regions.items():
        if gate > 0:
            region = region_mask(landmarks, name, size, EDGE.get(name, SHARP)).to(aligned)
            if name == "skin":  # soft towards the neck, sharp around lips, eyes and brows, and none of it on the hair
                region = region * region_mask(landmarks, "all", size, OUTER).to(aligned)
                region = region * (1 - _hair(landmarks, aligned, size))
            if name == "hair":
                region = _hair(landmarks, aligned, size)
            for other in SPARED.get(name, ()):
                region = region * (1 - region_mask(landmarks, other, size, SHARP).to(aligned))
            masks.append(gate * region)
    return torch.cat(masks, 1) if masks else aligned.new_zeros(len(landmarks), 0, size, size)


def paint(color: Tensor, masks: Tensor, limit: float) -> Tensor:
    """Colour raster ``[B,3,h,w]`` of colours ``[B,R,3]`` in masks ``[B,R,h,w]``, within ``limit`` of sRGB 0..1."""
    painted = torch.einsum("brc,brhw->bchw", limit * torch.tanh(color / limit), masks)
    return painted.clamp(-limit, limit)


def _hair(landmarks: Tensor, aligned: Tensor, size: int) -> Tensor:
    small = F.interpolate(aligned, (size, size), mode="bilinear", antialias=True, align_corners=False)
    region = region_mask(landmarks, "hair", size, EDGE["hair"]).to(aligned)
    return region * hair_likeness(small, region, landmarks, HAIR)


def hair_likeness(picture: Tensor, region: Tensor, landmarks: Tensor, spread: float) -> Tensor:
    """How much pixels look like the hair above the forehead, ``[B,1,S,S]`` 0..1.

    Args:
        picture: ``[B,3,S,S]`` in any colour space.
        region: ``[B,1,S,S]``, where hair is expected.
        landmarks: ``[B,161,2]`` in fractions of the picture.
        spread: standard deviation of hair, in units of the colour space.
    """
    y = torch.linspace(0, 1, picture.shape[-1], device=picture.device)[None, None, :, None]
    top = landmarks[:, :, 1].amin(1)[:, None, None, None].to(picture)
    strip = region * (y < top) + 1e-4 * region + 1e-6
    mean = (picture * strip).sum((2, 3), keepdim=True) / strip.sum((2, 3), keepdim=True)
    return torch.exp(-(picture - mean).square().sum(1, keepdim=True) / (2 * spread**2))
