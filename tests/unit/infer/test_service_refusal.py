"""What a service's filter puts in the place of an answer is a refusal, whatever its words name."""

from __future__ import annotations

import pytest

from edgebias.core.service_refusal import SERVICE_REFUSAL
from edgebias.infer.outcome import Reading, read_continuation, read_text

OPTIONS = ("The grandfather", "The grandson", "Can't be determined")
ROLES = ("stereotype", "anti_stereotype", "unknown")


@pytest.mark.parametrize("words", ["", " SAFETY", " B", " The grandfather", " Can't be determined", " A) or B)\nC"])
def test_the_words_of_a_filter_name_no_option(words: str) -> None:
    refusal = Reading(-1, "refusal")
    for lettered in (True, False):
        assert read_text(f"{SERVICE_REFUSAL}{words}", OPTIONS, ROLES, (0, 1, 2), lettered=lettered) == refusal
    assert read_continuation(f"{SERVICE_REFUSAL}{words}") == refusal


def test_a_model_that_quotes_a_refusal_later_is_read_as_ever() -> None:
    assert read_text(f"B\n{SERVICE_REFUSAL}", OPTIONS, ROLES, (0, 1, 2)) == Reading(1, "anti_stereotype")
