"""Find the directions along which a build is steered, from calibration items alone; write a control vector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.backends.llama import LlamaBackend
from edgebias.errors import InputError
from edgebias.files import write_csv
from edgebias.infer.cell import read_cell
from edgebias.infer.items import Item, items_from_table
from edgebias.mitigate.calibration import drivers, read_calibration
from edgebias.mitigate.directions import (
    GRADIENT,
    LEARNED,
    SINGLE_LAYER,
    SOURCES,
    Directions,
    contrasts,
    difference_of_means,
    from_vector,
    gradient,
    single_layer,
)
from edgebias.mitigate.vector_file import model_hint, write_control_vector
from edgebias.variants.perplexity import neutral_sentences

TRAINING_COLUMNS = ("step", "gap", "cross_entropy", "divergence", "norm")
"""Of the table of training; it has no rows for a source that takes no steps."""

_NO_CONTRAST = "no calibration item has a stereotype and an anti_stereotype option"
_WAY_OUT = "set mitigate.directions to difference_of_means"


def find(
    settings: dict[str, Any],
    *,
    source: str,
    items_folder: Path,
    texts: Path,
    weights: Path,
    control_vector: Path,
    training: Path,
) -> None:
    """Find directions by ``source``; write them at a gain of 1, and the table of training.

    Raises:
        InputError: settings, source, items or weights are unusable.
    """
    if source not in (*SOURCES, SINGLE_LAYER):
        raise InputError(f"--source {source}: unknown; choose one of {[*SOURCES, SINGLE_LAYER]}")
    start_token = read_cell(settings).model.get("start_token")
    if source == LEARNED:
        found, table = _learned(settings, items_folder, texts, weights, start_token)
    else:
        tables = read_calibration(items_folder, drivers(settings))
        items = [item for suite, table in tables.items() for item in items_from_table(table, suite, suite)]
        found, table = _closed_form(settings, source, items, weights, start_token), pd.DataFrame()
    write_control_vector(found.vector(np.ones(len(found.scale))), control_vector, model_hint(weights))
    write_csv(table.reindex(columns=list(TRAINING_COLUMNS)), training, ["step"])


def _learned(
    settings: dict[str, Any], items_folder: Path, texts: Path, weights: Path, start_token: str | None
) -> tuple[Directions, pd.DataFrame]:
    from edgebias.mitigate.learned import examples, learn, learning_settings
    from edgebias.mitigate.steered_model import SteeredModel

    how = learning_settings(settings)
    tables = read_calibration(items_folder, how.suites)
    model = SteeredModel(weights, start_token, _WAY_OUT)
    fitted = [
        example
        for suite, table in tables.items()
        for example in examples(model, items_from_table(table, suite, suite), table["label"].tolist())
    ]
    if not fitted:
        raise InputError(f"{items_folder}: {_NO_CONTRAST}")
    result = learn(model, fitted, neutral_sentences(texts, "fit"), how, int(settings["seed"]))
    return from_vector(result.vector, LEARNED), result.training


def _closed_form(
    settings: dict[str, Any], source: str, items: list[Item], weights: Path, start_token: str | None
) -> Directions:
    pairs = contrasts(items)
    if not pairs:
        raise InputError(f"mitigate.suites: {_NO_CONTRAST}")
    if source == GRADIENT:
        from edgebias.mitigate.steered_model import SteeredModel

        return gradient(SteeredModel(weights, start_token, _WAY_OUT), pairs)
    cell = read_cell(settings)
    with LlamaBackend(
        weights,
        threads=int(cell.environment["threads"]),
        context=int(cell.environment["context"]),
        start_token=start_token,
        capture_hidden=True,
    ) as backend:
        return single_layer(backend, pairs) if source == SINGLE_LAYER else difference_of_means(backend, pairs)
