"""Phrases that a guide knows by heart. A small text tower reads nine in ten of the phrases that it learnt; the others, and what artists put
around them ("make her look ...", "as if he had just ..."), can be looked up."""

from __future__ import annotations

import functools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .homophones import by_sound

Says = tuple[tuple[int, float], ...]  # numbers of concepts and amounts; nothing where a text asks for nothing

# what makes no difference: "lost her job", "lost the job"
_EMPTY = frozenset(
    [
        "a",
        "an",
        "the",
        "his",
        "her",
        "their",
        "my",
        "your",
        "its",
        "this",
        "that",
        "these",
        "those",
        "just",
        "please",
        "some",
    ]
)
_SAME = {
    "gray": "grey",
    "color": "colour",
    "colors": "colours",
    "colored": "coloured",
    "moustache": "mustache",
    "im": "i'm",
}
_P = r"(?:he|she|it|they|him|them|me|you|man|woman|person|face|guy|lady|subject|model|someone|somebody|people|photo|picture|image|portrait)"
_LIKE = r"(?:like|as if|as though|if)"
_BEFORE = re.compile(
    "(?:"
    + "|".join(
        (
            r"(?:photo|picture|portrait|image|close-up|closeup|photograph|headshot|expression|look|face) of",
            rf"(?:make|let|have|get|turn|give|keep|i want)(?: {_P})?(?: to)?(?: (?:look|be|feel|seem|appear|looking|into|show|have))?(?: {_LIKE})?(?: {_P})?(?: (?:is|was|were|has|had))?",
            rf"{_P}(?: who| that)? (?:is|was|looks|looked|seems|feels|appears|has|had|should be|should|must be|with|looking|feeling)(?: {_LIKE})?(?: {_P})?(?: (?:is|was|were|has|had))?",
            rf"(?:{_P}|i|we|who)(?:'s|'re|'m)(?: (?:looking|feeling|being|got|been))?(?: {_LIKE}(?: {_P})?(?: (?:is|was|were|has|had))?)?",
            rf"{_P}(?: who's)?",
            # how it comes about, when, and what is said of many things
            rf"(?:{_P} )?(?:(?:is|has|'s|was|had) )?(?:go(?:es|ing|ne)?|went|turn(?:s|ed|ing)?|becom(?:es?|ing)|became|got|gets|getting|grow(?:s|n|ing)?|grew)(?: (?:him|her|them|it|me))?",
            rf"(?:{_P} )?(?:start|begin|keep|continue|end)(?:s|ed|t|ning|ting|ing)?(?: (?:to|on|up|by))?",
            rf"(?:{_P} )?(?:began|kept|seen|seems? to be|appears? to be|looks? to be|pretend(?:s|ing)? to be)",
            r"(?:suddenly|slowly|gradually|now|then|currently|still|only|simply|maybe|perhaps|clearly|visibly|obviously|always|constantly|while|rather|quite|all)",
            rf"(?:why not|how about|what about|let's|i would like|i'd love|i wish|i want)(?: (?:make|have|let|get|try|see|go))?(?: {_P})?(?: (?:to|was|were))?(?: (?:be|look|have|feel))?",
            rf"(?:can|could|may|might|should|would|will|does|is) {_P}(?: (?:be|look|have|get|seem|feel))?",
            r"(?:\w+ )?\w+ who(?:'s| is| was| looks| feels| seems| has| had)?",
            rf"(?:(?:can|could|would|will) you|(?:{_P} )?(?:should|must|needs? to|has to|ought to|supposed to|tries to|wants to)|i'd like|i need|try to)(?: {_P})?(?: to)?"
            r"(?: (?:look|be|feel|seem|appear|make|have|show))?",
            r".{3,60}? so (?:he|she|they|it) (?:looks?|seems?|is|are|feels?)",
            rf"(?:look|looks|looking|seem|seems|feel|feels|feeling|being|be|imagine)(?: {_LIKE})?(?: {_P})?(?: who)?(?: (?:is|was|were|has|had))?",
            rf"{_LIKE}(?: {_P})?(?: who)?(?: (?:is|was|were|has|had))?",
            r"(?:i want |i'd like |make |let )?(?:the|his|her|their|my|this)(?: \w+'s)? (?:facial )?(?:expression|face|look|mood) (?:to |should |must |needs to )?(?:read|come across|convey|express|say|show)s?(?: as| like)?",
            r"(?:with|having|show|showing|add|wearing|get|who is|who|i'm|more)",
            r"(?:full of|filled with|overcome (?:with|by)|consumed (?:with|by)|radiating|expressing|expression of|sense of|air of|state of|in state of)",
            r"(?:facial expression|expression|emotion|mood|vibe|feeling|face|look|pov):",
            r"(?:(?:me|face|feeling|moment|look|tfw|mfw)(?: you (?:make|get))? )?when(?: (?:you|he|she|they|i))?(?: (?:is|are|have|has|had))?",
        )
    )
    + r")(?= |$)"  # of "look" and "looking" the one that ends here
)
_AFTER = re.compile(
    r" (?:face|expression|look|person|man|woman|guy|lady|portrait|photo|mood|vibes?|energy|mode|attitude|emotion|on face|in eyes|looking|now|today|ever|alive|possible|in world|on earth"
    r"|from (?:the )?(?:camera|viewer|lens)|(?:with|of|at|about|by|to) (?:everything|everyone|everybody|it all|it|this|you|me|him|them|us|life|people|humanity|(?:whole )?world))$"
)
_ENDING = re.compile(r"(?:iness|ness|ily|ly|ies|ied|ing|ed|es|s|y|e)$")
_QUALITY = re.compile(r"(?:ly|ness)$")
_IRREGULAR = {
    form: common
    for common, forms in {
        "be": "am are been being is was were", "break": "broke broken", "catch": "caught", "com": "came", "drink": "drank drunk",
        "eat": "ate eaten", "fall": "fallen fell", "feel": "felt", "fight": "fought", "find": "found", "forget": "forgot forgotten",
        "get": "got gotten", "go": "goes gone went", "hear": "heard", "know": "knew known", "lo": "lose loses losing lost", "mak": "made",
        "meet": "met", "see": "saw seen", "say": "said", "sleep": "slept", "stand": "stood", "tak": "taken took", "tell": "told",
        "wak": "woke woken", "weep": "wept", "win": "won",
    }.items()
    for form in forms.split()
}  # fmt: skip
_ZH_BEFORE = re.compile(
    r"(?:请|把|将|让|使|给|(?:换|改|变|[pP修弄做搞整画]|修改|更改|调整|切换|转换)(?:成|为)(?:一个|一张|个)?|换上?一?个|一位|一名|模特|主体|角色|看看|试试|想看|提示词|一个|一张|一副|一脸|满脸|她的?|他的?|人物|看起来|看上去|显得|表情|脸上|变得|变|露出|带着|有|很|更|好像|就像|像|仿佛|刚刚|刚才|刚|表情是|笑容|眼神|神态|面容|心里|心中|内心|一种|充满|流露出|显出|做出|摆出|神情|来一?[个点]|给我|加上?一?[个点]?|想?要一?[个点种]?|整一?个|现在|如今|已经|再|然后|接着|画上?一?个?|正在?|在(?=.{2})|忍不住|不由得|不禁|开始|突然|忽然|渐渐|逐渐|慢慢地?|继续|一直|总是|显然)[:：]?"
)
_ZH_AFTER = re.compile(
    r"(?:的?(?:表情|样子|脸|神情|人|男人|女人|女孩|男孩|神色)|似的|一样|的|了|模样|神色|状|状态|吧|啊|呀|哦|一下|起来|版本?|会?是什么样子?|会怎么?样|[再更]?(?:明显|突出)一?[点些]|[~～…]+)$"
)


