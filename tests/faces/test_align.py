"""Alignment: the FFHQ square from five points, and the choice of a face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from helpers import FACE, Remembering, smooth_field, square_crop, turn
from torch import Tensor

from flow_core.faces.align import ENOUGH, ORDERS, FaceNotFound, align, close_up, sort_faces, studied
from flow_core.faces.detect import Detection, Detector
from flow_core.faces.doubts import doubts
from flow_core.faces.landmarks import AT, LIPS_INNER, load_landmarks
from flow_core.faces.lip_edges import LOWER, STEP, UPPER, to_the_lips
from flow_core.faces.shown import view
from flow_core.fields.expressions import preset
from flow_core.geometry.crop import Crop, ffhq_matrix
from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.sampling import sample_image
from flow_core.warping.warp import warp


def ffhq_quad(points: np.ndarray) -> np.ndarray:
    """The crop's corners (top left, bottom left, bottom right, top right), as published with the FFHQ dataset."""
    eye_l, eye_r, _, mouth_l, mouth_r = points
    eye_avg, mouth_avg = (eye_l + eye_r) / 2, (mouth_l + mouth_r) / 2
    eye_to_eye, eye_to_mouth = eye_r - eye_l, mouth_avg - eye_avg
    x = eye_to_eye - np.flipud(eye_to_mouth) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = np.flipud(x) * [-1, 1]
    c = eye_avg + eye_to_mouth * 0.1
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


def random_points(count: int) -> Tensor:
    """Faces of many sizes, proportions, turns and places."""
    g = torch.Generator().manual_seed(11)
    shapes = FACE + 0.03 * torch.randn(count, 5, 2, generator=g)
    shapes = (shapes - 0.5) * (0.6 + 0.8 * torch.rand(count, 1, 2, generator=g))
    angles = (torch.rand(count, generator=g) - 0.5) * 360
    side = 10 + 3000 * torch.rand(count, 1, 1, generator=g)
    place = 4000 * torch.rand(count, 1, 2, generator=g)
    return shapes @ torch.stack([turn(a.item()).T for a in angles]) * side + place


def test_corners_are_those_of_the_ffhq_formula() -> None:
    corners = torch.tensor([[0, 0], [0, 1], [1, 1], [1, 0]]).double()
    points = random_points(200).double()
    matrix = ffhq_matrix(points)
    assert matrix.shape == (200, 3, 3)
    for one, m in zip(points, matrix, strict=True):
        quad = torch.from_numpy(ffhq_quad(one.numpy()))
        found = torch.cat([quad, torch.ones(4, 1)], 1) @ m.T
        torch.testing.assert_close(found[:, :2], corners, atol=1e-9, rtol=0)
        assert m[2].tolist() == [0, 0, 1]


def test_crop_keeps_that_precision_in_a_large_photo() -> None:
    points = random_points(50)
    crop = Crop.from_points(points, (8000, 8000))
    for i, one in enumerate(points):
        quad = torch.from_numpy(ffhq_quad(one.double().numpy())).float()
        found = crop.select(i).to_image(torch.tensor([[0, 0], [0, 1], [1, 1], [1, 0]]).float()[None, None])[0, 0]
        torch.testing.assert_close(found, quad, atol=0.02, rtol=0)
        assert crop.side[i].item() == pytest.approx((quad[3] - quad[0]).norm().item(), rel=1e-4)


def test_matrix_and_inverse_belong_together() -> None:
    crop = Crop.from_points(random_points(100), (4000, 4000))
    product = crop.matrix.double() @ crop.inverse.double()
    torch.testing.assert_close(product, torch.eye(3).double().expand(100, 3, 3), atol=2e-4, rtol=0)
    points = torch.rand(100, 3, 4, 2)
    torch.testing.assert_close(crop.to_crop(crop.to_image(points)), points, atol=2e-4, rtol=0)


def test_vectors_turn_and_grow_with_the_crop() -> None:
    crop = square_crop((500, 500), (200, 250), 80, 90)
    pixels = crop.vectors_to_image(torch.tensor([[[[0.5, 0.0], [0.0, 0.25]]]]))
    torch.testing.assert_close(pixels[0, 0], torch.tensor([[0.0, 40.0], [-20.0, 0.0]]), atol=1e-3, rtol=0)


