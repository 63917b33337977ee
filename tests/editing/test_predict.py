"""The one-shot predictor: muscles in one pass, within what faces can do, that scale; and its training."""

from __future__ import annotations

import argparse
import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing

from flow_core.cli import common
from flow_core.cli import main as cli
from flow_core.editing import bounds, predict
from flow_core.editing.gates import COLOR_REGIONS
from flow_core.editing.named import named
from flow_core.editing.predict import Predictor, PredictorError, key_texts
from flow_core.faces import landmarks
from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.faces.fit import FittedFace
from flow_core.faces.landmarks import AT, MIRROR
from flow_core.faces.rig import load_rig
from flow_core.fields.files import load_field
from flow_core.fields.muscles import MusclesField
from flow_core.fields.told import what_it_does
from flow_core.fields.units import fit_shown, target_units
from flow_core.geometry.crop import Crop
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt, PromptError
from flow_core.io.picture import Picture, write
from flow_core.train import data, loop, shards
from flow_core.train import predictor as training
from flow_core.warping.measure import edit_gain
from flow_core.warping.warp import warp


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the predictor of the tests lies."""
    return tmp_path_factory.mktemp("predictor")


@pytest.fixture(scope="module")
def faces(portraits: dict[str, Tensor], crops: dict[str, Crop]) -> data.Faces:
    """The two portraits, twelve times each, as training faces."""
    images, landmarks = [], []
    for name, picture in portraits.items():
        image, points = data.square(picture, crops[name].landmarks[0])
        images += [image] * 12
        landmarks += [points] * 12
    n = len(images)
    return data.Faces(torch.stack(images), torch.stack(landmarks), ("",) * n, ("portraits",) * n, torch.ones(n).bool())


def options(folder: Path, *extra: str) -> argparse.Namespace:
    """Options of a small training, without faces."""
    prompts = folder / "prompts.txt"
    prompts.write_text("a smiling face\n# a remark\nan angry face\nred lips\n")
    return training.arguments().parse_args(
        ["--prompts", str(prompts), "--out", str(folder / "p.safetensors"), "--checkpoint", str(folder / "p.pt"),
         "--batch", "2", "--lr", "1e-3", *extra]
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(folder: Path, faces: data.Faces) -> Predictor:
    """A predictor of twelve steps, which were to go farther than what the prompts name does: that is about as far as usual."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "MEASURED", 2)
        training.run(options(folder, "--steps", "12", "--margin", "20", "--preserve", "0"), faces, nobody(faces))
    return Predictor.load(folder / "p.safetensors")


@pytest.fixture(scope="module")
def builtin() -> Predictor:
    return Predictor.load()


@pytest.fixture(scope="module")
def fresh(guide: Guide) -> Predictor:
    """A predictor that has learnt nothing."""
    return Predictor("nano", key_texts(guide)).eval()


@pytest.fixture(scope="module")
def wild(guide: Guide) -> Predictor:
    """A predictor that answers anything."""
    torch.manual_seed(0)
    made = Predictor("nano", key_texts(guide)).eval()
    for part in (made.last[1].weight, made.steer.weight):
        torch.nn.init.normal_(part, std=0.3)
    return made.requires_grad_(False)


def nobody(faces: data.Faces) -> data.Faces:
    return faces.select(torch.tensor([], dtype=torch.long))


def prompt(text: str) -> Prompt:
    return Prompt.parse(text)


def unit(field: MusclesField, name: str) -> float:
    return field.units[0, load_rig().unit_names.index(name)].item()


def after(field: MusclesField, fitted: FittedFace) -> Tensor:
    """The units that a face shows after an edit."""
    return target_units(fitted.units[0], field.relax[0], field.units[0])


