"""Evaluate one mitigation method on held-out items: bias, utility and cost, always together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from edgebias.backends.base import Backend
from edgebias.errors import InputError
from edgebias.files import read_table, write_json
from edgebias.infer.answer import answer_items
from edgebias.infer.cell import formats_of, open_cell, read_cell
from edgebias.infer.items import items_from_table
from edgebias.infer.responses import write_responses
from edgebias.journal.job import journaled, open_job
from edgebias.mitigate.control import CONTROLS, control_answers
from edgebias.mitigate.directions import Matrix
from edgebias.mitigate.held_out import HELD_OUT, read_split
from edgebias.mitigate.methods import GATED, INSTRUCTION, NONE, SELF_DEBIASING, STEERED, Steering, steering_of
from edgebias.mitigate.reductions import MITIGATION, SUITES, reductions, with_families
from edgebias.mitigate.reference_answers import read_answers
from edgebias.mitigate.spared_texts import SparedTexts, losses, neutral_text, perplexity_scores, reference_answers
from edgebias.mitigate.speed import paired_speed, scoring_speed, speed
from edgebias.mitigate.vector_file import read_control_vector
from edgebias.score.main import interval_settings
from edgebias.score.table import RESPONSE_COLUMNS, join, score_table
from edgebias.settings import require
from edgebias.stats.bootstrap import Resampling
from edgebias.variants.perplexity import neutral_sentences

if TYPE_CHECKING:
    from edgebias.mitigate.gated_backend import GatedBackend


@dataclass(frozen=True)
class Judge:
    """What the answers of one method are judged by.

    Attributes:
        method: its name.
        items: the held-out items of each suite.
        before: responses of the method ``none`` to compare with, or None.
        before_name: what a message calls them.
        how: seed, samples and confidence of intervals and tests.
    """

    method: str
    items: Mapping[str, pd.DataFrame]
    before: pd.DataFrame | None
    before_name: str
    how: Resampling

    def table(self, answered: Mapping[str, pd.DataFrame], *measured: pd.DataFrame) -> pd.DataFrame:
        """The table of mitigation scores: scores and, against ``before``, reductions of each suite.

        Args:
            answered: responses to each suite.
            measured: scores that do not come from responses, to be put into the table.

        Raises:
            InputError: responses do not fit the items.
        """
        seed, resamples, confidence = self.how.seed, self.how.resamples, self.how.confidence
        parts = list(measured)
        for suite, items in self.items.items():
            after = join(items, answered[suite], suite=suite, items_name=suite, responses_name=self.method)
            parts.append(score_table(after, suite=suite, seed=seed, resamples=resamples, confidence=confidence))
            if self.before is not None:
                reference = self.before[self.before["item_id"].isin(items["item_id"])]
                before = join(items, reference, suite=suite, items_name=suite, responses_name=self.before_name)
                parts.append(reductions(before, after, suite, seed=seed, resamples=resamples, confidence=confidence))
        return with_families(pd.concat(parts, ignore_index=True), self.method)


@dataclass(frozen=True)
class Outputs:
    """The files of an evaluation."""

    responses: Path
    scores: Path
    cost: Path

    def write(self, answered: Mapping[str, pd.DataFrame], table: pd.DataFrame, record: Mapping[str, Any]) -> None:
        """Write the responses to all suites, the table of scores and the cost record."""
        together = pd.concat(answered.values()).sort_values(["item_id", "format"], ignore_index=True)
        write_responses(together, self.responses)
        MITIGATION.write(table, self.scores)
        write_json(record, self.cost)


def evaluate(
    settings: dict[str, Any],
    *,
    method: str,
    items_folder: Path,
    texts: Path,
    answers: Path,
    weights: Path,
    control_vector: Path | None,
    gate: Path | None,
    baseline: Path | None,
    responses: Path,
    scores: Path,
    cost: Path,
) -> None:
    """Answer the held-out items under ``method``; write responses, scores and cost.

    Raises:
        InputError: settings, items, weights, vector or baseline are unusable or do not fit the method.
    """
    steering = steering_of(method)
    if (steering is None) != (control_vector is None):
        raise InputError(
            f"--control-vector: {list(STEERED)} need it and no other method takes it; --method is {method}"
        )
    if (steering is not None and steering.gated) != (gate is not None):
        raise InputError(f"--gate: methods whose name begins with {GATED} need it and no other; --method is {method}")
    require(settings, "mitigate")
    require(settings["mitigate"], "perplexity_sentences")
    cell = read_cell(settings)
    how = Resampling(*interval_settings(settings, "mitigate"))
    instruction = str(settings["mitigate"]["instruction"]) if method == INSTRUCTION else None
    paths = {suite: path for suite in SUITES if (path := items_folder / f"{suite}.parquet").exists()}
    if not paths:
        raise InputError(
            f"{items_folder}: has none of {[f'{suite}.parquet' for suite in SUITES]}; run the prompts stage"
        )
    held_out = {suite: read_split(path, HELD_OUT) for suite, path in paths.items()}
    sentences = neutral_sentences(texts, "perplexity")[: settings["mitigate"]["perplexity_sentences"]]
    said = read_answers(answers, "measured")
    before = None if baseline is None else read_table(baseline, RESPONSE_COLUMNS)
    asked = {suite: items_from_table(table, str(paths[suite]), suite) for suite, table in held_out.items()}
    judge = Judge(method, held_out, before, str(baseline), how)
    outputs = Outputs(responses, scores, cost)
    if method in CONTROLS:
        answered = {
            suite: control_answers(method, items, formats_of(cell, suite), how.seed) for suite, items in asked.items()
        }
        outputs.write(answered, judge.table(answered), {"method": method, "control_vector_bytes": 0})
        return
    job_of = open_job(
        "edgebias.mitigate",
        settings,
        cell,
        files=[*paths.values(), texts, answers, *filter(None, [control_vector, gate])],
        weights=weights,
        outputs=[responses, scores, cost],
        more=[method],
    )
    with job_of as job:
        with open_cell(cell, weights) as loaded:  # steered before its answers are kept: only the model itself can be
            vector = None if control_vector is None or steering is None else steer(loaded, control_vector, steering)
            mitigated = self_debiasing(loaded, settings) if method == SELF_DEBIASING else loaded
            gated = None if gate is None or vector is None else gated_backend(loaded, vector, gate, weights)
            mitigated = gated or mitigated
            backend = journaled(mitigated, job.journal)
            answered, opened = {}, {}
            for suite, items in asked.items():
                answered[suite] = answer_items(
                    backend, items, formats_of(cell, suite), cell.answer, instruction, job.stopwatch
                )
                opened[suite] = gated.opened() if gated else math.nan
            record = job.cost(backend, skipped={})
            spared = [neutral_text(sentences, instruction)]
            if method != SELF_DEBIASING:  # it reads no conversation
                spared.append(reference_answers(said, instruction))
            lost = []
            for kind in spared:
                lost.append(losses(mitigated, kind.requests))
                opened[kind.suite] = gated.opened() if gated else math.nan
            record |= {"method": method, "control_vector_bytes": 0 if vector is None else int(vector[1:].nbytes)}
            if gated is not None:
                record |= scoring_speed(loaded, gated, sentences) | {"gate_opened": opened}
            elif vector is not None:
                record |= paired_speed(loaded, vector, sentences)
            elif mitigated is not loaded:
                record |= scoring_speed(loaded, mitigated, sentences)
            else:
                record |= speed(loaded, sentences)
            plain = _plain(loaded, method, [neutral_text(sentences), reference_answers(said)][: len(spared)])
        measured = [perplexity_scores(*kind, how) for kind in zip(spared, lost, plain, strict=True)]
        outputs.write(answered, judge.table(answered, *measured), record)


def steer(backend: Backend, control_vector: Path, steering: Steering) -> Matrix:
    """Load the vector of ``control_vector`` into ``backend`` as ``steering`` says; return it.

    Raises:
        InputError: the backend cannot be steered, or the vector belongs to another model.
    """
    from edgebias.backends.llama import LlamaBackend

    if not isinstance(backend, LlamaBackend):
        raise InputError(f"environments: a control vector needs the backend 'llama', not {backend.name!r}")
    vector = read_control_vector(control_vector, backend.n_layer, backend.n_embd)
    if steering.equal_layers:
        vector = equal_layers(vector)
    vector = (steering.gain * vector).astype(np.float32)
    backend.set_control_vector(vector)
    return vector


def equal_layers(vector: Matrix) -> Matrix:
    """``vector`` (n_layer, n_embd) with one length for all rows that are not zero, its total length unchanged."""
    lengths = np.linalg.norm(vector, axis=1, keepdims=True)
    steered = lengths > 0
    common = np.sqrt(np.mean(lengths[steered] ** 2)) if steered.any() else 0.0
    found: Matrix = np.where(steered, vector * (common / np.where(steered, lengths, 1.0)), 0.0).astype(np.float32)
    return found


def gated_backend(loaded: Backend, vector: Matrix, gate: Path, weights: Path) -> GatedBackend:
    """``loaded``, steered by ``vector`` only where the gate at ``gate`` opens.

    Raises:
        InputError: the gate is unusable or of another model.
    """
    from edgebias.backends.llama import LlamaBackend
    from edgebias.mitigate.gate import open_gate
    from edgebias.mitigate.gated_backend import GatedBackend

    assert isinstance(loaded, LlamaBackend)  # nothing else was steered
    return GatedBackend(loaded, vector, open_gate(gate, weights))


def _plain(loaded: Backend, method: str, spared: Sequence[SparedTexts]) -> Sequence[npt.NDArray[np.float64] | None]:
    """The losses of texts without the method, on the model that was steered; None for ``none`` itself."""
    from edgebias.backends.llama import LlamaBackend

    if method == NONE:
        return [None] * len(spared)
    if isinstance(loaded, LlamaBackend):
        loaded.set_control_vector(None)
    return [losses(loaded, kind.requests) for kind in spared]


def self_debiasing(backend: Backend, settings: dict[str, Any]) -> Backend:
    """``backend`` with self-debiased scores.

    Raises:
        InputError: it does not tell whole distributions, or ``mitigate.self_debiasing`` is unusable.
    """
    from edgebias.backends.llama import LlamaBackend
    from edgebias.mitigate.self_debiasing import SelfDebiasingBackend, self_debiasing_settings

    if not isinstance(backend, LlamaBackend):
        raise InputError(f"environments: self_debiasing needs the backend 'llama', not {backend.name!r}")
    return SelfDebiasingBackend(backend, self_debiasing_settings(settings))
