"""Ages in figures and in words."""

from __future__ import annotations

import pytest

from flow_core.guides.ages import in_words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a ninety-year-old woman", "a old woman"),
        ("6 year old boy", "young boy"),
        ("she is in her late forties", "she is slightly old"),
        ("aged 70", "old"),
        ("十五岁的女孩", "年轻的女孩"),
        ("三十五岁", "稍微老"),
        ("八十多岁的老人", "老的老人"),
        # how much younger or older, and what is no age
        ("make her 20 years younger", "make her 20 years younger"),
        ("年轻十岁", "年轻十岁"),
        ("eighties makeup", "eighties makeup"),
    ],
)
def test_ages_become_youth_and_age(text: str, said: str) -> None:
    assert in_words(text) == said
