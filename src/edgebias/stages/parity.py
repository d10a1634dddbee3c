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
    items: Annotated[
        list[Path] | None, typer.Option(help="item table; repeat it in the same order: prompts are compared, too")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="GGUF that llama.cpp ran; only with --items")] = None,
    folder: Annotated[Path | None, typer.Option(help="folder that transformers ran; only with --items")] = None,
    tokens: Annotated[bool, typer.Option("--tokens", help="fail, too, where an option has other token counts")] = False,
) -> None:
    r"""Check that the same weights give the same option log-probabilities in two backends, to the same prompts.

    The formats `likelihood` and, where a table has it, `letter` are compared. With --items, --weights and --folder
    each prompt and option is compared token by token, as both backends read it. A gate that fails leaves no output, so
    that nothing can go on from it. Its numbers go to NAME.failed.json beside the output, and the exit status is 2.
    Settings: ``parity``.

    Raises:
        InputError: the tables are unfit, a tolerance is exceeded, or a prompt has other tokens.

    Example:
        edgebias parity --settings '{"parity": {"max_abs_difference": 0.5, "p99_abs_difference": 0.1,
                                     "mean_abs_difference": 0.03, "min_agreement": 0.98}}' \
          --llama results/edge/responses/edge/smollm2-135m-instruct/full/bbq.parquet \
          --llama results/edge/responses/edge/smollm2-135m-instruct/full/stereoset.parquet \
          --torch results/edge/responses/desktop/smollm2-135m-instruct/full/bbq.parquet \
          --torch results/edge/responses/desktop/smollm2-135m-instruct/full/stereoset.parquet \
          --items data/items/edge/bbq.parquet --items data/items/edge/stereoset.parquet \
          --weights data/models/smollm2-135m-instruct/full.gguf \
          --folder data/models/smollm2-135m-instruct/full.transformers \
          --output results/edge/parity/smollm2-135m-instruct.json
    """
    from edgebias.checks.parity import compare_files, compare_letters, failures, formats_in, parity_record
    from edgebias.checks.settings import Tolerances
    from edgebias.core.errors import InputError
    from edgebias.core.files import write_json
    from edgebias.core.settings import parse_settings, value_of
    from edgebias.suites.formats import LETTER

    tolerances = value_of(parse_settings(settings), "parity", Tolerances)
    if len(llama) != len(torch):
        raise InputError(f"--torch: {len(torch)} tables for {len(llama)} of --llama; give one for each")
    pairs = list(zip(llama, torch, strict=True))
    suites = [compare_files(*pair) for pair in pairs]
    formats = {ours.stem: formats_in(ours, theirs) for ours, theirs in pairs}
    near = tolerances.max_abs_difference
    letters = [compare_letters(*pair, near) for pair in pairs if LETTER in formats[pair[0].stem]]
    prompts = []
    if items:
        from edgebias.checks.prompts import compare_tables_of_items

        if weights is None or folder is None or len(items) != len(llama):
            raise InputError("--items: give one table for each of --llama, and both --weights and --folder")
        prompts = compare_tables_of_items(items, formats, weights, folder)
    failed = failures(suites, tolerances, same_tokens=tokens, letters=letters, prompts=prompts)
    record = parity_record(suites, tolerances, failed, letters=letters, prompts=prompts)
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
