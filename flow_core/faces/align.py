"""Where a face is: FFHQ alignment from five points, and the matrix between the photo and the crop frame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..geometry.crop import Crop
from ..geometry.sampling import reduced, require_finite

if TYPE_CHECKING:
    from .detect import Detection, Detector
    from .landmarks import Landmarks

ENOUGH = 768  # pixels a side of a face square, twice as many as any look at it wants
MARGIN = 1.4  # sides of it around it that are kept for looks at faces that are not aligned yet
ORDERS = ("largest", "left-right", "right-left", "top-bottom", "bottom-top", "confidence")


class FaceNotFound(ValueError):
    """No usable face; the message says what to try."""


def sort_faces(faces: list[Detection], order: str = "largest") -> list[Detection]:
    """Faces in one of :data:`ORDERS`."""
    if order not in ORDERS:
        raise ValueError(f"Unknown face order {order!r}; use one of {', '.join(ORDERS)}.")
    keys = {
        "largest": lambda f: -float((f.box[2] - f.box[0]) * (f.box[3] - f.box[1])),
        "left-right": lambda f: float(f.points[:, 0].mean()),
        "right-left": lambda f: -float(f.points[:, 0].mean()),
        "top-bottom": lambda f: float(f.points[:, 1].mean()),
        "bottom-top": lambda f: -float(f.points[:, 1].mean()),
        "confidence": lambda f: -f.score,
    }
    return sorted(faces, key=keys[order])


def align(
    image: Tensor,
    detector: Detector,
    index: int | None = 0,
    order: str = "largest",
    threshold: float | None = None,
    mask: Tensor | None = None,
    landmarks: Landmarks | None = None,
) -> tuple[Crop, list[list[Detection]]]:
    """Find one face, or all, in every picture of a batch, and align them by their landmarks.

    Where some pictures have no such face the crop has none in them (:attr:`Crop.of_picture`).

    Args:
        image: ``[B,3,H,W]``.
        detector: from :func:`flow_core.faces.detect.load_detector`.
        index: which face, counted in ``order`` from 0; None takes all faces of each picture, in this order.
        order: one of :data:`ORDERS`.
        threshold: least confidence; ``None`` takes the detector's own.
        mask: ``[B or 1,H,W]``; only faces whose centre lies where it is at least 0.5 count.
        landmarks: the network that finds them; ``None`` takes the built-in one.

    Returns:
        The crop of the chosen faces, and for each picture all faces that ``index`` counted.

    Raises:
        FaceNotFound: no picture has a face, or ``index + 1`` of them.
        ValueError: there is no picture, or the mask does not fit.
    """
    if not len(image):
        raise ValueError("There is no picture: the batch is empty. Connect one with at least one picture.")
    require_finite(image)
    if mask is not None and (mask.shape[1:] != image.shape[2:] or len(mask) not in (1, len(image))):
        raise ValueError(
            f"{len(mask)} mask(s) of {mask.shape[2]}x{mask.shape[1]} do not fit {len(image)} picture(s) of {image.shape[3]}x{image.shape[2]}; "
            "resize the mask, or leave it unconnected."
        )
    found, advice = [], ""
    chosen: list[tuple[int, Detection]] = []
    for i, picture in enumerate(image):
        faces = sort_faces(detector(picture, *(() if threshold is None else (threshold,)), turned=True), order)
        usable = faces if mask is None else [f for f in faces if _inside(f, mask[i if len(mask) > 1 else 0])]
        found.append(usable)
        here = usable if index is None else usable[index : index + 1] if index >= 0 else []
        chosen += [(i, face) for face in here]
        if not here:
            advice = advice or _advice(image.shape, i, index or 0, len(faces), len(usable), mask is not None)
    if not chosen:
        raise FaceNotFound(advice)
    crop = Crop.from_points(
        torch.stack([face.points for _, face in chosen]),
        tuple(image.shape[2:]),
        tuple(face.score for _, face in chosen),
        tuple(i for i, _ in chosen),
        len(image),
    )
    return studied(image, crop, landmarks), found


def studied(image: Tensor, crop: Crop, landmarks: Landmarks | None = None) -> Crop:
    """A crop aligned anew by the landmarks on it, with all that edits want to know of its faces.

    Args:
        image: ``[B,3,H,W]``.
        crop: roughly where the faces are in it.
        landmarks: as for :func:`align`.
    """
    from .blur import blur
    from .covered import covered
    from .creases import creases
    from .gaping import jaw_dropped
    from .glasses import glasses_worn
    from .landmarks import five_points, load_landmarks
    from .lids import lid_colors
    from .lip_edges import to_the_lips
    from .mouth import mouth_colors
    from .shown import view
    from .texture import lid_texture, mouth_texture

    # All looks are at the faces alone, and none at more pixels: a large photo is read once.
    image, corner, times = close_up(image, crop)
    near = _at(crop, (crop.points - corner) / times, tuple(image.shape[2:]))
    landmarks = landmarks or load_landmarks()
    near = landmarks.refine(image, near)
    near = replace(near, landmarks=jaw_dropped(image, near, landmarks))
    near = replace(near, landmarks=to_the_lips(image, near))
    places, seen = near.landmarks * times + corner, view(image, near)
    return replace(
        _at(crop, five_points(places), crop.image_size),
        landmarks=places,
        glasses=glasses_worn(image, near),
        covered=covered(image, near),
        mouth=mouth_colors(image, near),
        creases=creases(image, near),
        lids=lid_colors(seen, near.places),
        view=seen,
        texture=mouth_texture(image, near),
        lid_texture=lid_texture(image, near),
        blur=blur(image, near),
    )


def close_up(image: Tensor, crop: Crop) -> tuple[Tensor, Tensor, int]:
    """The part of pictures in which the faces of a crop lie, reduced by a whole number so far that every face square keeps
    :data:`ENOUGH` pixels; where it lies in them ``[2]``, and that number. Where that is 1 they are the pictures themselves."""
    times, wide = int(crop.side.min().item() / ENOUGH), crop.widen(MARGIN)
    x0, y0, x1, y1 = zip(*(wide.select(i).bounds() for i in range(crop.batch)), strict=True)
    part, corner = image[..., min(y0) : max(y1), min(x0) : max(x1)], crop.points.new_zeros(2)
    if times < 2 or min(part.shape[2:]) < times:
        return image, corner, 1
    return reduced(part, times), corner + corner.new_tensor([min(x0), min(y0)]), times


def _at(crop: Crop, points: Tensor, image_size: tuple[int, int]) -> Crop:
    """The faces of a crop at other points ``[B,5,2]``, and nothing else that is known of them."""
    return Crop.from_points(points, image_size, crop.score, crop.of_picture, crop.pictures)


def _inside(face: Detection, mask: Tensor) -> bool:
    x, y = face.points.mean(0).long().tolist()
    h, w = mask.shape
    return bool(mask[min(max(y, 0), h - 1), min(max(x, 0), w - 1)] >= 0.5)


def _advice(shape: tuple[int, ...], picture: int, index: int, found: int, usable: int, masked: bool) -> str:
    where = f" in picture {picture + 1} of {shape[0]}" if shape[0] > 1 else ""
    if found == 0:
        return (
            f"No face found{where} ({shape[3]}x{shape[2]} pixels). Try a lower threshold (of FaceFlow Align Face, or "
            "--threshold), a larger picture of the face (at least 24 pixels across), one that shows both eyes and the mouth, turned upright, "
            "or another detector."
        )
    if masked and usable == 0:
        return f"{found} face(s) found{where}, but none inside the mask. Paint the mask over the middle of the face."
    return (
        f"Face number {index} was asked for{where}, but there are {usable}, counted from 0. "
        "Lower the face index, or the detection threshold."
    )
