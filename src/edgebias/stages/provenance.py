"""Record what makes the numbers: ``python -m edgebias.stages.provenance``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import run_stage
from edgebias.core.files import write_json

EXAMPLE = """example:
  python -m edgebias.stages.provenance --files params.yaml data/models/*/*.gguf --output results/provenance.json
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Write versions, machine, commit and file hashes as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.provenance",
        description="Record versions, machine, git commit and SHA-256 of files. The result differs between machines.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", nargs="+", type=Path, default=[], help="parameters and weights to hash")
    parser.add_argument("--output", required=True, type=Path, help="JSON file to write")
    arguments = parser.parse_args(argv)

    from edgebias.report.provenance import collect

    write_json(collect(arguments.files, Path.cwd()), arguments.output)


if __name__ == "__main__":
    run_stage(main)
