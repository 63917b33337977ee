import torch

from flow_core.faces.hair_colors import by_color, by_colors_near

SIDE = 64
FAIR, WALL, BLACK, NIGHT = (0.75, 0.6, 0.35), (0.5, 0.5, 0.75), (0.08, 0.07, 0.07), (0.14, 0.17, 0.22)


def half_and_half(left: tuple[float, ...], right: tuple[float, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture of hair of one colour beside what has another, ``[1,3,n,n]``, and a network that is sure of both, ``[1,1,n,n]``."""
    columns = (torch.arange(SIDE) < SIDE // 2).float()
    sides = [torch.tensor(color)[:, None, None] for color in (left, right)]
    noise = 0.04 * torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return torch.lerp(sides[1], sides[0], columns.expand(1, 1, SIDE, SIDE)) + noise, (
        0.02 + 0.96 * columns.expand(1, 1, SIDE, SIDE)
    )


def test_what_is_in_doubt_is_what_has_its_color() -> None:
    picture, likely = half_and_half(FAIR, WALL)
    doubt = likely.clone()
    doubt[..., 20:30, 10:20] = doubt[..., 20:30, 40:50] = 0.45
    found = by_color(doubt, picture, torch.ones_like(doubt))
    assert found[..., 20:30, 10:20].min() > 0.8
    assert found[..., 20:30, 40:50].max() < 0.1
    assert ((found > 0.5) == (likely > 0.5)).all()


def test_what_is_dark_is_no_hair_for_its_color_and_what_looks_alike_stays_as_likely() -> None:
    for left, right in ((BLACK, WALL), (WALL, WALL)):
        picture, likely = half_and_half(left, right)
        likely[..., 20:30, 10:20] = 0.45
        found = by_color(likely, picture, torch.ones_like(likely))
        assert found[..., 20:30, 10:20].max() < 0.55
    assert found[..., 20:30, 10:20].min() > 0.3


def test_the_repeated_border_of_a_picture_tells_no_colors() -> None:
    picture, likely = half_and_half(FAIR, WALL)
    likely[..., 20:30, 10:20] = 0.45
    within = torch.ones_like(likely)
    within[..., 40:, :] = 0
    streaks = torch.where(within > 0, picture, picture.new_tensor(WALL)[:, None, None])
    told = by_color(likely, streaks, within)[..., 20:30, 10:20]
    assert told.min() > 0.8
    likely[..., 40:, :] = 1.0
    assert torch.allclose(by_color(likely, streaks, within)[..., 20:30, 10:20], told)


def test_colors_nearby_tell_black_hair_from_the_night() -> None:
    """Where the network half doubts black hair, it is some, and the dark wall beside it is none; nor is gold that it doubts."""
    picture, likely = half_and_half(BLACK, NIGHT)
    picture[..., 50:60, 5:15] = torch.tensor(FAIR)[:, None, None]
    likely[..., 20:30, 24:32] = likely[..., 20:30, 32:40] = likely[..., 50:60, 5:15] = 0.45
    found = by_colors_near(likely, picture, torch.ones_like(likely), SIDE)
    assert found[..., 22:28, 26:31].min() > 0.65
    assert found[..., 22:28, 33:38].max() < 0.3
    assert found[..., 51:59, 6:14].max() < 0.5