@dataclass(frozen=True)
class Phrasebook:
    """Phrases and what they say.

    Attributes:
        known: what each says, by the stems of its words (:func:`stems`), or by its words alone (:func:`plain`) where that makes a difference.
    """

    known: Mapping[str, Says]

    def find(self, text: str) -> Says | None:
        """What a text says, if the phrase that it is made of is known, be it in another form of its words: "stared daggers"."""
        known = self.known
        for found in inside(plain(text)):
            key = found if found in known else stems(found)
            if key in known:
                return known[key]
            if adjective := next((a for a in _adjectives(found) if known.get(a)), ""):
                return known[adjective]
        return None

    @functools.cached_property
    def by_sound(self) -> Mapping[tuple[str, ...], list[str]]:
        """The Chinese phrases, by how they sound."""
        return by_sound(self.known)

    @classmethod
    def of(cls, phrases: Iterable[tuple[str, Says]]) -> Phrasebook:
        """Of phrases and what they say; those that say two things are left out."""
        exact, stemmed = defaultdict(set), defaultdict(set)
        for text, says in phrases:
            if key := plain(text):
                exact[key].add(says)
                stemmed[stems(key)].add(says)
        known = {key: next(iter(says)) for key, says in stemmed.items() if len(says) == 1}
        known |= {key: next(iter(says)) for key, says in exact.items() if len(says) == 1 and stems(key) not in known}
        return cls(known)

    def dumps(self) -> str:
        """As text, for the metadata of a file of weights."""
        by_says: dict[str, list[str]] = {}
        for text, says in self.known.items():
            by_says.setdefault(" ".join(f"{k}*{a:g}" for k, a in says), []).append(text)
        return json.dumps({says: "\n".join(texts) for says, texts in by_says.items()}, ensure_ascii=False)

    @classmethod
    def loads(cls, text: str) -> Phrasebook:
        """What :meth:`dumps` wrote.

        Raises:
            ValueError: it is not that.
        """
        try:
            known: dict[str, Says] = {}
            for says, texts in json.loads(text).items():
                pairs = (one.split("*") for one in says.split())
                known |= dict.fromkeys(texts.split("\n"), tuple((int(k), float(a)) for k, a in pairs))
        except (AttributeError, TypeError, ValueError) as e:
            raise ValueError(f"no phrases: {e}") from e
        return cls(known)


