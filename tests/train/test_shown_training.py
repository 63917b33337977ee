"""What the reader of pictures learns from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from flow_core.faces.landmarks import WIDEN
from flow_core.faces.read import UNITS
from flow_core.faces.rig import load_rig
from flow_core.faces.shown import load_picture_reader
from flow_core.fields.units import MOST
from flow_core.geometry.crop import Crop
from flow_core.train import data, shown


@pytest.fixture(scope="module")
def faces(crop: Crop, astronaut: Tensor) -> data.Faces:
    image, points = data.square(astronaut, crop.landmarks[0])
    return data.Faces(image[None], points[None], ("",), ("portraits",), torch.ones(1, dtype=torch.bool))


@pytest.fixture(scope="module")
def made(faces: data.Faces) -> tuple[list[Tensor], dict[str, Tensor]]:
    """What a teacher was shown of one face, and what was kept; in the second picture it found no face."""
    asked = []

    def teacher(image: Tensor) -> tuple[Tensor, Tensor] | None:
        asked.append(image)
        middle = torch.tensor([image.shape[3] / 2, image.shape[2] / 2])
        return None if len(asked) == 2 else (torch.full((52,), float(len(asked))), middle.expand(shown.MESH, 2))

    return asked, shown.make(faces, 1, teacher, 0)


def test_pictures_are_made_with_other_expressions(made: tuple[list[Tensor], dict[str, Tensor]]) -> None:
    asked, kept = made
    assert len(asked) == 1 + shown.FIELDS * shown.EACH
    assert all(len(v) == len(asked) - 1 for v in kept.values())
    assert kept["moved"].tolist() == [False] + [True] * (len(asked) - 2)
    assert all((image - asked[0]).abs().max() > 0.1 for image in asked[1:])


def test_the_mesh_lies_in_the_stored_picture(made: tuple[list[Tensor], dict[str, Tensor]]) -> None:
    """The middle of the picture is near the middle of its face."""
    assert (made[1]["mesh"].float() - 0.5).abs().max() < 0.15


def test_views_of_stored_pictures_are_read_alike(made: tuple[list[Tensor], dict[str, Tensor]]) -> None:
    """Off, in other light, small or mirrored: a smile stays one."""
    pictures = made[1]["pictures"][:1].expand(12, -1, -1, -1)
    g = torch.Generator().manual_seed(0)
    views, _, flip = shown.jittered(pictures.float() / 255, torch.rand(12, 2, 2), g)
    assert 0 < flip.sum() < 12
    with torch.no_grad():
        read = load_picture_reader()(torch.cat([shown.inner(pictures[:1]), views]))
    assert read[:, UNITS.index("mouthSmileLeft")].min() > 0.4


def test_a_mesh_moves_with_its_view() -> None:
    """A bright spot of a picture stays under its point."""
    picture, side = torch.zeros(6, 3, shown.SIDE, shown.SIDE), shown.SIDE
    at = torch.tensor([[0.4, 0.45]]).expand(6, 1, 2)
    x, y = (round(v * side) for v in at[0, 0].tolist())
    picture[:, :, y - 3 : y + 3, x - 3 : x + 3] = 1
    views, there, _ = shown.jittered(picture, at, torch.Generator().manual_seed(2))
    for view, point in zip(views, there, strict=True):
        bright = (view.mean(0) > 0.7 * view.mean(0).max()).nonzero().float().mean(0).flip(0) / view.shape[-1]
        assert torch.allclose(bright, point[0], atol=0.02)


def test_the_border_is_left_away() -> None:
    ramp = torch.linspace(0, 255, shown.SIDE).round().byte().expand(1, 3, shown.SIDE, shown.SIDE)
    view = shown.inner(ramp)[0, 0, 0]
    edge = (1 - WIDEN / shown.WIDE) / 2
    assert abs(view[0].item() - edge) < 0.01
    assert abs(view[-1].item() - (1 - edge)) < 0.01


def test_an_expression_strays() -> None:
    units = torch.full((len(load_rig().unit_names),), 0.5)
    strayed = shown.shaken(units, torch.Generator().manual_seed(1))
    assert 0.1 < (strayed - units).abs().max() < 1.0
    assert strayed.max() <= MOST


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--make"):
        shown.load_made(tmp_path, "train")
