"""How a prompt for a small guide is read: slips of the keys are mended, and wishes that stand side by side or are turned down are read one by one.

A small text tower reads a single wish well and several at once less well, and it learns what "not" means for each wish anew. A text whose
space is laid out (:mod:`flow_core.guides.meaning`) lets the amounts of several clauses be added up, or turned around, and be put back into
an embedding that says just that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .clauses import LESS, NOT, PARTS, ZH_PARTS, Clause, clauses
from .degrees import DEGREE, NEGATED, STRONG, by_degree, certain, without_degree
from .meaning import SECOND, UNDERSTOOD, Meanings
from .orders import about_no_face
from .phrasebook import inside, plain, stems
from .sentences import Sentences
from .subjects import is_role

CLEARER = 0.1  # by how much better clauses have to be explained than their whole,
SURELY = 0.3  # and where the whole seems to ask for what they turn down
UNSURE = 0.7  # amount of a shape below which the tower may be wrong about it
QUALITY = 4  # words that somebody with a quality has fewer than, articles left out
SENTENCE = 3.0  # words that a sentence about a situation has at least
# chances of what a sentence is likely to be about from which it is believed
LIKELY, LIKELIER, LIKELIEST, CERTAIN = 0.45, 0.7, 0.9, 0.97
GUESSED = 0.5  # how well amounts have to explain the embedding of a text, lest they are a guess
HEARD = 1.1 * SECOND  # share of the largest amount that another wish has at least
BESIDE = 0.5  # share of the largest amount below which what else one of several wishes seems to ask for is noise
NEARLY = 0.2  # what the tower reads within this of what is known by heart stays as it is
BEHIND = 0.9  # share of a feeling that counts of who feels it, for the feeling is what is asked for
SOMEBODY = 5  # words that somebody and a feeling have at most
# concepts that are felt or done, and are not how somebody looks
SHOWN = frozenset(
    ["smile", "laugh", "anger", "surprise", "sadness", "disgust", "fear", "neutral", "worry", "pout", "kiss", "smirk", "scream", "sleepy", "stern", "contempt", "smirk left",
     "smirk right", "wink", "wink left", "wink right", "eyes closed", "duck face", "grimace", "bared teeth", "tongue out", "frown", "squint", "mouth open", "mouth corners down",
     "eyes wide", "brows raised", "brows lowered", "eyes narrow", "look down", "look up", "look left", "look right", "cheeks puffed", "lips pressed", "nose wrinkled",
     "eyelids lowered", "cheeks rosy"]
)  # fmt: skip
# of these those that are felt about something, and not only done with a part of the face
FELT = frozenset(
    [
        "smile",
        "laugh",
        "anger",
        "surprise",
        "sadness",
        "disgust",
        "fear",
        "worry",
        "pout",
        "smirk",
        "scream",
        "contempt",
    ]
)
AGES = frozenset(["old", "young", "masculine", "feminine"])
_SOMEBODY = re.compile(
    r"\b(?:he|she|they|we|i|you|him|her|them|us|me|his|their|our|my|your|hers|herself|himself|who|whose|somebody|someone|nobody|everyone|everybody|man|woman"
    r"|girl|boy|guy|lady|kid|child|baby|mother|father|mom|dad|person|people|friend)\b|[他她我你您咱谁]|人|孩|妈|爸|爷|奶",
    re.IGNORECASE,
)
_WHOSE = r"(?:his|her|its|my|your|our|their|whose)"
_OF_FACES = re.compile(rf"\b(?:{PARTS})\b|{ZH_PARTS}")
_TITLES = re.compile("老(?:板|师|铁|总|婆|公|外|家|是|实|鼠|虎|大|乡|友|妹|弟|百姓|司机)")
# what comes before it is felt, and what follows is why; who is "looking at" something need not feel it
_ABOUT = re.compile(
    r"(?<!look)(?<!looking) (?:about|at|over|because|after|by|since|when|during|that) (?=\w)", re.IGNORECASE
)
_CAUSED = re.compile(
    r"(?<!fresh) (?:from|due to|because of|thanks to|caused by) (?=\w)(?!ear\b|the (?:left|right|side)\b)",
    re.IGNORECASE,
)
# "laughing so much that ...": what comes before it is felt
_SO_THAT = re.compile(r"(?P<felt>[^，。]{1,4}?)得(?!意|很|了|到|分|体|知|出).+")


def unheard(
    encode: Callable[[Sequence[str]], Tensor],
    meanings: Meanings,
    text: str,
    asked: Tensor,
    sentences: Callable[[], Sentences | None] = lambda: None,
) -> list[str]:
    """The wishes of a text of which nothing came into the amounts ``asked [C]`` that were read from it; arguments as of :func:`composed`."""
    wishes = [w for w in clauses(text, meanings) if w.worth]
    if len(wishes) < 2 or meanings.known(text) is not None:
        return []
    read, fit = meanings.read(encode([w.text for w in wishes]))
    rows = [
        known if (known := meanings.known(w.text)) is not None else _likely(row, w.text, meanings, sentences, one)
        for w, row, one in zip(wishes, read, fit.tolist(), strict=True)
    ]
    heard = [bool(row.abs().max() >= UNDERSTOOD) for row in rows]
    named = torch.stack(rows).abs().amax(0) >= UNDERSTOOD
    if (asked.abs() >= UNDERSTOOD).logical_and(~named).any():  # it was read as a whole
        return []
    return [w.text for w, one in zip(wishes, heard, strict=True) if not one]


def composed(
    encode: Callable[[Sequence[str]], Tensor],
    meanings: Meanings,
    text: str,
    whole: Tensor,
    sentences: Callable[[], Sentences | None] = lambda: None,
    entire: bool = True,
) -> Tensor:
    """Unit embedding ``[D]`` of what a text asks for, its wishes read one by one where that is clearer.

    The whole is better where what is read from it explains its embedding about as well as the embeddings of the clauses are explained:
    so "raise one eyebrow, the left one" is what the tower learnt that it is.

    Args:
        encode: unit embeddings ``[N,D]`` of texts.
        whole: ``[D]`` unit embedding of the text as the tower reads it.
        sentences: gives what knows sentences about situations; asked for texts that it may know better than the tower.
        entire: whether the tower read the text to its end; else its wishes alone count.
    """
    wishes = clauses(text, meanings)
    found = _clausewise(encode, meanings, text, wishes, whole, sentences, entire)
    told = _situation(text, wishes, meanings, sentences) if entire else None
    if told is None:
        return found
    [row], _ = meanings.read(found[None])
    return found if _heard(row, told, meanings, sentences) else meanings.point(told * without_degree(text)[1])


def _situation(
    text: str, wishes: list[Clause], meanings: Meanings, sentences: Callable[[], Sentences | None]
) -> Tensor | None:
    """Amounts ``[C]`` of a text that is a sentence about a situation as a whole, be it of several clauses or about an animal: "the lights went
    out and somebody screamed", "her dog ran away"; None where it is not, or wishes of it are known."""
    if (
        (wishes == [Clause(text, 1.0)] and not without_degree(text)[0])  # is read as a wish like others
        or _length(text) < SENTENCE + 1
        or about_no_face(text, meanings.phrases.find)
        or any(meanings.known(t) is not None for t in (text, *(w.text for w in wishes if w.worth != NOT)))
        or any(w.sure or w.worth not in (0.0, 1.0, NOT) for w in wishes)
        or (len(wishes) > 1 and _OF_FACES.search(text))
    ):
        return None
    reader = sentences()
    told = reader and reader.read(text)
    doubtful = any(w.worth == 0 or meanings.known(w.text) is not None for w in wishes)
    least = CERTAIN if not _SOMEBODY.search(text) else LIKELIEST if doubtful else LIKELIER
    if not told or told.nothing or not told.known or told.chance < least:
        return None
    # who is "not happy about the gift" is read as happy: that something is turned down was not heard
    if any(w.worth == NOT and _alike(reader.read(w.text).amounts, told.amounts) for w in wishes):
        return None
    return told.amounts


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether amounts ``[C]`` name the same above all."""
    k = one.abs().argmax()
    return bool(one.abs().max() >= UNDERSTOOD and k == other.abs().argmax() and one[k] * other[k] > 0)


def _heard(row: Tensor, told: Tensor, meanings: Meanings, sentences: Callable[[], Sentences | None]) -> bool:
    """Whether what ``told [C]`` names above all is what the amounts ``row [C]`` name, or is named there beside a shape or a colour."""
    most, top = row.abs().max(dim=0)
    reader = sentences()
    beside = (
        reader is not None
        and meanings.names[int(top)] not in reader.brought
        and bool(row[told.argmax()] >= SECOND * most)
    )
    return _alike(row, told) or (float(most) >= UNDERSTOOD and beside)


def _length(text: str) -> float:
    """Words of a text; a Chinese one has somewhat more than a character."""
    return len(text.split()) if text.isascii() else len(re.findall("[\u4e00-\u9fff]", text)) / 1.3


def _clausewise(
    encode: Callable[[Sequence[str]], Tensor],
    meanings: Meanings,
    text: str,
    wishes: list[Clause],
    whole: Tensor,
    sentences: Callable[[], Sentences | None],
    entire: bool,
) -> Tensor:
    """:func:`composed` of the ``wishes`` that are the clauses of a text."""
    # Numbers say how much
    sure = meanings.known(text) if all(w.worth in (0.0, 1.0, NOT, LESS) for w in wishes) else None
    if sure is not None:
        bare, much = without_degree(text)
        plain = meanings.known(bare) if bare else None
        meant = sure if plain is None else by_degree(sure, plain, text, much, True)
        [alone], _ = meanings.read(whole[None])
        read = certain(alone, text)
        meant = read if (read - meant).abs().max() <= NEARLY else meant
        return whole if torch.equal(meant, alone) else meanings.point(meant)
    felt = None if any(w.worth not in (1.0, NOT) for w in wishes) else _SO_THAT.fullmatch(text)
    sure = meanings.known(felt["felt"]) if felt else None
    if sure is not None and sure.any():
        return meanings.point(sure * without_degree(text)[1])
    others = not entire or any(w.worth == 0 for w in wishes)  # of these the whole speaks too
    wishes = [w for w in wishes if w.worth]
    if others and not wishes:
        return meanings.neutral
    if not others and wishes == [Clause(text, 1.0)]:
        bare, much = without_degree(text)
        [alone, *without], [fit, *_] = _read(encode, meanings, [bare] if bare else [], whole)
        read, alone = alone, _likely(alone, text, meanings, sentences, fit)
        felt = None if bare else _felt(text, meanings)  # how much of it is no doubt of the tower
        meant = certain(alone, text) if felt is None else felt
        if bare:
            meant = by_degree(alone, *without, text, much, meanings.known(bare) is not None)
        return whole if torch.equal(meant, read) else meanings.point(meant)
    texts = [w.text for w in wishes]
    bares = [without_degree(w.text) if w.worth > 0 else ("", 1.0) for w in wishes]
    read, fit = _read(encode, meanings, [*texts, *(b for b, _ in bares if b)], whole)
    alone, rows, without = read[0], read[1 : len(wishes) + 1], iter(read[len(wishes) + 1 :])
    amounts, contrary, wrong, fits = torch.zeros_like(alone), False, False, []
    plainly = torch.zeros_like(alone)
    for n, (wish, row, (bare, much)) in enumerate(zip(wishes, rows, bares, strict=True), 1):
        felt = None if bare else _felt(wish.text, meanings)
        sure = felt is not None or meanings.known(wish.text) is not None
        row = row if felt is None else felt
        known_bare = bool(bare) and meanings.known(bare) is not None
        plain = next(without) if bare else row
        if not sure:
            row = _likely(row, wish.text, meanings, sentences, fit[n])
            row = row * (row.abs() >= BESIDE * row.abs().max())
        meant = row if sure else by_degree(row, plain, wish.text, much, known_bare) if bare else certain(row, wish.text)
        if meant.abs().max() < UNDERSTOOD:
            continue
        fits.append(fit[n])
        most = row.abs().argmax()
        opposed = wish.worth < 0 and float(alone[most] * row[most].sign()) >= UNDERSTOOD
        contrary, wrong = contrary or opposed, wrong or (opposed and wish.sure)
        meant = _turned(meant, wish.worth, meanings.names)
        amounts = torch.where(meant.abs() > amounts.abs(), meant, amounts)
        if sure and wish.worth > 0:  # in its own words, which others do not turn down: "not toothy, smile"
            plainly = plainly.maximum(meant * (meant >= UNDERSTOOD))
    amounts = torch.where(plainly > 0, plainly, amounts)
    clearer = sum(fits) / len(fits) - fit[0] if fits else 0.0
    beyond = ((alone.abs() >= UNDERSTOOD) & (amounts.abs() < UNDERSTOOD)).any()  # the whole names what no clause does
    # how much of each is meant the clauses tell better, where they leave out nothing
    graded = (any(b for b, _ in bares) or any(w.worth not in (1.0, NOT, LESS) for w in wishes)) and not beyond
    heart = all(meanings.known(t) is not None for t in texts)
    plain_sentences = beyond and len(wishes) > 1 and all(w.worth == 1.0 for w in wishes)
    heart = heart or (plain_sentences and all(meanings.known(t) is not None or _told(t, sentences) for t in texts))
    if others or wrong or graded or heart or clearer > (SURELY if contrary else CLEARER):
        return meanings.point(_side_by_side(amounts))
    meant = certain(alone, text)
    return whole if torch.equal(meant, alone) else meanings.point(meant)


def _side_by_side(amounts: Tensor) -> Tensor:
    """Amounts ``[C]`` of several wishes, none so small beside another that it would be taken for noise."""
    large = amounts.abs().max()
    if not ((amounts.abs() > UNDERSTOOD / 2) & (amounts.abs() < HEARD * large)).any():
        return amounts
    large = large.clamp(max=STRONG)
    least = torch.where(amounts.abs() > UNDERSTOOD / 2, HEARD * large, 0.0)
    return amounts.sign() * amounts.abs().clamp(max=large).maximum(least)


def _read(
    encode: Callable[[Sequence[str]], Tensor], meanings: Meanings, texts: list[str], whole: Tensor
) -> tuple[list[Tensor], list[float]]:
    """Amounts ``[C]`` that a whole and further texts mean, and how well these explain them; what is known by heart is that."""
    read, fit = meanings.read(torch.cat([whole[None], encode(texts)]) if texts else whole[None])
    rows, fits = list(read), fit.tolist()
    for n, text in enumerate(texts, 1):
        known = meanings.known(text)
        if known is not None:
            rows[n] = known
    return rows, fits


def _likely(
    row: Tensor, text: str, meanings: Meanings, sentences: Callable[[], Sentences | None], fit: float = 1.0
) -> Tensor:
    """Amounts ``[C]`` of a wish that the tower reads as ``row``, which explains its embedding as well as ``fit`` says, or, of a sentence, what it is likely to be
    about. What is likely to be about nothing on a face asks for nothing, and so does what either only guesses at. Of somebody with a quality that is known by heart ("an angry plumber") that quality counts."""
    row = _without_titles(row, text, meanings.names)
    felt = _felt(text, meanings)
    if felt is not None:
        return felt
    said = plain(text).split()
    qualities = [q for q in map(meanings.known, said) if q is not None and q.any()] if len(said) < QUALITY else []
    if any(_alike(row, q) for q in qualities):
        alone = row.abs().topk(2).values[1] < UNDERSTOOD and not DEGREE.search(text)
        return next(q for q in qualities if _alike(row, q)) if alone else row
    deaf, unsure = (float(row.abs().max()) < most for most in (UNDERSTOOD, UNSURE))
    short, guessed = _length(text) < SENTENCE, fit < GUESSED and not _OF_FACES.search(text)
    reader = None if short and (deaf or not (unsure or guessed)) else sentences()
    if reader is None:
        return row
    told = reader.read(text)
    if told.nothing and qualities:
        return row
    least = LIKELIER if short or told.nothing or not told.known or NEGATED.search(text) else LIKELY
    least = CERTAIN if deaf and not _SOMEBODY.search(text) else least  # other topics are often as near
    sure = told.chance >= least
    if sure and (told.known or unsure) and not _heard(row, told.amounts, meanings, sentences):
        return told.amounts
    if told.known and told.chance >= LIKELIEST and not short and _alike(row, told.amounts):  # of situations, that alone
        beside = torch.tensor([name not in reader.brought for name in meanings.names])
        return row * (beside | (told.amounts > 0))
    if guessed and not _alike(row, told.amounts) and (told.nothing or told.chance < LIKELY):
        return torch.zeros_like(row)
    return row


def _felt(text: str, meanings: Meanings) -> Tensor | None:
    """Amounts ``[C]`` of what somebody feels, or feels about something, that is known by heart; None of other texts."""
    felt = _felt_by_somebody(text, meanings)
    return _felt_about_something(text, meanings) if felt is None else felt


def _felt_by_somebody(text: str, meanings: Meanings) -> Tensor | None:
    """Amounts ``[C]`` of somebody who feels something ("an angry clown"): that feeling, and the age, shape and colours of such a one, but not what such a
    one would show of himself. None of other texts."""
    ways = _somebody(text)
    if not ways:
        return None
    shows, ages = (torch.tensor([name in some for name in meanings.names]) for some in (SHOWN, AGES))
    for feels, *words in ways:
        feeling = meanings.known(feels)
        if feeling is None or not (feeling * shows).any():
            continue
        who = meanings.known((" " if text.isascii() else "").join(words))
        if who is None:
            # of what he is the age counts alone, of how he is ("black-haired") all
            *how, role = words
            known = [k for k in map(meanings.known, how) if k is not None]
            known += [k * ages for k in [meanings.known(role)] if k is not None]
            who = torch.stack(known).amax(0) if known else torch.zeros_like(feeling)
        return feeling + BEHIND * feeling.abs().max().clamp(max=1) * who * ~shows
    return None


def _felt_about_something(text: str, meanings: Meanings) -> Tensor | None:
    """Amounts ``[C]`` of what is felt or done ("over the moon about the news", "smiling at a baby"), or seen ("cheeks pink from the cold"), and not of
    what it is about or comes from. None of other texts."""
    felt_alone = torch.tensor([name in FELT for name in meanings.names])
    for about in () if NEGATED.search(text) else _ABOUT.finditer(text):
        felt = meanings.known(text[: about.start()])
        if felt is not None and (felt * felt_alone).any():
            return felt
    caused = _CAUSED.search(text)
    seen = plain(text[: caused.start()]) if caused else ""  # as it stands: who is "turning red" blushes, and is not red
    seen = meanings.known(seen) if {seen, stems(seen)} & meanings.phrases.known.keys() else None
    return seen if seen is not None and seen.any() else None


def _somebody(text: str) -> list[list[str]]:
    """Ways in which a text may be a quality and what somebody is called: "angry", "old", "clown"; "愤怒", "厨师"."""
    if text.isascii():
        words = plain(text).split()
        ways = [said.split() for said in inside(" ".join(words))] if any(map(is_role, words)) else []
        ways = [words for words in ways if 2 <= len(words) <= SOMEBODY and is_role(words[-1])]
        # "lost his best friend" is no quality of a friend
        return [
            words for words in ways if not re.search(rf"\b{re.escape(words[0])}\b.*\b{_WHOSE}\b", text, re.IGNORECASE)
        ]
    ways = [said.rpartition("的") for said in inside(plain(text))]
    return [[quality, who] for quality, of, who in ways if quality and of and is_role(who)]


def _without_titles(row: Tensor, text: str, names: Sequence[str]) -> Tensor:
    """Amounts ``[C]`` without the age that the tower hears in Chinese titles such as 老板, in which 老 is not old."""
    rest = _TITLES.sub("", text)
    if rest == text or "老" in rest or "old" not in names:
        return row
    return row * torch.tensor([name != "old" for name in names])


def _told(text: str, sentences: Callable[[], Sentences | None]) -> bool:
    """Whether a text is surely about something that situations bring about, or about nothing."""
    reader = sentences() if _length(text) >= SENTENCE else None
    told = reader and reader.read(text)
    return bool(told and told.known and told.chance >= LIKELIEST)


def _turned(amounts: Tensor, worth: float, names: Sequence[str]) -> Tensor:
    """What is meant where a wish with ``amounts [C]`` is worth this much: without wrinkles a face is young, which for others is no opposite."""
    amounts = amounts * worth
    if {"old", "young"} <= {*names}:
        old, young = names.index("old"), names.index("young")
        if amounts[old] < 0:
            amounts[young], amounts[old] = amounts[young] - amounts[old], 0
    return amounts
