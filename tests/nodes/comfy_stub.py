"""A small stand-in for the parts of ComfyUI that the nodes use.

It knows the keywords that ComfyUI 0.3.64, the oldest version supported, accepts, and refuses all others, as that
version does; test_nodes.py compares it with a real ComfyUI where the environment variable FACEFLOW_COMFYUI names one.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

COMMON = "id display_name optional tooltip lazy"
# Python name -> (name on the wire, keywords of its Input in their order)
INPUTS = {
    "Boolean": ("BOOLEAN", f"{COMMON} default label_on label_off socketless force_input"),
    "Int": ("INT", f"{COMMON} default min max step control_after_generate display_mode socketless force_input"),
    "Float": ("FLOAT", f"{COMMON} default min max step round display_mode socketless force_input"),
    "String": ("STRING", f"{COMMON} multiline placeholder default dynamic_prompts socketless force_input"),
    "Combo": (
        "COMBO",
        "id options display_name optional tooltip lazy default control_after_generate upload image_folder remote socketless",
    ),
    "Image": ("IMAGE", f"{COMMON} extra_dict"),
    "Mask": ("MASK", f"{COMMON} extra_dict"),
    "Latent": ("LATENT", f"{COMMON} extra_dict"),
    "LossMap": ("LOSS_MAP", f"{COMMON} extra_dict"),
    "Video": ("VIDEO", f"{COMMON} extra_dict"),
}
SOCKET = f"{COMMON} extra_dict"
OUTPUT = "id display_name tooltip is_output_list"
SCHEMA = (
    "node_id display_name category inputs outputs hidden description is_input_list is_output_node is_deprecated "
    "is_experimental is_api_node not_idempotent enable_expand"
)
WIDGETS = ("BOOLEAN", "INT", "FLOAT", "STRING", "COMBO")


class Declared:
    """Takes the keywords of its class and no others."""

    keywords = "id"

    def __init__(self, *args: object, **kwargs: object) -> None:
        names = self.keywords.split()
        signature = inspect.Signature(
            [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None) for n in names]
        )
        bound = signature.bind(*args, **kwargs)  # TypeError for an unknown keyword
        bound.apply_defaults()
        vars(self).update(bound.arguments)


def comfy_type(wire: str, keywords: str = SOCKET) -> type:
    """A type with an Input and an Output, such as ``io.Image``."""
    members = {"io_type": wire, "keywords": keywords}
    output = {"io_type": wire, "keywords": OUTPUT}
    return type(
        wire,
        (),
        {"io_type": wire, "Input": type("Input", (Declared,), members), "Output": type("Output", (Declared,), output)},
    )


class NumberDisplay(str, Enum):
    number = "number"
    slider = "slider"


class Hidden(str, Enum):
    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"


class Schema(Declared):
    keywords = SCHEMA

    def check(self) -> None:
        for i, output in enumerate(self.outputs or []):
            output.id = output.id or f"_{i}_{output.io_type}_"
        ids = [x.id for x in [*(self.inputs or []), *(self.outputs or [])]]
        if twice := [name for name, n in Counter(ids).items() if n > 1]:
            raise ValueError(f"{self.node_id}: ids of inputs and outputs must be unique, but {twice} are not.")


class NodeOutput:
    def __init__(
        self, *args: Any, ui: object = None, expand: object = None, block_execution: str | None = None
    ) -> None:
        self.args, self.ui = args, ui

    def __getitem__(self, index: int) -> Any:
        return self.args[index]


class ComfyNode:
    FUNCTION = "EXECUTE_NORMALIZED"
    hidden = SimpleNamespace(unique_id=None, prompt=None, extra_pnginfo=None)

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        schema = cls.define_schema()
        schema.check()
        return schema

    @classmethod
    def PREPARE_CLASS_CLONE(cls, hidden: dict) -> type:
        values = {h.name: hidden.get(h) for h in Hidden}
        return type(cls.__name__, (cls,), {"hidden": SimpleNamespace(**values)})

    @classmethod
    def EXECUTE_NORMALIZED(cls, **inputs: object) -> NodeOutput:
        result = cls.execute(**inputs)
        if not isinstance(result, NodeOutput):
            raise TypeError(f"{cls.__name__} returned {type(result).__name__} instead of NodeOutput.")
        return result


class Locked(type):
    def __setattr__(cls, name: str, value: object) -> None:
        raise AttributeError(f"Cannot modify class attribute {name!r} on locked class {cls.__name__!r}.")


def make_locked_method_func(node: type, function: str, clone: type) -> Callable[..., NodeOutput]:
    """What ComfyUI executes: the method on a class whose attributes cannot be set."""
    return getattr(Locked(node.__name__, (clone,), {}), function)


class ComfyExtension:
    async def get_node_list(self) -> list[type]:
        raise NotImplementedError


class PreviewText:
    def __init__(self, value: str, **_: object) -> None:
        self.value = value

    def as_dict(self) -> dict:
        return {"text": (self.value,)}


class PreviewImage:
    def __init__(self, image: torch.Tensor, cls: type | None = None, **_: object) -> None:
        self.image = image

    def as_dict(self) -> dict:
        return {"images": [{"filename": "preview.png", "subfolder": "", "type": "temp"} for _ in self.image]}


@dataclass
class VideoComponents:
    images: torch.Tensor
    frame_rate: Fraction
    audio: object = None


class VideoFromComponents:
    def __init__(self, components: VideoComponents) -> None:
        self.components = components

    def get_components(self) -> VideoComponents:
        return self.components


class VideoFromFile:
    def __init__(self, file: str) -> None:
        self.file = file

    def get_components(self) -> VideoComponents:
        import av

        with av.open(self.file) as container:
            frames = [torch.from_numpy(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
            return VideoComponents(torch.stack(frames).float() / 255, container.streams.video[0].average_rate)


class ExecutionBlocker:
    def __init__(self, message: str | None) -> None:
        self.message = message


class InterruptProcessingException(Exception):
    pass


class ModelPatcher:
    def __init__(self, model, load_device, offload_device, size=0, weight_inplace_update=False) -> None:
        self.model, self.load_device, self.offload_device = model, load_device, offload_device


def _memory() -> dict[str, object]:
    cpu = torch.device("cpu")
    state = {"stop": False}
    loaded: list[weakref.ref] = []

    def load_models_gpu(
        models: list, memory_required=0, force_patch_weights=False, minimum_memory_required=None, force_full_load=False
    ) -> None:
        """As on a GPU, every weight becomes a new tensor, made in the mode of the caller."""
        for patcher in models:
            patcher.model.device = patcher.load_device  # as ComfyUI does with every model
            for module in patcher.model.modules():
                for name, weight in module._parameters.items():
                    if weight is not None:
                        new = weight.detach().clone()
                        module._parameters[name] = torch.nn.Parameter(new, requires_grad=weight.requires_grad)
            loaded.append(weakref.ref(patcher))

    def interrupt_current_processing(value: bool = True) -> None:
        state["stop"] = value

    def throw_exception_if_processing_interrupted() -> None:
        if state["stop"]:
            state["stop"] = False
            raise InterruptProcessingException

    return {
        "InterruptProcessingException": InterruptProcessingException,
        "load_models_gpu": load_models_gpu,
        "interrupt_current_processing": interrupt_current_processing,
        "throw_exception_if_processing_interrupted": throw_exception_if_processing_interrupted,
        "get_torch_device": lambda: cpu,
        "unet_offload_device": lambda: cpu,
        "intermediate_device": lambda: cpu,
        "soft_empty_cache": lambda force=False: None,
    }


def _progress() -> dict[str, object]:
    hooks: list[Callable | None] = [None]

    class ProgressBar:
        def __init__(self, total: int, node_id: str | None = None) -> None:
            self.total, self.node_id = total, node_id

        def update_absolute(self, value: int, total: int | None = None, preview: tuple | None = None) -> None:
            if hooks[0] is not None:
                hooks[0](value, total or self.total, preview, node_id=self.node_id)

    def set_progress_bar_global_hook(function: Callable | None) -> None:
        hooks[0] = function

    return {"ProgressBar": ProgressBar, "set_progress_bar_global_hook": set_progress_bar_global_hook}


def _folders(root: Path) -> dict[str, object]:
    known: dict[str, tuple[list[str], set[str]]] = {}

    def add_model_folder_path(folder_name: str, full_folder_path: str, is_default: bool = False) -> None:
        paths, _ = known.setdefault(folder_name, ([], set()))
        if full_folder_path not in paths:
            paths.insert(0 if is_default else len(paths), full_folder_path)

    def get_save_image_path(
        filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
    ) -> tuple:
        folder, name = Path(output_dir, filename_prefix).parent, Path(filename_prefix).name
        if not folder.resolve().is_relative_to(Path(output_dir).resolve()):
            raise Exception("Saving outside the output folder is not allowed.")
        folder.mkdir(parents=True, exist_ok=True)
        taken = [p.name[len(name) + 1 :].split("_")[0] for p in folder.glob(f"{name}_*")]
        counter = 1 + max([int(n) for n in taken if n.isdigit()], default=0)
        return str(folder), name, counter, str(Path(filename_prefix).parent), filename_prefix

    return {
        "models_dir": str(root / "models"),
        "folder_names_and_paths": known,
        "add_model_folder_path": add_model_folder_path,
        "get_folder_paths": lambda folder_name: list(known[folder_name][0]),
        "get_output_directory": lambda: str(root / "output"),
        "get_input_directory": lambda: str(root / "input"),
        "get_save_image_path": get_save_image_path,
    }


def modules(root: Path) -> dict[str, ModuleType]:
    """The stand-in's modules by their names; ``root`` stands for ComfyUI's own folder."""
    io = {name: comfy_type(*declared) for name, declared in INPUTS.items()}
    io |= {"Custom": comfy_type, "NumberDisplay": NumberDisplay, "Hidden": Hidden}
    io |= {"Schema": Schema, "NodeOutput": NodeOutput, "ComfyNode": ComfyNode}
    contents: dict[str, dict[str, object]] = {
        "comfy_api": {},
        "comfy_api.latest": {
            "ComfyExtension": ComfyExtension,
            "io": SimpleNamespace(**io),
            "ui": SimpleNamespace(PreviewText=PreviewText, PreviewImage=PreviewImage),
            "InputImpl": SimpleNamespace(VideoFromFile=VideoFromFile, VideoFromComponents=VideoFromComponents),
            "Types": SimpleNamespace(VideoComponents=VideoComponents),
        },
        "comfy_execution": {},
        "comfy_execution.graph_utils": {"ExecutionBlocker": ExecutionBlocker},
        "comfy_api.internal": {"make_locked_method_func": make_locked_method_func},
        "folder_paths": _folders(root),
        "comfy": {},
        "comfy.model_management": _memory(),
        "comfy.model_patcher": {"ModelPatcher": ModelPatcher},
        "comfy.utils": _progress(),
    }
    made: dict[str, ModuleType] = {}
    for name, content in contents.items():
        made[name] = ModuleType(name)
        vars(made[name]).update(content, __path__=[])
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(made[parent], child, made[name])
    return made


def load_pack(root: Path) -> tuple[ModuleType, dict[str, type]]:
    """Load a node pack as ComfyUI does: under its path, with dots replaced. Returns its module and its nodes by id."""
    from importlib.util import module_from_spec, spec_from_file_location

    name = str(root).replace(".", "_x_")
    spec = spec_from_file_location(name, root / "__init__.py", submodule_search_locations=[str(root)])
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    extension = asyncio.run(module.comfy_entrypoint())
    nodes = asyncio.run(extension.get_node_list())
    found = {node.GET_SCHEMA().node_id: node for node in nodes}
    assert len(found) == len(nodes), "two nodes have the same id"
    return module, found
