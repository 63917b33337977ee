"""Augmented views of the training faces, with the landmarks that belong to them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..editing.motion import PARTS, load_modes, load_parts, spread
from ..faces.landmarks import AT, BROWS, EYES, MIRROR, five_points
from ..geometry.crop import ffhq_matrix
from ..geometry.grid import pixel_centers, turned_centers
from ..geometry.sampling import interpolate, sample_image
from ..guides.nano import IMAGE_SIZE
from . import data

RASTER = 32  # control points of a random warp
# where facial muscles and bones move a face: Face Mesh indices
MOVERS = (
    0, 1, 2, 10, 13, 14, 17, 33, 61, 98, 105, 133, 145, 152, 159, 168, 172, 234, 263, 291, 327, 334, 362, 374, 386, 397, 454,
)  # fmt: skip


def random_warp(points: Tensor, generator: torch.Generator) -> Tensor:
    """Random smooth offsets ``[N,2,32,32]`` in crop fractions for faces with crop-frame landmarks ``points
    [N,161,2]``.

    Half of the faces move as edits move them, along the modes of some parts (:mod:`flow_core.editing.motion`); the others broadly and
    by bumps at landmarks, most of them mirrored, as facial muscles mostly work in pairs; and many by their whole brows. Scaled so
    that no warp folds.
    """
    n = len(points)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=points.device)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=points.device)

    field = points.new_zeros(n, 2, RASTER, RASTER)
    for size, amplitude in ((3, 0.012), (6, 0.008)):
        field += F.interpolate(normal(n, 2, size, size), (RASTER, RASTER), mode="bicubic", align_corners=False) * (
            amplitude * uniform(n, 1, 1, 1)
        )
    centers = pixel_centers(RASTER, RASTER, points.device)[0]
    for _ in range(4):
        chosen = torch.randint(len(MOVERS), (n,), generator=generator, device=points.device)
        which = torch.tensor([AT[i] for i in MOVERS], device=points.device)[chosen]
        other = torch.tensor(MIRROR, device=points.device)[which]
        vector = normal(n, 2) * 0.022
        sigma = 0.035 + 0.075 * uniform(n)
        on = (uniform(n) < 0.6).float()
        mirrored = (uniform(n) < 0.8).float() * (other != which)
        for place, weight, flip in ((which, on, 1.0), (other, on * mirrored, -1.0)):
            at = points[torch.arange(n, device=points.device), place]
            distance = (centers - at[:, None, None]).square().sum(-1)
            bump = torch.exp(-distance / (2 * sigma[:, None, None] ** 2)) * weight[:, None, None]
            field += bump[:, None] * (vector * vector.new_tensor([flip, 1.0]))[:, :, None, None]
    moved = uniform(n, len(PARTS)) < 0.35
    moved[:, 0] = uniform(n) < 0.6  # brows are small, and much is said by them
    parts, modes = load_parts().to(points), load_modes().to(points)
    far = (moved * 2.5 * uniform(n, len(PARTS))) @ parts.T * normal(n, len(parts))
    along = spread(points, torch.einsum("nm,mkc->nkc", far, modes), (RASTER, RASTER))
    field = torch.where((uniform(n) < 0.5)[:, None, None, None], along, field)
    both = spread(points, _brows(points, 0.02 * normal(n), 0.012 * normal(n), 0.15 * normal(n)), (RASTER, RASTER))
    field = field + both * (uniform(n) < 0.5)[:, None, None, None]
    steepest = torch.stack([field.diff(dim=d).abs().amax((1, 2, 3)) for d in (2, 3)]).amax(0) * RASTER
    return field * (0.6 / steepest.clamp(min=0.6))[:, None, None, None]


def _brows(points: Tensor, inwards: Tensor, down: Tensor, turned: Tensor) -> Tensor:
    """Movement ``[N,161,2]`` of both brows as a whole, which is what a viewer sees of an angry face: a bent inner end is taken for
    hair. Shifts ``[N]`` are in crop fractions, turns in radians, the inner end down."""
    moved = torch.zeros_like(points)
    for contour in BROWS:
        at = [AT[i] for i in contour]
        brow = points[:, at] - points[:, at].mean(1, keepdim=True)
        side = (0.5 - points[:, at, 0].mean(1)).sign()[:, None]
        across, along = brow.unbind(-1)
        turn = side * turned[:, None]
        moved[:, at] = torch.stack([side * inwards[:, None] - turn * along, down[:, None] + turn * across], -1)
    return moved


LID_RASTER = 128  # an eye is 5 of its cells high
LID_REACH = (0.05, 0.035)  # how far above and below an eye the skin follows its lids, crop fractions


def blinks(points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Lids that fall or rise, each eye's for itself, as hardly a training face winks.

    Along every column of the picture the opening between the lids becomes another, the upper lid going most of the way; the skin
    above and below it is drawn along, and what lies between the lids with it.

    Args:
        points: ``[N,161,2]`` landmarks in the crop frame.

    Returns:
        The landmarks with the lids in their new places, the irises staying; and offsets ``[N,2,128,128]`` of the backward warp.
    """
    n, device = len(points), points.device
    shut = 1.3 * torch.rand(n, 2, generator=generator, device=device) - 0.35  # of the opening; below 0 it grows
    both = torch.rand(n, 1, generator=generator, device=device) < 0.2
    shut = torch.where(both, shut[:, :1], shut) * (torch.rand(n, 2, generator=generator, device=device) < 0.6)
    y, x = pixel_centers(LID_RASTER, LID_RASTER, device)[0, :, 0, 1], pixel_centers(LID_RASTER, 1, device)[0, :, 0, 1]
    offset, moved = points.new_zeros(n, 2, LID_RASTER, LID_RASTER), points.clone()
    for side, eye in enumerate(EYES):
        upper, lower = [0, *range(15, 8, -1), 8], [*range(9)]
        if side:
            upper, lower = upper[::-1], lower[::-1]
        curves = [points[:, [AT[eye[i]] for i in order]] for order in (upper, lower)]

        def stops(at: Tensor, k: Tensor = shut[:, side, None], curves: list[Tensor] = curves) -> tuple[Tensor, Tensor]:
            """Heights ``[N,K,4]`` before and after, at the columns ``at [N,K]``: end of the skin above, lids, end below."""
            top, low = (_along(c, at) for c in curves)
            gap = (low - top).clamp(min=0)
            ends = top - LID_REACH[0], low + LID_REACH[1]
            after = top + 0.85 * k * gap, low - 0.15 * k * gap
            return torch.stack([ends[0], top, low, ends[1]], -1), torch.stack([ends[0], *after, ends[1]], -1)

        before, after = stops(x.expand(n, -1))
        source = _through(after, before, y.expand(n, LID_RASTER, -1))  # [N,columns,rows]
        offset[:, 1] += (source - y).mT
        lids = [AT[i] for i in eye]
        before, after = stops(points[:, lids, 0])
        moved[:, lids, 1] = _through(before, after, points[:, lids, 1, None])[..., 0]
    return moved, offset


