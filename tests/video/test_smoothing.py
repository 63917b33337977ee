"""The One Euro filter against its paper, number by number."""

from __future__ import annotations

import math

import torch

from flow_core.video.smoothing import OneEuro, cutoff


def one_euro(values: list[float], dt: float, min_cutoff: float, beta: float, d_cutoff: float) -> list[float]:
    """Algorithms 1 and 2 of Casiez, Roussel and Vogel (2012), for one number; the first speed is not smoothed."""

    def alpha(frequency: float) -> float:
        return 1 / (1 + 1 / (2 * math.pi * frequency * dt))

    filtered, speed = [values[0]], None
    for value in values[1:]:
        now = (value - filtered[-1]) / dt
        speed = now if speed is None else speed + alpha(d_cutoff) * (now - speed)
        filtered.append(filtered[-1] + alpha(min_cutoff + beta * abs(speed)) * (value - filtered[-1]))
    return filtered


def test_it_is_the_filter_of_the_paper() -> None:
    values, dt = [0.0, 0.1, 0.15, 0.9, 1.0, 1.0], 0.04
    one = OneEuro(1.2, 0.7, 0.9)
    found = [float(one(torch.tensor([[v]]), dt)) for v in values]
    assert torch.allclose(torch.tensor(found), torch.tensor(one_euro(values, dt, 1.2, 0.7, 0.9)), atol=1e-6)
    one.reset()
    assert float(one(torch.tensor([[5.0]]), dt)) == 5.0


def test_lengths_in_another_unit_are_filtered_alike() -> None:
    metres, centimetres = OneEuro(1.0, 2.0), OneEuro(1.0, 2.0)
    for v in (0.0, 0.3, 0.4, 2.0):
        a, b = metres(torch.tensor([[v]]), 0.1), centimetres(torch.tensor([[100 * v]]), 0.1, unit=100.0)
        assert torch.allclose(100 * a, b, atol=1e-4)


def test_points_that_share_a_speed_move_as_one() -> None:
    one, apart = OneEuro(0.5, 3.0, shared=True), OneEuro(0.5, 3.0)
    still, moved = torch.zeros(2, 2), torch.tensor([[0.2, 0.0], [1.0, 0.0]])
    shared, single = ((f(still, 0.1), f(moved, 0.1))[1][:, 0] / moved[:, 0] for f in (one, apart))
    assert torch.allclose(shared[0], shared[1])
    assert single[0] < single[1] - 0.01


def test_the_dial() -> None:
    assert [cutoff(v) for v in (0.0, 0.5, 1.0)] == [0.0, 1.0, 0.25]
    off = OneEuro(cutoff(0.0), 1.0)
    assert [float(off(torch.tensor([[v]]), 0.1)) for v in (1.0, 7.0)] == [1.0, 7.0]
