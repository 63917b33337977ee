"""How prompts of the built-in guide are read: misspelt words, several wishes, wishes that are turned down."""

from __future__ import annotations

import pytest
import torch
from helpers import concepts

from flow_core.guides.clauses import NOT, Clause, clauses
from flow_core.guides.guide import Guide
from flow_core.guides.plainly import compared
from flow_core.guides.prompts import TEMPLATES, Prompt, PromptError, embed, unknown_note
from flow_core.guides.slips import slips
from flow_core.train import words


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a hapy womn", "a happy woman"),
        ("SUPRISED", "surprised"),
        ("rasie the left eybrow", "raise the left eyebrow"),
        ("blak hair, wdie nose", "black hair, wide nose"),
        ("微笑, smilng", "微笑, smiling"),
        ("a sda man", "a sad man"),
        ("bared treth", "bared teeth"),
        ("a podgier face", "a podgy face"),
    ],
)
def test_slips_of_the_keys_are_mended(guide: Guide, text: str, read: str) -> None:
    assert guide.mended(text) == read
    torch.testing.assert_close(embed(guide, text), embed(guide, read))


@pytest.mark.parametrize(
    "text",
    [
        "a smiling face",
        "a red car",
        "Taylor Swift",
        "xkjvq plorf",
        "grapple with a pony",
        "fiancée",
        "微笑",
        "foremast",
        "georgia",
    ],
)
def test_words_and_nonsense_are_left_alone(guide: Guide, text: str) -> None:
    assert guide.mended(text) == text


def test_mended_words_are_told(guide: Guide) -> None:
    note = unknown_note([Prompt.parse("a hapy zorgon")], guide)
    assert "reads hapy as happy" in note
    assert "never learnt zorgon" in note
    assert not unknown_note([Prompt.parse("happy but old")], guide)


def test_a_letter_too_few_is_less_than_two_others() -> None:
    assert slips("happy", "happy") == 0
    assert slips("hapy", "happy") < slips("hapyp", "happy") < slips("hippo", "happy")


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("a smiling face", [("a smiling face", 1.0)]),
        ("smile, wink and stick out your tongue", [("smile", 1.0), ("wink", 1.0), ("stick out your tongue", 1.0)]),
        ("angry but no frown", [("angry", 1.0), ("frown", NOT)]),
        ("don't look so furious", [("furious", NOT)]),
        ("don't look left", [("look left", NOT)]),
        ("the nose isn't so long", [("the nose long", NOT)]),
        ("smile instead of frown", [("smile", 1.0), ("frown", NOT)]),
        ("微笑，红嘴唇", [("微笑", 1.0), ("红嘴唇", 1.0)]),
        ("不要张嘴", [("张嘴", NOT)]),
    ],
)
def test_clauses(text: str, wishes: list[tuple[str, float]]) -> None:
    assert clauses(text) == [Clause(*wish) for wish in wishes]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("smile, wink the right eye and stick your tongue out", {"smile", "wink right", "tongue out"}),
        ("red lips, rosy cheeks, smoky eye shadow", {"lips red", "cheeks rosy", "eyelids dark"}),
        ("big eyes, small nose, full lips, 8k, masterpiece", {"eyes big", "nose small", "lips thick"}),
        ("微笑，红嘴唇，蓝眼睛", {"smile", "lips red", "eyes blue"}),
    ],
)
def test_three_wishes_are_all_read(guide: Guide, text: str, asked: set[str]) -> None:
    assert {name for name, amount in concepts(guide, text).items() if amount > 0.8} == asked


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("don't close your eyes", "eyes closed"),
        ("the nose isn't so long", "nose long"),
        ("chin less pointed", "chin pointed"),
        ("stop pouting", "pout"),
        ("lips not so red", "lips red"),
        ("鼻子不要太大", "nose big"),
    ],
)
def test_what_is_turned_down_is_taken_away(guide: Guide, text: str, gone: str) -> None:
    found = concepts(guide, text)
    assert found[gone] <= -0.4
    assert max(found.values()) < 0.4


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("no emotion whatsoever", "neutral"),
        ("raise one eyebrow, the right one", "brow up right"),
    ],
)
def test_what_only_looks_like_clauses_is_read_as_a_whole(guide: Guide, text: str, name: str) -> None:
    found = concepts(guide, text)
    assert max(found, key=found.__getitem__) == name


