"""Evaluate one mitigation method on held-out items: bias, utility and cost, always together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.backends.base import OptionRequest
from edgebias.core.errors import InputError
from edgebias.core.files import read_table, write_json
from edgebias.infer.answer import answer_items
from edgebias.infer.cell import formats_of, open_cell, read_cell
from edgebias.infer.items import Item, items_from_table
from edgebias.infer.job import journaled, open_job
from edgebias.infer.responses import write_responses
from edgebias.infer.wording import likelihood_wording
from edgebias.mitigate.held_out import HELD_OUT, read_split
from edgebias.mitigate.methods.controls import CONTROLS, control_answers
from edgebias.mitigate.mitigated import check_files, mitigate
from edgebias.mitigate.preserved_texts import SparedTexts, losses, neutral_text, perplexity_scores, reference_answers
from edgebias.mitigate.reductions import MITIGATION, reductions, with_families
from edgebias.mitigate.reference_answers import read_answers
from edgebias.mitigate.registry import CHOOSING, CONDITIONAL, INSTRUCTION, NONE, SCORING, SELF_DEBIASING
from edgebias.mitigate.section import mitigate_section
from edgebias.mitigate.speed import SCORED
from edgebias.models.perplexity import neutral_sentences
from edgebias.score.settings import interval_settings
from edgebias.score.table import RESPONSE_COLUMNS, join, score_table
from edgebias.stats.bootstrap import Resampling
from edgebias.suites.formats import LIKELIHOOD
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
    check_files(method, control_vector, gate)
    section = mitigate_section(settings, "perplexity_sentences", "resamples", "confidence")
    cell = read_cell(settings)
    how = Resampling(*interval_settings(settings | {"mitigate": section}, "mitigate"))
    instruction = str(mitigate_section(settings, INSTRUCTION)[INSTRUCTION]) if method == INSTRUCTION else None
    suites = [suite.name for suite in mitigated()]
    paths = {suite: path for suite in suites if (path := items_folder / f"{suite}.parquet").exists()}
    if not paths:
        raise InputError(
            f"{items_folder}: has none of {[f'{suite}.parquet' for suite in suites]}; run the prompts stage"
        )
    held_out = {suite: read_split(path, HELD_OUT) for suite, path in paths.items()}
    sentences = neutral_sentences(texts, "perplexity")[: section["perplexity_sentences"]]
    said = read_answers(answers, "measured")
    before = None if baseline is None else read_table(baseline, RESPONSE_COLUMNS)
    asked = {suite: items_from_table(table, str(paths[suite]), suite) for suite, table in held_out.items()}
    formats = {suite: _formats(method, formats_of(cell, suite), suite) for suite in asked}
    judge = Judge(method, held_out, before, str(baseline), how)
    outputs = Outputs(responses, scores, cost)
    if method in CONTROLS:
        answered = {suite: control_answers(method, items, formats[suite], how.seed) for suite, items in asked.items()}
        outputs.write(answered, judge.table(answered), {"method": method, "control_vector_bytes": 0})
        return
    job_of = open_job(
        "edgebias.stages.mitigate",
        settings,
        cell,
        files=[*paths.values(), texts, answers, *filter(None, [control_vector, gate])],
        weights=weights,
        outputs=[responses, scores, cost],
        more=[method],
    )
    with job_of as job:
        reads_states = method == CONDITIONAL
        # Mitigated before its answers are kept: only the model itself can be.
        with open_cell(cell, weights, capture_hidden=reads_states) as loaded:
            model = mitigate(loaded, method, settings, weights=weights, control_vector=control_vector, gate=gate)
            backend = journaled(model.backend, job.journal)
            answered = {}
            for suite, items in asked.items():
                answered[suite] = answer_items(backend, items, formats[suite], cell.answer, instruction, job.stopwatch)
                model.count(suite)
            record = job.cost(backend, skipped={})
            kinds = _kinds_of_text(method, sentences, said)
            spared = [kind(instruction) for kind in kinds]
            lost = []
            for texts_of_kind in spared:
                lost.append(losses(model.backend, texts_of_kind.requests))
                model.count(texts_of_kind.suite)
            record |= {"method": method} | model.cost(sentences, _timed(method, sentences, asked))
            model.lift()
            plain = [None if method == NONE else losses(loaded, kind(None).requests) for kind in kinds]
        measured = [perplexity_scores(*of_kind, how) for of_kind in zip(spared, lost, plain, strict=True)]
        outputs.write(answered, judge.table(answered, *measured), record)


def _formats(method: str, formats: Sequence[str], suite: str) -> list[str]:
    """Those of ``formats`` that ``method`` can answer.

    Raises:
        InputError: there is none.
    """
    found = [name for name in formats if name == LIKELIHOOD or method not in SCORING]
    if not found:
        raise InputError(f"infer.formats.{suite}: {method} scores options and writes nothing; add {LIKELIHOOD!r}")
    return found


def _kinds_of_text(
    method: str, sentences: Sequence[str], answers: pd.DataFrame
) -> list[Callable[[str | None], SparedTexts]]:
    """The kinds of text whose perplexity ``method`` can change, each a function of the instruction before them."""
    if method in CHOOSING:
        return []
    if method == SELF_DEBIASING:  # it reads no conversation
        return [partial(neutral_text, sentences)]
    return [partial(neutral_text, sentences), partial(reference_answers, answers)]


def _timed(method: str, sentences: Sequence[str], asked: Mapping[str, Sequence[Item]]) -> Sequence[OptionRequest]:
    """What a method that scores and writes nothing is timed on: sentences or, where it chooses, items of each suite."""
    if method not in CHOOSING:
        return neutral_text(sentences[:SCORED]).requests
    of_each = -(-SCORED // len(asked))
    wordings = [likelihood_wording(item) for items in asked.values() for item in items[:of_each]]
    return [OptionRequest(wording.prompt, wording.continuations) for wording in wordings]
