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
# Pixels a side of a picture, at most, that is looked at in one go: larger ones are in parts, whose maps fit into memory that was used just now. And how
# far around a part its features see (19), up to the next pixel of the first map
WHOLE, RIM = 768, 24


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
    """Pictures ``[B,3,h,w]``, RGB 0..1, h and w multiples of 32 from 64, -> ``loc [B,N,14]``, ``conf [B,N,2]`` as logits of no
    face and of a face, ``iou [B,N,1]``, for N anchors."""

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
        loc, conf, iou = torch.cat(self.answers(x), 1).split(VALUES, -1)
        return {"loc": loc, "conf": conf, "iou": iou}

    def answers(self, x: Tensor) -> list[Tensor]:
        """Of each of the four maps the values ``[B,n,17]`` at its anchors."""
        maps = [self.model3(self._features(x))]
        for stage in (self.model4, self.model5, self.model6):
            maps.append(stage(F.max_pool2d(maps[-1], 2)))
        return [
            head(m).permute(0, 2, 3, 1).reshape(len(x), -1, sum(VALUES))
            for head, m in zip(self.head, maps, strict=True)
        ]

    def _features(self, x: Tensor) -> Tensor:
        """``[B,64,h/8,w/8]``, part by part; the same to the bit as of the whole."""
        down, across = (_parts(side) for side in x.shape[2:])
        return torch.cat([torch.cat([self._part(x, rows, columns) for columns in across], 3) for rows in down], 2)

    def _part(self, x: Tensor, rows: slice, columns: slice) -> Tensor:
        top, left = (max(0, part.start - RIM) for part in (rows, columns))
        x = x[..., top : rows.stop + RIM, left : columns.stop + RIM]
        x = (x.flip(1) * 255).contiguous(memory_format=torch.channels_last)  # BGR, as the weights of others want it
        x = F.max_pool2d(self.model2(self.model1(F.max_pool2d(self.model0(x), 2))), 2)
        rows, columns = (
            slice((part.start - first) // 8, (part.stop - first) // 8) for part, first in ((rows, top), (columns, left))
        )
        return x[..., rows, columns]


def _parts(side: int) -> list[slice]:
    """As few parts of a side, a multiple of 32, as there may be, of much the same length, a multiple of 8."""
    length = -(-side // (8 * -(-side // WHOLE))) * 8
    return [slice(first, min(side, first + length)) for first in range(0, side, length)]
