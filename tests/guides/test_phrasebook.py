"""Phrases that a guide knows by heart."""

from __future__ import annotations

import pytest

from flow_core.guides.guide import Guide
from flow_core.guides.phrasebook import Phrasebook
from flow_core.train import phrases

SAD, GLAD = ((4, 1.0),), ((0, 1.0),)
BOOK = Phrasebook.of(
    [("lost the job", SAD), ("on cloud nine", GLAD), ("a frown", ((17, 1.0),)), ("难过", SAD), ("freckles", ())]
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("on cloud nine", GLAD),
        ("She looks on cloud nine!", GLAD),
        ("make him look on cloud nine", GLAD),
        ("as if she had just lost her job", SAD),
        ("a man who has lost his job", SAD),
        ("frown", ((17, 1.0),)),
        ("让她看起来难过", SAD),
        ("难过的表情", SAD),
        ("freckles", ()),
        ("on cloud ten", None),
        ("she lost", None),
        ("loses the job", SAD),
        ("when you have just lost your job", SAD),
        ("a plumber who lost his job", SAD),
        ("tweak it so that he looks on cloud nine", GLAD),
        ("she's on cloud nine", GLAD),
        ("why not make them look on cloud nine", GLAD),
        ("looking rather on cloud nine", GLAD),
        ("忍不住难过", SAD),
    ],
)
def test_phrases_are_found_in_sentences(text: str, says: object) -> None:
    assert BOOK.find(text) == says


def test_what_says_two_things_is_left_out() -> None:
    assert Phrasebook.of([("blue", SAD), ("a blue", GLAD), ("blue", SAD)]).find("blue") is None


def test_forms_that_make_a_difference_are_kept_apart() -> None:
    book = Phrasebook.of([("jaw dropped", SAD), ("jaw drop", GLAD), ("gloomy", SAD)])
    assert book.find("jaw dropped") == SAD
    assert book.find("jaw drop") == GLAD
    assert book.find("gloomily") == book.find("gloominess") == SAD


def test_it_is_written_and_read_back() -> None:
    assert Phrasebook.loads(BOOK.dumps()) == BOOK
    for text in ("[]", "{", '{"x": "y"}', '{"1*": 3}'):
        with pytest.raises(ValueError, match="no phrases"):
            Phrasebook.loads(text)


def test_the_built_in_guide_knows_the_lexicon(guide: Guide) -> None:
    assert guide.meanings is not None
    assert guide.meanings.phrases.known == phrases.book().known
