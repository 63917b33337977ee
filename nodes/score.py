"""The node that measures an edit."""

from __future__ import annotations

import math

from comfy_api.latest import io
from torch import Tensor

from ..flow_core.faces.align import align
from ..flow_core.fields.base import FlowField
from ..flow_core.geometry.crop import Crop
from ..flow_core.guides.guide import Guide
from ..flow_core.guides.prompts import NEUTRAL, Prompt
from .align import load
from .guide import bring, unknown_note
from .sockets import VIEWS, CropSocket, FieldSocket, GuideSocket, advanced, node, rgb, to_core, told


class FaceFlowScore(io.ComfyNode):
    """Before and after -> what was gained."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowScore",
            display_name="FaceFlow Score Edit",
            category=VIEWS,
            description="Measures an edit: how far the face went towards a prompt, in the eyes of a guide, and what it cost. Another "
            "guide than the one that made the edit judges more fairly. It does not measure whether it is still the same person.",
            search_aliases=["measure", "compare", "quality"],
            inputs=[
                io.Image.Input("before", tooltip="The picture as it was."),
                io.Image.Input("after", tooltip="The edited picture, of the same size; any edit, not only one by FaceFlow."),
                GuideSocket.Input("guide", tooltip="From FaceFlow Load Guide."),
                io.String.Input("prompt", default="a smiling face", multiline=True, tooltip="What was asked for."),
                advanced(io.String.Input, "neutral", default=NEUTRAL, tooltip="The face as it was."),
                FieldSocket.Input("field", optional=True, tooltip="For folds and moved area."),
                CropSocket.Input("crop", optional=True, tooltip="Where the face is; without it the largest face of before is taken."),
            ],
            outputs=[
                io.String.Output(display_name="text", tooltip="All numbers, with units."),
                io.Float.Output(display_name="gain", tooltip="What the guide gained, in its own logits."),
                io.Float.Output(display_name="folds", tooltip="Share 0..1 of the face square that folds; NaN without a field."),
                io.Float.Output(display_name="moved", tooltip="Share 0..1 of the face square that moves by more than 0.25 % of its side; "
                                "NaN without a field."),
                io.Float.Output(display_name="outside", tooltip="Mean change of colour (0..1) outside the outline of the face."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, before: Tensor, after: Tensor, guide: Guide, prompt: str, neutral: str, field: FlowField | None = None,
        crop: Crop | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..flow_core.warping.measure import measure, score

        target = Prompt.parse(prompt, neutral)
        was, now = (rgb(to_core(p)) for p in (before, after))
        if crop is None:
            crop = align(was, load("builtin"))[0]
        crop.require_size(was)
        unknown = unknown_note([target], guide)
        bring(guide)
        gain, outside = score(was, now, crop, guide, target)
        text = f"guide gain {gain:+.2f} logits ({guide.name}), change outside the face {255 * outside:.2f} of 255"
        folds = moved = math.nan
        if field is not None:
            found = measure(field, crop)
            folds, moved = (sum(getattr(m, n) for m in found) / len(found) for n in ("folds", "moved"))
            text += f", folds {folds:.2%}, moved area {moved:.1%}"
        return io.NodeOutput(text, gain, folds, moved, outside, ui=told(text, unknown))
