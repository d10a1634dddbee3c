"""The shared tokens of a pair: a worked example, properties, and the column of the response table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.backends.base import OptionRequest, OptionScores
from edgebias.infer.answer import AnswerSettings, answer_items
from edgebias.infer.responses import write_responses
from edgebias.infer.shared_tokens import shared_logprobs, shared_places
from edgebias.suites.item import Item

FEW = st.lists(st.integers(0, 4), max_size=12)


def longest_common_subsequence(left: Sequence[int], right: Sequence[int]) -> int:
    row = [0] * (len(right) + 1)
    for one in left:
        before = row
        row = [0]
        for place, other in enumerate(right):
            row.append(before[place] + 1 if one == other else max(before[place + 1], row[place]))
    return row[-1]


def test_worked_example() -> None:
    # "Two poor men ran ." and "Two very rich men walked ." as numbers; shared: two, men and the full stop.
    left, right = [10, 11, 12, 13, 14], [10, 20, 21, 12, 22, 14]
    assert shared_places(left, right) == ([0, 2, 4], [0, 3, 5])
    scores = OptionScores(
        logprobs=(-31.0, -63.0),
        n_tokens=(5, 6),
        tokens=(tuple(left), tuple(right)),
        token_logprobs=((-1.0, -2.0, -4.0, -8.0, -16.0), (-1.0, -2.0, -4.0, -8.0, -16.0, -32.0)),
    )
    assert shared_logprobs(scores) == (-21.0, -41.0)


def test_a_difference_at_the_end_is_a_tie_to_the_last_digit() -> None:
    shared = (-0.1, -0.2, -0.3)
    scores = OptionScores((-1.6, -2.6), (4, 4), ((1, 2, 3, 4), (1, 2, 3, 5)), ((*shared, -1.0), (*shared, -2.0)))
    first, second = shared_logprobs(scores)
    assert first == second == sum(shared)


def test_sentences_without_a_common_token_have_empty_sums() -> None:
    assert shared_logprobs(OptionScores((-1.0, -2.0), (1, 1), ((1,), (2,)), ((-1.0,), (-2.0,)))) == (0.0, 0.0)


def test_a_backend_that_tells_no_tokens_gives_nothing() -> None:
    assert shared_logprobs(OptionScores((-1.0, -2.0), (1, 1))) == ()


@given(FEW, FEW)
def test_shared_places_name_a_common_subsequence(left: list[int], right: list[int]) -> None:
    first, second = shared_places(left, right)
    assert [left[place] for place in first] == [right[place] for place in second]
    assert first == sorted(set(first))
    assert second == sorted(set(second))
    assert bool(set(left) & set(right)) <= len(first) <= longest_common_subsequence(left, right)


@given(st.lists(st.integers(0, 999), unique=True, min_size=1, max_size=15), st.data())
def test_new_tokens_in_place_of_others_are_all_that_is_modified(tokens: list[int], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(tokens) - 1))
    end = data.draw(st.integers(start, len(tokens)))
    foreign = list(range(1000, 1000 + data.draw(st.integers(0, 4))))
    changed = tokens[:start] + foreign + tokens[end:]
    first, second = shared_places(tokens, changed)
    assert first == [*range(start), *range(end, len(tokens))]
    assert second == [*range(start), *range(start + len(foreign), len(changed))]


class Scorer:
    """Gives every option one token per word: log-probability -1 for the first, -2 for the second, and so on."""

    name = "scorer"
    scores_options = True

    def __init__(self, *, tells_tokens: bool) -> None:
        self.tells_tokens = tells_tokens

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        for request in requests[skip:]:
            words = [option.split() for option in request.options]
            numbers = {word: place for place, word in enumerate(sorted({word for each in words for word in each}))}
            values = tuple(tuple(-1.0 - place for place in range(len(each))) for each in words)
            sums, counts = tuple(map(sum, values)), tuple(map(len, words))
            tokens = tuple(tuple(numbers[word] for word in each) for each in words)
            yield OptionScores(sums, counts, tokens, values) if self.tells_tokens else OptionScores(sums, counts)


def make_item(suite: str) -> Item:
    return Item(
        item_id=f"{suite}/1",
        suite=suite,
        category="age",
        condition="stereo",
        context="",
        question="",
        options=("old people forget", "very young people forget"),
        roles=("stereotype", "anti_stereotype"),
        permutation=(0, 1),
    )


@pytest.mark.parametrize(
    ("suite", "tells_tokens", "expected"),
    [("crows_pairs", True, [-5.0, -7.0]), ("crows_pairs", False, []), ("stereoset", True, [])],
)
def test_the_column_is_filled_for_pairs_where_tokens_are_told(
    tmp_path: Path, suite: str, tells_tokens: bool, expected: list[float]
) -> None:
    backend: Any = Scorer(tells_tokens=tells_tokens)
    table = answer_items(backend, [make_item(suite)], ["likelihood"], AnswerSettings(seed=1, max_new_tokens=1))
    write_responses(table, tmp_path / "table.parquet")
    assert pd.read_parquet(tmp_path / "table.parquet")["shared_logprobs"][0].tolist() == expected
