"""Solutions that are programs: taken out of a reply, put into the program of the item, and run in the sandbox."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from edgebias.suites import sandbox
from edgebias.suites.item import Item

RULE = "Complete the function below. Answer with the whole function in one block of Python code."
"""What tells a model how to write a solution."""

PLACE = "# what the model writes"
"""The line of an item's program that a solution takes the place of."""

_BLOCK = re.compile(r"^[ \t]*```[ \t]*[\w+-]*[ \t]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"^(?:def|class|from|import|@)\b.*|^@", re.MULTILINE)
_CALLED = re.compile(r"^check\((\w+)\)\s*\Z", re.MULTILINE)


def prepare() -> None:
    """Make the sandbox ready.

    Raises:
        InputError: it is not here, or does not keep a program in.
    """
    sandbox.prepare()


def come_to(items: Sequence[Item], texts: Sequence[str]) -> list[int | None]:
    """Return how the program of each solution ends: the place among the options; None for a text without a program.

    Raises:
        InputError: the sandbox does not run here.
    """
    found = [program_of(text, _CALLED.findall(item.options[0])[-1]) for item, text in zip(items, texts, strict=True)]
    whole = [
        item.options[0].replace(f"\n{PLACE}\n", f"\n{program}\n\n\n", 1)
        for item, program in zip(items, found, strict=True)
        if program is not None
    ]
    ends = iter([sandbox.OUTCOMES.index(end) for end in sandbox.run_programs(whole)])
    return [None if program is None else next(ends) for program in found]


def program_of(text: str, function: str) -> str | None:
    """Return the program of a reply: the block of code that defines ``function``, else the first block.

    Without blocks it is what begins with a definition or an import, up to where it is no Python any more. A body
    without its ``def`` continues the signature. None where there is no code.
    """
    blocks = [block for block in _BLOCK.findall(text) if block.strip()]
    defined = re.compile(rf"^[ \t]*(?:async )?def {re.escape(function)}\b", re.MULTILINE)
    if blocks:
        return str(next((block for block in blocks if defined.search(block)), blocks[0]))
    begins = _CODE.search(text)
    if begins is None or not defined.search(text):
        return None
    lines = text[begins.start() :].splitlines()
    return next((part for n in range(len(lines), 0, -1) if _is_python(part := "\n".join(lines[:n]))), None)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True
