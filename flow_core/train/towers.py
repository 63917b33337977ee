"""Which image tower, which text tower: ``python -m flow_core.train towers --data DIR`` prints a table of short trainings.

Image towers learn beside the built-in text tower, which is frozen; text towers of several widths learn with the built-in
image tower's architecture from nothing. All see the same faces and captions.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..faces.landmarks import POINTS
from ..guides.guide import BUILTIN, WEIGHTS, open_clip
from ..guides.nano import CHANNELS, IMAGE_SIZE, NanoTower
from . import data, guide, loop
from .guide_objective import Shown, normalise, sampling_weights


class Placed(nn.Module):
    """A network of timm as image tower. Its last map is flattened, as in :class:`flow_core.guides.nano.NanoTower`: where a brow lies is
    what an expression changes, and a mean over places does not tell."""

    def __init__(self, net: nn.Module, channels: int, places: int, squeeze: int = 32) -> None:
        super().__init__()
        self.net, self.num_features = net, squeeze * places
        self.squeeze = nn.Sequential(nn.Conv1d(channels, squeeze, 1), nn.SiLU())
        self.norm = nn.BatchNorm1d(self.num_features)

    def look(self, x: Tensor) -> tuple[Tensor, None]:
        return self(x), None

    def forward(self, x: Tensor) -> Tensor:
        seen = self.net(x)  # tokens [B,N,C], or one map [B,C,h,w] in a list
        seen = seen[0] if isinstance(seen, list) else seen
        seen = seen.mT if seen.ndim == 3 else seen.flatten(2)
        return self.norm(self.squeeze(seen).flatten(1))


class Hybrid(nn.Module):
    """A vision transformer on the map of a residual network's first stages (the hybrid of arXiv 2010.11929, section 3.1)."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        whole = NanoTower()
        self.stem, self.stages, self.transformer = whole.stem, whole.stages[:4], transformer

    def forward(self, x: Tensor) -> Tensor:
        return self.transformer(self.stages(self.stem(x)))


def towers() -> dict[str, tuple[nn.Module, int]]:
    """name -> tower with random weights, side of its pictures."""
    open_clip()  # makes timm importable beside any torchvision
    from timm import create_model
    from timm.models.vision_transformer import VisionTransformer

    plain = {"embed_dim": 128, "num_heads": 4, "num_classes": 0, "global_pool": "", "class_token": False}
    vit = VisionTransformer(img_size=112, patch_size=14, depth=6, **plain)
    on_map = VisionTransformer(img_size=14, patch_size=2, in_chans=CHANNELS[2], depth=4, **plain)
    mobile = create_model("mobilenetv3_small_100", features_only=True, out_indices=(3,))
    return {
        "residual, colours of regions, 112 px (built in)": (NanoTower(regions=8), 112),
        "residual, 112 px": (NanoTower(), 112),
        "residual, colours of regions, 160 px": (NanoTower(regions=8, size=160), 160),
        "ViT, 6 layers of 128, patches of 14, 112 px": (Placed(vit, 128, 64), 112),
        "ViT on the first stages of the built-in tower, 112 px": (Placed(Hybrid(on_map), 128, 49), 112),
        "MobileNetV3 small, 112 px": (Placed(mobile, mobile.feature_info.channels()[0], 49), 112),
    }


def build(tower: nn.Module, size: int) -> tuple[nn.Module, object]:
    """A guide with another image tower for pictures of ``size``, and its tokenizer; random weights."""
    model, tokenizer = guide.build()
    model.visual.trunk = tower
    model.visual.preprocess_cfg = {**model.visual.preprocess_cfg, "size": size}
    model.visual.head = nn.Linear(tower.num_features, model.text_projection.shape[1], bias=False)
    return model, tokenizer


def builtin() -> nn.Module:
    """The built-in guide as it was trained: its layers are not fused, as those of :func:`flow_core.guides.guide.load_guide` are."""
    from safetensors.torch import load_file

    model, _ = guide.build()
    model.load_state_dict(load_file(WEIGHTS / f"{BUILTIN}.safetensors"))
    return model.eval()


