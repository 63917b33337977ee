"""Training: captions that mean what they say, colours and shapes that are measured right, a loop that can be resumed."""

from __future__ import annotations

import argparse
import random
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from flow_core.faces.landmarks import AT, EYES, MIRROR
from flow_core.geometry.crop import Crop
from flow_core.geometry.sampling import interpolate
from flow_core.io.picture import Picture, write
from flow_core.train import attributes, captions, colors, data, faces, loop, views

NAMES = [c.name for c in attributes.CONCEPTS]


@pytest.fixture(scope="module")
def face(crop: Crop) -> Tensor:
    """The astronaut's landmarks ``[1,161,2]`` in the crop frame."""
    assert crop.landmarks is not None
    return crop.places


@pytest.fixture(scope="module")
def scale(face: Tensor) -> attributes.Scale:
    crowd = face + 0.01 * torch.randn(200, 161, 2, generator=torch.Generator().manual_seed(0))
    return attributes.Scale.fit(crowd, ["baby", "teenager", "wrinkly 70 year old senior", ""] * 50)


def score(scale: attributes.Scale, points: Tensor, before: Tensor) -> dict[str, float]:
    scores = scale.scores(scale.standard(points, attributes.pose(before)))
    return dict(zip(NAMES, scores[0].tolist(), strict=True))


def test_there_are_sixty_attributes_and_colors() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert len(NAMES) - len(colors.COLORS) >= 60 - 25
    assert len(NAMES) >= 60
    assert {c.color for c in attributes.CONCEPTS if c.color} == set(colors.COLORS)


@pytest.mark.parametrize(
    ("moved", "way", "up", "down"),
    [
        ((61, 291), (0, -0.03), "smile", "sadness"),
        ((107, 336, 105, 334), (0, 0.03), "anger", "brows raised"),
        ((105, 334, 107, 336, 66, 296), (0, -0.03), "brows raised", "brows lowered"),
        ((159, 386), (0, -0.02), "eyes wide", "sleepy"),
        ((14, 17, 152), (0, 0.04), "mouth open", "mouth closed"),
        ((152, 148, 377), (0, 0.04), "chin long", "chin short"),
    ],
)
def test_a_movement_is_what_it_is_called(
    scale: attributes.Scale, face: Tensor, moved: tuple[int, ...], way: tuple[float, float], up: str, down: str
) -> None:
    other = face.clone()
    other[:, [AT[i] for i in moved]] += torch.tensor(way)
    before, after = score(scale, face, face), score(scale, other, face)
    assert after[up] > before[up] + 0.5
    assert after[down] < before[down] - 0.5


def test_a_warp_counts_as_the_teacher_sees_it(scale: attributes.Scale, face: Tensor) -> None:
    design = attributes.pose(face)
    torch.testing.assert_close(scale.moved(face, face, design), scale.standard(face, design))
    other = face.clone()
    other[:, [AT[107]], 0] += 0.004
    other[:, [AT[336]], 0] -= 0.004
    at = list(attributes.SEEN).index("brow gap")
    full = attributes.raw(other)[0, at] - attributes.raw(face)[0, at]
    seen = (scale.moved(face, other, design) - scale.moved(face, face, design))[0, at] * scale.spread[at]
    assert seen == pytest.approx(full.item() * attributes.SEEN["brow gap"], rel=1e-3)
    assert set(attributes.SEEN) == set(attributes.measures(face))


def test_whole_brows_move_in_pairs(face: Tensor) -> None:
    one = torch.ones(1)
    for inwards, down, turned in ((0.02, 0, 0), (0, 0.02, 0), (0, 0, 0.2)):
        after = face + views._brows(face, inwards * one, down * one, turned * one)
        before, now = attributes.measures(face), attributes.measures(after)
        assert (now["brow gap"] < before["brow gap"]) or not inwards
        assert (now["brows up"] < before["brows up"]) or not down
        assert (now["brow slant"] > before["brow slant"]) or not turned
        torch.testing.assert_close(now["eyes open"], before["eyes open"])


