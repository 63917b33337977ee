"""A look at the picture of a face whose muscles would move: what it would show then.

Landmarks moved by the rig show what they are asked to. The picture is another matter: its eyes may be dark, its lids hardly to
be seen. So where an edit asks for what was read in a picture, its result is drawn small, and read again.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..faces.creases import DARK
from ..faces.landmarks import WIDEN
from ..faces.shown import read_picture
from ..geometry.grid import pixel_centers
from ..geometry.sampling import sample_grid
from ..once import kept_with
from .base import Flow

_READ = WeakIdKeyDictionary()  # view -> what is read in it: an edit that is dragged asks again and again


class Look:
    """What a face shows, and would show with other units.

    Args:
        view: ``[1,3,n,n]`` as of :func:`flow_core.faces.shown.view`.
        drawn: units ``[U]`` -> the flow that gives them to the face.
    """

    def __init__(self, view: Tensor, drawn: Callable[[Tensor], Flow]) -> None:
        self.view, self.drawn = view, drawn

    @property
    def before(self) -> Tensor:
        """What is read in the picture as it is, ``[52]``."""
        return kept_with(_READ, self.view, None, lambda: read_picture(self.view)[0])

    def after(self, units: Tensor) -> Tensor:
        """What is read in it, ``[52]``, where the face has ``units [U]``."""
        centers = pixel_centers(*self.view.shape[2:], self.view.device)
        points = 0.5 + (centers - 0.5) * WIDEN
        sample = self.drawn(units)(points)
        grid = (points + sample.offset.movedim(1, -1) - 0.5) * (2 / WIDEN)
        new = sample_grid(self.view, grid, "bilinear", "border")
        if sample.light is not None:
            new = (new + DARK) * sample.light.exp() - DARK
        if sample.uncovered is not None:
            new = new * (1 - sample.uncovered)
        if sample.painted is not None:
            over, cover = sample.painted.split((3, 1), 1)
            new = new * (1 - cover) + over
        return read_picture(new.clamp(0, 1))[0]


__all__ = ["Look"]
