"""Fields that change nothing yet, for an optimiser to shape, of every representation."""

from __future__ import annotations

from .base import FieldError, FlowField
from .muscles import MusclesField
from .neural import ARCHITECTURES, BANDWIDTH, WIDTH, Implicit
from .raster import Field

RESOLUTION = 28  # control points a side of a raster
MOST_RESOLUTION = 1024  # more than the pixels of most faces, and more than an optimisation has memory for
REPRESENTATIONS = ("muscles", "raster", *ARCHITECTURES)


def new_field(
    representation: str = REPRESENTATIONS[0], batch: int = 1, resolution: int = RESOLUTION, noise: float = 0.0, seed: int = 0,
    width: int = WIDTH, bandwidth: float = BANDWIDTH,
) -> FlowField:  # fmt: skip
    """A field to start from.

    Args:
        representation: one of :data:`REPRESENTATIONS`.
        batch: number of faces.
        resolution: of a raster, control points a side.
        noise: standard deviation of a random start, in fractions of the crop side; muscles start at rest.
        seed: of the noise, and of the weights of a network.
        width: of a network, neurons in each layer.
        bandwidth: of a network, waves of its first layer across the crop.

    Raises:
        FieldError: an unknown representation, or a number out of its range.
    """
    if representation == "muscles":
        return MusclesField.of(*[{}] * batch)
    if representation == "raster" and not 2 <= resolution <= MOST_RESOLUTION:
        raise FieldError(f"A raster needs 2..{MOST_RESOLUTION} control points a side, got {resolution}.")
    if representation == "raster":
        return Field.noise(resolution, noise, seed, batch)
    if representation in ARCHITECTURES:
        return Implicit.zeros(representation, width, bandwidth, batch, seed, noise)
    raise FieldError(f"Unknown representation {representation!r}; use one of {', '.join(REPRESENTATIONS)}.")
