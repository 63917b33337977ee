"""Guides: they load from a name or a file or say why not, and carry a gradient into the picture."""

from __future__ import annotations

import json
import logging
import random
import socket
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from flow_core.geometry.crop import Crop
from flow_core.guides import guide as guide_module
from flow_core.guides.guide import BUILTIN, Guide, GuideError, available, load_guide, open_clip
from flow_core.guides.hub import fetched
from flow_core.guides.words import Words

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
OTHER_MEAN, OTHER_STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


@pytest.fixture(scope="module")
def tiny() -> nn.Module:
    """A randomly initialised ViT of open_clip."""
    from importlib import import_module

    open_clip()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return import_module("open_clip.model").CLIP(**TINY).eval()


@pytest.fixture
def files(tmp_path: Path, tiny: nn.Module) -> Path:
    """``tiny-test.safetensors`` with its config beside it."""
    path = tmp_path / "tiny-test.safetensors"
    save_file(tiny.state_dict(), str(path))
    path.with_suffix(".json").write_text(json.dumps(TINY))
    return path


@pytest.fixture
def folder(tmp_path: Path, tiny: nn.Module) -> Path:
    """A model folder as open_clip writes it, with a normalisation of its own."""
    path = tmp_path / "my-model"
    path.mkdir()
    preprocess = {"mean": OTHER_MEAN, "std": OTHER_STD}
    (path / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY, "preprocess_cfg": preprocess}))
    save_file(tiny.state_dict(), str(path / "open_clip_model.safetensors"))
    return path


def pictures(size: int, count: int = 2) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_builtin(guide: Guide, astronaut: Tensor) -> None:
    assert guide.name == BUILTIN
    assert guide.image_size == 112
    assert guide.device.type == "cpu"
    assert guide.dtype == torch.float32
    assert guide.scale > 1
    assert not guide.model.training
    assert not any(p.requires_grad for p in guide.model.parameters())
    seen, read = guide.encode_image(astronaut), guide.encode_text(["a smiling face", "an angry face"])
    assert seen.shape[1] == read.shape[1]
    assert (len(seen), len(read)) == (1, 2)
    torch.testing.assert_close(torch.cat([seen, read]).norm(dim=1), torch.ones(3))
    assert not torch.allclose(read[0], read[1], atol=1e-3)


def test_builtin_weights_are_small_and_trained(guide: Guide) -> None:
    assert (guide_module.WEIGHTS / f"{BUILTIN}.safetensors").stat().st_size < 20e6
    for name, buffer in guide.model.visual.named_buffers():
        if name.endswith("running_mean"):
            assert buffer.any(), f"{name} never saw a picture"
    assert {"face", "smiling", "angry", "surprised", "sad"} <= guide.vocabulary


def test_builtin_knows_a_smile(guide: Guide, portraits: dict[str, Tensor], crops: dict[str, Crop]) -> None:
    faces = torch.cat([crops[n].aligned(portraits[n], 112) for n in ("astronaut", "grace_hopper")])
    score = guide.encode_image(faces) @ guide.encode_text(["a smiling face", "a sad face"]).T
    assert score[0, 0] > score[0, 1]  # she smiles
    assert score[0, 0] - score[0, 1] > score[1, 0] - score[1, 1]  # and does so more


def test_gradient_reaches_the_picture(guide: Guide) -> None:
    image = pictures(150).requires_grad_()
    (guide.encode_image(image) @ guide.encode_text(["a smiling face"]).T).sum().backward()
    assert image.grad.isfinite().all()
    assert (image.grad != 0).float().mean() > 0.5


def test_gradient_is_the_slope(guide: Guide, astronaut: Tensor, crop: Crop) -> None:
    face = crop.aligned(astronaut, 112).requires_grad_()
    text = guide.encode_text(["a smiling face"])[0]
    [gradient] = torch.autograd.grad((guide.encode_image(face) @ text).sum(), face)
    step = gradient / gradient.norm() * 0.05
    with torch.no_grad():
        up, down = (guide.encode_image(face + s)[0] @ text for s in (step, -step))
    assert ((up - down) / 0.1).item() == pytest.approx(gradient.norm().item(), rel=0.05)


