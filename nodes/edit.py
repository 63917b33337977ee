"""The node that does everything at once."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..flow_core.editing.optimize import Settings, report
from ..flow_core.faces.align import align
from ..flow_core.faces.doubts import doubts
from ..flow_core.fields.new import new_field
from ..flow_core.fields.told import telling
from ..flow_core.fields.told import told as did
from ..flow_core.guides.guide import Guide
from ..flow_core.guides.prompts import Prompt, lines_note
from ..flow_core.warping.warp import warp
from . import guide as guides
from . import predict
from .align import FACES, watched
from .optimize import shape
from .sockets import (
    EDIT,
    CropSocket,
    FieldSocket,
    GuideSocket,
    advanced,
    did_output,
    finite,
    fit_mask,
    mask_to_comfy,
    masked_out,
    missing_faces,
    node,
    one_of,
    rgb,
    to_comfy,
    to_core,
    told,
)  # fmt: skip

METHODS = ("one shot", "optimize")


class FaceFlowEdit(io.ComfyNode):
    """Picture and prompt -> edited picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        fixed = getattr(getattr(io, "ControlAfterGenerate", None), "fixed", False)
        return node(
            node_id="FaceFlowEdit",
            display_name="FaceFlow Edit",
            category=EDIT,
            description="All in one: finds the faces, makes the edit that the prompt asks for, and applies it. For single steps, masks "
            "and mixtures use the other nodes.",
            search_aliases=["smile", "laugh", "sad", "angry", "neutral face", "expression editor", "emotion",
                            "portrait", "liquify", "warp", "face edit", "age", "younger", "older", "makeup",
                            "lipstick", "hair color", "eye color", "tan skin"],
            inputs=[
                io.Image.Input("image", tooltip="One picture or a batch. Pictures of a batch without a face stay as they are."),
                io.String.Input("prompt", default="a smiling face", multiline=True, dynamic_prompts=True,
                                tooltip="What the face should be. Several parts with weights, split by |, are possible: "
                                "a smiling face | open mouth:0.5 | angry:-0.3. With several faces: one line for all, or one for each, "
                                "from left to right; a line with a dash alone leaves its face as it is. With one face, lines are mixed."),
                io.Float.Input("strength", default=1.0, min=-2.0, max=3.0, step=0.01, display_mode=io.NumberDisplay.slider,
                               tooltip="0 = untouched, 1 = as made, negative = the opposite."),
                io.Combo.Input("method", options=list(METHODS), default=METHODS[0],
                               tooltip="one shot: at once, by a network that fits the built-in guide. optimize: seconds, and truer to the "
                               "prompt; any guide."),
                io.Combo.Input("faces", options=list(reversed(FACES)), default="all", tooltip="one: the largest of each picture."),
                io.Mask.Input("mask", optional=True, tooltip="Where the edit acts; soft masks fade it."),
                GuideSocket.Input("guide", optional=True, tooltip="Another guide than the built-in one, for optimize."),
                advanced(io.Float.Input, "preserve", default=Settings.preserve, min=0.0, max=1.0, step=0.01, optional=True,
                         display_mode=io.NumberDisplay.slider,
                         tooltip="Of optimize: 0 = bold, up to caricature; 1 = careful, the person barely changes."),
                advanced(io.Int.Input, "steps", default=Settings.steps, min=2, max=2000, optional=True,
                         tooltip="Of optimize, at most. Muscles take six; colours that have no name: 30 = draft, 50 = normal, 150 = fine."),
                advanced(io.Int.Input, "seed", default=0, min=0, max=0xFFFFFFFF, control_after_generate=fixed, optional=True,
                         tooltip="Of optimize: the same seed gives the same edit."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The edited picture."),
                FieldSocket.Output(display_name="field", tooltip="The edit, at this strength, one for each face."),
                io.Mask.Output(display_name="changed", tooltip="1 where a pixel was touched."),
                CropSocket.Output(display_name="crop", tooltip="Where the faces are; for other FaceFlow nodes."),
                did_output(),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, image: Tensor, prompt: str, strength: float, method: str, faces: str, mask: Tensor | None = None,
        guide: Guide | None = None, preserve: float = Settings.preserve, steps: int = Settings.steps, seed: int = 0,
    ) -> io.NodeOutput:  # fmt: skip
        import comfy.model_management as mm

        one_of("method", method, METHODS)
        one_of("choice of faces", faces, FACES)
        finite("strength", strength)
        picture = to_core(image)
        index, order = (None, "left-right") if faces == "all" else (0, "largest")
        crop, _ = align(rgb(picture), watched("builtin", len(picture)), index, order)
        missing, lines = missing_faces(crop), lines_note(prompt, crop.batch)
        prompt, meant = Prompt.lines_for(prompt, crop.batch)
        crop = crop.only(meant)
        targets = Prompt.parse_lines(prompt, crop.batch)
        guide = guide or guides.builtin()
        unknown = guides.unknown_note(targets, guide)
        if method == METHODS[0]:
            predictor = predict.builtin()
            guides.bring(guide, predictor)
            field = predictor.predict(rgb(picture), crop, guide, targets).to(mm.intermediate_device())
        else:
            start, settings = new_field(batch=crop.batch), Settings(steps=steps, preserve=preserve, seed=seed)
            field, _ = shape(picture, crop, start, guide, targets, settings)
        field = telling(field.scale(strength, strength))
        mask = fit_mask(mask, crop.image_size)
        edited, changed = warp(picture, crop, field, mask=mask)
        numbers = f"{crop.batch} face{'s' * (crop.batch > 1)}, largest offset {report(field, crop)['max_px']:.1f} px"
        return io.NodeOutput(
            to_comfy(edited, image),
            field,
            mask_to_comfy(changed),
            crop,
            did(field),
            ui=told(
                numbers,
                did(field),
                masked_out(crop, mask),
                missing,
                *doubts(crop),
                unknown,
                lines,
                str(field.meta.get("note", "")),
            ),
        )
