"""Nodes for muscles: edits by hand, and what a face shows."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..flow_core.fields import algebra
from ..flow_core.fields.base import FlowField
from ..flow_core.fields.expressions import PRESETS, expression_of, neutral, parse_amounts, table
from ..flow_core.fields.expressions import preset as preset_named
from ..flow_core.fields.muscles import MusclesField
from ..flow_core.fields.told import what_it_does
from ..flow_core.geometry.crop import Crop
from .sockets import EDIT, CropSocket, FieldSocket, advanced, finite, node, one_of, rgb, to_core, told

NONE = "none"
MODES = ("expression", "neutral")
# (id, shown name, what it does); ids are names of units and controls, or of AXES
UNITS = (
    ("browInnerUp", "brows: inner up", "The inner ends rise: sad, worried."),
    ("browOuterUp", "brows: outer up", "The outer ends rise: surprised."),
    ("browDown", "brows: down", "They sink: angry, concentrated."),
    ("browTogether", "brows: together", "They are drawn towards the nose."),
    ("eyeBlink", "eyes: close", "The lids close; 1 = shut."),
    ("eyeWide", "eyes: wide", "The lids open wide."),
    ("eyeSquint", "eyes: squint", "The lower lids rise and the eyes narrow."),
    ("gaze_aside", "gaze: aside", "Positive = to the viewer's right."),
    ("gaze_up", "gaze: up", "Positive = up, negative = down."),
    ("cheekSquint", "cheeks: raise", "They rise, as in a smile that is meant."),
    ("cheekPuff", "cheeks: puff", "They are blown up."),
    ("noseSneer", "nose: sneer", "The nose wrinkles and its wings rise."),
    ("mouthSmile", "mouth: smile", "The corners go up and out."),
    ("mouthFrown", "mouth: frown", "The corners sink."),
    ("mouthDimple", "mouth: dimples", "The corners are drawn in."),
    ("mouthStretch", "mouth: stretch", "The corners are pulled outwards."),
    ("mouthPucker", "mouth: pucker", "The lips are drawn together, as for a kiss."),
    ("mouthFunnel", "mouth: funnel", "The lips form an O."),
    ("mouthPress", "mouth: press", "The lips are pressed together."),
    ("mouthUpperUp", "mouth: upper lip up", "It rises and shows the teeth."),
    ("mouthLowerDown", "mouth: lower lip down", "It sinks and shows the lower teeth."),
    ("mouthShrugLower", "mouth: chin up", "The chin pushes the lower lip up."),
    ("mouth_aside", "mouth: aside", "Positive = to the viewer's right."),
    ("jawOpen", "jaw: open", "The mouth opens."),
    ("jaw_aside", "jaw: aside", "Positive = to the viewer's right."),
)  # fmt: skip
SHAPES = (
    ("browHigher", "shape: brows higher"),
    ("eyeLarger", "shape: eyes larger"),
    ("eyeOuterCornerUp", "shape: eyes slanted"),
    ("noseWider", "shape: nose wider"),
    ("noseLonger", "shape: nose longer"),
    ("noseBridgeWider", "shape: nose bridge wider"),
    ("noseTipUp", "shape: nose tip up"),
    ("mouthWider", "shape: mouth wider"),
    ("lipsUpperFuller", "shape: upper lip fuller"),
    ("lipsLowerFuller", "shape: lower lip fuller"),
    ("cheekFuller", "shape: cheeks fuller"),
    ("cheekboneHigher", "shape: cheekbones higher"),
    ("jawWider", "shape: jaw wider"),
    ("chinLonger", "shape: chin longer"),
    ("chinPointed", "shape: chin pointed"),
    ("foreheadHigher", "head: forehead higher"),
    ("faceRounder", "head: rounder"),
    ("faceLonger", "head: longer"),
    ("heavier", "head: heavier"),
    ("older", "head: older"),
    ("younger", "head: younger"),
)  # fmt: skip
# Sliders of two directions: what they ask for above and below 0. Left and right are the person's.
AXES = {
    "gaze_aside": (("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookInLeft", "eyeLookOutRight")),
    "gaze_up": (("eyeLookUp",), ("eyeLookDown",)),
    "mouth_aside": (("mouthLeft",), ("mouthRight",)),
    "jaw_aside": (("jawLeft",), ("jawRight",)),
}


def _slider(name: str, shown: str, tooltip: str, least: float, most: float) -> dict[str, object]:
    return {"id": name, "display_name": shown, "default": 0.0, "min": least, "max": most, "step": 0.01, "optional": True,
            "display_mode": io.NumberDisplay.slider, "tooltip": f"{tooltip} 0 = untouched."}  # fmt: skip


class FaceFlowMuscles(io.ComfyNode):
    """Names and sliders -> muscles field."""

    SLIDERS = tuple(name for name, *_ in (*UNITS, *SHAPES))

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowMuscles",
            display_name="FaceFlow Muscles",
            category=EDIT,
            description="An edit of a face's muscles and shape by hand: an expression to start from, a slider for each muscle. It "
            "fits every face: put it on one with FaceFlow Apply. With Run (On Change), in the menu beside Run, the picture follows the sliders.",
            search_aliases=["smile slider", "face sliders", "laugh", "expression editor", "emotion", "blendshapes",
                            "ARKit", "FACS", "wink", "blink", "close eyes", "gaze", "eyebrows", "mouth", "lips",
                            "jaw", "chin", "nose", "cheeks", "face shape", "age", "younger", "older", "caricature",
                            "live portrait", "liveportrait"],
            inputs=[
                io.Combo.Input("preset", options=[NONE, *PRESETS], default="smile",
                               tooltip="An expression to start from; neutral takes away what the face shows."),
                io.Float.Input("strength", default=1.0, min=-1.0, max=1.5, step=0.01, display_mode=io.NumberDisplay.slider,
                               tooltip="Of the preset: 0.5 = half the contraction, negative = the muscles that pull the other way."),
                *(io.Float.Input(**_slider(n, shown, what, -1.0, 1.3)) for n, shown, what in UNITS),
                *(advanced(io.Float.Input, **_slider(n, shown, "The shape of the face; negative = the opposite.", -2.0, 2.0))
                  for n, shown in SHAPES),
                io.String.Input("more", default="", multiline=True, optional=True,
                                placeholder="eyeBlinkLeft 1, mouthSmileRight 0.4, relax browDown 0.5",
                                tooltip="Any muscle, shape or expression by name, added to the sliders: one side alone with Left or "
                                "Right (the person's own), or relax and a muscle to take away what the face shows. The help page "
                                "lists all names."),
                FieldSocket.Input("field", optional=True, tooltip="An edit to add this one to."),
            ],
            outputs=[
                FieldSocket.Output(display_name="field", tooltip="The edit; put it on any face with FaceFlow Apply."),
                io.String.Output(display_name="text", tooltip="The strongest muscles and shapes by name."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, more: str = "") -> bool | str:  # type: ignore[override]
        try:
            return not more or not more.strip() or bool(parse_amounts(more))
        except ValueError as e:
            return str(e)

    @classmethod
    def execute(  # type: ignore[override]
        cls, preset: str, strength: float, more: str = "", field: FlowField | None = None, **sliders: float
    ) -> io.NodeOutput:
        finite("strength", strength)
        named: dict[str, float] = {}
        for name, value in sliders.items():
            above, below = AXES.get(name, ((name,), ()))
            for n in above if value > 0 or not below else below:
                named[n] = value if not below else abs(value)
        parts = [MusclesField.of({n: v for n, v in named.items() if v})]
        if preset != NONE:
            parts.append(preset_named(preset).scale(strength))
        if more.strip():
            parts.append(MusclesField.of(parse_amounts(more)))
        made = algebra.mix(parts, [1.0] * len(parts))
        text = what_it_does(made, 12)
        said = [preset] if preset != NONE and strength == 1 and len(parts) == 2 and not any(named.values()) else [text]
        made = made.with_meta(prompt=", ".join(said))
        if field is not None:
            made = algebra.mix([field, made], [1.0, 1.0])
        return io.NodeOutput(made, text, ui=told(text))


class FaceFlowReadFace(io.ComfyNode):
    """Face -> what it shows, as a field."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowReadFace",
            display_name="FaceFlow Read Face",
            category=EDIT,
            description="What a face shows, as an edit: copies its expression to another face, or takes the expression away. With "
            "the frames of a clip it is a sequence that drives FaceFlow Video.",
            search_aliases=["copy expression", "copy face", "expression transfer", "neutral face", "remove smile",
                            "blendshapes", "drive", "retarget", "live portrait", "liveportrait"],
            inputs=[
                CropSocket.Input("crop", optional=True, tooltip="The face to read, from FaceFlow Align Face. Connect this or frames."),
                io.Combo.Input("mode", options=list(MODES), default="expression",
                               tooltip="expression: gives what this face shows to any other face. neutral: takes away what a face shows."),
                io.Float.Input("strength", default=1.0, min=-1.0, max=1.5, step=0.01, display_mode=io.NumberDisplay.slider,
                               tooltip="0.5 = half way to the other expression."),
                io.Image.Input("frames", optional=True, tooltip="The frames of a clip with a face, which is followed: one "
                               "edit for each frame, for the drive input of FaceFlow Video."),
                io.Float.Input("fps", default=30.0, min=1.0, max=240.0, step=0.01, optional=True,
                               tooltip="Frames a second, for the smoothing of a clip."),
                io.Float.Input("smoothing", default=0.5, min=0.0, max=1.0, step=0.01, display_mode=io.NumberDisplay.slider,
                               optional=True, tooltip="Of a clip: 0 = each frame for itself, 0.5 = usual, 1 = very steady."),
            ],
            outputs=[
                FieldSocket.Output(display_name="field", tooltip="The expression; one for each face, or for each frame."),
                io.String.Output(display_name="text", tooltip="A table of what the face shows; of a clip, in its first frame."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, *, crop: Crop | None = None, mode: str, strength: float, frames: Tensor | None = None, fps: float = 30.0,
        smoothing: float = 0.5,
    ) -> io.NodeOutput:  # fmt: skip
        one_of("mode", mode, MODES)
        finite("strength", strength)
        if (crop is None) == (frames is None):
            raise ValueError("Connect a crop, or the frames of a clip; one of the two.")
        shown = expression_of(crop) if frames is None else _clip(frames, fps, smoothing)
        made = shown if mode == "expression" else neutral()
        text = table(shown)
        return io.NodeOutput(made.scale(strength, strength), text, ui=told(text))


def _clip(frames: Tensor, fps: float, smoothing: float) -> MusclesField:
    import comfy.model_management as mm
    import comfy.utils

    from ..flow_core.fields.expressions import copied
    from ..flow_core.video.clips import Frame
    from ..flow_core.video.drive import read_frames
    from ..flow_core.video.settings import VideoSettings
    from .align import load

    bar = comfy.utils.ProgressBar(len(frames))

    def shown():
        for i, frame in enumerate(frames):
            mm.throw_exception_if_processing_interrupted()
            yield Frame(rgb(to_core(frame[None]))[0].movedim(0, -1).cpu(), i, i / fps)
            bar.update_absolute(i + 1)

    return copied(read_frames(shown(), load("builtin"), VideoSettings(smooth=smoothing, fps=fps)).units)
