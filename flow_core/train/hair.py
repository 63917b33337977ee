"""Train the network that finds hair: ``python -m flow_core.train hair --data DIR``.

``DIR`` holds the portraits of :mod:`flow_core.train.data`, and ``portraits_hair.npz`` with what is where in their stored squares:
``index [M]`` of those that are labelled, and ``hair`` and ``person`` ``[M,s,s]`` uint8, 255 where there is some.
``weights/hair.md`` says who told.

Hardly any of these faces is bald or wears a hat. So heads are shaved, hatted and veiled here, hair is dyed, and walls are put behind it that
have its colour. Pictures are made small, blurred, pressed, and lit too little or too much, as photos are.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from ..checkpoint import filled
from ..faces.hair import BUILTIN, HANGING, LEAST, SIZE, HairNet, load_hair, resized, trusted
from ..faces.landmarks import AT, BROWS
from ..faces.regions import region_mask
from ..geometry.grid import pixel_centers
from ..geometry.neighbours import blurred
from . import data, loop
from .colors import mean_color, to_lab, to_rgb
from .views import Views

# of the views that each is done to, of which the last two go with any of the others
SHARE = {"shaved": 0.1, "hat": 0.14, "veil": 0.16, "dyed": 0.2, "adorned": 0.3, "wall": 0.25}
APART = "shaved", "hat", "veil", "dyed"
UNLIKE = 25.0  # distance in CIE Lab of an ornament from the hair, at least
# sides of the squares in which a network that is trained further keeps to what it said, and how far below the face they lie, in sides of its square
KEPT = (1.25, 0.0), (1.5, 0.0), *HANGING
BALD = 4  # times that a face without hair is drawn as often as others
BAD = 0.4  # share of the views that are of a bad picture
SCENES = 3000  # drawn before the training, which looks at each several times, in other light and mirrored


def labelled(folder: Path) -> tuple[data.Faces, data.Faces]:
    """Portraits for training and held-out ones, hair and person as a fourth and fifth channel of their pictures.

    Raises:
        SystemExit: the labels are missing.
    """
    path = folder / "portraits_hair.npz"
    if not path.is_file():
        raise SystemExit(f"{folder} holds no {path.name}: index [M], hair and person [M,s,s] of the stored squares.")
    stored = np.load(path)
    index = torch.from_numpy(stored["index"].astype(np.int64))
    faces = data.READERS["portraits"](folder)
    out = data.held_out("portraits", len(faces))[index]
    chosen = faces.select(index)
    maps = torch.from_numpy(np.stack([stored["hair"], stored["person"]], 1))
    maps = F.interpolate(maps.float(), (data.STORED,) * 2, mode="bilinear", align_corners=False).round().byte()
    chosen = replace(chosen, images=torch.cat([chosen.images, maps], 1))
    return chosen.select((~out).nonzero()[:, 0]), chosen.select(out.nonzero()[:, 0])


class Scenes:
    """Random views of labelled faces, with what is done to them.

    Args:
        faces: from :func:`labelled`.
    """

    def __init__(self, faces: data.Faces, seed: int) -> None:
        self.views = Views(faces, seed, SIZE)
        self.generator, self.share = self.views.generator, SHARE
        bald = (faces.images[:, 3] > 127).float().mean((1, 2)) < LEAST
        self.drawn = self.views.usable.repeat_interleave(torch.where(bald[self.views.usable], BALD, 1))

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Pictures ``[count,3,128,128]``, the share of hair ``[count,1,64,64]`` in each pixel of the network's answer, and whether a cover
        may be told by its colour alone ``[count,1,1,1]``."""
        index = self.drawn[torch.randint(len(self.drawn), (count,), generator=self.generator)]
        picture, _, seen = self.views.view(index, False, 1.3)
        picture, hair, person = picture.split((3, 1, 1), 1)
        loud = self._chance(count, 0.35)
        chance = torch.rand(count, generator=self.generator)
        begin = 0.0
        on = {}
        for name in APART:
            on[name] = ((chance >= begin) & (chance < begin + self.share[name])).nonzero()[:, 0]
            begin += self.share[name]
        picture = picture.clone()
        wall = (torch.rand(count, generator=self.generator) < self.share["wall"]).nonzero()[:, 0]
        if len(wall):
            picture[wall] = self._wall(picture[wall], hair[wall], person[wall])
        for name, do in (("shaved", self._shaved), ("hat", self._hat), ("veil", self._veil), ("dyed", self._dyed)):
            if len(which := on[name]):
                picture[which], hair[which] = do(picture[which], hair[which], person[which], seen[which], loud[which])
        which = (torch.rand(count, generator=self.generator) < self.share["adorned"]).nonzero()[:, 0]
        if len(which):
            picture[which], hair[which] = self._adorned(picture[which], hair[which], seen[which], loud[which])
        return picture, F.avg_pool2d(hair, 2), loud

    def kept(self, count: int, net: HairNet) -> tuple[Tensor, Tensor]:
        """Pictures ``[count,3,128,128]`` of more than the face, from :data:`KEPT` squares, and what ``net`` says of them, ``[count,1,64,64]``: no
        label tells what is there."""
        side, below = KEPT[int(torch.randint(len(KEPT), (1,), generator=self.generator))]
        index = self.drawn[torch.randint(len(self.drawn), (count,), generator=self.generator)]
        picture = self.views.view(index, False, 1.0, side + 2 * below)[0][:, :3]
        picture = F.interpolate(picture, scale_factor=2.0, mode="bilinear", align_corners=False)
        share = side / (side + 2 * below)
        rim, here = round(SIZE * (1 - share)), round(2 * SIZE * share)
        picture = resized(picture[:, :, 2 * rim : 2 * rim + here, rim : rim + here], SIZE)
        with torch.no_grad():
            return picture, net(picture).sigmoid()

    def _uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=self.generator)

    def _smooth(self, count: int, channels: int, cells: int) -> Tensor:
        noise = torch.randn(count, channels, cells, cells, generator=self.generator)
        return F.interpolate(noise, (SIZE, SIZE), mode="bicubic", align_corners=False)

    def _cloth(self, picture: Tensor, like: Tensor, seen: Tensor, loud: Tensor) -> Tensor:
        """Cloth ``[n,3,128,128]``: one colour or two, folds across or along the face, and the light of what ``like [n,1,128,128]`` it
        lies on: with all its fine shades it is silk with the sheen of hair. ``loud [n,1,1,1]``: it has a colour that hair has not."""
        n = len(picture)
        first, second = (self._uniform(0.02, 1, n, 3, 1, 1) for _ in range(2))
        first = torch.where(self._chance(n, 0.4), first.mean(1, keepdim=True).expand_as(first), first)
        first = torch.where(self._chance(n, 0.4), 0.35 * first, first)
        hue = self._uniform(2.3, 6.6, n, 1, 1, 1)  # from green over blue to red
        chroma = self._uniform(20, 80, n, 1, 1, 1)
        strange = to_rgb(torch.cat([self._uniform(10, 75, n, 1, 1, 1), chroma * hue.cos(), chroma * hue.sin()], 1))
        first = torch.where(loud, strange, first)
        second = torch.where(self._chance(n, 0.5) | loud, first * self._uniform(0.5, 1.6, n, 1, 1, 1), second)
        points = pixel_centers(SIZE, SIZE)[0]
        way = self._uniform(-1, 1, n, 2) * self._uniform(5, 60, n, 1)
        straight = (points[None] * way[:, None, None]).sum(-1)[:, None]
        # round the face, higher than wide
        round_it = ((points - seen.mean(1)[:, None, None]) * points.new_tensor([1.0, 0.75])).norm(dim=-1)[:, None]
        wave = torch.where(self._chance(n, 0.5), straight, round_it * self._uniform(15, 70, n, 1, 1, 1))
        wave = wave + self._uniform(0.5, 2.5, n, 1, 1, 1) * self._smooth(n, 1, 4)
        pattern = self._chance(n, 0.25) * (0.5 + 0.5 * (3 * wave.sin()).tanh())
        tones = self._chance(n, 0.4) * (0.5 + 0.5 * (self._smooth(n, 1, 2) + points[None, ..., 1][:, None] - 0.5))
        color = torch.lerp(
            first.expand(-1, -1, SIZE, SIZE),
            second.expand(-1, -1, SIZE, SIZE),
            torch.maximum(pattern, tones).clamp(0, 1),
        )
        folds = 1 + self._uniform(0.02, 0.3, n, 1, 1, 1) * (self._smooth(n, 1, 5) + 0.5 * wave.cos())
        grain = 1 + self._chance(n, 0.4) * self._uniform(0, 0.1, n, 1, 1, 1) * torch.randn(
            n, 1, SIZE, SIZE, generator=self.generator
        )
        grey = picture.mean(1, keepdim=True)
        coarse, fine = (F.avg_pool2d(F.pad(grey, (r,) * 4, mode="replicate"), 2 * r + 1, 1) for r in (6, 2))
        fine = torch.where(loud & self._chance(n, 0.5), grey, fine)  # with hair's own colours it could be hair
        light = torch.where(self._chance(n, 0.4), coarse, fine)
        mean = (light * like).sum((2, 3), keepdim=True) / like.sum((2, 3), keepdim=True).clamp(min=1)
        lit = torch.lerp(
            torch.ones_like(light), (light / mean.clamp(min=0.05)).clamp(0.25, 2.2), self._uniform(0, 1, n, 1, 1, 1)
        )
        face = F.avg_pool2d(F.pad(region_mask(seen, "all", SIZE), (5,) * 4, mode="replicate"), 11, 1)
        shadow = 1 - self._uniform(0, 0.8, n, 1, 1, 1) * face
        return (color * folds * grain * lit * shadow).clamp(0, 1)

    def _chance(self, count: int, share: float) -> Tensor:
        """Whether, ``[count,1,1,1]``, in a share of the cases."""
        return torch.rand(count, 1, 1, 1, generator=self.generator) < share

    def _head(self, seen: Tensor) -> Tensor:
        """The skull above the brows, ``[n,1,128,128]``: an ellipse about the face, soft at its border."""
        points = pixel_centers(SIZE, SIZE)
        ears = (seen[:, AT[234]], seen[:, AT[454]])
        middle = (ears[0] + ears[1]) / 2
        half = (ears[1] - ears[0]).norm(dim=-1) / 2
        brow = seen[:, [AT[i] for c in BROWS for i in c]].mean(1)
        up = (middle - brow) / (middle - brow).norm(dim=-1, keepdim=True).clamp(min=1e-6)
        up = -torch.where(up[:, 1:] < 0, -up, up)
        off = points - brow[:, None, None]
        along = (off * up[:, None, None]).sum(-1)
        across = (off - along[..., None] * up[:, None, None]).norm(dim=-1)
        wide = half * self._uniform(0.98, 1.12, len(seen))
        high = half * self._uniform(1.15, 1.5, len(seen))
        inside = (across / wide[:, None, None]).square() + (along / high[:, None, None]).square()
        return ((1 - inside) * 8).clamp(0, 1)[:, None] * (along > -0.25 * half[:, None, None]).float()[:, None]

    def _around(self, picture: Tensor, keep: Tensor) -> Tensor:
        """The picture where ``keep`` is 1, and elsewhere what lies around it, more and more blurred."""
        total, weight = picture * keep, keep
        out, known = total.clone(), weight.clone()
        for radius in (4, 4, 4, 8, 8, 16, 32, 64):
            total, weight = (blurred(x, radius, 1) for x in (total, weight))
            more = (1 - known) * (weight > 0.02)
            out, known = out + more * total / weight.clamp(min=1e-3), known + more
        return out

    def _shaved(
        self, picture: Tensor, hair: Tensor, person: Tensor, seen: Tensor, loud: Tensor
    ) -> tuple[Tensor, Tensor]:
        spread = F.max_pool2d(hair, 5, 1, 2)
        head = self._head(seen)
        face = region_mask(seen, "skin", SIZE, 0.02)
        lab = to_lab(picture)
        tone = mean_color(lab, face * (1 - spread) + 1e-4)[:, :, None, None]
        background = self._around(picture, ((1 - spread) * (1 - person)).round() + 1e-3)
        off = pixel_centers(SIZE, SIZE).movedim(-1, 1) - seen[:, AT[10]][:, :, None, None]
        dome = 1 - self._uniform(0.5, 2.5, len(picture), 1, 1, 1) * off.square().sum(1, keepdim=True)
        dome = (dome * (1 + self._uniform(-1.5, 1.5, len(picture), 1, 1, 1) * off[:, :1])).clamp(
            0.1, 1.5
        )  # lit from one side
        shine = self._uniform(0, 25, len(picture), 1, 1, 1) * torch.exp(
            -(off - 0.08 * self._smooth(len(picture), 2, 1)).square().sum(1, keepdim=True) / 0.006
        )
        skin = torch.cat([(tone[:, :1] * dome + shine + 2 * self._smooth(len(picture), 1, 12)).clamp(0, 100),
                          (tone[:, 1:] + 2 * self._smooth(len(picture), 2, 6)) * dome.clamp(0.3, 1)], 1)  # fmt: skip
        bare = to_rgb(skin)
        below = F.avg_pool2d(F.pad(face, (6,) * 4, mode="replicate"), 13, 1).mul(2).clamp(max=1)  # strands on the face
        inside = torch.maximum(head, below)
        new = torch.lerp(background, bare, inside)
        soft = F.avg_pool2d(F.pad(spread, (1,) * 4, mode="replicate"), 3, 1)
        picture = torch.lerp(picture, new, torch.maximum(soft, head * (1 - face)))
        return picture, torch.zeros_like(hair)

    def _hat(self, picture: Tensor, hair: Tensor, person: Tensor, seen: Tensor, loud: Tensor) -> tuple[Tensor, Tensor]:
        n = len(picture)
        brow = seen[:, [AT[i] for c in BROWS for i in c]].mean(1)[:, :, None, None]
        points = pixel_centers(SIZE, SIZE).movedim(-1, 1)
        slope = self._uniform(-0.25, 0.25, n, 1, 1) * (points[:, 0] - brow[:, 0])
        sag = self._uniform(-0.6, 0.8, n, 1, 1) * (points[:, 0] - brow[:, 0]).square()
        rim = brow[:, 1] - self._uniform(0.02, 0.14, n, 1, 1) + slope + sag
        above = ((rim - points[:, 1]) * 40).clamp(0, 1)[:, None]
        grown = F.max_pool2d(torch.maximum(hair, self._head(seen)), 7, 1, 3)
        wide = (self._uniform(0, 1, n, 1, 1, 1) < 0.3).float()  # a brim
        brim = (
            ((points[:, 1] - rim).abs() < 0.03)[:, None]
            * ((points[:, 0] - brow[:, 0]).abs() < self._uniform(0.25, 0.5, n, 1, 1))[:, None]
            * wide
        )
        # a turban or a cap leaves no hair in sight
        tight = F.max_pool2d(torch.maximum(hair, self._head(seen) * above), 3, 1, 1)
        cover = torch.where(loud, tight, torch.maximum(grown * above, brim.float()))
        cover = F.avg_pool2d(F.pad(cover, (1,) * 4, mode="replicate"), 3, 1)
        return torch.lerp(picture, self._cloth(picture, grown, seen, loud), cover), hair * (1 - cover)

    def _veil(self, picture: Tensor, hair: Tensor, person: Tensor, seen: Tensor, loud: Tensor) -> tuple[Tensor, Tensor]:
        face = region_mask(seen, "all", SIZE)
        y = pixel_centers(SIZE, SIZE)[..., 1][:, None]
        chin = seen[:, AT[152], 1][:, None, None, None]
        wide = F.max_pool2d(torch.maximum(torch.maximum(hair, face), self._head(seen)), 13, 1, 6)
        low = ((y - chin + 0.15) * 6).clamp(0, 1)  # round the neck and over the shoulders
        cover = torch.maximum(wide, low * F.max_pool2d((person > 0.5).float(), 5, 1, 2))
        cut = F.max_pool2d(face, 3, 1, 1) * (
            seen[:, AT[10], 1][:, None, None, None] - self._uniform(0, 0.05, len(seen), 1, 1, 1) < y
        )
        # most show no hair: the cloth ends where it does
        cut = cut * (1 - F.max_pool2d(hair, 3, 1, 1) * self._chance(len(seen), 0.7))
        # a loud one has the outline of hair
        below = low * F.max_pool2d((person > 0.5).float(), 5, 1, 2)
        cover = torch.where(
            loud, torch.maximum(hair, torch.where(self._chance(len(seen), 0.3), low * wide, below)), cover
        )
        cover = F.avg_pool2d(F.pad(cover * (1 - cut), (1,) * 4, mode="replicate"), 3, 1)
        return torch.lerp(picture, self._cloth(picture, wide, seen, loud), cover), hair * (1 - cover)

    def _adorned(self, picture: Tensor, hair: Tensor, seen: Tensor, loud: Tensor) -> tuple[Tensor, Tensor]:
        """Headbands, tiaras and wreaths round the head, and flowers, bows, combs and tassels on the hair and beside the face."""
        n, across, up = len(picture), *self._frame(seen)
        turned = self._uniform(-0.35, 0.35, n, 1, 1, 1)
        u, v = across * turned.cos() - up * turned.sin(), across * turned.sin() + up * turned.cos()
        # a ring about the head, with points or beads on it, in front of the hair or far back on it
        wide, high = self._uniform(0.85, 1.3, n, 1, 1, 1), self._uniform(0.7, 1.5, n, 1, 1, 1)
        angle, far = torch.atan2(v / high, u / wide), torch.hypot(u / wide, v / high)
        points = (self._uniform(4, 24, n, 1, 1, 1) * angle).sin().abs() * self._chance(n, 0.6)
        thick = self._uniform(0.06, 0.3, n, 1, 1, 1) * (1 + self._uniform(-0.8, 1.2, n, 1, 1, 1) * points)
        ring = ((far - 1).clamp(min=0) / thick < 1) & (far > 1 - 0.02) & (angle > self._uniform(-0.6, 0.9, n, 1, 1, 1))
        ring = ring & (angle < torch.pi - self._uniform(-0.6, 0.9, n, 1, 1, 1)) & self._chance(n, 0.6)
        cover = ring.float()
        for _ in range(6):  # what lies on the hair: round, or with petals or lobes
            off = self._somewhere(hair)
            x, y = (
                across - across.flatten(1).gather(1, off)[..., None, None],
                up - up.flatten(1).gather(1, off)[..., None, None],
            )
            petals = (
                self._uniform(1, 3.5, n, 1, 1, 1).round() * torch.atan2(y, x) + self._uniform(0, 6, n, 1, 1, 1)
            ).sin()
            size = self._uniform(0.06, 0.45, n, 1, 1, 1) * (1 + self._uniform(0, 0.6, n, 1, 1, 1) * petals)
            long = self._uniform(1, 5, n, 1, 1, 1) ** self._chance(n, 0.25)  # a tassel hangs down, a comb lies
            lying = self._chance(n, 0.3)
            x, y = torch.where(lying, x / long, x), torch.where(lying, y, y / long)
            cover = torch.maximum(cover, ((torch.hypot(x, y) < size) & self._chance(n, 0.35)).float())
        face = region_mask(seen, "skin", SIZE) * (1 - F.max_pool2d(hair, 5, 1, 2))
        cover = cover * (1 - face * (up < 0.1))
        cloth = self._cloth(picture, hair, seen, loud)
        # beads, petals and metal are light and dark from place to place
        rough = self._uniform(0, 0.7, n, 1, 1, 1) * self._chance(n, 0.6)
        cells = F.interpolate(torch.randn(n, 1, 40, 40, generator=self.generator), (SIZE, SIZE), mode="bilinear")
        cloth = (cloth * (1 + rough * cells)).clamp(0, 1)
        # black silk on black hair is seen by nobody
        of_cloth, of_hair = (mean_color(to_lab(x), mask + 1e-6) for x, mask in ((cloth, cover), (picture, hair)))
        cover = cover * ((of_cloth - of_hair).norm(dim=1) > UNLIKE).float()[:, None, None, None]
        cover = F.avg_pool2d(F.pad(cover, (1,) * 4, mode="replicate"), 3, 1)
        return torch.lerp(picture, cloth, cover), hair * (1 - cover)

    def _somewhere(self, hair: Tensor) -> Tensor:
        """A place in the hair ``[n,1,128,128]`` of each face, row by row, ``[n,1]``; or anywhere where there is none."""
        return torch.multinomial(hair.flatten(1) + 1e-5, 1, generator=self.generator)

    def _frame(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Where pixels lie across and up from the middle of the brows, ``[n,1,128,128]`` each, in half widths of the face."""
        ears = seen[:, AT[234]], seen[:, AT[454]]
        half = (ears[1] - ears[0]).norm(dim=-1) / 2
        brow = seen[:, [AT[i] for c in BROWS for i in c]].mean(1)
        along = (ears[1] - ears[0]) / (2 * half[:, None]).clamp(min=1e-6)
        along = torch.where(along[:, :1] < 0, -along, along)
        off = (pixel_centers(SIZE, SIZE) - brow[:, None, None]) / half[:, None, None, None]
        across = (off * along[:, None, None]).sum(-1)
        up = off[..., 0] * along[:, None, None, 1] - off[..., 1] * along[:, None, None, 0]
        return across[:, None], up[:, None]

    def _dyed(self, picture: Tensor, hair: Tensor, person: Tensor, seen: Tensor, loud: Tensor) -> tuple[Tensor, Tensor]:
        n = len(picture)
        lab = to_lab(picture)
        mean = mean_color(lab, hair)[:, :, None, None]
        # mostly the colours that hair has: what is blue on a head is a scarf more often than hair
        hue = torch.where(self._chance(n, 0.25), 28.0, 6.0) * torch.randn(n, 2, 1, 1, generator=self.generator)
        goal = torch.cat([self._uniform(4, 80, n, 1, 1, 1), hue + hue.new_tensor([4.0, 10.0])[:, None, None]], 1)
        gain = (goal[:, :1] / mean[:, :1].clamp(min=4)).clamp(0.2, 3)
        light = goal[:, :1] + (lab[:, :1] - mean[:, :1]) * gain
        dyed = torch.cat([light.clamp(0, 100), goal[:, 1:] * (light / goal[:, :1].clamp(min=4)).clamp(0, 1.3)], 1)
        return torch.lerp(picture, to_rgb(dyed), hair), hair

    def _wall(self, picture: Tensor, hair: Tensor, person: Tensor) -> Tensor:
        n = len(picture)
        person = torch.maximum(person, hair)
        own = mean_color(picture, hair)[:, :, None, None]
        color = torch.where(self._uniform(0, 1, n, 1, 1, 1) < 0.5, own, self._uniform(0, 1, n, 3, 1, 1))
        wall = color * (1 + 0.25 * self._smooth(n, 1, 3)) + 0.05 * self._smooth(n, 3, 6)
        wall = wall + self._uniform(0, 0.15, n, 1, 1, 1) * self._smooth(n, 3, 24)
        return torch.lerp(wall.clamp(0, 1), picture, person)

    def worn(self, picture: Tensor, share: float = BAD) -> Tensor:
        """Pictures ``[n,3,128,128]``, a share of which were small, or out of focus, pressed as JPEG, and lit too little or too much."""
        bad = torch.rand(len(picture), generator=self.generator) < share
        return torch.stack([self._bad(x) if b else x for x, b in zip(picture, bad.tolist(), strict=True)])

    def _bad(self, x: Tensor) -> Tensor:
        small, blur, press, light = torch.rand(4, generator=self.generator).tolist()
        side = round(SIZE / 6 ** min(1.0, 1.4 * small)) if small < 0.7 else SIZE
        x = x * (0.45 + 1.8 * light) if light < 0.5 else x
        x = resized(x[None].clamp(0, 1), side)
        if blur < 0.4:
            r = 1 + round(3 * blur * side / SIZE / 0.4)
            x = F.avg_pool2d(F.pad(x, (r,) * 4, mode="replicate"), 2 * r + 1, 1)
        if press < 0.5:
            file = io.BytesIO()
            Image.fromarray((255 * x[0]).byte().permute(1, 2, 0).numpy()).save(
                file, "JPEG", quality=round(15 + 140 * press)
            )
            x = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None] / 255
        return resized(x, SIZE)[0]


class _Objective(nn.Module):
    def __init__(self, net: HairNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor, hair: Tensor) -> dict[str, Tensor]:
        logits = self.net(picture)
        p = logits.sigmoid()
        both, either = (p * hair).sum((1, 2, 3)), (p + hair - p * hair).sum((1, 2, 3))
        return {
            "cross": F.binary_cross_entropy_with_logits(logits, hair),
            "overlap": 0.2 * (1 - (both + 20) / (either + 20)).mean(),
        }


@torch.no_grad()
def found(net: nn.Module, faces: data.Faces, worse: Callable[[Scenes, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Of each usable face, as ``worse`` makes its picture, the logits of hair, and hair as labelled, ``[N,1,64,64]``."""
    scenes = Scenes(faces, 0)
    parts = []
    for index in scenes.views.usable.split(64):
        picture, hair, _ = scenes.views.view(index, False, 0.0)[0].split((3, 1, 1), 1)
        parts.append((net(worse(scenes, picture)), F.avg_pool2d(hair, 2)))
    return torch.cat([p for p, _ in parts]), torch.cat([h for _, h in parts])


WORSE = {  # what held-out faces are made for a look
    "as they are": lambda scenes, x: x,
    "grey": lambda scenes, x: x.mean(1, keepdim=True).expand_as(x),
    "40 px a side": lambda scenes, x: resized(resized(x, 40), SIZE),
    "bad pictures": lambda scenes, x: scenes.worn(x, 1.0),
}


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union ``[N]`` of masks ``[N,1,h,w]``, a pixel being in where it is at least 0.5."""
    one, other = one >= 0.5, other >= 0.5
    return (one & other).sum((1, 2, 3)) / (one | other).sum((1, 2, 3)).clamp(min=1)


@torch.no_grad()
def validate(net: nn.Module, faces: data.Faces) -> list[str]:
    """How what is found on held-out faces agrees with the labels, and on the same faces shaved, hatted, and so on."""
    rows = [
        "| faces | with hair | IoU mean | median | 10 % quantile | refused | without | dyed all the same |",
        "|---|---|---|---|---|---|---|---|",
    ]
    sets = {name: found(net, faces, worse) for name, worse in WORSE.items()}
    for name in SHARE:
        scenes = Scenes(faces, 1)
        scenes.share = dict.fromkeys(SHARE, 0.0) | {name: 1.0}
        drawn = [scenes.draw(40) for _ in range(5)]
        picture, truth, _ = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        sets[name] = net(picture), truth
    for name, (logits, truth) in sets.items():
        some = (truth >= 0.5).float().mean((1, 2, 3)) >= LEAST
        iou, dyed = overlap(logits.sigmoid(), truth)[some], trusted(logits)
        figures = f"{iou.mean():.3f} | {iou.median():.3f} | {iou.quantile(0.1):.3f}" if len(iou) else "| |"
        rows.append(
            f"| {name} | {len(iou)} | {figures} | {int((~dyed[some]).sum())} | {int((~some).sum())} | {int(dyed[~some].sum())} |"
        )
    return rows


def main(argv: list[str] | None = None) -> None:
    ap = loop.arguments("hair", __doc__.split("\n")[0], BUILTIN, 2500, 24, 5e-3)
    ap.add_argument("--start", type=Path, metavar="FILE", help="weights to begin with (default: none, at random)")
    o = ap.parse_args(argv)
    torch.manual_seed(o.seed)
    train, test = labelled(o.data)
    if not o.validate:
        net = HairNet().to(o.device, memory_format=torch.channels_last)
        if o.start:
            net.load_state_dict(filled(HairNet, o.start, "hair").state_dict())
        scenes = Scenes(train, o.seed)
        drawn = [scenes.draw(40) for _ in range(0, SCENES, 40)]
        if o.start:
            was = load_hair(o.start)
            drawn += [(*scenes.kept(40, was), torch.zeros(40, 1, 1, 1).bool()) for _ in range(0, SCENES // 2, 40)]
        pictures, hair, loud = (torch.cat(part) for part in zip(*drawn, strict=True))
        pictures, hair = (255 * pictures).byte(), (255 * hair).byte()
        print(f"{len(pictures)} scenes", flush=True)

        def batch(seed: int) -> tuple[Tensor, Tensor]:
            scenes.generator.manual_seed(seed)
            index = torch.randint(len(pictures), (o.batch,), generator=scenes.generator)
            x, y = pictures[index] / 255, hair[index] / 255
            if seed % 2:
                x, y = x.flip(3), y.flip(3)
            lit = scenes.views.light(x, grey=torch.where(loud[index], 0.0, 0.25))
            return scenes.worn(lit).to(o.device), y.to(o.device)

        seconds = loop.fit(_Objective(net), batch, o)
        if loop.rank():
            return
        loop.save(net, o.out, {"steps": str(o.steps), "seed": str(o.seed)})
        print(f"trained in {seconds:.0f} s")
    print("\n".join(validate(load_hair(o.out), test)))
