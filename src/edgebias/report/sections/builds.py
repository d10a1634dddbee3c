"""Section: the builds as found on disk, and their size and quality against bias."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgebias.core.cell import Cell
from edgebias.report.canvas import error_bars, new_canvas, series
from edgebias.report.data import StudyData, of_cell
from edgebias.report.figures import Drawing
from edgebias.report.numbers import ABSENT, number, percent
from edgebias.report.primary import ideal_of, primary_metric
from edgebias.report.section import Section
from edgebias.report.table import Table, value_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def variant_table(study: StudyData) -> Table:
    """Return what compression really did to each build, read from the file."""
    rows = tuple(
        (
            str(record["model"]),
            str(record["variant"]),
            str(record.get("requested_type", ABSENT)),
            number(value_of(record.get("bits_per_weight"))),
            number(value_of(record.get("file_bytes")) / 1e6),
            number(value_of(record.get("zstd_bytes")) / 1e6),
            percent(value_of((record.get("sparsity") or {}).get("overall")), 2),
            number(perplexity_of(record)),
            ", ".join(f"{name} ({use['tensors']})" for name, use in sorted(record.get("types", {}).items())),
            "; ".join(_replacement(item) for item in record.get("replaced", [])) or "none",
        )
        for record in study.variants
    )
    return Table(
        "Builds as found on disk",
        (
            "Model",
            "Build",
            "Type asked for",
            "Bits per weight",
            "Size (MB)",
            "Packed (MB)",
            "Zero weights",
            "Perplexity",
            "Types found (tensors)",
            "Replaced",
        ),
        rows,
        frozenset({3, 4, 5, 6, 7}),
    )


def perplexity_of(record: Mapping[str, Any]) -> float:
    """Return a build's perplexity on the neutral texts, or NaN."""
    value = record.get("perplexity")
    return value_of(value.get("value") if isinstance(value, Mapping) else None)


def _replacement(item: Mapping[str, Any]) -> str:
    family = str(item["family"]).removeprefix("blk.*.").removesuffix(".weight")
    return f"{family}: {item['found']} ({item['tensors']}, {item['reason']})"


def _variants(study: StudyData) -> Canvas | None:
    """Draw bits per weight and perplexity of each build against bias."""
    edge = study.scores[study.scores["environment"] == study.builds["edge"].environment]
    answered = {name: edge.loc[edge["suite"] == name, "variant"].nunique() for name in ("forced_choice", *study.suites)}
    suite = max(answered, key=lambda name: answered[name])
    chosen = primary_metric(suite, study.scores)
    axes_of = [column for column in ("bits_per_weight", "perplexity") if any(column in v for v in study.variants)]
    if chosen is None or not axes_of:
        return None
    canvas, panels = new_canvas(3.6 * len(axes_of) + 0.8, 3.1, len(axes_of), sharey=True)
    environment = study.builds["edge"].environment
    rows = study.scores[
        (study.scores["suite"] == suite)
        & (study.scores["format"] == chosen[0])
        & (study.scores["metric"] == chosen[1])
        & (study.scores["category"] == "all")
    ]
    drawn = 0
    for position, record in enumerate(study.variants):
        found = of_cell(rows, Cell(environment, str(record["model"]), str(record["variant"])))
        if found.empty or not math.isfinite(found.iloc[0]["estimate"]):
            continue
        drawn += 1
        row = found.iloc[0]
        for axes, column in zip(panels, axes_of, strict=True):
            value = perplexity_of(record) if column == "perplexity" else record.get(column)
            if not isinstance(value, int | float):
                continue
            axes.errorbar(
                value,
                row["estimate"],
                yerr=error_bars(row["low"], row["estimate"], row["high"]),
                label=str(record["variant"]),
                elinewidth=1.1,
                **series(position),
            )
    if not drawn:
        return None
    ideal = ideal_of(study.scores, suite, chosen[1])
    for axes, column in zip(panels, axes_of, strict=True):
        if math.isfinite(ideal):
            axes.axhline(ideal, color="#222222", linestyle="--", linewidth=1)
        axes.set_xlabel(column.replace("_", " "))
        axes.grid()
        axes.set_axisbelow(True)
    panels[0].set_ylabel(f"{chosen[1].replace('_', ' ')}\n({suite.replace('_', ' ')}, {environment})")
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    return canvas


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"variants": variant_table(study)}


DRAWINGS = (
    Drawing(
        "variants",
        "Size and quality of a build against its bias",
        "One point a build, in the edge environment. Bits per weight are those found in the file. Dashed line: ideal.",
        "Scatter plots of bits per weight and perplexity against bias; the same numbers are in the tables of builds.",
        _variants,
    ),
)
SECTION = Section("builds", "Builds", _content, DRAWINGS)
