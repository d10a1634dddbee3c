"""Say what a configuration needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    study: Annotated[
        str | None, typer.Option(help="study config/NAME.yaml; left out: params.yaml alone", metavar="NAME")
    ] = None,
    params: Annotated[
        list[Path] | None, typer.Option(help="parameter file that is laid over it; repeat for several")
    ] = None,
) -> None:
    r"""Print what a study needs from outside (models, benchmarks, keys, memory) and what is missing here.

    Nothing is fetched, and only endpoints on this machine are knocked at. The exit status is 1 where something is
    missing.

    Raises:
        InputError: there is no such study, or its parameters are at fault.

    Example:
        edgebias plan --study mitigation --params my-models.yaml
    """
    from edgebias.study import read_study
    from edgebias.workflow.needs import describe, needs_of

    needs = needs_of(read_study(study, overlays=params or []))
    print(describe(needs))
    if any(need.missing for need in needs):
        raise SystemExit(1)