def test_degenerate_points_stay_finite() -> None:
    assert ffhq_matrix(torch.full((1, 5, 2), 50.0)).isfinite().all()


def test_select_widen_and_whole() -> None:
    crop = Crop.from_points(random_points(3), (4000, 4000), (0.9, 0.8, 0.7))
    one = crop.select(1)
    assert (one.batch, one.score) == (1, (0.8,))
    assert torch.equal(one.matrix, crop.matrix[1:2])
    wide = one.widen(1.5)
    assert wide.side.item() == pytest.approx(1.5 * one.side.item(), rel=1e-4)
    middle = torch.full((1, 1, 1, 2), 0.5)
    torch.testing.assert_close(wide.to_image(middle), one.to_image(middle), atol=0.05, rtol=1e-5)
    whole = Crop.whole(torch.zeros(2, 3, 64, 64))
    assert whole.batch == 2
    assert whole.bounds() == (0, 0, 64, 64)
    torch.testing.assert_close(whole.side, torch.tensor([64.0, 64.0]))


def test_aligning_the_whole_picture_changes_nothing() -> None:
    picture = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Crop.whole(picture).aligned(picture, 48), picture, atol=1e-4, rtol=0)


def test_frontality() -> None:
    frontal = square_crop((200, 200), (100, 100), 100, 35)
    assert frontal.frontality.item() == pytest.approx(1, abs=1e-4)
    aside = frontal.points.clone()
    aside[0, 2] += turn(35) @ torch.tensor([12.5, 0])  # half an eye distance
    assert Crop.from_points(aside, (200, 200)).frontality.item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("center", "side", "expected"),
    [
        ((100, 60), 50, (75, 35, 125, 85)),
        ((0, 0), 50, (0, 0, 25, 25)),
        ((210, 160), 100, (160, 110, 200, 150)),
        ((100, 75), 1000, (0, 0, 200, 150)),
    ],
)
def test_bounds_are_clipped_to_the_picture(
    center: tuple[int, int], side: int, expected: tuple[int, int, int, int]
) -> None:
    bounds = square_crop((150, 200), center, side).bounds()
    assert max(abs(a - b) for a, b in zip(bounds, expected, strict=True)) <= 1
    assert 0 <= bounds[0] <= bounds[2] <= 200
    assert 0 <= bounds[1] <= bounds[3] <= 150


@pytest.mark.parametrize("center", [(-500, 50), (900, 50), (100, -400), (100, 900)])
def test_bounds_of_a_crop_outside_are_empty(center: tuple[int, int]) -> None:
    x0, y0, x1, y1 = square_crop((150, 200), center, 60).bounds()
    assert x0 == x1 or y0 == y1
    assert 0 <= x0 <= x1 <= 200
    assert 0 <= y0 <= y1 <= 150


def turned_copy(picture: Tensor, points: Tensor, degrees: float, scale: float) -> tuple[Tensor, Tensor]:
    """The picture turned about its middle and resized, and where its points ``[5,2]`` come to lie."""
    size = round(picture.shape[2] * scale)
    linear = turn(degrees) * scale
    here, there = torch.tensor(picture.shape[:1:-1]) / 2, torch.tensor([size, size]) / 2
    source = (pixel_centers(size, size) * size - there) @ torch.linalg.inv(linear).T + here
    return sample_image(picture, source, "bicubic").clamp(0, 1), (points - here) @ linear.T + there


@pytest.mark.parametrize(("degrees", "scale"), [(25, 1.0), (-40, 1.7), (170, 1.3)])
def test_aligned_does_not_depend_on_turn_and_scale(astronaut: Tensor, crop: Crop, degrees: float, scale: float) -> None:
    copy, points = turned_copy(astronaut, crop.points[0], degrees, scale)
    other = Crop.from_points(points[None], tuple(copy.shape[2:]))
    a, b = crop.aligned(astronaut, 96), other.aligned(copy, 96)
    assert a.shape == (1, 3, 96, 96)
    assert (a - b).abs().mean() < 0.01
    assert (a - b.roll(2, 3)).abs().mean() > 0.03  # the comparison would notice two pixels


