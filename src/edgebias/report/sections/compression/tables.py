"""Tables of trust over builds: every score beside what was not answered, what trust goes with, and its seeds."""

from __future__ import annotations

import math

import pandas as pd

from edgebias.report.data import StudyData
from edgebias.report.numbers import ABSENT, brackets, estimate, number, p_number, percent, signed, signed_estimate
from edgebias.report.table import Table, title_of, value_of
from edgebias.report.trust import (
    BLIND,
    between_seeds,
    builds_of,
    called,
    judged,
    measured,
    name_of,
    panels_of,
    rows_of,
    rows_of_build,
)
from edgebias.suites.registry import SUITES


def trust_table(study: StudyData) -> Table:
    """Return every row of trust with what was not answered, and the difference from the full build."""
    builds = builds_of(study)
    several = len(panels_of(builds)) > 1
    rows = rows_of(study, main=False)
    verdict = {(one.build.key, one.suite, one.form): one for one in judged(study)}
    listed = []
    for dimension, suite in measured(study):
        for build in builds:
            for _, row in rows_of_build(rows[rows["suite"] == suite], build).iterrows():
                one = verdict.get((build.key, suite, str(row["format"])))
                listed.append(
                    (
                        dimension,
                        f"{title_of(suite)} ({row['format']})",
                        SUITES.get(suite).fidelity or ABSENT,
                        called(build, several),
                        estimate(value_of(row["trust"]), value_of(row["low"]), value_of(row["high"])),
                        brackets(value_of(row["bound_low"]), value_of(row["bound_high"])),
                        percent(value_of(row["coverage"])),
                        *(number(value_of(row[name])) for name in ("refusal", "unparsed", "blank")),
                        _difference(row),
                        p_number(value_of(row["p_corrected"])),
                        number(value_of(row["minimum_detectable_effect"])),
                        *(_share(row, name) for name in ("changed", "newly_worse")),
                        f"{one.verdict}{f' {BLIND}' if one.is_void else ''}" if one is not None else ABSENT,
                    )
                )
    return Table(
        "Trust of every build, 0 to 100, and its difference from the full build on the same items. Refused, not read "
        f"and blank in per cent of the responses. {BLIND}: a control has as much, so that kept trust proves nothing",
        (
            *("Dimension", "Suite (format)", "What its items are", "Build", "Trust [low, high]", "Worst to best case"),
            *("Usable", "Refused", "Not read", "Blank", "Difference [low, high]", "Corrected p", "Detectable"),
            *("Changed answers", "Newly worse", "Verdict"),
        ),
        tuple(listed),
        frozenset({6, 7, 8, 9, 11, 12}),
        unbroken=frozenset({4, 5, 10, 13, 14}),
    )


def _difference(row: pd.Series) -> str:
    value, low, high = (value_of(row[name]) for name in ("difference", "difference_low", "difference_high"))
    return signed_estimate(value, low, high) if math.isfinite(value) else ABSENT


def _share(row: pd.Series, name: str) -> str:
    value, low, high = (value_of(row[end]) for end in (name, f"{name}_low", f"{name}_high"))
    worse = f" {row['worse']}" if name == "newly_worse" else ""
    return f"{number(value)} {brackets(low, high)}{worse}" if math.isfinite(value) else ABSENT


def correlation_table(study: StudyData) -> Table:
    """Return what trust goes with over the builds of each model."""
    rows = study.trust["trust_correlations"]
    rows = rows[rows["rho"].notna()]
    return Table(
        "Spearman's correlation over builds, as if builds were independent; none is given of fewer than five builds",
        ("Model", "Dimension", "Suite (format)", "With", "Correlation [low, high]", "Builds"),
        tuple(
            (
                f"{row['environment']} {row['model']}",
                str(row["dimension"]),
                f"{title_of(str(row['suite']))} ({row['format']})",
                str(row["against"]),
                signed_estimate(value_of(row["rho"]), value_of(row["low"]), value_of(row["high"]), 2),
                number(int(row["n_builds"])),
            )
            for _, row in rows.iterrows()
        ),
        frozenset({5}),
        unbroken=frozenset({4}),
    )


def seed_table(study: StudyData) -> Table:
    """Return the spread between builds that differ in their calibration seed alone."""
    names = measured(study)
    return Table(
        "Builds that differ in their seed alone: standard deviation of trust between seeds, beside the mean effect",
        ("Recipe", "Builds", "Dimension", "Trust, mean", "Between seeds (SD)", "Range", "Difference from full, mean"),
        tuple(
            (
                f"{row['environment']} {row['model']}: {row['recipe']}",
                ", ".join(row["builds"]),
                name_of(row["dimension"], row["suite"], names),
                number(row["trust"]),
                number(row["deviation"]),
                f"{number(row['least'])} to {number(row['most'])}",
                signed(row["difference"]),
            )
            for row in between_seeds(study)
        ),
        frozenset({3, 4, 6}),
    )
