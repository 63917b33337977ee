"""The node with a list of prompts."""

from __future__ import annotations

from comfy_api.latest import io

from ..flow_core.guides.attributes import KNOWN
from ..flow_core.guides.prompts import MAX_WEIGHT, Prompt
from .sockets import EDIT, node

NONE = "none"
ATTRIBUTES = [phrase for phrases in KNOWN.values() for phrase in phrases]


def _weight(name: str, optional: bool) -> io.Float.Input:
    return io.Float.Input(name, default=1.0, min=-MAX_WEIGHT, max=MAX_WEIGHT, step=0.05, optional=optional,
                          tooltip="How much of it, beside the others; negative = away from it.")  # fmt: skip


class FaceFlowPrompt(io.ComfyNode):
    """Choices -> prompt."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        more = [NONE, *ATTRIBUTES]
        return node(
            node_id="FaceFlowPrompt",
            display_name="FaceFlow Pick Prompt",
            category=EDIT,
            description="A prompt from a list of all that the built-in guide knows, up to three at a time. Connect it to the prompt of "
            "Predict, Optimize, Edit or Video; prompts may as well be written by hand.",
            search_aliases=["attributes", "expressions", "emotions", "smile", "vocabulary"],
            inputs=[
                io.Combo.Input("attribute", options=ATTRIBUTES, default=ATTRIBUTES[0], tooltip="What the face should get."),
                _weight("weight", False),
                io.Combo.Input("attribute_2", options=more, default=NONE, optional=True, tooltip="Something else as well."),
                _weight("weight_2", True),
                io.Combo.Input("attribute_3", options=more, default=NONE, optional=True, tooltip="Something else as well."),
                _weight("weight_3", True),
            ],
            outputs=[io.String.Output(display_name="prompt", tooltip="For the prompt of the other nodes.")],
        )  # fmt: skip

    @classmethod
    def execute(  # type: ignore[override]
        cls, attribute: str, weight: float, attribute_2: str = NONE, weight_2: float = 1.0, attribute_3: str = NONE,
        weight_3: float = 1.0,
    ) -> io.NodeOutput:  # fmt: skip
        pairs = ((attribute, weight), (attribute_2, weight_2), (attribute_3, weight_3))
        parts = tuple((text, w) for text, w in pairs if text != NONE and w)
        if not parts:
            raise ValueError("All weights are 0, so nothing is asked for; give one of them another.")
        return io.NodeOutput(str(Prompt(parts)))
