"""The image tower of the built-in nano guide, made known to timm so that open_clip builds and loads the nano
guide like any other model."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

TOWER = "faceflow_nano"
CHANNELS = (16, 32, 64, 96, 160)
COLORS = 64  # features of the colour path
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
    that an expression changes. Colour is another matter: lips are few pixels of the map. So the tower finds regions of the
    face, and a short path sees nothing but the mean colour of each.

    Args:
        squeeze: channels of the flattened map.
        regions: how many regions' colours are seen; 0 leaves that path away.
        size: side of the picture, a multiple of 16.
        channels: of the maps, each of half the side of the one before; the last has the side of the one before it.
    """

    def __init__(
        self, squeeze: int = 32, regions: int = 0, size: int = IMAGE_SIZE, channels: tuple[int, ...] = CHANNELS
    ) -> None:
        super().__init__()
        # what open_clip's timm adapter reads
        self.num_features = squeeze * (size // 16) ** 2 + (COLORS if regions else 0)
        self.default_cfg = {"pool_size": None, "input_size": (3, size, size)}
        self.stem = _down(3, channels[0], 5)
        stages: list[nn.Module] = []
        for c_in, c_out in pairwise(channels[:4]):
            stages += [_down(c_in, c_out), _Residual(c_out)]
        self.stages = nn.Sequential(*stages, nn.Conv2d(channels[3], channels[4], 1), _Residual(channels[4]))
        self.squeeze = nn.Sequential(nn.Conv2d(channels[4], squeeze, 1), nn.SiLU())
        if regions:
            self.usual = nn.Parameter(torch.full((1, regions, size // 2, size // 2), -2.0))
            self.outline = nn.ModuleList(nn.Conv2d(c, regions, 1, bias=False) for c in channels[:3])
            self.palette = nn.Sequential(nn.Linear(3 * regions, 2 * COLORS), nn.SiLU(), nn.Linear(2 * COLORS, COLORS))
        # without it the mean face outweighs what tells faces apart
        self.norm = nn.BatchNorm1d(self.num_features)

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Part of timm's interface; the tower has no classifier."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures ``[B,3,S,S]`` -> ``[B,num_features]``."""
        return self.look(x)[0]

    def look(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features, and logits ``[B,regions,S/2,S/2]`` of where the regions are."""
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        features = torch.flatten(self.squeeze(maps[-1]), 1)
        if not hasattr(self, "palette"):
            return self.norm(features), None
        fine, middle, coarse = (conv(m) for conv, m in zip(self.outline, (maps[0], maps[2], maps[4]), strict=True))
        for finer in (middle, fine + self.usual):
            coarse = F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False) + finer
        share = coarse.sigmoid().flatten(2)
        means = share @ F.avg_pool2d(x, 2).flatten(2).mT / share.sum(2, keepdim=True).clamp(min=1.0)  # [B,regions,3]
        return self.norm(torch.cat([features, self.palette(means.flatten(1))], 1)), coarse


class _Convolution(nn.Conv2d):
    """A convolution that oneDNN does for a single picture of few pixels, too. Torch's own choice takes several times as long there with several
    threads, and no less with one."""

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        small = len(x) == 1 and x.dtype == torch.float32 and x.device.type == "cpu"
        if (
            not small
            or torch.is_grad_enabled()
            or self.padding_mode != "zeros"
            or not torch.backends.mkldnn.is_available()
        ):
            return super()._conv_forward(x, weight, bias)
        return torch.mkldnn_convolution(x, weight, bias, self.padding, self.stride, self.dilation, self.groups)


def fused(net: nn.Module) -> nn.Module:
    """A network for use, not for training: batch normalisation becomes part of the convolution before it."""
    for steps in [m for m in net.eval().modules() if isinstance(m, nn.Sequential)]:
        for i, (one, other) in enumerate(pairwise(list(steps))):
            if isinstance(one, nn.Conv2d) and isinstance(other, nn.BatchNorm2d):
                steps[i], steps[i + 1] = fuse_conv_bn_eval(one, other), nn.Identity()
    for part in net.modules():
        if type(part) is nn.Conv2d:
            part.__class__ = _Convolution
    return net


def register() -> None:
    """Make :data:`TOWER` known to timm; safe to call again."""
    from timm.models import is_model, register_model

    if is_model(TOWER):
        return

    def faceflow_nano(pretrained: bool = False, **_: object) -> NanoTower:
        return NanoTower(regions=8)

    register_model(faceflow_nano)
