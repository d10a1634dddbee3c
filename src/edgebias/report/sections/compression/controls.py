"""Controls that do not read, beside the full build: what a model can have without reading is no evidence of trust."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from edgebias.report.data import StudyData
from edgebias.report.numbers import ABSENT, estimate, number
from edgebias.report.table import Table, title_of, value_of
from edgebias.report.trust import BLIND, Build, Reached, builds_of, measured, name_of, reached, rows_of, rows_of_build
from edgebias.score.trust.controls import CANNOT_WIN, CONTROLS
from edgebias.suites.registry import SUITES


def control_sentences(study: StudyData) -> list[str]:
    """Return which controls reach the full build, for each model and dimension in which one does."""
    grouped: dict[tuple[str, str, str], list[Reached]] = {}
    for one in reached(study):
        grouped.setdefault((one.environment, one.model, one.suite), []).append(one)
    several, names = len({key[:2] for key in grouped}) > 1, measured(study)
    said = []
    for ones in grouped.values():
        first = ones[0]
        who = f" of {first.environment} {first.model}" if several else ""
        name = name_of(first.dimension, first.suite, names)
        full = estimate(first.full, first.low, first.high)
        above, within = ([one for one in ones if one.beats == beats] for beats in (True, False))
        said.append(
            f"{name.capitalize()}: the full build{who} has {full} ({first.form})."
            f"{_listed('Above its interval', above)}{_listed('Within its interval', within)}"
        )
    return said


def _listed(head: str, controls: Sequence[Reached]) -> str:
    told = (
        f"\N{LEFT DOUBLE QUOTATION MARK}{one.control}\N{RIGHT DOUBLE QUOTATION MARK} ({number(one.trust)})"
        for one in controls
    )
    return f" {head}: {', '.join(told)}." if controls else ""


def control_table(study: StudyData) -> Table:
    """Return the full build of each model beside the controls, and what the items are beside the paper's."""
    controls = study.trust["trust_controls"]
    rows = rows_of(study, main=False)
    full = [build for build in builds_of(study) if build.is_full]
    listed = []
    for dimension, suite in measured(study):
        of_suite = rows[rows["suite"] == suite]
        for form in dict.fromkeys(of_suite["format"]):
            same = controls[(controls["suite"] == suite) & (controls["format"] == form)].set_index("control")
            trust = [_trust_of(build, of_suite[of_suite["format"] == form]) for build in full]
            least = min((reach for _, reach in trust if math.isfinite(reach)), default=math.inf)
            listed.append(
                (
                    dimension,
                    f"{title_of(suite)} ({form})",
                    SUITES.get(suite).fidelity or ABSENT,
                    *(text for text, _ in trust),
                    *(_control(same, name, least) for name in CONTROLS),
                )
            )
    heads = [
        f"Full build{f' of {build.environment} {build.model}' if len(full) > 1 else ''} [low, high]" for build in full
    ]
    return Table(
        f"Trust of the full build, 0 to 100, beside controls that do not read. {BLIND}: reaches or beats a full build",
        ("Dimension", "Suite (format)", "What its items are", *heads, *(name.capitalize() for name in CONTROLS)),
        tuple(listed),
        frozenset(range(3 + len(full), 3 + len(full) + len(CONTROLS))),
        unbroken=frozenset(range(3, 3 + len(full))),
    )


def _trust_of(build: Build, rows: pd.DataFrame) -> tuple[str, float]:
    """Return the trust of a full build as text, and what a control must have to reach it."""
    mine = rows_of_build(rows, build)
    if mine.empty:
        return ABSENT, math.nan
    trust, low, high = (value_of(mine.iloc[0][name]) for name in ("trust", "low", "high"))
    return estimate(trust, low, high), low if math.isfinite(low) else trust


def _control(controls: pd.DataFrame, name: str, least: float) -> str:
    if name not in controls.index:
        return ABSENT
    trust = value_of(controls.loc[name, "trust"])
    if not math.isfinite(trust):
        return CANNOT_WIN
    return f"{number(trust)} {BLIND}" if trust >= least else number(trust)
