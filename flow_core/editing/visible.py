"""Which part of a region is seen: what covers it, such as a microphone before the lips, a lens before an eye or hair on the brow, is spared.

Landmarks tell where a region should be. The pixels tell whether it is there: by the colours of the face's own skin and lips, by the
network that finds hair, and by how far the eyes are open.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.covered import SIZE as COVERED_SIZE
from ..faces.covered import load_covered
from ..faces.hair import FAR, guided, hair_around, likely_hair, middle, resized, share_apart
from ..faces.landmarks import AT, BROWS, EYES, IRISES, LIPS, OVAL
from ..faces.ornaments import ornaments
from ..faces.regions import polygon_mask, region_mask
from ..faces.skin import SIDE as SKIN_SIDE
from ..faces.skin import Heads, skin_beyond
from ..fields.base import color_taper
from ..geometry.grid import pixel_centers
from ..geometry.lab import hues, rgb_to_lab
from ..geometry.neighbours import blurred, largest
from ..geometry.ramp import ramp

# Soft borders of the regions, in fractions of the crop side: make-up on cheeks fades over centimetres, a brow has an edge.
EDGE = {"cheeks": 0.09, "under-eyes": 0.04, "eyelids": 0.03, "brows": 0.014}
SHARP = 0.015  # the border of the others
SPARED = {  # what a soft border must not tint
    "cheeks": ("lips", "under-eyes", "irises"),
    "under-eyes": ("irises",),
    "eyelids": ("brows", "irises"),
}
# How much of a colour the inner end of a brow takes, and the share of its length from where on it takes all
BROW_END = 0.3, 0.3
SKIN_MARGIN = 0.1  # how far skin (brow, ears, neck) may lie beyond the landmarks, fractions of the crop side
# Standard deviations of a face's skin: in r and g of r + g + b = 1, and in ln of brightness
HUE_SPREAD, LIGHT_SPREAD = 0.028, 0.5
OPEN_EYES = (0.085, 0.125)  # height of an opened eye in its widths: from closed to open
CONTRAST = (0.1, 0.18)  # L of the bright less the dark of an eye, in L of the skin: dark glasses, and an eye
EYE_SKIN = (0.12, 0.3)  # share of skin around eyes that dark glasses leave, and that is enough
COVERED = (0.3, 0.6)  # probability that a place is covered: seen, and spared
HAIR_LIKE_SKIN = 0.25  # share of the hair that looks like skin, from which on that tells nothing
HAIR_SPREAD = 10.0, 5.0, 6.0  # standard deviations of the colours of a head of hair, at least, CIE Lab
MIXED = 0.03  # of the square, over which hair mixes with what lies beyond
HAIR_FAR = 3.0, 4.4  # of these deviations, from where on a colour is not that of the hair
SURELY = 0.6  # of a pixel, from where on it tells the colour of hair
# times that the hues of a head of hair differ in the middle, CIE Lab in one light, that tell nothing; and beyond that, those of hair, and of a ribbon
LOUD = 2.5, 18.0, 28.0
LIT = 18.0, 32.0  # L of what is too dark to be a ribbon that is seen, and of one
HEAD = 1.25  # sides of the face square of the square in which ornaments are looked for
LIKELY = 0.7, 0.9  # probability of hair: on a face that may be skin, and on one that is none
UNLIKELY = 0.02, 0.1  # the same: that is none on a face, such as a cheek in shade, and may be
INNER = 0.85  # of the oval of the face, in which below the brows there is no hair
TAKEN = 0.7, 0.4  # share of a colour of skin that lips, and brows, do not take
BROW = 0.95, 1.65  # of the oval's half above the brows, up to where a brow may go on, across and up
LONG = 0.2, 0.45  # share of hair beyond the skull: of close-cropped, and of long hair
SHORT = 0.075, 0.11  # of the square, that it covers: where it is shorn all over, and at the sides alone
# of a pixel that looks like skin, what is none of the hair; how far, CIE Lab, it may look otherwise
SHORN, SHORN_ALIKE = 0.85, 9.0
SKULL = 1.15, 1.1  # half widths of a face, and heights of it below the eyes, that a head with its hair has
# Of the square below the chin, up to where a neck may go on, and by where it has faded into what is not painted
NECK = 0.05, 0.22
# How far the chin is off the middle of the jaw, in half widths of that, of a face from the front, and of one that hides half of the neck
TURNED = 0.1, 0.6
COLLAR = 0.2, 0.5  # the same of a neck that goes on below the face square
WALL = 0.1, 0.3  # share of what lies beside a face that looks like skin: none, and too much
FRINGE = 1.0, 1.4  # of the way up from the brows to the top of the face, between which a fringe may end and hair begin
BESIDE = 0.75, 0.95  # of the half width of the face, beyond which no fringe ends
IRIS = 0.024  # radius, fractions of the crop side


T = TypeVar("T")
_KEPT: deque[Seen] = deque(maxlen=4)


def seen_in(
    landmarks: Tensor,
    picture: Tensor,
    size: int,
    span: float = 1.0,
    fine: int | None = None,
    within: Tensor | None = None,
) -> Seen:
    """:class:`Seen`, of the last few faces, singly, as it was when they were looked at before: another colour on the same face costs little."""
    asked = size, span, fine or size, torch.is_inference_mode_enabled()
    for kept in tuple(_KEPT):
        pairs = (kept.landmarks, landmarks), (kept.picture, picture), (kept.within, within)
        if kept.asked == asked and all(_same(one, other) for one, other in pairs):
            return kept
    made = Seen(landmarks, picture.clone(), size, span, fine, None if within is None else within.clone())
    made.asked = asked
    if len(landmarks) == 1:  # some 4 MB; of a batch it would be much that nobody may ask for again
        _KEPT.appendleft(made)
    return made


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.device == other.device and one.dtype == other.dtype and torch.equal(one, other)


class Seen:
    """What of each region is seen on faces.

    Args:
        landmarks: ``[B,161,2]`` in crop points.
        picture: squares ``[B,3,S,S]`` RGB 0..1 around the middle of the face squares.
        size: pixels of the masks along a side of the face squares.
        span: side of the squares in sides of the face squares. Hair and skin alone are looked for beyond the latter.
        fine: the same as ``size`` for the mask of hair, whose strands are finer than anything else; None = as of the others.
        within: ``[B,1,S,S]`` 1 where the squares are seen, and not the border of the picture repeated; None = everywhere.
    """

    def __init__(
        self, landmarks: Tensor, picture: Tensor, size: int, span: float = 1.0, fine: int | None = None,
        within: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.landmarks, self.picture, self.size, self.span = landmarks, picture.float(), size, span
        self.within = within
        self.fine, self.asked = fine or size, ()
        self.aligned = middle(self.picture, span)
        self.whole = resized(self.picture, round(size * span))
        self.rgb = middle(self.whole, span)
        self._made: dict[Hashable, object] = {}
        self._kept: dict[str, Tensor] = {}
        self._drawn: dict[tuple[str, float], Tensor] = {}

    def outline(self, name: str, edge: float = SHARP) -> Tensor:
        """The region as the landmarks have it, ``[B,1,size,size]``."""
        if (name, edge) not in self._drawn:
            self._drawn[name, edge] = region_mask(self.landmarks, name, self.size, edge).to(self.rgb)
        return self._drawn[name, edge]

    def region(self, name: str) -> Tensor:
        """Where a region is seen, ``[B,1,size,size]`` 0..1 of the face square; hair, of the whole picture."""
        if name not in self._kept:
            if name in ("hair", "skin", "lips", "irises"):
                mask = getattr(self, f"_{name}")()
            else:
                mask = self.outline(name, EDGE.get(name, SHARP)) * (1 - self.hair)
                if name == "cheeks":
                    mask = mask * self.skin_like.clamp(min=0.05).sqrt() * self.outline("all", 0.03)
                elif name == "brows":
                    mask = mask * self._brow_length()
                elif name in ("eyelids", "under-eyes"):
                    mask = mask * self._bare_eyes()
                    if name == "eyelids":  # most on the lid, least below the brow
                        mask = mask * self.outline("eyes", 0.05).sqrt()
            for other in SPARED.get(name, ()):
                mask = mask * (1 - self.outline(other))
            self._kept[name] = mask
        return self._kept[name]

    def there(self, names: Sequence[str]) -> Tensor:
        """Whether each region is seen well enough to be painted, ``[B,R]`` 0 or 1."""
        out = []
        for name in names:
            of = self.outline("irises" if name == "irises" else name).sum((1, 2, 3))
            share = self.region(name).sum((1, 2, 3)) / of.clamp(min=1e-3)
            out.append((share > 0) if name == "hair" else (share > 0.15))
        return torch.stack(out, 1).to(self.rgb)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` makes, kept for the next time: what is painted on the same face in other colours."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @functools.cached_property
    def light(self) -> tuple[Tensor, Tensor]:
        """Lab ``[B,3]`` of the skin, and L ``[B]`` of the brightest part of the face."""
        face = self.outline("skin", 0.0)
        brightest = [
            one[0][m[0] > 0.5].quantile(0.98) if (m > 0.5).any() else one[0].mean()
            for one, m in zip(self.lab, face, strict=True)
        ]
        return _mean(self.lab, face + 1e-9)[..., 0, 0], torch.stack(brightest)

    @functools.cached_property
    def whole_lab(self) -> Tensor:
        """CIE Lab ``[B,3,n,n]`` of the whole picture, n = ``size * span``."""
        planes = self.whole.movedim(1, 0)
        return rgb_to_lab(planes.flatten(1)).unflatten(1, planes.shape[1:]).movedim(0, 1)

    @property
    def lab(self) -> Tensor:
        """CIE Lab ``[B,3,size,size]`` of the face square."""
        return middle(self.whole_lab, self.span)

    def mask(self, name: str) -> Tensor:
        """Where a region is seen in the whole picture, ``[B,1,n,n]`` 0..1, n = ``size * span``, or ``fine * span`` for hair; what is neither
        hair nor skin fades at the border of the face square."""
        mask = self.region(name)
        if self.span == 1 or name == "hair":
            return mask
        if name == "skin":
            return self._all_skin()
        return self._around(mask * color_taper(pixel_centers(self.size, self.size, mask.device))[:, None])

    def _around(self, mask: Tensor, value: float = 0.0) -> Tensor:
        """A mask of the face square in the whole picture, with one value around it."""
        return F.pad(mask, (self._rim,) * 4, value=value) if self._rim else mask

    @property
    def _rim(self) -> int:
        """Pixels of the whole picture beside the face square."""
        return (self.whole.shape[-1] - self.size) // 2

    @property
    def face(self) -> Tensor:
        """The face with its brow up to the hair, in the whole picture, ``[B,1,n,n]`` 0..1, n = ``size * span``."""
        return self._around(torch.maximum(self.outline("all", 0.03), self._brow_and_neck[0]))

    @property
    def rooted(self) -> Tensor:
        """Where hair beside the face grows out of it, in the whole picture, ``[B,1,n,n]`` 0..1: not where a fringe ends."""
        points = pixel_centers(self.size, self.size, self.rgb.device)
        brow, top, left, right = self._brows, *(self.landmarks[:, AT[i], None] for i in (10, 234, 454))
        height = (brow - points.flatten(1, 2))[..., 1] / (brow - top)[..., 1].clamp(min=0.02)
        off = (points.flatten(1, 2) - (left + right) / 2)[..., 0].abs() / ((right - left)[..., 0] / 2).clamp(min=0.02)
        grown = torch.maximum(ramp(height, *FRINGE), ramp(off, *BESIDE))
        return self._around(grown.unflatten(1, (self.size, self.size))[:, None], 1.0)

    @functools.cached_property
    def found_hair(self) -> tuple[Tensor, Tensor, Tensor]:
        """:func:`flow_core.faces.hair.likely_hair`."""
        return likely_hair(self.picture, self.fine, self.span, self.within)

    @functools.cached_property
    def covered(self) -> Tensor:
        """What covers the face, ``[B,1,size,size]`` 0..1, see :mod:`flow_core.faces.covered`."""
        small = resized(self.aligned, COVERED_SIZE).clamp(0, 1).cpu()
        with torch.no_grad():
            found = load_covered()(small).sigmoid().to(self.rgb)
        return F.interpolate(ramp(found, *COVERED), (self.size, self.size), mode="bilinear", align_corners=False)

    @functools.cached_property
    def hair(self) -> Tensor:
        """Hair, ``[B,1,size,size]`` 0..1, or what is taken for some."""
        if not self.dyes:  # it need not be known how far it goes
            return likely_hair(self.aligned, self.size)[0]
        return resized(middle(self.found_hair[0], self.span), self.size)

    @property
    def dyes(self) -> bool:
        """Whether hair is looked for as finely as it is to be dyed."""
        return self.fine > self.size

    @property
    def skin_like(self) -> Tensor:
        """How much pixels look like the skin of cheeks and nose, ``[B,1,size,size]`` 0..1, in light or shade."""
        return self._skin_likes[0]

    @property
    def lit_skin(self) -> Tensor:
        """How much pixels look like that skin in any light, with gloss on it or in deep shade, ``[B,1,size,size]`` 0..1."""
        return self._skin_likes[1]

    @functools.cached_property
    def _skin_likes(self) -> tuple[Tensor, Tensor, Tensor]:
        seed = torch.maximum(self.outline("cheeks"), self.outline("nose")) * self.outline("skin")
        rgb = self.rgb.clamp(min=0) + 0.02
        total = rgb.sum(1, keepdim=True)
        values = torch.cat([rgb[:, :2] / total, total.log()], 1)
        wide = values.new_tensor([HUE_SPREAD, HUE_SPREAD, LIGHT_SPREAD])[:, None, None]
        at = seed.flatten(1).any(0).nonzero()[:, 0]  # few
        few, seed = (planes.flatten(2).index_select(2, at)[..., None] for planes in (values, seed))
        for _ in range(3):  # what does not look like most of it is no skin
            mean = _mean(few, seed)
            spread = torch.maximum(_mean((few - mean).square(), seed).sqrt(), wide / 2)
            seed = seed * torch.exp(-0.5 * ((few - mean) / (2 * spread)).square().sum(1, keepdim=True))
        off = (values - mean) / wide
        strict = torch.exp(-0.5 * off.square().sum(1, keepdim=True))
        # gloss is as white as the light is, and shade may be deep
        white = (values.new_full((2,), 1 / 3)[:, None, None] - mean[:, :2]) / wide[:2]
        along = (off[:, :2] * white).sum(1, keepdim=True) / white.square().sum(1, keepdim=True).clamp(min=1e-3)
        hue = off[:, :2] - along.clamp(0, 0.9) * white * (off[:, 2:] > 0)
        lit = torch.exp(-0.5 * ((hue / 2).square().sum(1, keepdim=True) + (off[:, 2:].clamp(max=0) / 2).square()))
        away = (off[:, :2] / 2).square().sum(1, keepdim=True)  # in shade there is no gloss
        shade = torch.exp(-0.5 * (away + (off[:, 2:].clamp(max=0) / 2).square() + off[:, 2:].clamp(min=0).square()))
        return strict, lit, shade

    def _skin(self) -> Tensor:
        # it goes on beyond the landmarks: brow, ears and neck, and the crown of a bald head
        brow, neck = self._brow_and_neck
        inside = torch.maximum(self.outline("all", 0.03), brow)
        near = torch.maximum(
            region_mask(self.landmarks, "all", self.size, SKIN_MARGIN).to(self.rgb),
            self.outline("hair", 0.05),
        )
        near = torch.maximum(near * self._no_wall(), torch.maximum(inside, neck))
        like = torch.maximum(inside * self.lit_skin, neck * self._skin_likes[2])  # under a chin it is dark
        like = torch.maximum(self.skin_like, like)
        like = guided(
            self.rgb,
            (2 * like).clamp(max=1) * (1 - self.hair) * (1 - self.covered * self.outline("all", 0.03)),
            self._near,
        )
        return blurred(near * like, 1, 1) * self._plain_skin

    @property
    def _near(self) -> int:
        """Pixels around each that tell whether it is skin."""
        return max(1, round(0.02 * self.size))

    @functools.cached_property
    def _plain_skin(self) -> Tensor:
        """0 within mouth and eyes, and less than 1 on lips and brows, ``[B,1,size,size]``."""
        # with what lies between the lips
        mouth = polygon_mask(self.landmarks[:, [AT[i] for i in LIPS]], self.size).to(self.rgb)
        eyes = sum(inside for inside, _, _ in self.eyes)
        # lips take some of a tan, and so does the skin between the hairs of brows
        lips, brows = self.outline("lips"), self.outline("brows") * (1 - ramp(self.skin_like, 0.65, 0.95))
        bare = (1 - 1.5 * torch.maximum((mouth - lips).clamp(min=0), eyes)).clamp(min=0)
        return bare * (1 - TAKEN[0] * lips) * (1 - TAKEN[1] * brows)

    @property
    def face_skin(self) -> Tensor:
        """Skin of the face square, in the whole picture, ``[B,1,n,n]`` 0..1, n = ``size * span``."""
        return self._around(self.region("skin"))

    def _all_skin(self) -> Tensor:
        """Skin of the face and beyond it, in the whole picture, ``[B,1,n,n]`` 0..1."""
        # Without it what goes on below would have an edge.
        taper = color_taper(pixel_centers(self.size, self.size, self.rgb.device))[:, None]
        own, face = self._around(self.region("skin") * taper), self._around(self.outline("all", 0.03))
        within = torch.ones_like(self.picture[:, :1]) if self.within is None else self.within.to(self.picture)
        if self.dyes:
            hair = resized(self.found_hair[0], self.whole.shape[-1])
        else:
            hair = hair_around(self.picture, within, self.span, self.whole.shape[-1])
            here, bare = middle(hair, self.span), torch.maximum(self.outline("all", 0.03), self._brow_and_neck[1])
            here.copy_(torch.maximum(self.hair, here * (1 - bare)))  # either look overlooks some
        top, chin = (self.landmarks[:, AT[i], 1] for i in (10, 152))
        heads = Heads(
            own,
            face,
            self._neck(SKIN_SIDE, self.span, COLLAR),
            self._brow_and_neck[0],
            self._skull(),
            chin,
            top,
            self._turned[:, 0],
        )
        more, beside = skin_beyond(self.whole, within, self.span, heads, hair)
        more = self._to_edges(self.whole, more)
        inside = self.outline("all", 0.03)
        own = own * self._around(torch.maximum(inside, self._to_edges(self.rgb, middle(beside, self.span))))
        # within the face it is known where lips and eyes are, and what covers them may be a hand
        around = largest(self.covered, 2 * self._near + 1)  # so far the border of a cover is softened
        open_ = 1 - torch.maximum(self._around(self.covered), self._around(around * self._plain_skin))
        return torch.maximum(own, more * (1 - face * open_))

    def _to_edges(self, picture: Tensor, skin: Tensor) -> Tensor:
        """What :func:`flow_core.faces.skin.skin_beyond` finds, as large as a picture ``[B,3,n,n]`` and up to its edges, ``[B,1,n,n]``."""
        return guided(picture, largest(resized(skin, picture.shape[-1]), 3), max(1, round(0.025 * self.size)), 0.03)

    def _brow_length(self) -> Tensor:
        """Less than 1 at the inner ends of the brows, whose hairs are few and begin nowhere in particular, ``[B,1,size,size]``."""
        points, shares = pixel_centers(self.size, self.size, self.landmarks.device), []
        for brow in BROWS:
            inner = self.landmarks[:, [AT[i] for i in brow[4:6]]].mean(1)[:, None, None]
            along = self.landmarks[:, AT[brow[0]]][:, None, None] - inner
            shares.append(((points - inner) * along).sum(-1) / along.square().sum(-1).clamp(min=1e-9))
        return BROW_END[0] + (1 - BROW_END[0]) * ramp(torch.maximum(*shares), 0.0, BROW_END[1])[:, None]

    @functools.cached_property
    def _brows(self) -> Tensor:
        """The middle of the brows, ``[B,1,2]``."""
        return self.landmarks[:, [AT[i] for c in BROWS for i in c]].mean(1, keepdim=True)

    @functools.cached_property
    def _brow_and_neck(self) -> list[Tensor]:
        """Where a brow goes on up to the hair, and a neck down to the collar, ``[B,1,size,size]`` 0..1."""
        oval, brow = self.landmarks[:, [AT[i] for i in OVAL]], self._brows
        upper = brow + (oval - brow) * oval.new_tensor(BROW)
        upper = torch.stack([upper[..., 0], torch.minimum(upper[..., 1], brow[..., 1])], -1)
        radius = max(1, round(0.015 * self.size))
        return [blurred(polygon_mask(upper, self.size).to(self.rgb), radius), self._neck(self.size, 1.0, NECK)]

    @property
    def _turned(self) -> Tensor:
        """How far faces are turned aside, ``[B,1]`` from -1, to the left of the picture, to 1, to the right."""
        left, right, chin = (self.landmarks[:, AT[i], :1] for i in (172, 397, 152))
        off = (2 * chin - left - right) / (right - left).clamp(min=0.02)
        return ramp(off.abs(), *TURNED) * off.sign()

    def _neck(self, size: int, span: float, ends: tuple[float, float]) -> Tensor:
        """A neck in squares of ``span`` sides, which ends between so far below the chin, ``[B,1,n,n]`` 0..1, n = ``size * span``."""
        n = round(size * span)
        left, right, chin = (self.landmarks[:, AT[i]] for i in (172, 397, 152))
        # the neck of a face that is turned aside ends on the far side below the chin
        left, right = (
            torch.lerp(corner, torch.cat([chin[:, :1], corner[:, 1:]], 1), (way * self._turned).clamp(min=0))
            for way, corner in ((-1, left), (1, right))
        )
        down = chin[:, 1:] + ends[1]
        neck = torch.stack([left, right, torch.cat([right[:, :1], down], 1), torch.cat([left[:, :1], down], 1)], 1)
        neck = blurred(polygon_mask((neck - 0.5) / span + 0.5, n).to(self.rgb), max(1, round(0.015 * size)))
        below = ((pixel_centers(n, n, neck.device)[..., 1] - 0.5) * span + 0.5) - chin[:, 1, None, None]
        return neck * (1 - ramp(below, *ends))[:, None]

    def _no_wall(self) -> Tensor:
        """Left and right of the face, ``[B,1,1,size]``: 0 where what lies far from it looks like skin too."""
        n = self.size
        rows, strip = slice(round(0.2 * n), round(0.6 * n)), round(0.12 * n)
        far = self.skin_like * (1 - self.hair)
        walls = [far[:, :, rows, columns].mean((2, 3)) for columns in (slice(0, strip), slice(n - strip, n))]
        left, right = (1 - ramp(w, *WALL)[..., None, None] for w in walls)
        x = (torch.arange(n, device=far.device) + 0.5) / n
        return torch.where(x < 0.5, left, right)

    def _hair(self) -> Tensor:
        """Hair without what looks like skin, where it does not itself, and without the middle of the face, whose shade is dark too."""
        mask, trusted, likely = self.found_hair
        own = self.hair
        alike = _mean(self.skin_like, own.square().square() + 1e-6)
        brow = self._brows
        below = ramp(
            pixel_centers(self.size, self.size, mask.device)[:, None, ..., 1],
            brow[..., 1:, None],
            brow[..., 1:, None] + 0.05,
        )
        skin = self.skin_like * (1 - alike / HAIR_LIKE_SKIN).clamp(min=0) * below
        oval = self.landmarks[:, [AT[i] for i in OVAL]]
        center = oval.mean(1, keepdim=True)
        inner = center + INNER * (oval - center)
        inner = torch.stack([inner[..., 0], torch.maximum(inner[..., 1], brow[..., 1])], -1)
        face = blurred(polygon_mask(inner, self.size).to(mask), max(1, round(0.02 * self.size)))
        # skin in deep shade or in a grey picture looks like hair, but not to the network that knows what covers a face
        likely = resized(middle(likely, self.span), self.size)
        inside = torch.maximum(self.outline("all", 0.03), self._brow_and_neck[0])
        bare = torch.maximum(torch.maximum(skin, face), inside * ramp(self.lit_skin, 0.5, 0.95))
        covered = self.covered * inside  # beyond the face all covers it
        bare = torch.maximum(bare * (1 - ramp(likely, *LIKELY)), inside * (1 - ramp(likely, *UNLIKELY)))
        spared = 1 - bare * (1 - covered)
        spared = self._around(spared, 1.0)
        hair = resized(mask, spared.shape[-1]) * spared
        spared = spared * self._hair_like(hair) * (1 - self._shorn(hair)) * (1 - self._loud(hair))
        spared = spared * (1 - self._ornaments(hair))
        return mask * resized(spared, mask.shape[-1]) * trusted.to(mask)[:, None, None, None]

    def _skull(self) -> Tensor:
        """The head above the brows, as high as the face is from the eyes down, ``[B,1,size,size]`` 0..1."""
        oval, eyes = self.landmarks[:, [AT[i] for i in OVAL]], self.landmarks[:, [AT[i] for e in EYES for i in e]]
        center = torch.stack([oval[..., 0].mean(1), eyes[..., 1].mean(1)], -1)
        width = oval[..., 0].amax(1) - oval[..., 0].amin(1)
        half = torch.stack([width / 2, oval[..., 1].amax(1) - center[:, 1]], -1)
        points = pixel_centers(self.size, self.size, self.rgb.device)
        far = ((points - center[:, None, None]) / (half * half.new_tensor(SKULL))[:, None, None]).norm(dim=-1)
        return ((1 - ramp(far, 0.95, 1.1)) * (points[..., 1] < self._brows[..., 1:]))[:, None].to(self.rgb)

    def _shorn(self, mask: Tensor) -> Tensor:
        """How much of close-cropped hair is the skin below it, ``[B,1,n,n]`` 0..1 of the whole picture: how far its colours are on the way from
        black to the skin. Hair that goes beyond the skull hides it, whatever its colour; where there is more of it, but short, it is shorn at the
        sides alone."""
        beyond = 1 - _mean(self._around(self._skull()), mask)
        skin = self.light[0][..., None, None]
        black = skin * skin.new_tensor([0.25, 0.1, 0.1])[:, None, None]
        way, off = skin - black, self.whole_lab - black
        share = (off * way).sum(1, keepdim=True) / way.square().sum(1, keepdim=True).clamp(min=1)
        alike = torch.exp(-(off - share * way).square().sum(1, keepdim=True) / SHORN_ALIKE**2)
        little = 1 - ramp(mask.mean((2, 3), keepdim=True) * self.span**2, *SHORT)
        rows = (torch.arange(mask.shape[-1], device=mask.device) + 0.5) / self.size - (self.span - 1) / 2
        side = ramp(rows[:, None] - self.landmarks[:, AT[10], 1][:, None, None, None], 0.0, 0.06)
        short = (1 - ramp(beyond, *LONG)) * torch.maximum(little, side)
        return SHORN * short * alike * ramp(share, 0.1, 1.0)

    def _hair_like(self, mask: Tensor) -> Tensor:
        """How much pixels of the whole picture have the colour of most of the hair, or lie where hair is expected, which is above the
        brows and close to the face, or where the network is sure of it, ``[B,1,n,n]`` 0..1: a coat or a neck does not. Gloss does, as it is lighter."""
        lab, sure = self.whole_lab, mask.square().square() + 1e-6
        lab = torch.cat([lab[:, :1], hues(lab, 1)], 1)  # the same hair in light and shade
        least = lab.new_tensor(HAIR_SPREAD)[:, None, None]
        like = torch.ones_like(mask)
        for _ in range(2):
            mean = _mean(lab, sure * like)
            spread = torch.maximum(_mean((lab - mean).square(), sure * like).sqrt(), least)
            off = (lab - mean) / spread
            off = torch.cat([torch.where(off[:, :1] > 0, 0.5, 1.0) * off[:, :1], off[:, 1:]], 1)
            like = 1 - ramp(off.square().sum(1, keepdim=True).sqrt(), *HAIR_FAR)
        expected = self.outline("hair", 0.05)
        expected, rim = self._around(expected), (like.shape[-1] - self.size) // 2
        rows = (torch.arange(like.shape[-1], device=like.device) + 0.5 - rim) / self.size
        above = ramp(self._brows[..., 1:, None] - rows[:, None], 0.0, 0.05)
        surely = torch.maximum(above, ramp(resized(self.found_hair[2], like.shape[-1]), *LIKELY))
        if self.span >= FAR:  # on shoulders and far from the face it has only seen a part
            surely = surely * (1 - share_apart(like.shape[-1], self.span, like.device))
        like = torch.stack([like, expected, surely]).amax(0)
        # at the border it is partly what lies beyond, and as likely hair as what is within
        whole = ramp(mask, 0.6, 0.95)
        return torch.maximum(like, largest(like * whole, 2 * round(MIXED * self.size) + 1) * (1 - whole))

    def _ornaments(self, mask: Tensor) -> Tensor:
        """Ornaments in the hair above the brows, ``[B,1,n,n]`` 0..1 of the whole picture."""
        span = min(self.span, HEAD)
        near, of_hair = (middle(x, self.span / span) for x in (self.whole_lab, mask))
        rows = (torch.arange(near.shape[-1], device=near.device) + 0.5) / self.size - (span - 1) / 2
        found = ornaments(near, of_hair, self.size) * ramp(self._brows[..., 1:, None] - rows[:, None], 0.0, 0.05)
        return F.pad(found, ((mask.shape[-1] - found.shape[-1]) // 2,) * 4)

    def _loud(self, mask: Tensor) -> Tensor:
        """How much more colourful pixels of the whole picture are than all hair of the head, ``[B,1,n,n]`` 0..1: ribbons, bows and flowers. Hair of
        many colours has none."""
        out = torch.zeros_like(mask)
        for loud, lab, of_hair in zip(out.flatten(1), self.whole_lab.flatten(2), mask.flatten(1), strict=True):
            at = (of_hair > 0.01).nonzero()[:, 0]  # hair is a small part of a wide picture
            lab, sure = lab.index_select(1, at), of_hair[at] > SURELY
            if sure.any():
                hue = hues(lab)
                usual = hue[:, sure].median(1, keepdim=True).values
                off = torch.hypot(*(hue - usual))
                varied = off[sure].median()
                far, more = off - LOUD[0] * varied, torch.hypot(*hue) - usual.norm()
                # a rim of coloured light on dark hair is dark itself
                loud[at] = ramp(torch.minimum(far, more), *LOUD[1:]) * ramp(lab[0], *LIT)
        return largest(out, 3)  # at its border it is partly hair

    def _lips(self) -> Tensor:
        """Lips without what covers them, and without teeth that the landmarks take for lips: brighter and with less colour than the lips."""
        ring = self.outline("lips", 0.0) * (1 - self.covered)
        own = _mean(self.lab, ring + 1e-6)
        lighter = (self.lab[:, :1] - own[:, :1]) / (100 - own[:, :1]).clamp(min=10)
        chroma = self.lab[:, 1:].square().sum(1, keepdim=True).sqrt() / own[:, 1:].norm(dim=1, keepdim=True).clamp(
            min=4
        )
        teeth = ramp(lighter, 0.35, 0.6) * (1 - ramp(chroma, 0.35, 0.65))
        return self.outline("lips") * (1 - self.covered) * (1 - teeth)

    def _irises(self) -> Tensor:
        """Irises: dark discs within opened eyes, less what is white of the eye, or a highlight, or skin."""
        points = pixel_centers(self.size, self.size, self.rgb.device)
        light = self.lab[:, :1]
        out = torch.zeros_like(light)
        for eye, iris, (inside, dark, bright) in zip(EYES, IRISES, self.eyes, strict=True):
            lids = self.landmarks[:, [AT[i] for i in eye]]
            width = (lids[:, 0] - lids[:, 8]).norm(dim=-1)
            height = (lids[:, 9:16].mean(1) - lids[:, 1:8].mean(1)).norm(dim=-1)
            opened = ramp(height / width.clamp(min=1e-6), *OPEN_EYES)
            top, bottom = self.landmarks[:, AT[iris[1]]], self.landmarks[:, AT[iris[2]]]
            radius = ((top - bottom).norm(dim=-1) / 2).clamp(0.8 * IRIS, 1.25 * IRIS)[:, None, None]
            center = self.landmarks[:, AT[iris[0]]]
            depth = ((bright[:, None, None] - light[:, 0]) / (bright - dark).clamp(min=6)[:, None, None]).clamp(0, 1)
            for _ in range(2):  # onto the dark of the eye, sideways alone: lids cut it off above and below
                off = points - center[:, None, None]
                weight = inside[:, 0] * depth.square() * torch.exp(-off.square().sum(-1) / (2 * (1.2 * radius) ** 2))
                shift = (off[..., 0] * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1e-6)
                center = center + torch.stack([shift.clamp(-0.5 * IRIS, 0.5 * IRIS), torch.zeros_like(shift)], -1)
            disc = ((radius - (points - center[:, None, None]).norm(dim=-1)) * self.size + 0.5).clamp(0, 1)[:, None]
            iris_like = (2.2 * depth[:, None] - 0.3).clamp(0, 1)
            out = out + disc * inside * iris_like * opened[:, None, None, None]
        return out.clamp(max=1) * self.contrast

    @functools.cached_property
    def eyes(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Of either eye what lies between its lids ``[B,1,size,size]``, and L ``[B]`` of what is dark and what is bright there."""
        out = []
        for eye in EYES:
            inside = polygon_mask(self.landmarks[:, [AT[i] for i in eye]], self.size).to(self.rgb)
            parts = [
                q[m > 0.5] if (m > 0.5).sum() > 3 else q[:1, :1]
                for q, m in zip(self.lab[:, 0], inside[:, 0], strict=True)
            ]
            dark, bright = (torch.stack([p.quantile(q) for p in parts]) for q in (0.1, 0.9))
            out.append((inside, dark, bright))
        return out

    @property
    def eye_white(self) -> Tensor:
        """L ``[B]`` of the brighter white of the eyes."""
        return torch.stack([bright for _, _, bright in self.eyes]).amax(0).to(self.rgb)

    @functools.cached_property
    def contrast(self) -> Tensor:
        """Of the eyes, ``[B,1,1,1]`` 0..1: an eye has a white and a dark, a dark lens has neither."""
        skin = _mean(self.lab[:, :1], self.outline("skin") * self.skin_like + 1e-6)[:, 0, 0, 0]
        most = torch.stack([bright - dark for _, dark, bright in self.eyes]).amax(0) / skin.clamp(min=5)
        return ramp(most, *CONTRAST)[:, None, None, None]

    def _bare_eyes(self) -> Tensor:
        """0 where the eyes are behind dark glasses: there is neither an eye nor skin."""
        around = torch.maximum(self.outline("eyelids", 0.0), self.outline("under-eyes", 0.0))
        return torch.maximum(self.contrast, ramp(_mean(self.skin_like, around + 1e-6), *EYE_SKIN))


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Of ``[B,C,h,w]`` in masks ``[B,1,h,w]``, ``[B,C,1,1]``."""
    return (values * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp(min=1e-6)
