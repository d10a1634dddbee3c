"""How far two backends that run the same weights differ in what they answer to the same items."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.checks.prompts import PromptParity
from edgebias.checks.settings import Tolerances
from edgebias.core.errors import InputError
from edgebias.core.files import read_table
from edgebias.suites.formats import LETTER, LIKELIHOOD

COLUMNS = ("item_id", "format", "template", "option_logprobs", "n_tokens", "choice")


@dataclass(frozen=True)
class SuiteParity:
    """What one suite shows in one format; differences in nats over all options of its ``n_items`` items.

    Attributes:
        agreement: share of items with the same preferred option; in ``letter`` also with the same letter read, where
            both wrote one. Letters that are nearer than a rounding may be are the same.
        n_texts_differ: items to which the two wrote other texts; 0 in ``likelihood``, where nothing is written.
        first_text: the first of them by identifier, and both texts; None where there is none.
    """

    suite: str
    n_items: int
    n_options: int
    max_abs_difference: float
    p99_abs_difference: float
    mean_abs_difference: float
    agreement: float
    n_token_counts_differ: int
    n_texts_differ: int = 0
    first_text: dict[str, str] | None = None


def compare_files(llama: Path, torch: Path) -> SuiteParity:
    """Compare the likelihood rows of two response tables of one suite; the suite's name is that of the file.

    Raises:
        InputError: a table is unfit, or the two do not hold the same items.
    """
    if llama.stem != torch.stem:
        raise InputError(f"--torch {torch}: stands where suite {llama.stem!r} of --llama does; give both in one order")
    left, right = _pair(llama, torch, LIKELIHOOD)
    return compare_tables(left, right, llama.stem)


def compare_letters(llama: Path, torch: Path, near: float) -> SuiteParity:
    """Compare the letter rows of two response tables of one suite.

    Args:
        llama: table of llama.cpp.
        torch: that of transformers.
        near: nats within which two letters of one item are as likely as each other. A greedy text takes one of them, so
            that a rounding decides which; how many texts differ is told beside the agreement, and fails nothing.

    Raises:
        InputError: a table is unfit, or the two do not hold the same items.
    """
    left, right = _pair(llama, torch, LETTER)
    same = [
        _same_letter(ours, theirs, near)
        for ours, theirs in zip(left.to_dict("records"), right.to_dict("records"), strict=True)
    ]
    return replace(compare_tables(left, right, llama.stem), agreement=sum(same) / len(same))


def _same_letter(ours: Mapping[Hashable, Any], theirs: Mapping[Hashable, Any], near: float) -> bool:
    """Return whether two rows prefer the same letter, and read the same where both read one, or might by rounding."""
    tables = [np.asarray(row["option_logprobs"], dtype=np.float64) for row in (ours, theirs)]
    pairs = [tuple(int(values.argmax()) for values in tables)]
    if ours["choice"] >= 0 and theirs["choice"] >= 0:
        pairs.append((int(ours["choice"]), int(theirs["choice"])))
    return all(bool(abs(values[one] - values[other]) <= near) for one, other in pairs for values in tables)


def _pair(llama: Path, torch: Path, format_name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    left, right = _rows(llama, format_name), _rows(torch, format_name)
    lacking = left.index.symmetric_difference(right.index)
    if len(lacking):
        owner, other = (llama, torch) if lacking[0] in left.index else (torch, llama)
        raise InputError(f"{other}: item {lacking[0]!r} of {owner} is not in it; answer the same items in both")
    return left, right.loc[left.index]


def formats_in(llama: Path, torch: Path) -> list[str]:
    """Return the formats that either of two response tables has rows of, in the order of their names."""
    return sorted({*read_table(llama, COLUMNS)["format"], *read_table(torch, COLUMNS)["format"]})


def compare_tables(left: pd.DataFrame, right: pd.DataFrame, suite: str) -> SuiteParity:
    """Compare two tables of rows of one format with the same index.

    Raises:
        InputError: an item has another number of options or another wording in the other table, or no
            log-probabilities.
    """
    differences: list[float] = []
    token_counts = 0
    for item_id, ours, theirs in zip(left.index, left.to_dict("records"), right.to_dict("records"), strict=True):
        if len(ours["option_logprobs"]) != len(theirs["option_logprobs"]) or ours["template"] != theirs["template"]:
            raise InputError(f"suite {suite}: item {item_id!r} was asked in two ways; answer it again in both backends")
        if len(ours["option_logprobs"]) == 0:
            raise InputError(f"suite {suite}: item {item_id!r} has no log-probabilities; answer it again in both")
        delta = np.asarray(ours["option_logprobs"], dtype=np.float64) - np.asarray(theirs["option_logprobs"])
        differences.extend(np.abs(delta).tolist())
        token_counts += list(ours["n_tokens"]) != list(theirs["n_tokens"])
    texts = [
        {"item_id": str(item_id), "llama": ours, "transformers": theirs}
        for item_id, ours, theirs in zip(left.index, _texts(left), _texts(right), strict=True)
        if ours != theirs
    ]
    return SuiteParity(
        suite=suite,
        n_items=len(left),
        n_options=len(differences),
        max_abs_difference=float(np.max(differences)),
        p99_abs_difference=float(np.quantile(differences, 0.99, method="higher")),
        mean_abs_difference=float(np.mean(differences)),
        agreement=float((left["choice"].to_numpy() == right["choice"].to_numpy()).mean()),
        n_token_counts_differ=token_counts,
        n_texts_differ=len(texts),
        first_text=texts[0] if texts else None,
    )


def failures(
    suites: Sequence[SuiteParity],
    tolerances: Tolerances,
    *,
    same_tokens: bool,
    letters: Sequence[SuiteParity] = (),
    prompts: Sequence[PromptParity] = (),
) -> list[str]:
    """Return one clause for each tolerance that a suite exceeds, and for each suite whose prompts are not the same.

    NaN (an infinite log-probability) exceeds all tolerances.
    """
    clauses: list[str] = []
    named = [(suite.suite, suite) for suite in suites] + [(f"{suite.suite} as letters", suite) for suite in letters]
    for name, suite in named:
        for what, found, allowed in (
            ("max", suite.max_abs_difference, tolerances.max_abs_difference),
            ("99 % quantile of", suite.p99_abs_difference, tolerances.p99_abs_difference),
            ("mean", suite.mean_abs_difference, tolerances.mean_abs_difference),
        ):
            if not found <= allowed:
                clauses.append(f"{name}: {what} |difference| {found:.4f} > {allowed:g} nats")
        if not suite.agreement >= tolerances.min_agreement:
            clauses.append(f"{name}: agreement {suite.agreement:.4f} < {tolerances.min_agreement:g}")
        if same_tokens and suite.n_token_counts_differ:
            clauses.append(f"{name}: {suite.n_token_counts_differ} items have other token counts")
    for asked in prompts:
        if asked.first is not None:
            first = asked.first
            clauses.append(
                f"{asked.suite}: {asked.n_differ} of {asked.n_prompts} prompts have other tokens, first "
                f"{first.item_id!r} as {first.format}, {first.part}, token {first.place}: llama.cpp "
                f"{list(first.llama)}, transformers {list(first.transformers)}"
            )
    return clauses


def parity_record(
    suites: Sequence[SuiteParity],
    tolerances: Tolerances,
    failed: list[str],
    *,
    letters: Sequence[SuiteParity] = (),
    prompts: Sequence[PromptParity] = (),
) -> dict[str, Any]:
    """Return the content of the parity file."""
    return {
        "passed": not failed,
        "failures": failed,
        "tolerances": tolerances.model_dump(),
        "suites": {suite.suite: asdict(suite) for suite in suites},
        "letters": {suite.suite: asdict(suite) for suite in letters},
        "prompts": {suite.suite: asdict(suite) for suite in prompts},
    }


def _rows(path: Path, format_name: str) -> pd.DataFrame:
    table = read_table(path, COLUMNS)
    rows = table[table["format"] == format_name].set_index("item_id").sort_index()
    if rows.empty:
        raise InputError(f"{path}: no {format_name!r} rows; parity needs a suite that is asked in that format")
    if not rows.index.is_unique:
        raise InputError(f"{path}: an item has two {format_name!r} rows; run the infer stage again")
    return rows


def _texts(rows: pd.DataFrame) -> list[str]:
    return [str(text) for text in rows["text"]] if "text" in rows else [""] * len(rows)
