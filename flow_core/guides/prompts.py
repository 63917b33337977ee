"""Prompts: weighted target texts against a neutral text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .attributes import CANNOT, KNOWN, nearest, says_something
from .guide import Guide
from .meaning import UNDERSTOOD
from .pasted import cleaned
from .weights import MAX_WEIGHT, PromptError, asks, escaped, split, weighted

__all__ = [
    "MAX_WEIGHT",
    "NEUTRAL",
    "TEMPLATES",
    "Prompt",
    "PromptError",
    "directions",
    "embed",
    "gain",
    "lines_note",
    "unknown_note",
]

NEUTRAL = "a face"
# Averaging over phrasings steadies an embedding (Radford et al., 2021, section 3.1.4).
TEMPLATES = ("{}", "a photo of {}", "a portrait of {}", "a close-up of {}")
UNTOUCHED = ("-", "\u2013", "\u2014")  # lines of prompts that leave a face as it is
SURE = 0.4  # how well meanings have to explain a text all of whose words are new


@dataclass(frozen=True)
class Prompt:
    """What to aim for.

    Attributes:
        parts: texts and weights; a negative weight moves away from its text.
        neutral: text that describes the face as it is, from which the directions start.
        spare: those of the texts that stood beside others and apart from them by brackets alone, and may be left out.
    """

    parts: tuple[tuple[str, float], ...]
    neutral: str = NEUTRAL
    spare: frozenset[str] = field(default=frozenset(), compare=False)

    @classmethod
    def parse(cls, text: str, neutral: str = NEUTRAL) -> Prompt:
        """Read ``"a smiling face | open mouth:0.5 | angry:-0.3"``: parts split at ``|``, each with an optional weight
        after its last colon. Brackets weigh as they do in ComfyUI and A1111 (:mod:`flow_core.guides.weights`), and what stands in them
        becomes a part. What pasted prompts of image generators say about the picture is left out (:mod:`flow_core.guides.pasted`).

        Raises:
            PromptError: nothing to aim for, or weights that cannot be read or lie beyond -4..4.
        """
        pieces = [
            [(words, weight) for words, weight in weighted(piece) if words and weight] for piece in split(cleaned(text))
        ]
        parts = [part for piece in pieces for part in piece]
        if not parts:
            why = "The prompt is empty, or all its weights are 0."
            if text.strip(" |\n") and not cleaned(text).strip(" |\n"):  # calls of files, say
                why = f"Nothing in {_quoted(text)} says what the face should be."
            raise PromptError(
                f"{why} Describe the face you want, for instance 'a smiling face' or "
                "'a smiling face | open mouth:0.5 | angry:-0.3'."
            )
        if not neutral.strip():
            raise PromptError(f"The neutral prompt is empty; describe the face as it is, for instance {NEUTRAL!r}.")
        spare = frozenset(words for piece in pieces if len(piece) > 1 for words, _ in piece)
        return cls(tuple(parts), " ".join(neutral.split()), spare)

    @staticmethod
    def lines_for(text: str, faces: int) -> tuple[str, list[int]]:
        """The lines that ask for something, and the numbers of the faces that they are for: a dash alone leaves a face as it is,
        where there is a line for each of several.

        Raises:
            PromptError: no line asks for anything.
        """
        lines = [line for line in text.splitlines() if line.strip()]
        kept = [i for i, line in enumerate(lines) if line.strip() not in UNTOUCHED]
        if faces == 1 or len(lines) != faces:
            return text, list(range(faces))
        if not kept:
            raise PromptError(
                "Every line of the prompt is a dash, which leaves its face as it is; ask something of one face."
            )
        return "\n".join(lines[i] for i in kept), kept

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
        return " | ".join(escaped(t) if w == 1 and ":" not in t else f"{escaped(t)}:{w:.12g}" for t, w in self.parts)

    def heard(self, guide: Guide) -> Prompt:
        """The prompt without those of :attr:`spare` that a small guide does not understand, unless nothing else is in it."""
        if not self.spare or not guide.vocabulary:
            return self
        kept = tuple((t, w) for t, w in self.parts if t not in self.spare or understands(guide, t))
        return Prompt(kept or self.parts, self.neutral)

    def unknown_words(self, guide: Guide) -> list[str]:
        """Words that lie outside the guide's vocabulary, if it has one.

        Raises:
            PromptError: a part is too long for the guide; or a small guide understands nothing in it, and an edit would follow
                chance. The message says what it knows that means nearly that, or is written alike.
        """
        self.check_length(guide)
        if not guide.vocabulary:
            return []
        parts = self.heard(guide).parts
        for text, _ in parts:
            if not understands(guide, text):
                other = bool(guide.left_out(text)[0])
                why = ", which is not about a person's face" if other else ""
                why = "".join((f"{why}.", *(f" {one}" for one in guide.cannot(text, everything=True))))
                meant = guide.near(text, TEMPLATES)
                raise PromptError(
                    f"Guide {guide.name} understands nothing in {_quoted(text)}{why} Ask in English or Chinese for what a face can do or be, for instance "
                    f"{', '.join(nearest(text, meant))}; the node FaceFlow Pick Prompt and `faceflow guides --wishes` list all. A full guide knows "
                    "any words."
                )
        return guide.unknown_words(" ".join(t for t, _ in parts))

    def check_length(self, guide: Guide) -> None:
        """See that a guide reads all of a prompt.

        Raises:
            PromptError: a wish of a part, or of the neutral text, has more tokens than the guide reads, and its end would be cut off.
        """
        longest = max(TEMPLATES, key=len)
        for text in (*(t for t, _ in self.parts), self.neutral):
            fits = guide.reads_whole(longest.format(text))
            if not fits and not all(guide.reads_whole(longest.format(wish)) for wish in guide.wishes(text)):
                raise PromptError(
                    f"{_quoted(text)} is too long for guide {guide.name}, which would leave out its end; say it in fewer words, or part "
                    "its wishes by commas or |."
                )


def _quoted(text: str, most: int = 60) -> str:
    """A text as a message shows it: its beginning, where it is long."""
    text = " ".join(text.split())
    return repr(text if len(text) <= most else f"{text[:most]}...")


def understands(guide: Guide, text: str) -> bool:
    """Whether a small guide finds anything in a text that can be asked of a face; always true of others."""
    if not guide.vocabulary:
        return True
    text = guide.mended(text)
    known = any(word in guide.vocabulary for word in guide.words(text))
    if guide.meanings is None:
        return says_something(guide.words(text), guide.vocabulary)
    amounts, fit = guide.meanings.read(embed(guide, text)[None])
    size = float(amounts.abs().max())
    # of words that it never met it has to be surer
    return size >= UNDERSTOOD if known else size >= 2 * UNDERSTOOD and float(fit[0]) >= SURE


def unknown_note(prompts: Iterable[Prompt], guide: Guide) -> str:
    """A line about the words that a small guide takes for misspelt, or never learnt, and about wishes that it leaves out or that cannot be
    done, with what it understood; empty where it knows and can do all.

    Raises:
        PromptError: it knows none.
    """
    words: dict[str, None] = {}
    slips: dict[str, str] = {}
    prompts = list(dict.fromkeys(prompts))
    for prompt in prompts:
        words |= dict.fromkeys(prompt.unknown_words(guide))
        for text, _ in prompt.heard(guide).parts:
            slips |= guide.misspelt(text)
    notes = [f"Guide {guide.name} reads {a} as {b}." for a, b in slips.items()]
    left_out = [guide.left_out(text) for prompt in prompts for text, _ in prompt.parts]
    beside, undoable = (dict.fromkeys(wish for both in left_out for wish in both[kind]) for kind in (0, 1))
    if beside:
        notes.append(f"Left out, since it is not about the face: {', '.join(beside)}.")
    if undoable:
        notes.append(f"Ignored, since no edit can do it: {', '.join(undoable)}.")
    left = beside | undoable
    ignored = dict.fromkeys(text for prompt in prompts for text in _ignored(guide, prompt) if text not in left)
    if ignored:
        notes.append(f"Ignored, since guide {guide.name} understands nothing in it: {', '.join(ignored)}.")
    words = {w: None for w in words if w not in guide.words(" ".join(ignored | undoable))}
    if words:
        notes.append(
            f"Guide {guide.name} never learnt {', '.join(words)}, and may miss what that says; a full guide knows all words."
        )
    doubted = dict.fromkeys(
        one for p in prompts for text, _ in p.heard(guide).parts for one in guide.doubted(text, TEMPLATES)
    )
    if doubted := [one for one in doubted if one not in left]:
        notes.append(
            f"Guide {guide.name} is not sure of {', '.join(map(repr, doubted))}; in other words it may do better."
        )
    cannot = dict.fromkeys(one for p in prompts for one in _cannot(guide, p))
    if notes or cannot:
        notes.insert(0, f"Understood as {'; '.join(dict.fromkeys(understood(guide, prompt) for prompt in prompts))}.")
    return " ".join([*notes, *cannot])


def understood(guide: Guide, prompt: Prompt) -> str:
    """What a guide whose text space is laid out reads from a prompt, in its own words; of others the prompt."""
    if guide.meanings is None:
        return repr(str(prompt))
    amounts = torch.zeros(len(guide.meanings.names))
    for text, weight in prompt.heard(guide).parts:
        [row], _ = guide.meanings.read(embed(guide, text)[None].cpu())
        amounts += weight * row * (row.abs() >= UNDERSTOOD / 2)
    plainest = [phrase for kind in KNOWN.values() for phrase in kind]
    told = []
    for k in amounts.abs().argsort(descending=True).tolist():
        much = float(amounts[k])
        if abs(much) >= UNDERSTOOD / 2:
            name = plainest[k] if len(plainest) == len(amounts) else guide.meanings.names[k]
            told.append(
                f"{'less of ' if much < 0 else ''}{name}{'' if 0.85 < abs(much) < 1.15 else f' x {abs(much):.1f}'}"
            )
    return ", ".join(told) or "nothing"


def _ignored(guide: Guide, prompt: Prompt) -> list[str]:
    """Texts of a prompt, and wishes in them, that a guide understands nothing in, but for such as only say who is shown."""
    heard = prompt.heard(guide).parts
    texts = [t for t, _ in prompt.parts if t not in {h for h, _ in heard}]
    texts += [wish for t, _ in heard for wish in guide.unheard(t, TEMPLATES)]
    return [t for t in texts if asks(t)]


def _cannot(guide: Guide, prompt: Prompt) -> list[str]:
    """What to tell of what a prompt asks for and cannot be done."""
    if guide.meanings is None:
        return []
    texts = [text for text, weight in prompt.parts if weight > 0]
    asked = [guide.meanings.read(embed(guide, text)[None].cpu())[0][0] for text in texts]
    numbers = {name: guide.meanings.names.index(name) for name in CANNOT if name in guide.meanings.names}
    of_concepts = [CANNOT[name] for name, k in numbers.items() if any(float(row[k]) >= UNDERSTOOD for row in asked)]
    return of_concepts + [one for text in texts for one in guide.cannot(text)]


def lines_note(text: str, faces: int) -> str:
    """A line that says that several lines of a prompt were read as one, where there is one face for them; else empty."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if faces > 1 or len(lines) < 2:
        return ""
    return f"One face: the {len(lines)} lines of the prompt are mixed for it ({' + '.join(map(repr, lines))})."


def embed(guide: Guide, text: str) -> Tensor:
    """Unit embedding ``[D]`` of a text, averaged over :data:`TEMPLATES`."""
    return guide.encode_prompt(text, TEMPLATES)


def directions(guide: Guide, prompt: Prompt) -> tuple[Tensor, Tensor]:
    """Text directions from neutral to each part, ``[K,D]``, and their weights ``[K]``.

    Raises:
        PromptError: a part means the same as the neutral prompt to this guide.
    """
    prompt.check_length(guide)
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
    ways, weight = directions(guide, prompt.heard(guide))
    change = guide.encode_image(after) - guide.encode_image(before)
    return weighted_gain(logit_change(guide.scale, change, ways), weight)
