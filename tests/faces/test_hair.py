"""The border of hair."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from flow_core.faces import hair
from flow_core.faces.hair import (
    WINDOW,
    blurred,
    enclosed,
    find_hair,
    goes_on,
    how_far,
    known,
    matted,
    middle,
    near_sure,
    resized,
    textured,
)
from flow_core.faces.regions import region_mask
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers

SIZE, RADIUS = 64, 0.3


def disc(radius: float) -> Tensor:
    off = (pixel_centers(SIZE, SIZE)[0] - 0.5).norm(dim=-1)
    return ((radius - off) * SIZE + 0.5).clamp(0, 1)[None, None]


def test_what_lies_beside_dark_hair_is_not_dyed() -> None:
    hair = disc(RADIUS)
    picture = 0.8 - hair.expand(-1, 3, -1, -1) * torch.tensor([0.7, 0.65, 0.6])[None, :, None, None]
    wide = disc(RADIUS + 2.5 / SIZE)  # what a network found, a little too wide
    found = matted(picture, wide, 3)
    beside = (hair == 0) & (wide > 0)
    assert found[beside].mean() < 0.2 * wide[beside].mean()
    inside = disc(RADIUS - 5 / SIZE) == 1
    assert found[inside].min() > 0.95
    assert (found <= wide).all()


def test_light_strands_are_told_from_skin_by_their_hue() -> None:
    """The rim of a head of green hair is as light as the skin beside it, and lies beyond what a network found."""
    hair, deep = disc(RADIUS), disc(RADIUS - 5 / SIZE)
    skin, dark, light = (
        torch.tensor(c)[None, :, None, None] for c in ((0.8, 0.6, 0.5), (0.1, 0.4, 0.3), (0.5, 0.72, 0.62))
    )
    picture = torch.lerp(torch.lerp(skin, light, hair), dark, deep)
    picture = picture + 0.03 * torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    found = matted(picture, disc(RADIUS - 2 / SIZE), 3)
    rim = (hair == 1) & (deep == 0)
    assert found[rim].mean() > 0.8
    assert found[disc(RADIUS + 3 / SIZE) == 0].max() < 0.2


def test_a_soft_border_is_as_much_hair_as_it_shows() -> None:
    """Hair out of focus: what is half wall is half dyed, or else the wall gets the complement of the old colour."""
    off = (pixel_centers(SIZE, SIZE)[0] - 0.5).norm(dim=-1)
    share = ((RADIUS - off) * SIZE / 6 + 0.5).clamp(0, 1)[None, None]
    wall, hair = (torch.tensor(c)[None, :, None, None] for c in ((0.85, 0.85, 0.85), (0.5, 0.2, 0.4)))
    picture = torch.lerp(wall, hair, share) + 0.01 * torch.randn(
        1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)
    )
    found = matted(picture, disc(RADIUS), 4)
    assert (found - share).abs().mean() < 0.03
    assert (found - share).abs().max() < 0.25


def test_colors_tell_where_the_network_doubts() -> None:
    """Beside dark hair a wall and a lock of hair that it may be: one is none, and the other is."""
    hair = disc(RADIUS)
    x = pixel_centers(SIZE, SIZE)[0][..., 0]
    lock = ((x < 0.5) & (disc(RADIUS + 5 / SIZE)[0, 0] > 0.5))[None, None].float()
    outer = disc(RADIUS + 5 / SIZE)
    dark = torch.maximum(hair, lock)
    picture = 0.8 - 0.65 * dark.expand(-1, 3, -1, -1)
    found = matted(picture, disc(RADIUS + 2 / SIZE), 3, hair, outer)
    doubted = (outer == 1) & (hair == 0)
    assert found[doubted & (dark == 0)].mean() < 0.1
    assert found[doubted & (lock == 1)].mean() > 0.8


def test_wide_doubt_is_no_hair_but_of_hair_that_is_hardly_known() -> None:
    core = disc(RADIUS)
    wide = torch.maximum(0.98 * core, 0.7 * disc(RADIUS + 6 / SIZE))
    near = near_sure(wide, 1.0, 2, known(wide, 1.0))
    assert near[core == 1].min() > 0.9
    assert near[(disc(RADIUS + 4 / SIZE) == 0) & (disc(RADIUS + 5.5 / SIZE) == 1)].max() < 0.1
    assert near_sure(0.8 * wide, 1.0, 2, known(0.8 * wide, 1.0)).min() > 0.9


def test_hair_of_the_colour_of_the_wall_stays_as_it_was_found() -> None:
    wide = disc(RADIUS)
    assert torch.allclose(matted(torch.full((1, 3, SIZE, SIZE), 0.4), wide, 3), wide, atol=0.01)


@pytest.mark.parametrize("color", [(0.4, 0.65, 1.4), (0.5, 0.5, 1.0), (1.3, 0.5, 0.4)])
def test_a_headscarf_is_no_hair(
    portraits: dict[str, Tensor], crops: dict[str, Crop], color: tuple[float, float, float]
) -> None:
    """It lies close about head and neck, and has soft folds and the light and shade of hair."""
    crop = crops["astronaut"]
    face = crop.aligned(portraits["astronaut"], 192)
    hair, sure = find_hair(face, 192)
    assert sure.all()
    places = pixel_centers(192, 192)
    off = (places - places.new_tensor([0.5, 0.55])) / places.new_tensor([0.4, 0.56])
    wide = ((1 - off.norm(dim=-1)) * 12).clamp(0, 1)[:, None]
    open_face = region_mask(crop.places, "all", 192, 0.02) * (1 - hair)
    light = 0.1 + 0.8 * face.mean(1, keepdim=True)
    folds = 1 + 0.1 * torch.sin(24 * off.norm(dim=-1) + 3 * places[..., 0])[:, None]
    scarf = (light * folds * torch.tensor(color)[None, :, None, None]).clamp(0, 1)
    covered = torch.lerp(face, scarf, torch.maximum(wide, hair) * (1 - open_face))
    assert not find_hair(covered, 192)[1].any()


@pytest.mark.parametrize(
    "worse",
    [lambda x: resized(resized(x, 64), 192), lambda x: blurred(x, 1, 4), lambda x: 0.25 * x, lambda x: (1.7 * x).clamp(max=1),
     lambda x: x.mean(1, keepdim=True).expand(-1, 3, -1, -1)],
    ids=["small", "out of focus", "dark", "overexposed", "grey"],
)  # fmt: skip
def test_hair_is_found_in_bad_pictures(portraits: dict[str, Tensor], crops: dict[str, Crop], worse: Callable) -> None:
    face = crops["astronaut"].aligned(portraits["astronaut"], 192)
    hair, found = (find_hair(x, 192) for x in (face, worse(face)))
    assert found[1].all()
    assert torch.minimum(hair[0], found[0]).sum() > 0.65 * torch.maximum(hair[0], found[0]).sum()


def test_a_look_from_further_away_agrees(portraits: dict[str, Tensor], crops: dict[str, Crop]) -> None:
    crop = crops["astronaut"]
    near, _ = find_hair(crop.aligned(portraits["astronaut"], 128), 128)
    wide, sure = find_hair(crop.widen(1.5).aligned(portraits["astronaut"], 192), 128, 1.5)
    assert sure.all()
    assert wide.shape == (1, 1, 192, 192)
    inner = middle(wide, 1.5)
    assert (inner - near)[..., 16:-16, 16:-16].abs().mean() < 0.03
    assert wide[..., 0, :].max() == 0  # where it ends nothing is left


def test_long_hair_is_found_down_to_its_ends_and_nothing_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the network of this test what is blue is hair."""
    monkeypatch.setattr(hair, "load_hair", lambda device: lambda x: resized(30 * (x[:, 2:] - x[:, :1]) - 6, SIZE))
    span, side = 2.5, 320
    at = (pixel_centers(side, side)[0] - 0.5) * span + 0.5  # of the face square
    x, y = at[..., 0], at[..., 1]
    head = ((at - torch.tensor([0.5, 0.3])).norm(dim=-1) < 0.35) & (y < 0.5)
    lock = (x > 0.15) & (x < 0.35) & (y > 0.3) & (y < 1.4)
    coat = (x > 0.7) & (x < 1.0) & (y > 1.0)
    grain = 0.1 * torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0))
    blue = (head | lock | coat).float() * torch.tensor([-0.4, -0.2, 0.3])[:, None, None]
    picture, within = 0.5 + blue + grain, torch.ones(1, 1, side, side)
    found, sure = find_hair(picture, 128, span)
    assert sure.all()
    assert found[0, 0][lock & (y < 1.37)].mean() > 0.9
    assert found[0, 0][coat].max() == 0
    assert how_far(picture, within, span) == pytest.approx(0.9, abs=0.03)
    near = middle(picture, span / WINDOW), middle(within, span / WINDOW)
    assert goes_on(*near, WINDOW)
    assert not goes_on(torch.where((y > 0.7)[None, None], 0.5 + grain, picture)[..., 80:-80, 80:-80], near[1], WINDOW)


