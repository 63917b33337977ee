"""Sentences about situations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import concepts

from flow_core.guides.guide import WEIGHTS, Guide
from flow_core.guides.prompts import Prompt, PromptError, unknown_note
from flow_core.guides.sentences import DIM, Pieces, Reader, load, save


def test_words_are_cut_where_nothing_longer_is_known() -> None:
    pieces = Pieces(["lost", "keys", "key", "#ring", "0", "钥匙", "丢", "了"])
    assert pieces("Lost KEYS!") == [1, 2]
    assert pieces("keyring 42") == [3, 4, 5]
    assert pieces("丢了钥匙") == [7, 8, 6]
    assert pieces("丢x") == [7, 0]
    assert pieces("") == []


def test_a_saved_reader_reads_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reader, table = Reader(2).eval(), torch.randn(3, DIM)
    save(tmp_path / "r.safetensors", ["smile", "nose long"], {"smile"}, ["good", "news"], table, reader)
    found = load(tmp_path / "r.safetensors").read("good news")
    with torch.no_grad():
        chances = reader(table[torch.tensor([[1, 2]])], torch.ones(1, 2, dtype=torch.bool))[0].softmax(0)
    assert found.chance == pytest.approx(float(chances.max()), abs=0.02)
    assert found.nothing == (int(chances.argmax()) == 2)


def test_the_reader_knows_the_concepts_of_the_guide(guide: Guide) -> None:
    assert guide.meanings is not None
    assert load(WEIGHTS / "sentences.safetensors").names == guide.meanings.names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("the airline has lost her luggage again", "anger"),
        ("a stranger is hiding in the wardrobe", "fear"),
        ("he did not get into the college of his dreams", "sadness"),
        ("the doctor says that her grandson will be fine", "smile"),
        ("someone left a dead rat in the sink", "disgust"),
        ("like after a ten hour flight", "sleepy"),
        ("他的自行车被人偷走了", "anger"),
        ("她在等医院的检查报告", "worry"),
    ],
)
def test_situations_that_nobody_listed(guide: Guide, text: str, name: str) -> None:
    assert guide.meanings is not None
    assert guide.meanings.phrases.find(text) is None
    found = concepts(guide, text)
    assert max(found, key=found.__getitem__) == name, found


@pytest.mark.parametrize("text", ["the ferry leaves at noon", "a jar of olives", "银行几点开门"])
def test_other_topics_are_refused(guide: Guide, text: str) -> None:
    with pytest.raises(PromptError):
        Prompt.parse(text).unknown_words(guide)


@pytest.mark.parametrize("text", ["suppressing a laugh", "trying not to laugh", "憋笑"])
def test_a_laugh_that_is_held_back_presses_the_lips(guide: Guide, text: str) -> None:
    found = concepts(guide, text)
    assert found["lips pressed"] == found["cheeks raised"] == 1.0
    assert 0 < found["smile"] < 1
    assert "laugh" not in found


def test_a_person_with_a_quality_has_all_of_it(guide: Guide) -> None:
    assert concepts(guide, "an angry plumber") == {"anger": 1.0}


def test_what_cannot_be_done_is_told(guide: Guide) -> None:
    assert "tongue" in unknown_note([Prompt.parse("stick out your tongue")], guide)
    assert "tongue" not in unknown_note([Prompt.parse("a wink")], guide)
