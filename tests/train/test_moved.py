"""Faces moved by the rig as training data: the picture moves with its landmarks, and what a movement means is what it is called."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flow_core.editing.concepts import MEANINGS
from flow_core.faces.landmarks import AT
from flow_core.fields.muscles import MusclesField
from flow_core.geometry.crop import Crop
from flow_core.train import attributes as A
from flow_core.train import data, moved
from flow_core.train.pairs import NAMES, Truth
from flow_core.train.views import Views


@pytest.fixture(scope="module")
def views(astronaut: Tensor, crop: Crop) -> Views:
    assert crop.landmarks is not None
    image, points = data.square(astronaut, crop.landmarks[0])
    return Views(data.Faces(image[None], points[None], ("",), ("portraits",), torch.ones(1, dtype=torch.bool)), 0)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth()


def amounts(truth: Truth, **named: float) -> dict[str, float]:
    field = MusclesField.of(named)
    return dict(zip(NAMES, truth.amounts(torch.cat([field.units, field.controls], 1))[0].tolist(), strict=True))


def test_nothing_moves_without_muscles(views: Views) -> None:
    still = moved.render(views, torch.tensor([0]), MusclesField.zeros(1))
    assert torch.allclose(still.places[0], views.points[0], atol=1e-5)
    assert not still.units.any()
    assert (still.pictures[0] / 255 - moved.unmoved(views, torch.tensor([0]))[0]).abs().max() < 0.01


def test_pictures_move_with_their_landmarks(views: Views) -> None:
    index = torch.tensor([0])
    opened = moved.render(views, index, MusclesField.of({"jawOpen": 0.8, "eyeBlink": 1.0}))
    before, after = views.points[0], opened.places[0]

    def gap(p: Tensor, a: int, b: int) -> float:
        return (p[AT[a]] - p[AT[b]]).norm().item()

    assert gap(after, 13, 14) > gap(before, 13, 14) + 0.02
    assert gap(after, 159, 145) < 0.5 * gap(before, 159, 145)
    assert opened.units[0].max() > 0.5
    # between the lips it is dark now, and nothing has changed at the border of the picture
    place = ((after[[AT[13], AT[14]]].mean(0) - 0.5) / moved.WIDEN + 0.5) * moved.SIDE
    x, y = place.round().long().tolist()
    assert opened.pictures[0, :, y, x].float().mean() < 70
    border = (opened.pictures[0] / 255 - moved.unmoved(views, index)[0]).abs()[:, :2]
    assert border.max() < 0.01


def test_every_concept_of_the_rig_is_itself(truth: Truth) -> None:
    for k, name in enumerate(NAMES):
        meant = MEANINGS[name].amounts
        if not any(not n.startswith("relax") for n in meant):
            continue
        field = MusclesField.of({n: v for n, v in meant.items() if not n.startswith("relax")})
        found = truth.amounts(torch.cat([field.units, field.controls], 1))[0]
        assert found[k] == pytest.approx(1.0), name
        assert not found[A.IS_COLOR].any()


@pytest.mark.parametrize(
    ("amounts_of", "yes", "no"),
    [
        ({"eyeBlinkLeft": 1.0}, "wink left", "wink right"),
        ({"browOuterUpRight": 1.0}, "brow up right", "brow up left"),
        ({"eyeLookOutLeft": 0.8, "eyeLookInRight": 0.8}, "look left", "look right"),
        ({"browDown": 0.9, "browTogether": 0.9}, "anger", "brows apart"),
        ({"noseNostrilsWider": 1.0}, "nose wide", "nose narrow"),
        ({"eyeLarger": -1.0}, "eyes small", "eyes big"),
    ],
)
def test_sides_and_opposites_are_kept_apart(truth: Truth, amounts_of: dict[str, float], yes: str, no: str) -> None:
    found = amounts(truth, **amounts_of)
    assert found[yes] > 0.4
    assert found[no] < 0.05


def test_both_eyes_closed_are_no_wink(truth: Truth) -> None:
    found = amounts(truth, eyeBlink=1.0)
    assert found["eyes closed"] == pytest.approx(1.0)
    assert abs(found["wink"]) < 0.05
    assert abs(found["wink left"]) < 0.05


def test_a_smile_makes_nobody_older_or_redder(truth: Truth) -> None:
    field = MusclesField.of({"mouthSmile": 1.0, "cheekSquint": 1.0})
    measured = torch.ones(1, len(NAMES))
    change = dict(
        zip(NAMES, truth.change(torch.cat([field.units, field.controls], 1), measured)[0].tolist(), strict=True)
    )
    assert change["smile"] > 2
    assert change["old"] == change["young"] == change["lips red"] == 0
