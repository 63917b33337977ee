"""Threads of torch sleep while they wait, as long as we compute, and the process is afterwards what it was before."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import torch

from flow_core import threads
from flow_core.threads import alone, share_out, yielding

LINUX = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="a matter of GNU OpenMP on Linux")


def sleepers() -> int:
    return sum(t.name == "faceflow-sleeper" for t in threading.enumerate())


@pytest.fixture
def two_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine of two processors, on which torch uses both."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)


@pytest.mark.usefixtures("two_of_two")
def test_blocks_overlap_and_nothing_is_left() -> None:
    assert sleepers() == 0
    with yielding():
        assert sleepers() == 1
        with yielding():
            assert sleepers() == 1
        assert sleepers() == 1
    assert sleepers() == 0
    with pytest.raises(KeyError), yielding():
        raise KeyError
    assert sleepers() == 0


@pytest.mark.usefixtures("two_of_two")
def test_several_threads_at_once() -> None:
    def work() -> None:
        for _ in range(50):
            with yielding():
                assert sleepers() >= 1

    workers = [threading.Thread(target=work) for _ in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert sleepers() == 0


@pytest.mark.parametrize(
    ("processors", "team", "count"), [(2, 2, 1), (8, 8, 1), (16, 8, 2), (8, 1, 0), (1, 2, 0), (64, 2, 0), (4, 3, 1)]
)
def test_there_are_more_threads_than_processors(
    monkeypatch: pytest.MonkeyPatch, processors: int, team: int, count: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)), raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: team)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert threads._needed() == count
    if count:  # our own team, and those of the sleepers
        assert 1 + (team - 1) * (1 + count) > processors


def test_a_thread_that_works_alone_leaves_the_others_their_cores() -> None:
    before, others = torch.get_num_threads(), []

    def other() -> None:
        others.append(torch.get_num_threads())

    with alone():
        assert threads._openmp() is None or torch.get_num_threads() == 1
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        with alone():
            pass
        assert threads._openmp() is None or torch.get_num_threads() == 1
    assert torch.get_num_threads() == before == others[0]


def test_products_of_matrices_are_made_alone_as_well() -> None:
    mkl = threads._mkl()
    if mkl is None or threads._openmp() is None or torch.get_num_threads() == 1:
        pytest.skip("torch without MKL or OpenMP, or with one thread anyway")

    def told() -> int:
        count = mkl(0)
        mkl(count)
        return count

    with alone():
        assert told() == 1
    assert told() == 0


def test_work_is_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    seen: dict[int, tuple[str, bool, bool]] = {}

    def work(item: int) -> None:
        if item == 7:
            raise KeyError(item)
        time.sleep(0.01)
        seen[item] = threading.current_thread().name, torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    with torch.inference_mode():
        share_out(work, range(6))
    assert sorted(seen) == list(range(6))
    assert {v[1:] for v in seen.values()} == {(True, False)}
    assert threads._openmp() is None or len({v[0] for v in seen.values()}) > 1
    with pytest.raises(KeyError):
        share_out(work, range(10))
    assert not any(t.name.startswith("faceflow-share") for t in threading.enumerate())


@pytest.mark.slow
@LINUX
def test_waiting_threads_do_not_burn_the_processor() -> None:
    """Small parallel operations with pauses between them: who spins in the pauses uses the processor for nothing."""
    code = """
        import time, torch
        from flow_core.threads import alone, share_out, yielding
        torch.set_num_threads(2)
        x = torch.rand(1 << 17)
        def burnt():
            start = time.process_time()
            for _ in range(100):
                x.add_(1)
                time.sleep(0.005)
            return time.process_time() - start
        burnt()
        print(torch.get_num_threads(), burnt())
        with yielding():
            print(torch.get_num_threads(), burnt())
    """
    if len(os.sched_getaffinity(0)) != 2 or "libgomp" not in Path("/proc/self/maps").read_text():
        pytest.skip("measured with GNU OpenMP on two processors only")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=env, check=True
    )
    (before, spinning), (after, sleeping) = [line.split() for line in out.stdout.splitlines()]
    assert before == after == "2"
    assert float(sleeping) < 0.5 * float(spinning), out.stdout


@pytest.mark.usefixtures("two_of_two")
def test_it_costs_next_to_nothing() -> None:
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        with yielding():
            pass
        best = min(best, time.perf_counter() - start)
    assert best < 0.02
