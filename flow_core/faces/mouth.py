"""Which colours teeth and the tongue have in the light of a picture, and what it shows between parted lips: how far down the upper
teeth reach, and where lower teeth or a tongue begin.

How light teeth are was fitted to 68 portraits that show some, among 446 of the SFHQ dataset: least squares on the lightness of cheeks and of
the white of the eyes misses by 0.13 of 1, root mean square; on the logarithm of their tints, in 66 portraits, by 0.06. In 700 grey
photographs of people who laugh it grows with that of the cheek alike, by 0.7 of it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.ramp import ramp
from ..geometry.sampling import sample_image
from .landmarks import AT, CHEEKS, EYES, LIPS, LIPS_INNER

SIZE = 128  # pixels a side of the face square that is looked at
# Where it is looked between the lips: from corner to corner, and from the upper lip to the lower one
COLUMNS, ROWS = 19, 16
SUB = 3  # places of which each row is the mean
# Lightness of teeth: a constant, and the parts of the cheeks and of the white of the eyes in it
TEETH = 0.25, 0.27, 0.62
WHITE = (
    0.6  # of the lightness of the cheeks, that the white of the eyes has at least: narrow eyes and dark glasses hide it
)
TINT = 0.21, 0.46  # exponents of the tints of the skin and of the white of the eyes, for teeth
# Logarithm of the green of teeth, less the mean of those of red and blue, that they have at least: a constant, and the part of that of the skin in it;
# and at most: the whites of eyes behind glasses are green
PINK, GREEN = (0.045, 0.87), 0.015
BRIGHT = 3.0  # lightness of teeth, of that of cheeks, at most: in dim light nothing glows
NOISE = 0.1  # of the opening, by which the edges of neighbouring teeth differ at most
TOUCHES = 0.65  # light of the darkest below teeth, of that of lips, with which these touch them
LEAST = 0.4  # which part of a mouth lower teeth or a tongue span at least
BENEATH = 0.25  # of an opening, dark above which lower teeth begin
# How much darker than teeth the line between their two rows is where it is seen, and counts at most; in which part of the columns at least; by how
# many rows it rises from column to column at most, and what each of them costs
SEEN, DEEPEST, BITES, STEEP, LEVEL = 0.08, 0.35, 0.24, 2, 0.01
TONGUE = 0.55  # lightness of the tongue, of that of the teeth
FLESH = 1.26, 0.845, 0.86  # its colour in white light
TINTED = 0.85, 1.3  # tints of lips that are theirs; what is more is lipstick, and tongues have none
MAUVE = 1.13  # blue in the green of tongues, of that of skin, at most
REDDER = 0.12, 0.25  # by which part of it less green than teeth a tongue is, surely not and surely
FACING = (81, 178), (82, 87), (13, 14), (312, 317), (311, 402)  # points of the upper and the lower lip that meet
PARTED = 0.008, 0.018  # largest opening below which lips may as well be shut, and above which they are known to part
MIDDLE = slice(SIZE // 4, 3 * SIZE // 4)  # of the face square: nothing there is lighter than the light allows


@torch.no_grad()
def mouth_colors(image: Tensor, crop: Crop) -> Tensor:
    """What is known of the inside of mouths, ``[B,3 + COLUMNS,3]`` on the CPU.

    The first three are sRGB 0..1: of teeth and of the tongue in the light of the picture, and the lightest seen between the lips.
    The others say of columns of the opening, see :func:`columns`, 0..1: how far down upper teeth reach, how light they are (0:
    there are none), and from where on what is seen goes with the jaw.

    Args:
        image: pictures ``[pictures,3,H,W]``.
        crop: B faces with landmarks.
    """
    aligned, places = crop.aligned(image, SIZE).float().clamp(0, 1).cpu(), crop.places.float().cpu()
    skin, grey, light, teeth = _lit(aligned, places)
    lips = _seen(aligned, (_at(places, *LIPS[2:9]) + _at(places, *LIPS_INNER[2:9])) / 2).median(1).values
    upper, lower = (_at(places, *(pair[k] for pair in FACING)) for k in (0, 1))
    between = torch.cat([torch.lerp(upper, lower, t) for t in (0.15, 0.25, 0.4, 0.55)], 1)
    between, of_lips = _lightest(_seen(aligned, between), 5), lips.mean(-1, keepdim=True).clamp(min=0.01)
    # Pale lips or skin make no pale tongue; but a grey picture has a grey one.
    flesh = skin.new_tensor(FLESH) ** _colored(skin)
    tongue = TONGUE * light * (skin / grey) ** 0.3 * (lips / of_lips).clamp(*TINTED) ** 0.5 * flesh
    colors = torch.stack([teeth, tongue, between], 1).clamp(0, 1)
    inner = places[:, [AT[i] for i in LIPS_INNER]]
    upper, lower = (columns(torch.cat(parts, 1)) for parts in ((inner[:, :1], inner[:, 10:].flip(1)), (inner[:, :11],)))
    down = (torch.arange(SUB * ROWS) + 0.5)[:, None, None] / (SUB * ROWS)
    inside = sampled(image, crop, torch.lerp(upper[:, None], lower[:, None], down)).unflatten(1, (ROWS, SUB)).mean(2)
    row = _row(inside, between, lips, teeth)
    # A mouth that is open already says which colour it has inside.
    deep = (down[SUB // 2 :: SUB, :, 0] > row[:, None, :, 2]).float()[..., None]
    color = (inside * inside.mean(-1, keepdim=True) * deep).sum((1, 2))  # the dark has no colour to speak of
    # But lower teeth are not as red as a tongue.
    green = (v[:, 1] / v[:, 0].clamp(min=0.02) for v in (color, teeth))
    redder = ((1 - next(green) / next(green) - REDDER[0]) / (REDDER[1] - REDDER[0])).clamp(0, 1)[:, None]
    color = color / color.mean(-1, keepdim=True).clamp(min=1e-3) * colors[:, 1].mean(-1, keepdim=True)
    colors[:, 1] = torch.lerp(colors[:, 1], color.clamp(0, 1), (4 * deep.mean((1, 2))).clamp(max=0.5) * redder)
    colors[:, 1, 2].clamp_(max=MAUVE * colors[:, 1, 1] * skin[:, 2] / skin[:, 1].clamp(min=0.02))
    return torch.cat([colors, row], 1)


@torch.no_grad()
def teeth_color(image: Tensor, crop: Crop) -> Tensor:
    """The colour ``[B,3]`` of teeth in the light of a picture, as :func:`mouth_colors` gives it first, without a look into the mouth."""
    return _lit(crop.aligned(image, SIZE).float().clamp(0, 1).cpu(), crop.places.float().cpu())[3].clamp(0, 1)


def _lit(aligned: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of faces ``[B,3,SIZE,SIZE]`` with landmarks ``[B,161,2]``: the colour of the skin ``[B,3]``, its lightness ``[B,1]``, that of teeth, and their
    colour."""
    skin = _seen(aligned, _at(places, *(i for side in CHEEKS for i in side))).median(1).values
    white = torch.cat(
        [torch.lerp(_at(places, *eye).mean(1, True), _at(places, *eye), t) for eye in EYES for t in (0.3, 0.55)], 1
    )
    white = _lightest(_seen(aligned, white), 6)
    grey, of_white = (v.mean(-1, keepdim=True).clamp(min=0.01) for v in (skin, white))
    brightest = aligned[..., MIDDLE, MIDDLE].mean(1).flatten(1).quantile(0.99, 1, keepdim=True)
    least = WHITE * grey
    light = (TEETH[0] + TEETH[1] * grey + TEETH[2] * of_white.maximum(least)).minimum(brightest).minimum(BRIGHT * grey)
    tint = TINT[1] * (of_white / least).clamp(max=1).square()  # of what hides the white nobody has teeth
    teeth = light * (skin / grey) ** TINT[0] * (white / of_white) ** tint
    return skin, grey, light, _ivory(teeth, skin)


