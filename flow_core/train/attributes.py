"""What the captions of the nano guide mean: face geometry, expressions as movements, and their words.

Each concept is a weighted sum of standardised measures of Face Mesh landmarks. For expressions the weights follow the
prototypes of the Facial Action Coding System (Ekman, Friesen and Hager, 2002), for instance anger = brow lowerer;
emotion labels add to that where a face has one. Because a concept is a function of landmarks, it stays known when a face
is warped, and that is what lets the guide learn what a flow field does to a face.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import torch
from torch import Tensor

# measure -> text in the table; indices are MediaPipe Face Mesh
LANDMARKS = (
    0, 1, 2, 10, 13, 14, 17, 33, 61, 70, 98, 105, 107, 133, 145, 152, 159, 168, 172, 234, 263, 291, 300, 327, 334, 336,
    362, 374, 386, 397, 454,
)  # fmt: skip
MIRRORED = (
    (61, 291), (70, 300), (105, 334), (107, 336), (33, 263), (133, 362), (145, 374), (159, 386), (98, 327), (172, 397),
    (234, 454),
)  # fmt: skip
_AT = {landmark: i for i, landmark in enumerate(LANDMARKS)}


def measures(p: Tensor) -> dict[str, Tensor]:
    """Scale-free measures of a face.

    Args:
        p: ``[N,31,2]`` the points :data:`LANDMARKS`, upright, any scale.

    Returns:
        name -> ``[N]``.
    """

    def at(i: int) -> Tensor:
        return p[:, _AT[i]]

    def y(*i: int) -> Tensor:
        return torch.stack([at(j)[:, 1] for j in i]).mean(0)

    def d(a: int, b: int) -> Tensor:
        return (at(a) - at(b)).norm(dim=-1)

    eyes = d(33, 263)
    height = d(10, 152)
    return {
        "eyes open": (d(159, 145) + d(386, 374)) / eyes,
        "mouth open": d(13, 14) / eyes,
        "mouth wide": d(61, 291) / eyes,
        "corners up": (y(13, 14) - y(61, 291)) / eyes,
        "brows up": (d(105, 159) + d(334, 386)) / eyes,
        "brow gap": d(107, 336) / eyes,
        "brow slant": (y(107, 336) - y(70, 300)) / eyes,  # inner ends low = frown
        "face wide": d(234, 454) / height,
        "jaw wide": d(172, 397) / height,
        "nose wide": d(98, 327) / eyes,
        "nose long": d(168, 2) / eyes,
        "lips thick": (d(0, 13) + d(14, 17)) / eyes,
        "chin long": d(17, 152) / eyes,
    }


def pose(p: Tensor) -> Tensor:
    """``[N,6]`` regressors of head pose: 1, yaw and pitch proxies, their squares, |yaw|."""
    middle = (p[:, _AT[234], 0] + p[:, _AT[454], 0]) / 2
    yaw = (p[:, _AT[1], 0] - middle) / (p[:, _AT[234]] - p[:, _AT[454]]).norm(dim=-1)
    eyes = (p[:, _AT[33], 1] + p[:, _AT[263], 1]) / 2
    pitch = (p[:, _AT[1], 1] - eyes) / (p[:, _AT[152], 1] - p[:, _AT[10], 1]).abs().clamp(min=1e-3)
    yaw, pitch = yaw.clamp(-0.6, 0.6), (pitch - 0.2).clamp(-0.3, 0.3)
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
        emotion: label of the data that bears it out.
    """

    name: str
    parts: dict[str, float]
    adjectives: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    threshold: float = 0.5
    emotion: str = ""
    near: bool = field(default=False)  # true of faces whose parts all lie near the mean (neutral)


