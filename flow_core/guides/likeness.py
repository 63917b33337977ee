"""What a text that nobody wrote down is likely to mean: what those phrases mean that are known by heart and are most like it.

A text is the sum of its words, of which rare ones count more (Arora, Liang and Ma, A Simple but Tough-to-Beat Baseline for Sentence Embeddings,
2017), and a word is the embedding of its token, which started from what a sentence encoder knows of it, so that words of like meaning lie near.
A small text tower that never met a slug in a salad does not tell what it means; but it is like a worm in an apple.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .phrasebook import Says, plain, stem
from .words import is_word

NEIGHBOURS = 12
SPREAD = 0.05  # of the likeness of neighbours, below which one counts much less than another
ALIKE, AGREED = (
    0.6,
    0.6,
)  # how like it the nearest phrase has to be, and how much of its meaning its neighbours have to share
NOISE = 0.4  # share of the largest amount, below which another is none


class Likeness:
    """English phrases by their words.

    Args:
        known: phrases, by the stems of their words, and what they say.
        words: that they are made of.
        concepts: how many there are.
        embedded: ``[N,D]`` embeddings of tokens.
    """

    def __init__(
        self,
        known: Mapping[str, Says],
        words: frozenset[str],
        concepts: int,
        embedded: Callable[[Sequence[int]], Tensor],
    ) -> None:
        english = [(_stems(text), says) for text, says in known.items() if text.isascii()]
        seen = Counter(one for said, _ in english for one in set(said))
        self.number = {one: n for n, one in enumerate(seen)}
        self.embedded, self.most = embedded, math.log(len(english))
        forms = [(w, self.number[one]) for w in sorted(words) if is_word(w) and (one := stem(w)) in self.number]
        at = torch.tensor([n for _, n in forms])
        vectors = _summed(embedded([is_word(w) for w, _ in forms]), at, len(seen))
        self.mean = vectors.sum(0) / len(forms)
        count = at.bincount(minlength=len(seen))[:, None]
        # a word of several tokens is spelt rather than known: like itself alone
        vectors = torch.where(count > 0, vectors / count - self.mean, _anything(len(seen), vectors.shape[1]))
        rarity = self.most - torch.tensor([*seen.values()]).log()
        self.table = F.normalize(vectors, dim=1) * rarity[:, None]
        rows = torch.tensor([n for n, (said, _) in enumerate(english) for _ in said])
        parts = torch.tensor([self.number[one] for said, _ in english for one in said])
        self.phrases = F.normalize(_summed(self.table[parts], rows, len(english)), dim=1)
        self.says = torch.zeros(len(english), concepts)
        told = [(n, k, amount) for n, (_, says) in enumerate(english) for k, amount in says]
        n, k, amount = zip(*told, strict=True)
        self.says[torch.tensor(n), torch.tensor(k)] = torch.tensor(amount)

    def read(self, text: str) -> Tensor | None:
        """Amounts ``[C]`` that an English text is likely to mean, of which the largest is 1; None where too little is like it."""
        said = re.findall(r"[\w'-]+", plain(text))
        if not said or not text.isascii():
            return None
        new = [one for one in said if stem(one) not in self.number]
        tokens = [number for one in new if (number := is_word(one))]
        vectors = [self.table[[self.number[stem(one)] for one in said if stem(one) in self.number]]]
        vectors.append(F.normalize(self.embedded(tokens) - self.mean, dim=1) * self.most)
        vectors.append(F.normalize(_anything(len(new) - len(tokens), len(self.mean), seed=1), dim=1) * self.most)
        likeness, nearest = (self.phrases @ F.normalize(torch.cat(vectors).sum(0), dim=0)).topk(
            min(NEIGHBOURS, len(self.says))
        )
        amounts = (likeness / SPREAD).softmax(0) @ self.says[nearest]
        most = amounts.abs().max()
        if likeness[0] < ALIKE or most < AGREED:
            return None
        return torch.where(amounts.abs() < NOISE * most, 0.0, amounts / most)


def _stems(text: str) -> list[str]:
    """The stems of the words of a plain text, or of a phrase that is known by its stems."""
    return text.split() if " " in text else [stem(text)]


def _summed(values: Tensor, at: Tensor, count: int) -> Tensor:
    """``[count,D]`` sums of ``values [N,D]`` whose numbers are ``at [N]``."""
    return values.new_zeros(count, values.shape[1]).index_add_(0, at, values)


def _anything(count: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))
