"""The checks as text: a summary for the terminal, tables for the documentation."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from edgebias.checks.oracle.check import ALL, Check

HEADLINE = ("accuracy_ambiguous", "accuracy_disambiguated", "sAMB", "sDIS")
"""The BBQ scores that every harness gives."""


def summary(checks: Sequence[Check]) -> str:
    """Return one line per scorer and suite, and one per score that differs for all items."""
    lines = []
    for (scorer, suite), group in _grouped(checks, "scorer", "suite").items():
        wrong = [check for check in group if not check.agrees]
        lines.append(f"{scorer}, {suite}: {len(group) - len(wrong)} of {len(group)} scores exact")
        for check in wrong:
            if check.category == ALL:
                expected, found = number(check.expected), number(check.found)
                lines.append(f"  {check.responder} {check.metric}: {found}, must be {expected}")
    return "".join(f"{line}\n" for line in lines)


def markdown(checks: Sequence[Check]) -> str:
    """Return a table of how many scores are exact, and one of the BBQ scores of every scorer over all items."""
    rows = [
        "# Scores of known responders",
        "",
        "Made by `edgebias oracle --markdown`; see [checking a scorer](../how-to/check-a-scorer.md).",
        "",
    ]
    rows += ["| scorer | suite | exact | checked |", "|---|---|---|---|"]
    for (scorer, suite), group in _grouped(checks, "scorer", "suite").items():
        rows.append(f"| {scorer} | {suite} | {sum(check.agrees for check in group)} | {len(group)} |")
    for (suite,), group in _grouped(checks, "suite").items():
        categories = sorted({check.category for check in group} - {ALL})
        rows += ["", f"Categories of {suite}: {', '.join(categories)}. All of these together:"]
    bbq = [check for check in checks if check.suite == "bbq" and check.metric in HEADLINE]
    if bbq:
        scorers = list(dict.fromkeys(check.scorer for check in bbq))
        rows += ["", "| responder | score | must be | " + " | ".join(scorers) + " |", "|---" * (3 + len(scorers)) + "|"]
        for (responder, metric), group in _grouped(bbq, "responder", "metric").items():
            cells = [_cell([check for check in group if check.scorer == scorer]) for scorer in scorers]
            expected = next(check.expected for check in group if check.category == ALL)
            rows.append(f"| {responder} | {metric} | {number(expected)} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _cell(checks: Sequence[Check]) -> str:
    """Return the score over all items, bold where wrong, and how many categories are wrong."""
    if not checks:
        return "–"
    total = next(check for check in checks if check.category == ALL)
    wrong = sum(not check.agrees for check in checks if check.category != ALL)
    value = number(total.found) if total.agrees else f"**{number(total.found)}**"
    return f"{value} ({wrong} of {len(checks) - 1} categories wrong)" if wrong else value


def number(value: float) -> str:
    """Return a score to two decimals; ``undefined`` for NaN."""
    return "undefined" if math.isnan(value) else f"{value:.2f}"


def _grouped(checks: Iterable[Check], *names: str) -> dict[tuple[str, ...], list[Check]]:
    groups: dict[tuple[str, ...], list[Check]] = defaultdict(list)
    for check in checks:
        groups[tuple(str(getattr(check, name)) for name in names)].append(check)
    return dict(groups)