def test_encoding_is_deterministic_and_without_side_effects(guide: Guide) -> None:
    image = pictures(140)
    before = image.clone()
    assert torch.equal(guide.encode_image(image), guide.encode_image(image))
    assert torch.equal(image, before)
    alone = torch.cat([guide.encode_image(one[None]) for one in image])
    torch.testing.assert_close(guide.encode_image(image), alone, atol=1e-5, rtol=0)


def test_texts_are_computed_once(guide: Guide, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    inner = guide._tokenizer

    def tokenizer(texts: list[str]) -> Tensor:
        seen.extend(texts)
        return inner(texts)

    monkeypatch.setattr(guide, "_tokenizer", tokenizer)
    first = guide.encode_text(["one text", "another text", "one text"])
    assert seen == ["one text", "another text"]
    assert torch.equal(first[0], first[2])
    again = guide.encode_text(["another text", "a third"])
    assert seen == ["one text", "another text", "a third"]
    assert torch.equal(again[0], first[1])


def test_texts_of_a_group_are_the_same_texts(guide: Guide) -> None:
    texts = ["a smiling face", "a face with a very long and pointed chin", "red lips"]
    assert torch.allclose(guide.encode_group(texts), guide.encode_text(texts), atol=1e-5)
    assert torch.equal(guide.encode_group(texts), guide.encode_group(texts))


def test_texts_that_were_read_ahead_are_remembered(guide: Guide, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a face that was read ahead", "another one"]
    expected = guide.encode_group(texts)
    guide.read_ahead(texts)
    monkeypatch.setattr(guide, "_tokenizer", lambda _: pytest.fail("a text was read again"))
    assert torch.allclose(guide.encode_text(texts), expected, atol=1e-5)


def test_long_text_is_no_error(guide: Guide) -> None:
    assert guide.encode_text(["a smiling face " * 200]).isfinite().all()


def test_loading_twice_gives_the_same_guide(guide: Guide) -> None:
    other = load_guide()
    assert torch.equal(other.encode_image(pictures(112)), guide.encode_image(pictures(112)))
    # texts are computed in batches, whose size shows in the last bits
    torch.testing.assert_close(other.encode_text(["a face"]), guide.encode_text(["a face"]))


def test_loading_leaves_random_numbers_and_logging_alone(files: Path) -> None:
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    level = logging.getLogger().level
    load_guide(str(files))
    assert torch.equal(torch.rand(3), expected)
    assert logging.getLogger().level == level


def test_built_in_inference_mode_it_still_has_gradients(files: Path) -> None:
    with torch.inference_mode():
        guide = load_guide(str(files))
        text = guide.encode_text(["a smile"])
        assert guide.encode_image(pictures(32)).shape == (2, 16)
        with torch.inference_mode(False), torch.enable_grad():
            image = pictures(48).requires_grad_()
            (guide.encode_image(image) @ guide.encode_text(["a smile"]).T).sum().backward()
    assert image.grad.any()
    assert not guide.encode_text(["a smile"]).is_inference()
    torch.testing.assert_close(text.clone(), guide.encode_text(["a smile"]))


def test_own_model_from_a_file(files: Path, tiny: nn.Module) -> None:
    guide = load_guide(str(files))
    assert guide.name == str(files)
    assert guide.image_size == 32
    assert guide.vocabulary == frozenset()
    assert guide.unknown_words("zorgon") == []
    assert guide.scale == pytest.approx(tiny.logit_scale.exp().item())
    image, texts = pictures(32), ["a smiling face", "an angry face"]
    clip = open_clip()
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (clip.OPENAI_DATASET_MEAN, clip.OPENAI_DATASET_STD))
    with torch.no_grad():
        expected = F.normalize(tiny.encode_image((image - mean) / std), dim=-1)
        expected_text = F.normalize(tiny.encode_text(clip.tokenize(texts, context_length=16)), dim=-1)
    torch.testing.assert_close(guide.encode_image(image), expected)
    torch.testing.assert_close(guide.encode_text(texts), expected_text)


def test_own_model_is_found_in_folders(files: Path) -> None:
    guide = load_guide(files.name, folders=[files.parent / "nowhere", files.parent])
    assert guide.name == files.name
    assert guide.image_size == 32
    assert files.name in available([files.parent])
    assert "ViT-B-32:laion2b_s34b_b79k" in available()
    assert available()[0] == BUILTIN
    files.with_suffix(".json").unlink()
    assert files.name not in available([files.parent])


def test_own_model_from_an_open_clip_folder(folder: Path, tiny: nn.Module) -> None:
    guide = load_guide("my-model", folders=[folder.parent])
    image = pictures(32)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (OTHER_MEAN, OTHER_STD))
    with torch.no_grad():
        expected = F.normalize(tiny.encode_image((image - mean) / std), dim=-1)
    torch.testing.assert_close(guide.encode_image(image), expected)


