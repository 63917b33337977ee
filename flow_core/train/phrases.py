"""The phrases of ``phrases_en.txt`` and ``phrases_zh.txt`` with what they mean, and sentences that say one of them: with persons, degrees,
negations and sides. :mod:`flow_core.train.composer` composes texts of them."""

from __future__ import annotations

import functools
import random
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ..guides.phrasebook import Phrasebook
from .attributes import CONCEPTS

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "zh")
KINDS = ("adj", "noun", "verb", "do", "more", "event", "text")
WEAK, STRONG, LESS = 0.5, 1.5, -0.5

_NUMBER = {c.name: k for k, c in enumerate(CONCEPTS)}
_SIDES = {"en": ("left", "right"), "zh": ("左", "右")}


@dataclass(frozen=True)
class Phrase:
    """A phrase of the files: its text, its kind, what it says, and the names of the part of the face that it is about."""

    text: str
    kind: str
    says: tuple[tuple[int, float], ...]
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lexicon:
    """All phrases of a language, by what they are about."""

    language: str
    phrases: tuple[Phrase, ...]
    nothing: tuple[str, ...]  # texts that ask for nothing

    @functools.cached_property
    def groups(self) -> list[list[Phrase]]:
        """Phrases of one meaning and kind."""
        found = defaultdict(list)
        for p in self.phrases:
            found[p.says, p.kind, p.parts].append(p)
        return list(found.values())

    @functools.cached_property
    def by_meaning(self) -> list[list[list[Phrase]]]:
        found = defaultdict(list)
        for group in self.groups:
            found[group[0].says].append(group)
        return list(found.values())

    def words(self) -> set[str]:
        """Every word of the phrases."""
        texts = [t for p in self.phrases for t in (p.text, *p.parts)]
        return {w for t in texts for w in re.findall(r"[^\W\d_]+", t.lower())}


