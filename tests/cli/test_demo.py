"""``make demo``."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow_core.cli import demo
from flow_core.fields.files import load_field


@pytest.mark.slow
def test_the_demo_makes_what_it_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "PROMPTS", ("a smiling face",))
    demo.main(["--out", str(tmp_path), "--device", "cpu"])
    said = capsys.readouterr().out
    for name in ("astronaut", "grace_hopper"):
        assert name in said
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        assert (tmp_path / f"{name}-smiling.webp").stat().st_size > 10_000
        assert load_field(tmp_path / f"{name}-smiling.safetensors").meta["prompt"] == "a smiling face"
