"""The packages of the library stand on one another, and none of its modules imports in a circle."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What a package may import: those before it. Modules directly in flow_core (device, threads ...) stand below all.
ORDER = ("geometry", "guides", "faces", "fields", "warping", "io", "editing", "video", "train", "cli")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules() -> dict[str, Path]:
    """Module -> file, of flow_core."""
    return {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in (ROOT / "flow_core").rglob("*.py")}


def imports(name: str, path: Path, at_import: bool) -> set[str]:
    """Modules of flow_core that a module imports: everywhere, or only those that importing it imports too."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join(name.split(".")[: -node.level])
            whole = f"{base}.{node.module}" if node.module else base
            found.update(f"{whole}.{alias.name}" for alias in node.names)
            found.add(whole)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(parsed(path))
    return found


def graph(at_import: bool) -> dict[str, set[str]]:
    known = modules()
    return {name: imports(name, path, at_import) & known.keys() for name, path in known.items()}


def test_no_module_imports_in_a_circle() -> None:
    edges, done = graph(at_import=True), set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for other in sorted(edges[name]):
                walk(other, (*trail, name))
            done.add(name)

    for name in sorted(edges):
        walk(name, ())
    assert len(done) > 50


def test_packages_stand_on_one_another() -> None:
    wrong = []
    for name, others in graph(at_import=False).items():
        package = name.split(".")[1]
        for other in others:
            below = other.split(".")[1]
            if below in ORDER and (package not in ORDER or ORDER.index(below) > ORDER.index(package)):
                wrong.append(f"{name} imports {other}")
    assert not wrong, "\n".join(wrong)
    assert {p.name for p in (ROOT / "flow_core").iterdir() if (p / "__init__.py").is_file()} == set(ORDER)


def test_the_library_never_imports_comfyui() -> None:
    for name, path in modules().items():
        for node in ast.walk(parsed(path)):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(n.split(".")[0] in ("comfy", "comfy_api", "folder_paths", "nodes") for n in named), name
