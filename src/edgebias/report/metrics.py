"""The headline numbers for ``dvc metrics show`` and the tidy tables for ``dvc plots show``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.core.files import write_csv, write_json
from edgebias.infer.outcome import OUTCOMES
from edgebias.mitigate.reductions import overview
from edgebias.report.data import (
    CELL,
    DAMAGE_COLUMNS,
    DECOMPOSITION_COLUMNS,
    INHERITANCE_COLUMNS,
    MISALIGNMENT_COLUMNS,
    PERSONALISATION_COLUMNS,
    WINS_BACK_COLUMNS,
    StudyData,
)
from edgebias.report.findings import Reduction, broken_builds, cell_name, reductions
from edgebias.report.numbers import rounded
from edgebias.report.primary import primary_contrasts, primary_metric
from edgebias.report.sections.compression.controls import control_sentences
from edgebias.report.sections.compression.paper import paper_sentences
from edgebias.report.sections.environments import panels_of
from edgebias.report.sections.paper import paper_readings
from edgebias.report.sections.ran import MACHINE, what_ran
from edgebias.report.trust import judged, records_of

KEY = ("suite", "format", "metric")
SCORE = ("estimate", "low", "high", "ideal")
FLIP = ("kind", "cell_a", "cell_b", "suite", "format", "changed", "low", "high", "towards", "away")
CONTRAST = (
    *("kind", "cell_a", "cell_b", *KEY, "difference", "low", "high"),
    *("p_corrected", "minimum_detectable_effect"),
)


def write_metrics(study: StudyData, path: Path) -> None:
    """Write the headline numbers to ``path`` (JSON), and the tables of DVC's plots to ``plots`` beside it (CSV)."""
    for name, table in plot_tables(study).items():
        write_csv(table, path.parent / "plots" / f"{name}.csv", sort_by=list(table.columns))
    write_json(headline_metrics(study), path)


def headline_metrics(study: StudyData) -> dict[str, Any]:
    """Return the bias of each cell, differences, mitigation, parity and the smallest coverage."""
    metrics: dict[str, Any] = {"bias": {}, "difference": {}, "mitigation": {}, "parity": {}, "coverage": {}}
    for suite in study.suites:
        chosen = primary_metric(suite, study.scores)
        if chosen is None:
            continue
        form, metric = chosen
        rows = _overall(study.scores, suite, metric)
        rows = rows[rows["format"] == form]
        name = f"{suite}.{metric}"
        metrics["bias"][name] = {
            f"{row['environment']}/{row['variant']}" if not study.several_models else _key(row): rounded(
                row["estimate"]
            )
            for _, row in rows.iterrows()
        }
        metrics["coverage"][suite] = rounded(rows["coverage"].min())
        for _, row in primary_contrasts(suite, study.contrasts, study.scores).iterrows():
            kind = metrics["difference"].setdefault(str(row["kind"]), {}).setdefault(f"{suite}.{row['metric']}", {})
            kind[f"{row['cell_a']} minus {row['cell_b']}"] = rounded(row["difference"])
    for reduction in reductions(study):
        metrics["mitigation"][reduction.method.replace(" ", "_")] = {
            "before": rounded(reduction.before),
            "after": rounded(reduction.after),
            "verdict": reduction.verdict,
            "relative_reduction_percent": rounded(100 * reduction.relative_bias),
        }
    for model, record in study.parity.items():
        agreements = [
            values["agreement"] for formats in study.arithmetic[model].values() for values in formats.values()
        ]
        metrics["parity"][model] = {
            "passed": record["passed"],
            "smallest_agreement": rounded(min(agreements, default=None)),
        }
    metrics["paper_readings"] = paper_readings(study)
    metrics["findings"] = _findings(study)
    return metrics


