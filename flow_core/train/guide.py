"""Train the nano guide: ``python -m flow_core.train guide --data DIR``.

Image and text tower learn together, with a sigmoid loss per pair of face and caption (Zhai et al., Sigmoid Loss for
Language Image Pre-Training, 2023). Two things differ from it: the targets are soft, a logistic function of a measured
concept, so that the logit keeps a slope wherever a face stands; and most faces are warped at random, with the targets
measured on the warped landmarks, so that the slope is right in the very direction in which a flow field moves a face.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..align import ffhq_matrix
from ..field import interpolate, pixel_centers
from ..guide import BUILTIN, WEIGHTS, open_clip
from ..nano import IMAGE_SIZE
from ..warp import sample_image
from . import attributes as A
from . import data

RASTER = 32  # control points of a random warp
_INDEX = list(A.LANDMARKS)
_PARTNER = {**dict(A.MIRRORED), **{b: a for a, b in A.MIRRORED}}
_SWAPPED = [_INDEX.index(_PARTNER.get(i, i)) for i in _INDEX]


def random_warp(points: Tensor, generator: torch.Generator) -> Tensor:
    """Random smooth offsets ``[N,2,32,32]`` in crop fractions for faces with crop-frame landmarks ``points [N,31,2]``.

    Half broad movement, half bumps at landmarks, most of them mirrored, as facial muscles mostly work in pairs. Scaled
    so that no warp folds.
    """
    n = len(points)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    field = torch.zeros(n, 2, RASTER, RASTER)
    for size, amplitude in ((3, 0.012), (6, 0.008)):
        field += F.interpolate(normal(n, 2, size, size), (RASTER, RASTER), mode="bicubic", align_corners=False) * (
            amplitude * uniform(n, 1, 1, 1)
        )
    centers = pixel_centers(RASTER, RASTER)[0]
    for _ in range(4):
        which = torch.randint(len(_INDEX), (n,), generator=generator)
        other = torch.tensor(_SWAPPED)[which]
        vector = normal(n, 2) * 0.022
        sigma = 0.035 + 0.075 * uniform(n)
        on = (uniform(n) < 0.6).float()
        mirrored = (uniform(n) < 0.8).float() * (other != which)
        for place, weight, flip in ((which, on, 1.0), (other, on * mirrored, -1.0)):
            at = points[torch.arange(n), place]
            distance = (centers - at[:, None, None]).square().sum(-1)
            bump = torch.exp(-distance / (2 * sigma[:, None, None] ** 2)) * weight[:, None, None]
            field += bump[:, None] * (vector * vector.new_tensor([flip, 1.0]))[:, :, None, None]
    steepest = torch.stack([field.diff(dim=d).abs().amax((1, 2, 3)) for d in (2, 3)]).amax(0) * RASTER
    return field * (0.6 / steepest.clamp(min=0.6))[:, None, None, None]


def carry(points: Tensor, field: Tensor) -> Tensor:
    """Where a backward warp takes ``points [N,K,2]``: the fixed point of ``q = p - offset(q)``."""
    q = points
    for _ in range(6):
        q = points - interpolate(field, q[:, :, None])[..., 0].mT
    return q


class Batches:
    """Augmented views of the faces with the landmarks that belong to them."""

    def __init__(self, faces: data.Faces, seed: int) -> None:
        self.faces = faces
        self.generator = torch.Generator().manual_seed(seed)
        # image pixels -> crop frame, as at run time
        self.matrix = ffhq_matrix(data.five_points(faces.landmarks.float()))
        self.inverse = torch.linalg.inv(self.matrix)
        ones = torch.ones(*faces.landmarks.shape[:1], len(_INDEX), 1)
        homogeneous = torch.cat([faces.landmarks[:, _INDEX], ones], -1)
        self.points = (homogeneous @ self.matrix.mT)[..., :2]
        self.pose = A.pose(self.points)
        # a face that the landmark model lost is no measure of anything
        self.usable = ((self.points - self.points.median(0).values).abs().amax((1, 2)) < 0.2).nonzero()[:, 0]

    def emotion_logits(self, index: Tensor) -> Tensor:
        """``[n,K]`` what a label adds to the logit of an expression."""
        names = [c.emotion for c in A.CONCEPTS]
        out = torch.zeros(len(index), len(names))
        for row, i in enumerate(index.tolist()):
            label = self.faces.emotion[i]
            for k, name in enumerate(names):
                if label and name:
                    out[row, k] = 1.0 if label == name else -0.7
        return out

    def view(self, index: Tensor, warp: bool, jitter: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures ``[n,3,112,112]`` 0..1 of the faces ``index``, their landmarks ``[n,31,2]`` in the crop frame, and in
        the picture (0..1, left and right as they are seen)."""
        n, g = len(index), self.generator
        points = self.points[index]
        field = torch.zeros(n, 2, RASTER, RASTER)
        if warp:
            on = (torch.rand(n, generator=g) < 0.75).float()[:, None, None, None]
            field = random_warp(points, g) * on
            points = carry(points, field)
        grid = pixel_centers(IMAGE_SIZE, IMAGE_SIZE) - 0.5
        seen = points
        if jitter:
            angle = torch.randn(n, generator=g) * 0.07
            zoom = 0.86 + 0.22 * torch.rand(n, generator=g)
            cos, sin = (angle.cos() * zoom)[:, None, None], (angle.sin() * zoom)[:, None, None]
            shift = torch.randn(n, 1, 1, 2, generator=g) * 0.02
            flip = (torch.rand(n, generator=g) < 0.5).float()[:, None, None] * -2 + 1
            x, y = grid[..., 0] * flip, grid[..., 1].expand(n, -1, -1)
            grid = torch.stack([cos * x - sin * y, sin * x + cos * y], -1) + shift
            px, py = (points - 0.5 - shift[:, 0]).unbind(-1)
            cos, sin, flip, squared = cos[..., 0], sin[..., 0], flip[..., 0], zoom[:, None].square()
            back = torch.stack([(cos * px + sin * py) / squared * flip, (cos * py - sin * px) / squared], -1) + 0.5
            seen = torch.where(flip[..., None] < 0, back[:, _SWAPPED], back)
        crop = (grid + 0.5).expand(n, -1, -1, -1)
        crop = crop + interpolate(field, crop).permute(0, 2, 3, 1)
        inverse = self.inverse[index]
        source = crop @ inverse[:, None, :2, :2].mT + inverse[:, None, None, :2, 2]
        # beyond the stored square the picture is mirrored: less odd than a smear
        source = data.STORED - (data.STORED - source.abs()).abs()
        picture = sample_image(self.faces.images[index].float() / 255, source)
        return (self._light(picture) if jitter else picture), points, seen

    def _light(self, x: Tensor) -> Tensor:
        n, g = len(x), self.generator

        def uniform(low: float, high: float, *shape: int) -> Tensor:
            return low + (high - low) * torch.rand(n, *shape, generator=g)

        grey = (uniform(0, 1, 1, 1, 1) < 0.15).float()
        x = torch.lerp(x, x.mean(1, keepdim=True).expand_as(x), grey)
        tint = (
            1
            + (uniform(0, 1, 1, 1, 1) < 0.7)
            * torch.randn(n, 3, 1, 1, generator=g)
            * torch.tensor([0.18, 0.08, 0.18])[:, None, None]
        )
        x = (x * tint.clamp(0.4, 1.6)).clamp(1e-4, 1)
        x = x ** uniform(0.6, 1.7, 1, 1, 1)
        x = (x - 0.5) * uniform(0.65, 1.25, 1, 1, 1) + 0.5 + uniform(-0.12, 0.12, 1, 1, 1)
        across = pixel_centers(*x.shape[2:]) - 0.5
        side = (across * torch.randn(n, 1, 1, 2, generator=g) * 0.25).sum(-1)[:, None]
        x = x * (1 + side)  # light from one side
        soft = F.avg_pool2d(F.pad(x, (1,) * 4, mode="replicate"), 3, 1)
        x = torch.lerp(x, soft, uniform(-0.4, 1.0, 1, 1, 1))
        x = x + torch.randn(x.shape, generator=g) * uniform(0, 0.04, 1, 1, 1)
        return x.clamp(0, 1)


