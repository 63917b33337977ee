"""How far the skin of a face goes on beyond it: ears, neck, shoulders, arms and hands.

Nothing is learnt here. The face says what colours its skin has in light and in shade, and skin is what has these and is reached from face and neck
without crossing an edge. What is seen beside the head and on its crown says what colours a wall, hair or a hat have, which are no skin, and how much
of the world looks like skin as well; the more of it does, the sooner skin is given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.geodesic import geodesic
from ..geometry.lab import rgb_to_lab
from ..geometry.neighbours import closing, largest
from ..geometry.ramp import ramp
from .hair import middle, resized

SIDE = 64  # pixels of the face square's side, at which skin is looked for
# How unlike skin a colour is. Standard deviations of a / (L + 16) and b / (L + 16), which light does not change: at least, and more per length
NOISE, MORE_NOISE = 0.018, 2.0
LIGHT = 30.0  # variance of L, at least
LINEAR = 1.0  # standard deviations of L, up to which colours go on changing with light as they do in the face
BRIGHT, DARK = (1.2, 1.5), (3.0, 0.7)  # of L, from where on it is unlike skin, and by how much each more
LOOSE = 1.6  # standard deviations, all in all, that skin is usually off
SHADED = 0.5  # how much more a neck is, which lies in the shade of a chin
HAIR = 0.3, 0.6  # probability of what is no hair, and of some
HAIRY = -6.0, -1.0  # by how much less what is hair is unlike the hair than unlike the skin
# Of the square above a face, from where on its crown tells of hair or a hat; share of that which is to tell; of gloss on a brow, L and how much
# less colour than skin it has
CROWN, LEAST_WORN = (0.06, 0.1), 0.005
LIGHTER, PALER = (3.0, 10.0), (0.0, 4.0)
# The same of the wall, with how much the colours of either vary: where there is no skin, and where there is; and how much sooner where a neck is
WALLED, NECK = (-3.0, 1.0), 4.0
LESS_ALIKE = 0.5  # how much less alike a wall counts whose own colours tell it from skin
CLOSED = 9  # pixels of a neck in the shade of a chin, or below a necklace, between skin
# Of the face square beside a face, and above its chin, that are wall; the share of it that is less alike than what is said of it; the share of the
# picture that tells of it; how much like skin it is at most
ASIDE, UPWARDS = 0.16, (0.08, 0.12)
MOST, ENOUGH, MOST_ALIKE = 0.85, 0.01, 0.8
EARLESS = 0.12  # by how much nearer the wall begins where a face turns to the side
ALIKE = (0.15, 0.75), (0.55, 0.4)  # likeness of no skin and of skin, and how much more where the wall is wholly alike
HOLES, SMOOTH = 15, (9.0, 5.0)  # pixels across of gloss and moles; steepest difference there: an ornament, and gloss
TOLD = 0.25  # how much the body tells of skin
TELLING = 0.16, 0.02  # likeness of the wall for which what is found beyond the face is not believed so far, and is
TRUSTED = 0.7, 0.45  # the same at which nothing is believed, as in a grey picture, and all is
# What ways cost: a side of the face square, and as much more as the wall is alike; over what is no skin; the same of the wall, and over skin
STEP, UNSURE_STEP, UNLIKE = 0.24, 4.0, 24.0
WALL_STEP, WALL_UNLIKE = 0.36, 15.0
# Difference of neighbours that is no edge, and in which L counts for less, since a body has its own light and shade; what one more costs, and as much
# more as the wall is alike
TONES, FLAT = (0.5, 2.0, 2.0), 2.0
EDGE, UNSURE_EDGE = 0.03, 0.5
UNREACHED = 1e3  # what no way costs
SEED, LEAST_SEED = 3.0, 0.3  # to begin where there is no skin of the face; and how much there is to be
HIDDEN, BEHIND = 1.5, (-0.05, 0.0)  # a side of hair behind which skin goes on; it is so far below the chin
# Over necklaces, straps and strands: how wide they may be, in sides; to go over one, and as much more as the wall is alike, and as what lies there may
# be no skin; likeness of that
BRIDGED = 0.12
LANDING, UNSURE_LANDING, DOUBTED = 0.5, 4.0, 3.0
SURELY, MORE_SURELY = (0.15, 0.4), 0.9
FADES = 1.0, 2.6  # from where on skin fades, and where it ends
ENDS = 0.35  # of the face square, over which skin fades that goes on beyond what is looked at


class Heads(NamedTuple):
    """Where the parts of faces are, as the landmarks have them, in masks ``[B,1,s,s]`` 0..1 of squares around them.

    Attributes:
        own: the skin of the faces, with brow and neck.
        face: the faces.
        neck: necks.
        brow: what goes on above faces up to the hair, in the face squares alone, ``[B,1,k,k]``.
        skull: heads above the brows, with their hair, in these, too.
        chin, top: ``[B]`` where faces end, from the tops of the face squares and in their sides.
        turned: ``[B]`` how far they are turned aside, from -1, to the left of the picture, to 1, to the right: there they have no ear.
    """

    own: Tensor
    face: Tensor
    neck: Tensor
    brow: Tensor
    skull: Tensor
    chin: Tensor
    top: Tensor
    turned: Tensor


@torch.no_grad()
def skin_beyond(picture: Tensor, within: Tensor, span: float, heads: Heads, hair: Tensor) -> tuple[Tensor, Tensor]:
    """Skin that goes on from faces, and what may be some beside them.

    Args:
        picture: squares ``[B,3,S,S]`` RGB 0..1 around the middle of the face squares.
        within: ``[B,1,S,S]`` 1 where they are seen.
        span: their side in sides of the face squares.
        heads: whose skin.
        hair: what is hair, ``[B,1,s,s]`` 0..1 of the squares.

    Returns:
        Skin, ``[B,1,n,n]`` 0..1 of the squares, n = ``64 * span``; and the same in any doubt whether it is some at all, with the shade of a neck
        and gloss on a brow: what lies beside a face and not there is no skin, whatever its colour.
    """
    n = round(SIDE * span)
    picture, within, hair = (resized(x, n) for x in (picture, within, hair))
    own, face, neck = (resized(x, n) for x in heads[:3])
    lab = rgb_to_lab(picture.movedim(1, 0).flatten(1)).unflatten(1, (len(picture), n, n)).movedim(0, 1)
    hair = ramp(hair, *HAIR)
    bare, seed = within * (1 - hair), own * torch.maximum(face, neck)
    wall = (_beside(face, heads.chin, heads.turned, span) * bare > 0.5).float()
    hidden = largest(hair, 5) * ramp(_below(heads.chin, n, span), *BEHIND)
    toned = lab * lab.new_tensor(TONES)[:, None, None]
    steep = [toned.diff(dim=axis).square().sum(1, keepdim=True).sqrt() for axis in (3, 2)]
    smooth = ramp(_steepest(*steep), *SMOOTH) * bare
    loose = LOOSE * (1 + SHADED * neck * smooth * (1 - face))  # no beard
    unlike_hair = torch.where(hair.mean((2, 3), keepdim=True) > ENOUGH, unlike(lab, hair.square()), torch.inf)
    unlike_wall = torch.where(wall.mean((2, 3), keepdim=True) > ENOUGH, _unlikely(lab, wall)[1], torch.inf)
    square = middle(lab, span)
    brow, skull = (resized(x, square.shape[-1]) for x in heads[3:5])
    worn = skull * ramp(-middle(_below(heads.top, n, span).expand(-1, -1, -1, n), span), *CROWN) * middle(within, span)
    unlike_worn = torch.where(worn.mean((2, 3), keepdim=True) > LEAST_WORN, _unlike_worn(square, worn), torch.inf)
    told = seed.square() * bare
    off = unlike(lab, told)
    for _ in range(2):
        told = told * torch.exp(-off / 8)  # what is unlike most of it is no skin
        off, unlikely = _unlikely(lab, told)
        like = torch.exp(-off / (2 * loose**2)) * bare
        alike = _usual(like, wall)
        bare_brow = torch.maximum(
            _gloss(square, middle(told, span)), ramp(unlike_worn - middle(unlikely, span), *HAIRY)
        )
        middle(like, span).mul_(1 - torch.maximum(skull, brow) * (1 - bare_brow))
        like = like * ramp(unlike_wall - unlikely + NECK * neck, *WALLED)
        # what looks like the wall no longer looks like skin; yet clothes may still, and edges alone tell these
        doubt = torch.lerp(alike, _usual(like, wall), LESS_ALIKE)
        like = like * ramp(unlike_hair - off, *HAIRY)
        found = _reached(like, alike, doubt, smooth, hidden * ramp(alike, *TELLING), seed, wall, steep)
        # a body lies in another light than its face, and tells of skin as well
        told = torch.maximum(told, TOLD * ramp(alike, *TELLING) * found.square())
    found = found * _ending(within, ENDS * SIDE)
    beside = torch.maximum(found, closing(found, CLOSED) * neck)
    middle(beside, span).copy_(torch.maximum(middle(beside, span), bare_brow * brow))
    return found * ramp(doubt, *TRUSTED), beside


def unlike(lab: Tensor, weight: Tensor) -> Tensor:
    """How unlike the skin in ``weight [B,1,h,w]`` colours ``[B,3,h,w]`` are, squared and in standard deviations, ``[B,1,h,w]``.

    Light as strong again takes L + 16, a and b to as many times. Yet skin is more colourful where it lies in shade, and paler where it
    shines; how much is learnt from the face."""
    return _unlikely(lab, weight)[0]


def _unlikely(lab: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`unlike`, and how much colours vary there, the logarithm of their variances, ``[B,1,1,1]``: the sum of both is the less, the likelier a
    colour belongs there."""
    light, hue = lab[:, :1], lab[:, 1:] / (lab[:, :1] + 16)
    lighter = light - _mean(light, weight)
    varied = _mean(lighter.square(), weight) + LIGHT
    usual = _mean(hue, weight)
    slope = _mean((hue - usual) * lighter, weight) / varied
    lighter = lighter / varied.sqrt()
    off = hue - usual - slope * varied.sqrt() * lighter.clamp(-LINEAR, LINEAR)
    least = NOISE**2 * (1 + MORE_NOISE * usual.norm(dim=1, keepdim=True))
    aa, bb = (_mean(off.square(), weight) + least).split(1, 1)
    ab = _mean(off[:, :1] * off[:, 1:], weight)
    a, b = off.split(1, 1)
    area = aa * bb - ab.square()
    far = (bb * a.square() - 2 * ab * a * b + aa * b.square()) / area
    bright, dark = (lighter - BRIGHT[0]).clamp(min=0), (-lighter - DARK[0]).clamp(min=0)
    return far + (BRIGHT[1] * bright).square() + (DARK[1] * dark).square(), far + area.log()


