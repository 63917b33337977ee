"""Expressions: presets by name, what a face shows, and what takes one face's expression to another.

A preset says how far to go from the face as it is; what the face shows already and the preset does not want is taken away by
a negative amount. The presets are written by hand after what FACS says of each expression (Ekman and Friesen, Facial
Action Coding System, 1978; Ekman, Friesen and Hager, 2002), and looked at on many faces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..faces.fit import fit_faces
from ..faces.rig import load_rig
from .muscles import MusclesField

if TYPE_CHECKING:
    from ..geometry.crop import Crop

_NO_SMILE = {"mouthSmile": -0.8, "cheekSquint": -0.5, "mouthDimple": -0.4}
PRESETS: dict[str, dict[str, float]] = {
    "smile": {"mouthSmile": 0.75, "cheekSquint": 0.8, "mouthDimple": 0.2, "eyeSquint": 0.2, "mouthUpperUp": 0.1},
    "laugh": {"mouthSmile": 0.85, "cheekSquint": 0.9, "eyeSquint": 0.35, "mouthUpperUp": 0.35, "jawOpen": 0.28, "browInnerUp": 0.15},
    "anger": {**_NO_SMILE, "browDown": 0.9, "browTogether": 0.7, "noseSneer": 0.6, "eyeSquint": 0.5, "mouthPress": 0.4,
              "mouthFrown": 0.35, "mouthShrugLower": 0.3, "browInnerUp": -0.6},
    "surprise": {**_NO_SMILE, "browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 0.9, "jawOpen": 0.42, "mouthFunnel": 0.25},
    "sadness": {**_NO_SMILE, "browInnerUp": 1.0, "browOuterUp": -0.2, "browTogether": 0.3, "mouthFrown": 0.7, "mouthShrugLower": 0.4,
                "eyeSquint": 0.2, "eyeBlink": 0.1},
    "fear": {**_NO_SMILE, "browInnerUp": 0.9, "browOuterUp": 0.4, "browTogether": 0.5, "eyeWide": 0.9, "mouthStretch": 0.7, "jawOpen": 0.15},
    "disgust": {**_NO_SMILE, "noseSneer": 1.0, "mouthUpperUp": 0.5, "browDown": 0.5, "eyeSquint": 0.6, "mouthShrugLower": 0.4,
                "mouthFrown": 0.3},
    "contempt": {"mouthSmile": -0.3, "mouthSmileLeft": 0.35, "mouthDimpleLeft": 0.8, "cheekSquintLeft": 0.3, "eyeSquint": 0.2},
    "smirk": {"mouthSmileLeft": 0.65, "mouthDimpleLeft": 0.4, "cheekSquintLeft": 0.5},
    "worry": {**_NO_SMILE, "browInnerUp": 0.9, "browTogether": 0.6, "mouthFrown": 0.25, "mouthPress": 0.3},
    "pout": {**_NO_SMILE, "mouthShrugLower": 0.7, "mouthPucker": 0.45, "mouthFrown": 0.4, "browDown": 0.3},
    "kiss": {"mouthPucker": 1.0, "eyeBlink": 0.15, "mouthSmile": -0.4},
    "wink": {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.7, "mouthSmileLeft": 0.5, "browDownLeft": 0.15},
    "eyes closed": {"eyeBlink": 1.0},
    "sleepy": {"eyeBlink": 0.5, "browInnerUp": 0.2, "mouthSmile": -0.3},
    "scream": {**_NO_SMILE, "jawOpen": 0.75, "mouthStretch": 0.5, "eyeSquint": 0.5, "browDown": 0.6, "noseSneer": 0.6, "mouthUpperUp": 0.4},
}  # fmt: skip


def preset(name: str) -> MusclesField:
    """One of :data:`PRESETS` as a field.

    Raises:
        ValueError: there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"There is no expression {name!r}; use one of {', '.join(PRESETS)}.")
    return MusclesField.of(PRESETS[name], prompt=name)


def shown(crop: Crop) -> MusclesField:
    """What the faces of a crop show already, as a field: its negative makes them neutral."""
    units = fit_faces(crop.places).units
    return MusclesField(
        units, units.new_zeros(len(units), len(load_rig().control_names)), None, {"prompt": "expression"}
    )


def neutral(crop: Crop) -> MusclesField:
    """What takes the expression off the faces of a crop."""
    return shown(crop).scale(-1.0).with_meta(prompt="neutral")


def copied(source: Crop, target: Crop) -> MusclesField:
    """What gives the faces of ``target`` the expressions of those of ``source``, batches 1 or B."""
    wanted, now = shown(source), shown(target)
    units = wanted.units - now.units
    return MusclesField(
        units, torch.zeros(len(units), now.controls.shape[1]).to(units), None, {"prompt": "copied expression"}
    )
