"""Command line of the parity gate."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import InputError, run_stage

EXAMPLE = """example:
  python -m edgebias.stages.parity --settings '{"parity": {"max_abs_difference": 0.5, "p99_abs_difference": 0.1,
                                   "mean_abs_difference": 0.03, "min_agreement": 0.98}}' \\
    --llama results/responses/edge/smollm2-135m-instruct/full/{bbq,stereoset}.parquet \\
    --torch results/responses/desktop/smollm2-135m-instruct/full/{bbq,stereoset}.parquet \\
    --output results/parity/smollm2-135m-instruct.json

A gate that fails writes OUTPUT's numbers to NAME.failed.json beside it, removes OUTPUT, and exits with status 2.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Compare the likelihood rows of two backends that ran the same weights.

    A failed gate leaves no output, so that nothing can go on from it; its numbers go to ``{name}.failed.json``.

    Raises:
        InputError: the tables are unfit, or a tolerance is exceeded.
    """
    options = _parser().parse_args(argv)

    from edgebias.checks.parity import compare_files, failures, parity_record, read_tolerances
    from edgebias.core.files import write_json
    from edgebias.core.settings import parse_settings

    tolerances = read_tolerances(parse_settings(options.settings))
    if len(options.llama) != len(options.torch):
        raise InputError(f"--torch: {len(options.torch)} tables for {len(options.llama)} of --llama; give one for each")
    suites = [compare_files(llama, torch) for llama, torch in zip(options.llama, options.torch, strict=True)]
    failed = failures(suites, tolerances, same_tokens=options.tokens)
    record = parity_record(suites, tolerances, failed)
    failed_path = options.output.with_suffix(".failed.json")
    if failed:
        options.output.unlink(missing_ok=True)
        write_json(record, failed_path)
        raise InputError(
            f"parity gate: {'; '.join(failed)}; the backends do not run the same model: see {failed_path}, "
            "mend the conversion or widen `parity` knowingly"
        )
    write_json(record, options.output)
    failed_path.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.parity",
        description="Check that the same weights give the same option log-probabilities in two backends.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", required=True, help="inline JSON, or FILE#key")
    parser.add_argument(
        "--llama", required=True, type=Path, nargs="+", help="response tables of llama.cpp, one a suite"
    )
    parser.add_argument("--torch", required=True, type=Path, nargs="+", help="those of transformers, in the same order")
    parser.add_argument("--tokens", action="store_true", help="fail, too, where an option has other token counts")
    parser.add_argument("--output", required=True, type=Path, help="result to write (JSON)")
    return parser


if __name__ == "__main__":
    run_stage(main)
