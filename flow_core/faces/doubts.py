"""What makes an edit of a face doubtful: sentences for people, before they wonder at the result."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.crop import Crop
from .covered import places_covered
from .detect import SURE
from .landmarks import AT, EYES, LIPS_INNER

ASIDE = 0.3  # frontality below which a face is nearly a profile
SHUT = 0.12  # height over width of an eye below which it is closed
GAPES = 0.38  # distance of the lips from which on a mouth gapes, distances of the outer corners of the eyes: 60 of 12,000 photographs show more
SMALL = 48.0  # pixels a side of the face square below which there is little to move


def doubts(crop: Crop) -> list[str]:
    """A sentence for each thing that speaks against editing a face of the crop, which has its landmarks; none where nothing does."""
    said = []
    places, aside = crop.places, crop.frontality.tolist()
    for i in range(crop.batch):
        who = f"Face {i + 1}" if crop.batch > 1 else "The face"
        if crop.score and crop.score[i] < SURE:
            said.append(
                f"{who} may be none: it was found with a confidence of {crop.score[i]:.2f}, most have 0.90 and more."
            )
        if aside[i] < ASIDE:
            said.append(
                f"{who} is seen nearly from the side: what of it is hidden is guessed, so keep the strength low, shapes most of all."
            )
        eyes = [_opening(places[i], eye) for eye in EYES]
        glasses = crop.glasses[i] if crop.glasses else None
        if glasses is not None and glasses.dark:
            said.append(f"{who} wears dark glasses: its eyes are not seen, so they stay as they are.")
        elif max(eyes) < SHUT:
            said.append(
                f"{who} has closed eyes: nothing is known of what lies behind the lids, so they hardly open and irises take no colour."
            )
        if _parted(places[i]) > GAPES:
            said.append(
                f"{who} has its mouth open so wide that its edges may be found wrongly: it may not shut well, so leave the mouth out, or keep it open."
            )
        if crop.covered is not None and (share := crop.covered[i].mean().item()) > 0:
            where = places_covered(crop.covered[i], places[i])
            said.append(
                f"Something covers part of {who.lower()} ({where}, {share:.0%} of the square): it is left as it is, and an edit there does little."
            )
        if crop.side[i] < SMALL:
            said.append(
                f"{who} is only {crop.side[i]:.0f} pixels wide with its surroundings: enlarge the picture for finer edits."
            )
    return said


def _parted(places: Tensor) -> float:
    """How far lips are apart in the middle, of landmarks ``[161,2]``, in distances of the outer corners of the eyes."""
    apart, eyes = (
        torch.dist(*places[[AT[i] for i in pair]])
        for pair in ((LIPS_INNER[5], LIPS_INNER[15]), (EYES[0][0], EYES[1][0]))
    )
    return (apart / eyes.clamp(min=1e-6)).item()


def _opening(places: Tensor, eye: tuple[int, ...]) -> float:
    """Height over width of an eye, the mean distance of its lids, of landmarks ``[161,2]``."""
    ring = places[[AT[i] for i in eye]]
    corners = ring[0], ring[8]
    lower, upper = ring[1:8], ring[9:].flip(0)
    return ((upper - lower).norm(dim=-1).mean() / torch.dist(*corners).clamp(min=1e-6)).item()
