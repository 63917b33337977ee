"""Packages that are imported where they are needed, because that takes a while; a missing one is named with its remedy."""

from __future__ import annotations

import importlib
from types import ModuleType

LINES = {"kornia": "kornia>=0.7.1"}  # package -> what pip is to install


def need(module: str) -> ModuleType:
    """Import a module of a package in :data:`LINES`.

    Raises:
        ImportError: the package is missing or does not import; the message has the line for pip.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as e:
        raise ImportError(
            f"FaceFlow needs {package}, which cannot be imported ({e}). Run with the same Python: "
            f'python -m pip install "{LINES[package]}"'
        ) from e
