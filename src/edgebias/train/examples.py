"""Tables of training examples: a prompt and its response, or a prompt with a chosen and a rejected answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebias.core.errors import InputError, one_line
from edgebias.core.table import FILLED, Column, Relation, Table, one_of

if TYPE_CHECKING:
    import pandas as pd

TRAIN, HELD_OUT = "train", "held_out"

ORIGINAL, AUGMENTED = "original", "augmented"

PLACE = "of the user's own"
"""Where such tables lie."""

_SHOWN = (
    Column("system", "str", "the system prompt before it; empty for none, and the column may be left out"),
    Column("prompt", "str", "what the model is shown; empty where a plain text begins with the response"),
)
_ENDS = (
    Column("cluster", "str", "what must not be split: examples that share a template, a person or a text", rule=FILLED),
    Column("split", "str", "whether it is trained on, or measures the held-out loss", rule=one_of((TRAIN, HELD_OUT))),
)

ORIGIN = Column(
    "origin", "str", "whether it is original or a model wrote it (augmented)", rule=one_of((ORIGINAL, AUGMENTED))
)
"""A column that examples of supervised fine-tuning may have, and must have where `TrainSettings.align` is above 0."""

EXAMPLE = Table(
    name="training example",
    meaning="An example of supervised fine-tuning (objective response): a row is a prompt and its response.",
    path=PLACE,
    columns=(*_SHOWN, Column("response", "str", "what the model learns to write", rule=FILLED), *_ENDS),
    order=("split", "cluster", "system", "prompt", "response"),
)

PREFERENCE = Table(
    name="preference",
    meaning="An example of preference tuning (objective preference): a row is a prompt and two answers.",
    path=PLACE,
    columns=(
        *_SHOWN,
        Column("chosen", "str", "the answer that becomes likelier", rule=FILLED),
        Column("rejected", "str", "the answer that becomes less likely", rule=FILLED),
        *_ENDS,
    ),
    order=("split", "cluster", "system", "prompt", "chosen", "rejected"),
    relations=(
        Relation("two different answers", ("chosen", "rejected"), lambda table: table["chosen"] != table["rejected"]),
    ),
)

TABLE_OF: Mapping[str, Table] = {"response": EXAMPLE, "preference": PREFERENCE}
"""By the objective."""

ANSWERS: Mapping[str, tuple[str, ...]] = {"response": ("response",), "preference": ("chosen", "rejected")}
"""Columns of what the model writes, by the objective."""

SUFFIXES = (".jsonl", ".json", ".parquet")


def read_examples(path: Path, objective: str, *, origins: bool = False) -> pd.DataFrame:
    """Read and check a table of examples.

    Columns that are not declared are left out; whole numbers of ``cluster`` become text.

    Args:
        path: of the table.
        objective: a key of `TABLE_OF`.
        origins: whether it must have the column `ORIGIN`, and training examples of both kinds.

    Returns:
        the declared columns in their order, the rows in that of the file.

    Raises:
        InputError: the file is absent or cannot be read, a column is missing, a value is bad, a split has no row, or a
            cluster is in both splits.
    """
    table = TABLE_OF[objective]
    if origins:
        table = replace(table, columns=(*table.columns, ORIGIN))
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the table of training examples in `train.data`")
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: {path.suffix or 'no suffix'} is none of {', '.join(SUFFIXES)}; rename or convert it")
    found = _parquet(path) if path.suffix == ".parquet" else _json_lines(path)
    needed = [name for name in table.names if name != "system"]
    missing = [name for name in needed if name not in found.columns]
    if missing:
        raise InputError(
            f"{path}: column {missing[0]!r} is missing; objective {objective} needs {', '.join(needed)}, and the "
            f"file has {', '.join(map(str, found.columns)) or 'none'}"
        )
    if "system" not in found.columns:
        found = found.assign(system="")
    found = found[list(table.names)]
    if found["cluster"].map(lambda value: isinstance(value, int)).all():
        found = found.assign(cluster=found["cluster"].map(str))
    table.check(found, path, "; mend the file")
    for split in (TRAIN, HELD_OUT):
        if not (found["split"] == split).any():
            raise InputError(f"{path}: no row has split {split!r}; mark whole clusters of rows as such")
    if origins and (lacking := {ORIGINAL, AUGMENTED} - set(found["origin"][found["split"] == TRAIN])):
        raise InputError(
            f"{path}: no row of split {TRAIN!r} has origin {min(lacking)!r}, and train.align needs both; leave it out"
        )
    both = set(found["cluster"][found["split"] == TRAIN]) & set(found["cluster"][found["split"] == HELD_OUT])
    if both:
        raise InputError(
            f"{path}: cluster {min(both)!r} is both trained on and held out, so that the held-out loss would not see "
            "what is new; give all its rows one split"
        )
    return found


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as parquet ({one_line(error, 200)}); write it again") from error


def _json_lines(path: Path) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({one_line(error, 200)}); write it again") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: line {number} is no JSON ({error}); write one object a line") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}: line {number} is a {type(row).__name__}, not an object with the columns as keys")
        rows.append(row)
    return pd.DataFrame(rows)
