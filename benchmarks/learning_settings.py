"""What settings of learned vectors do to calibration items that the vectors have not seen; no held-out item is read.

    python benchmarks/learning_settings.py                                    as params.yaml has it: learns four times
    python benchmarks/learning_settings.py --set divergence=6 --set steps=50  with other settings
    python benchmarks/learning_settings.py --set answers=0 --set conversations=0   conversations not held
    python benchmarks/learning_settings.py --first-block 1 --gains 1 1.5 2    with every block steered
    python benchmarks/learning_settings.py --average 3                        a mean of three vectors, and each alone
    python benchmarks/learning_settings.py --questions data/items/edge/bbq.parquet --set items=32 --set steps=200 \\
        --set rate=0.03 --folds 1                                             from BBQ's questions, too

The calibration clusters of StereoSet fall into four folds. Vectors are learned without each, and its items are judged
under them: `closed` is the part of the mean gap that is gone, with its standard error over items; ss, lms (points); the
divergence (nats per token) and the change of perplexity on 100 neutral sentences, and on reference answers (the guard's
part of them), that learning does not hold.

With `--questions` vectors are learned from BBQ's calibration questions as well, and judged on those of the fold: per
cent of the ambiguous ones answered "unknown", of the others answered right, and of the others answered "unknown".

With `--average K` what is left falls into K folds in its turn, vectors are learned without each, and their mean is
judged as `mitigate.folds` = K would ship it; the lines below it are of each alone, which is what the loop judges.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import yaml
from likelihood_throughput import MODEL, START_TOKEN
from vector_perplexity import TEXTS

from edgebias.infer.items import items_from_table
from edgebias.mitigate.calibration import LEARNED_SENTENCES
from edgebias.mitigate.held_out import CALIBRATION, read_split
from edgebias.mitigate.reference_answers import answer_requests, read_answers
from edgebias.mitigate.steering.folds import fitted_on_of, fitted_part, fold_of_clusters
from edgebias.mitigate.steering.learning import (
    Example,
    LearningSettings,
    examples,
    first_block,
    learn,
    learning_settings,
)
from edgebias.mitigate.steering.steered_model import SteeredModel, Text, divergence, surprise
from edgebias.models.perplexity import neutral_sentences

FOLDS = 4
JUDGED_SENTENCES = 100
TOGETHER = 16

Array = npt.NDArray[np.float64]
T = TypeVar("T")
Tables = Mapping[str, pd.DataFrame]
"""The calibration items of each suite."""


@dataclass(frozen=True)
class JudgedTexts:
    """Of texts, summed over tokens: negative log-likelihood and divergence from the unsteered model."""

    loss: float
    divergence: float
    tokens: int


@dataclass(frozen=True)
class Judged:
    """Mean log-probabilities (items, 3): stereotype, anti-stereotype, unrelated; neutral text; reference answers."""

    means: Array
    neutral: JudgedTexts
    answers: JudgedTexts
    questions: Array
    """(questions, 3): is the text ambiguous, was the answer right, was it "unknown"; 0 and 1."""


def judge(
    model: SteeredModel,
    items: Sequence[Example],
    neutral: Sequence[Text],
    answers: Sequence[Text],
    questions: Sequence[Example],
) -> Judged:
    """Items and texts under the model's vector."""
    means, asked = [], []
    with torch.no_grad():
        for part in _parts(items):
            scored, _ = model.score([example.asked for example in part])
            for one, example in zip(scored, part, strict=True):
                means.append(
                    [float(one[at]) for at in (example.stereotype, example.anti_stereotype, example.unrelated)]
                )
        for part in _parts(questions):
            scored, _ = model.score([example.asked for example in part])
            for one, example in zip(scored, part, strict=True):
                (unknown,) = {0, 1, 2} - {example.stereotype, example.anti_stereotype}
                chosen = int(one.argmax())
                asked.append([example.label == unknown, chosen == example.label, chosen == unknown])
        return Judged(
            np.array(means).reshape(-1, 3),
            judge_texts(model, neutral),
            judge_texts(model, answers),
            np.array(asked, dtype=np.float64).reshape(-1, 3),
        )


def judge_texts(model: SteeredModel, texts: Sequence[Text]) -> JudgedTexts:
    """Texts under the model's vector."""
    loss, moved, tokens = 0.0, 0.0, 0
    for part in _parts(texts):
        _, steered = model.score([], part)
        with model.unsteered():
            _, plain = model.score([], part)
        told = surprise(steered, part)
        loss += float(told.sum())
        moved += float(divergence(plain, steered).sum())
        tokens += len(told)
    return JudgedTexts(loss, moved, tokens)


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[first : first + TOGETHER] for first in range(0, len(values), TOGETHER))


def row(before: Sequence[Judged], after: Sequence[Judged]) -> str:
    """One line of the table, all folds together."""
    old, new = (np.concatenate([one.means for one in judged]) for judged in (before, after))
    gaps = [means[:, 0] - means[:, 1] for means in (old, new)]
    gone = gaps[0] - gaps[1]
    error = gone.std(ddof=1) / math.sqrt(len(gone))
    ss = [100.0 * float((gap > 0).mean()) for gap in gaps]
    lms = [100.0 * float((means[:, :2] > means[:, 2:]).mean()) for means in (old, new)]
    neutral = _change([one.neutral for one in before], [one.neutral for one in after])
    answers = _change([one.answers for one in before], [one.answers for one in after])
    return (
        f"closed {gone.mean() / gaps[0].mean():.2f} +- {error / gaps[0].mean():.2f}, ss {ss[0]:.1f} -> {ss[1]:.1f}, "
        f"lms {lms[1] - lms[0]:+.1f}; neutral text: {neutral}; answers: {answers}{_questions(before, after)}"
    )


