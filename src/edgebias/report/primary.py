"""Which metric stands for a suite in figures and sentences.

Each suite names it, before any result: the graded bias score where a backend gives log-probabilities, otherwise the one
that can be had from generated letters, as a chat endpoint returns no log-probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from edgebias.suites.registry import SUITES


def score_panels(suites: Sequence[str]) -> list[tuple[str, str]]:
    """Return (suite, metric) of each panel of the figure of scores.

    Our own suites first, then in the order of the study.
    """
    entries = [SUITES.get(suite) for suite in suites]
    entries.sort(key=lambda suite: not suite.own_files)
    return [(suite.name, metric) for suite in entries for metric in suite.panels]


def candidates(suite: str) -> list[tuple[str, str]]:
    """Return the (format, metric) pairs that may stand for ``suite``, best first."""
    return list(SUITES.get(suite).primary)


def primary_metric(suite: str, table: pd.DataFrame) -> tuple[str, str] | None:
    """Return the best (format, metric) of ``suite`` for which ``table`` has a defined overall estimate, or None."""
    rows = table[(table["suite"] == suite) & table["estimate"].notna()]
    present = set(zip(rows["format"], rows["metric"], strict=True))
    return next((pair for pair in candidates(suite) if pair in present), None)


def primary_contrasts(suite: str, contrasts: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each pair of cells: the best (format, metric) for which the difference is defined."""
    rank = {pair: position for position, pair in enumerate(candidates(suite))}
    rows = contrasts[(contrasts["suite"] == suite) & contrasts["difference"].notna()]
    ranks = [rank.get((str(row["format"]), str(row["metric"])), len(rank)) for _, row in rows.iterrows()]
    ranked = rows.assign(_rank=ranks)
    ranked = ranked[ranked["_rank"] < len(rank)].sort_values("_rank", kind="stable")
    return ranked.drop_duplicates(["cell_a", "cell_b"]).drop(columns="_rank")


def ideal_of(scores: pd.DataFrame, suite: str, metric: str) -> float:
    """Return the ideal value of a metric as its score table states it; NaN where the table has none."""
    found = scores[(scores["suite"] == suite) & (scores["metric"] == metric)]["ideal"].dropna()
    return float(found.iloc[0]) if len(found) else math.nan