def test_hair_in_the_wind_is_found_and_not_that_of_a_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the network of this test what is blue is hair."""
    monkeypatch.setattr(hair, "load_hair", lambda device: lambda x: resized(30 * (x[:, 2:] - x[:, :1]) - 6, SIZE))
    span, side = 2.5, 320
    x, y = ((pixel_centers(side, side)[0] - 0.5) * span + 0.5).movedim(-1, 0)
    head = ((x - 0.5).square() + (y - 0.3).square() < 0.35**2) & (y < 0.5)
    blown, other = (x < 0.4) & (x > -0.5) & (y > 0.2) & (y < 0.4), (x > 1.05) & (y < 0.5)
    grain = 0.1 * torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0))
    blue = (head | blown | other).float() * torch.tensor([-0.4, -0.2, 0.3])[:, None, None]
    picture, within = 0.5 + blue + grain, torch.ones(1, 1, side, side)
    found = find_hair(picture, 128, span)[0][0, 0]
    assert found[blown & (x > -0.47)].mean() > 0.9
    assert found[other].max() == 0
    assert how_far(picture, within, span) == pytest.approx(1.0, abs=0.03)
    assert goes_on(middle(picture, span / WINDOW), middle(within, span / WINDOW), WINDOW)


def test_what_does_not_hang_together_with_hair_that_is_known_is_a_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network of this test is sure of a head of hair and of a thing, and not quite of a wall between these."""
    at = pixel_centers(SIZE, SIZE)[0]
    head = ((at - torch.tensor([0.5, 0.3])).norm(dim=-1) < 0.2).float()
    wall, thing = (at[..., 0] > 0.65).float(), ((at - torch.tensor([0.9, 0.9])).norm(dim=-1) < 0.05).float()
    logits = torch.stack([9 * head - 4, 3.8 * wall - 4, 7 * thing - 4]).amax(0)[None, None]
    monkeypatch.setattr(hair, "load_hair", lambda device: lambda x: logits)
    noise = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    found = find_hair(0.3 + 0.1 * noise, 64)[0][0, 0]
    assert found[head > 0].mean() > 0.9
    assert found[at[..., 0] > 0.75].max() < 0.1


