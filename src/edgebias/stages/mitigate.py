"""Evaluate one mitigation method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import (
    Answers,
    ItemsFolder,
    Settings,
    Texts,
    Weights,
    WrittenCost,
    WrittenResponses,
    WrittenScores,
)


def run(
    settings: Settings,
    method: Annotated[str, typer.Option(help="label of a method of study.methods, or its name", metavar="NAME")],
    items_folder: ItemsFolder,
    texts: Texts,
    answers: Answers,
    weights: Weights,
    responses: WrittenResponses,
    scores: WrittenScores,
    cost: WrittenCost,
    control_vector: Annotated[Path | None, typer.Option(help="vector of a method that steers (GGUF)")] = None,
    gate: Annotated[Path | None, typer.Option(help="gate or condition of a method behind one (JSON)")] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="responses of the method none, for the relative reduction (parquet)")
    ] = None,
) -> None:
    r"""Measure bias, utility and cost of one method on held-out items.

    Settings: ``seed``, ``infer``, ``mitigate``, ``models.NAME``, ``environments.NAME``.

    Raises:
        InputError: settings, items, texts or weights are unfit, or the method lacks its vector or gate.

    Example:
        edgebias mitigate --settings params.yaml --method feedback_loop --items-folder data/items/edge \
          --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --answers reference_answers.parquet --weights data/models/m/wanda50_q8_0.gguf \
          --control-vector control_vector.gguf --baseline none/responses.parquet \
          --responses responses.parquet --scores scores.csv --cost cost.json
    """
    from edgebias.core.settings import parse_settings
    from edgebias.mitigate.evaluate import evaluate

    evaluate(
        parse_settings(settings),
        method=method,
        items_folder=items_folder,
        texts=texts,
        answers=answers,
        weights=weights,
        control_vector=control_vector,
        gate=gate,
        baseline=baseline,
        responses=responses,
        scores=scores,
        cost=cost,
    )
