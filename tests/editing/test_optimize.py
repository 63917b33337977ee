"""Optimisation: reproducible, well-behaved, tidy when it is stopped, and a smile is a smile."""

from __future__ import annotations

import copy
import gc
import weakref
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
import torch.nn.functional as F
from helpers import same_bits, smooth_field
from torch import Tensor

from flow_core.editing import parameters
from flow_core.editing.optimize import Priors, Settings, Step, optimize, report
from flow_core.faces.regions import region_mask
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt
from flow_core.warping.jacobian import fold_share
from flow_core.warping.warp import warp

SMILE = Prompt.parse("a smiling face")
TAN = Prompt.parse("a tanned face")
QUICK = Settings(steps=8, views=2)


class Run:
    """Short optimisations of the astronaut; equal ones are computed once."""

    def __init__(self, photo: Tensor, crop: Crop, guide: Guide) -> None:
        self.photo, self.crop, self.guide = photo, crop, guide
        self.steps = lru_cache(None)(self._steps)

    def _steps(self, prompt: Prompt = SMILE, **changes: object) -> list[Step]:
        settings = replace(QUICK, **changes)
        return list(optimize(self.photo, self.crop, Field.zeros(12), self.guide, prompt, settings))

    def field(self, **changes: object) -> Field:
        return self.steps(**changes)[-1].field


@pytest.fixture(scope="module")
def run(astronaut: Tensor, crop: Crop, guide: Guide) -> Run:
    return Run(astronaut, crop, guide)


@pytest.fixture(scope="module")
def hopper(portraits: dict[str, Tensor], crops: dict[str, Crop]) -> tuple[Tensor, Crop]:
    return portraits["grace_hopper"], crops["grace_hopper"]


def test_steps(run: Run) -> None:
    steps = run.steps()
    assert [s.index for s in steps] == list(range(1, 9))
    assert {s.total for s in steps} == {8}
    for step in steps:
        parts = {k: v for k, v in step.losses.items() if k != "total"}
        assert {"guide", "modes", "bending", "magnitude", "fold", "symmetry", "drift"} == set(parts)
        assert all(v >= 0 for v in parts.values())
        assert step.losses["total"] == pytest.approx(sum(parts.values()), rel=1e-4)
    assert steps[0].losses["guide"] > 0
    assert steps[-1].preview().shape == steps[-1].aligned.shape == (1, 3, 140, 140)
    assert not torch.equal(steps[-1].preview(), steps[-1].aligned)


def test_field_says_what_made_it(run: Run) -> None:
    meta = run.field(seed=3).meta
    assert meta["prompt"] == "a smiling face"
    assert meta["neutral"] == SMILE.neutral
    assert meta["guide"] == run.guide.name
    assert (meta["seed"], meta["steps"], meta["preserve"]) == (3, 8, 0.5)
    assert meta["gain"] == pytest.approx(run.steps(seed=3)[-1].gain, abs=1e-3)


def test_result_is_detached_and_kept(run: Run) -> None:
    first, last = run.steps()[0].field, run.steps()[-1].field
    assert not first.offset.requires_grad
    assert not last.color.requires_grad
    assert not torch.equal(first.offset, last.offset)  # later steps do not write into earlier results
    assert not last.offset.is_inference()


def test_same_seed_same_field(run: Run) -> None:
    again = run._steps()[-1].field
    assert same_bits(again.offset, run.field().offset)
    assert same_bits(again.color, run.field().color)


def test_caller_s_random_state_neither_matters_nor_changes(run: Run) -> None:
    torch.manual_seed(77)
    expected = torch.rand(2)
    torch.manual_seed(77)
    assert same_bits(run._steps()[-1].field.offset, run.field().offset)
    assert torch.equal(torch.rand(2), expected)


def test_other_seed_other_field(run: Run) -> None:
    assert not torch.equal(run.field().offset, run.field(seed=1).offset)


def test_gain_grows(edits: Edits, name: str) -> None:
    first, *_, last = edits.steps(name, "a smiling face")
    assert abs(first.gain) < 0.3  # nothing has moved yet
    assert last.gain > first.gain + 1
    assert last.losses["guide"] < first.losses["guide"] / 2


@pytest.mark.slow
def test_preserve_is_the_dial_from_bold_to_careful(run: Run) -> None:
    def moved(preserve: float) -> float:
        return run.field(steps=50, preserve=preserve).offset.square().mean().item()

    assert moved(1) < moved(0.5) < moved(0)
    assert moved(1) < moved(0) / 2


