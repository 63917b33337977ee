"""Lines that years draw are folds in every picture, and thin lines where pixels are fine."""

from __future__ import annotations

import torch

from flow_core.fields.face import Face, front
from flow_core.fields.units import fit_shown
from flow_core.fields.wrinkles import FINE, LEFT, TOP, Line, _drawn, wrinkle_light
from flow_core.geometry.crop import Crop
from flow_core.geometry.mesh import rasterise


def test_thin_lines_are_seen_in_fine_pictures_alone(crop: Crop) -> None:
    face = Face.of(crop, 0, fit_shown(crop.places))
    part, (points, depth) = front(face.fitted.rig)[0], face.mesh
    seen = rasterise(points, depth, part.triangles, 192)
    fine, coarse = (wrinkle_light(1.0, part.neutral, part.triangles, seen, pixel) for pixel in (0.04, 0.3))
    assert coarse.lines is None
    assert fine.lines.values.min() < -0.08
    assert fine.folds.abs().max() < coarse.folds.abs().max() * 1.5
    assert coarse.folds.min() < -0.1
    more = wrinkle_light(1.5, part.neutral, part.triangles, seen, 0.04)
    assert torch.allclose(more.lines.values, 1.5 * fine.lines.values, atol=1e-6)


def test_a_line_is_whole() -> None:
    """It is no row of dots, and dark only within its width."""
    light = _drawn([Line((-3.0, 0.0), (3.0, 0.0), (0.0, 0.0), 0.12, 1.0)], FINE)[0, 0]
    x, y = round(-LEFT * FINE), round(-TOP * FINE)
    along = light[y - 3 : y + 4, x - FINE : x + FINE].amin(0)
    assert along.max() < 0.6 * along.min() < -0.1
    assert light[y + FINE].abs().max() < 0.01
