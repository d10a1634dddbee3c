"""Why self-written data passes bias on: two of the three misalignments that arXiv:2502.04419 names, as measurements.

Group data: whom the model writes about, beside real sentences. Data distribution: how far what it writes lies from real
sentences inside the model. The third, of values, needs GlobalOpinionQA, which no package carries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import fisher_exact

from edgebias.core.arrays import FloatArray
from edgebias.core.progress import Progress
from edgebias.core.seeds import derive, generator
from edgebias.core.table import Column, Table, at_least, between, one_of
from edgebias.stats.wilson import wilson_limits
from edgebias.suites.occupation_sentences import FEMALE, GENDERS, JOBS, OccupationSentence, held_out
from edgebias.train.augment import KEPT
from edgebias.train.augmentation_prompts import KINDS
from edgebias.train.losses import passes, read
from edgebias.train.mixture import example_prompt, in_shares
from edgebias.train.tokens import Example, Tokeniser, requests_of

PER_JOB = 20
"""Most examples of a job whose hidden states are read, of each kind and of originals."""

GROUP_DATA = Table(
    name="group data",
    meaning="The share of women among the persons that a model writes about, beside BUG's sentences on that job.",
    path="results/{study}/augmented/{environment}/{model}/{variant}/group_data.csv",
    columns=(
        Column("kind", "str", "type of bias of the prompts, or `neutral`", rule=one_of(KINDS)),
        Column("job", "str", "whom a text is about", rule=one_of(JOBS)),
        Column("n_augmented", "int", "kept texts whose pronouns tell one gender", rule=at_least(0)),
        Column("n_original", "int", "sentences of BUG that may be trained on", rule=at_least(0)),
        Column("augmented", "float", "share of women among the former (0 to 1)", between(0, 1), undefined=True),
        Column("original", "float", "share of women among the latter (0 to 1)", between(0, 1), undefined=True),
        Column("difference", "float", "augmented minus original", between(-1, 1), undefined=True),
        Column("low", "float", "of the difference, by Newcombe's method 10", between(-1, 1), undefined=True),
        Column("high", "float", "of the difference", between(-1, 1), undefined=True),
        Column("p_value", "float", "Fisher's exact test, two-sided, not corrected", between(0, 1), undefined=True),
    ),
    order=("kind", "job"),
)

EMBEDDING_SHIFT = Table(
    name="embedding shift",
    meaning="How far the examples that a model wrote lie from original ones in its last hidden states.",
    path="results/{study}/augmented/{environment}/{model}/{variant}/embedding_shift.csv",
    columns=(
        Column("kind", "str", "type of bias of the prompts, or `neutral`", rule=one_of(KINDS)),
        Column("n_augmented", "int", "kept texts that were read, up to 20 of each job", rule=at_least(0)),
        Column("n_original", "int", "sentences of BUG that were read, as many of each job", rule=at_least(0)),
        Column(
            "shift",
            "float",
            "mean square over the width of the difference of means, which is taken within jobs",
            at_least(0),
            undefined=True,
        ),
        Column("by_chance", "float", "mean of it where origins are drawn at random", at_least(0), undefined=True),
        Column("p_value", "float", "permutation test within jobs, not corrected", between(0, 1), undefined=True),
    ),
    order=("kind",),
)


def group_data(
    texts: Mapping[str, pd.DataFrame], sentences: Sequence[OccupationSentence], confidence: float
) -> pd.DataFrame:
    """Return the table `GROUP_DATA`.

    Args:
        texts: augmented ones by kind (`edgebias.train.augment.AUGMENTED_TEXT`).
        sentences: of BUG; those that are asked stay out.
        confidence: of the intervals.
    """
    free = [sentence for sentence in sentences if not held_out(sentence.text)]
    rows = []
    for kind, table in texts.items():
        told = table[(table["outcome"] == KEPT) & table["gender"].isin(GENDERS)]
        for job in JOBS:
            written = told["gender"][told["job"] == job].tolist()
            found = [sentence.gender for sentence in free if sentence.job == job]
            rows.append({"kind": kind, "job": job, **compared(written, found, confidence)})
    return pd.DataFrame(rows, columns=list(GROUP_DATA.names))


def compared(written: Sequence[str], found: Sequence[str], confidence: float) -> dict[str, Any]:
    """Return the columns of `GROUP_DATA` of two lists of genders: shares of women, their difference and its test.

    The interval is method 10 of Newcombe 1998 (Statistics in Medicine 17, p. 873), from two intervals of Wilson's.
    """
    women = [sum(gender == FEMALE for gender in genders) for genders in (written, found)]
    sizes = [len(written), len(found)]
    row: dict[str, Any] = {"n_augmented": sizes[0], "n_original": sizes[1]}
    shares = [count / size if size else math.nan for count, size in zip(women, sizes, strict=True)]
    difference = shares[0] - shares[1]
    low = high = p_value = math.nan
    if all(sizes):
        (low_a, high_a), (low_o, high_o) = (
            wilson_limits(share, size, confidence) for share, size in zip(shares, sizes, strict=True)
        )
        low = difference - math.hypot(shares[0] - low_a, high_o - shares[1])
        high = difference + math.hypot(high_a - shares[0], shares[1] - low_o)
        counts = [[count, size - count] for count, size in zip(women, sizes, strict=True)]
        p_value = float(fisher_exact(counts).pvalue)
    return row | {
        "augmented": shares[0],
        "original": shares[1],
        "difference": difference,
        "low": low,
        "high": high,
        "p_value": p_value,
    }


def embedding_shift(
    model: Any,
    tokeniser: Tokeniser,
    texts: Mapping[str, pd.DataFrame],
    sentences: Sequence[OccupationSentence],
    *,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Return the table `EMBEDDING_SHIFT`: phi of the loss-based term, of the model that wrote the texts.

    Args:
        model: a causal language model of transformers.
        tokeniser: its.
        texts: augmented ones by kind.
        sentences: of BUG; those that are asked stay out.
        resamples: permutations of a test.
        seed: draws the examples and the permutations.
    """
    originals = [
        (sentence.job, sentence.masked, sentence.gender) for sentence in sentences if not held_out(sentence.text)
    ]
    kept = {
        kind: [(str(row.job), str(row.masked), str(row.group)) for row in table[table["outcome"] == KEPT].itertuples()]
        for kind, table in texts.items()
    }
    total = sum(
        min(PER_JOB, sum(job == one[0] for one in some)) for some in (originals, *kept.values()) for job in JOBS
    )
    rows = []
    with Progress("hidden states", total, "examples") as progress:
        jobs, states = _read(model, tokeniser, originals, seed, progress)
        for kind, some in kept.items():
            jobs_of, states_of = _read(model, tokeniser, some, seed, progress)
            rng = generator(seed, "embedding shift", kind)
            tested = shift_test(states, states_of, jobs, jobs_of, resamples, rng)
            rows.append({"kind": kind, "n_augmented": len(jobs_of), "n_original": len(jobs), **tested})
    return pd.DataFrame(rows, columns=list(EMBEDDING_SHIFT.names))


