"""Texts composed of the phrases of :mod:`flow_core.train.phrases`, with what they mean: one wish in a sentence, several wishes as artists
write them (in sentences, as orders, as lists of tags), and beside them texts that ask for nothing that a face can do."""

from __future__ import annotations

import functools
import itertools
import random
import re
import string

from ..guides.subjects import ANIMALS, CHINESE, OBJECTS
from .attributes import CONCEPTS
from .phrases import (
    BEFORE,
    HE,
    HIM,
    HIS,
    LANGUAGES,
    PEOPLE,
    PLAIN,
    STRONG,
    STRONG_NOUN,
    STRONGER,
    WEAK,
    WEAK_NOUN,
    WEAKER,
    ZH_BEFORE,
    ZH_PLAIN,
    Phrase,
    Say,
    article,
    bare,
    chinese,
    degree_after,
    english,
    lexicon,
    negated,
    scaled,
    人,
    她,
)  # fmt: skip

RARE = 0.3  # share of persons that are called what few are
JOINTS = {
    "en": (" and ", ", ", " with ", " but ", ", ", " while ", " plus ", " & ", "; ", " and also ", ", but ", " as well as ", ". ", " + ",
           ", and ", " ", " then ", " / "),
    "zh": ("，", "，", "并且", "而且", "、", "和", "，但", "又", "，同时", "；", "加上", " ", "，还有", "。"),
}  # fmt: skip

# What stands in lists of tags beside wishes, and asks for nothing.
TAGS = ("8k", "4k", "masterpiece", "best quality", "highly detailed", "ultra detailed", "photorealistic", "realistic", "raw photo", "film grain",
        "bokeh", "depth of field", "sharp focus", "soft light", "studio light", "cinematic lighting", "dramatic lighting", "rim light",
        "golden hour", "natural light", "50mm", "85mm lens", "f/1.8", "dslr", "professional photo", "portrait", "close-up", "headshot",
        "upper body", "looking at viewer", "solo", "1girl", "1boy", "1man", "1woman", "simple background", "white background",
        "dark background", "blurry background", "outdoors", "indoors", "city street", "forest", "beach", "night", "rain", "snow",
        "absurdres", "highres", "hdr", "uhd", "intricate details", "trending on artstation", "by greg rutkowski", "oil painting",
        "digital art", "concept art", "unreal engine", "octane render", "sdxl", "shot on kodak portra", "symmetrical", "perfect composition",
        "professional color grading", "moody atmosphere", "street photography", "fashion photo", "magazine cover", "vogue", "candid",
        "detailed skin texture", "skin pores", "freckles", "beard", "stubble", "glasses", "earrings", "necklace", "hat", "scarf", "hoodie",
        "white shirt", "leather jacket", "red dress", "suit", "tie", "long hair", "short hair", "curly hair", "ponytail", "bangs",
        "tattoo", "piercing", "anime style", "vintage", "polaroid", "black and white", "monochrome", "low key", "high contrast",
        "centered", "front view", "looking at camera", "score_9", "rating safe", "<lora:detail:0.6>", "canon eos r5", "award winning")  # fmt: skip
ZH_TAGS = ("8k", "4k", "高清", "杰作", "最佳质量", "超精细", "写实", "照片", "电影感", "景深", "柔光", "影棚灯光", "肖像", "特写", "半身像", "看着镜头",
           "1个女孩", "一个男人", "白色背景", "黑色背景", "户外", "室内", "夜晚", "街头", "专业摄影", "大师作品", "油画", "数字艺术", "长发",
           "短发", "卷发", "戴眼镜", "耳环", "帽子", "胡子", "雀斑", "西装", "白衬衫", "红裙子", "细节丰富", "胶片质感", "逆光")  # fmt: skip

CLOTHES = ("dress", "shirt", "t-shirt", "jacket", "coat", "hat", "cap", "scarf", "suit", "tie", "hoodie", "sweater", "skirt", "uniform", "apron",
           "helmet", "mask", "blouse", "gown", "kimono", "beanie", "turban", "crown", "veil", "cape", "costume", "backpack", "necklace",
           "bracelet", "watch", "glove", "shoe", "boot", "sock", "belt", "swimsuit", "robe", "vest")  # fmt: skip
PLACES = ("in a park", "on the beach", "in the snow", "on a sofa", "at night", "in the rain", "by the sea", "in a garden", "on a roof",
          "in front of a house", "under a tree", "at the window", "in the kitchen", "on the table", "in a forest", "on a hill", "in space",
          "in the street", "at sunset", "in a cage", "on a plate", "in a field", "on the wall", "at dawn", "in winter")  # fmt: skip
PARTS = ("nose", "eyes", "mouth", "lips", "eyebrows", "brows", "eyelids", "cheeks", "chin", "jaw", "forehead", "hair", "skin", "face", "head",
         "teeth", "ears", "ear", "neck", "left eye", "right eye", "left ear", "right ear", "left cheek", "right cheek", "left eyebrow",
         "right eyebrow", "upper lip", "lower lip", "cheekbones", "nostrils", "irises", "pupils", "eyelashes", "jawline", "hairline",
         "temples", "philtrum", "nose bridge", "facial features", "tongue", "mouth corners", "beard", "throat")  # fmt: skip
