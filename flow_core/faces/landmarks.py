"""Dense landmarks on the face square: better alignment, pose, and masks of the face's regions.

The points are a named subset of MediaPipe's Face Mesh (Kartynnik et al., 2019, and its canonical face model); left and
right are the viewer's. The network sees the square of :class:`flow_core.geometry.crop.Crop` and answers in its coordinates.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoint import filled
from ..geometry.crop import Crop
from ..geometry.sampling import sample_image
from ..guides.nano import CHANNELS, NanoTower, fused
from ..once import once
from ..threads import yielding

BUILTIN = Path(__file__).parents[1] / "weights" / "landmarks.safetensors"
SIZE = 128  # side of the network's picture, in pixels
WIDEN = 1.15  # the network's view, in sides of the crop: an alignment that is a little off still shows the whole face

# Face Mesh indices. Contours are closed; those of the left and the right side run alike.
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
EYES = ((33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
        (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466))  # fmt: skip
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
# From the viewer's left: upper lids with the corners of the eye, and the lower edges of the brows
UPPER_LIDS = (EYES[0][0], *EYES[0][:7:-1]), (*EYES[1][8:], EYES[1][0])
BROW_EDGES = BROWS[0][:4:-1], BROWS[1][5:]
IRISES = ((468, 470, 472), (473, 475, 477))  # centre, upper and lower end
NOSE = (168, 6, 197, 195, 5, 4, 1, 2)  # from root to base
NOSTRILS = ((98, 64, 129, 49, 48), (327, 294, 358, 279, 278))
CHEEKS = ((117, 50, 205), (346, 280, 425))
FOREHEAD = (151, 9, 8)

_PAIRS = [
    *zip(OVAL[1:18], OVAL[:18:-1], strict=True),
    *((LIPS[i], LIPS[(10 - i) % 20]) for i in (0, 1, 2, 3, 4, 16, 17, 18, 19)),
    *((LIPS_INNER[i], LIPS_INNER[(10 - i) % 20]) for i in (0, 1, 2, 3, 4, 16, 17, 18, 19)),
    *(pair for left, right in (EYES, BROWS, IRISES, NOSTRILS, CHEEKS) for pair in zip(left, right, strict=True)),
]
POINTS = tuple(sorted({*OVAL, *LIPS, *LIPS_INNER, *NOSE, *FOREHEAD, *(i for pair in _PAIRS for i in pair)}))
AT = {mesh: i for i, mesh in enumerate(POINTS)}  # Face Mesh index -> place in POINTS
_OTHER = {**dict(_PAIRS), **{b: a for a, b in _PAIRS}}
KNOWN, SEEN = 192, 8  # numbers by which the network knows the whole face, and sees each point
MIRROR = tuple(AT[_OTHER.get(i, i)] for i in POINTS)  # where each point lies in a mirrored picture


def five_points(points: Tensor) -> Tensor:
    """``[...,161,2]`` landmarks -> ``[...,5,2]``, in the order of :func:`flow_core.geometry.crop.ffhq_matrix`.

    An eye's place is the mean of its two corners and the middles of its lids.
    """
    eyes = [points[..., [AT[i] for i in (c[0], c[4], c[8], c[12])], :].mean(-2) for c in EYES]
    return torch.stack([*eyes, *(points[..., AT[i], :] for i in (NOSE[6], LIPS[0], LIPS[10]))], -2)


def pose(points: Tensor) -> Tensor:
    """Head pose proxies ``[...,2]`` of an upright face's landmarks ``[...,161,2]``: yaw and pitch, 0 from the front.

    Yaw is the place of the nose tip between the cheeks' ends, in face widths; pitch that of the nose tip below the
    eyes, in face heights, less what is usual. About +-0.4 is a half profile.
    """

    def at(i: int) -> Tensor:
        return points[..., AT[i], :]

    middle, width = (at(234) + at(454)) / 2, (at(234) - at(454)).norm(dim=-1)
    yaw = (at(1) - middle)[..., 0] / width.clamp(min=1e-6)
    eyes, height = (at(33) + at(263)) / 2, (at(152) - at(10))[..., 1].abs()
    pitch = (at(1) - eyes)[..., 1] / height.clamp(min=1e-3) - 0.2
    return torch.stack([yaw, pitch], -1)


def outline(points: Tensor) -> Tensor:
    """The face's contour ``[...,36,2]`` among landmarks ``[...,161,2]``."""
    return points[..., [AT[i] for i in OVAL], :]


