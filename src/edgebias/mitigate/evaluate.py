"""Evaluate one mitigation method on held-out items: bias, utility and cost, always together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.backends.base import OptionRequest
from edgebias.core.code_hash import code_hash
from edgebias.core.errors import InputError
from edgebias.core.files import read_table, write_json
from edgebias.core.settings import keys_of, seed_of
from edgebias.infer.answer import answer_items
from edgebias.infer.cell import Cell, formats_of, open_cell, read_cell
from edgebias.infer.job import Job, journaled, open_job
from edgebias.infer.responses import write_responses
from edgebias.infer.wording import likelihood_wording
from edgebias.mitigate.base import Artefacts, Method
from edgebias.mitigate.held_out import HELD_OUT, read_split
from edgebias.mitigate.mitigated import Mitigated
from edgebias.mitigate.preserved_texts import (
    PreservedTexts,
    losses,
    neutral_text,
    perplexity_scores,
    reference_answers,
)
from edgebias.mitigate.reductions import MITIGATION, reductions, with_families
from edgebias.mitigate.reference_answers import read_reference_answers
from edgebias.mitigate.registry import METHODS, NONE, ChosenMethod, check_files, choose
from edgebias.mitigate.settings import EvaluationKeys
from edgebias.mitigate.speed import SCORED
from edgebias.models.perplexity import neutral_sentences
from edgebias.score.table import RESPONSE_COLUMNS, join, score_table
from edgebias.stats.bootstrap import Resampling
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD
from edgebias.suites.item import Item, items_from_table
from edgebias.suites.registry import mitigated


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
        """Return the table of mitigation scores: scores and, against ``before``, reductions of each suite.

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


@dataclass(frozen=True)
class HeldOut:
    """What a method is asked and measured on.

    Attributes:
        paths: the item table of each suite.
        tables: the held-out items of each suite as rows.
        items: the same as they are asked.
        formats: those of each suite that the method can answer.
        sentences: neutral text.
        answers: reference answers that methods are measured on.
    """

    paths: Mapping[str, Path]
    tables: Mapping[str, pd.DataFrame]
    items: Mapping[str, Sequence[Item]]
    formats: Mapping[str, Sequence[str]]
    sentences: Sequence[str]
    answers: pd.DataFrame


@dataclass(frozen=True)
class Measured:
    """What a method did: responses by suite, rows of perplexity, the cost record."""

    responses: Mapping[str, pd.DataFrame]
    perplexities: Sequence[pd.DataFrame]
    cost: Mapping[str, Any]


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
    """Answer the held-out items under a method; write responses, scores and cost.

    Args:
        settings: of the rule ``mitigate``; the key ``method`` is the entry of ``study.methods``, and left out, the
            method is the one named ``method``.
        method: label of the row.
        items_folder: of the item tables.
        texts: neutral text, as BOLD has it.
        answers: table of reference answers.
        weights: GGUF of the build.
        control_vector: what steers the build, of a method that steers.
        gate: what says which requests are steered, of a method behind one.
        baseline: responses of the method ``none``; None leaves reductions out.
        responses: table to write.
        scores: table to write.
        cost: record to write.

    Raises:
        InputError: settings, items, weights, vector or baseline are unusable or do not fit the method.
    """
    chosen = _chosen(settings, method)
    check_files(chosen, control_vector, gate)
    keys = keys_of(settings, "mitigate", EvaluationKeys)
    cell = read_cell(settings)
    how = Resampling(seed_of(settings), keys.resamples, keys.confidence)
    instruction = chosen.method.instruction(chosen.settings(settings))
    asked = _held_out(chosen.method, cell, items_folder, texts, answers, keys.perplexity_sentences)
    before = None if baseline is None else read_table(baseline, RESPONSE_COLUMNS)
    judge = Judge(method, asked.tables, before, str(baseline), how)
    outputs = Outputs(responses, scores, cost)
    if not chosen.method.asks_model:
        answered = {
            suite: chosen.method.answers(items, asked.formats[suite], how.seed) for suite, items in asked.items.items()
        }
        outputs.write(answered, judge.table(answered), {"method": method, "control_vector_bytes": 0})
        return
    job_of = open_job(
        "edgebias.stages.mitigate",
        settings,
        cell,
        files=[*asked.paths.values(), texts, answers, *filter(None, [control_vector, gate])],
        weights=weights,
        outputs=[responses, scores, cost],
        more=[method, code_hash(METHODS.module(chosen.name))],
    )
    with job_of as job:
        artefacts = Artefacts(weights, control_vector, gate)
        with open_cell(cell, weights, capture_hidden=chosen.method.reads_hidden_states) as loaded:
            # Mitigated before its answers are kept: only the model itself can be.
            build = chosen.wrap(loaded, settings, artefacts)
            measured = _measure(chosen, build, instruction, asked, cell, job, how)
        outputs.write(measured.responses, judge.table(measured.responses, *measured.perplexities), measured.cost)


