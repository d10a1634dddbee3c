"""The source files that a stage depends on: its module and what that imports from the package."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def code_of(*modules: str) -> list[str]:
    """Files that running ``python -m <module>`` can execute, relative to the checkout, sorted.

    Follows every ``import`` of the package, also those inside functions: a lazily loaded backend
    still decides what a response is.

    Raises:
        ValueError: a module is not part of the package.
    """
    found: set[Path] = set()
    waiting = [_entry(module) for module in modules]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting.extend(_imports(path))
    checkout = PACKAGE.parents[1]
    return sorted(str(path.relative_to(checkout)) for path in found)


def _entry(module: str) -> Path:
    path = _file_of(module)
    if path is None:
        raise ValueError(f"{module} is not a module of edgebias")
    main = path.parent / "__main__.py"
    return main if path.name == "__init__.py" and main.exists() else path


def _file_of(module: str) -> Path | None:
    parts = module.split(".")
    if parts[0] != PACKAGE.name:
        return None
    base = PACKAGE.joinpath(*parts[1:])
    for candidate in (base / "__init__.py", base.with_suffix(".py")):
        if candidate.exists():
            return candidate
    return None


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    files = {_file_of(name) for name in names if name.split(".")[0] == PACKAGE.name}
    package = path.parent / "__init__.py"
    if package.exists():
        files.add(package)
    return tuple(sorted(file for file in files if file is not None))
