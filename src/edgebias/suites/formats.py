"""The formats in which an item can be asked, and the letters that stand for options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIKELIHOOD = "likelihood"
"""Each option continues a plain text; its log-probability is the answer."""

LETTER = "letter"
"""A chat turn shows lettered options; the model writes a letter."""

OPTION_TEXT = "option_text"
"""A chat turn lists the options without letters; the model writes one of them."""

OPEN = "open"
"""A chat turn asks and shows no option; the model answers in its own words."""

CONTINUATION = "continuation"
"""The model continues the item's text."""

FORMATS = (LIKELIHOOD, LETTER, OPTION_TEXT, OPEN, CONTINUATION)
"""All formats, in the order in which an item is asked."""

IN_CHAT = frozenset({LETTER, OPTION_TEXT, OPEN})
"""Formats that are asked in a chat turn, which needs a model with a chat template."""

OF_QUESTIONS = (LIKELIHOOD, LETTER, OPTION_TEXT, OPEN)
"""Formats of a suite whose items ask a question and have options."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def refused_in_chat(model: Mapping[str, Any]) -> frozenset[str]:
    """Return the formats that are not asked of ``model``, an entry of ``models``."""
    return IN_CHAT if model.get("chat") is False else frozenset()
