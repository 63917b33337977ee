"""What a face shows, as amounts of the 52 face units of ARKit, read from its landmarks.

Left and Right in the names of units are the person's, as in ARKit; landmarks keep the viewer's.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoint import filled
from ..once import once
from .landmarks import MIRROR, POINTS

BUILTIN = Path(__file__).parents[1] / "weights" / "reader.safetensors"

UNITS = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
_SIDES = {"Left": "Right", "Right": "Left"}
# where each unit is found in a mirrored face
OTHER_SIDE = tuple(
    UNITS.index(next((name.removesuffix(s) + o for s, o in _SIDES.items() if name.endswith(s)), name)) for name in UNITS
)
READ = len(UNITS) - 1  # all but the tongue, of which landmarks know nothing


class UnitReader(nn.Module):
    """The network: three linear layers on landmarks laid onto the mean face by a similarity."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("usual", torch.zeros(len(POINTS), 2))  # the mean face, centred, of norm 1
        self.register_buffer("spread", torch.ones(len(POINTS), 2))  # how far laid faces differ from it
        # of a tensor this takes a tenth of what it does of a list
        self.register_buffer("mirror", torch.tensor(MIRROR), persistent=False)
        self.register_buffer("other", torch.tensor(OTHER_SIDE), persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(2 * len(POINTS), 256), nn.SiLU(), nn.Linear(256, 160), nn.SiLU(), nn.Linear(160, READ)
        )

    def laid(self, points: Tensor) -> Tensor:
        """Landmarks ``[B,161,2]`` in any place, size and turn, laid onto the mean face and centred (Procrustes)."""
        z = torch.view_as_complex((points - points.mean(1, keepdim=True)).float().contiguous())
        usual = torch.view_as_complex(self.usual)
        turn = (z.conj() * usual).sum(1, keepdim=True)  # the similarity's turn, which makes this sum real
        z = z * turn / (turn.abs() * z.abs().square().sum(1, keepdim=True).sqrt()).clamp(min=1e-12)
        return torch.view_as_real(z)

    def forward(self, points: Tensor) -> Tensor:
        """Units ``[B,52]`` 0..1 of landmarks ``[B,161,2]``; the mean over each face and its mirror image."""
        mirrored = points.index_select(1, self.mirror) * points.new_tensor([-1.0, 1.0])
        straight, other = self.one_sided(torch.cat([points, mirrored])).chunk(2)
        return (straight + other.index_select(1, self.other)) / 2

    def one_sided(self, points: Tensor) -> Tensor:
        """As :meth:`forward`, without the mirror image."""
        units = self.layers(((self.laid(points) - self.usual) / self.spread).flatten(1)).sigmoid()
        return nn.functional.pad(units, (0, 1))


@once()
def load_reader(path: Path = BUILTIN, device: torch.device | str = "cpu") -> UnitReader:
    """Load the network trained by :mod:`flow_core.train.reader`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    with torch.inference_mode(False):  # weights made in inference mode would be of no use outside of it
        return filled(UnitReader, path, "unit reader").to(device)


def read_units(landmarks: Tensor) -> Tensor:
    """How much of each of :data:`UNITS` faces show.

    Args:
        landmarks: ``[B,161,2]`` in crop points, or in any other frame in which a face is not mirrored or distorted.

    Returns:
        ``[B,52]`` 0..1, differentiable in ``landmarks``. ``tongueOut`` is 0: landmarks know nothing of a tongue.

    Raises:
        ValueError: another shape of landmarks.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (len(POINTS), 2):
        raise ValueError(
            f"Units are read from landmarks [B,{len(POINTS)},2], got {list(landmarks.shape)}; take them from an aligned crop."
        )
    with torch.inference_mode(False):
        return load_reader(device=landmarks.device)(landmarks.clone() if landmarks.is_inference() else landmarks)


__all__ = ["OTHER_SIDE", "UNITS", "UnitReader", "load_reader", "read_units"]
