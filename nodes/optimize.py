"""The node that optimises an edit, and the progress that it shows."""

from __future__ import annotations

import logging

from comfy_api.latest import io
from torch import Tensor

from ..flow_core.editing.edit import make_field
from ..flow_core.editing.optimize import Priors, Settings, Step, report
from ..flow_core.fields.base import FlowField
from ..flow_core.fields.told import told as did
from ..flow_core.geometry.crop import Crop
from ..flow_core.guides.guide import Guide
from ..flow_core.guides.prompts import Prompt, lines_note
from ..flow_core.warping.warp import warp
from .guide import bring, unknown_note
from .sockets import (
    EDIT,
    CropSocket,
    FieldSocket,
    GuideSocket,
    advanced,
    did_output,
    neutral_input,
    node,
    prompt_input,
    rgb,
    to_comfy,
    to_core,
    told,
)

PREVIEW_EVERY = 6  # steps; a preview costs about as much as a step with the built-in guide


def _prior(name: str, what: str) -> io.Float.Input:
    return advanced(io.Float.Input, name, default=1.0, min=0.0, max=20.0, step=0.05, optional=True,
                    tooltip=f"{what} Times the built-in weight; 'preserve' scales all of them together.")  # fmt: skip


class FaceFlowOptimize(io.ComfyNode):
    """Picture, guide and prompt -> field."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowOptimize",
            display_name="FaceFlow Optimize",
            category=EDIT,
            description="Shapes a field until the face follows the prompt. Slow node: its result is kept, so strength, masks and "
            "views after it stay quick. Cancel works between any two steps.",
            search_aliases=["smile", "expression", "emotion", "portrait", "liquify", "warp", "CLIP"],
            inputs=[
                io.Image.Input("image", tooltip="The picture that went into Align."),
                CropSocket.Input("crop", tooltip="From FaceFlow Align Face."),
                FieldSocket.Input("field", tooltip="Where to start: a new field, or an earlier edit to go on from."),
                GuideSocket.Input("guide", tooltip="From FaceFlow Load Guide; it says how well the face fits the prompt."),
                prompt_input(),
                neutral_input(),
                io.Int.Input("steps", default=Settings.steps, min=2, max=2000,
                             tooltip="At most: an edit that goes no farther stops before, one of muscles after six. Others, and colours "
                             "that have no name: 30 = draft, 50 = normal, 150 = fine."),
                io.Float.Input("preserve", default=Settings.preserve, min=0.0, max=1.0, step=0.01,
                               display_mode=io.NumberDisplay.slider,
                               tooltip="0 = bold, up to caricature; 1 = careful, the person barely changes."),
                advanced(io.Int.Input, "seed", default=0, min=0, max=0xFFFFFFFF, control_after_generate=False,
                             tooltip="The same seed gives the same field."),
                io.Float.Input("margin", default=Settings.margin, min=0.1, max=20.0, step=0.1, optional=True,
                               tooltip="How far to go, root mean square, in thousandths of the side of the face square: 2 = a hint, "
                               "5 = plain to see, 9 = extreme. The same for every guide and prompt."),
                advanced(io.Float.Input, "color_limit", default=Settings.color_limit, min=0.0, max=1.0, step=0.01, optional=True,
                               tooltip="Largest change of colour (0..1), in the region whose colour the prompt asks for. 0 = move only, "
                               "never recolour. Prompts that ask for no colour never recolour."),
                _prior("bending", "Smoothness of the flow."),
                _prior("magnitude", "The price of movement."),
                _prior("symmetry", "Left and right move alike, as far as the face is frontal."),
                _prior("fold", "Keeps the flow from folding."),
                _prior("color", "The price of recolouring."),
                _prior("modes", "How close the movement stays to the ways in which faces move."),
            ],
            outputs=[
                FieldSocket.Output(display_name="field", tooltip="The edit, one for each face; for Apply, View, Save and others."),
                io.Image.Output(display_name="preview", tooltip="The whole picture, edited at strength 1."),
                io.LossMap.Output(display_name="loss", tooltip="Loss per step, for the Plot Loss Graph node."),
                did_output(),
            ],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, image: Tensor, crop: Crop, field: FlowField, guide: Guide, prompt: str, neutral: str, steps: int, preserve: float,
        seed: int, margin: float = Settings.margin, color_limit: float = Settings.color_limit, bending: float = 1.0,
        magnitude: float = 1.0, symmetry: float = 1.0, fold: float = 1.0, color: float = 1.0, modes: float = 1.0,
    ) -> io.NodeOutput:  # fmt: skip
        targets = Prompt.parse_lines(prompt, crop.batch, neutral)
        unknown = unknown_note(targets, guide)
        base = Priors()
        settings = Settings(
            steps=steps, preserve=preserve, seed=seed, margin=margin, color_limit=color_limit,
            priors=Priors(
                bending=base.bending * bending, magnitude=base.magnitude * magnitude, symmetry=base.symmetry * symmetry,
                fold=base.fold * fold, drift=base.drift, color=base.color * color, modes=base.modes * modes,
            ),
        )  # fmt: skip
        result, curve = shape(to_core(image), crop, field, guide, targets, settings)
        numbers = report(result, crop)
        logging.info("FaceFlow: gain %(gain)+.2f, folds %(folds).2f, largest offset %(max_px).1f px", numbers)
        edited, _ = warp(to_core(image), crop, result)
        text = "gain {gain:+.2f}, largest offset {max_px:.1f} px, folds {folds:.2%}".format(**numbers)
        return io.NodeOutput(
            result,
            to_comfy(edited, image),
            {"loss": curve},
            did(result),
            ui=told(text, did(result), unknown, lines_note(prompt, crop.batch), str(result.meta.get("note", ""))),
        )


def shape(
    picture: Tensor, crop: Crop, field: FlowField, guide: Guide, targets: list[Prompt], settings: Settings
) -> tuple[FlowField, list[float]]:
    """Optimise with progress and previews on the page; Cancel works between any two steps.

    Returns:
        the field, and the loss of each step.
    """
    import comfy.model_management as mm
    import comfy.utils

    from ..flow_core.io import ink

    bar = comfy.utils.ProgressBar(settings.steps)
    curve: list[float] = []

    def watch(step: Step) -> None:
        mm.throw_exception_if_processing_interrupted()
        curve.append(step.losses["total"])
        shown = step.index % PREVIEW_EVERY == 1 or step.index == step.total
        bar.update_absolute(step.index, step.total, ("JPEG", ink.to_image(step.preview()), 384) if shown else None)

    try:
        bring(guide)
        made = make_field(rgb(picture), crop, guide, targets, settings=settings, start=field, watch=watch)
        return made.to(mm.intermediate_device()), curve
    finally:
        mm.soft_empty_cache()  # also after a cancel, nothing of the run may stay in memory
