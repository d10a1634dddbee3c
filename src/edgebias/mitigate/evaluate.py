"""Evaluate one mitigation method on held-out items: bias, utility and cost, always together."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.backends.base import Backend, GenerationRequest, GenerationSettings, OptionRequest, Prompt
from edgebias.errors import InputError
from edgebias.files import read_table, write_json
from edgebias.infer.answer import answer_items
from edgebias.infer.cell import formats_of, open_cell, read_cell
from edgebias.infer.cost import cost_record, new_stopwatch
from edgebias.infer.items import items_from_table
from edgebias.infer.responses import write_responses
from edgebias.journal.job import journaled, open_journal
from edgebias.metrics import families
from edgebias.metrics.answers import Answers, FloatArray
from edgebias.metrics.metric import Metric
from edgebias.mitigate.held_out import HELD_OUT, read_split
from edgebias.mitigate.vector_file import read_control_vector
from edgebias.score.main import interval_settings
from edgebias.score.table import ALL, RESPONSE_COLUMNS, SCORE, cell_answers, join, score_table
from edgebias.settings import require
from edgebias.stats.bootstrap import Interval, Resampling, bootstrap, score_interval
from edgebias.stats.clusters import Clusters, Formula, add_up, align
from edgebias.stats.contrasts import DETECTABLE_FACTOR, corrected, paired_difference
from edgebias.stats.seeds import generator
from edgebias.tables.table import Column, Table, at_least, between
from edgebias.variants.perplexity import neutral_sentences

NONE, INSTRUCTION, FEEDBACK_LOOP = "none", "instruction", "feedback_loop"
METHODS = (NONE, INSTRUCTION, FEEDBACK_LOOP)

BIAS = {"forced_choice": "stereotype_rate", "stereoset": "ss", "bbq": "sAMB"}
"""The metric of each suite whose distance from its ideal a method should reduce."""

SUITES = tuple(BIAS)
REDUCTION, RELATIVE_REDUCTION = "reduction", "relative_reduction"
CORRECTION = "holm"
MITIGATION = Table(
    name="mitigation score",
    meaning="A score of one method on held-out items, or how much of its distance from the ideal the method removed.",
    path="results/mitigation/{environment}/{model}/{variant}/{method}/scores.csv",
    columns=(
        *SCORE.columns,
        Column("p", "float", "of no reduction, uncorrected", rule=between(0.0, 1.0), undefined=True),
        Column(
            "p_corrected", "float", "`p` corrected within the family (Holm)", rule=between(0.0, 1.0), undefined=True
        ),
        Column("family", "str", "the reductions that are corrected together; empty for scores"),
        Column("family_size", "int", "p-values in the family; 0 for scores", rule=at_least(0)),
        Column(
            "minimum_detectable_effect",
            "float",
            "smallest reduction that this many clusters would find (80 % power, 5 % level)",
            rule=at_least(0.0),
            undefined=True,
        ),
        Column("headroom", "str", "of a reduction: whether the baseline's interval excludes the ideal, and why"),
        Column("reason", "str", "why a value is NaN; empty where there is nothing to say"),
    ),
    order=SCORE.order,
    # A reduction pairs clusters in which either method answers; its n counts the answers of the one that has fewer.
    relations=tuple(relation for relation in SCORE.relations if "n_clusters" not in relation.columns),
)
MITIGATION_COLUMNS = MITIGATION.names
NEUTRAL = "neutral_text"

SPEED_PROMPTS, SPEED_TOKENS = 3, 16


def evaluate(
    settings: dict[str, Any],
    *,
    method: str,
    items_folder: Path,
    texts: Path,
    weights: Path,
    control_vector: Path | None,
    baseline: Path | None,
    responses: Path,
    scores: Path,
    cost: Path,
) -> None:
    """Answer the held-out items under ``method``; write responses, scores and cost.

    Raises:
        InputError: settings, items, weights, vector or baseline are unusable or do not fit the method.
    """
    if method not in METHODS:
        raise InputError(f"--method {method}: unknown; choose one of {list(METHODS)}")
    if (method == FEEDBACK_LOOP) != (control_vector is not None):
        raise InputError(
            f"--control-vector: {FEEDBACK_LOOP} needs it and no other method takes it; --method is {method}"
        )
    require(settings, "mitigate")
    require(settings["mitigate"], "perplexity_sentences")
    cell = read_cell(settings)
    seed, resamples, confidence = interval_settings(settings, "mitigate")
    instruction = str(settings["mitigate"]["instruction"]) if method == INSTRUCTION else None
    tables = {
        suite: read_split(path, HELD_OUT) for suite in SUITES if (path := items_folder / f"{suite}.parquet").exists()
    }
    if not tables:
        raise InputError(
            f"{items_folder}: has none of {[f'{suite}.parquet' for suite in SUITES]}; run the prompts stage"
        )
    sentences = neutral_sentences(texts, "perplexity")[: settings["mitigate"]["perplexity_sentences"]]
    before = None if baseline is None else read_table(baseline, RESPONSE_COLUMNS)

    from edgebias.backends.memory_limit import peak_memory_mb

    journal_of = open_journal(
        "edgebias.mitigate",
        settings,
        cell.environment,
        files=[*(items_folder / f"{suite}.parquet" for suite in tables), texts, *filter(None, [control_vector])],
        weights=weights,
        outputs=[responses, scores, cost],
        more=[method],
    )
    with journal_of as journal, open_cell(cell, weights) as loaded:
        n_bytes = 0 if control_vector is None else steer(loaded, control_vector)
        backend, watch = journaled(loaded, journal), new_stopwatch(journal)
        answered = {
            suite: answer_items(
                backend,
                items_from_table(table, str(items_folder / f"{suite}.parquet"), suite),
                formats_of(cell, suite),
                cell.answer,
                instruction,
                watch,
            )
            for suite, table in tables.items()
        }
        record = cost_record(
            backend,
            watch,
            environment=cell.environment,
            weights=weights,
            skipped={},
            peak_memory_mb=peak_memory_mb(),
            journal=journal,
        )
        rows = [_perplexity_row(backend, sentences, instruction, seed, resamples, confidence)]
        record |= {"method": method, "control_vector_bytes": n_bytes, **_speed(backend, sentences)}
        parts = [pd.DataFrame(rows, columns=list(SCORE.names))]
        for suite, table in tables.items():
            joined = join(table, answered[suite], suite=suite, items_name=suite, responses_name=method)
            parts.append(score_table(joined, suite=suite, seed=seed, resamples=resamples, confidence=confidence))
            if before is not None:
                reference = before[before["item_id"].isin(table["item_id"])]
                matched = join(table, reference, suite=suite, items_name=suite, responses_name=str(baseline))
                parts.append(reductions(matched, joined, suite, seed=seed, resamples=resamples, confidence=confidence))
        write_responses(pd.concat(answered.values()).sort_values(["item_id", "format"], ignore_index=True), responses)
        MITIGATION.write(with_families(pd.concat(parts, ignore_index=True), method), scores)
        write_json(record, cost)


def steer(backend: Backend, control_vector: Path) -> int:
    """Load the vector of ``control_vector`` into ``backend``; return its size in memory (bytes).

    Raises:
        InputError: the backend cannot be steered, or the vector belongs to another model.
    """
    from edgebias.backends.llama import LlamaBackend

    if not isinstance(backend, LlamaBackend):
        raise InputError(f"environments: {FEEDBACK_LOOP} needs the backend 'llama', not {backend.name!r}")
    vector = read_control_vector(control_vector, backend.n_layer, backend.n_embd)
    backend.set_control_vector(vector)
    return int(vector[1:].nbytes)


def reductions(
    before: pd.DataFrame, after: pd.DataFrame, suite: str, *, seed: int, resamples: int, confidence: float
) -> pd.DataFrame:
    """How far a method brings the bias of a suite to its ideal, by format, for each category and for ``all``.

    ``reduction`` is ``|b0 - ideal| - |b1 - ideal|`` in the metric's points, with the sign-flip p-value;
    ``relative_reduction`` the same in per cent of ``|b0 - ideal|``: 100 is the ideal; below 0 the method made things
    worse. Intervals are paired cluster bootstraps. ``headroom`` says whether the interval of the unmitigated bias b0
    excludes the ideal. Where it does not, there is nothing to reduce but noise and ``relative_reduction`` is NaN.

    Args:
        before: responses of the method ``none`` joined with their items.
        after: responses of this method to the same items.
        suite: a key of `BIAS`.
        seed: of the bootstrap.
        resamples: bootstrap samples.
        confidence: of the interval.
    """
    metric = families()[suite].metric(BIAS[suite])
    how = Resampling(seed, resamples, confidence)
    rows: list[dict[str, Any]] = []
    for form in sorted(set(before["format"]) & set(after["format"])):
        first, second = (cell_answers(joined[joined["format"] == form]) for joined in (before, after))
        rows += _reduction_rows(metric, first, second, (suite, form, ALL), how)
        for category in np.unique(first.category):
            a, b = (answers.take(answers.category == category) for answers in (first, second))
            rows += _reduction_rows(metric, a, b, (suite, form, str(category)), how)
    return pd.DataFrame(rows, columns=list(MITIGATION_COLUMNS))


def with_families(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Correct the p-values of a method's reductions (Holm) within two families: overall rows, and those of categories.

    The comparisons that the study set out to make stay apart from the look into every category.
    """
    table = table.reindex(columns=list(MITIGATION_COLUMNS))
    texts = ["family", "headroom", "reason"]
    table[texts] = table[texts].astype(object).fillna("")
    table["family_size"] = 0
    compared = table["metric"] == REDUCTION
    for family, members in (
        (f"{method}, overall", compared & (table["category"] == ALL)),
        (f"{method}, by category", compared & (table["category"] != ALL)),
    ):
        table.loc[members, "p_corrected"] = corrected(table.loc[members, "p"].tolist(), CORRECTION)
        table.loc[members, "family_size"] = int(table.loc[members, "p"].notna().sum())
        table.loc[members, "family"] = family
    return table


