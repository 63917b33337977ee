"""Dyed hair: what a head of hair looks like in another colour, with its strands, its shades and its roots.

Paint that shifts a mean colour makes black hair a flat cap of straw. Of fair hair, light and shade over the head vary most, more than
light from strand to strand; both are as far apart as in hair of that light, so that shade comes back and noise of black hair does not.
Gloss is paler, the shade of fair hair is ruddy, and hues go from ash to gold over the head. Beside a face hair lies in shade and keeps a little
of its own colour, as roots do. White hair that is to be fair is toned, and stays light.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..faces.hair import resized
from ..geometry.lab import lab_to_rgb, rgb_to_lab
from ..geometry.neighbours import blurred
from ..geometry.sampling import enlarged_part

MOST_LIGHTER, MOST_DARKER = 50.0, 62.0  # L by which a head of hair changes at most: nothing bleaches black to white
GAIN = 4.0  # times that contrasts grow at most: beyond, blocks and noise of a dark picture show
DEEPER = 7.0  # the same of light and shade over the head
FLAT = 0.5  # of the contrasts that hair has where it is as light: with less it is a cap, and gets less light
STILL_LIGHTER = 30.0  # L by which flat hair gets lighter all the same
# standard deviations from where on gloss grows slowly, and where hair gets lighter by ROOTED: on black hair it is sparse and bright
GLOSS = 3.0, 1.1
DARK, SHADY = 4.0, 0.5  # L below which strands tell little, and more for each L of the hair
DEEP, LIT = 2.0, 0.25  # the same of the light and shade of the head, which has next to no noise
BLACK = 6.0  # L of the blackest hair
DEEPEST = 1.5  # shift along a and b for each L of hair, at most
BLEACHED = 3.0  # times that L + 16 of the hair grows at most
ROOTS = 0.45  # share of the way that hair goes where it ends in skin, where it gets lighter by ROOTED or more
BY_SKIN = 12.0  # L by which such hair is darker there: beside a face fair hair lies in shade, and black hair shows none
GREY_ROOTS = 0.85  # the same where it gets darker
ROOTED = 40.0
# Least and most a and b of hair as it grows, in warm and in cold light, and how far beyond these it is certainly dyed
GROWN, UNLIKE = ((-4.0, -8.0), (28.0, 45.0)), 8.0
OPEN = 0.7  # of what shines through before skin, what does in the open
EDGE, FINE = 0.045, 0.016  # of the square: how far roots reach into the hair, and light changes from strand to strand
# of the square, over which hair has one colour where a pixel is only partly hair: where there is little hair, and else
NEARBY = 0.06, 0.025
# standard deviations of the colours of a head of hair, and of a picture's noise, sRGB: where a pixel is partly hair, what is told of its hue
VARIED, NOISE = 0.12, 0.03
ALIKE = 0.15  # distance of the colours of hair and of what lies beyond, sRGB, at which the latter is half told from light on hair
SCARCE = 0.08  # share of hair nearby that counts as much as all the hair does
# L by which hair without strands may get darker, or else it is a cap, and more for each L that these differ
SMOOTH = 26.0, 14.0
WARM = 0.25  # shift along a for each L that hair cannot be bleached
FULL = 0.7  # exponent by which a and b fall with the light within the shade
# the same of hair of warm colours, of dark and of fair hair, and L of these: the shade of fair hair is ruddy
RUDDY, FAIR = ((0.5, 0.7), (-0.6, 0.2)), (40.0, 60.0)
WASHED = (0.5, 0.4), (1.2, 0.4)  # shares of a and b that gloss on dark and on fair hair lacks
# chroma that hair has more than most of it, where its gloss begins to be coloured, and is so wholly
COLORED = 6.0, 21.0
WHOLLY = 15.0  # shift, CIE Lab, from where on hair is another colour, and not its own a little changed
COLORLESS = 12.0  # chroma up to which light hair is grey, the less the more of it
HUES = 1.9, 3.2  # standard deviations of a and b in hair of one light, measured on portraits with hair of all colours
# the same, in these, of what a and b have in common, which goes from ash to gold, and of how they differ
GOLDEN = 0.9, 0.43
HUE_GAIN = 2.5, 1.0  # times that these grow at most: colours of black hair are half noise
STRETCHED = 1.5  # times that all contrasts are stretched at most, of what gloss and borders take from them
WARMER = 1.3  # times that light hair has more red in shade, at most
PASTEL = 50.0, 65.0  # L of hair that is not dyed dark, and that is dyed as light as it is, by PASTEL_KEPT of the way
PASTEL_KEPT = 0.55
PALER = 0.02  # share of its colour that it lacks for each L by which it is lighter
COARSE = 96  # pixels a side of the face square, at which what is smooth is computed


class Hair(NamedTuple):
    """The N pixels of a head of hair, and what does not depend on its new colour.

    Attributes:
        mean: Lab ``[3,1]``.
        rgb: what hair is taken to be at each pixel, ``[3,N]``.
        lab: the same.
        strands: how light each pixel is beside what is around it, ``[N]`` standard deviations of the logarithm.
        shades: how light it is around each pixel, ``[N]`` the same.
        spread: L, the standard deviation of the light of the hair.
        spreads: the same of strands and shades, ``[2]``.
        fine: L by which light changes from strand to strand.
        mask: how far each pixel is hair, ``[N]``.
        roots: 1 where hair grows out of skin, 0 within and where it ends in the open, ``[N]``.
        thin: 1 where it ends before skin, and less where it ends in the open: something else shines through, ``[N]``.
        shade: the logarithm of how much less light a pixel has than the mean, ``[N]``.
        beyond: colours of what is no hair around each pixel, sRGB ``[3,N]``; of the hair where there is nothing else.
        hues: how a and b around each pixel differ from those of hair of that light, ``[2,N]`` as far apart as in usual hair.
    """

    mean: Tensor
    rgb: Tensor
    lab: Tensor
    strands: Tensor
    shades: Tensor
    spread: Tensor
    spreads: Tensor
    fine: Tensor
    mask: Tensor
    roots: Tensor
    thin: Tensor
    shade: Tensor
    beyond: Tensor
    hues: Tensor


def look(picture: Tensor, mask: Tensor, at: Tensor, mean: Tensor, square: int, skin: Tensor | None = None) -> Hair:
    """A head of hair.

    Args:
        picture: ``[1,3,n,n]`` RGB 0..1.
        mask: ``[1,1,n,n]`` 0..1.
        at: ``[N]`` which of its pixels, row by row, are hair at all.
        mean: Lab ``[3]`` of the hair.
        square: side of the face square in pixels.
        skin: ``[1,2,k,k]`` 0..1 the face, beside which hair has roots, and where it grows out of it; None = beside all that is no hair.
    """
    n, side = picture.shape[-1], round(COARSE * picture.shape[-1] / square)
    small, part = resized(picture, side), resized(mask, side)
    grey = 116 * (small.mean(1, keepdim=True).clamp(min=0) ** (2.2 / 3)) - 16
    wide, strand = max(1, round(EDGE * COARSE)), max(1, round(FINE * COARSE))
    fine = (grey - blurred(grey, strand)).abs()
    inner = ((blurred(part, wide) - 0.45) / 0.5).clamp(0, 1)
    inner = inner * inner * (3 - 2 * inner)
    face, grown = part.new_ones(1), 1.0
    if skin is not None:
        face, grown = resized(skin, side).split(1, 1)
        face = (3 * blurred(face, wide)).clamp(max=1)
    thin, grown = (1 - inner) * (OPEN + (1 - OPEN) * face), grown * face
    # at its border hair is partly what lies beyond; it is taken for what it is deeper within, or all over, with its own strands
    deep = ((blurred(part, strand) - 0.6) / 0.35).clamp(0, 1)
    fine = (fine * deep**2).sum() / (deep**2).sum().clamp(min=1e-6)
    near = lab_to_rgb(mean[:, None])[None, :, :, None]
    for radius, part_of in zip(NEARBY, (deep**2 * inner, deep**2), strict=True):
        own = blurred(torch.cat([small * part_of, part_of], 1), max(1, round(radius * COARSE)))
        near = (own[:, :3] + SCARCE * near) / (own[:, 3:] + SCARCE)
    other = (1 - 4 * part).clamp(min=0)  # what is next to hair is some of it
    smooth = blurred(torch.cat([small * part**2, part**2], 1), strand)
    beyond = blurred(torch.cat([small * other, other], 1), 2 * strand)
    smooth = (smooth[:, :3] + 1e-3 * near) / (smooth[:, 3:] + 1e-3)
    beyond = (beyond[:, :3] + 1e-3 * near) / (beyond[:, 3:] + 1e-3)
    # a wall shines through the border of hair, which would be a rim of light
    smooth = near + (smooth - near) * torch.where((smooth - near) * (beyond - near) > 0, inner**2, inner)
    planes = torch.cat([thin, (1 - inner) * grown, deep, inner, smooth, beyond, near], 1)
    row, column = at // n, at % n  # hair is a small part of a wide picture
    box = (int(row[0]), int(row[-1]) + 1, int(column.min()), int(column.max()) + 1)
    planes, (y0, _, x0, x1) = enlarged_part(planes, n, box)
    planes = planes.flatten(2)[0].index_select(1, (row - y0) * (x1 - x0) + column - x0)
    thin, roots, deep, inner, smooth, beyond, near = planes.split((1, 1, 1, 1, 3, 3, 3))
    pixels, mask, mean = picture.flatten(2)[0].index_select(1, at), mask.flatten()[at], mean[:, None]
    weight = mask * deep[0] ** 2 + 1e-6
    weight = weight / weight.sum()
    off = pixels - smooth
    most = 3 * (off.square() * weight).sum(1, keepdim=True).sqrt()
    off = torch.lerp(torch.minimum(torch.maximum(off, -most), most), off, deep)
    # as far as a pixel tends to what lies beyond it may be that; all else is its own, such as a rim of red in low sun
    way = beyond - near
    far = way.square().sum(0, keepdim=True).sqrt().clamp(min=1e-3)
    way = way / far
    along = torch.minimum((off * way).sum(0, keepdim=True).clamp(min=0), far) * far**2 / (far**2 + ALIKE**2)
    rgb = smooth + off - (1 - inner * deep) * along * way
    # a mixture of another hue than these two is of strands of another hue, through which light shines (Wiener), or else no mixture
    left = pixels - torch.lerp(beyond, rgb, mask)
    along = (left * way).sum(0, keepdim=True)
    left, far = left - along * way, left.square().sum(0)
    sure = left.square().sum(0) / far.clamp(min=1e-9)
    gain = mask * (1 - mask) * VARIED**2 / (mask**2 * VARIED**2 + (1 - mask) * NOISE**2 + 1e-9)
    rgb = (rgb + sure * gain * left).clamp(0, 1)
    lab = rgb_to_lab(rgb)
    # in logarithms, since gloss on black hair is all that tells its strands in light itself; less so where hair is lighter
    around, *hues = rgb_to_lab(smooth)
    around = around.clamp(min=0)
    strands = (lab[0].clamp(min=0) + DARK + SHADY * mean[0]).log() - (around + DARK + SHADY * mean[0]).log()
    shades = (around + DEEP + LIT * mean[0]).log()
    shade = ((lab[0] + 6) / (mean[0] + 6)).clamp(1e-3, 1).log()
    spread, *spreads = (_standard(x, weight)[1] for x in (lab[0], lab[0] - around, around))
    strands, shades = (_standard(x, weight)[0] for x in (strands, shades))
    hues = _of_one_light(torch.stack(hues), around, weight)
    spreads, (thin,), (roots,) = torch.stack(spreads), thin, roots
    return Hair(mean, rgb, lab, strands, shades, spread, spreads, fine, mask, roots, thin, shade, beyond, hues)


def _of_one_light(hues: Tensor, light: Tensor, weight: Tensor) -> Tensor:
    """What of a and b ``[2,N]`` does not go with L ``[N]``, as far apart as in usual hair, where that is not mostly noise; weights as of
    :func:`_standard`."""
    light = _standard(light, weight)[0]
    with_light = torch.stack([torch.ones_like(light), light, light * light])
    both = (with_light * weight) @ with_light.T + 1e-3 * torch.eye(3, device=light.device)
    slopes = torch.linalg.solve(both, (with_light * weight) @ hues.T)
    off = hues - slopes.T @ with_light
    a, b = (off - (off * weight).sum(1, keepdim=True)) / off.new_tensor(HUES)[:, None]
    off = torch.stack([a + b, a - b]) / 2
    spread = (off.square() * weight).sum(1, keepdim=True).sqrt()
    usual = spread.new_tensor(GOLDEN)[:, None]
    gain = torch.minimum(usual / spread.clamp(min=1e-3), spread.new_tensor(HUE_GAIN)[:, None])
    both, apart = (gain * off).clamp(-2.5 * usual, 2.5 * usual)
    return torch.stack([HUES[0] * (both + apart), HUES[1] * (both - apart)])


def _standard(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Values ``[N]`` with mean 0 and standard deviation 1 where weights ``[N]`` of sum 1 are, and what that was."""
    values = values - (values * weight).sum()
    spread = (values.square() * weight).sum().sqrt()
    return values / spread.clamp(min=1e-3), spread


