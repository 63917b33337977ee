"""Sisters of the nano guide, with other image towers, that learn from it."""

from __future__ import annotations

import pytest
import torch

from flow_core.train import towers

pytestmark = pytest.mark.slow  # trainings

KNOWN = torch.eye(3, 160), torch.ones(2, 3)  # directions, and how far faces lie apart along them


@pytest.fixture(scope="module")
def teacher() -> torch.nn.Module:
    return towers.builtin()


def test_who_sees_alike_has_nothing_to_learn(teacher: torch.nn.Module) -> None:
    losses = towers.Taught(teacher, teacher, *KNOWN)(torch.rand(4, 3, 112, 112), torch.rand(4, 161, 2))
    assert max(losses[name] for name in ("embedding", "faces", "changes")) < 1e-9


@pytest.mark.parametrize("name", [n for n in towers.towers() if "built in" not in n])
def test_a_tower_learns_from_another(teacher: torch.nn.Module, name: str) -> None:
    torch.manual_seed(0)
    tower, size = towers.towers()[name]
    model, _ = towers.build(tower, size)
    taught, views, seen = towers.Taught(model, teacher, *KNOWN), torch.rand(2, 3, size, size), torch.rand(2, 161, 2)
    optimizer, before = torch.optim.Adam(taught.parameters(), 1e-3), None
    for _ in range(8):
        losses = taught(views, seen)
        before = before or sum(losses.values()).item()
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    assert sum(losses.values()).item() < 0.8 * before
    assert all(p.grad is None for p in teacher.parameters())


def test_a_tower_starts_from_the_layers_that_both_have(teacher: torch.nn.Module) -> None:
    tower, _ = towers.towers()["ViT on the first stages of the built-in tower, 112 px"]
    before = tower.net.transformer.norm.weight.clone()
    towers.grow(tower, teacher.visual.trunk)
    assert torch.equal(tower.net.stem[0].weight, teacher.visual.trunk.stem[0].weight)
    assert torch.equal(tower.net.transformer.norm.weight, before)
