"""Answers of a list come from the journal first, and only the rest from the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from edgebias.backends.base import (
    Backend,
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
    Prompt,
    Usage,
)
from edgebias.backends.store.journal import Journal
from edgebias.infer.cost import new_stopwatch
from edgebias.infer.job import journaled, open_journal
from edgebias.infer.rounds.conversation import ConversationPlan, conversation_rounds
from edgebias.suites.item import Item

SCORES = OptionScores((-0.1 - 0.2, float("-inf")), (1, 2), ((5,), (6, 7)), ((-0.3,), (-1e-300, float("-inf"))))
REQUESTS = [GenerationRequest(Prompt(text=f"\ud800 {number}"), number, ("a", "b")) for number in range(6)]
OPTIONS = [OptionRequest(Prompt(text=f"{number}"), ("a", "b")) for number in range(6)]
GREEDY = GenerationSettings(4)


class Model:
    """Notes what it was asked, and fails after ``n_answers``."""

    name = "model"
    scores_options = True

    def __init__(self, n_answers: int = 1000) -> None:
        self.left = n_answers
        self.asked: list[str] = []
        self.forgot = 0

    def _answer(self, text: str | None) -> None:
        if not self.left:
            raise MemoryError
        self.left -= 1
        self.asked.append(str(text))

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        for request in requests[skip:]:
            self._answer(request.prompt.text)
            yield SCORES

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        for request in requests[skip:]:
            self._answer(request.prompt.text or request.prompt.messages[-1].content)
            yield Generation(f"\udcff\n\0\u2028{request.seed}", 3, SCORES if request.seed % 2 else None)

    def forget(self) -> None:
        self.forgot += 1

    def usage(self) -> Usage:
        return Usage(10 * len(self.asked), len(self.asked), 0, 1.0, {"library": "none"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


def everything(backend: Backend) -> list[Any]:
    return [*backend.score(OPTIONS), *backend.generate(REQUESTS, GREEDY), *backend.generate(REQUESTS, GREEDY)]


def test_a_job_that_fails_anywhere_goes_on_there(tmp_path: Path) -> None:
    whole = everything(Model())
    for n_answers in range(18):
        path = tmp_path / f"{n_answers}.journal"
        first, second = Model(n_answers), Model()
        with Journal(path, "one") as journal, pytest.raises(MemoryError):
            everything(journaled(first, journal))
        with Journal(path, "one") as journal:
            assert everything(journaled(second, journal)) == whole
            assert journal.recalled == n_answers
        assert len(second.asked) == 18 - n_answers
        third = Model(0)
        with Journal(path, "one") as journal:
            assert everything(journaled(third, journal)) == whole


def test_other_requests_get_no_answers_of_these(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", "one") as journal:
        list(journaled(Model(), journal).generate(REQUESTS, GREEDY))
    for requests, settings in ((REQUESTS[1:], GREEDY), (REQUESTS[::-1], GREEDY), (REQUESTS, GenerationSettings(5))):
        model = Model()
        with Journal(tmp_path / "journal", "one") as journal:
            list(journaled(model, journal).generate(requests, settings))
        assert len(model.asked) == len(requests)


def test_a_request_that_is_given_alone_is_passed_on(tmp_path: Path) -> None:
    model = Model()
    for _ in range(2):
        with Journal(tmp_path / "journal", "one") as journal:
            list(journaled(model, journal).generate(REQUESTS[:1], GREEDY))
            list(journaled(model, journal).score(OPTIONS[:1]))
    assert len(model.asked) == 4
    assert model.forgot == 0


def test_the_cost_is_that_of_the_whole_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgebias.backends.store.journal.SYNC_SECONDS", 0.0)
    monkeypatch.setattr("edgebias.backends.store.journal.LARGEST_SHARE", 1e9)
    with Journal(tmp_path / "journal", "one") as journal:
        backend, watch = journaled(Model(7), journal), new_stopwatch(journal)
        with watch.timing("score", 6):
            list(backend.score(OPTIONS))
        with pytest.raises(MemoryError):
            list(backend.generate(REQUESTS, GREEDY))
    with Journal(tmp_path / "journal", "one") as journal:
        backend = journaled(Model(), journal)
        everything(backend)
        assert backend.usage() == Usage(180, 18, 0, 2.0, {"library": "none"})


ITEMS = [
    Item(f"i{number}", "s", "c", "binary", "", f"Who is {number}?", ("x", "y"), ("stereotype", "unknown"), (0, 1))
    for number in range(5)
]
PLAN = ConversationPlan(conversations=3, rounds=4, window=2, temperature=1.0, max_new_tokens=2, seed=1)


def held(model: Model, path: Path) -> tuple[str, int]:
    with Journal(path, "one") as journal:
        rows, _ = conversation_rounds(journaled(model, journal), ITEMS, PLAN, new_stopwatch(journal), journal)
        return json.dumps(rows, default=lambda value: value.tolist()), journal.recalled


def test_a_conversation_is_taken_whole_or_held_again_from_nothing(tmp_path: Path) -> None:
    whole, _ = held(Model(), tmp_path / "whole")
    with pytest.raises(MemoryError):
        held(Model(6), tmp_path / "cut")
    second = Model()
    assert held(second, tmp_path / "cut") == (whole, 4)
    assert len(second.asked) == 8
    assert second.forgot == 2


def opened(tmp_path: Path, environment: dict[str, Any]) -> list[str]:
    """Names of the files in the folder while a job of ``environment`` is open."""
    (tmp_path / "items").write_bytes(b"")
    outputs = [tmp_path / "table", tmp_path / "cost"]
    with open_journal(
        "edgebias.stages.infer", {}, environment, files=[tmp_path / "items"], weights=None, outputs=outputs
    ) as journal:
        names = sorted(path.name for path in tmp_path.iterdir())
        assert (journal is None) == ("table.journal" not in names)
        for path in outputs:
            path.write_bytes(b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cost", "items", "table"]
    return names


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"backend": "llama"}, ["items", "table.journal", "table.journal-wal"]),
        ({"backend": "openai", "endpoint": "loopback"}, ["items", "table.journal", "table.journal-wal"]),
        (
            {"backend": "openai", "endpoint": "http://x/v1", "store": None},
            ["items", "table.journal", "table.journal-wal"],
        ),
        ({"backend": "openai", "endpoint": "http://x/v1"}, ["items"]),
        ({"backend": "recorded"}, ["items"]),
    ],
)
def test_only_answers_that_cost_something_to_get_again_have_a_journal(
    tmp_path: Path, environment: dict[str, Any], names: list[str]
) -> None:
    assert opened(tmp_path, environment) == names


def test_the_journal_stays_when_the_stage_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(MemoryError),
        open_journal(
            "edgebias.stages.infer", {}, {"backend": "llama"}, files=[], weights=None, outputs=[tmp_path / "table"]
        ),
    ):
        raise MemoryError
    assert (tmp_path / "table.journal").exists()
