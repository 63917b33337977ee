"""Importing packages late, where they are needed, since that takes a while; errors name the remedy."""

from __future__ import annotations

import importlib
from types import ModuleType

LINES = {"kornia": "kornia>=0.7.1"}  # package -> requirement, as pip takes it


def need(module: str) -> ModuleType:
    """Import a module of a package in :data:`LINES`.

    Raises:
        ImportError: the package cannot be imported; the message has the pip command.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as e:
        raise ImportError(
            f"FaceFlow needs {package}, which cannot be imported ({e}). Run with the same Python: "
            f'python -m pip install "{LINES[package]}"'
        ) from e
