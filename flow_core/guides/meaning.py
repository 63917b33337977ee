"""What a text means, read from its embedding, for guides whose text space is laid out for it.

The built-in guide's text tower puts a text where its meaning says (:mod:`flow_core.train.targets`): at the neutral point ``n`` of the
unit sphere it has the tangent vector ``t = max|a| common + sum_k a_k way_k`` for amounts ``a`` of concepts. So amounts can be read back: a
sparse sum of ways is sought (orthogonal matching pursuit; Pati, Rezaiifar and Krishnaprasad, 1993).
"""

from __future__ import annotations

import base64
import functools
import json
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .phrasebook import Phrasebook

UNDERSTOOD = 0.3  # amount of what a text means most below which it means nothing
MOST = 6  # concepts that a text can mean at once
LEAST = 0.25  # amount below which a further concept is not meant
SECOND = 0.4  # of the largest amount, below which another concept is no second wish but noise
RIDGE = 8e-3  # variance of what is no way of any concept
NEAR = 0.35  # cosine between what a text says and a concept from which that is worth a proposal
LONGEST = 1.75  # radians that a text may lie from "a face"
BETTER = 0.9  # share of what was unexplained that a further concept has to leave at most


@dataclass(frozen=True)
class Meanings:
    """The layout of a text space.

    Attributes:
        names: of the concepts.
        neutral: ``[D]`` unit embedding of "a face".
        common: ``[D]`` what all texts that ask for something share, in the tangent plane at ``neutral``.
        ways: ``[C,D]`` of the concepts there.
        phrases: what is known by heart.
        things: what animals and things are called, of which nothing can be asked.
    """

    names: tuple[str, ...]
    neutral: Tensor
    common: Tensor
    ways: Tensor
    phrases: Phrasebook = field(default=Phrasebook({}), compare=False)
    things: frozenset[str] = field(default=frozenset(), compare=False)

    @functools.cached_property
    def metric(self) -> Tensor:
        """``[D,D]`` in which the ways of all concepts are about as long, and far apart."""
        spread = self.ways.T @ self.ways / len(self.ways)
        values, vectors = torch.linalg.eigh(spread + RIDGE * torch.eye(len(spread)))
        return vectors @ torch.diag(values.rsqrt()) @ vectors.T * len(self.ways) ** -0.5

    def read(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Amounts of the concepts ``[N,C]`` that unit embeddings ``[N,D]`` mean, and how well these explain them ``[N]``, 0..1."""
        metric, common, ways = self.metric, self.common @ self.metric, self.ways @ self.metric
        found, fit = [], []
        for y in log_map(points.float().cpu(), self.neutral) @ metric:
            amounts = _sparse(y, common, ways)
            made = amounts.abs().max() * common + amounts @ ways
            found.append(amounts)
            fit.append(1 - ((y - made).norm() / y.norm().clamp(min=1e-6)).clamp(max=1))
        return torch.stack(found), torch.stack(fit)

    def near(self, point: Tensor, count: int = 3) -> list[int]:
        """Numbers of the concepts that a unit embedding ``[D]`` of a text is most like, be it too little to mean them."""
        way = log_map(point.float().cpu()[None], self.neutral) @ self.metric
        alike = torch.nn.functional.cosine_similarity(self.ways @ self.metric, way)
        return [k for k in alike.topk(count).indices.tolist() if alike[k] >= NEAR]

    def known(self, text: str) -> Tensor | None:
        """Amounts ``[C]`` that a text is known to mean by heart, if it is."""
        says = self.phrases.find(text)
        if says is None:
            return None
        amounts = torch.zeros(len(self.names))
        for k, amount in says:
            amounts[k] += amount
        return amounts

    def point(self, amounts: Tensor) -> Tensor:
        """Unit embeddings ``[...,D]`` of texts that mean the concepts with ``amounts [...,C]``."""
        return point(amounts, self.common, self.ways, self.neutral)

    def dumps(self) -> str:
        """As text, for the metadata of a file of weights; numbers in half precision."""
        numbers = torch.cat([self.neutral[None], self.common[None], self.ways]).half().numpy().tobytes()
        return json.dumps({"names": self.names, "directions": base64.b64encode(numbers).decode()})

    @classmethod
    def loads(cls, text: str, phrases: str = "{}", things: str = "") -> Meanings:
        """What :meth:`dumps` wrote, :meth:`Phrasebook.dumps <flow_core.guides.phrasebook.Phrasebook.dumps>`, and names of things, a line each.

        Raises:
            ValueError: it is not that.
        """
        try:
            about = json.loads(text)
            names = tuple(map(str, about["names"]))
            numbers = torch.frombuffer(bytearray(base64.b64decode(about["directions"])), dtype=torch.float16)
            numbers = numbers.float().view(len(names) + 2, -1)
        except (KeyError, TypeError, RuntimeError, ValueError) as e:
            raise ValueError(f"no directions of concepts: {e}") from e
        return cls(
            names, torch.nn.functional.normalize(numbers[0], dim=0), numbers[1], numbers[2:], Phrasebook.loads(phrases),
            frozenset(things.splitlines()),
        )  # fmt: skip


def _sparse(y: Tensor, common: Tensor, ways: Tensor) -> Tensor:
    """Amounts ``[C]`` of a few ways ``[C,D]`` whose sum, with as much of what is common as the largest amount, is near ``y [D]``."""
    amounts = ways.new_zeros(len(ways))
    length = ways.square().sum(1)
    first = torch.stack([common + ways, common - ways])  # [2,C,D]
    likeness = (first @ y) / first.norm(dim=2)
    sign, k = divmod(int(likeness.argmax()), len(ways))
    atom = first[sign, k]
    amounts[k] = (1 - 2 * sign) * ((atom @ y) / atom.square().sum()).clamp(min=0)
    chosen = [k]
    for _ in range(MOST - 1):
        rest = y - amounts.abs().max() * common - amounts @ ways
        slope = ways @ rest
        slope[chosen] = 0
        best = int((slope.abs() / length.sqrt()).argmax())
        trial, among = amounts, [*chosen, best]
        basis = ways[among]
        for _ in range(3):  # how much is common follows from the amounts
            # In double precision: in single, the last bits differ from call to call.
            left = (y - trial.abs().max() * common).double()[:, None]
            solved = torch.linalg.lstsq(basis.T.double(), left).solution[:, 0]
            trial = torch.zeros_like(amounts)
            trial[among] = solved.to(trial)
        after = y - trial.abs().max() * common - trial @ ways
        if trial[best].abs() < max(LEAST, SECOND * float(trial.abs().max())) or after.norm() > BETTER * rest.norm():
            break
        amounts, chosen = trial, among
    return amounts


def point(amounts: Tensor, common: Tensor, ways: Tensor, neutral: Tensor) -> Tensor:
    """Unit embeddings ``[...,D]`` of texts that mean the concepts with ``amounts [...,C]``."""
    made = exp_map(amounts.abs().amax(-1, keepdim=True) * common + amounts @ ways, neutral, LONGEST)
    return torch.nn.functional.normalize(made, dim=-1)  # stored in half precision, directions are not quite tangents


def exp_map(t: Tensor, neutral: Tensor, longest: float = torch.inf) -> Tensor:
    """Points ``[N,D]`` on the sphere that tangents ``[N,D]`` at ``neutral [D]`` reach, none farther than ``longest`` radians."""
    angle = t.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    bound = angle.clamp(max=longest)
    return bound.cos() * neutral + bound.sin() * t / angle


def log_map(points: Tensor, neutral: Tensor) -> Tensor:
    """Tangents ``[N,D]`` at ``neutral [D]`` that reach unit ``points [N,D]``."""
    along = points @ neutral
    across = points - along[:, None] * neutral
    length = across.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    return torch.atan2(length, along[:, None]) * across / length
