"""Skin and lips that are drawn out keep the grain that they have."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from helpers import landmarks_with
from torch import Tensor

from flow_core.faces import texture
from flow_core.faces.landmarks import AT, LIPS
from flow_core.fields.expressions import preset
from flow_core.fields.grain import grain
from flow_core.geometry.crop import Crop


def skin_above_lips(moved: np.ndarray) -> Tensor:
    """Crop points ``[2,h,w]`` of the skin between the upper lip and the nose, after an edit."""
    lip, nose = moved[AT[LIPS[15]]], moved[AT[2]]
    x = lip[0] + torch.linspace(-0.02, 0.02, 40)
    y = torch.linspace(float(lip[1] - 0.25 * (lip[1] - nose[1])), float(lip[1] - 0.55 * (lip[1] - nose[1])), 40)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"))


def test_grain_of_skin_that_is_drawn_out_is_no_streak(crop: Crop) -> None:
    torch.manual_seed(0)
    noise = 0.1 * torch.randn(1, 1, texture.HIGH, texture.WIDE)
    before = crop.places[0].double().numpy()
    moved = landmarks_with(crop.places[0], preset("surprise")).double().numpy()
    found = grain(noise.float(), before, moved)
    after = skin_above_lips(moved)
    # Where it came from if all of the skin were drawn out twice as high: that of a row in each two is the same.
    lip = float(before[AT[LIPS[15]], 1])
    source = torch.stack([after[0], lip - (float(moved[AT[LIPS[15]], 1]) - after[1]) * found.room[0] / found.room[1]])
    change = found.at(after.flatten(1).float(), source.flatten(1).float()).view(40, 40)
    assert change.std() > 0.02

    def streaky(light: Tensor) -> float:
        """Differences across, of those downwards."""
        return (light.diff(dim=1).square().mean() / light.diff(dim=0).square().mean()).item()

    a, b = found.lips.source.to(*source)
    asked = torch.stack([a, b], -1) / found.lips.source.length
    low, high = (torch.tensor([v[k] for v in (texture.ACROSS, texture.DOWN)]) for k in (0, 1))
    drawn = F.grid_sample(noise, ((asked - low) / (high - low) * 2 - 1)[None].float(), align_corners=False)
    assert streaky(drawn[0, 0] + change) < 0.8 * streaky(drawn[0, 0])


def test_lips_that_stay_get_no_grain(crop: Crop) -> None:
    before = crop.places[0].double().numpy()
    assert grain(torch.zeros(1, 1, texture.HIGH, texture.WIDE), before, before) is None
