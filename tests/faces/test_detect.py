"""Faces are found where they are, and only there."""

from __future__ import annotations

import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import ASTRONAUT
from PIL import Image
from safetensors.torch import load_file, save_file
from skimage import data
from torch import Tensor

from flow_core.faces.detect import BUILTIN, Detection, Detector, load_detector

PEOPLE = Path(__file__).parents[2] / "docs" / "people"


def picture(name: str) -> Tensor:
    """``[3,H,W]``"""
    return to_tensor(Image.fromarray(getattr(data, name)()).convert("RGB"))


def to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255


def resized(image: Tensor, factor: float) -> Tensor:
    return F.interpolate(image[None], scale_factor=factor, mode="bilinear", antialias=True)[0].clamp(0, 1)


def off(face: Detection, points: Tensor) -> float:
    """The largest distance of the five points from where they should be, in eye distances."""
    return float((face.points - points).norm(dim=1).max() / (points[0] - points[1]).norm())


@pytest.fixture(scope="module")
def find() -> Detector:
    return load_detector()


@pytest.fixture(scope="module")
def astronaut() -> Tensor:
    return picture("astronaut")


def test_a_face_is_found_with_its_points(find: Detector, astronaut: Tensor) -> None:
    [face] = find(astronaut)
    assert off(face, ASTRONAUT) < 0.2
    assert 0.9 <= face.score <= 1
    low, high = face.box[:2], face.box[2:]
    assert ((face.points > low) & (face.points < high)).all()
    assert 80 < high[0] - low[0] < 130
    assert 90 < high[1] - low[1] < 150


@pytest.mark.parametrize("name", ["coffee", "brick", "rocket", "gravel"])
def test_there_is_no_face_where_there_is_none(find: Detector, name: str) -> None:
    assert find(picture(name)) == []


def test_left_is_the_viewers_left(find: Detector, astronaut: Tensor) -> None:
    [face] = find(astronaut.flip(-1))
    mirrored = torch.stack([512 - ASTRONAUT[:, 0], ASTRONAUT[:, 1]], 1)[[1, 0, 2, 4, 3]]
    assert off(face, mirrored) < 0.2


def test_the_largest_face_comes_first(find: Detector, astronaut: Tensor) -> None:
    head = astronaut[:, :256, 96:352]
    both = torch.full((3, 256, 420), 0.5)
    both[:, :160, :160] = resized(head, 0.625)
    both[:, :, 164:] = head
    large, small = find(both)
    assert off(large, ASTRONAUT - torch.tensor([96, 0]) + torch.tensor([164, 0])) < 0.28
    assert off(small, (ASTRONAUT - torch.tensor([96, 0])) * 0.625) < 0.28


def test_a_face_too_small_for_the_size_of_the_picture_is_found_beside_a_large_one(
    find: Detector, astronaut: Tensor
) -> None:
    head = resized(astronaut[:, :256, 96:352], 0.17)
    both = astronaut.clone()
    both[:, 20 : 20 + head.shape[1], 20 : 20 + head.shape[2]] = head
    _, small = find(both)
    assert off(small, (ASTRONAUT - torch.tensor([96, 0])) * 0.17 + 20) < 0.4
    assert len(find(both, enlarged=1.0)) == 1


@pytest.mark.parametrize(("factor", "tolerance"), [(0.36, 0.2), (2, 0.2), (4, 0.2)])
def test_small_and_large_faces_are_found(find: Detector, astronaut: Tensor, factor: float, tolerance: float) -> None:
    """The face is 110 px high in the original: 40, 220 and 440 px here."""
    [face] = find(resized(astronaut, factor))
    assert off(face, ASTRONAUT * factor) < tolerance


def test_a_small_face_in_a_large_photo_is_found(find: Detector, astronaut: Tensor) -> None:
    """It is 41 px high, one in seventy-three of the height."""
    photo = torch.full((3, 3000, 4000), 0.5)
    head = resized(astronaut[:, :256, 96:352], 0.375)
    photo[:, 2000:2096, 3000:3096] = head
    [face] = find(photo, turned=True)
    assert off(face, (ASTRONAUT - torch.tensor([96, 0])) * 0.375 + torch.tensor([3000, 2000])) < 0.4


@pytest.mark.parametrize("degrees", [-45, -30, 30, 45])
def test_a_tilted_face_is_found(find: Detector, astronaut: Tensor, degrees: float) -> None:
    image = Image.fromarray((astronaut * 255).byte().permute(1, 2, 0).numpy())
    centre = ASTRONAUT[2]
    turned = to_tensor(image.rotate(degrees, Image.Resampling.BICUBIC, center=tuple(centre.tolist())))
    angle = torch.deg2rad(torch.tensor(degrees))
    matrix = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
    [face] = find(turned)
    assert off(face, (ASTRONAUT - centre) @ matrix + centre) < 0.36


