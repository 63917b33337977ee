"""Expressions: presets by name, what a face shows, and what takes one face's expression to another.

A preset says how far to go from the face as it is, and what of it to relax first: an angry face stops smiling. The presets
are written by hand after what FACS says of each expression (Ekman and Friesen, Facial Action Coding System, 1978; Ekman,
Friesen and Hager, 2002), and tuned by looking at them on many faces.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from ..faces.frowning import drawn_together
from ..faces.landmarks import pose
from ..faces.rig import UnknownMuscle, load_rig
from ..faces.shown import shown_by
from .base import FieldError
from .muscles import RELAX, MusclesField
from .told import what_it_does
from .units import MOST, frowning, other_side, read_shown

if TYPE_CHECKING:
    from torch import Tensor

    from ..geometry.crop import Crop

_RELAX_MOUTH = {f"relax {n}": 0.9 for n in ("mouthSmile", "mouthDimple", "cheekSquint", "mouthUpperUp", "mouthLowerDown", "mouthStretch",
                                            "mouthPucker", "mouthFunnel")}  # fmt: skip
_CLOSING = {"relax jawOpen": 0.7}  # an open smile shows its teeth through other expressions
_SHUT_MOUTH = dict.fromkeys((*_RELAX_MOUTH, *_CLOSING), 1.0)
_RELAX_RAISED = {"relax browInnerUp": 0.8, "relax browOuterUp": 0.8}
_RELAX_SOUR = {
    f"relax {n}": 0.9
    for n in ("mouthFrown", "mouthPucker", "mouthShrugLower", "mouthPress", "browDown", "browTogether")
}
_SMILING = {
    f"relax {n}": 0.7
    for n in ("mouthSmile", "mouthUpperUp", "mouthLowerDown", "mouthStretch", "mouthDimple", "jawOpen")
}
_ALL = {"relax": 1.0}
FAR = 4.0  # an amount beyond that was meant otherwise, in per cent or out of ten
# Yaw as of :func:`flow_core.faces.landmarks.pose` at which a face is read as lopsided, and hardly of use as such
TURNED = 0.08, 0.25
PRESETS: dict[str, dict[str, float]] = {
    "neutral": _ALL,
    # The eyes make a smile; corners drawn out farther than this make a clown's. Lips part as far as people's do at such a smile: of those
    # who draw their corners out so far, hardly one keeps them shut. What smiles already hardly smiles more.
    "smile": {**_RELAX_SOUR, **_SMILING, "mouthSmile": 0.82, "cheekSquint": 0.82, "eyeSquint": 0.5, "mouthUpperUp": 0.65, "mouthLowerDown": 0.68, "mouthDimple": 0.1,
              "jawOpen": 0.05},
    # Without a jaw that drops it would be one more smile.
    "laugh": {**_RELAX_SOUR, **{n: v for n, v in _SMILING.items() if n != "relax jawOpen"}, "mouthSmile": 0.75, "cheekSquint": 1.0, "eyeSquint": 0.65, "mouthUpperUp": 0.62, "mouthLowerDown": 0.28,
              "mouthStretch": 0.25, "jawOpen": 0.32, "browOuterUp": 0.1},
    # Brows slant: their inner ends go down and together, the outer ones hardly. Lips part as in angry words: teeth that are only bared
    # look like disgust, and a jaw that drops looks surprised. It is the lower lip that is drawn away, which makes the mouth square: two thirds
    # of the opening of angry mouths lie below their corners. An upper lip that is arched over it would be somebody's who speaks.
    "anger": {**_SHUT_MOUTH, **_RELAX_RAISED, "browDown": 0.95, "browTogether": 1.1, "browAngle": 0.5, "noseSneer": 0.5, "eyeSquint": 0.28,
              "mouthUpperUp": 0.2, "mouthLowerDown": 0.8, "mouthStretch": 0.3, "jawOpen": 0.17},
    # A pursed mouth makes the opening round, the jaw alone makes it a lozenge; lids that part are helped by taller eyes.
    "surprise": {**_RELAX_MOUTH, "relax browDown": 0.8, "browInnerUp": 1.0, "browOuterUp": 0.8, "eyeWide": 1.0, "eyeTaller": 0.3,
                 "jawOpen": 0.5, "mouthLowerDown": 0.25, "mouthPucker": 0.45},
    # Brows whose inner ends rise while they are drawn together: of all muscles that says most of sorrow.
    "sadness": {**_SHUT_MOUTH, "relax eyeSquint": 0.8, "relax browOuterUp": 0.8, "browInnerUp": 1.0, "browTogether": 0.8, "browDown": 0.1, "browAngle": -0.5,
                "mouthFrown": 0.65, "mouthStretch": 0.2, "mouthShrugLower": 0.1, "cheekSquint": 0.1, "eyeBlink": 0.27, "eyeLookDown": 0.2},
    "fear": {**_RELAX_MOUTH, "browInnerUp": 0.8, "browOuterUp": 0.35, "browTogether": 0.6, "eyeWide": 0.85, "mouthStretch": 0.5,
             "mouthLowerDown": 0.42, "jawOpen": 0.23},
    "disgust": {**_RELAX_MOUTH, **_CLOSING, "noseSneer": 1.0, "mouthUpperUp": 0.5, "browDown": 0.35, "browTogether": 0.3, "eyeSquint": 0.6,
                "cheekSquint": 0.4, "mouthShrugLower": 0.3, "mouthFrown": 0.25},
    "contempt": {"relax mouthSmile": 0.8, "mouthSmileLeft": 0.3, "mouthDimpleLeft": 0.9, "cheekSquintLeft": 0.4, "eyeSquint": 0.2,
                 "eyeBlink": 0.1},
    "smirk": {"mouthSmileLeft": 0.6, "mouthDimpleLeft": 0.4, "cheekSquintLeft": 0.6, "browOuterUpLeft": 0.15},
    "worry": {**_RELAX_MOUTH, **_CLOSING, "browInnerUp": 0.7, "browTogether": 0.8, "mouthFrown": 0.25, "mouthRollLower": 0.3, "eyeSquint": 0.15},
    "pout": {**_RELAX_MOUTH, **_CLOSING, "mouthShrugLower": 0.6, "mouthPucker": 0.5, "mouthFrown": 0.3, "browDown": 0.2, "browTogether": 0.3},
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


def expression(text: str) -> MusclesField:
    """The field that :func:`parse_amounts` reads."""
    return MusclesField.of(parse_amounts(text), prompt=" ".join(text.split()))


def parse_amounts(text: str) -> dict[str, float]:
    """Expressions, muscles and shapes by name, as named amounts for :meth:`MusclesField.of`.

    ``"smile"``, ``"smile 0.6, relax browDown 1"``, ``"mouthSmile 0.7; eyeBlinkLeft = 1"``. Without a number 1 is meant; amounts
    of the same muscle add up; capitals do not matter.

    Raises:
        FieldError: nothing is named, a piece is no name with a number, or the number is beyond :data:`FAR`.
        UnknownMuscle: a name is unknown; the message says the nearest ones.
    """
    total: dict[str, float] = {}
    for piece in filter(None, (p.strip() for p in re.split(r"[,;\n]", text))):
        match = re.fullmatch(r"([A-Za-z_][A-Za-z_ ]*?)\s*(?:[:=\s]\s*([-+]?(?:\d+\.?\d*|\.\d+)))?", piece)
        if not match:
            raise FieldError(
                f"{piece!r} is no muscle with an amount; write for instance: mouthSmile 0.7, eyeBlinkLeft 1"
            )
        named, amount = _meant(match[1]), float(match[2] or 1)
        if abs(amount) > FAR:
            raise FieldError(f"{piece!r} is more than a face can do: 1 is all of a muscle, and shapes go from -2 to 2.")
        for name, value in _each(named):
            total[name] = total.get(name, 0.0) + value * amount
    if not total:
        raise FieldError("No expression or muscle is named; write for instance: smile 0.6, eyeBlinkLeft 1")
    return total


def _each(named: Mapping[str, float]) -> list[tuple[str, float]]:
    """Named amounts with each side by its own name, so that those of several names can be added."""
    rig = load_rig()
    rows = []
    for name, value in named.items():
        relax, muscle = (f"{RELAX} ", name.removeprefix(RELAX).strip()) if name.split(" ")[0] == RELAX else ("", name)
        rows += [(relax + n, value) for n in (rig.sides(muscle) if muscle else rig.unit_names)]
    return rows


def _meant(name: str) -> dict[str, float]:
    """What a name stands for at 1."""
    words = " ".join(name.split()).lower()
    if words in PRESETS:
        return PRESETS[words]
    known = _muscles()
    muscle = words.removeprefix(RELAX).strip() if words.split()[0] == RELAX else None
    if muscle == "":
        return {RELAX: 1.0}
    one = _as_written(muscle or words)
    if one in known and not (muscle and known[one] not in _units()):
        return {f"{RELAX} {known[one]}" if muscle else known[one]: 1.0}
    names = known if muscle is None else {n: known[n] for n in known if known[n] in _units()}
    near = difflib.get_close_matches(one, [*names, *(PRESETS if muscle is None else ())], 3, 0.5)
    hint = (
        f"the nearest: {', '.join(names.get(n, n) for n in near)}" if near else "`faceflow muscles --names` lists all"
    )
    what = "expression, muscle or shape" if muscle is None else "muscle to relax"
    raise UnknownMuscle(f"There is no {what} named {name!r}; {hint}.")


def _as_written(words: str) -> str:
    """A name in the order of the muscles' own: "left brow down" is browdownleft."""
    parts = words.replace("eyebrow", "brow").split()
    sides = [p for p in parts if p in ("left", "right")]
    return "".join([p for p in parts if p not in sides] + sides)


