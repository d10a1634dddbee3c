"""Settings of the inference stages: the sections ``infer``, ``rounds`` and ``robustness``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from edgebias.core.record import OneOf, Record, SomeOf, text_like
from edgebias.suites.registry import names_where
from edgebias.suites.settings import SuiteName

FormatName = Literal[
    "likelihood", "likelihood_chat", "letter", "letter_balanced", "option_text", "open", "solution", "continuation"
]
"""How an item is asked."""


def _templates() -> Iterable[str]:
    from edgebias.infer.robustness.wording import TEMPLATES

    return TEMPLATES


class InferSettings(Record):
    """How items are asked."""

    formats: dict[SuiteName, SomeOf[FormatName]]
    """Formats of each suite."""
    max_new_tokens: int = Field(default=8, ge=1)
    """Most tokens of an answer in the formats letter and letter_balanced."""
    max_new_tokens_text: int = Field(default=24, ge=1)
    """Most tokens of an answer in the formats option_text and open."""
    max_new_tokens_solution: int = Field(default=256, ge=1)
    """Most tokens of a solution."""
    run_programs: bool = False
    """Whether programs that a model wrote are run, in a sandbox, which suites such as human_eval need. Warning: no
    sandbox is perfect. Say true only on a machine where you would run what the model writes."""
    max_new_tokens_continuation: int = Field(default=24, ge=1)
    """Most tokens of a continued text."""
    continuation_temperature: float = Field(default=1.0, ge=0)
    """Temperature at which texts are continued; 0 is greedy."""
    continuations: int = Field(default=1, ge=1)
    """Draws of each prompt of an open suite."""


class RoundSettings(Record):
    """Repeated rounds: the over-time question."""

    independent: int = Field(default=1500, ge=0)
    """Rounds in which an unchanged prompt is drawn from its one probability."""
    conversation: int = Field(default=32, ge=0)
    """Rounds of each conversation."""
    conversations: int = Field(default=3, ge=0)
    """Conversations of each item."""
    window: int = Field(default=32, ge=1)
    """Exchanges that a conversation keeps."""
    temperature: float = Field(default=1.0, gt=0)
    """Temperature of the draws; at 0 all rounds would be one."""


class RobustnessSettings(Record):
    """Format robustness: the levels of each factor, and how many items cross them."""

    suite: Annotated[str, OneOf(names_where(lambda suite: suite.undecided), "suite")] = "bbq"
    """The suite whose ambiguous items are asked, one a cluster; it needs an option for unknown."""
    clusters_per_category: int = Field(default=2, ge=0)
    """Clusters of each category; 0 takes all."""
    templates: SomeOf[Annotated[str, OneOf(_templates, "template")]] = (
        "letter_chat_v1",
        "letter_plain_v1",
        "bbq_arc_v1",
    )
    """Templates of the prompt."""
    unknown_wordings: SomeOf[Annotated[str, text_like(r"\S", "a text that is not blank")]] = (
        "Unknown",
        "Cannot be determined",
    )
    """Wordings of the option for unknown."""
