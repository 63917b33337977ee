"""Chinese words that were typed as others that sound alike."""

from __future__ import annotations

import pytest

from flow_core.guides.guide import Guide
from flow_core.guides.homophones import sound, sounds
from flow_core.guides.prompts import Prompt, unknown_note


def test_how_characters_sound() -> None:
    assert [sound(c) for c in "啊眼女绿昨䶮"] == [
        "a",
        "yan",
        "nv",
        "lv",
        "zuo",
        "䶮",
    ]  # the last is none of the common ones
    assert sounds("诗经") == sounds("思今")  # which many speak alike


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("威笑", "微笑"),
        ("闭上眼精", "闭上眼睛"),
        ("受脸，大言睛", "瘦脸，大眼睛"),
        ("微笑", "微笑"),
        ("电脑", "电脑"),
        ("发货了", "发货了"),  # sounds like "got angry", and is a word
    ],
)
def test_words_that_sound_like_what_was_meant_are_mended(guide: Guide, text: str, read: str) -> None:
    assert guide.mended(text) == read


def test_what_was_mended_is_told(guide: Guide) -> None:
    assert "reads 威笑 as 微笑" in unknown_note([Prompt.parse("威笑")], guide)
