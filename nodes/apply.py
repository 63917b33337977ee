from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..flow_core.align import Crop
from ..flow_core.field import Field
from ..flow_core.warp import FEATHER, warp
from .sockets import CATEGORY, CropSocket, FieldSocket, to_comfy, to_core


def _strength(name: str, what: str) -> io.Float.Input:
    return io.Float.Input(name, default=1.0, min=-2.0, max=3.0, step=0.01, display_mode=io.NumberDisplay.slider,
                          tooltip=f"Strength of the {what}: 0 = untouched, 1 = as made, negative = the opposite.")  # fmt: skip


class FaceFlowApply(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FaceFlowApply",
            display_name="FaceFlow Apply",
            category=CATEGORY,
            description="Puts an edit on a picture, at the picture's own resolution. Quick: move the sliders and run again. "
            "Pixels that the edit does not reach stay exactly as they are.",
            inputs=[
                io.Image.Input("image", tooltip="Any picture of the size that went into Align."),
                CropSocket.Input("crop", tooltip="Where the face is; that of another picture puts the edit on another face."),
                FieldSocket.Input("field"),
                _strength("shape_strength", "movement"),
                _strength("color_strength", "recolouring"),
                io.Float.Input("feather", default=FEATHER, min=0.0, max=0.5, step=0.01,
                               tooltip="Share of the face square over which the edit fades out at its border."),
                io.Mask.Input("mask", optional=True, tooltip="Where the edit acts; soft masks fade it."),
            ],
            outputs=[
                io.Image.Output(display_name="image"),
                io.Mask.Output(display_name="changed", tooltip="1 where a pixel was touched."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, image: Tensor, crop: Crop, field: Field, shape_strength: float, color_strength: float, feather: float,
        mask: Tensor | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        edited, changed = warp(to_core(image), crop, field, shape_strength, color_strength, mask, feather)
        return io.NodeOutput(to_comfy(edited), to_comfy(changed[:, None])[..., 0])