COLOURS = ("red", "blue", "green", "black", "white", "pink", "purple", "brown", "grey", "golden", "yellow", "orange", "silver", "blond", "dark",
           "light", "pale", "bright")  # fmt: skip
VAGUE = ("make it nicer", "improve this", "do it", "fix it", "make it better", "better please", "the same but different", "something else",
         "surprise me with anything", "as before", "keep everything", "leave it as it is", "undo", "redo", "again", "next", "one more time",
         "more", "less", "a bit", "a little", "slightly", "very", "not", "no", "without", "with", "and", "or", "left", "right", "up", "down",
         "make", "please", "change it", "change her", "edit him", "enhance", "retouch", "beautify the picture", "another one", "try again",
         "different", "do your best", "go on", "continue", "stop", "start", "save", "export", "like this", "like that", "this one", "it",
         "her", "him", "them", "me", "make him", "make her", "give her", "with a", "more of it", "a lot", "too much", "not enough", "why",
         "what now", "test prompt", "prompt goes here", "type here", "insert text", "default", "n/a", "tbd", "...", "-", "?", "!", ",", "hm",
         "make it pop", "make it look professional", "use another style", "perfect", "good", "great", "cool picture", "wonderful photo",
         "half", "twice", "all of it", "everything", "the first one", "the second one", "number three", "reset", "random", "seed 42",
         "change the face", "change the look of it", "do something with the picture", "edit this photo", "the picture as it was")  # fmt: skip
SENTENCES = ("please help me with my homework", "turn on the lights", "turn off the radio", "what time is it", "how much does it cost",
             "where is the station", "call me tomorrow", "i forgot my password", "the train leaves at noon", "write an essay about history",
             "translate this into french", "book a flight to rome", "closed on sundays", "open the file", "close the window", "close the door",
             "open the box", "raise the prices", "lower the volume", "raise the flag", "the shop is closed", "the door is open",
             "press the button", "push the door", "pull the lever", "roll the dice", "move the table to the left", "turn left at the corner",
             "turn right after the bridge", "look up the word", "look it up", "lift the box", "happy new year", "merry christmas",
             "happy birthday", "good morning", "good night", "see you later", "thank you very much", "nice to meet you", "the price of gold",
             "the capital of france", "a list of countries", "the speed of light", "the weather in london", "rain is coming tomorrow",
             "my car broke down yesterday", "the meeting starts at nine", "add two eggs and flour", "cook it for ten minutes",
             "buy milk and bread", "the cat sleeps on the mat", "dogs bark at night", "birds fly south in winter", "the river is wide",
             "the road is long and narrow", "the box is small and square", "the sky is blue", "the grass is green", "roses are red",
             "snow is white", "the night is dark", "the coffee is black", "the wine is red", "the soup is hot", "the water is cold",
             "summarize the text", "sort the list", "delete the file", "install the update", "download the image", "print the page",
             "who won the match", "the team lost again", "he plays the piano", "she drives to work", "they live in berlin", "we go home now",
             "it costs ten dollars", "tell me a joke about programmers", "recommend a good book", "count to ten", "the third planet",
             "a short history of time", "war and peace", "gone with the wind", "the lord of the rings", "star wars", "game of thrones",
             "paint the house", "paint the wall blue", "clean the kitchen", "wash the car", "water the plants", "feed the fish",
             "mow the lawn", "park the car", "lock the door", "charge the phone", "plug in the lamp", "move it to the left",
             "a little more to the right", "shift the picture up", "make the background blue", "make the shirt red", "make the sky darker",
             "make the house bigger", "make the car faster", "make the text bold", "make the room brighter", "remove the watermark",
             "remove the people behind", "replace the sky", "add a tree", "add a dog", "add more light", "add text", "put a hat on the dog",
             "increase the resolution", "reduce the noise", "change the colour of the car", "change her shirt", "change his clothes",
             "give him a hat", "give her earrings", "give her a necklace", "cut her hair", "comb his hair", "her hair in a bun",
             "a new haircut", "shave his head", "let her dance", "make him run", "make him jump", "she is reading a newspaper",
             "he drinks a beer", "she holds a cup", "he wears a watch", "they shake hands", "she waves a hand", "he points at the sky")  # fmt: skip
FIRST = ("john", "mary", "michael", "anna", "peter", "susan", "david", "laura", "james", "emily", "robert", "sofia", "ahmed", "fatima", "wei",
         "hiroshi", "yuki", "carlos", "maria", "ivan", "olga", "pierre", "claire", "hans", "greta", "raj", "priya", "kwame", "amina", "lars",
         "ingrid", "giovanni", "lucia", "pavel", "elena", "barack", "angela", "donald", "hillary", "elon", "taylor", "brad", "jennifer",
         "leonardo", "scarlett", "denzel", "oprah", "albert", "isaac", "ada", "marie", "napoleon", "julius", "mr", "mrs", "dr")  # fmt: skip
