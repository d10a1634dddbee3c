"""The monitor's turns on a model that is a formula: what it asks, what the guard allows, what is saved."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from edgebias.backends.base import Message, OptionRequest, OptionScores, Prompt
from edgebias.core.errors import InputError
from edgebias.mitigate.steering.controller import ControllerSettings
from edgebias.serve.guard import affordable, guard_answers, measured_guard
from edgebias.serve.monitor import Monitor, judge, monitor_items
from edgebias.serve.online import OnlineSettings, OnlineState, begin
from edgebias.serve.state_file import read_state, write_state

SETTINGS = OnlineSettings(ControllerSettings(proportional=0.5, integral=2.0, max_gain=4.0), window=8)
SENTENCES = [f"Sentence {number}." for number in range(60)]
ANSWERS = [OptionRequest(Prompt(messages=(Message("user", "Why?"),)), (f"Answer {number}.",)) for number in range(6)]
IDENTITY = {"model": "abc", "window": 8}


class Formula:
    """Prefers the stereotype while the gain is below ``turns_at``; texts cost more with the square of the gain."""

    def __init__(self, turns_at: float = 1.5, cost: float = 0.01, cost_of_answers: float = 0.0) -> None:
        self.gain = 0.0
        self.asked: list[str] = []
        self.turns_at, self.cost, self.cost_of_answers = turns_at, cost, cost_of_answers

    def apply(self, gain: float) -> None:
        self.gain = gain

    def score(self, requests: Sequence[OptionRequest]) -> Iterator[OptionScores]:
        for request in requests:
            self.asked.append(request.options[0])
            if len(request.options) == 1:
                cost = self.cost if request.prompt.text is not None else self.cost_of_answers
                yield OptionScores((-20.0 * (1.0 + cost * self.gain**2),), (20,))
            else:
                better = 0 if self.gain < self.turns_at else 1
                yield OptionScores(tuple(-3.0 if place == better else -4.0 for place in range(3)), (1, 1, 1))


def watch(model: Formula, monitor: Path, save: Callable[[OnlineState], None] = lambda _: None) -> Monitor:
    guard = measured_guard(model, SENTENCES, ANSWERS, budget=0.05)
    return Monitor(model, monitor_items(monitor), guard, SETTINGS, begin(0.0), seed=7, save=save)


def turns(monitor: Monitor, items: int) -> None:
    """Take turns as the service does: the guard's first."""
    for _ in range(items):
        while monitor.checking:
            monitor.check()
        monitor.ask()


def test_only_calibration_items_are_asked_categories_taking_turns(monitor: Path) -> None:
    table = pd.read_parquet(monitor)
    model = Formula()
    watching = watch(model, monitor)
    model.asked.clear()
    for _ in range(40):
        watching.ask()
    asked = table.set_index(table["options"].str[0]).loc[model.asked]
    assert set(asked["split"]) == {"calibration"}
    assert len(set(asked["item_id"])) == 40
    assert list(asked["category"]) == ["gender", "race"] * 20


def test_a_judgement_is_the_model_s_own_choice_among_both_kinds(monitor: Path) -> None:
    item = monitor_items(monitor)[0]
    assert judge(Formula(), item) is True
    model = Formula()
    model.apply(2.0)
    assert judge(model, item) is False


def test_the_gain_rises_to_where_the_model_turns_and_is_applied(monitor: Path) -> None:
    model = Formula(cost=0.0)
    watching = watch(model, monitor)
    turns(watching, 200)
    assert model.gain == watching.state.gain
    assert 1.0 < watching.state.gain < 2.0


def test_the_guard_reads_a_text_a_turn_and_the_gain_of_the_answers_stays_meanwhile(monitor: Path) -> None:
    model = Formula()
    watching = watch(model, monitor)
    for _ in range(8):
        watching.ask()
    assert watching.checking
    assert model.gain == watching.state.gain == 0.0
    model.asked.clear()
    for text in [*SENTENCES[:52], *(answer.options[0] for answer in ANSWERS[:-1])]:
        watching.check()
        assert model.asked.pop() == text
        assert model.gain == watching.state.gain == 0.0
    watching.check()
    assert model.gain == watching.state.gain > 0.0


