from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from comfy_api.latest import io
from torch import Tensor

from ..flow_core.editing.predict import Predictor
from ..flow_core.fields.raster import Field
from ..flow_core.geometry.crop import Crop
from ..flow_core.guides.guide import Guide
from ..flow_core.guides.prompts import Prompt
from .guide import bring, warn_unknown
from .sockets import CATEGORY, CropSocket, FieldSocket, GuideSocket, PredictorSocket, to_comfy

if TYPE_CHECKING:
    from ..flow_core.video.editor import FieldSource

PREVIEW_EVERY = 10  # frames

# A list of numbers, as curve nodes give on a FLOAT output, or ComfyUI's own curve; one number is right as well.
CurveSocket = io.Custom("FLOAT,CURVE")


class FaceFlowVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FaceFlowVideo",
            display_name="FaceFlow Video",
            category=CATEGORY,
            description="Puts an edit on the faces of a video: finds them, follows them, and moves only the pixels around them. "
            "An edit fades in and out where a face appears or is lost.",
            inputs=[
                io.Image.Input("image", tooltip="The frames, for instance from Get Video Components."),
                io.String.Input("prompt", default="a smiling face", multiline=True,
                                tooltip="For the predictor; a field has its prompt built in."),
                io.Float.Input("strength", default=1.0, min=-2.0, max=3.0, step=0.01, display_mode=io.NumberDisplay.slider,
                               tooltip="0 = untouched, 1 = as made, negative = the opposite."),
                io.Float.Input("smoothing", default=0.5, min=0.0, max=1.0, step=0.01, display_mode=io.NumberDisplay.slider,
                               tooltip="0 = each frame for itself, 0.5 = usual, 1 = very steady."),
                io.Int.Input("detect_every", default=30, min=1, max=1000,
                             tooltip="Frames from one search for new faces to the next. Lower finds them sooner and takes longer."),
                io.Combo.Input("faces", options=["all", "one"], default="all", tooltip="one: the largest, until it is lost."),
                io.Int.Input("fade", default=6, min=1, max=240, tooltip="Frames in which the edit fades in or out."),
                io.Float.Input("fps", default=30.0, min=1.0, max=240.0, step=0.01,
                               tooltip="Frames a second, for the smoothing."),
                FieldSocket.Input("field", optional=True, tooltip="One edit for the whole clip, for instance made on its first "
                                  "frame by FaceFlow Optimize. Or connect predictor and guide."),
                CropSocket.Input("crop", optional=True, tooltip="The face in the first frame; only this one is edited then. "
                                 "Without it faces are found."),
                PredictorSocket.Input("predictor", optional=True, tooltip="Makes an edit for each frame from the prompt."),
                GuideSocket.Input("guide", optional=True, tooltip="For the predictor's prompt."),
                CurveSocket.Input("strengths", optional=True,
                                  tooltip="Strength over time, times the strength above: a list of numbers, one for each frame, "
                                  "or a curve from 0 (first frame) to 1 (last)."),
            ],
            outputs=[
                io.Image.Output(display_name="image"),
                io.Mask.Output(display_name="changed", tooltip="1 where a pixel was touched."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, image: Tensor, prompt: str, strength: float, smoothing: float, detect_every: int, faces: str, fade: int,
        fps: float, field: Field | None = None, crop: Crop | None = None, predictor: Predictor | None = None,
        guide: Guide | None = None, strengths: object = None,
    ) -> io.NodeOutput:  # fmt: skip
        import comfy.model_management as mm
        import comfy.utils

        from ..flow_core.io import draw
        from ..flow_core.video.editor import Editor, VideoSettings
        from .align import _detector

        source = _source(field, predictor, guide, prompt)
        frames = image[..., :3] if image.shape[-1] > 1 else image.expand(-1, -1, -1, 3)
        count = len(frames)
        settings = VideoSettings(
            [strength * s for s in _curve(strengths, count)], smoothing, faces, detect_every, fade, fps=fps
        )
        editor = Editor(source, _detector("builtin"), settings, None if crop is None else crop.select(0))
        out = image.detach().clone()
        changed = torch.zeros(out.shape[:3])
        bar = comfy.utils.ProgressBar(count)
        for i, frame in enumerate(frames):
            mm.throw_exception_if_processing_interrupted()
            edited = editor.edit(frame.float().cpu())
            changed[i] = edited.mask()
            if edited.changed:  # else the frame stays what it is, bit for bit
                out[i, ..., :3] = edited.pixels.mean(-1, keepdim=True) if out.shape[-1] == 1 else edited.pixels
            shown = i % PREVIEW_EVERY == 0 or i == count - 1
            picture = draw.to_image(edited.pixels.movedim(-1, 0)[None]) if shown else None
            bar.update_absolute(i + 1, count, ("JPEG", picture, 384) if shown else None)
        return io.NodeOutput(out.to(mm.intermediate_device()), to_comfy(changed[:, None])[..., 0])


def _source(field: Field | None, predictor: Predictor | None, guide: Guide | None, prompt: str) -> Field | FieldSource:
    if (field is None) == (predictor is None):
        raise ValueError("Connect a field, or a predictor with its guide; one of the two.")
    if field is not None:
        if field.batch > 1:
            raise ValueError(f"A clip takes one field, this is a batch of {field.batch}; make it on one picture.")
        return field
    if guide is None:
        raise ValueError("The predictor needs a guide, which reads the prompt; connect FaceFlow Load Guide.")
    target = Prompt.parse(prompt)
    warn_unknown(target, guide)
    bring(guide, predictor)
    return predictor.bind(guide, target)


def _curve(strengths: object, count: int) -> list[float]:
    """One number for each frame."""
    if strengths is None:
        return [1.0] * count
    if isinstance(strengths, int | float):
        return [float(strengths)] * count
    if hasattr(strengths, "interp"):
        return [float(strengths.interp(i / max(1, count - 1))) for i in range(count)]
    values = [float(v) for v in strengths]
    if len(values) not in (1, count):
        raise ValueError(f"There are {len(values)} strengths for {count} frames; give one for each frame.")
    return values * (count // len(values))
