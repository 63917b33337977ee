"""Keeping freed memory in the process, so that asking for it again is cheap."""

from __future__ import annotations

import torch

_HELD = 30 << 20  # bytes


def hold_memory() -> None:
    """Make the C library keep the memory that one operation frees for the next one.

    glibc returns large blocks to the system and fetches them again page by page, which takes longer than most operations on
    them. It stops doing so for blocks up to the largest one that was ever freed (mallopt(3), M_MMAP_THRESHOLD), so a large
    block is allocated and freed here. Repeated calls cost next to nothing.
    """
    torch.empty(_HELD, dtype=torch.uint8)
