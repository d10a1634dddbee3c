"""Write the report of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings


def run(
    settings: Settings,
    items_folder: Annotated[Path, typer.Option(help="items: {suite}.parquet")],
    variants_folder: Annotated[Path, typer.Option(help="records of builds: {model}/{variant}.json")],
    responses_folder: Annotated[Path, typer.Option(help="responses: {environment}/{model}/{variant}/{suite}.parquet")],
    scores_folder: Annotated[Path, typer.Option(help="scores: {environment}/{model}/{variant}/{suite}.csv")],
    cost_folder: Annotated[Path, typer.Option(help="costs: {environment}/{model}/{variant}/{suite}.json")],
    parity_folder: Annotated[Path, typer.Option(help="parity gates: {model}.json")],
    contrasts: Annotated[Path, typer.Option(help="paired differences (CSV)")],
    headline: Annotated[Path, typer.Option(help="headline comparisons (JSON)")],
    mitigation_folder: Annotated[Path, typer.Option(help="mitigation: {environment}/{model}/{variant}/{method}/")],
    robustness_folder: Annotated[Path, typer.Option(help="the four tables of score-robustness (CSV)")],
    provenance: Annotated[Path, typer.Option(help="versions and machine (JSON)")],
    paper: Annotated[Path, typer.Option(help="numbers printed in the paper (CSV)")],
    projection: Annotated[Path, typer.Option(help="builds projected on a Raspberry Pi (CSV)")],
    hardware: Annotated[Path, typer.Option(help="published figures that the projection rests on (CSV)")],
    output: Annotated[Path, typer.Option(help="page to write (HTML)")],
    metrics: Annotated[Path, typer.Option(help="headline numbers to write (JSON)")],
    figures_folder: Annotated[Path, typer.Option(help="where the figures go (SVG)")],
) -> None:
    r"""Write the study's report: one self-contained page, metrics.json, figures, and plots/*.csv.

    The tables of the plots stand beside metrics.json. Settings: ``study``, ``models``, ``environments``,
    ``mitigate.suites``, ``mitigate.learning``.

    Raises:
        InputError: a file of the study is absent or unfit.

    Example:
        edgebias report --settings params.yaml --items-folder data/items/edge --variants-folder data/models \
          --responses-folder results/edge/responses --scores-folder results/edge/scores \
          --cost-folder results/edge/cost --parity-folder results/edge/parity \
          --contrasts results/edge/compare/contrasts.csv \
          --headline results/edge/compare/headline.json --mitigation-folder results/edge/mitigation \
          --robustness-folder results/edge/robustness --provenance results/edge/provenance.json \
          --paper data/paper/edge_bias.csv --projection results/edge/roofline/projection.csv \
          --hardware data/hardware/raspberry_pi.csv --output results/edge/report/index.html \
          --metrics results/edge/report/metrics.json --figures-folder results/edge/report/figures
    """
    from edgebias.core.settings import parse_settings
    from edgebias.report.data import Sources, read_data
    from edgebias.report.write import write_report

    study = read_data(
        parse_settings(settings),
        Sources(
            prompts=items_folder,
            variants=variants_folder,
            responses=responses_folder,
            scores=scores_folder,
            cost=cost_folder,
            parity=parity_folder,
            contrasts=contrasts,
            headline=headline,
            mitigation=mitigation_folder,
            robustness=robustness_folder,
            provenance=provenance,
            paper=paper,
            projection=projection,
            hardware=hardware,
        ),
    )
    write_report(study, output, metrics, figures_folder)