def _findings(study: StudyData) -> dict[str, Any]:
    """Return what the pages of the results are written from.

    Scores, differences and reductions, each with its interval.

    It has nothing of one machine: the same study gives the same findings wherever it ran.
    """
    panels = panels_of(study)
    overall = study.scores[study.scores["category"] == "all"]
    shown = [pair in panels for pair in zip(overall["suite"], overall["metric"], strict=True)]
    methods = study.mitigation[study.mitigation["category"] == "all"]
    known = overview()
    told = [key in known for key in zip(*(methods[name] for name in KEY), strict=True)]
    contrasts = pd.concat([primary_contrasts(suite, study.contrasts, study.scores) for suite in study.suites])
    return {
        "title": study.title,
        "several_models": study.several_models,
        "ran": [list(line) for line in what_ran(study) if line[0] != MACHINE],
        "cells": [{**vars(cell), "label": study.label(cell)} for cell in study.cells],
        "panels": [list(panel) for panel in panels],
        "scores": _records(overall.loc[shown], (*CELL, *KEY, *SCORE, "n", "coverage")),
        "contrasts": _named(_records(contrasts, CONTRAST), study),
        "flips": _named(_records(study.flips, FLIP), study),
        "decomposition": _records(study.decomposition, DECOMPOSITION_COLUMNS),
        "reductions": [_reduction_record(reduction) for reduction in reductions(study)],
        "methods": _records(methods.loc[told], ("method", *KEY, *SCORE)),
        "broken_builds": broken_builds(study),
        **({"trust": _trust(study)} if study.trust else {}),
        **({"personalisation": _personalisation(study)} if study.personalisation else {}),
        **({"damage": _damage(study)} if study.damage else {}),
        **({"inheritance": _inheritance(study)} if study.inheritance else {}),
        **({} if study.wins_back.empty else {"wins_back": _records(study.wins_back, WINS_BACK_COLUMNS)}),
    }


def _trust(study: StudyData) -> dict[str, Any]:
    """Return what the chapter on trust says, and the differences that its picture shows."""
    return {
        "differences": records_of(judged(study)),
        "controls": control_sentences(study),
        "printed": paper_sentences(study.trust_paper),
    }


def _personalisation(study: StudyData) -> dict[str, Any]:
    """Return the tables that the chapter on who asks is written from."""
    return {name: _records(study.personalisation[name], columns) for name, columns in PERSONALISATION_COLUMNS.items()}


def _damage(study: StudyData) -> dict[str, Any]:
    """Return the tables that the chapter on damaged pre-training is written from."""
    return {name: _records(study.damage[name], columns) for name, columns in DAMAGE_COLUMNS.items()}


def _inheritance(study: StudyData) -> dict[str, Any]:
    """Return the tables that the chapter on self-written data is written from."""
    known = {**INHERITANCE_COLUMNS, **MISALIGNMENT_COLUMNS}
    return {name: _records(table, known[name]) for name, table in study.inheritance.items()}


def _named(records: Sequence[dict[str, Any]], study: StudyData) -> list[dict[str, Any]]:
    """Return records of comparisons with the names of their cells, as a reader sees them."""
    return [
        record | {name: cell_name(record[name], study.several_models) for name in ("cell_a", "cell_b")}
        for record in records
    ]


def _reduction_record(reduction: Reduction) -> dict[str, Any]:
    record = {name: value if isinstance(value, str) else rounded(value) for name, value in vars(reduction).items()}
    return {**record, "relative": rounded(reduction.relative_bias), "verdict": reduction.verdict}


def _records(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows as JSON takes them: numbers rounded, None of what is undefined."""
    return [
        {str(name): value if isinstance(value, str) else rounded(value) for name, value in record.items()}
        for record in table[list(columns)].to_dict("records")
    ]


def plot_tables(study: StudyData) -> dict[str, pd.DataFrame]:
    """Return the tidy tables by name.

    Overall bias scores, outcomes, mitigation, layer probes and the loop's trajectory.
    """
    parts = []
    for suite in study.suites:
        chosen = primary_metric(suite, study.scores)
        if chosen is not None:
            parts.append(_overall(study.scores, suite, chosen[1]))
    columns = ["environment", "model", "variant", "suite", "format", "metric", "estimate", "low", "high", "ideal"]
    tables = {
        "scores": pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns),
        "outcomes": study.outcomes.melt(
            id_vars=["environment", "model", "variant", "suite", "format"],
            value_vars=list(OUTCOMES),
            var_name="outcome",
            value_name="responses",
        ),
    }
    if not study.mitigation.empty:
        rows = study.mitigation
        tables["mitigation"] = rows[rows["category"] == "all"][
            ["method", "suite", "format", "metric", "estimate", "low", "high", "ideal"]
        ]
    if not study.layer_probes.empty:
        tables["layer_probes"] = study.layer_probes[
            ["environment", "model", "variant", "layer", "target", "accuracy", "low", "high"]
        ]
    if not study.trajectory.empty:
        numbers = study.trajectory.select_dtypes("number")
        tables["trajectory"] = pd.concat([study.trajectory["loop"], numbers], axis="columns")
    return tables


def _overall(scores: pd.DataFrame, suite: str, metric: str) -> pd.DataFrame:
    return scores[(scores["suite"] == suite) & (scores["metric"] == metric) & (scores["category"] == "all")]


def _key(row: pd.Series) -> str:
    return f"{row['environment']}/{row['model']}/{row['variant']}"