LAST = ("smith", "johnson", "miller", "garcia", "martinez", "lee", "kim", "chen", "wang", "tanaka", "sato", "singh", "patel", "khan",
        "ali", "mueller", "schmidt", "dubois", "martin", "rossi", "ferrari", "ivanov", "petrov", "novak", "jensen", "larsen", "okafor",
        "mensah", "obama", "merkel", "trump", "clinton", "musk", "swift", "pitt", "aniston", "washington", "winfrey", "einstein", "newton",
        "lovelace", "curie", "bonaparte", "caesar", "wilson", "taylor", "anderson")  # fmt: skip

# Forms that a phrase takes in a sentence: a quality of a face ("angry"), the name of what it has ("red lips"), what it is doing
# ("smiling"), what it is told to do ("smile").
_FORMS = {
    "quality": lambda p: p.kind == "adj" and not p.parts,
    "name": lambda p: p.kind == "noun" or (p.kind in ("adj", "more") and p.parts),
    "doing": lambda p: p.kind == "verb",
    "order": lambda p: p.kind == "do",
}


class Composer:
    """Composes texts.

    Args:
        things: nouns of other topics, with which nothing is asked of a face.
        seed: of the random choices.
        left_out: phrases that are not used.
        chinese: share of Chinese texts.
        glosses: sentences about other topics.
        persons: what persons are called, beside :data:`PEOPLE`, so that "an angry plumber" is angry.
    """

    def __init__(
        self,
        seed: int,
        things: tuple[str, ...] = (),
        left_out: frozenset[str] = frozenset(),
        chinese: float = 0.3,
        glosses: tuple[str, ...] = (),
        persons: tuple[str, ...] = (),
    ) -> None:
        self.rng, self.things, self.chinese, self.glosses = random.Random(seed), things, chinese, glosses
        self.persons = persons
        self.pools = {
            language: [
                [kept for group in meaning if (kept := [p for p in group if p.text not in left_out])]
                for meaning in lexicon(language).by_meaning
            ]
            for language in LANGUAGES
        }
        self.pools = {language: [m for m in pool if m] for language, pool in self.pools.items()}
        self.often = {  # what can be said in many ways is said more often
            language: list(itertools.accumulate(sum(map(len, meaning)) ** 0.5 for meaning in pool))
            for language, pool in self.pools.items()
        }

    def say(self) -> Say:
        """A text and the amounts of concepts that it means."""
        rng = self.rng
        language = "zh" if rng.random() < self.chinese else "en"
        roll = rng.random()
        if roll < 0.22:
            text, says = self._nothing(language), ()
        elif language == "en" and roll < 0.27:
            text, says = self._plainest()
        elif roll < 0.6:
            text, says = self._one(language)
            if roll > 0.57 and language == "en" and self.things:
                text = f"{text} {rng.choice(('with', 'and', 'holding', 'near', 'in front of', 'next to'))} {article(rng.choice(self.things))}"
        elif language == "en" and roll < 0.86:
            text, says = self._several()
        elif roll < (0.9 if language == "en" else 0.7):
            text, says = self._listed(language)
        else:
            text, says = self._joined(language)
        if roll > 0.22 and rng.random() < 0.1:
            text = rng.choice(BEFORE if language == "en" else ZH_BEFORE).format(c=text)
        if language == "en" and says and rng.random() < 0.1:
            text = _typo(rng, text)
            if rng.random() < 0.2:
                text = _typo(rng, text)
        if language == "en" and rng.random() < 0.03:
            text = (
                text.replace(" ", "  ")
                if rng.random() < 0.3
                else text.rstrip(".") + rng.choice((".", "!", " ...", ",", " please"))
            )
        return text, says

    def plain(self) -> Say:
        """A phrase alone, or with the name of its part: short, and nothing but what tells its meaning, at times with a degree, a negation
        or a slip of the keys."""
        rng = self.rng
        if rng.random() < self.chinese:
            return self._of("zh")
        if rng.random() < 0.45:
            text, says = self._formed(rng.choice(("quality", "name", "name", "doing", "order")), [])
        else:
            text, says = self._of("en")
        return (_typo(rng, text) if rng.random() < 0.12 else text), says

    def _plainest(self) -> Say:
        """A word of the list of concepts, as most prompts have it."""
        k = self.rng.randrange(len(CONCEPTS))
        c = CONCEPTS[k]
        texts = [
            f"{article(a)} {self.rng.choice(('face', 'face', 'person', 'woman', 'man', 'look'))}" for a in c.adjectives
        ]
        texts += [
            *c.adjectives,
            *c.nouns,
            *(f"a face with {n}" for n in c.nouns),
            *c.verbs,
            *(f"a person {v}" for v in c.verbs),
        ]
        return self.rng.choice(texts), ((k, 1.0),)

    def _of(self, language: str) -> Say:
        p = self._phrase(language)
        part = self.rng.choice(p.parts) if p.parts else ""
        return (f"{p.text} {part}".strip() if language == "en" else p.text + part), p.says

    def _person(self) -> str:
        return self.rng.choice(self.persons if self.persons and self.rng.random() < RARE else PEOPLE)

    def _one(self, language: str) -> Say:
        p = self._phrase(language)
        return english(self.rng, p, self._person()) if language == "en" else chinese(self.rng, p)

    def _joined(self, language: str) -> Say:
        """Sentences, or phrases, one after the other."""
        rng = self.rng
        one = functools.partial(self._of if rng.random() < 0.45 else self._one, language)
        text, says = one()
        for _ in range(rng.choice((1, 1, 1, 2))):
            more, told = one()
            if not _clash(says, told):
                text, says = f"{text}{rng.choice(JOINTS[language])}{more}", (*says, *told)
        return text, says

    def _listed(self, language: str) -> Say:
        """Tags in any order, of which some ask for nothing."""
        rng = self.rng
        wishes: list[str] = []
        says: tuple = ()
        for _ in range(rng.choice((1, 1, 2, 2, 3))):
            text, told = self._tag() if language == "en" else self._of("zh")
            if not _clash(says, told):
                wishes, says = [*wishes, text], (*says, *told)
        tags = [*wishes, *rng.sample(TAGS if language == "en" else ZH_TAGS, rng.randint(1, 5))]
        rng.shuffle(tags)
        if rng.random() < 0.3:
            person = rng.choice(PEOPLE) if language == "en" else rng.choice(人)
            tags.insert(
                0,
                f"{rng.choice(('portrait of a', 'photo of a', 'a', 'close-up of a'))} {person}"
                if language == "en"
                else person,
            )
        return rng.choice((", ", ", ", ",", ", ", " ") if language == "en" else ("，", ", ", "、", ",")).join(
            tags
        ), says

    def _tag(self) -> Say:
        form = self.rng.choice(("quality", "name", "name", "doing", "quality", "text"))
        return self._of("en") if form == "text" else self._formed(form, [])

    def _formed(self, form: str, told: list[tuple], plain: bool = False) -> Say:
        """A phrase in a form, which does not speak of what was ``told``; nothing where none is found."""
        rng = self.rng
        for _ in range(200):
            meaning = rng.choices(self.pools["en"], cum_weights=self.often["en"])[0]
            groups = [g for g in meaning if _FORMS[form](g[0])]
            if not groups:
                continue
            p = rng.choice(rng.choices(groups, [len(g) ** 0.7 for g in groups])[0])
            if plain and form == "doing" and not p.text.split()[0].endswith("ing"):
                continue  # "not who is sad" is no English
            if not any(_clash(t, p.says) for t in told):
                return self._form(p, form, plain)
        return "", ()

    def _form(self, p: Phrase, form: str, plain: bool) -> Say:
        rng, t = self.rng, p.text
        can = len(p.says) == 1 and p.says[0][1] == 1.0 and not plain and p.kind != "more"
        way = rng.choices(("", "weak", "strong", "not"), (0.62, 0.12, 0.08, 0.18))[0] if can else ""
        says = negated(p.says) if way == "not" else scaled(p.says, {"weak": WEAK, "strong": STRONG}.get(way, 1.0))
        part = rng.choice(p.parts) if p.parts else ""
        if form == "name" and p.kind == "noun":
            b = bare(t)
            if way == "not":
                return rng.choice((f"no {b}", f"without {t}", f"no {b}")), says
            if way:
                return rng.choice(WEAK_NOUN if way == "weak" else STRONG_NOUN).format(n=b), says
            return rng.choice((t, t, b)), says
        if form == "name":
            if way == "not":
                return rng.choice(
                    (f"no {t} {part}", f"{part} not {t}", f"{part} not so {t}", f"without {t} {part}")
                ), says
            degree = f"{rng.choice(WEAKER if way == 'weak' else STRONGER)} " if way else ""
            one = part.removesuffix("s") == part and rng.random() < 0.5
            return rng.choice(
                (f"{article(degree + t) if one else degree + t} {part}", f"{degree}{t} {part}", f"{part} {degree}{t}")
            ), says
        if form == "order":
            his = rng.choice(HIS)
            text = rng.choice((f"{t} {his} {part}", f"{t} {part}", f"{t} the {part}")) if part else t
            if way == "not":
                return rng.choice((f"don't {text}", f"do not {text}", f"never {text}", f"stop trying to {text}")), says
            return (degree_after(rng, text, way) if way else text), says
        if way == "not":
            return rng.choice((f"not {t}", f"not {t}", f"no longer {t}")), says
        if form == "doing":
            return (degree_after(rng, t, way) if way else t), says
        return (f"{rng.choice(WEAKER if way == 'weak' else STRONGER)} {t}" if way else t), says

    def _several(self) -> Say:
        """Two to four wishes in one English sentence."""
        rng = self.rng
        frame = rng.choice(rng.choices(_SEVERAL, _WEIGHTS)[0])
        text, told = "", []
        turned = frame.startswith("~")
        # what stands in a frame: forms of wishes in braces, ! where it is not wanted, and persons
        for piece in re.split(r"(\{[a-z!]+\})", frame.removeprefix("~")):
            if piece[:1] != "{":
                text += piece
                continue
            key = piece[1:-1]
            if key in _PERSONS:
                text += self._person() if key == "p" else rng.choice(_PERSONS[key])
                continue
            word, says = self._formed(_LETTERS[key[0]], told, plain=turned)
            if key[0] == "n" and text.endswith(("no ", "the ", "any ")):
                word = bare(word)
            told.append(negated(says) if key.endswith("!") else says)
            text += word
        if not turned and rng.random() < 0.2:
            word, says = self._formed("name", told)
            text, told = f"{text}{rng.choice((' and ', ', ', ', and ', ' with '))}{word}", [*told, says]
        text = (
            text.replace("with without ", "without ")
            .replace("without no ", "without ")
            .replace(" and get no ", " and have no ")
        )
        return (article(text) if frame.startswith("{a} {p}") and rng.random() < 0.5 else text), tuple(
            s for t in told for s in t
        )

    def _phrase(self, language: str) -> Phrase:
        rng = self.rng
        meaning = rng.choices(self.pools[language], cum_weights=self.often[language])[0]
        # groups of many phrases more often
        group = rng.choices(meaning, [len(g) ** 0.7 for g in meaning])[0]
        return rng.choice(group)

    def _nothing(self, language: str) -> str:
        """A text that asks for nothing."""
        return self._nothing_chinese() if language == "zh" else self._nothing_english()

    def _nothing_chinese(self) -> str:
        rng = self.rng
        roll = rng.random()
        if roll < 0.22:
            return rng.choice(ZH_PLAIN).format(p=rng.choice(人), h=rng.choice(她))
        listed = lexicon("zh").nothing
        one = rng.choice(listed) if listed else "汽车"
        if roll < 0.3:
            letters = "".join(listed)
            return "".join(rng.choice(letters) for _ in range(rng.randint(2, 6)))
        if roll < 0.36:
            return "，".join(rng.sample(ZH_TAGS, rng.randint(1, 5)))
        if roll < 0.46:
            return rng.choice(("和", "与", "在", "，", "的", "旁边的", "里的")).join((one, rng.choice(listed)))
        if roll < 0.64:
            return rng.choice(_ZH_QUALITIES) + one
        if roll < 0.8:  # what other things look like is asked of no face
            feelings = [
                p.text for groups in self.pools["zh"] for g in groups for p in g if p.kind == "adj" and not p.parts
            ]
            how, one = rng.choice(feelings).removesuffix("的"), rng.choice(CHINESE)
            return rng.choice((f"{how}的{one}", f"{how}的{one}", f"一只{how}的{one}", f"一个{how}的{one}", f"{one}很{how}", f"{one}看起来{how}", f"让{one}{how}",
                               f"{how}{one}", f"{how}的{one}图片", f"画一个{how}的{one}"))  # fmt: skip
        return one

    def _nothing_english(self) -> str:
        rng = self.rng
        listed = lexicon("en").nothing
        thing = rng.choice(self.things) if self.things and rng.random() < 0.6 else rng.choice(OBJECTS)
        other = rng.choice(self.things) if self.things and rng.random() < 0.6 else rng.choice(OBJECTS)
        animal, place, person = rng.choice(ANIMALS), rng.choice(PLACES), self._person()
        he, his, him = rng.choice(HE), rng.choice(HIS), rng.choice(HIM)
        kind = rng.choices(
            (
                "plain",
                "noise",
                "listed",
                "thing",
                "beast",
                "clothes",
                "part",
                "vague",
                "sentence",
                "tags",
                "code",
                "name",
                "gloss",
            ),
            (10, 9, 17, 17, 9, 6, 8, 5, 6, 4, 4, 4, 7),
        )[0]
        if kind == "plain":
            return rng.choice(PLAIN).format(p=person, h=he, m=him)
        if kind == "noise":
            return _nonsense(rng)
        if kind == "listed":
            one = rng.choice(listed)
            return one if rng.random() < 0.65 else f"a {person} with {one}"
        if kind == "thing":
            quality = rng.choice(_QUALITIES)
            return rng.choice((thing, article(thing), f"a photo of {article(thing)}", f"{quality} {thing}", f"{article(quality)} {thing}",
                               f"{thing} and {other}", f"{article(thing)} on a {other}", f"the {thing} of the {other}",
                               f"{article(quality)} {thing} in a {other}", f"{article(quality)} {thing} with a {rng.choice(_QUALITIES)} {other}",
                               f"a picture of a {quality} {thing}", f"a {person} with {article(thing)}", f"{thing} near the {other}",
                               f"draw {article(thing)}", f"{he} has {article(thing)}", f"{article(quality)} {thing} {place}", f"no {thing}",
                               f"the {thing} is {quality}", f"make the {thing} {quality}", f"{quality} {thing}, {rng.choice(TAGS)}",
                               f"{quality} {thing} and {rng.choice(_QUALITIES)} {other}", f"{rng.choice(COLOURS)} {thing}",
                               f"{article(rng.choice(COLOURS))} {thing}", f"very {quality} {thing}"))  # fmt: skip
        # how an animal or a thing looks; not with rare nouns, or "a smiling plumber" would ask for nothing
        if kind == "beast":
            one = animal if rng.random() < 0.6 else rng.choice(OBJECTS)
            if rng.random() < 0.3:
                order, _ = self._formed("order", [], plain=True)
                return rng.choice((f"make the {one} {order}", f"let the {one} {order}", f"the {one} should {order}"))
            if rng.random() < 0.3:
                doing, _ = self._formed("doing", [], plain=True)
                return rng.choice(
                    (
                        f"{article(one)} {doing}",
                        f"the {one} is {doing}",
                        f"the {one} {doing} {place}",
                        f"a photo of {article(one)} {doing}",
                    )
                )
            quality, _ = self._formed("quality", [], plain=True)
            return rng.choice((f"{article(quality)} {one}", f"{article(quality)} {one}", f"{article(quality)} {one} {place}", f"{quality} {one}", f"{article(one)} {place}", f"the {one} is {quality}",
                               f"the {one} looks {quality}", f"make the {one} {quality}", f"the {quality} {one}", f"a very {quality} {one}",
                               f"a photo of {article(quality)} {one}", f"two {quality} {one}s {place}", f"my {one}", f"{quality} {one}s",
                               f"{article(one)} and {article(animal)}", f"{article(quality)} {one} with {article(thing)}",
                               f"{article(one)} with {rng.choice(COLOURS)} eyes", f"{article(rng.choice(COLOURS))} {one} {place}"))  # fmt: skip
        if kind == "clothes":
            colour, cloth = rng.choice(COLOURS), rng.choice(CLOTHES)
            return rng.choice((f"{colour} {cloth}", f"{article(colour)} {cloth}", f"a {person} in a {colour} {cloth}", f"a {person} wearing a {colour} {cloth}",
                               f"{he} wears a {cloth}", f"put a {cloth} on {him}", f"wearing {article(colour)} {cloth}", f"in a {cloth}",
                               f"a {person} with a {colour} {cloth}", f"{colour} {cloth} and {rng.choice(COLOURS)} {rng.choice(CLOTHES)}",
                               f"remove the {cloth}", f"no {cloth}", f"make the {cloth} {colour}", f"{colour} {rng.choice(CLOTHES)}s"))  # fmt: skip
        if kind == "part":
            part = rng.choice(PARTS)
            return rng.choice((part, f"{his} {part}", f"{his} {part}", f"the {part}", f"the {part} of the {person}", f"{his} {part} and {rng.choice(PARTS)}",
                               f"{part} and {rng.choice(PARTS)}", f"change {his} {part}", f"edit the {part}", f"{his} own {part}", f"a {part}",
                               f"show {his} {part}", f"fix {his} {part}", f"a {person} with {part}", f"{he} has {part}", f"improve the {part}",
                               f"a photo of {his} {part}", f"something about {his} {part}", f"{part}, {rng.choice(PARTS)}", f"better {part}",
                               f"her {part}", f"his {part}", f"my {part}"))  # fmt: skip
        if kind == "vague":
            return rng.choice(VAGUE)
        if kind == "sentence":
            return rng.choice(SENTENCES)
        if kind == "tags":
            return rng.choice((", ", ", ", ",", " ")).join(rng.sample(TAGS, rng.randint(1, 6)))
        if kind == "code":
            return _code(rng)
        if kind == "name":
            first, last = rng.choice(FIRST), rng.choice(LAST)
            return rng.choice((f"{first} {last}", f"{first} {last}", first, f"a photo of {first} {last}", f"{first} and {rng.choice(FIRST)}", f"{first} {last} {place}",
                               f"portrait of {first} {last}", f"my friend {first}", f"{first} from {rng.choice(('paris', 'york', 'accounting', 'school'))}"))  # fmt: skip
        return rng.choice(self.glosses) if self.glosses else rng.choice(listed)


