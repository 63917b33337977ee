"""The node that loads guides, and what all nodes that use a guide share."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable

import torch
from comfy_api.latest import io

from ..flow_core.editing.predict import Predictor
from ..flow_core.guides import prompts as prompts_core
from ..flow_core.guides.guide import BUILTIN, PRECISIONS, Guide, load_guide
from ..flow_core.guides.prompts import Prompt
from . import paths
from .sockets import MODELS, GuideSocket, advanced, node

# A choice of open_clip's list, which is too long for a menu and too slow to import while ComfyUI starts.
FULL = (
    "ViT-B-32:laion2b_s34b_b79k",
    "ViT-B-16:datacomp_xl_s13b_b90k",
    "ViT-L-14:datacomp_xl_s13b_b90k",
    "ViT-B-16-SigLIP:webli",
    "ViT-B-16-SigLIP2:webli",
    "MobileCLIP-S1:datacompdr",
)


def unknown_note(prompts: Iterable[Prompt], guide: Guide) -> str:
    """:func:`flow_core.guides.prompts.unknown_note`, logged as well."""
    note = prompts_core.unknown_note(prompts, guide)
    if note:
        logging.warning("FaceFlow: %s", note)
    return note


def bring(*models: Guide | Predictor) -> None:
    """Have ComfyUI load models onto its device."""
    import comfy.model_management as mm

    # ComfyUI runs nodes in inference mode; weights that are moved there could not be part of a gradient later
    with torch.inference_mode(False):
        mm.load_models_gpu([model.patcher for model in models], force_full_load=True)


def load(name: str, precision: str = "auto") -> Guide:
    """Load a guide, and leave its memory to ComfyUI."""
    import comfy.model_management as mm
    from comfy.model_patcher import ModelPatcher

    loaded = load_guide(name, mm.unet_offload_device(), precision, paths.model_folders())
    # kept here, since ComfyUI only keeps a weak reference
    loaded.patcher = ModelPatcher(loaded.model, mm.get_torch_device(), mm.unet_offload_device())
    return loaded


@functools.lru_cache(maxsize=1)
def builtin() -> Guide:
    """The built-in guide, for nodes to which none is connected."""
    return load(BUILTIN)


class FaceFlowLoadGuide(io.ComfyNode):
    """Name -> guide."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowLoadGuide",
            display_name="FaceFlow Load Guide",
            category=MODELS,
            description="Loads the model that tells how well a face fits a text. nano is built in and knows expressions and "
            "face shapes; the full models know any words, and open_clip downloads them once.",
            search_aliases=["CLIP", "open_clip", "text", "face model"],
            inputs=[
                io.Combo.Input("guide", options=[BUILTIN, *paths.list_weights(guides=True), *FULL], default=BUILTIN,
                               tooltip="nano is part of FaceFlow (16 MB, Apache-2.0). Own models: FILE.safetensors and FILE.json "
                               "(open_clip config) in models/faceflow. The licence of a full model is its author's."),
                advanced(io.Combo.Input, "precision", options=list(PRECISIONS), default="auto",
                               tooltip="auto is right nearly always; fp32 if a picture turns black or NaN is reported."),
                advanced(io.String.Input, "other", default="", optional=True, placeholder="ARCH:TAG",
                                tooltip="Any other open_clip model as ARCH:TAG, for instance ViT-H-14:laion2b_s32b_b79k. "
                                "If filled in, it takes the place of the menu."),
            ],
            outputs=[GuideSocket.Output(display_name="guide", tooltip="Reads prompts for all other FaceFlow nodes.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, guide: str, precision: str, other: str = "") -> io.NodeOutput:  # type: ignore[override]
        return io.NodeOutput(load(other.strip() or guide, precision))
