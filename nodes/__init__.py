"""The nodes: a thin skin over :mod:`flow_core`."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import paths
from .algebra import FaceFlowInvert, FaceFlowMask, FaceFlowMix, FaceFlowTransfer
from .align import FaceFlowAlign
from .apply import FaceFlowApply
from .edit import FaceFlowEdit
from .example import FaceFlowExample
from .fields import FaceFlowInit, FaceFlowLoad, FaceFlowSave
from .guide import FaceFlowLoadGuide
from .interchange import FaceFlowExport, FaceFlowImport
from .muscles import FaceFlowMuscles, FaceFlowReadFace
from .optimize import FaceFlowOptimize
from .predict import FaceFlowLoadPredictor, FaceFlowPredict
from .prompt import FaceFlowPrompt
from .score import FaceFlowScore
from .stretch import FaceFlowStretch
from .video import FaceFlowVideo
from .view import FaceFlowView

NODES: list[type[io.ComfyNode]] = [
    FaceFlowAlign,
    FaceFlowLoadGuide,
    FaceFlowInit,
    FaceFlowOptimize,
    FaceFlowLoadPredictor,
    FaceFlowPredict,
    FaceFlowApply,
    FaceFlowView,
    FaceFlowSave,
    FaceFlowLoad,
    FaceFlowExport,
    FaceFlowImport,
    FaceFlowStretch,
    FaceFlowScore,
    FaceFlowVideo,
    FaceFlowMix,
    FaceFlowMask,
    FaceFlowInvert,
    FaceFlowTransfer,
    FaceFlowExample,
    FaceFlowEdit,
    FaceFlowPrompt,
    FaceFlowMuscles,
    FaceFlowReadFace,
]

paths.register()  # ComfyExtension.on_load is not called on the oldest ComfyUI that is supported


class FaceFlowExtension(ComfyExtension):
    """What ComfyUI asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES
