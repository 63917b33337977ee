"""Means of squares, made of parts of matrices."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from flow_core.geometry.neighbours import blurred


@pytest.mark.parametrize(
    ("size", "radius", "times"), [(33, 2, 2), (96, 4, 1), (97, 4, 1), (160, 4, 2), (161, 1, 3), (200, 40, 2)]
)
def test_a_blur_is_the_mean_of_what_lies_in_the_picture(size: int, radius: int, times: int) -> None:
    """Of planes that are blurred at once, and of larger ones, which are blurred in parts."""
    planes = torch.rand(1, 2, size, size, generator=torch.Generator().manual_seed(0))
    wanted = planes
    for _ in range(times):
        wanted = F.avg_pool2d(wanted, 2 * radius + 1, 1, radius, count_include_pad=False)
    assert torch.allclose(blurred(planes, radius, times), wanted, atol=1e-5)
    halves = F.avg_pool2d(wanted, 2, ceil_mode=True)
    assert torch.allclose(blurred(planes, radius, times, every=2), halves, atol=1e-5)
