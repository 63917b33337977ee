"""Train the text tower of the nano guide: ``python -m flow_core.train words --minilm DIR --wordnet DIR``.

Texts are composed from the phrases of ``phrases_en.txt`` and ``phrases_zh.txt`` (:mod:`flow_core.train.phrases`), and each has to come to lie
where its meaning says (:mod:`flow_core.train.targets`). The image tower is not touched.

So that words that no phrase has are read like their neighbours, the table of token embeddings starts from what a sentence encoder knows of
each word of CLIP's vocabulary (all-MiniLM-L6-v2), and moves away from there only slowly; and beside its meaning a text's last state has to
tell the sentence encoder's embedding, of the phrases as of words of WordNet.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import random
import re
import time
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..guides.guide import BUILTIN, WEIGHTS, Guide
from ..guides.meaning import UNDERSTOOD, Meanings, log_map, point
from ..guides.own import NanoGuide
from ..guides.phrasebook import plain
from ..guides.prompts import Prompt, PromptError, embed
from ..guides.slips import meant
from ..guides.subjects import CORE
from ..guides.words import BYTES, MERGES, Words, word_tokens
from . import captions, composer, loop, phrases, targets
from .attributes import CONCEPTS

SLOW = 0.25  # how much slower tokens of words learn than all else
BLUR = 0.03  # of token embeddings in training, which are 0.09 apart in each number: what is near means the same
TEACHER_DIM = 128
FORMS = {"d", "ed", "er", "est", "ier", "ily", "iness", "ing", "ish", "less", "ly", "ness", "r", "s", "y"}  # endings
SHARP = 16.0  # logits for the cosine with a way
TOPICS = {
    "05",
    "06",
    "13",
    "15",
    "17",
    "20",
    "27",
}  # WordNet's files of animals, artifacts, food, places, objects, plants, substances
PERSONS = "18"
NO_THINGS = {
    PERSONS,
    "04",
    "07",
    "08",
    "09",
    "12",
    "26",
}  # persons, acts, attributes, body, cognition, feelings, states
LIKENESSES = ("avatar", "bust", "caricature", "cartoon", "close-up", "closeup", "doll", "figure", "figurine", "frame", "headshot", "icon", "image", "mannequin",
              "mugshot", "photo", "photograph", "picture", "portrait", "print", "selfie", "shot", "sketch", "snapshot")  # fmt: skip


class Encoder:
    """The sentence encoder all-MiniLM-L6-v2 (Apache-2.0), a BERT of six layers (Wang et al., MiniLM, 2020; Reimers and Gurevych,
    Sentence-BERT, 2019), from the folder of its files."""

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file

        self.w = {k: v.float() for k, v in load_file(folder / "model.safetensors").items()}
        vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
        self.number = {word: i for i, word in enumerate(vocabulary)}
        self.heads = 12

    def tokens(self, text: str, most: int = 40) -> list[int]:
        """WordPiece, the longest match first."""
        text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
        out = []
        for word in re.findall(r"\w+|[^\w\s]", text):
            start, pieces = 0, []
            while start < len(word):
                end = len(word)
                while end > start and ("##" * (start > 0) + word[start:end]) not in self.number:
                    end -= 1
                if end == start:
                    pieces = [self.number["[UNK]"]]
                    break
                pieces.append(self.number["##" * (start > 0) + word[start:end]])
                start = end
            out += pieces
        return [self.number["[CLS]"], *out[: most - 2], self.number["[SEP]"]]

    @torch.no_grad()
    def __call__(self, texts: list[str], batch: int = 64) -> Tensor:
        """Unit embeddings ``[N,384]``."""
        numbers = [self.tokens(t) for t in texts]
        order = sorted(range(len(texts)), key=lambda i: len(numbers[i]))
        out = torch.empty(len(texts), 384)
        for at in range(0, len(order), batch):
            part = order[at : at + batch]
            length = max(len(numbers[i]) for i in part)
            padded = torch.tensor([numbers[i] + [0] * (length - len(numbers[i])) for i in part])
            out[part] = self._encode(padded, padded > 0)
        return out

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"], 1e-12)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def _encode(self, tokens: Tensor, real: Tensor) -> Tensor:
        e = "embeddings"
        x = self.w[f"{e}.word_embeddings.weight"][tokens] + self.w[f"{e}.token_type_embeddings.weight"][0]
        x = self._norm(x + self.w[f"{e}.position_embeddings.weight"][: tokens.shape[1]], f"{e}.LayerNorm")
        for i in range(6):
            n = f"encoder.layer.{i}"
            q, k, v = (
                self._linear(x, f"{n}.attention.self.{part}").unflatten(-1, (self.heads, -1)).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            seen = F.scaled_dot_product_attention(q, k, v, attn_mask=real[:, None, None]).transpose(1, 2).flatten(2)
            x = self._norm(x + self._linear(seen, f"{n}.attention.output.dense"), f"{n}.attention.output.LayerNorm")
            inner = F.gelu(self._linear(x, f"{n}.intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{n}.output.dense"), f"{n}.output.LayerNorm")
        mean = (x * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return F.normalize(mean, dim=-1)


class Text(nn.Module):
    """The text tower alone while it learns. Its table of tokens is ``start + change``, of which words change slowly."""

    def __init__(self, config: dict, start: Tensor, meanings: Meanings) -> None:
        super().__init__()
        whole = NanoGuide(config)
        self.transformer, self.ln_final = whole.transformer, whole.ln_final
        width, dim = config["text_cfg"]["width"], config["embed_dim"]
        for block in self.transformer.resblocks:
            for p in block.parameters():
                (nn.init.normal_(p, std=width**-0.5) if p.ndim > 1 else None)
            nn.init.zeros_(block.attn.in_proj_bias)
            nn.init.normal_(block.attn.out_proj.weight, std=width**-0.5 / 3)
            nn.init.normal_(block.mlp.c_proj.weight, std=(4 * width) ** -0.5 / 3)
        self.positional_embedding = nn.Parameter(0.02 * torch.randn(config["text_cfg"]["context_length"], width))
        self.text_projection = nn.Parameter(width**-0.5 * torch.randn(width, dim))
        self.change = nn.Parameter(torch.zeros_like(start))
        pace = torch.full((len(start), 1), SLOW)
        pace[: 2 * BYTES] = 1.0  # bytes, of which Chinese is made
        pace[2 * BYTES + MERGES :] = 1.0
        self.register_buffer("start", start, persistent=False)
        self.register_buffer("pace", pace, persistent=False)
        self.teacher = nn.Linear(width, TEACHER_DIM)
        metric = meanings.metric
        for name, value in (
            ("metric", metric),
            ("neutral", meanings.neutral),
            ("common", meanings.common),
            ("ways", meanings.ways),
        ):
            self.register_buffer(name, value, persistent=False)
        units = F.normalize(meanings.ways @ metric, dim=-1)
        self.register_buffer("units", torch.cat([units, -units]), persistent=False)

    def states(self, tokens: Tensor) -> Tensor:
        """What the tower knows at the end of each text, ``[N,width]``."""
        # each token that occurs is looked up once: the gradient of a look-up is as large as the table
        used, at = tokens.unique(return_inverse=True)
        known = self.start[used] + self.change[used] * self.pace[used]
        out = known.new_zeros(len(tokens), self.text_projection.shape[0])
        for part in tokens.argmax(-1).argsort().chunk(12):  # texts of like lengths together
            ends = tokens[part].argmax(-1)
            some = at[part, : int(ends.max()) + 1]
            x = known[some]
            if self.training:
                x = x + BLUR * torch.randn_like(x)
            x = self.ln_final(self.transformer(x + self.positional_embedding[: some.shape[1]]))
            out = out.index_copy(0, part, x[torch.arange(len(x)), ends])
        return out

    def forward(self, tokens: Tensor, amounts: Tensor, known: Tensor, teacher: Tensor) -> dict[str, Tensor]:
        """Losses of texts ``[N,L]``: ``amounts [N,C]`` of concepts where ``known [N]``, and the sentence encoder's
        embeddings ``teacher [N,T]``, 0 where it was not asked."""
        state = self.states(tokens)
        points = F.normalize(state @ self.text_projection, dim=-1)
        aim = point(amounts, self.common, self.ways, self.neutral)
        off = (log_map(points, self.neutral) - log_map(aim, self.neutral)) @ self.metric
        # squares alone tell hardly anything apart at first: of as many concepts, each is asked for seldom
        found = SHARP * F.normalize(log_map(points, self.neutral) @ self.metric, dim=-1, eps=0.2) @ self.units.T
        said = torch.cat([amounts.clamp(min=0), (-amounts).clamp(min=0)], 1)
        share = said / said.sum(1, keepdim=True).clamp(min=1e-6)
        named = -(share * found.log_softmax(1)).sum(1)
        asks = known * (said.sum(1) > 0)
        taught = teacher.square().sum(1)  # 1, or 0 where the encoder was not asked
        told = F.normalize(self.teacher(state), dim=-1)
        return {
            "meaning": (off.square().sum(1) * known).sum() / known.sum(),
            "named": 0.3 * (named * asks).sum() / asks.sum().clamp(min=1),
            "teacher": 0.3 * (taught - (told * teacher).sum(1)).sum() / taught.sum().clamp(min=1),
        }

    def tensors(self) -> dict[str, Tensor]:
        """The tower's tensors, by the names that open_clip gives them."""
        own = {k: v for k, v in self.state_dict().items() if not k.startswith(("teacher.", "change"))}
        return own | {"token_embedding.weight": self.start + self.change * self.pace}


