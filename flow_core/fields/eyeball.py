"""What an eyeball shows that its lids hid.

An iris is round, and so is everything around its centre: pupil, iris, rim and white. So what comes to light above or below what was seen is taken from
the same distance of that centre, but nearer to the level of the iris, where lids do not reach. The angles that were seen there are spread over those that
are to be seen: hardly where the eye was open, and more and more towards the lids. Drawn out upwards instead, irises would be columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from ..faces.creases import DARK
from ..faces.landmarks import AT, CHEEKS
from ..faces.lids import seen_at
from ..once import kept_with
from .curves import SAMPLES, Frame, looked_up
from .smooth import smoothstep

if TYPE_CHECKING:
    from .face import Face

RADII, ANGLES = 40, 49  # samples of distances from the centre, and of angles from straight down to straight up
LIDS = 0.08  # height of what lies in the shade of a lid or behind lashes at least, of that of the eye
# Height of narrow eyes, in their widths, of which that is so much more; and the most
NARROW, NARROW_LIDS, MOST_SHADE = (0.22, 0.32), 0.14, 0.45
WET = 0.006  # height of the wet rim of a lower lid, crop fractions
# Where lashes and paint are looked for: every so many samples along a lid, and how deep; and by how much they are darker, as a logarithm
STRIDE, DEEPEST, DEPTHS, DARKER = 8, 0.4, 9, (0.2, 0.5)
MIDDLE = 0.3  # how near to either end of what was seen its middle lies at most, as a share of it
# Of the colours around an iris: up to how many radii they are known; height along the lids of what does not count, of that of the eye, and the ends of the
# eye, of its length; and which of those on an iris, and of those beside it, ordered by lightness
FAR, PLAIN, CORNER, USUAL, RING = 2.2, 0.15, 0.12, (0.35, 0.7), 0.65
# Radii between which a pupil ends, its lightness at most, of that of its iris, and pixels, of its radius, that show it, and that do not
PUPIL, PUPIL_DARK, PUPIL_SEEN = (0.28, 0.46), 0.45, (0.25, 0.8)
# How far above the middle of an iris its lower part begins, and how much of it the lower lid leaves free where all of the iris counts, and that part alone,
# in its radii
LOWER, LOW = 0.1, (0.55, 0.75)
# Radii between which an iris has its colours, and two are compared; by how much one may be lighter than light tells, as a logarithm; heights of eyes, in widths of their irises, of
# which an iris is known from the other one, and from itself; and how far rather the darker of two is taken for the lighter one: it lies in shade
ALIKE, UNLIKE, OPENED, SHADED = (0.45, 0.85), 0.15, (0.75, 1.0), 0.8
# Lightness of white, of that of cheeks, at the least, and its share of their hue, at the most: between lashes and lids that are all but shut it is not seen
# well. Of eyes that are open these are 0.6 and more, and 0.4 in the middle. And red to blue of cheeks in white light, a logarithm, at the most
DIMMEST, OF_SKIN, REDDEST = 0.62, 0.6, 0.6
# Angles beyond what was seen at which they begin to be painted, and are; how far at least; and the angles between which they are wholly, for what
# is spread from the left and from the right meets straight above and below
HIDDEN, GUESSED, WHITE, SEAM = (0.05, 0.5), 0.4, 0.9, (0.7, 1.45)
ROUND = 1.02, 1.18  # radii of an iris between which its border lies: it is soft
# Circles that are tried as an iris: how many of each measure; how far they lie aside and below, in widths of the eye, and how much larger they are, as a
# share; the radii between which light rises; its rise, as a logarithm, that is worth such a way, and the most that counts; samples of a circle, and how
# few of them do not count
DISCS, NEAR_BY = 7, ((0.07, 0.07), (0.05, 0.05), (0.16, 0.22))
STEP, RISE, MOST, DISC_ANGLES, FEW = (0.86, 1.14), 0.12, 0.5, 32, 4
ROOM = 0.06  # height of what lies in the shade of a lid where nothing is known, of that of the eye
LEAST = 1e-3  # by which lids show more than they did, in widths of the eye, so that anything is done about it
_WITHIN = slice(*(round(radius / FAR * (RADII - 1)) for radius in ALIKE))


def uncovered(seen: np.ndarray, after: np.ndarray) -> float:
    """By how much lids ``after [2,TABLE]`` show more of an eyeball than they did, ``seen [2,TABLE]``, at the most."""
    return float(np.maximum(seen[0] - after[0], after[1] - seen[1]).max())


def _shades(seen: np.ndarray, length: float, reach: np.ndarray) -> np.ndarray:
    """Heights ``[2,TABLE]`` of the shade of lids ``seen [2,TABLE]``, where lashes and paint ``reach [2,TABLE]`` so far, in shares of the eye's height."""
    height = (seen[1] - seen[0]).clip(min=0)
    low = 1 - smoothstep(float(height.max()) / length, *NARROW)
    shade = (LIDS + low * NARROW_LIDS + reach) * height
    return np.stack([shade[0], shade[1] + WET]).clip(max=MOST_SHADE * height)