def _ivory(teeth: Tensor, skin: Tensor) -> Tensor:
    """Colours ``[B,3]`` of teeth that are no pinker than the light is, nor green: what is seen of the white of narrow eyes is mostly lid. Where the picture
    is yellow or orange skin is less pink, and so are teeth.

    Args:
        teeth: ``[B,3]`` as expected.
        skin: ``[B,3]``.
    """
    of_teeth, of_skin = (v.clamp(min=0.02).log() for v in (teeth, skin))
    now, flesh = ((v[:, 1] - (v[:, 0] + v[:, 2]) / 2)[:, None] for v in (of_teeth, of_skin))
    wanted = now.maximum((PINK[0] + PINK[1] * flesh).clamp(max=0.0)).clamp(max=GREEN)
    return (of_teeth + (wanted - now) * _colored(skin) * teeth.new_tensor([-1, 2, -1]) / 3).exp()


def _colored(skin: Tensor) -> Tensor:
    """0..1 ``[B,1]``, how far pictures with skin ``[B,3]`` have colours."""
    return ((1 - skin.amin(-1, keepdim=True) / skin.amax(-1, keepdim=True).clamp(min=0.01)) / 0.2).clamp(0, 1)


def _at(places: Tensor, *numbers: int) -> Tensor:
    return places[:, [AT[i] for i in numbers]]


def _seen(aligned: Tensor, points: Tensor) -> Tensor:
    """Colours ``[B,N,3]`` at points ``[B,N,2]`` of face squares."""
    return sample_image(aligned, points[:, None] * SIZE)[:, :, 0].mT


