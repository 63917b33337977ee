"""Where a face has hair: a small network that looks at the aligned face square, and from a little further away.

It has learnt that a bald head, a hat and a scarf are no hair, and that dark hair ends where a dark wall begins. Beards and brows are
not hair to it. The card is ``weights/hair.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import filled
from ..geometry.neighbours import blurred, closing, largest
from ..geometry.ramp import ramp
from ..geometry.sampling import enlarged, enlarged_part
from ..guides.nano import fused
from ..once import once
from .hair_colors import by_color, by_colors_near

BUILTIN = Path(__file__).parents[1] / "weights" / "hair.safetensors"
SIZE = 128  # pixels a side of the face square that the network looks at
CHANNELS = (12, 28, 44, 96)
LEAST = 0.03  # share of the square above which a face has hair that can be dyed; a shaven head shows a rim of some
BAND = 0.03  # of the square, by which the border of what the network finds may be off
COARSE = 128  # pixels a side at most, at which the border is looked for; how far each pixel belongs to hair is finer
WINDOW = 1.25  # sides of the face square that the network may look at: it knows faces of this size
FAR = 1.5  # of the square beyond which it is looked for only where it goes on,
# in squares of so many sides, whose middles lie so far aside of that of the face square and below it: it knows hair on shoulders without a whole face
HANGING = (1.25, 0.0, 0.3), (1.25, 0.0, 0.45), (1.5, 0.0, 0.45), (1.75, 0.0, 0.5)
BESIDE = (1.25, 0.35, 0.15), (1.25, 0.35, 0.4), (1.5, 0.5, 0.3), (1.5, 0.5, 0.6)
AROUND = (FAR, 0.0, 0.0), (1.75, 0.0, 0.5)  # of these, that tell roughly
BELOW = 0.8, 0.95  # of the face square, from where on the former count, and where they do alone
ASIDE = 0.5, 0.62  # the same of the latter, from the middle of the face square
RIM, BLOWN = 0.55, 0.6  # so far from that middle, and from that probability on, hair goes on aside
STRAND = 0.05  # of the face square, how wide and high hair is there at least that goes on aside
# times the mean of their logits, and more: what several looks take for hair is more certainly some than for each of them, and what hangs from hair is
ALTOGETHER = 2.0, 0.5
HANGS = 0.35  # probability from which on hair there hangs together with that above
# Mean of R, G and B of hair, and of its places, that are as black as is seen, and may have no texture; and how likely they have to be hair
BLACK, SMOOTH = (0.08, 0.14), (0.4, 0.7)
UNSURE = 1.0  # by which looks in which hair hangs far down lower the logit of what is seen from the front, at most
ENDS = 0.15  # of the face square, over which hair fades that goes on beyond what is looked at
WINDOWS = 1.0, WINDOW, FAR  # sides of the face square of the squares that the network looks at
WHOLE = 0.95  # share of it from which on the furthest look is trusted alone: it takes streaks for hair
DOUBTS = 0.4  # by which looks from further away lower the logit of what is seen from near, at most
UNSEEN = 3.0  # exponent of the share of a look that lies in the picture
NEAR = 1.125  # sides of the face square up to which hair goes on as it ends there: too little to look at again
JOINED = 0.1  # of the face square, over which what it finds there goes over into what it finds in the square
TEXTURE = 0.15, 0.4  # of the texture that most of the hair has: none, and enough
BLURRED = (
    0.006  # mean difference of the logarithm of light from that of its neighbours, below which a picture has no texture
)
HOLE = 0.05  # of the square, half the width of holes in hair that are none
CONNECTED = 48  # pixels a side of the face square, at which it is looked what hangs together
# Probability of hair about the face, and how far from the middle of its square that is, across and down
SURELY, ABOUT = 0.8, (0.45, 0.25)
ALIKE = 0.06, 0.12  # difference in R, G or B from the hair around: that is hair too, and that may be anything
DOUBTED = 0.1, 0.3  # probability of a hole: that is one, and that may be hair
# probabilities from and up to which there may be hair, there is taken to be, and surely is some, where the network hardly knows such hair, and
# where it does: what is left out of hair that can hardly be told from what lies beyond is not seen
UNKNOWN, SEEN = ((0.3, 0.62),) * 3, ((0.1, 0.4), (0.45, 0.8), (0.7, 0.95))
KNOWN = 0.4, 0.52  # share of the hair of which the network is sure, where it hardly knows such hair, and where it does
# Half the width and the height of what lies above the middle of the face square, where hair is looked at alone, too
CROWN = 0.33, 0.42
KNOWN_ABOVE = 0.62, 0.75  # the same shares there
CORE, SOME = (0.85, 0.95), (0.7, 0.92)  # probability of hair: that is surely some, and that may be where that is far
HELD = 0.02  # of the face square, that is near to it
HOLDS = 0.6  # share of it that counts for that, whatever it is near to
STRAY = 0.01, 0.06  # probability of hair beside it: a wall that is as dark, and strands
HUE = 2.0  # times that shares of red and green count, of what red and green do
# of how far hair, and what lies beyond, vary on the way from one to the other, what tells nothing; at least and most
SPREAD, LOW, HIGH = 1.0, (0.06, 0.25), (0.12, 0.4)
APART = 14.0  # squared distance of two colours in what they vary by, which half tells them apart
# mean logit where hair is found, below which it may well be a hat or a bald head: where it is much of the square, and where it is little,
# as these are for the most part
SURE = 1.35, 2.0
MUCH = 0.12, 0.06
# the same where it is not so: at another look without the repeated border of the picture, and from further away
AGAIN, VERY = (2.0, 2.0), (2.65, 2.65)


class _Step(nn.Sequential):
    def __init__(self, c_in: int, c_out: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(c_out), nn.SiLU()
        )


class HairNet(nn.Module):
    """The network: an encoder and a decoder with connections across (Ronneberger, U-Net, 2015), and one look at the whole."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = CHANNELS
        self.down = nn.ModuleList(
            [
                _Step(3, a, 2, 5),
                nn.Sequential(_Step(a, b, 2), _Step(b, b)),
                nn.Sequential(_Step(b, c, 2), _Step(c, c)),
                nn.Sequential(_Step(c, d, 2), _Step(d, d)),
            ]
        )
        self.whole = nn.Linear(d, d)
        self.up = nn.ModuleList([_Step(d + c, c), _Step(c + b, 20), _Step(20 + a, a)])
        self.last = nn.Conv2d(a, 1, 3, padding=1)

    def forward(self, aligned: Tensor) -> Tensor:
        """Face squares ``[B,3,128,128]`` RGB 0..1 -> logits ``[B,1,64,64]`` of hair."""
        x, maps = 4 * (aligned - 0.5), []
        for step in self.down:
            x = step(x)
            maps.append(x)
        x = x + self.whole(x.mean((2, 3)))[:, :, None, None]
        for step, across in zip(self.up, maps[-2::-1], strict=True):
            x = step(torch.cat([F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False), across], 1))
        return self.last(x)


