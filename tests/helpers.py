"""Crops, fields and pictures with known properties, and what it means to be bit-identical."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from flow_core.editing.named import named
from flow_core.faces.detect import Detection, Detector
from flow_core.fields.following import landmarks_after
from flow_core.fields.muscles import MusclesField
from flow_core.fields.raster import Field
from flow_core.fields.units import fit_shown, units_after
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt

# Five points of a face in the crop frame, such that the FFHQ crop of these points is the unit square.
FACE = torch.tensor([[0.375, 0.475], [0.625, 0.475], [0.5, 0.6], [0.4, 0.725], [0.6, 0.725]])

# The same of scikit-image's astronaut, in pixels: the viewer's left eye, right eye, nose tip, left and right mouth corner.
ASTRONAUT = torch.tensor([[202.3, 101.9], [247.5, 103.5], [225.0, 126.5], [203.8, 140.3], [244.4, 141.3]])


def concepts(guide: Guide, text: str) -> dict[str, float]:
    """What a prompt asks for, by concept."""
    return named(guide, Prompt.parse(text)).concepts


def turn(degrees: float) -> Tensor:
    """Rotation matrix; positive turns the crop's x axis towards the image's y axis (clockwise on screen)."""
    a = math.radians(degrees)
    return torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])


def square_crop(
    size: tuple[int, int], center: tuple[float, float], side: float, degrees: float = 0.0, batch: int = 1
) -> Crop:
    """The crop with this centre, side and turn in pictures of ``size`` (height, width)."""
    points = (FACE - 0.5) * side @ turn(degrees).T + torch.tensor(center)
    return Crop.from_points(points.expand(batch, -1, -1), size)


def crop_coordinates(size: tuple[int, int], center: tuple[float, float], side: float, degrees: float) -> Tensor:
    """Crop points ``[H,W,2]`` of all pixel centres for :func:`square_crop`, computed without the library."""
    y, x = torch.meshgrid(torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij")
    return (torch.stack([x, y], -1).double() - torch.tensor(center).double()) @ turn(degrees).double() / side + 0.5


def constant_field(dx: float, dy: float, color: tuple[float, float, float] = (0, 0, 0), size: int = 8) -> Field:
    offset = torch.tensor([dx, dy])[None, :, None, None].expand(1, 2, size, size)
    return Field(offset, torch.tensor(color)[None, :, None, None].float().expand(1, 3, size, size))


def linear_field(matrix: list[list[float]], size: int = 32) -> Field:
    """``offset(p) = matrix (p - 0.5)``, so that the Jacobian of the warp is identity plus ``matrix``."""
    offset = ((pixel_centers(size, size) - 0.5) @ torch.tensor(matrix).float().T).permute(0, 3, 1, 2)
    return Field(offset, torch.zeros(1, 3, size, size))


def smooth_field(amplitude: float = 0.03, color: float = 0.05, size: int = 16, seed: int = 0, batch: int = 1) -> Field:
    """A random field of low frequency; ``amplitude`` is the largest offset, in fractions of the crop."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(batch, 5, 4, 4, generator=generator)
    values = torch.nn.functional.interpolate(values, (size, size), mode="bicubic", align_corners=False)
    offset, tint = values[:, :2], values[:, 2:]
    return Field(offset / offset.abs().max() * amplitude, tint / tint.abs().max() * color, {"prompt": "a test"})


def bits(x: Tensor) -> Tensor:
    return x.contiguous().view(torch.int32)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Equal in every bit, where ``torch.equal`` would call 0 and -0 the same."""
    return a.dtype == b.dtype == torch.float32 and torch.equal(bits(a), bits(b))


class Remembering:
    """A detector that looks at every picture only once."""

    def __init__(self, detector: Detector) -> None:
        self.name, self.detector = detector.name, detector
        self.seen: dict[tuple, list[Detection]] = {}

    def __call__(self, image: Tensor, *threshold: float, watch: object = None, **options: bool) -> list[Detection]:
        key = (image.shape, image.contiguous().numpy().tobytes(), *threshold, *options.items())
        if key not in self.seen:
            self.seen[key] = self.detector(image, *threshold, watch=watch, **options)
        return self.seen[key]


class Reader(Guide):
    """A guide for tables of texts: it takes the phrasings of a text in one batch, in half the time, and differs in the last bits."""

    encode_text = Guide.encode_group

    @classmethod
    def like(cls, guide: Guide) -> Reader:
        return cls(guide.name, guide.model, guide._tokenizer, guide.vocabulary, guide.meanings, guide.others)


def landmarks_with(places: Tensor, field: MusclesField) -> Tensor:
    """Landmarks ``[161,2]`` of a face after an edit."""
    face = fit_shown(places[None])
    units = units_after(face, places, field.relax[0], field.units[0])
    return landmarks_after(face, places, units[None])[0]


def posed(crop: Crop, **amounts: float) -> Tensor:
    """Landmarks ``[161,2]`` of a face as the rig moves them."""
    face = fit_shown(crop.places)
    return landmarks_after(face, crop.places[0], (face.units[0] + face.rig.unit_vector(amounts))[None])[0]
