"""Solutions: what a model writes at length is read by the suite that set the problem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
import pytest

from edgebias.backends.base import Generation, GenerationRequest, GenerationSettings, Usage
from edgebias.core.errors import InputError
from edgebias.core.service_refusal import SERVICE_REFUSAL
from edgebias.infer.answer import AnswerSettings, answer_items
from edgebias.score.table import join, score_table
from edgebias.suites.item import Item, to_table

SETTINGS = AnswerSettings(seed=7, max_new_tokens=8, max_new_tokens_solution=99)
SOLUTIONS = {
    "I add 3 and 5.\nThe answer is 8.": (1, "option"),
    "<think>It may be 9.</think>The answer is 8.": (1, "option"),
    "The answer is 9.": (2, "option"),
    "The answer is 12.": (-1, "option"),
    "<think>The answer is 8": (-1, "unparsed"),
    "It is a sum.": (-1, "unparsed"),
    "I'm sorry, but I can't help with that.": (-1, "refusal"),
    f"{SERVICE_REFUSAL} (code 8)": (-1, "refusal"),
    " \n": (-1, "blank"),
}


class Solver:
    """Writes these texts, one for each item in order of its question."""

    name = "solver"
    scores_options = False

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.lengths: set[int] = set()

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        self.lengths.add(settings.max_new_tokens)
        assert settings.temperature == 0.0
        assert all(not request.options for request in requests)
        for text in self.texts[skip : len(requests)]:
            yield Generation(text, 5, None)

    def forget(self) -> None:
        return None

    def usage(self) -> Usage:
        return Usage(prompt_tokens=1, generated_tokens=1, scored_tokens=0, seconds=1.0, notes={})


def problem(number: int) -> Item:
    return Item(
        item_id=f"word_problems/sum/{number:02d}",
        suite="word_problems",
        category="counting",
        cluster=f"word_problems/{number % 3}",
        condition="plain",
        context="",
        question=f"Problem {number:02d}: what is 3 and 5?",
        options=("7", "8", "9", "10"),
        roles=("option",) * 4,
        permutation=(0, 1, 2, 3),
        label=1,
        source="here",
        split="held_out",
    )


def solved(texts: Sequence[str]) -> pd.DataFrame:
    solver = Solver(texts)
    table = answer_items(solver, [problem(number) for number in range(len(texts))], ["solution"], SETTINGS)
    assert solver.lengths == {99}
    return table


@pytest.mark.parametrize(("text", "reading"), SOLUTIONS.items())
def test_a_solution_is_read_by_its_suite(text: str, reading: tuple[int, str]) -> None:
    (row,) = solved([text]).to_dict("records")
    assert (row["choice"], row["outcome"]) == reading
    assert (row["format"], row["template"], row["text"]) == ("solution", "solution_chat_v1", text)
    assert row["permutation"].tolist() == [0, 1, 2, 3]
    assert len(row["option_logprobs"]) == len(row["n_tokens"]) == 0


def test_scores_of_solutions_count_another_number_as_wrong_and_no_number_as_no_answer() -> None:
    items = to_table([problem(number) for number in range(len(SOLUTIONS))])
    joined = join(items, solved(list(SOLUTIONS)), suite="word_problems", items_name="items", responses_name="responses")
    scores = score_table(joined, suite="word_problems", seed=1, resamples=200, confidence=0.95)
    row = scores[scores["category"] == "all"].iloc[0]
    assert (row["metric"], row["estimate"], row["n"]) == ("accuracy", 50.0, 4)
    assert row["coverage"] == pytest.approx(4 / 9)
    assert (row["n_unparsed"], row["n_refusal"], row["n_blank"]) == (2, 2, 1)
    assert row["bound_low"] == pytest.approx(100 * 2 / 9)
    assert row["bound_high"] == pytest.approx(100 * 7 / 9)


def test_a_suite_without_a_rule_for_solutions_is_refused() -> None:
    item = Item("i", "mmlu", "exam", "plain", "", "Q?", ("1", "2"), ("option",) * 2, permutation=(0, 1))
    with pytest.raises(InputError, match=r"suite 'mmlu': it cannot be asked for a 'solution'"):
        answer_items(Solver(["x"]), [item], ["solution"], SETTINGS)
