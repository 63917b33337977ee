"""Concepts that a guide knows by name, translated for the anatomical rig: amounts of face units and shape controls.

The names are those of :data:`flow_core.train.attributes.CONCEPTS`, in the same order; the plainest phrase of each is in
:data:`flow_core.guides.attributes.KNOWN`. Left and right are the person's own, as in face units. The amounts are those of the
concept at full strength, as an artist would call it; "relax NAME" takes away what a face shows already.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..fields.expressions import PRESETS
from ..guides.attributes import KNOWN

EXPRESSION, SHAPE, COLOR = "expression", "shape", "color"


@dataclass(frozen=True)
class Meaning:
    """What a concept means to the rig.

    Attributes:
        text: its plainest phrase.
        kind: :data:`EXPRESSION` (what a face does), :data:`SHAPE` (what it is like), or :data:`COLOR`, for which there are no muscles.
        amounts: named amounts for :meth:`flow_core.fields.muscles.MusclesField.of`; empty for colours.
    """

    text: str
    kind: str
    amounts: dict[str, float]


def _look(x: float, y: float) -> dict[str, float]:
    """Both eyes turned to the person's left (``x`` > 0) or right, up (``y`` > 0) or down."""
    found = {}
    if x:
        side, other = ("Left", "Right") if x > 0 else ("Right", "Left")
        found |= {f"eyeLookOut{side}": abs(x), f"eyeLookIn{other}": abs(x)}
    if y:
        found["eyeLookUp" if y > 0 else "eyeLookDown"] = abs(y)
    return found


def _side(name: str, side: str) -> dict[str, float]:
    """The preset ``name``, which is written for the left side, on ``side`` (``Left`` or ``Right``)."""
    swap = {"Left": "Right"} if side == "Right" else {}
    return {(n[:-4] + swap["Left"] if swap and n.endswith("Left") else n): v for n, v in PRESETS[name].items()}


# The chin pushes the lower lip up to keep the lips shut; corners that are drawn down would part them and show teeth.
_CORNERS_DOWN = {"mouthFrown": 0.9, "mouthShrugLower": 0.2} | {
    f"relax {n}": 1.0 for n in ("mouthSmile", "mouthUpperUp", "mouthLowerDown", "mouthStretch", "mouthDimple")
}
_RELAX_JAW = {"relax jawOpen": 1.0, "relax mouthUpperUp": 1.0, "relax mouthLowerDown": 1.0}

