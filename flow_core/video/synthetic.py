"""A synthetic clip: a portrait that moves, for demonstrations, tests and measurements."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ..geometry.grid import pixel_centers
from ..geometry.sampling import sample_image
from .clips import Frame


def motion(time: float, size: tuple[int, int], amount: float = 1.0) -> Tensor:
    """Where the portrait lies at ``time`` seconds: ``[3,3]`` float64, frame pixels -> pixels relative to the middle of the portrait,
    at the scale of the frame. Smooth: each of turn, zoom and shift is a sine of 0.1 to 0.5 Hz; ``amount`` scales their amplitudes."""
    height, width = size
    turn = 0.16 * amount * math.sin(2 * math.pi * 0.21 * time)
    zoom = 1.0 + 0.12 * amount * math.sin(2 * math.pi * 0.13 * time + 1)
    x = width * (0.5 + 0.12 * amount * math.sin(2 * math.pi * 0.17 * time))
    y = height * (0.5 + 0.05 * amount * math.sin(2 * math.pi * 0.41 * time))
    cos, sin = zoom * math.cos(turn), zoom * math.sin(turn)
    linear = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[:2, :2] = linear
    matrix[:2, 2] = -linear @ torch.tensor([x, y], dtype=torch.float64)
    return matrix


def synthetic(
    portrait: Tensor,
    size: tuple[int, int] = (720, 1280),
    fps: float = 30.0,
    amount: float = 1.0,
    noise: float = 0.0,
    seed: int = 0,
) -> Iterator[Frame]:
    """An endless clip of a portrait that moves, turns and zooms smoothly (:func:`motion`).

    Args:
        portrait: ``[1,3,h,w]`` 0..1; its height fills that of the frame.
        size: (height, width) of the frames.
        fps: frames a second.
        amount: of motion; 0 = a static picture.
        noise: standard deviation of sensor noise, in 8-bit steps.
        seed: of the noise.
    """
    height, width = size
    scale = portrait.shape[2] / height
    middle = torch.tensor([portrait.shape[3] / 2, portrait.shape[2] / 2])
    centers = pixel_centers(height, width) * torch.tensor([width, height]).float()
    generator = torch.Generator().manual_seed(seed)
    index = 0
    while True:
        m = motion(index / fps, size, amount).float()
        points = (centers @ m[:2, :2].T + m[:2, 2]) * scale + middle
        picture = sample_image(portrait, points)[0].permute(1, 2, 0) * 255
        if noise:
            picture = picture + noise * torch.randn(picture.shape, generator=generator)
        # pixel by pixel, as decoders give them, and not plane by plane
        yield Frame(picture.round().clamp(0, 255).byte().contiguous(), index, index / fps)
        index += 1