CONCEPTS = (
    Concept("smile", {"corners up": 1.0, "mouth wide": 0.9, "eyes open": -0.15},
            ("smiling", "happy", "joyful", "cheerful", "grinning", "laughing", "delighted", "beaming", "glad"),
            ("a smile", "a big smile", "a happy expression", "a grin", "a broad smile", "a cheerful look", "joy", "happiness"),
            ("smiling", "grinning", "laughing", "smiling happily", "with a smile", "who is happy", "full of joy"),
            0.7, "happiness"),
    Concept("anger", {"brow slant": 1.0, "brow gap": -0.9, "brows up": -0.45, "corners up": -0.25},
            ("angry", "furious", "enraged", "mad", "irate", "grim", "hostile", "annoyed"),
            ("an angry expression", "anger", "rage", "an angry look", "a furious expression", "a scowl", "a glare"),
            ("scowling", "glaring", "in a rage", "who is angry", "full of anger", "with an angry expression"),
            0.7, "anger"),
    Concept("surprise", {"brows up": 1.0, "eyes open": 0.9, "mouth open": 0.8, "brow slant": -0.2},
            ("surprised", "shocked", "astonished", "amazed", "startled", "stunned"),
            ("a surprised expression", "surprise", "a shocked expression", "a look of amazement", "astonishment", "shock"),
            ("gasping", "who is surprised", "in shock", "with a surprised look", "full of amazement"),
            0.7, "surprise"),
    Concept("sadness", {"corners up": -1.0, "brow slant": -1.0, "mouth wide": -0.15, "eyes open": -0.2},
            ("sad", "unhappy", "sorrowful", "depressed", "gloomy", "miserable", "downcast", "melancholic"),
            ("a sad expression", "sadness", "sorrow", "a sad look", "an unhappy expression", "a downturned mouth", "grief"),
            ("who is sad", "feeling sad", "in sorrow", "with a sad expression", "about to cry"),
            0.7, "sadness"),
    Concept("disgust", {"nose long": -0.6, "eyes open": -0.5, "brow slant": 0.5, "corners up": -0.7, "brow gap": -0.3},
            ("disgusted", "repulsed", "contemptuous", "sickened"),
            ("a disgusted expression", "disgust", "a look of disgust", "a wrinkled nose", "a sneer"),
            ("sneering", "who is disgusted", "with disgust"), 0.8, "disgust"),
    Concept("fear", {"brows up": 0.7, "brow gap": -0.4, "brow slant": -0.6, "eyes open": 1.0, "mouth wide": 0.4, "mouth open": 0.3},
            ("afraid", "scared", "frightened", "fearful", "terrified"),
            ("a frightened expression", "fear", "a scared look", "terror"),
            ("who is afraid", "in fear", "in terror"), 0.8, "fear"),
    Concept("neutral", {"corners up": 1.0, "mouth open": 1.0, "brow slant": 1.0, "eyes open": 0.7, "brows up": 0.7, "mouth wide": 1.0},
            ("neutral", "expressionless", "calm", "relaxed"),
            ("a neutral expression", "no expression", "a calm expression", "a blank look"),
            ("with a neutral expression", "showing no emotion", "who is calm"), 0.0, "neutral", near=True),
    Concept("brows raised", {"brows up": 1.0},
            (), ("raised eyebrows", "raised brows", "high eyebrows", "eyebrows up", "lifted eyebrows", "arched eyebrows"),
            ("raising the eyebrows", "lifting the brows", "with eyebrows raised")),
    Concept("brows lowered", {"brows up": -1.0},
            (), ("lowered eyebrows", "low brows", "lowered brows", "eyebrows down", "low eyebrows", "heavy brows"),
            ("lowering the eyebrows", "with lowered brows")),
    Concept("frown", {"brow slant": 1.0, "brow gap": -1.0},
            ("frowning", "stern"), ("a frown", "a furrowed brow", "knitted brows", "furrowed eyebrows", "a deep frown"),
            ("frowning", "knitting the brows", "with a frown", "with furrowed brows"), 0.6),
    Concept("eyes wide", {"eyes open": 1.0},
            ("wide-eyed", "big-eyed"),
            ("wide eyes", "wide-open eyes", "big eyes", "large eyes", "eyes wide open", "open eyes", "huge eyes"),
            ("staring", "with eyes wide open", "opening the eyes wide")),
    Concept("eyes narrow", {"eyes open": -1.0},
            ("squinting", "sleepy", "drowsy", "narrow-eyed"),
            ("narrow eyes", "squinting eyes", "closed eyes", "small eyes", "half-closed eyes", "narrowed eyes", "sleepy eyes"),
            ("squinting", "narrowing the eyes", "closing the eyes", "with closed eyes")),
    Concept("mouth open", {"mouth open": 1.0},
            ("open-mouthed", "screaming", "shouting", "yawning"),
            ("an open mouth", "mouth open", "open mouth", "a wide open mouth", "parted lips", "an opened mouth"),
            ("screaming", "shouting", "opening the mouth", "with the mouth open", "yelling", "yawning"), 0.8),
    Concept("mouth closed", {"mouth open": -1.0},
            ("tight-lipped",), ("a closed mouth", "mouth closed", "closed lips", "a shut mouth"),
            ("closing the mouth", "with the mouth closed", "keeping the mouth shut"), 0.0),
    Concept("mouth wide", {"mouth wide": 1.0},
            ("wide-mouthed",), ("a wide mouth", "a big mouth", "wide lips", "a large mouth", "a broad mouth"), ()),
    Concept("mouth small", {"mouth wide": -1.0},
            (), ("a small mouth", "a narrow mouth", "a tiny mouth", "pursed lips"), ("pursing the lips",)),
    Concept("nose wide", {"nose wide": 1.0},
            ("big-nosed",), ("a big nose", "a wide nose", "a large nose", "a broad nose", "a flat wide nose"), ()),
    Concept("nose narrow", {"nose wide": -1.0},
            (), ("a small nose", "a narrow nose", "a thin nose", "a slim nose", "a slender nose"), ()),
    Concept("nose long", {"nose long": 1.0},
            ("long-nosed",), ("a long nose", "a lengthened nose", "a longer nose"), ()),
    Concept("nose short", {"nose long": -1.0},
            (), ("a short nose", "a snub nose", "a button nose", "a shorter nose"), ()),
    Concept("face wide", {"face wide": 1.0, "jaw wide": 0.4},
            ("round", "wide", "chubby", "fat", "broad", "plump", "round-faced", "full-faced"),
            ("a round face", "a wide face", "chubby cheeks", "full cheeks", "a fat face", "a broad face"), ()),
    Concept("face narrow", {"face wide": -1.0, "jaw wide": -0.4},
            ("thin", "slim", "narrow", "gaunt", "lean", "slender", "long"),
            ("a thin face", "a slim face", "a narrow face", "hollow cheeks", "a long face", "a slender face"), ()),
    Concept("jaw wide", {"jaw wide": 1.0}, ("square-jawed",), ("a wide jaw", "a strong jaw", "a square jaw", "a broad jaw"), ()),
    Concept("jaw narrow", {"jaw wide": -1.0}, (), ("a narrow jaw", "a slim jaw", "a pointed jaw", "a slender jawline"), ()),
    Concept("lips thick", {"lips thick": 1.0},
            ("full-lipped", "thick-lipped"),
            ("full lips", "thick lips", "plump lips", "big lips", "luscious lips", "voluminous lips"), ("pouting",)),
    Concept("lips thin", {"lips thick": -1.0},
            ("thin-lipped",), ("thin lips", "narrow lips", "slim lips", "pressed lips"), ("pressing the lips together",)),
    Concept("chin long", {"chin long": 1.0},
            (), ("a long chin", "a big chin", "a large chin", "a prominent chin", "a tall chin"), ()),
    Concept("chin short", {"chin long": -1.0},
            (), ("a short chin", "a small chin", "a tiny chin", "a receding chin", "a weak chin"), ()),
)  # fmt: skip