_EXPRESSIONS: dict[str, dict[str, float]] = {
    **{
        name: PRESETS[name]
        for name in (
            "smile", "laugh", "anger", "surprise", "sadness", "disgust", "fear", "neutral", "worry", "pout", "kiss", "smirk", "scream",
            "sleepy",
        )
    },
    "stern": {"relax mouthSmile": 1.0, "browDown": 0.5, "browTogether": 0.4, "eyeSquint": 0.2, "mouthPress": 0.4, "mouthFrown": 0.25},
    # the whole brow rises, as people raise it; outer ends higher than inner ones would look villainous
    "brows raised": {"browInnerUp": 1.05, "browOuterUp": 0.7},
    "brows lowered": {"relax browInnerUp": 1.0, "relax browOuterUp": 1.0, "browDown": 0.9},
    "frown": {"browDown": 0.7, "browTogether": 0.8},
    "brows apart": {"browTogether": -0.9},
    "brows close": {"browTogether": 1.0},
}  # fmt: skip
_SHAPES: dict[str, dict[str, float]] = {
    "brows arched": {"browHigher": 0.6, "browAngle": -0.5},
    "brows straight": {"browHigher": -0.4, "browAngle": 0.5},
}
_MEANT: dict[str, tuple[str, dict[str, float]]] = {
    **{name: (EXPRESSION, amounts) for name, amounts in _EXPRESSIONS.items()},
    **{name: (SHAPE, amounts) for name, amounts in _SHAPES.items()},
    "brows outer up": (EXPRESSION, {"browOuterUp": 0.9}),
    "eyes wide": (EXPRESSION, {"eyeWide": 1.0, "eyeTaller": 0.6, "browInnerUp": 0.25, "browOuterUp": 0.2}),
    "eyes narrow": (EXPRESSION, {"eyeSquint": 0.9, "eyeBlink": 0.25}),
    "eyes apart": (SHAPE, {"eyeApart": 1.0}),
    "eyes close": (SHAPE, {"eyeApart": -1.0}),
    "eyes upturned": (SHAPE, {"eyeOuterCornerUp": 1.0}),
    "eyes downturned": (SHAPE, {"eyeOuterCornerUp": -1.0}),
    "eyes long": (SHAPE, {"eyeLarger": 0.5, "eyeTaller": -0.6}),
    "mouth open": (EXPRESSION, {"jawOpen": 0.45, "mouthLowerDown": 0.2}),
    "mouth closed": (EXPRESSION, _RELAX_JAW),
    "mouth wide": (SHAPE, {"mouthWider": 1.0}),
    "mouth small": (SHAPE, {"mouthWider": -1.0}),
    "mouth corners down": (EXPRESSION, _CORNERS_DOWN),
    "lips thick": (SHAPE, {"lipsUpperFuller": 1.0, "lipsLowerFuller": 1.0}),
    "lips thin": (SHAPE, {"lipsUpperFuller": -1.0, "lipsLowerFuller": -1.0}),
    "upper lip full": (SHAPE, {"lipsUpperFuller": 1.2}),
    "lower lip full": (SHAPE, {"lipsLowerFuller": 1.2}),
    "philtrum long": (SHAPE, {"mouthHigher": -0.8}),
    "philtrum short": (SHAPE, {"mouthHigher": 0.8}),
    "nose wide": (SHAPE, {"noseWider": 1.2, "noseNostrilsWider": 1.2}),
    "nose narrow": (SHAPE, {"noseWider": -1.1, "noseBridgeWider": -0.15}),
    "nose long": (SHAPE, {"noseLonger": 1.4}),
    "nose short": (SHAPE, {"noseLonger": -1.0}),
    "nose upturned": (SHAPE, {"noseTipUp": 1.0}),
    "nose drooping": (SHAPE, {"noseTipUp": -1.0}),
    "face wide": (SHAPE, {"faceRounder": 0.6, "faceWider": 0.6, "cheekFuller": 0.5}),
    "face narrow": (SHAPE, {"faceWider": -0.8, "cheekFuller": -0.6}),
    "jaw wide": (SHAPE, {"jawWider": 1.0}),
    "jaw narrow": (SHAPE, {"jawWider": -1.0}),
    "face heart-shaped": (SHAPE, {"cheekboneHigher": 1.0, "faceHeart": 0.4}),
    "face square": (SHAPE, {"faceSquarer": 0.9, "jawWider": 0.6}),
    "chin long": (SHAPE, {"chinLonger": 1.0}),
    "chin short": (SHAPE, {"chinLonger": -1.0}),
    "chin broad": (SHAPE, {"chinWider": 1.0}),
    "chin pointed": (SHAPE, {"chinPointed": 1.4, "chinWider": -0.5}),
    "forehead high": (SHAPE, {"foreheadHigher": 1.0}),
    "forehead low": (SHAPE, {"foreheadHigher": -1.0}),
    "old": (SHAPE, {"faceOlder": 1.0, "eyeBag": 0.7}),
    "young": (SHAPE, {"younger": 0.7}),
    **{
        name: (COLOR, {})
        for name in (
            "lips red", "lips pink", "lips orange", "lips purple", "lips dark", "lips pale", "cheeks rosy", "brows dark", "brows light",
            "eyelids blue", "eyelids purple", "eyelids green", "eyelids pink", "eyelids golden", "eyelids dark", "under-eyes dark",
            "skin pale", "skin tanned", "skin dark", "skin red", "skin green", "skin blue", "eyes blue", "eyes green", "eyes brown",
            "eyes grey", "hair black", "hair brown", "hair blond", "hair red", "hair grey", "hair blue", "hair green", "hair pink",
            "hair purple",
        )
    },
    # further expressions
    "contempt": (EXPRESSION, PRESETS["contempt"]),
    "smirk left": (EXPRESSION, _side("smirk", "Left")),
    "smirk right": (EXPRESSION, _side("smirk", "Right")),
    "wink": (EXPRESSION, PRESETS["wink"]),
    "wink left": (EXPRESSION, _side("wink", "Left")),
    "wink right": (EXPRESSION, _side("wink", "Right")),
    "eyes closed": (EXPRESSION, PRESETS["eyes closed"]),
    "duck face": (EXPRESSION, {"relax mouthSmile": 1.0, "mouthPucker": 0.9, "mouthFunnel": 0.3, "mouthShrugUpper": 0.4, "cheekSquint": 0.2}),
    # Teeth that are gritted meet, and lips are drawn from both rows.
    "grimace": (EXPRESSION, {**_RELAX_JAW, "mouthStretch": 0.9, "mouthLowerDown": 0.9, "mouthUpperUp": 0.4, "eyeSquint": 0.6, "browTogether": 0.3}),
    "bared teeth": (EXPRESSION, {**_RELAX_JAW, "mouthUpperUp": 0.6, "mouthLowerDown": 1.0, "mouthStretch": 0.5}),
    "tongue out": (EXPRESSION, {"tongueOut": 1.0, "jawOpen": 0.35}),
    # single muscles
    "brow up left": (EXPRESSION, {"browOuterUpLeft": 1.0}),
    "brow up right": (EXPRESSION, {"browOuterUpRight": 1.0}),
    "brow down left": (EXPRESSION, {"browDownLeft": 1.0}),
    "brow down right": (EXPRESSION, {"browDownRight": 1.0}),
    "inner brows up": (EXPRESSION, {"browInnerUp": 1.0}),
    "squint": (EXPRESSION, {"eyeSquint": 1.0, "cheekSquint": 0.4}),
    "look left": (EXPRESSION, _look(0.8, 0)),
    "look right": (EXPRESSION, _look(-0.8, 0)),
    "look up": (EXPRESSION, _look(0, 0.8)),
    "look down": (EXPRESSION, _look(0, -0.8)),
    "cross-eyed": (EXPRESSION, {"eyeLookIn": 0.8}),
    # Lips hold the air. The rig's own muscle blows cheeks forwards, which on a turned head is to one side.
    "cheeks puffed": (EXPRESSION, {**_RELAX_JAW, "relax mouthSmile": 0.7, "relax mouthStretch": 1.0, "cheekPuff": 0.5, "cheekFuller": 1.7, "faceHeavier": 0.4,
                                   "mouthPress": 0.5, "mouthPucker": 0.3}),
    "cheeks raised": (EXPRESSION, {"cheekSquint": 1.0}),
    "nose wrinkled": (EXPRESSION, {"noseSneer": 1.0}),
    "jaw left": (EXPRESSION, {"jawLeft": 1.0}),
    "jaw right": (EXPRESSION, {"jawRight": 1.0}),
    "jaw forward": (EXPRESSION, {"jawForward": 1.0}),
    "mouth left": (EXPRESSION, {"mouthLeft": 1.0}),
    "mouth right": (EXPRESSION, {"mouthRight": 1.0}),
    "lips pressed": (EXPRESSION, {**_RELAX_JAW, "mouthPress": 1.0}),
    "lips rolled in": (EXPRESSION, {"mouthRollUpper": 0.9, "mouthRollLower": 0.9}),
    "lips funnelled": (EXPRESSION, {"relax mouthSmile": 1.0, "mouthFunnel": 0.9, "jawOpen": 0.25}),
    "lower lip out": (EXPRESSION, {"mouthShrugLower": 1.0}),
    "upper lip raised": (EXPRESSION, {"mouthUpperUp": 0.9}),
    "dimples": (EXPRESSION, {"mouthDimple": 1.0}),
    "eyelids lowered": (EXPRESSION, {"relax eyeWide": 1.0, "eyeBlink": 0.45}),
    # further shapes
    "eyes big": (SHAPE, {"eyeLarger": 1.0}),
    "eyes small": (SHAPE, {"eyeLarger": -0.9}),
    "cheeks full": (SHAPE, {"cheekFuller": 1.0, "cheekInnerFuller": 0.3}),
    "cheeks hollow": (SHAPE, {"cheekFuller": -1.0, "cheekInnerFuller": -0.3}),
    "face heavy": (SHAPE, {"faceHeavier": 0.7, "heavier": 0.5}),
    "face slim": (SHAPE, {"faceHeavier": -0.6, "heavier": -0.5, "faceWider": -0.2}),
    "eye bags": (SHAPE, {"eyeBag": 1.0}),
    "bridge wide": (SHAPE, {"noseBridgeWider": 1.0}),
    "bridge narrow": (SHAPE, {"noseBridgeWider": -0.7}),
    "nostrils wide": (SHAPE, {"noseNostrilsWider": 0.9, "noseNostrilsFlared": 0.6}),
    "nostrils narrow": (SHAPE, {"noseNostrilsWider": -0.9, "noseNostrilsFlared": -0.4}),
    "nose big": (SHAPE, {"noseWider": 0.6, "noseLonger": 0.5, "noseFuller": 0.5, "noseDeeper": 0.4}),
    "nose small": (SHAPE, {"noseWider": -0.6, "noseLonger": -0.5, "noseFuller": -0.5, "noseDeeper": -0.4}),
    "masculine": (SHAPE, {"masculine": 0.8}),
    "feminine": (SHAPE, {"masculine": -0.8}),
}  # fmt: skip

MEANINGS: dict[str, Meaning] = {
    name: Meaning(text, kind, amounts)
    for (name, (kind, amounts)), text in zip(
        _MEANT.items(), (phrase for phrases in KNOWN.values() for phrase in phrases), strict=True
    )
}