def test_a_plain_wish_in_unusual_words_is_a_whole_wish(guide: Guide) -> None:
    for text in ("sunken cheeks", "a lantern jaw", "flared nostrils", "bloodless lips"):
        assert max(concepts(guide, text).values()) == 1, text
    for text in ("a hint of a smile", "about to laugh", "slightly angry"):
        assert max(concepts(guide, text).values()) < 0.8, text


@pytest.mark.parametrize(
    "text", ["a slightly surprised face", "a bit surprised", "mildly worried", "a little angry", "有点惊讶"]
)
def test_a_weak_degree_is_about_half(guide: Guide, text: str) -> None:
    assert 0.3 <= max(concepts(guide, text).values()) <= 0.6


@pytest.mark.parametrize("much", ["very", "extremely", "incredibly", "absolutely", "terribly", "super"])
def test_strong_degrees(guide: Guide, much: str) -> None:
    for name, text in (("anger", "angry"), ("fear", "frightened"), ("disgust", "disgusted")):
        assert concepts(guide, f"{much} {text}")[name] >= 1.3


@pytest.mark.parametrize("much", ["特别", "非常", "超级", "极其", "十分"])
def test_strong_degrees_in_chinese(guide: Guide, much: str) -> None:
    for name, text in (("anger", "生气"), ("sadness", "难过"), ("fear", "害怕")):
        assert concepts(guide, much + text)[name] >= 1.3


@pytest.mark.parametrize("much", ["有点", "稍微", "略微", "有些"])
def test_weak_degrees_in_chinese(guide: Guide, much: str) -> None:
    for name, text in (("anger", "生气"), ("sadness", "难过"), ("worry", "担心")):
        assert 0.3 <= concepts(guide, much + text)[name] <= 0.6


def test_each_wish_has_a_degree_of_its_own(guide: Guide) -> None:
    found = concepts(guide, "very angry, slightly open mouth")
    assert found["anger"] >= 1.2
    assert 0.3 <= found["mouth open"] <= 0.65


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (":D", "laugh"),
        (":(", "sadness"),
        (">:(", "anger"),
        ("face 😱", "fear"),
        ("😴", "sleepy"),
        ("happy :)", "smile"),
    ],
)
def test_smileys(guide: Guide, text: str, name: str) -> None:
    assert max(concepts(guide, text).items(), key=lambda item: item[1])[0] == name


@pytest.mark.parametrize(
    "text", ["a red car, a dog and a tree", "not a car", "no dogs", "blorf, zxqv", "don't open the door"]
)
def test_other_topics_stay_refused(guide: Guide, text: str) -> None:
    with pytest.raises(PromptError, match="understands nothing"):
        unknown_note([Prompt.parse(text)], guide)


@pytest.mark.parametrize(
    ("text", "name"), [("reduce the nose", "nose small"), ("drop the eyelids", "eyelids lowered"), ("shrink the chin", "chin short")]
)  # fmt: skip
def test_a_part_may_be_reduced(guide: Guide, text: str, name: str) -> None:
    found = concepts(guide, text)
    assert max(found, key=found.__getitem__) == name


def test_what_is_known_is_not_cut_at_its_joints(guide: Guide) -> None:
    assert clauses("smile, eyes wide with fear", guide.meanings) == [
        Clause("smile", 1.0),
        Clause("eyes wide with fear", 1.0),
    ]
    assert set(concepts(guide, "wink with the left eye and smile")) == {"wink left", "smile"}


@pytest.mark.parametrize(
    ("text", "name"),
    [("the smuggest face ever", "smirk"), ("the saddest of all men", "sadness"), ("angriest", "anger")],
)
def test_superlatives_are_strong(guide: Guide, text: str, name: str) -> None:
    assert concepts(guide, text)[name] >= 1.3
    assert not unknown_note([Prompt.parse(text)], guide)


def test_file_names_and_sizes_are_no_words(guide: Guide) -> None:
    assert not unknown_note([Prompt.parse("smile, 35mm, f1.8, 4k")], guide)


