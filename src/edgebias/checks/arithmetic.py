"""What the number formats of an environment change: the same weights, the same items, two backends."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.files import read_table
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD, LIKELIHOOD_CHAT

COLUMNS = ("item_id", "format", "template", "option_logprobs", "n_tokens", "choice")

COMPARED = (LIKELIHOOD, LIKELIHOOD_CHAT, LETTER, LETTER_BALANCED)
"""Formats in which both backends give log-probabilities."""


@dataclass(frozen=True)
class ArithmeticDifference:
    """What one suite shows in one format; differences in nats over all options of its ``n_items`` items.

    Attributes:
        agreement: share of items with the same preferred option; in ``letter`` also with the same letter read, where
            both wrote one.
        n_texts_differ: items to which the two wrote other texts; only in ``letter`` is anything written.
        first_text: the first of them by identifier, and both texts; None where there is none.
    """

    suite: str
    format: str
    n_items: int
    n_options: int
    max_abs_difference: float
    p99_abs_difference: float
    mean_abs_difference: float
    agreement: float
    n_token_counts_differ: int
    n_texts_differ: int = 0
    first_text: dict[str, str] | None = None


def compare_responses(llama: Path, torch: Path) -> list[ArithmeticDifference]:
    """Compare two response tables of one suite in each format that has log-probabilities; the file names the suite.

    Raises:
        InputError: a table is unfit, or the two do not hold the same items, asked in the same way.
    """
    if llama.stem != torch.stem:
        raise InputError(f"--torch {torch}: stands where suite {llama.stem!r} of --llama does; give both in one order")
    left, right = read_table(llama, COLUMNS), read_table(torch, COLUMNS)
    found = []
    for name in COMPARED:
        ours, theirs = _rows(left, llama, name), _rows(right, torch, name)
        lacking = ours.index.symmetric_difference(theirs.index)
        if len(lacking):
            owner, other = (llama, torch) if lacking[0] in ours.index else (torch, llama)
            raise InputError(
                f"{other}: item {lacking[0]!r} as {name} of {owner} is not in it; answer the same items in both"
            )
        if len(ours):
            found.append(compare_tables(ours, theirs.loc[ours.index], llama.stem, name))
    if not found:
        raise InputError(f"{llama}: no rows in {' or '.join(COMPARED)}; ask the suite in one of them")
    return found


def compare_tables(left: pd.DataFrame, right: pd.DataFrame, suite: str, format_name: str) -> ArithmeticDifference:
    """Compare two tables of rows of one format with the same index.

    Raises:
        InputError: an item has another number of options or another wording in the other table, or no
            log-probabilities.
    """
    differences: list[float] = []
    token_counts = same = 0
    for item_id, ours, theirs in zip(left.index, left.to_dict("records"), right.to_dict("records"), strict=True):
        if len(ours["option_logprobs"]) != len(theirs["option_logprobs"]) or ours["template"] != theirs["template"]:
            raise InputError(f"suite {suite}: item {item_id!r} was asked in two ways; answer it again in both backends")
        if len(ours["option_logprobs"]) == 0:
            raise InputError(f"suite {suite}: item {item_id!r} has no log-probabilities; answer it again in both")
        delta = np.asarray(ours["option_logprobs"], dtype=np.float64) - np.asarray(theirs["option_logprobs"])
        differences.extend(np.abs(delta).tolist())
        token_counts += list(ours["n_tokens"]) != list(theirs["n_tokens"])
        same += _same_letter(ours, theirs) if format_name == LETTER else ours["choice"] == theirs["choice"]
    texts = [
        {"item_id": str(item_id), "llama": ours, "transformers": theirs}
        for item_id, ours, theirs in zip(left.index, _texts(left), _texts(right), strict=True)
        if ours != theirs
    ]
    return ArithmeticDifference(
        suite=suite,
        format=format_name,
        n_items=len(left),
        n_options=len(differences),
        max_abs_difference=float(np.max(differences)),
        p99_abs_difference=float(np.quantile(differences, 0.99, method="higher")),
        mean_abs_difference=float(np.mean(differences)),
        agreement=same / len(left),
        n_token_counts_differ=token_counts,
        n_texts_differ=len(texts),
        first_text=texts[0] if texts else None,
    )


def arithmetic_record(differences: Sequence[ArithmeticDifference]) -> dict[str, Any]:
    """Return the content of the file: differences by suite, then by format."""
    record: dict[str, Any] = {}
    for found in differences:
        record.setdefault(found.suite, {})[found.format] = asdict(found)
    return record


def _same_letter(ours: Mapping[Hashable, Any], theirs: Mapping[Hashable, Any]) -> bool:
    """Return whether two rows prefer the same letter, and read the same where both read one."""
    likeliest = [int(np.argmax(row["option_logprobs"])) for row in (ours, theirs)]
    read = [int(row["choice"]) for row in (ours, theirs)]
    return likeliest[0] == likeliest[1] and (min(read) < 0 or read[0] == read[1])


def _rows(table: pd.DataFrame, path: Path, format_name: str) -> pd.DataFrame:
    rows = table[table["format"] == format_name].set_index("item_id").sort_index()
    if not rows.index.is_unique:
        raise InputError(f"{path}: an item has two {format_name!r} rows; run the infer stage again")
    return rows


def _texts(rows: pd.DataFrame) -> list[str]:
    return [str(text) for text in rows["text"]] if "text" in rows else [""] * len(rows)
