"""Reading weights from safetensors files, the same way for every network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from .randomness import OwnRandom

Network = TypeVar("Network", bound=nn.Module)


def read_weights(path: str | Path, what: str, remedy: str = "install FaceFlow again") -> tuple[dict[str, Tensor], dict]:
    """The tensors of a safetensors file, and its metadata.

    Args:
        what: whose weights they are, the word before "weights" in messages.
        remedy: what to do if they cannot be read, the end of messages.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There are no {what} weights at {path}; {remedy}.")
    try:
        # tensors made in inference mode would be of no use outside of it
        with torch.inference_mode(False), safe_open(str(path), "pt") as f:
            return {k: f.get_tensor(k) for k in f.keys()}, dict(f.metadata() or {})  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as e:
        raise ValueError(f"{path.name} is damaged or no safetensors file ({e}); {remedy}.") from e


def filled(kind: Callable[[], Network], path: str | Path, what: str, remedy: str = "install FaceFlow again") -> Network:
    """A network with the weights of a file, in evaluation mode and without gradients; arguments and errors as in :func:`read_weights`.

    Raises:
        ValueError: also if the weights belong to another network.
    """
    tensors, _ = read_weights(path, what, remedy)
    with OwnRandom():
        network = kind()
    try:
        network.load_state_dict(tensors)
    except RuntimeError as e:
        reason = " ".join(str(e).split())[:200]
        raise ValueError(f"{Path(path).name} holds no {what} weights ({reason}); {remedy}.") from e
    return network.eval().requires_grad_(False)
