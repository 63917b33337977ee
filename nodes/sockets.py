"""What nodes share: sockets, categories, and the conversion of pictures between ComfyUI and flow_core."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable

import torch.nn.functional as F
from comfy_api.latest import io, ui
from torch import Tensor

from ..flow_core.geometry.crop import Crop
from ..flow_core.guides.prompts import NEUTRAL

# Where the nodes are in the menu.
EDIT, FIELDS, FILES, VIEWS, MODELS = (f"FaceFlow/{name}" for name in ("edit", "fields", "files", "views", "models"))

FieldSocket = io.Custom("FACEFLOW_FIELD")
CropSocket = io.Custom("FACEFLOW_CROP")
GuideSocket = io.Custom("FACEFLOW_GUIDE")
PredictorSocket = io.Custom("FACEFLOW_PREDICTOR")

EMPTY_MASK = 64  # side of the black mask that Load Image gives for a picture without alpha


def node(*, search_aliases: Iterable[str] = (), **about: object) -> io.Schema:
    """A schema; ``search_aliases`` are left out if this version of ComfyUI does not know them."""
    if "search_aliases" in inspect.signature(io.Schema).parameters:
        about["search_aliases"] = list(search_aliases)
    return io.Schema(**about)


def advanced(kind: type, *args: object, **options: object) -> io.Input:
    """An input that is rarely needed; marked as advanced if this version of ComfyUI knows that."""
    if "advanced" in inspect.signature(kind).parameters:
        options["advanced"] = True
    return kind(*args, **options)


def to_core(image: Tensor) -> Tensor:
    """IMAGE ``[B,H,W,C]`` -> ``[B,C,H,W]`` float32; ComfyUI may keep pictures in half precision."""
    return image.movedim(-1, 1).float()


def to_comfy(image: Tensor, like: Tensor | None = None) -> Tensor:
    """``[B,C,H,W]`` -> IMAGE ``[B,H,W,C]`` on ComfyUI's device for intermediate results, in the precision of ``like``."""
    import comfy.model_management as mm

    image = image if like is None else image.to(like.dtype)
    return image.movedim(1, -1).contiguous().to(mm.intermediate_device())


def mask_to_comfy(mask: Tensor) -> Tensor:
    """MASK ``[B,H,W]`` on ComfyUI's device for intermediate results."""
    return to_comfy(mask[:, None])[..., 0]


def rgb(image: Tensor) -> Tensor:
    """``[B,3,H,W]`` of a grey, RGB or RGBA picture ``[B,C,H,W]``, as detectors and guides take it."""
    return image.expand(-1, 3, -1, -1) if image.shape[1] == 1 else image[:, :3]


def fit_mask(mask: Tensor | None, size: tuple[int, int]) -> Tensor | None:
    """A MASK ``[B,H,W]``, resized to the size (height, width) of the picture.

    Load Image gives a small black mask for a picture without alpha; it counts as None.
    """
    if mask is None:
        return None
    mask = (mask[None] if mask.ndim == 2 else mask).float()
    if tuple(mask.shape[1:]) == tuple(size):
        return mask
    if tuple(mask.shape[1:]) == (EMPTY_MASK, EMPTY_MASK) and not mask.any():
        return None
    return F.interpolate(mask[:, None], tuple(size), mode="bilinear", antialias=True, align_corners=False)[:, 0]


def one_of(name: str, value: str, options: Iterable[str]) -> None:
    """See that a choice is one of its menu, which the oldest ComfyUI does not ask of prompts in API format.

    Raises:
        ValueError: it is not.
    """
    if value not in options:
        raise ValueError(f"There is no {name} {value!r}; use one of: {', '.join(options)}.")


def finite(name: str, value: float) -> None:
    """See that a number which another node may have given is one.

    Raises:
        ValueError: it is NaN or infinite.
    """
    if not math.isfinite(value):
        raise ValueError(f"The {name} is {value}; give a number.")


def masked_out(crop: Crop, mask: Tensor | None) -> str:
    """A line that says that a mask ``[B,H,W]`` of the picture's size lies over no face; empty where it does, or there is none."""
    if mask is None:
        return ""
    h, w = mask.shape[1:]
    x, y = (crop.points if crop.landmarks is None else crop.landmarks).long().unbind(-1)
    if (mask.amax(0)[y.clamp(0, h - 1), x.clamp(0, w - 1)] > 0).any():
        return ""
    return (
        "The mask lies over no face, so the edit is hidden: paint it over the face. The mask of Load Image is 1 where a picture is "
        "transparent; invert that of a cut-out."
    )


def missing_faces(crop: Crop) -> str:
    """A line that names the pictures without a face; empty where all have one."""
    without = [i + 1 for i in range(crop.pictures) if i not in crop.of_picture]
    if not without:
        return ""
    shown = ", ".join(map(str, without[:12])) + (", ..." if len(without) > 12 else "")
    return f"No face in {len(without)} of {crop.pictures} pictures, which stay as they are: number {shown}."


def prompt_input() -> io.String.Input:
    """The prompt of the nodes that make edits."""
    return io.String.Input("prompt", default="a smiling face", multiline=True, dynamic_prompts=True,
                           tooltip="What the face should be. Several parts with weights, split by |, are possible: "
                           "a smiling face | open mouth:0.5 | angry:-0.3. With several faces: one line for all, or one for each, in the order in "
                           "which Align counts them; with one face, lines are mixed.")  # fmt: skip


def neutral_input() -> io.Input:
    """The neutral text, beside :func:`prompt_input`."""
    return advanced(io.String.Input, "neutral", default=NEUTRAL, tooltip="The face as it is; the edit goes from here to the prompt.")  # fmt: skip


def did_output() -> io.String.Output:
    """What an edit does, as text; the last output of the nodes that make edits."""
    return io.String.Output(
        display_name="did",
        tooltip='What the edit does, by the names of muscles and shapes: "mouthSmile 0.62, cheekSquintLeft 0.40". Faces apart by a bar.',
    )


def told(*lines: str) -> ui.PreviewText:
    """Lines of text that ``web/text.js`` shows on the node; empty ones are left out."""
    return ui.PreviewText("\n".join(line for line in lines if line))
