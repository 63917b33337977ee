"""Threads of torch that wait without spinning, for the time that we compute.

On Linux torch's threads are GNU OpenMP's. After every operation they spin for some milliseconds, in the hope of the next
one. Where another process is busy on the same cores, the threads that spin keep out the one that all wait for, and an edit of
thousands of small operations takes ten times as long and more. A program may forbid the spinning by OMP_WAIT_POLICY=PASSIVE
before torch is loaded (the ``faceflow`` command does); a library in somebody else's process may not, and it is too late.

But OpenMP gives up spinning by itself where a process has more of its threads than the machine has processors
(``gomp_throttled_spin_count_var`` in libgomp's config/linux/wait.h). So we keep a thread or two more, asleep, with teams of
their own, for as long as we compute. No setting of the process is changed, results stay the same bit for bit, and when we
return the threads are gone.

Where operations are small, as on the frames of a clip, to share them out takes longer than to work on them: these a thread does
:func:`alone`.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import torch

MOST = 8  # sleepers; where even they do not outnumber the processors, few threads work among many cores, which is no problem

MOST_SHARED = 16  # threads among which work is shared out; Python itself keeps more from being of use

T = TypeVar("T")

_lock = threading.Lock()
_users = 0
_wake: threading.Event | None = None
_sleepers: list[threading.Thread] = []


@contextmanager
def yielding() -> Iterator[None]:
    """While the block runs, threads of torch that wait sleep instead of spinning. Also a decorator; blocks may be nested and
    may overlap in several threads. Elsewhere than on Linux, or with one thread, it does nothing."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _start()
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                _stop()


@contextmanager
def alone() -> Iterator[None]:
    """While the block runs, torch works for this thread on one core; other threads keep theirs. Also a decorator. Where that cannot be
    had, as without OpenMP, it is :func:`yielding`."""
    team, openmp = torch.get_num_threads(), _openmp()
    if team == 1:
        yield
    elif openmp is None:
        with yielding():
            yield
    else:
        mkl = _mkl() or (lambda _: 0)
        openmp.omp_set_num_threads(1)  # a setting of the calling thread
        before = mkl(1)
        try:
            yield
        finally:
            openmp.omp_set_num_threads(team)
            mkl(before)


def suited(small: bool) -> AbstractContextManager[None]:
    """:func:`alone` for work of small operations, :func:`yielding` for other work."""
    return alone() if small else yielding()


def share_out(work: Callable[[T], None], items: Sequence[T]) -> None:
    """Do ``work`` for all items, in as many threads as torch has for this one, each on a core of its own. That takes less time than one
    item after the other with each operation on all cores, and has the same results."""
    count = min(torch.get_num_threads(), len(items), MOST_SHARED)
    if count < 2 or _openmp() is None:
        for item in items:
            work(item)
        return
    inference, grad = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def one(item: T) -> None:
        with torch.inference_mode(inference), torch.set_grad_enabled(grad), alone():
            work(item)

    with ThreadPoolExecutor(count, "faceflow-share") as pool:
        for done in [pool.submit(one, item) for item in items]:
            done.result()


@functools.lru_cache(maxsize=1)
def _openmp() -> ctypes.CDLL | None:
    """The OpenMP that torch uses, where it can be told for one thread how many others work for it."""
    try:
        library = ctypes.CDLL(torch._C.__file__)
        library.omp_set_num_threads  # noqa: B018
    except (OSError, AttributeError):
        return None
    return library if torch.get_num_threads() == library.omp_get_max_threads() else None


@functools.lru_cache(maxsize=1)
def _mkl() -> Callable[[int], int] | None:
    """Where torch multiplies matrices by MKL, which counts threads for itself, the function that tells it how many work for the calling
    thread, 0 for as many as for others, and returns how many did."""
    try:
        return ctypes.CDLL(torch._C.__file__).MKL_Set_Num_Threads_Local
    except (OSError, AttributeError):
        return None


def _needed() -> int:
    """How many more teams there must be, so that there are more threads than processors."""
    if not hasattr(os, "sched_getaffinity") or os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE":
        return 0
    team = torch.get_num_threads()
    count = 0 if team < 2 else (len(os.sched_getaffinity(0)) - 1) // (team - 1)
    return count if count <= MOST else 0


def _start() -> None:
    global _wake, _sleepers
    count = _needed()
    if not count:
        return
    _wake, ready = threading.Event(), threading.Semaphore(0)
    _sleepers = [
        threading.Thread(target=_sleep, args=(_wake, ready), name="faceflow-sleeper", daemon=True) for _ in range(count)
    ]
    for thread in _sleepers:
        thread.start()
    for _ in _sleepers:
        ready.acquire()


def _stop() -> None:
    global _wake, _sleepers
    if _wake is None:
        return
    _wake.set()
    for thread in _sleepers:
        thread.join()
    _wake, _sleepers = None, []


def _sleep(wake: threading.Event, ready: threading.Semaphore) -> None:
    try:
        # large enough for the whole team, which OpenMP keeps until this thread ends
        torch.zeros(torch.get_num_threads() << 15).add_(1)
    finally:
        ready.release()
    wake.wait()
