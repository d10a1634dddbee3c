"""Check that two backends run the same model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings


def run(
    settings: Settings,
    llama: Annotated[list[Path], typer.Option(help="response table of llama.cpp; repeat it, once for each suite")],
    torch: Annotated[list[Path], typer.Option(help="that of transformers; repeat it in the same order")],
    output: Annotated[Path, typer.Option(help="result to write (JSON)")],
    tokens: Annotated[bool, typer.Option("--tokens", help="fail, too, where an option has other token counts")] = False,
) -> None:
    r"""Check that the same weights give the same option log-probabilities in two backends.

    A gate that fails leaves no output, so that nothing can go on from it. Its numbers go to NAME.failed.json beside
    the output, and the exit status is 2. Settings: ``parity``.

    Raises:
        InputError: the tables are unfit, or a tolerance is exceeded.

    Example:
        edgebias parity --settings '{"parity": {"max_abs_difference": 0.5, "p99_abs_difference": 0.1,
                                     "mean_abs_difference": 0.03, "min_agreement": 0.98}}' \
          --llama results/edge/responses/edge/smollm2-135m-instruct/full/bbq.parquet \
          --llama results/edge/responses/edge/smollm2-135m-instruct/full/stereoset.parquet \
          --torch results/edge/responses/desktop/smollm2-135m-instruct/full/bbq.parquet \
          --torch results/edge/responses/desktop/smollm2-135m-instruct/full/stereoset.parquet \
          --output results/edge/parity/smollm2-135m-instruct.json
    """
    from edgebias.checks.parity import compare_files, failures, parity_record
    from edgebias.checks.settings import Tolerances
    from edgebias.core.errors import InputError
    from edgebias.core.files import write_json
    from edgebias.core.settings import parse_settings, value_of

    tolerances = value_of(parse_settings(settings), "parity", Tolerances)
    if len(llama) != len(torch):
        raise InputError(f"--torch: {len(torch)} tables for {len(llama)} of --llama; give one for each")
    suites = [compare_files(*pair) for pair in zip(llama, torch, strict=True)]
    failed = failures(suites, tolerances, same_tokens=tokens)
    record = parity_record(suites, tolerances, failed)
    failed_path = output.with_suffix(".failed.json")
    if failed:
        output.unlink(missing_ok=True)
        write_json(record, failed_path)
        raise InputError(
            f"parity gate: {'; '.join(failed)}; the backends do not run the same model: see {failed_path}, "
            "mend the conversion or widen `parity` knowingly"
        )
    write_json(record, output)
    failed_path.unlink(missing_ok=True)
