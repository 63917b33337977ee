from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from flow_core.faces.landmarks import AT
from flow_core.faces.lip_edges import LOWER, UPPER, to_the_lips
from flow_core.faces.mouth import COLUMNS, ROWS, _row, between_lips, mouth_colors
from flow_core.geometry.crop import Crop


def test_edges_of_parted_lips_go_to_where_teeth_end(astronaut: Tensor, crop: Crop) -> None:
    seen, wrong = crop.places, crop.places.clone()
    inner = LOWER[1][3:8]
    wrong[:, inner, 1] -= 0.01  # into the teeth
    found = replace(crop, landmarks=to_the_lips(astronaut, replace(crop, landmarks=_in_pixels(crop, wrong)))).places
    assert (found - seen)[:, inner, 1].abs().mean() < 0.007
    others = [i for i in range(seen.shape[1]) if i not in LOWER[1] + UPPER[1]]
    assert (found - seen)[:, others].abs().max() < 1e-5


def test_lips_that_meet_are_left_as_they_are(astronaut: Tensor, crop: Crop) -> None:
    places = crop.places.clone()
    places[:, LOWER[1]] = places[:, UPPER[1]]
    shut = replace(crop, landmarks=_in_pixels(crop, places))
    assert torch.equal(to_the_lips(astronaut, shut), shut.landmarks)


def test_teeth_beneath_the_dark_are_lower_ones() -> None:
    lips, teeth = torch.tensor([[0.7, 0.4, 0.4]]), torch.tensor([[0.8, 0.7, 0.65]])
    seen = torch.full((1, ROWS, COLUMNS, 3), 0.06)
    seen[:, ROWS // 2 :] = teeth
    _, light, split = _row(seen, teeth, lips, teeth).unbind(-1)
    assert light.max() == 0
    assert (split[:, 3:-3] - 0.5).abs().max() < 0.1


def _in_pixels(crop: Crop, places: Tensor) -> Tensor:
    return crop.to_image(places[:, None])[:, 0]


def test_lips_that_meet_show_nothing(astronaut: Tensor, crop: Crop) -> None:
    """In a clip they would show the lips themselves as teeth, until they part."""
    mouth, places = mouth_colors(astronaut, crop), crop.places.clone()
    assert torch.equal(between_lips(mouth, places), mouth[:, 2:])  # an open smile
    places[:, AT[14]] = places[:, AT[13]]
    dark, columns = between_lips(mouth, places).split((1, mouth.shape[1] - 3), 1)
    assert not dark.any()
    assert (columns == torch.tensor([1.0, 0.0, 1.0])).all()
