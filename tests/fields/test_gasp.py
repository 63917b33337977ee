"""The mouth of a surprised face suits it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from flow_core.fields.expressions import PRESETS, preset
from flow_core.fields.gasp import gasping, roundness
from flow_core.fields.units import fit_shown
from flow_core.geometry.crop import Crop


def test_full_lips_open_rounder_and_wide_mouths_wider(crop: Crop) -> None:
    face = fit_shown(crop.places)
    change = preset("surprise").units[0]
    jaw, pursed = (face.rig.unit_names.index(name) for name in ("jawOpen", "mouthPucker"))
    along = torch.linspace(-2, 2, 5)[:, None, None] * torch.eye(len(face.shape[0]))  # every shape, to either side
    faces = [replace(face, shape=shape[None]) for shape in along.flatten(0, 1)]
    faces.sort(key=lambda f: roundness(f)[1] - roundness(f)[0])
    wide, full = (gasping(f, change) for f in (faces[0], faces[-1]))
    assert full[pursed] > 1.5 * wide[pursed]
    assert full[jaw] > 1.1 * wide[jaw]


@pytest.mark.parametrize("name", sorted({*PRESETS} - {"surprise"}))
def test_no_other_expression_is_a_gasp(crop: Crop, name: str) -> None:
    change = preset(name).units[0]
    assert torch.equal(gasping(fit_shown(crop.places), change), change)
