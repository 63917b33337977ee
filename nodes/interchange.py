"""Nodes for the files of other programs."""

from __future__ import annotations

import os

from comfy_api.latest import io

from ..flow_core.fields.base import FlowField
from ..flow_core.geometry.crop import Crop
from ..flow_core.io import interchange
from . import paths
from .fields import FaceFlowLoad
from .sockets import FILES, CropSocket, FieldSocket, node, one_of, told

# what -> (suffix of the file, is it an ST-map)
FORMATS = {
    "flow .flo": (".flo", False),
    "flow .exr": (".exr", False),
    "flow .png": (".flow.png", False),
    "field .npy": (".npy", False),
    "ST-map .exr": (".stmap.exr", True),
    "ST-map .png": (".stmap.png", True),
}


class FaceFlowExport(io.ComfyNode):
    """Field -> file of another program."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowExport",
            display_name="FaceFlow Export Field",
            category=FILES,
            description="Writes an edit for other programs into ComfyUI's output folder: optical flow files, or an ST-map that "
            "Nuke and others warp pictures with. The help page states the conventions.",
            search_aliases=["ST-map", "STMap", "Nuke", "optical flow", "exr", "flo"],
            inputs=[
                FieldSocket.Input("field", tooltip="The edit."),
                io.Combo.Input("format", options=list(FORMATS), default="flow .flo",
                               tooltip="flow .flo: Middlebury. flow .exr: with colours. flow .png: KITTI, 16 bit. field .npy: with colours. "
                               "ST-map: where each pixel comes from, .exr exact, .png 16 bit."),
                io.Int.Input("size", default=512, min=2, max=8192, tooltip="Side of the raster over the face square, in pixels."),
                io.Boolean.Input("fade_out", default=True, tooltip="Fade out towards the border of the face square, as Apply does. "
                                 "Turn it off for a file that shall come back by Import, for Apply fades it out again."),
                io.String.Input("filename_prefix", default="faceflow/field", tooltip="Folder and name below the output folder; %date:yyyy-MM-dd% and the like as in Save Image."),
                CropSocket.Input("crop", optional=True, tooltip="The face of a muscles field. An ST-map then covers the "
                                 "whole picture instead of the face square; other formats take no crop of other fields."),
            ],
            outputs=[io.String.Output(display_name="files", tooltip="Where the files are, one in each line.")],
            hidden=[io.Hidden.prompt],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, field: FlowField, format: str, size: int, fade_out: bool, filename_prefix: str, crop: Crop | None = None
    ) -> io.NodeOutput:
        one_of("format", format, FORMATS)
        suffix, st = FORMATS[format]
        if field.needs_face and crop is None:
            raise ValueError("A muscles field moves every face in its own way; connect the crop of the face.")
        if crop is not None and not (st or field.needs_face):
            raise ValueError(f"{format} is over the face square and takes no crop; disconnect it, or choose an ST-map.")
        folder, name, counter = paths.output_name(filename_prefix, cls.hidden.prompt)
        count = 1 if suffix == ".npy" else max(field.batch, crop.batch) if field.needs_face else field.batch
        files = [
            interchange.write(
                field if suffix == ".npy" else field.select(i % field.batch),
                os.path.join(folder, f"{name}_{counter + i:05}_{suffix}"),
                size,
                st,
                crop if crop is None or suffix == ".npy" else crop.select(i if crop.batch > 1 else 0),
                interchange.FEATHER if fade_out else 0.0,
            )
            for i in range(count)
        ]
        return io.NodeOutput("\n".join(map(str, files)), ui=told(*(p.name for p in files)))


class FaceFlowImport(FaceFlowLoad):
    """File of another program -> field."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowImport",
            display_name="FaceFlow Import Field",
            category=FILES,
            description="Reads an edit of the face square that another program or FaceFlow Export wrote, from ComfyUI's output or "
            "input folder. The help page states the conventions.",
            search_aliases=["ST-map", "STMap", "Nuke", "optical flow", "exr", "flo"],
            inputs=[
                io.Combo.Input("file", options=paths.list_fields((".flo", ".npy", ".exr", ".flow.png", ".stmap.png")),
                               tooltip="Newest first: .flo, .npy, .exr, .flow.png and .stmap.png. Press R to refresh the list."),
                io.Combo.Input("what", options=["flow", "ST-map"], default="flow",
                               tooltip="What the numbers of an .exr or .png of another program mean: offsets, or where each pixel comes "
                               "from. The names that FaceFlow Export gives told it themselves."),
            ],
            outputs=[FieldSocket.Output(display_name="field", tooltip="The edit, as a raster field.")],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, file: str, what: str) -> str:  # type: ignore[override]
        return super().fingerprint_inputs(file)

    @classmethod
    def execute(cls, file: str, what: str) -> io.NodeOutput:  # type: ignore[override]
        st = [is_st for suffix, is_st in FORMATS.values() if file.lower().endswith(suffix) and suffix.count(".") > 1]
        return io.NodeOutput(interchange.read(paths.field_path(file), st[0] if st else what == "ST-map"))
