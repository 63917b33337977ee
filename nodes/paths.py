"""Where weights and fields lie in ComfyUI."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

MODELS = "faceflow"


def register() -> None:
    """Make ``models/faceflow`` known, so that ``extra_model_paths.yaml`` can add to it."""
    folder_paths.add_model_folder_path(MODELS, os.path.join(folder_paths.models_dir, MODELS))
    folder_paths.folder_names_and_paths[MODELS][1].add(".safetensors")


def model_folders() -> list[Path]:
    return [Path(p) for p in folder_paths.get_folder_paths(MODELS)]


def _roots() -> dict[str, Path]:
    return {"output": Path(folder_paths.get_output_directory()), "input": Path(folder_paths.get_input_directory())}


def list_fields(endings: tuple[str, ...] = (".safetensors",)) -> list[str]:
    """Saved fields as ``output/...`` and ``input/...``, the newest first."""
    found = [(p.stat().st_mtime, f"{root}/{p.relative_to(folder).as_posix()}")
             for root, folder in _roots().items() for p in folder.rglob("*")
             if p.name.lower().endswith(endings) and p.is_file()]  # fmt: skip
    return [name for _, name in sorted(found, reverse=True)]


def field_path(name: str) -> Path:
    """The file of a name from :func:`list_fields`; names that lead out of the two folders raise ValueError."""
    root, _, rest = name.partition("/")
    folder = _roots().get(root)
    if folder is None or not rest or not (path := (folder / rest).resolve()).is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} is no field in ComfyUI's output or input folder.")
    return path
