"""Train the one-shot predictor: ``python -m flow_core.train predictor --data DIR``.

No edit is shown to it. Random faces and random prompts go through the predictor; the muscles that it answers move the face;
the frozen guide says how far that went, and the objective of :mod:`flow_core.editing.optimize` what it is worth (paper, the
learning-based framework). So it learns what optimisation would find, on the average of many faces, for any guide and any folder
of faces.

On one GPU, on four, and from tar shards (:mod:`flow_core.train.shards`)::

    python -m flow_core.train predictor --guide ViT-B-32:laion2b_s34b_b79k --images PHOTOS --device cuda --mixed --batch 128
    torchrun --nproc-per-node 4 -m flow_core.train predictor --guide ... --shards "faces/*.tar" --device cuda --mixed
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..editing import losses
from ..editing.bounds import features, metric, sizes
from ..editing.gates import COLOR_REGIONS, Gates, open_gates
from ..editing.muscles import LATTICE, Lattice, rasterised, skin
from ..editing.named import named
from ..editing.objective import Edit, Objective, Priors, least_unit_gain
from ..editing.optimize import Settings
from ..editing.painting import RegionColors
from ..editing.predict import (
    BUILTIN,
    COLOR_LIMIT,
    LEAST_SIMILARITY,
    REACH,
    Predictor,
    Wish,
    key_texts,
    paint_with,
    tones,
)
from ..editing.views import DENSITY, NOISE, Faces, embed_views, random_views, sample_views
from ..faces.landmarks import MIRROR, five_points
from ..fields.base import Sample, taper
from ..fields.muscles import MusclesField
from ..fields.units import fit_shown, target_units
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..geometry.sampling import sample_image
from ..guides.guide import BUILTIN as NANO
from ..guides.guide import Guide, load_guide
from ..guides.prompts import NEUTRAL, TEMPLATES, Prompt, embed, gain
from ..io import picture
from ..io.sheets import sheet
from ..warping.warp import warp
from . import attributes, captions, data, faces, loop, shards
from .guide_objective import sampling_weights
from .views import Views

MOST_PARTS = 3  # most parts of a prompt
MEASURED = 12  # faces on which the unit gain of the texts is measured
USUAL = 8  # batches of faces of which the usual shape is measured
LEAST = 0.25  # shortest text direction, relative to the root mean square, that says anything
CORRECTION = 0.3  # what a correction as long as REACH costs; one that brings nothing is not made


@dataclass(frozen=True)
class Texts:
    """What prompts are made of.

    Attributes:
        texts: ``P`` of them.
        ways: ``[P,D]`` text directions from neutral.
        starts: ``[P,2U+C]`` what each names, see :func:`flow_core.editing.named.named`.
        kinds: ``[P,2]`` 0..1, whether it asks for an expression, and for a shape.
        gates: ``[P,8]`` the regions of :data:`flow_core.editing.gates.COLOR_REGIONS` that each may paint.
        unit_gain: ``[P]`` logits for a unit of :func:`flow_core.editing.losses.rms_change` along the steepest way of each, as
            :meth:`flow_core.editing.parameters.Parameters.unit_gain` measures it, but the mean over some faces; 1 where nobody
            measured it.
        slopes: ``[D,U+C+24]`` mean change of the embedding times the logit scale, for each deviation of units and controls along
            :func:`flow_core.editing.bounds.metric`, and of colours by ``COLOR_UNIT``; None where nobody measured it.
    """

    texts: tuple[str, ...]
    ways: Tensor
    starts: Tensor
    kinds: Tensor
    gates: Tensor
    unit_gain: Tensor
    slopes: Tensor | None = None

    @classmethod
    def read(cls, guide: Guide, texts: Sequence[str]) -> Texts:
        """Embed texts, once; those that say nothing to the guide are left out."""
        guide.read_ahead([t.format(text) for text in texts for t in TEMPLATES])
        neutral, rows = embed(guide, NEUTRAL), []
        for text in texts:
            prompt = Prompt(((text, 1.0),))
            asked, opened = named(guide, prompt), open_gates(guide, prompt)
            kinds = torch.tensor([asked.expression, asked.shape])
            regions = torch.tensor(list(opened.regions.values()))
            rows.append((embed(guide, text).cpu() - neutral.cpu(), asked.field.coefficients()[0].cpu(), kinds, regions))
        columns = (torch.stack(column) for column in zip(*rows, strict=True))
        made = cls(tuple(texts), *columns, torch.ones(len(rows)))
        length = made.ways.norm(dim=1)
        return made.select((length > LEAST * made.unit).nonzero()[:, 0])

    @property
    def unit(self) -> float:
        """Root mean square length of the directions."""
        return self.ways.square().sum(1).mean().sqrt().item()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.ways, self.starts, self.kinds, self.gates, self.unit_gain

    def select(self, index: Tensor) -> Texts:
        return Texts(tuple(self.texts[i] for i in index.tolist()), *(t[index] for t in self.tensors), self.slopes)

    @torch.no_grad()
    def measured(self, guide: Guide, images: Tensor, landmarks: Tensor) -> Texts:
        """With :attr:`unit_gain` and :attr:`slopes` measured on faces ``[n,3,192,192]`` uint8 with ``landmarks [n,161,2]`` in pixels."""
        aligned, places, _ = look(images, landmarks, guide.image_size, None)
        basis = torch.block_diag(*metric()[:2])  # along it units and controls vary on real faces, each by one deviation
        u, c = sizes()
        free = torch.cat(
            [self.kinds.repeat_interleave(torch.tensor([u, c]), 1), (self.gates > 0).repeat_interleave(3, 1)], 1
        )
        everywhere = Gates({}, dict.fromkeys(COLOR_REGIONS, 1.0))
        tints = losses.COLOR_UNIT * torch.eye(3 * len(COLOR_REGIONS)).unflatten(1, (-1, 3))
        points, lattice = pixel_centers(guide.image_size, guide.image_size), pixel_centers(LATTICE, LATTICE)
        weight, still = taper(lattice)[:, None], MusclesField.zeros()
        found, every = [], []
        for face, place in zip(aligned.split(1), places.split(1), strict=True):
            fitted = fit_shown(place)
            at = rasterised(fitted, place[0], still, lattice, weight)
            offset = torch.cat([skin(fitted, at, row) for row in basis])
            colors = RegionColors([everywhere], [{}], place, face, (2, 2), COLOR_LIMIT)
            coats = torch.cat([paint_with(colors, everywhere, tint[None]) for tint in tints])
            coats = sample_image(coats, points.expand(len(coats), -1, -1, -1) * coats.shape[-1])
            fine = F.interpolate(offset, points.shape[1:3], mode="bilinear", align_corners=False).movedim(1, -1)
            ends = []
            for way in (1, -1):
                moved = [
                    sample_image(face.expand(len(f), -1, -1, -1), (points + way * f) * face.shape[-1])
                    for f in fine.split(16)
                ]
                painted = [(face + way * c).clamp(0, 1) for c in coats.split(16)]
                ends.append(torch.cat([guide.encode_image(x.to(guide.device)).cpu() for x in moved + painted]))
            slopes = guide.scale * (ends[0] - ends[1]) / 2
            every.append(slopes.T)
            steep = self.ways @ slopes.T * free
            flat = (steep[:, : u + c] * free[:, : u + c]) @ offset.flatten(1)
            tinted = losses.COLOR_UNIT * steep[:, u + c :].unflatten(1, (-1, 3))
            change = losses.rms_change(flat.unflatten(1, offset.shape[1:]), tinted)
            found.append(steep.square().sum(1) / change.clamp(min=1e-9))
        measured = torch.maximum(torch.stack(found).mean(0), least_unit_gain(guide.scale, self.ways))
        return replace(self, unit_gain=measured, slopes=torch.stack(every).mean(0))

    def steer(self, predictor: Predictor) -> None:
        """Let a predictor begin with the mean of the optimiser's first steps: the natural gradient of each text."""
        u, c = sizes()
        columns = [slice(0, u), slice(u, u + c), slice(u + c, None)]
        asked = [self.kinds[:, 0] > 0.5, self.kinds[:, 1] > 0.5, self.gates.amax(1) > 0]
        with torch.no_grad():
            rows = predictor.steer.weight
            for part, usable, length in zip(columns, asked, (0.7, 0.7, 0.6), strict=True):
                if usable.any():
                    way = self.ways[usable] / self.unit * self.ways.shape[1] ** 0.5
                    usual = (way @ self.slopes[:, part]).norm(dim=1).mean().clamp(min=1e-9)
                    rows[part] = (length / usual * self.slopes[:, part].T).to(rows)


