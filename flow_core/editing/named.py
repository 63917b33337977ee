"""What a prompt names: expressions, muscles and shapes of the anatomical rig.

The text space of the built-in guide is laid out by concepts, which are read from a text with their amounts: "a slight smile" is half
a smile, "not frowning" relaxes the muscles of a frown, and several wishes add up.

Of any other guide only the similarity of texts is known. So each part of a prompt is compared with example texts of the presets and
shapes; the most similar ones are where an edit starts, and say which group of muscles and shapes it may use. Texts about colour
are among the examples, so that a prompt about colour names no muscle.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.fit import UNSEEN
from ..faces.rig import load_rig
from ..fields.muscles import RELAX, MusclesField
from ..guides.guide import Guide
from ..guides.meaning import UNDERSTOOD
from ..guides.prompts import NEUTRAL, Prompt, embed
from .concepts import COLOR, EXPRESSION, MEANINGS, SHAPE
from .gates import COLOR_EXAMPLES
from .mixing import as_much, left_out, shared

# Concept -> texts that ask for it, for guides of which only the similarity of texts is known
EXAMPLES: dict[str, tuple[str, ...]] = {
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
    "brows raised": ("a face with raised eyebrows",),
    "brows lowered": ("a face with lowered eyebrows",),
    "brows close": ("a face with eyebrows close together",),
    "eyes wide": ("a face with wide eyes",),
    "eyes narrow": ("a face with narrow eyes",),
    "mouth open": ("a face with an open mouth",),
    "mouth closed": ("a face with a closed mouth",),
    "mouth corners down": ("a face with mouth corners down",),
    "tongue out": ("a face with the tongue out",),
    "cheeks puffed": ("a face with puffed cheeks",),
    "eyes big": ("a face with big eyes",),
    "eyes small": ("a face with small eyes",),
    "eyes apart": ("a face with wide-set eyes",),
    "eyes close": ("a face with close-set eyes",),
    "eyes upturned": ("a face with upturned eyes",),
    "eyes downturned": ("a face with droopy eyes",),
    "brows arched": ("a face with arched eyebrows",),
    "brows straight": ("a face with straight eyebrows",),
    "mouth wide": ("a face with a wide mouth",),
    "mouth small": ("a face with a small mouth",),
    "lips thick": ("a face with full lips",),
    "lips thin": ("a face with thin lips",),
    "upper lip full": ("a face with a full upper lip",),
    "lower lip full": ("a face with a full lower lip",),
    "nose wide": ("a face with a wide nose",),
    "nose narrow": ("a face with a narrow nose",),
    "nose big": ("a face with a big nose",),
    "nose long": ("a face with a long nose",),
    "nose short": ("a face with a short nose",),
    "nose upturned": ("a face with an upturned nose",),
    "nose drooping": ("a face with a drooping nose",),
    "face wide": ("a round face", "a wide face"),
    "face narrow": ("a thin face", "a narrow face"),
    "face slim": ("a slim face",),
    "face square": ("a square face",),
    "face heart-shaped": ("a heart-shaped face", "a face with high cheekbones"),
    "jaw wide": ("a face with a strong jaw",),
    "jaw narrow": ("a face with a narrow jaw",),
    "chin long": ("a face with a long chin",),
    "chin short": ("a face with a short chin",),
    "chin broad": ("a face with a broad chin",),
    "chin pointed": ("a face with a pointed chin",),
    "forehead high": ("a face with a high forehead",),
    "forehead low": ("a face with a low forehead",),
    "old": ("an old face",),
    "young": ("a young face",),
    "face heavy": ("a heavy face", "a fat face"),
}
LEAST = 0.45  # a text whose similarity to the nearest example is below this names nothing
NEARLY = 0.15  # amounts between 0.85 and 1.15 are taken for 1: the text states no amount
# Standard deviations added to all units, and to those that the reader sees badly
LEAST_SPREAD, UNSEEN_SPREAD = 0.05, 0.2
CONTROL_SPREAD = 0.4  # standard deviation of each control
WITHIN = 0.12  # only examples whose similarity is within this share of the largest one count


@dataclass(frozen=True)
class Named:
    """What a prompt names.

    Attributes:
        field: where an edit starts; a zero field if nothing is named.
        expression: 0..1, whether it asks for what a face does.
        shape: 0..1, whether it asks for what a face is like. Both are 0 if it asks for colour alone.
        concepts: named concept -> amount; negative if it is to be taken away.
    """

    field: MusclesField
    expression: float
    shape: float
    concepts: dict[str, float]


def named(guide: Guide, prompt: Prompt) -> Named:
    """What all parts of a prompt name together, each with its weight."""
    field = MusclesField.of({})
    amounts, wanted = field.coefficients(), torch.ones(len(load_rig().unit_names))
    kinds = {EXPRESSION: 0.0, SHAPE: 0.0, COLOR: 0.0}
    concepts: dict[str, float] = {}
    parts = _meant(guide, prompt)
    wishes = [
        (name, much, weight)
        for (_, weight), found in zip(prompt.parts, parts, strict=True)
        for name, much in found.items()
    ]
    for name, much, weight in wishes:
        concepts[name] = concepts.get(name, 0.0) + much * weight
    totals: dict[tuple[str, bool], float] = {}
    for name, much, weight in wishes:
        meaning = MEANINGS[name]
        kinds[meaning.kind] = max(kinds[meaning.kind], abs(much))
        turned = much < 0 and meaning.kind == EXPRESSION  # an expression that is turned down is relaxed, not reversed
        totals[name, turned] = totals.get((name, turned), 0.0) + much * weight
        for muscle, share in left_out(name, much * weight).items():
            wanted[load_rig().unit_names.index(muscle)] *= 1 - share
    # a unit that several expressions move gets the largest of their amounts: a surprised face with an open mouth opens it once
    together = torch.zeros_like(amounts[:, : 2 * len(wanted)])
    for (name, turned), much in totals.items():
        meaning = MEANINGS[name]
        moved = _relaxed(meaning.amounts) if turned else as_much(name, shared(name, concepts), much)
        made = (-much if turned else much) * MusclesField.of(moved).coefficients()
        if meaning.kind == EXPRESSION:
            together = together.maximum(made[:, : 2 * len(wanted)])
            made[:, : 2 * len(wanted)].clamp_(max=0)
        amounts = amounts + made
    amounts[:, : 2 * len(wanted)] += together
    amounts[:, : len(wanted)] = torch.where(
        amounts[:, : len(wanted)] > 0, amounts[:, : len(wanted)] * wanted, amounts[:, : len(wanted)]
    )
    if not all(parts):  # a part that names nothing known may be about anything
        kinds[EXPRESSION] = kinds[SHAPE] = 1.0
    most = max(kinds.values()) or 1.0
    made = field.with_coefficients(amounts).with_meta(prompt=str(prompt), neutral=prompt.neutral, guide=guide.name)
    return Named(made, kinds[EXPRESSION] / most, kinds[SHAPE] / most, concepts)


def _relaxed(amounts: dict[str, float]) -> dict[str, float]:
    """The amounts that relax the muscles of an expression. Shape controls in it are left out: a face does not show them."""
    units = load_rig().unit_names
    named = (n for n, much in amounts.items() if n.split(" ")[0] != RELAX and much > 0)
    return {f"{RELAX} {n}": 1.0 for n in named if n in units or f"{n}Left" in units}


def _meant(guide: Guide, prompt: Prompt) -> list[dict[str, float]]:
    """For each part of a prompt: concept -> how much of it is meant."""
    if guide.meanings is None:
        return _nearest(guide, prompt)
    points = torch.stack([embed(guide, text) for text, _ in prompt.parts]).cpu()
    read, _ = guide.meanings.read(points)
    if prompt.neutral != NEUTRAL:  # what the neutral text says already is not asked for
        shown, _ = guide.meanings.read(embed(guide, prompt.neutral)[None].cpu())
        read = read - shown * (shown.abs() >= UNDERSTOOD)
    names = guide.meanings.names
    read = torch.where((read.abs() - 1).abs() < NEARLY, read.sign(), read)
    kept = [row * (row.abs() >= UNDERSTOOD / 2) * float(row.abs().max() >= UNDERSTOOD) for row in read]
    return [{names[k]: float(row[k]) for k in row.nonzero()[:, 0].tolist() if names[k] in MEANINGS} for row in kept]


def _nearest(guide: Guide, prompt: Prompt) -> list[dict[str, float]]:
    """For each part of a prompt: the concepts of the nearest :data:`EXAMPLES` -> shares that add up to 1; nothing if none is near."""
    rows = [(text, name) for name, texts in EXAMPLES.items() for text in texts]
    rows += [(text, "") for texts in COLOR_EXAMPLES.values() for text in texts]
    neutral = guide.encode_text([prompt.neutral])
    known = F.normalize(guide.encode_group([text for text, _ in rows]) - neutral, dim=-1)
    common = known.mean(0)  # what all examples have in common only says that something is asked for
    asked = F.normalize(guide.encode_text([text for text, _ in prompt.parts]) - neutral, dim=-1)
    likeness = F.normalize(asked - common, dim=-1) @ F.normalize(known - common, dim=-1).T  # [K,N]
    found = []
    for row in likeness.cpu():
        best = row.max()
        meant: dict[str, float] = {}
        if best >= LEAST:
            share = ((row / best.clamp(min=1e-6) - (1 - WITHIN)) / WITHIN).clamp(0, 1)
            for s, (_, name) in zip((share / share.sum()).tolist(), rows, strict=True):
                if s > 0:
                    name = name or _A_COLOR
                    meant[name] = meant.get(name, 0.0) + s
        found.append(meant)
    return found


_A_COLOR = "lips red"  # stands for all colours: none of them moves anything


def covariance(expression: float, shape: float) -> Tensor:
    """Covariance ``[U+C,U+C]`` of units and controls over real faces, the metric of the natural gradient.

    That of the units comes with the rig and is made symmetric in left and right; units that the reader sees badly get additional
    variance. Controls are independent of each other.

    Args:
        expression: 0..1, whether an edit may move units; scales their standard deviations.
        shape: 0..1, the same for controls.
    """
    rig = load_rig()
    spread = torch.full((len(rig.unit_names),), LEAST_SPREAD)
    for i, name in enumerate(rig.unit_names):
        if name.startswith(UNSEEN):
            spread[i] = UNSEEN_SPREAD
    units = rig.covariance + torch.diag(spread.square())
    both = _tied(rig.unit_names)
    units = both @ units @ both.T
    controls = _tied(rig.control_names) * CONTROL_SPREAD**2
    return torch.block_diag(expression**2 * units, shape**2 * controls)


def _tied(names: tuple[str, ...]) -> Tensor:
    """Matrix ``[N,N]`` that replaces left and right by their mean."""
    matrix = torch.eye(len(names))
    for i, name in enumerate(names):
        other = name.removesuffix("Left") + "Right" if name.endswith("Left") else name
        if other != name and other in names:
            j = names.index(other)
            matrix[[i, i, j, j], [i, j, i, j]] = 0.5
    return matrix