def _along(curve: Tensor, at: Tensor) -> Tensor:
    """Heights ``[N,K]`` of curves ``[N,P,2]``, whose points run from left to right, at the columns ``at [N,K]``."""
    xs = curve[..., 0].cummax(1).values + 1e-6 * torch.arange(curve.shape[1], device=curve.device)
    right = torch.searchsorted(xs.contiguous(), at.contiguous()).clamp(1, curve.shape[1] - 1)
    x0, x1, y0, y1 = (v.gather(1, i) for v in (xs, curve[..., 1]) for i in (right - 1, right))
    return torch.lerp(y0, y1, ((at - x0) / (x1 - x0)).clamp(0, 1))


def _through(start: Tensor, end: Tensor, values: Tensor) -> Tensor:
    """Values ``[N,K,R]`` by the piecewise linear function that takes ``start [N,K,4]`` to ``end``; beyond, they stay."""
    out = values
    for i in range(3):
        a, b, to, until = (s[..., j, None] for s in (start, end) for j in (i, i + 1))
        inside = (values >= a) & (values < b)
        out = torch.where(inside, to + (values - a) / (b - a).clamp(min=1e-6) * (until - to), out)
    return out


def carry(points: Tensor, field: Tensor) -> Tensor:
    """Where a backward warp takes ``points [N,K,2]``: the fixed point of ``q = p - offset(q)``."""
    q = points
    for _ in range(15):
        q = points - interpolate(field, q[:, :, None])[..., 0].mT
    return q