def between_lips(mouth: Tensor, places: Tensor) -> Tensor:
    """What :func:`mouth_colors` says beyond the light, ``[B,1 + COLUMNS,3]``: of lips that meet, that nothing is seen between them.

    Args:
        mouth: ``[B,3 + COLUMNS,3]``.
        places: ``[B,161,2]`` landmarks, crop points.
    """
    gap = (places[:, AT[14]] - places[:, AT[13]]).norm(dim=-1).to(mouth)
    parts = ramp(gap, *PARTED)[:, None, None]
    nothing = torch.cat([mouth.new_zeros(1, 3), mouth.new_tensor([[1.0, 0.0, 1.0]]).expand(mouth.shape[1] - 3, 3)])
    return torch.lerp(nothing, mouth[:, 2:], parts)


def sampled(image: Tensor, crop: Crop, points: Tensor) -> Tensor:
    """Colours 0..1 ``[B,h,w,3]`` on the CPU of pictures at crop points ``[B,h,w,2]`` of faces, which lie near each other."""
    places = crop.to_image(points.to(crop.matrix)).to(image.device)
    found = []
    for i, at in enumerate(places.split(1)):
        of = crop.of_picture[i] if len(image) > 1 else 0
        first = (
            (at.amin((0, 1, 2)).floor().long() - 1)
            .clamp(min=0)
            .minimum(at.new_tensor([image.shape[3] - 1, image.shape[2] - 1]).long())
        )
        (x0, y0), (x1, y1) = first.tolist(), (at.amax((0, 1, 2)).long() + 3).tolist()
        part = image[of : of + 1, :, y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
        part = part.float() if part.is_floating_point() else part.float() / 255
        found.append(sample_image(part, at - first).movedim(1, -1).cpu())
    return torch.cat(found).clamp(0, 1)


def columns(edge: Tensor) -> Tensor:
    """Points ``[...,COLUMNS,2]`` along the edge of a lip ``[...,11,2]``, without its ends."""
    at = torch.linspace(0.5, 9.5, COLUMNS).to(edge)
    i = at.long().clamp(max=9)
    return torch.lerp(edge[..., i, :], edge[..., i + 1, :], (at - i)[:, None])


def _row(seen: Tensor, lightest: Tensor, lips: Tensor, teeth: Tensor) -> Tensor:
    """Of colours ``[B,ROWS,COLUMNS,3]`` between lips what :func:`mouth_colors` says of each column, ``[B,COLUMNS,3]``.

    Args:
        lightest: ``[B,3]`` seen between the lips, which are teeth if there are any.
        lips: ``[B,3]``, and
        teeth: as they are expected in this light.
    """
    green, count = seen[..., 1], torch.arange(ROWS)[:, None]
    # Teeth are light, and not as red as lips are.
    grey, of_light, of_lips, of_teeth = (v[..., 1] / v[..., 0].clamp(min=0.02) for v in (seen, lightest, lips, teeth))
    low, high = (torch.lerp(of_lips, of_light, t)[:, None, None] for t in (0.2, 0.6))
    whiter = ((grey - low) / (high - low).clamp(min=0.05)).clamp(0, 1)
    tells = ((of_light - of_lips) / 0.1).clamp(0, 1)[:, None, None]  # not in grey pictures
    light = green / lightest[:, None, None, 1].clamp(min=0.02)
    bright = ((lightest[:, 1] / teeth[:, 1].clamp(min=0.02) - 0.38) / 0.1).clamp(0, 1)[:, None, None]
    tooth = ((light - 0.45) / 0.25).clamp(0, 1) * torch.lerp(bright, whiter, tells)
    # A tongue is redder than teeth; old teeth in warm light are as red, but yellow.
    blue, of_white = (v[:, 2] / v[:, 1].clamp(min=0.02) for v in (lightest, teeth))
    tongue = (of_light < 0.74 * of_teeth) & (blue > 0.93 * of_white)
    tooth = tooth * ~tongue[:, None, None]
    # What begins beneath the dark, and goes on to the lower lip, are lower teeth.
    begins = (tooth > 0.5).float().argmax(1)
    above = torch.where(count < begins[:, None], light, 0.0).sum(1) / begins.clamp(min=1)
    under = (begins > BENEATH * ROWS) & (above < 0.45) & (tooth[:, -1] > 0.5)
    tooth = tooth * (under.float().mean(1) < LEAST)[:, None, None]
    best = tooth.cummax(1).values
    ended = (best > 0.5) & (tooth < 0.5 * best)
    reach = torch.where(ended.any(1), ended.float().argmax(1), ROWS).float()  # [B,COLUMNS]
    bite, bites = _bite(light, tooth)
    reach = torch.where(bites, torch.minimum(reach, bite), reach)
    upper = tooth * (count < reach[:, None])
    whole = upper.sum(1)
    tone = (upper * light).sum(1) / whole.clamp(min=1e-3) * (whole / 4).clamp(max=1)
    # The darkest below teeth, if it grows lighter again below: lower teeth, or a tongue, which hides all above it.
    none = best[:, -1] <= 0.5
    none = none & (none.float().mean(1, keepdim=True) > 0.7)
    below = torch.where(count < torch.where(none, 0, reach)[:, None], 9.0, light)
    least, at = below.min(1)
    after = torch.where(count > at[:, None], light, 0.0).amax(1)
    clear = after - least > 0.12 + 0.04 / lightest[:, 1:2].clamp(min=0.02)
    split = torch.where(clear & (none | ((best[:, -1] > 0.5) & (reach < ROWS))), (at + 0.5) / ROWS, 1.0)
    # Where nothing dark lies between teeth and what is below them, that is a lip, or a tongue.
    of_lip = lips[:, 1:2] / lightest[:, 1:2].clamp(min=0.02)
    lipped = (least > TOUCHES * of_lip) & (best[:, -1] > 0.5) & (reach < ROWS) & (tells[:, 0] > 0.5)
    split = torch.where(lipped & (split == 1), reach / ROWS, split)
    split = torch.where(none & tongue[:, None] & (split == 1), 0.0, split)
    split = torch.where(under, begins / ROWS, split)
    split = torch.where(bites, bite / ROWS, split)
    split = around(split, 7).median(-1).values  # a few columns alone are no row
    split = torch.where((split < 1).float().mean(1, keepdim=True) < LEAST, 1.0, around(split, 5).mean(-1))
    # In noise there is nothing to be seen; teeth end in a line.
    reach, line = reach / ROWS, around(reach / ROWS, 5).median(-1).values
    steps = line.diff(dim=1).abs() * torch.minimum(tone[:, 1:], tone[:, :-1])
    clear = (((reach - line).abs().mean(1) < NOISE) & (steps.amax(1) < 3 * NOISE))[:, None]
    found = torch.where(none, reach, line), tone.clamp(max=1.3) * clear, torch.where(clear, split, 1.0)
    return torch.stack(found, -1)


def _bite(light: Tensor, tooth: Tensor) -> tuple[Tensor, Tensor]:
    """The dark line between two rows of teeth that are both seen, however near they come to each other: the path from corner to corner along
    which it is darkest between what is tooth above and what is tooth below (dynamic programming, as of seams; Avidan and Shamir, 2007).

    Args:
        light: ``[B,ROWS,COLUMNS]``, and
        tooth: the same, how far that is tooth, 0..1.

    Returns:
        Rows ``[B,COLUMNS]``, and whether there is such a line ``[B,1]``.
    """
    shown = (3 * tooth).clamp(max=1) * light
    above, below = shown.cummax(1).values, shown.flip(1).cummax(1).values.flip(1)
    depth = (torch.minimum(above, below) - light).clamp(0, DEEPEST)
    if not ((depth.amax(1) > SEEN).float().mean(1) > BITES).any():  # as where lips meet: no path is dark enough
        return torch.zeros_like(depth[:, 0]), depth.new_zeros(len(depth), 1, dtype=torch.bool)
    paths, best, slopes = [], depth[..., 0], -LEVEL * (torch.arange(2 * STEEP + 1) - STEEP).abs()
    for k in range(1, depth.shape[2]):
        steps, from_row = (
            F.pad(best[:, None], (STEEP, STEEP), value=-1.0)[:, 0].unfold(1, 2 * STEEP + 1, 1).add(slopes).max(2)
        )
        paths.append(from_row - STEEP)
        best = steps + depth[..., k]
    at = best.argmax(1, keepdim=True)
    rows = [at]
    for step in reversed(paths):
        rows.append(rows[-1] + step.gather(1, rows[-1]))
    path = torch.cat(rows[::-1], 1)
    along = depth.gather(1, path[:, None])[:, 0]
    bites = (along > SEEN).float().mean(1, keepdim=True) > BITES
    # Where one row alone is seen the line goes on as it does beside it.
    weight = along + 1e-3
    rows = around(path * weight, 3).mean(-1) / around(weight, 3).mean(-1)
    return rows + 0.5, bites


def _lightest(colors: Tensor, count: int) -> Tensor:
    """Mean ``[B,3]`` of the lightest of colours ``[B,N,3]``."""
    which = colors.amin(-1).topk(count, 1).indices
    return colors.gather(1, which[..., None].expand(-1, -1, 3)).mean(1)


def around(values: Tensor, count: int) -> Tensor:
    """The ``count`` neighbours of each of values ``[B,N]``, the ends repeated: ``[B,N,count]``."""
    return F.pad(values[:, None], (count // 2, count // 2), mode="replicate")[:, 0].unfold(1, count, 1)
