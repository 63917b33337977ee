"""Masks of the regions of a face."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from flow_core.faces.landmarks import AT, OVAL
from flow_core.faces.regions import REGIONS, region_mask
from flow_core.geometry.crop import Crop


@pytest.mark.parametrize("feather", [0.02, 0.05])
@pytest.mark.parametrize("zoom", [1.0, 0.2])
@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.45])
def test_a_soft_border_is_that_of_the_whole_picture(crop: Crop, zoom: float, shift: float, feather: float) -> None:
    """Though only the part around it is blurred; also where a region goes beyond the picture. A wide border is blurred coarsely."""
    size = 96
    places = zoom * crop.places + shift
    drawn = Image.new("L", (2 * size, 2 * size))
    points = places[0, [AT[i] for i in OVAL]].numpy()
    ImageDraw.Draw(drawn).polygon([tuple(p) for p in (points * 2 * size).tolist()], fill=255)
    small, box = (size, size), Image.Resampling.BOX
    fine = drawn.filter(ImageFilter.GaussianBlur(feather * size)).resize(small, box)
    coarse = drawn.resize(small, box).filter(ImageFilter.GaussianBlur(feather * size / 2))
    fine, coarse = (np.asarray(mask, np.float32) / 255 for mask in (fine, coarse))
    found = region_mask(places, "all", size, feather)[0, 0].numpy()
    np.testing.assert_array_equal(found, coarse if feather > 0.03 else fine)
    assert np.abs(found - fine).mean() < 0.003


def test_a_face_beyond_the_picture_has_no_regions(crop: Crop) -> None:
    for name in REGIONS:
        mask = region_mask(crop.places + 5, name, 32, 0.05)
        assert mask.shape == (1, 1, 32, 32)
        assert not mask.any(), name
