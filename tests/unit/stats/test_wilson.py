"""Wilson's interval against the library whose import it saves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from edgebias.stats.wilson import wilson_limits


@given(st.data(), st.integers(1, 2000), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_limits_are_those_of_statsmodels(data: st.DataObject, n: int, confidence: float) -> None:
    hits = data.draw(st.integers(0, n))
    expected = proportion_confint(hits, n, alpha=1 - confidence, method="wilson")
    assert wilson_limits(hits / n, n, confidence) == pytest.approx(expected, abs=1e-12)


def test_no_trials_have_no_limits() -> None:
    assert all(math.isnan(limit) for limit in wilson_limits(0.5, 0, 0.95))
