"""JSON that strangers wrote: the one way in which it is read."""

from __future__ import annotations

import json
import math


def loads(text: str | bytes) -> object:
    """What :func:`json.loads` gives.

    Raises:
        ValueError: it is no JSON, or nested so deeply that Python cannot follow.
    """
    try:
        return json.loads(text)
    except RecursionError as e:
        raise ValueError("JSON nested too deeply") from e


def finite(value: object) -> float | None:
    """A number of a JSON text as a float; None if it is none, NaN, or beyond what a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
