"""What is loaded once and kept."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, MutableMapping
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def once(size: int = 1) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator for what loads a model: the last ``size`` results are kept, as by :func:`functools.lru_cache`, and of
    several threads that ask for the same at once one loads it and the others wait, so that nobody's memory holds it twice."""

    def decorate(load: Callable[P, T]) -> Callable[P, T]:
        kept, lock = functools.lru_cache(maxsize=size)(load), threading.RLock()

        @functools.wraps(load)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            with lock:
                return kept(*args, **kwargs)

        return call

    return decorate


def kept_with(kept: MutableMapping[Any, tuple[Any, T]], key: object, other: object, make: Callable[[], T]) -> T:
    """What ``make`` gives for two objects, kept with the first one, which an edit asks for many times: made anew for another second one.

    Args:
        kept: a dictionary with weak keys.
    """
    found = kept.get(key)
    if found is None or found[0] is not other:
        found = kept[key] = other, make()
    return found[1]
