"""Random views in which a guide sees an edit: turned, zoomed, shifted and mirrored, so that it judges a face and not single pixels.

The flow and the view are composed, so that pixels are sampled once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..fields.base import Flow, FlowField, Sample
from ..geometry.crop import Crop
from ..geometry.grid import turned_centers
from ..geometry.sampling import grid_of
from ..guides.guide import Guide
from ..warping.pixels import edited_pixels

TURN, SHIFT = 0.15, 0.03  # largest turn in radians and shift in crop sides, in both directions
ZOOM = 0.86, 0.16  # side of a view in crop sides: the least, and the range
NOISE = 0.02  # standard deviation of grain, which keeps a guide from being fooled by single pixels
DENSITY = 1.25  # pixels of a face square to one that the guide sees, along each axis, because views zoom in
POOL = 12  # views, of which each step of an optimisation uses some


@dataclass(frozen=True)
class Faces:
    """The faces that are edited, as a guide and the priors need them.

    Attributes:
        aligned: ``[B,3,S,S]`` face squares, RGB 0..1.
        landmarks: ``[B,161,2]`` in crop points.
        frontality: ``[B]`` 0..1.
        photo: the pictures that they are in, and the crop; None = only :attr:`aligned` is known.
    """

    aligned: Tensor
    landmarks: Tensor
    frontality: Tensor
    photo: tuple[Tensor, Crop] | None = None

    def closer(self, size: int, span: float = 1.0) -> tuple[Tensor, Tensor | None]:
        """Squares of the photo with the same middles as the face squares.

        Args:
            size: pixels to a side of the face square.
            span: side of the squares, in sides of the face square.

        Returns:
            the squares ``[B,3,n,n]``, and ``[B,1,n,n]`` 1 where they show the photo; without a photo :attr:`aligned`, and None.
        """
        if self.photo is None:
            return self.aligned, None
        image, crop = self.photo
        wide, side = crop.widen(span), round(size * span)
        return wide.aligned(image, side).to(self.aligned), wide.within(side).to(self.aligned)

    @property
    def batch(self) -> int:
        return len(self.aligned)

    @functools.cached_property
    def crop(self) -> Crop:
        """The crop of the faces in :attr:`aligned`: all of it, with what the photo's crop knows of them, so that teeth are painted here too."""
        if self.photo is None:
            return replace(Crop.whole(self.aligned), landmarks=self.landmarks * self.aligned.shape[-1])
        return self.photo[1].to(self.aligned.device).on_squares(self.aligned)


def random_views(count: int, generator: torch.Generator, alternate: bool = False) -> Callable[[int], Tensor]:
    """Draw random views.

    Args:
        count: number of views.
        generator: they are drawn on its device.
        alternate: mirror every other view, instead of half of them at random.

    Returns:
        a function: size -> crop points ``[count,size,size,2]`` of the pixel centres of the views.
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=generator.device)

    angle = (uniform() - 0.5) * (2 * TURN)
    zoom = ZOOM[0] + ZOOM[1] * uniform()
    shift = (uniform(1, 1, 2) - 0.5) * (2 * SHIFT)
    if alternate:
        flip = torch.tensor([1.0, -1.0]).repeat(count)[:count, None, None].to(angle)
    else:
        flip = torch.where(uniform(1, 1) < 0.5, -1.0, 1.0)
    return lambda size: turned_centers(size, angle, zoom, shift, flip)


def sample_views(flow: Flow, points: Tensor, size: int) -> Sample:
    """An edit in views of ``size x size`` pixels.

    Args:
        flow: of B faces.
        points: ``[B or 1,V,s,s,2]`` crop points of views; s may be smaller than ``size`` for a smooth field.

    Returns:
        Planes ``[B*V,...,size,size]``; the colour is None if the flow has none.
    """

    def apart(plane: Tensor) -> Tensor:
        plane = plane.unflatten(2, points.shape[1:3]).transpose(1, 2).flatten(0, 1)
        if plane.shape[2] == size:
            return plane
        return F.interpolate(plane, (size, size), mode="bilinear", align_corners=False)

    found = flow(points.flatten(1, 2))  # all views as one tall picture
    return Sample(
        apart(found.offset),
        apart(found.color) if flow.colored else None,
        None if found.uncovered is None else apart(found.uncovered),
    )


def embed_views(
    guide: Guide,
    aligned: Tensor,
    points: Tensor,
    offset: Tensor | None = None,
    color: Tensor | None = None,
    uncovered: Tensor | None = None,
) -> Tensor:
    """Embeddings ``[n,D]`` of views with crop points ``[n,s,s,2]`` of face squares ``[n,3,S,S]``, edited, or unedited without ``offset``."""
    grid = grid_of(points)
    if offset is not None:
        grid = torch.add(grid, offset.permute(0, 2, 3, 1), alpha=2)
    return guide.encode_image(edited_pixels(aligned, grid, color, uncovered, (0.0, 1.0), "bilinear"))


class ViewPool:
    """A fixed set of views for a whole optimisation, in which the unedited faces are embedded once.

    Args:
        guide: embeds the views.
        faces: the unedited faces.
        generator: on the CPU; draws the views and their grain.
        fineness: points a side at which a field is sampled in each view.
    """

    def __init__(self, guide: Guide, faces: Faces, generator: torch.Generator, fineness: int) -> None:
        self.guide, self.faces, self.generator, size = guide, faces, generator, guide.image_size
        points = random_views(POOL, generator, alternate=True)
        self.points = points(size).to(faces.aligned)
        self.coarse = self.points if fineness >= size else points(fineness).to(faces.aligned)
        self.noise = NOISE * torch.randn(POOL, 3, size, size, generator=generator).to(faces.aligned)
        self.before = torch.cat([self._embed(few) for few in torch.arange(POOL, device=self.points.device).split(4)], 1)

    def draw(self, count: int) -> Tensor:
        """Indices of the views for the next step."""
        return torch.randperm(POOL, generator=self.generator)[:count]

    def change(self, field: FlowField, views: Tensor) -> Tensor:
        """Change ``[B,V,D]`` of the embeddings of some views by the field; differentiable."""
        views = views.to(self.points.device)
        coarse = self.coarse.index_select(0, views)[None]
        sample = sample_views(field.flow(crop=self.faces.crop), coarse, self.guide.image_size)
        which = torch.randint(POOL, (len(views),), generator=self.generator).to(views.device)
        # a face's edit must not depend on the batch
        grain = self.noise.index_select(0, which)[None].expand(self.faces.batch, -1, -1, -1, -1).flatten(0, 1)
        color = grain if sample.color is None else grain + sample.color
        return self._embed(views, sample._replace(color=color)) - self.before[:, views]

    def _embed(self, views: Tensor, sample: Sample | None = None) -> Tensor:
        aligned, batch = self.faces.aligned, self.faces.batch
        # expanding and flattening copies nothing for a single face
        aligned = aligned[:, None].expand(-1, len(views), -1, -1, -1).flatten(0, 1)
        points = self.points.index_select(0, views)[None].expand(batch, -1, -1, -1, -1).flatten(0, 1)
        seen = (sample.offset, sample.color, sample.uncovered) if sample else ()
        found = embed_views(self.guide, aligned, points, *seen)
        return found.unflatten(0, (self.faces.batch, -1))
