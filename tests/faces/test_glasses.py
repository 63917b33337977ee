"""Glasses are told from bare faces whatever the colour of their skin, and do not bend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from flow_core.faces.align import align
from flow_core.faces.detect import Detector
from flow_core.faces.doubts import doubts
from flow_core.faces.glasses import glasses_worn
from flow_core.faces.landmarks import AT, EYES, NOSE
from flow_core.fields.expressions import preset
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.worn import Worn
from flow_core.io import picture

PEOPLE = Path(__file__).parents[2] / "docs" / "people"
BARE = {"light": ("01", "06", "20"), "medium": ("02", "07", "09"), "dark": ("03", "12", "18")}


def photo_of(name: str) -> Tensor:
    return picture.read(PEOPLE / f"{name}.jpg").rgb


@pytest.fixture(scope="module")
def face(detector: Detector) -> Callable[[str], Crop]:
    """The face on the photo with this name; each is looked for once."""
    return lru_cache(None)(lambda name: align(photo_of(name), detector)[0])


def drawn(
    photo: Tensor, crop: Crop, color: float, above: float = 0.055, rim: float = 0.07, dark: bool = False
) -> Tensor:
    """The photo with two rings and a bridge of a grey 0..1 round the eyes, whose upper edges are ``above`` the eyes' middles; half as wide
    as ``rim`` of a lens, which is ``dark`` or clear."""
    at = crop.to_crop(pixel_centers(*photo.shape[2:])[0][None] * photo.new_tensor([photo.shape[3], photo.shape[2]]))[0]
    eyes = crop.to_crop(crop.points[:, None])[0, 0, :2]
    rings = []
    for eye in eyes:
        x, y = ((at - eye) / torch.tensor([0.1, 1.0])).unbind(-1)
        y = torch.where(y < 0, y / above, y / 0.08)
        far = (x.abs() ** 3 + y.abs() ** 3) ** (1 / 3) - 1.06
        rings.append(far < rim if dark else far.abs() < rim)
    between = (at[..., 0] - eyes[:, 0].mean()).abs() < 0.03
    bridge = between & ((at[..., 1] - eyes[:, 1].mean() + 0.012).abs() < 0.009)
    return torch.where(rings[0] | rings[1] | bridge, photo * 0.05 + color * 0.95, photo)


@pytest.mark.parametrize("name", [*sum(BARE.values(), ()), "13", "14", "16", "17"])
def test_who_wears_glasses(name: str, face: Callable[[str], Crop]) -> None:
    crop = face(name)
    (worn,) = crop.glasses
    assert (worn is not None) == (name == "14")


@pytest.mark.parametrize("rim", [0.025, 0.07], ids=["thin", "thick"])
@pytest.mark.parametrize("tone", BARE)
def test_glasses_are_found_on_skin_of_any_colour(tone: str, rim: float, face: Callable[[str], Crop]) -> None:
    for name in BARE[tone]:
        photo, crop = photo_of(name), face(name)
        (worn,) = glasses_worn(drawn(photo, crop, 0.04, rim=rim), crop)
        assert worn is not None, name
        assert not worn.dark, name


def test_dark_glasses_hide_what_eyes_do(face: Callable[[str], Crop]) -> None:
    crop = face("06")
    photo = drawn(photo_of("06"), crop, 0.04, dark=True)
    crop = replace(crop, glasses=glasses_worn(photo, crop))
    assert crop.glasses[0].dark
    assert "dark glasses" in " ".join(doubts(crop))
    eyes = crop.places[:1, [AT[i] for eye in EYES for i in eye]]
    for name in ("eyes closed", "surprise", "anger"):
        sample = preset(name).flow(crop=crop)(eyes[None])
        assert sample.offset.abs().max() < 1e-4, name
        assert sample.painted is None or sample.painted.abs().max() < 1e-3, name


def test_how_high_glasses_reach_is_seen(face: Callable[[str], Crop]) -> None:
    crop, photo = face("09"), photo_of("09")
    low, high = (glasses_worn(drawn(photo, crop, 0.04, above), crop)[0].top for above in (0.045, 0.075))
    wide = (crop.places[0, AT[33]] - crop.places[0, AT[263]]).norm().item()
    assert high - low == pytest.approx(0.03 * 1.06 / wide, abs=0.05)


def moved(crop: Crop, name: str, points: Tensor) -> Tensor:
    """How far a preset moves crop points ``[N,2]``, ``[N]`` in fractions of the crop side."""
    return preset(name).flow(crop=crop)(points[None, None]).offset[0, :, 0].norm(dim=0)


def test_glasses_stay_while_the_mouth_moves(face: Callable[[str], Crop]) -> None:
    crop = face("14")
    places = crop.places[0]
    bridge, lip = places[AT[NOSE[0]]], places[AT[61]]
    rims = [places[AT[i]] + torch.tensor([0.0, 0.05]) for i in (145, 374)]
    for name in ("surprise", "smile", "anger"):
        far = moved(crop, name, torch.stack([bridge, *rims, lip]))
        assert far[:3].max() < 1e-3
        assert far[3] > 0.005


def test_an_upper_rim_stays_rigid(face: Callable[[str], Crop]) -> None:
    """Closing eyes pulled a rim that is close above them down over them; and brows that rise leave it where it is."""
    bare = face("06")
    worn = replace(bare, glasses=(Worn(),))
    lids = bare.places[0, [AT[i] for eye in EYES for i in eye[11:14]]]
    rim = lids - torch.tensor([0.0, 0.0145])
    assert moved(bare, "eyes closed", rim).max() > 5e-3
    for name in ("eyes closed", "surprise", "sadness"):
        assert moved(worn, name, rim).max() < 1e-4, name
    assert moved(worn, "eyes closed", lids + torch.tensor([0.0, 0.01])).max() > 0.01  # and yet they close


def test_brows_move_as_far_as_there_is_skin_above_the_rims(face: Callable[[str], Crop]) -> None:
    bare = face("06")
    places = bare.places[0]
    wide = (places[AT[33]] - places[AT[263]]).norm().item()
    brows = torch.stack([places[AT[i]] for i in (52, 65, 282, 295)])

    def moves(glasses: Worn | None, points: Tensor) -> float:
        return moved(replace(bare, glasses=(glasses,)), "surprise", points).mean().item()

    high, low = Worn(top=0.2), Worn(top=0.03)
    assert moves(high, brows) < 0.5 * moves(low, brows)
    assert moves(low, brows) > 0.4 * moves(None, brows)
    rim = torch.stack([places[AT[i]] for i in (159, 386)]) - torch.tensor([0.0, 0.15 * wide])
    assert moves(high, rim) < 1e-4


def test_a_selected_face_keeps_its_glasses(face: Callable[[str], Crop]) -> None:
    crop = face("14")
    assert crop.glasses[0] is not None
    assert crop.select(0).glasses == crop.glasses
    assert crop.for_pictures(3).glasses == crop.glasses * 3
