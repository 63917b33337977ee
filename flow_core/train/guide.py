"""Train the nano guide: ``python -m flow_core.train guide --data DIR``.

Image and text tower learn together, with a sigmoid loss per pair of face and caption (Zhai et al., Sigmoid Loss for
Language Image Pre-Training, 2023). Three things differ from it: the targets are soft, a logistic function of a measured
concept, so that the logit keeps a slope wherever a face stands; most faces are warped at random, with the targets measured
on the warped landmarks, so that the slope is right in the very direction in which a flow field moves a face; and regions
are painted at random, so that it is right for colours, too.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..guides.guide import BUILTIN, WEIGHTS, open_clip
from . import attributes as A
from . import captions, data, loop
from .guide_objective import Objective, Shown, auc, correlation, logits, normalise, sampling_weights


def build(text_width: int | None = None) -> tuple[nn.Module, object]:
    """A nano guide with random weights, and its tokenizer."""
    clip = open_clip()
    clip.add_model_config(WEIGHTS / f"{BUILTIN}.json")
    model, tokenizer = clip.create_model(BUILTIN), clip.get_tokenizer(BUILTIN)
    if text_width:
        config, seen = clip.get_model_config(BUILTIN), model.visual.preprocess_cfg
        config["text_cfg"]["width"] = text_width
        model = clip.CLIP(**{k: v for k, v in config.items() if k != "custom_text"})
        model.visual.preprocess_cfg = seen
    return model, tokenizer


@torch.no_grad()
def validate(model: nn.Module, text: Tensor, shown: Shown) -> list[tuple[str, float, float, float]]:
    """Per concept that landmarks or colours tell, with its unit embedding ``text [K,D]``: AUC on held-out faces (their upper 30 % against their lower 30 %), correlation of logit and score on
    the faces as they are, and of their changes under random warps and paint."""
    model.eval()
    parts = shown.usable.split(128)
    out = []
    for changed in (False, True):
        shown.generator.manual_seed(1)
        seen = [shown.look(i, changed, 0, changed) for i in parts]
        logit = [logits(model, model.encode_image(normalise(model, x), normalize=True), text) for x, *_ in seen]
        out += [torch.cat([s for *_, s, _ in seen]), torch.cat(logit)]
    score, logit, score_w, logit_w = out
    rows = []
    for k, c in enumerate(A.CONCEPTS):
        if not A.MEASURED[k]:
            continue
        # nearly nobody has green skin by nature: colours are told apart on the painted faces
        s, z = (score_w[:, k], logit_w[:, k]) if c.color else (score[:, k], logit[:, k])
        low, high = s.quantile(0.3), s.quantile(0.7)
        sure = (s <= low) | (s >= high)
        change = correlation(score_w[:, k] - score[:, k], logit_w[:, k] - logit[:, k])
        rows.append((c.name, auc(z[sure], s[sure] >= high), correlation(s, z), change))
    return rows


@torch.no_grad()
def retrieval(model: nn.Module, tokenizer) -> tuple[float, list[str]]:
    """Share of the held-out phrasings nearest to their own concept, and the others."""

    def embed(texts: list[str]) -> Tensor:
        return model.encode_text(tokenizer(texts), normalize=True)

    centre = embed(["a face", "a photo of a face", "a person"]).mean(0)
    known = torch.stack(
        [
            embed([f"a face with {n}" for n in c.nouns] + [f"a {a} face" for a in c.adjectives]).mean(0)
            for c in A.CONCEPTS
        ]
    )
    phrases = captions.held_out()
    found = F.normalize(embed([p for _, p in phrases]) - centre, dim=-1) @ F.normalize(known - centre, dim=-1).mT
    best = found.argmax(1).tolist()
    missed = [f"{p} -> {A.CONCEPTS[b].name}" for (k, p), b in zip(phrases, best, strict=True) if k != b]
    return 1 - len(missed) / len(phrases), missed


def table(model: nn.Module, tokenizer, shown: Shown, text: Tensor | None = None) -> str:
    """The model card's table, in Markdown; ``text [K,D]``: embeddings of the concepts other than those of the text tower."""
    if text is None:
        with torch.no_grad():
            text = model.encode_text(tokenizer([c.text for c in A.CONCEPTS]), normalize=True)
    rows = validate(model, text, shown)
    lines = ["| concept | AUC | correlation | correlation of changes |", "|---|---|---|---|"]
    lines += [f"| {name} | {area:.3f} | {still:.2f} | {change:.2f} |" for name, area, still, change in rows]
    mean = torch.tensor([r[1:] for r in rows]).nanmean(0).tolist()
    lines.append(f"| mean | {mean[0]:.3f} | {mean[1]:.2f} | {mean[2]:.2f} |")
    share, missed = retrieval(model, tokenizer)
    lines.append(f"\nHeld-out phrasings understood: {share:.1%}. Missed: {'; '.join(missed) or 'none'}.")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file

    ap = loop.arguments("guide", "Train the built-in nano guide.", WEIGHTS / f"{BUILTIN}.safetensors", 3000, 32, 2e-3)
    ap.add_argument("--captions", type=int, default=80, help="captions a step")
    ap.add_argument(
        "--image-steps", type=int, default=3000, help="steps after that, in which only the image tower learns"
    )
    ap.add_argument("--last-steps", type=int, default=900, help="steps in the end, of both, at a lower rate")
    ap.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights to go on from; then --steps 0 skips the first part"
    )
    ap.add_argument(
        "--moved", type=Path, metavar="FILE", help="faces moved by the rig: train the image tower on what they show"
    )
    ap.add_argument("--moved-steps", type=int, default=6000, help="steps of that")
    ap.add_argument("--head-steps", type=int, default=1500, help="steps after that, of the last projection alone")
    ap.add_argument(
        "--bf16",
        action="store_true",
        help="--moved in bfloat16 where that is quicker, all but the last tenth of the steps",
    )
    ap.add_argument("--batches", type=Path, metavar="DIR", help="keep the views of --moved here and use them again")
    ap.add_argument("--prepare", type=int, default=875, help="how many steps' views are kept")
    o = ap.parse_args(argv)
    torch.manual_seed(o.seed)
    train, test = data.load(o.data)
    shown = Shown(train, o.seed)
    held_out = Shown(test, o.seed + 1, shown.scale)
    model, tokenizer = build()
    if o.weights:
        model.load_state_dict(load_file(o.weights))
    if o.moved:
        from . import steer
    if not o.validate:
        seconds = steer.fit(model, shown, o) if o.moved else fit(model, tokenizer, shown, o)
        if loop.rank():
            return
        steps = f"{o.moved_steps} moved" if o.moved else f"{o.steps}+{o.image_steps}+{o.last_steps}"
        about = {"vocabulary": json.dumps(captions.vocabulary())}
        if o.moved and o.weights:  # the texts are those of the weights
            with safe_open(o.weights, "pt") as file:
                about |= file.metadata() or {}
        loop.save(model, o.out, about | {"steps": steps, "seed": str(o.seed)})
        print(f"trained in {seconds:.0f} s")
    model.load_state_dict(load_file(o.out))
    if o.moved:
        print(steer.table(model.eval(), held_out, o), flush=True)
    print(table(model.eval(), tokenizer, held_out))