@functools.cache
def lexicon(language: str) -> Lexicon:
    """The phrases of ``phrases_LANGUAGE.txt``; the format is described there."""
    parts: dict[str, tuple[str, ...]] = {}
    phrases: list[Phrase] = []
    nothing: list[str] = []
    for line in (FOLDER / f"phrases_{language}.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip() or line[0] == "#":
            continue
        head, _, rest = line.partition(": ")
        texts = [t.strip() for t in re.split(r";(?:\s+|$)", rest) if t.strip()]
        if head.startswith("part "):
            parts[head.split()[1]] = tuple(texts)
            continue
        if head == "none":
            nothing += texts
            continue
        match = re.fullmatch(rf"(.+?)(?: @(\S+))? ({'|'.join(KINDS)})", head)
        if not match:
            raise ValueError(f"phrases_{language}.txt: {line[:60]!r} is no 'concepts kind: phrases'.")
        sides = _SIDES[language]
        for english, side in zip(_SIDES["en"], sides, strict=True) if "SIDE" in line else [("", "")]:
            says = _says(match[1].replace("SIDE", english))
            phrases += [
                Phrase(t.replace("SIDE", side), match[3], says, parts[match[2]] if match[2] else ()) for t in texts
            ]
    return Lexicon(language, tuple(phrases), tuple(nothing))


def book() -> Phrasebook:
    """All phrases that need no name of a part of the face beside them, for a guide to know by heart."""
    found = [(p.text, p.says) for language in LANGUAGES for p in lexicon(language).phrases if not p.parts]
    return Phrasebook.of([*found, *((t, ()) for language in LANGUAGES for t in lexicon(language).nothing)])


def _says(text: str) -> tuple[tuple[int, float], ...]:
    says = []
    for one in text.split(" + "):
        name, _, amount = one.partition("*")
        sign = -1.0 if name[0] == "-" else 1.0
        says.append((_NUMBER[name.removeprefix("-").strip()], sign * float(amount or 1)))
    return tuple(says)


PEOPLE = ("face", "person", "man", "woman", "portrait", "human face", "girl", "boy", "guy", "lady", "child", "headshot", "human", "model",
          "character", "dude", "gentleman", "mom", "dad", "kid", "student", "subject", "somebody's face")  # fmt: skip
HE = (
    "he", "she", "the man", "the woman", "the person", "the face", "the girl", "the boy", "this guy", "the subject", "it",
    "the model",
)  # fmt: skip
HIM = (
    "him", "her", "the man", "the woman", "the face", "the person", "them", "it", "me", "this guy", "the girl", "my friend",
    "the subject",
)  # fmt: skip
HIS = ("his", "her", "the", "their", "my", "both", "these", "your", "the person's", "the woman's")
PLAIN = ("a {p}", "a photo of a {p}", "a picture of a {p}", "a portrait of a {p}", "the face of a {p}", "{p}", "{h}", "this {p}", "someone",
         "somebody", "an image of a {p}", "a close-up of a {p}", "a nice photo of {m}", "the same {p}", "{h} as before", "photo", "portrait",
         "edit the picture", "make {m} different", "change {m}", "do something with {m}", "a {p} with a face", "a selfie", "his face",
         "her head", "change the expression", "another look")  # fmt: skip
BEFORE = ("a photo of {c}", "a picture of {c}", "a portrait of {c}", "a close-up of {c}", "the face of {c}", "an image of {c}", "this is {c}",
          "please, {c}", "i want {c}", "i'd like {c}", "show me {c}", "turn this into {c}", "edit: {c}", "a realistic photo of {c}",
          "a studio shot of {c}", "can you do {c}", "{c} please", "{c}, high quality", "{c}, portrait", "{c}, 8k", "{c}, photorealistic",
          "{c}, detailed face", "{c}!", "{c}.", "{c} now", "just {c}", "only {c}", "{c}, cinematic light", "({c})")  # fmt: skip
STRONGER = ("very", "extremely", "really", "super", "so", "incredibly", "totally", "intensely", "very very", "much", "absolutely", "strongly",
            "deeply", "terribly", "quite very", "insanely", "utterly", "highly", "exceptionally", "way too", "too", "exaggeratedly",
            "very", "extremely", "really really", "ultra", "mega", "hugely", "wildly", "overly", "remarkably", "unbelievably", "seriously",
            "severely", "massively", "dramatically", "particularly", "awfully", "immensely", "very, very", "hella", "truly")  # fmt: skip
WEAKER = ("slightly", "a bit", "a little", "somewhat", "mildly", "faintly", "subtly", "a tad", "a touch", "just a little", "a little bit",
          "barely", "kind of", "sort of", "ever so slightly", "almost", "moderately", "gently", "only slightly", "a hint of",
          "slightly", "a bit", "a little", "a wee bit", "a smidge", "lightly", "softly", "a tiny bit", "just slightly", "half", "minimally",
          "rather mildly", "a trifle", "not very", "partly", "kinda", "sorta", "just barely", "vaguely", "a fraction", "discreetly")  # fmt: skip
STRONG_NOUN = ("a strong {n}", "an intense {n}", "a very big {n}", "so much {n}", "an extreme {n}", "a lot of {n}", "plenty of {n}",
               "an exaggerated {n}", "a really strong {n}", "intense {n}", "extreme {n}", "much {n}", "maximum {n}")  # fmt: skip
WEAK_NOUN = ("a slight {n}", "a hint of {n}", "a faint {n}", "a subtle {n}", "a touch of {n}", "a little {n}", "a bit of {n}", "some {n}",
             "a mild {n}", "the trace of {n}", "a suggestion of {n}", "slight {n}", "subtle {n}", "a weak {n}", "half a {n}")  # fmt: skip


def article(phrase: str) -> str:
    """A phrase with "a" or "an"."""
    return f"{'an' if phrase[:1] in tuple('aeiou') else 'a'} {phrase}"


def bare(noun: str) -> str:
    """A noun without its article."""
    return re.sub(r"^(a|an|the) ", "", noun)


Say = tuple[str, tuple[tuple[int, float], ...]]


def scaled(says: tuple[tuple[int, float], ...], by: float) -> tuple[tuple[int, float], ...]:
    """Concepts and their amounts, multiplied."""
    return tuple((k, a * by) for k, a in says)


def negated(says: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    """What is meant when somebody wants it not: no wrinkles are youth."""
    if says == ((_NUMBER["old"], 1.0),):
        return ((_NUMBER["young"], 1.0),)
    return scaled(says, -1.0)


def english(rng: random.Random, p: Phrase, person: str = "face") -> Say:
    """A phrase in a sentence about a ``person``."""
    he, him, his = rng.choice(HE), rng.choice(HIM), rng.choice(HIS)
    roll, says, t = rng.random(), p.says, p.text
    # degrees and negations of what is said once and fully
    plain = len(says) == 1 and says[0][1] == 1.0 and p.kind not in ("event", "text")
    way = (
        "strong" if roll < 0.09 else "weak" if roll < 0.22 else "not" if roll < 0.35 else "less" if roll < 0.38 else ""
    )
    way = way if plain else ""
    factor = {"strong": STRONG, "weak": WEAK, "not": -1.0, "less": LESS, "": 1.0}[way]
    if p.parts:
        part = rng.choice(p.parts)
        if p.kind == "adj":
            a = t
            if way == "strong":
                a = f"{rng.choice(STRONGER)} {t}"
            elif way == "weak":
                a = f"{rng.choice(WEAKER)} {t}"
            elif way == "not":
                return rng.choice((f"{part} that are not {t}", f"not {article(t)} {part}", f"{part} not {t}", f"{his} {part} should not be so {t}", f"no {t} {part}",
                                   f"without {t} {part}", f"not so {t} {part}", f"{part} isn't {t}", f"no longer {t} {part}",
                                   f"not {t} {part}", f"remove the {t} {part}", f"{his} {part} not so {t}", f"{part} not so {t}", f"{part} not too {t}",
                                   f"{his} {part} aren't {t}", f"{part} should not be {t}", f"{his} {part} not {t}", f"not such {t} {part}",
                                   f"don't make {his} {part} {t}", f"without the {t} {part}", f"not that {t} {part}", f"lose the {t} {part}",
                                   f"stop having {t} {part}", f"{part} not as {t}", f"not {t} {part} anymore", f"the {part} isn't so {t}", f"{his} {part} isn't {t}",
                                   f"the {part} is not so {t}", f"don't make the {part} so {t}", f"{part} that isn't so {t}", f"not such {article(t)} {part}")), negated(says)  # fmt: skip
            elif way == "less":
                return rng.choice(
                    (f"less {t} {part}", f"make {his} {part} less {t}", f"{article(part)} less {t}", f"{part} less {t}", f"a less {t} {part}", f"not quite so {t} {part}")
                ), scaled(says, LESS)  # fmt: skip
            return rng.choice((f"{a} {part}", f"{a} {part}", f"{a} {part}", f"a {person} with {a} {part}", f"{his} {part} are {a}",
                               f"{his} {part} is {a}", f"{part} that are {a}", f"{article(a)} {part}", f"{part} {a}", f"with {a} {part}",
                               f"{he} has {a} {part}", f"give {him} {a} {part}", f"make {his} {part} {a}", f"make {his} {part} look {a}",
                               f"someone with {a} {part}", f"{a} {part} on a {person}", f"{his} {part} looks {a}", f"more {t} {part}",
                               f"{person} whose {part} is {a}", f"{part} should be {a}", f"{part}: {a}", f"add {a} {part}",
                               f"{his} {part}, {a}", f"i want {a} {part}", f"turn {his} {part} {a}")), scaled(says, factor)  # fmt: skip
        if p.kind == "more":
            more = t
            if way in ("strong", "not"):
                more, factor = (
                    f"{rng.choice(('much', 'a lot', 'way', 'far', 'considerably', 'even', 'significantly'))} {t}",
                    STRONG,
                )
            elif way in ("weak", "less"):
                more, factor = (
                    f"{rng.choice(('a bit', 'a little', 'slightly', 'somewhat', 'a touch', 'just a bit', 'a tad'))} {t}",
                    WEAK,
                )
            return rng.choice((f"{more} {part}", f"make {his} {part} {more}", f"{his} {part} {more}", f"{part} should be {more}",
                               f"give {him} {article(more)} {part}", f"{article(more)} {part}", f"{part} {more}", f"{more} {part} please",
                               f"{his} {part} is {more}", f"make {him} have {more} {part}", f"with {more} {part}")), scaled(says, factor)  # fmt: skip
        text = rng.choice(
            (
                f"{t} {his} {part}",
                f"{t} the {part}",
                f"{t} {part}",
                f"let {him} {t} the {part}",
                f"please {t} {his} {part}",
            )
        )
        if way in ("not", "less"):
            return rng.choice((f"don't {text}", f"do not {text}", f"never {text}", f"please don't {text}", f"dont {text}", f"{he} doesn't {text}",
                               f"{he} should not {text}", f"{he} won't {text}", f"don't you {text}", f"no need to {text}", f"not {text}",
                               f"stop trying to {text}", f"you must not {text}", f"don't let {him} {t} the {part}")), negated(says)  # fmt: skip
        return degree_after(rng, text, way), scaled(says, factor)
    if p.kind == "adj":
        if way == "not":
            return rng.choice((f"not {t}", f"no longer {t}", f"{he} isn't {t}", f"{he} is not {t}", f"never {t}", f"a {person} who is not {t}",
                               f"not {t} at all", f"{he} doesn't look {t}", f"don't look {t}", f"not {t} anymore", f"stop looking {t}",
                               f"not so {t}", f"not too {t}", f"anything but {t}", f"make {him} not {t}", f"drop the {t} look", f"lose the {t} expression",
                               f"no {t} look", f"no {t} expression", f"not that {t}", f"not looking {t}", f"{he} isn't {t} any more",
                               f"{he} should not be {t}", f"quit being {t}", f"stop being {t}", f"{he}'s not {t}", f"without looking {t}",
                               f"don't be {t}", f"don't be so {t}", f"a not so {t} {person}", f"{he} must not look {t}", f"non-{t}",
                               f"{he} does not look {t}", f"don't make {him} look {t}", f"not as {t}", f"not feeling {t}", f"isn't {t}",
                               f"not {t} looking", f"not {article(t)} {person}", f"remove the {t} look", f"hardly {t}", f"not a bit {t}",
                               f"not in the least {t}", f"nowhere near {t}")), negated(says)  # fmt: skip
        if way == "less":
            return rng.choice((f"less {t}", f"make {him} less {t}", f"{he} looks less {t}", f"a less {t} {person}", f"not quite so {t}")), scaled(says, LESS)  # fmt: skip
        a = f"{rng.choice(STRONGER)} {t}" if way == "strong" else f"{rng.choice(WEAKER)} {t}" if way == "weak" else t
        return rng.choice((f"{article(a)} {person}", f"{article(a)} {person}", f"{a} {person}", a, a, a, f"a {person} who is {a}",
                           f"a {person} looking {a}", f"{he} is {a}", f"{he} looks {a}", f"make {him} {a}", f"make {him} look {a}",
                           f"a {person} that looks {a}", f"more {t}", f"someone {a}", f"{article(a)} expression", f"{article(a)} look",
                           f"looking {a}", f"{he} seems {a}", f"feeling {a}", f"look {a}", f"{he} feels {a}", f"be {a}",
                           f"he appears {a}", f"{a} expression", f"{a} and nothing else", f"as if {he} were {a}")), scaled(says, factor)  # fmt: skip
    if p.kind == "noun":
        b = bare(t)
        if way == "not":
            return rng.choice((f"no {b}", f"without {t}", f"a {person} without {t}", f"remove the {b}", f"get rid of the {b}", f"not {t}",
                               f"{he} has no {b}", f"a {person} with no {b}", f"lose the {b}", f"no more {b}", f"take the {b} away",
                               f"without any {b}", f"the {b} is gone", f"hide the {b}", f"{he} lost the {b}", f"zero {b}", f"take away {his} {b}",
                               f"delete the {b}", f"erase the {b}", f"eliminate the {b}", f"drop the {b}", f"minus the {b}",
                               f"there is no {b}", f"free of {b}", f"not any {b}", f"no visible {b}", f"no sign of {b}", f"{b}: none",
                               f"no {b} on {his} face", f"remove {b}", f"remove {his} {b}", f"delete {b}", f"{he} doesn't have {t}",
                               f"{he} has not {t}", f"no {b} please", f"no {b} at all", f"i don't want {t}", f"cut out the {b}",
                               f"leave out the {b}", f"w/o {b}", f"take off the {b}", f"turn off the {b}", f"clear away {his} {b}",
                               f"get rid of {t}", f"lacking {t}", f"devoid of {b}")), negated(says)  # fmt: skip
        if way == "less":
            return rng.choice((f"less {b}", f"less of {t}", f"reduce the {b}", f"a smaller {b} than before")), scaled(
                says, LESS
            )
        n = (
            rng.choice(STRONG_NOUN).format(n=b)
            if way == "strong"
            else rng.choice(WEAK_NOUN).format(n=b)
            if way == "weak"
            else t
        )
        return rng.choice((n, n, n, b if not way else n, f"a {person} with {n}", f"a {person} with {n}", f"{he} has {n}", f"give {him} {n}",
                           f"with {n}", f"a {person} having {n}", f"add {n}", f"someone with {n}", f"{n} on a {person}", f"put {n} on {him}",
                           f"i want {n}", f"{he} shows {n}", f"{he} with {n}", f"{n}, please", f"there is {n} on {his} face",
                           f"get {n}", f"wearing {n}")), scaled(says, factor)  # fmt: skip
    if p.kind == "verb":
        if way in ("not", "less"):
            v = t.removeprefix("who is ").removeprefix("with ")
            return rng.choice((f"not {v}", f"stop {v}", f"no longer {v}", f"{he} is not {v}", f"{he} stopped {v}", f"a {person} not {v}",
                               f"without {v}", f"{he} isn't {v}", f"not {v} anymore", f"quit {v}", f"no {v}", f"{he} is no longer {v}", f"never {v}",
                               f"{he} should stop {v}", f"make {him} stop {v}", f"{he}'s not {v}", f"let {him} stop {v}", f"no more {v}",
                               f"please stop {v}", f"not {v} at all", f"{he} quit {v}", f"cease {v}", f"finish {v}",
                               f"a {person} who isn't {v}", f"avoid {v}")), negated(says)  # fmt: skip
        v = degree_after(rng, t, way)
        return rng.choice((f"a {person} {v}", f"a {person} {v}", v, v, f"someone {v}", f"{he} {v}", f"{he} is {v}", f"the {person} {v}",
                           f"a {person} who's {v}", f"keep {v}", f"as if {v}", f"like someone {v}", f"looks like {v}", f"{he} was {v}",
                           f"show {him} {v}", f"like a {person} {v}")), scaled(says, factor)  # fmt: skip
    if p.kind == "do":
        if way in ("not", "less"):
            return rng.choice((f"don't {t}", f"do not {t}", f"never {t}", f"{he} doesn't {t}", f"{he} should not {t}", f"{he} won't {t}",
                               f"please don't {t}", f"dont {t}", f"{he} must not {t}", f"{he} does not {t}", f"not {t}", f"do not {t} anymore",
                               f"{he} can't {t}", f"{he} didn't {t}", f"don't let {him} {t}", f"don't make {him} {t}", f"{he} mustn't {t}",
                               f"{t} no more", f"you shouldn't {t}", f"do not let {him} {t}", f"refuse to {t}", f"{he} refuses to {t}",
                               f"without having {him} {t}")), negated(says)  # fmt: skip
        d = degree_after(rng, t, way)
        return rng.choice((d, d, d, f"make {him} {d}", f"let {him} {d}", f"have {him} {d}", f"{he} should {d}", f"please {d}", f"{he} will {d}",
                           f"{he} wants to {d}", f"i want {him} to {d}", f"ask {him} to {d}", f"about to {d}", f"can you {d}",
                           f"{he} has to {d}", f"try to {d}", f"to {d}")), scaled(says, factor)  # fmt: skip
    if p.kind == "event":
        return rng.choice((f"as if {he} had just {t}", f"as if {he} had just {t}", f"as though {he} had {t}", f"as if {he} just {t}", f"like someone who just {t}",
                           f"like {he} just {t}", f"{he} just {t}", f"{he} has just {t}", f"{he} has {t}", f"{he} looks like {he} just {t}", f"just {t}",
                           f"a {person} who has just {t}", f"someone who just {t}", f"make {him} look as if {he} had {t}", f"the face of somebody who has {t}",
                           f"imagine {he} has just {t}", f"as if somebody had {t}", f"when you have just {t}", f"looks as though {he} has just {t}", t)), says  # fmt: skip
    return rng.choice(
        (t, t, t, t, f"a {person}, {t}", f"{he}: {t}", f"make {him} look {t}", f"{he} looks {t}", f"looking {t}")
    ), says


def degree_after(rng: random.Random, text: str, way: str) -> str:
    """A degree of a verb."""
    if way == "strong":
        return rng.choice((f"{text} a lot", f"{text} very much", f"really {text}", f"{text} strongly", f"{text} as much as possible",
                           f"{text} intensely", f"{text} widely", f"{text} very hard", f"{text} so much", f"{text} to the max",
                           f"{text} extremely", f"strongly {text}", f"{text} much more", f"{text} as much as you can", f"{text} like crazy",
                           f"{text} really hard", f"{text} all the way", f"{text} fully", f"{text} to the extreme", f"{text} dramatically"))  # fmt: skip
    if way == "weak":
        return rng.choice((f"{text} a bit", f"{text} a little", f"slightly {text}", f"{text} slightly", f"{text} just a little", f"barely {text}",
                           f"{text} somewhat", f"{text} gently", f"{text} a tiny bit", f"{text} halfway", f"almost {text}", f"{text} faintly",
                           f"{text} subtly", f"{text} ever so slightly", f"{text} a touch", f"{text} a little bit", f"just {text} a little", f"{text} lightly",
                           f"{text} softly", f"{text} partly", f"{text} only a bit", f"half {text}", f"{text} just slightly", f"kind of {text}",
                           f"{text} a tad", f"{text} half way"))  # fmt: skip
    if way in ("not", "less"):
        return rng.choice((f"don't {text}", f"do not {text}", f"never {text}", f"please don't {text}"))
    return text


人 = (
    "脸",
    "人",
    "男人",
    "女人",
    "女孩",
    "男孩",
    "面孔",
    "人像",
    "孩子",
    "女士",
    "先生",
    "小孩",
    "姑娘",
    "小伙子",
    "模特",
    "大叔",
    "阿姨",
)
她 = ("她", "他", "这个人", "女孩", "男人", "人物", "这张脸", "那个女人", "我", "他们", "孩子")
的 = ("他的", "她的", "", "", "人物的", "这个人的", "我的", "两边")
ZH_STRONG = ("非常", "很", "特别", "极其", "十分", "超级", "极度", "太", "超", "格外", "无比", "更加", "相当", "最")
ZH_WEAK = ("稍微", "有点", "略微", "稍稍", "微微", "有一点", "轻微", "略", "一点点", "有些", "稍微有点", "轻轻", "稍许")
ZH_PLAIN = (
    "一张脸", "一个{p}", "{p}", "一张{p}的照片", "人像照片", "{h}", "一个{p}的照片", "换个表情", "肖像", "证件", "修一下照片", "一位{p}", "随便改改",
)  # fmt: skip
ZH_BEFORE = ("一张{c}的照片", "{c}，高清", "请{c}", "{c}。", "我想要{c}", "帮我{c}", "{c}！", "{c}，写实", "画面：{c}", "{c}，特写", "{c}，8k", "改成{c}",
             "变成{c}", "{c}，谢谢", "只要{c}")  # fmt: skip


def chinese(rng: random.Random, p: Phrase) -> Say:
    """A phrase in a Chinese sentence."""
    person, she, her = rng.choice(人), rng.choice(她), rng.choice(的)
    roll, says, t = rng.random(), p.says, p.text
    plain = len(says) == 1 and says[0][1] == 1.0 and p.kind not in ("event", "text")
    way = "strong" if roll < 0.1 else "weak" if roll < 0.23 else "not" if roll < 0.34 else "less" if roll < 0.37 else ""
    way = way if plain else ""
    factor = {"strong": STRONG, "weak": WEAK, "not": -1.0, "less": LESS, "": 1.0}[way]
    strong, weak = rng.choice(ZH_STRONG), rng.choice(ZH_WEAK)
    if p.parts:
        part = rng.choice(p.parts)
        if p.kind == "adj":
            if way == "not":
                return rng.choice((f"不要{t}{part}", f"{part}不{t}", f"{part}不要{t}", f"{part}别太{t}", f"{part}没那么{t}", f"不{t}的{part}", f"去掉{t}的{part}",
                                   f"别让{part}{t}", f"没有{t}{part}")), negated(says)  # fmt: skip
            if way == "less":
                return rng.choice(
                    (
                        f"{part}没那么{t}",
                        f"{part}不那么{t}",
                        f"减少{part}的{t}",
                        f"{part}别这么{t}",
                        f"{part}不要这么{t}",
                    )
                ), scaled(says, LESS)
            if way == "strong":
                return rng.choice((f"{strong}{t}的{part}", f"{part}{strong}{t}", f"{part}{t}很多", f"让{her}{part}{strong}{t}", f"{her}{part}{strong}{t}")), scaled(says, STRONG)  # fmt: skip
            if way == "weak":
                return rng.choice((f"{weak}{t}的{part}", f"{part}{weak}{t}", f"{part}{t}一点", f"{part}{weak}{t}一点", f"让{her}{part}{t}一点", f"{her}{part}{t}一些",
                                   f"{part}稍微{t}一些")), scaled(says, WEAK)  # fmt: skip
            return rng.choice((f"{t}{part}", f"{t}{part}", f"{t}的{part}", f"{her}{part}{t}", f"{part}{t}", f"{part}很{t}", f"让{her}{part}变{t}", f"把{her}{part}变{t}",
                               f"{part}变{t}", f"{t}的{part}的{person}", f"有{t}{part}的{person}", f"一个{part}{t}的{person}", f"{she}有{t}的{part}", f"{part}更{t}",
                               f"把{part}改成{t}的", f"{her}{part}是{t}的", f"{part}要{t}", f"使{part}{t}", f"{part}弄{t}", f"想要{t}的{part}",
                               f"{part}改{t}")), says  # fmt: skip
        text = rng.choice(
            (
                f"{t}{part}",
                f"把{her}{part}{t}",
                f"{part}{t}",
                f"{her}{part}{t}",
                f"让{she}{t}{part}",
                f"将{part}{t}",
                f"请把{part}{t}",
            )
        )
        if way == "strong":
            text = rng.choice((f"用力{text}", f"{text}很多", f"使劲{text}", f"大幅{text}"))
        elif way == "weak":
            text = rng.choice(
                (f"稍微{text}", f"微微{text}", f"{text}一点", f"轻轻{text}", f"略微{text}", f"稍微{text}一点")
            )
        elif way:
            text, factor = rng.choice((f"不要{text}", f"别{text}", f"不{text}", f"不再{text}")), -1.0
        return text, scaled(says, factor)
    a = t.removesuffix("的")
    if p.kind == "adj":
        if way == "not":
            return rng.choice((f"不{a}", f"不要{a}", f"别{a}", f"没有那么{a}", f"不再{a}", f"一点也不{a}", f"看起来不{a}", f"别这么{a}", f"{she}不{a}", f"不{a}的{person}",
                               f"毫不{a}", f"不是{a}的")), negated(says)  # fmt: skip
        if way == "less":
            return rng.choice((f"没那么{a}", f"不那么{a}", f"别那么{a}", f"不要那么{a}")), scaled(says, LESS)
        if way == "strong":
            a = f"{strong}{a}"
        elif way == "weak":
            return rng.choice((f"{weak}{a}", f"{weak}{a}一点", f"{a}一点", f"{weak}{a}的{person}", f"让{she}{weak}{a}", f"{she}{weak}{a}", f"看起来{weak}{a}",
                               f"{a}一些", f"{weak}{a}的表情")), scaled(says, WEAK)  # fmt: skip
        return rng.choice((a, a, f"{a}的{person}", f"{a}的表情", f"{a}的样子", f"一个{a}的{person}", f"{she}很{a}" if way != "strong" else f"{she}{a}", f"{she}{a}",
                           f"看起来{a}", f"看起来很{a}", f"让{she}{a}", f"让{she}看起来{a}", f"变得{a}", f"显得{a}", f"更{a}", f"{a}的神情", f"{a}的脸", f"一脸{a}",
                           f"表情{a}", f"感到{a}", f"面带{a}", f"满脸{a}", f"一副{a}的样子", f"{a}地看着镜头", f"{a}表情", f"露出{a}的表情")), scaled(says, factor)  # fmt: skip
    if p.kind == "noun":
        if way in ("not", "less"):
            return rng.choice(
                (
                    f"没有{t}",
                    f"不要{t}",
                    f"去掉{t}",
                    f"无{t}",
                    f"去除{t}",
                    f"消除{t}",
                    f"别有{t}",
                    f"没有{t}的{person}",
                    f"减少{t}",
                    f"收起{t}",
                )
            ), negated(says)
        if way == "strong":
            t = rng.choice((f"强烈的{t}", f"非常明显的{t}", f"夸张的{t}", f"很深的{t}", f"大大的{t}", f"极度的{t}"))
        elif way == "weak":
            t = rng.choice(
                (
                    f"淡淡的{t}",
                    f"一丝{t}",
                    f"轻微的{t}",
                    f"些许{t}",
                    f"一点{t}",
                    f"浅浅的{t}",
                    f"微微的{t}",
                    f"略带{t}",
                    f"一点点{t}",
                )
            )
        return rng.choice((t, t, t, f"露出{t}", f"带着{t}", f"有{t}", f"{she}有{t}", f"一个有{t}的{person}", f"带{t}的{person}", f"脸上有{t}", f"给{she}{t}", f"加上{t}",
                           f"添加{t}", f"{she}脸上带着{t}", f"面带{t}", f"{t}的{person}", f"{she}露出{t}", f"变成{t}", f"要{t}", f"增加{t}")), scaled(says, factor)  # fmt: skip
    if p.kind in ("verb", "do"):
        if way in ("not", "less"):
            return rng.choice(
                (
                    f"不要{t}",
                    f"别{t}",
                    f"不{t}",
                    f"没有{t}",
                    f"停止{t}",
                    f"不再{t}",
                    f"不准{t}",
                    f"{she}没有{t}",
                    f"请不要{t}",
                    f"别再{t}了",
                )
            ), negated(says)
        if way == "strong":
            t = rng.choice((f"用力{t}", f"使劲{t}", f"拼命{t}", f"非常{t}", f"大幅度{t}", f"{t}得很厉害"))
        elif way == "weak":
            t = rng.choice(
                (
                    f"微微{t}",
                    f"稍微{t}",
                    f"轻轻{t}",
                    f"略微{t}",
                    f"{t}一点",
                    f"有点{t}",
                    f"稍稍{t}",
                    f"轻微{t}",
                    f"稍微{t}一下",
                )
            )
        return rng.choice((t, t, t, f"{t}的{person}", f"一个{t}的{person}", f"{she}{t}", f"{she}在{t}", f"正在{t}", f"让{she}{t}", f"请{t}", f"{she}正在{t}",
                           f"使{she}{t}", f"{t}着", f"{t}的样子", f"{t}的表情", f"叫{she}{t}", f"{she}{t}了", f"做出{t}的表情")), scaled(says, factor)  # fmt: skip
    if p.kind == "event":
        return rng.choice((f"像{t}一样", f"好像{t}", f"仿佛刚{t}", f"像刚刚{t}一样", f"好像刚{t}似的", f"就像{t}", f"{she}刚{t}", f"刚刚{t}的{person}", f"一副{t}的样子",
                           f"刚{t}的表情", f"就像刚{t}的{person}", f"{she}看起来像刚{t}", f"仿佛{she}{t}", t)), says  # fmt: skip
    return rng.choice((t, t, t, f"{she}{t}", f"让{she}{t}", f"{t}的{person}")), says
