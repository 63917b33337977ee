"""The white beside an iris that leaves a corner."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from flow_core.faces.landmarks import WIDEN
from flow_core.fields.curves import SAMPLES, Frame
from flow_core.fields.whites import White, white_beside

FRAME = Frame.between(np.array([0.3, 0.5]), np.array([0.5, 0.5]))
LIDS = [0.2 * s * np.sin(np.pi * SAMPLES) * FRAME.length for s in (-1.0, 1.0)]


def white(center: float, way: float) -> White | None:
    """Of an eye whose iris goes from ``center`` so many widths of the eye to the right; white is red here, and all else is black."""
    view = torch.zeros(1, 3, 256, 256)
    view[:, 0, :, : round(256 * ((0.41 - 0.5) / WIDEN + 0.5))] = 1.0  # half of the eye
    length = FRAME.length
    return white_beside(view, FRAME, np.stack(LIDS), (center * length, 0.0, 0.2 * length), (way * length, 0.0))


def at(found: White, along: float) -> torch.Tensor:
    return found.at(*(torch.tensor([v]) for v in (along * FRAME.length, 0.0, 0.5)))[:, 0]


def test_an_iris_that_leaves_a_corner_uncovers_white() -> None:
    found = white(0.8, -0.3)
    beside = at(found, 0.85)
    assert beside[3] > 0.9
    assert beside[0] > 0.9 * beside[3]  # as on the other side
    assert at(found, 0.5)[3] < 0.05  # the iris
    assert at(found, 0.1)[3] == 0  # where white was seen
    assert at(found, 0.995)[3] < 0.2  # corners are red


@pytest.mark.parametrize(("center", "way"), [(0.5, -0.2), (0.5, 0.2), (0.3, -0.1), (0.8, 0.0), (0.8, -1e-3)])
def test_where_white_is_seen_none_is_painted(center: float, way: float) -> None:
    assert white(center, way) is None
