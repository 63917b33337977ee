"""Eyeballs of which lids show more than they did."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from flow_core.faces.landmarks import WIDEN
from flow_core.fields.curves import SAMPLES, Frame, read
from flow_core.fields.eyeball import Seen, _looked, _match, arcs_of, uncovered, unhidden, usual_at
from flow_core.geometry.grid import pixel_centers

LENGTH, HEIGHT = 0.2, 0.07
FRAME = Frame((0.4, 0.45), (1.0, 0.0), LENGTH)
IRIS = 0.11, -0.012, 0.042
SKIN, WHITE, BROWN, PUPIL = 0.6, 0.8, 0.25, 0.05


def lids(opening: float = 1.0, down: float = 0.0) -> np.ndarray:
    """``[2,TABLE]``: an upper lid that is half as high again as the lower one is deep."""
    arc = HEIGHT * opening * 4 * SAMPLES * (1 - SAMPLES)
    return np.stack([-0.6 * arc, 0.4 * arc]) + down


def picture(highlight: bool = False) -> torch.Tensor:
    """``[1,3,256,256]`` a face's view: skin, and between the lids white and an iris with its pupil."""
    a, b = FRAME.to(*((pixel_centers(256, 256)[0] - 0.5) * WIDEN + 0.5).unbind(-1))
    upper, lower = read(torch.from_numpy(lids()).float()[:, None], (a / LENGTH).flatten()[None])[:, 0].view(2, 256, 256)
    away = torch.hypot(a - IRIS[0], b - IRIS[1]) / IRIS[2]
    seen = torch.where(away < 0.4, PUPIL, torch.where(away < 1, BROWN, WHITE))
    if highlight:
        seen = torch.where(torch.hypot(a - IRIS[0] - 0.02, b - IRIS[1] + 0.01) < 0.01, 1.0, seen)
    inside = (b > upper) & (b < lower) & ((a / LENGTH - 0.5).abs() < 0.5)
    return torch.where(inside, seen, SKIN).expand(1, 3, -1, -1)


def test_what_was_hidden_comes_from_between_the_lids_at_the_same_distance() -> None:
    seen, after = lids(), lids(1.5, down=0.02)
    arcs = arcs_of(seen, after, np.zeros_like(seen), IRIS[:2], LENGTH)
    share = np.linspace(0.1, 0.9, 40)
    top, bottom = (np.interp(share, SAMPLES, lid) for lid in after)
    down = top + np.linspace(0.02, 0.98, 30)[:, None] * (bottom - top)
    along, down = (torch.from_numpy((v + 0 * down).reshape(1, -1)).float() for v in (share * LENGTH, down))
    iris = torch.tensor(IRIS)[:, None, None]
    a, b, hidden = unhidden(
        torch.from_numpy(arcs)[None].float(), iris, torch.zeros(1, 1), torch.full((1, 1), LENGTH), along, down
    )

    upper, lower = (np.interp(a[0], SAMPLES * LENGTH, lid) for lid in seen)
    assert np.minimum(b[0].numpy() - upper, lower - b[0].numpy()).min() > -0.1 * HEIGHT
    before, now = (torch.hypot(x - iris[0], y - iris[1]) for x, y in ((along, down), (a, b)))
    near = before < 1.2 * IRIS[2]
    assert near.sum() > 100
    assert (now - before)[near].abs().max() < 0.03 * IRIS[2]
    assert hidden[near].max() > 0.9
    level = (down - iris[1]).abs() < 0.1 * IRIS[2]
    assert torch.hypot(a - along, b - down)[level].max() < 0.05 * IRIS[2]
    assert not hidden[level].any()


def test_lids_that_shut_show_nothing_new() -> None:
    assert uncovered(lids(), lids(0.5)) <= 0
    assert arcs_of(lids(), lids(0.5), np.zeros((2, len(SAMPLES))), IRIS[:2], LENGTH) is None


@pytest.mark.parametrize("highlight", [False, True])
def test_irises_are_found_and_known(highlight: bool) -> None:
    """Where landmarks miss an iris by a sixth of its radius its disc is found; its colours are known, but not a highlight on it."""
    eye = Seen(FRAME, lids(), (IRIS[0] + 0.007, IRIS[1] + 0.004, 1.08 * IRIS[2]))
    (found,) = _looked(picture(highlight), np.full((2, 3), 0.6), [eye])

    assert math.hypot(found.iris[0] - IRIS[0], found.iris[1] - IRIS[1]) < 0.1 * IRIS[2]
    assert abs(found.iris[2] / IRIS[2] - 1) < 0.08
    shown = usual_at(found.usual, torch.tensor([0.1, 0.7, 1.5, 2.5]))[0]
    assert torch.allclose(shown, torch.tensor([PUPIL, BROWN, WHITE, WHITE]), atol=0.04)


def half_shut(iris: torch.Tensor, white: torch.Tensor, lit: float = 1.0) -> tuple[torch.Tensor, Seen]:
    """A face's view of lids that leave a third of an eye free, with an ``iris [3]`` and a ``white [3]`` in the shade of the upper one, and the eye."""
    narrow = lids(0.6)
    a, b = FRAME.to(*((pixel_centers(256, 256)[0] - 0.5) * WIDEN + 0.5).unbind(-1))
    upper, lower = read(torch.from_numpy(narrow).float()[:, None], (a / LENGTH).flatten()[None])[:, 0].view(2, 256, 256)
    away = torch.hypot(a - IRIS[0], b - IRIS[1]) / IRIS[2]
    seen = torch.where(away < 1, iris[:, None, None], white[:, None, None])
    inside = (b > upper) & (b < lower) & ((a / LENGTH - 0.5).abs() < 0.5)
    return torch.where(inside, lit * seen, SKIN)[None], Seen(FRAME, narrow, IRIS)


def test_narrow_eyes_have_irises_alike() -> None:
    """Of two narrow eyes one lies in shade: its iris comes near to that of the other one, whose own hardly changes. Eyes that are open stay as they are."""
    ring = slice(9, 15)

    def both(opened: float, lit: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        usual = [np.full((3, 40), BROWN), np.full((3, 40), 0.4 * BROWN)]
        _match(usual, [opened, opened], lit)
        return tuple(colors[:, ring].mean() for colors in usual)

    lit, dark = both(0.6)
    assert lit > 0.85 * BROWN
    assert dark > 0.65 * lit
    assert both(1.1) == pytest.approx((BROWN, 0.4 * BROWN))
    assert both(0.6, lit=-1.0) == pytest.approx((BROWN, 0.4 * BROWN))  # it is as dark around the darker one


def test_between_narrow_lids_a_pupil_is_known_and_white_is_none_of_skin() -> None:
    iris, skin = torch.tensor([0.2, 0.3, 0.4]), np.array([0.8, 0.55, 0.4])
    view, eye = half_shut(iris, torch.tensor([0.7, 0.48, 0.35]))
    (found,) = _looked(view, np.stack([skin, skin]), [eye])
    pupil, ring, white = usual_at(found.usual, torch.tensor([0.1, 0.7, 1.8])).T
    assert pupil.mean() < 0.5 * ring.mean()
    assert torch.allclose(ring, iris, atol=0.05)
    assert 1 < white[0] / white[2] < (skin[0] / skin[2]) ** 0.7
    assert white.mean() > 0.6 * skin.mean()
