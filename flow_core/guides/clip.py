"""The package open_clip, imported late and with care: it takes seconds, it talks, and a torchvision built for another torch stops it."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

import torch

from . import nano
from .errors import GuideError

# open_clip keeps its models in a table of its own, and a module must not be imported by two threads that mend the import: one
# guide at a time is made with it.
loading = threading.RLock()


def open_clip() -> ModuleType:
    """The open_clip package, also where torchvision was built for another torch.

    open_clip needs torchvision only for transforms that FaceFlow does not use, but a torchvision whose compiled
    operators do not fit the installed torch stops at its import ("operator torchvision::nms does not exist").
    Declaring the missing operators, without a kernel, lets the import pass.
    """
    with loading, _no_collection():
        return _import_open_clip()


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Garbage is not looked for among thousands of new modules: that takes a third of the time of their import."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _import_open_clip() -> ModuleType:
    try:
        import torchvision  # noqa: F401
    except (RuntimeError, AttributeError) as e:
        if "torchvision" not in str(e):
            raise
        for name in [m for m in sys.modules if m.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for op in ("nms", "qnms"):
            with contextlib.suppress(RuntimeError):  # declared by somebody else
                torch.library.define(
                    f"torchvision::{op}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                )
    except ImportError:
        pass  # open_clip says it better
    try:
        import open_clip as module
    except ImportError as e:
        raise GuideError(f"open_clip cannot be imported ({e}). Run: pip install open_clip_torch") from e
    nano.register()
    return module


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """open_clip tells the root logger what it does, in terms that tell an artist nothing, and a root logger without a handler would
    get one at its first word. Here what this thread logs below an error is dropped; levels stay as they are."""
    root, here = logging.getLogger(), threading.get_ident()

    def keep(record: logging.LogRecord) -> bool:
        return record.thread != here or record.levelno >= logging.ERROR

    nothing = None if root.handlers else logging.NullHandler()
    root.addFilter(keep)
    if nothing is not None:
        root.addHandler(nothing)
    try:
        yield
    finally:
        root.removeFilter(keep)
        if nothing is not None:
            root.removeHandler(nothing)
