"""Which device computes."""

from __future__ import annotations

import torch


def pick_device(name: str = "auto") -> torch.device:
    """``auto``: CUDA, else MPS, else CPU; or a device by its torch name.

    Raises:
        ValueError: the device is unknown or not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.zeros(1, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as e:
        raise ValueError(f"Device {name!r} cannot be used ({str(e).splitlines()[0]}); try --device cpu.") from e
