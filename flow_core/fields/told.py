"""What a muscles field does, in words."""

from __future__ import annotations

from collections.abc import Mapping

from ..faces.rig import load_rig
from .base import FlowField
from .muscles import DID, RELAX, MusclesField

ALIKE = 0.06  # by which two sides may differ that are told as one: nobody sees it


def what_it_does(field: MusclesField, most: int = 8) -> str:
    """The strongest muscles of a field by name, ``"mouthSmile 0.62, cheekSquintLeft 0.40"``; faces apart by a bar. Left and right
    are one where they are alike. A face that is recoloured too is said to have ``colours``."""
    rows = [_said(amounts, most) for amounts in field.amounts]
    if field.rest is not None:
        painted = field.rest.color.abs().amax((1, 2, 3)) > 0.005
        rows = [
            ("colours" if said == "nothing" else f"{said}, colours") if p else said
            for said, p in zip(rows, painted.tolist(), strict=True)
        ]
    return " | ".join(rows)


def telling(field: FlowField) -> FlowField:
    """The field with what it does by name in its metadata, as :data:`DID`; fields of pixels stay as they are."""
    return field.with_meta(**{DID: what_it_does(field)}) if isinstance(field, MusclesField) else field


def told(field: FlowField) -> str:
    """What :func:`telling` wrote into a field; of fields that have no muscles that they move pixels."""
    return str(field.meta.get(DID, "")) or ("" if isinstance(field, MusclesField) else "moves pixels, no muscles")


def _said(amounts: Mapping[str, float], most: int) -> str:
    named: dict[str, float] = {}
    moves = {n: v for n, v in amounts.items() if not n.startswith(RELAX)}
    relaxed = {amounts.get(f"{RELAX} {n}", 0.0) for n in load_rig().unit_names}
    if not moves and len(relaxed) == 1 and any(relaxed):
        return f"{RELAX} {relaxed.pop():.2f}"  # all alike: one word for all
    amounts = moves or amounts  # what is only relaxed is of interest where nothing else is done
    for name, value in amounts.items():
        both = name.removesuffix("Left").removesuffix("Right")
        if name.endswith("Right") and abs(amounts.get(both + "Left", 9.0) - value) < ALIKE:
            continue
        alike = name.endswith("Left") and abs(amounts.get(both + "Right", 9.0) - value) < ALIKE
        named[both if alike else name] = value
    strongest = sorted(named.items(), key=lambda item: -abs(item[1]))[:most]
    return ", ".join(f"{name} {value:.2f}" for name, value in strongest if abs(value) >= 0.005) or "nothing"
