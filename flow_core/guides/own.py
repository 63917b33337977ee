"""The built-in guide without open_clip, whose import takes longer than an edit: the same two towers from the same file.

:func:`flow_core.guides.guide.load_guide` takes it for the built-in guide; open_clip builds and loads that file as well
(:mod:`flow_core.guides.nano`), to the same embeddings.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .nano import NanoTower, fused
from .words import Words


class _Attention(nn.Module):
    """Multi-head self-attention in which a token sees itself and those before it (Vaswani et al., 2017)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        parts = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        q, k, v = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in parts)
        return self.out_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = _Attention(width, heads)
        self.mlp = nn.Sequential(
            OrderedDict(c_fc=nn.Linear(width, 4 * width), gelu=nn.GELU(), c_proj=nn.Linear(4 * width, width))
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class NanoGuide(nn.Module):
    """Both towers, with the names of parameters that open_clip's CLIP has.

    Args:
        config: an open_clip model config whose image tower is :data:`flow_core.guides.nano.TOWER`.
    """

    def __init__(self, config: dict) -> None:
        super().__init__()
        text, size, dim = config["text_cfg"], config["vision_cfg"]["image_size"], config["embed_dim"]
        trunk, width = NanoTower(regions=8, size=size), text["width"]
        head = nn.Sequential(OrderedDict(proj=nn.Linear(trunk.num_features, dim, bias=False)))
        self.visual = nn.Sequential(OrderedDict(trunk=trunk, head=head))
        self.visual.image_size = (size, size)
        # without the drawing of six million random numbers
        self.token_embedding = nn.Embedding.from_pretrained(torch.empty(text["vocab_size"], width), freeze=False)
        self.positional_embedding = nn.Parameter(torch.empty(text["context_length"], width))
        blocks = [_Block(width, text["heads"]) for _ in range(text["layers"])]
        self.transformer = nn.Sequential(OrderedDict(resblocks=nn.Sequential(*blocks)))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, dim))
        self.logit_scale, self.logit_bias = nn.Parameter(torch.empty([])), nn.Parameter(torch.empty([]))

    def encode_image(self, image: Tensor) -> Tensor:
        """Embeddings ``[B,D]``, not normalised, of normalised pictures ``[B,3,S,S]``."""
        return self.visual(image)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Embeddings ``[N,D]``, not normalised, of ``[N,length]`` tokens; they are read at the end token, the largest number."""
        ends = tokens.argmax(-1)
        # a token sees those before it only: what comes after the end has no effect
        tokens = tokens[:, : int(ends.max()) + 1]
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        x = self.ln_final(self.transformer(x))
        return x[torch.arange(len(x), device=x.device), ends] @ self.text_projection


def load(path: Path) -> tuple[NanoGuide, Words]:
    """The built-in guide and what turns texts into its tokens; its ``.json`` lies beside it."""
    from safetensors.torch import load_file

    config = json.loads(path.with_suffix(".json").read_text())
    state = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
    model = NanoGuide(config)
    model.load_state_dict(state, assign=True)
    return fused(model), Words(config["text_cfg"]["context_length"])
