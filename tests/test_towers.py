"""Sisters of the nano guide, with other image towers, that learn from it."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from flow_core.guide import BUILTIN, WEIGHTS
from flow_core.train import guide, towers


@pytest.fixture(scope="module")
def teacher() -> torch.nn.Module:
    model, _ = guide.build()
    model.load_state_dict(load_file(WEIGHTS / f"{BUILTIN}.safetensors"))
    return model.eval()


def test_who_sees_alike_has_nothing_to_learn(teacher: torch.nn.Module) -> None:
    losses = towers.Taught(teacher, teacher)(torch.rand(4, 3, 112, 112), torch.rand(4, 161, 2))
    assert losses["seen"] < 1e-9
    assert losses["changes"] < 1e-9


@pytest.mark.parametrize("name", [n for n in towers.towers() if "built in" not in n])
def test_a_tower_learns_from_another(teacher: torch.nn.Module, name: str) -> None:
    torch.manual_seed(0)
    tower, size = towers.towers()[name]
    model, _ = towers.build(tower, size)
    taught, views, seen = towers.Taught(model, teacher), torch.rand(4, 3, size, size), torch.rand(4, 161, 2)
    optimizer, before = torch.optim.Adam(taught.parameters(), 1e-3), None
    for _ in range(8):
        losses = taught(views, seen)
        before = before or sum(losses.values()).item()
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    assert sum(losses.values()).item() < 0.8 * before
    assert all(p.grad is None for p in teacher.parameters())