class Judged(nn.Module):
    """The predictor with what judges its edits: the frozen guide and the optimiser's objective."""

    def __init__(
        self, predictor: Predictor, guide: Guide, texts: Texts, settings: Settings, mixed: bool = False
    ) -> None:
        super().__init__()
        self.predictor = predictor
        # no modules and no buffers: none of these is trained, saved, or sent from process to process
        self.guide, self.settings, self.mixed = guide, settings, mixed
        self.priors = settings.priors.scaled(settings.preserve)
        self.texts = replace(
            texts, **{n: getattr(texts, n).to(guide.device) for n in ("ways", "starts", "kinds", "gates", "unit_gain")}
        )
        self.lattice = pixel_centers(LATTICE, LATTICE, guide.device)
        self.weight = taper(self.lattice)[:, None]

    def forward(self, images: Tensor, landmarks: Tensor, which: Tensor, weight: Tensor, seed: int) -> dict[str, Tensor]:
        """Losses of ``n`` faces.

        Args:
            images: ``[n,3,192,192]`` uint8.
            landmarks: ``[n,161,2]`` pixels of ``images``.
            which: ``[n,K]`` texts of each prompt.
            weight: ``[n,K]`` of these, the largest 1; 0 for parts that are not there.
            seed: of views and augmentation.
        """
        g = torch.Generator(images.device).manual_seed(seed)
        aligned, places, frontality = look(images, landmarks, round(self.guide.image_size * DENSITY), g)
        wish = wish_of(self.texts, which, weight)
        fitted = fit_shown(places)
        regions = (self.texts.gates[which] * (weight != 0)[..., None]).amax(1)
        gates = [Gates({}, dict(zip(COLOR_REGIONS, row, strict=True))) for row in regions.tolist()]
        palettes = [
            RegionColors([gate], [{}], places[i : i + 1], aligned[i : i + 1], (2, 2), COLOR_LIMIT)
            if gate.color > 0
            else None
            for i, gate in enumerate(gates)
        ]
        seen_tones = torch.cat([tones(p, gate, aligned[:1]) for p, gate in zip(palettes, gates, strict=True)])
        answer = self.predictor(wish, features(fitted), seen_tones)
        field = MusclesField.zeros(len(images)).to(images.device).with_coefficients(answer.coefficients)
        samples, shifts, v = [], answer.shifts, self.settings.views
        views = random_views(v * len(images), g)
        coarse = views(min(self.guide.image_size, LATTICE)).unflatten(0, (-1, v))
        for i in range(len(images)):
            color = None if palettes[i] is None else paint_with(palettes[i], gates[i], shifts[i : i + 1])
            one, face = field.select(i), fitted.select(i)
            at = rasterised(face, places[i], one, self.lattice, self.weight)
            offset, dark = at.offset, at.dark
            # exact in value, of first order in slope
            after = torch.cat([target_units(face.units[0], one.relax[0], one.units[0]), one.controls[0]])
            offset = offset + skin(face, at, after - after.detach())
            samples.append(
                sample_views(Lattice(offset, dark, color, None).flow(), coarse[i][None], self.guide.image_size)
            )
        change = self._change(aligned, views(self.guide.image_size), samples, g)
        painted = (regions > 0).float()
        terms: dict[str, Tensor] = {"correction": CORRECTION / REACH**2 * answer.free.square().sum(1).mean()}
        for colored in (False, True):  # colours count in how far an edit went, where there are any
            on = (painted.any(1) == colored).nonzero()[:, 0]
            if len(on):
                judged = self._objective(which[on], weight[on], frontality[on])
                colors = {"colors": shifts[on], "painted": painted[on]} if colored else {}
                for name, value in judged(Edit(None, **colors), change[on]).losses.items():
                    terms[name] = terms.get(name, 0.0) + value * len(on) / len(images)
        return terms

    def _objective(self, which: Tensor, weight: Tensor, frontality: Tensor) -> Objective:
        return Objective(
            self.guide.scale, self.texts.ways[which], weight, self.texts.unit_gain[which], self.settings.margin, self.priors,
            frontality.new_ones(1, 1, 1, 1), frontality,
        )  # fmt: skip

    def _precision(self, images: Tensor) -> AbstractContextManager:
        return torch.autocast(images.device.type, torch.bfloat16) if self.mixed else nullcontext()

    def _change(self, aligned: Tensor, points: Tensor, samples: Sequence[Sample], g: torch.Generator) -> Tensor:
        """By how much edits change the embeddings of faces in views of each, ``[n,V,D]``; ``points`` are those of all views."""
        every = len(points) // len(samples)
        color = NOISE * torch.randn(len(points), 3, *points.shape[1:3], generator=g, device=g.device)
        tint = [
            s.offset.new_zeros(()).expand(len(s.offset), 3, *points.shape[1:3]) if s.color is None else s.color
            for s in samples
        ]
        offset, dark = torch.cat([s.offset for s in samples]), torch.cat([s.uncovered for s in samples])
        source = aligned.repeat_interleave(every, 0)
        with self._precision(source):
            with torch.no_grad():
                before = embed_views(self.guide, source, points)
            after = embed_views(self.guide, source, points, offset, color + torch.cat(tint), dark)
        return (after - before).unflatten(0, (-1, every))


