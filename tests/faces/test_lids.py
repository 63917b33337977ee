"""The colour of eyelids: skin's, whatever paint, hairs and creases lie beside it; and what lids show that shut."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from flow_core.faces.landmarks import AT, BROW_EDGES, EYES, UPPER_LIDS
from flow_core.faces.lids import lid_colors, terms
from flow_core.fields.expressions import preset
from flow_core.fields.muscles import MusclesField
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.geometry.sampling import sample_image
from flow_core.warping.warp import warp


def middle(colors: Tensor, up: float = 0.5) -> Tensor:
    """Colours ``[B,2,3]`` in the middle of lids."""
    return terms(torch.tensor(0.5), torch.tensor(up)) @ colors


def above_eyes(crop: Crop) -> slice:
    """Rows of a view that show eyes and brows."""
    eyes = int(256 * crop.places[0, [AT[i] for ring in EYES for i in ring], 1].mean())
    return slice(eyes - 60, eyes + 10)


def above_photo(crop: Crop) -> slice:
    """Rows of a photo that show eyes and brows."""
    points = crop.landmarks[0, [AT[i] for row in (*EYES, *BROW_EDGES) for i in row], 1]
    return slice(int(points.min()), int(points.max()) + 1)


def between_the_lids(picture: Tensor, crop: Crop, least: float, most: float) -> Tensor:
    """``[N,3]`` colours of a picture from shares of the way from the upper to the lower lid of both open eyes, in their middle half."""
    points = crop.landmarks[0]
    found = []
    for ring in EYES:
        for upper, lower in ((13, 3), (12, 4), (11, 5)):
            a, b = points[AT[ring[upper]]], points[AT[ring[lower]]]
            found += [torch.lerp(a, b, t) for t in torch.linspace(least, most, 5)]
    return sample_image(picture, torch.stack(found)[None, None])[0, :, 0].T


def test_paint_and_hairs_are_no_skin(crop: Crop) -> None:
    skin, paint = torch.tensor([0.70, 0.50, 0.42]), torch.tensor([0.16, 0.13, 0.13])
    view = skin[None, :, None, None].expand(1, 3, 256, 256).clone()
    plain = lid_colors(view, crop.places)
    assert torch.allclose(
        middle(plain), 0.95 * skin.expand(1, 2, 3), atol=0.01
    )  # cheeks are as light here, and lids a little less
    view[:, :, above_eyes(crop)][:, :, ::3] = paint[:, None, None]  # a third of it, as creases and lashes are
    assert torch.allclose(middle(lid_colors(view, crop.places)), middle(plain), atol=0.03)


def test_shade_is_skin(crop: Crop) -> None:
    """Deep under a brow skin is darker and redder, and so is the lid."""
    skin, shade = torch.tensor([0.70, 0.50, 0.42]), torch.tensor([0.35, 0.18, 0.12])
    view = skin[None, :, None, None].expand(1, 3, 256, 256).clone()
    view[:, :, above_eyes(crop)] = shade[:, None, None]
    assert torch.allclose(middle(lid_colors(view, crop.places)), shade.expand(1, 2, 3), atol=0.03)


def test_lids_that_shut_are_smooth_skin(portraits: dict[str, Tensor], crops: dict[str, Crop]) -> None:
    for name, crop in crops.items():
        shut, drawn = (warp(portraits[name], c, preset("eyes closed"))[0] for c in (crop, replace(crop, lids=None)))
        new, old = (between_the_lids(p, crop, 0.0, 0.4) for p in (shut, drawn))
        wanted = middle(crop.lids, 0.15)[0].mean(0)
        assert (new.mean(0) - wanted).abs().max() < 0.13
        assert new.std(0).mean() <= old.std(0).mean()


def test_lids_that_come_down_a_little_keep_their_own_skin(portraits: dict[str, Tensor], crop: Crop) -> None:
    """Hooded eyes are narrow below much skin: what little of it is drawn out still looks like skin, and paint would look like paint."""
    photo = portraits["astronaut"]
    places = crop.places.clone()
    for ring in EYES:
        for upper, lower in zip(ring[:8:-1], ring[1:8], strict=True):
            places[0, AT[upper]] = torch.lerp(places[0, AT[lower]], places[0, AT[upper]], 0.4)
    even = crop.view.mean((2, 3), keepdim=True).expand_as(crop.view)  # without lashes
    hooded = replace(crop, landmarks=crop.to_image(places[:, None])[:, 0], view=even)
    shut, drawn = (warp(photo, c, preset("eyes closed"))[0] for c in (hooded, replace(hooded, lids=None)))
    points = hooded.places[0, [[AT[i] for i in brow] for brow in BROW_EDGES]].mean(1)
    lids = hooded.places[0, [[AT[i] for i in lid] for lid in UPPER_LIDS]].mean(1)
    between = hooded.to_image(torch.lerp(lids, points, 0.5)[None, None])
    new, old = (sample_image(p, between)[0, :, 0] for p in (shut, drawn))
    assert (new - old).abs().max() < 0.02


@pytest.mark.parametrize("closing", [0.0, 0.2])
def test_open_eyes_have_no_new_lids(portraits: dict[str, Tensor], crop: Crop, closing: float) -> None:
    field = MusclesField.of({"eyeBlink": closing, "mouthSmile": 0.5})
    with_lids, without = (warp(portraits["astronaut"], c, field)[0] for c in (crop, replace(crop, lids=None)))
    assert torch.equal(with_lids, without)


def test_lids_of_grey_photographs_are_grey(portraits: dict[str, Tensor], crop: Crop) -> None:
    from flow_core.faces.align import studied

    grey = portraits["astronaut"].mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()
    shut = warp(grey, studied(grey, crop), preset("eyes closed"))[0]
    assert (shut.amax(1) - shut.amin(1)).max() < 1e-4


def test_lashes_and_paint_leave_the_temple(portraits: dict[str, Tensor], crop: Crop) -> None:
    """What stands over the skin beside the outer corner of an open eye would hang in the air beside a shut one."""
    from flow_core.faces.align import studied

    photo, places = portraits["astronaut"].clone(), crop.places[0]
    outer, inner = (places[AT[i]] for i in (EYES[1][0], EYES[1][8]))
    points = crop.to_image(torch.stack([outer, outer + 0.18 * (outer - inner)])[None, None])
    beside, ((x0, y0), (x1, y1)) = points[:, :, 1:], points[0, 0].round().long().tolist()
    skin = sample_image(photo, beside)[0, :, 0, 0].clone()
    photo[..., min(y0, y1) - 1 : max(y0, y1) + 2, x0 - 1 : x1 + 2] = 0.1
    painted = studied(photo, crop)
    shut = sample_image(warp(photo, painted, preset("eyes closed"))[0], beside)[0, :, 0, 0]
    kept = sample_image(warp(photo, painted, MusclesField.of({"eyeBlink": 0.1}))[0], beside)[0, :, 0, 0]
    assert kept.mean() < 0.4 * skin.mean()
    assert shut.mean() > 0.75 * skin.mean()


def test_a_lid_comes_down_without_a_jump(portraits: dict[str, Tensor], crop: Crop) -> None:
    """Paint, lashes and creases of shut lids come by and by."""
    photo = portraits["astronaut"]
    eyes = [
        warp(photo, crop, MusclesField.of({"eyeBlink": t}))[0][..., above_photo(crop), :]
        for t in torch.linspace(0, 1, 26).tolist()
    ]
    steps = torch.stack([(b - a).abs().mean() for a, b in pairwise(eyes)])
    assert steps.max() < 3 * steps.mean()


def test_make_up_is_on_lids_that_shut(portraits: dict[str, Tensor], crop: Crop) -> None:
    blue = Field(
        torch.zeros(1, 2, 8, 8), torch.tensor([-0.1, -0.1, 0.2])[None, :, None, None].expand(1, 3, 8, 8).clone()
    )
    shut = preset("eyes closed")
    plain, made_up = (
        between_the_lids(warp(portraits["astronaut"], crop, f)[0], crop, 0.0, 0.4)
        for f in (shut, replace(shut, rest=blue))
    )
    assert ((made_up - plain).mean(0) - torch.tensor([-0.1, -0.1, 0.2])).abs().max() < 0.03
