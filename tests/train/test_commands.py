"""Every training command is there and says how it is used."""

from __future__ import annotations

import pytest

from flow_core.train import __main__ as train


@pytest.mark.parametrize("command", train.COMMANDS)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        train.main([command, "--help"])
    assert end.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_an_unknown_command_is_told_which_there_are() -> None:
    with pytest.raises(SystemExit, match="guide,words,sentences,towers,detector"):
        train.main(["everything"])
