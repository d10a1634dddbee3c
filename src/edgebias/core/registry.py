"""Registries: entries that are found where they stand, in this package or in a user's own modules.

An entry is a top-level name of a module, such as ``SUITE`` in ``suites/bbq/suite.py``. Nothing lists it: a file that
defines the name is an entry. Modules are parsed to find entries and imported only when one is asked for, because a
backend's libraries take seconds to import.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

from edgebias.core.errors import InputError

T = TypeVar("T")

_plugins: dict[str, Path] = {}


def load_plugins(modules: Iterable[str]) -> None:
    """Let every registry find the entries of ``modules`` (the key ``plugins`` of a parameter file), too.

    The working directory is searched first, as ``python -m`` does: a plugin may lie beside the parameter file.

    Raises:
        InputError: there is no such module, or it fails when it is imported.
    """
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    for name in modules:
        _plugins[name] = plugin_file(name)
        try:
            importlib.import_module(name)
        except Exception as error:  # it is the user's code: whatever it raises is theirs to mend
            raise InputError(f"plugins: {name} cannot be imported ({type(error).__name__}: {error})") from error


def plugin_file(module: str) -> Path:
    """Return the source file of a plugin.

    Raises:
        InputError: there is none.
    """
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise InputError(f"plugins: there is no module {module!r}; name one that Python can import from this folder")
    return Path(spec.origin)


class Registry(Generic[T]):
    """The entries of one kind, by name.

    Args:
        package: the package below which entries stand.
        attribute: the top-level name that makes a module an entry.
        kind: the class of an entry.
        word: what an entry is called in messages.
    """

    def __init__(self, package: str, attribute: str, kind: type[T], word: str) -> None:
        self._package, self._attribute, self._kind, self._word = package, attribute, kind, word

    def __contains__(self, name: object) -> bool:
        return name in self._modules()

    def names(self) -> list[str]:
        """Return the names of all entries, sorted."""
        return sorted(self._modules())

    def module(self, name: str) -> str:
        """Return the module that defines the entry ``name``; its imports are what the entry depends on.

        Raises:
            InputError: there is no such entry.
        """
        modules = self._modules()
        if name not in modules:
            raise InputError(f"{self._word} {name!r} is unknown; choose one of {', '.join(sorted(modules))}")
        return modules[name]

    def get(self, name: str) -> T:
        """Return the entry ``name``.

        Raises:
            InputError: there is no such entry, or its module defines something else.
        """
        module = self.module(name)
        entry = getattr(importlib.import_module(module), self._attribute)
        if not isinstance(entry, self._kind):
            raise InputError(f"{module}: {self._attribute} is a {type(entry).__name__}, not a {self._kind.__name__}")
        return entry

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield every entry with its name, sorted; imports all of them."""
        for name in self.names():
            yield name, self.get(name)

    def _modules(self) -> dict[str, str]:
        found = dict(_entries(self._package, self._attribute))
        for module, file in _plugins.items():
            if _defines(file, self._attribute):
                entry = getattr(importlib.import_module(module), self._attribute)
                found[str(getattr(entry, "name", module))] = module
        return found


@cache
def _entries(package: str, attribute: str) -> dict[str, str]:
    """Return the module of each entry below ``package``, by the name of its file, or of its folder where the file is
    named so.
    """
    root = Path(str(importlib.import_module(package).__file__)).parent
    found: dict[str, str] = {}
    for file in sorted(root.rglob("*.py")):
        if not _defines(file, attribute):
            continue
        parts = file.relative_to(root).with_suffix("").parts
        name = parts[-2] if parts[-1] in {attribute.lower(), "__init__"} else parts[-1]
        found[name] = ".".join([package, *(part for part in parts if part != "__init__")])
    return found


@cache
def _defines(file: Path, attribute: str) -> bool:
    text = file.read_text(encoding="utf-8")
    if attribute not in text:
        return False
    for node in ast.parse(text).body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == attribute for target in targets):
            return True
    return False
