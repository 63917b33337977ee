"""Reading face units off pictures."""

from __future__ import annotations

from dataclasses import replace

import torch

from flow_core.faces.read import OTHER_SIDE, UNITS, read_units
from flow_core.faces.shown import OPENS, read_picture, shown_by
from flow_core.geometry.crop import Crop


def test_what_people_show(crops: dict[str, Crop]) -> None:
    """The astronaut smiles, her brows are high; Grace Hopper hardly smiles, and squints behind her glasses."""
    smiles, hardly = (
        dict(zip(UNITS, shown_by(crops[n])[0].tolist(), strict=True)) for n in ("astronaut", "grace_hopper")
    )
    for side in ("Left", "Right"):
        assert smiles["mouthSmile" + side] > 0.4 > 0.3 > hardly["mouthSmile" + side]
        assert smiles["browOuterUp" + side] > hardly["browOuterUp" + side]
        assert hardly["eyeSquint" + side] > smiles["eyeSquint" + side] + 0.1


def test_a_mirror_exchanges_the_sides(crop: Crop) -> None:
    there, mirrored = read_picture(crop.view)[0], read_picture(crop.view.flip(-1))[0]
    assert torch.allclose(there, mirrored[list(OTHER_SIDE)], atol=1e-4)
    assert (there - mirrored).abs().max() > 0.02


def test_a_crop_without_its_picture_is_read_off_landmarks(crop: Crop) -> None:
    landmarks, both = shown_by(replace(crop, view=None)), shown_by(crop)
    assert torch.equal(landmarks, read_units(crop.places))
    opens = torch.tensor([n.startswith(OPENS) for n in UNITS])
    assert torch.equal(both[:, opens], landmarks[:, opens])  # how far a mouth is open they tell better
    assert torch.equal(both[:, ~opens], read_picture(crop.view)[:, ~opens])
    assert 0.02 < (both - landmarks).abs().max() < 0.5


def test_inference_mode_changes_nothing(crop: Crop) -> None:
    with torch.inference_mode():
        inside = read_picture(crop.view.clone())
    assert torch.equal(inside, read_picture(crop.view))


def test_faces_keep_their_own_pictures(crops: dict[str, Crop]) -> None:
    one, other = crops["astronaut"], crops["grace_hopper"]
    both = replace(
        one,
        **{k: torch.cat([getattr(c, k) for c in (one, other)]) for k in ("points", "matrix", "landmarks", "view")},
        of_picture=(0, 0), score=one.score * 2, glasses=(None,) * 2, covered=None, mouth=None, creases=None,
    )  # fmt: skip
    assert torch.equal(both.select(1).view, other.view)
    assert torch.equal(both.for_pictures(3).view[3], other.view[0])
    assert both.widen(1.2).view is None  # which shows another place
