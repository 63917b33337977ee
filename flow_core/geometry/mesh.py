"""Rasterising triangle meshes: which triangle is seen at each pixel, and interpolation between its corners."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

_MOST = 1 << 22  # pixels of bounding boxes that are tested at once
_LOWER = (1 << 32) - 1  # lower half of an int64
_EDGE = -1e-4  # least barycentric weight that counts as inside; below 0, so that no gap opens between neighbours


def rasterise(points: Tensor, depth: Tensor, triangles: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Which triangle is seen at each pixel of a square raster: a z-buffer without a loop over triangles.

    All pixels of the bounding boxes of all triangles are tested at once. Triangles that face away from the viewer are left
    out. There is no gradient; :func:`barycentric` has one.

    Args:
        points: ``[V,2]`` crop points (fractions, x to the right and y down).
        depth: ``[V]``, larger is nearer to the viewer.
        triangles: ``[T,3]`` indices; the corners of a triangle that faces the viewer run counter-clockwise on the screen.
        size: pixels a side.

    Returns:
        The triangle at each pixel centre ``[size,size]`` int64, -1 where there is none, and the barycentric weights of its
        corners ``[size,size,3]``.
    """
    with torch.no_grad():
        solid = torch.stack([*(points.detach().float() * size).unbind(1), depth.detach().float()])
        solid[2] += 1 - solid[2].min()  # the bits of positive floats sort as the floats do
        corners = solid.index_select(1, triangles.T.flatten()).unflatten(1, (3, -1))  # [3,3,T]: axis, corner, triangle
        low = (corners[:2].amin(1) - 0.5).ceil_().clamp_(min=0)
        across = (corners[:2].amax(1) - 0.5).floor_().clamp_(max=size - 1).sub_(low).add_(1).clamp_(min=0)
        planes, area = _planes(corners, low)
        # most small triangles hold no pixel centre
        count = (across[0] * across[1] * (area < -1e-9)).long()
        table = torch.cat([planes[:6], low, across[:1]])  # [9,T]

        index = torch.full((size * size,), -1, device=points.device)
        weights = torch.zeros(3, size * size, device=points.device)
        nearest = torch.full_like(index, -1)
        for few in _few(count):
            triangle, pixel, near, weight = _covered(table[:, few], planes[6:, few], count[few], size)
            # Ties are broken by the highest index, so that every device sees the same triangle.
            before = nearest.clone()
            nearest.scatter_reduce_(0, pixel, near, "amax")
            at = (nearest > before).nonzero()[:, 0]
            row = nearest.index_select(0, at) & _LOWER
            index.index_copy_(0, at, triangle.index_select(0, row).add_(few.start))
            weights.index_copy_(1, at, weight.index_select(1, row))
        return index.view(size, size), weights.view(3, size, size).movedim(0, -1)


def _few(count: Tensor) -> list[slice]:
    """Slices of triangles whose boxes together hold at most :data:`_MOST` pixels, or that are a single triangle."""
    total = count.cumsum(0)
    if not len(count) or total[-1] <= _MOST:
        return [slice(0, len(count))] if len(count) else []
    bounds = [0, *((total.div(_MOST, rounding_mode="floor").diff() > 0).nonzero()[:, 0] + 1).tolist(), len(count)]
    return [slice(a, b) for a, b in pairwise(bounds)]


