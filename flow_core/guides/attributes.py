"""What the built-in guide knows, by the plainest phrase of each attribute: for menus, help and messages.

The attributes themselves are :data:`flow_core.train.attributes.CONCEPTS`, in the same order.
"""

from __future__ import annotations

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
    "nose": ("a big nose", "a small nose", "a long nose", "a short nose", "an upturned nose", "a drooping nose"),
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
}  # fmt: skip

# Words of the guide's captions that on their own ask for nothing: who is shown and how, how much, and the parts of a face.
_EMPTY = frozenset(
    """a about add an and are at bit both extremely face faced faces feeling getting give good
    guy half has having he headshot her him his human image in inner intensely into is it its keeping lady look looking looks
    lower make makeup man mildly more never no not now of on outer person photo photograph picture please portrait quality
    realistic really remove set shaped she showing slightly somebody someone somewhat strongly that the their them this tip to
    turned upper very wearing who with without woman
    brow brows cheeks chin complexion corners eye eyebrows eyed eyelids eyes forehead hair haired irises jaw jawed jawline lip
    lipped lips mouth mouthed nose nosed nostrils philtrum skin skinned""".split()
)


def says_something(words: list[str], vocabulary: frozenset[str]) -> bool:
    """Whether one of ``words`` is in a guide's vocabulary and asks for something."""
    return any(word in vocabulary and word not in _EMPTY for word in words)


def listed() -> str:
    """All of :data:`KNOWN`, a kind a line."""
    return "\n".join(f"{kind}: {', '.join(phrases)}" for kind, phrases in KNOWN.items())