@pytest.mark.parametrize(("degrees", "scale"), [(20, 1.0), (-15, 1.6), (90, 1.0), (-70, 1.0), (180, 0.8)])
def test_a_turned_face_is_found_where_it_is(
    astronaut: Tensor, crop: Crop, finder: Remembering, degrees: float, scale: float
) -> None:
    head, there = astronaut[..., :256, 96:352], crop.points[0] - torch.tensor([96, 0])
    copy, points = turned_copy(head, there, degrees, scale)
    found, _ = align(copy, finder)
    error = (found.points[0] - points).norm(dim=-1).max() / (crop.side * scale)
    assert error < 0.03
    assert (crop.aligned(astronaut, 96) - found.aligned(copy, 96)).abs().mean() < 0.05


def test_aligned_is_antialiased() -> None:
    stripes = torch.zeros(1, 3, 400, 400)
    stripes[..., ::2] = 1
    small = square_crop((400, 400), (200, 200), 300, 10).aligned(stripes, 32)
    assert (small - 0.5).abs().max() < 0.1


def test_crop_beyond_the_border_repeats_its_colors() -> None:
    picture = torch.zeros(1, 3, 80, 80)
    picture[:, 0, :, :40] = 1
    picture[:, 1, :, 40:] = 1
    crop = square_crop((80, 80), (40, 40), 200)
    out, within = crop.aligned(picture, 50), crop.within(50)
    assert within[..., 15:35, 15:35].min() == 1
    assert within.sum() == 20 * 20
    torch.testing.assert_close(out[0, :, 25, 0], torch.tensor([1.0, 0, 0]))
    torch.testing.assert_close(out[0, :, 0, 49], torch.tensor([0, 1.0, 0]))
    assert square_crop((80, 80), (-300, 40), 60).aligned(picture, 16).isfinite().all()
    assert square_crop((1, 1), (0.5, 0.5), 30).aligned(torch.full((1, 3, 1, 1), 0.25), 16).mean() == 0.25


def face(x0: float, y0: float, size: float, score: float) -> Detection:
    box = torch.tensor([x0, y0, x0 + size, y0 + size])
    return Detection(box, FACE * size + torch.tensor([x0, y0]), score)


def test_orders() -> None:
    a, b, c = face(300, 50, 100, 0.7), face(10, 200, 60, 0.9), face(150, 0, 30, 0.8)
    expected = {
        "largest": [a, b, c],
        "left-right": [b, c, a],
        "right-left": [a, c, b],
        "top-bottom": [c, a, b],
        "bottom-top": [b, a, c],
        "confidence": [b, c, a],
    }
    assert set(expected) == set(ORDERS)
    for order, faces in expected.items():
        assert [id(f) for f in sort_faces([c, a, b], order)] == [id(f) for f in faces]
    with pytest.raises(ValueError, match=r"'biggest'.*largest.*confidence"):
        sort_faces([a], "biggest")


@pytest.fixture(scope="module")
def pair(astronaut: Tensor) -> Tensor:
    """A large astronaut at the left of x = 220, a small one at the right."""
    head = astronaut[:, :, :220, 110:330]
    picture = torch.full((1, 3, 260, 330), 0.5)
    picture[:, :, :220, :220] = head
    picture[:, :, 150:, 220:] = F.interpolate(head, (110, 110), mode="bilinear", antialias=True)
    return picture


def where(crop: Crop) -> tuple[str, float]:
    return "left" if crop.points[0, :, 0].mean() < 220 else "right", crop.side.item()


def test_two_faces(pair: Tensor, finder: Remembering, crop: Crop) -> None:
    big, faces = align(pair, finder)
    assert len(faces) == 1
    assert len(faces[0]) == 2
    assert where(big) == ("left", pytest.approx(crop.side.item(), rel=0.05))
    assert 0.5 < big.score[0] <= 1
    second, _ = align(pair, finder, index=1)
    assert where(second) == ("right", pytest.approx(crop.side.item() / 2, rel=0.08))
    assert where(align(pair, finder, order="right-left")[0])[0] == "right"
    assert where(align(pair, finder, index=1, order="right-left")[0])[0] == "left"
    assert where(align(pair, finder, order="bottom-top")[0])[0] == "right"


