"""Drawn glasses lie where their masks say, on faces of which nobody is trained on and tested with."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from flow_core.faces.glasses import SIDE
from flow_core.faces.landmarks import AT, EYES
from flow_core.geometry.crop import Crop
from flow_core.train import data
from flow_core.train.glasses import HEIGHT, LEFT, LENSES, RIMS, TOP, WIDTH, labels, worn_by


@pytest.fixture(scope="module")
def band(astronaut: Tensor, crop: Crop) -> Tensor:
    square = crop.aligned(astronaut, SIDE).mean(1)
    return (square[:, TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH] * 255).round().byte()


@pytest.mark.parametrize("rim", RIMS)
@pytest.mark.parametrize("lens", LENSES)
def test_drawn_glasses_lie_where_their_masks_say(band: Tensor, crop: Crop, rim: str, lens: str) -> None:
    eyes = [crop.places[0, [AT[i] for i in eye]].mean(0) * SIDE - torch.tensor([LEFT, TOP]) for eye in EYES]
    for seed in range(6):
        faces = SimpleNamespace(images=band[None])
        drawn, masks = worn_by(np.random.default_rng(seed), band, crop.places[0], faces, rim, lens)
        rims, lenses, dark = masks
        for x, y in (eye.long().tolist() for eye in eyes):
            assert lenses[y - 2 : y + 3, x - 2 : x + 3].max() > 0.9
            if lens in ("dark", "mirror"):
                assert dark[y, x] > 0.5
        assert (dark <= lenses + 1e-6).all()
        change = (drawn.float() - band.float())[0]
        assert change[rims + lenses < 0.01].clamp(min=0).mean() < 1.0  # where only a shadow falls
        assert change[rims > 0.5].abs().mean() > 5 or rim == "none"


def test_nobody_is_trained_on_and_tested_with() -> None:
    known = labels()
    assert not known["train"].keys() & known["test"].keys()
    for kind, digits, count in (("expressions", 5, 12186), ("portraits", 4, 446)):
        held_out = data.held_out(kind, count)
        trained = [int(file[:-4]) for file in known["train"] if len(file) == digits + 4]
        assert not held_out[trained].any()
    assert sum(known["test"].values()) > 150
