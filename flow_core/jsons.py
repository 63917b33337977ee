"""Reading JSON from files and requests that may be damaged or hostile."""

from __future__ import annotations

import json
import math


def loads(text: str | bytes) -> object:
    """What :func:`json.loads` gives.

    Raises:
        ValueError: it is no JSON, or is nested too deeply for Python.
    """
    try:
        return json.loads(text)
    except RecursionError as e:
        raise ValueError("JSON nested too deeply") from e


def finite(value: object) -> float | None:
    """A value of a JSON text as a float; None if it is no number, not finite, or too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
