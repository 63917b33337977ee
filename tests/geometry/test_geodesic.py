"""The cheapest ways over a raster."""

import heapq

import torch
from torch import Tensor

from flow_core.geometry.geodesic import geodesic


def dijkstra(begin: Tensor, across: Tensor, down: Tensor) -> Tensor:
    found = begin.clone()
    height, width = begin.shape
    todo = [(found[y, x].item(), y, x) for y in range(height) for x in range(width) if found[y, x] < torch.inf]
    heapq.heapify(todo)
    while todo:
        cost, y, x = heapq.heappop(todo)
        if cost > found[y, x]:
            continue
        for b, a, step in (
            (y, x + 1, across[y, x] if x + 1 < width else None),
            (y, x - 1, across[y, x - 1] if x else None),
            (y + 1, x, down[y, x] if y + 1 < height else None),
            (y - 1, x, down[y - 1, x] if y else None),
        ):
            if step is not None and cost + step.item() < found[b, a] - 1e-6:
                found[b, a] = cost + step.item()
                heapq.heappush(todo, (found[b, a].item(), b, a))
    return found


def test_ways_are_the_cheapest() -> None:
    generator = torch.Generator().manual_seed(3)
    begin = torch.full((1, 1, 12, 15), torch.inf)
    begin[0, 0, 2, 3], begin[0, 0, 10, 13] = 0.0, 0.4
    across = torch.rand(1, 1, 12, 14, generator=generator)
    down = torch.rand(1, 1, 11, 15, generator=generator)
    found = geodesic(begin, across, down, 12)
    assert torch.allclose(found[0, 0], dijkstra(begin[0, 0], across[0, 0], down[0, 0]), atol=1e-4)


def test_ways_go_around_a_fence() -> None:
    begin = torch.full((1, 1, 9, 9), torch.inf)
    begin[..., 0, 0] = 0
    across, down = torch.ones(1, 1, 9, 8), torch.ones(1, 1, 8, 9)
    across[..., :8, 3] = 100  # but for the last row
    found = geodesic(begin, across, down)[0, 0]
    assert found[0, 3] == 3
    assert found[0, 4] == 8 + 4 + 8
