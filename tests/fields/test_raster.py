"""Fields: an edit that is saved, shared and loaded again must stay the same edit, and a bad file must say so."""

from __future__ import annotations

import json
import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import torch
from helpers import same_bits, smooth_field, square_crop
from safetensors.torch import save_file
from torch import Tensor

from flow_core.fields import container
from flow_core.fields.algebra import mix
from flow_core.fields.base import FieldError
from flow_core.fields.container import FORMAT, VERSION
from flow_core.fields.files import load_field
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.geometry.sampling import grid_sample
from flow_core.warping.frames import warp_frame
from flow_core.warping.stretch import changed_mask
from flow_core.warping.warp import warp

DATA = Path(__file__).parents[1] / "data"
META = {"prompt": "a smiling face", "neutral": "a face", "guide": "nano", "seed": 3, "preserve": 0.5, "note": "ä | ü:1"}


def write(path: Path, header: object, **tensors: Tensor) -> Path:
    """A safetensors file with this header, as another version of FaceFlow or somebody else may have written it."""
    tensors = tensors or {"offset": torch.zeros(1, 2, 4, 4), "color": torch.zeros(1, 3, 4, 4)}
    save_file(tensors, str(path), metadata=None if header is None else {"faceflow": json.dumps(header)})
    return path


def header(**changes: object) -> dict:
    return {"format": FORMAT, "version": VERSION, "kind": "raster", **changes}


def test_save_and_load_give_the_same_edit(tmp_path: Path, noise_picture: Tensor) -> None:
    field = smooth_field(batch=2).with_meta(**META)
    loaded = load_field(field.save(tmp_path / "deep" / "er" / "smile.safetensors"))
    assert same_bits(loaded.offset, field.offset)
    assert same_bits(loaded.color, field.color)
    assert dict(loaded.meta) == {**META}
    assert [type(v) for v in loaded.meta.values()] == [type(v) for v in META.values()]
    pictures = noise_picture.expand(2, -1, -1, -1)
    crop = square_crop((96, 120), (60, 48), 80, 10, batch=2)
    assert same_bits(warp(pictures, crop, loaded)[0], warp(pictures, crop, field)[0])


def test_save_overwrites_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "edit.safetensors"
    Field.zeros(4).save(path)
    smooth_field().save(str(path))
    assert same_bits(load_field(str(path)).offset, smooth_field().offset)
    assert [p.name for p in tmp_path.iterdir()] == ["edit.safetensors"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are a matter of POSIX")
def test_saved_fields_are_as_readable_as_other_files(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    saved = Field.zeros(4).save(tmp_path / "shared.safetensors")
    assert oct(saved.stat().st_mode) == oct((tmp_path / "plain").stat().st_mode)


def test_the_first_format_keeps_loading() -> None:
    field = load_field(DATA / "field_v1.safetensors")
    ramp = torch.arange(2 * 6 * 6, dtype=torch.float32).view(1, 2, 6, 6) / 1024 - 0.03125
    tint = torch.arange(3 * 6 * 6, dtype=torch.float32).view(1, 3, 6, 6) / -2048
    assert same_bits(field.offset, ramp)
    assert same_bits(field.color, tint)
    assert dict(field.meta) == {
        "prompt": "a smiling face | open mouth:0.5", "neutral": "a face", "guide": "nano", "seed": 42, "steps": 60,
        "preserve": 0.5, "gain": 1.25,
    }  # fmt: skip


def test_failed_save_leaves_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = smooth_field(seed=1).save(tmp_path / "edit.safetensors")
    before = path.read_bytes()

    def full_disk(self: Path, _data: bytes) -> None:
        self.open("wb").close()
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        smooth_field(seed=2).save(path)
    assert path.read_bytes() == before
    monkeypatch.undo()
    with pytest.raises(FieldError, match="NaN"):
        Field(torch.full((1, 2, 4, 4), torch.nan), torch.zeros(1, 3, 4, 4)).save(path)
    assert path.read_bytes() == before


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"no field at .*gone\.safetensors.*Save one"):
        load_field(tmp_path / "gone.safetensors")
    with pytest.raises(FieldError, match="Save one"):
        load_field(tmp_path)


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.99])
def test_truncated_file(tmp_path: Path, share: float) -> None:
    whole = smooth_field().save(tmp_path / "a.safetensors").read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FieldError, match=r"cut\.safetensors is damaged.*save or copy it again"):
        load_field(path)


