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

from ..faces.landmarks import five_points
from ..faces.regions import region_mask
from ..geometry.grid import pixel_centers
from ..guides.guide import Guide
from ..guides.prompts import Prompt
from .motion import PARTS

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
    "brows": 0.008,
}  # soft border, fractions of the crop side
SHARP = 0.015  # the border of the others
SPARED = {  # what a soft border must not tint
    "cheeks": ("lips", "under-eyes", "irises"),
    "under-eyes": ("irises",),
    "eyelids": ("brows", "irises"),
    "skin": ("lips", "brows"),
}
OUTER = 0.06  # the border of a head to the background
BEYOND = 0.08  # how far hair reaches beyond where it is expected, less and less
SOFT = 0.08  # border of hair at the height of the mouth
NEAR = 0.1  # how far skin reaches beyond the landmarks
ALIKE = 0.09  # how far colours of one thing lie apart, in the range of RGB
AREA = 0.012  # share of the face square of a region, lips for instance, on which a colour has its full reach


@dataclass(frozen=True)
class Gates:
    """What an edit may use, each 0..1.

    Attributes:
        parts: part of :data:`flow_core.editing.motion.PARTS` -> movement there.
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
            if name in ("hair", "skin"):
                region = _heads(landmarks, aligned, size)[name]
            else:
                region = region_mask(landmarks, name, size, EDGE.get(name, SHARP)).to(aligned)
            for other in SPARED.get(name, ()):
                region = region * (1 - region_mask(landmarks, other, size, SHARP).to(aligned))
            masks.append(gate * region)
    return torch.cat(masks, 1) if masks else aligned.new_zeros(len(landmarks), 0, size, size)


def dearness(masks: Tensor) -> Tensor:
    """How many times dearer a colour is in masks ``[B,R,h,w]`` than on lips, ``[B,R]``: lips may turn red and nobody is another
    person, a face that turns as much is a mask. What is seen of a colour goes by its root mean square over the picture."""
    return (masks.mean((2, 3)) / AREA).clamp(min=1).sqrt()


def paint(color: Tensor, masks: Tensor, limit: float) -> Tensor:
    """Colour raster ``[B,3,h,w]`` of colours ``[B,R,3]`` in masks ``[B,R,h,w]``, within ``limit`` of sRGB 0..1."""
    painted = torch.einsum("brc,brhw->bchw", limit * torch.tanh(color / limit), masks)
    return painted.clamp(-limit, limit)


def _heads(landmarks: Tensor, aligned: Tensor, size: int) -> dict[str, Tensor]:
    """Hair and skin, ``[B,1,size,size]`` each. Landmarks end below the hairline: around them hair, bare skin and background are
    told apart by their colours. Both fade in the shadows, where there is no colour."""
    small = F.interpolate(aligned, (size, size), mode="bilinear", antialias=True, align_corners=False)
    face = region_mask(landmarks, "skin", size, SHARP).to(small)
    x, y = pixel_centers(size, size, small.device).movedim(-1, 0)[:, :, None]
    low = five_points(landmarks)[:, 3:, 1].mean(1)[:, None, None, None].to(small)  # below the mouth it is clothes
    ring = region_mask(landmarks, "hair", size).to(small)
    wide = round(BEYOND * size)
    ring = F.avg_pool2d(F.max_pool2d(ring, 2 * wide + 1, 1, wide), 2 * wide + 1, 1, wide, count_include_pad=False)
    ring = ring * (1 - region_mask(landmarks, "all", size, SHARP).to(small)) * ((low - y) / SOFT).clamp(0, 1)
    far = (y < 0.5) & ((x - 0.5).abs() > 0.38)  # beside the head; left and right of it may differ
    skin, left, right = (_unlike(small, m) for m in (face, far & (x < 0.5), far & (x > 0.5)))
    near = region_mask(landmarks, "all", size, NEAR).to(small)  # bare skin around the landmarks is brow, ears and neck
    known = torch.cat([skin + (near + 1e-3).log(), *((1 - near).clamp(min=1e-3).log() + k for k in (left, right))], 1)
    likeness = ring * (1 - known.exp().amax(1, keepdim=True)) + 1e-4 * ring
    for _ in range(4):  # hair is what else there is around the face
        like = torch.cat([_unlike(small, likeness), known], 1).softmax(1)
        like = F.avg_pool2d(like, 5, 1, 2, count_include_pad=False)  # hair has highlights
        likeness = ring * like[:, :1] + 1e-4 * ring
    hair, skin = ((like[:, i : i + 1] - 0.35).clamp(0, 0.3) / 0.3 for i in (0, 1))
    out = {"hair": ring * hair, "skin": torch.maximum(face, ring * skin)}
    light = small.mean(1, keepdim=True)
    return {
        name: m
        * (light / ((light * m).sum((2, 3), keepdim=True) / m.sum((2, 3), keepdim=True).clamp(min=1e-3))).clamp(max=1)
        for name, m in out.items()
    }


def _unlike(picture: Tensor, seed: Tensor) -> Tensor:
    """Log-likelihood ``[B,1,h,w]`` that a pixel is of what lies in ``seed``, by its mean colour."""
    seed = seed.to(picture) + 1e-6
    mean = (picture * seed).sum((2, 3), keepdim=True) / seed.sum((2, 3), keepdim=True)
    return (picture - mean).square().sum(1, keepdim=True) / (-2 * ALIKE**2)


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
