"""Making the built-in models: ``python -m flow_core.train COMMAND``.

``docs/training.md`` lists the commands. Most train a network on ``--data DIR``, a folder of faces that ``faces PHOTOS -o DIR`` makes.
"""

from __future__ import annotations

import importlib
import sys

# modules of this package with a function main(argv)
COMMANDS = (
    "guide", "words", "sentences", "towers", "detector", "landmarks", "reader", "shown", "frowning", "hair", "motion", "predictor",
    "faces", "shards", "seen", "rig", "shading", "covered", "glasses", "moved",
)  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] not in COMMANDS:
        raise SystemExit(f"usage: python -m flow_core.train {{{','.join(COMMANDS)}}} [--help]")
    importlib.import_module(f".{argv[0]}", __package__).main(argv[1:])


if __name__ == "__main__":
    main()
