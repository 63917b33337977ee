"""Warnings about the edits of a clip: sentences for people, with the number of frames that each applies to."""

from __future__ import annotations

from collections import Counter

from ..faces.covered import places_covered
from ..faces.doubts import ASIDE
from .editor import Edited


class Remarks:
    """Collects over the frames of a clip what :func:`flow_core.faces.doubts.doubts` says about a single picture."""

    def __init__(self) -> None:
        self.frames, self.aside = 0, 0
        self.covered: Counter[str] = Counter()  # where -> frames

    def see(self, edited: Edited) -> None:
        """Count one more frame."""
        self.frames += 1
        crops = [face.crop for face in edited.faces if face.visible and face.crop is not None]
        self.aside += any(crop.frontality.item() < ASIDE for crop in crops)
        places = [places_covered(crop.covered[0], crop.places[0]) for crop in crops if crop.covered is not None]
        self.covered.update(places[:1])

    def lines(self) -> list[str]:
        """The sentences, at the end of the clip."""
        said = []
        if self.aside:
            said.append(
                f"A face is seen nearly from the side in {self.aside} of {self.frames} frames: what of it is hidden is guessed, so keep the "
                "strength low there, shapes most of all."
            )
        if self.covered:
            said.append(
                f"Something covers part of a face in {self.covered.total()} of {self.frames} frames (mostly {self.covered.most_common(1)[0][0]}): "
                "it is left as it is, and an edit there does little."
            )
        return said
