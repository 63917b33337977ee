"""What a prompt names: the expressions and shapes of the anatomical rig that are nearest in the guide's own text space.

A guide knows how near two texts are, and the rig knows what a smile or a wide nose is. So each part of a prompt is compared with
texts for every preset and every shape, and what it means most becomes where an edit starts, and which group of muscles
and shapes it may use. Texts about colour stand among the examples so that a prompt about colour names no muscle.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.fit import UNSEEN
from ..faces.rig import load_rig
from ..fields.expressions import PRESETS
from ..fields.muscles import MusclesField
from ..guides.guide import Guide
from ..guides.prompts import Prompt
from .gates import COLOR_EXAMPLES

EXPRESSIONS: dict[str, tuple[str, ...]] = {  # preset -> texts that ask for it
    "neutral": ("a neutral face", "an expressionless face", "a face without an expression"),
    "smile": ("a smiling face", "a happy face", "a joyful face", "a cheerful face"),
    "laugh": ("a laughing face", "a face laughing out loud", "a face with a big grin"),
    "anger": ("an angry face", "a furious face", "a frowning face", "a stern face"),
    "surprise": ("a surprised face", "an astonished face", "a shocked face"),
    "sadness": ("a sad face", "an unhappy face", "a sorrowful face"),
    "fear": ("a frightened face", "a scared face", "a fearful face"),
    "disgust": ("a disgusted face",),
    "worry": ("a worried face", "an anxious face"),
    "contempt": ("a contemptuous face",),
    "smirk": ("a smirking face",),
    "pout": ("a pouting face",),
    "kiss": ("a kissing face", "a face with puckered lips"),
    "wink": ("a winking face",),
    "eyes closed": ("a face with closed eyes",),
    "sleepy": ("a sleepy face", "a tired face"),
    "scream": ("a screaming face", "a shouting face"),
}
SHAPES: dict[str, tuple[str, dict[str, float]]] = {  # text -> amounts of units and controls
    "a face with raised eyebrows": ("expression", {"browInnerUp": 0.8, "browOuterUp": 0.9}),
    "a face with lowered eyebrows": ("expression", {"browDown": 0.9}),
    "a face with eyebrows close together": ("expression", {"browTogether": 1.0}),
    "a face with wide eyes": ("expression", {"eyeWide": 1.0, "eyeTaller": 0.6, "browOuterUp": 0.25}),
    "a face with narrow eyes": ("expression", {"eyeSquint": 0.9, "eyeBlink": 0.25}),
    "a face with an open mouth": ("expression", {"jawOpen": 0.45, "mouthLowerDown": 0.2}),
    "a face with a closed mouth": (
        "expression",
        {"relax jawOpen": 1.0, "relax mouthUpperUp": 1.0, "relax mouthLowerDown": 1.0},
    ),
    "a face with mouth corners down": ("expression", {"mouthFrown": 0.9, "relax mouthSmile": 1.0}),
    "a face with big eyes": ("shape", {"eyeLarger": 1.0}),
    "a face with small eyes": ("shape", {"eyeLarger": -0.9}),
    "a face with wide-set eyes": ("shape", {"eyeApart": 1.0}),
    "a face with close-set eyes": ("shape", {"eyeApart": -1.0}),
    "a face with upturned eyes": ("shape", {"eyeOuterCornerUp": 1.0}),
    "a face with droopy eyes": ("shape", {"eyeOuterCornerUp": -1.0}),
    "a face with arched eyebrows": ("shape", {"browHigher": 0.6, "browAngle": -0.5}),
    "a face with straight eyebrows": ("shape", {"browHigher": -0.4, "browAngle": 0.5}),
    "a face with a wide mouth": ("shape", {"mouthWider": 1.0}),
    "a face with a small mouth": ("shape", {"mouthWider": -1.0}),
    "a face with full lips": ("shape", {"lipsUpperFuller": 1.0, "lipsLowerFuller": 1.0}),
    "a face with thin lips": ("shape", {"lipsUpperFuller": -1.0, "lipsLowerFuller": -1.0}),
    "a face with a full upper lip": ("shape", {"lipsUpperFuller": 1.2}),
    "a face with a full lower lip": ("shape", {"lipsLowerFuller": 1.2}),
    "a face with a wide nose": ("shape", {"noseWider": 0.4, "noseNostrilsWider": 1.4}),
    "a face with a narrow nose": ("shape", {"noseWider": -1.0, "noseBridgeWider": -0.5}),
    "a face with a long nose": ("shape", {"noseLonger": 1.4}),
    "a face with a short nose": ("shape", {"noseLonger": -1.0}),
    "a face with an upturned nose": ("shape", {"noseTipUp": 1.0}),
    "a face with a drooping nose": ("shape", {"noseTipUp": -1.0}),
    "a round face": ("shape", {"faceRounder": 0.8, "cheekFuller": 0.6}),
    "a wide face": ("shape", {"faceWider": 1.0}),
    "a slim face": ("shape", {"faceWider": -0.8, "cheekFuller": -0.6}),
    "a square face": ("shape", {"faceSquarer": 0.9, "jawWider": 0.6}),
    "a heart-shaped face": ("shape", {"faceHeart": 0.9}),
    "a face with a strong jaw": ("shape", {"jawWider": 1.0}),
    "a face with a narrow jaw": ("shape", {"jawWider": -1.0}),
    "a face with a long chin": ("shape", {"chinLonger": 1.0}),
    "a face with a short chin": ("shape", {"chinLonger": -1.0}),
    "a face with a broad chin": ("shape", {"chinWider": 1.0}),
    "a face with a pointed chin": ("shape", {"chinPointed": 1.0}),
    "a face with high cheekbones": ("shape", {"cheekboneHigher": 1.0}),
    "a face with a high forehead": ("shape", {"foreheadHigher": 1.0}),
    "a face with a low forehead": ("shape", {"foreheadHigher": -1.0}),
    "an old face": ("shape", {"faceOlder": 1.0, "eyeBag": 0.7}),
    "a young face": ("shape", {"younger": 0.7}),
    "a heavy face": ("shape", {"heavier": 0.8}),
}
LEAST = 0.45  # likeness to the nearest example below which a text names nothing
WITHIN = 0.12  # examples less alike than the nearest one by this share count no more


@dataclass(frozen=True)
class Named:
    """What a prompt names.

    Attributes:
        field: where an edit starts; nothing where nothing is named.
        expression: 0..1, whether it asks for what a face does, and
        shape: for what a face is; 0 both where it asks for colour alone.
    """

    field: MusclesField
    expression: float
    shape: float


def named(guide: Guide, prompt: Prompt) -> Named:
    """What all parts of a prompt name together, each as much as its weight says."""
    rows: list[tuple[str, str, dict[str, float]]] = [
        (text, "expression", PRESETS[name]) for name, texts in EXPRESSIONS.items() for text in texts
    ]
    rows += [(text, kind, amounts) for text, (kind, amounts) in SHAPES.items()]
    rows += [(text, "color", {}) for texts in COLOR_EXAMPLES.values() for text in texts]
    neutral = guide.encode_text([prompt.neutral])
    known = F.normalize(guide.encode_group([text for text, *_ in rows]) - neutral, dim=-1)
    common = known.mean(0)  # what all have in common only says that something is asked for
    asked = F.normalize(guide.encode_text([text for text, _ in prompt.parts]) - neutral, dim=-1)
    likeness = F.normalize(asked - common, dim=-1) @ F.normalize(known - common, dim=-1).T  # [K,N]
    field = MusclesField.of({})
    amounts = field.coefficients()
    kinds = {"expression": 0.0, "shape": 0.0, "color": 0.0}
    for (_, weight), row in zip(prompt.parts, likeness.cpu(), strict=True):
        best = row.max()
        share = (
            ((row / best.clamp(min=1e-6) - (1 - WITHIN)) / WITHIN).clamp(0, 1)
            if best >= LEAST
            else torch.zeros_like(row)
        )
        share = share / share.sum().clamp(min=1e-6)
        for s, (_, kind, named_amounts) in zip(share.tolist(), rows, strict=True):
            if s > 0:
                kinds[kind] = max(kinds[kind], s)
                amounts = amounts + s * weight * MusclesField.of(named_amounts).coefficients()
        if best < LEAST:  # it names nothing that is known here, so that it may be anything
            kinds["expression"] = kinds["shape"] = 1.0
    most = max(kinds.values()) or 1.0
    made = field.with_coefficients(amounts).with_meta(prompt=str(prompt), neutral=prompt.neutral, guide=guide.name)
    return Named(made, kinds["expression"] / most, kinds["shape"] / most)


def covariance(expression: float, shape: float) -> Tensor:
    """How units and controls vary on real faces, ``[U+C,U+C]``, as far as an edit may use either.

    Of units it is the covariance that the rig brings, left and right alike; units that its teacher sees badly get a variance of
    their own. Controls vary independently.
    """
    rig = load_rig()
    spread = torch.full((len(rig.unit_names),), 0.05)
    for i, name in enumerate(rig.unit_names):
        if name.startswith(UNSEEN):
            spread[i] = 0.2
    units = rig.covariance + torch.diag(spread.square())
    both = _tied(rig.unit_names)
    units = both @ units @ both.T
    controls = _tied(rig.control_names) * CONTROL_SPREAD**2
    return torch.block_diag(expression**2 * units, shape**2 * controls)


CONTROL_SPREAD = 0.4


def _tied(names: tuple[str, ...]) -> Tensor:
    """Matrix that makes left and right the mean of both."""
    matrix = torch.eye(len(names))
    for i, name in enumerate(names):
        other = name.removesuffix("Left") + "Right" if name.endswith("Left") else name
        if other != name and other in names:
            j = names.index(other)
            matrix[[i, i, j, j], [i, j, i, j]] = 0.5
    return matrix