def _planes(corners: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
    """Linear functions of the pixel for each triangle.

    Returns:
        ``[9,T]``: for the weights of the first two corners and for the depth, the value at the centre of pixel ``low [2,T]`` and
        its increments to the right and down; and ``[T]`` twice the signed area, below 0 for triangles that face the viewer.
    """
    (ax, bx, cx), (ay, by, cy) = (corners[:2] - (low + 0.5)[:, None]).unbind()
    u = torch.stack([bx * cy - by * cx, by - cy, cx - bx])
    v = torch.stack([cx * ay - cy * ax, cy - ay, ax - cx])
    area = (bx - ax) * v[1] + (by - ay) * v[2]
    weights = torch.stack([u, v]) / area
    a, b, c = corners[2]
    depth = weights[0] * (a - c) + weights[1] * (b - c)
    depth[0] += c
    return torch.cat([*weights, depth]), area


def _covered(table: Tensor, depth: Tensor, count: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Test all pixels of the boxes of triangles.

    Returns:
        For the N pixels that are covered: the triangle ``[N]``; the flat index in the raster ``[N]``; an int64 key ``[N]`` whose upper
        half grows towards the viewer and whose lower half is the position among the N; and the weights of the corners ``[3,N]``.
    """
    triangle = torch.repeat_interleave(count)
    first = (count.cumsum(0) - count).float()[None]  # exact: there are fewer than 2^24
    u, right, down, v, right_v, down_v, left, top, width, first = (
        torch.cat([table, first]).index_select(1, triangle).unbind()
    )
    within = torch.arange(len(triangle), device=count.device, dtype=torch.float32).sub_(first)
    y = ((within + 0.5) / width).floor_()
    x = within.addcmul_(y, width, value=-1)
    u.addcmul_(right, x).addcmul_(down, y)
    v.addcmul_(right_v, x).addcmul_(down_v, y)
    w = 1 - u - v
    inside = (torch.minimum(torch.minimum(u, v), w) >= _EDGE).nonzero()[:, 0]
    triangle = triangle.index_select(0, inside)
    left, top, x, y = (t.index_select(0, inside) for t in (left, top, x, y))
    pixel = ((top + y) * size + (left + x)).long()
    z, right, down = depth.index_select(1, triangle)
    near = z.addcmul_(right, x).addcmul_(down, y).view(torch.int32).long()
    place = torch.arange(len(inside), device=count.device)
    return triangle, pixel, (near << 32) | place, torch.stack([t.index_select(0, inside) for t in (u, v, w)])


def barycentric(values: Tensor, triangles: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Values of the vertices, interpolated at the pixels of :func:`rasterise`.

    Args:
        values: ``[V,C]``.
        triangles: ``[T,3]``.
        index: ``[H,W]`` and
        weights: ``[H,W,3]``, from :func:`rasterise`.

    Returns:
        ``[H,W,C]``, 0 where there is no triangle; differentiable in ``values``.
    """
    flat = index.flatten()
    at = (flat >= 0).nonzero()[:, 0]
    corners = triangles.T.index_select(1, flat.index_select(0, at))
    found = values.T.index_select(1, corners.flatten()).view(-1, *corners.shape)  # [C,3,n]
    found = (found * weights.movedim(-1, 0).flatten(1).index_select(1, at)).sum(1)
    return found.new_zeros(len(found), len(flat)).index_copy(1, at, found).view(-1, *index.shape).movedim(0, -1)


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Outward unit normals ``[V,3]`` at the vertices ``[V,3]`` of triangles ``[T,3]`` (counter-clockwise seen from outside, as in :func:`rasterise`): the mean of the
    normals of the triangles around each vertex, weighted by area."""
    corners = vertices[triangles]
    facets = -torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = torch.zeros_like(vertices).index_add_(0, triangles.flatten(), facets.repeat_interleave(3, 0))
    return torch.nn.functional.normalize(normals, dim=-1)


def polygon_distance(polygon: Tensor, points: Tensor) -> Tensor:
    """Signed distance to a closed polygon, positive inside.

    A point is inside if the polygon winds around it in the direction in which its corners are listed (clockwise on the
    screen). So an opening whose two sides have crossed has no inside.

    Args:
        polygon: ``[N,2]`` corners in order.
        points: ``[...,2]``.

    Returns:
        ``[...]``, in the unit of the points.
    """
    # Corners are the first axis, since there are more points, and loops over the last axis are quick.
    (x, y), (along, down) = points.flatten(0, -2).T, (polygon.roll(-1, 0) - polygon).T[..., None]
    dx, dy = x - polygon[:, :1], y - polygon[:, 1:]  # [N,points]
    # An edge counts if it crosses the point's height to the right of it. Floats are quicker than booleans here.
    under = dy.clone().ge_(0)
    crosses = under - under.roll(-1, 0)
    winding = (along * dy).addcmul_(down, dx, value=-1).mul_(crosses).gt_(0).mul_(crosses).sum(0)
    t = (dx * along).addcmul_(dy, down).mul_(1 / (along.square() + down.square()).clamp(min=1e-12)).clamp_(0, 1)
    dx.addcmul_(t, along, value=-1)
    dy.addcmul_(t, down, value=-1)
    distance = dx.square_().addcmul_(dy, dy).amin(0).clamp_(min=1e-14).sqrt_()
    return distance.mul_(winding.gt_(0).mul_(2).sub_(1)).view(points.shape[:-1])
