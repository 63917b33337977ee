"""Nodes for the arithmetic of edits: mix, mask, invert, transfer."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..flow_core.fields import algebra
from ..flow_core.fields.base import FlowField
from ..flow_core.geometry.crop import Crop
from .sockets import FIELDS, CropSocket, FieldSocket, advanced, fit_mask, node, one_of

MODES = ("sum", "compose")
REGIONS = ("whole", "mouth", "eyes", "brows", "nose", "jaw", "skin")
WAYS = ("inverse", "opposite", "mirror")


def _weight(name: str, which: str, optional: bool = False) -> io.Float.Input:
    return io.Float.Input(name, default=1.0, min=-3.0, max=3.0, step=0.05, optional=optional,
                          tooltip=f"Strength of the {which} field; negative = its opposite.")  # fmt: skip


class FaceFlowMix(io.ComfyNode):
    """Several edits as one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowMix",
            display_name="FaceFlow Mix Fields",
            category=FIELDS,
            description="Several edits as one: a smile with raised brows, or half of each. The picture is still sampled only once.",
            search_aliases=["add", "subtract", "combine", "blend", "merge", "scale edit"],
            inputs=[
                FieldSocket.Input("field_1", tooltip="An edit."),
                FieldSocket.Input("field_2", tooltip="Another one."),
                io.Combo.Input("mode", options=list(MODES), default="sum",
                               tooltip="sum: all at the same time, weighted. compose: one after the other, as several Apply nodes "
                               "would, but with one sampling."),
                _weight("weight_1", "first"),
                _weight("weight_2", "second"),
                FieldSocket.Input("field_3", optional=True, tooltip="A third edit."),
                FieldSocket.Input("field_4", optional=True, tooltip="A fourth edit."),
                _weight("weight_3", "third", True),
                _weight("weight_4", "fourth", True),
                CropSocket.Input("crop", optional=True, tooltip="The face; only for compose of a muscles field and another one."),
            ],
            outputs=[FieldSocket.Output(display_name="field", tooltip="One edit that does what all do.")],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, field_1: FlowField, field_2: FlowField, mode: str, weight_1: float, weight_2: float, field_3: FlowField | None = None,
        field_4: FlowField | None = None, weight_3: float = 1.0, weight_4: float = 1.0,
        crop: Crop | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        one_of("mode", mode, MODES)
        pairs = [(field_1, weight_1), (field_2, weight_2), (field_3, weight_3), (field_4, weight_4)]
        fields, weights = zip(*[(f, w) for f, w in pairs if f is not None], strict=True)
        if mode == "sum":
            return io.NodeOutput(algebra.mix(fields, weights))
        made = fields[0].scale(weights[0], weights[0])
        for field, weight in zip(fields[1:], weights[1:], strict=True):
            made = algebra.compose(made, field.scale(weight, weight), crop)
        return io.NodeOutput(made)


class FaceFlowMask(io.ComfyNode):
    """An edit within a part of the face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowMask",
            display_name="FaceFlow Mask Field",
            category=FIELDS,
            description="Keeps an edit to a part of the face. Unlike the mask of Apply it works on the field, so that the edit can "
            "be saved or put on another face, and does not fold.",
            search_aliases=["region", "mouth only", "eyes only", "part of the face"],
            inputs=[
                FieldSocket.Input("field", tooltip="The edit."),
                CropSocket.Input("crop", tooltip="The face that it was made for."),
                io.Combo.Input("region", options=list(REGIONS), default="mouth",
                               tooltip="A part of the face with the skin that moves along; whole = the mask alone decides."),
                advanced(io.Float.Input, "feather", default=0.05, min=0.0, max=0.5, step=0.005, round=0.001,
                               tooltip="Width of the soft border, in fractions of the face square."),
                io.Boolean.Input("invert", default=False, tooltip="Everything but the region or mask."),
                io.Mask.Input("mask", optional=True,
                              tooltip="Of the picture, to which it is resized; with a region, where both are."),
            ],
            outputs=[FieldSocket.Output(display_name="field", tooltip="The edit within the region.")],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, field: FlowField, crop: Crop, region: str, feather: float, invert: bool, mask: Tensor | None = None
    ) -> io.NodeOutput:
        one_of("region", region, REGIONS)
        region = None if region == "whole" else region
        return io.NodeOutput(algebra.mask_region(field, crop, region, fit_mask(mask, crop.image_size), feather, invert))


class FaceFlowInvert(io.ComfyNode):
    """An edit turned around."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowInvert",
            display_name="FaceFlow Invert Field",
            category=FIELDS,
            description="Turns an edit around: what undoes it, its opposite, or its mirror image.",
            search_aliases=["undo", "mirror", "flip", "opposite"],
            inputs=[
                FieldSocket.Input("field", tooltip="The edit."),
                io.Combo.Input("what", options=list(WAYS), default="inverse",
                               tooltip="inverse: applied after the edit, it gives the face back. opposite: moves and recolours the other "
                               "way. mirror: left and right exchanged."),
                CropSocket.Input("crop", optional=True, tooltip="The face; only for the inverse of a muscles field."),
            ],
            outputs=[FieldSocket.Output(display_name="field", tooltip="The edit, turned around.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, field: FlowField, what: str, crop: Crop | None = None) -> io.NodeOutput:  # type: ignore[override]
        one_of("way", what, WAYS)
        if what == "inverse":
            return io.NodeOutput(algebra.invert(field, crop))
        return io.NodeOutput({"opposite": algebra.opposite, "mirror": algebra.mirror}[what](field))


class FaceFlowTransfer(io.ComfyNode):
    """An edit of one face on another."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowTransfer",
            display_name="FaceFlow Transfer Field",
            category=FIELDS,
            description="Fits an edit of one face to another: what moved the mouth moves the other mouth, wherever it is.",
            search_aliases=["copy expression", "retarget"],
            inputs=[
                FieldSocket.Input("field", tooltip="The edit."),
                CropSocket.Input("crop_from", tooltip="The face that it was made for."),
                CropSocket.Input("crop_to", tooltip="The face that it is for now; put the result on it with FaceFlow Apply."),
            ],
            outputs=[FieldSocket.Output(display_name="field", tooltip="The edit for the other face.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, field: FlowField, crop_from: Crop, crop_to: Crop) -> io.NodeOutput:  # type: ignore[override]
        return io.NodeOutput(algebra.transfer(field, crop_from.places, crop_to.places))
