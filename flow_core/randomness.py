"""Building networks without drawing from the global random number generators.

Layers of torch draw initial weights although a file fills them a moment later. The global generators belong to the program
around us, and restoring their state afterwards would not be enough, since other threads draw from them in the meantime.
"""

from __future__ import annotations

import torch
from torch.overrides import TorchFunctionMode

_DRAWS = frozenset(
    {
        *(getattr(torch.Tensor, n) for n in ("bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_",
                                             "random_", "uniform_", "bernoulli", "multinomial")),
        *(getattr(torch, n) for n in ("bernoulli", "multinomial", "normal", "rand", "randint", "randn", "randperm")),
        *(getattr(torch.nn.init, n) for n in ("uniform_", "normal_", "kaiming_uniform_", "kaiming_normal_")),
    }
)  # fmt: skip


class OwnRandom(TorchFunctionMode):
    """A context manager: random numbers that this thread draws in the block come from a generator of its own."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in _DRAWS and kwargs.get("generator") is None:
            kwargs = {**kwargs, "generator": self._generator}
        return func(*args, **kwargs)