_LETTERS = {"a": "quality", "n": "name", "v": "doing", "d": "order"}
_PERSONS = {"p": (), "h": HE, "m": HIM, "his": HIS}
_ORDERS = ("{d} and {d}", "{d} and {d}", "{d} and {d}", "{d}, {d}", "{d}, then {d}", "{d} while you {d}", "{d} but {d}", "make {m} {d} and {d}", "{h} should {d} and {d}",
           "please {d} and {d}", "let {m} {d} and {d}", "{d}; {d}", "{d} & {d}", "{d}. {d}", "have {m} {d}, and {d}", "{d} + {d}", "{d}, {d} and {d}",
           "{d} with {n}", "{d} and get {n}", "{d}, {n}", "{d} and have {n}", "make {m} {d} with {n}", "{d} and give {m} {n}",
           "{d}, {d}, {d}", "{d}, {d} and {d}", "{d}, {d}, and {d}", "make {m} {d}, {d} and {d}", "{d}, {d} and give {m} {n}", "{d}, {d}, {n}",
           "{d} and {d}, with {n}", "{d}, {n}, {n}", "{d} and add {n}", "{d} and look {a}", "make {m} {a} and {d}", "look {a} and {d}", "{d} to look {a}", "be {a} and {d}")  # fmt: skip