def arcs_of(
    seen: np.ndarray, after: np.ndarray, shade: np.ndarray, iris: tuple[float, float], length: float
) -> np.ndarray | None:
    """Which angles around the centre of an iris were seen, and are to be seen, at each distance; None where nothing hidden comes to light.

    Args:
        seen: ``[2,TABLE]`` heights of the upper and lower lid as they were, on the eyeball as it was, and
        after: ``[2,TABLE]`` what of it they show after.
        shade: ``[2,TABLE]``, see :attr:`Eyeball.shade`.
        iris: place of its centre along the eye and down.
        length: from corner to corner.

    Returns:
        ``[6,2,RADII]`` on its left and right: the distance at which something was seen, an angle in the middle of what was, and, from there on, how far
        up it was seen and is to be seen, and how far down; angles are 0 beside the centre and pi / 2 above it.
    """
    (center, middle), (upper, lower), (top, bottom) = iris, seen, after
    if uncovered(seen, after) < LEAST * length:
        return None
    upper = upper + np.minimum(shade[0], 2 * (upper - top).clip(min=0))
    lower = lower - np.minimum(shade[1], 2 * (bottom - lower).clip(min=0))
    sides, farthest = np.array([-1, 1]), np.array([center, length - center])
    radius = (np.arange(RADII) / (RADII - 1) * farthest[:, None]).clip(min=1e-6)[..., None]  # [2,RADII,1]
    angle = np.linspace(-math.pi / 2, math.pi / 2, ANGLES)
    a, b = center + sides[:, None, None] * radius * np.cos(angle), middle - radius * np.sin(angle)
    edges = looked_up(np.stack([upper, top, lower, bottom]), a / length)
    # of first and last, before and now, and sides
    ends = _ends(np.minimum(b - edges[:2], edges[2:] - b), angle)
    found = []
    for radii, (before, now) in zip(radius[..., 0], ends.transpose(2, 1, 0, 3), strict=True):
        known = before[1] > before[0]
        if not known.any():
            return None
        at = np.arange(RADII)
        nearest = np.abs(at[:, None] - at[known]).argmin(1)
        nearest = at[known][nearest]
        low, high = before[:, nearest]
        margin = MIDDLE * (high - low)
        level = np.clip(0.0, low + margin, high - margin)
        found.append(
            [
                radii[nearest],
                level,
                high - level,
                np.maximum(now[1], high) - level,
                level - low,
                level - np.minimum(now[0], low),
            ]
        )
    return np.stack(found, 1)