class Views:
    """Augmented views of faces.

    Attributes:
        size: side of the pictures.
        points: ``[N,161,2]`` landmarks of all faces in the crop frame.
        usable: indices of the faces whose landmarks can be trusted.
    """

    def __init__(self, faces: data.Faces, seed: int, size: int = IMAGE_SIZE) -> None:
        self.faces, self.size = faces, size
        self.generator = torch.Generator(faces.landmarks.device).manual_seed(seed)
        # image pixels -> crop frame, as at run time
        self.matrix = ffhq_matrix(five_points(faces.landmarks))
        self.inverse = torch.linalg.inv(self.matrix)
        self.points = faces.landmarks @ self.matrix[:, :2, :2].mT + self.matrix[:, None, :2, 2]
        # a face that the landmark model lost is no measure of anything
        self.usable = ((self.points - self.points.median(0).values).abs().amax((1, 2)) < 0.2).nonzero()[:, 0]

    def view(
        self, index: Tensor, warp: bool, jitter: float, widen: float = 1.0, mirror: bool = True, blink: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Look at faces.

        Args:
            index: ``[n]`` which faces.
            warp: deform three in four of them by :func:`random_warp`.
            jitter: how far the view strays from the crop, 1 as far as at run time; 0 for the crop itself.
            widen: side of the view in sides of the crop.
            mirror: show half of the faces mirrored, where the view strays at all.
            blink: move the lids of most of them by :func:`blinks`.

        Returns:
            Pictures ``[n,3,size,size]`` 0..1; their landmarks ``[n,161,2]`` in the crop frame, and in the picture (0..1, left
            and right as they are seen).
        """
        n, g = len(index), self.generator
        points = self.points[index]
        field = points.new_zeros(n, 2, RASTER, RASTER)
        if blink:
            points, lids = blinks(points, g)
        if warp:
            on = (torch.rand(n, generator=g, device=g.device) < 0.75).float()[:, None, None, None]
            field = random_warp(points, g) * on
            points = carry(points, field)
        angle = torch.randn(n, generator=g, device=g.device) * 0.07 * jitter
        zoom = widen * (1 + 0.22 * jitter * (torch.rand(n, generator=g, device=g.device) - 0.5))
        shift = torch.randn(n, 1, 1, 2, generator=g, device=g.device) * 0.02 * jitter
        flip = 1 - 2.0 * (torch.rand(n, generator=g, device=g.device) < 0.5 * bool(jitter and mirror))[:, None, None]
        crop = turned_centers(self.size, angle, zoom, shift, flip)
        px, py = (points - 0.5 - shift[:, 0]).unbind(-1)
        cos, sin = (angle.cos() * zoom)[:, None], (angle.sin() * zoom)[:, None]
        flip, squared = flip[..., 0], zoom[:, None].square()
        seen = torch.stack([(cos * px + sin * py) / squared * flip, (cos * py - sin * px) / squared], -1) + 0.5
        seen = torch.where(flip[..., None] < 0, seen[:, list(MIRROR)], seen)
        crop = crop + interpolate(field, crop).permute(0, 2, 3, 1)
        if blink:
            crop = crop + interpolate(lids, crop).permute(0, 2, 3, 1)
        inverse = self.inverse[index]
        source = crop @ inverse[:, None, :2, :2].mT + inverse[:, None, None, :2, 2]
        # beyond the stored square the picture is mirrored: less odd than a smear
        source = data.STORED - (data.STORED - source.abs()).abs()
        picture = sample_image(self.faces.images[index].float() / 255, source)
        return picture, points, seen

    def light(self, x: Tensor, tint: float = 0.18, grey: float | Tensor = 0.15) -> Tensor:
        """Change light, contrast, sharpness and noise at random; ``tint`` is the spread of the light's red and blue,
        ``grey`` the share of pictures that lose their colours, one for all or ``[n,1,1,1]``."""
        n, g = len(x), self.generator

        def uniform(low: float, high: float, *shape: int) -> Tensor:
            return low + (high - low) * torch.rand(n, *shape, generator=g, device=g.device)

        lost = (uniform(0, 1, 1, 1, 1) < grey).float()
        x = torch.lerp(x, x.mean(1, keepdim=True).expand_as(x), lost)
        gain = (
            torch.randn(n, 3, 1, 1, generator=g, device=g.device) * x.new_tensor([1.0, 0.45, 1.0])[:, None, None] * tint
        )
        x = (x * (1 + (uniform(0, 1, 1, 1, 1) < 0.7) * gain).clamp(0.4, 1.6)).clamp(1e-4, 1)
        x = x ** uniform(0.6, 1.7, 1, 1, 1)
        x = (x - 0.5) * uniform(0.65, 1.25, 1, 1, 1) + 0.5 + uniform(-0.12, 0.12, 1, 1, 1)
        across = pixel_centers(*x.shape[2:], x.device) - 0.5
        side = (across * torch.randn(n, 1, 1, 2, generator=g, device=g.device) * 0.25).sum(-1)[:, None]
        x = x * (1 + side)  # light from one side
        soft = F.avg_pool2d(F.pad(x, (1,) * 4, mode="replicate"), 3, 1)
        x = torch.lerp(x, soft, uniform(-0.4, 1.0, 1, 1, 1))
        x = x + torch.randn(x.shape, generator=g, device=g.device) * uniform(0, 0.04, 1, 1, 1)
        return x.clamp(0, 1)