_NAMES = ("{n}, {n}", "{n} and {n}", "{n} and {n}", "{n}, {n}, {n}", "{n}, {n} and {n}", "{n} {n}", "{n} & {n}", "{n} plus {n}", "{n}; {n}", "{n} but {n}",
          "a {p} with {n} and {n}", "a {p} with {n} and {n}", "a {p} with {n}, {n} and {n}", "give {m} {n} and {n}", "{h} has {n} and {n}", "with {n} and {n}",
          "{p} with {n}, {n}", "add {n} and {n}", "i want {n} and {n}", "{p}, {n}, {n}", "{n} and {n} on a {p}", "someone with {n} and {n}",
          "{n}, {n}, {n}, {n}", "{n} as well as {n}", "both {n} and {n}", "a {p}, {n}, {n}, {n}", "make it {n} and {n}", "{n} with {n}",
          "{n}, also {n}", "{n} in addition to {n}", "{n} and then {n}")  # fmt: skip
_MIXED = ("{a} {p} with {n}", "{a} {p} with {n}", "{a} {p} with {n} and {n}", "{a}, with {n}", "{a} with {n}", "{a} with {n} and {n}", "{a} and {n}",
          "{h} is {a} and has {n}", "{h} looks {a}, with {n}", "{a} {p}, {n}", "make {m} {a} with {n}", "make {m} {a} and give {m} {n}", "{p}, {a}, {n}",
          "{a} plus {n}", "{a} {p}; {n}", "{a} but with {n}", "{a} {p} and {n}", "{a}, {n}", "{a}, {n}, {n}", "{v} with {n}", "{v} and {n}",
          "a {p} {v} with {n}", "{h} is {v}, with {n}", "{v}, {n}", "{p} {v}, {n}", "{h} is {v} and has {n}", "{v} with {n} and {n}",
          "{n}, {a}", "{n}, {v}", "{n} and {a}", "a {p} with {n} who is {a}", "a {p} with {n} who is {v}", "a {p} with {n}, {v}",
          "{a} {p} {v}", "{a} {p}, {v}", "{a}, {v}", "{a} while {v}", "{a} and {v}", "{h} looks {a}, {v}", "{v} and also {a}", "{a} {p} {v} with {n}",
          "{n} and {a} look", "{p}: {a}, {n}", "the {a} {p} has {n}", "make the {a} {p} {d}", "{a} and {a}", "{a}, {a}", "{a} but {a}",
          "{a} {p}, {a}", "{a} and {a} {p}", "{a}, {a} {p}", "{h} is {a} and {a}", "make {m} {a} and {a}", "make {m} look {a} and {a}",
          "{a} {a} {p}", "{a} yet {a}", "more {a} and more {a}", "{v} while {v}", "{v} and {v}", "{v}, {v}", "a {p} {v} and {v}",
          "{h} is {v} and {v}", "{a} {p} with {n}, {v}", "{a}, {v}, {n}", "{a}, {n}, {v}", "{v}, {a}, {n}", "{n}, {n}, {a}", "{v}, {n}, {n}",
          "{v}, {n} and {n}", "{a} {p} {v}, {n}", "{a} {p} with {n}, {n} and {n}", "{a}, {n} and {n}", "{a} {p} {v}, with {n}", "{a} with {n}, {v}",
          "{h} is {a}, {v}, with {n}", "{a} {p}, {v}, {n}")  # fmt: skip