def headroom(baseline: Interval, ideal: float) -> tuple[bool, str]:
    """Whether there is bias to reduce beyond the baseline's own noise, and a text that says why."""
    if not (math.isfinite(baseline.low) and math.isfinite(baseline.high)):
        return False, "no: the baseline has no interval (fewer than two clusters, or too few usable answers)"
    found = f"baseline {baseline.estimate:.1f} [{baseline.low:.1f}, {baseline.high:.1f}]"
    if baseline.low <= ideal <= baseline.high:
        return False, f"no: {found} includes the ideal {ideal:g}"
    return True, f"yes: {found} excludes the ideal {ideal:g}"


def _reduction_rows(
    metric: Metric, before: Answers, after: Answers, scope: tuple[str, str, str], how: Resampling
) -> list[dict[str, Any]]:
    suite, form, category = scope
    first, second = align(add_up(metric, before), add_up(metric, after))
    baseline = score_interval(
        first,
        metric,
        resamples=how.resamples,
        confidence=how.confidence,
        rng=generator(how.seed, *scope, metric.name),  # the interval that the table of scores prints
    )
    able, why = headroom(baseline, metric.ideal)

    def below(totals: FloatArray) -> FloatArray:
        return metric.formula(totals) - metric.ideal

    def above(totals: FloatArray) -> FloatArray:
        return metric.ideal - metric.formula(totals)

    change = paired_difference(
        second,
        first,
        lambda totals: np.minimum(below(totals), above(totals)),  # minus the distance from the ideal
        bounds=(metric.low, metric.high),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=generator(how.seed, "mitigate", REDUCTION, *scope),
        branches=(below, above),
    )
    relative = Interval(math.nan, math.nan, math.nan, math.nan)
    if able:
        relative = _relative(first, second, (below, above), generator(how.seed, "mitigate", *scope), how)
    span = max(metric.high - metric.ideal, metric.ideal - metric.low)  # no distance, so no reduction, is larger
    about = metric.items(after)
    n = min(int((metric.items(answers) & metric.usable(answers)).sum()) for answers in (before, after))
    outcomes = after.outcome[about]
    common = {
        "suite": suite,
        "format": form,
        "category": category,
        "n": n,
        "n_clusters": change.n_clusters,
        "coverage": n / int(about.sum()) if about.any() else math.nan,
        **{f"n_{name}": int(np.sum(outcomes == name)) for name in ("refusal", "unparsed", "blank")},
        "headroom": why,
    }
    return [
        common
        | {
            "metric": REDUCTION,
            "estimate": change.difference,
            "low": max(change.low, -span),  # NaN, which compares false, comes first and stays
            "high": min(change.high, span),
            "ideal": math.nan,
            "p": change.p,
            "minimum_detectable_effect": change.minimum_detectable_effect,
            "reason": change.reason,
        },
        common
        | {
            "metric": RELATIVE_REDUCTION,
            "estimate": relative.estimate,
            "low": relative.low,
            "high": relative.high,
            "ideal": 100.0,
            "minimum_detectable_effect": DETECTABLE_FACTOR * relative.error if relative.error > 0 else math.nan,
            "reason": _why_undefined(able, relative),
        },
    ]


