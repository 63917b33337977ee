"""Conflicts between what several wishes of a prompt name: which expression gets which muscles, and what a weak wish leaves out.

A sad, angry or frightened smile keeps the mouth of the smile and shows the other emotion in brows and eyes (Ekman and Friesen,
Unmasking the Face, 1975: blends show one emotion above and the other below); the muscles of both, added up, would pull the
corners of the mouth both ways. And a single movement that is turned down, as in "smile but do not squint" or "angry with the
mouth shut", is also left out of the expressions that contain it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..faces.rig import load_rig
from ..fields.expressions import PRESETS
from ..fields.muscles import RELAX
from ..fields.smooth import smoothstep
from .concepts import EXPRESSION, MEANINGS

GLAD = frozenset({"smile", "laugh", "smirk", "smirk left", "smirk right"})
TROUBLED = frozenset({"anger", "sadness", "fear", "disgust", "worry", "stern", "surprise"})
WHOLE = frozenset({*PRESETS, "stern", "contempt"}) - {"eyes closed", "wink"}  # expressions of a whole face
# They shut the jaw of a face that holds it open, and leave it to a laugh, or whatever else opens it, that is asked for with them
JAWS_SHUT = frozenset({"bared teeth", "grimace"})
PARTING = "mouthUpperUp", "mouthLowerDown", "jawOpen"  # units that part the lips of a smile
PARTS = 0.55, 0.85  # amounts of a smile: up to the first the lips stay shut, from the second on they part fully
_ABOVE, _BELOW, _JAW = ("brow", "eye", "nose"), ("mouth", "cheek"), "jawOpen"


def shared(name: str, asked: Mapping[str, float]) -> Mapping[str, float]:
    """The amounts of a concept when other concepts are asked for, too.

    A glad expression leaves brows, eyes and nose to a troubled one, and the troubled one leaves mouth and cheeks to the glad one
    (but keeps a jaw that it opens): completely if the other one is asked for at least as much, else in part.

    Args:
        name: the concept.
        asked: all concepts that are asked for -> how much of each.

    Returns:
        unit or control -> amount, as in :class:`flow_core.editing.concepts.Meaning`.
    """
    amounts = MEANINGS[name].amounts
    glad, troubled = (max((asked[n] for n in names if n in asked), default=0.0) for names in (GLAD, TROUBLED))
    if min(glad, troubled) <= 0 or name not in GLAD | TROUBLED:
        return amounts
    own, other = (glad, troubled) if name in GLAD else (troubled, glad)
    kept = max(0.0, 1 - other / own)
    return {n: a * kept if _leaves(name, n) else a for n, a in amounts.items() if kept or not _leaves(name, n)}


def _leaves(name: str, muscle: str) -> bool:
    """Whether an expression leaves a muscle to its counterpart."""
    if name in GLAD:
        return _muscle(muscle).startswith(_ABOVE)
    return _muscle(muscle).startswith(_BELOW) or muscle == f"{RELAX} {_JAW}"


def as_much(name: str, amounts: Mapping[str, float], much: float) -> Mapping[str, float]:
    """The amounts of a concept of which ``much`` is wanted: a slight smile keeps the lips shut, and shows no slit of teeth."""
    if name != "smile" or not 0 < much < PARTS[1]:
        return amounts
    parts = smoothstep(much, *PARTS)
    return {n: a * parts if n in PARTING else a for n, a in amounts.items()}


def left_out(name: str, much: float) -> dict[str, float]:
    """Muscles that other concepts lose because of a single movement that is wanted (``much`` > 0) or turned down: unit -> share 0..1."""
    if MEANINGS[name].kind != EXPRESSION or name in WHOLE or (name in JAWS_SHUT and much > 0):
        return {}
    if much > 0:
        found = {_muscle(n): a for n, a in MEANINGS[name].amounts.items() if n.split(" ")[0] == RELAX}
    else:
        found = {n: a for n, a in MEANINGS[name].amounts.items() if a > 0 and n.split(" ")[0] != RELAX}
    most = max(found.values(), default=1.0)
    rig = load_rig()
    return {
        side: min(1.0, abs(much) * a / most)
        for n, a in found.items()
        for side in rig.sides(n)
        if side in rig.unit_names
    }


def _muscle(name: str) -> str:
    return name.removeprefix(RELAX).strip() if name.split(" ")[0] == RELAX else name
