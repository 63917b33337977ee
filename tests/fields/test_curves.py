"""Curves of lids and lips."""

from __future__ import annotations

import numpy as np

from flow_core.fields.curves import Frame, curves_of


def test_an_arc_that_turns_back_does_not_overshoot() -> None:
    """As the far end of a mouth in half profile does: it would be a crack up to the nose."""
    x = np.array([0.0, 0.3, 0.6, 0.9, 0.992, 0.990, 1.0])
    y = np.array([0.0, -0.05, -0.06, -0.07, -0.075, -0.072, 0.0])
    (table,) = curves_of([(Frame((0.0, 0.0), (1.0, 0.0), 1.0), np.stack([x, y], 1))])
    assert table.min() > -0.08
    assert table.max() < 0.005
