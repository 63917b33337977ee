"""Parts of enlarged planes."""

from __future__ import annotations

import pytest
import torch

from flow_core.geometry.sampling import enlarged, enlarged_part


@pytest.mark.parametrize(("count", "size"), [(36, 96), (48, 96), (96, 96), (24, 96)])
@pytest.mark.parametrize("box", [(30, 41, 5, 17), (0, 96, 90, 96), (0, 1, 0, 1)])
def test_a_part_of_an_enlarged_plane_is_the_same(count: int, size: int, box: tuple[int, int, int, int]) -> None:
    planes = torch.rand(1, 2, count, count, generator=torch.Generator().manual_seed(0))
    part, (y0, y1, x0, x1) = enlarged_part(planes, size, box)
    assert y0 <= box[0] < box[1] <= y1
    assert x0 <= box[2] < box[3] <= x1
    here = (..., slice(box[0] - y0, box[1] - y0), slice(box[2] - x0, box[3] - x0))
    whole = enlarged(planes, (size, size))[..., box[0] : box[1], box[2] : box[3]]
    torch.testing.assert_close(part[here], whole, rtol=0, atol=1e-6)
