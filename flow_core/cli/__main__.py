"""``python -m flow_core.cli``."""

import sys

from . import command

sys.exit(command())
