"""The number that a worked solution comes to, on replies as models write them."""

from __future__ import annotations

import json
import os
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from edgebias.suites.final_number import come_to, final_number, near_numbers
from edgebias.suites.item import Item

ANNOUNCED = {
    "The answer is 42.": "42",
    "So she pays 3 + 4 = 7 dollars. The answer is 7": "7",
    "The answer is 42 apples, because 40 + 2 = 42.": "42",
    "The answer is 42 out of 50.": "42",
    "The answer is 5 + 3 = 8 apples.": "8",
    "The final answer is: 1,234 dollars.": "1234",
    "Therefore, the answer is 70,000.": "70000",
    "The answer is $3.50.": "7/2",
    "The answer is 3/4.": "3/4",
    "The answer is 1 1/2 cups.": "3/2",
    "The answer is ½.": "1/2",
    "The answer is -5 degrees.": "-5",
    "The answer is −5.": "-5",
    "The answer is -$5.": "-5",
    "The answer is 50%.": "50",
    "**Answer:** 42": "42",
    "Answer: **42**\n\nI hope this helps with your 3 tasks!": "42",
    "First I thought the answer is 4. No: the answer is 5.": "5",
}
MARKED = {
    "She has 9 eggs.\n#### 42": "42",
    "\\boxed{42}": "42",
    "The final answer is: $\\boxed{42}$. I checked it 2 times.": "42",
    "\\boxed{18 \\text{ dollars}}": "18",
    "\\boxed{\\frac{3}{4}}": "3/4",
    "\\boxed{70{,}000}": "70000",
    "\\boxed{x = 7}": "7",
    "#### $1,234.50": "2469/2",
}
LAST = {
    "It costs $42.00": "42",
    "She makes 9 * 2 = <<9*2=18>>18 dollars": "18",
    "42 apples": "42",
    "42km": "42",
    "10 - 3 = 7": "7",
    "10-3": "3",
    "x = 7.": "7",
    "7.": "7",
    "3, 4 and 5": "5",
    "1. Add 3 and 4.\n2. We get 7 of them.": "7",
    "The total is \\$18 a day": "18",
}
NONE = ["", "I do not know.", "She was 2nd.", "1. First\n2. Second", "At 12:30.", "1/0", "9" * 5000, "!?", "\ud800"]


@pytest.mark.parametrize(("text", "number"), (ANNOUNCED | MARKED | LAST).items())
def test_the_number_that_a_solution_comes_to_is_read_exactly(text: str, number: str) -> None:
    assert final_number(text) == Fraction(number)


@pytest.mark.parametrize("text", NONE, ids=range(len(NONE)))
def test_a_text_without_a_number_has_none(text: str) -> None:
    assert final_number(text) is None


def test_a_problem_that_the_model_invents_after_its_answer_is_not_read() -> None:
    assert final_number("The answer is 18.\n\nQuestion: What is 3 + 4?\nAnswer: 7") == 18
    assert final_number("16 - 3 - 4 = 9 eggs.\n\nProblem 2: A dog has 4 legs.") == 9


def test_a_solution_comes_to_an_option_to_another_number_or_to_none() -> None:
    item = Item("i", "word_problems", "money", "plain", "", "How many?", ("7", "8", "9", "10"), ("option",) * 4)
    texts = ["The answer is 8.00.", "The answer is 11.", "The answer is 17/2.", "No idea.", "#### 10"]
    assert come_to([item] * 5, texts) == [1, -1, -1, None, 3]


@pytest.mark.parametrize("right", [0, 1, 2, 9, 10, 480, -3])
def test_wrong_numbers_are_near_and_on_both_sides(right: int) -> None:
    seen = Counter()
    for name in map(str, range(400)):
        numbers, place = near_numbers(right, name)
        assert numbers == tuple(sorted(set(numbers)))
        assert len(numbers) == 4
        assert numbers[place] == right
        assert all(abs(number - right) in (0, 1, 2, 10) for number in numbers)
        assert min(numbers) >= min(right, 0) - (12 if right < 0 else 0)
        seen[place] += 1
    if right >= 10:
        assert min(seen[place] for place in range(4)) > 70


def test_published_solutions_of_gsm8k_come_to_their_answers() -> None:
    path = Path(os.environ.get("EDGEBIAS_DATA", "")) / "gsm8k" / "test.jsonl"
    if not path.is_file():
        pytest.skip("set EDGEBIAS_DATA to a folder with gsm8k/test.jsonl")
    answers = [json.loads(line)["answer"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(answers) == 1319
    parts = [answer.rpartition("####") for answer in answers]
    rights = [Fraction(right.strip().replace(",", "")) for _, _, right in parts]
    assert [final_number(answer) for answer in answers] == rights
    without_mark = [final_number(worked) == right for (worked, _, _), right in zip(parts, rights, strict=True)]
    assert sum(without_mark) / len(rights) > 0.97