PEOPLE = ("face", "person", "man", "woman", "portrait", "human face", "girl", "boy", "guy", "lady", "old man",
          "old woman", "young man", "young woman", "child", "headshot")  # fmt: skip
PLAIN = (
    "a {p}",
    "a photo of a {p}",
    "a picture of a {p}",
    "an image of a {p}",
    "a portrait of a {p}",
    "the face of a {p}",
    "face",
    "portrait",
)
FRAMES = ("{c}", "{c}", "{c}", "a photo of {c}", "a picture of {c}", "a portrait of {c}", "a close-up of {c}", "the face of {c}",
          "an image of {c}", "a photograph of {c}")  # fmt: skip
SLOPE = 2.0  # logits per standard deviation of a concept


@dataclass(frozen=True)
class Scale:
    """How measures become concept scores: fitted once on the training faces."""

    pose: Tensor  # [6,M]
    spread: Tensor  # [M]
    concept: Tensor  # [K]

    @classmethod
    def fit(cls, points: Tensor) -> Scale:
        raw, design = _raw(points), pose(points)
        weights = torch.linalg.lstsq(design, raw).solution
        rest = raw - design @ weights
        spread = (rest.quantile(0.84, 0) - rest.quantile(0.16, 0)) / 2  # robust to lost landmarks
        concept = torch.ones(len(CONCEPTS))
        once = cls(weights, spread, concept)
        return cls(weights, spread, once.scores(once.standard(points, design)).std(0))

    def standard(self, points: Tensor, design: Tensor) -> Tensor:
        """Measures ``[N,M]`` in standard deviations from what the pose explains. ``design`` is the :func:`pose` of
        the face before any warp: a longer nose is not a bent head."""
        return ((_raw(points) - design @ self.pose) / self.spread).clamp(-4, 4)

    def scores(self, standard: Tensor) -> Tensor:
        """Concept scores ``[N,K]``; presence is above the concept's threshold."""
        columns = []
        for c in CONCEPTS:
            part = torch.stack([standard[:, _COLUMN[m]] * w for m, w in c.parts.items()], 1)
            columns.append(-part.abs().amax(1) + 1.2 if c.near else part.sum(1))
        return torch.stack(columns, 1) / self.concept.to(standard)