def test_guides_without_a_layout_read_texts_as_they_are(guide: Guide) -> None:
    plain = Guide("plain", guide.model, guide._tokenizer)
    text = "no smlie, red lips"
    expected = plain.encode_text([t.format(text) for t in TEMPLATES]).mean(0)
    torch.testing.assert_close(embed(plain, text), torch.nn.functional.normalize(expected, dim=-1), rtol=0, atol=0)
    assert plain.wishes(text) == [text]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("happier than before", "happier"),
        ("eyes bigger than they are, and a smile", "eyes bigger, and a smile"),
        ("sad rather than angry", "sad rather than angry"),
        ("twice as angry", "very angry"),
        ("she is screaming with laughter", "she is laughing out loud"),
        ("no more than a smile", "only a smile"),
        ("she can't stop smiling", "she smiling"),
        ("more than angry", "very angry"),
        ("眼睛比原来大", "眼睛大"),
        ("嘴唇再薄一点", "嘴唇薄一点"),
    ],
)
def test_comparisons_with_the_face_that_is_there_are_left_out(text: str, plain: str) -> None:
    assert compared(text) == plain


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("angrier than before", "anger"), ("far from angry", "-anger"), ("anything but sad", "-sadness"), ("enough with the pouting", "-pout"),
        ("tone down the anger", "-anger"), ("conceal the wrinkles", "young"), ("happy although tired", "smile&sleepy"),
        ("既生气又难过", "anger&sadness"),
        ("his nose is too big", "-nose big"),
        ("jaw way too wide", "-jaw wide"),
        ("make him way too angry", "anger"),
        ("鼻子太大了", "-nose big"),
        ("她太开心了", "smile"),
        ("he should be neither smiling nor frowning", "-smile&-frown"),
        ("sad, no expression", "sadness&neutral"),
        ("eyes must be closed", "eyes closed"),
        ("look at the upper left corner", "look up&look left"),
        ("make her 70", "old"),
        ("the guy on the left should smile", "smile"),
        ("左眼闭上右眼睁开", "wink left"),
        ("从开心变成难过", "sadness"),
        ("老板很生气", "anger"),
    ],
)  # fmt: skip
def test_what_can_mean_nothing_else_is_read_so(guide: Guide, text: str, label: str) -> None:
    [amounts] = words.understood(guide, [text])
    assert words.right(amounts, label), words.told(amounts)


@pytest.mark.parametrize(
    ("text", "name", "low", "high"),
    [
        ("50% smile", "smile", 0.45, 0.55), ("smile, but only a little", "smile", 0.4, 0.6), ("smile, not too much", "smile", 0.4, 0.6),
        ("smile 150%", "smile", 1.4, 1.6), ("10% smile", "smile", 0.3, 0.4), ("2x bigger eyes", "eyes big", 1.4, 1.6),
        ("eyes 20% bigger", "eyes big", 0.4, 0.6), ("20 years younger", "young", 1.4, 1.6), ("2 years older", "old", 0.4, 0.6),
        ("much much sadder", "sadness", 1.4, 1.6), ("soooo angry", "anger", 1.3, 1.6), ("百分之五十的微笑", "smile", 0.45, 0.55),
        ("年轻二十岁", "young", 1.4, 1.6), ("眼睛放大两倍", "eyes big", 1.4, 1.6), ("微笑，只要一点点", "smile", 0.4, 0.6),
    ],
)  # fmt: skip
def test_numbers_and_lone_degrees_say_how_much(guide: Guide, text: str, name: str, low: float, high: float) -> None:
    assert low <= concepts(guide, text)[name] <= high


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("she used to be sad but is happy now", "smile&-sadness"), ("mouth shouldn't be open", "-mouth open"),
        ("neither smiling nor frowning", "-smile&-frown"), ("no smile or frown", "-smile&-frown"),
        ("close-lipped, not toothy, smile", "smile&lips pressed"), ("他没在笑，看起来很生气", "anger&-smile"),
        ("惊讶而不是害怕", "surprise&-fear"), ("我不想让她笑", "-smile"), ("笑得稍微少一点", "-smile*0.5"),
        ("闭着眼睛微笑", "eyes closed&smile"), ("难过地低着头往下看", "sadness&look down"),
        ("没精打采", "sleepy|sadness|neutral"),
    ],
)  # fmt: skip
def test_denials_within_a_sentence(guide: Guide, text: str, label: str) -> None:
    [amounts] = words.understood(guide, [text])
    assert words.right(amounts, label), words.told(amounts)


