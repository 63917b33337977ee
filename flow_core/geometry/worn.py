"""Glasses as a crop keeps them; :mod:`flow_core.faces.glasses` finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Worn:
    """Glasses on a face.

    Attributes:
        dark: whether they hide its eyes.
        top: how high they reach above its eyes, in distances of the eyes' outer corners; 0.2 where nobody looked.
    """

    dark: bool = False
    top: float = 0.2

    @classmethod
    def usual(cls, looks: Sequence[Worn]) -> Worn:
        """What several looks at the same glasses say together."""
        return cls(sum(look.dark for look in looks) > len(looks) / 2, median(look.top for look in looks))
