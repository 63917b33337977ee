"""Dense landmarks: where they are, what they do to the alignment, and the regions that they bound."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import ASTRONAUT, Remembering, same_bits
from safetensors.torch import save_file
from torch import Tensor

from flow_core.faces.align import align
from flow_core.faces.landmarks import AT, MIRROR, POINTS, Landmarks, five_points, load_landmarks, pose
from flow_core.faces.regions import REGIONS, region_mask
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.io import picture
from flow_core.warping.warp import warp

EYES = 45.2
PEOPLE = Path(__file__).parents[2] / "docs" / "people"


@pytest.fixture(scope="module")
def net() -> Landmarks:
    return load_landmarks()


@pytest.fixture(scope="module")
def found(net: Landmarks, astronaut: Tensor, crop: Crop) -> Tensor:
    return net.find(astronaut, crop)


def test_mirror_pairs_every_point_with_one() -> None:
    assert len(POINTS) == len(MIRROR) == 161
    assert [MIRROR[i] for i in MIRROR] == list(range(161))
    assert [i for i in POINTS if MIRROR[AT[i]] == AT[i]] == [
        0,
        1,
        2,
        4,
        5,
        6,
        8,
        9,
        10,
        13,
        14,
        17,
        151,
        152,
        168,
        195,
        197,
    ]


def test_they_lie_where_the_face_is(found: Tensor) -> None:
    off = (five_points(found)[0] - ASTRONAUT).norm(dim=-1) / EYES
    assert off[:2].max() < 0.06
    assert off.max() < 0.12
    at = {name: found[0, AT[i]] for name, i in (("chin", 152), ("forehead", 10), ("left", 234), ("right", 454))}
    assert at["forehead"][1] < 90
    assert 155 < at["chin"][1] < 180
    assert 165 < at["left"][0] < 190
    assert 260 < at["right"][0] < 285


def test_a_mirrored_face_has_mirrored_landmarks(net: Landmarks, astronaut: Tensor, crop: Crop, found: Tensor) -> None:
    points = torch.stack([512 - crop.points[..., 0], crop.points[..., 1]], -1)[:, [1, 0, 2, 4, 3]]
    mirrored = net.find(astronaut.flip(-1), Crop.from_points(points, (512, 512)))[:, list(MIRROR)]
    mirrored = torch.stack([512 - mirrored[..., 0], mirrored[..., 1]], -1)
    assert (mirrored - found).norm(dim=-1).max() / EYES < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_they_mend_an_alignment_that_is_off(net: Landmarks, astronaut: Tensor, crop: Crop, seed: int) -> None:
    noise = torch.randn(1, 5, 2, generator=torch.Generator().manual_seed(seed)) * 0.12 * EYES
    mended = net.refine(astronaut, Crop.from_points(ASTRONAUT[None] + noise, (512, 512)))
    corners = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])[None, None]
    off = (mended.to_image(corners) - crop.to_image(corners)).norm(dim=-1).max() / crop.side
    assert off < 0.03
    assert mended.landmarks is not None
    torch.testing.assert_close(five_points(mended.landmarks), mended.points, atol=0.08 * EYES, rtol=0)


def opened(landmarks: Tensor) -> tuple[float, float]:
    """How far a mouth is open, in distances of the outer eye corners, and the eyes, in lengths of theirs."""

    def apart(a: int, b: int) -> float:
        return (landmarks[0, AT[a]] - landmarks[0, AT[b]]).norm().item()

    return apart(13, 14) / apart(33, 263), (apart(159, 145) / apart(33, 133) + apart(386, 374) / apart(263, 362)) / 2


def test_mouths_and_eyes_are_found_as_open_as_they_are(finder: Remembering) -> None:
    """Two laughing faces, two with shut lips; one that squints in the sun, one with its eyes wide open."""
    mouths, eyes = {}, {}
    for name in ("01", "14", "15", "17"):
        photo = picture.read(PEOPLE / f"{name}.jpg").rgb
        landmarks = align(photo, finder)[0].landmarks
        assert landmarks is not None
        mouths[name], eyes[name] = opened(landmarks)
    assert mouths["14"] > 0.07
    assert max(mouths["01"], mouths["15"]) < 0.02
    assert eyes["15"] < 0.2 < 0.38 < eyes["17"]


def test_a_mouth_that_is_pulled_open_is_found_open(
    net: Landmarks, astronaut: Tensor, crop: Crop, found: Tensor
) -> None:
    lips = crop.places[0, [AT[13], AT[14]]].mean(0)
    away = pixel_centers(256, 256)[0] - lips
    near = torch.exp(-(away / torch.tensor([0.16, 0.1])).square().sum(-1).square())
    offset = torch.stack([torch.zeros_like(near), (1 / 1.7 - 1) * away[..., 1] * near])[None]  # 1.7 times as high
    pulled, _ = warp(astronaut, crop, Field(offset, torch.zeros(1, 3, 256, 256)))
    before, after = opened(found)[0], opened(net.find(pulled, crop))[0]
    assert 1.35 < after / before < 2


def test_small_grey_and_batched(net: Landmarks, astronaut: Tensor, crop: Crop, found: Tensor) -> None:
    both = Crop.from_points(crop.points.expand(2, -1, -1), (512, 512))
    grey = astronaut.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    batch = net.find(torch.cat([astronaut, grey]), both)
    torch.testing.assert_close(batch[:1], found, atol=0.05, rtol=0)
    assert (batch[1] - found[0]).norm(dim=-1).mean() / EYES < 0.05


def test_inference_mode_changes_nothing(net: Landmarks, astronaut: Tensor, crop: Crop, found: Tensor) -> None:
    with torch.inference_mode():
        inside = net.find(astronaut.clone(), crop)
    assert not inside.is_inference()
    assert same_bits(inside, found)


def test_pose(found: Tensor) -> None:
    straight = pose(found)
    assert straight.shape == (1, 2)
    assert straight.abs().max() < 0.15
    turned = found.clone()
    turned[:, [AT[1], AT[4]], 0] += 0.15 * (found[:, AT[454], 0] - found[:, AT[234], 0])
    assert pose(turned)[0, 0] == pytest.approx(straight[0, 0].item() + 0.15, abs=2e-3)


def square(crop: Crop, found: Tensor) -> Tensor:
    return crop.to_crop(found[:, None])[:, 0]


def test_regions_lie_in_each_other(crop: Crop, found: Tensor) -> None:
    masks = {name: region_mask(square(crop, found), name, 200) for name in REGIONS}
    for name, mask in masks.items():
        assert mask.shape == (1, 1, 200, 200), name
        assert 0 <= mask.min() < mask.max() <= 1, name
        assert mask.sum() > 20, name
    for inner, outer in (("lips", "mouth"), ("irises", "eyes"), ("skin", "all"), ("nose", "all"), ("cheeks", "skin")):
        inside = (masks[inner] * masks[outer]).sum() / masks[inner].sum()
        assert inside > 0.9, (inner, outer)
    for one, other in (("skin", "lips"), ("skin", "irises"), ("hair", "all"), ("eyelids", "irises"), ("jaw", "lips")):
        assert (masks[one] * masks[other]).sum() / masks[other].sum() < 0.1, (one, other)


def test_the_lips_of_the_astronaut_are_red(astronaut: Tensor, crop: Crop, found: Tensor) -> None:
    face = crop.aligned(astronaut, 256)
    redness = face[:, :1] - face[:, 1:2]
    mean = {
        name: (redness * (m := region_mask(square(crop, found), name, 256))).sum() / m.sum()
        for name in ("lips", "skin")
    }
    assert mean["lips"] > mean["skin"] + 0.03


def test_feather_softens_the_border(crop: Crop, found: Tensor) -> None:
    hard, soft = (region_mask(square(crop, found), "mouth", 128, feather) for feather in (0.0, 0.1))
    assert ((soft > 0.05) & (soft < 0.95)).sum() > 3 * ((hard > 0.05) & (hard < 0.95)).sum()
    assert soft.sum() == pytest.approx(hard.sum().item(), rel=0.15)


def test_unknown_region(found: Tensor) -> None:
    with pytest.raises(ValueError, match=r"'ears'.*all, skin.*hair"):
        region_mask(found, "ears", 16)


def test_files_that_hold_no_landmarks(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="install FaceFlow again"):
        load_landmarks(tmp_path / "none.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds no landmark weights"):
        load_landmarks(tmp_path / "other.safetensors")
