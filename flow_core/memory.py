"""Memory that is freed, and asked for again at once."""

from __future__ import annotations

import torch

_HELD = 30 << 20  # bytes


def hold_memory() -> None:
    """Keep the memory that an operation frees for the next one.

    The C library of Linux gives large blocks back to the system, and gets them page by page again, which takes longer than most operations on
    them, until it has seen one as large as this freed once (mallopt(3), M_MMAP_THRESHOLD). Where it has, this is nothing."""
    torch.empty(_HELD, dtype=torch.uint8)
