"""Prompts as they are pasted from image generators."""

from __future__ import annotations

import pytest

from flow_core.editing.named import named
from flow_core.guides.guide import Guide
from flow_core.guides.pasted import _noise, cleaned
from flow_core.guides.prompts import Prompt, PromptError, unknown_note
from flow_core.train import phrases


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("portrait of a woman, (smiling:1.3), blue eyes, masterpiece, 8k", "(smiling:1.3), blue eyes"),
        ("score_9, 1girl, solo, closed_eyes, looking_at_viewer, rating:general", "closed eyes"),
        ("(masterpiece:1.2), (best quality), smile <lora:add_detail:0.8>", "smile"),
        ("surprised face --ar 16:9 --v 6", "surprised face"),
        ("smile++, red lips", "(smile:1.21), red lips"),
        ("smile (a little), {blue eyes}", "smile, a little, (blue eyes)"),
        ("smile\nNegative prompt: (worst quality:1.4), closed eyes\nSteps: 20, Sampler: Euler a", "smile, no closed eyes"),
        ("（微笑：1.3），杰作，8k", "(微笑:1.3)"),
        ('"a smile", **big eyes**', "a smile, big eyes"),
        ("* smile\n* blue eyes", "smile, blue eyes"),
        ("1) smile 2) blue eyes", "smile, blue eyes"),
        ("#happy", "happy"),
        ("smile\n负面提示词：皱眉", "smile, no 皱眉"),
        ("it's a smile", "it's a smile"),
        ("masterpiece, 8k", "masterpiece, 8k"),
        ("a face with (red lips:1.3), blond hair", "a face with (red lips:1.3), blond hair"),
        ("happy :-)", "happy :-)"),
        ("concentrating hard", "concentrating hard"),
    ],
)  # fmt: skip
def test_what_is_about_the_picture_is_left_out(text: str, left: str) -> None:
    assert cleaned(text) == left


def test_no_phrase_about_a_face_is_taken_for_one_about_the_picture() -> None:
    for language in phrases.LANGUAGES:
        assert not [p.text for p in phrases.lexicon(language).phrases if not p.parts and _noise(p.text)]


def test_what_stands_beside_brackets_may_mean_nothing_and_is_told(guide: Guide) -> None:
    prompt = Prompt.parse("(smile:1.3), in a neon city, blue eyes")
    assert named(guide, prompt).concepts == pytest.approx({"smile": 1.3, "eyes blue": 1.0})
    prompt = Prompt.parse("(smile:1.3), in a neon city")
    assert named(guide, prompt).concepts == pytest.approx({"smile": 1.3})
    note = unknown_note([prompt], guide)
    assert "Understood as a smile x 1.3." in note
    assert "Ignored" in note
    assert "in a neon city" in note
    with pytest.raises(PromptError, match="understands nothing"):
        unknown_note([Prompt.parse("(castle:1.3), in a neon city")], guide)