def _why_undefined(able: bool, relative: Interval) -> str:
    if not able:
        return "no headroom"
    return "" if math.isfinite(relative.low) else "no variation between clusters, or too few usable answers"


def _relative(
    before: Clusters,
    after: Clusters,
    branches: tuple[Formula, Formula],
    rng: np.random.Generator,
    how: Resampling,
) -> Interval:
    """Per cent of the distance from the ideal that is gone: the minimum over the two sides on which b1 may lie.

    It has a kink where the method reaches the ideal, and none at b0, whose interval excludes it.
    """
    if np.array_equal(before.sums, after.sums):
        return Interval(0.0, 0.0, 0.0, 0.0)
    width = before.sums.shape[1]

    def side(branch: Formula) -> Formula:
        """100 x (1 + branch of b1 / distance of b0)."""

        def formula(totals: FloatArray) -> FloatArray:
            distance = -np.minimum(*(one(totals[..., :width]) for one in branches))
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(distance > 0, 100.0 + 100.0 * branch(totals[..., width:]) / distance, np.nan)

        return formula

    sides = [side(branch) for branch in branches]
    return bootstrap(
        Clusters(before.names, before.strata, np.hstack([before.sums, after.sums])),
        lambda totals: np.minimum(sides[0](totals), sides[1](totals)),
        bounds=(-np.inf, 100.0),
        resamples=how.resamples,
        confidence=how.confidence,
        rng=rng,
        pieces=[[piece] for piece in sides],
    )


