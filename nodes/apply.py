"""The node that puts an edit on a picture."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..flow_core.editing.tinted import painted_on
from ..flow_core.fields.base import FEATHER, FlowField
from ..flow_core.geometry.crop import Crop
from ..flow_core.warping.jacobian import fold_note
from ..flow_core.warping.latent import warp_latent, warp_mask
from ..flow_core.warping.warp import warp
from .sockets import (
    EDIT,
    CropSocket,
    FieldSocket,
    advanced,
    fit_mask,
    mask_to_comfy,
    masked_out,
    node,
    to_comfy,
    to_core,
    told,
)


def _strength(name: str, what: str, more: str = "") -> io.Float.Input:
    return io.Float.Input(name, default=1.0, min=-2.0, max=3.0, step=0.01, display_mode=io.NumberDisplay.slider,
                          tooltip=f"Strength of the {what}: 0 = untouched, 1 = as made, negative = the opposite.{more}")  # fmt: skip


class FaceFlowApply(io.ComfyNode):
    """Picture and edit -> edited picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowApply",
            display_name="FaceFlow Apply",
            category=EDIT,
            description="Puts an edit on a picture, at the picture's own resolution. Quick: with Run (On Change), in the "
            "menu beside Run, the picture follows the sliders. "
            "Pixels that the edit does not reach stay exactly as they are.",
            search_aliases=["warp", "warp latent", "liquify", "displacement", "paste back", "strength", "expression"],
            inputs=[
                io.Image.Input("image", tooltip="Any picture of the size that went into Align."),
                CropSocket.Input("crop", tooltip="Where the face is; that of another picture puts the edit on another face."),
                FieldSocket.Input("field", tooltip="The edit, from Predict, Optimize, Load Field or others."),
                _strength("shape_strength", "movement", " From -1 to 1.5 an edit is made not to fold; beyond, the node says if it does."),
                _strength("color_strength", "recolouring"),
                advanced(io.Float.Input, "feather", default=FEATHER, min=0.0, max=0.5, step=0.01,
                               tooltip="Share of the face square over which the edit fades out at its border."),
                io.Mask.Input("mask", optional=True, tooltip="Where the edit acts; soft masks fade it. It is resized to the picture."),
                io.Latent.Input("latent", optional=True, tooltip="The latent of the same picture, moved along; its noise mask too. "
                                "Latents are not recoloured."),
                io.Mask.Input("mask_to_warp", optional=True, tooltip="A mask of the same picture, for instance of the lips, moved along."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The edited picture."),
                io.Mask.Output(display_name="changed", tooltip="1 where a pixel was touched."),
                io.Latent.Output(display_name="latent", tooltip="The latent, moved along; connect one to the input of this name."),
                io.Mask.Output(display_name="warped_mask", tooltip="The mask, moved along; connect one to mask_to_warp."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, image: Tensor, crop: Crop, field: FlowField, shape_strength: float, color_strength: float, feather: float,
        mask: Tensor | None = None, latent: dict | None = None, mask_to_warp: Tensor | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        mask, along = (fit_mask(m, crop.image_size) for m in (mask, mask_to_warp))
        picture = to_core(image)
        edited, changed = warp(
            picture, crop, painted_on(field, picture, crop), shape_strength, color_strength, mask, feather
        )
        how = field, shape_strength, mask, feather
        notes = fold_note(field, shape_strength, crop), masked_out(crop, mask)
        return io.NodeOutput(
            to_comfy(edited, image),
            mask_to_comfy(changed),
            _nothing("latent") if latent is None else _warp_all(latent, crop, *how),
            _nothing("mask_to_warp") if along is None else mask_to_comfy(warp_mask(along, crop, *how)),
            ui=told(*notes) if any(notes) else None,
        )


def _nothing(name: str) -> object:
    """The value of an output whose input is not connected; a node that uses it shows the message."""
    from comfy_execution.graph_utils import ExecutionBlocker

    return ExecutionBlocker(f"FaceFlow Apply has nothing to move along: connect its input {name}.")


def _warp_all(latent: dict, crop: Crop, *how: object) -> dict:
    """A LATENT with its noise mask, which ComfyUI keeps at the size of the picture or of the latent."""
    samples = warp_latent(latent["samples"], crop, *how)
    if (noise := latent.get("noise_mask")) is None:
        return {**latent, "samples": samples}
    if noise.ndim not in (3, 4):
        raise ValueError(f"Expected a noise mask [B,H,W] or [B,1,H,W] in the latent, got {tuple(noise.shape)}.")
    values = noise if noise.ndim == 4 else noise[:, None]
    if tuple(values.shape[2:]) == tuple(crop.image_size):
        values = warp_mask(values.flatten(0, 1), crop, *how)[:, None]
    else:
        values = warp_latent(values, crop, *how)
    return {**latent, "samples": samples, "noise_mask": values.reshape(noise.shape)}
