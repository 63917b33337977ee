"""Work done in another thread before it is asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

QUEUE = 4  # items that wait between two threads
T = TypeVar("T")


def ahead(items: Iterator[T], size: int = QUEUE) -> Iterator[T]:
    """The same items, computed in a thread of their own, at most ``size`` ahead of their use.

    An error in that thread is raised here, after the items before it. Close the iterator if it is not used up: that ends the thread.
    """
    waiting: queue.Queue = queue.Queue(size)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((None, StopIteration()))
        except BaseException as e:
            put((None, e))

    thread = threading.Thread(target=work, name="faceflow-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stopped.set()
        thread.join()
