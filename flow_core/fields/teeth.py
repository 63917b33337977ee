"""What is painted into a mouth that opens where the picture shows nothing: teeth, the tongue, and the depth behind them.

The teeth are two arches of the sizes that textbooks give (Nelson, Wheeler's Dental Anatomy, Physiology, and Occlusion), on the curve
of the rig's own, one fixed to the skull of a fitted face and one to its jaw: lips move before them. Where the picture shows upper
teeth of its own, these stay, and the painted row goes on beside them, at the height of their edges and in their colour. Only lengths
of the arch and distances from the lips are asked, so nothing here knows a resolution but for the pixel over which finest lines are
averaged. The colours are those of the picture's own light, see :mod:`flow_core.faces.mouth`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..geometry.sampling import interpolate
from .smooth import smoothstep, smoothsteps

if TYPE_CHECKING:
    from .curves import Frame

COLUMNS = 512  # samples across a mouth: a tenth of a millimetre
LEVELS = 24  # and from the edge of a crown to the gum
WIDTHS = np.array(
    [0.86, 0.66, 0.76, 0.70, 0.67, 1.0]
)  # of a crown along the arch, centimetres: incisors, canine, premolars, molar
HEIGHTS = np.array([1.05, 0.92, 1.02, 0.88, 0.84, 0.78])
RAISED = np.array([0.0, 0.08, 0.02, 0.09, 0.12, 0.14])  # how much higher an edge lies than that of the front teeth
ROUND = np.array([0.11, 0.15, 0.20, 0.17, 0.14, 0.10])  # how much a crown's corners are rounded
PAPILLA = 0.42  # of its height, by which the gum between two crowns reaches farther down than over the middle of one
# Light that each reflects, and how much lower its edge is: no two sides of a mouth are the same.
TONES = np.array([[0.985, 0.965, 0.945, 0.93, 0.86, 0.78], [1.0, 0.95, 0.96, 0.92, 0.87, 0.78]])
UNEVEN = np.array([[0.0, 0.012, -0.01, 0.01, 0.0, 0.0], [0.008, -0.006, 0.008, -0.008, 0.0, 0.0]])
# By how many centimetres the edges of somebody's upper teeth hang lower or higher than those of others, and by which part they are lighter or darker
OWN = np.array([0.016, 0.032, 0.024, 0.03, 0.03, 0.03]), 0.045
LOWER_WIDTHS = np.array([0.54, 0.59, 0.69, 0.70, 0.71, 1.1])  # the same of the lower row; its edges are nearly level
# How much lower their edges lie: lower front teeth are crowded, and none stands quite as the next
CROWDED = np.array([[0.01, 0.035, -0.015, 0.03, 0.05, 0.06], [-0.01, 0.015, 0.0, 0.04, 0.05, 0.06]])
LIP = np.array([0.0, 5.33, 15.4])  # the rig's upper lip where the two lips meet, centimetres
FRONT = 14.34  # the rig's depth of its front teeth
DROP = 0.25  # centimetres by which the front teeth's edges hang below the lip at rest
# How the edges rise to the sides: of the square of the distance from the middle; as in 29 portraits that show a row
SPEE = 0.07
# How much less they, and the gums, do so in a mouth that does not smile, and by which part of its width the edge of the upper lip has to lie above the
# corners until that is so: in 72 photographs of people who talk the edges that are seen lie on a straight line
LEVEL, ARCHED = 0.9, (0.0, 0.06)
# How much redder teeth in the shade are, for each time that they are e times as dark: of the colour of lips and gums, which throw light on them, and of
# their own, which deepens as light passes through them; as in 59 portraits that smile
FLESHY = 0.25, 1.0
REDDER = 0.5  # and of how much more of it the depth of a mouth has
GROOVE, GROOVED = 0.03, 0.13  # half width of the line between two lower teeth, and by how much it is darker
# The same of upper ones: where they touch, and how much wider it is at the gum; and how much darker the line is
TOUCH, TOUCHES = (0.016, 0.03), 0.24
TURNED = np.array(
    [[0.02, -0.05, -0.06, -0.04, 0, 0], [-0.02, 0.04, -0.05, -0.05, 0, 0]]
)  # how light falls on them, since none stands quite as the next
DEEP = 0.22  # light of the depth of a mouth, of that of the tongue
# What light it has at least, of that of the tongue: where an opening is low, and at its corners, where the insides of the cheeks throw it back
SHALLOW, CHEEK = 0.36, 0.62
CURVED = 0.7  # how much less of that is left half a centimetre from the lips: a cheek curves away into the depth
UNDER = 0.16, 0.45  # centimetres below the edges of the upper teeth that lie in their shadow, and how dark it is
BEHIND = 0.4  # how dark the tongue is right behind the edges of the lower teeth
BARED = 0.45  # centimetres of lower teeth that are seen at most
BITES = 0.15, 0.6  # centimetres by which a jaw drops until its teeth are no more those that bite
# Centimetres of an opening up to which lips that bare teeth without a smile shade all that is seen of them, and from which on they do not; and how dark
SLIT, SLIT_SHADE = (0.5, 0.8), 0.45
# Share of the mouth by which the end of a row lies behind the rest, until that is drawn out to the corner; and by how much it is at most
HIDES, DRAWN_OUT = (0.0, 0.04), 0.4
# The shadow of an upper lip on teeth it comes down over: its height in centimetres, and how dark it is.
LIP_SHADOW, LIP_SHADE = 0.2, 0.6
SHADED = 0.9  # centimetres of an opening from which on its shade is of full height
LOWER = 0.14  # centimetres by which the edges of the lower teeth lie below the lower lip's at rest
# Of babies: by which part their teeth are narrower, and by how many centimetres upper edges hang less, and lower ones lie deeper.
MILK, RISEN, HIDDEN = 0.28, 0.22, 0.7
# How much more their gums rise to the sides than edges of teeth, and half the width of their round border
BOWED, SOFTER = 0.05, 0.07
GUM = 0.9  # light that a bare gum reflects
PALE = 0.25  # how much of the colour of teeth gums have, and of that of the tongue the rest
# Centimetres of teeth above a lip up to which they go on behind it, and from which on that is all of them.
TALL = 0.6, 0.95
# Part of the teeth that are seen whose edges are seen too: those say nothing of the others up to there, and all from there on
EDGED = 0.1, 0.3
ASIDE = 0.75  # light of teeth that are not seen, of that of those on the other side
GUMMY = 0.05  # centimetres of gum above the front teeth that are seen at most
ALONG = 0.95  # light of the last teeth that are seen, of which those beside them have so much, from column to column
CUT = 0.16  # of an opening, within which teeth end softly where a lip has cut them
# How far teeth of the picture that are darker than the light allows are so only by the shadow of lips: where they are nearly as light, and where they are
# much darker, as hardly any teeth are; how far what is darker among them is so; and how light both are, of what they would be in the light
LIGHTER, SHADOWS, IN_SHADOW = (0.4, 0.85), 0.6, (0.56, 0.42)
SEEN = 0.32, 0.44  # green between parted lips, of that of teeth, from which teeth may be seen there, and are
WHITE = 0.70, 0.78  # green in their red, of that of teeth, from which on they may be teeth and no lips, and are
# The same of what looks like a row of teeth, and which part of a mouth that spans.
DIM, WHOLE = (0.15, 0.25), (0.5, 0.75)


@functools.lru_cache(maxsize=2)
def _teeth(lower: bool) -> tuple[np.ndarray, ...]:
    """Samples along an arch: how far from its middle, and on which side; which tooth that is of, and where on it, from -1 at its inner side
    to 1 at its outer one."""
    ends = (LOWER_WIDTHS if lower else WIDTHS).cumsum()
    arc = np.linspace(-ends[-1], ends[-1], 3 * COLUMNS)
    far, side = np.abs(arc), (arc > 0).astype(int)
    tooth = np.searchsorted(ends, far).clip(0, len(ends) - 1)
    return far, side, tooth, 1 - 2 * (ends[tooth] - far) / np.diff(ends, prepend=0)[tooth]


@functools.lru_cache(maxsize=2)
def _arch(lower: bool) -> tuple[np.ndarray, ...]:
    """Samples along an arch from the viewer's left to the right: points ``[N,3]`` of the rig less that of the lip, at the height of the
    edges and of the gum; the light that comes back from there; and where on the arch it is, 0..1, or of lower teeth how much of a line between two."""
    grid = np.linspace(0, 3.6, 2000)
    back = 0.10 * grid**2 + 0.0206 * grid**4  # how far the arch of the rig lies behind its front
    along = np.concatenate([[0], np.hypot(np.diff(grid), np.diff(back)).cumsum()])
    far, side, tooth, place = _teeth(lower)
    aside = np.abs(place)
    x = np.interp(far, along, grid)
    depth = np.interp(x, grid, back)
    facing = 1 / np.hypot(1, 0.20 * x + 0.0824 * x**3)
    light = TONES[side, tooth] * (0.4 + 0.6 * facing) * np.exp(-depth / 4.0) * ((far[-1] - far) / 0.5).clip(0, 1)
    if lower:
        edge = LOWER + 0.5 * ROUND[tooth] * aside**4 + CROWDED[side, tooth]
        gum = edge + HEIGHTS[tooth]
        light = light * (1.03 - 0.085 * np.abs(place + 0.16) ** 1.5 - 0.15 * aside**6 + TURNED[1 - side, tooth] * place)
        last = np.exp(-(((1 - aside) / 2 * LOWER_WIDTHS[tooth] / GROOVE) ** 2))
    else:
        # Corners are rounded, the outer one more; a canine has a tip.
        corners = np.where(tooth == 2, aside**1.6, np.where(place > 0, 1.25, 0.75) * aside**5)
        edge = DROP - SPEE * x**2 - RAISED[tooth] - ROUND[tooth] * corners + UNEVEN[side, tooth]
        between = 1 - np.sqrt(1 - 0.98 * aside**2.4)
        gum = DROP - SPEE * x**2 - HEIGHTS[tooth] * (1 - PAPILLA * between)
        last = np.linspace(0, 1, len(far))
    z = FRONT - LIP[2] - depth
    x = np.sign(np.linspace(-1, 1, len(x))) * x
    return np.stack([x, edge, z], 1), np.stack([x, gum, z], 1), light, last


@functools.lru_cache(maxsize=16)
def _crowns(wide: int, device: torch.device) -> Tensor:
    """Light of upper crowns, of that of the arch: ``[1,1,LEVELS,N]``, from their edges up to the gum over their middle, means over ``wide``
    samples along the arch: lines finer than a pixel are no lines of pixels."""
    far, side, tooth, q = _teeth(False)
    aside, t = np.abs(q), np.linspace(0, 1, LEVELS)[:, None]
    # They are round: they turn away from the light to their sides, and at the gum; their edges let some through.
    light = 1.12 - 0.07 * aside**2 - 0.15 * aside**6 + TURNED[side, tooth] * q
    light = light - 0.09 * ((t - 0.45).clip(0) / 0.55) ** 2 - 0.10 * np.exp(-((t / 0.10) ** 2)) - 0.05 * (1 - t) ** 2
    # Lobes, and the shine on them: seen on the front teeth, hardly farther back; a canine has a ridge.
    front = np.array([1.0, 0.8, 0.5, 0.4, 0.3, 0.2])[tooth]
    light = light + front * (
        0.012 * np.cos(3 * np.pi * q) * (1 - t) + 0.07 * np.exp(-(((q + 0.2) / 0.33) ** 2) - ((t - 0.5) / 0.22) ** 2)
    )
    light = light + np.where(tooth == 2, 0.05 * np.exp(-(((q + 0.1) / 0.35) ** 2)), 0)
    light = light + 0.012 * np.sin(11 * far + 5 * t + tooth) * np.sin(17 * t - 6 * far + 2 * side)  # enamel is mottled
    touch = TOUCH[0] + TOUCH[1] * (2 * (t - 0.3)).clip(0, 1)
    line = np.exp(-(((1 - aside) / 2 * WIDTHS[tooth] / touch) ** 2))
    light = light * (1 - TOUCHES * line)
    with torch.inference_mode(False):
        return torch.from_numpy((_means(light, wide) if wide > 1 else light).astype(np.float32)).to(device)[None, None]


@dataclass(frozen=True)
class Skull:
    """What of a fitted head stays where it is when muscles move, and the colours in its mouth.

    Attributes:
        lip: x, y of the middle of the upper lip's lower edge as it is at rest, crop points.
        axes: ``[3,2]`` how a centimetre along each axis of the rig is seen, crop fractions.
        colors: ``[3 or more,3]``, see :func:`flow_core.faces.mouth.mouth_colors`.
        jaw: x, y of the middle of the edges of the lower front teeth when the muscles have moved, crop points.
        tilt: by how much more than those the edges rise for each centimetre behind them, since a jaw turns as it drops.
        dropped: x, y by which the jaw has moved, crop fractions.
        bared: centimetres of lower teeth that lips let see at most.
        young: 0..1, how far it is a baby's: teeth are smaller, then only gums.
        shape: ``[S]`` of the face, standard deviations along the rig's shapes.
        gritted: 0..1, how far both lips are drawn from the teeth without a smile.
    """

    lip: np.ndarray
    axes: np.ndarray
    colors: Tensor
    jaw: np.ndarray
    tilt: float
    dropped: tuple[float, float]
    bared: float
    young: float
    shape: Tensor
    gritted: float = 0.0

    @functools.cached_property
    def own(self) -> np.ndarray:
        """``[2,2,6]`` -1..1: how much lower the edges of a person's upper teeth are than those of others, and how much lighter they are, of either side.
        Of the shape of the face, so that somebody has the same teeth in each picture, and others have others."""
        of = self.shape.double().cpu().numpy()
        return np.sin(1.7 * np.resize(of, 24) + 1.3 * np.resize(np.roll(of, 7), 24)).reshape(2, 2, 6)


@dataclass(frozen=True)
class Own:
    """The upper teeth that a picture shows, in columns from corner to corner of its opening.

    Attributes:
        edges: ``[2,K]`` crop points to which their edges come.
        light: ``[K]`` 0..1 of the lightest, 0 where there are none.
        cut: ``[K]`` how high the opening is where it is the lower lip that ends them, 0 elsewhere; crop fractions.
        height: ``[K]`` how much of them is seen; crop fractions.
    """

    edges: np.ndarray
    light: np.ndarray
    cut: np.ndarray
    height: np.ndarray


@dataclass(frozen=True)
class Row:
    """The teeth as they are seen behind the opening of a mouth.

    Attributes:
        columns: ``[7,COLUMNS]`` over the width of the mouth: of the upper teeth height ``b`` of the edges and of the gum in the mouth's
            frame, the light, and where on the arch they are, 0..1; of the lower ones height of the edges, the light, and the lines between them.
        crowns: ``[1,1,LEVELS,N]`` the light on upper crowns, of that of the row, from their edges up to the gum, over the arch.
        centimetre: in crop fractions.
        colors: see :class:`Skull`.
        pixel: side of a pixel of the picture, crop fractions.
        known: 0..1, how far the picture's own teeth say where the row is and how light.
        young: 0..1, how far it is gums alone.
        bites: 0..1, how far jaws are closed, and lips bare their teeth without a smile.
        gritted: 0..1, how far both lips do so, and lower teeth are seen as well as upper ones.
        shaded: 0..1, how much of the light the lips of a slit take from teeth that nobody has seen.
    """

    columns: Tensor
    crowns: Tensor
    centimetre: float
    colors: Tensor
    pixel: float
    known: float
    young: float
    bites: float
    gritted: float
    shaded: float


def row(
    skull: Skull,
    frame: Frame,
    highest: float,
    lowest: float,
    opening: float,
    shift: tuple[float, float],
    pixel: float,
    device: torch.device,
    own: Own | None = None,
) -> Row:
    """The teeth of a skull in the frame of a mouth.

    Args:
        highest: height ``b`` of the upper lip's edge in the middle, and
        lowest: of the lower lip's edge where it is lowest.
        opening: between the lips where they are farthest apart.
        shift: x and y by which an edit of the shape of a face moves them, crop fractions.
        pixel: see :class:`Row`.
        own: upper teeth that are seen where they are after the edit: the row is theirs, and goes on beside them.
    """
    share = (np.arange(COLUMNS) + 0.5) / COLUMNS
    planes, young = [], skull.young
    arched = smoothstep(-highest / frame.length, *ARCHED)
    straight = LEVEL * SPEE * arched
    if own is not None:  # teeth that are seen are there
        young *= 1 - smoothstep(float((own.light.clip(0, 0.5) * 2).mean()), 0.15, 0.35)
    for lower in (False, True):
        edge, gum, *tones = _arch(lower)
        if not lower:
            _, side, tooth, _ = _teeth(False)
            hangs, lightens = skull.own[:, side, tooth]
            edge = edge + (OWN[0][tooth] * hangs)[:, None] * [0, 1, 0]
            tones = [tones[0] * (1 + OWN[1] * lightens), tones[1]]
        if young:
            # A gum has no points, and no lines
            level = LOWER + 0 * edge[:, 0] if lower else DROP - (SPEE + BOWED) * edge[:, 0] ** 2
            ridge = np.stack([edge[:, 0], level + (HIDDEN if lower else -RISEN), edge[:, 2]], 1)
            narrow = np.array([1 - MILK * young, 1.0, 1.0])
            edge = (edge + (ridge - edge) * young) * narrow
            gum = gum * narrow
            gum = gum + (edge + np.array([0.0, HIDDEN, 0.0]) - gum) * young  # to its very rim
            lit = GUM * np.exp((ridge[:, 2] - ridge[:, 2].max()) / 1.3) * tones[0] ** 0.5
            tones = [tones[0] + (lit - tones[0]) * young, tones[1] * (1 - young) if lower else tones[1]]
        if lower:
            behind = edge[:, 2] - edge[:, 2].max()
            down = np.stack([0 * behind, skull.tilt * behind, 0 * behind], 1)
            places = [skull.jaw + np.array(shift) + (edge + down) @ skull.axes]
        else:
            arch = straight * edge[:, :1] ** 2 * skull.axes[1]
            places = [skull.lip + np.array(shift) + points @ skull.axes + arch for points in (edge, gum)]
        (a, *_), *_ = heights = [frame.to(*points.T) for points in places]
        a = _outwards(a / frame.length)  # of a turned head the far end lies behind the rest
        found = [np.interp(share, a, v) for v in (*(b for _, b in heights), *tones)]
        found[-2] *= (share > a[0]) & (share < a[-1])
        planes += found
    # Lips that are pulled from teeth by more than that are thicker than the rig's, and cover them all the same.
    bare = lowest - planes[4][COLUMNS // 2]
    cm = float(np.abs(skull.axes[1]).max())
    most = skull.bared * cm
    planes[4] = planes[4] + max(bare, 0.0) - most * np.tanh(max(bare, 0.0) / most)
    # Where a head is thrown back the rig's gums would be bared, and its teeth hidden: smiles show hardly any gum.
    middle = slice(COLUMNS // 3, -COLUMNS // 3)
    gummy = (1 - young) * max(planes[1][middle].min() - highest - GUMMY * cm, 0.0)
    planes[0], planes[1] = planes[0] - gummy, planes[1] - gummy
    planes, colors, known = np.stack(planes), skull.colors.to(device), 0.0
    if own is not None:
        colors = colors.clone()
        # Teeth in the shadow of lips get more light when those open.
        shaded = smoothstep(float(colors[2, 1] / colors[0, 1].clamp(min=0.02)), *IN_SHADOW)
        planes, known = _as_own(planes, own, frame, share, cm, 1 - SHADOWS * shaded)
        by = LIGHTER[0] + (LIGHTER[1] - LIGHTER[0]) * shaded
        lighter = (colors[0] / colors[2].clamp(min=0.02)).clamp(min=1) ** by
        colors[0] = torch.lerp(colors[0], colors[2] * lighter, known)
    # Where jaws meet so do their teeth, and no gap is left between those at the sides; of a smile the lower ones are hardly seen.
    drop = (skull.jaw - skull.lip)[1] / cm
    closed = (1 - smoothstep(drop, *BITES)) * (1 - young)
    bites, gritted = max(arched, skull.gritted) * closed, skull.gritted * closed
    shaded = SLIT_SHADE * bites * (1 - known) * (1 - smoothstep(opening / cm, *SLIT))
    planes[4] += bites * np.minimum(planes[0] + max(drop, 0.0) * cm - planes[4], 0.0)
    wide = int(pixel / frame.length * COLUMNS)
    if wide > 1:
        planes = _means(planes, min(wide, COLUMNS // 4))
    columns = torch.from_numpy(planes.astype(np.float32)).to(device)
    fine = pixel / cm * 1.5 * COLUMNS / WIDTHS.sum()  # samples of the arch to a pixel, rounded to a power of two
    crowns = _crowns(2 ** round(math.log2(min(max(fine, 1.0), COLUMNS / 4))), device)
    return Row(columns, crowns, cm, colors, pixel, known, young, bites, gritted, shaded)


def _outwards(a: np.ndarray) -> np.ndarray:
    """Places ``[N]`` along a row, shares of the mouth, none of which lies nearer to its middle than those between. The far side of a turned head
    hides the end of its row, and lips lie close on what is seen of it: there it is drawn out to the corner."""
    middle = len(a) // 2
    sides = []
    for side in (1 - a[middle::-1], a[middle:]):
        seen = np.maximum.accumulate(side)
        hidden = smoothstep(seen[-1] - side[-1], *HIDES)
        wider = ((1 - seen[0]) / max(seen[-1] - seen[0], 1e-3) - 1).clip(0, DRAWN_OUT)
        sides.append(seen + hidden * wider * (seen - seen[0]))
    return np.concatenate([1 - sides[0][:0:-1], sides[1]])


def _as_own(
    planes: np.ndarray, own: Own, frame: Frame, share: np.ndarray, cm: float, tells: float
) -> tuple[np.ndarray, float]:
    """The planes of a row moved onto a picture's own teeth, and how far there are enough of those to say where, 0..1.

    Args:
        cm: a centimetre, crop fractions.
        tells: 0..1, how far the light on them is their own.
    """
    a, b = frame.to(*own.edges)
    at = np.maximum.accumulate(a / frame.length)
    weight = own.light.clip(0, 0.5) * 2
    known = smoothstep(weight.mean(), 0.15, 0.35)
    if not known:
        return planes, 0.0
    miss = b - np.interp(at, share, planes[0])
    # Teeth go on behind the lip that cuts them, if not much of them is seen: as far as those do whose edges are seen beside it.
    ends = np.where(own.cut > 0, np.array([smoothstep(c / cm, *TALL) for c in own.cut]), 1.0)
    edged = smoothstep((weight * (own.cut == 0)).sum() / weight.sum(), *EDGED)
    told = weight * np.where((own.cut > 0) & (miss < 0), np.maximum(ends, 1 - edged), 1.0)
    miss = np.where(miss < 0, miss * np.maximum(ends, edged), miss)
    x = 2 * at - 1
    basis = np.stack([np.ones_like(x), x, x * x], 1)
    normal = basis.T @ (told[:, None] * basis) + np.diag([1e-3, 0.3, 0.6])
    moved = np.linalg.solve(normal, basis.T @ (told * miss))
    x = (2 * share - 1).clip(min(x[0], -1), max(x[-1], 1))
    planes = planes.copy()
    planes[:2] += known * (moved[0] + moved[1] * x + moved[2] * x * x)
    here = known * np.interp(share, at, weight * ends, 0.0, 0.0)
    # Where a lip has cut them what is seen of them ends softly, and nothing painted is to come out below.
    planes[0] += here * (np.interp(share, at, b - CUT * own.cut) - planes[0])
    # As light as they are, and none where it is dark beside them; but where one side alone shows some, the other one is in the shade.
    far = np.abs(np.subtract.outer(np.arange(len(at)), np.arange(len(at))))
    light = (own.light * ALONG**far).max(1) ** tells  # nor does a row end where a narrow mouth shows no more of it
    ratio = np.maximum(light, ASIDE * light[::-1]) / np.interp(at, share, planes[2]).clip(0.3)
    planes[2] *= 1 + known * (np.interp(share, at, ratio).clip(0, 1.8) - 1)
    return planes, known


def _means(planes: np.ndarray, wide: int) -> np.ndarray:
    """Means over ``wide`` neighbours of a row, whose ends go on as they are."""
    left = wide // 2
    padded = np.pad(planes, ((0, 0), (left + 1, wide - left - 1)), mode="edge").cumsum(1)
    return (padded[:, wide:] - padded[:, :-wide]) / wide


def shows_teeth(skull: Skull) -> float:
    """How far the lightest that a picture shows between lips may be its own upper teeth, 0..1."""
    colors = skull.colors.cpu().numpy()
    teeth, lightest = colors[0].tolist(), colors[2].tolist()
    light = lightest[1] / max(teeth[1], 1e-3)  # lips are dark in green
    green, of_teeth = (c[1] / max(c[0], 0.02) for c in (lightest, teeth))
    bright = smoothstep(light, *SEEN) * smoothstep(green / max(of_teeth, 1e-3), *WHITE)
    if len(colors) == 3:
        return bright
    tones, split = colors[3:, 1:].T
    if tones.max() < 0.1:  # what goes with the jaw is none of them
        return bright * float((split >= 1).mean())
    return max(bright, smoothstep(light, *DIM) * smoothstep(float((2 * tones).clip(max=1).mean()), *WHOLE))


def edges_at(row: Row, share: Tensor) -> Tensor:
    """Heights ``[N]`` in the mouth's frame down to which upper teeth reach at shares ``[N]`` of the way between its corners."""
    return row.columns[0].index_select(0, (share * COLUMNS).long().clamp(0, COLUMNS - 1))


