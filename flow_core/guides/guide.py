"""Guides: image-text models that tell how well a picture fits a text, with a gradient into the picture."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..randomness import OwnRandom
from .cannot import asks_for_nothing, names, told
from .clauses import Clause, clauses
from .clip import loading, open_clip, silent
from .degrees import without_degree
from .errors import GuideError
from .homophones import misheard
from .hub import Unreachable, fetched, require_tokenizer
from .meaning import UNDERSTOOD, Meanings
from .own import load as load_builtin
from .plainly import compared
from .reading import composed, unheard
from .resolve import BUILTIN, Found, known_to, require_safetensors, resolve, told_of_texts
from .sentences import Sentences
from .sentences import load as load_sentences
from .slips import in_context, mended, misspelt, superlatives
from .smileys import in_words
from .words import Words

WEIGHTS = Path(__file__).parents[1] / "weights"
PRECISIONS = ("auto", "fp32", "fp16", "bf16")


class Guide:
    """A frozen image-text model.

    Attributes:
        name: how it was asked for; fields remember it.
        image_size: side of its input in pixels.
        scale: its logit scale, the unit in which it tells texts apart.
        vocabulary: the words that a small guide learnt; empty where it may know any.
        meanings: how its text space is laid out, if it tells.
        others: words that lie near those of the vocabulary, or sound like Chinese phrases, and are none of them misspelt.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        tokenizer,
        vocabulary: frozenset[str] = frozenset(),
        meanings: Meanings | None = None,
        others: frozenset[str] = frozenset(),
    ) -> None:
        self.name = name
        self.model = model.eval().requires_grad_(False)
        self.vocabulary, self.meanings, self.others = vocabulary, meanings, others
        self._tokenizer = tokenizer
        self._texts: dict[str, Tensor] = {}
        self._cut: dict[str, tuple[Clause, ...]] = {}
        self._groups: dict[tuple[str, ...], Tensor] = {}
        self._prompts: dict[tuple[str, ...], Tensor] = {}
        config = getattr(model.visual, "preprocess_cfg", {})
        size = config.get("size", model.visual.image_size)
        self.image_size = int(size if isinstance(size, int) else size[0])
        self._mean = torch.tensor(config.get("mean", (0.48145466, 0.4578275, 0.40821073))).view(1, 3, 1, 1)
        self._std = torch.tensor(config.get("std", (0.26862954, 0.26130258, 0.27577711))).view(1, 3, 1, 1)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.model.visual.parameters()).dtype

    @property
    def scale(self) -> float:
        return float(self.model.logit_scale.exp())

    def to(self, device: torch.device | str) -> Guide:
        """Move the model; returns itself."""
        self.model.to(device)
        return self

    def encode_image(self, image: Tensor) -> Tensor:
        """Unit embeddings ``[B,D]`` float32 of ``[B,3,H,W]`` RGB 0..1, differentiable in the image."""
        image = image.to(self.device)
        if image.shape[2:] != (self.image_size, self.image_size):
            image = F.interpolate(
                image, (self.image_size,) * 2, mode="bicubic", antialias=True, align_corners=False
            ).clamp(0, 1)
        image = (image - self._mean.to(image)) / self._std.to(image)
        return F.normalize(self.model.encode_image(image.to(self.dtype)).float(), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Unit embeddings ``[N,D]`` float32 of texts; each text is computed once."""
        for text in dict.fromkeys(texts):
            if text not in self._texts:  # one by one, for in a batch the last bits depend on the other texts
                with torch.inference_mode(False), torch.no_grad():
                    out = self.model.encode_text(self._tokenizer([text]).to(self.device))
                    self._texts[text] = F.normalize(out[0].float(), dim=-1).cpu()
        return torch.stack([self._texts[t] for t in texts]).to(self.device)

    def _embedded(self, texts: Sequence[str], batch: int) -> Tensor:
        """Unit embeddings ``[N,D]`` float32 on the CPU of texts, in batches, whose last bits depend on what stands in a batch."""
        with torch.inference_mode(False), torch.no_grad():
            tokens = self._tokenizer(list(texts)).to(self.device)
            found = torch.cat([self.model.encode_text(few).float() for few in tokens.split(batch)])
            return F.normalize(found, dim=-1).cpu()

    def read_ahead(self, texts: Sequence[str], batch: int = 256) -> None:
        """Embed many texts in batches, which is quicker, and remember them for :meth:`encode_text`.

        For training only: in a batch the last bits of an embedding depend on the other texts, and edits are to be the same in every
        call.
        """
        if texts:
            self._texts.update(zip(texts, self._embedded(texts, batch), strict=True))

    def encode_group(self, texts: Sequence[str]) -> Tensor:
        """:meth:`encode_text` of texts that always come together, several times as quickly: all in one batch, computed once."""
        group = tuple(texts)
        if group not in self._groups:
            self._groups[group] = self._embedded(group, 64)
        return self._groups[group].to(self.device)

    def misspelt(self, text: str) -> dict[str, str]:
        """Words of a text that a small guide takes for misspelt, and what it reads in their place."""
        text = self._without_smileys(text)
        found = misspelt(text, self.vocabulary, self.others) if self.vocabulary else {}
        if self.meanings is not None:
            found = in_context(text, found, self.vocabulary, self.meanings.phrases.find)
        found = {word: meant for word, meant in found.items() if not names(word)}
        if self.meanings is not None and not text.isascii():
            find = self.meanings.phrases.find
            found |= misheard(
                text,
                lambda: self.meanings.phrases.by_sound,
                lambda t: find(t) or find(without_degree(t)[0] or t),
                lambda t: (
                    t in self.meanings.phrases.known
                    or t in self.others
                    or (self._sentences and t in self._sentences.pieces.number)
                ),
            )
        return found

    def mended(self, text: str) -> str:
        """``text`` as a small guide reads it, smileys in words and misspelt words replaced; large models read it as it is."""
        return mended(self._without_smileys(text), self.misspelt(text)) if self.vocabulary else text

    def _without_smileys(self, text: str) -> str:
        return text if self.meanings is None else in_words(text)

    def _said(self, text: str) -> str:
        text = self.mended(text)
        return compared(superlatives(text, self.vocabulary)) if self.meanings is not None else text

    def wishes(self, text: str) -> list[str]:
        """A text as a small guide reads it, unless it is too long, and the wishes that stand side by side in it; of a large model, the text."""
        said = self._said(text)
        if self.meanings is None:
            return [said]
        wishes = [w.text for w in self._clauses(text) if w.worth > 0]
        return list(dict.fromkeys([said, *wishes] if self.reads_whole(said) or not wishes else wishes))

    def _clauses(self, text: str) -> tuple[Clause, ...]:
        """The wishes of a text as a small guide whose text space is laid out reads it; what is known by heart is one. Cut once."""
        if text not in self._cut:
            said = self._said(text)
            known = self.meanings.phrases.find(said)
            self._cut[text] = (Clause(said, 1.0),) if known else tuple(clauses(said, self.meanings))
        return self._cut[text]

    def left_out(self, text: str) -> tuple[list[str], list[str]]:
        """The wishes of a text that a small guide leaves out: those that speak of an animal or a thing ("a smiling dog"), and those that no
        edit can do ("a beard")."""
        if self.meanings is None:
            return [], []
        wishes = [w.text for w in self._clauses(text) if not w.worth]
        undoable = [wish for wish in wishes if asks_for_nothing(wish, self.meanings.phrases.find)]
        return [wish for wish in wishes if wish not in undoable], undoable

    def cannot(self, text: str, everything: bool = False) -> list[str]:
        """What to tell of what a text asks for and no edit can do, such as a beard; of ``everything`` that it mentions where nothing in it is
        understood. Small guides alone tell it."""
        if self.meanings is None:
            return []
        return told([w.text for w in self._clauses(text)], self.meanings.phrases.find, everything)

    def doubted(self, text: str, templates: Sequence[str]) -> list[str]:
        """The wishes of a text that a small guide is not sure of: it does not know them by heart, and its reader of sentences hears something else
        in them than its text tower does. Of such readings four in ten are wrong, of others one in twenty."""
        if self.meanings is None:
            return []
        found = []
        for wish in self._clauses(text):
            bare, _ = without_degree(wish.text)
            if wish.worth <= 0 or any(t and self.meanings.phrases.find(t) is not None for t in (wish.text, bare)):
                continue
            [read], _ = self.meanings.read(self.encode_prompt(wish.text, templates)[None].cpu())
            most = read.abs().argmax()
            told = self._sentences.read(wish.text) if self._sentences and read[most].abs() >= UNDERSTOOD else None
            if told and not told.amounts[most]:
                found.append(wish.text)
        return found

    def near(self, text: str, templates: Sequence[str]) -> list[int]:
        """Numbers of the concepts that a text in which a small guide understands nothing is most like, if any."""
        if self.meanings is None:
            return []
        said = self.mended(text)
        return self.meanings.near(F.normalize(self.encode_text([t.format(said) for t in templates]).mean(0), dim=-1))

    def unheard(self, text: str, templates: Sequence[str]) -> list[str]:
        """The wishes of a text of which a small guide understands nothing, beside others: "a smile, in a forest"."""
        if self.meanings is None:
            return []
        [asked], _ = self.meanings.read(self.encode_prompt(text, templates)[None].cpu())
        return unheard(
            lambda texts: self.encode_group(texts).cpu(),
            self.meanings,
            self._said(text),
            asked,
            lambda: self._sentences,
        )

    def encode_prompt(self, text: str, templates: Sequence[str]) -> Tensor:
        """Unit embedding ``[D]`` of what a prompt asks for, averaged over ``templates``. Small guides mend misspelt words, and read wishes
        one by one where that is clearer."""
        key = (text, *templates)
        if key not in self._prompts:
            said = self._said(text)
            texts = [t.format(said) for t in templates]
            with torch.inference_mode(False), torch.no_grad():
                found = F.normalize(self.encode_text(texts).mean(0), dim=-1).cpu()
                if self.meanings is not None:
                    found = composed(
                        lambda texts: self.encode_group(texts).cpu(),
                        self.meanings,
                        said,
                        found,
                        lambda: self._sentences,
                        all(map(self.reads_whole, texts)),
                    )
                self._prompts[key] = found
        return self._prompts[key].to(self.device)

    @functools.cached_property
    def _sentences(self) -> Sentences | None:
        """What knows sentences about situations, by the concepts that the guide names; read when a text is met that nobody knows by heart."""
        found = load_sentences(WEIGHTS / "sentences.safetensors")
        return found if found.names == self.meanings.names else None

    def unknown_words(self, text: str) -> list[str]:
        """Words of ``text`` outside a small guide's vocabulary, but for misspelt ones; always empty for large models."""
        if not self.vocabulary:
            return []
        read = superlatives(self.mended(text), self.vocabulary)
        new = [w for w in dict.fromkeys(self.words(read)) if w not in self.vocabulary]
        reader = self._sentences if new and self.meanings is not None else None
        return [w for w in new if reader is None or w not in reader.pieces.number]

    def reads_whole(self, text: str) -> bool:
        """Whether no end of ``text`` is cut off for want of tokens."""
        if isinstance(self._tokenizer, Words):
            return self._tokenizer.count(text) <= self._tokenizer.length
        # another word at the end changes the tokens of all texts that leave room for it
        some, more = (self._tokenizer([t]) for t in (text, f"{text} face"))
        return not torch.equal(some, more)

    @staticmethod
    def words(text: str) -> list[str]:
        """The words of a text, as a vocabulary has them, without such as "35mm"; Chinese characters one by one."""
        text = re.sub(r"[a-z]*[0-9][a-z0-9]*", " ", text.lower())
        apart = (f" {c} " if "\u4e00" <= c <= "\u9fff" else c if c.isalpha() else " " for c in text)
        return "".join(apart).split()


def available(folders: Sequence[str | Path] = ()) -> list[str]:
    """Names that :func:`load_guide` takes: built-in, files in ``folders``, every open_clip tag."""
    local = [
        p.name
        for folder in folders
        for p in sorted(Path(folder).glob("*.safetensors"))
        if p.with_suffix(".json").is_file()
    ]
    return [BUILTIN, *local, *(f"{arch}:{tag}" for arch, tag in open_clip().list_pretrained())]


def load_guide(
    name: str = BUILTIN,
    device: torch.device | str = "cpu",
    precision: str = "auto",
    folders: Sequence[str | Path] = (),
) -> Guide:
    """Load a guide: the built-in one from its file alone, all others through open_clip.

    Args:
        name: ``nano`` (built in), ``ARCH:TAG`` of open_clip such as ``ViT-B-32:laion2b_s34b_b79k`` (downloaded by
            open_clip on first use), ``ARCH:FILE.safetensors``, a ``FILE.safetensors`` with its ``FILE.json``
            (open_clip model config) beside it, or a folder with ``open_clip_config.json`` and its weights. Files are
            looked up as given, then in ``folders``.
        device: where it computes.
        precision: one of :data:`PRECISIONS`; ``auto`` is bf16 on a GPU that has it for models above 50 M
            parameters, else fp32.

    Raises:
        GuideError: unknown name, missing or unfitting weights. Random weights are never returned.
    """
    if precision not in PRECISIONS:
        raise GuideError(f"Unknown precision {precision!r}; use one of {', '.join(PRECISIONS)}.")
    if name.strip() == BUILTIN:
        with torch.inference_mode(False), OwnRandom():
            model, tokenizer = load_builtin(WEIGHTS / f"{BUILTIN}.safetensors")
            told = told_of_texts(require_safetensors(WEIGHTS / f"{BUILTIN}.safetensors"))
            return _placed(Guide(name, model, tokenizer, *told), device, precision)
    with loading:
        clip = open_clip()
        found = resolve(clip, name.strip(), [Path(f) for f in folders])
    # Weights built under inference mode could never carry a gradient into the picture.
    with torch.inference_mode(False), OwnRandom():
        try:
            if found.tag:  # before the lock: a download may take long, and others may load meanwhile
                weights, preprocess = fetched(clip, found.arch, found.tag, [Path(f) for f in folders])
                found = replace(found, weights=weights, preprocess=preprocess)
            model, tokenizer = _made(clip, found)
        except Unreachable as e:
            raise GuideError(f"Guide {e}") from e
        except Exception as e:
            raise GuideError(
                f"Guide {name!r} cannot be loaded: {_told(e)}. Check the name with `faceflow guides`; weights that "
                "are not on this machine need a network once, or a local FILE.safetensors with its FILE.json."
            ) from e
        return _placed(Guide(name, model, tokenizer, found.vocabulary, found.meanings, found.others), device, precision)


def _made(clip: ModuleType, found: Found) -> tuple[nn.Module, Callable[[Sequence[str]], Tensor]]:
    """The model and its tokenizer, by open_clip."""
    with loading, silent(), known_to(clip, found):
        require_tokenizer(clip, found.arch)
        model = clip.create_model(
            found.arch,
            pretrained=found.weights,
            device="cpu",
            precision="fp32",
            # weights trained with QuickGELU give nonsense with GELU, and the tag knows which it was
            force_quick_gelu=found.quick_gelu,
            force_preprocess_cfg=found.preprocess,
        )
        return model, clip.get_tokenizer(found.arch)


def _placed(guide: Guide, device: torch.device | str, precision: str) -> Guide:
    """The guide on a device, in its precision."""
    model = guide.model
    if precision == "auto":
        large = sum(p.numel() for p in model.parameters()) > 50e6
        bf16 = large and torch.device(device).type == "cuda" and torch.cuda.is_bf16_supported()
        precision = "bf16" if bf16 else "fp32"
    dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    if dtype != torch.float32:
        scale = model.logit_scale.data.clone()
        model.to(dtype)
        model.logit_scale.data = scale
    return guide.to(device)


def _told(e: Exception, most: int = 400) -> str:
    """What an error says, in one line; that of unfitting weights names the keys."""
    text = " ".join((str(e).strip() or type(e).__name__).split())
    return (text if len(text) <= most else text[:most] + " ...").rstrip(".")
