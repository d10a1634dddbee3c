"""Fitting a gate: the plane between the words of calibration items and those of texts that steering must spare.

It tells calibration items from neutral sentences and from what the uncompressed build answers in use (logistic
regression) and opens for all but `MISSED` of the items of target terms that it has not seen. The answers are those that
learning reads: the guard of a loop behind the gate, and the scores, have others, which the gate has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.files import write_json
from edgebias.infer.cell import read_cell
from edgebias.infer.wording import likelihood_wording
from edgebias.mitigate.calibration import LEARNED_SENTENCES, items_of, read_calibration, steered_suites
from edgebias.mitigate.preserved_texts import neutral_text
from edgebias.mitigate.reference_answers import answer_requests, read_reference_answers
from edgebias.mitigate.steering.directions import Matrix
from edgebias.mitigate.steering.gate import Gate, words_of
from edgebias.mitigate.steering.llama_build import open_build
from edgebias.mitigate.steering.token_embeddings import embedding_rows
from edgebias.models.perplexity import neutral_sentences
from edgebias.suites.item import Item

MISSED = 0.05
"""Share of calibration items, of target terms that the gate has not seen, for which it may stay shut."""

FOLDS = 5
"""Folds of target terms in which the threshold is found."""

STRENGTH = 1.0
"""scikit-learn's ``C``, at its default: nothing is chosen here."""

DECIMALS = 4
"""Decimals of the plane as it is written: those after them depend on the processor that adds up.

A value that lies between two of these decimals may still be written as either; with two fewer that is 100 times rarer.
"""


def words_to_tell_apart(
    items: Sequence[Item], sentences: Sequence[str], answers: pd.DataFrame
) -> tuple[list[str], list[str]]:
    """Return what a gate reads of requests that it should open for, and of those for which it should stay shut.

    Args:
        items: those that are steered.
        sentences: neutral text.
        answers: the reference answers of learning.
    """
    wordings = [likelihood_wording(item) for item in items]
    spared = (*neutral_text(sentences).requests, *answer_requests(answers))
    return (
        [words_of(wording.prompt, wording.continuations) for wording in wordings],
        [words_of(request.prompt, request.options) for request in spared],
    )


def fit_gate(wanted: Matrix, groups: Sequence[str], unwanted: Matrix) -> tuple[Gate, dict[str, float]]:
    """Return the gate that tells ``wanted`` from ``unwanted`` mean embeddings, and how often it opens for both.

    Shares are of requests that a gate had not seen: those of `FOLDS` gates, each fitted without a part of the groups
    and of the unwanted requests, at the one threshold.

    Args:
        wanted: (requests, n_embd).
        groups: target term of each wanted request; a fold has all of a term or none.
        unwanted: (requests, n_embd).

    Raises:
        InputError: there are fewer groups, or unwanted requests, than folds.
    """
    from sklearn.linear_model import LogisticRegression  # takes a second to import
    from sklearn.model_selection import GroupKFold

    if min(len(set(groups)), len(unwanted)) < FOLDS:
        raise InputError(
            f"the gate: {len(set(groups))} calibration clusters and {len(unwanted)} neutral texts; "
            f"{FOLDS} of each are needed, raise the counts under `prompts`"
        )
    features = np.concatenate([wanted, unwanted]).astype(np.float64)
    label = np.repeat([1, 0], [len(wanted), len(unwanted)])
    units = [*groups, *(f"text/{place}" for place in range(len(unwanted)))]
    scale = features.std(axis=0).mean()  # embeddings are short, and the penalty must mean the same in every model

    def fitted(rows: Any) -> Any:
        model = LogisticRegression(C=STRENGTH, class_weight="balanced", tol=1e-8, max_iter=2000)
        return model.fit(features[rows] / scale, label[rows])

    margins = np.empty(len(features))
    for known, new in GroupKFold(FOLDS).split(features, label, units):
        margins[new] = fitted(known).decision_function(features[new] / scale)
    least = float(np.quantile(margins[label == 1], MISSED))
    model = fitted(np.arange(len(features)))
    shares = {
        "opens_for_calibration_items": float(np.mean(margins[label == 1] >= least)),
        "opens_for_neutral_text": float(np.mean(margins[label == 0] >= least)),
    }
    return Gate(model.coef_[0] / scale, least - float(model.intercept_[0])), shares


def write_gate(
    settings: dict[str, Any], *, items_folder: Path, texts: Path, answers: Path, weights: Path, gate: Path
) -> None:
    """Fit the gate of a build on calibration items, and on the neutral sentences and answers of learning; write it.

    Raises:
        InputError: settings, items, texts or weights are unusable, or there are too few items.
    """
    cell = read_cell(settings)
    tables = read_calibration(items_folder, steered_suites(settings))
    sentences = neutral_sentences(texts, "fit")[:LEARNED_SENTENCES]
    wanted, unwanted = words_to_tell_apart(items_of(tables), sentences, read_reference_answers(answers, "learning"))
    with open_build(cell, weights) as backend:
        tokens = [backend.tokenise(text, special=False) for text in (*wanted, *unwanted)]
    means = _means(tokens, lambda ids: embedding_rows(weights, ids))
    clusters = [cluster for table in tables.values() for cluster in table["cluster"]]
    found, shares = fit_gate(means[: len(wanted)], clusters, means[len(wanted) :])
    normal = np.round(found.normal, DECIMALS).tolist()
    write_json(shares | {"normal": normal, "threshold": round(found.threshold, DECIMALS)}, gate)


def _means(tokens: Sequence[Sequence[int]], embed: Callable[[Sequence[int]], Matrix]) -> Matrix:
    """Mean embedding of each text's tokens; every token's embedding is read once."""
    known = sorted({token for text in tokens for token in text})
    place = {token: row for row, token in enumerate(known)}
    rows = embed(known)
    return np.stack([rows[[place[token] for token in text]].mean(axis=0) for text in tokens])
