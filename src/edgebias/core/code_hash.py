"""One hash of the code that a job can run: prose, formatting and other jobs' code do not move it.

A job's code is the import closure of its modules inside this package and the user's plugins. Entries of registries are
imported by name at run time, so they are not in the closure of what opens them: a job names those that it uses.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from edgebias.core.parsed import parsed
from edgebias.core.registry import plugin_file

PACKAGE = Path(__file__).resolve().parents[1]


def code_files(*modules: str) -> list[Path]:
    """Return the files that running ``modules`` can execute or read from the package, sorted.

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
        waiting.extend(_imported(path))
    return sorted(found | {data for path in found for data in _data_beside(path)})


@cache
def code_hash(*modules: str) -> str:
    """Return the SHA-256 over the names and the content of `code_files`, a module's content being its syntax tree.

    Raises:
        ValueError: a module is neither part of the package nor a plugin.
    """
    digest = hashlib.sha256()
    for path in code_files(*modules):
        content = parsed(path).digest if path.suffix == ".py" else hashlib.sha256(path.read_bytes()).hexdigest()
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
    return path


def _file_of(module: str) -> Path | None:
    """Return the file of a module of the package, or None."""
    name, *parts = module.split(".")
    return _file_below(PACKAGE, parts) if name == PACKAGE.name else None


def _file_below(folder: Path, parts: list[str]) -> Path | None:
    base = folder.joinpath(*parts)
    candidates = (base / "__init__.py", *([base.with_suffix(".py")] if parts else []))
    return next((path for path in candidates if path.exists()), None)


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    """Return what importing a module runs: files of the package, and of a plugin's own folder."""
    found: set[Path | None] = set()
    for name in parsed(path).imports:
        file = _file_of(name)
        if file is None and not path.is_relative_to(PACKAGE):
            file = _file_below(path.parent, name.split("."))
        found.add(file)
    found.add(_file_below(path.parent, []))
    return tuple(sorted(file for file in found - {path} if file is not None))


@cache
def _data_beside(path: Path) -> tuple[Path, ...]:
    """Return the files of data whose names, or whose folder's name, stand in a module beside them."""
    found: list[Path] = []
    for string in parsed(path).strings:
        named = path.parent / string
        if named.is_file() and named.suffix != ".py":
            found.append(named)
        elif named.is_dir() and not (named / "__init__.py").exists():
            found += (file for file in named.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return tuple(found)