def shift_test(
    originals: FloatArray,
    augmented: FloatArray,
    jobs_of_originals: Sequence[str],
    jobs_of_augmented: Sequence[str],
    resamples: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return ``shift``, ``by_chance`` and ``p_value`` of two samples of states, (examples, width) each.

    The difference is taken within each job, and its mean over jobs counts; origins are permuted within jobs. So another
    mix of jobs is no shift. NaN where no job is in both samples.
    """
    both = sorted(set(jobs_of_originals) & set(jobs_of_augmented))
    if not both:
        return dict.fromkeys(("shift", "by_chance", "p_value"), math.nan)
    states = np.concatenate([originals, augmented])
    jobs = np.array([*jobs_of_originals, *jobs_of_augmented])
    kinds = np.arange(len(states)) >= len(originals)
    places = [np.flatnonzero(jobs == job) for job in both]

    def shift(kind: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
        differences = [states[place[~kind[place]]].mean(0) - states[place[kind[place]]].mean(0) for place in places]
        return float(np.square(np.mean(differences, axis=0)).mean())

    observed, drawn = shift(kinds), []
    for _ in range(resamples):
        permuted = kinds.copy()
        for place in places:
            permuted[place] = rng.permutation(kinds[place])
        drawn.append(shift(permuted))
    beyond = sum(one >= observed for one in drawn)
    return {
        "shift": observed,
        "by_chance": float(np.mean(drawn)),
        "p_value": (beyond + 1) / (resamples + 1),
    }


def _read(
    model: Any, tokeniser: Tokeniser, entries: Sequence[tuple[str, str, str]], seed: int, progress: Progress
) -> tuple[list[str], FloatArray]:
    """Return the job and the mean state of up to `PER_JOB` entries of each job: (job, masked text, group)."""
    chosen = [
        one
        for job in JOBS
        for one in in_shares(
            [entry for entry in entries if entry[0] == job],
            lambda entry: entry[2],
            lambda entry: (derive(seed, "embedding shift", entry[1]), entry[1]),
        )[:PER_JOB]
    ]
    table = pd.DataFrame(
        [{"system": "", "prompt": example_prompt(masked), "response": f" {job}"} for job, masked, _ in chosen],
        columns=["system", "prompt", "response"],
    )
    requests = requests_of(table, "response", "text")
    examples = [tokeniser.example(row, request) for row, request in enumerate(requests)]
    jobs: list[str] = []
    found: list[FloatArray] = []
    of: dict[int, str] = {id(example): job for example, (job, _, _) in zip(examples, chosen, strict=True)}
    for group in passes(examples):
        jobs += [of[id(example)] for example in group]
        found.append(_states(model, group))
        progress.advance(len(group))
    return jobs, np.concatenate(found) if found else np.empty((0, 0))


def _states(model: Any, group: Sequence[Example]) -> FloatArray:
    with torch.no_grad():
        _, states = read(model, [example.sequences[0] for example in group], states=True)
    assert states is not None
    return np.asarray(states.double().numpy(), dtype=np.float64)
