from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

import pytest

from edgebias.backends.base import (
    Backend,
    ContextError,
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
    Prompt,
    Usage,
)
from edgebias.infer import alone
from edgebias.infer.alone import NEW_TOKENS, PROMPTS, speed_alone
from edgebias.suites.item import Item


class Clockwork:
    """Reads a prompt of 50 tokens in half a second and writes a token every 0.1 s, on a clock of its own."""

    name = "llama"
    scores_options = True

    def __init__(self, ends_after: int = 99) -> None:
        self.now = 0.0
        self.tokens = 0
        self.forgotten = True
        self.prompts: list[Prompt] = []
        self.ends_after = ends_after

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        raise AssertionError("nothing is scored")

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        (request,) = requests
        assert self.forgotten, "a prompt must be read from nothing"
        self.forgotten = False
        self.prompts.append(request.prompt)
        self.tokens += 50
        written = min(settings.max_new_tokens, self.ends_after)
        self.now += 0.4 + 0.1 * written
        yield Generation("text", written)

    def forget(self) -> None:
        self.forgotten = True

    def usage(self) -> Usage:
        return Usage(prompt_tokens=self.tokens)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Clockwork:
    made = Clockwork()
    monkeypatch.setattr(alone.time, "perf_counter", lambda: made.now)
    return made


ITEMS = [
    Item(
        item_id=f"bbq/Age/{number:05d}",
        suite="bbq",
        category="Age",
        condition="ambiguous",
        context=f"A nurse met pilot {number}.",
        question="Who was late?",
        options=("the nurse", "the pilot", "Not known"),
        roles=("stereotype", "anti_stereotype", "unknown"),
        permutation=(2, 0, 1),
    )
    for number in range(12)
]


def test_first_token_and_pace_come_from_prompts_asked_one_by_one(backend: Clockwork) -> None:
    found = speed_alone(backend, ITEMS, ["likelihood", "letter"], {"backend": "llama"})
    assert found["prompts"] == PROMPTS
    assert found["prompt_tokens"] == 50
    assert found["first_token_seconds"] == pytest.approx(0.5)
    assert found["prompt_tokens_per_second"] == pytest.approx(100)
    assert found["generated_tokens_per_second"] == pytest.approx(10)
    assert len(set(backend.prompts)) == PROMPTS
    assert all(prompt.messages for prompt in backend.prompts)
    assert backend.now == pytest.approx(PROMPTS * (0.5 + 0.4 + 0.1 * NEW_TOKENS))


def test_the_order_of_items_does_not_matter(backend: Clockwork) -> None:
    speed_alone(backend, ITEMS, ["letter"], {"backend": "llama"})
    again = Clockwork()
    speed_alone(again, ITEMS[::-1], ["letter"], {"backend": "llama"})
    assert again.prompts == backend.prompts


def test_a_text_that_ends_at_once_has_no_pace(backend: Clockwork) -> None:
    backend.ends_after = 2
    found = speed_alone(backend, ITEMS, ["letter"], {"backend": "llama"})
    assert found["first_token_seconds"] == pytest.approx(0.5)
    assert found["generated_tokens_per_second"] is None


def test_items_that_are_only_scored_are_asked_by_their_text(backend: Clockwork) -> None:
    speed_alone(backend, ITEMS, ["likelihood"], {"backend": "llama"})
    assert backend.prompts[0].text is not None
    speed_alone(
        backend, [replace(ITEMS[0], options=(), roles=(), permutation=())], ["continuation"], {"backend": "llama"}
    )
    assert backend.prompts[-1] == Prompt(text=ITEMS[0].context)


class Paid(Clockwork):
    name = "openai"


class Full(Clockwork):
    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        raise ContextError("request 0: 3000 tokens do not fit")


@pytest.mark.parametrize(
    ("made", "environment", "reason"),
    [
        (Paid(), {"backend": "openai", "endpoint": "https://api.example/v1"}, "may charge"),
        (Full(), {"backend": "llama"}, "do not fit"),
    ],
)
def test_what_cannot_be_measured_has_a_reason_and_costs_no_answer(
    made: Backend, environment: dict[str, str], reason: str
) -> None:
    found = speed_alone(made, ITEMS, ["letter"], environment)
    assert found["first_token_seconds"] is None
    assert reason in found["reason"]
