"""What the name of a guide stands for: the built-in one, a model and a tag of open_clip, a file, or a folder.

Files are safetensors only. Pickles, which can run any program when they are read, are refused before open_clip sees them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from .. import jsons
from .errors import GuideError
from .meaning import Meanings

BUILTIN = "nano"


def told_of_texts(about: dict[str, str]) -> tuple[frozenset[str], Meanings | None, frozenset[str]]:
    """Vocabulary, layout of the text space, and words that are no misspelt ones of the vocabulary, from the metadata of a guide's weights."""
    words, others = (frozenset(jsons.loads(about.get(name, "[]"))) for name in ("vocabulary", "others"))
    meanings = (
        Meanings.loads(about["concepts"], about.get("phrases", "{}"), about.get("things", ""))
        if "concepts" in about
        else None
    )
    return words, meanings, others


@dataclass(frozen=True)
class Found:
    """What a guide's name stands for, in open_clip's terms.

    Attributes:
        arch: name of the model.
        weights: file, or tag where open_clip must find it itself; None for a folder, which names it.
        tag: of published weights.
        quick_gelu: whether these were trained with QuickGELU.
        vocabulary: the words that a small guide knows.
        meanings: how its text space is laid out.
        others: words that lie near those, and are none of them misspelt.
        config: of a model that open_clip does not know.
        preprocess: how pictures are normalised; None = as the model says.
    """

    arch: str
    weights: str | None = None
    tag: str | None = None
    quick_gelu: bool = False
    vocabulary: frozenset[str] = frozenset()
    meanings: Meanings | None = None
    others: frozenset[str] = frozenset()
    config: dict | None = None
    preprocess: dict | None = None


@contextlib.contextmanager
def known_to(clip: ModuleType, found: Found) -> Iterator[None]:
    """While the block runs, open_clip knows the config of a model from a file."""
    if found.config is None:
        yield
        return
    clip.factory._MODEL_CONFIGS[found.arch] = found.config
    try:
        yield
    finally:
        clip.factory._MODEL_CONFIGS.pop(found.arch, None)


def resolve(clip: ModuleType, name: str, folders: list[Path]) -> Found:
    """What a guide's name stands for."""
    if not name:
        raise GuideError(f"The guide has no name; use {BUILTIN!r} or one of `faceflow guides`.")
    places = [Path(), *folders]
    for place in places:
        path = place / name
        if path.is_dir() and (path / "open_clip_config.json").is_file():
            if not any(path.glob("*.safetensors")):
                raise GuideError(
                    f"{path} has an open_clip config but no weights; put open_clip_model.safetensors beside it."
                )
            _require_folder(clip, path)
            return Found(f"local-dir:{path}")
        if path.suffix == ".safetensors" and path.is_file():
            return _local_file(path)
    arch, _, weights = name.partition(":")
    if arch in clip.list_models() and weights:
        if weights in clip.list_pretrained_tags_by_model(arch):
            about = clip.get_pretrained_cfg(arch, weights) or {}
            return Found(arch, tag=weights, quick_gelu=bool(about.get("quick_gelu")))
        for place in places:
            if weights.endswith(".safetensors") and (place / weights).is_file():
                require_safetensors(place / weights)
                return Found(arch, str(place / weights), preprocess=_normalisation(clip, arch))
        tags = ", ".join(clip.list_pretrained_tags_by_model(arch)) or "none"
        raise GuideError(f"{arch} has no weights {weights!r}; open_clip knows {tags}.")
    if arch in clip.list_models():
        tags = clip.list_pretrained_tags_by_model(arch)
        raise GuideError(
            f"{name!r} names an architecture without weights, which would guide at random; "
            f"write for instance {arch}:{tags[0] if tags else 'FILE.safetensors'}."
        )
    searched = ", ".join(str(p.resolve()) for p in places)
    raise GuideError(
        f"There is no guide {name!r}. Use {BUILTIN!r}, ARCH:TAG as listed by `faceflow guides`, or a FILE.safetensors "
        f"with its FILE.json in one of: {searched}."
    )


def _normalisation(clip: ModuleType, arch: str) -> dict | None:
    """Mean and std that a file of an architecture's weights expects: those of its published weights, which for
    SigLIP are not CLIP's."""
    tags = clip.list_pretrained_tags_by_model(arch)
    known = clip.get_pretrained_cfg(arch, tags[0]) if tags else {}
    return {k: known[k] for k in ("mean", "std") if k in known} or None


def _local_file(path: Path) -> Found:
    config = path.with_suffix(".json")
    if not path.is_file() or not config.is_file():
        raise GuideError(
            f"A guide from a file needs both {path} and {config.name} (its open_clip model config) beside it."
        )
    about = require_safetensors(path)
    try:
        words, meanings, others = told_of_texts(about)
        model = dict(jsons.loads(config.read_text()))
    except (ValueError, TypeError, OSError) as e:
        raise GuideError(f"{path.name} or {config.name} is damaged ({e}); copy it again.") from e
    if not {"embed_dim", "vision_cfg", "text_cfg"} <= model.keys():
        raise GuideError(f"{config.name} is no open_clip model config: it needs embed_dim, vision_cfg and text_cfg.")
    # open_clip knows models by name only: one of its own keeps this from replacing another
    name = f"faceflow-{path.stem}-{hashlib.sha256(config.read_bytes()).hexdigest()[:12]}"
    return Found(name, str(path), vocabulary=words, meanings=meanings, others=others, config=model)


def _require_folder(clip: ModuleType, path: Path) -> None:
    """A folder from which open_clip can be asked to load, so that it takes weights and no pickle."""
    for file in path.glob("*.safetensors"):
        require_safetensors(file)
    first = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")  # open_clip looks for these first
    pickles = [p.name for kind in ("*.bin", "*.pth") for p in path.glob(kind)]
    if pickles and not any((path / name).is_file() for name in first):
        raise GuideError(
            f"open_clip would take {pickles[0]} of {path}, a pickle, which can run any program; name the weights {first[0]}."
        )
    if not hasattr(clip.factory, "parse_model_name"):
        raise GuideError("Guides from a folder need open_clip 3. Run: pip install -U open_clip_torch")


def require_safetensors(path: Path) -> dict[str, str]:
    """Metadata of a file of weights, which is what its ending says. Versions of open_clip differ in what they do with one
    that is not, and some have unpickled it, which can run any program."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as f:
            return f.metadata() or {}
    except (SafetensorError, OSError) as e:
        raise GuideError(f"{path.name} is damaged or no safetensors file ({e}); copy it again.") from e
