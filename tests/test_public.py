"""What a user of the library imports, and that importing it costs nothing."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

import flow_core
from flow_core.cli import main as cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", ROOT / "docs" / "fields.md", ROOT / "docs" / "video.md", ROOT / "docs" / "training.md")


def test_everything_that_is_exported_is_there() -> None:
    assert len(flow_core.__all__) < 20
    for name in flow_core.__all__:
        assert getattr(flow_core, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = flow_core.nothing


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import flow_core, sys; print(sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'numpy', 'PIL', 'kornia'}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_picture_and_words_make_an_edited_picture(astronaut: Tensor, tmp_path) -> None:
    done = flow_core.edit(astronaut, "a smiling face", "predict", strength=0.8)
    assert done.image.shape == astronaut.shape
    assert not torch.equal(done.image, astronaut)
    assert torch.equal(done.image[:, :, done.changed[0] == 0], astronaut[:, :, done.changed[0] == 0])
    saved = flow_core.load_field(done.field.save(tmp_path / "smile.safetensors"))
    again, _ = flow_core.warp(astronaut, done.crop, saved, 0.8, 0.8)
    assert torch.equal(again, done.image)
    seen = []
    short = flow_core.Settings(steps=2, views=1)
    flow_core.edit(
        astronaut, "a smiling face", crop=done.crop, settings=short, watch=lambda step: seen.append(step.index)
    )
    assert seen == [1, 2]
    with pytest.raises(ValueError, match="Unknown method 'paint'; use one of optimize, predict, refine"):
        flow_core.edit(astronaut, "a smiling face", "paint", crop=done.crop)


@pytest.mark.slow
def test_the_example_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README, re.S)
    imported = re.search(r"from flow_core import ([^\n]*)", code)[1].split(", ")
    assert set(imported) <= set(flow_core.__all__)
    shutil.copy(ROOT / "docs" / "people" / "01.jpg", tmp_path / "me.jpg")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert flow_core.load_field("smile.safetensors").meta["prompt"] == "a smiling face"


def test_the_commands_of_the_readme_and_the_pages() -> None:
    lines = [line for page in PAGES for line in page.read_text("utf-8").splitlines()]
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("    faceflow ")]
    assert len(commands) > 10
    for command in commands:
        given, rest = cli.parser().parse_known_args(command)
        assert not [r for r in rest if r.startswith("-")], command
        assert given.command == command[0]


def test_the_readme_is_one_page() -> None:
    assert len(README.split()) <= 900
