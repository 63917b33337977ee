"""Skin goes on beyond a face as far as its colours do, and no wall or shirt is skin."""

import pytest
import torch
from torch import Tensor

from flow_core.faces.hair import middle, resized
from flow_core.faces.skin import Heads, skin_beyond, unlike
from flow_core.geometry.grid import pixel_centers

SPAN, SIZE = 2.0, 128
SKIN, GREY, BLUE = ((0.82, 0.62, 0.52), (0.55, 0.56, 0.58), (0.2, 0.25, 0.6))


def blob(x: float, y: float, width: float, height: float) -> Tensor:
    """An ellipse of the face square, ``[1,1,n,n]`` of the wide one."""
    points = (pixel_centers(SIZE, SIZE)[0] - 0.5) * SPAN + 0.5
    far = ((points - torch.tensor([x, y])) / torch.tensor([width, height])).norm(dim=-1)
    return (far < 1).float()[None, None]


FACE, NECK, BODY = blob(0.5, 0.5, 0.25, 0.32), blob(0.5, 0.85, 0.13, 0.2), blob(0.5, 1.3, 0.6, 0.35)
SHIRT = BODY * blob(0.5, 1.5, 0.6, 0.35)
WITHIN = torch.ones(1, 1, SIZE, SIZE)
NOTHING = torch.zeros_like(WITHIN)
CROWN, BROW = blob(0.5, 0.2, 0.25, 0.2), blob(0.5, 0.2, 0.2, 0.08)
HEAD = Heads(
    FACE,
    FACE,
    NECK,
    *(middle(x, SPAN) for x in (BROW, CROWN)),
    chin=torch.tensor([0.8]),
    top=torch.tensor([0.2]),
    turned=torch.zeros(1),
)


def person(wall: tuple[float, ...], shirt: tuple[float, ...], light: float = 1.0) -> Tensor:
    """Bare shoulders in another light than the face, above a shirt."""
    picture = torch.tensor(wall)[:, None, None].expand(3, SIZE, SIZE)[None]
    for part, color in ((torch.maximum(NECK, BODY), torch.tensor(SKIN) * light), (FACE, SKIN), (SHIRT, shirt)):
        picture = torch.lerp(picture, torch.as_tensor(color)[:, None, None], part)
    grain = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    shade = 1 + 0.15 * (pixel_centers(SIZE, SIZE)[0, ..., 0] - 0.5)
    return (picture * shade + 0.004 * grain).clamp(0, 1)


def found(picture: Tensor, hair: Tensor | None = None) -> dict[str, float]:
    mask, _ = skin_beyond(picture, WITHIN, SPAN, HEAD, NOTHING if hair is None else hair)
    small = {
        name: torch.nn.functional.interpolate(part, mask.shape[2:], mode="area") > 0.99
        for name, part in {
            "shoulders": BODY * (1 - SHIRT) * blob(0.5, 1.2, 0.5, 0.3),
            "shirt": SHIRT,
            "wall": 1 - torch.stack([FACE, NECK, BODY]).amax(0),
        }.items()
    }
    return {name: mask[part].mean().item() for name, part in small.items()}


@pytest.mark.parametrize("light", [0.75, 1.0, 1.1])
def test_shoulders_are_skin_in_their_own_light(light: float) -> None:
    mean = found(person(GREY, BLUE, light))
    assert mean["shoulders"] > 0.9
    assert mean["shirt"] < 0.05
    assert mean["wall"] < 0.05


def test_what_is_paler_and_brighter_than_a_face_is_a_coat() -> None:
    """Though a face is paler, too, where it shines."""
    light = 62 + 6 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    light[..., :2] = torch.tensor([68.0, 76.0])
    hue = (light + 16) * (0.2 - 0.006 * (light - 62))
    weight = torch.ones_like(light)
    weight[..., :2] = 0
    gloss, coat = unlike(torch.cat([light, hue, hue], 1), weight)[0, 0, :, :2].mean(0)
    assert gloss < 1
    assert coat > 5


def test_no_wall_becomes_skin_that_has_its_colours() -> None:
    """Rather the shoulders are given up."""
    wall = tuple(0.97 * c for c in SKIN)
    assert found(person(wall, BLUE))["wall"] < 0.15


