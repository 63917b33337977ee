"""Traditional Chinese."""

from __future__ import annotations

import pytest

from flow_core.editing.named import named
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt
from flow_core.guides.traditional import simplified


@pytest.mark.parametrize(
    ("text", "simple"),
    [("張開嘴巴，閉上眼睛", "张开嘴巴，闭上眼睛"), ("笑著", "笑着"), ("著名", "著名"), ("微笑 smile", "微笑 smile")],
)
def test_characters_are_simplified_one_by_one(text: str, simple: str) -> None:
    assert simplified(text) == simple


def test_it_is_read_as_simplified_chinese(guide: Guide) -> None:
    for traditional, simple in (
        ("驚訝的表情", "惊讶的表情"),
        ("讓她笑得更開心", "让她笑得更开心"),
        ("(憤怒:1.2)，皺眉", "(愤怒:1.2)，皱眉"),
    ):
        assert named(guide, Prompt.parse(traditional)).concepts == named(guide, Prompt.parse(simple)).concepts
