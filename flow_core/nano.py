"""The image tower of the built-in nano guide, made known to timm so that open_clip builds and loads the nano
guide like any other model."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

TOWER = "faceflow_nano"
CHANNELS = (16, 32, 64, 96, 160)
IMAGE_SIZE = 112


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.silu(x + self.body(x))


def _down(c_in: int, c_out: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, stride=2, padding=kernel // 2, bias=False), nn.BatchNorm2d(c_out), nn.SiLU()
    )


class NanoTower(nn.Module):
    """A small residual network that keeps the place of what it sees.

    Faces arrive aligned, so the last 7x7 map is flattened instead of averaged: where a brow lies is the very thing
    that an expression changes. For the same reason a second, short path sees the colours of a coarse mosaic of the face.

    Args:
        squeeze: channels of the flattened map.
        mosaic: channels of the colour path; 0 leaves it away.
    """

    def __init__(self, squeeze: int = 32, mosaic: int = 0) -> None:
        super().__init__()
        # what open_clip's timm adapter reads
        self.num_features = squeeze * (IMAGE_SIZE // 16) ** 2 + mosaic * (IMAGE_SIZE // 8) ** 2
        self.default_cfg = {"pool_size": None, "input_size": (3, IMAGE_SIZE, IMAGE_SIZE)}
        self.stem = _down(3, CHANNELS[0], 5)
        stages: list[nn.Module] = []
        for c_in, c_out in pairwise(CHANNELS[:4]):
            stages += [_down(c_in, c_out), _Residual(c_out)]
        self.stages = nn.Sequential(*stages, nn.Conv2d(CHANNELS[3], CHANNELS[4], 1), _Residual(CHANNELS[4]))
        self.squeeze = nn.Sequential(nn.Conv2d(CHANNELS[4], squeeze, 1), nn.SiLU())
        if mosaic:
            self.mosaic = nn.Sequential(
                nn.AvgPool2d(4), nn.Conv2d(3, mosaic, 1), nn.SiLU(), nn.Conv2d(mosaic, mosaic, 3, 2, 1), nn.SiLU()
            )
        # without it the mean face outweighs what tells faces apart
        self.norm = nn.BatchNorm1d(self.num_features)

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Part of timm's interface; the tower has no classifier."""

    def forward(self, x: Tensor) -> Tensor:
        """``[B,3,112,112]`` normalised -> ``[B,num_features]``."""
        features = torch.flatten(self.squeeze(self.stages(self.stem(x))), 1)
        if hasattr(self, "mosaic"):
            features = torch.cat([features, torch.flatten(self.mosaic(x), 1)], 1)
        return self.norm(features)


def register() -> None:
    """Make :data:`TOWER` known to timm; safe to call again."""
    from timm.models import is_model, register_model

    if is_model(TOWER):
        return

    def faceflow_nano(pretrained: bool = False, **_: object) -> NanoTower:
        return NanoTower(mosaic=16)

    register_model(faceflow_nano)
