"""Eyes that shut: the line where lids meet, and the skin without their lashes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.faces.landmarks import AT, BROW_EDGES, EYES, OVAL, UPPER_LIDS
from flow_core.fields.curves import SAMPLES, TABLE, Frame, curves_of, shut_line
from flow_core.fields.expressions import preset
from flow_core.fields.lashes import Bare, bare_eye
from flow_core.geometry.crop import Crop
from flow_core.warping.warp import warp


@pytest.mark.parametrize("depth", [-0.1, 0.1, 0.5])
def test_lids_meet_in_an_arc(depth: float) -> None:
    """However wavy they are, and wherever they lie, it is convex downwards and no deeper than those of people."""
    waves = 0.02 * np.sin(9 * np.pi * SAMPLES)
    bottom = depth * np.sin(np.pi * SAMPLES) + waves
    line = shut_line(bottom - 0.2 * np.sin(np.pi * SAMPLES), bottom, SAMPLES, 1.0)
    assert line[0] == pytest.approx(0)
    assert line[-1] == pytest.approx(0)
    assert line.max() + 1e-6 > 0.03
    assert line.max() < 0.14
    assert 0.5 < SAMPLES[line.argmax()] < 0.7  # it is deepest outside of the middle
    turns = np.diff(np.sign(np.diff(line)))
    assert (turns[TABLE // 8 :] <= 0).all()  # it goes down once, and up once


def bare(crop: Crop, view: torch.Tensor) -> Bare:
    """The eye on the viewer's left of a view."""
    places = crop.places[0].double().numpy()
    upper, lower = places[[AT[i] for i in UPPER_LIDS[0]]], places[[AT[i] for i in EYES[0][:9]]]
    frame = Frame.between(lower[0], lower[-1])
    seen = list(curves_of([(frame, upper), (frame, lower)]))
    brow, outline = (places[[AT[i] for i in row]] for row in (BROW_EDGES[0], OVAL))
    return bare_eye(view, crop.lids[0, 0], frame, seen, brow, outline, True, False)


def test_bare_eyes_have_the_colour_of_skin(crop: Crop) -> None:
    skin = torch.tensor([0.7, 0.5, 0.4])
    view = skin[None, :, None, None].expand(1, 3, 256, 256).clone()
    found = bare(crop, view)
    far = found.at(*crop.places[0, AT[50]][:, None])  # a cheek, beyond the picture of the eye
    assert far[3].item() == 0
    outer, inner = (crop.places[0, AT[EYES[0][i]]] for i in (0, 8))
    middle = found.at(*((outer + inner) / 2)[:, None])[:, 0]
    assert middle[3] > 0.95
    assert torch.allclose(middle[:3] / middle[:3].sum(), skin / skin.sum(), atol=0.04)
    assert torch.allclose(found.at(*(outer + 0.3 * (outer - inner))[:, None])[3:7], torch.zeros(4, 1), atol=0.02)


def test_dark_lashes_make_a_dark_line(crop: Crop) -> None:
    """And light ones a lighter one."""
    view = torch.full((1, 3, 256, 256), 0.7)
    at = ((crop.places[0, [AT[i] for i in UPPER_LIDS[0]]] - 0.5) / 1.15 + 0.5) * 256
    tones = []
    for lash in (0.1, 0.5):
        painted = view.clone()
        for x, y in at.round().long().tolist():
            painted[..., y - 2 : y + 1, x - 1 : x + 2] = lash
        tones.append(bare(crop, painted).tones[0].mean())
    assert tones[0] < 0.5 * tones[1]


def test_what_is_painted_on_lids_comes_back_when_they_shut(crop: Crop) -> None:
    """A dark strip above the lashes, in its own hue; and lashes that reach into it are long."""
    plain = torch.full((1, 3, 256, 256), 0.7)
    lid, brow = (crop.places[0, [AT[i] for i in row]] for row in (UPPER_LIDS[0], BROW_EDGES[0]))
    shadow = plain.clone()
    for part in torch.linspace(0, 0.3, 7):
        for x, y in (((lid - part * (lid - brow.mean(0)) - 0.5) / 1.15 + 0.5) * 256).round().long().tolist():
            shadow[..., y - 1 : y + 1, x - 2 : x + 2] = torch.tensor([0.3, 0.3, 0.5])[:, None, None]
    without, painted = bare(crop, plain), bare(crop, shadow)
    assert without.paint < 0.1
    assert painted.paint > 0.15
    hue = painted.tones[2]
    assert hue[2] > 1.3 * hue[0]
    assert without.long < painted.long


def test_the_line_of_shut_lids_is_dark_from_corner_to_corner(astronaut: Tensor) -> None:
    """As on photographs, darker than the lid above it and the skin below, and lying in a soft shade."""
    crop = align(astronaut, load_detector())[0]
    shut = warp(astronaut, crop, preset("eyes closed"))[0]
    seen = crop.aligned(shut, 400)[0].mean(0)
    places = crop.places[0].double().numpy()
    lower = places[[AT[i] for i in EYES[0][:9]]]
    frame = Frame.between(lower[0], lower[-1])
    for share in (0.15, 0.5, 0.85):
        heights = np.linspace(-0.4, 0.4, 81)
        x, y = frame.back(share * frame.length, heights * frame.length)
        column = seen[(y * 400).astype(int), (x * 400).astype(int)].numpy()
        at = 20 + column[20:65].argmin()
        above, near, below = column[at - 15], column[at - 8], column[at + 15]
        assert column[at] < 0.8 * min(above, below)
        assert column[at] < near < above


def test_brows_stay_when_lids_shut(astronaut: Tensor) -> None:
    """So do their hairs below the edge that landmarks know."""
    crop = align(astronaut, load_detector())[0]
    flow = preset("eyes closed").flow(0.0, crop)
    for lid, brow in zip(UPPER_LIDS, BROW_EDGES, strict=True):
        edge = crop.places[0, [AT[i] for i in brow]]
        gap = crop.places[0, [AT[i] for i in lid], 1].min() - edge[1:-1, 1].mean()
        hairs = edge[1:-1] + torch.stack([torch.zeros_like(gap), 0.15 * gap])
        assert flow(hairs[None, None]).offset.abs().max() < 1e-3


def test_lids_that_shut_are_as_grainy_as_the_picture(astronaut: Tensor) -> None:
    """Of a large one, in which smooth lids would look airbrushed."""
    large = F.interpolate(astronaut, scale_factor=5, mode="bicubic").clamp(0, 1)[..., :2000, 400:2400]
    grain = 0.04 * torch.randn(large.shape[2:], generator=torch.Generator().manual_seed(0))
    picture = (large + grain).clamp(0, 1)
    crop = align(picture, load_detector())[0]
    edited = warp(picture, crop, preset("eyes closed"))[0]

    def grainy(numbers: list[int]) -> float:
        x, y = crop.to_image(crop.places[:, [AT[i] for i in numbers]]).reshape(-1, 2).mean(0).round().int().tolist()
        patch = edited[..., y - 8 : y + 8, x - 20 : x + 20].mean(1, keepdim=True)
        return (patch - F.avg_pool2d(patch, 3, 1, 1, count_include_pad=False)).std().item()

    ring = EYES[0]
    assert grainy([ring[12], ring[12], ring[4]]) > 0.25 * grainy([50])
