"""Triangle meshes seen from the front: which triangle covers a pixel, and what its corners say there."""

from __future__ import annotations

import torch
from torch import Tensor

_BANDS = (2, 4, 8, 16, 32)  # sides of boxes, in pixels; triangles are tried in the smallest box that holds them
_EDGE = -1e-4  # barycentric weight that still counts as inside, so that no gap opens between neighbours


def rasterise(points: Tensor, depth: Tensor, triangles: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Which triangle is seen at each pixel of a square raster: a z-buffer without a loop over triangles.

    Triangles are sorted into bands by the size of their bounding boxes, and all pixels of all boxes of a band are tried at
    once. Only triangles that face the viewer are seen. Nothing here has a gradient; :func:`barycentric` has.

    Args:
        points: ``[V,2]`` crop points (fractions, x to the right and y down).
        depth: ``[V]``; what is nearer to the viewer is larger.
        triangles: ``[T,3]`` indices; the corners of a triangle that faces the viewer run counter-clockwise on the screen.
        size: pixels a side.

    Returns:
        The triangle at each pixel centre ``[size,size]`` int64, -1 where there is none, and the barycentric weights of its
        corners ``[size,size,3]``.
    """
    with torch.no_grad():
        corners = points.detach().float()[triangles] * size  # [T,3,2]
        a, b, c = corners.unbind(1)
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        low = (corners.amin(1) - 0.5).ceil().clamp(min=0)
        high = (corners.amax(1) - 0.5).floor().clamp(max=size - 1)
        extent = (high - low).amax(1) + 1
        seen = (area < -1e-9) & ((high - low).amin(1) >= 0)
        heights = depth.detach().float()[triangles]
        found: list[tuple[Tensor, ...]] = []
        before = 0
        largest = int(extent[seen].max().item()) if seen.any() else 0
        for side in (*(band for band in _BANDS if band < largest), largest):
            which = (seen & (extent > before) & (extent <= side)).nonzero()[:, 0]
            before = side
            for few in which.split(max(1, (1 << 22) // max(side, 1) ** 2)):
                if len(few):
                    found.append(_covered(corners[few], area[few], heights[few], low[few], few, side, size))
        index = torch.full((size * size,), -1, device=points.device)
        weights = torch.zeros(size * size, 3, device=points.device)
        if found:
            pixel, near, triangle, weight = (torch.cat(v) for v in zip(*found, strict=True))
            nearest = torch.full((size * size,), -torch.inf, device=points.device)
            nearest = nearest.scatter_reduce_(0, pixel, near, "amax")
            wins = near >= nearest[pixel]
            # Of triangles at the same depth the last one wins, on every device: the highest index is taken.
            index = index.scatter_reduce_(0, pixel[wins], triangle[wins], "amax")
            chosen = wins & (triangle == index[pixel])
            weights[pixel[chosen]] = weight[chosen]
        return index.view(size, size), weights.view(size, size, 3)


def _covered(
    corners: Tensor, area: Tensor, heights: Tensor, low: Tensor, triangle: Tensor, side: int, size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels that triangles cover: flat index, depth, triangle and weights, one row for each pixel of each triangle."""
    step = torch.arange(side, device=corners.device, dtype=torch.float32)
    x, y = low[:, :1] + step, low[:, 1:] + step  # [t,side]
    px, py = x[:, None, :] + 0.5, y[:, :, None] + 0.5
    (ax, ay), (bx, by), (cx, cy) = (corners[:, i].T[..., None, None] for i in range(3))
    u = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area[:, None, None]
    v = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area[:, None, None]
    w = 1 - u - v
    inside = (torch.minimum(torch.minimum(u, v), w) >= _EDGE) & (x < size)[:, None, :] & (y < size)[:, :, None]
    t, row, column = inside.nonzero(as_tuple=True)
    weight = torch.stack([u[t, row, column], v[t, row, column], w[t, row, column]], -1)
    pixel = (y[t, row] * size + x[t, column]).long()
    return pixel, (weight * heights[t]).sum(-1), triangle[t], weight


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
    corners = (
        values[triangles].flatten(1)[index.clamp(min=0)].unflatten(-1, (3, -1))
    )  # [H,W,3,C], one gather for each pixel
    return torch.einsum("hwkc,hwk->hwc", corners, weights * (index >= 0)[..., None])


def polygon_distance(polygon: Tensor, points: Tensor) -> Tensor:
    """Signed distance to a closed polygon, positive inside.

    Inside is where the polygon winds around a point in the direction in which its corners are listed (clockwise on the
    screen), so that an opening whose two sides have crossed is no opening.

    Args:
        polygon: ``[N,2]`` corners in order.
        points: ``[...,2]``.

    Returns:
        ``[...]``, in the unit of the points.
    """
    a, b = polygon, polygon.roll(-1, 0)
    edge, to = b - a, points[..., None, :] - a  # [...,N,2]
    t = ((to * edge).sum(-1) / edge.square().sum(-1).clamp(min=1e-12)).clamp(0, 1)
    distance = (to - t[..., None] * edge).square().sum(-1).amin(-1).clamp(min=1e-14).sqrt()
    y, ay, by = points[..., None, 1], a[:, 1], b[:, 1]
    cross = edge[:, 0] * to[..., 1] - edge[:, 1] * to[..., 0]
    winding = ((ay <= y) & (by > y) & (cross > 0)).long().sum(-1) - ((ay > y) & (by <= y) & (cross < 0)).long().sum(-1)
    return torch.where(winding > 0, distance, -distance)