def _unlike_worn(lab: Tensor, worn: Tensor) -> Tensor:
    """How unlikely colours belong to what lies on the crown of a head, hair or a hat in ``worn [B,1,h,w]``, as :func:`_unlikely` has it; what is
    lighter does so the less."""
    lighter = lab[:, :1] - _mean(lab[:, :1], worn)
    varied = _mean(lighter.square(), worn) + LIGHT
    return _unlikely(lab, worn)[1] + lighter.clamp(min=0).square() / varied


def _gloss(lab: Tensor, weight: Tensor) -> Tensor:
    """What is lighter than the skin in ``weight [B,1,h,w]`` and has less colour, ``[B,1,h,w]`` 0..1."""
    usual = _mean(lab, weight)
    paler = torch.hypot(usual[:, 1:2], usual[:, 2:]) - torch.hypot(lab[:, 1:2], lab[:, 2:])
    return ramp(lab[:, :1] - usual[:, :1], *LIGHTER) * ramp(paler, *PALER)


def _beside(face: Tensor, chin: Tensor, turned: Tensor, span: float) -> Tensor:
    """Where nothing of a body is expected: beside faces ``[B,1,n,n]`` and above them, not below their chins ``[B]``, and closer to them where they turn
    ``[B]``, ``[B,1,n,n]`` 0..1."""
    n = face.shape[-1]
    near = largest(face, 2 * round(ASIDE * n / span) + 1)
    by = (turned * EARLESS * n / span).round().int().tolist()
    aside = torch.stack([one.roll(-shift, -1) for one, shift in zip(near, by, strict=True)])
    return ramp(-_below(chin, n, span), *UPWARDS) * (1 - torch.minimum(near, aside))


