"""One hash of the code that a job can run: prose, formatting and other jobs' code do not move it.

A job's code is the import closure of its modules inside this package and the user's plugins. Entries of registries are
imported by name at run time, so they are not in the closure of what opens them: a job names those that it uses.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgebias.core.registry import plugin_file

PACKAGE = Path(__file__).resolve().parents[1]

DATA_IS_NOT = frozenset({".py", ".pyc"})


@dataclass(frozen=True)
class _Module:
    """A parsed module: what it does, what it imports, and the files of data that it names.

    Attributes:
        digest: SHA-256 of its syntax tree without docstrings, comments and layout.
        imports: files of the package or of a plugin's folder that importing it runs.
        data: files beside it, or in a folder beside it, whose names stand in it as strings.
    """

    digest: str
    imports: tuple[Path, ...]
    data: tuple[Path, ...]


def code_files(*modules: str) -> list[Path]:
    """Files that running ``modules`` can execute or read from the package, sorted.

    Follows every ``import`` of the package, also those inside functions: what is loaded late still decides a result.

    Raises:
        ValueError: a module is neither part of the package nor a plugin.
    """
    found: set[Path] = set()
    waiting = [_entry(module) for module in modules]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting.extend(_module(path).imports)
    return sorted(found | {data for path in found for data in _module(path).data})


@cache
def code_hash(*modules: str) -> str:
    """SHA-256 over the names and the content of `code_files`, a module's content being its syntax tree.

    Raises:
        ValueError: a module is neither part of the package nor a plugin.
    """
    digest = hashlib.sha256()
    for path in code_files(*modules):
        content = _module(path).digest if path.suffix == ".py" else hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{_name(path)} {content}\n".encode())
    return digest.hexdigest()


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name


def _entry(module: str) -> Path:
    parts = module.split(".")
    path = _file_of(module)
    if path is None:
        if parts[0] == PACKAGE.name:
            raise ValueError(f"{module} is not a module of {PACKAGE.name}")
        return plugin_file(module)
    main = path.parent / "__main__.py"
    return main if path.name == "__init__.py" and main.exists() else path


def _file_of(module: str) -> Path | None:
    """The file of a module of the package, or None."""
    name, *parts = module.split(".")
    return _file_below(PACKAGE, parts) if name == PACKAGE.name else None


def _file_below(folder: Path, parts: list[str]) -> Path | None:
    base = folder.joinpath(*parts)
    candidates = (base / "__init__.py", *([base.with_suffix(".py")] if parts else []))
    return next((path for path in candidates if path.exists()), None)


@cache
def _module(path: Path) -> _Module:
    if path.suffix != ".py":
        return _Module("", (), ())
    tree = ast.parse(path.read_bytes())
    names, strings = _names_and_strings(tree)
    _strip_docstrings(tree)
    return _Module(
        digest=hashlib.sha256(ast.unparse(tree).encode("utf-8", "surrogatepass")).hexdigest(),
        imports=tuple(sorted(_imported(path, names))),
        data=tuple(sorted(set(_data_beside(path, strings)))),
    )


def _names_and_strings(tree: ast.Module) -> tuple[set[str], set[str]]:
    names: set[str] = set()
    strings: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 100:
            strings.add(node.value)
    return names, strings


def _imported(path: Path, names: set[str]) -> Iterator[Path]:
    """Imported files: of the package, and of a plugin's own folder."""
    inside = path.is_relative_to(PACKAGE)
    for name in names:
        file = _file_of(name)
        if file is None and not inside:
            file = _file_below(path.parent, name.split("."))
        if file is not None:
            yield file
    package = path.parent / "__init__.py"
    if package.exists() and package != path:
        yield package


def _data_beside(path: Path, strings: set[str]) -> Iterator[Path]:
    for string in strings:
        if not string or "/" in string or string.startswith("."):
            continue
        named = path.parent / string
        if named.is_file() and named.suffix not in DATA_IS_NOT:
            yield named
        elif named.is_dir() and not (named / "__init__.py").exists():
            yield from (file for file in named.rglob("*") if file.is_file() and file.suffix not in DATA_IS_NOT)


def _strip_docstrings(tree: ast.Module) -> None:
    """Take out strings that stand alone as statements: they document modules, functions, classes and attributes."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if not isinstance(statements, list):
                continue
            left = [statement for statement in statements if not _is_prose(statement)]
            if len(left) < len(statements):
                setattr(node, field, left or [ast.Pass()])


def _is_prose(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