def test_shape_is_told_alike_in_a_mirror(scale: attributes.Scale, face: Tensor) -> None:
    mirrored = torch.stack([1 - face[:, list(MIRROR), 0], face[:, list(MIRROR), 1]], -1)
    a, b = (attributes.measures(p) for p in (face, mirrored))
    for name, value in a.items():
        torch.testing.assert_close(value, b[name], msg=name)


@pytest.mark.parametrize("name", sorted(colors.COLORS))
def test_paint_is_measured_as_its_color(astronaut: Tensor, crop: Crop, face: Tensor, name: str) -> None:
    lab = colors.to_lab(crop.aligned(astronaut, 112))
    masks = colors.masks(face, lab)
    region, ideal = colors.COLORS[name]
    ideal = torch.tensor([ideal]).float()
    if colors.REGIONS[region].relative:
        ideal = ideal + colors.mean_color(lab, masks["skin"])
    shift = ideal - colors.mean_color(lab, masks[region])
    painted = lab + masks[region] / masks[region].max() * shift[:, :, None, None]
    column = list(colors.COLORS).index(name)
    before, after = (colors.measure(x, masks)[0] for x in (lab, painted))
    assert after[column] > 1.2
    assert after[column] > before[column] or before[column] > 2
    own = [i for i, (r, _) in enumerate(colors.COLORS.values()) if r == region]
    assert after[own].argmax() == own.index(column)


def test_lab_and_back(astronaut: Tensor) -> None:
    torch.testing.assert_close(colors.to_rgb(colors.to_lab(astronaut)), astronaut, atol=2e-3, rtol=0)


def test_no_caption_repeats_a_held_out_phrasing() -> None:
    held_out = captions.held_out()
    assert len(held_out) >= 100
    assert len({k for k, _ in held_out}) >= 60
    refused = frozenset(phrase for _, phrase in held_out)
    rng = random.Random(0)
    made = {captions.caption(rng, refused).text for _ in range(20_000)}
    assert len(made) > 15_000
    assert not refused & made


def test_captions_use_the_vocabulary_only() -> None:
    words, rng = set(captions.vocabulary()), random.Random(1)
    for _ in range(5_000):
        text = captions.caption(rng).text
        assert set(re.findall(r"[^\W\d_]+", text.lower())) <= words, text


def test_truth_of_captions() -> None:
    smile, red = NAMES.index("smile"), NAMES.index("lips red")
    scores = torch.zeros(3, len(NAMES))
    scores[:, smile] = torch.tensor([-1.0, 0.7, 2.5])
    zero = torch.zeros_like(scores)

    def p(shift: float, truth: bool) -> Tensor:
        return captions.Caption("", ((smile, shift, truth),)).probability(scores, zero)

    assert (p(0, True).diff() > 0.2).all()
    assert (p(0, False).diff() < -0.2).all()
    assert (p(0.6, True) < p(0, True)).all()
    assert (p(-0.4, True) > p(0, True)).all()
    both = captions.Caption("", ((smile, 0.0, True), (red, 0.0, True)))
    assert (both.probability(scores, zero) < p(0, True)).all()
    assert both.of_color
    assert not captions.Caption("", ((smile, 0.0, True),)).of_color
    labels = attributes.label_logits(["happiness", "", "anger"])
    assert labels[0, smile] > 0 == labels[1, smile] > labels[2, smile]


def test_lids_move_with_the_picture(face: Tensor) -> None:
    """Where lids have moved to, the warped picture shows what was at the lids; some faces wink; nothing but lids moves."""
    faces = face.expand(64, -1, -1)
    moved, offset = views.blinks(faces, torch.Generator().manual_seed(0))
    back = moved + interpolate(offset, moved[:, :, None])[..., 0].mT
    rest = [i for i in range(faces.shape[1]) if i not in {AT[k] for eye in EYES for k in eye}]
    assert torch.equal(moved[:, rest], faces[:, rest])
    openings = []
    for eye in EYES:
        lids = [AT[i] for i in eye]
        opened, was = (p[:, AT[eye[4]], 1] - p[:, AT[eye[12]], 1] for p in (moved, faces))
        openings.append(opened / was)
        clear = openings[-1] > 0.5  # below it both lids come to lie in one cell of the raster
        assert (back - faces)[clear][:, lids].norm(dim=-1).max() < 0.15 * was[0]
        assert openings[-1].min() < 0.25
        assert openings[-1].max() > 1.2
    assert ((openings[0] - openings[1]).abs() > 0.4).float().mean() > 0.2


