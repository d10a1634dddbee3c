"""The templates among which a letter answer should not depend, each with a versioned name.

Two of them have no chat template at all. A new one is a function and an entry of `TEMPLATES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgebias.backends.base import Prompt
from edgebias.infer.wording import LETTER_CHAT, Wording, letter_rule, letter_wording, lettered_question
from edgebias.suites.formats import LETTERS
from edgebias.suites.item import Item

LETTER_PLAIN = "letter_plain_v1"
"""The study's own letter prompt without the chat template, ``Answer:`` at its end."""

BBQ_ARC = "bbq_arc_v1"
"""The ARC format of BBQ (Parrish et al. 2022, section 5): context and question in one line, then ``(a)`` to ``(c)``.
The paper's models were trained to answer it; ``Answer:`` is added for models that were not."""


def _plain(item: Item) -> Wording:
    text = f"{letter_rule(len(item.options))}\n\n{lettered_question(item)}\nAnswer:"
    return Wording(LETTER_PLAIN, Prompt(text=text), tuple(f" {letter}" for letter in LETTERS[: len(item.options)]))


def _bbq_arc(item: Item) -> Wording:
    letters = LETTERS[: len(item.options)].lower()
    shown = " ".join(
        f"({letter}) {item.options[place]}" for letter, place in zip(letters, item.permutation, strict=True)
    )
    text = f"{item.context} {item.question}\n{shown}\nAnswer:".lstrip()
    return Wording(BBQ_ARC, Prompt(text=text), tuple(f" ({letter})" for letter in letters))


TEMPLATES: Mapping[str, Callable[[Item], Wording]] = {
    LETTER_CHAT: letter_wording,
    LETTER_PLAIN: _plain,
    BBQ_ARC: _bbq_arc,
}
"""From the name of a template to the prompt that it makes of an item in its ``permutation``."""