def usual_spreads(light: Tensor) -> Tensor:
    """The standard deviations ``[2]`` of L from strand to strand, and of light and shade over the head, of hair of mean L ``light [1]``:
    measured on portraits with hair of all colours."""
    strands = torch.minimum(0.15 * light, 0.13 * (100 - light)).clamp(max=5.0)
    shades = torch.minimum(torch.minimum(light / 3, 3.5 + 0.15 * light), 0.33 * (100 - light))
    return torch.cat([strands, shades]).clamp(min=0.7)


def dyed(hair: Hair, by: Tensor) -> Tensor:
    """Hair whose mean colour goes by ``by``, Lab ``[3]``: the new Lab ``[3,N]``."""
    mean, own, by = hair.mean, hair.lab, by[:, None]
    wholly = (by.square().sum() / WHOLLY**2).clamp(max=1)
    there = _reached(hair, by)
    lift = there[0] - mean[0]
    light = torch.lerp(own[0] + lift, _toned(hair, there[0], lift), wholly).clamp(0, 100)
    rooted = (lift / ROOTED).clamp(0, 1) * (1 - ROOTS) + (-lift / ROOTED).clamp(0, 1) * (1 - GREY_ROOTS)
    # no head grows green hair: it was dyed before, roots and all
    dyed_before = ((mean[1:] - mean[1:].clamp(*mean.new_tensor(GROWN)[..., None])).norm() / UNLIKE).clamp(max=1)
    new = torch.cat([light[None], _hues(hair, there, light, wholly)])
    return torch.lerp(new, own, rooted * hair.roots * (1 - dyed_before))