_TURNED = ("~{a} but not {a!}", "~not {a!} but {a}", "~{a}, not {a!}", "~not {a!}, just {a}", "~{a} instead of {a!}", "~more {a} and less {a!}",
           "~no longer {a!} but {a}", "~{a} and not {a!}", "~not {a!} anymore, now {a}", "~neither {a!} nor {a!}", "~not {a!} or {a!}", "~not {a!} and not {a!}",
           "~{a} rather than {a!}", "~isn't {a!}, is {a}", "~not {a!}, only {a}", "~{n} but no {n!}", "~no {n!}, just {n}", "~{n} without {n!}",
           "~{n} instead of {n!}", "~replace the {n!} with {n}", "~no {n!} and no {n!}", "~no {n!} or {n!}", "~without {n!} or {n!}", "~no {n!}, but {n}",
           "~{n}, no {n!}", "~remove the {n!} and add {n}", "~remove the {n!} and the {n!}", "~change the {n!} to {n}", "~no {n!}, {n}",
           "~lose the {n!}, keep the {n}", "~{v} without {v!}", "~not {v!} but {v}", "~{v}, not {v!}", "~stop {v!}, start {v}", "~{v} instead of {v!}",
           "~not {v!}, just {v}", "~neither {v!} nor {v!}", "~stop {v!} and {v!}", "~{d} but don't {d!}", "~don't {d!}, {d}", "~don't {d!} but {d}",
           "~{d}, don't {d!}", "~do not {d!} or {d!}", "~don't {d!}, just {d}", "~{d} and do not {d!}", "~{a} without {n!}", "~{a} but no {n!}",
           "~{a}, no {n!}", "~{a} {p} with no {n!}", "~{a} {p} without {n!}", "~{v} without {n!}", "~{v} with no {n!}", "~{d} without {n!}",
           "~{d} but no {n!}", "~{d} without {v!}", "~not {a!} but with {n}", "~no {n!}, just {a}", "~no {n!}, {a}", "~no {n!} but {a}",
           "~not {v!}, {a}", "~no {n!} please, and {d}", "~stop {v!} and {d}", "~stop {v!}, be {a}", "~no {v!}, no {n!}", "~{h} is {a}, no {n!}",
           "~{h} is not {a!} but {a}", "~without {v!}, with {n}")  # fmt: skip
