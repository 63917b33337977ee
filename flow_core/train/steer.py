"""The last part of the nano guide's training: the image tower learns what muscles and shapes do, the texts staying where they are.

``python -m flow_core.train guide --data DIR --moved FILE --weights FILE`` goes on from weights that know faces; each step sees single faces
as before, so that nothing is forgotten, and pairs of the same face before and after the rig moved it.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import fields
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..atomic import replacing
from ..editing.concepts import EXPRESSION, MEANINGS
from ..guides.meaning import Meanings
from . import attributes as A
from . import captions, loop, moved, targets
from .guide_objective import Objective, Shown, auc, correlation, logits, normalise, sampling_weights
from .pairs import NAMES, Batch, Pairs, PairsObjective, responses, shown_units

PAIRS = 16  # a step
# The projection alone learns from the views of so many steps, in batches of so many pairs, at this rate
HEAD_VIEWS, HEAD_BATCH, HEAD_RATE = 560, 384, 6e-4
STRONGER, WEAKER = 1.3, 0.5  # amounts that "very" and "slightly" mean


def layout(path: Path | None) -> tuple[Meanings, Tensor]:
    """Where a guide's texts lie, as its file tells, or else as they have to lie (:mod:`flow_core.train.targets`); and the direction
    ``[K,D]`` from the neutral text to that of each concept at its full amount."""
    from safetensors import safe_open

    about: dict[str, str] = {}
    if path and path.is_file():
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
    texts = Meanings.loads(about["concepts"]) if "concepts" in about else targets.of_guide()
    full = texts.point(torch.eye(len(texts.ways)))
    return texts, full - texts.neutral


def _said(texts: Meanings, seed: int, count: int) -> list[tuple[captions.Caption, Tensor]]:
    """Captions of what landmarks and colours tell, with the embeddings of what they mean."""
    rng, refused = random.Random(seed), frozenset(phrase for _, phrase in captions.held_out())
    found: list[captions.Caption] = []
    while len(found) < count:
        caption = captions.caption(rng, refused)
        if all(A.MEASURED[k] for k, *_ in caption.says):
            found.append(caption)
    amounts = torch.zeros(count, len(A.CONCEPTS))
    for row, caption in zip(amounts, found, strict=True):
        for k, shift, truth in caption.says:
            row[k] = (1 if shift == 0 else STRONGER if shift > 0 else WEAKER) * (1 if truth else -1)
    return list(zip(found, texts.point(amounts), strict=True))


def fit(model: nn.Module, shown: Shown, o: argparse.Namespace) -> float:
    """Train the image tower in place; returns seconds."""
    texts, directions = layout(o.weights)
    single = Objective(model)
    for head in (single.landmarks, single.image):  # at first they must not disturb the tower
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    model.visual.to(memory_format=torch.channels_last)
    objective = PairsObjective(single, directions, texts.neutral).to(o.device)
    objective.requires_grad_(False)
    for part in (model.visual, single.landmarks, single.image):
        part.requires_grad_(True)
    model.logit_scale.requires_grad_(True)
    model.logit_bias.requires_grad_(True)
    views = prepared(shown, o)
    pool = _said(texts, o.seed, 50 * o.captions)
    of_brows = torch.tensor(["brow gap" in c.parts for c in A.CONCEPTS])

    def batch(seed: int) -> tuple[Tensor, ...]:
        objective.bf16 = o.bf16 and seed % 1_000_003 < 0.9 * o.moved_steps
        kept = views(seed)
        rng = random.Random(seed)
        said, vectors = zip(*rng.sample(pool, 2 * o.captions), strict=True)
        of_color = torch.tensor([c.of_color for c in said])
        undecided = ~kept["colored"][:, None]
        target = torch.stack([c.probability(kept["scores"], shown.labels[kept["index"]]) for c in said], 1)
        counts = (1.0 - (undecided & of_color).float()) * (1 + of_color)
        known = (1.0 - (undecided & A.IS_COLOR).float()) * (1 + 2.0 * (A.IS_COLOR | of_brows)) * A.MEASURED
        made = [kept[f.name] for f in fields(Batch)]
        unread = torch.zeros(len(said), len(A.CONCEPTS))  # no text is learnt
        rest = (kept["seen"], kept["regions"], kept["scores"], known, torch.stack(vectors), target, counts, unread)
        return tuple(t.to(o.device) for t in (kept["picture"], *made, *rest))

    now = argparse.Namespace(
        **{**vars(o), "steps": o.moved_steps, "checkpoint": o.checkpoint.with_stem(f"{o.checkpoint.stem}-moved")}
    )
    now.resume = o.resume and now.checkpoint.exists()
    seconds = loop.fit(objective, batch, now)
    began = time.time()
    settle_head(objective, views, o)
    return seconds + time.time() - began


def settle_head(objective: PairsObjective, views, o: argparse.Namespace) -> None:
    """Train the last projection of the image tower alone, on features that are computed once, so that it learns rare concepts in many
    cheap steps.

    Concepts weigh the more, the less their logits usually change. The logits of unmoved faces are kept.
    """
    model, features, kept = objective.objective.model.eval(), [], []
    for seed in range(min(o.prepare, HEAD_VIEWS)):
        made = views(seed)
        pictures = torch.cat([made["before"], made["after"]]).to(o.device)
        with torch.no_grad(), torch.autocast(pictures.device.type, torch.bfloat16, o.bf16):
            features.append(objective.objective.see(pictures)[0].float().unflatten(0, (2, -1)))
        kept.append(made["change"].to(o.device))
    still, moving = torch.cat(features, 1)
    change, known = torch.cat(kept), A.MEASURED.to(o.device)
    weight = (0.25 / (change.square().mean(0) + 0.03)).clamp(0.3, 3.0)
    weight[A.IS_COLOR.to(o.device)] = 0.5
    head = model.visual.head
    scale, texts = model.logit_scale.exp().detach(), objective.neutral + objective.directions
    with torch.no_grad():
        before = scale * F.normalize(head(still), dim=-1) @ texts.mT
    model.requires_grad_(False)
    head.requires_grad_(True)
    optimizer = torch.optim.Adam(head.parameters(), lr=HEAD_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, HEAD_RATE, total_steps=o.head_steps + 1)
    g = torch.Generator().manual_seed(o.seed)
    for _ in range(o.head_steps):
        i = torch.randint(len(change), (HEAD_BATCH,), generator=g).to(o.device)
        one, two = (F.normalize(head(f[i]), dim=-1) for f in (still, moving))
        gained = scale * (two - one) @ objective.directions.mT
        miss = F.smooth_l1_loss(gained, change[i], reduction="none", beta=0.7) * weight * (1 + change[i].abs())
        stay = (scale * one @ texts.mT - before[i])[:, known].square().mean()
        resting = (scale * (two - one) @ objective.neutral).square().mean()
        optimizer.zero_grad()
        (2 * miss.mean() + 0.3 * stay + 0.02 * resting).backward()
        optimizer.step()
        schedule.step()


def prepared(shown: Shown, o: argparse.Namespace):
    """A function that makes the views of a step, tensors by name, from its seed.

    Making them takes as long as learning from them. So with a folder ``o.batches`` those of ``o.prepare`` seeds are kept there and
    used again.
    """
    from safetensors.torch import load_file, save_file

    faces = moved.read(o.moved)["train"]
    pairs = Pairs(shown, faces, shown_units(o.data, shown.faces, False, shown.views.points))
    weights = sampling_weights(shown.faces)[shown.usable]

    def make(seed: int) -> dict[str, Tensor]:
        g = shown.generator.manual_seed(seed)
        index = shown.usable[torch.multinomial(weights, o.batch, generator=g)]
        picture, seen, regions, scores, colored = shown.look(index, True, 1.0, True)
        at = (torch.arange(PAIRS) + PAIRS * seed) % len(faces)  # all, one after the other
        pair = pairs.look(torch.randperm(len(faces), generator=torch.Generator().manual_seed(0))[at])
        return {"picture": picture, "seen": seen, "regions": regions, "scores": scores, "colored": colored, "index": index,
                **{f.name: getattr(pair, f.name) for f in fields(Batch)}}  # fmt: skip

    if not o.batches:
        return make
    o.batches.mkdir(parents=True, exist_ok=True)

    def views(seed: int) -> dict[str, Tensor]:
        path = o.batches / f"{seed % o.prepare}.safetensors"
        if not path.is_file():
            made = make(seed % o.prepare)
            with replacing(path) as partial:
                save_file({n: _small(n, t) for n, t in made.items()}, partial)
        kept = load_file(path)
        kept = {
            n: t.float() / (255 if t.dtype == torch.uint8 else 1) if n not in ("index", "colored") else t
            for n, t in kept.items()
        }
        return _altered(kept, torch.Generator().manual_seed(seed))

    return views


def _small(name: str, t: Tensor) -> Tensor:
    if name in ("picture", "before", "after", "regions"):
        t = (t.clamp(0, 1) * 255).round().byte()
    return (t.half() if t.is_floating_point() else t).contiguous()


def _altered(kept: dict[str, Tensor], g: torch.Generator) -> dict[str, Tensor]:
    """Views that come again in a somewhat other light; both of a pair in the same."""

    def light(x: Tensor, contrast: Tensor, shift: Tensor, noise: float) -> Tensor:
        grain = noise * torch.randn(x.shape, generator=g)
        return ((x - 0.5) * contrast + 0.5 + shift + grain).clamp(0, 1)

    for names in (("picture",), ("before", "after")):
        n = len(kept[names[0]])
        contrast, shift = (torch.randn(n, 1, 1, 1, generator=g) for _ in range(2))
        for name in names:
            kept[name] = light(kept[name], 1 + 0.06 * contrast, 0.025 * shift, 0.012)
    return kept


@torch.no_grad()
def table(model: nn.Module, held_out: Shown, o: argparse.Namespace) -> str:
    """The model card's table of what changes of muscles and shapes do, in Markdown, on held-out faces."""
    texts, directions = layout(o.out)
    units = shown_units(o.data, held_out.faces, True, held_out.views.points)
    pairs = Pairs(held_out, moved.read(o.moved)["test"], units)
    asked, seen = responses(model, directions, pairs)
    logit = still_logits(model, directions + texts.neutral, held_out)
    amounts = pairs.truth.amounts(F.pad(units[held_out.usable], (0, pairs.moved.controls.shape[1])))
    lines = ["| concept | AUC | response: correlation | slope | unasked |", "|---|---|---|---|---|"]
    order = sorted(
        (k for k in range(len(NAMES)) if not A.IS_COLOR[k]), key=lambda k: (MEANINGS[NAMES[k]].kind != EXPRESSION, k)
    )
    rows = []
    for k in order:
        x, y = asked[:, k], seen[:, k]
        slope = ((x * y).sum() / x.square().sum()).item()
        still = x.abs() < 0.15
        unasked = (y[still].square().mean().sqrt() / FULL_STEP).item()
        known = bool(pairs.truth.expressions[k])
        level = amounts[:, k]
        far = max(0.3, level.quantile(0.95).item())
        sure = (level >= far) | (level <= level.median())
        area = auc(logit[sure, k], level[sure] >= far) if known else float("nan")
        rows.append((area, correlation(x, y), slope, unasked))
        lines.append(
            f"| {NAMES[k]} | {'' if area != area else f'{area:.3f}'} | {rows[-1][1]:.2f} | {slope:.2f} | {unasked:.2f} |"
        )
    mean = torch.tensor(rows).nanmean(0).tolist()
    lines.append(f"| mean | {mean[0]:.3f} | {mean[1]:.2f} | {mean[2]:.2f} | {mean[3]:.2f} |")
    right = sum(slope > 0 for _, _, slope, _ in rows)
    lines.append(f"\n{right} of {len(rows)} concepts change the right way.")
    return "\n".join(lines)


FULL_STEP = 4.0  # logits, of a concept at its full amount


@torch.no_grad()
def still_logits(model: nn.Module, texts: Tensor, shown: Shown) -> Tensor:
    """Logits ``[N,K]`` of the usable faces as they are."""
    model.eval()
    parts = []
    for index in shown.usable.split(128):
        shown.generator.manual_seed(1)
        picture = shown.look(index, False, 0, False)[0]
        parts.append(logits(model, model.encode_image(normalise(model, picture), normalize=True), texts))
    return torch.cat(parts)
