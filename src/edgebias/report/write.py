"""Write the report: the page, its figures, the headline numbers and the plot tables."""

from __future__ import annotations

from pathlib import Path

from edgebias.core.files import write_csv, write_json, write_text
from edgebias.report.data import StudyData
from edgebias.report.figures import draw_all
from edgebias.report.metrics import headline_metrics, plot_tables
from edgebias.report.page import render
from edgebias.report.sections import SECTIONS


def write_report(study: StudyData, page: Path, metrics: Path, figures: Path) -> None:
    """Write the page last, so that it stands only beside figures and numbers of the same study.

    Args:
        study: everything that the report shows.
        page: the HTML file.
        metrics: the headline numbers (JSON); the plot tables go to ``plots`` beside it.
        figures: the folder of the SVG files.
    """
    drawn = draw_all(study, [drawing for section in SECTIONS for drawing in section.drawings])
    for figure in drawn:
        write_text(figure.svg, figures / f"{figure.name}.svg")
    for name, table in plot_tables(study).items():
        write_csv(table, metrics.parent / "plots" / f"{name}.csv", sort_by=list(table.columns))
    write_json(headline_metrics(study), metrics)
    write_text(render(study, drawn), page)
