"""Caches: for what is loaded once, and for what is computed from a pair of objects."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, MutableMapping
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def once(size: int = 1) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator for functions that load a model: :func:`functools.lru_cache` with a lock.

    If several threads ask for the same model at once, one loads it and the others wait, so that it is never in memory twice.
    """

    def decorate(load: Callable[P, T]) -> Callable[P, T]:
        kept, lock = functools.lru_cache(maxsize=size)(load), threading.RLock()

        @functools.wraps(load)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            with lock:
                return kept(*args, **kwargs)

        return call

    return decorate


def kept_with(kept: MutableMapping[Any, tuple[Any, T]], key: object, other: object, make: Callable[[], T]) -> T:
    """The result of ``make``, cached for a pair of objects as long as the first one lives.

    Args:
        kept: the cache, a :class:`weakref.WeakKeyDictionary`; it holds one result for each ``key``.
        key: the first object of the pair.
        other: the second one; if it is not the one of the cached result, ``make`` is called again.
    """
    found = kept.get(key)
    if found is None or found[0] is not other:
        found = kept[key] = other, make()
    return found[1]
