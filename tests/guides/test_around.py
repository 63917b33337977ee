"""What people say around their wishes, and wishes that say how it was, or how much is too much."""

from __future__ import annotations

import pytest
from helpers import concepts

from flow_core.guides.around import changes
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt, unknown_note


@pytest.mark.parametrize(
    ("polite", "plain"),
    [
        ("hey, could you please give her a warm smile? Thank you so much!", "a warm smile"),
        ("麻烦帮我加个微笑，谢谢", "微笑"),
        (
            "I took this at the lake, it was windy. Please close his eyes, keep everything else the same",
            "close his eyes",
        ),
        ("don’t change the hair, make her smile", "make her smile"),
        ("发型和背景不变，微笑", "微笑"),
        ("来个smile", "微笑"),
        ("she isnt smiling", "she isn't smiling"),
        ("he blinked in this photo, open his eyes", "open his eyes"),
        ("close his mouth, it's hanging open", "close his mouth"),
        ("can we get grandpa to smile?", "get him to smile"),
        ("让奶奶笑一个", "让她笑一个"),
        ("smile like a child", "smile"),
    ],
)
def test_courtesy_and_what_shall_stay_change_nothing(guide: Guide, polite: str, plain: str) -> None:
    found, wanted = concepts(guide, polite), concepts(guide, plain)
    assert {name: round(much) for name, much in found.items()} == {name: round(much) for name, much in wanted.items()}


@pytest.mark.parametrize(
    "text", ["keep smiling", "keep the mouth closed", "leave the mouth open", "保持微笑", "keep the background"]
)
def test_what_shall_be_kept_up_is_a_wish_and_a_text_is_never_emptied(text: str) -> None:
    assert changes(text) == text


@pytest.mark.parametrize(
    ("text", "wanted", "gone"),
    [
        ("used to be gloomy, now cheerful", "smile", "sadness"),
        ("was smiling, now she's mad", "anger", "smile"),
        ("以前愁眉苦脸，现在笑了", "smile", "sadness"),
    ],
)
def test_what_was_before_is_turned_down(guide: Guide, text: str, wanted: str, gone: str) -> None:
    found = concepts(guide, text)
    assert found[wanted] >= 0.9
    assert found[gone] <= -0.9


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("not too sad", "sadness"),
        ("don't smile too much", "smile"),
        ("kinda sad, not too much", "sadness"),
        ("笑得别太夸张", "smile"),
        ("微微一笑，不要太夸张", "smile"),
    ],
)
def test_not_too_much_is_a_little(guide: Guide, text: str, name: str) -> None:
    assert 0.3 <= concepts(guide, text)[name] <= 0.7


def test_what_looks_too_much_so_already_is_to_be_less(guide: Guide) -> None:
    assert concepts(guide, "she looks too sad")["sadness"] < 0
    assert concepts(guide, "he's squinting too much")["squint"] < 0
    assert concepts(guide, "don't smile so much")["smile"] < 0
    assert concepts(guide, "老师看起来太凶了")["anger"] < 0
    assert concepts(guide, "眼袋小一点")["eye bags"] < 0
    assert concepts(guide, "not too thick lips").get("lips thick", -1.0) < 0


def test_long_prompts_are_read_to_their_end(guide: Guide) -> None:
    text = "a smile, " + ", ".join(["a castle on a hill by the sea"] * 12) + ", blue eyes"
    found = concepts(guide, text)
    assert found["smile"] >= 0.9
    assert found["eyes blue"] >= 0.9
    assert "castle" in unknown_note([Prompt.parse(text)], guide)