def test_text_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.safetensors"
    path.write_text("a smiling face, strength 1.2\n" * 20)
    with pytest.raises(FieldError, match="not a safetensors file"):
        load_field(path)


@pytest.mark.parametrize("foreign", [None, [], "field", {}, {"format": "lora"}, {"version": 1, "kind": "raster"}])
def test_foreign_safetensors(tmp_path: Path, foreign: object) -> None:
    with pytest.raises(FieldError, match="not a FaceFlow field; pick one saved by FaceFlow"):
        load_field(write(tmp_path / "model.safetensors", foreign, weight=torch.zeros(3)))


def test_header_that_is_not_json(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    save_file({"offset": torch.zeros(1)}, str(path), metadata={"faceflow": "{format: "})
    with pytest.raises(FieldError, match="damaged"):
        load_field(path)


@pytest.mark.parametrize("version", [VERSION + 1, 99, "2", None, 1.5])
def test_newer_version(tmp_path: Path, version: object) -> None:
    with pytest.raises(FieldError, match="Update FaceFlow"):
        load_field(write(tmp_path / "new.safetensors", header(version=version)))


@pytest.mark.parametrize("version", [0, -1])
def test_version_that_never_was(tmp_path: Path, version: int) -> None:
    with pytest.raises(FieldError, match="version"):
        load_field(write(tmp_path / "odd.safetensors", header(version=version)))


def test_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"'siren'.*Update FaceFlow"):
        load_field(write(tmp_path / "implicit.safetensors", header(kind="siren")))


def test_missing_tensor(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"lacks the tensors.*\['offset'\]"):
        load_field(write(tmp_path / "half.safetensors", header(), offset=torch.zeros(1, 2, 4, 4)))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_values_that_are_not_finite(tmp_path: Path, bad: float, noise_picture: Tensor) -> None:
    offset, color = torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 4, 4)
    color[0, 1, 2, 3] = bad
    with pytest.raises(FieldError, match="optimise it again or load another"):
        load_field(write(tmp_path / "nan.safetensors", header(), offset=offset, color=color))
    with pytest.raises(FieldError, match="NaN or infinite"):
        warp(noise_picture, square_crop((96, 120), (60, 48), 80), Field(offset, color))


@pytest.mark.parametrize(
    ("offset", "color"),
    [
        ((1, 3, 4, 4), (1, 3, 4, 4)),
        ((1, 2, 4, 4), (1, 2, 4, 4)),
        ((2, 4, 4), (1, 3, 4, 4)),
        ((1, 2, 4, 4), (1, 3, 4, 5)),
        ((2, 2, 4, 4), (1, 3, 4, 4)),
        ((1, 2, 0, 4), (1, 3, 0, 4)),
        ((0, 2, 4, 4), (0, 3, 4, 4)),
    ],
)
def test_wrong_shapes(tmp_path: Path, offset: tuple[int, ...], color: tuple[int, ...]) -> None:
    with pytest.raises(FieldError, match=r"(?i)offset.*color"):
        Field(torch.zeros(offset), torch.zeros(color))
    with pytest.raises(FieldError, match=r"(?i)offset.*color"):
        load_field(write(tmp_path / "x.safetensors", header(), offset=torch.zeros(offset), color=torch.zeros(color)))


@pytest.mark.parametrize("size", [1, 0, -3, (8, 1)])
def test_too_few_control_points(size: int | tuple[int, int]) -> None:
    with pytest.raises(FieldError, match="2x2"):
        Field.zeros(size)


