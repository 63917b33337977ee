"""What no edit can do is said, and is not taken for something else."""

from __future__ import annotations

import pytest

from flow_core.editing.named import named
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt, PromptError, unknown_note


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("give him a beard", "Beards cannot"),
        ("take off the glasses, please", "Glasses cannot"),
        ("turn her head to the left", "head cannot be turned"),
        ("add freckles", "Freckles"),
        ("longer hair", "its colour can be changed"),
        ("whiter teeth", "a toothy smile"),
        ("make the ears smaller", "ears"),
        ("convert to black and white", "stay as they are"),
        ("low angle shot", "camera"),
        ("leaning forward", "body"),
        ("green lips", "Lips can be"),
        ("换个背景", "background"),
        ("留胡子", "Beards cannot"),
        ("歪头", "head cannot be turned"),
        ("戴眼鏡", "Glasses cannot"),
    ],
)
def test_what_cannot_be_done_is_refused_and_said(guide: Guide, text: str, why: str) -> None:
    with pytest.raises(PromptError, match=why):
        unknown_note([Prompt.parse(text)], guide)


@pytest.mark.parametrize(
    ("text", "concepts", "why"),
    [
        ("smile, with a long beard", {"smile"}, "Beards cannot"),
        ("sad, tears running down", {"sadness"}, "Tears cannot be drawn"),
        ("微笑，戴墨镜", {"smile"}, "Glasses cannot"),
    ],
)
def test_what_stands_beside_it_is_done(guide: Guide, text: str, concepts: set[str], why: str) -> None:
    prompt = Prompt.parse(text)
    assert set(named(guide, prompt).concepts) == concepts
    assert why in unknown_note([prompt], guide)


@pytest.mark.parametrize("text", ["smiling from ear to ear", "turn her face into a smile", "green contact lenses", "as bald men do when they laugh"])  # fmt: skip
def test_what_only_sounds_so_is_done(guide: Guide, text: str) -> None:
    prompt = Prompt.parse(text)
    assert named(guide, prompt).concepts
    assert "stay as they are" not in unknown_note([prompt], guide)