def test_the_side_of_the_picture_is_the_other_side_of_the_person(guide: Guide) -> None:
    assert set(concepts(guide, "raise the eyebrow on the viewer's left")) == {"brow up right"}
    assert set(concepts(guide, "raise her left eyebrow")) == {"brow up left"}
    assert set(concepts(guide, "画面左边的眉毛抬高")) == {"brow up right"}


def test_what_is_ignored_is_told_beside_what_is_understood(guide: Guide) -> None:
    note = unknown_note([Prompt.parse("a slight smile, no frown, wearing a hat")], guide)
    assert note.startswith("Understood as less of a frown, a smile x 0.")
    assert "Ignored" in note
    assert "wearing a hat" in note
    for text in (
        "a woman with red lips",
        "raise one eyebrow, the right one",
        "smile, masterpiece, 8k, portrait of a man",
    ):
        assert not unknown_note([Prompt.parse(text)], guide), text


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("smile 0.7", 0.7),
        ("smile = 0", -1.0),
        ("smile level 4/10", 0.4),
        ("0.5 smile", 0.5),
        ("微笑70%", 0.7),
        ("massive smile", 1.5),
        ("smile-ish", 0.5),
        ("夸张的微笑", 1.5),
    ],
)
def test_numbers_of_sliders_and_degrees_are_amounts(guide: Guide, text: str, amount: float) -> None:
    [row], _ = guide.meanings.read(embed(guide, text)[None])
    assert float(row[guide.meanings.names.index("smile")]) == pytest.approx(amount, abs=0.2)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("undo the frown", "frown"),
        ("frown removed", "frown"),
        ("too much frowning", "frown"),
        ("fix the dark circles under her eyes", "under-eyes dark"),
        ("取消微笑", "smile"),
        ("减轻黑眼圈", "under-eyes dark"),
    ],
)
def test_what_is_undone_or_mended_is_turned_down(guide: Guide, text: str, name: str) -> None:
    [row], _ = guide.meanings.read(embed(guide, text)[None])
    assert float(row[guide.meanings.names.index(name)]) <= -0.4


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("change to sad", {"sadness"}),
        ("replace expression with a smile", {"smile"}),
        ("squint, no green eyes", {"squint", "eyes green"}),
        ("squint no green eyes", {"squint", "eyes green"}),
        ("an angry clown", {"anger"}),
        ("a scared little boy", {"fear", "young"}),
        ("he just lost his best friend", {"sadness"}),
        ("愤怒的老板", {"anger"}),
        ("got caught stealing cookies", {"worry"}),
        ("caught laughing", {"laugh"}),
        ("eyeLookUpLeft", {"look up"}),
        ("no emotions at all", {"neutral"}),
        ("over the moon about the news", {"smile"}),
        ("smiling at a baby", {"smile"}),
        ("narrow the eyes and the nose", {"eyes narrow", "nose narrow"}),
        ("add fifteen years", {"old"}),
        ("shave a decade off him", {"young"}),
        ("兴奋和恐惧", {"smile", "fear"}),
        ("i don't want a dirty look", {"anger"}),
    ],
)
def test_what_is_meant_is_read_and_nothing_beside_it(guide: Guide, text: str, names: set[str]) -> None:
    assert {*concepts(guide, text)} == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a warm smile that crinkles her eyes, red lips", "a genuine smile, red lips"),
        ("his smile never reaches his eyes", "smile, less squinting, less raised cheeks"),
        ("笑意直达眼底", "真诚的笑"),
        ("anger written all over his face", "anger"),
        ("a flicker of doubt crosses her face", "a flicker of doubt"),
        ("beside himself with rage", "extremely rage"),
        ("smiling with closed eyes", "smiling with closed eyes"),
        ("sadness in her eyes", "sadness in her eyes"),
    ],
)
def test_where_a_feeling_is_seen_is_put_plainly(text: str, said: str) -> None:
    assert compared(text) == said


def test_what_the_guide_is_not_sure_of_is_said(guide: Guide) -> None:
    note = unknown_note([Prompt.parse("smiling, hooked witch nose")], guide)
    assert "not sure of 'hooked witch nose'" in note
    assert note.startswith("Understood as")
    assert not unknown_note([Prompt.parse("smiling, big eyes, raise the left eyebrow")], guide)
