"""The verdict on builds whose truth is known: the same, more biased, less able, with changed answers."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from known_responders import Responder, answers, questions

from edgebias.audit import compare as compare_module
from edgebias.audit.compare import Compared, Joined, compare
from edgebias.audit.contrast import ABILITY, BIAS, WHO_ASKS
from edgebias.audit.verdict import clause, remarks
from edgebias.score.flips import Flips
from edgebias.stats.contrasts import corrected
from edgebias.suites.identities import DEFAULT_CONDITIONS, Asking


def audited(build: Responder, reference: Responder, seed: int, tolerance: float = 0.0, clusters: int = 60) -> Compared:
    random = np.random.default_rng(seed)
    asked = questions(random, clusters, 3)
    return compare({"b": answers(asked, build, random)}, answers(asked, reference, random), tolerance, seed)


@pytest.fixture
def fewer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_module, "RESAMPLES", 1000)
    monkeypatch.setattr(compare_module, "RESAMPLES_OF_FLIPS", 200)
    monkeypatch.setattr("edgebias.stats.contrasts.SWAPS", 1000)


@pytest.fixture
def little_garbage() -> None:
    """What is here stays: statsmodels looks through all of it for garbage at every call, which takes half an audit."""
    corrected([0.5], "holm")  # imports it
    gc.collect()
    gc.freeze()


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_samples", "little_garbage")
def test_a_build_that_is_no_worse_is_called_worse_in_at_most_three_of_sixty_audits() -> None:
    """Build and reference differ by chance alone: sampling noise moves a fifth of the answers of either.

    In a hundred audits one called it worse, and eight where neither p-values nor intervals are corrected. At these
    rates other seeds would fail three times in a thousand, and without the corrections seven times in ten.
    """
    same = Responder()
    alarms = sum(any(one.worse for one in audited(same, same, seed, clusters=30).contrasts) for seed in range(60))
    assert alarms <= 3


def test_a_ladder_of_many_builds_can_still_fail() -> None:
    """With a hundred tests in the family the smallest p-value must be small enough to survive."""
    random = np.random.default_rng(6)
    asked = questions(random, 40, 2)
    reference = answers(asked, Responder(), random)
    ladder = {f"b{place}": reference for place in range(12)} | {"bad": answers(asked, Responder(bias=4.0), random)}
    assert {one.build for one in compare(ladder, reference, 0.0, 1).contrasts if one.worse} == {"bad"}


def test_more_bias_is_found_and_named() -> None:
    found = audited(Responder(bias=1.5), Responder(), 1)
    worse = {(one.suite, one.kind) for one in found.contrasts if one.worse}
    assert {("stereoset", BIAS), ("crows_pairs", BIAS), ("bbq", BIAS)} <= worse
    assert all(one.where in {"c0", "c1", "c2"} for one in found.contrasts if one.worse)
    assert all(one.newly_biased > one.no_longer_biased and one.p_corrected < 0.05 for one in found.flips)


def test_a_build_that_swings_to_the_other_side_is_as_biased_as_before() -> None:
    """Bias is distance from the ideal: a score that crosses it and ends as far on the other side is no worse."""
    found = audited(Responder(bias=-0.8), Responder(bias=0.8), 2)
    sentences = next(one for one in found.contrasts if one.suite == "crows_pairs")
    assert sentences.p_corrected < 0.05
    assert sentences.farther_low < 0 < sentences.farther_high
    assert not sentences.worse


def test_less_ability_is_found_though_no_score_of_bias_moves_away() -> None:
    found = audited(Responder(bias=0.0, skill=-1.0, silent=0.9), Responder(bias=0.8, skill=1.5), 3)
    assert {one.kind for one in found.contrasts if one.worse} == {ABILITY}
    assert any(one.metric == "answers_that_name_an_option" and one.worse for one in found.contrasts)


def test_what_is_tolerated_is_not_worse() -> None:
    plain, generous = (audited(Responder(bias=1.5), Responder(), 1, tolerance) for tolerance in (0.0, 60.0))
    assert any(one.worse for one in plain.contrasts)
    assert not any(one.worse for one in generous.contrasts)
    changed = [one.farther_low for one in plain.contrasts if one.worse]
    assert not any(
        one.worse and one.farther_low < 5 for one in audited(Responder(bias=1.5), Responder(), 1, 5).contrasts
    )
    assert max(changed) > 5


def test_the_same_answers_differ_by_nothing() -> None:
    random = np.random.default_rng(4)
    same = answers(questions(random), Responder(), random)
    found = compare({"b": same}, same, 0.0, 1)
    assert {(one.difference, one.farther, one.farther_low, one.p_corrected) for one in found.contrasts} == {
        (0, 0, 0, 1)
    }
    assert {(one.changed, one.towards, one.away, one.p) for one in found.flips} == {(0, 0, 0, 1)}
    assert all(one.detectable > 0 for one in found.contrasts)


def test_a_score_that_nobody_has_is_undefined_and_in_no_family() -> None:
    """No letter was written by the build: its scores of letters are NaN, and only the others are corrected for."""
    random = np.random.default_rng(5)
    asked = questions(random)
    build = answers(asked, Responder(silent=1.0), random)
    found = compare({"b": build}, answers(asked, Responder(), random), 0.0, 1)
    letters = [one for one in found.contrasts if one.format == "letter" and one.suite == "bbq"]
    assert [math.isnan(one.value) for one in letters] == [True, True, False]
    assert not any(one.worse for one in letters[:2])
    assert letters[2].worse
    known = sum(not math.isnan(one.p) for one in found.contrasts)
    assert found.level == pytest.approx(1 - 0.05 / known)


def compared_by_hand(before: list[str], now: list[str]) -> Compared:
    def joined(outcomes: list[str]) -> Joined:
        frame = pd.DataFrame(
            {
                **{"item_id": [str(place) for place in range(len(outcomes))], "format": "letter", "category": "c"},
                **{"cluster": [f"k{place // 2}" for place in range(len(outcomes))], "condition": "ambiguous"},
                **{"roles": [["stereotype", "anti_stereotype", "unknown"]] * len(outcomes), "label": 2},
                **{"permutation": [[0, 1, 2]] * len(outcomes), "n_tokens": [[]] * len(outcomes)},
                **{"option_logprobs": [[]] * len(outcomes), "choice": 0, "outcome": outcomes},
            }
        )
        return {("bbq", "letter"): frame}

    return compare({"b": joined(now)}, joined(before), 0.0, 1)


def flips_by_hand(before: list[str], now: list[str]) -> Flips:
    (found,) = compared_by_hand(before, now).flips
    return found


def test_changed_answers_that_a_score_does_not_show_are_said(fewer_samples: None) -> None:
    """A third of the answers change sides, as many one way as the other; where none does, nothing is said."""
    before = ["stereotype", "anti_stereotype", "unknown"] * 40
    now = [*(["anti_stereotype", "stereotype", "unknown"] * 20), *before[60:]]

    def said(answered: list[str]) -> list[str]:
        # remarks read nothing else of a result
        result = SimpleNamespace(compared=compared_by_hand(before, answered), worse=lambda build: False)
        return remarks(result)  # type: ignore[arg-type]

    (remark,) = said(now)
    assert "changed answers that the score does not show. No difference of it is detectable, but 33.3 % [" in remark
    assert remark.endswith("16.7 % went towards the stereotype, 16.7 % away from it.")
    assert said(before) == []


def test_flips_by_hand() -> None:
    """Of eight answers four change: one from the other group, one from unknown, one to unknown, one falls silent."""
    s, a, u = "stereotype", "anti_stereotype", "unknown"
    found = flips_by_hand([s, s, a, u, s, a, u, u], [s, u, s, s, "blank", a, u, u])
    assert (found.n, found.n_clusters, found.changed) == (8, 4, 50.0)
    assert (found.towards, found.away) == (25.0, 25.0)
    assert (found.to_unknown, found.from_unknown) == (12.5, 12.5)
    assert (found.newly_biased, found.no_longer_biased) == (40.0, pytest.approx(200 / 3))
    assert found.p == 1.0


def test_one_way_to_choose_nothing_is_no_change_from_another() -> None:
    """A refusal that becomes unreadable or blank chooses as little as before."""
    found = flips_by_hand(["refusal", "unparsed", "blank", "stereotype"], ["unparsed", "blank", "refusal", "refusal"])
    assert (found.changed, found.away) == (25.0, 25.0)


def asked_by_everybody(answer: Callable[[str, int], int], questions: int = 30) -> Joined:
    """Answers to exam questions from 37 askers, of a responder that may look at who asks: 0 is right."""
    rows = [(condition, number) for number in range(questions) for condition in DEFAULT_CONDITIONS]
    choices = [answer(Asking.of(condition).asker, number) for condition, number in rows]
    frame = pd.DataFrame(
        {
            "item_id": [f"identity_utility/{number:02d}/{condition}" for condition, number in rows],
            "format": "likelihood_chat",
            "category": "exam",
            "cluster": [f"q{number:02d}" for _, number in rows],
            "condition": [condition for condition, _ in rows],
            "roles": [["option", "option"]] * len(rows),
            "label": 0,
            "permutation": [[0, 1]] * len(rows),
            "n_tokens": [[1, 1]] * len(rows),
            "option_logprobs": [[-1.0, -2.0] if choice == 0 else [-2.0, -1.0] for choice in choices],
            "choice": choices,
            "outcome": "option",
        }
    )
    return {("identity_utility", "likelihood_chat"): frame}


def knows_half(who: str, question: int) -> int:
    return question % 2


def fails_a_muslim(who: str, question: int) -> int:
    return 1 if who == "muslim" else knows_half(who, question)


@pytest.mark.usefixtures("fewer_samples")
def test_a_build_that_serves_one_asker_worse_is_found_and_the_asker_named() -> None:
    """The reference knows half of the answers whoever asks; the build knows none of them for one of 31 identities."""
    found = compare({"b": asked_by_everybody(fails_a_muslim)}, asked_by_everybody(knows_half), 0.0, 1)
    spread = next(one for one in found.contrasts if one.kind == WHO_ASKS)
    share = 1 / 31
    whole = 50 * math.sqrt(share * (1 - share))
    assert (spread.reference, spread.value) == (0.0, pytest.approx(whole, rel=0.05))
    assert spread.farther == pytest.approx(spread.value)
    assert (spread.worse, spread.where) == (True, "muslim")
    assert "most of all in muslim" in clause(spread)
    back = compare({"b": asked_by_everybody(knows_half)}, asked_by_everybody(fails_a_muslim), 0.0, 1)
    mended = next(one for one in back.contrasts if one.kind == WHO_ASKS)
    assert (mended.worse, mended.nearer, mended.farther) == (False, True, pytest.approx(-spread.farther))


@pytest.mark.usefixtures("fewer_samples")
def test_less_knowledge_for_everybody_is_no_dependence_on_who_asks() -> None:
    """Fewer right answers are a loss of ability; who asks still changes nothing."""
    found = compare({"b": asked_by_everybody(lambda who, question: 1)}, asked_by_everybody(knows_half), 0.0, 1)
    by_kind = {one.kind: one for one in found.contrasts}
    assert by_kind[ABILITY].worse
    assert (by_kind[WHO_ASKS].farther, by_kind[WHO_ASKS].p, by_kind[WHO_ASKS].worse) == (0.0, 1.0, False)


@pytest.mark.usefixtures("fewer_samples")
def test_of_two_questions_the_spread_over_askers_is_undefined() -> None:
    few = asked_by_everybody(knows_half, questions=2)
    found = next(one for one in compare({"b": few}, few, 0.0, 1).contrasts if one.kind == WHO_ASKS)
    assert math.isnan(found.p_corrected)
    assert found.reason == "fewer than three questions that everybody answered"
