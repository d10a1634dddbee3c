"""Write the report: ``python -m edgebias.stages.report``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import run_stage
from edgebias.core.settings import parse_settings

EXAMPLE = """example:
  python -m edgebias.stages.report --settings params.yaml --prompts-folder data/prompts --variants-folder data/models \\
    --responses-folder results/responses --scores-folder results/scores --cost-folder results/cost \\
    --parity-folder results/parity --contrasts results/compare/contrasts.csv \\
    --headline results/compare/headline.json --mitigation-folder results/mitigation \\
    --robustness-folder results/robustness --provenance results/provenance.json \\
    --paper data/paper/edge_bias.csv --projection results/roofline/projection.csv \\
    --hardware data/hardware/raspberry_pi.csv --output results/report/index.html \\
    --metrics results/report/metrics.json --figures-folder results/report/figures
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Read every table of the study and write the page, the headline numbers, the figures and the plot tables."""
    arguments = _parser().parse_args(argv)
    settings = parse_settings(arguments.settings)

    from edgebias.report.data import Sources, read_data
    from edgebias.report.write import write_report

    study = read_data(
        settings,
        Sources(
            prompts=arguments.prompts_folder,
            variants=arguments.variants_folder,
            responses=arguments.responses_folder,
            scores=arguments.scores_folder,
            cost=arguments.cost_folder,
            parity=arguments.parity_folder,
            contrasts=arguments.contrasts,
            headline=arguments.headline,
            mitigation=arguments.mitigation_folder,
            robustness=arguments.robustness_folder,
            provenance=arguments.provenance,
            paper=arguments.paper,
            projection=arguments.projection,
            hardware=arguments.hardware,
        ),
    )
    write_report(study, arguments.output, arguments.metrics, arguments.figures_folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.report",
        description="Write the study's report as one self-contained HTML page, with metrics.json, figures and "
        "plots/*.csv beside metrics.json.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--settings", required=True, help="JSON or FILE: the sections study, models, environments, mitigate"
    )
    for name, text in (
        ("prompts-folder", "items: {suite}.parquet"),
        ("variants-folder", "records of builds: {model}/{variant}.json"),
        ("responses-folder", "responses: {environment}/{model}/{variant}/{suite}.parquet"),
        ("scores-folder", "scores: {environment}/{model}/{variant}/{suite}.csv"),
        ("cost-folder", "costs: {environment}/{model}/{variant}/{suite}.json"),
        ("parity-folder", "parity gates: {model}.json"),
        ("contrasts", "paired differences (CSV)"),
        ("headline", "headline comparisons (JSON)"),
        ("mitigation-folder", "mitigation: {environment}/{model}/{variant}/{method}/"),
        ("robustness-folder", "format robustness: variance_shares, position_bias, flip_rates and by_level (CSV)"),
        ("provenance", "versions and machine (JSON)"),
        ("paper", "numbers printed in the paper (CSV)"),
        ("projection", "builds projected on a Raspberry Pi (CSV)"),
        ("hardware", "published figures that the projection rests on (CSV)"),
        ("output", "the page to write"),
        ("metrics", "the headline numbers to write (JSON)"),
        ("figures-folder", "where the figures go (SVG)"),
    ):
        parser.add_argument(f"--{name}", required=True, type=Path, help=text)
    return parser


if __name__ == "__main__":
    run_stage(main)
