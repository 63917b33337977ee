"""Orders to change a picture, which name a thing more often than a look."""

from __future__ import annotations

import pytest

from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt, PromptError, embed


@pytest.mark.parametrize(
    "text",
    [
        "remove the trumpet",
        "put a windshield behind her",
        "turn it into a blizzard",
        "add a parade",
        "去掉行李",
        "变成消防车",
    ],
)
def test_orders_that_name_no_look_are_refused(guide: Guide, text: str) -> None:
    with pytest.raises(PromptError, match="which is not about a person's face"):
        Prompt.parse(text).unknown_words(guide)


@pytest.mark.parametrize(
    ("text", "name", "sign"),
    [
        ("remove that smugness", "smirk", -1),
        ("put some colour in her cheeks", "cheeks rosy", 1),
        ("turn her into a grumpy old lady", "old", 1),
        ("change it into a laugh", "laugh", 1),
        ("turn the sadness into joy", "sadness", -1),
        ("turn the sadness into joy", "smile", 1),
        ("add rage", "anger", 1),
        ("去掉怒气", "anger", -1),
        ("换成哭脸", "sadness", 1),
    ],
)
def test_orders_that_name_a_look_are_read(guide: Guide, text: str, name: str, sign: int) -> None:
    [row], _ = guide.meanings.read(embed(guide, text)[None])
    assert float(row[guide.meanings.names.index(name)]) * sign >= 0.4
