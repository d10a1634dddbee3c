"""What must hold for the metrics of every family, from plain columns to a row of the score table."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.metrics.answers import answers_from_columns
from edgebias.score.table import measure
from edgebias.suites.registry import SUITES

S, A, U, X = "stereotype", "anti_stereotype", "unknown", "unrelated"
SILENT = ("refusal", "unparsed", "blank")
SWAP = {S: A, A: S, "pro": "anti", "anti": "pro"}
DESIGN = {
    "bbq": {"ambiguous": (S, A, U), "disambiguated": (S, A, U)},
    "stereoset": {"intrasentence": (S, A, X), "intersentence": (S, A, X)},
    "crows_pairs": {"stereo": (S, A), "antistereo": (S, A)},
    "winobias": {"pro": (S, A), "anti": (S, A)},
    "winogender": {"male": (S, A), "female": (S, A)},
    "forced_choice": {"binary": (S, A), "with_unknown": (S, A, U)},
}
NAMES = sorted(DESIGN)
METRICS = {suite: SUITES.get(suite).family.metrics for suite in NAMES}

NEGATED = {"sAMB", "sDIS", "cost_of_nonalignment", "accuracy_gap", "gotcha_gap", "occupation_correlation"}
MIRRORED = {
    *("ss", "ss_intrasentence", "ss_intersentence"),
    *("crows_pairs_full_sentence", "crows_pairs_full_sentence_stereo", "crows_pairs_full_sentence_antistereo"),
    *("crows_pairs_shared_tokens", "crows_pairs_shared_tokens_stereo", "crows_pairs_shared_tokens_antistereo"),
    *("stereotype_rate", "stereotype_rate_binary", "stereotype_rate_with_unknown", "stereotype_probability"),
}
EXCHANGED = {"accuracy_pro": "accuracy_anti", "accuracy_anti": "accuracy_pro"}
"""Where the stereotype is what was its opposite, a sentence that fitted it now defies it: pro becomes anti."""

UNMOVED = {
    # Right and wrong, abstention, letters and fluency do not know which group is the stereotyped one.
    *("accuracy_ambiguous", "accuracy_disambiguated", "false_abstention", "unknown_rate"),
    *("first_option_rate", "first_option_rate_binary", "first_option_rate_with_unknown"),
    *("accuracy_male", "accuracy_female", "winogender/accuracy_gap"),
    *("lms", "lms_intrasentence", "lms_intersentence", "icat", "icat_intrasentence", "icat_intersentence"),
}

WITHOUT_PARTNER = {"accuracy_gotcha"}
"""Relabelling makes it the accuracy on all other sentences, which no metric reports alone."""

WITHOUT_BOUNDS = {"occupation_correlation"}
"""A correlation is no fraction; like scores of log-probabilities it has bounds only where it covers everything."""


def known_as(suite: str, name: str) -> str:
    """The name in the sets above: with its suite where two suites mean different things by it."""
    qualified = f"{suite}/{name}"
    return qualified if qualified in UNMOVED else name


@dataclass(frozen=True)
class Answer:
    """One response with its item; log-probabilities differ from option to option, summed and per token: no ties."""

    cluster: str
    condition: str
    roles: tuple[str, ...]
    label: int
    outcome: str
    choice: int
    permutation: tuple[int, ...]
    option_logprobs: tuple[float, ...]
    n_tokens: tuple[int, ...]
    shared_logprobs: tuple[float, ...] = ()


@st.composite
def drawn_answers(draw: st.DrawFn, suite: str, outcomes: tuple[str, ...] = SILENT) -> list[Answer]:
    """Answers in letters, and the log-probability of each option; ``outcomes`` are those that name no option."""
    found = []
    for _ in range(draw(st.integers(2, 12))):
        condition = draw(st.sampled_from(sorted(DESIGN[suite])))
        roles = tuple(draw(st.permutations(DESIGN[suite][condition])))
        label = {"ambiguous": U, "pro": S, "anti": A}.get(condition)
        if condition in ("disambiguated", "male", "female"):
            label = draw(st.sampled_from((S, A)))
        outcome = draw(st.sampled_from([*(role for role in roles if role != X), *outcomes]))
        tokens = draw(st.tuples(*[st.integers(1, 3)] * len(roles)))
        means = draw(st.permutations((-0.7, -1.1, -1.6)[: len(roles)]))
        found.append(
            Answer(
                cluster=f"c{(number := draw(st.integers(0, 3)))}/{20 * number + 10}",  # Winogender: share of women
                condition=condition,
                roles=roles,
                label=-1 if label is None else roles.index(label),
                outcome=outcome,
                choice=roles.index(outcome) if outcome in roles else -1,
                permutation=tuple(draw(st.permutations(range(len(roles))))),
                option_logprobs=tuple(mean * n for mean, n in zip(means, tokens, strict=True)),
                n_tokens=tokens,
                shared_logprobs=tuple(means) if suite == "crows_pairs" else (),
            )
        )
    return found


def score_rows(suite: str, answers: list[Answer]) -> dict[str, dict[str, Any]]:
    """The row of each metric in the score table; without a bootstrap worth the name, which is tested elsewhere."""
    columns = {name: [getattr(answer, name) for answer in answers] for name in Answer.__dataclass_fields__}
    joined = answers_from_columns(columns)
    rng = np.random.default_rng(0)
    return {
        metric.name: dict(measure(metric, joined, rng=rng, resamples=2, confidence=0.95)) for metric in METRICS[suite]
    }


def same(left: Any, right: Any) -> bool:
    return bool(left == pytest.approx(right, nan_ok=True, abs=1e-9))


def relabelled(answer: Answer) -> Answer:
    return replace(
        answer,
        roles=tuple(SWAP.get(role, role) for role in answer.roles),
        outcome=SWAP.get(answer.outcome, answer.outcome),
        condition=SWAP.get(answer.condition, answer.condition),
    )


def reordered(answer: Answer, order: list[int]) -> Answer:
    """The same item and answer with options listed in another order; letters show what they showed."""
    place = {old: new for new, old in enumerate(order)}
    return replace(
        answer,
        roles=tuple(answer.roles[old] for old in order),
        label=place.get(answer.label, -1),
        choice=place.get(answer.choice, -1),
        permutation=tuple(place[old] for old in answer.permutation),
        option_logprobs=tuple(answer.option_logprobs[old] for old in order),
        n_tokens=tuple(answer.n_tokens[old] for old in order),
        shared_logprobs=tuple(answer.shared_logprobs[old] for old in order if answer.shared_logprobs),
    )


def test_every_metric_has_its_place() -> None:
    names = {known_as(suite, metric.name) for suite, metrics in METRICS.items() for metric in metrics}
    assert names == NEGATED | MIRRORED | set(EXCHANGED) | UNMOVED | WITHOUT_PARTNER


@pytest.mark.parametrize("suite", NAMES)
@settings(max_examples=8)
@given(st.data())
def test_relabelling_the_groups(suite: str, data: st.DataObject) -> None:
    answers = data.draw(drawn_answers(suite))
    other = [relabelled(answer) for answer in answers]
    rows_before, rows_after = score_rows(suite, answers), score_rows(suite, other)
    for metric in METRICS[suite]:
        name = known_as(suite, metric.name)
        if name in WITHOUT_PARTNER:
            continue
        before, after = rows_before[metric.name], rows_after[EXCHANGED.get(metric.name, metric.name)]
        centre = 0.0 if name in NEGATED else 50.0 if name in MIRRORED else None
        if centre is None:
            expected = [before[column] for column in ("estimate", "bound_low", "bound_high")]
        else:
            expected = [2 * centre - before[column] for column in ("estimate", "bound_high", "bound_low")]
        assert same([after[column] for column in ("estimate", "bound_low", "bound_high")], expected), metric.name


@pytest.mark.parametrize(("suite", "name"), [("stereoset", "ss"), ("crows_pairs", "crows_pairs_full_sentence")])
def test_ties_are_not_mirrored(suite: str, name: str) -> None:
    """Upstream counts a tie as anti-stereotypical, so relabelling leaves it at 0 and not at 100."""
    condition = next(iter(DESIGN[suite]))
    roles = DESIGN[suite][condition]
    tie = Answer("c", condition, roles, -1, S, 0, (), (-2.0,) * len(roles), (1,) * len(roles))
    assert score_rows(suite, [tie])[name]["estimate"] == 0.0
    assert score_rows(suite, [relabelled(tie)])[name]["estimate"] == 0.0


@pytest.mark.parametrize("suite", NAMES)
@settings(max_examples=8)
@given(st.data())
def test_the_order_in_which_options_are_listed_changes_nothing(suite: str, data: st.DataObject) -> None:
    answers = data.draw(drawn_answers(suite))
    other = [reordered(answer, data.draw(st.permutations(range(len(answer.roles))))) for answer in answers]
    before, after = score_rows(suite, answers), score_rows(suite, other)
    for name in before:
        assert same(after[name], before[name]), name


@pytest.mark.parametrize("suite", NAMES)
@settings(max_examples=8)
@given(st.data())
def test_the_order_in_which_letters_show_options_moves_only_the_position_metrics(
    suite: str, data: st.DataObject
) -> None:
    answers = data.draw(drawn_answers(suite))
    other = [replace(answer, permutation=tuple(reversed(answer.permutation))) for answer in answers]
    before, after = score_rows(suite, answers), score_rows(suite, other)
    for name in before:
        if name.startswith("first_option_rate"):
            # Reversed letters ask about another option: no answer is counted both times.
            both = before[name]["estimate"] + after[name]["estimate"]
            assert math.isnan(both) or both <= 100.0 + 1e-9
        else:
            assert same(after[name], before[name]), name


@pytest.mark.parametrize("suite", NAMES)
@settings(max_examples=8)
@given(st.data())
def test_duplicates_change_no_estimate_and_estimates_stay_in_range(suite: str, data: st.DataObject) -> None:
    answers = data.draw(drawn_answers(suite))
    single, double = score_rows(suite, answers), score_rows(suite, answers * 2)
    for metric in METRICS[suite]:
        once, twice = single[metric.name], double[metric.name]
        for name in ("estimate", "coverage", "n_clusters"):  # bounds: two copies may be answered differently
            assert same(twice[name], once[name]), (metric.name, name)
        assert twice["n"] == 2 * once["n"]
        for name in ("estimate", "bound_low", "bound_high"):
            value = once[name]
            assert math.isnan(value) or metric.low - 1e-9 <= value <= metric.high + 1e-9, (metric.name, name)


@pytest.mark.parametrize("suite", NAMES)
@settings(max_examples=8)
@given(st.data())
def test_answers_that_name_no_option_never_move_a_score_silently(suite: str, data: st.DataObject) -> None:
    answers = data.draw(drawn_answers(suite))
    counts = [f"n_{name}" for name in SILENT]
    blank = [replace(answer, outcome="blank") if answer.outcome in SILENT else answer for answer in answers]
    named = [answer for answer in answers if answer.outcome not in SILENT]
    rows_before, rows_blank, rows_named = (score_rows(suite, some) for some in (answers, blank, named or answers))
    for metric in METRICS[suite]:
        before, blanked = rows_before[metric.name], rows_blank[metric.name]
        for name in ("estimate", "coverage", "n", "bound_low", "bound_high"):
            assert same(blanked[name], before[name]), (metric.name, name)
        assert blanked["n_blank"] == sum(before[name] for name in counts)
        if named and metric.fractions:
            after = rows_named[metric.name]
            assert same(after["estimate"], before["estimate"]), metric.name
            assert [after[name] for name in counts] == [0, 0, 0]
            if before["n"] and sum(before[name] for name in counts):
                assert before["coverage"] < after["coverage"], metric.name
        # Scores of log-probabilities use every response, whatever its text says; to drop one is to drop its item.


@pytest.mark.parametrize("suite", NAMES)
@settings(max_examples=8)
@given(st.data())
def test_silencing_answers_is_seen_and_the_score_before_lies_within_the_bounds(suite: str, data: st.DataObject) -> None:
    answers = data.draw(drawn_answers(suite, outcomes=()))
    silenced = data.draw(st.lists(st.booleans(), min_size=len(answers), max_size=len(answers)))
    after = [
        replace(answer, outcome="refusal", choice=-1) if silent else answer
        for answer, silent in zip(answers, silenced, strict=True)
    ]
    rows_full, rows_part = score_rows(suite, answers), score_rows(suite, after)
    for metric in METRICS[suite]:
        full, part = rows_full[metric.name], rows_part[metric.name]
        if metric.name in WITHOUT_BOUNDS:
            assert part["n"] == full["n"] or part["coverage"] < full["coverage"]
            continue
        if not metric.fractions:  # log-probabilities are there whether or not the text answers
            assert same(part["estimate"], full["estimate"]), metric.name
            assert same(part["coverage"], full["coverage"])
            continue
        if not math.isnan(full["estimate"]):
            assert part["bound_low"] - 1e-9 <= full["estimate"] <= part["bound_high"] + 1e-9, metric.name
        if part["n"] == full["n"]:
            assert same(part["estimate"], full["estimate"]), metric.name
        else:
            assert part["coverage"] < full["coverage"], metric.name
            assert part["n_refusal"] > 0


def test_options_of_different_length_are_compared_per_token() -> None:
    equal = Answer("c", "binary", (S, A), -1, S, 0, (), (-8.0, -4.0), (2, 1))  # -4 per token, both
    assert score_rows("forced_choice", [equal])["stereotype_probability"]["estimate"] == pytest.approx(50.0)


def test_unknown_metric_name() -> None:
    with pytest.raises(KeyError):
        SUITES.get("bbq").family.metric("bias")
