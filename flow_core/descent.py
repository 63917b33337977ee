"""Adam and gradient descent with momentum. Importing :mod:`torch.optim` imports torch's compiler, which takes longer than an edit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Group:
    """Parameters that share a step length.

    Attributes:
        params: leaves that need a gradient.
        rate: the step length.
        state: what an optimiser keeps for each parameter between steps.
    """

    params: Sequence[Tensor]
    rate: float
    state: list[tuple[Tensor, ...]] = field(default_factory=list)


class Adam:
    """Adam (Kingma, Ba, Adam: A Method for Stochastic Optimization, 2015, algorithm 1), as :class:`torch.optim.Adam`.

    Args:
        groups: the parameters; one without a gradient stays where it is.
        betas: decay rates of the running mean and of the running mean square of gradients.
        eps: added to the denominator.
    """

    def __init__(self, groups: Iterable[Group], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> None:
        self.groups, self.betas, self.eps, self.count = list(groups), betas, eps, 0

    def zero_grad(self) -> None:
        for group in self.groups:
            for p in group.params:
                p.grad = None

    @torch.no_grad()
    def step(self, share: float = 1.0) -> None:
        """Take one step, ``share`` times as long as the rate of each group says."""
        self.count += 1
        for group in self.groups:
            group.state = group.state or [(torch.zeros_like(p), torch.zeros_like(p)) for p in group.params]
            for p, state in zip(group.params, group.state, strict=True):
                if p.grad is not None:
                    self._move(p, p.grad, state, group.rate * share)

    def _move(self, p: Tensor, grad: Tensor, state: tuple[Tensor, ...], rate: float) -> None:
        mean, square = state
        b1, b2 = self.betas
        mean.lerp_(grad, 1 - b1)
        square.mul_(b2).addcmul_(grad, grad, value=1 - b2)
        scale = (square.sqrt() / (1 - b2**self.count) ** 0.5).add_(self.eps)
        p.addcdiv_(mean, scale, value=-rate / (1 - b1**self.count))


class Momentum(Adam):
    """Gradient descent along a running mean of gradients, whose decay rate is ``keep``."""

    def __init__(self, groups: Iterable[Group], keep: float) -> None:
        super().__init__(groups)
        self.keep = keep

    def _move(self, p: Tensor, grad: Tensor, state: tuple[Tensor, ...], rate: float) -> None:
        mean, _ = state
        mean.lerp_(grad, 1 - self.keep if self.count > 1 else 1.0)
        p.sub_(mean, alpha=rate)
