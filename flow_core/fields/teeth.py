"""What is painted into a mouth that opens where the picture shows nothing: upper teeth, the tongue, and the depth behind them.

The teeth are an arch of the sizes that textbooks give (Nelson, Wheeler's Dental Anatomy, Physiology, and Occlusion), on the curve
of the rig's own, fixed to the skull of a fitted face: lips and jaw move before it. Only lengths of the arch and distances
from the lips are asked, so nothing here knows a resolution but for the pixel over which finest lines are averaged. The colours
are those of the picture's own light, see :mod:`flow_core.faces.mouth`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from .anatomy import Frame

COLUMNS = 512  # samples across a mouth: a tenth of a millimetre
WIDTHS = np.array(
    [0.86, 0.66, 0.76, 0.70, 0.67, 1.0]
)  # of a crown along the arch, centimetres: incisors, canine, premolars, molar
HEIGHTS = np.array([1.05, 0.92, 1.02, 0.88, 0.84, 0.78])
RAISED = np.array([0.0, 0.07, 0.0, 0.09, 0.12, 0.14])  # how much higher an edge lies than that of the front teeth
ROUND = np.array([0.07, 0.09, 0.13, 0.11, 0.10, 0.08])  # how much a crown's corners are rounded
# Light that each reflects, and how much lower its edge is: no two sides of a mouth are the same.
TONES = np.array([[0.985, 0.955, 0.90, 0.88, 0.83, 0.78], [1.0, 0.94, 0.915, 0.87, 0.84, 0.78]])
UNEVEN = np.array([[0.0, 0.012, -0.01, 0.01, 0.0, 0.0], [0.008, -0.006, 0.008, -0.008, 0.0, 0.0]])
LIP = np.array([0.0, 5.33, 15.4])  # the rig's upper lip where the two lips meet, centimetres
FRONT = 14.34  # the rig's depth of its front teeth
DROP = 0.25  # centimetres by which the front teeth's edges hang below the lip at rest
SPEE = 0.04  # how the edges rise to the sides: of the square of the distance from the middle
GROOVE, GROOVED = 0.03, 0.2  # half width of the line between two teeth, and by how much it is darker
SEEN = 0.32, 0.44  # green between parted lips, of that of teeth, from which teeth may be seen there, and are


@functools.lru_cache(maxsize=1)
def _arch() -> tuple[np.ndarray, ...]:
    """Samples along the upper arch from the viewer's left to the right: points ``[N,3]`` of the rig less that of the lip, at the height of the
    edges and of the gum; the light that comes back from there, and how much of a line between two teeth it is."""
    grid = np.linspace(0, 3.6, 2000)
    back = 0.10 * grid**2 + 0.0206 * grid**4  # how far the arch of the rig lies behind its front
    along = np.concatenate([[0], np.hypot(np.diff(grid), np.diff(back)).cumsum()])
    ends = WIDTHS.cumsum()
    arc = np.linspace(-ends[-1], ends[-1], 3 * COLUMNS)
    far, side = np.abs(arc), (arc > 0).astype(int)
    tooth = np.searchsorted(ends, far).clip(0, len(ends) - 1)
    share = 1 - (ends[tooth] - far) / WIDTHS[tooth]  # from a tooth's inner side to its outer one
    aside = np.abs(2 * share - 1)
    x = np.interp(far, along, grid)
    depth = np.interp(x, grid, back)
    facing = 1 / np.hypot(1, 0.20 * x + 0.0824 * x**3)
    # Corners are rounded, the outer one more; a canine has a tip.
    corners = np.where(tooth == 2, aside**1.5, np.where(share > 0.5, 1.3, 0.7) * aside**4)
    edge = DROP - SPEE * x**2 - RAISED[tooth] - ROUND[tooth] * corners + UNEVEN[side, tooth]
    gum = DROP - SPEE * x**2 - HEIGHTS[tooth] + 0.14 * aside**2
    groove = np.exp(-(((1 - aside) / 2 * WIDTHS[tooth] / GROOVE) ** 2))
    light = TONES[side, tooth] * (0.3 + 0.7 * facing) * np.exp(-depth / 1.3)
    light = light * (1.03 - 0.24 * np.abs(share - 0.42) ** 1.5 - 0.12 * aside**6)
    light = light * ((ends[-1] - far) / 0.5).clip(0, 1)
    z = FRONT - LIP[2] - depth
    x = np.sign(arc) * x
    return np.stack([x, edge, z], 1), np.stack([x, gum, z], 1), light, groove


@dataclass(frozen=True)
class Skull:
    """What of a fitted head stays where it is when muscles move, and the colours in its mouth.

    Attributes:
        lip: x, y of the middle of the upper lip's lower edge as it is at rest, crop points.
        axes: ``[3,2]`` how a centimetre along each axis of the rig is seen, crop fractions.
        colors: ``[3,3]`` of teeth and of the tongue in full light, and of the lightest seen between the lips.
    """

    lip: np.ndarray
    axes: np.ndarray
    colors: Tensor


@dataclass(frozen=True)
class Row:
    """The upper teeth as they are seen behind the opening of a mouth.

    Attributes:
        columns: ``[4,COLUMNS]`` over the width of the mouth: height ``b`` of the edges and of the gum in the mouth's frame, the light, and
            the lines between teeth.
        centimetre: in crop fractions.
        colors: see :class:`Skull`.
        pixel: side of a pixel of the picture, crop fractions.
    """

    columns: Tensor
    centimetre: float
    colors: Tensor
    pixel: float


def row(skull: Skull, frame: Frame, shift: tuple[float, float], pixel: float, device: torch.device) -> Row:
    """The teeth of a skull in the frame of a mouth.

    Args:
        shift: x and y by which an edit of the shape of a face moves them, crop fractions.
        pixel: see :class:`Row`.
    """
    edge, gum, *tones = _arch()
    places = [skull.lip + np.array(shift) + points @ skull.axes for points in (edge, gum)]
    (a, edge_b), (_, gum_b) = (frame.to(*points.T) for points in places)
    a = np.maximum.accumulate(a / frame.length)  # of a turned head the far end lies behind the rest
    share = (np.arange(COLUMNS) + 0.5) / COLUMNS
    planes = np.stack([np.interp(share, a, v) for v in (edge_b, gum_b, *tones)])
    planes[2] *= (share > a[0]) & (share < a[-1])
    wide = int(pixel / frame.length * COLUMNS)
    if wide > 1:
        planes = _means(planes, min(wide, COLUMNS // 4))
    columns = torch.from_numpy(planes.astype(np.float32)).to(device)
    return Row(columns, float(np.abs(skull.axes[1]).max()), skull.colors.to(device), pixel)


def _means(planes: np.ndarray, wide: int) -> np.ndarray:
    """Means over ``wide`` neighbours of a row, whose ends go on as they are."""
    left = wide // 2
    padded = np.pad(planes, ((0, 0), (left + 1, wide - left - 1)), mode="edge").cumsum(1)
    return (padded[:, wide:] - padded[:, :-wide]) / wide


def shows_teeth(row: Row) -> float:
    """How far the lightest that a picture shows between lips may be its own teeth, 0..1."""
    return _smooth(row.colors[2, 1].item() / max(row.colors[0, 1].item(), 1e-3), *SEEN)  # lips are dark in green


def paint(
    row: Row,
    share: Tensor,
    b: Tensor,
    top: Tensor,
    bottom: Tensor,
    opened: Tensor,
    seen: Tensor,
    closed: float,
    drawn: float,
) -> Tensor:
    """What is painted at points ``[N]`` of an open mouth.

    Args:
        share: of the way from the mouth's left corner to its right one.
        b: height in the mouth's frame, downwards.
        top: of the opening at these points, and
        bottom: of it.
        opened: 0..1, how far the mouth opens there, and
        seen: 0..1, how far the picture shows it.
        closed: 0..1, how far it shows no teeth of its own.
        drawn: 0..1, how far the corners of the mouth come together: teeth of the picture that lay between them are in their shadow.

    Returns:
        ``[4,N]`` colours times cover, and cover.
    """
    at, count = opened.nonzero()[:, 0], len(opened)  # elsewhere nothing is painted
    share, b, top, bottom, opened, seen = torch.stack([share, b, top, bottom, opened, seen]).index_select(1, at)
    cm, height, below, above = row.centimetre, bottom - top, b - top, bottom - b
    x = (share * COLUMNS - 0.5).clamp(0, COLUMNS - 1)
    i = x.long().clamp_(max=COLUMNS - 2)
    low, high = row.columns.index_select(1, i), row.columns.index_select(1, i + 1)
    edge, gum, light, groove = torch.lerp(low, high, x - i)
    across = (2 * share - 1).square()
    down = (below / height.clamp(min=1e-4)).clamp(0, 1)
    hangs = edge - b
    crown = hangs / (edge - gum).clamp(min=1e-4)
    corner, near = torch.minimum(share, 1 - share), torch.minimum(below, above)
    soft = max(0.6 * row.pixel, 0.02 * cm)
    # Lips have their own shadow at their edge; teeth of the picture would shine through it.
    # A line finer than a pixel is no line of pixels.
    border = (0.09 - 0.07 * (1 - closed)) * cm
    fine, border = min(border - row.pixel, 0.0), max(border, 0.6 * row.pixel)
    # All that goes smoothly from 0 to 1 at once: a value, where it begins, and where it ends.
    steps = (
        (down - 0.30 * across, 0.30, 0.95), (height, 0.5 * cm, 1.8 * cm), (down, 0.0, 0.6), (above, 0.0, 0.5 * cm),
        (hangs, -soft, soft), (gum - b, -2 * soft, 2 * soft), (crown, 0.0, 0.35), (below, 0.0, 0.35 * cm), (crown, 0.5, 0.0),
        (corner, 0.0, 0.24), (height, 0.06 * cm, 0.30 * cm), (light, 0.02, 0.15), (corner, 0.24, 0.04), (near, fine, border),
    )  # fmt: skip
    values, begins, ends = zip(*steps, strict=True)
    begins, ends = (x.new_tensor(v)[:, None] for v in (begins, ends))
    raised, wide, deep, off_lip, is_tooth, is_gum, off_edge, off_upper, at_edge, inner, opened_up, lit, aside, off = (
        _smooth(torch.stack(values), begins, ends).unbind()
    )
    # The depth of a mouth is dark under the upper lip; the tongue lies in the light of a wide opening.
    depth = 0.18 + 0.10 * deep + 0.50 * raised * wide * (1 - across).clamp_(min=0)
    # The inner side of the lower lip comes out of the dark towards its edge.
    depth = torch.maximum(depth * (0.5 + 0.5 * off_lip), 0.4 * (1 - off_lip) ** 2 * down)
    inside = row.colors[1][:, None] * depth
    # Teeth: less light under the lip and in the corners; their edges let some through; they touch above their edges.
    light = light * (0.84 + 0.16 * off_edge) * (0.35 + 0.65 * off_upper) * (0.35 + 0.65 * inner)
    light = light * (1 - GROOVED * groove * (0.35 + 0.65 * at_edge))
    # Light that comes from lips and gums is as red as they.
    flesh = (row.colors[1] / row.colors[1].mean().clamp(min=1e-3)).clamp(min=0.01).log()[:, None]
    tooth = (
        torch.lerp(row.colors[0][:, None], row.colors[1][:, None], is_gum) * light * (flesh * (0.5 - 0.5 * light)).exp()
    )
    cover = opened * (1 - seen * (1 - drawn * aside)) * off
    made = torch.lerp(inside, tooth, is_tooth * (closed * opened_up * lit))
    return made.new_zeros(4, count).index_copy_(1, at, torch.cat([made * cover, cover[None]]))


def _smooth(x: Any, low: Any, high: Any) -> Any:
    """0 below ``low``, 1 above ``high``, cubic between."""
    t = (x - low) / (high - low)
    t = t.clamp_(0, 1) if isinstance(t, Tensor) else min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)