def paint(
    row: Row,
    share: Tensor,
    b: Tensor,
    top: Tensor,
    bottom: Tensor,
    opened: Tensor,
    seen: Tensor,
    fell: Tensor,
    closed: float,
    drawn: float,
    lower: float = 1.0,
) -> Tensor:
    """What is painted at points ``[N]`` of an open mouth.

    Args:
        share: of the way from the mouth's left corner to its right one.
        b: height in the mouth's frame, downwards.
        top: of the opening at these points, and
        bottom: of it.
        opened: 0..1, how far the mouth opens there, and
        seen: 0..1, how far the picture shows it.
        fell: 0..1, how far the upper lip lies over what it showed there: that has its shadow now.
        closed: 0..1, how far it shows no teeth of its own.
        drawn: 0..1, how far the corners of the mouth come together: teeth of the picture that lay between them are in their shadow.
        lower: 0..1, how far there are lower teeth; not where the picture shows what lies there.

    Returns:
        ``[4,N]`` colours times cover, and cover.
    """
    at, count = opened.nonzero()[:, 0], len(opened)  # elsewhere nothing is painted
    stacked = torch.stack([share, b, top, bottom, opened, seen, fell]).index_select(1, at)
    share, b, top, bottom, opened, seen, fell = stacked
    cm, height, below, above = row.centimetre, bottom - top, b - top, bottom - b
    x = (share * COLUMNS - 0.5).clamp(0, COLUMNS - 1)
    i = x.long().clamp_(max=COLUMNS - 2)
    low, high = row.columns.index_select(1, i), row.columns.index_select(1, i + 1)
    edge, gum, light, place, low_edge, low_light, low_groove = torch.lerp(low, high, x - i)
    across = (2 * share - 1).square()
    down = (below / height.clamp(min=1e-4)).clamp(0, 1)
    hangs = edge - b
    crown = hangs / (edge - gum).clamp(min=1e-4)
    on_crown = interpolate(row.crowns, torch.stack([place, crown], -1)[None, None], "bilinear")[0, 0, 0]
    corner, near = torch.minimum(share, 1 - share), torch.minimum(below, above)
    soft = max(0.6 * row.pixel, (0.02 + SOFTER * row.young) * cm)
    # Lips have their own shadow at their edge; teeth of the picture would shine through it.
    # A line finer than a pixel is no line of pixels.
    border = (0.09 - 0.07 * (1 - closed)) * cm
    fine, border = min(border - row.pixel, 0.0), max(border, 0.6 * row.pixel)
    under = below / (height / (SHADED * cm)).clamp(0.2, 1)  # a small opening is shaded in its upper part alone
    fang = b - low_edge  # how far below the edges of the lower teeth
    # All that goes smoothly from 0 to 1 at once: a value, where it begins, and where it ends.
    found = smoothsteps(
        (down - 0.45 * across, 0.33, 0.60), (down - 0.35 * across, 0.38, 0.95), (height, 0.3 * cm, 1.0 * cm), (down, 0.0, 0.6),
        (above, 0.0, 0.5 * cm), (hangs, -soft, soft), (gum - b, -2 * soft, 2 * soft), (under, -0.06 * cm, 0.38 * cm),
        (corner, 0.0, 0.20 - 0.08 * row.known), (height, 0.04 * cm, 0.18 * cm), (light, 0.02, 0.15),
        (corner, 0.24, 0.04), (near, fine, border), (under, max(LIP_SHADOW * cm, 2 * row.pixel), 0.0), (fang, -soft, soft),
        (height, 0.35 * cm, 0.9 * cm), (low_light, 0.02, 0.15), (height, 0.4 * cm, 1.8 * cm), (height, 1.4 * cm, 2.2 * cm), (corner, 0.20, 0.0), (near, 0.05 * cm, 0.45 * cm),
    )  # fmt: skip
    raised, near_tip, wide, deep, off_lip, is_tooth, is_gum, off_upper, inner = found[:9]
    opened_up, lit, aside, off, at_lip, is_low, low_up, low_lit, bright, dropped, cheek, far_in = found[9:]
    # Light that comes from lips and gums is as red as they, and the redder the oftener it was thrown back.
    own, flesh = ((c / c.mean().clamp(min=1e-3)).clamp(min=0.01).log()[:, None] for c in row.colors[:2])
    shady = FLESHY[0] * flesh + FLESHY[1] * own
    # The depth of a mouth is dark under the upper lip. The back of the tongue comes out of it, with a furrow along its middle, and is
    # the lighter the nearer it comes.
    furrow = 1 - 0.14 * (across / -0.02).exp() * (1 - near_tip)
    tongue = (0.38 + 0.86 * near_tip) * (1 - 0.6 * across).clamp_(min=0) * furrow
    depth = torch.lerp(DEEP + 0.08 * deep, tongue, raised * wide)
    # The inner side of the lower lip comes out of the dark towards its edge, but not in the corners.
    rim = (1 - off_lip) ** 2 * down * (1 - across).clamp(min=0) ** 2
    depth = torch.maximum(depth * (0.7 + 0.3 * off_lip), 0.9 * rim)
    shows = (closed + row.known - closed * row.known) * opened_up * lit
    depth = depth * (1 - UNDER[1] * shows * (1 - is_gum) * (-(hangs / (UNDER[0] * cm)).square()).exp())
    depth = torch.maximum(depth, torch.maximum(SHALLOW * (1 - wide), CHEEK * cheek * (1 - CURVED * far_in)))
    inside = row.colors[1][:, None] * depth * (flesh * (REDDER * (1 - depth))).exp()
    # Teeth: less light under the lip, but for a grin's, in a slit, and in the corners.
    dim = 0.48 + 0.34 * row.known + 0.24 * (1 - row.known) * low_up * (1 - dropped)
    light = (
        light
        * (1 - row.shaded)
        * (1 + (on_crown - 1) * ((1 - is_gum) * (1 - row.young)))
        * (dim + (1 - dim) * off_upper)
        * (0.68 + 0.32 * inner)
    )
    light = torch.maximum(light, depth * is_gum)  # bare gums end in the depth
    warm = -light.clamp(0.02, 1).log() * (1 - is_gum)
    tooth = row.colors[0][:, None], torch.lerp(row.colors[1], row.colors[0], PALE * (1 - row.young))[:, None]
    tooth = torch.lerp(*tooth, is_gum) * light * (shady * warm).exp()
    cover = opened * (1 - seen * (1 - drawn * aside)) * off
    if lower:  # it leans inwards, and gets its light through the opening
        low_up = torch.maximum(low_up, row.bites * opened_up)
        light = low_light * (0.62 + 0.27 * bright) * (0.55 + 0.45 * inner) * (1 - 0.7 * GROOVED * low_groove)
        low_tooth = row.colors[0][:, None] * light * (shady * -light.clamp(0.02, 1).log()).exp()
        # The tongue lies behind them, and they throw their shadow on it.
        inside = inside * (1 - lower * BEHIND * low_up * low_lit * (-((fang + 0.08 * cm) / (0.14 * cm)).square()).exp())
        inside = torch.lerp(inside, low_tooth, lower * is_low * low_up * low_lit)
    made = torch.lerp(inside, tooth, is_tooth * shows)
    shadow = LIP_SHADE * opened * fell * at_lip * (1 - cover)
    made = made * cover + 0.15 * row.colors[1][:, None] * shadow
    return made.new_zeros(4, count).index_copy_(1, at, torch.cat([made, (cover + shadow)[None]]))
