"""The ``faceflow`` command."""

from .main import command

__all__ = ["command"]