@pytest.mark.slow
def test_a_short_training_gains_on_the_guide(
    trained: Predictor, fresh: Predictor, guide: Guide, portraits: dict[str, Tensor], crops: dict[str, Crop]
) -> None:
    def gain(net: Predictor) -> float:
        """Of both portraits; the prompts' own starts gain already, so that a training may add little to one of them."""
        return sum(
            edit_gain(p, crops[n], net.predict(p, crops[n], guide, prompt(text)), guide, prompt(text)).item()
            for text in ("a smiling face", "an angry face")
            for n, p in portraits.items()
        )

    assert gain(trained) > gain(fresh) + 0.1


def test_table_and_contact_sheet(builtin: Predictor, guide: Guide, faces: data.Faces, tmp_path: Path) -> None:
    two = faces.select(torch.tensor([0, 12]))
    rows = training.validate(builtin, guide, two, count=1)
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["expression", "shape", "color"]
    assert "nan" not in "".join(rows)
    training.contact_sheet(builtin, guide, two, tmp_path / "sheets" / "a.png")
    assert (tmp_path / "sheets" / "a.png").stat().st_size > 50_000


def test_the_built_in_one_frowns(
    builtin: Predictor, guide: Guide, portraits: dict[str, Tensor], crops: dict[str, Crop]
) -> None:
    """Brows that only turn are a leer; angry ones come down and together."""
    for name, picture in portraits.items():
        field = builtin.predict(picture, crops[name], guide, prompt("an angry face"))
        assert min(unit(field, "browDownLeft"), unit(field, "browTogetherLeft")) > 0.4, name
        if name == "astronaut":  # the other one's brows lie under glasses, and stay
            inner = crops[name].places[0, [AT[55], AT[285]]]
            moved = -field.flow(crop=crops[name])(inner[None, None]).offset[0, :, 0].T
            assert (moved[:, 1] > 0.004).all()
            assert (moved[0, 0] - moved[1, 0]).item() > 0.004


def test_strength_zero_is_the_photo_itself(builtin: Predictor, guide: Guide, astronaut: Tensor, crop: Crop) -> None:
    field = builtin.predict(astronaut, crop, guide, prompt("a smiling face | red lips"), strength=0.0)
    assert not field.coefficients().any()
    assert not field.rest.color.any()
    assert torch.equal(warp(astronaut, crop, field)[0], astronaut)


def test_what_a_field_tells(builtin: Predictor, guide: Guide, astronaut: Tensor, crop: Crop, tmp_path: Path) -> None:
    field = builtin.predict(astronaut, crop, guide, Prompt.parse("a smiling face", "a person"), 0.8)
    assert dict(field.meta) == {"prompt": "a smiling face", "neutral": "a person", "guide": "nano", "method": "predict",
                                "strength": 0.8, "did": what_it_does(field)}  # fmt: skip
    assert "cheekSquint 0." in field.meta["did"]
    assert load_field(field.save(tmp_path / "f.safetensors")).meta["did"] == field.meta["did"]
    assert "did" not in field.scale(0.5).meta  # half of it does something else
    lips = builtin.predict(astronaut, crop, guide, prompt("red lips"))
    assert lips.meta["did"] == "colours"


def test_what_has_learnt_nothing_answers_what_is_named(
    fresh: Predictor, guide: Guide, portraits: dict[str, Tensor], crops: dict[str, Crop]
) -> None:
    """Grace Hopper does not smile, the astronaut does."""
    text, name = prompt("a smiling face"), "grace_hopper"
    field = fresh.predict(portraits[name], crops[name], guide, text)
    asked = named(guide, text).field
    assert unit(asked, "mouthSmileLeft") > 0.5
    assert 0.85 < unit(field, "mouthSmileLeft") / unit(asked, "mouthSmileLeft") <= 1
    beaming = fresh.predict(portraits["astronaut"], crops["astronaut"], guide, text)
    smile, fitted = load_rig().unit_names.index("mouthSmileLeft"), fit_shown(crops["astronaut"].places)
    assert -0.1 <= (after(beaming, fitted) - fitted.units[0])[smile] < 0.3 * unit(field, "mouthSmileLeft")
    assert 0 < unit(beaming, "cheekSquintLeft") < 0.8 * unit(field, "cheekSquintLeft")  # what nobody reads goes along


