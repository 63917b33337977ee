"""The error of all guides, in a module of its own, so that what guides are made of can raise it."""

from __future__ import annotations


class GuideError(RuntimeError):
    """A guide cannot be loaded or used; the message names the remedy."""
