"""What a face shows, as amounts of the 52 face units of ARKit, read off its picture.

Landmarks alone tell less (:mod:`flow_core.faces.read`): a lid or an iris is some pixels. So this looks at what the landmark
network makes of the picture, beside the places of the points. Left and Right in the names of units are the person's.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import filled
from ..geometry.crop import Crop
from ..once import once
from .landmarks import FEATURES, POINTS, SIZE, WIDEN, load_landmarks
from .read import OTHER_SIDE, READ, UNITS, load_reader, read_units

BUILTIN = Path(__file__).parents[1] / "weights" / "shown.safetensors"
# Parts in which a picture tells more than landmarks. A mouth's landmarks tell most of it, and of mouths that an edit has opened, whose teeth
# are guessed, the network believes too little; and for more of a gaze an iris would be torn.
TRUSTED = ("brow", "eyeBlink", "eyeSquint", "eyeWide")
VIEW = 2 * SIZE  # pixels a side of the picture that is kept of a face


class PictureReader(nn.Module):
    """The network: three layers on the landmark network's features and points, which mend what landmarks alone tell."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("usual", torch.zeros(FEATURES))
        self.register_buffer("spread", torch.ones(FEATURES))
        self.layers = nn.Sequential(
            nn.Linear(FEATURES + 2 * len(POINTS), 256), nn.SiLU(), nn.Linear(256, 160), nn.SiLU(), nn.Linear(160, READ)
        )
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, features: Tensor, laid: Tensor) -> Tensor:
        """Units ``[B,51]`` 0..1 of what :meth:`flow_core.faces.landmarks.Landmarks.study` saw ``[B,FEATURES]``, and of its points
        laid onto the mean face, in its deviations, ``[B,161,2]``."""
        mend = self.layers(torch.cat([(features - self.usual) / self.spread, laid.flatten(1)], 1))
        return (load_reader(device=laid.device).layers(laid.flatten(1)) + mend).sigmoid()


@once()
def load_picture_reader(path: Path = BUILTIN, device: torch.device | str = "cpu") -> PictureReader:
    """Load the network trained by :mod:`flow_core.train.shown`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    with torch.inference_mode(False):
        return filled(PictureReader, path, "picture reader").to(device)


def studied(picture: Tensor) -> tuple[Tensor, Tensor]:
    """What :class:`PictureReader` is given of pictures ``[B,3,128,128]`` as of :func:`view`."""
    _, points, features = load_landmarks(device=picture.device).study(picture)
    reader = load_reader(device=picture.device)
    return features, (reader.laid(points) - reader.usual) / reader.spread


@torch.no_grad()
def read_picture(view: Tensor) -> Tensor:
    """How much of each of :data:`flow_core.faces.read.UNITS` faces show: ``[B,52]`` 0..1.

    Args:
        view: ``[B,3,S,S]`` as of :func:`view`; the mean over each face and its mirror image is taken.
    """
    with torch.inference_mode(False):
        view = F.interpolate(view.clone() if view.is_inference() else view, (SIZE, SIZE), mode="area")
        reader = load_picture_reader(device=view.device)
        both = torch.cat([view, view.flip(-1)]).contiguous(memory_format=torch.channels_last)
        straight, other = F.pad(reader(*studied(both)), (0, 1)).chunk(2)
        return (straight + other[:, list(OTHER_SIDE)]) / 2


def view(image: Tensor, crop: Crop) -> Tensor:
    """Faces as networks look at them: ``[B,3,256,256]``, a little more than the face square."""
    return crop.widen(WIDEN).aligned(image, VIEW)


def trusted(read: Tensor, in_picture: Tensor) -> Tensor:
    """Units ``[...,52]`` that were ``read`` off landmarks, with those of :data:`TRUSTED` parts as they were read ``in_picture``."""
    mine = torch.tensor([n.startswith(TRUSTED) for n in UNITS], device=read.device)
    return torch.where(mine, in_picture, read)


def shown_by(crop: Crop) -> Tensor:
    """Units ``[B,52]`` that the faces of a crop show: read off landmarks, and :func:`trusted` off their pictures where it has them."""
    read = read_units(crop.places)
    return read if crop.view is None else trusted(read, read_picture(crop.view.to(read)))


__all__ = ["PictureReader", "load_picture_reader", "read_picture", "shown_by", "studied", "trusted", "view"]