def wish_of(texts: Texts, which: Tensor, weight: Tensor) -> Wish:
    """What prompts of texts ``which [n,K]`` with weights ``[n,K]`` ask."""
    kinds = (texts.kinds[which] * (weight != 0)[..., None]).amax(1)
    kinds = kinds / kinds.amax(1, keepdim=True).clamp(min=1e-6)
    return Wish(*((t[which] * weight[..., None]).sum(1) for t in (texts.ways, texts.starts)), kinds)


def look(images: Tensor, landmarks: Tensor, size: int, g: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
    """Faces as they are at run time: squares ``[n,3,size,size]`` 0..1, landmarks ``[n,161,2]`` in crop points and
    frontality ``[n]``. With ``g`` half of them are mirrored, and light and noise vary."""
    crop = Crop.from_points(five_points(landmarks), tuple(images.shape[2:]))
    places = crop.to_crop(landmarks[:, None])[:, 0]
    picture = sample_image(images.float() / 255, crop.to_image(pixel_centers(size, size, images.device)))
    if g is None:
        return picture, places, crop.frontality

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(len(images), *shape, 1, 1, generator=g, device=g.device)

    flip = uniform(0, 1, 1) < 0.5
    picture = torch.where(flip, picture.flip(-1), picture)
    mirrored = torch.stack([1 - places[:, list(MIRROR), 0], places[:, list(MIRROR), 1]], -1)
    places = torch.where(flip[:, 0], mirrored, places)
    picture = (picture * uniform(0.8, 1.2, 1) * uniform(0.93, 1.07, 3)).clamp(1e-4, 1) ** uniform(0.75, 1.35, 1)
    return picture.clamp(0, 1), places, crop.frontality


def prompts(texts: Texts, color: Sequence[bool], rng: random.Random) -> tuple[Tensor, Tensor]:
    """A random prompt for each face: texts ``[n,3]`` and weights ``[n,3]``, of which the largest is 1 or -1.

    Six in ten have one part, and one weight in five is negative. Faces without colours are asked for none, others in half of
    the parts.
    """
    painted = texts.gates.amax(1) > 0
    pools = [pool for pool in ((~painted).nonzero()[:, 0].tolist(), painted.nonzero()[:, 0].tolist()) if pool]
    which, weights = [], []
    for colored in color:
        parts = rng.choices((1, 2, MOST_PARTS), (6, 3, 1))[0]
        chosen = [rng.choice(rng.choice(pools) if colored else pools[0]) for _ in range(parts)]
        size = [1.0 if k == 0 or rng.random() < 0.5 else rng.uniform(0.2, 1.0) for k in range(parts)]
        weight = [w * rng.choice((1, 1, 1, 1, -1)) for w in size]
        which.append(chosen + chosen[:1] * (MOST_PARTS - parts))
        weights.append(weight + [0.0] * (MOST_PARTS - parts))
    return torch.tensor(which), torch.tensor(weights)


def groups() -> dict[str, list[str]]:
    """Held-out phrasings by what they are about."""
    out: dict[str, list[str]] = {"expression": [], "shape": [], "color": []}
    for k, phrase in captions.held_out():
        c = attributes.CONCEPTS[k]
        kind = "color" if c.color else "expression" if c.name in EXPRESSIONS else "shape"
        out[kind].append(phrase)
    return out


EXPRESSIONS = ("smile", "laugh", "anger", "surprise", "sadness", "disgust", "fear", "worry", "pout", "kiss", "scream", "sleepy",
               "stern", "frown")  # fmt: skip
SHOWN = ("a smiling face", "an angry face", "a surprised face", "a sad face", "a face with a wide nose", "an old face", "red lips",
         "blond hair", "a smiling face:-1")  # fmt: skip


@torch.no_grad()
def edits(
    predictor: Predictor, guide: Guide, test: data.Faces, text: str
) -> tuple[Tensor, Tensor, MusclesField, Tensor]:
    """Held-out faces edited at once: before and after ``[n,3,S,S]``, the fields, and the gains ``[n]`` in logits."""
    prompt = Prompt.parse(text)
    seen = Faces(*look(test.images, test.landmarks, round(guide.image_size * 1.25), None))
    field = predictor.bind(guide, prompt).field_for(seen.aligned, seen.landmarks).to("cpu")
    edited = warp(seen.aligned, seen.crop, field)[0]
    return seen.aligned, edited, field, gain(guide, prompt, seen.aligned, edited).cpu()


def validate(predictor: Predictor, guide: Guide, test: data.Faces, count: int = 12, most: int = 24) -> list[str]:
    """The model card's table, in Markdown: guide gain by group of prompts on ``most`` held-out faces, beside that of a network
    that has learnt nothing, and how long the corrections are."""
    rows = [
        "| prompts | number | gain | of what is named alone | of weight -1 | below 0.5 | moves a unit by at most |",
        "|---|---|---|---|---|---|---|",
    ]
    nothing = Predictor(predictor.guide, predictor.keys, predictor.unit.item()).to(predictor.unit.device).eval()
    test = test.select(torch.linspace(0, len(test) - 1, min(most, len(test))).long())
    for kind, texts in groups().items():
        usable = test.select(test.color.nonzero()[:, 0]) if kind == "color" and test.color.any() else test
        gains, plain, far, back = [], [], [], []
        for text in texts[:: max(1, len(texts) // count)][:count]:
            _, _, field, gained = edits(predictor, guide, usable, text)
            gains.append(gained)
            far.append(field.units.abs().max().item())
            plain.append(edits(nothing, guide, usable, text)[3])
            back.append(edits(predictor, guide, usable, f"{text}:-1")[3])
        every = torch.cat(gains)
        rows.append(
            f"| {kind} | {len(gains)} | {every.mean():+.2f} | {torch.cat(plain).mean():+.2f} | {torch.cat(back).mean():+.2f} | "
            f"{(every < 0.5).float().mean():.1%} | {max(far):.2f} |"
        )
    return rows


def contact_sheet(predictor: Predictor, guide: Guide, test: data.Faces, path: Path, most: int = 8) -> None:
    """A picture of held-out faces, the ones with colours first, and what :data:`SHOWN` makes of them."""
    order = torch.argsort(test.color.int(), descending=True, stable=True)
    at = torch.linspace(0, min(len(test), max(most, 3 * int(test.color.sum()) // 2)) - 1, min(most, len(test))).long()
    chosen = test.select(order[at])
    shown = [edits(predictor, guide, chosen, text)[:2] for text in SHOWN]
    rows = []
    for i in range(len(chosen)):
        row = [("" if i else "before", shown[0][0][i : i + 1])]
        row += [("" if i else text, after[i : i + 1]) for text, (_, after) in zip(SHOWN, shown, strict=True)]
        rows.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.write(picture.Picture(sheet(rows, 128)), path)


def read_texts(o: argparse.Namespace, guide: Guide) -> Texts:
    """The prompts of a file, or of the built-in generator, in the guide's text space."""
    if o.prompts:
        lines = [line.strip() for line in o.prompts.read_text().splitlines()]
        found = list(dict.fromkeys(line for line in lines if line and line[0] != "#"))
        if not found:
            raise SystemExit(f"{o.prompts} holds no prompts; write one on each line.")
    else:
        rng, refused = random.Random(o.seed), frozenset(phrase for _, phrase in captions.held_out())
        found = list(dict.fromkeys(captions.caption(rng, refused).text for _ in range(o.texts)))
    return Texts.read(guide, found)


def arguments() -> argparse.ArgumentParser:
    """The options of the command."""
    ap = loop.arguments("predictor", __doc__.split("\n")[0], BUILTIN, 6000, 24, 2e-3, data=False)
    ap.add_argument("--images", type=Path, help="folder of photographs, which are prepared beside the checkpoint first")
    ap.add_argument(
        "--shards", metavar="PATTERN", help='tar shards, for instance "faces/*.tar" (see flow_core.train.shards)'
    )
    ap.add_argument("--workers", type=int, default=2, help="processes that read shards")
    ap.add_argument(
        "--guide", default=NANO, help=f"{NANO}, ARCH:TAG or a .safetensors file; the predictor will fit it alone"
    )
    ap.add_argument("--precision", default="auto")
    ap.add_argument(
        "--prompts", type=Path, help="file with a text on each line (default: captions of the built-in generator)"
    )
    ap.add_argument("--texts", type=int, default=4000, help="captions to make where there is no --prompts")
    ap.add_argument("--weights", type=Path, metavar="FILE", help="weights of a predictor to go on from")
    ap.add_argument("--views", type=int, default=1, help="views of each face and step")
    ap.add_argument("--margin", type=float, default=Settings.margin, help="how far to go, as in the optimiser")
    ap.add_argument("--preserve", type=float, default=Settings.preserve, help="0 = bold, 1 = careful")
    ap.add_argument("--mixed", action="store_true", help="mixed precision (bfloat16), for GPUs")
    ap.add_argument(
        "--check-every", type=int, default=1000, help="steps between tables and contact sheets beside the checkpoint"
    )
    return ap


def main(argv: list[str] | None = None) -> None:
    ap = arguments()
    o = ap.parse_args(argv)
    if sum(bool(x) for x in (o.data, o.images, o.shards)) != 1:
        ap.error("give the faces by one of --data DIR (prepared), --images DIR (photographs) or --shards PATTERN")
    run(o, *load_faces(o))


def load_faces(o: argparse.Namespace) -> tuple[data.Faces | list[str], data.Faces]:
    """Faces for training, or the shards that hold them, and held-out faces."""
    if o.shards:
        paths = shards.find(o.shards)
        return paths, shards.held_out(paths)
    folder = o.data
    if o.images:
        folder = o.checkpoint.parent / f"{o.checkpoint.stem}-faces"
        loop.join(o.device)
        if loop.rank() == 0 and not (folder / "portraits_landmarks.npz").is_file():
            faces.main([str(o.images), "-o", str(folder)])
        loop.wait()
    return data.load(folder)


def run(o: argparse.Namespace, train: data.Faces | list[str], test: data.Faces) -> None:
    """Train with the options of :func:`main`, save, and print the table."""
    torch.manual_seed(o.seed)
    loop.join(o.device)
    guide = load_guide(o.guide, o.device, o.precision)
    if not o.validate:
        some, where, _ = (x[:MEASURED] for x in faces_of(train, o)(o.seed))
        texts = read_texts(o, guide).measured(guide, some, where)
        predictor = Predictor(guide.name, key_texts(guide), texts.unit)
        predictor.usual.copy_(usual(train, o))
        texts.steer(predictor)
        if o.weights:
            predictor.load_state_dict({**predictor.state_dict(), **started(predictor, o.weights)})
        predictor = predictor.to(o.device)
        settings = Settings(views=o.views, margin=o.margin, preserve=o.preserve, priors=Priors())
        judged = Judged(predictor, guide, texts, settings, o.mixed).to(o.device)
        draw = faces_of(train, o)

        def batch(seed: int) -> tuple:
            images, landmarks, color = draw(seed)
            which, weight = prompts(texts, color.tolist(), random.Random(seed))
            return (*(x.to(o.device, non_blocking=True) for x in (images, landmarks, which, weight)), seed)

        def check(done: int) -> None:
            if len(test) and (done % o.check_every == 0 or done == o.steps):
                contact_sheet(predictor, guide, test, o.checkpoint.with_name(f"{o.checkpoint.stem}-{done:06d}.png"))
                print("\n".join(validate(predictor, guide, test, 4)), flush=True)

        seconds = loop.fit(judged, batch, o, check)
        if loop.rank():
            return
        about = {"kind": "faceflow.predictor", "guide": guide.name, "steps": str(o.steps), "seed": str(o.seed),
                 "margin": f"{o.margin:g}", "preserve": f"{o.preserve:g}"}  # fmt: skip
        loop.save(predictor, o.out, about)
        print(
            f"trained in {seconds:.0f} s, {o.batch * loop.processes() * o.steps / max(seconds, 1e-9):.0f} faces a second"
        )
    if len(test):
        print("\n".join(validate(Predictor.load(o.out, o.device), guide, test)))


@torch.no_grad()
def usual(train: data.Faces | list[str], o: argparse.Namespace) -> Tensor:
    """Mean and standard deviation over faces ``[2,C]`` of what :func:`flow_core.editing.bounds.features` says of controls."""
    draw, (u, c) = faces_of(train, o), sizes()
    rows = [features(fit_shown(look(*draw(o.seed + k)[:2], 8, None)[1]))[:, u : u + c] for k in range(USUAL)]
    carried = torch.cat(rows)
    return torch.stack([carried.mean(0), carried.std(0).clamp(min=0.2)])


def started(predictor: Predictor, path: Path) -> dict[str, Tensor]:
    """The weights of another predictor to go on from. What is measured stays behind, and where it had another guide what belongs to
    that."""
    before = Predictor.load(path)
    same = before.keys.shape == predictor.keys.shape and bool(
        (torch.cosine_similarity(before.keys, predictor.keys) >= LEAST_SIMILARITY).all()
    )
    measured = ("keys", "unit", "usual", *(() if same else ("steer.weight",)))
    was = {k: v.float() for k, v in before.state_dict().items() if k not in measured}
    own, width = predictor.first.weight.detach().clone(), predictor.keys.shape[1]
    text = was["first.weight"].shape[1] - (own.shape[1] - width)  # columns
    own[:, width:] = was["first.weight"][:, text:]
    if text == width:
        own[:, :width] = was["first.weight"][:, :width]
    return {**was, "first.weight": own}


def faces_of(train: data.Faces | list[str], o: argparse.Namespace):
    """A function that draws ``[n,3,192,192]`` uint8 pictures, landmarks in them and which have colours, for a seed."""
    if isinstance(train, list):
        stream = None

        def draw(seed: int) -> tuple[Tensor, Tensor, Tensor]:
            nonlocal stream
            if stream is None:  # a resumed training goes on with other faces than it began with
                stream = shards.batches(train, o.batch, seed, o.workers)
            return tuple(next(stream))

        return draw
    usable = Views(train, o.seed).usable
    weights, colored = sampling_weights(train)[usable], train.color[usable]
    if colored.any() and not colored.all():  # colours can be learnt from coloured faces alone: they are half of all
        weights = weights * torch.where(colored, weights[~colored].sum() / weights[colored].sum(), 1.0)

    def draw_from_memory(seed: int) -> tuple[Tensor, Tensor, Tensor]:
        index = usable[torch.multinomial(weights, o.batch, True, generator=torch.Generator().manual_seed(seed))]
        return train.images[index], train.landmarks[index], train.color[index]

    return draw_from_memory


if __name__ == "__main__":
    main(sys.argv[1:])