def table(teacher: Encoder | None, width: int, seed: int) -> Tensor:
    """``[vocabulary,width]`` of token embeddings to start from: words by what the sentence encoder knows of them."""
    g = torch.Generator().manual_seed(seed)
    start = 0.09 * torch.randn(2 * BYTES + MERGES + 2, width, generator=g)
    if teacher:
        known = word_tokens()
        seen = teacher(list(known.values()), batch=256)
        seen = seen - seen.mean(0)
        axes = torch.linalg.eigh(seen.T @ seen).eigenvectors[:, -width:]
        seen = seen @ axes
        start[torch.tensor(list(known))] = seen / seen.norm(dim=1).mean()
    return start


def wordnet(folder: Path) -> tuple[tuple[str, ...], list[str], tuple[str, ...], tuple[str, ...]]:
    """Nouns of other topics, all words, short descriptions of other topics, and what persons are called, of WordNet's data files (Princeton,
    WordNet licence)."""
    known = phrases.book()
    lexical = {w for text in known.known if len(said := text.split()) < 3 for w in said}
    face = {w for part in composer.PARTS for w in part.split()}
    things, lemmas, glosses, persons = [], [], [], []
    for part in ("adj", "noun", "verb", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):
                continue
            columns = line.partition(" | ")[0].split()
            count = int(columns[3], 16)
            words = [w.replace("_", " ").split("(")[0].lower() for w in columns[4 : 4 + 2 * count : 2]]
            if columns[1] in TOPICS and part == "noun":
                things += [w for w in words if w.isalpha() and w not in lexical and len(w) > 2][:1]
                gloss = line.partition(" | ")[2].partition(";")[0].strip()
                said = re.findall(r"[a-z]+", gloss)
                if 3 <= len(said) <= 9 and "(" not in gloss and not face & {w.removesuffix("s") for w in said}:
                    glosses.append(gloss)
            if columns[1] == PERSONS and part == "noun":
                common = [
                    w
                    for w, written in zip(words[:2], columns[4::2], strict=False)
                    if written.islower() and w.replace(" ", "").isalpha()
                ]
                persons += [w for w in common if not any(known.find(one) for one in (w, *w.split()))]
            lemmas += [w for w in words[:3] if w.replace(" ", "").isalpha()]
    return tuple(map(tuple, map(dict.fromkeys, (things, lemmas, glosses, persons))))


