"""Targets of the nano guide's text tower: the direction of each concept in the embedding. They are fixed, so that image towers can
learn against them independently of the texts.

A text's embedding is a point on the unit sphere. "A face" is the neutral point ``n``; what a text says is a vector ``t`` in the tangent plane
there, in radians, and its embedding the point ``exp_n(t) = cos|t| n + sin|t| t/|t|``. A concept at full amount has the vector
``common + way``: ``common`` says that something is asked for at all, ``way`` what. A text that means concepts with amounts ``a`` has

    t = max|a| common + sum_k a_k way_k,        |t| at most LONGEST

so that "slightly" halves the whole vector, "not" turns ``way`` around, and several wishes share ``common``.

The ways of the first 96 concepts are those of the text tower of the second generation, a little spread out: along directions in which
they hardly differed they differ by at least FLOOR now, which lets a text's amounts be read from its embedding. Those of further
concepts lie in what room is left, partly along the way of the concept that is most like them; opposites and sides are opposed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..guides.meaning import Meanings, log_map
from .attributes import CONCEPTS

FLOOR = 0.36  # of the singular values of the ways; means of 96 vectors that are about 0.7 long
OLD = 96  # concepts that the second generation of the guide knew

# Further concepts: what they share with others (a known concept, or a word of their own for what several have in common) and the
# axis of their own, with its sign.
FURTHER: dict[str, tuple[dict[str, float], tuple[str, float]]] = {
    "contempt": ({"smirk": 0.6}, ("contempt", 0.6)),
    "smirk left": ({"smirk": 0.8}, ("smirk side", 0.55)),
    "smirk right": ({"smirk": 0.8}, ("smirk side", -0.55)),
    "wink": ({"winking": 0.65, "eyes narrow": 0.3}, ("", 0.0)),
    "wink left": ({"winking": 0.55, "eyes narrow": 0.25}, ("wink side", 0.55)),
    "wink right": ({"winking": 0.55, "eyes narrow": 0.25}, ("wink side", -0.55)),
    "eyes closed": ({"eyes narrow": 0.6}, ("eyes closed", 0.65)),
    "duck face": ({"kiss": 0.6}, ("duck face", 0.55)),
    "grimace": ({"bared teeth": 0.35}, ("grimace", 0.6)),
    "bared teeth": ({}, ("bared teeth", 0.7)),
    "tongue out": ({"mouth open": 0.3}, ("tongue out", 0.7)),
    "brow up left": ({"brows raised": 0.5}, ("brow side", 0.6)),
    "brow up right": ({"brows raised": 0.5}, ("brow side", -0.6)),
    "brow down left": ({"brows lowered": 0.5}, ("brow side down", 0.6)),
    "brow down right": ({"brows lowered": 0.5}, ("brow side down", -0.6)),
    "inner brows up": ({"worry": 0.4, "brows raised": 0.2}, ("inner brows up", 0.6)),
    "squint": ({"eyes narrow": 0.6}, ("squint", 0.55)),
    "look left": ({"looking": 0.3}, ("look aside", 0.7)),
    "look right": ({"looking": 0.3}, ("look aside", -0.7)),
    "look up": ({"looking": 0.3}, ("look high", 0.7)),
    "look down": ({"looking": 0.3}, ("look high", -0.7)),
    "cross-eyed": ({"looking": 0.3}, ("cross-eyed", 0.7)),
    "cheeks puffed": ({}, ("cheeks puffed", 0.75)),
    "cheeks raised": ({"smile": 0.25}, ("cheeks raised", 0.65)),
    "nose wrinkled": ({"disgust": 0.5}, ("nose wrinkled", 0.6)),
    "jaw left": ({"jaw moved": 0.3}, ("jaw side", 0.7)),
    "jaw right": ({"jaw moved": 0.3}, ("jaw side", -0.7)),
    "jaw forward": ({"jaw moved": 0.3}, ("jaw forward", 0.7)),
    "mouth left": ({"mouth moved": 0.3}, ("mouth side", 0.7)),
    "mouth right": ({"mouth moved": 0.3}, ("mouth side", -0.7)),
    "lips pressed": ({"lips thin": 0.3, "mouth closed": 0.2}, ("lips pressed", 0.65)),
    "lips rolled in": ({"lips thin": 0.3}, ("lips rolled in", 0.7)),
    "lips funnelled": ({"kiss": 0.3}, ("lips funnelled", 0.7)),
    "lower lip out": ({"pout": 0.4}, ("lower lip out", 0.6)),
    "upper lip raised": ({"bared teeth": 0.3}, ("upper lip raised", 0.6)),
    "dimples": ({"smile": 0.3}, ("dimples", 0.65)),
    "eyelids lowered": ({"sleepy": 0.5}, ("eyelids lowered", 0.6)),
    "eyes big": ({"eyes wide": 0.4}, ("eyes size", 0.65)),
    "eyes small": ({"eyes narrow": 0.4}, ("eyes size", -0.65)),
    "cheeks full": ({"face wide": 0.4}, ("cheeks fullness", 0.65)),
    "cheeks hollow": ({"face narrow": 0.4}, ("cheeks fullness", -0.65)),
    "face heavy": ({"face wide": 0.5}, ("weight", 0.6)),
    "face slim": ({"face narrow": 0.5}, ("weight", -0.6)),
    "eye bags": ({"under-eyes dark": 0.3}, ("eye bags", 0.65)),
    "bridge wide": ({"nose wide": 0.3}, ("bridge", 0.65)),
    "bridge narrow": ({"nose narrow": 0.3}, ("bridge", -0.65)),
    "nostrils wide": ({"nose wide": 0.4}, ("nostrils", 0.6)),
    "nostrils narrow": ({"nose narrow": 0.4}, ("nostrils", -0.6)),
    "nose big": ({"nose wide": 0.5, "nose long": 0.2}, ("nose size", 0.55)),
    "nose small": ({"nose narrow": 0.5, "nose short": 0.2}, ("nose size", -0.55)),
    "masculine": ({"jaw wide": 0.2}, ("sex", 0.7)),
    "feminine": ({"jaw narrow": 0.2}, ("sex", -0.7)),
}  # fmt: skip


def directions(points: Tensor, neutral: Tensor) -> tuple[Tensor, Tensor]:
    """What all concepts have in common ``[D]``, and the way of each ``[C,D]``, in the tangent plane at ``neutral [D]``.

    Args:
        points: ``[OLD,D]`` unit embeddings of the first concepts, as the tower of the second generation has them.
    """
    tangents = log_map(points, neutral)
    common = tangents.mean(0)
    u, s, v = torch.linalg.svd(tangents - common, full_matrices=False)
    # Less their mean the ways have a rank of one less than their number. The axis that is left is an arbitrary one, which may
    # even point out of the tangent plane, so it is not spread out.
    kept = s > 1e-4 * s.max()
    u, s, v = u[:, kept], s[kept], v[kept]
    old = u @ torch.diag((s.square() + FLOOR**2).sqrt()) @ v
    # axes in what is left of the room, drawn from a seed
    taken = torch.linalg.qr(torch.cat([neutral[None], common[None], v]).T).Q
    axes: dict[str, Tensor] = {}
    names = dict.fromkeys(
        [n for shared, (axis, _) in FURTHER.values() for n in (*shared, axis) if n and n not in _NAMES[:OLD]]
    )
    g = torch.Generator().manual_seed(0)
    drawn = torch.randn(len(names), len(neutral), generator=g)
    drawn = drawn - drawn @ taken @ taken.T
    for name, axis in zip(names, torch.linalg.qr(drawn.T).Q.T, strict=True):
        axes[name] = axis * 0.9
    known = dict(zip(_NAMES, old, strict=False))
    rows = [*old]
    for name in _NAMES[OLD:]:
        shared, (axis, amount) = FURTHER[name]
        rows.append(
            sum(w * axes.get(n, known.get(n)) for n, w in shared.items()) + (amount * axes[axis] if axis else 0)
        )
    return common, torch.stack(rows)


_NAMES = [c.name for c in CONCEPTS]


def of_guide() -> Meanings:
    """The directions of all concepts, from the embeddings that the built-in guide has of the first ones now."""
    from ..guides.guide import load_guide

    guide = load_guide()
    texts = [
        [*(f"a face with {n}" for n in c.nouns), *(f"a {a} face" for a in c.adjectives), c.text] for c in CONCEPTS[:OLD]
    ]
    points = torch.stack([torch.nn.functional.normalize(guide.encode_text(t).mean(0), dim=-1) for t in texts])
    [neutral] = guide.encode_text(["a face"])
    return Meanings(tuple(_NAMES), neutral, *directions(points, neutral))