def test_preserve_scales_all_priors_but_the_fold_guard() -> None:
    base = Priors()
    assert base.scaled(0.5) == base
    bold, careful = base.scaled(0), base.scaled(1)
    for name in ("bending", "magnitude", "symmetry", "modes", "drift", "color"):
        assert getattr(bold, name) == pytest.approx(getattr(base, name) / 8)
        assert getattr(careful, name) == pytest.approx(getattr(base, name) * 8)
    assert bold.fold == careful.fold == base.fold


@pytest.mark.parametrize("limit", [0.02, 0.3])
def test_color_limit_holds(run: Run, limit: float) -> None:
    free = Priors(color=0.0)
    color = run.field(prompt=TAN, color_limit=limit, priors=free, lr=0.2).color
    assert color.abs().max() <= limit
    assert color.abs().max() > limit / 4


def test_a_shape_prompt_does_not_recolor(run: Run) -> None:
    assert not run.field().color.any()
    assert run.field().offset.any()


def test_a_color_prompt_does_not_deform(run: Run) -> None:
    field = run.field(prompt=TAN)
    assert not field.offset.any()
    assert field.color.any()
    assert len(run.steps(prompt=TAN)) == 1  # what is named is there from the start


def test_a_color_that_the_table_does_not_have_is_sought(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "named_tints", lambda *_: {})
    steps = run.steps(prompt=TAN, seed=9)  # another seed, for equal runs are computed once
    assert len(steps) > 1
    assert "color" in steps[-1].losses
    assert steps[-1].field.color.any()


def test_a_prompt_for_both_does_both(run: Run) -> None:
    field = run.field(prompt=Prompt.parse("a smiling face | a tanned face"))
    assert field.offset.any()
    assert field.color.any()


