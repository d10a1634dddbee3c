"""Write the pages of a study's results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    metrics: Annotated[Path, typer.Option(help="headline numbers that `edgebias report` wrote (JSON)")],
    markdown: Annotated[Path, typer.Option(help="page to write (Markdown); its figure goes beside it")],
    claims: Annotated[Path | None, typer.Option(help="claims to check and list on the page (YAML)")] = None,
    verdicts: Annotated[Path | None, typer.Option(help="their verdicts to write (CSV)")] = None,
    readme: Annotated[Path | None, typer.Option(help="text whose block of findings is written anew")] = None,
) -> None:
    r"""Write the page of a study's results, its figure, and the block of findings in the README.

    The study has the name of the page's file. A claim that fails is listed as such and does not stop the page.

    Raises:
        InputError: a file is absent or unfit, or the README has no block of findings.

    Example:
        edgebias pages --metrics results/edge/report/metrics.json --markdown docs/results/edge.md \
          --claims claims.yaml --verdicts results/edge/report/claims.csv --readme README.md
    """
    import os

    from edgebias.checks.claims import judge, read_claims, write_verdicts
    from edgebias.core.errors import InputError
    from edgebias.core.files import read_json, write_text
    from edgebias.report.pages import (
        damage_figure,
        decomposition_figure,
        findings_of,
        inheritance_figure,
        personalisation_figure,
        scores_figure,
        study_page,
        trust_figure,
        wins_back_figure,
        with_findings,
    )

    study = markdown.stem
    findings = findings_of(read_json(metrics), metrics)
    block = None
    if readme:
        folder = Path(os.path.relpath(markdown.parent, readme.parent)).as_posix()
        try:
            block = with_findings(readme.read_text(encoding="utf-8"), findings, study, folder)
        except FileNotFoundError as error:
            raise InputError(f"{readme}: no such file; leave --readme out") from error
    found = [judge(claim, Path()) for claim in read_claims(claims)] if claims else []
    if verdicts:
        write_verdicts(found, verdicts)
    write_text(scores_figure(findings), markdown.with_name(f"{study}-scores.svg"))
    waterfall = decomposition_figure(findings)
    if waterfall:
        write_text(waterfall, markdown.with_name(f"{study}-decomposition.svg"))
    heat_map = trust_figure(findings)
    if heat_map:
        write_text(heat_map, markdown.with_name(f"{study}-trust.svg"))
    plane = personalisation_figure(findings)
    if plane:
        write_text(plane, markdown.with_name(f"{study}-identities.svg"))
    inherited = inheritance_figure(findings)
    if inherited:
        write_text(inherited, markdown.with_name(f"{study}-inheritance.svg"))
    won_back = wins_back_figure(findings)
    if won_back:
        write_text(won_back, markdown.with_name(f"{study}-vectors.svg"))
    damage = damage_figure(findings)
    if damage:
        write_text(damage, markdown.with_name(f"{study}-levels.svg"))
    write_text(study_page(findings, found, study), markdown)
    if readme and block:
        write_text(block, readme)
