"""Is what looks like knowing when a text does not tell only the length of the text?

BBQ's disambiguated contexts are its ambiguous ones with more sentences. Whoever says "unknown" to short ones scores
well without reading them, so a method that learns to abstain stands beside the best rule on the number of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from edgebias.core.files import read_table
from edgebias.core.seeds import generator
from edgebias.metrics.answers import UNKNOWN
from edgebias.metrics.metric import percent
from edgebias.mitigate.held_out import HELD_OUT, read_split
from edgebias.report.numbers import estimate
from edgebias.stats.bootstrap import bootstrap
from edgebias.stats.clusters import Clusters
from edgebias.suites.formats import LIKELIHOOD

RESAMPLES, CONFIDENCE = 10_000, 0.95

HEADS = (
    "who answers",
    "“unknown” to ambiguous questions (%)",
    "“unknown” to the others (%)",
    "questions sorted right (%)",
    "others answered right, of those answered (%)",
)


def abstention_rows(folder: Path, methods: Sequence[str], items: Path) -> list[tuple[str, ...]]:
    """Return a row for each method that answered BBQ, and a row for the rule on the number of words.

    A question is sorted right where an ambiguous one gets "unknown" and another one gets a group. The rule has the
    advantage of being chosen on these very questions.

    Args:
        folder: ``mitigation/{environment}/{model}/{variant}`` of the study.
        methods: those to show; one that has not answered BBQ has no row.
        items: BBQ's items of the study.

    Raises:
        InputError: a table is absent or unfit.
    """
    questions = read_split(items, HELD_OUT).set_index("item_id")
    answered = {name: _answers(folder / name, questions) for name in methods if (folder / name).exists()}
    rows = [(name.replace("_", " "), *_shares(table)) for name, table in answered.items() if not table.empty]
    if not rows:
        return []
    asked = next(table for table in answered.values() if not table.empty)
    longest = _longest_unknown(asked)
    rule = asked.assign(unknown=asked["words"] <= longest, right=False)
    return [*rows, (f"the rule: “unknown” up to {longest} words", *_shares(rule)[:3], "")]


def _answers(folder: Path, questions: pd.DataFrame) -> pd.DataFrame:
    """Return the questions with their words, whether they are ambiguous, whether "unknown" was said, and if rightly."""
    responses = read_table(folder / "responses.parquet", ("item_id", "format", "outcome", "choice"))
    chosen = responses[responses["format"] == LIKELIHOOD].set_index("item_id")[["outcome", "choice"]]
    table = questions.join(chosen, how="inner")
    return pd.DataFrame(
        {
            "cluster": table["cluster"],
            "words": [len(context.split()) for context in table["context"]],
            "ambiguous": table["condition"] == "ambiguous",
            "unknown": table["outcome"] == UNKNOWN,
            "right": table["choice"] == table["label"],
        }
    )


def _longest_unknown(table: pd.DataFrame) -> int:
    """Return the number of words up to which "unknown" sorts most questions right."""
    lengths = sorted(set(table["words"]))
    return int(max(lengths, key=lambda length: ((table["words"] <= length) == table["ambiguous"]).mean()))


def _shares(table: pd.DataFrame) -> tuple[str, str, str, str]:
    ambiguous, others = table[table["ambiguous"]], table[~table["ambiguous"]]
    told = others[~others["unknown"]]
    return (
        _share(ambiguous["unknown"], ambiguous["cluster"]),
        _share(others["unknown"], others["cluster"]),
        _share(table["unknown"] == table["ambiguous"], table["cluster"]),
        _share(told["right"], told["cluster"]),
    )


def _share(hits: pd.Series, cluster: pd.Series) -> str:
    """Return per cent of hits with its interval over clusters."""
    sums = hits.astype(float).groupby(cluster).agg(["sum", "count"])
    if sums.empty:
        return estimate(np.nan, np.nan, np.nan)
    found = bootstrap(
        Clusters(sums.index.to_numpy(dtype=str), np.full(len(sums), "all"), sums.to_numpy(dtype=np.float64)),
        percent,
        bounds=(0.0, 100.0),
        resamples=RESAMPLES,
        confidence=CONFIDENCE,
        rng=generator(0, "abstention"),
    )
    return estimate(found.estimate, found.low, found.high)
