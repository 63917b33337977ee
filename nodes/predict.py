"""Nodes for the one-shot predictor."""

from __future__ import annotations

import functools

from comfy_api.latest import io
from torch import Tensor

from ..flow_core.editing.optimize import report
from ..flow_core.editing.predict import Predictor
from ..flow_core.fields.told import told as did
from ..flow_core.geometry.crop import Crop
from ..flow_core.guides.guide import Guide
from ..flow_core.guides.prompts import Prompt, lines_note
from ..flow_core.warping.warp import warp
from . import paths
from .guide import bring, unknown_note
from .sockets import (
    EDIT,
    MODELS,
    CropSocket,
    FieldSocket,
    GuideSocket,
    PredictorSocket,
    did_output,
    finite,
    neutral_input,
    node,
    prompt_input,
    rgb,
    to_comfy,
    to_core,
    told,
)  # fmt: skip

BUILTIN = "builtin"


def load(name: str = BUILTIN) -> Predictor:
    """Load a predictor, and leave its memory to ComfyUI."""
    import comfy.model_management as mm
    from comfy.model_patcher import ModelPatcher

    if name == BUILTIN:
        loaded = Predictor.load(device=mm.unet_offload_device())
    else:
        places = [f / name for f in paths.model_folders()]
        loaded = Predictor.load(next((p for p in places if p.is_file()), places[0]), mm.unet_offload_device())
    # kept here, since ComfyUI only keeps a weak reference
    object.__setattr__(loaded, "patcher", ModelPatcher(loaded, mm.get_torch_device(), mm.unet_offload_device()))
    return loaded


@functools.lru_cache(maxsize=1)
def builtin() -> Predictor:
    """The built-in predictor, for nodes to which none is connected."""
    return load()


class FaceFlowLoadPredictor(io.ComfyNode):
    """File -> predictor."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowLoadPredictor",
            display_name="FaceFlow Load Predictor",
            category=MODELS,
            description="Loads a one-shot predictor, a small network that answers with a field at once. It fits the guide with "
            "which it was trained, and no other.",
            search_aliases=["one shot", "network"],
            inputs=[
                io.Combo.Input("predictor", options=list(dict.fromkeys([BUILTIN, *paths.list_weights(guides=False)])), default=BUILTIN,
                               tooltip="builtin fits the guide nano. Others are .safetensors files in models/faceflow, made by "
                               "python -m flow_core.train predictor."),
            ],
            outputs=[PredictorSocket.Output(display_name="predictor", tooltip="For FaceFlow Predict and FaceFlow Video.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, predictor: str) -> io.NodeOutput:  # type: ignore[override]
        return io.NodeOutput(load(predictor))


class FaceFlowPredict(io.ComfyNode):
    """Picture, predictor and prompt -> field."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowPredict",
            display_name="FaceFlow Predict",
            category=EDIT,
            description="Makes the field for a prompt in one pass of a network, in milliseconds. To refine it, connect the field to "
            "FaceFlow Optimize with a quarter of the usual steps.",
            search_aliases=["smile", "expression", "emotion", "portrait", "one shot", "warp"],
            inputs=[
                io.Image.Input("image", tooltip="The picture that went into Align."),
                CropSocket.Input("crop", tooltip="From FaceFlow Align Face."),
                PredictorSocket.Input("predictor", tooltip="From FaceFlow Load Predictor."),
                GuideSocket.Input("guide", tooltip="The guide with which the predictor was trained; it reads the prompt."),
                prompt_input(),
                neutral_input(),
                io.Float.Input("strength", default=1.0, min=-2.0, max=3.0, step=0.01, display_mode=io.NumberDisplay.slider,
                               tooltip="How far to go, as the network learnt it: 0 = untouched, negative = away from the prompt, "
                               "which is not the same movement backwards."),
            ],
            outputs=[
                FieldSocket.Output(display_name="field", tooltip="The edit, one for each face; for Apply, View, Save and others."),
                io.Image.Output(display_name="preview", tooltip="The whole picture, edited."),
                did_output(),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, image: Tensor, crop: Crop, predictor: Predictor, guide: Guide, prompt: str, neutral: str, strength: float
    ) -> io.NodeOutput:
        import comfy.model_management as mm

        finite("strength", strength)
        targets = Prompt.parse_lines(prompt, crop.batch, neutral)
        unknown = unknown_note(targets, guide)
        picture = to_core(image)
        bring(guide, predictor)
        field = predictor.predict(rgb(picture), crop, guide, targets, strength).to(mm.intermediate_device())
        edited, _ = warp(picture, crop, field)
        numbers = "largest offset {max_px:.1f} px, folds {folds:.2%}".format(**report(field, crop))
        said = told(numbers, did(field), unknown, lines_note(prompt, crop.batch), str(field.meta.get("note", "")))
        return io.NodeOutput(field, to_comfy(edited, image), did(field), ui=said)
