"""Check that two backends run the same model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings


def run(
    settings: Settings,
    items: Annotated[list[Path], typer.Option(help="item table; repeat it, once for each suite")],
    weights: Annotated[Path, typer.Option(help="GGUF of float weights that llama.cpp runs")],
    folder: Annotated[Path, typer.Option(help="folder of the same weights that transformers runs")],
    output: Annotated[Path, typer.Option(help="result to write (JSON)")],
    threads: Annotated[int, typer.Option(help="of each program; they run one after the other", min=1)] = 1,
) -> None:
    r"""Check that llama.cpp and transformers run the same model, before anything is asked.

    All prompts and options are compared token by token, as both read them. A few items of each suite and format are
    then scored with 32-bit weights and cache in llama.cpp and in 64 bits in transformers, where the two differ by
    rounding alone. A gate that fails
    leaves no output, so that nothing can go on from it. Its numbers go to NAME.failed.json beside the output, and the
    exit status is 2. Settings: ``parity``, ``infer``, ``models``.

    Raises:
        InputError: a file is unfit, the numbers differ by more than the tolerance, or a prompt has other tokens.

    Example:
        edgebias parity --settings '{"parity": {"items": 4}, "models": {"smollm2": {}},
                                     "infer": {"formats": {"bbq": ["likelihood", "letter"]}}}' \
          --items data/items/edge/bbq.parquet \
          --weights data/models/smollm2-135m-instruct/full.gguf \
          --folder data/models/smollm2-135m-instruct/full.transformers \
          --output results/edge/parity/smollm2-135m-instruct.json
    """
    from edgebias.checks.parity import ExactModel, compare_exact, failures, parity_record, spread
    from edgebias.checks.prompts import compare_all_prompts
    from edgebias.checks.settings import ParitySettings
    from edgebias.core.errors import InputError
    from edgebias.core.files import write_json
    from edgebias.core.record import mapping_of
    from edgebias.core.settings import only_one, parse_settings, value_of
    from edgebias.infer.cell import formats_of
    from edgebias.infer.settings import InferSettings
    from edgebias.models.settings import ModelSettings
    from edgebias.suites.formats import wordings_of
    from edgebias.suites.item import read_items

    parsed = parse_settings(settings)
    how = value_of(parsed, "parity", ParitySettings)
    asked = value_of(parsed, "infer", InferSettings).formats
    _, model = only_one(parsed, "models", ModelSettings)
    tables = {path.stem: read_items(path, path.stem) for path in items}
    formats = {suite: wordings_of(formats_of(suite, asked, mapping_of(model))) for suite in tables}
    variables = model.chat_template_kwargs or {}
    prompts = compare_all_prompts(tables, formats, weights, folder, variables)
    model_in_both = ExactModel(
        weights=weights,
        folder=folder,
        threads=threads,
        context=max(found.longest for found in prompts),
        template_variables=variables,
        scratch=output.with_suffix(".exact.gguf"),
    )
    few = {suite: spread(rows, how.items) for suite, rows in tables.items()}
    exact = [] if any(found.n_differ for found in prompts) else compare_exact(few, formats, model_in_both)
    failed = failures(exact, prompts, how)
    record = parity_record(exact, prompts, how, failed)
    failed_path = output.with_suffix(".failed.json")
    if failed:
        output.unlink(missing_ok=True)
        write_json(record, failed_path)
        raise InputError(
            f"parity gate: {'; '.join(failed)}; the backends do not run the same model: see {failed_path} and mend the "
            "conversion"
        )
    write_json(record, output)
    failed_path.unlink(missing_ok=True)
