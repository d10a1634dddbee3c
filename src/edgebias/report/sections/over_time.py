"""Section: what many rounds do to an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgebias.core.cell import Cell
from edgebias.report.canvas import COLOURS, MARKERS, new_canvas
from edgebias.report.data import StudyData, of_cell
from edgebias.report.figures import Drawing
from edgebias.report.numbers import p_number, percent
from edgebias.report.section import Section
from edgebias.report.table import Table, cell_of, estimate_of, value_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def over_time_table(study: StudyData) -> Table | None:
    """Return the slopes and rates of the rounds; the category of an over-time score is its mode."""
    table = study.over_time
    if table.empty:
        return None
    rows = tuple(
        (
            study.label(cell_of(row)),
            str(row["category"]),
            str(row["metric"]),
            estimate_of(row, 4),
            p_number(value_of(row.get("p"))),
            str(row["reason"]) if isinstance(row.get("reason"), str) else "",
        )
        for _, row in table.iterrows()
    )
    heads = ("Cell", "Mode", "Metric", "Estimate [low, high]", "p", "Note")
    caption = "Slopes and rates over the rounds, by cell and mode"
    return Table(caption, heads, rows, frozenset({4}), unbroken=frozenset({3}))


def _over_time(study: StudyData) -> Canvas | None:
    """Draw the windowed stereotype rate against the round."""
    table = study.rounds
    if table.empty:
        return None
    modes = sorted(table["mode"].unique(), key=lambda mode: mode != "conversation")
    canvas, panels = new_canvas(8.6, 3.3, len(modes), sharey=True)
    cells = [cell for cell in study.cells if not of_cell(table, cell).empty]
    for axes, mode in zip(panels, modes, strict=True):
        axes.axhline(50, color="#222222", linestyle="--", linewidth=1)
        for position, cell in enumerate(cells):
            rows = of_cell(table[table["mode"] == mode], cell)
            if rows.empty:
                continue
            colour = COLOURS[position % len(COLOURS)]
            by_conversation = rows.pivot_table(index="round", columns="conversation", values="stereotype_rate")
            if by_conversation.shape[1] > 1:
                axes.plot(by_conversation.index, by_conversation, color=colour, linewidth=0.5, alpha=0.45)
            mean = by_conversation.mean(axis=1)
            axes.plot(
                mean.index,
                mean,
                color=colour,
                marker=MARKERS[position % len(MARKERS)],
                markevery=max(len(mean) // 8, 1),
                markersize=4,
                linewidth=1.2,
                label=f"{study.label(cell)}: {percent(_named(study, cell, mode))}",
            )
        axes.set_title(mode)
        axes.set_xlabel("round")
        axes.grid(axis="y")
        axes.set_ylim(-2, 102)
        axes.legend(title="answers that name a group", loc="upper center", bbox_to_anchor=(0.5, -0.2))
    panels[0].set_ylabel("stereotype rate (%), last 32 rounds")
    return canvas


def _named(study: StudyData, cell: Cell, mode: str) -> float:
    """Return the share of the answers of a mode of rounds that name a group: the others are in no stereotype rate."""
    rows = of_cell(study.over_time, cell)
    return float(rows[(rows["metric"] == "stereotype_rate") & (rows["category"] == mode)]["coverage"].iloc[0])


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"over_time": over_time_table(study)}


DRAWINGS = (
    Drawing(
        "over_time",
        "Over time",
        "Share of stereotyped choices in the window of 32 rounds that ends at each round. Conversation: earlier "
        "exchanges stay in the "
        "prompt; thin lines are single conversations, thick ones their mean. Independent: unchanged prompts again and "
        "again, so any trend is noise by construction. Dashed line: 50 %. Of a cell whose answers hardly ever name a "
        "group, the line is one or two answers long remembered.",
        "Line chart of the windowed stereotype rate against the round, by cell; slopes are in the over-time table.",
        _over_time,
    ),
)
SECTION = Section("time", "Over time", _content, DRAWINGS)
