"""Augmented views of the training faces, with the landmarks that belong to them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..editing.motion import PARTS, load_modes, load_parts, spread
from ..faces.landmarks import AT, BROWS, MIRROR, five_points
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
        self.generator = torch.Generator(faces.images.device).manual_seed(seed)
        # image pixels -> crop frame, as at run time
        self.matrix = ffhq_matrix(five_points(faces.landmarks))
        self.inverse = torch.linalg.inv(self.matrix)
        self.points = faces.landmarks @ self.matrix[:, :2, :2].mT + self.matrix[:, None, :2, 2]
        # a face that the landmark model lost is no measure of anything
        self.usable = ((self.points - self.points.median(0).values).abs().amax((1, 2)) < 0.2).nonzero()[:, 0]

    def view(
        self, index: Tensor, warp: bool, jitter: float, widen: float = 1.0, mirror: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Look at faces.

        Args:
            index: ``[n]`` which faces.
            warp: deform three in four of them by :func:`random_warp`.
            jitter: how far the view strays from the crop, 1 as far as at run time; 0 for the crop itself.
            widen: side of the view in sides of the crop.
            mirror: show half of the faces mirrored, where the view strays at all.

        Returns:
            Pictures ``[n,3,size,size]`` 0..1; their landmarks ``[n,161,2]`` in the crop frame, and in the picture (0..1, left
            and right as they are seen).
        """
        n, g = len(index), self.generator
        points = self.points[index]
        field = points.new_zeros(n, 2, RASTER, RASTER)
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
        inverse = self.inverse[index]
        source = crop @ inverse[:, None, :2, :2].mT + inverse[:, None, None, :2, 2]
        # beyond the stored square the picture is mirrored: less odd than a smear
        source = data.STORED - (data.STORED - source.abs()).abs()
        picture = sample_image(self.faces.images[index].float() / 255, source)
        return picture, points, seen

    def light(self, x: Tensor, tint: float = 0.18, grey: float = 0.15) -> Tensor:
        """Change light, contrast, sharpness and noise at random; ``tint`` is the spread of the light's red and blue,
        ``grey`` the share of pictures that lose their colours."""
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
