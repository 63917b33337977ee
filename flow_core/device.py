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
        float(torch.zeros(1, device=name))  # a device that has no numbers, such as meta, is none to compute on
        return torch.device(name)
    except Exception as e:  # what a missing backend raises differs from one to the next
        reason = (str(e).strip() or type(e).__name__).splitlines()[0]
        raise ValueError(f"Device {name!r} cannot be used ({reason}); try --device cpu.") from e