def _chosen(settings: Mapping[str, Any], label: str) -> ChosenMethod:
    """Return the method that the settings choose, or the one of that name where they choose none."""
    chosen = choose(settings.get("method", label))
    if chosen.label != label:
        raise InputError(f"--method {label}: the settings choose {chosen.label}; give the two of one method")
    return chosen


def _held_out(
    method: Method[Any], cell: Cell, items_folder: Path, texts: Path, answers: Path, sentences: int
) -> HeldOut:
    suites = [suite.name for suite in mitigated()]
    paths = {suite: path for suite in suites if (path := items_folder / f"{suite}.parquet").exists()}
    if not paths:
        raise InputError(f"{items_folder}: has none of {[f'{suite}.parquet' for suite in suites]}; run the items stage")
    tables = {suite: read_split(path, HELD_OUT) for suite, path in paths.items()}
    neutral = neutral_sentences(texts, "perplexity")[:sentences]
    reference = read_reference_answers(answers, "measured")
    items = {suite: items_from_table(table, str(paths[suite]), suite) for suite, table in tables.items()}
    formats = {suite: _formats(method, formats_of(suite, cell.formats, cell.model), suite) for suite in items}
    return HeldOut(paths, tables, items, formats, neutral, reference)


def _measure(
    chosen: ChosenMethod,
    build: Mitigated,
    instruction: str | None,
    asked: HeldOut,
    cell: Cell,
    job: Job,
    how: Resampling,
) -> Measured:
    """Ask and time a build under a method; then take the method away and measure the texts that it can spoil."""
    backend = journaled(build.backend, job.journal)
    responses = {}
    for suite, items in asked.items.items():
        formats = asked.formats[suite]
        responses[suite] = answer_items(backend, items, formats, cell.answer, instruction, job.stopwatch)
        build.count(suite)
    cost = job.cost(backend, skipped={})
    kinds = _kinds_of_text(chosen.method, asked)
    preserved = [kind(instruction) for kind in kinds]
    after = []
    for texts in preserved:
        after.append(losses(build.backend, texts.requests))
        build.count(texts.suite)
    cost |= {"method": chosen.label} | build.cost(asked.sentences, _timed(chosen.method, asked))
    build.lift()
    before = [None if chosen.name == NONE else losses(build.loaded, kind(None).requests) for kind in kinds]
    rows = [perplexity_scores(*of_kind, how) for of_kind in zip(preserved, after, before, strict=True)]
    return Measured(responses, rows, cost)


def _formats(method: Method[Any], formats: Sequence[str], suite: str) -> list[str]:
    """Return those of ``formats`` that ``method`` can answer; balanced letters stand for plain ones.

    Raises:
        InputError: there is none.
    """
    compared = [name for name in formats if name != LETTER or LETTER_BALANCED not in formats]
    answerable = [name for name in compared if name == LIKELIHOOD or not method.scores_only]
    if not answerable:
        raise InputError(f"infer.formats.{suite}: {method.name} scores options and writes nothing; add {LIKELIHOOD!r}")
    return answerable


def _kinds_of_text(method: Method[Any], asked: HeldOut) -> list[Callable[[str | None], PreservedTexts]]:
    """Return the kinds of text whose perplexity ``method`` can change, each a function of the instruction
    before them.
    """
    if method.chooses:
        return []
    neutral = partial(neutral_text, asked.sentences)
    return [neutral, partial(reference_answers, asked.answers)] if method.reads_conversations else [neutral]


def _timed(method: Method[Any], asked: HeldOut) -> Sequence[OptionRequest]:
    """Return what a method that scores and writes nothing is timed on.

    Sentences or, where it chooses, items of each suite.
    """
    if not method.chooses:
        return neutral_text(asked.sentences[:SCORED]).requests
    of_each = -(-SCORED // len(asked.items))
    wordings = [likelihood_wording(item) for items in asked.items.values() for item in items[:of_each]]
    return [OptionRequest(wording.prompt, wording.continuations) for wording in wordings]