def build() -> tuple[nn.Module, object]:
    """A nano guide with random weights, and its tokenizer."""
    clip = open_clip()
    clip.add_model_config(WEIGHTS / f"{BUILTIN}.json")
    return clip.create_model(BUILTIN), clip.get_tokenizer(BUILTIN)


def normalise(model: nn.Module, images: Tensor) -> Tensor:
    cfg = model.visual.preprocess_cfg
    mean, std = (torch.tensor(cfg[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    return (images - mean) / std


def logits(model: nn.Module, image: Tensor, text: Tensor) -> Tensor:
    """Pairwise logits of unit embeddings ``[N,D]`` and ``[C,D]``."""
    return model.logit_scale.exp() * image @ text.mT + model.logit_bias


class Probes(nn.Module):
    """Linear read-outs for training only: landmarks from the image tower's features, concepts from both embeddings.

    Without them the sigmoid loss rests for long on how often a caption is true, with all faces in one point; and the
    landmarks teach the tower in each step where everything is, which the captions tell only drop by drop.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.scale = width**0.5  # the parts of a unit vector are small
        self.landmarks = nn.Linear(features, 2 * len(_INDEX))
        self.image = nn.Linear(width, len(A.CONCEPTS))
        self.text = nn.Linear(width, len(A.CONCEPTS))

    def loss(
        self, features: Tensor, seen: Tensor, image: Tensor, scores: Tensor, text: Tensor, captions: list[A.Caption]
    ) -> Tensor:
        asked = torch.zeros(len(captions), len(A.CONCEPTS))
        for row, c in enumerate(captions):
            for concept, shift, truth in c.says:
                asked[row, concept] = (1 + 0.5 * shift) * (1 if truth else -1)
        places = F.smooth_l1_loss(self.landmarks(features), (seen.flatten(1) - 0.5) * 30)
        shown = F.smooth_l1_loss(self.image(image * self.scale), scores.clamp(-3, 3))
        return torch.stack([places, shown, 4 * F.mse_loss(self.text(text * self.scale), asked)])


def sampling_weights(faces: data.Faces) -> Tensor:
    """Rare expressions and colour photographs more often."""
    rare = torch.tensor(
        [5.0 if e in ("anger", "sadness", "surprise", "disgust", "fear") else 1.0 for e in faces.emotion]
    )
    return rare * torch.where(faces.color, 4.0, 1.0)


def auc(score: Tensor, truth: Tensor) -> float:
    """Area under the ROC curve by ranks."""
    if truth.all() or not truth.any():
        return float("nan")
    rank = score.argsort().argsort().float() + 1
    pos = truth.sum()
    return ((rank[truth].sum() - pos * (pos + 1) / 2) / (pos * (~truth).sum())).item()


@torch.no_grad()
def validate(model: nn.Module, tokenizer, batches: Batches, scale: A.Scale) -> list[tuple[str, float, float, float]]:
    """Per concept: AUC on held-out faces (their upper 30 % against their lower 30 %), correlation of logit and score on
    the faces as they are, and of their changes under random warps."""
    model.eval()
    batches.generator.manual_seed(1)
    index = batches.usable
    texts = [c.nouns[0] if c.nouns else f"a {c.adjectives[0]} face" for c in A.CONCEPTS]
    text = model.encode_text(tokenizer(texts), normalize=True)
    out = []
    for warp in (False, True):
        parts = [batches.view(i, warp, False) for i in index.split(256)]
        score = torch.cat(
            [
                scale.scores(scale.standard(p, batches.pose[i]))
                for (_, p, _), i in zip(parts, index.split(256), strict=True)
            ]
        )
        logit = torch.cat(
            [logits(model, model.encode_image(normalise(model, x), normalize=True), text) for x, _, _ in parts]
        )
        out.append((score, logit))
    (score, logit), (score_w, logit_w) = out
    rows = []
    for k, c in enumerate(A.CONCEPTS):
        low, high = score[:, k].quantile(0.3), score[:, k].quantile(0.7)
        sure = (score[:, k] <= low) | (score[:, k] >= high)
        change = torch.corrcoef(torch.stack([score_w[:, k] - score[:, k], logit_w[:, k] - logit[:, k]]))[0, 1].item()
        still = torch.corrcoef(torch.stack([score[:, k], logit[:, k]]))[0, 1].item()
        rows.append((c.name, auc(logit[sure, k], score[sure, k] >= high), still, change))
    model.train()
    return rows


def vocabulary() -> list[str]:
    """Every word that captions are made of."""
    texts = [w for c in A.CONCEPTS for w in (*c.adjectives, *c.nouns, *c.verbs)]
    texts += [
        *A.PEOPLE,
        *A.PLAIN,
        *A.FRAMES,
        "who is with and without an a very extremely really slightly a bit somewhat not",
    ]
    words = {w for t in texts for w in "".join(ch if ch.isalpha() else " " for ch in t.lower()).split()}
    return sorted(words - {"c", "p"})


def main(argv: list[str] | None = None) -> None:
    ap = argparse.ArgumentParser(prog="python -m flow_core.train guide", description="Train the built-in nano guide.")
    ap.add_argument("--data", required=True, help="folder of the training faces")
    ap.add_argument("--out", type=Path, default=WEIGHTS / f"{BUILTIN}.safetensors")
    ap.add_argument("--checkpoint", type=Path, default=Path("out/train/guide.pt"))
    ap.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    ap.add_argument("--steps", type=int, default=2000)
    ap.add_argument("--batch", type=int, default=48)
    ap.add_argument("--captions", type=int, default=48, help="captions a step")
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--seed", type=int, default=0)
    o = ap.parse_args(argv)

    torch.manual_seed(o.seed)
    rng = random.Random(o.seed)
    train, test = data.load(o.data)
    batches, held_out = Batches(train, o.seed), Batches(test, o.seed + 1)
    scale = A.Scale.fit(batches.points[batches.usable])
    weights = sampling_weights(train)[batches.usable]
    model, tokenizer = build()
    model.visual.to(memory_format=torch.channels_last)  # a fifth faster on a CPU
    with torch.no_grad():
        model.logit_scale.fill_(2.5)
    probes = Probes(model.visual.trunk.num_features, model.text_projection.shape[1])
    every = [*model.parameters(), *probes.parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in every if p.ndim > 1]}, {"params": [p for p in every if p.ndim < 2], "weight_decay": 0.0}],
        lr=o.lr, weight_decay=0.02, betas=(0.9, 0.98),
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, o.lr, total_steps=o.steps + 1, pct_start=0.15)
    start = 0
    if o.resume:
        state = torch.load(o.checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        probes.load_state_dict(state["probes"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        start = state["step"]
        batches.generator.manual_seed(o.seed + start)
        rng.seed(o.seed + start)
    print(f"{len(batches.usable)} faces, {len(held_out.usable)} held out, steps {start}..{o.steps}", flush=True)

    model.train()
    clock, total = time.time(), torch.zeros(4)
    for step in range(start, o.steps):
        index = batches.usable[torch.multinomial(weights, o.batch, generator=batches.generator)]
        images, points, seen = batches.view(index, True, True)
        scores = scale.scores(scale.standard(points, batches.pose[index]))
        emotion = batches.emotion_logits(index)
        captions = [A.caption(rng) for _ in range(o.captions)]
        target = torch.stack([c.probability(scores, emotion) for c in captions], 1)
        features = model.visual.trunk(normalise(model, images))
        image = F.normalize(model.visual.head(features), dim=-1)
        text = model.encode_text(tokenizer([c.text for c in captions]), normalize=True)
        pairs = F.binary_cross_entropy_with_logits(logits(model, image, text), target)
        probe = probes.loss(features, seen, image, scores, text, captions)
        loss = pairs + 0.5 * probe.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.0)
        total += torch.stack([pairs, *probe]).detach()
        if (step + 1) % 100 == 0:
            left = (time.time() - clock) / (step + 1 - start) * (o.steps - step - 1)
            parts = "  ".join(
                f"{name} {v:.4f}" for name, v in zip(("pairs", "places", "shown", "asked"), total / 100, strict=True)
            )
            print(
                f"step {step + 1}/{o.steps}  {parts}  scale {model.logit_scale.exp().item():.1f}  {left:.0f} s left",
                flush=True,
            )
            total.zero_()
        if (step + 1) % 250 == 0:
            o.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            state = {
                "model": model.state_dict(),
                "probes": probes.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "step": step + 1,
            }
            torch.save(state, o.checkpoint)

    save(model, o.out, o)
    rows = validate(model, tokenizer, held_out, scale)
    print("| concept | AUC | correlation | correlation under warps |\n|---|---|---|---|")
    for name, area, still, change in rows:
        print(f"| {name} | {area:.3f} | {still:.2f} | {change:.2f} |")
    mean = torch.tensor([r[1:] for r in rows]).nanmean(0).tolist()
    print(f"| mean | {mean[0]:.3f} | {mean[1]:.2f} | {mean[2]:.2f} |\ntrained in {time.time() - clock:.0f} s")


def save(model: nn.Module, path: Path, o: argparse.Namespace) -> None:
    from safetensors.torch import save_file

    meta = {"licence": "Apache-2.0", "steps": str(o.steps), "seed": str(o.seed), "vocabulary": json.dumps(vocabulary())}
    state = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, str(path), metadata=meta)
    print(f"saved {path} ({path.stat().st_size / 1e6:.1f} MB)", flush=True)
