"""What the captions of the nano guide mean: face geometry, expressions as movements, age and colours, and their words.

Each concept is a weighted sum of standardised measures of landmarks, or a colour of a region. For expressions the weights
follow the prototypes of the Facial Action Coding System (Ekman, Friesen and Hager, 2002), for instance anger = brow
lowerer; labels of the data add to that where a face has one. Because a concept is a function of landmarks, it stays known
when a face is warped, and that is what lets the guide learn what a flow field does to a face.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..faces import landmarks
from ..faces.landmarks import AT
from . import colors


def measures(p: Tensor) -> dict[str, Tensor]:
    """Scale-free measures of a face.

    Args:
        p: ``[N,161,2]`` landmarks, upright, any scale.

    Returns:
        name -> ``[N]``.
    """

    def at(i: int) -> Tensor:
        return p[:, AT[i]]

    def y(*i: int) -> Tensor:
        return torch.stack([at(j)[:, 1] for j in i]).mean(0)

    def d(a: int, b: int) -> Tensor:
        return (at(a) - at(b)).norm(dim=-1)

    eyes, height, width = d(33, 263), d(10, 152), d(234, 454)
    return {
        "eyes open": (d(159, 145) + d(386, 374)) / eyes,
        "eyes long": (d(33, 133) + d(263, 362)) / width,
        "eyes apart": d(133, 362) / width,
        "eyes slant": (y(133, 362) - y(33, 263)) / eyes,  # outer corners high
        "mouth open": d(13, 14) / eyes,
        "mouth wide": d(61, 291) / eyes,
        "corners up": (y(13, 14) - y(61, 291)) / eyes,
        "mouth askew": (y(61) - y(291)).abs() / eyes,
        "philtrum long": d(2, 0) / eyes,
        "brows up": (d(105, 159) + d(334, 386)) / eyes,
        "brows in up": (d(55, 133) + d(285, 362)) / eyes,
        "brows out up": (d(46, 33) + d(276, 263)) / eyes,
        "brow gap": d(107, 336) / eyes,
        "brow slant": (y(107, 336) - y(70, 300)) / eyes,  # inner ends low = frown
        "brow arch": (y(107, 336) + y(70, 300) - 2 * y(105, 334)) / eyes,
        "face wide": width / height,
        "jaw wide": d(172, 397) / height,
        "jaw to cheeks": d(172, 397) / width,
        "nose wide": d(98, 327) / eyes,
        "nose long": d(168, 2) / eyes,
        "nose tip up": (y(98, 327) - y(1)) / eyes,
        "upper lip": d(0, 13) / eyes,
        "lower lip": d(14, 17) / eyes,
        "chin long": d(17, 152) / eyes,
        "chin wide": d(148, 377) / eyes,
        "forehead high": (y(133, 362) - y(10)) / height,
    }


# The share of a movement that the teacher of the landmarks reports, who has to guess at what is small or rare; printed by
# ``python -m flow_core.train seen``. Faces differ by more than the data tell, in the same proportion: a warp that brings brows
# together by one of their standard deviations as measured does so by a fifth of the true one.
SEEN = {
    "eyes open": 0.53, "eyes long": 0.26, "eyes apart": 0.30, "eyes slant": 0.33, "mouth open": 1.04,
    "mouth wide": 0.60, "corners up": 0.84, "mouth askew": 0.66, "philtrum long": 0.68, "brows up": 0.44,
    "brows in up": 0.45, "brows out up": 0.29, "brow gap": 0.18, "brow slant": 0.37, "brow arch": 0.21,
    "face wide": 0.48, "jaw wide": 0.30, "jaw to cheeks": 0.18, "nose wide": 0.17, "nose long": 0.52,
    "nose tip up": 0.44, "upper lip": 0.43, "lower lip": 0.34, "chin long": 0.63, "chin wide": 0.25,
    "forehead high": 0.29,
}  # fmt: skip


def pose(p: Tensor) -> Tensor:
    """``[N,6]`` regressors of head pose: 1, yaw and pitch proxies, their squares, |yaw|."""
    yaw, pitch = landmarks.pose(p).unbind(-1)
    yaw, pitch = yaw.clamp(-0.6, 0.6), pitch.clamp(-0.3, 0.3)
    return torch.stack([torch.ones_like(yaw), yaw, yaw.square(), yaw.abs(), pitch, pitch.square()], -1)


@dataclass(frozen=True)
class Concept:
    """A thing that captions can say of a face.

    Attributes:
        name: in tables.
        parts: measure -> weight; the score is their sum, standardised over the training faces.
        adjectives: fit "a ... face".
        nouns: fit "a face with ...", and stand alone.
        verbs: fit "a person ...".
        threshold: score in standard deviations from which a caption is more true than not.
        labels: of the data, that bear it out.
        against: labels that speak against it.
        near: true of faces whose parts all lie near the mean (neutral).
        color: name in :data:`colors.COLORS`, for what is a colour and no shape.
        age: weight of the age that the face's shape suggests.
    """

    name: str
    parts: dict[str, float]
    adjectives: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    threshold: float = 0.5
    labels: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    near: bool = field(default=False)
    color: str = ""
    age: float = 0.0

    @property
    def text(self) -> str:
        """The plainest caption that says it and nothing else."""
        return self.nouns[0] if self.nouns else f"a {self.adjectives[0]} face"


EMOTIONS = ("happiness", "anger", "surprise", "sadness", "disgust", "fear", "neutral", "smiling", "angry or enraged",
            "surprised", "sad or depressed", "grim face")  # fmt: skip
AGES = {
    "baby": -2.0,
    "toddler": -1.5,
    "small child": -1.0,
    "teenager": -0.2,
    "30 year old adult": 0.5,
    "wrinkly 70 year old senior": 2.0,
}


def _emotion(*labels: str) -> dict[str, tuple[str, ...]]:
    return {"labels": labels, "against": tuple(e for e in EMOTIONS if e not in labels)}


def _color(name: str, adjectives: tuple[str, ...], nouns: tuple[str, ...], verbs: tuple[str, ...] = ()) -> Concept:
    return Concept(name, {}, adjectives, nouns, verbs, 1.0, color=name)


CONCEPTS = (
    # expressions
    Concept("smile", {"corners up": 1.0, "mouth wide": 0.9, "eyes open": -0.15},
            ("smiling", "happy", "joyful", "cheerful", "grinning", "delighted", "beaming", "glad", "friendly", "pleased", "joyous"),
            ("a smile", "a big smile", "a happy expression", "a grin", "a broad smile", "a cheerful look", "joy", "happiness",
             "a friendly smile", "a warm smile", "a gentle smile", "raised mouth corners", "lifted corners of the mouth"),
            ("smiling", "grinning", "smiling happily", "with a smile", "who is happy", "full of joy", "smiling gently"),
            0.7, **_emotion("happiness", "smiling")),
    Concept("laugh", {"corners up": 0.8, "mouth wide": 0.8, "mouth open": 0.9, "eyes open": -0.3},
            ("laughing", "hilarious", "giggling", "amused"),
            ("a laugh", "laughter", "a laughing mouth", "a toothy smile", "an open smile", "a hearty laugh"),
            ("laughing", "laughing out loud", "bursting into laughter", "who is laughing", "giggling"), 0.8),
    Concept("anger", {"brow slant": 1.0, "brow gap": -2.2, "brows up": -0.2, "corners up": -0.25},
            ("angry", "furious", "enraged", "mad", "irate", "grim", "hostile", "annoyed", "aggressive", "evil", "wrathful"),
            ("an angry expression", "anger", "rage", "an angry look", "a furious expression", "a scowl", "a glare", "an evil look",
             "a menacing look", "fury"),
            ("scowling", "glaring", "in a rage", "who is angry", "full of anger", "with an angry expression", "who is furious"),
            0.7, **_emotion("anger", "angry or enraged", "grim face")),
    Concept("surprise", {"brows up": 1.0, "eyes open": 0.9, "mouth open": 0.8, "brow slant": -0.2},
            ("surprised", "shocked", "astonished", "amazed", "startled", "stunned", "astounded", "awestruck"),
            ("a surprised expression", "surprise", "a shocked expression", "a look of amazement", "astonishment", "shock",
             "amazement", "a look of surprise", "a dropped jaw"),
            ("gasping", "who is surprised", "in shock", "with a surprised look", "full of amazement", "who is astonished"),
            0.7, **_emotion("surprise", "surprised")),
    Concept("sadness", {"corners up": -1.0, "brow slant": -1.0, "mouth wide": -0.15, "eyes open": -0.2},
            ("sad", "unhappy", "sorrowful", "depressed", "gloomy", "miserable", "downcast", "melancholic", "mournful", "crying", "upset"),
            ("a sad expression", "sadness", "sorrow", "a sad look", "an unhappy expression", "grief", "melancholy", "despair"),
            ("who is sad", "feeling sad", "in sorrow", "with a sad expression", "about to cry", "crying", "weeping"),
            0.7, **_emotion("sadness", "sad or depressed")),
    Concept("disgust", {"nose long": -0.6, "eyes open": -0.5, "brow slant": 0.5, "corners up": -0.7, "brow gap": -0.3},
            ("disgusted", "repulsed", "sickened", "nauseated"),
            ("a disgusted expression", "disgust", "a look of disgust", "a sneer", "revulsion"),
            ("sneering", "who is disgusted", "with disgust"), 0.8, **_emotion("disgust")),
    Concept("fear", {"brows up": 0.7, "brow gap": -0.4, "brow slant": -0.6, "eyes open": 1.0, "mouth wide": 0.4, "mouth open": 0.3},
            ("afraid", "scared", "frightened", "fearful", "terrified", "panicked", "horrified"),
            ("a frightened expression", "fear", "a scared look", "terror", "horror", "panic"),
            ("who is afraid", "in fear", "in terror", "in panic", "who is scared"), 0.8, **_emotion("fear")),
    Concept("neutral", {"corners up": 1.0, "mouth open": 1.0, "brow slant": 1.0, "eyes open": 0.7, "brows up": 0.7, "mouth wide": 1.0},
            ("neutral", "expressionless", "calm", "relaxed", "blank", "serene", "emotionless", "peaceful"),
            ("a neutral expression", "no expression", "a calm expression", "a blank look", "a poker face", "a relaxed expression"),
            ("with a neutral expression", "showing no emotion", "who is calm", "at rest"), 0.0, labels=("neutral",),
            against=tuple(e for e in EMOTIONS if e != "neutral"), near=True),
    Concept("worry", {"brows in up": 1.0, "brow slant": -0.9, "brow gap": -0.5, "corners up": -0.3},
            ("worried", "anxious", "concerned", "nervous", "troubled", "uneasy", "distressed"),
            ("a worried expression", "worry", "anxiety", "a concerned look", "a pleading look"),
            ("who is worried", "worrying", "feeling anxious"), 0.7),
    Concept("pout", {"mouth wide": -0.9, "upper lip": 0.5, "lower lip": 0.8, "corners up": -0.4},
            ("pouting", "sulking", "sulky"), ("a pout", "pouting lips", "a sulky mouth"), ("pouting", "sulking"), 0.7),
    Concept("kiss", {"mouth wide": -1.0, "upper lip": 0.6, "lower lip": 0.5},
            ("kissing",), ("a kiss", "puckered lips", "pursed lips", "a kissing mouth"),
            ("kissing", "blowing a kiss", "puckering the lips", "pursing the lips", "whistling"), 0.7),
    Concept("smirk", {"mouth askew": 1.0, "corners up": 0.35},
            ("smirking", "smug", "sarcastic"),
            ("a smirk", "a crooked smile", "a lopsided smile", "a crooked mouth", "a smug look"),
            ("smirking", "with a crooked mouth"), 0.8),
    Concept("scream", {"mouth open": 1.0, "mouth wide": 0.3, "eyes open": -0.2, "brow slant": 0.3},
            ("screaming", "shouting", "yelling"), ("a scream", "a shout", "a wide open screaming mouth"),
            ("screaming", "shouting", "yelling", "roaring", "crying out"), 0.9),
    Concept("sleepy", {"eyes open": -1.0, "brows up": 0.3},
            ("sleepy", "drowsy", "tired", "sleeping", "bored", "weary", "exhausted"),
            ("sleepy eyes", "heavy eyelids", "a tired look"),
            ("sleeping", "falling asleep", "who is sleepy", "who is tired", "dozing"), 0.6),
    Concept("stern", {"brow slant": 0.8, "mouth wide": -0.2, "corners up": -0.6, "mouth open": -0.4, "brows up": -0.6},
            ("stern", "serious", "severe", "strict", "grumpy", "determined"),
            ("a stern look", "a serious expression", "a severe look", "a grumpy face"), ("looking serious", "who is serious"), 0.7),
    # brows
    Concept("brows raised", {"brows up": 1.0},
            (), ("raised eyebrows", "raised brows", "high eyebrows", "eyebrows up", "lifted eyebrows", "lifted brows", "high brows"),
            ("raising the eyebrows", "lifting the brows", "with eyebrows raised", "raising the brows")),
    Concept("brows lowered", {"brows up": -1.0},
            (), ("lowered eyebrows", "low brows", "lowered brows", "eyebrows down", "low eyebrows", "heavy brows", "brows down"),
            ("lowering the eyebrows", "with lowered brows", "lowering the brows")),
    Concept("frown", {"brow slant": 1.0, "brow gap": -2.2},
            ("frowning",), ("a frown", "a furrowed brow", "knitted brows", "furrowed eyebrows", "a deep frown", "furrowed brows"),
            ("frowning", "knitting the brows", "with a frown", "with furrowed brows"), 0.6),
    Concept("brows apart", {"brow gap": 1.0},
            (), ("eyebrows far apart", "widely spaced eyebrows", "brows far apart", "a wide brow gap"), ()),
    Concept("brows close", {"brow gap": -1.0},
            (), ("eyebrows close together", "close-set eyebrows", "brows close together", "a monobrow"), ()),
    Concept("brows arched", {"brow arch": 1.0},
            (), ("arched eyebrows", "arched brows", "curved eyebrows", "rounded brows", "curved brows"), ("arching the eyebrows",)),
    Concept("brows straight", {"brow arch": -1.0},
            (), ("straight eyebrows", "flat eyebrows", "straight brows", "flat brows"), ()),
    Concept("brows outer up", {"brows out up": 1.0, "brows in up": -0.5},
            (), ("raised outer eyebrows", "upswept eyebrows", "angled eyebrows", "upswept brows"), ("raising the outer brows",), 0.6),
    # eyes
    Concept("eyes wide", {"eyes open": 1.0},
            ("wide-eyed",),
            ("wide eyes", "wide-open eyes", "eyes wide open", "open eyes", "widened eyes"),
            ("staring", "with eyes wide open", "opening the eyes wide")),
    Concept("eyes narrow", {"eyes open": -1.0},
            ("narrow-eyed",),
            ("narrow eyes", "narrowed eyes", "slit eyes"),
            ("narrowing the eyes",)),
    Concept("eyes apart", {"eyes apart": 1.0},
            (), ("wide-set eyes", "eyes far apart", "widely spaced eyes"), ()),
    Concept("eyes close", {"eyes apart": -1.0},
            (), ("close-set eyes", "eyes close together"), ()),
    Concept("eyes upturned", {"eyes slant": 1.0},
            (), ("cat eyes", "upturned eyes", "slanted eyes", "almond eyes", "fox eyes"), ()),
    Concept("eyes downturned", {"eyes slant": -1.0},
            (), ("droopy eyes", "downturned eyes", "drooping eyes", "puppy eyes"), ()),
    Concept("eyes long", {"eyes long": 1.0},
            (), ("long eyes", "elongated eyes", "stretched eyes"), ()),
    # mouth
    Concept("mouth open", {"mouth open": 1.0},
            ("open-mouthed", "yawning", "singing"),
            ("an open mouth", "mouth open", "open mouth", "a wide open mouth", "parted lips", "an opened mouth", "open lips"),
            ("opening the mouth", "with the mouth open", "yawning", "singing", "with mouth wide open"), 0.8),
    Concept("mouth closed", {"mouth open": -1.0},
            ("tight-lipped",), ("a closed mouth", "mouth closed", "closed lips", "a shut mouth", "sealed lips"),
            ("closing the mouth", "with the mouth closed", "keeping the mouth shut"), 0.0),
    Concept("mouth wide", {"mouth wide": 1.0},
            ("wide-mouthed",), ("a wide mouth", "a big mouth", "wide lips", "a large mouth", "a broad mouth"), ()),
    Concept("mouth small", {"mouth wide": -1.0},
            (), ("a small mouth", "a narrow mouth", "a tiny mouth", "a little mouth"), ()),
    Concept("mouth corners down", {"corners up": -1.0},
            (), ("downturned mouth", "a downturned mouth", "lowered mouth corners", "drooping mouth corners", "mouth corners down"),
            ("lowering the mouth corners",)),
    Concept("lips thick", {"upper lip": 1.0, "lower lip": 1.0},
            ("full-lipped", "thick-lipped"),
            ("full lips", "thick lips", "plump lips", "big lips", "luscious lips", "voluminous lips", "fleshy lips"), ()),
    Concept("lips thin", {"upper lip": -1.0, "lower lip": -1.0},
            ("thin-lipped",), ("thin lips", "narrow lips", "slim lips", "flat lips"), ()),
    Concept("upper lip full", {"upper lip": 1.0, "lower lip": -0.3},
            (), ("a full upper lip", "a thick upper lip", "a plump upper lip", "a big upper lip"), ()),
    Concept("lower lip full", {"lower lip": 1.0, "upper lip": -0.3},
            (), ("a full lower lip", "a thick lower lip", "a plump lower lip", "a big lower lip"), ()),
    Concept("philtrum long", {"philtrum long": 1.0}, (), ("a long philtrum", "a long upper lip", "a high upper lip"), ()),
    Concept("philtrum short", {"philtrum long": -1.0}, (), ("a short philtrum", "a short upper lip"), ()),
    # nose
    Concept("nose wide", {"nose wide": 1.0},
            ("wide-nosed",), ("a wide nose", "a broad nose", "a flat wide nose"), ()),
    Concept("nose narrow", {"nose wide": -1.0},
            (), ("a narrow nose", "a thin nose", "a slim nose", "a slender nose"), ()),
    Concept("nose long", {"nose long": 1.0},
            ("long-nosed",), ("a long nose", "a lengthened nose", "a longer nose"), ()),
    Concept("nose short", {"nose long": -1.0},
            (), ("a short nose", "a stubby nose", "a button nose", "a shorter nose"), ()),
    Concept("nose upturned", {"nose tip up": 1.0},
            (), ("an upturned nose", "a snub nose", "a raised nose tip", "a turned-up nose"), ()),
    Concept("nose drooping", {"nose tip up": -1.0},
            (), ("a drooping nose", "a hooked nose", "a low nose tip", "a hanging nose tip"), ()),
    # cheeks, jaw, chin, face
    Concept("face wide", {"face wide": 1.0, "jaw wide": 0.4},
            ("round", "wide", "broad", "round-faced"),
            ("a round face", "a wide face", "a broad face"), ()),
    Concept("face narrow", {"face wide": -1.0, "jaw wide": -0.4},
            ("thin", "narrow", "long"),
            ("a thin face", "a narrow face", "a long face"), ()),
    Concept("jaw wide", {"jaw wide": 1.0},
            ("square-jawed",), ("a wide jaw", "a strong jaw", "a square jaw", "a broad jaw", "a big jaw"), ()),
    Concept("jaw narrow", {"jaw wide": -1.0},
            (), ("a narrow jaw", "a slim jaw", "a pointed jaw", "a slender jawline", "a small jaw"), ()),
    Concept("face heart-shaped", {"jaw to cheeks": -1.0},
            ("heart-shaped",), ("high cheekbones", "prominent cheekbones", "a heart-shaped face", "a triangular face"), ()),
    Concept("face square", {"jaw to cheeks": 1.0},
            ("square", "rectangular"), ("a square face", "a boxy face", "heavy jowls", "low cheekbones"), ()),
    Concept("chin long", {"chin long": 1.0},
            (), ("a long chin", "a big chin", "a large chin", "a prominent chin", "a tall chin"), ()),
    Concept("chin short", {"chin long": -1.0},
            (), ("a short chin", "a small chin", "a tiny chin", "a receding chin", "a weak chin"), ()),
    Concept("chin broad", {"chin wide": 1.0}, (), ("a broad chin", "a wide chin", "a square chin"), ()),
    Concept("chin pointed", {"chin wide": -1.0}, (), ("a pointed chin", "a narrow chin", "a sharp chin"), ()),
    Concept("forehead high", {"forehead high": 1.0}, (), ("a high forehead", "a big forehead", "a tall forehead", "a large forehead"), ()),
    Concept("forehead low", {"forehead high": -1.0}, (), ("a low forehead", "a small forehead", "a short forehead"), ()),
    # age
    Concept("old", {}, ("old", "elderly", "aged", "senior", "older", "ancient"),
            ("old age", "an aged face", "an old look"), ("who is old", "in old age", "getting older"),
            0.8, ("wrinkly 70 year old senior",), ("baby", "toddler", "small child", "teenager", "30 year old adult"), age=1.0),
    Concept("young", {}, ("young", "youthful", "childlike", "baby-faced", "younger", "babyish"),
            ("youth", "a baby face", "a youthful look", "a childlike face"), ("who is young", "getting younger"),
            0.8, ("baby", "toddler", "small child", "teenager"), ("wrinkly 70 year old senior",), age=-1.0),
    # colours
    _color("lips red", ("red-lipped",), ("red lips", "red lipstick", "scarlet lips", "crimson lips", "lips painted red"), ("wearing red lipstick",)),
    _color("lips pink", ("pink-lipped",), ("pink lips", "pink lipstick", "rose lips", "lips painted pink"), ("wearing pink lipstick",)),
    _color("lips orange", (), ("orange lips", "coral lips", "orange lipstick", "peach lips"), ("wearing orange lipstick",)),
    _color("lips purple", (), ("purple lips", "violet lips", "purple lipstick", "plum lips"), ("wearing purple lipstick",)),
    _color("lips dark", (), ("dark lips", "black lips", "black lipstick", "dark lipstick"), ("wearing black lipstick",)),
    _color("lips pale", (), ("pale lips", "nude lips", "colourless lips", "colorless lips", "white lips"), ()),
    _color("cheeks rosy", ("blushing", "rosy"), ("rosy cheeks", "red cheeks", "pink cheeks", "blush", "flushed cheeks", "rouge"), ("blushing", "wearing blush")),
    _color("brows dark", (), ("dark eyebrows", "black eyebrows", "dark brows", "black brows", "bold eyebrows"), ()),
    _color("brows light", (), ("blond eyebrows", "light eyebrows", "fair brows", "pale eyebrows", "blonde eyebrows", "blond brows"), ()),
    _color("eyelids blue", (), ("blue eye shadow", "blue eyeshadow", "blue eyelids"), ("wearing blue eye shadow",)),
    _color("eyelids purple", (), ("purple eye shadow", "purple eyeshadow", "violet eye shadow", "purple eyelids"), ("wearing purple eye shadow",)),
    _color("eyelids green", (), ("green eye shadow", "green eyeshadow", "green eyelids"), ("wearing green eye shadow",)),
    _color("eyelids pink", (), ("pink eye shadow", "pink eyeshadow", "pink eyelids"), ("wearing pink eye shadow",)),
    _color("eyelids golden", (), ("golden eye shadow", "gold eyeshadow", "golden eyelids", "yellow eye shadow"), ("wearing golden eye shadow",)),
    _color("eyelids dark", (), ("dark eye shadow", "smoky eyes", "black eye shadow", "smokey eye makeup", "dark eyelids"), ("wearing dark eye shadow",)),
    _color("under-eyes dark", (), ("dark circles", "tired dark eyes", "dark circles under the eyes", "shadows under the eyes"), ()),
    _color("skin pale", ("pale", "white-skinned", "fair-skinned", "pallid"), ("pale skin", "fair skin", "light skin", "white skin", "a pale complexion"), ()),
    _color("skin tanned", ("tanned", "suntanned", "bronzed", "sun-kissed"), ("tanned skin", "a tan", "bronze skin", "golden skin", "a suntan"), ()),
    _color("skin dark", ("dark-skinned", "black-skinned"), ("dark skin", "black skin", "brown skin", "a dark complexion"), ()),
    _color("skin red", ("sunburned", "red-faced", "flushed"), ("red skin", "a sunburn", "a red face", "a flushed face"), ()),
    _color("skin green", ("green-skinned", "green"), ("green skin", "a green face"), ()),
    _color("skin blue", ("blue-skinned", "blue"), ("blue skin", "a blue face"), ()),
    _color("eyes blue", ("blue-eyed",), ("blue eyes", "blue irises", "bright blue eyes"), ()),
    _color("eyes green", ("green-eyed",), ("green eyes", "green irises", "emerald eyes"), ()),
    _color("eyes brown", ("brown-eyed", "dark-eyed"), ("brown eyes", "dark brown eyes", "brown irises", "hazel eyes"), ()),
    _color("eyes grey", ("grey-eyed",), ("grey eyes", "gray eyes", "silver eyes", "grey irises"), ()),
    _color("hair black", ("black-haired", "dark-haired"), ("black hair", "dark hair", "jet black hair"), ()),
    _color("hair brown", ("brown-haired", "brunette"), ("brown hair", "brunette hair", "chestnut hair"), ()),
    _color("hair blond", ("blond", "blonde", "fair-haired"), ("blond hair", "blonde hair", "golden hair", "yellow hair"), ()),
    _color("hair red", ("red-haired", "ginger", "redheaded"), ("red hair", "ginger hair", "orange hair", "auburn hair"), ()),
    _color("hair grey", ("grey-haired", "white-haired", "gray-haired"), ("grey hair", "gray hair", "white hair", "silver hair"), ()),
    _color("hair blue", ("blue-haired",), ("blue hair", "hair dyed blue"), ()),
    _color("hair green", ("green-haired",), ("green hair", "hair dyed green"), ()),
    _color("hair pink", ("pink-haired",), ("pink hair", "hair dyed pink"), ()),
    _color("hair purple", ("purple-haired",), ("purple hair", "violet hair", "hair dyed purple"), ()),
    # further expressions, single muscles and shapes: what they are is known of faces that the rig moves
    Concept("contempt", {}, ("contemptuous", "scornful", "disdainful"), ("contempt", "a look of scorn", "disdain"), ("with contempt",)),
    Concept("smirk left", {}, (), ("a smirk on the left", "the left mouth corner raised"), ("smirking on the left",)),
    Concept("smirk right", {}, (), ("a smirk on the right", "the right mouth corner raised"), ("smirking on the right",)),
    Concept("wink", {}, ("winking",), ("a wink", "one eye closed"), ("winking", "giving a wink")),
    Concept("wink left", {}, (), ("a wink of the left eye", "the left eye closed"), ("winking with the left eye", "closing the left eye")),
    Concept("wink right", {}, (), ("a wink of the right eye", "the right eye closed"), ("winking with the right eye", "closing the right eye")),
    Concept("eyes closed", {}, (), ("closed eyes", "shut eyes", "eyes shut"), ("closing the eyes", "with closed eyes", "blinking")),
    Concept("duck face", {}, ("duck-faced",), ("a duck face", "duck lips"), ("making a duck face",)),
    Concept("grimace", {}, ("grimacing",), ("a grimace", "a pained grimace"), ("grimacing", "pulling a face", "wincing")),
    Concept("bared teeth", {}, (), ("bared teeth", "visible teeth"), ("baring the teeth", "showing the teeth")),
    Concept("tongue out", {}, (), ("the tongue out", "a tongue that sticks out"), ("sticking out the tongue", "with the tongue out")),
    Concept("brow up left", {}, (), ("the left eyebrow raised", "a raised left eyebrow"), ("raising the left eyebrow",)),
    Concept("brow up right", {}, (), ("the right eyebrow raised", "a raised right eyebrow"), ("raising the right eyebrow",)),
    Concept("brow down left", {}, (), ("the left eyebrow lowered", "a lowered left eyebrow"), ("lowering the left eyebrow",)),
    Concept("brow down right", {}, (), ("the right eyebrow lowered", "a lowered right eyebrow"), ("lowering the right eyebrow",)),
    Concept("inner brows up", {}, (), ("raised inner eyebrows", "raised inner brows"), ("raising the inner brows",)),
    Concept("squint", {}, ("squinting",), ("squinting eyes", "a squint"), ("squinting", "squinting the eyes")),
    Concept("look left", {}, (), ("looking left", "a look to the left", "eyes turned left"), ("looking to the left", "looking left")),
    Concept("look right", {}, (), ("looking right", "a look to the right", "eyes turned right"), ("looking to the right", "looking right")),
    Concept("look up", {}, (), ("looking up", "an upward look", "eyes turned up"), ("looking up", "looking upwards")),
    Concept("look down", {}, (), ("looking down", "a downward look", "eyes turned down"), ("looking down", "looking downwards")),
    Concept("cross-eyed", {}, ("cross-eyed",), ("crossed eyes",), ("crossing the eyes",)),
    Concept("cheeks puffed", {}, (), ("puffed cheeks", "inflated cheeks"), ("puffing the cheeks", "blowing up the cheeks")),
    Concept("cheeks raised", {}, (), ("raised cheeks", "lifted cheeks"), ("raising the cheeks",)),
    Concept("nose wrinkled", {}, (), ("a wrinkled nose", "a scrunched nose"), ("wrinkling the nose", "scrunching the nose")),
    Concept("jaw left", {}, (), ("the jaw to the left",), ("moving the jaw to the left",)),
    Concept("jaw right", {}, (), ("the jaw to the right",), ("moving the jaw to the right",)),
    Concept("jaw forward", {}, (), ("the jaw forward", "a jutting jaw"), ("thrusting the jaw forward",)),
    Concept("mouth left", {}, (), ("the mouth to the left",), ("moving the mouth to the left",)),
    Concept("mouth right", {}, (), ("the mouth to the right",), ("moving the mouth to the right",)),
    Concept("lips pressed", {}, (), ("pressed lips", "lips pressed together"), ("pressing the lips together",)),
    Concept("lips rolled in", {}, (), ("lips rolled in",), ("rolling the lips in", "sucking the lips in")),
    Concept("lips funnelled", {}, (), ("funnelled lips", "lips that say oh"), ("saying oh",)),
    Concept("lower lip out", {}, (), ("the lower lip pushed out",), ("pushing the lower lip out",)),
    Concept("upper lip raised", {}, (), ("a raised upper lip",), ("raising the upper lip",)),
    Concept("dimples", {}, ("dimpled",), ("dimples", "dimpled cheeks"), ()),
    Concept("eyelids lowered", {}, (), ("lowered eyelids", "half-closed eyes", "droopy eyelids"), ("lowering the eyelids",)),
    Concept("eyes big", {}, ("big-eyed",), ("big eyes", "large eyes", "huge eyes"), ()),
    Concept("eyes small", {}, ("small-eyed",), ("small eyes", "tiny eyes"), ()),
    Concept("cheeks full", {}, ("chubby-cheeked",), ("full cheeks", "chubby cheeks", "puffy cheeks"), ()),
    Concept("cheeks hollow", {}, ("hollow-cheeked",), ("hollow cheeks", "sunken cheeks"), ()),
    Concept("face heavy", {}, ("heavy", "fat", "chubby", "overweight", "plump"), ("a heavy face", "a fat face"), ()),
    Concept("face slim", {}, ("slim", "skinny", "lean", "gaunt", "slender"), ("a slim face", "a slender face"), ()),
    Concept("eye bags", {}, (), ("bags under the eyes", "eye bags"), ()),
    Concept("bridge wide", {}, (), ("a wide nose bridge",), ()),
    Concept("bridge narrow", {}, (), ("a narrow nose bridge",), ()),
    Concept("nostrils wide", {}, (), ("wide nostrils", "flared nostrils"), ("flaring the nostrils",)),
    Concept("nostrils narrow", {}, (), ("narrow nostrils", "small nostrils"), ()),
    Concept("nose big", {}, ("big-nosed",), ("a big nose", "a large nose"), ()),
    Concept("nose small", {}, (), ("a small nose", "a tiny nose"), ()),
    Concept("masculine", {}, ("masculine", "manly"), ("a masculine face",), ()),
    Concept("feminine", {}, ("feminine", "womanly"), ("a feminine face",), ()),
)  # fmt: skip

IS_COLOR = torch.tensor([bool(c.color) for c in CONCEPTS])
MEASURED = torch.tensor(
    [bool(c.parts or c.age or c.color) for c in CONCEPTS]
)  # of any face, by its landmarks and colours


def label_logits(labels: list[str]) -> Tensor:
    """``[N,K]`` what the data's labels add to the logits of concepts."""
    return torch.tensor(
        [[1.2 * (label in c.labels) - 0.7 * (label in c.against) for c in CONCEPTS] for label in labels]
    )