def test_color_stays_in_its_region(run: Run) -> None:
    """Of a tan on the skin, the crop's corners see nothing, and the eyes little."""
    field = run.field(prompt=TAN, steps=16)
    assert run.crop.landmarks is not None
    points = run.crop.places
    size = field.size[0]
    skin, eyes = (region_mask(points, name, size) for name in ("skin", "irises"))
    length = field.color.norm(dim=1, keepdim=True)
    mean = {"skin": (length * skin).sum() / skin.sum(), "eyes": (length * eyes).sum() / eyes.sum()}
    assert mean["skin"] > 3 * mean["eyes"]
    assert not length[..., : size // 8, : size // 8].any()


def test_color_limit_zero_leaves_colors_alone(astronaut: Tensor, crop: Crop, guide: Guide, run: Run) -> None:
    assert not run.field(prompt=TAN, color_limit=0.0).color.any()
    start = smooth_field(0.001, 0.05, size=12)
    *_, last = optimize(astronaut, crop, start, guide, TAN, replace(QUICK, steps=2, color_limit=0.0))
    assert same_bits(last.raw.color, start.color)


def test_goes_on_from_an_earlier_field(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    start = smooth_field(0.01, 0.03, size=12)
    [step] = optimize(astronaut, crop, start, guide, SMILE, replace(QUICK, steps=1, lr=1e-6))
    torch.testing.assert_close(step.raw.offset, start.offset, atol=1e-5, rtol=0)
    torch.testing.assert_close(step.raw.color, start.color, atol=1e-4, rtol=0)
    before = smooth_field(0.01, 0.03, size=12)
    assert same_bits(start.offset, before.offset)
    assert step.raw.size == (12, 12)
    [again] = optimize(astronaut, crop, step.field, guide, SMILE, replace(QUICK, steps=1, lr=1e-6))  # a velocity
    points = pixel_centers(64, 64)
    torch.testing.assert_close(again.raw.flow()(points).offset, start.flow()(points).offset, atol=4e-4, rtol=0)


def test_negative_weight_moves_away(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    *_, away = optimize(
        astronaut, crop, Field.zeros(12), guide, Prompt.parse("a smiling face:-1"), replace(QUICK, steps=20)
    )
    *_, towards = optimize(astronaut, crop, Field.zeros(12), guide, SMILE, replace(QUICK, steps=20))
    text = guide.encode_text(["a smiling face"])[0] - guide.encode_text(["a face"])[0]
    scores = [
        (guide.encode_image(crop.aligned(warp(astronaut, crop, f)[0], 140)) @ text).item()
        for f in (away.field, Field.zeros(2), towards.field)
    ]
    assert scores[0] < scores[1] < scores[2]
    assert away.gain > 0  # along the prompt, whose sign is negative


def test_batch_of_two(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    size = (220, 220)
    photos = torch.cat([astronaut[:, :, :220, 110:330], astronaut[:, :, :220, 110:330].flip(3)])
    left = crop.points - torch.tensor([110, 0])
    right = (left * torch.tensor([-1, 1]) + torch.tensor([220, 0]))[:, [1, 0, 2, 4, 3]]
    both = Crop.from_points(torch.cat([left, right]), size)
    steps = list(optimize(photos, both, Field.zeros(12), guide, SMILE, replace(QUICK, steps=16)))
    field = steps[-1].field
    assert field.batch == 2
    assert steps[-1].preview().shape[0] == 2
    text = guide.encode_text(["a smiling face"])[0] - guide.encode_text(["a face"])[0]
    edited, _ = warp(photos, both, field)
    gain = (guide.encode_image(both.aligned(edited, 140)) - guide.encode_image(both.aligned(photos, 140))) @ text
    assert (gain > 0).all()
    assert not torch.equal(field.offset[0], field.offset[1])
    # one picture for two faces
    *_, shared = optimize(
        photos[:1], Crop.from_points(left.expand(2, -1, -1), size), Field.zeros(12), guide, SMILE, QUICK
    )
    assert shared.field.batch == 2


@pytest.mark.slow
def test_faces_of_a_batch_have_their_own_prompts_and_the_edits_of_single_runs(
    run: Run, hopper: tuple[Tensor, Crop], guide: Guide
) -> None:
    photos, crops = zip((run.photo, run.crop), hopper, strict=True)
    height = max(p.shape[2] for p in photos)
    width = max(p.shape[3] for p in photos)
    photos = [F.pad(p, (0, width - p.shape[3], 0, height - p.shape[2])) for p in photos]
    crops = [replace(c, image_size=(height, width)) for c in crops]
    both = replace(
        crops[0], points=torch.cat([c.points for c in crops]), matrix=torch.cat([c.matrix for c in crops]),
        landmarks=torch.cat([c.landmarks for c in crops]), score=sum((c.score for c in crops), ()), of_picture=(0, 1), pictures=2,
    )  # fmt: skip
    prompts = [Prompt.parse("an angry face | open mouth"), SMILE]
    *_, together = optimize(torch.cat(photos), both, Field.zeros(12), guide, prompts, replace(QUICK, steps=16))
    for i in (0, 1):
        *_, alone = optimize(photos[i], crops[i], Field.zeros(12), guide, prompts[i], replace(QUICK, steps=16))
        one = together.field.select(i)
        size = alone.field.resample(one.size)
        assert (one.offset - size.offset).abs().max() < 1e-3
        assert alone.field.offset.abs().max() > 5e-3


def test_a_guide_with_another_scale_gives_the_same_edit(run: Run) -> None:
    sister = copy.copy(run.guide)
    sister.model = copy.deepcopy(run.guide.model)
    with torch.no_grad():
        sister.model.logit_scale += 2
    *_, last = optimize(run.photo, run.crop, Field.zeros(12), sister, SMILE, QUICK)
    assert sister.scale > 7 * run.guide.scale
    assert torch.allclose(last.field.offset, run.field().offset, atol=1e-4)


@pytest.mark.slow
def test_stops_when_nothing_more_is_to_be_gained(run: Run) -> None:
    steps = run.steps(steps=400, views=4)
    assert steps[-1].index == steps[-1].total < 200
    usual = run.steps(steps=50, views=4)  # whose rate has fallen to zero by then; single gains jump from view to view
    assert sum(s.gain for s in steps[-8:]) > 0.9 * sum(s.gain for s in usual[-8:])


@pytest.mark.parametrize("limit", [0.06, 0.0])
def test_works_in_inference_mode(astronaut: Tensor, guide: Guide, run: Run, limit: float) -> None:
    with torch.inference_mode():
        assert run.crop.landmarks is not None
        photo, field = astronaut.clone(), Field.zeros(12)
        crop = replace(Crop.from_points(run.crop.points.clone(), (512, 512)), landmarks=run.crop.landmarks.clone())
        assert photo.is_inference()
        assert field.offset.is_inference()
        for last in optimize(photo, crop, field, guide, SMILE, replace(QUICK, color_limit=limit)):  # noqa: B007
            assert torch.is_inference_mode_enabled()  # the caller's mode, between any two steps
        assert same_bits(last.field.offset, run.field(color_limit=limit).offset)
        assert warp(photo, crop, last.field)[0].isfinite().all()


def test_works_without_gradients_of_the_caller(run: Run) -> None:
    with torch.no_grad():
        for last in optimize(run.photo, run.crop, Field.zeros(12), run.guide, SMILE, QUICK):  # noqa: B007
            assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert same_bits(last.field.offset, run.field().offset)


def test_nothing_is_kept_on_the_guide(run: Run) -> None:
    run.field()
    assert all(p.grad is None for p in run.guide.model.parameters())
    assert not run.guide.model.training


def tensors() -> int:
    """How many there are."""
    gc.collect()
    return sum(isinstance(thing, Tensor) for thing in gc.get_objects())


def test_cancel_frees_everything(run: Run) -> None:
    run.field()  # what is loaded once is loaded
    gc.freeze()  # what is there already is not counted, which takes a while
    before = tensors()
    steps = optimize(run.photo, run.crop, Field.zeros(12), run.guide, SMILE, QUICK)
    for step in steps:
        if step.index == 3:
            break
    kept = [weakref.ref(t) for t in (step.aligned, step.raw.offset, step.field.offset)]
    assert tensors() > before + 20
    del step
    steps.close()
    assert tensors() <= before
    assert [r() for r in kept] == [None] * len(kept)
    with pytest.raises(StopIteration):
        next(steps)
    gc.unfreeze()


class Broken:
    """A guide that overflows at some step."""

    name, image_size, scale, device = "broken", 32, 1.0, torch.device("cpu")
    meanings = None

    def __init__(self, good: int) -> None:
        self.good = good

    def encode_image(self, image: Tensor) -> Tensor:
        self.good -= 1
        return torch.nn.functional.normalize(image.flatten(1)[:, :8] + 0.1, dim=1) / (0 if self.good < 0 else 1)

    def encode_text(self, texts: list[str]) -> Tensor:
        return torch.nn.functional.normalize(torch.tensor([[len(t), 9.0, *[1.0] * 6] for t in texts]), dim=1)

    encode_group = encode_text

    def encode_prompt(self, text: str, templates: tuple[str, ...]) -> Tensor:
        return self.encode_text([text])[0]

    def wishes(self, text: str) -> list[str]:
        return [text]

    def reads_whole(self, text: str) -> bool:
        return bool(text)


def test_guide_that_returns_nan(astronaut: Tensor, crop: Crop) -> None:
    views = 4  # calls that look at the unedited face, and the one that measures the slope
    steps = optimize(astronaut, crop, Field.zeros(8), Broken(views + 2), SMILE, replace(QUICK, steps=9))
    next(steps), next(steps)
    with pytest.raises(ValueError, match=r"broken returned NaN at step 3; load it with precision fp32"):
        next(steps)


def test_what_does_not_fit_is_an_error_before_the_first_step(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    three = Crop.from_points(crop.points.expand(3, -1, -1), crop.image_size)
    for photo, where, field, message in (
        (astronaut, crop, Field.zeros(8, batch=2), "do not fit"),
        (astronaut.expand(2, -1, -1, -1), three, Field.zeros(8), "does not fit|do not fit"),
        (astronaut[:, :1], crop, Field.zeros(8), "RGB"),
        (torch.cat([astronaut, astronaut[:, :1]], 1), crop, Field.zeros(8), "RGB"),
    ):
        with pytest.raises(ValueError, match=message):
            next(optimize(photo, where, field, guide, SMILE, QUICK))


def test_prompts_that_do_not_fit_the_faces(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    with pytest.raises(ValueError, match="2 prompts do not fit 1 faces"):
        next(optimize(astronaut, crop, Field.zeros(8), guide, [SMILE, TAN]))


def test_crop_of_another_picture_is_an_error(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    with pytest.raises(ValueError, match=r"512x512.*511x500|run Align"):
        next(optimize(astronaut[:, :, :500, :511], crop, Field.zeros(8), guide, SMILE, QUICK))


def test_picture_with_nan_is_an_error(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    broken = astronaut.clone()
    broken[0, 0, 110, 220] = torch.nan
    with pytest.raises(ValueError, match="picture"):
        next(optimize(broken, crop, Field.zeros(8), guide, SMILE, QUICK))


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0}, {"views": 0}, {"lr": 0.0}, {"lr": float("nan")}, {"margin": -1.0}, {"preserve": 1.01},
        {"preserve": float("nan")}, {"color_limit": -0.1}, {"color_limit": float("inf")},
    ],
    ids=str,
)  # fmt: skip
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must lie in"):
        Settings(**wrong)


class Edits:
    """Full edits of the portraits with default settings, each computed once."""

    def __init__(self, portraits: dict[str, Tensor], crops: dict[str, Crop], guide: Guide) -> None:
        self.portraits, self.crops, self.guide = portraits, crops, guide
        self.steps = lru_cache(None)(self._steps)

    def _steps(self, name: str, prompt: str) -> list[Step]:
        start = Field.zeros(20)
        return list(optimize(self.portraits[name], self.crops[name], start, self.guide, Prompt.parse(prompt)))

    def motion(self, name: str, prompt: str, points: Tensor) -> Tensor:
        """How the content moves at crop points ``[N,2]``, ``[N,2]``: against the backward offset."""
        field = self.steps(name, prompt)[-1].field
        return -field.flow()(points[None, None]).offset[0, :, 0].T

    def landmarks(self, name: str) -> dict[str, Tensor]:
        """Crop points of what expressions move: each ``[2,2]``, the viewer's left one first."""
        crop = self.crops[name]
        p = crop.to_crop(crop.points[:, None])[0, 0]
        eyes, middle, mouth = p[:2], p[:2].mean(0), p[3:]
        down = mouth.mean(0) - middle
        return {
            "mouth": mouth,
            "brow": eyes - 0.36 * down,
            "inner brow": middle + 0.45 * (eyes - middle) - 0.3 * down,
        }


@pytest.fixture(scope="module")
def edits(portraits: dict[str, Tensor], crops: dict[str, Crop], guide: Guide) -> Edits:
    return Edits(portraits, crops, guide)


@pytest.fixture(params=["astronaut", pytest.param("grace_hopper", marks=pytest.mark.slow)])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_smile_is_a_smile(edits: Edits, name: str) -> None:
    left, right = edits.motion(name, "a smiling face", edits.landmarks(name)["mouth"])
    assert max(left[1], right[1]) < 0  # both up
    assert (left[1] + right[1]) / 2 < -0.002
    assert right[0] - left[0] > 0.004  # and apart


def test_anger_lowers_the_inner_brows(edits: Edits) -> None:
    # Grace Hopper's brows are behind the rims of her glasses, which the guide takes for them
    left, right = edits.motion("astronaut", "an angry face", edits.landmarks("astronaut")["inner brow"])
    assert (left[1] + right[1]) / 2 > 0.002


def test_surprise_raises_the_brows(edits: Edits, name: str) -> None:
    left, right = edits.motion(name, "a surprised face", edits.landmarks(name)["brow"])
    assert left[1] < -0.002
    assert right[1] < -0.002


def test_sadness_raises_the_inner_brows(edits: Edits) -> None:
    left, right = edits.motion("astronaut", "a sad face", edits.landmarks("astronaut")["inner brow"])
    assert (left[1] + right[1]) / 2 < -0.002


def test_sadness_does_not_raise_the_mouth(edits: Edits, name: str) -> None:
    corners = edits.motion(name, "a sad face", edits.landmarks(name)["mouth"])
    assert corners[:, 1].mean() > -0.002


@pytest.mark.parametrize("prompt", ["a smiling face", "an angry face", "a surprised face", "a sad face"])
def test_edits_neither_fold_nor_leave_the_face(edits: Edits, name: str, prompt: str) -> None:
    field = edits.steps(name, prompt)[-1].field
    assert fold_share(field) == 0
    numbers = report(field, edits.crops[name])
    assert numbers["folds"] == 0
    assert numbers["gain"] > 0.3
    side = edits.crops[name].side.item()
    assert 0.005 * side < numbers["max_px"] < 0.1 * side
    length = field.resample(64).offset.norm(dim=1)[0]
    corners = torch.stack([length[:10, :10], length[:10, -10:], length[-10:, :10], length[-10:, -10:]])
    assert corners.mean() < length[24:52, 18:46].mean() / 2


def test_weaker_edits_do_not_fold_either(edits: Edits, name: str) -> None:
    field = edits.steps(name, "a smiling face")[-1].field
    assert fold_share(field, strength=0.7) == fold_share(field, strength=0.4) == 0


def test_report(crop: Crop) -> None:
    field = Field(torch.full((1, 2, 8, 8), 0.03), torch.zeros(1, 3, 8, 8), {"gain": 1.5})
    numbers = report(field, crop)
    assert numbers["gain"] == 1.5
    assert numbers["max_px"] == pytest.approx(0.03 * 2**0.5 * crop.side.item(), rel=0.01)
    assert report(Field.zeros(4), crop)["gain"] != report(Field.zeros(4), crop)["gain"]  # nan: nothing measured it