class Landmarks(nn.Module):
    """The network: a tower like the nano guide's says where the points are, then what its finer maps show at these
    places mends them, as lids and lips that are a little open are smaller than a cell of the last map."""

    def __init__(self) -> None:
        super().__init__()
        known, seen, fine = KNOWN, SEEN, CHANNELS[1] + CHANNELS[2]
        self.tower = NanoTower(squeeze=24, size=SIZE)
        self.known = nn.Sequential(nn.Linear(self.tower.num_features, known), nn.SiLU())
        self.place = nn.Linear(known, 2 * len(POINTS))
        self.seen = nn.Parameter(torch.randn(len(POINTS), fine, seen) / fine**0.5)
        self.mend = nn.Sequential(
            nn.Linear(len(POINTS) * seen + known, known), nn.SiLU(), nn.Linear(known, 2 * len(POINTS))
        )

    def forward(self, picture: Tensor) -> Tensor:
        """Points ``[B,161,2]`` in fractions of pictures ``[B,3,128,128]`` RGB 0..1."""
        return self.looks(picture)[1]

    def looks(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Points as the last map of the tower tells them, and mended."""
        return self.study(picture)[:2]

    def study(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Points as :meth:`looks` gives them, and what of the picture tells where they are: ``[B,161*SEEN+KNOWN]``."""
        maps = [self.tower.stem(4 * (picture - 0.5))]
        for stage in self.tower.stages:
            maps.append(stage(maps[-1]))
        known = self.known(self.tower.norm(self.tower.squeeze(maps[-1]).flatten(1)))
        first = self.place(known).unflatten(1, (-1, 2)) / 30 + 0.5
        at = first.detach()[:, :, None]
        there = torch.cat([sample_image(m, at * m.shape[-1])[..., 0] for m in (maps[2], maps[4])], 1)  # [B,fine,161]
        if len(there) > 4:
            there = torch.einsum("bcp,pck->bpk", there, self.seen)
        else:  # which is slow for one face: a product of small matrices for each point
            there = (there.mT[..., None] * self.seen).sum(2)
        features = torch.cat([nn.functional.silu(there).flatten(1), known], 1)
        return first, first + self.mend(features).unflatten(1, (-1, 2)) / 30, features

    @torch.no_grad()
    def find(self, image: Tensor, crop: Crop) -> Tensor:
        """Landmarks ``[B,161,2]`` in pixels of the pictures ``image``; the mean over each face and its mirror image."""
        with torch.inference_mode(False):
            wide = crop.widen(WIDEN)
            return wide.to_image(self.both_ways(wide.aligned(image, SIZE))[:, None].to(wide.matrix))[:, 0]

    @torch.no_grad()
    def both_ways(self, view: Tensor) -> Tensor:
        """Points ``[B,161,2]`` in fractions of pictures ``[B,3,128,128]``: the mean over each and its mirror image."""
        with torch.inference_mode(False):
            view = view.to(next(self.parameters()).device)
            straight, mirrored = self(torch.cat([view, view.flip(-1)])).chunk(2)
            mirrored = mirrored[:, list(MIRROR)]
            return (straight + torch.stack([1 - mirrored[..., 0], mirrored[..., 1]], -1)) / 2

    @yielding()
    def refine(self, image: Tensor, crop: Crop, rounds: int = 2) -> Crop:
        """The crop aligned anew by the landmarks on it, which the result carries."""
        for _ in range(rounds):
            landmarks = self.find(image, crop)
            crop = Crop.from_points(five_points(landmarks), crop.image_size, crop.score, crop.of_picture, crop.pictures)
        return replace(crop, landmarks=landmarks)


@once()
def load_landmarks(path: Path = BUILTIN, device: torch.device | str = "cpu") -> Landmarks:
    """Load the network trained by :mod:`flow_core.train.landmarks`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    with torch.inference_mode(False):  # weights made in inference mode would be of no use outside of it
        network = filled(Landmarks, path, "landmark")
        return fused(network).to(device, memory_format=torch.channels_last).requires_grad_(False)


def located(image: Tensor, crop: Crop) -> Crop:
    """The crop with its landmarks, which the built-in network finds where nobody has looked for them."""
    return crop if crop.landmarks is not None else replace(crop, landmarks=load_landmarks().find(image, crop))


__all__ = [
    "MIRROR",
    "POINTS",
    "Landmarks",
    "five_points",
    "load_landmarks",
    "located",
    "outline",
    "pose",
]
