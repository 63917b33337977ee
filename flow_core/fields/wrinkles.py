"""The lines that years draw into skin.

What old faces have in common (:mod:`flow_core.faces.shading`) is a mean, in which lines are smeared: everybody has them a little elsewhere. So they
are drawn: across the forehead, at the outer corners of the eyes and under them, from the nose to the mouth, and below its corners. Folds are soft,
and wide enough for the raster of the skin; in each of them, and beside it, pictures that are fine enough show lines as thin as hairs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.directions import down_of
from ..geometry.grid import pixel_centers
from ..geometry.mesh import barycentric
from ..geometry.sampling import interpolate
from .exponential import blur
from .patch import Patch, finely
from .smooth import smoothstep

if TYPE_CHECKING:
    from .face import Face


class Line(NamedTuple):
    """A line on the rig's face at rest, in centimetres: a quadratic Bezier curve.

    Attributes:
        start: where it begins,
        end: and ends.
        pull: where the curve is drawn to.
        width: half of it.
        depth: how deep it is; 1 = :data:`DARK`.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    pull: tuple[float, float]
    width: float
    depth: float

    @property
    def mirrored(self) -> Line:
        """The same on the other side of the face."""
        (a, b), (c, d), (e, f), *rest = self
        return Line((-a, b), (-c, d), (-e, f), *rest)


# Those of the forehead cross the middle, the others are of the person's left side: at the outer corner of the eye, and elsewhere.
FOREHEAD = (
    Line((-3.3, -5.95), (3.5, -6.05), (0.0, -6.55), 0.14, 0.55),
    Line((-3.9, -5.25), (3.7, -5.2), (0.1, -5.85), 0.15, 0.8),
    Line((-2.6, -4.75), (2.9, -4.7), (0.0, -5.1), 0.13, 0.6),
)
CORNER = (
    Line((4.75, -1.55), (6.3, -2.35), (5.5, -1.75), 0.11, 1.1),
    Line((4.8, -1.2), (6.6, -1.25), (5.7, -1.1), 0.11, 1.4),
    Line((4.7, -0.85), (6.4, -0.2), (5.6, -0.65), 0.11, 1.3),
    Line((4.4, -0.5), (5.9, 0.7), (5.3, -0.15), 0.11, 1.0),
)
SIDE = (
    Line((1.9, -0.75), (4.3, -0.35), (2.9, 0.25), 0.11, 0.8),  # under the eye
    Line((1.75, -0.6), (3.9, 0.75), (2.2, 0.45), 0.2, 0.5),
    Line((1.95, 2.35), (3.15, 5.6), (2.75, 3.4), 0.2, 1.0),  # from the nose to the mouth
    Line((2.75, 5.85), (3.0, 7.4), (3.15, 6.4), 0.15, 0.5),  # below its corner
)
# By which lines are wavy, and how much their depth differs along them; shares of a line in which it runs out
WAVY, UNEVEN, ENDS = 0.05, 0.25, 0.3
# Logarithms of the factor of luminance, in a line and on the skin that bulges beside it, half widths away
DARK, LIGHT, BESIDE = 0.36, 0.12, 1.7
LEFT, TOP, RIGHT, BOTTOM, FINE = -7.0, -8.0, 7.0, 9.5, 16  # the part of the face with lines, and pixels a centimetre
STEP, AROUND = 0.14, 4.5  # centimetres between points of a line, and half widths around it in which it is seen
# Side of a pixel, centimetres, up to which folds are seen as they are; and the deviation of blur of what is larger
SEEN, SPREAD = 0.15, 0.45
MOST = 1.6  # years, from where on lines grow no deeper

# Thin lines: half their width, pixels a centimetre, and how many times as fine as the skin their raster is
THIN, THINNEST, FINEST, FINER = 0.055, 0.04, 40, 4
# Sides of a pixel, centimetres, between which they appear; and what folds lose of their depth where they do: a fold alone stands for its lines, too
SHOWN, LESS = (0.08, 0.2), 0.2
# How deep the thin line in the bottom of a fold is, of the fold's depth; in how many pieces it is, by which they overlap, and lie aside, in centimetres
CORE, PIECES, OVERLAP, ASIDE = 0.5, 3, 0.25, 0.06
# Of lines beside folds, how deep the faintest and the deepest are, of the depth of :class:`Between`
DEPTHS = 0.25, 0.65