def things(folder: Path) -> list[str]:
    """What animals, things, food, plants, places and substances are called in WordNet's data files, but for what persons are called too, for
    parts of the body, and for what phrases about a face speak of."""
    named: dict[bool, set[str]] = {True: set(), False: {*LIKENESSES}}
    for line in (folder / "data.noun").read_text(encoding="utf-8").splitlines():
        columns = line.partition(" | ")[0].split()
        if not line.startswith("  ") and (columns[1] in TOPICS or columns[1] in NO_THINGS):
            written = columns[4 : 4 + 2 * int(columns[3], 16) : 2]
            named[columns[1] in TOPICS] |= {w for w in written if w.islower() and w.isalpha()}
    for line in (folder / "data.adj").read_text(encoding="utf-8").splitlines():
        columns = line.partition(" | ")[0].split()
        if not line.startswith("  "):
            named[False] |= {w.split("(")[0] for w in columns[4 : 4 + 2 * int(columns[3], 16) : 2]}
    looks = [p for p in phrases.lexicon("en").phrases if p.kind in ("adj", "noun", "text")]
    short = (plain(p.text).split() for p in looks)
    named[False] |= {said[-1] for said in short if 0 < len(said) < 3 and said[0] != "like"}
    named[False] |= {w for p in looks for part in p.parts for w in part.split()}
    return sorted(w for w in named[True] - named[False] - CORE if len(w) > 2)


