"""The node that edits clips."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import torch
from comfy_api.latest import InputImpl, Types, io
from torch import Tensor

from ..flow_core.editing.predict import Predictor
from ..flow_core.faces.align import align
from ..flow_core.fields.algebra import mix
from ..flow_core.fields.base import FlowField
from ..flow_core.fields.muscles import MusclesField
from ..flow_core.geometry.crop import Crop
from ..flow_core.guides.guide import Guide
from ..flow_core.guides.prompts import Prompt
from ..flow_core.video.drive import REFERENCES, driving_fields, relative
from ..flow_core.video.drive import drive as driven
from . import guide as guides
from . import predict
from .align import load
from .guide import bring, unknown_note
from .sockets import (
    CropSocket,
    FieldSocket,
    GuideSocket,
    PredictorSocket,
    advanced,
    mask_to_comfy,
    node,
    told,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfy_api.latest import Input

    from ..flow_core.video.editor import Edited, Editor, FieldSource
    from ..flow_core.video.settings import VideoSettings

PREVIEW_EVERY = 10  # frames

# A list of numbers, as curve nodes give on a FLOAT output, or ComfyUI's own curve; one number is right as well.
CurveSocket = io.Custom("FLOAT,CURVE")


class FaceFlowVideo(io.ComfyNode):
    """Clip and edit -> edited clip."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowVideo",
            display_name="FaceFlow Video",
            category="FaceFlow/video",
            description="Puts an edit on the faces of a video: finds them, follows them, and moves only the pixels around them. "
            "An edit fades in and out where a face appears or is lost.",
            search_aliases=["animate", "clip", "smile", "expression", "face tracking", "keyframe",
                            "strength schedule", "drive", "live portrait", "liveportrait"],
            inputs=[
                io.Image.Input("image", optional=True,
                               tooltip="The frames, for instance from Get Video Components. Or connect video."),
                io.String.Input("prompt", default="a smiling face", multiline=True, dynamic_prompts=True,
                                tooltip="What the faces should be. A field that is connected has its prompt built in, and this one does not matter."),
                io.Float.Input("strength", default=1.0, min=-2.0, max=3.0, step=0.01, display_mode=io.NumberDisplay.slider,
                               tooltip="0 = untouched, 1 = as made, negative = the opposite."),
                io.Float.Input("smoothing", default=0.5, min=0.0, max=1.0, step=0.01, display_mode=io.NumberDisplay.slider,
                               tooltip="0 = each frame for itself, 0.5 = usual, 1 = very steady."),
                advanced(io.Int.Input, "detect_every", default=30, min=1, max=1000,
                             tooltip="Frames from one search for new faces to the next. Lower finds them sooner and takes longer."),
                io.Combo.Input("faces", options=["all", "one"], default="all", tooltip="one: the largest, until it is lost."),
                advanced(io.Int.Input, "fade", default=6, min=1, max=240, tooltip="Frames in which the edit fades in or out."),
                io.Float.Input("fps", default=30.0, min=1.0, max=240.0, step=0.01,
                               tooltip="Frames a second, for the smoothing; a video has its own."),
                FieldSocket.Input("field", optional=True, tooltip="One edit for the whole clip, for instance made on its first "
                                  "frame by FaceFlow Optimize. Without it the prompt makes one for each frame."),
                CropSocket.Input("crop", optional=True, tooltip="The face in the first frame; only this one is edited then. "
                                 "Without it faces are found."),
                PredictorSocket.Input("predictor", optional=True, tooltip="Makes an edit for each frame from the prompt; without it the built-in one does."),
                GuideSocket.Input("guide", optional=True, tooltip="Reads the prompt for the predictor; without it the built-in one does."),
                CurveSocket.Input("strengths", optional=True,
                                  tooltip="Strength over time, times the strength above: a list of numbers, one for each frame, "
                                  "or a curve from 0 (first frame) to 1 (last)."),
                io.Video.Input("video", optional=True, tooltip="The clip, for instance from Load Video, instead of frames."),
                FieldSocket.Input("drive", optional=True, tooltip="The expressions of a driving clip, from FaceFlow Read Face with its "
                                  "frames: one for each frame. One single picture is then moved through all of them."),
                io.Combo.Input("drive_from", options=list(REFERENCES), default="neutral", optional=True,
                               tooltip="The frame of the driving clip that leaves the face as it is: the most neutral one, or the first."),
                io.String.Input("schedule", default="", optional=True, placeholder="0:0, 1.5:1, 3:0",
                                tooltip="Strength over time without other nodes, times the strength above: SECONDS:STRENGTH, with straight "
                                "lines between. 0:0, 1.5:1, 3:0 rises for a second and a half and sinks again. Empty = always 1."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The edited frames."),
                io.Mask.Output(display_name="changed", tooltip="1 where a pixel was touched."),
                io.Video.Output(display_name="video", tooltip="The edited clip with the sound that came in; for Save Video."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, *, image: Tensor | None = None, prompt: str, strength: float, smoothing: float, detect_every: int, faces: str,
        fade: int, fps: float, field: FlowField | None = None, crop: Crop | None = None, predictor: Predictor | None = None,
        guide: Guide | None = None, strengths: object = None, video: Input.Video | None = None,
        drive: FlowField | None = None, drive_from: str = "neutral", schedule: str = "",
    ) -> io.NodeOutput:  # fmt: skip
        import comfy.model_management as mm
        import comfy.utils

        from ..flow_core.io import ink
        from ..flow_core.video.editor import Editor
        from ..flow_core.video.remarks import Remarks
        from ..flow_core.video.settings import VideoSettings, parse_keyframes

        if (image is None) == (video is None):
            raise ValueError("Connect image (the frames) or video; one of the two.")
        moves = None if drive is None else _moves(drive, drive_from, field, predictor)
        source, unknown = (moves, "") if moves is not None else _source(field, predictor, guide, prompt)
        given = None if video is None else video.get_components()
        image = image if given is None else given.images
        rate = Fraction(fps).limit_denominator(1001) if given is None else given.frame_rate
        frames = image[..., :3] if image.shape[-1] > 1 else image.expand(-1, -1, -1, 3)
        still = moves is not None and len(frames) == 1
        if still:
            image, frames = (x.expand(moves.batch, -1, -1, -1) for x in (image, frames))
        count = len(frames)
        if moves is not None and moves.batch != count:
            raise ValueError(
                f"There are {moves.batch} driving expressions for {count} frames; give one for each frame, or one picture for all."
            )
        at = parse_keyframes(schedule) if schedule.strip() else lambda seconds: 1.0
        settings = VideoSettings(
            [strength * s * at(i / float(rate)) for i, s in enumerate(_curve(strengths, count))],
            smoothing,
            faces,
            detect_every,
            fade,
            fps=float(rate),
        )
        first = None if crop is None else crop.select(0)
        if still:
            done = _driven(frames[0], first, moves, settings)
        else:
            done = _edited(frames, Editor(source, load("builtin"), settings, first), moves)
        out = image.detach().clone()
        changed = torch.zeros(out.shape[:3])
        seen, remarks = 0, Remarks()
        bar = comfy.utils.ProgressBar(count)
        for i, edited in enumerate(done):
            mm.throw_exception_if_processing_interrupted()
            changed[i] = edited.mask()
            seen += any(track.visible for track in edited.faces)
            remarks.see(edited)
            if edited.changed:  # else the frame stays what it is, bit for bit
                out[i, ..., :3] = edited.pixels.mean(-1, keepdim=True) if out.shape[-1] == 1 else edited.pixels
            shown = i % PREVIEW_EVERY == 0 or i == count - 1
            picture = ink.to_image(edited.pixels.movedim(-1, 0)[None]) if shown else None
            bar.update_absolute(i + 1, count, ("JPEG", picture, 384) if shown else None)
        out = out.to(mm.intermediate_device())
        made = Types.VideoComponents(images=out, frame_rate=rate, audio=None if given is None else given.audio)
        return io.NodeOutput(
            out,
            mask_to_comfy(changed),
            InputImpl.VideoFromComponents(made),
            ui=told(
                f"{count} frames of one picture." if still else _seen(seen, count),
                *remarks.lines(),
                unknown,
            ),
        )


def _seen(seen: int, count: int) -> str:
    if seen:
        return f"A face in {seen} of {count} frames."
    return (
        f"No face found in {count} frames, which stay as they are. Faces have to show both eyes and the mouth, be turned upright and at "
        "least 24 pixels wide; or connect the crop of FaceFlow Align Face, whose threshold can be lowered."
    )


def _edited(frames: Tensor, editor: Editor, moves: MusclesField | None) -> Iterator[Edited]:
    """All frames, edited; ``moves`` has a field for each."""
    from ..flow_core.video.clips import Frame

    def each() -> Iterator[Frame]:
        for i, frame in enumerate(frames):
            if moves is not None:
                editor.fields = moves.select(i)
            yield Frame(frame.float().cpu(), i, i / editor.settings.fps)

    for _, edited in editor.edits(each()):
        yield edited


def _driven(picture: Tensor, crop: Crop | None, moves: MusclesField, settings: VideoSettings) -> Iterator[Edited]:
    """One picture, once for each field; its face is found once."""
    picture = picture.float().cpu()
    if crop is None:
        crop, _ = align(picture.movedim(-1, 0)[None], load("builtin"))
    strengths = torch.tensor([settings.strength_at(i, 0.0) for i in range(moves.batch)])[:, None]
    return driven(picture, crop, moves.with_coefficients(moves.coefficients() * strengths))


def _moves(drive: FlowField, reference: str, field: FlowField | None, predictor: Predictor | None) -> MusclesField:
    """A field for each frame: the driving expression, plus ``field`` if there is one."""
    if not isinstance(drive, MusclesField):
        raise ValueError(f"A {drive.kind} field cannot drive; connect FaceFlow Read Face with the frames of a clip.")
    if predictor is not None:
        raise ValueError("Connect drive or a predictor; one of the two.")
    moves = driving_fields(relative(drive.units, reference))
    return moves if field is None else mix([moves, field], [1.0, 1.0])


def _source(
    field: FlowField | None, predictor: Predictor | None, guide: Guide | None, prompt: str
) -> tuple[FlowField | FieldSource, str]:
    """What makes the field of each frame (the built-in predictor if nothing is connected), and a sentence about words that the guide does
    not know."""
    if field is not None and predictor is not None:
        raise ValueError("Connect a field or a predictor; one of the two.")
    if field is not None:
        if field.batch > 1:
            raise ValueError(f"A clip takes one field, this is a batch of {field.batch}; make it on one picture.")
        return field, ""
    predictor, guide = predictor or predict.builtin(), guide or guides.builtin()
    target = Prompt.parse(prompt)
    unknown = unknown_note([target], guide)
    bring(guide, predictor)
    return predictor.bind(guide, target), unknown


def _curve(strengths: object, count: int) -> list[float]:
    """One number for each of ``count`` frames, from a number, a list, a curve (an object with ``interp``), or nothing."""
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
