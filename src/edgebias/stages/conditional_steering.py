"""Fit conditional steering."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Answers, ItemsFolder, Settings, Texts, Weights, WrittenControlVector


def run(
    settings: Settings,
    items_folder: ItemsFolder,
    texts: Texts,
    answers: Answers,
    weights: Weights,
    control_vector: WrittenControlVector,
    condition: Annotated[Path, typer.Option(help="condition to write (JSON)")],
) -> None:
    r"""Fit conditional steering (CAST), a gated baseline of the field.

    Settings: ``seed``, ``infer``, ``mitigate.suites``, ``mitigate.perplexity_budget``,
    ``mitigate.conditional_steering``, ``models.NAME``, ``environments.NAME``.

    Raises:
        InputError: settings, items, texts or weights are unfit.

    Example:
        edgebias conditional-steering --settings params.yaml --items-folder data/items/edge \
          --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --answers reference_answers.parquet --weights data/models/m/wanda50_q8_0.gguf \
          --control-vector behaviour.gguf --condition condition.json
    """
    from edgebias.core.settings import parse_settings
    from edgebias.mitigate.steering.conditional_fitting import write_conditional_steering

    write_conditional_steering(
        parse_settings(settings),
        items_folder=items_folder,
        texts=texts,
        answers=answers,
        weights=weights,
        control_vector=control_vector,
        condition=condition,
    )
