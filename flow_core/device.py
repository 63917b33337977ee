"""Choosing the device that computes."""

from __future__ import annotations

import torch


def pick_device(name: str = "auto") -> torch.device:
    """``auto``: CUDA, else MPS, else CPU; or a device by its torch name.

    Raises:
        ValueError: torch does not know the device, or cannot compute on it.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        float(torch.zeros(1, device=name))  # fails on "meta", which holds no numbers
        return torch.device(name)
    except Exception as e:  # each backend raises its own kind of error
        reason = (str(e).strip() or type(e).__name__).splitlines()[0]
        raise ValueError(f"Device {name!r} cannot be used ({reason}); try --device cpu.") from e
