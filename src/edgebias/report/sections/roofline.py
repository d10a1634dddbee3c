"""The page's roofline: each build on a Raspberry Pi as published figures allow it; a projection, no measurement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from edgebias.models.roofline.project import CONTEXT, PROMPT, attainable
from edgebias.report.canvas import COLOURS, MARKERS, new_canvas
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.numbers import number
from edgebias.report.section import Section
from edgebias.report.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

KIND_NAMES = {"f16": "16-bit weights", "int8": "8-bit products"}
LINES: Mapping[str, str] = {"f16": "--", "int8": "-"}


def projection_table(study: StudyData) -> Table:
    """Return the tokens a second and time to first token that each board's roofs allow each build, as ranges."""
    several = study.projection["model"].nunique() > 1
    rows = tuple(
        (
            f"{row['model']} {row['variant']}" if several else str(row["variant"]),
            str(row["board"]).replace("Raspberry ", ""),
            number(float(row["bits_per_weight"])),
            number(float(row["weight_bytes"]) / 1e6),
            _range(row, "generation"),
            str(row["bound_by"]),
            _range(row, "prompt"),
            _range(row, "first_token"),
        )
        for _, row in _in_order(study).iterrows()
    )
    heads = (
        "Build",
        "Board",
        "Bits per weight",
        "Weights (MB)",
        f"Generated tokens/s (context {CONTEXT})",
        "Limited by",
        "Prompt tokens/s",
        f"Seconds to first token (prompt of {PROMPT})",
    )
    caption = "PROJECTION, not measured: what published figures of the boards allow each build (lowest to highest)"
    return Table(caption, heads, rows, frozenset({2, 3, 4, 6, 7}))


def check_table(study: StudyData) -> Table:
    """Return the published speeds of language models on the boards beside what the same roofs allow those models."""
    rows = []
    roofs = study.projection.drop_duplicates("board").set_index("board")
    published = study.hardware[(study.hardware["use"] == "published") & study.hardware["board"].isin(roofs.index)]
    for _, row in published.iterrows():
        roof, size = roofs.loc[row["board"]], float(row["model_gb"])
        low, high = float(roof["bandwidth_low"]) / size, float(roof["bandwidth_high"]) / size
        rate = float(row["value"])
        rows.append(
            (
                str(row["board"]),
                str(row["how"]),
                number(size),
                number(rate),
                f"{number(low)} to {number(high)}",
                f"{number(100 * rate / high, 2)} to {number(100 * rate / low, 2)} %",
                f"{row['source']} ({row['date']})",
            )
        )
    heads = (
        "Board",
        "What ran",
        "Model (GB)",
        "Generated tokens per second (published)",
        "Projected",
        "Published in % of projected",
        "Source",
    )
    caption = "Does it hold? Published speeds of other models beside the same projection"
    return Table(caption, heads, tuple(rows), frozenset({2, 3, 4, 5}))


def source_table(study: StudyData) -> Table:
    """Return every figure that the projection rests on, with its source."""
    rows = tuple(
        (
            str(row["board"]),
            str(row["quantity"]).replace("_", " ") + ("" if row["weights"] == "any" else f", {row['weights']}"),
            f"{number(float(row['value']))} {row['unit']}",
            str(row["kind"]),
            str(row["how"]),
            f"{row['source']}, {row['address']} ({row['date']})",
        )
        for _, row in study.hardware.iterrows()
    )
    return Table("Published figures", ("Board", "Quantity", "Value", "Kind", "How", "Source"), rows, frozenset({2}))


