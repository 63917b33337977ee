"""What a face shows, as amounts of the 52 face units of ARKit, read off its picture.

Landmarks alone tell less (:mod:`flow_core.faces.read`): a lid or an iris is some pixels. Left and Right in the names of units
are the person's.
"""

from __future__ import annotations

import functools
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import filled
from ..geometry.crop import Crop
from ..guides.nano import NanoTower, fused
from ..once import once
from .landmarks import WIDEN
from .read import OTHER_SIDE, READ, UNITS, read_units

BUILTIN = Path(__file__).parents[1] / "weights" / "shown.safetensors"
# Of mouths that an edit has opened, whose teeth are guessed, the network believes too little: a search that trusted it would open them
# until they are black.
OPENS = ("jawOpen", "mouthLowerDown", "mouthUpperUp")
VIEW = 256  # pixels a side of the picture that is kept of a face
SEEN = 192  # and of what the network sees of it
CHANNELS = (24, 48, 96, 160, 192)
KNOWN = 256  # numbers by which the network knows a face


class PictureReader(nn.Module):
    """The network: a tower like the nano guide's, which sees more than twice as much of lids and lips, and three layers."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = NanoTower(squeeze=24, size=SEEN, channels=CHANNELS)
        self.known = nn.Sequential(nn.Linear(self.tower.num_features, KNOWN), nn.SiLU())
        self.layers = nn.Sequential(nn.Linear(KNOWN, 160), nn.SiLU(), nn.Linear(160, READ))

    def study(self, picture: Tensor) -> Tensor:
        """What pictures ``[B,3,192,192]`` RGB 0..1, as of :func:`view`, tell ``[B,KNOWN]``."""
        return self.known(self.tower(4 * (picture - 0.5)))

    def forward(self, picture: Tensor) -> Tensor:
        """Units ``[B,51]`` 0..1 of pictures ``[B,3,192,192]`` RGB 0..1, as of :func:`view`."""
        return self.layers(self.study(picture)).sigmoid()


@once()
def load_picture_reader(path: Path = BUILTIN, device: torch.device | str = "cpu") -> PictureReader:
    """Load the network trained by :mod:`flow_core.train.shown`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    with torch.inference_mode(False):
        reader = fused(filled(PictureReader, path, "picture reader"))
        return reader.to(device, memory_format=torch.channels_last).requires_grad_(False)


@torch.no_grad()
def read_picture(view: Tensor) -> Tensor:
    """How much of each of :data:`flow_core.faces.read.UNITS` faces show: ``[B,52]`` 0..1.

    Args:
        view: ``[B,3,S,S]`` as of :func:`view`; the mean over each face and its mirror image is taken.
    """
    with torch.inference_mode(False):
        view = view.clone() if view.is_inference() else view
        view = F.interpolate(view, (SEEN, SEEN), mode="bilinear", antialias=True)
        reader = load_picture_reader(device=view.device)
        both = torch.cat([view, view.flip(-1)]).contiguous(memory_format=torch.channels_last)
        straight, other = F.pad(reader(both), (0, 1)).chunk(2)
        return (straight + other[:, list(OTHER_SIDE)]) / 2


def view(image: Tensor, crop: Crop) -> Tensor:
    """Faces as networks look at them: ``[B,3,256,256]``, a little more than the face square."""
    return crop.widen(WIDEN).aligned(image, VIEW)


def mended(missing: Tensor) -> Tensor:
    """What is ``missing [...,52]`` in the picture of an edited face, without what the network does not believe there; of both sides as
    much, for what is read of one lid alone would make eyes unlike."""
    both = (missing + missing[..., list(OTHER_SIDE)]) / 2
    missing = torch.where(_chosen(("eyeLook",)).to(missing.device), missing, both)
    return missing.masked_fill(_chosen(OPENS).to(missing.device), 0.0)


@functools.lru_cache
def _chosen(begins: tuple[str, ...]) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor([n.startswith(begins) for n in UNITS])


def shown_by(crop: Crop) -> Tensor:
    """Units ``[B,52]`` that the faces of a crop show: read off their pictures, but off landmarks how far mouths are open, and all where
    it has no pictures."""
    read = read_units(crop.places)
    if crop.view is None:
        return read
    return torch.where(_chosen(OPENS).to(read.device), read, read_picture(crop.view.to(read)))


__all__ = ["PictureReader", "load_picture_reader", "mended", "read_picture", "shown_by", "view"]
