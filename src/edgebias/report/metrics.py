"""The headline numbers for ``dvc metrics show`` and the tidy tables for ``dvc plots show``."""

from __future__ import annotations

from typing import Any

import pandas as pd

from edgebias.report.data import OUTCOMES, StudyData
from edgebias.report.findings import reductions
from edgebias.report.numbers import rounded
from edgebias.report.primary import primary_contrasts, primary_metric
from edgebias.report.sections.paper import paper_readings


def headline_metrics(study: StudyData) -> dict[str, Any]:
    """Bias of each cell, differences, mitigation, parity and the smallest coverage."""
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
        metrics["parity"][model] = {
            "passed": record.get("passed"),
            "smallest_agreement": rounded(
                min((s["agreement"] for s in record.get("suites", {}).values()), default=None)
            ),
        }
    metrics["paper_readings"] = paper_readings(study)
    return metrics


def plot_tables(study: StudyData) -> dict[str, pd.DataFrame]:
    """Tidy tables by name: overall bias scores, outcomes, mitigation, layer probes and the loop's trajectory."""
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
