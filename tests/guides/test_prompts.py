"""Prompts: what artists type, and what they get told when it makes no sense."""

from __future__ import annotations

import pytest
import torch
from helpers import Reader
from torch import Tensor

from flow_core.guides.attributes import KNOWN
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import NEUTRAL, TEMPLATES, Prompt, PromptError, directions, embed, lines_note
from flow_core.train.attributes import CONCEPTS


def test_a_line_for_each_face() -> None:
    one, other = Prompt.parse_lines("a smile\n\n an angry face:0.5 \n", 2)
    assert (str(one), str(other)) == ("a smile", "an angry face:0.5")
    assert Prompt.parse_lines("a smile", 3) == [Prompt.parse("a smile")] * 3
    assert Prompt.parse_lines("a big\nsmile", 1) == [Prompt.parse("a big smile")]
    assert Prompt.lines_for("a smile\n\n - \nangry", 3) == ("a smile\nangry", [0, 2])
    assert Prompt.lines_for("-\nangry", 3) == ("-\nangry", [0, 1, 2])  # no line for each
    with pytest.raises(PromptError, match="2 lines for 3 faces"):
        Prompt.parse_lines("a smile\nanger", 3)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a smiling face", [("a smiling face", 1)]),
        ("  a   smiling\n\tface ", [("a smiling face", 1)]),
        ("a smiling face | open mouth:0.5 | angry:-0.3", [("a smiling face", 1), ("open mouth", 0.5), ("angry", -0.3)]),
        ("smile:2", [("smile", 2)]),
        ("smile: 2 ", [("smile", 2)]),
        ("smile :+1.5", [("smile", 1.5)]),
        ("smile:.5", [("smile", 0.5)]),
        ("smile:-4|angry:4", [("smile", -4), ("angry", 4)]),
        ("mood: happy", [("mood: happy", 1)]),
        ("mood: happy:0.5", [("mood: happy", 0.5)]),
        ("smile|", [("smile", 1)]),
        ("| smile || ", [("smile", 1)]),
        ("smile | angry:0", [("smile", 1)]),
        ("ein lächelndes Gesicht 😀:0.5", [("ein lächelndes Gesicht 😀", 0.5)]),
        ("smile, open mouth", [("smile, open mouth", 1)]),
    ],
)
def test_parse(text: str, parts: list[tuple[str, float]]) -> None:
    prompt = Prompt.parse(text)
    assert list(prompt.parts) == parts
    assert prompt.neutral == NEUTRAL


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("(smile:1.3)", [("smile", 1.3)]),
        ("(smile)", [("smile", 1.1)]),
        ("((smile))", [("smile", 1.21)]),
        ("[smile]", [("smile", 1 / 1.1)]),
        ("(smile):0.5", [("smile", 0.55)]),
        ("(open mouth:0.5) | angry", [("open mouth", 0.5), ("angry", 1)]),
        ("a face with (red lips:1.3), blond hair", [("red lips", 1.3), ("blond hair", 1)]),
        (r"a face \(mine\)", [("a face (mine)", 1)]),
        ("happy :-)", [("happy :-)", 1)]),
        (":(", [(":(", 1)]),
        ("smile: 0.7, red lips, blink: 0.3", [("smile", 0.7), ("red lips", 1), ("blink", 0.3)]),
        ("red lips, smile:0.7", [("red lips, smile", 0.7)]),
    ],
)
def test_brackets_weigh_as_artists_know_them(text: str, parts: list[tuple[str, float]]) -> None:
    prompt = Prompt.parse(text)
    assert [t for t, _ in prompt.parts] == [t for t, _ in parts]
    assert [w for _, w in prompt.parts] == pytest.approx([w for _, w in parts])
    assert Prompt.parse(str(prompt)) == prompt


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("smile:abc", r"'abc'.*no weight.*'smile:0.5'"),
        ("smile:", "no weight"),
        ("(smile", "do not match"),
        ("smile)", "do not match"),
        ("(smile]", "do not match"),
        ("()", "no text"),
        ("[smile:frown:0.5]", "while a picture is made"),
        ("(smile:9)", r"9 of 'smile' is outside"),
        ("(a smile:3):3", "outside"),
        ("(a smile:1.2) frown:0.5", "separate the parts"),
    ],
)
def test_weights_that_cannot_be_meant_are_refused(text: str, why: str) -> None:
    with pytest.raises(PromptError, match=why):
        Prompt.parse(text)


def test_what_is_left_out_is_named() -> None:
    with pytest.raises(PromptError, match=r"Nothing in '<lora:smile:1>' says"):
        Prompt.parse("<lora:smile:1>")


@pytest.mark.parametrize("text", ["", "   ", "|", " | \n| ", "smile:0", "smile:0 | angry:-0"])
def test_nothing_to_aim_for(text: str) -> None:
    with pytest.raises(PromptError, match=r"empty.*for instance 'a smiling face'"):
        Prompt.parse(text)


@pytest.mark.parametrize("weight", ["5", "-4.01", "1e9", "nan", "inf", "-inf"])
def test_weights_out_of_range(weight: str) -> None:
    with pytest.raises(PromptError, match=rf"{weight} of 'smile' is outside -4\.\.4"):
        Prompt.parse(f"angry | smile:{weight}")


def test_weight_without_text() -> None:
    with pytest.raises(PromptError, match=r"':0\.5' has a weight but no text"):
        Prompt.parse("smile | :0.5")


