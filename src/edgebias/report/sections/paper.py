"""Section: beside the paper's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.report.data import StudyData
from edgebias.report.findings import cell_name, reductions
from edgebias.report.numbers import ABSENT, interval, number, percent, rounded
from edgebias.report.section import Section
from edgebias.report.table import Table, title_of, value_of


def headline_table(study: StudyData) -> Table:
    """Return the comparisons that stand beside the paper's, as this study computed them."""
    rows = []
    edge = cell_name(str(study.headline.get("edge_build", "")), study.several_models)
    for entry in study.headline.get("relative_excess", []):
        low, high = value_of(entry.get("low")), value_of(entry.get("high"))
        rows.append(
            (
                f"{number(value_of(entry['excess_percent']))} %",
                interval(low, high),
                f"Relative excess of {edge} over {cell_name(str(entry['reference']), study.several_models)}",
                f"{title_of(study.headline['suite'])}, {entry['format']}, by {_reading(entry)}",
                str(entry.get("reason") or ""),
            )
        )
    for entry in study.headline.get("over_time_relative_excess", []):
        rows.append(
            (
                f"{number(value_of(entry['excess_percent']))} %",
                ABSENT,
                f"The same over all rounds, over {cell_name(str(entry['reference']), study.several_models)}",
                f"{str(entry['mode']).capitalize()} rounds, by {_reading(entry)}",
                "too few conversations for an interval",
            )
        )
    rows += [
        (
            percent(reduction.relative_bias),
            interval(100 * reduction.relative_low, 100 * reduction.relative_high),
            f"Distance from the ideal value removed by {reduction.method}",
            f"Held-out items: {number(reduction.before)} before, {number(reduction.after)} after, ideal "
            f"{number(reduction.ideal)}",
            reduction.verdict,
        )
        for reduction in reductions(study)
    ]
    heads = ("Value", "[low, high]", "What it is", "How", "Remark")
    return Table("Computed here", heads, tuple(rows), unbroken=frozenset({1}))


def _reading(entry: Mapping[str, Any]) -> str:
    return title_of(str(entry["reading"])).lower()


def paper_table(study: StudyData) -> Table:
    """Return the numbers printed in papers, each with its place; never computed here."""
    rows = tuple(
        (
            f"{number(value_of(row['value']), 4)} {row['unit']}",
            str(row["what"]),
            f"{row['source']}, {row['section']}",
            str(row["note"]),
        )
        for _, row in study.paper.iterrows()
    )
    return Table("Printed in the paper", ("Value", "What the paper says it is", "Where", "How far it compares"), rows)


def paper_readings(study: StudyData) -> dict[str, Any]:
    """Return our values of what the paper prints, where it can be read so: generated answers, stereotype rate.

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
                readings[f"excess_{name}"] = rounded(entry["excess_percent"])
    return readings


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"paper": paper_table(study), "computed": headline_table(study)}


SECTION = Section("paper", "Beside the paper's numbers", _content)