def test_architecture_with_a_file(tmp_path: Path, files: Path) -> None:
    open_clip().add_model_config(files.with_suffix(".json"))  # makes the architecture known
    moved = tmp_path / "weights.safetensors"
    files.rename(moved)
    guide = load_guide("tiny-test:weights.safetensors", folders=[tmp_path])
    assert torch.equal(guide.encode_image(pictures(32)), load_guide(f"tiny-test:{moved}").encode_image(pictures(32)))


def test_pictures_of_any_size_are_reduced_without_aliasing(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = load_guide(str(files))
    seen: list[Tensor] = []
    encode = guide.model.encode_image
    monkeypatch.setattr(guide.model, "encode_image", lambda image: seen.append(image) or encode(image))
    guide.encode_image(torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(2)))
    assert seen[0].shape == (1, 3, 32, 32)
    assert seen[0].std(dim=(2, 3)).max() < 0.15  # 256 pixels in each; a single one would deviate by 1.1


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision(files: Path, precision: str) -> None:
    full, half = load_guide(str(files)), load_guide(str(files), precision=precision)
    assert half.dtype == {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    assert half.scale == pytest.approx(full.scale, rel=1e-6)
    image = pictures(32).requires_grad_()
    found = half.encode_image(image)
    assert found.dtype == torch.float32
    assert (found * full.encode_image(image)).sum(1).min() > 0.99
    assert (half.encode_text(["a face"]) * full.encode_text(["a face"])).sum() > 0.99
    found[:, 0].sum().backward()
    assert image.grad.any()


FAMILIES = {
    "ViT with QuickGELU": {**TINY, "quick_gelu": True},
    "ResNet": {**TINY, "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None}},
    "SigLIP": {
        "embed_dim": 192, "init_logit_bias": -10, "custom_text": True,
        "vision_cfg": {"image_size": 224, "timm_model_name": "vit_tiny_patch16_224", "timm_model_pretrained": False,
                       "timm_pool": "map", "timm_proj": "none"},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 192, "heads": 3, "layers": 1, "no_causal_mask": True,
                     "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-06}},
    },
    "MobileCLIP": {
        "embed_dim": 32, "custom_text": True,
        "vision_cfg": {"image_size": 64, "timm_model_name": "fastvit_mci0", "timm_model_pretrained": False,
                       "timm_pool": "avg", "timm_proj": None},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1, "no_causal_mask": True},
    },
    "ConvNeXt": {
        **TINY,
        "vision_cfg": {"timm_model_name": "convnext_atto", "timm_model_pretrained": False, "timm_pool": "",
                       "timm_proj": "linear", "image_size": 64},
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_families_of_open_clip(tmp_path: Path, family: str) -> None:
    """Each family's architecture, built small with random weights, loads from a file and guides."""
    clip, config = open_clip(), FAMILIES[family]
    path = tmp_path / "model.safetensors"
    path.with_suffix(".json").write_text(json.dumps(config))
    clip.add_model_config(path.with_suffix(".json"))
    torch.manual_seed(0)
    model = clip.create_model("model").eval()
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, str(path))
    loaded = load_guide(str(path))
    assert loaded.image_size == config["vision_cfg"]["image_size"]
    image = pictures(loaded.image_size).requires_grad_()
    normal = (image - loaded._mean) / loaded._std
    with torch.no_grad():
        expected = model.encode_image(normal, normalize=True)
        torch.testing.assert_close(loaded.encode_image(image), expected, atol=1e-5, rtol=1e-4)
        text = loaded.encode_text(["a smiling face", "a face"])
        tokens = clip.get_tokenizer("model")(["a smiling face"])
        torch.testing.assert_close(text[:1], model.encode_text(tokens, normalize=True), atol=1e-5, rtol=1e-4)
    (loaded.scale * loaded.encode_image(image) @ (text[0] - text[1])).sum().backward()
    assert image.grad.isfinite().all()
    assert image.grad.abs().max() > 0
    half = load_guide(str(path), precision="bf16")
    assert (half.encode_image(image.detach()) * expected).sum(1).min() > 0.98


def test_a_file_of_siglip_weights_gets_siglips_normalisation(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def create(*_: object, **options: object) -> None:
        asked.update(options)
        raise OSError("enough")

    monkeypatch.setattr(open_clip(), "create_model", create)
    monkeypatch.setattr(guide_module, "require_tokenizer", lambda clip, arch: None)  # which is not on this machine
    for arch, mean in (("ViT-B-16-SigLIP", (0.5, 0.5, 0.5)), ("ViT-B-32", (0.48145466, 0.4578275, 0.40821073))):
        with pytest.raises(GuideError, match="enough"):
            load_guide(f"{arch}:{files.name}", folders=[files.parent])
        assert tuple(asked["force_preprocess_cfg"]["mean"]) == mean


def test_auto_precision_is_full_on_a_cpu(guide: Guide) -> None:
    assert guide.dtype == torch.float32
    with pytest.raises(GuideError, match=r"'int8'.*auto, fp32"):
        load_guide(precision="int8")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-32", r"without weights, which would guide at random.*ViT-B-32:"),
        ("ViT-B-32:no_such_tag", r"ViT-B-32 has no weights 'no_such_tag'.*laion2b_s34b_b79k"),
        ("ViT-B-32:gone.safetensors", r"has no weights 'gone\.safetensors'"),
        ("my favourite model", r"no guide 'my favourite model'.*'nano'.*ARCH:TAG.*in one of"),
        ("gone.safetensors", r"no guide 'gone\.safetensors'.*FILE\.json"),
        ("Vit-Z-99:openai", "There is no guide"),
        ("", "has no name"),
        ("  ", "has no name"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(GuideError, match=message):
        load_guide(name)


def test_searched_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(GuideError) as e:
        load_guide("gone", folders=[tmp_path / "a", tmp_path / "b"])
    assert str(tmp_path / "a") in str(e.value)
    assert str(tmp_path / "b") in str(e.value)


def test_missing_config(files: Path) -> None:
    files.with_suffix(".json").unlink()
    with pytest.raises(GuideError, match=r"needs both .*tiny-test\.safetensors and tiny-test\.json"):
        load_guide(str(files))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"embed_dim": 3}', '{"model_cfg": {}}'])
def test_bad_config(files: Path, text: str) -> None:
    files.with_suffix(".json").write_text(text)
    with pytest.raises(GuideError, match=r"tiny-test\.json"):
        load_guide(str(files))


def test_config_that_open_clip_cannot_build(files: Path) -> None:
    files.with_suffix(".json").write_text(json.dumps({**TINY, "vision_cfg": {"no_such_option": 1}}))
    with pytest.raises(GuideError, match="cannot be loaded"):
        load_guide(str(files))


@pytest.mark.parametrize("size", [0, 5, 1000, 100_000])
def test_damaged_file(files: Path, size: int) -> None:
    files.write_bytes(files.read_bytes()[:size])
    with pytest.raises(GuideError, match=r"tiny-test\.safetensors.*damaged.*copy it again"):
        load_guide(str(files))


def test_weights_are_never_random(files: Path) -> None:
    good = load_file(str(files))

    def refuse(weights: dict[str, Tensor]) -> None:
        save_file(weights, str(files))
        with pytest.raises(GuideError, match="cannot be loaded"):
            load_guide(str(files))

    refuse({k: v for k, v in good.items() if k != "visual.proj"})
    refuse({k: v for k, v in good.items() if not k.startswith("visual.")})
    refuse({"weight": torch.zeros(3)})
    refuse({**good, "visual.proj": torch.zeros(32, 15)})
    refuse({**good, "token_embedding.weight": torch.zeros(100, 16)})
    refuse({f"module.text.{k}": v for k, v in good.items()})


def test_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(GuideError, match=r"(?i)weights"):
        load_guide(str(folder))


def test_folder_with_a_bad_config_is_refused(folder: Path) -> None:
    (folder / "open_clip_config.json").write_text("{}")
    with pytest.raises(GuideError, match="cannot be loaded"):
        load_guide(str(folder))


def test_a_file_named_like_an_architecture_does_not_replace_it(
    tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = open_clip()
    for name in ("_MODEL_CONFIG_PATHS", "_MODEL_CONFIGS"):  # put back afterwards
        monkeypatch.setattr(clip.factory, name, getattr(clip.factory, name).copy())
    before = clip.get_model_config("ViT-B-16")
    for suffix in (".safetensors", ".json"):
        files.with_suffix(suffix).rename(tmp_path / f"ViT-B-16{suffix}")
    assert load_guide(str(tmp_path / "ViT-B-16.safetensors")).image_size == 32
    assert clip.get_model_config("ViT-B-16") == before


def test_files_of_the_same_name_are_kept_apart(tmp_path: Path, files: Path, tiny: nn.Module) -> None:
    other = tmp_path / "other" / files.name
    other.parent.mkdir()
    save_file(tiny.state_dict(), str(other))
    other.with_suffix(".json").write_text(json.dumps({**TINY, "quick_gelu": True}))
    first = load_guide(str(files)).encode_image(pictures(32))
    assert not torch.allclose(load_guide(str(other)).encode_image(pictures(32)), first)
    assert torch.equal(load_guide(str(files)).encode_image(pictures(32)), first)


def test_no_network_says_what_to_do_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a server that refuses nor one that says nothing is asked for most of a minute."""
    from huggingface_hub import constants

    silent = socket.create_server(("127.0.0.1", 0))  # takes connections and answers none
    refusing = "http://127.0.0.1:9"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for address, why in (
        (refusing, "cannot be reached"),
        (f"http://127.0.0.1:{silent.getsockname()[1]}", "does not answer within 4 seconds"),
    ):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        start = time.monotonic()
        with pytest.raises(GuideError) as told:
            load_guide("ViT-B-32:laion2b_s34b_b79k", folders=[tmp_path])
        assert time.monotonic() - start < 5
        assert why in str(told.value)
        assert f"put it into {tmp_path} as ViT-B-32-laion2b_s34b_b79k.safetensors" in str(told.value)
        assert "name the guide ViT-B-32:ViT-B-32-laion2b_s34b_b79k.safetensors" in str(told.value)
    silent.close()


def test_weights_in_the_cache_need_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    clip, path = open_clip(), str(tmp_path / "weights.bin")
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda repo, name: path if name.endswith(".bin") else None
    )
    found, preprocess = fetched(clip, "ViT-B-16-SigLIP", "webli")
    assert (found, preprocess["mean"]) == (path, (0.5, 0.5, 0.5))


def test_unfitting_weights_are_named(files: Path) -> None:
    weights = load_file(str(files))
    weights["visual.own_invention"] = weights.pop("visual.class_embedding")
    save_file(weights, str(files))
    with pytest.raises(GuideError, match=r"visual\.class_embedding.*visual\.own_invention"):
        load_guide(str(files))


def test_weights_trained_with_quick_gelu_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def create(*_: object, **options: bool) -> None:
        asked.append(options["force_quick_gelu"])
        raise OSError("enough")

    monkeypatch.setattr(open_clip(), "create_model", create)
    monkeypatch.setattr(guide_module, "fetched", lambda clip, arch, tag, folders: (tag, {}))
    for name in ("ViT-B-32:openai", "ViT-B-32:laion2b_s34b_b79k"):
        with pytest.raises(GuideError, match="enough"):
            load_guide(name)
    assert asked == [True, False]


def test_without_open_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(GuideError, match="pip install open_clip_torch"):
        open_clip()


def test_unknown_words(guide: Guide) -> None:
    assert guide.unknown_words("A SMILING face!") == []
    assert guide.unknown_words("zorgon face, zorgon; Blorp-9") == ["zorgon", "blorp"]


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_open_clip_in_a_fresh_interpreter() -> None:
    """Whether or not the torchvision that is installed here fits torch; and nothing heavy is imported before."""
    code = """
import sys, flow_core.cli.main, flow_core.guides.guide
print([m for m in ("open_clip", "timm", "kornia", "torchvision") if m in sys.modules])
a, b = flow_core.guides.guide.open_clip(), flow_core.guides.guide.open_clip()
import open_clip as c
print(a is b is c, len(a.list_models()) > 50)
"""
    assert python(code).splitlines() == ["[]", "True True"]


@pytest.mark.slow
def test_open_clip_where_somebody_else_declared_the_operators() -> None:
    code = """
import torch
try:
    import torchvision
except RuntimeError:
    for op in ("nms", "qnms"):
        torch.library.define("torchvision::" + op, "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
else:
    print("torchvision fits")
from flow_core.guides.guide import open_clip
print(len(open_clip().list_models()) > 50)
"""
    answer = python(code)
    if answer.startswith("torchvision fits"):
        pytest.skip("the torchvision here fits torch, so nobody has to declare its operators")
    assert answer == "True"


class _Program:
    """What unpickling it would do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["file", "folder", "architecture"])
def test_weights_that_are_a_program_are_not_run(tmp_path: Path, files: Path, folder: Path, how: str) -> None:
    torch.save({"a": _Program(tmp_path / "ran")}, tmp_path / "evil")
    bad, name = {
        "file": (files, str(files)),
        "folder": (folder / "open_clip_model.safetensors", str(folder)),
        "architecture": (tmp_path / "evil.safetensors", f"ViT-B-32:{tmp_path / 'evil.safetensors'}"),
    }[how]
    bad.write_bytes((tmp_path / "evil").read_bytes())
    with pytest.raises(GuideError, match="no safetensors file"):
        load_guide(name)
    assert not (tmp_path / "ran").exists()


def test_a_folder_with_a_pickle_is_refused(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").rename(folder / "model.safetensors")
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(GuideError, match=r"open_clip_pytorch_model\.bin.*a pickle"):
        load_guide(str(folder))


def test_the_builtin_guide_is_open_clips(guide: Guide) -> None:
    """The small loader and open_clip make the same of one file."""
    theirs = load_guide(str(guide_module.WEIGHTS / "nano.safetensors"))
    assert type(theirs.model) is not type(guide.model)
    pictures_ = torch.rand(3, 3, 112, 112, generator=torch.Generator().manual_seed(1))
    assert (guide.encode_image(pictures_) - theirs.encode_image(pictures_)).abs().max() < 1e-5
    texts = [
        "a smiling face",
        "An ANGRY  face, 42 years old!",
        "blond hair's",
        "smile " * 40,
        "a zorgon",
        "\u00fcbel",
        "\u5fae\u7b11\u7684\u8138\uff0c\u5927\u773c\u775b",
    ]
    assert (guide.encode_text(texts) - theirs.encode_text(texts)).abs().max() < 1e-5
    assert guide.scale == theirs.scale
    assert (guide.vocabulary, guide.image_size) == (theirs.vocabulary, theirs.image_size)
    image = pictures_.requires_grad_()
    [ours] = torch.autograd.grad(guide.encode_image(image)[:, 0].sum(), image)
    [other] = torch.autograd.grad(theirs.encode_image(image)[:, 0].sum(), image)
    assert (ours - other).abs().max() < 1e-5


@pytest.mark.slow
def test_tokens_are_open_clips() -> None:
    theirs, ours = open_clip().tokenizer.SimpleTokenizer(context_length=24), Words(24)
    rng = random.Random(0)
    letters = (
        "".join(c for c in string.printable if c not in "\x0b\x0c")
        + "\u00e9\u2019\u7b11\u5fae\u5de6\u773c\u775b\uff0c\u3002\uff01\uff41\u3000"
    )
    known = [
        *load_guide().vocabulary,
        "don't",
        "it's",
        "we'll",
        "3:2",
        "(red|blond)",
        "half-open",
        "&amp;",
        "<end_of_text>",
    ]
    for i in range(600):
        text = " ".join(rng.choices(known, k=8)) if i % 2 else "".join(rng.choices(letters, k=rng.randint(0, 40)))
        assert torch.equal(ours([text]), theirs([text])), text


@pytest.mark.slow
def test_an_edit_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
import sys
import torch
from flow_core.cli import main as cli
from flow_core.cli.demo import portraits
from flow_core.io import picture
picture.write(picture.Picture(portraits()["astronaut"][..., :256, 120:376]), {str(tmp_path / "in.png")!r})
for name in ("matplotlib", "skimage", "scipy"):
    for m in [m for m in sys.modules if m.partition(".")[0] == name]:
        del sys.modules[m]
for more in (["--steps", "2"], ["--method", "predict"], ["--steps", "2", "--representation", "siren"]):
    code = cli.main(["edit", {str(tmp_path / "in.png")!r}, "a smiling face", "-o", {str(tmp_path / "out.png")!r}, *more])
    assert code == 0
heavy = ("open_clip", "timm", "kornia", "torchvision", "sympy", "torch._dynamo", "torch._inductor", "huggingface_hub")
print([m for m in heavy if m in sys.modules])
"""
    assert python(code).splitlines()[-1] == "[]"
