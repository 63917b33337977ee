"""The skin between lids and brows that rise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from flow_core.faces.landmarks import AT, WIDEN
from flow_core.fields.base import Sample
from flow_core.fields.brows import STAYS, staying
from flow_core.fields.muscles import MusclesField
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.sampling import sample_image
from flow_core.geometry.worn import Worn

SKIN = torch.tensor([0.7, 0.5, 0.4])


def raised(amount: float = 1.0) -> MusclesField:
    return MusclesField.of({"browInnerUp": amount, "browOuterUp": amount})


def column(crop: Crop, field: MusclesField, lid: int, brow: int, count: int = 60) -> tuple[Tensor, Sample]:
    """Points ``[count,2]`` straight up from the lid to a little above the brow, and the flow there."""
    low, high = crop.places[0, AT[lid]], crop.places[0, AT[brow]]
    points = torch.lerp(low, high, torch.linspace(0, 1.5, count)[:, None])
    return points, field.flow(0.0, crop)(points[None, None])


@pytest.mark.parametrize(("lid", "brow"), [(159, 52), (386, 282), (173, 55)])
def test_lashes_and_hairs_stay_and_skin_between_is_drawn_out(crop: Crop, lid: int, brow: int) -> None:
    points, found = column(crop, raised(), lid, brow)
    rise = -found.offset[0, 1, 0]  # backwards: what is seen there comes from that much lower
    far = (points - points[0]).norm(dim=1) / (crop.places[0, AT[brow]] - crop.places[0, AT[lid]]).norm()
    assert rise[far < 0.2].abs().max() < 0.002
    assert rise.min() < -0.01
    step = 1 + found.offset[0, 1, 0].diff() / points[:, 1].diff()
    assert (step > 0.1).all()  # no fold


@pytest.mark.parametrize(("lid", "brow"), [(159, 52), (386, 282)])
def test_as_much_is_painted_as_is_drawn_out(crop: Crop, lid: int, brow: int) -> None:
    points, found = column(replace(crop, view=None), raised(), lid, brow)
    drawn = 1 - (1 + found.offset[0, 1, 0].diff() / points[:, 1].diff())
    cover = found.painted[0, 3, 0]
    assert cover.max() == pytest.approx(drawn.max().item(), abs=0.2)
    assert abs(cover.argmax() - drawn.argmax()) < 20
    assert cover[0] < 0.02
    assert cover[-1] < 0.02


def test_dark_streaks_take_the_colour_of_skin(crop: Crop) -> None:
    """More of it the farther brows rise; and with little of it nothing jumps in."""
    lids = torch.zeros(1, 2, 6, 3)
    lids[..., 0, :] = SKIN
    known = replace(crop, lids=lids, view=None)

    def painted(crop: Crop, field: MusclesField) -> Tensor:
        """The lightest that it makes black, above the mouth."""
        found = field.flow(0.0, crop)(pixel_centers(128, 128)).painted
        return torch.zeros(3) if found is None else found[0, :3, :70].amax((1, 2))

    most = [painted(known, raised(amount)) for amount in (0.1, 0.5, 1.0)]
    assert most[0].max() < 0.25
    assert (most[0] < most[1]).all()
    assert (most[1] < most[2]).all()
    assert torch.allclose(most[2] / most[2].sum(), SKIN / SKIN.sum(), atol=0.02)
    assert not painted(replace(known, glasses=(Worn(),)), raised()).any()  # whose rims stay
    assert not painted(known, MusclesField.of({"browDown": 1.0})).any()


def test_skin_that_is_drawn_out_has_texture_in_large_pictures(crop: Crop) -> None:
    """As fine as that of skin, and no coarser where it is drawn out."""
    lids = torch.zeros(1, 2, 6, 3)
    lids[..., 0, :] = SKIN
    stripes = 0.04 * torch.sin(torch.arange(448.0)).expand(1, 2, 224, -1)
    points = crop.places[0, [AT[159], AT[52]]].mean(0) + torch.linspace(-0.02, 0.02, 400)[:, None] * torch.tensor(
        [1.0, 0.0]
    )

    def painted(texture: Tensor | None) -> Tensor:
        known = replace(crop, lids=lids, view=SKIN[None, :, None, None].repeat(1, 1, 256, 256), lid_texture=texture)
        return raised().flow(0.0, known)(points[None, None]).painted[0, :, 0]

    plain, textured = painted(None), painted(stripes)
    assert plain[3].min() > 0.3
    assert torch.equal(plain[3], textured[3])
    ratio = (textured[0] / plain[0]).log()
    assert 0.02 < ratio.std() < 0.04
    assert (ratio[1:] * ratio[:-1] < 0).sum() > 10


def test_shade_beside_the_inner_corner_stays(crop: Crop) -> None:
    """What is painted on a lid has ended a third of an eye beside its inner corner: the shade of the socket is not cut off there."""
    lids = torch.zeros(1, 2, 6, 3)
    lids[..., 0, :] = SKIN
    known = replace(crop, lids=lids, view=SKIN[None, :, None, None].repeat(1, 1, 256, 256))
    outer, inner, brow = crop.places[0, [AT[33], AT[133], AT[52]]]  # of the eye on the viewer's left
    across, up = inner - outer, brow - (outer + inner) / 2
    high = torch.linspace(0.1, 1, 20)[:, None] * up
    flow = raised().flow(0.0, known)
    most = [flow((at + high)[None, None]).painted[0, 3].max() for at in ((outer + inner) / 2, inner + 0.35 * across)]
    assert most[0] > 0.9
    assert most[1] < 0.2


def test_tips_of_lashes_do_not_become_streaks(crop: Crop) -> None:
    """What stripes across the lid differ by is less than a fifth as much after the brow has risen."""
    lids = torch.zeros(1, 2, 6, 3)
    lids[..., 0, :] = SKIN
    striped = SKIN[None, :, None, None].repeat(1, 1, 256, 256)
    striped[..., ::4] *= 0.6
    known, size = replace(crop, lids=lids, view=striped), striped.shape[-1]
    low, high = crop.places[0, AT[159]], crop.places[0, AT[52]]
    points = torch.lerp(low, high, 0.5) + torch.linspace(-0.02, 0.02, 40)[:, None] * torch.tensor([1.0, 0.0])
    found = raised().flow(0.0, known)(points[None, None])
    at = ((points + found.offset[0, :, 0].T - 0.5) / WIDEN + 0.5) * size
    seen, painted = sample_image(striped, at[None, None])[0, 0, 0], found.painted[0, :, 0]
    shown = seen * (1 - painted[3]) + painted[0]
    assert seen.std() > 0.05

    assert shown.std() < 0.2 * seen.std()


def test_long_lashes_stay_with_the_lid(crop: Crop) -> None:
    """Where the skin above a lid is dark twice as much of it stays, and on plain skin no more than usual."""
    lids = torch.zeros(2, 6, 3)
    lids[:, 0] = SKIN
    places, plain = crop.places[0].double().numpy(), SKIN[None, :, None, None].expand(1, 3, 256, 256).clone()
    lashed, size = plain.clone(), plain.shape[-1]
    low, high = (crop.places[0, AT[i]] for i in (159, 52))  # of the eye on the viewer's left
    top, bottom = (((torch.lerp(low, high, t)[1] - 0.5) / WIDEN + 0.5) * size for t in (0.4, -0.2))
    lashed[:, :, int(top) : int(bottom), : size // 2] *= 0.4
    usual, long = ([staying(side, places, view, lids) for side in (0, 1)] for view in (plain, lashed))
    assert np.allclose(usual, STAYS)
    assert long[0][4] > 1.5 * STAYS
    assert np.allclose(long[1], STAYS)


def test_nothing_is_painted_on_eyes(crop: Crop) -> None:
    eyes = crop.places[0, [AT[468], AT[473]]]
    for more in ({}, {"eyeWide": 1.0}, {"eyeBlink": 0.3}):
        field = MusclesField.of({"browInnerUp": 1.0, "browOuterUp": 1.0, **more})
        painted = field.flow(0.0, crop)(eyes[None, None]).painted
        assert painted[0, :3].abs().max() < 1e-3
