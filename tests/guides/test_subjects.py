"""Prompts that speak of an animal or a thing, and those that only compare a face with one."""

from __future__ import annotations

import pytest

from flow_core.editing.named import named
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt, PromptError, unknown_note
from flow_core.guides.subjects import subject
from flow_core.train import phrases


@pytest.mark.parametrize(
    "text",
    [
        "a smiling dog",
        "a smiling cat",
        "a happy house",
        "angry geese",
        "a photo of a laughing hyena",
        "my cat looks angry",
        "make the puppy smile",
        "a cat with blue eyes and a small nose",
        "a frowning statue of a lion",
        "一只微笑的狗",
        "小狗很伤心",
        "快乐的房子",
        "让猫生气",
        "a smiling wombat",
        "an angry kettle",
        "make the armchair look sad",
    ],
)
def test_other_subjects_are_refused(guide: Guide, text: str) -> None:
    with pytest.raises(PromptError, match="not about a person's face"):
        unknown_note([Prompt.parse(text)], guide)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("dog-tired", {"sleepy"}),
        ("puppy eyes", {"sadness", "eyes downturned"}),
        ("cat eyes", {"eyes upturned"}),
        ("foxy eyes", {"eyes upturned"}),
        ("like an angry bull", {"anger"}),
        ("happy as a clam", {"smile"}),
        ("like a deer in the headlights", {"surprise", "fear", "eyes wide"}),
        ("a woman with a dog, smiling", {"smile"}),
        ("a nervous wreck", {"worry"}),
        ("a smiling portrait", {"smile"}),
        ("她笑得像花一样", {"smile", "laugh"}),
    ],
)
def test_likenesses_are_understood(guide: Guide, text: str, names: set[str]) -> None:
    found = named(guide, Prompt.parse(text)).concepts
    assert max(found, key=found.__getitem__) in names


def test_what_is_beside_the_face_is_left_out_and_told(guide: Guide) -> None:
    prompt = Prompt.parse("red lips, a smiling dog")
    assert set(named(guide, prompt).concepts) == {"lips red"}
    assert "a smiling dog" in unknown_note([prompt], guide)
    assert not unknown_note([Prompt.parse("red lips, smiling")], guide)


def test_no_phrase_about_a_face_is_taken_for_one_about_something_else() -> None:
    for language in phrases.LANGUAGES:
        assert not [p.text for p in phrases.lexicon(language).phrases if not p.parts and subject(p.text)]