@pytest.mark.parametrize("index", [2, -1])
def test_face_index_out_of_range(pair: Tensor, finder: Remembering, index: int) -> None:
    with pytest.raises(FaceNotFound, match=rf"number {index} .*there are 2.*[Ll]ower the face index"):
        align(pair, finder, index=index)


def test_mask_chooses(pair: Tensor, finder: Remembering) -> None:
    mask = torch.zeros(1, 260, 330)
    mask[..., 220:] = 1
    chosen, faces = align(pair, finder, mask=mask)
    assert where(chosen)[0] == "right"
    assert len(faces[0]) == 1
    with pytest.raises(FaceNotFound, match=r"2 face.*none inside the mask.*[Pp]aint"):
        align(pair, finder, mask=torch.zeros(1, 260, 330))
    with pytest.raises(FaceNotFound, match="number 1"):
        align(pair, finder, index=1, mask=mask)


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 260, 330)])
def test_mask_that_does_not_fit(pair: Tensor, finder: Remembering, shape: tuple[int, int, int]) -> None:
    batch = pair.expand(3, -1, -1, -1)[: 3 if shape[0] == 2 else 1]
    with pytest.raises(ValueError, match=r"(?i)mask"):
        align(batch, finder, mask=torch.ones(shape))


def test_batch(astronaut: Tensor, finder: Remembering, crop: Crop) -> None:
    head = astronaut[:, :, :220, 110:330]
    both = torch.cat([head, head.flip(3)])
    found, faces = align(both, finder)
    assert found.batch == len(faces) == len(found.score) == 2
    points = found.points[0] + torch.tensor([110, 0])
    torch.testing.assert_close(points, crop.points[0], atol=2.5, rtol=0)
    mirrored = found.points[1][[1, 0, 2, 4, 3]] * torch.tensor([-1, 1]) + torch.tensor([330, 0])
    torch.testing.assert_close(mirrored, crop.points[0], atol=2.5, rtol=0)
    assert found.aligned(both, 64).shape == (2, 3, 64, 64)
    one, _ = align(torch.cat([torch.full_like(head, 0.5), head]), finder)
    assert (one.of_picture, one.pictures) == ((1,), 2)
    with pytest.raises(FaceNotFound, match="picture 1 of 2"):
        align(torch.full_like(both, 0.5), finder)


def test_no_face(finder: Remembering) -> None:
    coffee = torch.from_numpy(skimage.data.coffee()[::2, ::2].copy()).permute(2, 0, 1)[None].float() / 255
    with pytest.raises(FaceNotFound, match=r"No face found \(300x200 pixels\).*threshold.*larger.*upright.*detector"):
        align(coffee, finder)


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (7, 5)])
def test_tiny_pictures(finder: Remembering, shape: tuple[int, int]) -> None:
    with pytest.raises(FaceNotFound, match="No face"):
        align(torch.rand(1, 3, *shape), finder)


def test_picture_with_nan(astronaut: Tensor, finder: Remembering) -> None:
    broken = astronaut.clone()
    broken[0, 0, 5, 5] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        align(broken, finder)


def test_small_face(astronaut: Tensor, finder: Remembering, crop: Crop) -> None:
    scale = 70 / crop.side.item()  # the face itself is about 40 pixels wide
    small = F.interpolate(astronaut, scale_factor=scale, mode="bilinear", antialias=True)
    found, _ = align(small, finder)
    error = (found.points / scale - crop.points).norm(dim=-1).max() / crop.side
    assert error < 0.05