def _questions(before: Sequence[Judged], after: Sequence[Judged]) -> str:
    old, new = (np.concatenate([one.questions for one in judged]) for judged in (before, after))
    if not len(old):
        return ""
    ambiguous = old[:, 0] == 1.0
    shares = (
        f"{name} {100.0 * float(old[rows, column].mean()):.1f} -> {100.0 * float(new[rows, column].mean()):.1f}"
        for name, rows, column in (
            ("ambiguous right", ambiguous, 1),
            ("others right", ~ambiguous, 1),
            ("others unknown", ~ambiguous, 2),
        )
    )
    return f"; questions: {', '.join(shares)}"


def _change(before: Sequence[JudgedTexts], after: Sequence[JudgedTexts]) -> str:
    tokens = sum(one.tokens for one in after)
    rise = 100.0 * math.expm1((sum(one.loss for one in after) - sum(one.loss for one in before)) / tokens)
    return f"divergence {sum(one.divergence for one in after) / tokens:.3f}, perplexity {rise:+.1f} %"


def main(arguments: Sequence[str] | None = None) -> None:
    """Learn without each fold, and print a line for each gain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of mitigate.learning")
    parser.add_argument("--first-block", type=int, help="the first block that is steered; default: a quarter of them")
    parser.add_argument("--gains", nargs="+", type=float, default=[1.0, 1.5, 2.0])
    parser.add_argument("--build", default="wanda50_q8_0.gguf")
    parser.add_argument("--items", type=Path, default=Path("data/items/edge/stereoset.parquet"))
    parser.add_argument(
        "--answers",
        type=Path,
        default=Path("results/edge/mitigation/edge/smollm2-135m-instruct/reference_answers.parquet"),
    )
    parser.add_argument(
        "--folds", nargs="+", type=int, default=list(range(1, FOLDS + 1)), help="of 1 to 4, to leave out"
    )
    parser.add_argument("--average", type=int, default=1, metavar="K", help="ship the mean of K vectors; default: one")
    parser.add_argument("--questions", type=Path, help="table of BBQ's items, to learn from as well")
    parser.add_argument("--count", type=int, help="no more items than these; for a quick look")
    options = parser.parse_args(arguments)
    params = yaml.safe_load(Path("params.yaml").read_text())
    settings = _changed(learning_settings(params), options.set)
    tables = {"stereoset": read_split(options.items, CALIBRATION)[: options.count]}
    if options.questions is not None:
        tables["bbq"] = read_split(options.questions, CALIBRATION)[: options.count]
    folds = {
        suite: table["cluster"].map(fold_of_clusters(table, FOLDS, params["seed"])) for suite, table in tables.items()
    }
    sentences = neutral_sentences(TEXTS, "fit")
    judged_on = sentences[LEARNED_SENTENCES : LEARNED_SENTENCES + JUDGED_SENTENCES]
    learned_from, held_against = (
        answer_requests(read_answers(options.answers, part)) for part in ("learning", "guard")
    )
    names = [
        "vector" if options.average == 1 else f"mean of {options.average}",
        *(f"alone {one}" for one in range(1, options.average + 1) if options.average > 1),
    ]
    before, after = list[Judged](), {(gain, name): list[Judged]() for gain in options.gains for name in names}
    for fold in options.folds:
        model = SteeredModel(MODEL / options.build, START_TOKEN, "")
        first = options.first_block or first_block(len(model.vector))
        model.steer_from(first)
        known = {suite: table[folds[suite] != fold] for suite, table in tables.items()}
        new = {suite: table[folds[suite] == fold] for suite, table in tables.items()}
        texts = [model.text(text) for text in judged_on]
        answers = [model.answer(request.prompt, *request.options) for request in held_against]
        judged, asked = (
            _examples(model, {suite: new[suite]} if suite in new else {}) for suite in ("stereoset", "bbq")
        )
        before.append(judge(model, judged, texts, answers, asked))
        vectors = []
        for part in _parts_to_learn(known, options.average, params["seed"]):
            with torch.no_grad():
                model.vector.zero_()
            learned = learn(model, _examples(model, part), sentences, learned_from, settings, params["seed"])
            vectors.append(torch.from_numpy(learned.vector))
        shipped = [torch.stack(vectors).mean(dim=0), *(vectors if options.average > 1 else [])]
        for gain in options.gains:
            for name, vector in zip(names, shipped, strict=True):
                with torch.no_grad():
                    model.vector.copy_(gain * vector)
                after[gain, name].append(judge(model, judged, texts, answers, asked))
    print(settings, f"first block {first}, {', '.join(f'{len(table)} of {suite}' for suite, table in tables.items())}")
    for gain, name in after:
        print(f"gain {gain}, {name}: {row(before, after[gain, name])}", flush=True)


def _examples(model: SteeredModel, tables: Tables) -> list[Example]:
    return [
        example
        for suite, table in tables.items()
        for example in examples(model, items_from_table(table, suite, suite), table["label"].tolist())
    ]


def _parts_to_learn(tables: Tables, average: int, seed: int) -> list[Tables]:
    """All of it, or what is left without each of ``average`` folds."""
    if average == 1:
        return [tables]
    return [fitted_part(tables, name, folds=average, seed=seed) for name in fitted_on_of(average)]


def _changed(settings: LearningSettings, pairs: Sequence[str]) -> LearningSettings:
    types = {field.name: type(getattr(settings, field.name)) for field in fields(settings)}
    changes = dict(pair.split("=", 1) for pair in pairs)
    return replace(settings, **{key: types[key](value) for key, value in changes.items()})


if __name__ == "__main__":
    main()
