"""Where ComfyUI keeps weights and fields."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

import folder_paths

MODELS = "faceflow"


def register() -> None:
    """Register ``models/faceflow``, so that ``extra_model_paths.yaml`` can add folders to it."""
    folder_paths.add_model_folder_path(MODELS, os.path.join(folder_paths.models_dir, MODELS))
    folder_paths.folder_names_and_paths[MODELS][1].add(".safetensors")


def model_folders() -> list[Path]:
    """The folders in which weights may be."""
    return [Path(p) for p in folder_paths.get_folder_paths(MODELS)]


def list_weights(guides: bool) -> list[str]:
    """Names of files of weights: of guides, which have a .json file beside them, or of others."""
    files = [path for folder in model_folders() for path in sorted(folder.glob("*.safetensors"))]
    return [path.name for path in files if path.with_suffix(".json").is_file() == guides]


def _roots() -> dict[str, Path]:
    return {"output": Path(folder_paths.get_output_directory()), "input": Path(folder_paths.get_input_directory())}


def list_fields(endings: tuple[str, ...] = (".safetensors",)) -> list[str]:
    """Saved fields as ``output/...`` and ``input/...``, the newest first."""
    found = []
    for root, folder in _roots().items():
        for place, _, names in os.walk(folder):  # by name first, since the folder may hold very many pictures
            for name in names:
                if name.lower().endswith(endings) and (path := Path(place, name)).is_file():
                    found.append((path.stat().st_mtime, f"{root}/{path.relative_to(folder).as_posix()}"))
    return [name for _, name in sorted(found, reverse=True)]


def output_name(prefix: str, nodes: Mapping[str, Mapping] | None = None) -> tuple[str, str, int]:
    """Folder, name and first free number of a file in ComfyUI's output folder.

    Args:
        prefix: folder and name below it, with ``%date:yyyy-MM-dd%``, ``%Node.widget%`` and what else the core's Save Image
            knows. The page fills in the first two for nodes of its own only.
        nodes: the prompt in API format, in which ``%Node.widget%`` is looked up.
    """
    prefix = prefix.strip() or "faceflow/field"  # whose name would be a dot, and hide the file
    folder, name, counter, _, _ = folder_paths.get_save_image_path(
        re.sub(r"%([^%]+)%", lambda m: _filled_in(m, nodes or {}), prefix), folder_paths.get_output_directory()
    )
    return folder, name, counter


def _filled_in(match: re.Match, nodes: Mapping[str, Mapping]) -> str:
    """The text for ``%...%``, or itself if it is not known here."""
    what, _, rest = match[1].partition(":")
    if what == "date":
        now = time.localtime()
        parts = {"d": now.tm_mday, "M": now.tm_mon, "h": now.tm_hour, "m": now.tm_min, "s": now.tm_sec}
        year = {"yyyy": f"{now.tm_year}", "yy": f"{now.tm_year % 100:02}"}
        return re.sub(
            r"yyyy|yy|dd?|MM?|hh?|mm?|ss?",
            lambda m: year.get(m[0]) or f"{parts[m[0][0]]:0{len(m[0])}}",
            rest or "yyyyMMddhhmmss",
        )
    title, _, widget = match[1].rpartition(".")
    for node in nodes.values():
        if title and title in (node.get("_meta", {}).get("title"), node.get("class_type")):
            value = node.get("inputs", {}).get(widget)
            if isinstance(value, str | int | float):
                return re.sub(r'[/?<>\\:*|"\x00-\x1f\x7f]', "_", str(value))
    return match[0]


def field_path(name: str) -> Path:
    """The file of a name from :func:`list_fields`; names that lead out of the two folders raise ValueError."""
    root, _, rest = name.partition("/")
    folder = _roots().get(root)
    if folder is None or not rest or not (path := (folder / rest).resolve()).is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} is no field in ComfyUI's output or input folder.")
    return path
