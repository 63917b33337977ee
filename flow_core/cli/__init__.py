"""The ``faceflow`` command. Importing this does not import torch, so that :func:`command` can prepare the process first."""

from __future__ import annotations

import gc
import os
import signal
import sys


def command() -> int:
    """Run :func:`flow_core.cli.main.main` as a process of its own, with settings that a library must not make."""
    # spinning threads starve each other on a busy machine; OpenMP reads this when torch is loaded
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # printing a name that the console cannot show must not fail
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that unfinished files are removed
    gc.disable()  # garbage collection takes a third of the time of importing thousands of modules
    from .main import main

    gc.freeze()  # do not search the modules for garbage again
    gc.enable()
    code = main()
    gc.freeze()  # which would take a second at exit
    return code


__all__ = ["command"]
