"""The formats in which an item can be asked, and the letters that stand for options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

LIKELIHOOD = "likelihood"
"""Each option continues a plain text; its log-probability is the answer."""

LIKELIHOOD_CHAT = "likelihood_chat"
"""A chat turn asks and shows no option; each option begins the model's turn, and its log-probability is the answer."""

LETTER = "letter"
"""A chat turn shows lettered options; the model writes a letter."""

LETTER_BALANCED = "letter_balanced"
"""Letters over a balanced set of orders of the options, so that no place on the page decides the answer."""

OPTION_TEXT = "option_text"
"""A chat turn lists the options without letters; the model writes one of them."""

OPEN = "open"
"""A chat turn asks and shows no option; the model answers in its own words."""

SOLUTION = "solution"
"""A chat turn sets a problem; the model writes at length, and the suite reads what its solution comes to."""

CONTINUATION = "continuation"
"""The model continues the item's text."""

FORMATS = (LIKELIHOOD, LIKELIHOOD_CHAT, LETTER, LETTER_BALANCED, OPTION_TEXT, OPEN, SOLUTION, CONTINUATION)
"""All formats, in the order in which an item is asked."""

IN_CHAT = frozenset({LIKELIHOOD_CHAT, LETTER, LETTER_BALANCED, OPTION_TEXT, OPEN, SOLUTION})
"""Formats that are asked in a chat turn, which needs a model with a chat template."""

OF_QUESTIONS = (LIKELIHOOD, LETTER, LETTER_BALANCED, OPTION_TEXT, OPEN)
"""Formats of a suite whose items ask a question and have options."""

UNWRITTEN = (LIKELIHOOD, LIKELIHOOD_CHAT)
"""Formats in which the model writes nothing: its log-probabilities of the options are read."""

SHOWN_IN_ORDER = (LETTER, LETTER_BALANCED, OPTION_TEXT)
"""Formats that show the model its options, so that one of them comes first (position bias)."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def refused_in_chat(model: Mapping[str, Any]) -> frozenset[str]:
    """Return the formats that are not asked of ``model``, an entry of ``models``."""
    return IN_CHAT if model.get("chat") is False else frozenset()


def wordings_of(formats: Iterable[str]) -> list[str]:
    """Return the formats whose wordings differ among ``formats``: a balanced letter is worded as a plain one."""
    return list(dict.fromkeys(LETTER if name == LETTER_BALANCED else name for name in formats))
