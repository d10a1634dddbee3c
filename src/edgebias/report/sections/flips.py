"""Section: answers that change between two cells, by direction; a score that stays can hide many."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from edgebias.report.canvas import COLOURS, WIDTH, name_rows, new_grid
from edgebias.report.changed import remark
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.findings import KINDS, cell_name, compared_pairs, pair_labels
from edgebias.report.numbers import number, p_number
from edgebias.report.primary import candidates, primary_contrasts
from edgebias.report.section import Section
from edgebias.report.table import Table, limits_of, title_of, value_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def flip_table(study: StudyData) -> Table:
    """Return the changed answers of every comparison, suite and format."""
    suites = list(study.suites)
    rows = sorted(
        study.flips.to_dict("records"),
        key=lambda row: (
            KINDS.index(str(row["kind"])),
            suites.index(str(row["suite"])),
            row["format"],
            row["cell_a"],
            row["cell_b"],
        ),
    )
    return Table(
        "Answers that change from the second cell to the first, in per cent of the same items; newly biased: of the "
        "answers that were not the stereotype; p of no direction, corrected within the kind of comparison",
        (
            *("Cell", "against", "Suite (format)", "Items", "Changed [low, high]", "Towards", "Away"),
            *("To unknown", "From unknown", "Newly biased", "Corrected p"),
        ),
        tuple(
            (
                cell_name(str(row["cell_a"]), study.several_models),
                cell_name(str(row["cell_b"]), study.several_models),
                f"{title_of(str(row['suite']))} ({row['format']})",
                number(int(row["n"])),
                f"{number(float(row['changed']))} {limits_of(pd.Series(row))}",
                *(number(float(row[name])) for name in ("towards", "away", "to_unknown", "from_unknown")),
                number(float(row["newly_biased"])),
                p_number(value_of(row["p_corrected"])),
            )
            for row in rows
        ),
        frozenset({3, *range(5, 11)}),
        unbroken=frozenset({4}),
    )


def remarks(study: StudyData) -> list[str]:
    """Return a remark on each comparison of a suite's main score that changed answers have something to add to."""
    found = []
    for suite in study.suites:
        for _, row in primary_contrasts(suite, study.contrasts, study.scores).iterrows():
            same = study.flips
            for column in ("kind", "cell_a", "cell_b", "suite", "format"):
                same = same[same[column] == row[column]]
            if same.empty:
                continue
            one, other = (cell_name(str(row[name]), study.several_models) for name in ("cell_a", "cell_b"))
            metric = f"{title_of(suite)}, {str(row['metric']).replace('_', ' ')} ({row['format']})"
            unseen = value_of(row["low"]) <= 0 <= value_of(row["high"])
            found.append(remark(f"{one} against {other}, {metric}", same.iloc[0].to_dict(), unseen=unseen))
    return [text for text in found if text]


def _drawn(study: StudyData) -> pd.DataFrame:
    """Return one row for each pair of cells and suite: the format that the suite prefers."""
    ranked = []
    for suite in study.suites:
        forms = list(dict.fromkeys(form for form, _ in candidates(suite)))
        rows = study.flips[(study.flips["suite"] == suite) & study.flips["format"].isin(forms)]
        ranked.append(rows.assign(_rank=rows["format"].map(forms.index)))
    rows = pd.concat(ranked).sort_values("_rank", kind="stable")
    return rows.drop_duplicates(["kind", "cell_a", "cell_b", "suite"])


def _flips(study: StudyData) -> Canvas | None:
    """Draw the answers that went to the stereotype to the right, and those that left it to the left."""
    rows = _drawn(study)
    if rows.empty:
        return None
    pairs = compared_pairs(rows)
    suites = [suite for suite in study.suites if suite in set(rows["suite"])]
    canvas, grid = new_grid(WIDTH, 1.1 + 0.36 * len(pairs), len(suites), sharey=True)
    for axes, suite in zip(chain(*grid), suites, strict=False):
        here = rows[rows["suite"] == suite]
        places = [pairs.index((row["kind"], row["cell_a"], row["cell_b"])) for _, row in here.iterrows()]
        axes.barh(places, here["towards"], height=0.5, color=COLOURS[1])
        axes.barh(places, -here["away"], height=0.5, color=COLOURS[0], hatch="///", edgecolor="white")
        axes.axvline(0, color="#222222", linewidth=1)
        most = max(float(here[["towards", "away"]].to_numpy().max()), 1.0)
        axes.set_xlim(-1.25 * most, 1.75 * most)
        for place, (_, row) in zip(places, here.iterrows(), strict=True):
            axes.annotate(
                f"{number(float(row['changed']), 2)} %",
                (float(row["towards"]), place),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
                color="#222222",
            )
        axes.set_title(suite.replace("_", " "))
        axes.set_xlabel("per cent of the items:\naway | towards")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
    names = pair_labels(pairs, study.several_models)
    for panels in grid:
        name_rows(panels[0], names)
    return canvas


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"flips": flip_table(study), "remarks": remarks(study)}


DRAWINGS = (
    Drawing(
        "flips",
        "Changed answers by direction",
        "Each row is one cell against another on the same items, one panel a suite. Right, full: answers that became "
        "the stereotype. Left, hatched: answers that were the stereotype and are not. The number beside a bar: all "
        "answers that changed. Bars of equal length leave a score where it was.",
        "Diverging bars of changed answers by comparison and suite; the same numbers are in the table below.",
        _flips,
    ),
)
SECTION = Section("flips", "Changed answers", _content, DRAWINGS)
