"""Project builds on boards: ``python -m edgebias.stages.roofline``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import run_stage

EXAMPLE = """example:
  python -m edgebias.stages.roofline --weights data/models/smollm2-135m-instruct/full.gguf \\
    data/models/smollm2-135m-instruct/q8_0.gguf --hardware data/hardware/raspberry_pi.csv \\
    --output results/roofline/projection.csv
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Write tokens a second and time to first token that each board's roofs allow each build.

    Raises:
        InputError: weights or the table of boards are unfit.
    """
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.roofline",
        description="Project what memory bandwidth and arithmetic of a Raspberry Pi allow each build: from "
        "published figures, so no measurement.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", required=True, nargs="+", type=Path, help="builds: {model}/{variant}.gguf")
    parser.add_argument("--hardware", required=True, type=Path, help="published figures of boards (CSV)")
    parser.add_argument("--output", required=True, type=Path, help="projection to write (CSV)")
    options = parser.parse_args(argv)

    from edgebias.core.files import write_csv
    from edgebias.models.roofline.build import read_build
    from edgebias.models.roofline.hardware import boards, read_hardware
    from edgebias.models.roofline.project import projection

    table = projection([read_build(path) for path in options.weights], boards(read_hardware(options.hardware)))
    write_csv(table, options.output, sort_by=["board", "model", "variant"])


if __name__ == "__main__":
    run_stage(main)
