"""What the built-in guide knows, by the plainest phrase of each attribute: for menus, help and messages.

The attributes themselves are :data:`flow_core.train.attributes.CONCEPTS`, in the same order.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

KNOWN: dict[str, tuple[str, ...]] = {
    "expressions": (
        "a smile", "a laugh", "an angry expression", "a surprised expression", "a sad expression", "a disgusted expression",
        "a frightened expression", "a neutral expression", "a worried expression", "a pout", "a kiss", "a smirk", "a scream",
        "sleepy eyes", "a stern look",
    ),
    "brows": (
        "raised eyebrows", "lowered eyebrows", "a frown", "eyebrows far apart", "eyebrows close together", "arched eyebrows",
        "straight eyebrows", "raised outer eyebrows",
    ),
    "eyes": ("wide eyes", "narrow eyes", "wide-set eyes", "close-set eyes", "cat eyes", "droopy eyes", "long eyes"),
    "mouth and lips": (
        "an open mouth", "a closed mouth", "a wide mouth", "a small mouth", "downturned mouth", "full lips", "thin lips",
        "a full upper lip", "a full lower lip", "a long philtrum", "a short philtrum",
    ),
    "nose": ("a wide nose", "a narrow nose", "a long nose", "a short nose", "an upturned nose", "a drooping nose"),
    "face, jaw, chin and forehead": (
        "a round face", "a thin face", "a wide jaw", "a narrow jaw", "high cheekbones", "a square face", "a long chin", "a short chin",
        "a broad chin", "a pointed chin", "a high forehead", "a low forehead",
    ),
    "age": ("old age", "youth"),
    "colours of lips and cheeks": (
        "red lips", "pink lips", "orange lips", "purple lips", "dark lips", "pale lips", "rosy cheeks",
    ),
    "colours around the eyes": (
        "dark eyebrows", "blond eyebrows", "blue eye shadow", "purple eye shadow", "green eye shadow", "pink eye shadow",
        "golden eye shadow", "dark eye shadow", "dark circles",
    ),
    "colours of skin": ("pale skin", "tanned skin", "dark skin", "red skin", "green skin", "blue skin"),
    "colours of eyes": ("blue eyes", "green eyes", "brown eyes", "grey eyes"),
    "colours of hair": (
        "black hair", "brown hair", "blond hair", "red hair", "grey hair", "blue hair", "green hair", "pink hair", "purple hair",
    ),
    "further expressions": (
        "contempt", "a smirk on the left", "a smirk on the right", "a wink", "a wink of the left eye", "a wink of the right eye",
        "closed eyes", "a duck face", "a grimace", "bared teeth", "the tongue out",
    ),
    "single muscles, left and right as the person has them": (
        "the left eyebrow raised", "the right eyebrow raised", "the left eyebrow lowered", "the right eyebrow lowered",
        "raised inner eyebrows", "squinting eyes", "looking left", "looking right", "looking up", "looking down", "crossed eyes",
        "puffed cheeks", "raised cheeks", "a wrinkled nose", "the jaw to the left", "the jaw to the right", "the jaw forward",
        "the mouth to the left", "the mouth to the right", "pressed lips", "lips rolled in", "funnelled lips", "the lower lip pushed out",
        "a raised upper lip", "dimples", "lowered eyelids",
    ),
    "further shapes": (
        "big eyes", "small eyes", "full cheeks", "hollow cheeks", "a heavy face", "a slim face", "bags under the eyes",
        "a wide nose bridge", "a narrow nose bridge", "wide nostrils", "narrow nostrils", "a big nose", "a small nose",
        "a masculine face", "a feminine face",
    ),
}  # fmt: skip

# What a text may mean that cannot be done, or in part only: what is done instead.
CANNOT = {"tongue out": "A tongue cannot be stuck out: the mouth opens, no more, as for 'an open mouth'."}

# Words of the guide's captions that on their own ask for nothing: who is shown and how, how much, and the parts of a face.
_EMPTY = frozenset(
    [
        "a",
        "about",
        "add",
        "an",
        "and",
        "are",
        "at",
        "bit",
        "both",
        "extremely",
        "face",
        "faced",
        "faces",
        "feeling",
        "getting",
        "give",
        "good",
        "guy",
        "half",
        "has",
        "having",
        "he",
        "headshot",
        "her",
        "him",
        "his",
        "human",
        "image",
        "in",
        "inner",
        "intensely",
        "into",
        "is",
        "it",
        "its",
        "keeping",
        "lady",
        "look",
        "looking",
        "looks",
        "lower",
        "make",
        "makeup",
        "man",
        "mildly",
        "more",
        "never",
        "no",
        "not",
        "now",
        "of",
        "on",
        "outer",
        "person",
        "photo",
        "photograph",
        "picture",
        "please",
        "portrait",
        "quality",
        "realistic",
        "really",
        "remove",
        "set",
        "shaped",
        "she",
        "showing",
        "slightly",
        "somebody",
        "someone",
        "somewhat",
        "strongly",
        "that",
        "the",
        "their",
        "them",
        "this",
        "tip",
        "to",
        "turned",
        "upper",
        "very",
        "wearing",
        "who",
        "with",
        "without",
        "woman",
        "brow",
        "brows",
        "cheeks",
        "chin",
        "complexion",
        "corners",
        "eye",
        "eyebrows",
        "eyed",
        "eyelids",
        "eyes",
        "forehead",
        "hair",
        "haired",
        "irises",
        "jaw",
        "jawed",
        "jawline",
        "lip",
        "lipped",
        "lips",
        "mouth",
        "mouthed",
        "nose",
        "nosed",
        "nostrils",
        "philtrum",
        "skin",
        "skinned",
    ]
)


_OF_ALL_KINDS = (
    "a smile",
    "an angry expression",
    "raised eyebrows",
    "closed eyes",
    "full lips",
    "old age",
    "blond hair",
)


def says_something(words: list[str], vocabulary: frozenset[str]) -> bool:
    """Whether one of ``words`` is in a guide's vocabulary and asks for something."""
    return any(word in vocabulary and word not in _EMPTY for word in words)


_JOINING = frozenset(["and", "for", "from", "her", "his", "into", "make", "not", "that", "the", "this", "with"])


def nearest(text: str, meant: Sequence[int] = (), count: int = 6) -> list[str]:
    """The phrases of :data:`KNOWN` that a text may ask for: those with the numbers ``meant``, those that are written most like it, and then some
    of all kinds."""
    phrases = [phrase for phrases in KNOWN.values() for phrase in phrases]
    words = [w for w in re.findall(r"\w+", text.lower()) if len(w) > 2 and w not in _JOINING]

    def likeness(phrase: str) -> float:
        pairs = ((a, b) for a in words for b in phrase.split())
        return max((difflib.SequenceMatcher(None, a, b).ratio() for a, b in pairs), default=0.0)

    near = {phrase: likeness(phrase) for phrase in phrases}
    best = sorted((p for p in phrases if near[p] >= 0.85), key=near.__getitem__, reverse=True)
    found = dict.fromkeys([*(phrases[k] for k in meant), *best])
    return list(dict.fromkeys([*list(found)[: count - 2], *_OF_ALL_KINDS]))[:count]


def listed() -> str:
    """All of :data:`KNOWN`, a kind a line."""
    return "\n".join(f"{kind}: {', '.join(phrases)}" for kind, phrases in KNOWN.items())
