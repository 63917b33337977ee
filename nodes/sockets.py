"""Socket types, and the conversion between ComfyUI's pictures and the library's."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

CATEGORY = "FaceFlow"

FieldSocket = io.Custom("FACEFLOW_FIELD")
CropSocket = io.Custom("FACEFLOW_CROP")
GuideSocket = io.Custom("FACEFLOW_GUIDE")
PredictorSocket = io.Custom("FACEFLOW_PREDICTOR")


def to_core(image: Tensor) -> Tensor:
    """IMAGE ``[B,H,W,C]`` -> ``[B,C,H,W]``."""
    return image.movedim(-1, 1)


def to_comfy(image: Tensor) -> Tensor:
    """``[B,C,H,W]`` -> IMAGE ``[B,H,W,C]`` on the device where ComfyUI keeps pictures."""
    import comfy.model_management as mm

    return image.movedim(1, -1).contiguous().to(mm.intermediate_device())


def rgb(image: Tensor) -> Tensor:
    """What a detector or a guide looks at: ``[B,3,H,W]`` of a grey, RGB or RGBA picture ``[B,C,H,W]``."""
    return image.expand(-1, 3, -1, -1) if image.shape[1] == 1 else image[:, :3]
