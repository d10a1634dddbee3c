"""Measure what the number formats of an environment change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    llama: Annotated[list[Path], typer.Option(help="response table of llama.cpp; repeat it, once for each suite")],
    torch: Annotated[list[Path], typer.Option(help="that of transformers; repeat it in the same order")],
    output: Annotated[Path, typer.Option(help="result to write (JSON)")],
) -> None:
    r"""Compare the answers of the same weights in llama.cpp and in transformers.

    They are the same model (`edgebias parity`), so what differs is the arithmetic: 16-bit kernels and caches against
    32 bits. The formats `likelihood` and `letter` are compared, as far as the tables have them.

    Raises:
        InputError: a table is unfit, or two do not hold the same items, asked in the same way.

    Example:
        edgebias arithmetic --output results/edge/arithmetic/smollm2-135m-instruct.json \
          --llama results/edge/responses/edge/smollm2-135m-instruct/full/bbq.parquet \
          --torch results/edge/responses/desktop/smollm2-135m-instruct/full/bbq.parquet
    """
    from edgebias.checks.arithmetic import arithmetic_record, compare_responses
    from edgebias.core.errors import InputError
    from edgebias.core.files import write_json

    if len(llama) != len(torch):
        raise InputError(f"--torch: {len(torch)} tables for {len(llama)} of --llama; give one for each")
    found = [row for pair in zip(llama, torch, strict=True) for row in compare_responses(*pair)]
    write_json(arithmetic_record(found), output)