def test_immutable() -> None:
    meta = {"seed": 1}
    field = Field(torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 4, 4), meta)
    meta["seed"] = 2
    assert field.meta["seed"] == 1
    with pytest.raises(FrozenInstanceError):
        field.offset = torch.ones(1, 2, 4, 4)
    with pytest.raises(TypeError):
        field.meta["seed"] = 3
    changed = field.with_meta(seed=4, guide="nano")
    assert dict(field.meta) == {"seed": 1}
    assert dict(changed.meta) == {"seed": 4, "guide": "nano"}


def test_nothing_changes_the_field_it_is_called_on() -> None:
    field = smooth_field(batch=2)
    before = field.offset.clone(), field.color.clone()
    field.scale(-2, 3)
    field.resample(7)
    field.select(1).scale(5)
    warp(torch.rand(2, 3, 64, 64), square_crop((64, 64), (32, 32), 50, batch=2), field, 1.5, -1)
    assert same_bits(field.offset, before[0])
    assert same_bits(field.color, before[1])


def test_half_precision_becomes_float32() -> None:
    field = Field(torch.ones(1, 2, 4, 4).half(), torch.ones(1, 3, 4, 4).double())
    assert field.offset.dtype == field.color.dtype == torch.float32


def test_sample_gives_the_control_points_at_pixel_centres() -> None:
    field = smooth_field(size=9)
    offset, color = field.sample(pixel_centers(9, 9))
    torch.testing.assert_close(offset, field.offset, atol=1e-6, rtol=0)
    torch.testing.assert_close(color, field.color, atol=1e-6, rtol=0)


