"""``python -m flow_core.train guide|detector --data DIR``."""

from __future__ import annotations

import importlib
import sys

MODELS = ("guide", "detector")


def main(argv: list[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] not in MODELS:
        raise SystemExit(f"usage: python -m flow_core.train {{{','.join(MODELS)}}} --data DIR [--help]")
    importlib.import_module(f".{argv[0]}", __package__).main(argv[1:])


if __name__ == "__main__":
    main()
