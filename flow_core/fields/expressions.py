"""Expressions: presets by name, what a face shows, and what takes one face's expression to another.

A preset says how far to go from the face as it is, and what of it to relax first: an angry face stops smiling. The presets
are written by hand after what FACS says of each expression (Ekman and Friesen, Facial Action Coding System, 1978; Ekman,
Friesen and Hager, 2002), and tuned by looking at them on many faces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..faces.fit import fit_faces
from ..faces.rig import load_rig
from .muscles import MusclesField

if TYPE_CHECKING:
    from ..geometry.crop import Crop

_RELAX_MOUTH = {f"relax {n}": 0.9 for n in ("mouthSmile", "mouthDimple", "cheekSquint", "mouthUpperUp", "mouthLowerDown", "mouthStretch",
                                            "mouthPucker", "mouthFunnel")}  # fmt: skip
_RELAX_RAISED = {"relax browInnerUp": 0.8, "relax browOuterUp": 0.8}
_RELAX_SOUR = {
    f"relax {n}": 0.9
    for n in ("mouthFrown", "mouthPucker", "mouthShrugLower", "mouthPress", "browDown", "browTogether")
}
_ALL = {"relax": 1.0}
PRESETS: dict[str, dict[str, float]] = {
    "neutral": _ALL,
    # The eyes make a smile; corners drawn out farther than this make a clown's.
    "smile": {**_RELAX_SOUR, "mouthSmile": 0.65, "cheekSquint": 1.0, "eyeSquint": 0.5, "mouthUpperUp": 0.15, "mouthDimple": 0.15},
    "laugh": {**_RELAX_SOUR, "mouthSmile": 0.8, "cheekSquint": 1.0, "eyeSquint": 0.6, "mouthUpperUp": 0.25, "mouthLowerDown": 0.15,
              "jawOpen": 0.2, "browOuterUp": 0.1},
    "anger": {**_RELAX_MOUTH, **_RELAX_RAISED, "browDown": 0.52, "browTogether": 0.5, "noseSneer": 0.5, "eyeSquint": 0.3,
              "mouthFrown": 0.4, "mouthRollUpper": 0.15},
    # A lower lip drawn aside makes the opening round; the jaw alone makes it a lozenge.
    "surprise": {**_RELAX_MOUTH, "relax browDown": 0.8, "browInnerUp": 0.75, "browOuterUp": 0.75, "eyeWide": 0.85, "jawOpen": 0.6,
                 "mouthLowerDown": 0.3, "mouthUpperUp": 0.1, "mouthPucker": 0.3},
    "sadness": {**_RELAX_MOUTH, "browInnerUp": 0.75, "browTogether": 0.7, "mouthFrown": 0.75, "mouthShrugLower": 0.1,
                "eyeBlink": 0.35, "eyeLookDown": 0.25},
    "fear": {**_RELAX_MOUTH, "browInnerUp": 0.8, "browOuterUp": 0.35, "browTogether": 0.6, "eyeWide": 0.85, "mouthStretch": 0.6,
             "mouthLowerDown": 0.3, "jawOpen": 0.2},
    "disgust": {**_RELAX_MOUTH, "noseSneer": 1.0, "mouthUpperUp": 0.5, "browDown": 0.35, "browTogether": 0.3, "eyeSquint": 0.6,
                "cheekSquint": 0.4, "mouthShrugLower": 0.3, "mouthFrown": 0.25},
    "contempt": {"relax mouthSmile": 0.8, "mouthSmileLeft": 0.3, "mouthDimpleLeft": 0.9, "cheekSquintLeft": 0.4, "eyeSquint": 0.2,
                 "eyeBlink": 0.1},
    "smirk": {"mouthSmileLeft": 0.6, "mouthDimpleLeft": 0.4, "cheekSquintLeft": 0.6, "browOuterUpLeft": 0.15},
    "worry": {**_RELAX_MOUTH, "browInnerUp": 0.7, "browTogether": 0.8, "mouthFrown": 0.25, "mouthRollLower": 0.3, "eyeSquint": 0.15},
    "pout": {**_RELAX_MOUTH, "mouthShrugLower": 0.6, "mouthPucker": 0.5, "mouthFrown": 0.3, "browDown": 0.2, "browTogether": 0.3},
    "kiss": {**_RELAX_MOUTH, "relax jawOpen": 0.9, "relax mouthPucker": 0.0, "mouthPucker": 1.1, "mouthFunnel": 0.15, "eyeBlink": 0.15},
    "wink": {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.7, "mouthSmileLeft": 0.45, "browDownLeft": 0.1},
    "eyes closed": {"eyeBlink": 1.0},
    "sleepy": {"eyeBlink": 0.5, "browInnerUp": 0.15, "browOuterUp": 0.1, "relax mouthSmile": 0.6, "relax eyeWide": 1.0},
    "scream": {**_RELAX_MOUTH, "jawOpen": 0.7, "mouthLowerDown": 0.4, "mouthUpperUp": 0.3, "mouthStretch": 0.3, "eyeSquint": 0.5,
               "browDown": 0.3, "browTogether": 0.4, "noseSneer": 0.6},
}  # fmt: skip


def preset(name: str) -> MusclesField:
    """One of :data:`PRESETS` as a field.

    Raises:
        ValueError: there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"There is no expression {name!r}; use one of {', '.join(PRESETS)}.")
    return MusclesField.of(PRESETS[name], prompt=name)


def expression_of(crop: Crop) -> MusclesField:
    """What the faces of a crop show, as a field that gives it to any other face, whatever that shows itself."""
    units = fit_faces(crop.places).units
    controls = units.new_zeros(len(units), len(load_rig().control_names))
    return MusclesField(units, torch.ones_like(units), controls, None, {"prompt": "copied expression"})
