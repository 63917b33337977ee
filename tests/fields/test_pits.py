"""The dark corners of a grin go with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from flow_core.faces.landmarks import AT, LIPS
from flow_core.faces.shown import view
from flow_core.fields.expressions import preset
from flow_core.fields.muscles import MusclesField
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.neighbours import closing
from flow_core.warping.warp import warp


def pitted(crop: Crop, picture: Tensor, corner: int) -> tuple[Tensor, Crop]:
    """A picture with a black spot beside a corner of the mouth, and its crop."""
    h, w = crop.image_size
    pixels = pixel_centers(h, w)[0] * torch.tensor([w, h])
    spot = (pixels - crop.landmarks[0, AT[LIPS[corner]]]).norm(dim=-1) < 0.012 * crop.side[0]
    picture = picture * ~spot
    return picture, replace(crop, view=view(picture, crop))


@pytest.mark.parametrize("corner", [0, 10])
@pytest.mark.parametrize("name", ["surprise", "kiss"])
def test_a_pit_goes_with_the_grin(crop: Crop, astronaut: Tensor, name: str, corner: int) -> None:
    picture, dark = pitted(crop, astronaut, corner)
    filled, left = (warp(picture, c, preset(name))[0] for c in (dark, replace(dark, view=None)))
    assert (filled - left).mean(1).max() > 0.2  # where it was black
    changed = (filled - left).abs().amax(1)[0] > 0.02
    y, x = changed.nonzero().T.float()
    places = dark.to_crop(torch.stack([x, y], -1)[None, None])[0, 0]
    beside = (places[:, None] - dark.places[0, [AT[i] for i in (LIPS[0], LIPS[10])]]).norm(dim=-1).amin(1)
    below_eyes = places[:, 1] > 0.55
    assert beside[below_eyes].max() < 0.15  # and nothing else


def test_a_grin_keeps_its_corners(crop: Crop, astronaut: Tensor) -> None:
    _, dark = pitted(crop, astronaut, 0)
    wider = MusclesField.of({"mouthSmile": 0.2})
    assert wider.flow(0.0, dark).faces[0].pits == []


def test_no_hook_is_left_where_a_smile_turns_into_a_frown(crop: Crop, astronaut: Tensor) -> None:
    """A line that ran up from a corner of the mouth, and is no longer its own."""
    h, w = crop.image_size
    side, end = crop.side[0], crop.landmarks[0, AT[LIPS[10]]]
    pixels = pixel_centers(h, w)[0] * torch.tensor([w, h])
    along, across = ((pixels - end) / side).unbind(-1)
    line = ((across + 0.6 * along).abs() < 0.008) & (along > 0.008) & (along < 0.03)
    lined = torch.where(line, 0.5 * astronaut, astronaut)
    seen, sad = view(lined, crop), preset("sadness")

    def left(looks: bool) -> float:
        """How much of the line is seen after."""
        crops = (replace(crop, view=plane if looks else None) for plane in (crop.view, seen))
        bare, drawn = (warp(picture, one, sad)[0] for picture, one in zip((astronaut, lined), crops, strict=True))
        return (bare - drawn).clamp(min=0).sum().item()

    assert left(True) < 0.4 * left(False)


def test_a_mouth_that_is_edited_again_is_looked_at_once(
    crop: Crop, astronaut: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dark = pitted(crop, astronaut, 0)
    looks = []

    def looking(light: Tensor, count: int) -> Tensor:
        looks.append(light)
        return closing(light, count)

    monkeypatch.setattr("flow_core.fields.pits.closing", looking)
    whole, part = (preset("surprise").scale(s).flow(0.0, dark).faces[0].pits[0].paint.values for s in (1.0, 0.4))
    assert len(looks) == 1
    cover, less = whole[0, 3], part[0, 3]
    assert (less <= cover).all()
    assert less.max() < 0.9 * cover.max()  # how far pits go still is the edit's
    torch.testing.assert_close(whole[0, :3] * less, part[0, :3] * cover)  # in the same colours
