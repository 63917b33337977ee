"""Makes what comes with the templates from the pictures in ``nodes/pictures``: ``python docs/make_examples.py``.

The picture of two people, the clip (a head that moves, by turning and shifting one portrait), and for each template a
thumbnail: its picture before and after the edit that it makes, with the prompt written on it.
"""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from flow_core.editing.edit import make_field  # noqa: E402
from flow_core.editing.predict import Predictor  # noqa: E402
from flow_core.faces.align import align  # noqa: E402
from flow_core.faces.detect import load_detector  # noqa: E402
from flow_core.fields.expressions import expression_of, preset  # noqa: E402
from flow_core.geometry.sampling import sample_image  # noqa: E402
from flow_core.guides.guide import load_guide  # noqa: E402
from flow_core.guides.prompts import Prompt  # noqa: E402
from flow_core.io import ink  # noqa: E402
from flow_core.warping.warp import warp  # noqa: E402

PICTURES, TEMPLATES = ROOT / "nodes" / "pictures", ROOT / "example_workflows"
SIDE, FRAMES, RATE = 320, 48, 24  # of the clip
# template -> picture, prompts of its faces (or an expression of muscles), strength
EXPRESSIONS = {
    "muscles": ("woman", "smile"),
    "video": ("young_man", "smile"),
    "repair_with_inpainting": ("woman", "surprise"),
}
COPIES = {"copy_expression": ("woman", "astronaut")}  # template -> whose face, whose expression
OPTIMIZED = ("one_node", "first_edit", "several_faces")  # the others predict
EDITS = {
    "one_node": ("woman", ["a smiling face"], 1.0),
    "first_edit": ("man", ["a smiling face"], 1.0),
    "one_shot": ("astronaut", ["a sad face"], 0.9),
    "several_faces": ("two_people", ["a smiling face", "an angry face"], 1.0),
}


def picture(name: str) -> torch.Tensor:
    """``[1,3,H,W]``."""
    with Image.open(PICTURES / f"{name}.jpg") as file:
        return torch.from_numpy(np.asarray(file.convert("RGB")).copy()).permute(2, 0, 1)[None].float() / 255


def make_clip() -> None:
    photo = picture("young_man")
    middle = torch.tensor([photo.shape[3], photo.shape[2]]) / 2
    y, x = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    grid = torch.stack([x, y], -1) - SIDE / 2
    with av.open(str(PICTURES / "clip.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(RATE))
        stream.width = stream.height = SIDE
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "21"}
        for i in range(FRAMES):
            t = 2 * math.pi * i / FRAMES
            a, zoom = math.radians(5 * math.sin(t)), 1.0 + 0.06 * math.cos(t)
            turn = torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]) * zoom
            shift = torch.tensor([12 * math.sin(t), 6 * math.sin(2 * t)])
            frame = sample_image(photo, (grid @ turn.T + middle + shift)[None], "bicubic")
            for packet in stream.encode(av.VideoFrame.from_image(ink.to_image(frame))):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


def make_thumbnails(height: int = 320) -> None:
    detector, guide, predictor = load_detector(), load_guide(), Predictor.load()
    for name, (source, texts, strength) in EDITS.items():
        photo = picture(source)
        crop, _ = align(photo, detector, None, "left-right")
        prompts = [Prompt.parse(t) for t in texts]
        if name in OPTIMIZED:
            field = make_field(photo, crop, guide, prompts)
        else:
            field = predictor.predict(photo, crop, guide, prompts)
        after = warp(photo, crop, field, strength, strength)[0]
        save_thumbnail(name, photo, after, texts, height)
    for name, (source, expression) in EXPRESSIONS.items():
        photo = picture(source)
        crop, _ = align(photo, detector)
        save_thumbnail(name, photo, warp(photo, crop, preset(expression))[0], [expression], height)
    for name, (source, other) in COPIES.items():
        photo, giver = picture(source), picture(other)
        crop, _ = align(photo, detector)
        shown = align(giver, detector)[0]
        after = warp(photo, crop, expression_of(shown))[0]
        face = shown.aligned(giver, photo.shape[2])
        save_thumbnail(name, photo, torch.cat([face, after], 3), ["copied"], height)


def save_thumbnail(name: str, photo: torch.Tensor, after: torch.Tensor, texts: list[str], height: int) -> None:
    page = ink.to_image(torch.cat([photo, after], 2 if len(texts) > 1 else 3))
    scale = height * len(texts) / page.height
    page = page.resize((round(page.width * scale), round(page.height * scale)), Image.Resampling.LANCZOS)
    pen, text = ImageDraw.Draw(page), " / ".join(texts)
    pen.text((10, page.height - 30), text, fill="white", font_size=20, stroke_width=2, stroke_fill="black")
    page.save(TEMPLATES / f"{name}.jpg", quality=88)


def main() -> None:
    pair = torch.cat([picture("man"), picture("woman")], 3)
    ink.to_image(pair).save(PICTURES / "two_people.jpg", quality=92)
    make_clip()
    make_thumbnails()


if __name__ == "__main__":
    main()
