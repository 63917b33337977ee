"""Ornaments in hair."""

from __future__ import annotations

import torch
from torch import Tensor

from flow_core.faces.ornaments import ornaments
from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.lab import rgb_to_lab

SIDE = 128


def lab_of(picture: Tensor) -> Tensor:
    return rgb_to_lab(picture[0].flatten(1)).unflatten(1, picture.shape[2:])[None]


def head() -> tuple[Tensor, Tensor, Tensor]:
    """Dark hair with strands from left to right in bands ``[1,3,n,n]``, where it is, and x and y ``[n,n]``."""
    x, y = pixel_centers(SIDE, SIDE)[0].unbind(-1)
    noise = torch.rand(SIDE, 1, generator=torch.Generator().manual_seed(0)).expand(SIDE, SIDE)
    color = torch.tensor([1.1, 1.0, 0.9])[:, None, None]
    return ((0.08 + 0.06 * noise) * color)[None], torch.ones(1, 1, SIDE, SIDE), torch.stack([x, y])


def test_pearls_are_ornaments_and_gloss_along_strands_is_none() -> None:
    picture, hair, (x, y) = head()
    gloss = ((y > 0.7) & (y < 0.78)).float()
    picture = picture * (1 + 2 * gloss)
    pearls = ((y - 0.3).abs() < 0.03) & ((x - 0.5).abs() < 0.2) & (torch.sin(70 * x) * torch.sin(70 * y) > 0)
    picture = torch.where(pearls, torch.tensor([0.8, 0.75, 0.7])[:, None, None], picture)
    found = ornaments(lab_of(picture), hair, SIDE)[0, 0]
    assert found[pearls].mean() > 0.8
    assert found[gloss > 0].max() < 0.1
    assert found[(y > 0.4)].max() < 0.1


def test_without_hair_there_are_none() -> None:
    picture, hair, _ = head()
    assert ornaments(lab_of(picture), 0 * hair, SIDE).max() == 0