def test_a_wall_of_another_hue_is_told_from_skin_by_its_own_colours() -> None:
    """Though it is within what skin varies by, so that it would be some if nothing else were known of it."""
    mean = found(person((0.82, 0.64, 0.51), BLUE))
    assert mean["wall"] < 0.02
    assert mean["shoulders"] > 0.35


def test_beside_a_face_only_what_is_reached_may_be_skin() -> None:
    """A face whose skin was taken to go on around it, as colours of a pale wall seem to say."""
    own = blob(0.5, 0.5, 0.35, 0.42)
    _, beside = skin_beyond(person(GREY, BLUE), WITHIN, SPAN, HEAD._replace(own=own), NOTHING)
    face, ring, neck = (
        torch.nn.functional.interpolate(part, beside.shape[2:], mode="area") > 0.99
        for part in (FACE, own * (1 - torch.maximum(FACE, NECK)), NECK)
    )
    assert beside[face].mean() > 0.9
    assert beside[neck].mean() > 0.9
    assert beside[ring].mean() < 0.05


def test_what_lies_close_to_a_face_on_the_side_to_which_it_turns_is_wall() -> None:
    """A part of the wall with almost the colours of skin, which might be an ear and a shoulder on the other side."""
    x, y = ((pixel_centers(SIZE, SIZE)[0] - 0.5) * SPAN + 0.5).unbind(-1)
    part = ((x > 0.5) & (x < 0.95) & (y > 0.2) & (y < 0.7)).float() * (1 - FACE)
    picture = torch.lerp(person(GREY, BLUE), torch.tensor([0.8, 0.62, 0.55])[:, None, None], part)
    away, front, there = (
        (skin_beyond(picture, WITHIN, SPAN, HEAD._replace(turned=torch.tensor([turned])), NOTHING)[0] * part).sum()
        for turned in (-1.0, 0.0, 1.0)
    )
    assert there < 0.6 * min(away, front)


def test_skin_goes_on_behind_hair_and_hair_is_none() -> None:
    hair = blob(0.3, 1.1, 0.07, 0.4) + blob(0.7, 1.1, 0.07, 0.4)
    picture = torch.lerp(person(GREY, BLUE), torch.tensor([0.25, 0.15, 0.1])[:, None, None], hair)
    mask, _ = skin_beyond(picture, WITHIN, SPAN, HEAD, hair)
    at = torch.nn.functional.interpolate(
        torch.cat([hair, BODY * (1 - SHIRT) * blob(0.02, 1.2, 0.2, 0.3)], 1), mask.shape[2:], mode="area"
    )
    assert mask[at[:, :1] > 0.99].mean() < 0.05
    assert mask[at[:, 1:] > 0.99].mean() > 0.6


def test_a_hat_in_the_colour_of_skin_is_none() -> None:
    """Gloss on a brow and a shaven crown is some."""
    hat, gloss = CROWN * (1 - blob(0.5, 0.5, 0.24, 0.3)), blob(0.5, 0.2, 0.2, 0.16) * (1 - FACE)
    for part, color, least, most in ((hat, (0.72, 0.55, 0.42), 0.0, 0.3), (gloss, (0.95, 0.84, 0.8), 0.7, 1.0)):
        picture = torch.lerp(person(GREY, BLUE), torch.tensor((0.2, 0.15, 0.12))[:, None, None], CROWN * (1 - FACE))
        picture = torch.lerp(picture, torch.tensor(color)[:, None, None], part)
        _, beside = skin_beyond(picture, WITHIN, SPAN, HEAD, NOTHING)
        assert least <= beside[resized(BROW * (1 - FACE), beside.shape[-1]) > 0.99].mean() <= most


def test_no_face_has_no_skin() -> None:
    """And where no wall is seen either."""
    for within in (WITHIN, NOTHING):
        mask, _ = skin_beyond(person(GREY, BLUE), within, SPAN, HEAD._replace(own=NOTHING), NOTHING)
        assert mask.max() == 0  # nor nan


def test_skin_fades_where_the_picture_goes_on_and_nobody_looks() -> None:
    """Where the picture ends it does not."""
    picture, low = person(GREY, SKIN), torch.zeros_like(WITHIN)
    low[..., : SIZE - 2, :] = 1
    seen, ended = (skin_beyond(picture, within, SPAN, HEAD, NOTHING)[0] for within in (WITHIN, low))
    row, middle = -3, seen.shape[-1] // 2
    assert seen[..., row, middle] < 0.2
    assert ended[..., row, middle] > 0.8
