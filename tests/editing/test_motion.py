"""Modes of motion: how faces move, as fields."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from flow_core.editing.motion import PARTS, basis, load_modes, load_parts, part_mask
from flow_core.faces.landmarks import AT, LIPS, MIRROR, NOSE, POINTS
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.train.motion import fit, shapes
from flow_core.warping.jacobian import fold_share


@pytest.fixture(scope="module")
def points(crop: Crop) -> Tensor:
    """The astronaut's landmarks in crop points."""
    assert crop.landmarks is not None
    return crop.places


def test_a_mode_moves_the_landmarks_as_it_says(points: Tensor) -> None:
    modes = load_modes()
    fields = basis(points, (64, 64), modes)
    assert fields.shape == (1, len(modes), 2, 64, 64)
    for index in range(6):
        field = Field(fields[:, index], torch.zeros(1, 3, 64, 64))
        moved = -field.sample(points[:, :, None])[0][0, :, :, 0].T
        off = (moved - modes[index]).norm(dim=1).mean() / modes[index].norm(dim=1).mean()
        assert off < 0.4, index
        assert (moved * modes[index]).sum() > 0


def test_modes_leave_the_corners_alone_and_do_not_fold(points: Tensor) -> None:
    fields = basis(points, (48, 48), load_modes())
    assert fields[..., :4, :4].abs().max() < 0.002
    for index in range(12):
        for sign in (-1.0, 1.0):
            assert fold_share(Field(fields[:, index] * sign, torch.zeros(1, 3, 48, 48))) == 0


def test_modes_are_even_or_odd_in_a_mirror() -> None:
    modes = load_modes()
    mirrored = modes[:, list(MIRROR)] * torch.tensor([-1.0, 1.0])
    like = (mirrored * modes).sum((1, 2)) / modes.square().sum((1, 2))
    assert (like.abs() > 0.95).all()
    assert (like[:8] > 0).sum() >= 3


def test_fit_finds_what_varies() -> None:
    """Of faces that differ in their mouths' width alone, the first mode is that, and the eyes keep their place."""
    g = torch.Generator().manual_seed(0)
    face = torch.rand(1, len(POINTS), 2, generator=g)
    mirrored = torch.stack([1 - face[:, list(MIRROR), 0], face[:, list(MIRROR), 1]], -1)
    face = ((face + mirrored) / 2 - 0.5) * 0.3 + 0.5
    for index, place in ((33, (0.3, 0.45)), (133, (0.42, 0.45)), (145, (0.36, 0.46)), (159, (0.36, 0.44))):
        face[0, AT[index]] = torch.tensor(place)
        face[0, MIRROR[AT[index]]] = torch.tensor([1 - place[0], place[1]])
    crowd = face.repeat(60, 1, 1)
    wide = 0.02 * torch.randn(60, generator=g)
    crowd[:, AT[61], 0] -= wide
    crowd[:, AT[291], 0] += wide
    modes, part, share = fit(crowd * 200 + 30, {"mouth": (LIPS, 2), "nose": (NOSE, 1)})
    assert share > 0.99
    assert part[0] == 0
    own = modes[0].norm(dim=1)
    assert sorted(own.argsort(descending=True)[:2].tolist()) == sorted([AT[61], AT[291]])
    eyes = shapes(crowd * 200 + 30)[:, [AT[i] for i in (33, 133, 145, 159)]].mean(1)
    torch.testing.assert_close(eyes, eyes[:1].expand_as(eyes), atol=1e-5, rtol=0)


def test_parts_lie_where_they_are(points: Tensor) -> None:
    assert load_parts().shape == (len(load_modes()), len(PARTS))
    assert (load_parts().sum(1) == 1).all()
    found = part_mask(points, torch.eye(len(PARTS))[None, PARTS.index("brows")], (64, 64))
    brow, chin = ((points[0, AT[i]] * 64).long() for i in (105, 152))
    assert found[0, 0, brow[1], brow[0]] > 0.8
    assert found[0, 0, chin[1], chin[0]] < 0.01
    assert not part_mask(points, torch.zeros(1, len(PARTS)), (64, 64)).any()


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="install FaceFlow again"):
        load_modes(tmp_path / "none.safetensors")
