"""The headline numbers for ``dvc metrics show`` and the tidy tables for ``dvc plots show``."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from edgebias.report.answer import held_out, reductions
from edgebias.report.primary import primary_contrasts, primary_metric
from edgebias.report.study import OUTCOMES, Study


def headline_metrics(study: Study) -> dict[str, Any]:
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
            f"{row['environment']}/{row['variant']}" if not study.several_models else _key(row): _round(row["estimate"])
            for _, row in rows.iterrows()
        }
        metrics["coverage"][suite] = _round(rows["coverage"].min())
        for _, row in primary_contrasts(suite, study.contrasts, study.scores).iterrows():
            kind = metrics["difference"].setdefault(str(row["kind"]), {}).setdefault(f"{suite}.{row['metric']}", {})
            kind[f"{row['cell_a']} minus {row['cell_b']}"] = _round(row["difference"])
    for reduction in reductions(study):
        metrics["mitigation"][reduction.method.replace(" ", "_")] = {
            "before": _round(reduction.before),
            "after": _round(reduction.after),
            "verdict": reduction.verdict,
            "relative_reduction_percent": _round(100 * reduction.relative_bias),
        }
    for model, record in study.parity.items():
        metrics["parity"][model] = {
            "passed": record.get("passed"),
            "smallest_agreement": _round(
                min((s["agreement"] for s in record.get("suites", {}).values()), default=None)
            ),
        }
    metrics["paper_readings"] = paper_readings(study)
    return metrics


def paper_readings(study: Study) -> dict[str, Any]:
    """Our values of what the paper prints, where it can be read so: generated answers, stereotype rate.

    ``paper_models_ran`` says whether Llama-2 stood at the edge and other models elsewhere, as in arXiv:2502.11349.
    """
    readings: dict[str, Any] = {
        "paper_models_ran": "llama-2" in study.builds["edge"].model.lower()
        and study.builds["edge"].model not in {study.builds["desktop"].model, study.builds["cloud"].model},
        "excess_desktop": None,
        "excess_cloud": None,
    }
    for entry in study.headline.get("relative_excess", []):
        for name in ("desktop", "cloud"):
            if (entry["reference"], entry["format"], entry["reading"]) == (
                study.builds[name].path,
                "letter",
                "stereotype_rate",
            ):
                readings[f"excess_{name}"] = _round(entry["excess_percent"])
    return readings


def plot_tables(study: Study) -> dict[str, pd.DataFrame]:
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
        rows = held_out(study.mitigation)
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


def _round(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return round(float(value), 4) if value is not None and math.isfinite(float(value)) else None
