"""YuNet, a face detector of 85 thousand parameters (Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", 2023).

Written so that weights for kornia's YuNet fit: the names of its parameters are those there. What its outputs mean is in
:mod:`flow_core.faces.detect`.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 64
ANCHORS_AT = (3, 2, 2, 3)  # anchors at each place of the maps of stride 8, 16, 32 and 64
VALUES = (14, 2, 1)  # of each anchor: box and points, logits of no face and face, overlap


def _separable(c_in: int, c_out: int, final: bool = False) -> nn.Sequential:
    """A pointwise convolution and one of each channel for itself; ``final`` leaves their values as they are."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(c_in, c_out, 1)),
        ("conv2", nn.Conv2d(c_out, c_out, 3, padding=1, groups=c_out)),
    ]
    if not final:
        layers += [("bn", nn.BatchNorm2d(c_out)), ("relu", nn.ReLU(inplace=True))]
    return nn.Sequential(OrderedDict(layers))


def _pair(c_in: int, c_out: int, final: bool = False) -> nn.Sequential:
    return nn.Sequential(OrderedDict(conv1=_separable(c_in, c_in), conv2=_separable(c_in, c_out, final)))


class YuNet(nn.Module):
    """Pictures ``[B,3,h,w]``, BGR 0..255, h and w multiples of 32 from 64, -> ``loc [B,N,14]``, ``conf [B,N,2]`` as
    probabilities, ``iou [B,N,1]``, for N anchors."""

    def __init__(self) -> None:
        super().__init__()
        narrow = WIDTH // 4
        self.model0 = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, narrow, 3, stride=2, padding=1),
                bn1=nn.BatchNorm2d(narrow),
                relu=nn.ReLU(inplace=True),
                conv2=_separable(narrow, narrow),
            )
        )
        self.model1 = _pair(narrow, WIDTH)
        for i in range(2, 7):
            setattr(self, f"model{i}", _pair(WIDTH, WIDTH))
        self.head = nn.Sequential(*(_pair(WIDTH, n * sum(VALUES), final=True) for n in ANCHORS_AT))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.model1(F.max_pool2d(self.model0(x), 2))
        maps = [self.model3(F.max_pool2d(self.model2(x), 2))]
        for stage in (self.model4, self.model5, self.model6):
            maps.append(stage(F.max_pool2d(maps[-1], 2)))
        rows = [
            head(m).permute(0, 2, 3, 1).reshape(len(x), -1, sum(VALUES))
            for head, m in zip(self.head, maps, strict=True)
        ]
        loc, conf, iou = torch.cat(rows, 1).split(VALUES, -1)
        return {"loc": loc, "conf": conf.softmax(-1), "iou": iou}