class Taught(nn.Module):
    """A guide whose image tower learns to see what another guide's sees, and where the landmarks are.

    Faces come in pairs, one face warped in two ways, for an edit follows what a guide sees of such changes. What counts is how far
    faces lie along the concepts' texts, each in its own standard deviations: in the embedding itself, movements are small beside
    colours.

    Args:
        model: whose tower learns.
        teacher: the other guide, in evaluation mode.
        ways: text directions of the concepts ``[K,D]``.
        spread: ``[2,K]`` standard deviations along them, of faces and of what a warp changes, as the teacher sees them.
    """

    def __init__(self, model: nn.Module, teacher: nn.Module, ways: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.visual = model.visual
        self.landmarks = nn.Linear(model.visual.trunk.num_features, 2 * len(POINTS))
        # in a list, for these are neither trained nor saved
        self._frozen = [(teacher, ways, spread)]

    def forward(self, picture: Tensor, seen: Tensor) -> dict[str, Tensor]:
        """Losses of pictures ``[2n,3,S,S]`` with landmarks ``[2n,161,2]``, of which the second half shows the faces of the
        first."""
        [(teacher, ways, spread)] = self._frozen
        features = self.visual.trunk(normalise(self, picture))
        off = F.normalize(self.visual.head(features), dim=-1) - shown_to(teacher, picture)
        along = (off @ ways.T).unflatten(0, (2, -1))
        return {
            "embedding": off.square().sum(1).mean(),
            "faces": (along / spread[0]).square().mean(),
            "changes": ((along[0] - along[1]) / spread[1]).square().mean(),
            "places": 0.5 * F.smooth_l1_loss(self.landmarks(features), (seen.flatten(1) - 0.5) * 30),
        }


def grow(tower: nn.Module, other: nn.Module) -> None:
    """Give ``tower`` in place all layers of ``other`` that have the same name and shape in both."""
    inner = tower.net if isinstance(tower, Placed) else tower
    own = inner.state_dict()
    known = {k: v for k, v in other.state_dict().items() if k in own and own[k].shape == v.shape}
    inner.load_state_dict(known, strict=False)


@torch.no_grad()
def shown_to(teacher: nn.Module, picture: Tensor) -> Tensor:
    """What the teacher, who looks at 112 px, sees of pictures ``[n,3,S,S]``: unit embeddings ``[n,D]``."""
    if picture.shape[3] != IMAGE_SIZE:
        picture = F.interpolate(picture, (IMAGE_SIZE,) * 2, mode="bilinear", antialias=True)
    return teacher.encode_image(normalise(teacher, picture), normalize=True)


def teach(model: nn.Module, teacher: nn.Module, tokenizer, shown: Shown, o: argparse.Namespace) -> None:
    """Train the image tower of ``model`` in place for ``o.teach`` steps with ``teacher``, from whose layers it starts where it has
    the like."""
    grow(model.visual.trunk, teacher.visual.trunk)
    weights = sampling_weights(shown.faces)[shown.usable]
    model.visual.to(memory_format=torch.channels_last)

    def batch(seed: int) -> tuple[Tensor, Tensor]:
        g = shown.generator.manual_seed(seed)
        index = shown.usable[torch.multinomial(weights, o.batch // 2, generator=g)].repeat(2)
        return shown.look(index, True, 1.0, seed % 2 == 0)[:2]  # beside paint, shapes are seldom noticed

    texts = [c.text for c in guide.A.CONCEPTS]
    with torch.no_grad():
        neutral, *known = teacher.encode_text(tokenizer(["a face", *texts]), normalize=True)
        ways = torch.stack(known) - neutral
        along = torch.stack([shown_to(teacher, batch(seed)[0]) @ ways.T for seed in range(8)]).unflatten(1, (2, -1))
        spread = torch.stack([along.flatten(0, 2).std(0), (along[:, 0] - along[:, 1]).flatten(0, 1).std(0)])
    changed = {"steps": o.teach, "checkpoint": o.checkpoint.with_suffix(".teach.pt"), "resume": False}
    loop.fit(Taught(model, teacher, ways, spread), batch, argparse.Namespace(**{**vars(o), **changed}))


def milliseconds(model: nn.Module, size: int) -> float:
    """Forward and backward pass of four views."""
    model.eval()
    views, taken = torch.rand(4, 3, size, size, requires_grad=True), []
    for _ in range(12):
        start = time.perf_counter()
        model.encode_image(views).sum().backward()
        taken.append(time.perf_counter() - start)
    return 1e3 * statistics.median(taken)


def figures(model: nn.Module, tokenizer, shown: Shown) -> list[float]:
    """Mean AUC, correlation and correlation of changes, of shapes and then of colours."""
    with torch.no_grad():
        text = model.encode_text(tokenizer([c.text for c in guide.A.CONCEPTS]), normalize=True)
    rows = guide.validate(model, text, shown)
    values = torch.tensor([row[1:] for row in rows])
    of_color = guide.A.IS_COLOR[guide.A.MEASURED]
    return [v for part in (~of_color, of_color) for v in values[part].nanmean(0).tolist()]


def main(argv: list[str] | None = None) -> None:
    ap = loop.arguments("towers", "Compare image towers and text widths.", Path("out/train/towers.md"), 600, 32, 2e-3)
    ap.add_argument("--captions", type=int, default=80)
    ap.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="also save the guides with other image towers, for benchmarks/guides.py",
    )
    ap.add_argument(
        "--teach",
        type=int,
        default=0,
        metavar="STEPS",
        help="first let image towers learn from the built-in one, from its own layers where they have the like",
    )
    ap.add_argument("--only", metavar="WORD", default="", help="only the image towers with this word in their name")
    ap.add_argument("--widths", type=int, nargs="*", default=[64, 128], help="of text towers")
    o = ap.parse_args(argv)
    train, test = data.load(o.data)
    print(report(train, test, o))


def report(train: data.Faces, test: data.Faces, o: argparse.Namespace) -> str:
    """The tables, in Markdown."""
    from safetensors.torch import save_file

    teacher = builtin()
    known = {k: v for k, v in teacher.state_dict().items() if not k.startswith("visual.")}
    lines = [
        f"{o.steps} steps of {o.batch} faces; ms: forward and backward pass of 4 views, {torch.get_num_threads()} thread(s).\n",
        "| image tower | parameters | ms | AUC, correlation, of changes: shapes | colours |\n|---|---|---|---|---|",
    ]
    for name, (tower, size) in ((n, t) for n, t in towers().items() if o.only in n):
        torch.manual_seed(o.seed)
        model, tokenizer = build(tower, size)
        model.load_state_dict(known, strict=False)
        shown = Shown(train, o.seed, size=size)
        if o.teach:
            teach(model, teacher, tokenizer, shown, o)
        guide.fit(model, tokenizer, shown, _options(o, 0, o.steps))
        found = figures(model, tokenizer, Shown(test, o.seed + 1, shown.scale, size))
        if o.keep:
            o.keep.mkdir(parents=True, exist_ok=True)
            save_file({k: v.contiguous() for k, v in model.state_dict().items()}, o.keep / f"{name}.safetensors")
        count = sum(p.numel() for p in model.visual.parameters()) / 1e6
        shapes, paint = (", ".join(f"{v:.2f}" for v in part) for part in (found[:3], found[3:]))
        lines.append(f"| {name} | {count:.1f} M | {milliseconds(model, size):.0f} | {shapes} | {paint} |")
        print(lines[-1], flush=True)
    lines.append("\n| text width | parameters | held-out phrasings | AUC shapes | colours |\n|---|---|---|---|---|")
    for width in o.widths:
        torch.manual_seed(o.seed)
        model, tokenizer = guide.build(text_width=width)
        shown = Shown(train, o.seed)
        guide.fit(model, tokenizer, shown, _options(o, o.steps, 0))
        found = figures(model, tokenizer, Shown(test, o.seed + 1, shown.scale))
        count = sum(p.numel() for n, p in model.named_parameters() if not n.startswith("visual.")) / 1e6
        share, _ = guide.retrieval(model, tokenizer)
        lines.append(f"| {width} | {count:.1f} M | {share:.0%} | {found[0]:.2f} | {found[3]:.2f} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _options(o: argparse.Namespace, steps: int, image_steps: int) -> argparse.Namespace:
    return argparse.Namespace(
        **{**vars(o), "steps": steps, "image_steps": image_steps, "last_steps": 0, "resume": False}
    )
