"""The node that draws edits."""

from __future__ import annotations

import torch
from comfy_api.latest import io
from torch import Tensor

from ..flow_core.editing.tinted import painted_on
from ..flow_core.fields.base import FlowField
from ..flow_core.geometry.crop import Crop
from .sockets import VIEWS, CropSocket, FieldSocket, advanced, node, one_of, rgb, to_comfy, to_core

STYLES = ("wheel", "arrows", "grid", "heat", "color", "folds", "compare", "animation", "muscles")


class FaceFlowView(io.ComfyNode):
    """Field -> picture of it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowView",
            display_name="FaceFlow View Field",
            category=VIEWS,
            description="Draws an edit: where it moves the face and how it recolours it; or shows it before and after, still or "
            "as the frames of an animation.",
            search_aliases=["compare", "before after", "grid", "arrows", "heatmap", "flow visualization", "morph",
                            "preview edit"],
            inputs=[
                FieldSocket.Input("field", tooltip="The edit."),
                io.Combo.Input("style", options=list(STYLES), default="wheel",
                               tooltip="wheel: colour = direction. arrows: true to scale. grid: bent lines. heat: how far. "
                               "color: recolouring, amplified. folds: stretched, squeezed and folded areas. compare: before and after. "
                               "animation: a batch of frames for a video node. muscles: which muscles of a muscles field move what. The last three "
                               "need image and crop."),
                io.Int.Input("size", default=512, min=64, max=4096, step=8, tooltip="Side in pixels."),
                io.Float.Input("strength", default=1.0, min=-2.0, max=3.0, step=0.01, tooltip="As in FaceFlow Apply."),
                io.Image.Input("image", optional=True, tooltip="Together with crop: the face beneath arrows and grid."),
                CropSocket.Input("crop", optional=True, tooltip="Together with image. Lengths are then in pixels of the picture."),
                io.Int.Input("frames", default=24, min=2, max=480, optional=True, tooltip="Frames of an animation, there and back."),
                io.Float.Input("divider", default=0.5, min=0.0, max=1.0, step=0.01, optional=True,
                               display_mode=io.NumberDisplay.slider, tooltip="Where compare draws the line between before and after."),
                advanced(io.Boolean.Input, "numbers", default=False, optional=True, tooltip="Write the numbers onto the picture too."),
            ],
            outputs=[
                io.Image.Output(display_name="view", tooltip="One picture for each face, or the frames."),
                io.String.Output(display_name="numbers", tooltip="Largest and mean offset, moved area, least Jacobian determinant, "
                                 "folds, and the guide gain that Optimize noted; one line for each face."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, field: FlowField, style: str, size: int, strength: float, image: Tensor | None = None, crop: Crop | None = None,
        frames: int = 24, divider: float = 0.5, numbers: bool = False,
    ) -> io.NodeOutput:  # fmt: skip
        import comfy.model_management as mm
        import comfy.utils

        from ..flow_core.io import draw, sheets
        from ..flow_core.warping.measure import measure

        one_of("style", style, STYLES)
        if (image is None) != (crop is None):
            raise ValueError("The face beneath the field needs both image and crop; connect both, or neither.")
        if crop is None and style in ("compare", "animation", "muscles"):
            raise ValueError(f"The style {style} shows the picture; connect image and crop.")
        picture = None if image is None else rgb(to_core(image))
        if crop is not None:
            field = painted_on(field, picture, crop)
        measured = measure(field, crop, strength)
        if crop is not None and len(picture) > 1:
            crop = crop.for_pictures(len(picture))
        faces = crop.aligned(picture, size) if crop is not None else None
        count = max(field.batch, crop.batch) if field.needs_face and crop is not None else field.batch
        bar = comfy.utils.ProgressBar(count * (frames if style == "animation" else 1))
        views: list[Tensor] = []

        def add(view: Tensor, i: int) -> None:
            views.append(sheets.inscribe(view, str(measured[i])) if numbers else view)
            bar.update_absolute(len(views))
            mm.throw_exception_if_processing_interrupted()

        for i in range(count):
            one = field.select(i if field.batch > 1 else 0)
            if crop is None:
                add(draw.view(one, style, size, None, strength), i)
                continue
            of = i if crop.batch > 1 else 0
            place, photo = crop.select(of), picture[crop.of_picture[of] if len(picture) > 1 else 0][None]
            if style == "compare":
                add(sheets.compare(photo, place, one, size, strength, divider), i)
            elif style == "animation":
                for frame in sheets.morph(photo, place, one, frames, size, strength=strength):
                    add(frame, i)
            else:
                add(draw.view(one, style, size, faces[of][None], strength, place.side.item(), place), i)
        return io.NodeOutput(to_comfy(torch.cat(views)), "\n".join(map(str, measured)))
