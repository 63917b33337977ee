"""Where an edit stretches the picture so far that an inpainting model should repaint it; and where it changes anything at all."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..fields.base import FEATHER, Flow, FlowField
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..geometry.sampling import sample_image
from ..needs import need

_GRID = 384  # points a side of the raster over the face square in which regions are found
_STEP = 2 / _GRID  # step of finite differences, crop fractions


def stretching(
    field: FlowField,
    size: int = _GRID,
    strength: float = 1.0,
    feather: float = FEATHER,
    crop: Crop | None = None,
) -> Tensor:
    """By which factor content is stretched in the direction in which it is stretched most.

    The warp is backward, so content is stretched by the inverse of the Jacobian J of ``p -> p + offset(p)``: by one over
    the smaller singular value of J. Where the warp folds (det J <= 0) the factor is infinite. Fields that need a face take it
    from ``crop``.

    Returns:
        ``[B,size,size]``, 1 where nothing is stretched.
    """
    with torch.no_grad():
        return _stretching(field.scale(strength).flow(feather, crop), pixel_centers(size, size, field.device))[0]


def _stretching(flow: Flow, centers: Tensor) -> tuple[Tensor, Tensor | None]:
    """The result of :func:`stretching`, and how far points are uncovered ``[B,1,size,size]``, or None if the field uncovers nothing."""
    half = _STEP / 2
    shifts = centers.new_tensor([[-half, 0], [half, 0], [0, -half], [0, half]])
    offset, _, uncovered, *_ = flow(torch.cat([centers + s for s in shifts], 1))
    left, right, up, down = offset.chunk(4, 2)
    (a, c), (b, d) = ((right - left) / _STEP).unbind(1), ((down - up) / _STEP).unbind(1)  # J = 1 + [[a, b], [c, d]]
    a, d = a + 1, d + 1
    least = (torch.hypot(a + d, c - b) - torch.hypot(a - d, b + c)) / 2  # negative where det J is
    stretch = torch.where(least > 0, 1 / least.clamp(min=1e-6), math.inf)
    return stretch, None if uncovered is None else torch.stack(uncovered.chunk(4, 2)).mean(0)


def repair_mask(
    field: FlowField,
    crop: Crop,
    threshold: float = 1.8,
    strength: float = 1.0,
    grow: float = 0.015,
    soften: float = 0.01,
    feather: float = FEATHER,
) -> Tensor:
    """A mask of the edited photo for an inpainting model: 1 where it is stretched beyond ``threshold``, folded, or uncovered.

    Args:
        field: batch B or 1.
        crop: batch B or 1.
        threshold: least factor of stretching (:func:`stretching`), above 1.
        strength: of the shape, as in :func:`flow_core.warping.warp.warp`.
        grow: by how much regions are widened, in fractions of the face square's side.
        soften: width of the soft border, in the same unit; 0 makes the mask hard.
        feather: as in :func:`flow_core.warping.warp.warp`.

    Returns:
        ``[pictures,H,W]`` 0..1, of the size of the photos.

    Raises:
        ValueError: a number out of range, or batches that do not fit.
    """
    if not threshold > 1:
        raise ValueError(f"The stretch threshold must be above 1 (1 = not stretched), got {threshold}.")
    if not (0 <= grow <= 0.25 and 0 <= soften <= 0.25):
        raise ValueError(f"Grow and feather must lie in 0..0.25 of the face square's side, got {grow} and {soften}.")
    gaussian_blur2d, dilation = need("kornia.filters").gaussian_blur2d, need("kornia.morphology").dilation

    field = field.to("cpu").require_finite()
    with torch.no_grad():
        stretch, uncovered = _stretching(
            field.scale(strength).flow(feather, crop.to("cpu")), pixel_centers(_GRID, _GRID)
        )
    region = (stretch > threshold).float()[:, None]
    if uncovered is not None:
        region = torch.maximum(region, (uncovered > 0.5).float())
    disc = torch.ones(5, 5)
    disc[[0, 0, -1, -1], [0, -1, 0, -1]] = 0
    for _ in range(round(grow * _GRID / 2)):  # two pixels a time, round
        region = dilation(region, disc)
    if soften:
        sigma = soften * _GRID / 2
        kernel = 2 * math.ceil(2.5 * sigma) + 1
        region = gaussian_blur2d(region, (kernel, kernel), (sigma, sigma), border_type="constant")
    mask = _in_photo(region, crop)
    return mask if soften else (mask >= 0.5).float()


def changed_mask(
    field: FlowField, crop: Crop, shape: float = 1.0, color: float = 1.0, feather: float = FEATHER
) -> Tensor:
    """``[pictures,H,W]``: 1 where an edit changes the photo visibly, that is moves a pixel by half a pixel or recolours it by 1/255."""
    field = field.to("cpu").scale(shape, color).require_finite()
    flow = field.flow(feather, crop.to("cpu"))
    offset, shift, uncovered, *_ = flow((pixel_centers(_GRID, _GRID) - 0.5) * flow.span + 0.5)
    longest = offset.norm(dim=1) * crop.side.cpu()[:, None, None]
    # The larger of both, each in units of what counts as changed.
    region = torch.maximum(longest / 0.5, shift.abs().amax(1) * 255)
    if uncovered is not None:
        region = torch.maximum(region, uncovered[:, 0] * 255)
    return (_in_photo(region[:, None], crop.widen(flow.span)) >= 1).float()


def _in_photo(region: Tensor, crop: Crop) -> Tensor:
    """Rasters over face squares ``[B or 1,1,N,N]``, placed in their pictures: ``[pictures,H,W]``, 0 outside the squares."""
    if len(region) != crop.batch and 1 not in (len(region), crop.batch):
        raise ValueError(f"{crop.batch} crops do not fit {len(region)} fields: give one for all, or one for each.")
    if crop.batch == crop.pictures == 1:
        crop = crop.for_pictures(len(region))
    crop, size, region = crop.to("cpu"), region.shape[-1], F.pad(region, (1,) * 4)
    masks = torch.zeros(crop.pictures, *crop.image_size)
    for i, of in enumerate(crop.of_picture):
        one = crop.select(i)
        x0, y0, x1, y1 = one.bounds()
        if x1 > x0 and y1 > y0:
            extent, corner = torch.tensor([x1 - x0, y1 - y0]), torch.tensor([x0, y0])
            points = one.to_crop(pixel_centers(y1 - y0, x1 - x0) * extent + corner)
            found = sample_image(region[i if len(region) > 1 else 0][None], points * size + 1)[0, 0]
            masks[of, y0:y1, x0:x1] = torch.maximum(masks[of, y0:y1, x0:x1], found)
    return masks
