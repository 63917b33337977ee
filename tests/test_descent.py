"""Our optimisers take the steps that torch's take."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flow_core.descent import Adam, Group, Momentum


def run(optimizer: type, schedule: bool, *args: object, **options: object) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(6, generator=generator).requires_grad_() for _ in range(2))
    own = optimizer in (Adam, Momentum)
    groups = [Group([a], 0.1), Group([b], 0.03)] if own else [{"params": [a]}, {"params": [b], "lr": 0.03}]
    one = optimizer(groups, *args, **options)
    torchs = None if own else torch.optim.lr_scheduler.LambdaLR(one, lambda i: 1 - i / 40 if schedule else 1.0)
    for i in range(20):
        one.zero_grad()
        ((a - 1) ** 2).sum().add((b * a.detach()).sin().sum()).backward()
        one.step(1 - i / 40 if schedule else 1.0) if own else one.step()
        if torchs:
            torchs.step()
    return [a.detach(), b.detach()]


@pytest.mark.parametrize("schedule", [False, True])
def test_adam(schedule: bool) -> None:
    ours = run(Adam, schedule, betas=(0.9, 0.95))
    theirs = run(torch.optim.Adam, schedule, lr=0.1, betas=(0.9, 0.95))
    for x, y in zip(ours, theirs, strict=True):
        assert torch.allclose(x, y, atol=1e-6)


@pytest.mark.parametrize("schedule", [False, True])
def test_momentum(schedule: bool) -> None:
    ours = run(Momentum, schedule, keep=0.8)
    theirs = run(torch.optim.SGD, schedule, lr=0.1, momentum=0.8, dampening=0.8)
    for x, y in zip(ours, theirs, strict=True):
        assert torch.allclose(x, y, atol=1e-6)


def test_what_has_no_gradient_stays() -> None:
    p = torch.ones(3, requires_grad=True)
    Adam([Group([p], 0.1)]).step()
    assert torch.equal(p.detach(), torch.ones(3))