def _reached(hair: Hair, by: Tensor) -> Tensor:
    """The mean Lab ``[3,1]`` that hair gets which is to change by ``by [3,1]``: there are limits to what dye and bleach can do."""
    mean = hair.mean
    darkest = -torch.minimum((SMOOTH[0] + SMOOTH[1] * hair.fine).clamp(max=MOST_DARKER), (mean[0] - BLACK).clamp(min=0))
    # what has no strands that could get light gets less of it
    lightest = (GAIN * hair.spread / (0.22 * FLAT) - 6 - mean[0]).clamp(STILL_LIGHTER, MOST_LIGHTER)
    lightest = torch.minimum(lightest, (BLEACHED - 1) * (mean[0] + 16))
    lift = torch.minimum(torch.maximum(by[0], darkest), lightest)
    # hair that is lighter than grey is grey as it is
    asked = mean + by
    grey = (1 - asked[1:].norm(dim=0) / COLORLESS).clamp(0, 1) * ((asked[0] - 58) / 10).clamp(0, 1)
    # what is lighter than a light colour becomes a pale one: white hair is toned, and not made brown
    pastel = PASTEL_KEPT * ((asked[0] - PASTEL[0]) / (PASTEL[1] - PASTEL[0])).clamp(0, 1)
    lift = torch.where(lift < 0, lift * (1 - torch.maximum(grey, pastel)), lift)
    # what is bleached is first of all orange
    warm = WARM * (by[0] - lift).clamp(0, 20) * (by[2] / 30).clamp(0, 1)
    new, hue = mean[0] + lift, torch.stack([asked[1] + warm, asked[2]])
    hue = hue * (1 - PALER * (lift - by[0])).clamp(0.5, 1)
    deepest = DEEPEST * (new + 6)  # colour that hair has where it is as dark
    return torch.cat([new[None], hue * (deepest / hue.norm(dim=0).clamp(min=1e-6)).clamp(max=1)])


