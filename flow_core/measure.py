"""What a field does, in numbers for people."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .align import Crop
from .field import Field, pixel_centers
from .warp import displacement, jacobian_determinant

MOVED = 1e-3  # of the face square's side: half a pixel of a face 500 pixels wide counts as moved
_GRID = 256


@dataclass(frozen=True)
class Measures:
    """Numbers of one field, as it is applied (tapered, at its strength).

    Attributes:
        longest: largest offset, in ``unit``.
        mean: mean offset over the face square, in ``unit``.
        unit: ``px`` of the photo where its crop is known, else ``%`` of the face square's side.
        determinant: least Jacobian determinant; folds begin at 0.
        folds: share 0..1 of the face square that folds.
        moved: share 0..1 of the face square that moves by more than :data:`MOVED` of its side.
        gain: guide gain in logits that the optimiser noted at strength 1, NaN if it noted none.
    """

    longest: float
    mean: float
    unit: str
    determinant: float
    folds: float
    moved: float
    gain: float

    def __str__(self) -> str:
        numbers = [
            f"max {self.longest:.1f} {self.unit}",
            f"mean {self.mean:.2f} {self.unit}",
            f"moved area {self.moved:.1%}",
            f"min det J {self.determinant:.2f}",
            f"folds {self.folds:.2%}",
        ]
        if math.isfinite(self.gain):
            numbers.append(f"guide gain {self.gain:+.2f}")
        return ", ".join(numbers)


def measure(field: Field, crop: Crop | None = None, strength: float = 1.0) -> list[Measures]:
    """One :class:`Measures` for every field of a batch; ``crop`` (batch 1 or that of the field) gives the scale."""
    if crop is not None and field.batch != crop.batch and 1 not in (field.batch, crop.batch):
        raise ValueError(f"{crop.batch} crops do not fit {field.batch} fields: give one for all, or one for each.")
    gain, found = field.meta.get("gain"), []
    with torch.no_grad():
        for i in range(field.batch):
            one = field.select(i).to("cpu").scale(strength, strength).require_finite()
            length = displacement(one, pixel_centers(_GRID, _GRID))[0].norm(dim=1)
            det = jacobian_determinant(one, _GRID)
            side = 100.0 if crop is None else crop.side[i if crop.batch > 1 else 0].item()
            found.append(
                Measures(
                    length.max().item() * side, length.mean().item() * side, "%" if crop is None else "px",
                    det.min().item(), (det <= 0).float().mean().item(), (length > MOVED).float().mean().item(),
                    float(gain) if isinstance(gain, int | float) else math.nan,
                )
            )  # fmt: skip
    return found
