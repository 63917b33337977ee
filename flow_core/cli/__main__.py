"""``python -m flow_core.cli``."""

from .main import command

command()
