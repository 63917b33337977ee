"""Prompts: weighted target texts against a neutral text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .attributes import listed, says_something
from .guide import Guide

NEUTRAL = "a face"
# Averaging over phrasings steadies an embedding (Radford et al., 2021, section 3.1.4).
TEMPLATES = ("{}", "a photo of {}", "a portrait of {}", "a close-up of {}")
MAX_WEIGHT = 4.0


class PromptError(ValueError):
    """A prompt cannot be understood; the message shows how to write it."""


@dataclass(frozen=True)
class Prompt:
    """What to aim for.

    Attributes:
        parts: texts and weights; a negative weight moves away from its text.
        neutral: text that describes the face as it is, from which the directions start.
    """

    parts: tuple[tuple[str, float], ...]
    neutral: str = NEUTRAL

    @classmethod
    def parse(cls, text: str, neutral: str = NEUTRAL) -> Prompt:
        """Read ``"a smiling face | open mouth:0.5 | angry:-0.3"``: parts split at ``|``, each with an optional weight
        after its last colon.

        Raises:
            PromptError: nothing to aim for, or a weight beyond -4..4.
        """
        parts = []
        for piece in text.split("|"):
            words, colon, number = piece.rpartition(":")
            weight = 1.0
            if colon:
                try:
                    weight = float(number)
                except ValueError:  # a colon that belongs to the text
                    words = piece
            else:
                words = piece
            words = " ".join(words.split())
            if not math.isfinite(weight) or abs(weight) > MAX_WEIGHT:
                raise PromptError(
                    f"The weight {number.strip()} of {words!r} is outside -{MAX_WEIGHT:g}..{MAX_WEIGHT:g}."
                )
            if not words and piece.strip():
                raise PromptError(
                    f"The part {piece.strip()!r} has a weight but no text; write for instance 'open mouth:0.5'."
                )
            if words and weight:
                parts.append((words, weight))
        if not parts:
            raise PromptError(
                "The prompt is empty. Describe the face you want, for instance 'a smiling face' or "
                "'a smiling face | open mouth:0.5 | angry:-0.3'."
            )
        if not neutral.strip():
            raise PromptError(f"The neutral prompt is empty; describe the face as it is, for instance {NEUTRAL!r}.")
        return cls(tuple(parts), " ".join(neutral.split()))

    @classmethod
    def parse_lines(cls, text: str, faces: int, neutral: str = NEUTRAL) -> list[Prompt]:
        """Prompts for several faces: one line for all, or one for each.

        Raises:
            PromptError: another number of lines.
        """
        lines = [line for line in text.splitlines() if line.strip()]
        if faces == 1 or len(lines) <= 1:
            return [cls.parse(text, neutral)] * faces
        if len(lines) != faces:
            raise PromptError(
                f"The prompt has {len(lines)} lines for {faces} faces; write one line for all, or one for each."
            )
        return [cls.parse(line, neutral) for line in lines]

    def __str__(self) -> str:
        return " | ".join(t if w == 1 and ":" not in t else f"{t}:{w:g}" for t, w in self.parts)

    def unknown_words(self, guide: Guide) -> list[str]:
        """Words that lie outside the guide's vocabulary, if it has one.

        Raises:
            PromptError: of a part it knows no word that asks for anything, and an edit would follow chance; the message lists
                what it knows.
        """
        if not guide.vocabulary:
            return []
        for text, _ in self.parts:
            if not says_something(guide.words(text), guide.vocabulary):
                raise PromptError(
                    f"Guide {guide.name} understands nothing in {text!r}. Ask in English for what it knows, or load a full guide, "
                    f"which knows any words. It knows\n{listed()}"
                )
        return guide.unknown_words(" ".join(t for t, _ in self.parts))


def unknown_note(prompts: Iterable[Prompt], guide: Guide) -> str:
    """A line about the words that a small guide never learnt; empty where it knows all.

    Raises:
        PromptError: it knows none.
    """
    words = dict.fromkeys(word for prompt in dict.fromkeys(prompts) for word in prompt.unknown_words(guide))
    if not words:
        return ""
    return f"Guide {guide.name} never learnt {', '.join(words)}, and leaves that out; a full guide knows all words."


def embed(guide: Guide, text: str) -> Tensor:
    """Unit embedding ``[D]`` of a text, averaged over :data:`TEMPLATES`."""
    return F.normalize(guide.encode_text([t.format(text) for t in TEMPLATES]).mean(0), dim=-1)


def directions(guide: Guide, prompt: Prompt) -> tuple[Tensor, Tensor]:
    """Text directions from neutral to each part, ``[K,D]``, and their weights ``[K]``.

    Raises:
        PromptError: a part means the same as the neutral prompt to this guide.
    """
    neutral = embed(guide, prompt.neutral)
    ways = torch.stack([embed(guide, text) for text, _ in prompt.parts]) - neutral
    for (text, _), length in zip(prompt.parts, ways.norm(dim=-1).tolist(), strict=True):
        if length < 1e-3:
            raise PromptError(
                f"{text!r} and the neutral prompt {prompt.neutral!r} mean the same to guide {guide.name}, so there is no "
                "direction to follow; change one of them."
            )
    return ways, torch.tensor([w for _, w in prompt.parts], device=ways.device)


def logit_change(scale: float, change: Tensor, directions: Tensor) -> Tensor:
    """Change of the guide's logits ``[...,N,K]`` along directions ``[...,K,D]``, for changes ``[...,N,D]`` of embeddings."""
    return scale * change @ directions.mT


def weighted_gain(gain: Tensor, weight: Tensor) -> Tensor:
    """The gain of a whole prompt: the mean of those of its parts ``[...,K]`` by their weights, a negative one counted the other
    way."""
    return (gain * weight).sum(-1) / weight.abs().sum(-1)


def gain(guide: Guide, prompt: Prompt, before: Tensor, after: Tensor) -> Tensor:
    """How far pictures of faces come towards a prompt, in logits of the guide ``[B]``.

    Args:
        before: ``[B,3,S,S]`` of the size that the guide sees.
        after: the same faces, edited.
    """
    ways, weight = directions(guide, prompt)
    change = guide.encode_image(after) - guide.encode_image(before)
    return weighted_gain(logit_change(guide.scale, change, ways), weight)