def test_x_comes_first_and_grows_to_the_right() -> None:
    points = pixel_centers(2, 4)
    assert points.shape == (1, 2, 4, 2)
    assert points[0, 1, 0].tolist() == [0.125, 0.75]
    offset = torch.zeros(1, 2, 4, 4)
    offset[0, 0, 3, 0] = 1  # x offset at bottom left
    sampled, _ = Field(offset, torch.zeros(1, 3, 4, 4)).sample(torch.tensor([[[[0.125, 0.875], [0.875, 0.125]]]]))
    torch.testing.assert_close(sampled[0, :, 0], torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_border_values_hold_outside() -> None:
    field = smooth_field(size=8)
    outside, _ = field.sample(torch.tensor([[[[-3.0, 0.4375], [0.5625, 40.0]]]]))
    torch.testing.assert_close(outside[0, :, 0, 0], field.offset[0, :, 3, 0])
    torch.testing.assert_close(outside[0, :, 0, 1], field.offset[0, :, 7, 4])


def test_resample_keeps_the_edit() -> None:
    field = smooth_field(amplitude=0.05, size=16).with_meta(prompt="x")
    finer = field.resample((64, 48))
    assert torch.equal(finer.offset, field.sample(pixel_centers(64, 48))[0])
    assert finer.size == (64, 48)
    assert finer.meta == field.meta
    points = pixel_centers(40, 40) * 0.8 + 0.1  # the border row is extrapolated differently
    for a, b in zip(field.sample(points), finer.sample(points), strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=0)
    back = finer.resample(16)
    torch.testing.assert_close(back.offset[..., 2:-2, 2:-2], field.offset[..., 2:-2, 2:-2], atol=1e-3, rtol=0)


def test_resampling_to_fewer_points_does_not_alias() -> None:
    noise = torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    small = Field(noise, torch.zeros(1, 3, 64, 64)).resample(8)
    assert small.offset.std() < 0.2  # of 64 values each, instead of a few


def test_scale() -> None:
    field = smooth_field()
    scaled = field.scale(2, -0.5)
    assert torch.equal(scaled.offset, field.offset * 2)
    assert torch.equal(scaled.color, field.color * -0.5)
    assert scaled.meta == field.meta
    assert not field.scale(0, 0).offset.any()
    assert same_bits(field.scale(3).color, field.color)


def test_select() -> None:
    field = smooth_field(batch=3)
    one = field.select(1)
    assert one.batch == 1
    assert one.meta == field.meta
    assert same_bits(one.offset, field.offset[1:2])
    assert same_bits(one.color, field.color[1:2])


def test_noise_is_seeded() -> None:
    a, b, c = Field.noise(16, 0.01, 5, 2), Field.noise(16, 0.01, 5, 2), Field.noise(16, 0.01, 6, 2)
    assert same_bits(a.offset, b.offset)
    assert not torch.equal(a.offset, c.offset)
    assert a.batch == 2
    assert 0.009 < a.offset.std() < 0.011
    assert not a.color.any()
    assert not Field.noise(16, 0.0, 5).offset.any()


def test_meta_cannot_damage_the_header(tmp_path: Path) -> None:
    field = Field.zeros(4, version=7, format="mine", kind="odd", prompt="x")
    assert load_field(field.save(tmp_path / "a.safetensors")).meta["prompt"] == "x"


def test_version_upgrades_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = smooth_field().save(tmp_path / "old.safetensors")
    steps = {
        1: lambda h, t: ({**h, "was": 1}, t),
        2: lambda h, t: ({**h, "was": h["was"] * 10 + 2}, {**t, "offset": t["offset"] * 2}),
    }
    monkeypatch.setattr(container, "VERSION", 3)
    monkeypatch.setattr(container, "_UPGRADES", steps)
    loaded = load_field(path)
    assert loaded.meta["was"] == 12
    assert torch.equal(loaded.offset, smooth_field().offset * 2)


@pytest.mark.parametrize("height", [128, 131])
def test_a_picture_shared_out_between_cores_is_the_same_to_the_bit(height: int) -> None:
    generator = torch.Generator().manual_seed(3)
    values = torch.rand(1, 3, 40, 50, generator=generator)
    grid = 2.2 * torch.rand(1, height, 100, 2, generator=generator) - 1.1
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        shared = grid_sample(values, grid, "bicubic", "border")
    finally:
        torch.set_num_threads(threads)
    alone = torch.nn.functional.grid_sample(values, grid, "bicubic", "border", align_corners=False)
    assert torch.equal(shared, alone)


def test_colors_may_span_more_than_the_face_square(tmp_path: Path) -> None:
    color = torch.zeros(1, 3, 24, 24)
    color[:, 0] = 0.25  # everywhere
    field = Field(torch.zeros(1, 2, 24, 24), color, span=1.5)
    loaded = load_field(field.save(tmp_path / "wide.safetensors"))
    assert loaded.span == 1.5
    # a face square of 32 pixels in the middle of a picture of 64
    matrix = torch.tensor([[[1 / 32, 0, -0.5], [0, 1 / 32, -0.5], [0, 0, 1]]])
    crop = Crop((64, 64), torch.zeros(1, 5, 2), matrix)
    picture = torch.full((1, 3, 64, 64), 0.5)
    for one in (loaded, mix([loaded, Field.zeros(8)], [1.0, 1.0])):
        edited, changed = warp(picture, crop, one)
        assert edited[0, 0, 32, 12] == pytest.approx(0.75, abs=1e-3)  # outside of the square, within the span
        assert torch.equal(edited[..., :7], picture[..., :7])
        assert not changed[0, :7].any()
    frame = picture[0].permute(1, 2, 0).contiguous()
    out = frame.clone()
    assert warp_frame(frame, out, crop, loaded) is not None
    assert out[32, 12, 0] == pytest.approx(0.75, abs=1e-2)
    assert changed_mask(loaded, crop)[0, 32, 12] == 1
    within = loaded.spanning(1.0, (24, 24))
    assert torch.equal(warp(picture, crop, within)[0][..., :16], picture[..., :16])


@pytest.mark.parametrize("span", [0.5, 100.0, float("nan")])
def test_a_span_that_makes_no_sense(span: float) -> None:
    with pytest.raises(FieldError, match="span"):
        Field(torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 4, 4), span=span)
