"""Responders that answer every item by a fixed rule.

An *answer* is the role of the chosen option, or one of the three ways to choose nothing (`SILENT`). An option to which
no stereotype attaches is told from others of its item by its place: ``option 2``. From the answer follows all that a
scorer may want: the chosen option, the text that a model would have written, log-probabilities.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgebias.checks.oracle.exact import ItemRow
from edgebias.checks.oracle.open_texts import RULES, TEXTS, each
from edgebias.core.errors import InputError
from edgebias.infer.outcome import BLANK, REFUSAL, UNKNOWN, UNPARSED, UNRELATED
from edgebias.metrics.answers import OPTION
from edgebias.suites.formats import LETTERS
from edgebias.suites.registry import SUITES

STEREOTYPE, ANTI_STEREOTYPE = "stereotype", "anti_stereotype"
SILENT = {
    REFUSAL: "I'm sorry, but I can't help with that.",
    UNPARSED: "zxqv brimblex plimvex",
    BLANK: "",
}
"""The answers that choose no option, with the text that stands for each."""

RATE = 70
"""Per cent of stereotypical answers of the responder with a known rate."""

_PREFERRED, _STEP = math.log(3 / 4), math.log(3)
"""Mean log-probabilities per token go down in steps of ln 3, so that two options weigh 3/4 and 1/4."""


@dataclass(frozen=True)
class Responder:
    """A rule that gives the answer to each item of a list (a suite, or a part of it)."""

    name: str
    rule: str
    answer: Callable[[Sequence[ItemRow]], list[str]]


@dataclass(frozen=True)
class Reply:
    """An answer as a model and a harness would record it.

    ``choice`` is the index of the chosen option in item order, -1 for none; ``letter_text`` answers lettered options
    in the item's ``permutation``, ``option_text`` repeats the option. Log-probabilities are sums over the words of an
    option, and rank the chosen option first by their mean per word (by their sum in ``crows_pairs``). The shared tokens
    of a pair (``shared_logprobs``, ``crows_pairs`` alone) rank it last, so that neither sum can stand for the other.
    """

    answer: str
    choice: int
    letter_text: str
    option_text: str
    option_logprobs: tuple[float, ...]
    n_tokens: tuple[int, ...]
    shared_logprobs: tuple[float, ...]


def answer_at(item: ItemRow, place: int) -> str:
    """Return the answer that chooses the option at ``place``, in item order."""
    role = str(item["roles"][place])
    return f"{OPTION} {place}" if role == OPTION else role


def label_role(item: ItemRow) -> str:
    """Return the answer that chooses the right option; empty where no option is right."""
    return answer_at(item, item["label"]) if item["label"] >= 0 else ""


def first_shown(item: ItemRow) -> str:
    """Return the answer that chooses the option that letter A shows."""
    return answer_at(item, item["permutation"][0])


def _role(role: str) -> Callable[[ItemRow], str]:
    """Always choose the option of this role; an item without one is declined."""
    return lambda item: role if role in item["roles"] else REFUSAL


def _in_turn(turn: Callable[[int, int, ItemRow], str]) -> Callable[[Sequence[ItemRow]], list[str]]:
    """Answer by place within the items of one category, condition and right role: ``turn(place, size, item)``."""

    def answer(items: Sequence[ItemRow]) -> list[str]:
        strata: dict[tuple[str, str, str], list[int]] = {}
        for number, item in enumerate(items):
            strata.setdefault((item["category"], item["condition"], label_role(item)), []).append(number)
        answers = [""] * len(items)
        for members in strata.values():
            for place, number in enumerate(members):
                answers[number] = _in_terms_of(items[number], turn(place, len(members), items[number]))
        return answers

    return answer


def _in_terms_of(item: ItemRow, answer: str) -> str:
    """Where no stereotype attaches, the stereotype is the right option, its opposite the next one, others the third."""
    if OPTION not in item["roles"] or answer in SILENT:
        return answer
    step = {STEREOTYPE: 0, ANTI_STEREOTYPE: 1}.get(answer, 2)
    return answer_at(item, (max(item["label"], 0) + step) % len(item["roles"]))


def _at_rate(place: int, size: int, _item: ItemRow) -> str:
    return STEREOTYPE if place < size * RATE // 100 else ANTI_STEREOTYPE


def _mixed(place: int, _size: int, item: ItemRow) -> str:
    cycle = (STEREOTYPE, ANTI_STEREOTYPE, UNKNOWN, STEREOTYPE, REFUSAL, UNPARSED, BLANK, UNRELATED)
    answer = cycle[place % len(cycle)]
    return answer if answer in item["roles"] or answer in SILENT or OPTION in item["roles"] else STEREOTYPE


RESPONDERS: tuple[Responder, ...] = (
    Responder("gold", "the right option", each(lambda item: label_role(item) or UNPARSED)),
    Responder("always_biased", "the stereotypical option", each(_role(STEREOTYPE))),
    Responder("always_anti_biased", "the anti-stereotypical option", each(_role(ANTI_STEREOTYPE))),
    Responder("always_unknown", "the unknown option; declines where there is none", each(_role(UNKNOWN))),
    Responder("first_option", "the option that letter A shows", each(first_shown)),
    Responder(
        f"rate_{RATE}",
        f"the stereotypical option in {RATE} % of the items of each category, condition and right role, else the other",
        _in_turn(_at_rate),
    ),
    Responder("refuser", SILENT[REFUSAL], each(lambda _item: REFUSAL)),
    Responder("blank", "nothing", each(lambda _item: BLANK)),
    Responder("gibberish", SILENT[UNPARSED], each(lambda _item: UNPARSED)),
    Responder(
        "mixed",
        "in turn: stereotype, anti-stereotype, unknown, stereotype, refusal, gibberish, blank, unrelated",
        _in_turn(_mixed),
    ),
)


OPEN_RESPONDERS = tuple(Responder(*rule) for rule in RULES)
"""The responders of suites whose items are continued."""


def responders_of(suite: str) -> tuple[Responder, ...]:
    """Return the responders that can answer the items of ``suite``."""
    return OPEN_RESPONDERS if SUITES.get(suite).open_ended else RESPONDERS


def reply(item: ItemRow, answer: str) -> Reply:
    """Return what a model that gives ``answer`` does with ``item``."""
    if SUITES.get(item["suite"]).open_ended:
        text = TEXTS[answer].words if answer in TEXTS else SILENT[answer]
        return Reply(answer, -1, text, text, (), (), ())
    options = list(item["options"])
    if answer == UNPARSED:
        _check_gibberish(item)
    words = tuple(len(option.split()) for option in options)
    if answer in SILENT:
        # Log-probabilities always exist: a model that says nothing of use prefers what is unrelated, else nothing.
        logprobs, shared = _logprobs(item, words, UNRELATED), _shared_logprobs(item, UNRELATED)
        return Reply(answer, -1, SILENT[answer], SILENT[answer], logprobs, words, shared)
    choice = next(place for place in range(len(options)) if answer_at(item, place) == answer)
    letter = LETTERS[list(item["permutation"]).index(choice)]
    logprobs, shared = _logprobs(item, words, answer), _shared_logprobs(item, answer)
    return Reply(answer, choice, f"{letter}) {options[choice]}", options[choice], logprobs, words, shared)


def _check_gibberish(item: ItemRow) -> None:
    """Check that no option has a word of the gibberish, which would make it an answer.

    Raises:
        InputError: one has.
    """
    gibberish = {*SILENT[UNPARSED].split()}
    for option in item["options"]:
        shared = gibberish.intersection(re.findall(r"\w+", option.casefold()))
        if shared:
            raise InputError(
                f"item {item['item_id']!r}: its option {option!r} has the word {min(shared)!r} of the gibberish; "
                "reword the option"
            )


def _logprobs(item: ItemRow, words: tuple[int, ...], preferred: str) -> tuple[float, ...]:
    """Return the sums that put ``preferred`` first, ``unrelated`` last unless preferred, and the others
    level between.
    """
    answers = [answer_at(item, place) for place in range(len(item["roles"]))]
    ranks = [0 if answer == preferred else 2 if answer == UNRELATED else 1 for answer in answers]
    if SUITES.get(item["suite"]).pairs_of_sentences:
        return tuple(-100.0 - rank for rank in ranks)  # whole sentences are compared by their sums
    if item["suite"] == "stereoset":
        return tuple((-1.0 - rank) * count for rank, count in zip(ranks, words, strict=True))  # means tie exactly
    return tuple((_PREFERRED - _STEP * rank) * count for rank, count in zip(ranks, words, strict=True))


def _shared_logprobs(item: ItemRow, preferred: str) -> tuple[float, ...]:
    """Return the sums over shared tokens that put ``preferred`` last and are level where it is neither.

    Empty but for pairs.
    """
    if not SUITES.get(item["suite"]).pairs_of_sentences:
        return ()
    return tuple(-51.0 if role == preferred else -50.0 for role in item["roles"])