def _below(chin: Tensor, n: int, span: float) -> Tensor:
    """How far rows of squares of ``span`` sides lie below chins ``[B]``, ``[B,1,n,1]``."""
    rows = ((torch.arange(n, device=chin.device) + 0.5) / n - 0.5) * span + 0.5
    return (rows - chin[:, None])[:, None, :, None]


def _usual(like: Tensor, wall: Tensor) -> Tensor:
    """How much most of a wall ``[B,1,n,n]`` 0 or 1 is like skin, ``[B,1,1,1]``; 0 where little of it is seen."""
    found = [
        one[at > 0].kthvalue(int(MOST * at.sum()) + 1).values if at.mean() > ENOUGH else one.new_zeros(())
        for one, at in zip(like, wall, strict=True)
    ]
    return torch.stack(found).clamp(max=MOST_ALIKE)[:, None, None, None]


def _reached(
    like: Tensor, alike: Tensor, doubt: Tensor, smooth: Tensor, hidden: Tensor, seed: Tensor, wall: Tensor,
    steep: Sequence[Tensor],
) -> Tensor:  # fmt: skip
    """What is ``like`` skin, and reached from ``seed`` sooner than from the ``wall``, all ``[B,1,n,n]`` 0..1.

    Args:
        alike: how much most of the wall is like skin, ``[B,1,1,1]``.
        doubt: the same, the less where its own colours tell it from skin.
        smooth: where there is no ornament.
        hidden: where hair hides skin that goes on behind it.
        steep: differences of neighbours, along rows ``[B,1,n,n-1]`` and columns ``[B,1,n-1,n]``.
    """
    skin = ramp(like, *(least + more * doubt for least, more in ALIKE))
    closed = closing(skin, HOLES)
    skin = torch.maximum(skin, closed * ramp(closed, 0.5, 0.9) * smooth)
    edges = [(EDGE + UNSURE_EDGE * alike) * (s - FLAT).clamp(min=0) for s in steep]

    def reached(begin: Tensor, step: Tensor | float, over: Tensor, edges: Sequence[Tensor]) -> Tensor:
        pairs = (_larger(over, axis) for axis in (3, 2))
        return geodesic(begin, *((step + pair) / SIDE + edge for pair, edge in zip(pairs, edges, strict=True)))

    from_wall = reached(UNREACHED * (1 - wall), WALL_STEP, WALL_UNLIKE * skin.square(), edges)
    step, over = STEP + UNSURE_STEP * alike, UNLIKE * (1 - skin).square() * (1 - hidden) + HIDDEN * hidden
    edges = [edge * (1 - _larger(hidden, axis)) for edge, axis in zip(edges, (3, 2), strict=True)]
    way = reached(torch.where(seed < LEAST_SEED, UNREACHED, SEED * (1 - seed)), step, over, edges)
    # over necklaces, straps and strands of hair; all of this is continuous, or a clip would flicker
    near = -largest(-way.clamp(max=FADES[1]), 2 * round(BRIDGED * SIDE) + 1)
    unsure = 1 - ramp(like * ramp(way - from_wall, 1.0, 0.0), *(at + MORE_SURELY * alike for at in SURELY))
    way = reached(way.minimum(near + LANDING + UNSURE_LANDING * alike + DOUBTED * unsure), step, over, edges)
    return ramp(way, FADES[1], FADES[0]) * skin * ramp(way - from_wall, 1.0, 0.0)