def vocabulary() -> list[str]:
    """Every word, and every Chinese character, that texts were composed of."""
    words = set(captions.vocabulary()) | phrases.lexicon("en").words()
    frames = [
        getattr(phrases, n)
        for n in ("PEOPLE", "HE", "HIM", "HIS", "PLAIN", "BEFORE", "STRONGER", "WEAKER", "STRONG_NOUN", "WEAK_NOUN")
    ]
    words |= {
        w for t in (t for f in frames for t in f) for w in re.findall(r"[^\W\d_]+", re.sub(r"\{\w+\}", " ", t.lower()))
    }
    words |= {w for joint in composer.JOINTS["en"] for w in joint.split() if w.isalpha()}
    chinese = [t for p in phrases.lexicon("zh").phrases for t in (p.text, *p.parts)]
    chinese += [t for n in ("ZH_STRONG", "ZH_WEAK", "ZH_PLAIN", "人", "她", "的") for t in getattr(phrases, n)]
    return sorted(words | {c for t in chinese for c in t if c.isalpha()})


def others(words: Iterable[str], known: frozenset[str]) -> list[str]:
    """Words of a language that would be taken for misspelt ones of a vocabulary, but for forms of these ("merrily" may be read as "merry")."""
    found = []
    for word in dict.fromkeys(words):
        if word.isascii() and word.isalpha() and word.islower() and (near := meant(word, known)):
            same = next(n for n in range(len(word), -1, -1) if near.startswith(word[:n]))
            if len(near) - same > 1 or word[same:] not in FORMS:
                found.append(word)
    return sorted(found)


def chinese_others() -> list[str]:
    """Chinese words that would be taken for others that sound alike."""
    lines = (phrases.FOLDER / "words_zh.txt").read_text(encoding="utf-8").splitlines()
    return [word for line in lines if line[0] != "#" for word in line.split()]


def held_out(share: float) -> frozenset[str]:
    """Phrases to be left out of a training that shows how well others are read, the same ones always."""
    found = [p.text for language in phrases.LANGUAGES for p in phrases.lexicon(language).phrases if not p.parts]
    return frozenset(random.Random(7).sample(found, round(share * len(found))))


def understood(guide: Guide, texts: list[str]) -> Tensor:
    """Amounts ``[N,C]`` that a guide reads from texts as they are typed, with their weights, as edits read them; zeros where they are refused."""
    rows = torch.zeros(len(texts), len(guide.meanings.names))
    for row, text in zip(rows, texts, strict=True):
        with contextlib.suppress(PromptError):
            prompt = Prompt.parse(text)
            prompt.unknown_words(guide)
            for part, weight in prompt.heard(guide).parts:
                [read], _ = guide.meanings.read(embed(guide, part)[None].cpu())
                row += weight * read
    return rows