def test_a_smiling_face_asked_to_be_angry_stops_smiling(
    builtin: Predictor, guide: Guide, astronaut: Tensor, crop: Crop
) -> None:
    smile, fitted = load_rig().unit_names.index("mouthSmileLeft"), fit_shown(crop.places)
    assert fitted.units[0, smile] > 0.5
    field = builtin.predict(astronaut, crop, guide, prompt("an angry face"))
    assert after(field, fitted)[smile] < 0.3


def test_whatever_it_learnt_stays_within_what_faces_can_do(
    wild: Predictor, guide: Guide, portraits: dict[str, Tensor], crops: dict[str, Crop]
) -> None:
    for name, picture in portraits.items():
        shown = fit_shown(crops[name].places).units[0]
        for text in ("a laughing face", "an angry face | a surprised face", "a face with full lips | a wide nose"):
            field = wild.predict(picture, crops[name], guide, prompt(text))
            assert field.coefficients().isfinite().all()
            assert 0 <= field.relax.min() <= field.relax.max() <= 1
            kept = shown * torch.where(shown > 0, 1 - field.relax[0], torch.ones(()))
            assert (kept + field.units[0] <= shown.clamp(min=bounds.FULL) + 1e-5).all()
            assert (kept + field.units[0] >= shown.clamp(max=0) - 1e-5).all()
            assert field.controls.abs().max() <= 2


def test_left_and_right_are_alike_unless_a_side_is_named(wild: Predictor, guide: Guide) -> None:
    """On a face that is the same on both sides."""
    face, tones = torch.zeros(1, 54 + 74 + 3), torch.zeros(1, 8, 4)
    for text, alike in (("a smiling face", True), ("a face with big eyes", True), ("a winking face", False)):
        field = MusclesField.zeros().with_coefficients(wild(wild.bind(guide, prompt(text)).wish, face, tones)[0])
        other = field.mirrored()
        assert torch.allclose(field.coefficients(), other.coefficients(), atol=1e-5) == alike, text
    wink = field
    assert unit(wink, "eyeBlinkLeft") > 0.8
    assert unit(wink, "eyeBlinkRight") < 0.1


def test_prompts_use_what_they_ask_for(builtin: Predictor, guide: Guide, astronaut: Tensor, crop: Crop) -> None:
    smile, nose, lips = (
        builtin.predict(astronaut, crop, guide, prompt(t))
        for t in ("a smiling face", "a face with a wide nose", "red lips")
    )
    assert smile.rest is None
    assert smile.units.any()
    assert not smile.controls.any()
    assert nose.controls.any()
    assert not nose.units.any()
    assert not lips.coefficients().any()
    assert 0.02 < lips.rest.color.abs().max() <= predict.COLOR_LIMIT