def test_a_head_at_the_border_of_a_picture_is_looked_at_without_its_streaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network of this test is sure of hair where nothing is repeated."""
    seen = []

    def network(x: Tensor) -> Tensor:
        seen.append(x)
        return torch.full((1, 1, SIZE, SIZE), 3.0 if len(seen) > 1 else -1.0)

    monkeypatch.setattr(hair, "load_hair", lambda device: network)
    picture, within = torch.rand(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
    assert not find_hair(picture, 128)[1].any()
    seen.clear()
    within[:, :, :40] = 0
    assert find_hair(picture, 128, within=within)[1].all()
    assert seen[1][:, :, :40].flatten(2).std(2).max() < 1e-6
    assert torch.equal(seen[1][:, :, 40:], picture[:, :, 40:])


def test_a_wall_out_of_focus_is_no_hair() -> None:
    """The network is half sure of all; what has the texture of hair is kept, and what is smooth is not."""
    noise = torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    picture = 0.3 + 0.3 * noise * (pixel_centers(96, 96)[..., 0] < 0.5)[:, None]
    mask = torch.full((1, 1, 96, 96), 0.7)
    mask[..., :20, :40] = 1.0
    kept = mask * textured(picture.expand(-1, 3, -1, -1), mask, 2)
    assert kept[..., :36].min() > 0.6
    assert kept[..., 60:].max() < 0.05


def test_holes_of_the_colour_of_the_hair_are_closed() -> None:
    """Of three holes in a head of hair, one has its colour, one shows skin, and one is surely no hair to the network."""
    x, y = pixel_centers(96, 96)[0].unbind(-1)
    mask, likely = torch.ones(1, 1, 96, 96), torch.full((1, 1, 96, 96), 0.5)
    picture = torch.full((1, 3, 96, 96), 0.1)
    holes = [(((x - at).square() + (y - 0.5).square()).sqrt() < 0.05)[None, None] for at in (0.25, 0.5, 0.75)]
    for hole in holes:
        mask[hole] = 0
    picture = torch.where(holes[1], torch.tensor([0.7, 0.5, 0.4])[:, None, None], picture)
    likely[holes[2]] = 0.01
    found = enclosed(mask, picture, likely, 6)
    assert found[holes[0]].min() > 0.9
    assert found[holes[1]].max() < 0.05
    assert found[holes[2]].max() < 0.05