def right(amounts: Tensor, label: str) -> bool:
    """Whether what was read is what a label says: concepts joined by ``&`` all, by ``|``, which binds tighter, either; ``-`` before one
    takes it away; ``none`` means that the text must be refused. After a single wish ``*0.5`` asks for a weak one, ``*1.5`` for a strong one."""
    label, _, degree = label.partition("*")
    largest = float(amounts.abs().max())
    if degree and not (largest <= 0.75 if float(degree) < 1 else largest >= 1.25):
        return False
    names = [c.name for c in CONCEPTS]
    refused = bool(amounts.abs().max() < UNDERSTOOD)
    if label == "none":
        return refused
    if refused:
        return False
    wishes = [{name.strip() for name in wish.split("|")} for wish in label.split("&")]
    top = amounts.abs().argsort(descending=True)[: len(wishes)].tolist()
    said = [("-" if amounts[k] < 0 else "") + names[k] for k in top if amounts[k]]
    return (
        any(all(one in wish for one, wish in zip(order, wishes, strict=True)) for order in itertools.permutations(said))
        if len(said) == len(wishes)
        else False
    )


@dataclass(frozen=True)
class Score:
    """How a list of phrases is read.

    Attributes:
        right: share of all that are read right.
        new: share of those that the lexicon does not have as they are, and how many these are.
        kinds: of one wish, several, something turned down, and what must be refused: how many are read right, and how many there are.
        missed: label, phrase, what was read instead.
        same: of phrases with a translation beside them that ask for something, the mean cosine of the amounts of both, and the share of
            those whose largest amount is of the same concept; nan where there are none.
    """

    right: float
    new: tuple[float, int]
    kinds: dict[str, tuple[int, int]]
    missed: list[tuple[str, str, str]]
    same: tuple[float, float]


