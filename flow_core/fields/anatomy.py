"""How a fitted face looks when its muscles have moved: skin, eyeballs and the inside of the mouth as layers.

The skin follows the mesh. Eyelids, gaze and the opening of the mouth are described by curves of the face itself, its lids
and lips, so that lids meet wherever a face has them, and teeth stay with the skull. Everything is a function of crop points:
nothing here knows a resolution but the smooth offsets of the skin, which are kept on a raster and interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..faces.landmarks import AT, OVAL, UPPER_LIDS
from ..faces.lids import seen_at
from ..faces.shading import GAMMA, TINT
from ..geometry.neighbours import of_three
from ..geometry.sampling import interpolate
from .brows import DrawnOut, drawn_out, keep_lashes, stays_on
from .curves import Frame, curves_of
from .eyes import LEFT, RIGHT, Eye, ask_eyes, eyes_of
from .grain import grain
from .layers import Box, around, within
from .lips import shown as shown_lips
from .mouth import MEETING, Mouth, ask_mouth, blunt_tips, lips_at, mouth_of, off_teeth
from .pits import Pit
from .rims import Rims
from .skin import skin_offsets
from .teeth import Skull

if TYPE_CHECKING:
    from .face import Face
    from .patch import Patch

FOLD = 0.2  # by which a fold is darker than the skin around, as a logarithm: what is darker deepens by no more
_UPPER = [[AT[i] for i in lid] for lid in UPPER_LIDS]
_EDGES = [[np.array(edge) for edge in pair] for pair in ((_UPPER[0], LEFT[:9]), (_UPPER[1], RIGHT[8::-1]), MEETING)]


class MovedFace:
    """One face whose muscles have moved, ready to be asked at any crop point.

    Args:
        face: as it was.
        moved: ``[161,2]`` its landmarks after, crop points.
        shift: ``[V,2]`` where the mesh's vertices were before, less where they are after, crop fractions, without what eyelids and
            eyeballs do; or ``[V,3]`` with how their light changes, see :func:`skin_offsets`; or ``[V,4]`` with how far their
            creases fade, 0..1, or deepen, to -1.
        triangles: ``[T,3]`` of the face.
        seen: triangles and weights on the raster of the skin's offsets; see :func:`skin_offsets`.
        lids: by which factor the opening of the viewer's left and right eye changes.
        gaze: shift of either iris, x and y, in widths of the eye.
        teeth: x and y by which the skull's teeth move, crop fractions.
        skull: where teeth may be painted, and in which colours; None: the inside of a mouth is only dark.
        folds: ``[1,1,size,size]`` on the raster of the skin, added to how its light changes.
        lines: of one channel each, added to that as well.
        pits: what is painted at the corners of the mouth.
    """

    def __init__(
        self, face: Face, moved: Tensor, shift: Tensor, triangles: Tensor, seen: tuple[Tensor, Tensor],
        lids: Sequence[float], gaze: Sequence[tuple[float, float]], teeth: tuple[float, float] = (0.0, 0.0),
        skull: Skull | None = None, folds: Tensor | None = None, lines: Sequence[Patch] = (), pits: Sequence[Pit] = (),
    ) -> None:  # fmt: skip
        self.seen, self.teeth, self.creases, self.lines = seen, teeth, face.creases, lines
        self.pits, self.grain = pits, None
        self.view = face.whole_view
        self.tint = [1 + face.flesh * (tint - 1) for tint in TINT]  # only flesh lights its own folds red
        self.paints, device = skull is not None, moved.device
        self.drawn_out: list[DrawnOut] = []
        self.skin = skin_offsets(shift, triangles, seen, moved[[AT[i] for i in OVAL]])
        if folds is not None:
            self.skin[:, 2:3] += of_three(folds)
        self.deepens = bool((self.skin[:, 3:] < 0).any())
        before, after = torch.stack([face.landmarks, moved]).double().cpu().numpy()
        if face.glasses is not None:
            rims = Rims(face.glasses, before)
            self.skin[:, :2], free = rims.hold(self.skin[:, :2], after)
            self.skin[:, 2:3] *= free if face.glasses.dark else 1.0  # light passes clear lenses,
            self.skin[:, 3:] *= free  # but a rim is no crease
            after += (before - after) * rims.behind(torch.from_numpy(before)).numpy()[:, None]
        else:
            stays = stays_on(face, before)
            keep_lashes(self.skin, before, after, stays)
            if self.paints and face.lids is not None:
                self.drawn_out = drawn_out(face, before, after, stays)
        if self.paints and face.texture is not None:
            self.grain = grain(face.texture, before, after)
        edges = _edges(*blunt_tips(before, after))
        curves = curves_of(edges)
        self.eyes = eyes_of(before, after, edges[:8], curves[:8], lids, gaze, face, device)
        self.mouth = mouth_of(before, after, edges[8:], curves[8:], teeth, face.pixel, skull, device)
        if pits:
            self.mouth = replace(self.mouth, box=around(self.mouth.box, *(pit.reach for pit in pits)))

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        """Offset ``[1,2,H,W]``, how much is uncovered ``[1,1,H,W]``, what is painted there ``[1,4,H,W]`` and the light ``[1,3,H,W]``, None
        for nothing, at crop points ``[1,H,W,2]``; see :class:`flow_core.fields.base.Sample`."""
        skin = interpolate(self.skin, points, "bilinear")
        skin, light, fading = skin[:, :2], skin[:, 2:3] if skin.shape[1] > 2 else None, skin[:, 3:]
        if light is not None:
            tint = light.new_tensor(self.tint)[:, None, None] / GAMMA
            light = light * tint
        planes = points[0].movedim(-1, 0).contiguous()  # of pairs all would take several times as long
        parts, found = self._parts(), within(planes, self._reaches())
        others = iter(found[len(parts) :])
        flat, moves, dark, painted, inside = planes.flatten(1), skin.view(2, -1), None, None, None
        eyes = [(part, at) for part, at in zip(parts, found, strict=False) if isinstance(part, Eye) and len(at)]
        if eyes:
            most = max(len(at) for _, at in eyes)
            # both eyes at once; of the smaller one the last point is asked again
            at = torch.stack([torch.cat([at, at[-1:].expand(most - len(at))]) for _, at in eyes])
            here = flat.index_select(1, at.flatten()).unflatten(1, at.shape)
            asked = [eye for eye, _ in eyes]
            rise, cover, source, shade = ask_eyes(
                asked, *here, here + moves.index_select(1, at.flatten()).view_as(here) if self.paints else None
            )
            if rise is None:
                under = moves.index_select(1, at.flatten()).view_as(here)
            else:
                under = interpolate(self.skin[:, :2], (here + rise).movedim(0, -1)[None], "bilinear")[0] + rise
            beyond = None
            if self.view is None or shade is None:
                shown = torch.lerp(under, source - here, cover)
            else:  # a mean of places would show what lies between them
                ball = cover > 0.5
                shown, other = (torch.where(ball, *pair) for pair in ((source - here, under), (under, source - here)))
                beyond = seen_at(self.view, (here + other).movedim(0, -1)[None])[0]
                beyond = torch.cat([beyond, torch.ones_like(beyond[:1])]) * torch.where(ball, 1 - cover, cover)
            moves.index_copy_(1, at.flatten(), shown.flatten(1))
            if shade is not None:
                lighter = torch.zeros_like(shade[:3])
                for i, eye in enumerate(asked):
                    if eye.bare is not None:
                        bare = eye.bare.at(*(here + under)[:, i])
                        weight = eye.shut * (1 - cover[i])
                        lighter[:, i] = bare[4:7] * weight
                        hidden = bare[3] * weight * (1 - shade[3, i])
                        shade[:, i] += torch.cat([bare[:3] * hidden, hidden[None]])
                if beyond is not None:
                    shade = shade + beyond * (1 - shade[3])
                painted = skin.new_zeros(1, 4, *skin.shape[2:])
                painted.view(4, -1)[:, at] = shade
                if light is not None:
                    light = light.clone() if light.shape[1] == 3 else light.expand(-1, 3, -1, -1).clone()
                    light.view(3, -1)[:, at] += lighter
        for lines, at in zip(self.lines, others, strict=False):
            if light is not None and len(at):
                light.view(3, -1)[:, at] += lines.at(flat.index_select(1, at)) * tint[:, 0]
        for part, at in zip(self.drawn_out, others, strict=False):
            if len(at):
                here = flat.index_select(1, at)
                paint = part.at(here, here + moves.index_select(1, at))
                painted = skin.new_zeros(1, 4, *skin.shape[2:]) if painted is None else painted
                _paint_under(painted, at, paint)  # lashes and lids that shut
        at = found[len(parts) - 1]
        if len(at):
            here = flat.index_select(1, at)
            lips = lips_at(self.mouth, *here)
            _, cover, source, shade, paints = ask_mouth(self.mouth, lips, *here, self.teeth)
            moved = moves.index_select(1, at)
            skin_here = off_teeth(self.mouth, lips, here + moved)
            if self.mouth.rims is not None:
                skin_here = shown_lips(self.mouth.rims, here, moved, self._skin_at, skin_here)
            skin_here = skin_here - here
            moves.index_copy_(1, at, torch.lerp(skin_here, source - here, cover))
            dark = skin.new_zeros(1, 1, *skin.shape[2:])
            dark.view(-1).index_copy_(0, at, shade)
            if paints is not None:
                painted = skin.new_zeros(1, 4, *skin.shape[2:]) if painted is None else painted
                painted.view(4, -1)[:, at] = paints
            if self.pits or self.grain is not None:
                inside = skin.new_zeros(skin.shape[2:]).flatten().index_copy_(0, at, cover)
        if self.grain is not None:
            at = next(others)
            if light is not None and len(at):
                here = flat.index_select(1, at)
                finest = self.grain.at(here, here + moves.index_select(1, at))
                if inside is not None:
                    finest = finest * (1 - inside.index_select(0, at))
                light.view(light.shape[1], -1)[:, at] += finest
        for pit, at in zip(self.pits, others, strict=False):
            if len(at):
                lit = None if light is None else light.view(light.shape[1], -1).index_select(1, at)
                faded = fading.view(fading.shape[1], -1).index_select(1, at) if fading.shape[1] else flat[:0]
                paint = pit.at(flat.index_select(1, at) + moves.index_select(1, at), lit, faded)
                if inside is not None:
                    paint = paint * (1 - inside.index_select(0, at))
                    paint[:3] *= 1 - dark.view(-1).index_select(0, at)
                painted = skin.new_zeros(1, 4, *skin.shape[2:]) if painted is None else painted
                _paint_under(painted, at, paint)
        if light is not None and self.creases is not None and fading.shape[1]:
            folds = interpolate(self.creases, points + skin.movedim(1, -1), "bilinear")
            if self.deepens:  # what deepens are folds, and no highlights, stubble or paint
                folds = torch.where(fading < 0, folds.clamp(0, FOLD), folds)
            light = torch.addcmul(light, fading, folds)
        return skin, dark, painted, light

    def _skin_at(self, points: Tensor) -> Tensor:
        """Offsets ``[2,N]`` of the skin at crop points ``[2,N]``."""
        return interpolate(self.skin[:, :2], points.T[None, None], "bilinear")[0, :, 0]

    def _parts(self) -> list[Eye | Mouth]:
        """What has sharp borders: eyes in which more than the skin moves, and, last, the mouth."""
        return [*(eye for eye in self.eyes if not eye.still), self.mouth]

    def _reaches(self) -> list[Box]:
        """Where something is seen of each of :meth:`_parts`, the lines, what is painted below brows, the grain and the pits: all in one list, so that
        points are looked through for them only once."""
        lines, grains = [lines.box for lines in self.lines], [] if self.grain is None else [self.grain.box]
        return [
            *self.boxes(),
            *lines,
            *(part.reach for part in self.drawn_out),
            *grains,
            *(pit.reach for pit in self.pits),
        ]

    def boxes(self) -> list[Box]:
        """Where layers meet."""
        return [part.box for part in self._parts()]

    def opening(self, points: Tensor) -> Tensor:
        """How much of an eyeball or of the inside of the mouth is seen instead of skin, 0..1, at crop points ``[1,H,W,2]``."""
        x, y = points.movedim(-1, 0).flatten(1)
        cover = ask_mouth(self.mouth, lips_at(self.mouth, x, y), x, y, self.teeth)[0]
        eyes = ask_eyes(self.eyes, x.expand(2, -1), y.expand(2, -1))[1]
        return torch.maximum(cover, eyes.amax(0)).reshape(1, *points.shape[1:3])


def _paint_under(painted: Tensor, at: Tensor, paint: Tensor) -> None:
    """Add ``paint [4,N]`` at some points ``at [N]`` of ``painted [1,4,H,W]``, under what is painted there already."""
    rows = painted.view(4, -1)
    over = rows.index_select(1, at)
    rows.index_copy_(1, at, over + paint * (1 - over[3]))


def _edges(landmarks: np.ndarray, moved: np.ndarray) -> list[tuple[Frame, np.ndarray]]:
    """Of the viewer's left and right eye, and of the mouth, the edges of lids and lips ``[N,2]`` and their frames: upper and lower one after,
    and before."""
    found = []
    for rows in _EDGES:
        for at in (moved, landmarks):
            upper, lower = at[rows[0]], at[rows[1]]
            frame = Frame.between(lower[0], lower[-1])
            found += [(frame, upper), (frame, lower)]
    return found