def test_face_partly_out_of_the_picture(astronaut: Tensor, finder: Remembering, crop: Crop) -> None:
    cut = astronaut[:, :, 60:, 170:].contiguous()  # forehead and the crop's left edge are missing
    found, _ = align(cut, finder)
    error = (found.points + torch.tensor([170, 60]) - crop.points).norm(dim=-1).max() / crop.side
    assert error < 0.06
    x0, y0, x1, y1 = found.bounds()
    assert (x0, y0) == (0, 0)
    assert x1 < cut.shape[3]
    assert y1 < cut.shape[2]
    assert found.aligned(cut, 64).isfinite().all()
    out, changed = warp(cut, found, smooth_field(0.05))
    assert changed.any()
    assert torch.equal(out[..., y1:, :], cut[..., y1:, :])


def test_grey_photo(astronaut: Tensor, finder: Remembering, crop: Crop) -> None:
    grey = astronaut.mean(1, keepdim=True).expand(-1, 3, -1, -1)  # a view, as the command line makes it
    found, _ = align(grey, finder)
    assert (found.points - crop.points).norm(dim=-1).max() / crop.side < 0.03
    assert found.aligned(grey[:, :1], 32).shape == (1, 1, 32, 32)


def test_threshold(astronaut: Tensor, finder: Remembering) -> None:
    with pytest.raises(FaceNotFound, match="threshold"):
        align(astronaut[:, :, :220, 110:330], finder, threshold=0.9999)
    with pytest.raises(ValueError, match="threshold"):
        align(astronaut, finder, threshold=7)


def test_works_in_inference_mode(astronaut: Tensor, finder: Remembering, crop: Crop) -> None:
    with torch.inference_mode():
        found, _ = align(astronaut.clone(), finder)
        assert torch.equal(found.points, crop.points)
        assert found.aligned(astronaut, 32).shape == (1, 3, 32, 32)


def test_a_large_photo_is_read_once_and_tells_the_same(finder: Detector, astronaut: Tensor) -> None:
    """Looks at a face of thousands of pixels are looks at a smaller picture of it, and find what they would find in the photo."""
    crop, _ = align(astronaut, finder)
    times = 2 * ENOUGH / crop.side.item()
    size = [round(n * times) for n in astronaut.shape[2:]]
    photo = F.interpolate(astronaut, size, mode="bilinear")
    rough = Crop.from_points(crop.points * (size[0] / astronaut.shape[2]) + 3, tuple(size))
    near, corner, reduced = close_up(photo, rough)
    assert reduced >= 2
    assert near.shape[3] * reduced < photo.shape[3]
    assert ((rough.points[0, 2] - corner) / reduced - near.shape[3] / 2).abs().max() < near.shape[3] / 4
    found = studied(photo, rough)
    whole = load_landmarks().refine(photo, rough)
    whole = replace(whole, landmarks=to_the_lips(photo, whole))
    miss = (found.places - whole.places).abs()
    assert miss.max() < 2 * STEP  # lips are looked for in steps
    miss[:, UPPER[1] + LOWER[1]] = 0
    assert miss.max() < 1e-3
    assert (found.view - view(photo, whole)).abs().mean() < 0.004


def test_a_doubtful_face_is_said_to_be_one(crop: Crop) -> None:
    assert not doubts(crop)
    assert "may be none" in " ".join(doubts(replace(crop, score=(0.82,))))
    gapes = crop.landmarks.clone()
    gapes[:, [AT[i] for i in LIPS_INNER[1:10]], 1] += 0.15 * crop.side[0]
    assert "open so wide" in " ".join(doubts(replace(crop, landmarks=gapes)))


def test_an_open_mouth_has_its_teeth_on_the_face_square_too(crop: Crop, astronaut: Tensor) -> None:
    """Drawings and previews edit the square; what is known of the face in the photo holds there."""
    laugh = preset("laugh")
    there = crop.aligned(warp(astronaut, crop, laugh)[0], 256)
    square = crop.aligned(astronaut, 256)
    here = warp(square, crop.on_squares(square), laugh)[0]
    bare = warp(square, replace(Crop.whole(square), landmarks=crop.places * 256), laugh)[0]
    mouth = (..., slice(160, 210), slice(88, 168))
    wrong, without = ((one - there)[mouth].abs().mean() for one in (here, bare))
    assert wrong < 0.4 * without