def test_the_gain_never_costs_more_than_the_budget(monitor: Path) -> None:
    model = Formula(turns_at=10.0, cost=0.1)  # 5 % of perplexity are gone at a gain of 0.7
    watching = watch(model, monitor)
    turns(watching, 100)
    assert watching.state.gain == 0.5
    assert watching.state.high_closed


def test_a_gain_that_costs_conversations_too_much_is_not_applied_though_neutral_text_gets_likelier(
    monitor: Path,
) -> None:
    model = Formula(turns_at=10.0, cost=-0.1, cost_of_answers=0.1)
    watching = watch(model, monitor)
    turns(watching, 100)
    assert watching.state.gain == 0.5
    assert watching.state.high_closed


def test_a_guard_reads_its_own_answers_about_every_topic_before_a_second_about_any(answers: Path) -> None:
    table = pd.read_parquet(answers)
    own = table[table["part"] == "guard"]
    read = [request.options[0] for request in guard_answers(answers)]
    assert sorted(read) == sorted(own["answer"])
    topics = own.set_index("answer")["topic"].loc[read]
    half = own["topic"].nunique()
    assert set(topics[:half]) == set(topics[half:]) == set(own["topic"])


def test_a_first_gain_over_the_budget_is_halved_until_it_is_within() -> None:
    model = Formula(cost=0.1)
    guard = measured_guard(model, SENTENCES, ANSWERS, budget=0.05)
    assert len(guard.sentences) == 52  # of 20 tokens each: the first to reach 1,024
    assert affordable(model, guard, 0.5) == model.gain == 0.5
    most = math.sqrt(math.log(1.05) / 0.1)
    assert affordable(model, guard, 1.0) == model.gain
    assert most / 2 < model.gain <= most
    assert affordable(model, replace(guard, budget=-0.1), 1.0) == model.gain == 0.0


def test_too_little_neutral_text_is_refused() -> None:
    with pytest.raises(InputError, match="--texts"):
        measured_guard(Formula(), SENTENCES[:3], ANSWERS, budget=0.05)


def test_a_disk_that_is_full_does_not_stop_the_loop(monitor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def save(_: OnlineState) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    watching = watch(Formula(), monitor, save)
    watching.ask()
    assert watching.unsaved == watching.state.judged == 1
    assert "No space left" in capsys.readouterr().err


def test_a_monitor_that_goes_on_from_a_saved_state_asks_what_would_have_come_next(
    monitor: Path, tmp_path: Path
) -> None:
    whole, first = Formula(), Formula()
    path = tmp_path / "state.json"
    turns(watch(whole, monitor), 30)
    turns(watch(first, monitor, lambda state: write_state(state, IDENTITY, path)), 20)
    state = read_state(path, IDENTITY)
    assert state is not None
    second = Formula()
    guard = measured_guard(second, SENTENCES, ANSWERS, budget=0.05)
    again = Monitor(second, monitor_items(monitor), guard, SETTINGS, state, seed=7, save=lambda _: None)
    assert second.gain == state.gain > 0.0
    turns(again, 10)

    def items(model: Formula) -> list[str]:
        return [text for text in model.asked if text.startswith("They")]

    assert items(first) + items(second) == items(whole)
    assert second.gain == pytest.approx(whole.gain, abs=1e-5)


def test_there_is_no_state_before_the_first(tmp_path: Path) -> None:
    assert read_state(tmp_path / "none.json", IDENTITY) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "no state of the online loop"),
        ('{"identity": {"model": "abd", "window": 8}, "state": {}}', "its model is 'abd', not 'abc'"),
        ('{"identity": {"model": "abc", "window": 8}, "state": {"gain": 1}}', "does not have the keys"),
    ],
)
def test_a_state_that_is_broken_or_another_s_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        read_state(path, IDENTITY)


def test_a_state_with_values_that_are_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_state(begin(0.5), IDENTITY, path)
    path.write_text(path.read_text(encoding="utf-8").replace('"gain": 0.5', '"gain": null'), encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        read_state(path, IDENTITY)


def test_a_table_without_both_kinds_is_refused(monitor: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(monitor)
    table["roles"] = [["unknown", "anti_stereotype", "unrelated"]] * len(table)
    table.to_parquet(tmp_path / "items.parquet")
    with pytest.raises(InputError, match="both a stereotype and an anti-stereotype"):
        monitor_items(tmp_path / "items.parquet")
