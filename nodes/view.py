from __future__ import annotations

import torch
from comfy_api.latest import io
from torch import Tensor

from ..flow_core.align import Crop
from ..flow_core.field import Field
from .sockets import CATEGORY, CropSocket, FieldSocket, rgb, to_comfy, to_core

STYLES = ("wheel", "arrows", "grid", "heat", "color")


class FaceFlowView(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FaceFlowView",
            display_name="FaceFlow View Field",
            category=CATEGORY,
            description="Draws an edit: where it moves the face and how it recolours it.",
            inputs=[
                FieldSocket.Input("field"),
                io.Combo.Input("style", options=list(STYLES), default="wheel",
                               tooltip="wheel: colour = direction. arrows: true to scale. grid: bent lines. heat: how far. "
                               "color: recolouring, amplified."),
                io.Int.Input("size", default=512, min=64, max=4096, step=8, tooltip="Side in pixels."),
                io.Float.Input("strength", default=1.0, min=-2.0, max=3.0, step=0.01, tooltip="As in FaceFlow Apply."),
                io.Image.Input("image", optional=True, tooltip="Together with crop: the face beneath arrows and grid."),
                CropSocket.Input("crop", optional=True),
            ],
            outputs=[io.Image.Output(display_name="view")],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, field: Field, style: str, size: int, strength: float, image: Tensor | None = None, crop: Crop | None = None
    ) -> io.NodeOutput:
        from ..flow_core import draw

        if (image is None) != (crop is None):
            raise ValueError("The face beneath the field needs both image and crop; connect both, or neither.")
        faces = crop.aligned(rgb(to_core(image)).float(), size) if crop is not None else None
        views = [
            draw.view(
                field.select(i),
                style,
                size,
                None if faces is None else faces[i if len(faces) > 1 else 0][None],
                strength,
            )
            for i in range(field.batch)
        ]
        return io.NodeOutput(to_comfy(torch.cat(views)))