# How deep lines are that brows draw which rise wholly, and cheeks; which share of that they lose in smooth skin; and the least of a rise that draws any
RAISED, SQUINTED, FAINTER, LEAST = 1.1, 0.8, 0.75, 0.15
# Where regions end on the rig's face at rest, centimetres: the forehead below, and corners of eyes towards the middle, and below
BROWS, BESIDE_EYES, CHEEKS = -3.6, 3.0, 3.0
OUTER = 1.2, 3.0  # centimetres from the middle, between the skin that inner ends of brows wrinkle, and outer ones


class Between(NamedTuple):
    """Thin lines that lie between two, of which each lies somewhere on the way."""

    first: Line
    last: Line
    count: int
    length: tuple[float, float]  # shares of theirs


# Thin lines of the forehead, and, of the person's left side, of the corner of the eye and elsewhere
ACROSS = (
    Between(Line((-4.2, -6.5), (4.2, -6.5), (0.0, -7.0), THINNEST, 0.6), Line((-4.0, -4.5), (4.0, -4.5), (0.0, -4.9), THINNEST, 0.6), 14, (0.2, 0.5)),
)  # fmt: skip
AT_CORNER = (
    Between(Line((4.6, -1.7), (6.3, -2.9), (5.5, -2.1), THINNEST, 0.9), Line((4.2, -0.3), (5.5, 1.3), (5.1, 0.2), THINNEST, 0.9), 11, (0.5, 0.9)),
)  # fmt: skip
BETWEEN = (
    Between(Line((1.8, -0.75), (4.4, -0.5), (3.0, 0.1), THINNEST, 0.8), Line((1.7, 0.0), (4.2, 1.0), (2.5, 1.0), THINNEST, 0.6), 10, (0.25, 0.6)),
    Between(Line((0.25, 4.25), (0.25, 3.7), (0.2, 4.0), THINNEST, 0.8), Line((2.2, 5.15), (2.35, 4.5), (2.4, 4.9), THINNEST, 0.8), 6, (0.7, 1.0)),
    Between(Line((3.5, 3.0), (3.6, 6.6), (4.1, 4.7), THINNEST, 0.6), Line((4.6, 2.6), (4.4, 6.8), (5.2, 4.7), THINNEST, 0.4), 6, (0.3, 0.7)),
    Between(Line((-0.2, 7.3), (1.6, 7.6), (0.8, 7.2), THINNEST, 0.6), Line((0.2, 8.4), (1.7, 8.6), (0.8, 8.2), THINNEST, 0.4), 4, (0.3, 0.6)),
)  # fmt: skip


class Wrinkles(NamedTuple):
    """How the logarithm of luminance changes."""

    folds: Tensor  # [1,1,n,n] on the raster of the skin
    lines: Patch | None  # of one channel; None where the picture shows nothing so fine


def depths(face: Face, years: float, contracted: Tensor) -> Tensor | None:
    """How deep lines come to be at each vertex of the front of a face, ``[V,3]`` on its forehead, at the corners of its eyes and elsewhere; None where
    none come.

    Years draw all of them, brows that rise those of the forehead, and cheeks that rise those at corners of eyes, on their side: fainter ones into skin
    that has no lines at rest.

    Args:
        face: whose forehead is seen where it looks as its cheeks do, and not under a fringe.
        years: how much older, 1 = old.
        contracted: ``[U]`` change of units.
    """
    part, years = face.front.rig, min(max(years, 0.0), MOST)
    inner, outer_right, outer_left, right, left = (
        contracted[part.unit_names.index(n)].clamp(0, 1)
        for n in ("browInnerUp", "browOuterUpRight", "browOuterUpLeft", "cheekSquintRight", "cheekSquintLeft")
    )
    if not years and max(inner, outer_right, outer_left, right, left) < LEAST:
        return None
    x, y, _ = part.neutral.T
    outer, squints = (torch.where(x > 0, *sides) for sides in ((outer_left, outer_right), (left, right)))
    drawn = torch.stack([RAISED * torch.lerp(inner, outer, smoothstep(x.abs(), *OUTER)), SQUINTED * squints], 1)
    drawn = years + (1 - FAINTER * face.smooth) * drawn
    drawn = drawn * torch.stack([(y < BROWS) * face.bare, (x.abs() > BESIDE_EYES) & (y > BROWS) & (y < CHEEKS)], 1)
    return torch.cat([drawn, torch.full_like(drawn[:, :1], years)], 1)


