"""Find the directions along which a build is steered, from calibration items alone; write a control vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.files import write_csv
from edgebias.core.settings import value_of
from edgebias.infer.cell import Cell, read_cell
from edgebias.mitigate.calibration import drivers, items_of, read_calibration
from edgebias.mitigate.reference_answers import answer_requests, read_reference_answers
from edgebias.mitigate.settings import LearningSettings
from edgebias.mitigate.steering.directions import (
    FROM_HIDDEN_STATES,
    GRADIENT,
    LEARNED,
    SINGLE_LAYER,
    SOURCES,
    Directions,
    contrasts,
    from_vector,
    gradient,
)
from edgebias.mitigate.steering.folds import fitted_part, number_of_folds
from edgebias.mitigate.steering.llama_build import open_build
from edgebias.mitigate.steering.vector_file import model_hint, write_control_vector
from edgebias.models.perplexity import neutral_sentences
from edgebias.suites.item import Item, items_from_table

if TYPE_CHECKING:
    from edgebias.mitigate.steering.steered_model import SteeredModel

TRAINING_COLUMNS = (
    *("step", "gap", "margin_lost", "cross_entropy", "divergence", "answers_divergence", "neutral_loss", "norm"),
)
"""Columns of the table of training, which has no rows for a source that takes no steps."""

_NO_CONTRAST = "no calibration item has a stereotype and an anti_stereotype option"
_WAY_OUT = "set mitigate.directions to difference_of_means"


def find(
    settings: dict[str, Any],
    *,
    source: str,
    fitted_on: str,
    items_folder: Path,
    texts: Path,
    answers: Path,
    weights: Path,
    control_vector: Path,
    training: Path,
) -> None:
    """Find directions by ``source``; write them at a gain of 1, and the table of training.

    Args:
        settings: of the rule ``directions``.
        source: one of `SOURCES`, or `SINGLE_LAYER`.
        fitted_on: ``all``, or ``all_but_fold_1`` and so on: what is left of the calibration items without a fold.
        items_folder: of the item tables.
        texts: neutral text, as BOLD has it.
        answers: table of reference answers; learning reads its own part of it.
        weights: GGUF of the build.
        control_vector: file to write.
        training: table to write.

    Raises:
        InputError: settings, source, items or weights are unusable.
    """
    if source not in (*SOURCES, SINGLE_LAYER):
        raise InputError(f"--source {source}: unknown; choose one of {[*SOURCES, SINGLE_LAYER]}")
    cell = read_cell(settings)
    if source == LEARNED:
        found, table = _learned(settings, cell, fitted_on, items_folder, texts, answers, weights)
    else:
        tables = _fitted_tables(settings, drivers(settings), fitted_on, items_folder)
        found, table = _closed_form(cell, source, items_of(tables), weights), pd.DataFrame()
    write_control_vector(found.vector(np.ones(len(found.scale))), control_vector, model_hint(weights))
    write_csv(table.reindex(columns=list(TRAINING_COLUMNS)), training, ["step"])


def _fitted_tables(
    settings: dict[str, Any], suites: Sequence[str], fitted_on: str, items_folder: Path
) -> Mapping[str, pd.DataFrame]:
    tables = read_calibration(items_folder, suites)
    return fitted_part(tables, fitted_on, folds=number_of_folds(settings), seed=int(settings["seed"]))


def _learned(
    settings: dict[str, Any],
    cell: Cell,
    fitted_on: str,
    items_folder: Path,
    texts: Path,
    answers: Path,
    weights: Path,
) -> tuple[Directions, pd.DataFrame]:
    from edgebias.backends.local.packed_linear import fast_type
    from edgebias.mitigate.steering.learning import examples, first_block, learn

    how = value_of(settings, "mitigate.learning", LearningSettings)
    tables = _fitted_tables(settings, how.suites, fitted_on, items_folder)
    model = _steered_model(weights, cell, dtype=fast_type())
    model.steer_from(first_block(len(model.vector)))
    fitted = [
        example
        for suite, table in tables.items()
        for example in examples(model, items_from_table(table, suite, suite), table["label"].tolist())
    ]
    if not fitted:
        raise InputError(f"{items_folder}: {_NO_CONTRAST}")
    said = answer_requests(read_reference_answers(answers, "learning"))
    result = learn(model, fitted, neutral_sentences(texts, "fit"), said, how, int(settings["seed"]))
    return from_vector(result.vector, LEARNED), result.training


def _steered_model(weights: Path, cell: Cell, **how: Any) -> SteeredModel:
    from edgebias.mitigate.steering.steered_model import SteeredModel

    return SteeredModel(
        weights,
        cell.model.get("start_token"),
        _WAY_OUT,
        template_variables=cell.model.get("chat_template_kwargs"),
        **how,
    )


def _closed_form(cell: Cell, source: str, items: Sequence[Item], weights: Path) -> Directions:
    pairs = contrasts(items)
    if not pairs:
        raise InputError(f"mitigate.suites: {_NO_CONTRAST}")
    if source == GRADIENT:
        return gradient(_steered_model(weights, cell), pairs)
    with open_build(cell, weights, capture_hidden=True) as backend:
        return FROM_HIDDEN_STATES[source](backend, pairs)