def fit(model: nn.Module, tokenizer, shown: Shown, o: argparse.Namespace) -> float:
    """Train ``model`` in place: both towers; the image tower alone, which takes longer to learn, and is quicker; both again,
    which lets the texts follow. Returns seconds."""
    weights = sampling_weights(shown.faces)[shown.usable]
    refused = frozenset(phrase for _, phrase in captions.held_out())
    model.visual.to(memory_format=torch.channels_last)  # a fifth faster on a CPU
    if o.steps:
        with torch.no_grad():
            model.logit_scale.fill_(2.5)
    objective = Objective(model).to(o.device)
    pool: list[tuple[captions.Caption, Tensor]] = []

    of_brows = torch.tensor(["brow gap" in c.parts for c in A.CONCEPTS])  # small movements that tell much

    def batch(seed: int) -> tuple[Tensor, ...]:
        rng, g = random.Random(seed), shown.generator.manual_seed(seed)
        index = shown.usable[torch.multinomial(weights, o.batch, generator=g)]
        picture, seen, regions, scores, colored = shown.look(index, True, 1.0, True)
        if pool:
            said, vectors = zip(*rng.sample(pool, 2 * o.captions), strict=True)
            texts = torch.stack(vectors)
        else:
            said = [captions.caption(rng, refused) for _ in range(o.captions)]
            texts = tokenizer([c.text for c in said])
        target = torch.stack([c.probability(scores, shown.labels[index]) for c in said], 1)
        undecided = ~colored[:, None]
        of_color = torch.tensor([c.of_color for c in said])
        # colours are rarer than shapes, and seen in fewer pixels
        counts = (1.0 - (undecided & of_color).float()) * (1 + of_color)
        known = (1.0 - (undecided & A.IS_COLOR).float()) * (1 + 2.0 * (A.IS_COLOR | of_brows))
        asked = torch.zeros(len(said), len(A.CONCEPTS))
        for row, c in enumerate(said):
            for concept, shift, truth in c.says:
                asked[row, concept] = (1 + 0.5 * shift) * (1 if truth else -1)
        return tuple(t.to(o.device) for t in (picture, seen, regions, scores, known, texts, target, counts, asked))

    def phase(name: str, steps: int, rate: float) -> float:
        checkpoint = o.checkpoint.with_stem(f"{o.checkpoint.stem}-{name}") if name else o.checkpoint
        now = argparse.Namespace(**{**vars(o), "steps": steps, "checkpoint": checkpoint, "lr": o.lr * rate})
        now.resume = o.resume and checkpoint.exists()
        return loop.fit(objective, batch, now)

    seconds = phase("", o.steps, 1.0) if o.steps else 0.0
    if o.image_steps:
        rng = random.Random(o.seed)
        said = [captions.caption(rng, refused) for _ in range(50 * o.captions)]
        with torch.no_grad():
            texts = [tokenizer([c.text for c in said[i : i + 100]]).to(o.device) for i in range(0, len(said), 100)]
            vectors = torch.cat([model.encode_text(part, normalize=True) for part in texts]).cpu()
        pool += zip(said, vectors, strict=True)
        objective.requires_grad_(False)
        for part in (model.visual, objective.landmarks, objective.image):
            part.requires_grad_(True)
        seconds += phase("image", o.image_steps, 0.75)
    if o.last_steps:
        pool.clear()
        objective.requires_grad_(True)
        seconds += phase("last", o.last_steps, 0.45)
    return seconds
