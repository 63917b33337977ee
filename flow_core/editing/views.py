"""Random views of faces, in which a guide looks at an edit: turned, zoomed, shifted and mirrored, so that it sees a face and not
single pixels.

Flow and view are composed, so that pixels are sampled once.
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

TURN, SHIFT = 0.15, 0.03  # radians, fractions of the crop side; each to both sides
ZOOM = 0.86, 0.16  # sides of a view in sides of the crop: the least, and the range
NOISE = 0.02  # standard deviation of grain, which keeps a guide from reading meaning into single pixels
DENSITY = 1.25  # pixels of a face square for each pixel that a guide sees, because views zoom in
POOL = 12  # views of which each step of an optimisation takes some


@dataclass(frozen=True)
class Faces:
    """The faces that are edited, as a guide and the priors need them.

    Attributes:
        aligned: ``[B,3,S,S]`` face squares, RGB 0..1.
        landmarks: ``[B,161,2]`` in crop points.
        frontality: ``[B]`` 0..1.
        photo: the pictures that they are in, and where; None = there is no more to see than :attr:`aligned`.
    """

    aligned: Tensor
    landmarks: Tensor
    frontality: Tensor
    photo: tuple[Tensor, Crop] | None = None

    def closer(self, size: int, span: float = 1.0) -> tuple[Tensor, Tensor | None]:
        """Squares of ``span`` times the side of the face squares, around their middle, with ``size`` pixels a side of the latter, and what of them is
        seen, ``[B,1,n,n]`` 0 or 1; or :attr:`aligned`, and None."""
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
        """Where the faces are in :attr:`aligned`: everywhere."""
        return replace(Crop.whole(self.aligned), landmarks=self.landmarks * self.aligned.shape[-1])


def random_views(count: int, generator: torch.Generator, alternate: bool = False) -> Callable[[int], Tensor]:
    """Views at random; what is returned gives their crop points ``[count,size,size,2]`` for a size.

    Args:
        generator: decides on which device they are drawn.
        alternate: mirror every other view, instead of half of them at random.
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
        points: ``[B or 1,V,s,s,2]`` crop points of views; a smooth field need not be asked at every pixel.

    Returns:
        Planes ``[B*V,...,size,size]``; the colour is None where there is none.
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
    """Embeddings ``[n,D]`` of views ``[n,s,s,2]`` of face squares ``[n,3,S,S]``, edited or as they are."""
    grid = grid_of(points)
    if offset is not None:
        grid = torch.add(grid, offset.permute(0, 2, 3, 1), alpha=2)
    return guide.encode_image(edited_pixels(aligned, grid, color, uncovered, (0.0, 1.0), "bilinear"))


class ViewPool:
    """Some views that serve for a whole optimisation; how the guide sees the unedited faces in them is known.

    Args:
        guide: looks.
        faces: the unedited faces.
        generator: on the CPU; of the views and of their grain.
        fineness: points a side at which a field is asked in each view.
    """

    def __init__(self, guide: Guide, faces: Faces, generator: torch.Generator, fineness: int) -> None:
        self.guide, self.faces, self.generator, size = guide, faces, generator, guide.image_size
        points = random_views(POOL, generator, alternate=True)
        self.points = points(size).to(faces.aligned)
        self.coarse = self.points if fineness >= size else points(fineness).to(faces.aligned)
        self.noise = NOISE * torch.randn(POOL, 3, size, size, generator=generator).to(faces.aligned)
        self.before = torch.cat([self._embed(few) for few in torch.arange(POOL, device=self.points.device).split(4)], 1)

    def draw(self, count: int) -> Tensor:
        """Which views to look at next."""
        return torch.randperm(POOL, generator=self.generator)[:count]

    def change(self, field: FlowField, views: Tensor) -> Tensor:
        """By how much the field changes the embeddings of some views, ``[B,V,D]``; differentiable."""
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
        # of one face nothing is copied
        aligned = aligned[:, None].expand(-1, len(views), -1, -1, -1).flatten(0, 1)
        points = self.points.index_select(0, views)[None].expand(batch, -1, -1, -1, -1).flatten(0, 1)
        seen = (sample.offset, sample.color, sample.uncovered) if sample else ()
        found = embed_views(self.guide, aligned, points, *seen)
        return found.unflatten(0, (self.faces.batch, -1))
