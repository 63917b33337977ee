"""The node that finds faces and aligns them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

from comfy_api.latest import io
from torch import Tensor

from ..flow_core.faces.align import ORDERS, align
from ..flow_core.faces.detect import Detection, Detector, load_detector
from ..flow_core.faces.doubts import doubts
from ..flow_core.warping.warp import taper_mask
from . import paths
from .sockets import (
    EDIT,
    CropSocket,
    advanced,
    fit_mask,
    mask_to_comfy,
    missing_faces,
    node,
    one_of,
    rgb,
    to_comfy,
    to_core,
    told,
)

FACES = ("one", "all")


@functools.lru_cache(maxsize=2)
def load(name: str) -> Detector:
    """A detector; the last two stay in memory."""
    return load_detector(name, paths.model_folders())


def watched(name: str, pictures: int) -> Callable[..., list[Detection]]:
    """A detector that shows its progress and stops on Cancel: over the pictures of a batch, and the turns in which it looks at each."""
    import comfy.model_management as mm
    import comfy.utils

    bar, detector = comfy.utils.ProgressBar(100 * pictures), load(name)
    seen = itertools.count()

    def detect(picture: Tensor, *threshold: float, **options: bool) -> list[Detection]:
        before = 100 * next(seen)

        def looked(done: int, looks: int) -> None:
            mm.throw_exception_if_processing_interrupted()
            bar.update_absolute(before + 100 * done // looks, 100 * pictures)

        looked(0, 1)
        found = detector(picture, *threshold, **options, watch=looked)
        if pictures > 1:
            looked(1, 1)
        return found

    return detect


class FaceFlowAlign(io.ComfyNode):
    """Pictures -> where their faces are."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowAlign",
            display_name="FaceFlow Align Face",
            category=EDIT,
            description="Finds a face in each picture and the square around it in which edits are made. "
            "The picture itself is not changed or resized.",
            search_aliases=["detect face", "face detection", "face detector", "find faces", "face crop", "face mask",
                            "face index", "portrait", "landmarks"],
            inputs=[
                io.Image.Input("image", tooltip="One picture or a batch. Pictures of a batch in which no face is found stay as they are."),
                io.Int.Input("face_index", default=0, min=0, max=99, tooltip="Which face, counted from 0 in the order below. "
                             "The preview numbers them."),
                io.Combo.Input("order", options=list(ORDERS), default="largest", tooltip="How faces are counted."),
                advanced(io.Combo.Input, "detector", options=["builtin", "yunet"], default="builtin",
                               tooltip="builtin needs nothing. yunet is kornia's original: put yunet_final.pth into models/faceflow, "
                               "or let it be downloaded."),
                advanced(io.Float.Input, "threshold", default=0.8, min=0.05, max=0.99, step=0.01,
                               tooltip="Least confidence of a face. Lower it if a face is missed."),
                advanced(io.Int.Input, "aligned_size", default=512, min=64, max=2048, step=8,
                             tooltip="Side of the aligned picture in pixels. For looking only: edits work on the original."),
                io.Mask.Input("mask", optional=True, tooltip="Only faces whose middle lies inside count. It is resized to the picture."),
                io.Combo.Input("faces", options=list(FACES), default="one", optional=True,
                               tooltip="all: every face of each picture; Optimize and Predict then make an edit for each, and Apply puts all of "
                               "them into the picture. The face index does not matter then."),
            ],
            outputs=[
                CropSocket.Output(display_name="crop", tooltip="Where the face is; for all other FaceFlow nodes."),
                io.Image.Output(display_name="aligned", tooltip="The face squares, upright."),
                io.Mask.Output(display_name="face", tooltip="Where an edit can act, fading out at the border of the square; one for each picture."),
                io.Image.Output(display_name="preview", tooltip="The picture with the faces numbered; large ones reduced."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, image: Tensor, face_index: int, order: str, detector: str, threshold: float, aligned_size: int,
        mask: Tensor | None = None, faces: str = "one",
    ) -> io.NodeOutput:  # fmt: skip
        from ..flow_core.io import sheets

        one_of("choice of faces", faces, FACES)
        picture = rgb(to_core(image))
        index = None if faces == "all" else face_index
        crop, found = align(
            picture, watched(detector, len(picture)), index, order, threshold, fit_mask(mask, tuple(picture.shape[2:]))
        )
        return io.NodeOutput(
            crop,
            to_comfy(crop.aligned(picture, aligned_size)),
            mask_to_comfy(taper_mask(crop)),
            to_comfy(sheets.faces(picture, crop, found)),
            ui=told(f"{crop.batch} face{'s' * (crop.batch > 1)} found.", missing_faces(crop), *doubts(crop)),
        )
