# ruff: noqa: F811 (fixtures of another file)
"""The nodes of muscles, as ComfyUI runs them: in inference mode, on locked classes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from test_nodes import _as_comfyui_runs_nodes, comfy, face, photo, run  # noqa: F401
from torch import Tensor


@pytest.fixture
def smile(comfy: SimpleNamespace) -> object:
    return run(comfy, "FaceFlowMuscles", preset="smile")[0]


def test_untouched_is_nothing(comfy: SimpleNamespace, photo: Tensor, face: object) -> None:
    field, text = run(comfy, "FaceFlowMuscles", preset="none").args
    assert text == "nothing"
    edited = run(comfy, "FaceFlowApply", image=photo.clone(), crop=face, field=field)[0]
    assert torch.equal(edited, photo)


def test_sliders_preset_and_more_add_up(comfy: SimpleNamespace) -> None:
    node = comfy.nodes["FaceFlowMuscles"]
    rig = {n: i for i, n in enumerate(_rig(comfy).unit_names)}
    field, text = run(comfy, "FaceFlowMuscles", preset="smile", strength=0.5, mouthSmile=0.2, jaw_aside=-0.4, gaze_aside=0.5,
                      gaze_up=-0.3, noseWider=1.0, more="mouthSmileLeft 0.1, relax browDown 0.5").args  # fmt: skip
    units = field.units[0]
    smile = run(comfy, "FaceFlowMuscles", preset="smile", strength=0.5)[0]
    half = smile.units[0]
    assert units[rig["mouthSmileLeft"]].item() == pytest.approx(half[rig["mouthSmileLeft"]].item() + 0.3)
    assert units[rig["mouthSmileRight"]].item() == pytest.approx(half[rig["mouthSmileRight"]].item() + 0.2)
    assert units[rig["jawRight"]].item() == pytest.approx(0.4)
    assert units[rig["jawLeft"]].item() == 0
    assert units[rig["eyeLookOutLeft"]].item() == units[rig["eyeLookInRight"]].item() == pytest.approx(0.5)
    assert units[rig["eyeLookDownLeft"]].item() == pytest.approx(0.3)
    assert (field.relax - smile.relax)[0, rig["browDownLeft"]].item() == pytest.approx(0.5)
    assert "noseWider 1.00" in text
    assert node.validate_inputs(more="smile 0.5") is True
    assert "nearest" in node.validate_inputs(more="smlie 0.5")


def test_every_slider_moves_something(comfy: SimpleNamespace) -> None:
    for name in comfy.nodes["FaceFlowMuscles"].SLIDERS:
        for value in (0.5, -0.5):
            field = run(comfy, "FaceFlowMuscles", preset="none", **{name: value})[0]
            assert field.coefficients().any(), name


def test_an_edit_to_add_to(comfy: SimpleNamespace, face: object, smile: object) -> None:
    raster = run(comfy, "FaceFlowInit", representation="raster", crop=face, resolution=8, noise=0.01)[0]
    both = run(comfy, "FaceFlowMuscles", preset="none", jawOpen=0.3, field=smile)[0]
    assert both.amounts[0]["jawOpen"] == pytest.approx(smile.amounts[0].get("jawOpen", 0.0) + 0.3)
    assert both.amounts[0]["mouthSmileLeft"] == smile.amounts[0]["mouthSmileLeft"]
    assert run(comfy, "FaceFlowMuscles", preset="none", jawOpen=0.3, field=raster)[0].rest is not None


def test_the_whole_way(comfy: SimpleNamespace, photo: Tensor, face: object, smile: object) -> None:
    edited, changed = run(comfy, "FaceFlowApply", image=photo.clone(), crop=face, field=smile).args[:2]
    assert not torch.equal(edited, photo)
    assert torch.equal(edited * (1 - changed[..., None]), photo * (1 - changed[..., None]))
    for style in ("muscles", "grid", "compare"):
        view = run(comfy, "FaceFlowView", field=smile, style=style, size=64, image=photo.clone(), crop=face)[0]
        assert view.shape == (1, 64, 64, 3)
    with pytest.raises(ValueError, match="image and crop"):
        run(comfy, "FaceFlowView", field=smile, style="muscles", size=64)
    run(comfy, "FaceFlowSave", field=smile, filename_prefix="muscles/smile")
    name = next((comfy.root / "output" / "muscles").glob("smile*")).name
    again = run(comfy, "FaceFlowLoad", file=f"output/muscles/{name}")[0]
    assert torch.equal(again.coefficients(), smile.coefficients())
    repair, moved = run(comfy, "FaceFlowStretch", field=smile, crop=face).args
    assert moved.mean() > 0.01
    assert repair.shape == moved.shape


def test_algebra(comfy: SimpleNamespace, face: object, smile: object) -> None:
    raster = run(comfy, "FaceFlowInit", representation="raster", crop=face, resolution=8, noise=0.01)[0]
    assert run(comfy, "FaceFlowMix", field_1=smile, field_2=raster)[0].kind == "muscles"
    with pytest.raises(ValueError, match="crop"):
        run(comfy, "FaceFlowMix", field_1=smile, field_2=raster, mode="compose")
    assert run(comfy, "FaceFlowMix", field_1=smile, field_2=raster, mode="compose", crop=face)[0].kind == "raster"
    for what in ("opposite", "mirror"):
        assert run(comfy, "FaceFlowInvert", field=smile, what=what)[0].kind == "muscles"
    with pytest.raises(ValueError, match="crop"):
        run(comfy, "FaceFlowInvert", field=smile)
    assert run(comfy, "FaceFlowInvert", field=smile, crop=face)[0].kind == "raster"
    assert run(comfy, "FaceFlowMask", field=smile, crop=face, region="mouth")[0].kind == "muscles"
    assert run(comfy, "FaceFlowTransfer", field=smile, crop_from=face, crop_to=face)[0] is smile


@pytest.mark.parametrize("kind", ["flow .flo", "ST-map .png"])
def test_export(comfy: SimpleNamespace, face: object, smile: object, kind: str) -> None:
    with pytest.raises(ValueError, match="connect the crop"):
        run(comfy, "FaceFlowExport", field=smile, format=kind, size=32)
    assert run(comfy, "FaceFlowExport", field=smile, format=kind, size=32, crop=face, filename_prefix="muscles/out")[0]


def test_init(comfy: SimpleNamespace, face: object) -> None:
    field = run(comfy, "FaceFlowInit", crop=face, representation="muscles")[0]
    assert field.kind == "muscles"
    assert not field.coefficients().any()


def test_read_face(comfy: SimpleNamespace, photo: Tensor, face: object) -> None:
    field, text = run(comfy, "FaceFlowReadFace", crop=face).args
    assert "mouthSmile" in text
    assert (field.relax == 1).all()
    assert torch.equal(run(comfy, "FaceFlowReadFace", crop=face, strength=0.5)[0].units, field.units / 2)
    away = run(comfy, "FaceFlowReadFace", crop=face, mode="neutral")[0]
    assert (away.relax == 1).all()
    assert not away.units.any()
    with pytest.raises(ValueError, match="one of the two"):
        run(comfy, "FaceFlowReadFace")


def test_drive(comfy: SimpleNamespace, photo: Tensor, face: object) -> None:
    surprised = run(comfy, "FaceFlowMuscles", preset="surprise")[0]
    frames = [
        run(comfy, "FaceFlowApply", image=photo.clone(), crop=face, field=surprised, shape_strength=s)[0]
        for s in (0.0, 0.0, 1.0)
    ]
    clip = torch.cat(frames)
    read = run(comfy, "FaceFlowReadFace", frames=clip, smoothing=0.0)[0]
    assert read.batch == 3
    moved, changed = run(comfy, "FaceFlowVideo", image=photo.clone(), drive=read, drive_from="first").args[:2]
    assert moved.shape == clip.shape
    assert torch.equal(moved[0], photo[0])
    assert changed[2].sum() > 50
    followed = run(comfy, "FaceFlowVideo", image=clip, drive=read, crop=face, strength=0.5)[0]
    assert followed.shape == clip.shape
    with pytest.raises(ValueError, match="3 driving expressions for 2 frames"):
        run(comfy, "FaceFlowVideo", image=clip[:2], drive=read)


def test_video_takes_a_muscles_field(comfy: SimpleNamespace, photo: Tensor, face: object, smile: object) -> None:
    edited, changed = run(comfy, "FaceFlowVideo", image=photo.repeat(2, 1, 1, 1), field=smile, crop=face).args[:2]
    assert changed[1].sum() > 100
    assert torch.equal(edited * (1 - changed[..., None]), photo * (1 - changed[..., None]))


def _rig(comfy: SimpleNamespace) -> object:
    import importlib

    return importlib.import_module(f"{comfy.pack.__name__}.flow_core.faces.rig").load_rig()


def test_bad_amounts_are_told_where_they_are(comfy: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="jawOpen is nan"):
        run(comfy, "FaceFlowMuscles", preset="none", jawOpen=float("nan"))
    with pytest.raises(ValueError, match="strength is inf"):
        run(comfy, "FaceFlowMuscles", preset="smile", strength=float("inf"))
    with pytest.raises(ValueError, match="no expression 'smiel'; use one of neutral, smile"):
        run(comfy, "FaceFlowMuscles", preset="smiel")