def wrinkle_light(
    depth: Tensor,
    neutral: Tensor,
    triangles: Tensor,
    seen: tuple[Tensor, Tensor],
    pixel: float = 0.0,
    finest: float = 0.0,
) -> Wrinkles:
    """By how much the logarithm of luminance changes.

    Args:
        depth: ``[V,3]`` as of :func:`depths`.
        neutral, triangles, seen, pixel: as of :func:`flow_core.fields.frown.frown_light`.
        finest: of thin lines, in place of ``pixel``, where that is larger.
    """
    some = tuple(depth.any(0).nonzero()[:, 0].tolist())  # regions with lines
    values = barycentric(torch.cat([neutral[:, :2], depth[:, some]], 1), triangles, *seen)
    spread = round(SPREAD * FINE * math.sqrt(max(pixel**2 - SEEN**2, 0.0)))
    folds = _light(_blurred(_folds, some, depth.device, spread), values.movedim(-1, 0))
    finest = max(pixel, finest)
    thin = 1 - smoothstep(finest, *SHOWN)
    lines = _fine(values, some, finest, thin) if thin > 0 else None
    return Wrinkles((1 - LESS * thin) * folds, lines)


def _light(table: Tensor, values: Tensor) -> Tensor:
    """The light ``[1,1,h,w]`` of lines of a table, at places of the rig at rest, and so deep there: ``values [2+regions,h,w]``."""
    places, depth = values[:2].movedim(0, -1), values[2:]
    low, high = places.new_tensor([LEFT, TOP]), places.new_tensor([RIGHT, BOTTOM])
    found = interpolate(table, ((places - low) / (high - low))[None], "bilinear")
    return (found * depth).sum(1, keepdim=True)


def _fine(values: Tensor, some: tuple[int, ...], pixel: float, share: float) -> Patch | None:
    """The thin lines of some regions, of a share of their depth, of a raster of what :func:`_light` needs."""
    part = finely(values, (values[..., 2:] > 0).any(-1), FINER)
    if part is None:
        return None
    box, values, near = part
    light = share * _light(_blurred(_thin, some, values.device, round(SPREAD * FINEST * pixel)), values) * near
    light[..., [0, -1], :] = light[..., [0, -1]] = 0
    return Patch(box, light)


@functools.lru_cache(maxsize=8)
def _blurred(
    table: Callable[[torch.device], Tensor], some: tuple[int, ...], device: torch.device, spread: int
) -> Tensor:
    """Some regions of a table, blurred by so many of its pixels."""
    with torch.inference_mode(False):
        lines = table(device)[:, some]
        return blur(lines, spread) if spread else lines


@functools.lru_cache(maxsize=2)
def _folds(device: torch.device) -> Tensor:
    """``[1,3,H,W]`` the folds of the forehead, of corners of eyes, and all others, 1 deep."""
    with torch.inference_mode(False):
        return torch.cat([_drawn(lines, FINE) for lines in _by_region()], 1).to(device)


@functools.lru_cache(maxsize=2)
def _thin(device: torch.device) -> Tensor:
    """The same of thin lines."""
    with torch.inference_mode(False):
        g = torch.Generator().manual_seed(7)
        regions = [[piece for line in folds for piece in _pieces(line, g)] for folds in _by_region()]
        for lines, ways in zip(regions, (ACROSS, AT_CORNER, BETWEEN), strict=True):
            for way in ways:
                lines += _between(way, g)
                if ways is not ACROSS:  # the sides are alike, and not the same
                    lines += [line.mirrored for line in _between(way, g)]
        return torch.cat([_drawn(lines, FINEST) for lines in regions], 1).to(device)


def _by_region() -> list[Sequence[Line]]:
    return [FOREHEAD, *((*side, *(line.mirrored for line in side)) for side in (CORNER, SIDE))]


