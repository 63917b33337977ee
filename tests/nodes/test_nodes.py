"""The nodes: their schemas stay what released workflows rely on, and they run as ComfyUI runs them.

With FACEFLOW_COMFYUI naming a ComfyUI checkout (in an interpreter that has its requirements) the same tests use the
real modules instead of the stand-in.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import json
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import comfy_stub
import numpy as np
import pytest
import torch
from helpers import Remembering
from PIL import Image
from torch import Tensor

from flow_core.needs import LINES, need

ROOT = Path(__file__).parents[2]
COMFYUI = os.environ.get("FACEFLOW_COMFYUI")
FROZEN = json.loads((Path(__file__).parents[1] / "data" / "nodes_v1.json").read_text())
STYLES = ("wheel", "arrows", "grid", "heat", "color", "folds")
# Nodes of ComfyUI itself that the example workflows may use.
CORE = {"LoadImage", "PreviewImage", "SaveImage", "LossGraphNode", "PreviewAny", "MarkdownNote", "Note", "ImageBatch",
        "MaskPreview", "InvertMask", "ImageScale", "SaveAnimatedWEBP", "ImageStitch", "LoadVideo", "GetVideoComponents",
        "CreateVideo", "SaveVideo", "ImageFromBatch"}  # fmt: skip
# Those that load or run a model: nobody runs them here, but their sockets and the number of their widgets must be right.
MODELS = {
    "CheckpointLoaderSimple": ({}, ["MODEL", "CLIP", "VAE"], 1),
    "CLIPTextEncode": ({"clip": "CLIP"}, ["CONDITIONING"], 1),
    "VAEEncode": ({"pixels": "IMAGE", "vae": "VAE"}, ["LATENT"], 0),
    "VAEDecode": ({"samples": "LATENT", "vae": "VAE"}, ["IMAGE"], 0),
    "SetLatentNoiseMask": ({"samples": "LATENT", "mask": "MASK"}, ["LATENT"], 0),
    "KSampler": (
        {"model": "MODEL", "positive": "CONDITIONING", "negative": "CONDITIONING", "latent_image": "LATENT"}, ["LATENT"], 7,
    ),  # seven with "control after generate"
    "ImageCompositeMasked": ({"destination": "IMAGE", "source": "IMAGE", "mask": "MASK"}, ["IMAGE"], 3),
}  # fmt: skip

needs_stub = pytest.mark.skipif(COMFYUI is not None, reason="about the stand-in")


def real_modules(root: Path, patch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    patch.syspath_prepend(COMFYUI)
    cli = importlib.import_module("comfy.cli_args")
    cli.args.cpu = not torch.cuda.is_available()
    folders = importlib.import_module("folder_paths")
    for kind in ("output", "input"):
        getattr(folders, f"set_{kind}_directory")(str(root / kind))
    patch.setattr(folders, "models_dir", str(root / "models"))
    return {name: importlib.import_module(name) for name in comfy_stub.modules(root)}


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """ComfyUI, or its stand-in, with the pack loaded."""
    root = tmp_path_factory.mktemp("comfyui").resolve()
    for name in ("output", "input", "models/faceflow"):
        (root / name).mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        modules = real_modules(root, patch) if COMFYUI else comfy_stub.modules(root)
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        pack, nodes = comfy_stub.load_pack(ROOT)
        align = sys.modules[f"{pack.__name__}.nodes.align"]
        load = align.load
        patch.setattr(
            align, "load", lru_cache(None)(lambda name: Remembering(load(name)))
        )  # tests show the same pictures
        yield SimpleNamespace(
            root=root,
            pack=pack,
            nodes=nodes,
            folders=modules["folder_paths"],
            mm=modules["comfy.model_management"],
            utils=modules["comfy.utils"],
            internal=modules["comfy_api.internal"],
            io=modules["comfy_api.latest"].io,
        )
        for name in [m for m in sys.modules if m.split(".")[0] == pack.__name__.split(".")[0]]:
            del sys.modules[name]


def run(comfy: SimpleNamespace, node_id: str, **inputs: object) -> object:
    """Execute a node as ComfyUI does: widgets that are not given have their defaults, the class is locked."""
    node = comfy.nodes[node_id]
    schema = node.GET_SCHEMA()
    declared = {i.id: i for i in schema.inputs}
    assert inputs.keys() <= declared.keys()
    for i in schema.inputs:
        if i.id not in inputs and i.io_type in comfy_stub.WIDGETS and i.default is not None:
            inputs[i.id] = i.default
        assert i.id in inputs or i.optional, f"{i.id} is required"
    clone = node.PREPARE_CLASS_CLONE({})
    return comfy.internal.make_locked_method_func(node, node.FUNCTION, clone)(**inputs)


@pytest.fixture(scope="module")
def photo(astronaut: Tensor) -> Tensor:
    """An IMAGE of 180 x 200 pixels."""
    return astronaut[:, :, :180, 125:325].movedim(1, -1).contiguous()


@pytest.fixture(scope="module")
def loaded(comfy: SimpleNamespace) -> object:
    with torch.inference_mode():
        return run(comfy, "FaceFlowLoadGuide")[0]


@pytest.fixture(scope="module")
def face(comfy: SimpleNamespace, photo: Tensor) -> object:
    with torch.inference_mode():
        return run(comfy, "FaceFlowAlign", image=photo.clone(), aligned_size=96)[0]


@pytest.fixture
def field(comfy: SimpleNamespace, face: object) -> object:
    return run(comfy, "FaceFlowInit", representation="raster", crop=face, resolution=8, noise=0.01)[0]


@pytest.fixture(autouse=True)
def _as_comfyui_runs_nodes(comfy: SimpleNamespace) -> Iterator[None]:
    """In inference mode, with no hook and no interrupt left from an earlier test."""
    comfy.utils.set_progress_bar_global_hook(None)
    comfy.mm.interrupt_current_processing(False)
    with torch.inference_mode():
        yield
    comfy.utils.set_progress_bar_global_hook(None)


def is_image(image: Tensor, shape: tuple[int, ...]) -> bool:
    return (
        tuple(image.shape) == shape
        and image.dtype == torch.float32
        and image.device.type == "cpu"
        and bool(image.isfinite().all())
        and 0 <= image.min() <= image.max() <= 1
    )


def inputs_of(node: type) -> list[dict[str, object]]:
    """The inputs as the page lists them, required ones first: saved widget values follow this order."""
    declared = sorted(node.GET_SCHEMA().inputs, key=lambda i: bool(i.optional))
    return [{"id": i.id, "type": str(i.io_type), "optional": bool(i.optional)} for i in declared]


def node_ids() -> list[str]:
    return sorted(FROZEN)


def test_node_ids_are_frozen(comfy: SimpleNamespace) -> None:
    assert sorted(comfy.nodes) == node_ids()


@pytest.mark.parametrize("node_id", node_ids())
def test_inputs_and_outputs_are_only_appended(comfy: SimpleNamespace, node_id: str) -> None:
    was, now = FROZEN[node_id], inputs_of(comfy.nodes[node_id])
    known = was["sockets"] | dict(was["widgets"])
    assert known.items() <= {i["id"]: i["type"] for i in now}.items()
    assert all(i["optional"] for i in now if i["id"] not in known), "older workflows do not have the new input"
    widgets = [[i["id"], i["type"]] for i in now if i["type"] in comfy_stub.WIDGETS]
    assert widgets[: len(was["widgets"])] == was["widgets"]
    outputs = [str(o.io_type) for o in comfy.nodes[node_id].GET_SCHEMA().outputs]
    assert outputs[: len(was["outputs"])] == was["outputs"]


@pytest.mark.parametrize("node_id", node_ids())
def test_schema(comfy: SimpleNamespace, node_id: str) -> None:
    schema = comfy.nodes[node_id].GET_SCHEMA()
    assert schema.node_id == node_id
    assert "." not in node_id
    assert schema.display_name.startswith("FaceFlow ")
    assert schema.category in ("FaceFlow/" + c for c in ("edit", "fields", "files", "views", "models", "video"))
    assert len(schema.description) > 30
    assert all(o.display_name for o in schema.outputs)  # else 0.3.64 shows the type
    own = ("FACEFLOW_FIELD", "FACEFLOW_CROP", "FACEFLOW_GUIDE", "FACEFLOW_PREDICTOR", "FLOAT,CURVE")
    for i in schema.inputs:
        assert i.tooltip, f"{i.id} has no tooltip"
        assert i.io_type in (*comfy_stub.WIDGETS, *own, "IMAGE", "MASK", "LATENT", "VIDEO"), (
            f"{i.id} has an unknown type"
        )
    assert all(o.tooltip for o in schema.outputs)


@pytest.mark.parametrize("node_id", node_ids())
def test_widgets_have_sensible_defaults(comfy: SimpleNamespace, node_id: str) -> None:
    for i in comfy.nodes[node_id].GET_SCHEMA().inputs:
        if i.io_type in ("INT", "FLOAT"):
            assert i.min <= i.default <= i.max
        elif i.io_type == "COMBO" and i.default is not None:
            assert i.default in i.options
            assert len(set(i.options)) == len(i.options)


@pytest.mark.parametrize("node_id", node_ids())
def test_execute_takes_what_the_schema_declares(comfy: SimpleNamespace, node_id: str) -> None:
    node = comfy.nodes[node_id]
    parameters = inspect.signature(node.execute).parameters
    declared = node.GET_SCHEMA().inputs
    if node_id == "FaceFlowMuscles":  # its many sliders come as keywords
        names = node.SLIDERS
        assert [i.id for i in declared if i.optional and i.io_type == "FLOAT"] == list(names)
        parameters = {k: v for k, v in parameters.items() if v.kind is not inspect.Parameter.VAR_KEYWORD}
        declared = [i for i in declared if i.id not in names]
    assert list(parameters) == [i.id for i in declared]
    for i in declared:  # an optional input that is not connected is not passed
        assert bool(i.optional) == (parameters[i.id].default is not inspect.Parameter.empty)


@pytest.mark.parametrize("node_id", node_ids())
def test_defaults_of_execute_are_those_of_the_widgets(comfy: SimpleNamespace, node_id: str) -> None:
    node = comfy.nodes[node_id]
    parameters = inspect.signature(node.execute).parameters
    for i in node.GET_SCHEMA().inputs:
        if i.optional and i.io_type in comfy_stub.WIDGETS:
            default = 0.0 if i.id in getattr(node, "SLIDERS", ()) else parameters[i.id].default
            assert default == i.default


def test_pack_is_found_by_comfyui(comfy: SimpleNamespace) -> None:
    assert not hasattr(comfy.pack, "NODE_CLASS_MAPPINGS")  # or ComfyUI would not look at the entry point
    assert (ROOT / comfy.pack.WEB_DIRECTORY).is_dir()


@pytest.mark.parametrize("node_id", node_ids())
def test_every_node_has_a_help_page(comfy: SimpleNamespace, node_id: str) -> None:
    schema = comfy.nodes[node_id].GET_SCHEMA()
    page = (ROOT / comfy.pack.WEB_DIRECTORY / "docs" / f"{node_id}.md").read_text()
    assert page.startswith(f"# {schema.display_name}\n")


def test_model_folder_is_registered(comfy: SimpleNamespace) -> None:
    assert str(comfy.root / "models" / "faceflow") in comfy.folders.get_folder_paths("faceflow")
    assert ".safetensors" in comfy.folders.folder_names_and_paths["faceflow"][1]


@pytest.mark.slow
@needs_stub
def test_loading_the_pack_is_light(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
import comfy_stub
sys.modules.update(comfy_stub.modules(Path(sys.argv[1])))
comfy_stub.load_pack(Path(sys.argv[2]))
print([m for m in ("open_clip", "timm", "kornia", "torchvision", "flow_core") if m in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(ROOT)],
        capture_output=True, text=True, timeout=300, cwd=Path(__file__).parent,
    )  # fmt: skip
    assert done.stdout.strip() == "[]", done.stderr


@needs_stub
def test_stand_in_refuses_what_comfyui_refuses(comfy: SimpleNamespace) -> None:
    io = comfy.io
    with pytest.raises(TypeError):
        io.Int.Input("a", advanced=True)
    with pytest.raises(TypeError):
        io.Float.Input("a", extra_dict={})
    with pytest.raises(TypeError):
        io.Schema(node_id="a", search_aliases=[])
    with pytest.raises(ValueError, match="unique"):
        io.Schema(node_id="a", inputs=[io.Image.Input("x")], outputs=[io.Image.Output("x")]).check()
    with pytest.raises(AttributeError):
        comfy_stub.make_locked_method_func(comfy.nodes["FaceFlowInit"], "GET_SCHEMA", io.ComfyNode).__self__.state = 1


@pytest.mark.skipif(COMFYUI is None, reason="needs FACEFLOW_COMFYUI, a ComfyUI checkout")
def test_stand_in_is_like_the_real_one(comfy: SimpleNamespace) -> None:
    def keywords(function: object) -> list[str]:
        return [p for p in inspect.signature(function).parameters if p != "self"]

    for name, (wire, declared) in comfy_stub.INPUTS.items():
        real = getattr(comfy.io, name)
        assert real.io_type == wire
        assert keywords(real.Input.__init__) == declared.split()
    custom = comfy.io.Custom("FACEFLOW_TEST")
    assert keywords(custom.Input.__init__) == comfy_stub.SOCKET.split()
    assert keywords(custom.Output.__init__) == comfy_stub.OUTPUT.split()
    assert keywords(comfy.io.Schema.__init__) == comfy_stub.SCHEMA.split()
    assert [e.name for e in comfy.io.NumberDisplay] == [e.name for e in comfy_stub.NumberDisplay]
    assert {e.name: e.value for e in comfy_stub.Hidden}.items() <= {e.name: e.value for e in comfy.io.Hidden}.items()
    stub = comfy_stub.modules(comfy.root)
    for name in ("comfy.model_management", "comfy.utils", "comfy.model_patcher", "folder_paths"):
        for item, value in vars(stub[name]).items():
            if inspect.isroutine(value) or item in ("ProgressBar", "ModelPatcher"):
                assert keywords(getattr(sys.modules[name], item)) == keywords(value), item


def test_whole_graph(comfy: SimpleNamespace, photo: Tensor, tmp_path: Path) -> None:
    image = photo.clone()
    assert image.is_inference()
    crop, aligned, mask, preview = run(comfy, "FaceFlowAlign", image=image, aligned_size=128).args
    assert is_image(aligned, (1, 128, 128, 3))
    assert is_image(mask, (1, 180, 200))
    assert is_image(preview, (1, 180, 200, 3))
    assert not torch.equal(preview, image)
    guide = run(comfy, "FaceFlowLoadGuide")[0]
    start = run(comfy, "FaceFlowInit", representation="raster", crop=crop, resolution=8)[0]
    assert start.size == (8, 8)
    assert not start.offset.any()
    field, edited, losses, did = run(
        comfy,
        "FaceFlowOptimize",
        image=image,
        crop=crop,
        field=start,
        guide=guide,
        prompt="a smiling face",
        steps=4,
        seed=2,
    ).args
    assert is_image(edited, (1, 180, 200, 3))
    assert not torch.equal(edited, image)
    assert len(losses["loss"]) == 4
    assert isinstance(did, str)
    assert all(isinstance(v, float) for v in losses["loss"])
    assert (field.meta["prompt"], field.meta["seed"], field.meta["steps"]) == ("a smiling face", 2, 4)
    applied, changed, *_ = run(comfy, "FaceFlowApply", image=image, crop=crop, field=field).args
    assert torch.equal(applied, edited)
    assert is_image(changed, (1, 180, 200))
    assert torch.equal(applied[changed == 0], image[changed == 0])
    assert torch.equal(image, photo)
    for style in STYLES:
        assert is_image(run(comfy, "FaceFlowView", field=field, style=style, size=96)[0], (1, 96, 96, 3))
        assert is_image(
            run(comfy, "FaceFlowView", field=field, style=style, size=96, image=image, crop=crop)[0], (1, 96, 96, 3)
        )
    saved = run(comfy, "FaceFlowSave", field=field, filename_prefix="graph/smile")
    assert saved[0] is field
    assert "a smiling face" in saved.ui.as_dict()["text"][0]
    assert (comfy.root / "output" / "graph" / "smile_00001_.safetensors").is_file()
    options = next(iter(comfy.nodes["FaceFlowLoad"].GET_SCHEMA().inputs)).options
    assert options[0] == "output/graph/smile_00001_.safetensors"
    again = run(comfy, "FaceFlowLoad", file=options[0])[0]
    assert torch.equal(again.offset, field.offset)
    assert dict(again.meta) == dict(field.meta)
    assert torch.equal(run(comfy, "FaceFlowApply", image=image, crop=crop, field=again)[0], applied)


def test_optimize_is_reproducible(
    comfy: SimpleNamespace, photo: Tensor, face: object, loaded: object, field: object
) -> None:
    def offset(**options: object) -> Tensor:
        done = run(comfy, "FaceFlowOptimize", image=photo, crop=face, field=field, guide=loaded, steps=2, **options)
        return done[0].offset

    once = offset(seed=1)
    assert torch.equal(offset(seed=1), once)
    assert not torch.equal(offset(seed=2), once)
    for option, value in (
        ("preserve", 1.0),
        ("bending", 9.0),
        ("magnitude", 9.0),
        ("symmetry", 9.0),
        ("modes", 9.0),
        ("margin", 0.5),  # two steps stay far below any larger one
    ):
        assert not torch.equal(offset(seed=1, **{option: value}), once), option


def test_color_settings_reach_the_optimiser(
    comfy: SimpleNamespace, photo: Tensor, face: object, loaded: object, field: object
) -> None:
    inputs = {"image": photo, "crop": face, "field": field, "guide": loaded, "steps": 16, "prompt": "a tanned face"}

    def color(**options: object) -> Tensor:
        return run(comfy, "FaceFlowOptimize", **inputs, **options)[0].color

    assert not color(color_limit=0.0).any()
    assert color().any()


def test_progress_and_preview(
    comfy: SimpleNamespace, photo: Tensor, face: object, loaded: object, field: object
) -> None:
    calls: list[tuple] = []
    comfy.utils.set_progress_bar_global_hook(
        lambda value, total, preview, node_id=None: calls.append((value, total, preview))
    )
    run(comfy, "FaceFlowOptimize", image=photo, crop=face, field=field, guide=loaded, steps=8)
    assert [(v, t) for v, t, _ in calls] == [(i, 8) for i in range(1, 9)]
    previews = [p for _, _, p in calls if p is not None]
    assert 1 < len(previews) < 8
    assert calls[-1][2] is not None
    for kind, image, size in previews:
        assert kind == "JPEG"
        assert isinstance(image, Image.Image)
        assert isinstance(size, int)
        assert np.asarray(image).std() > 10


def tensors() -> int:
    gc.collect()
    return sum(issubclass(type(o), Tensor) for o in gc.get_objects())


@pytest.mark.parametrize("way", ["flag", "hook"])
def test_interrupt(
    comfy: SimpleNamespace, photo: Tensor, face: object, loaded: object, field: object, way: str
) -> None:
    inputs = {"image": photo, "crop": face, "field": field, "guide": loaded, "steps": 50}
    seen: list[int] = []

    def hook(value: int, total: int, preview: tuple | None, node_id: str | None = None) -> None:
        seen.append(value)
        if value == 3:
            comfy.mm.interrupt_current_processing()
            if way == "hook":  # as ComfyUI's own hook does
                comfy.mm.throw_exception_if_processing_interrupted()

    run(comfy, "FaceFlowOptimize", **{**inputs, "steps": 1})
    before = tensors()
    comfy.utils.set_progress_bar_global_hook(hook)
    with pytest.raises(comfy.mm.InterruptProcessingException):
        run(comfy, "FaceFlowOptimize", **inputs)
    assert seen == [1, 2, 3]
    assert tensors() == before
    comfy.utils.set_progress_bar_global_hook(None)
    assert run(comfy, "FaceFlowOptimize", **{**inputs, "steps": 2})[0].meta["steps"] == 2
    assert tensors() == before  # nor does anything of a whole run stay in memory


def test_guide_can_be_freed(comfy: SimpleNamespace) -> None:
    guide = run(comfy, "FaceFlowLoadGuide")[0]
    assert not any(p.is_inference() for p in guide.model.parameters())
    assert guide.patcher.model is guide.model
    kept = weakref.ref(guide.model), weakref.ref(guide.patcher)
    del guide
    gc.collect()
    assert [r() for r in kept] == [None, None]


def test_batch_of_two(comfy: SimpleNamespace, photo: Tensor, loaded: object) -> None:
    images = torch.cat([photo, photo.flip(2)])
    crop, aligned, mask, preview = run(comfy, "FaceFlowAlign", image=images, aligned_size=64).args
    assert is_image(aligned, (2, 64, 64, 3))
    assert is_image(mask, (2, 180, 200))
    assert is_image(preview, (2, 180, 200, 3))
    start = run(comfy, "FaceFlowInit", representation="raster", crop=crop, resolution=8)[0]
    assert start.batch == 2
    field, edited, *_ = run(comfy, "FaceFlowOptimize", image=images, crop=crop, field=start, guide=loaded, steps=3).args
    assert field.batch == 2
    assert is_image(edited, (2, 180, 200, 3))
    applied, changed, *_ = run(comfy, "FaceFlowApply", image=images, crop=crop, field=field).args
    assert torch.equal(applied, edited)
    assert changed.any(2).any(1).all()
    assert is_image(run(comfy, "FaceFlowView", field=field, size=64)[0], (2, 64, 64, 3))
    assert is_image(run(comfy, "FaceFlowView", field=field, size=64, image=images, crop=crop)[0], (2, 64, 64, 3))
    with pytest.raises(ValueError, match="A crop of 2 pictures does not fit 1"):
        run(comfy, "FaceFlowApply", image=images[:1], crop=crop, field=field)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(comfy: SimpleNamespace, photo: Tensor, loaded: object, channels: int) -> None:
    image = torch.cat([photo, photo[..., :1]], -1)[..., -channels:]
    if channels == 4:
        image = torch.cat([photo, torch.full_like(photo[..., :1], 0.5)], -1)
    crop, aligned, _, _ = run(comfy, "FaceFlowAlign", image=image, aligned_size=64).args
    assert aligned.shape == (1, 64, 64, 3)
    start = run(comfy, "FaceFlowInit", representation="raster", crop=crop, resolution=8)[0]
    field, edited, *_ = run(comfy, "FaceFlowOptimize", image=image, crop=crop, field=start, guide=loaded, steps=2).args
    assert is_image(edited, (1, 180, 200, channels))
    assert is_image(run(comfy, "FaceFlowApply", image=image, crop=crop, field=field)[0], (1, 180, 200, channels))
    assert is_image(run(comfy, "FaceFlowView", field=field, size=64, image=image, crop=crop)[0], (1, 64, 64, 3))


def test_strength_zero_is_bit_identical(comfy: SimpleNamespace, photo: Tensor, face: object, field: object) -> None:
    image = photo + torch.rand(photo.shape, generator=torch.Generator().manual_seed(1)) * 1e-3
    out, changed, *_ = run(
        comfy, "FaceFlowApply", image=image, crop=face, field=field, shape_strength=0.0, color_strength=0.0
    ).args
    assert torch.equal(out.view(torch.int32), image.view(torch.int32))
    assert not changed.any()


def test_apply_settings(comfy: SimpleNamespace, photo: Tensor, face: object, field: object) -> None:
    def out(**options: object) -> Tensor:
        return run(comfy, "FaceFlowApply", image=photo, crop=face, field=field, **options)[0]

    assert not field.color.any()
    full = out()
    assert torch.equal(out(shape_strength=0.0), photo)
    assert torch.equal(out(color_strength=0.0), full)
    for options in ({"shape_strength": 0.5}, {"shape_strength": -1.0}, {"feather": 0.4}):
        assert not torch.equal(out(**options), full)


def test_apply_with_a_mask(comfy: SimpleNamespace, photo: Tensor, face: object, field: object) -> None:
    mask = torch.zeros(1, 180, 200)
    mask[:, :, 100:] = 1
    out, changed, *_ = run(comfy, "FaceFlowApply", image=photo, crop=face, field=field, mask=mask).args
    assert torch.equal(out[:, :, :100], photo[:, :, :100])
    assert changed[:, :, 100:].any()
    assert not changed[:, :, :100].any()
    without = run(comfy, "FaceFlowApply", image=photo, crop=face, field=field)[0]
    # what Load Image gives for a picture without alpha is no mask
    empty = run(comfy, "FaceFlowApply", image=photo, crop=face, field=field, mask=torch.zeros(1, 64, 64))[0]
    assert torch.equal(empty, without)
    small = run(comfy, "FaceFlowApply", image=photo, crop=face, field=field, mask=mask[:, ::2, ::2])[0]
    assert torch.equal(small[:, :, :99], photo[:, :, :99])
    assert not torch.equal(small, photo)


@pytest.mark.parametrize("node_id", ["FaceFlowApply", "FaceFlowOptimize", "FaceFlowView"])
def test_picture_of_another_size(
    comfy: SimpleNamespace, photo: Tensor, face: object, field: object, loaded: object, node_id: str
) -> None:
    steps: list[int] = []
    comfy.utils.set_progress_bar_global_hook(lambda value, *_, **__: steps.append(value))
    inputs = {"image": photo[:, :100], "crop": face, "field": field}
    if node_id == "FaceFlowOptimize":
        inputs["guide"] = loaded
    with pytest.raises(ValueError, match=r"200x180.*200x100.*run Align"):
        run(comfy, node_id, **inputs)
    assert not steps, "it worked for a while before it complained"


def test_view_needs_image_and_crop(comfy: SimpleNamespace, photo: Tensor, field: object) -> None:
    with pytest.raises(ValueError, match="both image and crop"):
        run(comfy, "FaceFlowView", field=field, image=photo)


def test_view_before_and_after_and_as_frames(
    comfy: SimpleNamespace, photo: Tensor, face: object, field: object
) -> None:
    inputs = {"field": field, "image": photo, "crop": face, "size": 96}
    compared, numbers = run(comfy, "FaceFlowView", style="compare", **inputs).args
    assert is_image(compared, (1, 96, 96, 3))
    assert " px, mean " in numbers
    steps: list[int] = []
    comfy.utils.set_progress_bar_global_hook(lambda value, *_, **__: steps.append(value))
    frames = run(comfy, "FaceFlowView", style="animation", frames=6, **inputs)[0]
    assert is_image(frames, (6, 96, 96, 3))
    assert steps == [1, 2, 3, 4, 5, 6]
    assert torch.equal(frames[1], frames[5])
    assert not torch.equal(frames[0], frames[3])
    inscribed = run(comfy, "FaceFlowView", style="animation", frames=6, numbers=True, **inputs)[0]
    assert is_image(inscribed, (6, 96, 96, 3))
    assert not torch.equal(inscribed, frames)
    for style in ("compare", "animation"):
        with pytest.raises(ValueError, match="connect image and crop"):
            run(comfy, "FaceFlowView", style=style, field=field)


def test_animation_can_be_cancelled(comfy: SimpleNamespace, photo: Tensor, face: object, field: object) -> None:
    steps: list[int] = []

    def stop(value: int, *_: object, **__: object) -> None:
        steps.append(value)
        comfy.mm.interrupt_current_processing(True)

    comfy.utils.set_progress_bar_global_hook(stop)
    with pytest.raises(Exception) as caught:  # noqa: PT011 (the real ComfyUI has a class of its own)
        run(comfy, "FaceFlowView", style="animation", field=field, image=photo, crop=face, size=64)
    assert "Interrupt" in type(caught.value).__name__
    assert steps == [1]


def test_apply_moves_latent_and_mask_along(comfy: SimpleNamespace, photo: Tensor, face: object, field: object) -> None:
    samples = torch.randn(1, 4, 22, 25, generator=torch.Generator().manual_seed(0))
    noise = torch.zeros(1, 1, 180, 200)
    noise[..., 60:120, 80:120] = 1
    given = {"samples": samples.clone(), "noise_mask": noise.clone(), "batch_index": [3]}
    inputs = {"image": photo, "crop": face, "field": field}
    *_, latent, mask = run(comfy, "FaceFlowApply", **inputs, latent=given, mask_to_warp=noise[0]).args
    assert latent["samples"].shape == samples.shape
    assert not torch.equal(latent["samples"], samples)
    assert latent["batch_index"] == [3]
    assert latent["noise_mask"].shape == noise.shape
    assert torch.equal(latent["noise_mask"][0], mask)
    assert not torch.equal(mask, noise[0])
    assert torch.equal(given["samples"], samples)  # sockets are shared
    assert torch.equal(given["noise_mask"], noise)
    small = {"samples": samples, "noise_mask": torch.rand(1, 22, 25)}
    assert run(comfy, "FaceFlowApply", **inputs, latent=small)[2]["noise_mask"].shape == (1, 22, 25)
    for told, name in zip(run(comfy, "FaceFlowApply", **inputs).args[2:], ("latent", "mask_to_warp"), strict=True):
        assert told.message.endswith(f"connect its input {name}.")
    with pytest.raises(ValueError, match="video latents"):
        run(comfy, "FaceFlowApply", **inputs, latent={"samples": torch.zeros(1, 16, 2, 22, 25)})


def test_all_faces_of_a_picture(comfy: SimpleNamespace, photo: Tensor, loaded: object) -> None:
    pair = torch.cat([photo, photo.flip(2)], 2)
    crop, aligned, mask, preview = run(
        comfy, "FaceFlowAlign", image=pair, faces="all", order="left-right", aligned_size=64
    ).args
    assert is_image(aligned, (2, 64, 64, 3))
    assert is_image(mask, (1, 180, 400))
    assert is_image(preview, (1, 180, 400, 3))
    start = run(comfy, "FaceFlowInit", representation="raster", crop=crop, resolution=8)[0]
    field, edited, *_ = run(comfy, "FaceFlowOptimize", image=pair, crop=crop, field=start, guide=loaded, steps=2).args
    assert field.batch == 2
    applied = run(comfy, "FaceFlowApply", image=pair, crop=crop, field=field)[0]
    assert torch.equal(applied, edited)
    for half in (slice(0, 200), slice(200, 400)):
        assert not torch.equal(applied[:, :, half], pair[:, :, half])
    views, numbers = run(comfy, "FaceFlowView", field=field, image=pair, crop=crop, style="compare", size=64).args
    assert is_image(views, (2, 64, 64, 3))
    assert len(numbers.splitlines()) == 2
    repair, changed = run(comfy, "FaceFlowStretch", field=field, crop=crop, threshold=1.01).args
    assert is_image(repair, (1, 180, 400))
    assert is_image(changed, (1, 180, 400))


def test_score(comfy: SimpleNamespace, photo: Tensor, face: object, field: object, loaded: object) -> None:
    inputs = {"before": photo, "guide": loaded, "prompt": "a smiling face"}
    text, gain, folds, moved, outside = run(comfy, "FaceFlowScore", after=photo.clone(), **inputs).args
    assert (gain, outside) == (0, 0)
    assert folds != folds
    assert moved != moved
    assert text.startswith("guide gain +0.00 logits (nano)")
    smile = run(comfy, "FaceFlowOptimize", image=photo, crop=face, field=field, guide=loaded, steps=15).args
    done = run(comfy, "FaceFlowScore", after=smile[1], field=smile[0], crop=face, **inputs).args
    assert done[1] > 0.3
    assert 0 <= done[2] < 0.1
    assert 0 < done[3] < 1
    assert 0 < done[4] < 0.05
    turned = run(comfy, "FaceFlowScore", after=smile[1], crop=face, **{**inputs, "prompt": "a smiling face:-1"})[1]
    assert turned == pytest.approx(-done[1], abs=1e-4)
    with pytest.raises(ValueError, match="same size"):
        run(comfy, "FaceFlowScore", after=photo[:, :100], crop=face, **inputs)


def test_align_says_when_there_is_no_face(comfy: SimpleNamespace, photo: Tensor) -> None:
    with pytest.raises(ValueError, match="No face found"):
        run(comfy, "FaceFlowAlign", image=torch.full((1, 64, 80, 3), 0.5))
    with pytest.raises(ValueError, match=r"number 5 .*there are 1"):
        run(comfy, "FaceFlowAlign", image=photo, face_index=5)


def test_align_with_a_mask(comfy: SimpleNamespace, photo: Tensor, face: object) -> None:
    chosen = run(comfy, "FaceFlowAlign", image=photo, mask=torch.ones(1, 180, 200))[0]
    assert torch.equal(chosen.points, face.points)
    with pytest.raises(ValueError, match="inside the mask"):
        run(comfy, "FaceFlowAlign", image=photo, mask=torch.zeros(1, 180, 200))
    for mask in (torch.zeros(1, 64, 64), torch.ones(1, 90, 100)):
        assert torch.equal(run(comfy, "FaceFlowAlign", image=photo, mask=mask)[0].points, face.points)


def test_init_noise(comfy: SimpleNamespace, face: object) -> None:
    def offset(**options: object) -> Tensor:
        return run(comfy, "FaceFlowInit", representation="raster", crop=face, resolution=16, **options)[0].offset

    assert not offset(seed=3).any()
    assert torch.equal(offset(seed=3, noise=0.02), offset(seed=3, noise=0.02))
    assert not torch.equal(offset(seed=3, noise=0.02), offset(seed=4, noise=0.02))


def test_saving_counts_on(comfy: SimpleNamespace, field: object) -> None:
    for _ in range(2):
        run(comfy, "FaceFlowSave", field=field, filename_prefix="count/edit")
    names = sorted(p.name for p in (comfy.root / "output" / "count").iterdir())
    assert names == ["edit_00001_.safetensors", "edit_00002_.safetensors"]
    with pytest.raises(Exception, match="not allowed"):
        run(comfy, "FaceFlowSave", field=field, filename_prefix="../../escaped")


def test_loading_from_the_input_folder(comfy: SimpleNamespace, field: object) -> None:
    node = comfy.nodes["FaceFlowLoad"]
    path = field.save(comfy.root / "input" / "shared" / "edit.safetensors")
    name = "input/shared/edit.safetensors"
    assert name in node.GET_SCHEMA().inputs[0].options
    assert node.validate_inputs(file=name) is True
    assert torch.equal(run(comfy, "FaceFlowLoad", file=name)[0].offset, field.offset)
    first = node.fingerprint_inputs(file=name)
    os.utime(path, (1, 1))
    assert node.fingerprint_inputs(file=name) != first
    path.unlink()
    assert "gone" in node.validate_inputs(file=name)
    node.fingerprint_inputs(file=name)
    with pytest.raises(ValueError, match="no field at"):
        run(comfy, "FaceFlowLoad", file=name)


@pytest.mark.parametrize(
    "name",
    [
        "output/../secret.safetensors", "input/../../secret.safetensors", "secret.safetensors", "models/x.safetensors",
        "output/", "output", "", "/etc/passwd", "output//etc/passwd", "output/inside/../../secret.safetensors",
        "output/link/secret.safetensors",
    ],
)  # fmt: skip
def test_load_refuses_names_outside_the_folders(comfy: SimpleNamespace, field: object, name: str) -> None:
    field.save(comfy.root / "secret.safetensors")
    field.save(comfy.root / "elsewhere" / "secret.safetensors")
    link = comfy.root / "output" / "link"
    if not link.exists():
        link.symlink_to(comfy.root / "elsewhere")
    answer = comfy.nodes["FaceFlowLoad"].validate_inputs(file=name)
    assert isinstance(answer, str)
    assert "no field in ComfyUI's output or input folder" in answer
    with pytest.raises(ValueError, match="no field in ComfyUI's output or input folder"):
        run(comfy, "FaceFlowLoad", file=name)


@pytest.mark.parametrize("kind", ["flow .flo", "flow .exr", "flow .png", "field .npy", "ST-map .exr", "ST-map .png"])
def test_exported_fields_come_back(comfy: SimpleNamespace, field: object, kind: str) -> None:
    name = kind.split()[0]
    done = run(comfy, "FaceFlowExport", field=field, format=kind, size=48, fade_out=False, filename_prefix=f"ex/{name}")
    path = Path(done[0])
    assert path.is_file()
    assert path.name in done.ui.as_dict()["text"][0]
    listed = comfy.nodes["FaceFlowImport"].GET_SCHEMA().inputs[0].options
    assert listed[0] == f"output/ex/{path.name}"
    assert comfy.nodes["FaceFlowImport"].validate_inputs(file=listed[0]) is True
    back = run(comfy, "FaceFlowImport", file=listed[0], what="ST-map" if name == "ST-map" else "flow")[0]
    inner = (Ellipsis, slice(8, -8), slice(8, -8))
    assert (back.offset - field.resample(48).offset)[inner].abs().max() < 2e-4
    path.unlink()
    assert "gone" in comfy.nodes["FaceFlowImport"].validate_inputs(file=listed[0])
    comfy.nodes["FaceFlowImport"].fingerprint_inputs(file=listed[0], what="flow")


def test_st_map_of_the_whole_picture(comfy: SimpleNamespace, face: object, field: object) -> None:
    path = run(comfy, "FaceFlowExport", field=field, format="ST-map .exr", filename_prefix="st/a", crop=face)[0]
    channels = importlib.import_module("flow_core.io.rasters").read_exr(Path(path))
    assert channels["R"].shape == (180, 200)
    with pytest.raises(ValueError, match="takes no crop"):
        run(comfy, "FaceFlowExport", field=field, format="flow .flo", filename_prefix="st/a", crop=face)


def test_a_dead_link_does_not_take_the_pack_down(comfy: SimpleNamespace) -> None:
    link = comfy.root / "output" / "dead.safetensors"
    link.symlink_to(comfy.root / "nowhere.safetensors")
    try:
        options = comfy.nodes["FaceFlowLoad"].GET_SCHEMA().inputs[0].options
    finally:
        link.unlink()
    assert "output/dead.safetensors" not in options


def test_own_guides_are_listed(comfy: SimpleNamespace) -> None:
    folder = comfy.root / "models" / "faceflow"
    for name in ("mine.safetensors", "mine.json", "alone.safetensors"):
        (folder / name).write_text("{}")
    options = comfy.nodes["FaceFlowLoadGuide"].GET_SCHEMA().inputs[0].options
    assert options[0] == "nano"
    assert "mine.safetensors" in options
    assert "alone.safetensors" not in options
    with pytest.raises(RuntimeError, match="damaged"):
        run(comfy, "FaceFlowLoadGuide", guide="mine.safetensors")


def test_offered_guides_exist(comfy: SimpleNamespace) -> None:
    known = set(importlib.import_module("flow_core.guides.guide").available())
    offered = [o for o in comfy.nodes["FaceFlowLoadGuide"].GET_SCHEMA().inputs[0].options if ":" in o]
    assert len(offered) >= 3
    assert set(offered) <= known


def test_other_takes_the_place_of_the_menu(comfy: SimpleNamespace) -> None:
    with pytest.raises(RuntimeError, match="no weights 'no_such_tag'"):
        run(comfy, "FaceFlowLoadGuide", other=" ViT-B-32:no_such_tag ")
    assert run(comfy, "FaceFlowLoadGuide", other="  ")[0].name == "nano"


def test_mistakes_in_the_prompt(
    comfy: SimpleNamespace, photo: Tensor, face: object, field: object, loaded: object
) -> None:
    inputs = {"image": photo, "crop": face, "field": field, "guide": loaded, "steps": 1}
    for prompt, neutral, message in (
        (" ", "a face", "prompt is empty"),
        ("smile:7", "a face", "outside -4..4"),
        ("a smiling face", "", "neutral prompt is empty"),
        ("a smiling face", "a smiling face", "mean the same"),
    ):
        with pytest.raises(ValueError, match=message):
            run(comfy, "FaceFlowOptimize", prompt=prompt, neutral=neutral, **inputs)


def said(comfy: SimpleNamespace, node_id: str, **inputs: object) -> str:
    """What a node writes on itself."""
    return "\n".join(run(comfy, node_id, **inputs).ui.as_dict()["text"])


def test_unknown_words_are_told_on_the_node(
    comfy: SimpleNamespace, photo: Tensor, face: object, field: object, loaded: object, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = {"image": photo, "crop": face, "guide": loaded, "field": field, "steps": 1}
    assert "never learnt zorgon" in said(comfy, "FaceFlowOptimize", prompt="a smiling zorgon face", **inputs)
    assert "never learnt zorgon" in caplog.text
    assert "never learnt" not in said(comfy, "FaceFlowOptimize", prompt="a smiling face", **inputs)
    with pytest.raises(ValueError, match=r"(?s)understands nothing in 'a red car'.*red lips, .*a smile"):
        run(comfy, "FaceFlowOptimize", prompt="a red car", **inputs)


@pytest.fixture(scope="module")
def predictor_file(comfy: SimpleNamespace) -> str:
    """An untrained predictor for the built-in guide, in ``models/faceflow``."""
    from flow_core.editing.predict import Predictor, key_texts
    from flow_core.guides.guide import load_guide
    from flow_core.train import loop

    name = "one_shot.safetensors"
    with torch.inference_mode(False):
        net = Predictor("nano", key_texts(load_guide()))
        loop.save(net, comfy.root / "models" / "faceflow" / name, {"kind": "faceflow.predictor", "guide": "nano"})
    return name


def test_predict(comfy: SimpleNamespace, photo: Tensor, face: object, loaded: object, predictor_file: str) -> None:
    assert predictor_file in comfy.nodes["FaceFlowLoadPredictor"].GET_SCHEMA().inputs[0].options
    net = run(comfy, "FaceFlowLoadPredictor", predictor=predictor_file)[0]
    inputs = {"image": photo, "crop": face, "predictor": net, "guide": loaded}
    field, edited, did = run(comfy, "FaceFlowPredict", **inputs).args
    assert field.meta["method"] == "predict"
    assert did == field.meta["did"]
    assert "cheekSquint 0." in did
    assert did in said(comfy, "FaceFlowPredict", **inputs)
    assert is_image(edited, tuple(photo.shape))
    assert torch.equal(run(comfy, "FaceFlowApply", image=photo, crop=face, field=field)[0], edited)
    assert torch.equal(run(comfy, "FaceFlowPredict", strength=0.0, **inputs)[1], photo)
    refined = run(
        comfy, "FaceFlowOptimize", image=photo, crop=face, field=field, guide=loaded, prompt="a sad face", steps=2
    )
    assert not torch.equal(refined[0].units, field.units)
    assert refined[3] == refined[0].meta["did"] != did


def test_a_missing_predictor_is_told(comfy: SimpleNamespace) -> None:
    with pytest.raises(RuntimeError, match=r"no predictor weights at .*gone\.safetensors.*flow_core\.train predictor"):
        run(comfy, "FaceFlowLoadPredictor", predictor="gone.safetensors")


def test_predict_takes_a_prompt_for_each_face(
    comfy: SimpleNamespace, photo: Tensor, loaded: object, predictor_file: str
) -> None:
    net = run(comfy, "FaceFlowLoadPredictor", predictor=predictor_file)[0]
    pair = torch.cat([photo, photo.flip(2)], 2)
    crop = run(comfy, "FaceFlowAlign", image=pair, faces="all", order="left-right")[0]
    inputs = {"image": pair, "crop": crop, "predictor": net, "guide": loaded}
    field, edited, _ = run(comfy, "FaceFlowPredict", prompt="a smiling face\nan angry face", **inputs).args
    assert (field.batch, field.meta["prompt"]) == (2, "a smiling face / an angry face")
    assert torch.equal(run(comfy, "FaceFlowApply", image=pair, crop=crop, field=field)[0], edited)
    with pytest.raises(ValueError, match="3 lines for 2 faces"):
        run(comfy, "FaceFlowPredict", prompt="a smile\nanger\na frown", **inputs)


def test_batches_with_a_picture_without_a_face(
    comfy: SimpleNamespace, photo: Tensor, loaded: object, predictor_file: str
) -> None:
    small = photo[:, ::2, ::2]
    grey = torch.full_like(small, 0.5)
    images = torch.cat([torch.cat(pair, 2) for pair in ((grey, grey), (small, small.flip(2)), (grey, small))])
    net = run(comfy, "FaceFlowLoadPredictor", predictor=predictor_file)[0]
    found = run(comfy, "FaceFlowAlign", image=images, faces="all", aligned_size=64)
    assert "No face in 1 of 3 pictures" in "\n".join(found.ui.as_dict()["text"])
    crop, aligned, face, preview = found.args
    assert is_image(aligned, (3, 64, 64, 3))
    assert is_image(face, (3, 90, 200))
    assert is_image(preview, (3, 90, 200, 3))
    inputs = {"image": images, "crop": crop, "guide": loaded}
    field, edited, _ = run(comfy, "FaceFlowPredict", predictor=net, **inputs).args
    start = run(comfy, "FaceFlowInit", representation="raster", crop=crop, resolution=8)[0]
    optimized = run(comfy, "FaceFlowOptimize", field=start, steps=2, **inputs)[1]
    for out in (edited, optimized, run(comfy, "FaceFlowApply", image=images, crop=crop, field=field)[0]):
        assert torch.equal(out[0], images[0])
        assert torch.equal(out[2, :, :100], images[2, :, :100])
        for i, half in ((1, slice(0, 100)), (1, slice(100, 200)), (2, slice(100, 200))):
            assert not torch.equal(out[i, :, half], images[i, :, half])
    repair, changed = run(comfy, "FaceFlowStretch", field=field, crop=crop, threshold=1.01).args
    assert is_image(repair, (3, 90, 200))
    assert not changed[0].any()
    assert is_image(run(comfy, "FaceFlowView", field=field, image=images, crop=crop, style="compare", size=64)[0],
                    (3, 64, 64, 3))  # fmt: skip
    run(comfy, "FaceFlowScore", before=images, after=edited, guide=loaded, crop=crop, field=field)
    whole = run(comfy, "FaceFlowEdit", image=images, prompt="a smile").args
    assert torch.equal(whole[0][0], images[0])
    assert whole[1].batch == 3


def test_the_empty_mask_of_load_image_is_none(
    comfy: SimpleNamespace, photo: Tensor, face: object, field: object
) -> None:
    """For every node that takes a mask, in either precision; a mask of another size is resized."""
    inputs = {
        "FaceFlowAlign": {"image": photo},
        "FaceFlowApply": {"image": photo, "crop": face, "field": field},
        "FaceFlowMask": {"crop": face, "field": field, "region": "mouth"},
    }
    half = torch.zeros(1, 90, 100)
    half[:, :, 50:] = 1
    for name, given in inputs.items():
        for empty in (torch.zeros(1, 64, 64), torch.zeros(1, 64, 64).half(), torch.zeros(64, 64)):
            with_it, without = run(comfy, name, **given, mask=empty)[0], run(comfy, name, **given)[0]
            for key in ("points", "offset"):
                if hasattr(without, key):
                    assert torch.equal(getattr(with_it, key), getattr(without, key))
            if isinstance(without, Tensor):
                assert torch.equal(with_it, without)
    for mask in (half, half.half()):
        moved = run(comfy, "FaceFlowMask", **inputs["FaceFlowMask"], mask=mask)[0].offset
        assert moved.any()
        assert not torch.equal(moved, run(comfy, "FaceFlowMask", **inputs["FaceFlowMask"])[0].offset)


def test_apply_says_where_a_strength_folds(comfy: SimpleNamespace, photo: Tensor, face: object, field: object) -> None:
    given = {"image": photo, "crop": face, "field": field.scale(2.0, 1.0)}
    said = run(comfy, "FaceFlowApply", **given, shape_strength=3.0).ui
    assert "At strength 3 the edit folds" in said.value
    assert run(comfy, "FaceFlowApply", **given, shape_strength=1.0).ui is None


def test_half_precision_pictures(
    comfy: SimpleNamespace, photo: Tensor, face: object, field: object, loaded: object, predictor_file: str
) -> None:
    half = photo.half()
    out, changed, *_ = run(comfy, "FaceFlowApply", image=half, crop=face, field=field).args
    assert out.dtype == torch.float16
    assert torch.equal(out[changed == 0], half[changed == 0])
    assert not torch.equal(out, half)
    assert run(comfy, "FaceFlowAlign", image=half)[0].batch == 1
    net = run(comfy, "FaceFlowLoadPredictor", predictor=predictor_file)[0]
    run(comfy, "FaceFlowPredict", image=half, crop=face, guide=loaded, predictor=net)
    run(comfy, "FaceFlowOptimize", image=half, crop=face, guide=loaded, field=field, steps=2)
    run(comfy, "FaceFlowEdit", image=half, prompt="a smile")
    run(comfy, "FaceFlowView", field=field, image=half, crop=face, style="compare", size=64)


def test_one_node_for_all(comfy: SimpleNamespace, photo: Tensor) -> None:
    image, field, changed, crop, did = run(comfy, "FaceFlowEdit", image=photo, prompt="a sad face").args
    assert "browInnerUp" in did
    half = run(comfy, "FaceFlowEdit", image=photo, prompt="a sad face", strength=0.5).args
    assert half[4] == half[1].meta["did"] != did
    assert is_image(image, (1, 180, 200, 3))
    assert torch.equal(image[changed == 0], photo[changed == 0])
    assert torch.equal(run(comfy, "FaceFlowApply", image=photo, crop=crop, field=field)[0], image)
    assert torch.equal(run(comfy, "FaceFlowEdit", image=photo, prompt="a sad face", strength=0.0)[0], photo)
    slow = run(comfy, "FaceFlowEdit", image=photo, prompt="a sad face", method="optimize", steps=3)
    assert not torch.equal(slow[0], photo)
    with pytest.raises(ValueError, match="No face found"):
        run(comfy, "FaceFlowEdit", image=torch.full((1, 64, 80, 3), 0.5))
    masked = run(comfy, "FaceFlowEdit", image=photo, prompt="a sad face", mask=torch.zeros(1, 180, 200))[0]
    assert torch.equal(masked, photo)


def test_examples_come_with_the_pack(comfy: SimpleNamespace) -> None:
    schema = comfy.nodes["FaceFlowExample"].GET_SCHEMA()
    for example in schema.inputs[0].options:
        image, video = run(comfy, "FaceFlowExample", example=example).args
        assert image.ndim == 4
        assert image.shape[1] >= 320
        assert (len(image) > 1) == (example == "clip")
        crop = run(comfy, "FaceFlowAlign", image=image[:1].clone(), faces="all")[0]
        assert crop.batch == (2 if example == "two people" else 1)
        assert len(video.get_components().images) == len(image)


def test_video_takes_and_gives_video(comfy: SimpleNamespace, predictor_file: str, loaded: object) -> None:
    net = run(comfy, "FaceFlowLoadPredictor", predictor=predictor_file)[0]
    frames, video = run(comfy, "FaceFlowExample", example="clip").args
    clip = type(video.get_components())(images=frames[:4].clone(), frame_rate=video.get_components().frame_rate)
    clip = sys.modules["comfy_api.latest"].InputImpl.VideoFromComponents(clip)
    inputs = {"predictor": net, "guide": loaded, "prompt": "a smile"}
    image, changed, made = run(comfy, "FaceFlowVideo", video=clip, **inputs).args
    assert image.shape == frames[:4].shape
    assert changed[3].any()
    done = made.get_components()
    assert torch.equal(done.images, image)
    assert done.frame_rate == 24
    same = run(comfy, "FaceFlowVideo", image=frames[:4].clone(), fps=24.0, **inputs)
    assert torch.equal(same[0], image)
    assert same[2].get_components().frame_rate == 24
    for wrong in ({}, {"image": frames, "video": clip}):
        with pytest.raises(ValueError, match="one of the two"):
            run(comfy, "FaceFlowVideo", **wrong, **inputs)


def test_video_needs_no_more_than_a_clip_and_a_prompt(comfy: SimpleNamespace) -> None:
    frames = run(comfy, "FaceFlowExample", example="clip")[0][:3].clone()
    image = run(comfy, "FaceFlowVideo", image=frames, prompt="an angry face", fps=2.0, schedule="0:0, 0.5:0, 1:1")[0]
    assert torch.equal(image[:2], frames[:2])
    assert not torch.equal(image[2], frames[2])
    with pytest.raises(ValueError, match="is empty"):
        run(comfy, "FaceFlowVideo", image=frames, prompt=" ")
    for wrong in ("1", "0:0, x:1", "1:0, 0:1", "0:nan"):
        with pytest.raises(ValueError, match=r"schedule|rising"):
            run(comfy, "FaceFlowVideo", image=frames, schedule=wrong)
    nobody = torch.full((2, 64, 80, 3), 0.5)
    assert "No face found in 2 frames" in said(comfy, "FaceFlowVideo", image=nobody)


def test_a_dash_leaves_a_face_as_it_is(comfy: SimpleNamespace) -> None:
    two = run(comfy, "FaceFlowExample", example="two people")[0]
    image, field, changed, crop, did = run(comfy, "FaceFlowEdit", image=two, prompt="-\na smiling face").args
    assert field.batch == crop.batch == 1
    assert "|" not in did
    half = two.shape[2] // 2
    assert torch.equal(image[:, :, : half - 40], two[:, :, : half - 40])
    assert changed[:, :, half:].any()
    with pytest.raises(ValueError, match="Every line"):
        run(comfy, "FaceFlowEdit", image=two, prompt="-\n-")


def test_choices_and_numbers_that_other_nodes_give_are_checked(
    comfy: SimpleNamespace, photo: Tensor, face: object
) -> None:
    for node_id, inputs in (
        ("FaceFlowEdit", {"image": photo, "method": "one_shot"}),
        ("FaceFlowEdit", {"image": photo, "faces": "two"}),
        ("FaceFlowAlign", {"image": photo, "faces": "two"}),
        ("FaceFlowReadFace", {"crop": face, "mode": "Neutral"}),
        ("FaceFlowExample", {"example": "dog"}),
    ):
        with pytest.raises(ValueError, match="use one of"):
            run(comfy, node_id, **inputs)
    for node_id, inputs in (("FaceFlowEdit", {"image": photo}), ("FaceFlowReadFace", {"crop": face})):
        with pytest.raises(ValueError, match="strength is nan"):
            run(comfy, node_id, strength=float("nan"), **inputs)
    with pytest.raises(ValueError, match="batch is empty"):
        run(comfy, "FaceFlowAlign", image=photo[:0])


def test_a_mask_beside_the_face_is_named(comfy: SimpleNamespace, photo: Tensor, face: object, field: object) -> None:
    beside, on = torch.zeros(1, *photo.shape[1:3]), torch.zeros(1, *photo.shape[1:3])
    beside[:, :4], on[:, 60:120, 60:120] = 1.0, 1.0
    for node_id, inputs in (("FaceFlowEdit", {}), ("FaceFlowApply", {"crop": face, "field": field})):
        assert "mask lies over no face" in said(comfy, node_id, image=photo.clone(), mask=beside, **inputs)
        shown = run(comfy, node_id, image=photo.clone(), mask=on, **inputs).ui
        assert shown is None or "no face" not in str(shown.as_dict())


def test_prompts_can_be_picked(comfy: SimpleNamespace) -> None:
    def picked(**options: object) -> str:
        return run(comfy, "FaceFlowPrompt", **options)[0]

    assert len(comfy.nodes["FaceFlowPrompt"].GET_SCHEMA().inputs[0].options) == 148
    assert picked() == "a smile"
    assert picked(attribute="wide eyes", weight=0.5, attribute_2="red lips") == "wide eyes:0.5 | red lips"
    with pytest.raises(ValueError, match="nothing is asked for"):
        picked(weight=0.0)


def test_what_is_saved_is_named_on_the_node(
    comfy: SimpleNamespace, field: object, photo: Tensor, loaded: object
) -> None:
    assert "told_00001_.safetensors" in said(comfy, "FaceFlowSave", field=field, filename_prefix="told")
    assert said(comfy, "FaceFlowSave", field=field, filename_prefix=" ").startswith("field_00001_.safetensors")
    assert "out_00001_.npy" in said(comfy, "FaceFlowExport", field=field, format="field .npy", filename_prefix="out")
    assert "guide gain" in said(comfy, "FaceFlowScore", before=photo, after=photo, guide=loaded)


def test_file_names_are_filled_in_as_by_save_image(comfy: SimpleNamespace, field: object) -> None:
    paths = sys.modules[f"{comfy.pack.__name__}.nodes.paths"]
    today = time.strftime("%Y-%m-%d")
    folder, name, _ = paths.output_name("faceflow/%date:yyyy-MM-dd%/a%Sampler.seed%_%other%")
    assert (Path(folder).name, name) == (today, "a%Sampler.seed%_%other%")
    nodes = {"3": {"class_type": "KSampler", "inputs": {"seed": 5, "name": "a/b"}, "_meta": {"title": "Sampler"}}}
    assert paths.output_name("x/%Sampler.seed%-%KSampler.name%", nodes)[1] == "5-a_b"
    run(comfy, "FaceFlowSave", field=field, filename_prefix="dated/%date:yy%")
    assert (comfy.root / "output" / "dated" / f"{today[2:4]}_00001_.safetensors").is_file()


def test_import_knows_the_names_that_export_gives(comfy: SimpleNamespace, field: object) -> None:
    for kind in ("ST-map .exr", "ST-map .png", "flow .png"):
        path = Path(run(comfy, "FaceFlowExport", field=field, format=kind, fade_out=False, filename_prefix="own/a")[0])
        back = [
            run(comfy, "FaceFlowImport", file=f"output/own/{path.name}", what=what)[0] for what in ("flow", "ST-map")
        ]
        assert torch.equal(back[0].offset, back[1].offset)
        assert back[0].offset.abs().max() < 0.1


def test_the_list_of_fields_does_not_look_at_every_picture(
    comfy: SimpleNamespace, field: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sys.modules[f"{comfy.pack.__name__}.nodes.paths"]
    folder = comfy.root / "output" / "many"
    folder.mkdir()
    for i in range(300):
        (folder / f"{i}.png").touch()
    field.save(folder / "edit.safetensors")
    seen: list[str] = []
    real = Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **k: (seen.append(self.name), real(self, **k))[1])
    assert "output/many/edit.safetensors" in paths.list_fields()
    assert "edit.safetensors" in seen
    assert not any(name.endswith(".png") for name in seen)


def test_schema_uses_what_newer_versions_know(comfy: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = sys.modules[f"{comfy.pack.__name__}.nodes.sockets"]

    class New:
        def __init__(self, id: str, advanced: bool = False) -> None:
            self.advanced = advanced

    class Schema:
        def __init__(self, node_id: str, search_aliases: list[str] | None = None) -> None:
            self.search_aliases = search_aliases

    assert sockets.advanced(New, "a").advanced
    monkeypatch.setattr(comfy.io, "Schema", Schema)
    assert sockets.node(node_id="a", search_aliases=["smile"]).search_aliases == ["smile"]


WORKFLOWS = sorted((ROOT / "example_workflows").glob("*.json"))


def test_every_template_has_a_picture() -> None:
    assert len(WORKFLOWS) >= 4
    for path in WORKFLOWS:
        with Image.open(path.with_suffix(".jpg")) as picture:
            assert min(picture.size) >= 256


def widget_fits(declared: object, value: object) -> bool:
    kind = str(declared.io_type)
    if kind == "COMBO":
        return value in declared.options or declared.id == "file"
    if kind in ("INT", "FLOAT"):
        whole = kind == "FLOAT" or isinstance(value, int)
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and whole
            and declared.min <= value <= declared.max
        )
    return isinstance(value, {"STRING": str, "BOOLEAN": bool}[kind])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_example_workflow(comfy: SimpleNamespace, path: Path) -> None:
    workflow = json.loads(path.read_text())
    nodes = {n["id"]: n for n in workflow["nodes"]}
    assert len(nodes) == len(workflow["nodes"])
    types = {n["type"] for n in nodes.values()}
    assert types <= comfy.nodes.keys() | CORE | MODELS.keys()
    assert types & comfy.nodes.keys()
    for node in nodes.values():
        if node["type"] in MODELS:
            sockets, outputs, count = MODELS[node["type"]]
            assert {i["name"]: i["type"] for i in node["inputs"]} == sockets
            assert all(i["link"] is not None for i in node["inputs"])
            assert [o["type"] for o in node["outputs"]] == outputs
            assert len(node.get("widgets_values", [])) == count
        if node["type"] not in comfy.nodes:
            continue
        schema = comfy.nodes[node["type"]].GET_SCHEMA()
        declared = {i.id: i for i in schema.inputs}
        widgets = [declared[i["id"]] for i in inputs_of(comfy.nodes[node["type"]]) if i["type"] in comfy_stub.WIDGETS]
        values = list(node.get("widgets_values", []))
        assert len(values) == len(widgets), f"{node['type']} has {len(widgets)} widgets"
        for widget, value in zip(widgets, values, strict=True):
            assert widget_fits(widget, value), f"{node['type']}.{widget.id} cannot be {value!r}"
        linked = {i["name"] for i in node.get("inputs", []) if i.get("link") is not None}
        assert {i["name"] for i in node.get("inputs", [])} <= declared.keys()
        needed = {i.id for i in schema.inputs if not i.optional and i.io_type not in comfy_stub.WIDGETS}
        assert needed <= linked, f"{node['type']} lacks {needed - linked}"
        assert [o["type"] for o in node.get("outputs", [])] == [str(o.io_type) for o in schema.outputs]
    numbers = [link[0] for link in workflow["links"]]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) <= workflow["last_link_id"]
    assert max(nodes) <= workflow["last_node_id"]
    used = [i["link"] for n in nodes.values() for i in n.get("inputs", []) if i["link"] is not None]
    assert sorted(used) == sorted(numbers)
    for number, source, slot, target, at, kind in workflow["links"]:
        assert nodes[source]["outputs"][slot]["type"] == kind
        assert number in nodes[source]["outputs"][slot]["links"]
        assert nodes[target]["inputs"][at]["link"] == number
        assert nodes[target]["inputs"][at]["type"] == kind


def test_algebra_of_fields(comfy: SimpleNamespace, face: object, field: object) -> None:
    mixed = run(comfy, "FaceFlowMix", field_1=field, field_2=field, weight_1=0.5, weight_2=-0.5)[0]
    assert not mixed.offset.any()
    three = run(comfy, "FaceFlowMix", field_1=field, field_2=field, field_3=field, mode="compose")[0]
    assert three.offset.isfinite().all()
    mouth = run(comfy, "FaceFlowMask", field=field, crop=face, region="mouth")[0]
    rest = run(comfy, "FaceFlowMask", field=field, crop=face, region="mouth", invert=True)[0]
    torch.testing.assert_close(mouth.offset + rest.offset, field.resample(mouth.size).offset, atol=1e-5, rtol=0)
    painted = run(comfy, "FaceFlowMask", field=field, crop=face, region="whole", mask=torch.zeros(1, 180, 200))[0]
    assert not painted.offset.any()
    for what in ("inverse", "opposite", "mirror"):
        assert run(comfy, "FaceFlowInvert", field=field, what=what)[0].offset.isfinite().all()
    moved = run(comfy, "FaceFlowTransfer", field=field, crop_from=face, crop_to=face)[0]
    torch.testing.assert_close(moved.offset, field.resample(moved.size).offset, atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", ["siren", "fourier"])
def test_neural_fields_go_through_the_nodes(comfy: SimpleNamespace, photo: Tensor, face: object, kind: str) -> None:
    neural = run(comfy, "FaceFlowInit", crop=face, representation=kind, size=16, bandwidth=4.0, noise=0.01)[0]
    edited, *_ = run(comfy, "FaceFlowApply", image=photo.clone(), crop=face, field=neural)
    assert not torch.equal(edited, photo)
    assert is_image(run(comfy, "FaceFlowView", field=neural, size=128)[0], (1, 128, 128, 3))
    saved = run(comfy, "FaceFlowSave", field=neural, filename_prefix="neural/f")[0]
    assert saved.kind == "implicit"
    assert run(comfy, "FaceFlowMix", field_1=neural, field_2=neural)[0].kind == "velocity"


def test_the_manager_installs_what_is_declared() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    tomllib = pytest.importorskip("tomllib", reason="a module of Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [d for d in project["dependencies"] if not d.startswith("torch>")]
    assert [line for line in lines if not line.startswith("#")] == wanted
    assert LINES["kornia"] in wanted


def test_a_missing_package_is_named_with_the_line_for_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [m for m in sys.modules if m.partition(".")[0] == "kornia"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kornia", None)
    with pytest.raises(ImportError, match=r'needs kornia.*pip install "kornia>='):
        need("kornia.color")
