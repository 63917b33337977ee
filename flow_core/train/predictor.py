"""Train the one-shot predictor: ``python -m flow_core.train predictor --data DIR``.

No edit is shown to it. Random faces and random prompts go through the predictor; the field that it answers moves the face;
the frozen guide says how far that went, and the priors of :mod:`flow_core.editing.optimize` what it cost (paper, the learning-based
framework). So it learns what optimisation would find, on the average of many faces, for any guide and any folder of faces.

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
from ..editing.gates import COLOR_REGIONS, Gates, open_gates
from ..editing.motion import PARTS, load_modes, load_movements, load_parts
from ..editing.objective import Edit, Objective, Priors, least_unit_gain
from ..editing.optimize import Settings
from ..editing.painting import COLOR_RASTER, paint, paint_masks, region_cost
from ..editing.predict import BUILTIN, COLOR_LIMIT, FARTHEST, RESOLUTION, Predictor, key_texts, offsets
from ..editing.views import DENSITY, NOISE, embed_views, random_views, sample_views
from ..faces.landmarks import MIRROR, five_points, outline
from ..fields.base import taper
from ..fields.raster import Field
from ..geometry.crop import Crop
from ..geometry.grid import pixel_centers
from ..geometry.sampling import sample_image
from ..guides.guide import BUILTIN as NANO
from ..guides.guide import Guide, load_guide
from ..guides.nano import IMAGE_SIZE
from ..guides.prompts import NEUTRAL, TEMPLATES, Prompt, embed, gain
from ..io import picture
from ..io.draw import sheet
from ..warping.jacobian import fold_share
from ..warping.warp import warp
from . import attributes, captions, data, faces, loop, shards
from . import guide as guide_training
from .views import Views

MOST_PARTS = 3  # most parts of a prompt
MEASURED = 12  # faces on which the unit gain of the texts is measured
LEAST = 0.25  # shortest text direction, relative to the root mean square, that says anything


@dataclass(frozen=True)
class Texts:
    """What prompts are made of.

    Attributes:
        texts: ``P`` of them.
        ways: ``[P,D]`` text directions from neutral.
        gates: ``[P,5+8]`` what each may use, the parts that move first, then the regions of :data:`flow_core.editing.gates.COLOR_REGIONS`.
        unit_gain: ``[P]`` logits for a unit of :func:`flow_core.editing.losses.rms_change` along the steepest way of each, as
            :meth:`flow_core.editing.parameters.Parameters.unit_gain` measures it, but the mean over some faces; 1 where nobody
            measured it.
    """

    texts: tuple[str, ...]
    ways: Tensor
    gates: Tensor
    unit_gain: Tensor

    @classmethod
    def read(cls, guide: Guide, texts: Sequence[str]) -> Texts:
        """Embed texts, once; those that say nothing to the guide are left out."""
        _read_ahead(guide, [t.format(text) for text in texts for t in TEMPLATES])
        neutral, ways, gates = embed(guide, NEUTRAL), [], []
        for text in texts:
            ways.append((embed(guide, text) - neutral).cpu())
            opened = open_gates(guide, Prompt(((text, 1.0),)))
            gates.append([*opened.parts.values(), *opened.regions.values()])
        made = cls(tuple(texts), torch.stack(ways), torch.tensor(gates), torch.ones(len(ways)))
        length = made.ways.norm(dim=1)
        return made.select((length > LEAST * made.unit).nonzero()[:, 0])

    @property
    def unit(self) -> float:
        """Root mean square length of the directions."""
        return self.ways.square().sum(1).mean().sqrt().item()

    def select(self, index: Tensor) -> Texts:
        return Texts(
            tuple(self.texts[i] for i in index.tolist()), self.ways[index], self.gates[index], self.unit_gain[index]
        )

    @torch.no_grad()
    def measured(self, guide: Guide, images: Tensor, landmarks: Tensor) -> Texts:
        """With :attr:`unit_gain` measured on faces ``[n,3,192,192]`` uint8 with ``landmarks [n,161,2]`` in pixels."""
        aligned, places, _ = look(images, landmarks, guide.image_size, None)
        moves = torch.eye(len(load_modes()), len(load_movements()[0]))  # along the modes, as the optimiser measures it
        everywhere = torch.ones(len(moves), len(PARTS))
        tints = losses.COLOR_UNIT * torch.eye(3 * len(COLOR_REGIONS)).unflatten(1, (-1, 3))
        parts, regions = (self.gates > 0).float().split((len(PARTS), len(COLOR_REGIONS)), 1)
        free = torch.cat([parts @ load_parts().T, regions.repeat_interleave(3, 1)], 1)
        points = pixel_centers(guide.image_size, guide.image_size)
        found = []
        for face, place in zip(aligned.split(1), places.split(1), strict=True):
            offset = offsets(moves, everywhere, place.expand(len(moves), -1, -1))
            shape = Field(offset, offset.new_zeros(len(moves), 3, *offset.shape[2:]))
            flow = shape.flow()(points).offset.permute(0, 2, 3, 1)
            masks = sample_image(region_masks(torch.ones(1, len(COLOR_REGIONS)), place, face), points * COLOR_RASTER)
            coats = torch.einsum("prc,rhw->pchw", tints / region_cost(masks)[..., None], masks[0])
            ends = []
            for way in (1, -1):
                moved = [
                    sample_image(face.expand(len(f), -1, -1, -1), (points + way * f) * face.shape[-1])
                    for f in flow.split(16)
                ]
                painted = [(face + way * c).clamp(0, 1) for c in coats.split(16)]
                ends.append(torch.cat([guide.encode_image(x.to(guide.device)).cpu() for x in moved + painted]))
            slopes = guide.scale * (ends[0] - ends[1]) / 2
            steep = self.ways @ slopes.T * free
            way = torch.einsum("pm,mchw->pchw", steep[:, : len(moves)], offset)
            tinted = losses.COLOR_UNIT * steep[:, len(moves) :].unflatten(1, (-1, 3))
            found.append(steep.square().sum(1) / losses.rms_change(way, tinted).clamp(min=1e-9))
        measured = torch.maximum(torch.stack(found).mean(0), least_unit_gain(guide.scale, self.ways))
        return replace(self, unit_gain=measured)


@torch.no_grad()
def _read_ahead(guide: Guide, texts: Sequence[str], batch: int = 256) -> None:
    """Embed many texts at once; the guide itself takes them one by one, and remembers them."""
    for i in range(0, len(texts), batch):
        part = list(texts[i : i + batch])
        found = F.normalize(guide.model.encode_text(guide._tokenizer(part).to(guide.device)).float(), dim=-1).cpu()
        guide._texts.update(zip(part, found, strict=True))


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
        self.ways, self.gates, self.unit_gain = (t.to(guide.device) for t in (texts.ways, texts.gates, texts.unit_gain))

    def forward(self, images: Tensor, landmarks: Tensor, which: Tensor, weight: Tensor, seed: int) -> dict[str, Tensor]:
        """Losses of ``n`` faces.

        Args:
            images: ``[n,3,192,192]`` uint8.
            landmarks: ``[n,161,2]`` pixels of ``images``.
            which: ``[n,K]`` texts of each prompt.
            weight: ``[n,K]`` of these; 0 for parts that are not there.
            seed: of views and augmentation.
        """
        g = torch.Generator(images.device).manual_seed(seed)
        aligned, places, frontality = look(images, landmarks, round(self.guide.image_size * DENSITY), g)
        ways, gates = self.ways[which], (self.gates[which] * (weight != 0)[..., None]).amax(1)
        small = F.interpolate(aligned, (IMAGE_SIZE,) * 2, mode="bilinear", antialias=True, align_corners=False)
        with self._precision(images):
            motion, color = self.predictor(small, places, (ways * weight[..., None]).sum(1))
        movable, regions = gates.split((len(PARTS), len(COLOR_REGIONS)), 1)
        painted = (regions > 0).float()
        offset = offsets(motion, movable, places)
        shape = Field(offset, offset.new_zeros(len(offset), 3, *offset.shape[2:]))
        masks = region_masks(regions, places, small)
        tint = paint(color / region_cost(masks)[..., None], masks, COLOR_LIMIT)
        change = self._change(aligned, shape, tint, painted.amax(1) > 0, g)
        importance = losses.face_importance(pixel_centers(*shape.size, offset.device), outline(places))
        objective = Objective(
            self.guide.scale,
            ways,
            weight,
            self.unit_gain[which],
            self.settings.margin,
            self.priors,
            importance,
            frontality,
        )
        modes = motion * (movable @ load_movements()[1].to(movable).T)
        return objective(Edit(shape, offset, modes, color * painted[..., None], painted), change).losses

    def _precision(self, images: Tensor) -> AbstractContextManager:
        return torch.autocast(images.device.type, torch.bfloat16) if self.mixed else nullcontext()

    def _change(self, aligned: Tensor, shape: Field, tint: Tensor, painted: Tensor, g: torch.Generator) -> Tensor:
        """By how much edits change the embeddings of faces in random views of each, ``[n,V,D]``; ``tint [n,3,96,96]`` counts
        where ``painted [n]``."""
        v, size = self.settings.views, self.guide.image_size
        every = torch.arange(len(aligned), device=aligned.device).repeat_interleave(v)
        views = random_views(len(every), g)
        points, coarse = views(size), views(min(size, 2 * RESOLUTION))
        offset = sample_views(shape.flow(), coarse.unflatten(0, (-1, v)), size).offset
        color = NOISE * torch.randn(len(every), 3, size, size, generator=g, device=g.device)
        if painted.any():
            on = painted[every].nonzero()[:, 0]
            drawn = sample_image(tint[every[on]], points[on] * COLOR_RASTER) * taper(points[on])[:, None]
            color = color.index_add(0, on, drawn)
        source = aligned[every]
        with self._precision(aligned):
            with torch.no_grad():
                before = embed_views(self.guide, source, points)
            after = embed_views(self.guide, source, points, offset, color)
        return (after - before).unflatten(0, (-1, v))


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


def region_masks(gates: Tensor, places: Tensor, aligned: Tensor) -> Tensor:
    """Masks ``[n,8,96,96]`` of faces that have gates ``[n,8]`` each, zero where a gate is closed."""
    masks = aligned.new_zeros(len(gates), len(COLOR_REGIONS), COLOR_RASTER, COLOR_RASTER)
    for i, regions in enumerate(gates.tolist()):
        if any(regions):
            opened = Gates({}, dict(zip(COLOR_REGIONS, regions, strict=True)))
            asked = [r for r, gate in enumerate(regions) if gate > 0]
            masks[i, asked] = paint_masks(opened, places[i : i + 1], aligned[i : i + 1], COLOR_RASTER)[0]
    return masks


def prompts(texts: Texts, color: Sequence[bool], rng: random.Random) -> tuple[Tensor, Tensor]:
    """A random prompt for each face: texts ``[n,3]`` and weights ``[n,3]``.

    Six in ten have one part, and one weight in five is negative. Faces without colours are asked for none, others in half of
    the parts.
    """
    painted = texts.gates[:, len(PARTS) :].amax(1) > 0
    pools = [pool for pool in ((~painted).nonzero()[:, 0].tolist(), painted.nonzero()[:, 0].tolist()) if pool]
    which, weights = [], []
    for colored in color:
        parts = rng.choices((1, 2, MOST_PARTS), (6, 3, 1))[0]
        chosen = [rng.choice(rng.choice(pools) if colored else pools[0]) for _ in range(parts)]
        weight = [
            (1.0 if rng.random() < 0.5 else rng.uniform(0.3, FARTHEST)) * rng.choice((1, 1, 1, 1, -1)) for _ in chosen
        ]
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
def edits(predictor: Predictor, guide: Guide, test: data.Faces, text: str) -> tuple[Tensor, Tensor, Field, Tensor]:
    """Held-out faces edited at once: before and after ``[n,3,S,S]``, the fields, and the gains ``[n]`` in logits."""
    prompt = Prompt.parse(text)
    aligned, places, _ = look(test.images, test.landmarks, round(guide.image_size * 1.25), None)
    field = predictor.bind(guide, prompt).field_for(aligned, places).to("cpu")
    edited = warp(aligned, Crop.whole(aligned), field)[0]
    return aligned, edited, field, gain(guide, prompt, aligned, edited).cpu()


def validate(predictor: Predictor, guide: Guide, test: data.Faces, count: int = 12, most: int = 24) -> list[str]:
    """The model card's table, in Markdown: guide gain by group of prompts on ``most`` held-out faces."""
    rows = [
        "| prompts | number | gain | of weight -1 | below 0.5 | folds | largest offset |",
        "|---|---|---|---|---|---|---|",
    ]
    test = test.select(torch.linspace(0, len(test) - 1, min(most, len(test))).long())
    for kind, texts in groups().items():
        usable = test.select(test.color.nonzero()[:, 0]) if kind == "color" and test.color.any() else test
        gains, folds, far, back = [], [], [], []
        for text in texts[:: max(1, len(texts) // count)][:count]:
            _, _, field, gained = edits(predictor, guide, usable, text)
            gains.append(gained)
            folds.append(fold_share(field, 128))
            far.append(field.offset.norm(dim=1).amax().item())
            back.append(edits(predictor, guide, usable, f"{text}:-1")[3])
        every = torch.cat(gains)
        rows.append(
            f"| {kind} | {len(gains)} | {every.mean():+.2f} | {torch.cat(back).mean():+.2f} | {(every < 0.5).float().mean():.1%} | "
            f"{sum(folds) / len(folds):.3%} | {max(far):.3f} |"
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
    from safetensors.torch import load_file

    torch.manual_seed(o.seed)
    loop.join(o.device)
    guide = load_guide(o.guide, o.device, o.precision)
    if not o.validate:
        some, where, _ = (x[:MEASURED] for x in faces_of(train, o)(o.seed))
        texts = read_texts(o, guide).measured(guide, some, where)
        predictor = Predictor(guide.name, key_texts(guide), texts.unit)
        if o.weights:
            own = {"keys", "unit"}  # these are the guide's
            kept = {name: value for name, value in load_file(o.weights).items() if name not in own}
            predictor.load_state_dict({**predictor.state_dict(), **kept})
        predictor = predictor.to(o.device, memory_format=torch.channels_last)
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
    weights, colored = guide_training.sampling_weights(train)[usable], train.color[usable]
    if colored.any() and not colored.all():  # colours can be learnt from coloured faces alone: they are half of all
        weights = weights * torch.where(colored, weights[~colored].sum() / weights[colored].sum(), 1.0)

    def draw_from_memory(seed: int) -> tuple[Tensor, Tensor, Tensor]:
        index = usable[torch.multinomial(weights, o.batch, True, generator=torch.Generator().manual_seed(seed))]
        return train.images[index], train.landmarks[index], train.color[index]

    return draw_from_memory


if __name__ == "__main__":
    main(sys.argv[1:])
