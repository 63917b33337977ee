"""What a prompt asks for: movement or colour, and of which region."""

from __future__ import annotations

import pytest
from torch import Tensor

from flow_core.editing.gates import Gates, open_gates
from flow_core.editing.painting import region_cost
from flow_core.editing.visible import Seen
from flow_core.faces.regions import region_mask
from flow_core.geometry.crop import Crop
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt


def gates(guide: Guide, text: str) -> Gates:
    return open_gates(guide, Prompt.parse(text))


@pytest.mark.parametrize(
    "text", ["a grinning man", "a furious woman", "a face with a big nose", "eyes wide open", "an elderly person", "thin lips",
             "a photo of a worried girl", "a heart-shaped face", "a surprised old man with thin lips"],
)  # fmt: skip
def test_shape_prompts_move_and_do_not_paint(guide: Guide, text: str) -> None:
    found = gates(guide, text)
    assert found.shape == 1
    assert found.color < 0.3


@pytest.mark.parametrize(
    ("text", "region"),
    [("scarlet lips", "lips"), ("wearing pink lipstick", "lips"), ("flushed cheeks", "cheeks"), ("bold eyebrows", "brows"),
     ("purple eye shadow", "eyelids"), ("dark circles under the eyes", "under-eyes"), ("emerald eyes", "irises"),
     ("a pallid woman", "skin"), ("a woman with ginger hair", "hair")],
)  # fmt: skip
def test_color_prompts_paint_their_region_and_do_not_move(guide: Guide, text: str, region: str) -> None:
    found = gates(guide, text)
    assert found.shape < 0.3
    assert found.regions[region] > 0.9
    assert all(gate < 0.5 for name, gate in found.regions.items() if name != region)


@pytest.mark.parametrize(
    ("text", "part", "still"),
    [("a furious woman", "brows", ("nose", "mouth", "outline")), ("lifted eyebrows", "brows", ("nose", "mouth", "outline")),
     ("eyes wide open", "eyes", ("nose", "mouth", "outline")), ("a slender nose", "nose", ("brows", "outline")),
     ("plump lips", "mouth", ("brows", "eyes", "outline")), ("a cheerful man", "mouth", ("brows", "outline")),
     ("a prominent chin", "outline", ("brows", "eyes", "nose"))],
)  # fmt: skip
def test_only_the_parts_that_a_prompt_is_about_may_move(
    guide: Guide, text: str, part: str, still: tuple[str, ...]
) -> None:
    found = gates(guide, text).parts
    assert found[part] == 1
    assert all(found[name] < 0.25 for name in still)


def test_old_age_moves_the_whole_face(guide: Guide) -> None:
    assert min(gates(guide, "an elderly person").parts.values()) > 0.9


def test_parts_of_a_prompt_add_up(guide: Guide) -> None:
    found = gates(guide, "a smiling face | red lips:0.5 | blond hair:-1")
    assert found.shape == found.regions["lips"] == found.regions["hair"] == 1
    assert found.regions["skin"] < 0.5


def mask(astronaut: Tensor, crop: Crop, name: str) -> tuple[Tensor, Tensor]:
    """Where a region is painted ``[1,1,96,96]``, and the landmarks."""
    assert crop.landmarks is not None
    points = crop.places
    return Seen(points, crop.aligned(astronaut, 140), 96).region(name), points


def test_lips_are_painted_where_they_are(astronaut: Tensor, crop: Crop) -> None:
    lips, points = mask(astronaut, crop, "lips")
    outline = region_mask(points, "lips", 96)
    assert (lips * outline).sum() / outline.sum() > 0.5
    assert lips.sum() < 3 * outline.sum()


def test_hair_is_found(astronaut: Tensor, crop: Crop) -> None:
    hair, points = mask(astronaut, crop, "hair")
    background = hair[..., :60, :8].mean()  # beside the head, at the crop's left edge
    expected = region_mask(points, "hair", 96)  # not all of it: there is some brow and some background
    assert (hair * expected).sum() / expected.sum() > 0.35
    assert background < 0.15
    assert (hair * region_mask(points, "skin", 96)).sum() / hair.sum() < 0.15


def test_a_large_region_is_painted_with_care(astronaut: Tensor, crop: Crop) -> None:
    face, lips = (region_cost(mask(astronaut, crop, name)[0]).item() for name in ("skin", "lips"))
    assert lips == pytest.approx(1.0, abs=0.05)
    assert 3 < face < 6
    skin, points = mask(astronaut, crop, "skin")
    assert (skin * region_mask(points, "lips", 96)).sum() < 0.4 * region_mask(points, "lips", 96).sum()
    assert skin[..., :8, :].amax() < 0.05  # hair and background
