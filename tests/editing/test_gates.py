"""What a prompt asks for: movement or colour, and of which region."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flow_core.editing.gates import COLOR_REGIONS, Gates, open_gates
from flow_core.editing.painting import paint_masks, region_cost
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


def masks(astronaut: Tensor, crop: Crop, **open_: float) -> tuple[Tensor, Tensor]:
    assert crop.landmarks is not None
    points = crop.places
    regions = dict.fromkeys(COLOR_REGIONS, 0.0) | open_
    return paint_masks(Gates({}, regions), points, crop.aligned(astronaut, 140), 96), points


def test_paint_goes_where_the_gates_are_open(astronaut: Tensor, crop: Crop) -> None:
    nothing, points = masks(astronaut, crop)
    assert nothing.shape == (1, 0, 96, 96)
    lips = masks(astronaut, crop, lips=1.0)[0]
    outline = region_mask(points, "lips", 96)
    assert (lips * outline).sum() / outline.sum() > 0.5
    assert lips.sum() < 3 * outline.sum()
    torch.testing.assert_close(masks(astronaut, crop, lips=0.5)[0], lips / 2)
    both = masks(astronaut, crop, lips=1.0, skin=1.0)[0]
    assert both.shape == (1, 2, 96, 96)
    assert torch.equal(both[:, :1], lips)


def test_hair_is_found(astronaut: Tensor, crop: Crop) -> None:
    hair, points = masks(astronaut, crop, hair=1.0)
    background = hair[..., :60, :8].mean()  # beside the head, at the crop's left edge
    expected = region_mask(points, "hair", 96)  # not all of it: there is some brow and some background
    assert (hair * expected).sum() / expected.sum() > 0.35
    assert background < 0.15
    assert (hair * region_mask(points, "skin", 96)).sum() / hair.sum() < 0.15


def test_a_large_region_is_painted_with_care(astronaut: Tensor, crop: Crop) -> None:
    face, lips = (region_cost(masks(astronaut, crop, **{name: 1.0})[0]).item() for name in ("skin", "lips"))
    assert lips < 1.1
    assert 3 < face < 6
    skin, points = masks(astronaut, crop, skin=1.0)
    assert (skin * region_mask(points, "lips", 96)).sum() < 0.4 * region_mask(points, "lips", 96).sum()
    assert skin[..., :8, :].amax() < 0.05  # hair and background