_SEVERAL, _WEIGHTS = (_ORDERS, _NAMES, _MIXED, _TURNED), (0.2, 0.25, 0.4, 0.15)

_ZH_QUALITIES = ("一个", "一张", "红色的", "大", "漂亮的", "旧", "蓝色", "小", "白色的", "绿色的", "圆", "戴着", "黑", "一辆", "一只", "一座", "一条", "开着的",
                 "橙色的", "紫色的", "粉色", "灰色的", "棕色的", "圆圆的", "长长的", "宽", "窄", "厚", "薄", "高", "矮", "年轻的", "老", "新", "金色的",
                 "画", "张开的", "关上的")  # fmt: skip
_QUALITIES = ("red", "blue", "green", "big", "small", "pink", "purple", "black", "white", "wide", "narrow", "long", "short", "round",
              "square", "open", "closed", "dark", "pale", "golden", "high", "low", "thin", "thick", "flat", "raised", "left", "right", "broad",
              "beautiful", "wooden", "new", "fast", "expensive", "orange", "grey", "brown", "heavy", "full", "straight", "puffed")  # fmt: skip


def _clash(says: tuple, told: tuple) -> bool:
    """Whether two wishes speak of the same thing."""
    first = {CONCEPTS[k].name.split()[0] for k, _ in says}
    return bool(first & {CONCEPTS[k].name.split()[0] for k, _ in told})


