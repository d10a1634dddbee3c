"""Repeated rounds: draws from known probabilities, and conversations with a memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Self

import pytest

from edgebias.backends.base import (
    ContextError,
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
    Prompt,
    Usage,
)
from edgebias.core.errors import InputError
from edgebias.core.settings import value_of
from edgebias.infer.cost import Stopwatch
from edgebias.infer.rounds.conversation import ConversationPlan, asked_items, conversation_rounds
from edgebias.infer.rounds.independent import independent_rounds, letter_probabilities
from edgebias.infer.settings import RoundSettings
from edgebias.suites.item import Item

PLAN = ConversationPlan(conversations=2, rounds=6, window=3, temperature=1.0, max_new_tokens=8, seed=11)


TOO_LONG = ContextError("the context holds fewer")


class Speaker:
    """Answers A with a fixed probability where scored; says A in its own words where asked; holds ``room`` turns."""

    name = "speaker"
    scores_options = True

    def __init__(self, probability: float = 0.5, room: int = 1000, fault: InputError = TOO_LONG) -> None:
        self.logprobs = (math.log(0.8 * probability), math.log(0.8 * (1 - probability)))
        self.room = room
        self.fault = fault
        self.scored = 0
        self.prompts: list[Prompt] = []
        self.seeds: list[int] = []

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        for _ in requests[skip:]:
            self.scored += 1
            yield OptionScores(self.logprobs, (1, 1))

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        for request in requests[skip:]:
            assert settings.temperature == PLAN.temperature
            assert settings.max_new_tokens == 2  # of the 8 that the plan allows
            if len(request.prompt.messages) > self.room:
                raise self.fault
            self.prompts.append(request.prompt)
            self.seeds.append(request.seed)
            yield Generation(f" A) number {len(self.prompts)}\n", 3)

    def forget(self) -> None:
        return None

    def usage(self) -> Usage:
        return Usage()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


ITEMS = [
    Item(
        item_id=f"forced_choice/x/{number:05d}",
        suite="forced_choice",
        category="x",
        condition="binary",
        context="",
        question=f"Who is number {number}?",
        options=("the left one", "the right one"),
        roles=("stereotype", "anti_stereotype"),
        permutation=(0, 1) if number % 2 else (1, 0),
    )
    for number in range(4)
]


def test_probabilities_are_a_softmax_over_the_letters() -> None:
    assert letter_probabilities([math.log(0.6), math.log(0.2)], 1.0) == pytest.approx([0.75, 0.25])
    assert letter_probabilities([math.log(0.6), math.log(0.2)], 0.5) == pytest.approx([0.9, 0.1])
    assert letter_probabilities([-2000.0, -2001.0], 1.0) == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.e)])


def test_each_item_is_scored_once_however_many_rounds() -> None:
    backend = Speaker()
    rows, mass = independent_rounds(backend, ITEMS, 1500, 1.0, 3, Stopwatch())
    assert len(rows) == 1500
    assert backend.scored == len(ITEMS)
    assert mass == pytest.approx(0.8)
    assert [row["round"] for row in rows] == list(range(1, 1501))
    assert set(Counter(row["item_id"] for row in rows).values()) == {375}


def test_draws_have_the_scored_probability_and_repeat_with_the_seed() -> None:
    # Letter A is drawn with probability 0.9: three standard errors of 4000 draws are 0.014.
    rows, _ = independent_rounds(Speaker(0.9), ITEMS, 4000, 1.0, 3, Stopwatch())
    assert abs(sum(row["text"] == "A" for row in rows) / 4000 - 0.9) < 0.0143
    for row in rows:
        item = next(item for item in ITEMS if item.item_id == row["item_id"])
        choice = row["choice"]
        assert isinstance(choice, int)
        assert row["outcome"] == item.roles[choice]
        assert item.permutation["AB".index(str(row["text"]))] == choice
    again, _ = independent_rounds(Speaker(0.9), ITEMS, 4000, 1.0, 3, Stopwatch())
    other, _ = independent_rounds(Speaker(0.9), ITEMS, 4000, 1.0, 4, Stopwatch())
    assert [row["text"] for row in again] == [row["text"] for row in rows]
    assert [row["text"] for row in other] != [row["text"] for row in rows]


def test_conversation_keeps_the_models_own_words_and_the_last_window() -> None:
    backend = Speaker()
    rows, dropped = conversation_rounds(backend, ITEMS, PLAN, Stopwatch())
    assert dropped == 0
    assert [(row["conversation"], row["round"]) for row in rows] == [(c, r) for c in range(2) for r in range(1, 7)]
    kept = [len(prompt.messages) // 2 for prompt in backend.prompts]
    assert kept == [0, 1, 2, 3, 3, 3] * 2
    sixth = backend.prompts[5].messages
    assert [message.content for message in sixth if message.role == "assistant"] == [
        f"A) number {n}" for n in (3, 4, 5)
    ]
    rules = [message.content.startswith("Answer with one letter only: A or B.") for message in sixth]
    assert rules == [True] + [False] * 6
    assert len(set(backend.seeds)) == 12


def test_items_repeat_only_after_all_were_asked_and_differ_between_conversations() -> None:
    first = [item.item_id for item in asked_items(ITEMS, PLAN, 0)]
    assert len(set(first[:4])) == 4
    assert len(first) == 6
    assert first == [item.item_id for item in asked_items(ITEMS, PLAN, 0)]
    assert any([i.item_id for i in asked_items(ITEMS, PLAN, number)] != first for number in range(1, 5))


def test_the_oldest_exchanges_go_where_the_context_is_short() -> None:
    backend = Speaker(room=5)  # two exchanges and the question
    rows, dropped = conversation_rounds(backend, ITEMS, PLAN, Stopwatch())
    assert len(rows) == 12
    assert [len(prompt.messages) for prompt in backend.prompts] == [1, 3, 5, 5, 5, 5] * 2
    assert dropped == 6


def test_a_question_that_never_fits_and_other_faults_are_passed_on() -> None:
    with pytest.raises(ContextError):
        conversation_rounds(Speaker(room=0), ITEMS, PLAN, Stopwatch())
    broken = Speaker(room=3, fault=InputError("the endpoint is down, in this context"))
    with pytest.raises(InputError, match="endpoint is down"):
        conversation_rounds(broken, ITEMS, PLAN, Stopwatch())
    assert len(broken.prompts) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": -1}, r"rounds\.window"),
        ({"independent": 1.5}, r"rounds\.independent"),
        ({"conversation": True}, r"rounds\.conversation"),
        ({"temperature": 0}, r"rounds\.temperature"),
        ({"temperature": float("nan")}, r"rounds\.temperature"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    good = {"independent": 10, "conversation": 4, "conversations": 1, "window": 2, "temperature": 1.0}
    assert value_of({"rounds": good}, "rounds", RoundSettings).window == 2
    with pytest.raises(InputError, match=message):
        value_of({"rounds": good | changes}, "rounds", RoundSettings)