@once(2)
def load_hair(path: Path = BUILTIN, device: torch.device | str = "cpu") -> HairNet:
    """Load the network trained by :mod:`flow_core.train.hair`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    with torch.inference_mode(False):  # weights made in inference mode would be of no use outside of it
        return fused(filled(HairNet, path, "hair")).to(device, memory_format=torch.channels_last)


def find_hair(picture: Tensor, size: int, span: float = 1.0, within: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Hair of the head, without beard and brows.

    Args:
        picture: squares ``[B,3,S,S]`` RGB 0..1 around the middle of the face square.
        size: pixels of the mask along a side of the face square.
        span: side of the squares in sides of the face square.
        within: ``[B,1,S,S]`` 1 where they are seen, as of :meth:`flow_core.geometry.crop.Crop.within`; None = everywhere.

    Returns:
        A mask ``[B,1,n,n]`` 0..1 of the squares, n = ``size * span``, whose border follows the edges of the picture; and whether each
        face has hair and the network is sure of it, ``[B]`` bool.
    """
    return likely_hair(picture, size, span, within)[:2]


@torch.no_grad()
def likely_hair(
    picture: Tensor, size: int, span: float = 1.0, within: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """What :func:`find_hair` finds, and how likely each place is hair by its looks and colour, ``[B,1,k,k]`` 0..1 of the squares."""
    picture = picture.detach().float()
    within = torch.ones_like(picture[:, :1]) if within is None else within.to(picture)
    coarse, side = min(size, COARSE), round(size * span)
    mask, sure = _looked(picture, within, span, coarse)
    if span >= FAR:
        mask = _going_on(mask, picture, within, span, coarse)
    elif mask.shape[-1] < round(coarse * span):
        mask = F.pad(mask, ((round(coarse * span) - mask.shape[-1]) // 2,) * 4, mode="replicate")
    picture = resized(picture, side)
    small = resized(picture, mask.shape[-1])
    seen = resized(within, mask.shape[-1])
    likely = by_color(mask, small, seen)
    mask, some = by_colors_near(likely, small, seen, coarse), textured(small, likely, max(1, round(0.025 * coarse)))
    below, smooth = likely.new_zeros(1), ramp(likely, *SMOOTH)
    if span >= FAR:
        mask, likely = (_surer_below(one, span) for one in (mask, likely))
        below = share_below(len(mask[0, 0]), span, mask.device)
        smooth = torch.maximum(smooth, below)
    black = _black(small, likely)
    some = torch.maximum(some, smooth * black)
    # colours nearby tell of black hair what nothing else does; of other hair, a wall in its shade may have these
    familiar, surer = known(likely, span), torch.lerp(likely, mask, black)
    narrow = torch.maximum(near_sure(surer, span, max(1, round(HELD * coarse)), familiar), below)  # there doubt is wide
    mask = enclosed(mask * some, small, likely, round(HOLE * coarse))
    # hair in some doubt may hold together what is sure
    mask = mask * hanging_together(mask * narrow.sqrt().clamp(min=HOLDS), surer, span)
    bounds = torch.lerp(*mask.new_tensor([UNKNOWN, SEEN])[..., None, None, None, None], familiar)
    outer, found, inner = (ramp(mask, low, high) for low, high in bounds)
    mask = matted(picture, found * narrow, max(1, round(BAND * coarse)), inner, outer)
    some = ramp(likely, *STRAY)
    return mask * resized(some, side), sure, likely


def _look(aligned: Tensor, within: Tensor) -> Tensor:
    """Logits of hair ``[B,1,64,64]`` in squares ``[B,3,S,S]`` that are seen where ``within [B,1,S,S]`` is 1.

    Where it has its doubts the network looks once more, at a mean colour in place of the repeated border of the picture, whose streaks may be anything."""
    net, aligned = load_hair(device=aligned.device), resized(aligned, SIZE)
    logits = net(aligned)
    doubt = ~trusted(logits) & ~within.flatten(1).all(1)
    if doubt.any():
        again = net(_unseen(aligned, resized(within, SIZE)))
        logits = torch.where((doubt & trusted(again, AGAIN))[:, None, None, None], again, logits)
    return logits


def _unseen(picture: Tensor, within: Tensor) -> Tensor:
    """Pictures with their mean colour where they are not seen."""
    mean = (picture * within).sum((2, 3), keepdim=True) / within.sum((2, 3), keepdim=True).clamp(min=1)
    return torch.lerp(mean, picture, within)


def _looked(
    picture: Tensor, within: Tensor, span: float, coarse: int, windows: Sequence[float] = WINDOWS
) -> tuple[Tensor, Tensor]:
    """How likely places are hair to the network, from near and from further away, in squares ``[B,3,S,S]`` of ``span`` sides: ``[B,1,n,n]`` of
    ``coarse`` pixels for each side of as many squares as it looks at; and whether it is sure of each face, ``[B]``.

    What it overlooks from near, such as the crown of black hair, it sees from further away, and the other way round."""
    windows = [window for window in windows if window == 1 or window <= span > NEAR]
    looks = [_look(*(middle(x, span / window) for x in (picture, within))) for window in windows]
    sure = trusted(looks[0])
    count = round(coarse * windows[-1])
    total = picture.new_zeros(len(picture), 2, count, count)
    seen_shares = [middle(within, span / window).mean((1, 2, 3)) for window in windows]
    weights = [seen**UNSEEN + 1e-6 for seen in seen_shares]  # the less of the picture a look sees, the less it tells
    doubt = ~sure
    for window, look, seen in zip(windows[1:], looks[1:], seen_shares[1:], strict=True):
        sure = sure | (trusted(look, VERY) & ((seen > WHOLE) if window > WINDOW else (seen > 0)))
    weights[0] = torch.where(doubt & sure, 1e-6, weights[0])
    for window, logits, weight in zip(windows, looks, weights, strict=True):
        here = round(coarse * window)
        found = F.interpolate(logits, (here, here), mode="bilinear", align_corners=False)
        share = picture.new_ones(here, here)
        if window < windows[-1]:  # where a look ends, the next one goes on
            share = _fading(here, JOINED * coarse, picture.device)
        share = share * weight[:, None, None, None]
        rim = (count - here) // 2
        total[:, :, rim : rim + here, rim : rim + here] += torch.cat([found * share, share], 1)
    found, weight = total.split(1, 1)
    found = found / weight
    if windows[0] == 1:  # what it sees from near is no more than doubted from further away
        near = F.interpolate(looks[0], (coarse, coarse), mode="bilinear", align_corners=False)
        near = torch.where((doubt & sure)[:, None, None, None], -torch.inf, near - DOUBTS)
        inside = middle(found, windows[-1])
        inside.copy_(torch.maximum(inside, near))
    found = found.sigmoid()
    if windows[-1] > WINDOW:  # the furthest look alone tells the less the farther from the face
        found = found * _fading(count, (FAR - WINDOW) / 2 * coarse, picture.device)
    return found, sure


def _fading(count: int, pixels: float, device: torch.device) -> Tensor:
    """``[count,count]``: 1, and at its border 0, to which it falls over so many pixels."""
    edge = torch.arange(count, device=device) + 0.5
    edge = (torch.minimum(edge, edge.flip(0)) / pixels).clamp(max=1)
    return torch.minimum(edge, edge[:, None])


def _going_on(found: Tensor, picture: Tensor, within: Tensor, span: float, coarse: int) -> Tensor:
    """Hair ``found [B,1,n,n]``, of ``coarse`` pixels for each side, in squares of ``span`` sides, with what goes on from it below and beside the face.

    From still further away the network knows no face; it looks at squares in which a face is seen in part."""
    found = F.pad(found, ((round(coarse * span) - found.shape[-1]) // 2,) * 4)
    count, below = found.shape[-1], share_below(found.shape[-1], span, found.device)
    hangs, ways = _hangs(found, span).any(), [way for way in (-1, 1) if _goes_aside(found, span, way)]
    if not hangs and not ways:
        return found
    likely = found
    if hangs:  # what looks from the front see there is no more than doubted
        doubted = (found.logit(1e-4) - UNSURE).sigmoid() * (found > 0)
        likely = torch.lerp(found, torch.maximum(doubted, _parts(picture, within, span, count, HANGING)), below)
    likely = _with_aside(likely, picture, within, span, ways, BESIDE)
    small, seen = (resized(x, count) for x in (picture, within))
    joined, first = (by_color(likely, small, seen) > HANGS).float(), int((below == 0).sum())
    for row in range(first, count):  # what does not hang from hair is a coat, or somebody else's
        above = F.max_pool2d(joined[:, :, row - 1 : row], (1, 5), 1, (0, 2))
        joined[:, :, row] *= above[:, :, 0]
    near = largest(joined, 5)
    near[:, :, :first] = 1
    return likely * near * _fading(count, ENDS * coarse, found.device)


def _with_aside(
    likely: Tensor, picture: Tensor, within: Tensor, span: float, ways: Sequence[int],
    squares: Sequence[tuple[float, float, float]],
) -> Tensor:  # fmt: skip
    """Likely hair ``[B,1,n,n]`` with what is found in ``squares`` to the left (-1) or right (1) of faces: what either looks overlook is some."""
    count = likely.shape[-1]
    for way in ways:
        found = _parts(picture, within, span, count, [(side, way * across, down) for side, across, down in squares])
        likely = torch.maximum(likely, found * ramp(way * _columns(count, span, likely.device), *ASIDE))
    return likely


def _hangs(found: Tensor, span: float) -> Tensor:
    """Where hair ``[B,1,n,n]`` of squares of ``span`` sides is about to go on below the face."""
    coarse = found.shape[-1] / span
    first = round((BELOW[0] - 0.5 + span / 2) * coarse)
    return found[:, :, first : first + round(0.1 * coarse)] > HANGS


def _goes_aside(found: Tensor, span: float, way: int) -> bool:
    """Whether hair ``[B,1,n,n]`` of squares of ``span`` sides of any face is about to go on to the left (-1) or right (1) of what is looked at."""
    coarse = found.shape[-1] / span
    ends = sorted(round((span / 2 + way * at) * coarse) for at in (RIM, RIM + STRAND))

    def enough(found: Tensor) -> bool:
        return bool(((found[..., slice(*ends)] > BLOWN).any(3).sum(2) > STRAND * coarse).any())

    return enough(found) and enough(
        found * hanging_together(found, found, span)
    )  # else it is somebody else's, or shade on a wall


def _parts(
    picture: Tensor, within: Tensor, span: float, count: int, squares: Sequence[tuple[float, float, float]]
) -> Tensor:
    """How likely places are hair to the network that looks at ``squares`` as :data:`HANGING` has them, ``[B,1,count,count]``; 0 where none of
    them reaches."""
    unit, coarse = picture.shape[-1] / span, count / span
    # so far they reach beyond the picture
    rim = max(0.0, *(max(abs(across), down) + (side - span) / 2 for side, across, down in squares))
    both = F.pad(torch.cat([picture * within, within], 1), (round(rim * unit),) * 4)
    looks = []
    for side, *off in squares:
        left, top = (round((rim + (span - side) / 2 + by) * unit) for by in off)
        part = resized(both[:, :, top : top + round(side * unit), left : left + round(side * unit)], SIZE)
        looks.append(_unseen(part[:, :3] / part[:, 3:].clamp(min=1e-3), part[:, 3:].clamp(0, 1)))
    net = load_hair(device=picture.device)
    total = picture.new_zeros(len(picture), 2, *(round((span + 2 * rim) * coarse),) * 2)
    for (side, *off), logits in zip(squares, net(torch.cat(looks)).chunk(len(squares)), strict=True):
        here = round(side * coarse)
        left, top = (round((rim + (span - side) / 2 + by) * coarse) for by in off)
        weight = _fading(here, here / 5, picture.device).expand(len(picture), 1, -1, -1)
        found = F.interpolate(logits, (here, here), mode="bilinear", align_corners=False)
        total[:, :, top : top + here, left : left + here] += torch.cat([found * weight, weight], 1)
    rim = round(rim * coarse)
    found, weight = total[..., rim : rim + count, rim : rim + count].split(1, 1)
    return (found / weight.clamp(min=0.05)).sigmoid() * (10 * weight).clamp(max=1)


@torch.no_grad()
def hair_around(picture: Tensor, within: Tensor, span: float, count: int) -> Tensor:
    """Hair beside and below faces, roughly and by few looks, ``[B,1,count,count]`` 0..1; arguments as of :func:`find_hair`."""
    picture = picture.float()
    found = _parts(picture, within, span, count, AROUND)
    if _hangs(found, span).any():  # one look does not see all of it
        low = _parts(picture, within, span, count, HANGING[1:2]) * share_below(count, span, picture.device)
        found = torch.maximum(found, low)
    ways = [way for way in (-1, 1) if _goes_aside(found, span, way)] if span > FAR else []
    return _with_aside(found, picture, within, span, ways, BESIDE[2:3])


def _surer_below(likely: Tensor, span: float) -> Tensor:
    """Likely hair ``[B,1,n,n]``, more certainly some or none below the face: see :data:`ALTOGETHER`."""
    surer = (ALTOGETHER[0] * likely.logit(1e-4) + ALTOGETHER[1]).sigmoid() * (likely > 0)
    return torch.lerp(likely, surer, share_below(likely.shape[-1], span, likely.device))


def share_below(count: int, span: float, device: torch.device) -> Tensor:
    """Of rows ``[count,1]`` of squares of ``span`` sides, what of their hair is found below the face alone, 0..1."""
    rows = (torch.arange(count, device=device) + 0.5) / count * span + 0.5 - span / 2
    return ramp(rows, *BELOW)[:, None]


def share_apart(count: int, span: float, device: torch.device) -> Tensor:
    """The same below and beside the face, ``[count,count]``: what is found by looks that see a face in part."""
    return torch.maximum(share_below(count, span, device), ramp(_columns(count, span, device).abs(), *ASIDE))


def _columns(count: int, span: float, device: torch.device) -> Tensor:
    """How far columns ``[count]`` of squares of ``span`` sides lie to the right of their middle."""
    return ((torch.arange(count, device=device) + 0.5) / count - 0.5) * span


def goes_on(picture: Tensor, within: Tensor, span: float) -> bool:
    """Whether hair of any of the faces goes on below or beside them, in squares ``[B,3,S,S]`` of :data:`WINDOW` sides; as of :func:`how_far`."""
    found = F.interpolate(_look(picture, within).sigmoid(), (COARSE,) * 2, mode="bilinear", align_corners=False)
    return bool(_hangs(found, span).any()) or any(_goes_aside(found, span, way) for way in (-1, 1))


def how_far(picture: Tensor, within: Tensor, span: float) -> float:
    """How far down, or to a side, hair of any of the faces goes on, in sides of the face square from its middle.

    Args:
        picture: squares ``[B,3,S,S]`` around the middle of the face squares.
        within: ``[B,1,S,S]`` as of :func:`find_hair`.
        span: their side in sides of the face square, more than :data:`FAR`.
    """
    found = _looked(picture, within, span, SIZE // 2, (WINDOW,))[0]
    found = (_going_on(found, picture, within, span, SIZE // 2) > HANGS).float()
    count = found.shape[-1]
    rows, columns = ((found.mean(axis) > LEAST / 4).any(0)[0].nonzero()[:, 0] for axis in (3, 2))
    pixels = [*(rows + 1).tolist(), *(columns + 1).tolist(), *(count - columns).tolist()]
    return (max(pixels, default=count / 2) / count - 0.5) * span


def textured(picture: Tensor, mask: Tensor, radius: int) -> Tensor:
    """Whether places have some of the texture that hair has, ``[B,1,h,w]`` 0..1, or are surely hair all the same: a wall that is out of
    focus has none. All are taken for hair where hair is out of focus itself."""
    tone = (picture.mean(1, keepdim=True).clamp(min=0) + 0.03).log()
    fine = blurred((tone - blurred(tone, 1, 1)).abs(), radius)
    usual = [one[m > 0.9].median() if (m > 0.9).any() else one.sum() * 0 for one, m in zip(fine, mask, strict=True)]
    usual = torch.stack(usual)[:, None, None, None]
    some = ramp(fine / usual.clamp(min=1e-4), *TEXTURE)
    some = torch.where(usual < BLURRED, 1.0, some)
    return torch.lerp(some, torch.ones_like(some), ((mask - 0.9) / 0.08).clamp(0, 1))


def hanging_together(mask: Tensor, likely: Tensor, span: float) -> Tensor:
    """Where hair ``mask [B,1,n,n]`` of squares of ``span`` sides goes on from that of which the network is sure about the face, ``[B,1,n,n]`` 0..1:
    a dark thing on the wall does not."""
    side = round(CONNECTED * span)
    on, sure = (resized(x, side) for x in (mask, likely))
    on = (on > HANGS).float()
    at = _columns(side, span, mask.device)
    about = (at.abs() < ABOUT[0]) & (at[:, None] < ABOUT[1]) & (at[:, None] > -0.5)
    reached = on * (sure > SURELY) * about
    count = 0.0
    while (now := reached.sum().item()) > count:
        count = now
        for _ in range(4):
            reached = largest(reached, 3) * on
    # softly, and a gap as narrow as a ribbon counts as none
    return torch.where(reached.sum((1, 2, 3), keepdim=True) > 0, resized(largest(reached, 5), mask.shape[-1]), 1.0)


def enclosed(mask: Tensor, picture: Tensor, likely: Tensor, radius: int) -> Tensor:
    """Hair ``mask [B,1,h,w]`` with its holes and notches closed, up to ``2 * radius`` pixels wide, where the picture ``[B,3,h,w]`` has the colour of
    the hair around and it is ``likely`` at all: black hair has no texture, and one look or another overlooks a part of it."""
    closed = blurred(closing(mask, 2 * radius + 1), max(1, radius // 3))
    weight = mask.square() + 1e-4
    around = blurred(torch.cat([picture * weight, weight], 1), radius)
    off = (picture - around[:, :3] / around[:, 3:]).abs().amax(1, keepdim=True)
    alike = 1 - ramp(off, *ALIKE)
    return torch.maximum(mask, closed * alike * ramp(likely, *DOUBTED))


def _black(picture: Tensor, mask: Tensor) -> Tensor:
    """Whether places of pictures ``[B,3,h,w]`` with hair ``[B,1,h,w]`` that is black are as black, ``[B,1,h,w]`` 0..1."""
    grey = picture.mean(1, keepdim=True)
    hair = (grey * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp(min=1)
    return ramp(torch.maximum(grey, hair), BLACK[1], BLACK[0])


def known(likely: Tensor, span: float) -> Tensor:
    """Whether the network is sure of most of the hair it finds in squares ``[B,1,n,n]`` of ``span`` sides, or of most of that above the face,
    ``[B,1,1,1]`` 0..1. Then what it doubts is a wall as dark as the hair, or a coat; it doubts all of hair that is pale, or dyed green."""
    at = _columns(likely.shape[-1], span, likely.device)
    above = (at.abs() < CROWN[0]) & (at[:, None] < 0) & (at[:, None] > -CROWN[1])
    out = []
    for where, bounds in ((torch.ones_like(above), KNOWN), (above, KNOWN_ABOVE)):
        sure, found = (((likely > least) & where).float().mean((2, 3), keepdim=True) for least in (0.9, 0.5))
        out.append(ramp(sure / found.clamp(min=1e-6), *bounds))
    return torch.maximum(*out)


def near_sure(likely: Tensor, span: float, reach: int, familiar: Tensor) -> Tensor:
    """How much of what may be hair in squares ``[B,1,n,n]`` of ``span`` sides is near to what surely is, in pixels, or nearly sure itself,
    ``[B,1,n,n]`` 0..1: doubt about hair that is ``familiar [B,1,1,1]``, as :func:`known` tells, is as narrow as its border."""
    core = ramp(likely, *CORE)
    near = blurred(largest(core, 2 * reach + 1), max(1, reach // 2), 1)
    near = torch.maximum(near, ramp(likely, *SOME))
    far = ramp(
        _columns(likely.shape[-1], span, likely.device).abs(), ASIDE[1], FAR / 2
    )  # beside faces whatever hair it is
    return 1 - torch.maximum(familiar, far) * (1 - near)


def middle(picture: Tensor, span: float) -> Tensor:
    """The square in the middle of ``[B,C,S,S]`` whose side is 1 of ``span``."""
    rim = round(picture.shape[-1] * (1 - 1 / span) / 2)
    return picture if rim == 0 else picture[..., rim:-rim, rim:-rim]


def matted(
    picture: Tensor, mask: Tensor, band: int, inner: Tensor | None = None, outer: Tensor | None = None
) -> Tensor:
    """A mask ``[B,1,h,w]`` whose border is a matte: near it, how far a pixel's colour is on the way from what lies beyond to the hair.

    Where hair and what lies beyond have much the same colours, the mask stays what it is. It is done twice, so that ends of strands are
    found that lie beyond what the border may be off.

    Args:
        picture: ``[B,3,S,S]``, as fine as the mask or finer.
        mask: ``[B,1,h,w]``.
        band: how far the border may be off, in pixels of the mask.
        inner, outer: what surely is hair, and what may be, ``[B,1,h,w]``: between these colours alone tell; None = the mask.

    Returns:
        ``[B,1,S,S]``.
    """
    # strands are light and dark, and their hue tells them all the same
    picture = torch.cat([picture, HUE * picture[:, :2] / (picture.sum(1, keepdim=True) + 0.1)], 1)
    side, reach = mask.shape[-1] // 2, max(1, band // 2)
    coarse, rough = resized(picture, side), resized(mask, side)
    row, column, _ = _pairs(coarse.shape[1], coarse.device)
    sums = torch.cat([torch.ones_like(rough), coarse, coarse[:, row] * coarse[:, column]], 1)
    known = [rough if one is None else resized(one, side) for one in (inner, outer)]
    ways = _ways(sums, *known, reach)
    first = _on_the_way(coarse, rough, ways)
    mask = mask + resized(first - rough, mask.shape[-1])
    ways, size = _ways(sums, first, first, reach), picture.shape[-1]
    out = torch.zeros_like(picture[:, :1])
    some = torch.maximum(resized(mask.clamp(min=0), side), ways[:, 1:2]).amax((0, 1)) > 0
    rows, columns = (some.any(axis).nonzero()[:, 0].tolist() for axis in (1, 0))
    if rows:  # hair is a small part of a wide picture
        box = tuple(math.ceil(end * size / side) for v in (rows, columns) for end in (v[0], v[-1] + 1))
        ways, box = enlarged_part(ways, size, box)
        mask, (top, _, left, _) = enlarged_part(mask, size, box)
        part = (..., slice(box[0], box[1]), slice(box[2], box[3]))
        mask = mask[..., box[0] - top : box[1] - top, box[2] - left : box[3] - left]
        out[part] = _on_the_way(picture[part], mask, ways).clamp(0, 1)
    return out


def _ways(sums: Tensor, inner: Tensor, outer: Tensor, reach: int, noise: float = 0.05) -> Tensor:
    """From place to place of a picture of C colours: how much the border is to be looked for, how much hair there may be, and the way from
    what lies beyond to the hair with where it begins and how far along it hair and what lies beyond vary, ``[B,5+C,h,w]``; of what surely is hair, and what may be, ``[B,1,h,w]``, and of ones, the colours, and their products
    by pairs, ``sums [B,1+C+C(C+1)/2,h,w]``.

    It is the way on which these two differ most for how much either varies (Fisher, The use of multiple measurements, 1936)."""
    least, most = largest(torch.cat([1 - inner, outer], 1), 2 * reach + 1).split(1, 1)
    # where a part is too thin to have a middle, what is surest of it tells its colours; numbers below 1e-38 would be slow
    hair = (1 - 2 * least).clamp(min=0) + 0.05 * inner**8 + 1e-9
    beyond = (1 - 2 * most).clamp(min=0) + 0.05 * (1 - outer) ** 8 + 1e-9
    (some, more), (of_hair, of_beyond), vary = _colors(sums, torch.stack([hair, beyond]), 2 * reach)
    way = of_hair - of_beyond
    row, column, at = _pairs(way.shape[1], way.device)
    both = vary.sum(0)[:, at].movedim((1, 2), (-2, -1)) + noise**2 * torch.eye(way.shape[1], device=way.device)
    along = torch.linalg.solve(both.cpu(), way.movedim(1, -1)[..., None].cpu())  # not every device solves many at once
    along = along[..., 0].movedim(-1, 1).to(way)
    far = (way * along).sum(1, keepdim=True)
    along = along / far.clamp(min=1e-6)
    begin = (along * of_beyond).sum(1, keepdim=True)
    pairs = along[:, row] * along[:, column] * torch.where(row == column, 1.0, 2.0)[:, None, None]
    spread = (vary * pairs).sum(2).clamp(min=0).sqrt().movedim(0, 1)
    apart = some * more * far**2 / (far**2 + APART**2)
    apart, way = resized(torch.cat([apart, along, begin, spread], 1), inner.shape[-1]).tensor_split((1,), 1)
    unsure = (2 * torch.minimum(least, most)).clamp(max=1) * apart
    near = (3 * blurred(most, max(1, reach // 2))).clamp(max=1)
    return torch.cat([unsure, near, way], 1)


def _on_the_way(picture: Tensor, mask: Tensor, ways: Tensor) -> Tensor:
    """How far pixels ``[B,C,h,w]`` are on ways from :func:`_ways`, or else what a mask says, ``[B,1,h,w]``."""
    unsure, near, along, begin, hair, beyond = ways.split((1, 1, picture.shape[1], 1, 1, 1), 1)
    alpha = (picture * along).sum(1, keepdim=True) - begin
    low, high = (SPREAD * beyond).clamp(*LOW), 1 - (SPREAD * hair).clamp(*HIGH)
    return torch.lerp(mask, torch.minimum(ramp(alpha, low, high), near), unsure)


def _colors(sums: Tensor, weight: Tensor, radius: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of parts ``weight [P,B,1,h,w]`` of a picture, with ``sums`` as of :func:`_ways`, from place to place, which are half as
    many a side (``y`` and ``x``): whether there is any of a part near ``[P,B,1,y,x]`` 0..1, its mean ``[P,B,C,y,x]``, and how much it varies
    within itself, by pairs of colours ``[P,B,C(C+1)/2,y,x]``."""
    count = math.isqrt(2 * sums.shape[1]) - 1
    row, column, _ = _pairs(count, sums.device)
    sums = blurred(sums * weight, radius, every=2)
    some, mean, square = sums.split((1, count, len(row)), 2)
    mean, square = mean / some.clamp(min=1e-5), square / some.clamp(min=1e-5)
    return (50 * some).clamp(max=1), mean, square - mean.index_select(2, row) * mean.index_select(2, column)


def _pairs(count: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs of colours of a symmetric matrix: their rows and columns ``[N]``, and the pair at each place of it ``[count,count]``."""
    row, column = torch.triu_indices(count, count, device=device)
    at = torch.empty(count, count, dtype=torch.long, device=device)
    at[row, column] = at[column, row] = torch.arange(len(row), device=device)
    return row, column, at


def trusted(logits: Tensor, least: tuple[float, float] = SURE) -> Tensor:
    """Whether the hair of logits ``[B,1,h,w]`` is enough and sure, ``[B]`` bool: by :data:`SURE`, or another mean logit at ``least``."""
    found = (logits > 0).float()
    share = found.mean((1, 2, 3))
    sure = (logits * found).sum((1, 2, 3)) / found.sum((1, 2, 3)).clamp(min=1)
    little = ramp(share, *MUCH)
    return (share >= LEAST) & (sure >= least[0] + (least[1] - least[0]) * little)


def resized(picture: Tensor, size: int) -> Tensor:
    """Pictures ``[B,C,S,S]`` with ``size`` pixels a side."""
    if picture.shape[2:] == (size, size):
        return picture
    if size > picture.shape[-1]:
        return enlarged(picture, (size, size))
    return F.interpolate(picture, (size, size), mode="bilinear", antialias=True, align_corners=False)


def guided(picture: Tensor, mask: Tensor, radius: int, softness: float = 0.05) -> Tensor:
    """A mask ``[B,1,h,w]`` whose borders follow the edges of a picture ``[B,3,h,w]`` (He, Guided Image Filtering, 2010; on the
    brightness alone).

    Args:
        radius: of the window, in pixels.
        softness: difference of brightness that counts as an edge.
    """

    grey = picture.mean(1, keepdim=True)
    means = blurred(torch.cat([grey, mask, grey * mask, grey * grey], 1), radius, 1)
    at, of, both, square = means.split(1, 1)
    slope = (both - at * of) / (square - at * at + softness**2)
    slope, base = blurred(torch.cat([slope, of - slope * at], 1), radius, 1).split(1, 1)
    return (slope * grey + base).clamp(0, 1)


__all__ = ["HairNet", "find_hair", "likely_hair", "load_hair"]