def _typo(rng: random.Random, text: str) -> str:
    at = [i for i in range(1, len(text) - 2) if text[i].isalpha() and text[i + 1].isalpha() and text[i - 1].isalpha()]
    if not at:
        return text
    i = rng.choice(at)
    return rng.choice(
        (text[:i] + text[i + 1 :], text[:i] + text[i + 1] + text[i] + text[i + 2 :], text[:i] + text[i] + text[i:])
    )


def _nonsense(rng: random.Random) -> str:
    keys = (
        "asdfghjkl",
        "qwertyuiop",
        "zxcvbnm",
        "abcdefghijklmnopqrstuvwxyz",
        "aeioubcdfghjklmnprstvw",
        "0123456789",
        "!?#$%&*",
        "xyzqwjk",
    )
    words = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        row = rng.choice(keys)
        words.append("".join(rng.choice(row) for _ in range(rng.randint(2, 9))))
    return " ".join(words)


def _code(rng: random.Random) -> str:
    """A line of a program, an address, a file name, a number."""
    a, b = ("".join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(1, 7))) for _ in range(2))
    word = rng.choice(
        (
            "name",
            "users",
            "value",
            "data",
            "index",
            "item",
            "result",
            "x",
            "i",
            "count",
            "path",
            "text",
            "self",
            "node",
            a,
        )
    )
    n, m = rng.randint(0, 2000), rng.randint(0, 99)
    return rng.choice((f"for {word} in range({n}): print({word})", f"SELECT {word} FROM {b}", f"const {word} = {n};", f"def {word}({b}): return {b} + {m}",
                       f"import {b}", f"{word} = {b}[{m}]", f"if ({word} > {n}) {{ return {b}; }}", f"https://{a}.com/{b}", f"www.{a}.org", f"{a}.png",
                       f"{a}_{b}.jpg", f"C:\\{a}\\{b}.exe", f"/usr/{a}/{b}", f"{a}@{b}.com", f"{n}", f"{n}.{m}", f"{n} + {m} = {n + m}", f"{n}x{m}", f"#{n}",
                       f"<div class={b}>{word}</div>", f"{{'{word}': {n}}}", f"sudo apt install {b}", f"git commit -m {b}", f"pip install {b}",
                       f"{word}++", f"print('{b} {word}')", f"{word}.{b}({m})", f"let {word} = [{n}, {m}]", f"{m}/{m}/{n}", f"{m}:{m}", f"${n}",
                       f"{m}%", f"v{m}.{n}", f"null {word}", "void main() { }", f"#include <{b}.h>", f"while True: {word} += 1",
                       f"class {word}: pass", f"return {word}", f"ls -la {b}", f"SELECT * FROM {b} WHERE {word} = {n}", f"{{ {b}: {m}px; }}"))  # fmt: skip
