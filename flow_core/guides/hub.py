"""Weights of the models that open_clip knows by name: from this machine's cache, else downloaded once, else a sentence.

The client of the hub tries an unreachable server again and again for most of a minute. So whether it answers is asked
beforehand, once and for a few seconds, and only where the weights are not here already.
"""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

PATIENCE = 4.0  # seconds
KEEPS = ("mean", "std", "interpolation", "resize_mode")  # what a tag says of the pictures that its weights expect


class Unreachable(OSError):
    """Something is not on this machine and cannot be downloaded; the message says what to put where."""


def fetched(clip: ModuleType, arch: str, tag: str, folders: Sequence[Path] = ()) -> tuple[str, dict]:
    """The weights of ``arch:tag``, as a file or, where open_clip must find them itself, by their tag; and how the pictures for
    them are normalised.

    Raises:
        Unreachable: they are not here, and the server does not answer.
    """
    about = clip.get_pretrained_cfg(arch, tag) or {}
    preprocess = {k: about[k] for k in KEEPS if k in about}
    repo, _, name = about.get("hf_hub", "").rpartition("/")
    if not repo:
        url = about.get("url", "")
        if url and not (Path("~/.cache/clip").expanduser() / url.rpartition("/")[2]).is_file():
            _require_answer(url, f"{arch}:{tag}", f"put the file from {url} into ~/.cache/clip.")
        return tag, preprocess
    from huggingface_hub import constants, try_to_load_from_cache

    names = _file_names(name)
    for one in names:
        if isinstance(path := try_to_load_from_cache(repo, one), str):
            return path, preprocess
    target = f"{arch}-{tag}.safetensors"
    known = clip.list_models()
    by_file = f"{arch}-quickgelu" if about.get("quick_gelu") and f"{arch}-quickgelu" in known else arch
    where = Path(folders[0]).resolve() if folders else Path().resolve()
    if names[0].endswith(".safetensors"):
        remedy = (
            f"download {constants.ENDPOINT}/{repo}/resolve/main/{names[0]} elsewhere, put it into {where} as {target}, and "
            f"name the guide {by_file}:{target}."
        )
    else:
        folder = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"
        remedy = f"copy the folder {folder} from a machine that has loaded this guide."
    _require_answer(constants.ENDPOINT, f"{arch}:{tag}", remedy, offline=constants.HF_HUB_OFFLINE)
    return clip.download_pretrained(about), preprocess


def require_tokenizer(clip: ModuleType, arch: str) -> None:
    """Raise :class:`Unreachable` where the texts of a model need a file that is neither here nor to be had."""
    name = ((clip.get_model_config(arch) or {}).get("text_cfg") or {}).get("hf_tokenizer_name")
    if not name or Path(name).is_dir():
        return
    from huggingface_hub import constants, try_to_load_from_cache

    if any(isinstance(try_to_load_from_cache(name, f), str) for f in ("tokenizer.json", "tokenizer_config.json")):
        return
    folder = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    remedy = f"copy the folder {folder} from a machine that has loaded this guide."
    _require_answer(constants.ENDPOINT, f"{arch} (its tokenizer {name})", remedy, offline=constants.HF_HUB_OFFLINE)


def _file_names(name: str) -> list[str]:
    """Under which names open_clip looks for weights, the best first."""
    if not name:
        return ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
    stem, _, kind = name.rpartition(".")
    return [f"{stem}.safetensors", name] if kind in ("bin", "pth") else [name]


def _require_answer(url: str, what: str, remedy: str, offline: bool = False) -> None:
    why = "HF_HUB_OFFLINE forbids to ask for it" if offline else no_answer(url)
    if why:
        raise Unreachable(
            f"{what} is not on this machine, and {why}. With a network it is downloaded once; without, {remedy}"
        )


def no_answer(url: str, seconds: float = PATIENCE) -> str:
    """Why a server cannot be asked, found out within ``seconds``; empty where it answers, be it with an error."""
    said = [f"{url} does not answer within {seconds:g} seconds"]

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "faceflow"})
        try:
            # an opener of our own: urlopen would leave one in the process
            urllib.request.build_opener().open(request, timeout=seconds).close()
            said[0] = ""
        except urllib.error.HTTPError:
            said[0] = ""
        except (OSError, ValueError) as e:
            reason = getattr(e, "reason", e)  # a certificate is for the client of the hub to judge
            said[0] = "" if isinstance(reason, ssl.SSLError) else f"{url} cannot be reached ({reason})"

    # in a thread, for looking up a name knows no limit of time
    thread = threading.Thread(target=ask, name="faceflow-ask", daemon=True)
    thread.start()
    thread.join(seconds)
    return said[0]