def _at(line: Line, share: float) -> tuple[float, float]:
    """The point at a share of the way."""
    a, b, c = (1 - share) ** 2, 2 * share * (1 - share), share**2
    return tuple(a * s + b * p + c * e for s, p, e in zip(line.start, line.pull, line.end, strict=True))


def _part(line: Line, begin: float, end: float) -> Line:
    """The part of a line between two shares of the way."""
    start, middle, last = (_at(line, share) for share in (begin, (begin + end) / 2, end))
    pull = tuple(2 * m - (s + e) / 2 for s, m, e in zip(start, middle, last, strict=True))
    return line._replace(start=start, end=last, pull=pull)


def _moved(line: Line, x: float, y: float) -> Line:
    (a, b), (c, d), (e, f), *rest = line
    return Line((a + x, b + y), (c + x, d + y), (e + x, f + y), *rest)


def _pieces(line: Line, g: torch.Generator) -> list[Line]:
    """The thin lines in the bottom of a fold, one after the other."""
    found, aside = [], (2 * torch.rand(PIECES, 2, generator=g) - 1) * ASIDE
    for k, (x, y) in enumerate(aside.tolist()):
        piece = _part(line, max((k - OVERLAP) / PIECES, 0.0), min((k + 1 + OVERLAP) / PIECES, 1.0))
        found.append(_moved(piece, x, y)._replace(width=THIN, depth=CORE * line.depth))
    return found


def _between(way: Between, g: torch.Generator) -> list[Line]:
    """Lines between two."""
    found = []
    for k in range(way.count):
        share, length, begin, deep = torch.rand(4, generator=g).tolist()
        share = (k + share) / way.count
        length = way.length[0] + (way.length[1] - way.length[0]) * length
        points = (
            tuple(a + share * (b - a) for a, b in zip(p, q, strict=True))
            for p, q in zip(way.first[:3], way.last[:3], strict=True)
        )
        depth = way.first.depth + share * (way.last.depth - way.first.depth)
        line = Line(*points, way.first.width, depth * (DEPTHS[0] + (DEPTHS[1] - DEPTHS[0]) * deep))
        found.append(_part(line, begin * (1 - length), begin * (1 - length) + length))
    return found


def _drawn(lines: Sequence[Line], fine: int) -> Tensor:
    """``[1,1,H,W]`` the light of lines, at so many pixels a centimetre."""
    light = torch.zeros(round((BOTTOM - TOP) * fine), round((RIGHT - LEFT) * fine))
    corner = torch.tensor([LEFT, TOP])
    for k, line in enumerate(lines):
        start, end, pull = (torch.tensor(v) for v in line[:3])
        t = torch.linspace(0, 1, 2 + int((start - end).norm() / STEP))[:, None]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * pull + t**2 * end
        curve[:, 1] += WAVY * (7 * t[:, 0] + 2.4 * k).sin()
        around = AROUND * line.width
        low, high = (((v - corner) * fine).int() for v in (curve.amin(0) - around, curve.amax(0) + around))
        (x0, y0), (x1, y1) = low.clamp(min=0).tolist(), high.clamp(min=0).tolist()
        part = light[y0:y1, x0:x1]
        if not part.numel():
            continue
        places = pixel_centers(*part.shape, light.device)[0].flatten(0, 1) * torch.tensor(part.shape[::-1])
        places = (places + torch.tensor([x0, y0])) / fine + corner
        nearest = torch.cdist(places, curve).argmin(1)
        along = F.normalize(torch.gradient(curve, dim=0)[0], dim=-1)[nearest]
        away = places - curve[nearest]
        off, past = (away * down_of(along)).sum(-1), (away * along).sum(-1)
        at = nearest / (len(curve) - 1)
        past = past * ((at == 0) | (at == 1))
        deep = line.depth * smoothstep(torch.minimum(at, 1 - at), 0.0, ENDS) * (1 + UNEVEN * (11 * at + 5 * k).sin())
        dark, *bulges = ((-((off - side * BESIDE * line.width) / line.width).square()).exp() for side in (0, -1, 1))
        profile = (LIGHT * sum(bulges) - DARK * dark) * (-(past / line.width).square()).exp()
        part += (deep * profile).view(part.shape)
    return light[None, None]


__all__ = ["Wrinkles", "depths", "wrinkle_light"]