def scores(path: Path, guide: Guide) -> Score:
    """How a table ``label<TAB>phrase``, or ``label<TAB>phrase<TAB>translation``, is read; lines that begin with ``#`` are comments. For
    labels see :func:`right`."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    amounts = understood(guide, [text for _, text, *_ in rows])
    good = [right(a, label) for (label, *_), a in zip(rows, amounts, strict=True)]
    lexicons = [phrases.lexicon(language) for language in phrases.LANGUAGES]
    known = {t.lower() for x in lexicons for t in (*(p.text for p in x.phrases if not p.parts), *x.nothing)}
    new = [g for g, (_, text, *_) in zip(good, rows, strict=True) if text.strip().lower() not in known]
    missed = [(label, text, told(a)) for (label, text, *_), a, g in zip(rows, amounts, good, strict=True) if not g]
    both = [(row[2], a) for row, a in zip(rows, amounts, strict=True) if len(row) > 2 and row[0] != "none"]
    same = (math.nan, math.nan)
    if both:
        others = understood(guide, [text for text, _ in both])
        own = torch.stack([a for _, a in both])
        likeness = F.cosine_similarity(own, others, dim=1).mean()
        same = (float(likeness), float((own.abs().argmax(1) == others.abs().argmax(1)).float().mean()))
    kinds: dict[str, tuple[int, int]] = {}
    for g, (label, *_) in zip(good, rows, strict=True):
        done, count = kinds.get(_kind(label), (0, 0))
        kinds[_kind(label)] = done + g, count + 1
    return Score(sum(good) / len(good), (sum(new) / max(1, len(new)), len(new)), kinds, missed, same)


def _kind(label: str) -> str:
    return (
        "refused"
        if label == "none"
        else "several wishes"
        if "&" in label
        else "negation"
        if "-" in label
        else "one wish"
    )


def told(amounts: Tensor) -> str:
    """Amounts in words, the largest first."""
    order = [k for k in amounts.abs().argsort(descending=True).tolist() if amounts[k]]
    return ", ".join(f"{CONCEPTS[k].name} {amounts[k]:.2f}" for k in order) or "nothing"


def main(argv: list[str] | None = None) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file

    ap = loop.arguments(
        "words",
        "Train the text tower of the nano guide.",
        WEIGHTS / f"{BUILTIN}.safetensors",
        5000,
        160,
        1.5e-3,
        data=False,
    )
    ap.add_argument(
        "--minilm", type=Path, metavar="DIR", help="folder of all-MiniLM-L6-v2: model.safetensors and vocab.txt"
    )
    ap.add_argument("--wordnet", type=Path, metavar="DIR", help="folder of WordNet's files data.adj, data.noun ...")
    ap.add_argument("--plain", type=float, default=0.3, metavar="SHARE", help="share of texts that are a phrase alone")
    ap.add_argument(
        "--check",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="leave out this share of the phrases, and print how they are read",
    )
    ap.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="go on from the tower of these weights (.safetensors), or of the checkpoint of another training with the same --seed",
    )
    ap.add_argument("--phrases", type=Path, nargs="*", default=[], help="lists label<TAB>phrase to print the score for")
    ap.add_argument("--missed", action="store_true", help="also print what was read wrongly")
    o = ap.parse_args(argv)
    for path in filter(
        None, (o.minilm and o.minilm / "model.safetensors", o.wordnet and o.wordnet / "data.noun", o.start, *o.phrases)
    ):
        if not path.is_file():
            raise SystemExit(f"There is no file {path}.")
    # the image tower comes from the guide that is there, or from the built-in one where there is none yet
    guide_file = o.out if o.out.is_file() else WEIGHTS / f"{BUILTIN}.safetensors"
    with safe_open(str(guide_file), "pt") as f:
        about = f.metadata()
    config = json.loads(guide_file.with_suffix(".json").read_text())
    tokenizer = Words(config["text_cfg"]["context_length"])
    if not o.validate:
        meanings = Meanings.loads(about["concepts"]) if "concepts" in about else targets.of_guide()
        tower = fit(config, tokenizer, meanings, o)
        if loop.rank():
            return
        state = load_file(guide_file)
        state = {k: v for k, v in state.items() if not k.startswith("transformer.")} | tower.tensors()
        known = vocabulary()
        about = {
            **about,
            "vocabulary": json.dumps(known, ensure_ascii=False),
            "concepts": meanings.dumps(),
            "phrases": phrases.book().dumps(),
        }
        english = [w for w in json.loads(about.get("others", "[]")) if w.isascii()]
        if o.wordnet:
            lemmas = (word for lemma in wordnet(o.wordnet)[1] for word in lemma.split())
            english = others(lemmas, frozenset(known))
        about["others"] = json.dumps([*english, *chinese_others()], ensure_ascii=False)
        if o.wordnet:
            about["things"] = "\n".join(things(o.wordnet))
        loop.save(_Holder(state), o.out, about)
        if guide_file != o.out:
            o.out.with_suffix(".json").write_bytes(guide_file.with_suffix(".json").read_bytes())
    from ..guides.guide import load_guide

    guide = load_guide(str(o.out) if o.out != WEIGHTS / f"{BUILTIN}.safetensors" else BUILTIN)
    print(report(guide, o))


class _Holder:
    """Tensors as a module has them, for :func:`flow_core.train.loop.save`."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    def state_dict(self) -> dict[str, Tensor]:
        return self.state


