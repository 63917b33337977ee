"""How the light on a face changes when its muscles move: folds darken, cheeks that rise catch it.

A warp alone moves skin as if it were printed on rubber. What it lacks is kept here as one more blendshape: for each unit the
logarithm of the factor by which the luminance of the skin changes, at each vertex of the rig, as photographs of many people show it
(after Liu, Shan and Zhang, Expressive Expression Mapping with Ratio Images, 2001). Made by :mod:`flow_core.train.shading`.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from ..once import once
from .rig import Rig

BUILTIN = Path(__file__).parents[1] / "weights" / "shading.safetensors"
# The factor's logarithm for red, green and blue, over that for luminance: in a fold skin lights itself, so that red is lost least.
# Measured on the colour photographs of the data, between smiling and neutral faces; see the card.
TINT = (0.63, 1.12, 1.14)
GAMMA = 2.2  # from the logarithm of light to that of sRGB values


@once()
def load_shading(path: Path = BUILTIN) -> dict[str, Tensor]:
    """For each unit that has some, ``[n]`` the logarithm of the factor of luminance at 1, and as ``vertices [n]`` at which of
    the rig's vertices.

    Raises:
        ValueError: the file holds something else.
    """
    from safetensors import safe_open

    with torch.inference_mode(False):  # tensors made in inference mode would be of no use outside of it
        try:
            with safe_open(path, "pt") as file:
                names = json.loads((file.metadata() or {})["faceflow"])["units"]
                light, vertices = file.get_tensor("light").float(), file.get_tensor("vertices").long()
            return {**dict(zip(names, light, strict=True)), "vertices": vertices}
        except Exception as e:
            raise ValueError(f"{path} holds no shading ({e}); install FaceFlow again.") from e


def shading(rig: Rig) -> Tensor:
    """``[U,V]`` for all units and vertices of the whole rig, zero where there is none."""
    stored = dict(load_shading())
    vertices = stored.pop("vertices")
    with torch.inference_mode(False):
        light = torch.zeros(len(rig.unit_names), len(rig.neutral))
        for name, values in stored.items():
            light[rig.unit_names.index(name), vertices] = values
        return light.to(rig.device)
