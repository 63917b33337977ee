"""Lines that years and muscles draw are folds in every picture, and thin lines where pixels are fine."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from flow_core.fields.face import Face
from flow_core.fields.units import fit_shown
from flow_core.fields.wrinkles import FINE, LEFT, TOP, Line, Wrinkles, _drawn, depths, wrinkle_light
from flow_core.geometry.crop import Crop
from flow_core.geometry.mesh import rasterise


@pytest.fixture
def face(crop: Crop) -> Face:
    return Face.of(crop, 0, fit_shown(crop.places))


def deepened(face: Face, years: float = 0.0, **amounts: float) -> Tensor | None:
    return depths(face, years, face.front.rig.unit_vector(amounts))


def drawn(face: Face, depth: Tensor, pixel: float) -> Wrinkles:
    part, (points, away) = face.front.rig, face.mesh
    return wrinkle_light(depth, part.neutral, part.triangles, rasterise(points, away, part.triangles, 192), pixel)


def test_thin_lines_are_seen_in_fine_pictures_alone(face: Face) -> None:
    fine, coarse = (drawn(face, deepened(face, 1.0), pixel) for pixel in (0.04, 0.3))
    assert coarse.lines is None
    assert coarse.folds.min() < -0.1
    assert fine.lines.values.min() < -0.08
    more = drawn(face, deepened(face, 1.5), 0.04)
    assert torch.allclose(more.lines.values, 1.5 * fine.lines.values, atol=1e-6)


def test_muscles_draw_the_lines_of_their_side(face: Face) -> None:
    x = face.front.rig.neutral[:, 0]
    raised = deepened(face, browOuterUpLeft=1.0)
    assert raised[:, 0][x > 2].max() > 0.2
    assert not raised[:, 0][x < 0].any()
    assert not raised[:, 1:].any()
    winks = deepened(face, cheekSquintRight=1.0)
    assert winks[:, 1][x < 0].max() > 0.1
    assert not winks[x > 0].any()
    assert not winks[:, [0, 2]].any()
    assert deepened(face, jawOpen=1.0, browDownLeft=1.0) is None


def test_a_fringe_has_no_wrinkles(face: Face, crop: Crop) -> None:
    """Nor is skin without lines drawn as deep as other skin."""
    y = face.front.rig.neutral[:, 1]
    view = crop.view.clone()
    view[..., : int(0.45 * view.shape[-1]), :] = view.new_tensor([0.1, 0.3, 0.1])[:, None, None]
    raised, under = (deepened(f, browInnerUp=1.0)[:, 0] for f in (face, replace(face, view=view)))
    assert raised[y < -5].max() > 0.2
    assert under[y < -5].max() < 0.05 * raised[y < -5].max()
    child = replace(face)
    child.__dict__["smooth"] = 1.0
    assert deepened(child, browInnerUp=1.0)[:, 0].max() < 0.5 * raised.max()


def test_a_line_is_whole() -> None:
    """It is no row of dots, and dark only within its width."""
    light = _drawn([Line((-3.0, 0.0), (3.0, 0.0), (0.0, 0.0), 0.12, 1.0)], FINE)[0, 0]
    x, y = round(-LEFT * FINE), round(-TOP * FINE)
    along = light[y - 3 : y + 4, x - FINE : x + FINE].amin(0)
    assert along.max() < 0.6 * along.min() < -0.1
    assert light[y + FINE].abs().max() < 0.01
