"""What parsing a source file finds, remembered by the file's content: a process parses only what no other one has."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from edgebias.core.files import write_text

MOST_REMEMBERED = 2000
"""Files, about ten times those of the package: versions of some edits."""

_THIS = Path(__file__).read_bytes()
"""Another way of parsing has other findings, so it is part of what they are remembered by."""

_FILE_NAME = re.compile(r"[\w-][\w.-]{0,80}")


class Parsed(NamedTuple):
    """A parsed source file.

    Attributes:
        digest: SHA-256 of its syntax tree without docstrings, comments, help of options and layout.
        imports: dotted names that it may import, also inside functions.
        strings: its texts that could name a file or a folder.
    """

    digest: str
    imports: tuple[str, ...]
    strings: tuple[str, ...]


@cache
def parsed(path: Path) -> Parsed:
    """Parse a source file, once in a process and once for each content.

    Raises:
        SyntaxError: it is not Python.
    """
    source = path.read_bytes()
    key = hashlib.sha256(_THIS + source).hexdigest()
    known = _remembered()
    if key not in known:
        known[key] = _parse(source)
        _remember(known)
    return known[key]


@cache
def _remembered() -> dict[str, Parsed]:
    try:
        stored = json.loads(_store().read_text(encoding="utf-8"))
        return {key: Parsed(digest, tuple(imports), tuple(strings)) for key, (digest, imports, strings) in stored}
    except (OSError, ValueError, TypeError, RuntimeError):
        return {}


def _remember(known: dict[str, Parsed]) -> None:
    try:
        write_text(json.dumps(list(known.items())[-MOST_REMEMBERED:]), _store())
    except (OSError, RuntimeError):
        return  # no home, or a folder that cannot be written: each process parses for itself


def _store() -> Path:
    """Return the store of what this version of the module finds under this version of Python."""
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    me = hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()
    return Path(folder, "edgebias", f"parsed-{me[:16]}.json")


def _parse(source: bytes) -> Parsed:
    tree = ast.parse(source)
    imports: set[str] = set()
    strings: set[str] = set()
    for node in ast.walk(tree):
        _drop_prose(node)
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            imports.add(node.module)
            imports.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _FILE_NAME.fullmatch(node.value):
            strings.add(node.value)
    text = _written(tree).encode("utf-8", "surrogatepass")
    return Parsed(hashlib.sha256(text).hexdigest(), tuple(sorted(imports)), tuple(sorted(strings)))


def _written(value: Any) -> str:
    """Write a syntax tree, or what a field of a node holds, the same way in every version of Python.

    `ast.unparse` takes other quotes from version to version, and `ast.dump` lists the fields that a version has, also
    where they are empty.
    """
    if isinstance(value, ast.AST):
        fields = [f"{name}={_written(held)}" for name, held in ast.iter_fields(value) if held not in (None, [])]
        return f"{type(value).__name__}({', '.join(fields)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return repr(value)


def _drop_prose(node: ast.AST) -> None:
    """Take out the help of options, and strings that stand alone as statements, which document what is before them.

    Empty parts of f-strings go, too: Python 3.12.1 ends a format with one.
    """
    if isinstance(node, ast.JoinedStr):
        node.values = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
    if isinstance(node, ast.Call):
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != "help"]
    for field in ("body", "orelse", "finalbody"):
        statements = getattr(node, field, None)
        if isinstance(statements, list):
            left = [statement for statement in statements if not _is_prose(statement)]
            if len(left) < len(statements):
                setattr(node, field, left or [ast.Pass()])


def _is_prose(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
