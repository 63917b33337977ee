"""Smileys and faces of signs."""

from __future__ import annotations

import pytest
from helpers import concepts

from flow_core.editing.named import named
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt, unknown_note
from flow_core.guides.smileys import in_words


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (":3", "smile"),
        ("(T_T)", "sadness"),
        ("QAQ", "sadness"),
        ("( ͡° ͜ʖ ͡°)", "smirk"),
        ("(╯°□°)╯ ┻━┻", "anger"),
        ("o_o", "surprise"),
        ("u_u", "eyes closed"),
        ("(^_^)", "smile"),
        ("🥺", "sadness"),
        ("hahahahaha", "laugh"),
    ],
)
def test_faces_of_signs_are_read(guide: Guide, text: str, name: str) -> None:
    prompt = Prompt.parse(text)
    concepts = named(guide, prompt).concepts
    assert max(concepts, key=lambda n: abs(concepts[n])) == name
    assert not unknown_note([prompt], guide)


@pytest.mark.parametrize("text", ["vow", "0.5", "non-woven", "a.b", "x", "smile:3", "so-so"])
def test_words_and_numbers_are_no_faces(text: str) -> None:
    assert in_words(text) == text


def test_a_smiley_is_no_weight() -> None:
    assert Prompt.parse("smile:3").parts == (("smile", 3.0),)
    assert all(weight == 1 for _, weight in Prompt.parse("smile, :3").parts)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("open mouth :)", {"mouth open", "smile"}),
        ("make her sad please :)", {"sadness"}),
        ("please make her :)", {"smile"}),
        ("girl :)", {"smile"}),
    ],
)
def test_a_smiley_is_a_wish_unless_it_is_for_the_reader(guide: Guide, text: str, names: set[str]) -> None:
    assert {*concepts(guide, text)} == names
