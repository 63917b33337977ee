from __future__ import annotations

import functools

from comfy_api.latest import io
from torch import Tensor

from ..flow_core.faces.align import ORDERS, align
from ..flow_core.faces.detect import Detector, load_detector
from ..flow_core.warping.warp import taper_mask
from . import paths
from .sockets import CATEGORY, CropSocket, rgb, to_comfy, to_core


@functools.lru_cache(maxsize=2)
def _detector(name: str) -> Detector:
    return load_detector(name, paths.model_folders())


class FaceFlowAlign(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FaceFlowAlign",
            display_name="FaceFlow Align Face",
            category=CATEGORY,
            description="Finds a face in each picture and the square around it in which edits are made. "
            "The picture itself is not changed or resized.",
            inputs=[
                io.Image.Input("image", tooltip="One picture or a batch; one face is taken from each."),
                io.Int.Input("face_index", default=0, min=0, max=99, tooltip="Which face, counted from 0 in the order below. "
                             "The preview numbers them."),
                io.Combo.Input("order", options=list(ORDERS), default="largest", tooltip="How faces are counted."),
                io.Combo.Input("detector", options=["builtin", "yunet"], default="builtin",
                               tooltip="builtin needs nothing. yunet is kornia's original: put yunet_final.pth into models/faceflow, "
                               "or let it be downloaded."),
                io.Float.Input("threshold", default=0.8, min=0.05, max=0.99, step=0.01,
                               tooltip="Least confidence of a face. Lower it if a face is missed."),
                io.Int.Input("aligned_size", default=512, min=64, max=2048, step=8,
                             tooltip="Side of the aligned picture in pixels. For looking only: edits work on the original."),
                io.Mask.Input("mask", optional=True, tooltip="Only faces whose middle lies inside count."),
                io.Combo.Input("faces", options=["one", "all"], default="one", optional=True,
                               tooltip="all: every face of one picture; Optimize then makes an edit for each, and Apply puts all of them "
                               "into the picture. The face index does not matter then."),
            ],
            outputs=[
                CropSocket.Output(display_name="crop", tooltip="Where the face is; for all other FaceFlow nodes."),
                io.Image.Output(display_name="aligned", tooltip="The face square, upright."),
                io.Mask.Output(display_name="face", tooltip="Where an edit can act, fading out at the border of the square."),
                io.Image.Output(display_name="preview", tooltip="The picture with the faces numbered."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, image: Tensor, face_index: int, order: str, detector: str, threshold: float, aligned_size: int,
        mask: Tensor | None = None, faces: str = "one",
    ) -> io.NodeOutput:  # fmt: skip
        from ..flow_core.io import draw

        picture = rgb(to_core(image)).float()
        index = None if faces == "all" else face_index
        crop, found = align(picture, _detector(detector), index, order, threshold, mask)
        acts = taper_mask(crop)
        return io.NodeOutput(
            crop,
            to_comfy(crop.aligned(picture, aligned_size)),
            to_comfy((acts.amax(0, keepdim=True) if crop.together else acts)[:, None])[..., 0],
            to_comfy(draw.faces(picture, crop, found)),
        )
