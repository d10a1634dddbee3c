from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.report.findings import Difference, Reduction
from edgebias.report.numbers import interval, number
from edgebias.report.sentences import (
    compression_sentence,
    describe,
    describe_reduction,
    environments_sentence,
    mitigation_sentence,
)


def difference(low: float, high: float, p: float = 0.01, middle: float | None = None, base: float = 56.0) -> Difference:
    value = (low + high) / 2 if middle is None else middle
    return Difference(
        "stereotype rate (letter)", "edge full", "cloud full", base + value, base, value, low, high, p, 2.5, 50.0
    )


@pytest.mark.parametrize(
    ("given_difference", "said", "unsaid"),
    [
        (difference(-1, 3, 0.4), "no difference is detectable", "higher"),
        (difference(-1, 3, 0.4), "smallest detectable is 2.50", "lower"),
        (difference(1, 5), "edge full scores higher than cloud full", "no difference"),
        (difference(1, 5), "farther from the ideal value 50", "nearer"),
        (difference(-5, -1), "edge full scores lower than cloud full", "no difference"),
        (difference(-5, -1), "nearer to the ideal value 50", "farther"),
        (difference(-5, -1, base=48.0), "farther from the ideal value 50", "nearer"),
        (difference(1, 5, p=0.2), "does not survive the correction", "no difference"),
        (difference(0, 0, 1.0), "exactly the same", "detectable"),
        (difference(math.nan, math.nan, math.nan), "could not be estimated", "detectable"),
    ],
)
def test_clause_follows_sign_and_interval(given_difference: Difference, said: str, unsaid: str) -> None:
    clause = describe(given_difference)
    assert said in clause
    assert unsaid not in clause


@given(st.floats(-30, 30), st.floats(0.01, 20), st.floats(0, 1))
def test_a_direction_is_claimed_only_where_the_interval_excludes_zero(middle: float, half: float, p: float) -> None:
    clause = describe(difference(middle - half, middle + half, p))
    claims = "scores higher" in clause or "scores lower" in clause
    assert claims == (abs(middle) > half)
    assert ("scores higher" in clause) <= (middle > 0)
    if claims:
        assert ("survive" in clause) == (p >= 0.05)


def test_confounded_design_is_named() -> None:
    found = [difference(1, 5)]
    assert "only cells with the same weights are compared" in environments_sentence(found, "x", confounded=True)
    assert "Different models" not in environments_sentence(found, "forced choice", confounded=False)
    assert "cannot be told apart" in environments_sentence([], "forced choice", confounded=True)
    assert "No difference between environments could be computed" in environments_sentence([], "x", confounded=False)


def test_silent_builds_share_a_clause_with_what_could_be_seen() -> None:
    sentence = compression_sentence([difference(1, 5), difference(-1, 3, 0.5)], [])
    assert "scores higher" in sentence
    assert (
        "no difference from the uncompressed build is detectable for edge full (smallest detectable is 2.50)"
        in sentence
    )


@pytest.mark.parametrize(
    ("after", "low", "high", "verdict"),
    [
        (51, 49, 53, "reduced"),
        (57, 55, 59, "unclear"),
        (66, 64, 68, "raised"),
        (42, 40, 44, "unclear"),
        (35, 33, 37, "raised"),
    ],
)
def test_mitigation_counts_distance_from_the_ideal(after: float, low: float, high: float, verdict: str) -> None:
    reduction = Reduction("feedback loop", "stereotype rate", 58, 56, 60, after, low, high, 50)
    assert reduction.verdict == verdict
    clause = describe_reduction(reduction)
    assert ("nearer to" in clause) == (verdict == "reduced")
    assert ("no effect" in clause) == (verdict == "unclear")


def test_without_headroom_no_percentage_is_offered() -> None:
    noise = Reduction("feedback loop", "ss", 54, 48, 60, 51, 45, 57, 50, headroom="no: baseline 54 includes the ideal")
    assert math.isnan(noise.relative_bias)
    assert "no headroom: baseline 54 includes the ideal" in describe_reduction(noise)
    assert Reduction("feedback loop", "ss", 54, 48, 60, 51, 45, 57, 50).relative_bias == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("low", "p_corrected", "verdict"),
    [(0.1, 0.01, "reduced"), (0.1, 0.14, "uncorrected"), (-0.1, 0.14, "unclear"), (0.1, math.nan, "reduced")],
)
def test_a_reduction_has_to_survive_the_correction(low: float, p_corrected: float, verdict: str) -> None:
    found = Reduction(
        "feedback loop", "ss", 57, 52, 62, 52, 47, 57, 50, 0.7, low, 1.0, headroom="yes", p_corrected=p_corrected
    )
    assert found.verdict == verdict
    clause = describe_reduction(found)
    assert ("does not survive the correction" in clause) == (verdict == "uncorrected")
    assert ("corrected p = 0.140" in clause) == (verdict == "uncorrected")
    assert ("nearer to the ideal value" in clause) == (verdict != "unclear")


def test_nothing_evaluated_is_said() -> None:
    assert mitigation_sentence([]) == "No mitigation method was evaluated."


def test_methods_that_the_answer_does_not_compare_are_in_the_table() -> None:
    found = Reduction("a method of one's own", "ss", 57, 52, 62, 52, 47, 57, 50, 0.7, 0.1, 1.0, headroom="yes")
    assert "stands in the table" in mitigation_sentence([found])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0004, "0.000"),
        (-2.5, "−2.50"),
        (1234567, "1,234,567"),
        (99.0, "99"),
        (61.234, "61.2"),
        (math.nan, "–"),
    ],
)
def test_numbers_as_printed(value: float, text: str) -> None:
    assert number(value) == text


def test_interval_without_bounds_is_a_dash() -> None:
    assert interval(math.nan, 1.0) == "–"


def test_a_broken_build_is_called_out() -> None:
    sentence = compression_sentence([difference(1, 5)], [], ["magnitude50 (perplexity times 15)"])
    assert "hardly models text any more: magnitude50 (perplexity times 15)" in sentence