_COLUMN = {name: i for i, name in enumerate(measures(torch.rand(2, len(LANDMARKS), 2)))}


def _raw(points: Tensor) -> Tensor:
    return torch.stack(list(measures(points).values()), 1)


@dataclass(frozen=True)
class Caption:
    """A text and the concepts it names, each with a threshold shift and a sign."""

    text: str
    says: tuple[tuple[int, float, bool], ...]  # concept, shift of the threshold, truth

    def probability(self, scores: Tensor, emotion: Tensor) -> Tensor:
        """How true it is of each face, ``[N]`` in 0..1. ``emotion [N,K]`` adds logits from labels."""
        p = torch.full((len(scores),), 0.95)
        for concept, shift, truth in self.says:
            logit = SLOPE * (scores[:, concept] - CONCEPTS[concept].threshold - shift) + emotion[:, concept]
            p = p * torch.sigmoid(logit if truth else -logit)
        return p


def article(phrase: str) -> str:
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def caption(rng: random.Random) -> Caption:
    """A random caption: none, one or two concepts, in one of many frames."""
    person = rng.choice(PEOPLE)
    if rng.random() < 0.04:
        return Caption(rng.choice(PLAIN).format(p=person), ())
    k = rng.randrange(len(CONCEPTS))
    c = CONCEPTS[k]
    kind = rng.choice([*["adjective"] * (3 * bool(c.adjectives)), *["noun"] * 3, *["verb"] * (2 * bool(c.verbs))])
    shift, truth, more = 0.0, True, ()
    if kind == "adjective":
        word = rng.choice(c.adjectives)
        roll = rng.random()
        if roll < 0.12:
            word, shift = f"{rng.choice(('very', 'extremely', 'really'))} {word}", 0.6
        elif roll < 0.2:
            word, shift = f"{rng.choice(('slightly', 'a bit', 'somewhat'))} {word}", -0.4
        elif roll < 0.27:
            word, truth = f"not {word}", False
        if rng.random() < 0.15:
            text = f"{word} {person}" if rng.random() < 0.5 else word
            return Caption(text, ((k, shift, truth),))
        text = article(f"{word} {person}") if truth or rng.random() < 0.3 else f"{article(person)} who is {word}"
    elif kind == "noun":
        noun = rng.choice(c.nouns)
        if rng.random() < 0.12:
            truth = False
            text = f"{article(person)} without {noun}"
        elif rng.random() < 0.35:
            return Caption(
                noun.removeprefix("a ").removeprefix("an ") if rng.random() < 0.5 else noun, ((k, 0.0, True),)
            )
        else:
            text = f"{article(person)} with {noun}"
    else:
        text = f"{article(person)} {rng.choice(c.verbs)}"
    if rng.random() < 0.2:
        j = rng.randrange(len(CONCEPTS))
        if not set(CONCEPTS[j].parts) & set(c.parts):
            text += f"{' and' if kind == 'noun' else ' with'} {rng.choice(CONCEPTS[j].nouns)}"
            more = ((j, 0.0, True),)
    return Caption(rng.choice(FRAMES).format(c=text), ((k, shift, truth), *more))
