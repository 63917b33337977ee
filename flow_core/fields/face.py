"""One face as muscles fields move it: the rig that was fitted to it, and what is known of its picture."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..faces.age import childlike
from ..faces.fit import FittedFace
from ..faces.landmarks import AT, CHEEKS, EYES, OVAL, WIDEN
from ..faces.lids import seen_at
from ..faces.rig import Rig
from ..geometry.lab import rgb_to_lab
from ..geometry.mesh import polygon_distance
from ..geometry.sampling import interpolate
from ..geometry.worn import Worn
from ..once import kept_with
from .smooth import smoothstep

if TYPE_CHECKING:
    from ..geometry.crop import Crop

FLESH = 2.0, 6.0  # CIE Lab a of cheeks that are none, such as marble or a toned photograph, and that surely are
SPREAD = 2.2  # sides of a pixel over which an edge is drawn whose blur has a standard deviation of one
# In distances of the inner corners of the eyes, from the middle between these: where skin is that frowns; how many places across and upwards are
# looked at; and creases there, as a logarithm of light, of smooth skin and of what has lines
ASIDE, ABOVE, COUNT, CREASED = (-0.45, 0.45), (0.25, 1.1), 16, (0.004, 0.01)
SKIN = 22.0, 40.0  # CIE Lab distances from its cheeks of what is skin, in whatever light, and of what is not
BORDER = 0.6  # centimetres around the outline of the face that belong to it


@dataclass(frozen=True, eq=False)
class Face:
    """A face.

    Attributes:
        fitted: batch 1.
        landmarks: ``[161,2]`` crop points, to which it was fitted.
        pixel: side of a pixel of the picture, crop fractions: what is finer is not drawn. Of a blurred picture, of one that would be as blurred.
        glasses: what it wears, if any: what lies under them stays where it is, and eyes behind dark ones do nothing that is seen.
        colors: ``[3 or more,3]`` in the mouth, see :attr:`flow_core.geometry.crop.Crop.mouth`; None paints nothing and leaves the light.
        creases: ``[1,3,n,n]``, see :attr:`flow_core.geometry.crop.Crop.creases`; what fades gets its light back.
        lids: ``[1,2,6,3]``, see :attr:`flow_core.geometry.crop.Crop.lids`.
        view: ``[1,3,n,n]``, see :attr:`flow_core.geometry.crop.Crop.view`.
        texture: ``[1,1,h,w]``, see :attr:`flow_core.geometry.crop.Crop.texture`.
        lid_texture: ``[1,2,h,w]``, see :attr:`flow_core.geometry.crop.Crop.lid_texture`.
    """

    fitted: FittedFace
    landmarks: Tensor
    pixel: float = 0.0
    glasses: Worn | None = None
    colors: Tensor | None = None
    creases: Tensor | None = None
    lids: Tensor | None = None
    view: Tensor | None = None
    texture: Tensor | None = None
    lid_texture: Tensor | None = None

    @classmethod
    def of(cls, crop: Crop, index: int, fitted: FittedFace) -> Face:
        """A face of a crop with landmarks, to all of whose faces the rig was ``fitted``."""
        one, places = slice(index, index + 1), crop.places[index]
        glasses = crop.glasses[index] if crop.glasses else None
        colors, *planes = (
            None if rows is None else rows[one].to(places)
            for rows in (crop.mouth, crop.creases, crop.lids, crop.view, crop.texture, crop.lid_texture)
        )
        colors = None if colors is None else colors[0]
        blur = 0.0 if crop.blur is None else crop.blur[index].item()
        pixel = math.hypot(1 / crop.side[index].item(), SPREAD * blur)
        return cls(fitted.select(index), places, pixel, glasses, colors, *planes)

    @property
    def whole_view(self) -> Tensor | None:
        """:attr:`view` where it shows all that the picture does, whose pixels are no smaller; else None."""
        return self.view if self.view is not None and self.pixel >= WIDEN / self.view.shape[-1] else None

    @functools.cached_property
    def small(self) -> Face:
        """The face in a picture whose pixels are those of :attr:`view`."""
        return replace(self, pixel=WIDEN / self.view.shape[-1])

    @functools.cached_property
    def flesh(self) -> float:
        """How much its cheeks have the red of flesh, 0..1: 0 where the picture has no colours, or one for all, and on statues. 1 where nobody kept
        what it looks like."""
        if self._cheeks is None:
            return 1.0
        redness = rgb_to_lab(self._cheeks[:, None])[1].item()
        return min(max((redness - FLESH[0]) / (FLESH[1] - FLESH[0]), 0.0), 1.0)

    @functools.cached_property
    def child(self) -> float:
        """How far it is a baby's or a toddler's, 0..1."""
        return childlike(self.landmarks[None]).item()

    @functools.cached_property
    def smooth(self) -> float:
        """How far the skin between and above its brows has no lines, 0..1: a baby's, or without creases where somebody looked for them."""
        if self.creases is None or self.child == 1:
            return self.child
        left, right = self.landmarks[[AT[eye[8]] for eye in EYES]]
        across = right - left
        up = torch.stack([across[1], -across[0]])
        aside, high = (torch.linspace(*ends, COUNT, device=up.device) for ends in (ASIDE, ABOVE))
        points = (left + right) / 2 + aside[:, None, None] * across + high[:, None] * up
        creased = interpolate(self.creases, points[None], "bilinear").clamp(min=0).mean().item()
        return max(self.child, 1 - smoothstep(creased, *CREASED))

    @functools.cached_property
    def bare(self) -> Tensor:
        """``[V]`` how much the vertices of :attr:`front` look like skin, 0..1, as its cheeks do, and not like a fringe; 1 where nobody kept what it
        looks like."""
        points = self.mesh[0]
        if self._cheeks is None:
            return torch.ones_like(points[:, 0])
        seen = rgb_to_lab(seen_at(self.view, points[None, None])[0, :, 0])
        return 1 - smoothstep((seen - rgb_to_lab(self._cheeks[:, None])).norm(dim=0), *SKIN)

    @property
    def lightness(self) -> float:
        """Of its cheeks, 0..1; 0 where nobody kept what it looks like."""
        return 0.0 if self._cheeks is None else self._cheeks.mean().item()

    @functools.cached_property
    def _cheeks(self) -> Tensor | None:
        """Their colour, RGB ``[3]`` 0..1."""
        if self.view is None:
            return None
        cheeks = self.landmarks[[AT[i] for side in CHEEKS for i in side]]
        return seen_at(self.view, cheeks[None, None])[0, :, 0].median(1).values

    @property
    def front(self) -> FittedFace:
        """The fit with the part of the rig that edits ask for, see :func:`front`."""
        return self._front[0]

    @property
    def mesh(self) -> tuple[Tensor, Tensor]:
        """The vertices of :attr:`front` as the face shows them: crop points ``[V,2]``, and depth ``[V]``."""
        return self._front[1:]

    @functools.cached_property
    def _front(self) -> tuple[FittedFace, Tensor, Tensor]:
        def made() -> tuple[FittedFace, Tensor, Tensor]:
            with torch.inference_mode(False):  # what is kept may be asked for outside of it
                part, vertices = front(self.fitted.rig)
                found = replace(self.fitted, rig=part, correction=self.fitted.correction.index_select(1, vertices))
                points, depth = found.project(found.vertices())
                return found, points[0], depth[0]

        return kept_with(_FRONTS, self.fitted, None, made)


_FRONTS = WeakIdKeyDictionary()  # fitted face -> its front: a face that is edited again is often another object


@functools.lru_cache(maxsize=2)
def front(rig: Rig) -> tuple[Rig, Tensor]:
    """The part of a rig that edits ask for: the triangles of the face itself, landmarks and rings; and its vertices ``[n]``."""
    with torch.inference_mode(False):
        triangles = front_triangles(rig)
        vertices = torch.cat([triangles.flatten(), rig.landmark_index.flatten(), *rig.rings.values()]).unique()
        return rig.part_of(vertices, triangles), vertices


@functools.lru_cache(maxsize=2)
def front_triangles(rig: Rig) -> Tensor:
    """The triangles of the face itself, without scalp, ears and neck: with a corner inside the outline of the unturned head."""
    with torch.inference_mode(False):
        outline = rig.landmarks(rig.neutral)[[AT[i] for i in OVAL], :2]
        triangles = rig.triangles_of("skin", "lips")
        inside = polygon_distance(outline, rig.neutral[:, :2]) > -BORDER
        near = inside & (rig.neutral[:, 2] > 0)
        return triangles[near[triangles].any(1)]


__all__ = ["Face", "front", "front_triangles"]
