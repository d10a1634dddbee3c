"""The page of faults quotes lines that the package really prints."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from edgebias.core.code_hash import PACKAGE

PAGE = PACKAGE.parents[1] / "docs" / "how-to" / "what-can-go-wrong.md"
QUOTED = [
    cells[2].strip()
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and len(cells := line.split("|")) > 3 and cells[2].strip().startswith("`")
]


@cache
def texts() -> str:
    """All strings of the package, one a line; what a value is put into is cut there."""
    found: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(" ".join(node.value.split()))
    return "\n".join(found)


def test_the_page_quotes_lines() -> None:
    """Every row of the tables quotes one."""
    assert len(QUOTED) > 40


@pytest.mark.parametrize("quoted", QUOTED)
def test_a_quoted_line_is_in_the_source(quoted: str) -> None:
    """A message that was reworded is reworded on the page, too."""
    match = re.fullmatch(r"`([^`]+)`", quoted)
    assert match is not None
    assert match[1] in texts()
