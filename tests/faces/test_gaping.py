from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from flow_core.faces.gaping import PRESSED, jaw_dropped
from flow_core.faces.landmarks import AT, LIPS, LIPS_INNER, MIRROR, WIDEN, Landmarks
from flow_core.faces.lip_edges import LOWER
from flow_core.geometry.crop import Crop

LIP = [*LOWER[0][1:-1], *LOWER[1][1:-1], AT[152]]  # with the chin


class Seen(Landmarks):
    """A network that sees a face with landmarks ``[1,161,2]``, crop points, in whatever picture."""

    def __init__(self, places: Tensor) -> None:
        nn.Module.__init__(self)  # none of the layers
        self.scale = nn.Parameter(torch.ones(()))
        straight = (places - 0.5) / WIDEN + 0.5
        mirrored = straight[:, list(MIRROR)] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
        self.both = torch.cat([straight, mirrored])

    def forward(self, picture: Tensor) -> Tensor:
        assert picture.shape == (2, 3, 128, 128)
        return self.both.detach()


def gaping(crop: Crop, by: float) -> Crop:
    places = crop.places.clone()
    places[:, LIP, 1] += by
    return replace(crop, landmarks=crop.to_image(places[:, None])[:, 0])


def test_a_lower_lip_that_gapes_goes_to_where_it_is_seen_pressed(astronaut: Tensor, crop: Crop) -> None:
    wide = gaping(crop, 0.06)
    before = wide.places
    found = replace(wide, landmarks=jaw_dropped(astronaut, wide, Seen(before))).places  # it takes it for no less open
    nose = before[0, AT[2], 1]
    lip = [AT[i] for i in LIPS[1:10]]
    wanted = (PRESSED - 1) * (before[0, lip, 1] - nose)
    torch.testing.assert_close((found - before)[0, lip, 1], wanted, atol=2e-3, rtol=0)
    height = [places[0, AT[LIPS[5]], 1] - places[0, AT[LIPS_INNER[5]], 1] for places in (before, found)]
    assert height[1] == pytest.approx(height[0].item(), abs=1e-4)
    assert (found - before)[0, AT[152], 1] > 0.1
    above = before[0, :, 1] < nose
    assert (found - before)[0, above].abs().max() < 1e-5


@pytest.mark.parametrize("by", [0.0, 0.06])
def test_lips_that_are_seen_rightly_stay(by: float, astronaut: Tensor, crop: Crop) -> None:
    """A mouth that does not gape is not even looked at; nor does one move that lies where it was, seen pressed together."""
    face = gaping(crop, by)
    pressed = face.places.clone()
    nose = pressed[:, AT[2], 1, None]
    pressed[..., 1] -= (1 - 1 / PRESSED) * (pressed[..., 1] - nose).clamp(min=0)
    found = jaw_dropped(astronaut, face, Seen(pressed if by else face.places))
    assert (found - face.landmarks).abs().max() < (1e-3 * crop.side[0] if by else 1e-6)
