"""Fit the gate of a build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Answers, ItemsFolder, Settings, Texts, Weights


def run(
    settings: Settings,
    items_folder: ItemsFolder,
    texts: Texts,
    answers: Answers,
    weights: Weights,
    gate: Annotated[Path, typer.Option(help="gate to write (JSON)")],
) -> None:
    r"""Fit the gate that says from a request's words whether it is steered.

    Settings: ``seed``, ``infer``, ``mitigate.suites``, ``mitigate.directions``, ``mitigate.learning``,
    ``models.NAME``, ``environments.NAME``.

    Raises:
        InputError: settings, items, texts or weights are unfit, or there are too few items.

    Example:
        edgebias gate --settings params.yaml --items-folder data/items/edge \
          --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --answers reference_answers.parquet --weights data/models/m/wanda50_q8_0.gguf --gate gate.json
    """
    from edgebias.core.settings import parse_settings
    from edgebias.mitigate.steering.gate_fitting import write_gate

    write_gate(
        parse_settings(settings), items_folder=items_folder, texts=texts, answers=answers, weights=weights, gate=gate
    )