@pytest.mark.parametrize("name", ["02", "13"])
def test_an_upside_down_face_is_not_taken_for_an_upright_one(find: Detector, name: str) -> None:
    """These score 0.89 and 0.91 where they are turned the wrong way."""
    photo = to_tensor(Image.open(PEOPLE / f"{name}.jpg").convert("RGB").rotate(180))
    face = find(resized(photo, 450 / max(photo.shape)), turned=True)[0]
    assert face.points[:2, 1].mean() > face.points[3:, 1].mean()  # eyes below the mouth
    assert face.points[0, 0] > face.points[1, 0]


@pytest.mark.parametrize("name", ["08", "18"])
def test_a_face_without_its_forehead_is_found(find: Detector, name: str) -> None:
    """What lies beyond the border must not look like a part of a picture: where it was black these scored 0.84 and 0.85."""
    photo = resized(to_tensor(Image.open(PEOPLE / f"{name}.jpg").convert("RGB")), 0.5)
    [whole] = find(photo)
    [cut] = find(photo[:, round(float(0.7 * whole.box[1] + 0.3 * whole.box[3])) :])
    assert cut.score > 0.87


def test_something_in_a_face_does_not_hide_it(find: Detector, astronaut: Tensor) -> None:
    """A lens may score higher from afar than the face that wears it; from close by it does not."""
    with torch.no_grad():
        [face] = (torch.cat([f.box, f.points.flatten(), torch.tensor([0.8])]) for f in find(astronaut))
        lens = torch.cat([ASTRONAUT[0] - 12, ASTRONAUT[0] + 12, face[4:14], torch.tensor([0.9])])
        seen = find._look_closer([astronaut[None]], torch.stack([lens, face]))
    best = seen[seen[:, 14].argmax()]
    assert best[14] > 0.8
    assert (best[:4] - face[:4]).abs().max() < 20


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (37, 53)])
def test_pictures_too_small_for_a_face(find: Detector, shape: tuple[int, int]) -> None:
    assert find(torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))) == []


def test_wrong_images_are_refused(find: Detector) -> None:
    image = torch.full((3, 64, 64), 0.5)
    for value in (float("nan"), float("inf")):
        spoilt = image.clone()
        spoilt[1, 2, 3] = value
        with pytest.raises(ValueError, match="NaN or infinite"):
            find(spoilt)
    with pytest.raises(ValueError, match=r"\[3,H,W\], got \[1, 3, 64, 64\]"):
        find(image[None])
    with pytest.raises(ValueError, match=r"got \[3, 0, 64\]"):
        find(image[:, :0])
    with pytest.raises(ValueError, match="got ndarray"):
        find(image.numpy())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"torch.uint8.*/ 255"):
        find(image.byte())
    with pytest.raises(ValueError, match=r"threshold.*got 1.5"):
        find(image, 1.5)


def test_inference_mode_changes_nothing(find: Detector, astronaut: Tensor) -> None:
    head = astronaut[:, :256, 96:352]
    [outside] = find(head)
    with torch.inference_mode():
        loaded = load_detector()
        [inside] = loaded(head.clone())
    assert not any(weight.is_inference() for weight in loaded.net.state_dict().values())
    assert not inside.points.is_inference()
    assert not inside.points.requires_grad
    assert torch.equal(inside.points, outside.points)


def test_large_pictures_show_in_parts_what_they_show_as_a_whole(
    find: Detector, astronaut: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = astronaut[None, :, :224, 96:352]
    with torch.no_grad():
        whole = find.net(head)
        monkeypatch.setattr("flow_core.faces.yunet.WHOLE", 96)
        parts = find.net(head)
    for name, values in whole.items():
        torch.testing.assert_close(parts[name], values, msg=name)


def test_a_missing_yunet_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(FileNotFoundError) as e:
        load_detector("yunet", [tmp_path / "models"])
    for words in ("yunet_final.pth", str(tmp_path / "models"), "no network", "https://", "builtin"):
        assert words in str(e.value)


def test_yunet_is_taken_from_a_folder(tmp_path: Path, astronaut: Tensor) -> None:
    torch.save(load_file(BUILTIN), tmp_path / "yunet_final.pth")
    [face] = load_detector("yunet", [tmp_path / "empty", tmp_path])(astronaut[:, :256, 96:352])
    assert face.score >= 0.6


def test_files_that_hold_no_detector(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors.*builtin"):
        load_detector(str(tmp_path / "none.safetensors"))
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other\.safetensors.*another file"):
        load_detector(str(tmp_path / "other.safetensors"))


def test_a_small_face_in_a_panorama_is_found(find: Detector, astronaut: Tensor) -> None:
    wide = torch.full((3, 600, 6000), 0.5)
    small = resized(astronaut, 0.55)
    wide[:, 100 : 100 + small.shape[1], 4000 : 4000 + small.shape[2]] = small
    (face,) = find(wide)
    assert 4000 < face.points[:, 0].mean() < 4000 + small.shape[2]