def _ending(within: Tensor, pixels: float) -> Tensor:
    """``[B,1,n,n]``: 1, and at the border of squares, where they are seen ``within [B,1,n,n]`` as the picture goes on, 0, to which it falls over so
    many pixels."""
    lost = 1 - ((torch.arange(within.shape[-1], device=within.device) + 0.5) / pixels).clamp(max=1)
    rows = torch.maximum(lost[:, None] * within[..., :1, :], lost.flip(0)[:, None] * within[..., -1:, :])
    return 1 - torch.maximum(rows, torch.maximum(lost * within[..., :1], lost.flip(0) * within[..., -1:]))


def _larger(values: Tensor, axis: int) -> Tensor:
    """The larger of neighbours along an axis."""
    count = values.shape[axis] - 1
    return torch.maximum(values.narrow(axis, 0, count), values.narrow(axis, 1, count))


def _steepest(across: Tensor, down: Tensor) -> Tensor:
    """The steepest differences around each place, ``[B,1,n,n]``, of those along rows ``[B,1,n,n-1]`` and columns ``[B,1,n-1,n]``."""
    return largest(torch.maximum(F.pad(across, (0, 1)), F.pad(down, (0, 0, 0, 1))), 5)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Of ``[B,C,h,w]`` with weights ``[B,1,h,w]``, ``[B,C,1,1]``."""
    total = values.flatten(2) @ weight.flatten(2).mT
    return total[..., None] / weight.sum((2, 3), keepdim=True).clamp(min=1e-6)


__all__ = ["SIDE", "Heads", "skin_beyond", "unlike"]