def _toned(hair: Hair, new: Tensor, lift: Tensor) -> Tensor:
    """The L ``[N]`` of hair whose mean gets ``new [1]``, by ``lift`` more than before: strands and shades as far apart as in hair of that light."""
    far = (lift / ROOTED).clamp(0, 1)
    # what has more contrast than usual keeps it, the less of it the more light changes
    rich = (hair.spreads / usual_spreads(hair.mean[0])).clamp(0.5, 1.6)
    rich = rich ** (1 - 0.5 * (lift.abs() / ROOTED).clamp(max=1))
    strands, shades = torch.minimum(rich * usual_spreads(new), hair.spreads.new_tensor([GAIN, DEEPER]) * hair.spreads)
    # where it ends hair is thin and skin or a wall shines through, which is no light
    lit = torch.where(hair.shades > 0, 1 - far * hair.thin, 1.0) * hair.shades
    tone, both = strands * hair.strands + shades * lit, torch.hypot(strands, shades)
    most = both * (GLOSS[0] + (GLOSS[1] - GLOSS[0]) * far)
    tone = torch.where(tone > 0, most * (tone.clamp(min=0) / most).log1p(), tone)
    tone, left = _standard(tone, hair.mask / hair.mask.sum().clamp(min=1e-6))
    tone = tone * torch.maximum(left, torch.minimum(both, STRETCHED * left)) - BY_SKIN * far * hair.roots
    # on what is dark, gloss stands out farther than shade goes down
    base = new + DARK + new**2 / 20
    light = new + base * ((tone / base).exp() - 1)
    return torch.where(light > 85, 85 + 13 * ((light - 85) / 13).tanh(), light)