def _ends(inside: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """First and last angle ``[2,...]`` at which ``inside [...,A]`` is above 0, between samples; the last one below the first where it nowhere is."""
    here = inside > 0
    some, last, ends = here.any(-1), len(angle) - 1, []
    for first, way in ((here.argmax(-1), -1), (last - here[..., ::-1].argmax(-1), 1)):
        beyond = (first + way).clip(0, last)
        within, without = (np.take_along_axis(inside, at[..., None], -1)[..., 0] for at in (first, beyond))
        share = np.where(beyond == first, 0.0, within / np.maximum(within - without, 1e-9)).clip(0, 1)
        ends.append(angle[first] + share * (angle[beyond] - angle[first]))
    low, high = ends
    return np.stack([np.where(some, low, 1.0), np.where(some, high, 0.0)])


class Eyeball(NamedTuple):
    """What is seen of an eyeball."""

    iris: tuple[float, float, float]  # its place along the eye and down, and its radius
    # [3,RADII] colours at distances of up to :data:`FAR` radii from its centre: what is usual at each among what is seen, so without highlights on the
    # iris and lashes over the white
    usual: Tensor
    shade: (
        np.ndarray
    )  # [2,TABLE] how far lashes, paint and the shade of lids reach down from the upper lid and up from the lower one


class Seen(NamedTuple):
    """An eye as a picture shows it."""

    frame: Frame  # crop points
    lids: np.ndarray  # [2,TABLE] its upper and lower lid
    iris: tuple[float, float, float]  # where it is expected along the eye and down, and its radius


_EYEBALLS = WeakKeyDictionary()  # face -> its eyeballs on the viewer's left and right: an edit asks several times


def eyeballs_of(face: Face, eyes: Callable[[], Sequence[Seen]]) -> list[Eyeball]:
    """What is seen of the eyeballs on the viewer's left and right.

    Args:
        face: whose view is known.
        eyes: gives the eyes on the viewer's left and right; asked for the first time.
    """

    def made() -> list[Eyeball]:
        with torch.inference_mode(False):  # what is kept may be asked for outside of it
            cheeks = [seen_at(face.view, face.landmarks[[AT[i] for i in side]][None, None])[0, :, 0] for side in CHEEKS]
            cheeks = torch.stack([colors.median(1).values for colors in cheeks]).double().cpu().numpy()
            return _looked(face.view, cheeks, eyes(), face.pixel)

    return kept_with(_EYEBALLS, face, None, made)


def _looked(view: Tensor, cheeks: np.ndarray, eyes: Sequence[Seen], pixel: float = 0.0) -> list[Eyeball]:
    """What a face's ``view`` shows of the eyeballs of ``eyes``.

    Args:
        view: ``[1,3,n,n]``, as of :func:`flow_core.faces.shown.view`.
        cheeks: ``[2,3]`` colours of the cheeks on the viewer's left and right.
        eyes: on the viewer's left and right; a single one is known from itself alone.
        pixel: side of a pixel of the picture, or of what is as large in a blurred one.
    """
    discs = [_disc(view, *eye) for eye in eyes]
    usual = [_usual(view, cheeks.mean(0), eye, disc, pixel) for eye, disc in zip(eyes, discs, strict=True)]
    if len(eyes) == 2:
        opened = [float(np.ptp(eye.lids, 0).max()) / (2 * disc[2]) for eye, disc in zip(eyes, discs, strict=True)]
        left, right = np.log(cheeks.mean(1) + DARK)
        _match(usual, opened, right - left)
    return [
        Eyeball(disc, torch.from_numpy(colors.astype(np.float32)).to(view.device), _shade(view, eye, disc, colors))
        for eye, disc, colors in zip(eyes, discs, usual, strict=True)
    ]


def _match(usual: Sequence[np.ndarray], opened: Sequence[float], lit: float) -> None:
    """Make two irises alike, as far as little is seen of them: of what is between narrow lids much is their shade.

    Args:
        usual: of both eyes, see :class:`Eyeball`; changed in place.
        opened: height of each eye, in widths of its iris.
        lit: by how much lighter it is around the second one, as a logarithm.
    """
    first, second = (np.log(colors[:, _WITHIN].mean(1) + DARK) for colors in usual)
    more = second - first  # of each channel
    least, most = sorted((0.0, lit))
    more = more - more.clip(least - UNLIKE, most + UNLIKE)
    iris = 1 - smoothstep(np.linspace(0, FAR, RADII), *ROUND)
    doubt = [1 - smoothstep(share, *OPENED) for share in opened]
    for colors, sign, own, other in zip(usual, (1, -1), doubt, doubt[::-1], strict=True):
        part = np.where(sign * more > 0, SHADED, 1 - SHADED)
        part = own * (1 - other * (1 - part))  # all of it where the other one is seen well
        colors *= np.exp(sign * (part * more)[:, None] * iris)


def _usual(view: Tensor, cheeks: np.ndarray, eye: Seen, disc: tuple[float, float, float], pixel: float) -> np.ndarray:
    """:attr:`Eyeball.usual` of an eye with its iris, on a face with ``cheeks [3]`` of that colour; ``pixel`` as of :func:`_looked`."""
    frame, seen, _ = eye
    length = frame.length
    center, middle, radius = disc
    distance, angle = np.linspace(0, FAR * radius, RADII)[:, None], np.linspace(-math.pi, math.pi, 2 * ANGLES)
    a, b = center + distance * np.cos(angle), middle - distance * np.sin(angle)
    top, bottom = (np.interp(a, SAMPLES * length, lid) for lid in seen)
    edge = PLAIN * (bottom - top)
    here = (b > top + edge) & (b < bottom - edge) & (np.minimum(a, length - a) > CORNER * length)
    here[0] |= not here.any()  # of an eye that is all but shut
    colors = _colors(view, frame, a, b)
    # Lids and lashes shade the upper part of an iris, and highlights lie on it: the lower one tells its colours, but where lids are so narrow that it may
    # be the skin below.
    inner = distance < radius
    room = float(np.interp(center, SAMPLES * length, seen[1])) - middle
    low = here & (b > middle - (LOWER + 1 - smoothstep(room / radius, *LOW)) * radius)
    here &= low | ~inner | (low.sum(1, keepdims=True) < FEW)
    count = here.sum(1)
    order = np.where(here, colors.mean(0), np.inf).argsort(1)
    at = np.where(inner[:, 0], *USUAL) * (count - 1).clip(min=0)
    at = np.take_along_axis(order, at.round().astype(np.int64)[:, None], 1)
    found = np.take_along_axis(colors, at[None].repeat(3, 0), 2)[..., 0]
    usual = np.stack([np.interp(np.arange(RADII), np.flatnonzero(count), row[count > 0]) for row in found])
    # Towards its border an iris gets no lighter: what is is the white.
    ring = (distance[:, 0] > RING * radius) & (distance[:, 0] < ROUND[1] * radius)
    light = usual[:, ring].mean(0)
    usual[:, ring] *= np.minimum.accumulate(light) / light.clip(1e-3)
    # Between narrow lids no pupil is seen, without which an iris is a button; in a blurred picture it would be a dot.
    pupil = np.minimum(usual, PUPIL_DARK * usual[:, _WITHIN].mean(1, keepdims=True))
    fine = 1 - smoothstep(pixel / (PUPIL[1] * radius), *PUPIL_SEEN)
    usual += fine * (1 - smoothstep(distance[:, 0] / radius, *PUPIL)) * (pupil - usual)
    # Near an iris white is mixed with its rim, and shaded: all of it is alike.
    beside = here & (distance > ROUND[1] * radius)
    if beside.any():
        white = colors[:, beside]
        white = white[:, white.mean(0).argsort()[int(USUAL[1] * (white.shape[1] - 1))]]
        white = _less_of(cheeks, white) * max(1.0, DIMMEST * cheeks.mean() / max(white.mean(), 1e-3))
        usual += smoothstep(distance[:, 0] / radius, *ROUND) * (white[:, None] - usual)
    return usual


def _less_of(skin: np.ndarray, white: np.ndarray) -> np.ndarray:
    """The colour of the ``white [3]`` of an eye without what it has of the hue of the ``skin [3]`` around, beyond what it has on eyes that are seen well.
    Where skin is redder than that of anybody, the light is, or a varnish, which white shows as well."""
    own, others = (np.log((colors + DARK) / (colors.mean() + DARK)) for colors in (white, skin))
    share = own @ others / max(others @ others, 1e-6)
    own_hue = REDDEST / max(others[0] - others[2], REDDEST)
    return white * np.exp(-max(share - 1 + (1 - OF_SKIN) * own_hue, 0.0) * others)


def _shade(view: Tensor, eye: Seen, disc: tuple[float, float, float], usual: np.ndarray) -> np.ndarray:
    """:attr:`Eyeball.shade` of an eye with its iris and what is usual there: what is darker than that below a lid is not the eyeball's own."""
    frame, seen, _ = eye
    length = frame.length
    center, middle, radius = disc
    share, deep = SAMPLES[::STRIDE], np.linspace(0, DEEPEST, DEPTHS)[:, None]
    top, bottom = (lid[::STRIDE] for lid in seen)
    shade = []
    for edge, way in ((top, bottom - top), (bottom, top - bottom)):
        a, b = np.broadcast_to(share * length, (DEPTHS, len(share))), edge + deep * way
        away = np.hypot(a - center, b - middle) / (FAR * radius) * (RADII - 1)
        darker = np.interp(away, np.arange(RADII), np.log(usual.mean(0) + DARK)) - np.log(
            _colors(view, frame, a, b).mean(0) + DARK
        )
        reach = np.minimum.accumulate(smoothstep(darker, *DARKER), 0).mean(0) * DEEPEST
        reach = np.convolve(np.pad(reach, 1, "edge"), np.full(3, 1 / 3), "valid")
        shade.append(np.interp(SAMPLES, share, reach))
    return _shades(seen, length, np.stack(shade))


def _disc(view: Tensor, frame: Frame, seen: np.ndarray, iris: tuple[float, float, float]) -> tuple[float, float, float]:
    """The circle near where an iris is expected on which light rises most from within to without, its place and radius.

    What lids hide of a circle does not count, and what they shade little (an integro-differential operator; Daugman, High confidence visual recognition
    of persons, 1993).
    """
    length, (center, middle, radius) = frame.length, iris
    tried = np.meshgrid(*(np.linspace(-near, far, DISCS) for near, far in NEAR_BY), indexing="ij")
    aside, low, larger = (v.reshape(-1, 1) for v in tried)
    angle = (np.arange(DISC_ANGLES) + 0.5) / DISC_ANGLES * 2 * math.pi
    lights, weight = [], np.abs(np.cos(angle))
    for share in STEP:
        reach = share * radius * (1 + larger)
        a, b = center + length * aside + reach * np.cos(angle), middle + length * low + reach * np.sin(angle)
        top, bottom = (np.interp(a, SAMPLES * length, lid) for lid in seen)
        edge = PLAIN * (bottom - top)
        weight = weight * ((b > top + edge) & (b < bottom - edge) & (a > 0) & (a < length))
        lights.append(np.log(_colors(view, frame, a, b).mean(0) + DARK))
    inner, outer = lights
    rise = ((outer - inner).clip(-MOST, MOST) * weight).sum(1) / (weight.sum(1) + FEW)
    away = sum((v / np.where(v < 0, *bounds)) ** 2 for v, bounds in zip((aside, low, larger), NEAR_BY, strict=True))[
        :, 0
    ]
    best = int((rise - RISE * away).argmax())
    return center + length * aside[best, 0], middle + length * low[best, 0], radius * (1 + larger[best, 0])


def _colors(view: Tensor, frame: Frame, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return seen_at(view, torch.from_numpy(np.stack(frame.back(a, b), -1))[None])[0].double().cpu().numpy()


def unhidden(
    arcs: Tensor, iris: Tensor, plain: Tensor, length: Tensor, along: Tensor, down: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Where on eyeballs is seen what lies at some places of them, along the eye and down, and how far what was seen does not tell it, 0..1: ``[E,N]``.

    Args:
        arcs: ``[E,6,2,RADII]`` as of :func:`arcs_of`.
        iris: ``[3,E,1]`` place of its centre along the eye and down, and its radius.
        plain: ``[E,1]`` how far irises are painted at least where they were hidden, 0..1.
        length: ``[E,1]`` from corner to corner.
        along, down: ``[E,N]`` the places.
    """
    aside, up = along - iris[0], iris[1] - down
    right = aside > 0
    distance, angle = torch.hypot(aside, up), torch.atan2(up, aside.abs())
    step = distance / torch.where(right, length - iris[0], iris[0]).clamp(min=1e-6) * (RADII - 1)
    low = step.long().clamp_(max=RADII - 2)
    share = (step - low).clamp_(max=1)
    row = 2 * torch.arange(len(arcs), device=low.device)[:, None] + right
    rows, at = arcs.movedim(1, 0).flatten(1), (low + RADII * row).flatten()
    first, last = (rows.index_select(1, i).unflatten(1, low.shape) for i in (at, at + 1))
    radius, level, *ends = torch.lerp(first, last, share)
    off = angle - level
    seen, wanted = (torch.where(off > 0, *pair) for pair in ((ends[0], ends[2]), (ends[1], ends[3])))
    hidden = smoothstep(off.abs() - seen, *HIDDEN)
    least = torch.lerp(plain, plain.new_tensor(WHITE), smoothstep(distance / iris[2], *ROUND))
    hidden = hidden * torch.lerp(least, torch.ones_like(least), smoothstep(angle.abs(), *SEAM))
    angle = level + off.sign() * _gather(off.abs(), wanted, seen)
    return iris[0] + torch.where(right, radius, -radius) * angle.cos(), iris[1] - radius * angle.sin(), hidden


def usual_at(usual: Tensor, distance: Tensor) -> Tensor:
    """Colours ``[3,N]`` ``usual [3,RADII]``, see :class:`Eyeball`, at distances ``[N]``, in radii of the iris."""
    step = (distance / FAR).clamp(max=1) * (RADII - 1)
    low = step.long().clamp_(max=RADII - 2)
    first, last = (usual.index_select(1, i) for i in (low, low + 1))
    return torch.lerp(first, last, step - low)


def drawn_out(
    down: Tensor, middle: Tensor, upper: Tensor, lower: Tensor, top: Tensor, bottom: Tensor, narrow: Tensor
) -> Tensor:
    """Where lids show more of an eyeball than they did and nothing is known of it: what was seen is stretched between the lid and the middle.

    Args:
        down: ``[E,N]`` places below the line between the corners, and those of
        middle: ``[E,1]`` the iris,
        upper, lower: ``[E,N]`` the lids as they were, and
        top, bottom: ``[E,N]`` as they are after.
        narrow: ``[E,1]`` 0..1: how far all of it is stretched evenly.
    """
    height = lower - upper
    room = ROOM * height.clamp(min=0) * (1 - narrow)
    margins = [torch.minimum(room, 2 * beyond.clamp(min=0)) for beyond in (upper - top, bottom - lower)]
    half = torch.minimum(torch.maximum(middle, upper + MIDDLE * height), lower - MIDDLE * height)
    above_half = down < half
    shown = torch.where(above_half, half - upper - margins[0], lower - margins[1] - half)
    wanted = torch.where(above_half, half - top, bottom - half)
    distance = (down - half).abs()
    evenly = distance * (shown / wanted.clamp(min=1e-5)).clamp(0, 1)
    distance = torch.lerp(_gather(distance, wanted, shown), evenly, narrow)
    return half + torch.where(above_half, -distance, distance)


def _gather(distance: Tensor, wanted: Tensor, shown: Tensor) -> Tensor:
    """Distances ``0..wanted`` from a middle taken into ``0..shown`` where that is less: nearly as they are in the middle, so that an iris stays round,
    and closer and closer together towards the lid."""
    more = (wanted / shown.clamp(min=1e-5) - 1).clamp(1e-3, 9)
    share = (distance / wanted.clamp(min=1e-5)).clamp(0, 1)
    return distance / (1 + more * share ** (1 + 0.9 / more).clamp(max=3))


__all__ = ["Eyeball", "Seen", "arcs_of", "drawn_out", "eyeballs_of", "uncovered", "unhidden", "usual_at"]
