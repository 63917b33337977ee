"""The node that finds what an inpainting model should paint anew."""

from __future__ import annotations

from comfy_api.latest import io

from ..flow_core.fields.base import FlowField
from ..flow_core.geometry.crop import Crop
from .sockets import VIEWS, CropSocket, FieldSocket, mask_to_comfy, node


class FaceFlowStretch(io.ComfyNode):
    """Field -> masks for inpainting."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowStretch",
            display_name="FaceFlow Find Stretched Areas",
            category=VIEWS,
            description="Masks of the edited picture: where an edit pulls pixels apart or folds them, for an inpainting model to "
            "paint anew (an opened mouth has no teeth of its own), and where it changes anything.",
            search_aliases=["inpaint mask", "repair", "teeth"],
            inputs=[
                FieldSocket.Input("field", tooltip="The field that Apply puts on the picture."),
                CropSocket.Input("crop", tooltip="The same crop as in Apply."),
                io.Float.Input("threshold", default=1.8, min=1.01, max=10.0, step=0.05, round=0.001,
                               tooltip="How many times content must be stretched in some direction to be repaired. Lower finds more; "
                               "folds are always found."),
                io.Float.Input("strength", default=1.0, min=-2.0, max=3.0, step=0.01, tooltip="The shape strength of Apply."),
                io.Float.Input("grow", default=0.015, min=0.0, max=0.25, step=0.005, round=0.0001,
                               tooltip="Widens the regions, in fractions of the face square's side (0.015 of 1000 pixels = 15 pixels)."),
                io.Float.Input("feather", default=0.01, min=0.0, max=0.25, step=0.005, round=0.0001,
                               tooltip="Width of the soft border, in the same unit. 0 = hard."),
            ],
            outputs=[
                io.Mask.Output(display_name="repair", tooltip="1 where pixels are stretched or folded; of the picture's size."),
                io.Mask.Output(display_name="changed", tooltip="1 where pixels move by half a pixel or more, or change colour."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, field: FlowField, crop: Crop, threshold: float, strength: float, grow: float, feather: float
    ) -> io.NodeOutput:
        from ..flow_core.warping.stretch import changed_mask, repair_mask

        masks = repair_mask(field, crop, threshold, strength, grow, feather), changed_mask(field, crop, strength)
        return io.NodeOutput(*map(mask_to_comfy, masks))