def test_landmarks_move_with_the_picture(face: Tensor) -> None:
    """A point that is carried along is the one from which the backward warp takes its place."""
    field = views.random_warp(face.expand(8, -1, -1), torch.Generator().manual_seed(0))
    moved = views.carry(face.expand(8, -1, -1), field)
    back = moved + views.interpolate(field, moved[:, :, None])[..., 0].mT
    torch.testing.assert_close(back, face.expand(8, -1, -1), atol=1e-3, rtol=0)
    assert (moved - face).norm(dim=-1).amax(1).min() > 0.003


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        return {"error": (self.layer(x)[:, 0] - y).square().mean()}


def batch(seed: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(seed))
    return x, x @ torch.tensor([1.0, -2.0, 3.0])


def options(folder: Path, *extra: str) -> argparse.Namespace:
    ap = loop.arguments("line", "a line", folder / "line.safetensors", 300, 16, 0.1)
    return ap.parse_args(["--data", str(folder), "--checkpoint", str(folder / "line.pt"), *extra])


def line(seed: int = 0) -> Line:
    torch.manual_seed(seed)
    return Line()


def test_the_loop_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = line()
    loop.fit(model, batch, options(tmp_path))
    torch.testing.assert_close(model.layer.weight[0], torch.tensor([1.0, -2.0, 3.0]), atol=0.05, rtol=0)
    assert "step 300/300  error" in capsys.readouterr().out


def test_a_stopped_training_goes_on(tmp_path: Path) -> None:
    whole, stopped, resumed = line(), line(), line(5)
    o = options(tmp_path, "--steps", "400")
    loop.fit(whole, batch, o)

    def stop(seed: int) -> tuple[Tensor, Tensor]:
        if seed == 250:
            raise KeyboardInterrupt
        return batch(seed)

    with pytest.raises(KeyboardInterrupt):
        loop.fit(stopped, stop, o)
    loop.fit(resumed, batch, options(tmp_path, "--steps", "400", "--resume"))
    torch.testing.assert_close(resumed.layer.weight, whole.layer.weight)


def test_saved_weights_are_half_but_for_statistics(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    loop.save(net, tmp_path / "w.safetensors", {})
    kept = load_file(tmp_path / "w.safetensors")
    assert kept["0.weight"].dtype == torch.float16
    assert kept["1.running_var"].dtype == torch.float32
    net.load_state_dict(kept)


def test_photographs_become_training_data(
    tmp_path: Path, astronaut: Tensor, portraits: dict[str, Tensor], crop: Crop, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "data"
    (photos / "smiling").mkdir(parents=True)
    write(Picture(astronaut), photos / "smiling" / "a.png")
    write(Picture(portraits["grace_hopper"]), photos / "b.jpg")
    write(Picture(torch.rand(1, 3, 90, 90)), photos / "noise.png")
    (photos / "broken.jpg").write_bytes(b"no picture")
    faces.main([str(photos), "-o", str(out), "--landmarks", "builtin"])
    told = capsys.readouterr().out
    assert "2 faces of 4 pictures" in told
    assert "noise.png: No face" in told
    assert "broken.jpg" in told
    train, test = data.load(out)
    assert (len(train), len(test)) == (2, 0)
    assert sorted(train.label) == ["", "smiling"]
    one = views.Views(train.select(torch.tensor([train.label.index("smiling")])), 0)
    assert crop.landmarks is not None
    torch.testing.assert_close(one.points[0], crop.to_crop(crop.landmarks[:, None])[0, 0], atol=0.01, rtol=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="holds no pictures"):
        faces.main([str(tmp_path / "empty"), "-o", str(out)])
    with pytest.raises(SystemExit, match=r"neither expressions\.zip nor portraits\.zip.*train faces"):
        data.load(tmp_path / "empty")