def _perplexity_row(
    backend: Backend, sentences: Sequence[str], instruction: str | None, seed: int, resamples: int, confidence: float
) -> dict[str, Any]:
    """Perplexity of neutral text as the model is served: after the instruction, where there is one."""
    prompt, space = (Prompt(text=""), "") if instruction is None else (Prompt(text=instruction.strip()), " ")
    scored = list(backend.score([OptionRequest(prompt, (space + sentence,)) for sentence in sentences]))
    clusters = Clusters(
        np.array([f"{place:04d}" for place in range(len(scored))]),
        np.array(["neutral"] * len(scored)),
        np.array([[-score.logprobs[0], float(score.n_tokens[0])] for score in scored]),
    )
    interval = bootstrap(
        clusters,
        lambda totals: np.exp(totals[..., 0] / totals[..., 1]),
        bounds=(1.0, np.inf),
        resamples=resamples,
        confidence=confidence,
        rng=generator(seed, "mitigate", NEUTRAL),
    )
    return {
        "suite": NEUTRAL,
        "format": "likelihood",
        "category": "all",
        "metric": "perplexity",
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": len(scored),
        "n_clusters": len(scored),
        "coverage": 1.0,
        "bound_low": interval.estimate,
        "bound_high": interval.estimate,
        "n_refusal": 0,
        "n_unparsed": 0,
        "n_blank": 0,
        "ideal": np.nan,
    }


def _speed(backend: Backend, sentences: Sequence[str]) -> dict[str, float | None]:
    """Median ms per token of reading a fixed text and of writing after it."""
    third = len(sentences) // SPEED_PROMPTS
    prefill, generation = [], []
    for number in range(SPEED_PROMPTS):
        prompt = Prompt(text=" ".join(sentences[number * third : (number + 1) * third][:6]))
        read = backend.usage().prompt_tokens
        first = _seconds(backend, prompt, 1)[0]
        prefill.append(1000.0 * first / max(1, backend.usage().prompt_tokens - read))
        again = _seconds(backend, prompt, 1)[0]
        seconds, written = _seconds(backend, prompt, SPEED_TOKENS + 1)
        if written > 1:
            generation.append(1000.0 * (seconds - again) / (written - 1))
    return {
        "prefill_ms_per_token": float(np.median(prefill)),
        "generation_ms_per_token": float(np.median(generation)) if generation else None,
    }


def _seconds(backend: Backend, prompt: Prompt, tokens: int) -> tuple[float, int]:
    start = time.perf_counter()
    (generation,) = backend.generate([GenerationRequest(prompt)], GenerationSettings(max_new_tokens=tokens))
    return time.perf_counter() - start, generation.n_tokens
