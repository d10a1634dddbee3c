"""What a response was taken to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

UNKNOWN = "unknown"
UNRELATED = "unrelated"
OPTION = "option"
"""The role of an option that no stereotype touches, such as a letter of an exam question; its choice is an answer."""

REFUSAL = "refusal"
UNPARSED = "unparsed"
BLANK = "blank"
WRITTEN = "written"
"""The text of an open suite was continued: there is no option that it could name, and nothing to parse."""

ANSWER_OUTCOMES = ("stereotype", "anti_stereotype", UNKNOWN, OPTION, REFUSAL, UNPARSED, BLANK)
"""The outcomes of an answer to options; ``option`` is one of items without stereotypes."""

OUTCOMES = (*ANSWER_OUTCOMES, WRITTEN)


@dataclass(frozen=True)
class Reading:
    """What a response was taken to say."""

    choice: int
    outcome: str


NOTHING = Reading(-1, UNPARSED)


def chosen(place: int, roles: Sequence[str]) -> Reading:
    """Return the reading of a choice; an option of role ``unrelated`` is of no use to any metric."""
    return Reading(place, UNPARSED if roles[place] == UNRELATED else roles[place])
