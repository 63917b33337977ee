"""The node with the pictures of the templates."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from comfy_api.latest import InputImpl, Types, io, ui
from PIL import Image

from .sockets import FILES, node, one_of

FOLDER = Path(__file__).parent / "pictures"
EXAMPLES = {
    "woman": "woman.jpg",
    "man": "man.jpg",
    "young man": "young_man.jpg",
    "astronaut": "astronaut.jpg",
    "two people": "two_people.jpg",
    "clip": "clip.mp4",
}


class FaceFlowExample(io.ComfyNode):
    """A picture or clip that comes with the pack."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node(
            node_id="FaceFlowExample",
            display_name="FaceFlow Example Picture",
            category=FILES,
            description="A portrait, or a short clip, that comes with FaceFlow, to try things out. Put Load Image or Load Video in its "
            "place for your own.",
            search_aliases=["sample", "test image", "portrait", "demo"],
            inputs=[
                io.Combo.Input("example", options=list(EXAMPLES), default="woman",
                               tooltip="The people do not exist, but for the astronaut (Eileen Collins, NASA, public domain)."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The picture, or all frames of the clip."),
                io.Video.Output(display_name="video", tooltip="The clip; of a picture, one frame."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, example: str) -> io.NodeOutput:  # type: ignore[override]
        one_of("example", example, EXAMPLES)
        path = FOLDER / EXAMPLES[example]
        if path.suffix == ".mp4":
            video = InputImpl.VideoFromFile(str(path))
            image = video.get_components().images
        else:
            with Image.open(path, formats=["JPEG"]) as file:
                pixels = np.asarray(file.convert("RGB"), dtype=np.float32) / 255
            image = torch.from_numpy(pixels)[None]
            video = InputImpl.VideoFromComponents(Types.VideoComponents(images=image, frame_rate=Fraction(24)))
        return io.NodeOutput(image, video, ui=ui.PreviewImage(image[:1], cls=cls))