def test_neutral() -> None:
    assert Prompt.parse("smile", " a  man ").neutral == "a man"
    with pytest.raises(PromptError, match="neutral prompt is empty"):
        Prompt.parse("smile", " \n")


@pytest.mark.parametrize(
    "text", ["a smiling face", "smile | open mouth:0.5 | angry:-0.3", "mood: happy:0.25", "mood: happy", "a:4 | b:-4"]
)
def test_written_out_and_read_again(text: str) -> None:
    prompt = Prompt.parse(text)
    assert Prompt.parse(str(prompt)) == prompt
    assert str(Prompt.parse(str(prompt))) == str(prompt)


def test_a_text_that_ends_like_a_weight_survives_being_written_out() -> None:
    prompt = Prompt.parse("a ratio of 3:2:1")
    assert prompt.parts == (("a ratio of 3:2", 1.0),)
    assert Prompt.parse(str(prompt)) == prompt


def test_embed_averages_phrasings(guide: Guide) -> None:
    plain = Guide("plain", guide.model, guide._tokenizer)  # without meanings, which read wishes one by one
    one = embed(plain, "a smiling face")
    assert one.shape == guide.encode_text(["x"]).shape[1:]
    assert one.norm().item() == pytest.approx(1, abs=1e-5)
    mean = guide.encode_text([t.format("a smiling face") for t in TEMPLATES]).mean(0)
    torch.testing.assert_close(one, mean / mean.norm())


def test_directions(guide: Guide) -> None:
    found, weights = directions(guide, Prompt.parse("a smiling face | an angry face:-0.5"))
    assert found.shape[0] == 2
    assert weights.tolist() == [1, -0.5]
    torch.testing.assert_close(found[0], embed(guide, "a smiling face") - embed(guide, NEUTRAL))


def test_target_that_equals_the_neutral_prompt(guide: Guide) -> None:
    with pytest.raises(PromptError, match=r"'a face'.*'a face' mean the same to guide nano.*change one"):
        directions(guide, Prompt.parse("a smiling face | a face"))


class Deaf:
    """A guide to which all texts are the same."""

    name = "deaf"

    def reads_whole(self, text: str) -> bool:
        return True

    def encode_text(self, texts: list[str]) -> Tensor:
        return torch.nn.functional.normalize(torch.ones(len(texts), 8), dim=-1)

    def encode_prompt(self, text: str, templates: tuple[str, ...]) -> Tensor:
        return self.encode_text([text])[0]


def test_guide_that_does_not_know_the_words() -> None:
    with pytest.raises(PromptError, match="guide deaf"):
        directions(Deaf(), Prompt.parse("a smiling face"))


def test_unknown_words(guide: Guide) -> None:
    assert Prompt.parse("a smiling face").unknown_words(guide) == []
    assert Prompt.parse("a smiling zorgon | QUUX-wide eyes:0.5").unknown_words(guide) == ["zorgon", "quux"]


@pytest.mark.parametrize(
    "text",
    ["a red car", "asdf", "sunset over the sea", "cyberpunk werewolf", "wearing glasses", "a face", "ein rotes Auto", "一辆红色的汽车",
     "a smile | glasses:0.5"],
)  # fmt: skip
def test_prompts_that_mean_nothing_are_refused_with_some_of_what_is_known(guide: Guide, text: str) -> None:
    with pytest.raises(PromptError, match=r"understands nothing in .*a smile.*Pick Prompt.*--wishes") as refused:
        Prompt.parse(text).unknown_words(guide)
    assert len(str(refused.value)) < 400
    assert ("red lips" in str(refused.value)) == ("red" in text.split())


def test_lines_that_are_mixed_for_one_face_are_told() -> None:
    assert "the 2 lines of the prompt are mixed for it ('a smile' + 'an angry face')" in lines_note(
        "a smile\n\n an  angry face", 1
    )
    assert not lines_note("a smile\nan angry face", 2)
    assert not lines_note("\na smile\n", 1)


@pytest.mark.parametrize("text", ["微笑的脸", "红色的嘴唇", "左边眉毛抬起", "raise the left eyebrow", "about to cry"])
def test_prompts_that_mean_something_are_not(guide: Guide, text: str) -> None:
    assert Prompt.parse(text).unknown_words(guide) == []


def test_a_prompt_that_would_be_cut_off_is_refused(guide: Guide) -> None:
    long = "a smiling face of " + " ".join(["somebody who knows"] * 40)
    with pytest.raises(PromptError, match=r"too long for guide nano.*fewer words"):
        directions(guide, Prompt.parse(long))
    with pytest.raises(PromptError, match="too long"):
        Prompt.parse("a smile", neutral=long).unknown_words(guide)


def test_what_is_listed_is_what_the_guide_was_taught(reader: Reader) -> None:
    phrases = [phrase for kind in KNOWN.values() for phrase in kind]
    assert phrases == [concept.text for concept in CONCEPTS]
    for phrase in phrases:
        assert Prompt.parse(phrase).unknown_words(reader) == []


def test_every_caption_word_that_the_guide_was_taught_by_says_something(reader: Reader) -> None:
    for concept in CONCEPTS:
        for text in (*concept.adjectives, *concept.nouns, *concept.verbs):
            assert Prompt.parse(text).unknown_words(reader) == [], text
