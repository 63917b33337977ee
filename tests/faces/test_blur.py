"""How blurred a picture is at a face, and that what is drawn there is no sharper."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flow_core.faces.blur import blur
from flow_core.faces.landmarks import AT, EYES
from flow_core.fields.expressions import preset
from flow_core.geometry.crop import Crop
from flow_core.warping.warp import warp


def out_of_focus(picture: Tensor, deviation: float) -> Tensor:
    """A picture blurred by a Gaussian of so many pixels."""
    reach = torch.arange(-12.0, 13.0)
    kernel = (-(reach**2) / (2 * deviation**2)).exp()
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    for way in (kernel, kernel.mT):
        picture = F.conv2d(picture, way, padding="same", groups=3)
    return picture


def pixels(picture: Tensor, crop: Crop) -> float:
    return (blur(picture, crop) * crop.side).item()


def test_a_sharp_picture_is_not_blurred(portraits: dict[str, Tensor], crops: dict[str, Crop]) -> None:
    for name, picture in portraits.items():
        assert pixels(picture, crops[name]) < 0.7


@pytest.mark.parametrize("light", [1.0, 0.4])
@pytest.mark.parametrize("noise", [0.0, 0.04])
def test_blur_is_told_through_noise_and_in_any_light(astronaut: Tensor, crop: Crop, noise: float, light: float) -> None:
    """Of a picture that is twice as large, and out of focus."""
    large = F.interpolate(astronaut, scale_factor=2, mode="bicubic")
    face = replace(Crop.from_points(2 * crop.points, tuple(large.shape[2:])), landmarks=2 * crop.landmarks)
    for deviation in (2, 3, 4):
        made = out_of_focus(large, deviation)
        made = light * (made + noise * torch.randn(made.shape, generator=torch.Generator().manual_seed(3)))
        assert pixels(made, face) == pytest.approx(deviation, rel=0.35)


def test_lashes_of_a_blurred_picture_are_as_blurred(astronaut: Tensor, crop: Crop) -> None:
    """As those that were drawn before it was."""

    def steepest(picture: Tensor) -> float:
        left, top = crop.landmarks[0, [AT[i] for i in EYES[0]]].amin(0).int().tolist()
        right, bottom = crop.landmarks[0, [AT[i] for i in EYES[0]]].amax(0).int().tolist()
        return picture[0, :, top - 2 : bottom + 6, left:right].mean(0).diff(dim=0).abs().amax().item()

    field, soft = preset("eyes closed"), out_of_focus(astronaut, 3)
    wanted = steepest(out_of_focus(warp(astronaut, crop, field)[0], 3))
    known, unknown = (replace(crop, blur=v) for v in (blur(soft, crop), None))
    assert steepest(warp(soft, known, field)[0]) < 1.75 * wanted
    assert steepest(warp(soft, unknown, field)[0]) > 2 * wanted


def test_blur_of_a_small_face_is_told(astronaut: Tensor, crop: Crop) -> None:
    """Whose eyes are hardly higher than it."""
    small = F.interpolate(astronaut, scale_factor=0.6, mode="bicubic", antialias=True)
    face = replace(Crop.from_points(0.6 * crop.points, tuple(small.shape[2:])), landmarks=0.6 * crop.landmarks)
    assert pixels(small, face) < 0.7
    for deviation in (1.5, 2, 3):
        assert pixels(out_of_focus(small, deviation), face) == pytest.approx(deviation, rel=0.35)
