"""Check the claims."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    claims: Annotated[Path, typer.Option(help="the claims (YAML)")],
    root: Annotated[Path, typer.Option(help="folder that the claims' paths start from")] = Path(),
    output: Annotated[Path | None, typer.Option(help="also write the verdicts (CSV)")] = None,
) -> None:
    r"""Print PASS, FAIL or SKIPPED (and why) for each claim; the exit status is 1 where any fails.

    Raises:
        InputError: the file of claims is absent or unfit.

    Example:
        edgebias verify --claims claims.yaml
    """
    from edgebias.checks.claims import judge, read_claims, write_verdicts

    verdicts = [judge(claim, root) for claim in read_claims(claims)]
    for verdict in verdicts:
        print(f"{verdict.status:<8}{verdict.id:<30}{' '.join(verdict.claim.split())}: {verdict.reason}")
    counts = {status: sum(v.status == status for v in verdicts) for status in ("PASS", "FAIL", "SKIPPED")}
    print(", ".join(f"{count} {status}" for status, count in counts.items()))
    if output:
        write_verdicts(verdicts, output)
    if counts["FAIL"]:
        raise SystemExit(1)
