"""Captions in the words that people type, each with what it says of a face."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .attributes import CONCEPTS, IS_COLOR, Concept
from .phrases import article

HELD_OUT = Path(__file__).parent / "held_out_phrasings.txt"  # "concept: phrase" lines that no caption repeats
SLOPE = 2.0  # logits per standard deviation of a concept

PEOPLE = (
    "face", "person", "man", "woman", "portrait", "human face", "girl", "boy", "guy", "lady", "child", "headshot", "human",
)  # fmt: skip
HE = ("he", "she", "the man", "the woman", "the person", "the face", "the girl", "the boy")
HIM = ("him", "her", "the man", "the woman", "the face", "the person", "them", "it")
PLAIN = ("a {p}", "a photo of a {p}", "a picture of a {p}", "an image of a {p}", "a portrait of a {p}", "the face of a {p}",
         "face", "portrait", "{h}", "this {p}", "someone", "somebody")  # fmt: skip
FRAMES = ("{c}",) * 5 + (
    "a photo of {c}", "a picture of {c}", "a portrait of {c}", "a close-up of {c}", "the face of {c}", "an image of {c}",
    "a photograph of {c}", "this is {c}", "a good photo of {c}", "a realistic photo of {c}", "{c}, high quality", "{c}, portrait",
)  # fmt: skip
ADJECTIVE = ("{a_p}", "{a_p}", "{a_p}", "{a} {p}", "{a}", "a {p} who is {a}", "a {p} looking {a}", "{h} is {a}", "{h} looks {a}",
             "make {m} {a}", "make {m} look {a}", "a {p} that looks {a}", "more {a}", "someone {a}", "an expression that is {a}")  # fmt: skip
NOUN = ("{bare}", "{bare}", "{n}", "a {p} with {n}", "a {p} with {n}", "a {p} with {n}", "{h} has {n}", "give {m} {n}", "with {n}",
        "a {p} having {n}", "add {n}", "someone with {n}", "{bare} on a {p}", "the {p} has {n}")  # fmt: skip
VERB = (
    "a {p} {v}", "a {p} {v}", "{v}", "someone {v}", "{h} {v}", "{h} is {v}", "the {p} {v}", "a photo of somebody {v}",
)  # fmt: skip
STRONGER, WEAKER = (
    ("very", "extremely", "really", "strongly", "intensely"),
    ("slightly", "a bit", "somewhat", "a little", "mildly"),
)
NOT = ("not {a}", "no longer {a}", "never {a}")
WITHOUT = ("a {p} without {n}", "no {bare}", "without {n}", "a {p} with no {bare}", "remove {n}", "{h} has no {bare}")
FILLERS = (
    "his", "her", "their", "the", "and", "of", "in", "on", "both", "its", "that", "are", "is", "now", "please", "now looking",
)  # fmt: skip


@dataclass(frozen=True)
class Caption:
    """A text and the concepts it names, each with a threshold shift and a sign."""

    text: str
    says: tuple[tuple[int, float, bool], ...]  # concept, shift of the threshold, truth

    def probability(self, scores: Tensor, labels: Tensor) -> Tensor:
        """How true it is of each face, ``[N]`` in 0..1. ``labels [N,K]`` are logits to add."""
        p = torch.full((len(scores),), 0.95)
        for concept, shift, truth in self.says:
            logit = SLOPE * (scores[:, concept] - CONCEPTS[concept].threshold - shift) + labels[:, concept]
            p = p * torch.sigmoid(logit if truth else -logit)
        return p

    @property
    def of_color(self) -> bool:
        """Whether a grey picture leaves it undecided."""
        return any(bool(IS_COLOR[concept]) for concept, *_ in self.says)


def bare(noun: str) -> str:
    """A noun without "a" or "an"."""
    return noun.removeprefix("a ").removeprefix("an ")


def caption(rng: random.Random, refused: frozenset[str] = frozenset()) -> Caption:
    """A random caption of none to three concepts that is not among ``refused``."""
    while True:
        made = _caption(rng)
        if made.text not in refused:
            return made


def _caption(rng: random.Random) -> Caption:
    if rng.random() < 0.04:
        return Caption(_fill(rng, rng.choice(PLAIN)), ())
    k = rng.randrange(len(CONCEPTS))
    c = CONCEPTS[k]
    kind = rng.choice([*["adjective"] * (3 * bool(c.adjectives)), *["noun"] * 3, *["verb"] * (2 * bool(c.verbs))])
    says = [(k, 0.0, True)]
    roll = rng.random()
    if kind == "adjective":
        word = rng.choice(c.adjectives)
        if roll < 0.24:
            says, word = _degree(rng, k, word)
        elif roll < 0.31:
            says, word = [(k, 0.0, False)], rng.choice(NOT).format(a=word)
        if rng.random() < 0.15 and says[0][2]:
            j, other = _other(rng, [c], "adjectives")
            if j is not None:
                word, says = f"{word} {other}", [*says, (j, 0.0, True)]
        text = _fill(rng, rng.choice(ADJECTIVE), a=word)
    elif kind == "noun":
        noun = rng.choice(c.nouns)
        if roll < 0.2 and len(bare(noun).split()) > 1:
            says, word = _degree(rng, k, bare(noun))
            noun = article(word) if noun.startswith(("a ", "an ")) and not word.startswith("a ") else word
        frames = NOUN
        if 0.2 <= roll < 0.3:
            frames, says = WITHOUT, [(k, 0.0, False)]
        text = _fill(rng, rng.choice(frames), n=noun)
    else:
        text = _fill(rng, rng.choice(VERB), v=rng.choice(c.verbs))
    if rng.random() < 0.22 and text[-1] != ",":
        j, other = _other(rng, [CONCEPTS[i] for i, *_ in says], "nouns")
        if j is not None:
            joint = "and" if " with " in text or kind == "noun" else "with"
            text, says = f"{text}{rng.choice((f' {joint} ', ', '))}{other}", [*says, (j, 0.0, True)]
    if text.startswith(("a ", "an ")):
        text = rng.choice(FRAMES).format(c=text)
    if rng.random() < 0.12:  # a word more must not change the meaning
        words = text.split()
        words.insert(rng.randrange(len(words) + 1), rng.choice(FILLERS))
        text = " ".join(words)
    return Caption(text, tuple(says))


def _fill(rng: random.Random, frame: str, a: str = "", n: str = "", v: str = "") -> str:
    person = rng.choice(PEOPLE)
    return frame.format(
        p=person,
        h=rng.choice(HE),
        m=rng.choice(HIM),
        a=a,
        n=n,
        v=v,
        bare=bare(n),
        a_p=article(f"{a} {person}") if a else "",
    )


def _degree(rng: random.Random, k: int, word: str) -> tuple[list[tuple[int, float, bool]], str]:
    if rng.random() < 0.6:
        return [(k, 0.6, True)], f"{rng.choice(STRONGER)} {word}"
    return [(k, -0.4, True)], f"{rng.choice(WEAKER)} {word}"


def _other(rng: random.Random, said: list[Concept], words: str) -> tuple[int | None, str]:
    """A concept that has nothing to do with those already said, and one of its words."""
    j = rng.randrange(len(CONCEPTS))
    c, parts = CONCEPTS[j], {name for s in said for name in s.parts}
    region = {s.color.split()[0] for s in said if s.color}
    clash = set(c.parts) & parts or (c.color and c.color.split()[0] in region) or (c.age and any(s.age for s in said))
    if clash or not getattr(c, words) or c in said:
        return None, ""
    return j, rng.choice(getattr(c, words))


def held_out() -> list[tuple[int, str]]:
    """Phrasings kept from training, each with its concept."""
    names = {c.name: k for k, c in enumerate(CONCEPTS)}
    lines = [line.partition(":") for line in HELD_OUT.read_text().splitlines() if line and line[0] != "#"]
    return [(names[name.strip()], phrase.strip()) for name, _, phrase in lines]


def vocabulary() -> list[str]:
    """Every word that captions are made of."""
    texts = [w for c in CONCEPTS for w in (*c.adjectives, *c.nouns, *c.verbs)]
    texts += [
        *PEOPLE,
        *HE,
        *HIM,
        *PLAIN,
        *FRAMES,
        *ADJECTIVE,
        *NOUN,
        *VERB,
        *STRONGER,
        *WEAKER,
        *NOT,
        *WITHOUT,
        *FILLERS,
    ]
    words = {w for t in texts for w in re.findall(r"[^\W\d_]+", re.sub(r"\{\w+\}", " ", t.lower()))}
    return sorted({*words, "a", "an", "with"})