@functools.lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """The words of a text, without those that make no difference."""
    text = text.lower().strip(" .,!?，。！？")
    if not text.isascii():  # between English words blanks stay: "要一个big smile"
        return re.sub(r"(?<![!-~])\s+|\s+(?![!-~])", "", text)
    return " ".join(_SAME.get(w, w) for w in text.replace("’", "'").split() if w not in _EMPTY)


@functools.lru_cache(maxsize=4096)
def stems(text: str) -> str:
    """The stems of the words of a plain English text, so that "grins" and "grinning" are the same. A single word stays as it is: "stoned" is
    no stone."""
    words = text.split()
    return text if len(words) < 2 or not text.isascii() else " ".join(map(stem, words))


def stem(word: str) -> str:
    """What forms of an English word have in common."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    found = _ENDING.sub("", word) if len(word) > 4 else word
    if len(found) < 3:
        return word
    return found[:-1] if len(found) > 3 and found[-1] == found[-2] and found[-1] not in "ls" else found


def _adjectives(word: str) -> tuple[str, ...]:
    """What an adverb or the name of a quality may come from: "gloomily" and "gloominess" from "gloomy"."""
    bare = _QUALITY.sub("", word)
    if bare == word or len(bare) < 3 or not bare.isalpha():
        return ()
    return (f"{bare[:-1]}y",) if bare[-1] == "i" else (bare, f"{bare}le")


def inside(text: str) -> Iterator[str]:
    """A text, and what is left of it without what sentences have around a phrase, step by step."""
    before, after = (_BEFORE, _AFTER) if text.isascii() else (_ZH_BEFORE, _ZH_AFTER)
    seen = {text: None}
    yield text
    for _ in range(4):
        for one in list(seen):
            start = before.match(one)
            shorter = [after.sub("", one)]
            if start and (not text.isascii() or one[start.end() : start.end() + 1] == " "):
                shorter.append(one[start.end() :].strip())
            for found in shorter:
                if found and found not in seen:
                    seen[found] = None
                    yield found