def _hues(hair: Hair, there: Tensor, light: Tensor, wholly: Tensor) -> Tensor:
    """The a and b ``[2,N]`` of hair that gets a mean Lab ``there [3,1]`` and L ``light [N]``; ``wholly`` 0..1, how far it is another colour."""
    mean, own, new = hair.mean, hair.lab, there[0]
    # in shade there is less colour, and gloss is as white as the light is
    shade = ((light + 6) / (new + 6).clamp(min=6)).clamp(1e-3, 1)
    gloss = wholly * ((light - new) / (100 - new).clamp(min=10)).clamp(0, 1)
    fair = ((new - FAIR[0]) / (FAIR[1] - FAIR[0])).clamp(0, 1)
    warm = torch.lerp(*own.new_tensor(RUDDY)[..., None], fair)
    power = torch.lerp(torch.full_like(warm, FULL), warm, (there[2] / 20).clamp(0, 1))
    full, was = ((power * dark).exp().clamp(max=WARMER) for dark in (shade.log(), hair.shade))
    # what has more colour the lighter it is lies in coloured light, and so does its gloss
    colored = ((torch.hypot(*own[1:]) - mean[1:].norm(dim=0) - COLORED[0]) / (COLORED[1] - COLORED[0])).clamp(0, 1)
    pale = 1 - torch.lerp(*own.new_tensor(WASHED)[..., None], fair) * gloss * (1 - colored)
    chroma = there[1:].norm(dim=0)
    darker, paler = (new + 16) / (mean[0] + 16), (chroma + 1) / (mean[1:].norm(dim=0) + 1)
    kept = torch.minimum(darker, paler.clamp(min=0.3)).clamp(max=1)
    varied = ((new + 4) / 40).clamp(max=1) * ((chroma + 4) / 20).clamp(max=1)
    return there[1:] * full * pale + torch.lerp((own[1:] - mean[1:] * was) * kept, varied * hair.hues, wholly)
