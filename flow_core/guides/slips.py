"""Slips of the keys, which a small guide mends before it reads a prompt."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Mapping

from .words import is_word

SHORTEST = 4  # letters of a word that may be mended
FAR = 7  # letters from which two slips are mended
RARER = 5  # times the rank among words that one has to have beside the word that it is taken for
WORDS = 6  # of a piece of a text whose words are mended by what stands beside them
_PIECES = re.compile(r"[,;|.()]|\b(?:and|with|but|then)\b")
_VOWELS = frozenset("aeiouy")
_SOUNDS = frozenset(("sz", "zs"))  # letters that are taken for each other by ear
# Others are mended into what the tower knows: "angrier" into "angry"
_ENDINGS = ("iest", "y"), ("est", ""), ("est", "e")
_NO_FORMS = frozenset(("earnest", "forest", "harvest", "honest", "interest", "modest", "priest", "request"))


# What is typed short, which is no slip.
_SHORT = {"teensy": "tiny", "teeny": "tiny", "yrs": "years", "pls": "please", "plz": "please", "rly": "really", "teh": "the", "u": "you", "ur": "your",
          "lil": "little", "abit": "a bit", "alot": "a lot", "thx": "thanks", "bc": "because", "cuz": "because", "gonna": "going to", "wanna": "want to",
          "hes": "he's", "shes": "she's", "theyre": "they're", "youre": "you're", "im": "i'm", "cant": "can't", "wont": "won't",
          **{f"{verb}nt": f"{verb}n't" for verb in ("do", "does", "did", "is", "are", "was", "were", "should", "could", "would", "must", "has", "have")}}  # fmt: skip


def misspelt(text: str, vocabulary: frozenset[str], others: frozenset[str] = frozenset()) -> dict[str, str]:
    """Words of ``text`` that are probably slips of the keys -> the words of ``vocabulary`` that were meant.

    A word is left alone that the vocabulary, CLIP's, or ``others`` has. Of drawn out words ("soooo") letters are left out first.
    """
    found = {}
    for word in dict.fromkeys(re.findall("[a-z]+", text.lower())):
        short = _short(word, vocabulary)
        read = short if short in others or short in _SHORT else meant(short, vocabulary) or short
        if read != word:
            found[word] = read
    return found


def in_context(
    text: str, found: Mapping[str, str], vocabulary: frozenset[str], known: Callable[[str], object]
) -> dict[str, str]:
    """What was ``found`` for slips of the keys in ``text``, but of words that are as near those that make a ``known`` phrase of what they stand
    in: "bared treth" are teeth and no truth."""
    read = dict(found)
    for piece in _PIECES.split(text.lower()) if found else ():
        words = piece.split()
        if not 2 <= len(words) <= WORDS or known(mended(piece, read)):
            continue
        for at, word in enumerate(words):
            rest = [mended(w, read) for w in words]
            near = _near(word, vocabulary) if word in found and len(word) >= SHORTEST else []
            meant = (w for _, _, w in near if known(" ".join([*rest[:at], w, *rest[at + 1 :]])))
            read[word] = next(meant, read.get(word, word))
    return {word: said for word, said in read.items() if said != word}


def mended(text: str, meant: Mapping[str, str]) -> str:
    """``text`` with what was ``meant`` in the place of misspelt words, and what is typed short in full."""

    def read(word: str) -> str:
        found = meant.get(word.lower(), word)
        return _SHORT.get(found.lower(), found)

    for word in (w for w in meant if not w.isascii()):
        text = text.replace(word, meant[word])
    return re.sub(r"[a-zA-Z]+", lambda m: read(m[0]), text)


def _short(word: str, vocabulary: frozenset[str]) -> str:
    """A word with at most two of a letter side by side, or one where that alone is a word."""
    if not re.search(r"([a-z])\1\1", word, re.IGNORECASE) or word.lower() in vocabulary:
        return word
    twice, once = (re.sub(r"([a-z])\1{2,}", said, word, flags=re.IGNORECASE) for said in (r"\1\1", r"\1"))
    return twice if twice.lower() in vocabulary and once.lower() not in vocabulary else once


@functools.lru_cache(maxsize=4096)
def meant(word: str, vocabulary: frozenset[str]) -> str:
    """The word of ``vocabulary`` that a misspelt one stands for; empty where it is a word, or none is near."""
    if len(word) == SHORTEST - 1 and word not in vocabulary:
        return _exchanged(word, vocabulary)
    if len(word) < SHORTEST or word in vocabulary or is_word(word) or _form(word, vocabulary):
        return ""
    if base := _form(f"{word[:-1]}st", vocabulary) if word.endswith("er") else "":
        return base  # "podgier"
    return next((w for _, _, w in _near(word, vocabulary)), "")


@functools.lru_cache(maxsize=1024)
def _near(word: str, vocabulary: frozenset[str]) -> list[tuple[float, int, str]]:
    """The words of ``vocabulary`` of which a few slips make another word: how many, their rank among words, and they, the nearest first."""
    most = 2 if len(word) >= FAR else 1
    letters = set(word)
    near = (
        (slips(word, w), is_word(w) or 1 << 20, w)
        for w in {*_by_letter(vocabulary)[word[0]], *_by_letter(vocabulary)[word[1]]}
        if abs(len(w) - len(word)) <= most
        and len(letters ^ set(w)) <= 2 * most
        and (w[0] == word[0] or w[1] == word[0])
    )
    # in four letters another letter is another word
    return sorted(one for one in near if one[0] <= (1.1 if len(word) == SHORTEST else 1.25 * most))


def _exchanged(word: str, vocabulary: frozenset[str]) -> str:
    """The word of ``vocabulary`` of which a shorter one is made by exchanging two letters, if it is far more frequent: so "sda" is "sad". Any
    other slip makes another word of it."""
    near = ((is_word(w), w) for w in (word[1] + word[0] + word[2], word[0] + word[2] + word[1]) if w in vocabulary)
    rank, found = min((both for both in near if both[0]), default=(0, ""))
    return found if not is_word(word) or is_word(word) > RARER * rank else ""


def _form(word: str, vocabulary: frozenset[str]) -> str:
    """The word of the vocabulary of which a word is the superlative, if it is one."""
    if word in _NO_FORMS:
        return ""
    stems = [(word.removesuffix(ending), stem) for ending, stem in _ENDINGS if word.endswith(ending)]
    stems += [(word[:-4], "")] if word.endswith("est") and word[-4:-3] == word[-5:-4] else []
    return next((b + stem for b, stem in stems if len(b) >= SHORTEST - 1 and b + stem in vocabulary), "")


def superlatives(text: str, vocabulary: frozenset[str]) -> str:
    """``text`` with "very sad" for "saddest"."""
    return re.sub(
        r"[a-zA-Z]{4,}est\b", lambda m: f"very {base}" if (base := _form(m[0].lower(), vocabulary)) else m[0], text
    )


@functools.lru_cache(maxsize=4)
def _by_letter(vocabulary: frozenset[str]) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for word in vocabulary:
        if len(word) >= SHORTEST - 1 and word.isascii():
            found[word[0]].append(word)
    return found


def slips(one: str, other: str) -> float:
    """How many slips of the keys make ``one`` of ``other`` (Damerau, 1964): letters left out, too many, replaced, or exchanged with the next.
    Such as happen often count a little less."""
    before: list[float] = []
    row = [float(j) for j in range(len(other) + 1)]
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [float(i)]
        for j, b in enumerate(other, 1):
            twice = 0.8 if (i > 1 and one[i - 2] == a) else 1.1
            missed = 0.8 if (j > 1 and other[j - 2] == b) else 1.0
            least = min(
                before[j] + twice,
                row[-1] + missed,
                before[j - 1] + (a != b) * (1.0 if (a in _VOWELS and b in _VOWELS) or a + b in _SOUNDS else 1.2),
            )
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                least = min(least, older[j - 2] + 0.85)
            row.append(least)
    return row[-1]
