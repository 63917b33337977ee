"""The ``faceflow`` command. Nothing is imported here that loads torch: see :func:`command`."""

from __future__ import annotations

import gc
import os
import signal
import sys


def command() -> int:
    """:func:`flow_core.cli.main.main` as a process of its own, whose settings are ours to make."""
    # spinning threads starve each other on a busy machine; OpenMP reads this when torch is loaded
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unfinished files are removed on the way out
    gc.disable()  # looking for garbage among thousands of new modules takes a third of the time of their import
    from .main import main

    gc.freeze()  # else Python looks for garbage among all modules again and again
    gc.enable()
    code = main()
    gc.freeze()  # and before it ends, for a second
    return code


__all__ = ["command"]
