"""The phrases that the text tower learns from, what is composed of them, and how it reads phrases that it never met."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import Reader

from flow_core.editing.concepts import COLOR, MEANINGS
from flow_core.fields.muscles import MusclesField
from flow_core.guides.guide import Guide
from flow_core.guides.meaning import UNDERSTOOD
from flow_core.train import composer, phrases, words
from flow_core.train.attributes import CONCEPTS

NAMES = [c.name for c in CONCEPTS]
DATA = Path(__file__).parents[1] / "data"


def test_every_concept_is_something_to_the_rig() -> None:
    assert list(MEANINGS) == NAMES
    for concept in CONCEPTS:
        meaning = MEANINGS[concept.name]
        assert meaning.text == concept.text
        assert bool(concept.color) == (meaning.kind == COLOR) == (not meaning.amounts)
        assert MusclesField.of(meaning.amounts).coefficients().any() == bool(meaning.amounts)


@pytest.mark.parametrize("language", phrases.LANGUAGES)
def test_there_are_phrases_for_every_concept(language: str) -> None:
    lexicon = phrases.lexicon(language)
    said = {NAMES[k] for p in lexicon.phrases for k, a in p.says if a > 0 and len(p.says) == 1}
    assert said == set(NAMES)
    assert len(lexicon.phrases) > 4000
    assert len(lexicon.nothing) > 150
    asked = {p.text for p in lexicon.phrases if not p.parts}
    assert not asked & set(lexicon.nothing)


def test_left_is_never_right() -> None:
    for language, (left, right) in phrases._SIDES.items():
        for p in phrases.lexicon(language).phrases:
            names = {NAMES[k] for k, _ in p.says}
            if left in p.text and any(n.endswith("left") for n in names):
                assert not any(n.endswith("right") for n in names), p
            if (
                right in p.text
                and left not in p.text
                and language == "zh"
                and any(n.endswith((" left", " right")) for n in names)
            ):
                assert any(n.endswith("right") for n in names), p


def test_texts_say_what_their_phrases_say() -> None:
    made = composer.Composer(0, ("car", "table"), persons=("plumber",))
    said = [made.say() for _ in range(4000)]
    assert any(says for text, says in said if "plumber" in text)
    assert len({text for text, _ in said}) > 3500
    assert 0.1 < sum(not says for _, says in said) / len(said) < 0.25
    assert 0.15 < sum(not text.isascii() for text, _ in said) / len(said) < 0.45
    assert any(a < 0 for _, says in said for _, a in says)
    assert all("{" not in text and "SIDE" not in text for text, says in said if says)


def test_phrases_that_are_left_out_are_not_used() -> None:
    left_out = words.held_out(0.1)
    assert len(left_out) > 500
    pools = composer.Composer(0, (), left_out).pools
    assert not left_out & {p.text for pool in pools.values() for meaning in pool for group in meaning for p in group}


def test_labels_are_read_strictly() -> None:
    amounts = torch.zeros(len(NAMES))
    amounts[NAMES.index("smile")] = 1.0
    assert words.right(amounts, "smile")
    assert words.right(amounts, "laugh|smile")
    assert not words.right(amounts, "-smile")
    assert not words.right(amounts, "none")
    assert not words.right(amounts, "smile&old")
    amounts[NAMES.index("old")] = -0.8
    assert words.right(amounts, "-old&smile")
    assert words.right(torch.zeros(len(NAMES)), "none")
    assert words.right(0.5 * amounts.clamp(min=0), "smile*0.5")
    assert not words.right(amounts.clamp(min=0), "smile*0.5")
    assert not words.right(amounts.clamp(min=0), "smile*1.5")


@pytest.mark.parametrize(("language", "least"), [("en", 0.92), ("zh", 0.95)])
def test_phrases_that_others_wrote_are_read_right(reader: Reader, language: str, least: float) -> None:
    score = words.scores(DATA / f"phrases_{language}.tsv", reader)
    assert score.right >= least, score.missed


@pytest.mark.parametrize(("name", "least"), [("artists", 0.88), ("fresh", 0.91), ("typed", 0.92)])
def test_prompts_as_artists_type_them_are_read_right(reader: Reader, name: str, least: float) -> None:
    assert words.scores(DATA / f"phrases_{name}.tsv", reader).right >= least


def read(guide: Guide, texts: list[str]) -> torch.Tensor:
    return words.understood(guide, texts)


def test_degrees_are_amounts(guide: Guide) -> None:
    said = {
        "smile": "smiling",
        "anger": "angry",
        "sadness": "sad",
        "surprise": "surprised",
        "nose long": "long nose",
        "eyes big": "big eyes",
    }
    columns = torch.tensor([NAMES.index(name) for name in said])
    amounts = {
        degree: read(guide, [f"{degree} {text}".strip() for text in said.values()]).gather(1, columns[:, None]).mean()
        for degree in ("", "slightly", "a little", "very", "extremely")
    }
    assert 0.8 < amounts[""] < 1.2
    assert 0.35 < amounts["slightly"] < 0.75
    assert 0.35 < amounts["a little"] < 0.75
    assert amounts["very"] > 1.1
    assert amounts["extremely"] > 1.1


def test_parts_alone_ask_for_nothing(guide: Guide) -> None:
    texts = [
        f"{whose} {part}"
        for whose in ("her", "the", "his")
        for part in ("nose", "lips", "eyebrows", "chin", "eyes", "hair")
    ]
    refused = read(guide, texts).abs().amax(1) < UNDERSTOOD
    assert refused.float().mean() > 0.85, [t for t, ok in zip(texts, refused, strict=True) if not ok]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("smile and raise the left eyebrow", "smile&brow up left"),
        ("angry with red lips and blue eyes", "anger&lips red&eyes blue"),
        ("wink and stick out your tongue", "wink&tongue out"),
        ("an old man with grey hair", "old&hair grey"),
        ("sad, green eyes, 8k, masterpiece, sharp focus", "sadness&eyes green"),
    ],
)
def test_several_wishes(guide: Guide, text: str, label: str) -> None:
    [amounts] = read(guide, [text])
    assert words.right(amounts, label), words.told(amounts)


@pytest.mark.parametrize("who", ["plumber", "nurse", "goalkeeper", "great-aunt", "taxi driver"])
def test_persons_of_all_trades_have_expressions(guide: Guide, who: str) -> None:
    for amounts, label in zip(read(guide, [f"an angry {who}", f"a smiling {who}"]), ("anger", "smile"), strict=True):
        assert words.right(amounts, label), words.told(amounts)


@pytest.mark.parametrize("text", ["no smile", "not smiling", "stop smiling", "don't smile", "without a smile"])
def test_negations(guide: Guide, text: str) -> None:
    [amounts] = read(guide, [text])
    assert words.right(amounts, "-smile|-laugh"), words.told(amounts)