@pytest.mark.parametrize("weight", [-1.5, -0.4, 0.01, 1.0])
@pytest.mark.parametrize("strength", [-1.0, 0.3, 1.0])
def test_strength_is_the_weight_of_a_part(
    wild: Predictor, guide: Guide, astronaut: Tensor, crop: Crop, weight: float, strength: float
) -> None:
    one = wild.predict(astronaut, crop, guide, prompt(f"a smiling face | red lips:{weight}"), strength)
    two = wild.predict(astronaut, crop, guide, prompt(f"a smiling face:{strength} | red lips:{weight * strength}"))
    torch.testing.assert_close(one.coefficients(), two.coefficients(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.rest.color, two.rest.color, atol=1e-4, rtol=1e-3)


def test_strength_is_linear(wild: Predictor, guide: Guide, astronaut: Tensor, crop: Crop) -> None:
    text = prompt("a sad face | red lips")
    whole = wild.predict(astronaut, crop, guide, text)
    for strength in (0.25, 2.0):
        part = wild.predict(astronaut, crop, guide, text, strength)
        torch.testing.assert_close(part.coefficients(), strength * whole.coefficients())
        torch.testing.assert_close(part.rest.color, strength * whole.rest.color)


def test_parts_come_in_any_order(wild: Predictor, guide: Guide, astronaut: Tensor, crop: Crop) -> None:
    a, b = (
        wild.predict(astronaut, crop, guide, prompt(t)).coefficients()
        for t in ("a smiling face | an angry face:-0.5", "an angry face:-0.5 | a smiling face")
    )
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_a_batch_is_its_faces(
    wild: Predictor, guide: Guide, portraits: dict[str, Tensor], crops: dict[str, Crop]
) -> None:
    bound = wild.bind(guide, prompt("an angry face | red lips"))
    squares = torch.cat([crops[n].aligned(p, 150) for n, p in portraits.items()])
    places = torch.cat([crops[n].places for n in portraits])
    together = bound(squares, places)
    assert together.batch == 2
    for i in range(2):
        alone = bound.field_for(squares[i : i + 1], places[i : i + 1])
        torch.testing.assert_close(together.select(i).coefficients(), alone.coefficients(), atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(together.select(i).rest.color, alone.rest.color, atol=1e-4, rtol=1e-3)
        fitted = bound.field_for(squares[i : i + 1], places[i : i + 1], fit_shown(places[i : i + 1]))
        torch.testing.assert_close(fitted.coefficients(), alone.coefficients())
    assert not torch.equal(together.units[0], together.units[1])


def test_it_works_under_inference_mode(builtin: Predictor, guide: Guide, astronaut: Tensor, crop: Crop) -> None:
    usual = builtin.predict(astronaut, crop, guide, prompt("a sad face"))
    with torch.inference_mode():
        inside = builtin.predict(astronaut.clone(), crop, guide, prompt("a sad face"))
    torch.testing.assert_close(inside.coefficients(), usual.coefficients())


def test_mistakes(builtin: Predictor, guide: Guide, astronaut: Tensor, crop: Crop) -> None:
    with pytest.raises(PromptError, match="mean the same"):
        builtin.bind(guide, Prompt.parse("a face", "a face"))
    two = crop.for_pictures(2)
    with pytest.raises(ValueError, match="does not fit 3"):
        builtin.predict(astronaut.expand(3, -1, -1, -1), two, guide, prompt("a sad face"))
    with pytest.raises(ValueError, match="3 prompts do not fit 2 faces"):
        builtin.predict(astronaut.expand(2, -1, -1, -1), two, guide, [prompt("a sad face")] * 3)


def test_each_face_may_have_its_own_prompt(builtin: Predictor, guide: Guide, astronaut: Tensor, crop: Crop) -> None:
    pictures, texts = torch.cat([astronaut, astronaut.flip(-1)]), [prompt("a sad face"), prompt("red lips")]
    both = align(pictures, load_detector())[0]
    made = builtin.predict(pictures, both, guide, texts)
    assert made.meta["prompt"] == "a sad face / red lips"
    for i, text in enumerate(texts):
        alone = builtin.predict(pictures[i : i + 1], both.select(i), guide, text)
        torch.testing.assert_close(made.select(i).coefficients(), alone.coefficients(), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(made.rest.color[1], alone.rest.color[0], atol=1e-4, rtol=1e-3)
    assert made.rest.color[1].any()
    assert not made.rest.color[0].any()


def test_weights_loaded_in_inference_mode_can_still_learn() -> None:
    with torch.inference_mode():
        loaded = Predictor.load()
    assert not loaded.first.weight.is_inference()
    assert predict.BUILTIN.stat().st_size < 4e6
    assert sum(p.numel() for p in loaded.parameters()) < 1.5e6


class Other:
    """A guide that places texts elsewhere."""

    name = "other"

    def __init__(self, guide: Guide, width: int) -> None:
        self.guide, self.width = guide, width

    def encode_text(self, texts: list[str]) -> Tensor:
        return self.guide.encode_text([t[::-1] for t in texts])[:, : self.width]

    def encode_prompt(self, text: str, templates: tuple[str, ...]) -> Tensor:
        return self.encode_text([text])[0]


@pytest.mark.parametrize(("width", "why"), [(160, "places texts elsewhere"), (32, "have 32 numbers instead of 160")])
def test_another_guide_is_refused(builtin: Predictor, guide: Guide, width: int, why: str) -> None:
    with pytest.raises(
        PredictorError, match=rf"with guide nano .* guide other: .*{why}.*train predictor --guide other"
    ):
        builtin.bind(Other(guide, width), prompt("a smiling face"))


def test_files_that_are_no_predictors(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match=r"no predictor weights at .*train predictor --guide nano"):
        Predictor.load(tmp_path / "missing.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    with pytest.raises(PredictorError, match="damaged"):
        Predictor.load(tmp_path / "broken.safetensors")
    with pytest.raises(PredictorError, match="but no predictor"):
        Predictor.load(landmarks.BUILTIN)


def test_a_predictor_of_before_muscles_is_refused(guide: Guide, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    old = {"keys": key_texts(guide), "unit": torch.ones(()), "motion.weight": torch.zeros(86, 256)}
    path = tmp_path / "mine.safetensors"
    save_file(old, path, {"kind": "faceflow.predictor", "guide": "ViT-B-32:laion2b_s34b_b79k"})
    with pytest.raises(
        PredictorError, match=r"mine\.safetensors moves landmarks.*train it again for guide ViT-B-32:.*--guide ViT"
    ):
        Predictor.load(path)


def test_refining_starts_from_the_prediction(
    guide: Guide, detector, tmp_path: Path, astronaut: Tensor,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(common, "load_guide", lambda *a, **k: guide)
    monkeypatch.setattr(common, "load_detector", lambda *a, **k: detector)
    photo = tmp_path / "photo.png"
    write(Picture(astronaut[:, :, :180, 125:325]), photo)
    made = {}
    for method in ("predict", "refine"):
        out, saved = tmp_path / f"{method}.png", tmp_path / f"{method}.safetensors"
        argv = ["edit", photo, "a smiling face", "-o", out, "--field", saved, "--method", method, "--predictor",
                predict.BUILTIN, "--steps", "8", "--device", "cpu"]  # fmt: skip
        assert cli.main([str(a) for a in argv]) == 0
        told = capsys.readouterr().out
        assert "guide gain +" in told
        made[method] = load_field(saved)
        assert told.splitlines()[-1] == made[method].meta["did"] == what_it_does(made[method])
    assert made["predict"].meta["method"] == "predict"
    assert (made["refine"].meta["method"], made["refine"].meta["steps"]) == ("refine", 2)
    rough, fine = made["predict"], made["refine"]
    moved = (fine.units - rough.units).abs().max()
    assert 0 < moved < 0.5 * rough.units.abs().max()  # what is named is not added once more
    argv = [
        "edit",
        photo,
        "a smiling face",
        "-o",
        tmp_path / "x.png",
        "--method",
        "predict",
        "--predictor",
        "no.safetensors",
    ]
    assert cli.main([str(a) for a in argv]) == 2
    assert "no predictor weights at no.safetensors" in capsys.readouterr().err


@pytest.fixture
def _measured_on_one_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a training starts; that takes longer than the few steps of a test."""
    monkeypatch.setattr(training, "MEASURED", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("_measured_on_one_face")
def test_training_goes_on_where_it_stopped(folder: Path, faces: data.Faces, tmp_path: Path) -> None:
    whole, half, drawn = tmp_path / "whole", tmp_path / "half", 0
    for place, runs in ((whole, (["--steps", "4"],)), (half, (["--steps", "4"], ["--steps", "4", "--resume"]))):
        place.mkdir()
        for number, extra in enumerate(runs):
            if place is half and number == 0:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(loop, "CHECKPOINT_EVERY", 2)
                    with pytest.raises(KeyboardInterrupt):
                        training.run(options(place, *extra), stop_after(faces, drawn - 1), nobody(faces))
            else:
                counted = stop_after(faces, 1000)
                training.run(options(place, *extra), counted, nobody(faces))
                drawn = 1000 - counted.images.left
    a, b = (Predictor.load(place / "p.safetensors").state_dict() for place in (whole, half))
    for name, value in a.items():
        torch.testing.assert_close(value, b[name], msg=name)


@pytest.mark.slow
@pytest.mark.usefixtures("_measured_on_one_face")
def test_training_goes_on_from_weights(trained: Predictor, folder: Path, faces: data.Faces, tmp_path: Path) -> None:
    start = folder / "p.safetensors"
    training.run(options(tmp_path, "--steps", "1", "--lr", "1e-9", "--weights", str(start)), faces, nobody(faces))
    again = Predictor.load(tmp_path / "p.safetensors")
    for name in ("first", "steer"):
        torch.testing.assert_close(getattr(again, name).weight, getattr(trained, name).weight, msg=name)


def stop_after(faces: data.Faces, draws: int) -> data.Faces:
    """The same faces, of which somebody pulls the plug."""

    class Images:
        left, device = draws, faces.images.device

        def __getitem__(self, index: Tensor) -> Tensor:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return faces.images[index]

        def __len__(self) -> int:
            return len(faces.images)

    return data.Faces(Images(), faces.landmarks, faces.label, faces.kind, faces.color)


def _worker(rank: int, folder: str, port: int) -> None:
    """One of two processes that train. The second one begins with other weights: those of the first one count."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    training.MEASURED = 1
    place = Path(folder)
    faces = torch.load(place / "faces.pt", weights_only=False)
    o = options(place / str(rank), "--steps", "2", "--seed", "1", "--checkpoint", str(place / "p.pt"))
    seeds, fit = [], loop.fit

    def watched(judged: training.Judged, batch: Callable[[int], tuple], *rest: object) -> float:
        with torch.no_grad():
            for p in judged.parameters():
                p.add_(0.01 * rank)
        seconds = fit(judged, lambda seed: (seeds.append(seed), batch(seed))[1], *rest)
        torch.save({"seeds": seeds, "weights": judged.predictor.state_dict()}, place / f"rank{rank}.pt")
        return seconds

    loop.fit = watched
    training.run(o, faces, nobody(faces))
    distributed.barrier()  # gloo aborts a process whose peer has already left
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_gloo_available(), reason="this torch has no gloo")
def test_two_processes_train_one_predictor(tmp_path: Path, faces: data.Faces) -> None:
    for rank in (0, 1):
        (tmp_path / str(rank)).mkdir()
    torch.save(faces, tmp_path / "faces.pt")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    multiprocessing.spawn(_worker, (str(tmp_path), port), nprocs=2)
    a, b = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert len({*a["seeds"], *b["seeds"]}) == 4  # each has batches of its own
    for name, value in a["weights"].items():
        assert torch.equal(value, b["weights"][name]), name
    saved = Predictor.load(tmp_path / "0" / "p.safetensors").state_dict()
    assert torch.equal(saved["first.weight"], a["weights"]["first.weight"].half().float())
    assert not (tmp_path / "1" / "p.safetensors").exists()


def test_shards_hold_the_faces(faces: data.Faces, tmp_path: Path) -> None:
    paths = shards.write(faces, tmp_path, 10)
    assert len(paths) == 3
    found = [face for path in paths for face in shards.read(path)]
    assert len(found) == len(faces)
    for i in (0, 23):
        image, points, color = found[i]
        assert (image.float() - faces.images[i].float()).abs().mean() < 3
        torch.testing.assert_close(points, faces.landmarks[i], atol=0.02, rtol=0)
        assert color
    images, points, color = next(shards.batches([str(p) for p in paths], 5, 0, workers=0))
    assert images.shape == (5, 3, data.STORED, data.STORED)
    assert points.shape == (5, 161, 2)
    assert color.dtype == torch.bool


def test_a_stream_keeps_its_held_out_faces_back(faces: data.Faces, tmp_path: Path) -> None:
    many = faces.select(torch.arange(100) % 24)
    for i in range(len(many)):  # each face has a number that survives
        many.landmarks[i, 0, 0] = float(i)
    [path] = shards.write(many, tmp_path, 1000)
    stream = iter(shards.Stream([str(path)], 0, buffer=16))
    streamed = {round(next(stream)[1][0, 0].item()) for _ in range(400)}
    kept = {round(p[0, 0].item()) for p in shards.held_out([str(path)]).landmarks}
    assert kept == {49, 99}
    assert not streamed & kept
    assert len(streamed) > 90


def test_shards_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="No shard is called"):
        shards.find(str(tmp_path / "*.tar"))
    (tmp_path / "a.jpg").write_bytes(b"x")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "a.jpg", "a.jpg")
    with pytest.raises(ValueError, match=r"a is alone; each picture needs NAME\.jpg and NAME\.json"):
        list(shards.read(tmp_path / "a.tar"))
    (tmp_path / "a.json").write_text('{"landmarks": [[1, 2]]}')
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in ("a.jpg", "a.json"):
            tar.add(tmp_path / name, name)
    with pytest.raises(ValueError, match=r"needs 161 landmarks .* has \(1, 2\)"):
        list(shards.read(tmp_path / "a.tar"))


def test_random_prompts(guide: Guide) -> None:
    import random

    texts = training.Texts.read(guide, ["a smiling face", "a face", "red lips", "blond hair", "an old face"])
    assert "a face" not in texts.texts  # says nothing
    assert texts.gates.shape == (4, len(COLOR_REGIONS))
    assert texts.kinds.tolist() == [[1, 0], [0, 0], [0, 0], [0, 1]]
    which, weight = training.prompts(texts, [True, False] * 500, random.Random(0))
    assert which.shape == weight.shape == (1000, training.MOST_PARTS)
    assert {1, 2, 3} == set((weight != 0).sum(1).tolist())
    assert (weight.abs().amax(1) == 1).all()
    assert 0.1 < (weight[:, 0] < 0).float().mean() < 0.3
    painted = texts.gates[which].amax(-1) * (weight != 0)
    assert not painted[1::2].any()  # grey faces are asked for no colour
    assert painted[::2].any()
    wish = training.wish_of(texts, which, weight)
    assert wish.kinds.max() <= 1
    alone = ((weight != 0).sum(1) == 1).nonzero()[0, 0]
    torch.testing.assert_close(wish.start[alone], weight[alone, 0] * texts.starts[which[alone, 0]])


def test_faces_look_as_at_run_time(faces: data.Faces, portraits: dict[str, Tensor], crops: dict[str, Crop]) -> None:
    chosen = faces.select(torch.tensor([0, 12]))
    squares, places, frontality = training.look(chosen.images, chosen.landmarks, 112, None)
    for i, name in enumerate(portraits):
        crop = crops[name]
        torch.testing.assert_close(places[i], crop.places[0], atol=2e-3, rtol=0)
        assert (squares[i] - crop.aligned(portraits[name], 112)[0]).abs().mean() < 0.02
        assert frontality[i].item() == pytest.approx(crop.frontality.item(), abs=0.02)
    _, mirrored, _ = training.look(chosen.images, chosen.landmarks, 112, torch.Generator().manual_seed(1))
    other = torch.stack([1 - places[:, list(MIRROR), 0], places[:, list(MIRROR), 1]], -1)
    assert all(torch.equal(m, p) or torch.equal(m, o) for m, p, o in zip(mirrored, places, other, strict=True))


def test_one_source_of_faces(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["--data", "a", "--shards", "b"]):
        with pytest.raises(SystemExit):
            training.main(argv)
        assert "give the faces by one of" in capsys.readouterr().err