@functools.lru_cache(maxsize=1)
def _muscles() -> dict[str, str]:
    """Names of units and controls, with and without their side, by what they are in small letters."""
    rig = load_rig()
    names = [*rig.unit_names, *rig.control_names]
    return {
        n.lower(): n for n in [*names, *(n.removesuffix("Left").removesuffix("Right") for n in names)] if rig.sides(n)
    }


@functools.lru_cache(maxsize=1)
def _units() -> frozenset[str]:
    return frozenset(
        n for n in _muscles().values() if n in load_rig().unit_names or f"{n}Left" in load_rig().unit_names
    )


def neutral(share: float = 1.0) -> MusclesField:
    """Takes away what a face shows, all or a share of it."""
    return preset("neutral").scale(share)


def expression_of(crop: Crop) -> MusclesField:
    """What the faces of a crop show, as a field that gives it to any other face, whatever that shows itself.

    A face that is turned shows its two halves in different lengths, which is read as lopsided: the farther it is turned, the
    more its two sides are made equal, but for the gaze.
    """
    units, names = read_shown(crop.places, shown_by(crop)).clamp(max=MOST), load_rig().unit_names
    units = frowning(units, drawn_together(crop).to(units))
    turned = ((pose(crop.places)[:, :1].abs() - TURNED[0]) / (TURNED[1] - TURNED[0])).clamp(0, 1)
    other = units[:, [other_side(n, names) for n in names]]
    sides = torch.tensor([not n.startswith("eyeLook") for n in names], device=units.device)
    return copied(units + (other - units) / 2 * turned * sides)


def copied(units: Tensor) -> MusclesField:
    """A field that gives what somebody shows, ``units [B,U]`` as of :func:`read_shown`, to any face."""
    controls = units.new_zeros(len(units), len(load_rig().control_names))
    return MusclesField(units, torch.ones_like(units), controls, None, {"prompt": "copied expression"})


def table(field: MusclesField, least: float = 0.05) -> str:
    """The muscles of a field's first face, one a line, the strongest first; left and right are one where they are alike."""
    said = what_it_does(field.select(0), 99)
    entries = [] if said == "nothing" else [entry.rsplit(" ", 1) for entry in said.split(", ")]
    rows = [(name, float(amount)) for name, amount in entries if not name.startswith(RELAX)]
    lines = [f"{name:<18} {v:5.2f}  {'#' * round(20 * min(1.0, v))}" for name, v in rows if v >= least]
    return "\n".join(lines) or "a neutral face"
