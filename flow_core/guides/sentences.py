"""What a sentence about a situation is likely to show on a face: "she found out that her flight is cancelled", "汤里有一根头发".

The text tower reads phrases; what happens to somebody it seldom knows. This reader is a deep averaging network (Iyyer et al., Deep Unordered
Composition Rivals Syntactic Methods, 2015) with two convolutions over neighbouring words, whose table of words starts from what a multilingual
sentence encoder knows of them, so that English and Chinese words of like meaning lie near (:mod:`flow_core.train.sentences`).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import read_weights
from ..once import once

DIM, WIDE, HIDDEN = 56, 128, 256
LONGEST = 40  # pieces of a text that are read
NOISE = 0.4  # share of the likeliest concept's chance below which another is none
WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+|[^\W\d_a-z]+")


class Pieces:
    """Texts as numbers of words and parts of words; 0 stands for what is unknown.

    Args:
        known: Words, Chinese ones of up to four characters, and parts of words, which begin with ``#``.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self.number = {piece: n for n, piece in enumerate(known, 1)}

    def __call__(self, text: str) -> list[int]:
        """Numbers of the pieces of a text, the longest match first."""
        found: list[int] = []
        for word in WORD.findall(unicodedata.normalize("NFKC", text).lower().replace("’", "'")):
            if word.isdigit():
                word = "0"
            number = self.number.get(word)
            found += [number] if number else self._parts(word)
        return found[:LONGEST]

    def knows(self, text: str) -> bool:
        """Whether at least half of the words of a text are known as such."""
        words = [w for w in WORD.findall(text.lower()) if w.isascii() and w.isalpha()]
        return 2 * sum(w in self.number for w in words) >= len(words)

    def _parts(self, word: str) -> list[int]:
        found, at, sign = [], 0, ""
        longest, mark = (14, "#") if word.isascii() else (4, "")
        while at < len(word):
            for end in range(min(len(word), at + longest), at, -1):
                number = self.number.get(sign + word[at:end])
                if number:
                    found.append(number)
                    break
            at, sign = end, mark
        return found or [0]


class Reader(nn.Module):
    """Logits of concepts, and of none, that texts are about, from vectors of their pieces.

    Args:
        concepts: how many there are.
    """

    def __init__(self, concepts: int) -> None:
        super().__init__()
        self.inward = nn.Linear(DIM, WIDE)
        self.near = nn.ModuleList(nn.Linear(3 * WIDE, WIDE) for _ in range(2))
        self.weight = nn.Linear(WIDE, 1)
        self.hidden = nn.Linear(2 * WIDE, HIDDEN)
        self.out = nn.Linear(HIDDEN, concepts + 1)

    def states(self, x: Tensor, real: Tensor) -> Tensor:
        """What is known of texts ``[N,HIDDEN]`` from vectors of their pieces ``[N,L,DIM]``, where they are ``real [N,L]``."""
        mask = real[:, :, None].to(x.dtype)
        x = self.inward(x) * mask
        for layer in self.near:  # each word with those before and after it
            wide = F.pad(x, (0, 0, 1, 1))
            x = (x + F.gelu(layer(torch.cat([wide[:, :-2], x, wide[:, 2:]], 2)))) * mask
        share = F.softplus(self.weight(x)) * mask
        mean = (x * share).sum(1) / mask.sum(1).clamp(min=1).sqrt()
        most = x.masked_fill(~real[:, :, None], -1e4).amax(1)
        return F.gelu(self.hidden(torch.cat([mean, most], 1)))

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Logits ``[N,C+1]``, of which the last is none's."""
        return self.out(self.states(x, real))


@dataclass(frozen=True)
class Told:
    """What a text is likely to be about.

    Attributes:
        amounts: ``[C]`` of concepts, of which the largest is 1; zeros where it asks for nothing.
        chance: of the likeliest concept, or of none, 0..1.
        known: whether that is one that situations bring about. Of others, such as shapes, phrases tell better.
    """

    amounts: Tensor
    chance: float
    known: bool

    @property
    def nothing(self) -> bool:
        return not bool(self.amounts.any())


class Sentences:
    """The reader of a file.

    Attributes:
        names: of the concepts.
        brought: which of them situations bring about.
        table: ``[P,DIM]`` bytes of the pieces, each in units of its ``step [P]``.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        brought: frozenset[str],
        pieces: Pieces,
        table: Tensor,
        step: Tensor,
        reader: Reader,
    ) -> None:
        self.names, self.brought, self.pieces, self.reader = names, brought, pieces, reader.eval()
        self.table, self.step = table, step
        self._told: dict[str, Told] = {}

    def read(self, text: str) -> Told:
        """What a text is likely to be about; computed once."""
        if text not in self._told:
            with torch.inference_mode(False), torch.no_grad():
                numbers = torch.tensor([self.pieces(text) or [0]])
                x = self.table[numbers].float() * self.step[numbers, None].float()
                chances = self.reader(x, torch.ones_like(numbers, dtype=torch.bool))[0].softmax(0)
            most = chances.max()
            amounts = torch.where(chances >= NOISE * most, chances / most, 0.0)[:-1]
            k = int(chances.argmax())
            nothing = k == len(self.names)
            known = nothing or self.names[k] in self.brought
            told = float(most) * self.pieces.knows(text)  # of nonsense nothing is likely
            self._told[text] = Told(amounts * (not nothing), told, known)
        return self._told[text]


@once()
def load(path: Path) -> Sentences:
    """The reader of a ``.safetensors`` file, as :func:`save` wrote it; errors as of :func:`flow_core.checkpoint.read_weights`."""
    state, about = read_weights(path, "sentence reader")
    pieces, names, brought = about["pieces"].split("\n"), *(json.loads(about[k]) for k in ("concepts", "brought"))
    table, step = state.pop("table"), state.pop("step")
    with torch.inference_mode(False):
        with torch.device("meta"):  # its numbers are those of the file
            reader = Reader(len(names))
        reader.load_state_dict({k: v.float() for k, v in state.items()}, assign=True)
    return Sentences(tuple(names), frozenset(brought), Pieces(pieces), table, step, reader.requires_grad_(False))


def save(
    path: Path, names: Sequence[str], brought: Iterable[str], pieces: Sequence[str], table: Tensor, reader: Reader
) -> None:
    """Write a reader and the ``table [P,DIM]`` of its pieces, which becomes bytes; all else is in half precision."""
    from safetensors.torch import save_file

    state = {k: v.detach().half().contiguous() for k, v in reader.state_dict().items()}
    table = table.detach().float()
    state["step"] = (table.abs().amax(1) / 127).clamp(min=1e-6).half()
    state["table"] = (table / state["step"].float()[:, None]).round().clamp(-127, 127).to(torch.int8)
    about = {"concepts": json.dumps(list(names)), "brought": json.dumps(sorted(brought)), "pieces": "\n".join(pieces)}
    save_file(state, path, about)