def fit(config: dict, tokenizer: Words, meanings: Meanings, o: argparse.Namespace) -> Text:
    """Train a text tower; seconds are printed."""
    from safetensors.torch import load_file

    clock = time.time()
    teacher = Encoder(o.minilm) if o.minilm else None
    topics, words, glosses, persons = wordnet(o.wordnet) if o.wordnet else ((), (), (), ())
    torch.manual_seed(o.seed)
    left_out = held_out(o.check) if o.check else frozenset()
    shipped = load_file(o.start) if o.start and o.start.suffix == ".safetensors" else {}
    start = (
        shipped["token_embedding.weight"].float() if shipped else table(teacher, config["text_cfg"]["width"], o.seed)
    )
    tower = Text(config, start, meanings)
    if shipped:
        tower.load_state_dict({k: v for k, v in shipped.items() if k in tower.state_dict()}, strict=False)
    elif o.start:
        tower.load_state_dict(torch.load(o.start, weights_only=True)["objective"])
    lessons: dict[str, Tensor] = {}
    if teacher:
        rng = random.Random(o.seed)
        taught = [p.text for p in phrases.lexicon("en").phrases if not p.parts]
        taught += rng.sample(words, min(10_000, len(words)))
        seen = teacher(taught, batch=128)
        seen = seen - seen.mean(0)
        axes = torch.linalg.eigh(seen.T @ seen).eigenvectors[:, -TEACHER_DIM:]
        lessons = dict(zip(taught, F.normalize(seen @ axes, dim=-1), strict=True))
    print(
        f"{len(lessons)} texts of the sentence encoder, {len(topics)} other topics: {time.time() - clock:.0f} s",
        flush=True,
    )
    unread = list(lessons)
    plain, spare = round(o.plain * o.batch), round(0.05 * o.batch) if lessons else 0

    def batch(seed: int) -> tuple[Tensor, ...]:
        made.rng.seed(seed)
        said = [made.say() for _ in range(o.batch - plain - spare)] + [made.plain() for _ in range(plain)]
        texts = [t for t, _ in said] + made.rng.choices(unread, k=spare)
        amounts = torch.zeros(o.batch, len(CONCEPTS))
        for row, (_, says) in zip(amounts, said, strict=False):
            for k, a in says:
                row[k] += a
        known = (torch.arange(o.batch) < len(said)).float()
        nothing = torch.zeros(TEACHER_DIM)
        taught = torch.stack([lessons.get(t, nothing) for t in texts])
        return tuple(x.to(o.device) for x in (tokenizer(texts), amounts, known, taught))

    made = composer.Composer(o.seed, topics, left_out, glosses=glosses, persons=persons)
    tower.to(o.device)
    seconds = loop.fit(tower, batch, o)
    tower.cpu()
    print(f"trained in {seconds:.0f} s", flush=True)
    if left_out:
        known = {p.text: p for language in phrases.LANGUAGES for p in phrases.lexicon(language).phrases}
        texts = sorted(left_out)
        for name, part in (
            ("English", [t for t in texts if t.isascii()]),
            ("Chinese", [t for t in texts if not t.isascii()]),
        ):
            if not part:
                continue
            with torch.no_grad():
                points = F.normalize(tower.states(tokenizer(part)) @ tower.text_projection, dim=-1)
            amounts, _ = meanings.read(points)
            labels = ["&".join(("-" if a < 0 else "") + CONCEPTS[k].name for k, a in known[t].says) for t in part]
            good = [right(a, label) for a, label in zip(amounts, labels, strict=True)]
            print(f"{name} phrases left out: {sum(good) / len(good):.1%} of {len(good)} read right")
            if o.missed:
                for t, label, a, g in zip(part, labels, amounts, good, strict=True):
                    if not g:
                        print(f"  {t}: {label} | {told(a)}")
    return tower


def report(guide: Guide, o: argparse.Namespace) -> str:
    """The figures of the card."""
    lines = []
    for path in o.phrases:
        score = scores(path, guide)
        lines.append(
            f"{path.name}: {score.right:.1%} read right; of the {score.new[1]} that are no phrases of the lexicon, {score.new[0]:.1%}."
        )
        lines.append("  " + ", ".join(f"{kind} {done}/{count}" for kind, (done, count) in sorted(score.kinds.items())))
        if score.same[0] == score.same[0]:
            lines.append(
                f"  beside their translations: mean cosine of what is read {score.same[0]:.3f}, the same above all in {score.same[1]:.1%}."
            )
        if o.missed:
            lines += [f"  {label}: {text} -> {read}" for label, text, read in score.missed]
    amounts = understood(guide, [c.text for c in CONCEPTS])
    good = [right(a, c.name) for a, c in zip(amounts, CONCEPTS, strict=True)]
    lines.append(f"Plainest phrases of the {len(CONCEPTS)} concepts: {sum(good) / len(good):.1%} read right.")
    return "\n".join(lines)
