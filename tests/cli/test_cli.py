"""The ``faceflow`` command: pictures come out as they went in, and mistakes end in one clear line."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import smooth_field
from PIL import Image
from torch import Tensor

from flow_core.cli import common, fields, pictures
from flow_core.cli import main as cli
from flow_core.fields.files import load_field
from flow_core.io import picture, rasters

STEPS = ("--steps", "3", "--representation", "raster", "--resolution", "8", "--device", "cpu")


@pytest.fixture(scope="module")
def face(astronaut: Tensor) -> np.ndarray:
    """A portrait of 200 x 180 pixels, 8 bit."""
    array = (astronaut[0, :, :180, 125:325] * 255).round().byte()
    return array.permute(1, 2, 0).contiguous().numpy()


@pytest.fixture
def photo(tmp_path: Path, face: np.ndarray) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(face).save(path)
    return path


@pytest.fixture
def field(tmp_path: Path) -> Path:
    return smooth_field(0.04, 0.05).save(tmp_path / "edit.safetensors")


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The models of the session, instead of loading them for every command."""
    if "own_models" in request.keywords:
        return
    for name, fixture in (("guide", "guide"), ("detector", "finder")):
        loaded, load = request.getfixturevalue(fixture), getattr(common, f"load_{name}")
        monkeypatch.setattr(
            common, f"load_{name}", lambda n=loaded.name, *a, m=loaded, f=load, **k: m if n == m.name else f(n, *a, **k)
        )


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def failure(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """The one line that a command says when it fails."""
    before = set(Path(argv[-1]).parent.iterdir())
    assert cli.main([str(a) for a in argv]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err.startswith("faceflow: ")
    assert set(Path(argv[-1]).parent.iterdir()) == before, "a failed command left a file behind"
    return captured.err


@pytest.mark.own_models
def test_edit_then_apply(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, saved, again = tmp_path / "new" / "out.png", tmp_path / "new" / "smile.safetensors", tmp_path / "again.png"
    assert (
        cli.main(
            ["edit", str(photo), "a smiling face", "-o", str(out), "--save-field", str(saved), "--seed", "5", *STEPS]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert str(out) in said
    assert "guide gain" in said
    assert "folds 0.00%" in said
    assert pixels(out).shape == pixels(photo).shape
    assert not np.array_equal(pixels(out), pixels(photo))
    meta = load_field(saved).meta
    assert (meta["prompt"], meta["guide"], meta["seed"], meta["steps"]) == ("a smiling face", "nano", 5, 3)
    assert load_field(saved).size == (16, 16)
    assert cli.main(["apply", str(photo), str(saved), "-o", str(again), "--device", "cpu"]) == 0
    np.testing.assert_array_equal(pixels(again), pixels(out))


def test_edit_is_reproducible(photo: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"{i}.png" for i in range(3)]
    for out, seed in zip(outs, "112", strict=True):
        fields = ("--save-field", str(out.with_suffix(".safetensors")))
        assert cli.main(["edit", str(photo), "a smiling face", "-o", str(out), *fields, "--seed", seed, *STEPS]) == 0
    a, b, c = (load_field(out.with_suffix(".safetensors")).offset for out in outs)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    np.testing.assert_array_equal(pixels(outs[0]), pixels(outs[1]))


FORMATS = {
    "rgb": ("in.png", lambda a: Image.fromarray(a)),
    "rgba": ("in.png", lambda a: Image.fromarray(np.dstack([a, 255 - a[..., :1]]))),
    "grey": ("in.png", lambda a: Image.fromarray(a).convert("L")),
    "16 bit grey": ("in.png", lambda a: Image.fromarray((a.mean(2) * 256 + a[..., 0]).astype(np.uint16))),
    "tiff": ("in.tif", lambda a: Image.fromarray(a)),
    "bmp": ("in.bmp", lambda a: Image.fromarray(a)),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_picture_formats(kind: str, face: np.ndarray, field: Path, tmp_path: Path) -> None:
    name, make = FORMATS[kind]
    source, out = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    make(face).save(source)
    assert cli.main(["apply", str(source), str(field), "-o", str(out), "--strength", "0"]) == 0
    np.testing.assert_array_equal(pixels(out), pixels(source))
    assert cli.main(["apply", str(source), str(field), "-o", str(out), "--color-strength", "0"]) == 0  # grey stays grey
    with Image.open(source) as a, Image.open(out) as b:
        assert (a.mode, a.size) == (b.mode, b.size)
    changed = (pixels(out) != pixels(source)).reshape(180, 200, -1).any(2)
    assert changed.any()
    assert not changed[:3].any()
    assert not changed[:, :3].any()


def test_palette(face: np.ndarray, field: Path, tmp_path: Path) -> None:
    Image.fromarray(face).quantize(200).save(tmp_path / "in.png")
    assert (
        cli.main(["apply", str(tmp_path / "in.png"), str(field), "-o", str(tmp_path / "o.png"), "--strength", "0"]) == 0
    )
    with Image.open(tmp_path / "in.png") as image:
        np.testing.assert_array_equal(pixels(tmp_path / "o.png"), np.asarray(image.convert("RGB")))


def test_photo_that_lies_on_its_side(face: np.ndarray, field: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(np.rot90(face, -1)).save(tmp_path / "in.jpg", exif=exif, quality=95)
    assert (
        cli.main(["apply", str(tmp_path / "in.jpg"), str(field), "-o", str(tmp_path / "out.jpg"), "--strength", "0"])
        == 0
    )
    with Image.open(tmp_path / "out.jpg") as out:
        assert out.size == (200, 180)
        assert out.getexif().get(0x0112, 1) == 1
        assert np.abs(np.asarray(out).astype(float) - face).mean() < 4


def test_strengths(photo: Path, tmp_path: Path) -> None:
    field = smooth_field(0.04, 0.1)
    field.save(tmp_path / "edit.safetensors")

    def apply(*options: str) -> np.ndarray:
        out = tmp_path / "out.png"
        assert cli.main(["apply", str(photo), str(tmp_path / "edit.safetensors"), "-o", str(out), *options]) == 0
        return pixels(out)

    full, before = apply(), pixels(photo)
    np.testing.assert_array_equal(apply("--strength", "1"), full)
    np.testing.assert_array_equal(apply("--strength", "0"), before)
    np.testing.assert_array_equal(apply("--strength", "0", "--color-strength", "0"), before)
    recolored = apply("--strength", "0", "--color-strength", "1")
    moved = apply("--strength", "1", "--color-strength", "0")
    assert not np.array_equal(recolored, moved)
    for changed in (recolored, moved, apply("--strength", "-0.5"), apply("--strength", "0.5")):
        assert not np.array_equal(changed, before)
        assert not np.array_equal(changed, full)


def test_strength_zero_of_an_edit(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert cli.main(["edit", str(photo), "a smiling face", "-o", str(out), "--strength", "0", *STEPS]) == 0
    np.testing.assert_array_equal(pixels(out), pixels(photo))


@pytest.mark.parametrize("style", ["wheel", "arrows", "grid", "heat", "color", "folds"])
def test_view(style: str, field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "view.png"
    assert cli.main(["view", str(field), "-o", str(out), "--style", style, "--size", "128"]) == 0
    assert capsys.readouterr().out.startswith(f"{out}: max ")
    assert pixels(out).shape == (128, 128, 3)
    assert pixels(out).std() > 3


def test_view_with_a_portrait(photo: Path, field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = {}
    for name, *options in (
        ("arrows.png", "--style", "arrows"),
        ("numbers.png", "--style", "arrows", "--numbers"),
        ("compare.png", "--style", "compare"),
        ("loop.webp", "--style", "animation", "--frames", "4"),
    ):
        out = tmp_path / name
        assert cli.main(["view", str(field), "-o", str(out), "--size", "96", "--portrait", str(photo), *options]) == 0
        assert " px, mean " in capsys.readouterr().out
        seen[name] = pixels(out)
    assert (seen["arrows.png"] != seen["numbers.png"]).any()
    with Image.open(tmp_path / "loop.webp") as file:
        assert (file.n_frames, file.size) == (4, (96, 96))
    for style in ("compare", "animation"):
        assert "--portrait" in failure(capsys, "view", field, "--style", style, "-o", tmp_path / "x.webp")


def test_export_and_import(photo: Path, field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow, back, out = tmp_path / "new" / "edit.exr", tmp_path / "back.safetensors", tmp_path / "map.exr"
    assert cli.main(["export", str(field), str(flow), "--size", "64", "--no-fade"]) == 0
    assert cli.main(["import", str(flow), "-o", str(back)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(flow), str(back)]
    a, b = load_field(field).resample(64), load_field(back)
    assert (a.offset - b.offset).abs().max() < 1e-6
    assert (a.color - b.color).abs().max() < 1e-6
    assert cli.main(["export", str(field), str(out), "--st-map", "--portrait", str(photo)]) == 0
    assert rasters.read_exr(out)["R"].shape == (180, 200)
    capsys.readouterr()
    assert "--st-map" in failure(capsys, "export", field, "--portrait", photo, tmp_path / "a.flo")
    assert "no .flo file" in failure(
        capsys, "import", shutil.copy(photo, tmp_path / "b.flo"), "-o", tmp_path / "x.safetensors"
    )


def test_guides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for suffix in (".safetensors", ".json"):
        (tmp_path / f"mine{suffix}").write_text("{}")
    assert cli.main(["guides", "--models", str(tmp_path)]) == 0
    names = capsys.readouterr().out.splitlines()
    assert names[:2] == ["nano", "mine.safetensors"]
    assert "ViT-B-32:laion2b_s34b_b79k" in names


def test_several_faces_are_mentioned(
    face: np.ndarray, field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.hstack([face, face])).save(tmp_path / "two.png")
    results = []
    for number in "01":
        out = tmp_path / f"{number}.png"
        argv = [
            "apply",
            str(tmp_path / "two.png"),
            str(field),
            "-o",
            str(out),
            "--face",
            number,
            "--order",
            "left-right",
        ]
        assert cli.main(argv) == 0
        assert f"2 faces found, taking number {number} (left-right)" in capsys.readouterr().err
        results.append((pixels(out) != pixels(tmp_path / "two.png")).any((0, 2)))
    left, right = results
    assert left[:200].any()
    assert not left[200:].any()
    assert right[200:].any()
    assert not right[:200].any()
    assert "there are 2" in failure(capsys, *argv[:6], "2", "-o", tmp_path / "2.png")


def test_all_faces_at_once(face: np.ndarray, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two, out, saved, again = (tmp_path / name for name in ("two.png", "out.png", "two.safetensors", "again.png"))
    Image.fromarray(np.hstack([face, face])).save(two)
    argv = ["edit", str(two), "a smiling face\na surprised face", "--method", "predict", "--face", "all"]
    assert cli.main([*argv, "-o", str(out), "--save-field", str(saved)]) == 0
    said = capsys.readouterr()
    assert "nan" not in said.out
    assert "faces found" not in said.err
    left, right = said.out.splitlines()[-1].split(" | ")
    assert "mouthSmile" in left
    assert "jawOpen" in right
    moved = (pixels(out) != pixels(two)).any((0, 2))
    assert moved[:200].any()
    assert moved[200:].any()
    assert cli.main(["apply", str(two), str(saved), "-o", str(again), "--face", "all"]) == 0
    np.testing.assert_array_equal(pixels(again), pixels(out))
    capsys.readouterr()
    assert "--face all" in failure(capsys, "apply", photo, saved, "-o", tmp_path / "one.png")
    assert cli.main([*argv[:2], "-\na surprised face", *argv[3:], "-o", str(out)]) == 0
    moved = (pixels(out) != pixels(two)).any((0, 2))
    assert not moved[:200].any()
    assert moved[200:].any()
    capsys.readouterr()
    assert "3 lines for 2 faces" in failure(capsys, *argv[:2], "smile\nsad\nkiss", *argv[3:], "-o", tmp_path / "3.png")


def test_unknown_words_are_mentioned(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["edit", str(photo), "a smiling zorgon", "-o", str(tmp_path / "o.png"), *STEPS]) == 0
    said = capsys.readouterr().err
    assert "nano never learnt zorgon" in said
    assert "'smiling'" not in said
    assert "--guide ViT-B-32" in said


def test_missing_and_unreadable_pictures(field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.png"
    assert "no picture at" in failure(capsys, "apply", tmp_path / "gone.png", field, "-o", out)
    (tmp_path / "text.png").write_text("hello")
    assert "cannot be read as a picture" in failure(capsys, "apply", tmp_path / "text.png", field, "-o", out)
    assert "no picture at" in failure(capsys, "edit", tmp_path / "gone.png", "a smiling face", "-o", out)


def test_missing_and_unreadable_fields(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.png"
    assert "no field at" in failure(capsys, "apply", photo, tmp_path / "gone.safetensors", "-o", out)
    assert "not a safetensors file" in failure(capsys, "apply", photo, photo, "-o", out)
    assert "no field at" in failure(capsys, "view", tmp_path / "gone.safetensors", "-o", out)


def test_no_face(field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (90, 70), "grey").save(tmp_path / "grey.png")
    said = failure(capsys, "apply", tmp_path / "grey.png", field, "-o", tmp_path / "out.png")
    assert "No face found (90x70 pixels)" in said


def test_wrong_options(photo: Path, field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.png"

    def edit(*options: str, prompt: str = "a smiling face") -> str:
        return failure(capsys, "edit", photo, prompt, *options, "-o", out)

    assert "prompt is empty" in edit(prompt=" ")
    assert "outside -4..4" in edit(prompt="smile:9")
    assert "steps must lie in" in edit("--steps", "0")
    assert "preserve must lie in" in edit("--preserve", "2")
    assert "2..1024 control points" in edit("--steps", "1", "--resolution", "1", "--representation", "raster")
    assert "no guide 'gone'" in edit("--guide", "gone")
    assert "at random" in edit("--guide", "ViT-B-32")
    assert "detector" in edit("--detector", "gone.safetensors")
    assert "threshold" in edit("--threshold", "0")
    assert "Device 'abacus'" in edit("--device", "abacus")
    assert "mean the same" in edit("--steps", "1", "--neutral", "a smiling face")
    assert "style" in failure(capsys, "view", field, "--style", "fog", "-o", out)
    assert "64..4096" in failure(capsys, "view", field, "--size", "3", "-o", out)


@pytest.mark.parametrize("option", ["--strength", "--color-strength"])
def test_strength_must_be_a_number(
    option: str, photo: Path, field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "finite" in failure(capsys, "apply", photo, field, option, "nan", "-o", tmp_path / "out.png")
    assert "finite" in failure(capsys, "muscles", photo, "smile", option, "nan", "-o", tmp_path / "out.png")


def test_output_that_cannot_be_written(
    face: np.ndarray, field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.dstack([face, face[..., :1]])).save(tmp_path / "in.png")
    said = failure(capsys, "apply", tmp_path / "in.png", field, "-o", tmp_path / "out.jpg")
    assert "cannot be written" in said
    assert ".png" in said
    assert "cannot be written" in failure(capsys, "apply", tmp_path / "in.png", field, "-o", tmp_path / "out.xyz")


@pytest.mark.parametrize(
    "argv", [[], ["edit"], ["apply", "a.png", "b.safetensors"], ["edit", "a", "b", "-o", "c", "--seed", "x"]]
)
def test_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as e:
        cli.main(argv)
    assert e.value.code == 2
    assert "usage: faceflow" in capsys.readouterr().err


def test_stopping(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flow_core.editing.edit.optimize", interrupted)
    out, saved = tmp_path / "out.png", tmp_path / "f.safetensors"
    assert cli.main(["edit", str(photo), "a smiling face", "-o", str(out), "--save-field", str(saved), *STEPS]) == 130
    assert "stopped" in capsys.readouterr().err
    assert not out.exists()
    assert not saved.exists()


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as e:
        cli.main(["--help"])
    assert e.value.code == 0
    said = capsys.readouterr().out
    assert all(command in said for command in ("edit", "apply", "view", "guides"))


def test_sheet(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody, out = tmp_path / "nobody.png", tmp_path / "sheet.png"
    Image.new("RGB", (80, 80), "grey").save(nobody)
    command = [
        "sheet",
        str(photo),
        str(nobody),
        str(photo),
        "-p",
        "a smiling face",
        "-p",
        "red lips",
        "--cell",
        "64",
        *STEPS,
    ]
    assert cli.main([*command, "-o", str(out)]) == 0
    assert "nobody.png is left out: No face" in capsys.readouterr().err
    with Image.open(out) as sheet:
        assert sheet.width in range(3 * 64, 3 * 64 + 12)
        assert 2 * 64 < sheet.height < 3 * 64
    assert cli.main(["sheet", str(nobody), "-o", str(out), *STEPS]) == 2
    assert "No face was found in any" in capsys.readouterr().err


def test_sheet_of_expressions(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheet.png"
    command = [
        "sheet",
        str(photo),
        "--cell",
        "64",
        "--expression",
        "surprise",
        "--expression",
        "eyes closed",
        "-o",
        str(out),
    ]
    assert cli.main(command) == 0
    with Image.open(out) as sheet:
        cells = [np.asarray(sheet.convert("L"), float)[-66:-2, 2 + 66 * i : 66 + 66 * i] for i in range(3)]
    assert all(np.abs(cells[0] - cell).max() > 40 for cell in cells[1:])
    assert cli.main([*command, "-p", "red lips"]) == 2
    assert "prompts or expressions" in capsys.readouterr().err


def test_a_picture_behind_options_is_no_prompt(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        cli.main(["sheet", str(photo), "-o", str(tmp_path / "sheet.jpg"), str(photo)])


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long is not begun."""

    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work began")

    for name in ("load_detector", "load_guide", "find_face"):
        monkeypatch.setattr(common, name, work)
    monkeypatch.setattr(picture, "read", work)
    for module in (pictures, fields):
        monkeypatch.setattr(module, "load_field", work)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name", ["out", "out.docx", "out.safetensors", "out.", ".png", "link.png", "folder.png"])
def test_a_bad_name_is_told_before_the_work(
    photo: Path, field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(photo)
    out = tmp_path / name
    for command in (
        ("edit", photo, "a smiling face"),
        ("sheet", photo),
        ("apply", photo, field),
        ("view", field),
        ("view", field, "--style", "animation", "--portrait", photo),
    ):
        said = failure(capsys, *command, "-o", out)
        assert "ends in" in said or "link" in said or "folder" in said
    if name not in ("out.safetensors", "link.png", "folder.png"):
        assert "ends in" in failure(capsys, "export", field, out)
    if name != "out.safetensors":
        assert "ends in .safetensors" in failure(capsys, "import", tmp_path / "a.npy", "-o", out)
        assert "ends in .safetensors" in failure(capsys, "edit", photo, "a smile", "--save-field", out, "-o", "o.png")


def test_edit_never_takes_a_field_for_a_name(photo: Path, field: Path, tmp_path: Path, capsys) -> None:
    """``--field`` is read by every other command; edit wrote it."""
    before, out = field.read_bytes(), tmp_path / "out.png"
    said = failure(capsys, "edit", photo, "a smiling face", "--field", field, "-o", out)
    assert "faceflow apply" in said
    assert "--save-field" in said
    assert field.read_bytes() == before
    picture = photo.read_bytes()
    for option in ("--field", "--save-field"):
        failure(capsys, "edit", photo, "a smiling face", option, photo, "-o", out)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"somebody's")
    assert "no FaceFlow field" in failure(capsys, "edit", photo, "a smile", "--save-field", weights, "-o", out)
    assert (photo.read_bytes(), weights.read_bytes()) == (picture, b"somebody's")
    new = tmp_path / "new.safetensors"
    assert cli.main(["edit", str(photo), "a smiling face", "--field", str(new), "-o", str(out), *STEPS]) == 0
    assert load_field(new).meta["prompt"] == "a smiling face"
    assert cli.main(["edit", str(photo), "an angry face", "--save-field", str(new), "-o", str(out), *STEPS]) == 0
    assert load_field(new).meta["prompt"] == "an angry face"
