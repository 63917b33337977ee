"""Expressions: presets by name, what a face shows, and what takes one face's expression to another.

A preset says how far to go from the face as it is, and what of it to relax first: an angry face stops smiling. The presets
are written by hand after what FACS says of each expression (Ekman and Friesen, Facial Action Coding System, 1978; Ekman,
Friesen and Hager, 2002), and tuned by looking at them on many faces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..faces.rig import load_rig
from .muscles import MusclesField, shown_by

if TYPE_CHECKING:
    from ..geometry.crop import Crop

_RELAX_MOUTH = {f"relax {n}": 0.9 for n in ("mouthSmile", "mouthDimple", "cheekSquint", "mouthUpperUp", "mouthLowerDown", "mouthStretch",
                                            "mouthPucker", "mouthFunnel")}  # fmt: skip
_RELAX_RAISED = {"relax browInnerUp": 0.8, "relax browOuterUp": 0.8}
_ALL = {"relax": 1.0}
PRESETS: dict[str, dict[str, float]] = {
    "neutral": _ALL,
    # The eyes make a smile; corners drawn out farther than this make a clown's.
    "smile": {"mouthSmile": 0.65, "cheekSquint": 1.0, "eyeSquint": 0.5, "mouthUpperUp": 0.25, "relax browDown": 0.5},
    "laugh": {"mouthSmile": 0.85, "cheekSquint": 0.9, "eyeSquint": 0.35, "mouthUpperUp": 0.35, "jawOpen": 0.28, "browInnerUp": 0.15},
    "anger": {**_RELAX_MOUTH, **_RELAX_RAISED, "browDown": 0.5, "browTogether": 0.7, "noseSneer": 0.5, "eyeSquint": 0.3,
              "mouthFrown": 0.3, "mouthShrugLower": 0.15},
    # A lower lip drawn aside makes the opening round; the jaw alone makes it a lozenge.
    "surprise": {**_RELAX_MOUTH, "browInnerUp": 0.7, "browOuterUp": 0.7, "eyeWide": 1.1, "jawOpen": 0.5, "mouthLowerDown": 0.25,
                 "mouthUpperUp": 0.1, "mouthPucker": 0.15},
    "sadness": {**_RELAX_MOUTH, "browInnerUp": 0.7, "browTogether": 0.8, "mouthFrown": 0.7, "mouthShrugLower": 0.1,
                "eyeBlink": 0.35, "eyeLookDown": 0.25},
    "fear": {**_RELAX_MOUTH, "browInnerUp": 0.9, "browOuterUp": 0.4, "browTogether": 0.5, "eyeWide": 0.9, "mouthStretch": 0.7, "jawOpen": 0.15},
    "disgust": {**_RELAX_MOUTH, "noseSneer": 1.0, "mouthUpperUp": 0.5, "browDown": 0.5, "eyeSquint": 0.6, "mouthShrugLower": 0.4,
                "mouthFrown": 0.3},
    "contempt": {"relax mouthSmile": 0.8, "mouthSmileLeft": 0.35, "mouthDimpleLeft": 0.8, "cheekSquintLeft": 0.3, "eyeSquint": 0.2},
    "smirk": {"mouthSmileLeft": 0.65, "mouthDimpleLeft": 0.4, "cheekSquintLeft": 0.5},
    "worry": {**_RELAX_MOUTH, "browInnerUp": 0.9, "browTogether": 0.6, "mouthFrown": 0.25, "mouthPress": 0.3},
    "pout": {**_RELAX_MOUTH, "mouthShrugLower": 0.7, "mouthPucker": 0.45, "mouthFrown": 0.4, "browDown": 0.3},
    "kiss": {"mouthPucker": 1.0, "eyeBlink": 0.15, "relax mouthSmile": 0.8},
    "wink": {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.7, "mouthSmileLeft": 0.5, "browDownLeft": 0.15},
    "eyes closed": {"eyeBlink": 1.0},
    "sleepy": {"eyeBlink": 0.5, "browInnerUp": 0.2, "relax mouthSmile": 0.6},
    "scream": {**_RELAX_MOUTH, "jawOpen": 0.75, "mouthStretch": 0.5, "eyeSquint": 0.5, "browDown": 0.6, "noseSneer": 0.6, "mouthUpperUp": 0.4},
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
    units = shown_by(crop).units
    controls = units.new_zeros(len(units), len(load_rig().control_names))
    return MusclesField(units, torch.ones_like(units), controls, None, {"prompt": "copied expression"})
