"""How far two backends that run the same weights differ on the same items."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.checks.settings import Tolerances
from edgebias.core.errors import InputError
from edgebias.core.files import read_table

COLUMNS = ("item_id", "format", "template", "option_logprobs", "n_tokens", "choice")
LIKELIHOOD = "likelihood"


@dataclass(frozen=True)
class SuiteParity:
    """What one suite shows; differences in nats over all options of its ``n_items`` items."""

    suite: str
    n_items: int
    n_options: int
    max_abs_difference: float
    p99_abs_difference: float
    mean_abs_difference: float
    agreement: float
    n_token_counts_differ: int


def compare_files(llama: Path, torch: Path) -> SuiteParity:
    """Compare the likelihood rows of two response tables of one suite; the suite's name is that of the file.

    Raises:
        InputError: a table is unfit, or the two do not hold the same items.
    """
    if llama.stem != torch.stem:
        raise InputError(f"--torch {torch}: stands where suite {llama.stem!r} of --llama does; give both in one order")
    left, right = _likelihood_rows(llama), _likelihood_rows(torch)
    lacking = left.index.symmetric_difference(right.index)
    if len(lacking):
        owner, other = (llama, torch) if lacking[0] in left.index else (torch, llama)
        raise InputError(f"{other}: item {lacking[0]!r} of {owner} is not in it; answer the same items in both")
    right = right.loc[left.index]
    return compare_tables(left, right, llama.stem)


def compare_tables(left: pd.DataFrame, right: pd.DataFrame, suite: str) -> SuiteParity:
    """Compare two tables of likelihood rows with the same index.

    Raises:
        InputError: an item has another number of options or another wording in the other table.
    """
    differences: list[float] = []
    token_counts = 0
    for item_id, ours, theirs in zip(left.index, left.to_dict("records"), right.to_dict("records"), strict=True):
        if len(ours["option_logprobs"]) != len(theirs["option_logprobs"]) or ours["template"] != theirs["template"]:
            raise InputError(f"suite {suite}: item {item_id!r} was asked in two ways; answer it again in both backends")
        delta = np.asarray(ours["option_logprobs"], dtype=np.float64) - np.asarray(theirs["option_logprobs"])
        differences.extend(np.abs(delta).tolist())
        token_counts += list(ours["n_tokens"]) != list(theirs["n_tokens"])
    return SuiteParity(
        suite=suite,
        n_items=len(left),
        n_options=len(differences),
        max_abs_difference=float(np.max(differences)),
        p99_abs_difference=float(np.quantile(differences, 0.99, method="higher")),
        mean_abs_difference=float(np.mean(differences)),
        agreement=float((left["choice"].to_numpy() == right["choice"].to_numpy()).mean()),
        n_token_counts_differ=token_counts,
    )


def failures(suites: list[SuiteParity], tolerances: Tolerances, *, same_tokens: bool) -> list[str]:
    """Return one clause for each tolerance that a suite exceeds; NaN (an infinite log-probability) exceeds all."""
    clauses: list[str] = []
    for suite in suites:
        for name, found, allowed in (
            ("max", suite.max_abs_difference, tolerances.max_abs_difference),
            ("99 % quantile of", suite.p99_abs_difference, tolerances.p99_abs_difference),
            ("mean", suite.mean_abs_difference, tolerances.mean_abs_difference),
        ):
            if not found <= allowed:
                clauses.append(f"{suite.suite}: {name} |difference| {found:.4f} > {allowed:g} nats")
        if not suite.agreement >= tolerances.min_agreement:
            clauses.append(f"{suite.suite}: agreement {suite.agreement:.4f} < {tolerances.min_agreement:g}")
        if same_tokens and suite.n_token_counts_differ:
            clauses.append(f"{suite.suite}: {suite.n_token_counts_differ} items have other token counts")
    return clauses


def parity_record(suites: list[SuiteParity], tolerances: Tolerances, failed: list[str]) -> dict[str, Any]:
    """Return the content of the parity file."""
    return {
        "passed": not failed,
        "failures": failed,
        "tolerances": tolerances.model_dump(),
        "suites": {suite.suite: asdict(suite) for suite in suites},
    }


def _likelihood_rows(path: Path) -> pd.DataFrame:
    table = read_table(path, COLUMNS)
    rows = table[table["format"] == LIKELIHOOD].set_index("item_id").sort_index()
    if rows.empty:
        raise InputError(f"{path}: no 'likelihood' rows; parity needs a suite that is asked in that format")
    if not rows.index.is_unique:
        raise InputError(f"{path}: an item has two 'likelihood' rows; run the infer stage again")
    return rows
