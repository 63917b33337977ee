"""How the light on a face changes when its muscles move: folds darken, cheeks that rise catch it.

A warp alone moves skin as if it were printed on rubber. What it lacks is kept here as one more blendshape: for each unit the
logarithm of the factor by which the luminance of the skin changes, at each vertex of the rig, as photographs of many people show it
(after Liu, Shan and Zhang, Expressive Expression Mapping with Ratio Images, 2001). Made by :mod:`flow_core.train.shading`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..once import once
from .rig import Rig

BUILTIN = Path(__file__).parents[1] / "weights" / "shading.safetensors"
# The factor's logarithm for red, green and blue, over that for luminance: in a fold skin lights itself, so that red is lost least.
# Measured on the colour photographs of the data, between smiling and neutral faces; see the card.
TINT = (0.63, 1.12, 1.14)
GAMMA = 2.2  # from the logarithm of sRGB values to that of light


@once()
def load_shading(path: Path = BUILTIN) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """The names of the units that change light, and for these, in that order, at the rig's ``vertices [n]``: ``light [K,n]``,
    ``creases [K,n]``, ``years [n]`` and ``skin [n]``, see :class:`Shading`.

    Raises:
        ValueError: the file holds something else.
    """
    from safetensors import safe_open

    with torch.inference_mode(False):  # tensors made in inference mode would be of no use outside of it
        try:
            with safe_open(path, "pt") as file:
                names = tuple(json.loads((file.metadata() or {})["faceflow"])["units"])
                found = {k: file.get_tensor(k).float() for k in Shading._fields}
                return names, {**found, "vertices": file.get_tensor("vertices").long()}
        except Exception as e:
            raise ValueError(f"{path} holds no shading ({e}); install FaceFlow again.") from e


class Shading(NamedTuple):
    """What units do to the light at some vertices.

    Attributes:
        light: ``[U,n]`` logarithm of the factor of luminance for 1 of a unit.
        creases: ``[U,n]`` 0..1, whether lines there are a unit's.
        years: ``[n]`` logarithm of the factor of luminance between grown-ups and the old.
        skin: ``[n]`` 0..1, whether lines there are those of skin at all, and not of lids, lips or nostrils.
    """

    light: Tensor
    creases: Tensor
    years: Tensor
    skin: Tensor


def shading(rig: Rig, vertices: Tensor) -> Shading:
    """For all units, at some vertices ``[n]`` of the whole rig; zero where nothing changes."""
    names, stored = load_shading()
    units = torch.tensor([rig.unit_names.index(name) for name in names])
    with torch.inference_mode(False):
        planes = []
        for kind in Shading._fields:
            values = stored[kind]
            if values.ndim > 1:  # of units, of which the others change nothing
                values = values.new_zeros(len(rig.unit_names), values.shape[1]).index_copy_(0, units, values)
            dense = values.new_zeros(*values.shape[:-1], len(rig.neutral))
            dense[..., stored["vertices"]] = values
            planes.append(dense[..., vertices.cpu()].to(rig.device))
        return Shading(*planes)
