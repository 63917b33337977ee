"""Nodes for new fields, and for saving and loading them."""

from __future__ import annotations

import os

from comfy_api.latest import io

from ..flow_core.fields.base import FlowField
from ..flow_core.fields.files import load_field
from ..flow_core.fields.neural import ARCHITECTURES, BANDWIDTH, WIDTH
from ..flow_core.fields.new import new_field
from ..flow_core.geometry.crop import Crop
from . import paths
from .sockets import FIELDS, FILES, CropSocket, FieldSocket, advanced, node, told

NO_FILE = "no file yet"  # in a menu that would be empty, and say nothing about it
REPRESENTATIONS = ("raster", *ARCHITECTURES, "muscles")


class FaceFlowInit(io.ComfyNode):
    """A field that changes nothing yet."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowInit",
            display_name="FaceFlow New Field",
            category=FIELDS,
            description="An edit that changes nothing yet, for FaceFlow Optimize to shape.",
            search_aliases=["empty field", "neural field", "siren"],
            inputs=[
                CropSocket.Input("crop", tooltip="From FaceFlow Align Face."),
                io.Combo.Input("representation", options=list(REPRESENTATIONS), default="muscles",
                               tooltip="raster: a grid of control points with smooth interpolation between them; quick. siren, fourier: "
                               "a small network without any raster, which needs some seconds more at the end. muscles: changes of the face's muscles and shape; the "
                               "other inputs do not matter for it."),
                io.Int.Input("resolution", default=28, min=4, max=256,
                             tooltip="Control points along each side. More follow finer details and take longer; "
                             "the edited picture has its own full resolution in any case."),
                advanced(io.Float.Input, "noise", default=0.0, min=0.0, max=0.05, step=0.001, round=0.0001,
                               tooltip="Random start, in fractions of the face square. 0 = start from the untouched face."),
                advanced(io.Int.Input, "seed", default=0, min=0, max=0xFFFFFFFF, control_after_generate=False, tooltip="Of the noise."),
                advanced(io.Int.Input, "size", default=WIDTH, min=16, max=512, step=8, optional=True,
                             tooltip="Of a network: neurons in each layer. More can hold more details and take longer."),
                advanced(io.Float.Input, "bandwidth", default=BANDWIDTH, min=1.0, max=32.0, step=0.5, optional=True,
                               tooltip="Of a network: how many waves its first layer draws across the face square."),
            ],
            outputs=[FieldSocket.Output(display_name="field", tooltip="For FaceFlow Optimize.")],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, crop: Crop, representation: str, resolution: int, noise: float, seed: int, size: int = WIDTH,
        bandwidth: float = BANDWIDTH,
    ) -> io.NodeOutput:  # fmt: skip
        return io.NodeOutput(new_field(representation, crop.batch, resolution, noise, seed, size, bandwidth))


class FaceFlowSave(io.ComfyNode):
    """Field -> file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowSave",
            display_name="FaceFlow Save Field",
            category=FILES,
            description="Writes an edit into ComfyUI's output folder, to be loaded again, shared, or put on another face.",
            search_aliases=["store edit", "export"],
            inputs=[
                FieldSocket.Input("field", tooltip="The edit."),
                io.String.Input(
                    "filename_prefix",
                    default="faceflow/field",
                    tooltip="Folder and name below the output folder; %date:yyyy-MM-dd% and the like as in Save Image.",
                ),
            ],
            outputs=[FieldSocket.Output(display_name="field", tooltip="The same field, to go on with.")],
            hidden=[io.Hidden.prompt],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, field: FlowField, filename_prefix: str) -> io.NodeOutput:  # type: ignore[override]
        folder, name, counter = paths.output_name(filename_prefix, cls.hidden.prompt)
        path = field.save(os.path.join(folder, f"{name}_{counter:05}_.safetensors"))
        return io.NodeOutput(field, ui=told(f"{path.name}: {field.meta.get('prompt', 'field')}"))


class FaceFlowLoad(io.ComfyNode):
    """File -> field."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowLoad",
            display_name="FaceFlow Load Field",
            category=FILES,
            description="Reads an edit that was saved by FaceFlow, from ComfyUI's output or input folder.",
            search_aliases=["open edit", "preset"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=paths.list_fields() or [NO_FILE],
                    tooltip="Newest first. Press R to refresh the list after saving.",
                ),
            ],
            outputs=[
                FieldSocket.Output(display_name="field", tooltip="The edit; put it on any face with FaceFlow Apply.")
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:  # type: ignore[override]
        path = paths.field_path(file)
        return f"{path.stat().st_mtime_ns}" if path.is_file() else ""

    @classmethod
    def validate_inputs(cls, file: str) -> bool | str:  # type: ignore[override]
        if file == NO_FILE:
            return "There is no file yet: write one, put it into ComfyUI's output or input folder, and press R to refresh the list."
        try:
            return paths.field_path(file).is_file() or f"{file} is gone; press R to refresh the list."
        except ValueError as e:
            return str(e)

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:  # type: ignore[override]
        return io.NodeOutput(load_field(paths.field_path(file)))