@dataclass(frozen=True)
class Scale:
    """How measures become concept scores: fitted once on the training faces."""

    pose: Tensor  # [6,M]
    spread: Tensor  # [M]
    age: Tensor  # [M]
    concept: Tensor  # [K]

    @classmethod
    def fit(cls, points: Tensor, labels: list[str]) -> Scale:
        """Fit to landmarks ``[N,161,2]``; faces whose label tells the age show what age does to the shape."""
        measured, design = raw(points), pose(points)
        weights = torch.linalg.lstsq(design, measured).solution
        rest = measured - design @ weights
        spread = (rest.quantile(0.84, 0) - rest.quantile(0.16, 0)) / 2  # robust to lost landmarks
        once = cls(weights, spread, torch.zeros(len(spread)), torch.ones(len(CONCEPTS)))
        standard = once.standard(points, design)
        known = [i for i, label in enumerate(labels) if label in AGES]
        x, y = standard[known], torch.tensor([AGES[labels[i]] for i in known])
        ridge = x.T @ x + 0.3 * len(known) * torch.eye(x.shape[1])  # few faces: many small weights
        age = torch.linalg.solve(ridge, x.T @ (y - y.mean()))
        once = cls(weights, spread, age, torch.ones(len(CONCEPTS)))
        return cls(weights, spread, age, once._shape(standard).std(0).clamp(min=1e-3))

    def standard(self, points: Tensor, design: Tensor) -> Tensor:
        """Measures ``[N,M]`` in standard deviations from what the pose explains. ``design`` is the :func:`pose` of
        the face before any warp: a longer nose is not a bent head."""
        return ((raw(points) - design @ self.pose) / self.spread).clamp(-4, 4)

    def moved(self, before: Tensor, after: Tensor, design: Tensor) -> Tensor:
        """:meth:`standard` of faces that a warp took from landmarks ``before`` to ``after [N,161,2]``, as the teacher sees it."""
        seen = before.new_tensor([SEEN[name] for name in _COLUMN])
        return self.standard(before, design) + seen * (raw(after) - raw(before)) / self.spread

    def _shape(self, standard: Tensor) -> Tensor:
        age = standard @ self.age
        columns = []
        for c in CONCEPTS:
            parts = [standard[:, _COLUMN[m]] * w for m, w in c.parts.items()] or [age * c.age]
            part = torch.stack(parts, 1)
            columns.append(-part.abs().amax(1) + 1.2 if c.near else part.sum(1))
        return torch.stack(columns, 1)

    def scores(self, standard: Tensor, painted: Tensor | None = None) -> Tensor:
        """Concept scores ``[N,K]``; presence is above the concept's threshold.

        Args:
            standard: from :meth:`standard`.
            painted: ``[N,C]`` from :func:`colors.measure`; without it colours score 0.
        """
        scores = self._shape(standard) / self.concept
        if painted is not None:
            names = list(colors.COLORS)
            for k, c in enumerate(CONCEPTS):
                if c.color:
                    scores[:, k] = painted[:, names.index(c.color)]
        return scores


def raw(points: Tensor) -> Tensor:
    """All :func:`measures` ``[N,M]``."""
    return torch.stack(list(measures(points).values()), 1)


_COLUMN = {name: i for i, name in enumerate(measures(torch.rand(2, len(AT), 2)))}