def draw(study: StudyData) -> Canvas | None:
    """Draw one panel a board: roofs as bands between the lowest and the highest figure, builds where they work."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    boards = list(dict.fromkeys(study.projection["board"]))
    if not boards:
        return None
    canvas, panels = new_canvas(4.4 * len(boards) + 0.4, 4.0, len(boards), sharey=True)
    for axes, board in zip(panels, boards, strict=True):
        rows = _in_order(study)
        rows = rows[rows["board"] == board]
        _roofs(axes, rows)
        for position, (_, group) in enumerate(rows.groupby("weight_bytes", sort=False)):
            _build(axes, group, position)
        axes.set(xscale="log", yscale="log", xlim=(0.4, 1000), ylim=(1.5, 500))
        axes.set_title(f"{board} (projected)")
        axes.set_xlabel("operations per byte read from memory")
        axes.grid()
        axes.set_axisbelow(True)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel("attainable billion operations per second")
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    return canvas


def _in_order(study: StudyData) -> pd.DataFrame:
    """Return the rows by board, then in the order in which the study names its builds."""
    order = {(record["model"], record["variant"]): place for place, record in enumerate(study.variants)}
    places = [
        order.get(pair, len(order)) for pair in zip(study.projection["model"], study.projection["variant"], strict=True)
    ]
    return study.projection.assign(_place=places).sort_values(["board", "_place"], kind="stable", ignore_index=True)


def _range(row: pd.Series, name: str) -> str:
    low, high = float(row[f"{name}_low"]), float(row[f"{name}_high"])
    return f"{number(low)} to {number(high)}"


def _roofs(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the band between the lowest and the highest figures, one for each kind of product."""
    intensities = [10 ** (exponent / 50) for exponent in range(-20, 151)]
    for kind, shade in (("f16", "#999999"), ("int8", "#56B4E9")):
        roofs = rows[rows["weights"] == kind].head(1)
        for _, row in roofs.iterrows():
            low, high = (
                [attainable(x, float(row[f"bandwidth_{end}"]), float(row[f"arithmetic_{end}"])) for x in intensities]
                for end in ("low", "high")
            )
            axes.fill_between(intensities, low, high, color=shade, alpha=0.35, linewidth=0, label=KIND_NAMES[kind])
            axes.plot(intensities, high, color=shade, linestyle=LINES[kind], linewidth=1.2)


def _build(axes: Axes, group: pd.DataFrame, position: int) -> None:
    """Draw one size of build: its generation (filled) and its prompt (open), each as the range that the roofs allow."""
    row = group.iloc[0]
    name = ", ".join(dict.fromkeys(str(variant) for variant in group["variant"]))
    colour, marker = COLOURS[position % len(COLOURS)], MARKERS[position % len(MARKERS)]
    for phase, face in (("generation", colour), ("prompt", "white")):
        intensity = float(row[f"{phase}_intensity"])
        low, high = (
            attainable(intensity, float(row[f"bandwidth_{end}"]), float(row[f"arithmetic_{end}"]))
            for end in ("low", "high")
        )
        axes.errorbar(
            intensity,
            (low * high) ** 0.5,
            yerr=[[(low * high) ** 0.5 - low], [high - (low * high) ** 0.5]],
            fmt=marker,
            color=colour,
            markerfacecolor=face,
            markersize=6,
            elinewidth=1.3,
            label=name if phase == "generation" else None,
        )


def _content(study: StudyData) -> Mapping[str, Any]:
    return {
        "projection": projection_table(study),
        "projection_check": check_table(study),
        "projection_sources": source_table(study),
    }


DRAWINGS = (
    Drawing(
        "roofline",
        "Projected roofline of a Raspberry Pi 4 and 5",
        "A projection from published figures, not a measurement. Bands: what memory (sloped) and arithmetic (flat) "
        "allow, from the lowest to the highest published figure; grey, dashed: 16-bit weights; blue: products of 8-bit "
        "numbers. Filled: one prompt is continued; open: a prompt of 128 tokens is read. Builds of one size share a "
        "marker: pruning sets weights to zero, but llama.cpp reads and multiplies zeros like any other weight.",
        "Roofline plots of two boards with each size of build; the same numbers are in the projection table.",
        draw,
    ),
)
SECTION = Section("roofline", "Projection on a Raspberry Pi", _content, DRAWINGS)
