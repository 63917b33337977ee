"""How many threads torch uses while FaceFlow computes, and keeping those that wait from spinning.

On Linux torch's threads are those of GNU OpenMP. After every operation they spin for some milliseconds, waiting for the next
one. If another process is busy on the same cores, the spinning threads keep the one that all wait for from running, and an
edit of thousands of small operations takes ten times as long or more. A program can forbid spinning by setting
OMP_WAIT_POLICY=PASSIVE before torch is loaded, as the ``faceflow`` command does; a library in another program's process cannot.

But OpenMP itself stops spinning when a process has more OpenMP threads than the machine has processors
(``gomp_throttled_spin_count_var`` in libgomp's config/linux/wait.h). So :func:`yielding` keeps one or more extra threads
asleep, each with its own team, while we compute. It changes no setting of the process and no bit of the results, and the
threads are gone when it returns.

Small operations, as on the frames of a clip, take longer to share out than to do: for these there is :func:`alone`.
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

MOST = 8  # sleeping threads; if more were needed, torch uses few of many cores, and spinning does no harm
MOST_SHARED = 16  # threads among which work is shared out; Python's global lock makes more of them useless

T = TypeVar("T")

_lock = threading.Lock()
_users = 0
_wake: threading.Event | None = None
_sleepers: list[threading.Thread] = []


@contextmanager
def yielding() -> Iterator[None]:
    """A context manager and decorator: threads of torch that wait sleep instead of spinning.

    Blocks may be nested and may overlap in several threads. Outside Linux, or if torch uses one thread, it does nothing.
    """
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
    """A context manager and decorator: torch uses one core for the calling thread; other threads keep their number.

    Without OpenMP this cannot be set for one thread, and it is the same as :func:`yielding`.
    """
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
    """:func:`alone` for work that consists of small operations, else :func:`yielding`."""
    return alone() if small else yielding()


def share_out(work: Callable[[T], None], items: Sequence[T]) -> None:
    """Call ``work`` for all items in as many threads as torch uses, each on one core.

    This is quicker than one item after the other with every operation on all cores, and gives the same results.
    """
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
    """The OpenMP library that torch uses; None if it does not let a thread set its own team size."""
    try:
        library = ctypes.CDLL(torch._C.__file__)
        library.omp_set_num_threads  # noqa: B018
    except (OSError, AttributeError):
        return None
    return library if torch.get_num_threads() == library.omp_get_max_threads() else None


@functools.lru_cache(maxsize=1)
def _mkl() -> Callable[[int], int] | None:
    """MKL_Set_Num_Threads_Local, if torch multiplies matrices by MKL, which counts threads for itself.

    It sets the number of threads for the calling thread, 0 for the global number, and returns the former one.
    """
    try:
        return ctypes.CDLL(torch._C.__file__).MKL_Set_Num_Threads_Local
    except (OSError, AttributeError):
        return None


def _needed() -> int:
    """How many sleeping threads, each with a team, it takes to have more OpenMP threads than processors."""
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
        # an operation large enough to start the whole team, which OpenMP keeps until this thread ends
        torch.zeros(torch.get_num_threads() << 15).add_(1)
    finally:
        ready.release()
    wake.wait()
