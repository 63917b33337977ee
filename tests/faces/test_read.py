"""Reading face units off landmarks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import Remembering
from safetensors.torch import save_file
from torch import Tensor

from flow_core.faces.align import align
from flow_core.faces.landmarks import AT, EYES, LIPS, LIPS_INNER, MIRROR
from flow_core.faces.read import OTHER_SIDE, UNITS, load_reader, read_units
from flow_core.geometry.crop import Crop
from flow_core.io import picture

PEOPLE = Path(__file__).parents[2] / "docs" / "people"


def shown(landmarks: Tensor) -> dict[str, float]:
    return dict(zip(UNITS, read_units(landmarks)[0].tolist(), strict=True))


@pytest.fixture(scope="module")
def people(finder: Remembering) -> dict[str, Tensor]:
    """Landmarks ``[1,161,2]`` in crop points of some of the people."""
    return {
        n: align(picture.read(PEOPLE / f"{n}.jpg").rgb, finder)[0].places for n in ("04", "08", "12", "14", "15", "17")
    }


def test_the_units_are_those_of_arkit() -> None:
    assert len(UNITS) == 52
    assert list(UNITS) == sorted(UNITS)
    assert {name[:-4] for name in UNITS if name.endswith("Left")} == {n[:-5] for n in UNITS if n.endswith("Right")}
    for here, there in enumerate(OTHER_SIDE):
        assert OTHER_SIDE[there] == here
        assert (here == there) == (not UNITS[here].endswith(("Left", "Right")))


def test_what_people_show(crops: dict[str, Crop], people: dict[str, Tensor]) -> None:
    """The astronaut and two others smile; one frowns, one squints, one has wide open eyes."""
    read = {name: shown(p) for name, p in people.items()} | {name: shown(c.places) for name, c in crops.items()}
    for side in ("Left", "Right"):
        assert min(read[name]["mouthSmile" + side] for name in ("astronaut", "12", "14")) > 0.4
        assert max(read[name]["mouthSmile" + side] for name in ("grace_hopper", "04", "08", "17")) < 0.3
        assert read["08"]["browDown" + side] > 0.3 > read["04"]["browDown" + side]
        assert read["15"]["eyeBlink" + side] > 0.25 > read["17"]["eyeBlink" + side]


def test_left_is_the_persons_left(people: dict[str, Tensor]) -> None:
    """The lids on the viewer's right fall; the corner of the mouth on the viewer's left goes up and out."""
    face = people["17"]
    wink, smirk = face.clone(), face.clone()
    upper, lower = ([AT[EYES[1][i]] for i in order] for order in (range(9, 16), range(7, 0, -1)))
    wink[:, upper] += 0.8 * (face[:, lower] - face[:, upper])
    before, after = shown(face), shown(wink)
    risen = {side: after["eyeBlink" + side] - before["eyeBlink" + side] for side in ("Left", "Right")}
    assert risen["Left"] > 0.15
    assert risen["Left"] > 3 * abs(risen["Right"])
    for contour in (LIPS, LIPS_INNER):
        for i, weight in ((0, 1.0), (1, 0.7), (19, 0.7), (2, 0.4), (18, 0.4)):
            smirk[:, AT[contour[i]]] += weight * torch.tensor([-0.025, -0.03])
    after = shown(smirk)
    assert after["mouthSmileRight"] - before["mouthSmileRight"] > 0.1
    assert after["mouthSmileRight"] > after["mouthSmileLeft"]


def test_a_mirrored_face_shows_the_same_on_its_other_side(people: dict[str, Tensor]) -> None:
    for face in people.values():
        mirrored = torch.stack([1 - face[..., 0], face[..., 1]], -1)[:, list(MIRROR)]
        torch.testing.assert_close(read_units(mirrored), read_units(face)[:, list(OTHER_SIDE)], atol=1e-4, rtol=0)


def test_place_size_and_turn_do_not_matter(people: dict[str, Tensor]) -> None:
    face = people["14"]
    turned = face @ torch.tensor([[0.8, 0.6], [-0.6, 0.8]]) * 700 + torch.tensor([30.0, -900.0])
    torch.testing.assert_close(read_units(turned), read_units(face), atol=2e-3, rtol=0)


def test_batches_gradients_and_inference_mode(people: dict[str, Tensor]) -> None:
    faces = torch.cat(list(people.values()))
    read = read_units(faces)
    assert read.shape == (len(faces), 52)
    assert 0 <= read.min() < read.max() <= 1
    assert (read[:, UNITS.index("tongueOut")] == 0).all()
    torch.testing.assert_close(read[2:3], read_units(people["12"]), atol=1e-5, rtol=0)
    moved = faces.clone().requires_grad_()
    read_units(moved)[:, UNITS.index("jawOpen")].sum().backward()
    assert moved.grad is not None
    lower, upper = moved.grad[:, AT[17], 1], moved.grad[:, AT[13], 1]
    assert (lower > upper).float().mean() > 0.5  # a mouth opens by a lower lip that goes down
    with torch.inference_mode():
        inside = read_units(faces.clone())
    assert not inside.is_inference()
    torch.testing.assert_close(inside, read)


def test_other_landmarks() -> None:
    with pytest.raises(ValueError, match=r"\[B,161,2\], got \[1, 478, 2\]"):
        read_units(torch.rand(1, 478, 2))


def test_files_that_hold_no_reader(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="install FaceFlow again"):
        load_reader(tmp_path / "none.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds no unit reader weights"):
        load_reader(tmp_path / "other.safetensors")
