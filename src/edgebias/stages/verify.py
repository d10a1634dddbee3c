"""Check the claims: ``python -m edgebias.stages.verify``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import run_stage

EXAMPLE = """example:
  python -m edgebias.stages.verify --claims claims.yaml
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Print PASS, FAIL or SKIPPED with the reason for each claim; exit status 1 where any fails."""
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.verify",
        description="Check each claim of claims.yaml against the written files. Exit status 1 where any fails.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--claims", required=True, type=Path, help="the claims (YAML)")
    parser.add_argument("--root", type=Path, default=Path(), help="folder that the claims' paths start from")
    parser.add_argument("--output", type=Path, help="also write the verdicts as CSV")
    arguments = parser.parse_args(argv)

    from edgebias.checks.claims import judge, read_claims, write_verdicts

    verdicts = [judge(claim, arguments.root) for claim in read_claims(arguments.claims)]
    for verdict in verdicts:
        print(f"{verdict.status:<8}{verdict.id:<30}{' '.join(verdict.claim.split())}: {verdict.reason}")
    counts = {status: sum(v.status == status for v in verdicts) for status in ("PASS", "FAIL", "SKIPPED")}
    print(", ".join(f"{count} {status}" for status, count in counts.items()))
    if arguments.output:
        write_verdicts(verdicts, arguments.output)
    if counts["FAIL"]:
        raise SystemExit(1)


if __name__ == "__main__":
    run_stage(main)
