"""What a prompt names: expressions, muscles and shapes of the anatomical rig.

Of the built-in guide, whose text space is laid out for it, the concepts that a text means are read with their amounts: "a slight
smile" is half a smile, "not frowning" relaxes the muscles of a frown, and several wishes add up.

Another guide knows how near two texts are. So each part of a prompt is compared with texts for the presets and shapes, and what it means
most becomes where an edit starts, and which group of muscles and shapes it may use. Texts about colour stand among the examples
so that a prompt about colour names no muscle.
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

EXAMPLES: dict[
    str, tuple[str, ...]
] = {  # concept -> texts that ask for it, for guides that can only be asked how near texts are
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
LEAST = 0.45  # likeness to the nearest example below which a text names nothing
NEARLY = 0.15  # amounts read between 0.85 and 1.15 are those of texts that say no amount
WITHIN = 0.12  # examples less alike than the nearest one by this share count no more


@dataclass(frozen=True)
class Named:
    """What a prompt names.

    Attributes:
        field: where an edit starts; nothing where nothing is named.
        expression: 0..1, whether it asks for what a face does, and
        shape: for what a face is; 0 both where it asks for colour alone.
        concepts: the concepts that it names, with their amounts; what is taken away has negative ones.
    """

    field: MusclesField
    expression: float
    shape: float
    concepts: dict[str, float]


def named(guide: Guide, prompt: Prompt) -> Named:
    """What all parts of a prompt name together, each as much as its weight says."""
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
        turned = much < 0 and meaning.kind == EXPRESSION  # is to be gone: relaxed, for its opposite is not asked for
        totals[name, turned] = totals.get((name, turned), 0.0) + much * weight
        for muscle, share in left_out(name, much * weight).items():
            wanted[load_rig().unit_names.index(muscle)] *= 1 - share
    # what two expressions both move goes as far as one of them takes it: who is surprised with an open mouth opens it once
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
    if not all(parts):  # one names nothing that is known here, so that it may be anything
        kinds[EXPRESSION] = kinds[SHAPE] = 1.0
    most = max(kinds.values()) or 1.0
    made = field.with_coefficients(amounts).with_meta(prompt=str(prompt), neutral=prompt.neutral, guide=guide.name)
    return Named(made, kinds[EXPRESSION] / most, kinds[SHAPE] / most, concepts)


def _relaxed(amounts: dict[str, float]) -> dict[str, float]:
    """Takes the muscles of an expression away; a shape that helps it is not shown, and so cannot be relaxed."""
    units = load_rig().unit_names
    named = (n for n, much in amounts.items() if n.split(" ")[0] != RELAX and much > 0)
    return {f"{RELAX} {n}": 1.0 for n in named if n in units or f"{n}Left" in units}


def _meant(guide: Guide, prompt: Prompt) -> list[dict[str, float]]:
    """For each part of a prompt the concepts that it means, and how much of each."""
    if guide.meanings is None:
        return _nearest(guide, prompt)
    points = torch.stack([embed(guide, text) for text, _ in prompt.parts]).cpu()
    read, _ = guide.meanings.read(points)
    if prompt.neutral != NEUTRAL:  # what the face is said to be already is not asked for
        shown, _ = guide.meanings.read(embed(guide, prompt.neutral)[None].cpu())
        read = read - shown * (shown.abs() >= UNDERSTOOD)
    names = guide.meanings.names
    read = torch.where(
        (read.abs() - 1).abs() < NEARLY, read.sign(), read
    )  # what is asked for plainly is asked for wholly
    kept = [row * (row.abs() >= UNDERSTOOD / 2) * float(row.abs().max() >= UNDERSTOOD) for row in read]
    return [{names[k]: float(row[k]) for k in row.nonzero()[:, 0].tolist() if names[k] in MEANINGS} for row in kept]


def _nearest(guide: Guide, prompt: Prompt) -> list[dict[str, float]]:
    """What is nearest to each part among :data:`EXAMPLES`, in shares."""
    rows = [(text, name) for name, texts in EXAMPLES.items() for text in texts]
    rows += [(text, "") for texts in COLOR_EXAMPLES.values() for text in texts]
    neutral = guide.encode_text([prompt.neutral])
    known = F.normalize(guide.encode_group([text for text, _ in rows]) - neutral, dim=-1)
    common = known.mean(0)  # what all have in common only says that something is asked for
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


_A_COLOR = "lips red"  # stands for all colours, none of which moves anything


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
